"""The same device at another width and pulse length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compact_model import readout, spread, stack, switching, synapse, thermal
from compact_model.cards.device import DeviceCard

READ_DENSITY = 2.0e10  # [A/m^2], the published device at about 1 mA


def at_width(card: DeviceCard, w_channel: float) -> DeviceCard:
    """A card with the channel scaled to a width [m]; length and arms follow, so the resistances stay."""
    g = card.geometry
    factor = w_channel / g.w_channel.value
    scaled = card.with_value("geometry.w_channel", w_channel)
    scaled = scaled.with_value("geometry.l_channel", g.l_channel.value * factor)
    return scaled.with_value("geometry.l_arm", g.l_arm.value * factor)


TABLE = (
    (5e-6, 200e-6, None),
    (5e-6, 1e-6, None),
    (5e-6, 10e-9, None),
    (500e-9, 200e-6, None),
    (500e-9, 10e-9, None),
    (100e-9, 10e-9, 1e-9),
    (100e-9, 1e-9, 1e-9),
)
"""Widths [m], pulse lengths [s] and transit times [s] (None: the card's) of the documented table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledPulse:
    """One line of the scaling table."""

    w_channel: float  # [m]
    t_pulse: float  # [s]
    density: float  # that switches the wanted fraction [A/m^2]
    current: float  # [A]
    voltage: float  # [V]
    energy: float  # [J]
    temperature_rise: float  # at the end of the pulse [K]
    regions: int  # independent regions, an upper bound of levels less one
    device_spread: float  # sqrt(s(1-s)/regions)
    read_current: float  # at a fixed density [A]
    read_step: float  # smallest published step at that current [V]
    read_time: float  # for six standard deviations [s]


def scaled_pulse(
    card: DeviceCard, w_channel: float, t_pulse: float, *, fraction: float = 0.68, t_wall: float | None = None
) -> ScaledPulse:
    """What it takes to switch a fraction at another width and pulse length.

    Parameters
    ----------
    card
        Device to scale.
    w_channel, t_pulse
        Width [m] and pulse length [s].
    fraction
        Wanted switched fraction.
    t_wall
        Transit time at that width, the card's by default [s]; smaller regions are crossed faster.
    """
    scaled = at_width(card, w_channel)
    if t_wall is not None:
        scaled = scaled.with_value("switching.t_wall", t_wall)
    current = float(switching.programming_current(scaled, fraction, t_pulse))
    temperature = float(thermal.pulse_temperature(scaled, current, t_pulse))
    regions = spread.region_count(scaled)
    step = float(np.diff(synapse.paper_levels(card)).min())
    read_current = float(stack.current(scaled, READ_DENSITY))
    return ScaledPulse(
        w_channel=w_channel,
        t_pulse=t_pulse,
        density=float(stack.current_density(scaled, current)),
        current=current,
        voltage=current * float(stack.channel_resistance(scaled, temperature=temperature)),
        energy=float(synapse.pulse_energy(scaled, current, t_pulse)),
        temperature_rise=temperature - scaled.thermal.ambient.value,
        regions=regions,
        device_spread=float(np.sqrt(fraction * (1.0 - fraction) / regions)),
        read_current=read_current,
        read_step=read_current * step,
        read_time=float(0.5 / readout.step_bandwidth(scaled, read_current, step)),
    )


def scaling_table(card: DeviceCard) -> list[ScaledPulse]:
    """The documented combinations of width and pulse length."""
    return [scaled_pulse(card, width, length, t_wall=t_wall) for width, length, t_wall in TABLE]
