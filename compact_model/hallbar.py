"""Hall bars as state arrays: saturate, preset, pulse, wait, read."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np

from compact_model import grains, polarity, stack, switching, synapse, thermal
from compact_model.cards.device import DeviceCard, Gate
from compact_model.constants import OERSTED
from compact_model.grains import GrainBank
from compact_model.numeric import Floats, FloatsLike
from compact_model.polarity import Polarity

_CHUNK = 64  # devices whose rates at all nodes of a heated pulse are held at once


@dataclass(frozen=True, slots=True, kw_only=True)
class HallBar:
    """What all devices of one card share."""

    law: switching.SwitchingLaw
    bank: GrainBank
    torque: switching.Torque
    heat: thermal.ThermalNetwork
    gate: Gate
    area: float  # cross-section of the stack [m^2]
    r_reset: float  # [ohm]
    h_preset: float  # [A/m]
    h_sat: float  # [A/m]

    def prepared(self, count: int = 1) -> HallBarState:
        """Devices saturated along +z, interface moment along +x, at ambient temperature."""
        return HallBarState(
            s=np.zeros((count, len(self.bank.theta))),
            polarity=polarity.prepared(count),
            rise=np.zeros((count, len(self.heat.tau))),
        )

    def saturated(self, state: HallBarState, h_z: float) -> HallBarState:
        """State after an out-of-plane field [A/m]; ValueError when it does not saturate."""
        if abs(h_z) < self.h_sat * (1.0 - 1e-9):
            raise ValueError(
                f"h_z = {h_z / OERSTED:g} Oe does not saturate, allowed: at least {self.h_sat / OERSTED:g} Oe"
            )
        sign = float(np.sign(h_z))
        return replace(
            state,
            s=np.full_like(state.s, 0.5 * (1.0 - sign)),
            polarity=polarity.saturated(state.polarity, sign, self.gate),
        )

    def preset(self, state: HallBarState, h_x: float) -> HallBarState:
        """State after an in-plane field without current [A/m], removed again."""
        return replace(state, polarity=polarity.exposed(state.polarity, h_x, self.h_preset))

    def drive(self, state: HallBarState, current: FloatsLike, h_x: FloatsLike) -> Floats:
        """Signed drive of each device [A/m^2]: density times torque factor; positive towards s = 1."""
        moment = polarity.acting_moment(state.polarity, self.gate)
        return np.asarray(current, dtype=float) / self.area * self.torque.factor(h_x, moment)

    def pulsed(
        self, state: HallBarState, current: FloatsLike, t_pulse: float, h_x: FloatsLike = 0.0
    ) -> HallBarState:
        """State at the end of a flat pulse.

        The target is constant during the pulse, so only the integral of the rate over the exact temperature T(t) is
        numerical, and that in Set B alone.

        Parameters
        ----------
        state
            Devices before the pulse.
        current
            One current for all, or one per device [A]; positive along +x.
        t_pulse
            Length [s].
        h_x
            Applied field during the pulse [A/m].
        """
        if not t_pulse > 0.0:
            raise ValueError(f"t_pulse = {t_pulse:g} s is out of range, allowed: above 0 s")
        state = replace(state, polarity=polarity.exposed(state.polarity, h_x, self.h_preset))
        drive = self.drive(state, current, h_x)
        each = np.broadcast_to(np.asarray(current, dtype=float), drive.shape)
        target = self.bank.target(drive)[:, None]
        s = grains.relaxed(state.s, target, self.integrated_rate(drive, each, t_pulse, state.rise))
        return replace(state, s=s, rise=self.heat.rise_after(each, t_pulse, state.rise))

    def integrated_rate(self, drive: Floats, current: Floats, t_pulse: FloatsLike, rise: Floats) -> Floats:
        """Integral of the rate of every grain over flat pulses, (n, K).

        Parameters
        ----------
        drive
            Density times torque factor, (n,) [A/m^2].
        current
            What heats, (n,) [A].
        t_pulse
            Length, one for all or (n,) [s].
        rise
            Temperature rise of each stage when the pulse begins, (n, stages) [K].
        """
        lengths = np.broadcast_to(np.asarray(t_pulse, dtype=float), drive.shape)
        if not self.law.electrothermal:
            x = drive / self.law.critical_density(self.heat.ambient)
            integral: Floats = self.bank.rate(x, self.law.delta) * lengths[:, None]
            return integral
        total = np.empty((len(drive), len(self.bank.theta)))
        for length in np.unique(lengths):
            same = np.flatnonzero(lengths == length)
            nodes, widths = thermal.pulse_quadrature(float(self.heat.tau.min()), float(length))
            for part in np.array_split(same, range(_CHUNK, len(same), _CHUNK)):
                warming = self.heat.rise_after(current[part, None], nodes, rise[part, None, :])
                temperature = self.heat.temperature(warming)
                x = drive[part, None] / self.law.critical_density(temperature)
                rate = self.bank.rate(x, self.law.barrier(temperature))
                total[part] = np.einsum("n,dnk->dk", widths, rate)
        return total

    def trained(
        self, state: HallBarState, current: Floats, t_pulse: FloatsLike
    ) -> tuple[HallBarState, Floats]:
        """State and fractions after a train of flat pulses without applied field, the channel cooling in between.

        Parameters
        ----------
        state
            Devices before the train.
        current
            Shape (pulses,) for currents that all devices see, (pulses, devices) for one each [A].
        t_pulse
            Length of each pulse, or one for all [s].

        Returns
        -------
        state, fraction
            After the last pulse; shape (pulses, devices).
        """
        lengths = np.broadcast_to(np.asarray(t_pulse, dtype=float), current.shape[:1])
        if not np.all(lengths > 0.0):
            raise ValueError(f"t_pulse = {lengths.min():g} s is out of range, allowed: above 0 s")
        moment = polarity.acting_moment(state.polarity, self.gate)
        shared = current.ndim == 1 and bool(np.all(moment == moment[0]))
        if self.law.electrothermal:
            fraction = np.empty((len(current), len(moment)))
            for pulse, length in enumerate(lengths):
                state = self.cooled(self.pulsed(state, current[pulse], float(length)))
                fraction[pulse] = self.fraction(state)
            return state, fraction
        scale = self.area * float(self.law.critical_density(self.heat.ambient))
        factor = self.torque.factor(0.0, moment) / scale
        if shared:
            train = grains.shared_train(self.bank, state.s, current * factor[0], lengths, self.law.delta)
        else:
            each = current[:, None] if current.ndim == 1 else current
            train = grains.individual_train(self.bank, state.s, each * factor, lengths, self.law.delta)
        return replace(state, s=train.s, rise=np.zeros_like(state.rise)), train.fraction

    def followed(
        self, state: HallBarState, times: Floats, currents: Floats, h_x: float = 0.0, *, parts: int = 64
    ) -> HallBarState:
        """State after a piecewise linear current, the same for all devices.

        Flat pieces are pulses. Ramps are integrated in `parts` intervals, in each of which the temperature advances
        exactly at the mean power.

        Parameters
        ----------
        state
            Devices before.
        times, currents
            Corners of the waveform, shape (n,), times increasing [s], [A].
        h_x
            Applied field [A/m].
        parts
            Intervals of a ramp.
        """
        if len(times) != len(currents) or not np.all(np.diff(times) > 0.0):
            raise ValueError("times must increase and be as many as currents")
        state = replace(state, polarity=polarity.exposed(state.polarity, h_x, self.h_preset))
        for duration, begin, end in zip(np.diff(times), currents[:-1], currents[1:], strict=True):
            if begin == end:
                state = self.pulsed(state, float(begin), float(duration), h_x)
                continue
            for first, last in itertools.pairwise(np.linspace(begin, end, parts + 1)):
                state = self._ramped(state, float(first), float(last), float(duration) / parts, h_x)
        return state

    def _ramped(
        self, state: HallBarState, first: float, last: float, duration: float, h_x: float
    ) -> HallBarState:
        mean = np.full(len(state.s), np.sqrt((first**2 + first * last + last**2) / 3.0))
        rise = self.heat.rise_after(mean, duration, state.rise)
        temperature = np.full(len(state.s), self.heat.ambient)
        if self.law.electrothermal:
            temperature = self.heat.temperature(self.heat.rise_after(mean, 0.5 * duration, state.rise))
        scale = self.law.critical_density(temperature)
        s = self.bank.ramp(
            state.s,
            self.drive(state, first, h_x) / scale,
            self.drive(state, last, h_x) / scale,
            duration,
            self.law.barrier(temperature),
            parts=1,
        )
        return replace(state, s=s, rise=rise)

    def waited(self, state: HallBarState, duration: float) -> HallBarState:
        """State after a time without current: the channel cools, and grains relax at the bare barrier."""
        if duration == 0.0:
            return state
        return self.pulsed(state, 0.0, duration)

    def cooled(self, state: HallBarState) -> HallBarState:
        """State once the channel is back at ambient temperature."""
        return replace(state, rise=np.zeros_like(state.rise))

    def fraction(self, state: HallBarState) -> Floats:
        """Switched fraction of each device."""
        return self.bank.fraction(state.s)

    def hall_resistance(self, state: HallBarState) -> Floats:
        """Hall resistance of each device [ohm]."""
        return self.r_reset + self.law.delta_r * self.fraction(state)

    def temperature(self, state: HallBarState) -> Floats:
        """Channel temperature of each device [K]; in Set A it is a by-product that acts on nothing."""
        return self.heat.temperature(state.rise)


@dataclass(frozen=True, slots=True, kw_only=True)
class HallBarState:
    """State of some devices."""

    s: Floats  # (devices, K)
    polarity: Polarity
    rise: Floats  # (devices, stages) [K]


def hall_bar(card: DeviceCard, t_oxide: float | None = None, grain_count: int | None = None) -> HallBar:
    """The device of a card, or the same with another oxide thickness or number of grains.

    Examples
    --------
    >>> from compact_model.cards.device import load_card
    >>> device = hall_bar(load_card())
    >>> after = device.pulsed(device.prepared(), 13.01e-3, 200e-6)
    >>> round(float(device.fraction(after)[0]), 2)
    0.68
    """
    return HallBar(
        law=switching.switching_law(card),
        bank=grains.grain_bank(card, grain_count),
        torque=switching.torque(card, t_oxide),
        heat=thermal.thermal_network(card, t_oxide),
        gate=card.choices.gate,
        area=card.geometry.w_channel.value * float(stack.total_thickness(card, t_oxide)),
        r_reset=float(synapse.hall_resistance(card, 0.0)),
        h_preset=card.fields.h_preset.value,
        h_sat=card.fields.h_sat.value,
    )
