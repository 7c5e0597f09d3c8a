"""Lines of decks and of user's circuits that no golden file holds, and what devices are called in them."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar
from circuits.builder import NetworkBuilder
from circuits.network import GROUND, Role
from circuits.periphery import load_periphery
from circuits.spice.devices import Devices
from circuits.spice.netlist import batch_deck, netlist, step_deck
from circuits.spice.pyspice_cell import HallBarCell, add_module_cell
from circuits.write.circuit import write_network
from circuits.write.deck import Timing, node_names, switching_devices, write_deck
from circuits.write.scheme import WriteConfig
from circuits.write.select_mosfet import load_select_mosfet
from compact_model.cards.device import load_card
from veriloga.dialects import ArrayDialect, DeviceForm, Dialect
from veriloga.model import cell_model
from veriloga.subcircuit import subcircuit_text

TEXT = ".subckt sot_hallbar ip in hp hn\n.ends sot_hallbar"
CELL = Devices(form=DeviceForm.SUBCKT, text=TEXT)


def written(**more: Any) -> list[str]:
    """Lines of a deck with two pulses and their reads into cell (1, 0) of a 2 x 1 array."""
    selected = np.array([[False], [True]])
    network = write_network(selected, WriteConfig(architecture="resistive"))  # type: ignore[arg-type]
    pulses, reads = (
        np.array([[0.0, 3.0, 0.0], [0.0, 4.0, 0.0]]),
        np.array([[0.0, 0.5, 0.0], [0.0, 0.25, 0.25]]),
    )
    timing = Timing(t_pulse=100e-6, t_edge=1e-6, t_settle=4e-6, t_read=10e-6)
    given = {"saved": [f"v(n{k})" for k in range(20)], "title": "pulses", **more}
    states = np.array([[0.25, -0.5, 0.75], [0.125, 1.5, 0.5]])
    return write_deck(network, states, pulses, reads, timing, CELL, **given).replace("\n+ ", " ").splitlines()


def test_pulses_with_reads() -> None:
    """Of 100 us with edges of 1 us, 4 us to settle, a read of 10 us; then the same again after 116 us."""
    lines = written()
    sources = {line.split()[0]: line.split("0 ", 1)[1] for line in lines if line.startswith("V")}
    row = [0, 0, 1e-6, 3, 1e-4, 3, 1.01e-4, 0, 1.05e-4, 0, 1.06e-4, 0.5, 1.15e-4, 0.5, 1.16e-4, 0]
    row += [1.17e-4, 4, 2.16e-4, 4, 2.17e-4, 0, 2.21e-4, 0, 2.22e-4, 0.25, 2.31e-4, 0.25, 2.32e-4, 0]
    assert sources["Vr1"].startswith("0 pwl(") or sources["Vr1"].startswith("pwl(")
    found = [float(word) for word in sources["Vr1"].split("pwl(")[1].rstrip(")").split()]
    np.testing.assert_allclose(found, row, rtol=1e-12)
    assert "Vr0 sr0 0 0" in lines
    read = [float(word) for word in sources["Vc0"].split("pwl(")[1].rstrip(")").split()]
    np.testing.assert_allclose(read[0::2], row[0::2], rtol=1e-12)
    assert [value for value in read[1::2] if value] == [0.25, 0.25]
    assert ".tran 5e-06 0.000232 0 5e-06" in lines
    assert [len(line.split()) - 1 for line in lines if line.startswith(".save")] == [16, 4]
    assert "X1_0 m1_0 b1_0 hp1_0 hn1_0 sot_hallbar s0_1=0.125 s0_2=1 s0_3=0.5" in lines
    assert "X0_0 m0_0 b0_0 hp0_0 hn0_0 sot_hallbar s0_1=0.25 s0_2=0 s0_3=0.75" in lines
    assert ".options temp=26.85 reltol=0.0001" in lines


def test_nodes_of_cells() -> None:
    selected = np.array([[False, True, False], [False, False, False]])
    network = write_network(selected, WriteConfig(architecture="resistive"))  # type: ignore[arg-type]
    names = node_names(network)
    cells = [f"{row}_{column}" for row in (0, 1) for column in (0, 1, 2)]
    assert names == {
        key: [letter + at for at in cells] for key, letter in (("ip", "m"), ("in", "b"), ("line", "w"))
    }


def test_long_lines_of_devices_are_continued() -> None:
    line = CELL.switching((0, 1), ("a", "b"), np.arange(40) / 40)
    parts = line.split("\n+ ")
    assert len(parts) > 3
    assert all(85 < len(part) <= 100 for part in parts[:-1])
    assert " ".join(parts).split()[6:] == [f"s0_{k + 1}={k / 40:.15g}" for k in range(40)]


@pytest.mark.parametrize(
    ("form", "dialect", "compiled", "master", "letter"),
    [
        (DeviceForm.OSDI, ArrayDialect.NGSPICE, True, "mine", "N"),
        (DeviceForm.OSDI, ArrayDialect.SPECTRE, True, "sot_hallbar", "N"),
        (DeviceForm.SUBCKT, ArrayDialect.NGSPICE, False, "sot_hallbar", "X"),
        (DeviceForm.FROZEN, ArrayDialect.NGSPICE, False, "sot_hallbar_frozen", "X"),
    ],
)
def test_what_devices_are_called(
    form: DeviceForm, dialect: ArrayDialect, compiled: bool, master: str, letter: str
) -> None:
    devices = Devices(form=form, dialect=dialect, card="mine", ambient=350.0)
    assert (devices.compiled, devices.master) == (compiled, master)
    assert devices.element("1", ("a", "b", "c", "d"), {"s0": 0.5}).startswith(f"{letter}1 ")
    assert devices.definition() == ((".model mine sot_hallbar",) if master == "mine" else ())
    assert "temp=76.85" in devices.options("1e-3")
    assert devices.arms((2, 5)) == ("hp2_5", "hn2_5")
    vectors = devices.state_vector((2, 5), 3), devices.fraction_vector((2, 5))
    assert vectors == (("n2_5#d3", "@n2_5[mz]") if compiled else ("x2_5.d3", "v(x2_5.f)"))


def test_devices_of_a_write_deck() -> None:
    model = cell_model(load_card(), largest_error=0.1)
    inside = switching_devices(model, DeviceForm.SUBCKT, 320.0, date(2026, 1, 2))
    assert inside.text == subcircuit_text(model, Dialect.NGSPICE, date(2026, 1, 2))
    assert inside.definition() == ("", inside.text)
    assert inside.load() == ()
    module = switching_devices(model, DeviceForm.OSDI, 320.0, date(2026, 1, 2))
    assert (module.text, module.card, module.ambient) == ("", "sot_hallbar_cell", 320.0)


def test_cells_in_a_user_s_circuit() -> None:
    model = cell_model(load_card(), largest_error=0.1)
    cell = HallBarCell(model)
    lines = [line for line in subcircuit_text(model, Dialect.NGSPICE, date.min).splitlines() if line]
    begin = next(k for k, line in enumerate(lines) if line.startswith(".subckt"))
    inside = lines[begin + 1 : lines.index(".ends sot_hallbar")]
    head = next(k for k, line in enumerate(inside) if not line.startswith("+"))
    assert cell.raw_spice.splitlines() == inside[head:]
    circuit = SimpleNamespace(raw_spice="* mine\n")
    add_module_cell(circuit, "1", ("a", "b", "c", "d"), s0=0.3)
    add_module_cell(circuit, "2", ("e", "f", "g", "h"), s0=1 / 3, r=2.0)
    assert circuit.raw_spice.splitlines() == [
        "* mine",
        ".model hallbar sot_hallbar",
        "N1 a b c d hallbar s0=0.3",
        "N2 e f g h hallbar s0=0.333333333333333 r=2",
    ]


def test_wires_of_rows_in_series_are_measured() -> None:
    """As V and H; capacitors are written only where something can charge them."""
    config = ArrayConfig(architecture="active_series", r_row=0.5, r_column=0.25, c_row=1e-15, c_column=2e-15)
    network = crossbar(np.full((2, 3), 0.4), config)
    assert network.common_mode
    batch = batch_deck(network, np.array([[1e-3, 2e-3]])).splitlines()
    single = netlist(network, [1e-3, 2e-3], "one").splitlines()
    step = step_deck(network, np.array([1e-3, 2e-3]), 1e-9, 1e-6, []).splitlines()
    wires = np.flatnonzero(network.of_role(Role.WIRE))
    names = [network.branch_names[k] for k in wires.tolist()]
    resistors = [name for name in names if name.startswith("R")]
    capacitors = [name for name in names if name.startswith("C")]
    assert resistors
    assert capacitors
    for deck in (batch, single, step):
        first = [line.split()[0] for line in deck if line.strip()]
        assert all(first.count(f"V{name}") == first.count(f"H{name}") == 1 for name in resistors)
        assert not any(name in first for name in resistors)
        assert [name in first for name in capacitors] == [deck is not batch] * len(capacitors)


def test_all_outputs_nodes_are_saved_but_ground() -> None:
    build = NetworkBuilder()
    node = build.nodes("n", 11)
    build.voltage_sources("V", build.inputs("v", 1), node[0], 1.0, title="source")
    build.resistors("R", node[:-1], node[1:], 1.0, Role.CELL, title="cells")
    build.resistors("Rs", node[-1], GROUND, 1.0, Role.SENSE, title="sense")
    build.outputs("o", node[2:], GROUND, 1.0)
    network = build.network()
    lines = batch_deck(network, np.array([[1.0]])).splitlines()
    saved = [line.split()[1:] for line in lines if line.startswith(".save")]
    assert saved == [[f"v(n{k})" for k in range(2, 10)], ["v(n10)"]]
    assert not [
        line
        for line in batch_deck(network, np.array([[1.0]]), every_node=True).splitlines()
        if ".save" in line
    ]


def test_numbers_of_the_periphery() -> None:
    """0.42 pJ at 6 bit, 0.68 pJ at 8 bit; above, a factor of four a bit, below 4 bit nothing less."""
    card = load_periphery()
    assert card.adc.conversion_energy(6) == 4.2e-13
    assert card.adc.conversion_energy(11) == pytest.approx(64 * 6.8e-13, rel=1e-9, abs=0)
    assert card.adc.conversion_energy(1) == pytest.approx(3.7e-13, rel=1e-9, abs=0)
    assert card.amplifier.power == card.amplifier.i_bias.value * card.amplifier.v_supply.value > 0.0
    assert card.amplifier.v_supply.value != 1.0
    for one in (card, card.adc, load_select_mosfet()):
        with pytest.raises(ValidationError, match="frozen"):
            one.name = "other"  # type: ignore[union-attr]
