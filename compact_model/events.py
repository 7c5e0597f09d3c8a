"""A device's response to a list of events: saturate, preset, pulse, wait."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from compact_model import grains, limits, polarity, synapse
from compact_model.cards.csv_table import CellError, read_records
from compact_model.cards.device import DeviceCard
from compact_model.cards.document import DocumentError, Mistake
from compact_model.cards.quantity import parse_quantity
from compact_model.constants import OERSTED
from compact_model.hallbar import HallBar, hall_bar
from compact_model.numeric import Floats, Ints, Mask

COLUMNS = ("event", "i_a", "t_pulse_s", "h_x_oe", "h_z_oe")
LARGEST_CURRENT = 1.0  # [A], far beyond what any channel carries
LONGEST_TIME = 1e10  # [s], three centuries
LARGEST_FIELD_OE = 1e6  # [Oe]

_CHUNK = 8192  # events whose grains are held at once


class EventKind(StrEnum):
    """What happens to the device."""

    PULSE = "pulse"
    SATURATE = "saturate"
    PRESET = "preset"
    WAIT = "wait"


_KINDS = tuple(EventKind)
_NAMES = frozenset(EventKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event; fields that its kind does not use stay zero."""

    kind: EventKind = EventKind.PULSE
    current: float = 0.0  # pulse [A]
    duration: float = 0.0  # pulse, wait [s]
    h_x: float = 0.0  # pulse, preset [A/m]
    h_z: float = 0.0  # saturate [A/m]


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Many events in order, shape (n,) each; as an iterable, one `Event` after another."""

    kind: NDArray[np.int8]  # place in `EventKind`
    current: Floats  # [A]
    duration: Floats  # [s]
    h_x: Floats  # [A/m]
    h_z: Floats  # [A/m]

    @classmethod
    def of(cls, events: Iterable[Event]) -> Events:
        """The same events as columns."""
        kind, columns = array("b"), [array("d") for _ in range(4)]
        for one in events:
            kind.append(_KINDS.index(one.kind))
            for column, value in zip(columns, (one.current, one.duration, one.h_x, one.h_z), strict=True):
                column.append(value)
        current, duration, h_x, h_z = (np.array(column, dtype=float) for column in columns)
        return cls(kind=np.array(kind, dtype=np.int8), current=current, duration=duration, h_x=h_x, h_z=h_z)

    def __len__(self) -> int:
        return len(self.kind)

    def __getitem__(self, place: int) -> Event:
        return Event(
            kind=_KINDS[self.kind[place]],
            current=float(self.current[place]),
            duration=float(self.duration[place]),
            h_x=float(self.h_x[place]),
            h_z=float(self.h_z[place]),
        )

    def __iter__(self) -> Iterator[Event]:
        return (self[place] for place in range(len(self)))

    def chosen(self, places: slice | Ints) -> Events:
        """Some of the events."""
        return Events(
            kind=self.kind[places],
            current=self.current[places],
            duration=self.duration[places],
            h_x=self.h_x[places],
            h_z=self.h_z[places],
        )

    def is_a(self, *kinds: EventKind) -> Mask:
        """Which events are of one of these kinds."""
        return np.isin(self.kind, [_KINDS.index(one) for one in kinds])


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The device after each of many events, shape (n,) each; as a sequence, one `TracePoint` after another."""

    card: DeviceCard
    events: Events
    fraction: Floats
    hall_resistance: Floats  # [ohm]
    channel_voltage: Floats  # at the end of the pulse [V]
    energy: Floats  # dissipated in the channel [J]
    temperature: Floats  # at the end of the event [K]
    acting_moment: Floats  # +1, -1, or 0 with the gate closed

    def __len__(self) -> int:
        return len(self.events)

    def __getitem__(self, place: int) -> TracePoint:
        return self.points([range(len(self))[place]])[0]

    def __iter__(self) -> Iterator[TracePoint]:
        for begin in range(0, len(self), _CHUNK):
            yield from self.points(range(begin, min(begin + _CHUNK, len(self))))

    def points(self, places: Sequence[int]) -> list[TracePoint]:
        """The device after some of the events."""
        chosen = np.asarray(places, dtype=int)
        pulses = self.events.is_a(EventKind.PULSE)[chosen]
        current = np.where(pulses, self.events.current[chosen], 0.0)
        duration = np.where(pulses, self.events.duration[chosen], np.inf)
        return [
            TracePoint(
                event=self.events[place],
                hall_resistance=float(self.hall_resistance[place]),
                m_z=1.0 - 2.0 * float(self.fraction[place]),
                channel_voltage=float(self.channel_voltage[place]),
                hall_voltage=float(self.events.current[place] * self.hall_resistance[place]),
                energy=float(self.energy[place]),
                temperature=float(self.temperature[place]),
                acting_moment=int(self.acting_moment[place]),
                warnings=warnings,
            )
            for place, warnings in zip(
                places, limits.warnings_of_pulses(self.card, current, duration), strict=True
            )
        ]


def run_events(
    card: DeviceCard,
    events: Events | Iterable[Event],
    *,
    gap: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Trace:
    """Response of one device, as prepared, to events in order.

    Parameters
    ----------
    card
        Device.
    events
        What happens to it.
    gap
        Time without current after each pulse [s]; None lets the channel cool to ambient.
    progress
        Called with the number of events that are done, and of all.

    Examples
    --------
    >>> from compact_model.cards.device import load_card
    >>> trace = run_events(load_card(), [Event(current=11e-3, duration=200e-6)])
    >>> round(trace[0].hall_resistance, 3)
    0.458
    """
    told = events if isinstance(events, Events) else Events.of(events)
    if gap is None:
        return _run(card, told, cooled=True, progress=progress)
    pulses = told.is_a(EventKind.PULSE)
    own = np.arange(len(told)) + np.concatenate([[0], np.cumsum(pulses)])[:-1]
    return _selected(_run(card, _with_gaps(told, own, pulses, gap), cooled=False, progress=progress), own)


def _with_gaps(events: Events, own: Ints, pulses: Mask, gap: float) -> Events:
    """The same events at the places `own`, with a wait after each pulse."""
    count = len(events) + int(pulses.sum())
    waits = {"kind": _KINDS.index(EventKind.WAIT), "duration": gap}
    columns = {}
    for name in ("kind", "current", "duration", "h_x", "h_z"):
        column = getattr(events, name)
        columns[name] = np.full(count, waits.get(name, 0), dtype=column.dtype)
        columns[name][own] = column
    return Events(**columns)


def _selected(trace: Trace, places: Ints) -> Trace:
    """Some points of a trace."""
    return Trace(
        card=trace.card,
        events=trace.events.chosen(places),
        fraction=trace.fraction[places],
        hall_resistance=trace.hall_resistance[places],
        channel_voltage=trace.channel_voltage[places],
        energy=trace.energy[places],
        temperature=trace.temperature[places],
        acting_moment=trace.acting_moment[places],
    )


def _run(
    card: DeviceCard, events: Events, *, cooled: bool, progress: Callable[[int, int], None] | None
) -> Trace:
    """The events; with `cooled` the channel is at ambient temperature before each of them."""
    device, count = hall_bar(card), len(events)
    moment = _acting_moments(device, events)
    fraction, voltage, energy, temperature = np.empty((4, count))
    state, rise = device.prepared().s[0], np.zeros((1, len(device.heat.tau)))
    for begin in range(0, count, _CHUNK):
        part = slice(begin, begin + _CHUNK)
        told = events.chosen(part)
        pulses, moved = told.is_a(EventKind.PULSE), told.is_a(EventKind.PULSE, EventKind.WAIT)
        current = np.where(pulses, told.current, 0.0)
        drive = current / device.area * device.torque.factor(np.where(pulses, told.h_x, 0.0), moment[part])
        start, end = _rises(device, current, np.where(moved, told.duration, 0.0), None if cooled else rise)
        integral = np.zeros((len(told), len(state)))
        integral[moved] = device.integrated_rate(
            drive[moved], current[moved], told.duration[moved], start[moved]
        )
        integral[told.is_a(EventKind.SATURATE)] = np.inf
        target = np.where(moved, device.bank.target(drive), 0.5 - 0.5 * np.sign(told.h_z))
        states = grains.followed(state, target, integral)
        state, rise = states[-1], end[-1:]
        fraction[part] = device.bank.fraction(states)
        temperature[part] = device.heat.temperature(end)
        voltage[part] = current * device.heat.resistance_at(temperature[part])
        energy[part] = np.where(pulses, device.heat.pulse_energy(current, told.duration, start), 0.0)
        if progress is not None:
            progress(min(begin + _CHUNK, count), count)
    return Trace(
        card=card,
        events=events,
        fraction=fraction,
        hall_resistance=device.r_reset + device.law.delta_r * fraction,
        channel_voltage=voltage,
        energy=energy,
        temperature=temperature,
        acting_moment=moment,
    )


def _acting_moments(device: HallBar, events: Events) -> Floats:
    """Interface moment that acts in each event, or after it where it moves the moment or the saturation."""
    moves = events.is_a(EventKind.SATURATE) | polarity.reaches(events.h_x, device.h_preset)
    found = polarity.prepared(1)
    values, places = [polarity.acting_moment(found, device.gate)[0]], [0]
    for place in np.flatnonzero(moves):
        if _KINDS[events.kind[place]] is EventKind.SATURATE:
            found = polarity.saturated(found, np.sign(events.h_z[place]), device.gate)
        else:
            found = polarity.exposed(found, events.h_x[place], device.h_preset)
        values.append(polarity.acting_moment(found, device.gate)[0])
        places.append(int(place))
    return np.repeat(np.array(values), np.diff([*places, len(events)]))


def _rises(device: HallBar, current: Floats, duration: Floats, rise: Floats | None) -> tuple[Floats, Floats]:
    """Temperature rise of each stage before and at the end of every event, (n, stages) [K].

    The first one begins with `rise` (1, stages), and each as the one before it ends; with None all begin cold.
    """
    shape = len(current), len(device.heat.tau)
    if rise is None:
        cold = np.broadcast_to(0.0, shape)
        return cold, device.heat.rise_after(current, duration, cold)
    start, end = np.empty((2, *shape))
    for place, (flow, time) in enumerate(zip(current, duration, strict=True)):
        start[place] = rise[0]
        rise = device.heat.rise_after(np.array([flow]), time, rise)
        end[place] = rise[0]
    return start, end


def read_events(path: str | Path, card: DeviceCard) -> Events:
    """Events of a CSV file with the columns `i_a, t_pulse_s, h_x_oe`, and optionally `event` and `h_z_oe`.

    Without `event` every line is a pulse. Numbers may carry a unit ("11 mA"); empty fields are zero. Lines that
    start with # are skipped.

    Raises
    ------
    DocumentError
        With every mistake (up to 20), its line and column.
    """
    found = Events.of(
        read_records(path, lambda cells: _event(cells, card), needed=("i_a", "t_pulse_s"), allowed=COLUMNS)
    )
    if not len(found):
        raise DocumentError([Mistake(str(path), None, "", "has a header and no events")])
    return found


def _event(cells: dict[str, str], card: DeviceCard) -> Event:
    kind = cells.get("event") or EventKind.PULSE.value
    if kind not in _NAMES:
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
    text = cells.get(column)
    if not text:
        return 0.0
    try:
        return parse_quantity(text, unit)
    except ValueError as error:
        raise CellError(column, str(error)) from None


def _field(cells: dict[str, str], column: str) -> float:
    """A field, in Oe unless it names its unit [A/m]."""
    text = cells.get(column)
    if not text:
        return 0.0
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
