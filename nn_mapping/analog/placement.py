"""The tiles of a model on arrays: which cell of which array holds which weight, and arrays that hold something else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nn_mapping.analog.linear import ArrayMatrix
from nn_mapping.mapping import combination, place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import nn

    from compact_model.numeric import Floats
    from nn_mapping.levels import LevelSet
    from nn_mapping.mapping import LevelIndices


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One physical array and the part of a layer it holds."""

    layer: str
    """Name of the layer in the model."""
    group: int
    """Group of the layer's outputs, for convolutions in groups."""
    rows: slice
    """Inputs of the group on the tile's rows."""
    outputs: slice
    """Outputs of the group that the tile contributes to."""
    level_set: LevelSet
    """Weights that its cells make."""
    state_ohm: Floats
    """State [Ohm] that stands for each device level, shape (device levels,)."""
    level_index: LevelIndices
    """Device level of every cell, shape (rows, columns), with reference columns or pairs."""
    states: Floats
    """What the array model takes for every cell [Ohm], shape (rows, columns)."""

    @property
    def name(self) -> str:
        """Layer, group after the first, first row and first output, for example ``layer1_rows61_outputs0``."""
        group = f"_group{self.group}" if self.group else ""
        return f"{self.layer or 'model'}{group}_rows{self.rows.start}_outputs{self.outputs.start}"

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.level_index.shape[0], self.level_index.shape[1]

    @property
    def converted(self) -> int:
        """Signed outputs that are converted."""
        return len(combination(self.shape[1], self.level_set))

    @property
    def target(self) -> Floats:
        """Level of every cell as a Hall resistance [Ohm], shape (rows, columns)."""
        return np.asarray(self.level_set.levels_ohm[self.level_index])

    def states_of(self, r: Floats, *, hall: bool) -> Floats:
        """What the array model takes for cells whose Hall resistances are `r` [Ohm] instead of their levels.

        Conductances of two-terminal cells are linear in the levels; none is below a thousandth of the lowest one.
        """
        if hall:
            return r
        ohm = self.level_set.levels_ohm
        edges = 1 / self.state_ohm[[0, -1]]
        conductance = edges[0] + (r - ohm[0]) / (ohm[-1] - ohm[0]) * (edges[1] - edges[0])
        return np.asarray(1 / np.maximum(conductance, 1e-3 * edges.min()))


def arrays_of(model: nn.Module) -> dict[str, ArrayMatrix]:
    """Every layer on arrays by its name, in the order of the tiles.

    Raises
    ------
    ValueError
        When there is none.
    """
    found = {part.place: part for part in model.modules() if isinstance(part, ArrayMatrix)}
    if not found:
        raise ValueError("the model has no arrays: `convert` makes them")
    return dict(sorted(found.items(), key=lambda entry: entry[1].tiles.first_tile))


def tiles_of(model: nn.Module) -> tuple[Tile, ...]:
    """All tiles of a model, by their numbers."""
    return tuple(tile for name, array in arrays_of(model).items() for tile in _tiles(name, array))


def hold(model: nn.Module, transfers: Sequence[Floats]) -> None:
    """Have every tile of a model do what its transfer matrix says, whatever its weights are.

    Trims and full scales stay as they are until the model is calibrated again.

    Parameters
    ----------
    model
        Is changed.
    transfers
        (columns, rows) of each tile [A/V], in the order of `tiles_of`.
    """
    arrays = arrays_of(model)
    count = sum(array.tiles.tiling.tiles for array in arrays.values())
    if len(transfers) != count:
        raise ValueError(f"{len(transfers)} transfer matrices for the {count} tiles of the model")
    for array in arrays.values():
        array.tiles.hold(transfers)


def _tiles(name: str, array: ArrayMatrix) -> Iterator[Tile]:
    chip, tiling = array.tiles.chip, array.tiles.tiling
    index = array.level_index.reshape(tiling.groups, tiling.outputs, tiling.inputs).cpu().numpy()
    for group in range(tiling.groups):
        for outputs in tiling.outs:
            for rows in tiling.rows:
                levels = place(index[group, outputs, rows], chip.level_set)
                yield Tile(
                    layer=name,
                    group=group,
                    rows=rows,
                    outputs=outputs,
                    level_set=chip.level_set,
                    state_ohm=chip.states,
                    level_index=levels,
                    states=chip.states[levels],
                )
