from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.arrays.architecture import Architecture
from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar
from circuits.network import GROUND, BranchKind, Network, Role
from circuits.solve.branches import nodal_matrix
from circuits.solve.nodal import factor

SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 6))
WIRES = st.sampled_from([0.0, 1e-3, 1.0])


def make(architecture: Architecture, shape: tuple[int, int], seed: int, **changes: Any) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    states = random.uniform(0.33, 0.57, shape) * (1 if architecture.hall else 1e5)
    network = crossbar(states, ArrayConfig(architecture=architecture, **changes))
    return network, random.uniform(-1, 1, (3, shape[0]))


def source_currents(network: Network, inputs: np.ndarray) -> np.ndarray:
    values = np.zeros((len(network.kind), len(inputs)))
    np.add.at(
        values, network.drive_source, network.drive_coefficient[:, None] * inputs.T[network.drive_input]
    )
    return values


@pytest.mark.parametrize("architecture", Architecture)
@given(shape=SHAPES, row=WIRES, column=WIRES, driver=WIRES, seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_energy_is_conserved_and_currents_sum_to_zero(
    architecture: Architecture, shape: tuple[int, int], row: float, column: float, driver: float, seed: int
) -> None:
    network, inputs = make(architecture, shape, seed, r_row=row, r_column=column, r_output=driver)
    solution = factor(network).solve(inputs)
    total = np.sum(list(solution.power.values()), axis=0)
    # A node voltage V is only known to 1e-16 V, which is a current of 1e-16 g V in a wire of conductance g.
    matrix = nodal_matrix(network)
    rounding = 1e-14 * (abs(matrix) @ np.abs(solution.node_voltages.T)).max(axis=0)
    largest = np.abs(solution.node_voltages).max(axis=1)
    np.testing.assert_allclose(total, solution.source_power, atol=float((rounding * largest).max()))
    leaving = np.concatenate(
        [matrix @ solution.node_voltages.T, np.zeros((1, len(inputs)))]
    )  # ground is last
    currents = source_currents(network, inputs)[network.kind == BranchKind.CURRENT]
    np.add.at(leaving, network.plus[network.kind == BranchKind.CURRENT], currents)
    np.add.at(leaving, network.minus[network.kind == BranchKind.CURRENT], -currents)
    leaving[[GROUND, *network.plus[network.kind == BranchKind.VOLTAGE]]] = 0.0
    assert (np.abs(leaving) <= rounding).all()
    for role in (Role.CELL, Role.SWITCH, Role.WIRE, Role.DRIVER):
        assert (solution.power[role] >= -rounding * largest).all()


@pytest.mark.parametrize("architecture", Architecture)
@given(shape=SHAPES, row=WIRES, seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_transfer_and_power_forms_say_what_solve_says(
    architecture: Architecture, shape: tuple[int, int], row: float, seed: int
) -> None:
    network, inputs = make(architecture, shape, seed, r_row=row)
    factored = factor(network)
    solution = factored.solve(inputs)
    by_transfer = inputs @ factored.transfer().T
    # both are refined when their error shows by 1e-10; kilovolts (0.5 A along six cells) are known to 1e-12 of 0.1 V
    np.testing.assert_allclose(by_transfer, solution.outputs, atol=1e-9 * np.abs(solution.outputs).max())
    forms = factored.power_forms()
    for name, power in solution.power.items():
        by_form = np.einsum("bi,ij,bj->b", inputs, forms[name], inputs)
        np.testing.assert_allclose(by_form, power, atol=1e-9 * solution.source_power.max())
        np.testing.assert_array_equal(forms[name], forms[name].T)


@given(shape=SHAPES, seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_resistive_arrays_are_reciprocal(shape: tuple[int, int], seed: int) -> None:
    """Driving the bit lines and sensing the word lines of the mirrored array gives the transposed matrix."""
    states = np.random.default_rng(seed).uniform(10.0, 100.0, shape)
    config = ArrayConfig(architecture="resistive", r_row=1.0, r_column=2.0, r_output=3.0, r_input=4.0)
    turned = ArrayConfig(architecture="resistive", r_row=2.0, r_column=1.0, r_output=4.0, r_input=3.0)
    forward = factor(crossbar(states, config)).transfer()
    backward = factor(crossbar(states[::-1, ::-1].T, turned)).transfer()
    np.testing.assert_allclose(backward[::-1, ::-1].T, forward, rtol=1e-11)


PARALLEL = [Architecture.RESISTIVE, Architecture.ACTIVE_PARALLEL, Architecture.PASSIVE_PARALLEL]


@pytest.mark.parametrize("architecture", PARALLEL)
def test_permuted_inputs_of_equal_rows_permute_outputs(architecture: Architecture) -> None:
    network, inputs = make(architecture, (4, 3), 5, r_column=0.0)
    states_reversed = np.random.default_rng(5).uniform(0.33, 0.57, (4, 3))[::-1]
    states_reversed = states_reversed * (1 if architecture.hall else 1e5)
    mirrored = crossbar(states_reversed, ArrayConfig(architecture=architecture, r_column=0.0))
    np.testing.assert_allclose(
        factor(mirrored).solve(inputs[:, ::-1]).outputs, factor(network).solve(inputs).outputs, rtol=1e-9
    )


@pytest.mark.parametrize("architecture", PARALLEL)
def test_the_channel_probe_shows_the_voltage_drop_along_a_row(architecture: Architecture) -> None:
    network, _ = make(architecture, (2, 6), 1, r_row=5.0, r_column=0.0)
    across = network.probed("channel", factor(network).solve(np.ones((1, 2))).node_voltages)
    assert across.shape == (1, 2, 6)
    assert (np.diff(across[0], axis=1) < 0).all()
    assert (across > 0).all()
    assert (across < 1).all()
