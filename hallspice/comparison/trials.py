"""The trials that a configuration asks for."""

from __future__ import annotations

from dataclasses import replace

from circuits.arrays.architecture import Architecture, Isolation, Returns
from circuits.read.trial import Trial
from compact_model import readout
from hallspice.config.setup import Setup

SERIES_HALL_IDEAL = "series_hall_ideal"
"""Name of the trial of `series_hall` with `Isolation.IDEAL`."""


def all_trials(setup: Setup) -> dict[str, Trial]:
    """What is tried, by name: every architecture, and `series_hall` as its drawing intends; `resistive` last."""
    trials = {}
    for architecture in sorted(Architecture, key=lambda one: one.crossed):
        trial = trials[architecture.value] = _trial(setup, architecture)
        if architecture is Architecture.SERIES_HALL:
            ideal = replace(trial.config, isolation=Isolation.IDEAL, returns=Returns.GROUNDED)
            trials[SERIES_HALL_IDEAL] = replace(trial, config=ideal)
    return trials


def configured(setup: Setup) -> str:
    """Name of the trial of the configured array."""
    array = setup.array
    drawn = array.architecture is not Architecture.SERIES_HALL or array.isolation is Isolation.NONE
    return array.architecture.value if drawn else SERIES_HALL_IDEAL


def _trial(setup: Setup, architecture: Architecture) -> Trial:
    array, compared = setup.config.array, setup.config.compare
    changes = getattr(compared, architecture).model_dump(exclude_none=True)
    config = replace(
        setup.with_capacitances(),
        architecture=architecture,
        isolation=Isolation.NONE,
        cmrr_db=changes.get("cmrr_db", setup.array.cmrr_db),
    )
    i_read = setup.periphery.read.i_read.value
    levels = setup.levels_ohm
    full = i_read * (config.r_channel if architecture.input_unit == "V" else 1.0)
    return Trial(
        config=config,
        shape=(array.rows, array.columns),
        lowest=float(levels[0]) if architecture.hall else array.cell.r_high,
        highest=float(levels[-1]) if architecture.hall else array.cell.r_low,
        full=full if architecture.hall else array.read.v_read,
        supply=setup.v_supply,
        draws=changes.get("draws", compared.draws),
        vectors=compared.vectors,
        seed=setup.config.seed,
        mismatch=changes.get("mismatch", array.cell.mismatch),
        r_off_spread=array.cell.r_off_spread,
        random_rejection=changes.get("random_rejection", False),
        flicker=readout.resistance_flicker(setup.card),
        temperature=setup.card.thermal.ambient.value,
        t_read=setup.t_read,
        t_calibration=compared.t_calibration,
        dac_bits=array.converters.dac_bits,
        adc_bits=array.converters.adc_bits,
    )
