"""The page of an evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from rich.table import Table as TerminalTable

from hallspice.networks.results import TOGETHER, EffectOnChips, EvaluateResults
from hallspice.page.page import Answer, Caption, Column, Detail, Page, Section, Table
from hallspice.page.style import percent
from hallspice.progress import Reporter

HEADS = ("effect", "size", "mean", "chip to chip", "95 % interval", "worst chip")


def row_cells(row: EffectOnChips) -> list[str]:
    """Cells of a row of the table."""
    low, high = row.interval
    several = len(row.accuracies) > 1
    return [
        row.effect,
        row.size,
        percent(row.mean),
        f"{100 * row.deviation:.2f} points" if several else "-",
        f"{100 * low:.2f} to {100 * high:.2f} %",
        percent(min(row.accuracies)) if several else "-",
    ]


def _largest(first: EffectOnChips, alone: list[EffectOnChips]) -> list[Answer]:
    """The effect that costs most when it acts alone."""
    if not alone:
        return []
    worst = min(alone, key=lambda row: row.mean)
    lost = 100 * (first.mean - worst.mean)
    return [Answer("largest cause of loss", f"{lost:.2f} points", f"{worst.effect} {worst.size}, alone")]


def _budget(found: EvaluateResults) -> list[Section]:
    """What each effect costs in each layer alone."""
    lost = found.points_lost_by_layer
    if not lost:
        return []
    layers = [f"layer {number}" for number in range(1, len(lost[0].layers) + 1)]
    columns = [Column("effect"), Column("size"), *(Column(name, True) for name in (*layers, "all layers"))]
    cells = [
        [
            row.effect,
            row.size,
            *(f"{round(points, 2) + 0.0:.2f}" for points in (*row.layers, row.all)),
        ]
        for row in lost
    ]
    return [
        Section(
            "Which layer it costs",
            text=[
                "Points lost against the circuit as it was meant, with the effect in one layer alone. Below the "
                "scatter from chip to chip a figure may be negative."
            ],
            tables=[Table(columns, cells)],
        )
    ]


def page_of(found: EvaluateResults, drawn: Mapping[str, str]) -> Page:
    """The page of an evaluation."""
    first, *alone = [row for row in found.rows if row.effect != TOGETHER]
    last = found.rows[-1]
    variation = found.config.variation
    sentences = [
        "Each effect is drawn alone, then all of them together; every chip has its own draw, and its columns are "
        "calibrated where the configuration says so.",
    ]
    if variation.recalibrate == "outputs":
        sentences.append(
            "Gain and offset of every output were fitted anew on each chip, on 2000 training images."
        )
    return Page(
        title="many chips",
        question="What is left of the accuracy on chips that differ?",
        subtitle=f"{variation.chips} chips per line, seed {found.seed}, {found.images} test images.",
        answers=[
            Answer("digital", percent(found.digital), "on the device's levels"),
            Answer("as meant", percent(found.rows[0].mean), "through the circuit, no variation"),
            Answer(
                last.effect,
                percent(last.mean),
                f"± {100 * last.deviation:.2f} points from chip to chip",
            ),
            *_largest(first, alone),
        ],
        sentences=sentences,
        warnings=[],
        sections=[
            Section(
                "Accuracy through the circuit",
                text=[f"Interval: {found.interval}."],
                tables=[
                    Table(
                        [Column(head, head not in ("effect", "size")) for head in HEADS],
                        [row_cells(row) for row in found.rows],
                    )
                ],
                figures=[Caption("chips", "Each chip (points), and the mean with its 95 % interval.")],
            ),
            *_budget(found),
            Section(
                "Classes",
                text=["Test images per class and prediction, summed over the chips."],
                figures=[
                    Caption("confusion_meant", "As meant, through the circuit."),
                    *(
                        [Caption("confusion_last", f"{last.effect.capitalize()}.")]
                        if "confusion_last" in drawn
                        else []
                    ),
                ],
            ),
            Section(
                "Configuration",
                details=[
                    Detail("Configuration", code=json.dumps(found.config.model_dump(mode="json"), indent=2))
                ],
            ),
        ],
        figures=drawn,
    )


def say(progress: Reporter, found: EvaluateResults, out: Path) -> None:
    """Say the table in the terminal."""
    table = TerminalTable(title="Accuracy through the circuit", title_justify="left")
    for head in HEADS:
        table.add_column(head)
    for row in found.rows:
        table.add_row(*row_cells(row))
    progress.say(table)
    progress.say(f"Report: {out / 'report.html'}")
