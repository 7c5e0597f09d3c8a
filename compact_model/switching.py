"""Switched fraction after one pulse: threshold law, pulse length, temperature, in-plane field."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compact_model import stack, thermal, thickness
from compact_model.cards.device import DeviceCard, SwitchingModel
from compact_model.constants import REFERENCE_TEMPERATURE
from compact_model.numeric import Floats, FloatsLike

_LARGEST_THRESHOLD = 1e5  # beyond any threshold, and its power of 50 is still a number
_LARGEST_BARRIER = 600.0  # kT; nothing passes it, and its exponential is still a number
_HALVINGS = 60  # of the current interval, to rounding
_SMALLEST_FACTOR = 1e-9  # of the critical density: a channel at its Curie point switches at any current


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchingLaw:
    """Parameters of the switched fraction, SI units."""

    electrothermal: bool  # False: Set A, True: Set B
    j63: float  # [A/m^2]
    shape: float
    u0: float
    delta_r: float  # [ohm]
    torque_exponent: float
    tau0: float  # [s]
    t_wall: float  # [s]
    wall_width: float
    delta: float
    t_curie: float  # [K]
    ambient_coefficient: float  # [1/K]
    t_pulse_fit: float  # [s]

    def fraction(self, u: FloatsLike) -> Floats:
        """Share of the thresholds at or below `u`: F(u) = 1 - exp(-((u - u0)/(1 - u0))^shape), 0 below u0.

        A three-parameter Weibull distribution over quenched thresholds; u = 1 switches 63 %.
        """
        z = np.clip((np.asarray(u, dtype=float) - self.u0) / (1.0 - self.u0), 0.0, _LARGEST_THRESHOLD)
        result: Floats = -np.expm1(-(z**self.shape))
        return result

    def threshold(self, s: FloatsLike) -> Floats:
        """Inverse of `fraction` on 0 <= s < 1; ValueError outside.

        Examples
        --------
        >>> from compact_model.cards.device import load_card
        >>> law = switching_law(load_card())
        >>> round(float(law.fraction(law.threshold(0.68))), 12)
        0.68
        """
        share = np.asarray(s, dtype=float)
        if not np.all((share >= 0.0) & (share < 1.0)):
            raise ValueError(f"s = {s} is out of range, allowed: 0 <= s < 1")
        result: Floats = self.u0 + (1.0 - self.u0) * (-np.log1p(-share)) ** (1.0 / self.shape)
        return result

    def softening(self, temperature: FloatsLike) -> Floats:
        """Threshold at a temperature over that at 300 K: (T_c - T)/(T_c - 300 K) in Set B, 1 in Set A."""
        t = np.asarray(temperature, dtype=float)
        if not self.electrothermal:
            return np.ones_like(t)
        return np.maximum((self.t_curie - t) / (self.t_curie - REFERENCE_TEMPERATURE), _SMALLEST_FACTOR)

    def barrier(self, temperature: FloatsLike) -> Floats:
        """Barrier over kT at zero current: delta (300 K/T) m(T) in Set B, delta in Set A."""
        t = np.asarray(temperature, dtype=float)
        if not self.electrothermal:
            return np.full_like(t, self.delta)
        return np.minimum(self.delta * REFERENCE_TEMPERATURE / t * self.softening(t), _LARGEST_BARRIER)

    def pulse_factor(self, t_pulse: FloatsLike, temperature: FloatsLike = REFERENCE_TEMPERATURE) -> Floats:
        """Phi = m (1 - ln(1 + t_p/tau0)/Delta) + t_wall/t_p, the threshold at a pulse length over that at rest.

        The barrier is linear in the current (Lee et al., arXiv:1401.2266), so the threshold falls with the
        logarithm of the pulse length; the last term is the time a wall needs to cross a region.
        """
        t = np.asarray(t_pulse, dtype=float)
        thermal_part = self.softening(temperature) * (
            1.0 - np.log1p(t / self.tau0) / self.barrier(temperature)
        )
        return np.maximum(thermal_part, _SMALLEST_FACTOR) + self.t_wall / t

    def critical_density(self, temperature: FloatsLike = REFERENCE_TEMPERATURE) -> Floats:
        """Current density scale of the rate law [A/m^2].

        Set A: j63/phi(t_fit) (1 - c (T_ambient - 300 K)), heating of the pulse included in the fit.
        Set B: j63 m(T), with the temperature of the channel.
        """
        t = np.asarray(temperature, dtype=float)
        if self.electrothermal:
            return self.j63 * self.softening(t)
        ambient = np.maximum(1.0 - self.ambient_coefficient * (t - REFERENCE_TEMPERATURE), _SMALLEST_FACTOR)
        return self.j63 / self.pulse_factor(self.t_pulse_fit) * ambient

    def reduced_drive(self, drive: FloatsLike, t_pulse: FloatsLike, temperature: FloatsLike) -> Floats:
        """Threshold coordinate u reached by a drive (density times torque factor, A/m^2) of one pulse length.

        `temperature` is the ambient in Set A and the channel's in Set B [K].
        """
        scale = self.critical_density(temperature) * self.pulse_factor(t_pulse, temperature)
        if self.electrothermal:  # the transit term is not softened
            scale = self.j63 * self.pulse_factor(t_pulse, temperature)
        reduced: Floats = np.abs(np.asarray(drive, dtype=float)) / scale
        return reduced


def switching_law(card: DeviceCard) -> SwitchingLaw:
    """The law of the card's chosen parameter set."""
    c = card.switching
    electrothermal = card.choices.switching is SwitchingModel.B
    law = c.set_b if electrothermal else c.set_a
    return SwitchingLaw(
        electrothermal=electrothermal,
        j63=law.j63.value,
        shape=law.shape.value,
        u0=law.u0.value,
        delta_r=law.delta_r.value,
        torque_exponent=law.torque_exponent.value,
        tau0=c.tau0.value,
        t_wall=c.t_wall.value,
        wall_width=c.wall_width.value,
        delta=c.delta.value,
        t_curie=c.t_curie.value,
        ambient_coefficient=c.ambient_coefficient.value,
        t_pulse_fit=c.t_pulse_fit.value,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Torque:
    """How a total in-plane field turns current density into drive.

    drive = J H / sqrt(H^2 + h_dmi^2) g_rel / eta0: saturates once the field aligns the walls, and equals
    J a(t_oxide) for the interface field alone.
    """

    h_dmi: float  # [A/m]
    h_int: float  # interface field [A/m]
    gain: float  # g_rel / eta0

    def factor(self, h_x: FloatsLike, interface: FloatsLike = 1.0) -> Floats:
        """Signed torque factor.

        Parameters
        ----------
        h_x
            Applied field along the current [A/m].
        interface
            Sign of the acting interface moment: +1, -1, or 0 when the gate is closed.
        """
        h = np.asarray(h_x, dtype=float) + np.asarray(interface, dtype=float) * self.h_int
        result: Floats = self.gain * h / np.hypot(h, self.h_dmi)
        return result


def torque(card: DeviceCard, t_oxide: float | None = None) -> Torque:
    """The card's torque factor at its own or another oxide thickness.

    g_rel = (g(t)/g(0.5 nm))^p; h_int = h_dmi e/sqrt(1 - e^2) with e = eta0 a(t)/g_rel(t).
    """
    law = card.thickness
    exponent = switching_law(card).torque_exponent
    drive_law = (
        law.field_free_drive_b if card.choices.switching is SwitchingModel.B else law.field_free_drive_a
    )
    t = stack.oxide_thickness(card, t_oxide)
    relative = evaluate_ratio(card, t) ** exponent
    eta0 = card.fields.h_int.value / np.hypot(card.fields.h_int.value, card.fields.h_dmi.value)
    e = float(eta0 * thickness.evaluate(drive_law, t) / relative)
    if e >= 1.0:
        raise ValueError(
            f"field-free drive at t_oxide = {float(t):g} m needs an efficiency of {e:g}, allowed: below 1"
        )
    return Torque(
        h_dmi=card.fields.h_dmi.value,
        h_int=card.fields.h_dmi.value * e / np.sqrt(1.0 - e * e),
        gain=float(relative / eta0),
    )


def evaluate_ratio(card: DeviceCard, t_oxide: FloatsLike) -> Floats:
    """Torque gain over its value at 0.5 nm."""
    gain = card.thickness.xi_gain
    return thickness.evaluate(gain, t_oxide) / thickness.evaluate(gain, thickness.REFERENCE_OXIDE)


def switched_fraction(
    card: DeviceCard,
    current: FloatsLike,
    t_pulse: FloatsLike | None = None,
    h_x: FloatsLike = 0.0,
    t_oxide: float | None = None,
) -> Floats:
    """Fraction switched by one pulse from the prepared reset state, by the closed law.

    s = F(u), u = |J| eta g_rel / (eta0 j63 f(t_p, T)). In Set B, T is the temperature at the end of the pulse.

    Parameters
    ----------
    card
        Device.
    current
        Current in the switching direction; its magnitude counts [A].
    t_pulse
        Pulse length, the card's by default [s].
    h_x
        Applied in-plane field [A/m].
    t_oxide
        Oxide thickness, the card's by default [m].

    Examples
    --------
    >>> from compact_model.cards.device import load_card
    >>> round(float(switched_fraction(load_card(), 13.01e-3)), 2)
    0.68
    """
    law = switching_law(card)
    length = card.synapse.t_pulse.value if t_pulse is None else t_pulse
    drive = stack.current_density(card, current, t_oxide) * torque(card, t_oxide).factor(h_x)
    return law.fraction(law.reduced_drive(drive, length, law_temperature(card, current, length, t_oxide)))


def law_temperature(
    card: DeviceCard, current: FloatsLike, t_pulse: FloatsLike, t_oxide: float | None = None
) -> Floats:
    """Temperature that enters the closed law: ambient in Set A, end of the pulse in Set B [K]."""
    if card.choices.switching is SwitchingModel.A:
        return np.asarray(card.thermal.ambient.value)
    return thermal.pulse_temperature(card, current, t_pulse, t_oxide)


def programming_current(
    card: DeviceCard,
    s: FloatsLike,
    t_pulse: float | None = None,
    h_x: float = 0.0,
    t_oxide: float | None = None,
) -> Floats:
    """Current of the single pulse that takes the prepared reset state to `s` [A].

    Closed form in Set A; bisection in Set B, where the pulse heats its own threshold.

    Raises
    ------
    ValueError
        For `s` outside 0 <= s < 1, or without any torque (no applied field and no interface field).
    """
    law = switching_law(card)
    u = law.threshold(s)
    length = card.synapse.t_pulse.value if t_pulse is None else t_pulse
    factor = float(abs(torque(card, t_oxide).factor(h_x)))
    if factor == 0.0:
        raise ValueError("no in-plane field acts: no current switches this device")
    if not law.electrothermal:
        per_density = law.reduced_drive(factor, length, card.thermal.ambient.value)
        density = u / per_density
        return stack.current(card, density, t_oxide)
    low = np.zeros_like(u)
    per_current = float(stack.current_density(card, 1.0, t_oxide)) * factor
    high = np.full_like(u, 20.0 * law.j63 / per_current)
    network = thermal.thermal_network(card, t_oxide)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        temperature = network.temperature(network.rise_after(middle, length))
        reached = law.reduced_drive(middle * per_current, length, temperature) >= u
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
    return 0.5 * (low + high)


def disturb_onset_current(card: DeviceCard, t_pulse: float | None = None) -> float:
    """Largest current whose pulse leaves every grain in place, by the closed law [A].

    Examples
    --------
    >>> from compact_model.cards.device import load_card
    >>> round(disturb_onset_current(load_card()) * 1e3, 2)
    3.76
    """
    return float(programming_current(card, 0.0, t_pulse))


def critical_current_density(
    card: DeviceCard, h_x: float, t_oxide: float | None = None, *, level: float = 0.95
) -> float:
    """Density of the 200 us pulse (the card's write pulse) that switches a fraction `level` under `h_x` [A/m^2].

    End of switching, as the paper defines J_c, not onset.
    """
    current = programming_current(card, level, h_x=h_x, t_oxide=t_oxide)
    return float(stack.current_density(card, current, t_oxide))
