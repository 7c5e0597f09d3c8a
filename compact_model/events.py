"""A device's response to a list of events: saturate, preset, pulse, wait."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from compact_model import limits, polarity, stack, synapse
from compact_model.cards.csv_table import CellError, read_csv
from compact_model.cards.device import DeviceCard
from compact_model.cards.document import DocumentError
from compact_model.cards.quantity import parse_quantity
from compact_model.constants import OERSTED
from compact_model.hallbar import hall_bar

COLUMNS = ("event", "i_a", "t_pulse_s", "h_x_oe", "h_z_oe")
LARGEST_CURRENT = 1.0  # [A], far beyond what any channel carries
LONGEST_TIME = 1e10  # [s], three centuries
LARGEST_FIELD_OE = 1e6  # [Oe]


class EventKind(StrEnum):
    """What happens to the device."""

    PULSE = "pulse"
    SATURATE = "saturate"
    PRESET = "preset"
    WAIT = "wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event; fields that its kind does not use stay zero."""

    kind: EventKind = EventKind.PULSE
    current: float = 0.0  # pulse [A]
    duration: float = 0.0  # pulse, wait [s]
    h_x: float = 0.0  # pulse, preset [A/m]
    h_z: float = 0.0  # saturate [A/m]


@dataclass(frozen=True, slots=True, kw_only=True)
class TracePoint:
    """The device after one event."""

    event: Event
    hall_resistance: float  # [ohm]
    m_z: float
    channel_voltage: float  # at the end of the pulse [V]
    hall_voltage: float  # at the end of the pulse [V]
    energy: float  # dissipated in the channel [J]
    temperature: float  # at the end of the event [K]
    acting_moment: int  # +1, -1, or 0 with the gate closed
    warnings: tuple[str, ...] = field(default=())

    def row(self) -> dict[str, float | str]:
        """The point as a line of a file, units in the names."""
        return {
            "event": self.event.kind.value,
            "i_a": self.event.current,
            "t_pulse_s": self.event.duration,
            "h_x_oe": self.event.h_x / OERSTED,
            "h_z_oe": self.event.h_z / OERSTED,
            "r_xy_ohm": self.hall_resistance,
            "m_z": self.m_z,
            "v_channel_v": self.channel_voltage,
            "v_hall_v": self.hall_voltage,
            "energy_j": self.energy,
            "temperature_k": self.temperature,
            "acting_moment": self.acting_moment,
            "warnings": "; ".join(self.warnings),
        }


def run_events(card: DeviceCard, events: Iterable[Event], *, gap: float | None = None) -> list[TracePoint]:
    """Response of one device, as prepared, to events in order.

    Parameters
    ----------
    card
        Device.
    events
        What happens to it.
    gap
        Time without current after each pulse [s]; None lets the channel cool to ambient.

    Examples
    --------
    >>> from compact_model.cards.device import load_card
    >>> points = run_events(load_card(), [Event(current=11e-3, duration=200e-6)])
    >>> round(points[0].hall_resistance, 3)
    0.458
    """
    device = hall_bar(card)
    state = device.prepared()
    trace = []
    for event in events:
        warnings: tuple[str, ...] = ()
        voltage = energy = 0.0
        if event.kind is EventKind.SATURATE:
            state = device.saturated(state, event.h_z)
        elif event.kind is EventKind.PRESET:
            state = device.preset(state, event.h_x)
        elif event.kind is EventKind.WAIT:
            state = device.waited(state, event.duration)
        else:
            energy = float(device.heat.pulse_energy(event.current, event.duration, start=state.rise[0]))
            state = device.pulsed(state, event.current, event.duration, event.h_x)
            warnings = tuple(limits.warnings_for(card, event.current, event.duration))
            warm = float(device.temperature(state)[0])
            voltage = event.current * float(stack.channel_resistance(card, temperature=warm))
        resistance = float(device.hall_resistance(state)[0])
        trace.append(
            TracePoint(
                event=event,
                hall_resistance=resistance,
                m_z=1.0 - 2.0 * float(device.fraction(state)[0]),
                channel_voltage=voltage,
                hall_voltage=event.current * resistance,
                energy=energy,
                temperature=float(device.temperature(state)[0]),
                acting_moment=int(polarity.acting_moment(state.polarity, card.choices.gate)[0]),
                warnings=warnings,
            )
        )
        if event.kind is EventKind.PULSE:
            state = device.cooled(state) if gap is None else device.waited(state, gap)
    return trace


def read_events(path: str | Path, card: DeviceCard) -> list[Event]:
    """Events of a CSV file with the columns `i_a, t_pulse_s, h_x_oe`, and optionally `event` and `h_z_oe`.

    Without `event` every line is a pulse. Numbers may carry a unit ("11 mA"); empty fields are zero. Lines that
    start with # are skipped.

    Raises
    ------
    DocumentError
        With every mistake (up to 20), its line and column.
    """
    table = read_csv(path)
    events = table.records(lambda cells: _event(cells, card), needed=("i_a", "t_pulse_s"), allowed=COLUMNS)
    if not events:
        raise DocumentError([table.mistake(table.rows[0], 0, "has a header and no events")])
    return events


def _event(cells: dict[str, str], card: DeviceCard) -> Event:
    kind = cells.get("event") or EventKind.PULSE.value
    if kind not in set(EventKind):
        raise CellError("event", f"event {kind!r} is not known, allowed: {', '.join(EventKind)}")
    current = _number(cells, "i_a", "A")
    duration = _number(cells, "t_pulse_s", "s")
    h_x, h_z = _field(cells, "h_x_oe"), _field(cells, "h_z_oe")
    for column, value, largest, unit in (
        ("i_a", current, LARGEST_CURRENT, "A"),
        ("t_pulse_s", duration, LONGEST_TIME, "s"),
        ("h_x_oe", h_x / OERSTED, LARGEST_FIELD_OE, "Oe"),
        ("h_z_oe", h_z / OERSTED, LARGEST_FIELD_OE, "Oe"),
    ):
        if abs(value) > largest:
            raise CellError(column, f"{value:g} {unit} is out of range, allowed: up to {largest:g} {unit}")
    if kind in (EventKind.PULSE, EventKind.WAIT) and not duration > 0.0:
        raise CellError("t_pulse_s", f"{duration:g} s is out of range, allowed: above 0 s")
    h_sat = card.fields.h_sat.value
    if kind == EventKind.SATURATE and abs(h_z) < h_sat * (1.0 - 1e-9):
        what = f"{h_z / OERSTED:g} Oe does not saturate, allowed: at least {h_sat / OERSTED:g} Oe"
        raise CellError("h_z_oe", what)
    return Event(kind=EventKind(kind), current=current, duration=duration, h_x=h_x, h_z=h_z)


def _number(cells: dict[str, str], column: str, unit: str) -> float:
    try:
        return parse_quantity(cells.get(column) or 0.0, unit)
    except ValueError as error:
        raise CellError(column, str(error)) from None


def _field(cells: dict[str, str], column: str) -> float:
    """A field, in Oe unless it names its unit [A/m]."""
    text = cells.get(column) or "0"
    try:
        return parse_quantity(text, "1") * OERSTED
    except ValueError:
        return _number(cells, column, "A/m")


def levels_table(card: DeviceCard) -> list[dict[str, float]]:
    """Levels with their currents, energies and times, one line each, units in the names."""
    cost = synapse.level_cost(card)
    return [
        {
            "level_ohm": float(level),
            "i_a": float(current),
            "pulses": float(pulses),
            "energy_j": float(energy),
            "time_s": float(time),
        }
        for level, current, pulses, energy, time in zip(
            cost.levels, cost.currents, cost.pulses, cost.energy, cost.time, strict=True
        )
    ]
