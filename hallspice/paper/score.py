"""The published facts about networks, and whether trainings meet them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from compact_model.numeric import Floats
from hallspice.paper.results import NetworkFact, PaperRow
from nn_mapping.recipes import Recipe

PUBLISHED: dict[tuple[str, str], tuple[float, ...]] = {
    ("mnist", "float"): (98.79,),
    ("mnist", "six"): (95.21,),
    ("mnist", "binary"): (90.88,),
    ("fashion-mnist", "six"): (86.0, 87.0),
}
"""Accuracies in percent (arXiv:2601.16222, section 4, abstract and summary: both 86 and 87 are printed)."""
PUBLISHED_WEIGHTS = (-1.0, 0.083, 0.333, 0.583, 0.75, 1.0)


def score(
    rows: Sequence[PaperRow], weights: Floats, layers: Sequence[int], recipe: Recipe
) -> tuple[NetworkFact, ...]:
    """Facts 47 to 50 of the table of published facts: what the paper states, what was found, the outcome."""
    mean = {
        (row.dataset, row.weights): float(np.mean(row.paper_recipe_percent))
        for row in rows
        if row.paper_recipe_percent
    }
    digits = [mean["mnist", kind] for kind in ("float", "six", "binary")]
    wanted = [PUBLISHED["mnist", kind][0] for kind in ("float", "six", "binary")]
    within = [abs(a - b) <= limit for a, b, limit in zip(digits, wanted, (0.5, 1.5, 3.0), strict=True)]
    clothes = mean["fashion-mnist", "six"]
    found: list[tuple[str, str, str, str, bool]] = [
        (
            "47",
            "six levels normalised to -1..1: -1, 0.083, 0.333, 0.583, 0.75, 1",
            ", ".join(f"{weight:.4g}" for weight in weights),
            "0.001",
            len(weights) == len(PUBLISHED_WEIGHTS)
            and bool(np.abs(weights - np.array(PUBLISHED_WEIGHTS)).max() <= 1e-3),
        ),
        (
            "48",
            "784-256-128-10, Adam 1e-3, batch 128, 50 epochs, weight decay",
            f"{'-'.join(map(str, layers))}, Adam {recipe.learning_rate:g}, batch {recipe.batch}, {recipe.epochs} "
            f"epochs, decay {recipe.weight_decay:g} (its size is assumed)",
            "exact",
            tuple(layers) == (784, 256, 128, 10)
            and (recipe.learning_rate, recipe.batch, recipe.epochs) == (1e-3, 128, 50)
            and recipe.weight_decay > 0,
        ),
        (
            "49",
            "MNIST 98.79 / 95.21 / 90.88 % (float, six, binary)",
            " / ".join(f"{value:.2f}" for value in digits) + " %",
            "0.5 / 1.5 / 3 points, in this order",
            all(within) and digits[0] > digits[1] > digits[2],
        ),
        (
            "50",
            "Fashion-MNIST six states 86 or 87 %, below MNIST",
            f"{clothes:.2f} % (MNIST {digits[1]:.2f} %)",
            "86.5 +- 1.5 points; sign",
            abs(clothes - 86.5) <= 1.5 and clothes < digits[1],
        ),
    ]
    return tuple(
        NetworkFact(
            number=number, paper=paper, found=value, tolerance=tolerance, outcome="met" if met else "not met"
        )
        for number, paper, value, tolerance, met in found
    )
