"""Records that no parameters explain: broken devices, steps, misfits."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from compact_model.fit.parameters import FitError, FitParameter, candidates, silent
from compact_model.fit.problem import MANY_DEVICES, Problem
from compact_model.measured.records import DataSet, noise_of, without
from compact_model.measured.response import ThresholdForm
from compact_model.measured.tables import RecordKind
from compact_model.numeric import Floats

OUTLIER_SIGMAS = 5.0


STEP_SIGMAS = 8.0


LARGEST_STEP = 0.1
"""Steps of the offset beyond this share of what a record spans are not taken out: switching looks like that."""


BROKEN_RATIO = 6.0


SMALLEST_MISFIT = 0.03  # of the window: less is no broken device


WORST_MISFIT = 0.1  # rms residual over the span of the Hall readings; beyond, there is no fit


POOR_RATIO = 3.0


def _speaking(data: DataSet, electrothermal: bool) -> list[FitParameter]:
    found = candidates(data.card, data, ThresholdForm.WEIBULL, electrothermal=electrothermal)
    chosen = [p for p in found if silent(p, data.records) is None and p.name not in data.choices.fixed]
    limits = data.choices.bounds
    unknown = (set(limits) | set(data.choices.fixed)) - {p.name for p in found}
    if unknown:
        raise FitError(
            f"{data.name}: fit: {', '.join(sorted(unknown))} is no parameter of the fit, allowed: "
            f"{', '.join(p.name for p in found)}"
        )
    return [
        replace(p, low=limits[p.name][0], high=limits[p.name][1]) if p.name in limits else p for p in chosen
    ]


def prepared(data: DataSet, electrothermal: bool) -> tuple[DataSet, Problem, Floats, list[str]]:
    """Robust first fit; broken devices, outliers and steps found; noise estimated."""
    notes: list[str] = []
    steps: dict[str, list[int]] = {}
    problem = Problem(
        data, ThresholdForm.WEIBULL, _speaking(data, electrothermal), electrothermal=electrothermal
    )
    if not problem.columns:
        raise FitError(f"{data.name}: the data speak of no parameter of the card")
    x = problem.best(data.choices.starts, data.choices.loss)
    broken = _misfits(problem, x)
    if broken:
        names = [r.name for r in data.records if r.device in broken]
        ratio = max(broken.values())
        data = without(
            data,
            names,
            f"broken device: its residuals are up to {ratio:.0f} times those of the others",
        )
        problem = Problem(
            data, ThresholdForm.WEIBULL, _speaking(data, electrothermal), electrothermal=electrothermal
        )
        x = problem.best(data.choices.starts, data.choices.loss)
    for _ in range(4):
        found = _steps(problem, x)
        new = {name: at for name, at in found.items() if at not in steps.get(name, [])}
        if not new:
            break
        for name, at in new.items():
            steps.setdefault(name, []).append(at)
        problem = Problem(
            data, ThresholdForm.WEIBULL, problem.free, electrothermal=electrothermal, steps=steps
        )
        x = problem.best(2, data.choices.loss)
    for name, places in steps.items():
        notes.append(f"{name}: {len(places)} step(s) of the offset found and taken out.")
    for _ in range(2):
        _renew_sigma(problem, x)
        outliers = np.abs((problem.predicted(x) - problem.response.value) / problem.sigma) > OUTLIER_SIGMAS
        estimated = ~np.isfinite(problem.response.sigma)
        outliers &= problem.used & estimated & (len(problem.devices) < MANY_DEVICES)
        if outliers.sum() <= 0.05 * problem.used.sum():
            if outliers.any():
                notes.append(
                    f"{int(outliers.sum())} of {int(problem.used.sum())} readings lie more than "
                    f"{OUTLIER_SIGMAS:g} standard deviations off and were left out."
                )
            problem.used &= ~outliers
        else:
            notes.append(
                f"{outliers.mean():.0%} of the readings lie far from the law: it does not describe these data well."
            )
        x = problem.solve(x)
    return data, problem, x, notes


def check_described(problem: Problem, x: Floats) -> list[str]:
    """Records that the law does not describe, in words; FitError when it describes the data as a whole not at all."""
    residual = problem.response.value - problem.predicted(x)
    hall = problem.used & problem.response.is_hall
    if hall.any():
        span = float(np.ptp(problem.response.value[hall]))
        size = float(np.sqrt(np.mean(residual[hall] ** 2)))
        if span > 0.0 and size > WORST_MISFIT * span:
            raise FitError(
                f"{problem.data.name}: the law misses the Hall readings by {1e3 * size:.3g} mohm (rms) of "
                f"{1e3 * span:.3g} mohm: no fit. Check the prepared state, the sign of the field, and whether the "
                "contacts were read the other way (`sign: -1`)"
            )
    found = []
    for block in problem.response.blocks:
        seen = problem.response.value[block.rows][problem.used[block.rows]]
        noise = noise_of(seen)
        ratio = float(np.median(problem.sigma[block.rows])) / noise if noise > 0.0 else 0.0
        if block.record.kind is RecordKind.LOOP and len(seen) >= 60 and ratio > POOR_RATIO:
            found.append(
                f"{block.record.name}: its residuals are {ratio:.2g} times its noise; the law misses part of it."
            )
    return found


def _misfits(problem: Problem, x: Floats) -> dict[str, float]:
    """Devices whose residuals are far larger than those of the others, with the ratio."""
    if len(problem.devices) < MANY_DEVICES:
        return {}
    size = np.abs(problem.predicted(x) - problem.response.value) / problem.values(x)["delta_r"]
    hall = problem.used & problem.response.is_hall
    each = [size[hall & (problem.device_of_row == d)] for d in range(len(problem.devices))]
    typical = np.array([float(np.median(one)) if len(one) else 0.0 for one in each])
    usual = float(np.median(typical))
    return {
        problem.devices[d]: float(one / usual)
        for d, one in enumerate(typical)
        if one > BROKEN_RATIO * usual and one > SMALLEST_MISFIT
    }


def _steps(problem: Problem, x: Floats) -> dict[str, int]:
    """The clearest sudden step of the residuals of each long record."""
    found: dict[str, int] = {}
    residual = problem.response.value - problem.predicted(x)
    for block in problem.response.blocks:
        if (
            block.record.kind not in (RecordKind.LOOP, RecordKind.TRAIN)
            or block.rows.stop - block.rows.start < 60
        ):
            continue
        places = np.flatnonzero(problem.used[block.rows])
        r = residual[block.rows][places]
        stated = problem.response.sigma[block.rows][places]
        noise = max(noise_of(r), float(np.median(stated)) if np.isfinite(stated).all() else 0.0)
        if not noise > 0.0:
            continue
        near = 15
        best, where = 0.0, 0
        largest = LARGEST_STEP * float(np.ptp(problem.response.value[block.rows][places]))
        for at in range(near, len(r) - near):
            jump = abs(float(np.median(r[at : at + near]) - np.median(r[at - near : at])))
            if jump > largest:
                continue
            score = jump / (1.25 * noise * math.sqrt(2.0 / near))
            if score > best:
                best, where = score, at
        if best > STEP_SIGMAS:
            # The sharpest split of the neighbourhood is the place.
            part = r[where - near : where + near]
            costs = {
                cut: np.var(part[:cut]) * cut + np.var(part[cut:]) * (len(part) - cut)
                for cut in range(2, len(part) - 1)
            }
            found[block.record.name] = int(places[where - near + min(costs, key=costs.__getitem__)])
    return found


def _renew_sigma(problem: Problem, x: Floats) -> None:
    """Noise of each record whose errors were not stated, from its residuals."""
    residual = problem.predicted(x) - problem.response.value
    loose: list[slice] = []
    for block in problem.response.blocks:
        rows = block.rows
        if np.isfinite(problem.response.sigma[rows]).all():
            continue
        used = residual[rows][problem.used[rows]]
        if len(used) >= 30:
            problem.sigma[rows] = float(np.median(np.abs(used)) / 0.6745)
        else:
            loose.append(rows)
    for kind in {problem.data.records[problem.response.record_of[rows.start]].kind for rows in loose}:
        same = [
            rows
            for rows in loose
            if problem.data.records[problem.response.record_of[rows.start]].kind is kind
        ]
        pooled = np.concatenate([residual[rows][problem.used[rows]] for rows in same])
        total = max(1.0, float(problem.used.sum()))
        left = max(1.0, len(pooled) * (1.0 - problem.size / total))
        for rows in same:
            problem.sigma[rows] = max(math.sqrt(float(np.sum(pooled**2)) / left), 1e-15)
