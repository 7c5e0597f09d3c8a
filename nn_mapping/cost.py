"""Energy and time of an inference, and of writing the network, item by item."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from circuits.arrays.crossbar import amplifiers
from circuits.network import Role
from circuits.read.energy import ReadEnergy, Work, mean_power, read_energy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from circuits.arrays.config import ArrayConfig
    from circuits.periphery import PeripheryCard
    from circuits.read.energy import PartCosts
    from compact_model.numeric import Floats
    from nn_mapping.accuracy import Evaluation
    from nn_mapping.mapping import MappedNetwork
    from nn_mapping.tiles import TileResponse
    from nn_mapping.trained import TrainedNetwork


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceCost:
    """Energy and latency of one inference, averaged over the images of the evaluation."""

    layers: tuple[ReadEnergy, ...]
    """Energy of each layer."""
    work: tuple[Work, ...]
    """What each layer asks of the periphery; additions are those of partial sums, and comparisons (ReLU, maximum)."""
    latency: float
    """Time of one inference [s]: the layers follow each other, the tiles of a layer work at once."""

    @property
    def energy(self) -> ReadEnergy:
        """Energy by part, over all layers."""
        return ReadEnergy.sum(self.layers)


def inference_cost(
    mapped: MappedNetwork,
    responses: Sequence[TileResponse],
    evaluation: Evaluation,
    config: ArrayConfig,
    costs: PartCosts,
) -> InferenceCost:
    r"""Energy and latency of one inference.

    The mean power of the elements of a role is ``trace(Q M)``, with its power form Q and the second moment M of the
    row voltages over the test images. Every row of every tile has its DAC, every output of every tile is converted.
    Digital work: one 32-bit addition per output for each further tile on other rows, gain and offset in float32 per
    output, one 32-bit comparison per output (ReLU, or the final maximum).
    """
    energies, works = [], []
    latency = 0.0
    for number, layer in enumerate(mapped.network.layers):
        places = mapped.layer_tiles(number)
        tiles = [mapped.tiles[place] for place in places]
        power = dict.fromkeys(Role, 0.0)
        for place, tile in zip(places, tiles, strict=True):
            moment = evaluation.input_moments[number][tile.rows, tile.rows]
            for role, watt in mean_power(responses[place].power_forms, moment).items():
                power[role] += watt
        outputs = [tile.outputs.stop - tile.outputs.start for tile in tiles]
        reads = layer.reads  # patches of a convolution follow each other
        work = Work(
            reads=reads,
            amplifiers=sum(
                amplifiers(config, (tile.states.shape[0], tile.states.shape[1])) for tile in tiles
            ),
            dacs=reads * sum(len(tile.states) for tile in tiles),
            adcs=reads * sum(outputs),
            # joins of the tiles on further rows, and one comparison for each joined output
            additions=reads * sum(outputs),
            scalings=reads * layer.shape[0],
        )
        works.append(work)
        energies.append(read_energy(costs, power, work))
        latency += reads * (costs.t_on + costs.conversion_time(max(outputs)))
    return InferenceCost(layers=tuple(energies), work=tuple(works), latency=latency)


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitalCost:
    """The same network in digital multipliers: arithmetic alone, no access to a memory."""

    multiplications: int
    """Of one inference, each with one addition."""
    energy: float
    """[J]"""


def digital_cost(network: TrainedNetwork, multiply: float, add: float) -> DigitalCost:
    """Energy of one inference at `multiply` and `add` [J] per operation.

    Fetching weights is not in it, although it is what in-memory arrays avoid; nor are activations and control.
    """
    count = sum(layer.reads * layer.weights.size for layer in network.layers)
    return DigitalCost(multiplications=count, energy=count * (multiply + add))


def areas(
    mapped: MappedNetwork, card: PeripheryCard, dac_bits: int, adc_bits: int
) -> tuple[dict[str, float], ...]:
    """Area [m^2] of each of ``cells``, ``drivers``, ``sense``, ``dac``, ``adc`` and ``digital``, per layer.

    Cells, references and pairs included, take a pitch squared, with their transconductors below them. Every row of
    every tile has drivers and a DAC, every column a current sense; outputs share converters as in
    :func:`inference_cost`. Wiring between tiles, buffers, control, select transistors and write drivers are not in it.
    """
    taken = card.area
    converter = taken.adc_8bit.value * 2.0 ** (adc_bits - 8)
    found = []
    for number in range(len(mapped.network.layers)):
        tiles = [mapped.tiles[place] for place in mapped.layer_tiles(number)]
        rows = sum(tile.states.shape[0] for tile in tiles)
        columns = sum(tile.states.shape[1] for tile in tiles)
        outputs = [tile.outputs.stop - tile.outputs.start for tile in tiles]
        converters = sum(math.ceil(count / card.adc.columns.value) for count in outputs)
        found.append(
            {
                "cells": card.wire.pitch.value**2 * sum(tile.states.size for tile in tiles),
                "drivers": taken.driver.value * rows,
                "sense": taken.sense.value * columns,
                "dac": taken.dac_per_bit.value * dac_bits * rows,
                "adc": converter * converters,
                "digital": taken.digital.value,
            }
        )
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteCost:
    """Energy and time of writing all cells once."""

    energy: float
    """[J]"""
    time_serial: float
    """One cell after another, everywhere [s]."""
    time_tiles_parallel: float
    """One cell after another in each tile, all tiles at once [s]."""


def write_cost(mapped: MappedNetwork, energy_per_level: Floats, time_per_level: Floats) -> WriteCost:
    """Cost of writing the network, from what the ladder takes to reach each device level.

    Parameters
    ----------
    mapped
        Network on tiles; reference columns are written too.
    energy_per_level, time_per_level
        Energy [J] and time [s] of bringing one cell from reset to each device level, ascending.
    """
    per_tile = [
        np.bincount(tile.level_index.ravel(), minlength=len(mapped.state_ohm)) @ time_per_level
        for tile in mapped.tiles
    ]
    return WriteCost(
        energy=float(mapped.level_counts @ energy_per_level),
        time_serial=float(np.sum(per_tile)),
        time_tiles_parallel=float(np.max(per_tile)),
    )
