"""Readings that a switching law predicts for measured pulse sequences, fast enough to be fitted.

After any sequence of pulses the switched fraction is a sum of plus and minus F(u) over the pulses that return-point
memory still holds (`compact_model.preisach`). Which pulses these are depends only on the order of their thresholds,
so the sum is a sparse matrix that is made once and used at every step of a fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import sparse
from scipy.special import ndtr

from compact_model import stack, switching, thermal, thickness, transport
from compact_model.cards.device import DeviceCard
from compact_model.constants import REFERENCE_TEMPERATURE
from compact_model.measured.records import Record, reduced_field_loop
from compact_model.measured.tables import RecordKind, Start
from compact_model.numeric import Floats, FloatsLike, Ints

_SMALLEST = 1e-12
_SMALLEST_PHI = 1e-3


class ThresholdForm(StrEnum):
    """Distribution of thresholds."""

    WEIBULL = "weibull"
    LINEAR = "linear"
    LOGNORMAL = "lognormal"


def fraction(form: ThresholdForm, drive: Floats, values: Mapping[str, FloatsLike]) -> Floats:
    """Share of thresholds at or below a drive [A/m^2].

    Weibull: 1 - exp(-((u - u0)/(1 - u0))^shape), u = drive/j63. Linear: (drive - j0)/j_width between 0 and 1.
    Lognormal: normal distribution of ln(drive/j50) with standard deviation sigma.
    """
    if form is ThresholdForm.WEIBULL:
        u0 = values["u0"]
        z = np.maximum((drive / values["j63"] - u0) / (1.0 - np.asarray(u0)), 0.0)
        weibull: Floats = -np.expm1(-(np.minimum(z, 1e3) ** values["shape"]))
        return weibull
    if form is ThresholdForm.LINEAR:
        return np.clip((drive - values["j0"]) / values["j_width"], 0.0, 1.0)
    lognormal: Floats = ndtr(np.log(np.maximum(drive, _SMALLEST) / values["j50"]) / values["sigma"])
    return lognormal


@dataclass(frozen=True, slots=True)
class Memory:
    """s = constant + matrix F: what return-point memory makes of the pulses of one record."""

    matrix: sparse.csr_array
    constant: Floats


def memory(order: Floats, target: Floats, base: float) -> Memory:
    """Memory after each pulse of a sequence.

    Parameters
    ----------
    order
        Threshold reached by each pulse, in any monotone measure; zero reaches none.
    target
        Value that each pulse writes, 0 or 1.
    base
        Fraction before the first pulse.

    Examples
    --------
    >>> m = memory(np.array([2.0, 1.0]), np.array([1.0, 0.0]), 0.0)
    >>> m.matrix.toarray().tolist(), m.constant.tolist()
    ([[1.0, 0.0], [1.0, -1.0]], [0.0, 0.0])
    """
    rows: list[int] = []
    columns: list[int] = []
    signs: list[float] = []
    for place, held in enumerate(held_pulses(order, target, base)):
        above = base
        for pulse in held:
            rows.append(place)
            columns.append(pulse)
            signs.append(float(target[pulse]) - above)
            above = float(target[pulse])
    count = len(order)
    matrix = sparse.csr_array((signs, (rows, columns)), shape=(count, count))
    return Memory(matrix, np.full(count, base))


def held_pulses(order: Floats, target: Floats, base: float) -> Iterator[list[int]]:
    """The pulses that are remembered after each one, by falling threshold; arguments as for `memory`."""
    held: list[int] = []
    for place, (reached, wanted) in enumerate(zip(order.tolist(), target.tolist(), strict=True)):
        if reached > 0.0:
            while held and order[held[-1]] <= reached:
                held.pop()
            above = target[held[-1]] if held else base
            if above != wanted:  # the same value below an equal one is no new corner
                held.append(place)
        yield held


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRows:
    """Rows of one record in the fit."""

    record: Record
    rows: slice
    single: bool  # each row is a pulse of its own from the reset state
    uniform: bool  # the order of the thresholds is that of the currents, whatever the parameters


def card_values(card: DeviceCard, *, electrothermal: bool) -> dict[str, FloatsLike]:
    """Parameters of a card by their symbol in the equations; those that scale a prediction are 1."""
    c = card.switching
    law = c.set_b if electrothermal else c.set_a
    return {
        "r_reset": card.hall.r_reset.value,
        "delta_r": law.delta_r.value,
        "j63": law.j63.value,
        "shape": law.shape.value,
        "u0": law.u0.value,
        "torque_exponent": law.torque_exponent.value,
        "delta": c.delta.value,
        "t_wall": c.t_wall.value,
        "h_int": card.fields.h_int.value,
        "h_dmi": card.fields.h_dmi.value,
        "theta": 1.0,
        "rho": 1.0,
    }


class FitResponse:
    """Predicted readings of all records, as a function of the parameters of the law."""

    def __init__(
        self, card: DeviceCard, records: Sequence[Record], form: ThresholdForm, *, electrothermal: bool
    ) -> None:
        self.card, self.form, self.electrothermal = card, form, electrothermal
        self.blocks: list[RecordRows] = []
        parts: list[dict[str, Floats]] = []
        begin = 0
        for record in records:
            part = self._part(record)
            rows = slice(begin, begin + len(part["value"]))
            uniform = len({*zip(part["t_pulse"].tolist(), part["h"].tolist(), strict=True)}) <= 1
            single = record.kind not in (RecordKind.LOOP, RecordKind.TRAIN)
            self.blocks.append(RecordRows(record=record, rows=rows, single=single, uniform=uniform))
            parts.append(part)
            begin = rows.stop
        joined = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
        self.value, self.sigma = joined["value"], joined["sigma"]
        self.density, self.t_pulse, self.h = joined["density"], joined["t_pulse"], joined["h"]
        self.t_oxide, self.temperature = joined["t_oxide"], joined["temperature"]
        self.interface, self.known = joined["interface"], joined["known"]
        kinds = np.concatenate([np.full(len(part["value"]), place) for place, part in enumerate(parts)])
        kind_of = np.array([record.kind for record in records])
        self.record_of: Ints = kinds.astype(np.int64)
        row_kind = kind_of[self.record_of]
        self.is_hall = np.isin(row_kind, [RecordKind.LOOP, RecordKind.TRAIN, RecordKind.FIELD_LOOP])
        self.is_shift, self.is_energy = row_kind == RecordKind.SHIFT, row_kind == RecordKind.ENERGY
        self.slope = joined["slope"]
        self.is_pulse = self.is_hall & ~np.isfinite(self.known) | (row_kind == RecordKind.FRACTION)
        law = card.thickness
        drive_law = law.field_free_drive_b if electrothermal else law.field_free_drive_a
        self.own_drive = thickness.evaluate(drive_law, self.t_oxide)
        self.gain = switching.evaluate_ratio(card, self.t_oxide)
        self._kept: list[tuple[bytes, Memory]] = [(b"", Memory(sparse.csr_array((1, 1)), np.zeros(1)))] * len(
            self.blocks
        )
        self._joined: tuple[sparse.csr_array, Floats] | None = None

    def _part(self, record: Record) -> dict[str, Floats]:
        """Arrays of one record; field loops become their two saturated ends."""
        card, count = self.card, len(record.value)
        current, t_pulse, h = record.current, record.t_pulse, record.h
        value, known = record.value, np.full(count, np.nan)
        sigma = np.full(count, np.nan) if record.sigma is None else record.sigma
        if record.kind is RecordKind.FIELD_LOOP:
            low, window, error = reduced_field_loop(record)
            value, sigma, known = np.array([low, low + window]), np.full(2, error), np.array([0.0, 1.0])
            current, t_pulse, h, count = np.zeros(2), np.ones(2), np.zeros(2), 2
        elif record.kind in (RecordKind.LOOP, RecordKind.TRAIN):
            t_pulse = _run_lengths(current, t_pulse, h)
        slope = np.zeros(count)
        if record.kind is RecordKind.SHIFT:
            slope = transport.damping_like_field(card, 1.0, record.t_oxide) * current
        if record.kind is RecordKind.ENERGY:
            slope = current**2 * float(stack.channel_resistance(card, record.t_oxide)) * t_pulse
        temperature = np.full(count, card.thermal.ambient.value)
        if self.electrothermal and record.kind is not RecordKind.FIELD_LOOP:
            temperature = np.asarray(thermal.pulse_temperature(card, current, t_pulse, record.t_oxide))
        interface = np.full(count, 0.0 if record.start is Start.MINUS else 1.0)
        preset = np.abs(h) >= card.fields.h_preset.value
        return {
            "value": value,
            "sigma": sigma,
            "known": known,
            "density": stack.current_density(card, current, record.t_oxide),
            "t_pulse": t_pulse,
            "h": h,
            "t_oxide": np.full(count, record.t_oxide),
            "temperature": np.broadcast_to(temperature, (count,)),
            "interface": np.where(preset, np.sign(h), interface),
            "slope": slope,
        }

    def drive(self, values: Mapping[str, FloatsLike]) -> tuple[Floats, Floats]:
        """Drive of each pulse over its pulse-length factor [A/m^2], and the value that it writes."""
        h_dmi, h_int = values["h_dmi"], values["h_int"]
        eta0 = h_int / np.hypot(h_int, h_dmi)
        exponent = values["torque_exponent"]
        relative = self.gain**exponent
        own = values.get("drive", self.own_drive)
        e = np.minimum(eta0 * own / relative, 0.999)
        h = self.h + self.interface * h_dmi * e / np.sqrt(1.0 - e * e)
        factor = relative / eta0 * h / np.hypot(h, h_dmi)
        signed = self.density * factor
        return np.abs(signed) / self._phi(values), (signed > 0.0).astype(float)

    def _phi(self, values: Mapping[str, FloatsLike]) -> Floats:
        """Pulse-length factor of each pulse, relative to the fit's length in Set A."""
        c = self.card.switching
        delta, t_wall, tau0 = values["delta"], values["t_wall"], c.tau0.value

        def phi(t_pulse: FloatsLike, softening: FloatsLike, barrier: FloatsLike) -> Floats:
            bare = 1.0 - np.log1p(np.asarray(t_pulse) / tau0) / barrier
            result: Floats = np.maximum(softening * bare, _SMALLEST_PHI) + t_wall / np.asarray(t_pulse)
            return result

        if not self.electrothermal:
            ambient = 1.0 - c.ambient_coefficient.value * (self.temperature - REFERENCE_TEMPERATURE)
            return phi(self.t_pulse, 1.0, delta) / phi(c.t_pulse_fit.value, 1.0, delta) * ambient
        soft = (c.t_curie.value - self.temperature) / (c.t_curie.value - REFERENCE_TEMPERATURE)
        soft = np.maximum(soft, _SMALLEST_PHI)
        return phi(self.t_pulse, soft, delta * REFERENCE_TEMPERATURE / self.temperature * soft)

    def fractions(self, values: Mapping[str, FloatsLike]) -> Floats:
        """Switched fraction at each reading."""
        drive, target = self.drive(values)
        reached = fraction(self.form, drive, values)
        matrix, constant = self.memories(drive, target)
        s: Floats = constant + matrix @ reached
        return np.where(np.isfinite(self.known), np.nan_to_num(self.known), s)

    def memories(self, drive: Floats, target: Floats) -> tuple[sparse.csr_array, Floats]:
        """Matrix and constant that turn F(drive) of all pulses into their switched fractions."""
        changed = self._joined is None
        for place, block in enumerate(self.blocks):
            part = slice(block.rows.start, block.rows.stop)
            own_target = target[part]
            # For pulses of one length under one field only the sign of the field can reorder anything.
            order = np.abs(self.density[part]) if block.uniform else drive[part]
            key = own_target.tobytes() + (
                b"" if block.uniform else np.argsort(order, kind="stable").tobytes()
            )
            if self._kept[place][0] == key and self._joined is not None:
                continue
            count = len(own_target)
            if block.single:
                made = Memory(
                    sparse.csr_array(
                        (own_target, (np.arange(count), np.arange(count))), shape=(count, count)
                    ),
                    np.zeros(count),
                )
            else:
                base = 1.0 if block.record.start is Start.MINUS else 0.0
                made = memory(order, own_target, base)
            self._kept[place] = (key, made)
            changed = True
        if changed or self._joined is None:
            matrix = sparse.csr_array(sparse.block_diag([m.matrix for _, m in self._kept], format="csr"))
            self._joined = (matrix, np.concatenate([m.constant for _, m in self._kept]))
        return self._joined

    def predicted(self, values: Mapping[str, FloatsLike]) -> Floats:
        """Reading predicted for each row, artefacts left out: ohm, fraction, A/m or J by the kind of its record."""
        s = self.fractions(values)
        hall = values["r_reset"] + values["delta_r"] * s
        result = np.where(self.is_hall, hall, s)
        result = np.where(self.is_shift, values["theta"] * self.slope, result)
        return np.where(self.is_energy, values["rho"] * self.slope, result)


def _run_lengths(current: Floats, t_pulse: Floats, h: Floats) -> Floats:
    """Pulse lengths in which equal consecutive pulses count as one of their summed length."""
    total = t_pulse.copy()
    for place in range(1, len(total)):
        if current[place] == current[place - 1] != 0.0 and h[place] == h[place - 1]:
            total[place] += total[place - 1]
    return total
