"""An array as a netlist, cells as resistors and controlled sources."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from circuits.arrays.crossbar import crossbar
from circuits.spice import netlist
from circuits.spice.engine import deck_options
from compact_model.numeric import Floats
from hallspice.config.load import load_setup
from hallspice.config.setup import Setup
from hallspice.files import write_text
from nn_mapping.mapping import resistive_states


def drawn_states(setup: Setup) -> Floats:
    """States of an array of the configured size: levels of the device, drawn with the seed."""
    array = setup.config.array
    levels = setup.levels_ohm
    if not setup.array.architecture.hall:
        levels = resistive_states(levels, array.cell.r_low, array.cell.r_high)
    return np.random.default_rng(setup.config.seed).choice(levels, (array.rows, array.columns))


def write_netlist(config: Path, out: Path, *, seed: int | None = None) -> None:
    """Write a read of one tile of the configured size: levels drawn with the seed, every input full.

    Where rows take turns (`row_multiplexed`), it is the read of row 0. Capacitances of wires and arms are in it; its
    operating point does not depend on them.
    """
    setup = load_setup(config, seed, network=False)
    array = setup.config.array
    title = (
        f"hallspice: {array.architecture} {array.rows} x {array.columns}, device {setup.card.name}, "
        f"seed {setup.config.seed}"
    )
    mismatch = setup.mismatch((array.rows, array.columns))
    network = crossbar(drawn_states(setup), setup.with_capacitances(), mismatch)
    write_text(out, netlist.netlist(network, np.full(array.rows, setup.v_full), title, deck_options()))
