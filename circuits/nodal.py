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
_PANEL = 4  # columns that SuperLU takes at once; its own 20 are for fuller factors, and it fails on more
_RESIDUAL = 1e-8  # relative to the largest term of an equation; a sound network stays below 1e-12
_VISIBLE = 1e-10  # error of the outputs, relative to the largest, from which a solution is corrected,
_LEFT = 1e-12  # and that which the corrections may leave
_ROUNDING = 8 * float(np.finfo(float).eps)  # of a sum of currents, relative to the sum of their magnitudes
_CORRECTIONS = 30  # halved so often, an error is 1e-9 of what it was


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
        self._drive = _drive(network)
        self._known_drive = self._drive[np.flatnonzero(voltage)]
        self._drawn = _incidence(network, Kind.CURRENT).T @ self._drive  # current drawn from each node
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
            voltages, _ = self._driven(batch)
        else:
            voltages = np.asarray(self.response @ batch.T)
        power = {
            name: np.asarray(np.einsum("kb,kb->b", branches.across @ voltages, branches.currents(voltages)))
            for name, branches in self._group_branches.items()
        }
        leaving = self._branches.sums(self._branches.currents(voltages))
        source_power = np.einsum("kb,kb->b", voltages[self._known], leaving[self._known]) - np.einsum(
            "kb,kb->b", voltages, np.asarray(self._drawn @ batch.T)
        )
        return NodalSolution(voltages.T, (self._read @ voltages).T, power, source_power)

    def currents(self, inputs: ArrayLike) -> Floats:
        """Current of each branch, from its plus node through the branch to its minus node.

        They sum to zero at every node to the rounding of the currents there, also where the voltage drop of a wire
        is lost in the voltages of its ends. A voltage source carries what the other branches at its node leave over.

        Parameters
        ----------
        inputs
            (batch, inputs), in the unit of the sources.

        Returns
        -------
        (batch, branches) [A].

        Examples
        --------
        >>> from circuits.arrays import ArrayConfig, crossbar
        >>> network = crossbar([[999.0]], ArrayConfig(architecture="resistive", r_row=0, r_col=0, r_driver=0))
        >>> currents = factor(network).currents([[1.0]])
        >>> dict(zip(network.branch_names, currents[0].round(9).tolist()))
        {'Vin0': -0.001, 'Rsns0': 0.001, 'Rcell0_0': 0.001}
        """
        batch = self.network.checked_inputs(inputs)
        conducted = self._driven(batch, at_least=2)[1]
        return _with_sources(self.network, np.asarray(conducted), np.asarray(self._drive @ batch.T)).T

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
        )[0]

    def _driven(self, batch: Floats, at_least: int = 0) -> tuple[Floats, Floats | None]:
        return self._voltages(
            np.asarray(self._right @ batch.T),
            -np.asarray(self._drawn @ batch.T),
            np.asarray(self._known_drive @ batch.T),
            at_least=at_least,
        )

    def _adjoint_response(self, outputs: slice) -> Floats:
        read = self._read[outputs].toarray().T
        return self._voltages(read[self._unknown], read, 0.0, transposed=True)[0]

    def _voltages(
        self,
        right: Floats,
        fed: Floats,
        known: Floats | float,
        *,
        transposed: bool = False,
        at_least: int = 0,
    ) -> tuple[Floats, Floats | None]:
        """Node voltages (nodes, k), refined until their rounding does not show in an output; then branch currents too.

        In the nodal matrix a wire of 0.01 Ohm rounds the conductances beside it by 1e-14 S, which under volts of
        common mode leaks more than microvolts of signal allow. So currents are summed branch by branch: the
        difference of neighbouring voltages has no rounding. What is missing at the nodes is solved for, and the
        currents of that correction are added to those of the branches: a wire whose voltage drop is lost in the
        voltages of its ends keeps its current.

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
        at_least
            Corrections also made where none shows.
        """
        branches = self._branches.transposed() if transposed else self._branches
        voltages = np.zeros(fed.shape)
        voltages[self._known] = known
        with one_blas_thread():
            voltages[self._unknown] = self._levels.solve(right, transposed=transposed)
            # One combination of the columns stands for all of them: checking each would cost as much as solving.
            weights = np.cos(np.arange(right.shape[1]))[:, None]
            needed = self._corrections(
                voltages @ weights, right @ weights, fed @ weights, branches, transposed
            )
            steps = max(needed, at_least)
            if steps == 0:
                return voltages, None
            currents = branches.currents(voltages)
            for _ in range(steps):
                correction = self._missing(fed - branches.sums(currents), transposed)
                voltages += correction
                currents += branches.currents(correction)
        return voltages, currents

    def _corrections(
        self, voltages: Floats, right: Floats, fed: Floats, branches: _Branches, transposed: bool
    ) -> int:
        """How many corrections it takes until the next one does not show in an output; for one column."""
        seen = self._right.T if transposed else self._read[:, self._unknown]
        currents = branches.currents(voltages)
        residual = fed - branches.sums(currents)
        largest = np.abs(right).max(initial=0.0) + self._levels.norm * np.abs(voltages).max(initial=0.0)
        if np.abs(residual[self._unknown]).max(initial=0.0) <= _RESIDUAL * largest:
            outputs = seen @ voltages[self._unknown]
            least = np.inf
            for step in range(_CORRECTIONS):
                correction = self._missing(residual, transposed)
                change = seen @ correction[self._unknown]
                size = np.abs(change).max(initial=0.0)
                if size <= (_LEFT if step else _VISIBLE) * np.abs(outputs).max(initial=0.0):
                    return step
                flow = (np.abs(fed) + branches.flows(currents)).max(initial=0.0)
                rounded = np.abs(residual[self._unknown]).max(initial=0.0) <= _ROUNDING * flow
                if rounded and size > 0.5 * least:  # nothing but rounding is left: the last one was in vain
                    return step - 1
                least = min(least, size)
                outputs = outputs + change
                currents += branches.currents(correction)
                residual = fed - branches.sums(currents)
        raise SingularNetworkError(
            "the equations of this network have no accurate solution: its resistances span too many decades, or it is"
            " singular"
        )

    def _missing(self, residual: Floats, transposed: bool) -> Floats:
        """Voltages (nodes, k) that currents into the nodes lack."""
        correction = np.zeros(residual.shape)
        correction[self._unknown] = self._levels.solve(residual[self._unknown], transposed=transposed)
        return correction


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

    def sums(self, currents: Floats) -> Floats:
        """Currents that leave each node, (nodes, k), of branch currents (branches, k)."""
        return np.asarray(self.across.T @ currents)

    def flows(self, currents: Floats) -> Floats:
        """As `sums`, of the magnitudes."""
        return np.asarray(abs(self.across).T @ np.abs(currents))

    def matrix(self) -> csr_array:
        """Currents leaving the nodes per node voltage, (nodes, nodes) [S]."""
        entries: csr_array = (self.across.T * self.conductance @ self.control).tocsr()
        entries.eliminate_zeros()
        return entries

    def transposed(self) -> _Branches:
        """Those of the network whose matrix is transposed."""
        return _Branches(self.conductance, self.control, self.across)


def _branches(network: Network, which: NDArray[np.bool_] | None = None) -> _Branches:
    chosen = _conducting(network)
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


def branch_currents(network: Network, node_voltages: Floats, inputs: Floats) -> Floats:
    """As `Factored.currents`, by the law of each branch from node voltages (batch, nodes) of any solver.

    The current of a wire is then as uncertain as the difference of two voltages; `Factored.currents` is not.
    """
    conducted = _branches(network).currents(node_voltages.T)
    return _with_sources(network, conducted, np.asarray(_drive(network) @ inputs.T)).T


def _with_sources(network: Network, conducted: Floats, driven: Floats) -> Floats:
    """Currents of all branches, (branches, k), from those of resistors and controlled sources."""
    currents = np.where((network.kind == Kind.CURRENT)[:, None], driven, 0.0)
    currents[_conducting(network)] = conducted
    leaving = np.zeros((network.n_nodes + 1, currents.shape[1]))  # ground, -1, is the last
    np.add.at(leaving, network.plus, currents)
    np.add.at(leaving, network.minus, -currents)
    sources = network.kind == Kind.VOLTAGE
    currents[sources] = -leaving[network.plus[sources]]
    return currents


def _drive(network: Network) -> csr_array:
    """Values of the sources per unit input, (branches, inputs)."""
    entries = network.drive_coefficient, (network.drive_source, network.drive_input)
    return coo_array(entries, shape=(len(network.kind), network.n_inputs)).tocsr()


def _conducting(network: Network) -> NDArray[np.bool_]:
    return np.isin(network.kind, (Kind.RESISTOR, Kind.VCCS))


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
