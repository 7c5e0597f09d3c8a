"""What `hallspice write` found."""

from __future__ import annotations

import dataclasses
import math
from typing import Annotated

import numpy as np
from pydantic import Field

from circuits.spice.engine import find_simulator
from circuits.write.plant import Plant
from circuits.write.scheme import Order, WriteConfig
from circuits.write.spice_plant import SpicePlant
from circuits.write.write_verify import Algorithm, CellVerdict, WriteOutcome, WriteRecipe
from circuits.write.writing import Writing
from compact_model import limits, stack, thermal
from hallspice.config.schema import Config
from hallspice.config.setup import Setup
from hallspice.results import Measure, Report, Result, versions_of

STUDIED = 8
"""Rows and columns of the array on which the disturb of all schemes is compared."""


class UsedEngine(Result):
    """What moved the states."""

    name: str
    version: Annotated[int | None, Measure("1", "version of ngspice")] = None
    device: Annotated[str | None, Field(description="Form of the device in ngspice.")] = None
    grains: Annotated[int | None, Measure("1", "grains of the device in ngspice")] = None
    transients: Annotated[int | None, Measure("1", "runs of ngspice, one for each phase of pulses")] = None
    source_energy_j: Annotated[float | None, Measure("J", "delivered by the sources of all transients")] = (
        None
    )


class WrittenArray(Result):
    """The array and how it is written: the fields of `circuits.write.scheme.WriteConfig`."""

    rows: Annotated[int, Measure("1", "rows of the array")]
    columns: Annotated[int, Measure("1", "columns of the array")]
    architecture: str
    scheme: str
    order: str
    r_row: Annotated[float, Measure("ohm", "row wire of one cell pitch")]
    r_column: Annotated[float, Measure("ohm", "column wire of one cell pitch")]
    r_output: Annotated[float, Measure("ohm", "output resistance of a driver")]
    r_return: Annotated[
        float, Measure("ohm", "switch that takes the current back to ground, and holds lines at a bias")
    ]
    v_compliance: Annotated[float, Measure("V", "largest magnitude of a driver's voltage")]
    r_channel: Annotated[float, Measure("ohm", "channel of a cell")]
    r_select_on: Annotated[float, Measure("ohm", "select or bypass switch that is on")]
    r_select_off: Annotated[float, Measure("ohm", "select or bypass switch that is off")]
    efficiency: Annotated[float, Measure("1", "energy that a driver delivers over the energy that it draws")]

    @classmethod
    def of(cls, shape: tuple[int, int], config: WriteConfig) -> WrittenArray:
        """The same as a part of results."""
        return cls(rows=shape[0], columns=shape[1], **dataclasses.asdict(config))


class UsedRecipe(Result):
    """How cells are programmed: the fields of `circuits.write.write_verify.WriteRecipe`."""

    algorithm: str
    step_law: str
    tolerance: Annotated[float, Measure("ohm", "largest distance from the level that counts as written")]
    start: Annotated[
        float, Measure("1", "first pulse over the current that the device's curve gives for the level")
    ]
    i_step: Annotated[float, Measure("A", "(least) growth of the current from pulse to pulse")]
    i_reset: Annotated[float, Measure("A", "magnitude of a reset pulse")]
    field_reset: bool
    max_pulses: Annotated[int, Measure("1", "write pulses that a cell may take, resets not counted")]
    retries: Annotated[int, Measure("1", "overshoots after which a cell is given up")]
    read_noise: Annotated[float, Measure("ohm", "standard deviation of a verify read")]
    read_energy: Annotated[float, Measure("J", "energy of a verify read")]
    read_time: Annotated[float, Measure("s", "length of a verify read")]

    @classmethod
    def of(cls, recipe: WriteRecipe) -> UsedRecipe:
        """The same as a part of results."""
        return cls(**dataclasses.asdict(recipe))


class WriteEnergy(Result):
    """Where the energy of writing goes."""

    total: Annotated[float, Measure("J", "drivers and verify reads")]
    cells: Annotated[float, Measure("J", "channels of the cells, written and half-selected")]
    select: Annotated[float, Measure("J", "select devices")]
    wires: Annotated[
        float, Measure("J", "row and column wires, and what leaks through switches of other rows")
    ]
    drivers: Annotated[float, Measure("J", "row drivers, and what they take beyond what they deliver")]
    verify: Annotated[float, Measure("J", "verify reads")]

    @property
    def parts(self) -> dict[str, float]:
        """Part -> energy [J], without the total."""
        return self.model_dump(exclude={"total"})


class YieldAt(Result):
    """Cells within a distance of their level."""

    tolerance_ohm: Annotated[float, Measure("ohm", "the distance")]
    yield_: Annotated[
        float, Measure("1", "share of the cells that are truly within it"), Field(alias="yield")
    ]


class GivenUp(Result):
    """A cell that could not be written."""

    row: Annotated[int, Measure("1", "row of the cell, from 0")]
    column: Annotated[int, Measure("1", "column of the cell, from 0")]
    target_ohm: Annotated[float, Measure("ohm", "wanted Hall resistance")]
    achieved_ohm: Annotated[float, Measure("ohm", "Hall resistance in the end")]
    pulses: Annotated[int, Measure("1", "write pulses that it took")]
    needed_v: Annotated[float, Measure("V", "driver's voltage for its last pulse")]
    reason: str


class SchemeResult(Result):
    """Disturb by the worst pattern that was found, in one bias scheme."""

    scheme: str
    used: bool
    pattern: str
    victim: Annotated[tuple[int, int], Measure("1", "row and column of the kept cell that moves most")]
    moved: Annotated[float, Measure("1", "its movement, share of the window")]
    moved_ohm: Annotated[float, Measure("ohm", "its movement")]
    needed_v: Annotated[
        float, Measure("V", "driver's voltage for the largest write current in the worst cell")
    ]
    usable: bool


class DisturbResult(Result):
    """What writing does to the cells that are kept."""

    one_write_largest: Annotated[
        float,
        Measure(
            "1",
            "largest movement when the cell in the middle is written to the highest level, share of the window",
        ),
    ]
    schemes: tuple[SchemeResult, ...]

    @property
    def used(self) -> SchemeResult:
        """The scheme that writes the array."""
        return next(one for one in self.schemes if one.used)


class WriteResults(Report):
    """`hallspice write`."""

    config: Config
    config_file: str
    seed: Annotated[int, Measure("1", "seed of everything random")]
    engine: UsedEngine
    array: WrittenArray
    recipe: UsedRecipe
    cells: Annotated[int, Measure("1", "cells of the array")]
    written: Annotated[int, Measure("1", "cells within the tolerance, as read")]
    yield_: Annotated[float, Measure("1", "share of the cells that are written"), Field(alias="yield")]
    yield_against_tolerance: tuple[YieldAt, ...]
    largest_error_ohm: Annotated[
        float, Measure("ohm", "largest distance of a Hall resistance from its level")
    ]
    pulses_per_cell: Annotated[float, Measure("1", "write pulses of a cell, on average")]
    resets: Annotated[int, Measure("1", "resets by pulse, of all cells")]
    energy_j: WriteEnergy
    time_s: Annotated[float, Measure("s", "pulses and verify reads, one after another")]
    largest_current_a: Annotated[float, Measure("A", "largest current into a channel")]
    largest_current_density_a_m2: Annotated[
        float, Measure("A/m^2", "current density of the channel at this current")
    ]
    peak_temperature_k: Annotated[float, Measure("K", "of a channel at the end of a pulse of this current")]
    given_up: tuple[GivenUp, ...]
    disturb: DisturbResult


def results_of(
    setup: Setup, plan: Writing, plant: Plant, outcome: WriteOutcome, study: DisturbResult
) -> WriteResults:
    """The results of writing an array.

    Parameters
    ----------
    setup
        The configuration.
    plan, plant, outcome
        How the array was written, on what, and what came of it.
    study
        What writing does to the other cells.
    """
    largest = float(outcome.largest_current.max())
    return WriteResults(
        versions=versions_of("numpy"),
        warnings=_warnings(setup, plan, outcome, study, isinstance(plant, SpicePlant)),
        config=setup.config,
        config_file=setup.source.name,
        seed=setup.config.seed,
        engine=_engine(plant),
        array=WrittenArray.of(outcome.target.shape, plan.config),
        recipe=UsedRecipe.of(plan.recipe),
        cells=outcome.target.size,
        written=int(outcome.written.sum()),
        yield_=float(outcome.written.mean()),
        yield_against_tolerance=_yields(outcome),
        largest_error_ohm=float(np.abs(outcome.error).max()),
        pulses_per_cell=float(outcome.pulses.mean()),
        resets=int(outcome.resets.sum()),
        energy_j=WriteEnergy(total=math.fsum(outcome.energy.values()), **outcome.energy),
        time_s=outcome.time,
        largest_current_a=largest,
        largest_current_density_a_m2=float(stack.current_density(setup.card, largest)),
        peak_temperature_k=float(thermal.pulse_temperature(setup.card, largest, plan.t_pulse)),
        given_up=_given_up(outcome),
        disturb=study,
    )


def _engine(plant: Plant) -> UsedEngine:
    if not isinstance(plant, SpicePlant):
        return UsedEngine(name="model")
    return UsedEngine(
        name="ngspice",
        version=find_simulator().version,
        device="subcircuit" if plant.module is None else "compiled Verilog-A module",
        grains=len(plant.weight),
        transients=plant.phases,
        source_energy_j=plant.source_energy,
    )


def _given_up(outcome: WriteOutcome) -> list[GivenUp]:
    return [
        GivenUp(
            row=row,
            column=column,
            target_ohm=float(outcome.target[row, column]),
            achieved_ohm=float(outcome.achieved[row, column]),
            pulses=int(outcome.pulses[row, column]),
            needed_v=float(outcome.needed_volts[row, column]),
            reason=CellVerdict(outcome.verdict[row, column]).text,
        )
        for row, column in np.argwhere(~outcome.written).tolist()
    ]


def _yields(outcome: WriteOutcome) -> list[YieldAt]:
    error = np.abs(outcome.error)
    return [
        YieldAt(tolerance_ohm=limit, yield_=float((error <= limit).mean()))
        for limit in (1e-3, 2e-3, 4e-3, 6e-3, 1e-2, 2e-2)
    ]


def _warnings(
    setup: Setup,
    plan: Writing,
    outcome: WriteOutcome,
    study: DisturbResult,
    in_ngspice: bool,
) -> list[str]:
    largest = float(outcome.largest_current.max())
    found = limits.warnings_for(setup.card, largest, plan.t_pulse) if largest else []
    used = study.used
    if not used.usable:
        better = [row.scheme for row in study.schemes if row.usable]
        found.append(
            f"{used.scheme}: the worst pattern ({used.pattern}) moves a kept cell by "
            f"{100 * used.moved:.2g} % of the window, {1e3 * used.moved_ohm:.2g} mohm, and the driver needs "
            f"{used.needed_v:.3g} V (it gives {plan.config.v_compliance:g} V); usable here: "
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
    if in_ngspice:
        found.append("verify reads in ngspice are plateaus without noise; the controller adds the noise.")
    return found
