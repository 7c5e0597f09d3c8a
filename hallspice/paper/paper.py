"""`hallspice paper`: the published networks with two readings of their recipe, a good one, and through the circuit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import RenderableType

from circuits.arrays.architecture import Architecture
from circuits.arrays.config import ArrayConfig
from circuits.periphery import load_periphery
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
from hallspice.paper.page import NAMES, SETS, page_of, say
from hallspice.paper.results import LAST_EPOCHS, PaperResults, PaperRow
from hallspice.paper.score import PUBLISHED, score
from hallspice.progress import Reporter
from hallspice.results import versions_of
from nn_mapping.accuracy import confusion_matrix, evaluate
from nn_mapping.analog.chip_design import Chip, LayerOptions
from nn_mapping.analog.conversion import convert
from nn_mapping.analog.full_scales import calibrate
from nn_mapping.column_readout import Readout
from nn_mapping.data import Dataset, class_names, load_dataset
from nn_mapping.examples import Examples
from nn_mapping.levels import LevelSet, pair_levels, single_levels
from nn_mapping.recipes import GOOD, GOOD_CLOTHES, LITERAL, PAPER, Recipe
from nn_mapping.trained import TrainedNetwork

FILES = ("accuracy.csv", "curves.csv", "report.html", "figures/*.svg")
"""Names of the files in the folder, beside the index."""


LAYERS = (784, 256, 128, 10)
SHORT_RECIPE_EPOCHS = 20
WEIGHTS = ("float", "six", "binary", "pair")
RECIPES = {"paper": PAPER, "literal": LITERAL, "good": GOOD}
"""Rows of the table by their name; clothes have a good recipe of their own."""
QUICK_IMAGES = (3000, 500)


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One network of the reproduction."""

    dataset: str
    weights: str
    row: str
    """Key of `RECIPES`."""
    recipe: Recipe
    seed: int

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.dataset}, {self.weights}, {self.row}, seed {self.seed}"


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
    out: Path,
    *,
    seeds: Sequence[int],
    recipes: Sequence[str] = tuple(RECIPES),
    workers: int = 2,
    data_dir: Path | None = None,
    quick: bool = False,
    progress: Reporter,
) -> PaperResults:
    """Train every network of the paper's section on networks, evaluate them, and write the report into `out`.

    Parameters
    ----------
    seeds
        Of the independent trainings of each network.
    recipes
        Keys of `RECIPES`; the good recipe alone is evaluated through the circuit.
    workers
        Trainings at a time, one core each.
    quick
        One epoch on a few images: shows that everything runs, its figures mean nothing.
    """
    levels_ohm = synapse.levels(load_card())
    sets = level_sets(levels_ohm)
    datasets = {
        name: _data(name, data_dir, quick) for name in SETS
    }  # a missing set is found before hours of work
    plan = trainings(seeds, recipes, quick=quick)
    with staged_folder(out, names=FILES) as folder:
        networks = _train_all(plan, sets, data_dir, quick, workers, progress)
        circuit = _through_the_circuit(plan, networks, sets, datasets, progress)
        found = _results(plan, networks, circuit, datasets, sets, seeds, quick)
        page = page_of(found, _figures(plan, networks, datasets))
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


def trainings(
    seeds: Sequence[int], rows: Sequence[str] = tuple(RECIPES), *, quick: bool = False
) -> list[Training]:
    """All networks: each data set, recipe and kind of weights; what is not published with the good recipe alone."""
    plan = []
    for seed in seeds:
        for dataset in SETS:
            for row in (name for name in RECIPES if name in rows):
                base = GOOD_CLOTHES if (row, dataset) == ("good", "fashion-mnist") else RECIPES[row]
                for weights in WEIGHTS:
                    if row != "good" and weights != "float" and (dataset, weights) not in PUBLISHED:
                        continue
                    epochs = 1 if quick else SHORT_RECIPE_EPOCHS if weights == "pair" else base.epochs
                    plan.append(
                        Training(
                            dataset=dataset,
                            weights=weights,
                            row=row,
                            recipe=replace(base, epochs=epochs),
                            seed=seed,
                        )
                    )
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
    workers: int,
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
    progress(0, len(jobs), f"training: {workers} at a time; networks of earlier runs are reused")
    # Each training uses one thread, so that a seed gives the same network everywhere; processes use the cores.
    with worker_processes(workers) as pool:
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
    tasks = [task for task in plan if task.row == "good" and task.weights in sets]
    for number, task in enumerate(tasks):
        progress(number, len(tasks), f"through the circuit: {task.name}")
        chip = Chip(
            config=config,
            level_set=sets[task.weights],
            readout=readout,
            seed=task.seed,
            layers={"layer1": LayerOptions(input_full=1.0)},
        )
        arrays, _ = convert(networks[task].model(), chip)
        examples = Examples.of(datasets[task.dataset], networks[task].input_bits)
        calibrate(arrays, examples.calibration_batches())
        result = evaluate(arrays.eval(), examples)
        found[task] = (result.accuracy, result.confusion)
    progress(len(tasks), len(tasks), "through the circuit: done")
    return found


def _results(
    plan: Sequence[Training],
    networks: Mapping[Training, TrainedNetwork],
    circuit: Mapping[Training, tuple[float, npt.NDArray[np.intp]]],
    datasets: Mapping[str, Dataset],
    sets: Mapping[str, LevelSet],
    seeds: Sequence[int],
    quick: bool,
) -> PaperResults:
    rows = []
    for dataset, name, weights in dict.fromkeys((task.dataset, task.row, task.weights) for task in plan):
        mine = [task for task in plan if (task.dataset, task.row, task.weights) == (dataset, name, weights)]
        curves = [100 * np.array(networks[task].history["test_accuracy"]) for task in mine]
        rows.append(
            PaperRow(
                dataset=dataset,
                weights=weights,
                recipe=name,
                published_percent=PUBLISHED.get((dataset, weights), ()),
                last_percent=tuple(float(curve[-1]) for curve in curves),
                best_percent=tuple(float(curve.max()) for curve in curves),
                last_ten_percent=tuple(float(curve[-LAST_EPOCHS:].mean()) for curve in curves),
                circuit_percent=tuple(100 * circuit[task][0] for task in mine if task in circuit),
            )
        )
    confusions = {}
    for task in plan:
        if task.seed == seeds[0] and task.weights != "pair":
            data = datasets[task.dataset]
            matrix = confusion_matrix(data.test_labels, networks[task].predict(data.test_images), LAYERS[-1])
            confusions[f"{task.dataset} {task.weights} {task.row}"] = matrix.tolist()
            if task in circuit:
                confusions[f"{task.dataset} {task.weights} circuit"] = circuit[task][1].tolist()
    return PaperResults(
        versions=versions_of("numpy", "torch"),
        seeds=tuple(seeds),
        quick=quick,
        layers=LAYERS,
        rows=tuple(rows),
        facts=score(rows, sets["six"].weights, LAYERS, PAPER)
        if any(task.row == "paper" for task in plan)
        else (),
        recipes={task.recipe.name: TrainingRecipe.of(task.recipe) for task in plan if task.weights != "pair"},
        pair_epochs=SHORT_RECIPE_EPOCHS,
        confusion=confusions,
        warnings=("a quick run on a few images: its figures mean nothing.",) if quick else (),
    )


def _figures(
    plan: Sequence[Training], networks: Mapping[Training, TrainedNetwork], datasets: Mapping[str, Dataset]
) -> dict[str, str]:
    """Curves of the first recipe and of six states with the good one; confusions of six states with the first."""
    drawn = {}
    first = plan[0]
    for dataset in SETS:
        mine = [task for task in plan if (task.dataset, task.seed) == (dataset, first.seed)]
        curves = {
            f"{NAMES[task.weights]}, {task.row}": networks[task].history["test_accuracy"]
            for task in mine
            if (task.row == first.row and task.weights != "pair")
            or (task.row, task.weights) == ("good", "six")
        }
        drawn[f"{dataset}_curves"] = figures.training_curve(dict(sorted(curves.items())))
        six = next(task for task in mine if (task.row, task.weights) == (first.row, "six"))
        data = datasets[dataset]
        matrix = confusion_matrix(data.test_labels, networks[six].predict(data.test_images), LAYERS[-1])
        drawn[f"{dataset}_confusion"] = figures.confusion(matrix, class_names(dataset))
    return drawn


def _tables(found: PaperResults, networks: Mapping[Training, TrainedNetwork]) -> dict[str, str]:
    curves = [
        [task.dataset, task.weights, task.row, task.seed, epoch, *values]
        for task, network in networks.items()
        for epoch, values in enumerate(zip(*network.history.values(), strict=True), start=1)
    ]
    accuracies = [
        [row.dataset, row.weights, row.recipe, seed, *values]
        for row in found.rows
        for seed, *values in zip_longest(
            found.seeds,
            row.last_percent,
            row.best_percent,
            row.last_ten_percent,
            row.circuit_percent,
            fillvalue="",
        )
    ]
    head = ["dataset", "weights", "recipe", "seed"]
    return {
        "accuracy.csv": csv_text(
            [*head, "last_percent", "best_percent", "last_ten_percent", "circuit_percent"], accuracies
        ),
        "curves.csv": csv_text(
            [*head, "epoch", "train_loss", "train_accuracy", "test_accuracy"],
            curves,
        ),
    }
