"""Accuracy through the circuit: DAC, tiles, trim, reference, ADC, digital sums, and again for each layer.

Row voltages are ``v_full * DAC(input / input scale)``. The column currents of a tile are trimmed by a gain and an
offset per column, its reference (or the other half of a pair) is subtracted before conversion, and the ADC's codes of
the tiles on different rows are added digitally. What stands between the arrays is digital. All scales are calibrated on
training inputs.

Read noise, spread of the devices and mismatch are not in it. In balanced parallel rows all rows lose the same share
of their voltage towards a column, so that without noise a gain per column undoes even wires that leave little signal.
"""

from __future__ import annotations

import copy
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from nn_mapping.analog.full_scales import calibrate
from nn_mapping.analog.placement import arrays_of, hold, tiles_of
from nn_mapping.reads import ReadSums, listening
from nn_mapping.tiles import ideal_transfers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor, nn

    from compact_model.numeric import Floats
    from nn_mapping.analog.placement import Tile
    from nn_mapping.examples import Examples
    from nn_mapping.reads import LayerReads

_OTHER_IMAGES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Result of a test set through the circuit."""

    accuracy: float
    predictions: NDArray[np.intp]
    confusion: NDArray[np.intp]
    """Images per class and prediction, shape (classes, classes), classes down."""
    reads: dict[str, LayerReads]
    """What each layer read, by its name."""


def evaluate(model: nn.Module, examples: Examples) -> Evaluation:
    """Put the whole test set through a model, and note what its arrays read.

    Parameters
    ----------
    model
        On arrays (`convert`), calibrated, in evaluation mode. Its outputs are (count, classes), the largest counts.
    examples
        The test inputs and their labels.
    """
    sums = ReadSums(model)
    with listening(model, sums.add):
        outputs = outputs_of(model, examples)
    predicted = outputs.argmax(axis=1)
    return Evaluation(
        accuracy=float(np.mean(predicted == examples.labels)),
        predictions=predicted,
        confusion=confusion_matrix(examples.labels, predicted, outputs.shape[1]),
        reads=sums.of(len(predicted)),
    )


def accuracy_of(model: nn.Module, examples: Examples) -> float:
    """Share of the test inputs whose class is right, for any model in evaluation mode."""
    return float(np.mean(outputs_of(model, examples).argmax(axis=1) == examples.labels))


def outputs_of(model: nn.Module, examples: Examples) -> Floats:
    """Outputs of the test inputs, shape (count, classes), of any model in evaluation mode.

    Raises
    ------
    ValueError
        When the model gives something else.
    """
    with torch.no_grad():
        found: Floats = torch.cat([model(part) for part in examples.batches()]).cpu().numpy()
    highest = int(examples.labels.max())
    if found.ndim != 2 or found.shape[1] <= highest:
        raise ValueError(
            f"the model gives outputs of shape {found.shape}, expected (count, classes) with classes > {highest}"
        )
    return found


@contextmanager
def digitally(model: nn.Module) -> Iterator[None]:
    """Within this, products are digital, with the levels that the tiles hold."""
    arrays = arrays_of(model).values()
    for array in arrays:
        array.bypassed = True
    try:
        yield
    finally:
        for array in arrays:
            array.bypassed = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablation:
    """Accuracy with one cause at a time."""

    levels: float
    """Digital, on the device's levels."""
    converters: float
    """Ideal arrays with DAC and ADC."""
    array: float
    """The solved arrays, trimmed, without converters."""
    circuit: float
    """All of it."""
    untrimmed: float
    """All of it without the calibration of the columns."""


def ablation(model: nn.Module, circuit: Evaluation, examples: Examples) -> Ablation:
    """Accuracy with one cause at a time, to say what the circuit costs and why; `circuit` is `evaluate` of the same."""
    tiles = tiles_of(model)
    config = next(iter(arrays_of(model).values())).tiles.chip.config

    def accuracy(transfers: Sequence[Floats] | None, **changes: bool | None) -> float:
        other = copy.deepcopy(model)
        if transfers is not None:
            hold(other, transfers)
        for array in arrays_of(other).values():
            array.tiles.set_readout(replace(array.tiles.chip.readout, **changes))  # type: ignore[arg-type]
        calibrate(other, examples.calibration_batches())
        return accuracy_of(other, examples)

    with digitally(model):
        levels = accuracy_of(model, examples)
    return Ablation(
        levels=levels,
        converters=accuracy(ideal_transfers(tiles, config)),
        array=accuracy(None, dac_bits=None, adc_bits=None),
        circuit=circuit.accuracy,
        untrimmed=accuracy(None, trim=False),
    )


def sample_reads(
    model: nn.Module, chosen: Sequence[Tile], examples: Examples, *, tiles: int, vectors: int, seed: int = 0
) -> list[tuple[int, Floats]]:
    """Tiles with real inputs, to be read again by another simulator.

    The tiles are drawn with the seed, layer after layer in turn, so that every layer is among the first ones;
    the inputs are row voltages (vectors, rows) [V] of test images drawn with the same seed. A tile whose inputs are all
    zero, as at the edge of the images, tells nothing and is passed over; where no tile has any, other images are drawn.

    Parameters
    ----------
    model
        On arrays, calibrated, in evaluation mode.
    chosen
        Its tiles.
    examples
        What the images are drawn from.
    tiles, vectors
        How many.
    seed
        Of what is drawn.

    Returns
    -------
    list
        Position of the tile and its row voltages; fewer than `tiles`, or none, where no more have inputs.
    """
    random = np.random.default_rng(seed)
    count = len(examples.inputs)
    images = random.choice(count, min(vectors, count), replace=False)
    layers = list(dict.fromkeys(tile.layer for tile in chosen))
    queues = [
        random.permutation([place for place, tile in enumerate(chosen) if tile.layer == layer])
        for layer in layers
    ]
    longest = max(len(queue) for queue in queues)
    order = [int(queue[turn]) for turn in range(longest) for queue in queues if turn < len(queue)]

    def reads(images: NDArray[np.intp]) -> Iterator[tuple[int, Floats]]:
        voltages = _voltages(model, examples.inputs[torch.from_numpy(np.sort(images))])
        for place in order:
            tile = chosen[place]
            if tile.layer in voltages:
                yield place, voltages[tile.layer][:, tile.group, tile.rows]

    def several(read: Floats) -> Floats:
        if len(read) <= vectors:
            return read
        heard = read[read.any(axis=1)]  # patches of an image, one after another: some of them
        chosen = np.linspace(0, len(heard) - 1, vectors).round().astype(int)
        return np.asarray(heard[chosen])

    found = [(place, several(read)) for place, read in reads(images) if read.any()][:tiles]
    if not found:
        others = random.choice(count, min(_OTHER_IMAGES, count), replace=False)
        found = [(place, several(read)) for place, read in reads(others) if read.any()][:tiles]
    return found


def _voltages(model: nn.Module, inputs: Tensor) -> dict[str, Floats]:
    """Row voltages (reads, groups, inputs) of each layer."""
    parts: dict[str, list[Any]] = {}

    def keep(layer: str, voltages: Tensor, _first: bool) -> None:
        parts.setdefault(layer, []).append(voltages.double().cpu().numpy())

    with torch.no_grad(), listening(model, keep):
        model(inputs)
    return {layer: np.concatenate(several) for layer, several in parts.items()}


def confusion_matrix(labels: NDArray[Any], predictions: NDArray[np.intp], classes: int) -> NDArray[np.intp]:
    """Images per class (down) and prediction (across).

    Examples
    --------
    >>> confusion_matrix(np.array([0, 1, 1], dtype=np.uint8), np.array([0, 0, 1]), 2).tolist()
    [[1, 0], [1, 1]]
    """
    pairs = labels.astype(np.intp) * classes + predictions
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
