"""How far the outputs of an array are from the sums that were meant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from circuits.read.calibration import calibrate
from compact_model.numeric import Floats


@dataclass(frozen=True, slots=True)
class ReadError:
    """Errors relative to the compute signal [1]; above about 0.3 an array is useless.

    Attributes
    ----------
    raw
        Of the outputs as they are.
    calibrated
        After the best gain and offset per column.
    """

    raw: float
    calibrated: float


def read_error(transfer: Floats, ideal: Floats, centre: Floats, inputs: Floats) -> ReadError:
    """Root mean square error of the outputs over that of the compute signal.

    The compute signal is the ideal output with the mean weight taken out. Hall resistances are all positive with
    a large mean, so relative to the whole output an array that knows nothing but the mean looks good.

    Parameters
    ----------
    transfer
        Of the array, (columns, rows).
    ideal
        Of the ideal array with the same states.
    centre
        Of the ideal array with all states at the mean weight.
    inputs
        (vectors, rows), at least two.

    Examples
    --------
    >>> ideal, inputs = np.array([[1.0, 3.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> round(read_error(1.1 * ideal, ideal, np.full((1, 2), 2.0), inputs).raw, 3)
    0.224
    """
    measured, wanted, signal = inputs @ transfer.T, inputs @ ideal.T, inputs @ (ideal - centre).T
    scale = _rms(signal)
    if not scale > 0:
        raise ValueError(
            "the compute signal is zero: all states equal the mean weight, or all inputs are zero"
        )
    corrected = calibrate(measured, wanted).apply(measured)
    return ReadError(_rms(measured - wanted) / scale, _rms(corrected - wanted) / scale)


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(values**2)))
