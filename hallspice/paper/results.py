"""What the reproduction of the paper's networks gave."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np

from hallspice.networks.results import TrainingRecipe
from hallspice.results import Measure, Report, Result

LAST_EPOCHS = 10
"""Epochs at the end of a training that are averaged, for networks that jump from one epoch to the next."""


class PaperRow(Result):
    """Test accuracies of one kind of weights on one data set, trained by one recipe."""

    dataset: str
    weights: str
    recipe: str
    published_percent: Annotated[
        tuple[float, ...], Measure("%", "as published; every figure that is printed")
    ]
    last_percent: Annotated[tuple[float, ...], Measure("%", "after the last epoch, by seed")]
    best_percent: Annotated[
        tuple[float, ...], Measure("%", "of the epoch that is best on the test images themselves, by seed")
    ]
    last_ten_percent: Annotated[tuple[float, ...], Measure("%", "mean of the last ten epochs, by seed")]
    circuit_percent: Annotated[
        tuple[float, ...],
        Measure("%", "after the last epoch, through the circuit, by seed; none: not evaluated"),
    ]

    @property
    def last(self) -> float:
        """Mean of the seeds, last epoch [%]."""
        return float(np.mean(self.last_percent))

    @property
    def best(self) -> float:
        """Mean of the seeds, best epoch on the test images [%]."""
        return float(np.mean(self.best_percent))


class NetworkFact(Result):
    """A published fact about networks, and what was found."""

    number: str
    paper: str
    found: str
    tolerance: str
    outcome: Literal["met", "met by the best epoch alone", "not met"]


class PaperResults(Report):
    """`hallspice paper`."""

    seeds: Annotated[tuple[int, ...], Measure("1", "seeds of the trainings of each network")]
    quick: bool
    layers: Annotated[tuple[int, ...], Measure("1", "inputs, and outputs of each layer")]
    rows: tuple[PaperRow, ...]
    facts: tuple[NetworkFact, ...]
    recipes: dict[str, TrainingRecipe]
    pair_epochs: Annotated[int, Measure("1", "epochs of the networks of pairs")]
    confusion: Annotated[
        dict[str, tuple[tuple[int, ...], ...]],
        Measure("1", "test images by class (down) and prediction (across), first seed, for each network"),
    ]

    def row(self, dataset: str, weights: str, recipe: str) -> PaperRow | None:
        """The accuracies of some weights on a data set; None where that recipe was not asked for."""
        wanted = (dataset, weights, recipe)
        return next((row for row in self.rows if (row.dataset, row.weights, row.recipe) == wanted), None)
