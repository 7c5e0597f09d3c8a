"""Switching and polarity: a model that just meets a published fact, and one that just doesn't."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from compact_model import curves, switching, thickness
from compact_model.cards.device import DeviceCard, load_card
from compact_model.constants import OERSTED
from compact_model.curves import PolarityStep
from compact_model.numeric import Floats
from compact_model.published import answers

CARD = load_card()
SET_B = CARD.with_choices(switching="B")

Instead = Callable[[ModuleType, str, Callable[..., Any]], Any]


@pytest.mark.parametrize(
    ("factors", "passed"),
    [
        ([0.5, 0.8, 0.991], True),
        ([0.5, 0.8, 0.989], False),
        ([0.5, 0.4, 0.995], False),
        ([1.0, 1.0, 1.0], False),
    ],
)
def test_the_torque_saturates(instead: Instead, factors: list[float], passed: bool) -> None:
    class Torque:
        h_dmi = 300.0 * OERSTED
        gain = 2.0

        def factor(self, fields: Floats) -> Floats:
            np.testing.assert_allclose(fields, self.h_dmi * np.array([1.0, 3.0, 10.0]), rtol=1e-12)
            return self.gain * np.array(factors)

    asked = instead(switching, "torque", lambda _t: Torque())
    found = answers.field_saturates(CARD)
    assert found.passed is passed
    assert found.value.startswith(f"{factors[0]:.3g}, {factors[1]:.3g}, {factors[2]:.3g} of the saturated")
    assert found.value.endswith("1, 3, 10 times 300 Oe")
    assert asked.asked == [0.0]


@pytest.mark.parametrize(
    ("card", "ratios", "passed"),
    [
        (CARD, (2.71, 3.0, 3.29), True),
        (CARD, (2.69, 3.0, 3.2), False),
        (CARD, (2.8, 3.31, 3.2), False),
        (CARD, (2.8, 3.0, 3.31), False),
        (SET_B, (2.21, 3.0, 4.39), True),
        (SET_B, (2.19, 3.0, 4.3), False),
        (SET_B, (2.3, 3.0, 4.41), False),
    ],
)
def test_the_critical_density_is_three_times_lower(
    instead: Instead, card: DeviceCard, ratios: tuple[float, ...], passed: bool
) -> None:
    fields = dict(zip((500, 1000, 5000), ratios, strict=True))

    def density(h: float, t: float) -> float:
        assert t in (0.0, 0.5e-9)
        return 2e11 if t else 2e11 * fields[round(h / OERSTED)]

    instead(switching, "critical_current_density", density)
    found = answers.critical_ratio(card)
    assert (found.passed, found.number) == (passed, pytest.approx(ratios[1]))


def test_the_card_of_the_control_sample_differs_without_oxide_alone() -> None:
    changed = answers._control_card(CARD.with_value("control.field_free_drive", 0.25))
    # K_s 0.365 against 1.2 erg/cm^2: 0.91605/0.724
    assert [one.value for one in changed.thickness.xi_gain[:2]] == pytest.approx([1.2652624, 5.2], rel=1e-6)
    for law in ("field_free_drive_a", "field_free_drive_b"):
        assert [one.value for one in getattr(changed.thickness, law)[:3]] == [0.25, 0.45, 1.0]


@pytest.mark.parametrize(("ratio", "passed"), [(0.79, False), (0.81, True), (0.99, True), (1.01, False)])
def test_the_control_sample_switches_a_little_earlier(
    monkeypatch: pytest.MonkeyPatch, ratio: float, passed: bool
) -> None:
    def density(card: DeviceCard, h: float, t: float) -> float:
        assert (h, t) == (pytest.approx(1000.0 * OERSTED), 0.0)
        return 4e11 if card == CARD else 4e11 * ratio

    monkeypatch.setattr(switching, "critical_current_density", density)
    found = answers.control_critical(CARD)
    assert (found.passed, found.number) == (passed, pytest.approx(ratio))


def test_the_control_sample_does_not_switch_without_a_field(monkeypatch: pytest.MonkeyPatch) -> None:
    judged = []
    for s in (0.0099, 0.01, 0.015):
        monkeypatch.setattr(
            curves,
            "field_free_fraction",
            lambda card, t, s=s: s if t == 0.0 and card.thickness.xi_gain[0].value > 1.2 else 1.0,
        )
        judged.append(answers.control_field_free(CARD))
    assert [one.passed for one in judged] == [True, False, False]
    assert judged[0] == answers.FactAnswer(True, "s = 0.0099", 0.0099)


def test_the_device_switches_without_a_field(instead: Instead) -> None:
    judged = []
    for s in (0.01, 0.011):
        instead(curves, "field_free_fraction", lambda t, s=s: s if t == 0.5e-9 else 1.0)
        judged.append(answers.field_free(CARD))
    assert [(one.passed, one.number) for one in judged] == [(False, 0.01), (True, 0.011)]


@pytest.mark.parametrize(("at", "passed"), [(None, True), (1, False), (400, False)])
def test_switching_never_falls_with_the_current(instead: Instead, at: int | None, passed: bool) -> None:
    def rising(currents: Floats) -> Floats:
        np.testing.assert_allclose(currents, 50e-6 * np.arange(401), rtol=1e-12)
        s = np.maximum(currents - 5e-3, 0.0) * 50.0 + 0.1  # flat at first: that counts
        if at is not None:
            s[at] = s[at - 1] - 1e-6
        return s

    instead(switching, "switched_fraction", rising)
    found = answers.monotone(CARD)
    assert found.passed is passed
    if at is None:
        assert found.value == "s from 0 to 0.85 over 0..20 mA, never falling"


def test_fractions_by_rates_never_fall_either(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = type(answers.hallbar.hall_bar(CARD)).fraction
    falls = {"by": 0.0}

    def fraction(device: Any, state: Any) -> Floats:
        s = whole(device, state)
        s[-1] = s[-2] - falls["by"]
        return s

    monkeypatch.setattr(answers.hallbar.HallBar, "fraction", fraction)
    judged = []
    for fall in (0.0, 0.5e-12, 1.7e-12, 1e-6):
        falls["by"] = fall
        judged.append(answers.monotone(CARD).passed)
    assert judged == [True, True, False, False]


EIGHT = np.array([0.0, 0.25e-9, 0.5e-9, 0.7e-9, 1e-9, 1.5e-9, 2e-9, 2.5e-9])


def peaked(values: list[float]) -> Callable[..., float]:
    """Fractions at the eight thicknesses that are compared."""
    table = dict(zip(np.round(EIGHT * 1e9, 6).tolist(), values, strict=True))
    return lambda t: table[round(t * 1e9, 6)]


@pytest.mark.parametrize(
    ("values", "best"),
    [
        ([0.0, 0.1, 0.7, 0.8, 0.5, 0.2, 0.0, 0.0], 0.7),
        ([0.0, 0.1, 0.9, 0.8, 0.5, 0.2, 0.0, 0.0], 0.5),
        ([0.0, 0.1, 0.7, 0.8, 0.9, 0.2, 0.0, 0.0], 1.0),
        ([1.0, 0.1, 0.7, 0.8, 0.9, 0.2, 0.0, 0.0], 0.0),
        ([0.0, 0.1, 0.7, 0.8, 0.5, 0.2, 0.0, 1.0], 2.5),
    ],
)
def test_the_best_thickness(instead: Instead, values: list[float], best: float) -> None:
    instead(curves, "field_free_fraction", peaked(values))
    found = answers.best_thickness(CARD)
    assert (found.passed, found.number) == (best == 0.7, pytest.approx(best * 1e-9, rel=1e-12, abs=0))
    assert found.value == f"maximum at {best:.2g} nm of " + ", ".join(f"{one:.2f}" for one in values)


@pytest.mark.parametrize(
    ("first", "last", "passed"),
    [(0.0, 0.0099, True), (1e-9, 0.0, False), (0.0, 0.01, False), (0.0, 0.015, False)],
)
def test_the_window_is_finite(instead: Instead, first: float, last: float, passed: bool) -> None:
    instead(curves, "field_free_fraction", peaked([first, 0.1, 0.7, 0.8, 0.5, 0.5, 0.5, last]))
    instead(curves, "critical_thickness", lambda: 1.412e-9)
    assert answers.window(CARD) == answers.FactAnswer(passed, "below 1 % from 1.41 nm", 1.412e-9)


@pytest.mark.parametrize(
    ("shift", "passed", "peak"),
    [
        (lambda t: np.maximum(1.0 - 1e9 * abs(t - 0.5e-9), 0.0), True, 0.5),
        (lambda t: np.maximum(1.0 - 1e9 * abs(t - 0.55e-9), 0.0), False, 0.55),
        (lambda t: np.maximum(1.0 - 0.5e9 * abs(t - 0.5e-9), 0.0) + 1e-3, False, 0.5),
        (lambda t: np.maximum(1.0 - 1e9 * abs(t - 0.5e-9), 1e9 * np.minimum(t - 1.8e-9, 2.5e-9 - t)), False, 0.5),
        (lambda t: 1.0 * (abs(t - 0.5e-9) < 0.01e-9) + 0.1 * (abs(t - 0.65e-9) < 0.01e-9), False, 0.5),
    ],
)  # fmt: skip
def test_the_loop_shift_peaks_and_falls_to_nothing(
    instead: Instead, shift: Callable[[Floats], Floats], passed: bool, peak: float
) -> None:
    patched = instead(thickness, "evaluate", shift)
    found = answers.loop_shift(CARD)
    assert found.passed is passed
    assert found.value.startswith(f"maximum at {peak:.2g} nm")
    np.testing.assert_allclose(patched.asked[0], 0.05e-9 * np.arange(51), rtol=1e-12)


@pytest.mark.parametrize(
    ("gain", "shift", "s", "passed"),
    [
        ((2.0, 1.0), (0.9, 0.8), (0.5, 0.6), True),
        ((1.0, 1.0), (0.9, 0.8), (0.5, 0.6), False),
        ((2.0, 1.0), (0.8, 0.8), (0.5, 0.6), False),
        ((2.0, 1.0), (0.9, 0.8), (0.6, 0.6), False),
        ((1.0, 2.0), (0.8, 0.9), (0.5, 0.6), False),
    ],
)
def test_the_orders_of_two_thicknesses(
    monkeypatch: pytest.MonkeyPatch,
    instead: Instead,
    gain: tuple[float, float],
    shift: tuple[float, float],
    s: tuple[float, float],
    passed: bool,
) -> None:
    def evaluate(anchors: Any, t: Floats) -> Floats:
        np.testing.assert_allclose(t, [0.5e-9, 0.7e-9], rtol=1e-12)
        return np.array(gain if anchors is CARD.thickness.xi_gain else shift)

    monkeypatch.setattr(thickness, "evaluate", evaluate)
    instead(curves, "field_free_fraction", lambda t: s[0] if t < 0.6e-9 else s[1])
    found = answers.orderings(CARD)
    assert found.passed is passed
    assert found.value.startswith(
        f"gain {gain[0]:g}, {gain[1]:g}; shift {shift[0]:g}, {shift[1]:g}; s {s[0]:.2f}"
    )


@pytest.mark.parametrize(("pair", "passed"), [((1.0, 1.1), True), ((1.0, 1.0), False), ((1.1, 1.0), False)])
def test_the_wall_ratio_rises(instead: Instead, pair: tuple[float, float], passed: bool) -> None:
    patched = instead(thickness, "evaluate", lambda _t: np.array(pair))
    assert answers.wall_ratio(CARD) == answers.FactAnswer(
        passed, f"{pair[0]:.3g}, {pair[1]:.3g} at 0.5, 0.7 nm"
    )
    np.testing.assert_allclose(patched.asked[0], [0.5e-9, 0.7e-9], rtol=1e-12)


def test_the_applied_field_decides_from_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[float, Floats, Floats]] = []
    whole = curves.sweep

    def sweep(device: Any, state: Any, current: Floats, t_pulse: float, h_x: Any = 0.0) -> Any:
        told.append((float(state.polarity.q[0]), current, h_x))
        assert t_pulse == 200e-6
        return whole(device, state, current, t_pulse, h_x)

    monkeypatch.setattr(curves, "sweep", sweep)
    assert answers.applied_polarity(CARD).passed is True
    assert [one[0] for one in told] == [1.0, 1.0, -1.0, -1.0]  # two cycles from each side
    for _, current, h_x in told:
        np.testing.assert_allclose(h_x / OERSTED, [-1000.0, -400.0, 400.0, 1000.0], rtol=1e-12)
        # a quarter of the loop has twelve steps to 2.41e11 A/m^2 over 5 um x 10.8 nm
        np.testing.assert_allclose(current[:13], 13.014e-3 / 12 * np.arange(13), rtol=1e-9)
        assert len(current) == 49
    monkeypatch.setattr(curves, "sense", lambda area: "clockwise" if area < 0 else "counterclockwise")
    assert answers.applied_polarity(CARD).passed is False


def step(sense: str, switched: float) -> PolarityStep:
    return PolarityStep(preparation="", sense=sense, switched=switched, current=np.zeros(1), m_z=np.zeros(1))


def protocol(**changed: PolarityStep) -> list[PolarityStep]:
    """Fifteen steps as published: +z, -z, six presets against, +z, six along; some of them changed by place."""
    none, clockwise, counter = step("none", 0.0), step("clockwise", 0.6), step("counterclockwise", 0.6)
    steps = [clockwise, none, *[none] * 4, counter, counter, none, *[none] * 4, clockwise, clockwise]
    return [changed.get(f"_{place}", one) for place, one in enumerate(steps)]


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, answers.FactAnswer]]:
    def judge(**changed: PolarityStep) -> dict[str, answers.FactAnswer]:
        answers._protocol.cache_clear()
        monkeypatch.setattr(curves, "polarity_protocol", lambda _card, _t_oxide: protocol(**changed))
        checks = (
            answers.after_plus,
            answers.after_minus,
            answers.small_presets,
            answers.preset_against,
            answers.saturated_again,
            answers.preset_along,
        )
        found = {check.__name__: check(CARD) for check in checks}
        found["same"] = answers.same_at_larger_thickness(CARD)
        answers._protocol.cache_clear()
        return found

    return judge


Judge = Callable[..., dict[str, answers.FactAnswer]]


def test_the_published_protocol_is_met(judged: Judge) -> None:
    found = judged()
    assert all(one.passed for one in found.values())
    assert found["same"].value == "6 of 6 observations at 0.7 nm"
    assert found["preset_along"].number == found["after_plus"].number == 0.6
    assert found["preset_against"].number == 0.0


@pytest.mark.parametrize(
    ("place", "wrong", "fact"),
    [
        (0, step("counterclockwise", 0.6), "after_plus"),
        (1, step("none", 0.02), "after_minus"),
        *[(place, step("none", 0.02), "small_presets") for place in (2, 3, 4, 5, 9, 10, 11, 12)],
        *[(place, step("clockwise", 0.6), "preset_against") for place in (6, 7)],
        *[(place, step("counterclockwise", 0.625), "preset_against") for place in (6, 7)],
        *[(place, step("counterclockwise", 0.575), "preset_against") for place in (6, 7)],
        (8, step("none", 0.02), "saturated_again"),
        *[(place, step("none", 0.6), "preset_along") for place in (13, 14)],
    ],
)
def test_a_step_against_the_protocol_fails_its_fact(
    judged: Judge, place: int, wrong: PolarityStep, fact: str
) -> None:
    found = judged(**{f"_{place}": wrong})
    assert [name for name, one in found.items() if not one.passed] == [fact, "same"]
    assert found["same"].value == "5 of 6 observations at 0.7 nm"


def test_steps_that_only_just_meet_the_protocol(judged: Judge) -> None:
    small, near = step("none", 0.0199), step("counterclockwise", 0.6199)
    found = judged(_1=small, _2=small, _12=small, _8=small, _6=near)
    assert all(one.passed for one in found.values())
    assert found["after_minus"].number == found["small_presets"].number == 0.0199
    assert found["preset_against"].number == pytest.approx(0.0199)


def test_the_protocol_at_another_thickness(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float | None] = []

    def told(_: DeviceCard, t_oxide: float | None) -> list[PolarityStep]:
        asked.append(t_oxide)
        return protocol()

    answers._protocol.cache_clear()
    monkeypatch.setattr(curves, "polarity_protocol", told)
    answers.same_at_larger_thickness(CARD)
    answers.after_plus(CARD)
    answers._protocol.cache_clear()
    assert asked == [0.7e-9, None]
