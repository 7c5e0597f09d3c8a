"""The table of parameters in the documentation is the card."""

from __future__ import annotations

from pathlib import Path

from compact_model.cards.device import load_card
from compact_model.cards.listing import markdown, parameters

DOCS = Path(__file__).parents[2] / "docs"


def test_the_documented_parameters_are_the_cards() -> None:
    # the page says how to make it again
    assert (DOCS / "parameters.md").read_text(encoding="utf-8") == markdown()


def test_every_parameter_has_meaning_unit_and_source() -> None:
    table = parameters(load_card())
    assert len(table) > 100
    assert all(p.meaning and p.unit and p.source for p in table)
    assert len({p.name for p in table}) == len(table)
