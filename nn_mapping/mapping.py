"""Layers cut into tiles: which cell of which array holds which weight."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nn_mapping.levels import WeightScheme, nearest_level

if TYPE_CHECKING:
    from compact_model.numeric import Floats
    from nn_mapping.levels import LevelSet
    from nn_mapping.trained import TrainedNetwork

LevelIndices = NDArray[np.uint8]

REFERENCE_COLUMNS = 2
"""Columns of a tile that hold its reference, each uniform at one level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One physical array and the part of a layer it holds."""

    layer: int
    rows: slice
    """Inputs of the layer on the tile's rows."""
    outputs: slice
    """Outputs of the layer that the tile contributes to."""
    level_index: LevelIndices
    """Device level of every cell, shape (rows, columns), with reference columns or pairs."""
    states: Floats
    """What the array model takes for every cell [Ohm], shape (rows, columns)."""

    @property
    def name(self) -> str:
        """Layer, first row and first output, for example ``layer0_rows61_outputs0``."""
        return f"layer{self.layer}_rows{self.rows.start}_outputs{self.outputs.start}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedNetwork:
    """A trained network on tiles."""

    network: TrainedNetwork
    level_set: LevelSet
    state_ohm: Floats
    """State [Ohm] that stands for each device level, shape (device levels,)."""
    tile_rows: int
    """Largest number of rows of a tile."""
    tile_columns: int
    """Largest number of physical columns, with references or pairs."""
    tiles: tuple[Tile, ...]

    def layer_tiles(self, layer: int) -> tuple[int, ...]:
        """Positions of a layer's tiles in `tiles`."""
        return tuple(number for number, tile in enumerate(self.tiles) if tile.layer == layer)

    @property
    def cells(self) -> int:
        """Cells in all tiles, references included."""
        return sum(tile.states.size for tile in self.tiles)

    @property
    def level_counts(self) -> NDArray[np.intp]:
        """How many cells stand at each device level: what has to be written."""
        counts = np.zeros(len(self.state_ohm), dtype=np.intp)
        for tile in self.tiles:
            counts += np.bincount(tile.level_index.ravel(), minlength=len(self.state_ohm))
        return counts


def map_network(
    network: TrainedNetwork,
    level_set: LevelSet,
    tile_rows: int,
    tile_columns: int,
    state_ohm: Floats | None = None,
) -> MappedNetwork:
    """Cut every layer into the fewest tiles, rows and columns shared out evenly among them.

    Parameters
    ----------
    network
        Trained on ``level_set.weights``.
    level_set
        Weights and the device levels that make them; its scheme decides the columns: one per output and two
        for the reference of the tile, or two per output.
    tile_rows, tile_columns
        Largest physical array: at least 1 row, and 3 columns for a reference, 2 for a pair.
    state_ohm
        State [Ohm] of the array model for each device level, default the levels themselves (Hall cells); see
        `resistive_states`.

    Raises
    ------
    ValueError
        When the tile is too small, the network was trained on other levels, or weights have slices.
    """
    checked_tile((tile_rows, tile_columns), level_set)
    if level_set.slices > 1:
        raise ValueError(
            f"weights have {level_set.slices} slices, allowed here: one; `convert` reads several"
        )
    states = level_set.levels_ohm if state_ohm is None else np.asarray(state_ohm, dtype=np.float64)
    if states.shape != level_set.levels_ohm.shape:
        raise ValueError(
            f"state_ohm has {states.size} entries, the device {level_set.levels_ohm.size} levels"
        )
    if network.levels is None or (
        network.levels.shape != level_set.weights.shape
        or np.abs(network.levels - level_set.weights).max() > 1e-6
    ):
        trained = "free weights" if network.levels is None else np.round(network.levels, 4).tolist()
        raise ValueError(
            f"the network was trained on {trained}, the array holds {np.round(level_set.weights, 4).tolist()}"
        )
    outputs_per_tile = outputs_of_tile(tile_columns, level_set)
    tiles = []
    for number, layer in enumerate(network.layers):
        weights = nearest_level(layer.weights, level_set.weights)
        outputs, inputs = layer.shape
        for columns in split_evenly(outputs, outputs_per_tile):
            for rows in split_evenly(inputs, tile_rows):
                index = place(weights[columns, rows], level_set)
                tiles.append(
                    Tile(layer=number, rows=rows, outputs=columns, level_index=index, states=states[index])
                )
    return MappedNetwork(
        network=network,
        level_set=level_set,
        state_ohm=states,
        tile_rows=tile_rows,
        tile_columns=tile_columns,
        tiles=tuple(tiles),
    )


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
