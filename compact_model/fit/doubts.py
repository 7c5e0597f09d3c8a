"""What a fit reached that a reader of its card must know: bounds, large drifts, states that were not saturated."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from compact_model.fit.problem import Problem
from compact_model.measured.response import fraction
from compact_model.measured.tables import Start
from compact_model.numeric import Floats

AT_A_BOUND = 1e-3
"""A coordinate nearer to its bound than this share of the way between the bounds stands at it."""

LARGE_DRIFT = 0.2
"""Of what a record spans: a drift that explains more may have taken switching for drift."""

SATURATED = 0.98
"""Share that the largest pulse must switch to settle a state that was not prepared."""


def doubts(problem: Problem, x: Floats) -> list[str]:
    """Sentences about the best coordinates `x` that belong to the top of a report."""
    return [*_at_bounds(problem, x), *_drifts(problem, x), *_unsettled(problem, x)]


def _at_bounds(problem: Problem, x: Floats) -> Iterator[str]:
    for place, (parameter, device) in enumerate(problem.columns):
        low, high = problem.bounds[0][place], problem.bounds[1][place]
        near = AT_A_BOUND * (high - low)
        natural = parameter.low == 0.0 and not parameter.logarithmic  # no threshold lies below zero
        at = [parameter.high] if x[place] > high - near else []
        at += [parameter.low] if x[place] < low + near and not natural else []
        for bound in at:
            where = f" of {problem.devices[device]}" if device >= 0 else ""
            yield (
                f"{parameter.name}{where} stands at its bound of {bound:.4g} {parameter.unit}: the law describes these "
                "data only beyond it, or they say nothing about it (`fit: bounds`)."
            )


def _drifts(problem: Problem, x: Floats) -> Iterator[str]:
    spans = {
        block.record.name: float(np.ptp(problem.response.value[block.rows][problem.used[block.rows]]))
        for block in problem.response.blocks
        if problem.used[block.rows].any()
    }
    for (name, kind), size in zip(problem.nuisance_names, x[len(problem.columns) :], strict=True):
        if kind == "drift" and abs(size) > LARGE_DRIFT * spans[name]:
            yield (
                f"{name}: a drift of {1e3 * size:.3g} mohm was taken out of {1e3 * spans[name]:.3g} mohm; is it one? "
                "`drift: false` fits without."
            )


def _unsettled(problem: Problem, x: Floats) -> Iterator[str]:
    values = problem.values(x)
    drive, _ = problem.response.drive(values)
    reached = fraction(problem.form, drive, values)
    for block in problem.response.blocks:
        most = float(reached[block.rows].max())
        if block.record.start is Start.UNKNOWN and not block.single and most < SATURATED:
            yield (
                f"{block.record.name}: by the fit the largest pulse switches {most:.0%} only, so it does not settle a "
                "state that was not prepared; the reset resistance holds if the rest was in the reset state."
            )
