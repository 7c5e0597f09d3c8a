"""Files of a sweep: tidy tables, figures, one self-contained page."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hallspice.page.csv_text import csv_text
from hallspice.page.page import Answer, Caption, Column, Detail, Page, Section, Table
from hallspice.page.provenance import folded_origins
from hallspice.page.style import engineering, percent
from hallspice.sweeps import figures as sweep_figures
from hallspice.sweeps.results import SweepResults, TableCell
from hallspice.sweeps.summary import Design, Row, Summary

_PERCENT = ("accuracy", "accuracy_levels")
_SHOWN = ("latency_s", "area_m2", "certificate")


def table_csv(found: Summary) -> str:
    """The table as CSV text; empty cells for None."""
    lines = [["" if row[name] is None else row[name] for name in found.columns] for row in found.rows]
    return csv_text(found.columns, lines)


def write_parquet(path: Path, rows: Sequence[Row], results: SweepResults) -> None:
    """The table as a parquet file, with the design, configuration and versions of the sweep in its metadata."""
    pyarrow: Any = importlib.import_module("pyarrow")
    parquet: Any = importlib.import_module("pyarrow.parquet")
    about = results.model_dump_json(include={"sweep", "config", "versions", "code"})
    table = pyarrow.Table.from_pylist(list(rows)).replace_schema_metadata({"hallspice": about})
    parquet.write_table(table, path)


def page_of(found: Summary, results: SweepResults) -> Page:
    """The page of a sweep."""
    figures = {}
    if found.designs:
        figures["pareto"] = sweep_figures.pareto(found)
    if found.effects:
        figures["effects"] = sweep_figures.effects(found)
    names = [effect.name for effect in found.effects] or list(results.sweep.set)
    seeds = results.sweep.seeds
    computed = results.points - results.kept
    return Page(
        title=f"sweep over {', '.join(names)}",
        question=f"What do {', '.join(names)} do to accuracy and energy?"
        if names
        else "What do the seeds do?",
        subtitle=f"{results.config_file}, {len(found.designs)} combinations, {seeds} seed{'s' if seeds > 1 else ''} "
        f"each; {computed} points computed in {results.seconds:.0f} s, {results.kept} kept from before; "
        f"hallspice {results.versions['hallspice']}, {results.created}.",
        answers=_answers(found, results),
        sentences=found.findings,
        warnings=[
            *results.warnings,
            "read noise, and the spread of the states and of the amplifiers, are not in these accuracies: a weaker "
            "signal (more wire, less current) seems to cost nothing where columns are calibrated. `hallspice evaluate` "
            "and `hallspice compare` say what it costs.",
        ],
        sections=[*_pareto(found), *_effects(found), *_failures(found), _all(found), _sources(results)],
        figures=figures,
    )


def _answers(found: Summary, results: SweepResults) -> list[Answer]:
    answers = [Answer("points", str(results.points), f"{results.failed} failed")]
    if found.designs:
        accuracy = max(design.accuracy for design in found.designs)
        energy = min(design.energy for design in found.designs)
        answers = [
            Answer("most accurate", percent(accuracy), "through the circuit, mean over seeds"),
            Answer("least energy", engineering(energy, "J"), "per inference"),
            Answer("not dominated", str(len(found.pareto)), f"of {len(found.designs)} combinations"),
            *answers,
        ]
    return answers


def _pareto(found: Summary) -> list[Section]:
    if not found.designs:
        return []
    inputs = list(found.pareto[0].inputs)
    head = [*(Column(name, _numeric(found.rows, name)) for name in inputs), *_MEAN_HEAD]
    return [
        Section(
            "Accuracy against energy",
            text=[
                "Ringed: not dominated, that is no other combination has at least the accuracy and at most the energy. "
                "Means over the seeds; bars reach from the worst to the best seed."
            ],
            figures=[
                Caption("pareto", "Accuracy through the circuit over the energy of an inference.", wide=True)
            ],
            tables=[Table(head, [_mean_cells(design, inputs) for design in found.pareto])],
        )
    ]


_MEAN_HEAD = (Column("accuracy (%)", True), Column("worst seed (%)", True), Column("energy (J)", True))


def _mean_cells(design: Design, inputs: Sequence[str]) -> list[str]:
    accuracies = (design.accuracy, min(design.accuracies))
    return [
        *(_cell(design.inputs[name]) for name in inputs),
        *(f"{100 * accuracy:.2f}" for accuracy in accuracies),
        f"{design.energy:.4g}",
    ]


def _effects(found: Summary) -> list[Section]:
    if not found.effects:
        return []
    return [
        Section(
            "What each key does",
            text=[
                "Means over all combinations with the value; a key of many values is cut into four groups."
            ],
            figures=[
                Caption("effects", "Mean accuracy and mean energy for each value of each key.", wide=True)
            ],
        )
    ]


def _failures(found: Summary) -> list[Section]:
    if not found.failures:
        return []
    names = [*found.columns[: found.columns.index("seed") + 1], "error"]
    rows = [[_cell(row[name]) for name in names] for row in found.failures]
    text = ["The same command computes these points again, and no other."]
    return [Section("Points that failed", text=text, tables=[Table([Column(name) for name in names], rows)])]


def _all(found: Summary) -> Section:
    inputs = list(found.columns[: found.columns.index("seed") + 1]) if found.columns else []
    shown = [name for name in ("accuracy", "accuracy_levels", "energy_j", *_SHOWN) if name in found.columns]
    names = [*inputs, *shown, "error", "seconds"]
    head = [
        Column(
            f"{name} (%)" if name in _PERCENT else name, name != "certificate" and _numeric(found.rows, name)
        )
        for name in names
    ]
    rows = [[_cell(row[name], in_percent=name in _PERCENT) for name in names] for row in found.rows]
    return Section(
        "All points",
        text=["A click on a heading sorts. results.csv and results.parquet hold every column."],
        tables=[Table(head, rows)],
    )


def _numeric(rows: Sequence[Row], name: str) -> bool:
    return all(isinstance(row[name], (int, float)) or row[name] is None for row in rows)


def _cell(value: TableCell, in_percent: bool = False) -> str:
    if isinstance(value, float):
        return f"{100 * value:.2f}" if in_percent else f"{value:.5g}"
    return "" if value is None else str(value)


def _sources(results: SweepResults) -> Section:
    versions = {**results.versions, "sources": results.code}
    config = results.model_dump(mode="json", include={"config", "sweep"})
    return Section(
        "Where the numbers come from",
        details=[
            Detail("What changes", code=json.dumps(config["sweep"], indent=2)),
            *folded_origins(results.provenance),
            Detail("Configuration of the first point", code=json.dumps(config["config"], indent=2)),
            Detail(
                "Versions",
                table=Table(
                    [Column("part"), Column("version")],
                    [[part, str(each)] for part, each in versions.items()],
                ),
            ),
        ],
    )
