r"""Arrays as functions of their states, for torch: transfer matrices of all tiles of a shape, with exact gradients.

Hall arrays are linear in their Hall resistances (`circuits.solve.tensor`), so that products of tensors serve, on any
device. Two-terminal arrays are solved anew whenever a state has changed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from circuits.arrays.crossbar import crossbar
from circuits.arrays.mismatch import draw_mismatch
from circuits.solve.nodal import factor
from circuits.solve.tensor import transfer_tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from circuits.arrays.config import ArrayConfig
    from circuits.arrays.mismatch import Mismatch
    from circuits.solve.tensor import TransferTensor
    from compact_model.numeric import Floats
    from nn_mapping.analog.chip_design import Chip

_ALONE = 1e-9  # of the largest entry: what other cells may contribute to it, a thousandth of the tensor's own error


class CellResponse(nn.Module):
    """Hall arrays in which every entry of the transfer matrix depends on the state of one cell alone, linearly."""

    offset: Tensor  # (tiles or 1, columns, rows)
    slope: Tensor

    def __init__(self, offset: Floats, slope: Floats, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("offset", torch.from_numpy(offset).to(dtype))
        self.register_buffer("slope", torch.from_numpy(slope).to(dtype))

    def forward(self, states: Tensor) -> Tensor:
        """Transfer matrices (tiles, columns, rows) of states (tiles, rows, columns) [Ohm]."""
        return self.offset + self.slope * states.transpose(1, 2)


class TensorResponse(nn.Module):
    """Hall arrays in which rows act on each other, so that a cell acts on several outputs: factors of the tensor."""

    at_zero: Tensor  # (tiles or 1, columns, rows)
    misalignment: Tensor  # 2 R_off, (tiles or 1, rows, columns)
    x_in: Tensor
    y_in: Tensor
    x_test: Tensor
    y_test: Tensor

    def __init__(self, tensors: Sequence[TransferTensor], dtype: torch.dtype) -> None:
        super().__init__()

        def keep(name: str, values: list[Floats]) -> None:
            self.register_buffer(name, torch.from_numpy(np.stack(values)).to(dtype))

        keep("at_zero", [tensor.at_zero for tensor in tensors])
        keep("misalignment", [2 * (tensor.config.r_off + tensor.mismatch.r_off) for tensor in tensors])
        for name in ("x_in", "y_in", "x_test", "y_test"):
            keep(name, [getattr(tensor.parts[0], name) for tensor in tensors])

    def forward(self, states: Tensor) -> Tensor:
        """Transfer matrices (tiles, columns, rows) of states (tiles, rows, columns) [Ohm]."""
        found = self._coupled(states, self.x_in, self.y_test)
        return self.at_zero + found + self._coupled(self.misalignment - states, self.y_in, self.x_test)

    def _coupled(self, resistance: Tensor, driven: Tensor, tested: Tensor) -> Tensor:
        """Sum over cells of ``tested resistance driven``, (tiles, columns, rows)."""
        by_cell = resistance.flatten(1).unsqueeze(2)
        return (tested.flatten(1, 2) * by_cell).transpose(1, 2) @ driven.flatten(1, 2)


class SolvedResponse(nn.Module):
    r"""Two-terminal arrays, solved in full.

    With the voltage v of a cell per input and its voltage a per unit weight of an output in the transposed network,
    a change of its conductance changes the transfer matrix by ``-a v dG``, so that ``dH[o, i]/dR = a[o] v[i] / R^2``.
    The last solution is kept with its states.
    """

    states: Tensor
    solution: Tensor

    def __init__(self, states: Tensor, config: ArrayConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer(
            "states", torch.full_like(states, math.nan)
        )  # nothing is solved before it is asked for
        self.register_buffer("solution", torch.zeros_like(states.transpose(1, 2)))

    def forward(self, states: Tensor) -> Tensor:
        """Transfer matrices (tiles, columns, rows) of states (tiles, rows, columns) [Ohm]."""
        if not torch.equal(states, self.states):
            self.solution.copy_(self._solved(states))
            self.states.copy_(states.detach())
        apply: Callable[..., Tensor] = _Solved.apply
        return apply(states, self.solution, self.config)

    def _solved(self, states: Tensor) -> Tensor:
        every = [factor(crossbar(tile, self.config)).transfer() for tile in _doubles(states)]
        return torch.from_numpy(np.stack(every)).to(states)


class HeldResponse(nn.Module):
    """Arrays whose transfer matrices are given: states of the weights have no effect."""

    transfers: Tensor  # (tiles, columns, rows)

    def __init__(self, transfers: Tensor) -> None:
        super().__init__()
        self.register_buffer("transfers", transfers)

    def forward(self, _states: Tensor) -> Tensor:
        """The given ones."""
        return self.transfers


class _Solved(torch.autograd.Function):
    """The solution of these states, whose gradient is that of the network."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, solution: Tensor, config: ArrayConfig) -> Tensor:
        ctx.config = config
        ctx.save_for_backward(states)
        return solution.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Any) -> Any:
        (by_solution,), (states,) = gradients, ctx.saved_tensors
        found = [
            resistance_gradient(tile, sensitivity, ctx.config)
            for tile, sensitivity in zip(_doubles(states), _doubles(by_solution), strict=True)
        ]
        return torch.from_numpy(np.stack(found)).to(states), None, None


def resistance_gradient(states: Floats, sensitivity: Floats, config: ArrayConfig) -> Floats:
    """Derivative of a scalar by the resistances of a two-terminal array.

    Parameters
    ----------
    states
        (rows, columns) [Ohm].
    sensitivity
        (columns, rows): its derivative by the transfer matrix.

    Returns
    -------
    (rows, columns).
    """
    factored = factor(crossbar(states, config))
    network = factored.network
    driven = network.probed("channel", factored.response.T)  # (inputs, rows, columns)
    tested = network.probed("channel", factored.adjoint_response.T)
    found: Floats = (np.tensordot(sensitivity, driven, axes=1) * tested).sum(axis=0) / states**2
    return found


def array_response(
    states: Tensor, chip: Chip, numbers: Sequence[int], known: dict[tuple[Any, ...], list[TransferTensor]]
) -> CellResponse | TensorResponse | SolvedResponse:
    """The response of the tiles of one shape.

    Parameters
    ----------
    states
        (tiles, rows, columns) [Ohm]: shape, type and device.
    chip
        The array, and the mismatch of its cells, which is drawn for every tile.
    numbers
        Of the tiles in the network: seeds of their mismatch.
    known
        Transfer tensors by array and shape; new ones are added.
    """
    if chip.config.architecture.crossed:
        return SolvedResponse(states, chip.config)
    shape = (states.shape[1], states.shape[2])
    if chip.mismatch or chip.r_off_spread:
        tensors = [transfer_tensor(shape, chip.config, tile_mismatch(chip, shape, tile)) for tile in numbers]
    else:
        if (chip.config, shape) not in known:
            known[chip.config, shape] = [transfer_tensor(shape, chip.config)]
        tensors = known[chip.config, shape]
    lines = [_line(tensor, shape) for tensor in tensors]
    alone = [line for line in lines if line is not None]
    if len(alone) < len(lines):
        if chip.config.architecture.in_turns:
            raise ValueError(
                f"r_switch_off = {chip.config.r_switch_off:g} Ohm: idle rows act on the outputs, which a layer on "
                f"{shape[0]} x {shape[1]} arrays has not; take smaller tiles or a larger resistance"
            )
        return TensorResponse(tensors, states.dtype).to(states.device)
    offsets, slopes = zip(*alone, strict=True)
    return CellResponse(np.stack(offsets), np.stack(slopes), states.dtype).to(states.device)


def tile_mismatch(chip: Chip, shape: tuple[int, int], tile: int) -> Mismatch:
    """Deviations of the cells of a tile, by the seed of the chip and the number of the tile."""
    random = np.random.default_rng([chip.seed, tile, 3])
    return draw_mismatch(shape, random, relative=chip.mismatch, r_off=chip.r_off_spread)


def _line(tensor: TransferTensor, shape: tuple[int, int]) -> tuple[Floats, Floats] | None:
    """Offset and slope (columns, rows) of every entry by its cell; None where other cells act on it as well."""
    at_zero = tensor.transfer(np.zeros(shape))
    slope = tensor.transfer(np.ones(shape)) - at_zero
    probe = np.random.default_rng(shape).random(shape)
    exact = tensor.transfer(probe)
    alone = np.allclose(at_zero + slope * probe.T, exact, rtol=0, atol=_ALONE * np.abs(exact).max())
    return (at_zero, slope) if alone else None


def _doubles(values: Tensor) -> Floats:
    doubles: Floats = values.detach().cpu().double().numpy()
    return doubles
