"""Subcircuits as text: golden files per dialect, corners, Spectre wrapper."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from compact_model.cards.device import load_card
from veriloga.corners import corner_library, spectre_cell, spectre_include, threshold_sigma
from veriloga.dialects import Dialect
from veriloga.model import CellModel, cell_model
from veriloga.subcircuit import frozen_subcircuit_text, subcircuit_text

DATA = Path(__file__).parents[1] / "data"
DAY = date(2026, 1, 2)
MODEL = cell_model(load_card(), 8, largest_error=0.2)  # few grains keep the golden files short
HEATED = cell_model(load_card().with_choices(switching="B"), 8, largest_error=0.2)

TEXTS: dict[str, Callable[[], str]] = {
    **{f"cell_{d}.sub": lambda d=d: subcircuit_text(MODEL, d, DAY) for d in Dialect},  # type: ignore[misc]
    **{f"cell_heated_{d}.sub": lambda d=d: subcircuit_text(HEATED, d, DAY) for d in Dialect},  # type: ignore[misc]
    **{f"cell_frozen_{d}.sub": lambda d=d: frozen_subcircuit_text(MODEL, d, DAY) for d in Dialect},  # type: ignore[misc]
    **{f"corners_{d}.lib": lambda d=d: corner_library(MODEL, d, DAY) for d in Dialect},  # type: ignore[misc]
    "cell.scs": lambda: spectre_cell(MODEL, DAY),
    "corners.scs": lambda: spectre_include(MODEL, DAY),
}


def parts(text: str) -> list[str | float]:
    """Words and numbers, so that the last digit of a fitted number may differ between machines; no hash."""
    text = re.sub(r"content [0-9a-f]{16}", "content", text)
    found: list[str | float] = []
    for word in re.split(
        r"((?<![\w.])\d+\.?\d*(?:e[+-]?\d+)?(?!\w))", " ".join(text.split()).replace(" + ", " ")
    ):
        try:
            found.append(float(word))
        except ValueError:
            found.append(word)
    return found


@pytest.mark.parametrize("name", TEXTS)
def test_text_is_the_golden_one(name: str) -> None:
    """Golden files are made by this test with HALLSPICE_GOLDEN=write; look at the difference before keeping it."""
    text, path = TEXTS[name](), DATA / name
    if os.environ.get("HALLSPICE_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    found, wanted = parts(text), parts(path.read_text("utf-8"))
    assert len(found) == len(wanted)
    for ours, theirs in zip(found, wanted, strict=True):
        if isinstance(ours, float) and isinstance(theirs, float):
            assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-9)
        else:
            assert ours == theirs


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("model", [MODEL, HEATED], ids="AB")
def test_every_line_is_complete(model: CellModel, dialect: Dialect) -> None:
    for text in (subcircuit_text(model, dialect, DAY), frozen_subcircuit_text(model, dialect, DAY)):
        joined = re.sub(r"\n\+ ?", " ", text)
        for line in joined.splitlines():
            code = line.partition("*")[0] if line.startswith("*") else line
            assert code.count("(") == code.count(")")
            assert code.count("{") == code.count("}")
            assert code.count("'") % 2 == 0
        assert joined.count(".subckt") == joined.count(".ends") == 1


@pytest.mark.parametrize("dialect", Dialect)
def test_a_dialect_uses_its_own_words_only(dialect: Dialect) -> None:
    code = "\n".join(line for line in subcircuit_text(MODEL, dialect, DAY).splitlines() if line[:1] != "*")
    words = {
        Dialect.NGSPICE: ({"temper", "{", "?"}, {"'", "IF("}),
        Dialect.XYCE: ({"TEMP", "{", "IF("}, {"temper", "'", "?"}),
        Dialect.LTSPICE: ({"temp+", "{", "if("}, {"temper", "'", "?"}),
        Dialect.HSPICE: ({"temper", "'", "?", "VOL=", "CUR="}, {"{", "IF("}),
    }[dialect]
    unbroken = code.replace("\n+ ", "")
    assert all(word in unbroken for word in words[0])
    assert not any(word in unbroken for word in words[1])


@pytest.mark.parametrize("dialect", Dialect)
def test_what_is_not_run_says_so(dialect: Dialect) -> None:
    assert ("not run" in subcircuit_text(MODEL, dialect, DAY)) == (dialect is not Dialect.NGSPICE)


def test_spread_of_the_threshold_explains_the_spread_of_the_fraction() -> None:
    # 0.022 in the fraction at 13 mA, where the fraction rises by 1.3 per unit of ln(current).
    assert threshold_sigma(MODEL) == pytest.approx(0.022 / 1.25, rel=0.1)


def test_a_device_that_does_not_switch_has_no_spread_and_can_still_be_written() -> None:
    thick = cell_model(load_card().with_value("geometry.t_oxide", 2e-9), 8, largest_error=0.2)
    assert threshold_sigma(thick) == 0.0
    assert "5968" not in subcircuit_text(
        thick, Dialect.NGSPICE, DAY
    )  # no interface field of the shipped card
    corner_library(thick, Dialect.NGSPICE, DAY)
