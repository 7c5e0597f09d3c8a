"""The forms of the switching law beside each other: fit, cross-validation, predictions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from compact_model.fit.intervals import profile, scale
from compact_model.fit.parameters import FitParameter, candidates, silent
from compact_model.fit.problem import LEVEL, Problem, copied
from compact_model.measured.response import ThresholdForm
from compact_model.measured.tables import RecordKind
from compact_model.numeric import Floats

FOLDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One form of the switching law against the data."""

    name: str
    parameters: int
    chi2: float
    aic: float
    bic: float
    cross_validation: float  # rms of left-out readings, in their standard deviations
    largest: float  # largest Hall residual [ohm]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What the rest of the data say about a published fraction when it is left out."""

    record: str
    measured: float
    form: str
    best: float
    fraction: tuple[float, float]  # allowed by chi^2 + 3.84
    window: tuple[float, float]  # [ohm]


def compared(problem: Problem, x: Floats) -> tuple[Comparison, ...]:
    """The law's own form beside the other set, a linear and a lognormal distribution."""
    found: list[Comparison] = []
    electrothermal = problem.electrothermal
    variants = [
        (f"Weibull, Set {'B' if electrothermal else 'A'}", ThresholdForm.WEIBULL, electrothermal),
        (f"Weibull, Set {'A' if electrothermal else 'B'}", ThresholdForm.WEIBULL, not electrothermal),
        ("linear", ThresholdForm.LINEAR, electrothermal),
        ("lognormal", ThresholdForm.LOGNORMAL, electrothermal),
    ]
    if not any(p.symbol in ("j63", "shape") for p in problem.free):
        return ()
    for name, form, thermal_law in variants:
        if form is problem.form and thermal_law == electrothermal:
            other, best = problem, x
        else:
            other = copied(problem, form, _translated(problem, form, thermal_law), electrothermal=thermal_law)
            first = other.best(3, "linear")
            best = min((first, other.solve(first)), key=other.chi2)
        found.append(_comparison(name, other, best))
    return tuple(found)


def _translated(problem: Problem, form: ThresholdForm, electrothermal: bool) -> list[FitParameter]:
    """The free parameters of a problem in another form of the law."""
    symbols = {p.symbol for p in problem.free}
    wanted = candidates(problem.data.card, problem.data, form, electrothermal=electrothermal)
    shapes = {"j0", "j_width", "j50", "sigma"} if form is not ThresholdForm.WEIBULL else set()
    return [p for p in wanted if p.symbol in symbols | shapes]


def _comparison(name: str, problem: Problem, x: Floats) -> Comparison:
    count, parameters = int(problem.used.sum()), problem.size
    chi2 = problem.chi2(x)
    stated = np.isfinite(problem.response.sigma[problem.used]).all()
    likelihood = chi2 if stated else count * math.log(chi2 / count)
    residual = np.abs(problem.predicted(x) - problem.response.value)
    hall = problem.used & problem.response.is_hall
    return Comparison(
        name=name,
        parameters=parameters,
        chi2=chi2,
        aic=likelihood + 2.0 * parameters,
        bic=likelihood + parameters * math.log(count),
        cross_validation=_cross_validation(problem, x),
        largest=float(residual[hall].max()) if hall.any() else 0.0,
    )


def _cross_validation(problem: Problem, x: Floats) -> float:
    """Rms of readings left out of the fit: each one if there are few, else blocks of ten in five parts."""
    basis = np.linalg.qr(problem.jacobian(x))[0]
    # A reading that alone fixes a parameter can't be predicted by the others.
    places = np.flatnonzero(problem.used)[np.sum(basis**2, axis=1) < 0.99]
    few = len(places) <= 30
    part_of = np.arange(len(places)) if few else (np.arange(len(places)) // 10) % FOLDS
    kept, total = problem.used, 0.0
    for part in range(int(part_of.max()) + 1):
        problem.used = kept.copy()
        problem.used[places[part_of == part]] = False
        again = problem.solve(x)
        left = places[part_of == part]
        scaled = (problem.predicted(again) - problem.response.value)[left] / problem.sigma[left]
        total += float(np.sum(np.minimum(scaled**2, 1e4)))
    problem.used = kept
    return math.sqrt(total / max(1, len(places)))


def predicted(problem: Problem) -> list[Prediction]:
    """For each published fraction at the card's thickness: what the other data alone allow, by form."""
    found: list[Prediction] = []
    data = problem.data
    own = data.card.geometry.t_oxide.value
    for record in data.records:
        if (
            record.kind is not RecordKind.FRACTION
            or abs(record.t_oxide - own) > 1e-13
            or len(record.value) > 3
        ):
            continue
        others = [
            r
            for r in data.records
            if r.kind in (RecordKind.LOOP, RecordKind.TRAIN) and r.t_oxide == record.t_oxide
        ]
        if not others:
            continue
        for form in ThresholdForm:
            loose = replace(record, sigma=np.full(len(record.value), 1e4))
            free = [
                p
                for p in candidates(data.card, data, form, electrothermal=problem.electrothermal)
                if silent(p, others) is None and p.symbol in _SHAPES[form]
            ]
            alone = Problem(
                replace(data, records=(*others, loose)), form, free, electrothermal=problem.electrothermal
            )
            x = min((alone.solve(alone.start(rng)) for rng in _draws(12)), key=alone.chi2)
            row = len(alone.response.value) - len(record.value)
            window = next(i for i, (p, _) in enumerate(alone.columns) if p.symbol == "delta_r")
            limits = profile(alone, x, window, 0.2)
            found.append(
                Prediction(
                    record=record.name,
                    measured=float(record.value[0]),
                    form=form.value,
                    best=float(alone.predicted(x)[row]),
                    fraction=_allowed_fraction(alone, x, row),
                    window=(math.exp(limits[0]), math.exp(limits[1])),
                )
            )
    return found


_SHAPES = {
    ThresholdForm.WEIBULL: ("r_reset", "delta_r", "j63", "shape"),  # u0 as in the card
    ThresholdForm.LINEAR: ("r_reset", "delta_r", "j0", "j_width"),
    ThresholdForm.LOGNORMAL: ("r_reset", "delta_r", "j50", "sigma"),
}


def _draws(count: int) -> Iterator[np.random.Generator | None]:
    rng = np.random.default_rng(1)
    for number in range(count):
        yield rng if number else None


def _allowed_fraction(problem: Problem, x: Floats, row: int) -> tuple[float, float]:
    """Range of a fraction that the other readings allow: chi^2 with the fraction forced rises by 3.84."""
    base, best = problem.chi2(x), float(problem.predicted(x)[row])
    allowed = float(stats.chi2.ppf(LEVEL, 1)) * scale(problem, x) ** 2
    sigma, value = problem.sigma[row], problem.response.value[row]
    limits = []
    for ends in (np.arange(best, 0.005, -0.02), np.arange(best, 0.995, 0.02)):
        last, warm = best, x
        problem.sigma[row] = 1e-4
        for trial in ends:
            problem.response.value[row] = trial
            warm = problem.solve(warm)
            if problem.chi2(warm) - base > allowed:
                break
            last = float(trial)
        problem.sigma[row], problem.response.value[row] = sigma, value
        limits.append(last)
    return limits[0], limits[1]
