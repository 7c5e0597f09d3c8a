"""Tables in text files: separators, comments, units in fields; every mistake with its line and column."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from compact_model.cards.document import (
    MAX_TABLE_BYTES,
    DocumentError,
    Mistake,
    Place,
    read_text,
)
from compact_model.cards.quantity import Quantity, parse_number
from compact_model.numeric import Floats

Made = TypeVar("Made")

MAX_MISTAKES = 20

_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
_PLAIN_TABLE = re.compile(r"[0-9eE+.\-,\s]*", re.ASCII)
_BEGINS_AS_NUMBER = re.compile(r"[+-]?\.?\d")  # in any script: what is no number to us is one to its writer


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
        return list(_records(self.name, iter(self.rows), read, needed, allowed))


def read_records(
    path: str | Path,
    read: Callable[[dict[str, str]], Made],
    *,
    needed: Sequence[str],
    allowed: Sequence[str] | None,
) -> Iterator[Made]:
    """`CsvTable.records` of a file, one after another: a long table is never held as a whole."""
    return _records(str(path), rows_of(read_text(path, MAX_TABLE_BYTES), str(path)), read, needed, allowed)


def _records(
    name: str,
    rows: Iterator[Row],
    read: Callable[[dict[str, str]], Made],
    needed: Sequence[str],
    allowed: Sequence[str] | None,
) -> Iterator[Made]:
    top = next(rows, Row(1, ()))
    mistakes = _wrong_columns(name, top, needed, allowed)
    if mistakes:
        raise DocumentError(mistakes[:MAX_MISTAKES])
    for row in rows:
        try:
            if len(row.cells) != len(top.cells):
                raise ValueError(f"has {len(row.cells)} fields, allowed: {len(top.cells)}")
            yield read(dict(zip(top.cells, row.cells, strict=True)))
        except CellError as wrong:
            place = Place(row.line, top.cells.index(wrong.column) + 1)
            mistakes.append(Mistake(name, place, wrong.column, wrong.what))
        except ValueError as error:
            mistakes.append(Mistake(name, Place(row.line, 1), "", str(error)))
        if len(mistakes) >= MAX_MISTAKES:
            break
    if mistakes:
        raise DocumentError(mistakes)


def _wrong_columns(
    name: str, top: Row, needed: Sequence[str], allowed: Sequence[str] | None
) -> list[Mistake]:
    told = f"allowed: {', '.join(allowed)} ({', '.join(needed)} needed)" if allowed else "others may be there"
    mistakes = []
    for place, column in enumerate(top.cells, start=1):
        if column in top.cells[: place - 1]:
            what = f"repeated column {column!r}; keep one"
            mistakes.append(Mistake(name, Place(top.line, place), "", what))
        elif allowed is not None and column not in allowed:
            mistakes.append(Mistake(name, Place(top.line, place), "", f"unknown column {column!r}, {told}"))
    missing = [column for column in needed if column not in top.cells]
    if missing:
        mistakes.append(Mistake(name, Place(top.line, 1), "", f"no column {', '.join(missing)}; {told}"))
    return mistakes


def read_csv(path: str | Path) -> CsvTable:
    """Read a table, fields separated by commas, from a UTF-8 file of up to 200 MB.

    Raises
    ------
    DocumentError
        When the file can't be read, or is no table.
    """
    return parse_csv(read_text(path, MAX_TABLE_BYTES), str(path))


def parse_csv(text: str, name: str) -> CsvTable:
    r"""A table from text, fields separated by commas.

    Empty lines, lines of empty fields and lines that begin with ``#`` are passed over.

    Examples
    --------
    >>> table = parse_csv("# ours\nI (mA),R\n1.5, 0.33\n", "loop.csv")
    >>> table.header, table.body
    (('I (mA)', 'R'), (Row(line=3, cells=('1.5', '0.33')),))
    """
    return CsvTable(name, tuple(rows_of(text, name)))


def lines_of(text: str) -> Iterator[str]:
    """Lines of a text with their ends, which may be those of any system."""
    return (line.group() for line in _LINE.finditer(text))


def rows_of(text: str, name: str, separator: str = ",") -> Iterator[Row]:
    """Lines of a table that hold something, one character between fields; comments are passed over."""
    return (Row(line, tuple(fields)) for line, fields in _fields(lines_of(text), name, separator))


def _holds_something(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _fields(lines: Iterable[str], name: str, separator: str) -> Iterator[tuple[int, list[str]]]:
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
    name, text = str(path), read_text(path, MAX_TABLE_BYTES)
    if (plain := _plain_matrix(text, name, allowed)) is not None:
        return plain
    lines: list[list[float]] = []
    mistakes: list[Mistake] = []
    count = 0
    for row in _below_header(text, name):
        count = count or len(row.cells)
        if len(row.cells) != count:
            what = f"{len(row.cells)} numbers, but the lines above have {count}"
            mistakes.append(Mistake(name, Place(row.line, 1), "", what))
        else:
            lines.append(list(_numbers(row, allowed, name, mistakes)))
        if len(mistakes) >= MAX_MISTAKES:
            break
    if mistakes:
        raise DocumentError(mistakes[:MAX_MISTAKES])
    if not lines:
        raise DocumentError([Mistake(name, None, "", "holds no numbers")])
    return np.array(lines)


def _below_header(text: str, name: str) -> Iterator[Row]:
    """Lines from the first one on in which something begins as a number."""
    rows = rows_of(text, name)
    return itertools.dropwhile(lambda row: not any(map(_begins_as_number, row.cells)), rows)


def _plain_matrix(text: str, name: str, allowed: Quantity) -> Floats | None:
    """Numbers without units that are all allowed, below a header; None when there is anything else to be said."""
    first = next(_below_header(text, name), None)
    if first is None:
        return None
    begin = next(itertools.islice(_LINE.finditer(text), first.line - 1, None)).start()
    if not _PLAIN_TABLE.fullmatch(text, begin):
        return None
    try:
        matrix = np.loadtxt(io.StringIO(text[begin:], newline=None), delimiter=",", ndmin=2)
        for number in _ends(matrix):
            allowed.read(float(number))
    except ValueError:
        return None
    return matrix


def _ends(matrix: Floats) -> Floats:
    """Numbers that are outside of a range, or too near to zero, where any is."""
    sizes = np.where(matrix == 0, np.inf, np.abs(matrix))
    return matrix.ravel()[[matrix.argmin(), matrix.argmax(), sizes.argmin()]]


def _numbers(row: Row, allowed: Quantity, name: str, mistakes: list[Mistake]) -> Iterator[float]:
    """The numbers of a line one by one; what is none, or isn't allowed, is added to `mistakes`."""
    for column, cell in enumerate(row.cells):
        try:
            yield allowed.read(parse_number(cell) if _is_number(cell) else cell)
        except ValueError as error:
            what = f"{allowed.meaning}: {error}, allowed: {allowed.allowed}"
            mistakes.append(Mistake(name, Place(row.line, column + 1), "", what))


def _begins_as_number(cell: str) -> bool:
    return bool(_BEGINS_AS_NUMBER.match(cell)) or _is_number(cell)


def _is_number(cell: str) -> bool:
    try:
        parse_number(cell)
    except ValueError:
        return False
    return True
