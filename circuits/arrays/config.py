"""What an array is made of: topology, wires, drivers, cells, amplifiers, and the spread of its cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from circuits.arrays.architecture import Architecture, Isolation, Returns
from compact_model.constants import LEAST_RESISTANCE

_ZERO_ALLOWED = ("r_row", "r_column", "r_output")
_RESISTANCES = (*_ZERO_ALLOWED, "r_input", "r_channel", "r_arm", "r_load", "r_switch_on", "r_switch_off")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayConfig:
    """Everything about an array but its states; SI units.

    Parameters
    ----------
    architecture
        Topology.
    r_row, r_column
        Wire resistance of one cell pitch along a row and along a column [Ohm]; 0 joins the nodes, and less than
        `compact_model.constants.LEAST_RESISTANCE` is refused.
    r_output
        Output resistance of a row driver, of each of the two rails where there are two [Ohm].
    r_input
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
    c_row, c_column
        Capacitance of one cell pitch of a row wire and of a column wire to ground [F]; 0 leaves it out.
    c_arm
        Capacitance of each Hall arm with what it is joined to, to ground [F].
    """

    architecture: Architecture
    r_row: float = 0.01
    r_column: float = 0.01
    r_output: float = 0.1
    r_input: float = 1.0
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
    c_column: float = 0.0
    c_arm: float = 0.0

    def __post_init__(self) -> None:
        for name, kind in (("architecture", Architecture), ("isolation", Isolation), ("returns", Returns)):
            object.__setattr__(self, name, kind(getattr(self, name)))
        for name in (*_RESISTANCES, "gm"):
            value = getattr(self, name)
            if name in _ZERO_ALLOWED:
                right, allowed = (
                    value == 0 or LEAST_RESISTANCE <= value < np.inf,
                    f"0, or {LEAST_RESISTANCE:g} <= value < inf",
                )
            else:
                right, allowed = 0 < value < np.inf, "0 < value < inf"
            if not right:
                raise ValueError(f"{name} = {value} {'S' if name == 'gm' else 'Ohm'}, allowed: {allowed}")
        for name in ("c_row", "c_column", "c_arm"):
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
