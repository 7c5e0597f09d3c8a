"""What the reproduction of the paper's networks gave."""

from __future__ import annotations

from typing import Annotated, Literal

from hallspice.networks.results import TrainingRecipe
from hallspice.results import Measure, Report, Result


class PaperRow(Result):
    """Test accuracies of one kind of weights on one data set."""

    dataset: str
    weights: str
    published_percent: Annotated[
        tuple[float, ...], Measure("%", "as published; every figure that is printed")
    ]
    paper_recipe_percent: Annotated[tuple[float, ...], Measure("%", "with the paper's recipe, by seed")]
    good_recipe_percent: Annotated[tuple[float, ...], Measure("%", "with a good recipe, by seed")]
    circuit_percent: Annotated[tuple[float, ...], Measure("%", "good recipe, through the circuit, by seed")]


class NetworkFact(Result):
    """A published fact about networks, and what was found."""

    number: str
    paper: str
    found: str
    tolerance: str
    outcome: Literal["met", "not met"]


class PaperResults(Report):
    """`hallspice paper`."""

    seeds: Annotated[int, Measure("1", "independent trainings of each network")]
    quick: bool
    layers: Annotated[tuple[int, ...], Measure("1", "inputs, and outputs of each layer")]
    rows: tuple[PaperRow, ...]
    facts: tuple[NetworkFact, ...]
    recipes: dict[str, TrainingRecipe]
    pair_epochs: Annotated[int, Measure("1", "epochs of the networks of pairs")]
    confusion: Annotated[
        dict[str, tuple[tuple[int, ...], ...]],
        Measure("1", "test images by class (down) and prediction (across), seed 1, for each network"),
    ]

    def row(self, dataset: str, weights: str) -> PaperRow:
        """The accuracies of some weights on a data set."""
        return next(row for row in self.rows if (row.dataset, row.weights) == (dataset, weights))
