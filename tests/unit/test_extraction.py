"""Levels from repeated ladders, state tables, pulse response."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from compact_model.cards.device import load_card
from compact_model.cards.document import DocumentError
from compact_model.cards.entry import Provenance
from compact_model.cards.quantity import parse_quantity
from compact_model.measured.extraction import (
    LevelTable,
    extract_levels,
    pulse_response,
    read_state_table,
    state_table_card,
    suggested_ladder,
)
from compact_model.measured.reader import load_data
from compact_model.measured.tables import MeasurementError
from compact_model.switching import switched_fraction
from compact_model.synapse import hall_resistance, levels, model_levels

LADDER = Path(__file__).parents[2] / "examples" / "data" / "synthetic_ladder" / "data.yaml"


def test_repeated_ladders_give_the_cards_levels() -> None:
    data = load_data(LADDER)
    table = extract_levels(data)
    card = load_card()
    assert table.cycles == 40
    # four standard errors of a mean of 40
    assert np.all(np.abs(table.mean - model_levels(card)) < 4 * table.sigma / 40**0.5)
    np.testing.assert_allclose(table.confusion.probability.sum(axis=1), 1.0)
    assert table.distinguishable(0.01).tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(MeasurementError, match="1 equal pulse trains, allowed: at least 5"):
        extract_levels(replace(data, records=data.records[:1]))


def test_distinguishable_levels_keep_the_error_rate() -> None:
    rng = np.random.default_rng(2)
    mean = np.sort(rng.uniform(0.0, 1.0, 40))
    table = LevelTable(mean=mean, sigma=rng.uniform(0.005, 0.03, 40), current=np.zeros(40), cycles=9)
    chosen = table.distinguishable(0.01)
    # z(1 %) = 2.3263
    gap = np.diff(mean[chosen])
    assert np.all(gap >= 2.3263 * (table.sigma[chosen][1:] + table.sigma[chosen][:-1]))
    assert len(chosen) >= len(table.distinguishable(0.001))
    with pytest.raises(ValueError, match=r"error_rate = 0\.7 is out of range"):
        table.distinguishable(0.7)


def test_suggested_currents_reach_their_equally_spaced_levels() -> None:
    card = load_card()
    ohm, currents = suggested_ladder(card, extract_levels(load_data(LADDER)), 0.01)
    np.testing.assert_allclose(np.diff(ohm), np.diff(ohm)[0], rtol=1e-9)
    np.testing.assert_allclose(hall_resistance(card, switched_fraction(card, currents)), ohm[1:], atol=1e-12)


def test_a_state_table_becomes_a_card_without_physics(tmp_path: Path) -> None:
    path = tmp_path / "states.csv"
    path.write_text("# ours\nsigma_ohm,mean_ohm\n0.003,0.3\n0.002,0.1\n0.002,0.25\n")
    table = read_state_table(path)
    assert table.mean.tolist() == [0.1, 0.25, 0.3]
    assert table.sigma.tolist() == [0.002, 0.002, 0.003]
    card = state_table_card(table, "ours")
    np.testing.assert_allclose(levels(card), table.mean)
    assert card.synapse.ladder.provenance is Provenance.ASSUMED


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mean,sigma_ohm\n1,2\n", "no column mean_ohm"),
        ("mean_ohm,sigma_ohm\n0.1,x\n", r"states\.csv:2:2 sigma_ohm: is no number: 'x'"),
        ("mean_ohm,sigma_ohm\n0.1,1_0\n", r"states\.csv:2:2 sigma_ohm: is no number: '1_0'"),
        ("mean_ohm,sigma_ohm\n\u0663,0.1\n", r"states\.csv:2:1 mean_ohm: is no number: '\u0663'"),
        ("mean_ohm,sigma_ohm,note\n0.1,0.1,x\n", r"states\.csv:2:3 note: is no number: 'x'"),
        ("mean_ohm,sigma_ohm\n0.1\n", r"states\.csv:2:1: has 1 fields, allowed: 2"),
        ("mean_ohm,sigma_ohm\n0.1,0.1\n", "two states or more"),
        ("mean_ohm,sigma_ohm\n0.1,0.1\n0.1,0.1\n", "two states or more"),
        ("", "no column mean_ohm, sigma_ohm"),
    ],
)
def test_wrong_state_tables_are_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "states.csv"
    path.write_text(text)
    with pytest.raises(DocumentError, match=said):
        read_state_table(path)


def test_pulse_response_runs_from_end_to_end_and_mirrors() -> None:
    rows = pulse_response(load_card(), 16)
    up, down = ([row[key] for row in rows] for key in ("state_up", "state_down"))
    assert (up[0], up[-1], down[0], down[-1]) == (0.0, 1.0, 1.0, 0.0)
    assert np.all(np.diff(up) > 0.0)
    np.testing.assert_allclose(np.add(up, down), 1.0)


@pytest.mark.parametrize(
    "synapse", [{"t_pulse": "0.001 ns"}, {"ladder": [1e-6, 1.1e-6, 1.2e-6, 1.3e-6, 1.4e-6]}]
)
def test_a_card_whose_pulses_switch_nothing_has_no_response(synapse: dict[str, object]) -> None:
    card = load_card()
    changed = {
        name: getattr(card.synapse, name).model_copy(
            update={"value": tuple(value) if isinstance(value, list) else parse_quantity(value, "s")}
        )
        for name, value in synapse.items()
    }
    still = card.model_copy(update={"synapse": card.synapse.model_copy(update=changed)})
    with pytest.raises(ValueError, match=r"the largest write current of the card, .* switches nothing"):
        pulse_response(still)
