"""Many chips from one network: spread of the devices, read noise, stuck cells, drift, and what recalibration brings."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from circuits.arrays.crossbar import ideal_transfer
from circuits.arrays.mismatch import draw_mismatch
from circuits.solve.tensor import TransferTensor, transfer_tensor
from circuits.solve.transfer import transfers
from nn_mapping.accuracy import confusion_matrix, digitally, outputs_of
from nn_mapping.analog.full_scales import calibrate
from nn_mapping.analog.placement import arrays_of, hold, tiles_of
from nn_mapping.analog.read_noise import ReadNoise
from nn_mapping.levels import WeightScheme

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor, nn

    from circuits.arrays.config import ArrayConfig
    from circuits.arrays.mismatch import Mismatch
    from compact_model.numeric import Floats
    from nn_mapping.analog.linear import ArrayMatrix
    from nn_mapping.analog.placement import Tile
    from nn_mapping.examples import Examples

_RANGES = {"drift": (-0.9, 1.0), "r_off_spread": (0.0, 100.0), "warming": (-300.0, 1000.0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """How the cells of a chip differ from what was meant; all zero by default.

    Shares of the window (highest minus lowest level) and of the resistance itself are different things: 10 % of the
    window are 24 mOhm, 10 % of R are 33 to 57 mOhm.
    """

    spread_of_window: float = 0.0
    """Standard deviation of every cell, as a share of the window."""
    spread_of_r: float = 0.0
    """Standard deviation of every cell, as a share of its resistance."""
    mismatch: float = 0.0
    """Relative standard deviation of channel halves and Hall arms."""
    r_off_spread: float = 0.0
    """Standard deviation of the misalignment resistance [Ohm]."""
    read_noise: float = 0.0
    """Standard deviation of every cell in every read, as a share of the window."""
    stuck_low: float = 0.0
    """Share of cells that stay at the lowest level."""
    stuck_high: float = 0.0
    """Share of cells that stay at the highest level."""
    drift: float = 0.0
    """Common relative change of all resistances."""
    relaxation: float = 0.0
    """Share of the way from every level to the middle of the window: states that decay, 1 forgets all."""
    warming: float = 0.0
    """Temperature above that of the calibration [K]."""
    levels_after: tuple[float, ...] | None = None
    """What has become of the device's levels [Ohm]; between them, the change is interpolated."""

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            low, high = _RANGES.get(entry.name, (0.0, 1.0))
            if entry.name != "levels_after" and not low <= value <= high:
                raise ValueError(f"{entry.name} = {value} is outside [{low:g}, {high:g}]")
        if self.stuck_low + self.stuck_high > 1:
            raise ValueError(
                f"stuck_low = {self.stuck_low} and stuck_high = {self.stuck_high}: more than all cells"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipOptions:
    """What is done about the variation of chips, and how far it is followed."""

    recalibrate: bool = False
    """Fit gain and offset of every output anew after programming, on the inputs for calibration."""
    digital_reference: bool = False
    """Subtract the nominal reference as a number instead of the reference columns of the chip."""
    ideal_arrays: bool = False
    """Arrays without wires, drivers and amplifier errors: the devices alone."""
    tcr: float = 0.0
    """Temperature coefficient of channel, arms and misalignment [1/K]; the anomalous Hall part keeps its size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chips:
    """Accuracies of chips that differ only in their random draws."""

    accuracies: tuple[float, ...]
    images: int
    """Test images, the same for each chip."""
    confusion: NDArray[np.intp]
    """Images of all chips per class (down) and prediction (across)."""

    @property
    def mean(self) -> float:
        """Mean accuracy."""
        return float(np.mean(self.accuracies))

    @property
    def deviation(self) -> float:
        """Standard deviation from chip to chip; 0 for a single chip."""
        return float(np.std(self.accuracies, ddof=1)) if len(self.accuracies) > 1 else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval (Wilson) of the mean accuracy, for what a set of this many images can tell."""
        return wilson(self.mean, self.images)


def wilson(share: float, count: int, deviations: float = 1.96) -> tuple[float, float]:
    r"""Wilson's interval of a share found in `count` trials (doi:10.1080/01621459.1927.10502953).

    Examples
    --------
    >>> [round(end, 4) for end in wilson(0.98, 10000)]
    [0.9771, 0.9826]
    """
    square = deviations**2 / count
    centre = (share + square / 2) / (1 + square)
    half = deviations / (1 + square) * math.sqrt(share * (1 - share) / count + square / (4 * count))
    return centre - half, centre + half


def monte_carlo(
    model: nn.Module,
    examples: Examples,
    variation: Variation,
    options: ChipOptions,
    *,
    chips: int,
    seed: int = 0,
    only: str | None = None,
    reached: Callable[[int], Sequence[Floats]] | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Chips:
    """Accuracy of the test set on `chips` chips.

    Full scales of the converters are set once, on the chip as it was meant. Every chip is written (spread, stuck
    cells, mismatch), its columns are trimmed when the readout says so, it ages (drift, relaxation, decayed levels,
    warming), and its outputs are recalibrated when the options say so.

    Parameters
    ----------
    model
        On arrays (`convert`), without mismatch of its own; it is left alone.
    examples
        What full scales and recalibration come from, and the test set.
    variation, options
        What differs, and what is done about it.
    chips
        How many.
    seed
        Chip number k draws from the seed ``[seed, k]``.
    only
        Name of the one layer that varies; the others stay as they were meant. None: all vary.
    reached
        Called with the number of a chip: the Hall resistances [Ohm] that writing has reached on it, tile by tile,
        before anything varies. None: those that were meant.
    progress
        Called after each chip with chips done, chips in all, and its accuracy.

    Raises
    ------
    ValueError
        For mismatch or warming of arrays that have none, a digital reference of pairs, a layer that is not there.
    """
    chip = _Chip(model, examples, variation, options, only)
    found = []
    confusion: Any = 0
    for number in range(chips):
        outputs = chip.outputs([seed, number], None if reached is None else reached(number))
        classes = outputs.argmax(axis=1)
        confusion = confusion + confusion_matrix(examples.labels, classes, outputs.shape[1])
        found.append(float(np.mean(classes == examples.labels)))
        if progress is not None:
            progress(number + 1, chips, f"chip {number + 1}: {100 * found[-1]:.2f} %")
    return Chips(accuracies=tuple(found), images=len(examples.labels), confusion=confusion)


class _Chip:
    """A copy of a model, which is one chip after the other."""

    def __init__(
        self,
        model: nn.Module,
        examples: Examples,
        variation: Variation,
        options: ChipOptions,
        only: str | None,
    ) -> None:
        self.examples, self.variation, self.options = examples, variation, options
        self.model, self.tiles = copy.deepcopy(model), tiles_of(model)
        arrays = arrays_of(self.model)
        if only is not None and only not in arrays:
            raise ValueError(f"only = {only!r}: no layer on arrays, which are {', '.join(arrays)}")
        self.varied = [only in (None, tile.layer) for tile in self.tiles]
        self.arrays = [array for name, array in arrays.items() if only in (None, name)]
        first = next(iter(arrays.values()))
        self.config, self.device = first.tiles.chip.config, first.weight.device
        _check(self.config, variation, options, self.tiles)
        self.young = _Transfers(self.config, ideal=options.ideal_arrays)
        warm = warmed(self.config, options.tcr * variation.warming)
        self.grown = warm.r_off - self.config.r_off
        self.old = _Transfers(warm, ideal=options.ideal_arrays)
        self.meant = self.young.of(self.tiles, [tile.target for tile in self.tiles])
        hold(self.model, self._referred(self.meant))
        calibrate(self.model, examples.calibration_batches())
        self.wanted: dict[str, tuple[Tensor, Tensor]] = {}
        if options.recalibrate:
            with digitally(self.model):
                self.wanted = _statistics(self.model, arrays, examples)

    def outputs(self, seed: Sequence[int], reached: Sequence[Floats] | None = None) -> Floats:
        """Outputs of the test inputs on the chip of a seed, whose cells were written to what is `reached`."""
        random = np.random.default_rng(seed)
        held = [tile.target for tile in self.tiles] if reached is None else reached
        cells = [
            written(tile, self.variation, random, target) if varies else tile.target
            for tile, target, varies in zip(self.tiles, held, self.varied, strict=True)
        ]
        mismatches = [
            _mismatch(self.variation, random, tile) if varies else None
            for tile, varies in zip(self.tiles, self.varied, strict=True)
        ]
        self._hold(self.young, cells, mismatches)
        for array in arrays_of(self.model).values():
            array.correction, array.tiles.noise = None, None
            array.trim()
        if self._ages:
            aged_cells = [
                aged(tile, self.variation, r) + self.grown for tile, r in zip(self.tiles, cells, strict=True)
            ]
            self._hold(self.old, aged_cells, mismatches)
        if self.variation.read_noise:
            noise = ReadNoise(
                of_window=self.variation.read_noise,
                generator=torch.Generator(self.device).manual_seed(_number([*seed, 1])),
                reference=not self.options.digital_reference,
            )
            for array in self.arrays:
                array.tiles.noise = noise
        if self.options.recalibrate:
            self._recalibrate()
        return outputs_of(self.model, self.examples)

    @property
    def _ages(self) -> bool:
        variation = self.variation
        changes = (variation.drift, variation.relaxation, variation.warming)
        return any(changes) or variation.levels_after is not None

    def _hold(
        self, source: _Transfers, cells: Sequence[Floats], mismatches: Sequence[Mismatch | None]
    ) -> None:
        """Put cells of these Hall resistances [Ohm] into the layers that vary."""
        varied = [place for place, varies in enumerate(self.varied) if varies]
        solved = source.of(
            [self.tiles[place] for place in varied],
            [cells[place] for place in varied],
            [mismatches[place] for place in varied],
        )
        found = list(self.meant)
        for place, transfer in zip(varied, solved, strict=True):
            found[place] = transfer
        hold(self.model, self._referred(found))

    def _referred(self, found: Sequence[Floats]) -> list[Floats]:
        """With the nominal reference in the place of the chip's own, where it is digital."""
        if not self.options.digital_reference:
            return list(found)
        references = [len(tile.level_set.minus) for tile in self.tiles]
        return [
            np.vstack([matrix[:-count], ideal_transfer(tile.states[:, -count:], self.config)])
            for matrix, tile, count in zip(found, self.tiles, references, strict=True)
        ]

    def _recalibrate(self) -> None:
        """Fit gain and offset of every output to the chip, layer after layer.

        Mean m and deviation s of a product on this chip get those of the digital network, M and S, on the same inputs
        (batch normalisation estimated again): the product p becomes ``M + (p - m) S / s``.
        """
        arrays = arrays_of(self.model)
        for layer, (mean, deviation) in self.wanted.items():
            measured, spread = _statistics(self.model, {layer: arrays[layer]}, self.examples)[layer]
            gain = torch.where(spread > 0, deviation / spread, spread)  # one that never moves is only shifted
            arrays[layer].correct(gain, mean - gain * measured)


def _statistics(
    model: nn.Module, arrays: Mapping[str, ArrayMatrix], examples: Examples
) -> dict[str, tuple[Tensor, Tensor]]:
    """Mean and deviation of the products of every output of some layers, bias left out, in the order of their reads.

    Over the inputs for calibration; each has shape (outputs,).
    """
    sums: dict[str, Tensor] = {}  # (3, outputs): count, sum, sum of squares

    def keep(layer: str, array: ArrayMatrix, outputs: Tensor) -> None:
        values = outputs.movedim(array.output_axis(outputs), 0).flatten(1).double()
        if array.bias is not None:
            values = values - array.bias.double().unsqueeze(1)
        found = torch.stack([torch.ones_like(values), values, values.square()]).sum(dim=2)
        sums[layer] = sums[layer] + found if layer in sums else found

    hooks = [
        array.register_forward_hook(lambda part, _inputs, outputs, name=name: keep(name, part, outputs))
        for name, array in arrays.items()
    ]
    try:
        with torch.no_grad():
            for batch in examples.calibration_batches():
                model(batch)
    finally:
        for hook in hooks:
            hook.remove()
    means = {layer: (total / count, square / count) for layer, (count, total, square) in sums.items()}
    return {layer: (mean, (square - mean**2).clamp(min=0).sqrt()) for layer, (mean, square) in means.items()}


def _check(config: ArrayConfig, variation: Variation, options: ChipOptions, tiles: Sequence[Tile]) -> None:
    if (variation.mismatch or variation.r_off_spread) and options.ideal_arrays:
        raise ValueError("mismatch and r_off_spread: ideal arrays have none")
    hall = config.architecture.hall
    if not hall and (variation.mismatch or variation.r_off_spread or variation.warming):
        raise ValueError(
            "mismatch, r_off_spread and warming are those of Hall cells; resistive cells have none"
        )
    schemes = {tile.level_set.scheme for tile in tiles} - {WeightScheme.REFERENCE}
    if options.digital_reference and schemes:
        raise ValueError(f"a digital reference belongs to scheme 'reference', not '{min(schemes)}'")


def written(
    tile: Tile, variation: Variation, random: np.random.Generator, reached: Floats | None = None
) -> Floats:
    """Hall resistances [Ohm] of a tile after programming, reference cells and pairs included.

    They vary around what was `reached`; None: what was meant.
    """
    ohm, r = tile.level_set.levels_ohm, tile.target if reached is None else reached
    sigma = np.hypot(variation.spread_of_window * float(np.ptp(ohm)), variation.spread_of_r * r)
    r = r + sigma * random.standard_normal(r.shape)
    fate = random.uniform(size=r.shape)
    r = np.where(fate < variation.stuck_low, ohm[0], r)
    return np.where(fate >= 1 - variation.stuck_high, ohm[-1], r)


def aged(tile: Tile, variation: Variation, r: Floats) -> Floats:
    """Cells of a tile [Ohm] later: levels decayed, relaxed, drifted."""
    ohm = tile.level_set.levels_ohm
    if variation.levels_after is not None:
        r = r + np.interp(r, ohm, np.asarray(variation.levels_after) - ohm)
    r = r + variation.relaxation * ((ohm[0] + ohm[-1]) / 2 - r)
    return r * (1 + variation.drift)


def _mismatch(variation: Variation, random: np.random.Generator, tile: Tile) -> Mismatch | None:
    if not (variation.mismatch or variation.r_off_spread):
        return None
    return draw_mismatch(tile.shape, random, relative=variation.mismatch, r_off=variation.r_off_spread)


def _number(seed: Sequence[int]) -> int:
    """One number of 32 bit for a generator of torch."""
    return int(np.random.SeedSequence(seed).generate_state(1).item())


def warmed(config: ArrayConfig, change: float) -> ArrayConfig:
    """An array whose channels, arms and misalignment have changed by a share; the anomalous Hall part has not.

    Examples
    --------
    >>> from circuits.arrays.config import ArrayConfig
    >>> warm = warmed(ArrayConfig(architecture="active_parallel", r_channel=500, r_arm=200, r_off=0.4), 0.25)
    >>> warm.r_channel, warm.r_arm, warm.r_off
    (625.0, 250.0, 0.5)
    """
    names = ("r_channel", "r_arm", "r_off")
    return replace(config, **{name: getattr(config, name) * (1 + change) for name in names})


class _Transfers:
    """Transfer matrices of tiles; Hall arrays of one shape share one factorisation."""

    def __init__(self, config: ArrayConfig, *, ideal: bool) -> None:
        self.config, self.ideal = config, ideal
        self.tensors: dict[tuple[int, int], TransferTensor] = {}

    def of(
        self, tiles: Sequence[Tile], cells: Sequence[Floats], mismatches: Sequence[Mismatch | None] = ()
    ) -> list[Floats]:
        """(columns, rows) of each tile [A/V], with cells of these Hall resistances [Ohm]."""
        hall = self.config.architecture.hall
        states = [tile.states_of(r, hall=hall) for tile, r in zip(tiles, cells, strict=True)]
        each = mismatches or [None] * len(states)
        return [self._of(*pair) for pair in zip(states, each, strict=True)]

    def _of(self, state: Floats, mismatch: Mismatch | None) -> Floats:
        if self.ideal:
            return ideal_transfer(state, self.config)
        if self.config.architecture.hall and mismatch is None:
            rows, columns = state.shape
            if (rows, columns) not in self.tensors:
                self.tensors[rows, columns] = transfer_tensor((rows, columns), self.config)
            return self.tensors[rows, columns].transfer(state)
        # a tile of its own equations: the full solution is four times faster than a tensor for one state
        found: Floats
        (found,) = transfers(state, self.config, mismatch, exact=mismatch is not None).matrices
        return found
