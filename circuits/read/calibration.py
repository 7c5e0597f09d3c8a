"""Calibration of columns: one gain and one offset each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compact_model.numeric import Floats


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


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationCost:
    """What a calibration of all columns takes, once.

    Attributes
    ----------
    reads
        Of the whole array, with test vectors.
    time
        [s].
    energy
        [J].
    """

    reads: int
    time: float
    energy: float


def calibration_cost(
    noise_to_signal: float, added_error: float, t_read: float, energy: float
) -> CalibrationCost:
    """Reads that a calibration needs so that its own noise adds no more than `added_error` to every later read.

    A fit of two numbers to n noisy reads predicts with a variance of ``2 / n`` of that of one read.

    Parameters
    ----------
    noise_to_signal
        Noise of one read over the compute signal [1].
    added_error
        Error over the compute signal that the calibration may add [1].
    t_read, energy
        Of one read of the whole array with its conversions [s], [J].

    Examples
    --------
    >>> calibration_cost(noise_to_signal=0.1, added_error=0.01, t_read=1e-5, energy=2e-7).reads
    200
    """
    for name, value in (("noise_to_signal", noise_to_signal), ("added_error", added_error)):
        if not 0 < value < np.inf:
            raise ValueError(f"{name} = {value}, allowed: 0 < value < inf")
    reads = max(2, int(np.ceil(2 * (noise_to_signal / added_error) ** 2 - 1e-9)))
    return CalibrationCost(reads=reads, time=reads * t_read, energy=reads * energy)


def subtract_reference(transfer: Floats, references: int = 2) -> Floats:
    """Outputs less the mean of the last `references` columns, which hold the mean weight between them.

    With one column at the lowest and one at the highest state, the mean weight that all columns share goes before
    the conversion, and with it what wires, offsets and rejection do to all columns alike.

    Parameters
    ----------
    transfer
        (columns, rows), the reference columns last.
    references
        How many there are.

    Returns
    -------
    (columns - references, rows).

    Examples
    --------
    >>> subtract_reference(np.array([[3.0, 1.0], [1.0, 2.0], [2.0, 4.0]])).tolist()
    [[1.5, -2.0]]
    """
    if not 0 < references < len(transfer):
        raise ValueError(f"references = {references}, allowed: 0 < value < {len(transfer)}, the columns")
    difference: Floats = transfer[:-references] - transfer[-references:].mean(axis=0)
    return difference
