"""LU factors of a sparse matrix in blocks, level by level of its dissection."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from scipy.sparse import csc_array, csr_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import SuperLU, splu

from circuits.solve.dissection import elimination_rank
from circuits.threads import one_blas_thread
from compact_model.numeric import Floats, Ints

_PANEL = 4  # columns that SuperLU takes at once; its own 20 are for fuller factors, and it fails on more


class SingularNetworkError(ValueError):
    """A network without a unique solution: floating nodes, or equations that contradict each other."""


class BlockLu:
    """LU factors of a matrix in block triangular form.

    The strongly connected parts of the matrix are sorted into levels, so that a part depends on parts of earlier
    levels only. Each level is factored as one block diagonal matrix, its nodes in the order of a nested
    dissection. Right-hand sides that touch different parts of a level share a solve: the rows of an array that
    don't act on each other cost one solve, not one each.

    Attributes
    ----------
    order
        (size,): number, in the given matrix, of each node in the order of the solutions.
    norm
        Largest entry of the matrix.
    """

    def __init__(self, matrix: csr_array, places: Ints) -> None:
        count, labels = connected_components(matrix, directed=True, connection="strong")
        level = _depths(matrix, labels.astype(np.int64), count)[labels]
        self.order = np.lexsort((elimination_rank(matrix, places), level))
        self.norm = float(np.abs(matrix.data).max(initial=0.0))
        matrix = matrix[self.order][:, self.order]
        part, level = labels[self.order], level[self.order]
        _, starts = np.unique(level, return_index=True)
        bounds = itertools.pairwise([*starts.tolist(), len(level)])
        self._members = [slice(start, end) for start, end in bounds]
        self._parts = [np.unique(part[members], return_inverse=True)[1] for members in self._members]
        rows = [matrix[members] for members in self._members]
        in_grid = bool((places >= 0).any())
        self._factors = [
            lu_factors(of_level[:, members].tocsc(), ordered=in_grid)
            for of_level, members in zip(rows, self._members, strict=True)
        ]
        self._before = [  # dependence on earlier levels
            of_level[:, : members.start] for of_level, members in zip(rows, self._members, strict=True)
        ]

    def solve(self, right: Floats, *, transposed: bool) -> Floats:
        """Solve ``A x = right`` or ``A^T x = right``; (size, k), in `order`."""
        found = np.empty(right.shape)
        if not transposed:
            for members, part, lu, before in self._each():
                rest = right[members]
                if before.nnz:
                    rest = rest - before @ found[: members.start]
                found[members] = _solve_parts(lu, part, rest, "N")
            return found
        rest = right.astype(float)
        for members, part, lu, before in reversed(list(self._each())):
            found[members] = _solve_parts(lu, part, rest[members], "T")
            if before.nnz:
                rest[: members.start] -= before.T @ found[members]
        return found

    def _each(self) -> Iterator[tuple[slice, Ints, SuperLU, csr_array]]:
        return zip(self._members, self._parts, self._factors, self._before, strict=True)


def _depths(matrix: csr_array, part: Ints, count: int) -> Ints:
    """Level of each strongly connected part: one more than that of the deepest part it depends on."""
    entries = matrix.tocoo()
    into, out_of = part[entries.row], part[entries.col]
    crossing = into != out_of
    edges = divmod(np.unique(into[crossing] * count + out_of[crossing]), count)
    depth = np.zeros(count, dtype=np.int64)
    while True:
        deeper = depth.copy()
        np.maximum.at(deeper, edges[0], depth[edges[1]] + 1)
        if (deeper == depth).all():
            return depth
        depth = deeper


def _solve_parts(lu: SuperLU, part: Ints, right: Floats, trans: str) -> Floats:
    """Solve a block diagonal system; right-hand sides that are zero in a block don't cost a solve there."""
    width = right.shape[1]
    parts = int(part.max()) + 1
    if parts == 1:
        return _lu_solve(lu, right, trans)
    touched = np.zeros((parts, width), dtype=bool)
    rows, columns = np.nonzero(right)
    touched[part[rows], columns] = True
    most = int(touched.sum(axis=1).max())
    if most == width:
        return _lu_solve(lu, right, trans)
    # (parts, most): the columns that touch a part, then some that are zero in it, as are their solutions
    order = np.argsort(~touched, axis=1, kind="stable")[:, :most]
    column, row = order[part], np.arange(len(part))[:, None]
    found = np.zeros_like(right)
    if most:
        found[row, column] = _lu_solve(lu, right[row, column], trans)
    return found


def _lu_solve(lu: SuperLU, right: Floats, trans: str) -> Floats:
    # scipy-stubs don't know the second argument
    return np.asarray(lu.solve(right, trans))  # type: ignore[call-overload, unused-ignore]


def lu_factors(matrix: csc_array, *, ordered: bool) -> SuperLU:
    """LU factors without pivoting off the diagonal; by minimum degree unless the matrix is `ordered`."""
    order = "NATURAL" if ordered else "MMD_AT_PLUS_A"
    try:
        with one_blas_thread():
            return splu(
                matrix,
                permc_spec=order,
                diag_pivot_thresh=0.0,
                panel_size=_PANEL,
                options={"SymmetricMode": True},
            )
    except RuntimeError as error:  # SuperLU: "Factor is exactly singular"
        raise SingularNetworkError(
            f"the equations of this network have no unique solution ({error})"
        ) from None
