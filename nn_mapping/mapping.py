"""Layers cut into tiles: which cell of which array holds which weight."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from circuits.arrays.crossbar import ideal_transfer
from nn_mapping.levels import WeightScheme

if TYPE_CHECKING:
    from circuits.arrays.config import ArrayConfig
    from compact_model.numeric import Floats
    from nn_mapping.levels import LevelSet

LevelIndices = NDArray[np.uint8]

REFERENCE_COLUMNS = 2
"""Columns of a tile that hold its reference, each uniform at one level."""


def outputs_of_tile(columns: int, level_set: LevelSet) -> int:
    """Outputs that a tile of so many columns gives: of all but the reference, or of pairs, each with all its slices."""
    single = level_set.scheme is WeightScheme.REFERENCE
    return (columns - REFERENCE_COLUMNS if single else columns // 2) // level_set.slices


def checked_tile(tile: tuple[int, int], level_set: LevelSet) -> None:
    """ValueError when a tile of (rows, columns) holds no weight."""
    rows, columns = tile
    if rows < 1 or outputs_of_tile(columns, level_set) < 1:
        slices = level_set.slices
        least = slices + REFERENCE_COLUMNS if level_set.scheme is WeightScheme.REFERENCE else 2 * slices
        what = f"scheme '{level_set.scheme}'" + (f" in {slices} slices" if slices > 1 else "")
        raise ValueError(f"tile of {rows} x {columns}: {what} needs at least 1 row and {least} columns")


def split_evenly(count: int, most: int) -> list[slice]:
    """Cut `count` into the fewest parts of at most `most`, whose sizes differ by at most one.

    Examples
    --------
    >>> [part.stop - part.start for part in split_evenly(10, 4)]
    [4, 3, 3]
    """
    parts = -(-count // most)
    small, larger = divmod(count, parts)
    edges = np.cumsum([0] + [small + (part < larger) for part in range(parts)]).tolist()
    return [slice(start, stop) for start, stop in pairwise(edges)]


def place(weight_index: NDArray[np.uint8 | np.uint16], level_set: LevelSet) -> LevelIndices:
    """Device levels (rows, columns) of weights (outputs, inputs): where torch's order becomes the array's.

    Inputs become rows. The slices of an output are neighbours. A reference scheme appends its two reference columns, a
    differential one puts the positive and the negative cell of a slice into neighbouring columns.

    Examples
    --------
    >>> from nn_mapping.levels import PAPER_LEVELS_OHM, pair_levels, single_levels
    >>> weights = np.array([[0, 5, 1]], dtype=np.uint8)  # one output, three inputs: -1, 1, 1/12
    >>> place(weights, single_levels(PAPER_LEVELS_OHM)).tolist()
    [[0, 0, 5], [5, 0, 5], [1, 0, 5]]
    >>> place(np.array([[22, 11]], dtype=np.uint8), pair_levels(PAPER_LEVELS_OHM)).tolist()  # 1, 0
    [[5, 0], [0, 0]]
    """
    by_row = weight_index.T
    if level_set.scheme is WeightScheme.REFERENCE:
        reference = np.broadcast_to(level_set.minus, (len(by_row), REFERENCE_COLUMNS))
        return np.hstack([level_set.plus[by_row].reshape(len(by_row), -1), reference]).astype(np.uint8)
    pairs = np.stack([level_set.plus[by_row], level_set.minus[by_row]], axis=3)
    return pairs.reshape(len(by_row), -1).astype(np.uint8)


def combination(columns: int, level_set: LevelSet) -> Floats:
    """Return the matrix (outputs, columns) that turns column currents into signed outputs, one for each slice.

    Examples
    --------
    >>> from nn_mapping.levels import PAPER_LEVELS_OHM, pair_levels, single_levels
    >>> combination(4, single_levels(PAPER_LEVELS_OHM)).tolist()
    [[1.0, 0.0, -0.5, -0.5], [0.0, 1.0, -0.5, -0.5]]
    >>> combination(4, pair_levels(PAPER_LEVELS_OHM)).tolist()
    [[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]]
    """
    if level_set.scheme is WeightScheme.REFERENCE:
        outputs = columns - REFERENCE_COLUMNS
        return np.hstack([np.eye(outputs), np.full((outputs, REFERENCE_COLUMNS), -1 / REFERENCE_COLUMNS)])
    pairs = np.zeros((columns // 2, columns))
    output = np.arange(columns // 2)
    pairs[output, 2 * output], pairs[output, 2 * output + 1] = 1.0, -1.0
    return pairs


def resistive_states(levels_ohm: Floats, r_low: float, r_high: float) -> Floats:
    """Cell resistances [Ohm] of a two-terminal array whose conductance is linear in the levels.

    The lowest level becomes `r_high`, the highest `r_low`: a stand-in for a two-terminal read-out of the same
    states (assumed; the Hall bar itself has none).

    Examples
    --------
    >>> resistive_states(np.array([0.33, 0.45, 0.57]), r_low=1e4, r_high=1e5).round().tolist()
    [100000.0, 18182.0, 10000.0]
    """
    if not 0 < r_low < r_high:
        raise ValueError(f"r_low = {r_low} Ohm, r_high = {r_high} Ohm: expected 0 < r_low < r_high")
    share = (levels_ohm - levels_ohm.min()) / np.ptp(levels_ohm)
    conductance = 1 / r_high + share * (1 / r_low - 1 / r_high)
    return np.asarray(1 / conductance, dtype=np.float64)


def output_per_weight(level_set: LevelSet, state_ohm: Floats, config: ArrayConfig, rows: int = 1) -> float:
    """Ideal output per input that stands for a weight of 1, in a tile of so many rows.

    Parameters
    ----------
    level_set, state_ohm
        The device levels and the state [Ohm] of each of them.
    config
        The array; only `passive_parallel`, whose columns give the mean over their rows, depends on `rows`.
    """
    per_level = ideal_transfer(np.tile(state_ohm, (rows, 1)), config).mean(axis=1)  # all rows alike
    levels = level_set.levels_ohm
    return float((per_level[-1] - per_level[0]) / (levels[-1] - levels[0]) * level_set.scale)
