"""The Hall bar as a synapse: levels, write ladder, weights, energy and time of writing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from compact_model import switching, thermal
from compact_model.cards.device import DeviceCard, LadderSource, LevelSource, Reset
from compact_model.numeric import Floats, FloatsLike


class WriteSequence(StrEnum):
    """Pulses that bring a cell from the reset state to a level."""

    LADDER = "ladder"  # every step up to the level, as published
    DIRECT = "direct"  # the level's own pulse alone


def hall_resistance(card: DeviceCard, s: FloatsLike) -> Floats:
    """Hall resistance of a switched fraction [ohm]: r_reset + delta_r s.

    Examples
    --------
    >>> from compact_model.cards.device import load_card
    >>> float(hall_resistance(load_card(), 0.0))
    0.33
    """
    return card.hall.r_reset.value + window(card) * np.asarray(s, dtype=float)


def hall_resistance_at(card: DeviceCard, m_z: FloatsLike) -> Floats:
    """Hall resistance of a magnetisation [ohm]: R_off - delta_r m_z / 2; m_z = 1 is the reset state."""
    return offset_resistance(card) - 0.5 * window(card) * np.asarray(m_z, dtype=float)


def switched_share(card: DeviceCard, resistance: FloatsLike) -> Floats:
    """Switched fraction of a Hall resistance; inverse of `hall_resistance`."""
    share: Floats = (np.asarray(resistance, dtype=float) - card.hall.r_reset.value) / window(card)
    return share


def window(card: DeviceCard) -> float:
    """Hall resistance between s = 0 and s = 1 [ohm]."""
    return switching.switching_law(card).delta_r


def offset_resistance(card: DeviceCard) -> float:
    """Part of the Hall resistance that does not switch, from misaligned arms [ohm]."""
    return card.hall.r_reset.value + 0.5 * window(card)


def paper_levels(card: DeviceCard) -> Floats:
    """The published levels, reset state first [ohm]."""
    return np.array(card.synapse.levels.value)


def ladder_currents(card: DeviceCard) -> Floats:
    """Write currents after the reset, one per level above it [A].

    Ladder `inverse`: the currents whose single pulse reaches the published levels by the closed law.
    """
    if card.choices.ladder is LadderSource.PAPER_CURRENTS:
        return np.array(card.synapse.ladder.value)
    return switching.programming_current(card, switched_share(card, paper_levels(card)[1:]))


def model_levels(card: DeviceCard) -> Floats:
    """Levels that the closed law gives for the ladder, reset state first [ohm].

    A pulse of the ladder is larger than all before it, so each level is that of its own pulse alone
    (return-point memory).

    Examples
    --------
    >>> from compact_model.cards.device import load_card
    >>> [round(float(r), 4) for r in model_levels(load_card())]
    [0.33, 0.4585, 0.4909, 0.5204, 0.5453, 0.5649]
    """
    s = switching.switched_fraction(card, ladder_currents(card), h_x=card.synapse.h_x.value)
    return hall_resistance(card, np.concatenate([[0.0], s]))


def levels(card: DeviceCard) -> Floats:
    """Levels that stand for weights, by the card's choice, ascending [ohm]."""
    return paper_levels(card) if card.choices.levels is LevelSource.PAPER else model_levels(card)


def normalised(resistance: Floats) -> Floats:
    """Levels mapped linearly onto [-1, 1], the lookup table of weights.

    Examples
    --------
    >>> [round(float(w), 4) for w in normalised(np.array([0.33, 0.46, 0.49, 0.52, 0.54, 0.57]))]
    [-1.0, 0.0833, 0.3333, 0.5833, 0.75, 1.0]
    """
    low, high = resistance.min(), resistance.max()
    result: Floats = 2.0 * (resistance - low) / (high - low) - 1.0
    return result


def pulse_energy(card: DeviceCard, current: FloatsLike, t_pulse: FloatsLike | None = None) -> Floats:
    """Energy that a flat pulse dissipates in the channel [J]: I^2 R t_p, or its integral when R follows T."""
    length = card.synapse.t_pulse.value if t_pulse is None else t_pulse
    return thermal.thermal_network(card).pulse_energy(current, length)


def ladder_energy(card: DeviceCard) -> float:
    """Energy of all pulses of the ladder without the reset [J]; the published 87.5 uJ is compared with it.

    Examples
    --------
    >>> from compact_model.cards.device import load_card
    >>> round(ladder_energy(load_card()) * 1e6, 2)
    88.33
    """
    return float(pulse_energy(card, ladder_currents(card)).sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelCost:
    """What it costs to bring a cell to each level from an unknown state."""

    levels: Floats  # (levels,) [ohm]
    currents: Floats  # (levels,) last pulse of each level, 0 for the reset state [A]
    pulses: Floats  # (levels,) number of pulses after the reset
    energy: Floats  # (levels,) electrical energy, the reset's included [J]
    time: Floats  # (levels,) current-on time, the reset's included [s]
    reset_energy: float  # [J]
    reset_time: float  # [s]


def level_cost(card: DeviceCard, sequence: WriteSequence = WriteSequence.LADDER) -> LevelCost:
    """Energy and time of writing each level.

    With reset `field` the reset costs no electrical energy and no pulse time here (the coil is outside the
    device); with reset `pulse` it is one full negative pulse.

    Examples
    --------
    >>> from compact_model.cards.device import load_card
    >>> cost = level_cost(load_card())
    >>> round(float(cost.energy[-1]) * 1e6, 1), float(cost.time[-1])
    (88.3, 0.001)
    """
    currents = np.concatenate([[0.0], ladder_currents(card)])
    length = card.synapse.t_pulse.value
    by_pulse = card.choices.reset is Reset.PULSE
    reset_energy = float(pulse_energy(card, card.synapse.i_reset.value)) if by_pulse else 0.0
    reset_time = length if by_pulse else 0.0
    energy = pulse_energy(card, currents)
    pulses = (currents > 0.0).astype(float)
    if sequence is WriteSequence.LADDER:
        energy, pulses = np.cumsum(energy), np.cumsum(pulses)
    return LevelCost(
        levels=levels(card),
        currents=currents,
        pulses=pulses,
        energy=energy + reset_energy,
        time=pulses * length + reset_time,
        reset_energy=reset_energy,
        reset_time=reset_time,
    )
