"""Loss of the state at zero current."""

from __future__ import annotations

import numpy as np

from compact_model import switching
from compact_model.card import DeviceCard, RetentionBarrier
from compact_model.constants import REFERENCE_TEMPERATURE
from compact_model.grains import GrainBank
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
