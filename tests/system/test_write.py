"""`hallspice write` as a user meets it."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from circuits.spice.engine import find_simulator
from circuits.spice.ngspice import run_batch
from hallspice.cli.application import app

LEVELS = (0.33, 0.46, 0.49, 0.52, 0.54, 0.57)


def written(folder: Path, yaml: str, levels: np.ndarray, *options: str) -> Result:
    (folder / "array.yaml").write_text(yaml)
    np.savetxt(folder / "levels.csv", levels, delimiter=",")
    command = ["write", str(folder / "array.yaml"), "--levels", str(folder / "levels.csv")]
    return CliRunner().invoke(app, [*command, "--out", str(folder / "out"), "--quiet", *options])


def results(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "out" / "results.json").read_text())
    return content


def random_levels(rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng(1).choice(LEVELS, (rows, columns))


def test_an_array_is_written_and_everything_is_on_file(tmp_path: Path) -> None:
    result = written(tmp_path, "array: {architecture: resistive}\n", random_levels(5, 4))
    assert result.exit_code == 0, result.output
    assert "20 of 20 cells written" in result.output
    found = results(tmp_path)
    there = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert sorted(found["files"]) == there
    assert (found["array"]["rows"], found["array"]["columns"], found["cells"]) == (5, 4, 20)
    shares = [row["yield"] for row in found["yield_against_tolerance"]]
    error = np.abs(np.loadtxt(tmp_path / "out" / "error.csv", delimiter=",", skiprows=1))
    assert shares == [np.mean(error <= limit) for limit in (1e-3, 2e-3, 4e-3, 6e-3, 1e-2, 2e-2)]
    assert found["largest_error_ohm"] == pytest.approx(error.max(), rel=1e-12)
    parts = {name: value for name, value in found["energy_j"].items() if name != "total"}
    assert set(parts) == {"cells", "select", "wires", "drivers", "verify"}
    assert math.isclose(math.fsum(parts.values()), found["energy_j"]["total"], rel_tol=1e-12)
    achieved = np.loadtxt(tmp_path / "out" / "achieved.csv", delimiter=",", skiprows=1)
    # tolerance 4 mohm, and a read noise of 0.4 mohm that five cells in a million exceed tenfold
    assert np.abs(achieved - random_levels(5, 4)).max() < 4e-3 + 4e-3
    schemes = {row["scheme"]: row["usable"] for row in found["disturb"]["schemes"]}
    assert schemes == {"one_transistor": True, "half_v": False, "third_v": False}


@pytest.mark.skipif(find_simulator().executable is None, reason="missing program: ngspice")
def test_the_kept_deck_runs(tmp_path: Path) -> None:
    assert written(tmp_path, "array: {architecture: resistive}\n", random_levels(2, 2)).exit_code == 0
    run_batch(tmp_path / "out" / "netlists" / "first_pulse.cir")


@pytest.mark.skipif(find_simulator().library is None, reason="missing program: libngspice")
def test_the_loop_around_ngspice_writes_the_same(tmp_path: Path) -> None:
    yaml = "array: {architecture: resistive}\nwrite: {order: row, step_law: constant}\n"
    states = []
    for engine in ("model", "ngspice"):
        (tmp_path / engine).mkdir()
        result = written(tmp_path / engine, yaml, random_levels(2, 3), "--engine", engine)
        assert result.exit_code == 0, result.output
        states.append(np.loadtxt(tmp_path / engine / "out" / "achieved.csv", delimiter=",", skiprows=1))
    np.testing.assert_allclose(*states, atol=5e-3 * 0.2732)
    one, other = results(tmp_path / "model"), results(tmp_path / "ngspice")
    assert one["energy_j"]["total"] == pytest.approx(other["energy_j"]["total"], rel=1e-2)
    assert other["engine"]["transients"] > 2


def test_levels_outside_the_window_are_refused_with_their_place(tmp_path: Path) -> None:
    levels = random_levels(2, 2)
    levels[1, 0] = 0.7
    result = written(tmp_path, "array: {architecture: resistive}\n", levels)
    assert result.exit_code == 2
    assert "levels.csv:2:1" in result.output
    assert "0.7" in result.output
    assert "0.6032" in result.output


@pytest.mark.parametrize(
    ("yaml", "words"),
    [
        ("write: {tolerance: 0.1 mohm}\n", "standard deviations of a verify read"),
        (
            "array: {architecture: resistive}\nwrite: {select: mosfet}\n",
            "transistors are solved in ngspice only",
        ),
        (
            "array: {architecture: active_parallel}\nwrite: {scheme: half_v}\n",
            "allowed there: one_transistor",
        ),
        ("array: {architecture: passive_parallel}\n", "Hall arms tie the cells together"),
    ],
)
def test_impossible_requests_are_refused(tmp_path: Path, yaml: str, words: str) -> None:
    result = written(tmp_path, yaml, random_levels(2, 2))
    assert result.exit_code == 2, result.output
    assert words in " ".join(result.output.split())


def test_a_supply_that_is_too_low_is_reported_per_cell(tmp_path: Path) -> None:
    yaml = "array: {architecture: resistive}\nwrite: {v_compliance: 7 V}\n"
    result = written(tmp_path, yaml, np.array([[0.46, 0.57]]))
    assert result.exit_code == 0, result.output
    (cell,) = results(tmp_path)["given_up"]
    assert (cell["row"], cell["column"]) == (0, 1)
    assert cell["needed_v"] > 7
    assert cell["target_ohm"] == 0.57
    assert 0.33 <= cell["achieved_ohm"] < 0.57 - 4e-3
    with (tmp_path / "out" / "given_up.csv").open() as file:
        (line,) = csv.DictReader(file)
    assert list(line) == list(cell)
    assert float(line["needed_v"]) == pytest.approx(cell["needed_v"], rel=1e-14)
    assert "compliance" in cell["reason"]


def test_faults_lower_the_yield(tmp_path: Path) -> None:
    yaml = "array: {architecture: resistive}\nwrite: {faults: {stuck: 0.2, open_rows: [1], device_spread: 0.02}}\n"
    assert written(tmp_path, yaml, np.full((4, 8), 0.49)).exit_code == 0
    found = results(tmp_path)
    assert found["yield"] <= 0.75
    assert {cell["row"] for cell in found["given_up"]} >= {1}


def test_a_run_evaluates_programmed_states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALLSPICE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "run.yaml").write_text(
        "array: {rows: 64, columns: 32}\n"
        "network: {layers: [784, 10], epochs: 1}\n"
        "certificate: {tiles: 0}\n"
        "write: {states: programmed, faults: {device_spread: 0.02}}\n"
    )
    run = CliRunner().invoke(
        app, ["run", str(tmp_path / "run.yaml"), "--out", str(tmp_path / "out"), "--quiet"]
    )
    assert run.exit_code == 0, run.output
    found = results(tmp_path)
    accuracy, programmed = found["accuracy"], found["write"]["programmed"]
    # A tolerance of 4 mohm is 1.7 % of the span of the levels: close to ideal, and not the same.
    assert abs(accuracy["programmed"] - accuracy["circuit"]) < 0.03
    assert accuracy["programmed"] != accuracy["circuit"]
    losses = {loss["cause"]: loss["points"] for loss in accuracy["losses"]}
    assert losses["states as written"] == pytest.approx(100 * (accuracy["circuit"] - accuracy["programmed"]))
    assert list(losses.values()) == sorted(losses.values(), reverse=True)
    assert programmed["written"] > 0.97 * programmed["cells"]
    parts = [value for name, value in programmed["energy_j"].items() if name != "total"]
    assert math.isclose(math.fsum(parts), programmed["energy_j"]["total"], rel_tol=1e-9)
    assert "as programmed" in (tmp_path / "out" / "report.html").read_text()
