"""Find ngspice and run networks in it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from circuits.network import GROUND, Network
from circuits.spice.engine import (
    FAILURE,
    SimulatorMissing,
    SpiceError,
    find_simulator,
    shared_ngspice,
)
from circuits.spice.netlist import HOLD, batch_deck
from circuits.spice.size import LONGEST, check_size
from compact_model.numeric import Floats, Ints
from veriloga.programs import ProgramError, bare_ngspice, how_it_ended


@dataclass(frozen=True, slots=True)
class BatchRun:
    """What ``ngspice -b`` printed: its log, and the values of ``name = number`` lines."""

    log: tuple[str, ...]
    values: Mapping[str, float]


def simulate(
    network: Network, inputs: ArrayLike, *, klu: bool | None = None, limit_s: float = LONGEST, runs: int = 1
) -> Floats:
    """Solve a batch of inputs in ngspice.

    Parameters
    ----------
    network
        The circuit.
    inputs
        (batch, inputs), in the unit of the sources.
    klu
        Which solver to use; None: KLU when this ngspice has it.
    limit_s
        Refuse when all runs together are expected to take longer [s].
    runs
        How many runs like this one there are in all: the time slots of a read.

    Returns
    -------
    (batch, outputs).

    Raises
    ------
    SimulatorMissing
        When there is no ngspice.
    TooLargeError
        When ngspice would take longer than `limit_s`, or more memory than there is.
    SpiceError
        When ngspice fails.
    """
    needed = np.unique(np.concatenate([network.output_plus, network.output_minus]))
    needed = needed[needed != GROUND]
    found = _voltages(network, inputs, needed, klu=klu, limit_s=limit_s, runs=runs)
    place = np.full(network.n_nodes + 1, len(needed))  # ground, -1, is the last
    place[needed] = np.arange(len(needed))
    found = np.hstack([found, np.zeros((len(found), 1))])
    across = found[:, place[network.output_plus]] - found[:, place[network.output_minus]]
    return np.asarray(across * network.output_scale)


def node_voltages(
    network: Network, inputs: ArrayLike, *, klu: bool | None = None, limit_s: float = LONGEST, runs: int = 1
) -> Floats:
    """As `simulate`, but the voltages of all nodes, (batch, nodes) [V]."""
    return _voltages(network, inputs, np.arange(network.n_nodes), klu=klu, limit_s=limit_s, runs=runs)


def _voltages(
    network: Network, inputs: ArrayLike, nodes: Ints, *, klu: bool | None, limit_s: float, runs: int
) -> Floats:
    """Voltages of some nodes, (batch, nodes) [V]."""
    batch = network.checked_inputs(inputs)
    if len(batch) == 0:
        return np.zeros((0, len(nodes)))
    shared = shared_ngspice()
    use_klu = find_simulator().klu if klu is None else klu
    every_node = len(nodes) == network.n_nodes
    check_size(network, len(batch), klu=use_klu, limit_s=limit_s, runs=runs, every_node=every_node)
    deck = batch_deck(network, batch, options=("klu",) if use_klu else (), every_node=every_node)
    names = [network.node_names[k] for k in nodes.tolist()]
    found = shared.run(deck, names, np.arange(len(batch), dtype=float) + HOLD / 2, HOLD / 2)
    voltages = np.stack([found[name] for name in names], axis=1)
    if not np.isfinite(voltages).all():
        raise SpiceError("ngspice returned values that are not numbers", deck=deck)
    return voltages


def transient(deck: str, vectors: Sequence[str], *, module: str | Path | None = None) -> dict[str, Floats]:
    """Run a deck with one transient analysis; whole waveforms.

    Parameters
    ----------
    deck
        The netlist.
    vectors
        Names of the wanted vectors (nodes; ``name#branch`` for source currents), lower case; time comes with them.
    module
        Compiled Verilog-A module that the deck needs; loaded once per process.

    Raises
    ------
    SimulatorMissing
        When there is no ngspice.
    SpiceError
        When ngspice fails, cannot load the module, or lacks a vector.
    """
    shared = shared_ngspice()
    if module is not None:
        if not find_simulator().osdi:
            raise SpiceError(
                "this ngspice does not load compiled Verilog-A modules", hint="version 42 or later, with OSDI"
            )
        shared.load(Path(module))
    return shared.waveforms(deck, vectors)


def run_batch(path: str | Path, *, timeout_s: float = 300.0) -> BatchRun:
    """Run a deck with ``ngspice -b``, without anybody's start-up files.

    Raises
    ------
    SimulatorMissing
        When there is no ngspice program.
    SpiceError
        When it exits with an error, says so in its log, or takes longer than `timeout_s`.
    """
    try:
        with bare_ngspice() as (start, environment):
            command = [*start, "-b", str(path)]
            run = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
            )
    except ProgramError as error:
        raise SimulatorMissing(str(error)) from None
    except subprocess.TimeoutExpired:
        raise SpiceError(f"ngspice -b {path} took longer than {timeout_s:.0f} s") from None
    log = (*run.stdout.splitlines(), *run.stderr.splitlines())
    if run.returncode or any(FAILURE.search(line) for line in log):
        what = f"ngspice -b {path} {how_it_ended(run.returncode)}"
        raise SpiceError(what, log=log, hint="look at the deck, the log names the line or the node")
    pairs = re.findall(r"^(\w+) = (\S+)$", run.stdout, re.MULTILINE)
    return BatchRun(log, {name: float(value) for name, value in pairs})
