"""The user's own array: read with any inputs, or written as a netlist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np

from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar, slots
from circuits.arrays.mismatch import Mismatch
from circuits.network import Network
from circuits.solve.nodal import factor
from circuits.solve.transfer import Method, transfers
from circuits.spice.size import LONGEST
from compact_model import switching, synapse
from compact_model.cards.csv_table import read_matrix
from compact_model.cards.document import Document, DocumentError, Mistake, read_document
from compact_model.cards.quantity import Quantity
from compact_model.constants import LEAST_RESISTANCE
from compact_model.numeric import Floats
from hallspice.array.full_tables import write_full
from hallspice.array.read_engine import ReadEngine
from hallspice.array.solvers import NgspiceSolver, NodalSolver, Solver
from hallspice.config.demand import Demand
from hallspice.config.load import setup_of
from hallspice.config.setup import Setup
from hallspice.files import text_file
from hallspice.page.csv_text import csv_lines
from hallspice.progress import Reporter

ROUNDING = 1e-6  # a published level may lie this far outside the window that it was rounded from, relative


FIRST_ORDER = 5e-6
"""Largest relative error that the first order in the Hall resistance has in ordinary arrays."""

CHECKED_CELLS = 100_000
"""Cells, in all time slots together, up to which a first-order read is compared with the full solution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """An array that was read."""

    files: list[Path]
    vectors: int
    columns: int
    how: str
    """Who solved it."""
    difference: Difference | None
    """How far a first-order read is from the full solution; None where it isn't known, or there is nothing to know."""
    warnings: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A first-order read beside the full solution."""

    transfer: float
    """Largest difference of an entry of the transfer matrix over its largest entry [1]."""
    outputs: float
    """Largest difference of an output over the largest output of its vector [1]."""


def read_array(
    config: Path,
    states: Path,
    inputs: Path,
    out: Path,
    *,
    engine: ReadEngine,
    full: bool,
    seed: int | None = None,
    longest: float | None = None,
    progress: Reporter,
) -> Reading:
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
        Also write all node voltages and branch currents beside `out` (not for engine `transfer`).
    seed
        Replaces that of the configuration.
    longest
        Longest time that ngspice may be expected to take [s]; None: `circuits.spice.size.LONGEST`.
    progress
        Told of time slots, and of vectors that are solved in full.
    """
    document = read_document(config)
    setup = setup_of(document, seed, Demand.READ)
    _check_options(setup, document, engine, full=full, longest=longest)
    tables = [out.with_name(f"{out.stem}-{what}.csv") for what in ("nodes", "branches")] if full else []
    for path in (out, *tables):
        if path.resolve() in {given.resolve() for given in (config, states, inputs)}:
            raise ValueError(f"--out {out}: {path} is read by this command; name another file")
    matrix, vectors = _given(setup, states, inputs)
    array, mismatch = setup.array, setup.mismatch(matrix.shape)
    networks = _networks(matrix, array, mismatch, progress)
    letter, unit = ("i", "a") if array.architecture.output_unit == "A" else ("v", "v")
    header = [f"{letter}_column_{column}_{unit}" for column in range(matrix.shape[1])]
    with ExitStack() as opened:
        stream, *full_tables = [opened.enter_context(text_file(path)) for path in (out, *tables)]
        if engine is ReadEngine.TRANSFER:
            solved = _first_order(matrix, vectors, array, mismatch, networks)
        else:
            runs, limit_s = slots(array, len(matrix)), LONGEST if longest is None else longest
            nodal = engine is ReadEngine.NODAL
            solver: Solver = NodalSolver() if nodal else NgspiceSolver(runs=runs, limit_s=limit_s)
            if full:
                parts = write_full(full_tables, networks, vectors, solver, progress)
            else:
                parts = (solver.outputs(network, vectors) for network in networks)
            solved = _Solved(outputs=_sum(parts), how=solver.name)
        stream.writelines(csv_lines(header, (line.tolist() for line in solved.outputs)))
    return Reading(
        files=[out, *tables],
        vectors=len(solved.outputs),
        columns=len(header),
        how=solved.how,
        difference=solved.difference,
        warnings=[*_disturbing(setup, vectors), *_too_coarse(solved.difference)],
    )


def _check_options(
    setup: Setup, document: Document, engine: ReadEngine, *, full: bool, longest: float | None
) -> None:
    if full and engine is ReadEngine.TRANSFER:
        raise ValueError(
            "--full needs the engine nodal or ngspice: transfer computes no voltages and currents of the array"
        )
    if longest is not None and engine is not ReadEngine.NGSPICE:
        raise ValueError(f"--longest is for the engine ngspice, but the engine is {engine}; leave it out")
    if setup.array.architecture.hall and setup.config.array.exact and engine is ReadEngine.TRANSFER:
        what = "true asks for the full solution, but --engine transfer is of first order; take --engine nodal"
        raise DocumentError([document.mistake(("array", "exact"), what)])


def _given(setup: Setup, states: Path, inputs: Path) -> tuple[Floats, Floats]:
    """States (rows, columns) [ohm] and input vectors (vectors, rows) of the user's files."""
    matrix = read_matrix(states, state_quantity(setup))
    vectors = read_matrix(inputs, _input_quantity(setup, matrix.shape[1]))
    if vectors.shape[1] != matrix.shape[0]:
        what = (
            f"{vectors.shape[1]} inputs per vector, but {states} has {matrix.shape[0]} rows; give one per row"
        )
        raise DocumentError([Mistake(str(inputs), None, "", what)])
    return matrix, vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class _Solved:
    """What an engine says of a read."""

    outputs: Floats  # (vectors, columns)
    how: str
    difference: Difference | None = None


def _first_order(
    states: Floats,
    vectors: Floats,
    array: ArrayConfig,
    mismatch: Mismatch | None,
    networks: Iterable[Network],
) -> _Solved:
    found = transfers(states, array, mismatch)
    how = f"{found.method} ({found.reason})"
    difference = None
    if found.method is Method.TENSOR:
        if states.size * slots(array, len(states)) <= CHECKED_CELLS:
            difference = _difference(found.matrices[0], _nodal_transfer(networks), vectors)
        else:
            how += f", not compared with the full solution: more than {CHECKED_CELLS} cells in all time slots"
    return _Solved(outputs=vectors @ found.matrices[0].T, how=how, difference=difference)


def _networks(
    states: Floats, array: ArrayConfig, mismatch: Mismatch | None, progress: Reporter
) -> Iterator[Network]:
    """The array in each of its time slots."""
    count = slots(array, len(states))
    for slot in range(count):
        yield crossbar(states, array, mismatch, slot=slot)
        if count > 1:
            progress(slot + 1, count, "time slots")


def _sum(parts: Iterable[Floats]) -> Floats:
    """Sum over the time slots, one at a time in memory."""
    return reduce(np.add, parts)


def _nodal_transfer(networks: Iterable[Network]) -> Floats:
    """Transfer matrix by the full solution, (columns, rows)."""
    return _sum(factor(network).transfer() for network in networks)


def _difference(found: Floats, exact: Floats, vectors: Floats) -> Difference:
    outputs = vectors @ exact.T
    largest = np.abs(outputs).max(axis=1)
    apart = np.abs(vectors @ found.T - outputs).max(axis=1)
    return Difference(
        transfer=float(np.abs(found - exact).max() / np.abs(exact).max()),
        outputs=float(np.max(apart[largest > 0] / largest[largest > 0], initial=0.0)),
    )


def _too_coarse(difference: Difference | None) -> Iterator[str]:
    if difference is None:
        return
    worst = max(difference.transfer, difference.outputs)
    if worst > FIRST_ORDER:
        yield (
            f"first order in the Hall resistance is {worst:.1e} from the full solution here, more than the "
            f"{FIRST_ORDER:g} of ordinary arrays: take --engine nodal"
        )


def _disturbing(setup: Setup, vectors: Floats) -> Iterator[str]:
    """Whether the inputs switch cells: by the current of a channel before losses in wires and drivers."""
    if not setup.array.architecture.hall:
        return
    onset = switching.disturb_onset_current(setup.card)
    largest = np.abs(vectors).max() / (
        setup.array.r_channel if setup.array.architecture.input_unit == "V" else 1
    )
    if largest >= onset:
        yield (
            f"inputs drive up to {largest:.4g} A through a channel, and the device begins to switch at {onset:.4g} A: "
            "this read disturbs the states"
        )


def _input_quantity(setup: Setup, columns: int) -> Quantity:
    """What an input is, and what the supply of the row drivers carries."""
    supply = f"the supply is {setup.v_supply:g} V"
    if setup.array.architecture.input_unit == "V":
        meaning, largest = f"an input (voltage of a row; {supply})", setup.v_supply
    else:
        row = columns * setup.array.r_channel
        meaning, largest = f"an input (current of a row of {row:g} ohm; {supply})", setup.v_supply / row
    # as it is shown: 0.6 mA is allowed where 1.8 V over 3 kohm are 0.6 mA but for rounding
    largest = float(f"{largest:.6g}")
    return Quantity(setup.array.architecture.input_unit, meaning, low=-largest, high=largest)


def state_quantity(setup: Setup) -> Quantity:
    """What a cell's state is in the configured architecture, and its range."""
    if not setup.array.architecture.hall:
        return Quantity("ohm", "a cell resistance", low=LEAST_RESISTANCE, high=1e15)
    low = setup.card.hall.r_reset.value
    high = low + synapse.window(setup.card)
    spare = ROUNDING * max(abs(low), abs(high))
    return Quantity("ohm", "a Hall resistance", low=low - spare, high=high + spare)
