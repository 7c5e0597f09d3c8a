"""A configuration made concrete: cards loaded, defaults filled in, keys checked against each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt

from circuits.array_config import Architecture, ArrayConfig, Isolation, Mismatch, Returns, draw_mismatch
from circuits.arrays import crossbar
from circuits.nodal import factor
from circuits.periphery import SHIPPED as SHIPPED_PERIPHERY
from circuits.periphery import PeripheryCard, load_periphery
from circuits.settling import settling_estimate
from compact_model import stack, switching, synapse
from compact_model.card import SHIPPED as SHIPPED_DEVICE
from compact_model.card import DeviceCard, load_card
from compact_model.document import (
    Document,
    DocumentError,
    KeyPath,
    Mistake,
    read_document,
    validate_leniently,
)
from hallspice.config import Array, Config, Network
from nn_mapping.parameters import Convolution, shapes

Floats = npt.NDArray[np.float64]
Card = TypeVar("Card")

IMAGE_SIDE = 28
IMAGE_PIXELS = IMAGE_SIDE**2
CLASSES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Everything a command needs, as numbers in SI units."""

    config: Config
    card: DeviceCard
    periphery: PeripheryCard
    levels_ohm: Floats
    array: ArrayConfig
    v_full: float
    """Input of a full-scale value: V across a row, or A along it (`Architecture.input_unit`)."""
    t_read: float
    """Length of a read, s."""
    warnings: tuple[str, ...]

    @property
    def i_full(self) -> float:
        """Channel current of a full input of a Hall cell, A."""
        return (
            self.v_full / self.array.r_channel if self.array.architecture.input_unit == "V" else self.v_full
        )

    @property
    def v_cell(self) -> float:
        """Voltage across a cell with a full input and no losses, V."""
        return self.v_full * (1.0 if self.array.architecture.input_unit == "V" else self.array.r_channel)

    @property
    def v_row(self) -> float:
        """Voltage that a row of the configured width needs for a full input, V."""
        in_series = self.array.architecture.input_unit == "A"
        return self.v_cell * (self.config.array.columns if in_series else 1)

    @property
    def v_supply(self) -> float:
        """Supply of the row drivers, V."""
        return _first(self.config.array.driver.v_supply, self.periphery.driver.v_supply.value)

    def with_capacitances(self, config: ArrayConfig | None = None) -> ArrayConfig:
        """An array (None: the configured one) with the capacitances of its wires and arms.

        Those of the configuration, else of the periphery card; an arm has that of the column wire unless given.
        """
        array, wire = self.config.array, self.periphery.wire
        c_column = _first(array.wire.c_column, wire.c_column.value)
        return replace(
            self.array if config is None else config,
            c_row=_first(array.wire.c_row, wire.c_row.value),
            c_col=c_column,
            c_arm=_first(array.cell.c_arm, c_column),
        )

    def settling(self, states: Floats, mismatch: Mismatch | None = None) -> float:
        """Time until the outputs of the array are within a thousandth, inputs full, by Elmore's delays [s].

        Parameters
        ----------
        states
            (rows, columns) [Ohm].
        mismatch
            Deviations of its cells.
        """
        loaded = self.with_capacitances()
        if not (loaded.c_row or loaded.c_col or loaded.c_arm):
            return 0.0
        # estimates are relative to the outputs, so that the size of the inputs doesn't matter
        factored = factor(crossbar(states, loaded, mismatch))
        return float(settling_estimate(factored, np.ones((1, len(states))))[0])

    def mismatch(self, shape: tuple[int, ...], number: int = 0) -> Mismatch | None:
        """Seeded deviations of the Hall cells of array `number`; None when the configuration asks for none."""
        cell = self.config.array.cell
        if cell.mismatch == 0.0 and cell.r_off_spread == 0.0:
            return None
        generator = np.random.default_rng([self.config.seed, number])
        return draw_mismatch((shape[0], shape[1]), generator, relative=cell.mismatch, r_off=cell.r_off_spread)


def load_setup(
    path: str | Path, seed: int | None = None, *, network: bool = True, supply: bool = True
) -> Setup:
    """Read a configuration and all that it names.

    Without `network` it is an array alone that is asked for: the network need not fit the data set or the tile.
    Without `supply` a full input may need more than the supply gives.

    Raises
    ------
    DocumentError
        With every mistake in the configuration and in the cards it names, each with its line.
    """
    return setup_of(read_document(path), Path(path).parent, seed, network=network, supply=supply)


def setup_of(
    document: Document,
    folder: Path,
    seed: int | None = None,
    *,
    network: bool = True,
    full_input: bool = True,
    supply: bool = True,
) -> Setup:
    """As `load_setup`, for a document that is read already; cards are looked for in `folder`.

    Without `full_input` the user brings the inputs: a full one need not suit the device, the supply or the tile.
    Without `supply` inputs are as large as the supply allows.
    """
    config, mistakes, wrong = validate_leniently(document, Config)
    if config is None:
        raise DocumentError(mistakes)
    if seed is not None:
        config = config.model_copy(update={"seed": seed})
    card = _load(
        load_card, config.device.card, SHIPPED_DEVICE, folder, document, ("device", "card"), mistakes
    )
    periphery = _load(
        load_periphery,
        config.array.periphery,
        SHIPPED_PERIPHERY,
        folder,
        document,
        ("array", "periphery"),
        mistakes,
    )
    if card is None or periphery is None:
        raise DocumentError(mistakes)
    r_arm = _first(config.array.cell.r_arm, periphery.cell.r_arm.value)
    hall = config.array.architecture is not Architecture.RESISTIVE
    least = synapse.offset_resistance(card) ** 2 / (2 * float(stack.channel_resistance(card)))
    if hall and r_arm <= least:
        own = config.array.cell.r_arm is not None
        key = ("array", "cell", "r_arm") if own else ("array", "periphery")
        what = f"{r_arm:g} ohm for a Hall arm would make a cell give power, allowed: above {least:.4g} ohm"
        raise DocumentError([*mistakes, document.mistake(key, what)])
    setup = _concrete(config, card, periphery)
    for paths, what in _contradictions(setup, network=network, full_input=full_input, supply=supply):
        if not any(key[: len(path)] == path or path[: len(key)] == key for key in wrong for path in paths):
            mistakes.append(document.mistake(paths[0], what))
    if mistakes:
        raise DocumentError(mistakes)
    return setup


def _load(
    loader: Callable[[Path | None], Card],
    name: str,
    shipped: str,
    folder: Path,
    document: Document,
    key: KeyPath,
    mistakes: list[Mistake],
) -> Card | None:
    try:
        path = None if name == shipped else folder / name
        if path is None or path.is_file():
            return cast("Card", _read_once(loader, path, path.stat().st_mtime_ns if path else 0))
        return loader(path)
    except DocumentError as error:
        if str(error).endswith("no such file"):
            what = f"{error}. Allowed: {shipped!r} (shipped), or the path of a card, relative to this file"
            mistakes.append(document.mistake(key, what))
        else:
            mistakes.extend(error.mistakes)
        return None


@lru_cache(maxsize=8)
def _read_once(loader: Callable[[Path | None], object], path: Path | None, _changed: int) -> object:
    """The card of a file, which is read again only when it has changed: a sweep has thousands of points."""
    return loader(path)


def _concrete(config: Config, card: DeviceCard, periphery: PeripheryCard) -> Setup:
    device, array = config.device, config.array
    choices = {name: getattr(device, name) for name in ("levels", "ladder", "reset")}
    card = card.with_choices(**{name: value for name, value in choices.items() if isinstance(value, str)})
    if isinstance(device.levels, list):
        levels = np.sort(np.array(device.levels))
        card = _with_levels(card, levels)
    else:
        levels = synapse.levels(card)
    r_channel = float(stack.channel_resistance(card))
    concrete = ArrayConfig(
        architecture=array.architecture,
        r_row=_first(array.wire.r_row, periphery.wire.r_row.value),
        r_col=_first(array.wire.r_column, periphery.wire.r_column.value),
        r_driver=_first(array.driver.r_output, periphery.driver.r_output.value),
        r_sense=_first(array.sense.r_input, periphery.sense.r_input.value),
        r_channel=r_channel,
        r_arm=_first(array.cell.r_arm, periphery.cell.r_arm.value),
        r_off=synapse.offset_resistance(card),
        gm=_first(array.amplifier.gm, periphery.amplifier.gm.value),
        cmrr_db=_first(array.amplifier.cmrr_db, periphery.amplifier.cmrr_db.value),
        r_load=array.sense.r_load,
        r_switch_on=_first(array.switch.r_on, periphery.switch.r_on.value),
        r_switch_off=_first(array.switch.r_off, periphery.switch.r_off.value),
        isolation=Isolation(array.series.isolation),
        returns=Returns(array.series.returns),
    )
    resistive = concrete.architecture is Architecture.RESISTIVE
    i_read = _first(array.read.i_read, periphery.read.i_read.value)
    return Setup(
        config=config,
        card=card,
        periphery=periphery,
        levels_ohm=levels,
        array=concrete,
        v_full=array.read.v_read
        if resistive
        else i_read * (r_channel if concrete.architecture.input_unit == "V" else 1.0),
        t_read=_first(array.read.t_read, periphery.read.t_read.value),
        warnings=tuple(_warnings(config, card, concrete)),
    )


def _with_levels(card: DeviceCard, levels: Floats) -> DeviceCard:
    """The card with other levels and the currents that reach them, where there are such levels."""
    if levels.size < 2 or np.any(np.diff(levels) <= 0) or next(_outside(card, levels), None):
        return card  # reported with the other contradictions
    source = "configuration: device.levels"
    currents = switching.programming_current(card, synapse.switched_share(card, levels[1:]))
    data = card.model_dump(mode="json")
    data["choices"].update(levels="paper", ladder="paper_currents")
    for name, values in (("levels", levels), ("ladder", currents)):
        data["synapse"][name].update(value=values.tolist(), provenance="assumed", source=source)
    return DeviceCard.model_validate(data)


def _first(configured: float | None, default: float) -> float:
    return default if configured is None else configured


Contradiction = tuple[tuple[KeyPath, ...], str]


def _contradictions(
    setup: Setup, *, network: bool, full_input: bool, supply: bool
) -> Iterator[Contradiction]:
    """Keys that don't fit each other or the device: the keys involved (the one to change first), and what."""
    yield from _levels_of_the_device(setup)
    if network:
        yield from _network_shape(setup.config.network, setup.config.array)
    array = setup.config.array
    if setup.array.architecture is Architecture.RESISTIVE:
        for name in ("mismatch", "r_off_spread"):
            if getattr(array.cell, name):
                yield (("array", "cell", name),), "resistive cells have no Hall arms to differ; leave it out"
        if array.cell.r_low >= array.cell.r_high:
            what = f"{array.cell.r_low:g} ohm is not below r_high = {array.cell.r_high:g} ohm"
            yield (("array", "cell", "r_low"), ("array", "cell", "r_high")), what
    elif (allowed := _largest_spread(setup)) < 0:
        what = f"{array.cell.mismatch:g} draws arms that would give power, allowed: less, or a larger r_arm"
        yield (("array", "cell", "mismatch"), ("array", "cell", "r_arm")), what
    elif (spread := array.cell.r_off_spread) > allowed:
        what = f"{spread:g} ohm draws cells that would give power, allowed: 0 <= value <= {allowed:.4g} ohm"
        yield (("array", "cell", "r_off_spread"),), what
    if full_input:
        yield from _full_input(setup, supply=supply)


def _largest_spread(setup: Setup) -> float:
    """Standard deviation of the misalignment of which six leave a cell passive, its arms six of theirs too short."""
    arms = setup.array.r_arm * (2 - 6 * np.sqrt(2) * setup.config.array.cell.mismatch)
    return float(np.sqrt(arms * setup.array.r_channel) - abs(setup.array.r_off)) / 6


def _full_input(setup: Setup, *, supply: bool) -> Iterator[Contradiction]:
    """A full input that switches the device, or that the supply doesn't carry."""
    if setup.array.architecture is not Architecture.RESISTIVE:
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
    if not 2 <= levels.size <= 16:
        yield key, f"{levels.size} levels given, allowed: 2 to 16"
        return
    if np.any(np.diff(levels) <= 0):
        yield key, f"levels repeat ({', '.join(f'{level:g}' for level in levels)} ohm); each must differ"
    yield from ((key, what) for what in _outside(setup.card, levels))


def _outside(card: DeviceCard, levels: Floats) -> Iterator[str]:
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


def _network_shape(network: Network, array: Array) -> Iterator[Contradiction]:
    key = (("network", "layers"), ("network", "dataset"))
    if network.layers[0] != IMAGE_PIXELS:
        yield key, f"the first layer has {network.layers[0]} inputs, but an image has {IMAGE_PIXELS} pixels"
    if network.layers[-1] != CLASSES:
        yield (
            key,
            f"the last layer has {network.layers[-1]} outputs, but {network.dataset} has {CLASSES} classes",
        )
    least = 2 if network.weights == "differential" else 3
    if array.columns < least:
        what = f"{array.columns} columns; weights by {network.weights} need at least {least} in a tile"
        yield (("array", "columns"), ("network", "weights")), what
    if network.r_reference != "middle" and network.weights != "reference":
        what = f"{network.r_reference:g} ohm has no meaning for weights by {network.weights}"
        yield (("network", "r_reference"), ("network", "weights")), what
    try:
        shapes(layers_of(network), IMAGE_SIDE, IMAGE_SIDE)
    except ValueError as error:
        if network.convolutions:
            yield (("network", "convolutions"),), str(error)
    if network.batch_size < 2:
        yield (("network", "batch_size"),), "batch normalisation needs at least 2 images in a batch"


def _warnings(config: Config, card: DeviceCard, array: ArrayConfig) -> Iterator[str]:
    """What is allowed, but weakens the result."""
    if array.architecture is Architecture.RESISTIVE:
        yield (
            "resistive cells: a Hall bar's channel does not change with its state; these cells are an assumed "
            f"two-terminal read-out of it ({config.array.cell.r_low:g} to {config.array.cell.r_high:g} ohm)."
        )
    if card.choices.reset == "field":
        yield "the reset before writing is a saturating field H_z; its energy is outside the device and not counted."
