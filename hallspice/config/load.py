"""Configuration files and objects made concrete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TypeVar, cast

import numpy as np

from circuits.arrays.architecture import Isolation, Returns
from circuits.periphery import SHIPPED as SHIPPED_PERIPHERY
from circuits.periphery import PeripheryCard, load_periphery
from compact_model import stack, synapse
from compact_model.cards.device import SHIPPED as SHIPPED_DEVICE
from compact_model.cards.device import DeviceCard, load_card
from compact_model.cards.document import (
    Document,
    DocumentError,
    KeyPath,
    Mistake,
    validate_leniently,
)
from hallspice.config.contradictions import contradictions, warnings_of
from hallspice.config.demand import Demand
from hallspice.config.overlay import overlaid_cell, overlaid_device, overlaid_periphery
from hallspice.config.schema import Config
from hallspice.config.setup import Setup, array_of
from hallspice.config.source import AnyConfig, document_of

Card = TypeVar("Card")


def load_setup(config: AnyConfig, seed: int | None = None, demands: Demand = Demand.RUN) -> Setup:
    """Read a configuration and all that it names.

    Parameters
    ----------
    config
        File, dict or object.
    seed
        Replaces that of the configuration.
    demands
        What the command demands of it.

    Raises
    ------
    DocumentError
        With every mistake in the configuration and in the cards it names, each with its line or its key.
    """
    return setup_of(document_of(config), seed, demands)


def setup_of(document: Document, seed: int | None = None, demands: Demand = Demand.RUN) -> Setup:
    """As `load_setup`, for a document that is read already; cards are looked for in its folder."""
    config, mistakes, wrong = validate_leniently(document, Config)
    if config is None:
        raise DocumentError(mistakes)
    if seed is not None:
        config = config.model_copy(update={"seed": seed})
    folder = Path(document.name).parent
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
    card = overlaid_device(card, config, document)
    config = overlaid_cell(config, document, mistakes)
    periphery = overlaid_periphery(periphery, config, document, mistakes)
    r_arm = float(stack.arm_resistance(card))
    hall = config.array.architecture.hall
    least = synapse.offset_resistance(card) ** 2 / (2 * float(stack.channel_resistance(card)))
    if hall and r_arm <= least:
        own = config.array.cell.r_arm is not None
        key = ("array", "cell", "r_arm") if own else ("device", "card")
        what = f"{r_arm:g} ohm for a Hall arm would make a cell give power, allowed: above {least:.4g} ohm"
        raise DocumentError([*mistakes, document.mistake(key, what)])
    setup = _concrete(Path(document.name), config, card, periphery)
    for paths, what in contradictions(setup, demands):
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
            beside = "this file" if document.value_places else "the working folder"
            what = f"{error}. Allowed: {shipped!r} (shipped), or the path of a card, relative to {beside}"
            mistakes.append(document.mistake(key, what))
        else:
            mistakes.extend(error.mistakes)
        return None


@lru_cache(maxsize=8)
def _read_once(loader: Callable[[Path | None], object], path: Path | None, _changed: int) -> object:
    """The card of a file, which is read again only when it has changed: a sweep has thousands of points."""
    return loader(path)


def _concrete(source: Path, config: Config, card: DeviceCard, periphery: PeripheryCard) -> Setup:
    device, array = config.device, config.array
    concrete = replace(
        array_of(array.architecture, card, periphery),
        r_load=array.sense.r_load,
        isolation=Isolation(array.series.isolation),
        returns=Returns(array.series.returns),
    )
    per_ampere = concrete.r_channel if concrete.architecture.input_unit == "V" else 1.0
    return Setup(
        source=source,
        config=config,
        card=card,
        periphery=periphery,
        levels_ohm=np.sort(device.levels) if isinstance(device.levels, list) else synapse.levels(card),
        array=concrete,
        v_full=periphery.read.i_read.value * per_ampere if concrete.architecture.hall else array.read.v_read,
        t_read=periphery.read.t_read.value,
        warnings=tuple(warnings_of(config, card, concrete)),
    )
