"""Netlists of arrays in each language: golden files that a person has read, and lines worked out by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from circuits.arrays.architecture import Architecture
from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar
from circuits.network import Network
from circuits.spice.devices import Devices
from circuits.spice.netlist import device_deck, netlist
from circuits.spice.words import WORDS
from circuits.write.circuit import write_network
from circuits.write.deck import Timing, write_deck
from circuits.write.scheme import WriteConfig
from circuits.write.select_mosfet import load_select_mosfet
from veriloga.dialects import ARRAY_FORMS, ArrayDialect, DeviceForm

DATA = Path(__file__).parents[1] / "data"
LEVELS = np.array([[0.33, 0.57]])
S0 = np.array([[0.25, 0.75]])
INPUT = [0.5]
FROZEN = Devices(form=DeviceForm.FROZEN)
XYCE = Devices(form=DeviceForm.SUBCKT, dialect=ArrayDialect.XYCE)
SPECTRE = Devices(form=DeviceForm.OSDI, dialect=ArrayDialect.SPECTRE)
INLINE = Devices(form=DeviceForm.SUBCKT, text=".subckt sot_hallbar ip in hp hn\n.ends sot_hallbar")


def tile(states: np.ndarray = LEVELS, architecture: str = "active_parallel") -> Network:
    config = ArrayConfig(architecture=Architecture(architecture), c_row=2e-15, r_row=0.02, r_column=0.03)
    return crossbar(states, config)


def written(
    devices: Devices, *, mosfet: bool = False, network: Network | None = None, printed: str = ""
) -> str:
    """Two pulses of 1 us into cell (0, 1) of a 1 x 2 array: 3.3 V, then 4.4 V."""
    selected = np.array([[False, True]])
    circuit = network or write_network(selected, WriteConfig(architecture=Architecture.RESISTIVE))
    return write_deck(
        circuit,
        np.array([[0.0, 0.5], [0.25, 1.5]]),
        np.array([[3.3, 0.0, 0.0], [4.4, 0.0, 0.0]]),
        np.zeros((2, 3)),
        Timing(t_pulse=1e-6),
        devices,
        saved=["v(w0_1)"],
        title="two pulses",
        switches=tuple(load_select_mosfet().lines(circuit, selected)) if mosfet else (),
        printed=printed,
    )


GOLDEN = {
    "array_plain.cir": lambda: netlist(tile(), INPUT, "a read", ("klu",)),
    "array_ngspice.cir": lambda: device_deck(
        tile(), INPUT, S0, Devices(form=DeviceForm.OSDI), "a read", ("klu",)
    ),
    "array_xyce.cir": lambda: device_deck(tile(), INPUT, S0, XYCE, "a read"),
    "array_spectre.scs": lambda: device_deck(tile(), INPUT, S0, SPECTRE, "a read"),
    "array_written.cir": lambda: written(INLINE, printed="v(x0_1.f)"),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_a_netlist_is_the_one_that_was_read(name: str) -> None:
    assert GOLDEN[name]() == (DATA / name).read_text()


@pytest.mark.parametrize(
    ("devices", "lines"),
    [
        (
            FROZEN,
            (
                ".include sot_hallbar_frozen.sub",
                ".options temp=26.85 reltol=1e-6",
                "X1 wp0_1 wn0_1 hp0_1 hn0_1 sot_hallbar_frozen s0=0.75",
                "Vinn0 sn0 0 -0.25",
                "Rwp0_1 wp0_0 wp0_1 0.02",
                "Cwn0_0 wn0_0 0 2e-15",
                "Gm0_1 0 b0_1 hp0_1 hn0_1 0.001",
                "let i1 = (v(o1))*1",
            ),
        ),
        (
            XYCE,
            (
                ".include sot_hallbar.sub",
                ".options device temp=26.85",
                "X1 wp0_1 wn0_1 hp0_1 hn0_1 sot_hallbar PARAMS: s0=0.75",
                "Vinn0 sn0 0 -0.25",
                "Gm0_1 0 b0_1 hp0_1 hn0_1 0.001",
                ".print dc {v(o0,0)*1} {v(o1,0)*1}",
            ),
        ),
        (
            SPECTRE,
            (
                'ahdl_include "sot_hallbar.va"',
                "options options temp=26.85 reltol=1e-6",
                "N1 (wp0_1 wn0_1 hp0_1 hn0_1) sot_hallbar s0=0.75",
                "Vinn0 (sn0 0) vsource dc=-0.25",
                "Rwp0_1 (wp0_0 wp0_1) resistor r=0.02",
                "Cwn0_0 (wn0_0 0) capacitor c=2e-15",
                "Gm0_1 (0 b0_1 hp0_1 hn0_1) vccs gm=0.001",
                "save o0 o1",
            ),
        ),
    ],
)
def test_lines_of_each_language(devices: Devices, lines: tuple[str, ...]) -> None:
    found = device_deck(tile(), INPUT, S0, devices, "a read").splitlines()
    for line in lines:
        assert found.count(line) == 1, line


def test_currents_flow_from_plus_to_minus_in_every_language() -> None:
    """Row 0 of a series array: its source takes from the end e0 and feeds the beginning s0."""
    for devices, line in ((FROZEN, "Iin0 e0 s0 0.001"), (SPECTRE, "Iin0 (e0 s0) isource dc=0.001")):
        deck = device_deck(tile(architecture="active_series"), [1e-3], S0, devices, "a read")
        assert line in deck.splitlines()


@pytest.mark.parametrize("devices", [FROZEN, XYCE, SPECTRE])
def test_devices_are_numbered_row_by_row(devices: Devices) -> None:
    s0 = np.arange(6).reshape(2, 3) / 10
    deck = device_deck(tile(np.full((2, 3), 0.4)), [0.5, 0.25], s0, devices, "a read")
    found = [line.replace("(", "").replace(")", "").split() for line in deck.splitlines() if "s0=" in line]
    for (row, column), words in zip(np.ndindex(2, 3), found, strict=True):
        at = f"{row}_{column}"
        assert words[0][1:] == str(3 * row + column)
        assert words[1:5] == [f"wp{at}", f"wn{at}", f"hp{at}", f"hn{at}"]
        assert words[-1] == f"s0={(3 * row + column) / 10:.15g}"


def test_pulses_are_written_as_worked_out_by_hand() -> None:
    deck = written(INLINE)
    # 10 ns edges, full until 1 us, 1 us to settle: the second pulse begins at 2.01 us
    corners = ("0 0", "1e-08 3.3", "1e-06 3.3", "1.01e-06 0", "2.01e-06 0")
    second = ("2.02e-06 4.4", "3.01e-06 4.4", "3.02e-06 0", "4.02e-06 0")
    assert "Vr0 sr0 0 pwl(" + "\n+ ".join((*corners, *second)) + ")\n" in deck
    lines = deck.splitlines()
    assert "Vc1 sc1 0 0" in lines
    assert "Rsel0_0 w0_0 m0_0 1000000000" in lines  # off
    assert "Rsel0_1 w0_1 m0_1 20" in lines
    assert "X0_1 m0_1 b0_1 hp0_1 hn0_1 sot_hallbar s0_1=0.25 s0_2=1" in lines  # 1.5 is no state
    assert ".tran 5e-08 4.02e-06 0 5e-08" in lines
    assert not any(line.startswith("Rcell") for line in lines)
    assert not any(line.startswith((".print", "pre_osdi")) for line in lines)


def test_a_select_transistor_stands_where_the_switch_was() -> None:
    lines = written(INLINE, mosfet=True).splitlines()
    assert not any(line.startswith("Rsel") for line in lines)
    found = [line.split()[:5] for line in lines if line.startswith("M")]
    assert found == [
        ["M0_0", "w0_0", "gate_off", "m0_0", "well"],
        ["M0_1", "w0_1", "gate_on", "m0_1", "well"],
    ]


def test_a_module_is_loaded_by_the_deck_that_ngspice_runs_alone() -> None:
    module = Devices(form=DeviceForm.OSDI, card="sot_hallbar_cell")
    lines = written(module, printed="@n0_1[mz]").splitlines()
    first = lines.index(".control")
    assert lines[first : first + 4] == [".control", "pre_osdi sot_hallbar.osdi", "set num_threads=1", ".endc"]
    assert "N0_1 m0_1 b0_1 hp0_1 hn0_1 sot_hallbar_cell s0_1=0.25 s0_2=1" in lines
    assert lines.count(".model sot_hallbar_cell sot_hallbar") == 1
    assert ".print tran @n0_1[mz]" in lines
    assert ".control" not in written(module).splitlines()


def _unnamed(deck: str) -> list[str]:
    """Lines without the names of elements."""
    return [
        line if line.startswith((".", "*", "+", "/")) else " ".join(line.split()[1:])
        for line in deck.splitlines()
    ]


def _renamed(network: Network) -> Network:
    blocks = [replace(b, prefix=f"{b.prefix[0]}q{k}x") for k, b in enumerate(network.branch_blocks)]
    return replace(network, branch_blocks=tuple(blocks))


@pytest.mark.parametrize("devices", [FROZEN, XYCE, SPECTRE])
@pytest.mark.parametrize("architecture", [a.value for a in Architecture if a.hall])
def test_devices_take_the_place_of_cells_whatever_these_are_called(
    devices: Devices, architecture: str
) -> None:
    ours = tile(architecture=architecture)
    decks = [device_deck(one, INPUT, S0, devices, "a read") for one in (ours, _renamed(ours))]
    assert "Rxp" not in decks[0]
    assert _unnamed(decks[0]) == _unnamed(decks[1])


@pytest.mark.parametrize("mosfet", [False, True])
def test_switches_are_found_whatever_they_are_called(mosfet: bool) -> None:
    selected = np.array([[False, True]])
    network = write_network(selected, WriteConfig(architecture=Architecture.RESISTIVE))
    decks = [written(INLINE, mosfet=mosfet, network=one) for one in (network, _renamed(network))]
    assert _unnamed(decks[0]) == _unnamed(decks[1])


def test_forms_that_a_language_lacks_are_refused() -> None:
    with pytest.raises(ValueError, match=r"osdi can't be written for xyce, allowed: frozen, subckt"):
        Devices(form=DeviceForm.OSDI, dialect=ArrayDialect.XYCE)


def test_every_language_has_its_words_and_forms() -> None:
    assert list(ArrayDialect) == list(ARRAY_FORMS) == list(WORDS)
