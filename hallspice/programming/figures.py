"""Figures of a written array, as SVG text."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from compact_model.numeric import Floats
from hallspice.page.style import BLUE, DARK, GREY, LIGHT, ORANGE, grid, single, styled, svg


@styled
def errors(error: Floats, tolerance: float, given_up: npt.NDArray[np.bool_]) -> str:
    """Achieved minus wanted Hall resistance of every cell [Ohm]; cells that were given up are marked."""
    figure, axes = single(5.2, 4.4)
    largest = max(1e3 * float(np.abs(error).max()), 1e3 * tolerance)
    image = axes.imshow(1e3 * error, cmap="RdBu_r", vmin=-largest, vmax=largest, aspect="auto")
    rows, columns = np.nonzero(given_up)
    axes.plot(columns, rows, "x", color=LIGHT, markersize=7, markeredgewidth=3)
    axes.plot(columns, rows, "x", color=DARK, markersize=6, markeredgewidth=1.2)
    _cells(axes)
    figure.colorbar(image, ax=axes, label="achieved minus wanted (mΩ); x: given up")
    return svg(figure)


@styled
def pulses(counts: npt.NDArray[np.int64]) -> str:
    """How many cells took how many write pulses."""
    figure, axes = single(6.0, 3.2)
    values, cells = np.unique(counts, return_counts=True)
    axes.bar(values, cells, color=BLUE, width=0.8)
    axes.axvline(float(counts.mean()), color=ORANGE, linewidth=1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel(f"write pulses of a cell (mean {counts.mean():.2f})")
    axes.set_ylabel("cells")
    return svg(figure)


@styled
def disturb(current: Floats, moved: Floats, written: npt.NDArray[np.bool_]) -> str:
    """What the other cells get while one is written: current [A] and movement in percent of the window."""
    figure, panels = grid(1, 2, 9.6, 3.8)
    for axes, values, label in (
        (panels[0, 0], 1e3 * np.abs(current), "largest current (mA)"),
        (panels[0, 1], 100 * moved, "moved (% of the window)"),
    ):
        # Smaller ones are nothing: a microampere, a thousandth of a percent.
        largest = max(float(values.max()), 1e-3)
        shown = np.where(written, np.nan, values)
        image = axes.imshow(shown, cmap="viridis", vmin=0.0, vmax=largest, aspect="auto")
        for row, column in np.argwhere(written).tolist():
            axes.plot(column, row, "s", color=GREY, markersize=5)
        _cells(axes)
        figure.colorbar(image, ax=axes, label=label)
    figure.tight_layout(w_pad=3.0)
    return svg(figure)


def _cells(axes: Axes) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("column")
    axes.set_ylabel("row")
