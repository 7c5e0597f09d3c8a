"""An array in the compact model: which current moves which cell, what it costs, and what is broken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from circuits.arrays.architecture import Architecture
from circuits.write import writing
from circuits.write.circuit import PARTS, write_network
from circuits.write.faults import SMALLEST_THRESHOLD, FaultRates, Faults
from circuits.write.plant import ModelPlant
from circuits.write.scheme import BiasScheme, Order, WriteConfig
from circuits.write.solver import WriteSolver
from circuits.write.write_verify import WriteOutcome, WriteRecipe
from compact_model.cards.device import load_card
from compact_model.hallbar import hall_bar

T_PULSE = 200e-6
DEVICE = hall_bar(load_card(), grain_count=6)
SHAPE = ROWS, COLUMNS = 2, 3
CROSSED = WriteConfig(architecture=Architecture.RESISTIVE, r_row=3.0, r_column=2.0)
WRITTEN = np.array([[False, True, False], [True, False, True]])
VOLTS = np.array([[9.0, 7.0, 9.0], [6.0, 9.0, 8.0]])


def plant(config: WriteConfig = CROSSED, **changes: Any) -> ModelPlant:
    return ModelPlant(solver=WriteSolver(*SHAPE, config), device=DEVICE, t_pulse=T_PULSE, **changes)


def after(*trains: np.ndarray) -> np.ndarray:
    """Hall resistance of the cells after pulses of a current each, (rows, columns); zero: none."""
    state = DEVICE.prepared(ROWS * COLUMNS)
    for currents in trains:
        moved = DEVICE.trained(state, currents.reshape(1, -1), T_PULSE)[0].s
        state = replace(state, s=np.where((currents.ravel() != 0.0)[:, None], moved, state.s))
    fraction = DEVICE.fraction(state).reshape(SHAPE)
    return np.asarray(DEVICE.r_reset + DEVICE.law.delta_r * fraction)


@pytest.mark.parametrize("order", list(Order))
def test_written_cells_get_their_currents(order: Order) -> None:
    """What other rows leak counts with the wires, so powers are right to some 1e-5."""
    config = replace(CROSSED, order=order)
    one = plant(config)
    found = one.pulse(VOLTS, WRITTEN)
    current = np.zeros(SHAPE)
    energy = {part: np.zeros(ROWS) for part in PARTS}
    groups = [(0, [1]), (1, [0]), (1, [2])] if order is Order.CELL else [(0, [1]), (1, [0, 2])]
    for row, columns in groups:
        selected = np.zeros(SHAPE, dtype=bool)
        selected[row, columns] = True
        pulses = one.solver.full_pulses(
            config.voltages(SHAPE, row, VOLTS[row], selected[row])[None], selected
        )
        current = np.where(selected, pulses.current[0], current)
        for part in PARTS:
            energy[part][row] += pulses.power[part][0] * T_PULSE
    np.testing.assert_allclose(found.current, current, rtol=1e-8, atol=0)
    for part in PARTS:
        np.testing.assert_allclose(found.energy[part], energy[part], rtol=2e-3 if part == "wires" else 1e-4)
    assert found.time == pytest.approx(len(groups) * T_PULSE)
    assert not found.limited.any()
    np.testing.assert_allclose(one.read(), after(current), rtol=1e-9)
    again = one.pulse(0.9 * VOLTS, WRITTEN)
    np.testing.assert_allclose(again.current, 0.9 * current, rtol=1e-8, atol=0)
    np.testing.assert_allclose(one.read(), after(current, 0.9 * current), rtol=1e-9)
    assert one.read()[1, 2] > one.read()[1, 1] == pytest.approx(DEVICE.r_reset, rel=1e-12)
    one.saturate()
    assert one.s.shape == (6, 6)
    np.testing.assert_allclose(one.read(), DEVICE.r_reset, rtol=1e-12)


@pytest.mark.parametrize("scheme", [BiasScheme.HALF_V, BiasScheme.THIRD_V])
def test_pulses_that_all_cells_see(scheme: BiasScheme) -> None:
    config = replace(CROSSED, scheme=scheme)
    one = plant(config)
    found = one.pulse(VOLTS, WRITTEN)
    trains, own = [], np.zeros(SHAPE)
    energy = {part: np.zeros(ROWS) for part in PARTS}
    for row, column in ((0, 1), (1, 0), (1, 2)):
        inputs = one.solver.cell_inputs(row, column, VOLTS[row, column])[None]
        pulses = one.solver.full_pulses(inputs, np.zeros(SHAPE, bool))
        trains.append(pulses.current[0])
        own[row, column] = pulses.current[0, row, column]
        for part in PARTS:
            energy[part][row] += pulses.power[part][0] * T_PULSE
    np.testing.assert_allclose(found.current, own, rtol=1e-9, atol=0)
    for part in PARTS:
        np.testing.assert_allclose(found.energy[part], energy[part], rtol=1e-7, atol=1e-15)
    assert found.time == pytest.approx(3 * T_PULSE)
    np.testing.assert_allclose(one.read(), after(*trains), rtol=1e-9)


def test_drivers_that_do_not_know_the_wires() -> None:
    current = np.array([[1e-3, 2e-3, 3e-3], [4e-3, 5e-3, 6e-3]])
    every = np.ones(SHAPE, dtype=bool)
    plain = plant(compensated=False).volts(current, every)
    np.testing.assert_allclose(plain, 571.0 * current, rtol=1e-12)
    known = plant().volts(current, every)
    np.testing.assert_allclose(known * plant().solver.conductance, current, rtol=1e-12)
    rows = plant(replace(CROSSED, order=Order.ROW))
    volts = rows.volts(current, WRITTEN)
    assert (volts[~WRITTEN] == 0.0).all()
    np.testing.assert_allclose(rows.pulse(volts, WRITTEN).current, np.where(WRITTEN, current, 0.0), rtol=1e-9)
    empty = np.array([[False, False, False], [False, True, False]])
    assert (rows.volts(current, empty)[0] == 0.0).all()


def test_limits_of_the_driver() -> None:
    one = plant(replace(CROSSED, v_compliance=7.0))
    volts = np.array([[-9.0, -6.0, 7.0], [7.0 * (1 + 1.5e-12), 7.0 * (1 + 0.5e-12), 8.0]])
    written = np.array([[True, True, True], [True, True, False]])
    applied, limited = one.within_compliance(volts, written)
    assert applied.tolist() == [[-7.0, -6.0, 7.0], [7.0, 7.0, 0.0]]
    assert limited.tolist() == [[True, False, False], [True, False, False]]


def test_cells_that_need_more_current_or_vary_from_pulse_to_pulse() -> None:
    factor = np.array([[1.1, 0.9, 1.2], [1.05, 1.0, 0.95]])
    one = plant(faults=Faults(threshold=factor))
    current = one.pulse(VOLTS, WRITTEN).current
    np.testing.assert_allclose(one.read(), after(current / factor), rtol=1e-9)
    both = plant(faults=Faults(threshold=factor, cycle=0.05), generator=np.random.default_rng(4))
    both.pulse(VOLTS, WRITTEN)
    noise = np.ones(SHAPE)
    noise[WRITTEN] = 1 + 0.05 * np.random.default_rng(4).standard_normal(3)
    np.testing.assert_allclose(both.read(), after(current / factor / noise), rtol=1e-9)
    ordinary = plant(faults=Faults(cycle=0.05))
    ordinary.pulse(VOLTS, WRITTEN)
    noise[WRITTEN] = 1 + 0.05 * np.random.default_rng(0).standard_normal(3)
    np.testing.assert_allclose(ordinary.read(), after(current / noise), rtol=1e-9)


def test_stuck_cells() -> None:
    stuck = np.array([[np.nan, 0.25, np.nan], [1.0, np.nan, np.nan]])
    one = plant(faults=Faults(stuck=stuck))
    current = one.pulse(VOLTS, WRITTEN).current
    fraction = DEVICE.r_reset + DEVICE.law.delta_r * stuck
    np.testing.assert_allclose(one.read(), np.where(np.isnan(stuck), after(current), fraction), rtol=1e-9)


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize(
    "faults",
    [Faults(open_rows=(1,)), Faults(open_columns=(2,)), Faults(short_columns=(0,)), Faults(short_rows=(1,))],
)
def test_broken_lines(order: Order, faults: Faults) -> None:
    """Cells on them get nothing and cost nothing, but for the driver of a shorted line; their time passes."""
    config = replace(CROSSED, order=order)
    dead = faults.dead(SHAPE)
    one, sound = plant(config, faults=faults), plant(config)
    found, expected = one.pulse(VOLTS, WRITTEN), sound.pulse(VOLTS, WRITTEN & ~dead)
    np.testing.assert_allclose(found.current, np.where(dead, 0.0, expected.current), rtol=1e-12)
    np.testing.assert_allclose(one.read(), sound.read(), rtol=1e-12)
    for part in PARTS:
        more = np.zeros(ROWS)
        if part == "drivers" and order is Order.CELL and faults.short_rows:
            more[1] = (6.0**2 + 8.0**2) / 50 * T_PULSE
        if part == "drivers" and order is Order.ROW and faults.short_columns:  # columns are driven
            more = np.where(WRITTEN, VOLTS, 0.0)[:, 0] ** 2 / 50 * T_PULSE
            assert np.count_nonzero(more) == 1
        np.testing.assert_allclose(found.energy[part], expected.energy[part] + more, rtol=1e-12, atol=1e-18)
    assert found.time == pytest.approx((3 if order is Order.CELL else 2) * T_PULSE)
    with pytest.raises(ValueError, match="broken lines are followed only where"):
        plant(replace(CROSSED, scheme=BiasScheme.HALF_V), faults=faults)


def test_cells_on_broken_lines() -> None:
    found = Faults(open_rows=(0,), short_rows=(2,), open_columns=(1,), short_columns=(3,)).dead((4, 5))
    expected = np.zeros((4, 5), dtype=bool)
    expected[[0, 2]] = True
    expected[:, 1] = expected[:, 3] = True
    np.testing.assert_array_equal(found, expected)
    assert not Faults().dead((4, 5)).any()
    assert not Faults().lines
    for name in ("open_rows", "open_columns", "short_rows", "short_columns"):
        assert Faults(**{name: (0,)}).lines  # type: ignore[arg-type]
        assert Faults(**{name: (0,)}).dead((2, 3)).sum() == (3 if name.endswith("rows") else 2)  # type: ignore[arg-type]


def test_nothing_is_wrong_by_default() -> None:
    assert Faults() == Faults(stuck=None, threshold=None, cycle=0.0)
    rates = FaultRates()
    assert (rates.stuck, rates.device_spread, rates.cycle) == (0.0, 0.0, 0.0)
    assert rates.drawn(SHAPE, np.random.default_rng(0)) == Faults()


def test_drawn_faults() -> None:
    lines = {"open_rows": (0, 1, 2), "open_columns": (2, 3), "short_rows": (1, 2), "short_columns": (0, 3)}
    rates = FaultRates(stuck=0.5, device_spread=2.0, cycle=0.25, **lines)  # type: ignore[arg-type]
    found = rates.drawn(SHAPE, np.random.default_rng(6))
    random = np.random.default_rng(6)
    hit, at, spread = random.random(SHAPE) < 0.5, random.random(SHAPE), random.standard_normal(SHAPE)
    np.testing.assert_array_equal(found.stuck, np.where(hit, at, np.nan))
    np.testing.assert_allclose(found.threshold, np.maximum(1 + 2 * spread, 0.05), rtol=1e-12)
    assert (found.threshold == SMALLEST_THRESHOLD).any()
    assert (found.open_rows, found.open_columns) == ((0, 1), (2,))
    assert (found.short_rows, found.short_columns, found.cycle) == ((1,), (0,), 0.25)


def test_losses_of_the_driver_and_the_noise_of_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """At an efficiency of 0.8, a quarter of 1 + 2 + 3 + 4 J on top; verify reads have theirs already."""
    given: list[Any] = []

    def programmed(*arguments: Any) -> WriteOutcome:
        given.extend(arguments)
        nothing = np.zeros(SHAPE)
        energy = {**dict(zip(PARTS, (1.0, 2.0, 3.0, 4.0), strict=True)), "verify": 5.0}
        return WriteOutcome(
            target=nothing, achieved=nothing, verdict=nothing.astype(int), pulses=nothing.astype(int),
            resets=nothing.astype(int), largest_current=nothing, needed_volts=nothing,
            energy=energy, time=0.0, rounds=(),
        )  # fmt: skip

    monkeypatch.setattr(writing, "program", programmed)
    config = replace(CROSSED, efficiency=0.8, v_compliance=9.0)
    plan = writing.Writing(
        config=config, recipe=WriteRecipe(), curve="curve", ladder="ladder", device=DEVICE, t_pulse=T_PULSE,
        i_read=1e-3, compensated=False, fault_rates=FaultRates(cycle=0.125),
    )  # type: ignore[arg-type]  # fmt: skip
    made = plan.plant(WriteSolver(*SHAPE, config), np.random.default_rng(8))
    assert (made.t_pulse, made.compensated, made.faults, made.device) == (
        T_PULSE,
        False,
        Faults(cycle=0.125),
        DEVICE,
    )
    target = np.full(SHAPE, 0.4)
    done = plan.outcome(target, made, 17)
    assert done.energy == {
        "cells": 1.0, "select": 2.0, "wires": 3.0, "drivers": pytest.approx(4.0 + 2.5, rel=1e-12), "verify": 5.0,
    }  # fmt: skip
    assert given[0] is made
    assert given[1] is target
    assert given[2:6] == [plan.recipe, "curve", "ladder", 9.0]
    assert given[6].random() == np.random.default_rng([17, 1]).random()


def test_the_network_of_a_pulse_has_a_probe_of_every_channel() -> None:
    """Unit currents through the switches are further inputs."""
    selected = np.array([[False, True, False], [False, False, False]])
    for config in (CROSSED, replace(CROSSED, scheme=BiasScheme.HALF_V)):
        plain, probed = write_network(selected, config), write_network(selected, config, probes=True)
        assert (plain.n_inputs, probed.n_inputs) == (5, 5 + 6)
        assert probed.drive_coefficient[-6:].tolist() == [1.0] * 6
        assert probed.input_names[5:] == tuple(f"push{r}_{c}" for r in (0, 1) for c in (0, 1, 2))
        assert plain.probes["channel"].plus.shape == SHAPE
