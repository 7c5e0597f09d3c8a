"""A torch model of one's own, with its products made by arrays."""

from __future__ import annotations

import copy
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.nn.utils import parametrize

from nn_mapping.analog.attention import ArrayMultiheadAttention
from nn_mapping.analog.convolution import ArrayConv1d, ArrayConv2d
from nn_mapping.analog.linear import ArrayLinear, ArrayMatrix
from nn_mapping.analog.recurrent import ArrayGRU, ArrayGRUCell, ArrayLSTM, ArrayLSTMCell
from nn_mapping.analog.report import ConversionReport, Fate, ModuleReport

if TYPE_CHECKING:
    from collections.abc import Callable

    from nn_mapping.analog.chip_design import Chip

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_LOOKED_UP = (nn.Embedding, nn.EmbeddingBag)
_OWN_CODE = {"forward", "_conv_forward"}


class Digital(StrEnum):
    """What is done about products that arrays cannot make."""

    ALLOW = "allow"
    """They stay digital, with a row in the report."""
    ERROR = "error"
    """They are refused, all at once and by name."""


def convert(
    model: nn.Module, chip: Chip, digital: Digital | str = Digital.ALLOW
) -> tuple[nn.Module, ConversionReport]:
    """A copy of a model whose products are made by arrays, and what became of each module.

    On arrays are `Linear`, `Conv1d`, `Conv2d`, the matrices of `LSTM`, `GRU` and their cells, and the projections of
    `MultiheadAttention`, and with it of all transformer layers. Everything else is as it was. Weights and biases are
    kept as trainable values; forward they are the nearest levels, with one scale per matrix. A module or a weight
    that is used at several places stays one. Full scales are set by `calibrate`, before the first use.

    Parameters
    ----------
    model
        Any module; it is left alone.
    chip
        Arrays, levels, converters, and options by pattern of module names.
    digital
        Whether products that arrays cannot make may stay digital.

    Raises
    ------
    ValueError
        For a module that arrays can only carry by leaving something out (hooks, parametrisations), options that match
        no array, levels or tiles that don't fit, each with its place in the model; for digital products where they
        are not allowed.
    """
    conversion = _Conversion(chip)
    result = conversion.visited(copy.deepcopy(model), "")
    unused = chip.patterns_without(list(conversion.names))
    if unused:
        able = ", ".join(name or "(the model itself)" for name in conversion.names) or "none"
        raise ValueError(f"layers: {unused[0]!r} matches no module that arrays can carry: {able}")
    report = ConversionReport(rows=tuple(conversion.rows[key] for key in conversion.rows))
    left = [row for row in report.rows if row.multiplies]
    if left and Digital(digital) is Digital.ERROR:
        lines = "; ".join(f"{row.names[0] or 'model'}: {row.kind}: {row.reason}" for row in left)
        raise ValueError(f"products that stay digital: {lines}")
    return result, report


class _Conversion:
    """A walk through a model, which replaces modules as it goes."""

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        self.rows: dict[int, ModuleReport] = {}
        self.names: list[str] = []
        """Of modules that arrays can carry."""
        self._done: dict[
            int, tuple[nn.Module, nn.Module]
        ] = {}  # with the module, so that its id stays its own
        self._split: dict[int, list[nn.Parameter]] = {}
        self._known: dict[tuple[Any, ...], Any] = {}
        self._tiles = 0
        self._makers: dict[type[nn.Module], Callable[[Any, str, Chip], nn.Module]] = {
            nn.Linear: lambda layer, name, chip: self._linear(name, layer.weight, layer.bias, chip),
            nn.Conv1d: lambda layer, name, chip: self._convolution(ArrayConv1d, layer, name, chip),
            nn.Conv2d: lambda layer, name, chip: self._convolution(ArrayConv2d, layer, name, chip),
            nn.LSTMCell: lambda layer, name, chip: ArrayLSTMCell(layer, self._maker(name, chip)),
            nn.GRUCell: lambda layer, name, chip: ArrayGRUCell(layer, self._maker(name, chip)),
            nn.LSTM: lambda layer, name, chip: ArrayLSTM(layer, self._maker(name, chip)),
            nn.GRU: lambda layer, name, chip: ArrayGRU(layer, self._maker(name, chip)),
            nn.MultiheadAttention: self._attention,
        }

    def visited(self, module: nn.Module, name: str) -> nn.Module:
        """What stands in the place of a module."""
        if id(module) in self._done:
            self._also(module, name)
            return self._done[id(module)][1]
        base = next((kind for kind in self._makers if isinstance(module, kind)), None)
        if base is not None:
            self.names.append(name)
            found = self._carried(module, base, name)
        else:
            found = module
            for child_name, child in module._modules.items():
                if child is not None:
                    module._modules[child_name] = self.visited(child, f"{name}.{child_name}".lstrip("."))
            if not module._modules or any(True for _ in module.parameters(recurse=False)):
                self._keep(module, name, *_why_digital(module))
            _without_fast_path(module)
        self._done[id(module)] = (module, found)
        return found

    def _carried(self, module: nn.Module, base: type[nn.Module], name: str) -> nn.Module:
        """The array in the place of a module, or the module itself where it stays digital."""
        if self.chip.digital(name):
            self._keep(module, name, "asked for", multiplies=False)
            return module
        own = [kind for kind in type(module).__mro__ if issubclass(kind, base) and kind is not base]
        if any(_OWN_CODE & vars(kind).keys() for kind in own):
            self._keep(
                module, name, f"computes in a way of its own, other than {base.__name__}", multiplies=True
            )
            return module
        if isinstance(module, nn.MultiheadAttention) and (module.bias_k is not None or module.add_zero_attn):
            self._keep(module, name, "bias_k, bias_v and add_zero_attn have no array form", multiplies=True)
            return module
        _check(module, name)
        chip, first = self.chip.of_layer(name), self._tiles
        found = self._makers[base](module, name, chip).train(module.training)
        arrays = [part for part in found.modules() if isinstance(part, ArrayMatrix)]
        self.rows[id(module)] = ModuleReport(
            names=(name,),
            kind=type(module).__name__,
            fate=Fate.ARRAY,
            tiles=self._tiles - first,
            cells=sum(array.tiles.count_cells() for array in arrays),
            levels=len(chip.level_set.weights),
            weight_slices=chip.level_set.slices,
            input_slices=1 if chip.input_slices is None else len(chip.input_slices.significance),
        )
        return found

    def _keep(self, module: nn.Module, name: str, reason: str, multiplies: bool) -> None:
        self.rows[id(module)] = ModuleReport(
            names=(name,),
            kind=type(module).__name__,
            fate=Fate.DIGITAL,
            reason=reason,
            multiplies=multiplies,
        )

    def _also(self, module: nn.Module, name: str) -> None:
        """Another place of a module that has been visited, and of what is in it."""
        if id(module) in self.rows:
            row = self.rows[id(module)]
            self.rows[id(module)] = replace(row, names=(*row.names, name))

    def _counted(self, array: ArrayMatrix, name: str) -> None:
        array.place = name or "model"
        self._tiles += array.tiles.tiling.tiles

    def _linear(self, name: str, weight: Tensor, bias: Tensor | None, chip: Chip) -> ArrayLinear:
        try:
            array = ArrayLinear(weight, bias, chip, first_tile=self._tiles, known=self._known)
        except ValueError as error:
            raise ValueError(f"{name or 'model'}: {error}") from None
        self._counted(array, name)
        return array

    def _convolution(
        self, kind: type[ArrayConv1d | ArrayConv2d], layer: Any, name: str, chip: Chip
    ) -> ArrayMatrix:
        try:
            array = kind(layer, chip, first_tile=self._tiles, known=self._known)
        except ValueError as error:
            raise ValueError(f"{name or 'model'}: {error}") from None
        self._counted(array, name)
        return array

    def _maker(self, name: str, chip: Chip) -> Callable[[str, Tensor, Tensor | None], ArrayLinear]:
        return lambda part, weight, bias: self._linear(f"{name}.{part}".lstrip("."), weight, bias, chip)

    def _attention(self, attention: nn.MultiheadAttention, name: str, chip: Chip) -> nn.Module:
        make = self._maker(name, chip)
        if attention.in_proj_weight is not None:
            weights = self._thirds(attention.in_proj_weight)
        else:
            weights = [attention.q_proj_weight, attention.k_proj_weight, attention.v_proj_weight]
        biases: list[Any] = [None, None, None]
        if attention.in_proj_bias is not None:
            biases = self._thirds(attention.in_proj_bias)
        query, key, value = (
            make(part, weight, bias)
            for part, weight, bias in zip(("query", "key", "value"), weights, biases, strict=True)
        )
        out = make("out", attention.out_proj.weight, attention.out_proj.bias)
        return ArrayMultiheadAttention(attention, query, key, value, out)

    def _thirds(self, packed: nn.Parameter) -> list[nn.Parameter]:
        """Parameters for queries, keys and values; the same ones where the packed one is used again."""
        if id(packed) not in self._split:
            self._split[id(packed)] = [
                nn.Parameter(part.detach().clone(), requires_grad=packed.requires_grad)
                for part in packed.chunk(3)
            ]
        return self._split[id(packed)]


def _why_digital(module: nn.Module) -> tuple[str, bool]:
    """Why a module is no array, and whether it multiplies inputs by weights all the same."""
    shapes = [parameter.ndim for parameter in module.parameters(recurse=False)]
    if not shapes:
        return "no weights", False
    if isinstance(module, _LOOKED_UP):
        return "a table that is looked up", False
    if max(shapes) < 2:
        return "works number by number", False
    return "has no array form", True


def _check(module: nn.Module, name: str) -> None:
    """ValueError for what would be lost with the module."""
    where = f"{name or 'model'}: {type(module).__name__}"
    if any(nn.parameter.is_lazy(parameter) for parameter in module.parameters()):
        raise ValueError(f"{where} has no shape yet: run the model once before converting it")
    if any(parametrize.is_parametrized(part) for part in module.modules()):
        raise ValueError(
            f"{where} has parametrised weights: remove them (`remove_parametrizations`) or leave it digital"
        )
    if any(getattr(part, hooks) for part in module.modules() for hooks in _HOOKS):
        raise ValueError(f"{where} has hooks, which an array has not: remove them or leave it digital")
    wrong = [kind for kind in {p.dtype for p in module.parameters()} if not kind.is_floating_point]
    if wrong:
        raise ValueError(f"{where} has weights of {wrong[0]}, allowed: real numbers")


def _without_fast_path(module: nn.Module) -> None:
    """Keep torch's transformer layers from reading weights past the modules that hold them."""
    if isinstance(module, nn.TransformerEncoderLayer):
        module.activation_relu_or_gelu = 0
    if isinstance(module, nn.TransformerEncoder):
        module.use_nested_tensor = False
