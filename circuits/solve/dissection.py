"""Nested dissection: the order in which the nodes of an array are eliminated."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array

from compact_model.numeric import Ints

_HUB = 16  # neighbours; above, a node is a line whose wire has 0 Ohm. A node of a Hall cell has 8
_OUTSIDE, _LAST = -1, np.iinfo(np.int64).max


def elimination_rank(matrix: csr_array, places: Ints) -> Ints:
    """Ranks of nodes in the order of a nested dissection: low ones are to be eliminated first.

    The array is halved again and again, across its longer side. The nodes on one side of a cut that are joined
    with the other side (there, only the wires that cross the cut are) separate the halves and are eliminated
    after both, so that neither fills the other: L has O(n log n) entries, n the nodes (A. George,
    doi:10.1137/0710032). Nodes without a place, at the ends of lines, come first; lines that zero-ohm wires
    make one node come last.

    Parameters
    ----------
    matrix
        (nodes, nodes), whose entries say which nodes are joined.
    places
        (2, nodes), row and column of each node in the array, -1 for none.

    Returns
    -------
    (nodes,); equal ranks leave the order open.
    """
    row, column = places
    a = np.repeat(np.arange(len(row)), np.diff(matrix.indptr))
    b = matrix.indices
    neighbours = np.bincount(a, minlength=len(row))
    hub = np.maximum(neighbours, np.bincount(b, minlength=len(row))) > _HUB
    inside = (row >= 0) & ~hub
    between = inside[a] & inside[b]
    a, b = a[between], b[between]
    crosses = np.zeros((2, len(row)), dtype=bool)  # joined with a node in an earlier row; an earlier column
    for joined, place in zip(crosses, places, strict=True):
        step = place[a] - place[b]
        joined[a[step > 0]] = True
        joined[b[step < 0]] = True
    shape = int(row.max(initial=0)) + 1, int(column.max(initial=0)) + 1
    rank = np.full(len(row), _OUTSIDE)
    up, left = crosses[:, inside].astype(np.int64)
    rank[inside] = _ranks(*shape)[up, left, row[inside], column[inside]]
    rank[hub] = _LAST
    return rank


@lru_cache(maxsize=8)
def _ranks(rows: int, columns: int) -> Ints:
    """Rank of a node by whether it is joined with an earlier row, an earlier column; its row; its column."""
    up, left, row, column = (index.ravel() for index in np.indices((2, 2, rows, columns)))
    first_row, first_column = np.zeros_like(row), np.zeros_like(row)
    end_row, end_column = np.full_like(row, rows), np.full_like(row, columns)
    separates = np.zeros(row.shape, dtype=bool)
    rank: Ints = np.zeros_like(row)
    while True:
        high, wide = end_row - first_row, end_column - first_column
        halved = ~separates & (np.maximum(high, wide) > 1)
        if not halved.any():
            return rank.reshape(2, 2, rows, columns)
        for across, place, joined, first, end in (
            (high >= wide, row, up, first_row, end_row),
            (high < wide, column, left, first_column, end_column),
        ):
            of_cut = halved & across
            middle = (first + end) // 2
            behind = of_cut & (place >= middle)
            separates |= of_cut & (place == middle) & (joined > 0)
            first[behind] = middle[behind]
            end[of_cut & ~behind] = middle[of_cut & ~behind]
            rank[of_cut] = 3 * rank[of_cut] + behind[of_cut] + (separates & behind)[of_cut]
        rank[~halved] *= 3
