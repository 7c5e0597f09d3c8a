"""The cell in a user's own PySpice circuit, as the documented example has it."""

from __future__ import annotations

import importlib.util
from datetime import date
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from circuits.spice.binding import BINDINGS, find_binding
from circuits.spice.engine import find_simulator, shared_ngspice
from circuits.spice.pyspice_cell import pyspice_simulator
from compact_model.cards.device import load_card
from compact_model.hallbar import hall_bar
from veriloga.model import MODULE, cell_model
from veriloga.programs import COMPILER, compiled, find_program
from veriloga.verilog_a import verilog_a_text

SIMULATOR = find_simulator()
pytestmark = [
    pytest.mark.ngspice,
    pytest.mark.skipif(bool(SIMULATOR.problem), reason="ngspice shared library: " + SIMULATOR.problem),
]
EXAMPLE = Path(__file__).parents[2] / "examples" / "pyspice_driver.py"


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The example, with the package that is installed."""
    path = tmp_path_factory.mktemp("example") / EXAMPLE.name
    path.write_text(EXAMPLE.read_text().replace("PySpice.Spice", f"{find_binding().name}.Spice"))
    spec = importlib.util.spec_from_file_location("pyspice_driver", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check(found: dict[str, np.ndarray]) -> None:
    assert np.abs(found["current_a"] - 1e-3).max() < 5e-5
    # The transistor drives 13.2 mA; equal pulses creep upwards.
    device = hall_bar(load_card())
    first = device.hall_resistance(device.pulsed(device.prepared(), 13.2e-3, 200e-6))[0]
    assert found["r_xy_ohm"][0] == pytest.approx(first, abs=0.01)
    assert np.all(np.diff(found["r_xy_ohm"]) > 5e-4)


def test_subcircuit_in_pyspice(example: ModuleType) -> None:
    check(example.run())


@pytest.mark.skipif(find_program(COMPILER) is None, reason="no program openvaf-r")
@pytest.mark.skipif(not SIMULATOR.osdi, reason="ngspice without OSDI")
def test_compiled_module_in_pyspice_equals_the_subcircuit(example: ModuleType, tmp_path: Path) -> None:
    source = tmp_path / f"{MODULE}.va"
    source.write_text(verilog_a_text(cell_model(load_card()), date(2026, 1, 2)))
    found = example.run(compiled(source, tmp_path / f"{MODULE}.osdi"))
    check(found)
    assert np.abs(found["r_xy_ohm"] - example.run()["r_xy_ohm"]).max() < 1e-4


def test_errors_of_a_circuit_bring_along_what_ngspice_said(example: ModuleType) -> None:
    circuit = example.build(None)
    circuit.raw_spice += "Qbad vdd 0 0 nosuchmodel\n"
    with shared_ngspice().turn(), pytest.raises(NameError) as caught:
        pyspice_simulator(circuit).operating_point()
    assert "nosuchmodel" in "\n".join(caught.value.__notes__)


def test_a_circuit_of_the_other_package_is_refused() -> None:
    other = next(name for name in BINDINGS if name != find_binding().name)
    circuit = type("Circuit", (), {"__module__": f"{other}.Spice.Netlist"})()
    with pytest.raises(TypeError, match=f"a circuit of {other}, where {find_binding().name} drives ngspice"):
        pyspice_simulator(circuit)
