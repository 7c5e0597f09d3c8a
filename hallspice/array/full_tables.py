"""All node voltages and branch currents of a read as tables, written as they are solved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

import numpy as np

from circuits.network import Network
from compact_model.numeric import Floats
from hallspice.array.solvers import Solver
from hallspice.page.csv_text import csv_body, csv_text
from hallspice.progress import Reporter

_WHERE = ("vector", "slot")


def write_full(
    tables: Sequence[TextIO],
    networks: Iterable[Network],
    vectors: Floats,
    solver: Solver,
    progress: Reporter,
) -> Iterator[Floats]:
    """Write one line per vector, time slot after time slot; yields the outputs (vectors, columns) of each slot.

    Parameters
    ----------
    tables
        Where node voltages [V] and branch currents [A] go.
    networks
        The array in each of its time slots.
    vectors
        Inputs, (vectors, rows).
    solver
        Who solves.
    progress
        Told of the vectors of a slot.
    """
    nodes, branches = tables
    for slot, network in enumerate(networks):
        if slot == 0:
            nodes.write(csv_text([*_WHERE, *(f"v_{name}_v" for name in network.node_names)], []))
            branches.write(csv_text([*_WHERE, *(f"i_{name}_a" for name in network.branch_names)], []))
        outputs: list[Floats] = []
        done = 0
        for voltages, currents in solver.in_full(network, vectors):
            for stream, table in ((nodes, voltages), (branches, currents)):
                stream.writelines(csv_body([done + k, slot, *line.tolist()] for k, line in enumerate(table)))
            outputs.append(network.read_out(voltages))
            done += len(voltages)
            progress(done, len(vectors), "vectors")
        yield np.concatenate(outputs)
