"""The circuit model as data and as text, without a compiler or a simulator."""

from __future__ import annotations

import re
from datetime import date

import numpy as np
import pytest

from compact_model.cards.device import load_card
from veriloga.equations import Instance, Unknowns, residual, torque_factor
from veriloga.model import SHORT_LENGTHS, cell_model
from veriloga.verilog_a import verilog_a_text

CARD = load_card()
DAY = date(2026, 1, 2)


def test_default_bank_meets_the_stated_error_and_says_where() -> None:
    accuracy = cell_model(CARD).accuracy
    assert accuracy.largest <= 0.01
    assert 1e-6 <= accuracy.length <= 1e-2
    assert len(accuracy.short) == len(SHORT_LENGTHS)


@pytest.mark.parametrize(("grains", "known"), [(8, 0.117), (12, 0.059), (16, 0.033), (24, 0.0129)])
def test_coarser_banks_have_the_known_errors(grains: int, known: float) -> None:
    # Known to three digits at 300 K and 9 lengths; colder ambients and lengths in between are a little worse.
    error = cell_model(CARD, grains, largest_error=1.0).accuracy.largest
    assert known * 0.98 <= error <= known * 1.15


def test_a_grid_that_misses_the_allowed_error_is_refused_with_both_numbers() -> None:
    with pytest.raises(ValueError, match=r"grains = 8: .* differs .* by 0\.12 .* allowed: 0\.01"):
        cell_model(CARD, 8)


@pytest.mark.parametrize("grains", [3, 257])
def test_number_of_grains_has_a_range(grains: int) -> None:
    with pytest.raises(ValueError, match=f"grains = {grains} is out of range, allowed: 4 to 256"):
        cell_model(CARD, grains)


def test_programmed_states_hold_the_fraction_and_fill_from_below() -> None:
    model = cell_model(CARD)
    for s0 in (0.0, 0.2, 0.68, 1.0):
        states = model.grain_states(s0)
        assert model.device.bank.fraction(states) == pytest.approx(s0, abs=1e-12)
        assert np.all(np.diff(states) <= 1e-12)


def test_digest_follows_the_card() -> None:
    assert cell_model(CARD).digest != cell_model(CARD.with_value("switching.delta", 55.0)).digest


@pytest.mark.parametrize(
    ("h_x", "m_i", "q", "sign"),
    [
        (0.0, 1, 1, 1),
        (0.0, 1, -1, 0),
        (0.0, -1, -1, -1),
        (0.0, -1, 1, 0),
        (0.0, 0, 1, 0),
        (-2.0e5, 1, -1, -1),
        (2.0e5, -1, 1, 1),
        (5e4, 1, -1, 1),
    ],
)
def test_polarity_follows_the_truth_table(h_x: float, m_i: int, q: int, sign: int) -> None:
    assert np.sign(torque_factor(cell_model(CARD), h_x, m_i, q)) == sign


@pytest.mark.parametrize("kind", ["A", "B"])
def test_power_of_the_cell_is_what_its_terminals_take(kind: str) -> None:
    model = cell_model(CARD.with_choices(switching=kind), largest_error=1.0)
    rng = np.random.default_rng(5)
    terminals = rng.uniform(-5, 5, (30, 4))
    # With the centre where its own equation holds, no current leaves there.
    weights = np.array([1 / 250.0] * 4)
    unknowns = Unknowns(
        terminals=terminals,
        centre=terminals @ weights / weights.sum(),
        deviation=rng.uniform(0, 1, (30, model.grains)),
        rise=np.zeros((30, 2)),
    )
    result = residual(model, Instance(s0=np.zeros(model.grains)), unknowns)
    assert np.abs(result.centre).max() < 1e-15
    assert np.abs(result.terminals.sum(axis=-1)).max() < 1e-15
    assert np.all(result.power > 0.0)


@pytest.mark.parametrize("kind", ["A", "B"])
def test_module_is_reproducible_and_carries_its_card(kind: str) -> None:
    model = cell_model(CARD.with_choices(switching=kind), largest_error=1.0)
    text = verilog_a_text(model, DAY)
    assert text == verilog_a_text(model, DAY)
    head = text.partition("`include")[0]
    for part in (
        "2026-01-02",
        model.digest,
        CARD.name,
        f"{model.accuracy.largest:.2g}",
        "measured",
        "assumed",
    ):
        assert part in head


def test_every_parameter_of_the_module_has_unit_description_and_the_default_of_the_model() -> None:
    model = cell_model(CARD)
    text = verilog_a_text(model, DAY)
    found = re.findall(
        r'\(\* (type="instance", )?units="([^"]+)", desc="([^"]+)" \*\)\s+'
        r"parameter (real|integer) (\w+) = ([^ ;]+)( from [^;]+)?;",
        text,
    )
    assert len(found) == len(model.parameters) == len(re.findall(r"^\s+parameter ", text, re.MULTILINE))
    for (kind, unit, meaning, number, name, value, allowed), parameter in zip(
        found, model.parameters, strict=True
    ):
        assert name == parameter.name
        assert float(value) == pytest.approx(parameter.value, rel=1e-14, abs=0.0)
        assert (unit, meaning) == (parameter.allowed.unit, parameter.allowed.meaning)
        assert bool(kind) == parameter.instance
        assert (number == "integer") == parameter.integer
        assert allowed == parameter.verilog_range


def test_module_keeps_to_the_portable_subset() -> None:
    text = verilog_a_text(cell_model(CARD), DAY)
    code = re.sub(r"//.*|\"[^\"]*\"", "", text)
    forbidden = r"analysis|\bidt\b|initial_step|localparam|absdelay|genvar|generate|\$random|\$rdist"
    forbidden += r"|transition|@|laplace"
    assert not re.search(forbidden, code)
    assert not re.search(r"parameter (real|integer) (m|temp|dtemp|ic|off|area)\b", code)
