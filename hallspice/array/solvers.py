"""Who solves the networks of a read, for their outputs alone or in full."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from circuits.network import Network
from circuits.solve.branches import branch_currents
from circuits.solve.nodal import factor
from circuits.spice.engine import find_simulator
from circuits.spice.ngspice import node_voltages, simulate
from compact_model.numeric import Floats

CHUNK = 8
"""Vectors whose voltages and currents are held at once."""


class Solver(Protocol):
    """Solves a network for inputs (vectors, rows)."""

    @property
    def name(self) -> str:
        """What a report calls it."""

    def outputs(self, network: Network, vectors: Floats) -> Floats:
        """Outputs, (vectors, columns)."""

    def in_full(self, network: Network, vectors: Floats) -> Iterator[tuple[Floats, Floats]]:
        """Node voltages (part, nodes) [V] and branch currents (part, branches) [A], some vectors at a time."""


class NodalSolver:
    """The nodal solution."""

    name = "nodal"

    def outputs(self, network: Network, vectors: Floats) -> Floats:
        """Outputs, (vectors, columns)."""
        return factor(network).outputs(vectors)

    def in_full(self, network: Network, vectors: Floats) -> Iterator[tuple[Floats, Floats]]:
        """Node voltages and branch currents."""
        factored = factor(network)
        for start in range(0, len(vectors), CHUNK):
            yield factored.voltages_and_currents(vectors[start : start + CHUNK])


@dataclass(frozen=True, slots=True, kw_only=True)
class NgspiceSolver:
    """ngspice, which is given all vectors at once; whether it has time and memory for them is checked before."""

    runs: int
    """Networks that are solved one after another: the time slots of a read."""
    limit_s: float
    """Longest time that all of them may be expected to take [s]."""

    @property
    def name(self) -> str:
        """With its version."""
        return f"ngspice {find_simulator().version}"

    def outputs(self, network: Network, vectors: Floats) -> Floats:
        """Outputs, (vectors, columns)."""
        return simulate(network, vectors, limit_s=self.limit_s, runs=self.runs)

    def in_full(self, network: Network, vectors: Floats) -> Iterator[tuple[Floats, Floats]]:
        """Node voltages and branch currents."""
        voltages = node_voltages(network, vectors, limit_s=self.limit_s, runs=self.runs)
        for start in range(0, len(vectors), CHUNK):
            part = slice(start, start + CHUNK)
            yield voltages[part], branch_currents(network, voltages[part], vectors[part])
