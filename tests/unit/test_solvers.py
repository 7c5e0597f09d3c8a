"""Solvers against dense matrices that are written down, part by part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from circuits.arrays.architecture import Architecture
from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar
from circuits.arrays.mismatch import no_mismatch
from circuits.builder import NetworkBuilder
from circuits.network import GROUND, BranchKind, Network, Role
from circuits.solve import grid
from circuits.solve.block_lu import BlockLu, SingularNetworkError, _depths
from circuits.solve.branches import (
    branch_currents,
    branches_of,
    coupled_parts,
    drive,
    incidence,
    nodal_matrix,
    output_matrix,
)
from circuits.solve.dissection import elimination_rank
from circuits.solve.grid import block_tridiagonal, hierarchical_merge
from circuits.solve.nodal import Factored, _chunks, _largest, factor
from circuits.solve.tensor import transfer_tensor
from circuits.solve.transfer import Method, choose_method, transfers
from compact_model.numeric import Floats

# --- a network of every kind of branch ---


def mixed() -> Network:
    """Nodes s (driven), a, b, c; inputs u [V], v [A], w [A]; outputs 3 (a - b), c, and s - c halved.

    2 ohm s-a, 4 ohm a-b, 5 ohm b-0, 8 ohm 0-c, 10 ohm c-b; 0.3 S from a to c driven by b - 0; 0.7 S from 0 to b driven
    by s - a; 2 u at s; -v from a to b and 3 v from b to ground in one; w from ground into c, and v into s.
    """
    build = NetworkBuilder()
    s, a, b, c = build.nodes("s", 1), build.nodes("a", 1), build.nodes("b", 1), build.nodes("c", 1)
    u, v, w = build.inputs("u", 1), build.inputs("v", 1), build.inputs("w", 1)
    build.voltage_sources("Vu", u, s, 2.0, title="volts")
    build.resistors("Rsa", s, a, 2.0, Role.DRIVER, title="driver")
    build.resistors("Rab", a, b, 4.0, Role.CELL, title="cell")
    build.capacitors("Cab", a, b, 9.0, Role.WIRE, title="open")
    build.resistors("Rb0", b, GROUND, 5.0, Role.SENSE, title="sense")
    build.resistors("R0c", GROUND, c, 8.0, Role.SENSE, title="sense")
    build.resistors("Rcb", c, b, 10.0, Role.CELL, title="cell")
    build.vccs("Gac", (a, c, b, GROUND), 0.3, Role.AMPLIFIER, title="amplifier")
    build.vccs("G0b", (GROUND, b, s, a), 0.7, Role.AMPLIFIER, title="amplifier")
    build.current_sources("Iv", v, a, b, -1.0, title="amperes")
    build.current_sources("Iw", w, GROUND, c, 3.0, title="amperes")
    build.current_sources("Is", v, GROUND, s, 1.0, title="amperes")
    build.outputs("x", a, b, 3.0)
    build.outputs("y", c, GROUND, 1.0)
    build.outputs("z", s, c, 0.5)
    return build.network()


# rows: s, a, b, c; currents that leave, per volt
MATRIX = np.array(
    [
        [0.5, -0.5, 0.0, 0.0],
        [-0.5, 0.75, -0.25 + 0.3, 0.0],
        [-0.7, -0.25 + 0.7, 0.25 + 0.2 + 0.1, -0.1],
        [0.0, 0.0, -0.1 - 0.3, 0.1 + 0.125],
    ]
)
# currents into a, b, c of u, v, w: -1 v from a to b is v out of b and into a
FED = np.array([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 3.0]])
READ = np.array([[0.0, 3.0, -3.0, 0.0], [0.0, 0.0, 0.0, 1.0], [0.5, 0.0, 0.0, -0.5]])


def dense_response() -> Floats:
    known = np.array([[2.0, 0.0, 0.0]])
    rest = np.linalg.solve(MATRIX[1:, 1:], FED - MATRIX[1:, :1] @ known)
    return np.concatenate([known, rest])


BATCHES = [np.array([[1.0, -2.0, 0.5]])[:1], np.random.default_rng(0).normal(size=(3, 3)),
           np.random.default_rng(1).normal(size=(5, 3)), np.random.default_rng(2).normal(size=(2, 3))]  # fmt: skip


def test_matrices_of_a_mixed_network() -> None:
    network = mixed()
    np.testing.assert_allclose(nodal_matrix(network).toarray(), MATRIX, atol=1e-15)
    np.testing.assert_allclose(output_matrix(network).toarray(), READ)
    sources = {"Vu0": [2, 0, 0], "Iv0": [0, -1, 0], "Iw0": [0, 0, 3], "Is0": [0, 1, 0]}
    expected = [sources.get(name, [0, 0, 0]) for name in network.branch_names]
    assert drive(network).toarray().tolist() == expected
    ends = {"Iv0": [0, 1, -1, 0], "Iw0": [0, 0, 0, -1], "Is0": [-1, 0, 0, 0]}
    expected = [ends.get(name, [0, 0, 0, 0]) for name in network.branch_names]
    assert incidence(network, BranchKind.CURRENT).toarray().tolist() == expected
    cells = branches_of(network, network.of_role(Role.CELL))
    np.testing.assert_allclose(cells.conductance, [0.25, 0.1])
    assert cells.across.toarray().tolist() == [[0, 1, -1, 0], [0, 0, -1, 1]]
    np.testing.assert_allclose(cells.currents(np.array([[9.0], [5.0], [1.0], [3.0]])), [[1.0], [0.2]])
    np.testing.assert_allclose(cells.sums(np.array([[1.0], [0.2]])), [[0.0], [1.0], [-1.2], [0.2]])
    np.testing.assert_allclose(cells.flows(np.array([[1.0], [-0.2]])), [[0.0], [1.0], [1.2], [0.2]])
    amplifiers = branches_of(network, network.of_role(Role.AMPLIFIER))
    assert amplifiers.across.toarray().tolist() == [[0, 1, 0, -1], [0, 0, -1, 0]]
    assert amplifiers.control.toarray().tolist() == [[0, 0, 1, 0], [1, -1, 0, 0]]
    turned = branches_of(network).transposed().matrix().toarray()
    np.testing.assert_allclose(turned, MATRIX.T, atol=1e-15)


def test_nodes_that_act_on_each_other_are_counted_together() -> None:
    """All four act on each other; an amplifier alone joins in one direction only."""
    assert sorted(coupled_parts(mixed()).tolist()) == [4]
    build = NetworkBuilder()
    node = build.nodes("n", 5)
    build.current_sources("I", build.inputs("i", 1), GROUND, node[0], 1.0, title="amperes")
    build.resistors("Rg", node, GROUND, 1.0, Role.CELL, title="to ground")
    build.resistors("Ra", node[:2], node[1:3], 1.0, Role.CELL, title="first three")
    build.resistors("Rb", node[3], node[4], 1.0, Role.CELL, title="last two")
    build.vccs("G", (GROUND, node[3], node[0], GROUND), 1.0, Role.CELL, title="from one to the other")
    build.outputs("v", node[4], GROUND, 1.0)
    assert sorted(coupled_parts(build.network()).tolist()) == [2, 3]


@pytest.mark.parametrize("batch", BATCHES, ids=len)
def test_solutions_of_a_mixed_network(batch: Floats) -> None:
    """Fewer, as many, and more vectors than inputs."""
    network = mixed()
    solution = factor(network).solve(batch)
    voltages = (dense_response() @ batch.T).T
    np.testing.assert_allclose(solution.node_voltages, voltages, rtol=1e-11)
    np.testing.assert_allclose(solution.outputs, voltages @ READ.T, rtol=1e-11)
    s, a, b, c = voltages.T
    power = {
        Role.DRIVER: (s - a) ** 2 / 2,
        Role.CELL: (a - b) ** 2 / 4 + (c - b) ** 2 / 10,
        Role.SENSE: b**2 / 5 + c**2 / 8,
        Role.AMPLIFIER: 0.3 * b * (a - c) - 0.7 * (s - a) * b,
        Role.WIRE: 0 * s,
        Role.SWITCH: 0 * s,
    }
    for role, expected in power.items():
        np.testing.assert_allclose(solution.power[role], expected, rtol=1e-10, atol=1e-12)
    # every branch alike takes up what the sources deliver
    np.testing.assert_allclose(solution.source_power, sum(power.values()), rtol=1e-10)
    np.testing.assert_allclose(factor(network).outputs(batch), voltages @ READ.T, rtol=1e-11)


@pytest.mark.parametrize("batch", BATCHES, ids=len)
def test_currents_of_a_mixed_network(batch: Floats) -> None:
    network = mixed()
    s, a, b, c = dense_response() @ batch.T
    u, v, w = batch.T
    into_s = (s - a) / 2  # what leaves s through the resistor, less v that comes in
    expected = {
        "Rsa0": (s - a) / 2, "Rab0": (a - b) / 4, "Rb00": b / 5, "R0c0": -c / 8, "Rcb0": (c - b) / 10,
        "Gac0": 0.3 * b, "G0b0": 0.7 * (s - a), "Iv0": -v, "Iw0": 3 * w, "Is0": v, "Cab0": 0 * u,
        "Vu0": -(into_s - v),
    }  # fmt: skip
    voltages, found = factor(network).voltages_and_currents(batch)
    np.testing.assert_allclose(voltages.T, [s, a, b, c], rtol=1e-11)
    by_law = branch_currents(network, np.stack([s, a, b, c], axis=1), batch)
    for name, values in expected.items():
        k = network.branch_names.index(name)
        np.testing.assert_allclose(found[:, k], values, rtol=1e-10, atol=1e-13, err_msg=name)
        np.testing.assert_allclose(by_law[:, k], values, rtol=1e-10, atol=1e-13, err_msg=name)
    np.testing.assert_array_equal(factor(network).currents(batch), found)


def test_responses_of_a_mixed_network_in_both_directions() -> None:
    network = mixed()
    factored = factor(network)
    response = dense_response()
    np.testing.assert_allclose(factor(network).transfer(), READ @ response, rtol=1e-11)
    np.testing.assert_allclose(factored.response, response, rtol=1e-11)
    np.testing.assert_allclose(factored.transfer(), READ @ response, rtol=1e-11)
    adjoint = np.linalg.solve(MATRIX[1:, 1:].T, READ[:, 1:].T)
    np.testing.assert_allclose(factored.adjoint_response[1:], adjoint, rtol=1e-11)
    assert (factored.adjoint_response[0] == 0).all()
    forms = factored.power_forms()
    s, a, b, c = response
    cell = np.outer(a - b, a - b) / 4 + np.outer(c - b, c - b) / 10
    np.testing.assert_allclose(forms[Role.CELL], cell, rtol=1e-10, atol=1e-12)
    lopsided = 0.3 * np.outer(a - c, b) - 0.7 * np.outer(b, s - a)
    np.testing.assert_allclose(forms[Role.AMPLIFIER], (lopsided + lopsided.T) / 2, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("shape", [(3, 2), (2, 3)])
@pytest.mark.parametrize("architecture", [Architecture.RESISTIVE, Architecture.ACTIVE_SERIES])
def test_transfer_by_rows_or_by_columns(architecture: Architecture, shape: tuple[int, int]) -> None:
    """More inputs than outputs go by the transposed network; outputs of driven nodes come with them."""
    states = np.random.default_rng(0).uniform(20.0, 60.0, shape)
    factored = factor(crossbar(states, ArrayConfig(architecture=architecture, r_row=1.0, r_column=2.0)))
    found = factored.transfer()
    assert "response" not in vars(factored)
    np.testing.assert_allclose(found, factored.solve(np.eye(shape[0])).outputs.T, rtol=1e-9)
    build = NetworkBuilder()
    node = build.nodes("n", 3)
    build.voltage_sources("V", build.inputs("v", 3), node, [1.0, 2.0, 3.0], title="volts")
    build.resistors("R", node[:2], node[1:], 1.0, Role.CELL, title="cells")
    build.outputs("d", node[2], node[0], 5.0)
    np.testing.assert_allclose(factor(build.network()).transfer(), [[-5.0, 0.0, 15.0]])


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 64, 65])
def test_chunks_cover_a_range_once_and_in_order(count: int) -> None:
    parts = [list(range(count))[part] for part in _chunks(count)]
    assert [number for part in parts for number in part] == list(range(count))
    assert all(0 < len(part) <= 32 for part in parts)
    assert len(parts) == -(-count // 32)


def island(floating: int) -> Network:
    build = NetworkBuilder()
    node, other = build.nodes("n", 2), build.nodes("m", floating)
    build.voltage_sources("V", build.inputs("v", 1), node[0], 1.0, title="volts")
    build.resistors("R", node[0], node[1], 1.0, Role.CELL, title="cell")
    build.vccs("G", (GROUND, other, node[0], GROUND), 1.0, Role.CELL, title="drives")
    build.capacitors("C", other, GROUND, 1.0, Role.CELL, title="open")
    build.outputs("v", other, GROUND, 1.0)
    return build.network()


@pytest.mark.parametrize(
    ("floating", "told"),
    [(1, "m0$"), (3, "m0, m1, m2$"), (4, "m0, m1, m2 and 1 more$"), (6, "m2 and 3 more$")],
)
def test_floating_nodes_three_by_name_and_the_number_of_others(floating: int, told: str) -> None:
    """Capacitors and controlled sources hold no node."""
    with pytest.raises(SingularNetworkError, match=rf"a voltage source: {told}" if floating < 5 else told):
        factor(island(floating))


def test_corrections_are_made_where_they_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """None beside ten ohms; with currents two of them, always."""
    solved: list[int] = []
    missing = Factored._missing

    def counted(self: Factored, residual: Floats, transposed: bool) -> Floats:
        solved.append(residual.shape[1])
        return missing(self, residual, transposed)

    monkeypatch.setattr(Factored, "_missing", counted)
    factored = factor(mixed())
    factored.solve(np.ones((2, 3)))
    assert solved == [1]  # the check alone, on one combination
    solved.clear()
    factored.currents(np.ones((2, 3)))
    assert solved == [1, 2, 2]
    solved.clear()
    assert factored.response.shape == (4, 3)
    assert factored.adjoint_response.shape == (4, 3)
    assert solved == [1, 1]


def grounded(siemens: list[float]) -> Factored:
    """Nodes to ground, each fed by an input; the last is read."""
    build = NetworkBuilder()
    node = build.nodes("n", len(siemens))
    build.current_sources("I", build.inputs("i", len(siemens)), GROUND, node, 1.0, title="amperes")
    build.resistors("R", node, GROUND, 1 / np.array(siemens), Role.CELL, title="to ground")
    build.outputs("v", node[-1], GROUND, 1.0)
    return factor(build.network())


def corrections_by(share: float, missing: float, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many a solver takes that finds a share of what is missing of 1 V at 1 S each time."""
    factored = grounded([1.0])
    monkeypatch.setattr(factored, "_missing", lambda residual, _: share * residual)
    one = np.ones((1, 1))
    return factored._corrections((1 - missing) * one, one, one, factored.branches_of, False)


@pytest.mark.parametrize(
    ("share", "missing", "steps"),
    [
        (0.5, 1.8e-10, 0),  # 0.9e-10 does not show
        (0.5, 3e-10, 8),  # 1.5e-10 shows; 1.5e-10 / 2^8 is below 1e-12
        (0.5, 1.9e-8, 14),  # nearly 1e-8 of the 2 A of an equation
        (0.25, 1e-8, 28),  # 2.5e-9 0.75^28
        (1.0, 1e-9, 1),
    ],
)
def test_corrections_that_a_slow_solver_takes(
    share: float, missing: float, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert corrections_by(share, missing, monkeypatch) == steps


@pytest.mark.parametrize(("share", "missing"), [(0.5, 2.1e-8), (0.5, -2.1e-8), (0.2, 1e-8), (0.0, np.nan)])
def test_a_solver_beyond_correction_is_an_error(
    share: float, missing: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than 1e-8 of an equation is missing, or 34 corrections would be needed."""
    with pytest.raises(SingularNetworkError, match="no accurate solution"):
        corrections_by(share, missing, monkeypatch)


@pytest.mark.parametrize(
    ("rounding", "sizes", "steps"),
    [
        (0, [1e-9, 0.4e-9, 0.3e-9, 1e-13], 1),  # the third is in vain
        (15, [1e-9, 0.4e-9, 0.3e-9, 1e-13], 1),
        (17, [1e-9, 0.4e-9, 0.3e-9, 1e-13], 3),  # more than eight roundings of 2 A are missing
        (0, [1e-9, 0.4e-9, 0.19e-9, 0.09e-9, 1e-13], 4),
        (0, [1e-9, 0.6e-9, 1e-13], 0),
    ],
)
def test_corrections_end_where_rounding_is_left(
    rounding: int, sizes: list[float], steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second node shows and carries no current; the first lacks some roundings of its ampere."""
    factored = grounded([1.0, 1e-12])
    found = iter(sizes)
    monkeypatch.setattr(factored, "_missing", lambda *_: np.array([[0.0], [next(found)]]))
    fed = np.array([[1.0], [1e-12]])
    voltages = np.array([[1.0 - rounding * np.finfo(float).eps], [1.0]])
    right = fed[factored._unknown]
    assert factored._corrections(voltages, right, fed, factored.branches_of, False) == steps


# --- LU by levels ---


def block_triangular(seed: int) -> csr_array:
    """Parts {0, 3, 5}, {1, 4}, {2}, {6, 7}; the second depends on the first, the third on both, the last on none."""
    random = np.random.default_rng(seed)
    matrix = np.zeros((8, 8))
    for part in ([0, 3, 5], [1, 4], [2], [6, 7]):
        matrix[np.ix_(part, part)] = random.uniform(0.1, 1.0, (len(part), len(part)))
    matrix += np.diag(4.0 + random.uniform(0.0, 1.0, 8))
    matrix[4, 3], matrix[1, 0], matrix[2, 5], matrix[2, 4] = 0.7, -0.4, 0.9, 0.6
    return csr_array(matrix)


LINE = np.full((2, 8), -1)
PLACED = np.array([[0, 0, 1, 0, 0, 1, -1, 1], [0, 1, 0, 2, 2, 1, -1, 2]])


@pytest.mark.parametrize("places", [LINE, PLACED], ids=["lines", "grid"])
@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("transposed", [False, True])
def test_a_block_triangular_matrix_is_solved_level_by_level(
    places: np.ndarray, width: int, transposed: bool
) -> None:
    matrix = block_triangular(width)
    found = BlockLu(matrix, places)
    assert sorted(found.order.tolist()) == list(range(8))
    assert found.norm == abs(matrix.toarray()).max()
    assert {0, 3, 5, 6, 7} == set(found.order[:5].tolist())
    assert {1, 4} == set(found.order[5:7].tolist())
    dense = matrix.toarray().T if transposed else matrix.toarray()
    random = np.random.default_rng(9)
    for zero in ([], [0, 3, 5], [1, 4], [6, 7], [0, 1, 2, 3, 4, 5], list(range(8))):
        right = random.normal(size=(8, width))
        right[zero] = 0.0
        solution = np.empty((8, width))
        solution[found.order] = found.solve(right[found.order], transposed=transposed)
        np.testing.assert_allclose(solution, np.linalg.solve(dense, right), rtol=1e-11, atol=1e-14)


def test_right_hand_sides_of_different_parts_share_a_solve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five parts that don't act on each other, touched by 0 to 2 of 6 columns: a solve of two."""
    random = np.random.default_rng(3)
    matrix = np.kron(np.eye(5), random.uniform(0.1, 1.0, (2, 2)) + 3 * np.eye(2))
    found = BlockLu(csr_array(matrix), np.full((2, 10), -1))
    right = np.zeros((10, 6))
    for part, columns in enumerate(([0], [4, 1], [], [5, 2], [3])):
        right[2 * part, columns] = random.normal(size=len(columns))
    widths: list[int] = []
    lu_solve = "circuits.solve.block_lu._lu_solve"

    def noted(lu: object, packed: Floats, trans: str) -> Floats:
        widths.append(packed.shape[1])
        return np.asarray(lu.solve(packed, trans))  # type: ignore[attr-defined]

    monkeypatch.setattr(lu_solve, noted)
    solution = np.empty((10, 6))
    solution[found.order] = found.solve(right[found.order], transposed=False)
    assert widths == [2]
    np.testing.assert_allclose(solution, np.linalg.solve(matrix, right), atol=1e-14)


def test_levels_are_one_more_than_the_deepest_part_they_depend_on() -> None:
    """Part 0 on 2; 2 on 1; 3 on 0 and 1; 4 on nothing."""
    matrix = np.eye(6)
    part = np.array([0, 1, 2, 3, 4, 0])
    for row, column in ((5, 2), (2, 1), (3, 0), (3, 1), (0, 5)):
        matrix[row, column] = 1.0
    assert _depths(csr_array(matrix), part, 5).tolist() == [2, 0, 1, 3, 0]


@pytest.mark.parametrize("scale", [1e-3, 1.0])
def test_the_norm_is_the_largest_entry_and_zero_of_none(scale: float) -> None:
    matrix = scale * np.array([[2.0, -0.5, 0.0], [0.0, -3.0, 1.0], [0.0, 0.25, 1.0]])
    assert BlockLu(csr_array(matrix), np.full((2, 3), -1)).norm == 3.0 * scale
    empty = BlockLu(csr_array((0, 0)), np.full((2, 0), -1))
    assert (empty.norm, empty.order.tolist()) == (0.0, [])
    assert empty.solve(np.empty((0, 2)), transposed=True).shape == (0, 2)
    assert (_largest(np.array([[0.2], [-0.7]])), _largest(np.zeros((0, 1))), _largest(np.array([1e-9]))) == (
        0.7, 0.0, 1e-9
    )  # fmt: skip


# --- dissection ---


def bisected(matrix: Floats, cells: list[tuple[int, int]], shape: tuple[int, int]) -> list[tuple[int, ...]]:
    """Key of each node by recursion: before the cut, behind it, on it."""
    keys: list[tuple[int, ...]] = [() for _ in cells]

    def joined(node: int, axis: int) -> bool:
        """With an earlier row or column, anywhere."""
        return any(
            matrix[node, other] != 0 and cells[other][axis] < cells[node][axis] for other in range(len(cells))
        )

    def cut(nodes: list[int], low: tuple[int, int], high: tuple[int, int]) -> None:
        sizes = [high[k] - low[k] for k in (0, 1)]
        if max(sizes) <= 1 or not nodes:
            return
        axis = 0 if sizes[0] >= sizes[1] else 1
        middle = (low[axis] + high[axis]) // 2
        groups: list[list[int]] = [[], [], []]
        for node in nodes:
            place = cells[node][axis]
            behind = place >= middle
            groups[2 if place == middle and joined(node, axis) else int(behind)].append(node)
        for which, group in enumerate(groups):
            for node in group:
                keys[node] += (which,)
        cut(groups[0], low, tuple(middle if k == axis else high[k] for k in (0, 1)))  # type: ignore[arg-type]
        cut(groups[1], tuple(middle if k == axis else low[k] for k in (0, 1)), high)  # type: ignore[arg-type]

    cut(list(range(len(cells))), (0, 0), shape)
    return keys


@pytest.mark.parametrize("shape", [(1, 5), (4, 1), (3, 5), (7, 4), (6, 6)])
def test_the_order_is_that_of_a_recursion(shape: tuple[int, int]) -> None:
    """Two nodes a cell, joined at random with the cells beside; two without a place, and one on a long line."""
    random = np.random.default_rng(shape[0])
    cells = [(r, c) for r in range(shape[0]) for c in range(shape[1]) for _ in range(2)]
    size = len(cells)
    matrix = np.eye(size)
    for i, (r, c) in enumerate(cells):
        for j, (row, column) in enumerate(cells):
            if i < j and abs(r - row) + abs(c - column) == 1 and random.random() < 0.5:
                matrix[i, j] = matrix[j, i] = 1.0
    keys = bisected(matrix, cells, shape)
    places = np.concatenate([np.array(cells).T, np.full((2, 2), -1)], axis=1)
    whole = np.eye(size + 2)
    whole[:size, :size] = matrix
    whole[size, :3] = whole[:3, size] = 1.0  # the end of a line
    rank = elimination_rank(csr_array(whole), places)
    assert (rank[size:] == -1).all()
    assert (rank[:size] >= 0).all()
    levels = max(map(len, keys))
    padded = [(*key, *([0] * (levels - len(key)))) for key in keys]
    for i in range(size):
        for j in range(size):
            assert (rank[i] < rank[j]) == (padded[i] < padded[j]), (cells[i], cells[j])


@pytest.mark.parametrize(("neighbours", "last"), [(15, False), (16, False), (17, True)])
def test_a_node_of_many_neighbours_comes_last(neighbours: int, last: bool) -> None:
    """In either direction: itself counts."""
    for turned in (False, True):
        matrix = np.eye(20)
        matrix[4, :neighbours] = 1.0
        places = np.stack([np.zeros(20, dtype=int), np.arange(20)])
        rank = elimination_rank(csr_array(matrix.T if turned else matrix), places)
        assert (rank[4] == np.iinfo(np.int64).max) == last
        assert (np.delete(rank, 4) < 1000).all()


# --- the grid ---


WIRED = ArrayConfig(architecture="resistive", r_row=2.0, r_column=3.0, r_output=5.0, r_input=7.0)


def test_factors_of_word_lines_are_those_of_their_inverses() -> None:
    """``G T^-1 G`` and ``G T^-1 g_source`` of two tiles of three rows and four columns."""
    conductance = np.random.default_rng(0).uniform(0.01, 0.3, (2, 3, 4))
    wires = grid._Wires(2.0, 3.0, 5.0, 7.0)
    left, right, source = grid._word_lines(conductance, wires)
    for tile in range(2):
        for row in range(3):
            g = conductance[tile, row]
            line = np.diag(g + 0.5 * np.array([1, 2, 2, 1])) - 0.5 * (np.eye(4, k=1) + np.eye(4, k=-1))
            line[0, 0] += 1 / 7
            whole = np.diag(g) @ np.linalg.inv(line) @ np.diag(g)
            lower = np.outer(left[tile, row], right[tile, row])
            np.testing.assert_allclose(np.tril(lower), np.tril(whole), rtol=1e-12)
            drive = np.diag(g) @ np.linalg.inv(line)[:, 0] / 7
            np.testing.assert_allclose(source[tile, row], drive, rtol=1e-12)


@pytest.mark.parametrize(("decay", "right"), [(29.9, True), (30.1, False)])
def test_the_steepest_word_line(decay: float, right: bool) -> None:
    """Eleven cells of 1 S, each sees exp(-decay) of the one before it: 300 in all are too much."""
    wires = grid._Wires(float(np.exp(decay)), 1.0, 1.0, 1.0)
    if right:
        left, _, _ = grid._word_lines(np.ones((1, 1, 11)), wires)
        assert np.log(left[0, 0, 10]) == pytest.approx(-299.0, abs=0.05)
    else:
        with pytest.raises(ValueError, match="too high beside cells of 1 Ohm"):
            grid._word_lines(np.ones((1, 1, 11)), wires)


def test_the_inverse_of_a_symmetric_matrix_by_its_lower_triangle() -> None:
    matrix = np.random.default_rng(0).normal(size=(4, 4))
    matrix = matrix @ matrix.T + np.eye(4)
    found = grid._inverse(np.asfortranarray(np.tril(matrix) + 9 * np.triu(np.ones((4, 4)), 1)))
    np.testing.assert_allclose(np.tril(found), np.tril(np.linalg.inv(matrix)), rtol=1e-11)
    with pytest.raises(ValueError, match="span too many decades"):
        grid._inverse(np.asfortranarray(-np.eye(2)))


def symmetric(size: int, seed: int) -> Floats:
    matrix = np.random.default_rng(seed).normal(size=(size, size))
    return matrix @ matrix.T + np.eye(size)


@pytest.mark.parametrize(("inner", "outer"), [(1, 1), (2, 5), (3, 4), (4, 9)])
def test_nodes_are_eliminated_one_by_one_and_by_lapack(inner: int, outer: int) -> None:
    whole = [symmetric(inner + outer, seed) for seed in (1, 2, 3)]
    schur = [
        m[inner:, inner:] - m[inner:, :inner] @ np.linalg.inv(m[:inner, :inner]) @ m[:inner, inner:]
        for m in whole
    ]
    stacked = np.stack(whole, axis=-1)
    between, across, found = (
        stacked[:inner, :inner].copy(), stacked[:inner, inner:].copy(), stacked[inner:, inner:].copy()
    )  # fmt: skip
    grid._eliminate_of_many(between, across, found)
    for k, expected in enumerate(schur):
        np.testing.assert_allclose(np.triu(found[..., k]), np.triu(expected), rtol=1e-9, atol=1e-12)
        m = whole[k]
        alone = m[inner:, inner:].copy()
        grid._eliminate(m[:inner, :inner].copy(), m[:inner, inner:].copy(), alone)
        np.testing.assert_allclose(np.triu(alone), np.triu(expected), rtol=1e-9, atol=1e-12)


def test_a_cell_and_two_joined_cells() -> None:
    """Wires of 2 S and 5 S, a cell of 1 S: left to right along, right to top the cell, top to bottom down."""
    block = grid._cells(np.array([2.0]), np.array([1.0]), np.array([5.0]))
    upper = [[2, 0, -2, 0], [0, 6, -1, -5], [0, 0, 3, 0], [0, 0, 0, 5]]
    np.testing.assert_allclose(np.triu(block.y[..., 0]), upper)
    assert block.sizes == {"left": 1, "top": 1, "right": 1, "bottom": 1}
    full = np.triu(upper) + np.triu(upper, 1).T
    slices = block.slices()
    for a, side in enumerate(slices):
        for b, other in enumerate(slices):
            assert block.between(slices[side], slices[other])[0, 0, 0] == full[a, b]
    joined = grid._side_by_side(block, block)
    assert joined.sizes == {"left": 1, "top": 2, "right": 1, "bottom": 2}
    # left, both tops, right, both bottoms; the wire in the middle is eliminated
    ports = np.zeros((7, 7))
    for ends in ([0, 1, 6, 3], [6, 2, 5, 4]):
        ports[np.ix_(ends, ends)] += full
    # order: left 0, tops 1 and 2, bottoms 3 and 4, right 5; middle 6
    order = [0, 1, 2, 5, 3, 4]
    schur = ports - np.outer(ports[:, 6], ports[6]) / ports[6, 6]
    np.testing.assert_allclose(np.triu(joined.y[..., 0]), np.triu(schur[np.ix_(order, order)]), atol=1e-15)
    stacked = grid._stacked(block, block)
    assert stacked.sizes == {"left": 2, "top": 1, "right": 2, "bottom": 1}


SOLVERS: list[Callable[[Floats, ArrayConfig], Floats]] = [block_tridiagonal, hierarchical_merge]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", ["r_row", "r_column"])
def test_both_wires_need_a_resistance(solver: Callable[[Floats, ArrayConfig], Floats], name: str) -> None:
    short = replace(WIRED, r_row=0.0) if name == "r_row" else replace(WIRED, r_column=0.0)
    with pytest.raises(ValueError, match=rf"{name} = 0\.0.*allowed here: 0 < value < inf"):
        solver(np.full((1, 2, 3), 1e3), short)


@pytest.mark.parametrize("tiles", [0, 1, 2])
@pytest.mark.parametrize("solver", SOLVERS)
def test_low_cells_between_wires_of_ohms(solver: Callable[[Floats, ArrayConfig], Floats], tiles: int) -> None:
    """Where every wire counts; shapes that fill a leaf but for one, and that overflow it by one."""
    for rows, columns in ((2, 3), (15, 17), (17, 15)):
        states = np.random.default_rng(rows).uniform(5.0, 50.0, (tiles, rows, columns))
        found = solver(states, WIRED)
        assert found.shape == (tiles, columns, rows)
        for tile, matrix in zip(states, found, strict=True):
            np.testing.assert_allclose(matrix, factor(crossbar(tile, WIRED)).transfer(), rtol=1e-9)


@pytest.mark.parametrize("shape", [(2, 5), (5, 2), (3, 3)])
def test_blocks_have_the_size_of_the_shorter_side(
    shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[tuple[int, ...]] = []
    inverse = grid._inverse

    def noted(matrix: Floats) -> Floats:
        sizes.append(matrix.shape)
        return inverse(matrix)

    monkeypatch.setattr(grid, "_inverse", noted)
    block_tridiagonal(np.full((1, *shape), 1e3), WIRED)
    assert sizes == [(min(shape), min(shape))] * max(shape)


def test_what_rounding_makes_of_a_tile_is_named() -> None:
    with pytest.raises(ValueError, match="span too many decades"):
        grid._eliminate(-np.eye(2), np.ones((2, 3)), np.eye(3))


# --- the choice of a method ---


@pytest.mark.parametrize(
    ("shape", "wires", "method"),
    [
        ((79, 200), {}, Method.BLOCK_TRIDIAGONAL),
        ((200, 79), {}, Method.BLOCK_TRIDIAGONAL),
        ((80, 200), {}, Method.HIERARCHICAL_MERGE),
        ((200, 80), {}, Method.HIERARCHICAL_MERGE),
        ((80, 80), {"r_row": 0.0}, Method.NODAL),
        ((80, 80), {"r_column": 0.0}, Method.NODAL),
        ((2, 2), {"r_row": 0.0, "r_column": 0.0}, Method.NODAL),
    ],
)
def test_the_method_of_a_resistive_tile(
    shape: tuple[int, int], wires: dict[str, float], method: Method
) -> None:
    config = ArrayConfig(architecture="resistive", **wires)
    assert choose_method(shape, config)[0] is method
    assert choose_method(shape, config, exact=True)[0] is method


def test_a_method_that_is_asked_for_and_mismatch_reach_the_solver() -> None:
    config = ArrayConfig(architecture="active_series", cmrr_db=40.0)
    states = np.random.default_rng(0).uniform(0.3, 0.6, (2, 3, 2))
    mismatch = no_mismatch((3, 2))
    mismatch.channel[1, 0], mismatch.arm_plus[2, 1], mismatch.r_off[0, 1] = 0.1, -0.05, 0.3
    exact = [factor(crossbar(tile, config, mismatch)).transfer() for tile in states]
    for found in (
        transfers(states, config, mismatch, exact=True),
        transfers(states, config, mismatch, method=Method.NODAL),
        transfers(states, config, mismatch),
        transfers(states, config, mismatch, method=Method.TENSOR),
    ):
        np.testing.assert_allclose(found.matrices, exact, atol=2e-6 * np.abs(exact).max())
    assert transfers(states, config, exact=True).method is Method.NODAL
    assert transfers(states, config).method is Method.TENSOR
    assert transfers(states, config, method=Method.NODAL).reason == "it was asked for"
    for wrong in (np.ones(3), np.ones((1, 1, 1, 1)), np.float64(1.0)):
        with pytest.raises(ValueError, match=r"expected \(tiles, rows, columns\)"):
            transfers(wrong, config)


# --- the tensor ---


@pytest.mark.parametrize("architecture", [a for a in Architecture if a.hall])
@pytest.mark.parametrize("alike", [True, False])
def test_the_tensor_is_the_derivative_of_the_full_solution(architecture: Architecture, alike: bool) -> None:
    """Each cell alone, by differences; three rows, two columns, with and without a mismatch that tells rows apart."""
    config = ArrayConfig(architecture=architecture, r_row=4.0, r_column=6.0, r_off=0.3, cmrr_db=40.0)
    mismatch = no_mismatch((3, 2))
    if not alike:
        random = np.random.default_rng(0)
        for values in (mismatch.channel, mismatch.arm_plus, mismatch.arm_minus):
            values += random.normal(0.0, 0.05, (3, 2))
    tensor = transfer_tensor((3, 2), config, mismatch)
    states = np.random.default_rng(1).uniform(0.3, 0.6, (3, 2))
    step = 0.01
    steps = 1e-3 if architecture is Architecture.SERIES_HALL else 3e-5  # what is of second order
    zero = tensor.transfer(states)
    assert zero.shape == (2, 3)
    np.testing.assert_array_equal(tensor.transfer(states[None])[0], zero)
    full = transfers(states, config, mismatch, exact=True).matrices[0]
    np.testing.assert_allclose(zero, full, atol=3e-6 * np.abs(full).max())
    for row in range(3):
        for column in range(2):
            more, less = states.copy(), states.copy()
            more[row, column] += step
            less[row, column] -= step
            pair = transfers(np.stack([more, less]), config, mismatch, exact=True).matrices
            exact = (pair[0] - pair[1]) / (2 * step)
            ours = (tensor.transfer(more) - tensor.transfer(less)) / (2 * step)
            np.testing.assert_allclose(ours, exact, atol=steps * np.abs(exact).max())
            for output in range(2):
                for of_input in range(3):
                    one = np.zeros((2, 3))
                    one[output, of_input] = 1.0
                    assert tensor.gradient(one)[row, column] == pytest.approx(
                        ours[output, of_input], rel=1e-6, abs=1e-9 * float(np.abs(ours).max())
                    )


@pytest.mark.parametrize(
    ("architecture", "alike", "solved"),
    [
        (Architecture.ACTIVE_PARALLEL, True, 1),
        (Architecture.ACTIVE_SERIES, False, 4),
        (Architecture.PASSIVE_PARALLEL, True, 1),
        (Architecture.ROW_MULTIPLEXED, True, 4),
    ],
)
def test_networks_that_a_tensor_takes(
    architecture: Architecture, alike: bool, solved: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One row where all are alike, each where not; the whole array, or one slot after the other."""
    sizes: list[int] = []

    def counted(network: Network) -> Factored:
        sizes.append(network.n_inputs)
        return factor(network)

    monkeypatch.setattr("circuits.solve.tensor.factor", counted)
    mismatch = no_mismatch((4, 2))
    if not alike:
        mismatch.common_mode[3, 1] = -1.0
    transfer_tensor((4, 2), ArrayConfig(architecture=architecture), mismatch)
    assert sizes == [1 if architecture.amplified or architecture.in_turns else 4] * solved


def test_shapes_that_the_tensor_refuses() -> None:
    config = ArrayConfig(architecture="active_series")
    with pytest.raises(ValueError, match=r"mismatch has shape \(2, 3\), expected \(3, 2\)"):
        transfer_tensor((3, 2), config, no_mismatch((2, 3)))
    tensor = transfer_tensor((3, 2), config)
    for shape in ((2, 3), (1, 1, 3, 2), (2,), (1, 2, 3)):
        with pytest.raises(ValueError, match=r"expected \(..., 3, 2\)"):
            tensor.transfer(np.ones(shape))
    assert tensor.transfer(np.ones((4, 3, 2))).shape == (4, 2, 3)
    assert tensor.transfer(np.ones((0, 3, 2))).shape == (0, 2, 3)
