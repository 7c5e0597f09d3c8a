"""One array tried in one architecture: what its noise is made of, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.constants import Boltzmann

from circuits.arrays.architecture import Architecture
from circuits.arrays.config import ArrayConfig
from circuits.periphery import load_periphery
from circuits.read.trial import Trial, draw, run_trial

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
    assert run_trial(TRIAL, CARD).noise == pytest.approx(np.sqrt(white * 5e4), rel=1e-4)


def test_flicker_of_the_hall_resistances() -> None:
    """Of a much larger density than any white noise; ln(1 s / 20 us) = 10.819778."""
    loud = replace(TRIAL, flicker=1e-2)
    volts = 0.5 * draw(loud, 0).inputs
    expected = 1e-2 * 10.819778 * np.mean(np.sum((volts * 2e-3 / 500) ** 2, axis=1))
    assert run_trial(loud, CARD).noise == pytest.approx(np.sqrt(expected), rel=1e-3)


def test_rows_in_turns_bring_switches_and_the_column_amplifier_in_every_slot() -> None:
    """Three reads, each with both arms (800 ohm), two switches (2 kohm) and one amplifier of two transistors."""
    config = replace(LOSSLESS, architecture=Architecture.ROW_MULTIPLEXED, r_off=1e-9)
    found = run_trial(replace(TRIAL, config=config, full=1e-4), CARD)
    white = 3 * (WARM * 2800 + 2 * WARM * (2 / 3) / 2e-3)
    assert found.noise == pytest.approx(np.sqrt(white * 5e4), rel=1e-3)
