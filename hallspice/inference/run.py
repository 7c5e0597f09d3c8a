"""`hallspice run`: from a configuration to accuracy, energy, certificate and report."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from circuits.workers import cores
from compact_model.cards.inputs import remembered
from hallspice import results
from hallspice.characterisation import figures as device_figures
from hallspice.config.load import load_setup
from hallspice.config.source import AnyConfig
from hallspice.files import staged_folder
from hallspice.inference import figures
from hallspice.inference import uncertainty as propagation
from hallspice.inference.collect import results_of
from hallspice.inference.examination import Examination, build, examine, unevaluated, write_plan
from hallspice.inference.findings import say
from hallspice.inference.page import page_of
from hallspice.inference.results import InferenceResults
from hallspice.networks import figures as network_figures
from hallspice.networks.datasets import dataset_of
from hallspice.networks.results import History
from hallspice.page.csv_text import csv_text
from hallspice.progress import SILENT, Reporter

FILES = (
    "network.npz",
    "levels.csv",
    "training.csv",
    "confusion.csv",
    "energy.csv",
    "ir_drop.csv",
    "certificate.csv",
    "netlists/*.cir",
    "report.html",
    "figures/*.svg",
)
"""Names of the files in the folder, beside the index."""


@remembered()
def run(
    config: AnyConfig,
    out: str | Path | None = None,
    *,
    seed: int | None = None,
    data_dir: Path | None = None,
    network_file: Path | None = None,
    uncertainty: int = 0,
    progress: Reporter = SILENT,
) -> InferenceResults:
    """Train a network, map it to arrays, evaluate it through the circuit, and check it in ngspice.

    Parameters
    ----------
    config
        YAML file, the same as a dict, or a `Config`.
    out
        Folder for report, tables and ``results.json``; None: nothing is written.
    seed
        Replaces that of the configuration.
    data_dir
        Folder of the data set's files; None: where it is installed, or from the internet.
    network_file
        ``network.npz`` of an earlier training; None: what the configuration says.
    uncertainty
        Evaluate again on that many cards drawn from the errors of a fitted card.
    progress
        Told how far it is, and what was found.

    Raises
    ------
    DocumentError
        With every mistake of the configuration: its line, or its key, and what is allowed.
    """
    setup = load_setup(config, seed)
    if what := unevaluated(setup):
        raise ValueError(f"{setup.source} array.architecture: {what}")
    if uncertainty:
        propagation.check(setup)
    plan = write_plan(setup)
    with staged_folder(out, names=FILES) as folder:
        dataset = dataset_of(setup, data_dir)
        on_arrays, subject = build(setup, dataset, progress, workers=cores(), network_file=network_file)
        found = examine(on_arrays, subject, plan, folder / "netlists", progress, workers=cores())
        if uncertainty:
            drawn = propagation.propagate(on_arrays, uncertainty, cores(), progress)
            found = dataclasses.replace(found, uncertainty=drawn)
        if subject.network is not None:
            subject.network.save(folder / "network.npz")
        said = results_of(found, setup.source.name)
        page = page_of(said, _figures(said, found, dataset.names))
        written = results.write(folder, said, page=page, tables=_tables(said, found))
    if out is None:
        return said
    say(progress, written, Path(out))
    return written


def _figures(said: InferenceResults, found: Examination, classes: Sequence[str]) -> dict[str, str]:
    setup, device, accuracy = found.on_arrays.setup, said.device, said.accuracy
    through = ", through the circuit" if setup.config.network.circuit_epochs else ""
    curves = {
        name: history.test_accuracy
        for name, history in _histories(said, (f"device levels{through}", "float weights")).items()
    }
    shown = {cause.name: cause.accuracy for cause in accuracy.causes if cause.key != "untrimmed"}
    if accuracy.float_ is not None:
        shown = {"float weights": accuracy.float_, **shown}
    drawn = {"training": network_figures.training_curve(curves)} if curves else {}
    return drawn | {
        "levels": device_figures.levels(
            np.array(device.levels_ohm),
            np.array(device.levels_model_ohm),
            np.array(device.levels_paper_ohm),
            np.array(device.ladder_a),
        ),
        "causes": figures.causes(list(shown), np.array(list(shown.values())), accuracy.images),
        "confusion": network_figures.confusion(found.evaluation.confusion, classes),
        "energy": figures.energy(said.energy_per_inference_j.parts),
        "ir_drop": figures.ir_drop(found.drop, setup.v_cell),
    }


def _tables(said: InferenceResults, found: Examination) -> dict[str, str]:
    device, confusion, drop = said.device, found.evaluation.confusion, found.drop
    checked = [
        (one.name, one.shape, one.vectors, one.relative_difference) for one in said.certificate.checked
    ]
    levels = zip(device.levels_ohm, device.levels_normalised, strict=True)
    return {
        "levels.csv": csv_text(
            ["level", "levels_ohm", "weight"], [(number, *level) for number, level in enumerate(levels)]
        ),
        **_training_csv(_histories(said, ("levels", "float_"))),
        "confusion.csv": csv_text([f"predicted_{c}" for c in range(len(confusion))], confusion.tolist()),
        "energy.csv": csv_text(
            ["part", "energy_per_inference_j"], list(said.energy_per_inference_j.parts.items())
        ),
        "ir_drop.csv": csv_text([f"v_column_{c}_v" for c in range(drop.shape[1])], drop.tolist()),
        "certificate.csv": csv_text(["tile", "cells", "vectors", "relative_difference"], checked),
    }


def _histories(said: InferenceResults, names: tuple[str, str]) -> dict[str, History]:
    """Trainings of the network on levels and of the one of float weights, where there were any, by these names."""
    found = said.network.history
    both = () if found is None else zip(names, (found.levels, found.float_), strict=True)
    return {name: history for name, history in both if history is not None}


def _training_csv(histories: dict[str, History]) -> dict[str, str]:
    """The file of the trainings, where there were any."""
    if not histories:
        return {}
    named = {
        f"{network}_{name}": series
        for network, history in histories.items()
        for name, series in history.model_dump().items()
    }
    # Training through the circuit has its own number of epochs.
    lines = itertools.zip_longest(*named.values(), fillvalue="")
    text = csv_text(["epoch", *named], [[epoch, *values] for epoch, values in enumerate(lines, start=1)])
    return {"training.csv": text}
