"""Schematics of the Hall cell and of the arrays, two rows by two columns, as SVG in the colour of the text.

Names of elements are those of `circuits.arrays.parts`, `circuits.arrays.parallel` and `circuits.arrays.series`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable

import schemdraw
from schemdraw import elements as elm

Point = tuple[float, float]

_FIRST = 4.6  # place of the first column between rails
_CELL = 1.1  # side of the box that stands for a Hall cell


def _drawing() -> schemdraw.Drawing:
    drawing = schemdraw.Drawing(canvas="svg", show=False)
    drawing.config(
        unit=1.6,
        fontsize=12,
        lw=1.4,
        color="currentColor",
        font="sans-serif",
        inches_per_unit=0.4,
        margin=0.9,
    )
    return drawing


class Sheet:
    """A drawing with absolute places."""

    def __init__(self) -> None:
        self.drawing = _drawing()

    def wire(self, *points: Point) -> None:
        """A line through points."""
        for start, end in itertools.pairwise(points):
            self.drawing += elm.Line().at(start).to(end)

    def dot(self, at: Point) -> None:
        """A joint."""
        self.drawing += elm.Dot(radius=0.06).at(at)

    def text(self, label: str, at: Point, size: int = 12) -> None:
        """A label by itself."""
        self.drawing += elm.Label().at(at).label(label, loc="center", valign="center", fontsize=size)

    def resistor(self, start: Point, end: Point, label: str = "", loc: str = "top") -> None:
        """A resistor between two points."""
        part = elm.Resistor(scale=0.62).at(start).to(end)
        self.drawing += part.label(label, loc=loc, ofst=0.08) if label else part

    def switch(self, start: Point, end: Point, label: str = "") -> None:
        """An open switch between two points."""
        part = elm.Switch(scale=0.8).at(start).to(end)
        self.drawing += part.label(label, ofst=0.1) if label else part

    def ground(self, at: Point) -> None:
        """The ground symbol below a point."""
        self.drawing += elm.Ground(scale=0.7).at(at)

    def terminal(self, at: Point, label: str, loc: str = "left") -> None:
        """A terminal with its name."""
        self.drawing += elm.Dot(open=True, radius=0.07).at(at).label(label, loc=loc)

    def current_source(self, start: Point, end: Point, label: str, loc: str = "top") -> None:
        """A source; the arrow points from `start` to `end`."""
        self.drawing += elm.SourceI(scale=0.75).endpoints(start, end).label(label, loc=loc, ofst=0.1)

    def controlled_source(self, start: Point, end: Point, label: str, loc: str = "top") -> None:
        """A controlled source; the arrow points from `start` to `end`."""
        self.drawing += (
            elm.SourceControlledI(scale=0.75).endpoints(start, end).label(label, loc=loc, ofst=0.1)
        )

    def box(self, centre: Point, label: str) -> None:
        """A Hall cell by the name of its state."""
        x, y = centre
        left, right, low, high = x - _CELL / 2, x + _CELL / 2, y - _CELL / 2, y + _CELL / 2
        self.wire((left, low), (right, low), (right, high), (left, high), (left, low))
        self.text(label, (x - 0.08, y + 0.08))

    def amplifier(self, tip: Point, label: str = "gm") -> tuple[Point, Point]:
        """A triangle that points to the right; its inputs plus and minus."""
        x, y = tip
        back = x - 0.95
        self.wire((back, y + 0.55), tip, (back, y - 0.55), (back, y + 0.55))
        self.text(label, (x - 0.66, y + 0.05), size=10)
        return (back, y + 0.28), (back, y - 0.28)

    def svg(self) -> str:
        """The drawing as an SVG element."""
        text = self.drawing.get_imagedata("svg").decode()
        return re.sub(r"<\?xml.*?\?>|<!DOCTYPE.*?>", "", text, flags=re.S).strip()


def hall_cell() -> Sheet:
    """Four resistors in a star, and a controlled current source across each pair of terminals."""
    s = Sheet()
    s.terminal((0, 0), "plus")
    s.wire((0, 0), (1, 0))
    s.resistor((1, 0), (3.4, 0), "R$_{channel}$/2")
    s.resistor((3.4, 0), (5.8, 0), "R$_{channel}$/2")
    s.wire((5.8, 0), (6.8, 0))
    s.terminal((6.8, 0), "minus", "right")
    s.dot((3.4, 0))
    s.text("c", (3.65, -0.3))
    s.resistor((3.4, 2.6), (3.4, 0), "R$_{arm}$", "bottom")
    s.resistor((3.4, 0), (3.4, -2.6), "R$_{arm}$", "bottom")
    for y, name in ((2.6, "hp"), (-2.6, "hn")):
        s.dot((3.4, y))
        s.wire((3.4, y), (3.4, y + (0.6 if y > 0 else -0.6)))
        s.terminal((3.4, y + (0.6 if y > 0 else -0.6)), name, "top" if y > 0 else "bottom")
    s.dot((0.6, 0))
    s.dot((6.2, 0))
    s.wire((0.6, 0), (0.6, -4.3))
    s.controlled_source((0.6, -4.3), (6.2, -4.3), "Gx V(hp, hn)", "bottom")
    s.wire((6.2, -4.3), (6.2, 0))
    s.wire((3.4, 2.6), (9.0, 2.6))
    s.controlled_source((9.0, 2.6), (9.0, -2.6), "Gh V(plus, minus)", "bottom")
    s.wire((9.0, -2.6), (3.4, -2.6))
    return s


_ROWS, _COLUMNS = (0, 1), (0, 1)


def resistive() -> Sheet:
    """Word lines, cells, bit lines into current senses."""
    s = Sheet()
    x0, pitch, high = 4.4, 4.6, 3.8
    for i in _ROWS:
        y = -high * i
        s.terminal((0, y), f"v$_{i}$")
        s.resistor((0, y), (2.1, y), "r$_{driver}$")
        start = 2.1
        for j in _COLUMNS:
            x = x0 + pitch * j
            s.wire((start, y), (x - 2.1, y))
            s.resistor((x - 2.1, y), (x, y), "r$_{row}$")
            s.dot((x, y))
            s.resistor((x, y), (x, y - 1.7), "R" + f"$_{{{i}{j}}}$", "bottom")
            s.wire((x, y - 1.7), (x + 1.5, y - 1.7))
            s.dot((x + 1.5, y - 1.7))
            start = x
        s.wire((start, y), (start + 2.4, y))
        s.text("...", (start + 2.8, y))
    for j in _COLUMNS:
        x = x0 + pitch * j + 1.5
        s.wire((x, 0.6), (x, -1.7))
        s.resistor((x, -1.7), (x, -3.4), "r$_{col}$", "bottom")
        s.wire((x, -3.4), (x, -1.7 - high))
        _current_sense(s, x, -1.7 - high, j)
    return s


def _current_sense(s: Sheet, x: float, y: float, j: int) -> None:
    s.resistor((x, y), (x, y - 1.7), "r$_{col}$", "bottom")
    s.resistor((x, y - 1.7), (x, y - 3.4), "r$_{sense}$", "bottom")
    s.ground((x, y - 3.4))
    s.text(f"i$_{j}$ \u2193", (x - 0.55, y - 1.75))


def _parallel_rows(s: Sheet, pitch: float, high: float, pair: Callable[[float, float], None]) -> None:
    """Rails with drivers and wires; `pair` continues from the right side of the cell at a place."""
    for i in _ROWS:
        top, bottom = -high * i, -high * i - 2.6
        for y, sign in ((top, "+"), (bottom, "\u2212")):
            s.terminal((0, y), f"{sign}v$_{i}$/2")
            s.resistor((0, y), (2.1, y), "r$_{driver}$")
            start = 2.1
            for j in _COLUMNS:
                x = _FIRST + pitch * j
                s.wire((start, y), (x - 2.1, y))
                s.resistor((x - 2.1, y), (x, y), "r$_{row}$")
                s.dot((x, y))
                start = x
            s.wire((start, y), (start + 4.0, y))
            s.text("...", (start + 4.4, y))
        for j in _COLUMNS:
            x, y = _FIRST + pitch * j, (top + bottom) / 2
            s.wire((x, top), (x, y + _CELL / 2))
            s.wire((x, y - _CELL / 2), (x, bottom))
            s.box((x, y), f"R$_{{{i}{j}}}$")
            s.text("hp", (x + 0.86, y + 0.58))
            s.text("hn", (x + 0.86, y - 0.5))
            pair(x, y)


def active_parallel() -> Sheet:
    """Cells between two rails, an amplifier on each Hall pair, one line per column."""
    s = Sheet()
    pitch, high = 6.4, 4.6

    def pair(x: float, y: float) -> None:
        plus, minus = s.amplifier((x + 2.4, y))
        s.wire((x + _CELL / 2, y + 0.28), plus)
        s.wire((x + _CELL / 2, y - 0.28), minus)
        s.wire((x + 2.4, y), (x + 3.0, y))
        s.dot((x + 3.0, y))

    _parallel_rows(s, pitch, high, pair)
    for j in _COLUMNS:
        _summed(s, _FIRST + pitch * j + 3.0, (-1.3, -1.3 - high), (-2.8, -high + 0.2), j, above=1.9)
    return s


def _summed(s: Sheet, x: float, rows: Point, wire: Point, j: int, *, above: float) -> None:
    """A line of a column: from above its first row, by a wire resistor, down to a current sense."""
    s.wire((x, rows[0] + above), (x, wire[0]))
    s.resistor((x, wire[0]), (x, wire[1]))
    s.text("r$_{col}$", (x + 0.6, sum(wire) / 2))
    s.wire((x, wire[1]), (x, rows[1] - 1.6))
    _current_sense(s, x, rows[1] - 1.6, j)


def passive_parallel() -> Sheet:
    """Cells between two rails, Hall arms joined to two lines per column."""
    s = Sheet()
    pitch, high = 6.4, 4.6

    def pair(x: float, y: float) -> None:
        s.wire((x + _CELL / 2, y + 0.28), (x + 1.6, y + 0.28))
        s.wire((x + _CELL / 2, y - 0.28), (x + 2.9, y - 0.28))
        s.dot((x + 1.6, y + 0.28))
        s.dot((x + 2.9, y - 0.28))

    _parallel_rows(s, pitch, high, pair)
    for j in _COLUMNS:
        x = _FIRST + pitch * j
        _voltage_pair(s, (x + 1.6, x + 2.9), (-1.3, -1.3 - high), j)
    return s


def _voltage_pair(s: Sheet, lines: tuple[float, float], rows: tuple[float, float], j: int) -> None:
    """Two lines of a column down to a voltage sense."""
    foot = rows[1] - 3.6
    for x, name, shift in zip(lines, ("bp", "bn"), (0.28, -0.28), strict=True):
        s.wire((x, rows[0] + 1.9), (x, rows[0] + shift))
        s.text(f"{name}$_{j}$", (x, rows[0] + 2.2))
        s.wire((x, rows[0] + shift), (x, rows[0] - 1.5))
        s.resistor((x, rows[0] - 1.5), (x, rows[1] + 1.5))
        s.wire((x, rows[1] + 1.5), (x, rows[1] - 1.5))
        s.resistor((x, rows[1] - 1.5), (x, foot))
    for y in (sum(rows) / 2, rows[1] - 2.5):
        s.text("r$_{col}$", (lines[1] + 0.5, y))
    s.resistor((lines[0], foot), (lines[1], foot), "")
    s.text("r$_{load}$", ((lines[0] + lines[1]) / 2, foot - 0.5))
    s.text(f"+ u$_{j}$ \u2212", ((lines[0] + lines[1]) / 2, foot - 1.1))


def _series_row(s: Sheet, i: int, y: float, places: Iterable[float], end: float) -> None:
    """A driven row: wire, channel, wire, channel, wire; up to `end`."""
    s.resistor((1.5, y), (3.5, y), "r$_{driver}$")
    start = 3.5
    for j, x in enumerate(places):
        s.wire((start, y), (x - 3.2, y))
        s.resistor((x - 3.2, y), (x - 1.3, y), "r$_{row}$")
        s.wire((x - 1.3, y), (x - _CELL / 2, y))
        s.box((x, y), f"R$_{{{i}{j}}}$")
        start = x + _CELL / 2
    s.wire((start, y), (end - 2.0, y))
    s.resistor((end - 2.0, y), (end, y), "r$_{row}$")


def active_series() -> Sheet:
    """Channels of a row in series, driven by a floating source; amplifiers as in active_parallel."""
    s = Sheet()
    places, end, high = (6.8, 13.4), 19.2, 5.2
    for i in _ROWS:
        y = -high * i
        _series_row(s, i, y, places, end)
        # the source stands between exit and entry: nothing else holds its two ends
        s.wire((1.5, y), (0.4, y), (0.4, y + 1.6))
        s.current_source((9.2, y + 1.6), (7.0, y + 1.6), f"i$_{i}$")
        s.wire((7.0, y + 1.6), (0.4, y + 1.6))
        s.wire((9.2, y + 1.6), (end + 0.4, y + 1.6), (end + 0.4, y), (end, y))
        middle = (places[1] - 1.25, y)
        s.dot(middle)
        s.wire(middle, (middle[0], y - 0.5))
        s.ground((middle[0], y - 0.5))
        for x in places:
            plus, minus = s.amplifier((x + 2.2, y - 1.6))
            s.wire((x + 0.3, y - _CELL / 2), (x + 0.3, plus[1]), plus)
            s.wire((x - 0.3, y - _CELL / 2), (x - 0.3, minus[1]), minus)
            s.text("hp", (x + 0.65, y - 0.85))
            s.text("hn", (x - 0.65, y - 0.85))
            s.wire((x + 2.2, y - 1.6), (x + 2.8, y - 1.6))
            s.dot((x + 2.8, y - 1.6))
    for j, x in enumerate(places):
        _summed(s, x + 2.8, (-1.6, -1.6 - high), (-1.8, -3.4), j, above=0.5)
    return s


def row_multiplexed() -> Sheet:
    """One row at a time is driven and switched to two lines per column."""
    s = Sheet()
    places, end, high = (6.8, 13.4), 19.2, 4.6
    for i in _ROWS:
        y = -high * i
        _series_row(s, i, y, places, end)
        s.ground((end, y))
        s.current_source((0, y), (1.5, y), f"i$_{i}$")
        s.ground((0, y))
        for x in places:
            for shift, drop, reach, name in ((0.3, 1.3, 1.6, "hp"), (-0.3, 2.3, 2.9, "hn")):
                s.wire((x + shift, y - _CELL / 2), (x + shift, y - drop))
                s.switch((x + shift, y - drop), (x + 1.25, y - drop))
                s.wire((x + 1.25, y - drop), (x + reach, y - drop))
                s.dot((x + reach, y - drop))
                s.text(name, (x + 2.2 * shift, y - 0.85))
    for j, x in enumerate(places):
        _switched_pair(s, (x + 1.6, x + 2.9), high, j)
    s.text("row 0 on", (4.4, -1.8))
    s.text("row 1 off", (4.4, -1.8 - high))
    return s


def _switched_pair(s: Sheet, lines: tuple[float, float], high: float, j: int) -> None:
    foot = -high - 5.0
    for x, name, drop in zip(lines, ("bp", "bn"), (1.3, 2.3), strict=True):
        s.wire((x, 0.9), (x, -drop))
        s.text(f"{name}$_{j}$", (x, 1.2))
        s.wire((x, -drop), (x, -2.6))
        s.resistor((x, -2.6), (x, -4.3))
        s.wire((x, -4.3), (x, -high - 2.6))
        s.resistor((x, -high - 2.6), (x, foot))
    for y in (-3.45, -high - 3.8):
        s.text("r$_{col}$", (lines[1] + 0.55, y))
    s.resistor((lines[0], foot), (lines[1], foot))
    s.text("r$_{load}$", ((lines[0] + lines[1]) / 2, foot - 0.5))
    s.text(f"+ u$_{j}$ \u2212", ((lines[0] + lines[1]) / 2, foot - 1.1))


def series_hall() -> Sheet:
    """Channels in series along a row, Hall arms in series down a column."""
    s = Sheet()
    places, end, high = (6.8, 11.6), 14.8, 3.6
    for i in _ROWS:
        y = -high * i
        _series_row(s, i, y, places, end)
        s.ground((end, y))
        s.current_source((0, y), (1.5, y), f"i$_{i}$")
        s.ground((0, y))
        for x in places:
            s.text("hp", (x + 0.38, y + 0.8))
            s.text("hn", (x + 0.38, y - 0.8))
    for j, x in enumerate(places):
        s.terminal((x, 2.9), f"+ u$_{j}$", "top")
        s.resistor((x, 2.9), (x, _CELL / 2), "r$_{col}$", "top")
        s.resistor((x, -_CELL / 2), (x, -high + _CELL / 2), "r$_{col}$", "top")
        s.resistor((x, -high - _CELL / 2), (x, -high - 2.9), "r$_{col}$", "top")
        s.terminal((x, -high - 2.9), f"\u2212 u$_{j}$", "bottom")
    return s


DRAWINGS: dict[str, Callable[[], Sheet]] = {
    drawing.__name__: drawing
    for drawing in (
        hall_cell,
        resistive,
        active_parallel,
        passive_parallel,
        active_series,
        row_multiplexed,
        series_hall,
    )
}


def svg(name: str) -> str:
    """One of `DRAWINGS` as SVG text."""
    return DRAWINGS[name]().svg()
