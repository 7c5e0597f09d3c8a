"""Sizes of a network's layers: as one lists them, and the shapes of the weights that follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolution:
    """A convolutional layer with ReLU and largest-of-a-square pooling, in a list of layer sizes."""

    channels: int
    """Output channels."""
    kernel: int
    """Side of the patch."""
    stride: int = 1
    padding: int = 0
    pool: int = 1


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Weights of one layer, and how its inputs are read."""

    outputs: int
    inputs: int
    window: Window | None = None

    @property
    def values(self) -> int:
        """Numbers that the layer gives for one image."""
        if self.window is None:
            return self.outputs
        height, width = self.window.pooled_size
        return self.outputs * height * width


def shapes(layers: Sequence[int | Convolution], channels: int, height: int, width: int) -> tuple[Shape, ...]:
    """Shapes of the weights of each layer, for images of the given size.

    Parameters
    ----------
    layers
        Pixels first, then outputs of each layer (a number) or a `Convolution`.
    channels, height, width
        Of an image.

    Raises
    ------
    ValueError
        When the list is too short, does not begin with the pixels, or a convolution follows a full layer.

    Examples
    --------
    >>> [(s.outputs, s.inputs) for s in shapes([784, Convolution(channels=6, kernel=5, pool=2), 10], 1, 28, 28)]
    [(6, 25), (10, 864)]
    """
    values = channels * height * width
    if len(layers) < 2 or layers[0] != values:
        raise ValueError(
            f"layers = {list(layers)}: expected at least two positive sizes, the first {values} (pixels)"
        )
    found: list[Shape] = []
    image: tuple[int, int, int] | None = (channels, height, width)
    for layer in layers[1:]:
        if isinstance(layer, Convolution):
            if image is None:
                raise ValueError(
                    f"layers = {list(layers)}: a convolution cannot follow a fully connected layer"
                )
            window = Window(
                channels=image[0],
                height=image[1],
                width=image[2],
                kernel=layer.kernel,
                stride=layer.stride,
                padding=layer.padding,
                pool=layer.pool,
            )
            found.append(Shape(outputs=layer.channels, inputs=window.patch, window=window))
            image = (layer.channels, *window.pooled_size)
        else:
            found.append(Shape(outputs=int(layer), inputs=values))
            image = None
        if found[-1].outputs < 1:
            raise ValueError(f"layers = {list(layers)}: expected at least two positive sizes")
        values = found[-1].values
    return tuple(found)
