"""Files as instruments write them: encoding, sheet, separator, header, units row, decimal mark."""

from __future__ import annotations

import codecs
import difflib
import functools
import importlib
import itertools
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from compact_model.cards.csv_table import CsvTable, Row, lines_of, rows_of
from compact_model.cards.document import MAX_TABLE_BYTES, DocumentError, Mistake, Place, read_content
from compact_model.measured.names import unit_of
from compact_model.measured.tables import Layout, MeasurementError, Separator

MISSING = (
    "",
    "nan",
    "+nan",
    "-nan",
    "na",
    "n/a",
    "-",
    "--",
    "#n/a",
    "overload",
    "ovld",
    "inf",
    "+inf",
    "-inf",
)
"""What instruments write where there is no reading, in lower case."""

SEARCHED = 1000
"""Lines in which a header is looked for."""

UNITS_ROWS = 3
"""Most lines between the names and the numbers: long names, units, comments."""

_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)
_MARKED = re.compile(r"[+-]?\d[\d.,]*", re.ASCII)
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_AROUND = re.compile(r"(?<![^\r\n])[^\S\r\n]+|[^\S\r\n]+(?![^\r\n])")
_WORDS = {
    Separator.TAB: "tabs",
    Separator.SEMICOLON: "semicolons",
    Separator.COMMA: "commas",
    Separator.BLANKS: "two or more blanks",
    Separator.BLANK: "blanks",
}
_BLANKS = {
    Separator.BLANKS: re.compile(r'("[^"\r\n]*")|[^\S\r\n]{2,}|\t'),
    Separator.BLANK: re.compile(r'("[^"\r\n]*")|[^\S\r\n]+'),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A table of a file: names, what stood below them, numbers, and what was guessed."""

    table: CsvTable  # the line of the names and those of the numbers
    units: tuple[Row, ...]  # lines between them
    decimal: str
    what: str  # separator or sheet, in words
    said: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """One way to cut a file into rows."""

    what: str  # separator or sheet, in words
    start: Callable[[], Iterable[Row]]  # rows of the first lines
    every: Callable[[], Iterable[Row]]
    comments: Callable[[], Iterable[Row]]  # what stands in comments of the first lines, cut alike


def read_sheet(path: Path, layout: Layout, wanted: Sequence[str], labels: Sequence[str] = ()) -> Sheet:
    """Read a CSV, TSV, text or Excel file as an instrument wrote it.

    The header is the first line that holds all columns asked for; it may stand in a comment. Lines below it that hold
    no number in any of the columns are units. The decimal mark follows from the cells.

    Parameters
    ----------
    path
        The file.
    layout
        What is known; the rest is found.
    wanted
        Columns of numbers that must be there. With none, the header is the line above the largest block of numbers.
    labels
        Columns of words that must be there.

    Raises
    ------
    MeasurementError
        When no line holds the columns, or there are no numbers.
    DocumentError
        When the file can't be read, or its numbers in two ways.
    """
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        read_content(path, MAX_TABLE_BYTES)  # there, and not too long
        candidates = list(_sheets(path, layout))
        said: list[str] = []
    else:
        text, said = _decoded(path, layout)
        candidates = list(_cuts(text, path, layout))
    if not any(next(iter(one.start()), None) for one in candidates):
        raise MeasurementError(f"{path}: holds no lines")
    found, header = _headed(path, candidates, layout, (*wanted, *labels))
    every = list(found.every())
    rows = [row for row in every if row.line > header.line]
    places = [header.cells.index(name) for name in wanted] or list(range(len(header.cells)))
    below = list(itertools.takewhile(lambda row: not _numeric(row, places), rows[: UNITS_ROWS + 1]))
    units = tuple(below) if len(below) <= UNITS_ROWS and len(below) < len(rows) else ()
    again = [row.line for row in rows if row.cells == header.cells]
    passed_over = {row.cells for row in (header, *units)}
    body = tuple(row for row in rows if row.cells not in passed_over)
    if not body:
        raise MeasurementError(f"{path}: holds a header and no numbers")
    table = CsvTable(str(path), (header, *body))
    decimal = layout.decimal or _decimal(table, places)
    if layout.header is None and (found is not candidates[0] or every[0].line != header.line):
        said.append(f"{path.name}: the names stand in line {header.line}, {found.what}.")
    if units:
        shown = "; ".join(", ".join(filter(None, row.cells)) for row in units)
        said.append(f"{path.name}: below the names stand units or comments, no numbers: {shown}.")
    if again:
        said.append(
            f"{path.name}: the header stands again in line {', '.join(map(str, again[:5]))}; what follows was taken as "
            "the same series (a column that tells the sweeps apart, named by `split`, makes them records)."
        )
    if decimal == "," and layout.decimal is None:
        said.append(f"{path.name}: the comma is the decimal mark.")
    return Sheet(table=table, units=units, decimal=decimal, what=found.what, said=tuple(said))


def is_number(cell: str) -> bool:
    """Whether a cell is a number with either decimal mark, or says that a reading is missing."""
    return cell.lower() in MISSING or bool(_NUMBER.fullmatch(cell))


def _numeric(row: Row, places: Sequence[int]) -> bool:
    """Whether a row holds a number in one of the columns."""
    return any(place < len(row.cells) and _NUMBER.fullmatch(row.cells[place]) for place in places)


def _decoded(path: Path, layout: Layout) -> tuple[str, list[str]]:
    raw = read_content(path, MAX_TABLE_BYTES)
    marked = next((name for mark, name in _MARKS if raw.startswith(mark)), "utf-8")
    encoding = layout.encoding or marked
    try:
        text = raw.decode(encoding)
    except LookupError:
        raise MeasurementError(
            f"{path}: {encoding!r} is no encoding; allowed: utf-8, utf-16, latin-1, cp1252"
        ) from None
    except UnicodeError as error:
        if layout.encoding or marked != "utf-8":
            line = raw.count(b"\n", 0, getattr(error, "start", 0)) + 1
            raise DocumentError([Mistake(str(path), Place(line, 1), "", f"is not {encoding} text")]) from None
        return raw.decode("latin-1"), [f"{path.name}: is no UTF-8 and was read as latin-1 (`encoding`)."]
    return text, [f"{path.name}: was read as UTF-16, by its first bytes."] if encoding == "utf-16" else []


def _cuts(text: str, path: Path, layout: Layout) -> Iterator[_Candidate]:
    """The text cut by each separator that it may have; the comma, which most have, first."""
    order = (Separator.COMMA, Separator.TAB, Separator.SEMICOLON, Separator.BLANKS, Separator.BLANK)
    limit = max(SEARCHED, layout.header or 0)
    head = "".join(itertools.islice(lines_of(text), limit))
    for separator in order if layout.separator is None else (layout.separator,):
        yield _Candidate(
            f"separated by {_WORDS[separator]}",
            functools.partial(_cut, head, str(path), separator),
            functools.partial(_cut, text, str(path), separator),
            functools.partial(_comments, head, str(path), separator),
        )


def _comments(text: str, name: str, separator: Separator) -> Iterator[Row]:
    for line, content in enumerate(lines_of(text), start=1):
        if content.lstrip().startswith("#"):
            for row in _cut(content.lstrip("# \t"), name, separator):
                yield Row(line, row.cells)


def _cut(text: str, name: str, separator: Separator) -> Iterable[Row]:
    if separator in _BLANKS:
        bare = _AROUND.sub("", text)
        return rows_of(_BLANKS[separator].sub(lambda found: found[1] or "\t", bare), name, "\t")
    return rows_of(text, name, "\t" if separator is Separator.TAB else separator.value)


def _sheets(path: Path, layout: Layout) -> Iterator[_Candidate]:
    try:
        openpyxl = importlib.import_module("openpyxl")
    except ModuleNotFoundError:
        raise MeasurementError(
            f"{path}: reading Excel needs openpyxl (the extra `excel`); or save the sheet as CSV"
        ) from None
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise MeasurementError(f"{path}: cannot be read as Excel: {error}") from None
    names = book.sheetnames
    if layout.sheet is not None and layout.sheet not in names:
        raise MeasurementError(f"{path}: no sheet {layout.sheet!r}, allowed: {', '.join(names)}")
    for sheet in book.worksheets:
        if layout.sheet in (None, sheet.title):
            filled = [
                Row(line, tuple("" if cell is None else str(cell).strip() for cell in cells))
                for line, cells in enumerate(sheet.iter_rows(values_only=True), start=1)
            ]
            kept = [row for row in filled if any(row.cells) and not row.cells[0].startswith("#")]
            yield _Candidate(f"in sheet {sheet.title!r}", kept.copy, kept.copy, tuple)
    book.close()


def _headed(
    path: Path, candidates: Sequence[_Candidate], layout: Layout, wanted: Sequence[str]
) -> tuple[_Candidate, Row]:
    """How to cut the file, and the line of the names: the first that holds all of them."""
    for commented in (False, True) if wanted else ():
        for one in candidates:
            for row in one.comments() if commented else one.start():
                if layout.header in (None, row.line) and set(wanted) <= set(row.cells):
                    _check_once(path, row, wanted)
                    return one, row
    guesses = [(one, *guess) for one in candidates if (guess := _guessed(list(one.start()), layout.header))]
    if not guesses:
        raise MeasurementError(
            f"{path}: no line looks like names above numbers; say where they stand: `header: LINE`, and `separator`"
        )
    found, _, header = max(guesses, key=lambda guess: guess[1])
    if not wanted:
        return found, header
    missing = next(name for name in wanted if name not in header.cells)
    near = difflib.get_close_matches(missing, header.cells, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise MeasurementError(
        f"{path.name}: no column {missing!r}; the header has: {', '.join(header.cells)} (line {header.line}, "
        f"{found.what}){hint}. If the names stand elsewhere, say `header: LINE` or `separator`"
    )


def _check_once(path: Path, header: Row, wanted: Sequence[str]) -> None:
    for name in wanted:
        if header.cells.count(name) > 1:
            raise MeasurementError(
                f"{path.name}: line {header.line} names {name!r} twice; rename one of the columns"
            )


def _guessed(rows: Sequence[Row], line: int | None) -> tuple[int, Row] | None:
    """How much a way to cut speaks for itself (numbers less words below the header), and the line of the names."""
    if line is None:
        blocks = [
            list(block)
            for _, block in itertools.groupby(enumerate(rows), lambda one: _mostly_numbers(one[1]))
        ]
        block = max((one for one in blocks if _mostly_numbers(one[0][1])), key=len, default=[(0, None)])
        first = block[0][0]
    else:
        first = next((k + 1 for k, row in enumerate(rows) if row.line == line), 0)
    if first == 0:
        return None
    below = [cell for row in rows[first:] for cell in row.cells if cell]
    score = sum(1 if is_number(cell) else -1 for cell in below)
    header = rows[first - 1]
    if line is None and first > 1 and all(unit_of(cell) for cell in header.cells if cell):
        header = rows[first - 2]
    return score, header


def _mostly_numbers(row: Row) -> bool:
    filled = [cell for cell in row.cells if cell]
    return 2 * sum(map(is_number, filled)) > len(filled)


def _decimal(table: CsvTable, places: Sequence[int]) -> str:
    """The mark before the decimals; DocumentError where cells leave two ways to read them."""
    comma: tuple[Row, int] | None = None
    sure = point = False
    for row in table.body:
        for place in places:
            cell = row.cells[place] if place < len(row.cells) else ""
            if "," not in cell:
                point |= "." in cell
            elif _MARKED.fullmatch(cell) and ("." in cell or cell.count(",") > 1):
                what = f"holds {cell!r}: write numbers without separators of thousands"
                raise DocumentError([table.mistake(row, place, what, table.header[place])])
            elif _NUMBER.fullmatch(cell):
                comma = comma or (row, place)
                sure |= not _THOUSANDS.fullmatch(cell)
    if comma is None:
        return "."
    row, place = comma
    if point or not sure:
        said = "others have a decimal point" if point else "this may be a decimal mark or one of thousands"
        what = (
            f'holds {row.cells[place]!r}, and {said}; write one mark, or say `decimal: ","` or `decimal: .`'
        )
        raise DocumentError([table.mistake(row, place, what, table.header[place])])
    return ","
