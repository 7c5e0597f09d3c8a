"""Convolutions on tiles, which hold the kernels once and read one patch after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch.nn.functional as F  # noqa: N812 (the name everyone uses)
from torch import Tensor, nn

from nn_mapping.analog.linear import ArrayMatrix
from nn_mapping.analog.tiled_read import Kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nn_mapping.analog.chip_design import Chip


class _ArrayConvolution(ArrayMatrix):
    """A convolution over as many axes as its kernel has."""

    axes: int

    def __init__(
        self,
        conv: nn.Conv1d | nn.Conv2d,
        chip: Chip,
        *,
        first_tile: int = 0,
        known: dict[tuple[Any, ...], Any] | None = None,
    ) -> None:
        super().__init__(conv.weight, conv.bias, chip, groups=conv.groups, first_tile=first_tile, known=known)
        self.in_channels, self.out_channels = conv.in_channels, conv.out_channels
        self.kernel_size, self.stride, self.dilation = conv.kernel_size, conv.stride, conv.dilation
        self.padding, self.padding_mode = conv.padding, conv.padding_mode
        pads = _pads(conv)
        alike = conv.padding_mode == "zeros" and all(begin == end for begin, end in pads)
        self._around = [] if alike else [side for pair in reversed(pads) for side in pair]
        self._kernel = Kernel(
            size=_plane(conv.kernel_size),
            stride=_plane(conv.stride),
            padding=_plane([begin for begin, _ in pads] if alike else [0] * len(pads), 0),
            dilation=_plane(conv.dilation),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (count, out channels, ...) of inputs (count, in channels, ...), or the same without count."""
        if x.ndim not in (self.axes + 1, self.axes + 2) or x.shape[-self.axes - 1] != self.in_channels:
            raise ValueError(
                f"{self.place}: inputs of shape {tuple(x.shape)}, expected (count, {self.in_channels}, "
                f"{self.axes} lengths), or without count"
            )
        batch = x if x.ndim == self.axes + 2 else x.unsqueeze(0)
        if any(self._around):
            mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
            batch = F.pad(batch, self._around, mode=mode)
        images = batch if self.axes == 2 else batch.unsqueeze(2)
        if min(self._kernel.positions(images.shape[2], images.shape[3])) < 1:
            raise ValueError(
                f"{self.place}: inputs of shape {tuple(x.shape)} are smaller than the kernel {self.kernel_size} "
                f"with dilation {self.dilation}"
            )
        found = self.products(images, self._kernel)
        found = found if self.axes == 2 else found.squeeze(2)
        return found if x.ndim == self.axes + 2 else found.squeeze(0)

    def output_axis(self, outputs: Tensor) -> int:
        """See `ArrayMatrix`."""
        return outputs.ndim - self.axes - 1

    def extra_repr(self) -> str:
        """Sizes, as torch prints them."""
        sizes = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        )
        return f"{sizes}, tiles={self.tiles.tiling.tiles}"


class ArrayConv1d(_ArrayConvolution):
    """`torch.nn.Conv1d` on tiles: any stride, dilation, groups and padding."""

    axes = 1


class ArrayConv2d(_ArrayConvolution):
    """`torch.nn.Conv2d` on tiles: any stride, dilation, groups and padding."""

    axes = 2


def _pads(conv: nn.Conv1d | nn.Conv2d) -> list[tuple[int, int]]:
    """What is added at the begin and at the end of every axis."""
    if conv.padding == "valid":
        return [(0, 0)] * len(conv.kernel_size)
    if conv.padding == "same":
        whole = [
            dilation * (kernel - 1) for kernel, dilation in zip(conv.kernel_size, conv.dilation, strict=True)
        ]
        return [(total // 2, total - total // 2) for total in whole]
    return [(int(side), int(side)) for side in conv.padding]


def _plane(values: Sequence[int], first: int = 1) -> tuple[int, int]:
    """Of both axes; a single one is the width of an image whose height is 1."""
    height, width = values if len(values) == 2 else (first, values[0])
    return height, width
