"""One array tried in one architecture: what its noise is made of, by hand."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from scipy.constants import Boltzmann

from circuits.arrays.architecture import Architecture
from circuits.arrays.config import ArrayConfig
from circuits.periphery import load_periphery
from circuits.read.trial import Trial, draw, run_trial
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
