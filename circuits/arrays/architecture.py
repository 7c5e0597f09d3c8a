"""Topologies of an array, and their variants."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Architecture(StrEnum):
    """Topology of an array; inputs and outputs are one per row and one per column.

    A member is its name in configurations, the units of its inputs and outputs, and what else sets it apart.
    """

    RESISTIVE = "resistive", "V", "A", "crossed"
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
    crossed: bool
    """Two-terminal cells, each between a row and a column line; the others are arrays of Hall bars."""

    def __new__(cls, name: str, *facts: str) -> Self:
        """A member of that name: units of inputs and outputs, then traits."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.input_unit, member.output_unit, *traits = facts
        member.amplified, member.in_turns = "amplified" in traits, "in_turns" in traits
        member.crossed = "crossed" in traits
        return member

    @property
    def hall(self) -> bool:
        """Cells are Hall bars: their state is a Hall resistance, their channel does not depend on it."""
        return not self.crossed


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
