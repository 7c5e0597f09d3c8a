"""Write networks: the currents that all cells get in a write pulse, from one linear solve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from circuits.arrays.parts import column_wire, row_wire
from circuits.builder import NetworkBuilder
from circuits.network import GROUND, Network, Role
from circuits.write.scheme import BiasScheme, WriteConfig
from compact_model.numeric import Floats, Ints, Mask

PARTS = ("cells", "select", "wires", "drivers")
"""Where the energy of a pulse goes."""


def write_network(selected: Mask, config: WriteConfig, *, probes: bool = False) -> Network:
    """The array in a write pulse, with the switches of the selected cells in their write position.

    Parameters
    ----------
    selected
        (rows, columns): which cells are written; their switch is on (in series) or off (bypass).
    config
        Everything else.
    probes
        Add an input per cell, a current from ground side to line side through its switch (through the cell, where
        there is none), for `WriteSolver`.

    Returns
    -------
    Network
        Inputs: row voltages, then column voltages for `resistive`. Outputs: ``u<r>_<c>``, voltage across the switch
        (across the cell where there is none), and currents out of the drivers (``i``) and into the returns (``j``).
        The probe ``"channel"`` holds the ends of every channel, ip first.
    """
    rows, columns = selected.shape
    build = NetworkBuilder()
    if config.crossed:
        plus, minus = _crossed(build, rows, columns, config)
    elif config.serial:
        plus, minus = _serial(build, rows, columns, config)
    else:
        plus, minus = _rails(build, rows, columns, config)
    inner, ends = plus, (plus, minus)
    on = np.where(selected != config.serial, config.r_select_on, config.r_select_off)
    if config.scheme is BiasScheme.ONE_TRANSISTOR:
        inner = build.nodes("m", rows, columns)
        ends = (plus, inner)
        build.resistors("Rsel", plus, inner, on, Role.SWITCH, title="select device of each cell [Ohm]")
    elif config.serial:
        build.resistors("Rsel", plus, minus, on, Role.SWITCH, title="bypass switch of each cell [Ohm]")
    channel = np.full((rows, columns), config.r_channel)
    build.resistors("Rcell", inner, minus, channel, Role.CELL, title="channels [Ohm]")
    build.probe("channel", inner, minus)
    build.outputs("u", *ends, 1.0)
    if probes:
        push = build.inputs("push", rows, columns)
        build.current_sources("Ipush", push, ends[1], ends[0], 1.0, title="unit currents [A]")
    return build.network()


def _crossed(build: NetworkBuilder, rows: int, columns: int, config: WriteConfig) -> tuple[Ints, Ints]:
    v_row, v_column = build.inputs("vr", rows), build.inputs("vc", columns)
    word, bit = build.nodes("w", rows, columns), build.nodes("b", rows, columns)
    entry = _line(build, "r", v_row, 1.0, config.r_line[0], "row")
    row_wire(build, "Rw", entry, word, config.r_row, title="row wire, one resistor per cell [Ohm]")
    foot = _line(build, "c", v_column, 1.0, config.r_line[1], "column")
    column_wire(build, "Rb", bit, foot, config.r_column, title="column wire, one resistor per cell [Ohm]")
    return word, bit


def _rails(build: NetworkBuilder, rows: int, columns: int, config: WriteConfig) -> tuple[Ints, Ints]:
    v_row = build.inputs("vr", rows)
    rails = []
    for sign, half in (("p", 0.5), ("n", -0.5)):
        rail = build.nodes(f"w{sign}", rows, columns)
        entry = _line(build, sign, v_row, half, config.r_output, f"rail {sign}")
        row_wire(
            build, f"Rw{sign}", entry, rail, config.r_row, title=f"rail {sign}, one resistor per cell [Ohm]"
        )
        rails.append(rail)
    return rails[0], rails[1]


def _serial(build: NetworkBuilder, rows: int, columns: int, config: WriteConfig) -> tuple[Ints, Ints]:
    v_row = build.inputs("vr", rows)
    plus, minus = build.nodes("p", rows, columns), build.nodes("n", rows, columns)
    entry = _line(build, "r", v_row, 1.0, config.r_output, "row")
    before = np.concatenate([entry[:, None], minus[:, :-1]], axis=1)
    build.resistors(
        "Rw", before, plus, config.r_row, Role.WIRE, title="row wire, one resistor per cell [Ohm]"
    )
    last = minus[:, -1]
    build.resistors("Rret", last, GROUND, config.r_return, Role.DRIVER, title="return of each row [Ohm]")
    build.outputs("j", last, GROUND, 1 / config.r_return)
    return plus, minus


def _line(
    build: NetworkBuilder, prefix: str, inputs: Ints, coefficient: float, ohm: float, what: str
) -> Ints:
    source, entry = build.nodes(f"s{prefix}", len(inputs)), build.nodes(f"d{prefix}", len(inputs))
    build.voltage_sources(f"V{prefix}", inputs, source, coefficient, title=f"{what} sources [V]")
    build.resistors(f"Rd{prefix}", source, entry, ohm, Role.DRIVER, title=f"{what} drivers and returns [Ohm]")
    build.outputs(f"i{prefix}", source, entry, 1 / ohm)
    return entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """How the drivers' lines of an architecture are numbered among the outputs, after the cells."""

    source: Ints  # input of a line
    coefficient: Floats  # of that input in the voltage that drives the line; 0: a return to ground
    ohm: Floats


def lines(rows: int, columns: int, config: WriteConfig) -> Lines:
    """The lines of a write network, in the order of its outputs."""
    row, column = np.arange(rows), rows + np.arange(columns)
    if config.crossed:
        parts = ((row, 1.0, config.r_line[0]), (column, 1.0, config.r_line[1]))
    elif config.serial:
        parts = ((row, 1.0, config.r_output), (row, 0.0, config.r_return))
    else:
        parts = ((row, 0.5, config.r_output), (row, -0.5, config.r_output))
    return Lines(
        source=np.concatenate([source for source, _, _ in parts]),
        coefficient=np.concatenate([np.full(len(source), factor) for source, factor, _ in parts]),
        ohm=np.concatenate([np.full(len(source), ohm) for source, _, ohm in parts]),
    )
