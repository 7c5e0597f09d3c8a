"""Branches of a network as arrays: currents, sources, and the nodal matrix that they make."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from circuits.network import GROUND, BranchKind, Network
from compact_model.numeric import Floats, Ints


@dataclass(frozen=True, slots=True)
class Branches:
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

    def transposed(self) -> Branches:
        """Those of the network whose matrix is transposed."""
        return Branches(self.conductance, self.control, self.across)


def branches_of(network: Network, which: NDArray[np.bool_] | None = None) -> Branches:
    """Branches of a network, those alone that `which` chooses, as arrays."""
    chosen = _conducting(network)
    if which is not None:
        chosen &= which
    resistor = network.kind[chosen] == BranchKind.RESISTOR
    plus, minus, value = network.plus[chosen], network.minus[chosen], network.value[chosen].copy()
    value[resistor] = 1 / value[resistor]
    number, shape = np.arange(len(value)), (len(value), network.n_nodes)
    across = _differences(number, plus, minus, 1.0, shape)
    control_plus = np.where(resistor, plus, network.control_plus[chosen])
    control_minus = np.where(resistor, minus, network.control_minus[chosen])
    return Branches(value, across, _differences(number, control_plus, control_minus, 1.0, shape))


def branch_currents(network: Network, node_voltages: Floats, inputs: Floats) -> Floats:
    """As `Factored.currents`, by the law of each branch from node voltages (batch, nodes) of any solver.

    The current of a wire is then as uncertain as the difference of two voltages; `Factored.currents` is not.
    """
    conducted = branches_of(network).currents(node_voltages.T)
    return with_sources(network, conducted, np.asarray(drive(network) @ inputs.T)).T


def with_sources(network: Network, conducted: Floats, driven: Floats) -> Floats:
    """Currents of all branches, (branches, k), from those of resistors and controlled sources."""
    currents = np.where((network.kind == BranchKind.CURRENT)[:, None], driven, 0.0)
    currents[_conducting(network)] = conducted
    leaving = np.zeros((network.n_nodes + 1, currents.shape[1]))  # ground, -1, is the last
    np.add.at(leaving, network.plus, currents)
    np.add.at(leaving, network.minus, -currents)
    sources = network.kind == BranchKind.VOLTAGE
    currents[sources] = -leaving[network.plus[sources]]
    return currents


def drive(network: Network) -> csr_array:
    """Values of the sources per unit input, (branches, inputs)."""
    entries = network.drive_coefficient, (network.drive_source, network.drive_input)
    return coo_array(entries, shape=(len(network.kind), network.n_inputs)).tocsr()


def _conducting(network: Network) -> NDArray[np.bool_]:
    return np.isin(network.kind, (BranchKind.RESISTOR, BranchKind.VCCS))


def nodal_matrix(network: Network) -> csr_array:
    """Currents leaving the nodes per node voltage, (nodes, nodes) [S]."""
    return branches_of(network).matrix()


def coupled_parts(network: Network) -> Ints:
    """Sizes of the sets of nodes that act on each other, and so have to be solved together."""
    _, label = connected_components(nodal_matrix(network), directed=True, connection="strong")
    return np.bincount(label).astype(np.int64)


def incidence(network: Network, kind: BranchKind) -> csr_array:
    """+1 at the plus node and -1 at the minus node of each branch of a kind, (branches, nodes)."""
    branch = np.flatnonzero(network.kind == kind)
    return _differences(
        branch, network.plus[branch], network.minus[branch], 1.0, (len(network.kind), network.n_nodes)
    )


def output_matrix(network: Network) -> csr_array:
    """Matrix that takes node voltages to outputs, (outputs, nodes)."""
    output = np.arange(network.n_outputs)
    shape = (network.n_outputs, network.n_nodes)
    return _differences(output, network.output_plus, network.output_minus, network.output_scale, shape)


def _differences(rows: Ints, plus: Ints, minus: Ints, scale: ArrayLike, shape: tuple[int, int]) -> csr_array:
    values = np.broadcast_to(np.asarray(scale, dtype=float), rows.shape)
    where = np.concatenate([rows, rows]), np.concatenate([plus, minus])
    inside = where[1] != GROUND
    entries = np.concatenate([values, -values])[inside]
    return coo_array((entries, (where[0][inside], where[1][inside])), shape=shape).tocsr()
