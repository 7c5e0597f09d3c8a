"""Arrays with the channels of a row in series: `active_series`, `series_hall`, `row_multiplexed`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from circuits.arrays.architecture import Isolation, Returns
from circuits.arrays.config import ArrayConfig
from circuits.arrays.mismatch import Mismatch
from circuits.arrays.parts import (
    Pair,
    column_pairs,
    current_senses,
    hall_cells,
    to_ground,
    transconductors,
    voltage_senses,
)
from circuits.builder import NetworkBuilder
from circuits.network import GROUND, Network, Role
from compact_model.numeric import Floats, Ints


def active_series(states: Floats, config: ArrayConfig, mismatch: Mismatch) -> Network:
    """Rows balanced about their middle, a differential transconductor per Hall pair, currents summed per column.

    A floating current source drives each row; the wire after half of the cells is grounded and carries no
    current.
    """
    rows, columns = states.shape
    build = NetworkBuilder()
    channel, entry, exit_ = _chain(build, states.shape, config)
    title = "row sources, floating [A]"
    build.current_sources("Iin", build.inputs("i", rows), exit_, entry, 1.0, title=title)
    middle = channel[0][:, columns // 2]
    build.resistors("Rmid", middle, GROUND, 0.0, Role.DRIVER, title="middle of each row, grounded [Ohm]")
    arms = hall_cells(build, channel, states, config, mismatch)
    column = current_senses(build, states.shape, config)
    transconductors(build, arms, column, config, mismatch)
    return build.network()


def series_hall(states: Floats, config: ArrayConfig, mismatch: Mismatch) -> Network:
    """Rows and columns both in series: channels along a row, Hall arms along a column.

    With `Isolation.IDEAL` each Hall voltage passes through an isolation amplifier, and the columns give the sum
    that the drawing intends.
    """
    rows, columns = states.shape
    build = NetworkBuilder()
    channel, entry, exit_ = _chain(build, states.shape, config)
    source = build.inputs("i", rows)
    isolated = config.isolation is Isolation.IDEAL
    if config.returns is Returns.FLOATING:
        build.current_sources("Iin", source, exit_, entry, 1.0, title="row sources, floating [A]")
    else:
        _grounded_sources(build, source, entry, exit_)
    arm_plus, arm_minus = hall_cells(build, channel, states, config, mismatch)
    if isolated:
        foot = build.nodes("o", columns)
        into = np.broadcast_to(foot, states.shape)
        title = "ideal isolation amplifiers: 1 A per volt of Hall voltage [S]"
        build.vccs("Giso", (GROUND, into, arm_plus, arm_minus), 1.0, Role.SENSE, title=title)
        build.resistors(
            "Rsns", foot, GROUND, 1.0, Role.SENSE, title="sum of each column, 1 V per ampere [Ohm]"
        )
        build.outputs("u", foot, GROUND, 1.0)
        return build.network()
    top, foot = build.nodes("op", columns), build.nodes("on", columns)
    above = np.concatenate([top[None, :], arm_minus])
    below = np.concatenate([arm_plus, foot[None, :]])
    title = "column wire, from each cell to the next [Ohm]"
    build.resistors("Rb", above, below, config.r_column, Role.WIRE, title=title)
    to_ground(
        build, "Cb", above, config.c_column, title="column wire to ground, one capacitor per segment [F]"
    )
    voltage_senses(build, (top, foot), config)
    if config.returns is Returns.FLOATING:
        build.resistors("Rgnd", foot, GROUND, 0.0, Role.SENSE, title="foot of each column, grounded [Ohm]")
    return build.network()


def row_multiplexed(states: Floats, config: ArrayConfig, mismatch: Mismatch, selected: int) -> Network:
    """One time slot: row `selected` is driven and switched to the column pairs, the others are switched off."""
    build = NetworkBuilder()
    _multiplexed(build, states, config, mismatch, selected)
    return build.network()


def row_alone(states: Floats, config: ArrayConfig, mismatch: Mismatch, below: int, idle: int) -> Network:
    """A time slot of `row_multiplexed` with one row in full, the idle ones as a single chain that stands for them.

    The idle rows lie in parallel between the columns and ground, alike but for their Hall resistances, whose voltages
    their open switches keep from the columns.

    Parameters
    ----------
    states, mismatch
        Of the row that is read, (1, columns) [Ohm].
    below
        Column segments between the row and the senses.
    idle
        Number of the other rows.
    """
    build = NetworkBuilder()
    lines = _multiplexed(build, states, replace(config, r_column=below * config.r_column), mismatch, 0)
    if idle:
        centre = build.nodes("idle", states.shape[1])
        switch = (config.r_switch_off + config.r_arm) / idle
        for prefix, line, side in zip(("Rip", "Rin"), lines, ("positive", "negative"), strict=True):
            title = f"idle rows: {side} arms and open switches [Ohm]"
            build.resistors(prefix, line[0], centre, switch, Role.SWITCH, title=title)
        channel = np.full(len(centre), config.r_channel)
        channel[-1] /= 2
        title = "idle rows: channels and wires to the returns [Ohm]"
        after = np.append(centre[1:], GROUND)
        build.resistors("Rich", centre, after, (channel + config.r_row) / idle, Role.CELL, title=title)
    return build.network()


def _multiplexed(
    build: NetworkBuilder, states: Floats, config: ArrayConfig, mismatch: Mismatch, selected: int
) -> Pair:
    """Rows, one of them driven and switched to the column pairs; the lines of the columns."""
    rows, _ = states.shape
    channel, entry, exit_ = _chain(build, states.shape, config)
    driven = build.inputs("i", rows)[selected : selected + 1]
    _grounded_sources(build, driven, entry[selected : selected + 1], exit_)
    arms = hall_cells(build, channel, states, config, mismatch)
    lines = column_pairs(build, states.shape, config)
    switch = np.full(states.shape, config.r_switch_off)
    switch[selected] = config.r_switch_on
    for prefix, arm, line, side in zip(("Rsp", "Rsn"), arms, lines, ("positive", "negative"), strict=True):
        title = f"select switches of the {side} arms, row {selected} on [Ohm]"
        build.resistors(prefix, arm, line, switch, Role.SWITCH, title=title)
    return lines


def _chain(build: NetworkBuilder, shape: tuple[int, int], config: ArrayConfig) -> tuple[Pair, Ints, Ints]:
    """Channels of each row in series with a wire segment before each and after the last: ends, entry, exit."""
    rows, _ = shape
    source, entry, exit_ = build.nodes("s", rows), build.nodes("d", rows), build.nodes("e", rows)
    plus, minus = build.nodes("wp", *shape), build.nodes("wn", *shape)
    build.resistors("Rdrv", source, entry, config.r_output, Role.DRIVER, title="row drivers [Ohm]")
    before = np.concatenate([entry[:, None], minus], axis=1)
    after = np.concatenate([plus, exit_[:, None]], axis=1)
    title = "row wire, before each cell and after the last [Ohm]"
    build.resistors("Rw", before, after, config.r_row, Role.WIRE, title=title)
    to_ground(build, "Cw", plus, config.c_row, title="row wire to ground, one capacitor per cell [F]")
    return (plus, minus), source, exit_


def _grounded_sources(build: NetworkBuilder, inputs: Ints, entry: Ints, exit_: Ints) -> None:
    build.current_sources("Iin", inputs, GROUND, entry, 1.0, title="row sources [A]")
    build.resistors("Rret", exit_, GROUND, 0.0, Role.DRIVER, title="return of each row, grounded [Ohm]")
