"""Measured data as laboratories have it: tables with named columns and units, read into records."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy.constants import mu_0

from compact_model import stack
from compact_model.cards.csv_table import MAX_MISTAKES, CsvTable, Row
from compact_model.cards.device import SHIPPED, DeviceCard, load_card
from compact_model.cards.document import DocumentError, Mistake, load_model
from compact_model.cards.quantity import parse_number, parse_quantity
from compact_model.measured.checks import check_record
from compact_model.measured.records import DataSet, Exclusion, Record
from compact_model.measured.tables import (
    MEASURED,
    UNITS,
    DataFile,
    DataTable,
    MeasurementError,
    RecordKind,
    WrongUnitError,
    read_table,
    unit_factor,
)
from compact_model.numeric import Floats, Ints

MISSING = ("", "nan", "na", "n/a", "-", "--", "#n/a", "overload", "inf", "ovld")
"""What instruments write where there is no reading, in lower case."""


def load_data(path: str | Path) -> DataSet:
    """Read a data set: the YAML file and the tables that it names.

    Records that are empty, clipped or impossible are left out and listed; when most of a table are, the first
    reason is raised.

    Raises
    ------
    DocumentError
        For mistakes in the YAML file or in the tables, each with its line.
    MeasurementError
        For tables that can't be used.
    """
    described = load_model(path, DataFile)
    folder = Path(path).parent
    card = load_card(None if described.card == SHIPPED else folder / described.card)
    digest = hashlib.sha256(Path(path).read_bytes())
    records: list[Record] = []
    excluded: list[Exclusion] = []
    artefacts: list[str] = []
    for table in described.data:
        file = folder / table.file
        read_in = read_table(file, table.sheet)
        digest.update(file.read_bytes())
        read, found = _records(read_in, table, card, described.name)
        usable, failed = _usable(read, card)
        records += usable
        excluded += failed
        artefacts += found
    return DataSet(
        name=described.name,
        description=described.description,
        synthetic=described.synthetic,
        card=card,
        records=tuple(records),
        excluded=tuple(excluded),
        artefacts=tuple(artefacts),
        choices=described.fit,
        sha256=digest.hexdigest(),
    )


def _usable(records: Sequence[Record], card: DeviceCard) -> tuple[list[Record], list[Exclusion]]:
    """Records of one table without those that fail a check; when most of them fail, the first failure is raised.

    One broken device of many is an exclusion; a wrong description of the columns breaks all records, or the only one.
    """
    kept: list[Record] = []
    failures: list[tuple[Record, MeasurementError]] = []
    for record in records:
        try:
            check_record(record, card)
            kept.append(record)
        except MeasurementError as error:
            failures.append((record, error))
    if len(failures) > len(kept):
        raise failures[0][1]
    return kept, [Exclusion(record.name, str(error)) for record, error in failures]


def _records(rows: CsvTable, table: DataTable, card: DeviceCard, name: str) -> tuple[list[Record], list[str]]:
    header = rows.header
    columns: dict[str, Floats] = {}
    labels: dict[str, list[str]] = {}
    measured_unit = UNITS[MEASURED[table.kind]]
    for quantity, where in table.columns.items():
        if where.column not in header:
            raise MeasurementError(
                f"{table.file}: no column {where.column!r}; the header has: {', '.join(header)}"
            )
        place = header.index(where.column)
        if quantity in ("device", "cycle"):
            labels[quantity] = [_cell(row, place) for row in rows.body]
            continue
        try:
            factor = unit_factor(where.unit, UNITS[quantity] or measured_unit)
        except ValueError as error:
            raise WrongUnitError(f"{table.file}: column {where.column!r} ({quantity}): {error}") from None
        columns[quantity] = factor * _numbers(rows, place)
    count = len(rows.body)
    for quantity, constant in table.constants.items():
        if quantity in ("device", "cycle"):
            labels[quantity] = [str(constant)] * count
        else:
            columns[quantity] = np.full(
                count, _constant(constant, UNITS[quantity] or measured_unit, table.file)
            )
    devices = labels.get("device", [name] * count)
    cycles = labels.get("cycle", [""] * count)
    artefacts: list[str] = []
    found: list[Record] = []
    groups: dict[tuple[str, str], list[int]] = {}
    for line, group in enumerate(zip(devices, cycles, strict=True)):
        groups.setdefault(group, []).append(line)
    # Sweeps at several fields (or thicknesses) in one file are one record each.
    split = columns.get("h_x") if table.kind is RecordKind.LOOP else None
    thicknesses = columns.get("t_oxide", np.full(count, card.geometry.t_oxide.value))
    for (device, cycle), lines in groups.items():
        mine = np.array(lines)
        for thickness in dict.fromkeys(thicknesses[mine].tolist()):
            for piece in _pieces(mine[thicknesses[mine] == thickness], split):
                suffix = f" cycle {cycle}" if cycle else ""
                suffix += f" {split[piece][0] * mu_0 * 1e4:+.0f} Oe" if split is not None else ""
                record, said = _record(
                    {key: values[piece] for key, values in columns.items()},
                    table,
                    card,
                    f"{table.file} {device}{suffix}",
                    device,
                    thickness,
                )
                found.append(record)
                artefacts += said
    return found, artefacts


def _pieces(places: Ints, split: Floats | None) -> Iterator[Ints]:
    """Rows, cut where the field of a loop changes."""
    if split is None:
        yield places
        return
    yield from np.split(places, np.flatnonzero(np.diff(split[places]) != 0.0) + 1)


def _record(
    columns: dict[str, Floats], table: DataTable, card: DeviceCard, name: str, device: str, t_oxide: float
) -> tuple[Record, list[str]]:
    count = len(next(iter(columns.values())))
    value, said = _measured(columns, table, name)
    current = columns.get("current", np.zeros(count))
    if "density" in columns:
        current = stack.current(card, columns["density"], t_oxide)
    t_pulse = columns.get("t_pulse", np.full(count, card.synapse.t_pulse.value))
    h = columns.get("h_z" if table.kind is RecordKind.FIELD_LOOP else "h_x", np.zeros(count))
    sigma = columns.get("sigma")
    if sigma is None and table.rounding is not None:
        step = _constant(table.rounding, UNITS[MEASURED[table.kind]], table.file)
        sigma = np.full(count, step / math.sqrt(12.0))
    known = np.isfinite(current) & np.isfinite(t_pulse) & np.isfinite(h)
    if not known.all():
        said.append(f"{name}: {int((~known).sum())} lines without current, field or pulse length left out")
    bipolar = bool(np.any(current[known] > 0.0) and np.any(current[known] < 0.0))
    pulses = table.kind in (RecordKind.LOOP, RecordKind.TRAIN)
    return (
        Record(
            name=name,
            kind=table.kind,
            device=device,
            start=table.prepared,
            t_oxide=t_oxide,
            current=current[known],
            t_pulse=t_pulse[known],
            h=h[known],
            value=value[known],
            sigma=None if sigma is None else sigma[known],
            drift=pulses and (int(known.sum()) >= 20 if table.drift is None else table.drift),
            even=(table.kind is RecordKind.LOOP and bipolar) if table.even is None else table.even,
        ),
        said,
    )


def _measured(columns: dict[str, Floats], table: DataTable, name: str) -> tuple[Floats, list[str]]:
    """What was measured in SI, and what was separated from it."""
    if "voltage_plus" in columns:
        plus, minus, read = columns["voltage_plus"], columns["voltage_minus"], columns["i_read"]
        even = 0.5 * (plus + minus)
        said = f"{name}: reads of both signs; the even part (amplifier offset, thermoelectric) of "
        said += f"{1e6 * float(np.nanmean(even)):.3g} uV in the mean is taken out"
        return table.sign * (plus - minus) / (2.0 * read), [said]
    if "voltage" in columns:
        return table.sign * columns["voltage"] / columns["i_read"], [
            f"{name}: read with one sign; an amplifier offset cannot be told from the offset resistance"
        ]
    value = columns[MEASURED[table.kind]]
    return (table.sign * value if MEASURED[table.kind] == "hall" else value), []


def _constant(value: str | float, unit: str, file: str) -> float:
    if isinstance(value, str) and unit == "A/m":
        number, _, written = value.strip().partition(" ")
        try:
            return parse_number(number) * (unit_factor(written, unit) if written else 1.0)
        except ValueError as error:
            raise WrongUnitError(f"{file}: {error}") from None
    try:
        return parse_quantity(value, unit)
    except ValueError as error:
        raise WrongUnitError(f"{file}: {error}") from None


def _cell(row: Row, place: int) -> str:
    """A cell; empty where the line ends before it."""
    return row.cells[place] if place < len(row.cells) else ""


def _numbers(table: CsvTable, place: int) -> Floats:
    """Numbers of a column; what is empty or marked as missing is NaN."""
    column = table.header[place]
    values = np.full(len(table.body), math.nan)
    mistakes: list[Mistake] = []
    for index, row in enumerate(table.body):
        cell = _cell(row, place)
        if cell.lower() in MISSING:
            continue
        try:
            values[index] = parse_number(cell)
        except ValueError:
            mistakes.append(table.mistake(row, place, f"holds {cell!r}, not a number", column))
    if mistakes:
        raise DocumentError(mistakes[:MAX_MISTAKES])
    if not np.isfinite(values).any():
        raise MeasurementError(f"{table.name}: column {column!r}: holds no numbers")
    return values
