"""The page of a written array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hallspice.page.page import Answer, Caption, Column, Page, Section, Table
from hallspice.page.style import engineering
from hallspice.programming.results import STUDIED, GivenUp, SchemeResult, WriteEnergy, WriteResults
from hallspice.progress import Reporter
from hallspice.results import measure_of

SHOWN = 200
"""Cells given up that the page lists."""


def page_of(found: WriteResults, drawn: Mapping[str, str]) -> Page:
    """The page of a written array."""
    array, energy = found.array, found.energy_j
    largest = max(energy.parts, key=lambda part: energy.parts[part])
    share = energy.parts[largest] / (energy.total or 1.0)
    return Page(
        title="written array",
        question=f"What does it take to write {array.rows} x {array.columns} cells with {array.scheme}?",
        subtitle=f"{array.architecture}, order {array.order}, engine {found.engine.name}, seed "
        f"{found.seed}, hallspice {found.versions['hallspice']}, {found.created}.",
        answers=[
            Answer("cells written", f"{found.written} / {found.cells}", "within the tolerance, as read"),
            Answer("pulses per cell", f"{found.pulses_per_cell:.2f}", "write pulses, mean"),
            Answer("energy", engineering(energy.total, "J"), "drivers and verify reads"),
            Answer("time", engineering(found.time_s, "s"), "one after another"),
            Answer("peak temperature", f"{found.peak_temperature_k:.0f} K", "of a channel"),
        ],
        sentences=[
            f"{100 * share:.3g} % of the energy goes into '{largest}': {_where(largest)}.",
            f"{found.cells - found.written} cells are given up.",
        ],
        warnings=found.warnings,
        sections=[
            _cells(found),
            _energy(found),
            _disturb(found.disturb.schemes),
            *([_given_up(found.given_up)] if found.given_up else []),
        ],
        figures=drawn,
    )


def _where(part: str) -> str:
    """Where a part of the energy goes."""
    return measure_of(WriteEnergy, part).meaning


def _cells(found: WriteResults) -> Section:
    yields = [
        [engineering(row.tolerance_ohm, "Ω"), f"{100 * row.yield_:.2f} %"]
        for row in found.yield_against_tolerance
    ]
    return Section(
        "Cells",
        text=[
            f"Recipe: {found.recipe.algorithm}, tolerance "
            f"{engineering(found.recipe.tolerance, 'Ω')}, read noise "
            f"{engineering(found.recipe.read_noise, 'Ω')}; {found.resets} resets by pulse. Below, the "
            "true states: a cell that a noisy read accepts may lie a little outside the tolerance."
        ],
        tables=[Table([Column("within"), Column("of the cells", True)], yields)],
        figures=[
            Caption("errors", "Achieved minus wanted Hall resistance."),
            Caption("pulses", "Write pulses per cell."),
        ],
    )


def _energy(found: WriteResults) -> Section:
    total = found.energy_j.total
    rows = [
        [part, engineering(value, "J"), f"{100 * value / (total or 1.0):.3g} %", _where(part)]
        for part, value in found.energy_j.parts.items()
    ]
    rows.append(["total", engineering(total, "J"), "100 %", ""])
    head = [Column("part"), Column("energy", True), Column("share", True), Column("where it goes")]
    return Section(
        "Energy and time",
        text=[f"{engineering(found.time_s, 's')} of pulses and verify reads, one after another."],
        tables=[Table(head, rows, total=True)],
    )


def _disturb(schemes: Sequence[SchemeResult]) -> Section:
    rows = [
        [
            row.scheme + (" (used)" if row.used else ""),
            row.pattern,
            f"{100 * row.moved:.3g} %",
            f"{row.needed_v:.3g} V",
            "yes" if row.usable else "no",
        ]
        for row in schemes
    ]
    head = [
        Column("scheme"),
        Column("worst pattern written"),
        Column("kept cell moves", True),
        Column("driver needs", True),
        Column("usable"),
    ]
    return Section(
        "Disturb",
        text=[
            "What the other cells get when the cell in the middle is written to the highest level; below, the "
            f"worst pattern that was found on at most {STUDIED} x {STUDIED} cells, in every scheme of the array."
        ],
        tables=[Table(head, rows)],
        figures=[Caption("disturb", "One write: current and movement of the other cells.", wide=True)],
    )


def _given_up(cells: Sequence[GivenUp]) -> Section:
    rows = [
        [
            f"({cell.row}, {cell.column})",
            f"{cell.target_ohm:.4f}",
            f"{cell.achieved_ohm:.4f}",
            str(cell.pulses),
            f"{cell.needed_v:.3g}",
            cell.reason,
        ]
        for cell in cells[:SHOWN]
    ]
    head = ["cell", "wanted (ohm)", "achieved (ohm)", "pulses", "last pulse needs (V)", "why"]
    return Section(
        "Cells given up", tables=[Table([Column(text, text not in ("cell", "why")) for text in head], rows)]
    )


def say(progress: Reporter, found: WriteResults, out: Path) -> None:
    """Say yield, energy and time in the terminal."""
    progress.say(
        f"{found.written} of {found.cells} cells written, {found.pulses_per_cell:.2f} pulses per cell, "
        f"{engineering(found.energy_j.total, 'J')}, {engineering(found.time_s, 's')}, largest error "
        f"{1e3 * found.largest_error_ohm:.2f} mohm."
    )
    for cell in found.given_up[:10]:
        progress.say(
            f"Given up: cell ({cell.row}, {cell.column}), wanted {cell.target_ohm:.4f} ohm, has "
            f"{cell.achieved_ohm:.4f}: {cell.reason} (last pulse needs {cell.needed_v:.3g} V)."
        )
    if len(found.given_up) > 10:
        progress.say(f"... and {len(found.given_up) - 10} more, in given_up.csv.")
    progress.say(f"Report: {out / 'report.html'}")
