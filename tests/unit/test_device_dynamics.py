"""Integrators against a reference solver; heating; pulse length; retention; spread."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from compact_model import curves, hallbar, readout, retention, scaling, spread, stack, switching, thermal
from compact_model.cards.device import load_card

CARD = load_card()
SET_B = CARD.with_choices(switching="B")


@pytest.mark.parametrize("ends", [(0.0, 14e-3), (14e-3, 0.0), (-12e-3, 13e-3)])
def test_ramps_against_a_stiff_solver(ends: tuple[float, float]) -> None:
    """The edges of a write pulse: three-point Gauss in 32 parts."""
    device = hallbar.hall_bar(CARD)
    bank = replace(device.bank, smoothing=1e-3)
    per_current = float(stack.current_density(CARD, 1.0) / device.law.critical_density())
    begin, end = (current * per_current for current in ends)
    duration = 1e-6

    def slope(time: float, s: np.ndarray) -> np.ndarray:
        x = np.array(begin + (end - begin) * time / duration)
        return bank.rate(x, device.law.delta) * (bank.target(x) - s)

    start = np.full(32, 0.3)
    reference = solve_ivp(slope, (0.0, duration), start, "Radau", rtol=1e-9, atol=1e-12).y[:, -1]
    for parts, tolerance in ((32, 5e-5), (64, 1e-6)):
        s = bank.ramp(start, np.array(begin), np.array(end), duration, device.law.delta, parts=parts)
        np.testing.assert_allclose(bank.fraction(s), bank.fraction(reference), rtol=0, atol=tolerance)


def test_waveforms_with_edges_against_a_stiff_solver() -> None:
    """A trapezoidal write pulse in both sets; Set B with the temperature as part of the reference."""
    times, currents = np.array([0.0, 1e-6, 5e-6, 6e-6]), np.array([0.0, 14e-3, 14e-3, 0.0])
    for card in (CARD, SET_B):
        device = hallbar.hall_bar(card)
        device = replace(device, bank=replace(device.bank, smoothing=1e-3))

        def slope(time: float, y: np.ndarray, device: hallbar.HallBar = device) -> np.ndarray:
            law, network = device.law, device.heat
            current = np.interp(time, times, currents)
            heating = y[:2].sum() if law.electrothermal else 0.0
            temperature = np.array(network.ambient + heating)
            x = current / device.area / law.critical_density(temperature)
            rate = device.bank.rate(x, law.barrier(temperature))
            warming = (network.resistance * current**2 * network.r_channel - y[:2]) / network.tau
            return np.concatenate([warming, np.minimum(rate, 1e10) * (device.bank.target(x) - y[2:])])

        y = np.zeros(2 + len(device.bank.theta))
        for begin, end in itertools.pairwise(times):
            y = solve_ivp(slope, (begin, end), y, "LSODA", rtol=1e-9, atol=1e-11).y[:, -1]
        state = device.followed(device.prepared(), times, currents)
        tolerance = 2e-4 if device.law.electrothermal else 2e-6  # second order in the heating of an interval
        assert device.fraction(state)[0] == pytest.approx(device.bank.fraction(y[2:]), abs=tolerance)
        np.testing.assert_allclose(device.temperature(state)[0], 300 + y[:2].sum(), atol=0.5)


def test_a_heating_ramp_is_the_limit_of_many_pulses() -> None:
    """Set B, 0 to 20 mA in 2 us, while the slower stage (1 us) warms: 4000 flat pulses at the middle of their step."""
    device = hallbar.hall_bar(SET_B)
    ramped = device.followed(device.prepared(), np.array([0.0, 2e-6]), np.array([0.0, 20e-3]), parts=1024)
    state, parts = device.prepared(), 4000
    for part in range(parts):
        state = device.pulsed(state, 20e-3 * (part + 0.5) / parts, 2e-6 / parts)
    assert 0.1 < float(device.fraction(state)[0]) < 0.9
    assert device.fraction(ramped) == pytest.approx(device.fraction(state), abs=2e-5)
    np.testing.assert_allclose(ramped.rise, state.rise, rtol=1e-3)


def test_devices_of_either_polarity_see_the_same_train() -> None:
    """Three pulses, two devices, the second with its interface moment reversed: as one device after the other."""
    device = hallbar.hall_bar(CARD)
    both = device.prepared(2)
    reversed_moment = device.preset(device.prepared(1), -3000.0 * 1e3 / (4.0 * np.pi))
    both = replace(
        both,
        polarity=replace(both.polarity, m_i=np.array([1.0, float(reversed_moment.polarity.m_i[0])])),
    )
    currents = np.array([12e-3, -13e-3, 11e-3])
    _, together = device.trained(both, currents, 200e-6)
    for column, alone in enumerate((device.prepared(1), reversed_moment)):
        _, fraction = device.trained(alone, currents, 200e-6)
        np.testing.assert_allclose(together[:, column], fraction[:, 0], rtol=1e-9, atol=1e-12)
    assert np.abs(together[:, 0] - together[:, 1]).max() > 0.3


def test_many_heated_devices_are_as_two() -> None:
    """More than the 1024 of one block, with currents of their own."""
    device = hallbar.hall_bar(SET_B)
    currents = np.where(np.arange(2050) % 3 == 0, 13e-3, 14e-3)
    few = device.fraction(device.pulsed(device.prepared(2), np.array([13e-3, 14e-3]), 1e-6))
    many = device.fraction(device.pulsed(device.prepared(2050), currents, 1e-6))
    np.testing.assert_allclose(many, np.where(np.arange(2050) % 3 == 0, few[0], few[1]), rtol=1e-12)


@pytest.mark.parametrize(("current", "length"), [(13e-3, 200e-6), (15.4e-3, 1e-6), (20e-3, 10e-9)])
def test_heated_pulses_against_a_stiff_solver(current: float, length: float) -> None:
    device = hallbar.hall_bar(SET_B)
    law, network = device.law, device.heat
    density = float(stack.current_density(SET_B, current))

    def slope(_: float, y: np.ndarray) -> np.ndarray:
        rise, s = y[:2], y[2:]
        temperature = network.ambient + rise.sum()
        rate = device.bank.rate(
            density / law.critical_density(temperature), np.asarray(law.barrier(temperature))
        )
        warming = (network.resistance * current**2 * network.r_channel - rise) / network.tau
        return np.concatenate([warming, np.minimum(rate, 1e10) * (1.0 - s)])

    solved = solve_ivp(slope, (0.0, length), np.zeros(34), "LSODA", rtol=1e-8, atol=1e-10)
    state = device.pulsed(device.prepared(), current, length)
    # three intervals per decade of time: 1e-6
    assert device.fraction(state)[0] == pytest.approx(device.bank.fraction(solved.y[2:, -1]), abs=3e-6)
    np.testing.assert_allclose(state.rise[0], solved.y[:2, -1], rtol=1e-5)


def test_temperature_with_feedback_of_the_resistance() -> None:
    network = replace(thermal.thermal_network(CARD), tcr=1e-3)
    current, length = 15e-3, 2e-6

    def slope(_: float, rise: np.ndarray) -> np.ndarray:
        power = current**2 * network.resistance_at(network.ambient + rise.sum())
        return (network.resistance * power - rise) / network.tau

    solved = solve_ivp(slope, (0.0, length), np.zeros(2), "Radau", rtol=1e-10, atol=1e-12, dense_output=True)
    np.testing.assert_allclose(network.rise_after(current, length), solved.y[:, -1], rtol=1e-7)
    times = np.linspace(0.0, length, 20001)
    power = current**2 * network.resistance_at(network.ambient + solved.sol(times).sum(axis=0))
    assert float(network.pulse_energy(current, length)) == pytest.approx(np.trapezoid(power, times), rel=1e-6)


def test_thermal_runaway_ends_at_a_finite_temperature() -> None:
    network = replace(thermal.thermal_network(CARD), tcr=0.01)
    with np.errstate(over="raise", invalid="raise"):
        hot = network.temperature(network.rise_after(np.array([1e-3, 30e-3]), 200e-6))
    assert hot[0] < 301.0
    assert 1e5 <= hot[1] < 1e6


def test_short_pulses_are_not_over_heated() -> None:
    steady = float(thermal.pulse_temperature(CARD, 24e-3, 200e-6)) - 300.0
    short = float(thermal.pulse_temperature(CARD, 24e-3, 10e-9)) - 300.0
    assert steady == pytest.approx(0.024**2 * 500 * 800, rel=1e-6)
    # first stage 1 - exp(-2) of 560 K/W, the second hardly moved
    assert short == pytest.approx(0.024**2 * 500 * (560 * 0.8647 + 240 * 0.00995), rel=1e-3)


@pytest.mark.parametrize(
    ("length", "density"),
    [(1e-2, 1.92e11), (2e-4, 2.09e11), (1e-6, 2.33e11), (1e-7, 2.55e11), (1e-8, 3.8e11), (1e-9, 15.7e11)],
)
def test_density_that_switches_half(length: float, density: float) -> None:
    current = switching.programming_current(CARD, 0.5, length)
    assert float(stack.current_density(CARD, current)) == pytest.approx(density, rel=0.01)


def test_heated_rates_follow_the_heated_law() -> None:
    """Set B at the steady temperature: 800 K/W times I^2 500 ohm, I = J 5 um 10.8 nm; the stated limit is 0.02."""
    device = hallbar.hall_bar(SET_B)
    density = np.linspace(0.5e11, 5.0e11, 91)
    temperature = 300.0 + 800.0 * 500.0 * (density * 5e-6 * 10.8e-9) ** 2
    assert temperature[-1] == pytest.approx(591.6, abs=0.1)
    x, barrier = density / device.law.critical_density(temperature), device.law.barrier(temperature)
    for length in (1e-6, 200e-6, 1e-2):
        s = device.bank.fraction(1.0 - np.exp(-device.bank.rate(x, barrier) * length))
        wanted = device.law.fraction(device.law.reduced_drive(density, length, temperature))
        assert np.abs(s - wanted).max() < 0.02


def test_law_and_rates_part_below_100_ns() -> None:
    lengths = np.array([1e-2, 2e-4, 1e-6, 1e-7, 1e-9])
    curve = curves.pulse_width_curve(CARD, lengths)
    ratio = curve.rates / curve.law
    assert np.abs(ratio[:4] - 1.0).max() < 0.01
    assert ratio[4] < 0.8


def test_identical_pulses_creep_with_the_logarithm_of_their_number() -> None:
    creep = curves.identical_pulses(CARD, 13.01e-3, np.array([1, 2, 5, 10, 100, 1000]))
    np.testing.assert_allclose(creep.law, [0.680, 0.698, 0.721, 0.738, 0.796, 0.849], atol=0.0015)
    np.testing.assert_allclose(creep.rates, creep.law, atol=0.007)  # the bank's largest error


def test_depression_mirrors_potentiation() -> None:
    trace = curves.ladder_trace(CARD, 2)
    np.testing.assert_allclose(trace.stack[5:10], [0.436, 0.404, 0.375, 0.350, 0.330], atol=6e-4)
    np.testing.assert_allclose(trace.stack[10:], trace.stack[:10], rtol=0, atol=1e-12)
    assert 2e-3 < np.abs(trace.rates[10:] - trace.rates[:10]).max() < 5e-3


@pytest.mark.parametrize(
    ("delta", "temperature", "after_hours", "after_decade"),
    [(60.0, 300.0, 0.029, 0.107), (80.0, 300.0, 0.0036, 0.029), (80.0, 358.15, 0.015, 0.069)],
)
def test_retention_with_spread_barriers(
    delta: float, temperature: float, after_hours: float, after_decade: float
) -> None:
    card = CARD.with_choices(retention="proportional").with_value("switching.delta", delta)
    device = hallbar.hall_bar(card)
    state = device.pulsed(device.prepared(), 13.01e-3, 200e-6)
    for duration, loss in ((1e4, after_hours), (3.156e8, after_decade)):
        kept = device.bank.fraction(retention.retained(card, device.bank, state.s, duration, temperature))
        assert device.fraction(state)[0] - kept[0] == pytest.approx(loss, rel=0.03)
        written = device.hall_resistance(state)
        levels = retention.retained_levels(card, np.array([0.33, written[0]]), duration, temperature)
        # The pulse that is taken for this level follows the closed law, the one above has its given current.
        assert written[0] - levels[1] == pytest.approx(loss * device.law.delta_r, rel=0.06)
        assert levels[0] > 0.33  # the reset state relaxes as well


@pytest.mark.parametrize(("regions", "device", "cycle"), [(400, 2.2, 0.66), (100, 4.4, 1.3), (36, 7.4, 2.2)])
def test_spread_follows_the_number_of_regions(regions: int, device: float, cycle: float) -> None:
    result = spread.spread_after(CARD, 13.01e-3, regions)
    assert 100 * result.device == pytest.approx(device, rel=0.02)
    assert 100 * result.cycle == pytest.approx(cycle, rel=0.03)


def test_monte_carlo_spread_agrees_with_the_formula() -> None:
    rng = np.random.default_rng(7)
    count, regions = 4000, 100
    base = hallbar.hall_bar(CARD, grain_count=48)
    device = replace(base, bank=spread.sampled_bank(base.bank, regions, count, rng))
    state = device.pulsed(device.prepared(count), 13.01e-3, 200e-6)
    mean = device.fraction(state)
    drawn = device.bank.fraction(spread.sampled_state(state.s, device.bank, regions, rng))
    expected = spread.spread_after(CARD, 13.01e-3, regions)
    # a standard deviation from 4000 samples is known to 1.1 %; the grid of 48 thresholds adds a few percent
    assert mean.std() == pytest.approx(expected.device, rel=0.06)
    assert drawn.std() == pytest.approx(np.hypot(expected.device, expected.cycle), rel=0.06)


def test_noise_of_the_read() -> None:
    assert readout.johnson_density(CARD) == pytest.approx(2.88e-9, rel=0.005, abs=0)
    assert 21e-9 < float(readout.flicker_density(CARD, 1e-3)) < 65e-9
    assert 50 < readout.flicker_corner(CARD, 1e-3) < 500
    bandwidth = readout.step_bandwidth(CARD, np.array([1e-5, 1e-4, 1e-3]), 0.02)
    np.testing.assert_allclose(bandwidth, [134, 1.34e4, 1.34e6], rtol=0.005)
    assert readout.step_energy(CARD, 0.02) == pytest.approx(0.19e-9, rel=0.03, abs=0)
    chopped = readout.read_noise(CARD, 1e-3, 10e-6)
    assert chopped == pytest.approx(2.88e-9 * np.sqrt(5e4), rel=0.005, abs=0)
    # 1/f noise from 1/100 Hz to 50 kHz: the natural logarithm of 100 s / 20 us is 15.424948
    flicker = float(readout.flicker_density(CARD, 1e-3))
    heard = np.sqrt(chopped**2 + 15.424948 * flicker**2)
    assert readout.read_noise(CARD, 1e-3, 10e-6, t_since_calibration=100.0) == pytest.approx(
        heard, rel=1e-7, abs=0
    )
    assert readout.read_noise(CARD, 1e-3, 10e-6, t_since_calibration=15e-6) == pytest.approx(
        chopped, rel=1e-9, abs=0
    )
    with pytest.raises(ValueError, match="t_read = 0 s"):
        readout.read_noise(CARD, 1e-3, 0.0)


def test_formulas_of_noise_and_offset_by_hand() -> None:
    assert readout.thermal_density(1e3, 300.0) == pytest.approx(1.656779e-17, rel=1e-6, abs=0)  # 4.07 nV
    assert readout.read_bandwidth(4e-6) == 125e3
    # from 1/10 Hz to 125 kHz: ln 1.25e6 = 14.038654
    assert readout.flicker_band(4e-6, 10.0) == pytest.approx(14.038654, rel=1e-7)
    # 1 mA over a square of 83.333 ohm, gamma = 3e-3, N = 6e28 * 25e-12 * 10.8e-9 = 1.62e10
    assert readout.resistance_flicker(CARD) == pytest.approx((500 / 6) ** 2 * 3e-3 / 1.62e10, rel=1e-6, abs=0)
    expected = 1e-3 * 500 / 6 * np.sqrt(3e-3 / 1.62e10)
    assert readout.flicker_density(CARD, -1e-3) == pytest.approx(expected, rel=1e-6, abs=0)
    # 67.7 K above ambient at 0.65 uV/K: positive for both signs of the current
    warmer = thermal.pulse_temperature(CARD, 13.01e-3, 200e-6) - 300.0
    assert warmer == pytest.approx(13.01e-3**2 * 500 * 800, rel=1e-9)  # 560 + 240 K/W, settled
    np.testing.assert_allclose(
        readout.thermoelectric_offset(CARD, np.array([13.01e-3, -13.01e-3]), 200e-6), 0.65e-6 * warmer
    )
    assert readout.thermoelectric_offset(CARD, 13.01e-3, 200e-6) == pytest.approx(44.006e-6, rel=1e-4, abs=0)


def test_heat_resistances_of_a_channel_of_another_area() -> None:
    """Half as wide and half as long: 560 K/W of oxide by 4, 240 K/W of substrate by 2."""
    found = thermal.thermal_network(scaling.at_width(CARD, 2.5e-6))
    np.testing.assert_allclose(found.resistance, [4 * 560.0, 2 * 240.0], rtol=1e-12)
    # twice as wide alone: half, and 1/sqrt(2)
    wide = thermal.thermal_network(CARD.with_value("geometry.w_channel", 10e-6))
    np.testing.assert_allclose(wide.resistance, [280.0, 240.0 / np.sqrt(2)], rtol=1e-12)


def test_levels_are_told_apart_at_1_ma_in_10_us() -> None:
    clear = readout.device_confusion(CARD, 1e-3, 10e-6)
    assert clear.probability.sum(axis=1) == pytest.approx(np.ones(6), abs=1e-12)
    assert np.diag(clear.probability).min() > 1 - 1e-12
    blurred = readout.device_confusion(CARD, 1e-3, 10e-6, sigma_cycle=0.02)
    # half a step of 20 mohm is 1.83 sigma of 0.02 windows
    assert blurred.probability[3, 4] == pytest.approx(0.034, abs=0.002)


@pytest.mark.parametrize(
    ("width", "length", "t_wall", "density", "energy"),
    [
        (5e-6, 200e-6, None, 2.41e11, 16.9e-6),
        (5e-6, 1e-6, None, 2.69e11, 106e-9),
        (5e-6, 10e-9, None, 4.4e11, 2.85e-9),
        (0.5e-6, 10e-9, None, 4.4e11, 28.5e-12),
        (0.1e-6, 10e-9, 1e-9, 3.2e11, 0.60e-12),
        (0.1e-6, 1e-9, 1e-9, 6.0e11, 0.21e-12),
    ],
)
def test_scaling_of_writing(
    width: float, length: float, t_wall: float | None, density: float, energy: float
) -> None:
    line = scaling.scaled_pulse(CARD, width, length, t_wall=t_wall)
    assert line.density == pytest.approx(density, rel=0.01)
    assert line.energy == pytest.approx(energy, rel=0.02)
    assert line.voltage == pytest.approx(line.current * 500.0)


def test_reading_costs_the_same_at_every_width() -> None:
    lines = [scaling.scaled_pulse(CARD, width, 10e-9) for width in (5e-6, 0.5e-6, 0.1e-6)]
    energies = [line.read_current**2 * 500.0 * line.read_time for line in lines]
    assert energies == pytest.approx([0.19e-9] * 3, rel=0.03)
    assert [line.regions for line in lines] == [400, 4, 1]
