"""A trained network: what is left of training, as plain arrays."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compact_model.cards.storage import whole_file
from compact_model.numeric import Floats

if TYPE_CHECKING:
    from pathlib import Path

    from nn_mapping.data import Bytes

Floats32 = NDArray[np.float32]

_FORMAT = 1
_INDEX = "level_index"  # name of `Layer.weight_index` in files
_LARGEST = 4_000_000_000  # bytes of all arrays of a file
_CHUNK = 2000  # images at once: patches of a convolution take memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How a convolution reads its input: one product of the weights with every patch of the image (im2col).

    The array holds the weights once, as a matrix (output channels, input channels * kernel * kernel), and reads
    one patch after another.
    """

    channels: int
    """Of the input."""
    height: int
    width: int
    kernel: int
    stride: int = 1
    padding: int = 0
    """Zeros around the input."""
    pool: int = 1
    """Side of the squares of outputs of which the largest is kept, after ReLU; 1 keeps all."""

    def __post_init__(self) -> None:
        if (
            min(self.channels, self.height, self.width, self.kernel, self.stride, self.pool) < 1
            or self.padding < 0
        ):
            raise ValueError(f"{self}: expected lengths of at least 1 and a padding of at least 0")
        if min(self.positions) < self.pool:
            raise ValueError(f"{self}: {self.positions} outputs are too few for a pool of {self.pool}")

    @property
    def positions(self) -> tuple[int, int]:
        """Patches along height and width."""
        return (
            (self.height + 2 * self.padding - self.kernel) // self.stride + 1,
            (self.width + 2 * self.padding - self.kernel) // self.stride + 1,
        )

    @property
    def reads(self) -> int:
        """Patches of one image."""
        return self.positions[0] * self.positions[1]

    @property
    def pooled_size(self) -> tuple[int, int]:
        """Height and width after pooling."""
        return self.positions[0] // self.pool, self.positions[1] // self.pool

    @property
    def patch(self) -> int:
        """Numbers in one patch."""
        return self.channels * self.kernel**2

    def patches(self, images: NDArray[Any]) -> NDArray[Any]:
        """All patches (images * positions, patch) of images (count, channels * height * width).

        Examples
        --------
        >>> window = Window(channels=1, height=2, width=3, kernel=2)
        >>> window.patches(np.arange(6)[np.newaxis]).tolist()
        [[0, 1, 3, 4], [1, 2, 4, 5]]
        """
        side = self.padding
        cubes = images.reshape(-1, self.channels, self.height, self.width)
        padded = np.pad(cubes, ((0, 0), (0, 0), (side, side), (side, side)))
        views = np.lib.stride_tricks.sliding_window_view(padded, (self.kernel, self.kernel), axis=(2, 3))
        strided = views[:, :, :: self.stride, :: self.stride]
        return strided.transpose(0, 2, 3, 1, 4, 5).reshape(-1, self.patch)

    def pooled(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Turn outputs (images * positions, channels) into images (count, channels * height * width), pooled.

        Examples
        --------
        >>> window = Window(channels=1, height=3, width=3, kernel=2, pool=2)
        >>> window.pooled(np.array([[1.0], [4.0], [2.0], [3.0]])).tolist()
        [[4.0]]
        """
        channels, (height, width) = outputs.shape[1], self.pooled_size
        maps = outputs.reshape(-1, *self.positions, channels).transpose(0, 3, 1, 2)
        kept = maps[:, :, : height * self.pool, : width * self.pool]
        squares = kept.reshape(len(maps), channels, height, self.pool, width, self.pool)
        return np.asarray(squares.max(axis=(3, 5)).reshape(len(maps), -1))


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
    def reads(self) -> int:
        """Inputs that the array reads one after another for one image."""
        return 1 if self.window is None else self.window.reads

    def spread(self, inputs: NDArray[Any]) -> NDArray[Any]:
        """Inputs of the products, (images * reads, in), of what the layer gets for each image."""
        return inputs if self.window is None else self.window.patches(inputs)

    def gather(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """What the layer gives for each image, of the outputs (images * reads, out)."""
        return outputs if self.window is None else self.window.pooled(outputs)

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

    def inputs(self, images: Bytes) -> Floats32:
        """Turn images (count, height, width) into inputs (count, pixels) in 0..1."""
        return scale_pixels(images, self.input_bits)

    def forward(self, inputs: Floats32) -> Floats32:
        """Digital outputs (count, classes) of inputs (count, pixels) in 0..1."""
        for layer in self.layers[:-1]:
            inputs = layer.gather(
                np.maximum(layer.gain * (layer.spread(inputs) @ layer.weights.T) + layer.offset, 0)
            )
        last = self.layers[-1]
        return last.gather(last.gain * (last.spread(inputs) @ last.weights.T) + last.offset)

    def predict(self, images: Bytes) -> NDArray[np.intp]:
        """Class of each image (count, height, width)."""
        parts = [images[start : start + _CHUNK] for start in range(0, len(images), _CHUNK)]
        return np.concatenate([self.forward(self.inputs(part)).argmax(axis=1) for part in parts])

    def accuracy(self, images: Bytes, labels: Bytes) -> float:
        """Share of the images whose class is right."""
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
    table = np.round(np.arange(256) * ((2**bits - 1) / 255)).astype(np.uint8)
    return table.take(flat), 2**bits - 1
