"""Transfer matrices of `resistive` tiles by two direct methods that know the grid, many tiles at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg.blas import dsymm, dtrsm
from scipy.linalg.lapack import dpotrf, dpotri

from circuits.array_config import Architecture, ArrayConfig
from circuits.network import Floats
from circuits.threads import one_blas_thread

_CELLS_AT_ONCE = 1 << 15  # keeps the blocks of the first merges in the cache
_CHOLESKY_FROM = 16  # nodes; below, one call for all blocks is quicker than half the arithmetic
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
    wires = _Wires(config.r_row, config.r_col, config.r_driver, config.r_sense)
    if rows < columns:
        turned = _Wires(config.r_col, config.r_row, config.r_sense, config.r_driver)
        mirrored = np.ascontiguousarray(states[:, ::-1, ::-1].transpose(0, 2, 1))
        return _downwards(mirrored, turned)[:, ::-1, ::-1].transpose(0, 2, 1).copy()
    return _downwards(states, wires)


@dataclass(frozen=True, slots=True)
class _Wires:
    """Resistances around the cells [Ohm]; where a tile is turned, a driver may be as small as a sense."""

    r_row: float
    r_col: float
    r_driver: float
    r_sense: float


def _downwards(states: Floats, config: _Wires) -> Floats:
    conductance = 1 / states
    g_column, g_foot = 1 / config.r_col, 1 / (config.r_col + config.r_sense)
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
    g_row, g_source = 1 / config.r_row, 1 / (config.r_row + config.r_driver)
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
class _Ports:
    """Blocks of cells as admittances between their ports: left, top, right, bottom (any may be gone)."""

    y: Floats  # (tiles, block rows, block columns, ports, ports)
    sizes: dict[str, int]

    def slices(self) -> dict[str, slice]:
        """Where each side is."""
        ends = np.cumsum([0, *self.sizes.values()]).tolist()
        return {name: slice(a, b) for name, a, b in zip(self.sizes, ends, ends[1:], strict=False)}

    def part(self, rows: slice, columns: slice) -> _Ports:
        """Some of the blocks."""
        return _Ports(self.y[:, rows, columns], self.sizes)


def hierarchical_merge(states: Floats, config: ArrayConfig) -> Floats:
    """Transfer matrices by joining blocks of cells two by two, from single cells up to the tile.

    A block is the admittance matrix between the ends of its lines. Joining two blocks eliminates the nodes they
    share; all blocks of a level, of all tiles, are joined at once. Open ends are padded with absent cells.

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
    at_once = max(1, _CELLS_AT_ONCE // (rows * columns))
    with one_blas_thread():
        parts = [_merged(states[k : k + at_once], config) for k in range(0, tiles, at_once)]
    return np.concatenate(parts) if parts else np.empty((0, columns, rows))


def _merged(states: Floats, config: ArrayConfig) -> Floats:
    tiles, rows, columns = states.shape
    tall, wide = (1 << (count - 1).bit_length() for count in states.shape[1:])
    conductance = np.zeros((tiles, tall, wide))  # open ends: above the first row, right of the last column
    conductance[:, tall - rows :, :columns] = 1 / states
    blocks = _cells(conductance, config)
    everything = slice(None)
    while blocks.y.shape[1] > 2 or blocks.y.shape[2] > 2:
        if blocks.y.shape[2] > 2:
            even, odd = slice(0, None, 2), slice(1, None, 2)
            blocks = _side_by_side(blocks.part(everything, even), blocks.part(everything, odd))
        if blocks.y.shape[1] > 2:
            even, odd = slice(0, None, 2), slice(1, None, 2)
            blocks = _stacked(blocks.part(even, everything), blocks.part(odd, everything))
    first, last = slice(0, 1), slice(-1, None)
    row = _without(_whole_row(blocks.part(last, everything)), "right")
    if blocks.y.shape[1] == 1:
        row = _without(row, "top")
        where = row.slices()
        result = -row.y[:, 0, 0, where["bottom"], where["left"]]
    else:
        upper = _without(_whole_row(_without(blocks.part(first, everything), "top")), "right")
        result = _down_from(upper, row)
    return result[:, :columns, tall - rows :]


def _whole_row(blocks: _Ports) -> _Ports:
    """Join the one or two blocks of a row; nothing follows on the right."""
    if blocks.y.shape[2] == 1:
        return blocks
    everything = slice(None)
    return _side_by_side(
        blocks.part(everything, slice(0, 1)), _without(blocks.part(everything, slice(1, 2)), "right")
    )


def _down_from(upper: _Ports, lower: _Ports) -> Floats:
    """Current out of the bottom of `lower` per voltage at the left ends of both, (tiles, columns, rows)."""
    a, b = upper.slices(), lower.slices()
    y_upper, y_lower = upper.y[:, 0, 0], lower.y[:, 0, 0]
    between = y_upper[:, a["bottom"], a["bottom"]] + y_lower[:, b["top"], b["top"]]
    through = np.linalg.solve(between, y_lower[:, b["top"], b["bottom"]]).transpose(0, 2, 1)
    from_upper = through @ y_upper[:, a["bottom"], a["left"]]
    from_lower = through @ y_lower[:, b["top"], b["left"]] - y_lower[:, b["bottom"], b["left"]]
    return np.concatenate([from_upper, from_lower], axis=2)


def _cells(conductance: Floats, config: ArrayConfig) -> _Ports:
    """Single cells: a wire segment from the left end to the word line (which is the right end) and one down."""
    y = _empty_last(conductance.shape, 4)
    y[...] = 0.0
    along = np.full(conductance.shape, 1 / config.r_row)
    along[:, :, 0] = 1 / (config.r_row + config.r_driver)
    down = np.full(conductance.shape, 1 / config.r_col)
    down[:, -1] = 1 / (config.r_col + config.r_sense)
    left, top, right, bottom = range(4)
    for a, b, value in ((left, right, along), (right, top, conductance), (top, bottom, down)):
        for i, j, sign in ((a, a, 1), (b, b, 1), (a, b, -1), (b, a, -1)):
            y[..., i, j] += sign * value
    return _Ports(y, dict.fromkeys(("left", "top", "right", "bottom"), 1))


def _empty_last(batch: tuple[int, ...], ports: int) -> Floats:
    """(*batch, ports, ports) with the batch innermost in memory, which suits small matrices."""
    return np.moveaxis(np.empty((ports, ports, *batch)), (0, 1), (-2, -1))


def _side_by_side(a: _Ports, b: _Ports) -> _Ports:
    order = [("left", a, None), ("top", a, b), ("right", None, b), ("bottom", a, b)]
    return _joined(a, b, ("right", "left"), order)


def _stacked(a: _Ports, b: _Ports) -> _Ports:
    order = [("left", a, b), ("top", a, None), ("right", a, b), ("bottom", None, b)]
    return _joined(a, b, ("bottom", "top"), order)


def _joined(
    a: _Ports, b: _Ports, shared: tuple[str, str], order: Sequence[tuple[str, _Ports | None, _Ports | None]]
) -> _Ports:
    """Connect side `shared[0]` of `a` to side `shared[1]` of `b` and eliminate the nodes between."""
    sizes: dict[str, int] = {}
    places: tuple[dict[str, slice], dict[str, slice]] = ({}, {})
    position = 0
    for name, first, second in order:
        start = position
        for block, places_of in ((first, places[0]), (second, places[1])):
            if block is not None and name in block.sizes:
                places_of[name] = slice(position, position + block.sizes[name])
                position += block.sizes[name]
        if position > start:
            sizes[name] = position - start
    inner = a.sizes[shared[0]]
    for places_of, side in zip(places, shared, strict=True):
        places_of[side] = slice(position, position + inner)
    total = position + inner
    batch = a.y.shape[:3]
    joint = _empty_last(batch, total) if inner <= 4 else np.empty((*batch, total, total))
    joint[...] = 0.0
    for block, places_of in ((a, places[0]), (b, places[1])):
        where = block.slices()
        for i, to_row in places_of.items():
            for j, to_column in places_of.items():
                joint[..., to_row, to_column] += block.y[..., where[i], where[j]]
    return _Ports(_eliminated(joint, inner), sizes)


def _without(blocks: _Ports, side: str) -> _Ports:
    """Eliminate an open side."""
    if side not in blocks.sizes:
        return blocks
    where = blocks.slices()
    kept = [name for name in blocks.sizes if name != side]
    order = np.concatenate([np.arange(where[name].start, where[name].stop) for name in [*kept, side]])
    y = _eliminated(blocks.y[..., order[:, None], order], blocks.sizes[side])
    return _Ports(y, {name: blocks.sizes[name] for name in kept})


def _eliminated(y: Floats, inner: int) -> Floats:
    """Schur complement: the last `inner` nodes eliminated."""
    outer = y.shape[-1] - inner
    if inner <= 4:
        for k in range(y.shape[-1] - 1, outer - 1, -1):
            row = y[..., k, :k] / y[..., k, k][..., None]
            y[..., :k, :k] -= y[..., :k, k][..., :, None] * row[..., None, :]
        return y[..., :outer, :outer]
    if inner < _CHOLESKY_FROM:
        across = np.linalg.solve(y[..., outer:, outer:], y[..., outer:, :outer])
        result: Floats = y[..., :outer, :outer] - y[..., :outer, outer:] @ across
        return result
    result = np.empty((*y.shape[:3], outer, outer))
    for place in np.ndindex(y.shape[:3]):
        block = y[place]
        factor, failed = dpotrf(block[outer:, outer:].T, lower=1)
        if failed:
            raise ValueError("a tile can't be solved: its resistances span too many decades")
        across = dtrsm(1.0, factor, block[outer:, :outer], lower=1)
        np.subtract(
            block[:outer, :outer], across.T @ across, out=result[place]
        )  # BLAS does half of that product
    return result


def _check(config: ArrayConfig) -> None:
    if config.architecture is not Architecture.RESISTIVE:
        raise ValueError(f"architecture = {config.architecture}, allowed here: resistive")
    if not (config.r_row > 0 and config.r_col > 0):
        raise ValueError(f"r_row = {config.r_row}, r_col = {config.r_col} Ohm, allowed here: 0 < value < inf")
