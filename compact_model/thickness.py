"""Laws against the oxide thickness: monotone interpolation between anchors of known provenance."""

from __future__ import annotations

import csv
from collections import defaultdict
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.interpolate import PchipInterpolator

from compact_model.card import Anchor, DeviceCard
from compact_model.document import DocumentError, Mistake, Place
from compact_model.numeric import Floats, FloatsLike
from compact_model.quantity import parse_quantity

REFERENCE_OXIDE = 0.5e-9
"""Oxide thickness at which the torque gain and the field-free drive are normalised [m]."""

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


def evaluate(anchors: tuple[Anchor, ...], t_oxide: FloatsLike) -> Floats:
    """A law at given oxide thicknesses.

    PCHIP (Fritsch and Carlson, doi:10.1137/0717021): passes through the anchors and does not overshoot between
    them, so that a maximum of the law is a maximum of the anchors.

    Parameters
    ----------
    anchors
        Points of the law.
    t_oxide
        Oxide thickness [m]; ValueError outside the anchors.

    Examples
    --------
    >>> from compact_model.card import load_card
    >>> float(evaluate(load_card().thickness.xi_gain, 0.5e-9))
    5.2
    """
    t = np.array([anchor.t_oxide for anchor in anchors])
    asked = np.asarray(t_oxide, dtype=float)
    if np.any(asked < t[0] * (1 - 1e-12)) or np.any(asked > t[-1] * (1 + 1e-12)) or np.any(np.isnan(asked)):
        worst = float(asked.ravel()[np.argmax(np.abs(asked.ravel() - t.mean()))])
        raise ValueError(f"t_oxide = {worst:g} m is outside the anchors, allowed: {t[0]:g}..{t[-1]:g} m")
    result: Floats = np.asarray(_interpolator(anchors)(np.clip(asked, t[0], t[-1])), dtype=float)
    return result


@lru_cache(maxsize=256)
def _interpolator(anchors: tuple[Anchor, ...]) -> PchipInterpolator:
    return PchipInterpolator([anchor.t_oxide for anchor in anchors], [anchor.value for anchor in anchors])


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
