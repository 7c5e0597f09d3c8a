"""The scoreboard of published facts."""

from __future__ import annotations

import pytest

from compact_model.cards.device import load_card
from compact_model.published.facts import FACTS, Fact, FactResult, Standing, Status, scoreboard


@pytest.fixture(scope="module")
def results() -> list[FactResult]:
    return scoreboard(load_card())


def test_all_52_facts_are_there(results: list[FactResult]) -> None:
    assert [fact.number for fact in FACTS] == list(range(1, 53))
    assert {result.fact.number for result in results} == set(range(1, 53))


def test_the_shipped_card_meets_every_fact_that_a_device_can_meet(results: list[FactResult]) -> None:
    failing = [(r.fact.number, r.switching, r.value) for r in results if r.status is Status.FAILS]
    assert failing == []
    assert [r.fact.number for r in results if r.status is Status.NETWORK] == [47, 48, 49, 50]


BOTH_SETS = {*range(19, 29), 30, *range(32, 42), *range(43, 47)}
"""Facts about switching, and what follows from the window of a set; all others are about fields and transport."""


def test_both_parameter_sets_are_judged_where_they_enter(results: list[FactResult]) -> None:
    for number in range(1, 53):
        found = [r.switching for r in results if r.fact.number == number]
        network = 47 <= number <= 50
        assert found == (["A", "B"] if number in BOTH_SETS else ["-"] if network else ["A, B"])


@pytest.mark.parametrize("fact", [one for one in FACTS if not one.both_sets and one.evaluate is not None])
def test_a_fact_that_is_judged_once_does_not_depend_on_the_set(fact: Fact) -> None:
    card = load_card()
    assert fact.evaluate is not None
    assert fact.evaluate(card) == fact.evaluate(card.with_choices(switching="B"))


def test_densities_and_fractions_are_those_of_the_paper(results: list[FactResult]) -> None:
    told = {(r.fact.number, r.switching): r.number for r in results}
    # over 5 um x 10.8 nm
    for number, milliamperes in ((1, 11.0), (2, 15.4), (3, 13.01)):
        assert told[number, "A, B"] == pytest.approx(milliamperes * 1e-3 / 5.4e-14, rel=1e-12)
    for number, percent in ((24, 68.0), (26, 79.0)):
        for one in "AB":
            assert told[number, one] == pytest.approx(percent / 100.0, abs=5e-4)
    printed = [r.status for r in results if r.fact.number == 51]
    assert printed == [Status.NOT_KNOWABLE]


def test_fit_constraints_say_so() -> None:
    assert {fact.number for fact in FACTS if fact.standing is Standing.FIT} == {11, 24, 26, 40, 44}
    assert "fit constraint" in FACTS[23].note


@pytest.mark.parametrize(
    ("path", "value", "number"),
    [
        ("switching.set_a.j63", 2.6e11, 24),
        ("switching.set_a.delta_r", 0.32, 40),
        ("synapse.t_pulse", 100e-6, 44),
        ("geometry.w_channel", 4e-6, 1),
        ("control.k_s", 1.3e-3, 16),
        ("transport.rho_oxide", 1e-6, 52),
        ("switching.delta", 30.0, 43),
    ],
)
def test_a_wrong_card_fails_the_fact_it_breaks(path: str, value: float, number: int) -> None:
    broken = scoreboard(load_card().with_value(path, value))
    assert Status.FAILS in {r.status for r in broken if r.fact.number == number}
