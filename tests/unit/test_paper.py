"""The plan of the reproduction and the score of the published facts."""

import numpy as np
import pytest

from hallspice.paper.paper import LAYERS, level_sets, trainings
from hallspice.paper.results import PaperRow
from hallspice.paper.score import score
from nn_mapping.levels import PAPER_LEVELS_OHM
from nn_mapping.recipes import GOOD, PAPER

SETS = level_sets(np.array(PAPER_LEVELS_OHM))


def rows(float_: float, six: float, binary: float, clothes: float) -> list[PaperRow]:
    values = {("mnist", "float"): float_, ("mnist", "six"): six, ("mnist", "binary"): binary}
    values["fashion-mnist", "six"] = clothes
    return [
        PaperRow(
            dataset=dataset,
            weights=weights,
            published_percent=(),
            paper_recipe_percent=(value - 0.1, value + 0.1),
            good_recipe_percent=(),
            circuit_percent=(),
        )
        for (dataset, weights), value in values.items()
    ]


def outcomes(*values: float) -> list[str]:
    return [fact.outcome for fact in score(rows(*values), SETS["six"].weights, LAYERS, PAPER)]


def test_facts_are_met_within_their_tolerance_only() -> None:
    assert outcomes(98.79, 95.21, 90.88, 86.5) == ["met"] * 4
    assert outcomes(98.2, 95.21, 90.88, 86.5) == ["met", "met", "not met", "met"]
    assert outcomes(98.79, 95.21, 90.88, 84.9) == ["met", "met", "met", "not met"]
    assert outcomes(98.79, 93.9, 93.8, 94.0)[2:] == ["met", "not met"]  # clothes above digits


def test_another_recipe_or_level_set_is_not_the_papers() -> None:
    facts = score(rows(98.79, 95.21, 90.88, 86.5), SETS["pair"].weights, LAYERS, GOOD)
    assert [fact.outcome for fact in facts] == ["not met", "not met", "met", "met"]


def test_the_plan_holds_every_network_once() -> None:
    plan = trainings(2)
    assert len(plan) == len(set(plan)) == 2 * 2 * (3 * 2 + 1)
    assert {task.recipe.epochs for task in plan if task.weights != "pair"} == {50}
    assert {task.recipe.epochs for task in trainings(1, quick=True)} == {1}


def test_level_sets() -> None:
    assert SETS["binary"].weights.tolist() == pytest.approx([-1, 1])
    assert [len(levels.weights) for levels in SETS.values()] == [6, 2, 23]
