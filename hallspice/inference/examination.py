"""A network on an array, examined: built, evaluated, checked in ngspice, programmed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from circuits.arrays.architecture import Architecture, Isolation
from circuits.write.writing import Writing
from compact_model.hallbar import hall_bar
from compact_model.numeric import Floats
from hallspice.config.setup import Setup
from hallspice.inference.certificate import certificate_of
from hallspice.inference.model_on_arrays import ModelOnArrays, placed, solved_tiles
from hallspice.inference.results import ReadCertificate, Uncertainty
from hallspice.networks.kept import chip_of
from hallspice.networks.subject import Subject, subject_of
from hallspice.programming.plan import writing
from hallspice.progress import Reporter
from nn_mapping.accuracy import Ablation, Evaluation
from nn_mapping.data import Dataset
from nn_mapping.programmed import ProgrammedNetwork, programmed_network


@dataclass(frozen=True, slots=True, kw_only=True)
class Programmed:
    """The network as simulated programming leaves it."""

    network: ProgrammedNetwork
    plan: Writing
    accuracy: float
    """Through the circuit, with the states that were reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """A model on arrays, and all that was found on them."""

    on_arrays: ModelOnArrays
    subject: Subject
    evaluation: Evaluation
    causes: Ablation
    drop: Floats
    """Voltage across each cell of the largest tile, all inputs full [V]."""
    certificate: ReadCertificate
    programmed: Programmed | None
    uncertainty: Uncertainty | None = None


def unevaluated(setup: Setup) -> str:
    """Why networks are not evaluated on the configured architecture; empty when they are."""
    array = setup.array
    if array.architecture is not Architecture.SERIES_HALL or array.isolation is Isolation.IDEAL:
        return ""
    others = ", ".join(one for one in Architecture if one is not Architecture.SERIES_HALL)
    return (
        "series_hall as drawn carries no network: the Hall arms of its columns join the rows, and their common mode is "
        f"a thousand times the signal; allowed: array.series.isolation: ideal, or {others}. "
        "`hallspice read` and `hallspice compare` take every architecture."
    )


def write_plan(setup: Setup) -> Writing | None:
    """How the tiles are programmed; None when the configuration takes ideal states."""
    if setup.config.write.states != "programmed":
        return None
    return writing(setup, hall_bar(setup.card), setup.config.array.columns)


def build(
    setup: Setup, dataset: Dataset, progress: Reporter, *, workers: int, network_file: Path | None = None
) -> tuple[ModelOnArrays, Subject]:
    """Make the network of a configuration (`subject_of`), put it on arrays, and solve these."""
    subject = subject_of(setup, dataset, progress, network_file)
    chip = chip_of(setup, subject.levels)
    return placed(setup, subject.model, chip, subject.examples, progress, workers=workers), subject


def examine(
    on_arrays: ModelOnArrays,
    subject: Subject,
    plan: Writing | None,
    netlists: Path,
    progress: Reporter,
    *,
    workers: int,
) -> Examination:
    """Evaluate a model on arrays, check it in ngspice, and program it when there is a `plan`."""
    progress(0, 3, "evaluating: test images through the circuit")
    evaluation = on_arrays.evaluation()
    progress(1, 3, "evaluating: one cause at a time")
    causes = on_arrays.causes(evaluation)
    progress(2, 3, "evaluating: IR drop")
    drop = on_arrays.ir_drop()
    progress(3, 3, "evaluating: done")
    return Examination(
        on_arrays=on_arrays,
        subject=subject,
        evaluation=evaluation,
        causes=causes,
        drop=drop,
        certificate=certificate_of(on_arrays, netlists, progress),
        programmed=None if plan is None else _programmed(on_arrays, plan, progress, workers),
    )


def _programmed(on_arrays: ModelOnArrays, plan: Writing, progress: Reporter, workers: int) -> Programmed:
    """Write every tile, and evaluate what was reached."""
    written = programmed_network(on_arrays.tiles, plan, on_arrays.seed, progress)
    solved = solved_tiles(on_arrays.setup, written.tiles, "solving written tiles", progress, workers)
    reached = on_arrays.written(written.tiles, solved).evaluation()
    return Programmed(network=written, plan=plan, accuracy=reached.accuracy)
