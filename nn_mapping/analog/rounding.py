"""What converters do to numbers: codes, and the full scale that they are a share of."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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


def upper_quantile(parts: Iterable[Tensor], count: int, share: float) -> tuple[float, float]:
    """Value below which that share of all values lies, interpolated as ``numpy.quantile`` does it, and the largest one.

    Parameters
    ----------
    parts
        The values, of any shapes, one part after another; no more are held than lie above the quantile, twice.
    count
        How many values there are in all; at least one.
    share
        Above 0.5: only the values beyond it are sorted.

    Examples
    --------
    >>> upper_quantile([torch.tensor([4.0, 1.0]), torch.tensor([2.0, 3.0])], 4, 0.9)
    (3.7, 4.0)
    """
    place = share * (count - 1)
    below = math.floor(place)
    kept: list[Tensor] = []
    held, least = 0, -math.inf
    for part in parts:
        flat = part.detach().flatten()
        kept.append(flat[flat >= least])
        held += len(kept[-1])
        if held > 2 * (count - below):
            kept = [_highest(kept, count - below)]
            held, least = count - below, float(kept[0][-1])
    highest = _highest(kept, count - below).double()
    last, before = float(highest[-1]), float(highest[-2:][0])
    return last + (place - below) * (before - last), float(highest[0])


def _highest(parts: list[Tensor], count: int) -> Tensor:
    """The largest of all values, descending."""
    found: Tensor = torch.cat(parts).topk(count).values
    return found
