"""What costs a network its accuracy, cause by cause."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def accuracy_losses(accuracy: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Accuracy that each cause takes alone, the largest loss first.

    Parameters
    ----------
    accuracy
        The part ``accuracy`` of a run's results: ``float``, ``levels``, ``circuit``, ``causes``, and ``programmed``
        where the states were written.

    Returns
    -------
    For each cause its name, what it is compared with, and the points (percent of the images) that it takes; negative
    where it helps.

    Examples
    --------
    >>> causes = [{"key": "converters", "accuracy": 0.98}, {"key": "array", "accuracy": 0.93}]
    >>> losses = accuracy_losses({"float": 0.99, "levels": 0.97, "circuit": 0.92, "causes": causes})
    >>> [(loss["cause"], round(loss["points"], 3)) for loss in losses]
    [('wires, drivers and amplifiers', 4.0), ("the device's levels", 2.0), ('DAC and ADC', -1.0)]
    """
    alone = {row["key"]: row["accuracy"] for row in accuracy["causes"]}
    levels = accuracy["levels"]
    losses = [
        ("the device's levels", "float weights", accuracy["float"] - levels),
        ("DAC and ADC", "ideal levels", levels - alone["converters"]),
        ("wires, drivers and amplifiers", "ideal levels", levels - alone["array"]),
    ]
    if "programmed" in accuracy:
        losses.append(("states as written", "exact states", accuracy["circuit"] - accuracy["programmed"]))
    found = [{"cause": cause, "against": against, "points": 100 * share} for cause, against, share in losses]
    return sorted(found, key=lambda loss: -loss["points"])


def standard_error(accuracy: float, images: int) -> float:
    """Standard error of an accuracy that was counted on so many images, in points."""
    return 100 * math.sqrt(accuracy * (1 - accuracy) / images)
