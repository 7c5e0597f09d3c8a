"""What the name of a column says: its unit, and the quantity that it may mean."""

from __future__ import annotations

import re

_FORMS = {
    "current": ("A", "mA", "uA", "nA"),
    "density": ("A/m2", "A/cm2", "MA/cm2"),
    "voltage": ("V", "mV", "uV", "nV"),
    "hall": ("ohm", "mohm", "kohm"),
    "field": ("Oe", "kOe", "T", "mT", "A/m", "kA/m"),
    "temperature": ("K",),
    "time": ("s", "ms", "us", "ns"),
    "energy": ("J", "uJ", "nJ", "pJ"),
    "t_oxide": ("nm",),
    "fraction": ("%",),
}
_SPELLINGS = {"ohms": "ohm", "sec": "s", "G": "Oe"}
_UNITS = {unit: quantity for quantity, units in _FORMS.items() for unit in units}
_BRACKETS = re.compile(r"[(\[]([^()\[\]]+)[)\]]\s*$")
_LAST = re.compile(r"(?:^|[\s_,/])([^\s_,]+?)\s*$")
_WORDS = (
    ("i_read", "current", r"read|sense|meas|excitation"),
    ("t_pulse", "time", r"pulse|width|length|duration"),
    ("h_x", "field", r"(?:^|[^a-z])[hb]_?(?:x|in)(?![a-z])|in.?plane"),
    ("h_z", "field", ""),
    ("", "hall", r"xx|channel|longitudinal"),
    ("", "voltage", r"write|xx|channel"),
    ("device", "", r"^(?:device|sample|chip)(?: ?(?:id|name|no|number))?$"),
    ("cycle", "", r"^(?:cycle|sweep|loop|run)(?: ?(?:no|number))?$"),
)


def unit_of(text: str) -> str | None:
    """A unit as the program writes it; None for other words.

    Examples
    --------
    >>> unit_of("(Ohm)"), unit_of("µA"), unit_of("A/m²"), unit_of("R_xy")
    ('ohm', 'uA', 'A/m^2', None)
    """
    bare = text.strip(" ()[]").replace("µ", "u").replace("μ", "u").replace("²", "2").replace("^", "")
    bare = re.sub("ohm|Ω|Ω", "ohm", bare, flags=re.IGNORECASE)
    bare = _SPELLINGS.get(bare, bare)
    return bare.replace("m2", "m^2") if bare in _UNITS else None


def unit_in(name: str) -> str | None:
    """The unit at the end of a name: in brackets, or behind a blank, a stroke or an underscore.

    Examples
    --------
    >>> unit_in("I (mA)"), unit_in("Rxy_ohm"), unit_in("H / Oe"), unit_in("Rxy")
    ('mA', 'ohm', 'Oe', None)
    """
    found = _BRACKETS.search(name) or _LAST.search(name)
    return unit_of(found[1]) if found else None


def quantity_in(name: str, unit: str | None) -> str | None:
    """The quantity of `compact_model.measured.tables.UNITS` that a column may mean; None when its name doesn't tell.

    Examples
    --------
    >>> quantity_in("write (mA)", "mA"), quantity_in("Hx_meter", "Oe"), quantity_in("R_xx", "ohm")
    ('current', 'h_x', None)
    """
    base = _UNITS[unit.replace("^", "")] if unit else ""
    for quantity, of, words in _WORDS:
        if base == of and re.search(words, name.lower()):
            return quantity or None
    return base or None
