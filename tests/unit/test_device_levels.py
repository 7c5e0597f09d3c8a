"""Geometry, levels and write energy against the published numbers (arXiv:2601.16222)."""

from __future__ import annotations

import numpy as np
import pytest

from compact_model import stack, switching, synapse
from compact_model.cards.device import DeviceCard, load_card

BOTH = ("A", "B")
SET_B = load_card().with_choices(switching="B")


@pytest.fixture(params=BOTH)
def card(request: pytest.FixtureRequest) -> DeviceCard:
    return load_card().with_choices(switching=request.param)


@pytest.mark.parametrize(("current", "density"), [(11e-3, 2.04e11), (13.01e-3, 2.41e11), (15.4e-3, 2.85e11)])
def test_published_pairs_of_current_and_density(current: float, density: float) -> None:
    # 0.5 %: three printed digits
    assert stack.current_density(load_card(), current) == pytest.approx(density, rel=0.005)


def test_channel_of_six_squares() -> None:
    card = load_card()
    assert stack.channel_resistance(card) == pytest.approx(500.0, rel=1e-12)
    assert stack.arm_resistance(card) == pytest.approx(250.0, rel=1e-12)
    assert stack.transverse_resistance(card) == pytest.approx(500.0, rel=1e-12)
    assert stack.offset_misalignment(card, synapse.offset_resistance(card)) == pytest.approx(28e-9, rel=0.01)


def test_six_states(card: DeviceCard) -> None:
    # printed to 10 mohm, so 5 mohm of rounding and 1 mohm of fit
    assert np.abs(synapse.model_levels(card) - synapse.paper_levels(card)).max() < 6e-3


def test_fraction_at_the_largest_sweep_current(card: DeviceCard) -> None:
    assert switching.switched_fraction(card, 13.01e-3) == pytest.approx(0.68, abs=0.01)


def test_write_energy(card: DeviceCard) -> None:
    assert 86e-6 < synapse.ladder_energy(card) < 89.5e-6


def test_energy_follows_the_resistance_when_it_warms() -> None:
    # 5e-4 /K and 49..96 K of heating: 2.4..4.8 % more, the level-weighted mean 3.9 %
    warm = load_card().with_value("transport.tcr", 5e-4)
    assert synapse.ladder_energy(warm) == pytest.approx(91.8e-6, abs=0.2e-6)


def test_set_b_with_a_warming_resistance_needs_its_own_fit() -> None:
    warm = load_card().with_choices(switching="B").with_value("transport.tcr", 5e-4)
    for path, value in (("j63", 3.921e11), ("shape", 1.347), ("delta_r", 0.2701)):
        warm = warm.with_value(f"switching.set_b.{path}", value)
    assert np.abs(synapse.model_levels(warm) - synapse.paper_levels(warm)).max() < 6e-3
    assert switching.switched_fraction(warm, 13.01e-3) == pytest.approx(0.68, abs=0.01)
    assert synapse.ladder_energy(warm) == pytest.approx(91.8e-6, abs=0.2e-6)


def test_onset_of_disturb() -> None:
    assert switching.disturb_onset_current(load_card()) == pytest.approx(3.757e-3, abs=1e-6)
    assert switching.disturb_onset_current(load_card(), 1.0) == pytest.approx(3.09e-3, abs=0.01e-3)
    b = load_card().with_choices(switching="B")
    assert switching.disturb_onset_current(b) == pytest.approx(4.82e-3, abs=0.01e-3)


def test_inverse_ladder_reaches_the_published_levels(card: DeviceCard) -> None:
    inverse = card.with_choices(ladder="inverse")
    np.testing.assert_allclose(
        synapse.model_levels(inverse), synapse.paper_levels(inverse), rtol=0, atol=1e-9
    )


def test_writing_costs_add_up() -> None:
    card = load_card()
    ladder = synapse.level_cost(card)
    direct = synapse.level_cost(card, synapse.WriteSequence.DIRECT)
    np.testing.assert_allclose(np.cumsum(direct.energy), ladder.energy, rtol=1e-12)
    assert ladder.energy[-1] == pytest.approx(synapse.ladder_energy(card))
    by_pulse = synapse.level_cost(card.with_choices(reset="pulse"))
    assert by_pulse.energy[0] == pytest.approx(0.0154**2 * 500 * 200e-6)
    assert by_pulse.time[-1] == pytest.approx(1.2e-3)


def test_hall_resistance_in_both_coordinates() -> None:
    card = load_card()
    s = np.linspace(0, 1, 5)
    np.testing.assert_allclose(
        synapse.hall_resistance(card, s), synapse.hall_resistance_at(card, 1 - 2 * s), rtol=1e-14
    )


@pytest.mark.parametrize(("h_x", "t_oxide"), [(0.0, 0.7e-9), (100e3 / (4.0 * np.pi), None)])
def test_inverse_of_the_heated_law_under_a_field_and_at_another_thickness(
    h_x: float, t_oxide: float | None
) -> None:
    for share in (0.2, 0.68, 0.9):
        current = switching.programming_current(SET_B, share, h_x=h_x, t_oxide=t_oxide)
        found = switching.switched_fraction(SET_B, current, h_x=h_x, t_oxide=t_oxide)
        assert float(found) == pytest.approx(share, abs=1e-9)
