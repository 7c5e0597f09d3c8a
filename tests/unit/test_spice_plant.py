"""A plant of transients, with ngspice replaced by the linear network and by devices whose answers are made up."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from circuits.arrays.architecture import Architecture
from circuits.network import Network
from circuits.solve.nodal import factor
from circuits.spice.devices import Devices
from circuits.spice.engine import Simulator
from circuits.write import spice_plant
from circuits.write.circuit import PARTS
from circuits.write.deck import Timing
from circuits.write.scheme import BiasScheme, Order, WriteConfig
from circuits.write.select_mosfet import load_select_mosfet
from circuits.write.solver import WriteSolver
from circuits.write.spice_plant import SpicePlant
from veriloga.dialects import DeviceForm

SHAPE = ROWS, COLUMNS = 2, 3
US = 1e-6
TIMING = Timing(t_pulse=100 * US, t_edge=1 * US, t_settle=4 * US, t_read=10 * US)
# Corners of a pulse with its read, and how much of the pulse and of the read is applied there.
CORNERS = np.array([0, 1, 100, 101, 103, 105, 106, 115, 116]) * US
PULSE = np.array([0, 1, 1, 0, 0, 0, 0, 0, 0.0])
READ = np.array([0, 0, 0, 0, 0, 0, 1, 1, 0.0])
LENGTH, READ_AT = 116 * US, 114 * US  # a tenth of the read before its end
WEIGHT = np.array([0.5, 0.25, 0.25])

CROSSED = WriteConfig(architecture=Architecture.RESISTIVE, r_row=0.3, r_column=0.2)
CONFIGS = [
    CROSSED,
    replace(CROSSED, order=Order.ROW),
    replace(CROSSED, scheme=BiasScheme.HALF_V),
    WriteConfig(architecture=Architecture.ACTIVE_PARALLEL, r_row=0.3),
    WriteConfig(architecture=Architecture.ACTIVE_SERIES, r_row=0.3, scheme=BiasScheme.ROW_SERIAL),
]


def named(config: WriteConfig) -> str:
    return f"{config.architecture}-{config.scheme}-{config.order}"


@dataclass
class Bench:
    """Answers in place of ngspice: what the deck was made of, and waveforms of the linear network.

    Cell k has a Hall resistance of 0.4 + 0.01 k Ohm at first, which grows by 1 mOhm in a microsecond; its grain g,
    from 1, moves evenly by 0.01 k + 0.001 g in a transient.
    """

    given: list[dict[str, Any]] = field(default_factory=list)
    modules: list[Any] = field(default_factory=list)

    def write_deck(
        self, network: Network, states: Any, pulses: Any, reads: Any, *rest: Any, **more: Any
    ) -> str:
        self.given.append({"network": network, "states": states, "pulses": pulses, "reads": reads, **more})
        return str(WRITE_DECK(network, states, pulses, reads, *rest, **more))

    def transient(self, deck: str, vectors: list[str], *, module: Any) -> dict[str, Any]:
        assert deck.endswith(".end\n")
        self.modules.append(module)
        network, pulses, reads = (self.given[-1][key] for key in ("network", "pulses", "reads"))
        time = np.concatenate([number * LENGTH + CORNERS for number in range(len(pulses))])
        inputs = np.concatenate(
            [np.outer(PULSE, p) + np.outer(READ, r) for p, r in zip(pulses, reads, strict=True)]
        )
        solution = factor(network).solve(inputs)
        found = dict(zip(network.node_names, solution.node_voltages.T, strict=True))
        through = network.probed("channel", solution.node_voltages) / 500.0
        for k, (row, column) in enumerate(np.ndindex(SHAPE)):
            hall = (0.4 + 0.01 * k + 1e3 * time) * through[:, row, column]
            found |= {f"hp{row}_{column}": 0.75 * hall, f"hn{row}_{column}": -0.25 * hall}
            for grain in (1, 2, 3):
                found[f"x{row}_{column}.d{grain}"] = (0.01 * k + 0.001 * grain) * time / time[-1]
        sources = [name for name in network.branch_names if name.startswith("V")]
        for number, name in enumerate(sources):  # the first outputs are the currents out of the drivers
            found[f"{name.lower()}#branch"] = -solution.outputs[:, number]
        assert len(set(vectors)) == len(vectors)
        return {"time": time, **{name: found[name].copy() for name in vectors}}


WRITE_DECK = spice_plant.write_deck


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench()
    monkeypatch.setattr(spice_plant, "write_deck", made.write_deck)
    monkeypatch.setattr(spice_plant.ngspice, "transient", made.transient)
    simulator = Simulator("lib", None, 46, klu=True, osdi=True)
    monkeypatch.setattr(spice_plant.engine, "find_simulator", lambda: simulator)
    return made


def plant(config: WriteConfig, **changes: Any) -> SpicePlant:
    devices = Devices(form=DeviceForm.SUBCKT, text=".subckt sot_hallbar ip in hp hn\n.ends sot_hallbar")
    given = {"timing": TIMING, "devices": devices, "module": Path("m.osdi"), **changes}
    return SpicePlant(solver=WriteSolver(*SHAPE, config), weight=WEIGHT, r_reset=0.33, delta_r=0.25, **given)


def moved(times: int = 1) -> np.ndarray:
    """States of the cells after some transients."""
    return times * np.array([[0.01 * k + 0.001 * grain for grain in (1, 2, 3)] for k in range(6)])


@pytest.mark.usefixtures("bench")
@pytest.mark.parametrize("config", CONFIGS, ids=named)
def test_a_transient_of_two_pulses(config: WriteConfig) -> None:
    """Between corners the power of an edge is half of the full one, so that a pulse counts its width at half height."""
    one = plant(config)
    selected = np.zeros(SHAPE, dtype=bool)
    selected[1, [0, 2] if config.order is Order.ROW else [2]] = True
    volts = np.array([[7.0, 5.0, 6.0], [9.0, 8.0, 8.5]])
    pulses = np.stack([config.voltages(SHAPE, 1, v, selected[1]) for v in volts])
    reads = pulses / 8
    phase = one.run(selected, pulses, reads)
    expected = one.solver.full_pulses(pulses, selected)
    np.testing.assert_allclose(phase.current, expected.current[1], rtol=1e-9, atol=1e-15)
    assert phase.source_energy == pytest.approx(expected.source_power.sum() * 100 * US, rel=1e-9)
    for part in PARTS:
        assert phase.energy[part] == pytest.approx(expected.power[part].sum() * 100 * US, rel=1e-8, abs=1e-13)
    np.testing.assert_allclose(phase.states, moved(), rtol=1e-12)
    ohm = 0.4 + 0.01 * np.arange(6).reshape(SHAPE) + 1e3 * (LENGTH + READ_AT)
    read = one.solver.full_pulses(reads, selected).current[1]
    np.testing.assert_allclose(phase.resistance, np.where(np.abs(read) > 1e-6, ohm, np.nan), rtol=1e-9)
    assert np.isfinite(phase.resistance[selected]).all()
    assert (one.phases, one.source_energy) == (1, phase.source_energy)
    np.testing.assert_array_equal(one.s, phase.states)


@pytest.mark.parametrize("order", list(Order))
def test_pulses_of_cells_and_of_rows(order: Order, bench: Bench) -> None:
    config = replace(CROSSED, order=order, v_compliance=8.0)
    decks: dict[int, str] = {}
    one = plant(config, keep=decks.__setitem__)
    written = np.array([[False, True, False], [True, False, True]])
    volts = np.array([[9.0, 7.0, 9.0], [6.0, 9.0, 8.5]])
    found = one.pulse(volts, written)
    applied = np.where(written, [[0.0, 7.0, 0.0], [6.0, 0.0, 8.0]], 0.0)
    assert found.limited.tolist() == [[False, False, False], [False, False, True]]
    cells = [(0, [1]), (1, [0]), (1, [2])] if order is Order.CELL else [(0, [1]), (1, [0, 2])]
    assert len(bench.given) == len(decks) == one.phases == len(cells)
    assert found.time == pytest.approx(len(cells) * 100 * US)
    energy = {part: np.zeros(ROWS) for part in PARTS}
    total = 0.0
    for number, (row, columns) in enumerate(cells):
        selected = np.zeros(SHAPE, dtype=bool)
        selected[row, columns] = True
        given = bench.given[number]
        np.testing.assert_allclose(given["states"], moved(number), rtol=1e-12)
        assert given["title"] == f"write transient {number + 1}"
        assert given["options"] == ("klu",)
        assert f"write transient {number + 1}" in decks[number + 1]
        expected = one.solver.full_pulses(given["pulses"], selected)
        inputs = config.voltages(SHAPE, row, applied[row], selected[row])
        np.testing.assert_allclose(given["pulses"], inputs[None], rtol=1e-12)
        np.testing.assert_allclose(found.current[selected], expected.current[0][selected], rtol=1e-9)
        # reads of 1 mA through the written cells
        read = one.solver.full_pulses(given["reads"], selected).current[0]
        np.testing.assert_allclose(read[selected], 1e-3, rtol=1e-6)
        total += expected.source_power[0] * 100 * US
        for part in PARTS:
            energy[part][row] += expected.power[part][0] * 100 * US
    assert (found.current[~written] == 0.0).all()
    for part in PARTS:
        np.testing.assert_allclose(found.energy[part], energy[part], rtol=1e-7, atol=1e-13)
    assert one.source_energy == pytest.approx(total, rel=1e-9)
    ohm = 0.4 + 0.01 * np.arange(6).reshape(SHAPE) + 1e3 * READ_AT
    np.testing.assert_allclose(one.read(), np.where(written, ohm, 0.33), rtol=1e-9)
    np.testing.assert_allclose(one.fraction(), (moved(len(cells)) @ WEIGHT).reshape(SHAPE), rtol=1e-12)
    assert bench.modules == [Path("m.osdi")] * len(cells)
    one.saturate()
    assert one.s.shape == (6, 3)
    assert not one.s.any()
    np.testing.assert_array_equal(one.read(), np.full(SHAPE, 0.33))


@pytest.mark.usefixtures("bench")
def test_cells_that_every_pulse_reaches_are_read_as_their_grains_stand() -> None:
    one = plant(replace(CROSSED, scheme=BiasScheme.THIRD_V))
    written = np.array([[True, False, False], [False, True, False]])
    one.pulse(np.full(SHAPE, 6.0), written)
    fraction = (2 * np.array([0.01 * k + 0.5e-3 + 0.5e-3 + 0.75e-3 for k in range(6)])).reshape(SHAPE)
    np.testing.assert_allclose(one.read(), 0.33 + 0.25 * fraction, rtol=1e-12)


@pytest.mark.usefixtures("bench")
def test_a_read_of_a_microampere_is_none() -> None:
    """Cells that are not selected carry some 0.57 V over the resistance of an open switch."""
    config = replace(CROSSED, r_select_off=0.57 / 1.5e-6 - 500)
    selected = np.array([[True, False, False], [False, False, False]])
    inputs = config.voltages(SHAPE, 0, np.full(3, 0.571), selected[0])[None]
    found = plant(config).run(selected, inputs, inputs)
    assert np.isfinite(found.resistance[0]).all()  # 1.5 uA
    assert np.isnan(found.resistance[1]).all()  # a row without a drive


def test_a_transistor_takes_the_place_of_the_switches(bench: Bench) -> None:
    select = load_select_mosfet()
    one = plant(CROSSED, select=select)
    written = np.array([[False, True, False], [False, False, False]])
    one.pulse(np.full(SHAPE, 6.0), written)
    network = bench.given[0]["network"]
    assert bench.given[0]["switches"] == tuple(select.lines(network, written))
    with pytest.raises(ValueError, match="a select transistor in half_v, allowed: one_transistor"):
        plant(replace(CROSSED, scheme=BiasScheme.HALF_V), select=select)


def test_vectors_that_are_saved(bench: Bench) -> None:
    one = plant(CROSSED)
    one.pulse(np.full(SHAPE, 6.0), np.array([[False, True, False], [False, False, False]]))
    saved = bench.given[0]["saved"]
    for row, column in np.ndindex(SHAPE):
        for name in ("w", "m", "b", "hp", "hn"):
            assert saved.count(f"v({name}{row}_{column})") == 1
        assert [f"v(x{row}_{column}.d{grain})" in saved for grain in (0, 1, 2, 3, 4)] == [0, 1, 1, 1, 0]
    assert {"vr0#branch", "vr1#branch", "vc0#branch", "vc1#branch", "vc2#branch", "v(sr1)", "v(sc2)"} <= set(
        saved
    )


@pytest.mark.parametrize("t_read", [0.0, -1e-6])
def test_a_plant_is_read(t_read: float) -> None:
    with pytest.raises(ValueError, match=r"t_read = .* allowed: above 0 s"):
        plant(CROSSED, timing=replace(TIMING, t_read=t_read))


def test_times_of_a_transient() -> None:
    """Edges of 10 ns, 1 us to settle, and no read unless something else is asked for."""
    plain = Timing(t_pulse=5 * US)
    assert (plain.t_edge, plain.t_settle, plain.t_read) == (1e-8, 1e-6, 0.0)
    assert plain.length == pytest.approx(6.01 * US, rel=1e-12, abs=0)
    assert plain.energy_end == pytest.approx(5.51 * US, rel=1e-12, abs=0)
    assert (TIMING.pulse_end, TIMING.energy_end) == pytest.approx((101 * US, 103 * US), rel=1e-12, abs=0)
    assert (TIMING.length, TIMING.read_at) == pytest.approx((LENGTH, READ_AT), rel=1e-12, abs=0)
    corners = np.array(TIMING.corners(1e-3, 3.0, 2.0))
    np.testing.assert_allclose(corners[:, 0] - 1e-3, np.delete(CORNERS, 4), rtol=1e-9, atol=1e-18)
    np.testing.assert_array_equal(corners[:, 1], np.delete(3 * PULSE + 2 * READ, 4))
    np.testing.assert_allclose(plain.corners(0.0, 3.0, 2.0)[-1], (6.01 * US, 0.0), rtol=1e-12)
