"""Limits that a pulse should stay within, and what is said when it doesn't."""

from __future__ import annotations

import numpy as np

from compact_model import stack, thermal
from compact_model.cards.device import DeviceCard

SHORTEST_BACKED_PULSE = 100e-9
"""Below this length the closed law and the rate law part ways, and no measurement decides [s]."""


def channel_voltage(card: DeviceCard, current: float, t_pulse: float) -> float:
    """Voltage over the channel at the end of a pulse [V]."""
    temperature = thermal.pulse_temperature(card, current, t_pulse)
    return current * float(stack.channel_resistance(card, temperature=temperature))


def warnings_for(card: DeviceCard, current: float, t_pulse: float) -> list[str]:
    """What a pulse exceeds, one sentence each; empty when it is within all limits.

    Examples
    --------
    >>> from compact_model.cards.device import load_card
    >>> warnings_for(load_card(), 20e-3, 200e-6)[0]
    'compliance: 20 mA needs 10 V over the channel, the source gives 8 V'
    """
    found = []
    voltage = abs(channel_voltage(card, current, t_pulse))
    if voltage > card.reality.compliance.value:
        found.append(
            f"compliance: {current * 1e3:.4g} mA needs {voltage:.3g} V over the channel, "
            f"the source gives {card.reality.compliance.value:.3g} V"
        )
    temperature = float(thermal.pulse_temperature(card, current, t_pulse))
    if temperature > card.reality.t_limit.value:
        found.append(
            f"temperature: the channel reaches {temperature:.0f} K, "
            f"the limit is {card.reality.t_limit.value:.0f} K"
        )
    density = float(np.abs(stack.current_density(card, current)))
    if density > card.reality.j_limit.value:
        found.append(
            f"electromigration: {density:.3g} A/m^2, the limit is {card.reality.j_limit.value:.3g} A/m^2"
        )
    if t_pulse < SHORTEST_BACKED_PULSE:
        found.append(
            f"pulse length: {t_pulse * 1e9:.3g} ns is below {SHORTEST_BACKED_PULSE * 1e9:.0f} ns, where the "
            "switching law is extrapolated"
        )
    return found
