"""What training changes: latent weights, forward weights, batch normalisation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 (the name everyone uses)
from torch import Tensor

from nn_mapping.levels import nearest_level
from nn_mapping.trained import Layer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nn_mapping.layer_shapes import Shape
    from nn_mapping.quantiser import Quantiser
    from nn_mapping.recipes import Recipe
    from nn_mapping.trained import TrainedNetwork

    Product = Callable[[Tensor, Tensor], Tensor]
    """Outputs (count, out) of inputs (count, in) and weights (out, in)."""

_BATCH_NORM_EPSILON = 1e-5
_BATCH_NORM_MOMENTUM = 0.1


class Parameters:
    """All that is trained in one vector, latent weights first, and the forward weights in another.

    The forward weights are the levels nearest to the latent ones. The gradient of a forward weight counts as
    that of its latent weight: that is the straight-through estimator. Without a quantiser they are the same.
    """

    def __init__(
        self,
        shapes: Sequence[Shape],
        quantiser: Quantiser | None,
        recipe: Recipe,
        products: Sequence[Product] | None = None,
        device: torch.device | None = None,
    ) -> None:
        self.quantiser = quantiser
        self.products = products
        self.windows = [shape.window for shape in shapes]
        sizes = [(shape.outputs, shape.inputs) for shape in shapes]
        count = sum(outputs * inputs for outputs, inputs in sizes)
        norms = [outputs for outputs, _ in sizes] if recipe.batch_norm else []
        self.trained = torch.zeros(count + 2 * sum(norms), device=device)
        self.latent = self.trained[:count]
        self.forward = self.latent if quantiser is None else torch.zeros_like(self.latent)
        self.weights = _views(self.forward, sizes)
        affine = _views(self.trained[count:], [(size,) for size in norms for _ in range(2)])
        self.gamma, self.beta = affine[0::2], affine[1::2]
        self.mean = [torch.zeros(size, device=device) for size in norms]
        self.variance = [torch.ones(size, device=device) for size in norms]
        self._leaves = [*self.weights, *affine]
        self._latents = _views(self.latent, sizes)
        self._shapes = [leaf.shape for leaf in self._leaves]

    @property
    def parts(self) -> list[Tensor]:
        """What is trained, tensor by tensor, in the order of the gradients."""
        return self.views(self.trained)

    def views(self, flat: Tensor) -> list[Tensor]:
        """Parts of a vector as long as `trained`, as its parts are."""
        return [view.detach() for view in _views(flat, self._shapes)]

    def gradients(self, loss: Tensor, weight_decay: float) -> list[Tensor]:
        """Gradient of everything trained; the decay is coupled (L2) and for the latent weights alone."""
        found = list(torch.autograd.grad(loss, self._leaves))
        if weight_decay:
            for gradient, latent in zip(found, self._latents, strict=False):
                gradient.add_(latent.detach(), alpha=weight_decay)
        return found

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the latent weights; batch normalisation begins as the identity."""
        with torch.no_grad():
            if self.quantiser is None:
                for weight in self.weights:  # Kaiming's uniform bounds, as torch.nn.Linear
                    weight.uniform_(-1, 1, generator=generator).div_(math.sqrt(weight.shape[1]))
            else:  # over the whole range: the mean weight is near zero, and every level is in use
                self.latent.uniform_(self.quantiser.low, self.quantiser.high, generator=generator)
            for gamma in self.gamma:
                gamma.fill_(1)
        self.quantise()

    def begin_from(self, network: TrainedNetwork, inputs: Tensor) -> None:
        """Take over a network that exists; its batch statistics are found again on the given inputs."""
        x = inputs.cpu().numpy()
        with torch.no_grad():
            for number, layer in enumerate(network.layers):
                self._latents[number].copy_(torch.from_numpy(layer.weights))
                z = layer.spread(x) @ layer.weights.T
                mean, spread = z.mean(axis=0), z.std(axis=0) + 1e-3
                if self.gamma:
                    self.mean[number].copy_(torch.from_numpy(mean))
                    self.variance[number].copy_(torch.from_numpy(spread**2))
                    self.gamma[number].copy_(torch.from_numpy(layer.gain * spread))
                    self.beta[number].copy_(torch.from_numpy(layer.offset + layer.gain * mean))
                x = layer.gather((layer.gain * z + layer.offset).clip(min=0))
        self.quantise()

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
            if number < last:
                x = F.relu(x)
                if generator is not None and recipe.dropout:
                    keep = torch.empty_like(x).bernoulli_(1 - recipe.dropout, generator=generator)
                    x = x * keep.div_(1 - recipe.dropout)
            window = self.windows[number]
            if window is not None:
                x = (F.max_pool2d(x, window.pool) if window.pool > 1 else x).flatten(1)
        return x

    def _product(self, number: int, x: Tensor, weight: Tensor, bfloat16: bool) -> Tensor:
        """Weights times inputs; (images, channels, height, width) for a convolution."""
        window = self.windows[number]
        if self.products is None:
            if bfloat16:
                x, weight = x.bfloat16(), weight.bfloat16()
            if window is None:
                return F.linear(x, weight).float()
            kernels = weight.view(-1, window.channels, window.kernel, window.kernel)
            images = x.view(-1, window.channels, window.height, window.width)
            return F.conv2d(images, kernels, stride=window.stride, padding=window.padding).float()
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
        """Plain arrays, with batch normalisation folded."""
        result = []
        for number, weight in enumerate(self.weights):
            size = weight.shape[0]
            gain, offset = torch.ones(size), torch.zeros(size)
            if self.gamma:
                gain = self.gamma[number].detach() / torch.sqrt(self.variance[number] + _BATCH_NORM_EPSILON)
                offset = self.beta[number].detach() - gain * self.mean[number]
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
