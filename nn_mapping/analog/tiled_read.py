"""The read of tiles: every band of rows gives outputs, every output is converted, codes are added digitally."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812 (the name everyone uses)
from torch import Tensor

from nn_mapping.analog.rounding import round_codes_

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nn_mapping.analog.read_noise import OutputNoise

_CHUNK = 131072  # outputs of one band at once, so that rounding works in cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """How a convolution goes over its inputs: (height, width) each; zeros around them on both sides alike."""

    size: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)

    @property
    def taps(self) -> int:
        """Inputs of one channel that an output sees."""
        return self.size[0] * self.size[1]

    def patches(self, images: Tensor) -> Tensor:
        """What each output sees, (count, channels * taps, positions, 1): the same read as a kernel of one tap."""
        seen = F.unfold(images, self.size, self.dilation, self.padding, self.stride)
        return seen.unsqueeze(3)

    def positions(self, height: int, width: int) -> tuple[int, int]:
        """Outputs along both axes."""
        found = [
            (length + 2 * pad - dilation * (size - 1) - 1) // stride + 1
            for length, size, stride, pad, dilation in zip(
                (height, width), self.size, self.stride, self.padding, self.dilation, strict=True
            )
        ]
        return found[0], found[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a product is read."""

    groups: int
    rows: tuple[slice, ...]
    """Inputs of a group that are read and converted at once: a band."""
    tiles: tuple[int, ...]
    """Tile along the inputs that each band is on."""
    factors: tuple[float, ...]
    """What the codes of each band count, relative to the first one."""
    outputs: tuple[slice, ...]
    """Outputs of a group that share their drivers; one slice where all drivers are ideal."""
    half: int | None
    """Codes of one sign of the converters; None: they are exact."""
    kernel: Kernel | None = None
    """None: the inputs are features (count, in)."""

    def channels(self, rows: slice) -> slice:
        """Channels of a group that a band sees, in part at both ends."""
        taps = 1 if self.kernel is None else self.kernel.taps
        return slice(rows.start // taps, -(-rows.stop // taps))

    def positions(self, drive: Tensor) -> int:
        """Reads of an input of `drive`, (sets of drivers, count, ...)."""
        return 1 if self.kernel is None else math.prod(self.kernel.positions(drive.shape[3], drive.shape[4]))

    def with_kernel(self, kernel: Kernel | None) -> Plan:
        """The same tiles for inputs of another shape."""
        return replace(self, kernel=kernel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What is read at once."""

    drivers: int
    """Set of drivers."""
    outputs: slice
    """Of each group."""
    band: int
    reads: slice
    """Along the first axis of the inputs."""


def parts(plan: Plan, drive: Tensor) -> Iterator[Part]:
    """All reads of inputs (sets of drivers, count, ...)."""
    positions = plan.positions(drive)
    count = drive.shape[1]
    for drivers, outputs in enumerate(plan.outputs):
        numbers = plan.groups * (outputs.stop - outputs.start) * positions
        step = max(1, _CHUNK // numbers)
        for start in range(0, count, step):
            for band in range(len(plan.rows)):
                yield Part(drivers=drivers, outputs=outputs, band=band, reads=slice(start, start + step))


def band_kernels(plan: Plan, matrix: Tensor) -> list[Tensor]:
    """The matrix (groups, outputs, inputs) band by band, as `analog_outputs` takes it.

    Kernels (groups, outputs, channels * taps) with zeros where other bands hold a channel's other taps.
    """
    taps = 1 if plan.kernel is None else plan.kernel.taps
    found = []
    for rows in plan.rows:
        seen = plan.channels(rows)
        ends = (rows.start - seen.start * taps, seen.stop * taps - rows.stop)
        found.append(F.pad(matrix[:, :, rows], ends))
    return found


def analog_outputs(plan: Plan, part: Part, drive: Tensor, kernel: Tensor, offset: Tensor | None) -> Tensor:
    """What the tiles of one band give, (count, groups * outputs, ...).

    Parameters
    ----------
    drive
        (count, groups * inputs, ...), of the part.
    kernel
        Of its band, see `band_kernels`.
    offset
        (groups, outputs), of its band; None: there is none.
    """
    held = kernel[:, part.outputs]
    added = None if offset is None else offset[:, part.outputs].flatten()
    seen = plan.channels(plan.rows[part.band])
    if plan.kernel is None:
        return F.linear(drive[:, seen], held.flatten(0, 1), added)
    by_group = drive.view(len(drive), plan.groups, -1, *drive.shape[2:])[:, :, seen]
    channels = by_group.flatten(1, 2).contiguous(memory_format=torch.channels_last)
    size = (held.shape[0] * held.shape[1], seen.stop - seen.start, *plan.kernel.size)
    shape = plan.kernel
    return F.conv2d(
        channels, held.reshape(size), added, shape.stride, shape.padding, shape.dilation, plan.groups
    )


class _Read(torch.autograd.Function):
    """Sum of the codes of all bands; rounding is passed straight through, up to where codes end."""

    @staticmethod
    def forward(
        ctx: Any,
        plan: Plan,
        drive: Tensor,
        offset: Tensor | None,
        thresholds: Tensor | None,
        noise: OutputNoise | None,
        *kernels: Tensor,
    ) -> Tensor:
        ctx.plan = plan
        ctx.save_for_backward(drive, offset, *kernels)
        total = _empty_total(plan, drive, kernels[0])
        sizes = None if noise is None else _Sizes(plan, drive, kernels[0])
        for part in parts(plan, drive):
            band = part.band
            tile = plan.tiles[band]
            shift = None if offset is None else offset[tile]
            codes = analog_outputs(plan, part, drive[part.drivers, part.reads], kernels[band], shift)
            if noise is not None and sizes is not None:
                _of_groups(plan, codes).add_(noise.drawn(tile, part.outputs, sizes.of(part)))
            if plan.half is not None:
                if thresholds is None:
                    codes = round_codes_(codes, -plan.half, plan.half - 1)
                else:
                    codes = _codes(codes, thresholds[tile][:, part.outputs].flatten(0, 1), plan.half)
            place = _of_outputs(plan, total[part.reads], part.outputs)
            if band:
                place.add_(codes.view(place.shape), alpha=plan.factors[band])
            else:
                place.copy_(codes.view(place.shape))
        return total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Any) -> Any:
        (by_total,) = gradients
        drive, offset, *kernels = ctx.saved_tensors
        plan: Plan = ctx.plan
        sums = [torch.zeros_like(drive), *(torch.zeros_like(kernel) for kernel in kernels)]
        by_offset = None if offset is None else torch.zeros_like(offset)
        for part in parts(plan, drive):
            band = part.band
            given = [
                drive[part.drivers, part.reads],
                kernels[band],
                *([] if offset is None else [offset[plan.tiles[band]]]),
            ]
            with torch.enable_grad():
                leaves = [values.detach().requires_grad_() for values in given]
                current = analog_outputs(plan, part, leaves[0], leaves[1], leaves[2] if leaves[2:] else None)
            wanted = _of_outputs(plan, by_total[part.reads], part.outputs) * plan.factors[band]
            wanted = wanted.reshape(current.shape)
            if plan.half is not None:
                wanted = wanted * ((current >= -plan.half) & (current <= plan.half - 1))
            found = torch.autograd.grad(current, leaves, wanted)
            sums[0][part.drivers, part.reads] += found[0]
            sums[1 + band] += found[1]
            if by_offset is not None:
                by_offset[plan.tiles[band]] += found[2]
        return None, sums[0], by_offset, None, None, *sums[1:]


def _empty_total(plan: Plan, drive: Tensor, kernel: Tensor) -> Tensor:
    outputs = kernel.shape[0] * kernel.shape[1]
    if plan.kernel is None:
        return drive.new_empty(drive.shape[1], outputs)
    positions = plan.kernel.positions(drive.shape[3], drive.shape[4])
    shape = (drive.shape[1], outputs, *positions)
    return torch.empty(shape, dtype=drive.dtype, device=drive.device, memory_format=torch.channels_last)


class _Sizes:
    """Root of the sum of the squared drives of a band, (count, groups, 1, ...)."""

    def __init__(self, plan: Plan, drive: Tensor, kernel: Tensor) -> None:
        self.plan, self.squares = plan, drive.square()
        self.ones = band_kernels(plan, kernel.new_ones(plan.groups, 1, plan.rows[-1].stop))

    def of(self, part: Part) -> Tensor:
        squares, alone = self.squares[part.drivers, part.reads], replace(part, outputs=slice(0, 1))
        found = analog_outputs(self.plan, alone, squares, self.ones[part.band], None)
        return _of_groups(self.plan, found).sqrt_()


def _of_groups(plan: Plan, values: Tensor) -> Tensor:
    """Values (count, groups * outputs, ...) as (count, groups, outputs, ...)."""
    return values.view(len(values), plan.groups, values.shape[1] // plan.groups, *values.shape[2:])


def _of_outputs(plan: Plan, values: Tensor, outputs: slice) -> Tensor:
    """Some outputs of each group, (count, groups, outputs, ...), of values (count, groups * outputs, ...)."""
    return _of_groups(plan, values)[:, :, outputs]


def _codes(current: Tensor, thresholds: Tensor, half: int) -> Tensor:
    """Codes of converters with these thresholds (outputs, codes - 1), given as shares of their range."""
    shares = ((current / half + 1) / 2).transpose(0, 1)
    flat = shares.reshape(len(shares), -1).contiguous()
    codes = torch.searchsorted(thresholds.contiguous(), flat, right=True).to(current.dtype) - half
    return codes.view(shares.shape).transpose(0, 1)


def read(
    drive: Tensor,
    matrix: Tensor,
    offset: Tensor | None,
    thresholds: Tensor | None,
    plan: Plan,
    noise: OutputNoise | None = None,
) -> Tensor:
    """Sum over the bands of what the converters make of their outputs, (count, groups * outputs, ...).

    Parameters
    ----------
    drive
        (sets of drivers, count, groups * inputs, ...).
    matrix
        (groups, outputs, inputs), in steps of the converters per unit of `drive`.
    offset
        (tiles along the inputs, groups, outputs), in steps, of a read; None: there is none.
    thresholds
        (tiles along the inputs, groups, outputs, codes - 1), ascending, as shares of the range from ``-half`` to
        ``half`` steps; None: converters are ideal.
    noise
        Of the outputs before they are converted; without gradients.
    """
    apply: Callable[..., Tensor] = _Read.apply
    return apply(plan, drive, offset, thresholds, noise, *band_kernels(plan, matrix))


def magnitudes(drive: Tensor, matrix: Tensor, offset: Tensor | None, plan: Plan) -> Iterator[Tensor]:
    """Magnitudes of all outputs before conversion, part by part; arguments as for `read`, in any unit."""
    kernels = band_kernels(plan, matrix)
    for part in parts(plan, drive):
        shift = None if offset is None else offset[plan.tiles[part.band]]
        yield analog_outputs(plan, part, drive[part.drivers, part.reads], kernels[part.band], shift).abs()


def count_outputs(drive: Tensor, matrix: Tensor, plan: Plan) -> int:
    """How many outputs `magnitudes` gives in all."""
    return drive.shape[1] * plan.positions(drive) * matrix.shape[0] * matrix.shape[1] * len(plan.rows)
