"""How an array is written: bias scheme, order, drivers, select devices."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from circuits.arrays.architecture import Architecture
from compact_model.numeric import Floats, Mask


class BiasScheme(StrEnum):
    """What keeps a write pulse away from the cells that are not written."""

    ONE_TRANSISTOR = "one_transistor"
    """A select device in series with every cell; only that of a written cell is on."""
    HALF_V = "half_v"
    """No select device: unselected lines at V/2, cells of the selected row and column see V/2."""
    THIRD_V = "third_v"
    """No select device: unselected rows at V/3, columns at 2V/3, every unselected cell sees V/3 of either sign."""
    ROW_SERIAL = "row_serial"
    """Channels of a row in series, a bypass switch across each; only that of the written cell is off."""


class Order(StrEnum):
    """What a pulse writes at once."""

    CELL = "cell"
    """One cell: its row drives, its column returns the current."""
    ROW = "row"
    """Cells of one row, each with its own voltage: the columns drive, the row returns the sum."""


_SCHEMES = {
    Architecture.RESISTIVE: (BiasScheme.ONE_TRANSISTOR, BiasScheme.HALF_V, BiasScheme.THIRD_V),
    Architecture.ACTIVE_PARALLEL: (BiasScheme.ONE_TRANSISTOR,),
    Architecture.ACTIVE_SERIES: (BiasScheme.ROW_SERIAL,),
    Architecture.ROW_MULTIPLEXED: (BiasScheme.ROW_SERIAL,),
}


def schemes(architecture: Architecture) -> tuple[BiasScheme, ...]:
    """The schemes with which an architecture can be written; none, when it cannot."""
    return _SCHEMES.get(architecture, ())


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteConfig:
    """Everything about a write but the states; SI units.

    Parameters
    ----------
    architecture
        `resistive`: the channel lies between a row and a column line. `active_parallel`: between the two rails of
        a row. `active_series`, `row_multiplexed`: the channels of a row lie in series. In the last three the Hall
        arms end in amplifiers or open switches and carry nothing.
    scheme, order
        Bias scheme; what is written at once.
    r_row, r_column
        Wire of one cell pitch [Ohm].
    r_output
        Output resistance of a driver, of each rail where there are two [Ohm].
    r_return
        Switch that takes the current back to ground, and that holds lines at a bias [Ohm].
    v_compliance
        Largest magnitude of a driver's voltage [V].
    r_channel
        Channel of a cell; it does not depend on the state [Ohm].
    r_select_on, r_select_off
        Select (or bypass) switch [Ohm].
    efficiency
        Energy that a driver delivers over the energy that it draws, in (0, 1].

    Examples
    --------
    >>> config = WriteConfig(architecture=Architecture.RESISTIVE)
    >>> config.inputs(8, 8), round(config.nominal_resistance(8), 6)
    (16, 571.0)
    """

    architecture: Architecture
    scheme: BiasScheme = BiasScheme.ONE_TRANSISTOR
    order: Order = Order.CELL
    r_row: float = 0.01
    r_column: float = 0.01
    r_output: float = 50.0
    r_return: float = 1.0
    v_compliance: float = 10.0
    r_channel: float = 500.0
    r_select_on: float = 20.0
    r_select_off: float = 1e9
    efficiency: float = 1.0

    def __post_init__(self) -> None:
        for name, kind in (("architecture", Architecture), ("scheme", BiasScheme), ("order", Order)):
            object.__setattr__(self, name, kind(getattr(self, name)))
        for name in ("r_row", "r_column"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ValueError(f"{name} = {getattr(self, name)} Ohm, allowed: 0 <= value < inf")
        for name in ("r_output", "r_return", "r_channel", "r_select_on", "r_select_off", "v_compliance"):
            if not 0 < getattr(self, name) < np.inf:
                unit = "V" if name == "v_compliance" else "Ohm"
                raise ValueError(f"{name} = {getattr(self, name)} {unit}, allowed: 0 < value < inf")
        if not 0 < self.efficiency <= 1:
            raise ValueError(f"efficiency = {self.efficiency}, allowed: 0 < value <= 1")
        if self.r_select_off <= self.r_select_on:
            raise ValueError(
                f"r_select_off = {self.r_select_off} Ohm, allowed: above r_select_on = {self.r_select_on} Ohm"
            )
        allowed = schemes(self.architecture)
        if not allowed:
            known = ", ".join(_SCHEMES)
            raise ValueError(
                f"architecture = {self.architecture}: its Hall arms tie the cells together, so that a write pulse "
                f"spreads; allowed: {known}"
            )
        if self.scheme not in allowed:
            raise ValueError(
                f"scheme = {self.scheme} on {self.architecture}, allowed there: {', '.join(allowed)}"
            )
        if self.order is Order.ROW and not (self.crossed and self.scheme is BiasScheme.ONE_TRANSISTOR):
            raise ValueError(
                f"order = row with {self.scheme} on {self.architecture}: a row at once needs a driver per column and "
                "a select device per cell (resistive, one_transistor); allowed: order = cell"
            )

    @property
    def crossed(self) -> bool:
        """Cells between row and column lines."""
        return self.architecture.crossed

    @property
    def serial(self) -> bool:
        """Cells of a row in series."""
        return self.scheme is BiasScheme.ROW_SERIAL

    @property
    def isolated(self) -> bool:
        """Every cell has a switch of its own, which keeps pulses for others away from it."""
        return self.scheme in (BiasScheme.ONE_TRANSISTOR, BiasScheme.ROW_SERIAL)

    @property
    def r_line(self) -> tuple[float, float]:
        """Resistance between source and line, of rows and of columns [Ohm]."""
        pair = (self.r_output, self.r_return)
        return pair if self.order is Order.CELL else pair[::-1]

    def inputs(self, rows: int, columns: int) -> int:
        """Number of driven voltages."""
        return rows + columns if self.crossed else rows

    def nominal_resistance(self, columns: int) -> float:
        """Driver voltage per current of the written cell, wires and leakage left out [Ohm]."""
        if self.crossed:
            select = self.r_select_on if self.scheme is BiasScheme.ONE_TRANSISTOR else 0.0
            return self.r_channel + select + self.r_output + self.r_return
        if self.serial:
            bypassed = self.r_channel * self.r_select_on / (self.r_channel + self.r_select_on)
            return self.r_channel + self.r_output + self.r_return + (columns - 1) * bypassed
        return self.r_channel + self.r_select_on + 2 * self.r_output

    def voltages(self, shape: tuple[int, int], row: int, volts: Floats, written: Mask) -> Floats:
        """Source voltages of one phase.

        Parameters
        ----------
        shape
            (rows, columns).
        row
            Row of the written cells.
        volts
            Voltage for each column's cell, (columns,) [V]; positive drives current from the row into the column.
        written
            Which of them are written, (columns,).

        Returns
        -------
        (inputs,) [V]: rows, then columns where these are driven.
        """
        rows, columns = shape
        result = np.zeros(self.inputs(rows, columns))
        if self.order is Order.ROW:
            result[rows:] = np.where(written, -volts, 0.0)
            return result
        (column,) = np.flatnonzero(written)
        v = float(volts[column])
        if self.crossed:
            others = {BiasScheme.HALF_V: (v / 2, v / 2), BiasScheme.THIRD_V: (v / 3, 2 * v / 3)}
            result[:rows], result[rows:] = others.get(self.scheme, (0.0, 0.0))
            result[rows + column] = 0.0
        result[row] = v
        return result
