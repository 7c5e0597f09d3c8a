"""Speed of training on six states: seconds of one core per epoch, beside a plain loop over a DataLoader.

The plain loop is what one writes first: a DataLoader, nearest levels by argmin over all distances, an optimiser per
layer's tensor. Both train 784-256-128-10 with batch normalisation on batches of 128.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from nn_mapping.data import Dataset, load_dataset
from nn_mapping.levels import PAPER_LEVELS_OHM, single_levels
from nn_mapping.recipes import GOOD
from nn_mapping.training import train

EPOCH = 60_000
SHARE = 12_800  # images that the plain loop is timed on
LEVELS = single_levels(PAPER_LEVELS_OHM).weights


def fast(digits: Dataset, *, bfloat16: bool) -> float:
    """Seconds of processor time per epoch, the curve on the test set included."""
    start = time.process_time()
    train(digits, (784, 256, 128, 10), LEVELS, replace(GOOD, epochs=2, bfloat16=bfloat16))
    return (time.process_time() - start) / 2


class Nearest(torch.autograd.Function):
    """Nearest level by argmin, gradient straight through."""

    @staticmethod
    def forward(_ctx, weight, levels):  # type: ignore[no-untyped-def]
        """Levels nearest to the weights."""
        return levels[(weight.unsqueeze(-1) - levels).abs().argmin(dim=-1)]

    @staticmethod
    def backward(_ctx, gradient):  # type: ignore[no-untyped-def]
        """The gradient as it is."""
        return gradient, None


class Plain(torch.nn.Module):
    """The network as one writes it first."""

    def __init__(self) -> None:
        super().__init__()
        sizes = (784, 256, 128, 10)
        self.levels = torch.tensor(LEVELS, dtype=torch.float32)
        shapes = zip(sizes[1:], sizes[:-1], strict=True)
        self.weights = torch.nn.ParameterList([torch.rand(shape) * 2 - 1 for shape in shapes])
        self.norms = torch.nn.ModuleList([torch.nn.BatchNorm1d(size) for size in sizes[1:]])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs (count, 10)."""
        for number, (weight, norm) in enumerate(zip(self.weights, self.norms, strict=True)):
            x = norm(F.linear(x, Nearest.apply(weight, self.levels)))
            x = F.relu(x) if number < 2 else x
        return x


def plain(digits: Dataset) -> float:
    """Seconds of processor time per epoch."""
    images = torch.from_numpy(digits.train_images[:SHARE].copy())
    labels = torch.from_numpy(digits.train_labels[:SHARE].astype(np.int64))
    pairs = [(image.float().flatten() / 255, label) for image, label in zip(images, labels, strict=True)]
    loader: torch.utils.data.DataLoader[tuple[torch.Tensor, torch.Tensor]] = torch.utils.data.DataLoader(
        pairs,  # type: ignore[arg-type]
        batch_size=128,
        shuffle=True,
    )
    network = Plain()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    start = time.process_time()
    for x, target in loader:
        optimiser.zero_grad()
        F.cross_entropy(network(x), target).backward()
        optimiser.step()
        with torch.no_grad():
            for weight in network.weights:
                weight.clamp_(-1, 1)
    return (time.process_time() - start) * EPOCH / SHARE


def main() -> None:
    """Print one table."""
    torch.set_num_threads(1)
    digits = load_dataset("mnist")
    supported = bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    reference = plain(digits)
    print("six-state training, processor seconds per epoch of 60,000 images, one thread")
    print(f"{'plain loop, DataLoader and argmin':<40}{reference:8.2f} s")
    modes = [("hallspice, float32", False)]
    if supported:
        modes.append(("hallspice, bfloat16 products", True))
    for name, bfloat16 in modes:
        seconds = fast(digits, bfloat16=bfloat16)
        print(
            f"{name:<40}{seconds:8.2f} s   ratio {reference / seconds:.1f}   50 epochs {50 * seconds:.0f} s"
        )
    if not supported:
        print("this processor has no bfloat16 products (AVX512_BF16 or AMX)")


if __name__ == "__main__":
    main()
