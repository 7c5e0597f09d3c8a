import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallspice.sweeps import figures
from hallspice.sweeps.results import PointOutcome, PointValues
from hallspice.sweeps.summary import Design, Summary, not_dominated, summary

shares = st.integers(0, 6).map(lambda value: value / 6)


@given(st.lists(st.tuples(shares, shares), max_size=12))
def test_the_front_is_what_nothing_dominates(numbers: list[tuple[float, float]]) -> None:
    designs = [
        Design(inputs={"n": n}, accuracies=(accuracy,), energies=(energy,))
        for n, (accuracy, energy) in enumerate(numbers)
    ]

    def dominates(one: Design, other: Design) -> bool:
        return (
            one.accuracy >= other.accuracy
            and one.energy <= other.energy
            and (one.accuracy, one.energy) != (other.accuracy, other.energy)
        )

    expected = [one for one in designs if not any(dominates(other, one) for other in designs)]
    front = not_dominated(designs)
    assert {design.inputs["n"] for design in front} == {design.inputs["n"] for design in expected}
    assert [design.energy for design in front] == sorted(design.energy for design in front)


def _values(accuracy: float, energy: float) -> PointValues:
    numbers = dict.fromkeys(PointValues.model_fields, 0)
    given = {"accuracy": accuracy, "energy_j": energy, "accuracy_programmed": None, "certificate": "not run"}
    return PointValues(**numbers | given)


def _sweep(rows: list[int], wires: list[float], seeds: int = 1) -> Summary:
    """Accuracy falls with the wire alone, energy rises with the rows; the last row of the largest wire fails."""
    found = []
    for row, wire, seed in itertools.product(rows, wires, range(seeds)):
        if (row, wire) == (rows[-1], wires[-1]):
            outcome = PointOutcome(error="ValueError: no\nmore", seconds=1.0)
        else:
            outcome = PointOutcome(values=_values(0.9 - wire / 10 + 0.01 * seed, 1e-6 * row), seconds=1.0)
        found.append(({"array.rows": row, "r_ohm": wire}, seed, outcome))
    return summary(found, {"array.rows": ["array.rows"], "wire": ["r_ohm"]})


def test_rows_means_and_effects() -> None:
    found = _sweep([32, 64], [0.1, 1.0], seeds=2)
    assert found.columns == [
        "array.rows",
        "r_ohm",
        "seed",
        *(name for name in PointValues.model_fields if name != "accuracy_programmed"),
        "error",
        "seconds",
    ]
    assert found.columns[3:6] == ["accuracy", "energy_j", "latency_s"]
    assert [bool(row["error"]) for row in found.rows] == [False] * 6 + [True] * 2
    assert found.rows[-1]["accuracy"] is None
    assert found.failures_by_error == {"ValueError: no": 2}
    assert len(found.designs) == 3
    assert found.designs[0].accuracy == pytest.approx(0.895)  # of the two seeds
    assert [design.inputs for design in found.pareto] == [{"array.rows": 32, "r_ohm": 0.1}]
    assert [effect.name for effect in found.effects] == ["wire", "array.rows"]
    assert found.effects[0].accuracy_span == pytest.approx(0.09)
    assert "wire moves the mean accuracy most: 80.50 % at 1, 89.50 % at 0.1" in found.findings[-1]


def test_many_values_are_cut_into_groups() -> None:
    wires = [0.01 * number for number in range(1, 41)]
    effect = _sweep([32, 64], wires).effects[0]
    assert effect.labels == ("0.01 to 0.1", "0.11 to 0.2", "0.21 to 0.3", "0.31 to 0.4")
    assert list(effect.accuracies) == sorted(effect.accuracies, reverse=True)


@pytest.mark.parametrize(
    ("wires", "seeds"), [([0.1], 1), ([0.1, 1.0], 3), ([0.1 * n for n in range(1, 20)], 1)]
)
def test_figures_of_few_and_of_many_values(wires: list[float], seeds: int) -> None:
    found = _sweep([32, 64, 128], wires, seeds)
    drawing = figures.pareto(found)
    assert drawing.count("not dominated") == 1
    assert "energy per inference" in drawing
    assert "mean accuracy (%)" in figures.effects(found)


def test_a_sweep_in_which_everything_failed_has_a_table() -> None:
    found = _sweep([32], [0.1])
    assert found.designs == []
    assert found.findings == []
    assert len(found.failures) == 1
