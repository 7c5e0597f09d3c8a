"""Converters whose elements differ: transfer curves, integral and differential nonlinearity."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from compact_model.numeric import Floats


class ElementWeighting(StrEnum):
    """What the reference levels of a converter are made of."""

    UNARY = "unary"
    """A string of equal elements: monotonic."""
    BINARY = "binary"
    """Capacitors of 1, 2, 4, ... units, as in successive approximation."""


@dataclass(frozen=True, slots=True)
class Converter:
    """An analog-to-digital converter of one polarity.

    Attributes
    ----------
    thresholds
        (2^bits - 1,): input at which each code begins, as a share of full scale.
    """

    thresholds: Floats

    @property
    def bits(self) -> int:
        """Resolution."""
        return int(np.log2(len(self.thresholds) + 1))

    def convert(self, values: Floats) -> NDArray[np.int64]:
        """Codes of values given as shares of full scale; values outside are clipped."""
        return np.searchsorted(np.sort(self.thresholds), values, side="right").astype(np.int64)

    def integral_nonlinearity(self) -> Floats:
        """Distance of each threshold from the line through the first and the last one, in steps."""
        return _from_line(self.thresholds)

    def differential_nonlinearity(self) -> Floats:
        """Width of each inner code less one, in steps."""
        return np.diff(self.integral_nonlinearity())


@dataclass(frozen=True, slots=True)
class RowDacs:
    """The digital-to-analog converters of some rows.

    Attributes
    ----------
    levels
        (rows, 2^bits): output of each code, as a share of full scale; 0 and full scale are exact.
    """

    levels: Floats

    def convert(self, values: Floats) -> Floats:
        """Outputs for values (..., rows) from 0 to 1, each rounded to the nearest code; values outside are clipped."""
        rows, codes = self.levels.shape
        code = np.round(np.clip(values, 0, 1) * (codes - 1)).astype(np.int64)
        return np.asarray(self.levels[np.arange(rows), code])

    def integral_nonlinearity(self) -> Floats:
        """(rows, 2^bits): distance of each level from the line through the first and the last one, in steps."""
        return _from_line(self.levels)

    def differential_nonlinearity(self) -> Floats:
        """(rows, 2^bits - 1): each step less one, in steps."""
        return np.diff(self.integral_nonlinearity(), axis=-1)


def _from_line(points: Floats) -> Floats:
    count = points.shape[-1]
    if count == 1:
        return np.zeros(points.shape)
    first, last = points[..., :1], points[..., -1:]
    line = first + (last - first) * np.arange(count) / (count - 1)
    return np.asarray((points - line) * (count - 1) / (last - first))


def draw_converter(
    bits: int, mismatch: float, generator: np.random.Generator, ladder: ElementWeighting
) -> Converter:
    """An analog-to-digital converter with Gaussian mismatch.

    Parameters
    ----------
    bits
        Resolution, 1 to 16.
    mismatch
        Relative standard deviation of one unit element, below 0.2; an element of n units has it over sqrt(n).
    generator
        Source of randomness.
    ladder
        What the levels are made of.

    Examples
    --------
    >>> ideal = draw_converter(3, 0.0, np.random.default_rng(0), ElementWeighting.UNARY)
    >>> ideal.convert(np.array([0.0, 0.49, 0.51, 2.0])).tolist()
    [0, 4, 4, 7]
    """
    _check(bits, mismatch)
    codes = np.arange(1, 2**bits)
    if ladder is ElementWeighting.UNARY:
        elements = 1 + mismatch * generator.standard_normal(2**bits)
        levels = np.cumsum(elements)[:-1] / elements.sum()
    else:
        units = 2.0 ** np.arange(bits)
        elements = units + mismatch * np.sqrt(units) * generator.standard_normal(bits)
        terminating = 1 + mismatch * generator.standard_normal()
        levels = ((codes[:, None] >> np.arange(bits)) & 1) @ elements / (elements.sum() + terminating)
    # A code stands for the values within half a step of its level.
    return Converter(np.asarray(levels - 0.5 / 2**bits))


def draw_row_dacs(
    rows: int, bits: int, mismatch: float, generator: np.random.Generator, ladder: ElementWeighting
) -> RowDacs:
    """The digital-to-analog converters of some rows with Gaussian mismatch; parameters as for `draw_converter`.

    Examples
    --------
    >>> dacs = draw_row_dacs(1, 2, 0.0, np.random.default_rng(0), ElementWeighting.BINARY)
    >>> dacs.convert(np.array([[0.3], [2.0]])).ravel()
    array([0.33333333, 1.        ])
    """
    _check(bits, mismatch)
    if ladder is ElementWeighting.UNARY:
        elements = 1 + mismatch * generator.standard_normal((rows, 2**bits - 1))
        levels = np.concatenate([np.zeros((rows, 1)), np.cumsum(elements, axis=1)], axis=1)
    else:
        units = 2.0 ** np.arange(bits)
        elements = units + mismatch * np.sqrt(units) * generator.standard_normal((rows, bits))
        levels = elements @ ((np.arange(2**bits) >> np.arange(bits)[:, None]) & 1)
    return RowDacs(levels / levels[:, -1:])


def _check(bits: int, mismatch: float) -> None:
    if not 1 <= bits <= 16:
        raise ValueError(f"bits = {bits}, allowed: 1 to 16")
    if not 0 <= mismatch < 0.2:
        raise ValueError(f"mismatch = {mismatch}, allowed: 0 <= value < 0.2")
