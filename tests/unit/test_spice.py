import numpy as np
import pytest

from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar
from circuits.builder import NetworkBuilder
from circuits.network import GROUND, Role
from circuits.spice.netlist import batch_deck, netlist

PARALLEL = ArrayConfig(architecture="active_parallel")
RESISTIVE = ArrayConfig(architecture="resistive", r_row=1 / 3)


def test_the_netlist_reads_like_one() -> None:
    deck = netlist(crossbar([[1e4, 2e4]], RESISTIVE), [0.2], "two\ncells").splitlines()
    assert deck[0] == "* two cells"
    assert "* cells [Ohm]" in deck
    assert "Rcell0_1 w0_1 b0_1 20000" in deck
    assert "Rw0_0 d0 w0_0 0.333333333333333" in deck
    assert "let i1 = (v(o1)) * 1" in deck
    assert deck[-1] == ".end"
    assert not [line for line in deck if len(line) > 120]


def test_hall_cells_are_four_resistors_and_two_controlled_sources() -> None:
    deck = netlist(crossbar([[0.45]], PARALLEL), [0.5], "one Hall cell")
    elements = [line.split()[0] for line in deck.splitlines() if line.startswith(("R", "G", "V"))]
    assert elements == [
        *("Vinp0", "Rdrvp0", "Rwp0_0", "Vinn0", "Rdrvn0", "Rwn0_0"),
        *("Rxp0_0", "Rxn0_0", "Rhp0_0", "Rhn0_0", "Gx0_0", "Gh0_0", "Rb0_0", "Rsns0"),
        *("Gm0_0", "Gcp0_0", "Gcn0_0"),
    ]
    assert "Vinn0 sn0 0 -0.25" in deck


def test_capacitors_and_differential_outputs_are_written() -> None:
    build = NetworkBuilder()
    node = build.nodes("n", 2)
    build.current_sources("Iin", build.inputs("i", 1), GROUND, node[0], 2.0, title="source")
    build.resistors("R", node, GROUND, [1.0, 2.0], Role.CELL, title="loads")
    build.capacitors("C", node[0], node[1], 1e-12, Role.WIRE, title="coupling [F]")
    build.outputs("d", node[0], node[1], 0.5)
    build.outputs("e", GROUND, node[1], 1.0)
    deck = netlist(build.network(), [1e-3], "capacitor")
    assert "C n0 n1 1e-12" in deck
    assert "Iin0 0 n0 0.002" in deck
    assert "let d = (v(n0) - v(n1)) * 0.5" in deck
    assert "let e = (-v(n1)) * 1" in deck


def test_a_batch_holds_one_input_vector_after_the_other() -> None:
    inputs = np.arange(20.0).reshape(10, 2)
    deck = batch_deck(crossbar([[1e4], [2e4]], RESISTIVE), inputs, options=("klu",))
    assert ".tran 1 9.75 0 1" in deck
    assert ".options klu" in deck
    assert ".save v(o0)" in deck
    joined = deck.replace("\n+ ", " ")
    assert "Vin1 s1 0 pwl(0 1 0.75 1 1 3 1.75 3 2 5 2.75 5" in joined


@pytest.mark.parametrize("inputs", [[0.1, 0.2], [np.inf]])
def test_inputs_that_do_not_fit_are_refused(inputs: list[float]) -> None:
    with pytest.raises(ValueError, match="inputs"):
        netlist(crossbar([[1e4]], RESISTIVE), inputs, "wrong")
