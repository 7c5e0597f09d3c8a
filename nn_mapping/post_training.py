"""Levels for a network that was trained without them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nn_mapping.levels import nearest_level

if TYPE_CHECKING:
    from compact_model.numeric import Floats
    from nn_mapping.trained import TrainedNetwork

_SHARES = np.linspace(0.15, 1.2, 64)


def best_scale(weights: NDArray[np.floating], levels: Floats) -> float:
    """Weight that a level of 1 should stand for: the one with the least squared error of the nearest levels.

    It is searched from 0.15 to 1.2 of the largest weight.

    Examples
    --------
    >>> round(best_scale(np.array([-0.3, 0.0, 0.3]), np.array([-1.0, 0.0, 1.0])), 2)
    0.3
    """
    largest = float(np.abs(weights).max())
    if largest == 0:
        return 1.0
    flat = weights.ravel()

    def error(scale: float) -> float:
        return float(np.sum((scale * levels[nearest_level(flat / scale, levels)] - flat) ** 2))

    return min((largest * float(share) for share in _SHARES), key=error)


def quantised(network: TrainedNetwork, levels: Floats) -> TrainedNetwork:
    """Put free weights on the nearest levels; the scale of each layer goes into its gain.

    Nearly free of loss with the 23 weights of a differential pair, and not with six levels that have no zero: those
    want a training of their own.
    """
    layers = []
    for layer in network.layers:
        scale = best_scale(layer.weights, levels)
        index = nearest_level(layer.weights / scale, levels)
        layers.append(
            replace(
                layer,
                weights=levels.astype(np.float32)[index],
                weight_index=index,
                gain=(layer.gain * scale).astype(np.float32),
            )
        )
    return replace(network, layers=tuple(layers), levels=levels)
