"""Disturb: what the cells that are not written get, and how far it moves them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from circuits.write.solver import WriteSolver
from compact_model.hallbar import HallBar
from compact_model.numeric import Floats, Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturb:
    """What some write pulses did to the other cells; arrays are (rows, columns), 0 at written cells."""

    current: Floats  # of largest magnitude, with its sign [A]
    from_reset: Floats  # switched fraction gained by a cell that was at s = 0
    from_set: Floats  # switched fraction lost by a cell that was at s = 1
    written: Mask

    @property
    def worst(self) -> float:
        """Largest movement, either way."""
        return float(max(self.from_reset.max(initial=0.0), self.from_set.max(initial=0.0)))


def moved(device: HallBar, current: Floats, t_pulse: float, count: int = 1) -> Floats:
    """Switched fraction that `count` equal pulses move, from s = 0 by positive and from s = 1 by negative currents.

    Equal pulses act as one of their summed length, exactly, for the rate law.

    Examples
    --------
    >>> from compact_model.cards.device import load_card
    >>> from compact_model.hallbar import hall_bar
    >>> device = hall_bar(load_card(), grain_count=48)
    >>> moved(device, np.array([5.5e-3, 3.667e-3]), 200e-6).round(3).tolist()  # half and a third of 11 mA
    [0.021, 0.0]
    """
    magnitudes = np.abs(np.asarray(current, dtype=float))
    state, _ = device.trained(device.prepared(magnitudes.size), magnitudes.reshape(1, -1), count * t_pulse)
    fraction: Floats = device.fraction(state).reshape(magnitudes.shape)
    return fraction


def disturb(solver: WriteSolver, device: HallBar, t_pulse: float, pulses: Floats, count: int = 1) -> Disturb:
    """Write every cell whose current is not zero, `count` times, and see what happens to the others.

    Parameters
    ----------
    solver
        Currents of the array.
    device, t_pulse
        The cell, and the length of a pulse [s].
    pulses
        Current of the pulse into each cell, (rows, columns), 0: not written [A]. Rows are written first to last.
    count
        How often the whole is repeated, state kept.
    """
    return _effect(device, t_pulse, pulses, shares(solver, pulses.astype(bool)), count)


def _effect(device: HallBar, t_pulse: float, pulses: Floats, share: Floats, count: int = 1) -> Disturb:
    written = pulses != 0.0
    size = written.size
    currents = pulses.ravel()[written.ravel(), None] * share[written.ravel()]
    largest = np.zeros(size)
    states = [device.prepared(size), device.prepared(size)]
    states[1] = replace(states[1], s=np.ones_like(states[1].s))
    if len(currents):
        train = currents
        largest = train[np.abs(train).argmax(axis=0), np.arange(size)]
        train[:, written.ravel()] = 0.0
        for _ in range(count):
            states = [device.trained(state, train, t_pulse)[0] for state in states]
    reset, full = (device.fraction(state) for state in states)
    shape = written.shape
    return Disturb(
        current=np.where(written, 0.0, largest.reshape(shape)),
        from_reset=np.where(written, 0.0, reset.reshape(shape)),
        from_set=np.where(written, 0.0, 1.0 - full.reshape(shape)),
        written=written,
    )


def shares(solver: WriteSolver, written: Mask) -> Floats:
    """Current of every cell per current of a cell that is written alone, (cells, cells); 0 for cells not in `written`.

    Cell by cell: what an order by rows gives to the others is less.
    """
    size = written.size
    found = np.zeros((size, size))
    for row, column in np.argwhere(written).tolist():
        inputs = solver.cell_inputs(row, column, 1.0)[None]
        selected = np.zeros(written.shape, dtype=bool)
        selected[row, column] = True
        one = solver.full_pulses(inputs, selected) if solver.config.isolated else solver.shared_pulses(inputs)
        found[row * written.shape[1] + column] = (one.current[0] / one.current[0, row, column]).ravel()
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A pattern of writes and how far it moves the victim."""

    name: str
    victim: tuple[int, int]
    result: Disturb

    @property
    def movement(self) -> float:
        """Of the victim, in fraction of the window."""
        row, column = self.victim
        return float(max(self.result.from_reset[row, column], self.result.from_set[row, column]))


def worst_pattern(
    solver: WriteSolver, device: HallBar, t_pulse: float, current: float, generator: np.random.Generator
) -> Pattern:
    """The pattern of writes that moves a kept cell most, among those that can be worst.

    A victim sees pulses of one sign from its own row and column and, with V/3, of the other sign from everywhere
    else, and each acts the more the larger it is. So the extremes are: all others written with the largest pulse;
    only row and column; only the rest. A checkerboard and a random half are tried beside them, for victims in the
    four corners and in the middle.
    """
    rows, columns = solver.shape
    corners = {(r, c) for r in (0, rows // 2, rows - 1) for c in (0, columns // 2, columns - 1)}
    best: Pattern | None = None
    share = shares(solver, np.ones((rows, columns), dtype=bool))
    for row, column in sorted(corners):
        cross = np.zeros((rows, columns), dtype=bool)
        cross[row] = cross[:, column] = True
        board = np.add.outer(np.arange(rows), np.arange(columns)) % 2 == 1
        candidates = {
            "all others": np.ones((rows, columns), dtype=bool),
            "its row and column": cross,
            "all but its row and column": ~cross,
            "checkerboard": board,
            "random half": generator.random((rows, columns)) < 0.5,
        }
        for name, mask in candidates.items():
            mask[row, column] = False
            result = _effect(device, t_pulse, np.where(mask, current, 0.0), share)
            found = Pattern(name=name, victim=(row, column), result=result)
            if best is None or found.movement > best.movement:
                best = found
    assert best is not None  # there is always a victim
    return best
