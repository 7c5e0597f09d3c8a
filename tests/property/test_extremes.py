"""Arrays at the edge: single rows and columns, no wires, slim tiles, gigaohms; Kirchhoff and energy with mismatch."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.arrays.architecture import Architecture
from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar, slots
from circuits.arrays.mismatch import Mismatch, draw_mismatch
from circuits.network import GROUND, BranchKind, Network
from circuits.solve.nodal import factor
from circuits.solve.transfer import nodal_transfer, transfers

HALL = [architecture for architecture in Architecture if architecture.hall]


def drawn(
    architecture: Architecture, shape: tuple[int, int], seed: int = 0
) -> tuple[np.ndarray, Mismatch | None]:
    random = np.random.default_rng(seed)
    if not architecture.hall:
        return random.uniform(1e4, 1e5, shape), None
    return random.uniform(0.33, 0.57, shape), draw_mismatch(shape, random, relative=0.01, r_off=0.1)


def networks(architecture: Architecture, shape: tuple[int, int]) -> list[Network]:
    states, mismatch = drawn(architecture, shape)
    config = ArrayConfig(architecture=architecture)
    return [crossbar(states, config, mismatch, slot=k) for k in range(slots(config, shape[0]))]


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (5, 3), (16, 16), (32, 32)])
@pytest.mark.parametrize("architecture", Architecture)
def test_currents_sum_to_zero_at_every_node_and_sources_deliver_what_is_dissipated(
    architecture: Architecture, shape: tuple[int, int]
) -> None:
    inputs = np.random.default_rng(1).uniform(
        0, 1e-3 if architecture.input_unit == "A" else 0.5, (4, shape[0])
    )
    for network in networks(architecture, shape)[:2]:
        factored = factor(network)
        solution = factored.solve(inputs)
        dissipated = np.sum(list(solution.power.values()), axis=0)
        np.testing.assert_allclose(dissipated, solution.source_power, rtol=1e-9)
        currents = factored.currents(inputs).T
        ends = np.concatenate([network.plus, network.minus])
        leaving, largest = np.zeros((2, network.n_nodes + 1, len(inputs)))
        np.add.at(leaving, ends, np.concatenate([currents, -currents]))
        np.maximum.at(largest, ends, np.abs(np.concatenate([currents, currents])))
        # every node by the currents that meet there, femtoampere of a column as milliampere of a row; the open end
        # of a row that has not its turn carries what rounding leaves of zero
        nothing = 1e-28 * np.abs(currents).max()
        assert (np.abs(leaving[:-1]) <= 1e-14 * largest[:-1] + nothing).all()


def solved_in_fractions(network: Network, inputs: list[float]) -> list[Fraction]:
    """Outputs by Gaussian elimination without rounding."""
    size = network.n_nodes
    rows = [[Fraction(0)] * (size + 1) for _ in range(size)]
    for kind, plus, minus, control_plus, control_minus, value in zip(
        network.kind.tolist(),
        network.plus.tolist(),
        network.minus.tolist(),
        network.control_plus.tolist(),
        network.control_minus.tolist(),
        network.value.tolist(),
        strict=True,
    ):
        resistor = kind == BranchKind.RESISTOR
        if not resistor and kind != BranchKind.VCCS:
            continue
        g = 1 / Fraction(value) if resistor else Fraction(value)
        control = (plus, minus) if resistor else (control_plus, control_minus)
        for node, sign in ((plus, 1), (minus, -1)):
            for other, sense in zip(control, (1, -1), strict=True):
                if node != GROUND and other != GROUND:
                    rows[node][other] += sign * sense * g
    for source, of_input, coefficient in zip(
        network.drive_source.tolist(),
        network.drive_input.tolist(),
        network.drive_coefficient.tolist(),
        strict=True,
    ):
        value = Fraction(coefficient) * Fraction(inputs[of_input])
        if network.kind[source] == BranchKind.VOLTAGE:
            node = network.plus[source]
            rows[node] = [Fraction(int(k == node)) for k in range(size)] + [value]
            continue
        for node, sign in ((network.plus[source], -1), (network.minus[source], 1)):
            if node != GROUND:
                rows[node][size] += sign * value
    for k in range(size):
        pivot = next(j for j in range(k, size) if rows[j][k])
        rows[k], rows[pivot] = rows[pivot], rows[k]
        for row in rows[:k] + rows[k + 1 :]:
            if row[k]:
                factor_of_row = row[k] / rows[k][k]
                row[k:] = [a - factor_of_row * b for a, b in zip(row[k:], rows[k][k:], strict=True)]
    voltage = [*(rows[k][size] / rows[k][k] for k in range(size)), Fraction(0)]
    return [
        Fraction(scale) * (voltage[plus] - voltage[minus])
        for scale, plus, minus in zip(
            network.output_scale.tolist(),
            network.output_plus.tolist(),
            network.output_minus.tolist(),
            strict=True,
        )
    ]


GIGAOHM = {"r_row": 1e-6, "r_column": 1e-6, "r_switch_on": 1e9, "r_switch_off": 1e18, "r_load": 1e15}


@pytest.mark.parametrize(
    ("architecture", "changes"),
    [
        (Architecture.ROW_MULTIPLEXED, {}),
        (Architecture.ROW_MULTIPLEXED, GIGAOHM),  # takes several corrections
        (Architecture.SERIES_HALL, {}),
    ],
)
def test_the_solution_beside_a_common_mode_is_that_without_rounding(
    architecture: Architecture, changes: dict[str, float]
) -> None:
    states, mismatch = drawn(architecture, (2, 2))
    config = replace(ArrayConfig(architecture=architecture, r_row=1e-4, r_column=1e-4), **changes)
    network = crossbar(states, config, mismatch)
    inputs = [3e-4, 7e-4]
    exact = [float(value) for value in solved_in_fractions(network, inputs)]
    factored = factor(network)
    # 1e-4 V lie at 0.7 V, known to 1e-16 V; unrefined, 1e-11 S of rounding would leak up to 1e-9 of the output
    assert np.abs(factored.solve([inputs]).outputs[0] - exact).max() < 1e-11 * np.abs(exact).max()
    assert np.abs(factored.transfer() @ inputs - exact).max() < 1e-11 * np.abs(exact).max()


def test_passive_1x2_against_its_mesh_equations() -> None:
    config = ArrayConfig(
        architecture=Architecture.PASSIVE_PARALLEL,
        r_row=20.0,
        r_output=2.0,
        r_column=3.0,
        r_load=5e3,
        r_off=0.2,
    )
    first, second = 0.4, 0.5
    r, back = config.r_channel, 2 * config.r_off  # R_off - R_H = 2 R_off - R_xy
    loop = 2 * config.r_arm + config.r_load + 2 * config.r_column
    # unknown: channel currents of both cells, then their arm currents (into the positive arm)
    matrix = np.array(
        [
            [2 * 22.0 + r, 2 * 22.0, back - first, 0],
            [2 * 22.0, 2 * 22.0 + 2 * 20.0 + r, 0, back - second],
            [first, 0, loop, 0],
            [0, second, 0, loop],
        ]
    )
    currents = np.linalg.solve(matrix, [1.0, 1.0, 0.0, 0.0])
    expected = -config.r_load * currents[2:, None]
    found = factor(crossbar([[first, second]], config)).transfer()
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_multiplexed_1x2_against_its_arm_loops() -> None:
    config = ArrayConfig(architecture=Architecture.ROW_MULTIPLEXED, r_row=2.0, r_column=3.0, r_load=5e3)
    states = np.array([[0.4, 0.5]])
    source = 2 * (config.r_arm + config.r_switch_on + config.r_column)
    expected = states.T * config.r_load / (config.r_load + source)
    np.testing.assert_allclose(nodal_transfer(states, config), expected, rtol=1e-9)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (4, 3)])
@pytest.mark.parametrize("architecture", Architecture)
def test_no_wires_are_the_limit_of_short_wires(architecture: Architecture, shape: tuple[int, int]) -> None:
    states, mismatch = drawn(architecture, shape)
    none = ArrayConfig(architecture=architecture, r_row=0.0, r_column=0.0, r_output=0.0)
    short = ArrayConfig(architecture=architecture, r_row=1e-3, r_column=1e-3, r_output=1e-3)
    limit, near = nodal_transfer(states, none, mismatch), nodal_transfer(states, short, mismatch)
    assert np.isfinite(limit).all()
    assert np.abs(near - limit).max() < 3e-4 * np.abs(limit).max()  # 2 x 45 mOhm in 500 Ohm


@pytest.mark.parametrize("architecture", Architecture)
@pytest.mark.parametrize("shape", [(1, 9), (9, 1)])
def test_one_row_and_one_column_by_every_method(architecture: Architecture, shape: tuple[int, int]) -> None:
    states, mismatch = drawn(architecture, shape)
    config = ArrayConfig(architecture=architecture)
    exact, quick = nodal_transfer(states, config, mismatch), transfers(states, config, mismatch).matrices[0]
    assert np.abs(quick - exact).max() < 5e-6 * np.abs(exact).max()


@pytest.mark.parametrize(
    "architecture", [Architecture.RESISTIVE, Architecture.ACTIVE_PARALLEL, Architecture.ACTIVE_SERIES]
)
def test_slim_tiles_of_784_rows(architecture: Architecture) -> None:
    states, mismatch = drawn(architecture, (784, 10))
    config = ArrayConfig(architecture=architecture)
    exact, quick = nodal_transfer(states, config, mismatch), transfers(states, config, mismatch).matrices[0]
    assert exact.shape == (10, 784)
    assert np.abs(quick - exact).max() < 5e-6 * np.abs(exact).max()


def test_switches_of_a_gigaohm_beside_switches_of_a_kiloohm() -> None:
    states, _ = drawn(Architecture.ROW_MULTIPLEXED, (4, 1))
    leaky = ArrayConfig(architecture=Architecture.ROW_MULTIPLEXED, r_switch_off=1e9, r_load=1e15)
    ideal = states.T
    # The pairs of the three other rows, two switches each, load the 2.5 kOhm of the selected one; and 250 Ohm of
    # common mode drive a current through the six switches, which half of the channel doesn't carry.
    expected = ideal * (1 - 3 * 2500 / 2e9 - 6 * 250 / 1e9 / 2)
    np.testing.assert_allclose(nodal_transfer(states, leaky), expected, rtol=1e-6)


def test_cells_of_a_gigaohm_beside_cells_of_ten_kiloohm() -> None:
    states = np.where(np.random.default_rng(0).random((6, 5)) < 0.5, 1e9, 1e4)
    config = ArrayConfig(architecture=Architecture.RESISTIVE, r_row=1.0, r_column=2.0)
    found = transfers(states, config).matrices[0]
    np.testing.assert_allclose(found, nodal_transfer(states, config), rtol=1e-8)
    np.testing.assert_allclose(found, 1 / states.T, atol=1e-6)  # wires of a few ohm: 0.6 % of 0.1 mS


DECADES = st.integers(-6, 9).map(lambda exponent: 10.0**exponent)


@pytest.mark.parametrize("architecture", Architecture)
@given(
    row=DECADES,
    column=DECADES,
    driver=DECADES,
    channel=DECADES,
    arm=DECADES,
    load=DECADES,
    on=DECADES,
    off=DECADES,
    shape=st.sampled_from([(2, 1), (1, 2)]),
    seed=st.integers(0, 9),
)
@settings(max_examples=40, deadline=None)
def test_any_resistances_give_numbers_or_a_clear_error(
    architecture: Architecture,
    row: float,
    column: float,
    driver: float,
    channel: float,
    arm: float,
    load: float,
    on: float,
    off: float,
    shape: tuple[int, int],
    seed: int,
) -> None:
    states, mismatch = drawn(architecture, shape, seed)
    inputs = [1e-3, 2e-3][: shape[0]]
    refusal = ""
    try:
        config = ArrayConfig(
            architecture=architecture,
            r_row=row,
            r_column=column,
            r_output=driver,
            r_channel=channel,
            r_arm=arm,
            r_off=0.0,
            r_load=load,
            r_input=load,
            r_switch_on=on,
            r_switch_off=off,
        )
        network = crossbar(states, config, mismatch)
        factored = factor(network)
        solution = factored.solve([inputs])
        quick = transfers(states, config, mismatch).matrices[0]
    except ValueError as error:
        refusal = str(error)
    if refusal:  # names what is out of range, or says that the equations have no accurate solution
        assert "allowed: " in refusal or "span too many decades" in refusal
        return
    exact = np.array([float(value) for value in solved_in_fractions(network, inputs)])
    # 1e-9 of the largest output; or what rounding does to the sums of currents at the nodes and to a difference
    flow = np.zeros(network.n_nodes + 1)
    for ends in (network.plus, network.minus):
        np.add.at(flow, ends, np.abs(factored.currents([inputs])[0]))
    rounding = flow[:-1] @ np.abs(factored.adjoint_response)
    rounding += np.abs(network.output_scale) * np.abs(solution.node_voltages).max()
    allowed = 1e-9 * np.abs(exact).max() + 4 * np.finfo(float).eps * rounding
    assert (np.abs(solution.outputs[0] - exact) <= allowed).all()
    assert np.isfinite(quick).all()
