"""One array tried in one architecture: what its noise is made of, by hand."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.constants import Boltzmann

from circuits.arrays.architecture import Architecture, Isolation, Returns
from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar, ideal_transfer
from circuits.arrays.mismatch import draw_mismatch
from circuits.periphery import load_periphery
from circuits.read.calibration import calibrate
from circuits.read.noise import output_noise
from circuits.read.read_error import read_error
from circuits.read.settling import settling_estimate
from circuits.read.trial import Draw, Trial, _cell_voltages, _solved, draw, run_trial
from circuits.solve.nodal import Factored, factor
from hallspice.comparison.trials import all_trials
from hallspice.config.demand import Demand
from hallspice.config.load import load_setup

near = partial(pytest.approx, rel=1e-6, abs=0.0)  # the default tolerance of 1e-12 is more than these numbers

WARM = 4 * Boltzmann * 330.0
LOSSLESS = ArrayConfig(
    architecture=Architecture.ACTIVE_PARALLEL,
    r_row=0, r_column=0, r_output=0, r_input=1e-6, r_off=0, cmrr_db=np.inf, r_arm=400.0, gm=2e-3,
)  # fmt: skip
TRIAL = Trial(
    config=LOSSLESS,
    shape=(3, 2),
    lowest=0.33,
    highest=0.57,
    full=0.5,
    supply=1.8,
    draws=1,
    vectors=40,
    seed=1,
    mismatch=0.0,
    r_off_spread=0.0,
    random_rejection=False,
    flicker=0.0,
    temperature=330.0,
    t_read=1e-5,
    t_calibration=1.0,
    dac_bits=6,
    adc_bits=6,
)
CARD = load_periphery()  # gamma 2/3


def test_noise_of_a_column_of_amplified_cells() -> None:
    """Three rows, each with both arms (800 ohm) and the two transistors of its amplifier, in 50 kHz."""
    white = 3 * 2e-3**2 * (WARM * 800 + 2 * WARM * (2 / 3) / 2e-3)
    assert run_trial(TRIAL, CARD).noise == near(np.sqrt(white * 5e4), rel=1e-4)


def test_flicker_of_the_hall_resistances() -> None:
    """Of a much larger density than any white noise; ln(1 s / 20 us) = 10.819778."""
    loud = replace(TRIAL, flicker=1e-2)
    volts = 0.5 * draw(loud, 0).inputs
    expected = 1e-2 * 10.819778 * np.mean(np.sum((volts * 2e-3 / 500) ** 2, axis=1))
    assert run_trial(loud, CARD).noise == near(np.sqrt(expected), rel=1e-3)


def test_rows_in_turns_bring_switches_and_the_column_amplifier_in_every_slot() -> None:
    """Three reads, each with both arms (800 ohm), two switches (2 kohm) and one amplifier of two transistors."""
    config = replace(LOSSLESS, architecture=Architecture.ROW_MULTIPLEXED, r_off=1e-9)
    found = run_trial(replace(TRIAL, config=config, full=1e-4), CARD)
    white = 3 * (WARM * 2800 + 2 * WARM * (2 / 3) / 2e-3)
    assert found.noise == near(np.sqrt(white * 5e4), rel=1e-3)


def test_power_and_energy_of_rows_in_turns_are_means_over_their_slots() -> None:
    """Each of three rows is driven in its own slot only: 2 columns of 500 ohm, 0.1 mA full."""
    config = replace(LOSSLESS, architecture=Architecture.ROW_MULTIPLEXED, r_off=1e-9)
    trial = replace(TRIAL, config=config, full=1e-4)
    found = run_trial(trial, CARD)
    square = np.mean(draw(trial, 0).inputs ** 2, axis=0)
    row = 2 * 500 * 1e-4**2
    np.testing.assert_allclose(sum(found.power.values()), np.eye(3) * row / 3, rtol=1e-6, atol=1e-9 * row)
    assert found.energy.cells == near(row * square.sum() * (1e-5 + found.settling), rel=1e-6)
    assert found.energy.amplifiers == near(2 * 180e-6 * 3 * (1e-5 + found.settling), rel=1e-9)
    # three rows of one conversion of 6 bit; two columns converted in each of three slots; two additions a column
    assert found.energy.dac == near(3 * 6 * 0.39e-12)
    assert found.energy.adc == near(2 * 3 * 0.42e-12)
    assert found.energy.digital == near(2 * 2 * 0.1e-12)
    assert found.latency == near(3 * (1e-5 + found.settling + 2 * 10e-9))


def test_energy_of_amplified_cells_and_drivers_that_are_not_perfect() -> None:
    """Six channels of 500 ohm and six amplifiers for one read; the drivers deliver 80 % of what they take."""
    card = CARD.model_copy(
        update={
            "driver": CARD.driver.model_copy(
                update={"efficiency": CARD.driver.efficiency.model_copy(update={"value": 0.8})}
            )
        }
    )
    found = run_trial(TRIAL, card)
    volts = 0.5 * draw(TRIAL, 0).inputs
    array = 2 / 500 * np.mean(np.sum(volts**2, axis=1)) * (1e-5 + found.settling)
    assert found.energy.cells == near(array, rel=1e-5)
    assert found.energy.array == near(array / 0.8, rel=1e-5)
    assert found.energy.amplifiers == near(6 * 180e-6 * (1e-5 + found.settling), rel=1e-9)
    assert found.energy.digital == 0.0
    # two columns more, as many again
    assert found.reference == near(array / 0.8 + found.energy.amplifiers, rel=1e-5)


def test_noise_of_a_trial_is_that_of_the_card(tmp_path: Path) -> None:
    """Hooge: (500 ohm / 6)^2 * 3e-3 over 1.62e10 carriers; arms as in the configuration, ambient of the card."""
    path = tmp_path / "compare.yaml"
    path.write_text("array: {rows: 4, columns: 3, cell: {r_arm: 310}, amplifier: {gm: 3 mS}}\n")
    trial = all_trials(load_setup(path, demands=Demand.COMPARE))["active_parallel"]
    assert trial.flicker == near((500 / 6) ** 2 * 3e-3 / 1.62e10)
    assert (trial.config.r_arm, trial.config.gm, trial.temperature) == (310, 3e-3, 300)
    assert (trial.t_read, trial.t_calibration, trial.shape) == (1e-5, 1.0, (4, 3))


# --- every number of a trial, by another way ---

WIRED = ArrayConfig(
    architecture=Architecture.ACTIVE_PARALLEL, r_row=3.0, r_column=2.0, r_output=5.0, r_input=4.0, r_load=1e6,
    c_row=2e-14, c_column=3e-14, c_arm=1e-14,
)  # fmt: skip
FULL = {"V": 0.5, "A": 1e-3}


def wired(architecture: Architecture, **changes: Any) -> Trial:
    """Three rows, four columns, cells that scatter, three draws."""
    config = replace(WIRED, architecture=architecture)
    hall = architecture.hall
    return replace(
        TRIAL, config=config, shape=(3, 4), lowest=0.33 if hall else 1e5, highest=0.57 if hall else 1e4,
        full=FULL[architecture.input_unit], draws=3, mismatch=0.01, r_off_spread=0.02, random_rejection=True,
        flicker=1e-12, seed=9, **changes,
    )  # fmt: skip


def slots_of(trial: Trial, drawn: Draw) -> list[Factored]:
    count = trial.shape[0] if trial.config.architecture is Architecture.ROW_MULTIPLEXED else 1
    return [factor(crossbar(drawn.states, trial.config, drawn.mismatch, slot=k)) for k in range(count)]


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


@pytest.mark.parametrize("architecture", Architecture)
def test_draws_are_those_of_their_seeds_in_a_fixed_order(architecture: Architecture) -> None:
    trial = wired(architecture)
    found = draw(trial, 2)
    random = np.random.default_rng([9, 2])
    weights, inputs = random.uniform(size=(3, 4)), random.uniform(size=(40, 3))
    np.testing.assert_array_equal(found.inputs, inputs)
    if not architecture.hall:
        np.testing.assert_allclose(1 / found.states, 1e-5 + weights * 9e-5, rtol=1e-12)
        assert found.mismatch is None
        return
    np.testing.assert_allclose(found.states, 0.33 + 0.24 * weights, rtol=1e-12)
    spread = draw_mismatch((3, 4), random, relative=0.01, r_off=0.02, random_rejection=True)
    assert found.mismatch is not None
    for name in ("channel", "arm_plus", "arm_minus", "r_off", "common_mode"):
        np.testing.assert_array_equal(getattr(found.mismatch, name), getattr(spread, name))


@pytest.mark.parametrize("architecture", Architecture)
def test_errors_and_signal_of_each_draw(architecture: Architecture) -> None:
    trial = wired(architecture)
    found = run_trial(trial, CARD)
    middle = trial.lowest + 0.5 * (trial.highest - trial.lowest) if architecture.hall else 1 / 5.5e-5
    centre = ideal_transfer(np.full((3, 4), middle), trial.config)
    for number, error in enumerate(found.errors):
        drawn = draw(trial, number)
        transfer = np.sum([one.transfer() for one in slots_of(trial, drawn)], axis=0)
        ideal = ideal_transfer(drawn.states, trial.config)
        expected = read_error(transfer, ideal, centre, drawn.inputs)
        assert (error.raw, error.calibrated) == near((expected.raw, expected.calibrated))
    assert len(found.errors) == 3
    assert found.error.raw == sorted(error.raw for error in found.errors)[1]
    assert found.error.calibrated == sorted(error.calibrated for error in found.errors)[1]
    first = draw(trial, 0)
    signal = trial.usable * first.inputs @ (ideal_transfer(first.states, trial.config) - centre).T
    assert found.signal == near(rms(signal))
    assert found.signal_range == near(signal.max() - signal.min())


@pytest.mark.parametrize("architecture", Architecture)
def test_the_reference_is_the_mean_of_columns_at_both_ends_of_the_range(architecture: Architecture) -> None:
    trial = replace(wired(architecture), draws=1)
    states = draw(trial, 0).states.copy()
    states[:, 2], states[:, 3] = trial.lowest, trial.highest
    mismatch = draw(trial, 0).mismatch
    transfer = np.sum(
        [
            factor(crossbar(states, trial.config, mismatch, slot=k)).transfer()
            for k in range(len(slots_of(trial, draw(trial, 0))))
        ],
        axis=0,
    )
    ideal = ideal_transfer(states, trial.config)
    inputs = draw(trial, 0).inputs
    referred = [inputs @ (one[:2] - (one[2] + one[3]) / 2).T for one in (transfer, ideal)]
    found = run_trial(trial, CARD)
    assert found.referred is not None
    assert found.referred.raw == near(rms(referred[0] - referred[1]) / rms(referred[1]))


def test_a_reference_needs_three_columns() -> None:
    for columns, referred in ((2, False), (3, True)):
        found = run_trial(replace(TRIAL, shape=(2, columns)), CARD)
        assert (found.referred is not None) == referred
        assert found.reference == near(2 / columns * (found.energy.array + found.energy.amplifiers))


@pytest.mark.parametrize("architecture", Architecture)
def test_noise_time_and_power_of_a_wired_array(architecture: Architecture) -> None:
    trial = wired(architecture)
    found = run_trial(trial, CARD)
    drawn = draw(trial, 0)
    parts = slots_of(trial, drawn)
    transfer = np.sum([one.transfer() for one in parts], axis=0)
    ideal = ideal_transfer(drawn.states, trial.config)
    inputs = trial.usable * drawn.inputs
    white = np.zeros(4)
    for one in parts:
        white += output_noise(one, np.zeros((1, 3)), temperature=330.0, gamma=2 / 3).white()
        if architecture.output_unit == "V":
            white += 2 * WARM * (2 / 3) / 1e-3
    per_ohm = {
        Architecture.ACTIVE_PARALLEL: 1e-3 / 500, Architecture.PASSIVE_PARALLEL: 1 / (3 * 500),
        Architecture.ACTIVE_SERIES: 1e-3, Architecture.RESISTIVE: 0.0,
    }.get(architecture, 1.0)  # fmt: skip
    flicker = 1e-12 * per_ohm**2 * np.sum(inputs**2, axis=1)[:, None]
    variance = white * 5e4 + flicker * np.log(1.0 * 5e4)
    assert found.noise == near(rms(np.sqrt(variance) * calibrate(inputs @ transfer.T, inputs @ ideal.T).gain))
    moments = settling_estimate(parts[0], np.ones((1, 3)))[0]
    assert found.settling == near(moments)
    assert found.settling > 0
    count = len(parts)
    assert found.latency == near(count * (1e-5 + found.settling + 4 * 10e-9))
    for role, form in found.power.items():
        expected = np.mean([one.power_forms()[role] for one in parts], axis=0) * trial.usable**2
        np.testing.assert_allclose(form, expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max(initial=0.0))
    delivered = sum(
        np.mean(np.einsum("bi,ij,bj->b", drawn.inputs, q, drawn.inputs)) for q in found.power.values()
    )
    on = count * (1e-5 + found.settling)
    assert found.energy.array == near(on * delivered / CARD.driver.efficiency.value)
    each = {True: 12, False: 4 if architecture.output_unit == "V" else 0}[architecture.amplified]
    assert found.energy.amplifiers == near(each * 1.8e-4 * on)


def test_ideal_isolation_needs_no_amplifier_per_column() -> None:
    """Three cells in a column, each with both arms of 400 ohm, in volts."""
    config = replace(LOSSLESS, architecture=Architecture.SERIES_HALL, isolation=Isolation.IDEAL, r_off=1e-9)
    found = run_trial(replace(TRIAL, config=config, full=1e-3), CARD)
    assert found.noise == near(np.sqrt(3 * WARM * 800 * 5e4), rel=1e-4)
    joined = run_trial(
        replace(TRIAL, config=replace(config, isolation=Isolation.NONE), shape=(1, 2), full=1e-3), CARD
    )
    amplifier = 2 * WARM * (2 / 3) / 2e-3
    assert joined.noise == near(np.sqrt((WARM * 800 + amplifier) * 5e4), rel=1e-2)


def test_voltage_that_a_row_in_series_needs_and_the_input_that_the_supply_allows() -> None:
    """Four channels of 500 ohm, five wires of 3 ohm, a driver of 5 ohm: 2020 ohm."""
    trial = wired(Architecture.ACTIVE_SERIES, supply=1.01)
    assert trial.row_resistance == near(2020.0)
    assert trial.usable == near(0.5e-3)
    found = run_trial(trial, CARD)
    assert found.v_row == near(2.02)
    # balanced about the middle: the centre of the outer cells is at 750 ohm and 1.5 wires
    assert found.common_mode == near(0.5e-3 * (750 + 1.5 * 3), rel=0.02)
    roomy = replace(trial, supply=4.0)
    assert roomy.usable == 1e-3
    parallel = wired(Architecture.ACTIVE_PARALLEL, supply=0.2)
    assert (parallel.row_resistance, parallel.usable) == (1.0, 0.2)
    assert run_trial(parallel, CARD).v_row == 0.5


@pytest.mark.parametrize(
    ("architecture", "middles"),
    [
        (Architecture.SERIES_HALL, 1250.0),
        (Architecture.ROW_MULTIPLEXED, 1250.0),
        (Architecture.ACTIVE_SERIES, 750.0),
    ],
)
def test_common_mode_of_rows_in_series(architecture: Architecture, middles: float) -> None:
    """Three channels of 500 ohm; the outermost centre lies 2.5 of them above ground, or 1.5 above the middle."""
    config = replace(LOSSLESS, architecture=architecture, r_off=1e-9, isolation=Isolation.IDEAL)
    found = run_trial(replace(TRIAL, config=config, shape=(2, 3), full=1e-3, supply=10.0), CARD)
    assert found.common_mode == near(1e-3 * middles, rel=1e-3)
    assert found.weakest_cell == near(1.0, rel=1e-5)


def test_common_mode_takes_both_arms_by_half() -> None:
    """Hall voltages of a tenth of the channel's: the arms lie 25 mV above and below a centre at 750 mV."""
    config = replace(LOSSLESS, architecture=Architecture.SERIES_HALL, isolation=Isolation.IDEAL)
    found = run_trial(
        replace(
            TRIAL, config=config, shape=(1, 2), lowest=50.0, highest=50.1, full=1e-3, supply=10.0, seed=3
        ),
        CARD,
    )
    assert found.common_mode == near(0.75, rel=1e-3)


def test_common_mode_of_a_cell_with_one_arm_at_ground() -> None:
    """A floating row whose column is grounded at its foot: the other arm alone has a voltage, that of the cell."""
    config = replace(LOSSLESS, architecture=Architecture.SERIES_HALL, returns=Returns.FLOATING, r_load=1e9)
    trial = replace(TRIAL, config=config, shape=(1, 1), full=1e-3, supply=10.0)
    assert run_trial(trial, CARD).common_mode == near(draw(trial, 0).states.item() * 1e-3 / 2, rel=1e-5)


@pytest.mark.parametrize("weak", [0, 1])
def test_the_weakest_cell_is_sought_in_every_row(weak: int) -> None:
    """Row drivers of 100 ohm before two cells of 400 or 1600 ohm: 200 / 300 and 800 / 900."""
    config = replace(LOSSLESS, architecture=Architecture.RESISTIVE, r_output=100.0)
    trial = replace(TRIAL, config=config, shape=(2, 2), lowest=1600.0, highest=400.0)
    states = np.full((2, 2), 1600.0)
    states[weak] = 400.0
    factored = factor(crossbar(states, config))
    highest, weakest = _cell_voltages(factored, trial, slice(None))
    assert (highest, weakest) == (0.0, near(2 / 3))
    assert _cell_voltages(factored, trial, slice(1 - weak, 2 - weak))[1] == near(8 / 9)
    drawn = Draw(states=states, inputs=np.ones((2, 2)), mismatch=None)
    assert _solved(trial, drawn, 1.0).weakest == near(2 / 3)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_in_turns_the_driven_row_alone_is_the_weakest(rows: int) -> None:
    """The others carry nothing. With a wire of 0 ohm the full current flows through each channel of the row."""
    config = replace(LOSSLESS, architecture=Architecture.ROW_MULTIPLEXED, r_off=1e-9)
    found = run_trial(replace(TRIAL, config=config, shape=(rows, 2), full=1e-3, supply=10.0), CARD)
    assert found.weakest_cell == near(1.0, rel=1e-5)
    assert found.common_mode == near(0.75, rel=1e-3)


def test_cells_without_a_hall_resistance_have_none_of_its_noise() -> None:
    config = replace(LOSSLESS, architecture=Architecture.RESISTIVE)
    trial = replace(TRIAL, config=config, lowest=1e5, highest=1e4)
    assert run_trial(replace(trial, flicker=1e3), CARD).noise == run_trial(trial, CARD).noise
    cells = 1 / draw(trial, 0).states
    assert run_trial(trial, CARD).noise == near(np.sqrt(WARM * cells.sum(axis=0).mean() * 5e4), rel=1e-6)
    assert run_trial(trial, CARD).common_mode == 0.0
