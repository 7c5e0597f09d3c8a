"""Everything about programming an array, as numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from circuits.network import Role
from circuits.read.energy import PartCosts, Work, driver_loss, read_energy
from circuits.write.circuit import PARTS
from circuits.write.faults import FaultRates
from circuits.write.plant import ModelPlant, Plant
from circuits.write.scheme import WriteConfig
from circuits.write.solver import WriteSolver
from circuits.write.write_verify import (
    Curve,
    PulseLadder,
    WriteOutcome,
    WriteRecipe,
    program,
)
from compact_model.hallbar import HallBar
from compact_model.numeric import Floats


def verify_energy(config: WriteConfig, columns: int, i_read: float, costs: PartCosts) -> float:
    """Energy of one verify read [J]: what the write driver draws, and one conversion; no supply of an amplifier.

    Parameters
    ----------
    config, columns
        How the array is written; its width.
    i_read
        Current through the cell [A].
    costs
        Of the parts around the array; ``t_on`` is the length of the read. The driver is that of writing, with its own
        efficiency.
    """
    power = {
        Role.DRIVER: i_read**2 * config.nominal_resistance(columns)
    }  # the cell's included: the total is wanted
    work = Work(reads=1, amplifiers=0, dacs=0, adcs=1, additions=0)
    return read_energy(replace(costs, driver_efficiency=config.efficiency), power, work).total


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """Everything about programming, as numbers in SI units.

    Attributes
    ----------
    config, recipe
        Circuit and drivers; how a cell gets to its level.
    curve, ladder
        What the controller knows about the device.
    device
        The cell.
    t_pulse, i_read
        Length of a write pulse [s], current of a verify read [A].
    compensated
        Drivers know the wires.
    fault_rates
        What may be wrong with an array.
    """

    config: WriteConfig
    recipe: WriteRecipe
    curve: Curve
    ladder: PulseLadder
    device: HallBar
    t_pulse: float
    i_read: float
    compensated: bool
    fault_rates: FaultRates

    def plant(self, solver: WriteSolver, generator: np.random.Generator) -> ModelPlant:
        """An array in the compact model, with faults that the generator draws."""
        return ModelPlant(
            solver=solver,
            device=self.device,
            t_pulse=self.t_pulse,
            compensated=self.compensated,
            faults=self.fault_rates.drawn(solver.shape, generator),
            generator=generator,
        )

    def outcome(
        self, target: Floats, plant: Plant, seed: int, observe: Callable[[int, Floats], None] | None = None
    ) -> WriteOutcome:
        """Program one array; `target` (rows, columns) [Ohm], the others as for `program`.

        Its energy is what the drivers draw: with what they take beyond what they deliver, as a part of `drivers`.
        """
        generator = np.random.default_rng([seed, 1])
        limit = self.config.v_compliance
        done = program(plant, target, self.recipe, self.curve, self.ladder, limit, generator, observe)
        loss = driver_loss(math.fsum(done.energy[part] for part in PARTS), self.config.efficiency)
        return replace(done, energy={**done.energy, "drivers": done.energy["drivers"] + loss})
