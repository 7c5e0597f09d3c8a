"""The states of the synapse and their cost: a model that just meets a published fact, and one that just does not."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from compact_model import curves, retention, scaling, spread, stack, switching, synapse
from compact_model.cards.device import DeviceCard, load_card
from compact_model.constants import OERSTED
from compact_model.numeric import Floats
from compact_model.published import answers

CARD = load_card()
SET_B = CARD.with_choices(switching="B")
SAMPLES = np.array([0.0, 0.5e-9, 0.7e-9, 1e-9, 1.5e-9, 2e-9, 2.5e-9])
"""Thicknesses of the published samples [m]."""

Instead = Callable[[ModuleType, str, Callable[..., Any]], Any]


@pytest.mark.parametrize(("error", "passed"), [(5.9e-3, True), (6.1e-3, False), (-6.1e-3, False)])
def test_six_states_to_6_mohm(instead: Instead, error: float, passed: bool) -> None:
    paper = np.array([0.33, 0.46, 0.49, 0.52, 0.54, 0.57])
    instead(synapse, "model_levels", lambda: paper + np.array([0.0, 0.0, 0.001, error, 0.0, 0.0]))
    found = answers.six_states(CARD)
    assert (found.passed, found.number) == (passed, pytest.approx(abs(error)))
    assert found.value.startswith("0.3300, 0.4600, 0.4910, ")
    assert found.value.endswith(f"off by {1e3 * abs(error):.1f} mohm at most")


@pytest.mark.parametrize(("bend", "passed"), [(9.9e-3, True), (10.2e-3, False), (-10.2e-3, False)])
def test_the_line_leaves_out_the_reset_state(instead: Instead, bend: float, passed: bool) -> None:
    # c (1, -1, 0, -1, 1) is at right angles to every line through five levels
    error = 0.5 * bend * np.array([1.0, -1.0, 0.0, -1.0, 1.0])
    levels = np.array([0.0, *(0.46 + 0.02 * np.arange(5) + error)])
    instead(synapse, "model_levels", lambda: levels)
    found = answers.linear_region(CARD)
    assert (found.passed, found.number) == (passed, pytest.approx(abs(0.5 * bend), rel=1e-9))
    assert found.value == f"{1e3 * abs(0.5 * bend):.1f} mohm off a line at most"


def test_the_ladder_is_written_without_a_field() -> None:
    assert answers.no_field(CARD) == answers.FactAnswer(True, "0 Oe")
    assert answers.no_field(CARD.with_value("synapse.h_x", 10.0 * OERSTED)) == answers.FactAnswer(
        False, "10 Oe"
    )


@pytest.mark.parametrize(("loss", "passed"), [(0.0099, True), (0.0101, False), (-0.0101, False)])
def test_less_than_a_percent_is_lost(monkeypatch: pytest.MonkeyPatch, loss: float, passed: bool) -> None:
    def retained(_: DeviceCard, bank: Any, s: Floats, duration: float) -> Floats:
        assert duration == 1e4
        # 68 % by the largest sweep current
        assert float(bank.fraction(s)[0]) == pytest.approx(0.68, abs=0.01)
        return s - loss

    monkeypatch.setattr(retention, "retained", retained)
    found = answers.retained(CARD)
    assert (found.passed, found.number) == (passed, pytest.approx(abs(loss), rel=1e-9))


@pytest.mark.parametrize(("error", "passed"), [(0.9e-3, True), (1.1e-3, False), (-1.1e-3, False)])
def test_the_second_cycle_is_as_the_first(instead: Instead, error: float, passed: bool) -> None:
    first = np.array([0.4, 0.5, 0.3])
    trace = curves.LadderTrace(
        current=np.zeros(6),
        stack=np.concatenate([first, first + np.array([0.0, error, 0.0])]),
        rates=np.concatenate([first, first + np.array([0.0, 0.0, -0.0034])]),
    )
    asked = instead(curves, "ladder_trace", lambda _cycles: trace)
    found = answers.repeatable(CARD)
    assert (found.passed, found.number) == (passed, pytest.approx(abs(error), rel=1e-9))
    assert found.value.startswith(f"{1e3 * abs(error):.1g} mohm by return-point")
    assert found.value.endswith("creeps by 3.4 mohm")
    assert asked.asked == [2]


class Energies:
    """Energies whose least lies at a pulse length, and that fall with the width by a ratio."""

    def __init__(self, instead: Instead, best: float, ratio: float) -> None:
        self.lengths: list[float] = []
        self.widths: list[float] = []

        def current(fraction: float, length: float) -> float:
            assert fraction == 0.68
            return 2.0 + abs(np.log(length / best))

        def energy(amperes: float, length: float) -> float:
            self.lengths.append(length)
            return amperes

        def scaled(width: float, length: float) -> Any:
            assert length == 200e-6
            self.widths.append(width)
            return type("Line", (), {"energy": ratio if width == 5e-6 else 1.0})

        instead(switching, "programming_current", current)
        instead(synapse, "pulse_energy", energy)
        instead(scaling, "scaled_pulse", scaled)


@pytest.mark.parametrize(
    ("card", "best", "ratio", "passed"),
    [
        (CARD, 5e-9, 100.0, True),
        (CARD, 5e-9, 99.1, True),
        (CARD, 5e-9, 98.9, False),
        (CARD, 5e-9, 100.9, True),
        (CARD, 5e-9, 101.1, False),
        (CARD, 1.6e-9, 100.0, True),  # 0.32 t_wall
        (CARD, 1.4e-9, 100.0, False),
        (CARD, 14e-9, 100.0, True),  # 2.8 t_wall
        (CARD, 16e-9, 100.0, False),
        (CARD, 25e-9, 100.0, False),
        (SET_B, 5e-9, 10.1, True),
        (SET_B, 5e-9, 10.0, False),
        (SET_B, 16e-9, 50.0, False),
    ],
)
def test_the_energy_falls_with_size_and_short_pulses(
    instead: Instead, card: DeviceCard, best: float, ratio: float, passed: bool
) -> None:
    told = Energies(instead, best, ratio)
    found = answers.energy_scaling(card)
    assert found.passed is passed
    # twenty lengths a decade from 1 ns to 200 us
    np.testing.assert_allclose(told.lengths, 1e-9 * 2e5 ** (np.arange(107) / 106), rtol=1e-9)
    assert told.widths == [5e-6, 0.5e-6]
    assert found.number == pytest.approx(best, rel=0.06, abs=0)  # to half a step
    assert found.value.startswith(f"E falls {ratio:.0f} times")


def test_the_size_of_a_region_can_not_be_known(instead: Instead) -> None:
    instead(spread, "region_count", lambda: 25)
    assert answers.regions(CARD) == answers.FactAnswer(None, "25 independent regions assumed")


@pytest.mark.parametrize(
    ("shares", "passed"),
    [
        ([0.0, 0.0199, 0.021, 0.03, 0.04, 0.05, 0.06], True),
        ([0.0, 0.0201, 0.021, 0.03, 0.04, 0.05, 0.06], False),
        ([0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.05], False),
        ([0.01, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06], False),
        ([0.03, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06], False),
    ],
)
def test_the_oxide_carries_little(instead: Instead, shares: list[float], passed: bool) -> None:
    patched = instead(stack, "oxide_current_share", lambda _t: np.array(shares))
    found = answers.shunting(CARD)
    assert (found.passed, found.number) == (passed, shares[1])
    assert found.value == f"{100 * shares[1]:.1f} % at 0.5 nm, {100 * shares[-1]:.1f} % at 2.5 nm"
    np.testing.assert_allclose(patched.asked[0], SAMPLES, rtol=1e-12)
