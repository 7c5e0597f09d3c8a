"""A network whose tiles are written."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from circuits.write.circuit import PARTS
from circuits.write.solver import WriteSolver
from circuits.write.write_verify import VERIFY, WriteOutcome
from circuits.write.writing import Writing
from compact_model.numeric import Floats
from nn_mapping.mapping import MappedNetwork


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgrammedNetwork:
    """A network whose tiles were written."""

    mapped: MappedNetwork  # with the states that were reached
    outcomes: tuple[WriteOutcome, ...]
    energy: dict[str, float]  # part -> [J]
    time: float  # one tile after another [s]
    time_parallel: float  # all tiles at once [s]
    peak_temperature: float  # [K]

    @property
    def cells(self) -> int:
        """Cells in all tiles."""
        return sum(outcome.target.size for outcome in self.outcomes)

    @property
    def written(self) -> int:
        """Cells that have their level, by what the controller read."""
        return sum(int(outcome.written.sum()) for outcome in self.outcomes)

    @property
    def pulses(self) -> int:
        """Write pulses in all."""
        return sum(int(outcome.pulses.sum()) for outcome in self.outcomes)

    @property
    def total_energy(self) -> float:
        """All parts [J]."""
        return math.fsum(self.energy.values())


def programmed_network(
    mapped: MappedNetwork, writing: Writing, seed: int, progress: Callable[[int, int, str], None]
) -> ProgrammedNetwork:
    """Write every tile of a network; tiles of one size share their circuit.

    Parameters
    ----------
    mapped
        The network with the levels that are wanted.
    writing
        How.
    seed
        Of faults, cycle-to-cycle noise and the noise of reads; each tile has its own.
    progress
        Called with tiles done, tiles in all, and what is being written.
    """
    levels = mapped.level_set.levels_ohm
    solvers: dict[tuple[int, int], WriteSolver] = {}
    tiles, outcomes = [], []
    for number, tile in enumerate(mapped.tiles):
        progress(number, len(mapped.tiles), f"writing: {tile.name}")
        rows, columns = tile.states.shape
        if (rows, columns) not in solvers:
            solvers[rows, columns] = WriteSolver(rows, columns, writing.config)
        plant = writing.plant(solvers[rows, columns], np.random.default_rng([seed, number, 2]))
        outcome = writing.outcome(levels[tile.level_index], plant, seed + number)
        outcomes.append(outcome)
        tiles.append(replace(tile, states=_states(mapped, writing, outcome.achieved)))
    progress(len(mapped.tiles), len(mapped.tiles), "writing: done")
    largest = max(float(outcome.largest_current.max()) for outcome in outcomes)
    heat = writing.device.heat
    return ProgrammedNetwork(
        mapped=replace(mapped, tiles=tuple(tiles)),
        outcomes=tuple(outcomes),
        energy={part: sum(outcome.energy[part] for outcome in outcomes) for part in (*PARTS, VERIFY)},
        time=sum(outcome.time for outcome in outcomes),
        time_parallel=max(outcome.time for outcome in outcomes),
        peak_temperature=float(heat.temperature(heat.rise_after(largest, writing.t_pulse))),
    )


def _states(mapped: MappedNetwork, writing: Writing, achieved: Floats) -> Floats:
    """States of cells with these Hall resistances [Ohm].

    Where cells are resistors, by the same line between conductance and Hall resistance that the levels follow.
    """
    if writing.config.architecture.hall:
        return achieved
    slope = np.polyfit(mapped.level_set.levels_ohm, 1 / mapped.state_ohm, 1)
    return np.asarray(1 / np.maximum(np.polyval(slope, achieved), 1e-15))
