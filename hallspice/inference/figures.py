"""Figures of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from compact_model.numeric import Floats
from hallspice.inference.losses import standard_error
from hallspice.page.style import BLUE, beside, engineering, single, styled, svg


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
    reach = max(float(np.ptp(percent)), 4 * max(errors), 1.0)
    axes.set_xlim(percent.min() - 0.2 * reach, percent.max() + 0.45 * reach)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_yticks(places, names)
    axes.set_xlabel(f"test accuracy (%), and one standard error of {images} images")
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
