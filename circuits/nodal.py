"""Static solution of a `Network` by sparse nodal analysis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array, csc_array, csr_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import SuperLU, splu

from circuits.network import GROUND, Floats, Ints, Kind, Network
from circuits.threads import one_blas_thread

_CHUNK = 64  # right-hand sides solved at once: bounds the memory of a transfer matrix
_RESIDUAL = 1e-8  # relative to the largest term of an equation; a sound network stays below 1e-12


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
        self._unknown = np.flatnonzero(unknown)
        conductance = nodal_matrix(network)
        self._conductance = conductance
        self._matrix = conductance[self._unknown][:, self._unknown]
        drive = coo_array(
            (network.drive_coefficient, (network.drive_source, network.drive_input)),
            shape=(len(network.kind), network.n_inputs),
        ).tocsr()
        self._known_drive = drive[np.flatnonzero(voltage)]
        injected = _incidence(network, Kind.CURRENT).T @ drive  # current drawn from each node
        self._drawn = injected
        self._right = -(
            conductance[self._unknown][:, self._known] @ self._known_drive + injected[self._unknown]
        ).tocsc()
        self._levels = _Levels(self._matrix)
        self._read = _output_matrix(network)

    @cached_property
    def response(self) -> Floats:
        """Node voltages per unit input, (nodes, inputs); kept once computed."""
        voltages = np.zeros((self.network.n_nodes, self.network.n_inputs))
        voltages[self._known] = self._known_drive.toarray()
        for part in _chunks(self.network.n_inputs):
            voltages[self._unknown, part] = self._solved(self._right[:, part].toarray())
        return voltages

    @cached_property
    def adjoint_response(self) -> Floats:
        """Node voltages of the transposed network per unit output weight, (nodes, outputs); kept once computed.

        Entry (k, o) is the change of output o per ampere drawn into node k from ground.
        """
        voltages = np.zeros((self.network.n_nodes, self.network.n_outputs))
        read = self._read[:, self._unknown]
        for part in _chunks(self.network.n_outputs):
            voltages[self._unknown, part] = self._solved(read[part].toarray().T, transposed=True)
        return voltages

    def transfer(self) -> Floats:
        """Outputs per unit input, (outputs, inputs)."""
        if "response" in self.__dict__:  # computed before, and kept
            return np.asarray(self._read @ self.response)
        read_unknown, read_known = self._read[:, self._unknown], self._read[:, self._known]
        result: Floats = (read_known @ self._known_drive).toarray()
        n_outputs, n_inputs = result.shape
        if n_inputs <= n_outputs:
            for part in _chunks(n_inputs):
                result[:, part] += read_unknown @ self._solved(self._right[:, part].toarray())
        else:
            for part in _chunks(n_outputs):
                adjoint = self._solved(read_unknown[part].toarray().T, transposed=True)
                result[part] += (self._right.T @ adjoint).T
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
        voltages = np.zeros((len(batch), network.n_nodes))
        voltages[:, self._known] = batch @ self._known_drive.T.toarray()
        if len(batch) < network.n_inputs:
            voltages[:, self._unknown] = self._solved(np.asarray(self._right @ batch.T)).T
        else:
            voltages[:, self._unknown] = batch @ self.response[self._unknown].T
        power = {
            name: np.asarray(np.einsum("bn,nb->b", voltages, matrix @ voltages.T))
            for name, matrix in self._group_matrices.items()
        }
        drawn = self._conductance @ voltages.T
        source_power = np.einsum("bk,kb->b", voltages[:, self._known], drawn[self._known])
        source_power -= np.einsum("bn,nb->b", voltages, np.asarray(self._drawn @ batch.T))
        return NodalSolution(voltages, voltages @ self._read.T, power, source_power)

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
        for name, matrix in self._group_matrices.items():
            with one_blas_thread():
                form = self.response.T @ (matrix @ self.response)
            forms[name] = (form + form.T) / 2
        return forms

    @cached_property
    def _group_matrices(self) -> dict[str, csr_array]:
        groups = self.network.group
        return {
            name: nodal_matrix(self.network, groups == number)
            for number, name in enumerate(self.network.groups)
        }

    def _solved(self, right: Floats, *, transposed: bool = False) -> Floats:
        matrix = self._matrix.T if transposed else self._matrix
        with one_blas_thread():
            found = self._levels.solve(right, transposed=transposed)
        # One combination of the right-hand sides stands for all of them: checking each would cost as much as solving.
        weights = np.cos(np.arange(right.shape[1]))
        combined, wanted = found @ weights, right @ weights
        residual = np.abs(matrix @ combined - wanted).max(initial=0.0)
        largest = np.abs(wanted).max(initial=0.0) + self._norm * np.abs(combined).max(initial=0.0)
        if not residual <= _RESIDUAL * largest:
            raise SingularNetworkError(
                "the equations of this network have no accurate solution: its resistances span too many decades,"
                " or it is singular"
            )
        return found

    @cached_property
    def _norm(self) -> float:
        return float(np.abs(self._matrix.data).max(initial=0.0))


def nodal_matrix(network: Network, which: NDArray[np.bool_] | None = None) -> csr_array:
    """Currents leaving the nodes per node voltage, (nodes, nodes) [S], of the branches selected by `which`."""
    chosen = np.isin(network.kind, (Kind.RESISTOR, Kind.VCCS))
    if which is not None:
        chosen &= which
    resistor = network.kind[chosen] == Kind.RESISTOR
    plus, minus, value = network.plus[chosen], network.minus[chosen], network.value[chosen].copy()
    value[resistor] = 1 / value[resistor]
    control_plus = np.where(resistor, plus, network.control_plus[chosen])
    control_minus = np.where(resistor, minus, network.control_minus[chosen])
    rows = np.concatenate([plus, plus, minus, minus])
    columns = np.concatenate([control_plus, control_minus, control_plus, control_minus])
    entries = np.concatenate([value, -value, -value, value])
    inside = (rows != GROUND) & (columns != GROUND)
    size = network.n_nodes
    matrix = coo_array((entries[inside], (rows[inside], columns[inside])), shape=(size, size)).tocsr()
    matrix.eliminate_zeros()
    return matrix


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
    levels only. Each level is factored as one block diagonal matrix. Right-hand sides that touch different parts
    of a level share a solve: the rows of an array that don't act on each other cost one solve, not one each.
    """

    def __init__(self, matrix: csr_array) -> None:
        count, labels = connected_components(matrix, directed=True, connection="strong")
        part = labels.astype(np.int64)
        level = _depths(matrix, part, count)[part]
        self._size = len(part)
        self._members: list[Ints | slice] = []
        self._parts: list[Ints] = []
        self._factors: list[SuperLU] = []
        self._before: list[csr_array] = []  # (members of the level, all): dependence on the other levels
        for number in range(int(level.max(initial=-1)) + 1):
            members = np.flatnonzero(level == number)
            rows = matrix[members]
            block = rows[:, members]
            self._members.append(_as_slice(members))
            self._parts.append(np.unique(part[members], return_inverse=True)[1])
            self._factors.append(_lu(block.tocsc()))
            outside = rows.copy()
            outside.data[level[outside.indices] == number] = 0.0
            outside.eliminate_zeros()
            self._before.append(outside)

    def solve(self, right: Floats, *, transposed: bool) -> Floats:
        """Solve ``A x = right`` or ``A^T x = right``; (size, k)."""
        found = np.zeros((self._size, right.shape[1]))
        if not transposed:
            for members, part, lu, before in self._each():
                rest = right[members]
                if before.nnz:
                    rest = rest - before @ found
                found[members] = _solve_parts(lu, part, rest, "N")
            return found
        rest = right.astype(float)
        for members, part, lu, before in reversed(list(self._each())):
            found[members] = _solve_parts(lu, part, rest[members], "T")
            if before.nnz:
                rest -= before.T @ found[members]
        return found

    def _each(self) -> Iterator[tuple[Ints | slice, Ints, SuperLU, csr_array]]:
        return zip(self._members, self._parts, self._factors, self._before, strict=True)


def _as_slice(members: Ints) -> Ints | slice:
    """Neighbouring numbers as a slice, which copies nothing when it picks."""
    if len(members) and members[-1] - members[0] + 1 == len(members):
        return slice(int(members[0]), int(members[-1]) + 1)
    return members


def _depths(matrix: csr_array, part: Ints, count: int) -> Ints:
    """Level of each strongly connected part: one more than that of the deepest part it depends on."""
    entries = matrix.tocoo()
    into, out_of = part[entries.row], part[entries.col]
    crossing = into != out_of
    edges = np.unique(np.stack([into[crossing], out_of[crossing]]), axis=1)
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


def _lu(matrix: csc_array) -> SuperLU:
    try:
        with one_blas_thread():
            return splu(
                matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
            )
    except RuntimeError as error:  # SuperLU: "Factor is exactly singular"
        raise SingularNetworkError(
            f"the equations of this network have no unique solution ({error})"
        ) from None
