"""What training changes: latent weights, forward weights, batch normalisation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the name everyone uses)
from torch import Tensor

from nn_mapping.levels import nearest_level
from nn_mapping.trained import Layer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from nn_mapping.layer_shapes import Shape
    from nn_mapping.quantiser import Quantiser
    from nn_mapping.recipes import Recipe
    from nn_mapping.trained import TrainedNetwork

    Product = Callable[[Tensor, Tensor], Tensor]
    """Outputs (count, out) of inputs (count, in) and weights (out, in)."""

_BATCH_NORM_EPSILON = 1e-5
_BATCH_NORM_MOMENTUM = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Brightness:
    """Mean and standard deviation of pixels in 0..1."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, images: NDArray[np.uint8]) -> Brightness:
        """Of all pixels of some images.

        Raises
        ------
        ValueError
            When all pixels are alike.

        Examples
        --------
        >>> Brightness.of(np.array([[[0, 51]]], dtype=np.uint8))
        Brightness(mean=0.1, deviation=0.1)
        """
        found = cls(mean=float(images.mean()) / 255, deviation=float(images.std()) / 255)
        if not found.deviation:
            raise ValueError(
                f"standardise = True: all pixels are {found.mean:.3g}, so that their deviation is 0"
            )
        return found


class Parameters:
    """All that is trained in one vector, latent weights first, and the forward weights in another.

    The forward weights are the levels nearest to the latent ones. The gradient of a forward weight counts as
    that of its latent weight: that is the straight-through estimator. Without a quantiser they are the same.

    With `pixels` the network learns on inputs less their mean over their deviation; what it is given, and what its
    layers take, are pixels in 0..1.
    """

    def __init__(
        self,
        shapes: Sequence[Shape],
        quantiser: Quantiser | None,
        recipe: Recipe,
        products: Sequence[Product] | None = None,
        device: torch.device | None = None,
        pixels: Brightness | None = None,
    ) -> None:
        self.quantiser = quantiser
        self.products = products
        self.windows = [shape.window for shape in shapes]
        sizes = [(shape.outputs, shape.inputs) for shape in shapes]
        count = sum(outputs * inputs for outputs, inputs in sizes)
        norms = [outputs for outputs, _ in sizes] if recipe.batch_norm else []
        biases = [outputs for outputs, _ in sizes] if recipe.bias else []
        self.trained = torch.zeros(count + sum(biases) + 2 * sum(norms), device=device)
        self.latent = self.trained[:count]
        self.forward = self.latent if quantiser is None else torch.zeros_like(self.latent)
        self.weights = _views(self.forward, sizes)
        rest = _views(
            self.trained[count:], [(size,) for size in (*biases, *(size for size in norms for _ in range(2)))]
        )
        self.biases, affine = rest[: len(biases)], rest[len(biases) :]
        self.gamma, self.beta = affine[0::2], affine[1::2]
        self.mean = [torch.zeros(size, device=device) for size in norms]
        self.variance = [torch.ones(size, device=device) for size in norms]
        self._leaves = [*self.weights, *rest]
        self._latents = _views(self.latent, sizes)
        self._gains, self._means = [1.0] * len(sizes), [0.0] * len(sizes)
        if recipe.scale_outputs and quantiser is not None:
            self._gains[-1] /= math.sqrt(sizes[-1][1])
        if pixels is not None:
            self._gains[0] /= pixels.deviation
            self._means[0] = pixels.mean
        self._shapes = [leaf.shape for leaf in self._leaves]

    @property
    def parts(self) -> list[Tensor]:
        """What is trained, tensor by tensor, in the order of the gradients."""
        return self.views(self.trained)

    def views(self, flat: Tensor) -> list[Tensor]:
        """Parts of a vector as long as `trained`, as its parts are."""
        return [view.detach() for view in _views(flat, self._shapes)]

    def gradients(self, loss: Tensor, weight_decay: float) -> list[Tensor]:
        """Gradient of everything trained; the decay is coupled (L2) and for latent weights and biases alone."""
        found = list(torch.autograd.grad(loss, self._leaves))
        if weight_decay:
            for gradient, decayed in zip(found, (*self._latents, *self.biases), strict=False):
                gradient.add_(decayed.detach(), alpha=weight_decay)
        return found

    def initialise(self, generator: torch.Generator) -> None:
        """Draw latent weights and biases; batch normalisation begins as the identity."""
        with torch.no_grad():
            if self.quantiser is None:
                for weight in self.weights:  # Kaiming's uniform bounds, as torch.nn.Linear
                    weight.uniform_(-1, 1, generator=generator).div_(math.sqrt(weight.shape[1]))
            else:  # over the whole range: the mean weight is near zero, and every level is in use
                self.latent.uniform_(self.quantiser.low, self.quantiser.high, generator=generator)
            for bias, weight in zip(self.biases, self.weights, strict=False):
                bias.uniform_(-1, 1, generator=generator).div_(math.sqrt(weight.shape[1]))
            for gamma in self.gamma:
                gamma.fill_(1)
        self.quantise()

    def begin_from(self, network: TrainedNetwork, inputs: Tensor) -> None:
        """Take over a network that exists; its batch statistics are found again on the given inputs.

        Raises
        ------
        ValueError
            When a layer has a gain or an offset that the recipe does not give.
        """
        x = inputs
        with torch.no_grad():
            for latent, layer in zip(self._latents, network.layers, strict=True):
                latent.copy_(torch.from_numpy(layer.weights))
            self.quantise()
            for number, layer in enumerate(network.layers):
                weight, gain, offset = (
                    torch.from_numpy(values).to(x) for values in (layer.weights, layer.gain, layer.offset)
                )
                z = self._plain(number, x, weight)
                by_output = z.transpose(0, 1).flatten(1)
                mean, variance = by_output.mean(dim=1), by_output.var(dim=1, correction=0)
                if not self.gamma:
                    self._begin_affine(number, layer)
                else:
                    self.mean[number].copy_(mean)
                    self.variance[number].copy_(variance)
                    self.gamma[number].copy_(
                        gain * (variance + _BATCH_NORM_EPSILON).sqrt()
                    )  # by which `layers` divides
                    self.beta[number].copy_(offset + gain * mean)
                along = (-1, *[1] * (z.ndim - 2))
                x = self._pooled(number, F.relu(gain.view(along) * z + offset.view(along)))

    def _begin_affine(self, number: int, layer: Layer) -> None:
        """Take over the bias of a layer; its gain must be what the recipe gives, and its offset too without biases."""
        gain, offset = self._affine(number)
        missing = torch.from_numpy(layer.offset).to(offset.device) - offset
        if self.biases:
            self.biases[number].add_(missing)
        if not np.allclose(layer.gain, gain) or not (self.biases or torch.allclose(missing, 0 * missing)):
            raise ValueError(
                f"layer {number} of the network to begin from has gains {layer.gain.min():.4g} to "
                f"{layer.gain.max():.4g} and offsets {layer.offset.min():.4g} to {layer.offset.max():.4g}, which the "
                f"recipe does not give (gain {gain:.4g}): begin from a network that the same recipe trained"
            )

    def _affine(self, number: int) -> tuple[float, Tensor]:
        """Gain and offset (out,) of a layer without batch normalisation.

        A layer that sees pixels x less their mean m over their deviation s reads x alone:
        ``w (x - m) / s + b = (1 / s) (w x) + (b - (m / s) sum(w))``.
        """
        gain, mean, weight = self._gains[number], self._means[number], self.weights[number]
        offset = self.biases[number] if self.biases else weight.new_zeros(len(weight))
        if mean:
            offset = offset - gain * mean * weight.sum(dim=1)
        return gain, offset

    def quantise(self) -> None:
        """Clamp the latent weights to the range of the levels and refresh the forward weights."""
        if self.quantiser is not None:
            self.latent.clamp_(self.quantiser.low, self.quantiser.high)
            self.quantiser.into(self.forward, self.latent)

    def outputs(self, x: Tensor, recipe: Recipe, generator: torch.Generator | None) -> Tensor:
        """Forward pass; with a generator in training mode."""
        last = len(self.weights) - 1
        noise: Sequence[Tensor | None] = [None] * len(self.weights)
        if generator is not None and recipe.weight_noise:
            noise = self._noise(recipe.weight_noise, generator)
        for number, (weight, deviation) in enumerate(zip(self.weights, noise, strict=True)):
            x = self._product(number, x, weight if deviation is None else weight + deviation, recipe.bfloat16)
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
            else:
                gain, offset = self._affine(number)
                x = torch.add(offset.view(-1, *[1] * (x.ndim - 2)), x, alpha=gain)
            if number < last:
                x = F.relu(x)
                if generator is not None and recipe.dropout:
                    keep = torch.empty_like(x).bernoulli_(1 - recipe.dropout, generator=generator)
                    x = x * keep.div_(1 - recipe.dropout)
            x = self._pooled(number, x)
        return x

    def _pooled(self, number: int, x: Tensor) -> Tensor:
        """What the next layer gets, (images, values)."""
        window = self.windows[number]
        if window is None:
            return x
        return F.max_pool2d(x, window.pool).flatten(1)

    def _plain(self, number: int, x: Tensor, weight: Tensor) -> Tensor:
        """Weights times inputs without a circuit; (images, channels, height, width) for a convolution."""
        window = self.windows[number]
        if window is None:
            return F.linear(x, weight)
        kernels = weight.view(-1, window.channels, window.kernel, window.kernel)
        images = x.view(-1, window.channels, window.height, window.width)
        return F.conv2d(images, kernels, stride=window.stride, padding=window.padding)

    def _product(self, number: int, x: Tensor, weight: Tensor, bfloat16: bool) -> Tensor:
        """Weights times inputs; (images, channels, height, width) for a convolution."""
        window = self.windows[number]
        if self.products is None:
            if bfloat16:
                x, weight = x.bfloat16(), weight.bfloat16()
            return self._plain(number, x, weight).float()
        if window is None:
            return self.products[number](x, weight)
        images = x.view(-1, window.channels, window.height, window.width)
        patches = F.unfold(images, window.kernel, padding=window.padding, stride=window.stride)
        outputs = self.products[number](patches.transpose(1, 2).reshape(-1, window.patch), weight)
        return outputs.view(len(x), window.reads, -1).transpose(1, 2).reshape(len(x), -1, *window.positions)

    def _noise(self, share: float, generator: torch.Generator) -> list[Tensor]:
        assert self.quantiser is not None
        spread = share * (self.quantiser.high - self.quantiser.low)
        drawn = torch.empty_like(self.forward).normal_(0, spread, generator=generator)
        parts = torch.split(drawn, [weight.numel() for weight in self.weights])
        return [part.view(weight.shape) for part, weight in zip(parts, self.weights, strict=True)]

    def layers(self) -> tuple[Layer, ...]:
        """Plain arrays, with batch normalisation, biases and standardised pixels folded."""
        result = []
        for number, weight in enumerate(self.weights):
            if self.gamma:
                gain = self.gamma[number].detach() / torch.sqrt(self.variance[number] + _BATCH_NORM_EPSILON)
                offset = self.beta[number].detach() - gain * self.mean[number]
            else:
                factor, offset = self._affine(number)
                gain, offset = torch.full_like(offset, factor), offset.detach()
            weights = weight.detach().cpu().numpy().copy()
            index = None
            if self.quantiser is not None:
                index = nearest_level(weights, self.quantiser.levels.cpu().double().numpy())
            result.append(
                Layer(
                    weights=weights,
                    gain=gain.cpu().numpy(),
                    offset=offset.cpu().numpy(),
                    weight_index=index,
                    window=self.windows[number],
                )
            )
        return tuple(result)


def _views(flat: Tensor, shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    """Consecutive parts of a vector, as leaves of the graph that share its memory."""
    parts = torch.split(flat, [math.prod(shape) for shape in shapes])
    return [part.detach().view(shape).requires_grad_() for part, shape in zip(parts, shapes, strict=True)]
