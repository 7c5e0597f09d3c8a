"""What the arrays of a model are driven with while inputs go through it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from nn_mapping.analog.placement import arrays_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor, nn

    from compact_model.numeric import Floats
    from nn_mapping.analog.tiled_product import TiledProduct
    from nn_mapping.analog.tiled_read import Kernel

_CHUNK = 1 << 24  # row voltages at once


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerReads:
    """The reads of a layer while some inputs of the model (images) went through it.

    A convolution reads one patch after another, a recurrent layer one step after another; an input of both signs is
    read twice, its positive and its negative part, one in slices once for each of them.
    """

    moment: Floats
    """Second moment of the row voltages over all reads [V^2], shape (groups, inputs, inputs)."""
    mean: Floats
    """Mean row voltages [V], shape (groups, inputs)."""
    reads: float
    """Reads of one image."""
    products: float
    """Products of the weights with an input, of one image."""


class ReadSums:
    """Sums over the reads of each layer."""

    def __init__(self, model: nn.Module) -> None:
        self._moments: dict[str, Tensor] = {}
        self._totals: dict[str, Tensor] = {}
        self._reads = dict.fromkeys(arrays_of(model), 0)
        self._products = dict(self._reads)

    def add(self, layer: str, voltages: Tensor, first: bool) -> None:
        """Add reads (reads, groups, inputs) [V], which are the first ones of their inputs or further ones."""
        by_group = voltages.transpose(0, 1)
        moment, total = (by_group.transpose(1, 2) @ by_group).double(), by_group.double().sum(1)
        if layer in self._moments:
            moment, total = moment + self._moments[layer], total + self._totals[layer]
        self._moments[layer], self._totals[layer] = moment, total
        self._reads[layer] += len(voltages)
        self._products[layer] += len(voltages) if first else 0

    def of(self, images: int) -> dict[str, LayerReads]:
        """Means over the reads of so many images; layers that were not read are left out."""
        return {
            layer: LayerReads(
                moment=(self._moments[layer] / reads).cpu().numpy(),
                mean=(self._totals[layer] / reads).cpu().numpy(),
                reads=reads / images,
                products=self._products[layer] / images,
            )
            for layer, reads in self._reads.items()
            if reads
        }


@contextmanager
def listening(model: nn.Module, heard: Callable[[str, Tensor, bool], None]) -> Iterator[None]:
    """Within this, `heard` is told the layer and row voltages (reads, groups, inputs) [V] of all reads.

    And whether they are the first ones of their inputs: those of further slices and of negative parts are not.

    Voltages are those of ideal DACs, or currents [A] where these are the inputs of the array.
    """
    arrays = arrays_of(model)

    def told(layer: str, tiles: TiledProduct) -> Callable[[Tensor, bool, Kernel | None], None]:
        def tell(codes: Tensor, first: bool, kernel: Kernel | None) -> None:
            positions = 1
            if kernel is not None:
                height, width = kernel.positions(codes.shape[2], codes.shape[3])
                positions = height * width
            images = max(1, _CHUNK // (tiles.tiling.groups * tiles.tiling.inputs * positions))
            for part in torch.split(codes, images):
                rows = (
                    part if kernel is None else kernel.patches(part).squeeze(3).transpose(1, 2).flatten(0, 1)
                )
                heard(layer, tiles.share() * rows.view(len(rows), tiles.tiling.groups, -1), first)

        return tell

    for layer, array in arrays.items():
        array.tiles.listener = told(layer, array.tiles)
    try:
        yield
    finally:
        for array in arrays.values():
            array.tiles.listener = None
