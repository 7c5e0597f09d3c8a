"""Noise of the cells in every read, column by column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadNoise:
    """Independent Gaussian noise of every cell in every read.

    A column adds up cells of noise ``per_volt * v``: its own is ``per_volt * sqrt(sum v^2)``, exactly.
    """

    of_window: float
    """Standard deviation of a cell, as a share of the window."""
    generator: torch.Generator
    """What it is drawn with, on the device of the model."""
    reference: bool
    """Whether the reference columns have it, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputNoise:
    """Noise of the signed outputs of all tiles, in steps of the converters per unit of the drive."""

    own: Tensor
    """Of the cells of each output alone, (tiles along the inputs, groups, outputs)."""
    shared: Tensor | None
    """What the references add to the outputs of their tile, the same to all of them: (tiles along the inputs, groups,
    tiles along the outputs, outputs), 0 for outputs on other tiles; None: there is none."""
    generator: torch.Generator

    def drawn(self, tile: int, outputs: slice, size: Tensor) -> Tensor:
        """Noise (count, groups, outputs, ...) of one read each.

        Parameters
        ----------
        tile, outputs
            What is read: the tile along the inputs, outputs of each group.
        size
            Root of the sum of the squared drives of the rows, (count, groups, 1, ...).
        """
        own = self.own[tile][:, outputs]
        count, groups, _, *positions = size.shape
        places = (count, *positions, groups)
        found = self._normal(size, *places, own.shape[1]).mul_(own)
        if self.shared is not None:
            shared = self.shared[tile][:, :, outputs]
            found += torch.einsum("...gt,gto->...go", self._normal(size, *places, shared.shape[1]), shared)
        return found.movedim((-2, -1), (1, 2)).mul_(size)

    def _normal(self, like: Tensor, *shape: int) -> Tensor:
        return like.new_empty(shape).normal_(generator=self.generator)
