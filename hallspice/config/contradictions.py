"""Keys of a configuration held against each other and against the device."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import get_args

import numpy as np

from circuits.arrays.config import ArrayConfig
from compact_model import switching, synapse
from compact_model.cards.device import DeviceCard
from compact_model.cards.document import (
    KeyPath,
)
from compact_model.numeric import Floats
from hallspice.config.demand import Demand
from hallspice.config.network_keys import Network, Scheme
from hallspice.config.schema import Config
from hallspice.config.setup import Setup
from hallspice.config.unused import trained_here, undrawn, unused
from nn_mapping.data import SOURCES
from nn_mapping.layer_shapes import Convolution, shapes
from nn_mapping.levels import MOST_COMBINATIONS, MOST_LEVELS

SHIPPED_IMAGE, SHIPPED_CLASSES = (1, 28, 28), 10
"""Of the data sets that are known by name."""

Contradiction = tuple[tuple[KeyPath, ...], str]


def contradictions(setup: Setup, demands: Demand) -> Iterator[Contradiction]:
    """Keys that don't fit each other or the device: the keys involved (the one to change first), and what."""
    yield from _levels_of_the_device(setup)
    if Demand.NETWORK in demands:
        yield from _network(setup)
        yield from _layer_options(setup)
    if Demand.ONE_ARCHITECTURE in demands:
        yield from (((key, by), what) for key, by, what in unused(setup.config))
    if Demand.ONE_CHIP in demands:
        yield from (((key,), what) for key, what in undrawn(setup.config))
    array = setup.config.array
    if not setup.array.architecture.hall:
        if array.cell.r_low >= array.cell.r_high:
            what = f"{array.cell.r_low:g} ohm is not below r_high = {array.cell.r_high:g} ohm"
            yield (("array", "cell", "r_low"), ("array", "cell", "r_high")), what
    elif (allowed := _largest_spread(setup)) < 0:
        what = f"{array.cell.mismatch:g} draws arms that would give power, allowed: less, or a larger r_arm"
        yield (("array", "cell", "mismatch"), ("array", "cell", "r_arm")), what
    elif (spread := array.cell.r_off_spread) > allowed:
        what = f"{spread:g} ohm draws cells that would give power, allowed: 0 <= value <= {allowed:.4g} ohm"
        yield (("array", "cell", "r_off_spread"),), what
    if Demand.FULL_INPUT in demands:
        yield from _full_input(setup, supply=Demand.SUPPLY in demands)


def _largest_spread(setup: Setup) -> float:
    """Standard deviation of the misalignment of which six leave a cell passive, its arms six of theirs too short."""
    arms = setup.array.r_arm * (2 - 6 * np.sqrt(2) * setup.config.array.cell.mismatch)
    return float(np.sqrt(arms * setup.array.r_channel) - abs(setup.array.r_off)) / 6


def _full_input(setup: Setup, *, supply: bool) -> Iterator[Contradiction]:
    """A full input that switches the device, or that the supply doesn't carry."""
    if setup.array.architecture.hall:
        onset = switching.disturb_onset_current(setup.card)
        i_read = setup.i_full
        if i_read >= onset:
            what = f"{i_read:g} A would switch the device while it is read, allowed: below {onset:.4g} A, the onset"
            yield (("array", "read", "i_read"),), what
    if supply and setup.v_row > setup.v_supply:
        what = f"a row needs {setup.v_row:.4g} V for a full input, but the supply is {setup.v_supply:g} V"
        keys = (("array", "driver", "v_supply"), ("array", "read", "i_read"), ("array", "read", "v_read"))
        yield (
            keys,
            f"{what}; raise it, lower the read current or voltage, or take fewer columns where they are in series",
        )


def _levels_of_the_device(setup: Setup) -> Iterator[Contradiction]:
    levels = setup.levels_ohm
    key = (("device", "levels"),)
    if not 2 <= levels.size <= MOST_LEVELS:
        yield key, f"{levels.size} levels given, allowed: 2 to {MOST_LEVELS}"
        return
    if np.any(np.diff(levels) <= 0):
        yield key, f"levels repeat ({', '.join(f'{level:g}' for level in levels)} ohm); each must differ"
    yield from ((key, what) for what in outside(setup.card, levels))


def outside(card: DeviceCard, levels: Floats) -> Iterator[str]:
    """What of a level lies outside of the window of the device."""
    low = card.hall.r_reset.value
    high = low + synapse.window(card)
    wrong = [f"{level:g}" for level in levels if not low - 1e-9 <= level < high]
    if wrong:
        yield f"{', '.join(wrong)} ohm: the device has no such level, allowed: {low:.4g} <= level < {high:.4g} ohm"
    if abs(levels[0] - low) > 1e-9:
        yield f"the lowest level, {levels[0]:g} ohm, must be the reset state, {low:g} ohm: every write starts from it"


def layers_of(network: Network) -> list[int | Convolution]:
    """Layers as the training takes them: pixels, convolutions, fully connected layers."""
    convolutions = [Convolution(**layer.model_dump()) for layer in network.convolutions]
    return [network.layers[0], *convolutions, *network.layers[1:]]


def _network(setup: Setup) -> Iterator[Contradiction]:
    network, array = setup.config.network, setup.config.array
    own = setup.own_data
    if setup.own_module is not None or network.weights:
        yield from _own_network(setup)
    elif own is None:
        yield from unfit(network, SHIPPED_IMAGE, SHIPPED_CLASSES)
    if own is not None and not own.exists():
        what = (
            f"{own}: no such file or folder, allowed: {', '.join(SOURCES)}, or the path of data of your own"
        )
        yield (("network", "dataset"),), what
    slices = len(network.weight_slices)
    least = _columns(network.scheme, slices)
    if array.columns < least:
        how = f"{network.scheme} in {slices} slices" if slices > 1 else network.scheme
        what = f"{array.columns} columns; weights by {how} need at least {least} in a tile"
        yield (("array", "columns"), ("network", "scheme")), what
    for what in _too_many(network.scheme, setup.levels_ohm.size, slices):
        yield (("network", "weight_slices"),), what
    if slices > 1 and network.in_situ.updates:
        what = f"{slices} slices; training in situ has one cell per weight: leave it out"
        yield (("network", "weight_slices"), ("network", "in_situ", "updates")), what
    if network.r_reference != "middle" and network.scheme != "reference":
        what = f"{network.r_reference:g} ohm has no meaning for weights by {network.scheme}"
        yield (("network", "r_reference"), ("network", "scheme")), what
    if network.batch_size < 2:
        yield (("network", "batch_size"),), "batch normalisation needs at least 2 images in a batch"


def _columns(scheme: str, slices: int) -> int:
    """Columns that a tile needs for one weight."""
    return 2 * slices if scheme == "differential" else slices + 2


def _too_many(scheme: str, levels: int, slices: int) -> Iterator[str]:
    """Slices that have more combinations than can be numbered."""
    each = {"binary": 2, "differential": levels * (levels - 1) + 1}.get(scheme, levels)
    if slices > 1 and each**slices > MOST_COMBINATIONS:
        yield (
            f"{slices} slices of up to {each} weights are {each**slices} combinations, allowed: {MOST_COMBINATIONS}"
        )


def _layer_options(setup: Setup) -> Iterator[Contradiction]:
    """Options of layers that no tile and no device can have."""
    built_in, count = setup.own_module is None, setup.levels_ohm.size
    for pattern, layer in setup.config.layers.items():
        key = ("layers", pattern)
        given = layer.model_fields_set - {"digital"}
        if layer.digital and given:
            yield (
                ((*key, "digital"),),
                f"a digital layer has no {', '.join(sorted(given))}; leave one of them out",
            )
        if wrong := [number for number in layer.levels or [] if number >= count]:
            yield ((*key, "levels"),), f"{wrong[0]}: the device has {count} levels, allowed: 0 to {count - 1}"
        if layer.levels is not None and len(set(layer.levels)) < len(layer.levels):
            yield ((*key, "levels"),), f"{', '.join(map(str, layer.levels))}: a level stands twice"
        for name in ("levels", "scheme", "weight_slices"):
            if built_in and getattr(layer, name) is not None:
                what = "a built-in network is trained on one set of levels; leave it out, or name a network "
                yield ((*key, name), ("network", "module")), f"{what}of your own in network.module"
        scheme = layer.scheme or setup.config.network.scheme
        slices = len(layer.weight_slices or setup.config.network.weight_slices)
        for what in _too_many(scheme, len(layer.levels or setup.levels_ohm), slices):
            yield ((*key, "weight_slices"),), what
        least = _columns(scheme, slices)
        if layer.tile is not None and layer.tile[1] < least:
            yield ((*key, "tile"),), f"{layer.tile[1]} columns, such weights need at least {least}"


def _own_network(setup: Setup) -> Iterator[Contradiction]:
    """A network of one's own: its files, and keys that say nothing about it."""
    network, key = setup.config.network, ("network", "module")
    if network.module is None and network.weights in get_args(Scheme):
        what = f"{network.weights} is how cells make a weight: write network.scheme; weights names a module's file"
        yield (("network", "weights"),), what
        return
    if setup.own_module is None:
        yield (
            (key,),
            f"{network.module or ''!r} names no function, expected FILE.py:FUNCTION, beside network.weights",
        )
        return
    if not setup.own_module[0].is_file():
        yield (key,), f"{setup.own_module[0]}: no such file, expected FILE.py:FUNCTION"
    weights = setup.own_weights
    if not weights.is_file():
        what = f"{weights}: no such file, expected what torch.save(network.state_dict(), FILE) wrote"
        yield (("network", "weights"), key), what
    for path in trained_here(setup.config):
        yield (
            (path, key),
            "has no effect on a network of network.module, which is trained already; leave it out",
        )


def unfit(network: Network, image: tuple[int, int, int], classes: int) -> Iterator[Contradiction]:
    """Layers that don't fit images of so many channels, rows and columns, and so many classes."""
    key = (("network", "layers"), ("network", "dataset"))
    pixels = math.prod(image)
    if network.layers[0] != pixels:
        shape = " x ".join(map(str, image))
        yield (
            key,
            f"the first layer has {network.layers[0]} inputs, but an image has {pixels} pixels ({shape})",
        )
    if network.layers[-1] != classes:
        yield (
            key,
            f"the last layer has {network.layers[-1]} outputs, but {network.dataset} has {classes} classes",
        )
    try:
        shapes(layers_of(network), *image)
    except ValueError as error:
        if network.convolutions and network.layers[0] == pixels:
            yield (("network", "convolutions"),), str(error)


def warnings_of(config: Config, card: DeviceCard, array: ArrayConfig) -> Iterator[str]:
    """What is allowed, but weakens the result."""
    if not array.architecture.hall:
        yield (
            "resistive cells: a Hall bar's channel does not change with its state; these cells are an assumed "
            f"two-terminal read-out of it ({config.array.cell.r_low:g} to {config.array.cell.r_high:g} ohm)."
        )
    if card.choices.reset == "field":
        yield "the reset before writing is a saturating field H_z; its energy is outside the device and not counted."
