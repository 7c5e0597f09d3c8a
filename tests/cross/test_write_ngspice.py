"""Writing in ngspice against the compact model: states, currents, energies, decisions."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from circuits.arrays.architecture import Architecture
from circuits.spice import engine
from circuits.write.deck import Timing, switching_devices
from circuits.write.plant import ModelPlant
from circuits.write.scheme import BiasScheme, Order, WriteConfig
from circuits.write.select_mosfet import load_select_mosfet
from circuits.write.solver import WriteSolver
from circuits.write.spice_plant import SpicePlant
from circuits.write.write_verify import PulseLadder, Step, WriteRecipe, program, pulse_curve
from compact_model import synapse
from compact_model.cards.device import load_card
from veriloga.dialects import DeviceForm
from veriloga.model import CellModel, cell_model
from veriloga.programs import COMPILER, compiled, find_program
from veriloga.verilog_a import verilog_a_text

pytestmark = [
    pytest.mark.ngspice,
    pytest.mark.skipif(engine.find_simulator().library is None, reason="no shared library of ngspice"),
]

T_PULSE = 200e-6
DAY = date(2026, 1, 1)
CARD = load_card()
MODEL = cell_model(CARD)
LADDER = PulseLadder(levels=synapse.levels(CARD), currents=synapse.ladder_currents(CARD))
CROSSED = WriteConfig(architecture=Architecture.RESISTIVE)


class Engine:
    """Makes plants of one form of the device."""

    def __init__(self, model: CellModel, module: Path | None) -> None:
        self.model, self.module = model, module

    def spice(self, solver: WriteSolver) -> SpicePlant:
        device = self.model.device
        form = DeviceForm.OSDI if self.module else DeviceForm.SUBCKT
        return SpicePlant(
            solver=solver,
            weight=device.bank.weight,
            r_reset=device.r_reset,
            delta_r=device.law.delta_r,
            timing=Timing(t_pulse=T_PULSE, t_read=10e-6),
            devices=switching_devices(self.model, form, 300.0, DAY),
            module=self.module,
        )

    def python(self, solver: WriteSolver) -> ModelPlant:
        return ModelPlant(solver=solver, device=self.model.device, t_pulse=T_PULSE)


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not engine.find_simulator().osdi:
        pytest.skip("this ngspice does not load compiled modules")
    if find_program(COMPILER) is None:
        pytest.skip("no program openvaf-r")
    folder = tmp_path_factory.mktemp("osdi")
    source = folder / "sot_hallbar.va"
    source.write_text(verilog_a_text(MODEL, DAY), encoding="utf-8")
    return compiled(source, folder / "sot_hallbar.osdi")


@pytest.fixture(scope="module")
def osdi(module: Path) -> Engine:
    return Engine(MODEL, module)


@pytest.fixture(scope="module")
def behavioural() -> Engine:
    return Engine(MODEL, None)


@pytest.mark.parametrize("form", ["osdi", "behavioural"])
def test_each_ladder_pulse_moves_one_cell_as_the_model_says(
    form: str, request: pytest.FixtureRequest
) -> None:
    engine: Engine = request.getfixturevalue(form)
    solver = WriteSolver(1, 1, CROSSED)
    written = np.ones((1, 1), dtype=bool)
    for current in LADDER.currents.tolist():
        spice, python = engine.spice(solver), engine.python(solver)
        volts = spice.volts(np.full((1, 1), current), written)
        found, expected = spice.pulse(volts, written), python.pulse(volts, written)
        assert (
            abs(spice.fraction()[0, 0] - (python.s @ MODEL.device.bank.weight)[0]) < 1e-3
        )  # 0.5 % are allowed
        assert spice.read() == pytest.approx(python.read(), abs=3e-4)
        assert found.current == pytest.approx(expected.current, rel=1e-9)
        total, wanted = (sum(v.sum() for v in one.energy.values()) for one in (found, expected))
        assert total == pytest.approx(wanted, rel=1e-4)  # edges of 10 ns: 1.6e-5


@pytest.mark.parametrize(
    "config",
    [
        CROSSED,
        replace(CROSSED, order=Order.ROW),
        WriteConfig(architecture=Architecture.ACTIVE_PARALLEL),
        WriteConfig(architecture=Architecture.ACTIVE_SERIES, scheme=BiasScheme.ROW_SERIAL),
    ],
    ids=lambda c: f"{c.architecture}-{c.order}",
)
def test_array_with_wires(config: WriteConfig, osdi: Engine) -> None:
    thin = replace(config, r_row=0.5, r_column=0.5, v_compliance=12.0)
    solver = WriteSolver(4, 4, thin)
    spice, python = osdi.spice(solver), osdi.python(solver)
    written = np.zeros((4, 4), dtype=bool)
    written[1, 2] = written[3, 0] = written[3, 3] = True
    volts = np.where(written, 8.5, 0.0)
    found, expected = spice.pulse(volts, written), python.pulse(volts, written)
    np.testing.assert_allclose(found.current, expected.current, rtol=1e-6, atol=0)
    np.testing.assert_allclose(spice.fraction().ravel(), python.s @ MODEL.device.bank.weight, atol=1e-3)
    for part in ("cells", "select", "drivers"):
        np.testing.assert_allclose(found.energy[part], expected.energy[part], rtol=1e-3, atol=1e-12)


@pytest.mark.parametrize("scheme", [BiasScheme.HALF_V, BiasScheme.THIRD_V])
def test_disturb_of_unselected_cells(scheme: BiasScheme, osdi: Engine) -> None:
    config = replace(CROSSED, scheme=scheme, r_output=1.0)
    solver = WriteSolver(4, 4, config)
    spice, python = osdi.spice(solver), osdi.python(solver)
    written = np.zeros((4, 4), dtype=bool)
    written[1, 2] = True
    for current in (13.2e-3, 15.4e-3):
        volts = spice.volts(np.where(written, current, 0.0), written)
        spice.pulse(volts, written)
        python.pulse(volts, written)
    expected = (python.s @ MODEL.device.bank.weight).reshape(4, 4)
    assert expected[1, 0] > (0.1 if scheme is BiasScheme.HALF_V else 0.01)  # there is something to compare
    np.testing.assert_allclose(spice.fraction(), expected, atol=1e-3)  # 1 % of the window is asked for


def test_closed_loop_takes_the_same_decisions(osdi: Engine) -> None:
    solver = WriteSolver(4, 4, replace(CROSSED, order=Order.ROW))
    target = np.random.default_rng(3).choice(LADDER.levels, (4, 4))
    recipe = WriteRecipe(step_law=Step.CONSTANT, i_step=0.12e-3)
    curve = pulse_curve(MODEL.device, T_PULSE)
    spice = osdi.spice(solver)
    found, expected = (
        program(plant, target, recipe, curve, LADDER, 10.0, np.random.default_rng(0))
        for plant in (spice, osdi.python(solver))
    )
    assert found.written.all()
    assert len(found.rounds) == len(expected.rounds)
    for one, other in zip(found.rounds, expected.rounds, strict=True):
        np.testing.assert_array_equal(one, other)
    assert np.abs(found.error).max() <= recipe.tolerance + 1e-9
    assert found.total_energy == pytest.approx(expected.total_energy, rel=1e-2)
    assert spice.source_energy == pytest.approx(found.total_energy, rel=1e-9)


@pytest.mark.parametrize("form", ["osdi", "behavioural"])
def test_chained_transients_equal_one_deck(form: str, request: pytest.FixtureRequest) -> None:
    engine: Engine = request.getfixturevalue(form)
    solver = WriteSolver(1, 2, CROSSED)
    chained, whole = engine.spice(solver), engine.spice(solver)
    written = np.array([[True, False]])
    currents = np.array([11e-3, 12.1e-3, -9e-3, 13.2e-3])
    inputs = np.stack([solver.cell_inputs(0, 0, i / solver.conductance[0, 0]) for i in currents])
    reads = np.broadcast_to(solver.cell_inputs(0, 0, 1e-3 / solver.conductance[0, 0]), inputs.shape)
    for one, read in zip(inputs, reads, strict=True):
        last = chained.run(written, one[None], read[None])
    once = whole.run(written, inputs, reads)
    np.testing.assert_allclose(chained.fraction(), whole.fraction(), atol=1e-3)
    assert chained.source_energy == pytest.approx(whole.source_energy, rel=1e-5)
    assert last.resistance[0, 0] == pytest.approx(once.resistance[0, 0], abs=3e-4)


def test_subcircuit_with_few_grains_closes_the_loop() -> None:
    draft = Engine(cell_model(CARD, grains=12, largest_error=0.1), None)
    solver = WriteSolver(2, 2, replace(CROSSED, order=Order.ROW))
    target = np.array([[0.46, 0.33], [0.54, 0.49]])
    curve = pulse_curve(draft.model.device, T_PULSE)
    recipe = WriteRecipe(step_law=Step.CONSTANT, i_step=0.12e-3)
    found, expected = (
        program(plant, target, recipe, curve, LADDER, 10.0, np.random.default_rng(0))
        for plant in (draft.spice(solver), draft.python(solver))
    )
    assert found.written.all()
    for one, other in zip(found.rounds, expected.rounds, strict=True):
        np.testing.assert_array_equal(one, other)


def test_select_transistors_carry_the_pulses(osdi: Engine) -> None:
    """Both signs pass, unselected cells stay, and write-verify makes up for the transistor's resistance."""
    solver = WriteSolver(2, 2, replace(CROSSED, r_row=0.5, r_column=0.5))
    written = np.array([[False, True], [False, False]])
    plants = osdi.spice(solver), osdi.spice(solver)
    plants[1].select = load_select_mosfet()
    for current in (13.2e-3, -15.4e-3):
        ideal, real = (
            plant.pulse(plant.volts(np.where(written, current, 0.0), written), written) for plant in plants
        )
        # the transistor's 3 to 15 Ohm stand where the switch has 20, in a loop of 572
        np.testing.assert_allclose(real.current[written], ideal.current[written], rtol=0.05)
    assert np.abs(plants[1].s[~written.ravel()]).max() < 1e-9
    target = np.array([[0.46, 0.54], [0.33, 0.49]])
    plant = osdi.spice(solver)
    plant.select = load_select_mosfet()
    curve = pulse_curve(MODEL.device, T_PULSE)
    found = program(plant, target, WriteRecipe(), curve, LADDER, 10.0, np.random.default_rng(0))
    assert found.written.all()
    assert found.energy["select"] > 0
