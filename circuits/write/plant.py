"""An array that is written in the compact model: states of all cells, moved by the current that each really gets."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from circuits.write.circuit import PARTS
from circuits.write.faults import Faults
from circuits.write.scheme import Order
from circuits.write.solver import WriteSolver
from compact_model.hallbar import HallBar
from compact_model.numeric import Floats, Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulsed:
    """What one round of write pulses did; the state is the plant's."""

    current: Floats  # (rows, columns) of the written cells, 0 elsewhere [A]
    energy: dict[str, Floats]  # part -> (rows,), summed over the pulses of a row [J]
    time: float  # [s]
    limited: Mask  # (rows, columns): the driver ran into its compliance


class Plant(Protocol):
    """An array that can be pulsed and read, in the compact model or in a simulator."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        ...

    def volts(self, current: Floats, written: Mask) -> Floats:
        """Driver voltages, (rows, columns) [V], that give the written cells a current [A]."""
        ...

    def saturate(self) -> None:
        """Bring all cells to s = 0 with a field."""
        ...

    def pulse(self, volts: Floats, written: Mask) -> Pulsed:
        """Write pulses into the written cells, one after another (or row after row), rows first."""
        ...

    def read(self) -> Floats:
        """Hall resistance of all cells, (rows, columns), without noise [Ohm]."""
        ...


@dataclass(kw_only=True)
class DrivenPlant:
    """What plants have in common: drivers, from wanted currents to voltages within the compliance.

    Attributes
    ----------
    solver
        Linear currents of the array: what the controller knows of the wires.
    compensated
        Drivers know the wires: a wanted current is reached exactly, up to the compliance.
    """

    solver: WriteSolver
    compensated: bool = True

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.solver.shape

    def volts(self, current: Floats, written: Mask) -> Floats:
        """Driver voltages that give the written cells a current [V]; the compliance is not looked at."""
        config = self.solver.config
        if not self.compensated:
            return current * config.nominal_resistance(self.shape[1])
        if config.order is Order.CELL:
            return current / self.solver.conductance
        volts = np.zeros(self.shape)
        for row in np.flatnonzero(written.any(axis=1)).tolist():
            volts[row] = self.solver.row_volts(row, current[row], written[row])
        return volts

    def within_compliance(self, volts: Floats, written: Mask) -> tuple[Floats, Mask]:
        """What the drivers apply to the written cells [V], 0 elsewhere, and where they ran into their limit."""
        limit = self.solver.config.v_compliance
        limited = written & (np.abs(volts) > limit * (1 + 1e-12))
        return np.where(written, np.clip(volts, -limit, limit), 0.0), limited


@dataclass(kw_only=True)
class ModelPlant(DrivenPlant):
    """States of an array's cells, moved by `HallBar`.

    Channel resistance does not depend on the state, so the currents of every pulse come from one linear network;
    states then move exactly.

    Attributes
    ----------
    device
        The cell.
    t_pulse
        Length of a write pulse [s].
    faults, generator
        What is wrong; randomness of cycle-to-cycle noise.
    s
        State, (cells, K), cells row by row.
    """

    device: HallBar
    t_pulse: float
    faults: Faults = field(default_factory=Faults)
    generator: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    s: Floats = field(init=False)

    def __post_init__(self) -> None:
        if self.faults.lines and not self.solver.config.isolated:
            raise ValueError("broken lines are followed only where every cell has a switch of its own")
        self.saturate()

    def saturate(self) -> None:
        """Bring all cells to s = 0 with a field."""
        rows, columns = self.shape
        self.s = np.zeros((rows * columns, len(self.device.bank.theta)))

    def pulse(self, volts: Floats, written: Mask) -> Pulsed:
        """Write pulses into the written cells, one after another (or row after row)."""
        config, shape = self.solver.config, self.shape
        applied, limited = self.within_compliance(volts, written)
        energy = {part: np.zeros(shape[0]) for part in PARTS}
        if not config.isolated:
            return self._shared_pulses(applied, written, limited)
        if config.order is Order.CELL:
            current = applied * self.solver.conductance
            power = {part: (applied**2 * self.solver.cell_power[part]) for part in PARTS}
            dead = self.faults.dead(shape)
            if self.faults.lines:
                current = np.where(dead, 0.0, current)
                power = {part: np.where(dead, 0.0, value) for part, value in power.items()}
                power["drivers"] += self._into_shorts(applied)
            energy = {part: value.sum(axis=1) * self.t_pulse for part, value in power.items()}
            count = int(written.sum())
        else:
            current = np.zeros(shape)
            sound = written & ~self.faults.dead(shape)
            rows = np.flatnonzero(sound.any(axis=1)).tolist()
            for row in rows:
                found = self.solver.row_pulses(row, applied[row : row + 1], sound[row : row + 1])
                current[row] = found.current[0]
                for part in PARTS:
                    energy[part][row] = found.power[part][0] * self.t_pulse
            energy["drivers"] += self._into_shorts(applied).sum(axis=1) * self.t_pulse
            count = int(written.any(axis=1).sum())
        self._move(current.ravel(), written.ravel())
        return Pulsed(current=current, energy=energy, time=count * self.t_pulse, limited=limited)

    def _into_shorts(self, volts: Floats) -> Floats:
        """Power of the drivers of lines that are shorted to ground, by the cell that was meant [W]."""
        config, shorted = self.solver.config, np.zeros(self.shape, dtype=bool)
        if config.order is Order.CELL:
            shorted[list(self.faults.short_rows)] = True
        else:  # columns are driven
            shorted[:, list(self.faults.short_columns)] = True
        return np.where(shorted, volts**2 / config.r_output, 0.0)

    def _shared_pulses(self, volts: Floats, written: Mask, limited: Mask) -> Pulsed:
        """Pulses that every cell of the array sees a part of, one after another."""
        current = np.zeros(self.shape)
        energy = {part: np.zeros(self.shape[0]) for part in PARTS}
        everywhere = np.ones(written.size, dtype=bool)
        for row, column in np.argwhere(written).tolist():
            inputs = self.solver.cell_inputs(row, column, float(volts[row, column]))
            found = self.solver.shared_pulses(inputs[None])
            current[row, column] = found.current[0, row, column]
            self._move(found.current[0].ravel(), everywhere)
            for part in PARTS:
                energy[part][row] += found.power[part][0] * self.t_pulse
        time = int(written.sum()) * self.t_pulse
        return Pulsed(current=current, energy=energy, time=time, limited=limited)

    def _move(self, current: Floats, which: Mask) -> None:
        chosen = np.flatnonzero(which & (current != 0.0))
        if not len(chosen):
            return
        drive = current[chosen]
        if self.faults.threshold is not None:
            drive = drive / self.faults.threshold.ravel()[chosen]
        if self.faults.cycle > 0.0:
            drive = drive / (1.0 + self.faults.cycle * self.generator.standard_normal(len(chosen)))
        state = replace(self.device.prepared(len(chosen)), s=self.s[chosen])
        self.s[chosen] = self.device.trained(state, drive[None], self.t_pulse)[0].s

    def read(self) -> Floats:
        """Hall resistance of all cells, (rows, columns), without noise [Ohm]."""
        fraction = self.device.bank.fraction(self.s).reshape(self.shape)
        if self.faults.stuck is not None:
            fraction = np.where(np.isnan(self.faults.stuck), fraction, self.faults.stuck)
        resistance: Floats = self.device.r_reset + self.device.law.delta_r * fraction
        return resistance
