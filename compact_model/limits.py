"""Limits that a pulse should stay within, and what is said when it doesn't."""

from __future__ import annotations

import itertools

import numpy as np

from compact_model import stack, thermal
from compact_model.cards.device import DeviceCard
from compact_model.numeric import Floats

SHORTEST_BACKED_PULSE = 100e-9
"""Below this length the closed law and the rate law part ways, and no measurement decides [s]."""


def warnings_for(card: DeviceCard, current: float, t_pulse: float) -> list[str]:
    """What a pulse exceeds, one sentence each; empty when it is within all limits.

    Examples
    --------
    >>> from compact_model.cards.device import load_card
    >>> warnings_for(load_card(), 20e-3, 200e-6)[0]
    'compliance: 20 mA needs 10 V over the channel, the source gives 8 V'
    """
    return list(warnings_of_pulses(card, np.array([current]), np.array([t_pulse]))[0])


def warnings_of_pulses(card: DeviceCard, current: Floats, t_pulse: Floats) -> list[tuple[str, ...]]:
    """What each of many pulses exceeds, as `warnings_for`.

    Parameters
    ----------
    card
        Device.
    current, t_pulse
        Current [A] and length [s] of pulses that begin at ambient temperature, (n,).
    """
    reality = card.reality
    temperature = thermal.pulse_temperature(card, current, t_pulse)
    voltage = np.abs(current) * stack.channel_resistance(card, temperature=temperature)
    density = np.abs(stack.current_density(card, current))
    exceeded = np.stack(
        [
            voltage > reality.compliance.value,
            temperature > reality.t_limit.value,
            density > reality.j_limit.value,
            t_pulse < SHORTEST_BACKED_PULSE,
        ]
    )
    found: list[tuple[str, ...]] = [()] * len(current)
    for place in np.flatnonzero(exceeded.any(axis=0)):
        sentences = (
            f"compliance: {current[place] * 1e3:.4g} mA needs {voltage[place]:.3g} V over the channel, the source "
            f"gives {reality.compliance.value:.3g} V",
            f"temperature: the channel reaches {temperature[place]:.0f} K, the limit is {reality.t_limit.value:.0f} K",
            f"electromigration: {density[place]:.3g} A/m^2, the limit is {reality.j_limit.value:.3g} A/m^2",
            f"pulse length: {t_pulse[place] * 1e9:.3g} ns is below {SHORTEST_BACKED_PULSE * 1e9:.0f} ns, where the "
            "switching law is extrapolated",
        )
        found[place] = tuple(itertools.compress(sentences, exceeded[:, place]))
    return found
