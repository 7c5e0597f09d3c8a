"""What a simulation will take, and when it is refused."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from circuits.memory import available_memory
from circuits.network import BranchKind, Network, Role
from circuits.solve.branches import coupled_parts
from circuits.spice.engine import SpiceError
from compact_model.numeric import Floats

LONGEST = 300.0
"""Longest time that runs may be expected to take, where nothing else is asked for [s]."""


class TooLargeError(SpiceError):
    """A run that was refused: it would take longer than allowed, or more memory than there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Load:
    """What runs are made of, as far as it costs time and memory."""

    rows: int
    columns: int
    batch: int
    runs: int
    klu: bool
    every_node: bool
    nodes: float
    parts: Floats
    """Sizes of the sets of nodes that act on each other."""
    wires: float
    """Wires whose currents are unknowns of their own (`circuits.spice`)."""
    sources: float

    @property
    def seconds(self) -> float:
        """Rough time, fitted to arrays of 32 x 32 to 128 x 128 in version 46 on a busy machine [s].

        Without KLU ngspice orders the equations of each coupled part anew with a method whose cost grows with the
        2.5th power of their number. It looks through all sources for that of each wire with a current of its own.
        """
        parts = self.parts / 8400
        found = 2.6e-8 * self.wires**2
        if self.klu:
            found += self.nodes * (2.5e-5 + 3e-6 * self.batch)
            found += (0.3 + 0.25 * self.batch) * float(np.sum(parts**1.5))
        else:
            parts = parts * (1 + 2 * self.wires / self.nodes)
            found += self.nodes * (7e-5 + 2.2e-5 * self.batch)
            found += (9.4 + 2.3 * self.batch) * float(np.sum(parts**2.5))
        if self.every_node:
            found += self.nodes * (1e-4 + 5e-6 * self.batch)
        return self.runs * found

    @property
    def memory(self) -> float:
        """Rough memory of one run, as measured with `seconds` [byte]."""
        found = self.nodes * (3700 if self.klu else 5000) + 300 * (self.sources + self.columns) * self.batch
        return found + (self.nodes * (3000 + 250 * self.batch) if self.every_node else 0)

    def resized(self, share: float) -> _Load:
        """Those of an array whose sides are a share of these, at least one cell."""
        rows, columns = max(1, int(self.rows * share)), max(1, int(self.columns * share))
        cells = (rows + 1) * (columns + 1) / ((self.rows + 1) * (self.columns + 1))  # with drivers and senses
        longer = max(rows / self.rows, columns / self.columns)
        return replace(
            self,
            rows=rows,
            columns=columns,
            runs=1 if self.runs == 1 else rows,
            nodes=self.nodes * cells,
            parts=self.parts * (cells if len(self.parts) == 1 else longer),
            wires=self.wires * cells,
            sources=self.sources * rows / self.rows,
        )


def check_size(
    network: Network,
    batch: int,
    *,
    klu: bool,
    limit_s: float,
    runs: int = 1,
    every_node: bool = False,
    what: str = "",
) -> None:
    """`TooLargeError` where runs would take longer than `limit_s` [s], or more memory than there is.

    Parameters
    ----------
    network
        What is run.
    batch
        Input vectors, or what takes as long.
    klu
        Whether the KLU solver is used.
    limit_s
        Longest time, of all runs together [s].
    runs
        How many networks like this one.
    every_node
        Whether the voltages of all nodes are kept.
    what
        What is run, for the message: "a transient of".
    """
    wires = network.of_role(Role.WIRE)
    load = _Load(
        rows=network.n_inputs,
        columns=network.n_outputs,
        batch=batch,
        runs=runs,
        klu=klu,
        every_node=every_node,
        nodes=network.n_nodes,
        parts=coupled_parts(network).astype(float),
        wires=float(np.sum(wires & (network.kind == BranchKind.RESISTOR))) if network.common_mode else 0.0,
        sources=len(network.drive_source),
    )
    memory = available_memory()
    slow, large = load.seconds > limit_s, load.memory > memory
    if not (slow or large):
        return
    smaller = (load.resized(0.95**step) for step in range(140))
    fits = next((size for size in smaller if size.seconds <= limit_s and size.memory <= memory), None)
    wanted = [
        f"take about {load.seconds:.3g} s (allowed: {limit_s:g} s)" if slow else "",
        f"need about {load.memory / 1e9:.3g} GB of memory (available: {memory / 1e9:.3g} GB)"
        if large
        else "",
    ]
    slots = f"{load.runs} time slots of " if load.runs > 1 else ""
    vectors = "" if what else f" and {batch} input vector{'s' if batch > 1 else ''}"
    hints = [
        f"an array of {fits.rows} x {fits.columns}" if fits else "",
        "fewer input vectors" if batch > 1 and not what else "",
        "a longer limit (`read --longest`, `certificate.longest`)" if slow and not large else "",
        "an ngspice with the KLU solver (version 42 or later)" if slow and not load.klu else "",
        "another engine",
    ]
    raise TooLargeError(
        f"ngspice would {' and '.join(filter(None, wanted))} for {what + ' ' if what else slots}this"
        f" {load.rows} x {load.columns} array{vectors}",
        hint=" or ".join(filter(None, hints)),
    )
