"""Figures of a certificate of equivalence, as SVG text."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.ticker import MaxNLocator

from compact_model.numeric import Floats
from hallspice.page.style import BLUE, GREEN, GREY, ORANGE, PURPLE, single, styled, svg

COLOURS = (GREY, BLUE, ORANGE, GREEN, PURPLE)
MARKERS = ("o", "s", "^", "v", "x")
DRAWN = 2000
"""Points of a curve that are drawn, about."""


@styled
def trace(traces: Mapping[str, tuple[Floats, Floats]], points: str) -> str:
    """Switched fraction over time [s] in every engine; the one named `points` has no values inside a pulse."""
    figure, axes = single(6.0, 3.4)
    for (name, (time, fraction)), colour in zip(traces.items(), COLOURS, strict=False):
        step = max(1, len(time) // DRAWN)
        style = "." if name == points else "-"
        axes.plot(1e3 * time[::step], fraction[::step], style, label=name, color=colour, linewidth=1)
    axes.set_xlabel("time (ms)")
    axes.set_ylabel("switched fraction s")
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, fontsize=9)
    return svg(figure)


@styled
def difference(after: Mapping[str, Floats], reference: str) -> str:
    """Difference of m_z from the engine named `reference` after each pulse, from fractions."""
    figure, axes = single(6.0, 3.4)
    for (name, fraction), colour, marker in zip(after.items(), COLOURS, MARKERS, strict=False):
        if name != reference:
            axes.semilogy(
                np.arange(1, len(fraction) + 1),
                2 * np.abs(fraction - after[reference]) + 1e-12,
                f"{marker}-",
                markerfacecolor="none",
                label=name,
                color=colour,
            )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("pulse number")
    axes.set_ylabel("difference of m$_z$")
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, fontsize=9)
    return svg(figure)
