"""What runs in ngspice are expected to take, and when they are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar
from circuits.network import Network
from circuits.spice import size
from circuits.spice.size import LONGEST, TooLargeError, check_size

SERIES = ArrayConfig(architecture="active_series", r_row=0.5, r_column=0.5, r_output=10.0)
RESISTIVE = ArrayConfig(architecture="resistive", r_row=0.5, r_column=0.5, r_output=10.0)
LOAD = size._Load(
    rows=20,
    columns=40,
    batch=4,
    runs=3,
    klu=True,
    every_node=False,
    nodes=2000.0,
    parts=np.array([8400.0, 2 * 8400.0]),
    wires=1000.0,
    sources=50.0,
)


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        # wires 2.6e-8 * 1e6; nodes 2000 * (25 + 4 * 3) us; parts (0.3 + 4 * 0.25) * (1 + 2^1.5)
        ({}, 3 * (0.026 + 0.074 + 1.3 * 3.8284271247)),
        ({"runs": 1, "batch": 1}, 0.026 + 0.056 + 0.55 * 3.8284271247),
        ({"runs": 1, "every_node": True}, 0.026 + 0.074 + 1.3 * 3.8284271247 + 0.24),
        # 2000 * (70 + 4 * 22) us; parts twice as large, (9.4 + 4 * 2.3) * (2^2.5 + 4^2.5)
        ({"klu": False}, 3 * (0.026 + 0.316 + 18.6 * (5.6568542495 + 32))),
        ({"klu": False, "wires": 0.0, "runs": 1}, 0.316 + 18.6 * (1 + 5.6568542495)),
    ],
)
def test_time_worked_out_by_hand(changes: dict[str, object], seconds: float) -> None:
    """Costs per node and wire, and of each coupled part, 1 at 8400 nodes: they grow with the power 1.5, or 2.5."""
    assert replace(LOAD, **changes).seconds == pytest.approx(seconds, rel=1e-9)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "megabytes"),
    [
        # 3.7 kB a node, or 5 kB; 300 B for each of 50 sources and 40 columns and each of 4 vectors
        ({}, 7.4 + 0.108),
        ({"klu": False}, 10.0 + 0.108),
        ({"batch": 1}, 7.4 + 0.027),
        ({"every_node": True}, 7.4 + 0.108 + 8.0),  # 3 kB + 4 * 250 B a node
    ],
)
def test_memory_worked_out_by_hand(changes: dict[str, object], megabytes: float) -> None:
    assert replace(LOAD, **changes).memory == pytest.approx(megabytes * 1e6, rel=1e-12)  # type: ignore[arg-type]


def test_a_smaller_array_has_fewer_of_all() -> None:
    half = LOAD.resized(0.5)
    cells = 11 * 21 / (21 * 41)
    assert (half.rows, half.columns, half.runs, half.batch) == (10, 20, 10, 4)
    assert half.nodes == pytest.approx(2000 * cells, rel=1e-12)
    assert half.wires == pytest.approx(1000 * cells, rel=1e-12)
    assert half.sources == pytest.approx(25.0, rel=1e-12)
    np.testing.assert_allclose(half.parts, [4200.0, 8400.0], rtol=1e-12)  # rows are half as long
    one = replace(LOAD, parts=np.array([2000.0]), runs=1).resized(0.5)
    np.testing.assert_allclose(one.parts, [2000 * cells], rtol=1e-12)  # all cells together
    assert one.runs == 1
    least = LOAD.resized(0.01)
    assert (least.rows, least.columns) == (1, 1)
    # rounded down, rows keep more of their number than columns: that is the growth of the parts
    uneven = replace(LOAD, rows=3, columns=40).resized(0.7)
    assert (uneven.rows, uneven.columns) == (2, 28)
    np.testing.assert_allclose(uneven.parts / LOAD.parts, 0.7, rtol=1e-12)


class Machine:
    """A machine of some memory, which remembers what is weighed there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.memory = 1e12
        self.loads: list[size._Load] = []
        made = size._Load

        def remembered(**given: object) -> size._Load:
            self.loads.append(made(**given))  # type: ignore[arg-type]
            return self.loads[-1]

        monkeypatch.setattr(size, "_Load", remembered)
        monkeypatch.setattr(size, "available_memory", lambda: self.memory)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def array(config: ArrayConfig = RESISTIVE, shape: tuple[int, int] = (6, 4)) -> Network:
    return crossbar(np.full(shape, 0.4 if config is SERIES else 1e4), config)


def test_what_a_network_is_made_of(machine: Machine) -> None:
    check_size(array(), 5, klu=False, limit_s=1e9, runs=7, every_node=True)
    plain = machine.loads[0]
    # 24 cells between 24 + 24 nodes of wires, 6 sources with their drivers, 4 column ends
    assert (plain.rows, plain.columns, plain.batch, plain.runs) == (6, 4, 5, 7)
    assert (plain.klu, plain.every_node, plain.wires, plain.sources) == (False, True, 0.0, 6)
    assert plain.nodes == array().n_nodes == plain.parts.sum()
    check_size(array(SERIES), 5, klu=True, limit_s=1e9)
    serial = machine.loads[1]
    wires = [name for name in array(SERIES).branch_names if name.startswith(("Rw", "Rb"))]
    assert serial.wires == len(wires) > 24
    assert (serial.klu, serial.every_node, serial.runs) == (True, False, 1)


def test_limits_are_met_exactly(machine: Machine) -> None:
    """What takes as long as is allowed, or all the memory that there is, is run."""
    network = array()
    check_size(network, 5, klu=True, limit_s=1e9, runs=7)
    load = machine.loads[0]
    check_size(network, 5, klu=True, limit_s=load.seconds, runs=7)
    machine.memory = load.memory
    check_size(network, 5, klu=True, limit_s=load.seconds, runs=7)
    with pytest.raises(TooLargeError, match="ngspice would take about"):
        check_size(network, 5, klu=True, limit_s=load.seconds * 0.999, runs=7)
    machine.memory = load.memory * 0.999
    with pytest.raises(TooLargeError, match="ngspice would need about"):
        check_size(network, 5, klu=True, limit_s=load.seconds, runs=7)
    assert LONGEST == 300.0


def refused(network: Network, batch: int, **given: object) -> str:
    with pytest.raises(TooLargeError) as caught:
        check_size(network, batch, **given)  # type: ignore[arg-type]
    return str(caught.value)


LONGER = "a longer limit (`read --longest`, `certificate.longest`)"
SOLVER = "an ngspice with the KLU solver (version 42 or later)"


@pytest.mark.parametrize(
    ("given", "words", "absent"),
    [
        (
            {"klu": True},
            ("take about", "for this 6 x 4 array and 5 input vectors", "fewer input vectors", LONGER),
            (SOLVER, "time slots", "memory"),
        ),
        ({"klu": False, "runs": 2}, ("for 2 time slots of this 6 x 4 array", LONGER, SOLVER), ("memory",)),
        (
            {"klu": False, "batch": 1, "memory": 1.0},
            ("take about", "and need about", "and 1 input vector\n", SOLVER, "another engine"),
            (LONGER, "fewer input vectors", "an array of"),
        ),
        (
            {"klu": False, "limit_s": 1e9, "memory": 1.0},
            ("need about", "fewer input vectors"),
            (LONGER, SOLVER, "take about"),
        ),
        (
            {"klu": True, "what": "a transient of"},
            ("for a transient of this 6 x 4 array", LONGER),
            ("input vector", "time slots"),
        ),
    ],
)
def test_a_refusal_says_what_to_do(
    machine: Machine, given: dict[str, object], words: tuple[str, ...], absent: tuple[str, ...]
) -> None:
    given = {"limit_s": 1e-9, **given}
    machine.memory = float(given.pop("memory", 1e12))  # type: ignore[arg-type]
    text = refused(array(), int(given.pop("batch", 5)), **given).replace(". ", ".\n") + "\n"  # type: ignore[call-overload]
    assert [word for word in words if word not in text] == [], text
    assert [word for word in absent if word in text] == [], text


def test_the_largest_array_that_fits_is_named(machine: Machine) -> None:
    """The sides shrink by 5 % a step until both limits are met."""
    network = array(shape=(40, 20))
    check_size(network, 5, klu=True, limit_s=1e9)
    load = machine.loads[0]
    for memory, limit in ((0.5 * load.memory, 1e9), (1e12, 0.5 * load.seconds)):
        machine.memory = memory
        text = refused(network, 5, klu=True, limit_s=limit)
        share = 1.0
        while load.resized(share).memory > memory or load.resized(share).seconds > limit:
            share *= 0.95
        assert f"an array of {int(40 * share)} x {int(20 * share)}" in text
        assert share < 1.0
