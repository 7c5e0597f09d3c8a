"""Trained networks, kept so that the same training is never done twice."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pooch

from hallspice.progress import Reporter
from nn_mapping.data import Dataset
from nn_mapping.network import TrainedNetwork, load_network
from nn_mapping.parameters import Convolution
from nn_mapping.recipes import Recipe
from nn_mapping.training import train

log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Where trained networks are kept: ``HALLSPICE_CACHE``, or the user's cache folder."""
    return Path(os.environ.get("HALLSPICE_CACHE") or pooch.os_cache("hallspice")) / "networks"


def trained(
    dataset: Dataset,
    layers: Sequence[int | Convolution],
    levels: npt.NDArray[np.float64] | None,
    recipe: Recipe,
    seed: int,
    progress: Reporter,
    name: str,
) -> tuple[TrainedNetwork, bool]:
    """The network that this training gives, and whether it was reused from an earlier run.

    A kept network is reused when data, layers, levels, recipe, seed, torch and the training code are the same.
    """
    path = cache_folder() / f"{_fingerprint(dataset, layers, levels, recipe, seed)}.npz"
    try:
        return load_network(path), True
    except FileNotFoundError:
        pass
    except ValueError as error:
        log.warning("%s is damaged and not used: %s", path, error)
    network = train(
        dataset,
        layers,
        levels,
        recipe,
        seed,
        lambda done, total, message: progress(done, total, f"training {name}: {message}"),
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        network.save(path)
    except OSError as error:
        log.warning("the trained network could not be kept in %s: %s", path.parent, error)
    return network, False


def _fingerprint(
    dataset: Dataset,
    layers: Sequence[int | Convolution],
    levels: npt.NDArray[np.float64] | None,
    recipe: Recipe,
    seed: int,
) -> str:
    from importlib.metadata import version

    digest = hashlib.sha256()
    for part in (dataset.train_images, dataset.train_labels, dataset.test_images, dataset.test_labels):
        digest.update(np.ascontiguousarray(part).tobytes())
    settings = {
        "layers": [size if isinstance(size, int) else dataclasses.asdict(size) for size in layers],
        "levels": None if levels is None else levels.tolist(),
        "recipe": dataclasses.asdict(recipe),
        "seed": seed,
        "torch": version("torch"),
    }
    digest.update(json.dumps(settings, sort_keys=True).encode())
    for module in ("training.py", "parameters.py", "quantiser.py"):
        digest.update((resources.files("nn_mapping") / module).read_bytes())
    return digest.hexdigest()[:32]
