"""What `hallspice look` found."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from compact_model.measured.tables import RecordKind
from hallspice.results import Measure, Report, Result


class SeenColumn(Result):
    """A column of a file."""

    name: str
    unit: Annotated[str | None, Field(description="By the name or the line of units; null: they don't say.")]
    quantity: Annotated[str | None, Field(description="What it may be; null: its name doesn't say.")]
    numbers: Annotated[int, Measure("1", "lines that hold a number")]
    distinct: Annotated[int, Measure("1", "different numbers")]
    smallest: Annotated[float | None, Measure("as in `unit`", "smallest number")]
    largest: Annotated[float | None, Measure("as in `unit`", "largest number")]


class SeenRecord(Result):
    """A record that `hallspice fit` would read."""

    name: str
    readings: Annotated[int, Measure("1", "readings that are there")]
    smallest: Annotated[float, Measure("SI", "smallest reading")]
    largest: Annotated[float, Measure("SI", "largest reading")]


class LookResults(Report):
    """`hallspice look`."""

    file: str
    reading: Annotated[
        tuple[str, ...], Field(description="What was found in reading the file, and not plain.")
    ]
    lines: Annotated[int, Measure("1", "lines of numbers")]
    columns: tuple[SeenColumn, ...]
    kind: RecordKind
    why: Annotated[str, Field(description="Why the file was taken for that kind.")]
    turns: Annotated[tuple[float, ...], Measure("as in its column", "where the sweep begins, turns and ends")]
    records: tuple[SeenRecord, ...]
    starter: Annotated[str, Field(description="A first data.yaml.")]
