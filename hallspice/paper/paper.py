"""`hallspice paper`: the published networks with the paper's recipe, with a good one, and through the circuit."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, replace
from pathlib import Path

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
from hallspice import results
from hallspice.config.setup import array_of
from hallspice.files import staged_folder
from hallspice.networks import figures
from hallspice.networks.kept import trained
from hallspice.networks.results import TrainingRecipe
from hallspice.page.csv_text import csv_text
from hallspice.paper.page import HEADS, NAMES, SETS, page_of, row_cells, say
from hallspice.paper.results import PaperResults, PaperRow
from hallspice.paper.score import PUBLISHED, score
from hallspice.progress import Reporter
from hallspice.results import versions_of
from nn_mapping.accuracy import confusion_matrix, evaluate
from nn_mapping.column_readout import Readout
from nn_mapping.data import Dataset, class_names, load_dataset
from nn_mapping.levels import LevelSet, pair_levels, single_levels
from nn_mapping.mapping import map_network
from nn_mapping.recipes import GOOD, GOOD_CLOTHES, PAPER, Recipe
from nn_mapping.trained import TrainedNetwork

FILES = ("accuracy.csv", "curves.csv", "report.html", "figures/*.svg")
"""Names of the files in the folder, beside the index."""


LAYERS = (784, 256, 128, 10)
SHORT_RECIPE_EPOCHS = 20
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
) -> PaperResults:
    """Train every network of the paper's section on networks, evaluate them, and write the report into `out`.

    Parameters
    ----------
    seeds
        Independent trainings of each network: seeds 1, 2, ...
    quick
        One epoch on a few images: shows that everything runs, its figures mean nothing.
    """
    levels_ohm = synapse.levels(load_card())
    sets = level_sets(levels_ohm)
    datasets = {
        name: _data(name, data_dir, quick) for name in SETS
    }  # a missing set is found before hours of work
    plan = trainings(seeds, quick=quick)
    with staged_folder(out, names=FILES) as folder:
        networks = _train_all(plan, sets, data_dir, quick, progress)
        circuit = _through_the_circuit(plan, networks, sets, datasets, progress)
        found = _results(plan, networks, circuit, datasets, sets, seeds, quick)
        page = page_of(found, _figures(networks, datasets))
        written = results.write(folder, found, page=page, tables=_tables(found, networks))
    say(progress, written, out)
    return written


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
) -> PaperResults:
    rows = []
    for dataset in SETS:
        for weights in WEIGHTS:
            mine = [task for task in plan if (task.dataset, task.weights) == (dataset, weights)]
            last = {task: 100 * networks[task].history["test_accuracy"][-1] for task in mine}
            rows.append(
                PaperRow(
                    dataset=dataset,
                    weights=weights,
                    published_percent=PUBLISHED.get((dataset, weights), ()),
                    paper_recipe_percent=tuple(
                        a for task, a in last.items() if task.recipe.name == PAPER.name
                    ),
                    good_recipe_percent=tuple(
                        a for task, a in last.items() if task.recipe.name != PAPER.name
                    ),
                    circuit_percent=tuple(100 * circuit[task][0] for task in mine if task in circuit),
                )
            )
    confusions = {}
    for task in plan:
        if task.seed == 1 and task.weights != "pair":
            data = datasets[task.dataset]
            matrix = confusion_matrix(data.test_labels, networks[task].predict(data.test_images), LAYERS[-1])
            confusions[f"{task.dataset} {task.weights} {task.recipe.name}"] = matrix.tolist()
            if task in circuit:
                confusions[f"{task.dataset} {task.weights} circuit"] = circuit[task][1].tolist()
    return PaperResults(
        versions=versions_of("numpy", "torch"),
        seeds=seeds,
        quick=quick,
        layers=LAYERS,
        rows=tuple(rows),
        facts=score(rows, sets["six"].weights, LAYERS, PAPER),
        recipes={recipe.name: TrainingRecipe.of(recipe) for recipe in (PAPER, GOOD, GOOD_CLOTHES)},
        pair_epochs=SHORT_RECIPE_EPOCHS,
        confusion=confusions,
        warnings=("a quick run on a few images: its figures mean nothing.",) if quick else (),
    )


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


def _tables(found: PaperResults, networks: Mapping[Training, TrainedNetwork]) -> dict[str, str]:
    curves = [
        [task.dataset, task.weights, task.recipe.name, task.seed, epoch, *values]
        for task, network in networks.items()
        for epoch, values in enumerate(zip(*network.history.values(), strict=True), start=1)
    ]
    return {
        "accuracy.csv": csv_text(
            [head.replace(" ", "_") for head in HEADS], [row_cells(row) for row in found.rows]
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
