"""Which pulse brings a device from where it is to a wanted level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compact_model import polarity, switching, synapse
from compact_model.cards.device import DeviceCard
from compact_model.hallbar import HallBar, HallBarState
from compact_model.numeric import Floats

_STEPS = 50  # halvings of the current interval: below 1e-15 of its width


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgrammingPulse:
    """One pulse per device."""

    current: Floats  # (devices,) [A]
    fraction: Floats  # (devices,) reached, by the rate law
    reached: Floats  # (devices,) 1 where the wanted fraction is met, 0 where i_max is not enough


def pulse_to(
    device: HallBar, state: HallBarState, fraction: Floats, t_pulse: float, i_max: float
) -> ProgrammingPulse:
    """The single pulse per device that takes it to a fraction, by bisection on the rate law.

    Parameters
    ----------
    device, state
        Devices where they are.
    fraction
        Wanted fraction of each device.
    t_pulse, i_max
        Length [s] and largest magnitude [A] of the pulse.

    Raises
    ------
    ValueError
        When the gate of a device is closed, so that no current moves it.
    """
    moment = polarity.acting_moment(state.polarity, device.gate)
    if np.any(device.torque.factor(0.0, moment) == 0.0):
        raise ValueError("the gate of a device is closed: no current switches it without an applied field")
    wanted = np.broadcast_to(np.asarray(fraction, dtype=float), moment.shape)
    upward = np.sign(wanted - device.fraction(state))
    direction = upward * np.sign(moment)
    low, high = np.zeros_like(wanted), np.full_like(wanted, i_max)
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        beyond = upward * (device.fraction(device.pulsed(state, direction * middle, t_pulse)) - wanted) > 0.0
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    current = np.where(upward == 0.0, 0.0, direction * high)
    after = device.fraction(device.pulsed(state, current, t_pulse))
    return ProgrammingPulse(
        current=current, fraction=after, reached=(np.abs(after - wanted) < 1e-9).astype(float)
    )


def equal_ladder(card: DeviceCard, count: int, top: float) -> tuple[Floats, Floats]:
    """Equally spaced levels [ohm], reset state first, and the currents of the pulses that reach them [A].

    Parameters
    ----------
    card
        Device.
    count
        Number of levels.
    top
        Switched fraction of the highest.

    Examples
    --------
    >>> from compact_model.cards.device import load_card
    >>> levels, currents = equal_ladder(load_card(), 3, 0.8)
    >>> [round(float(i) * 1e3, 2) for i in currents]
    [10.37, 14.46]
    """
    if count < 2 or not 0.0 < top < 1.0:
        raise ValueError(f"{count} levels up to s = {top:g}, allowed: 2 levels or more, 0 < s < 1")
    fractions = np.linspace(0.0, top, count)
    currents = switching.programming_current(card, fractions[1:], h_x=card.synapse.h_x.value)
    return synapse.hall_resistance(card, fractions), currents
