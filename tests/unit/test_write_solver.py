"""Currents, powers and drivers' voltages of write pulses against networks that are solved anew, and by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from circuits.arrays.architecture import Architecture
from circuits.network import Role
from circuits.solve.nodal import factor
from circuits.write.circuit import PARTS, lines, write_network
from circuits.write.scheme import BiasScheme, Order, WriteConfig, schemes
from circuits.write.solver import Pulses, WriteSolver

SHAPE = ROWS, COLUMNS = 3, 4
CROSSED = WriteConfig(architecture=Architecture.RESISTIVE, r_row=3.0, r_column=2.0, r_select_off=5e4)
SERIAL = WriteConfig(architecture=Architecture.ACTIVE_SERIES, scheme=BiasScheme.ROW_SERIAL, r_row=0.3)
CONFIGS = [
    CROSSED,
    replace(CROSSED, scheme=BiasScheme.HALF_V),
    replace(CROSSED, scheme=BiasScheme.THIRD_V),
    WriteConfig(architecture=Architecture.ACTIVE_PARALLEL, r_row=3.0, r_select_off=5e4),
    replace(SERIAL, r_select_off=5e3),
]


def named(config: WriteConfig) -> str:
    return f"{config.architecture}-{config.scheme}-{config.order}"


def anew(
    config: WriteConfig, row: int, volts: np.ndarray, written: np.ndarray
) -> tuple[np.ndarray, dict[Role, float]]:
    """Currents of all cells, and powers by role, of a pulse into a row: the whole network by the nodal solver."""
    selected = np.zeros(SHAPE, dtype=bool)
    selected[row] = written
    network = write_network(selected, config)
    solution = factor(network).solve(config.voltages(SHAPE, row, volts, written)[None])
    current = network.probed("channel", solution.node_voltages)[0] / config.r_channel
    return current, {role: float(solution.power[role][0]) for role in solution.power}


@pytest.mark.parametrize("config", CONFIGS, ids=named)
def test_every_cell_written_alone(config: WriteConfig) -> None:
    """Leakage through open switches of the other cells acts on the current; so do wires of unlike resistance."""
    solver = WriteSolver(*SHAPE, config)
    volts = np.ones(COLUMNS)
    for row, column in np.ndindex(SHAPE):
        current, power = anew(config, row, volts, np.arange(COLUMNS) == column)
        assert solver.conductance[row, column] == pytest.approx(current[row, column], rel=1e-9)
        for part, role in (("cells", Role.CELL), ("drivers", Role.DRIVER), ("select", Role.SWITCH)):
            found = solver.cell_power[part][row, column]
            # what leaks through the rows that are not driven counts with the wires
            assert found == pytest.approx(power.get(role, 0.0), rel=2e-3, abs=1e-12), part
        total = sum(solver.cell_power[part][row, column] for part in PARTS)
        assert total == pytest.approx(sum(power.values()), rel=1e-9)


@pytest.mark.parametrize("config", CONFIGS, ids=named)
def test_pulses_into_cells_of_a_row(config: WriteConfig) -> None:
    solver = WriteSolver(*SHAPE, config)
    volts = np.array([[5.0, 6.0, 7.0, 8.0], [-4.0, -3.0, -2.0, -1.0]])
    written = np.array([[False, False, True, False], [True, False, False, False]])
    for row in range(ROWS):
        found = solver.row_pulses(row, volts, written)
        for number in range(2):
            current, power = anew(config, row, volts[number], written[number])
            expected = np.where(written[number], current[row], 0.0)
            np.testing.assert_allclose(found.current[number], expected, rtol=1e-9, atol=0)
            assert found.source_power[number] == pytest.approx(sum(power.values()), rel=1e-9)
            assert sum(found.power[part][number] for part in PARTS) == pytest.approx(
                sum(power.values()), rel=1e-9
            )


def test_rows_at_once_get_the_currents_that_are_wanted() -> None:
    config = replace(CROSSED, order=Order.ROW)
    solver = WriteSolver(*SHAPE, config)
    wanted = np.array([3e-3, 99.0, -5e-3, 7e-3])
    written = np.array([True, False, True, True])
    for row in range(ROWS):
        volts = solver.row_volts(row, wanted, written)
        assert volts[1] == 0.0
        current, _ = anew(config, row, volts, written)
        np.testing.assert_allclose(current[row, written], wanted[written], rtol=1e-9)
        found = solver.row_pulses(row, volts[None], written[None])
        np.testing.assert_allclose(found.current[0], np.where(written, wanted, 0.0), rtol=1e-9, atol=0)


@pytest.mark.parametrize("config", [*CONFIGS, replace(CROSSED, order=Order.ROW)], ids=named)
def test_powers_of_all_cells_are_those_of_the_nodal_solution(config: WriteConfig) -> None:
    solver = WriteSolver(*SHAPE, config)
    selected = np.zeros(SHAPE, dtype=bool)
    selected[1, 2] = True
    inputs = np.stack([config.voltages(SHAPE, 1, np.full(COLUMNS, v), selected[1]) for v in (6.0, -3.0)])
    network = write_network(selected, config)
    solution = factor(network).solve(inputs)
    found: list[Pulses] = [solver.full_pulses(inputs, selected)]
    if not config.isolated:
        found.append(solver.shared_pulses(inputs))
    for one in found:
        current = network.probed("channel", solution.node_voltages) / config.r_channel
        np.testing.assert_allclose(one.current, current, rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(one.source_power, solution.source_power, rtol=1e-9)
        for part, role in zip(PARTS, (Role.CELL, Role.SWITCH, Role.WIRE, Role.DRIVER), strict=True):
            expected = solution.power.get(role, np.zeros(2))
            np.testing.assert_allclose(one.power[part], expected, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize(
    ("config", "siemens"),
    [
        (replace(CROSSED, r_select_on=20.0, r_select_off=100.0), 0.04),
        (replace(SERIAL, r_select_on=20.0, r_select_off=100.0), -0.04),  # a bypass opens
        (replace(CROSSED, scheme=BiasScheme.HALF_V), 0.0),
    ],
)
def test_the_switch_of_a_selected_cell_changes(config: WriteConfig, siemens: float) -> None:
    assert WriteSolver(1, 2, config).change == pytest.approx(siemens, rel=1e-12)


@pytest.mark.parametrize(
    ("config", "source", "coefficient", "ohm"),
    [
        (CROSSED, [0, 1, 2, 3, 4], [1, 1, 1, 1, 1], [50, 50, 1, 1, 1]),
        (replace(CROSSED, order=Order.ROW), [0, 1, 2, 3, 4], [1, 1, 1, 1, 1], [1, 1, 50, 50, 50]),
        (SERIAL, [0, 1, 0, 1], [1, 1, 0, 0], [50, 50, 1, 1]),
        (CONFIGS[3], [0, 1, 0, 1], [0.5, 0.5, -0.5, -0.5], [50, 50, 50, 50]),
    ],
    ids=lambda value: named(value) if isinstance(value, WriteConfig) else "",
)
def test_lines_of_two_rows_and_three_columns(
    config: WriteConfig, source: list[int], coefficient: list[float], ohm: list[float]
) -> None:
    found = lines(2, 3, config)
    np.testing.assert_array_equal(
        found.source[found.coefficient != 0], np.array(source)[found.coefficient != 0]
    )
    assert found.coefficient.tolist() == coefficient
    assert found.ohm.tolist() == ohm
    assert config.inputs(2, 3) == (5 if config.crossed else 2)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (CROSSED, [0, 6, 0, 0, 0]),
        (replace(CROSSED, scheme=BiasScheme.HALF_V), [3, 6, 3, 0, 3]),
        (replace(CROSSED, scheme=BiasScheme.THIRD_V), [2, 6, 4, 0, 4]),
        (CONFIGS[3], [0, 6]),
        (SERIAL, [0, 6]),
    ],
    ids=lambda value: named(value) if isinstance(value, WriteConfig) else "",
)
def test_voltages_of_a_pulse_into_the_middle_of_the_second_row(
    config: WriteConfig, expected: list[float]
) -> None:
    written = np.array([False, True, False])
    found = config.voltages((2, 3), 1, np.array([1.0, 6.0, 2.0]), written)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    if config.isolated and config.crossed:
        both = np.array([True, False, True])
        row = replace(config, order=Order.ROW).voltages((2, 3), 1, np.array([1.0, 6.0, 2.0]), both)
        assert row.tolist() == [0.0, 0.0, -1.0, 0.0, -2.0]


def test_a_config_by_default() -> None:
    found = WriteConfig(architecture=Architecture.RESISTIVE)
    assert (found.scheme, found.order) == (BiasScheme.ONE_TRANSISTOR, Order.CELL)
    assert (found.r_row, found.r_column, found.r_output, found.r_return) == (0.01, 0.01, 50.0, 1.0)
    assert (found.r_channel, found.r_select_on, found.r_select_off) == (500.0, 20.0, 1e9)
    assert (found.v_compliance, found.efficiency) == (10.0, 1.0)


@pytest.mark.parametrize(
    "name", ["r_output", "r_return", "r_channel", "r_select_on", "r_select_off", "v_compliance"]
)
@pytest.mark.parametrize("wrong", [0.0, -1.0, np.inf, np.nan])
def test_resistances_and_voltages_are_positive(name: str, wrong: float) -> None:
    unit = "V" if name == "v_compliance" else "Ohm"
    with pytest.raises(ValueError, match=rf"{name} = {wrong} {unit}, allowed: 0 < value < inf"):
        replace(CROSSED, **{name: wrong})
    assert getattr(
        replace(CROSSED, r_select_off=1.5e300, **({} if name == "r_select_off" else {name: 0.5})), name
    )


@pytest.mark.parametrize("name", ["r_row", "r_column"])
def test_wires_may_be_without_resistance(name: str) -> None:
    assert getattr(replace(CROSSED, **{name: 0.0}), name) == 0.0
    for wrong in (-1e-9, np.inf, np.nan):
        with pytest.raises(ValueError, match=rf"{name} = {wrong} Ohm, allowed: 0 <= value < inf"):
            replace(CROSSED, **{name: wrong})


@pytest.mark.parametrize(("off", "works"), [(20.0, False), (19.0, False), (20.5, True)])
def test_an_open_switch_resists_more_than_a_closed_one(off: float, works: bool) -> None:
    if works:
        assert replace(CROSSED, r_select_off=off).r_select_off == off
    else:
        with pytest.raises(ValueError, match="allowed: above r_select_on"):
            replace(CROSSED, r_select_off=off)


def test_a_whole_efficiency_is_allowed() -> None:
    assert replace(CROSSED, efficiency=1.0).efficiency == 1.0
    assert replace(CROSSED, efficiency=1e-3).efficiency == 1e-3


def test_which_configs_have_which_parts() -> None:
    assert [config.crossed for config in CONFIGS] == [True, True, True, False, False]
    assert [config.serial for config in CONFIGS] == [False, False, False, False, True]
    assert [config.isolated for config in CONFIGS] == [True, False, False, True, True]
    assert CROSSED.r_line == (50.0, 1.0)
    assert replace(CROSSED, order=Order.ROW).r_line == (1.0, 50.0)
    with pytest.raises(ValueError, match="order = row with half_v on resistive"):
        replace(CROSSED, scheme=BiasScheme.HALF_V, order=Order.ROW)
    assert schemes(Architecture.SERIES_HALL) == ()
