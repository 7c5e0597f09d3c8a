"""Write networks: currents of the cells and where the power goes."""

from __future__ import annotations

import numpy as np
import pytest

from circuits.arrays.architecture import Architecture
from circuits.network import Role
from circuits.solve.nodal import factor
from circuits.write.circuit import PARTS, write_network
from circuits.write.scheme import BiasScheme, Order, WriteConfig
from circuits.write.solver import WriteSolver

CONFIGS = [
    WriteConfig(architecture=Architecture.RESISTIVE, r_row=0.3, r_column=0.2),
    WriteConfig(architecture=Architecture.RESISTIVE, r_row=0.3, r_column=0.2, order=Order.ROW),
    WriteConfig(architecture=Architecture.RESISTIVE, r_row=0.3, r_column=0.2, scheme=BiasScheme.HALF_V),
    WriteConfig(architecture=Architecture.RESISTIVE, r_row=0.3, r_column=0.2, scheme=BiasScheme.THIRD_V),
    WriteConfig(architecture=Architecture.ACTIVE_PARALLEL, r_row=0.3),
    WriteConfig(architecture=Architecture.ACTIVE_SERIES, r_row=0.3, scheme=BiasScheme.ROW_SERIAL),
]


def named(config: WriteConfig) -> str:
    return f"{config.architecture}-{config.scheme}-{config.order}"


def test_one_selected_cell_is_a_series_circuit() -> None:
    config = WriteConfig(architecture=Architecture.RESISTIVE, r_row=0.1, r_column=0.2)
    solver = WriteSolver(1, 1, config)
    assert solver.conductance[0, 0] == pytest.approx(1 / (50 + 0.1 + 20 + 500 + 0.2 + 1), rel=1e-12)


def test_half_selected_cells_of_an_array_without_resistances_see_half() -> None:
    config = WriteConfig(
        architecture=Architecture.RESISTIVE,
        scheme=BiasScheme.HALF_V,
        r_row=0,
        r_column=0,
        r_output=1e-9,
        r_return=1e-9,
    )
    solver = WriteSolver(3, 3, config)
    found = (
        solver.full_pulses(solver.cell_inputs(1, 2, 6.0)[None], np.zeros((3, 3), bool)).current[0] * 500 / 6
    )
    expected = np.zeros((3, 3))
    expected[1, :] = expected[:, 2] = 0.5
    expected[1, 2] = 1.0
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_unselected_cells_see_a_third_of_either_sign() -> None:
    config = WriteConfig(
        architecture=Architecture.RESISTIVE,
        scheme=BiasScheme.THIRD_V,
        r_row=0,
        r_column=0,
        r_output=1e-9,
        r_return=1e-9,
    )
    solver = WriteSolver(3, 3, config)
    found = (
        solver.full_pulses(solver.cell_inputs(0, 0, 6.0)[None], np.zeros((3, 3), bool)).current[0] * 500 / 6
    )
    expected = np.full((3, 3), -1 / 3)
    expected[0, :] = expected[:, 0] = 1 / 3
    expected[0, 0] = 1.0
    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("config", CONFIGS, ids=named)
def test_row_pulses_equal_the_network_solved_anew(config: WriteConfig) -> None:
    shape = rows, columns = 4, 5
    solver = WriteSolver(rows, columns, config)
    generator = np.random.default_rng(3)
    for row in (0, 2):
        written = np.zeros((1, columns), dtype=bool)
        written[0, [1, 3, 4] if config.order is Order.ROW else [3]] = True
        volts = generator.uniform(5, 9, (1, columns))
        quick = solver.row_pulses(row, volts, written)
        selected = np.zeros(shape, dtype=bool)
        selected[row] = written[0]
        full = solver.full_pulses(config.voltages(shape, row, volts[0], written[0])[None], selected)
        np.testing.assert_allclose(quick.current[0][written[0]], full.current[0, row][written[0]], rtol=1e-9)
        np.testing.assert_allclose(quick.source_power, full.source_power, rtol=1e-9)
        for part in (
            "cells",
            "select",
            "drivers",
        ):  # other rows leak 64 nW per cell, counted with the wires
            np.testing.assert_allclose(quick.power[part], full.power[part], rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("config", CONFIGS, ids=named)
def test_parts_are_those_of_the_nodal_solution(config: WriteConfig) -> None:
    shape = 3, 4
    solver = WriteSolver(*shape, config)
    selected = np.zeros(shape, dtype=bool)
    selected[1, 2] = True
    inputs = solver.cell_inputs(1, 2, 8.0)[None]
    solution = factor(write_network(selected, config)).solve(inputs)
    found = solver.full_pulses(inputs, selected)
    assert found.source_power[0] == pytest.approx(solution.source_power[0], rel=1e-12)
    assert found.power["wires"][0] == pytest.approx(solution.power[Role.WIRE][0], rel=1e-6, abs=1e-12)
    assert found.power["drivers"][0] == pytest.approx(solution.power[Role.DRIVER][0], rel=1e-9)
    assert found.power["cells"][0] == pytest.approx(solution.power[Role.CELL][0], rel=1e-9)
    assert found.power["select"][0] == pytest.approx(solution.power[Role.SWITCH][0], rel=1e-9)
    assert sum(found.power[part][0] for part in PARTS) == pytest.approx(found.source_power[0], rel=1e-12)


@pytest.mark.parametrize("scheme", [BiasScheme.HALF_V, BiasScheme.THIRD_V])
def test_many_pulses_through_kept_factors_are_those_solved_anew(scheme: BiasScheme) -> None:
    """Two rows, five columns, three pulses at once."""
    shape = rows, columns = 2, 5
    config = WriteConfig(architecture=Architecture.RESISTIVE, scheme=scheme, r_row=3.0, r_column=2.0)
    solver = WriteSolver(rows, columns, config)
    inputs = np.stack([solver.cell_inputs(*place) for place in ((1, 3, 6.0), (0, 4, -5.0), (1, 0, 7.0))])
    quick = solver.shared_pulses(inputs)
    full = solver.full_pulses(inputs, np.zeros(shape, bool))
    assert quick.current.shape == (3, *shape)
    np.testing.assert_allclose(quick.current, full.current, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(quick.source_power, full.source_power, rtol=1e-9)
    for part in PARTS:
        np.testing.assert_allclose(quick.power[part], full.power[part], rtol=1e-9, atol=1e-12)
    # what the cells take, by hand
    np.testing.assert_allclose(quick.power["cells"], (quick.current**2 * 500).sum(axis=(1, 2)), rtol=1e-9)


@pytest.mark.parametrize(
    ("config", "ohm"),
    [
        (WriteConfig(architecture=Architecture.RESISTIVE), 500 + 20 + 50 + 1),
        (WriteConfig(architecture=Architecture.RESISTIVE, scheme=BiasScheme.HALF_V), 500 + 50 + 1),
        # four bypassed cells of 500 Ohm beside 20 Ohm: 19.230769 Ohm each
        (
            WriteConfig(architecture=Architecture.ACTIVE_SERIES, scheme=BiasScheme.ROW_SERIAL),
            551 + 4 * 19.230769,
        ),
        (WriteConfig(architecture=Architecture.ACTIVE_PARALLEL), 500 + 20 + 2 * 50),
    ],
    ids=lambda value: named(value) if isinstance(value, WriteConfig) else "",
)
def test_nominal_resistance_of_five_columns(config: WriteConfig, ohm: float) -> None:
    assert config.nominal_resistance(5) == pytest.approx(ohm, rel=1e-8)


def test_positive_voltage_drives_from_ip_in_both_orders() -> None:
    for order in Order:
        config = WriteConfig(architecture=Architecture.RESISTIVE, order=order)
        assert (WriteSolver(2, 2, config).conductance > 0).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"architecture": "series_hall"}, "Hall arms tie the cells together"),
        ({"architecture": "active_parallel", "scheme": "half_v"}, "half_v on active_parallel, allowed there"),
        ({"architecture": "active_parallel", "order": "row"}, "a driver per column"),
        ({"architecture": "resistive", "r_output": 0.0}, "r_output = 0.0 Ohm, allowed: 0 < value < inf"),
        ({"architecture": "resistive", "r_select_off": 1.0}, "r_select_off = 1.0 Ohm, allowed: above r_select_on"),
    ],
)  # fmt: skip
def test_impossible_configurations_are_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        WriteConfig(**changes)  # type: ignore[arg-type]
