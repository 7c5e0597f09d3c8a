"""Tables in text files: separators, comments, units in fields; every mistake with its line and column."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from compact_model.cards.document import (
    MAX_TABLE_BYTES,
    DocumentError,
    Mistake,
    Place,
    read_content,
    read_text,
)
from compact_model.cards.quantity import Quantity
from compact_model.numeric import Floats

Made = TypeVar("Made")

MAX_MISTAKES = 20

_BEGINS_AS_NUMBER = re.compile(r"[+-]?\.?\d")


class CellError(ValueError):
    """A cell that can't be used: its column, and why."""

    def __init__(self, column: str, what: str) -> None:
        self.column = column
        self.what = what
        super().__init__(f"{column}: {what}")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table, and where it begins in the file."""

    line: int
    cells: tuple[str, ...]  # without spaces around


@dataclass(frozen=True, slots=True)
class CsvTable:
    """Lines of a file that hold something; those with comments alone are passed over."""

    name: str
    rows: tuple[Row, ...]

    @property
    def header(self) -> tuple[str, ...]:
        """Cells of the first line."""
        return self.rows[0].cells if self.rows else ()

    @property
    def body(self) -> tuple[Row, ...]:
        """Lines below the header."""
        return self.rows[1:]

    def mistake(self, row: Row, column: int, what: str, key: str = "") -> Mistake:
        """A mistake in a column of a line, counted from zero."""
        return Mistake(self.name, Place(row.line, column + 1), key, what)

    def records(
        self,
        read: Callable[[dict[str, str]], Made],
        *,
        needed: Sequence[str],
        allowed: Sequence[str] | None,
    ) -> list[Made]:
        """What `read` makes of each line below the header.

        Parameters
        ----------
        read
            Takes the cells of a line by the name of their column; raises CellError, or another ValueError for the line
            as a whole.
        needed
            Columns that must be there, in any order.
        allowed
            Columns that may be there, those that are needed among them; None allows any.

        Raises
        ------
        DocumentError
            With every mistake (up to 20), each with its line and the column of the table.
        """
        header = self.header
        mistakes = self._wrong_columns(needed, allowed)
        if mistakes:
            raise DocumentError(mistakes[:MAX_MISTAKES])
        made: list[Made] = []
        for row in self.body:
            if len(row.cells) != len(header):
                what = f"has {len(row.cells)} fields, allowed: {len(header)}"
                mistakes.append(self.mistake(row, 0, what))
                continue
            try:
                made.append(read(dict(zip(header, row.cells, strict=True))))
            except CellError as wrong:
                mistakes.append(self.mistake(row, header.index(wrong.column), wrong.what, wrong.column))
            except ValueError as error:
                mistakes.append(self.mistake(row, 0, str(error)))
        if mistakes:
            raise DocumentError(mistakes[:MAX_MISTAKES])
        return made

    def _wrong_columns(self, needed: Sequence[str], allowed: Sequence[str] | None) -> list[Mistake]:
        top = self.rows[0] if self.rows else Row(1, ())
        told = (
            f"allowed: {', '.join(allowed)} ({', '.join(needed)} needed)"
            if allowed
            else "others may be there"
        )
        mistakes = []
        for place, name in enumerate(top.cells):
            if name in top.cells[:place]:
                mistakes.append(self.mistake(top, place, f"repeated column {name!r}; keep one"))
            elif allowed is not None and name not in allowed:
                mistakes.append(self.mistake(top, place, f"unknown column {name!r}, {told}"))
        missing = [name for name in needed if name not in top.cells]
        if missing:
            mistakes.append(self.mistake(top, 0, f"no column {', '.join(missing)}; {told}"))
        return mistakes


def read_csv(path: str | Path, *, separators: str = ",", fallback: str | None = None) -> CsvTable:
    """Read a table from a file of up to 200 MB.

    Parameters
    ----------
    path
        The file, UTF-8.
    separators
        Characters that may separate fields; the one that the first line has most of does.
    fallback
        Encoding of a file that is no UTF-8; None refuses it.

    Raises
    ------
    DocumentError
        When the file can't be read, or is no table.
    """
    if fallback is None:
        return parse_csv(read_text(path, MAX_TABLE_BYTES), str(path), separators=separators)
    raw = read_content(path, MAX_TABLE_BYTES)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode(fallback)
    return parse_csv(text, str(path), separators=separators)


def parse_csv(text: str, name: str, *, separators: str = ",") -> CsvTable:
    r"""A table from text.

    Empty lines, lines of empty fields and lines that begin with ``#`` are passed over. Where a semicolon separates,
    the comma is the decimal point below the header.

    Examples
    --------
    >>> table = parse_csv("# ours\nI (mA);R\n1,5; 0,33\n", "loop.csv", separators=",;")
    >>> table.header, table.body
    (('I (mA)', 'R'), (Row(line=3, cells=('1.5', '0.33')),))
    """
    lines = io.StringIO(text, newline="").readlines()
    first = next((line for line in lines if _holds_something(line)), "")
    separator = max(separators, key=first.count)
    rows: list[Row] = []
    for line, fields in _fields(lines, name, separator):
        if rows and separator == ";":
            fields = [field.replace(",", ".") for field in fields]
        rows.append(Row(line, tuple(fields)))
    return CsvTable(name, tuple(rows))


def _holds_something(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _fields(lines: Sequence[str], name: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and fields of each record; a field in quotation marks may go over several lines."""
    begin: int | None = None  # of the record that is being read

    def fed() -> Iterator[str]:
        nonlocal begin
        for number, line in enumerate(lines, start=1):
            if begin is None and _holds_something(line):
                begin = number
            if begin is not None:
                yield line

    try:
        for fields in csv.reader(fed(), delimiter=separator, skipinitialspace=True):
            cells = [field.strip() for field in fields]
            if begin is not None and any(cells) and not cells[0].startswith("#"):
                yield begin, cells
            begin = None
    except csv.Error as error:
        place = None if begin is None else Place(begin, 1)
        raise DocumentError([Mistake(name, place, "", f"cannot be read as CSV: {error}")]) from None


def read_matrix(path: str | Path, allowed: Quantity) -> Floats:
    """Read a CSV file of numbers as a matrix (lines, columns).

    A number may carry a unit (``1 mA``). Lines at the top in which nothing begins as a number are the header.

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
    table = read_csv(path)
    rows = list(itertools.dropwhile(lambda row: not any(map(_begins_as_number, row.cells)), table.rows))
    if not rows:
        raise DocumentError([Mistake(table.name, None, "", "holds no numbers")])
    count = len(rows[0].cells)
    values: list[list[float]] = []
    mistakes: list[Mistake] = []
    for row in rows:
        if len(row.cells) != count:
            what = f"{len(row.cells)} numbers, but the lines above have {count}"
            mistakes.append(table.mistake(row, 0, what))
            continue
        values.append([])
        for column, cell in enumerate(row.cells):
            try:
                values[-1].append(allowed.read(float(cell) if _is_number(cell) else cell))
            except ValueError as error:
                what = f"{allowed.meaning}: {error}, allowed: {allowed.allowed}"
                mistakes.append(table.mistake(row, column, what))
    if mistakes:
        raise DocumentError(mistakes[:MAX_MISTAKES])
    return np.array(values)


def _begins_as_number(cell: str) -> bool:
    return bool(_BEGINS_AS_NUMBER.match(cell)) or _is_number(cell)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
