"""What a sweep found, and what each of its points gave."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PlainSerializer

from hallspice.config.schema import Config, Sweep
from hallspice.page.provenance import Origin
from hallspice.results import Measure, Report, Result

TableCell = str | int | float | bool | None
"""What a table holds in one place."""


def _without_sweep(config: Config) -> dict[str, object]:
    return config.model_dump(mode="json", exclude={"sweep"})


PointConfig = Annotated[Config, PlainSerializer(_without_sweep)]
"""The configuration of a point, which has no section ``sweep``."""

Inputs = Annotated[dict[str, TableCell], Measure("as in the name", "value of each key that the sweep sets")]
"""Columns of the keys that change, with their units, and what they are."""


class PointValues(Result):
    """Columns of the table: what `hallspice run` finds at a point."""

    accuracy: Annotated[float, Measure("1", "accuracy through the circuit")]
    energy_j: Annotated[float, Measure("J", "energy of one inference")]
    latency_s: Annotated[float, Measure("s", "time of one inference, layers one after another")]
    area_m2: Annotated[float, Measure("m2", "area of all parts")]
    cell_area_m2: Annotated[float, Measure("m2", "area of the cells")]
    accuracy_float: Annotated[float, Measure("1", "accuracy of float weights, computed digitally")]
    accuracy_levels: Annotated[float, Measure("1", "accuracy on the device's levels, computed digitally")]
    accuracy_converters: Annotated[float, Measure("1", "accuracy of ideal arrays with DAC and ADC")]
    accuracy_array: Annotated[float, Measure("1", "accuracy of the solved arrays without converters")]
    accuracy_untrimmed: Annotated[float, Measure("1", "accuracy through the circuit, columns not calibrated")]
    accuracy_programmed: Annotated[
        float | None, Measure("1", "accuracy through the circuit, states as written")
    ] = None
    energy_cells_j: Annotated[float, Measure("J", "of it, currents through the cells")]
    energy_wires_j: Annotated[float, Measure("J", "of it, currents along row and column wires")]
    energy_drivers_j: Annotated[float, Measure("J", "of it, inside the row drivers")]
    energy_sense_j: Annotated[
        float, Measure("J", "of it, column senses and supplies of the cells' amplifiers")
    ]
    energy_dac_j: Annotated[float, Measure("J", "of it, converters of the inputs")]
    energy_adc_j: Annotated[float, Measure("J", "of it, converters of the outputs")]
    energy_digital_j: Annotated[float, Measure("J", "of it, sums of tiles, gain and offset, comparisons")]
    digital_energy_j: Annotated[
        float, Measure("J", "the same products in 8-bit digital multipliers at 45 nm")
    ]
    write_energy_j: Annotated[float, Measure("J", "writing the network once, energy in the devices")]
    tiles: Annotated[int, Measure("1", "tiles")]
    cells: Annotated[int, Measure("1", "cells of all tiles")]
    images: Annotated[int, Measure("1", "test images")]
    certificate: Literal["passed", "failed", "not run"]
    certificate_difference: Annotated[
        float | None, Measure("1", "largest difference from ngspice, over the largest output; null: not run")
    ]


class PointOutcome(Result):
    """What came of a point: its values or its error."""

    values: PointValues | None = None
    error: str | None = None
    seconds: Annotated[float, Measure("s", "time that it took")]


class PointRecord(PointOutcome):
    """The file of a point; a sweep that is started again reads it."""

    inputs: Inputs
    seed: Annotated[int, Measure("1", "seed of everything random")]
    created: str
    code: str
    config: PointConfig


class SweepResults(Report):
    """`hallspice sweep`."""

    config_file: str
    config: Annotated[PointConfig, Field(description="That of the first point.")]
    sweep: Sweep
    seconds: Annotated[float, Measure("s", "time that the command took")]
    code: Annotated[str, Field(description="Content hash of hallspice's sources and libraries.")]
    points: Annotated[int, Measure("1", "points, seeds included")]
    kept: Annotated[int, Measure("1", "points that an earlier start had computed")]
    failed: Annotated[int, Measure("1", "points without a result")]
    pareto: Annotated[
        tuple[dict[str, TableCell], ...],
        Measure("as in the name", "inputs of the combinations that are not dominated, cheapest first"),
    ]
    columns: Annotated[tuple[str, ...], Field(description="Of the table.")]
    provenance: Annotated[dict[str, tuple[Origin, ...]], Field(description="Numbers of each card.")]
