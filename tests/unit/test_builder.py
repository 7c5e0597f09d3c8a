"""The branch table that a builder makes, and what a network answers about itself, on small circuits by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from circuits.builder import NetworkBuilder
from circuits.network import GROUND, BranchKind, Network, Role


def circuit(ohm: Any = ((1.0, 0.0, 2.0), (3.0, 4.0, 5.0))) -> Network:
    """Two rows of three nodes: wires along the rows, cells to a bus, an amplifier, a capacitor, sources."""
    build = NetworkBuilder()
    bus, grid = build.nodes("bus", 1), build.nodes("w", 2, 3)
    drive = build.inputs("v", 2)
    build.voltage_sources("V", drive, grid[:, 0], [2.0, -3.0], title="sources")
    build.resistors("Rw", grid[:, :-1], grid[:, 1:], [[1.0, 0.0], [2.0, 3.0]], Role.WIRE, title="wires")
    build.resistors("Rc", grid, bus, ohm, Role.CELL, title="cells")
    build.vccs("G", (GROUND, bus, grid[1, 2], grid[0, 1]), 0.5, Role.AMPLIFIER, title="amplifier")
    build.capacitors("C", bus, GROUND, 1e-12, Role.WIRE, title="coupling")
    build.current_sources("I", build.inputs("i", 1), bus, grid[1, 1], 4.0, title="current")
    build.resistors("Rs", bus, GROUND, 6.0, Role.SENSE, title="sense")
    build.outputs("o", grid[1], bus, [1.0, 2.0, 3.0])
    build.outputs("p", GROUND, bus, -1.0)
    build.probe("channel", grid, bus)
    return build.network()


def test_the_table_of_a_small_circuit() -> None:
    """Two of the seven nodes on either side of a wire of 0 Ohm are one, and so are those of a cell of 0 Ohm."""
    network = circuit()
    # bus, w0_0, w0_1 = w0_2, w1_0, w1_1, w1_2; the cell of 0 Ohm lies between w0_1 and the bus
    assert network.node_names == ("bus0", "w0_0", "w1_0", "w1_1", "w1_2")
    assert network.branch_names == (
        *(
            "V0",
            "V1",
            "Rw0_0",
            "Rw1_0",
            "Rw1_1",
            "Rc0_0",
            "Rc0_2",
            "Rc1_0",
            "Rc1_1",
            "Rc1_2",
            "G0",
            "C0",
            "I0",
            "Rs0",
        ),
    )
    kinds = [BranchKind.VOLTAGE] * 2 + [BranchKind.RESISTOR] * 8
    kinds += [BranchKind.VCCS, BranchKind.CAPACITOR, BranchKind.CURRENT, BranchKind.RESISTOR]
    assert network.kind.tolist() == kinds
    assert network.plus.tolist() == [1, 2, 1, 2, 3, 1, 0, 2, 3, 4, -1, 0, 0, 0]
    assert network.minus.tolist() == [-1, -1, 0, 3, 4, 0, 0, 0, 0, 0, 0, -1, 3, -1]
    assert network.value.tolist() == [0, 0, 1, 2, 3, 1, 2, 3, 4, 5, 0.5, 1e-12, 0, 6]
    assert [array[10] for array in (network.control_plus, network.control_minus)] == [4, 0]
    assert set(np.delete(network.control_plus, 10)) == set(np.delete(network.control_minus, 10)) == {GROUND}
    assert (network.n_nodes, network.n_inputs, network.n_outputs, network.common_mode) == (5, 3, 4, True)
    assert network.drive_source.tolist() == [0, 1, 12]
    assert network.drive_input.tolist() == [0, 1, 2]
    assert network.drive_coefficient.tolist() == [2, -3, 4]
    assert network.output_plus.tolist() == [2, 3, 4, -1]
    assert network.output_minus.tolist() == [0, 0, 0, 0]
    assert network.output_scale.tolist() == [1, 2, 3, -1]
    assert (network.input_names, network.output_names) == (("v0", "v1", "i0"), ("o0", "o1", "o2", "p0"))
    assert network.block_of.tolist() == [0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 3, 4, 5, 6]
    assert np.flatnonzero(network.of_role(Role.WIRE)).tolist() == [2, 3, 4, 11]
    assert np.flatnonzero(network.of_role(Role.DRIVER)).tolist() == [0, 1, 12]
    assert np.flatnonzero(network.of_role(Role.SENSE)).tolist() == [13]
    assert not network.of_role(Role.SWITCH).any()
    assert network.places.tolist() == [[-1, 0, 1, 1, 1], [-1, 0, 0, 1, 2]]


def test_voltages_that_are_read_out() -> None:
    network = circuit()
    voltages = np.array([[1.0, 2.0, 4.0, 8.0, 16.0], [0.5, 0.25, 0.0, -1.0, -2.0]])
    assert network.read_out(voltages).tolist() == [[3.0, 14.0, 45.0, 1.0], [-0.5, -3.0, -7.5, 0.5]]
    found = network.probed("channel", voltages)
    assert found.tolist() == [[[1.0, 0.0, 0.0], [3.0, 7.0, 15.0]], [[-0.25, 0.0, 0.0], [-0.5, -1.5, -2.5]]]
    values = network.source_values(np.array([[1.0, 10.0, 100.0], [2.0, 0.0, -1.0]]))
    assert values.shape == (2, 14)
    assert values[:, [0, 1, 12]].tolist() == [[2.0, -30.0, 400.0], [4.0, 0.0, -4.0]]
    assert not np.delete(values, [0, 1, 12], axis=1).any()


def test_probes_of_ground_and_sources_of_the_same_node() -> None:
    build = NetworkBuilder()
    node = build.nodes("n", 1, 2)
    one = build.inputs("i", 1)
    build.current_sources("I", one, GROUND, node, [[1.0, 3.0]], title="sources")
    build.resistors("R", node, GROUND, 1.0, Role.CELL, title="cells")
    build.outputs("o", node[0, 1], GROUND, 1.0)
    build.probe("channel", node, GROUND)
    network = build.network()
    assert network.probed("channel", np.array([[5.0, 7.0]])).tolist() == [[[5.0, 7.0]]]
    assert network.source_values(np.array([[2.0]])).tolist() == [[2.0, 6.0, 0.0, 0.0]]
    assert network.plus.tolist() == [-1, -1, 0, 1]
    assert network.minus.tolist() == [0, 1, -1, -1]
    assert (network.branch_names, network.output_names) == (("I0_0", "I0_1", "R0_0", "R0_1"), ("o",))


@pytest.mark.parametrize("value", [-1e-15, np.inf, np.nan])
@pytest.mark.parametrize(("element", "unit"), [("resistors", "Ohm"), ("capacitors", "F")])
def test_values_out_of_range(element: str, unit: str, value: float) -> None:
    build = NetworkBuilder()
    node = build.nodes("n", 2)
    with pytest.raises(ValueError, match=rf"things = {value} {unit}, allowed: 0 <= value < inf"):
        getattr(build, element)("X", node, GROUND, [0.0, value], Role.WIRE, title="things")
    getattr(build, element)("X", node, GROUND, [0.0, 1.0], Role.WIRE, title="things")


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_transconductance_is_finite(value: float) -> None:
    build = NetworkBuilder()
    node = build.nodes("n", 2)
    with pytest.raises(ValueError, match=rf"amplifiers = {value} S, allowed: any finite number"):
        build.vccs("G", (node, GROUND, node, GROUND), [-1.0, value], Role.AMPLIFIER, title="amplifiers")


def test_a_source_that_is_shorted() -> None:
    build = NetworkBuilder()
    node = build.nodes("n", 2)
    build.voltage_sources("V", build.inputs("v", 1), node[0], 1.0, title="source")
    build.resistors("R", node, GROUND, [0.0, 1.0], Role.WIRE, title="wire")
    build.outputs("o", node[1], GROUND, 1.0)
    with pytest.raises(ValueError, match="a voltage source is shorted to ground"):
        build.network()


@pytest.mark.parametrize("inputs", [[[1.0, 2.0]], [1.0, 2.0, 3.0], [[[1.0, 2.0, 3.0]]]])
def test_inputs_of_another_shape(inputs: Any) -> None:
    with pytest.raises(ValueError, match=r"inputs have shape .*, expected \(batch, 3\)"):
        circuit().checked_inputs(inputs)


def test_the_first_wrong_input_is_named() -> None:
    network = circuit()
    with pytest.raises(ValueError, match=r"inputs\[1, 2\] = nan A, allowed: any finite number"):
        network.checked_inputs([[1.0, 2.0, 3.0], [1.0, 2.0, np.nan], [np.inf, 0.0, 0.0]])
    assert network.checked_inputs([[1, 2, 3]]).dtype == float
