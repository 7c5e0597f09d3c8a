"""A network whose tiles were written."""

from __future__ import annotations

import math
from dataclasses import dataclass

from circuits.write.write_verify import WriteOutcome
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
