"""Matrices of numbers in CSV files."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from compact_model.cards.document import MAX_TABLE_BYTES, DocumentError, Mistake, Place, read_text
from compact_model.cards.quantity import Quantity
from compact_model.numeric import Floats

MAX_MISTAKES = 20

_BEGINS_AS_NUMBER = re.compile(r"\s*[+-]?\.?\d")


def read_matrix(path: str | Path, allowed: Quantity) -> Floats:
    """Read a CSV file of numbers as a matrix.

    A number may carry a unit (``1 mA``). Empty lines and lines that begin with ``#`` are passed over, and so is a
    first line in which nothing begins as a number (a header).

    Parameters
    ----------
    path
        The file.
    allowed
        What one number is: unit, meaning, range.

    Raises
    ------
    DocumentError
        With every mistake (up to 20), each with its line and the column of the table.
    """
    name = str(path)
    try:
        lines = list(csv.reader(io.StringIO(read_text(path, MAX_TABLE_BYTES), newline="")))
    except csv.Error as error:
        raise DocumentError([Mistake(name, None, "", f"cannot be read as CSV: {error}")]) from None
    rows: list[list[float]] = []
    mistakes: list[Mistake] = []
    for number, fields in enumerate(lines, start=1):
        if not any(field.strip() for field in fields) or fields[0].lstrip().startswith("#"):
            continue
        if not rows and not any(_BEGINS_AS_NUMBER.match(field) or _is_number(field) for field in fields):
            continue  # a header
        if rows and len(fields) != len(rows[0]):
            text = f"{len(fields)} numbers, but the lines above have {len(rows[0])}"
            mistakes.append(Mistake(name, Place(number, 1), "", text))
        rows.append([])
        for column, field in enumerate(fields, start=1):
            try:
                rows[-1].append(allowed.read(float(field) if _is_number(field) else field))
            except ValueError as error:
                rows[-1].append(math.nan)
                text = f"{allowed.meaning}: {error}, allowed: {allowed.allowed}"
                mistakes.append(Mistake(name, Place(number, column), "", text))
    if not rows and not mistakes:
        mistakes.append(Mistake(name, None, "", "holds no numbers"))
    if mistakes:
        raise DocumentError(mistakes[:MAX_MISTAKES])
    return np.array(rows)


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def csv_text(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """CSV text with a header line; floats in full precision."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([[_field(value) for value in row] for row in rows])
    return stream.getvalue()


def _field(value: object) -> str:
    return f"{value:.15g}" if isinstance(value, (float, np.floating)) else str(value)
