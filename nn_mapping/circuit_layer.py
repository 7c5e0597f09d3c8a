"""Training through the circuit: products of weights and inputs as the array makes them, with their exact gradient.

Forward, every weight becomes the states of its cells, every tile its transfer matrix, with trim, reference and
converters as in `nn_mapping.accuracy`. Backward, the gradient with respect to every state is exact: Hall
arrays are linear in their states (transfer tensor), and for two-terminal cells it follows from the voltages of the
network and of its adjoint. Only rounding (levels and converters) is passed straight through.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from circuits.arrays.crossbar import crossbar, ideal_transfer
from circuits.read.calibration import calibrate_transfer
from circuits.solve.nodal import factor
from circuits.solve.tensor import transfer_tensor
from nn_mapping.accuracy import random_vectors
from nn_mapping.levels import WeightScheme
from nn_mapping.mapping import combination
from nn_mapping.quantiser import Quantiser
from nn_mapping.tiles import conductance_per_weight

if TYPE_CHECKING:
    from collections.abc import Callable

    from circuits.arrays.config import ArrayConfig
    from compact_model.numeric import Floats
    from nn_mapping.accuracy import Readout
    from nn_mapping.mapping import MappedNetwork

_TRIM_EVERY = 100
_SCALE_EVERY = 20
_MOMENTUM = 0.2


class ArrayResponse(Protocol):
    """An array as a function of its states."""

    def transfer(self, states: Floats) -> Floats:
        """Outputs per input (columns, rows) at states (rows, columns) [Ohm]."""

    def gradient(self, states: Floats, sensitivity: Floats) -> Floats:
        """Derivative of a scalar by the states, given its derivative by the transfer matrix (columns, rows)."""


class HallResponse:
    """Hall arrays of one shape: the transfer tensor, reduced to one product per cell where columns stand alone.

    Examples
    --------
    >>> from circuits.arrays.config import ArrayConfig
    >>> HallResponse((4, 3), ArrayConfig(architecture="active_parallel")).per_cell is not None
    True
    """

    def __init__(self, shape: tuple[int, int], config: ArrayConfig) -> None:
        self.tensor = transfer_tensor(shape, config)
        low, high, probe = (
            np.full(shape, 0.25),
            np.full(shape, 0.75),
            np.random.default_rng(0).uniform(0.25, 0.75, shape),
        )
        at_low = self.tensor.transfer(low)
        slope = (self.tensor.transfer(high) - at_low) / 0.5
        offset = at_low - 0.25 * slope
        exact = self.tensor.transfer(probe)
        self.per_cell: tuple[Floats, Floats] | None = None
        """Offset and slope (columns, rows) when every entry of the transfer matrix depends on one cell alone."""
        if np.abs(offset + slope * probe.T - exact).max() <= 1e-12 * np.abs(exact).max():
            self.per_cell = (offset, slope)

    def transfer(self, states: Floats) -> Floats:
        """See `ArrayResponse`."""
        return self.tensor.transfer(states)

    def gradient(self, states: Floats, sensitivity: Floats) -> Floats:  # noqa: ARG002 (linear: the same everywhere)
        """See `ArrayResponse`."""
        return self.tensor.gradient(sensitivity)


class ExactResponse:
    r"""Two-terminal arrays, solved anew for every state.

    With the voltage v of a cell per input and its voltage a per unit weight of an output in the transposed network,
    a change of its conductance changes the transfer matrix by ``-a v dG``, so that ``dH[o, i]/dR = a[o] v[i] / R^2``.
    """

    def __init__(self, config: ArrayConfig) -> None:
        self.config = config

    def transfer(self, states: Floats) -> Floats:
        """See `ArrayResponse`."""
        return factor(crossbar(states, self.config)).transfer()

    def gradient(self, states: Floats, sensitivity: Floats) -> Floats:
        """See `ArrayResponse`."""
        factored = factor(crossbar(states, self.config))
        network = factored.network
        driven = network.probed("channel", factored.response.T)  # (inputs, rows, columns)
        tested = network.probed("channel", factored.adjoint_response.T)
        found: Floats = np.einsum("oi,irc,orc->rc", sensitivity, driven, tested, optimize=True) / states**2
        return found


class _Array(torch.autograd.Function):
    """Transfer matrix (columns, rows) of states (rows, columns)."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, response: ArrayResponse) -> Tensor:
        ctx.response = response
        ctx.save_for_backward(states)
        return torch.from_numpy(response.transfer(states.detach().double().numpy())).to(states.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (states,) = ctx.saved_tensors
        (sensitivity,) = gradients
        found = ctx.response.gradient(states.double().numpy(), sensitivity.double().numpy())
        return torch.from_numpy(np.ascontiguousarray(found)).to(states.dtype), None


def array_transfer(states: Tensor, response: ArrayResponse) -> Tensor:
    """Transfer matrix (columns, rows) of states (rows, columns) [Ohm], differentiable by the states."""
    apply: Callable[..., Tensor] = _Array.apply
    return apply(states, response)


class CircuitProduct:
    """What the tiles of one layer make of inputs (count, in) and weights (out, in), in units of the weights.

    Parameters
    ----------
    mapped
        Any network of the right shape on its tiles: the tiling counts, not its weights.
    layer
        Number of the layer.
    config, readout
        The array and its converters. Full scales follow the largest values in training.
    responses
        Arrays that are known already, by shape; new ones are added.
    """

    def __init__(
        self,
        mapped: MappedNetwork,
        layer: int,
        config: ArrayConfig,
        readout: Readout,
        responses: dict[tuple[int, int], ArrayResponse] | None = None,
    ) -> None:
        self.readout, self.first = readout, layer == 0
        self.level_set = mapped.level_set
        self.quantiser = Quantiser(mapped.level_set.weights)
        self.unit = conductance_per_weight(mapped, config)
        self.config = config
        known = {} if responses is None else responses
        self.tiles = [mapped.tiles[place] for place in mapped.layer_tiles(layer)]
        self.responses = []
        for tile in self.tiles:
            shape = (tile.states.shape[0], tile.states.shape[1])
            if shape not in known:
                hall = config.architecture.hall
                known[shape] = HallResponse(shape, config) if hall else ExactResponse(config)
            self.responses.append(known[shape])
        self.row_sizes = [tile.rows.stop - tile.rows.start for tile in self.tiles if tile.outputs.start == 0]
        self.out_sizes = [
            tile.outputs.stop - tile.outputs.start for tile in self.tiles if tile.rows.start == 0
        ]
        self.states = mapped.state_ohm
        self.plus, self.minus = self._tables(config)
        self.trims: list[tuple[Tensor, Tensor]] = []
        self.steps = 0
        self.input_full = self.output_full = 0.0

    def __call__(self, x: Tensor, weight: Tensor) -> Tensor:
        """Outputs (count, out)."""
        training = torch.is_grad_enabled()
        states = self._states(weight)
        matrices = [
            self._matrix(state, known).to(x.dtype)
            for state, known in zip(states, self.responses, strict=True)
        ]
        if self.readout.trim and (not self.trims or (training and self.steps % _TRIM_EVERY == 0)):
            self._trim(states, matrices)
        adapt = training and self.steps % _SCALE_EVERY == 0
        scale = 1.0 if self.first else self._input_scale(x, adapt)
        inputs = x / scale
        if self.readout.dac_bits is not None:
            inputs = _rounded(inputs, 2**self.readout.dac_bits - 1, 0.0, 1.0)
        parts = torch.split(inputs * self.readout.v_full, self.row_sizes, dim=1)
        currents = []
        for number, matrix in enumerate(matrices):
            combine = torch.from_numpy(combination(len(matrix), self.level_set)).to(x.dtype)
            signed = combine
            offset: Tensor | float = 0.0
            if self.trims:
                gain, shift = self.trims[number]
                signed, offset = combine * gain.to(x.dtype), combine @ shift.to(x.dtype)
            currents.append(parts[number % len(parts)] @ (signed @ matrix).T + offset)
        if self.readout.adc_bits is not None:
            full = self._output_scale(currents, adapt)
            half = 2 ** (self.readout.adc_bits - 1)
            step = full / half
            currents = [_rounded(current / step, 1, -half, half - 1) * step for current in currents]
        if training:
            self.steps += 1
        per_band = len(parts)
        bands = [
            torch.stack(currents[start : start + per_band]).sum(dim=0)
            for start in range(0, len(currents), per_band)
        ]
        return torch.cat(bands, dim=1) * (scale / (self.unit * self.readout.v_full))

    def _states(self, weight: Tensor) -> list[Tensor]:
        """States (rows, columns) of every tile [Ohm]; between levels they go on along the slope of the level."""
        with torch.no_grad():
            within = weight.clamp(self.quantiser.low, self.quantiser.high)
            index = self.quantiser.index(within.float())
        beyond = weight - torch.from_numpy(self.level_set.weights).to(weight.dtype)[index]
        plus = self._cells(self.plus, index, beyond)
        minus = None if self.minus is None else self._cells(self.minus, index, beyond)
        return self._tile_states(plus, minus)

    @staticmethod
    def _matrix(states: Tensor, response: ArrayResponse) -> Tensor:
        if isinstance(response, HallResponse) and response.per_cell is not None:
            offset, slope = (torch.from_numpy(part).to(states.dtype) for part in response.per_cell)
            return offset + slope * states.T
        return array_transfer(states, response)

    def _cells(self, table: tuple[Floats, Floats], index: Tensor, beyond: Tensor) -> Tensor:
        base, slope = (torch.from_numpy(part).to(beyond.dtype)[index] for part in table)
        return base + slope * beyond

    def _tile_states(self, plus: Tensor, minus: Tensor | None) -> list[Tensor]:
        def blocks(cells: Tensor) -> list[Tensor]:
            bands = torch.split(cells, self.out_sizes, dim=0)
            return [block for band in bands for block in torch.split(band, self.row_sizes, dim=1)]

        if minus is None:
            reference = torch.from_numpy(self.states[self.level_set.minus]).to(plus.dtype)
            return [
                torch.cat([block.T, reference.expand(block.shape[1], -1)], dim=1) for block in blocks(plus)
            ]
        return [
            torch.stack([first.T, second.T], dim=2).flatten(1)
            for first, second in zip(blocks(plus), blocks(minus), strict=True)
        ]

    def _tables(self, config: ArrayConfig) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats] | None]:
        """State of the positive (and negative) cell for each weight, and its slope by the weight [Ohm].

        A pair shares a change of the weight equally between its cells; conductances of two-terminal cells are
        linear in the weight, Hall resistances as well.
        """
        chosen = self.level_set
        pair = chosen.scheme is WeightScheme.DIFFERENTIAL
        share = chosen.scale / 2 if pair else chosen.scale
        slope = np.full(self.states.shape, share)
        if not config.architecture.hall:
            ohm = chosen.levels_ohm
            per_ohm = (1 / self.states[-1] - 1 / self.states[0]) / (ohm[-1] - ohm[0])
            slope = -(self.states**2) * per_ohm * share
        plus = (self.states[chosen.plus], slope[chosen.plus])
        return plus, (self.states[chosen.minus], -slope[chosen.minus]) if pair else None

    def _trim(self, states: list[Tensor], matrices: list[Tensor]) -> None:
        """Calibrate the columns at the present states; the gains are constants for the gradient."""
        self.trims = []
        for number, (state, matrix) in enumerate(zip(states, matrices, strict=True)):
            ideal = ideal_transfer(state.detach().double().numpy(), self.config)
            vectors = self.readout.v_full * random_vectors(
                matrix.shape[1], np.random.default_rng([0, number])
            )
            trim = calibrate_transfer(matrix.detach().double().numpy(), ideal, vectors)
            self.trims.append((torch.from_numpy(trim.gain), torch.from_numpy(trim.offset)))

    def _input_scale(self, x: Tensor, adapt: bool) -> float:
        if adapt or not self.input_full:
            self.input_full = _followed(self.input_full, x, self.readout.quantile)
        return self.input_full

    def _output_scale(self, currents: list[Tensor], adapt: bool) -> float:
        if adapt or not self.output_full:
            every = torch.cat([current.detach().abs().flatten() for current in currents])
            self.output_full = _followed(self.output_full, every, self.readout.quantile)
        return self.output_full


def _followed(before: float, values: Tensor, quantile: float) -> float:
    """Full scale that follows the quantile of batches."""
    flat = values.detach().flatten()
    place = max(1, math.ceil(quantile * flat.numel()))
    now = float(flat.kthvalue(place).values)
    now = now if now > 0 else 1.0  # a layer that never speaks needs no resolution
    return before + _MOMENTUM * (now - before) if before else now


def _rounded(values: Tensor, steps: int, low: float, high: float) -> Tensor:
    """Round to steps and clip; the gradient ignores the rounding and ends where values are clipped."""
    clipped = values.clamp(low, high)
    with torch.no_grad():
        change = torch.round(clipped * steps) / steps - clipped
    return clipped + change


def circuit_products(
    mapped: MappedNetwork, config: ArrayConfig, readout: Readout
) -> tuple[CircuitProduct, ...]:
    """Products of every layer, for `products` of ``training.train``; tiles of one shape share a solution."""
    responses: dict[tuple[int, int], ArrayResponse] = {}
    return tuple(
        CircuitProduct(mapped, layer, config, readout, responses)
        for layer in range(len(mapped.network.layers))
    )
