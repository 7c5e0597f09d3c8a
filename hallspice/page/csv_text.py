"""Tables as CSV text."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """CSV text with a header line; floats in full precision."""
    return "".join(csv_lines(header, rows))


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The same text line by line, for tables that are too long to be held."""
    return csv_body(itertools.chain([header], rows))


def csv_body(rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Lines without a header."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    for row in rows:
        if set(map(type, row)) == {float}:  # long tables of numbers
            yield ",".join(["%.15g"] * len(row)) % tuple(row) + "\n"
            continue
        writer.writerow([_field(value) for value in row])
        yield stream.getvalue()
        stream.seek(0)
        stream.truncate()


def _field(value: object) -> str:
    return f"{value:.15g}" if isinstance(value, (float, np.floating)) else str(value)
