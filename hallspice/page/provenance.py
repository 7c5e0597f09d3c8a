"""Where the numbers of a card come from, as rows of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields

from pydantic import BaseModel

from compact_model.cards.entry import Anchor, Entry, EntryList
from hallspice.page.page import Column, Detail, Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A number of a card and where it comes from, as text."""

    name: str
    value: str
    unit: str
    """Empty for a plain number."""
    provenance: str
    source: str


def origins(part: object, name: str = "") -> Iterator[Origin]:
    """Every number of a card."""
    if isinstance(part, (Entry, EntryList, Anchor)):
        values = part.value if isinstance(part, EntryList) else (part.value,)
        text = ", ".join(f"{value:.6g}" for value in values)
        if not isinstance(part, EntryList) and part.interval is not None:
            text += f" ({part.interval[0]:.5g} .. {part.interval[1]:.5g})"
        unit = "" if isinstance(part, Anchor) or part.unit == "1" else part.unit
        yield Origin(
            name=f"{name} at {1e9 * part.t_oxide:g} nm" if isinstance(part, Anchor) else name,
            value=text,
            unit=unit,
            provenance=part.provenance.value,
            source=part.source,
        )
    elif isinstance(part, tuple):
        for item in part:
            yield from origins(item, name)
    elif isinstance(part, BaseModel):
        for field in type(part).model_fields:
            yield from origins(getattr(part, field), f"{name}.{field}".lstrip("."))


def common_origins(cards: Sequence[object]) -> list[Origin]:
    """Every number of cards that differ in what a sweep sets: one for each name, with all its values and sources.

    Of more than three different texts the first and the last are given.
    """
    found: dict[str, list[Origin]] = {}
    for card in cards:
        for entry in origins(card):
            found.setdefault(entry.name, []).append(entry)
    return [Origin(**{key: _together(each, key) for key in _KEYS}) for each in found.values()]


_KEYS = tuple(field.name for field in fields(Origin))


def _together(entries: Sequence[Origin], key: str) -> str:
    texts = list(dict.fromkeys(getattr(entry, key) for entry in entries))
    return "; ".join(texts) if len(texts) <= 3 else f"{texts[0]}; ...; {texts[-1]}"


def origins_table(entries: Sequence[Origin]) -> Table:
    """The numbers as a table."""
    head = [Column("number"), Column("value", True), Column("unit"), Column("provenance"), Column("source")]
    return Table(head, [list(astuple(entry)) for entry in entries])


def folded_origins(cards: Mapping[str, Sequence[Origin]]) -> list[Detail]:
    """A folded table for each card, by its title."""
    return [
        Detail(f"{title} ({len(entries)} numbers)", table=origins_table(entries))
        for title, entries in cards.items()
    ]
