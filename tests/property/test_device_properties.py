"""Properties of the device model that hold for any pulses, states and parameters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from compact_model import grains, hallbar, port, preisach, programming, stack, switching, synapse
from compact_model.cards.device import load_card
from compact_model.constants import YEAR
from compact_model.hallbar import HallBar

CARD = load_card()
DEVICES = {name: hallbar.hall_bar(CARD.with_choices(switching=name)) for name in ("A", "B")}
LAWS = {name: device.law for name, device in DEVICES.items()}
T_PULSE = 200e-6

both = st.sampled_from(("A", "B"))
currents = st.floats(-18e-3, 18e-3)
trains = st.lists(currents, min_size=1, max_size=12)
lengths = st.floats(1e-8, 1e-2)
thresholds = st.floats(0.31, 3.0)
excursions = st.lists(st.tuples(thresholds, st.sampled_from((0.0, 1.0))), max_size=8)


def after(device: HallBar, train: list[float], t_pulse: float = T_PULSE) -> hallbar.HallBarState:
    state = device.prepared()
    for current in train:
        state = device.cooled(device.pulsed(state, current, t_pulse))
    return state


@given(both, st.tuples(currents, currents), lengths)
def test_larger_currents_switch_more(name: str, pair: tuple[float, float], length: float) -> None:
    device = DEVICES[name]
    small, large = sorted(abs(current) for current in pair)
    state = device.pulsed(device.prepared(2), np.array([small, large]), length)
    low, high = device.fraction(state)
    assert low <= high + 1e-12
    card = CARD.with_choices(switching=name)
    assert switching.switched_fraction(card, small, length) <= switching.switched_fraction(
        card, large, length
    )


@given(both, trains, lengths)
@settings(max_examples=50)
def test_states_stay_between_zero_and_one(name: str, train: list[float], length: float) -> None:
    state = after(DEVICES[name], train, length)
    assert np.all((state.s >= 0.0) & (state.s <= 1.0))
    assert 0.0 <= DEVICES[name].fraction(state)[0] <= 1.0 + 1e-12


@given(trains)
@settings(max_examples=30)
def test_reversing_all_currents_mirrors_the_state(train: list[float]) -> None:
    device = DEVICES["A"]
    state = after(device, train)
    mirrored = device.prepared()
    mirrored = replace(mirrored, s=np.ones_like(mirrored.s))
    for current in train:
        mirrored = device.pulsed(mirrored, -current, T_PULSE)
    np.testing.assert_allclose(mirrored.s, 1.0 - state.s, rtol=0, atol=1e-12)


@given(st.lists(trains, min_size=3, max_size=3), st.permutations([0, 1, 2]))
@settings(max_examples=30)
def test_permuted_devices_give_permuted_results(rows: list[list[float]], order: list[int]) -> None:
    count = min(map(len, rows))
    current = np.array([row[:count] for row in rows]).T
    device = DEVICES["A"]
    _, fraction = device.trained(device.prepared(3), current, T_PULSE)
    _, permuted = device.trained(device.prepared(3), current[:, order], T_PULSE)
    np.testing.assert_allclose(permuted, fraction[:, order], rtol=0, atol=1e-15)


@given(trains)
@settings(max_examples=20)
def test_trains_agree_with_single_pulses(train: list[float]) -> None:
    device = DEVICES["A"]
    expected = device.fraction(after(device, train))[0]
    current = np.array(train)
    _, shared = device.trained(device.prepared(3), current, T_PULSE)
    _, individual = device.trained(device.prepared(3), np.tile(current[:, None], 3), T_PULSE)
    # the work-array form floors decays at exp(-50)
    np.testing.assert_allclose(shared[-1], expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(individual[-1], expected, rtol=0, atol=1e-12)


@given(excursions, thresholds, st.lists(st.floats(0.0, 1.0), min_size=1, max_size=6))
def test_return_point_memory(history: list[tuple[float, float]], top: float, minor: list[float]) -> None:
    """A minor loop that starts and ends at the same pulse leaves the state unchanged, whatever is inside."""
    state = preisach.Preisach()
    for u, target in history:
        state = state.pulsed(u, target)
    turned = state.pulsed(top, 1.0)
    inside = turned
    for index, share in enumerate(minor):
        inside = inside.pulsed(share * top, float(index % 2))
    assert inside.pulsed(top, 1.0) == turned


@given(excursions, thresholds)
def test_wiping_out(history: list[tuple[float, float]], top: float) -> None:
    """A pulse above all earlier ones erases their traces."""
    state = preisach.Preisach()
    for u, target in history:
        state = state.pulsed(u, target)
    reached = max([u for u, _ in history], default=0.0)
    largest = max(reached, top)
    assert state.pulsed(largest, 1.0).switched_fraction(LAWS["A"]) == pytest.approx(
        preisach.Preisach().pulsed(largest, 1.0).switched_fraction(LAWS["A"]), abs=1e-14
    )


@given(excursions, thresholds, thresholds)
def test_congruency(history: list[tuple[float, float]], low: float, high: float) -> None:
    """Minor loops between the same pulses have the same height, whatever came before."""
    law = LAWS["A"]
    state = preisach.Preisach()
    for u, target in history:
        state = state.pulsed(u, target)
    up = state.pulsed(high, 1.0)
    down = up.pulsed(min(low, high), 0.0)
    height = up.switched_fraction(law) - down.switched_fraction(law)
    assert height == pytest.approx(float(law.fraction(min(low, high))), abs=1e-12)


@given(st.floats(0.0, 0.999), both)
def test_fraction_and_threshold_are_inverse(s: float, name: str) -> None:
    assert float(LAWS[name].fraction(LAWS[name].threshold(s))) == pytest.approx(s, abs=1e-12)


@given(st.floats(0.001, 0.97), both, st.floats(1e-6, 1e-2))
@settings(max_examples=50)
def test_inverse_programming_of_the_law(s: float, name: str, length: float) -> None:
    card = CARD.with_choices(switching=name)
    current = switching.programming_current(card, s, length)
    # bisection to 1e-16 of the interval, and ds/dI up to 5e2 per ampere and far more near the Curie point
    assert float(switching.switched_fraction(card, current, length)) == pytest.approx(s, abs=1e-9)


@given(trains, st.floats(0.05, 0.95))
@settings(max_examples=15)
def test_inverse_programming_of_the_rate_law(train: list[float], s: float) -> None:
    device = DEVICES["A"]
    state = after(device, train)
    program = programming.pulse_to(device, state, np.array([s]), T_PULSE, 40e-3)
    assert program.reached[0] == 1.0
    assert device.fraction(device.pulsed(state, program.current, T_PULSE))[0] == pytest.approx(s, abs=1e-9)


@given(both, trains)
@settings(max_examples=30)
def test_no_drift_in_ten_years(name: str, train: list[float]) -> None:
    device = DEVICES[name]
    state = after(device, train)
    later = device.waited(state, 10 * YEAR)
    # relaxation at exp(-60) per ns: 2.8e-9 of the distance to 1/2
    assert abs(device.fraction(later)[0] - device.fraction(state)[0]) < 3e-9


@given(
    st.floats(50.0, 5e3),
    st.floats(50.0, 5e3),
    st.floats(0.0, 49.0),  # at r_offset^2 = r_channel r_arm the port has no admittance
    st.floats(-50.0, 50.0),
    st.tuples(*[st.floats(-1.0, 1.0)] * 4),
)
def test_the_port_is_passive_for_any_state(
    r_channel: float, r_arm: float, r_offset: float, r_hall: float, v: tuple[float, ...]
) -> None:
    assert port.passivity_margin(r_channel, r_arm, r_offset) >= 0.0
    admittance = port.admittance(r_channel, r_arm, r_offset, r_hall)
    voltages = np.array(v)
    rounding = 16 * np.finfo(float).eps * np.abs(admittance).max()  # 16 terms of at most this size
    assert voltages @ admittance @ voltages >= -rounding
    np.testing.assert_allclose(admittance.sum(axis=0), 0.0, atol=rounding)
    np.testing.assert_allclose(admittance.sum(axis=1), 0.0, atol=rounding)


@given(st.floats(0.0, 1.0))
def test_reversing_the_magnetisation_transposes_the_port(s: float) -> None:
    np.testing.assert_allclose(
        port.device_impedance(CARD, 1.0 - s), np.swapaxes(port.device_impedance(CARD, s), -1, -2), rtol=1e-14
    )


@pytest.mark.parametrize(
    ("count", "law_error", "short_error", "states_error"),
    [
        (8, 0.119, 0.101, 32e-3),
        (12, 0.060, 0.098, 13e-3),
        (16, 0.034, 0.092, 12e-3),
        (24, 0.0132, 0.089, 5.0e-3),
        (32, 0.0070, 0.088, 5.0e-3),
        (48, 0.0041, 0.088, 5.3e-3),
    ],
)
def test_the_bank_converges_to_the_law(
    count: int, law_error: float, short_error: float, states_error: float
) -> None:
    """Largest error of s over 1 us..10 ms and at 10 ns, and of the six states, for each number of grains."""
    bank = grains.grain_bank(CARD, count)
    law = LAWS["A"]

    def error(length: float) -> float:
        s = 1.0 - np.exp(-bank.rate(grains.FIT_DENSITIES / law.critical_density(), law.delta) * length)
        wanted = law.fraction(law.reduced_drive(grains.FIT_DENSITIES, length, 300.0))
        return float(np.abs(bank.fraction(s) - wanted).max())

    assert max(error(length) for length in grains.FIT_LENGTHS) < law_error
    assert error(1e-8) < short_error
    device = hallbar.hall_bar(CARD, grain_count=count)
    _, fraction = device.trained(device.prepared(), np.array(CARD.synapse.ladder.value), T_PULSE)
    levels = synapse.hall_resistance(CARD, np.concatenate([[0.0], fraction[:, 0]]))
    assert np.abs(levels - synapse.paper_levels(CARD)).max() < states_error


@given(
    st.lists(st.floats(5e-3, 18e-3), min_size=1, max_size=8), st.lists(st.booleans(), min_size=8, max_size=8)
)
@settings(max_examples=25)
def test_the_bank_becomes_the_stack_for_a_large_barrier(sizes: list[float], signs: list[bool]) -> None:
    """At delta = 600 and 256 grains only the grid of thresholds is left: a few of its steps of 0.008 in s."""
    card = CARD.with_value("switching.delta", 600.0)
    device = hallbar.hall_bar(card, grain_count=256)
    train = [size if up else -size for size, up in zip(sizes, signs, strict=False)]
    exact = preisach.saturated(1)
    for current in train:
        u = device.law.reduced_drive(stack.current_density(card, abs(current)), T_PULSE, 300.0)
        exact = exact.pulsed(float(u), 1.0 if current > 0 else 0.0)
    bank = device.fraction(after(device, train))[0]
    assert bank == pytest.approx(exact.switched_fraction(device.law), abs=0.03)


def test_minor_loops_close_for_a_large_barrier_and_creep_otherwise() -> None:
    loop = [13e-3, -9e-3, 13e-3]
    hard = hallbar.hall_bar(CARD.with_value("switching.delta", 500.0))
    gap = {}
    for name, device in (("hard", hard), ("default", DEVICES["A"])):
        gap[name] = device.fraction(after(device, loop))[0] - device.fraction(after(device, loop[:1]))[0]
    assert abs(gap["hard"]) < 5e-3
    assert 5e-3 < gap["default"] < 0.05


@given(st.floats(-16e-3, 16e-3), st.floats(0.0, 1.0))
@settings(max_examples=15, deadline=None)
def test_flat_pulses_solve_the_rate_equation(current: float, start: float) -> None:
    device = DEVICES["A"]
    x = float(stack.current_density(CARD, current) / device.law.critical_density())
    rate = device.bank.rate(np.array(x), device.law.delta)
    rate = np.minimum(rate, 1e8)  # faster grains are settled anyway, and only stiffen the reference
    target = float(device.bank.target(x))
    solved = solve_ivp(
        lambda _, s: rate * (target - s), (0, T_PULSE), np.full(32, start), "LSODA", rtol=1e-9, atol=1e-11
    )
    closed = device.bank.flat(np.full(32, start), np.array(x), T_PULSE, np.array(device.law.delta))
    np.testing.assert_allclose(closed, solved.y[:, -1], rtol=0, atol=1e-7)
