"""The page of a written array."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from circuits.write.circuit import PARTS
from circuits.write.write_verify import VERIFY
from hallspice.page.page import Answer, Caption, Column, Page, Section, Table
from hallspice.page.style import engineering
from hallspice.programming.results import STUDIED
from hallspice.progress import Reporter

_WHERE = {
    "cells": "channels of the cells, written and half-selected",
    "select": "select devices",
    "wires": "row and column wires, and what leaks through switches of other rows",
    "drivers": "row drivers, and what they take beyond what they deliver",
    VERIFY: "verify reads",
}
"""Where each part of the energy of writing goes."""


def page_of(results: Mapping[str, Any], figures: Mapping[str, str]) -> str:
    """The page of a written array."""
    array, energy = results["array"], results["energy_j"]
    total = energy["total"] or 1.0
    energy_rows = [
        [part, engineering(energy[part], "J"), f"{100 * energy[part] / total:.3g} %", _WHERE[part]]
        for part in (*PARTS, VERIFY)
    ]
    energy_rows.append(["total", engineering(energy["total"], "J"), "100 %", ""])
    largest = max(_WHERE, key=lambda part: energy[part])
    yields = [
        [engineering(row["tolerance_ohm"], "Ω"), f"{100 * row['yield']:.2f} %"]
        for row in results["yield_against_tolerance"]
    ]
    scheme_rows = [
        [
            row["scheme"] + (" (used)" if row["used"] else ""),
            row["pattern"],
            f"{100 * row['moved']:.3g} %",
            f"{row['needed_v']:.3g} V",
            "yes" if row["usable"] else "no",
        ]
        for row in results["disturb"]["schemes"]
    ]
    given_up = [
        [
            f"({cell['row']}, {cell['column']})",
            f"{cell['target_ohm']:.4f}",
            f"{cell['achieved_ohm']:.4f}",
            str(cell["pulses"]),
            f"{cell['needed_v']:.3g}",
            cell["reason"],
        ]
        for cell in results["given_up"][:200]
    ]
    sections = [
        Section(
            "Cells",
            text=[
                f"Recipe: {results['recipe']['algorithm']}, tolerance "
                f"{engineering(results['recipe']['tolerance'], 'Ω')}, read noise "
                f"{engineering(results['recipe']['read_noise'], 'Ω')}; {results['resets']} resets by pulse. Below, the "
                "true states: a cell that a noisy read accepts may lie a little outside the tolerance."
            ],
            tables=[Table([Column("within"), Column("of the cells", True)], yields)],
            figures=[
                Caption("errors", "Achieved minus wanted Hall resistance."),
                Caption("pulses", "Write pulses per cell."),
            ],
        ),
        Section(
            "Energy and time",
            text=[f"{engineering(results['time_s'], 's')} of pulses and verify reads, one after another."],
            tables=[
                Table(
                    [Column("part"), Column("energy", True), Column("share", True), Column("where it goes")],
                    energy_rows,
                    total=True,
                )
            ],
        ),
        Section(
            "Disturb",
            text=[
                "What the other cells get when the cell in the middle is written to the highest level; below, the "
                f"worst pattern that was found on at most {STUDIED} x {STUDIED} cells, in every scheme of the array."
            ],
            tables=[
                Table(
                    [
                        Column("scheme"),
                        Column("worst pattern written"),
                        Column("kept cell moves", True),
                        Column("driver needs", True),
                        Column("usable"),
                    ],
                    scheme_rows,
                )
            ],
            figures=[Caption("disturb", "One write: current and movement of the other cells.", wide=True)],
        ),
    ]
    if given_up:
        head = ["cell", "wanted (ohm)", "achieved (ohm)", "pulses", "last pulse needs (V)", "why"]
        sections.append(
            Section(
                "Cells given up",
                tables=[Table([Column(text, text not in ("cell", "why")) for text in head], given_up)],
            )
        )
    page = Page(
        title="written array",
        question=f"What does it take to write {array['rows']} x {array['columns']} cells with {array['scheme']}?",
        subtitle=f"{array['architecture']}, order {array['order']}, engine {results['engine']['name']}, seed "
        f"{results['seed']}, hallspice {results['versions']['hallspice']}, {results['created']}.",
        answers=[
            Answer(
                "cells written", f"{results['written']} / {results['cells']}", "within the tolerance, as read"
            ),
            Answer("pulses per cell", f"{results['pulses_per_cell']:.2f}", "write pulses, mean"),
            Answer("energy", engineering(energy["total"], "J"), "drivers and verify reads"),
            Answer("time", engineering(results["time_s"], "s"), "one after another"),
            Answer("peak temperature", f"{results['peak_temperature_k']:.0f} K", "of a channel"),
        ],
        sentences=[
            f"{100 * energy[largest] / total:.3g} % of the energy goes into '{largest}': {_WHERE[largest]}.",
            f"{results['cells'] - results['written']} cells are given up.",
        ],
        warnings=results["warnings"],
        sections=sections,
        figures=figures,
    )
    return page.html()


def say(progress: Reporter, results: Mapping[str, Any], out: Path) -> None:
    """Say yield, energy and time in the terminal."""
    progress.say(
        f"{results['written']} of {results['cells']} cells written, {results['pulses_per_cell']:.2f} pulses per cell, "
        f"{engineering(results['energy_j']['total'], 'J')}, {engineering(results['time_s'], 's')}, largest error "
        f"{1e3 * results['largest_error_ohm']:.2f} mohm."
    )
    for cell in results["given_up"][:10]:
        progress.say(
            f"Given up: cell ({cell['row']}, {cell['column']}), wanted {cell['target_ohm']:.4f} ohm, has "
            f"{cell['achieved_ohm']:.4f}: {cell['reason']} (last pulse needs {cell['needed_v']:.3g} V)."
        )
    if len(results["given_up"]) > 10:
        progress.say(f"... and {len(results['given_up']) - 10} more, in given_up.csv.")
    progress.say(f"Report: {out / 'report.html'}")
