"""What costs a network its accuracy, cause by cause."""

from __future__ import annotations

import math

from hallspice.inference.results import Loss
from nn_mapping.accuracy import Ablation


def accuracy_losses(
    float_weights: float | None, causes: Ablation, programmed: float | None = None
) -> tuple[Loss, ...]:
    """Accuracy that each cause takes alone, the largest loss first.

    Parameters
    ----------
    float_weights
        Accuracy of the network of float weights; None: there is none.
    causes
        Accuracies on the device's levels with one part of the circuit at a time.
    programmed
        Accuracy through the circuit with the states as written, where they were.

    Returns
    -------
    For each cause its name, what it is compared with, and the points (percent of the images) that it takes; negative
    where it helps.

    Examples
    --------
    >>> causes = Ablation(levels=0.97, converters=0.98, array=0.93, circuit=0.92, untrimmed=0.5)
    >>> [(loss.cause, round(loss.points, 3)) for loss in accuracy_losses(0.99, causes)]
    [('wires, drivers and amplifiers', 4.0), ("the device's levels", 2.0), ('DAC and ADC', -1.0)]
    """
    losses = [
        ("DAC and ADC", "ideal levels", causes.levels - causes.converters),
        ("wires, drivers and amplifiers", "ideal levels", causes.levels - causes.array),
    ]
    if float_weights is not None:
        losses.append(("the device's levels", "float weights", float_weights - causes.levels))
    if programmed is not None:
        losses.append(("states as written", "exact states", causes.circuit - programmed))
    found = [Loss(cause=cause, against=against, points=100 * share) for cause, against, share in losses]
    return tuple(sorted(found, key=lambda loss: -loss.points))


def standard_error(accuracy: float, images: int) -> float:
    """Standard error of an accuracy that was counted on so many images, in points."""
    return 100 * math.sqrt(accuracy * (1 - accuracy) / images)
