"""The transfer tensor: the read of a Hall array as a linear function of its Hall resistances."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import checked_states, idle_rows_are_alike, network_of, slots
from circuits.arrays.mismatch import Mismatch, no_mismatch
from circuits.arrays.series import row_alone
from circuits.network import Network
from circuits.solve.nodal import factor
from compact_model.numeric import Floats


@dataclass(frozen=True, slots=True)
class _Slot:
    """Currents of one network at R_off = R_H = 0, cell by cell.

    `x` is a current along the channel, `y` one through the arms; `_in` per unit input, `_test` per unit test
    current at an output (in the transposed network). Where rows don't act on each other, `x_in` and `y_in` have
    shape (rows, columns), otherwise (rows, columns, inputs). The axis of the rows is 1 where all rows are alike.
    """

    x_in: Floats
    y_in: Floats
    x_test: Floats  # (rows, columns, outputs)
    y_test: Floats
    inputs: slice  # those with an effect in this slot

    def transfer(self, forward: Floats, backward: Floats) -> Floats:
        """``y_test forward x_in + x_test backward y_in``, summed over cells, (tiles, outputs, inputs)."""
        if self.x_in.ndim == 2:
            first = (forward * self.x_in).transpose(1, 0, 2) @ self.y_test
            second = (backward * self.y_in).transpose(1, 0, 2) @ self.x_test
            return np.add(first, second).transpose(1, 2, 0)
        rows, columns, n_outputs = self.y_test.shape
        cells, n_inputs = rows * columns, self.x_in.shape[2]
        x_in, y_in = self.x_in.reshape(cells, n_inputs), self.y_in.reshape(cells, n_inputs)
        x_test, y_test = self.x_test.reshape(cells, n_outputs), self.y_test.reshape(cells, n_outputs)
        flat = (hall.reshape(len(hall), cells) for hall in (forward, backward))
        tiles = [
            (y_test * f[:, None]).T @ x_in + (x_test * b[:, None]).T @ y_in
            for f, b in zip(*flat, strict=True)
        ]
        return np.stack(tiles)

    def gradient(self, sensitivity: Floats) -> Floats:
        """Sum of ``sensitivity * d transfer / d R_xy``, (rows, columns)."""
        if self.x_in.ndim == 2:
            across = sensitivity.T[:, :, None]
            y, x = (self.y_test @ across)[..., 0], (self.x_test @ across)[..., 0]
            rows: Floats = y * self.x_in - x * self.y_in
            return rows
        back_y, back_x = self.y_test @ sensitivity, self.x_test @ sensitivity
        cells: Floats = np.sum(back_y * self.x_in - back_x * self.y_in, axis=2)
        return cells


@dataclass(frozen=True, slots=True)
class TransferTensor:
    """Output per input as a linear function of R_xy, for every state of an array at once; kept as factors.

    The Hall coupling is about a thousandth of the channel resistance, so the currents hardly depend on it. To
    first order in it, with the currents at ``R_off = R_H = 0`` (x along the channels, y through the arms; `in`
    driven by an input, `test` by a unit test current at an output),

        H[o, i] = H0[o, i] + sum_c ( y_test[c, o] (R_off + R_H)[c] x_in[c, i]
                                     + x_test[c, o] (R_off - R_H)[c] y_in[c, i] ),  R_off + R_H = R_xy.

    The neglected terms are of relative size 1e-6. One factorisation of one network serves all states.
    """

    config: ArrayConfig
    mismatch: Mismatch
    at_zero: Floats  # H0, (outputs, inputs)
    parts: tuple[_Slot, ...]

    def transfer(self, states: ArrayLike) -> Floats:
        """Outputs per unit input.

        Parameters
        ----------
        states
            R_xy [Ohm], (rows, columns) or (tiles, rows, columns).

        Returns
        -------
        (columns, rows) or (tiles, columns, rows), in the units of the architecture.
        """
        r_xy = np.asarray(states, dtype=float)
        shape = self.mismatch.channel.shape
        if r_xy.shape[-2:] != shape or r_xy.ndim not in (2, 3):
            raise ValueError(f"states have shape {r_xy.shape}, expected (..., {shape[0]}, {shape[1]})")
        tiles = r_xy[None] if r_xy.ndim == 2 else r_xy
        for tile in tiles:
            checked_states(tile, self.config)
        backward = 2 * (self.config.r_off + self.mismatch.r_off) - tiles
        result = np.repeat(self.at_zero[None], len(tiles), axis=0)
        for part in self.parts:
            result[:, :, part.inputs] += part.transfer(tiles, backward)
        return result.reshape(*r_xy.shape[:-2], *self.at_zero.shape)

    def gradient(self, sensitivity: Floats) -> Floats:
        """Derivative of a scalar with respect to R_xy, which is exact because the map is linear.

        Parameters
        ----------
        sensitivity
            (columns, rows): derivative of the scalar with respect to the transfer matrix.

        Returns
        -------
        (rows, columns).
        """
        parts = [part.gradient(sensitivity[:, part.inputs]) for part in self.parts]
        return np.asarray(np.sum(parts, axis=0))


def transfer_tensor(
    shape: tuple[int, int], config: ArrayConfig, mismatch: Mismatch | None = None
) -> TransferTensor:
    """Factor the network of an array once, for all its states and for all tiles of its shape.

    Parameters
    ----------
    shape
        (rows, columns).
    config
        The array; any architecture with Hall cells.
    mismatch
        Deviations of the cells; None: there are none.

    Examples
    --------
    >>> from circuits.solve.nodal import factor
    >>> from circuits.arrays.crossbar import crossbar
    >>> config = ArrayConfig(architecture="active_parallel")
    >>> tensor = transfer_tensor((1, 2), config)
    >>> exact = factor(crossbar([[0.33, 0.57]], config)).transfer()
    >>> bool(np.allclose(tensor.transfer([[0.33, 0.57]]), exact, rtol=5e-6))
    True
    """
    if not config.architecture.hall:
        raise ValueError("architecture = resistive has no Hall cells, allowed: the others")
    spread = no_mismatch(shape) if mismatch is None else mismatch
    if spread.channel.shape != shape:
        raise ValueError(f"mismatch has shape {spread.channel.shape}, expected {shape}")
    in_turns = config.architecture.in_turns
    if config.architecture.amplified or (in_turns and idle_rows_are_alike(config, shape[1])):
        at_zero, part = _row_by_row(config, spread)
        return TransferTensor(config, spread, at_zero, (part,))
    rows, columns = shape
    count = slots(config, rows)
    at_zero = np.zeros((columns, rows))
    parts = []
    for number in range(count):
        inputs = slice(number, number + 1) if count > 1 else slice(0, rows)
        zero_of_slot, part = _solved(config, spread, partial(network_of, slot=number), inputs)
        at_zero += zero_of_slot
        parts.append(part)
    return TransferTensor(config, spread, at_zero, tuple(parts))


def _row_by_row(config: ArrayConfig, spread: Mismatch) -> tuple[Floats, _Slot]:
    """H0 and the currents where each row is a network of its own."""
    every = {field.name: getattr(spread, field.name) for field in fields(spread)}
    in_turns = config.architecture.in_turns
    alike = not in_turns and all((values == values[:1]).all() for values in every.values())
    rows = len(spread.channel)

    def network(states: Floats, straight: ArrayConfig, of_row: Mismatch, row: int) -> Network:
        if in_turns:
            return row_alone(states, straight, of_row, rows - row, rows - 1)
        return network_of(states, straight, of_row, 0)

    found = []
    for row in range(1 if alike else rows):
        of_row = Mismatch(**{name: values[row : row + 1] for name, values in every.items()})
        found.append(_solved(config, of_row, partial(network, row=row), slice(0, 1)))
    at_zero = np.concatenate([zero for zero, _ in found], axis=1)
    slots_of_rows = [slot for _, slot in found]
    part = _Slot(
        x_in=np.concatenate([slot.x_in[..., 0] for slot in slots_of_rows]),
        y_in=np.concatenate([slot.y_in[..., 0] for slot in slots_of_rows]),
        x_test=np.concatenate([slot.x_test for slot in slots_of_rows]),
        y_test=np.concatenate([slot.y_test for slot in slots_of_rows]),
        inputs=slice(0, rows),
    )
    return np.broadcast_to(at_zero, (at_zero.shape[0], rows)), part


def _solved(
    config: ArrayConfig,
    spread: Mismatch,
    network: Callable[[Floats, ArrayConfig, Mismatch], Network],
    inputs: slice,
) -> tuple[Floats, _Slot]:
    """H0 and the currents of one network at R_off = R_H = 0."""
    shape = spread.channel.shape
    straight = replace(spread, r_off=np.zeros(shape))
    factored = factor(network(np.zeros(shape), replace(config, r_off=0.0), straight))
    driven, tested = factored.response[:, inputs].T, factored.adjoint_response.T
    r_y = config.r_arm * (2 + spread.arm_plus + spread.arm_minus)

    def currents(probe: str, voltages: Floats, resistance: Floats | float) -> Floats:
        across = np.moveaxis(factored.network.probed(probe, voltages), 0, -1)
        return np.ascontiguousarray(across / resistance)

    part = _Slot(
        x_in=currents("channel", driven, config.r_channel),
        y_in=currents("arms", driven, r_y[..., None]),
        x_test=currents("channel", tested, config.r_channel),
        y_test=currents("arms", tested, r_y[..., None]),
        inputs=inputs,
    )
    return factored.transfer(), part
