"""Where the numbers of a card come from, as rows of a table."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from compact_model.cards.entry import Anchor, Entry, EntryList


def provenance_entries(part: object, name: str = "") -> Iterator[dict[str, str]]:
    """Every number of a card: name, value, unit, provenance, source, all as text."""
    if isinstance(part, (Entry, EntryList, Anchor)):
        values = part.value if isinstance(part, EntryList) else (part.value,)
        text = ", ".join(f"{value:.6g}" for value in values)
        if not isinstance(part, EntryList) and part.interval is not None:
            text += f" ({part.interval[0]:.5g} .. {part.interval[1]:.5g})"
        unit = "" if isinstance(part, Anchor) or part.unit == "1" else part.unit
        yield {
            "name": f"{name} at {1e9 * part.t_oxide:g} nm" if isinstance(part, Anchor) else name,
            "value": text,
            "unit": unit,
            "provenance": part.provenance.value,
            "source": part.source,
        }
    elif isinstance(part, tuple):
        for item in part:
            yield from provenance_entries(item, name)
    elif isinstance(part, BaseModel):
        for field in type(part).model_fields:
            yield from provenance_entries(getattr(part, field), f"{name}.{field}".lstrip("."))
