"""Layers whose matrix of weights is on tiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from nn_mapping.analog.tiled_product import TiledProduct
from nn_mapping.post_training import best_scale

if TYPE_CHECKING:
    from nn_mapping.analog.chip_design import Chip
    from nn_mapping.analog.tiled_read import Kernel


class NotCalibratedError(RuntimeError):
    """A product was asked for before its full scales were set."""


class ArrayMatrix(nn.Module):
    """A matrix of weights on tiles: ``level(weight / scale) * scale`` is what they hold.

    The weight is a trainable value; forward it is the nearest level, and its gradient is that of the level
    (straight-through, with the exact gradient of the circuit behind it).

    Parameters
    ----------
    weight
        (groups * outputs, inputs, ...); a parameter is kept itself, so that what is tied or frozen stays so.
    bias
        (groups * outputs,), added digitally; None: there is none.
    chip
        Array, levels and converters.
    groups
        Groups of outputs that have inputs of their own.
    """

    scale: Tensor
    bias: Tensor | None
    correction: Tensor | None

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        chip: Chip,
        *,
        groups: int = 1,
        first_tile: int = 0,
        known: dict[tuple[Any, ...], Any] | None = None,
    ) -> None:
        super().__init__()
        self.place = "this array"
        """Name in the model."""
        self.bypassed = False
        """Whether products are digital, with the levels that the tiles hold."""
        self.weight = _parameter(weight)
        self.register_parameter("bias", None if bias is None else _parameter(bias))
        self.groups = groups
        values = weight.detach().double().cpu().numpy()
        if not np.isfinite(values).all():
            raise ValueError("weights are not finite numbers")
        scale = best_scale(values, chip.level_set.weights)
        self.register_buffer("scale", weight.new_tensor(scale).detach())
        self.register_buffer("correction", None)
        self._last: _Made | None = None
        self.tiles = TiledProduct(self._latent(weight.detach()), chip, first_tile, known)

    @property
    def weights(self) -> Tensor:
        """What the tiles hold in units of the levels, (groups, outputs, inputs)."""
        nearest: Tensor = self.tiles.cells.nearest(self._latent(self.weight))
        return nearest

    @property
    def level_index(self) -> Tensor:
        """Number of the level that each weight takes, shape of the weight."""
        return self.tiles.cells.index(self._latent(self.weight)).view(self.weight.shape)

    def held(self) -> dict[str, Tensor]:
        """What the tiles hold, as the weight of the plain layer, and its bias: under torch's names."""
        found = {"weight": (self.weights.detach() * self.scale).view(self.weight.shape)}
        return found if self.bias is None else found | {"bias": self.bias.detach()}

    def _latent(self, weight: Tensor) -> Tensor:
        return weight.reshape(self.groups, len(weight) // self.groups, -1) / self.scale

    def output_axis(self, outputs: Tensor) -> int:
        """Axis of what the layer has given that counts its outputs."""
        return outputs.ndim - 1

    def trim(self) -> None:
        """Trim the columns of what the tiles are now, to what the weights ask for."""
        self.tiles.trim(self.weights)

    def begin_calibration(self) -> None:
        """Forget the full scales and trim the columns; inputs widen the full scales until `end_calibration`."""
        self.tiles.begin_calibration(self.weights)

    def end_calibration(self) -> bool:
        """Keep the full scales as they are; False when no input has come."""
        return self.tiles.end_calibration()

    def products(self, x: Tensor, kernel: Kernel | None = None) -> Tensor:
        """Outputs with bias, (count, groups * outputs, ...), of inputs (count, groups * inputs, ...)."""
        if torch.is_autocast_enabled(x.device.type):  # what precedes may be in fewer bits, the circuit is not
            x = x.to(self.weight.dtype)
        with torch.autocast(x.device.type, enabled=False):
            found = self._product(x, kernel) * self.scale
        along = (-1, *[1] * (x.ndim - 2))
        if self.correction is not None and not self.bypassed:
            found = found * self.correction[0].view(along) + self.correction[1].view(along)
        return found if self.bias is None else found + self.bias.view(along)

    def correct(self, gain: Tensor, offset: Tensor) -> None:
        """Multiply and shift the products of every output, (groups * outputs,) each, before the bias is added."""
        self.correction = torch.stack([gain, offset]).to(self.weight)

    def _product(self, x: Tensor, kernel: Kernel | None) -> Tensor:
        """Products in units of the weights."""
        if self.bypassed:
            return self.tiles.digital(x, self.weights, kernel)
        if not (self.tiles.calibrated or self.tiles.calibrating):
            raise NotCalibratedError(f"{self.place}: no full scales yet: call `calibrate(model, data)` first")
        if self.training and not self.tiles.calibrating:
            self.tiles.advance(self.weights)
        return self.tiles.product(x, self._matrices(), kernel)

    def _matrices(self) -> tuple[Tensor, Tensor | None]:
        """What `TiledProduct.matrices` makes of the weights; without gradients, the last ones while nothing changes."""
        if torch.is_grad_enabled() and self.weight.requires_grad:
            return self.tiles.matrices(self.weights)
        held = [(buffer, buffer._version) for buffer in self.buffers()]
        last = self._last
        if (
            last is None
            or not torch.equal(last.weight, self.weight)
            or len(last.buffers) != len(held)
            or any(a is not b or u != v for (a, u), (b, v) in zip(last.buffers, held, strict=True))
        ):
            weight = self.weight.detach().clone()
            self._last = last = _Made(weight=weight, buffers=held, matrices=self.tiles.matrices(self.weights))
        return last.matrices


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """Matrices, and what they were made of."""

    weight: Tensor
    buffers: list[tuple[Tensor, int]]
    matrices: tuple[Tensor, Tensor | None]


def _parameter(values: Tensor) -> nn.Parameter:
    return values if isinstance(values, nn.Parameter) else nn.Parameter(values.detach().clone())


class ArrayLinear(ArrayMatrix):
    """`torch.nn.Linear` on tiles."""

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        chip: Chip,
        *,
        first_tile: int = 0,
        known: dict[tuple[Any, ...], Any] | None = None,
    ) -> None:
        super().__init__(weight, bias, chip, first_tile=first_tile, known=known)
        self.out_features, self.in_features = weight.shape

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (..., out) of inputs (..., in)."""
        if x.shape[-1] != self.in_features:
            raise ValueError(
                f"{self.place}: inputs of shape {tuple(x.shape)}, expected (..., {self.in_features})"
            )
        return self.products(x.reshape(-1, self.in_features)).reshape(*x.shape[:-1], self.out_features)

    def extra_repr(self) -> str:
        """Sizes, as torch prints them."""
        tiles = self.tiles.tiling.tiles
        return f"in_features={self.in_features}, out_features={self.out_features}, tiles={tiles}"
