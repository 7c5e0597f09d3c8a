"""What a model is calibrated and tested on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nn_mapping.trained import scale_pixels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from nn_mapping.data import Dataset

CALIBRATION_IMAGES = 2000
"""Of the training images of a data set: those that full scales are set on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Inputs of a model: some to set full scales on, and labelled ones to test it with.

    Raises
    ------
    ValueError
        When inputs and labels do not belong together, or there are none.
    """

    calibration: Tensor
    """Of the training part, shape (count, ...), as the model takes them."""
    inputs: Tensor
    """Of the test part, shape (count, ...)."""
    labels: NDArray[np.intp]
    """Class of each test input, from 0, shape (count,)."""
    batch: int = CALIBRATION_IMAGES
    """Inputs that go through the model at once."""

    def __post_init__(self) -> None:
        if not len(self.calibration) or not len(self.inputs) or self.labels.shape != self.inputs.shape[:1]:
            raise ValueError(
                f"{len(self.calibration)} inputs for calibration, {len(self.inputs)} for the test, labels of shape "
                f"{self.labels.shape}: expected at least one of each, and a label for every test input"
            )
        if self.batch < 1:
            raise ValueError(f"batch = {self.batch}, allowed: at least 1")

    @classmethod
    def of(cls, dataset: Dataset, bits: int | None = None) -> Examples:
        """Bytes as inputs in 0..1, on ``2**bits`` steps where given, and floats as they are.

        Images have the shape (count, channels, height, width), features (count, features).
        """
        return cls(
            calibration=_images(dataset.train_images[:CALIBRATION_IMAGES], bits),
            inputs=_images(dataset.test_images, bits),
            labels=dataset.test_labels.astype(np.intp),
        )

    def batches(self) -> Iterator[Tensor]:
        """The test inputs, some at a time."""
        yield from torch.split(self.inputs, self.batch)

    def calibration_batches(self) -> Iterator[Tensor]:
        """The inputs for calibration, some at a time."""
        yield from torch.split(self.calibration, self.batch)


def _images(images: NDArray[Any], bits: int | None) -> Tensor:
    shares = scale_pixels(images, bits) if images.dtype == np.uint8 else images
    shape = (-1, *images.shape[-2:]) if images.ndim > 2 else images.shape[1:]
    return torch.from_numpy(shares).view(len(images), *shape)
