from typing import Any

import numpy as np
import pytest

from circuits.arrays.architecture import Architecture
from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar
from circuits.builder import NetworkBuilder
from circuits.network import GROUND, BranchKind, Network, Role
from circuits.solve.block_lu import SingularNetworkError
from circuits.solve.nodal import Factored, factor


def ladder(ohms: list[float]) -> Network:
    """Voltage source, resistors in series, one ohm to ground at the end."""
    build = NetworkBuilder()
    node = build.nodes("n", len(ohms) + 1)
    build.voltage_sources("Vin", build.inputs("v", 1), node[0], 1.0, title="source")
    build.resistors("R", node[:-1], node[1:], ohms, Role.WIRE, title="series resistors")
    build.resistors("Rs", node[-1], GROUND, 1.0, Role.SENSE, title="sense")
    build.outputs("i", node[-1], GROUND, 1.0)
    return build.network()


def test_names_follow_the_grid() -> None:
    build = NetworkBuilder()
    node = build.nodes("w", 2, 2)
    build.voltage_sources("Vin", build.inputs("v", 2), node[:, 0], 1.0, title="sources")
    build.resistors("Rw", node[:, :1], node[:, 1:], 1.0, Role.WIRE, title="wire")
    build.outputs("i", node[:, 1], GROUND, 1.0)
    network = build.network()
    assert network.node_names == ("w0_0", "w0_1", "w1_0", "w1_1")
    assert network.branch_names == ("Vin0", "Vin1", "Rw0_0", "Rw1_0")
    assert network.input_names == ("v0", "v1")
    assert network.output_names == ("i0", "i1")


def test_zero_ohms_merge_nodes_into_the_first_of_them() -> None:
    network = ladder([2.0, 0.0, 0.0, 3.0])
    assert network.node_names == ("n0", "n1", "n4")
    assert network.branch_names == ("Vin0", "R0", "R3", "Rs")
    assert factor(network).transfer() == pytest.approx(1 / 6, rel=1e-14)


def test_zero_ohms_to_ground_ground_a_node() -> None:
    build = NetworkBuilder()
    node = build.nodes("n", 3)
    build.voltage_sources("Vin", build.inputs("v", 1), node[0], 1.0, title="source")
    build.resistors("Ra", node[:2], node[1:], [4.0, 4.0], Role.CELL, title="cells")
    build.resistors("Rz", node[1], GROUND, 0.0, Role.WIRE, title="short")
    build.outputs("v", node[0], node[1], 1.0)
    network = build.network()
    assert network.node_names == ("n0", "n2")
    assert network.minus[network.kind == BranchKind.RESISTOR].tolist() == [GROUND, 1]
    assert factor(network).transfer() == pytest.approx(1.0)


def test_sources_joined_by_wires_of_no_resistance_are_refused() -> None:
    build = NetworkBuilder()
    node = build.nodes("n", 2)
    build.voltage_sources("Vin", build.inputs("v", 2), node, 1.0, title="sources")
    build.resistors("R", node[0], node[1], 0.0, Role.WIRE, title="wire")
    build.outputs("v", node[0], GROUND, 1.0)
    with pytest.raises(ValueError, match="0 Ohm join two voltage sources"):
        build.network()


@pytest.mark.parametrize("ohm", [-1.0, np.nan, np.inf])
def test_a_resistance_out_of_range_is_named(ohm: float) -> None:
    with pytest.raises(ValueError, match=r"series resistors = .* Ohm, allowed: 0 <= value"):
        ladder([1.0, ohm])


@pytest.mark.parametrize("inputs", [[1.0], [[1.0, 2.0]], [[np.nan]]])
def test_wrong_inputs_are_refused(inputs: list[float]) -> None:
    with pytest.raises(ValueError, match="inputs"):
        factor(ladder([1.0])).solve(inputs)


def test_floating_nodes_are_named() -> None:
    build = NetworkBuilder()
    node = build.nodes("n", 4)
    build.voltage_sources("Vin", build.inputs("v", 1), node[0], 1.0, title="source")
    build.resistors("Ra", node[0], node[1], 1.0, Role.CELL, title="cell")
    build.resistors("Rb", node[2], node[3], 1.0, Role.CELL, title="island")
    build.outputs("v", node[3], GROUND, 1.0)
    with pytest.raises(SingularNetworkError, match="n2, n3"):
        factor(build.network())


def test_contradicting_equations_are_an_error_not_a_nan() -> None:
    build = NetworkBuilder()
    node = build.nodes("n", 1)
    build.current_sources("Iin", build.inputs("i", 1), GROUND, node, 1.0, title="source")
    build.resistors("Ra", node, GROUND, 1.0, Role.CELL, title="cell")
    build.vccs("Gn", (GROUND, node, node, GROUND), 1.0, Role.CELL, title="minus one siemens")
    build.outputs("v", node, GROUND, 1.0)
    with pytest.raises(SingularNetworkError, match="no unique solution"):
        factor(build.network())


@pytest.mark.parametrize(
    ("architecture", "unit"), [(Architecture.RESISTIVE, "V"), (Architecture.ACTIVE_SERIES, "A")]
)
def test_a_wrong_input_is_named_with_its_unit(architecture: Architecture, unit: str) -> None:
    network = crossbar([[0.4]], ArrayConfig(architecture=architecture))
    with pytest.raises(ValueError, match=rf"inputs\[0, 0\] = inf {unit}, allowed"):
        network.checked_inputs([[np.inf]])


@pytest.mark.parametrize("shape", [(3, 7), (7, 3), (70, 40)])
@pytest.mark.parametrize("count", [1, 2, 39, 200])
def test_outputs_alone_are_those_of_a_solution_and_hold_no_voltages(
    shape: tuple[int, int], count: int
) -> None:
    random = np.random.default_rng(count)
    states, vectors = random.uniform(0.34, 0.56, shape), random.uniform(-0.5, 0.5, (count, shape[0]))
    network = crossbar(states, ArrayConfig(architecture="passive_parallel", r_row=0.1))
    factored = factor(network)
    outputs = factored.outputs(vectors)
    expected = factor(network).solve(vectors).outputs
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-12 * np.abs(expected).max())
    assert not {"response", "adjoint_response"} & vars(factored).keys()


def test_as_few_right_hand_sides_as_can_be_are_solved(monkeypatch: pytest.MonkeyPatch) -> None:
    solved: list[int] = []
    solve = Factored._voltages

    def counted(self: Factored, right: Any, *arguments: Any, **options: Any) -> Any:
        solved.append(right.shape[1])
        return solve(self, right, *arguments, **options)

    monkeypatch.setattr(Factored, "_voltages", counted)
    for shape, count, wanted in [
        ((3, 7), 50, 3),
        ((7, 3), 50, 3),
        ((7, 3), 5, 3),
        ((3, 7), 5, 3),
        ((7, 3), 2, 2),
        ((3, 7), 2, 2),
    ]:
        solved.clear()
        network = crossbar(np.full(shape, 0.4), ArrayConfig(architecture="series_hall"))
        factor(network).outputs(np.full((count, shape[0]), 1e-3))
        assert sum(solved) == wanted
