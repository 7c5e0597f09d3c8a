"""Figures of a run, as SVG text made from its results."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hallspice.losses import standard_error

Floats = npt.NDArray[np.float64]

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


@styled
def levels(used: Floats, modelled: Floats, published: Floats, currents: Floats) -> str:
    """Hall resistance of each level, over the ladder pulse that reaches it.

    Parameters
    ----------
    used, modelled, published
        R_xy of the levels in ohm: those the network uses, the model's ladder, the paper's.
    currents
        Pulse currents in ampere; one fewer than levels (the first is the reset state).
    """
    figure, axes = single(6.0, 3.4)
    steps = np.arange(used.size)
    axes.step(steps, used, where="mid", color=GREY, linewidth=1)
    axes.plot(steps, used, "o", color=BLUE, label="levels of the network")
    if modelled.size == used.size:
        axes.plot(steps, modelled, "x", color=ORANGE, markersize=8, label="compact model after each pulse")
    if published.size == used.size and not np.array_equal(published, used):
        axes.plot(steps, published, "+", color=GREEN, markersize=9, label="arXiv:2601.16222")
    labels = ["reset", *(f"{1e3 * current:.4g} mA" for current in currents)]
    axes.set_xticks(steps, labels[: steps.size])
    axes.set_xlabel("state after")
    axes.set_ylabel("Hall resistance R$_{xy}$ (Ω)")
    axes.legend(loc="lower right")
    return svg(figure)


@styled
def training_curve(curves: Mapping[str, Sequence[float]]) -> str:
    """Test accuracy after each epoch, per network, in percent."""
    figure, axes = single(6.0, 3.4)
    for (name, accuracy), colour in zip(curves.items(), (BLUE, ORANGE, GREEN, PURPLE), strict=False):
        epochs = np.arange(1, len(accuracy) + 1)
        percent = 100 * np.asarray(accuracy)
        axes.plot(epochs, percent, ".-", markersize=4, color=colour, label=f"{name}: {percent[-1]:.2f} %")
    axes.set_xlim(0.5, max(map(len, curves.values())) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")
    axes.set_ylabel("test accuracy (%)")
    axes.legend(loc="best", title="last epoch")
    return svg(figure)


@styled
def causes(names: Sequence[str], accuracy: Floats, images: int) -> str:
    """Accuracy as more and more of the circuit is in it, with one standard error, in percent."""
    figure, axes = single(6.0, 0.42 * len(names) + 1.1)
    places = np.arange(len(names))[::-1]
    percent = 100 * accuracy
    errors = [standard_error(share, images) for share in accuracy]
    axes.errorbar(percent, places, xerr=errors, fmt="o", color=BLUE, capsize=3)
    for value, error, place in zip(percent, errors, places, strict=True):
        beside(axes, value + error, place, f"{value:.2f} %")
    reach = max(float(np.ptp(percent)), 4 * max(errors))
    axes.set_xlim(percent.min() - 0.2 * reach, percent.max() + 0.45 * reach)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_yticks(places, names)
    axes.set_xlabel(f"test accuracy (%), and one standard error of {images} images")
    return svg(figure)


@styled
def chips(rows: Sequence[Mapping[str, Any]]) -> str:
    """Accuracy of every chip, and the mean with its 95 % interval, for each effect; in percent.

    Parameters
    ----------
    rows
        Each with ``effect``, ``size``, ``accuracies``, ``mean`` and ``interval`` (shares).
    """
    figure, axes = single(7.0, 0.5 * len(rows) + 1.1)
    places = np.arange(len(rows))[::-1]
    for row, place in zip(rows, places, strict=True):
        each = 100 * np.array(row["accuracies"])
        axes.plot(each, np.full(each.size, place + 0.18), ".", color=BLUE, markersize=5)
        low, high = row["interval"]
        axes.plot([100 * low, 100 * high], [place, place], "-|", color=ORANGE, markersize=9)
        axes.plot([100 * row["mean"]], [place], "o", color=ORANGE, markersize=5)
    axes.plot([], [], ".", color=BLUE, label="chips")
    axes.plot([], [], "-o", color=ORANGE, markersize=5, label="mean and its interval")
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, fontsize=9)
    axes.set_ylim(-0.6, len(rows) - 0.3)
    axes.set_yticks(places, [f"{row['effect']} {row['size']}".strip() for row in rows])
    axes.set_xlabel("test accuracy (%)")
    return svg(figure)


@styled
def confusion(matrix: npt.NDArray[np.int64], names: Sequence[str]) -> str:
    """Confusion matrix through the circuit: counts, rows true, columns predicted."""
    figure, axes = single(5.2, 4.8)
    errors = matrix.astype(float)
    np.fill_diagonal(errors, np.nan)
    largest = max(1.0, float(np.nanmax(errors))) if matrix.size > 1 else 1.0
    colours = mpl.colormaps["Oranges"].with_extremes(bad="#e8f1f8")
    image = axes.imshow(errors, cmap=colours, vmin=0, vmax=largest)
    for (true, predicted), count in np.ndenumerate(matrix):
        if count:
            dark = true != predicted and count > 0.6 * largest
            colour = LIGHT if dark else DARK
            axes.text(predicted, true, str(count), ha="center", va="center", fontsize=8, color=colour)
    axes.set_xticks(range(len(names)), names, rotation=45 if max(map(len, names)) > 2 else 0)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    figure.colorbar(image, ax=axes, label="images confused", shrink=0.8)
    return svg(figure)


@styled
def energy(parts: Mapping[str, float]) -> str:
    """Energy per inference by part, in joule, on a logarithmic axis."""
    figure, axes = single(6.0, 0.42 * len(parts) + 1.1)
    items = sorted(((name, value) for name, value in parts.items() if value > 0), key=lambda item: item[1])
    values = np.array([value for _, value in items])
    total = values.sum()
    axes.barh(range(len(items)), values, color=BLUE, left=0)
    axes.set_xscale("log")
    axes.set_xlim(values.min() / 3, values.max() * 60)
    for position, value in enumerate(values):
        share = 100 * value / total
        text = f"{engineering(value, 'J')} ({share:.2g} %)" if share < 99.5 else engineering(value, "J")
        beside(axes, value, position, text)
    axes.set_yticks(range(len(items)), [name for name, _ in items])
    axes.set_xlabel(f"energy per inference (J), total {engineering(total, 'J')}")
    return svg(figure)


@styled
def ir_drop(voltage: Floats, full: float) -> str:
    """Voltage across each cell of a tile with every input full, as a share of the ideal voltage.

    Parameters
    ----------
    voltage
        (rows, columns), volt.
    full
        Voltage of a cell without wires and drivers, volt.
    """
    figure, axes = single(5.2, 4.4)
    share = 100 * voltage / full
    image = axes.imshow(share, cmap="viridis", aspect="auto", origin="upper", interpolation="nearest")
    axes.set_xlabel("column (distance from the row driver)")
    axes.set_ylabel("row")
    figure.colorbar(image, ax=axes, label=f"cell voltage (% of {engineering(full, 'V')})")
    return svg(figure)


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
