"""Spread between devices and between cycles, from the number of independently switching regions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from compact_model import hallbar, switching
from compact_model.cards.device import DeviceCard
from compact_model.grains import GrainBank
from compact_model.numeric import Floats

_SAMPLES = 4000  # thresholds in the integral over the distribution; a region's own width is 4 %


def region_count(card: DeviceCard) -> int:
    """Independent regions in the Hall cross, at least one: (w / region size)^2."""
    return max(1, round((card.geometry.w_channel.value / card.reality.region_size.value) ** 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Standard deviations of the switched fraction after one pulse."""

    fraction: float
    device: float  # quenched thresholds, different in every device
    cycle: float  # thermal activation, different in every cycle


def spread_after(card: DeviceCard, current: float, regions: int | None = None) -> Spread:
    """Spread after one write pulse from the reset state.

    Each region draws its threshold from the distribution F and switches with a probability p(threshold):
    cycle^2 = mean(p (1 - p))/N, device^2 = var(p)/N, together s (1 - s)/N.

    Examples
    --------
    >>> from compact_model.cards.device import load_card
    >>> result = spread_after(load_card(), 13.01e-3)
    >>> round(result.device, 3), round(result.cycle, 4)
    (0.022, 0.0066)
    """
    count = region_count(card) if regions is None else regions
    law = switching.switching_law(card)
    quantiles = (np.arange(_SAMPLES) + 0.5) / _SAMPLES
    device = hallbar.hall_bar(card)
    bank = replace(device.bank, theta=law.threshold(quantiles), weight=np.full(_SAMPLES, 1.0 / _SAMPLES))
    fine = replace(device, bank=bank)
    p = fine.pulsed(fine.prepared(), current, card.synapse.t_pulse.value).s[0]
    return Spread(
        fraction=float(p.mean()),
        device=float(np.sqrt(p.var() / count)),
        cycle=float(np.sqrt((p * (1.0 - p)).mean() / count)),
    )


def sampled_bank(bank: GrainBank, regions: int, count: int, rng: np.random.Generator) -> GrainBank:
    """Banks of `count` devices, each of `regions` regions that draw their threshold from the bank's weights."""
    drawn = rng.multinomial(regions, bank.weight, size=count)
    return replace(bank, weight=drawn / regions)


def sampled_state(s: Floats, bank: GrainBank, regions: int, rng: np.random.Generator) -> Floats:
    """State of which each region is either switched or not, drawn with the probabilities `s`.

    Parameters
    ----------
    s
        Expected state, shape (devices, K).
    bank
        Bank of `sampled_bank`, whose weights are multiples of 1/regions.
    regions
        Regions per device.
    rng
        Source of randomness.
    """
    held = np.rint(bank.weight * regions).astype(np.int64)
    switched = rng.binomial(held, np.clip(s, 0.0, 1.0))
    result: Floats = switched / np.maximum(held, 1)
    return result
