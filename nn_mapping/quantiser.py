"""Nearest levels of many values at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from compact_model.numeric import Floats

_LARGEST_TABLE = 16384
_ON_GRID = 1e-6  # of a step


class Quantiser:
    """Nearest level of each value, by an index table where the midpoints lie on a uniform grid.

    The six-state set of the paper needs 48 entries, its differential pairs 96. Sets that fit no grid of up to
    16384 steps use a sorted search.

    Examples
    --------
    >>> quantiser = Quantiser(np.array([-1, 1 / 12, 1 / 3, 7 / 12, 3 / 4, 1]))
    >>> quantiser.steps
    48
    >>> quantiser.index(torch.tensor([-1.0, -0.45, 0.0, 0.9])).tolist()
    [0, 1, 1, 5]
    """

    def __init__(self, levels: Floats, device: torch.device | None = None) -> None:
        self.exact = levels
        self.levels = torch.from_numpy(levels.astype(np.float32)).to(device)
        self.low, self.high = float(levels[0]), float(levels[-1])
        middles = (levels[1:] + levels[:-1]) / 2
        self._middles = torch.from_numpy(middles.astype(np.float32)).to(device)
        position = (middles - self.low) / (self.high - self.low)
        self.steps = _grid(position)
        self._scaled = torch.empty_like(self.levels)
        self._entries = torch.empty_like(self.levels, dtype=torch.int32)
        if self.steps:
            centres = (np.arange(self.steps + 1) + 0.5) / self.steps  # one more entry: the upper end itself
            self._table = torch.from_numpy(np.searchsorted(position, centres).astype(np.int32)).to(device)
            self._values = self.levels[self._table]

    def index(self, values: Tensor) -> Tensor:
        """Level numbers of values within the range of the levels."""
        if not self.steps:
            return torch.bucketize(values, self._middles)
        return self._table[self._entry(values)].long()

    def into(self, out: Tensor, values: Tensor) -> None:
        """Write the nearest level of each of the values, which lie within the range of the levels, to `out`."""
        if self.steps:
            torch.index_select(self._values, 0, self._entry(values), out=out)
        else:
            torch.index_select(self.levels, 0, torch.bucketize(values, self._middles), out=out)

    def _entry(self, values: Tensor) -> Tensor:
        if self._scaled.shape != values.shape:  # fresh memory for every call would take as long as the rest
            self._scaled = torch.empty_like(values)
            self._entries = torch.empty_like(values, dtype=torch.int32)
        scale = self.steps / (self.high - self.low)
        torch.add(
            torch.tensor(-self.low * scale, device=values.device), values, alpha=scale, out=self._scaled
        )
        return self._entries.copy_(self._scaled)


def _grid(position: Floats) -> int:
    """Return the coarsest uniform grid on 0..1 that holds all positions, as its number of steps; 0 for none."""
    fitting = np.arange(2, _LARGEST_TABLE + 1)
    for one in position:
        scaled = fitting * one
        fitting = fitting[np.abs(scaled - np.round(scaled)) < _ON_GRID]
    return int(fitting[0]) if fitting.size else 0
