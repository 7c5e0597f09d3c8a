"""Figures of a run, as SVG text made from its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.ticker import MaxNLocator

from hallspice.networks.results import EffectOnChips
from hallspice.page.style import BLUE, DARK, GREEN, LIGHT, ORANGE, PURPLE, single, styled, svg


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
def chips(rows: Sequence[EffectOnChips]) -> str:
    """Accuracy of every chip, and the mean with its 95 % interval, for each effect; in percent."""
    figure, axes = single(7.0, 0.5 * len(rows) + 1.1)
    places = np.arange(len(rows))[::-1]
    for row, place in zip(rows, places, strict=True):
        each = 100 * np.array(row.accuracies)
        axes.plot(each, np.full(each.size, place + 0.18), ".", color=BLUE, markersize=5)
        low, high = row.interval
        axes.plot([100 * low, 100 * high], [place, place], "-|", color=ORANGE, markersize=9)
        axes.plot([100 * row.mean], [place], "o", color=ORANGE, markersize=5)
    axes.plot([], [], ".", color=BLUE, label="chips")
    axes.plot([], [], "-o", color=ORANGE, markersize=5, label="mean and its interval")
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, fontsize=9)
    axes.set_ylim(-0.6, len(rows) - 0.3)
    axes.set_yticks(places, [f"{row.effect} {row.size}".strip() for row in rows])
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
