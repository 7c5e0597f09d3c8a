"""A small sweep, really: killed and started again, through a dask cluster, and when workers die."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from typer.testing import CliRunner, Result

from hallspice.cli.application import app
from hallspice.sweeps.executors import LocalWorkers

CONFIG = """\
seed: 6
network: {layers: [784, 10], epochs: 1, batch_size: 512}
certificate: {tiles: 1, vectors: 1}
sweep:
  set:
    array.rows,array.columns: [64, 112]
    array.converters.adc_bits: [4, 6]
"""


def hallspice(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "sweep.yaml").write_text(CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HALLSPICE_CACHE", str(folder / "cache"))
        yield folder


@pytest.fixture(scope="module")
def killed(folder: Path) -> dict[str, tuple[int, str]]:
    """Points of a sweep that was killed with all its processes after its first point: inode and text by name."""
    program = "from hallspice.cli import main; main()"
    arguments = ["sweep", folder / "sweep.yaml", "--out", folder / "local", "--workers", "2", "--quiet"]
    process = subprocess.Popen([sys.executable, "-c", program, *map(str, arguments)], start_new_session=True)
    points = folder / "local" / "points"
    while not list(points.glob("*.json")):
        assert process.poll() is None, "the sweep ended by itself"
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return {path.name: (path.stat().st_ino, path.read_text()) for path in points.glob("*.json")}


@pytest.fixture(scope="module")
def resumed(folder: Path, killed: dict[str, tuple[int, str]]) -> Result:
    assert killed
    return hallspice("sweep", folder / "sweep.yaml", "--out", folder / "local", "--workers", "2", "--quiet")


def _values(out: Path) -> dict[str, Any]:
    records = {path.name: json.loads(path.read_text()) for path in (out / "points").glob("*.json")}
    return {name: record["values"] for name, record in records.items()}


def test_a_killed_sweep_goes_on_and_repeats_nothing(
    folder: Path, killed: dict[str, tuple[int, str]], resumed: Result
) -> None:
    assert resumed.exit_code == 0, resumed.output
    points = folder / "local" / "points"
    assert len(list(points.glob("*.json"))) == 4
    assert {name: ((points / name).stat().st_ino, (points / name).read_text()) for name in killed} == killed
    found = json.loads((folder / "local" / "sweep.json").read_text())
    assert (found["points"], found["kept"], found["failed"]) == (4, len(killed), 0)
    assert len(list((folder / "cache" / "networks").glob("*.npz"))) == 2  # each network was trained once


def test_the_table_is_tidy_and_the_numbers_are_those_of_a_run(folder: Path, resumed: Result) -> None:
    assert resumed.exit_code == 0, resumed.output
    table = pyarrow.parquet.read_table(folder / "local" / "results.parquet")
    rows = table.to_pylist()
    lines = (folder / "local" / "results.csv").read_text().splitlines()
    assert lines[0] == ",".join(rows[0])
    assert [(row["array.rows"], row["array.converters.adc_bits"]) for row in rows] == [
        (64, 4),
        (64, 6),
        (112, 4),
        (112, 6),
    ]
    assert json.loads(table.schema.metadata[b"hallspice"])["sweep"]["seeds"] == 1
    single = folder / "single.yaml"
    single.write_text(CONFIG[: CONFIG.index("sweep:")] + "array: {converters: {adc_bits: 4}}\n")
    result = hallspice("run", single, "--out", folder / "run", "--quiet")
    assert result.exit_code == 0, result.output
    run = json.loads((folder / "run" / "results.json").read_text())
    assert rows[0]["accuracy"] == run["accuracy"]["circuit"]
    assert rows[0]["latency_s"] == run["latency_s"]
    assert rows[0]["accuracy_float"] == run["accuracy"]["float"]
    for cause in run["accuracy"]["causes"]:
        key = "accuracy" if cause["key"] == "circuit" else f"accuracy_{cause['key']}"
        assert rows[0][key] == cause["accuracy"], key
    for part, energy in run["energy_per_inference_j"].items():
        if part != "total":
            assert rows[0][f"energy_{part}_j"] == pytest.approx(energy, rel=1e-12), part
    assert rows[0]["area_m2"] == run["area_m2"]
    assert rows[0]["cell_area_m2"] == sum(run["cell_area_m2"])
    assert rows[0]["write_energy_j"] == run["write"]["energy_j"]
    assert (rows[0]["tiles"], rows[0]["cells"]) == tuple(
        run["array"]["layers"][-1][n] for n in ("tiles", "cells")
    )
    # The run solves its tiles in other processes: the same sums in another order.
    assert rows[0]["energy_j"] == pytest.approx(run["energy_per_inference_j"]["total"], rel=1e-12)


def test_a_dask_cluster_gives_the_same_bits(folder: Path, resumed: Result) -> None:
    assert resumed.exit_code == 0, resumed.output
    distributed = pytest.importorskip("distributed")
    options = {"processes": True, "n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster:
        result = hallspice(
            "sweep",
            folder / "sweep.yaml",
            "--out",
            folder / "dask",
            "--quiet",
            "--scheduler",
            cluster.scheduler_address,
        )
    assert result.exit_code == 0, result.output
    assert _values(folder / "dask") == _values(folder / "local")


class _Deadly:
    """A task that ends the process that reads it."""

    def __reduce__(self) -> tuple[Any, tuple[int]]:
        return os._exit, (9,)


def test_a_worker_that_dies_is_an_error_and_has_a_successor() -> None:
    crew = LocalWorkers(1)
    try:
        deadly: Any = _Deadly()
        for _ in range(2):
            crew.start(crew.idle()[0], deadly)
            ((task, outcome),) = crew.finished()
            assert task is deadly
            assert outcome.error == "the worker process died (exit code 9)"
    finally:
        crew.close()


@pytest.mark.parametrize("scheduler", ["tcp://127.0.0.1:9", "nonsense://x"])
def test_a_scheduler_that_is_not_there_is_a_clear_error(
    folder: Path, tmp_path: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hallspice.sweeps.executors.CONNECT_SECONDS", 0.5)
    result = hallspice("sweep", folder / "sweep.yaml", "--out", tmp_path, "--scheduler", scheduler, "--quiet")
    assert result.exit_code == 2
    assert "no dask scheduler answers there" in result.output
