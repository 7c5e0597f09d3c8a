"""Parts that the arrays share: Hall cells, amplifiers, wires, row drivers, column senses."""

from __future__ import annotations

import numpy as np

from circuits.arrays.config import ArrayConfig
from circuits.arrays.mismatch import Mismatch
from circuits.builder import NetworkBuilder
from circuits.network import GROUND, Role
from compact_model.numeric import Floats, Ints

Pair = tuple[Ints, Ints]


def hall_cells(
    build: NetworkBuilder, channel: Pair, r_xy: Floats, config: ArrayConfig, mismatch: Mismatch
) -> Pair:
    r"""Hall cells with their channels between the nodes `channel`; the nodes of their two Hall arms.

    A star of two channel halves and two arms with a Hall coupling between its two ports. With
    ``R_H = R_xy - R_off``, ``r_y`` the two arms together and positive currents into the positive terminals,

        V_x = r_channel I_x + (R_off - R_H) I_y
        V_y = (R_off + R_H) I_x + r_y I_y

    is inverted to conductances (four resistors) and two controlled sources, with the determinant ``D = r_y
    r_channel - R_off^2 + R_H^2``. The antisymmetric part R_H is Onsager's and dissipates nothing.
    """
    plus, minus = channel
    offset = config.r_off + mismatch.r_off
    hall = r_xy - offset
    arms = config.r_arm * (2 + mismatch.arm_plus + mismatch.arm_minus)
    determinant = arms * config.r_channel - offset**2 + hall**2
    if not (determinant - hall**2 > 0).all():
        raise ValueError(
            f"R_off of a cell reaches {np.abs(offset).max():g} Ohm, allowed: magnitude below"
            f" {np.sqrt(arms.min() * config.r_channel):g} Ohm (a passive cell)"
        )
    halves = determinant / arms / 2
    per_arm = determinant / config.r_channel * config.r_arm / arms
    centre = build.nodes("c", *r_xy.shape)
    arm_plus, arm_minus = build.nodes("hp", *r_xy.shape), build.nodes("hn", *r_xy.shape)
    for prefix, ends, ohm, title in (
        ("Rxp", (plus, centre), halves * (1 + mismatch.channel), "channel, positive half"),
        ("Rxn", (centre, minus), halves * (1 - mismatch.channel), "channel, negative half"),
        ("Rhp", (arm_plus, centre), per_arm * (1 + mismatch.arm_plus), "positive arm"),
        ("Rhn", (centre, arm_minus), per_arm * (1 + mismatch.arm_minus), "negative arm"),
    ):
        build.resistors(prefix, *ends, ohm, Role.CELL, title=f"Hall cells: {title} [Ohm]")
    build.vccs(
        "Gx",
        (plus, minus, arm_plus, arm_minus),
        (hall - offset) / determinant,
        Role.CELL,
        title="Hall cells: channel current from the arm voltage [S]",
    )
    build.vccs(
        "Gh",
        (arm_plus, arm_minus, plus, minus),
        -(hall + offset) / determinant,
        Role.CELL,
        title="Hall cells: arm current from the channel voltage [S]",
    )
    build.probe("channel", plus, minus)
    build.probe("arms", arm_plus, arm_minus)
    for prefix, arm, side in (("Chp", arm_plus, "positive"), ("Chn", arm_minus, "negative")):
        to_ground(build, prefix, arm, config.c_arm, title=f"{side} Hall arms to ground [F]")
    return arm_plus, arm_minus


def transconductors(
    build: NetworkBuilder, arms: Pair, into: Ints, config: ArrayConfig, mismatch: Mismatch
) -> None:
    """Amplifiers ``i = gm V_difference + gm 10^(-cmrr_db / 20) V_common`` from the Hall arms into `into`."""
    arm_plus, arm_minus = arms
    ports = (GROUND, into, arm_plus, arm_minus)
    build.vccs("Gm", ports, config.gm, Role.AMPLIFIER, title="transconductors: differential part [S]")
    common = config.gm * 10 ** (-config.cmrr_db / 20)
    if common > 0:
        for prefix, arm, side in (("Gcp", arm_plus, "positive"), ("Gcn", arm_minus, "negative")):
            title = f"transconductors: common-mode part of the {side} arm [S]"
            each = common / 2 * mismatch.common_mode
            build.vccs(prefix, (GROUND, into, arm, GROUND), each, Role.AMPLIFIER, title=title)


def balanced_rows(build: NetworkBuilder, shape: tuple[int, int], config: ArrayConfig) -> Pair:
    """Two rails per row at ``+v/2`` and ``-v/2``, driven at column 0."""
    rows, _ = shape
    v = build.inputs("v", rows)
    rails: list[Ints] = []
    for sign, coefficient, side in (("p", 0.5, "positive"), ("n", -0.5, "negative")):
        source, entry = build.nodes(f"s{sign}", rows), build.nodes(f"d{sign}", rows)
        rail = build.nodes(f"w{sign}", *shape)
        build.voltage_sources(f"Vin{sign}", v, source, coefficient, title=f"{side} row sources [V]")
        title = f"{side} row drivers [Ohm]"
        build.resistors(f"Rdrv{sign}", source, entry, config.r_output, Role.DRIVER, title=title)
        row_wire(
            build,
            f"Rw{sign}",
            entry,
            rail,
            config.r_row,
            title=f"{side} row wire, one resistor per cell [Ohm]",
        )
        to_ground(build, f"Cw{sign}", rail, config.c_row, title=f"{side} row wire to ground [F]")
        rails.append(rail)
    return rails[0], rails[1]


def current_senses(build: NetworkBuilder, shape: tuple[int, int], config: ArrayConfig) -> Ints:
    """One line per column down to a current sense; its nodes, one per row."""
    line, foot = build.nodes("b", *shape), build.nodes("o", shape[1])
    column_wire(build, "Rb", line, foot, config.r_column, title="column wire, one resistor per cell [Ohm]")
    to_ground(build, "Cb", line, config.c_column, title="column wire to ground [F]")
    title = "current sense of each column [Ohm]"
    build.resistors("Rsns", foot, GROUND, config.r_input, Role.SENSE, title=title)
    build.outputs("i", foot, GROUND, 1 / config.r_input)
    return line


def column_pairs(build: NetworkBuilder, shape: tuple[int, int], config: ArrayConfig) -> Pair:
    """Two lines per column down to a voltage sense; their nodes, one per row."""
    lines, feet = [], []
    for sign, side in (("p", "positive"), ("n", "negative")):
        line, foot = build.nodes(f"b{sign}", *shape), build.nodes(f"o{sign}", shape[1])
        title = f"{side} column wire, one resistor per cell [Ohm]"
        column_wire(build, f"Rb{sign}", line, foot, config.r_column, title=title)
        to_ground(build, f"Cb{sign}", line, config.c_column, title=f"{side} column wire to ground [F]")
        lines.append(line)
        feet.append(foot)
    voltage_senses(build, (feet[0], feet[1]), config)
    return lines[0], lines[1]


def voltage_senses(build: NetworkBuilder, ends: Pair, config: ArrayConfig) -> None:
    """Differential voltage senses of the columns."""
    build.resistors("Rsns", *ends, config.r_load, Role.SENSE, title="voltage sense of each column [Ohm]")
    build.outputs("u", *ends, 1.0)


def row_wire(build: NetworkBuilder, prefix: str, entry: Ints, line: Ints, ohm: float, *, title: str) -> None:
    """One wire segment before each cell, the first one from `entry`."""
    before = np.concatenate([entry[:, None], line[:, :-1]], axis=1)
    build.resistors(prefix, before, line, ohm, Role.WIRE, title=title)


def column_wire(build: NetworkBuilder, prefix: str, line: Ints, end: Ints, ohm: float, *, title: str) -> None:
    """One wire segment below each cell, the last one to `end`."""
    below = np.concatenate([line[1:], end[None, :]], axis=0)
    build.resistors(prefix, line, below, ohm, Role.WIRE, title=title)


def to_ground(build: NetworkBuilder, prefix: str, line: Ints, farad: float, *, title: str) -> None:
    """A capacitor from each node of a line to ground; none for 0 F."""
    if farad > 0:
        build.capacitors(prefix, line, GROUND, farad, Role.WIRE, title=title)
