"""Energy and time of an inference, and of writing the network, item by item."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from circuits.arrays.crossbar import amplifiers, slots
from circuits.network import Role
from circuits.read.energy import ReadEnergy, Work, mean_power, read_energy
from nn_mapping.analog.placement import arrays_of, tiles_of
from nn_mapping.levels import nearest_level

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import nn

    from circuits.periphery import PeripheryCard
    from circuits.read.energy import PartCosts
    from compact_model.numeric import Floats
    from nn_mapping.analog.placement import Tile
    from nn_mapping.reads import LayerReads
    from nn_mapping.tiles import TileResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceCost:
    """Energy and latency of one inference, averaged over the images of the evaluation."""

    layers: dict[str, ReadEnergy]
    """Energy of each layer, by its name."""
    work: dict[str, Work]
    """What each layer asks of the periphery; additions are those of partial sums, and comparisons (ReLU, maximum)."""
    latency: float
    """Time of one inference [s]: the layers follow each other, the tiles of a layer work at once."""

    @property
    def energy(self) -> ReadEnergy:
        """Energy by part, over all layers."""
        return ReadEnergy.sum(self.layers.values())


def inference_cost(
    model: nn.Module,
    responses: Sequence[TileResponse],
    reads: Mapping[str, LayerReads],
    costs: Callable[[int, int], PartCosts],
) -> InferenceCost:
    r"""Energy and latency of one inference: what was read, and how often.

    The mean power of the elements of a role is ``trace(Q M)``, with its power form Q and the second moment M of the
    row voltages over the reads of the test images. In every read each row of every tile has its DAC, each output of
    every tile is converted; a slice of an input is a read of its own, a slice of a weight an output of its own. Where
    rows take turns, a read lasts a turn per row, and every turn is converted. Digital work: one 32-bit addition per
    output for each further conversion that belongs to it, gain and offset in float32 per output (and sign of the
    inputs), one 32-bit comparison per output (ReLU, or the final maximum). What else stands between the arrays, and
    layers that stayed digital, are not in it.

    Parameters
    ----------
    model
        On arrays.
    responses
        Of its tiles.
    reads
        Of its layers, as `nn_mapping.accuracy.evaluate` found them.
    costs
        What the parts around the arrays take, for bits of the DACs and of the ADCs.

    Raises
    ------
    ValueError
        For a layer without converters: nobody knows their energy.
    """
    tiles = tiles_of(model)
    energies, works = {}, {}
    latency = 0.0
    for name, array in arrays_of(model).items():
        if name not in reads:
            continue
        slices, config = array.tiles.chip.input_slices, array.tiles.chip.config
        adc_bits = array.tiles.chip.readout.adc_bits
        if slices is None or adc_bits is None:
            raise ValueError(f"{name}: converters without bits have no energy: set dac_bits and adc_bits")
        part = costs(slices.each, adc_bits)
        own = [place for place, tile in enumerate(tiles) if tile.layer == name]
        power = dict.fromkeys(Role, 0.0)
        for place in own:
            tile = tiles[place]
            moment = reads[name].moment[tile.group, tile.rows, tile.rows]
            for role, watt in mean_power(responses[place].power_forms, moment).items():
                power[role] += watt
        count = reads[name].reads
        outputs = [tiles[place].converted for place in own]
        turns = [slots(config, tiles[place].shape[0]) for place in own]
        longest = max(turns)
        on = [amplifiers(config, tiles[place].shape) for place in own]
        conversions = count * int(np.dot(outputs, turns))
        works[name] = Work(
            reads=count * longest,
            amplifiers=float(np.dot(on, turns)) / longest,
            dacs=count * sum(tiles[place].shape[0] for place in own),
            adcs=conversions,
            # joins of tiles on further rows, of slices and of turns, and one comparison for each joined output
            additions=conversions,
            scalings=count / len(slices.significance) * len(array.weight),
        )
        mean = {role: watt / longest for role, watt in power.items()}
        energies[name] = read_energy(part, mean, works[name])
        latency += count * longest * (part.t_on + part.conversion_time(max(outputs)))
    return InferenceCost(layers=energies, work=works, latency=latency)


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitalCost:
    """The same network in digital multipliers: arithmetic alone, no access to a memory."""

    multiplications: float
    """Of one inference, each with one addition."""
    energy: float
    """[J]"""


def digital_cost(
    model: nn.Module, reads: Mapping[str, LayerReads], multiply: float, add: float
) -> DigitalCost:
    """Energy of the products of one inference at `multiply` and `add` [J] per operation.

    Fetching weights is not in it, although it is what in-memory arrays avoid; nor are activations and control.
    """
    arrays = arrays_of(model)
    count = sum(read.products * arrays[name].weight.numel() for name, read in reads.items())
    return DigitalCost(multiplications=count, energy=count * (multiply + add))


def areas(model: nn.Module, card: PeripheryCard) -> dict[str, dict[str, float]]:
    """Area [m^2] of each of ``cells``, ``drivers``, ``sense``, ``dac``, ``adc`` and ``digital``, per layer.

    Cells, references and pairs included, take a pitch squared, with their transconductors below them. Every row of
    every tile has drivers and a DAC, every column a current sense; outputs share converters as in
    :func:`inference_cost`. Wiring between tiles, buffers, control, select transistors and write drivers are not in it.
    """
    taken = card.area
    tiles = tiles_of(model)
    found = {}
    for name, array in arrays_of(model).items():
        slices, adc_bits = array.tiles.chip.input_slices, array.tiles.chip.readout.adc_bits
        own = [tile for tile in tiles if tile.layer == name]
        rows = sum(tile.shape[0] for tile in own)
        converters = sum(math.ceil(tile.converted / card.adc.columns.value) for tile in own)
        converter = 0.0 if adc_bits is None else taken.adc_8bit.value * 2.0 ** (adc_bits - 8)
        found[name] = {
            "cells": card.wire.pitch.value**2 * sum(tile.states.size for tile in own),
            "drivers": taken.driver.value * rows,
            "sense": taken.sense.value * sum(tile.shape[1] for tile in own),
            "dac": taken.dac_per_bit.value * (0 if slices is None else slices.each) * rows,
            "adc": converter * converters,
            "digital": taken.digital.value,
        }
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteCost:
    """Energy and time of writing all cells once."""

    energy: float
    """[J]"""
    time_serial: float
    """One cell after another, everywhere [s]."""
    time_tiles_parallel: float
    """One cell after another in each tile, all tiles at once [s]."""


def write_cost(
    tiles: Sequence[Tile], levels_ohm: Floats, energy_per_level: Floats, time_per_level: Floats
) -> WriteCost:
    """Cost of writing tiles, from what the ladder takes to reach each device level.

    Parameters
    ----------
    tiles
        Of a network; reference columns are written too.
    levels_ohm
        Levels of the device [Ohm], ascending; those of the tiles are among them.
    energy_per_level, time_per_level
        Energy [J] and time [s] of bringing one cell from reset to each of them.
    """
    counts = np.stack(
        [
            np.bincount(nearest_level(tile.target.ravel(), levels_ohm), minlength=len(levels_ohm))
            for tile in tiles
        ]
    )
    each = counts @ time_per_level
    return WriteCost(
        energy=float(counts.sum(axis=0) @ energy_per_level),
        time_serial=float(each.sum()),
        time_tiles_parallel=float(each.max()),
    )
