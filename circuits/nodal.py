"""Static solution of a `Network` by sparse nodal analysis."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array, csc_array, csr_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import SuperLU, splu

from circuits.dissection import elimination_rank
from circuits.network import GROUND, Floats, Ints, Kind, Network
from circuits.threads import one_blas_thread

_CHUNK = 32  # right-hand sides solved at once: bounds the memory of a transfer matrix
_RESIDUAL = 1e-8  # relative to the largest term of an equation; a sound network stays below 1e-12
_VISIBLE = 1e-10  # error of the outputs from which a solution is refined


class SingularNetworkError(ValueError):
    """A network without a unique solution: floating nodes, or equations that contradict each other."""


@dataclass(frozen=True, slots=True)
class NodalSolution:
    """Node voltages and what follows from them, for a batch of inputs.

    Attributes
    ----------
    node_voltages
        (batch, nodes) [V], in the order of `Network.node_names`.
    outputs
        (batch, outputs), in the unit of the outputs.
    power
        Power that the branches of a group take up, (batch,) [W] each.
    source_power
        Power delivered by the independent sources, (batch,) [W].
    """

    node_voltages: Floats
    outputs: Floats
    power: dict[str, Floats]
    source_power: Floats


def factor(network: Network) -> Factored:
    """Factor the nodal equations of a network, once for any number of inputs.

    Capacitors are open. Parts of the network that act on others without being acted upon (the rows of an array
    whose cells end in amplifiers, say) are found and factored on their own.

    Raises
    ------
    SingularNetworkError
        Naming nodes without a conducting path to ground or to a voltage source, or when the equations have
        no unique solution for another reason.

    Examples
    --------
    >>> from circuits.arrays import ArrayConfig, crossbar
    >>> config = ArrayConfig(architecture="resistive", r_row=0, r_col=0, r_driver=0, r_sense=1.0)
    >>> factor(crossbar([[999.0, 1999.0]], config)).transfer()
    array([[0.001 ],
           [0.0005]])
    """
    return Factored(network)


class Factored:
    """A network with its nodal equations factored; made by `factor`."""

    def __init__(self, network: Network) -> None:
        self.network = network
        _check_connected(network)
        voltage = network.kind == Kind.VOLTAGE
        self._known = network.plus[voltage]
        unknown = np.ones(network.n_nodes, dtype=bool)
        unknown[self._known] = False
        self._branches = _branches(network)
        conductance = self._branches.matrix()
        nodes = np.flatnonzero(unknown)
        self._levels = _Levels(conductance[nodes][:, nodes], network.places[:, nodes])
        self._unknown = nodes[self._levels.order]
        drive = coo_array(
            (network.drive_coefficient, (network.drive_source, network.drive_input)),
            shape=(len(network.kind), network.n_inputs),
        ).tocsr()
        self._known_drive = drive[np.flatnonzero(voltage)]
        self._drawn = _incidence(network, Kind.CURRENT).T @ drive  # current drawn from each node
        self._right = -(
            conductance[self._unknown][:, self._known] @ self._known_drive + self._drawn[self._unknown]
        ).tocsc()
        self._read = _output_matrix(network)

    @cached_property
    def response(self) -> Floats:
        """Node voltages per unit input, (nodes, inputs); kept once computed."""
        voltages = np.empty((self.network.n_nodes, self.network.n_inputs))
        for part in _chunks(self.network.n_inputs):
            voltages[:, part] = self._response(part)
        return voltages

    @cached_property
    def adjoint_response(self) -> Floats:
        """Node voltages of the transposed network per unit output weight, (nodes, outputs); kept once computed.

        Entry (k, o) is the change of output o per ampere drawn into node k from ground.
        """
        voltages = np.empty((self.network.n_nodes, self.network.n_outputs))
        for part in _chunks(self.network.n_outputs):
            voltages[:, part] = self._adjoint_response(part)
        return voltages

    def transfer(self) -> Floats:
        """Outputs per unit input, (outputs, inputs)."""
        if "response" in self.__dict__:  # computed before, and kept
            return np.asarray(self._read @ self.response)
        n_outputs, n_inputs = self.network.n_outputs, self.network.n_inputs
        result = np.empty((n_outputs, n_inputs))
        if n_inputs <= n_outputs:
            for part in _chunks(n_inputs):
                result[:, part] = self._read @ self._response(part)
        else:
            direct = (self._read[:, self._known] @ self._known_drive).toarray()
            for part in _chunks(n_outputs):
                adjoint = self._adjoint_response(part)[self._unknown]
                result[part] = direct[part] + (self._right.T @ adjoint).T
        return result

    def solve(self, inputs: ArrayLike) -> NodalSolution:
        """Solve for a batch of inputs.

        Parameters
        ----------
        inputs
            (batch, inputs), in the unit of the sources.
        """
        network = self.network
        batch = network.checked_inputs(inputs)
        if len(batch) < network.n_inputs:
            voltages = self._voltages(
                np.asarray(self._right @ batch.T),
                -(self._drawn @ batch.T),
                np.asarray(self._known_drive @ batch.T),
            )
        else:
            voltages = np.asarray(self.response @ batch.T)
        power = {
            name: np.asarray(np.einsum("kb,kb->b", branches.across @ voltages, branches.currents(voltages)))
            for name, branches in self._group_branches.items()
        }
        source_power = np.einsum(
            "kb,kb->b", voltages[self._known], self._branches.leaving(voltages)[self._known]
        ) - np.einsum("kb,kb->b", voltages, np.asarray(self._drawn @ batch.T))
        return NodalSolution(voltages.T, (self._read @ voltages).T, power, source_power)

    def power_forms(self) -> dict[str, Floats]:
        """Power of each group as a quadratic form of the inputs.

        Returns
        -------
        dict
            Group name -> symmetric (inputs, inputs) matrix Q [W per squared input]: power is ``x @ Q @ x``,
            and its mean over inputs with second moment M = mean(x x^T) is ``trace(Q M)``. The sum over the
            groups is what the independent sources deliver. A controlled source counts in its group: the pair
            inside a Hall cell belongs to the cell; the output of a transconductor to `sense`, where it is
            negative (its supply delivers that power, not the row drivers).
        """
        forms = {}
        for name, branches in self._group_branches.items():
            with one_blas_thread():
                form = (branches.across @ self.response).T @ branches.currents(self.response)
            forms[name] = (form + form.T) / 2
        return forms

    @cached_property
    def _group_branches(self) -> dict[str, _Branches]:
        groups = self.network.group
        return {
            name: _branches(self.network, groups == number) for number, name in enumerate(self.network.groups)
        }

    def _response(self, inputs: slice) -> Floats:
        return self._voltages(
            self._right[:, inputs].toarray(),
            -self._drawn[:, inputs].toarray(),
            self._known_drive[:, inputs].toarray(),
        )

    def _adjoint_response(self, outputs: slice) -> Floats:
        read = self._read[outputs].toarray().T
        return self._voltages(read[self._unknown], read, 0.0, transposed=True)

    def _voltages(
        self, right: Floats, fed: Floats, known: Floats | float, *, transposed: bool = False
    ) -> Floats:
        """Node voltages (nodes, k), refined where their rounding shows in an output.

        In the nodal matrix a wire of 0.01 Ohm rounds the conductances beside it by 1e-14 S, which under volts of
        common mode leaks more than microvolts of signal allow. Summed branch by branch, currents are exact: the
        difference of neighbouring voltages has no rounding. What is missing at the nodes is solved for again.

        Parameters
        ----------
        right
            (unknown nodes, k), right-hand sides of the nodal equations.
        fed
            (nodes, k), currents into the nodes.
        known
            (nodes with a voltage source, k).
        transposed
            Whether it is the transposed network.
        """
        branches = self._branches.transposed() if transposed else self._branches
        voltages = np.zeros(fed.shape)
        voltages[self._known] = known

        def missing(of: Floats, fed_by: Floats) -> Floats:
            left: Floats = fed_by - branches.leaving(of)
            return left[self._unknown]

        with one_blas_thread():
            voltages[self._unknown] = self._levels.solve(right, transposed=transposed)
            # One combination of the columns stands for all of them: checking each would cost as much as solving.
            weights = np.cos(np.arange(right.shape[1]))[:, None]
            combined = voltages @ weights
            residual = missing(combined, fed @ weights)
            largest = np.abs(right @ weights).max(initial=0.0)
            largest += self._levels.norm * np.abs(combined).max(initial=0.0)
            if not np.abs(residual).max(initial=0.0) <= _RESIDUAL * largest:
                raise SingularNetworkError(
                    "the equations of this network have no accurate solution: its resistances span too many decades,"
                    " or it is singular"
                )
            seen = self._right.T if transposed else self._read[:, self._unknown]
            error = np.abs(seen @ self._levels.solve(residual, transposed=transposed)).max(initial=0.0)
            if error > _VISIBLE * np.abs(seen @ combined[self._unknown]).max(initial=0.0):
                voltages[self._unknown] += self._levels.solve(missing(voltages, fed), transposed=transposed)
        return voltages


@dataclass(frozen=True, slots=True)
class _Branches:
    """Resistors and controlled sources, one by one."""

    conductance: Floats  # (branches,)
    across: csr_array  # (branches, nodes): voltage between the ends
    control: csr_array  # (branches, nodes): voltage that drives the current

    def currents(self, voltages: Floats) -> Floats:
        """(branches, k) of node voltages (nodes, k)."""
        flowing: Floats = self.conductance[:, None] * np.asarray(self.control @ voltages)
        return flowing

    def leaving(self, voltages: Floats) -> Floats:
        """Current that leaves each node, (nodes, k)."""
        return np.asarray(self.across.T @ self.currents(voltages))

    def matrix(self) -> csr_array:
        """Currents leaving the nodes per node voltage, (nodes, nodes) [S]."""
        entries: csr_array = (self.across.T * self.conductance @ self.control).tocsr()
        entries.eliminate_zeros()
        return entries

    def transposed(self) -> _Branches:
        """Those of the network whose matrix is transposed."""
        return _Branches(self.conductance, self.control, self.across)


def _branches(network: Network, which: NDArray[np.bool_] | None = None) -> _Branches:
    chosen = np.isin(network.kind, (Kind.RESISTOR, Kind.VCCS))
    if which is not None:
        chosen &= which
    resistor = network.kind[chosen] == Kind.RESISTOR
    plus, minus, value = network.plus[chosen], network.minus[chosen], network.value[chosen].copy()
    value[resistor] = 1 / value[resistor]
    number, shape = np.arange(len(value)), (len(value), network.n_nodes)
    across = _differences(number, plus, minus, 1.0, shape)
    control_plus = np.where(resistor, plus, network.control_plus[chosen])
    control_minus = np.where(resistor, minus, network.control_minus[chosen])
    return _Branches(value, across, _differences(number, control_plus, control_minus, 1.0, shape))


def nodal_matrix(network: Network) -> csr_array:
    """Currents leaving the nodes per node voltage, (nodes, nodes) [S]."""
    return _branches(network).matrix()


def coupled_parts(network: Network) -> Ints:
    """Sizes of the sets of nodes that act on each other, and so have to be solved together."""
    _, label = connected_components(nodal_matrix(network), directed=True, connection="strong")
    return np.bincount(label).astype(np.int64)


def _incidence(network: Network, kind: Kind) -> csr_array:
    """+1 at the plus node and -1 at the minus node of each branch of a kind, (branches, nodes)."""
    branch = np.flatnonzero(network.kind == kind)
    return _differences(
        branch, network.plus[branch], network.minus[branch], 1.0, (len(network.kind), network.n_nodes)
    )


def _output_matrix(network: Network) -> csr_array:
    output = np.arange(network.n_outputs)
    shape = (network.n_outputs, network.n_nodes)
    return _differences(output, network.output_plus, network.output_minus, network.output_scale, shape)


def _differences(rows: Ints, plus: Ints, minus: Ints, scale: ArrayLike, shape: tuple[int, int]) -> csr_array:
    values = np.broadcast_to(np.asarray(scale, dtype=float), rows.shape)
    where = np.concatenate([rows, rows]), np.concatenate([plus, minus])
    inside = where[1] != GROUND
    entries = np.concatenate([values, -values])[inside]
    return coo_array((entries, (where[0][inside], where[1][inside])), shape=shape).tocsr()


def _check_connected(network: Network) -> None:
    conducts = np.isin(network.kind, (Kind.RESISTOR, Kind.VOLTAGE))
    size = network.n_nodes
    plus, minus = network.plus[conducts], network.minus[conducts]
    ends = np.where(plus == GROUND, size, plus), np.where(minus == GROUND, size, minus)
    graph = coo_array((np.ones(len(plus)), ends), shape=(size + 1, size + 1))
    _, label = connected_components(graph, directed=False)
    floating = np.flatnonzero(label[:-1] != label[-1])
    if len(floating):
        names = ", ".join(network.node_names[i] for i in floating[:3].tolist())
        more = f" and {len(floating) - 3} more" if len(floating) > 3 else ""
        raise SingularNetworkError(
            f"nodes without a conducting path to ground or to a voltage source: {names}{more}"
        )


def _chunks(count: int) -> Iterator[slice]:
    return (slice(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK))


class _Levels:
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
        bounds = np.searchsorted(level, np.arange(level.max(initial=-1) + 2)).tolist()
        self._members = [slice(start, end) for start, end in itertools.pairwise(bounds)]
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
    if part.max(initial=0) == 0:
        return _lu_solve(lu, right, trans)
    touched = np.zeros((int(part.max(initial=0)) + 1, width), dtype=bool)
    rows, columns = np.nonzero(right)
    touched[part[rows], columns] = True
    most = int(touched.sum(axis=1).max(initial=0))
    if most == width:
        return _lu_solve(lu, right, trans)
    order = np.argsort(~touched, axis=1, kind="stable")[:, :most]  # (parts, most): the columns that touch it
    used = np.take_along_axis(touched, order, axis=1)
    column, row = order[part], np.arange(len(part))[:, None]
    packed = np.where(used[part], right[row, column], 0.0)
    found = np.zeros_like(right)
    if most:
        solved = _lu_solve(lu, packed, trans)
        found[row, column] = np.where(used[part], solved, 0.0)
    return found


def _lu_solve(lu: SuperLU, right: Floats, trans: str) -> Floats:
    # scipy-stubs don't know the second argument
    return np.asarray(lu.solve(right, trans))  # type: ignore[call-overload, unused-ignore]


def lu_factors(matrix: csc_array, *, ordered: bool) -> SuperLU:
    """LU factors without pivoting off the diagonal; by minimum degree unless the matrix is `ordered`."""
    order = "NATURAL" if ordered else "MMD_AT_PLUS_A"
    try:
        with one_blas_thread():
            return splu(matrix, permc_spec=order, diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    except RuntimeError as error:  # SuperLU: "Factor is exactly singular"
        raise SingularNetworkError(
            f"the equations of this network have no unique solution ({error})"
        ) from None
