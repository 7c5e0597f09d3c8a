"""`hallspice evaluate`: one network on many chips."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.table import Table as TerminalTable

from hallspice import figures
from hallspice.files import RESULTS, staged_folder
from hallspice.networks import level_set_of, make_networks, on_tiles, readout_of
from hallspice.page import Answer, Caption, Column, Detail, Page, Section, Table
from hallspice.progress import Reporter
from hallspice.report import percent
from hallspice.setup import load_setup
from hallspice.tables import csv_text
from nn_mapping.chips import ChipOptions, Chips, Variation, monte_carlo
from nn_mapping.data import load
from nn_mapping.network import load_network

MEANING = {
    "spread_of_window": "spread of the cells, share of the window",
    "spread_of_r": "spread of the cells, share of R",
    "read_noise": "noise of every read, share of the window",
    "stuck_low": "cells stuck at the lowest level",
    "stuck_high": "cells stuck at the highest level",
    "drift": "common drift of R",
    "relaxation": "relaxation towards the middle",
}


TOGETHER = "all together"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    name: str
    size: str
    chips: Chips


def evaluate(
    config: Path,
    out: Path,
    *,
    network_file: Path | None,
    seed: int | None,
    data_dir: Path | None,
    progress: Reporter,
) -> dict[str, Any]:
    """Draw chips with each effect of the section ``variation`` alone and with all of them, and write the table.

    Returns
    -------
    The content of ``results.json``.
    """
    setup = load_setup(config, seed)
    dataset = load(setup.config.network.dataset, data_dir)
    chosen = setup.config.variation
    everything = Variation(**{name: getattr(chosen, name) for name in MEANING})
    options = ChipOptions(recalibrate=chosen.recalibrate == "outputs")
    with staged_folder(out) as folder:
        if network_file is None:
            network = make_networks(setup, dataset, progress, with_float=False).level_network
        else:
            network = load_network(network_file)
        mapped = on_tiles(setup, network, level_set_of(setup))

        def row(name: str, size: str, variation: Variation, how: ChipOptions, chips: int) -> _Row:
            found = monte_carlo(
                mapped,
                setup.array,
                readout_of(setup),
                dataset,
                variation,
                how,
                chips=chips,
                seed=setup.config.seed,
                progress=lambda done, total, message: progress(done, total, f"{name}: {message}"),
            )
            return _Row(name=name, size=size, chips=found)

        rows = [row("as meant", "", Variation(), replace(options, recalibrate=False), 1)]
        active = {name: value for name, value in asdict(everything).items() if value}
        for name, value in active.items():
            rows.append(
                row(MEANING[name], f"{100 * value:g} %", Variation(**{name: value}), options, chosen.chips)
            )
        if len(active) > 1:
            rows.append(row(TOGETHER, "", everything, options, chosen.chips))
        results: dict[str, Any] = {
            "config": setup.config.model_dump(mode="json"),
            "seed": setup.config.seed,
            "digital": network.accuracy(dataset.test_images, dataset.test_labels),
            "images": len(dataset.test_labels),
            "interval": "Wilson, 95 %, of the mean accuracy over the test images",
            "rows": [
                {
                    "effect": one.name,
                    "size": one.size,
                    "accuracies": list(one.chips.accuracies),
                    "mean": one.chips.mean,
                    "deviation": one.chips.deviation,
                    "interval": list(one.chips.interval),
                }
                for one in rows
            ],
        }
        cells = [_cells(one) for one in rows]
        (folder / "chips.csv").write_text(
            csv_text(
                ["effect", "size", "chip", "accuracy"],
                [
                    [one.name, one.size, number, accuracy]
                    for one in rows
                    for number, accuracy in enumerate(one.chips.accuracies, start=1)
                ],
            ),
            encoding="utf-8",
        )
        drawn = {"chips": figures.chips(results["rows"])}
        (folder / "figures").mkdir()
        for name, svg in drawn.items():
            (folder / "figures" / f"{name}.svg").write_text(svg, encoding="utf-8")
        (folder / "report.html").write_text(_page(results, cells, drawn), encoding="utf-8")
        results["files"] = ["chips.csv", *(f"figures/{name}.svg" for name in drawn), "report.html", RESULTS]
        (folder / RESULTS).write_text(json.dumps(results, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    table = TerminalTable(title="Accuracy through the circuit", title_justify="left")
    for head in _HEADS:
        table.add_column(head)
    for line in cells:
        table.add_row(*line)
    progress.say(table)
    progress.say(f"Report: {out / 'report.html'}")
    return results


_HEADS = ("effect", "size", "mean", "chip to chip", "95 % interval", "worst chip")


def _cells(row: _Row) -> list[str]:
    chips = row.chips
    low, high = chips.interval
    several = len(chips.accuracies) > 1
    return [
        row.name,
        row.size,
        percent(chips.mean),
        f"{100 * chips.deviation:.2f} points" if several else "-",
        f"{100 * low:.2f} to {100 * high:.2f} %",
        percent(min(chips.accuracies)) if several else "-",
    ]


def _largest(first: dict[str, Any], alone: list[dict[str, Any]]) -> list[Answer]:
    """The effect that costs most when it acts alone."""
    if not alone:
        return []
    worst = min(alone, key=lambda row: row["mean"])
    lost = 100 * (first["mean"] - worst["mean"])
    return [
        Answer("largest cause of loss", f"{lost:.2f} points", f"{worst['effect']} {worst['size']}, alone")
    ]


def _page(results: dict[str, Any], cells: list[list[str]], drawn: dict[str, str]) -> str:
    first, *alone = [row for row in results["rows"] if row["effect"] != TOGETHER]
    last = results["rows"][-1]
    variation = results["config"]["variation"]
    sentences = [
        "Each effect is drawn alone, then all of them together; every chip has its own draw, and its columns are "
        "calibrated where the configuration says so.",
    ]
    if variation["recalibrate"] == "outputs":
        sentences.append(
            "Gain and offset of every output were fitted anew on each chip, on 2000 training images."
        )
    page = Page(
        title="many chips",
        question="What is left of the accuracy on chips that differ?",
        subtitle=f"{variation['chips']} chips per line, seed {results['seed']}, {results['images']} test images.",
        answers=[
            Answer("digital", percent(results["digital"]), "on the device's levels"),
            Answer("as meant", percent(results["rows"][0]["mean"]), "through the circuit, no variation"),
            Answer(
                last["effect"],
                percent(last["mean"]),
                f"± {100 * last['deviation']:.2f} points from chip to chip",
            ),
            *_largest(first, alone),
        ],
        sentences=sentences,
        warnings=[],
        sections=[
            Section(
                "Accuracy through the circuit",
                text=[f"Interval: {results['interval']}."],
                tables=[Table([Column(head, head not in ("effect", "size")) for head in _HEADS], cells)],
                figures=[Caption("chips", "Each chip (points), and the mean with its 95 % interval.")],
            ),
            Section(
                "Configuration",
                details=[Detail("Configuration", code=json.dumps(results["config"], indent=2))],
            ),
        ],
        figures=drawn,
    )
    return page.html()
