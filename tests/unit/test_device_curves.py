"""Curves and events of the device: what is swept, in which order, and what may stand in a list of pulses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compact_model import curves, events, hallbar, stack, switching, synapse
from compact_model.cards.device import load_card
from compact_model.cards.document import DocumentError
from compact_model.constants import OERSTED
from compact_model.events import Event, EventKind, Events

CARD = load_card()


def test_what_was_published_is_swept() -> None:
    assert curves.PRESETS_OE == (390.0, 800.0, 1500.0, 2300.0, 2350.0, 2750.0)
    assert curves.SWEEP_DENSITY == 2.41e11
    assert curves.sweep_current(CARD) == pytest.approx(2.41e11 * 5e-6 * 10.8e-9, rel=1e-12)
    assert curves.sweep_current(CARD, 0.7e-9) == pytest.approx(2.41e11 * 5e-6 * 11e-9, rel=1e-12)


def test_a_closed_loop_of_currents() -> None:
    np.testing.assert_allclose(curves.triangle(6.0, 2), [0, 3, 6, 3, 0, -3, -6, -3, 0], atol=1e-12)
    assert len(curves.triangle(6.0)) == 161


def test_the_area_of_a_loop() -> None:
    current = np.array([0.0, 2.0, 2.0, -2.0, -2.0, 0.0])
    # up from -1 at +2, down again at -2
    full = np.array([-1.0, -1.0, 1.0, 1.0, -1.0, -1.0])
    assert curves.loop_area(current, full) == pytest.approx(-1.0, rel=1e-12)
    np.testing.assert_allclose(
        curves.loop_area(current, np.stack([-full, 0.25 * full])), [1.0, -0.25], rtol=1e-12
    )
    # a loop that is not closed by its last point: 0.5 (m_k + m_(k+1)) dI, around
    m, i = np.array([1.0, 3.0, 2.0]), np.array([0.0, 4.0, -1.0])
    assert curves.loop_area(i, m) == pytest.approx((2.0 * 4 + 2.5 * -5 + 1.5 * 1) / 16, rel=1e-12)


@pytest.mark.parametrize(
    ("area", "sense"),
    [
        (0.0099, "none"),
        (-0.0099, "none"),
        (0.0101, "clockwise"),
        (-0.0101, "counterclockwise"),
        (0.01, "clockwise"),
    ],
)
def test_a_loop_of_a_percent_turns(area: float, sense: str) -> None:
    assert curves.sense(area) == sense


def test_no_current_is_no_pulse() -> None:
    device = hallbar.hall_bar(CARD)
    state, fraction = curves.sweep(device, device.prepared(2), np.array([0.0, 0.0]), 200e-6, -3000 * OERSTED)
    np.testing.assert_array_equal(state.polarity.m_i, [1.0, 1.0])
    np.testing.assert_array_equal(fraction, np.zeros((2, 2)))
    # one ampere is a current as any other
    state, fraction = curves.sweep(device, device.prepared(1), np.array([1.0]), 200e-6)
    assert fraction[0, 0] == pytest.approx(1.0)


def test_loops_are_the_second_of_two_cycles() -> None:
    found = curves.loops(CARD, np.array([0.0, 400 * OERSTED]), 14e-3, 3)
    device = hallbar.hall_bar(CARD)
    currents = np.array([0, 14, 28, 42, 28, 14, 0, -14, -28, -42, -28, -14, 0]) / 3 * 1e-3
    np.testing.assert_allclose(found.current, currents, atol=1e-15)
    state = device.prepared(2)
    for cycle in range(2):
        for place, current in enumerate(currents):
            state = device.cooled(device.pulsed(state, current, 200e-6, found.h_x)) if current else state
            if cycle:
                s = device.fraction(state)
                np.testing.assert_allclose(found.m_z[:, place], 1.0 - 2.0 * s, atol=1e-9)
                np.testing.assert_allclose(found.hall_resistance[:, place], 0.33 + 0.2732 * s, rtol=1e-9)
    for row in range(2):
        assert found.area[row] == pytest.approx(float(curves.loop_area(currents, found.m_z[row])), rel=1e-9)
    whole = curves.loops(CARD, np.array(0.0))
    assert whole.m_z.shape == (1, 161)
    assert whole.current.max() == pytest.approx(2.41e11 * 5e-6 * 10.8e-9, rel=1e-12)


def test_steps_of_the_polarity_test() -> None:
    steps = curves.polarity_protocol(CARD, presets_oe=(100.0, 2400.0))
    assert [one.preparation for one in steps] == [
        "saturate +z", "saturate -z", "preset -100 Oe", "preset -2400 Oe", "saturate +z again", "preset +100 Oe",
        "preset +2400 Oe",
    ]  # fmt: skip
    assert [one.sense[:4] for one in steps] == ["cloc", "none", "none", "coun", "none", "none", "cloc"]
    assert all(len(one.current) == 49 for one in steps)
    # from s = 0 up and back again: the first loop spans the same as its magnetisation
    assert steps[0].switched == pytest.approx(0.5 * np.ptp(steps[0].m_z), rel=1e-9)
    assert steps[0].switched == pytest.approx(0.68, abs=0.01)
    thick = curves.polarity_protocol(CARD, 0.7e-9, (100.0,))
    assert thick[0].current.max() == pytest.approx(2.41e11 * 5e-6 * 11e-9, rel=1e-12)


@pytest.mark.parametrize("model", ["A", "B"])
def test_curves_over_the_thickness(model: str) -> None:
    card = CARD.with_choices(switching=model)
    t = np.array([0.5e-9, 0.7e-9, 1.0e-9])
    found = curves.thickness_curves(card, t)
    assert found.h_x == pytest.approx(1000 * OERSTED, rel=1e-12)
    np.testing.assert_allclose(found.xi_gain, [5.2, 4.6, 3.8], rtol=1e-9)
    np.testing.assert_allclose(
        found.field_free_drive, [1.0, 1.1006 if model == "A" else 1.169, 0.85], rtol=1e-9
    )
    np.testing.assert_allclose(found.loop_shift, [1.0, 0.8, 0.45], rtol=1e-9)
    np.testing.assert_allclose(found.interface_anisotropy, [3e-4, 3.5e-4, 4.5e-4], rtol=1e-9)
    np.testing.assert_allclose(found.resistivity, [90e-8, 91e-8, 93e-8], rtol=1e-9)
    np.testing.assert_allclose(
        found.spin_hall_angle * found.transparency, found.torque_efficiency, rtol=1e-12
    )
    np.testing.assert_allclose(
        found.spin_hall_conductivity * found.resistivity, found.spin_hall_angle, rtol=1e-12
    )
    # hbar/(2e mu0 Ms t) = 402.914 nm A/m per A/m^2 times xi; 1 A over 5 um times 10.3 nm + t
    field = 402.914e-9 * found.torque_efficiency / (5e-6 * (10.3e-9 + t))
    np.testing.assert_allclose(found.field_per_current, field, rtol=1e-5)
    for place, one in enumerate(t):
        assert found.critical_density[place] == pytest.approx(
            switching.critical_current_density(card, 1000 * OERSTED, float(one)), rel=1e-12
        )
    np.testing.assert_allclose(found.field_free_fraction[:2], [0.68, 0.79], atol=0.001)
    np.testing.assert_allclose(found.oxide_share, t / 325e-8 * found.resistivity / (10.3e-9 + t), rtol=1e-9)
    other = curves.thickness_curves(card, t, 500 * OERSTED)
    assert other.h_x == pytest.approx(500 * OERSTED)
    assert np.all(other.critical_density > found.critical_density)


def test_the_critical_thickness_is_the_first_of_a_fine_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of 2.5 pm from 0.7 nm on; a fraction of one percent at 1.981 nm."""
    monkeypatch.setattr(curves, "field_free_fraction", lambda _, t: 0.01 + 0.5e9 * (1.981e-9 - t))
    assert curves.critical_thickness(CARD) == pytest.approx(1.9825e-9, rel=1e-9, abs=0)
    # two percent at 1.961 nm
    assert curves.critical_thickness(CARD, 0.02) == pytest.approx(1.9625e-9, rel=1e-9, abs=0)
    monkeypatch.setattr(
        curves, "field_free_fraction", lambda _, t: 0.0 if t < 0.6e-9 or t > 0.701e-9 else 1.0
    )
    assert curves.critical_thickness(CARD) == pytest.approx(0.7025e-9, rel=1e-9, abs=0)


def test_fractions_at_a_density() -> None:
    assert curves.field_free_fraction(CARD, density=2e11) == pytest.approx(
        float(switching.switched_fraction(CARD, 2e11 * 5.4e-14)), rel=1e-12
    )
    density = np.array([1.5e11, 2.41e11])
    found = curves.fraction_curve(CARD, density, 0.7e-9)
    wanted = [curves.field_free_fraction(CARD, 0.7e-9, float(one)) for one in density]
    np.testing.assert_allclose(found.law, wanted, rtol=1e-12)
    np.testing.assert_allclose(found.rates, wanted, atol=0.007)  # the bank's largest error


def test_a_ladder_goes_up_and_down_twice() -> None:
    found = curves.ladder_trace(CARD)
    up = np.array([11.0, 12.1, 13.2, 14.3, 15.4]) * 1e-3
    np.testing.assert_allclose(found.current, [*up, *-up] * 2, rtol=1e-12)
    s = switching.switched_fraction(CARD, up)
    np.testing.assert_allclose(found.stack[:5], 0.33 + 0.2732 * s, rtol=1e-9)
    # the way down: thresholds up to u fall back, those between stay
    np.testing.assert_allclose(found.stack[5:10], 0.33 + 0.2732 * (s[-1] - s), atol=1e-12)
    np.testing.assert_allclose(found.rates[:5], found.stack[:5], atol=0.007 * 0.2732)
    assert len(curves.ladder_trace(CARD, 1).current) == 10


def test_equal_pulses_are_counted_once_each() -> None:
    found = curves.identical_pulses(CARD, 13e-3, np.array([3, 1, 3]))
    np.testing.assert_array_equal(found.count, [1.0, 3.0])
    device = hallbar.hall_bar(CARD)
    state, each = device.prepared(), []
    for _ in range(3):
        state = device.cooled(device.pulsed(state, 13e-3, 200e-6))
        each.append(float(device.fraction(state)[0]))
    np.testing.assert_allclose(found.rates, [each[0], each[2]], rtol=1e-12)
    np.testing.assert_allclose(
        found.law, switching.switched_fraction(CARD, 13e-3, np.array([2e-4, 6e-4])), rtol=1e-12
    )


@pytest.mark.parametrize("fraction", [None, 0.3])
def test_densities_that_switch_a_fraction(fraction: float | None) -> None:
    lengths = np.array([1e-6, 2e-9])
    found = curves.pulse_width_curve(CARD, lengths, *([] if fraction is None else [fraction]))
    device = hallbar.hall_bar(CARD)
    for place, length in enumerate(lengths):
        s = switching.switched_fraction(CARD, float(stack.current(CARD, found.law[place])), length)
        assert s == pytest.approx(fraction or 0.5, rel=1e-9)
        current = float(stack.current(CARD, found.rates[place]))
        reached = device.fraction(device.pulsed(device.prepared(), current, float(length)))[0]
        assert reached == pytest.approx(fraction or 0.5, abs=1e-9)


# --- events ---


def read(tmp_path: Path, text: str) -> Events:
    path = tmp_path / "pulses.csv"
    path.write_text(text, encoding="utf-8")
    return events.read_events(path, CARD)


RANGES = [
    ("pulse,{},1e-6,0,0", "i_a", "1", "1.01"),
    ("pulse,{},1e-6,0,0", "i_a", "-1", "-1.01"),
    ("pulse,1e-3,{},0,0", "t_pulse_s", "1e10", "1.01e10"),
    ("pulse,1e-3,{},0,0", "t_pulse_s", "1e-15", "0"),
    ("wait,0,{},0,0", "t_pulse_s", "1e-15", "0"),
    ("preset,0,0,{},0", "h_x_oe", "1e6", "1.01e6"),
    ("preset,0,0,{},0", "h_x_oe", "-1e6", "-1.01e6"),
    ("saturate,0,0,0,{}", "h_z_oe", "1e6", "1.01e6"),
    ("saturate,0,0,0,{}", "h_z_oe", "-1e6", "-1.01e6"),
    ("saturate,0,0,0,{}", "h_z_oe", "999.9999995", "999.9999985"),  # 1 - 0.5e-9 and 1 - 1.5e-9 of the card's
    ("saturate,0,0,0,{}", "h_z_oe", "-999.9999995", "-999.9999985"),
]


@pytest.mark.parametrize(("line", "column", "right", "wrong"), RANGES)
def test_ranges_of_a_list_of_pulses(tmp_path: Path, line: str, column: str, right: str, wrong: str) -> None:
    header = "event,i_a,t_pulse_s,h_x_oe,h_z_oe\n"
    told = read(tmp_path, header + line.format(right) + "\n")[0]
    per_unit = {
        "i_a": told.current,
        "t_pulse_s": told.duration,
        "h_x_oe": told.h_x / OERSTED,
        "h_z_oe": told.h_z / OERSTED,
    }
    assert per_unit[column] == pytest.approx(float(right), rel=1e-12, abs=0)
    with pytest.raises(DocumentError) as caught:
        read(tmp_path, header + line.format(wrong) + "\n")
    assert [(m.place.line, m.key) for m in caught.value.mistakes if m.place] == [(2, column)]


def test_fields_have_their_own_units(tmp_path: Path) -> None:
    told = read(
        tmp_path,
        "event,i_a,t_pulse_s,h_x_oe,h_z_oe\npreset,,,2.4 kOe,\nsaturate,,,,-8e4 A/m\n,1e-3,1e-6,5,\n",
    )
    assert told[0].h_x == pytest.approx(2400 * OERSTED, rel=1e-12)
    assert told[1] == Event(kind=EventKind.SATURATE, h_z=-8e4)
    assert told[2].h_x == pytest.approx(5 * OERSTED, rel=1e-12)
    with pytest.raises(DocumentError, match="has a header and no events"):
        read(tmp_path, "i_a,t_pulse_s\n")
    with pytest.raises(DocumentError, match="'jump' is not known, allowed: pulse, saturate, preset, wait"):
        read(tmp_path, "event,i_a,t_pulse_s\njump,1e-3,1e-6\n")


def test_events_in_columns() -> None:
    each = [
        Event(current=1e-3, duration=2e-6, h_x=3.0),
        Event(kind=EventKind.SATURATE, h_z=-8e4),
        Event(kind=EventKind.PRESET, h_x=4.0),
        Event(kind=EventKind.WAIT, duration=5.0),
    ]
    told = Events.of(each)
    assert (len(told), list(told)) == (4, each)
    np.testing.assert_array_equal(told.kind, [0, 1, 2, 3])
    np.testing.assert_array_equal(told.current, [1e-3, 0, 0, 0])
    np.testing.assert_array_equal(told.duration, [2e-6, 0, 0, 5.0])
    np.testing.assert_array_equal(told.h_x, [3.0, 0, 4.0, 0])
    np.testing.assert_array_equal(told.h_z, [0, -8e4, 0, 0])
    np.testing.assert_array_equal(told.is_a(EventKind.PULSE, EventKind.WAIT), [True, False, False, True])
    assert Event() == Event(kind=EventKind.PULSE, current=0.0, duration=0.0, h_x=0.0, h_z=0.0)


def test_a_line_of_a_trace() -> None:
    point = events.run_events(CARD, [Event(current=-17e-3, duration=5e-8, h_x=10 * OERSTED)])[0]
    row = point.row()
    assert row["h_x_oe"] == pytest.approx(10.0, rel=1e-12)
    assert (row["event"], row["i_a"], row["t_pulse_s"], row["h_z_oe"]) == ("pulse", -17e-3, 5e-8, 0.0)
    assert row["v_channel_v"] == pytest.approx(-8.5, rel=1e-9)
    assert row["r_xy_ohm"] == pytest.approx(0.33, abs=1e-6)  # a pulse against the direction switches nothing
    assert row["v_hall_v"] == pytest.approx(-17e-3 * 0.33, rel=1e-5)
    assert row["energy_j"] == pytest.approx(17e-3**2 * 500 * 5e-8, rel=1e-9, abs=0)
    heat = 17e-3**2 * 500 * (560 * (1 - np.exp(-10.0)) + 240 * (1 - np.exp(-0.05)))
    assert row["temperature_k"] == pytest.approx(300 + heat, rel=1e-9)
    assert (row["m_z"], row["acting_moment"]) == (pytest.approx(1.0, abs=1e-5), 1)
    assert str(row["warnings"]).split(":")[0] == "compliance"
    assert "; pulse length: 50 ns is below" in str(row["warnings"])


def test_only_pulses_are_warned_of_and_have_energy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_CHUNK", 2)
    told = [
        Event(kind=EventKind.WAIT, current=30e-3, duration=1e-9),
        Event(current=30e-3, duration=1e-3),
        Event(kind=EventKind.SATURATE, current=30e-3, duration=1e-9, h_z=-1e5),
        Event(current=1e-3, duration=2e-7),
        Event(kind=EventKind.PRESET, h_x=-2e5),
    ]
    done: list[tuple[int, int]] = []
    trace = events.run_events(CARD, told, progress=lambda part, whole: done.append((part, whole)))
    assert done == [(2, 5), (4, 5), (5, 5)]
    points = list(trace)
    assert [bool(one.warnings) for one in points] == [False, True, False, False, False]
    assert [one.energy > 0.0 for one in points] == [False, True, False, True, False]
    assert [one.channel_voltage > 0.0 for one in points] == [False, True, False, True, False]
    assert [one.acting_moment for one in points] == [1, 1, 0, 0, -1]
    assert points[2].m_z == pytest.approx(-1.0, abs=1e-14)  # weights sum to 1 but for rounding
    assert (trace[-2], trace[1]) == (points[3], points[1])
    with pytest.raises(IndexError):
        trace[5]


def test_a_gap_cools_only_in_part() -> None:
    """Two pulses of 1 us, 10 ns between them: the substrate's part of the heat is still there."""
    told = [Event(current=14e-3, duration=1e-6)] * 2
    whole, short = events.run_events(CARD, told), events.run_events(CARD, told, gap=10e-9)
    assert len(short) == 2
    watt, substrate, oxide = 14e-3**2 * 500, 240 * (1 - np.exp(-1.0)), 560.0
    left = watt * (substrate * np.exp(-1.01) + oxide * np.exp(-2.0 - 200.0))
    assert short[1].temperature == pytest.approx(whole[1].temperature + left, rel=1e-9)
    assert whole[1].temperature == pytest.approx(300 + watt * (oxide + substrate), rel=1e-9)


def test_the_table_of_levels() -> None:
    found = events.levels_table(CARD)
    cost = synapse.level_cost(CARD)
    assert [one["level_ohm"] for one in found] == [0.33, 0.46, 0.49, 0.52, 0.54, 0.57]
    assert [one["i_a"] for one in found] == [0.0, 0.011, 0.0121, 0.0132, 0.0143, 0.0154]
    assert [one["pulses"] for one in found] == [0, 1, 2, 3, 4, 5]
    np.testing.assert_allclose([one["energy_j"] for one in found], cost.energy, rtol=1e-12)
    np.testing.assert_allclose([one["time_s"] for one in found], 200e-6 * np.arange(6), rtol=1e-12)
