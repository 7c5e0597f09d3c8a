"""Currents and powers of write pulses, from one factorisation of the write circuit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypedDict

import numpy as np

from circuits.solve.nodal import Factored, factor
from circuits.write.circuit import PARTS, lines, write_network
from circuits.write.scheme import BiasScheme, WriteConfig
from compact_model.numeric import Floats, Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulses:
    """Currents and powers of some write pulses; the first axis counts pulses."""

    current: Floats  # (pulses, columns) of the written row, or (pulses, rows, columns) [A]
    power: dict[str, Floats]  # part -> (pulses,) [W]; sums to the source power
    source_power: Floats  # (pulses,) [W]


class _Powers(TypedDict):
    power: dict[str, Floats]
    source_power: Floats


class WriteSolver:
    """All write pulses of an array, from one factorisation.

    The network with no cell selected is factored once. A selected cell differs from that by the conductance of its
    switch, a rank-one change: with u0 the voltages across the switches without the change, Z the voltage across
    switch k per current pushed through switch l, and dg the change of conductance,
    ``(1 + Z_SS dg) u_S = u0_S`` for the selected set S (Sherman-Morrison-Woodbury), exact to rounding.

    Parameters
    ----------
    rows, columns
        Size of the array.
    config
        How it is written.
    """

    def __init__(self, rows: int, columns: int, config: WriteConfig) -> None:
        self.shape = (rows, columns)
        self.config = config
        self._lines = lines(rows, columns, config)
        self._base: Factored = factor(write_network(np.zeros((rows, columns), bool), config, probes=True))
        self._first = len(self._lines.source)  # outputs: lines, then cells
        self._row_parts: dict[int, tuple[Floats, Floats]] = {}

    @property
    def change(self) -> float:
        """Change of a switch's conductance when its cell is selected [S]; 0 where there are no switches."""
        if not self.config.isolated:
            return 0.0
        on, off = 1 / self.config.r_select_on, 1 / self.config.r_select_off
        return off - on if self.config.serial else on - off

    @cached_property
    def _driven(self) -> Floats:
        """Outputs per volt of each source, (outputs, inputs)."""
        n_inputs = self.config.inputs(*self.shape)
        return self._base.solve(np.eye(n_inputs, self._base.network.n_inputs)).outputs.T

    def _row(self, row: int) -> tuple[Floats, Floats]:
        """Of one row: voltages across its switches, and line currents, per current pushed through each switch."""
        if row not in self._row_parts:
            columns = self.shape[1]
            places = self.config.inputs(*self.shape) + row * columns + np.arange(columns)
            pushed = np.zeros((columns, self._base.network.n_inputs))
            pushed[np.arange(columns), places] = 1.0
            found = self._base.solve(pushed).outputs.T
            first = self._first + row * columns
            self._row_parts[row] = (found[first : first + columns], found[: self._first])
        return self._row_parts[row]

    def row_pulses(self, row: int, volts: Floats, written: Mask) -> Pulses:
        """Pulses into cells of one row; currents of the written cells (0 for the others).

        Parameters
        ----------
        row
            Which row.
        volts
            (pulses, columns) [V].
        written
            (pulses, columns); in order `cell` one per pulse.
        """
        config, columns = self.config, self.shape[1]
        pairs = zip(volts, written, strict=True)
        inputs = np.stack([config.voltages(self.shape, row, v, w) for v, w in pairs])
        first = self._first + row * columns
        bare = inputs @ self._driven[first : first + columns].T
        across, into_lines = self._row(row)
        change = np.where(written, self.change, 0.0)
        system = np.eye(columns) + across * change[:, None, :]
        voltage = np.asarray(np.linalg.solve(system, bare[..., None])[..., 0], dtype=np.float64)
        line = inputs @ self._driven[: self._first].T - (change * voltage) @ into_lines.T
        through = self._through(voltage, written)
        if config.isolated:
            power = self._powers(inputs, line, voltage[:, None], through[:, None], written[:, None])
        else:  # all cells take part
            every: Floats = (inputs @ self._driven[self._first :].T).reshape(-1, *self.shape)
            power = self._powers(inputs, line, every, every / config.r_channel, np.zeros(self.shape, bool))
        return Pulses(current=np.where(written, through, 0.0), **power)

    def full_pulses(self, inputs: Floats, selected: Mask) -> Pulses:
        """Pulses with the currents of all cells, for one set of selected cells.

        Parameters
        ----------
        inputs
            (pulses, inputs) [V].
        selected
            (rows, columns).
        """
        network = write_network(selected, self.config)
        found = factor(network).solve(inputs).outputs
        line, voltage = found[:, : self._first], found[:, self._first :].reshape(-1, *self.shape)
        current = self._through(voltage, selected)
        return Pulses(current=current, **self._powers(inputs, line, voltage, current, selected))

    def shared_pulses(self, inputs: Floats) -> Pulses:
        """As `full_pulses` for arrays without switches, from the kept response; inputs (pulses, inputs) [V]."""
        line = inputs @ self._driven[: self._first].T
        voltage = (inputs @ self._driven[self._first :].T).reshape(-1, *self.shape)
        nothing = np.zeros(self.shape, dtype=bool)
        current = self._through(voltage, nothing)
        return Pulses(current=current, **self._powers(inputs, line, voltage, current, nothing))

    def row_volts(self, row: int, current: Floats, written: Mask) -> Floats:
        """Voltages of the column drivers that give the written cells of a row their currents, (columns,) [V].

        In order `row`: ``(1 + Z_SS dg) r_on i = u0_S``, and u0 is linear in the voltages.
        """
        columns = self.shape[1]
        across, _ = self._row(row)
        chosen = np.flatnonzero(written)
        first = self._first + row * columns
        by_column = -self._driven[first : first + columns, self.shape[0] :][np.ix_(chosen, chosen)]
        wanted = current[chosen] * self.config.r_select_on
        bare = wanted + across[np.ix_(chosen, chosen)] @ (self.change * wanted)
        volts = np.zeros(columns)
        volts[chosen] = np.linalg.solve(by_column, bare)
        return volts

    def cell_inputs(self, row: int, column: int, volts: float) -> Floats:
        """Source voltages of the pulse that writes one cell, (inputs,) [V]."""
        written = np.zeros(self.shape[1], dtype=bool)
        written[column] = True
        return self.config.voltages(self.shape, row, np.full(self.shape[1], volts), written)

    @cached_property
    def conductance(self) -> Floats:
        """Current of a cell per volt of its driver when it is written alone, (rows, columns) [S]."""
        rows, columns = self.shape
        each = np.eye(columns, dtype=bool)
        found = [
            self.row_pulses(row, np.ones((columns, columns)), each).current.diagonal() for row in range(rows)
        ]
        return np.stack(found)

    @cached_property
    def cell_power(self) -> dict[str, Floats]:
        """Power of each part when a cell is written alone with one volt, (rows, columns) [W/V^2]."""
        rows, columns = self.shape
        each = np.eye(columns, dtype=bool)
        found = [self.row_pulses(row, np.ones((columns, columns)), each).power for row in range(rows)]
        return {part: np.stack([one[part] for one in found]) for part in PARTS}

    def _through(self, voltage: Floats, selected: Mask) -> Floats:
        """Currents in the channels from the voltages of the outputs ``u``."""
        config = self.config
        resistance = np.full(selected.shape, config.r_channel)
        if config.scheme is BiasScheme.ONE_TRANSISTOR:
            resistance = np.where(selected, config.r_select_on, config.r_select_off)
        current: Floats = voltage / resistance
        return current

    def _powers(
        self, inputs: Floats, line: Floats, voltage: Floats, current: Floats, selected: Mask
    ) -> _Powers:
        """Source power and its parts; what leaks through switches of other rows counts with the wires."""
        config, fed = self.config, self._lines
        source = ((inputs[:, fed.source] * fed.coefficient) * line).sum(axis=1)
        cells = _over_cells(current**2 * config.r_channel)
        select = np.zeros_like(cells)
        if config.scheme is BiasScheme.ONE_TRANSISTOR:
            select = _over_cells(current * voltage)
        elif config.serial:
            switch = np.where(selected, config.r_select_off, config.r_select_on)
            select = _over_cells(voltage**2 / switch)
        drivers = (line**2 * fed.ohm).sum(axis=1)
        wires = source - cells - select - drivers
        power = dict(zip(PARTS, (cells, select, wires, drivers), strict=True))
        return {"power": power, "source_power": source}


def _over_cells(values: Floats) -> Floats:
    """Sums over rows and columns, (pulses,)."""
    sums: Floats = values.reshape(len(values), -1).sum(axis=-1)
    return sums
