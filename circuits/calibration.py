"""Calibration of columns: one gain and one offset each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from circuits.network import Floats


@dataclass(frozen=True, slots=True)
class ColumnCalibration:
    """What the periphery does to each column: ``gain * measured + offset``.

    Attributes
    ----------
    gain
        (columns,) [1].
    offset
        (columns,), in the unit of the outputs.
    """

    gain: Floats
    offset: Floats

    def apply(self, outputs: Floats) -> Floats:
        """Corrected outputs, (batch, columns)."""
        return outputs * self.gain + self.offset

    def apply_to_transfer(self, transfer: Floats) -> Floats:
        """The gains folded into a transfer matrix, (columns, rows); the offsets remain to be added."""
        return transfer * self.gain[:, None]


def calibrate(measured: Floats, wanted: Floats) -> ColumnCalibration:
    """Best gain and offset per column, by least squares over test vectors.

    Minimises ``sum((gain * measured + offset - wanted)^2)`` in each column. It takes one read of the array per
    test vector, once.

    Parameters
    ----------
    measured, wanted
        (vectors, columns): outputs of the array, and those of the ideal one for the same inputs.

    Raises
    ------
    ValueError
        When the shapes differ, or with less than two vectors.

    Examples
    --------
    >>> wanted = np.array([[1.0, 2.0], [3.0, 0.0], [2.0, 5.0]])
    >>> calibrate(wanted / 2 - 7, wanted).gain
    array([2., 2.])
    """
    if measured.shape != wanted.shape or measured.ndim != 2 or len(measured) < 2:
        raise ValueError(
            f"measured has shape {measured.shape} and wanted {wanted.shape}, expected the same (vectors, columns)"
            " with at least 2 vectors"
        )
    mean_measured, mean_wanted = measured.mean(axis=0), wanted.mean(axis=0)
    deviation = measured - mean_measured
    spread = np.sum(deviation**2, axis=0)
    covariance = np.sum(deviation * (wanted - mean_wanted), axis=0)
    # A column that doesn't respond can only be shifted.
    gain = np.divide(covariance, spread, out=np.ones_like(spread), where=spread > 0)
    return ColumnCalibration(gain, mean_wanted - gain * mean_measured)


def calibrate_transfer(transfer: Floats, ideal: Floats, inputs: Floats) -> ColumnCalibration:
    """Calibration of an array with a known transfer matrix.

    Parameters
    ----------
    transfer, ideal
        (columns, rows), of the array and of the ideal one.
    inputs
        (vectors, rows): the test vectors.
    """
    return calibrate(inputs @ transfer.T, inputs @ ideal.T)
