"""A trained network: what is left of training, as plain arrays."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from compact_model.cards.storage import whole_file
from compact_model.numeric import Floats
from nn_mapping.layer_shapes import Window

if TYPE_CHECKING:
    from pathlib import Path

    from nn_mapping.data import Bytes
    from nn_mapping.levels import LevelSet

Floats32 = NDArray[np.float32]

_FORMAT = 1
_INDEX = "level_index"  # name of `Layer.weight_index` in files
_LARGEST = 4_000_000_000  # bytes of all arrays of a file
_CHUNK = 2000  # images at once
_SAME = 1e-6  # levels of two sets that differ by less are the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer: ``output = gain * (weights @ input) + offset``, where the input of a convolution is a patch.

    Batch normalisation is folded into `gain` and `offset`, both digital, one number per output.
    """

    weights: Floats32
    """Shape (out, in); every entry is one of the network's levels when it has levels."""
    gain: Floats32
    """Shape (out,)."""
    offset: Floats32
    """Shape (out,)."""
    weight_index: NDArray[np.uint8 | np.uint16] | None = None
    """Position of each weight among the network's levels, shape (out, in); None for free weights."""
    window: Window | None = None
    """How a convolution reads its input; None for a fully connected layer."""

    @property
    def shape(self) -> tuple[int, int]:
        """Outputs and inputs."""
        return self.weights.shape[0], self.weights.shape[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedNetwork:
    """Layers with ReLU between them, as training left them.

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
        """Inputs of the first product, then the outputs of each layer (channels, for convolutions)."""
        return (self.layers[0].shape[1], *(layer.shape[0] for layer in self.layers))

    def check_levels(self, level_set: LevelSet) -> None:
        """ValueError when the network was trained on other levels."""
        held = level_set.weights
        if self.levels is None or self.levels.shape != held.shape or np.abs(self.levels - held).max() > _SAME:
            trained = "free weights" if self.levels is None else np.round(self.levels, 4).tolist()
            raise ValueError(
                f"the network was trained on {trained}, the array holds {np.round(held, 4).tolist()}"
            )

    def model(self) -> nn.Sequential:
        """The same as a torch model in evaluation mode, of inputs (count, channels, height, width) in 0..1.

        Its products are ``layer1``, ``layer2``, ...; gain and offset are a batch normalisation (``norm1``, ...) with
        nothing left to normalise. Convolutions are followed by ReLU and pooling.
        """
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        for number, layer in enumerate(self.layers, start=1):
            if layer.window is None:
                parts.setdefault("flat", nn.Flatten())
            parts[f"layer{number}"] = _product(layer)
            parts[f"norm{number}"] = _affine(layer)
            if number < len(self.layers):
                parts[f"relu{number}"] = nn.ReLU()
            if layer.window is not None and layer.window.pool > 1:
                parts[f"pool{number}"] = nn.MaxPool2d(layer.window.pool)
        return nn.Sequential(parts).eval()

    def predict(self, images: Bytes) -> NDArray[np.intp]:
        """Class of each image (count, ..., height, width), digitally."""
        model = self.model()
        shape = (-1, *images.shape[-2:]) if images.ndim > 2 else images.shape[1:]
        inputs = torch.from_numpy(scale_pixels(images, self.input_bits)).view(len(images), *shape)
        with torch.no_grad():
            found: NDArray[np.intp] = torch.cat(
                [model(part).argmax(dim=1) for part in torch.split(inputs, _CHUNK)]
            ).numpy()
        return found

    def accuracy(self, images: Bytes, labels: Bytes) -> float:
        """Share of the images whose class is right, digitally."""
        return float(np.mean(self.predict(images) == labels))

    def save(self, path: Path) -> None:
        """Write an ``.npz`` file (arrays and JSON text, no pickle); an existing file is replaced at once."""
        arrays: dict[str, NDArray[Any]] = {}
        for number, layer in enumerate(self.layers):
            if layer.weight_index is None:
                arrays[f"{number}.weights"] = layer.weights
            else:
                arrays[f"{number}.{_INDEX}"] = layer.weight_index
            arrays |= {f"{number}.gain": layer.gain, f"{number}.offset": layer.offset}
        if self.levels is not None:
            arrays["levels"] = self.levels
        header = {
            "format": _FORMAT,
            "layers": len(self.layers),
            "input_bits": self.input_bits,
            "history": self.history,
            "info": self.info,
            "windows": [None if layer.window is None else asdict(layer.window) for layer in self.layers],
        }
        with whole_file(path) as partial, partial.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, header=np.array(json.dumps(header)), **arrays)


def load_network(path: Path) -> TrainedNetwork:
    """Read what `TrainedNetwork.save` wrote.

    Raises
    ------
    ValueError
        When the file is not such a network.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            if sum(member.file_size for member in file.zip.infolist()) > _LARGEST:
                raise ValueError(f"its arrays are larger than {_LARGEST} bytes")
            header = json.loads(str(file["header"]))
            if header["format"] != _FORMAT:
                raise ValueError(f"format {header['format']}, expected {_FORMAT}")
            levels = file.get("levels")
            layers = []
            windows = header.get("windows", [None] * header["layers"])
            for number in range(header["layers"]):
                index = file[f"{number}.{_INDEX}"] if levels is not None else None
                weights = (
                    levels.astype(np.float32)[index] if levels is not None else file[f"{number}.weights"]
                )
                layers.append(
                    Layer(
                        weights=weights,
                        gain=file[f"{number}.gain"],
                        offset=file[f"{number}.offset"],
                        weight_index=index,
                        window=None if windows[number] is None else Window(**windows[number]),
                    )
                )
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged archive fails anywhere inside zipfile, zlib and numpy
        raise ValueError(f"{path}: not a trained network of this program: {error}") from error
    return TrainedNetwork(
        layers=tuple(layers),
        levels=levels,
        input_bits=header["input_bits"],
        history=header["history"],
        info=header["info"],
    )


def _product(layer: Layer) -> nn.Module:
    """The product of a layer as a module without bias."""
    outputs, inputs = layer.shape
    window = layer.window
    module: nn.Linear | nn.Conv2d
    if window is None:
        module = nn.Linear(inputs, outputs, bias=False, device="meta")  # without drawing weights
    else:
        module = nn.Conv2d(
            window.channels,
            outputs,
            window.kernel,
            stride=window.stride,
            padding=window.padding,
            bias=False,
            device="meta",
        )
    module.weight = nn.Parameter(torch.from_numpy(layer.weights).view(module.weight.shape))
    return module


def _affine(layer: Layer) -> nn.Module:
    """Gain and offset of a layer as a batch normalisation of mean 0 and variance 1."""
    kind = nn.BatchNorm1d if layer.window is None else nn.BatchNorm2d
    module = kind(len(layer.gain), eps=0.0)
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(layer.gain))
        module.bias.copy_(torch.from_numpy(layer.offset))
    return module


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
    if images.dtype != np.uint8:
        raise ValueError(
            f"images of type {images.dtype}, expected uint8: `Dataset.as_bytes` makes bytes of other numbers"
        )
    flat = images.reshape(len(images), -1)
    if bits is None:
        return flat, 255
    steps = 2**bits - 1
    table = np.linspace(0, steps, 256).round().astype(np.uint8)
    return table.take(flat), steps
