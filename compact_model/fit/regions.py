"""Number of independent switching regions from the spread of repeated readings."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from compact_model.fit.problem import MANY_DEVICES, Problem
from compact_model.measured.response import fraction
from compact_model.numeric import Floats


def regions(problem: Problem, x: Floats) -> tuple[float, float, float] | None:
    """Number of independent regions from the spread between devices, with its 95 % interval.

    N quenched thresholds make F(u) of a device differ from the law by a Brownian bridge, of covariance
    (min(F, F') - F F')/N. What the device's own offset and artefacts take up of it is projected out of the
    expectation as it is out of the residuals. None when devices are few or were not measured alike.
    """
    blocks, count = problem.response.blocks, len(problem.devices)
    lengths = {block.rows.stop - block.rows.start for block in blocks}
    if count < MANY_DEVICES or len(blocks) != count or len(lengths) != 1 or blocks[0].single:
        return None
    values = problem.values(x)
    window = float(np.mean(values["delta_r"]))
    drive, target = problem.response.drive(values)
    reached = fraction(problem.form, drive, values)
    matrix, _ = problem.response.memories(drive, target)
    residual = problem.response.value - problem.predicted(x)
    s = problem.response.fractions(values)
    expected, seen, still = 0.0, 0.0, []
    degrees = 0.0
    for block in blocks:
        rows = np.arange(block.rows.start, block.rows.stop)
        kept = rows[problem.used[rows]]
        own = problem.nuisance[kept]
        own = np.column_stack([np.ones(len(kept)), own[:, np.any(own != 0.0, axis=0)]])
        project = np.eye(len(kept)) - own @ np.linalg.pinv(own)
        f = reached[rows]
        bridge = np.minimum(f[:, None], f[None, :]) - np.outer(f, f)
        spread = project @ matrix[kept][:, rows].toarray()
        expected += float(np.sum((spread @ bridge) * spread))
        left = project @ residual[kept]
        seen += float(left @ left)
        degrees += float(np.trace(project))
        quiet = (np.diff(kept) == 1) & (np.abs(np.diff(s[kept])) < 1e-4)
        still.append(np.diff(residual[kept])[quiet])
    quiet_steps = np.concatenate(still)
    noise = float(np.median(np.abs(quiet_steps))) / 0.6745 / math.sqrt(2.0) if len(quiet_steps) > 20 else 0.0
    excess = (seen - degrees * noise**2) / window**2
    if excess <= 0.0:
        return None
    regions, freedom = expected / excess, count - 1
    low, high = (float(stats.chi2.ppf(share, freedom)) / freedom for share in (0.025, 0.975))
    return regions, low * regions, high * regions
