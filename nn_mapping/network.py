"""A trained network: what is left of training, as plain arrays."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pathlib import Path

    from nn_mapping.data import Bytes

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]

_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One fully connected layer: ``output = gain * (weights @ input) + offset``.

    Batch normalisation is folded into `gain` and `offset`, both digital, one number per output.
    """

    weights: Floats32
    """Shape (out, in); every entry is one of the network's levels when it has levels."""
    gain: Floats32
    """Shape (out,)."""
    offset: Floats32
    """Shape (out,)."""
    level_index: NDArray[np.uint8] | None = None
    """Level of each weight, shape (out, in); None for free weights."""

    @property
    def shape(self) -> tuple[int, int]:
        """Outputs and inputs."""
        return self.weights.shape[0], self.weights.shape[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedNetwork:
    """Fully connected layers with ReLU between them, as training left them.

    Inputs are pixels as 0..1, quantised to `input_bits` when given.
    """

    layers: tuple[Layer, ...]
    levels: Floats | None = None
    """Weights that a synapse can hold, ascending; None for free weights."""
    input_bits: int | None = None
    history: dict[str, list[float]] = field(default_factory=dict)
    """Per epoch: ``train_loss``, ``train_accuracy`` (running means over the epoch), ``test_accuracy``."""
    info: dict[str, Any] = field(default_factory=dict)
    """Recipe, seed, data set, version of torch: what one needs to train it again."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Layer sizes, input first."""
        return (self.layers[0].shape[1], *(layer.shape[0] for layer in self.layers))

    def inputs(self, images: Bytes) -> Floats32:
        """Turn images (count, height, width) into inputs (count, pixels) in 0..1."""
        return scale_pixels(images, self.input_bits)

    def forward(self, inputs: Floats32) -> Floats32:
        """Digital outputs (count, classes) of inputs (count, pixels) in 0..1."""
        for layer in self.layers[:-1]:
            inputs = np.maximum(layer.gain * (inputs @ layer.weights.T) + layer.offset, 0)
        last = self.layers[-1]
        return last.gain * (inputs @ last.weights.T) + last.offset

    def predict(self, images: Bytes) -> NDArray[np.intp]:
        """Class of each image (count, height, width)."""
        classes: NDArray[np.intp] = self.forward(self.inputs(images)).argmax(axis=1)
        return classes

    def accuracy(self, images: Bytes, labels: Bytes) -> float:
        """Share of the images whose class is right."""
        return float(np.mean(self.predict(images) == labels))

    def save(self, path: Path) -> None:
        """Write an ``.npz`` file (arrays and JSON text, no pickle); an existing file is replaced at once."""
        arrays: dict[str, NDArray[Any]] = {}
        for number, layer in enumerate(self.layers):
            for name in ("weights", "gain", "offset", "level_index"):
                value = getattr(layer, name)
                if value is not None and not (name == "weights" and layer.level_index is not None):
                    arrays[f"{number}.{name}"] = value
        if self.levels is not None:
            arrays["levels"] = self.levels
        header = {
            "format": _FORMAT,
            "layers": len(self.layers),
            "input_bits": self.input_bits,
            "history": self.history,
            "info": self.info,
        }
        partial = path.with_name(f".{path.name}.partial")
        with partial.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, header=np.array(json.dumps(header)), **arrays)
        partial.replace(path)


def load_network(path: Path) -> TrainedNetwork:
    """Read what :meth:`TrainedNetwork.save` wrote.

    Raises
    ------
    ValueError
        When the file is not such a network.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            header = json.loads(str(file["header"]))
            if header["format"] != _FORMAT:
                raise ValueError(f"format {header['format']}, expected {_FORMAT}")
            levels = file.get("levels")
            layers = []
            for number in range(header["layers"]):
                index = file[f"{number}.level_index"] if levels is not None else None
                weights = (
                    levels.astype(np.float32)[index] if levels is not None else file[f"{number}.weights"]
                )
                layers.append(
                    Layer(
                        weights=weights,
                        gain=file[f"{number}.gain"],
                        offset=file[f"{number}.offset"],
                        level_index=index,
                    )
                )
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: not a trained network of this program: {error}") from error
    return TrainedNetwork(
        layers=tuple(layers),
        levels=levels,
        input_bits=header["input_bits"],
        history=header["history"],
        info=header["info"],
    )


def scale_pixels(images: Bytes, bits: int | None) -> Floats32:
    """Turn bytes (count, ...) into inputs (count, pixels) in 0..1, on ``2**bits`` steps when `bits` is given.

    Examples
    --------
    >>> scale_pixels(np.array([[0, 90, 255]], dtype=np.uint8), bits=1).tolist()
    [[0.0, 0.0, 1.0]]
    """
    codes, steps = pixel_codes(images, bits)
    return codes.astype(np.float32) / np.float32(steps)


def pixel_codes(images: Bytes, bits: int | None) -> tuple[Bytes, int]:
    """Whole numbers (count, pixels) that stand for inputs in 0..1, and the one that stands for 1.

    Examples
    --------
    >>> pixel_codes(np.array([[0, 90, 255]], dtype=np.uint8), bits=2)
    (array([[0, 1, 3]], dtype=uint8), 3)
    """
    flat = images.reshape(len(images), -1)
    if bits is None:
        return flat, 255
    table = np.round(np.arange(256) * ((2**bits - 1) / 255)).astype(np.uint8)
    return table[flat], 2**bits - 1
