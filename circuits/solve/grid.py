"""Transfer matrices of `resistive` tiles by two direct methods that know the grid, many tiles at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.linalg.blas import dsymm, dsyrk, dtrsm
from scipy.linalg.lapack import dpotrf, dpotri

from circuits.arrays.config import ArrayConfig
from circuits.threads import one_blas_thread
from compact_model.numeric import Floats

_SIDES = ("left", "top", "right", "bottom")
_LEAF = 16  # cells along the side of the squares from which LAPACK is quicker than many blocks at once
_LEAVES_AT_ONCE = 128  # keeps their blocks in the cache
_STRIPES = 4  # of the rows of a block: what lies below the diagonal is left out stripe by stripe
_STEEPEST = 300.0  # largest logarithm of the decay along a word line that is split into two factors


def block_tridiagonal(states: Floats, config: ArrayConfig) -> Floats:
    r"""Transfer matrices by eliminating one word line after the other.

    A word line is a tridiagonal system T with the inverse ``z_j exp(c_j - c_i)``, i < j. What it leaves between
    the bit lines is ``Y = G - G T^-1 G`` and the source current ``G T^-1 g_source``; the bit lines are then block
    tridiagonal, and are eliminated downwards with one Cholesky inverse per row. The blocks have the size of the
    shorter side: a tall tile is as good as its mirrored transpose, by reciprocity.

    Parameters
    ----------
    states
        (tiles, rows, columns) [Ohm].
    config
        `resistive`, with wires of more than 0 Ohm.

    Returns
    -------
    (tiles, columns, rows) [A/V].
    """
    _check(config)
    _, rows, columns = states.shape
    wires = _Wires(config.r_row, config.r_column, config.r_output, config.r_input)
    if rows < columns:
        turned = _Wires(config.r_column, config.r_row, config.r_input, config.r_output)
        mirrored = np.ascontiguousarray(states[:, ::-1, ::-1].transpose(0, 2, 1))
        return _downwards(mirrored, turned)[:, ::-1, ::-1].transpose(0, 2, 1).copy()
    return _downwards(states, wires)


@dataclass(frozen=True, slots=True)
class _Wires:
    """Resistances around the cells [Ohm]; where a tile is turned, a driver may be as small as a sense."""

    r_row: float
    r_column: float
    r_output: float
    r_input: float


def _downwards(states: Floats, config: _Wires) -> Floats:
    conductance = 1 / states
    g_column, g_foot = 1 / config.r_column, 1 / (config.r_column + config.r_input)
    tiles, rows, columns = states.shape
    left, right, source = _word_lines(conductance, config)
    result = np.empty((tiles, columns, rows))
    block = np.empty((columns, columns), order="F")
    diagonal = np.einsum("ii->i", block)
    with one_blas_thread():
        for tile in range(tiles):
            carried = np.empty((columns, rows), order="F")
            inverse = None
            for row in range(rows):
                np.multiply(left[tile, row][:, None], right[tile, row], out=block)
                np.negative(block, out=block)
                diagonal += (
                    conductance[tile, row] + g_foot if row == rows - 1 else conductance[tile, row] + g_column
                )
                if inverse is not None:
                    diagonal += g_column
                    carried[:, :row] = dsymm(g_column, inverse, carried[:, :row], lower=1)
                    block -= g_column**2 * inverse
                carried[:, row] = source[tile, row]
                inverse = _inverse(block)
            result[tile] = dsymm(g_foot, inverse, carried, lower=1)
    return result


def _inverse(matrix: Floats) -> Floats:
    """Lower triangle of the inverse of a symmetric positive definite matrix, given its lower triangle."""
    factor, failed = dpotrf(matrix, lower=1, overwrite_a=0)
    if failed:
        raise ValueError("a tile can't be solved: its resistances span too many decades")
    inverse, _ = dpotri(factor, lower=1, overwrite_c=1)
    return np.asarray(inverse)


def _word_lines(conductance: Floats, config: _Wires) -> tuple[Floats, Floats, Floats]:
    """Factors of ``G T^-1 G = outer(left, right)`` below and on the diagonal, and source currents.

    All sums are of positive terms: `looking_left` is the conductance to ground of a node with all that lies on
    its left, `looking_right` of what lies on its right.
    """
    g_row, g_source = 1 / config.r_row, 1 / (config.r_row + config.r_output)
    looking_left, looking_right = np.empty_like(conductance), np.zeros_like(conductance)
    looking_left[..., 0] = g_source + conductance[..., 0]
    for k in range(1, conductance.shape[-1]):
        before = looking_left[..., k - 1]
        looking_left[..., k] = conductance[..., k] + g_row * before / (g_row + before)
    for k in range(conductance.shape[-1] - 2, -1, -1):
        after = conductance[..., k + 1] + looking_right[..., k + 1]
        looking_right[..., k] = g_row * after / (g_row + after)
    decay = np.log1p(-looking_left / (g_row + looking_left))
    log = np.concatenate([np.zeros_like(decay[..., :1]), np.cumsum(decay, axis=-1)[..., :-1]], axis=-1)
    if log.size and log.min() < -_STEEPEST:
        raise ValueError(
            f"r_row = {config.r_row} Ohm is too high beside cells of {1 / conductance.max():g} Ohm for this method"
        )
    left = conductance / (looking_left + looking_right) * np.exp(log)
    return left, conductance * np.exp(-log), g_source * left


@dataclass(frozen=True, slots=True)
class _Block:
    """Cells as admittances between their ports: left, top, right, bottom (any may be gone)."""

    y: Floats  # (ports, ports, ...), on and above the diagonal
    sizes: dict[str, int]

    def slices(self) -> dict[str, slice]:
        """Where each side is."""
        ends = np.cumsum([0, *self.sizes.values()]).tolist()
        return {name: slice(a, b) for name, a, b in zip(self.sizes, ends, ends[1:], strict=False)}

    def between(self, a: slice, b: slice) -> Floats:
        """Admittances between two sides."""
        return self.y[a, b] if a.start <= b.start else self.y[b, a].swapaxes(0, 1)


def hierarchical_merge(states: Floats, config: ArrayConfig) -> Floats:
    """Transfer matrices by joining blocks of cells two by two, from single cells up to the tile.

    A block is the admittance matrix between the ends of its lines. Joining two blocks eliminates the nodes they
    share. Up to squares of 16 cells, many blocks are joined at once; above, one pair after the other, by LAPACK.
    Tiles are padded with absent cells at their open ends.

    Parameters
    ----------
    states
        (tiles, rows, columns) [Ohm].
    config
        `resistive`, with wires of more than 0 Ohm.

    Returns
    -------
    (tiles, columns, rows) [A/V].
    """
    _check(config)
    tiles, rows, columns = states.shape
    high, wide = -(-rows // _LEAF), -(-columns // _LEAF)  # in leaves
    above, behind = high * _LEAF - rows, wide * _LEAF - columns
    result = np.empty((tiles, columns, rows))
    at_once = max(1, _LEAVES_AT_ONCE // (high * wide))
    with one_blas_thread():
        for first in range(0, tiles, at_once):
            part = slice(first, first + at_once)
            padded = np.pad(1 / states[part], ((0, 0), (above, 0), (0, behind)))
            for of_tile, leaves in zip(result[part], _leaves(padded, config), strict=True):
                whole = _merged(leaves, slice(0, high), slice(0, wide))
                sides = whole.slices()
                of_tile[...] = -whole.between(sides["bottom"], sides["left"])[:columns, above:]
    if not np.isfinite(result).all():
        raise ValueError("a tile can't be solved: its resistances span too many decades")
    return result


def _leaves(conductance: Floats, config: ArrayConfig) -> Floats:
    """Squares of 16 x 16 cells, (tiles, rows of leaves, columns of leaves, ports, ports) between their ends."""
    tiles, rows, columns = conductance.shape
    along = np.full(conductance.shape, 1 / config.r_row)
    along[:, :, 0] = 1 / (config.r_row + config.r_output)
    down = np.full(conductance.shape, 1 / config.r_column)
    down[:, -1] = 1 / (config.r_column + config.r_input)
    shape = tiles, rows // _LEAF, columns // _LEAF
    count = math.prod(shape)
    cells = np.stack([along, conductance, down]).reshape(3, *shape[:2], _LEAF, shape[2], _LEAF)
    cells = cells.transpose(0, 3, 5, 1, 2, 4).reshape(3, _LEAF, _LEAF, count)  # the leaves innermost
    leaves = np.empty((count, 4 * _LEAF, 4 * _LEAF))
    for first in range(0, count, _LEAVES_AT_ONCE):
        part = slice(first, first + _LEAVES_AT_ONCE)
        block = _cells(*cells[..., part])
        while block.y.shape[3] > 1:
            y = block.y
            block = _side_by_side(
                _Block(y[:, :, :, 0::2], block.sizes), _Block(y[:, :, :, 1::2], block.sizes)
            )
            y = block.y
            block = _stacked(_Block(y[:, :, 0::2], block.sizes), _Block(y[:, :, 1::2], block.sizes))
        leaves[part] = block.y[:, :, 0, 0].transpose(2, 0, 1)
    return leaves.reshape(*shape, 4 * _LEAF, 4 * _LEAF)


def _cells(along: Floats, conductance: Floats, down: Floats) -> _Block:
    """Single cells: a wire segment from the left end to the word line (which is the right end) and one down."""
    left, top, right, bottom = range(4)
    y = np.zeros((4, 4, *conductance.shape))
    y[left, left], y[left, right], y[bottom, bottom], y[top, bottom] = along, -along, down, -down
    y[right, right], y[top, top], y[top, right] = along + conductance, conductance + down, -conductance
    return _Block(y, dict.fromkeys(_SIDES, 1))


def _merged(leaves: Floats, rows: slice, columns: slice) -> _Block:
    """Some leaves of a tile as one block, its open ends at the top and on the right eliminated."""
    high, wide = rows.stop - rows.start, columns.stop - columns.start
    if high == wide == 1:
        block = _Block(leaves[rows.start, columns.start], dict.fromkeys(_SIDES, _LEAF))
        if rows.start == 0:
            block = _joined((block, "top"))
        return _joined((block, "right")) if columns.stop == leaves.shape[1] else block
    if wide >= high:
        middle = columns.start + wide // 2
        return _side_by_side(
            _merged(leaves, rows, slice(columns.start, middle)),
            _merged(leaves, rows, slice(middle, columns.stop)),
        )
    middle = rows.start + high // 2
    return _stacked(
        _merged(leaves, slice(rows.start, middle), columns),
        _merged(leaves, slice(middle, rows.stop), columns),
    )


def _side_by_side(a: _Block, b: _Block) -> _Block:
    return _joined((a, "right"), (b, "left"))


def _stacked(a: _Block, b: _Block) -> _Block:
    return _joined((a, "bottom"), (b, "top"))


def _joined(*parts: tuple[_Block, str]) -> _Block:
    """Connect the named sides of two blocks with each other (that of one: leave it open) and eliminate its nodes."""
    places: list[list[tuple[slice, str]]] = [[] for _ in parts]
    sizes: dict[str, int] = {}
    end = 0
    for side in _SIDES:
        for (block, shared), of_part in zip(parts, places, strict=True):
            if side != shared and side in block.sizes:
                start, end = end, end + block.sizes[side]
                of_part.append((slice(start, end), side))
                sizes[side] = sizes.get(side, 0) + block.sizes[side]
    first, shared = parts[0]
    inner, many = first.sizes[shared], first.y.shape[2:]
    outer = np.zeros((end, end, *many))
    across = np.empty((inner, end, *many))
    between = np.zeros((inner, inner, *many))
    for (block, shared), of_part in zip(parts, places, strict=True):
        where = block.slices()
        gone = where[shared]
        between += block.y[gone, gone]
        for number, (place, side) in enumerate(of_part):
            across[:, place] = block.between(gone, where[side])
            for other_place, other in of_part[number:]:
                outer[place, other_place] = block.between(where[side], where[other])
    (_eliminate_of_many if many else _eliminate)(between, across, outer)
    return _Block(outer, sizes)


def _eliminate(between: Floats, across: Floats, outer: Floats) -> None:
    """Schur complement ``outer -= across^T between^-1 across``, in place, on and above the diagonal."""
    factor, failed = dpotrf(between.T, lower=1, overwrite_a=1, clean=0)
    if failed:
        raise ValueError("a tile can't be solved: its resistances span too many decades")
    half = dtrsm(1.0, factor, across.T, side=1, lower=1, trans_a=1, overwrite_b=1)
    dsyrk(-1.0, half, beta=1.0, c=outer.T, lower=1, overwrite_c=1)


def _eliminate_of_many(between: Floats, across: Floats, outer: Floats) -> None:
    """As `_eliminate`, node by node for many blocks at once."""
    stripe = -(-len(outer) // _STRIPES)
    for k in range(len(between)):
        to_inner, to_outer = between[k, k + 1 :, None], across[k, :, None]
        inner_row, outer_row = between[k, k + 1 :] / between[k, k], across[k] / between[k, k]
        between[k + 1 :, k + 1 :] -= to_inner * inner_row
        across[k + 1 :] -= to_inner * outer_row
        for start in range(0, len(outer), stripe):
            outer[start : start + stripe, start:] -= to_outer[start : start + stripe] * outer_row[start:]


def _check(config: ArrayConfig) -> None:
    if not config.architecture.crossed:
        raise ValueError(f"architecture = {config.architecture}, allowed here: resistive")
    if not (config.r_row > 0 and config.r_column > 0):
        raise ValueError(
            f"r_row = {config.r_row}, r_column = {config.r_column} Ohm, allowed here: 0 < value < inf"
        )
