"""The sparse form of return-point memory equals the stack, and predictions equal the card's law."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from compact_model import preisach, switching, synapse
from compact_model.cards.device import load_card
from compact_model.measured.laboratory import Imperfections, Laboratory
from compact_model.measured.records import Record
from compact_model.measured.response import FitResponse, ThresholdForm, card_values, memory
from compact_model.measured.tables import Start

LAW = switching.switching_law(load_card())
pulses = st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=30)


@given(pulses, st.booleans())
@settings(max_examples=150, deadline=None)
def test_sparse_memory_equals_the_stack(sequence: list[tuple[int, bool]], start_high: bool) -> None:
    u = np.array([0.2 * level for level, _ in sequence])
    target = np.array([float(up) for _, up in sequence])
    found = memory(u, target, 1.0 if start_high else 0.0)
    s = found.constant + found.matrix @ LAW.fraction(u)
    state = preisach.saturated(-1 if start_high else 1)
    for place, (reached, wanted) in enumerate(zip(u, target, strict=True)):
        state = state.pulsed(float(reached), float(wanted)) if reached > 0.0 else state
        # sums of at most 30 terms of order one
        assert abs(state.switched_fraction(LAW) - s[place]) < 1e-12


def sweep(currents: list[float], t_pulse: list[float], h_x: float = 0.0) -> Record:
    laboratory = Laboratory(card=load_card(), imperfections=Imperfections(), rng=np.random.default_rng(0))
    return laboratory.sweep(np.array(currents), np.array(t_pulse), h_x)


def test_single_pulses_equal_the_closed_law_in_both_sets() -> None:
    for choice, electrothermal in (("A", False), ("B", True)):
        card = load_card().with_choices(switching=choice)
        for current, length, field in ((13.01e-3, 200e-6, 0.0), (12e-3, 1e-6, 0.0), (9e-3, 1e-3, 3e4)):
            record = sweep([current], [length], field)
            response = FitResponse(card, [record], ThresholdForm.WEIBULL, electrothermal=electrothermal)
            s = response.fractions(card_values(card, electrothermal=electrothermal))
            expected = switching.switched_fraction(card, current, length, field)
            assert abs(float(s[0]) - float(expected)) < 1e-12


def test_ladder_equals_the_cards_levels() -> None:
    card = load_card()
    ladder = synapse.ladder_currents(card)
    record = sweep(ladder.tolist(), [200e-6] * len(ladder))
    response = FitResponse(card, [record], ThresholdForm.WEIBULL, electrothermal=False)
    predicted = response.predicted(card_values(card, electrothermal=False))
    np.testing.assert_allclose(predicted, synapse.model_levels(card)[1:], atol=1e-12)


def test_order_is_renewed_when_parameters_reorder_mixed_pulses() -> None:
    card = load_card()
    record = sweep([12e-3, -11.5e-3], [1e-6, 2e-3])
    response = FitResponse(card, [record], ThresholdForm.WEIBULL, electrothermal=False)
    values = card_values(card, electrothermal=False)
    first = response.fractions(values)
    again = response.fractions({**values, "delta": 400.0})
    fresh = FitResponse(card, [record], ThresholdForm.WEIBULL, electrothermal=False).fractions(
        {**values, "delta": 400.0}
    )
    np.testing.assert_array_equal(again, fresh)
    assert first[1] == 0.0 < again[1]  # long pulses reach further only when the barrier is low


def test_equal_pulses_count_as_one_long_pulse() -> None:
    card = load_card()
    record = sweep([13e-3] * 10, [200e-6] * 10)
    response = FitResponse(card, [record], ThresholdForm.WEIBULL, electrothermal=False)
    s = response.fractions(card_values(card, electrothermal=False))
    assert abs(float(s[-1]) - float(switching.switched_fraction(card, 13e-3, 2e-3))) < 1e-12


def test_closed_gate_switches_nothing() -> None:
    record = replace(sweep([15e-3, -15e-3], [200e-6] * 2), start=Start.MINUS)
    response = FitResponse(load_card(), [record], ThresholdForm.WEIBULL, electrothermal=False)
    np.testing.assert_array_equal(
        response.fractions(card_values(load_card(), electrothermal=False)), [1.0, 1.0]
    )
