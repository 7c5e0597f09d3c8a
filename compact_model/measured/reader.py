"""Measured data as laboratories have it: tables with named columns and units, read into records."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.constants import mu_0

from compact_model import stack
from compact_model.cards.csv_table import MAX_MISTAKES, Row
from compact_model.cards.device import SHIPPED, DeviceCard, load_card
from compact_model.cards.document import DocumentError, Mistake, load_model
from compact_model.cards.quantity import parse_number, parse_quantity
from compact_model.constants import OERSTED
from compact_model.measured.alike import at_one_temperature, check_alike
from compact_model.measured.checks import check_record
from compact_model.measured.instrument import MISSING, Sheet, is_number, read_sheet
from compact_model.measured.names import unit_of
from compact_model.measured.records import DataSet, Exclusion, Record
from compact_model.measured.settings import levelled, one_reading_a_state, usual_tolerance
from compact_model.measured.tables import (
    MEASURED,
    UNITS,
    ColumnName,
    DataFile,
    DataTable,
    DisagreeingError,
    MeasurementError,
    RecordKind,
    WrongUnitError,
    unit_factor,
)
from compact_model.numeric import Floats, Ints

OVERFLOW = 9.9e37
"""What instruments of the SCPI standard write instead of a reading beyond their range (9.91e37: not a number)."""

LABELS = ("device", "cycle")

SETTINGS = (
    ("h_x", 5.0 * OERSTED, "Oe", 1.0 / OERSTED),
    ("temperature", 0.5, "K", 1.0),
    ("current", None, "A", 1.0),
)
"""Settings that may have been read back: the tolerance that is allowed even near zero (None: no tolerance unless it
is stated), and how they are told."""

SEPARATED = 20
"""From so many readings on, drift and heating are separated unasked."""


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
    reading: list[str] = []
    for table in described.data:
        file = folder / table.file
        sheet = read_table(file, table)
        digest.update(file.read_bytes())
        columns = _columns(sheet, table)
        read, found = _records(columns, table, card, described.name)
        usable, failed = _usable(read, card, sheet, table)
        records += usable
        excluded += failed
        reading += [*sheet.said, *columns.said]
        artefacts += found
    card, records, others, said = at_one_temperature(records, card)
    check_alike(records)
    return DataSet(
        name=described.name,
        description=described.description,
        synthetic=described.synthetic,
        card=card,
        records=tuple(records),
        excluded=(*excluded, *others),
        artefacts=tuple(artefacts),
        reading=(*reading, *said),
        choices=described.fit,
        sha256=digest.hexdigest(),
    )


def read_table(path: Path, table: DataTable) -> Sheet:
    """The sheet of a described table: its header is found by the columns that the description names."""
    words = [where.column for quantity, where in table.columns.items() if quantity in LABELS]
    numbers = [where.column for quantity, where in table.columns.items() if quantity not in LABELS]
    return read_sheet(path, table, numbers, [*words, *table.split])


def _usable(
    records: Sequence[Record], card: DeviceCard, sheet: Sheet, table: DataTable
) -> tuple[list[Record], list[Exclusion]]:
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
        first = failures[0][1]
        if isinstance(first, DisagreeingError):
            named = {where.column for where in table.columns.values()}
            rest = [name for name in sheet.table.header if name not in named]
            raise DisagreeingError(f"{first}. Columns without a meaning so far: {', '.join(rest) or 'none'}")
        raise first
    return kept, [Exclusion(record.name, str(error)) for record, error in failures]


@dataclass(frozen=True, slots=True)
class _Columns:
    """Columns and constants of a table, a value a line: numbers in SI, words, and what was guessed."""

    numbers: dict[str, Floats]  # by quantity
    words: dict[str, list[str]]  # by quantity, or column of `split`
    said: list[str]


def _columns(sheet: Sheet, table: DataTable) -> _Columns:
    rows, count = sheet.table, len(sheet.table.body)
    columns = _Columns({}, {}, [])
    measured_unit = UNITS[MEASURED[table.kind]]
    for quantity, where in table.columns.items():
        place = rows.header.index(where.column)
        if quantity in LABELS:
            columns.words[quantity] = [_cell(row, place) for row in rows.body]
            continue
        try:
            factor = unit_factor(where.unit, UNITS[quantity] or measured_unit)
        except ValueError as error:
            raise WrongUnitError(f"{table.file}: column {where.column!r} ({quantity}): {error}") from None
        _check_unit(sheet, place, where, quantity, table)
        values, overflows = _numbers(sheet, place)
        if overflows:
            columns.said.append(
                f"{table.file}: {overflows} readings of {where.column!r} are {OVERFLOW:g} or more: the instrument "
                "overflowed; they count as missing."
            )
        columns.numbers[quantity] = factor * values
    for quantity, constant in table.constants.items():
        if quantity in LABELS:
            columns.words[quantity] = [str(constant)] * count
        else:
            value = _constant(constant, UNITS[quantity] or measured_unit, table.file)
            columns.numbers[quantity] = np.full(count, value)
    for name in table.split:
        columns.words[name] = _split(sheet, name, table)
    _level(columns, table)
    return columns


def _check_unit(sheet: Sheet, place: int, where: ColumnName, quantity: str, table: DataTable) -> None:
    """The unit that the file gives for a column, in a line of units or in its name, must be that of the description."""
    for row in sheet.units:
        written = unit_of(_cell(row, place))
        if written is not None and not _same_unit(written, where.unit, quantity, table.kind):
            raise WrongUnitError(
                f"{table.file}: line {row.line} gives column {where.column!r} in {written}, the description in "
                f"{where.unit}; which is right?"
            )


def _same_unit(written: str, stated: str, quantity: str, kind: RecordKind) -> bool:
    unit = UNITS[quantity] or UNITS[MEASURED[kind]]
    try:
        return math.isclose(unit_factor(written, unit), unit_factor(stated, unit), rel_tol=1e-9)
    except ValueError:
        return False


def _split(sheet: Sheet, name: str, table: DataTable) -> list[str]:
    """Entries of a column by which records are told apart; numbers within a tolerance are the same entry."""
    place = sheet.table.header.index(name)
    cells = [_cell(row, place) for row in sheet.table.body]
    if not all(map(is_number, cells)):
        return cells
    values, _ = _numbers(sheet, place)
    stated = table.tolerance.get(name)
    tolerance = usual_tolerance(values, 0.0) if stated is None else _constant(stated, "1", table.file)
    return [f"{value:.6g}" for value in (levelled(values, tolerance, name) if tolerance > 0.0 else values)]


def _level(columns: _Columns, table: DataTable) -> None:
    """Make one of settings that were read back with scatter."""
    for quantity, least, unit, factor in SETTINGS:
        values, stated = columns.numbers.get(quantity), table.tolerance.get(quantity)
        if values is None or (quantity == "h_x" and table.kind not in (RecordKind.LOOP, RecordKind.TRAIN)):
            continue
        if stated is not None:
            tolerance = _constant(stated, UNITS[quantity], table.file)
        else:
            tolerance = 0.0 if least is None else usual_tolerance(values, least)
        if not tolerance > 0.0:
            continue
        columns.numbers[quantity] = (
            levelled(values * factor, tolerance * factor, f"{table.file}: {quantity} in {unit}") / factor
        )
        if stated is None and not np.array_equal(values, columns.numbers[quantity], equal_nan=True):
            columns.said.append(
                f"{table.file}: values of {quantity} within {tolerance * factor:.2g} {unit} of each other count as one "
                f"(`tolerance: {{{quantity}: ...}}`)."
            )


def _records(
    columns: _Columns, table: DataTable, card: DeviceCard, name: str
) -> tuple[list[Record], list[str]]:
    numbers, words = columns.numbers, columns.words
    count = len(next(iter(numbers.values())))
    temperatures = numbers.get("temperature", np.full(count, card.thermal.ambient.value))
    if not np.isfinite(temperatures).all():
        raise MeasurementError(
            f"{table.file}: lines without a temperature; a constant, or no column, would do"
        )
    cycles = [f"cycle {cycle}" if cycle else "" for cycle in words.get("cycle", [""] * count)]
    kelvins = [f"{kelvin:.4g} K" for kelvin in temperatures] if "temperature" in numbers else [""] * count
    keys = zip(
        words.get("device", [name] * count),
        numbers.get("t_oxide", np.full(count, card.geometry.t_oxide.value)).tolist(),
        temperatures.tolist(),
        zip(cycles, kelvins, *(words[key] for key in table.split), strict=True),
        strict=True,
    )
    # Rows of one device, thickness, temperature, cycle are one history; loops under several fields are one each.
    groups: dict[tuple[str, float, float, tuple[str, ...]], list[int]] = {}
    for line, key in enumerate(keys):
        groups.setdefault(key, []).append(line)
    split = numbers.get("h_x") if table.kind is RecordKind.LOOP else None
    artefacts: list[str] = []
    found: list[Record] = []
    for (device, thickness, temperature, label), lines in groups.items():
        for piece in _pieces(_in_time(np.array(lines), columns, artefacts, table), split):
            field = "" if split is None else f"{split[piece][0] * mu_0 * 1e4:+.0f} Oe"
            record, said = _record(
                {key: values[piece] for key, values in numbers.items()},
                table,
                card,
                " ".join(filter(None, [table.file, device, *label, field])),
                device,
                thickness,
                temperature if "temperature" in numbers else None,
            )
            found.append(record)
            artefacts += said
    return found, artefacts


def _in_time(places: Ints, columns: _Columns, artefacts: list[str], table: DataTable) -> Ints:
    """Rows in the order of their time, where one was measured."""
    time = columns.numbers.get("time")
    if time is None or np.all(np.diff(time[places]) >= 0.0):
        return places
    if not np.isfinite(time[places]).all():
        raise MeasurementError(
            f"{table.file}: the time of a line is missing; the order of the pulses matters"
        )
    artefacts.append(f"{table.file}: the lines were put in the order of their time.")
    return places[np.argsort(time[places], kind="stable")]


def _pieces(places: Ints, split: Floats | None) -> Iterator[Ints]:
    """Rows, cut where the field of a loop changes."""
    if split is None:
        yield places
        return
    yield from np.split(places, np.flatnonzero(np.diff(split[places]) != 0.0) + 1)


def _record(
    columns: dict[str, Floats],
    table: DataTable,
    card: DeviceCard,
    name: str,
    device: str,
    t_oxide: float,
    temperature: float | None,
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
    record = Record(
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
        drift=False,
        even=False,
        temperature=temperature,
    )
    if pulses:
        record, found = one_reading_a_state(record, table.reads)
        said += found
    long = len(record.value) >= SEPARATED
    return (
        replace(
            record,
            drift=pulses and (long if table.drift is None else table.drift),
            even=(table.kind is RecordKind.LOOP and bipolar and long) if table.even is None else table.even,
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


def _numbers(sheet: Sheet, place: int) -> tuple[Floats, int]:
    """Numbers of a column, and how many of them overflowed; what is missing is NaN."""
    table, column = sheet.table, sheet.table.header[place]
    values = np.full(len(table.body), math.nan)
    mistakes: list[Mistake] = []
    for index, row in enumerate(table.body):
        cell = _cell(row, place)
        if cell.lower() in MISSING:
            continue
        try:
            values[index] = parse_number(cell if sheet.decimal == "." else _with_point(cell))
        except ValueError:
            mistakes.append(table.mistake(row, place, f"holds {cell!r}, not a number", column))
    if mistakes:
        raise DocumentError(mistakes[:MAX_MISTAKES])
    overflowed = np.abs(values) >= OVERFLOW
    values[overflowed] = math.nan
    if not np.isfinite(values).any():
        raise MeasurementError(f"{table.name}: column {column!r}: holds no numbers")
    return values, int(overflowed.sum())


def _with_point(cell: str) -> str:
    """A number with a decimal comma as one with a point; a point in it separates no decimals."""
    if "." in cell:
        raise ValueError
    return cell.replace(",", ".")
