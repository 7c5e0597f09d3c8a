"""What writing an array gave, as plain data."""

from __future__ import annotations

import dataclasses
import math
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from circuits.spice.engine import find_simulator
from circuits.write.disturb import Disturb
from circuits.write.plant import Plant
from circuits.write.scheme import Order, WriteConfig
from circuits.write.spice_plant import SpicePlant
from circuits.write.write_verify import Algorithm, Outcome, Verdict
from circuits.write.writing import Writing
from compact_model import limits, stack, thermal
from hallspice.config.setup import Setup

STUDIED = 8
"""Rows and columns of the array on which the disturb of all schemes is compared."""


def results_of(
    config: Path,
    setup: Setup,
    plan: Writing,
    outcome: Outcome,
    one: Disturb,
    schemes_table: list[dict[str, Any]],
    use_ngspice: bool,
    plant: Plant,
) -> dict[str, Any]:
    """The content of ``results.json``."""
    rows, columns = outcome.target.shape
    given_up = [
        {
            "row": row,
            "column": column,
            "target_ohm": float(outcome.target[row, column]),
            "achieved_ohm": float(outcome.achieved[row, column]),
            "pulses": int(outcome.pulses[row, column]),
            "needed_v": float(outcome.needed_volts[row, column]),
            "reason": Verdict(outcome.verdict[row, column]).text,
        }
        for row, column in np.argwhere(~outcome.written).tolist()
    ]
    largest = float(outcome.largest_current.max())
    energy = {"total": math.fsum(outcome.energy.values()), **outcome.energy}
    engine: dict[str, Any] = {"name": "model"}
    if isinstance(plant, SpicePlant):
        engine = {
            "name": "ngspice",
            "version": find_simulator().version,
            "device": "subcircuit" if plant.module is None else "compiled Verilog-A module",
            "grains": len(plant.weight),
            "transients": plant.phases,
            "source_energy_j": plant.source_energy,
        }
    return {
        "config": setup.config.model_dump(mode="json"),
        "config_file": config.name,
        "seed": setup.config.seed,
        "created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "versions": {"hallspice": version("hallspice"), "numpy": version("numpy")},
        "engine": engine,
        "array": {"rows": rows, "columns": columns, **_texts(plan.config)},
        "recipe": {
            key: str(value) if isinstance(value, str) else value
            for key, value in dataclasses.asdict(plan.recipe).items()
        },
        "cells": int(outcome.target.size),
        "written": int(outcome.written.sum()),
        "yield": float(outcome.written.mean()),
        "yield_against_tolerance": _yields(outcome),
        "largest_error_ohm": float(np.abs(outcome.error).max()),
        "pulses_per_cell": float(outcome.pulses.mean()),
        "resets": int(outcome.resets.sum()),
        "energy_j": energy,
        "time_s": outcome.time,
        "largest_current_a": largest,
        "largest_current_density_a_m2": float(stack.current_density(setup.card, largest)),
        "peak_temperature_k": float(thermal.pulse_temperature(setup.card, largest, plan.t_pulse)),
        "given_up": given_up,
        "disturb": {"one_write_largest": one.worst, "schemes": schemes_table},
        "warnings": _warnings(setup, plan, outcome, schemes_table, use_ngspice),
    }


def _texts(config: WriteConfig) -> dict[str, Any]:
    return {
        key: str(value) if isinstance(value, str) else value
        for key, value in dataclasses.asdict(config).items()
    }


def _yields(outcome: Outcome) -> list[dict[str, float]]:
    error = np.abs(outcome.error)
    return [
        {"tolerance_ohm": limit, "yield": float((error <= limit).mean())}
        for limit in (1e-3, 2e-3, 4e-3, 6e-3, 1e-2, 2e-2)
    ]


def _warnings(
    setup: Setup,
    plan: Writing,
    outcome: Outcome,
    schemes_table: list[dict[str, Any]],
    use_ngspice: bool,
) -> list[str]:
    largest = float(outcome.largest_current.max())
    found = limits.warnings_for(setup.card, largest, plan.t_pulse) if largest else []
    used = next(row for row in schemes_table if row["used"])
    if not used["usable"]:
        better = [row["scheme"] for row in schemes_table if row["usable"]]
        found.append(
            f"{used['scheme']}: the worst pattern ({used['pattern']}) moves a kept cell by "
            f"{100 * used['moved']:.2g} % of the window, {1e3 * used['moved_ohm']:.2g} mohm, and the driver needs "
            f"{used['needed_v']:.3g} V (it gives {plan.config.v_compliance:g} V); usable here: "
            f"{', '.join(better) or 'no scheme'}."
        )
    if plan.config.order is Order.ROW:
        total = max(float(round_.sum(axis=1).max()) for round_ in outcome.rounds) if outcome.rounds else 0.0
        found.append(
            f"a row at once carries up to {total:.3g} A: its wire and its return switch must be made for that."
        )
    if plan.recipe.field_reset:
        found.append(
            "the first reset is a saturating field; its energy is outside the device and not counted."
        )
    if plan.recipe.algorithm is not Algorithm.VERIFY:
        found.append("nothing is read while writing: the ladder trusts the device.")
    if use_ngspice:
        found.append("verify reads in ngspice are plateaus without noise; the controller adds the noise.")
    return found
