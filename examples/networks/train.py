"""Train an example network: with free weights, then through the arrays, whose levels and converters it meets there.

    python examples/networks/train.py lenet --out results/lenet

writes states of the plain model: `free.pt`, which is used again where it is there, then `pairs.pt` and `six.pt`
with the weights that the arrays hold, in pairs of cells (23 levels) and in single cells (six levels).
"""

from __future__ import annotations

import argparse
import math
import runpy
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the name everyone uses)
from torch import Tensor, nn

from circuits import ArrayConfig
from nn_mapping import (
    Chip,
    Dataset,
    Readout,
    calibrate,
    convert,
    held_state,
    load_dataset,
    pair_levels,
    read_dataset,
    single_levels,
)

LEVELS_OHM = [0.33, 0.46, 0.49, 0.52, 0.54, 0.57]
LEVEL_SETS = {"pairs": pair_levels(LEVELS_OHM), "six": single_levels(LEVELS_OHM)}
BATCH = 128
CALIBRATION_IMAGES = 1000

Labelled = tuple[Tensor, Tensor]
"""Images (count, channels, height, width), mostly from 0 to 1, and their classes (count,)."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained, and on what."""

    dataset: str
    images: int = 60_000
    """Of the training set."""
    epochs: float
    """With free weights."""
    rate: float
    """Of Adam, at its highest."""
    more: int
    """Images of the training through the arrays, repeated ones included."""
    more_rate: float
    tested: int = 10_000
    """Images of the test set."""


RECIPES = {
    "lenet": Recipe(dataset="fashion-mnist", epochs=6, rate=4e-3, more=60_000, more_rate=2e-3),
    "lstm": Recipe(dataset="mnist", epochs=3, rate=5e-3, more=10_000, more_rate=2e-3),
    "vision_transformer": Recipe(
        dataset="mnist", epochs=2, rate=3e-3, more=5_000, more_rate=1e-3, tested=5_000
    ),
    "resnet20": Recipe(
        dataset="fashion-mnist", images=15_000, epochs=3, rate=5e-3, more=2_000, more_rate=1e-3, tested=2_000
    ),
}


def main() -> None:
    """Train with free weights, then through arrays of either kind of synapse; print what came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("network", choices=list(RECIPES))
    parser.add_argument("--out", type=Path, required=True, help="folder for the states")
    parser.add_argument("--data-dir", type=Path, help="folder with the data set, where it is not installed")
    parser.add_argument(
        "--data", type=Path, help="another data set: an .npz file, a folder of idx files, or of images"
    )
    parser.add_argument(
        "--make", default="make", help="function of the network's file, as make_cifar10 of resnet20"
    )
    parser.add_argument("--levels", nargs="+", choices=list(LEVEL_SETS), default=list(LEVEL_SETS))
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_num_threads(1)  # sums are rounded in one order
    recipe = RECIPES[chosen.network]
    data = read_dataset(chosen.data) if chosen.data else load_dataset(recipe.dataset, chosen.data_dir)
    train, test = labelled(data.head(recipe.images, recipe.tested))
    make = runpy.run_path(str(Path(__file__).with_name(f"{chosen.network}.py")))[chosen.make]
    chosen.out.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(chosen.seed)
    model, free = make(), chosen.out / "free.pt"
    if free.exists():
        model.load_state_dict(torch.load(free, weights_only=True))
    else:
        fit(model, train, round(recipe.epochs * recipe.images), recipe.rate, rising=0.2)
        torch.save(model.state_dict(), free)
    print(f"free weights: {accuracy(model, test):.2f} % of {len(test[1])} images", flush=True)

    for levels in chosen.levels:
        torch.manual_seed(chosen.seed)
        arrays = on_arrays(model, levels, train[0])
        mapped = accuracy(arrays, test)
        fit(arrays, train, recipe.more, recipe.more_rate)
        calibrate(arrays, train[0][:CALIBRATION_IMAGES])
        plain = make()
        plain.load_state_dict(held_state(arrays, plain))
        torch.save(plain.state_dict(), chosen.out / f"{levels}.pt")
        print(
            f"{levels}: {mapped:.2f} % through the circuit as mapped, {accuracy(arrays, test):.2f} % after training "
            f"through it, {accuracy(plain, test):.2f} % digital; {time.process_time():.0f} s of processor so far",
            flush=True,
        )


def labelled(data: Dataset) -> tuple[Labelled, Labelled]:
    """Training and test set; bytes are shares of 255, other numbers are what they are."""
    floats = data.as_floats()
    train, test = (
        (torch.from_numpy(images).view(len(images), *data.image), torch.from_numpy(labels.astype(np.int64)))
        for images, labels in (
            (floats.train_images, floats.train_labels),
            (floats.test_images, floats.test_labels),
        )
    )
    return train, test


def on_arrays(model: nn.Module, levels: str, images: Tensor) -> nn.Module:
    """The model on 64 x 64 tiles in balanced parallel rows, with converters of 6 bits and trimmed columns."""
    chip = Chip(
        config=ArrayConfig(architecture="active_parallel"),
        level_set=LEVEL_SETS[levels],
        readout=Readout(v_full=0.5),
    )
    arrays, _ = convert(model, chip)
    calibrate(arrays, images[:CALIBRATION_IMAGES])
    return arrays


def fit(model: nn.Module, data: Labelled, images: int, rate: float, rising: float = 0.0) -> None:
    """Train on so many images; the rate rises over a share of the steps and falls along a cosine."""
    inputs, classes = data
    steps = max(1, images // BATCH)
    optimiser = torch.optim.Adam(model.parameters(), lr=rate)
    pace = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min(1, (step + 1) / (1 + rising * steps)) * (1 + math.cos(math.pi * step / steps)) / 2,
    )
    order = torch.empty(0, dtype=torch.long)
    model.train()
    for _ in range(steps):
        if len(order) < BATCH:
            order = torch.randperm(len(inputs))
        picked, order = order[:BATCH], order[BATCH:]
        optimiser.zero_grad()
        F.cross_entropy(model(inputs[picked]), classes[picked]).backward()
        optimiser.step()
        pace.step()
    model.eval()


def accuracy(model: nn.Module, data: Labelled) -> float:
    """Images of the right class [%], in evaluation mode."""
    model.eval()
    with torch.no_grad():
        right = sum(
            int((model(inputs).argmax(dim=1) == classes).sum())
            for inputs, classes in zip(*(part.split(500) for part in data), strict=True)
        )
    return 100 * right / len(data[1])


if __name__ == "__main__":
    main()
