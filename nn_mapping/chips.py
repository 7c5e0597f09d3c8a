"""Many chips from one network: spread of the devices, read noise, stuck cells, drift, and what recalibration brings."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from circuits.arrays import Architecture, ideal_transfer
from circuits.tensor import TransferTensor, transfer_tensor
from circuits.transfer import transfers
from nn_mapping.evaluate import ReadNoise, Scales, TileMap, propagate, tile_maps
from nn_mapping.levels import Scheme
from nn_mapping.solve import conductance_per_weight

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from circuits.arrays import ArrayConfig
    from nn_mapping.data import Dataset
    from nn_mapping.evaluate import Readout
    from nn_mapping.levels import Floats
    from nn_mapping.mapping import MappedNetwork
    from nn_mapping.network import Layer

_IMAGES = 2000
_LEAST_OHM = 1e-3


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

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            low = -0.9 if entry.name == "drift" else 0.0
            if not low <= value <= 1:
                raise ValueError(f"{entry.name} = {value} is outside [{low:g}, 1]")
        if self.stuck_low + self.stuck_high > 1:
            raise ValueError(
                f"stuck_low = {self.stuck_low} and stuck_high = {self.stuck_high}: more than all cells"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipOptions:
    """What is done about it."""

    recalibrate: bool = False
    """Fit gain and offset of every output anew after programming, on 2000 training images."""
    digital_reference: bool = False
    """Subtract the nominal reference as a number instead of the reference columns of the chip."""
    ideal_arrays: bool = False
    """Arrays without wires, drivers and amplifier errors: the devices alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chips:
    """Accuracies of chips that differ only in their random draws."""

    accuracies: tuple[float, ...]
    images: int
    """Test images, the same for each chip."""

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
    progress: Callable[[int, int, str], None] | None = None,
) -> Chips:
    """Accuracy of the test set on `chips` chips.

    Full scales of the converters are set once, on the chip as it was meant; the trim of the columns, when the
    readout has one, and the recalibration are done on every chip.
    """
    arrays = _Arrays(mapped, config, ideal=options.ideal_arrays)
    unit = conductance_per_weight(mapped, config)
    network = mapped.network
    training = network.inputs(dataset.train_images[:_IMAGES])
    meant = tile_maps(mapped, arrays.transfers([tile.states for tile in mapped.tiles]), config, readout, seed)
    _, scales, _ = propagate(mapped, meant, unit, readout, training)
    found = []
    for number in range(chips):
        random = np.random.default_rng([seed, number])
        matrices = arrays.transfers(programmed_states(mapped, config, variation, random))
        if options.digital_reference:
            matrices = _with_nominal_reference(mapped, config, matrices)
        maps = tile_maps(mapped, matrices, config, readout, seed)
        if options.digital_reference:
            maps = tuple(_without_reference_noise(tile, mapped) for tile in maps)
        noise = None
        if variation.read_noise:
            ohm = mapped.level_set.levels_ohm
            per_volt = variation.read_noise * float(np.ptp(ohm)) * unit / mapped.level_set.scale
            noise = ReadNoise(per_volt=per_volt, random=random)
        chip = mapped
        if options.recalibrate:
            chip = recalibrated(mapped, maps, unit, readout, training, scales, noise)
        right = 0
        for start in range(0, len(dataset.test_images), _IMAGES):
            inputs = network.inputs(dataset.test_images[start : start + _IMAGES])
            outputs, _, _ = propagate(chip, maps, unit, readout, inputs, scales, noise)
            right += int(np.sum(outputs.argmax(axis=1) == dataset.test_labels[start : start + _IMAGES]))
        found.append(right / len(dataset.test_labels))
        if progress is not None:
            progress(number + 1, chips, f"chip {number + 1}: {100 * found[-1]:.2f} %")
    return Chips(accuracies=tuple(found), images=len(dataset.test_labels))


def programmed_states(
    mapped: MappedNetwork, config: ArrayConfig, variation: Variation, random: np.random.Generator
) -> list[Floats]:
    """States of all tiles of one chip [Ohm], reference cells and pairs included."""
    ohm = mapped.level_set.levels_ohm
    low, window = ohm[0], float(np.ptp(ohm))
    found = []
    for tile in mapped.tiles:
        r = ohm[tile.level_index]
        r = r + variation.relaxation * (low + window / 2 - r)
        sigma = np.hypot(variation.spread_of_window * window, variation.spread_of_r * r)
        r = r + sigma * random.standard_normal(r.shape)
        fate = random.uniform(size=r.shape)
        r = np.where(fate < variation.stuck_low, ohm[0], r)
        r = np.where(fate >= 1 - variation.stuck_high, ohm[-1], r)
        r = r * (1 + variation.drift)
        if config.architecture is Architecture.RESISTIVE:  # conductance linear in the level
            edges = 1 / mapped.state_ohm[[0, -1]]
            g = edges[0] + (r - low) / window * (edges[1] - edges[0])
            found.append(1 / np.maximum(g, 1e-3 * edges[0]))
        else:
            found.append(np.maximum(r, _LEAST_OHM))
    return found


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
        if not ideal and config.architecture is not Architecture.RESISTIVE:
            for tile in mapped.tiles:
                rows, columns = tile.states.shape
                if (rows, columns) not in self.tensors:
                    self.tensors[rows, columns] = transfer_tensor((rows, columns), config)

    def transfers(self, states: Sequence[Floats]) -> list[Floats]:
        if self.ideal:
            return [ideal_transfer(state, self.config) for state in states]
        if self.tensors:
            return [self.tensors[state.shape].transfer(state) for state in states]
        return [transfers(state, self.config).matrices[0] for state in states]


def _without_reference_noise(tile: TileMap, mapped: MappedNetwork) -> TileMap:
    columns = tile.columns.copy()
    columns[:, -len(mapped.level_set.minus) :] = 0
    return replace(tile, columns=columns)


def _with_nominal_reference(
    mapped: MappedNetwork, config: ArrayConfig, matrices: Sequence[Floats]
) -> list[Floats]:
    if mapped.level_set.scheme is not Scheme.REFERENCE:
        raise ValueError(
            f"a digital reference belongs to scheme 'reference', not '{mapped.level_set.scheme}'"
        )
    reference = len(mapped.level_set.minus)
    return [
        np.vstack([matrix[:-reference], ideal_transfer(tile.states[:, -reference:], config)])
        for matrix, tile in zip(matrices, mapped.tiles, strict=True)
    ]
