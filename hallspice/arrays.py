"""The user's own array: read with any inputs, or written as a netlist."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from circuits import ngspice, spice
from circuits.array_config import Architecture, Mismatch
from circuits.arrays import crossbar, slots
from circuits.nodal import factor
from circuits.transfer import Method, transfers
from compact_model import synapse
from compact_model.document import DocumentError, Mistake
from compact_model.quantity import Quantity
from hallspice.files import write_text
from hallspice.setup import Setup, load_setup
from hallspice.tables import csv_text, read_matrix
from nn_mapping.mapping import resistive_states

Floats = npt.NDArray[np.float64]

ROUNDING = 1e-6  # a published level may lie this far outside the window that it was rounded from, relative


class Engine(StrEnum):
    """Who solves the network."""

    NODAL = "nodal"
    """Every tile in full."""
    TRANSFER = "transfer"
    """The quickest method: first order in the Hall resistance, or a solver for regular resistive grids."""
    NGSPICE = "ngspice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """An array that was read."""

    files: list[Path]
    vectors: int
    columns: int
    how: str
    """Who solved it."""


def read_array(config: Path, states: Path, inputs: Path, out: Path, *, engine: Engine, full: bool) -> Reading:
    """Read an array of given states with given inputs, and write its outputs.

    Parameters
    ----------
    config
        YAML configuration; its array section describes everything but size and states.
    states
        CSV of cell states in ohm, one line per row of the array.
    inputs
        CSV of input vectors in the architecture's unit, one line per vector, one number per row of the array.
    out
        CSV to write: one line per vector, one output per column.
    engine
        Solver.
    full
        Also write all node voltages and branch currents beside `out` (engine `nodal`).

    """
    setup = load_setup(config, network=False)
    if full and engine is not Engine.NODAL:
        raise ValueError(
            f"--full needs the engine nodal, not {engine}: only it keeps all voltages and currents"
        )
    matrix = read_matrix(states, state_quantity(setup))
    vectors = read_matrix(inputs, _input_quantity(setup))
    if vectors.shape[1] != matrix.shape[0]:
        what = (
            f"{vectors.shape[1]} inputs per vector, but {states} has {matrix.shape[0]} rows; give one per row"
        )
        raise DocumentError([Mistake(str(inputs), None, "", what)])
    mismatch = setup.mismatch(matrix.shape)
    outputs, how = _solved(setup, matrix, vectors, mismatch, engine)
    letter, unit = ("i", "a") if setup.array.architecture.output_unit == "A" else ("v", "v")
    header = [f"{letter}_column_{column}_{unit}" for column in range(matrix.shape[1])]
    written = {out: csv_text(header, outputs.tolist())}
    if full:
        written |= _everything(setup, matrix, vectors, mismatch, out)
    for path, text in written.items():
        write_text(path, text)
    return Reading(files=list(written), vectors=len(outputs), columns=len(header), how=how)


def _solved(
    setup: Setup, states: Floats, vectors: Floats, mismatch: Mismatch | None, engine: Engine
) -> tuple[Floats, str]:
    """Outputs (vectors, columns), and how they were found."""
    if engine is Engine.NGSPICE:
        parts = [
            ngspice.simulate(crossbar(states, setup.array, mismatch, slot=slot), vectors)
            for slot in range(slots(setup.array, len(states)))
        ]
        return np.asarray(np.sum(parts, axis=0)), f"ngspice {ngspice.find_simulator().version}"
    method = Method.NODAL if engine is Engine.NODAL else None
    found = transfers(states, setup.array, mismatch, method=method)
    how = engine.value if engine is Engine.NODAL else f"{found.method} ({found.reason})"
    return vectors @ found.matrices[0].T, how


def _everything(
    setup: Setup, states: Floats, vectors: Floats, mismatch: Mismatch | None, out: Path
) -> dict[Path, str]:
    """Tables of node voltages and branch currents, one line per vector and time slot."""
    nodes, branches = [], []
    for slot in range(slots(setup.array, len(states))):
        network = crossbar(states, setup.array, mismatch, slot=slot)
        factored = factor(network)
        voltages, currents = factored.solve(vectors).node_voltages, factored.currents(vectors)
        nodes += [[vector, slot, *row] for vector, row in enumerate(voltages.tolist())]
        branches += [[vector, slot, *row] for vector, row in enumerate(currents.tolist())]
    where = ["vector", "slot"]
    return {
        out.with_name(f"{out.stem}-nodes.csv"): csv_text(
            [*where, *(f"v_{n}_v" for n in network.node_names)], nodes
        ),
        out.with_name(f"{out.stem}-branches.csv"): csv_text(
            [*where, *(f"i_{n}_a" for n in network.branch_names)], branches
        ),
    }


def _input_quantity(setup: Setup) -> Quantity:
    if setup.array.architecture.input_unit == "V":
        return Quantity("V", "an input (voltage of a row)", low=-1000.0, high=1000.0)
    return Quantity("A", "an input (current of a row)", low=-10.0, high=10.0)


def state_quantity(setup: Setup) -> Quantity:
    """What a cell's state is in the configured architecture, and its range."""
    if setup.array.architecture is Architecture.RESISTIVE:
        return Quantity("ohm", "a cell resistance", above=0.0, high=1e15)
    low = setup.card.hall.r_reset.value
    high = low + synapse.window(setup.card)
    return Quantity("ohm", "a Hall resistance", low=low * (1 - ROUNDING), high=high * (1 + ROUNDING))


def drawn_states(setup: Setup) -> Floats:
    """States of an array of the configured size: levels of the device, drawn with the seed."""
    array = setup.config.array
    levels = setup.levels_ohm
    if setup.array.architecture is Architecture.RESISTIVE:
        levels = resistive_states(levels, array.cell.r_low, array.cell.r_high)
    return np.random.default_rng(setup.config.seed).choice(levels, (array.rows, array.columns))


def write_netlist(config: Path, out: Path, *, seed: int | None = None) -> None:
    """Write a read of one tile of the configured size: levels drawn with the seed, every input full.

    Where rows take turns (`row_multiplexed`), it is the read of row 0.
    """
    setup = load_setup(config, seed, network=False)
    array = setup.config.array
    title = (
        f"hallspice: {array.architecture} {array.rows} x {array.columns}, device {setup.card.name}, "
        f"seed {setup.config.seed}"
    )
    network = crossbar(drawn_states(setup), setup.array, setup.mismatch((array.rows, array.columns)))
    write_text(out, spice.netlist(network, np.full(array.rows, setup.v_full), title))
