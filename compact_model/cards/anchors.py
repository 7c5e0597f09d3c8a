"""Anchors of a card from a table of its own."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from pydantic import ValidationError

from compact_model.cards.csv_table import CellError, read_csv
from compact_model.cards.device import DeviceCard
from compact_model.cards.document import DocumentError, Mistake
from compact_model.cards.entry import Anchor
from compact_model.cards.quantity import parse_quantity

LAW_UNITS = {
    "xi_gain": "1",
    "rho": "ohm*m",
    "loop_shift": "1",
    "field_free_drive_a": "1",
    "field_free_drive_b": "1",
    "k_s": "J/m^2",
    "wall_ratio": "1",
}
COLUMNS = ("law", "t_oxide_nm", "value", "unit", "provenance", "source")


def with_anchor_file(card: DeviceCard, path: str | Path) -> DeviceCard:
    """A card with the laws of a CSV file in place of its own.

    Parameters
    ----------
    card
        Card whose other laws stay.
    path
        CSV with the columns `law, t_oxide_nm, value, unit, provenance, source` in any order; a law given there
        replaces the card's law as a whole.

    Raises
    ------
    DocumentError
        With every wrong line of the file (up to 20).
    """
    laws: dict[str, list[dict[str, object]]] = defaultdict(list)
    for law, anchor in read_csv(path).records(_anchor, needed=COLUMNS, allowed=COLUMNS):
        laws[law].append(anchor)
    data = card.model_dump(mode="json")
    data["thickness"].update(laws)
    try:
        return DeviceCard.model_validate(data)
    except ValueError as error:
        raise DocumentError([Mistake(str(path), None, "", " ".join(str(error).split()))]) from None


def _anchor(cells: dict[str, str]) -> tuple[str, dict[str, object]]:
    """Law of a line, and its anchor as a card holds it."""
    law, unit = cells["law"], cells["unit"]
    if law not in LAW_UNITS:
        raise CellError("law", f"unknown law {law!r}, allowed: {', '.join(LAW_UNITS)}")
    try:
        value = parse_quantity(f"{cells['value']} {unit if unit != '1' else ''}", LAW_UNITS[law])
    except ValueError as error:
        raise CellError("value", f"{law}: {error}") from None
    anchor: dict[str, object] = {
        "t_oxide": f"{cells['t_oxide_nm']} nm",
        "value": value,
        "provenance": cells["provenance"],
        "source": cells["source"],
    }
    try:
        Anchor.model_validate(anchor)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0])
        raise CellError("t_oxide_nm" if key == "t_oxide" else key, f"{law}: {first['msg']}") from None
    return law, anchor
