"""Training on the levels of a device: free latent weights, quantised in the forward pass.

The weights of the forward pass are the levels nearest to latent weights, and the gradient of a level is passed
to its latent weight unchanged (straight-through estimator, Bengio et al., arXiv:1308.3432). Three things make it
fast on one core: nearest levels come from an index table, all latent weights lie in one vector with one fused
Adam step, and the images are preloaded.
"""

from __future__ import annotations

import logging
import math
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the name everyone uses)
from torch import Tensor

from nn_mapping.adam import Adam
from nn_mapping.checkpoint import Checkpoint
from nn_mapping.layer_shapes import shapes
from nn_mapping.quantiser import Quantiser
from nn_mapping.recipes import GOOD, Recipe
from nn_mapping.trainable import Brightness, Parameters
from nn_mapping.trained import TrainedNetwork, pixel_codes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from compact_model.numeric import Floats
    from nn_mapping.data import Dataset
    from nn_mapping.layer_shapes import Convolution
    from nn_mapping.trainable import Product

log = logging.getLogger(__name__)

_STEPS_TO_LIVE = 200
_START_IMAGES = 2000


class DeadNetworkError(RuntimeError):
    """Training does not move: the network cannot learn as it is set up."""


def train(
    dataset: Dataset,
    layers: Sequence[int | Convolution],
    levels: Floats | None,
    recipe: Recipe = GOOD,
    seed: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
    *,
    start: TrainedNetwork | None = None,
    products: Sequence[Product] | None = None,
    checkpoint: Path | None = None,
    device: str = "cpu",
) -> TrainedNetwork:
    """Train a network of fully connected and convolutional layers with ReLU between them.

    The network of the last epoch is returned. The test set is evaluated after each epoch for the curve only;
    nothing is chosen by it.

    Parameters
    ----------
    dataset
        Images and labels.
    layers
        Layer sizes, from pixels to classes, for example ``(784, 256, 128, 10)``; a convolutional layer is a
        `Convolution`.
    levels
        Weights that a synapse can hold, ascending (``LevelSet.weights``); None trains free weights.
    recipe
        How to train: `GOOD`, `PAPER`, `LITERAL` or your own.
    seed
        The same seed and version of torch give the same network.
    progress
        Called after each epoch with epochs done, epochs in all, and a line of text.
    start
        Network of the same shape to go on from, its batch statistics found again on the first 2000 training images;
        None draws new weights.
    products
        What multiplies weights and inputs, one per layer: a circuit, for example
        (`nn_mapping.circuit_layer`); None is the plain product.
    checkpoint
        File that keeps the state after every epoch; when it exists and belongs to the same training, that
        training goes on where it stopped and gives the same network as without a stop. It is removed at the end.

    device
        Where the tensors are, as :func:`training_device` gives it.

    Raises
    ------
    DeadNetworkError
        After the first epoch that leaves the network no better than guessing (and at least 200 steps).
    """
    found = shapes(layers, *dataset.image)
    if found[-1].window is not None or found[-1].outputs < dataset.classes:
        raise ValueError(
            f"layers = {list(layers)}: expected a fully connected last layer, of size at least {dataset.classes} "
            f"(the classes of {dataset.name})"
        )
    if levels is not None and (len(levels) < 2 or np.diff(levels).min() <= 0):
        raise ValueError(f"levels = {levels}: expected at least two, ascending")
    if levels is None and recipe.weight_noise:
        raise ValueError(
            f"weight_noise = {recipe.weight_noise} is a share of the levels' range, but there are no levels"
        )
    if recipe.bfloat16 and products is not None:
        raise ValueError("bfloat16 = True: products made by a circuit are in float32")
    where = torch.device(device)
    if where.type == "cuda":  # cuBLAS is reproducible with a workspace of its own alone
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    quantiser = None if levels is None else Quantiser(levels, where)
    pixels = Brightness.of(dataset.train_images) if recipe.standardise else None
    with deterministic():
        parameters = Parameters(found, quantiser, recipe, products, where, pixels)
        return _train(dataset, parameters, recipe, seed, progress, start, checkpoint)


def training_device(wanted: str, *, through_circuit: bool = False) -> str:
    """``"cpu"`` or ``"cuda"`` for ``"auto"``, ``"cpu"`` or ``"cuda"``: what torch has decides ``"auto"``.

    Products made by a circuit are computed on the processor.

    Raises
    ------
    ValueError
        When a graphics processor is asked for and cannot be used.
    """
    if wanted not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device = {wanted!r}: allowed are auto, cpu, cuda")
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() and not through_circuit else "cpu"
    if wanted == "cuda" and through_circuit:
        raise ValueError(
            "device = 'cuda': training through the circuit runs on the processor; use auto or cpu"
        )
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"device = 'cuda': torch {torch.__version__} finds no graphics processor here; use auto or cpu"
        )
    return wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pixels:
    """Images as codes, on the device of the training."""

    train: Tensor  # (images, pixels)
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor
    steps: int  # the code that stands for 1
    width: int  # of an image

    @classmethod
    def of(cls, dataset: Dataset, bits: int | None, device: torch.device) -> _Pixels:
        codes, steps = pixel_codes(dataset.train_images, bits)
        test_codes, _ = pixel_codes(dataset.test_images, bits)
        return cls(
            train=torch.from_numpy(codes.copy()).to(device),
            train_labels=torch.from_numpy(dataset.train_labels.astype(np.int64)).to(device),
            test=torch.from_numpy(test_codes.copy()).to(device),
            test_labels=torch.from_numpy(dataset.test_labels.astype(np.int64)).to(device),
            steps=steps,
            width=dataset.image[2],
        )


def _train(
    dataset: Dataset,
    parameters: Parameters,
    recipe: Recipe,
    seed: int,
    progress: Callable[[int, int, str], None] | None,
    start: TrainedNetwork | None,
    checkpoint: Path | None,
) -> TrainedNetwork:
    device = parameters.trained.device
    generator = torch.Generator(device).manual_seed(seed)
    parameters.initialise(generator)
    pixels = _Pixels.of(dataset, recipe.input_bits, device)
    optimiser = Adam(parameters.parts)
    history: dict[str, list[float]] = {"train_loss": [], "train_accuracy": [], "test_accuracy": []}
    if start is not None:
        parameters.begin_from(start, pixels.train[:_START_IMAGES].float().div_(pixels.steps))
    kept = (
        None
        if checkpoint is None
        else Checkpoint(
            path=checkpoint,
            parameters=parameters,
            optimiser=optimiser,
            generator=generator,
            recipe=recipe,
            seed=seed,
        )
    )
    if kept is not None:
        history = kept.restore() or history

    batches = _batches(len(pixels.train), recipe.batch)
    for epoch in range(len(history["test_accuracy"]), recipe.epochs):
        loss, accuracy = _epoch(pixels, parameters, optimiser, recipe, epoch, batches, generator)
        history["train_loss"].append(loss)
        history["train_accuracy"].append(accuracy)
        history["test_accuracy"].append(_tested(pixels, parameters, recipe))
        if not math.isfinite(loss) or (epoch + 1) * len(batches) >= _STEPS_TO_LIVE:
            _check_alive(history, dataset, parameters)
        if kept is not None:
            kept.save(history)
        if progress is not None:
            line = f"loss {loss:.4f}, test accuracy {100 * history['test_accuracy'][-1]:.2f} %"
            progress(epoch + 1, recipe.epochs, line)
    if kept is not None:
        kept.remove()
    return TrainedNetwork(
        layers=parameters.layers(),
        levels=None if parameters.quantiser is None else parameters.quantiser.exact,
        input_bits=recipe.input_bits,
        history=history,
        info={
            "recipe": asdict(recipe),
            "seed": seed,
            "data": dataset.name,
            "train_images": len(pixels.train),
            "torch": torch.__version__,
        },
    )


def _epoch(
    pixels: _Pixels,
    parameters: Parameters,
    optimiser: Adam,
    recipe: Recipe,
    epoch: int,
    batches: Sequence[tuple[int, int]],
    generator: torch.Generator,
) -> tuple[float, float]:
    """Mean loss and accuracy of one pass over the training images."""
    device, count, rate = parameters.trained.device, len(pixels.train), recipe.learning_rate
    order = torch.randperm(count, generator=generator, device=device)
    loss_sum = torch.zeros((), device=device)
    right = torch.zeros((), dtype=torch.int64, device=device)
    for number, (first, stop) in enumerate(batches):
        if recipe.cosine:
            done = (epoch * len(batches) + number) / (recipe.epochs * len(batches))
            rate = recipe.learning_rate * (1 + math.cos(math.pi * done)) / 2
        chosen = order[first:stop]
        x, target = (
            pixels.train.index_select(0, chosen).float().div_(pixels.steps),
            pixels.train_labels[chosen],
        )
        if recipe.flip:
            x = _mirror_half(x, pixels.width, generator)
        outputs = parameters.outputs(x, recipe, generator)
        loss = F.cross_entropy(outputs, target, label_smoothing=recipe.label_smoothing)
        optimiser.step(parameters.gradients(loss, recipe.weight_decay), rate)
        parameters.quantise()
        with torch.no_grad():
            loss_sum += loss * len(chosen)
            right += (outputs.argmax(dim=1) == target).sum()
    return float(loss_sum) / count, int(right) / count


def _tested(pixels: _Pixels, parameters: Parameters, recipe: Recipe) -> float:
    """Accuracy of the test set."""
    with torch.no_grad():
        classes = [
            parameters.outputs(part.float().div_(pixels.steps), recipe, None).argmax(dim=1)
            for part in torch.split(pixels.test, recipe.batch)
        ]
        return float((torch.cat(classes) == pixels.test_labels).double().mean())


def _batches(count: int, batch: int) -> list[tuple[int, int]]:
    """Ranges of the batches; a last one of a single image joins its neighbour (it has no variance)."""
    starts = list(range(0, count, batch))
    if len(starts) > 1 and count - starts[-1] < 2:
        starts.pop()
    return list(zip(starts, [*starts[1:], count], strict=True))


def _mirror_half(x: Tensor, width: int, generator: torch.Generator) -> Tensor:
    mirrored = x.view(len(x), -1, width).flip(2).view(len(x), -1)
    kept = torch.rand(len(x), 1, generator=generator, device=x.device).round().bool()
    return torch.where(kept, x, mirrored)


def _check_alive(history: dict[str, list[float]], dataset: Dataset, parameters: Parameters) -> None:
    """Stop when an epoch ends no better than guessing: further ones will not help."""
    loss, accuracy = history["train_loss"][-1], history["train_accuracy"][-1]
    guessing = float(np.bincount(dataset.train_labels).max() / len(dataset.train_labels))
    if math.isfinite(loss) and accuracy > min(1.3 * guessing, (1 + guessing) / 2):
        return
    spread = ""
    if parameters.quantiser is not None:
        counts = torch.bincount(parameters.quantiser.index(parameters.latent)).cpu().numpy()
        spread = f"; {100 * counts.max() / counts.sum():.0f} % of the weights are on one level"
    raise DeadNetworkError(
        f"after epoch {len(history['train_loss'])} the network is no better than guessing: training accuracy "
        f"{100 * accuracy:.1f} % where the most frequent class has {100 * guessing:.1f} %, loss {loss:.3g}{spread}. "
        f"Try the recipe 'good' (batch normalisation), a lower learning rate, wider layers or more levels."
    )


@contextmanager
def deterministic() -> Iterator[None]:
    """Deterministic algorithms, one thread, and no denormal numbers (dead units make them, and they are slow).

    With one thread a seed gives the same network on every number of cores; matrices of a batch are so small that
    a second thread costs more than it brings, and many times more where another process uses the core.
    """
    threads = torch.get_num_threads()
    algorithms = torch.are_deterministic_algorithms_enabled()
    options: Any = torch.utils.deterministic
    filled = options.fill_uninitialized_memory  # costs a sixth of the time, for memory that nothing reads
    smallest = torch.tensor(math.ulp(0.0), dtype=torch.float64)
    flushed = float(smallest + smallest) == 0  # as denormal numbers are now
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
