"""A synthetic laboratory: data sets of a card as an instrument would have written them, imperfections included.

Readings follow the closed law with return-point memory, the model that `compact_model.fitting` fits. They are labelled
synthetic in every file.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from compact_model import curves, spread, switching, synapse, transport
from compact_model.cards.device import DeviceCard
from compact_model.constants import OERSTED
from compact_model.measured.records import Record
from compact_model.measured.response import FitResponse, ThresholdForm, card_values
from compact_model.measured.tables import RecordKind, Start
from compact_model.numeric import Floats


class Protocol(StrEnum):
    """What is measured."""

    LOOPS = "loops"  # R_xy(I) under several in-plane fields
    WIDTHS = "widths"  # pulse trains of rising amplitude at several lengths
    WINDOW = "window"  # R_xy(H_z)
    SHIFT = "shift"  # loop shift against current
    LADDER = "ladder"  # write ladder, repeated
    DEVICES = "devices"  # one sweep of many devices
    FULL = "full"  # loops, widths, window and shift of one device


@dataclass(frozen=True, slots=True, kw_only=True)
class Imperfections:
    """What a real set-up adds to the Hall resistance."""

    sigma: float = 1e-3  # noise of one reading [ohm]
    drift: float = 2e-3  # standard deviation of the linear drift over a record [ohm]
    even: float = 2e-3  # thermoelectric part at the largest current [ohm]
    amplifier: float = 5e-6  # offset of the voltmeter [V]
    missing: float = 0.01  # share of readings that are missing
    outliers: float = 0.002  # share of readings that are ten standard deviations off
    steps: float = 0.1  # probability of a step of the offset in a record
    broken: int = 0  # devices that do not switch


@dataclass(frozen=True, slots=True, kw_only=True)
class Laboratory:
    """One set-up: a card, its imperfections, a source of randomness."""

    card: DeviceCard
    imperfections: Imperfections
    rng: np.random.Generator

    def files(self, protocol: Protocol, points: int = 400, devices: int = 20) -> dict[str, str]:
        """Files of a data set by name; ``data.yaml`` describes the others.

        Parameters
        ----------
        protocol
            What is measured.
        points
            Readings per loop.
        devices
            Devices, for the protocol that measures several.
        """
        makers: dict[Protocol, list[Callable[[int], tuple[str, str, str]]]] = {
            Protocol.LOOPS: [self._loops],
            Protocol.WIDTHS: [self._widths],
            Protocol.WINDOW: [self._window],
            Protocol.SHIFT: [self._shift],
            Protocol.LADDER: [self._ladder],
            Protocol.DEVICES: [lambda _: self._devices(devices)],
            Protocol.FULL: [self._loops, self._widths, self._window, self._shift],
        }
        tables, described = {}, []
        for maker in makers[protocol]:
            name, text, description = maker(points)
            tables[name] = text
            described.append(description)
        header = [
            f"# Synthetic data of card {self.card.name}, protocol {protocol.value}: made by `hallspice measure`.",
            f"name: synthetic_{protocol.value}",
            f"description: synthetic data of card {self.card.name}, protocol {protocol.value}",
            "synthetic: true",
            "data:",
        ]
        return {**tables, "data.yaml": "\n".join([*header, *described]) + "\n"}

    def sweep(self, current: Floats, t_pulse: Floats | float, h_x: float = 0.0) -> Record:
        """Pulses on the prepared device, without readings."""
        return _record(
            self.card, current, np.broadcast_to(np.asarray(t_pulse, dtype=float), current.shape), h_x
        )

    def readings(self, record: Record, regions: int | None = None) -> Floats:
        """Hall resistance after each pulse, with drift, steps, noise, outliers and missing points; NaN is missing."""
        values = self.ideal(record, regions)
        imperfect, count = self.imperfections, len(values)
        relative = record.current / np.abs(record.current).max()
        values = values + self.rng.normal(0.0, imperfect.drift) * np.linspace(-0.5, 0.5, count)
        if record.even:
            values = values + imperfect.even * relative**2
        if record.drift and self.rng.random() < imperfect.steps:
            place = int(self.rng.integers(count // 5, 4 * count // 5))
            values[place:] += self.rng.choice([-1.0, 1.0]) * 15.0 * imperfect.sigma
        values = values + self.rng.normal(0.0, imperfect.sigma, count)
        wild = self.rng.random(count) < imperfect.outliers
        values[wild] += self.rng.choice([-1.0, 1.0], int(wild.sum())) * 10.0 * imperfect.sigma
        values[self.rng.random(count) < imperfect.missing] = np.nan
        return values

    def ideal(self, record: Record, regions: int | None = None) -> Floats:
        """Hall resistance after each pulse by the closed law; of a device of finitely many regions if asked."""
        law = switching.switching_law(self.card)
        response = FitResponse(self.card, [record], ThresholdForm.WEIBULL, electrothermal=law.electrothermal)
        values = card_values(self.card, electrothermal=law.electrothermal)
        if regions is None:
            return response.predicted(values)
        drive, target = response.drive(values)
        thresholds = np.sort(law.threshold(self.rng.random(regions)))
        matrix, constant = response.memories(drive, target)
        reached = np.searchsorted(thresholds, drive / law.j63, side="right") / regions
        s: Floats = constant + matrix @ reached
        return self.card.hall.r_reset.value + law.delta_r * s

    def _loops(self, points: int) -> tuple[str, str, str]:
        current = np.round(curves.triangle(_top(self.card), max(5, points // 4)), 7)
        rows = []
        for field in LOOP_FIELDS_OE:
            record = self.sweep(current, self.card.synapse.t_pulse.value, field * OERSTED)
            for i, r in zip(current, self.readings(record), strict=True):
                rows.append([f"{1e3 * i:.4f}", f"{field:g}", _shown(r, 6)])
        text = self._csv(["I (mA)", "H_x (Oe)", "R_xy (ohm)"], rows)
        return "loops.csv", text, _LOOPS.format(t_pulse=self.card.synapse.t_pulse.value)

    def _widths(self, points: int) -> tuple[str, str, str]:
        """Rising amplitudes at each length, a full negative pulse of the longest length before each series."""
        steps = max(8, points // 25)
        lengths = np.array([1e-6, 1e-5, 2e-4, 2e-3])
        top, t_reset = _top(self.card), float(lengths.max())
        current, t_pulse = [], []
        for length in lengths:
            current += [-1.3 * top, *np.linspace(0.3, 1.25, steps) * top]
            t_pulse += [t_reset, *([float(length)] * steps)]
        record = self.sweep(np.round(np.array(current), 7), np.array(t_pulse))
        read = self.readings(record)
        i_read, even = 1e-3, self.imperfections.amplifier
        rows = [
            [
                f"{1e3 * i:.4f}",
                f"{1e6 * t:g}",
                _shown(1e6 * (r * i_read + even), 4),
                _shown(1e6 * (even - r * i_read), 4),
            ]
            for i, t, r in zip(record.current, record.t_pulse, read, strict=True)
        ]
        text = self._csv(["I (mA)", "width (us)", "V+ (uV)", "V- (uV)"], rows)
        return "widths.csv", text, _WIDTHS

    def _window(self, points: int) -> tuple[str, str, str]:
        half = np.linspace(200.0, -200.0, max(20, points // 2))  # mT
        field = np.concatenate([half, half[::-1]])
        falling = np.arange(len(field)) < len(half)
        m_z = np.tanh((field + np.where(falling, 25.0, -25.0)) / 6.0)
        window = switching.switching_law(self.card).delta_r
        value = self.card.hall.r_reset.value + 0.5 * window * (1.0 - m_z) + 2e-5 * field
        value += self.rng.normal(0.0, self.imperfections.sigma, len(field))
        rows = [[f"{b:.3f}", _shown(1e3 * r, 3)] for b, r in zip(field, value, strict=True)]
        return "window.csv", self._csv(["B_z (mT)", "R_xy (mohm)"], rows), _WINDOW

    def _shift(self, _: int) -> tuple[str, str, str]:
        current = np.array([-3, -2.5, -2, -1.5, -1, -0.5, 0.5, 1, 1.5, 2, 2.5, 3]) * 1e-3
        sigma = 1.0 * OERSTED
        shift = transport.damping_like_field(self.card, current) + self.rng.normal(0.0, sigma, len(current))
        rows = [
            [f"{1e3 * i:g}", f"{h / OERSTED:.3f}", f"{sigma / OERSTED:g}"]
            for i, h in zip(current, shift, strict=True)
        ]
        return "shift.csv", self._csv(["I (mA)", "shift (Oe)", "sigma (Oe)"], rows), _SHIFT

    def _ladder(self, points: int) -> tuple[str, str, str]:
        """The write ladder after a reset, again and again, with the spread from cycle to cycle."""
        ladder = synapse.ladder_currents(self.card)
        cycles = max(10, points // 10)
        record = self.sweep(ladder, self.card.synapse.t_pulse.value)
        ideal, window = self.ideal(record), switching.switching_law(self.card).delta_r
        wobble = np.array([0.0, *(window * spread.spread_after(self.card, float(i)).cycle for i in ladder)])
        states = np.concatenate([[self.card.hall.r_reset.value], ideal])
        rows = []
        for cycle in range(1, cycles + 1):
            read = states + self.rng.normal(0.0, np.hypot(wobble, self.imperfections.sigma))
            for i, r in zip([0.0, *ladder], read, strict=True):
                rows.append([str(cycle), f"{1e3 * i:.4f}", f"{r:.6f}"])
        text = self._csv(["cycle", "I (mA)", "R_xy (ohm)"], rows)
        return "ladder.csv", text, _LADDER.format(t_pulse=self.card.synapse.t_pulse.value)

    def _devices(self, devices: int) -> tuple[str, str, str]:
        current = np.round(curves.triangle(_top(self.card), 12), 7)
        rows = []
        for number in range(1, devices + 1):
            record = self.sweep(current, self.card.synapse.t_pulse.value)
            read = self.readings(record, spread.region_count(self.card))
            if number <= self.imperfections.broken:
                read = self.card.hall.r_reset.value + self.rng.normal(
                    0.0, self.imperfections.sigma, len(read)
                )
            rows += [
                [f"d{number:03d}", f"{1e3 * i:.4f}", _shown(r, 6)] for i, r in zip(current, read, strict=True)
            ]
        text = self._csv(["device", "I (mA)", "R_xy (ohm)"], rows)
        return "devices.csv", text, _DEVICES.format(t_pulse=self.card.synapse.t_pulse.value)

    def _csv(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
        stream = io.StringIO()
        stream.write(f"# synthetic: made from card {self.card.name} by hallspice, not measured\n")
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
        return stream.getvalue()


LOOP_FIELDS_OE = (-1000.0, -400.0, -200.0, -100.0, 0.0, 50.0, 100.0, 200.0, 400.0, 1000.0)

_LOOPS = """\
  - file: loops.csv
    kind: loop
    columns:
      current: {{column: I (mA), unit: mA}}
      h_x: {{column: H_x (Oe), unit: Oe}}
      hall: {{column: R_xy (ohm), unit: ohm}}
    constants: {{t_pulse: {t_pulse:g}}}
    prepared: +z"""
_WIDTHS = """\
  - file: widths.csv
    kind: train
    columns:
      current: {column: I (mA), unit: mA}
      t_pulse: {column: width (us), unit: us}
      voltage_plus: {column: V+ (uV), unit: uV}
      voltage_minus: {column: V- (uV), unit: uV}
    constants: {i_read: 1 mA, h_x: 0}
    prepared: +z"""
_WINDOW = """\
  - file: window.csv
    kind: field_loop
    columns:
      h_z: {column: B_z (mT), unit: mT}
      hall: {column: R_xy (mohm), unit: mohm}"""
_SHIFT = """\
  - file: shift.csv
    kind: shift
    columns:
      current: {column: I (mA), unit: mA}
      shift: {column: shift (Oe), unit: Oe}
      sigma: {column: sigma (Oe), unit: Oe}"""
_LADDER = """\
  - file: ladder.csv
    kind: train
    columns:
      cycle: {{column: cycle}}
      current: {{column: I (mA), unit: mA}}
      hall: {{column: R_xy (ohm), unit: ohm}}
    constants: {{t_pulse: {t_pulse:g}}}
    prepared: +z"""
_DEVICES = """\
  - file: devices.csv
    kind: loop
    columns:
      device: {{column: device}}
      current: {{column: I (mA), unit: mA}}
      hall: {{column: R_xy (ohm), unit: ohm}}
    constants: {{t_pulse: {t_pulse:g}}}
    prepared: +z"""


def _record(card: DeviceCard, current: Floats, t_pulse: Floats, h_x: float) -> Record:
    count = len(current)
    bipolar = bool(current.min() < 0.0 < current.max())
    return Record(
        name="synthetic",
        kind=RecordKind.LOOP if bipolar else RecordKind.TRAIN,
        device=card.name,
        start=Start.PLUS,
        t_oxide=card.geometry.t_oxide.value,
        current=current,
        t_pulse=t_pulse,
        h=np.full(count, h_x),
        value=np.zeros(count),
        sigma=None,
        drift=count >= 20,
        even=bipolar and float(np.ptp(t_pulse)) == 0.0,
    )


def _top(card: DeviceCard) -> float:
    """Current that switches 90 % without field [A]."""
    return float(switching.programming_current(card, 0.9))


def _shown(value: float, digits: int) -> str:
    return "" if not np.isfinite(value) else f"{value:.{digits}f}"
