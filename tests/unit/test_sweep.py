"""Plan, resume, failures and order of a sweep, with workers that do not compute."""

import dataclasses
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from compact_model.cards.document import DocumentError
from hallspice.cli.application import app
from hallspice.progress import reporter
from hallspice.sweeps import point as sweep_point
from hallspice.sweeps import sweep as module
from hallspice.sweeps.point import Task, failed
from hallspice.sweeps.results import PointOutcome, PointValues, SweepResults
from hallspice.sweeps.sweep import Point, carried_out, plan, sweep

CONFIG = """\
seed: 4
array: {rows: 64}
sweep:
  set:
    array.wire.r_row: [0.01 ohm, 20 mohm]
    array.converters.adc_bits: [4, 6]
"""


def point_values(accuracy: float, energy: float) -> PointValues:
    """What a point gives, with zeros for what these tests don't look at."""
    numbers = dict.fromkeys(PointValues.model_fields, 0)
    given = {"accuracy": accuracy, "energy_j": energy, "accuracy_programmed": None, "certificate": "not run"}
    return PointValues(**numbers | given)


class Crew:
    """Two workers that answer at once, in the reverse order."""

    def __init__(self, answer: Callable[[Task], PointOutcome]) -> None:
        self.answer = answer
        self.tasks: dict[int, Task] = {}
        self.log: list[tuple[int, Task]] = []
        self.closed = False

    def idle(self) -> list[int]:
        return [worker for worker in (0, 1) if worker not in self.tasks]

    def start(self, worker: int, task: Task) -> None:
        assert worker not in self.tasks
        self.tasks[worker] = task
        self.log.append((worker, task))

    def finished(self) -> list[tuple[Task, PointOutcome]]:
        worker = max(self.tasks)
        task = self.tasks.pop(worker)
        return [(task, self.answer(task))]

    def close(self) -> None:
        self.closed = True


def good(task: Task) -> PointOutcome:
    array = task.setup.config.array
    accuracy, energy = (array.converters.adc_bits or 0) / 10, 1e-6 / (1 + (array.wire.r_row or 0))
    return PointOutcome(values=point_values(accuracy, energy), seconds=0.5)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "sweep.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def run(config: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[SweepResults, Crew]]:
    def run(answer: Callable[[Task], PointOutcome] = good, **arguments: Any) -> tuple[SweepResults, Crew]:
        crew = Crew(answer)
        monkeypatch.setattr(module, "_workers", lambda *_: crew)
        with reporter(quiet=True) as progress:
            return sweep(config, config.parent / "out", progress=progress, **arguments), crew

    return run


def test_a_second_start_computes_what_failed_and_what_is_new(
    run: Callable[..., tuple[SweepResults, Crew]], config: Path
) -> None:
    def half(task: Task) -> PointOutcome:
        return (
            good(task)
            if task.setup.config.array.converters.adc_bits == 4
            else failed("ValueError: no\nreason")
        )

    first, crew = run(half)
    assert (len(crew.log), crew.closed) == (4, True)
    assert (first.points, first.kept, first.failed) == (4, 0, 2)
    lines = (config.parent / "out" / "results.csv").read_text().splitlines()
    assert lines[0].startswith("array.wire.r_row_ohm,array.converters.adc_bits,seed,accuracy,energy_j")
    assert lines[1].startswith("0.01,4,4,0.4,")
    assert re.match(r'0\.01,6,4,{25}"ValueError: no', lines[2])
    page = (config.parent / "out" / "report.html").read_text()
    assert "Points that failed" in page

    second, crew = run(options=["array.converters.adc_bits=4,6,8"])
    assert {task.setup.config.array.converters.adc_bits for _, task in crew.log} == {6, 8}
    assert (second.points, second.kept, second.failed) == (6, 2, 0)
    assert "Points that failed" not in (config.parent / "out" / "report.html").read_text()

    third, crew = run(options=["array.converters.adc_bits=4,6,8"])
    assert crew.log == []
    assert third.kept == 6


def test_the_exit_code_says_that_points_failed(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_workers", lambda *_: Crew(lambda _: failed("ValueError: no")))
    result = CliRunner().invoke(app, ["sweep", str(config), "--out", str(config.parent / "out"), "--json"])
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["warnings"][0] == "4 points failed: ValueError: no"
    assert all(Path(name).is_file() for name in document["files"])


def test_what_was_finished_before_an_interruption_is_kept(
    run: Callable[..., tuple[SweepResults, Crew]], config: Path
) -> None:
    answered = []

    def until_ctrl_c(task: Task) -> PointOutcome:
        if len(answered) == 2:
            raise KeyboardInterrupt
        answered.append(task)
        return good(task)

    with pytest.raises(KeyboardInterrupt):
        run(until_ctrl_c)
    assert len(list((config.parent / "out" / "points").glob("*.json"))) == 2
    damaged = config.parent / "out" / "points" / f"{answered[0].name}.json"
    damaged.write_text(damaged.read_text()[:50])  # by hand: the program renames whole files
    (config.parent / "out" / "points" / f".{answered[0].name}.json.x7f").write_text("half")
    results, crew = run()
    assert results.kept == 1
    assert len(crew.log) == 3
    assert not list((config.parent / "out" / "points").glob(".*.x7f"))


def test_the_file_of_a_point_names_what_it_depends_on(
    run: Callable[..., tuple[SweepResults, Crew]], config: Path
) -> None:
    run()
    records = [json.loads(path.read_text()) for path in (config.parent / "out" / "points").glob("*.json")]
    assert len(records) == 4
    for record in records:
        bits = record["inputs"]["array.converters.adc_bits"]
        assert record["config"]["array"]["converters"]["adc_bits"] == bits
        assert record["values"]["accuracy"] == bits / 10
        assert record["seed"] == 4
        assert not {"error", "sweep"} & {*record, *record["config"]}


def test_two_sweeps_do_not_write_into_one_folder(
    run: Callable[..., tuple[SweepResults, Crew]], config: Path
) -> None:
    with module._alone(config.parent / "out"), pytest.raises(ValueError, match="another sweep"):
        run()


def test_a_worker_goes_on_with_the_same_tiles(config: Path) -> None:
    found = plan(config, ["array.converters.adc_bits=4,5,6"], {}, None, None).points
    crew = Crew(good)
    outcomes = dict(carried_out({name: point.task for name, point in found.items()}, crew))
    assert set(outcomes) == set(found)
    wires = [
        [task.setup.config.array.wire.r_row for at, task in crew.log if at == worker] for worker in (0, 1)
    ]
    # Worker 1 is always the first to finish: it does its own three points, then helps.
    assert wires[1][:3] == [0.02] * 3
    assert set(wires[0]) == {0.01}


def test_many_points_are_given_out_in_no_time_each() -> None:
    class Stub:
        def __init__(self, built: str) -> None:
            self.built = built

    count = 20_000  # looking through all that are left for each of them took minutes
    tasks: dict[str, Any] = {str(number): Stub(str(number // 2)) for number in range(count)}
    crew = Crew(lambda _: failed("nothing is computed"))
    start = time.perf_counter()
    assert [name for name, _ in carried_out(tasks, crew)] != []
    assert time.perf_counter() - start < 20
    given = [[task.built for at, task in crew.log if at == worker] for worker in (0, 1)]
    assert sorted(map(int, given[0] + given[1])) == sorted([*range(count // 2), *range(count // 2)])
    assert given[1][:4] == ["1", "1", "2", "2"]


def test_points_share_what_is_equal_in_them(config: Path) -> None:
    first, *others = (point.task.setup for point in _points(config, "array.wire.r_row=1 mohm..1 ohm:log:40"))
    assert len(others) == 79
    for setup in others:
        assert setup.card is first.card
        assert setup.config.network is first.config.network
        assert setup.config.array.cell is first.config.array.cell
        assert setup.periphery.adc is first.periphery.adc
    wires = [(setup.config.array.wire.r_row, setup.periphery.wire.r_row.value) for setup in (first, *others)]
    assert len(set(wires)) == 40
    assert all(ours == cards for ours, cards in wires)
    assert {setup.config.array.converters.adc_bits for setup in others} == {4, 6}


def _points(config: Path, *options: str, **choices: Any) -> list[Point]:
    return list(plan(config, options, choices, None, None).points.values())


def test_the_name_of_a_point_is_that_of_its_content(config: Path, tmp_path: Path) -> None:
    names = {point.task.name for point in _points(config)}
    assert len(names) == 4
    other = tmp_path / "other.yaml"
    other.write_text("array: {converters: {dac_bits: 6}, rows: 64}\nseed: 4\n")
    written = ["array.converters.adc_bits=6,4", "array.wire.r_row=0.02,10 mohm"]
    # The order of keys, values and axes, units, and values that are the default do not matter ...
    assert {point.task.name for point in _points(other, *written, certify="none")} == {
        point.task.name for point in _points(config, certify="none")
    }
    # ... but everything that the result depends on does.
    (point,) = _points(other)
    task = point.task
    setup = task.setup
    changed = [
        dataclasses.replace(task, code="other"),
        dataclasses.replace(task, data_dir=tmp_path),
        dataclasses.replace(
            task, setup=dataclasses.replace(setup, config=setup.config.model_copy(update={"seed": 5}))
        ),
        dataclasses.replace(
            task,
            setup=dataclasses.replace(
                setup, periphery=setup.periphery.model_copy(update={"name": "another"})
            ),
        ),
    ]
    assert len({task.name, *(one.name for one in changed)}) == 5


@pytest.mark.parametrize("energy", [float("nan"), float("inf")])
def test_a_result_that_is_no_number_is_an_error(
    config: Path, energy: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_point, "_values", lambda _: point_values(0.5, energy))
    outcome = sweep_point.compute(_points(config)[0].task)
    assert outcome.error is not None
    assert re.match(r"ValidationError: 1 validation error .*\nenergy_j\n.* finite number", outcome.error)
    assert outcome.values is None


def test_a_worker_with_other_sources_refuses(config: Path) -> None:
    task = dataclasses.replace(_points(config)[0].task, code="other")
    assert "other versions" in (sweep_point.compute(task).error or "")


def test_only_the_outputs_differ_where_tiles_are_shared(config: Path) -> None:
    assert len({point.task.built for point in _points(config)}) == 2
    assert len({point.task.built for point in _points(config, "network.circuit_epochs=1")}) == 4


def test_the_first_point_of_each_shape_is_checked(config: Path) -> None:
    def checked(**choices: Any) -> list[tuple[int, bool]]:
        found = _points(config, "array.rows=32,64", **choices)
        configs = [point.task.setup.config for point in found]
        return [(one.array.rows, one.certificate.tiles > 0) for one in configs]

    assert sum(tiles for _, tiles in checked(certify="all")) == 8
    assert not any(tiles for _, tiles in checked(certify="none"))
    assert sorted(rows for rows, tiles in checked() if tiles) == [32, 64]


def test_seeds_follow_the_first(config: Path) -> None:
    assert sorted({point.seed for point in _points(config, seeds=3)}) == [4, 5, 6]
    assert sorted({point.seed for point in _points(config, "seed=7,9")}) == [7, 9]
    with pytest.raises(DocumentError, match="--set seed=7"):
        _points(config, "seed=7", seeds=2)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("aray.rows=3", "--set aray.rows=3 aray: unknown key, did you mean 'array'"),
        ("array.row=3", "--set array.row=3 array.row: unknown key, did you mean 'rows'"),
        ("array.rows=64,many", "--set array.rows=64,many array.rows: expected a valid integer, got 'many'"),
        ("array.rows=64,0", "array.rows: 0 is out of range, allowed: >= 1"),
        (
            "array.architecture=series_hall",
            "array.driver.v_supply: a row needs 32 V",
        ),
        ("array.read.i_read=1 mA,3.7 mA", "sweep.yaml:2:8 array.driver.v_supply: a row needs 1.85 V"),
        (
            "array.read.i_read=1 mA,3.7 mA",
            "(with array.wire.r_row = 0.01 ohm, array.converters.adc_bits = 4, array.r",
        ),
    ],
)
def test_every_point_is_checked_before_anything_runs(config: Path, option: str, words: str) -> None:
    with pytest.raises(DocumentError) as caught:
        _points(config, option)
    assert words in str(caught.value)


def test_a_wrong_value_in_the_file_has_its_line(config: Path) -> None:
    config.write_text(
        CONFIG.replace("[4, 6]", "[4,\n      60]").replace("[0.01 ohm, 20 mohm]", "1 V..2:lin:3")
    )
    with pytest.raises(DocumentError) as caught:
        _points(config)
    assert f"{config}:5:23 " in str(caught.value)
    assert "not convertible to ohm" in str(caught.value)
    config.write_text(CONFIG.replace("[4, 6]", "[4,\n      60]"))
    with pytest.raises(DocumentError, match=r":7:7 array\.converters\.adc_bits: 60 is out of range"):
        _points(config)


def test_the_index_lists_the_files(run: Callable[..., tuple[SweepResults, Crew]], config: Path) -> None:
    results, _ = run()
    out = config.parent / "out"
    there = {
        str(path.relative_to(out)) for path in out.rglob("*") if path.is_file() and "points" not in path.parts
    }
    assert set(results.files) == there == set(json.loads((out / "sweep.json").read_text())["files"])
    text = (out / "sweep.json").read_text()
    assert SweepResults.model_validate_json(text).model_dump(mode="json") == json.loads(text)
    assert "sweep" not in json.loads(text)["config"]
    assert {"results.csv", "results.parquet", "report.html", "figures/pareto.svg"} <= there
