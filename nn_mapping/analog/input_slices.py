"""Inputs in slices of a few bits: one read each, converted on its own, added digitally."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSlices:
    """How the code of an input is split among reads, the least significant bits first.

    Examples
    --------
    >>> import torch
    >>> slices = InputSlices(bits=5, each=2)
    >>> slices.significance, slices.top
    ((1, 4, 16), 3)
    >>> [part.tolist() for part in slices.split(torch.tensor([6.0, 29.0]))]
    [[2.0, 1.0], [1.0, 3.0], [0.0, 1.0]]
    """

    bits: int
    """Of an input."""
    each: int
    """Bits of one read; the most significant one carries what is left."""

    @property
    def significance(self) -> tuple[int, ...]:
        """What a code of each read counts."""
        return tuple(1 << start for start in range(0, self.bits, self.each))

    @property
    def top(self) -> int:
        """Code of a full input of one read."""
        return int(2**self.each - 1)

    def split(self, codes: Tensor) -> list[Tensor]:
        """The codes of each read.

        For gradients, the reads share a change of their input in proportion to their significance.
        """
        significance = self.significance
        if len(significance) == 1:
            return [codes]
        whole = codes.detach()
        change = (codes - whole) / sum(value**2 for value in significance)
        rest = [whole % (value << self.each) for value in significance]
        return [
            left.div(value, rounding_mode="floor") + change * value
            for left, value in zip(rest, significance, strict=True)
        ]
