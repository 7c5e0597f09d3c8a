"""`hallspice paper`: the published networks with the paper's recipe, with a good one, and through the circuit."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import RenderableType

from circuits.arrays.architecture import Architecture
from circuits.arrays.config import ArrayConfig
from circuits.periphery import load_periphery
from circuits.solve.transfer import transfers
from circuits.workers import worker_processes
from compact_model import synapse
from compact_model.cards.device import load_card
from compact_model.numeric import Floats
from hallspice.config.setup import array_of
from hallspice.files import RESULTS, staged_folder
from hallspice.networks import figures
from hallspice.networks.kept import trained
from hallspice.page.tables import csv_text
from hallspice.paper.page import HEADS, NAMES, SETS, page_of, row_cells, say
from hallspice.progress import Reporter
from nn_mapping.accuracy import Readout, confusion_matrix, evaluate
from nn_mapping.data import Dataset, class_names, load_dataset
from nn_mapping.levels import LevelSet, pair_levels, single_levels
from nn_mapping.mapping import map_network
from nn_mapping.recipes import GOOD, GOOD_CLOTHES, PAPER, Recipe
from nn_mapping.trained import TrainedNetwork

LAYERS = (784, 256, 128, 10)
SHORT_RECIPE_EPOCHS = 20
PUBLISHED: dict[tuple[str, str], tuple[float, ...]] = {
    ("mnist", "float"): (98.79,),
    ("mnist", "six"): (95.21,),
    ("mnist", "binary"): (90.88,),
    ("fashion-mnist", "six"): (86.0, 87.0),
}
"""Accuracies in percent (arXiv:2601.16222, section 4, abstract and summary: both 86 and 87 are printed)."""
PUBLISHED_WEIGHTS = (-1.0, 0.083, 0.333, 0.583, 0.75, 1.0)
WEIGHTS = ("float", "six", "binary", "pair")
QUICK_IMAGES = (3000, 500)


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One network of the reproduction."""

    dataset: str
    weights: str
    recipe: Recipe
    seed: int

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.dataset}, {self.weights}, {self.recipe.name}, seed {self.seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    training: Training
    levels: Floats | None
    data_dir: Path | None
    quick: bool


class _Silent:
    """A worker process has no terminal."""

    def __call__(self, done: int, total: int, message: str) -> None:
        """Nothing."""

    def say(self, what: RenderableType) -> None:
        """Nothing."""


def reproduce(
    out: Path, *, seeds: int, data_dir: Path | None, quick: bool, progress: Reporter
) -> dict[str, Any]:
    """Train every network of the paper's section on networks, evaluate them, and write the report into `out`.

    Parameters
    ----------
    seeds
        Independent trainings of each network: seeds 1, 2, ...
    quick
        One epoch on a few images: shows that everything runs, its figures mean nothing.

    Returns
    -------
    The content of ``results.json``.
    """
    levels_ohm = synapse.levels(load_card())
    sets = level_sets(levels_ohm)
    datasets = {
        name: _data(name, data_dir, quick) for name in SETS
    }  # a missing set is found before hours of work
    plan = trainings(seeds, quick=quick)
    with staged_folder(out) as folder:
        networks = _train_all(plan, sets, data_dir, quick, progress)
        circuit = _through_the_circuit(plan, networks, sets, datasets, progress)
        results = _results(plan, networks, circuit, datasets, sets, seeds, quick)
        drawn = _figures(networks, datasets)
        _write(folder, results, networks, drawn)
    say(progress, results, out)
    return results


def level_sets(levels_ohm: Floats) -> dict[str, LevelSet]:
    """Level sets of the device: six states, its two outermost, and pairs of six."""
    return {
        "six": single_levels(levels_ohm),
        "binary": single_levels(levels_ohm[[0, -1]]),
        "pair": pair_levels(levels_ohm),
    }


def trainings(seeds: int, *, quick: bool = False) -> list[Training]:
    """All networks: each data set and kind of weights, with the paper's recipe and a good one."""
    plan = []
    for seed in range(1, seeds + 1):
        for dataset in SETS:
            good = GOOD_CLOTHES if dataset == "fashion-mnist" else GOOD
            for weights in WEIGHTS:
                chosen = (replace(good, epochs=SHORT_RECIPE_EPOCHS),) if weights == "pair" else (PAPER, good)
                for recipe in chosen:
                    used = replace(recipe, epochs=1) if quick else recipe
                    plan.append(Training(dataset=dataset, weights=weights, recipe=used, seed=seed))
    return plan


def _data(name: str, data_dir: Path | None, quick: bool) -> Dataset:
    # MNIST is shipped: a folder given for the other set need not hold it
    shipped = name == "mnist" and (data_dir is None or not (data_dir / name).is_dir())
    whole = load_dataset(name, None if shipped else data_dir)
    return whole.head(*QUICK_IMAGES) if quick else whole


def _train_one(job: _Job) -> TrainedNetwork:
    task = job.training
    dataset = _data(task.dataset, job.data_dir, job.quick)
    network, _ = trained(dataset, LAYERS, job.levels, task.recipe, task.seed, _Silent(), task.name)
    return network


def _train_all(
    plan: Sequence[Training],
    sets: Mapping[str, LevelSet],
    data_dir: Path | None,
    quick: bool,
    progress: Reporter,
) -> dict[Training, TrainedNetwork]:
    jobs = [
        _Job(
            training=task,
            levels=sets[task.weights].weights if task.weights in sets else None,
            data_dir=data_dir,
            quick=quick,
        )
        for task in plan
    ]
    found: dict[Training, TrainedNetwork] = {}
    progress(0, len(jobs), "training: two at a time; networks of earlier runs are reused")
    # Each training uses one thread, so that a seed gives the same network everywhere; processes use the cores.
    with worker_processes(min(2, os.cpu_count() or 1)) as pool:
        futures = {pool.submit(_train_one, job): job.training for job in jobs}
        for future in as_completed(futures):
            found[futures[future]] = future.result()
            progress(len(found), len(jobs), f"training: {futures[future].name}")
    return found


def _array() -> tuple[ArrayConfig, Readout]:
    card, periphery = load_card(), load_periphery()
    config = array_of(Architecture.ACTIVE_PARALLEL, card, periphery)
    return config, Readout(v_full=periphery.read.i_read.value * config.r_channel)


def _through_the_circuit(
    plan: Sequence[Training],
    networks: Mapping[Training, TrainedNetwork],
    sets: Mapping[str, LevelSet],
    datasets: Mapping[str, Dataset],
    progress: Reporter,
) -> dict[Training, tuple[float, npt.NDArray[np.intp]]]:
    config, readout = _array()
    found = {}
    tasks = [task for task in plan if task.recipe.name != PAPER.name and task.weights in sets]
    for number, task in enumerate(tasks):
        progress(number, len(tasks), f"through the circuit: {task.name}")
        mapped = map_network(networks[task], sets[task.weights], 64, 64)
        matrices = [transfers(tile.states, config).matrices[0] for tile in mapped.tiles]
        result = evaluate(mapped, matrices, config, readout, datasets[task.dataset], task.seed)
        found[task] = (result.accuracy, result.confusion)
    progress(len(tasks), len(tasks), "through the circuit: done")
    return found


def _results(
    plan: Sequence[Training],
    networks: Mapping[Training, TrainedNetwork],
    circuit: Mapping[Training, tuple[float, npt.NDArray[np.intp]]],
    datasets: Mapping[str, Dataset],
    sets: Mapping[str, LevelSet],
    seeds: int,
    quick: bool,
) -> dict[str, Any]:
    rows = []
    for dataset in SETS:
        for weights in WEIGHTS:
            mine = [task for task in plan if (task.dataset, task.weights) == (dataset, weights)]
            last = {task: 100 * networks[task].history["test_accuracy"][-1] for task in mine}
            rows.append(
                {
                    "dataset": dataset,
                    "weights": weights,
                    "published_percent": list(PUBLISHED.get((dataset, weights), ())),
                    "paper_recipe_percent": [a for task, a in last.items() if task.recipe.name == PAPER.name],
                    "good_recipe_percent": [a for task, a in last.items() if task.recipe.name != PAPER.name],
                    "circuit_percent": [100 * circuit[task][0] for task in mine if task in circuit],
                }
            )
    confusions = {}
    for task in plan:
        if task.seed == 1 and task.weights != "pair":
            data = datasets[task.dataset]
            matrix = confusion_matrix(data.test_labels, networks[task].predict(data.test_images), LAYERS[-1])
            confusions[f"{task.dataset} {task.weights} {task.recipe.name}"] = matrix.tolist()
            if task in circuit:
                confusions[f"{task.dataset} {task.weights} circuit"] = circuit[task][1].tolist()
    return {
        "created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "versions": {name: version(name) for name in ("hallspice", "numpy", "torch")},
        "seeds": seeds,
        "quick": quick,
        "layers": list(LAYERS),
        "rows": rows,
        "facts": score(rows, sets["six"].weights, LAYERS, PAPER),
        "recipes": {recipe.name: asdict(recipe) for recipe in (PAPER, GOOD, GOOD_CLOTHES)},
        "pair_epochs": SHORT_RECIPE_EPOCHS,
        "confusion": confusions,
        "warnings": ["a quick run on a few images: its figures mean nothing."] if quick else [],
    }


def score(
    rows: Sequence[Mapping[str, Any]], weights: Floats, layers: Sequence[int], recipe: Recipe
) -> list[dict[str, str]]:
    """Facts 47 to 50 of the table of published facts: what the paper states, what was found, the outcome."""
    mean = {
        (row["dataset"], row["weights"]): float(np.mean(row["paper_recipe_percent"]))
        for row in rows
        if row["paper_recipe_percent"]
    }
    digits = [mean["mnist", kind] for kind in ("float", "six", "binary")]
    wanted = [PUBLISHED["mnist", kind][0] for kind in ("float", "six", "binary")]
    within = [abs(a - b) <= limit for a, b, limit in zip(digits, wanted, (0.5, 1.5, 3.0), strict=True)]
    clothes = mean["fashion-mnist", "six"]
    found: list[tuple[str, str, str, str, bool]] = [
        (
            "47",
            "six levels normalised to -1..1: -1, 0.083, 0.333, 0.583, 0.75, 1",
            ", ".join(f"{weight:.4g}" for weight in weights),
            "0.001",
            len(weights) == len(PUBLISHED_WEIGHTS)
            and bool(np.abs(weights - np.array(PUBLISHED_WEIGHTS)).max() <= 1e-3),
        ),
        (
            "48",
            "784-256-128-10, Adam 1e-3, batch 128, 50 epochs, weight decay",
            f"{'-'.join(map(str, layers))}, Adam {recipe.learning_rate:g}, batch {recipe.batch}, {recipe.epochs} "
            f"epochs, decay {recipe.weight_decay:g} (its size is assumed)",
            "exact",
            tuple(layers) == (784, 256, 128, 10)
            and (recipe.learning_rate, recipe.batch, recipe.epochs) == (1e-3, 128, 50)
            and recipe.weight_decay > 0,
        ),
        (
            "49",
            "MNIST 98.79 / 95.21 / 90.88 % (float, six, binary)",
            " / ".join(f"{value:.2f}" for value in digits) + " %",
            "0.5 / 1.5 / 3 points, in this order",
            all(within) and digits[0] > digits[1] > digits[2],
        ),
        (
            "50",
            "Fashion-MNIST six states 86 or 87 %, below MNIST",
            f"{clothes:.2f} % (MNIST {digits[1]:.2f} %)",
            "86.5 +- 1.5 points; sign",
            abs(clothes - 86.5) <= 1.5 and clothes < digits[1],
        ),
    ]
    return [
        {
            "number": number,
            "paper": paper,
            "found": value,
            "tolerance": tolerance,
            "outcome": "met" if met else "not met",
        }
        for number, paper, value, tolerance, met in found
    ]


def _figures(networks: Mapping[Training, TrainedNetwork], datasets: Mapping[str, Dataset]) -> dict[str, str]:
    drawn = {}
    for dataset in SETS:
        curves = {
            f"{NAMES[task.weights]}, {task.recipe.name}": networks[task].history["test_accuracy"]
            for task in networks
            if task.dataset == dataset
            and task.seed == 1
            and (task.recipe.name == PAPER.name or task.weights == "six")
        }
        drawn[f"{dataset}_curves"] = figures.training_curve(dict(sorted(curves.items())))
        for task, network in networks.items():
            if (
                task.dataset == dataset
                and task.seed == 1
                and task.recipe.name == PAPER.name
                and task.weights == "six"
            ):
                data = datasets[dataset]
                matrix = confusion_matrix(data.test_labels, network.predict(data.test_images), LAYERS[-1])
                drawn[f"{dataset}_confusion"] = figures.confusion(matrix, class_names(dataset))
    return drawn


def _write(
    folder: Path,
    results: dict[str, Any],
    networks: Mapping[Training, TrainedNetwork],
    drawn: Mapping[str, str],
) -> None:
    curves = [
        [task.dataset, task.weights, task.recipe.name, task.seed, epoch, *values]
        for task, network in networks.items()
        for epoch, values in enumerate(zip(*network.history.values(), strict=True), start=1)
    ]
    tables = {
        "accuracy.csv": csv_text(
            [head.replace(" ", "_") for head in HEADS], [row_cells(row) for row in results["rows"]]
        ),
        "curves.csv": csv_text(
            [
                "dataset",
                "weights",
                "recipe",
                "seed",
                "epoch",
                "train_loss",
                "train_accuracy",
                "test_accuracy",
            ],
            curves,
        ),
    }
    for name, text in tables.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "figures").mkdir()
    for name, svg in drawn.items():
        (folder / "figures" / f"{name}.svg").write_text(svg, encoding="utf-8")
    (folder / "report.html").write_text(page_of(results, drawn), encoding="utf-8")
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    results["files"] = [*files, RESULTS]
    (folder / RESULTS).write_text(json.dumps(results, indent=1, allow_nan=False) + "\n", encoding="utf-8")
