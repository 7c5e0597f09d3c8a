"""The page and the picture of a file that was looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from compact_model.numeric import Floats
from hallspice.fitting.figures import plain
from hallspice.fitting.look_results import LookResults
from hallspice.page.page import Answer, Caption, Column, Detail, Page, Section, Table
from hallspice.page.style import BLUE, grid, styled, svg

MOST_TURNS = 12


def picture(names: Sequence[str | None], driven: Floats | None, read: Floats | None) -> dict[str, str]:
    """What was read against what was swept, and both line by line; nothing where a column wasn't found."""
    if driven is None or read is None:
        return {}
    return {"readings": _drawn(str(names[0]), str(names[1]), driven, read)}


@styled
def _drawn(driver: str, measured: str, driven: Floats, read: Floats) -> str:
    figure, panels = grid(1, 2, 10.5, 3.4)
    against, along = panels.flat
    against.plot(driven, read, ".-", color=BLUE, markersize=3, linewidth=0.5)
    against.set_xlabel(plain(driver))
    against.set_ylabel(plain(measured))
    along.plot(np.arange(1, len(read) + 1), read, ".", color=BLUE, markersize=3)
    along.set_xlabel("line of the table")
    along.set_ylabel(plain(measured))
    figure.tight_layout()
    return svg(figure)


def turns(found: LookResults) -> str:
    """The way of the sweep in words."""
    shown = " → ".join(f"{value:.4g}" for value in found.turns[:MOST_TURNS])
    more = len(found.turns) - MOST_TURNS
    return f"{shown} and {more} turns more" if more > 0 else shown or "none"


def page_of(found: LookResults, drawn: Mapping[str, str]) -> Page:
    """The page of a file."""
    columns = [
        [
            one.name,
            one.quantity or "",
            one.unit or "",
            str(one.numbers),
            str(one.distinct),
            "" if one.smallest is None else f"{one.smallest:.6g}",
            "" if one.largest is None else f"{one.largest:.6g}",
        ]
        for one in found.columns
    ]
    heads = ("column", "may be", "unit", "numbers", "different", "smallest", "largest")
    records = [
        [one.name, str(one.readings), f"{one.smallest:.6g}", f"{one.largest:.6g}"] for one in found.records
    ]
    return Page(
        title=f"look at {found.file}",
        question="What would be read of this file?",
        subtitle=f"hallspice {found.versions['hallspice']}, {found.created}.",
        answers=[
            Answer("lines of numbers", str(found.lines), f"{len(found.columns)} columns"),
            Answer("kind", found.kind.value, found.why),
            Answer("sweep", str(max(0, len(found.turns) - 1)), "straight parts"),
        ],
        sentences=[f"The sweep goes {turns(found)}.", *found.reading],
        warnings=found.warnings,
        sections=[
            Section(
                "Columns",
                tables=[Table([Column(h, h in heads[3:]) for h in heads], columns)],
                figures=[Caption("readings", "What was read, against the sweep and in order.", wide=True)]
                if drawn
                else [],
            ),
            Section(
                "What the first description reads (SI units)",
                tables=[
                    Table(
                        [Column(h, h != "record") for h in ("record", "readings", "smallest", "largest")],
                        records,
                    )
                ],
                details=[Detail("data.yaml", code=found.starter)],
            ),
        ],
        figures=drawn,
    )


def told(found: LookResults, out: Path) -> str:
    """What people read in the terminal."""
    lines = [f"{found.file}: {found.lines} lines of numbers, kind {found.kind.value} ({found.why})"]
    lines += [
        f"  {one.name}: {one.numbers} numbers"
        + (
            ""
            if one.smallest is None
            else f", {one.smallest:.6g} .. {one.largest:.6g} {one.unit or '(unit?)'}"
        )
        + (f", taken for {one.quantity}" if one.quantity else "")
        for one in found.columns
    ]
    lines += [f"sweep: {turns(found)}", *found.reading]
    lines += [f"record {one.name}: {one.readings} readings" for one in found.records]
    path = out / "data.yaml"
    return "\n".join(
        [*lines, "", found.starter, f"Next: check {path}, then hallspice fit {path} --out card.yaml"]
    )
