"""`hallspice run`: from a configuration to accuracy, energy, certificate and report."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from circuits.arrays.architecture import Architecture
from circuits.workers import cores
from circuits.write.writing import Writing
from compact_model.hallbar import hall_bar
from compact_model.numeric import Floats
from hallspice.characterisation import figures as device_figures
from hallspice.config.load import load_setup
from hallspice.config.setup import Setup
from hallspice.files import RESULTS, staged_folder
from hallspice.inference import figures
from hallspice.inference import uncertainty as propagation
from hallspice.inference.chip import Chip
from hallspice.inference.findings import say
from hallspice.inference.losses import accuracy_losses
from hallspice.inference.page import report_html
from hallspice.inference.results import results_of
from hallspice.networks import figures as network_figures
from hallspice.networks.kept import Networks, make_networks, on_tiles
from hallspice.page import style
from hallspice.page.style import percent
from hallspice.page.tables import csv_text
from hallspice.programming.plan import programmed_network, writing
from hallspice.progress import Reporter
from nn_mapping.accuracy import Evaluation
from nn_mapping.data import Dataset, class_names, load_dataset
from nn_mapping.tiles import solve_network

EVALUATED = (Architecture.ACTIVE_PARALLEL, Architecture.ACTIVE_SERIES, Architecture.RESISTIVE)
"""Architectures that networks are evaluated on: one scale for all tiles, currents out of every column at once."""


def run(
    config: Path,
    out: Path,
    *,
    seed: int | None,
    data_dir: Path | None,
    progress: Reporter,
    uncertainty: int = 0,
) -> dict[str, Any]:
    """Do everything that a configuration asks for, and write the results into `out`.

    With `uncertainty` above 0, evaluate again on that many cards drawn from the errors of a fitted card.

    Returns
    -------
    The content of ``results.json``.
    """
    setup = load_setup(config, seed)
    if what := unevaluated(setup):
        raise ValueError(f"{config} array.architecture: {what}")
    if uncertainty:
        propagation.check(setup)
    plan = write_plan(setup)
    with staged_folder(out) as folder:
        dataset = load_dataset(setup.config.network.dataset, data_dir)
        chip, networks = build(setup, dataset, progress, workers=cores())
        results, evaluation, drop = examine(
            chip, networks, plan, folder / "netlists", progress, workers=cores()
        )
        results["config_file"] = config.name
        if uncertainty:
            found = propagation.propagate(chip, networks.levels, uncertainty, cores(), progress)
            results["uncertainty"] = found
            results["findings"].append(propagation.sentence(found))
        drawn = _figures(results, chip, networks, evaluation, drop)
        _write(folder, results, networks, evaluation, drop, drawn)
    say(progress, results, out)
    return results


def unevaluated(setup: Setup) -> str:
    """Why networks are not evaluated on the configured architecture; empty when they are."""
    if setup.array.architecture in EVALUATED:
        return ""
    return (
        f"{setup.array.architecture} has no evaluation of networks, allowed: {', '.join(EVALUATED)}. "
        "`hallspice read` and `hallspice compare` take every architecture."
    )


def write_plan(setup: Setup) -> Writing | None:
    """How the tiles are programmed; None when the configuration takes ideal states."""
    return writing(setup, hall_bar(setup.card)) if setup.config.write.states == "programmed" else None


def build(setup: Setup, dataset: Dataset, progress: Reporter, *, workers: int) -> tuple[Chip, Networks]:
    """Train the networks (or take them from the cache), map them to tiles, and solve the tiles."""
    networks = make_networks(setup, dataset, progress)
    mapped = on_tiles(setup, networks.level_network, networks.levels)
    mismatches = [setup.mismatch(tile.states.shape, number) for number, tile in enumerate(mapped.tiles)]
    solved = solve_network(
        mapped,
        setup.array,
        mismatches,
        exact=setup.config.array.exact,
        workers=workers,
        progress=_named(progress, "solving tiles"),
    )
    return Chip(setup=setup, dataset=dataset, mapped=mapped, solved=solved), networks


def examine(
    chip: Chip,
    networks: Networks,
    plan: Writing | None,
    netlists: Path,
    progress: Reporter,
    *,
    workers: int,
) -> tuple[dict[str, Any], Evaluation, Floats]:
    """Evaluate a chip, check it in ngspice, and program it when there is a `plan`.

    Returns
    -------
    tuple
        The results, the test images through the circuit, and the voltage across each cell of the largest tile [V].
    """
    progress(0, 3, "evaluating: test images through the circuit")
    evaluation = chip.evaluation()
    progress(1, 3, "evaluating: one cause at a time")
    causes = chip.causes()
    progress(2, 3, "evaluating: IR drop")
    drop = chip.ir_drop()
    progress(3, 3, "evaluating: done")
    certificate = chip.certificate(netlists, progress)
    results = results_of(chip, networks, evaluation, causes, certificate, drop)
    if plan is not None:
        _add_programmed(results, chip, plan, progress, workers)
    return results, evaluation, drop


def _add_programmed(
    results: dict[str, Any], chip: Chip, plan: Writing, progress: Reporter, workers: int
) -> None:
    """Write every tile, evaluate what was reached, and put both into the results."""
    written = programmed_network(chip.mapped, chip.setup, plan, progress)
    tiles = written.mapped.tiles
    mismatches = [chip.setup.mismatch(tile.states.shape, number) for number, tile in enumerate(tiles)]
    solved = solve_network(
        written.mapped,
        chip.setup.array,
        mismatches,
        exact=chip.setup.config.array.exact,
        workers=workers,
        progress=_named(progress, "solving written tiles"),
    )
    reached = dataclasses.replace(chip, mapped=written.mapped, solved=solved).evaluation()
    accuracy = results["accuracy"]
    accuracy["programmed"] = reached.accuracy
    accuracy["causes"].append(
        {
            "key": "programmed",
            "name": "everything, states as written",
            "accuracy": reached.accuracy,
            "meaning": "the circuit with the Hall resistances that programming reached",
        }
    )
    accuracy["losses"] = accuracy_losses(accuracy)
    results["write"]["programmed"] = written.summary(plan)
    failed = written.cells - written.written
    share = 100 * written.written / written.cells
    results["findings"].append(
        f"Programming ({plan.config.scheme}, {plan.recipe.algorithm}) brings {share:.2f} % of the cells to their "
        f"level ({failed} are given up) with {written.pulses / written.cells:.2f} pulses per cell and "
        f"{style.engineering(written.total_energy, 'J')}; with these states the accuracy is "
        f"{percent(reached.accuracy)}, {100 * (reached.accuracy - accuracy['circuit']):+.2f} points."
    )


def _named(progress: Reporter, name: str) -> Any:
    return lambda done, total, message: progress(done, total, f"{name}: {message}")


def _figures(
    results: Mapping[str, Any], chip: Chip, networks: Networks, evaluation: Evaluation, drop: Floats
) -> dict[str, str]:
    device = results["device"]
    through = ", through the circuit" if chip.setup.config.network.circuit_epochs else ""
    curves = {
        f"device levels{through}": networks.level_network.history["test_accuracy"],
        "float weights": networks.float_network.history["test_accuracy"],
    }
    accuracy = results["accuracy"]
    shown = [row for row in accuracy["causes"] if row["key"] != "untrimmed"]
    return {
        "levels": device_figures.levels(
            np.array(device["levels_ohm"]),
            np.array(device["levels_model_ohm"]),
            np.array(device["levels_paper_ohm"]),
            np.array(device["ladder_a"]),
        ),
        "training": network_figures.training_curve(curves),
        "causes": figures.causes(
            ["float weights", *(row["name"] for row in shown)],
            np.array([accuracy["float"], *(row["accuracy"] for row in shown)]),
            accuracy["images"],
        ),
        "confusion": network_figures.confusion(evaluation.confusion, class_names(chip.dataset.name)),
        "energy": figures.energy(chip.cost(evaluation).parts),
        "ir_drop": figures.ir_drop(drop, chip.setup.v_cell),
    }


def _write(
    folder: Path,
    results: dict[str, Any],
    networks: Networks,
    evaluation: Evaluation,
    drop: Floats,
    drawn: Mapping[str, str],
) -> None:
    device = results["device"]
    history = results["network"]["history"]
    energy_parts = [
        (name, value) for name, value in results["energy_per_inference_j"].items() if name != "total"
    ]
    tables = {
        "levels.csv": csv_text(
            ["level", "levels_ohm", "weight"],
            list(zip(range(99), device["levels_ohm"], device["levels_normalised"], strict=False)),
        ),
        "training.csv": _training_csv(history),
        "confusion.csv": csv_text(
            [f"predicted_{c}" for c in range(len(evaluation.confusion))], evaluation.confusion.tolist()
        ),
        "energy.csv": csv_text(["part", "energy_per_inference_j"], energy_parts),
        "ir_drop.csv": csv_text([f"v_column_{c}_v" for c in range(drop.shape[1])], drop.tolist()),
        "certificate.csv": csv_text(
            ["tile", "cells", "vectors", "relative_difference"],
            [list(row.values()) for row in results["certificate"]["checked"]],
        ),
    }
    for name, text in tables.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "figures").mkdir()
    for name, svg in drawn.items():
        (folder / "figures" / f"{name}.svg").write_text(svg, encoding="utf-8")
    networks.level_network.save(folder / "network.npz")
    (folder / "report.html").write_text(report_html(results, drawn), encoding="utf-8")
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    results["files"] = [*files, RESULTS]
    (folder / RESULTS).write_text(json.dumps(results, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _training_csv(history: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    named = {f"{network}_{name}": series for network, one in history.items() for name, series in one.items()}
    # Training through the circuit has its own number of epochs.
    lines = itertools.zip_longest(*named.values(), fillvalue="")
    return csv_text(["epoch", *named], [[epoch, *values] for epoch, values in enumerate(lines, start=1)])
