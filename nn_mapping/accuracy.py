"""Accuracy through the circuit: DAC, tiles, trim, reference, ADC, digital sums, and again for each layer.

Every layer reads ``row voltages = v_full * DAC(input / input scale)``. The column currents of a tile are trimmed
by a gain and an offset per column, its reference (or the other half of a pair) is subtracted before conversion,
and the ADC's codes of the tiles on different rows are added digitally. Gain, offset (batch normalisation) and ReLU
are digital. All scales are calibrated on training images.

Read noise, spread of the devices and mismatch are not in it. In balanced parallel rows all rows lose the same share
of their voltage towards a column, so that without noise a gain per column undoes even wires that leave little signal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nn_mapping.column_readout import column_trim, output_converters, row_dacs
from nn_mapping.mapping import combination
from nn_mapping.tiles import conductance_per_weight, ideal_transfers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from circuits.arrays.config import ArrayConfig
    from circuits.read.converter import Converter, RowDacs
    from compact_model.numeric import Floats
    from nn_mapping.column_readout import Readout
    from nn_mapping.data import Bytes, Dataset
    from nn_mapping.mapping import MappedNetwork

_CHUNK = 2000
_CALIBRATION_IMAGES = 2000
_OTHER_IMAGES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class TileMap:
    """What a tile with its trim and reference does: ``current = matrix @ row voltages + offset``."""

    matrix: Floats
    """Signed output currents per row voltage [A/V], shape (outputs, rows)."""
    offset: Floats
    """Output currents [A] that the trim adds, shape (outputs,)."""
    columns: Floats
    """Output currents per column current [1], shape (outputs, columns): gains and reference."""
    converter_of: tuple[Converter, ...] = ()
    """ADC of each output; none: they are ideal."""
    row_dacs: RowDacs | None = None
    """DACs of the rows; None: they are ideal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadNoise:
    """Independent Gaussian noise of every cell in every read.

    A column adds up cells of noise ``per_volt * v``: its own is ``per_volt * sqrt(sum v^2)``, exactly.
    """

    per_volt: float
    """Standard deviation of the current of one cell per row voltage [A/V]."""
    random: np.random.Generator
    layer: int | None = None
    """The only layer that has it; None: all have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scales:
    """Full scales per layer, found on training images."""

    inputs: tuple[float, ...]
    """Input of the layer that the DAC's full scale stands for; the first is 1 (a white pixel)."""
    currents: tuple[float, ...]
    """Full scale of the ADC [A], the same for all tiles of a layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Result of a test set through the circuit."""

    accuracy: float
    predictions: NDArray[np.intp]
    confusion: NDArray[np.intp]
    """Images per class and prediction, shape (classes, classes), classes down."""
    scales: Scales
    input_moments: tuple[Floats, ...]
    """Second moment of each layer's row voltages over the reads of all images [V^2], shape (inputs, inputs)."""
    input_means: tuple[Floats, ...]
    """Mean row voltages of each layer [V], shape (inputs,)."""


def evaluate(
    mapped: MappedNetwork,
    transfers: Sequence[Floats],
    config: ArrayConfig,
    readout: Readout,
    dataset: Dataset,
    seed: int = 0,
) -> Evaluation:
    """Put the whole test set through the tiles' transfer matrices.

    Parameters
    ----------
    mapped
        Network on tiles.
    transfers
        Transfer matrix of each tile [A/V], shape (columns, rows): solved or ideal.
    config
        Electrical description of the array, for the ideal currents that the trim aims at.
    readout
        Voltages, converters, trim.
    dataset
        Full scales are set on the first 2000 training images, accuracy is that of all test images.
    seed
        Of the random vectors that the trim is fitted on.
    """
    test = _Test(mapped, transfers, config, readout, dataset, seed)
    network = mapped.network
    sizes = [layer.shape[1] for layer in network.layers]
    moments = [np.zeros((size, size)) for size in sizes]
    sums = [np.zeros(size) for size in sizes]
    predictions = []
    for classes, voltages in test.images():
        predictions.append(classes)
        for number, voltage in enumerate(voltages):
            reads = network.layers[number].reads
            moments[number] += voltage.T @ voltage / reads
            sums[number] += voltage.sum(axis=0) / reads
    predicted = np.concatenate(predictions)
    count = len(predicted)
    return Evaluation(
        accuracy=float(np.mean(predicted == dataset.test_labels)),
        predictions=predicted,
        confusion=confusion_matrix(dataset.test_labels, predicted, network.sizes[-1]),
        scales=test.scales,
        input_moments=tuple(moment / count for moment in moments),
        input_means=tuple(total / count for total in sums),
    )


class _Test:
    """A test set on its way through the tiles; full scales are those of the first training images."""

    def __init__(
        self,
        mapped: MappedNetwork,
        transfers: Sequence[Floats],
        config: ArrayConfig,
        readout: Readout,
        dataset: Dataset,
        seed: int,
    ) -> None:
        self._mapped, self._readout, self._dataset = mapped, readout, dataset
        self._maps = tile_maps(mapped, transfers, config, readout, seed)
        self._unit = conductance_per_weight(mapped, config)
        inputs = mapped.network.inputs(dataset.train_images[:_CALIBRATION_IMAGES])
        _, self.scales, _ = propagate(mapped, self._maps, self._unit, readout, inputs)

    def images(self) -> Iterator[tuple[NDArray[np.intp], list[Floats]]]:
        """Classes of some images at a time, and the row voltages (images * reads, inputs) of each layer [V]."""
        images = self._dataset.test_images
        for start in range(0, len(images), _CHUNK):
            inputs = self._mapped.network.inputs(images[start : start + _CHUNK])
            outputs, _, voltages = propagate(
                self._mapped, self._maps, self._unit, self._readout, inputs, self.scales
            )
            yield outputs.argmax(axis=1), voltages

    def accuracy(self) -> float:
        """Share of the images whose class is right."""
        predicted = np.concatenate([classes for classes, _ in self.images()])
        return float(np.mean(predicted == self._dataset.test_labels))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablation:
    """Accuracy with one cause at a time."""

    levels: float
    """Digital, on the device's levels."""
    converters: float
    """Ideal arrays with DAC and ADC."""
    array: float
    """The solved arrays, trimmed, without converters."""
    circuit: float
    """All of it."""
    untrimmed: float
    """All of it without the calibration of the columns."""


def ablation(
    circuit: Evaluation,
    mapped: MappedNetwork,
    transfers: Sequence[Floats],
    config: ArrayConfig,
    readout: Readout,
    dataset: Dataset,
    seed: int = 0,
) -> Ablation:
    """Accuracy with one cause at a time, to say what the circuit costs and why; `circuit` is `evaluate` of the same."""

    def accuracy(matrices: Sequence[Floats], **changes: bool | None) -> float:
        return _Test(mapped, matrices, config, replace(readout, **changes), dataset, seed).accuracy()  # type: ignore[arg-type]

    return Ablation(
        levels=mapped.network.accuracy(dataset.test_images, dataset.test_labels),
        converters=accuracy(ideal_transfers(mapped, config), trim=False),
        array=accuracy(transfers, dac_bits=None, adc_bits=None),
        circuit=circuit.accuracy,
        untrimmed=accuracy(transfers, trim=False),
    )


def tile_maps(
    mapped: MappedNetwork,
    transfers: Sequence[Floats],
    config: ArrayConfig,
    readout: Readout,
    seed: int = 0,
) -> tuple[TileMap, ...]:
    """Trim the columns of every tile and subtract its reference.

    The trim is that of `nn_mapping.column_readout.column_trim`. Converters with mismatch are drawn for each
    tile; their errors depend on the code, so that no trim removes them.
    """
    maps = []
    for number, (transfer, ideal) in enumerate(zip(transfers, ideal_transfers(mapped, config), strict=True)):
        columns, rows = transfer.shape
        combine = combination(columns, mapped.level_set)
        offset = np.zeros(len(combine))
        if readout.trim:
            trim = column_trim(transfer, ideal, readout, seed, number)
            offset, combine = combine @ trim.offset, combine * trim.gain
        maps.append(
            TileMap(
                matrix=combine @ transfer,
                offset=offset,
                columns=combine,
                converter_of=output_converters(len(combine), readout, seed, number),
                row_dacs=row_dacs(rows, readout, seed, number),
            )
        )
    return tuple(maps)


def propagate(
    mapped: MappedNetwork,
    maps: Sequence[TileMap],
    unit: float,
    readout: Readout,
    inputs: NDArray[np.floating],
    scales: Scales | None = None,
    noise: ReadNoise | None = None,
) -> tuple[Floats, Scales, list[Floats]]:
    """Put inputs (images, pixels) in 0..1 through all layers.

    Parameters
    ----------
    unit
        Current per row voltage of a weight of 1 [S].
    scales
        Full scales; None sets them on these very inputs.
    noise
        Noise of every read; None: there is none.

    Returns
    -------
    tuple
        Outputs (images, classes), the full scales, and the row voltages (images * reads, inputs) of each layer [V],
        as they would be without mismatch of the DACs.
    """
    input_scales, current_scales, voltages = [1.0], [], []
    activations = inputs.astype(np.float64)
    last = len(mapped.network.layers) - 1
    for number, layer in enumerate(mapped.network.layers):
        input_scale = scales.inputs[number] if scales else input_scales[number]
        spread = layer.spread(activations)
        shares = spread / input_scale
        voltage = readout.v_full * convert_input(shares, readout.dac_bits)
        voltages.append(voltage)
        heard = noise if noise is not None and noise.layer in (None, number) else None
        parts = []
        for place in mapped.layer_tiles(number):
            rows, dacs = mapped.tiles[place].rows, maps[place].row_dacs
            driven = voltage[:, rows] if dacs is None else readout.v_full * dacs.convert(shares[:, rows])
            parts.append((place, _currents(driven, maps[place], heard)))
        full = (
            scales.currents[number]
            if scales
            else _full_scale(np.abs(np.hstack([i for _, i in parts])), readout)
        )
        current_scales.append(full)
        total = np.zeros((len(voltage), layer.shape[0]))
        for place, current in parts:
            total[:, mapped.tiles[place].outputs] += convert_output(
                current, full, readout.adc_bits, maps[place].converter_of
            )
        activations = layer.gain * (total * (input_scale / (unit * readout.v_full))) + layer.offset
        if number < last:
            activations = np.maximum(activations, 0)
        activations = layer.gather(activations)
        if number < last and scales is None:
            input_scales.append(_full_scale(activations, readout))
    return activations, scales or Scales(inputs=tuple(input_scales), currents=tuple(current_scales)), voltages


def _currents(voltage: Floats, tile: TileMap, noise: ReadNoise | None) -> Floats:
    current = voltage @ tile.matrix.T + tile.offset
    if noise is not None:
        size = noise.per_volt * np.linalg.norm(voltage, axis=1)
        drawn = noise.random.standard_normal((len(voltage), tile.columns.shape[1]))
        current += (size[:, np.newaxis] * drawn) @ tile.columns.T
    return np.asarray(current)


def convert_input(values: Floats, bits: int | None) -> Floats:
    """Round inputs to ``2**bits`` steps from 0 to 1 and clip what lies outside (DAC); None leaves them.

    Examples
    --------
    >>> convert_input(np.array([-0.1, 0.4, 0.6, 1.5]), 1).tolist()
    [0.0, 0.0, 1.0, 1.0]
    """
    if bits is None:
        return values
    steps = 2**bits - 1
    return np.asarray(np.round(np.clip(values, 0, 1) * steps) / steps, dtype=np.float64)


def convert_output(
    current: Floats, full: float, bits: int | None, converter_of: Sequence[Converter] = ()
) -> Floats:
    """Round currents to the codes ``-2**(bits-1) .. 2**(bits-1) - 1`` of a signed ADC; None leaves them.

    Parameters
    ----------
    current
        (..., outputs) [A].
    full
        Full scale [A].
    bits
        Resolution.
    converter_of
        The ADC of each output, whose range is from ``-full`` to ``full``; none: ideal ones.

    Examples
    --------
    >>> convert_output(np.array([-3.0, -0.4, 0.6, 3.0]), full=2.0, bits=2).tolist()
    [-2.0, -0.0, 1.0, 1.0]
    """
    if bits is None:
        return current
    half = 2 ** (bits - 1)
    step = full / half
    if converter_of:
        shares = (current / full + 1) / 2
        codes = [converter.convert(shares[..., k]) for k, converter in enumerate(converter_of)]
        return np.asarray((np.stack(codes, axis=-1) - half) * step)
    return np.asarray(np.clip(np.round(current / step), -half, half - 1) * step, dtype=np.float64)


def sample_reads(
    mapped: MappedNetwork,
    transfers: Sequence[Floats],
    config: ArrayConfig,
    readout: Readout,
    dataset: Dataset,
    *,
    tiles: int,
    vectors: int,
    seed: int = 0,
) -> list[tuple[int, Floats]]:
    """Tiles with real inputs, to be read again by another simulator.

    The tiles are drawn with the seed, layer after layer in turn, so that every layer is among the first ones;
    the inputs are row voltages (vectors, rows) [V] of test images drawn with the same seed. A tile whose inputs are all
    zero, as at the edge of the images, tells nothing and is passed over; where no tile has any, other images are drawn.

    Returns
    -------
    list
        Position of the tile in ``mapped.tiles`` and its row voltages; fewer than `tiles`, or none, where no more have
        inputs.
    """
    random = np.random.default_rng(seed)
    count = len(dataset.test_images)
    chosen = random.choice(count, min(vectors, count), replace=False)
    queues = [random.permutation(mapped.layer_tiles(number)) for number in range(len(mapped.network.layers))]
    longest = max(len(queue) for queue in queues)
    order = [int(queue[turn]) for turn in range(longest) for queue in queues if turn < len(queue)]
    maps = tile_maps(mapped, transfers, config, readout, seed)
    unit = conductance_per_weight(mapped, config)
    training = mapped.network.inputs(dataset.train_images[:_CALIBRATION_IMAGES])
    _, scales, _ = propagate(mapped, maps, unit, readout, training)

    def reads(images: NDArray[np.intp]) -> Iterator[tuple[int, Floats]]:
        inputs = mapped.network.inputs(dataset.test_images[images])
        _, _, voltages = propagate(mapped, maps, unit, readout, inputs, scales)
        for place in order:
            tile = mapped.tiles[place]
            yield place, voltages[tile.layer][:, tile.rows]

    found = [(place, read) for place, read in reads(chosen) if read.any()][:tiles]
    if not found:
        others = random.choice(count, min(_OTHER_IMAGES, count), replace=False)
        heard = ((place, read[read.any(axis=1)][:vectors]) for place, read in reads(others))
        found = [(place, read) for place, read in heard if len(read)][:tiles]
    return found


def confusion_matrix(labels: Bytes, predictions: NDArray[np.intp], classes: int) -> NDArray[np.intp]:
    """Images per class (down) and prediction (across).

    Examples
    --------
    >>> confusion_matrix(np.array([0, 1, 1], dtype=np.uint8), np.array([0, 0, 1]), 2).tolist()
    [[1, 0], [1, 1]]
    """
    pairs = labels.astype(np.intp) * classes + predictions
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def _full_scale(values: Floats, readout: Readout) -> float:
    full = float(np.quantile(values, readout.quantile))
    return full if full > 0 else 1.0  # a layer that never speaks needs no resolution
