"""Loss of the state at zero current."""

from __future__ import annotations

import numpy as np

from compact_model import switching, synapse
from compact_model.cards.device import DeviceCard, RetentionBarrier
from compact_model.constants import REFERENCE_TEMPERATURE
from compact_model.grains import GrainBank
from compact_model.hallbar import hall_bar
from compact_model.numeric import Floats


def retained(
    card: DeviceCard, bank: GrainBank, s: Floats, duration: float, temperature: float = REFERENCE_TEMPERATURE
) -> Floats:
    """State after a time without current.

    Barrier `common`: every barrier is that of the rate law at zero drive, delta(T). Barrier `proportional`:
    E_k = delta theta_k (300 K/T), rate 2/tau towards 1/2; a phenomenological spread, not derived from data.

    Parameters
    ----------
    card
        Device; its choice of the barrier counts.
    bank
        Grains.
    s
        State, shape (..., K).
    duration
        Time [s].
    temperature
        [K]
    """
    law = switching.switching_law(card)
    if card.choices.retention is RetentionBarrier.COMMON:
        return bank.flat(s, np.zeros(s.shape[:-1]), duration, law.barrier(temperature))
    barrier = law.delta * bank.theta * REFERENCE_TEMPERATURE / temperature
    rate = 2.0 / (law.tau0 * np.exp(barrier))
    result: Floats = 0.5 + (s - 0.5) * np.exp(-rate * duration)
    return result


def retained_levels(
    card: DeviceCard, levels: Floats, duration: float, temperature: float = REFERENCE_TEMPERATURE
) -> Floats:
    """What becomes of Hall resistances that single pulses have written from the reset state [ohm].

    Parameters
    ----------
    card
        Device; its choice of the barrier counts.
    levels
        Hall resistances [ohm], from the reset state upwards.
    duration
        Time without current [s].
    temperature
        [K]

    Examples
    --------
    >>> from compact_model.cards.device import load_card
    >>> retained_levels(load_card(), np.array([0.33, 0.49]), 3.2e8).round(6).tolist()
    [0.33, 0.49]
    """
    device = hall_bar(card)
    shares = synapse.switched_share(card, levels)
    start = device.prepared(len(levels))
    currents = switching.programming_current(card, np.maximum(shares, 0.0))
    s = np.where(shares[:, None] > 0.0, device.pulsed(start, currents, card.synapse.t_pulse.value).s, start.s)
    change = device.bank.fraction(
        retained(card, device.bank, s, duration, temperature)
    ) - device.bank.fraction(s)
    return levels + device.law.delta_r * change
