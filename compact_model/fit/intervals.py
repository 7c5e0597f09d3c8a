"""Best values and what the data say about each: intervals, profiles, open directions."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import stats

from compact_model.fit.parameters import FitParameter, silent
from compact_model.fit.problem import LEVEL, MANY_DEVICES, Problem, copied, with_data
from compact_model.numeric import Floats

log = logging.getLogger(__name__)


PROFILED_ROWS = 400
"""Up to so many readings intervals are profiles of chi^2; beyond, where it is a parabola, they are covariances."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A parameter that the data determine."""

    parameter: FitParameter
    value: float
    interval: tuple[float, float]  # 95 %
    profiled: bool
    devices: Mapping[str, float] = field(default_factory=dict)  # values per device, where it is not shared


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A parameter that the data do not determine; it stays at its default."""

    parameter: FitParameter
    reason: str
    warning: str = ""  # what a reader of the card must know of the value that it got instead


def _widths(problem: Problem, x: Floats, *, profiled: bool) -> Iterator[tuple[int, float, float]]:
    """Column, and 95 % limits of its coordinate."""
    covariance = problem.covariance(x)
    many = len(problem.devices) >= MANY_DEVICES
    share = 0.5 + 0.5 * LEVEL
    reach = float(stats.t.ppf(share, len(problem.devices) - 1) if many else stats.norm.ppf(share))
    if not many:
        reach *= scale(problem, x)
    for place in range(len(problem.columns)):
        half = reach * math.sqrt(covariance[place, place])
        if profiled:
            yield place, *profile(problem, x, place, half)
        else:
            yield place, float(x[place] - half), float(x[place] + half)


def scale(problem: Problem, x: Floats) -> float:
    """Factor of standard errors: residuals larger than the stated errors widen the intervals."""
    return math.sqrt(max(1.0, problem.chi2(x) / problem.dof))


def profile(problem: Problem, x: Floats, place: int, half: float) -> tuple[float, float]:
    """95 % interval of a coordinate by its profile: chi^2 with everything else refitted rises by 3.84 (scaled)."""
    base = problem.chi2(x)
    allowed = float(stats.chi2.ppf(LEVEL, 1)) * scale(problem, x) ** 2
    limits = []
    for side, bound in ((-1.0, problem.bounds[0][place]), (1.0, problem.bounds[1][place])):
        inside, outside, warm = float(x[place]), math.nan, x
        step = max(0.5 * half, 1e-9) if math.isfinite(half) else 0.1
        for _ in range(40):
            trial = inside + side * step
            trial = max(trial, float(bound)) if side < 0 else min(trial, float(bound))
            moved = problem.solve(warm, held={place: trial})
            if problem.chi2(moved) - base > allowed:
                outside = trial
                break
            inside, warm = trial, moved
            if trial == bound:
                break
            step *= 1.5
        for _ in range(12 if math.isfinite(outside) else 0):
            middle = 0.5 * (inside + outside)
            moved = problem.solve(warm, held={place: middle})
            if problem.chi2(moved) - base > allowed:
                outside = middle
            else:
                inside, warm = middle, moved
        limits.append(inside if math.isnan(outside) else 0.5 * (inside + outside))
    return limits[0], limits[1]


def determined(problem: Problem, x: Floats) -> tuple[Problem, Floats, list[Open]]:
    """Hold, one after the other, the parameters that the data leave open; the widest first."""
    openly = [
        Open(parameter=p, reason=reason)
        for p in problem.everything
        if (reason := silent(p, problem.data.records)) is not None
    ]
    openly += [
        Open(parameter=p, reason="held by the data file")
        for p in problem.everything
        if p.name in problem.data.choices.fixed
    ]
    while problem.free:
        few = len(problem.devices) < MANY_DEVICES
        profiled = few and int(problem.used.sum()) <= PROFILED_ROWS
        worst: tuple[float, FitParameter, tuple[float, float]] | None = None
        for place, low, high in _widths(problem, x, profiled=profiled):
            parameter, device = problem.columns[place]
            if device > 0:
                continue
            low = max(low, float(problem.bounds[0][place]))
            high = min(high, float(problem.bounds[1][place]))
            widest = math.log(parameter.widest) if parameter.logarithmic else parameter.widest
            excess = (high - low) / widest
            if excess > 1.0 and parameter.symbol == "delta_r":
                excess = math.inf  # the others depend on it
            if excess > 1.0 and (worst is None or excess > worst[0]):
                worst = (excess, parameter, (float(parameter.outer(low)), float(parameter.outer(high))))
        if worst is None:
            break
        _, parameter, (low, high) = worst
        log.info("%s is left open: %g..%g", parameter.name, low, high)
        left = f"the data leave it open between {low:.3g} and {high:.3g}"
        if parameter.symbol == "delta_r":
            problem, taken = _saturated(problem, x, parameter)
            left += f"; {taken:.4g} ohm is what the largest pulses span, as if they saturated"
            warning = f"{parameter.name}: {left}. Measure R_xy against H_z, or larger pulses."
            openly.append(Open(parameter=parameter, reason=left, warning=warning))
        else:
            openly.append(Open(parameter=parameter, reason=left))
        kept = [p for p in problem.free if p is not parameter]
        problem, x = _with_free(problem, x, kept)
    return problem, x, openly


def _saturated(problem: Problem, x: Floats, window: FitParameter) -> tuple[Problem, float]:
    """The problem of a card whose Hall window is what the readings span by the fit, and that window [ohm]."""
    values = problem.values(x)
    rows = problem.used & problem.response.is_hall
    span = float(values["delta_r"]) * float(np.ptp(problem.response.fractions(values)[rows]))
    data = replace(problem.data, card=problem.data.card.with_value(window.path, span))
    return with_data(problem, data), span


def _with_free(problem: Problem, x: Floats, kept: Sequence[FitParameter]) -> tuple[Problem, Floats]:
    """The same problem with fewer parameters, solved."""
    smaller = copied(problem, problem.form, kept, electrothermal=problem.electrothermal)
    names = {p.name for p in kept}
    same = [place for place, (p, _) in enumerate(problem.columns) if p.name in names]
    start = np.concatenate([x[same], x[len(problem.columns) :]])
    return smaller, smaller.solve(start)


def intervals(problem: Problem, x: Floats) -> tuple[list[Fitted], Floats, float, float]:
    """Fitted values at the best `x` with their intervals; covariance, scale of the errors, autocorrelation."""
    rho = _autocorrelation(problem, x)
    many = len(problem.devices) >= MANY_DEVICES  # their covariance holds what correlates within a device
    inflation = math.sqrt((1.0 + rho) / (1.0 - rho)) if rho > 0.1 and not many else 1.0
    profiled = int(problem.used.sum()) <= PROFILED_ROWS and not many
    found: list[Fitted] = []
    limits: dict[int, tuple[float, float]] = {}
    for place, low, high in _widths(problem, x, profiled=profiled):
        limits[place] = (
            float(x[place] - inflation * (x[place] - low)),
            float(x[place] + inflation * (high - x[place])),
        )
    firsts = []
    for parameter in problem.free:
        places = [place for place, (p, _) in enumerate(problem.columns) if p is parameter]
        firsts.append(places)
        if len(places) == 1:
            low, high = limits[places[0]]
            low, high = max(low, problem.bounds[0][places[0]]), min(high, problem.bounds[1][places[0]])
            found.append(
                Fitted(
                    parameter=parameter,
                    value=float(parameter.outer(x[places[0]])),
                    interval=(float(parameter.outer(low)), float(parameter.outer(high))),
                    profiled=profiled,
                )
            )
            continue
        each = x[places]
        spread = float(each.std(ddof=1)) / math.sqrt(len(each))
        half = float(stats.t.ppf(0.5 + 0.5 * LEVEL, len(each) - 1)) * spread
        middle = float(each.mean())
        found.append(
            Fitted(
                parameter=parameter,
                value=float(parameter.outer(middle)),
                interval=(float(parameter.outer(middle - half)), float(parameter.outer(middle + half))),
                profiled=False,
                devices=dict(zip(problem.devices, parameter.outer(each).tolist(), strict=True)),
            )
        )
    covariance = problem.covariance(x)
    # Of all devices: a sum correlates as the mean does.
    total = np.zeros((len(firsts), problem.size), dtype=bool)
    for row, places in enumerate(firsts):
        total[row, places] = True
    reduced = total @ covariance @ total.T
    deviation = np.sqrt(np.diag(reduced))
    return found, reduced / np.outer(deviation, deviation), inflation, rho


def _autocorrelation(problem: Problem, x: Floats) -> float:
    """Correlation of neighbouring residuals of the long records."""
    scaled = (problem.predicted(x) - problem.response.value) / problem.sigma
    products, squares = 0.0, 0.0
    for block in problem.response.blocks:
        r = scaled[block.rows][problem.used[block.rows]]
        if len(r) >= 30:
            products += float(np.sum(r[1:] * r[:-1]))
            squares += float(np.sum(r**2))
    return min(max(products / squares, 0.0), 0.95) if squares else 0.0
