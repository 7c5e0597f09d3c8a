"""Array architectures: cell states in, `Network` out."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from circuits.network import GROUND, Floats, Ints, Network, NetworkBuilder


class Architecture(StrEnum):
    """Topology of an array."""

    RESISTIVE = "resistive"
    ACTIVE_PARALLEL = "active_parallel"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayConfig:
    """Everything about an array but its states; SI units.

    Parameters
    ----------
    architecture
        Topology.
    r_row, r_col
        Wire resistance of one cell pitch along a row and along a column [Ohm]; 0 joins the nodes.
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

    def __post_init__(self) -> None:
        object.__setattr__(self, "architecture", Architecture(self.architecture))
        units = {"gm": "S", "cmrr_db": "dB"}
        for name in (f.name for f in fields(self) if f.name not in ("architecture", "r_off", "cmrr_db")):
            value = getattr(self, name)
            if name in ("r_row", "r_col", "r_driver"):
                right, allowed = 0 <= value < np.inf, "0 <= value < inf"
            else:
                right, allowed = 0 < value < np.inf, "0 < value < inf"
            if not right:
                raise ValueError(f"{name} = {value} {units.get(name, 'Ohm')}, allowed: {allowed}")
        if not self.cmrr_db >= 0:
            raise ValueError(f"cmrr_db = {self.cmrr_db} dB, allowed: 0 <= value")
        limit = float(np.sqrt(2 * self.r_arm * self.r_channel))
        if not abs(self.r_off) < limit:
            raise ValueError(
                f"r_off = {self.r_off} Ohm, allowed: magnitude below {limit:g} Ohm (a passive cell)"
            )


def crossbar(states: ArrayLike, config: ArrayConfig) -> Network:
    """The array as a network.

    Parameters
    ----------
    states
        (rows, columns) [Ohm]: cell resistance for `resistive`, Hall resistance R_xy for Hall cells.
    config
        Everything else.

    Returns
    -------
    Network
        One input per row [V], one output per column [A]. Probes: ``"channel"``; ``"arms"`` for Hall cells.

    Raises
    ------
    ValueError
        When a state is not a positive finite number, or there are none.

    Examples
    --------
    >>> network = crossbar([[1e4, 2e4]], ArrayConfig(architecture=Architecture.RESISTIVE))
    >>> network.n_inputs, network.output_names
    (1, ('i0', 'i1'))
    """
    return _BUILDERS[config.architecture](checked_states(states, config), config)


def ideal_transfer(states: ArrayLike, config: ArrayConfig) -> Floats:
    """Output per input without wires, drivers, offsets and common mode, (columns, rows) [A/V].

    ``1 / R`` for `resistive`, ``gm R_xy / r_channel`` for `active_parallel`.
    """
    resistance = checked_states(states, config)
    if config.architecture is Architecture.RESISTIVE:
        return np.ascontiguousarray(1 / resistance.T)
    return np.ascontiguousarray(config.gm * resistance.T / config.r_channel)


def checked_states(states: ArrayLike, config: ArrayConfig) -> Floats:
    """States as a (rows, columns) array of floats [Ohm]; ValueError naming the first wrong cell."""
    resistance = np.asarray(states, dtype=float)
    if resistance.ndim != 2 or resistance.size == 0:
        raise ValueError(f"states have shape {resistance.shape}, expected (rows, columns), each at least 1")
    wrong = ~(np.isfinite(resistance) & (resistance > 0))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        what = "cell resistance" if config.architecture is Architecture.RESISTIVE else "R_xy"
        value = resistance[row, column]
        raise ValueError(f"{what} of cell ({row}, {column}) = {value} Ohm, allowed: 0 < value < inf")
    return resistance


def _resistive(states: Floats, config: ArrayConfig) -> Network:
    """Word lines driven at column 0, bit lines sensed below the last row."""
    rows, columns = states.shape
    build = NetworkBuilder()
    source, word_in, word = build.nodes("s", rows), build.nodes("d", rows), build.nodes("w", rows, columns)
    bit, sense = build.nodes("b", rows, columns), build.nodes("o", columns)
    build.voltage_sources("Vin", build.inputs("v", rows), source, 1.0, title="word-line sources [V]")
    build.resistors("Rdrv", source, word_in, config.r_driver, "driver", title="word-line drivers [Ohm]")
    _row_wire(build, "Rw", word_in, word, config.r_row, title="word-line wire, one resistor per cell [Ohm]")
    build.resistors("Rcell", word, bit, states, "cell", title="cells [Ohm]")
    _column_wire(build, "Rb", bit, sense, config.r_col, title="bit-line wire, one resistor per cell [Ohm]")
    build.resistors(
        "Rsns", sense, GROUND, config.r_sense, "sense", title="current sense of each bit line [Ohm]"
    )
    build.outputs("i", sense, GROUND, 1 / config.r_sense)
    build.probe("channel", word, bit)
    return build.network()


def _active_parallel(states: Floats, config: ArrayConfig) -> Network:
    """Cells between balanced rails, a differential transconductor per Hall pair, currents summed per column."""
    rows, columns = states.shape
    build = NetworkBuilder()
    v = build.inputs("v", rows)
    rails: list[Ints] = []
    for sign, coefficient, side in (("p", 0.5, "positive"), ("n", -0.5, "negative")):
        source, rail_in = build.nodes(f"s{sign}", rows), build.nodes(f"d{sign}", rows)
        rail = build.nodes(f"w{sign}", rows, columns)
        build.voltage_sources(f"Vin{sign}", v, source, coefficient, title=f"{side} row sources [V]")
        build.resistors(
            f"Rdrv{sign}", source, rail_in, config.r_driver, "driver", title=f"{side} row drivers [Ohm]"
        )
        _row_wire(
            build,
            f"Rw{sign}",
            rail_in,
            rail,
            config.r_row,
            title=f"{side} row wire, one resistor per cell [Ohm]",
        )
        rails.append(rail)
    arms = hall_cells(build, rails[0], rails[1], states, config)
    column, sense = build.nodes("b", rows, columns), build.nodes("o", columns)
    transconductors(build, arms, column, config)
    _column_wire(build, "Rb", column, sense, config.r_col, title="column wire, one resistor per cell [Ohm]")
    build.resistors(
        "Rsns", sense, GROUND, config.r_sense, "sense", title="current sense of each column [Ohm]"
    )
    build.outputs("i", sense, GROUND, 1 / config.r_sense)
    return build.network()


_BUILDERS = {Architecture.RESISTIVE: _resistive, Architecture.ACTIVE_PARALLEL: _active_parallel}


def hall_cells(
    build: NetworkBuilder, plus: Ints, minus: Ints, r_xy: Floats, config: ArrayConfig
) -> tuple[Ints, Ints]:
    r"""Hall cells with their channels from `plus` to `minus`; the nodes of their two Hall arms.

    A star of two channel halves and two arms with a Hall coupling between its two ports. With
    ``R_H = R_xy - R_off`` and positive currents into the positive terminals,

        V_x = r_channel I_x + (R_off - R_H) I_y
        V_y = (R_off + R_H) I_x + 2 r_arm I_y

    is inverted to conductances (four resistors) and two controlled sources, ``D = 2 r_arm r_channel - R_off^2
    + R_H^2``. The antisymmetric part R_H is Onsager's and dissipates nothing.
    """
    hall = r_xy - config.r_off
    determinant = 2 * config.r_arm * config.r_channel - config.r_off**2 + hall**2
    centre = build.nodes("c", *r_xy.shape)
    arm_plus, arm_minus = build.nodes("hp", *r_xy.shape), build.nodes("hn", *r_xy.shape)
    half_channel, half_arms = determinant / (4 * config.r_arm), determinant / (2 * config.r_channel)
    build.resistors(
        "Rxp", plus, centre, half_channel, "cell", title="Hall cells: channel, positive half [Ohm]"
    )
    build.resistors(
        "Rxn", centre, minus, half_channel, "cell", title="Hall cells: channel, negative half [Ohm]"
    )
    build.resistors("Rhp", arm_plus, centre, half_arms, "cell", title="Hall cells: positive arm [Ohm]")
    build.resistors("Rhn", centre, arm_minus, half_arms, "cell", title="Hall cells: negative arm [Ohm]")
    build.vccs(
        "Gx",
        (plus, minus, arm_plus, arm_minus),
        (hall - config.r_off) / determinant,
        "cell",
        title="Hall cells: channel current from the arm voltage [S]",
    )
    build.vccs(
        "Gh",
        (arm_plus, arm_minus, plus, minus),
        -(hall + config.r_off) / determinant,
        "cell",
        title="Hall cells: arm current from the channel voltage [S]",
    )
    build.probe("channel", plus, minus)
    build.probe("arms", arm_plus, arm_minus)
    return arm_plus, arm_minus


def transconductors(build: NetworkBuilder, arms: tuple[Ints, Ints], into: Ints, config: ArrayConfig) -> None:
    """Amplifiers ``i = gm V_difference + gm 10^(-cmrr_db / 20) V_common`` from the Hall arms into `into`."""
    arm_plus, arm_minus = arms
    build.vccs(
        "Gm",
        (GROUND, into, arm_plus, arm_minus),
        config.gm,
        "sense",
        title="transconductors: differential part [S]",
    )
    common = config.gm * 10 ** (-config.cmrr_db / 20)
    if common > 0:
        for prefix, arm, side in (("Gcp", arm_plus, "positive"), ("Gcn", arm_minus, "negative")):
            build.vccs(
                prefix,
                (GROUND, into, arm, GROUND),
                common / 2,
                "sense",
                title=f"transconductors: common-mode part of the {side} arm [S]",
            )


def _row_wire(build: NetworkBuilder, prefix: str, entry: Ints, line: Ints, ohm: float, *, title: str) -> None:
    """One wire segment before each cell, the first one from `entry`."""
    before = np.concatenate([entry[:, None], line[:, :-1]], axis=1)
    build.resistors(prefix, before, line, ohm, "wire", title=title)


def _column_wire(
    build: NetworkBuilder, prefix: str, line: Ints, end: Ints, ohm: float, *, title: str
) -> None:
    """One wire segment below each cell, the last one to `end`."""
    below = np.concatenate([line[1:], end[None, :]], axis=0)
    build.resistors(prefix, line, below, ohm, "wire", title=title)
