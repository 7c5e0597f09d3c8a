"""Adam (Kingma and Ba, arXiv:1412.6980) as one call per step.

The fused kernel of torch without the book-keeping of ``torch.optim.Adam``, whose half of the time matters for
networks as small as these. The gradients may lie anywhere, so that nothing has to be copied together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class Adam:
    """Adam on some tensors, which are changed in place; betas 0.9 and 0.999, epsilon 1e-8."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._tensors = list(tensors)
        self._means = [torch.zeros_like(tensor) for tensor in tensors]
        self._squares = [torch.zeros_like(tensor) for tensor in tensors]
        self._counts = [torch.zeros((), device=tensor.device) for tensor in tensors]

    @torch.no_grad()  # type: ignore[untyped-decorator, unused-ignore]
    def step(self, gradients: Sequence[Tensor], rate: float) -> None:
        """One step of the given learning rate."""
        torch._foreach_add_(self._counts, 1)
        torch._fused_adam_(
            self._tensors,
            list(gradients),
            self._means,
            self._squares,
            [],
            self._counts,
            lr=rate,
            beta1=0.9,
            beta2=0.999,
            weight_decay=0.0,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )

    @property
    def state(self) -> list[Tensor]:
        """Everything that a later step depends on; what is written into these tensors counts."""
        return [*self._means, *self._squares, *self._counts]
