"""How the cells of an array differ from what was drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compact_model.numeric import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """How the Hall cells of an array differ from their nominal geometry; all (rows, columns).

    Attributes
    ----------
    channel
        Relative difference d of the channel halves, ``r_channel / 2 (1 + d)`` and ``r_channel / 2 (1 - d)`` [1].
    arm_plus, arm_minus
        Relative deviations of the two arms [1].
    r_off
        Deviation of the misalignment resistance [Ohm].
    common_mode
        Common-mode gain of the cell's amplifier over its nominal value [1]. It comes from mismatch inside the
        amplifier, so its sign is random; one sign for all is the case that column calibration removes.
    """

    channel: Floats
    arm_plus: Floats
    arm_minus: Floats
    r_off: Floats
    common_mode: Floats


def draw_mismatch(
    shape: tuple[int, int],
    generator: np.random.Generator,
    *,
    relative: float = 0.0,
    r_off: float = 0.0,
    random_rejection: bool = False,
) -> Mismatch:
    """Gaussian mismatch of the cells of an array.

    Parameters
    ----------
    shape
        (rows, columns).
    generator
        Source of randomness.
    relative
        Standard deviation of `channel`, `arm_plus` and `arm_minus`, below 0.2 [1].
    r_off
        Standard deviation of the misalignment resistance [Ohm].
    random_rejection
        Whether the common-mode gain of the amplifiers has a random sign.

    Examples
    --------
    >>> drawn = draw_mismatch((100, 100), np.random.default_rng(0), relative=0.01)
    >>> round(float(drawn.channel.std()), 3)
    0.01
    """
    if not 0 <= relative < 0.2:
        raise ValueError(f"relative = {relative}, allowed: 0 <= value < 0.2")
    if not 0 <= r_off < np.inf:
        raise ValueError(f"r_off = {r_off} Ohm, allowed: 0 <= value < inf")
    channel, plus, minus, offset = generator.standard_normal((4, *shape))
    return Mismatch(
        channel=relative * channel,
        arm_plus=relative * plus,
        arm_minus=relative * minus,
        r_off=r_off * offset,
        common_mode=generator.choice([-1.0, 1.0], shape) if random_rejection else np.ones(shape),
    )


def no_mismatch(shape: tuple[int, int]) -> Mismatch:
    """Cells that are all as drawn."""
    channel, plus, minus, offset = np.zeros((4, *shape))
    return Mismatch(channel=channel, arm_plus=plus, arm_minus=minus, r_off=offset, common_mode=np.ones(shape))
