"""Figure of the architectures side by side, as SVG text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hallspice.comparison.results import ArchitectureResult
from hallspice.comparison.verdict import USELESS
from hallspice.page.style import BLUE, GREY, ORANGE, beside, engineering, grid, styled, svg


@styled
def comparison(rows: Sequence[ArchitectureResult]) -> str:
    """Errors, signal to noise and energy of a read, one line per architecture."""
    figure, panels = grid(1, 3, 11.5, 0.42 * len(rows) + 1.2)
    errors, noise, energy = panels.flat
    position = np.arange(len(rows))[::-1]
    raw = np.array([row.error_raw for row in rows])
    calibrated = np.array([row.error_calibrated for row in rows])
    snr = np.array([row.snr_db or 0.0 for row in rows])
    joule = np.array([row.energy_j for row in rows])
    floor = 1e-6  # errors below it are drawn on the edge
    raw, calibrated = np.maximum(raw, floor), np.maximum(calibrated, floor)
    errors.hlines(position, calibrated, raw, color=GREY, linewidth=1)
    errors.plot(raw, position, "o", color=BLUE, markerfacecolor="white", label="raw")
    errors.plot(calibrated, position, "o", color=BLUE, label="calibrated")
    errors.axvline(USELESS, color=ORANGE, linestyle="--", linewidth=1, label="useless above")
    errors.set_xscale("log")
    errors.set_xlim(left=floor / 2)
    errors.set_xlabel("error over compute signal")
    errors.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=3, fontsize=8)
    errors.set_yticks(position, [row.architecture for row in rows])
    noise.barh(position, snr, color=BLUE, height=0.6)
    for y, value, row in zip(position, snr, rows, strict=True):
        text = "dead" if row.effective_bits is None else f"{row.effective_bits:.1f} bit"
        beside(noise, max(value, 0.0), y, text)
    noise.set_xlim(min(0.0, 1.1 * float(snr.min())), 1.35 * max(float(snr.max()), 1.0))
    noise.set_xlabel("signal to noise of a read (dB)")
    energy.barh(position, joule, color=BLUE, height=0.6)
    energy.set_xscale("log")
    energy.set_xlim(joule.min() / 3, joule.max() * 30)
    for y, value in zip(position, joule, strict=True):
        beside(energy, value, y, engineering(value, "J"))
    energy.set_xlabel("energy of a read (J)")
    for axes in panels.flat:
        axes.set_ylim(-0.6, len(rows) - 0.4)
    for axes in (noise, energy):
        axes.set_yticks(position, [""] * len(rows))
    figure.tight_layout()
    return svg(figure)
