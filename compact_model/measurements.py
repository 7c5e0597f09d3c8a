"""Measured data as laboratories have it: tables with named columns and units, read into records."""

from __future__ import annotations

import csv
import hashlib
import importlib
import io
import math
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.constants import mu_0

from compact_model import stack
from compact_model.card import SHIPPED, DeviceCard, Name, load_card
from compact_model.document import MAX_TABLE_BYTES, load_model, read_content
from compact_model.numeric import Floats
from compact_model.quantity import parse_quantity

LARGEST_DENSITY = 1e13
"""Beyond any pulse that a metal channel survives [A/m^2]."""

SMALLEST_DENSITY = 1e9
"""Below anything that moves a wall by a spin-orbit torque [A/m^2]."""

SMALLEST_HALL_ANGLE = 1e-5
"""Hall window over sheet resistance below which a unit is wrong rather than a film unusual."""

LARGEST_FIELD = 10.0 / mu_0
"""Ten tesla [A/m]."""

CLIPPED_SHARE = 0.05
"""A loop with more of its readings at exactly its largest or smallest value ran into the range of the meter."""

SMALLEST_MOTION = 1.5
"""A loop that moves by less than this many times its noise is empty."""


class DataError(ValueError):
    """Measured data that can't be used; says which file or record, and why."""


class WrongUnitError(DataError):
    """Numbers that are impossible in the stated unit."""


class SwappedColumnsError(DataError):
    """A column that looks like the other one."""


class ClippedError(DataError):
    """Readings at the end of the meter's range."""


class EmptyLoopError(DataError):
    """A loop that does not open, or does not move."""


class Kind(StrEnum):
    """What one table holds."""

    LOOP = "loop"  # R_xy after (or during) each pulse of a current sweep
    TRAIN = "train"  # R_xy after each pulse of any sequence
    FIELD_LOOP = "field_loop"  # R_xy against H_z: window and offset
    FRACTION = "fraction"  # switched share after one pulse from the reset state
    SHIFT = "shift"  # centre of an R_xy(H_z) loop against the current
    ENERGY = "energy"  # energy of one pulse


class Start(StrEnum):
    """State before the first pulse of a record."""

    PLUS = "+z"
    MINUS = "-z"
    UNKNOWN = "unknown"


_UNITS = {
    "current": "A",
    "density": "A/m^2",
    "hall": "ohm",
    "voltage": "V",
    "voltage_plus": "V",
    "voltage_minus": "V",
    "h_x": "A/m",
    "h_z": "A/m",
    "shift": "A/m",
    "t_pulse": "s",
    "t_oxide": "m",
    "time": "s",
    "fraction": "1",
    "energy": "J",
    "i_read": "A",
    "sigma": "",  # the unit of what is measured
    "device": "",
    "cycle": "",
}
"""What a column or a constant can be, and its unit inside the program."""

_MEASURED = {
    Kind.LOOP: "hall",
    Kind.TRAIN: "hall",
    Kind.FIELD_LOOP: "hall",
    Kind.FRACTION: "fraction",
    Kind.SHIFT: "shift",
    Kind.ENERGY: "energy",
}


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnName(_Model):
    """Header of a column in the file, and the unit of its numbers."""

    column: str
    unit: str = "1"


class Table(_Model):
    """One file: what it holds, which column is what, and what is the same for all of it."""

    file: str
    kind: Kind
    columns: dict[str, ColumnName]
    constants: dict[str, str | float] = {}
    prepared: Start = Start.PLUS
    rounding: str | float | None = Field(
        default=None, description="last printed digit of published numbers; their error is rounding/sqrt(12)"
    )
    sign: Literal[1, -1] = Field(default=1, description="-1 when the Hall contacts were read the other way")
    drift: bool | None = Field(
        default=None, description="separate a linear drift; default: 20 readings or more"
    )
    even: bool | None = Field(
        default=None,
        description="separate a thermoelectric part that goes as I^2; default: loops of both signs",
    )
    sheet: str | None = Field(default=None, description="sheet of an Excel file; default: the first")

    @model_validator(mode="after")
    def _known(self) -> Table:
        names = [*self.columns, *self.constants]
        for name in names:
            if name not in _UNITS:
                raise ValueError(f"{name!r} is no known quantity, allowed: {', '.join(_UNITS)}")
        if len(set(names)) != len(names):
            raise ValueError("a quantity is both a column and a constant; keep one")
        wanted = _MEASURED[self.kind]
        ways = {"hall": ({"hall"}, {"voltage"}, {"voltage_plus", "voltage_minus"})}.get(wanted, ({wanted},))
        if not any(way <= set(self.columns) for way in ways):
            raise ValueError(f"kind {self.kind.value} needs a column for {wanted}")
        if self.columns.keys() & {"voltage", "voltage_plus"} and "i_read" not in names:
            raise ValueError("a voltage needs i_read, the read current, as a column or a constant")
        if self.kind is Kind.FIELD_LOOP:
            if "h_z" not in names:
                raise ValueError("kind field_loop needs h_z")
        elif not {"current", "density"} & set(names):
            raise ValueError(f"kind {self.kind.value} needs current or density")
        return self


class FitChoices(_Model):
    """How the fit is made; every key may be left out."""

    per_device: list[str] = Field(default=["hall.r_reset"], description="parameters with a value per device")
    fixed: list[str] = Field(default=[], description="parameters that stay at the card's value")
    bounds: dict[str, tuple[float, float]] = Field(default={}, description="limits in SI, by parameter")
    loss: Literal["linear", "soft_l1", "huber", "cauchy"] = "soft_l1"
    starts: Annotated[int, Field(ge=1, le=200)] = 6


class DataFile(_Model):
    """A data set: its tables, the card that supplies geometry and defaults, and how to fit it."""

    name: Name
    description: str = ""
    synthetic: bool = False
    card: str = SHIPPED
    data: list[Table] = Field(min_length=1)
    fit: FitChoices = FitChoices()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Readings of one device in the order of measurement, SI units."""

    name: str
    kind: Kind
    device: str
    start: Start
    t_oxide: float  # [m]
    current: Floats  # (n,) signed pulse current [A]; for field loops zero
    t_pulse: Floats  # (n,) [s]
    h: Floats  # (n,) H_x of a pulse, H_z of a field loop [A/m]
    value: Floats  # (n,) ohm, 1, A/m or J by kind; NaN where the reading is missing
    sigma: Floats | None  # (n,) standard deviation of a reading, None: estimated from the data
    drift: bool
    even: bool

    @property
    def measured(self) -> Floats:
        """The readings that are there."""
        return self.value[np.isfinite(self.value)]


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Something left out of the fit, and why."""

    what: str
    reason: str

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """Records of one or more devices."""

    name: str
    description: str
    synthetic: bool
    card: DeviceCard
    records: tuple[Record, ...]
    excluded: tuple[Exclusion, ...]
    artefacts: tuple[str, ...]  # what the readers separated, in words
    choices: FitChoices = field(default_factory=FitChoices)
    sha256: str = ""

    @property
    def devices(self) -> tuple[str, ...]:
        """Names of the devices, in the order of their first record."""
        return tuple(dict.fromkeys(record.device for record in self.records))


def load_data(path: str | Path) -> DataSet:
    """Read a data set: the YAML file and the tables that it names.

    Records that are empty, clipped or impossible are left out and listed; when most of a table are, the first
    reason is raised.

    Raises
    ------
    compact_model.document.DocumentError
        For mistakes in the YAML file, each with its line.
    DataError
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
        rows = _read_rows(file, table.sheet)
        digest.update(file.read_bytes())
        read, found = _records(rows, table, card, described.name)
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
    failures: list[tuple[Record, DataError]] = []
    for record in records:
        try:
            check_record(record, card)
            kept.append(record)
        except DataError as error:
            failures.append((record, error))
    if len(failures) > len(kept):
        raise failures[0][1]
    return kept, [Exclusion(record.name, str(error)) for record, error in failures]


def _read_rows(path: Path, sheet: str | None) -> list[list[str]]:
    """Cells of a CSV, TSV or Excel file as text; comment and empty lines are passed over."""
    raw = read_content(path, MAX_TABLE_BYTES)
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        rows = _excel_rows(path, sheet)
    else:
        text = _decoded(raw)
        lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        if not lines:
            raise DataError(f"{path}: holds no lines")
        separator = max(",;\t", key=lines[0].count)
        try:
            rows = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=separator))
        except csv.Error as error:
            raise DataError(f"{path}: cannot be read as a table: {error}") from None
        if separator == ";":  # where a semicolon separates, a comma is the decimal point
            rows = [rows[0], *([cell.replace(",", ".") for cell in row] for row in rows[1:])]
    if len(rows) < 2:
        raise DataError(f"{path}: holds a header and no numbers")
    return rows


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")  # instruments write the micro sign so


def _excel_rows(path: Path, sheet: str | None) -> list[list[str]]:
    try:
        openpyxl = importlib.import_module("openpyxl")
    except ModuleNotFoundError:
        raise DataError(
            f"{path}: reading Excel needs openpyxl (the extra `excel`); or save the sheet as CSV"
        ) from None
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as Excel: {error}") from None
    if sheet is not None and sheet not in book.sheetnames:
        raise DataError(f"{path}: no sheet {sheet!r}, allowed: {', '.join(book.sheetnames)}")
    page = book[sheet] if sheet is not None else book.worksheets[0]
    rows = [["" if cell is None else str(cell) for cell in row] for row in page.iter_rows(values_only=True)]
    book.close()
    return [row for row in rows if any(row) and not row[0].startswith("#")]


def unit_factor(unit: str, wanted: str) -> float:
    """Factor from a laboratory's unit to the program's; a flux density counts as a field in vacuum.

    Examples
    --------
    >>> unit_factor("mA", "A")
    0.001
    >>> round(unit_factor("mT", "A/m"), 3)
    795.775
    """
    if wanted == "1":
        return 0.01 if unit == "%" else parse_quantity(1.0, "1") if unit == "1" else _no_unit(unit)
    try:
        return parse_quantity(f"1 {unit}", wanted)
    except ValueError:
        if wanted == "A/m":
            return parse_quantity(f"1 {unit}", "T") / float(mu_0)
        raise


def _no_unit(unit: str) -> float:
    raise ValueError(f"expected a plain number or %, got the unit {unit!r}")


def _records(
    rows: list[list[str]], table: Table, card: DeviceCard, name: str
) -> tuple[list[Record], list[str]]:
    header = [cell.strip() for cell in rows[0]]
    columns: dict[str, Floats] = {}
    labels: dict[str, list[str]] = {}
    measured_unit = _UNITS[_MEASURED[table.kind]]
    for quantity, where in table.columns.items():
        if where.column not in header:
            raise DataError(f"{table.file}: no column {where.column!r}; the header has: {', '.join(header)}")
        place = header.index(where.column)
        cells = [row[place].strip() if place < len(row) else "" for row in rows[1:]]
        if quantity in ("device", "cycle"):
            labels[quantity] = cells
            continue
        try:
            factor = unit_factor(where.unit, _UNITS[quantity] or measured_unit)
        except ValueError as error:
            raise WrongUnitError(f"{table.file}: column {where.column!r} ({quantity}): {error}") from None
        columns[quantity] = factor * _numbers(cells, f"{table.file}: column {where.column!r}")
    count = len(rows) - 1
    for quantity, constant in table.constants.items():
        if quantity in ("device", "cycle"):
            labels[quantity] = [str(constant)] * count
        else:
            columns[quantity] = np.full(
                count, _constant(constant, _UNITS[quantity] or measured_unit, table.file)
            )
    devices = labels.get("device", [name] * count)
    cycles = labels.get("cycle", [""] * count)
    artefacts: list[str] = []
    found: list[Record] = []
    groups = dict.fromkeys(zip(devices, cycles, strict=True))
    # Sweeps at several fields (or thicknesses) in one file are one record each.
    split = columns.get("h_x") if table.kind is Kind.LOOP else None
    thicknesses = columns.get("t_oxide", np.full(count, card.geometry.t_oxide.value))
    for device, cycle in groups:
        mine = np.array([(d, c) == (device, cycle) for d, c in zip(devices, cycles, strict=True)], dtype=bool)
        for thickness in dict.fromkeys(thicknesses[mine].tolist()):
            chosen = mine & (thicknesses == thickness)
            for piece in _pieces(chosen, split):
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


def _pieces(chosen: Any, split: Floats | None) -> Iterator[Any]:
    """Indices of the rows, cut where the field of a loop changes."""
    places = np.flatnonzero(chosen)
    if split is None:
        yield places
        return
    yield from np.split(places, np.flatnonzero(np.diff(split[places]) != 0.0) + 1)


def _record(
    columns: dict[str, Floats], table: Table, card: DeviceCard, name: str, device: str, t_oxide: float
) -> tuple[Record, list[str]]:
    count = len(next(iter(columns.values())))
    value, said = _measured(columns, table, name)
    current = columns.get("current", np.zeros(count))
    if "density" in columns:
        current = stack.current(card, columns["density"], t_oxide)
    t_pulse = columns.get("t_pulse", np.full(count, card.synapse.t_pulse.value))
    h = columns.get("h_z" if table.kind is Kind.FIELD_LOOP else "h_x", np.zeros(count))
    sigma = columns.get("sigma")
    if sigma is None and table.rounding is not None:
        step = _constant(table.rounding, _UNITS[_MEASURED[table.kind]], table.file)
        sigma = np.full(count, step / math.sqrt(12.0))
    known = np.isfinite(current) & np.isfinite(t_pulse) & np.isfinite(h)
    if not known.all():
        said.append(f"{name}: {int((~known).sum())} lines without current, field or pulse length left out")
    bipolar = bool(np.any(current[known] > 0.0) and np.any(current[known] < 0.0))
    pulses = table.kind in (Kind.LOOP, Kind.TRAIN)
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
            even=(table.kind is Kind.LOOP and bipolar) if table.even is None else table.even,
        ),
        said,
    )


def _measured(columns: dict[str, Floats], table: Table, name: str) -> tuple[Floats, list[str]]:
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
    value = columns[_MEASURED[table.kind]]
    return (table.sign * value if _MEASURED[table.kind] == "hall" else value), []


def _constant(value: str | float, unit: str, file: str) -> float:
    if isinstance(value, str) and unit == "A/m":
        number, _, written = value.strip().partition(" ")
        try:
            return float(number) * (unit_factor(written, unit) if written else 1.0)
        except ValueError as error:
            raise WrongUnitError(f"{file}: {error}") from None
    try:
        return parse_quantity(value, unit)
    except ValueError as error:
        raise WrongUnitError(f"{file}: {error}") from None


def _numbers(cells: Sequence[str], where: str) -> Floats:
    """Numbers of a column; what is empty or marked as missing is NaN."""
    values = np.full(len(cells), math.nan)
    for place, cell in enumerate(cells):
        if cell.lower() in ("", "nan", "na", "n/a", "-", "--", "#n/a", "overload", "inf", "ovld"):
            continue
        try:
            values[place] = float(cell)
        except ValueError:
            raise DataError(f"{where}: line {place + 2} of the table holds {cell!r}, not a number") from None
    if not np.isfinite(values).any():
        raise DataError(f"{where}: holds no numbers")
    return values


def noise_of(values: Floats) -> float:
    """Standard deviation of white noise on a slowly varying series, from its second differences.

    Robust: the median absolute second difference over 0.6745 sqrt(6).
    """
    if len(values) < 5:
        return math.nan
    return float(np.median(np.abs(np.diff(values, 2))) / (0.6745 * math.sqrt(6.0)))


def check_record(record: Record, card: DeviceCard) -> None:
    """Refuse a record whose numbers can't be what its description says.

    Raises
    ------
    WrongUnitError, SwappedColumnsError, ClippedError, EmptyLoopError
        By the first check that fails.
    """
    seen = record.measured
    if len(seen) == 0:
        raise EmptyLoopError(f"{record.name}: holds no readings")
    if record.kind in (Kind.LOOP, Kind.TRAIN):
        _check_swapped(record)
    _check_units(record, card)
    if record.kind in (Kind.LOOP, Kind.FIELD_LOOP) and len(seen) >= 20:
        _check_clipped(record)
        _check_open(record)


def _check_units(record: Record, card: DeviceCard) -> None:
    sheet = float(stack.sheet_resistance(card))
    if record.kind is not Kind.FIELD_LOOP:
        density = np.abs(stack.current_density(card, record.current, record.t_oxide)).max()
        if not SMALLEST_DENSITY <= density <= LARGEST_DENSITY:
            raise WrongUnitError(
                f"{record.name}: the largest current is {np.abs(record.current).max():.3g} A or {density:.3g} A/m^2, "
                f"allowed: {SMALLEST_DENSITY:g}..{LARGEST_DENSITY:g} A/m^2; is the unit of the current right?"
            )
        if record.t_pulse.min() < 1e-12 or record.t_pulse.max() > 100.0:
            raise WrongUnitError(
                f"{record.name}: pulse lengths {record.t_pulse.min():.3g}..{record.t_pulse.max():.3g} s, allowed: "
                "1e-12..100 s; is their unit right?"
            )
    largest = float(np.abs(record.h).max())
    if largest > LARGEST_FIELD or 0.0 < largest < 1.0:
        raise WrongUnitError(
            f"{record.name}: the largest field is {largest:.3g} A/m, allowed: 0 or 1..{LARGEST_FIELD:.3g} A/m; "
            "is its unit right?"
        )
    if record.kind in (Kind.LOOP, Kind.TRAIN, Kind.FIELD_LOOP):
        highest, window = float(np.abs(record.measured).max()), float(np.ptp(record.measured))
        if np.median(np.abs(record.measured)) > sheet:
            raise WrongUnitError(
                f"{record.name}: Hall resistances of {highest:.3g} ohm exceed the sheet resistance of {sheet:.3g} "
                "ohm; is their unit right (mohm instead of ohm)?"
            )
        if 0.0 < window < SMALLEST_HALL_ANGLE * sheet:
            raise WrongUnitError(
                f"{record.name}: the Hall resistance changes by {window:.3g} ohm, less than "
                f"{SMALLEST_HALL_ANGLE:g} of the sheet resistance of {sheet:.3g} ohm; is its unit right?"
            )
    if record.kind is Kind.FRACTION and (record.measured.min() < -0.2 or record.measured.max() > 1.2):
        raise WrongUnitError(
            f"{record.name}: switched fractions {record.measured.min():.3g}..{record.measured.max():.3g}, "
            "allowed: 0..1; write the unit % if it is percent"
        )


def _straightness(values: Floats) -> float:
    """Share of points where a series goes on with the step it came with: near 1 for a programmed sweep."""
    steps = np.diff(values)
    size = float(np.median(np.abs(steps[steps != 0.0]))) if np.any(steps != 0.0) else 1.0
    return float(np.mean(np.abs(np.diff(steps)) < 0.02 * size))


def _check_swapped(record: Record) -> None:
    there = np.isfinite(record.value)
    current, value = record.current[there], record.value[there]
    if len(value) < 20 or record.kind is not Kind.LOOP:
        return
    programmed, read = _straightness(current), _straightness(value)
    if read > 0.8 and programmed < 0.5:
        raise SwappedColumnsError(
            f"{record.name}: the Hall resistance is swept in equal steps ({read:.0%} of its points) and the current "
            f"is not ({programmed:.0%}); are the two columns swapped?"
        )


def _check_clipped(record: Record) -> None:
    seen = record.measured
    scale = max(noise_of(seen), 1e-12 * float(np.abs(seen).max()))
    for name, extreme in (("largest", seen.max()), ("smallest", seen.min())):
        share = float(np.mean(seen == extreme))
        if share > CLIPPED_SHARE and len(np.unique(seen)) > 3 and scale > 0.0 and np.ptp(seen) > 0.0:
            raise ClippedError(
                f"{record.name}: {share:.0%} of the readings are exactly the {name}, {extreme:.4g} ohm: "
                "the meter was saturated"
            )
    if np.ptp(seen) == 0.0:
        raise EmptyLoopError(f"{record.name}: all readings are {seen[0]:.4g} ohm")


def _check_open(record: Record) -> None:
    """A loop must move by more than its noise, beyond what drift, the ordinary Hall effect and heating give."""
    there = np.isfinite(record.value)
    drive = (record.h if record.kind is Kind.FIELD_LOOP else record.current)[there]
    value = record.value[there]
    noise = noise_of(value)
    x = drive / np.abs(drive).max()
    design = np.column_stack([np.ones_like(x), np.linspace(-0.5, 0.5, len(x)), x, x**2])
    residual = value - design @ np.linalg.lstsq(design, value, rcond=None)[0]
    moves = float(residual.std())
    if moves < SMALLEST_MOTION * noise:
        raise EmptyLoopError(
            f"{record.name}: beyond drift and heating the readings move by {1e3 * moves:.3g} mohm (rms), their noise "
            f"is {1e3 * noise:.3g} mohm: nothing switches"
        )


def reduced_field_loop(record: Record) -> tuple[float, float, float]:
    """Reset resistance, window and their common standard error from the saturated ends of an R_xy(H_z) loop.

    R = r_mid - (delta_r/2) sign(H_z) + slope H_z over the outer 40 % of the fields; the slope is the ordinary Hall
    effect.

    Returns
    -------
    r_reset, delta_r, sigma
        In ohm; sigma is that of either saturated end.
    """
    there = np.isfinite(record.value) & (np.abs(record.h) > 0.6 * np.abs(record.h).max())
    h, value = record.h[there], record.value[there]
    if not (np.any(h > 0.0) and np.any(h < 0.0)) or len(h) < 6:
        raise EmptyLoopError(f"{record.name}: both signs of H_z must be measured up to saturation")
    design = np.column_stack([np.ones_like(h), -0.5 * np.sign(h), h / np.abs(h).max()])
    solution, *_ = np.linalg.lstsq(design, value, rcond=None)
    residual = value - design @ solution
    variance = float(residual @ residual) / max(1, len(h) - 3)
    if solution[1] <= 0.0:
        raise DataError(
            f"{record.name}: the Hall resistance rises with H_z; write `sign: -1` if the contacts were read the "
            "other way"
        )
    covariance = variance * np.linalg.inv(design.T @ design)
    ends = np.array([1.0, -0.5, 0.0])
    return (
        float(solution[0] - 0.5 * solution[1]),
        float(solution[1]),
        float(np.sqrt(ends @ covariance @ ends)),
    )


def without(data: DataSet, names: Sequence[str], reason: str) -> DataSet:
    """The data set without some records, which are listed as excluded."""
    return replace(
        data,
        records=tuple(record for record in data.records if record.name not in names),
        excluded=(*data.excluded, *(Exclusion(name, reason) for name in names)),
    )
