"""Devices as state arrays, polarity, return-point memory and single pulses to a level, by hand or by another route."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from compact_model import curves, hallbar, polarity, preisach, programming, switching, transport
from compact_model.cards.device import Gate, load_card

CARD = load_card()
SET_B = CARD.with_choices(switching="B")
AREA = 5e-6 * 10.8e-9


def law(**changed: Any) -> switching.SwitchingLaw:
    values: dict[str, Any] = {
        "electrothermal": True, "j63": 4e11, "shape": 2.0, "u0": 0.2, "delta_r": 0.3, "torque_exponent": 1.0,
        "tau0": 1e-9, "t_wall": 5e-9, "wall_width": 0.05, "delta": 50.0, "t_curie": 700.0,
        "ambient_coefficient": 0.003, "t_pulse_fit": 1e-4,
    }  # fmt: skip
    return switching.SwitchingLaw(**(values | changed))


# --- the Hall bar ---


def test_saturation_needs_its_field() -> None:
    device = hallbar.hall_bar(CARD)
    assert device.prepared().s.shape == (1, 32)
    half = replace(device.prepared(2), s=np.full((2, 32), 0.3))
    for sign, s in ((1.0, 0.0), (-1.0, 1.0)):
        found = device.saturated(half, sign * device.h_sat * (1 - 0.5e-9))
        np.testing.assert_array_equal(found.s, np.full((2, 32), s))
        np.testing.assert_array_equal(found.polarity.q, [sign, sign])
        with pytest.raises(ValueError, match="does not saturate"):
            device.saturated(half, sign * device.h_sat * (1 - 1.5e-9))


def test_drive_of_a_device() -> None:
    device = hallbar.hall_bar(CARD)
    # by the interface field at 0.5 nm the factor is one
    np.testing.assert_allclose(
        device.drive(device.prepared(2), np.array([5.4e-3, -2.7e-3]), 0.0), [1e11, -5e10]
    )
    assert device.hall_resistance(replace(device.prepared(), s=np.full((1, 32), 0.5)))[0] == pytest.approx(
        0.33 + 0.5 * 0.2732, rel=1e-12
    )


def test_times_of_a_waveform_increase() -> None:
    device = hallbar.hall_bar(CARD)
    for times, currents in (
        ([0, 1e-6, 1e-6], [0, 1e-3, 0]),
        ([0, 1e-6], [0, 1e-3, 0]),
        ([1e-6, 0], [0, 1e-3]),
    ):
        with pytest.raises(ValueError, match="times must increase"):
            device.followed(device.prepared(), np.array(times), np.array(currents))
    times, currents = np.array([0.0, 1e-6]), np.array([5e-3, 14e-3])
    found = device.followed(device.prepared(), times, currents).s
    np.testing.assert_array_equal(found, device.followed(device.prepared(), times, currents, parts=64).s)
    assert not np.array_equal(found, device.followed(device.prepared(), times, currents, parts=32).s)


def test_no_time_changes_nothing_and_no_pulse_has_none() -> None:
    device = hallbar.hall_bar(CARD)
    state = device.prepared(2)
    assert device.waited(state, 0.0) is state
    for card in (CARD, SET_B):
        with pytest.raises(ValueError, match=r"t_pulse = 0 s is out of range"):
            hallbar.hall_bar(card).trained(state, np.array([1e-3, 1e-3]), np.array([1e-6, 0.0]))


def test_heated_devices_in_blocks_and_of_several_lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    device = hallbar.hall_bar(SET_B, grain_count=5)
    lengths, currents = (
        np.array([1e-6, 1e-7, 1e-6, 1e-6, 1e-7]),
        np.array([12e-3, -15e-3, 14e-3, 9e-3, 16e-3]),
    )
    rise = np.outer(np.arange(5.0), [2.0, 1.0])
    drive = currents / AREA
    monkeypatch.setattr(hallbar, "_CHUNK", 2)
    found = device.integrated_rate(drive, currents, lengths, rise)
    for one in range(5):
        part = slice(one, one + 1)
        alone = device.integrated_rate(drive[part], currents[part], float(lengths[one]), rise[part])
        np.testing.assert_allclose(found[one], alone[0], rtol=1e-12)


@pytest.mark.parametrize("card", [CARD, SET_B], ids=["A", "B"])
def test_trains_of_currents_of_their_own(card: Any) -> None:
    device = hallbar.hall_bar(card, grain_count=6)
    current, lengths = np.array([[12e-3, -9e-3, 14e-3], [-11e-3, 13e-3, 0.0]]), np.array([2e-4, 3e-6])
    state, found = device.trained(device.prepared(3), current, lengths)
    one = device.prepared(3)
    for pulse in range(2):
        one = device.cooled(device.pulsed(one, current[pulse], float(lengths[pulse])))
        np.testing.assert_allclose(found[pulse], device.fraction(one), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(state.s, one.s, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(state.rise, np.zeros((3, 2)))


# --- polarity, memory, programming ---


def test_fields_set_the_moment_from_the_preset_on() -> None:
    state = polarity.prepared(4)
    h = 100.0 * np.array([-1.0, -1.0 + 0.5e-9, -1.0 + 1.5e-9, 0.5])
    found = polarity.exposed(state, h, 100.0)
    np.testing.assert_array_equal(found.m_i, [-1, -1, 1, 1])
    np.testing.assert_array_equal(found.q, [1, 1, 1, 1])
    down = polarity.saturated(found, -1.0, Gate.PRODUCT)
    np.testing.assert_array_equal(polarity.acting_moment(down, Gate.PRODUCT), [-1, -1, 0, 0])
    np.testing.assert_array_equal(down.m_i, found.m_i)
    erased = polarity.saturated(found, -1.0, Gate.DEMAG)
    np.testing.assert_array_equal(polarity.acting_moment(erased, Gate.DEMAG), [-1, -1, 0, 0])
    # what is erased stays so, and saturation along the moment erases nothing
    np.testing.assert_array_equal(polarity.saturated(erased, 1.0, Gate.DEMAG).m_i, [0, 0, 0, 0])
    np.testing.assert_array_equal(polarity.saturated(state, 1.0, Gate.DEMAG).m_i, np.ones(4))


def test_a_stack_of_reached_thresholds() -> None:
    state = preisach.saturated(-1)
    assert (state.base, preisach.saturated(1).base) == (1.0, 0.0)
    state = state.pulsed(2.0, 0.0).pulsed(1.4, 1.0).pulsed(0.7, 0.0)
    assert (state.reached, state.values) == ((0.7, 1.4, 2.0), (0.0, 1.0, 0.0))
    one = law()
    f = 1 - np.exp(-(((np.array([0.7, 1.4, 2.0]) - 0.2) / 0.8) ** 2))
    assert state.switched_fraction(one) == pytest.approx(f[1] - f[0] + 1 - f[2], rel=1e-12)
    assert state.pulsed(0.0, 1.0) is state
    assert state.pulsed(-1.0, 1.0) is state
    assert state.pulsed(1.4, 0.0).reached == (1.4, 2.0)
    assert state.pulsed(0.5, 1.0).reached == (0.5, 0.7, 1.4, 2.0)


def test_equal_pulses_add_their_lengths() -> None:
    run = preisach.Repetition().extended(1e-3, 2.0, 3e-6)
    assert run == preisach.Repetition(1e-3, 2.0, 3e-6)
    assert run.extended(1e-3, 2.0, 4e-6).duration == pytest.approx(7e-6)
    assert run.extended(2e-3, 2.0, 4e-6) == preisach.Repetition(2e-3, 2.0, 4e-6)
    assert run.extended(1e-3, 1.0, 4e-6) == preisach.Repetition(1e-3, 1.0, 4e-6)
    assert preisach.Repetition().extended(0.0, 0.0, 4e-6).duration == 4e-6


def test_pulses_to_fractions_up_down_and_out_of_reach() -> None:
    device = hallbar.hall_bar(CARD)
    state = device.pulsed(device.prepared(4), 13e-3, 200e-6)
    here = float(device.fraction(state)[0])
    pulse = programming.pulse_to(device, state, np.array([0.9, 0.2, here, 0.999999]), 200e-6, 20e-3)
    np.testing.assert_array_equal(np.sign(pulse.current), [1, -1, 0, 1])
    np.testing.assert_array_equal(pulse.reached, [1, 1, 1, 0])
    np.testing.assert_allclose(pulse.fraction[:3], [0.9, 0.2, here], atol=1e-9)
    assert pulse.current[3] == pytest.approx(20e-3, rel=1e-12)
    turned = device.preset(device.saturated(state, -device.h_sat), -device.h_preset)  # s = 1, moment along -x
    down = programming.pulse_to(device, turned, np.full(4, 0.5), 200e-6, 20e-3)
    assert np.all(down.current > 0.0)
    np.testing.assert_allclose(down.fraction, 0.5, atol=1e-9)
    with pytest.raises(ValueError, match="gate of a device is closed"):
        programming.pulse_to(device, device.saturated(state, -device.h_sat), np.full(4, 0.5), 200e-6, 20e-3)


def test_an_equal_ladder() -> None:
    levels, currents = programming.equal_ladder(CARD, 5, 0.8)
    np.testing.assert_allclose(levels, 0.33 + 0.2732 * np.array([0, 0.2, 0.4, 0.6, 0.8]), rtol=1e-12)
    np.testing.assert_allclose(switching.switched_fraction(CARD, currents), [0.2, 0.4, 0.6, 0.8], rtol=1e-9)
    assert len(programming.equal_ladder(CARD, 2, 0.999)[1]) == 1
    for count, top in ((1, 0.5), (3, 0.0), (3, 1.0), (3, -0.1)):
        with pytest.raises(ValueError, match="2 levels or more"):
            programming.equal_ladder(CARD, count, top)


def test_no_field_is_applied_unless_it_is_said() -> None:
    device = hallbar.hall_bar(CARD)
    state = device.prepared()
    times, currents = np.array([0.0, 1e-6, 2e-6]), np.array([0.0, 14e-3, 14e-3])
    pairs = [
        (device.pulsed(state, 13e-3, 2e-4).s, device.pulsed(state, 13e-3, 2e-4, 0.0).s),
        (device.followed(state, times, currents).s, device.followed(state, times, currents, 0.0).s),
        (
            curves.sweep(device, state, np.array([13e-3]), 2e-4)[1],
            curves.sweep(device, state, np.array([13e-3]), 2e-4, 0.0)[1],
        ),
        (switching.switched_fraction(CARD, 13e-3), switching.switched_fraction(CARD, 13e-3, h_x=0.0)),
        (switching.programming_current(CARD, 0.5), switching.programming_current(CARD, 0.5, h_x=0.0)),
        (transport.macrospin_density(CARD, 8e5), transport.macrospin_density(CARD, 8e5, 0.0)),
    ]
    for left, right in pairs:
        np.testing.assert_array_equal(left, right)
    stronger = [device.pulsed(state, 13e-3, 2e-4, 1.0).s, switching.switched_fraction(CARD, 13e-3, h_x=1.0)]
    assert np.all(stronger[0] >= pairs[0][0])
    assert stronger[1] > pairs[3][0]
    assert preisach.Preisach() == preisach.Preisach((), (), 0.0)
