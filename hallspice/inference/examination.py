"""A network on an array, examined: built, evaluated, checked in ngspice, programmed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from circuits.arrays.architecture import Architecture
from circuits.write.writing import Writing
from compact_model.hallbar import hall_bar
from compact_model.numeric import Floats
from hallspice.config.setup import Setup
from hallspice.inference.certificate import certificate_of
from hallspice.inference.chip import Chip
from hallspice.inference.results import ReadCertificate, Uncertainty
from hallspice.networks.kept import Networks, make_networks, on_tiles
from hallspice.programming.plan import writing
from hallspice.progress import Reporter
from nn_mapping.accuracy import Ablation, Evaluation
from nn_mapping.data import Dataset
from nn_mapping.mapping import MappedNetwork
from nn_mapping.programmed import ProgrammedNetwork, programmed_network
from nn_mapping.tiles import SolvedTiles, solve_network

EVALUATED = (Architecture.ACTIVE_PARALLEL, Architecture.ACTIVE_SERIES, Architecture.RESISTIVE)
"""Architectures that networks are evaluated on: one scale for all tiles, currents out of every column at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Programmed:
    """The network as simulated programming leaves it."""

    network: ProgrammedNetwork
    plan: Writing
    accuracy: float
    """Through the circuit, with the states that were reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """A chip, and all that was found on it."""

    chip: Chip
    networks: Networks
    evaluation: Evaluation
    causes: Ablation
    drop: Floats
    """Voltage across each cell of the largest tile, all inputs full [V]."""
    certificate: ReadCertificate
    programmed: Programmed | None
    uncertainty: Uncertainty | None = None


def unevaluated(setup: Setup) -> str:
    """Why networks are not evaluated on the configured architecture; empty when they are."""
    if setup.array.architecture in EVALUATED:
        return ""
    return (
        f"{setup.array.architecture} has no evaluation of networks, allowed: {', '.join(EVALUATED)}. "
        "`hallspice read` and `hallspice compare` take every architecture."
    )


def write_plan(setup: Setup) -> Writing | None:
    """How the tiles are programmed; None when the configuration takes ideal states."""
    if setup.config.write.states != "programmed":
        return None
    return writing(setup, hall_bar(setup.card), setup.config.array.columns)


def build(setup: Setup, dataset: Dataset, progress: Reporter, *, workers: int) -> tuple[Chip, Networks]:
    """Train the networks (or take them from the cache), map them to tiles, and solve the tiles."""
    networks = make_networks(setup, dataset, progress)
    mapped = on_tiles(setup, networks.level_network, networks.levels)
    solved = _solved(mapped, setup, workers, _named(progress, "solving tiles"))
    return Chip(setup=setup, dataset=dataset, mapped=mapped, solved=solved), networks


def examine(
    chip: Chip, networks: Networks, plan: Writing | None, netlists: Path, progress: Reporter, *, workers: int
) -> Examination:
    """Evaluate a chip, check it in ngspice, and program it when there is a `plan`."""
    progress(0, 3, "evaluating: test images through the circuit")
    evaluation = chip.evaluation()
    progress(1, 3, "evaluating: one cause at a time")
    causes = chip.causes(evaluation)
    progress(2, 3, "evaluating: IR drop")
    drop = chip.ir_drop()
    progress(3, 3, "evaluating: done")
    return Examination(
        chip=chip,
        networks=networks,
        evaluation=evaluation,
        causes=causes,
        drop=drop,
        certificate=certificate_of(chip, netlists, progress),
        programmed=None if plan is None else _programmed(chip, plan, progress, workers),
    )


def _programmed(chip: Chip, plan: Writing, progress: Reporter, workers: int) -> Programmed:
    """Write every tile, and evaluate what was reached."""
    written = programmed_network(chip.mapped, plan, chip.seed, progress)
    solved = _solved(written.mapped, chip.setup, workers, _named(progress, "solving written tiles"))
    reached = dataclasses.replace(chip, mapped=written.mapped, solved=solved).evaluation()
    return Programmed(network=written, plan=plan, accuracy=reached.accuracy)


def _solved(
    mapped: MappedNetwork, setup: Setup, workers: int, progress: Callable[[int, int, str], None]
) -> SolvedTiles:
    mismatches = [setup.mismatch(tile.states.shape, number) for number, tile in enumerate(mapped.tiles)]
    exact = setup.config.array.exact
    return solve_network(mapped, setup.array, mismatches, exact=exact, workers=workers, progress=progress)


def _named(progress: Reporter, name: str) -> Callable[[int, int, str], None]:
    return lambda done, total, message: progress(done, total, f"{name}: {message}")
