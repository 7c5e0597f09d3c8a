"""Formulas of the device model, each against numbers worked out by hand or by another route."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from compact_model import (
    constants,
    curves,
    grains,
    limits,
    stack,
    switching,
    thermal,
    thickness,
    transport,
)
from compact_model.cards.device import load_card
from compact_model.cards.entry import Anchor, Provenance
from compact_model.constants import OERSTED

CARD = load_card()
SET_B = CARD.with_choices(switching="B")
AREA = 5e-6 * 10.8e-9


def test_constants() -> None:
    assert pytest.approx(79.5774715, rel=1e-8) == constants.OERSTED
    assert constants.REFERENCE_TEMPERATURE == 300.0
    assert (constants.LEAST_RESISTANCE, constants.LEAST_TIME) == (1e-6, 1e-15)
    assert pytest.approx(1.25663706e-6, rel=1e-8, abs=0) == transport.VACUUM_PERMEABILITY
    assert (thickness.REFERENCE_OXIDE, limits.SHORTEST_BACKED_PULSE) == (0.5e-9, 1e-7)


# --- stack and thickness ---


def test_layers_share_the_current_by_their_conductance() -> None:
    # 0.7 nm of 325 uohm cm against 91 uohm cm over 11 nm
    share = (0.7e-9 / 325e-8) / (11e-9 / 91e-8)
    assert stack.oxide_current_share(CARD, 0.7e-9) == pytest.approx(share, rel=1e-9)
    thick = CARD.with_value("geometry.repeats", 3.0)
    assert stack.total_thickness(thick, 0.7e-9) == pytest.approx(
        (1 + 5.5 + 0.7 + 3 * 0.9 + 2) * 1e-9, rel=1e-12
    )
    assert stack.current(CARD, 2e11, 0.7e-9) == pytest.approx(2e11 * 5e-6 * 11e-9, rel=1e-12)
    # 0.4666 ohm times 5 um over 83.33 ohm
    assert stack.offset_misalignment(CARD, 0.4666) == pytest.approx(27.996e-9, rel=1e-6, abs=0)


def test_arms_follow_the_sheet_of_the_oxide() -> None:
    # by the squares: 91 uohm cm over 11 nm, 30 um over twice 5 um
    assert stack.arm_resistance(CARD, 0.7e-9) == pytest.approx(91e-8 / 11e-9 * 3.0, rel=1e-9)
    data = CARD.model_dump(mode="json")
    data["hall"]["r_arm"] = {"value": 300.0, "unit": "ohm", "provenance": "assumed", "source": "mine"}
    own = type(CARD).model_validate(data)
    assert stack.arm_resistance(own, 0.7e-9) == pytest.approx(300.0 * (91 / 11) / (90 / 10.8), rel=1e-9)
    assert stack.transverse_resistance(own) == pytest.approx(600.0, rel=1e-12)


def test_laws_end_at_their_anchors() -> None:
    anchors = tuple(
        Anchor(t_oxide=t, value=value, provenance=Provenance.ASSUMED, source="mine")
        for t, value in ((1e-9, 2.0), (2e-9, 4.0), (4e-9, 8.0))
    )
    np.testing.assert_allclose(
        thickness.evaluate(anchors, np.array([1e-9, 3e-9, 4e-9])), [2, 6, 8], rtol=1e-12
    )
    # beyond by half of a rounding of 1e-12: the end; by one and a half: refused
    assert thickness.evaluate(anchors, 1e-9 * (1 - 0.5e-12)) == 2.0
    assert thickness.evaluate(anchors, 4e-9 * (1 + 0.5e-12)) == 8.0
    for wrong in (1e-9 * (1 - 1.5e-12), 4e-9 * (1 + 1.5e-12), np.nan, np.array([2e-9, 5e-9])):
        with pytest.raises(ValueError, match=r"outside the anchors, allowed: 1e-09\.\.4e-09 m"):
            thickness.evaluate(anchors, wrong)


# --- switching ---


def law(**changed: Any) -> switching.SwitchingLaw:
    values: dict[str, Any] = {
        "electrothermal": True, "j63": 4e11, "shape": 2.0, "u0": 0.2, "delta_r": 0.3, "torque_exponent": 1.0,
        "tau0": 1e-9, "t_wall": 5e-9, "wall_width": 0.05, "delta": 50.0, "t_curie": 700.0,
        "ambient_coefficient": 0.003, "t_pulse_fit": 1e-4,
    }  # fmt: skip
    return switching.SwitchingLaw(**(values | changed))


def test_the_fraction_is_a_weibull_distribution() -> None:
    found = law().fraction(np.array([-1.0, 0.2, 0.6, 1.0, 1.8, 1e30]))
    np.testing.assert_allclose(
        found, [0, 0, 1 - np.exp(-0.25), 1 - np.exp(-1.0), 1 - np.exp(-4.0), 1.0], rtol=1e-12
    )
    with np.errstate(over="raise"):
        assert law(shape=50.0).fraction(1e36) == 1.0
    assert law().threshold(0.0) == pytest.approx(0.2, rel=1e-12)
    assert law().threshold(1 - np.exp(-4.0)) == pytest.approx(1.8, rel=1e-9)
    for wrong in (-1e-9, 1.0):
        with pytest.raises(ValueError, match="0 <= s < 1"):
            law().threshold(wrong)


def test_thresholds_soften_towards_the_curie_point() -> None:
    heated = law()
    np.testing.assert_allclose(heated.softening(np.array([300.0, 400.0, 600.0])), [1, 0.75, 0.25], rtol=1e-12)
    assert heated.softening(700.0) == heated.softening(900.0) == 1e-9
    np.testing.assert_array_equal(law(electrothermal=False).softening(np.array([300.0, 900.0])), [1, 1])
    # 50 (300/400) 0.75, and no more than 600
    assert heated.barrier(400.0) == pytest.approx(28.125, rel=1e-12)
    assert law(delta=500.0).barrier(200.0) == 600.0
    assert law(delta=500.0).barrier(280.0) == pytest.approx(500 * 300 / 280 * 420 / 400, rel=1e-12)
    assert law(electrothermal=False).barrier(400.0) == 50.0


def test_thresholds_fall_with_the_length_of_the_pulse() -> None:
    heated, cold = law(), law(electrothermal=False)
    # ln(1 + 1e5) = 11.512935; at 400 K the barrier is 28.125
    assert cold.pulse_factor(1e-4) == pytest.approx(1 - 11.512935 / 50 + 5e-5, rel=1e-7)
    assert heated.pulse_factor(1e-4) == pytest.approx(1 - 11.512935 / 50 + 5e-5, rel=1e-7)
    assert heated.pulse_factor(1e-4, 400.0) == pytest.approx(0.75 * (1 - 11.512935 / 28.125) + 5e-5, rel=1e-7)
    assert heated.pulse_factor(1e-4, 700.0) == pytest.approx(1e-9 + 5e-5, rel=1e-12)
    # a pulse of years: the barrier is gone
    assert cold.pulse_factor(1e30) == pytest.approx(1e-9, rel=1e-9, abs=0)


def test_scales_of_the_density() -> None:
    heated, cold = law(), law(electrothermal=False)
    assert heated.critical_density(400.0) == pytest.approx(3e11, rel=1e-12)
    fit = 1 - np.log1p(1e5) / 50 + 5e-5
    assert cold.critical_density(310.0) == pytest.approx(4e11 / fit * 0.97, rel=1e-12)
    assert cold.critical_density() == pytest.approx(4e11 / fit, rel=1e-12)
    assert cold.critical_density(1000.0) == pytest.approx(4e11 / fit * 1e-9, rel=1e-9)
    short = 1 - np.log1p(1e3) / 50 + 5e-3
    assert cold.reduced_drive(-2e11, 1e-6, 310.0) == pytest.approx(0.5 * fit / 0.97 / short, rel=1e-12)
    warm = 0.75 * (1 - np.log1p(1e3) / 28.125) + 5e-3
    assert heated.reduced_drive(-2e11, 1e-6, 400.0) == pytest.approx(0.5 / warm, rel=1e-12)


def test_the_law_of_a_card_is_that_of_its_set() -> None:
    for card, numbers in ((CARD, CARD.switching.set_a), (SET_B, CARD.switching.set_b)):
        found = switching.switching_law(card)
        assert (found.j63, found.shape, found.u0) == (
            numbers.j63.value,
            numbers.shape.value,
            numbers.u0.value,
        )
        assert (found.delta_r, found.torque_exponent) == (
            numbers.delta_r.value,
            numbers.torque_exponent.value,
        )
        assert found.electrothermal == (card is SET_B)
        assert switching.law_temperature(card, 13.01e-3, 200e-6) == pytest.approx(
            300.0 + (13.01e-3**2 * 500 * 800 if card is SET_B else 0.0), rel=1e-9
        )


@pytest.mark.parametrize(
    ("card", "gain", "drive"), [(CARD, (4.6 / 5.2) ** (2 / 3), 1.1006), (SET_B, 4.6 / 5.2, 1.169)]
)
def test_the_torque_at_another_thickness(card: Any, gain: float, drive: float) -> None:
    eta0 = 75 / np.hypot(75, 300)
    e = eta0 * drive / gain
    found = switching.torque(card, 0.7e-9)
    assert found.h_dmi == pytest.approx(300 * OERSTED, rel=1e-12)
    assert found.gain == pytest.approx(gain / eta0, rel=1e-6)
    assert found.h_int == pytest.approx(300 * OERSTED * e / np.sqrt(1 - e**2), rel=1e-6)
    # the interface field alone gives the drive of the law, whatever else; without it nothing acts
    assert found.factor(0.0) == pytest.approx(drive, rel=1e-9)
    assert found.factor(0.0, -1.0) == pytest.approx(-drive, rel=1e-9)
    assert found.factor(0.0, 0.0) == 0.0
    h = 100 * OERSTED
    assert found.factor(h, 0.0) == pytest.approx(gain / eta0 * 100 / np.hypot(100, 300), rel=1e-6)
    assert found.factor(h, -1.0) == pytest.approx(
        found.gain * (h - found.h_int) / np.hypot(h - found.h_int, found.h_dmi), rel=1e-9
    )


def test_a_drive_that_needs_more_than_all_torque_is_refused() -> None:
    strong = CARD.with_value("fields.h_int", 3e6)  # eta0 of nearly one, and a drive of 1.1 at 0.7 nm
    with pytest.raises(ValueError, match="needs an efficiency of"):
        switching.torque(strong, 0.7e-9)


def test_critical_density_is_the_end_of_switching() -> None:
    h_x, law_a = 500 * OERSTED, switching.switching_law(CARD)
    density = switching.critical_current_density(CARD, h_x)
    factor = switching.torque(CARD).factor(h_x)
    u = 0.3 + 0.7 * (-np.log(0.05)) ** (1 / 2.378)  # 95 %
    assert density * factor == pytest.approx(u * law_a.j63, rel=1e-9)  # at the length of the fit


# --- grains ---

BANK = grains.GrainBank(
    theta=np.array([0.5, 0.8, 1.3]), weight=np.array([0.2, 0.5, 0.3]), tau0=1e-9, t_wall=4e-9, wall_width=0.1
)


def rate(x: float, theta: float, delta: float) -> float:
    y = abs(x) / theta
    return float(1.0 / (1e-9 * np.exp(delta * (1 - y)) + 4e-9 / np.sqrt((y - 1) ** 2 + 0.01)))


def test_rates_of_the_grains() -> None:
    x, delta = np.array([-0.9, 0.0, 1.3]), np.array([8.0, 9.0, 10.0])
    wanted = [[rate(a, theta, d) for theta in BANK.theta] for a, d in zip(x, delta, strict=True)]
    np.testing.assert_allclose(BANK.rate(x, delta), wanted, rtol=1e-12)
    np.testing.assert_array_equal(BANK.target(x), [0.0, 0.5, 1.0])
    np.testing.assert_array_equal(BANK.magnitude(x), [0.9, 0.0, 1.3])
    smooth = replace(BANK, smoothing=0.3)
    np.testing.assert_allclose(smooth.magnitude(np.array([-0.4, 0.0])), [0.5, 0.3], rtol=1e-12)
    np.testing.assert_allclose(smooth.target(np.array([-0.4, 0.0, 0.4])), [0.1, 0.5, 0.9], rtol=1e-12)
    assert BANK.smoothing == 0.0


def test_grains_are_summed_with_their_weights() -> None:
    s = np.array([[0.1, 0.4, 1.0], [1.0, 0.0, 0.5]])
    np.testing.assert_allclose(BANK.fraction(s), [0.02 + 0.2 + 0.3, 0.2 + 0.15], rtol=1e-12)
    each = replace(BANK, weight=np.array([[0.2, 0.5, 0.3], [0.0, 0.0, 1.0]]))
    np.testing.assert_allclose(each.fraction(s), [0.52, 0.5], rtol=1e-12)


def test_flat_pulses_decay_to_their_target() -> None:
    s = np.array([[0.1, 0.4, 1.0], [1.0, 0.0, 0.5]])
    found = BANK.flat(s, np.array([1.1, -0.7]), np.array([2e-8, 5e-7]), 6.0)
    for row, (x, target, length) in enumerate(((1.1, 1.0, 2e-8), (-0.7, 0.0, 5e-7))):
        decay = np.exp(-np.array([rate(x, theta, 6.0) for theta in BANK.theta]) * length)
        np.testing.assert_allclose(found[row], target + (s[row] - target) * decay, rtol=1e-12)


def test_a_ramp_is_many_flat_pulses() -> None:
    s, parts = np.array([0.1, 0.4, 1.0]), 4000
    smooth = replace(BANK, smoothing=1e-2)
    ramped = smooth.ramp(s, -0.6, 1.2, 3e-7, 6.0)
    np.testing.assert_array_equal(ramped, smooth.ramp(s, -0.6, 1.2, 3e-7, 6.0, parts=64))
    assert not np.array_equal(ramped, smooth.ramp(s, -0.6, 1.2, 3e-7, 6.0, parts=32))
    for part in range(parts):
        s = smooth.flat(s, -0.6 + 1.8 * (part + 0.5) / parts, 3e-7 / parts, 6.0)
    np.testing.assert_allclose(ramped, s, atol=1e-5)


@pytest.mark.parametrize("chunk", [2, 1000])
def test_trains_of_single_pulses_one_after_another(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    """Three pulses of their own lengths, five devices in blocks of two, with and without smoothing."""
    monkeypatch.setattr(grains, "_CHUNK", chunk)
    random = np.random.default_rng(4)
    x, lengths, start = random.uniform(-1.5, 1.5, (3, 5)), np.array([2e-8, 1e-6, 3e-7]), random.random((5, 3))
    x[1, 2] = 0.0
    for bank in (BANK, replace(BANK, smoothing=0.05), replace(BANK, weight=random.dirichlet(np.ones(3), 5))):
        s, fractions = start, []
        for pulse in range(3):
            s = bank.flat(s, x[pulse], lengths[pulse], 7.0)
            fractions.append(bank.fraction(s))
        if bank.weight.ndim == 1:
            train = grains.individual_train(bank, start, x, lengths, 7.0)
            np.testing.assert_allclose(train.s, s, rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(train.fraction, fractions, rtol=1e-9, atol=1e-12)


def test_a_train_that_all_see_one_after_another() -> None:
    random = np.random.default_rng(5)
    x, lengths, start = (
        np.array([1.1, -0.6, 0.0, 0.9]),
        np.array([2e-8, 1e-6, 3e-7, 1e-8]),
        random.random((5, 3)),
    )
    s, fractions = start, []
    for pulse in range(4):
        s = BANK.flat(s, np.full(5, x[pulse]), lengths[pulse], 7.0)
        fractions.append(BANK.fraction(s))
    train = grains.shared_train(BANK, start, x, lengths, 7.0)
    np.testing.assert_allclose(train.s, s, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(train.fraction, fractions, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("card", [CARD, SET_B], ids=["A", "B"])
def test_weights_of_the_bank_by_another_least_squares(card: Any) -> None:
    """Against the law at 200 densities from 0.5 to 5e11 A/m^2 and nine lengths from 1 us to 10 ms."""
    bank, found = grains.grain_bank(card, 9), switching.switching_law(card)
    np.testing.assert_allclose(bank.theta, 0.32 * (2.1 / 0.32) ** (np.arange(9) / 8), rtol=1e-12)
    density = np.array([0.5e11 + 4.5e11 * k / 199 for k in range(200)])
    # the steady temperature: 800 K/W, 500 ohm; 10 K below the Curie point at most
    temperature = np.full(200, 300.0)
    if card is SET_B:
        temperature = np.minimum(300.0 + 800 * 500 * (density * AREA) ** 2, 690.0)
    rows, wanted = [np.full((1, 9), 100.0)], [np.array([100.0])]
    for k in range(9):
        length = 10.0 ** (-6 + 0.5 * k)
        rates = bank.rate(density / found.critical_density(temperature), found.barrier(temperature))
        rows.append(1.0 - np.exp(-rates * length))
        wanted.append(found.fraction(found.reduced_drive(density, length, temperature)))
    solved = lsq_linear(np.vstack(rows), np.concatenate(wanted), (0, np.inf), method="bvls", tol=1e-14).x
    np.testing.assert_allclose(bank.weight, solved / solved.sum(), atol=1e-7)
    assert len(grains.grain_bank(card).theta) == 32


def test_the_fit_stays_below_the_curie_point() -> None:
    """A hotter channel: 400 K/W more leave the Curie point behind at the largest densities."""
    hot = SET_B.with_value("thermal.r_oxide", 2000.0)
    bank, found = grains.grain_bank(hot, 6), switching.switching_law(hot)
    temperature = np.minimum(300.0 + 2240 * 500 * (grains.FIT_DENSITIES * AREA) ** 2, 690.0)
    assert (temperature == 690.0).sum() > 10
    rates = bank.rate(grains.FIT_DENSITIES / found.critical_density(temperature), found.barrier(temperature))
    rows = [np.full((1, 6), 100.0), *(1.0 - np.exp(-rates * length) for length in grains.FIT_LENGTHS)]
    wanted = [
        found.fraction(found.reduced_drive(grains.FIT_DENSITIES, t, temperature)) for t in grains.FIT_LENGTHS
    ]
    solved = lsq_linear(
        np.vstack(rows), np.concatenate([[100.0], *wanted]), (0, np.inf), method="bvls", tol=1e-14
    ).x
    np.testing.assert_allclose(bank.weight, solved / solved.sum(), atol=1e-7)


# --- heat ---


@pytest.mark.parametrize(
    ("t_first", "t_pulse", "edges"),
    [
        # 3 log10(500) = 8.1: nine intervals after the first
        (1e-8, 5e-7, [0.0, *(1e-9 * 500 ** (k / 9) for k in range(10))]),
        (1e-8, 1.1e-9, [0.0, 1e-9, 1.1e-9]),
        (1e-8, 1e-9, [0.0, 1e-9]),
        (1e-8, 4e-10, [0.0, 4e-10]),
    ],
)
def test_nodes_of_a_pulse(t_first: float, t_pulse: float, edges: list[float]) -> None:
    nodes, weights = thermal.pulse_quadrature(t_first, t_pulse)
    begin, width = np.array(edges[:-1])[:, None], np.diff(edges)[:, None]
    gauss = 0.5 + np.array([-0.5, 0.0, 0.5]) * np.sqrt(0.6)
    np.testing.assert_allclose(nodes, (begin + width * gauss).ravel(), rtol=1e-9)
    np.testing.assert_allclose(weights, (width * np.array([5, 8, 5]) / 18).ravel(), rtol=1e-6)
    coarse, _ = thermal.pulse_quadrature(t_first, t_pulse, per_decade=1)
    assert len(coarse) == 3 * (1 + (int(np.ceil(np.log10(t_pulse / 1e-9) - 1e-12)) if t_pulse > 1e-9 else 0))


def test_a_runaway_ends_at_its_limit() -> None:
    network = replace(thermal.thermal_network(CARD), tcr=0.01)
    assert network.rise_after(30e-3, 200e-6).max() == 1e5


def test_energies_of_warming_pulses_of_several_lengths() -> None:
    network = replace(thermal.thermal_network(CARD), tcr=1e-3)
    current, length = np.array([[15e-3, 10e-3, 15e-3]]), np.array([[2e-6], [0.0]])
    start = np.array([40.0, 5.0])
    found = network.pulse_energy(current, length, start)
    assert found.shape == (2, 3)
    np.testing.assert_array_equal(found[1], 0.0)
    times = np.linspace(0.0, 2e-6, 40001)
    for column, one in enumerate(current[0]):
        ohm = network.resistance_at(
            network.temperature(network.rise_after(np.full(40001, one), times, start))
        )
        assert found[0, column] == pytest.approx(np.trapezoid(one**2 * ohm, times), rel=1e-6)
    # twice the slope: 500 ohm (1 + 1e-3 50 K)
    assert network.resistance_at(350.0) == pytest.approx(525.0, rel=1e-12)


def test_temperature_through_a_pulse_and_after_it() -> None:
    current, length = 12e-3, 2e-6
    curve = curves.heat_curve(CARD, current, length, points=7)
    rising = 5e-12 * (length / 5e-12) ** (np.arange(7) / 6)
    np.testing.assert_allclose(curve.time, [*rising, *(length + rising)], rtol=1e-9)
    watt = current**2 * 500.0
    up = 300 + watt * (560 * (1 - np.exp(-rising / 5e-9)) + 240 * (1 - np.exp(-rising / 1e-6)))
    down = 300 + watt * (560 * np.exp(-rising / 5e-9) + 240 * (1 - np.exp(-2.0)) * np.exp(-rising / 1e-6))
    np.testing.assert_allclose(curve.temperature, [*up, *down], rtol=1e-9)
    assert curves.heat_curve(CARD, current, length).time.shape == (400,)
