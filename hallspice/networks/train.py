"""`hallspice train`: the network of a configuration, without its circuit."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from compact_model.cards.inputs import remembered
from hallspice import results
from hallspice.config.contradictions import layers_of
from hallspice.config.demand import Demand
from hallspice.config.load import load_setup
from hallspice.config.setup import Setup
from hallspice.config.source import AnyConfig
from hallspice.files import staged_folder
from hallspice.networks.datasets import dataset_of
from hallspice.networks.kept import level_set_of, make_networks, recipe_of
from hallspice.networks.results import InSituResults, InSituTraining, TrainingRecipe, TrainResults
from hallspice.page.csv_text import csv_text
from hallspice.progress import SILENT, Reporter
from nn_mapping.data import Dataset
from nn_mapping.in_situ import InSitu, Update, train_in_situ
from nn_mapping.trained import TrainedNetwork

FILES = ("network*.npz", "training.csv")
"""Names of the files in the folder, beside the index."""


@remembered()
def train(
    config: AnyConfig,
    out: str | Path | None = None,
    *,
    seed: int | None = None,
    data_dir: Path | None = None,
    progress: Reporter = SILENT,
) -> TrainResults | InSituResults:
    """Train the network of a configuration on the device's levels.

    Parameters
    ----------
    config
        YAML file, the same as a dict, or a `Config`.
    out
        Folder for the network (``network.npz``), its curves and ``results.json``; None: nothing is written.
    seed
        Replaces that of the configuration.
    data_dir
        Folder of the data set's files; None: where it is installed, or from the internet.
    progress
        Told how far it is, and what was found.

    Raises
    ------
    DocumentError
        With every mistake of the configuration: its line, or its key, and what is allowed.
    """
    setup = load_setup(config, seed, Demand.EVALUATE)
    if setup.own_module is not None:
        raise ValueError(
            f"{setup.source} network.module: such a network is trained already; `hallspice run` and `evaluate` "
            "take it"
        )
    dataset = dataset_of(setup, data_dir)
    if setup.config.network.in_situ.updates:
        return _train_in_situ(setup, dataset, out, progress)
    with staged_folder(out, names=FILES) as folder:
        networks = make_networks(setup, dataset, progress, with_float=False)
        network = networks.level_network
        network.save(folder / "network.npz")
        found = TrainResults(
            config=setup.config,
            inputs=dataset.rule,
            seed=setup.config.seed,
            recipe=TrainingRecipe.of(networks.recipe),
            weight_levels=networks.levels.weights.tolist(),
            accuracy=network.accuracy(dataset.test_images, dataset.test_labels),
            images=len(dataset.test_labels),
        )
        curves = csv_text(["epoch", *network.history], _epochs(network))
        written = results.write(folder, found, tables={"training.csv": curves})
    if out is None:
        return found
    network_file = Path(out) / "network.npz"
    progress.say(
        f"Accuracy on the device's levels, digital: {100 * found.accuracy:.2f} %. Network: {network_file}"
    )
    return written


def _epochs(network: TrainedNetwork) -> list[list[float]]:
    curves = zip(*network.history.values(), strict=True)
    return [[epoch, *values] for epoch, values in enumerate(curves, start=1)]


def _train_in_situ(
    setup: Setup, dataset: Dataset, out: str | Path | None, progress: Reporter
) -> InSituResults:
    """One network for each way of updating, with the same first weights, images and gradients' rule."""
    chosen = setup.config.network.in_situ
    recipe, levels = recipe_of(setup), level_set_of(setup)
    trainings: list[InSituTraining] = []
    lines: list[list[object]] = []
    head: list[str] = []
    with staged_folder(out, names=FILES) as folder:
        for name in dict.fromkeys(chosen.updates):

            def told(done: int, total: int, message: str, name: str = name) -> None:
                progress(done, total, f"training in situ, {name}: {message}")

            settings = InSitu(update=Update(name), **chosen.model_dump(exclude={"updates"}))
            layers = layers_of(setup.config.network)
            network = train_in_situ(
                dataset, layers, levels, setup.card, recipe, settings, setup.config.seed, told
            )
            network.save(folder / f"network_{name}.npz")
            head = ["update", "epoch", *network.history]
            lines += [[name, *epoch] for epoch in _epochs(network)]
            trainings.append(
                InSituTraining(
                    update=name,
                    accuracy=network.accuracy(dataset.test_images, dataset.test_labels),
                    pulses=network.info["pulses"],
                    pulses_per_cell=network.info["pulses"] / network.info["cells"],
                    energy_j=network.info["energy_j"],
                )
            )
        found = InSituResults(
            config=setup.config,
            seed=setup.config.seed,
            recipe=TrainingRecipe.of(recipe),
            images=len(dataset.test_labels),
            in_situ=tuple(trainings),
        )
        written = results.write(folder, found, tables={"training.csv": csv_text(head, lines)})
    if out is None:
        return found
    table = Table(title="Training by pulses into the cells", title_justify="left")
    for column in ("update", "accuracy", "pulses per cell", "energy in the channels"):
        table.add_column(column)
    for row in trainings:
        energy = "-" if row.update == Update.IDEAL else f"{row.energy_j:.3g} J"
        table.add_row(row.update, f"{100 * row.accuracy:.2f} %", f"{row.pulses_per_cell:.3g}", energy)
    progress.say(table)
    return written
