"""Every branch of every array, written down: its ends, its value, its role."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from circuits.arrays.architecture import Architecture, Isolation, Returns
from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import amplifiers, crossbar, ideal_transfer, network_of, slots
from circuits.arrays.mismatch import draw_mismatch, no_mismatch
from circuits.network import GROUND, Network, Role

ROWS, COLUMNS = 2, 3
CELLS = [(r, c) for r in range(ROWS) for c in range(COLUMNS)]
WIRES: dict[str, Any] = {
    "r_row": 2.0, "r_column": 3.0, "r_output": 5.0, "r_input": 7.0, "r_load": 11e3, "r_channel": 600.0,
    "r_arm": 200.0, "r_off": 0.5, "gm": 2e-3, "cmrr_db": 40.0, "r_switch_on": 13.0, "r_switch_off": 17e6,
    "c_row": 1e-15, "c_column": 2e-15, "c_arm": 3e-15,
}  # fmt: skip
STATES = np.array([[20.0, 30.0, 25.0], [45.0, 10.0, 15.0]])
MISMATCH = draw_mismatch(
    STATES.shape, np.random.default_rng(1), relative=0.05, r_off=2.0, random_rejection=True
)
Branch = tuple[str, tuple[str, ...], float, Role]


def config(architecture: Architecture, **changes: Any) -> ArrayConfig:
    return ArrayConfig(architecture=architecture, **(WIRES | changes))


def branches(network: Network) -> dict[str, tuple[tuple[str, ...], float, Role]]:
    """Ends (and controls), value and role of each branch by name."""
    names = (*network.node_names, "0")
    found = {}
    for k, name in enumerate(network.branch_names):
        ports = [network.plus[k], network.minus[k]]
        if name[0] == "G":
            ports += [network.control_plus[k], network.control_minus[k]]
        role = next(role for role in Role if network.of_role(role)[k])
        found[name] = (tuple(names[port] for port in ports), float(network.value[k]), role)
    return found


def check(network: Network, expected: Iterator[Branch]) -> None:
    found = branches(network)
    wanted = {name: rest for name, *rest in expected}
    assert sorted(found) == sorted(wanted)
    for name, (ends, value, role) in wanted.items():
        assert (found[name][0], found[name][2]) == (ends, role), name
        assert found[name][1] == pytest.approx(value, rel=1e-12, abs=0), name


def resistive() -> Iterator[Branch]:
    for r in range(ROWS):
        yield f"Vin{r}", (f"s{r}", "0"), 0.0, Role.DRIVER
        yield f"Rdrv{r}", (f"s{r}", f"d{r}"), 5.0, Role.DRIVER
    for r, c in CELLS:
        yield f"Rw{r}_{c}", (f"w{r}_{c - 1}" if c else f"d{r}", f"w{r}_{c}"), 2.0, Role.WIRE
        yield f"Cw{r}_{c}", (f"w{r}_{c}", "0"), 1e-15, Role.WIRE
        yield f"Rcell{r}_{c}", (f"w{r}_{c}", f"b{r}_{c}"), STATES[r, c], Role.CELL
    yield from senses()


def senses() -> Iterator[Branch]:
    for r, c in CELLS:
        yield f"Rb{r}_{c}", (f"b{r}_{c}", f"b{r + 1}_{c}" if r < ROWS - 1 else f"o{c}"), 3.0, Role.WIRE
        yield f"Cb{r}_{c}", (f"b{r}_{c}", "0"), 2e-15, Role.WIRE
    for c in range(COLUMNS):
        yield f"Rsns{c}", (f"o{c}", "0"), 7.0, Role.SENSE


def cells(plus: str, minus: str) -> Iterator[Branch]:
    """The inverse of the impedances of a cell, split into halves and arms."""
    for r, c in CELLS:
        at = f"{r}_{c}"
        d, a, b = MISMATCH.channel[r, c], MISMATCH.arm_plus[r, c], MISMATCH.arm_minus[r, c]
        off = 0.5 + MISMATCH.r_off[r, c]
        across = 200.0 * (1 + a) + 200.0 * (1 + b)
        y = np.linalg.inv([[600.0, 2 * off - STATES[r, c]], [STATES[r, c], across]])
        yield f"Rxp{at}", (plus + at, f"c{at}"), (1 + d) / 2 / y[0, 0], Role.CELL
        yield f"Rxn{at}", (f"c{at}", minus + at), (1 - d) / 2 / y[0, 0], Role.CELL
        yield f"Rhp{at}", (f"hp{at}", f"c{at}"), 200.0 * (1 + a) / across / y[1, 1], Role.CELL
        yield f"Rhn{at}", (f"c{at}", f"hn{at}"), 200.0 * (1 + b) / across / y[1, 1], Role.CELL
        yield f"Gx{at}", (plus + at, minus + at, f"hp{at}", f"hn{at}"), y[0, 1], Role.CELL
        yield f"Gh{at}", (f"hp{at}", f"hn{at}", plus + at, minus + at), y[1, 0], Role.CELL
        for side in "pn":
            yield f"Ch{side}{at}", (f"h{side}{at}", "0"), 3e-15, Role.WIRE


def amplified() -> Iterator[Branch]:
    """2 mS, and a hundredth of it for the mean of both arms."""
    for r, c in CELLS:
        at = f"{r}_{c}"
        yield f"Gm{at}", ("0", f"b{at}", f"hp{at}", f"hn{at}"), 2e-3, Role.AMPLIFIER
        for side in "pn":
            common = 1e-5 * MISMATCH.common_mode[r, c]
            yield f"Gc{side}{at}", ("0", f"b{at}", f"h{side}{at}", "0"), common, Role.AMPLIFIER


def rails() -> Iterator[Branch]:
    for side in "pn":
        for r in range(ROWS):
            yield f"Vin{side}{r}", (f"s{side}{r}", "0"), 0.0, Role.DRIVER
            yield f"Rdrv{side}{r}", (f"s{side}{r}", f"d{side}{r}"), 5.0, Role.DRIVER
        for r, c in CELLS:
            before = f"w{side}{r}_{c - 1}" if c else f"d{side}{r}"
            yield f"Rw{side}{r}_{c}", (before, f"w{side}{r}_{c}"), 2.0, Role.WIRE
            yield f"Cw{side}{r}_{c}", (f"w{side}{r}_{c}", "0"), 1e-15, Role.WIRE


def active_parallel() -> Iterator[Branch]:
    for part in (rails(), cells("wp", "wn"), senses(), amplified()):
        yield from part


def pairs(joined: str) -> Iterator[Branch]:
    """Column lines, whose nodes carry the names of what is joined to them by 0 ohm."""
    for side in "pn":
        line = joined + side
        for r, c in CELLS:
            below = f"{line}{r + 1}_{c}" if r < ROWS - 1 else f"o{side}{c}"
            yield f"Rb{side}{r}_{c}", (f"{line}{r}_{c}", below), 3.0, Role.WIRE
            yield f"Cb{side}{r}_{c}", (f"{line}{r}_{c}", "0"), 2e-15, Role.WIRE
    for c in range(COLUMNS):
        yield f"Rsns{c}", (f"op{c}", f"on{c}"), 11e3, Role.SENSE


def passive_parallel() -> Iterator[Branch]:
    for part in (rails(), cells("wp", "wn"), pairs("h")):
        yield from part


def chain(ends: dict[str, str]) -> Iterator[Branch]:
    """A wire before each channel and one after the last; `ends` renames nodes that are joined."""
    for r in range(ROWS):
        yield f"Rdrv{r}", (f"s{r}", f"d{r}"), 5.0, Role.DRIVER
        nodes = [f"d{r}", *(f"{side}{r}_{c}" for c in range(COLUMNS) for side in ("wp", "wn")), f"e{r}"]
        for c in range(COLUMNS + 1):
            before, after = nodes[2 * c], nodes[2 * c + 1]
            yield f"Rw{r}_{c}", (before, ends.get(after, after)), 2.0, Role.WIRE
    for r, c in CELLS:
        yield f"Cw{r}_{c}", (ends.get(f"wp{r}_{c}", f"wp{r}_{c}"), "0"), 1e-15, Role.WIRE


def active_series() -> Iterator[Branch]:
    """The positive end of column 1, the middle of three, is ground."""
    grounded = {f"wp{r}_1": "0" for r in range(ROWS)}
    for r in range(ROWS):
        yield f"Iin{r}", (f"e{r}", f"s{r}"), 0.0, Role.DRIVER
    for part in (chain(grounded), senses(), amplified()):
        yield from part
    for name, ends, value, role in cells("wp", "wn"):
        yield name, tuple(grounded.get(end, end) for end in ends), value, role


def row_multiplexed() -> Iterator[Branch]:
    yield "Iin0", ("0", "s1"), 0.0, Role.DRIVER
    for part in (chain({f"e{r}": "0" for r in range(ROWS)}), cells("wp", "wn"), pairs("b")):
        yield from part
    for side in "pn":
        for r, c in CELLS:
            switch = 13.0 if r == 1 else 17e6
            yield f"Rs{side}{r}_{c}", (f"h{side}{r}_{c}", f"b{side}{r}_{c}"), switch, Role.SWITCH


def grounded_rows() -> Iterator[Branch]:
    for r in range(ROWS):
        yield f"Iin{r}", ("0", f"s{r}"), 0.0, Role.DRIVER
    for part in (chain({f"e{r}": "0" for r in range(ROWS)}), cells("wp", "wn")):
        yield from part


def columns_in_series(foot: str) -> Iterator[Branch]:
    """Wire from the top to the positive arm of row 0, from its negative arm to row 1, from there to the foot."""
    for c in range(COLUMNS):
        line = [f"op{c}", f"hp0_{c}", f"hn0_{c}", f"hp1_{c}", f"hn1_{c}", foot or f"on{c}"]
        for r in range(ROWS + 1):
            yield f"Rb{r}_{c}", (line[2 * r], line[2 * r + 1]), 3.0, Role.WIRE
            yield f"Cb{r}_{c}", (line[2 * r], "0"), 2e-15, Role.WIRE
        yield f"Rsns{c}", (f"op{c}", foot or f"on{c}"), 11e3, Role.SENSE


def series_hall() -> Iterator[Branch]:
    yield from grounded_rows()
    yield from columns_in_series("")


def series_hall_floating() -> Iterator[Branch]:
    for r in range(ROWS):
        yield f"Iin{r}", (f"e{r}", f"s{r}"), 0.0, Role.DRIVER
    for part in (chain({}), cells("wp", "wn"), columns_in_series("0")):
        yield from part


def series_hall_ideal() -> Iterator[Branch]:
    yield from grounded_rows()
    for r, c in CELLS:
        yield f"Giso{r}_{c}", ("0", f"o{c}", f"hp{r}_{c}", f"hn{r}_{c}"), 1.0, Role.SENSE
    for c in range(COLUMNS):
        yield f"Rsns{c}", (f"o{c}", "0"), 1.0, Role.SENSE


Schematic = Callable[[], Iterator[Branch]]
SERIES = Architecture.SERIES_HALL
ALL: list[tuple[ArrayConfig, Schematic]] = [
    (config(Architecture.RESISTIVE), resistive),
    (config(Architecture.ACTIVE_PARALLEL), active_parallel),
    (config(Architecture.PASSIVE_PARALLEL), passive_parallel),
    (config(Architecture.ACTIVE_SERIES), active_series),
    (config(SERIES), series_hall),
    (config(SERIES, returns=Returns.FLOATING), series_hall_floating),
    (config(SERIES, isolation=Isolation.IDEAL), series_hall_ideal),
    (config(Architecture.ROW_MULTIPLEXED), row_multiplexed),
]


@pytest.mark.parametrize(("circuit", "schematic"), ALL, ids=lambda one: getattr(one, "__name__", ""))
def test_branches_of_an_array(circuit: ArrayConfig, schematic: Schematic) -> None:
    """Two rows, three columns; of rows in turns, the second."""
    slot = 1 if circuit.architecture.in_turns else 0
    network = crossbar(STATES, circuit, MISMATCH, slot=slot)
    check(network, schematic())
    inputs = dict(zip(network.drive_source.tolist(), network.drive_input.tolist(), strict=True))
    by_name = {network.branch_names[source]: row for source, row in inputs.items()}
    rows = {name: int(name[-1]) for name in by_name}
    assert by_name == ({"Iin0": 1} if slot else rows)
    coefficients = {"Vinp": 0.5, "Vinn": -0.5}
    for source, coefficient in zip(
        network.drive_source.tolist(), network.drive_coefficient.tolist(), strict=True
    ):
        assert coefficient == coefficients.get(network.branch_names[source][:4], 1.0)
    assert network.n_inputs == ROWS


@pytest.mark.parametrize("circuit", [circuit for circuit, _ in ALL])
def test_outputs_and_probes_of_an_array(circuit: ArrayConfig) -> None:
    network = crossbar(STATES, circuit, MISMATCH)
    names = (*network.node_names, "0")
    architecture = circuit.architecture
    scale, plus, minus = 1.0, "op", "on"
    if architecture.output_unit == "A":
        scale, plus, minus = 1 / 7.0, "o", ""
    elif circuit.isolation is Isolation.IDEAL:
        plus, minus = "o", ""
    if circuit.returns is Returns.FLOATING:
        minus = ""
    assert network.output_scale.tolist() == [scale] * COLUMNS
    assert [names[k] for k in network.output_plus] == [f"{plus}{c}" for c in range(COLUMNS)]
    assert [names[k] for k in network.output_minus] == [
        f"{minus}{c}" if minus else "0" for c in range(COLUMNS)
    ]
    assert network.output_names == tuple(
        f"{'i' if architecture.output_unit == 'A' else 'u'}{c}" for c in range(COLUMNS)
    )
    table = branches(network)
    for r, c in CELLS:
        at = f"{r}_{c}"
        if not architecture.hall:
            assert list(network.probes) == ["channel"]
            assert (names[network.probes["channel"].plus[r, c]], names[network.probes["channel"].minus[r, c]]) == (
                f"w{at}", f"b{at}"
            )  # fmt: skip
            continue
        channel, arms = network.probes["channel"], network.probes["arms"]
        assert (names[channel.plus[r, c]], names[channel.minus[r, c]]) == table[f"Gx{at}"][0][:2]
        assert (names[arms.plus[r, c]], names[arms.minus[r, c]]) == (f"hp{at}", f"hn{at}")


@pytest.mark.parametrize("columns", [1, 2, 4, 5])
def test_the_middle_of_a_balanced_row(columns: int) -> None:
    """Ground lies before the cell at half of the columns, rounded down."""
    network = crossbar(np.full((1, columns), 0.4), config(Architecture.ACTIVE_SERIES))
    grounded = [c for c in range(columns) if network.probes["channel"].plus[0, c] == GROUND]
    assert grounded == [columns // 2]


def test_no_capacitors_and_no_common_mode_where_there_is_none() -> None:
    bare = crossbar(
        STATES,
        config(Architecture.ACTIVE_PARALLEL, c_row=0.0, c_column=0.0, c_arm=0.0, cmrr_db=np.inf),
    )
    assert not [name for name in bare.branch_names if name.startswith(("C", "Gc"))]


# --- what an array is made of ---


def test_defaults_of_an_array() -> None:
    usual = ArrayConfig(architecture=Architecture.RESISTIVE)
    assert {name: getattr(usual, name) for name in ArrayConfig.__dataclass_fields__} == {
        "architecture": "resistive", "r_row": 0.01, "r_column": 0.01, "r_output": 0.1, "r_input": 1.0,
        "r_channel": 500.0, "r_arm": 250.0, "r_off": 0.4666, "gm": 1e-3, "cmrr_db": 60.0, "r_load": 1e9,
        "r_switch_on": 1e3, "r_switch_off": 1e10, "isolation": "none", "returns": "grounded",
        "c_row": 0.0, "c_column": 0.0, "c_arm": 0.0,
    }  # fmt: skip
    named: Any = {"architecture": "series_hall", "isolation": "none", "returns": "floating"}
    told = ArrayConfig(**named)
    assert (told.architecture, told.isolation, told.returns) == (SERIES, Isolation.NONE, Returns.FLOATING)
    assert isinstance(told.returns, Returns)


POSITIVE = ["r_input", "r_channel", "r_arm", "r_load", "r_switch_on", "r_switch_off", "gm"]


@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [
        *((name, [0.0, 1e-6, 1e6], [9e-7, -1e-6, -1.0, np.inf, np.nan]) for name in ("r_row", "r_column", "r_output")),
        *((name, [1.0, 1e12], [0.0, -1.0, np.inf, np.nan]) for name in POSITIVE),
        *((name, [0.0, 1e-20], [-1e-20, np.inf, np.nan]) for name in ("c_row", "c_column", "c_arm")),
        ("cmrr_db", [0.0, 300.0, np.inf], [-0.1, np.nan]),
        # sqrt(2 * 250 ohm * 500 ohm)
        ("r_off", [0.0, 499.9, -499.9], [500.0, -500.0, 1e4, np.nan]),
    ],
)  # fmt: skip
def test_ranges_of_an_array(name: str, allowed: list[float], refused: list[float]) -> None:
    for value in allowed:
        changed: Any = {name: value} | ({"r_off": 0.0} if name != "r_off" else {})
        assert getattr(ArrayConfig(architecture=SERIES, **changed), name) == value
    for value in refused:
        wrong: Any = {name: value}
        with pytest.raises(ValueError, match=rf"{name} = {value}.*, allowed: "):
            ArrayConfig(architecture=SERIES, **wrong)


def test_a_cell_is_passive_up_to_the_mean_of_channel_and_arms() -> None:
    for r_off, right in ((399.9, True), (-399.9, True), (400.1, False), (-400.1, False)):
        if right:
            ArrayConfig(architecture=SERIES, r_channel=800.0, r_arm=100.0, r_off=r_off)
        else:
            with pytest.raises(ValueError, match="magnitude below 400 Ohm"):
                ArrayConfig(architecture=SERIES, r_channel=800.0, r_arm=100.0, r_off=r_off)


@pytest.mark.parametrize(
    ("offset", "right"), [(399.9, True), (-399.9, True), (400.1, False), (-400.1, False)]
)
def test_one_cell_that_is_not_passive_is_refused(offset: float, right: bool) -> None:
    """Also where R_xy alone would make up for it: the determinant holds R_H^2."""
    circuit = config(Architecture.ACTIVE_PARALLEL, r_channel=800.0, r_arm=100.0, r_off=0.0)
    mismatch = no_mismatch(STATES.shape)
    mismatch.r_off[1, 2] = offset
    if right:
        crossbar(STATES, circuit, mismatch)
    else:
        with pytest.raises(
            ValueError, match=r"R_off of a cell reaches 400\.1 Ohm, allowed: magnitude below 400 Ohm"
        ):
            crossbar(STATES, circuit, mismatch)


def test_mismatch_is_drawn_in_a_fixed_order() -> None:
    drawn = draw_mismatch((2, 3), np.random.default_rng(4), relative=0.1, r_off=0.7, random_rejection=True)
    random = np.random.default_rng(4)
    normal = random.standard_normal((4, 2, 3))
    np.testing.assert_array_equal(drawn.channel, 0.1 * normal[0])
    np.testing.assert_array_equal(drawn.arm_plus, 0.1 * normal[1])
    np.testing.assert_array_equal(drawn.arm_minus, 0.1 * normal[2])
    np.testing.assert_array_equal(drawn.r_off, 0.7 * normal[3])
    np.testing.assert_array_equal(drawn.common_mode, random.choice([-1.0, 1.0], (2, 3)))
    assert set(drawn.common_mode.ravel()) == {-1.0, 1.0}
    none = no_mismatch((2, 3))
    usual = draw_mismatch((2, 3), np.random.default_rng(4))
    for name in ("channel", "arm_plus", "arm_minus", "r_off"):
        assert getattr(none, name).tolist() == np.zeros((2, 3)).tolist()
        assert (getattr(usual, name) == 0).all()
    assert (usual.common_mode == 1).all()
    assert none.common_mode.tolist() == np.ones((2, 3)).tolist()


@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [
        ("relative", [0.0, 0.199], [-0.01, 0.2, 0.3, np.nan]),
        ("r_off", [0.0, 1e3], [-0.1, np.inf, np.nan]),
    ],
)
def test_ranges_of_mismatch(name: str, allowed: list[float], refused: list[float]) -> None:
    for value in allowed:
        given: Any = {name: value}
        draw_mismatch((1, 2), np.random.default_rng(0), **given)
    for value in refused:
        wrong: Any = {name: value}
        with pytest.raises(ValueError, match=f"{name} = {value}"):
            draw_mismatch((1, 2), np.random.default_rng(0), **wrong)


def test_amplifiers_slots_and_ideal_outputs_by_hand() -> None:
    found = {a.value: (amplifiers(config(a), (2, 3)), slots(config(a), 2)) for a in Architecture}
    assert found == {
        "resistive": (0, 1), "active_parallel": (6, 1), "passive_parallel": (3, 1), "active_series": (6, 1),
        "series_hall": (3, 1), "row_multiplexed": (3, 2),
    }  # fmt: skip
    ideal = {a.value: ideal_transfer(STATES, config(a)) for a in Architecture}
    for name, expected in {
        "resistive": 1 / STATES, "active_parallel": 2e-3 / 600 * STATES, "passive_parallel": STATES / 1200,
        "active_series": 2e-3 * STATES, "series_hall": STATES, "row_multiplexed": STATES,
    }.items():  # fmt: skip
        np.testing.assert_allclose(ideal[name], expected.T, rtol=1e-12)


@pytest.mark.parametrize(
    ("architecture", "slot", "right"),
    [
        (Architecture.ROW_MULTIPLEXED, -1, False),
        (Architecture.ROW_MULTIPLEXED, 0, True),
        (Architecture.ROW_MULTIPLEXED, 1, True),
        (Architecture.ROW_MULTIPLEXED, 2, False),
        (Architecture.RESISTIVE, 0, True),
        (Architecture.RESISTIVE, 1, False),
        (Architecture.RESISTIVE, -1, False),
    ],
)
def test_time_slots_of_two_rows(architecture: Architecture, slot: int, right: bool) -> None:
    if right:
        assert crossbar(STATES, config(architecture), slot=slot).n_inputs == 2
    else:
        with pytest.raises(ValueError, match=f"slot = {slot}, allowed: 0 <= value < "):
            crossbar(STATES, config(architecture), slot=slot)


def test_hall_resistances_of_any_sign_make_a_network() -> None:
    network = network_of(-STATES, config(Architecture.ACTIVE_PARALLEL), None, 0)
    assert branches(network)["Gh0_0"][1] > 0
    assert branches(crossbar(STATES, config(Architecture.ACTIVE_PARALLEL)))["Gh0_0"][1] < 0
