"""Figures of a sweep, as SVG text."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.ticker import EngFormatter

from hallspice.page.style import BLUE, GREEN, GREY, ORANGE, PURPLE, grid, single, styled, svg
from hallspice.sweeps.results import TableCell
from hallspice.sweeps.summary import FEW, Design, Effect, Summary

_MARKS = list(
    zip((BLUE, ORANGE, GREEN, PURPLE, "#56B4E9", "#E69F00", "#F0E442", GREY), "osD^vP*X", strict=True)
)

_JOULE = EngFormatter(unit="J")


@styled
def pareto(found: Summary) -> str:
    """Accuracy over energy of all designs; those that are not dominated are ringed and joined by a line."""
    figure, axes = single(7.0, 4.4)
    if found.effects:
        _coloured(axes, found)
    else:
        _marks(axes, found.designs, BLUE, "o", None)
    front = found.pareto
    axes.plot(
        [design.energy for design in front],
        [100 * design.accuracy for design in front],
        color=GREY,
        linewidth=1,
        drawstyle="steps-post",
        marker="o",
        markersize=12,
        markerfacecolor="none",
        markeredgecolor="black",
        label="not dominated",
        zorder=1,
    )
    energies = [design.energy for design in found.designs]
    if max(energies) > 10 * min(energies):
        axes.set_xscale("log")
    axes.xaxis.set_major_formatter(_JOULE)
    axes.set_xlabel("energy per inference")
    axes.set_ylabel("accuracy through the circuit (%)")
    axes.legend(
        loc="upper left", bbox_to_anchor=(1.02, 1.0), title=found.effects[0].name if found.effects else None
    )
    return svg(figure)


def _coloured(axes: Axes, found: Summary) -> None:
    """Mark the designs by the value of the key that moves the accuracy most."""
    column = found.effects[0].column
    values = list(dict.fromkeys(design.inputs[column] for design in found.designs))
    if len(values) <= FEW:
        numeric = [value for value in values if isinstance(value, (int, float))]
        ordered: Sequence[TableCell] = sorted(numeric) if len(numeric) == len(values) else values
        for value, (colour, mark) in zip(ordered, _MARKS, strict=False):
            members = [design for design in found.designs if design.inputs[column] == value]
            label = f"{value:.4g}" if isinstance(value, float) else str(value)
            _marks(axes, members, colour, mark, label)
        return
    numbers = np.array([design.inputs[column] for design in found.designs], dtype=float)
    wide = numbers.min() > 0 and numbers.max() > 10 * numbers.min()
    norm = (LogNorm if wide else Normalize)(numbers.min(), numbers.max())
    scatter = axes.scatter(
        [design.energy for design in found.designs],
        [100 * design.accuracy for design in found.designs],
        c=numbers,
        norm=norm,
        cmap=mpl.colormaps["viridis"],
        zorder=2,
    )
    axes.figure.colorbar(scatter, ax=axes, label=column, location="bottom", pad=0.16)


def _marks(axes: Axes, members: Sequence[Design], colour: str, mark: str, label: str | None) -> None:
    """Means over the seeds, with bars from the worst to the best seed."""
    energy = np.array([design.energy for design in members])
    accuracy = 100 * np.array([design.accuracy for design in members])
    axes.plot(energy, accuracy, mark, color=colour, label=label, zorder=2)
    if any(len(design.accuracies) > 1 for design in members):
        low = 100 * np.array([min(design.accuracies) for design in members])
        high = 100 * np.array([max(design.accuracies) for design in members])
        axes.vlines(energy, low, high, color=colour, linewidth=1)


@styled
def effects(found: Summary) -> str:
    """Mean accuracy and mean energy for each value of each key, over all values of the others."""
    shown: list[Effect] = list(found.effects)
    figure, panels = grid(2, len(shown), 3.2 * len(shown) + 1.0, 5.0)
    for column, effect in enumerate(shown):
        places = np.arange(len(effect.labels))
        upper, lower = panels[0, column], panels[1, column]
        upper.plot(places, 100 * np.array(effect.accuracies), "o-", color=BLUE)
        lower.plot(places, effect.energies, "s-", color=ORANGE)
        upper.set_xticks(places, [""] * len(places))
        turned = max(map(len, effect.labels)) * len(places) > 24
        lower.set_xticks(
            places, effect.labels, rotation=45 if turned else 0, ha="right" if turned else "center"
        )
        lower.set_xlabel(effect.column)
        for axes in (upper, lower):
            axes.margins(x=0.1)
    panels[0, 0].set_ylabel("mean accuracy (%)")
    panels[1, 0].set_ylabel("mean energy")
    accuracies = [100 * value for effect in shown for value in effect.accuracies]
    energies = [value for effect in shown for value in effect.energies]
    for row, values in zip(panels, (accuracies, energies), strict=True):
        middle, half = (max(values) + min(values)) / 2, (max(values) - min(values)) / 2
        for axes in row:
            # The same scale for all keys; what does not change at all still needs a range.
            axes.set_ylim(middle - 1.15 * half - 1e-3 * middle, middle + 1.15 * half + 1e-3 * middle)
            if axes is not row[0]:
                axes.set_yticklabels([])
    panels[1, 0].yaxis.set_major_formatter(_JOULE)
    figure.tight_layout()
    return svg(figure)
