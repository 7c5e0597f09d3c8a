"""Reading, retention, spread, scaling, limits and costs of a device, each against numbers worked out by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import norm

from compact_model import (
    grains,
    hallbar,
    limits,
    readout,
    retention,
    scaling,
    spread,
    switching,
    synapse,
)
from compact_model.cards.device import load_card

CARD = load_card()
SET_B = CARD.with_choices(switching="B")
AREA = 5e-6 * 10.8e-9


BANK = grains.GrainBank(
    theta=np.array([0.5, 0.8, 1.3]), weight=np.array([0.2, 0.5, 0.3]), tau0=1e-9, t_wall=4e-9, wall_width=0.1
)


# --- reading, keeping, spreading, scaling ---


def test_drift_and_thermometer() -> None:
    # R_off = 0.33 + 0.1366 ohm, 5e-4 per kelvin
    assert readout.offset_drift(CARD, 10.0) == pytest.approx(0.4666 * 5e-3, rel=1e-9)
    warmer = 13e-3**2 * 500 * 800
    assert readout.thermometer(CARD, -13e-3, 200e-6) == pytest.approx(5e-4 * warmer, rel=1e-9)
    corner = (1e-3 * 500 / 6) ** 2 * 3e-3 / 1.62e10 / (4 * 1.380649e-23 * 300 * 500)
    assert readout.flicker_corner(CARD, -1e-3) == pytest.approx(corner, rel=1e-6)


def test_steps_are_told_by_six_sigmas_unless_said() -> None:
    density = 4 * 1.380649e-23 * 300 * 500
    assert readout.step_bandwidth(CARD, 1e-3, 0.02) == pytest.approx(
        (1e-3 * 0.02 / 6) ** 2 / density, rel=1e-6
    )
    assert readout.step_bandwidth(CARD, 1e-3, 0.02, 3.0) == pytest.approx(
        4 * float(readout.step_bandwidth(CARD, 1e-3, 0.02)), rel=1e-9
    )
    assert readout.step_energy(CARD, 0.02) == pytest.approx(
        36 * 500 * density / (2 * 0.02**2), rel=1e-6, abs=0
    )
    assert readout.step_energy(CARD, 0.02, 3.0) == pytest.approx(
        readout.step_energy(CARD, 0.02) / 4, rel=1e-9, abs=0
    )


def test_confusion_of_unequal_levels() -> None:
    levels, sigma = np.array([0.0, 1.0, 3.0]), np.array([0.5, 1.0, 2.0])
    found = readout.confusion(levels, sigma)
    edges = [-np.inf, 0.5, 2.0, np.inf]
    wanted = [
        [norm.cdf(b, m, s) - norm.cdf(a, m, s) for a, b in itertools.pairwise(edges)]
        for m, s in zip(levels, sigma, strict=True)
    ]
    np.testing.assert_allclose(found.probability, wanted, atol=1e-12)
    for wrong in (0.0, np.array([1.0, -1.0, 1.0])):
        with pytest.raises(ValueError, match="above 0 ohm"):
            readout.confusion(levels, wrong)


def test_noise_and_cycles_add_up_in_the_confusion() -> None:
    noise = np.sqrt(4 * 1.380649e-23 * 300 * 500 / (2 * 10e-6)) / 1e-3
    np.testing.assert_allclose(readout.device_confusion(CARD, -1e-3, 10e-6).sigma, noise, rtol=1e-6)
    both = np.sqrt(noise**2 + (0.01 * 0.2732) ** 2)
    found = readout.device_confusion(CARD, 1e-3, 10e-6, sigma_cycle=0.01)
    np.testing.assert_allclose(found.sigma, np.full(6, both), rtol=1e-6)


def test_bandwidth_of_no_time_is_refused() -> None:
    assert readout.read_bandwidth(0.5) == 1.0
    assert readout.flicker_band(1e-3, 2e-3) == 0.0
    assert readout.flicker_band(1e-3, 4e-3) == pytest.approx(np.log(2.0))
    with pytest.raises(ValueError, match="above 0 s"):
        readout.read_bandwidth(-1.0)


def test_states_relax_over_their_barriers() -> None:
    s = np.array([[0.1, 0.4, 1.0], [1.0, 0.0, 0.5]])
    spread_out = CARD.with_choices(retention="proportional").with_value("switching.delta", 20.0)
    barrier = 20.0 * BANK.theta * 300 / 350
    wanted = 0.5 + (s - 0.5) * np.exp(-2.0 * 1e-2 / (1e-9 * np.exp(barrier)))
    np.testing.assert_allclose(retention.retained(spread_out, BANK, s, 1e-2, 350.0), wanted, rtol=1e-9)
    np.testing.assert_array_equal(
        retention.retained(spread_out, BANK, s, 1e-2), retention.retained(spread_out, BANK, s, 1e-2, 300.0)
    )
    common = CARD.with_value("switching.delta", 20.0)
    decay = np.exp(-1e-2 / (1e-9 * np.exp(20.0) + 4e-9 / np.hypot(1.0, 0.1)))
    np.testing.assert_allclose(retention.retained(common, BANK, s, 1e-2), 0.5 + (s - 0.5) * decay, rtol=1e-9)


def test_levels_that_relax() -> None:
    weak = CARD.with_value("switching.delta", 25.0)
    levels = np.array([0.30, 0.33, 0.50])  # below the reset state, at it, above it
    found = retention.retained_levels(weak, levels, 1.0)
    decay = np.exp(-1.0 / (1e-9 * np.exp(25.0)))
    device = hallbar.hall_bar(weak)
    current = float(switching.programming_current(weak, (0.5 - 0.33) / 0.2732))
    s = float(device.fraction(device.pulsed(device.prepared(), current, 200e-6))[0])
    lost = [0.5 * (1 - decay), 0.5 * (1 - decay), (0.5 - s) * (1 - decay)]
    np.testing.assert_allclose(found, levels + 0.2732 * np.array(lost), rtol=1e-6)
    np.testing.assert_array_equal(found, retention.retained_levels(weak, levels, 1.0, 300.0))


def test_regions_are_counted_in_the_cross() -> None:
    for width, count in ((5e-6, 400), (1e-6, 16), (0.65e-6, 7), (10e-9, 1)):
        assert spread.region_count(CARD.with_value("geometry.w_channel", width)) == count


def test_spread_splits_the_variance_of_the_regions() -> None:
    found = spread.spread_after(CARD, 12e-3, 50)
    one = switching.switching_law(CARD)
    theta = one.threshold((np.arange(4000) + 0.5) / 4000)
    bank = grains.GrainBank(
        theta=theta, weight=np.full(4000, 1 / 4000), tau0=1e-9, t_wall=5e-9, wall_width=0.05
    )
    p = 1.0 - np.exp(-bank.rate(np.array(12e-3 / AREA / one.critical_density()), 60.0) * 200e-6)
    assert found.fraction == pytest.approx(p.mean(), rel=1e-10)
    assert found.device == pytest.approx(np.sqrt(np.mean((p - p.mean()) ** 2) / 50), rel=1e-9)
    assert found.cycle == pytest.approx(np.sqrt(np.mean(p - p**2) / 50), rel=1e-9)
    assert spread.spread_after(CARD, 12e-3).device == pytest.approx(
        found.device * np.sqrt(50 / 400), rel=1e-9
    )


def test_sampled_regions_are_whole() -> None:
    bank = spread.sampled_bank(BANK, 7, 5, np.random.default_rng(1))
    assert bank.weight.shape == (5, 3)
    np.testing.assert_allclose(bank.weight.sum(axis=1), 1.0, rtol=1e-12)
    held = np.rint(7 * bank.weight)
    np.testing.assert_allclose(7 * bank.weight, held, atol=1e-12)
    # rounding beyond 0..1 does no harm, and a threshold without a region counts nothing
    s = np.tile([1.0 + 1e-12, -1e-12, 0.5], (5, 1))
    drawn = spread.sampled_state(s, bank, 7, np.random.default_rng(2))
    np.testing.assert_array_equal(drawn[:, 0], np.minimum(held[:, 0], 1.0))
    np.testing.assert_array_equal(drawn[:, 1], 0.0)
    np.testing.assert_allclose(drawn[:, 2] * held[:, 2], np.rint(drawn[:, 2] * held[:, 2]), atol=1e-12)
    many = spread.sampled_bank(BANK, 10_000, 50, np.random.default_rng(3))
    np.testing.assert_allclose(many.weight.mean(axis=0), BANK.weight, atol=3e-3)
    half = spread.sampled_state(np.full((50, 3), 0.3), many, 10_000, np.random.default_rng(4))
    np.testing.assert_allclose(half.mean(axis=0), 0.3, atol=5e-3)


def test_a_scaled_card_keeps_its_resistances() -> None:
    found = scaling.at_width(CARD, 1e-6).geometry
    assert (found.w_channel.value, found.l_channel.value, found.l_arm.value) == pytest.approx(
        (1e-6, 6e-6, 6e-6)
    )
    assert [line[:2] for line in scaling.TABLE] == [
        (5e-6, 2e-4), (5e-6, 1e-6), (5e-6, 1e-8), (5e-7, 2e-4), (5e-7, 1e-8), (1e-7, 1e-8), (1e-7, 1e-9)
    ]  # fmt: skip
    assert [line[2] for line in scaling.TABLE] == [None] * 5 + [1e-9] * 2


def test_a_line_of_the_scaling_table() -> None:
    line = scaling.scaled_pulse(CARD, 1e-6, 1e-6)
    one = switching.switching_law(CARD)
    u = one.threshold(0.68)
    assert line.density == pytest.approx(u * one.critical_density() * float(one.pulse_factor(1e-6)), rel=1e-9)
    assert line.current == pytest.approx(line.density * 1e-6 * 10.8e-9, rel=1e-9)
    assert line.voltage == pytest.approx(500 * line.current, rel=1e-9)
    assert line.energy == pytest.approx(500 * line.current**2 * 1e-6, rel=1e-9, abs=0)
    # a 25th of the area: 560 K/W by 25, 240 K/W by 5, with 5 ns and 1 us
    heat = 500 * line.current**2 * (25 * 560 + 5 * 240 * (1 - np.exp(-1.0)))
    assert line.temperature_rise == pytest.approx(heat, rel=1e-9)
    assert line.regions == 16
    assert line.device_spread == pytest.approx(np.sqrt(0.68 * 0.32 / 16), rel=1e-9)
    assert line.read_current == pytest.approx(2e10 * 1e-6 * 10.8e-9, rel=1e-9, abs=0)
    assert line.read_step == pytest.approx(0.02 * line.read_current, rel=1e-9, abs=0)
    white = 4 * 1.380649e-23 * 300 * 500
    assert line.read_time == pytest.approx(0.5 * white * 36 / line.read_step**2, rel=1e-6)
    assert [(r.w_channel, r.t_pulse) for r in scaling.scaling_table(CARD)] == [r[:2] for r in scaling.TABLE]


# --- limits ---


@pytest.mark.parametrize(
    ("current", "length", "told"),
    [
        (15.9e-3, 1e-7, []),
        (-16.1e-3, 2e-7, ["compliance: -16.1 mA needs 8.05 V over the channel, the source gives 8 V"]),
        (1e-3, 99e-9, ["pulse length: 99 ns is below 100 ns, where the switching law is extrapolated"]),
        (1e-3, 150e-9, []),
    ],
)
def test_warnings(current: float, length: float, told: list[str]) -> None:
    assert limits.warnings_for(CARD, current, length) == told


def test_warnings_of_heat_and_of_density() -> None:
    strong = CARD.with_value("reality.compliance", 100.0)
    # 150 K of 400 K/W/ohm: 19.36 mA; 5e11 A/m^2 are 27 mA
    assert limits.warnings_for(strong, 19.3e-3, 1e-3) == []
    assert limits.warnings_for(strong, 19.5e-3, 1e-3) == [
        "temperature: the channel reaches 452 K, the limit is 450 K"
    ]
    assert [t.split(":")[0] for t in limits.warnings_for(strong, -27.1e-3, 1e-6)] == [
        "temperature",
        "electromigration",
    ]
    assert [t.split(":")[0] for t in limits.warnings_for(strong, 26.9e-3, 1e-6)] == ["temperature"]


# --- levels ---


def test_costs_of_the_levels() -> None:
    ladder = np.array([11.0, 12.1, 13.2, 14.3, 15.4]) * 1e-3
    each = np.array([0.0, *(ladder**2 * 500 * 200e-6)])
    cost = synapse.level_cost(CARD)
    np.testing.assert_array_equal(cost.pulses, [0, 1, 2, 3, 4, 5])
    np.testing.assert_allclose(cost.energy, np.cumsum(each), rtol=1e-9)
    np.testing.assert_allclose(cost.time, 200e-6 * np.arange(6), rtol=1e-12)
    assert (cost.reset_energy, cost.reset_time) == (0.0, 0.0)
    direct = synapse.level_cost(CARD.with_choices(reset="pulse"), synapse.WriteSequence.DIRECT)
    reset = 0.0154**2 * 500 * 200e-6
    np.testing.assert_array_equal(direct.pulses, [0, 1, 1, 1, 1, 1])
    np.testing.assert_allclose(direct.energy, each + reset, rtol=1e-9)
    np.testing.assert_allclose(direct.time, 200e-6 * np.array([1, 2, 2, 2, 2, 2]), rtol=1e-12)
    assert (direct.reset_energy, direct.reset_time) == pytest.approx((reset, 200e-6), rel=1e-9)
    assert synapse.hall_resistance_at(CARD, -1.0) == pytest.approx(0.33 + 0.2732, rel=1e-12)
    assert synapse.switched_share(CARD, 0.33 + 0.6 * 0.2732) == pytest.approx(0.6, rel=1e-9)
    np.testing.assert_allclose(synapse.normalised(np.array([2.0, 3.0, 6.0])), [-1.0, -0.5, 1.0], rtol=1e-12)
