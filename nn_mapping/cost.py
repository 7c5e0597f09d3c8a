"""Energy and time of an inference, and of writing the network, item by item."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from circuits.arrays.crossbar import amplifiers
from circuits.network import Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from circuits.arrays.config import ArrayConfig
    from circuits.periphery import PeripheryCard
    from compact_model.numeric import Floats
    from nn_mapping.accuracy import Evaluation
    from nn_mapping.mapping import MappedNetwork
    from nn_mapping.tiles import TileResponse
    from nn_mapping.trained import TrainedNetwork

PARTS = ("cells", "wires", "drivers", "sense", "dac", "adc", "digital")
"""Parts of the energy of an inference, in the order of the signal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartCosts:
    """What the parts around the array take; SI units."""

    t_read: float
    """Length of a read once it has settled [s]."""
    t_settle: float
    """Time from the rise of the row voltages until a read begins [s]; amplifiers are on, too."""
    amplifier_power: float
    """Supply power of one amplifier [W]."""
    driver_efficiency: float
    """Energy that the row drivers deliver over the energy they take, in (0, 1]."""
    dac_energy: float
    """One conversion of one row [J]."""
    adc_energy: float
    """One conversion of one output [J]."""
    adc_time: float
    """One conversion of one output [s]."""
    adc_outputs: int
    """Outputs of a tile that take turns at one converter."""
    add: float
    """Digital addition or comparison, 32 bit [J]."""
    multiply_float: float
    """Digital multiplication, float32 [J]."""
    add_float: float
    """Digital addition, float32 [J]."""

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if not 0 <= value < np.inf:
                raise ValueError(f"{entry.name} = {value} is outside [0, inf)")
        if not self.t_read > 0 or not 0 < self.driver_efficiency <= 1 or self.adc_outputs < 1:
            raise ValueError(
                f"t_read = {self.t_read} s, driver_efficiency = {self.driver_efficiency}, adc_outputs = "
                f"{self.adc_outputs}: expected > 0, (0, 1] and >= 1"
            )


def part_costs(
    card: PeripheryCard, dac_bits: int, adc_bits: int, t_read: float | None = None, t_settle: float = 0.0
) -> PartCosts:
    """Costs from a periphery card; `t_read` [s] replaces the card's, `t_settle` [s] comes before each read.

    Examples
    --------
    >>> from circuits.periphery import load_periphery
    >>> costs = part_costs(load_periphery(), dac_bits=6, adc_bits=6)
    >>> f"{costs.amplifier_power:.2e} W, {costs.adc_energy:.2e} J, {costs.dac_energy:.2e} J"
    '1.80e-04 W, 4.20e-13 J, 2.34e-12 J'
    """
    return PartCosts(
        t_settle=t_settle,
        t_read=card.read.t_read.value if t_read is None else t_read,
        amplifier_power=card.amplifier.power,
        driver_efficiency=card.driver.efficiency.value,
        dac_energy=card.dac.energy_per_bit.value * dac_bits,
        adc_energy=card.adc.conversion_energy(adc_bits),
        adc_time=card.adc.t_convert.value,
        adc_outputs=round(card.adc.columns.value),
        add=card.digital.add_32bit.value,
        multiply_float=card.digital.multiply_fp32.value,
        add_float=card.digital.add_fp32.value,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceCost:
    """Energy and latency of one inference, averaged over the images of the evaluation."""

    layers: tuple[dict[str, float], ...]
    """Energy [J] of each of `PARTS`, per layer."""
    amplifiers: float
    """Share of ``sense`` that the supplies of the transconductors take [J]."""
    latency: float
    """Time of one inference [s]: the layers follow each other, the tiles of a layer work at once."""
    dac_conversions: int
    adc_conversions: int
    additions: int
    """Digital additions of partial sums, comparisons of ReLU and of the final maximum."""
    scalings: int
    """Digital multiplications by a gain, each with the addition of an offset."""

    @property
    def parts(self) -> dict[str, float]:
        """Energy [J] of each part, over all layers."""
        return {part: math.fsum(layer[part] for layer in self.layers) for part in PARTS}

    @property
    def total(self) -> float:
        """Energy of one inference [J]: the sum of the parts."""
        return math.fsum(self.parts.values())


def inference_cost(
    mapped: MappedNetwork,
    responses: Sequence[TileResponse],
    evaluation: Evaluation,
    config: ArrayConfig,
    costs: PartCosts,
) -> InferenceCost:
    r"""Energy and latency of one inference.

    The mean power of the elements of a role is ``trace(Q M)``, with its power form Q and the second moment M of the
    row voltages over the test images. The energy that the row drivers deliver is the sum over the roles, where
    the transconductors' outputs count negative: their supplies deliver that power, and are counted with
    ``amplifier_power`` each, both while a tile settles and while it is read. Every row of every tile has its DAC,
    every output of every tile is converted. Digital work: one 32-bit addition per output for each further tile on
    other rows, gain and offset in float32 per output, one 32-bit comparison per output (ReLU, or the final maximum).
    """
    layers = []
    supplies_of_all = 0.0
    latency = 0.0
    dac = adc = additions = scalings = 0
    for number, layer in enumerate(mapped.network.layers):
        places = mapped.layer_tiles(number)
        power = dict.fromkeys(Role, 0.0)
        rows = outputs = amplified = widest = 0
        for place in places:
            tile = mapped.tiles[place]
            moment = evaluation.input_moments[number][tile.rows, tile.rows]
            for role, form in responses[place].power_forms.items():
                power[role] += float(np.sum(form * moment))
            tile_outputs = tile.outputs.stop - tile.outputs.start
            rows += len(tile.states)
            outputs += tile_outputs
            amplified += amplifiers(config, (tile.states.shape[0], tile.states.shape[1]))
            widest = max(widest, tile_outputs)
        delivered = math.fsum(power.values())
        reads = layer.reads  # patches of a convolution follow each other
        time = reads * (costs.t_settle + costs.t_read)
        supplies = time * costs.amplifier_power * amplified
        sums = outputs  # joins of the tiles on further rows, and one comparison for each joined output
        layers.append(
            {
                "cells": time * (power[Role.CELL] + power[Role.SWITCH]),
                "wires": time * power[Role.WIRE],
                "drivers": time * (power[Role.DRIVER] + delivered * (1 / costs.driver_efficiency - 1)),
                "sense": time * (power[Role.SENSE] + power[Role.AMPLIFIER]) + supplies,
                "dac": reads * rows * costs.dac_energy,
                "adc": reads * outputs * costs.adc_energy,
                "digital": reads * sums * costs.add
                + reads * layer.shape[0] * (costs.multiply_float + costs.add_float),
            }
        )
        supplies_of_all += supplies
        latency += time + reads * costs.adc_time * min(costs.adc_outputs, widest)
        dac, adc = dac + reads * rows, adc + reads * outputs
        additions, scalings = additions + reads * sums, scalings + reads * layer.shape[0]
    return InferenceCost(
        layers=tuple(layers),
        amplifiers=supplies_of_all,
        latency=latency,
        dac_conversions=dac,
        adc_conversions=adc,
        additions=additions,
        scalings=scalings,
    )


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
