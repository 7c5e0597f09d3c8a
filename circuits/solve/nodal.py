"""Static solution of a `Network` by sparse nodal analysis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from circuits.network import GROUND, BranchKind, Network, Role
from circuits.solve.block_lu import BlockLu, SingularNetworkError
from circuits.solve.branches import Branches, branches_of, drive, incidence, output_matrix, with_sources
from circuits.threads import one_blas_thread
from compact_model.numeric import Floats

_CHUNK = 32  # right-hand sides solved at once: bounds the memory of a transfer matrix
_RESIDUAL = 1e-8  # relative to the largest term of an equation; a sound network stays below 1e-12
_VISIBLE = 1e-10  # error of the outputs, relative to the largest, from which a solution is corrected,
_LEFT = 1e-12  # and that which the corrections may leave
_ROUNDING = 8 * float(np.finfo(float).eps)  # of a sum of currents, relative to the sum of their magnitudes
_CORRECTIONS = 30  # halved so often, an error is 1e-9 of what it was


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
        Power that the branches of a role take up, (batch,) [W] each.
    source_power
        Power delivered by the independent sources, (batch,) [W].
    """

    node_voltages: Floats
    outputs: Floats
    power: dict[Role, Floats]
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
    >>> from circuits.arrays.config import ArrayConfig
    >>> from circuits.arrays.crossbar import crossbar
    >>> config = ArrayConfig(architecture="resistive", r_row=0, r_column=0, r_output=0, r_input=1.0)
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
        voltage = network.kind == BranchKind.VOLTAGE
        self._known = network.plus[voltage]
        unknown = np.ones(network.n_nodes, dtype=bool)
        unknown[self._known] = False
        self.branches_of = branches_of(network)
        conductance = self.branches_of.matrix()
        nodes = np.flatnonzero(unknown)
        self._levels = BlockLu(conductance[nodes][:, nodes], network.places[:, nodes])
        self._unknown = nodes[self._levels.order]
        self.drive = drive(network)
        self._known_drive = self.drive[np.flatnonzero(voltage)]
        self._drawn = incidence(network, BranchKind.CURRENT).T @ self.drive  # current drawn from each node
        self._right = -(
            conductance[self._unknown][:, self._known] @ self._known_drive + self._drawn[self._unknown]
        ).tocsc()
        self._read = output_matrix(network)

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
            role: np.asarray(np.einsum("kb,kb->b", branches.across @ voltages, branches.currents(voltages)))
            for role, branches in self._role_branches.items()
        }
        fed = -np.asarray(self._drawn @ batch.T)
        fed[self._known] = self.branches_of.sums(self.branches_of.currents(voltages))[self._known]
        source_power = np.einsum("kb,kb->b", voltages, fed)
        return NodalSolution(voltages.T, (self._read @ voltages).T, power, source_power)

    def outputs(self, inputs: ArrayLike) -> Floats:
        """Outputs alone, for any number of inputs: no more is solved or held than there are inputs or outputs.

        Parameters
        ----------
        inputs
            (batch, inputs), in the unit of the sources.

        Returns
        -------
        (batch, outputs), in the unit of the outputs.
        """
        network = self.network
        batch = network.checked_inputs(inputs)
        if len(batch) >= min(network.n_inputs, network.n_outputs):
            return np.asarray(batch @ self.transfer().T)
        found = np.empty((len(batch), network.n_outputs))
        for part in _chunks(len(batch)):
            found[part] = (self._read @ self._driven(batch[part])[0]).T
        return found

    def currents(self, inputs: ArrayLike) -> Floats:
        """Current of each branch, from its plus node through the branch to its minus node, (batch, branches) [A].

        As `voltages_and_currents`.

        Examples
        --------
        >>> from circuits.arrays.config import ArrayConfig
        >>> from circuits.arrays.crossbar import crossbar
        >>> network = crossbar([[999.0]], ArrayConfig(architecture="resistive", r_row=0, r_column=0, r_output=0))
        >>> currents = factor(network).currents([[1.0]])
        >>> dict(zip(network.branch_names, currents[0].round(9).tolist()))
        {'Vin0': -0.001, 'Rsns0': 0.001, 'Rcell0_0': 0.001}
        """
        return self.voltages_and_currents(inputs)[1]

    def voltages_and_currents(self, inputs: ArrayLike) -> tuple[Floats, Floats]:
        """Voltage of each node, and current of each branch from its plus node through it to its minus node.

        Currents sum to zero at every node to the rounding of the currents there, also where the voltage drop of a wire
        is lost in the voltages of its ends. A voltage source carries what the other branches at its node leave over.

        Parameters
        ----------
        inputs
            (batch, inputs), in the unit of the sources.

        Returns
        -------
        (batch, nodes) [V] and (batch, branches) [A].
        """
        batch = self.network.checked_inputs(inputs)
        voltages, conducted = self._driven(batch, at_least=2)
        currents = with_sources(self.network, np.asarray(conducted), np.asarray(self.drive @ batch.T))
        return voltages.T, currents.T

    def power_forms(self) -> dict[Role, Floats]:
        """Power of each role as a quadratic form of the inputs.

        Returns
        -------
        dict
            Role -> symmetric (inputs, inputs) matrix Q [W per squared input]: power is ``x @ Q @ x``,
            and its mean over inputs with second moment M = mean(x x^T) is ``trace(Q M)``. The sum over the
            roles is what the independent sources deliver. A controlled source counts in its role: the pair
            inside a Hall cell belongs to the cell; the output of a transconductor to `AMPLIFIER`, where it is
            negative (its supply delivers that power, not the row drivers).
        """
        forms = {}
        for role, branches in self._role_branches.items():
            with one_blas_thread():
                form = (branches.across @ self.response).T @ branches.currents(self.response)
            forms[role] = (form + form.T) / 2
        return forms

    @cached_property
    def _role_branches(self) -> dict[Role, Branches]:
        return {role: branches_of(self.network, self.network.of_role(role)) for role in Role}

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
        branches = self.branches_of.transposed() if transposed else self.branches_of
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
        self, voltages: Floats, right: Floats, fed: Floats, branches: Branches, transposed: bool
    ) -> int:
        """How many corrections it takes until the next one does not show in an output; for one column."""
        seen = self._right.T if transposed else self._read[:, self._unknown]
        currents = branches.currents(voltages)
        residual = fed - branches.sums(currents)
        largest = _largest(right) + self._levels.norm * _largest(voltages)
        if _largest(residual[self._unknown]) <= _RESIDUAL * largest:
            outputs = seen @ voltages[self._unknown]
            least = np.inf
            for step in range(_CORRECTIONS):
                correction = self._missing(residual, transposed)
                change = seen @ correction[self._unknown]
                size = _largest(change)
                if size <= (_LEFT if step else _VISIBLE) * _largest(outputs):
                    return step
                flow = _largest(np.abs(fed) + branches.flows(currents))
                rounded = _largest(residual[self._unknown]) <= _ROUNDING * flow
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


def _check_connected(network: Network) -> None:
    conducts = np.isin(network.kind, (BranchKind.RESISTOR, BranchKind.VOLTAGE))
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


def _largest(values: Floats) -> float:
    """Largest magnitude; 0 of none."""
    return float(np.abs(values).max(initial=0.0))


def _chunks(count: int) -> Iterator[slice]:
    return (slice(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK))
