"""The parameters of a card as a table, made from the fields that check them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from compact_model.cards.device import DeviceCard, load_card
from compact_model.cards.entry import Anchor, Entry, EntryList, spec_of


@dataclass(frozen=True, slots=True, kw_only=True)
class CardParameter:
    """One number of a card, with everything known about it."""

    name: str
    meaning: str
    value: str  # in `unit`
    unit: str
    allowed: str
    provenance: str
    source: str


def parameters(card: DeviceCard) -> list[CardParameter]:
    """All parameters of a card in its order; anchors of laws one by one.

    Examples
    --------
    >>> parameters(load_card())[0].name
    'geometry.w_channel'
    """
    return list(_walk(card, ""))


def _walk(node: BaseModel, prefix: str) -> list[CardParameter]:
    found: list[CardParameter] = []
    for name, info in type(node).model_fields.items():
        value: Any = getattr(node, name)
        if isinstance(value, (Entry, EntryList)):
            spec = spec_of(type(node), name)
            numbers = value.value if isinstance(value, EntryList) else (value.value,)
            found.append(
                CardParameter(
                    name=prefix + name,
                    meaning=spec.meaning,
                    value=", ".join(f"{number:.6g}" for number in numbers),
                    unit=spec.unit,
                    allowed=spec.allowed,
                    provenance=value.provenance.value,
                    source=value.source,
                )
            )
        elif isinstance(value, tuple) and value and isinstance(value[0], Anchor):
            meaning, _, unit = (info.description or "").removesuffix("]").partition(" [")
            found += [
                CardParameter(
                    name=f"{prefix}{name}({anchor.t_oxide * 1e9:g} nm)",
                    meaning=meaning,
                    value=f"{anchor.value:.6g}",
                    unit=unit,
                    allowed="0 <= value",
                    provenance=anchor.provenance.value,
                    source=anchor.source,
                )
                for anchor in value
            ]
        elif isinstance(value, BaseModel):
            found += _walk(value, f"{prefix}{name}.")
    return found


def markdown(card: DeviceCard | None = None) -> str:
    """The parameters as a page for the documentation."""
    lines = [
        "# Parameters of the shipped card",
        "",
        "Made from the card and the fields that check it by "
        "`python -c \"from compact_model.cards.listing import markdown; print(markdown(), end='')\"`.",
        'Values are in SI. "Paper" is arXiv:2601.16222.',
        "",
        "| name | meaning | value | unit | provenance | source |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{p.name}` | {p.meaning} | {p.value} | {p.unit} | {p.provenance} | {p.source} |"
        for p in parameters(card or load_card())
    ]
    return "\n".join(lines) + "\n"
