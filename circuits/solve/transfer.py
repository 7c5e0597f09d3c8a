"""Transfer matrices of many tiles: one entry that chooses the method and says which."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import checked_states, crossbar, slots
from circuits.arrays.mismatch import Mismatch
from circuits.solve.grid import block_tridiagonal, hierarchical_merge
from circuits.solve.nodal import factor
from circuits.solve.tensor import transfer_tensor
from compact_model.numeric import Floats

logger = logging.getLogger(__name__)

_MERGE_FROM = 80  # shorter side of a resistive tile from which merging is quicker (measured at 64 and 96)


class Method(StrEnum):
    """How transfer matrices are computed."""

    NODAL = "nodal"
    """Sparse LU of each tile's nodal equations: exact, any architecture."""
    TENSOR = "tensor"
    """First order in the Hall resistance: one factorisation for all tiles, 1e-6 from exact."""
    BLOCK_TRIDIAGONAL = "block_tridiagonal"
    """Word line by word line: exact, `resistive` with wires of more than 0 Ohm."""
    HIERARCHICAL_MERGE = "hierarchical_merge"
    """Block by block: exact, `resistive` with wires of more than 0 Ohm."""


@dataclass(frozen=True, slots=True)
class Transfers:
    """Transfer matrices, and how they came about.

    Attributes
    ----------
    matrices
        (tiles, columns, rows): output per unit input.
    method
        Which method was used.
    reason
        Why, in a few words.
    """

    matrices: Floats
    method: Method
    reason: str


def choose_method(shape: tuple[int, int], config: ArrayConfig, *, exact: bool = False) -> tuple[Method, str]:
    """The quickest method for many tiles of a shape, and the reason.

    Examples
    --------
    >>> choose_method((64, 64), ArrayConfig(architecture="resistive"))[0]
    <Method.BLOCK_TRIDIAGONAL: 'block_tridiagonal'>
    """
    if config.architecture.hall:
        if exact:
            return Method.NODAL, "the full solution was asked for"
        return Method.TENSOR, "Hall cells: to first order in R_xy"
    if config.r_row == 0 or config.r_column == 0:
        return Method.NODAL, "wires of 0 Ohm join nodes of the grid"
    if min(shape) < _MERGE_FROM:
        return Method.BLOCK_TRIDIAGONAL, f"the shorter side of a tile is below {_MERGE_FROM}"
    return Method.HIERARCHICAL_MERGE, f"the shorter side of a tile is at least {_MERGE_FROM}"


def transfers(
    states: ArrayLike,
    config: ArrayConfig,
    mismatch: Mismatch | None = None,
    *,
    exact: bool = False,
    method: Method | None = None,
) -> Transfers:
    """Transfer matrices of tiles of one shape.

    Parameters
    ----------
    states
        (tiles, rows, columns) or (rows, columns) for one tile [Ohm].
    config
        The array.
    mismatch
        Deviations of the Hall cells, the same for each tile; None: there are none.
    exact
        Solve each tile of Hall cells in full.
    method
        Use this method; None: the one of `choose_method`.

    Raises
    ------
    ValueError
        For wrong states, or a method that can't do it.

    Examples
    --------
    >>> found = transfers([[[0.4, 0.5]], [[0.5, 0.4]]], ArrayConfig(architecture="active_parallel"))
    >>> found.matrices.shape, found.method.value
    ((2, 2, 1), 'tensor')
    """
    tiles = np.asarray(states, dtype=float)
    tiles = tiles[None] if tiles.ndim == 2 else tiles
    if tiles.ndim != 3:
        raise ValueError(f"states have shape {tiles.shape}, expected (tiles, rows, columns)")
    for tile in tiles:
        checked_states(tile, config)
    shape = (tiles.shape[1], tiles.shape[2])
    chosen, reason = (
        choose_method(shape, config, exact=exact) if method is None else (method, "it was asked for")
    )
    logger.debug("transfer matrices of %d tiles of %d x %d: %s, %s", len(tiles), *shape, chosen, reason)
    match chosen:
        case Method.BLOCK_TRIDIAGONAL:
            matrices = block_tridiagonal(tiles, config)
        case Method.HIERARCHICAL_MERGE:
            matrices = hierarchical_merge(tiles, config)
        case Method.TENSOR:
            matrices = transfer_tensor(shape, config, mismatch).transfer(tiles)
        case Method.NODAL:
            matrices = np.stack([nodal_transfer(tile, config, mismatch) for tile in tiles])
    return Transfers(matrices, chosen, reason)


def nodal_transfer(states: ArrayLike, config: ArrayConfig, mismatch: Mismatch | None = None) -> Floats:
    """Transfer matrix of one tile by the full nodal solution, time slots added; (columns, rows)."""
    resistance = checked_states(states, config)
    matrices = [
        factor(crossbar(resistance, config, mismatch, slot=k)).transfer()
        for k in range(slots(config, len(resistance)))
    ]
    return np.asarray(np.sum(matrices, axis=0))
