"""Many chips from one network: spread of the devices, read noise, stuck cells, drift, and what recalibration brings."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from circuits.arrays.crossbar import ideal_transfer
from circuits.arrays.mismatch import draw_mismatch
from circuits.solve.tensor import TransferTensor, transfer_tensor
from circuits.solve.transfer import transfers
from nn_mapping.accuracy import ReadNoise, Scales, TileMap, confusion_matrix, propagate, tile_maps
from nn_mapping.levels import WeightScheme
from nn_mapping.tiles import conductance_per_weight

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from circuits.arrays.config import ArrayConfig
    from circuits.arrays.mismatch import Mismatch
    from compact_model.numeric import Floats
    from nn_mapping.column_readout import Readout
    from nn_mapping.data import Dataset
    from nn_mapping.mapping import MappedNetwork, Tile
    from nn_mapping.trained import Layer

_RANGES = {"drift": (-0.9, 1.0), "r_off_spread": (0.0, 100.0), "warming": (-300.0, 1000.0)}
_IMAGES = 2000


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
    """Fit gain and offset of every output anew after programming, on 2000 training images."""
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
    mapped: MappedNetwork,
    config: ArrayConfig,
    readout: Readout,
    dataset: Dataset,
    variation: Variation,
    options: ChipOptions,
    *,
    chips: int,
    seed: int = 0,
    only: int | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Chips:
    """Accuracy of the test set on `chips` chips.

    Full scales of the converters are set once, on the chip as it was meant. Every chip is written (spread, stuck
    cells, mismatch), its columns are trimmed when the readout says so, it ages (drift, relaxation, decayed levels,
    warming), and its outputs are recalibrated when the options say so. With `only`, one layer varies and the others
    stay as they were meant.

    Raises
    ------
    ValueError
        For mismatch or warming of arrays that have none.
    """
    _check(config, variation, options)
    arrays = _Arrays(mapped, config, ideal=options.ideal_arrays)
    unit = conductance_per_weight(mapped, config)
    network = mapped.network
    training = network.inputs(dataset.train_images[:_IMAGES])
    meant = tile_maps(mapped, arrays.transfers([tile.states for tile in mapped.tiles]), config, readout, seed)
    _, scales, _ = propagate(mapped, meant, unit, readout, training)
    found = []
    confusion = np.zeros((network.sizes[-1], network.sizes[-1]), dtype=np.intp)
    for number in range(chips):
        random = np.random.default_rng([seed, number])
        cells = [
            written(mapped, variation, random, tile) if _varies(tile, only) else _meant(mapped, tile)
            for tile in mapped.tiles
        ]
        mismatches = [
            _mismatch(variation, random, tile) if _varies(tile, only) else None for tile in mapped.tiles
        ]
        matrices = arrays.transfers([states(mapped, config, ohm) for ohm in cells], mismatches)
        if options.digital_reference:
            matrices = _with_nominal_reference(mapped, config, matrices)
        maps = tile_maps(mapped, matrices, config, readout, seed)
        old = _old(mapped, config, variation, options, cells, mismatches)
        if old is not None:
            if options.digital_reference:
                old = _with_nominal_reference(mapped, config, old)
            maps = tuple(
                replace(map_, matrix=map_.columns @ matrix) if _varies(tile, only) else map_
                for map_, matrix, tile in zip(maps, old, mapped.tiles, strict=True)
            )
        if options.digital_reference:
            maps = tuple(_without_reference_noise(tile, mapped) for tile in maps)
        noise = None
        if variation.read_noise:
            ohm = mapped.level_set.levels_ohm
            per_volt = variation.read_noise * float(np.ptp(ohm)) * unit / mapped.level_set.scale
            noise = ReadNoise(per_volt=per_volt, random=random, layer=only)
        chip = mapped
        if options.recalibrate:
            chip = recalibrated(mapped, maps, unit, readout, training, scales, noise)
        predicted = []
        for start in range(0, len(dataset.test_images), _IMAGES):
            inputs = network.inputs(dataset.test_images[start : start + _IMAGES])
            outputs, _, _ = propagate(chip, maps, unit, readout, inputs, scales, noise)
            predicted.append(outputs.argmax(axis=1))
        classes = np.concatenate(predicted)
        confusion += confusion_matrix(dataset.test_labels, classes, network.sizes[-1])
        found.append(float(np.mean(classes == dataset.test_labels)))
        if progress is not None:
            progress(number + 1, chips, f"chip {number + 1}: {100 * found[-1]:.2f} %")
    return Chips(accuracies=tuple(found), images=len(dataset.test_labels), confusion=confusion)


def _check(config: ArrayConfig, variation: Variation, options: ChipOptions) -> None:
    if (variation.mismatch or variation.r_off_spread) and options.ideal_arrays:
        raise ValueError("mismatch and r_off_spread: ideal arrays have none")
    hall = config.architecture.hall
    if not hall and (variation.mismatch or variation.r_off_spread or variation.warming):
        raise ValueError(
            "mismatch, r_off_spread and warming are those of Hall cells; resistive cells have none"
        )


def _varies(tile: Tile, only: int | None) -> bool:
    return only is None or tile.layer == only


def _meant(mapped: MappedNetwork, tile: Tile) -> Floats:
    ohm: Floats = mapped.level_set.levels_ohm[tile.level_index]
    return ohm


def written(mapped: MappedNetwork, variation: Variation, random: np.random.Generator, tile: Tile) -> Floats:
    """Hall resistances [Ohm] of a tile after programming, reference cells and pairs included."""
    ohm = mapped.level_set.levels_ohm
    r = _meant(mapped, tile)
    sigma = np.hypot(variation.spread_of_window * float(np.ptp(ohm)), variation.spread_of_r * r)
    r = r + sigma * random.standard_normal(r.shape)
    fate = random.uniform(size=r.shape)
    r = np.where(fate < variation.stuck_low, ohm[0], r)
    return np.where(fate >= 1 - variation.stuck_high, ohm[-1], r)


def aged(mapped: MappedNetwork, variation: Variation, r: Floats) -> Floats:
    """The same cells [Ohm] later: levels decayed, relaxed, drifted."""
    ohm = mapped.level_set.levels_ohm
    if variation.levels_after is not None:
        r = r + np.interp(r, ohm, np.asarray(variation.levels_after) - ohm)
    r = r + variation.relaxation * ((ohm[0] + ohm[-1]) / 2 - r)
    return r * (1 + variation.drift)


def states(mapped: MappedNetwork, config: ArrayConfig, r: Floats) -> Floats:
    """What the array model takes for cells of Hall resistances `r` [Ohm]."""
    if config.architecture.hall:
        return r
    ohm = mapped.level_set.levels_ohm
    edges = 1 / mapped.state_ohm[[0, -1]]  # conductance linear in the level
    g = edges[0] + (r - ohm[0]) / float(np.ptp(ohm)) * (edges[1] - edges[0])
    found: Floats = 1 / np.maximum(g, 1e-3 * edges[0])
    return found


def _mismatch(variation: Variation, random: np.random.Generator, tile: Tile) -> Mismatch | None:
    if not (variation.mismatch or variation.r_off_spread):
        return None
    rows, columns = tile.states.shape
    return draw_mismatch((rows, columns), random, relative=variation.mismatch, r_off=variation.r_off_spread)


def _old(
    mapped: MappedNetwork,
    config: ArrayConfig,
    variation: Variation,
    options: ChipOptions,
    cells: Sequence[Floats],
    mismatches: Sequence[Mismatch | None],
) -> list[Floats] | None:
    """Transfer matrices of a chip that has aged or is warmer; None where nothing has changed."""
    if not (
        variation.drift or variation.relaxation or variation.warming or variation.levels_after is not None
    ):
        return None
    warm = warmed(config, options.tcr * variation.warming)
    offset = warm.r_off - config.r_off
    arrays = _Arrays(mapped, warm, ideal=options.ideal_arrays)
    return arrays.transfers(
        [states(mapped, config, aged(mapped, variation, r) + offset) for r in cells], mismatches
    )


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


def recalibrated(
    mapped: MappedNetwork,
    maps: Sequence[TileMap],
    unit: float,
    readout: Readout,
    inputs: NDArray[np.floating],
    scales: Scales,
    noise: ReadNoise | None = None,
) -> MappedNetwork:
    """The network with gain and offset of every output fitted to the chip, layer after layer.

    Mean m and deviation s of a product on this chip replace those of the digital network, M and S, on the same
    inputs (batch normalisation estimated again): ``gain' = gain S / s``, ``offset' = offset + gain M - gain' m``.
    """
    network = mapped.network
    digital = np.asarray(inputs)
    layers: list[Layer] = list(network.layers)
    for number, layer in enumerate(network.layers):
        wanted = layer.spread(digital) @ layer.weights.T
        bare = replace(
            layer,
            gain=np.ones_like(layer.gain),
            offset=np.zeros_like(layer.offset),
            window=None if layer.window is None else replace(layer.window, pool=1),
        )
        part = replace(mapped, network=replace(network, layers=(*layers[:number], bare)))
        measured, _, _ = propagate(part, maps, unit, readout, inputs, scales, noise)
        if layer.window is not None:  # images of channels, back to one row per product
            measured = (
                measured.reshape(len(inputs), layer.shape[0], -1).transpose(0, 2, 1).reshape(wanted.shape)
            )
        ratio = wanted.std(axis=0) / np.maximum(measured.std(axis=0), 1e-9)
        gain = layer.gain * ratio
        offset = layer.offset + layer.gain * wanted.mean(axis=0) - gain * measured.mean(axis=0)
        layers[number] = replace(layer, gain=gain.astype(np.float32), offset=offset.astype(np.float32))
        digital = layer.gather(np.maximum(layer.gain * wanted + layer.offset, 0))
    return replace(mapped, network=replace(network, layers=tuple(layers)))


class _Arrays:
    """Transfer matrices of all tiles; Hall arrays of one shape share one factorisation."""

    def __init__(self, mapped: MappedNetwork, config: ArrayConfig, *, ideal: bool) -> None:
        self.config, self.ideal = config, ideal
        self.tensors: dict[tuple[int, ...], TransferTensor] = {}
        if not ideal and config.architecture.hall:
            for tile in mapped.tiles:
                rows, columns = tile.states.shape
                if (rows, columns) not in self.tensors:
                    self.tensors[rows, columns] = transfer_tensor((rows, columns), config)

    def transfers(
        self, states: Sequence[Floats], mismatches: Sequence[Mismatch | None] | None = None
    ) -> list[Floats]:
        each = [None] * len(states) if mismatches is None else mismatches
        return [self._transfer(*pair) for pair in zip(states, each, strict=True)]

    def _transfer(self, state: Floats, mismatch: Mismatch | None) -> Floats:
        if self.ideal:
            return ideal_transfer(state, self.config)
        if self.tensors and mismatch is None:
            return self.tensors[state.shape].transfer(state)
        # a tile of its own equations: the full solution is four times faster than a tensor for one state
        found: Floats = transfers(state, self.config, mismatch, exact=mismatch is not None).matrices[0]
        return found


def _without_reference_noise(tile: TileMap, mapped: MappedNetwork) -> TileMap:
    columns = tile.columns.copy()
    columns[:, -len(mapped.level_set.minus) :] = 0
    return replace(tile, columns=columns)


def _with_nominal_reference(
    mapped: MappedNetwork, config: ArrayConfig, matrices: Sequence[Floats]
) -> list[Floats]:
    if mapped.level_set.scheme is not WeightScheme.REFERENCE:
        raise ValueError(
            f"a digital reference belongs to scheme 'reference', not '{mapped.level_set.scheme}'"
        )
    reference = len(mapped.level_set.minus)
    return [
        np.vstack([matrix[:-reference], ideal_transfer(tile.states[:, -reference:], config)])
        for matrix, tile in zip(matrices, mapped.tiles, strict=True)
    ]
