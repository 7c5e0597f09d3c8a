"""How figures and numbers look on every page."""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's colour-blind safe palette (https://jfly.uni-koeln.de/color/).
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#666666"


# On top of a colour map, which is the same in the light and the dark theme of a page; black and white are not.
DARK, LIGHT = "#161616", "#fafafa"


STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "hallspice",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "axes.grid": False,
}


styled = mpl.rc_context(STYLE)
"""Decorator of the functions that draw."""


def svg(figure: Figure) -> str:
    """The figure as SVG text, the same bytes for the same data."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    return stream.getvalue()


def grid(rows: int, columns: int, width: float, height: float) -> tuple[Figure, npt.NDArray[Any]]:
    """A figure with rows x columns axes, width and height in inches; axes as an array of that shape."""
    figure = Figure(figsize=(width, height))
    return figure, figure.subplots(rows, columns, squeeze=False)


def single(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure with one axes, width and height in inches."""
    figure, axes = grid(1, 1, width, height)
    return figure, axes[0, 0]


def beside(axes: Axes, x: float, y: float, text: str) -> None:
    """Write text to the right of a point."""
    axes.annotate(text, (x, y), (4, 0), textcoords="offset points", va="center", fontsize=9)


def engineering(value: float, unit: str) -> str:
    """A number with an SI prefix.

    >>> engineering(8.833e-05, "J")
    '88.3 µJ'
    """
    if value == 0 or not np.isfinite(value):
        return f"{value:g} {unit}"
    power = int(np.clip(np.floor(np.log10(abs(value)) / 3), -6, 4))
    number = f"{value / 1000.0**power:.3g}"
    if float(number) >= 1000 and power < 4:
        power, number = power + 1, f"{value / 1000.0 ** (power + 1):.3g}"
    prefix: dict[int, Any] = {
        -6: "a",
        -5: "f",
        -4: "p",
        -3: "n",
        -2: "µ",
        -1: "m",
        0: "",
        1: "k",
        2: "M",
        3: "G",
        4: "T",
    }
    return f"{number} {prefix[power]}{unit}"


def percent(accuracy: float) -> str:
    """An accuracy as text, two decimals."""
    return f"{100 * accuracy:.2f} %"
