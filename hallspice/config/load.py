"""Configuration files and objects made concrete."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar, cast

import numpy as np

from circuits.arrays.architecture import Isolation, Returns
from circuits.arrays.config import ArrayConfig
from circuits.periphery import SHIPPED as SHIPPED_PERIPHERY
from circuits.periphery import PeripheryCard, load_periphery
from compact_model import stack, switching, synapse
from compact_model.cards.device import SHIPPED as SHIPPED_DEVICE
from compact_model.cards.device import DeviceCard, load_card
from compact_model.cards.document import (
    Document,
    DocumentError,
    KeyPath,
    Mistake,
    read_document,
    validate_leniently,
)
from compact_model.cards.entry import Entry, Provenance
from compact_model.numeric import Floats
from hallspice.config.contradictions import contradictions, outside, warnings_of
from hallspice.config.schema import Config
from hallspice.config.setup import Setup, first_given

Card = TypeVar("Card")


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
    if config.array.cell.r_arm is not None:
        card = _with_arm(card, config.array.cell.r_arm, document.source(("array", "cell", "r_arm")))
    r_arm = float(stack.arm_resistance(card))
    hall = config.array.architecture.hall
    least = synapse.offset_resistance(card) ** 2 / (2 * float(stack.channel_resistance(card)))
    if hall and r_arm <= least:
        own = config.array.cell.r_arm is not None
        key = ("array", "cell", "r_arm") if own else ("device", "card")
        what = f"{r_arm:g} ohm for a Hall arm would make a cell give power, allowed: above {least:.4g} ohm"
        raise DocumentError([*mistakes, document.mistake(key, what)])
    setup = _concrete(config, card, periphery)
    for paths, what in contradictions(setup, network=network, full_input=full_input, supply=supply):
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
        r_row=first_given(array.wire.r_row, periphery.wire.r_row.value),
        r_column=first_given(array.wire.r_column, periphery.wire.r_column.value),
        r_output=first_given(array.driver.r_output, periphery.driver.r_output.value),
        r_input=first_given(array.sense.r_input, periphery.sense.r_input.value),
        r_channel=r_channel,
        r_arm=float(stack.arm_resistance(card)),
        r_off=synapse.offset_resistance(card),
        gm=first_given(array.amplifier.gm, periphery.amplifier.gm.value),
        cmrr_db=first_given(array.amplifier.cmrr_db, periphery.amplifier.cmrr_db.value),
        r_load=array.sense.r_load,
        r_switch_on=first_given(array.switch.r_on, periphery.switch.r_on.value),
        r_switch_off=first_given(array.switch.r_off, periphery.switch.r_off.value),
        isolation=Isolation(array.series.isolation),
        returns=Returns(array.series.returns),
    )
    per_ampere = r_channel if concrete.architecture.input_unit == "V" else 1.0
    i_read = first_given(array.read.i_read, periphery.read.i_read.value)
    return Setup(
        config=config,
        card=card,
        periphery=periphery,
        levels_ohm=levels,
        array=concrete,
        v_full=i_read * per_ampere if concrete.architecture.hall else array.read.v_read,
        t_read=first_given(array.read.t_read, periphery.read.t_read.value),
        warnings=tuple(warnings_of(config, card, concrete)),
    )


def _with_arm(card: DeviceCard, ohm: float, source: str) -> DeviceCard:
    """The card with other arms."""
    arm = Entry(value=ohm, unit="ohm", provenance=Provenance.SET, source=source)
    return card.model_copy(update={"hall": card.hall.model_copy(update={"r_arm": arm})})


def _with_levels(card: DeviceCard, levels: Floats) -> DeviceCard:
    """The card with other levels and the currents that reach them, where there are such levels."""
    if levels.size < 2 or np.any(np.diff(levels) <= 0) or next(outside(card, levels), None):
        return card  # reported with the other contradictions
    source = "configuration: device.levels"
    currents = switching.programming_current(card, synapse.switched_share(card, levels[1:]))
    data = card.model_dump(mode="json")
    data["choices"].update(levels="paper", ladder="paper_currents")
    for name, values in (("levels", levels), ("ladder", currents)):
        data["synapse"][name].update(value=values.tolist(), provenance="assumed", source=source)
    return DeviceCard.model_validate(data)
