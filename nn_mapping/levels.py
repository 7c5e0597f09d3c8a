"""Level sets: which weights a device with a few stable resistances can hold, and how they are stored."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from compact_model.numeric import Floats, Ints

if TYPE_CHECKING:
    from collections.abc import Sequence


PAPER_LEVELS_OHM = (0.33, 0.46, 0.49, 0.52, 0.54, 0.57)
"""Stable Hall resistances [Ohm] of the six-state synapse (arXiv:2601.16222, text to Fig. 4)."""

MOST_LEVELS = 256
"""Of a device: a byte numbers them."""
MOST_COMBINATIONS = 1 << 16
"""Of the slices of a weight: two bytes number them."""
_SAME = 1e-9  # two differences closer than this share of the window are one weight


class WeightScheme(StrEnum):
    """How a signed weight is made of what cells can hold."""

    REFERENCE = "reference"
    """One cell per weight; the mean of two uniform columns of each tile is subtracted."""
    DIFFERENTIAL = "differential"
    """Two cells per weight, in neighbouring columns that are subtracted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelSet:
    """The weights that one synapse can hold, in ascending order, and the device levels that make them.

    A slice holds ``(R_plus - R_minus) / scale`` as a pair and ``(R_plus - r_reference) / scale`` as a single cell,
    where `r_reference` is what the two reference columns give on average. The weight is the sum of its slices, each
    times its share; most sets have one slice.
    """

    scheme: WeightScheme
    levels_ohm: Floats
    """Device levels, ascending: Hall resistances [Ohm], or conductances of two-terminal cells [S]."""
    weights: Floats
    """Weights in [-1, 1], ascending, shape (count,)."""
    plus: Ints
    """Device level of the (positive) cell of each slice for each weight, shape (count, slices)."""
    minus: Ints
    """Device level of the negative cell, shape (count, slices); for single cells the two reference levels (2,)."""
    scale: float
    """Resistance that stands for a 1 in a slice [Ohm]."""
    shares: Floats = field(default_factory=lambda: np.ones(1))
    """What a 1 in each slice adds to the weight: significances over their sum, shape (slices,)."""

    @property
    def slices(self) -> int:
        """Slices of a weight: in columns of their own, converted on their own, added digitally."""
        return len(self.shares)

    @property
    def r_reference(self) -> float:
        """Resistance [Ohm] that is subtracted from a single cell; 0 for pairs."""
        return float(self.levels_ohm[self.minus].mean()) if self.scheme is WeightScheme.REFERENCE else 0.0


def single_levels(levels_ohm: Sequence[float] | Floats, r_reference: float | None = None) -> LevelSet:
    """Weights of one cell against two reference columns.

    Parameters
    ----------
    levels_ohm
        Device levels [Ohm], 2 to 256, all different; Hall resistances may have both signs.
    r_reference
        Wanted reference [Ohm]; default the middle of the window, which lowest and highest level give exactly.
        The pair of levels whose mean comes nearest is used, and **its** mean is the zero of the weights: a
        residual against the wanted value moves the weights, never the result.

    Examples
    --------
    >>> levels = single_levels(PAPER_LEVELS_OHM)
    >>> levels.weights.round(4).tolist()
    [-1.0, 0.0833, 0.3333, 0.5833, 0.75, 1.0]
    >>> moved = single_levels(PAPER_LEVELS_OHM, r_reference=0.5)
    >>> moved.levels_ohm[moved.minus].tolist(), round(moved.r_reference, 6)
    ([0.46, 0.54], 0.5)
    """
    ohm = _ascending(levels_ohm)
    low, high = np.triu_indices(len(ohm), k=0)
    wanted = (ohm[0] + ohm[-1]) / 2 if r_reference is None else r_reference
    if not ohm[0] <= wanted <= ohm[-1]:
        raise ValueError(f"r_reference = {wanted} Ohm is outside the levels [{ohm[0]}, {ohm[-1]}] Ohm")
    miss = np.abs((ohm[low] + ohm[high]) / 2 - wanted)
    # Among equally good pairs take the widest, which is the same for every reading of "the middle": it comes first.
    best = np.argmin(np.round(miss / (ohm[-1] - ohm[0]), 9))
    minus = np.array([low[best], high[best]], dtype=np.intp)
    deviation = ohm - ohm[minus].mean()
    scale = float(np.abs(deviation).max())
    return LevelSet(
        scheme=WeightScheme.REFERENCE,
        levels_ohm=ohm,
        weights=deviation / scale,
        plus=np.arange(len(ohm))[:, None],
        minus=minus,
        scale=scale,
    )


def pair_levels(levels_ohm: Sequence[float] | Floats) -> LevelSet:
    """Weights of a differential pair: every difference of two levels over the window.

    When several pairs of levels give one difference, the pair of the lowest levels is used: the fewest and
    smallest write pulses, and a zero is two untouched cells.

    Examples
    --------
    >>> pairs = pair_levels(PAPER_LEVELS_OHM)
    >>> len(pairs.weights), float(pairs.weights[11]), pairs.plus[11].tolist(), pairs.minus[11].tolist()
    (23, 0.0, [0], [0])
    """
    ohm = _ascending(levels_ohm)
    scale = float(ohm[-1] - ohm[0])
    plus, minus = (axis.ravel() for axis in np.indices((len(ohm), len(ohm))))
    weights = (ohm[plus] - ohm[minus]) / scale
    kept = _distinct(weights, plus)  # the lower one of two pairs of a difference is lower in both levels
    return LevelSet(
        scheme=WeightScheme.DIFFERENTIAL,
        levels_ohm=ohm,
        weights=weights[kept],
        plus=plus[kept, None],
        minus=minus[kept, None],
        scale=scale,
    )


def sliced_levels(levels: LevelSet, significance: Sequence[float]) -> LevelSet:
    """Weights of several slices, each of which holds one of the given levels.

    A weight is ``sum(significance * slice) / sum(significance)``: every sum that the slices make, of binary
    significance (1, 2, 4) or any other. When several combinations give one sum, the one with the lowest device levels
    is used, added over all cells; among equally low ones, the one that is lowest in the first slice.

    Parameters
    ----------
    levels
        Of one slice: `single_levels` or `pair_levels`.
    significance
        What a slice counts, relative to the others; positive.

    Raises
    ------
    ValueError
        For levels that have slices already, a significance that is not positive, and more than 65,536 combinations.

    Examples
    --------
    >>> two = sliced_levels(single_levels([0.0, 0.2, 0.4, 0.6, 0.8, 1.0]), (6, 1))
    >>> len(two.weights), (35 * two.weights[[0, 1, 2, 35]]).round(9).tolist(), two.plus[[1, 34]].tolist()
    (36, [-35.0, -33.0, -31.0, 35.0], [[0, 1], [5, 4]])
    """
    factors = np.array(significance, dtype=np.float64)
    if levels.slices > 1:
        raise ValueError(f"the levels have {levels.slices} slices already, allowed: levels of one slice")
    if factors.ndim != 1 or not len(factors) or not ((factors > 0) & np.isfinite(factors)).all():
        raise ValueError(
            f"significance of slices = {significance}, allowed: a list of values, 0 < value < inf"
        )
    count = len(levels.weights)
    if count ** len(factors) > MOST_COMBINATIONS:
        raise ValueError(
            f"{len(factors)} slices of {count} levels have {count ** len(factors)} combinations, allowed: up to "
            f"{MOST_COMBINATIONS}; take fewer slices or levels"
        )
    digits = np.indices((count,) * len(factors)).reshape(len(factors), -1).T
    shares = factors / factors.sum()
    weights = levels.weights[digits] @ shares
    pair = levels.scheme is WeightScheme.DIFFERENTIAL
    plus = levels.plus[digits, 0]
    minus = levels.minus[digits, 0] if pair else np.zeros_like(plus)
    kept = _distinct(weights, (plus + minus).sum(axis=1))
    return replace(
        levels,
        weights=weights[kept],
        plus=plus[kept],
        minus=minus[kept] if pair else levels.minus,
        shares=shares,
    )


def level_set(
    scheme: WeightScheme | str, levels_ohm: Sequence[float] | Floats, r_reference: float | None = None
) -> LevelSet:
    """Return `single_levels` or `pair_levels` by the name of the scheme."""
    if WeightScheme(scheme) is WeightScheme.REFERENCE:
        return single_levels(levels_ohm, r_reference)
    if r_reference is not None:
        raise ValueError(f"r_reference = {r_reference} Ohm belongs to scheme 'reference'; a pair has none")
    return pair_levels(levels_ohm)


def nearest_level(weights: NDArray[np.floating], levels: Floats) -> NDArray[np.uint8 | np.uint16]:
    """Index of the level nearest to each weight (levels ascending, at most 65536); bytes where they are enough."""
    middles = (levels[1:] + levels[:-1]) / 2
    return np.searchsorted(middles, weights).astype(np.uint8 if len(levels) <= MOST_LEVELS else np.uint16)


def _distinct(weights: Floats, burden: Ints) -> Ints:
    """Places of different weights, ascending: of equal ones, that of the least burden, and the first among these."""
    order = np.lexsort((burden, np.round(weights / _SAME)))
    first = np.concatenate([[True], np.diff(np.round(weights[order] / _SAME)) > 1])
    return np.asarray(order[first])


def _ascending(levels_ohm: Sequence[float] | Floats) -> Floats:
    ohm = np.sort(np.asarray(levels_ohm, dtype=np.float64))
    if ohm.ndim != 1 or not 2 <= len(ohm) <= MOST_LEVELS:
        raise ValueError(f"levels_ohm = {levels_ohm}: expected a list of 2 to {MOST_LEVELS} levels")
    if not np.isfinite(ohm).all() or np.diff(ohm).min() <= 0:
        raise ValueError(f"levels_ohm = {ohm.tolist()} Ohm: expected finite, different levels")
    return ohm
