"""Figures of a fit: data beside the law, residuals, intervals, correlations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from compact_model.constants import OERSTED
from compact_model.fit.fitting import FitResult
from compact_model.fit.forms import Prediction
from compact_model.fit.intervals import Fitted
from compact_model.measured.response import RecordRows
from compact_model.measured.tables import RecordKind
from compact_model.numeric import Floats
from hallspice.page.style import BLUE, DARK, GREEN, GREY, LIGHT, ORANGE, PURPLE, grid, single, styled, svg

MOST_PANELS = 9


@styled
def readings(result: FitResult, card: Floats | None) -> str:
    """Measured readings, the fitted law and the card by its rate law, one panel per record; at most nine records."""
    blocks = [block for block in result.response.blocks if not block.single] or result.response.blocks
    chosen = [blocks[i] for i in np.unique(np.linspace(0, len(blocks) - 1, MOST_PANELS).astype(int))]
    columns = min(3, len(chosen))
    rows = -(-len(chosen) // columns)
    figure, panels = grid(
        rows, columns, 3.7 * columns if columns > 1 else 6.0, 2.8 * rows if rows > 1 else 3.2
    )
    for axes in panels.flat[len(chosen) :]:
        axes.set_visible(False)
    for axes, block in zip(panels.flat, chosen, strict=False):
        _panel(axes, result, block, None if card is None else card[block.rows])
    panels.flat[0].legend(loc="best", fontsize=8)
    figure.tight_layout()
    return svg(figure)


def _panel(axes: Axes, result: FitResult, block: RecordRows, card: Floats | None) -> None:
    record, rows = block.record, block.rows
    value, predicted, used = result.response.value[rows], result.predicted[rows], result.used[rows]
    if record.kind is RecordKind.LOOP:
        x, label = 1e3 * record.current, "pulse current (mA)"
        axes.plot(x, predicted, color=ORANGE, linewidth=1.2, zorder=3, label="law and artefacts")
    else:
        x, label = np.arange(len(value), dtype=float), "reading"
        axes.plot(x, predicted, "x", color=ORANGE, markersize=4, zorder=3, label="law and artefacts")
    if card is not None and np.isfinite(card).any():
        line = "-" if record.kind is RecordKind.LOOP else "+"
        axes.plot(
            x, card, line, color=GREEN, linewidth=0.9, markersize=4, zorder=4, label="card by its rate law"
        )
    size = 3 if len(value) > 100 else 8
    axes.plot(x[used], value[used], ".", color=BLUE, markersize=size, label="used")
    if (~used & np.isfinite(value)).any():
        left = ~used & np.isfinite(value)
        axes.plot(x[left], value[left], "o", mfc="none", color=PURPLE, markersize=5, label="left out")
    axes.set_title(plain(record.name), fontsize=8.5)
    axes.set_xlabel(label, fontsize=8.5)
    axes.set_ylabel(
        "R$_{xy}$ (Ω)"
        if record.kind in (RecordKind.LOOP, RecordKind.TRAIN, RecordKind.FIELD_LOOP)
        else record.kind.value
    )
    axes.tick_params(labelsize=8)


def plain(name: str, length: int = 44) -> str:
    """A name as text of a figure: of bounded length, and with dollars that begin no formula."""
    short = name if len(name) <= length else name[: length - 1] + "…"
    return short.replace("$", r"\$")


@styled
def residuals(result: FitResult) -> str:
    """Residuals in standard deviations along the data, and their distribution beside the normal one."""
    figure, panels = grid(1, 2, 10.5, 3.2)
    used = result.used
    sigma = np.array([result.noise[block.record.name] for block in result.response.blocks])[
        result.response.record_of
    ]
    r = ((result.response.value - result.predicted) / sigma)[used]
    along, spread = panels.flat
    order = np.flatnonzero(used)
    size = 3 if len(r) > 200 else 9
    parity = result.response.record_of[used] % 2 == 0
    along.plot(order[parity], r[parity], ".", color=BLUE, markersize=size)
    along.plot(order[~parity], r[~parity], ".", color=GREEN, markersize=size)
    along.axhline(0.0, color=GREY, linewidth=0.8)
    along.set_xlabel("reading (colours alternate between records)")
    along.set_ylabel("residual (standard deviations)")
    reach = max(4.0, float(np.abs(r).max()))
    counts = max(7, min(60, len(r) // 8))
    spread.hist(
        r, bins=np.linspace(-reach, reach, counts), density=True, color=BLUE, alpha=0.6, label="residuals"
    )
    x = np.linspace(-reach, reach, 200)
    spread.plot(x, np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi), color=ORANGE, label="normal")
    spread.set_xlabel("residual (standard deviations)")
    spread.set_ylabel("density")
    spread.legend(loc="upper right", fontsize=8)
    figure.tight_layout()
    return svg(figure)


@styled
def intervals(fitted: Sequence[Fitted]) -> str:
    """95 % intervals of all fitted parameters relative to their values."""
    figure, axes = single(6.0, 0.4 * len(fitted) + 1.2)
    places = np.arange(len(fitted))[::-1]
    widest = 0.0
    for place, one in zip(places, fitted, strict=True):
        low, high = (100.0 * (limit / one.value - 1.0) for limit in one.interval)
        axes.plot([low, high], [place, place], "-|", color=BLUE, linewidth=2, markersize=9)
        widest = max(widest, abs(low), abs(high))
    axes.plot(np.zeros(len(fitted)), places, "o", color=ORANGE, markersize=4)
    axes.set_yticks(places, [one.parameter.name for one in fitted])
    axes.set_xlim(-1.15 * widest, 1.15 * widest)
    axes.set_ylim(-0.7, len(fitted) - 0.3)
    axes.set_xlabel("95 % interval (% of the value)")
    return svg(figure)


@styled
def correlation(fitted: Sequence[Fitted], matrix: Floats) -> str:
    """Correlation of the fitted parameters."""
    count = len(fitted)
    figure, axes = single(2.6 + 0.55 * count, 1.9 + 0.5 * count)
    image = axes.imshow(matrix, cmap="PuOr", vmin=-1.0, vmax=1.0)
    for (row, column), value in np.ndenumerate(matrix):
        colour = LIGHT if abs(value) > 0.65 else DARK
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8, color=colour)
    names = [one.parameter.symbol.partition("@")[0] for one in fitted]
    axes.set_xticks(range(count), names, rotation=45, ha="right")
    axes.set_yticks(range(count), names)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    figure.colorbar(image, ax=axes, label="correlation", shrink=0.8)
    return svg(figure)


@styled
def predictions(found: Sequence[Prediction]) -> str:
    """What the other readings alone allow for a fraction that was measured too, by form of the law."""
    figure, axes = single(6.0, 0.45 * len(found) + 1.2)
    places = np.arange(len(found))[::-1]
    for place, one in zip(places, found, strict=True):
        axes.plot(
            [100 * f for f in one.fraction], [place, place], "-|", color=BLUE, linewidth=2, markersize=9
        )
        axes.plot([100 * one.best], [place], "o", color=BLUE, markersize=5)
        axes.plot([100 * one.measured], [place], "s", color=ORANGE, markersize=6)
    axes.plot([], [], "-o", color=BLUE, label="allowed without it, best")
    axes.plot([], [], "s", color=ORANGE, label="measured")
    axes.set_yticks(places, [one.form for one in found])
    axes.set_xlim(0.0, 100.0)
    axes.set_ylim(-0.6, len(found) - 0.1)
    axes.set_xlabel("switched fraction (%)")
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, fontsize=8)
    return svg(figure)


@styled
def shift(result: FitResult) -> str:
    """Loop shift against current, measured and fitted; empty text without such data."""
    rows = result.response.is_shift
    if not rows.any():
        return ""
    figure, axes = single(6.0, 3.4)
    current = np.concatenate(
        [block.record.current for block in result.response.blocks if block.record.kind is RecordKind.SHIFT]
    )
    axes.plot(1e3 * current, result.response.value[rows] / OERSTED, "o", color=BLUE, label="measured")
    axes.plot(1e3 * current, result.predicted[rows] / OERSTED, color=ORANGE, label="fitted")
    axes.set_xlabel("current (mA)")
    axes.set_ylabel("loop shift (Oe)")
    axes.legend(loc="upper left")
    return svg(figure)
