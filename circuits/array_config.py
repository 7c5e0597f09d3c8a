"""What an array is made of: topology, wires, drivers, cells, amplifiers, and the spread of its cells."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np

from circuits.network import Floats


class Architecture(StrEnum):
    """Topology of an array; inputs and outputs are one per row and one per column.

    A member is its name in configurations, the units of its inputs and outputs, and what else sets it apart.
    """

    RESISTIVE = "resistive", "V", "A"
    """Word lines (V), two-terminal cells, bit lines into current senses (A)."""
    ACTIVE_PARALLEL = "active_parallel", "V", "A", "amplified"
    """Hall cells between balanced rails (V), a transconductor per Hall pair, currents summed per column (A)."""
    PASSIVE_PARALLEL = "passive_parallel", "V", "V"
    """Hall cells between balanced rails (V), Hall arms in parallel on a pair of column lines (V)."""
    ACTIVE_SERIES = "active_series", "A", "A", "amplified"
    """Channels of a row in series (A), a transconductor per Hall pair, currents summed per column (A)."""
    SERIES_HALL = "series_hall", "A", "V"
    """Channels of a row in series (A), Hall arms of a column in series (V)."""
    ROW_MULTIPLEXED = "row_multiplexed", "A", "V", "in_turns"
    """Channels of a row in series (A), one row at a time switched to a pair of column lines (V)."""

    input_unit: str
    """``"V"`` across a row, or ``"A"`` along it."""
    output_unit: str
    """``"A"`` or ``"V"``."""
    amplified: bool
    """Each Hall pair ends in a transconductor, so that no row acts on another."""
    in_turns: bool
    """One row is read after the other, and the outputs are added digitally."""

    def __new__(cls, name: str, *facts: str) -> Self:
        """A member of that name: units of inputs and outputs, then traits."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.input_unit, member.output_unit, *traits = facts
        member.amplified, member.in_turns = "amplified" in traits, "in_turns" in traits
        return member


class Isolation(StrEnum):
    """What stands between a Hall pair and its column in `series_hall`."""

    NONE = "none"
    """Wires, as drawn."""
    IDEAL = "ideal"
    """Perfect isolation amplifiers: the sum that the drawing intends."""


class Returns(StrEnum):
    """Where the current of a series row goes."""

    GROUNDED = "grounded"
    """To ground at the far end of the row."""
    FLOATING = "floating"
    """Back into a floating source; the feet of the columns are grounded instead (`series_hall`)."""


SHORTEST = 1e-6
"""Lowest wire resistance but zero [Ohm]: the rounding of a node voltage is a current in a wire, which at 1e-9 Ohm
would be 1e-4 of a cell's. Less than this can't be told from zero in an output."""

_ZERO_ALLOWED = ("r_row", "r_col", "r_driver")
_RESISTANCES = (*_ZERO_ALLOWED, "r_sense", "r_channel", "r_arm", "r_load", "r_switch_on", "r_switch_off")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayConfig:
    """Everything about an array but its states; SI units.

    Parameters
    ----------
    architecture
        Topology.
    r_row, r_col
        Wire resistance of one cell pitch along a row and along a column [Ohm]; 0 joins the nodes, and less than
        `SHORTEST` is refused.
    r_driver
        Output resistance of a row driver, of each of the two rails where there are two [Ohm].
    r_sense
        Input resistance of a column's current sense [Ohm].
    r_channel, r_arm
        Channel of a Hall cell end to end, and each of its two Hall arms [Ohm].
    r_off
        Part of R_xy that doesn't change sign when channel and arms are exchanged (misalignment) [Ohm].
    gm
        Transconductance of the amplifier on each Hall pair [S].
    cmrr_db
        Its common-mode rejection [dB]; ``inf`` for a perfect one.
    r_load
        Input resistance of a column's voltage sense [Ohm].
    r_switch_on, r_switch_off
        Select switch between a Hall arm and its column line [Ohm] (`row_multiplexed`).
    isolation, returns
        Variants of `series_hall`.
    c_row, c_col
        Capacitance of one cell pitch of a row wire and of a column wire to ground [F]; 0 leaves it out.
    c_arm
        Capacitance of each Hall arm with what it is joined to, to ground [F].
    """

    architecture: Architecture
    r_row: float = 0.01
    r_col: float = 0.01
    r_driver: float = 0.1
    r_sense: float = 1.0
    r_channel: float = 500.0
    r_arm: float = 250.0
    r_off: float = 0.4666
    gm: float = 1e-3
    cmrr_db: float = 60.0
    r_load: float = 1e9
    r_switch_on: float = 1e3
    r_switch_off: float = 1e10
    isolation: Isolation = Isolation.NONE
    returns: Returns = Returns.GROUNDED
    c_row: float = 0.0
    c_col: float = 0.0
    c_arm: float = 0.0

    def __post_init__(self) -> None:
        for name, kind in (("architecture", Architecture), ("isolation", Isolation), ("returns", Returns)):
            object.__setattr__(self, name, kind(getattr(self, name)))
        for name in (*_RESISTANCES, "gm"):
            value = getattr(self, name)
            if name in _ZERO_ALLOWED:
                right, allowed = (
                    value == 0 or SHORTEST <= value < np.inf,
                    f"0, or {SHORTEST:g} <= value < inf",
                )
            else:
                right, allowed = 0 < value < np.inf, "0 < value < inf"
            if not right:
                raise ValueError(f"{name} = {value} {'S' if name == 'gm' else 'Ohm'}, allowed: {allowed}")
        for name in ("c_row", "c_col", "c_arm"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ValueError(f"{name} = {getattr(self, name)} F, allowed: 0 <= value < inf")
        if self.isolation is Isolation.IDEAL and self.returns is Returns.FLOATING:
            raise ValueError("returns = floating, allowed with isolation = ideal: grounded")
        if not self.cmrr_db >= 0:
            raise ValueError(f"cmrr_db = {self.cmrr_db} dB, allowed: 0 <= value")
        limit = float(np.sqrt(2 * self.r_arm * self.r_channel))
        if not abs(self.r_off) < limit:
            raise ValueError(
                f"r_off = {self.r_off} Ohm, allowed: magnitude below {limit:g} Ohm (a passive cell)"
            )


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
    """Gaussian mismatch.

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
