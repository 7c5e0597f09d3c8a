"""How fast a read settles: Elmore's delay from the nodal equations, and a transient in ngspice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from circuits.network import GROUND, BranchKind, Network
from circuits.solve.nodal import Factored
from circuits.spice import engine, netlist, ngspice, size
from compact_model.numeric import Floats

_RISE = 1e-3  # of the transient
_LENGTHS = 20  # of the longest delay
_STEPS_PER_VECTOR = 10  # steps that take as long as an input vector in `ngspice.check_size`; twice that found


@dataclass(frozen=True, slots=True)
class StepResponse:
    """A read whose inputs rise from zero at once, in ngspice.

    Attributes
    ----------
    time
        (points,) [s].
    outputs
        (points, outputs), in the unit of the outputs.
    settling
        Time after which an output stays within the tolerance of its final value, (outputs,) [s].
    source_energy
        Energy that each source has delivered until the end of the transient, by its name [J].
    source_power
        Power that it delivers at the end [W].
    """

    time: Floats
    outputs: Floats
    settling: Floats
    source_energy: dict[str, float]
    source_power: dict[str, float]


def elmore_delay(factored: Factored, inputs: ArrayLike) -> Floats:
    r"""First moment of the step response of each output, which is its time constant where one pole dominates.

    With ``(G + s C) V = I``, an output ``y(s) = y_0 - s y_1 + ...`` has the delay ``y_1 / y_0`` with
    ``y_1 = read G^-1 C V_0`` (W. C. Elmore, doi:10.1063/1.1697872). It costs the two solutions that noise and
    transfer need anyway.

    Parameters
    ----------
    factored
        The array, with capacitances.
    inputs
        (batch, inputs), in the unit of the sources.

    Returns
    -------
    (batch, outputs) [s]; negative where slow nodes pull an output beyond its final value.

    Examples
    --------
    1 kohm from the source to a node with 1 nF and 1 kohm to ground:

    >>> from circuits.builder import NetworkBuilder
    >>> from circuits.network import Role
    >>> from circuits.solve.nodal import factor
    >>> build = NetworkBuilder()
    >>> a, b = build.nodes("a", 1), build.nodes("b", 1)
    >>> build.voltage_sources("Vin", build.inputs("v", 1), a, 1.0, title="source")
    >>> build.resistors("Ra", a, b, 1e3, Role.WIRE, title="series")
    >>> build.resistors("Rb", b, GROUND, 1e3, Role.SENSE, title="load")
    >>> build.capacitors("C", b, GROUND, 1e-9, Role.WIRE, title="capacitor")
    >>> build.outputs("v", b, GROUND, 1.0)
    >>> round(elmore_delay(factor(build.network()), [[1.0]]).item() * 1e9, 6)
    500.0
    """
    moments, outputs = _moments(factored, inputs)
    return np.asarray(moments / outputs)


def settling_estimate(factored: Factored, inputs: ArrayLike, tolerance: float = 1e-3) -> Floats:
    """Time to settle within a tolerance of the largest output if one pole dominates, (batch,) [s].

    It is ``delay ln(1 / tolerance)`` of the output that is farthest behind, on the scale of the largest one: an
    output near zero has a long delay, and little to settle.
    """
    moments, outputs = _moments(factored, inputs)
    longest = np.abs(moments).max(axis=1) / np.abs(outputs).max(axis=1)
    return np.asarray(longest * np.log(1 / tolerance))


def _moments(factored: Factored, inputs: ArrayLike) -> tuple[Floats, Floats]:
    """First moments ``y_1`` and final values ``y_0`` of the outputs, (batch, outputs)."""
    solution = factored.solve(inputs)
    return _charges(factored.network, solution.node_voltages) @ factored.adjoint_response, solution.outputs


def step_response(
    factored: Factored,
    inputs: ArrayLike,
    *,
    tolerance: float = 1e-3,
    t_stop: float | None = None,
    limit_s: float = 300.0,
) -> StepResponse:
    """A read in ngspice, from the moment when its inputs rise.

    Parameters
    ----------
    factored
        The array, with capacitances.
    inputs
        (inputs,), in the unit of the sources.
    tolerance
        Of the settling, relative to the largest output.
    t_stop
        Length of the transient [s]; None: 20 of the longest Elmore delay.
    limit_s
        Refuse when the run is expected to take longer [s].

    Raises
    ------
    ValueError
        When the network holds no capacitors, or `t_stop` isn't positive.
    circuits.spice.size.TooLargeError
        When ngspice would take longer than `limit_s`.
    circuits.spice.engine.SpiceError
        When ngspice fails.
    """
    network = factored.network
    batch = network.checked_inputs(np.asarray(inputs, dtype=float)[None])
    if not (network.kind == BranchKind.CAPACITOR).any():
        raise ValueError("the network holds no capacitors: give c_row, c_column or c_arm")
    length = _LENGTHS * float(np.abs(elmore_delay(factored, batch)).max()) if t_stop is None else t_stop
    if not 0 < length < np.inf:
        raise ValueError(f"t_stop = {length} s, allowed: 0 < value < inf")
    klu = engine.find_simulator().klu
    size.check_size(
        network, netlist.STEPS // _STEPS_PER_VECTOR, klu=klu, limit_s=limit_s, what="a transient of"
    )
    sources = np.flatnonzero(np.isin(network.kind, (BranchKind.VOLTAGE, BranchKind.CURRENT)))
    ends = np.concatenate(
        [network.output_plus, network.output_minus, network.plus[sources], network.minus[sources]]
    )
    nodes = [network.node_names[k] for k in np.unique(ends[ends != GROUND]).tolist()]
    driven = [network.branch_names[k] for k in sources.tolist() if network.kind[k] == BranchKind.VOLTAGE]
    saved = [*(f"v({name})" for name in nodes), *(f"i({name})" for name in driven)]
    deck = netlist.step_deck(network, batch[0], _RISE * length, length, saved, ["klu"] if klu else [])
    found = ngspice.transient(deck, [*nodes, *(f"{name.lower()}#branch" for name in driven)])
    time = found["time"]

    def voltage(node: int) -> Floats:
        return np.zeros(len(time)) if node == GROUND else found[network.node_names[node]]

    pairs = zip(network.output_plus.tolist(), network.output_minus.tolist(), strict=True)
    outputs = np.stack([voltage(a) - voltage(b) for a, b in pairs], axis=1) * network.output_scale
    power = {
        network.branch_names[k]: _power(
            network, k, batch[0], time, voltage(int(network.plus[k])) - voltage(int(network.minus[k])), found
        )
        for k in sources.tolist()
    }
    return StepResponse(
        time=time,
        outputs=outputs,
        settling=_settling(time, outputs, factored.solve(batch).outputs[0], tolerance),
        source_energy={name: float(np.trapezoid(values, time)) for name, values in power.items()},
        source_power={name: float(values[-1]) for name, values in power.items()},
    )


def _charges(network: Network, node_voltages: Floats) -> Floats:
    """Charge on the capacitors at each node [C], (batch, nodes)."""
    voltages = np.column_stack([node_voltages, np.zeros(len(node_voltages))])  # ground is last
    which = np.flatnonzero(network.kind == BranchKind.CAPACITOR)
    plus, minus = network.plus[which], network.minus[which]
    stored = (voltages[:, plus] - voltages[:, minus]) * network.value[which]
    charge = np.zeros((network.n_nodes + 1, len(node_voltages)))
    np.add.at(charge, plus, stored.T)
    np.add.at(charge, minus, -stored.T)
    return charge[:-1].T


def _settling(time: Floats, outputs: Floats, final: Floats, tolerance: float) -> Floats:
    outside = np.abs(outputs - final) > tolerance * np.abs(final).max()
    last = np.where(outside.any(axis=0), len(time) - 1 - outside[::-1].argmax(axis=0), 0)
    return np.asarray(time[np.minimum(last + 1, len(time) - 1)])


def _power(
    network: Network, source: int, inputs: Floats, time: Floats, across: Floats, found: dict[str, Floats]
) -> Floats:
    """Power that a source delivers [W]: minus what it takes."""
    if network.kind[source] == BranchKind.VOLTAGE:
        current = found[f"{network.branch_names[source].lower()}#branch"]
    else:
        mine = network.drive_source == source
        value = float(network.drive_coefficient[mine] @ inputs[network.drive_input[mine]])
        current = value * np.minimum(time / (_RISE * time[-1]), 1.0)
    return -across * current
