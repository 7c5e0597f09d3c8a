"""Training through the circuit: products of the layers of a network as its tiles make them, with the exact gradient.

The tiles are those of `nn_mapping.analog`; here they belong to a network that is trained as one vector.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nn_mapping.analog.chip_design import Chip
from nn_mapping.analog.tiled_product import TiledProduct

if TYPE_CHECKING:
    from circuits.arrays.config import ArrayConfig
    from nn_mapping.column_readout import Readout
    from nn_mapping.mapping import MappedNetwork


class CircuitProduct:
    """What the tiles of one layer make of inputs (count, in) and weights (out, in), in units of the weights.

    Full scales are set by the first batch; they and the trim follow while gradients are recorded. Inputs of the first
    layer are pixels from 0 to 1.
    """

    def __init__(self, tiles: TiledProduct, *, first: bool) -> None:
        self.tiles, self.begun = tiles, False
        if first:
            tiles.set_full_scales((1.0, 0.0))
            tiles.fixed_inputs = True

    def __call__(self, x: Tensor, weight: Tensor) -> Tensor:
        """Outputs (count, out)."""
        tiles, held = self.tiles, weight.unsqueeze(0)
        if not self.begun:
            tiles.begin_calibration(held)
            with torch.no_grad():
                tiles.product(x, tiles.matrices(held))
            self.begun = tiles.end_calibration()
        tiles.train(torch.is_grad_enabled())
        if tiles.training:
            tiles.advance(held)
        return tiles.product(x, tiles.matrices(held))


def circuit_products(
    mapped: MappedNetwork, config: ArrayConfig, readout: Readout, dtype: torch.dtype = torch.float32
) -> tuple[CircuitProduct, ...]:
    """Products of every layer, for `products` of ``training.train``; tiles of one shape share a solution."""
    chip = Chip(
        config=config,
        level_set=mapped.level_set,
        readout=replace(readout, dac_mismatch=0.0, adc_mismatch=0.0),  # those of no chip in particular
        tile=(mapped.tile_rows, mapped.tile_columns),
        state_ohm=mapped.state_ohm,
    )
    known: dict[tuple[Any, ...], Any] = {}
    products = []
    for number, layer in enumerate(mapped.network.layers):
        weights = torch.from_numpy(layer.weights).to(dtype).unsqueeze(0)
        tiles = TiledProduct(weights, chip, min(mapped.layer_tiles(number)), known)
        products.append(CircuitProduct(tiles, first=number == 0))
    return tuple(products)
