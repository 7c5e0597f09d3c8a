"""What decides each published fact: a model that just meets it, and one that just doesn't."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from compact_model import curves, retention, scaling, spread, stack, switching, synapse, thickness, transport
from compact_model.cards.device import DeviceCard, load_card
from compact_model.constants import OERSTED
from compact_model.curves import PolarityStep
from compact_model.numeric import Floats
from compact_model.published import answers

CARD = load_card()
SET_B = CARD.with_choices(switching="B")
SAMPLES = np.array([0.0, 0.5e-9, 0.7e-9, 1e-9, 1.5e-9, 2e-9, 2.5e-9])
"""Thicknesses of the published samples [m]."""

Answer = Callable[[DeviceCard], answers.FactAnswer]


class Patched:
    """Stands for a function of the model and remembers what it was asked."""

    def __init__(self, answer: Callable[..., Any]) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    def __call__(self, _: object, *arguments: Any, **named: Any) -> Any:
        self.asked.append(arguments[0] if arguments else None)
        return self.answer(*arguments, **named)


@pytest.fixture
def instead(monkeypatch: pytest.MonkeyPatch) -> Callable[[ModuleType, str, Callable[..., Any]], Patched]:
    """Puts a function in the place of one of the model, called without the card."""

    def put(module: ModuleType, name: str, answer: Callable[..., Any]) -> Patched:
        patched = Patched(answer)
        monkeypatch.setattr(module, name, patched)
        return patched

    return put


Instead = Callable[[ModuleType, str, Callable[..., Any]], Patched]


def test_a_tolerance_counts_both_ways_and_its_end_is_inside() -> None:
    judged = [answers._near(value, 2.0, 0.25).passed for value in (1.74, 1.75, 2.25, 2.26)]
    assert judged == [False, True, True, False]
    assert answers._near(1.23456, 1.0, 1.0) == answers.FactAnswer(True, "1.235", 1.23456)
    assert answers._near(-1.23456, 1.0, 1.0, "V", 2) == answers.FactAnswer(False, "-1.2 V", -1.23456)


def test_a_range_has_its_ends() -> None:
    judged = [answers._between(value, 2.0, 3.0).passed for value in (1.99, 2.0, 3.0, 3.01)]
    assert judged == [False, True, True, False]
    assert answers._between(2.34567, 2.0, 3.0) == answers.FactAnswer(True, "2.346", 2.34567)
    assert answers._between(2.34567, 2.0, 3.0, "uJ", 2) == answers.FactAnswer(True, "2.3 uJ", 2.34567)


@pytest.mark.parametrize(
    ("slope", "passed"), [(24.87e3, False), (24.88e3, True), (25.12e3, True), (25.13e3, False)]
)
def test_densities_to_half_a_percent(instead: Instead, slope: float, passed: bool) -> None:
    # 8 mA and 200 A/m^2 would be 25e3 per square metre
    instead(stack, "current_density", lambda current: slope * current)
    found = answers.density(8.0, 200.0)(CARD)
    assert found.passed is passed
    assert found.number == pytest.approx(slope * 8e-3, rel=1e-12)


@pytest.mark.parametrize(
    ("path", "value", "passed"),
    [
        ("geometry.t_oxide", 0.7e-9, True),  # it is not among the layers of the fact
        ("geometry.w_channel", 5.001e-6, False),
        ("geometry.l_channel", 30.01e-6, False),
        ("geometry.t_cap", 2.001e-9, False),
    ],
)
def test_the_geometry_is_exact(path: str, value: float, passed: bool) -> None:
    assert answers.geometry(CARD.with_value(path, value)).passed is passed
    assert answers.geometry(CARD) == answers.FactAnswer(True, "5 x 30 um, 10.3 nm + t")


NUMBERS: list[tuple[ModuleType, str, Answer, Callable[[float], Callable[..., Any]], tuple[float, ...]]] = [
    # module, function, answer, the function that gives a value, and values: too low, lowest, highest, too high
    (
        stack, "channel_resistance", answers.resistance,
        lambda v: lambda t: v if t == 0.5e-9 else 0.0, (494.9, 495.0, 505.0, 505.1),
    ),
    (
        thickness, "evaluate", answers.gain,
        lambda v: lambda t: v if t == 0.5e-9 else 0.0, (5.149, 5.151, 5.249, 5.251),
    ),
    (
        transport, "spin_hall_angle", answers.angle,
        lambda v: lambda t: v if t == 0.5e-9 else 0.0, (0.3499, 0.3501, 0.3699, 0.3701),
    ),
    (
        transport, "spin_hall_angle", answers.angle_ratio,
        lambda v: lambda t: 2.0 * v if t == 0.5e-9 else 2.0 + 1e9 * t, (3.49, 3.5, 4.9, 4.91),
    ),
    (
        transport, "backflow_transparency", answers.backflow,
        lambda v: lambda t: v if t == 0.5e-9 else 0.0, (0.46925, 0.46927, 0.47873, 0.47875),
    ),
    (
        transport, "memory_loss_transparency", answers.memory_loss,  # per erg/cm^2, which is 1e-3 J/m^2
        lambda v: lambda k_s: 1.0 - 1e3 * v * k_s,
        (0.23 - 1.5e-12, 0.23 - 5e-13, 0.23 + 5e-13, 0.23 + 1.5e-12),
    ),
    (
        curves, "field_free_fraction", answers.fraction_at(0.7, 0.79),
        lambda v: lambda t: v if t == pytest.approx(0.7e-9, rel=1e-12, abs=0) else 0.0,
        (0.7799, 0.7801, 0.7999, 0.8001),
    ),
    (
        synapse, "ladder_energy", answers.energy,
        lambda v: lambda: v * 1e-6, (85.9, 86.1, 89.4, 89.6),
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("module", "name", "answer", "giving", "values"), NUMBERS, ids=[one[1] for one in NUMBERS]
)
def test_ranges_of_single_numbers(
    instead: Instead,
    module: ModuleType,
    name: str,
    answer: Answer,
    giving: Callable[[float], Callable[..., Any]],
    values: tuple[float, ...],
) -> None:
    judged = []
    for value in values:
        instead(module, name, giving(value))
        found = answer(CARD)
        judged.append(found.passed)
        assert found.number == pytest.approx(value, rel=1e-9)
    assert judged == [False, True, True, False]


def test_units_of_single_numbers() -> None:
    assert answers.resistance(CARD).value == "500 ohm"
    assert answers.memory_loss(CARD).value == "0.23 per erg/cm^2"
    assert answers.density(11.0, 2.04e11)(CARD).value == "2.037e+11 A/m^2"
    assert answers.energy(CARD).value == "88.33 uJ"


def bent(at: float, slope: float, after: float) -> Callable[[Any], Any]:
    """One, rising by `slope` per nanometre up to `at`, and by `after` beyond."""
    return lambda t: 1.0 + 1e9 * (slope * np.minimum(t, at) + after * np.maximum(np.asarray(t) - at, 0.0))


@pytest.mark.parametrize(
    ("rho", "passed"),
    [
        (bent(1.0, 0.199, 0.0), True),  # 9.95 % more at 0.5 nm
        (bent(1.0, 0.201, 0.0), False),
        (bent(2.46e-9, 0.1, -1.0), False),  # falls in the last step
        (bent(0.04e-9, -1.0, 0.1), False),  # falls in the first step
        (bent(2.4e-9, 0.1, 0.0), False),  # is flat at the end
    ],
)
def test_the_resistivity_must_rise(instead: Instead, rho: Callable[[Any], Any], passed: bool) -> None:
    patched = instead(transport, "resistivity", rho)
    assert answers.resistivity_rises(CARD).passed is passed
    np.testing.assert_allclose(patched.asked[0], 0.05e-9 * np.arange(51), rtol=1e-12)


def test_the_step_of_the_resistivity_is_that_of_the_first_half_nanometre() -> None:
    found = answers.resistivity_rises(CARD)  # 85 and 90 uohm cm
    assert found == answers.FactAnswer(True, "5.9 % at 0.5 nm, rising", pytest.approx(5.0 / 85.0))


@pytest.mark.parametrize(("peak", "passed"), [(0.45e-9, False), (0.5e-9, True), (0.55e-9, False)])
def test_the_angle_peaks_at_half_a_nanometre(instead: Instead, peak: float, passed: bool) -> None:
    patched = instead(transport, "spin_hall_angle", lambda t: -abs(t - peak))
    found = answers.angle_peaks(CARD)
    assert (found.passed, found.number) == (passed, pytest.approx(peak, rel=1e-12, abs=0))
    assert found.value.startswith(f"peak at {1e9 * peak:.2g} nm")
    np.testing.assert_allclose(patched.asked[0], 0.05e-9 * np.arange(51), rtol=1e-12)


@pytest.mark.parametrize(
    ("gain", "passed"),
    [(bent(1.0, -0.1, 0.0), True), (bent(2.48e-9, -0.1, 1.0), False), (bent(0.51e-9, 1.0, -0.1), False)],
)
def test_the_gain_must_fall(instead: Instead, gain: Callable[[Any], Any], passed: bool) -> None:
    patched = instead(thickness, "evaluate", gain)
    assert answers.gain_falls(CARD).passed is passed
    np.testing.assert_allclose(patched.asked[0], 0.5e-9 + 0.025e-9 * np.arange(81), rtol=1e-12)


def test_the_gain_is_told_from_its_first_to_its_last_value() -> None:
    assert answers.gain_falls(CARD).value == "5.2 to 1.4, falling throughout"


LOW_THEN_RISING: list[tuple[list[float], bool]] = [
    ([2.0, 1.0, 1.5, 1.6, 1.7, 1.8, 1.9], True),
    ([1.2, 1.0, 1.5, 1.6, 1.7, 1.8, 1.9], True),
    ([1.0, 1.0, 1.5, 1.6, 1.7, 1.8, 1.9], False),
    ([0.5, 1.0, 1.5, 1.6, 1.7, 1.8, 1.9], False),
    ([2.0, 1.0, 0.9, 1.6, 1.7, 1.8, 1.9], False),
    ([2.0, 1.0, 1.5, 1.6, 1.7, 1.8, 1.8], False),
    ([2.0, 1.0, 1.5, 1.6, 1.6, 1.8, 1.9], False),
]
"""At the samples: less at 0.5 nm than without RuO2, and rising from there."""


@pytest.mark.parametrize(("values", "passed"), LOW_THEN_RISING)
def test_the_interface_anisotropy_is_low_and_then_rises(
    instead: Instead, values: list[float], passed: bool
) -> None:
    patched = instead(transport, "interface_anisotropy", lambda _t: 1e-3 * np.array(values))
    found = answers.anisotropy(CARD)
    assert found.passed is passed
    assert found.value == ", ".join(f"{one:.2f}" for one in values) + " erg/cm^2"
    np.testing.assert_allclose(patched.asked[0], SAMPLES, rtol=1e-12)


@pytest.mark.parametrize(("values", "passed"), LOW_THEN_RISING)
def test_the_conductivity_is_high_and_then_falls(instead: Instead, values: list[float], passed: bool) -> None:
    patched = instead(transport, "spin_hall_conductivity", lambda _t: -np.array(values))
    found = answers.conductivity(CARD)
    assert found.passed is passed
    assert found.value.startswith(f"{-values[0]:.3g}, -1, ")
    np.testing.assert_allclose(patched.asked[0], SAMPLES, rtol=1e-12)


@pytest.mark.parametrize(("values", "passed"), LOW_THEN_RISING)
def test_the_critical_density_is_least_and_then_rises(
    instead: Instead, values: list[float], passed: bool
) -> None:
    table = dict(zip(np.round(SAMPLES * 1e9, 6).tolist(), values, strict=True))
    patched = instead(switching, "critical_current_density", lambda _h, t: 1e11 * table[round(t * 1e9, 6)])
    # without RuO2 an equal density is found first
    assert answers.critical_trend(CARD).passed is passed
    assert answers.critical_trend(CARD).value == ", ".join(f"{one:.2f}" for one in values) + (
        " e11 A/m^2 at 1 kOe"
    )
    assert patched.asked == pytest.approx([1000.0 * OERSTED] * 14)


@pytest.mark.parametrize(
    ("xi", "passed"),
    [
        ([1.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0], True),
        ([4.5, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0], False),  # the largest K_s is that without RuO2
        ([1.0, 5.5, 6.0, 5.0, 4.0, 3.0, 2.0], False),
        ([2.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0], False),  # the same is not less
    ],
)
def test_the_efficiency_falls_with_the_anisotropy(instead: Instead, xi: list[float], passed: bool) -> None:
    patched = instead(transport, "torque_efficiency", lambda _t: np.array(xi))
    found = answers.efficiency_against_anisotropy(CARD)
    assert found.passed is passed
    # K_s of the card is largest at 0 nm, and rises from 0.5 nm on
    assert found.value == "xi = " + ", ".join(f"{one:g}" for one in [*xi[1:], xi[0]]) + " with rising K_s"
    np.testing.assert_allclose(patched.asked[0], SAMPLES, rtol=1e-12)


@pytest.mark.parametrize(
    ("gain", "reference", "passed"),
    [(1.0, 1e-3, True), (0.99, 1e-3, False), (1.4, 1e-3, True), (1.41, 1e-3, False), (1.2, 0.364e-3, False)],
)
def test_the_control_sample_gains_a_little(
    instead: Instead, gain: float, reference: float, passed: bool
) -> None:
    asked = instead(transport, "interface_anisotropy", lambda _t: reference)
    sample = transport.ControlSample(torque_gain=gain, critical_density_ratio=1.0, field_free_drive=0.0)
    instead(transport, "control_sample", lambda: sample)
    found = answers.control(CARD)
    assert (found.passed, found.number) == (passed, gain)
    assert found.value == f"gain {gain:.3g}, reference K_s {1e3 * reference:.3g} erg/cm^2"
    assert asked.asked == [0.0]


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
