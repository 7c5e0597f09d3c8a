"""What `hallspice fit` and `hallspice levels` found."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from compact_model.fit.fitting import FitResult
from compact_model.fit.forms import Comparison, Prediction
from compact_model.fit.intervals import Fitted
from compact_model.fit.replay import Replay
from hallspice.results import Measure, Report, Result, Results


class FittedData(Result):
    """The data set."""

    file: str
    name: str
    synthetic: bool
    sha256: str
    devices: Annotated[int, Measure("1", "devices")]
    records: Annotated[int, Measure("1", "records that were used")]
    readings: Annotated[int, Measure("1", "readings that were used")]

    @classmethod
    def of(cls, result: FitResult, file: str) -> FittedData:
        """The same as a part of results."""
        return cls(
            file=file,
            name=result.data.name,
            synthetic=result.data.synthetic,
            sha256=result.data.sha256,
            devices=len(result.data.devices),
            records=len(result.data.records),
            readings=int(result.used.sum()),
        )


class FittedParameter(Result):
    """A parameter that the data determine."""

    name: str
    unit: str
    value: Annotated[float, Measure("as in `unit`", "best value")]
    low: Annotated[float, Measure("as in `unit`", "lower end of the 95 % interval")]
    high: Annotated[float, Measure("as in `unit`", "upper end of the 95 % interval")]
    interval: Annotated[str, Field(description="How it was found: by profile or by covariance.")]
    devices: Annotated[
        dict[str, float], Measure("as in `unit`", "value of each device, where they don't share one")
    ]

    @classmethod
    def of(cls, one: Fitted) -> FittedParameter:
        """The same as a part of results."""
        return cls(
            name=one.parameter.name,
            unit=one.parameter.unit,
            value=one.value,
            low=one.interval[0],
            high=one.interval[1],
            interval="profile" if one.profiled else "covariance",
            devices=dict(one.devices),
        )


class ComparedForm(Result):
    """One form of the switching law against the data."""

    form: str
    parameters: Annotated[int, Measure("1", "fitted parameters")]
    chi2: Annotated[float, Measure("1", "sum of the squared residuals over their errors")]
    aic: Annotated[float, Measure("1", "Akaike's information criterion; lower is better")]
    bic: Annotated[float, Measure("1", "Bayes' information criterion; lower is better")]
    cross_validation_sigmas: Annotated[
        float, Measure("1", "root mean square residual of left-out readings, in their standard deviations")
    ]
    largest_residual_ohm: Annotated[float, Measure("ohm", "largest residual of a Hall resistance")]

    @classmethod
    def of(cls, one: Comparison) -> ComparedForm:
        """The same as a part of results."""
        return cls(
            form=one.name,
            parameters=one.parameters,
            chi2=one.chi2,
            aic=one.aic,
            bic=one.bic,
            cross_validation_sigmas=one.cross_validation,
            largest_residual_ohm=one.largest,
        )


class PredictedFraction(Result):
    """What the rest of the data say about a published fraction when it is left out."""

    record: str
    form: str
    measured: Annotated[float, Measure("1", "published fraction")]
    best: Annotated[float, Measure("1", "fraction by a fit to the rest")]
    fraction: Annotated[tuple[float, float], Measure("1", "what the rest allows: chi^2 up by 3.84")]
    window_ohm: Annotated[tuple[float, float], Measure("ohm", "Hall windows of these fits")]

    @classmethod
    def of(cls, one: Prediction) -> PredictedFraction:
        """The same as a part of results."""
        return cls(
            record=one.record,
            form=one.form,
            measured=one.measured,
            best=one.best,
            fraction=one.fraction,
            window_ohm=one.window,
        )


class LeftOut(Result):
    """A record that was not used."""

    what: str
    reason: str


class Replayed(Result):
    """How far the readings of pulses are from the fit, and from the card by the law that pulses and simulators use."""

    noise_ohm: Annotated[float, Measure("ohm", "noise of a reading, root mean square")]
    fit_residual_ohm: Annotated[float, Measure("ohm", "readings less fit, root mean square")]
    card_residual_ohm: Annotated[float, Measure("ohm", "readings less card, root mean square")]
    law_difference_ohm: Annotated[float, Measure("ohm", "card less fit, root mean square")]

    @classmethod
    def of(cls, one: Replay) -> Replayed:
        """The same as a part of results."""
        return cls(
            noise_ohm=one.noise,
            fit_residual_ohm=one.fit_residual,
            card_residual_ohm=one.card_residual,
            law_difference_ohm=one.law_difference,
        )


class FitResults(Report):
    """`hallspice fit`."""

    data: FittedData
    card: str
    fitted: tuple[FittedParameter, ...]
    undetermined: tuple[str, ...]
    correlation: Annotated[
        tuple[tuple[float, ...], ...], Measure("1", "correlation of the fitted parameters, in their order")
    ]
    chi2: Annotated[float, Measure("1", "sum of the squared residuals over their errors")]
    degrees_of_freedom: Annotated[int, Measure("1", "readings less parameters")]
    noise: Annotated[
        dict[str, float],
        Measure(
            "as measured", "standard deviation of a reading, by record; ohm where a Hall resistance was read"
        ),
    ]
    regions: Annotated[
        tuple[float, float, float] | None,
        Measure("1", "independent regions of a device by the spread of devices: value, 95 % interval"),
    ]
    comparisons: tuple[ComparedForm, ...]
    predictions: tuple[PredictedFraction, ...]
    replay: Annotated[Replayed | None, Field(description="Null: no pulses, or the card can't follow them.")]
    excluded: tuple[LeftOut, ...]
    notes: tuple[str, ...]


class MeasureResults(Results):
    """`hallspice measure`."""

    protocol: str
    seed: Annotated[int, Measure("1", "seed of everything random")]


class ExchangeResults(Results):
    """`hallspice exchange`."""

    pulses: Annotated[int, Measure("1", "pulses from end to end")]


class LevelsResults(Results):
    """`hallspice levels`."""

    states: Annotated[int, Measure("1", "states in the data")]
    distinguishable_ohm: Annotated[
        tuple[float, ...], Measure("ohm", "most states that are told apart at the error rate")
    ]
    possible_states: Annotated[
        int, Measure("1", "states that would fit into the window at the median spread, placed at will")
    ]
    error_rate: Annotated[float, Measure("1", "largest probability that a level is taken for a neighbour")]
