"""What a card that was fitted must say: how it replays its data, bounds, drifts, windows that nothing fixes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compact_model.cards.device import DeviceCard, load_card
from compact_model.constants import OERSTED
from compact_model.fit.doubts import doubts
from compact_model.fit.fitted_card import fitted_card
from compact_model.fit.fitting import FitResult, fit_data
from compact_model.fit.intervals import determined
from compact_model.fit.parameters import candidates
from compact_model.fit.problem import Problem, with_data
from compact_model.fit.replay import replayed
from compact_model.hallbar import hall_bar
from compact_model.measured.reader import load_data
from compact_model.measured.records import DataSet, Record
from compact_model.measured.response import ThresholdForm, card_values
from compact_model.measured.tables import FitChoices, RecordKind, Start
from compact_model.numeric import Floats

CARD = load_card()
CURRENT = np.array([11.0, 12.5, 14.0, 15.5, -11.0, -13.0, -16.0, 12.0, 13.0]) * 1e-3


def pulses(**changes: Any) -> Record:
    count = len(changes.get("current", CURRENT))
    made = Record(
        name="one",
        kind=RecordKind.LOOP,
        device="a",
        start=Start.PLUS,
        t_oxide=0.5e-9,
        current=CURRENT,
        t_pulse=np.full(count, 2e-4),
        h=np.zeros(count),
        value=np.linspace(0.33, 0.57, count),
        sigma=np.full(count, 1e-3),
        drift=False,
        even=False,
    )
    return replace(made, **changes)


def data_of(*records: Record, card: DeviceCard = CARD) -> DataSet:
    return DataSet(
        name="x",
        description="",
        synthetic=False,
        card=card,
        records=records,
        excluded=(),
        artefacts=(),
        choices=FitChoices(starts=1),
    )


def problem_of(*records: Record, names: tuple[str, ...] = ("r_reset", "delta_r", "j63")) -> Problem:
    data = data_of(*records)
    free = [
        p for p in candidates(CARD, data, ThresholdForm.WEIBULL, electrothermal=False) if p.symbol in names
    ]
    return Problem(data, ThresholdForm.WEIBULL, free, electrothermal=False)


def rate_law(record: Record, card: DeviceCard) -> Floats:
    """Pulse after pulse on one device."""
    device = hall_bar(card)
    state = device.prepared()
    if record.start is Start.MINUS:
        state = device.saturated(state, -device.h_sat)
    found = []
    for current, length, h_x in zip(record.current, record.t_pulse, record.h, strict=True):
        state = device.pulsed(state, float(current), float(length), float(h_x))
        found.append(
            card.hall.r_reset.value
            + card.switching.set_a.delta_r.value * float(device.bank.fraction(state.s)[0])
        )
    return np.array(found)


@pytest.fixture(scope="module")
def result() -> FitResult:
    """What a fit says of two devices of two thicknesses, started from either state, and a field loop."""
    field = np.linspace(2e5, -2e5, 12)
    loop = pulses(
        name="loop",
        kind=RecordKind.FIELD_LOOP,
        current=np.zeros(12),
        h=field,
        sigma=None,
        value=0.4666 - 0.1366 * np.sign(field),
    )
    first, second = (
        pulses(),
        pulses(
            name="two",
            device="b",
            kind=RecordKind.TRAIN,
            start=Start.MINUS,
            h=np.full(9, -800 * OERSTED),
            t_oxide=0.7e-9,
        ),
    )
    own = CARD.with_value("geometry.t_oxide", 0.7e-9)
    first = replace(first, value=rate_law(first, CARD))
    second = replace(second, value=rate_law(second, own) + 0.02)
    data = data_of(first, second, loop)
    response = problem_of(first, second, loop).response
    return FitResult(
        data=data,
        fitted=(),
        open=(),
        undetermined=(),
        correlation=np.zeros((0, 0)),
        comparisons=(),
        predictions=(),
        artefacts=(),
        excluded=(),
        notes=(),
        chi2=0.0,
        dof=1,
        noise={"one": 1e-3, "two": 2e-3, "loop": 9.0},
        autocorrelation=0.0,
        regions=None,
        response=response,
        predicted=response.predicted(card_values(CARD, electrothermal=False)) + 1e-3,
        artefact_part=np.zeros(20),
        used=np.ones(20, dtype=bool),
    )


def test_a_card_is_replayed_pulse_by_pulse(result: FitResult) -> None:
    rows = [block.rows for block in result.response.blocks]
    artefacts = np.linspace(0.0, 1e-3, len(result.predicted))
    used = np.ones(len(result.predicted), dtype=bool)
    used[[2, rows[1].start]] = False
    given = replace(result, artefact_part=artefacts, predicted=result.predicted + artefacts, used=used)
    found = replayed(given, CARD)
    assert found is not None
    own = CARD.with_value("geometry.t_oxide", 0.7e-9)
    assert np.isnan(found.card[rows[2]]).all()
    for block, card in zip(rows[:2], (CARD, own), strict=True):
        bare = rate_law(result.data.records[rows.index(block)], card)
        mine = np.arange(block.start, block.stop)[used[block]]
        offset = np.mean(result.predicted[mine] - bare[used[block]])  # each device has its own
        np.testing.assert_allclose(found.card[block], bare + offset + artefacts[block], rtol=0, atol=1e-9)
    pulsed = np.flatnonzero(used)[np.flatnonzero(used) < rows[2].start]
    value = result.response.value
    for size, left in (
        (found.fit_residual, value - given.predicted),
        (found.card_residual, value - found.card),
        (found.law_difference, found.card - given.predicted),
        (found.noise, np.repeat([1e-3, 2e-3, 9.0], [9, 9, 2])),
    ):
        assert size == pytest.approx(np.sqrt(np.mean(left[pulsed] ** 2)), rel=1e-9)


def test_a_single_device_keeps_its_offset(result: FitResult) -> None:
    record = pulses(name="one")
    alone = replace(
        result,
        data=replace(result.data, records=(record,)),
        response=problem_of(record).response,
        predicted=np.zeros(9),
        artefact_part=np.zeros(9),
        used=np.ones(9, dtype=bool),
        noise={"one": 2e-3},
    )
    found = replayed(alone, CARD)
    assert found is not None
    np.testing.assert_allclose(found.card, rate_law(record, CARD), rtol=1e-9)
    for far, missed in ((3.9e-3, False), (4.1e-3, True)):  # twice the noise
        assert replace(found, card_residual=far).misses is missed
    assert replayed(replace(alone, used=np.zeros(9, dtype=bool)), CARD) is None


def test_parameters_at_a_bound_are_said() -> None:
    problem = problem_of(pulses(), names=("delta_r", "shape", "u0"))
    names = [parameter.symbol for parameter, _ in problem.columns]
    low, high = problem.bounds
    inside = 0.5 * (low + high)
    assert doubts(problem, inside) == []
    for symbol, side, said in (
        ("shape", 1.0, "switching.set_a.shape stands at its bound of 30 1"),
        ("shape", -1.0, "switching.set_a.shape stands at its bound of 0.3 1"),
        ("u0", 1.0, "switching.set_a.u0 stands at its bound of 0.9 1"),
        ("u0", -1.0, None),  # no threshold lies below zero
        ("delta_r", 1.0, "switching.set_a.delta_r stands at its bound of 2732 ohm"),
    ):
        place = names.index(symbol)
        for share, near in ((0.0009, True), (0.0011, False)):
            x = inside.copy()
            width = high[place] - low[place]
            x[place] = (high[place] if side > 0 else low[place]) - side * share * width
            found = doubts(problem, x)
            assert [one.split(":")[0] for one in found] == ([said] if near and said else [])


def test_a_bound_of_a_device_is_said_with_its_name() -> None:
    problem = problem_of(pulses(), pulses(name="two", device="b"), names=("r_reset",))
    x = np.array([0.0, 1e3])
    assert [one.split(":")[0] for one in doubts(problem, x)] == [
        "hall.r_reset of b stands at its bound of 1000 ohm"
    ]


def test_a_drift_of_a_fifth_of_the_readings_is_said() -> None:
    record = pulses(drift=True, even=True)  # readings from 0.33 to 0.57 ohm
    problem = problem_of(record, names=("delta_r",))
    for size, said in ((0.0475, False), (-0.0475, False), (0.0485, True), (-0.0485, True)):
        x = np.array([np.log(0.27), size, 1.0])
        assert bool(doubts(problem, x)) is said
    assert doubts(problem, x) == [
        "one: a drift of -48.5 mohm was taken out of 240 mohm; is it one? `drift: false` fits without."
    ]


def test_a_state_that_no_pulse_settles_is_said() -> None:
    # 1 - exp(-((u - 0.3)/0.7)^2.378) is 0.98 at u = 1.542
    problem = problem_of(pulses(start=Start.UNKNOWN), names=("j63",))
    density = float(np.abs(problem.response.density).max())
    for drive, said in ((1.53, True), (1.555, False)):
        x = np.log([density / drive])
        assert bool(doubts(problem, x)) is said
        assert doubts(problem_of(pulses(), names=("j63",)), x) == []
    x = np.log([density / 1.2])
    assert doubts(problem, x)[0].startswith(
        "one: by the fit the largest pulse switches 84% only, so it does not"
    )


NINE = "0,-.40 7,-.19 14,.73 7,.72 0,.74 -7,.53 -14,-.40 -7,-.40 0,-.39"
LOOP = """\
name: nine
data:
  - file: loop.csv
    kind: loop
    columns:
      current: {column: I, unit: mA}
      hall: {column: R, unit: ohm}
    constants: {t_pulse: 200 us}
    prepared: unknown
fit: {starts: 1}
"""


def test_a_window_that_nothing_fixes_is_what_the_pulses_span(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compact_model.fit.intervals.PROFILED_ROWS", 0)  # quick, and open all the same
    monkeypatch.setattr("compact_model.fit.fitting.compared", lambda *_: ())
    monkeypatch.setattr("compact_model.fit.fitting.predicted", lambda *_: ())
    (tmp_path / "data.yaml").write_text(LOOP)
    (tmp_path / "loop.csv").write_text("I,R\n" + "\n".join(NINE.split()))
    result = fit_data(load_data(tmp_path / "data.yaml"))
    card = fitted_card(result, "2026-01-01")
    window = card.switching.set_a.delta_r
    assert window.value == pytest.approx(1.13, rel=0.02)
    assert (window.provenance.value, window.interval) == ("assumed", None)
    assert window.source.startswith("not determined by nine: the data leave it open between ")
    assert window.source.endswith("ohm is what the largest pulses span, as if they saturated")
    assert any(
        note.startswith("switching.set_a.delta_r: the data leave") and "Measure R_xy against H_z" in note
        for note in result.notes
    )
    other = card.switching.set_a.shape
    assert other.source.endswith("; value of card pt_ruo2_0p5")


def test_the_window_is_held_before_what_depends_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """With all as open as can be, the window goes first, and the others are solved with it."""
    problem = problem_of(pulses(value=np.array([0.4, 0.45, 0.5, 0.55, 0.5, 0.45, 0.4, 0.42, 0.45])))
    x = problem.solve(problem.start())
    widths = {"r_reset": 0.0, "delta_r": 2.0, "j63": 9.0}

    def wide(problem: Problem, x: Floats, *, profiled: bool) -> Any:  # noqa: ARG001
        for place, (parameter, _) in enumerate(problem.columns):
            yield place, x[place] - 0.5 * widths[parameter.symbol], x[place] + 0.5 * widths[parameter.symbol]

    monkeypatch.setattr("compact_model.fit.intervals._widths", wide)
    values = problem.values(x)
    span = values["delta_r"] * np.ptp(problem.response.fractions(values))
    last, _, openly = determined(problem, x)
    held = [one for one in openly if "leave" in one.reason]
    assert [one.parameter.symbol for one in held] == ["delta_r", "j63"]
    assert [bool(one.warning) for one in held] == [True, False]
    assert last.data.card.switching.set_a.delta_r.value == pytest.approx(span, rel=1e-9)
    assert [p.symbol for p in last.free] == ["r_reset"]


def test_other_cards_keep_readings_errors_and_artefacts() -> None:
    problem = problem_of(pulses(drift=True))
    problem.used[3], problem.sigma[:] = False, 5e-3
    card = CARD.with_value("switching.set_a.delta_r", 0.5)
    moved = with_data(problem, replace(problem.data, card=card))
    assert moved.data.card is card
    assert (moved.form, moved.free, moved.nuisance_names) == (
        problem.form,
        problem.free,
        problem.nuisance_names,
    )
    np.testing.assert_array_equal(moved.used, problem.used)
    np.testing.assert_array_equal(moved.sigma, problem.sigma)
    np.testing.assert_array_equal(moved.bounds, problem.bounds)
