"""What converters do to numbers: codes, and the full scale that they are a share of."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


def round_codes_(values: Tensor, low: float, high: float) -> Tensor:
    """Nearest whole numbers from `low` to `high`, in place."""
    return values.round_().clamp_(low, high)


class _Rounded(torch.autograd.Function):
    """Codes, whose gradient ignores the rounding and ends where values are clipped."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, step: Tensor, low: float, high: float) -> Tensor:
        codes = values / step
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(((codes >= low) & (codes <= high)) / step)
        return round_codes_(codes, low, high)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Any) -> Any:
        (by_codes,), (slope,) = gradients, ctx.saved_tensors
        return by_codes * slope, None, None, None


def rounded(values: Tensor, step: Tensor, low: float, high: float) -> Tensor:
    """Number of steps nearest to each value, from `low` to `high`; within that range with the gradient of the values.

    Examples
    --------
    >>> values = torch.tensor([-3.0, 0.4, 9.0], requires_grad=True)
    >>> codes = rounded(values, torch.tensor(0.5), -2, 1)
    >>> codes.sum().backward()
    >>> codes.tolist(), values.grad.tolist()
    ([-2.0, 1.0, 1.0], [0.0, 2.0, 0.0])
    """
    apply: Callable[..., Tensor] = _Rounded.apply
    return apply(values, step, low, high)


def upper_quantile(values: Tensor, share: float) -> float:
    """Value below which that share of all values lies, interpolated as ``numpy.quantile`` does it.

    Parameters
    ----------
    values
        At least one, any shape.
    share
        Above 0.5: only the values beyond it are sorted.

    Examples
    --------
    >>> upper_quantile(torch.tensor([4.0, 1.0, 2.0, 3.0]), 0.9)
    3.7
    """
    flat = values.detach().flatten()
    place = share * (flat.numel() - 1)
    below = math.floor(place)
    highest = flat.topk(flat.numel() - below).values[-2:].double().tolist()
    return float(highest[-1] + (place - below) * (highest[0] - highest[-1]))
