"""Recurrent layers whose two matrices, of the inputs and of the state, are on tiles; gates are digital."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 (the name everyone uses)
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from nn_mapping.analog.linear import ArrayLinear

if TYPE_CHECKING:
    from collections.abc import Callable

    State = tuple[Tensor, ...]
    """What a cell hands on: (h,) of a GRU, (h, c) of an LSTM; each (count, ...)."""
    Maker = Callable[[str, Tensor, Tensor | None], ArrayLinear]
    """Makes the array of a matrix, by its name in the layer."""


class ArrayCell(nn.Module):
    """One step: arrays of the inputs and of the state, and the gates."""

    gates: int

    def __init__(self, names: tuple[str, str, str, str], cell: nn.Module, make: Maker) -> None:
        super().__init__()
        of_input, of_state, input_bias, state_bias = names
        self.of_input = make(of_input, getattr(cell, of_input), getattr(cell, input_bias, None))
        self.of_state = make(of_state, getattr(cell, of_state), getattr(cell, state_bias, None))
        self.hidden_size = self.of_state.out_features // self.gates
        self._names = names

    def held(self) -> dict[str, Tensor]:
        """What the tiles hold, as weights and biases of the plain layer or cell: under torch's names."""
        of_input, of_state, input_bias, state_bias = self._names
        names = {
            (0, "weight"): of_input,
            (0, "bias"): input_bias,
            (1, "weight"): of_state,
            (1, "bias"): state_bias,
        }
        parts = (self.of_input.held(), self.of_state.held())
        return {names[number, key]: part[key] for number, part in enumerate(parts) for key in part}

    def advanced(self, driven: Tensor, state: State) -> State:
        """The state after a step, given the products of its inputs (count, gates * hidden)."""
        raise NotImplementedError

    def nothing(self, x: Tensor) -> State:
        """The state before the first step, for inputs (..., count, in)."""
        raise NotImplementedError


class _LSTMStep(ArrayCell):
    """Long short-term memory, gates in torch's order i, f, g, o."""

    gates = 4

    def __init__(
        self, names: tuple[str, str, str, str], cell: nn.Module, make: Maker, projection: str = ""
    ) -> None:
        super().__init__(names, cell, make)
        kept = getattr(cell, projection, None) if projection else None
        self.projection = None if kept is None else make(projection, kept, None)
        self._projection_name = projection

    def held(self) -> dict[str, Tensor]:
        """See `ArrayCell`."""
        if self.projection is None:
            return super().held()
        return super().held() | {self._projection_name: self.projection.held()["weight"]}

    def advanced(self, driven: Tensor, state: State) -> State:
        """See `ArrayCell`."""
        h, c = state
        i, f, g, o = (driven + self.of_state(h)).chunk(self.gates, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return (h if self.projection is None else self.projection(h)), c

    def nothing(self, x: Tensor) -> State:
        """See `ArrayCell`."""
        count = x.shape[-2]
        return x.new_zeros(count, self.of_state.in_features), x.new_zeros(count, self.hidden_size)


class _GRUStep(ArrayCell):
    """Gated recurrent unit, gates in torch's order r, z, n."""

    gates = 3

    def advanced(self, driven: Tensor, state: State) -> State:
        """See `ArrayCell`."""
        (h,) = state
        r_in, z_in, n_in = driven.chunk(self.gates, dim=1)
        r_state, z_state, n_state = self.of_state(h).chunk(self.gates, dim=1)
        r, z = (r_in + r_state).sigmoid(), (z_in + z_state).sigmoid()
        n = (n_in + r * n_state).tanh()
        return ((1 - z) * n + z * h,)

    def nothing(self, x: Tensor) -> State:
        """See `ArrayCell`."""
        return (x.new_zeros(x.shape[-2], self.hidden_size),)


def _names(suffix: str) -> tuple[str, str, str, str]:
    return f"weight_ih{suffix}", f"weight_hh{suffix}", f"bias_ih{suffix}", f"bias_hh{suffix}"


class ArrayLSTMCell(nn.Module):
    """`torch.nn.LSTMCell` on tiles."""

    def __init__(self, cell: nn.LSTMCell, make: Maker) -> None:
        super().__init__()
        self.step = _LSTMStep(_names(""), cell, make)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """New (h, c) of inputs (count, in), or all of it without count."""
        batch = x if x.ndim == 2 else x.unsqueeze(0)
        before = (
            self.step.nothing(batch) if state is None else tuple(part.view(len(batch), -1) for part in state)
        )
        h, c = self.step.advanced(self.step.of_input(batch), before)
        return (h, c) if x.ndim == 2 else (h.squeeze(0), c.squeeze(0))


class ArrayGRUCell(nn.Module):
    """`torch.nn.GRUCell` on tiles."""

    def __init__(self, cell: nn.GRUCell, make: Maker) -> None:
        super().__init__()
        self.step = _GRUStep(_names(""), cell, make)

    def forward(self, x: Tensor, h: Tensor | None = None) -> Tensor:
        """New state of inputs (count, in), or all of it without count."""
        batch = x if x.ndim == 2 else x.unsqueeze(0)
        before = self.step.nothing(batch) if h is None else (h.view(len(batch), -1),)
        (after,) = self.step.advanced(self.step.of_input(batch), before)
        return after if x.ndim == 2 else after.squeeze(0)


class _ArrayRecurrent(nn.Module):
    """Layers and directions of steps, as torch stacks them."""

    def __init__(self, layer: nn.LSTM | nn.GRU, steps: list[ArrayCell]) -> None:
        super().__init__()
        self.batch_first, self.dropout = layer.batch_first, layer.dropout
        self.directions = 2 if layer.bidirectional else 1
        self.steps = nn.ModuleList(steps)

    def run(self, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Outputs (length, count, directions * out) or batch first, and the last states (steps, count, ...)."""
        if isinstance(x, PackedSequence):
            raise TypeError("a PackedSequence is not read by arrays: give padded sequences")
        single = x.ndim == 2
        sequence = x.unsqueeze(1) if single else x.transpose(0, 1) if self.batch_first else x
        before = state if state is None or not single else tuple(part.unsqueeze(1) for part in state)
        last: list[State] = []
        for number, step in enumerate(self.steps):
            assert isinstance(step, ArrayCell)
            direction = number % self.directions
            if direction == 0:
                if number and self.dropout:
                    sequence = F.dropout(sequence, self.dropout, training=self.training)
                inputs, outputs = sequence, []
            begin = step.nothing(sequence) if before is None else tuple(part[number] for part in before)
            found, end = _unrolled(step, inputs, begin, backwards=direction == 1)
            last.append(end)
            outputs.append(found)
            if direction == self.directions - 1:
                sequence = torch.cat(outputs, dim=2)
        ends = tuple(torch.stack(parts) for parts in zip(*last, strict=True))
        if single:
            return sequence.squeeze(1), tuple(part.squeeze(1) for part in ends)
        return (sequence.transpose(0, 1) if self.batch_first else sequence), ends


def _unrolled(step: ArrayCell, inputs: Tensor, state: State, *, backwards: bool) -> tuple[Tensor, State]:
    """Outputs (length, count, out) and the last state of a step that is taken once for each of the inputs."""
    driven = step.of_input(inputs)
    order = range(len(inputs))
    found: list[Tensor] = []
    for time in reversed(order) if backwards else order:
        state = step.advanced(driven[time], state)
        found.append(state[0])
    return torch.stack(found[::-1] if backwards else found), state


class ArrayLSTM(_ArrayRecurrent):
    """`torch.nn.LSTM` on tiles: any number of layers, both directions, projections."""

    def __init__(self, layer: nn.LSTM, make: Maker) -> None:
        steps: list[ArrayCell] = [
            _LSTMStep(_names(suffix), layer, make, f"weight_hr{suffix}") for suffix in _suffixes(layer)
        ]
        super().__init__(layer, steps)

    def forward(
        self, x: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """As `torch.nn.LSTM`."""
        outputs, (h, c) = self.run(x, state)
        return outputs, (h, c)


class ArrayGRU(_ArrayRecurrent):
    """`torch.nn.GRU` on tiles: any number of layers, both directions."""

    def __init__(self, layer: nn.GRU, make: Maker) -> None:
        super().__init__(layer, [_GRUStep(_names(suffix), layer, make) for suffix in _suffixes(layer)])

    def forward(self, x: Tensor, h: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """As `torch.nn.GRU`."""
        outputs, (last,) = self.run(x, None if h is None else (h,))
        return outputs, last


def _suffixes(layer: nn.LSTM | nn.GRU) -> list[str]:
    ends = ["", "_reverse"] if layer.bidirectional else [""]
    return [f"_l{number}{end}" for number in range(layer.num_layers) for end in ends]
