"""Currents of all branches of a solved network."""

from __future__ import annotations

import numpy as np

from circuits.network import Floats, Kind, Network


def branch_currents(network: Network, node_voltages: Floats, inputs: Floats) -> Floats:
    """Current of each branch, from its plus node through the branch to its minus node.

    A voltage source carries what the other branches at its node leave over (Kirchhoff).

    Parameters
    ----------
    network
        The circuit.
    node_voltages
        (batch, nodes) [V], as in `NodalSolution.node_voltages`.
    inputs
        (batch, inputs) that gave them, in the unit of the sources.

    Returns
    -------
    (batch, branches) [A].

    Examples
    --------
    >>> from circuits.arrays import ArrayConfig, crossbar
    >>> from circuits.nodal import factor
    >>> network = crossbar([[999.0]], ArrayConfig(architecture="resistive", r_row=0, r_col=0, r_driver=0))
    >>> inputs = np.array([[1.0]])
    >>> currents = branch_currents(network, factor(network).solve(inputs).node_voltages, inputs)
    >>> dict(zip(network.branch_names, currents[0].round(9).tolist()))
    {'Vin0': -0.001, 'Rsns0': 0.001, 'Rcell0_0': 0.001}
    """
    batch = len(node_voltages)
    voltages = np.hstack([node_voltages, np.zeros((batch, 1))])  # ground, -1, is the last
    currents = np.zeros((batch, len(network.kind)))
    resistors = network.kind == Kind.RESISTOR
    across = voltages[:, network.plus[resistors]] - voltages[:, network.minus[resistors]]
    currents[:, resistors] = across / network.value[resistors]
    controlled = network.kind == Kind.VCCS
    control = voltages[:, network.control_plus[controlled]] - voltages[:, network.control_minus[controlled]]
    currents[:, controlled] = control * network.value[controlled]
    driven = np.zeros((len(network.kind), batch))
    np.add.at(
        driven, network.drive_source, network.drive_coefficient[:, None] * inputs.T[network.drive_input]
    )
    currents += np.where(network.kind == Kind.CURRENT, driven.T, 0.0)
    leaving = np.zeros((network.n_nodes + 1, batch))
    np.add.at(leaving, network.plus, currents.T)
    np.add.at(leaving, network.minus, -currents.T)
    sources = np.flatnonzero(network.kind == Kind.VOLTAGE)
    currents[:, sources] = -leaving[network.plus[sources]].T
    return currents
