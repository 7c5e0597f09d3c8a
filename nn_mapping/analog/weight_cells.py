"""The cells behind a weight: which states they take for it, and how these move with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from nn_mapping.levels import WeightScheme

if TYPE_CHECKING:
    from circuits.arrays.config import ArrayConfig
    from compact_model.numeric import Floats
    from nn_mapping.levels import LevelSet


class WeightCells(nn.Module):
    """States of cells [Ohm] for weights: of the nearest level, and what the weight has more or less than that.

    Slices share a change of their weight in proportion to their significance, a pair shares that of its slice equally
    between its cells: the smallest change of all cells that makes it. Hall resistances are linear in the weight, and
    so are conductances of two-terminal cells.

    Examples
    --------
    >>> from circuits.arrays.config import ArrayConfig
    >>> from nn_mapping.levels import single_levels
    >>> levels = single_levels([0.3, 0.5, 0.6])
    >>> cells = WeightCells(levels, levels.levels_ohm, ArrayConfig(architecture="active_parallel"), torch.float64)
    >>> cells.tiles(torch.tensor([[[-1.0]], [[0.4]]])).round(decimals=3).tolist()
    [[[0.3, 0.3, 0.6]], [[0.51, 0.3, 0.6]]]
    """

    levels: Tensor
    middles: Tensor
    plus: Tensor
    minus: Tensor
    reference: Tensor
    slope: Tensor
    shares: Tensor

    def __init__(self, level_set: LevelSet, states: Floats, config: ArrayConfig, dtype: torch.dtype) -> None:
        super().__init__()
        self.pair = level_set.scheme is WeightScheme.DIFFERENTIAL
        self.crossed = config.architecture.crossed
        held = 1 / states if self.crossed else states
        ohm, weights = level_set.levels_ohm, level_set.weights
        per_weight = (held[-1] - held[0]) / (ohm[-1] - ohm[0]) * level_set.scale
        shares = level_set.shares
        tables = {
            "slope": (per_weight / 2 if self.pair else per_weight) * shares / (shares**2).sum(),
            "shares": shares,
            "levels": weights,
            "middles": (weights[1:] + weights[:-1]) / 2,
            "plus": held[level_set.plus],
            "minus" if self.pair else "reference": held[level_set.minus],
        }
        for name, table in tables.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(table)).to(dtype))

    def index(self, weights: Tensor) -> Tensor:
        """Number of the level nearest to each weight, any shape."""
        return torch.bucketize(weights.detach().contiguous(), self.middles)

    def nearest(self, latent: Tensor) -> Tensor:
        """Level nearest to each of the latent weights; its gradient is theirs, and ends at the outermost levels."""
        within = latent.clamp(self.levels[0], self.levels[-1])
        return self.levels[self.index(within)] + (within - within.detach())

    def tiles(self, weights: Tensor) -> Tensor:
        """States (tiles, rows, columns) of weights (tiles, rows, outputs), as `nn_mapping.mapping.place` has them."""
        index = self.index(weights)
        change = self.slope * (weights - self.levels[index]).unsqueeze(3)
        plus = self.plus[index] + change
        if self.pair:
            held = torch.stack([plus, self.minus[index] - change], dim=4).flatten(2)
        else:
            held = torch.cat([plus.flatten(2), self.reference.expand(*plus.shape[:2], -1)], dim=2)
        return 1 / held if self.crossed else held

    def joined(self, values: Tensor) -> Tensor:
        """Outputs (count, outputs, ...) of what their slices give, (count, outputs * slices, ...)."""
        if len(self.shares) == 1:
            return values
        apart = values.view(len(values), -1, len(self.shares), *values.shape[2:])
        return torch.einsum("nos...,s->no...", apart, self.shares)
