"""The transfer tensor: the read of a Hall array as a linear function of its Hall resistances."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from circuits.array_config import Architecture, ArrayConfig, Mismatch, no_mismatch
from circuits.arrays import checked_states, network_of, slots
from circuits.network import Floats
from circuits.nodal import factor


@dataclass(frozen=True, slots=True)
class _Slot:
    """Currents of one network at R_off = R_H = 0, cell by cell.

    `x` is a current along the channel, `y` one through the arms; `_in` per unit input, `_test` per unit test
    current at an output (in the transposed network). Where inputs only reach the cells of their own row,
    `x_in` and `y_in` have shape (rows, columns), otherwise (rows, columns, inputs).
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
        cells, n_outputs = self.x_in.shape[0] * self.x_in.shape[1], self.y_test.shape[2]
        x_in, y_in = self.x_in.reshape(cells, -1), self.y_in.reshape(cells, -1)
        x_test, y_test = self.x_test.reshape(cells, n_outputs), self.y_test.reshape(cells, n_outputs)
        tiles = [
            (y_test * f[:, None]).T @ x_in + (x_test * b[:, None]).T @ y_in
            for f, b in zip(forward.reshape(-1, cells), backward.reshape(-1, cells), strict=True)
        ]
        return np.stack(tiles)

    def gradient(self, sensitivity: Floats) -> Floats:
        """Sum of ``sensitivity * d transfer / d R_xy``, (rows, columns)."""
        if self.x_in.ndim == 2:
            y = np.einsum("rco,or->rc", self.y_test, sensitivity)
            x = np.einsum("rco,or->rc", self.x_test, sensitivity)
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
        tiles = r_xy.reshape(-1, *shape)
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
    >>> from circuits.nodal import factor
    >>> from circuits.arrays import crossbar
    >>> config = ArrayConfig(architecture="active_parallel")
    >>> tensor = transfer_tensor((1, 2), config)
    >>> exact = factor(crossbar([[0.33, 0.57]], config)).transfer()
    >>> bool(np.allclose(tensor.transfer([[0.33, 0.57]]), exact, rtol=5e-6))
    True
    """
    if config.architecture is Architecture.RESISTIVE:
        raise ValueError("architecture = resistive has no Hall cells, allowed: the others")
    spread = no_mismatch(shape) if mismatch is None else mismatch
    base = replace(config, r_off=0.0)
    straight = replace(spread, r_off=np.zeros(shape))
    rows = shape[0]
    r_y = config.r_arm * (2 + spread.arm_plus + spread.arm_minus)
    at_zero = np.zeros((shape[1], rows))
    parts = []
    count = slots(config, rows)
    for number in range(count):
        factored = factor(network_of(np.zeros(shape), base, straight, number))
        inputs = slice(number, number + 1) if count > 1 else slice(0, rows)
        network = factored.network
        driven, tested = factored.response[:, inputs].T, factored.adjoint_response.T
        at_zero += factored.transfer()
        x_in, y_in = (
            np.moveaxis(network.probed(name, driven), 0, -1) / resistance
            for name, resistance in (("channel", config.r_channel), ("arms", r_y[..., None]))
        )
        x_test, y_test = (
            np.ascontiguousarray(np.moveaxis(network.probed(name, tested), 0, -1) / resistance)
            for name, resistance in (("channel", config.r_channel), ("arms", r_y[..., None]))
        )
        parts.append(_Slot(*_by_row(x_in, y_in), x_test, y_test, inputs))
    return TransferTensor(config, spread, at_zero, tuple(parts))


def _by_row(x_in: Floats, y_in: Floats) -> tuple[Floats, Floats]:
    """Drop the axis of the inputs where each input only reaches its own row."""
    rows, _, n_inputs = x_in.shape
    other = ~np.eye(rows, n_inputs, dtype=bool)
    if n_inputs != rows or x_in.transpose(0, 2, 1)[other].any() or y_in.transpose(0, 2, 1)[other].any():
        return np.ascontiguousarray(x_in), np.ascontiguousarray(y_in)
    row = np.arange(rows)
    return x_in[row, :, row], y_in[row, :, row]
