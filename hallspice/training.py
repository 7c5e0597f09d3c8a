"""`hallspice train`: the network of a configuration, without its circuit."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from hallspice.files import RESULTS, staged_folder
from hallspice.networks import make_networks
from hallspice.progress import Reporter
from hallspice.setup import load_setup
from hallspice.tables import csv_text
from nn_mapping.data import load


def train(
    config: Path, out: Path, *, seed: int | None, data_dir: Path | None, progress: Reporter
) -> dict[str, Any]:
    """Train the network of a configuration and write it into `out`.

    Returns
    -------
    The content of ``results.json``.
    """
    setup = load_setup(config, seed)
    dataset = load(setup.config.network.dataset, data_dir)
    with staged_folder(out) as folder:
        networks = make_networks(setup, dataset, progress, with_float=False)
        network = networks.level_network
        accuracy = network.accuracy(dataset.test_images, dataset.test_labels)
        network.save(folder / "network.npz")
        epochs = [
            [epoch, *values]
            for epoch, values in enumerate(zip(*network.history.values(), strict=True), start=1)
        ]
        (folder / "training.csv").write_text(csv_text(["epoch", *network.history], epochs), encoding="utf-8")
        results = {
            "config": setup.config.model_dump(mode="json"),
            "seed": setup.config.seed,
            "recipe": dataclasses.asdict(networks.recipe),
            "weight_levels": networks.levels.weights.tolist(),
            "accuracy": accuracy,
            "images": len(dataset.test_labels),
            "files": ["network.npz", "training.csv", RESULTS],
        }
        (folder / RESULTS).write_text(json.dumps(results, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    progress.say(
        f"Accuracy on the device's levels, digital: {100 * accuracy:.2f} %. Network: {out / 'network.npz'}"
    )
    return results
