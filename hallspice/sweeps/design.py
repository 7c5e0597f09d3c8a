"""Designs of sweeps: which values the keys of a configuration take, point by point.

A design is written as ``key: values``, in the section ``sweep`` or as ``--set key=values``. Values are a list, or a
range ``A..B:lin:N`` or ``A..B:log:N`` (both ends are in it); units are allowed as everywhere. Several keys joined by
commas change together: each takes the value, or its part of a list with a part for each key.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from pydantic.fields import FieldInfo
from scipy.stats import qmc

from compact_model.cards.document import (
    Document,
    DocumentError,
    KeyPath,
    Mistake,
    Place,
    dotted,
    parse_document,
)
from compact_model.cards.quantity import Quantity, parse_quantity
from hallspice.config.schema import Config
from hallspice.config.section import Section

MAX_POINTS = 100_000
"""Points of a sweep, repeats with other seeds included."""

UNSWEPT: Mapping[KeyPath, str] = {
    ("sweep",): "",
    ("variation",): ": `hallspice evaluate` draws chips, a point is one chip as it is meant",
    ("compare",): ": `hallspice compare` alone reads it",
    ("network", "in_situ"): ": `hallspice train` alone reads it",
}
"""Sections that say nothing about a point."""

_RANGE = re.compile(
    r"\s*(?P<low>\S.*?)\s*\.\.\s*(?P<high>\S.*?)\s*(?::(?P<law>lin|log)(?::(?P<count>\d+))?)?\s*"
)
_FLAG = "--set"

Assignment = Mapping[KeyPath, Any]


@dataclass(frozen=True, slots=True)
class Range:
    """All values between two ends; of an integer key all whole numbers."""

    low: float
    high: float
    logarithmic: bool
    whole: bool

    def at(self, share: float) -> float | int:
        """The value at a share of the way from `low` (0) to `high` (1).

        >>> Range(0.01, 1.0, logarithmic=True, whole=False).at(0.5)
        0.1
        >>> [Range(1, 3, logarithmic=False, whole=True).at(share) for share in (0.0, 0.3, 0.5, 0.7, 1.0)]
        [1, 2, 2, 2, 3]
        """
        if self.logarithmic:
            value = math.exp((1 - share) * math.log(self.low) + share * math.log(self.high))
        else:
            value = (1 - share) * self.low + share * self.high
        value = min(max(value, min(self.low, self.high)), max(self.low, self.high))
        # Twelve digits: a table with 0.1 instead of 0.10000000000000002, the same on every machine.
        return round(value) if self.whole else float(f"{value:.12g}")


@dataclass(frozen=True, slots=True)
class Axis:
    """Keys that change together, and their values."""

    keys: tuple[KeyPath, ...]
    values: tuple[Any, ...] | Range
    source: str
    """The file, or the option as it was typed."""
    places: tuple[Place | None, ...] = ()
    """Where each value stands in the file; nothing for an option."""

    @property
    def name(self) -> str:
        """The keys as people write them."""
        return ",".join(map(dotted, self.keys))

    def assignment(self, value: Any) -> dict[KeyPath, Any]:
        """What each key becomes when the axis takes a value."""
        if len(self.keys) > 1 and isinstance(value, list):
            return dict(zip(self.keys, value, strict=True))
        return dict.fromkeys(self.keys, value)


def option_axis(text: str) -> Axis:
    """An axis from the option ``--set KEY[,KEY...]=VALUES``.

    >>> option_axis("array.rows,array.columns=32,64").values
    (32, 64)
    >>> option_axis("array.wire.r_row = 10 mohm..1 ohm:log:3").values
    (0.01, 0.1, 1.0)
    """
    source = f"{_FLAG} {text}"
    names, equals, values = text.partition("=")
    if not equals or not values.strip():
        raise DocumentError(
            [Mistake(source, None, "", f"expected KEY=VALUES, as in {_FLAG} array.rows=32,64")]
        )
    try:
        parsed = parse_document(f"[{values}]", source)
    except DocumentError as error:
        found = [Mistake(source, None, mistake.key, mistake.what) for mistake in error.mistakes]
        raise DocumentError(found) from None
    if parsed.mistakes or not isinstance(parsed.data, list):
        raise DocumentError([Mistake(source, None, "", mistake.what) for mistake in parsed.mistakes])
    return _axis(names, parsed.data, source)


def section_axes(document: Document) -> list[Axis]:
    """The axes of the section ``sweep`` of a configuration."""
    section = document.data.get("sweep") if isinstance(document.data, dict) else None
    chosen = section.get("set") if isinstance(section, dict) else None
    if not isinstance(chosen, dict):
        return []  # nothing to change, or a mistake that the schema reports
    axes: list[Axis] = []
    mistakes: list[Mistake] = []
    for names, values in chosen.items():
        path: KeyPath = ("sweep", "set", names)
        listed = values if isinstance(values, list) else [values]
        paths = [(*path, number) for number in range(len(listed))] if isinstance(values, list) else [path]
        try:
            places = [place for item in paths if (place := document.value_places.get(item))]
            axes.append(_axis(names, listed, document.name, places))
        except DocumentError as error:
            mistakes += [document.mistake(path, mistake.what) for mistake in error.mistakes]
    if mistakes:
        raise DocumentError(mistakes)
    return axes


def combined(section: Sequence[Axis], options: Sequence[Axis]) -> list[Axis]:
    """The axes of the file, those with the same keys replaced by options; further options follow."""
    axes = {axis.keys: axis for axis in section} | {axis.keys: axis for axis in options}
    pairs = (*itertools.combinations(options, 2), *itertools.combinations(axes.values(), 2))
    mistakes = {
        Mistake(
            second.source, None, second.name, f"is set twice, also by {first.name} in {first.source}"
        ): None
        for first, second in pairs
        if set(first.keys) & set(second.keys)
    }
    if mistakes:
        raise DocumentError(list(mistakes))
    return list(axes.values())


def points(axes: Sequence[Axis], design: str, count: int, seed: int) -> Iterator[Assignment]:
    """The assignments of a design, in order, none twice.

    Parameters
    ----------
    axes
        What changes.
    design
        ``grid``: every combination, the last axis fastest. ``random``: `count` points of a scrambled Sobol sequence; a
        longer one begins with the same points.
    count
        Points of a random design.
    seed
        Of the scrambling.
    """
    size = (
        count
        if design == "random"
        else math.prod(len(a.values) for a in axes if not isinstance(a.values, Range))
    )
    if size > MAX_POINTS:
        raise ValueError(f"the sweep has {size} points, allowed: at most {MAX_POINTS}")
    seen = set()
    for choice in _random(axes, count, seed) if design == "random" else _grid(axes):
        assigned: dict[KeyPath, Any] = {}
        for axis, value in zip(axes, choice, strict=True):
            assigned |= axis.assignment(value)
        if (known := repr(assigned)) not in seen:
            seen.add(known)
            yield assigned


def _grid(axes: Sequence[Axis]) -> Iterator[tuple[Any, ...]]:
    for axis in axes:
        if isinstance(axis.values, Range):
            what = "a grid needs a number of values, as in 0.01..1:log:5 (or take --design random)"
            raise DocumentError(
                [Mistake(axis.source, axis.places[0] if axis.places else None, axis.name, what)]
            )
    yield from itertools.product(*(axis.values for axis in axes if not isinstance(axis.values, Range)))


def _random(axes: Sequence[Axis], count: int, seed: int) -> Iterator[tuple[Any, ...]]:
    if not axes:
        yield ()
        return
    sequence = qmc.Sobol(len(axes), scramble=True, seed=seed).random_base2(math.ceil(math.log2(count)))
    for row in sequence[:count]:
        yield tuple(_drawn(axis.values, float(share)) for axis, share in zip(axes, row, strict=True))


def _drawn(values: tuple[Any, ...] | Range, share: float) -> Any:
    if isinstance(values, Range):
        return values.at(share)
    return values[min(int(share * len(values)), len(values) - 1)]


def field_at(path: KeyPath) -> FieldInfo | None:
    """What the schema says about a key; None for an unknown key or a section."""
    section: type[Section] = Config
    for part in path[:-1]:
        info = section.model_fields.get(str(part))
        if info is None or not (isinstance(info.annotation, type) and issubclass(info.annotation, Section)):
            return None
        section = info.annotation
    info = section.model_fields.get(str(path[-1]))
    is_section = (
        info is not None and isinstance(info.annotation, type) and issubclass(info.annotation, Section)
    )
    return None if is_section else info


def unit_at(path: KeyPath) -> str | None:
    """Unit of a key that holds one quantity, ``"1"`` for a plain number; None for a key that holds something else."""
    info = field_at(path)
    if info is None:
        return None
    parts = (getattr(part, "__metadata__", ()) for part in get_args(info.annotation))
    found = itertools.chain(info.metadata, *parts)
    return next((one.unit for one in found if isinstance(one, Quantity)), None)


def column_name(path: KeyPath) -> str:
    """Name of a key in a table, with its unit.

    >>> column_name(("array", "wire", "r_row")), column_name(("array", "rows"))
    ('array.wire.r_row_ohm', 'array.rows')
    """
    unit = unit_at(path)
    return dotted(path) if unit in (None, "1") else f"{dotted(path)}_{unit}".lower()


def _axis(names: str, listed: Sequence[Any], source: str, places: Sequence[Place] = ()) -> Axis:
    keys = tuple(tuple(part.strip() for part in name.split(".")) for name in names.split(","))

    def wrong(what: str, number: int = 0) -> DocumentError:
        return DocumentError([Mistake(source, places[number] if places else None, names.strip(), what)])

    if not all(all(key) for key in keys) or len(set(keys)) < len(keys):
        raise wrong(
            "expected a key, or several different ones joined by commas, as in array.rows,array.columns"
        )
    for section, why in UNSWEPT.items():
        if any(key[: len(section)] == section for key in keys):
            raise wrong(f"the section {dotted(section)} can't be swept{why}")
    if not listed:
        raise wrong("no values")
    values: list[Any] = []
    origins: list[Place | None] = []
    for number, item in enumerate(listed):
        try:
            found = _expanded(item, keys)
        except ValueError as error:
            raise wrong(str(error), number) from None
        if isinstance(found, Range):
            if len(listed) > 1:
                raise wrong("a range without a number of values must stand alone", number)
            return Axis(keys, found, source, tuple(places))
        if len(keys) > 1 and any(isinstance(value, list) and len(value) != len(keys) for value in found):
            raise wrong(
                f"expected one value for all of the {len(keys)} keys, or a list with one for each", number
            )
        for value in found:
            if not any(value == known and type(value) is type(known) for known in values):
                values.append(value)
                origins.append(places[number] if places else None)
    return Axis(keys, tuple(values), source, tuple(origins) if places else ())


def _expanded(item: Any, keys: Sequence[KeyPath]) -> list[Any] | Range:
    """The values that one item of a list stands for."""
    infos = [field_at(key) for key in keys]
    units = [unit_at(key) for key in keys]
    whole = any(info is not None and info.annotation is int for info in infos)
    match = _RANGE.fullmatch(item) if isinstance(item, str) else None
    if match is None or not (whole or any(units)):
        return [item]  # a path may have two dots
    unit = next((unit for unit in units if unit is not None), "1")
    low, high = (parse_quantity(match[end], unit) for end in ("low", "high"))
    logarithmic = match["law"] == "log"
    if logarithmic and min(low, high) <= 0:
        raise ValueError(f"{item}: the ends of a logarithmic range must be above 0")
    if not math.isfinite(high - low):
        raise ValueError(f"{item}: the range is too wide")
    between = Range(low, high, logarithmic, whole)
    if match["count"] is None:
        return between
    count = int(match["count"])
    if not 2 <= count <= MAX_POINTS:
        raise ValueError(f"{item}: {count} values, allowed: 2 to {MAX_POINTS}")
    return [between.at(float(share)) for share in np.linspace(0, 1, count)]
