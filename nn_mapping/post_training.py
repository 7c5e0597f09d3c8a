"""Levels for a network that was trained without them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nn_mapping.levels import nearest_level

if TYPE_CHECKING:
    from compact_model.numeric import Floats

_SHARES = np.linspace(0.15, 1.2, 64)
_SAME = 1e-6  # of the largest weight: rounding to single precision


def best_scale(weights: NDArray[np.floating], levels: Floats) -> float:
    """Weight that a level of 1 should stand for: the one with the least squared error of the nearest levels.

    It is searched from 0.15 to 1.2 of the largest weight; weights that are levels already stay what they are: 1.

    Examples
    --------
    >>> round(best_scale(np.array([-0.3, 0.0, 0.3]), np.array([-1.0, 0.0, 1.0])), 2)
    0.3
    """
    largest = float(np.abs(weights).max())
    if largest == 0:
        return 1.0
    flat = weights.ravel()
    if np.abs(levels[nearest_level(flat, levels)] - flat).max() <= _SAME * largest:
        return 1.0

    def error(scale: float) -> float:
        return float(np.sum((scale * levels[nearest_level(flat / scale, levels)] - flat) ** 2))

    return min((largest * float(share) for share in _SHARES), key=error)
