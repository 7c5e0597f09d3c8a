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
    return _fitted(mean_measured, mean_wanted, spread, np.sum(deviation * (wanted - mean_wanted), axis=0))


def calibrate_transfer(
    transfer: Floats, ideal: Floats, mean: Floats, covariance: Floats
) -> ColumnCalibration:
    """Calibration of arrays with known transfer matrices; it needs no more of the test vectors than two moments.

    Parameters
    ----------
    transfer, ideal
        (..., columns, rows), of the arrays and of the ideal ones.
    mean, covariance
        (..., rows) and (..., rows, rows), of the test vectors.

    Examples
    --------
    >>> ideal = np.array([[1.0, 3.0], [2.0, 0.0]])
    >>> calibrate_transfer(ideal / 4, ideal, np.array([0.5, 0.5]), np.eye(2)).gain
    array([4., 4.])
    """
    turned = transfer @ covariance
    spread, covariances = np.sum(turned * transfer, axis=-1), np.sum(turned * ideal, axis=-1)
    return _fitted(_at(transfer, mean), _at(ideal, mean), spread, covariances)


def _at(transfer: Floats, inputs: Floats) -> Floats:
    found: Floats = (transfer @ inputs[..., None])[..., 0]
    return found


def _fitted(measured: Floats, wanted: Floats, spread: Floats, covariance: Floats) -> ColumnCalibration:
    """Least squares, of means, spread of the measured and its covariance with the wanted outputs."""
    # A column that doesn't respond can only be shifted.
    gain = np.divide(covariance, spread, out=np.ones_like(spread), where=spread > 0)
    return ColumnCalibration(gain, wanted - gain * measured)


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
