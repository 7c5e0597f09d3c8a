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
    """Facts 47 to 50 of the table of published facts: what the paper states, what was found, the outcome.

    Accuracies are judged after the last epoch; the paper does not say which epoch counts, so that what only the best
    epoch on the test images meets is told apart.

    Parameters
    ----------
    rows
        Accuracies of networks that `recipe` trained; other rows are passed over.
    weights
        Levels of the device as weights.
    layers
        Inputs, and outputs of each layer.
    """
    mine = {(row.dataset, row.weights): row for row in rows if row.recipe == recipe.name}
    digits = [mine["mnist", kind] for kind in ("float", "six", "binary")]
    clothes = mine["fashion-mnist", "six"]
    last, best = [row.last for row in digits], [row.best for row in digits]
    return (
        NetworkFact(
            number="47",
            paper="six levels normalised to -1..1: -1, 0.083, 0.333, 0.583, 0.75, 1",
            found=", ".join(f"{weight:.4g}" for weight in weights),
            tolerance="0.001",
            outcome="met"
            if len(weights) == len(PUBLISHED_WEIGHTS)
            and np.abs(weights - np.array(PUBLISHED_WEIGHTS)).max() <= 1e-3
            else "not met",
        ),
        NetworkFact(
            number="48",
            paper="784-256-128-10, Adam 1e-3, batch 128, 50 epochs, weight decay",
            found=f"{'-'.join(map(str, layers))}, Adam {recipe.learning_rate:g}, batch {recipe.batch}, {recipe.epochs} "
            f"epochs, decay {recipe.weight_decay:g} (its size is assumed)",
            tolerance="exact",
            outcome="met"
            if tuple(layers) == (784, 256, 128, 10)
            and (recipe.learning_rate, recipe.batch, recipe.epochs) == (1e-3, 128, 50)
            and recipe.weight_decay > 0
            else "not met",
        ),
        _fact(
            "49",
            "MNIST 98.79 / 95.21 / 90.88 % (float, six, binary)",
            f"{_percents(last)} %; best epochs {_percents(best)} %",
            "0.5 / 1.5 / 3 points, in this order",
            last=_digits_agree(last),
            best=_digits_agree(best),
        ),
        _fact(
            "50",
            "Fashion-MNIST six states 86 or 87 %, below MNIST",
            f"{clothes.last:.2f} % (MNIST {last[1]:.2f} %); best epochs {clothes.best:.2f} % ({best[1]:.2f} %)",
            "86.5 +- 1.5 points; sign",
            last=_clothes_agree(clothes.last, last[1]),
            best=_clothes_agree(clothes.best, best[1]),
        ),
    )


def _fact(number: str, paper: str, found: str, tolerance: str, *, last: bool, best: bool) -> NetworkFact:
    return NetworkFact(
        number=number,
        paper=paper,
        found=found,
        tolerance=tolerance,
        outcome="met" if last else "met by the best epoch alone" if best else "not met",
    )


def _percents(values: Sequence[float]) -> str:
    return " / ".join(f"{value:.2f}" for value in values)


def _digits_agree(digits: Sequence[float]) -> bool:
    wanted = [PUBLISHED["mnist", kind][0] for kind in ("float", "six", "binary")]
    within = [abs(a - b) <= limit for a, b, limit in zip(digits, wanted, (0.5, 1.5, 3.0), strict=True)]
    return all(within) and digits[0] > digits[1] > digits[2]


def _clothes_agree(clothes: float, digits: float) -> bool:
    return abs(clothes - 86.5) <= 1.5 and clothes < digits
