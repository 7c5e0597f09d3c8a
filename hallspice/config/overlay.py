"""What a configuration puts in the place of entries of its cards, with the line where it says so."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ValidationError

from circuits.periphery import PeripheryCard
from compact_model import switching, synapse
from compact_model.cards.device import DeviceCard
from compact_model.cards.document import Document, KeyPath, Mistake
from compact_model.cards.entry import Entry, EntryList, Provenance
from compact_model.cards.quantity import SMALLEST
from compact_model.numeric import Floats
from hallspice.config.contradictions import outside
from hallspice.config.schema import Config

CONDUCTANCES: KeyPath = ("array", "cell", "conductances")


def overlaid_periphery(
    card: PeripheryCard, config: Config, document: Document, mistakes: list[Mistake]
) -> PeripheryCard:
    """The card with the numbers of ``array.*`` and ``write.*``: ``wire.r_row`` is that of ``array.wire.r_row``.

    Numbers that don't fit the entries that they share a section with are added to `mistakes`; that section stays.
    """
    sections = {}
    for name in PeripheryCard.model_fields:
        section = getattr(card, name)
        if not isinstance(section, BaseModel):
            continue
        path: KeyPath = ("write",) if name == "write" else ("array", name)
        given = config.write if name == "write" else getattr(config.array, name)
        values = {key: getattr(given, key) for key in type(section).model_fields}
        replaced = {
            key: _set(getattr(section, key), value, document.source((*path, key)))
            for key, value in values.items()
            if value is not None
        }
        if not replaced:
            continue
        try:
            sections[name] = type(section).model_validate({**dict(section), **replaced})
        except ValidationError as error:
            for details in error.errors():
                what = details["msg"].removeprefix("Value error, ")
                mistakes.append(document.mistake((*path, next(iter(replaced))), what))
    return card.model_copy(update=sections) if sections else card


def _set(entry: Entry | EntryList, value: float | list[float], source: str) -> Entry | EntryList:
    """The entry with a number of the configuration, which is in its unit."""
    changes = {"provenance": Provenance.SET, "source": source}
    if isinstance(value, list):
        return entry.model_copy(update={**changes, "value": tuple(value)})
    return entry.model_copy(update={**changes, "value": value, "interval": None})


def overlaid_device(card: DeviceCard, config: Config, document: Document) -> DeviceCard:
    """The card with the choices and levels of ``device``, and the arms of ``array.cell.r_arm``.

    Conductances of two-terminal cells are linear in the Hall resistance, so that they say where between the lowest and
    the highest level of the card a level is.
    """
    chosen = {name: getattr(config.device, name) for name in ("levels", "ladder", "reset")}
    card = card.with_choices(**{name: value for name, value in chosen.items() if isinstance(value, str)})
    if isinstance(config.device.levels, list):
        card = _with_levels(
            card, np.sort(np.array(config.device.levels)), document.source(("device", "levels"))
        )
    if _resistive(config) and (siemens := np.sort(config.array.cell.conductances)).size:
        low, high = synapse.levels(card)[[0, -1]]
        share = (siemens - siemens[0]) / max(float(np.ptp(siemens)), SMALLEST)
        card = _with_levels(card, low + share * (high - low), document.source(CONDUCTANCES))
    if (ohm := config.array.cell.r_arm) is not None:
        source = document.source(("array", "cell", "r_arm"))
        arm = Entry(value=ohm, unit="ohm", provenance=Provenance.SET, source=source)
        card = card.model_copy(update={"hall": card.hall.model_copy(update={"r_arm": arm})})
    return card


def overlaid_cell(config: Config, document: Document, mistakes: list[Mistake]) -> Config:
    """The configuration with the resistances that the conductances of two-terminal cells say."""
    cell = config.array.cell
    if not (_resistive(config) and cell.conductances):
        return config
    fields = type(cell).model_fields
    given: list[KeyPath] = [
        ("array", "cell", name) for name in ("r_low", "r_high") if getattr(cell, name) != fields[name].default
    ]
    given += [("device", "levels")] if config.device.levels is not None else []
    mistakes += [
        document.mistake(
            key, "the conductances of array.cell.conductances say it already; leave one of them out"
        )
        for key in given
    ]
    if len(set(cell.conductances)) < max(2, len(cell.conductances)):
        what = f"{len(cell.conductances)} conductances, expected at least two, all different"
        mistakes.append(document.mistake(CONDUCTANCES, what))
        return config
    ends = {"r_low": 1 / max(cell.conductances), "r_high": 1 / min(cell.conductances)}
    array = config.array.model_copy(update={"cell": cell.model_copy(update=ends)})
    return config.model_copy(update={"array": array})


def _resistive(config: Config) -> bool:
    return config.array.architecture.crossed


def _with_levels(card: DeviceCard, levels: Floats, source: str) -> DeviceCard:
    """The card with other levels and the currents that reach them, where there are such levels."""
    if levels.size < 2 or np.any(np.diff(levels) <= 0) or next(outside(card, levels), None):
        return card  # reported with the other contradictions
    currents = switching.programming_current(card, synapse.switched_share(card, levels[1:]))
    data = card.model_dump(mode="json")
    data["choices"].update(levels="paper", ladder="paper_currents")
    synaptic = data["synapse"]
    synaptic["levels"].update(value=levels.tolist(), provenance=Provenance.SET.value, source=source)
    synaptic["ladder"].update(
        value=currents.tolist(), provenance=Provenance.DERIVED.value, source=f"reaches the levels of {source}"
    )
    return DeviceCard.model_validate(data)
