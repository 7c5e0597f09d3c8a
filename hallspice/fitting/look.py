"""`hallspice look`: what would be read of a file, and a first description of it for `hallspice fit`."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compact_model.cards.inputs import remembered
from compact_model.cards.quantity import parse_number
from compact_model.measured.instrument import MISSING, Sheet, read_sheet
from compact_model.measured.names import quantity_in, unit_in, unit_of
from compact_model.measured.reader import OVERFLOW, load_data
from compact_model.measured.tables import Layout, RecordKind
from compact_model.numeric import Floats
from hallspice import results
from hallspice.files import staged_folder
from hallspice.fitting import look_page
from hallspice.fitting.look_results import LookResults, SeenColumn, SeenRecord

STARTER = "data.yaml"

FILES = (STARTER, "report.html", "figures/*.svg")
"""Names of the files in the folder, beside the index."""

_PLAIN_PULSE = "200 us"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Guess:
    """What a file seems to hold."""

    kind: RecordKind
    why: str
    columns: dict[str, SeenColumn]  # by quantity
    constants: dict[str, str]
    open: list[str]  # what must be filled in, a sentence each


@remembered()
def look(path: Path, out: Path, layout: Layout) -> LookResults:
    """Say what would be read of a file, and write a first description of it into a folder.

    Parameters
    ----------
    path
        Table of an instrument.
    out
        Folder for ``data.yaml``, the report and ``results.json``.
    layout
        What is known of how the file is written.

    Raises
    ------
    MeasurementError
        When there is no table in the file.
    DocumentError
        When it can't be read.
    """
    sheet = read_sheet(path, layout, ())
    values = [_values(sheet, place) for place in range(len(sheet.table.header))]
    seen = [_column(sheet, place, values[place]) for place in range(len(values))]
    guess = _guessed(seen)
    driver = next((one for one in ("current", "h_z", "h_x") if one in guess.columns), None)
    driven = None if driver is None else values[seen.index(guess.columns[driver])]
    records, trouble = _tried(path, guess, layout, sheet.said)
    text = _starter(path, os.path.relpath(path, out), guess, layout)
    found = LookResults(
        versions=results.versions_of(),
        warnings=[*guess.open, *trouble],
        file=path.name,
        reading=list(sheet.said),
        lines=len(sheet.table.body),
        columns=seen,
        kind=guess.kind,
        why=guess.why,
        turns=[] if driven is None else _turns(driven),
        records=records,
        starter=text,
    )
    measured = next((one for one in ("hall", "voltage") if one in guess.columns), None)
    read = None if measured is None else values[seen.index(guess.columns[measured])]
    drawn = look_page.picture(
        [None if one is None else guess.columns[one].name for one in (driver, measured)], driven, read
    )
    with staged_folder(out, names=FILES) as folder:
        return results.write(folder, found, page=look_page.page_of(found, drawn), tables={STARTER: text})


def _values(sheet: Sheet, place: int) -> Floats:
    """Numbers of a column; what is none is NaN."""
    values = np.full(len(sheet.table.body), np.nan)
    for index, row in enumerate(sheet.table.body):
        cell = row.cells[place] if place < len(row.cells) else ""
        if cell.lower() not in MISSING:
            try:
                values[index] = parse_number(cell.replace(",", ".") if sheet.decimal == "," else cell)
            except ValueError:
                continue
    values[np.abs(values) >= OVERFLOW] = np.nan
    return values


def _column(sheet: Sheet, place: int, values: Floats) -> SeenColumn:
    name = sheet.table.header[place]
    below = [row.cells[place] for row in sheet.units if place < len(row.cells)]
    unit = unit_in(name) or next(filter(None, map(unit_of, below)), None)
    there = values[np.isfinite(values)]
    distinct = len(np.unique(there))
    return SeenColumn(
        name=name,
        unit=unit,
        quantity=quantity_in(name, unit),
        numbers=len(there),
        distinct=distinct,
        smallest=float(there.min()) if distinct else None,
        largest=float(there.max()) if distinct else None,
    )


def _guessed(seen: Sequence[SeenColumn]) -> _Guess:
    chosen: dict[str, SeenColumn] = {}
    for one in sorted(seen, key=_likely):
        if one.quantity and one.numbers + (one.quantity in ("device", "cycle")) and seen.count(one) == 1:
            chosen.setdefault(one.quantity, one)
    current, field = chosen.get("current"), chosen.get("h_x") or chosen.get("h_z")
    if current is not None and current.distinct > 1:
        if "h_z" in chosen:
            chosen.setdefault("h_x", chosen.pop("h_z"))
        both = (
            current.smallest is not None
            and current.largest is not None
            and current.smallest < 0.0 < current.largest
        )
        kind = RecordKind.LOOP if both else RecordKind.TRAIN
        why = f"the current {'has both signs' if both else 'has one sign'}"
    elif field is not None and field.distinct > 1:
        chosen.pop("h_x", None)
        chosen["h_z"] = field
        kind, why = RecordKind.FIELD_LOOP, "a field is swept, and no current"
    else:
        kind, why = RecordKind.LOOP, "nothing else could be told"
    return _completed(kind, why, chosen)


def _likely(one: SeenColumn) -> tuple[bool, float]:
    """Sorts columns: those named after the Hall effect first, then by how much their numbers change."""
    if one.smallest is None or one.largest is None:
        return True, 0.0
    size = max(abs(one.smallest), abs(one.largest)) or 1.0
    return not re.search("xy|yx|hall", one.name.lower()), (one.smallest - one.largest) / size


def _completed(kind: RecordKind, why: str, chosen: dict[str, SeenColumn]) -> _Guess:
    """The guess with what it lacks as constants and questions, and without what its kind has no use for."""
    constants, questions = {}, []
    if "hall" in chosen:
        chosen.pop("voltage", None)
    if "voltage" not in chosen:
        chosen.pop("i_read", None)
        if "hall" not in chosen:
            questions.append(
                "Which column is the Hall resistance or voltage? None says so by its name and unit."
            )
    elif "i_read" not in chosen:
        constants["i_read"] = "1 mA"
        questions.append("With which current was the Hall voltage read? 1 mA is written as i_read.")
    drive = "h_z" if kind is RecordKind.FIELD_LOOP else "current"
    if drive not in chosen:
        questions.append(
            f"Which column is the {'field' if drive == 'h_z' else 'pulse current'}? None says so."
        )
    for unused in ("time", "energy", "fraction", "t_oxide", *(("h_x", "current") if drive == "h_z" else ())):
        chosen.pop(unused, None)
    if drive == "current":
        if "t_pulse" not in chosen:
            constants["t_pulse"] = _PLAIN_PULSE
            questions.append(f"How long are the pulses? {_PLAIN_PULSE} is written as t_pulse.")
        if "h_x" not in chosen:
            constants["h_x"] = "0 Oe"
            questions.append("Under which in-plane field? 0 Oe is written as h_x.")
    else:
        chosen.pop("t_pulse", None)
    return _Guess(kind=kind, why=why, columns=chosen, constants=constants, open=questions)


def _turns(values: Floats) -> list[float]:
    """Values at which a sweep begins, turns and ends."""
    there = values[np.isfinite(values)]
    kept = there[np.concatenate([[True], np.diff(there) != 0.0])] if len(there) else there
    if len(kept) < 3:
        return [float(one) for one in kept]
    turning = np.flatnonzero(np.diff(np.sign(np.diff(kept))) != 0.0) + 1
    return [float(one) for one in kept[[0, *turning, len(kept) - 1]]]


def _starter(path: Path, named: str, guess: _Guess, layout: Layout) -> str:
    """A description of the file in YAML, with what to check beside it."""
    columns = "".join(
        f"      {quantity}: {{column: {_quoted(one.name)}{f', unit: {_quoted(one.unit)}' if one.unit else ''}}}\n"
        for quantity, one in guess.columns.items()
    )
    wanted = [] if {"hall", "voltage"} & guess.columns.keys() else ["hall: {column: WHICH?, unit: ohm}"]
    drive = "h_z" if guess.kind is RecordKind.FIELD_LOOP else "current"
    unit = "Oe" if drive == "h_z" else "mA"
    wanted += [] if drive in guess.columns else [f"{drive}: {{column: WHICH?, unit: {unit}}}"]
    columns += "".join(f"      {one}\n" for one in wanted)
    constants = ", ".join(f"{name}: {value}" for name, value in guess.constants.items())
    known = layout.model_dump(mode="json", exclude_none=True)
    return (
        f"# A first description of {path.name} by hallspice look. Check each line, then:\n"
        f"#   hallspice fit {STARTER} --out card.yaml\n"
        f"name: {_quoted(re.sub(r'[^A-Za-z0-9_]+', '_', path.stem).strip('_') or 'mine')}\n"
        "data:\n"
        f"  - file: {_quoted(named)}\n"
        f"    kind: {guess.kind.value}  # {guess.why}; others: {', '.join(one.value for one in RecordKind)}\n"
        f"    columns:\n{columns}"
        + (f"    constants: {{{constants}}}  # yours?\n" if constants else "")
        + "".join(f"    {key}: {_quoted(value)}\n" for key, value in known.items())
        + (
            ""
            if drive == "h_z"
            else "    prepared: unknown  # +z or -z if it was saturated before the first line\n"
        )
    )


def _quoted(value: object) -> str:
    """A scalar of YAML: as it is where it is plain, else in quotation marks."""
    text = str(value)
    plain = isinstance(value, int) or re.fullmatch(r"[A-Za-z][A-Za-z0-9_./ ()-]*", text)
    return (
        text
        if plain and text.lower() not in ("true", "false", "null")
        else json.dumps(text, ensure_ascii=False)
    )


def _tried(
    path: Path, guess: _Guess, layout: Layout, known: Sequence[str]
) -> tuple[list[SeenRecord], list[str]]:
    """What `hallspice fit` would read with the first description."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / STARTER
        file.write_text(_starter(path, str(path.resolve()), guess, layout), encoding="utf-8")
        if "WHICH?" in file.read_text(encoding="utf-8"):
            return [], []
        try:
            data = load_data(file)
        except ValueError as error:
            return [], [f"The first description doesn't fit the file yet: {error}"]
    name = str(path.resolve())
    return [
        SeenRecord(
            name=one.name.replace(name, path.name),
            readings=len(one.measured),
            smallest=float(one.measured.min()),
            largest=float(one.measured.max()),
        )
        for one in data.records
    ], [
        one.replace(name, path.name)
        for one in (*data.reading, *data.artefacts[:5], *map(str, data.excluded))
        if one not in known
    ]
