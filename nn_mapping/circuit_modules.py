"""A torch model of one's own, with its products made by arrays."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the name everyone uses)
from torch import Tensor, nn

from nn_mapping.circuit_layer import ArrayResponse, CircuitProduct
from nn_mapping.levels import nearest_level
from nn_mapping.mapping import map_network
from nn_mapping.post_training import best_scale
from nn_mapping.quantiser import Quantiser
from nn_mapping.trained import Layer, TrainedNetwork

if TYPE_CHECKING:
    from collections.abc import Sequence

    from circuits.arrays.config import ArrayConfig
    from compact_model.numeric import Floats
    from nn_mapping.accuracy import Readout
    from nn_mapping.levels import LevelSet


class CircuitLinear(nn.Module):
    """A matrix of weights on tiles: ``product(input, level(weight / scale)) * scale + bias``.

    Rows are driven by voltages of one sign; an input with negative entries is read twice, its positive and its
    negative part, and the results are subtracted. In training the gradient passes the rounding unchanged.
    """

    scale: Tensor

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        level_set: LevelSet,
        tile: tuple[int, int],
        config: ArrayConfig,
        readout: Readout,
        responses: dict[tuple[int, int], ArrayResponse],
        state_ohm: Floats | None,
    ) -> None:
        super().__init__()
        values = weight.detach().double().numpy()
        scale = best_scale(values, level_set.weights)
        index = nearest_level(values / scale, level_set.weights)
        ones = np.ones(len(values), dtype=np.float32)
        alone = Layer(
            weights=level_set.weights.astype(np.float32)[index],
            gain=ones,
            offset=0 * ones,
            weight_index=index,
        )
        network = TrainedNetwork(layers=(alone,), levels=level_set.weights)
        self.mapped = map_network(network, level_set, *tile, state_ohm)
        self.product = CircuitProduct(self.mapped, 0, config, readout, responses)
        self.product.first = False  # full scale of the inputs follows the inputs
        self.quantiser = Quantiser(level_set.weights)
        self.weight = nn.Parameter(weight.detach().clone())
        self.bias = None if bias is None else nn.Parameter(bias.detach().clone())
        self.register_buffer("scale", torch.tensor(scale, dtype=weight.dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (..., out) of inputs (..., in)."""
        flat = x.reshape(-1, x.shape[-1])
        latent = (self.weight / self.scale).clamp(self.quantiser.low, self.quantiser.high)
        with torch.no_grad():
            levels = torch.from_numpy(self.quantiser.exact).to(latent.dtype)
            change = levels[self.quantiser.index(latent.float())] - latent
        weight = latent + change
        outputs = self.product(flat.clamp(min=0), weight)
        if bool((flat < 0).any()):
            outputs = outputs - self.product((-flat).clamp(min=0), weight)
        outputs = outputs * self.scale
        if self.bias is not None:
            outputs = outputs + self.bias
        return outputs.reshape(*x.shape[:-1], -1)


class CircuitConv2d(nn.Module):
    """A convolution by im2col: the tiles hold the kernels once and read one patch after another."""

    def __init__(self, linear: CircuitLinear, conv: nn.Conv2d, padding: Sequence[int]) -> None:
        super().__init__()
        self.linear = linear
        self.kernel, self.stride, self.padding = conv.kernel_size, conv.stride, tuple(padding)

    def forward(self, x: Tensor) -> Tensor:
        """Images (count, channels, height, width)."""
        height, width = (
            (size + 2 * pad - kernel) // stride + 1
            for size, pad, kernel, stride in zip(
                x.shape[2:], self.padding, self.kernel, self.stride, strict=True
            )
        )
        patches = F.unfold(x, self.kernel, padding=self.padding, stride=self.stride).transpose(1, 2)
        outputs: Tensor = self.linear(patches)
        return outputs.transpose(1, 2).reshape(len(x), -1, height, width)


def convert(
    model: nn.Module,
    level_set: LevelSet,
    tile: tuple[int, int],
    config: ArrayConfig,
    readout: Readout,
    state_ohm: Floats | None = None,
) -> nn.Module:
    """A copy of a model whose ``Linear`` and ``Conv2d`` layers are arrays; everything else is as it was.

    Weights and biases are kept as trainable values; forward they are the nearest levels, with one scale per
    layer. The copy can be evaluated and trained further like any model.

    Parameters
    ----------
    model
        Any module. Convolutions must have one group, no dilation, and zero padding given as numbers.
    level_set
        Weights that the synapses hold.
    tile
        Largest (rows, columns) of an array.
    config, readout
        The array and its converters.
    state_ohm
        States of two-terminal cells [Ohm]; see `map_network`.

    Raises
    ------
    ValueError
        For a convolution that tiles cannot carry, named by its place in the model.
    """
    result = copy.deepcopy(model)
    responses: dict[tuple[int, int], ArrayResponse] = {}

    def array(weight: Tensor, bias: Tensor | None) -> CircuitLinear:
        return CircuitLinear(weight, bias, level_set, tile, config, readout, responses, state_ohm)

    def replaced(layer: nn.Module, name: str) -> nn.Module:
        if isinstance(layer, nn.Linear):
            return array(layer.weight, layer.bias)
        if isinstance(layer, nn.Conv2d):
            plain = layer.groups == 1 and tuple(layer.dilation) == (1, 1) and layer.padding_mode == "zeros"
            if not plain or isinstance(layer.padding, str):
                raise ValueError(
                    f"{name or 'model'}: {layer}: expected one group, no dilation, zero padding given as numbers"
                )
            return CircuitConv2d(array(layer.weight.flatten(1), layer.bias), layer, layer.padding)
        for child_name, child in layer.named_children():
            setattr(layer, child_name, replaced(child, f"{name}.{child_name}".lstrip(".")))
        return layer

    return replaced(result, "")
