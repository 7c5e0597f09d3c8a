from typing import Any

import numpy as np
import pytest

from circuits.arrays.architecture import Architecture, Isolation
from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import ideal_transfer
from circuits.arrays.mismatch import draw_mismatch
from circuits.read.read_error import ReadError, read_error
from circuits.solve.transfer import nodal_transfer

MEAN = 0.45
SIZE = 8


def median_error(
    architecture: Architecture,
    mismatch: float,
    draws: int = 10,
    *,
    random_rejection: bool = False,
    **changes: Any,
) -> ReadError:
    """Median error of an 8 x 8 array with states 0.33..0.57 ohm and inputs 0..1 mA (0..0.5 V)."""
    config = ArrayConfig(architecture=architecture, r_arm=300.0, r_output=0.0, **changes)
    full = 1e-3 if architecture.input_unit == "A" else 0.5
    found = []
    for seed in range(draws):
        random = np.random.default_rng(seed)
        states, inputs = random.uniform(0.33, 0.57, (SIZE, SIZE)), random.uniform(0, full, (100, SIZE))
        drawn = draw_mismatch((SIZE, SIZE), random, relative=mismatch, random_rejection=random_rejection)
        transfer = nodal_transfer(states, config, drawn)
        centre = ideal_transfer(np.full((SIZE, SIZE), MEAN), config)
        found.append(read_error(transfer, ideal_transfer(states, config), centre, inputs))
    return ReadError(
        float(np.median([error.raw for error in found])),
        float(np.median([error.calibrated for error in found])),
    )


def test_parallel_rows_with_amplifiers_work_and_need_their_column_gains() -> None:
    error = median_error(Architecture.ACTIVE_PARALLEL, 0.01)
    assert 0.02 < error.raw < 0.06  # rail drop 0.1 %, times 16 for the mean weight
    assert 0.01 < error.calibrated < 0.03  # 1 % of mismatch through 60 dB of rejection


def test_passive_columns_work_with_well_matched_arms_only() -> None:
    assert median_error(Architecture.PASSIVE_PARALLEL, 0.003).calibrated < 0.03
    assert median_error(Architecture.PASSIVE_PARALLEL, 0.01).calibrated > 0.08


def test_chained_hall_arms_are_dead_unless_isolated() -> None:
    chained = median_error(Architecture.SERIES_HALL, 0.01, draws=3)
    assert chained.raw > 1000  # half a volt of common mode per cell against 0.3 mV
    assert chained.calibrated > 1  # worse than reading nothing
    isolated = median_error(Architecture.SERIES_HALL, 0.01, draws=3, isolation=Isolation.IDEAL)
    assert isolated.raw < 1e-6


def test_multiplexed_rows_lose_little() -> None:
    error = median_error(Architecture.ROW_MULTIPLEXED, 0.01, draws=3)
    assert error.raw < 1e-3
    assert error.calibrated < 1e-4


def test_series_rows_need_amplifiers_with_high_rejection() -> None:
    assert median_error(Architecture.ACTIVE_SERIES, 0.01, draws=3, cmrr_db=120.0).raw < 0.06
    assert median_error(Architecture.ACTIVE_SERIES, 0.01, draws=3, cmrr_db=60.0).raw > 10


def test_rejection_of_random_sign_is_beyond_a_calibration_of_columns() -> None:
    alike = median_error(Architecture.ACTIVE_SERIES, 0.01, draws=5, cmrr_db=120.0)
    random = median_error(Architecture.ACTIVE_SERIES, 0.01, draws=5, cmrr_db=120.0, random_rejection=True)
    assert random.raw < alike.raw  # the terms of a sum cancel
    assert random.calibrated > 3 * alike.calibrated


def test_no_signal_is_an_error() -> None:
    ideal = np.ones((1, 2))
    with pytest.raises(ValueError, match="compute signal is zero"):
        read_error(ideal, ideal, ideal, np.ones((2, 2)))
