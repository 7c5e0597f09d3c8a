"""`hallspice sweep`: a configuration over the values of some of its keys, point by point, resumable."""

from __future__ import annotations

import dataclasses
import json
import time
from collections import deque
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import BaseModel
from rich.table import Table

from circuits.workers import cores
from compact_model.cards.document import (
    Document,
    DocumentError,
    KeyPath,
    Mistake,
    Place,
    dotted,
    validate,
    validate_leniently,
)
from compact_model.cards.inputs import remembered
from hallspice import results
from hallspice.config.load import setup_of
from hallspice.config.schema import Config, Sweep
from hallspice.config.setup import Setup
from hallspice.config.source import AnyConfig, document_of
from hallspice.config.unused import unused
from hallspice.files import check_folder, staged_folder, write_text
from hallspice.inference.examination import unevaluated, write_plan
from hallspice.page.provenance import common_origins
from hallspice.page.style import engineering, percent
from hallspice.progress import SILENT, Reporter
from hallspice.results import versions_of
from hallspice.sweeps.design import (
    MAX_POINTS,
    Assignment,
    Axis,
    column_name,
    combined,
    option_axis,
    points,
    section_axes,
)
from hallspice.sweeps.executors import Cluster, LocalWorkers, Workers
from hallspice.sweeps.page import page_of, table_csv, write_parquet
from hallspice.sweeps.point import LIBRARIES, Task, code_version
from hallspice.sweeps.results import PointOutcome, PointRecord, SweepResults, TableCell
from hallspice.sweeps.summary import Summary, described, summary

FILES = ("results.csv", "results.parquet", "report.html", "figures/*.svg")
"""Names of the files in the folder, beside the index."""


INDEX = "sweep.json"
POINTS = "points"
HAS_PARQUET = find_spec("pyarrow") is not None
NO_PARQUET = 'results.parquet is not written: it needs pyarrow, pip install "hallspice[sweep]"'
LOCAL = "processes"
"""Name of the scheduler that is no cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One point of a sweep."""

    inputs: Mapping[str, TableCell]
    """Columns of the keys that change, and what they are here."""
    task: Task

    @property
    def seed(self) -> int:
        """Seed of everything random."""
        return self.task.setup.config.seed


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All points of a sweep, valid, none twice."""

    axes: Sequence[Axis]
    choices: Sweep
    points: Mapping[str, Point]
    """By the content hash of the point."""


@remembered()
def sweep(
    config: AnyConfig,
    out: str | Path,
    *,
    options: Sequence[str] = (),
    choices: Mapping[str, object] | None = None,
    seed: int | None = None,
    scheduler: str = LOCAL,
    workers: int | None = None,
    data_dir: Path | None = None,
    progress: Reporter = SILENT,
) -> SweepResults:
    """Compute every point that has no result in `out` yet, and write table, figures and report.

    Points are computed in processes: a script calls this under ``if __name__ == "__main__":``.

    Parameters
    ----------
    config
        YAML file, the same as a dict, or a `Config`; its section ``sweep`` says what changes.
    out
        Folder of the results. Finished points of an earlier sweep there are taken over when nothing that they depend
        on has changed.
    options
        Further axes ``KEY=VALUES``; they replace those of the file with the same keys.
    choices
        Replacements of other keys of the section ``sweep``, for example ``{"seeds": 5}``.
    seed
        Replacement of the configuration's seed.
    scheduler
        ``processes`` for processes on this machine, or the address of a dask scheduler.
    workers
        Number of local processes; default: one per core.
    data_dir
        Folder of the data set.
    progress
        Where to say how far it is.

    Returns
    -------
    SweepResults
        The content of ``sweep.json``.
    """
    start, out = time.perf_counter(), Path(out)
    planned = plan(config, options, choices or {}, seed, data_dir)
    check_folder(out, INDEX, FILES)
    with _alone(out):
        folder = out / POINTS
        for leftover in folder.glob(".*.json.*"):  # of a process that was killed while it wrote
            leftover.unlink(missing_ok=True)
        known = {name: _kept(folder / f"{name}.json") for name in planned.points}
        kept = {name: outcome for name, outcome in known.items() if outcome is not None and outcome.values}
        outcomes = {**kept, **_computed(planned, kept, folder, scheduler, workers, progress)}
        found = summary(
            [(point.inputs, point.seed, outcomes[name]) for name, point in planned.points.items()],
            {axis.name: [column_name(key) for key in axis.keys] for axis in planned.axes},
        )
        said = _results(planned, found, len(kept), time.perf_counter() - start)
        with staged_folder(out, INDEX, names=FILES) as stage:
            if HAS_PARQUET:
                write_parquet(stage / "results.parquet", found.rows, said)
            page, tables = page_of(found, said), {"results.csv": table_csv(found)}
            written = results.write(stage, said, page=page, tables=tables, index=INDEX)
    _say(progress, found, written, out)
    return written


def _computed(
    planned: Plan,
    kept: Mapping[str, PointOutcome],
    folder: Path,
    scheduler: str,
    workers: int | None,
    progress: Reporter,
) -> dict[str, PointOutcome]:
    """Compute the points that are not `kept`, each written to a file of its own in `folder`."""
    missing = {name: point for name, point in planned.points.items() if name not in kept}
    found: dict[str, PointOutcome] = {}
    total = len(planned.points)
    progress(len(kept), total, f"points: {len(kept)} kept from before")
    if missing:
        with closing(_workers(scheduler, workers, len(missing))) as crew:
            tasks = {name: point.task for name, point in missing.items()}
            for name, outcome in carried_out(tasks, crew):
                found[name] = outcome
                write_text(folder / f"{name}.json", _record(planned.points[name], outcome))
                progress(len(kept) + len(found), total, f"points: {_said(outcome)}")
    return found


def plan(
    config: AnyConfig,
    options: Sequence[str],
    choices: Mapping[str, object],
    seed: int | None,
    data_dir: Path | None,
) -> Plan:
    """Read the configuration, and check every point against the schema.

    Raises
    ------
    DocumentError
        With every mistake, each with the line of the file or the option that it is in.
    """
    document = document_of(config)
    base = validate(document, Config)
    chosen = Sweep.model_validate({**base.sweep.model_dump(), **choices})
    if chosen.design != "random" and chosen.points != Sweep().points:
        what = f"has no effect with design {chosen.design}; leave it out, or take design random"
        raise DocumentError([document.mistake(("sweep", "points"), what)])
    axes = combined(section_axes(document), [option_axis(text) for text in options])
    seed_axis = next((axis for axis in axes if ("seed",) in axis.keys), None)
    if seed_axis is not None and (seed is not None or chosen.seeds > 1):
        raise DocumentError(
            [Mistake(seed_axis.source, None, "seed", "give either its values, or --seed and seeds")]
        )
    first_seed = base.seed if seed is None else seed
    found: dict[str, Point] = {}
    like: Setup | None = None
    mistakes: dict[tuple[str, Place | None, str, str], Mistake] = {}
    certified: set[tuple[str, int, int]] = set()
    for assignment in points(axes, chosen.design, chosen.points, first_seed):
        try:
            setup = _checked(_overlaid(document, assignment, axes), assignment)
        except DocumentError as error:
            for mistake in error.mistakes:
                known = (mistake.file, mistake.place, mistake.key, mistake.what)
                mistakes.setdefault(known, _at_its_source(mistake, axes, assignment, document))
            continue
        if mistakes:
            continue
        like = like or setup
        setup = _sharing(setup, like)
        first = first_seed if seed_axis is None else setup.config.seed
        for number in range(first, first + chosen.seeds):
            point = _point(setup, number, assignment, chosen.certify, certified, data_dir)
            found.setdefault(point.task.name, point)
            if len(found) > MAX_POINTS:
                raise ValueError(
                    f"the sweep has more than {MAX_POINTS} points, with {chosen.seeds} seeds each"
                )
    if mistakes:
        raise DocumentError(list(dict.fromkeys(mistakes.values())))
    return Plan(axes=axes, choices=chosen, points=found)


def _point(
    setup: Setup,
    seed: int,
    assignment: Assignment,
    certify: str,
    certified: set[tuple[str, int, int]],
    data_dir: Path | None,
) -> Point:
    config = setup.config.model_copy(update={"seed": seed})
    shape = (config.array.architecture, config.array.rows, config.array.columns)
    if certify == "none" or (certify == "first" and shape in certified):
        config = config.model_copy(update={"certificate": config.certificate.model_copy(update={"tiles": 0})})
    certified.add(shape)
    inputs = {column_name(path): _plain(reduce(getattr, map(str, path), config)) for path in assignment}
    folder = None if data_dir is None else data_dir.resolve()
    task = Task(setup=dataclasses.replace(setup, config=config), data_dir=folder, code=code_version())
    return Point(inputs=inputs, task=task)


def _sharing(setup: Setup, like: Setup) -> Setup:
    """The same setup that holds the parts of another one which are equal: a sweep has thousands of them."""
    parts = {
        name: _shared(getattr(setup, name), getattr(like, name)) for name in ("config", "card", "periphery")
    }
    return dataclasses.replace(setup, **parts)


def _shared(part: Any, like: Any) -> Any:
    if part == like:
        return like
    if not isinstance(part, BaseModel) or type(part) is not type(like):
        return part
    own = {name: _shared(getattr(part, name), getattr(like, name)) for name in type(part).model_fields}
    return part.model_copy(update=own)


def _plain(value: Any) -> TableCell:
    """A value of the configuration as one cell of a table."""
    return json.dumps(value) if isinstance(value, list) else value


def _checked(document: Document, assignment: Assignment) -> Setup:
    document, warnings = _of_a_point(document, assignment)
    setup = setup_of(document)
    if what := unevaluated(setup):
        raise DocumentError([document.mistake(("array", "architecture"), what)])
    try:
        write_plan(setup)
    except ValueError as error:
        raise DocumentError([document.mistake(("write",), str(error))]) from None
    return dataclasses.replace(setup, warnings=(*warnings, *setup.warnings))


def _of_a_point(document: Document, assignment: Assignment) -> tuple[Document, list[str]]:
    """The document without keys of the file that a swept key, as the architecture, leaves without effect; warnings."""
    config = validate_leniently(document, Config)[0]
    if config is None:
        return document, []
    data, warnings = document.data, []
    for path, by, what in unused(config):
        if by in assignment and path not in assignment:
            data = _without(data, path)
            reason = what.partition(";")[0]
            warnings.append(f"{dotted(path)} ({document.source(path)}) is left out where it {reason}.")
    return dataclasses.replace(document, data=data), warnings


def _without(data: Any, path: KeyPath) -> Any:
    name, *below = path
    if not below:
        return {key: value for key, value in data.items() if key != name}
    return {**data, name: _without(data[name], tuple(below))}


def _overlaid(document: Document, assignment: Assignment, axes: Sequence[Axis]) -> Document:
    """The document with other values, which stand where the sweep gives them."""
    data, values, origins = document.data, dict(document.value_places), dict(document.origins)
    for path, value in assignment.items():
        data = _with(data, path, value)
        for known in [key for key in values if key[: len(path)] == path]:
            del values[known]
        axis = next(axis for axis in axes if path in axis.keys)
        place = _place(axis, value)
        if place is None:
            origins[path] = axis.source
        else:
            values[path] = place
    keys = {path: place for path, place in document.key_places.items() if path not in assignment}
    return dataclasses.replace(document, data=data, key_places=keys, value_places=values, origins=origins)


def _with(data: Any, path: KeyPath, value: Any) -> Any:
    if not path:
        return value
    inside = data if isinstance(data, dict) else {}
    return {**inside, str(path[0]): _with(inside.get(path[0]), path[1:], value)}


def _place(axis: Axis, value: Any) -> Place | None:
    """Where a value of an axis stands in the file."""
    if not axis.places or not isinstance(axis.values, tuple):
        return axis.places[0] if axis.places else None
    for one, place in zip(axis.values, axis.places, strict=True):
        if one is value or one == value or (isinstance(one, list) and value in one):
            return place
    return None


def _at_its_source(
    mistake: Mistake, axes: Sequence[Axis], assignment: Assignment, document: Document
) -> Mistake:
    """The mistake of a point, with what the reader has to change: an option, a line of the file, or a combination."""
    for axis in axes:
        for key in axis.keys:
            name = dotted(key)
            same = mistake.key == name or mistake.key.startswith((f"{name}.", f"{name}["))
            unknown = (
                name.startswith(f"{mistake.key}.")
                and tuple(mistake.key.split(".")) not in document.key_places
            )
            if same or unknown:
                return mistake if axis.places else dataclasses.replace(mistake, file=axis.source, place=None)
    values = ", ".join(f"{dotted(path)} = {value}" for path, value in assignment.items())
    return dataclasses.replace(mistake, what=f"{mistake.what} (with {values})") if values else mistake


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """No other sweep writes into the folder meanwhile."""
    write_text(out / POINTS / "README.txt", _POINTS_README)
    try:
        lock = FileLock(out / POINTS / ".lock").acquire(blocking=False)
    except Timeout:
        raise ValueError(
            f"{out}: another sweep is writing there; wait for it, or name another folder"
        ) from None
    with lock:
        yield


_POINTS_README = """\
One file per point of the sweep, named by the content hash of all that its numbers depend on: configuration, cards,
seed, code and libraries. A sweep that is started again computes only what is missing here. Delete a file to have its
point computed again; delete the folder to begin anew.
"""


def _kept(path: Path) -> PointOutcome | None:
    """An earlier outcome; None when there is none that can be read."""
    try:
        return PointRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _record(point: Point, outcome: PointOutcome) -> str:
    record = PointRecord(
        values=outcome.values,
        error=outcome.error,
        seconds=outcome.seconds,
        inputs=dict(point.inputs),
        seed=point.seed,
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        code=point.task.code,
        config=point.task.setup.config,
    )
    return json.dumps(record.model_dump(mode="json"), indent=1, allow_nan=False) + "\n"


def _workers(scheduler: str, count: int | None, tasks: int) -> Workers:
    if scheduler != LOCAL:
        if count is not None:
            raise ValueError(
                "--workers is for processes on this machine; a cluster has the workers that it has"
            )
        return Cluster(scheduler)
    return LocalWorkers(min(count or cores(), tasks))


def carried_out(tasks: Mapping[str, Task], workers: Workers) -> Iterator[tuple[str, PointOutcome]]:
    """Give out tasks, and yield their outcomes as they come.

    A worker goes on with tasks that need the same networks and solved tiles as its last one, while there are any.
    """
    pending: dict[str, deque[str]] = {}
    for name, task in tasks.items():
        pending.setdefault(task.built, deque()).append(name)
    names = {id(task): name for name, task in tasks.items()}
    at: dict[Hashable, str] = {}
    running = 0
    while pending or running:
        for worker in workers.idle():
            if not pending:
                break
            built = at[worker] = _next(pending, at, worker)
            workers.start(worker, tasks[pending[built].popleft()])
            running += 1
            if not pending[built]:
                del pending[built]
        for task, outcome in workers.finished():
            running -= 1
            yield names[id(task)], outcome


def _next(pending: Mapping[str, Sequence[str]], at: Mapping[Hashable, str], worker: Hashable) -> str:
    """What a worker builds next: the same again, else what nobody has begun, else anything."""
    if at.get(worker) in pending:
        return at[worker]
    others = set(at.values())
    return next((built for built in pending if built not in others), next(iter(pending)))


def _said(outcome: PointOutcome) -> str:
    if outcome.values is None:
        return f"failed: {(outcome.error or '').splitlines()[0][:60]}"
    return f"accuracy {100 * outcome.values.accuracy:.2f} %"


def _results(planned: Plan, found: Summary, kept: int, seconds: float) -> SweepResults:
    setups = [point.task.setup for point in planned.points.values()]
    cards: dict[str, list[object]] = {}
    for setup in setups:
        cards.setdefault(f"Device card {setup.card.name}", []).append(setup.card)
        cards.setdefault(f"Periphery card {setup.periphery.name}", []).append(setup.periphery)
    warnings = {warning for setup in setups for warning in setup.warnings}
    chosen = {axis.name: _listed(axis) for axis in planned.axes}
    return SweepResults(
        config_file=setups[0].source.name,
        config=setups[0].config,
        sweep=planned.choices.model_copy(update={"set": chosen}),
        seconds=seconds,
        versions=versions_of(*LIBRARIES),
        code=code_version(),
        points=len(planned.points),
        kept=kept,
        failed=len(found.failures),
        pareto=tuple(dict(design.inputs) for design in found.pareto),
        columns=tuple(found.columns),
        warnings=(*found.warnings, *sorted(warnings), *([] if HAS_PARQUET else [NO_PARQUET])),
        provenance={title: tuple(common_origins(each)) for title, each in cards.items()},
    )


def _listed(axis: Axis) -> Any:
    if isinstance(axis.values, tuple):
        return list(axis.values)
    return f"{axis.values.low:g}..{axis.values.high:g}:{'log' if axis.values.logarithmic else 'lin'}"


def _say(progress: Reporter, found: Summary, written: SweepResults, out: Path) -> None:
    if found.pareto:
        title = "Not dominated: no combination is at least as accurate for at most the energy"
        table = Table(title=title, title_justify="left")
        table.add_column("combination", overflow="fold")
        table.add_column("accuracy", justify="right")
        table.add_column("energy", justify="right")
        for design in found.pareto:
            table.add_row(described(design.inputs), percent(design.accuracy), engineering(design.energy, "J"))
        progress.say(table)
    for sentence in found.findings:
        progress.say(sentence)
    progress.say(
        f"{written.points} points, {written.kept} of them kept from before, {written.failed} failed; "
        f"{written.seconds:.0f} s. Report: {out / 'report.html'}"
    )
