"""A network whose tiles were written."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from circuits.write.write_verify import (
    CellVerdict,
    WriteOutcome,
)
from circuits.write.writing import Writing
from nn_mapping.mapping import MappedNetwork

MOST_LISTED = 1000
"""Cells given up that are listed one by one."""


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

    def summary(self, writing: Writing) -> dict[str, Any]:
        """What ``results.json`` says of it."""
        given_up = [
            {
                "tile": tile.name,
                "row": row,
                "column": column,
                "target_ohm": float(outcome.target[row, column]),
                "achieved_ohm": float(outcome.achieved[row, column]),
                "reason": CellVerdict(outcome.verdict[row, column]).text,
            }
            for tile, outcome in zip(self.mapped.tiles, self.outcomes, strict=True)
            for row, column in np.argwhere(~outcome.written).tolist()
        ]
        error = np.concatenate([outcome.error.ravel() for outcome in self.outcomes])
        return {
            "scheme": str(writing.config.scheme),
            "order": str(writing.config.order),
            "algorithm": str(writing.recipe.algorithm),
            "cells": self.cells,
            "written": self.written,
            "pulses": self.pulses,
            "rms_error_ohm": float(np.sqrt(np.mean(error**2))),
            "largest_error_ohm": float(np.abs(error).max()),
            "energy_j": {"total": self.total_energy, **self.energy},
            "time_s": self.time,
            "time_tiles_parallel_s": self.time_parallel,
            "peak_temperature_k": self.peak_temperature,
            "given_up": given_up[:MOST_LISTED],
            "given_up_count": len(given_up),
        }
