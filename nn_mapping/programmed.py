"""A network whose tiles are written."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from circuits.write.circuit import PARTS
from circuits.write.solver import WriteSolver
from circuits.write.write_verify import VERIFY, WriteOutcome
from circuits.write.writing import Writing
from nn_mapping.analog.placement import Tile


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgrammedNetwork:
    """A network whose tiles were written."""

    tiles: tuple[Tile, ...]  # with the states that were reached
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
    tiles: Sequence[Tile], writing: Writing, seed: int, progress: Callable[[int, int, str], None]
) -> ProgrammedNetwork:
    """Write every tile of a network; tiles of one size share their circuit.

    Parameters
    ----------
    tiles
        With the levels that are wanted.
    writing
        How.
    seed
        Of faults, cycle-to-cycle noise and the noise of reads; each tile has its own.
    progress
        Called with tiles done, tiles in all, and what is being written.
    """
    solvers: dict[tuple[int, int], WriteSolver] = {}
    reached, outcomes = [], []
    for number, tile in enumerate(tiles):
        progress(number, len(tiles), f"writing: {tile.name}")
        if tile.shape not in solvers:
            solvers[tile.shape] = WriteSolver(*tile.shape, writing.config)
        plant = writing.plant(solvers[tile.shape], np.random.default_rng([seed, number, 2]))
        outcome = writing.outcome(tile.target, plant, seed + number)
        outcomes.append(outcome)
        states = tile.states_of(outcome.achieved, hall=writing.config.architecture.hall)
        reached.append(replace(tile, states=states))
    progress(len(tiles), len(tiles), "writing: done")
    largest = max(float(outcome.largest_current.max()) for outcome in outcomes)
    heat = writing.device.heat
    return ProgrammedNetwork(
        tiles=tuple(reached),
        outcomes=tuple(outcomes),
        energy={part: sum(outcome.energy[part] for outcome in outcomes) for part in (*PARTS, VERIFY)},
        time=sum(outcome.time for outcome in outcomes),
        time_parallel=max(outcome.time for outcome in outcomes),
        peak_temperature=float(heat.temperature(heat.rise_after(largest, writing.t_pulse))),
    )
