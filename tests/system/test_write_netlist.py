"""Whole arrays with switching devices, as netlists."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from circuits.spice.engine import find_simulator
from circuits.spice.ngspice import run_batch
from compact_model import synapse
from compact_model.cards.device import load_card
from compact_model.hallbar import hall_bar
from hallspice.cli.application import app
from veriloga.programs import COMPILER, find_program

SIMULATOR = find_simulator()
OSDI = SIMULATOR.osdi and find_program(COMPILER) is not None


@pytest.mark.ngspice
@pytest.mark.skipif(SIMULATOR.executable is None, reason="missing program: ngspice")
@pytest.mark.parametrize("architecture", ["resistive", "active_parallel"])
@pytest.mark.parametrize(
    "form",
    [
        "subckt",
        pytest.param(
            "osdi", marks=pytest.mark.skipif(not OSDI, reason="missing: ngspice with OSDI, openvaf-r")
        ),
    ],
)
def test_the_ladder_switches_a_cell_of_an_array(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, architecture: str, form: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "array.yaml").write_text(f"array: {{architecture: {architecture}, rows: 3, columns: 2}}\n")
    command = ["netlist", "array.yaml", "--operation", "write", "--device", form, "--out", "write.cir"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    last = [line for line in run_batch("write.cir").log if re.match(r"\d+\s", line)][-1]
    found = float(last.split()[2])
    card = load_card()
    device = hall_bar(card)
    state = device.prepared()
    for current in synapse.ladder_currents(card):
        state = device.cooled(device.pulsed(state, float(current), card.synapse.t_pulse.value))
    switched = (1 - found) / 2 if form == "osdi" else found
    # 5e-4: half-open select paths, edges of 10 ns, and reltol 1e-4
    assert switched == pytest.approx(float(device.fraction(state)[0]), abs=5e-4)


@pytest.mark.parametrize(
    "options", [[], ["--device", "frozen"], ["--device", "osdi", "--dialect", "spectre"]]
)
def test_what_can_not_be_written_to_is_refused(tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "array.yaml").write_text("array: {rows: 3, columns: 3}\n")
    command = [
        "netlist",
        str(tmp_path / "array.yaml"),
        "--operation",
        "write",
        "--out",
        str(tmp_path / "x.cir"),
    ]
    result = CliRunner().invoke(app, [*command, *options])
    assert result.exit_code == 2
    assert "subckt" in result.stderr
    assert not (tmp_path / "x.cir").exists()
