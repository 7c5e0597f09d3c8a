"""`hallspice evaluate`: one network on many chips."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table as TerminalTable

from compact_model.constants import REFERENCE_TEMPERATURE
from compact_model.retention import retained_levels
from hallspice.config.load import load_setup
from hallspice.config.setup import Setup
from hallspice.files import RESULTS, staged_folder
from hallspice.networks import figures
from hallspice.networks.kept import level_set_of, make_networks, on_tiles, readout_of
from hallspice.networks.page import HEADS, TOGETHER, Row, page_of, row_cells
from hallspice.page.tables import csv_text
from hallspice.progress import Reporter
from nn_mapping.chips import ChipOptions, Variation, monte_carlo
from nn_mapping.data import class_names, load_dataset
from nn_mapping.trained import load_network

MEANING = {
    "spread_of_window": "spread of the cells, share of the window",
    "spread_of_r": "spread of the cells, share of R",
    "mismatch": "mismatch of channels and arms",
    "r_off_spread": "spread of the misalignment resistance",
    "read_noise": "noise of every read, share of the window",
    "stuck_low": "cells stuck at the lowest level",
    "stuck_high": "cells stuck at the highest level",
    "drift": "common drift of R",
    "relaxation": "relaxation towards the middle",
    "warming": "warmer or colder than calibrated",
    "levels_after": "time since writing",
}


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
    dataset = load_dataset(setup.config.network.dataset, data_dir)
    chosen = setup.config.variation
    effects = _effects(setup)
    options = ChipOptions(
        recalibrate=chosen.recalibrate == "outputs", tcr=setup.card.transport.tcr_material.value
    )
    with staged_folder(out) as folder:
        if network_file is None:
            network = make_networks(setup, dataset, progress, with_float=False).level_network
        else:
            network = load_network(network_file)
        mapped = on_tiles(setup, network, level_set_of(setup))

        def row(
            name: str,
            size: str,
            values: dict[str, Any],
            how: ChipOptions,
            chips: int,
            only: int | None = None,
        ) -> Row:
            found = monte_carlo(
                mapped,
                setup.array,
                readout_of(setup),
                dataset,
                Variation(**values),
                how,
                chips=chips,
                seed=setup.config.seed,
                only=only,
                progress=lambda done, total, message: progress(done, total, f"{name}: {message}"),
            )
            return Row(name=name, size=size, chips=found)

        rows = [row("as meant", "", {}, replace(options, recalibrate=False), 1)]
        causes = [(effect.name, effect.size, effect.values) for effect in effects]
        if len(effects) > 1:
            everything = {key: value for effect in effects for key, value in effect.values.items()}
            causes.append((TOGETHER, "", everything))
        rows += [row(*cause, options, chosen.chips) for cause in causes]
        by_layer = [
            [row(*cause, options, chosen.chips, only=layer) for layer in range(len(network.layers))]
            for cause in causes
            if chosen.by_layer
        ]
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
            "points_lost_by_layer": [
                {
                    "effect": layers[0].name,
                    "size": layers[0].size,
                    "layers": [100 * (rows[0].chips.mean - one.chips.mean) for one in layers],
                    "all": 100 * (rows[0].chips.mean - rows[number].chips.mean),
                }
                for number, layers in enumerate(by_layer, start=1)
            ],
            "confusion": {one.name: one.chips.confusion.tolist() for one in (rows[0], rows[-1])},
        }
        cells = [row_cells(one) for one in rows]
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
        names = class_names(setup.config.network.dataset)
        drawn = {
            "chips": figures.chips(results["rows"]),
            "confusion_meant": figures.confusion(rows[0].chips.confusion, names),
        }
        if len(rows) > 1:
            drawn["confusion_last"] = figures.confusion(rows[-1].chips.confusion, names)
        (folder / "figures").mkdir()
        for name, svg in drawn.items():
            (folder / "figures" / f"{name}.svg").write_text(svg, encoding="utf-8")
        (folder / "report.html").write_text(page_of(results, cells, drawn), encoding="utf-8")
        results["files"] = ["chips.csv", *(f"figures/{name}.svg" for name in drawn), "report.html", RESULTS]
        (folder / RESULTS).write_text(json.dumps(results, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    table = TerminalTable(title="Accuracy through the circuit", title_justify="left")
    for head in HEADS:
        table.add_column(head)
    for line in cells:
        table.add_row(*line)
    progress.say(table)
    progress.say(f"Report: {out / 'report.html'}")
    return results


@dataclass(frozen=True, slots=True, kw_only=True)
class _Effect:
    name: str
    size: str
    values: dict[str, Any]


def _effects(setup: Setup) -> list[_Effect]:
    """What the configuration lets vary, one by one."""
    chosen, cell = setup.config.variation, setup.config.array.cell
    shares = {name: getattr(chosen, name) for name in MEANING if hasattr(chosen, name)}
    shares["mismatch"] = cell.mismatch
    found = [
        _Effect(name=MEANING[name], size=f"{100 * shares[name]:g} %", values={name: shares[name]})
        for name in MEANING
        if shares.get(name)
    ]

    def add(name: str, size: str, value: Any) -> None:
        found.append(_Effect(name=MEANING[name], size=size, values={name: value}))

    if cell.r_off_spread:
        add("r_off_spread", f"{cell.r_off_spread:g} ohm", cell.r_off_spread)
    if chosen.temperature != REFERENCE_TEMPERATURE:
        add("warming", f"{chosen.temperature:g} K", chosen.temperature - REFERENCE_TEMPERATURE)
    if chosen.t_retention:
        after = retained_levels(setup.card, setup.levels_ohm, chosen.t_retention, chosen.temperature)
        kept = level_set_of(setup).levels_ohm  # binary weights use two of the levels
        size = f"{chosen.t_retention:.3g} s at {chosen.temperature:g} K"
        add("levels_after", size, tuple(np.interp(kept, setup.levels_ohm, after).tolist()))
    return found
