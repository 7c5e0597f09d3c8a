"""Global fit of a device card to measured records: values, intervals, and what the data leave open."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from compact_model.fit.data_size import check_size
from compact_model.fit.doubts import doubts
from compact_model.fit.forms import Comparison, Prediction, compared, predicted
from compact_model.fit.intervals import Fitted, Open, determined, intervals
from compact_model.fit.parameters import FitError
from compact_model.fit.problem import Problem
from compact_model.fit.regions import regions
from compact_model.fit.screening import check_described, prepared
from compact_model.measured.records import DataSet, Exclusion
from compact_model.measured.response import FitResponse
from compact_model.numeric import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """Drift and thermoelectric part of a record [ohm]."""

    record: str
    drift: float  # over the whole record
    drift_error: float
    even: float  # at the largest current
    even_error: float
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FitResult:
    """Everything that a fit found."""

    data: DataSet
    fitted: tuple[Fitted, ...]
    open: tuple[Open, ...]
    undetermined: tuple[str, ...]  # sentences about the rest of the card
    correlation: Floats  # (fitted, fitted)
    comparisons: tuple[Comparison, ...]
    predictions: tuple[Prediction, ...]
    artefacts: tuple[Artefact, ...]
    excluded: tuple[Exclusion, ...]
    notes: tuple[str, ...]
    chi2: float
    dof: int
    noise: Mapping[str, float]  # standard deviation of a reading, by record
    autocorrelation: float
    regions: tuple[float, float, float] | None  # independent regions: value, interval
    response: FitResponse
    predicted: Floats  # (rows,) artefacts included
    artefact_part: Floats  # (rows,)
    used: Any  # (rows,) bool


def fit_data(data: DataSet, progress: Callable[[str], None] = lambda _: None) -> FitResult:
    """Fit a data set and say what it determines.

    The form is the card's (Weibull, Set A or B by the card's choice); others are compared with it.

    Parameters
    ----------
    data
        Records of one or more devices.
    progress
        Called with what is being done.

    Raises
    ------
    FitError
        When no parameter of the card can be determined, or there are too many readings (`compact_model.fit.data_size`).
    """
    check_size(data)
    electrothermal = data.card.choices.switching.value == "B"
    progress("devices and noise")
    data, problem, x, notes = prepared(data, electrothermal)
    notes += check_described(problem, x)
    progress("what the data determine")
    problem, x, openly = determined(problem, x)
    data = problem.data
    notes += [one.warning for one in openly if one.warning]
    notes += doubts(problem, x)
    if not problem.free:
        raise FitError(f"{data.name}: the data determine no parameter of the card")
    progress("intervals")
    fitted, correlation, inflation, autocorrelation = intervals(problem, x)
    if inflation > 1.0:
        notes.append(
            f"Residuals of neighbouring readings are correlated ({autocorrelation:.2f}): drift, flicker noise or a law "
            f"that does not fit. Intervals were widened {inflation:.2f} times."
        )
    progress("other forms of the law")
    comparisons = compared(problem, x)
    predictions = predicted(problem) if len(problem.response.value) <= 100 else ()
    chi2, dof = problem.chi2(x), problem.dof
    stated = all(r.sigma is not None for r in data.records)
    if stated and chi2 > stats.chi2.ppf(0.99, dof):
        notes.append(
            f"The residuals are larger than the stated errors allow (chi^2 {chi2:.3g} for {dof} degrees of freedom)."
        )
    return FitResult(
        data=data,
        fitted=tuple(fitted),
        open=tuple(openly),
        undetermined=tuple(_rest(data)),
        correlation=correlation,
        comparisons=comparisons,
        predictions=tuple(predictions),
        artefacts=tuple(_artefact_table(problem, x)),
        excluded=data.excluded,
        notes=tuple(notes),
        chi2=chi2,
        dof=dof,
        noise={
            block.record.name: float(np.median(problem.sigma[block.rows]))
            for block in problem.response.blocks
        },
        autocorrelation=autocorrelation,
        regions=regions(problem, x),
        response=problem.response,
        predicted=problem.predicted(x),
        artefact_part=problem.nuisance @ x[len(problem.columns) :],
        used=problem.used,
    )


def _artefact_table(problem: Problem, x: Floats) -> Iterator[Artefact]:
    covariance = problem.covariance(x)
    offset = len(problem.columns)
    for block in problem.response.blocks:
        mine = [i for i, (name, _) in enumerate(problem.nuisance_names) if name == block.record.name]
        if not mine:
            continue
        found = {
            problem.nuisance_names[i][1]: (
                float(x[offset + i]),
                math.sqrt(covariance[offset + i, offset + i]),
            )
            for i in mine
        }
        drift, even = found.get("drift", (0.0, 0.0)), found.get("even", (0.0, 0.0))
        yield Artefact(
            record=block.record.name,
            drift=drift[0],
            drift_error=drift[1],
            even=even[0],
            even_error=even[1],
            steps=sum(problem.nuisance_names[i][1] == "step" for i in mine),
        )


def _rest(data: DataSet) -> Iterator[str]:
    """What no record of these kinds can say, in words."""
    thickest = max(r.t_oxide for r in data.records)
    own = data.card.geometry.t_oxide.value
    yield (
        "Heating (thermal resistances and times, Curie temperature, temperature coefficients): no reading depends on "
        "the temperature of the channel alone; all of it stays assumed."
    )
    yield (
        f"Oxide thicknesses beyond {1e9 * thickest:g} nm"
        + ("" if thickest > own else ", and all but this one,")
        + " are not in the data: their anchors stay as in the card."
    )
    yield "Retention, ambient temperature, the gate's rule and the field of the preset stay assumed."
    if len(data.devices) < 5:
        yield "Spread between devices: fewer than five devices were measured; the size of a region stays assumed."
