"""Response of a device to the user's own list of events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from compact_model import events
from compact_model.cards.device import load_card
from hallspice.files import write_text
from hallspice.page.csv_text import csv_lines
from hallspice.progress import Reporter

MOST_WARNINGS = 20
"""Warnings of a list of pulses that are said one by one."""

WRITTEN_AT_ONCE = 8192
"""Lines between two reports of progress; a shorter list has none."""


def respond(
    card_path: Path | None, pulses: Path, out: Path, *, progress: Reporter
) -> tuple[events.Trace, list[str]]:
    """Response of the device of a card to the events of a CSV file, written as CSV; and what of it exceeds a limit."""
    card = load_card(card_path)
    told = events.read_events(pulses, card)
    long = len(told) > WRITTEN_AT_ONCE
    trace = events.run_events(
        card, told, progress=lambda done, total: progress(done, total, "pulse: events") if long else None
    )
    warnings: list[str] = []
    beyond = 0

    def rows() -> Iterator[Sequence[object]]:
        nonlocal beyond
        for number, point in enumerate(trace, start=1):
            if point.warnings and len(warnings) < MOST_WARNINGS:
                warnings.extend(f"event {number}: {said}" for said in point.warnings)
            else:
                beyond += bool(point.warnings)
            if long and (number % WRITTEN_AT_ONCE == 0 or number == len(trace)):
                progress(number, len(trace), "writing: lines")
            yield list(point.row().values())

    write_text(out, csv_lines(list(trace[0].row()), rows()))
    if beyond:
        warnings.append(f"{beyond} more events exceed limits: see the column warnings of {out}")
    return trace, warnings
