"""Grain bank: thermally activated grains on a fixed grid of thresholds, one linear rate equation each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import nnls

from compact_model import stack, switching
from compact_model.cards.device import DeviceCard
from compact_model.numeric import Floats, FloatsLike

FIT_DENSITIES = np.linspace(0.5e11, 5.0e11, 200)  # [A/m^2]
FIT_LENGTHS = np.logspace(-6.0, -2.0, 9)  # [s]
_SUM_WEIGHT = 100.0  # of the row that makes the weights sum to one
_CURIE_MARGIN = 10.0  # [K] kept below the Curie point in the fit, where rates have no meaning
_DECAY_FLOOR = -50.0  # exp(-50) is below one rounding error of s; smaller ones only cost denormals
_CHUNK = 1024  # devices whose state and two work arrays of 32 grains stay in a core's cache


@dataclass(frozen=True, slots=True, kw_only=True)
class GrainBank:
    """Rates and weights.

    With the reduced drive x (density times torque factor over the critical density) and y_k = x/theta_k:

        1/r_k   = tau0 exp(delta (1 - |y_k|)) + t_wall / sqrt((|y_k| - 1)^2 + wall_width^2)
        ds_k/dt = r_k (target - s_k),  target = 1 for x > 0, 0 for x < 0, 1/2 for x = 0
        s       = sum w_k s_k

    With `smoothing` dx > 0, |x| is sqrt(x^2 + dx^2) and the target (1 + x/|x|)/2, as in a circuit simulator.
    """

    theta: Floats  # (K,)
    weight: Floats  # (K,) or (devices, K), sums to 1
    tau0: float  # [s]
    t_wall: float  # [s]
    wall_width: float
    smoothing: float = 0.0

    def magnitude(self, x: FloatsLike) -> Floats:
        """The |x| of the rates."""
        signed = np.asarray(x, dtype=float)
        magnitude: Floats = np.abs(signed) if self.smoothing == 0.0 else np.hypot(signed, self.smoothing)
        return magnitude

    def target(self, x: FloatsLike) -> Floats:
        """Where the grains go: 1, 0, or 1/2 without a drive."""
        signed = np.asarray(x, dtype=float)
        if self.smoothing == 0.0:
            sharp: Floats = 0.5 + 0.5 * np.sign(signed)
            return sharp
        smooth: Floats = 0.5 + 0.5 * signed / self.magnitude(signed)
        return smooth

    def rate(self, x: FloatsLike, delta: FloatsLike) -> Floats:
        """Rate of each grain [1/s], shape (..., K), for drives of shape (...)."""
        distance = 1.0 - self.magnitude(x)[..., None] / self.theta
        waiting = self.tau0 * np.exp(np.asarray(delta, dtype=float)[..., None] * distance)
        crossing = self.t_wall / np.hypot(distance, self.wall_width)
        result: Floats = 1.0 / (waiting + crossing)
        return result

    def fraction(self, s: Floats) -> Floats:
        """Switched fraction of states of shape (..., K)."""
        if self.weight.ndim == 1:
            return s @ self.weight
        each: Floats = np.einsum("...k,...k->...", s, self.weight)
        return each

    def flat(self, s: Floats, x: FloatsLike, duration: FloatsLike, delta: FloatsLike) -> Floats:
        """State after a constant drive: s -> target + (s - target) exp(-r t), exact.

        Parameters
        ----------
        s
            State, shape (..., K).
        x, duration, delta
            Reduced drive, time [s] and barrier, broadcast against the leading shape of `s`.
        """
        integral = self.rate(x, delta) * np.asarray(duration, dtype=float)[..., None]
        return relaxed(s, self.target(x)[..., None], integral)

    def ramp(
        self,
        s: Floats,
        x_start: FloatsLike,
        x_end: FloatsLike,
        duration: float,
        delta: FloatsLike,
        *,
        parts: int = 64,
    ) -> Floats:
        """State after a drive that changes linearly, by three-point Gauss in each of `parts` intervals.

        Within an interval the target is its rate-weighted mean, so a drive that changes sign is followed too. The
        error of s is 1e-7 for 64 parts and 3e-5 for 32, ramps through zero included.
        """
        points, shares = np.polynomial.legendre.leggauss(3)
        step = duration / parts
        barrier = np.asarray(delta, dtype=float)[..., None]
        begin, end = np.asarray(x_start, dtype=float), np.asarray(x_end, dtype=float)
        for part in range(parts):
            places = (part + 0.5 * (points + 1.0)) / parts
            x = begin[..., None] + (end - begin)[..., None] * places
            weighted = self.rate(x, barrier) * (0.5 * step * shares)[:, None]
            total = weighted.sum(axis=-2)
            s = relaxed(s, (weighted * self.target(x)[..., None]).sum(axis=-2) / total, total)
        return s


def relaxed(s: Floats, target: FloatsLike, integral: Floats) -> Floats:
    """Solution of ds/dt = r (target - s) for a given integral of r over time."""
    result: Floats = target + (s - target) * np.exp(-integral)
    return result


def followed(s: Floats, target: Floats, integral: Floats) -> Floats:
    """States of one device after each of several steps, (steps, K).

    Parameters
    ----------
    s
        State before, (K,).
    target, integral
        Where the grains go, (steps,), and the integral of each grain's rate over the step, (steps, K).
    """
    states = np.empty_like(integral)
    decay = np.exp(-integral)
    for step, aim in enumerate(target):
        s = aim + (s - aim) * decay[step]
        states[step] = s
    return states


@dataclass(frozen=True, slots=True, kw_only=True)
class Train:
    """Result of a pulse train."""

    s: Floats  # (devices, K), after the last pulse
    fraction: Floats  # (pulses, devices), after each pulse


def shared_train(bank: GrainBank, s: Floats, x: Floats, t_pulse: Floats, delta: float) -> Train:
    """Flat pulses that all devices see alike.

    Each pulse is an affine map of a grain's state with the same coefficients for every device, so the maps are
    composed first and applied to all devices in one product.

    Parameters
    ----------
    bank
        Grains, one weight vector for all devices.
    s
        States, shape (devices, K).
    x, t_pulse
        Reduced drive and length of each pulse, shape (pulses,).
    delta
        Barrier.
    """
    decay = np.exp(-bank.rate(x, delta) * t_pulse[:, None])
    target = bank.target(x)
    kept = np.cumprod(decay, axis=0)
    moved = np.empty_like(decay)
    running = np.zeros(decay.shape[1])
    for pulse in range(len(x)):
        running = target[pulse] + (running - target[pulse]) * decay[pulse]
        moved[pulse] = running
    fraction = (kept * bank.weight) @ s.T + (moved @ bank.weight)[:, None]
    return Train(s=s * kept[-1] + moved[-1], fraction=fraction)


def individual_train(bank: GrainBank, s: Floats, x: Floats, t_pulse: Floats, delta: float) -> Train:
    """Flat pulses with a drive of its own for each device; same equation as `GrainBank.flat`.

    Parameters
    ----------
    bank
        Grains, one weight vector for all devices.
    s
        States, shape (devices, K).
    x
        Reduced drives, shape (pulses, devices).
    t_pulse
        Length of each pulse, shape (pulses,) [s].
    delta
        Barrier.
    """
    pulses, devices = x.shape
    grains = len(bank.theta)
    result = Train(s=np.empty_like(s), fraction=np.empty((pulses, devices)))
    # delta (1 - |x|/theta) as a product of two thin matrices is one pass over the work array.
    slope = np.stack([-delta / bank.theta, np.full(grains, delta)], axis=1)
    rounding = (delta * bank.wall_width) ** 2
    for begin in range(0, devices, _CHUNK):
        part = slice(begin, min(begin + _CHUNK, devices))
        count = part.stop - begin
        thin = np.ones((2, count))
        distance, integral = np.empty((2, grains, count))
        state = s[part].T.copy()  # devices innermost: their targets then broadcast at full speed
        for pulse in range(pulses):
            drive = x[pulse, part]
            thin[0] = bank.magnitude(drive)
            np.matmul(slope, thin, out=distance)
            np.exp(distance, out=integral)
            # with D = delta sqrt((y - 1)^2 + width^2):  -r t = -t D / (tau0 e^distance D + t_wall delta)
            np.multiply(distance, distance, out=distance)
            distance += rounding
            np.sqrt(distance, out=distance)
            integral *= distance
            integral *= -bank.tau0 / t_pulse[pulse]
            integral -= bank.t_wall * delta / t_pulse[pulse]
            np.divide(distance, integral, out=integral)
            np.maximum(integral, _DECAY_FLOOR, out=integral)
            np.exp(integral, out=integral)
            target = bank.target(drive)
            state -= target
            state *= integral
            state += target
            result.fraction[pulse, part] = bank.weight @ state
        result.s[part] = state.T
    return result


def grain_bank(card: DeviceCard, grains: int | None = None) -> GrainBank:
    """The bank that reproduces the card's closed law.

    Thresholds on a geometric grid; weights by non-negative least squares against the law over 0.5..5e11 A/m^2 and
    1 us..10 ms, under the steady temperature of each density in Set B.

    Parameters
    ----------
    card
        Device.
    grains
        Number of grains K, the card's by default.
    """
    c = card.switching
    count = card.choices.grains if grains is None else grains
    law = switching.switching_law(card)
    per_density = float(stack.sheet_resistance(card, None)) * float(stack.total_thickness(card)) ** 2
    heating = (
        (card.thermal.r_oxide.value + card.thermal.r_substrate.value) * per_density * card.thermal.area.value
    )
    theta, weight = _fitted(law, c.theta_low.value, c.theta_high.value, count, heating)
    return GrainBank(theta=theta, weight=weight, tau0=law.tau0, t_wall=law.t_wall, wall_width=law.wall_width)


@lru_cache(maxsize=64)
def _fitted(
    law: switching.SwitchingLaw, low: float, high: float, count: int, heating: float
) -> tuple[Floats, Floats]:
    theta = np.geomspace(low, high, count)
    bank = GrainBank(theta=theta, weight=theta, tau0=law.tau0, t_wall=law.t_wall, wall_width=law.wall_width)
    temperature = np.full_like(FIT_DENSITIES, 300.0)
    if law.electrothermal:
        temperature = np.minimum(300.0 + heating * FIT_DENSITIES**2, law.t_curie - _CURIE_MARGIN)
    rate = bank.rate(FIT_DENSITIES / law.critical_density(temperature), law.barrier(temperature))
    rows = [1.0 - np.exp(-rate * length) for length in FIT_LENGTHS]
    wanted = [law.fraction(law.reduced_drive(FIT_DENSITIES, t, temperature)) for t in FIT_LENGTHS]
    weight, _ = nnls(
        np.vstack([*rows, np.full(count, _SUM_WEIGHT)]), np.concatenate([*wanted, [_SUM_WEIGHT]])
    )
    weight /= weight.sum()
    theta.flags.writeable = weight.flags.writeable = False
    return theta, weight
