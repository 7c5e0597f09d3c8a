"""Polarity, presets, events and limits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compact_model import curves, events, hallbar, limits, polarity, port, stack, switching, thermal
from compact_model.cards.device import DeviceCard, load_card
from compact_model.cards.document import DocumentError
from compact_model.constants import OERSTED
from compact_model.events import Event, EventKind

CARD = load_card()


def senses(gate: str, t_oxide: float | None = None) -> list[str]:
    steps = curves.polarity_protocol(CARD.with_choices(gate=gate), t_oxide)
    return ["cw" if s.sense == "clockwise" else "ccw" if "counter" in s.sense else "-" for s in steps]


@pytest.mark.parametrize("gate", ["product", "demag"])
@pytest.mark.parametrize("t_oxide", [0.5e-9, 0.7e-9])
def test_published_polarity_sequence(gate: str, t_oxide: float) -> None:
    presets = ["-", "-", "-", "-"]
    assert senses(gate, t_oxide) == ["cw", "-", *presets, "ccw", "ccw", "-", *presets, "cw", "cw"]


@pytest.mark.parametrize(("gate", "third"), [("product", 0.68), ("demag", 0.0)])
def test_the_gates_differ_where_the_paper_does_not_look(gate: str, third: float) -> None:
    """After +z, -z, +z the product rule switches again, the other rule has lost its moment."""
    device = hallbar.hall_bar(CARD.with_choices(gate=gate))
    state = device.prepared()
    for sign in (1, -1, 1):
        state = device.saturated(state, sign * 1000.0 * OERSTED)
    s = device.fraction(device.pulsed(state, 13.01e-3, 200e-6))[0]
    assert s == pytest.approx(third, abs=0.01)


def test_truth_table_of_preparations() -> None:
    h_sat, preset = 1000.0 * OERSTED, 2350.0 * OERSTED
    device = hallbar.hall_bar(CARD)
    closed = device.saturated(device.prepared(), -h_sat)
    reversed_ = device.preset(closed, -preset)
    for state, direction in ((device.prepared(), 1), (closed, 0), (reversed_, -1)):
        drive = device.drive(state, 10e-3, 0.0)[0]
        assert np.sign(drive) == direction
    again = device.saturated(reversed_, h_sat)
    assert device.drive(again, 10e-3, 0.0)[0] == 0.0
    assert device.drive(device.preset(again, preset), 10e-3, 0.0)[0] > 0.0
    # an applied field above the interface field decides whatever the preparation
    for state in (device.prepared(), closed, reversed_):
        assert device.drive(state, 10e-3, 200.0 * OERSTED)[0] > 0.0
        assert device.drive(state, 10e-3, -200.0 * OERSTED)[0] < 0.0


def test_a_preset_field_counts_during_a_pulse_too() -> None:
    device = hallbar.hall_bar(CARD)
    after = device.pulsed(device.prepared(), 1e-3, 1e-6, -2350.0 * OERSTED)
    assert after.polarity.m_i[0] == -1.0


def test_events_of_the_ladder() -> None:
    ladder = [Event(current=i, duration=200e-6) for i in CARD.synapse.ladder.value]
    trace = events.run_events(CARD, [Event(kind=EventKind.SATURATE, h_z=1000.0 * OERSTED), *ladder])
    assert [round(p.hall_resistance, 2) for p in trace] == [0.33, 0.46, 0.49, 0.52, 0.54, 0.57]
    assert sum(p.energy for p in trace) == pytest.approx(88.33e-6, rel=1e-3)
    assert trace[-1].channel_voltage == pytest.approx(7.7)
    assert trace[-1].temperature == pytest.approx(300 + 0.0154**2 * 500 * 800, rel=1e-6)
    assert not any(p.warnings for p in trace)


def test_events_file(tmp_path: Path) -> None:
    path = tmp_path / "pulses.csv"
    path.write_text(
        "event,i_a,t_pulse_s,h_x_oe,h_z_oe\n# reversed preparation\nsaturate,,,,-1000\npreset,,,-2400,\n"
        ",13.01 mA,200 us,0,\nwait,,1e-3,,\n",
        encoding="utf-8",
    )
    kinds = events.read_events(path, CARD)
    assert [e.kind.value for e in kinds] == ["saturate", "preset", "pulse", "wait"]
    assert kinds[2].current == 0.01301
    trace = events.run_events(CARD, kinds)
    assert trace[0].m_z == pytest.approx(-1.0)
    assert trace[1].acting_moment == -1
    assert trace[2].m_z == pytest.approx(-1.0 + 2 * 0.68, abs=0.01)
    assert trace[3].row()["r_xy_ohm"] == pytest.approx(trace[2].hall_resistance, abs=1e-9)


def _one_after_another(card: DeviceCard, told: list[Event], gap: float | None) -> list[tuple[float, ...]]:
    """The same by the device alone: fraction, temperature, voltage and energy after each event."""
    device = hallbar.hall_bar(card)
    state = device.prepared()
    found = []
    for one in told:
        voltage = energy = 0.0
        match one.kind:
            case EventKind.SATURATE:
                state = device.saturated(state, one.h_z)
            case EventKind.PRESET:
                state = device.preset(state, one.h_x)
            case EventKind.WAIT:
                state = device.waited(state, one.duration)
            case EventKind.PULSE:
                times, widths = thermal.pulse_quadrature(1e-9, one.duration)
                rise = device.heat.rise_after(np.full(len(times), one.current), times, state.rise)
                ohm = device.heat.resistance_at(device.heat.temperature(rise))
                energy = float(one.current**2 * (ohm @ widths))
                state = device.pulsed(state, one.current, one.duration, one.h_x)
                voltage = one.current * float(device.heat.resistance_at(device.temperature(state))[0])
        moment = polarity.acting_moment(state.polarity, card.choices.gate)[0]
        fraction, warm = float(device.fraction(state)[0]), float(device.temperature(state)[0])
        found.append((fraction, warm, voltage, energy, moment))
        if one.kind is EventKind.PULSE:
            state = device.cooled(state) if gap is None else device.waited(state, gap)
    return found


@pytest.mark.parametrize("gap", [None, 3e-6])
@pytest.mark.parametrize("gate", ["product", "demag"])
@pytest.mark.parametrize("model", ["A", "B", "B, resistance rises"])
def test_many_events_are_the_same_as_one_after_another(
    model: str, gate: str, gap: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_CHUNK", 7)
    card = CARD.with_choices(switching=model[0], gate=gate)
    if "rises" in model:
        card = card.with_value("transport.tcr", 5e-4)
    random = np.random.default_rng(3)
    told = [
        Event(
            kind=EventKind.PULSE,
            current=float(random.uniform(-15e-3, 15e-3)),
            duration=float(random.choice([2e-4, 3e-5, 2e-6])),
            h_x=float(random.choice([0.0, 0.0, 300.0, -2500.0, 2500.0])) * OERSTED,
        )
        for _ in range(30)
    ]
    told[4] = Event(kind=EventKind.SATURATE, h_z=-1200.0 * OERSTED)
    told[9] = Event(kind=EventKind.PRESET, h_x=-2400.0 * OERSTED)
    told[10] = Event(kind=EventKind.PRESET, h_x=-100.0 * OERSTED)
    told[14] = Event(kind=EventKind.WAIT, duration=1e-3)
    told[20] = Event(kind=EventKind.SATURATE, h_z=1200.0 * OERSTED)
    trace = events.run_events(card, told, gap=gap)
    wanted = np.array(_one_after_another(card, told, gap))
    found = [(0.5 - p.m_z / 2, p.temperature, p.channel_voltage, p.energy, p.acting_moment) for p in trace]
    np.testing.assert_allclose(np.array(found), wanted, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(trace.energy.sum(), wanted[:, 3].sum(), rtol=1e-9)
    assert np.ptp(wanted[:, 0]) > 0.3
    assert set(wanted[:, 4]) == {-1.0, 0.0, 1.0}
    assert trace[-1] == list(trace)[-1]


def test_mistakes_in_an_events_file_have_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "pulses.csv"
    path.write_text(
        "i_a,t_pulse_s,h_x_oe\n1e-3,2e-4,0\nnan,2e-4,0\n1e-3,-1,0\n5,1e-6,0\n1e-3,2e-4\n1e-3,2e-4,1e308\n",
        encoding="utf-8",
    )
    with pytest.raises(DocumentError) as caught:
        events.read_events(path, CARD)
    assert [(m.place.line, m.place.column, m.key) for m in caught.value.mistakes if m.place] == [
        (3, 1, "i_a"),
        (4, 2, "t_pulse_s"),
        (5, 1, "i_a"),
        (6, 1, ""),
        (7, 3, "h_x_oe"),
    ]
    path.write_text("current,t_pulse_s\n1,2\n", encoding="utf-8")
    with pytest.raises(DocumentError, match="allowed: event, i_a"):
        events.read_events(path, CARD)


@pytest.mark.parametrize(
    ("current", "length", "word"),
    [
        (17e-3, 200e-6, "compliance"),
        (20e-3, 200e-6, "temperature"),
        (30e-3, 200e-6, "electromigration"),
        (5e-3, 50e-9, "pulse length"),
    ],
)
def test_warnings_name_the_limit(current: float, length: float, word: str) -> None:
    assert any(text.startswith(word) for text in limits.warnings_for(CARD, current, length))


def test_loops_turn_with_the_field_and_vanish_at_its_cancellation() -> None:
    loops = curves.loops(CARD, np.array([-1000.0, -400.0, -75.0, 0.0, 400.0, 1000.0]) * OERSTED)
    assert [curves.sense(a) for a in loops.area] == [
        "counterclockwise", "counterclockwise", "none", "clockwise", "clockwise", "clockwise"
    ]  # fmt: skip


def test_hall_voltage_and_back_action() -> None:
    z = port.device_impedance(CARD, 0.5)
    assert (
        z[0, 1] == z[1, 0] == pytest.approx(0.4666)
    )  # no Hall part at m_z = 0: misalignment alone, symmetric
    z = port.device_impedance(CARD, 1.0)
    assert z[1, 0] == pytest.approx(0.6032)
    assert z[0, 1] == pytest.approx(0.33)
    assert float(port.loaded_hall_voltage(CARD, 1.0, 1e-3, 500.0)) == pytest.approx(0.6032e-3 / 2)
    assert port.largest_hall_efficiency(CARD) == pytest.approx(3.6e-7, rel=0.02)


def test_hall_contacts_sit_at_the_centre_of_the_channel() -> None:
    y = port.device_admittance(CARD, 0.0)
    # 14 mA into ip, out of in, arms open
    solved = np.linalg.lstsq(y, np.array([14e-3, -14e-3, 0.0, 0.0]), rcond=None)[0]
    potential = solved - solved[1]
    assert potential[0] == pytest.approx(7.0, rel=1e-6)
    assert potential[2:].mean() == pytest.approx(3.5, rel=1e-3)
    assert potential[2] - potential[3] == pytest.approx(0.33 * 14e-3, rel=1e-6)


def test_wrong_arguments_name_value_and_range() -> None:
    device = hallbar.hall_bar(CARD)
    with pytest.raises(ValueError, match=r"t_pulse = 0 s .* above 0 s"):
        device.pulsed(device.prepared(), 1e-3, 0.0)
    with pytest.raises(ValueError, match=r"h_z = 10 Oe .* 1000 Oe"):
        device.saturated(device.prepared(), 10 * OERSTED)
    with pytest.raises(ValueError, match=r"s = 1.0 .* 0 <= s < 1"):
        switching.programming_current(CARD, 1.0)
    with pytest.raises(ValueError, match=r"outside the anchors"):
        stack.channel_resistance(CARD, 3e-9)
    with pytest.raises(ValueError, match="no in-plane field"):
        switching.programming_current(CARD, 0.5, t_oxide=0.0)
