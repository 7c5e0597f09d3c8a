"""The page of the paper's table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table as TerminalTable

from hallspice.page.page import Answer, Caption, Column, Detail, Page, Section, Table
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


def row_cells(row: Mapping[str, Any]) -> list[str]:
    """Cells of a row of the table."""
    published = " or ".join(f"{value:g}" for value in row["published_percent"]) or "-"
    kinds = ("paper_recipe_percent", "good_recipe_percent", "circuit_percent")
    return [row["dataset"], NAMES[row["weights"]], published, *(_mean(row[kind]) for kind in kinds)]


HEADS = ("data", "weights", "paper", "paper's recipe", "good recipe", "good, through the circuit")


def _gap(rows: Sequence[Mapping[str, Any]], kind: str) -> float:
    by_weights = {
        row["weights"]: np.mean(row[kind]) for row in rows if row["dataset"] == "mnist" and row[kind]
    }
    return float(by_weights["six"] - by_weights["binary"])


def page_of(results: Mapping[str, Any], drawn: Mapping[str, str]) -> str:
    """The page of the paper's networks."""
    rows = results["rows"]
    digits = next(row for row in rows if (row["dataset"], row["weights"]) == ("mnist", "six"))
    heads = [
        Column(head, number)
        for head, number in zip(HEADS, (False, False, True, True, True, True), strict=True)
    ]
    facts = [list(fact.values()) for fact in results["facts"]]
    met = sum(fact["outcome"] == "met" for fact in results["facts"])
    page = Page(
        title="the paper's networks",
        question="Do the device's six states carry the published networks, and what more can they do?",
        subtitle=f"Networks 784-256-128-10, {results['seeds']} seeds each; "
        f"hallspice {results['versions']['hallspice']}, {results['created']}.",
        answers=[
            Answer(
                "six states, paper's recipe",
                f"{np.mean(digits['paper_recipe_percent']):.2f} %",
                "MNIST; paper: 95.21 %",
            ),
            Answer("six states, good recipe", f"{np.mean(digits['good_recipe_percent']):.2f} %", "MNIST"),
            Answer(
                "through the circuit",
                f"{np.mean(digits['circuit_percent']):.2f} %",
                "MNIST, good recipe, 64 x 64 tiles",
            ),
            Answer("published facts 47 to 50", f"{met} of {len(facts)}", "met within their tolerance"),
        ],
        sentences=[
            f"On MNIST six states differ from binary weights by {_gap(rows, 'paper_recipe_percent'):+.1f} points with "
            f"the paper's recipe (+4.3 in the paper) and by {_gap(rows, 'good_recipe_percent'):+.1f} points with a "
            "good one"
            + (
                ": most of the gap is made by the recipe, not by the device."
                if abs(_gap(rows, "good_recipe_percent")) < 0.5 * _gap(rows, "paper_recipe_percent")
                else "."
            ),
            "Every figure is that of the last epoch; no epoch was selected by its test accuracy.",
        ],
        warnings=results["warnings"],
        sections=[
            Section(
                "Test accuracy in percent",
                text=["Mean over the seeds, and each seed in brackets. '-': not published, or not trained."],
                tables=[Table(heads, [row_cells(row) for row in rows])],
            ),
            Section(
                "Published facts",
                tables=[
                    Table(
                        [Column(head) for head in ("fact", "paper", "found", "tolerance", "outcome")], facts
                    )
                ],
            ),
            *(
                Section(
                    "MNIST" if dataset == "mnist" else "Fashion-MNIST",
                    figures=[
                        Caption(f"{dataset}_curves", "Test accuracy after each epoch, seed 1."),
                        Caption(
                            f"{dataset}_confusion",
                            "Six states, paper's recipe, seed 1: true class by predicted class.",
                        ),
                    ],
                )
                for dataset in SETS
            ),
            Section(
                "How it was done",
                text=[
                    "Paper's recipe: Adam 1e-3, batch 128, 50 epochs, weight decay 1e-4 (its size is assumed), latent "
                    "weights uniform over -1..1 (float: Kaiming), straight-through gradient, no bias, no scale "
                    "(assumed: the paper states neither).",
                    "Good recipe: batch normalisation, learning rate 1e-2 falling along a cosine, no weight decay, 50 "
                    f"epochs; pairs {results['pair_epochs']} epochs; for Fashion-MNIST dropout 0.2, label smoothing "
                    "0.1 and mirrored images.",
                    "Through the circuit: active_parallel tiles of 64 x 64 with the default periphery card, 6-bit "
                    "converters, columns calibrated; read noise and spread of the devices are not in it.",
                ],
                details=[Detail("Recipes", code=json.dumps(results["recipes"], indent=2))],
            ),
        ],
        figures=drawn,
    )
    return page.html()


def say(progress: Reporter, results: Mapping[str, Any], out: Path) -> None:
    """Say the table in the terminal."""
    table = TerminalTable(title="Test accuracy in percent", title_justify="left")
    for head in HEADS:
        table.add_column(head)
    for row in results["rows"]:
        table.add_row(*row_cells(row))
    progress.say(table)
    for fact in results["facts"]:
        progress.say(f"Fact {fact['number']}: {fact['paper']}: {fact['found']}: {fact['outcome']}")
    progress.say(f"Report: {out / 'report.html'}")
