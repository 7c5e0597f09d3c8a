"""Self-heating: a Foster network between the channel and the ambient, driven by the channel's own power."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compact_model import stack
from compact_model.cards.device import DeviceCard
from compact_model.numeric import Floats, FloatsLike

_LARGEST_RISE = 1e5  # [K]; thermal runaway (tcr times power times resistance above one) ends here
_LARGEST_GROWTH = 100.0  # time constants of a runaway that are followed


@dataclass(frozen=True, slots=True, kw_only=True)
class ThermalNetwork:
    """Foster stages in series and the channel that heats them.

    Each stage obeys d(rise_k)/dt = (r_k P - rise_k) / tau_k, with P = I^2 R(T) (`stack.at_temperature`) and
    T = ambient + sum of the rises. At constant current the equations are linear and solved exactly.
    """

    resistance: Floats  # (stages,) [K/W]
    tau: Floats  # (stages,) [s]
    ambient: float  # [K]
    r_channel: float  # at 300 K [ohm]
    tcr: float  # [1/K]

    def rise_after(self, current: FloatsLike, duration: FloatsLike, start: Floats | None = None) -> Floats:
        """Temperature rise of each stage after a time at constant current.

        Parameters
        ----------
        current
            Current, shape (...) [A].
        duration
            Time since the start, broadcast against `current` [s].
        start
            Rise of each stage at the start, shape (..., stages) [K]; zero by default.

        Returns
        -------
        Floats
            Shape (..., stages) [K].
        """
        squared = np.square(np.asarray(current, dtype=float))
        squared, time = np.broadcast_arrays(squared, np.asarray(duration, dtype=float))
        stages = len(self.tau)
        begin = np.zeros((*squared.shape, stages)) if start is None else np.asarray(start, dtype=float)
        power = squared * self.resistance_at(self.ambient)
        if self.tcr == 0.0:
            target = power[..., None] * self.resistance
            return target + (begin - target) * np.exp(-time[..., None] / self.tau)
        # rise' = A rise + b; R(T) is linear, so that its slope, r_channel tcr, couples the stages through the power.
        feedback = squared[..., None, None] * self.r_channel * self.tcr
        matrix = feedback * (self.resistance / self.tau)[:, None] - np.diag(1.0 / self.tau)
        steady = -np.linalg.solve(matrix, (power[..., None] * self.resistance / self.tau)[..., None])[..., 0]
        values, vectors = np.linalg.eig(matrix)
        modes = np.linalg.solve(vectors, (begin - steady)[..., None])[..., 0]
        growth = np.minimum(values * time[..., None], _LARGEST_GROWTH)
        moved = np.exp(growth) * modes
        result: Floats = steady + np.real((vectors @ moved[..., None])[..., 0])
        return np.minimum(result, _LARGEST_RISE)

    def temperature(self, rise: Floats) -> Floats:
        """Channel temperature [K] from the rise of each stage."""
        total: Floats = self.ambient + rise.sum(axis=-1)
        return total

    def pulse_energy(self, current: FloatsLike, t_pulse: FloatsLike, start: Floats | None = None) -> Floats:
        """Energy dissipated in the channel by flat pulses [J]: integral of I^2 R(T) dt.

        Parameters
        ----------
        current, t_pulse
            Current [A] and length [s], broadcast against each other, shape (...).
        start
            Rise of each stage when the pulse begins, shape (..., stages) [K]; zero by default.
        """
        squared, time = np.broadcast_arrays(
            np.square(np.asarray(current, dtype=float)), np.asarray(t_pulse, dtype=float)
        )
        result: Floats = np.array(squared * self.r_channel * time)
        if self.tcr == 0.0:
            return result
        rise = np.broadcast_to(0.0 if start is None else start, (*squared.shape, len(self.tau)))
        for length in np.unique(time[time > 0.0]):
            nodes, weights = pulse_quadrature(float(self.tau.min()), float(length))
            same = time == length
            warming = self.rise_after(np.sqrt(squared[same])[:, None], nodes, rise[same][:, None, :])
            result[same] = squared[same] * (self.resistance_at(self.temperature(warming)) @ weights)
        return result

    def resistance_at(self, temperature: FloatsLike) -> Floats:
        """Channel resistance [ohm] at a temperature [K]."""
        return stack.at_temperature(self.r_channel, self.tcr, temperature)


def pulse_quadrature(t_first: float, t_pulse: float, *, per_decade: int = 3) -> tuple[Floats, Floats]:
    """Nodes and weights of an integral over a pulse whose temperature first moves at the scale `t_first`.

    Three-point Gauss on [0, t_first/10] and on intervals that grow by decades up to `t_pulse`.

    Returns
    -------
    nodes, weights
        Times [s] and weights [s]; the weights sum to `t_pulse`.
    """
    start = min(0.1 * t_first, t_pulse)
    count = max(1, int(np.ceil(per_decade * np.log10(t_pulse / start)))) if t_pulse > start else 0
    edges = np.concatenate([[0.0], start * (t_pulse / start) ** (np.arange(count + 1) / max(count, 1))])
    points, shares = np.polynomial.legendre.leggauss(3)
    half = 0.5 * np.diff(edges)[:, None]
    nodes = (edges[:-1, None] + half) + half * points
    return nodes.ravel(), (half * shares).ravel()


def thermal_network(card: DeviceCard, t_oxide: float | None = None) -> ThermalNetwork:
    """The card's network for its own channel area.

    The oxide's resistance scales as 1/area, the substrate's as 1/sqrt(area); the time constants are kept.
    """
    h, g = card.thermal, card.geometry
    area = h.area.value / (g.w_channel.value * g.l_channel.value)
    return ThermalNetwork(
        resistance=np.array([h.r_oxide.value * area, h.r_substrate.value * np.sqrt(area)]),
        tau=np.array([h.tau_oxide.value, h.tau_substrate.value]),
        ambient=h.ambient.value,
        r_channel=float(stack.channel_resistance(card, t_oxide)),
        tcr=card.transport.tcr.value,
    )


def pulse_temperature(
    card: DeviceCard, current: FloatsLike, t_pulse: FloatsLike, t_oxide: float | None = None
) -> Floats:
    """Channel temperature at the end of a pulse that starts at ambient [K].

    Examples
    --------
    >>> from compact_model.cards.device import load_card
    >>> round(float(pulse_temperature(load_card(), 13.01e-3, 200e-6)))
    368
    """
    network = thermal_network(card, t_oxide)
    return network.temperature(network.rise_after(current, t_pulse))
