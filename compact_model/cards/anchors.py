"""Anchors of a card from a table of its own."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

from compact_model.cards.device import DeviceCard
from compact_model.cards.document import DocumentError, Mistake, Place
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
        CSV with the columns `law, t_oxide_nm, value, unit, provenance, source`; a law given there replaces the
        card's law as a whole.

    Raises
    ------
    DocumentError
        With every wrong line of the file.
    """
    name = str(path)
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DocumentError([Mistake(name, None, "", f"cannot be read: {error}")]) from None
    reader = csv.DictReader(text.splitlines(), skipinitialspace=True)
    if tuple(reader.fieldnames or ()) != COLUMNS:
        what = f"has the columns {', '.join(reader.fieldnames or ())}, allowed: {', '.join(COLUMNS)}"
        raise DocumentError([Mistake(name, Place(1, 1), "", what)])
    laws: dict[str, list[dict[str, object]]] = defaultdict(list)
    mistakes: list[Mistake] = []
    for row in reader:
        try:
            law = row["law"]
            if law not in LAW_UNITS:
                raise ValueError(f"unknown law {law!r}, allowed: {', '.join(LAW_UNITS)}")
            unit = LAW_UNITS[law]
            value = parse_quantity(f"{row['value']} {row['unit'] if row['unit'] != '1' else ''}", unit)
            anchor = {
                "t_oxide": f"{row['t_oxide_nm']} nm",
                "value": value,
                "provenance": row["provenance"],
                "source": row["source"],
            }
            Anchor.model_validate(anchor)
            laws[law].append(anchor)
        except ValueError as error:
            what = "; ".join(line.strip() for line in str(error).splitlines()[:3])
            mistakes.append(Mistake(name, Place(reader.line_num, 1), str(row["law"]), what))
    data = card.model_dump(mode="json")
    data["thickness"].update(laws)
    if not mistakes:
        try:
            return DeviceCard.model_validate(data)
        except ValueError as error:
            mistakes.append(Mistake(name, None, "", " ".join(str(error).split())))
    raise DocumentError(mistakes)
