"""The user's own array: read with any inputs, or written as a netlist."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from circuits import ngspice, spice
from circuits.arrays import Architecture, crossbar
from circuits.nodal import factor
from compact_model import synapse
from compact_model.document import DocumentError, Mistake
from compact_model.quantity import Quantity
from hallspice.files import write_text
from hallspice.setup import Setup, load_setup
from hallspice.tables import csv_text, read_matrix
from nn_mapping.mapping import resistive_states

INPUT = Quantity("V", "an input", low=-1000.0, high=1000.0)
ROUNDING = 1e-6  # a published level may lie this far outside the window that it was rounded from, relative


def read_array(config: Path, states: Path, inputs: Path, out: Path, *, use_ngspice: bool) -> tuple[int, int]:
    """Read an array of given states with given inputs, and write its column currents.

    Parameters
    ----------
    config
        YAML configuration; its array section describes everything but size and states.
    states
        CSV of cell states in ohm, one line per row of the array.
    inputs
        CSV of input vectors in volt, one line per vector, one number per row of the array.
    out
        CSV to write: one line per vector, column currents in ampere.
    use_ngspice
        Solve in ngspice instead of the nodal solver.

    Returns
    -------
    Numbers of vectors and of columns.
    """
    setup = load_setup(config)
    matrix = read_matrix(states, state_quantity(setup))
    vectors = read_matrix(inputs, INPUT)
    if vectors.shape[1] != matrix.shape[0]:
        what = (
            f"{vectors.shape[1]} inputs per vector, but {states} has {matrix.shape[0]} rows; give one per row"
        )
        raise DocumentError([Mistake(str(inputs), None, "", what)])
    network = crossbar(matrix, setup.array)
    currents = ngspice.simulate(network, vectors) if use_ngspice else factor(network).solve(vectors).outputs
    header = [f"i_column_{column}_a" for column in range(matrix.shape[1])]
    write_text(out, csv_text(header, currents.tolist()))
    return currents.shape


def state_quantity(setup: Setup) -> Quantity:
    """What a cell's state is in the configured architecture, and its range."""
    if setup.array.architecture is Architecture.RESISTIVE:
        return Quantity("ohm", "a cell resistance", above=0.0, high=1e15)
    low = setup.card.hall.r_reset.value
    high = low + synapse.window(setup.card)
    return Quantity("ohm", "a Hall resistance", low=low * (1 - ROUNDING), high=high * (1 + ROUNDING))


def write_netlist(config: Path, out: Path, *, seed: int | None = None) -> None:
    """Write a read of one tile of the configured size: levels drawn with the seed, every input full."""
    setup = load_setup(config, seed)
    array = setup.config.array
    levels = setup.levels_ohm
    if setup.array.architecture is Architecture.RESISTIVE:
        levels = resistive_states(levels, array.cell.r_low, array.cell.r_high)
    states = np.random.default_rng(setup.config.seed).choice(levels, (array.rows, array.columns))
    title = (
        f"hallspice: {array.architecture} {array.rows} x {array.columns}, device {setup.card.name}, "
        f"seed {setup.config.seed}"
    )
    network = crossbar(states, setup.array)
    write_text(out, spice.netlist(network, np.full(array.rows, setup.v_full), title))
