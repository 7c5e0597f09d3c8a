"""How the matrix of a layer is cut into tiles."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from nn_mapping.mapping import outputs_of_tile, split_evenly

if TYPE_CHECKING:
    from nn_mapping.levels import LevelSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """All tiles of one shape of a layer: a grid in every group."""

    outputs: slice
    """Outputs of a group that they share out among them."""
    inputs: slice
    """Inputs of a group that they share out among them."""
    grid: tuple[int, int, int]
    """Groups, tiles along the outputs, tiles along the inputs."""
    outputs_each: int
    rows: int
    numbers: tuple[int, ...]
    """Numbers of the tiles in the network, in the order of the grid."""


class Tiling:
    """The fewest tiles that hold the matrix of a layer, rows and outputs shared out evenly among them.

    Tiles are numbered row by row, then along the outputs. Groups are matrices of their own, on
    tiles of their own.

    Examples
    --------
    >>> from nn_mapping.levels import PAPER_LEVELS_OHM, single_levels
    >>> tiling = Tiling(1, 5, 7, (4, 5), single_levels(PAPER_LEVELS_OHM), 10)
    >>> [(block.outputs_each, block.rows, block.numbers) for block in tiling.blocks]
    [(3, 4, (10,)), (3, 3, (11,)), (2, 4, (12,)), (2, 3, (13,))]
    """

    def __init__(
        self,
        groups: int,
        outputs: int,
        inputs: int,
        tile: tuple[int, int],
        level_set: LevelSet,
        first_tile: int,
    ) -> None:
        self.groups, self.outputs, self.inputs = groups, outputs, inputs
        self.outs = split_evenly(outputs, outputs_of_tile(tile[1], level_set))
        self.converted = [
            slice(part.start * level_set.slices, part.stop * level_set.slices) for part in self.outs
        ]
        """What is converted of a group, tile by tile: slices of the outputs."""
        self.rows = split_evenly(inputs, tile[0])
        shape = (groups, len(self.outs), len(self.rows))
        numbers = first_tile + np.arange(np.prod(shape)).reshape(shape)
        self.grid = tuple(
            tuple(
                Block(
                    outputs=outs.covered,
                    inputs=rows.covered,
                    grid=(groups, outs.count, rows.count),
                    outputs_each=outs.size,
                    rows=rows.size,
                    numbers=tuple(numbers[:, outs.places, rows.places].ravel().tolist()),
                )
                for rows in _alike(self.rows)
            )
            for outs in _alike(self.outs)
        )
        """Blocks by their place: along the outputs, along the inputs."""
        self.tiles = int(np.prod(shape))

    @property
    def blocks(self) -> tuple[Block, ...]:
        """All of them, along the inputs first."""
        return tuple(block for line in self.grid for block in line)


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring parts of one size."""

    size: int
    count: int
    covered: slice
    """All that they hold."""
    places: slice
    """Their positions among all parts."""


def _alike(parts: list[slice]) -> list[_Run]:
    found, begin, place = [], 0, 0
    for size, same in groupby(parts, lambda part: int(part.stop - part.start)):
        count = len(list(same))
        end = begin + count * size
        found.append(_Run(size, count, slice(begin, end), slice(place, place + count)))
        begin, place = end, place + count
    return found
