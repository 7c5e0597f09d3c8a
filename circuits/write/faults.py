"""What is wrong with an array that is written, and how it is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compact_model.numeric import Floats, Mask

SMALLEST_THRESHOLD = 0.05
"""Least factor on the current that a drawn cell needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What is wrong with an array; empty arrays and zeros: nothing.

    Attributes
    ----------
    stuck
        (rows, columns) fraction at which a cell is stuck, NaN for a sound one; None: all are sound.
    open_rows, open_columns, short_rows, short_columns
        Lines that are interrupted at the driver, or shorted to ground behind it.
    threshold
        (rows, columns) factor on the current that a cell needs; None: all 1.
    cycle
        Standard deviation of that factor from pulse to pulse.
    """

    stuck: Floats | None = None
    open_rows: tuple[int, ...] = ()
    open_columns: tuple[int, ...] = ()
    short_rows: tuple[int, ...] = ()
    short_columns: tuple[int, ...] = ()
    threshold: Floats | None = None
    cycle: float = 0.0

    def dead(self, shape: tuple[int, int]) -> Mask:
        """Cells on a line that does not work, (rows, columns)."""
        result = np.zeros(shape, dtype=bool)
        result[[*self.open_rows, *self.short_rows]] = True
        result[:, [*self.open_columns, *self.short_columns]] = True
        return result

    @property
    def lines(self) -> bool:
        """Some line is broken."""
        return bool(self.open_rows or self.open_columns or self.short_rows or self.short_columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRates:
    """How often arrays have which faults.

    Attributes
    ----------
    stuck
        Share of the cells that are stuck, at any fraction alike.
    device_spread
        Standard deviation of the factor on the current that a cell needs.
    cycle
        The same from pulse to pulse.
    open_rows, open_columns, short_rows, short_columns
        Broken lines, of every array that has them.
    """

    stuck: float = 0.0
    device_spread: float = 0.0
    cycle: float = 0.0
    open_rows: tuple[int, ...] = ()
    open_columns: tuple[int, ...] = ()
    short_rows: tuple[int, ...] = ()
    short_columns: tuple[int, ...] = ()

    def drawn(self, shape: tuple[int, int], generator: np.random.Generator) -> Faults:
        """Faults of one array of (rows, columns)."""
        rows, columns = shape
        stuck = np.where(generator.random(shape) < self.stuck, generator.random(shape), np.nan)
        spread = 1.0 + self.device_spread * generator.standard_normal(shape)
        return Faults(
            stuck=stuck if self.stuck > 0 else None,
            open_rows=tuple(row for row in self.open_rows if row < rows),
            open_columns=tuple(column for column in self.open_columns if column < columns),
            short_rows=tuple(row for row in self.short_rows if row < rows),
            short_columns=tuple(column for column in self.short_columns if column < columns),
            threshold=np.maximum(spread, SMALLEST_THRESHOLD) if self.device_spread > 0 else None,
            cycle=self.cycle,
        )
