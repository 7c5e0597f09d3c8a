"""Numbers of the stack and its laws: a model that just meets a published fact, and one that just doesn't."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from compact_model import curves, stack, switching, synapse, thickness, transport
from compact_model.cards.device import DeviceCard, load_card
from compact_model.constants import OERSTED
from compact_model.published import answers

CARD = load_card()
SAMPLES = np.array([0.0, 0.5e-9, 0.7e-9, 1e-9, 1.5e-9, 2e-9, 2.5e-9])
"""Thicknesses of the published samples [m]."""

Answer = Callable[[DeviceCard], answers.FactAnswer]
Instead = Callable[[ModuleType, str, Callable[..., Any]], Any]


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
