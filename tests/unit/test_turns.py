"""Rows that are read one after another: their networks, powers and cost."""

import numpy as np
import pytest

from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar, idle_rows_are_alike, read_networks
from circuits.arrays.mismatch import draw_mismatch
from circuits.network import Role
from circuits.solve.nodal import factor
from nn_mapping.tiles import solve_tile

STATES = np.random.default_rng(0).uniform(0.33, 0.57, (5, 3))


@pytest.mark.parametrize(("r_switch_off", "alone"), [(1e10, True), (1e6, False)])
def test_a_read_is_the_sum_of_its_turns(r_switch_off: float, alone: bool) -> None:
    """Transfer and power of each role, with mismatch: those of the full networks of all time slots."""
    config = ArrayConfig(
        architecture="row_multiplexed", r_row=2.0, r_column=0.5, r_switch_off=r_switch_off, r_load=1e6
    )
    assert idle_rows_are_alike(config, 3) is alone
    mismatch = draw_mismatch(STATES.shape, np.random.default_rng(1), relative=0.05)
    found = solve_tile(STATES, mismatch, config)
    every = [factor(crossbar(STATES, config, mismatch, slot=row)) for row in range(5)]
    transfer = np.sum([one.transfer() for one in every], axis=0)
    np.testing.assert_allclose(found.transfer, transfer, atol=1e-7 * np.abs(transfer).max())
    x = np.array([0.1, 0.5, 0.2, 0.9, 0.4])
    forms = [one.power_forms() for one in every]
    largest = x @ np.sum([form[Role.CELL] for form in forms], axis=0) @ x
    for role in Role:
        expected = x @ np.sum([form[role] for form in forms], axis=0) @ x
        assert x @ found.power_forms[role] @ x == pytest.approx(expected, rel=1e-6, abs=1e-9 * largest), role
    assert found.imbalance < 1e-9
    sizes = [(inputs, network.n_inputs) for inputs, network in read_networks(STATES, config, mismatch)]
    rows = [slice(row, row + 1) for row in range(5)] if alone else [slice(0, 5)] * 5
    assert sizes == [(inputs, 1 if alone else 5) for inputs in rows]


def test_rows_that_are_read_at_once_are_one_network() -> None:
    config = ArrayConfig(architecture="active_parallel")
    ((inputs, network),) = read_networks(STATES, config)
    assert (inputs, network.n_inputs) == (slice(0, 5), 5)
    np.testing.assert_array_equal(
        solve_tile(STATES, None, config).transfer, factor(crossbar(STATES, config)).transfer()
    )
    with pytest.raises(ValueError, match="states have shape"):
        next(read_networks(STATES[0], config))


@pytest.mark.parametrize(("columns", "alike"), [(4, True), (5, False)])
def test_idle_rows_are_alike_where_switches_leak_little(columns: int, alike: bool) -> None:
    config = ArrayConfig(architecture="row_multiplexed", r_channel=500.0, r_switch_off=2e7)
    assert idle_rows_are_alike(config, columns) is alike
