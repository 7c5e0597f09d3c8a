"""What the other cells get when some are written, against one pulse after another by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from circuits.arrays.architecture import Architecture
from circuits.write import disturb as module
from circuits.write.circuit import write_network
from circuits.write.disturb import Disturb, Pattern, disturb, moved, shares, worst_pattern
from circuits.write.scheme import BiasScheme, WriteConfig
from circuits.write.solver import WriteSolver
from compact_model.cards.device import load_card
from compact_model.hallbar import hall_bar

T_PULSE = 200e-6
DEVICE = hall_bar(load_card(), grain_count=6)
CROSSED = WriteConfig(architecture=Architecture.RESISTIVE, r_row=5.0, r_column=3.0)
CONFIGS = [
    replace(CROSSED, scheme=BiasScheme.HALF_V),
    replace(CROSSED, scheme=BiasScheme.THIRD_V),
    replace(CROSSED, r_select_off=700.0),  # a bad switch
]
SHAPE = ROWS, COLUMNS = 2, 3
PULSES = np.array([[0.0, 13e-3, 0.0], [0.0, -14e-3, 12e-3]])


def one_after_another(config: WriteConfig, count: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Largest current of every cell, and the fractions from both ends: each pulse a solution of the whole network."""
    solver = WriteSolver(*SHAPE, config)
    states = [DEVICE.prepared(6), DEVICE.prepared(6)]
    states[1] = replace(states[1], s=np.ones_like(states[1].s))
    largest = np.zeros(6)
    for _ in range(count):
        for row, column in np.argwhere(PULSES != 0.0).tolist():
            selected = np.zeros(SHAPE, dtype=bool)
            selected[row, column] = config.isolated
            current = solver.full_pulses(solver.cell_inputs(row, column, 1.0)[None], selected).current[0]
            current = (current * PULSES[row, column] / current[row, column]).ravel()
            largest = np.where(np.abs(current) > np.abs(largest), current, largest)
            states = [DEVICE.trained(state, current[None], T_PULSE)[0] for state in states]
    return largest.reshape(SHAPE), [DEVICE.fraction(state).reshape(SHAPE) for state in states]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.scheme)
@pytest.mark.parametrize("count", [1, 3])
def test_pulses_into_three_cells_of_six(config: WriteConfig, count: int) -> None:
    largest, (reset, full) = one_after_another(config, count)
    found = disturb(WriteSolver(*SHAPE, config), DEVICE, T_PULSE, PULSES, count)
    kept = PULSES == 0.0
    np.testing.assert_array_equal(found.written, ~kept)
    np.testing.assert_allclose(found.current, np.where(kept, largest, 0.0), rtol=1e-9, atol=0)
    np.testing.assert_allclose(found.from_reset, np.where(kept, reset, 0.0), rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(found.from_set, np.where(kept, 1.0 - full, 0.0), rtol=1e-9, atol=1e-15)
    assert found.from_reset[kept].max() > 1e-3
    assert found.worst == max(found.from_reset.max(), found.from_set.max())
    assert [array.shape for array in (found.current, found.from_reset, found.from_set)] == [SHAPE] * 3


def test_an_array_that_is_not_written_stays() -> None:
    found = disturb(WriteSolver(*SHAPE, CONFIGS[0]), DEVICE, T_PULSE, np.zeros(SHAPE))
    assert not found.written.any()
    assert (found.current == 0.0).all()
    np.testing.assert_allclose([found.from_reset, found.from_set], 0.0, atol=1e-15)
    assert 0.0 <= found.worst < 1e-15


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.scheme)
def test_shares_of_a_written_cell(config: WriteConfig) -> None:
    written = PULSES != 0.0
    solver = WriteSolver(*SHAPE, config)
    found = shares(solver, written)
    assert found.shape == (6, 6)
    for row, column in np.ndindex(SHAPE):
        k = 3 * row + column
        if not written[row, column]:
            assert not found[k].any()
            continue
        selected = np.zeros(SHAPE, dtype=bool)
        selected[row, column] = config.isolated
        network = write_network(selected, config)
        current = solver.full_pulses(solver.cell_inputs(row, column, -7.0)[None], selected).current[0]
        np.testing.assert_allclose(found[k], (current / current[row, column]).ravel(), rtol=1e-9)
        assert network.n_outputs == 6 + 5


def test_equal_pulses_act_as_one_of_their_length() -> None:
    """Of either sign; one pulse where no number is said."""
    currents = np.array([[6e-3, -7e-3, 0.0], [8e-3, 9e-3, -10e-3]])
    state = DEVICE.prepared(6)
    for _ in range(4):
        state, _ = DEVICE.trained(state, np.abs(currents).reshape(1, 6), T_PULSE)
    found = moved(DEVICE, currents, T_PULSE, 4)
    np.testing.assert_allclose(found, DEVICE.fraction(state).reshape(2, 3), rtol=1e-9, atol=1e-15)
    once, _ = DEVICE.trained(DEVICE.prepared(6), np.abs(currents).reshape(1, 6), T_PULSE)
    np.testing.assert_array_equal(moved(DEVICE, currents, T_PULSE), DEVICE.fraction(once).reshape(2, 3))


def result(reset: np.ndarray, full: np.ndarray) -> Disturb:
    return Disturb(current=np.zeros_like(reset), from_reset=reset, from_set=full, written=reset < 0)


def test_the_movement_of_a_pattern_is_its_victims() -> None:
    reset, full = np.arange(6.0).reshape(SHAPE), 10.0 - 3 * np.arange(6.0).reshape(SHAPE)
    found = [
        Pattern(name="", victim=(r, c), result=result(reset, full)).movement for r, c in np.ndindex(SHAPE)
    ]
    assert found == [10.0, 7.0, 4.0, 3.0, 4.0, 5.0]
    assert result(reset, full).worst == 10.0
    assert result(full, reset).worst == 10.0


def test_patterns_that_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five for each of nine victims of an array of 5 x 4; the one that moves its victim most is told."""
    shape, current = (5, 4), 11e-3
    masks: list[np.ndarray] = []

    def effect(
        device: object, t_pulse: float, pulses: np.ndarray, share: np.ndarray, count: int = 1
    ) -> Disturb:
        assert (device, t_pulse, count, share.shape) == (DEVICE, T_PULSE, 1, (20, 20))
        assert set(np.unique(pulses)) <= {0.0, current}
        assert (np.abs(share).sum(axis=1) > 0).all()
        masks.append(pulses != 0.0)
        moves = np.full(shape, 0.1 if len(masks) != 28 else 0.2)  # third pattern of the sixth victim
        return result(moves, np.zeros(shape))

    monkeypatch.setattr(module, "_effect", effect)
    config = replace(CROSSED, scheme=BiasScheme.HALF_V)
    best = worst_pattern(WriteSolver(*shape, config), DEVICE, T_PULSE, current, np.random.default_rng(7))
    victims = [(row, column) for row in (0, 2, 4) for column in (0, 2, 3)]
    random = np.random.default_rng(7)
    board = np.array([[0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1]], dtype=bool)
    found = iter(masks)
    for row, column in victims:
        at = np.indices(shape)
        cross = (at[0] == row) | (at[1] == column)
        for mask in (np.ones(shape, bool), cross, ~cross, board, random.random(shape) < 0.5):
            expected = mask.copy()
            expected[row, column] = False
            np.testing.assert_array_equal(next(found), expected)
    assert next(found, None) is None
    assert (best.name, best.victim, best.movement) == ("all but its row and column", (2, 3), 0.2)


def test_where_all_cells_are_written_none_moves() -> None:
    config = replace(CROSSED, scheme=BiasScheme.HALF_V)
    for pulses in (np.array([[13e-3]]), np.array([[13e-3, -12e-3]])):
        found = disturb(WriteSolver(*pulses.shape, config), DEVICE, T_PULSE, pulses)
        assert found.written.all()
        assert not np.any([found.current, found.from_reset, found.from_set])
    one = worst_pattern(WriteSolver(1, 1, config), DEVICE, T_PULSE, 13e-3, np.random.default_rng(0))
    assert one.movement == pytest.approx(0.0, abs=1e-15)
