"""Arrays whose cells hang between the two lines of a row: `resistive`, `active_parallel`, `passive_parallel`."""

from __future__ import annotations

from circuits.arrays.config import ArrayConfig
from circuits.arrays.mismatch import Mismatch
from circuits.arrays.parts import (
    balanced_rows,
    column_pairs,
    current_senses,
    hall_cells,
    row_wire,
    to_ground,
    transconductors,
)
from circuits.builder import NetworkBuilder
from circuits.network import Network, Role
from compact_model.numeric import Floats


def resistive(states: Floats, config: ArrayConfig, _mismatch: Mismatch) -> Network:
    """Word lines driven at column 0, two-terminal cells, bit lines sensed below the last row."""
    rows, columns = states.shape
    build = NetworkBuilder()
    source, entry, word = build.nodes("s", rows), build.nodes("d", rows), build.nodes("w", rows, columns)
    build.voltage_sources("Vin", build.inputs("v", rows), source, 1.0, title="word-line sources [V]")
    build.resistors("Rdrv", source, entry, config.r_output, Role.DRIVER, title="word-line drivers [Ohm]")
    row_wire(build, "Rw", entry, word, config.r_row, title="word-line wire, one resistor per cell [Ohm]")
    to_ground(build, "Cw", word, config.c_row, title="word line to ground [F]")
    bit = current_senses(build, states.shape, config)
    build.resistors("Rcell", word, bit, states, Role.CELL, title="cells [Ohm]")
    build.probe("channel", word, bit)
    return build.network()


def active_parallel(states: Floats, config: ArrayConfig, mismatch: Mismatch) -> Network:
    """Cells between balanced rails, a differential transconductor per Hall pair, currents summed per column."""
    build = NetworkBuilder()
    rails = balanced_rows(build, states.shape, config)
    arms = hall_cells(build, rails, states, config, mismatch)
    column = current_senses(build, states.shape, config)
    transconductors(build, arms, column, config, mismatch)
    return build.network()


def passive_parallel(states: Floats, config: ArrayConfig, mismatch: Mismatch) -> Network:
    """Cells between balanced rails, Hall arms in parallel on a pair of lines per column: their mean."""
    build = NetworkBuilder()
    rails = balanced_rows(build, states.shape, config)
    arms = hall_cells(build, rails, states, config, mismatch)
    lines = column_pairs(build, states.shape, config)
    for prefix, arm, line, side in zip(("Rjp", "Rjn"), arms, lines, ("positive", "negative"), strict=True):
        build.resistors(
            prefix, arm, line, 0.0, Role.WIRE, title=f"{side} Hall arms joined to the column [Ohm]"
        )
    return build.network()
