"""Training through the circuit: products of the layers of a network as its tiles make them, with the exact gradient.

The tiles are those of `nn_mapping.analog`; here they belong to a network that is trained as one vector.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812 (the name everyone uses)
from torch import Tensor

from nn_mapping.analog.tiled_product import TiledProduct

if TYPE_CHECKING:
    from collections.abc import Callable

    from nn_mapping.analog.chip_design import Chip
    from nn_mapping.trained import TrainedNetwork


class CircuitProduct:
    """What the tiles of one layer make of inputs (count, in) and weights (out, in), in units of the weights.

    Full scales are set by the first batch; they and the trim follow while gradients are recorded.
    """

    def __init__(self, tiles: TiledProduct) -> None:
        self.tiles, self.begun = tiles, False

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
    network: TrainedNetwork, chip: Chip, dtype: torch.dtype = torch.float32
) -> tuple[Callable[[Tensor, Tensor], Tensor], ...]:
    """Products of every layer, for `products` of ``training.train``; tiles of one shape share a solution.

    The chip's options for `TrainedNetwork.model` hold here, too: a layer that is digital there is digital here. Cells
    and converters have no mismatch, which is that of one chip among many.
    """
    readout = replace(chip.readout, dac_mismatch=0.0, adc_mismatch=0.0)
    meant = replace(chip, readout=readout, mismatch=0.0, r_off_spread=0.0)
    known: dict[tuple[Any, ...], Any] = {}
    products: list[Callable[[Tensor, Tensor], Tensor]] = []
    first = 0
    for number, layer in enumerate(network.layers, start=1):
        name = f"layer{number}"
        if meant.digital(name):
            products.append(F.linear)
            continue
        weights = torch.from_numpy(layer.weights).to(dtype).unsqueeze(0)
        tiles = TiledProduct(weights, meant.of_layer(name), first, known)
        first += tiles.tiling.tiles
        products.append(CircuitProduct(tiles))
    return tuple(products)
