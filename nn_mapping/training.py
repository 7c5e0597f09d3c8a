"""Training on the levels of a device: free latent weights, quantised in the forward pass.

The weights of the forward pass are the levels nearest to latent weights, and the gradient of a level is passed
to its latent weight unchanged (straight-through estimator, Bengio et al., arXiv:1308.3432). Three things make it
fast on one core: nearest levels come from an index table, all latent weights lie in one vector with one fused
Adam step, and the images are preloaded.
"""

from __future__ import annotations

import logging
import math
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the name everyone uses)
from torch import Tensor

from nn_mapping.levels import nearest_level
from nn_mapping.network import Layer, TrainedNetwork, pixel_codes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from nn_mapping.data import Dataset
    from nn_mapping.levels import Floats

log = logging.getLogger(__name__)

_LARGEST_TABLE = 1 << 14
_STEPS_TO_LIVE = 200
_TEST_BATCH = 500
_BATCH_NORM_EPSILON = 1e-5
_BATCH_NORM_MOMENTUM = 0.1


class DeadNetworkError(RuntimeError):
    """Training does not move: the network cannot learn as it is set up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a network is trained."""

    name: str = "good"
    epochs: int = 50
    batch: int = 128
    learning_rate: float = 1e-2
    cosine: bool = True
    """Let the learning rate fall to zero along a cosine."""
    weight_decay: float = 0.0
    """Coupled (L2) decay of the latent weights, as Adam's ``weight_decay``."""
    batch_norm: bool = True
    """Batch normalisation after every layer; folded into gain and offset afterwards."""
    input_bits: int | None = None
    """Quantise the pixels to this many bits, as the DAC will."""
    dropout: float = 0.0
    label_smoothing: float = 0.0
    flip: bool = False
    """Mirror half of the training images (for clothes, not for digits)."""

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 2:
            raise ValueError(f"epochs = {self.epochs}, batch = {self.batch}: at least 1 and 2 are needed")
        if not 0 < self.learning_rate < 10:
            raise ValueError(f"learning_rate = {self.learning_rate} is outside (0, 10)")
        if self.weight_decay < 0 or not 0 <= self.dropout < 1 or not 0 <= self.label_smoothing < 1:
            raise ValueError(
                f"weight_decay = {self.weight_decay}, dropout = {self.dropout}, label_smoothing = "
                f"{self.label_smoothing}: expected >= 0, [0, 1), [0, 1)"
            )
        if self.input_bits is not None and not 1 <= self.input_bits <= 8:
            raise ValueError(f"input_bits = {self.input_bits} is outside 1..8 (pixels have 8 bits)")


GOOD = Recipe()
"""Batch normalisation, cosine from 1e-2, no weight decay."""
GOOD_CLOTHES = Recipe(name="good-clothes", dropout=0.2, label_smoothing=0.1, flip=True)
"""The good recipe with what Fashion-MNIST needs against overfitting."""
PAPER = Recipe(name="paper", learning_rate=1e-3, cosine=False, weight_decay=1e-4, batch_norm=False)
"""Adam at 1e-3, batch 128, weight decay 1e-4, 50 epochs (arXiv:2601.16222, methods); no scale, no bias (assumed)."""
RECIPES = {recipe.name: recipe for recipe in (GOOD, GOOD_CLOTHES, PAPER)}


class Quantiser:
    """Nearest level of each value, by an index table where the midpoints lie on a uniform grid.

    The six-state set of the paper needs 48 entries, its differential pairs 96. Sets that fit no grid of up to
    16384 steps use a sorted search.

    Examples
    --------
    >>> quantiser = Quantiser(np.array([-1, 1 / 12, 1 / 3, 7 / 12, 3 / 4, 1]))
    >>> quantiser.steps
    48
    >>> quantiser.index(torch.tensor([-1.0, -0.45, 0.0, 0.9])).tolist()
    [0, 1, 1, 5]
    """

    def __init__(self, levels: Floats) -> None:
        self.levels = torch.from_numpy(levels.astype(np.float32))
        self.low, self.high = float(levels[0]), float(levels[-1])
        middles = (levels[1:] + levels[:-1]) / 2
        self._middles = torch.from_numpy(middles.astype(np.float32))
        position = (middles - self.low) / (self.high - self.low)
        self.steps = _grid(position)
        self._scaled = torch.empty(0)
        self._entries = torch.empty(0, dtype=torch.int32)
        if self.steps:
            centres = (np.arange(self.steps + 1) + 0.5) / self.steps  # one more entry: the upper end itself
            self._table = torch.from_numpy(np.searchsorted(position, centres).astype(np.int32))
            self._values = self.levels[self._table]

    def index(self, values: Tensor) -> Tensor:
        """Level numbers of values within the range of the levels."""
        if not self.steps:
            return torch.bucketize(values, self._middles)
        return self._table[self._entry(values)].long()

    def into(self, out: Tensor, values: Tensor) -> None:
        """Write the nearest level of each of the values, which lie within the range of the levels, to `out`."""
        if self.steps:
            torch.index_select(self._values, 0, self._entry(values), out=out)
        else:
            torch.index_select(self.levels, 0, torch.bucketize(values, self._middles), out=out)

    def _entry(self, values: Tensor) -> Tensor:
        if self._scaled.shape != values.shape:  # fresh memory for every call would take as long as the rest
            self._scaled = torch.empty_like(values)
            self._entries = torch.empty_like(values, dtype=torch.int32)
        scale = self.steps / (self.high - self.low)
        torch.add(torch.tensor(-self.low * scale), values, alpha=scale, out=self._scaled)
        return self._entries.copy_(self._scaled)


def _grid(position: Floats) -> int:
    """Return the coarsest uniform grid on 0..1 that holds all positions, as its number of steps; 0 for none."""
    for start in range(1, _LARGEST_TABLE, 1024):
        steps = np.arange(start, start + 1024)
        scaled = np.outer(steps, position)
        fits = np.abs(scaled - np.round(scaled)).max(axis=1, initial=0) < 1e-6
        if fits.any():
            return int(steps[fits.argmax()])
    return 0


class _Parameters:
    """All that is trained in one vector, latent weights first, and the forward weights in another.

    The forward weights are the levels nearest to the latent ones. The gradient of a forward weight counts as
    that of its latent weight: that is the straight-through estimator. Without a quantiser they are the same.
    """

    def __init__(self, sizes: Sequence[int], quantiser: Quantiser | None, recipe: Recipe) -> None:
        self.quantiser = quantiser
        shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
        count = sum(rows * columns for rows, columns in shapes)
        norms = sizes[1:] if recipe.batch_norm else []
        self.trained = torch.zeros(count + 2 * sum(norms))
        self.trained.grad = torch.zeros_like(self.trained)
        self.latent = self.trained[:count]
        self.forward = self.latent if quantiser is None else torch.zeros(count)
        self.weights = _views(self.forward, shapes)
        affine = _views(self.trained[count:], [(size,) for size in norms for _ in range(2)])
        self.gamma, self.beta = affine[0::2], affine[1::2]
        self.mean = [torch.zeros(size) for size in norms]
        self.variance = [torch.ones(size) for size in norms]
        self._leaves = [*self.weights, *affine]

    def backward(self, loss: Tensor, weight_decay: float) -> None:
        """Gradient of everything trained; the decay is coupled (L2) and for the latent weights alone."""
        gradients = torch.autograd.grad(loss, self._leaves)
        torch.cat([gradient.view(-1) for gradient in gradients], out=self.trained.grad)
        if weight_decay:
            assert self.trained.grad is not None
            self.trained.grad[: len(self.latent)].add_(self.latent, alpha=weight_decay)

    def initialise(self, recipe: Recipe, generator: torch.Generator) -> None:
        with torch.no_grad():
            if self.quantiser is None:
                for weight in self.weights:  # Kaiming's uniform bounds, as torch.nn.Linear
                    weight.uniform_(-1, 1, generator=generator).div_(math.sqrt(weight.shape[1]))
            elif recipe.batch_norm:
                self._spread(self.quantiser, generator)
            else:
                self.latent.uniform_(self.quantiser.low, self.quantiser.high, generator=generator)
            for gamma in self.gamma:
                gamma.fill_(1)
        self.quantise()

    def _spread(self, quantiser: Quantiser, generator: torch.Generator) -> None:
        """Every level with equal share, each latent weight anywhere within the cell of its level."""
        middles = (quantiser.levels[1:] + quantiser.levels[:-1]) / 2
        edges = torch.cat([quantiser.levels[:1], middles, quantiser.levels[-1:]])
        pick = torch.randint(len(quantiser.levels), self.latent.shape, generator=generator)
        share = torch.rand(self.latent.shape, generator=generator)
        self.latent.copy_(torch.lerp(edges[pick], edges[pick + 1], share))

    def quantise(self) -> None:
        """Clamp the latent weights to the range of the levels and refresh the forward weights."""
        if self.quantiser is not None:
            self.latent.clamp_(self.quantiser.low, self.quantiser.high)
            self.quantiser.into(self.forward, self.latent)

    def outputs(self, x: Tensor, recipe: Recipe, generator: torch.Generator | None) -> Tensor:
        """Forward pass; with a generator in training mode."""
        last = len(self.weights) - 1
        for number, weight in enumerate(self.weights):
            x = F.linear(x, weight)
            if recipe.batch_norm:
                x = F.batch_norm(
                    x,
                    self.mean[number],
                    self.variance[number],
                    self.gamma[number],
                    self.beta[number],
                    training=generator is not None,
                    momentum=_BATCH_NORM_MOMENTUM,
                    eps=_BATCH_NORM_EPSILON,
                )
            if number < last:
                x = F.relu(x)
                if generator is not None and recipe.dropout:
                    keep = torch.empty_like(x).bernoulli_(1 - recipe.dropout, generator=generator)
                    x = x * keep.div_(1 - recipe.dropout)
        return x

    def layers(self) -> tuple[Layer, ...]:
        """Plain arrays, with batch normalisation folded."""
        result = []
        for number, weight in enumerate(self.weights):
            size = weight.shape[0]
            gain, offset = torch.ones(size), torch.zeros(size)
            if self.gamma:
                gain = self.gamma[number].detach() / torch.sqrt(self.variance[number] + _BATCH_NORM_EPSILON)
                offset = self.beta[number].detach() - gain * self.mean[number]
            weights = weight.detach().numpy().copy()
            index = None
            if self.quantiser is not None:
                index = nearest_level(weights, self.quantiser.levels.double().numpy())
            result.append(Layer(weights=weights, gain=gain.numpy(), offset=offset.numpy(), level_index=index))
        return tuple(result)


def _views(flat: Tensor, shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    """Consecutive parts of a vector, as leaves of the graph that share its memory."""
    parts = torch.split(flat, [math.prod(shape) for shape in shapes])
    return [part.detach().view(shape).requires_grad_() for part, shape in zip(parts, shapes, strict=True)]


def train(
    dataset: Dataset,
    layers: Sequence[int],
    levels: Floats | None,
    recipe: Recipe = GOOD,
    seed: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> TrainedNetwork:
    """Train a fully connected network with ReLU between its layers.

    The network of the last epoch is returned. The test set is evaluated after each epoch for the curve only;
    nothing is chosen by it.

    Parameters
    ----------
    dataset
        Images and labels.
    layers
        Layer sizes, from pixels to classes, for example ``(784, 256, 128, 10)``.
    levels
        Weights that a synapse can hold, ascending (``LevelSet.weights``); None trains free weights.
    recipe
        How to train: :data:`GOOD`, :data:`PAPER` or your own.
    seed
        The same seed and version of torch give the same network.
    progress
        Called after each epoch with epochs done, epochs in all, and a line of text.

    Raises
    ------
    DeadNetworkError
        After the first epoch that leaves the network no better than guessing (and at least 200 steps).
    """
    sizes = [int(size) for size in layers]
    if len(sizes) < 2 or min(sizes) < 1 or sizes[0] != dataset.pixels or sizes[-1] < dataset.classes:
        raise ValueError(
            f"layers = {sizes}: expected at least two positive sizes, the first {dataset.pixels} (pixels of "
            f"{dataset.name}), the last at least {dataset.classes} (its classes)"
        )
    if levels is not None and (len(levels) < 2 or np.diff(levels).min() <= 0):
        raise ValueError(f"levels = {levels}: expected at least two, ascending")
    with _deterministic():
        return _train(dataset, sizes, levels, recipe, seed, progress)


def _train(
    dataset: Dataset,
    sizes: list[int],
    levels: Floats | None,
    recipe: Recipe,
    seed: int,
    progress: Callable[[int, int, str], None] | None,
) -> TrainedNetwork:
    generator = torch.Generator().manual_seed(seed)
    parameters = _Parameters(sizes, None if levels is None else Quantiser(levels), recipe)
    parameters.initialise(recipe, generator)
    codes, steps = pixel_codes(dataset.train_images, recipe.input_bits)
    images = torch.from_numpy(codes.copy())
    labels = torch.from_numpy(dataset.train_labels.astype(np.int64))
    test_codes, _ = pixel_codes(dataset.test_images, recipe.input_bits)
    test_images = torch.from_numpy(test_codes.copy())
    test_labels = torch.from_numpy(dataset.test_labels.astype(np.int64))
    width = dataset.train_images.shape[2]

    optimiser = torch.optim.Adam([parameters.trained], lr=recipe.learning_rate, fused=True)
    batches = _batches(len(images), recipe.batch)
    history: dict[str, list[float]] = {"train_loss": [], "train_accuracy": [], "test_accuracy": []}

    for epoch in range(recipe.epochs):
        order = torch.randperm(len(images), generator=generator)
        loss_sum, right = torch.zeros(()), torch.zeros((), dtype=torch.int64)
        for number, (start, stop) in enumerate(batches):
            if recipe.cosine:
                done = (epoch * len(batches) + number) / (recipe.epochs * len(batches))
                optimiser.param_groups[0]["lr"] = recipe.learning_rate * (1 + math.cos(math.pi * done)) / 2
            chosen = order[start:stop]
            x, target = images.index_select(0, chosen).float().div_(steps), labels[chosen]
            if recipe.flip:
                x = _mirror_half(x, width, generator)
            outputs = parameters.outputs(x, recipe, generator)
            loss = F.cross_entropy(outputs, target, label_smoothing=recipe.label_smoothing)
            parameters.backward(loss, recipe.weight_decay)
            optimiser.step()
            parameters.quantise()
            with torch.no_grad():
                loss_sum += loss * len(chosen)
                right += (outputs.argmax(dim=1) == target).sum()
        with torch.no_grad():
            classes = [
                parameters.outputs(part.float().div_(steps), recipe, None).argmax(dim=1)
                for part in torch.split(test_images, _TEST_BATCH)
            ]
            test = (torch.cat(classes) == test_labels).double().mean()
        history["train_loss"].append(float(loss_sum) / len(images))
        history["train_accuracy"].append(int(right) / len(images))
        history["test_accuracy"].append(float(test))
        if not math.isfinite(history["train_loss"][-1]) or (epoch + 1) * len(batches) >= _STEPS_TO_LIVE:
            _check_alive(history, dataset, parameters)
        if progress is not None:
            progress(
                epoch + 1,
                recipe.epochs,
                f"loss {history['train_loss'][-1]:.4f}, test accuracy {100 * history['test_accuracy'][-1]:.2f} %",
            )
    return TrainedNetwork(
        layers=parameters.layers(),
        levels=levels,
        input_bits=recipe.input_bits,
        history=history,
        info={
            "recipe": asdict(recipe),
            "seed": seed,
            "data": dataset.name,
            "train_images": len(images),
            "torch": torch.__version__,
        },
    )


def _batches(count: int, batch: int) -> list[tuple[int, int]]:
    """Ranges of the batches; a last one of a single image joins its neighbour (it has no variance)."""
    starts = list(range(0, count, batch))
    if len(starts) > 1 and count - starts[-1] < 2:
        starts.pop()
    return list(zip(starts, [*starts[1:], count], strict=True))


def _mirror_half(x: Tensor, width: int, generator: torch.Generator) -> Tensor:
    mirrored = x.view(len(x), -1, width).flip(2).view(len(x), -1)
    return torch.where(torch.rand(len(x), 1, generator=generator) < 0.5, mirrored, x)


def _check_alive(history: dict[str, list[float]], dataset: Dataset, parameters: _Parameters) -> None:
    """Stop when an epoch ends no better than guessing: further ones will not help."""
    loss, accuracy = history["train_loss"][-1], history["train_accuracy"][-1]
    guessing = float(np.bincount(dataset.train_labels).max() / len(dataset.train_labels))
    if math.isfinite(loss) and accuracy > min(1.3 * guessing, (1 + guessing) / 2):
        return
    spread = ""
    if parameters.quantiser is not None:
        counts = torch.bincount(parameters.quantiser.index(parameters.latent)).numpy()
        spread = f"; {100 * counts.max() / counts.sum():.0f} % of the weights are on one level"
    raise DeadNetworkError(
        f"after epoch {len(history['train_loss'])} the network is no better than guessing: training accuracy "
        f"{100 * accuracy:.1f} % where the most frequent class has {100 * guessing:.1f} %, loss {loss:.3g}{spread}. "
        f"Try the recipe 'good' (batch normalisation), a lower learning rate, wider layers or more levels."
    )


@contextmanager
def _deterministic() -> Iterator[None]:
    """Deterministic algorithms, one thread, and no denormal numbers (dead units make them, and they are slow).

    With one thread a seed gives the same network on every number of cores; matrices of a batch are so small that
    a second thread costs more than it brings, and many times more where another process uses the core.
    """
    threads = torch.get_num_threads()
    algorithms = torch.are_deterministic_algorithms_enabled()
    options: Any = torch.utils.deterministic
    filled = options.fill_uninitialized_memory  # costs a sixth of the time, for memory that nothing reads
    flushed = float(torch.tensor(1e-310, dtype=torch.float64) * 1) == 0
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    options.fill_uninitialized_memory = False
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(algorithms)
        options.fill_uninitialized_memory = filled
        torch.set_flush_denormal(flushed)
