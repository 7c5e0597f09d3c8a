"""The page of the paper's table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.table import Table as TerminalTable

from hallspice.page.page import Answer, Caption, Column, Detail, Page, Section, Table
from hallspice.paper.results import PaperResults, PaperRow
from hallspice.progress import Reporter

SETS = ("mnist", "fashion-mnist")


NAMES = {
    "float": "float32",
    "six": "six states",
    "binary": "binary",
    "pair": "differential pair (23 weights)",
}


def _mean(values: Sequence[float]) -> str:
    if not values:
        return "-"
    text = f"{np.mean(values):.2f}"
    return text if len(values) == 1 else f"{text} ({', '.join(f'{value:.2f}' for value in values)})"


def row_cells(row: PaperRow) -> list[str]:
    """Cells of a row of the table."""
    published = " or ".join(f"{value:g}" for value in row.published_percent) or "-"
    found = (row.paper_recipe_percent, row.good_recipe_percent, row.circuit_percent)
    return [row.dataset, NAMES[row.weights], published, *map(_mean, found)]


HEADS = ("data", "weights", "paper", "paper's recipe", "good recipe", "good, through the circuit")


def page_of(found: PaperResults, drawn: Mapping[str, str]) -> Page:
    """The page of the paper's networks."""
    return Page(
        title="the paper's networks",
        question="Do the device's six states carry the published networks, and what more can they do?",
        subtitle=f"Networks 784-256-128-10, {found.seeds} seeds each; "
        f"hallspice {found.versions['hallspice']}, {found.created}.",
        answers=_answers(found),
        sentences=_sentences(found),
        warnings=found.warnings,
        sections=[
            _accuracies(found),
            Section("Published facts", tables=[_facts(found)]),
            *(_figures(dataset) for dataset in SETS),
            _method(found),
        ],
        figures=drawn,
    )


def _answers(found: PaperResults) -> list[Answer]:
    digits = found.row("mnist", "six")
    met = sum(fact.outcome == "met" for fact in found.facts)
    return [
        Answer(
            "six states, paper's recipe",
            f"{np.mean(digits.paper_recipe_percent):.2f} %",
            "MNIST; paper: 95.21 %",
        ),
        Answer("six states, good recipe", f"{np.mean(digits.good_recipe_percent):.2f} %", "MNIST"),
        Answer(
            "through the circuit",
            f"{np.mean(digits.circuit_percent):.2f} %",
            "MNIST, good recipe, 64 x 64 tiles",
        ),
        Answer("published facts 47 to 50", f"{met} of {len(found.facts)}", "met within their tolerance"),
    ]


def _sentences(found: PaperResults) -> list[str]:
    six, binary = found.row("mnist", "six"), found.row("mnist", "binary")
    paper = float(np.mean(six.paper_recipe_percent) - np.mean(binary.paper_recipe_percent))
    good = float(np.mean(six.good_recipe_percent) - np.mean(binary.good_recipe_percent))
    made = abs(good) < 0.5 * paper
    return [
        f"On MNIST six states differ from binary weights by {paper:+.1f} points with the paper's recipe (+4.3 in the "
        f"paper) and by {good:+.1f} points with a good one"
        + (": most of the gap is made by the recipe, not by the device." if made else "."),
        "Every figure is that of the last epoch; no epoch was selected by its test accuracy.",
    ]


def _accuracies(found: PaperResults) -> Section:
    numbers = (False, False, True, True, True, True)
    heads = [Column(head, number) for head, number in zip(HEADS, numbers, strict=True)]
    return Section(
        "Test accuracy in percent",
        text=["Mean over the seeds, and each seed in brackets. '-': not published, or not trained."],
        tables=[Table(heads, [row_cells(row) for row in found.rows])],
    )


def _facts(found: PaperResults) -> Table:
    heads = [Column(head) for head in ("fact", "paper", "found", "tolerance", "outcome")]
    return Table(
        heads, [[fact.number, fact.paper, fact.found, fact.tolerance, fact.outcome] for fact in found.facts]
    )


def _figures(dataset: str) -> Section:
    return Section(
        "MNIST" if dataset == "mnist" else "Fashion-MNIST",
        figures=[
            Caption(f"{dataset}_curves", "Test accuracy after each epoch, seed 1."),
            Caption(
                f"{dataset}_confusion",
                "Six states, paper's recipe, seed 1: true class by predicted class.",
            ),
        ],
    )


def _method(found: PaperResults) -> Section:
    recipes = {name: recipe.model_dump(mode="json") for name, recipe in found.recipes.items()}
    return Section(
        "How it was done",
        text=[
            "Paper's recipe: Adam 1e-3, batch 128, 50 epochs, weight decay 1e-4 (its size is assumed), latent "
            "weights uniform over -1..1 (float: Kaiming), straight-through gradient, no bias, no scale "
            "(assumed: the paper states neither).",
            "Good recipe: batch normalisation, learning rate 1e-2 falling along a cosine, no weight decay, 50 "
            f"epochs; pairs {found.pair_epochs} epochs; for Fashion-MNIST dropout 0.2, label smoothing "
            "0.1 and mirrored images.",
            "Through the circuit: active_parallel tiles of 64 x 64 with the default periphery card, 6-bit "
            "converters, columns calibrated; read noise and spread of the devices are not in it.",
        ],
        details=[Detail("Recipes", code=json.dumps(recipes, indent=2))],
    )


def say(progress: Reporter, found: PaperResults, out: Path) -> None:
    """Say the table in the terminal."""
    table = TerminalTable(title="Test accuracy in percent", title_justify="left")
    for head in HEADS:
        table.add_column(head)
    for row in found.rows:
        table.add_row(*row_cells(row))
    progress.say(table)
    for fact in found.facts:
        progress.say(f"Fact {fact.number}: {fact.paper}: {fact.found}: {fact.outcome}")
    progress.say(f"Report: {out / 'report.html'}")
