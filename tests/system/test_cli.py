"""The command line as a user meets it."""

import json
import math
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from circuits.spice.engine import deck_options, find_simulator
from circuits.spice.ngspice import run_batch
from hallspice.cli.application import app
from hallspice.inference import certificate
from hallspice.inference.results import InferenceResults
from hallspice.page.csv_text import csv_text

needs_ngspice = pytest.mark.skipif(find_simulator().library is None, reason="missing program: libngspice")
needs_executable = pytest.mark.skipif(find_simulator().executable is None, reason="missing program: ngspice")

SMALL = """\
seed: 5
array: {rows: 40, columns: 30}
network: {layers: [784, 20, 10], epochs: 1}
certificate: {tiles: 4, vectors: 2}
"""


def hallspice(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Result]]:
    folder = tmp_path_factory.mktemp("run")
    (folder / "small.yaml").write_text(SMALL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HALLSPICE_CACHE", str(folder / "cache"))
        yield folder, hallspice("run", folder / "small.yaml", "--out", folder / "out", "--quiet")


def _results(folder: Path) -> dict[str, Any]:
    results: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return results


def test_a_run_ends_with_table_report_and_results(small_run: tuple[Path, Result]) -> None:
    folder, result = small_run
    assert result.exit_code == 0, result.output
    for shown in ("accuracy, through the circuit", "energy per inference", "report.html"):
        assert shown in result.output
    results = _results(folder / "out")
    listed = sorted(results["files"])
    there = sorted(str(p.relative_to(folder / "out")) for p in (folder / "out").rglob("*") if p.is_file())
    assert listed == there
    assert results["seed"] == 5
    assert results["versions"]["torch"]


def test_results_are_those_that_the_schema_describes(small_run: tuple[Path, Result]) -> None:
    text = (small_run[0] / "out" / "results.json").read_text()
    assert InferenceResults.model_validate_json(text).model_dump(mode="json") == json.loads(text)
    schema = json.loads(hallspice("schema", "results", "run").output)
    described = schema["properties"]
    assert set(schema["required"]) <= set(json.loads(text)) <= set(described)
    latency = described["latency_s"]
    assert (latency["unit"], latency["description"]) == (
        "s",
        "time of one inference, layers one after another",
    )


def test_accuracy_is_that_of_a_network_that_has_learnt(small_run: tuple[Path, Result]) -> None:
    accuracy = _results(small_run[0] / "out")["accuracy"]
    # One epoch of a 20-unit network on the device's levels; guessing gives 0.1.
    assert 0.75 < accuracy["levels"] < 0.97
    assert abs(accuracy["circuit"] - accuracy["levels"]) < 0.03
    assert accuracy["images"] == 10_000


def test_energy_parts_sum_to_the_total(small_run: tuple[Path, Result]) -> None:
    results = _results(small_run[0] / "out")
    parts = {k: v for k, v in results["energy_per_inference_j"].items() if k != "total"}
    assert set(parts) == {"cells", "wires", "drivers", "sense", "dac", "adc", "digital"}
    assert math.isclose(math.fsum(parts.values()), results["energy_per_inference_j"]["total"], rel_tol=1e-9)
    assert min(parts.values()) > 0
    assert 2e-5 < results["latency_s"] < 3e-5  # two layers of 10 us each, and conversions


def test_the_solver_is_named_and_its_difference_from_the_full_solution_stated(
    small_run: tuple[Path, Result],
) -> None:
    folder, _ = small_run
    solver = _results(folder / "out")["solver"]
    assert solver["method"] == "tensor"
    assert solver["transfer_difference"] < 5e-6
    assert solver["power_difference"] < 5e-6
    assert (
        f"On tile {solver['checked_tile']}, the full solution" in (folder / "out" / "report.html").read_text()
    )


def test_every_tile_in_full_and_converters_with_mismatch(small_run: tuple[Path, Result]) -> None:
    folder, _ = small_run
    text = SMALL.replace(
        "columns: 30}", "columns: 30, exact: true, converters: {adc_mismatch: 0.02, dac_mismatch: 0.01}}"
    )
    (folder / "exact.yaml").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HALLSPICE_CACHE", str(folder / "cache"))  # the same networks
        result = hallspice("run", folder / "exact.yaml", "--out", folder / "exact", "--quiet")
    assert result.exit_code == 0, result.output
    found, before = _results(folder / "exact"), _results(folder / "out")
    assert found["solver"]["method"] == "nodal"
    assert found["energy_per_inference_j"]["cells"] == pytest.approx(
        before["energy_per_inference_j"]["cells"], rel=1e-3
    )  # other codes of the first layer change the inputs of the second
    assert before["array"]["parameters"]["adc_largest_inl_steps"] == 0
    assert (
        0.05 < found["array"]["parameters"]["adc_largest_inl_steps"] < 1
    )  # 6 bits of units that differ by 2 %
    assert before["array"]["parameters"]["dac_largest_inl_steps"] == 0
    assert 0.02 < found["array"]["parameters"]["dac_largest_inl_steps"] < 0.5
    assert abs(found["accuracy"]["circuit"] - before["accuracy"]["circuit"]) < 0.02


def test_device_numbers_are_those_of_the_paper(small_run: tuple[Path, Result]) -> None:
    device = _results(small_run[0] / "out")["device"]
    np.testing.assert_allclose(device["levels_model_ohm"], [0.33, 0.46, 0.49, 0.52, 0.54, 0.57], atol=6e-3)
    assert 86e-6 < device["write_energy_j"] < 89.5e-6


@needs_ngspice
def test_the_certificate_compares_with_ngspice(small_run: tuple[Path, Result]) -> None:
    decks = [path.read_text() for path in (small_run[0] / "out" / "netlists").iterdir()]
    assert all((".options klu" in deck.splitlines()) is bool(deck_options()) for deck in decks)
    certificate = _results(small_run[0] / "out")["certificate"]
    assert certificate["tiles"] == 4
    assert certificate["simulator"].startswith("ngspice")
    assert 0 < certificate["max_relative_difference"] <= 1e-6
    assert len(list((small_run[0] / "out" / "netlists").glob("*.cir"))) == 4


def test_the_report_stands_alone(small_run: tuple[Path, Result]) -> None:
    page = (small_run[0] / "out" / "report.html").read_text()
    assert page.count("<svg") == 6
    assert not re.findall(
        r"""(?:src|href)=["'](?!#)[^"']*["']""", re.sub(r"<svg.*?</svg>", "", page, flags=re.S)
    )
    assert "assumed" in page


def test_a_second_run_reuses_the_networks_and_says_so(small_run: tuple[Path, Result]) -> None:
    folder, _ = small_run
    again = hallspice("run", folder / "small.yaml", "--out", folder / "again", "--quiet")
    assert again.output.count("is reused") == 2
    first, second = _results(folder / "out"), _results(folder / "again")
    assert second["network"]["reused"]
    assert second["accuracy"] == first["accuracy"]
    assert second["energy_per_inference_j"] == first["energy_per_inference_j"]


@needs_ngspice
def test_a_check_that_would_take_too_long_is_left_out_and_said(small_run: tuple[Path, Result]) -> None:
    folder, _ = small_run
    (folder / "short.yaml").write_text(SMALL.replace("vectors: 2", "vectors: 2, longest: 1 ns"))
    result = hallspice("run", folder / "short.yaml", "--out", folder / "short", "--quiet")
    assert result.exit_code == 0, result.output
    certificate = _results(folder / "short")["certificate"]
    assert certificate["passed"] is None
    assert certificate["tiles"] == 0
    assert re.search(
        r"allowed: 1e-09 s\).* a longer limit \(.*`certificate.longest`\)", certificate["reason"]
    )
    assert "no tile was checked in ngspice: ngspice would take" in result.stderr


@needs_ngspice
def test_where_nothing_can_be_compared_nothing_passes(
    small_run: tuple[Path, Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = small_run
    monkeypatch.setattr(certificate, "sample_reads", lambda *_, **__: [])
    result = hallspice("run", folder / "small.yaml", "--out", folder / "silent", "--quiet")
    assert result.exit_code == 0, result.output
    found = _results(folder / "silent")["certificate"]
    assert (found["passed"], found["tiles"], found["max_relative_difference"]) == (None, 0, None)
    assert "no tile was checked in ngspice: nothing was compared: inputs or outputs" in result.stderr
    assert "0.0e+00" not in result.output


@needs_ngspice
@pytest.mark.parametrize("shape", [(3, 5), (16, 16)])
@pytest.mark.parametrize("architecture", ["resistive", "active_parallel"])
def test_engines_agree_on_the_users_own_array(
    tmp_path: Path, shape: tuple[int, int], architecture: str
) -> None:
    random = np.random.default_rng(3)
    low, high = (1e4, 1e5) if architecture == "resistive" else (0.34, 0.6)
    (tmp_path / "array.yaml").write_text(f"array: {{architecture: {architecture}, wire: {{r_row: 1 ohm}}}}\n")
    (tmp_path / "states.csv").write_text(
        csv_text(["ohm"] * shape[1], random.uniform(low, high, shape).tolist())
    )
    (tmp_path / "inputs.csv").write_text(
        csv_text(["v"] * shape[0], random.uniform(0, 0.5, (4, shape[0])).tolist())
    )
    outputs = []
    for engine in ("nodal", "ngspice"):
        out = tmp_path / f"{engine}.csv"
        arguments = ["--states", tmp_path / "states.csv", "--inputs", tmp_path / "inputs.csv", "--out", out]
        result = hallspice("read", tmp_path / "array.yaml", *arguments, "--engine", engine)
        assert result.exit_code == 0, result.output
        outputs.append(np.loadtxt(out, delimiter=",", skiprows=1))
    assert outputs[0].shape == (4, shape[1])
    np.testing.assert_allclose(outputs[0], outputs[1], rtol=0, atol=1e-9 * np.abs(outputs[0]).max())


@needs_executable
def test_a_written_netlist_runs_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "array.yaml").write_text("array: {rows: 5, columns: 4}\n")
    result = hallspice("netlist", tmp_path / "array.yaml", "--out", tmp_path / "read.cir")
    assert result.exit_code == 0, result.output
    assert (".options klu" in (tmp_path / "read.cir").read_text().splitlines()) is bool(deck_options())
    run = run_batch(tmp_path / "read.cir")
    assert [f"i{column}" for column in range(4)] == sorted(run.values)
    # Five full rows of 0.33..0.57 ohm at 1 mA through 1 mS.
    assert all(5 * 0.33e-6 * 0.9 < current < 5 * 0.57e-6 for current in run.values.values())


@needs_executable
@pytest.mark.parametrize("device", [[], ["--device", "frozen"]], ids=["plain", "frozen"])
def test_a_netlist_has_the_capacitances_of_wires_and_arms(tmp_path: Path, device: list[str]) -> None:
    def capacitors(array: str) -> set[tuple[str, str]]:
        (tmp_path / "array.yaml").write_text(f"array: {{rows: 2, columns: 2{array}}}\n")
        result = hallspice("netlist", tmp_path / "array.yaml", "--out", tmp_path / "read.cir", *device)
        assert result.exit_code == 0, result.output
        assert run_batch(tmp_path / "read.cir").values
        deck = (tmp_path / "read.cir").read_text()
        return set(re.findall(r"^(C[a-z]+)0_0 \S+ 0 (\S+)$", deck, re.MULTILINE))

    names = ("Cwp", "Cwn", "Chp", "Chn", "Cb")
    given = ", wire: {c_row: 10 fF, c_column: 5 fF}, cell: {c_arm: 3 fF}"
    farads = ("1e-14", "1e-14", "3e-15", "3e-15", "5e-15")
    assert capacitors(given) == set(zip(names, farads, strict=True))
    assert capacitors("") == {(name, "1e-14") for name in names}  # the periphery card's
    assert capacitors(", wire: {c_row: 0, c_column: 0}") == set()


MISTAKES = """\
array:
  rows: many
  wire: {r_row: 1 V}
  read: {i_read: 2 A}
  read: {}
  colums: 3
network: {layers: [784, 256, 12]}
"""


def test_different_mistakes_all_get_their_line_and_exit_code_2(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(MISTAKES)
    result = hallspice("run", path, "--out", tmp_path / "out")
    assert result.exit_code == 2
    places = re.findall(r"wrong\.yaml:(\d+):\d+ (\S+):", result.stderr)
    assert places == [
        ("2", "array.rows"),
        ("3", "array.wire.r_row"),
        ("4", "array.read.i_read"),
        ("5", "array.read"),
        ("6", "array.colums"),
        ("7", "network.layers"),
    ]
    assert "Traceback" not in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("states", "inputs", "message"),
    [
        ("1,2\n3,0\n", "1,1\n", r"states\.csv:2:2: a cell resistance: 0 ohm is out of range"),
        ("1,2\n3,-4\n", "1,1\n", r"states\.csv:2:2: .* -4 ohm is out of range, allowed: 1e-06 <= value"),
        ("1,2\n3,nan\n", "1,1\n", r"states\.csv:2:2: .*finite"),
        ("1,2\n3\n", "1,1\n", r"states\.csv:2:1: 1 numbers"),
        ("1,2\n3,4\n", "1,1,1\n", r"inputs\.csv: 3 inputs per vector, but .* has 2 rows"),
        ("1,2\n3,4\n", "1,x\n", r"inputs\.csv:1:2: an input .*: .*'x'"),
    ],
)
def test_wrong_tables_are_refused_and_nothing_is_written(
    tmp_path: Path, states: str, inputs: str, message: str
) -> None:
    (tmp_path / "array.yaml").write_text("array: {architecture: resistive}\n")
    (tmp_path / "states.csv").write_text(states)
    (tmp_path / "inputs.csv").write_text(inputs)
    arguments = ["--states", tmp_path / "states.csv", "--inputs", tmp_path / "inputs.csv"]
    result = hallspice("read", tmp_path / "array.yaml", *arguments, "--out", tmp_path / "out.csv")
    assert result.exit_code == 2
    assert re.search(message, result.stderr), result.stderr
    assert not (tmp_path / "out.csv").exists()


def test_a_level_outside_the_window_of_the_device_is_refused(tmp_path: Path) -> None:
    (tmp_path / "array.yaml").write_text("seed: 1\n")
    (tmp_path / "states.csv").write_text("0.33,0.9\n")
    (tmp_path / "inputs.csv").write_text("0.5\n")
    arguments = ["--states", tmp_path / "states.csv", "--inputs", tmp_path / "inputs.csv"]
    result = hallspice("read", tmp_path / "array.yaml", *arguments, "--out", tmp_path / "out.csv")
    assert result.exit_code == 2
    assert "states.csv:1:2: a Hall resistance: 0.9 ohm is out of range" in result.stderr


def test_a_missing_simulator_is_exit_code_3_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "array.yaml").write_text("array: {architecture: resistive}\n")
    for name in ("states.csv", "inputs.csv"):
        (tmp_path / name).write_text("1\n")
    command = [sys.executable, "-c", "from hallspice.cli import main; main()", "read", "array.yaml"]
    command += ["--states", "states.csv", "--inputs", "inputs.csv", "--out", "out.csv", "--engine", "ngspice"]
    environment = {"NGSPICE_LIBRARY_PATH": str(tmp_path / "none.so"), "PATH": ""}
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 3, run.stderr
    assert "is no file" in run.stderr
    assert "Try: install it" in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["run", "none.yaml", "--out", "out"], "none.yaml: no such file", 2),
        (["run", "empty.yaml", "--out", "out"], "empty.yaml: is empty", 2),
        (["run", "good.yaml", "--out", "good.yaml"], "good.yaml: cannot be written", 4),
        (["run", "good.yaml", "--out", "out", "--data-dir", "nowhere"], "nowhere", 2),
        (["evaluate", "good.yaml", "--out", "out", "--network", "none.npz"], "none.npz: No such file", 2),
        (["init", "good.yaml"], "good.yaml: exists already", 2),
    ],
)
def test_files_that_are_wrong_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str, code: int
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    (tmp_path / "good.yaml").write_text("seed: 1\n")
    result = hallspice(*arguments)
    assert result.exit_code == code, result.output
    assert message in result.stderr
    assert len(result.stderr.splitlines()) < 25
    assert (tmp_path / "good.yaml").read_text() == "seed: 1\n"
    assert not list(tmp_path.rglob("results.json"))


def test_starter_schema_version_and_doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert hallspice("init").exit_code == 0
    assert "dac_bits" in (tmp_path / "hallspice.yaml").read_text()
    schema = json.loads(hallspice("schema").output)
    assert schema["additionalProperties"] is False
    assert json.loads(hallspice("schema", "config").output) == schema
    assert re.fullmatch(r"hallspice \d+\.\d+\.\d+", hallspice("--version").output.strip())
    assert "MNIST" in hallspice("doctor").output


def test_schema_of_results() -> None:
    every = json.loads(hallspice("schema", "results").output)
    assert every["train"] == json.loads(hallspice("schema", "results", "train").output)
    trained = every["train"]["$defs"]["TrainResults"]
    assert trained["properties"]["accuracy"]["unit"] == "1"
    assert "test images" in trained["properties"]["accuracy"]["description"]
    wrong = hallspice("schema", "results", "doctor")
    assert wrong.exit_code == 2
    assert "'doctor' has no results.json, allowed:" in wrong.stderr
    wrong = hallspice("schema", "config", "run")
    assert wrong.exit_code == 2
    assert "the same for every command" in wrong.stderr


def test_device_report_scores_every_fact(tmp_path: Path) -> None:
    result = hallspice("device", "--out", tmp_path / "device", "--quiet")
    assert result.exit_code == 0, result.output
    board = _results(tmp_path / "device")["scoreboard"]
    assert {row["number"] for row in board} == set(range(1, 53))
    assert (tmp_path / "device" / "report.html").read_text().count("<svg") == 11


PULSES = """\
event,i_a,t_pulse_s,h_x_oe,h_z_oe
pulse,13.01 mA,200 us,0,
saturate,,,,-1000
pulse,13.01 mA,200 us,0,
preset,,,-2350,
pulse,13.01 mA,200 us,0,
"""


def test_pulses_follow_the_polarity_rule(tmp_path: Path) -> None:
    (tmp_path / "pulses.csv").write_text(PULSES)
    result = hallspice("pulse", "default", tmp_path / "pulses.csv", "--out", tmp_path / "trace.csv")
    assert result.exit_code == 0, result.output
    lines = (tmp_path / "trace.csv").read_text().splitlines()
    m_z = [float(dict(zip(lines[0].split(","), line.split(","), strict=True))["m_z"]) for line in lines[1:]]
    # 68 % switched; saturated to -z; closed gate; preset alone; field-free switching of the other sense.
    np.testing.assert_allclose(m_z, [1 - 2 * 0.68, -1, -1, -1, 2 * 0.68 - 1], atol=0.02)


def test_wrong_pulses_and_wrong_cards_are_refused_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "pulses.csv").write_text("i_a,t_pulse_s\n11 mA,200 us\n11 mV,200 us\n")
    result = hallspice("pulse", "default", tmp_path / "pulses.csv", "--out", tmp_path / "trace.csv")
    assert result.exit_code == 2
    assert "pulses.csv:3:1 i_a: '11 mV' is not convertible to A" in result.stderr
    assert not (tmp_path / "trace.csv").exists()
    entry = "provenance: assumed, source: mine}"
    (tmp_path / "card.yaml").write_text(
        f"name: x\ndescription: x\nbased_on: pt_ruo2_0p5\ngeometry:\n  t_hm: {{value: -1, unit: nm, {entry}\n"
        f"  w_channell: {{value: 1, unit: um, {entry}\n  t_cap: {{value: 1, unit: mV, {entry}\n"
        f"switching:\n  set_a:\n    u0: {{value: 1.2, unit: '1', {entry}\n"
    )
    result = hallspice("device", tmp_path / "card.yaml", "--out", tmp_path / "out")
    assert result.exit_code == 2
    places = re.findall(r"card\.yaml:(\d+):\d+ (\S+):", result.stderr)
    assert places == [
        ("5", "geometry.t_hm"),
        ("6", "geometry.w_channell"),
        ("7", "geometry.t_cap"),
        ("10", "switching.set_a.u0"),
    ]
    assert not (tmp_path / "out").exists()


UNITS = {
    "resistive": ("v", "i"),
    "active_parallel": ("v", "i"),
    "passive_parallel": ("v", "v"),
    "active_series": ("a", "i"),
    "series_hall": ("a", "v"),
    "row_multiplexed": ("a", "v"),
}


@needs_ngspice
@pytest.mark.parametrize("architecture", UNITS)
def test_every_architecture_is_read_by_every_engine(tmp_path: Path, architecture: str) -> None:
    random = np.random.default_rng(4)
    unit, output = UNITS[architecture]
    low, high = (1e4, 1e5) if architecture == "resistive" else (0.34, 0.6)
    mismatch = "" if architecture == "resistive" else ", cell: {mismatch: 1 %, r_off_spread: 10 mohm}"
    (tmp_path / "array.yaml").write_text(f"array: {{architecture: {architecture}, columns: 3{mismatch}}}\n")
    (tmp_path / "states.csv").write_text(csv_text(["ohm"] * 3, random.uniform(low, high, (4, 3)).tolist()))
    scale = 0.5 if unit == "v" else 1e-3
    (tmp_path / "inputs.csv").write_text(
        csv_text([unit] * 4, (scale * random.uniform(0, 1, (5, 4))).tolist())
    )
    outputs = {}
    for engine in ("nodal", "transfer", "ngspice"):
        out = tmp_path / f"{engine}.csv"
        arguments = ["--states", tmp_path / "states.csv", "--inputs", tmp_path / "inputs.csv", "--out", out]
        result = hallspice("read", tmp_path / "array.yaml", *arguments, "--engine", engine)
        assert result.exit_code == 0, result.output
        assert out.read_text().startswith(f"{output}_column_0_")
        outputs[engine] = np.loadtxt(out, delimiter=",", skiprows=1)
    size = np.abs(outputs["nodal"]).max()
    # Double precision knows a volt to 2e-16, which is 2e-14 A in a wire of 10 mohm and, through the 3 kohm of a
    # selected pair and its switches, 1e-10 V: 2e-7 of an output there, and nothing where a current is read.
    rounding = 2e-7 if architecture == "row_multiplexed" else 1e-8
    np.testing.assert_allclose(outputs["ngspice"], outputs["nodal"], rtol=0, atol=rounding * size)
    # First order in R_xy / R_channel, which is 1e-3.
    np.testing.assert_allclose(outputs["transfer"], outputs["nodal"], rtol=0, atol=5e-6 * size)


def test_full_reads_show_every_voltage_and_current(tmp_path: Path) -> None:
    (tmp_path / "array.yaml").write_text("seed: 1\n")
    (tmp_path / "states.csv").write_text("0.4,0.5\n")
    (tmp_path / "inputs.csv").write_text("0.5\n")
    arguments = ["--states", tmp_path / "states.csv", "--inputs", tmp_path / "inputs.csv"]
    result = hallspice("read", tmp_path / "array.yaml", *arguments, "--out", tmp_path / "out.csv", "--full")
    assert result.exit_code == 0, result.output
    lines = (tmp_path / "out-branches.csv").read_text().splitlines()
    current = dict(zip(lines[0].split(","), map(float, lines[1].split(",")), strict=True))
    output = float((tmp_path / "out.csv").read_text().splitlines()[1].split(",")[0])
    sense = next(name for name in current if name.lower().startswith("i_rsns0"))
    assert current[sense] == pytest.approx(output, rel=1e-12)
    result = hallspice(
        "read", tmp_path / "array.yaml", *arguments, "--out", "x", "--full", "--engine", "transfer"
    )
    assert result.exit_code == 2
    assert "--full needs the engine nodal or ngspice" in result.stderr


def _files(folder: Path, array: str, states: str, inputs: str) -> list[str | Path]:
    """Files of a read in `folder`; its arguments but `--out`."""
    (folder / "array.yaml").write_text(f"array: {{{array}}}\n")
    (folder / "states.csv").write_text(states)
    (folder / "inputs.csv").write_text(inputs)
    return [folder / "array.yaml", "--states", folder / "states.csv", "--inputs", folder / "inputs.csv"]


@needs_ngspice
@pytest.mark.parametrize("architecture", UNITS)
def test_a_full_read_in_ngspice_is_that_of_the_nodal_solution(tmp_path: Path, architecture: str) -> None:
    scale = "0.4,0.1" if UNITS[architecture][0] == "v" else "4e-4,1e-4"
    states = "1e4,2e4\n5e4,1e5\n" if architecture == "resistive" else "0.4,0.5\n0.55,0.35\n"
    arguments = _files(tmp_path, f"architecture: {architecture}", states, f"{scale}\n{scale}\n")
    tables = {}
    for engine in ("nodal", "ngspice"):
        out = tmp_path / f"{engine}.csv"
        result = hallspice("read", *arguments, "--out", out, "--full", "--engine", engine)
        assert result.exit_code == 0, result.output
        files = [out, *(out.with_name(f"{engine}-{what}.csv") for what in ("nodes", "branches"))]
        tables[engine] = [path.read_text().splitlines() for path in files]
    for ours, theirs, first in zip(*tables.values(), (0, 2, 2), strict=True):  # after vector and slot
        assert ours[0] == theirs[0]
        expected, found = (np.loadtxt(table[1:], delimiter=",") for table in (ours, theirs))
        assert np.abs(found - expected).max() < 1e-9 * np.abs(expected[:, first:]).max()


def test_the_states_say_how_large_an_array_is_and_the_inputs_what_its_supply_must_carry(
    tmp_path: Path,
) -> None:
    arguments = _files(tmp_path, "architecture: active_series", "0.4,0.5\n0.33,0.57\n", "1 mA,-1.8 mA\n")
    assert hallspice("read", *arguments, "--out", tmp_path / "out.csv").exit_code == 0
    arguments = _files(
        tmp_path, "architecture: active_series", "0.4,0.5\n0.33,0.57\n", "1 mA,1 mA\n1 mA,2 mA\n"
    )
    result = hallspice("read", *arguments, "--out", tmp_path / "out.csv")
    assert result.exit_code == 2
    what = r"inputs.csv:2:2: an input (current of a row of 1000 ohm; the supply is 1.8 V): 0.002 A is out of range"
    assert f"{what}, allowed: -0.0018 <= value <= 0.0018 A" in result.stderr
    arguments = _files(tmp_path, "driver: {v_supply: 0.4 V}", "0.4,0.5\n", "0.41\n")
    result = hallspice("read", *arguments, "--out", tmp_path / "out.csv")
    assert "(voltage of a row; the supply is 0.4 V): 0.41 V is out of range" in result.stderr


@pytest.mark.parametrize(
    ("array", "inputs", "warned"),
    [
        ("architecture: active_series, driver: {v_supply: 5}", "3.7 mA", False),
        ("architecture: active_series, driver: {v_supply: 5}", "-3.8 mA", True),
        ("driver: {v_supply: 5}", "1.8 V", False),
        ("driver: {v_supply: 5}", "1.9 V", True),
        ("driver: {v_supply: 5}, read: {i_read: 4 mA}", "0.5 V", False),
        ("architecture: resistive, driver: {v_supply: 5}", "5 V", False),
    ],
)
def test_a_read_that_switches_cells_is_warned_of(
    tmp_path: Path, array: str, inputs: str, warned: bool
) -> None:
    arguments = _files(tmp_path, array, "0.4\n", f"{inputs}\n")
    result = hallspice("read", *arguments, "--out", tmp_path / "out.csv")
    assert result.exit_code == 0, result.output
    assert (
        "the device begins to switch at 0.003757 A: this read disturbs the states" in result.stderr
    ) is warned


@pytest.mark.parametrize(
    ("array", "states", "inputs", "worst"),
    [
        ("architecture: passive_parallel", "0.4,0.5\n0.33,0.57\n", "0.5,0.2\n", (1e-9, 5e-6)),
        (
            "architecture: passive_parallel, cell: {r_arm: 1 mohm}",
            "0.4,0.5\n0.33,0.57\n",
            "0.5,0.2\n",
            (1e-3, 0.1),
        ),
        ("architecture: resistive", "1e4,2e4\n", "0.5\n", None),
    ],
)
def test_a_first_order_read_says_how_far_it_is_from_the_full_solution(
    tmp_path: Path, array: str, states: str, inputs: str, worst: tuple[float, float] | None
) -> None:
    arguments = _files(tmp_path, array, states, inputs)
    outputs = {}
    for engine in ("nodal", "transfer"):
        out = tmp_path / f"{engine}.csv"
        result = hallspice("read", *arguments, "--out", out, "--engine", engine, "--json")
        outputs[engine] = np.loadtxt(out, delimiter=",", skiprows=1)
    found = json.loads(result.stdout)
    transfer, output = (found["result"][f"{name}_difference"] for name in ("transfer", "output"))
    if worst is None:
        assert transfer is output is None
        return
    apart = np.abs(outputs["transfer"] - outputs["nodal"]).max() / np.abs(outputs["nodal"]).max()
    assert output == pytest.approx(apart, rel=1e-3)
    assert worst[0] < transfer < worst[1]
    assert bool(found["warnings"]) is (max(transfer, output) > 5e-6)
    assert "from the full solution: transfer matrix" in hallspice(
        "read", *arguments, "--out", out, "--engine", "transfer"
    ).output.replace("\n", " ")


def test_a_first_order_read_of_a_large_array_says_that_it_is_not_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hallspice.array.read.CHECKED_CELLS", 3)
    arguments = _files(tmp_path, "architecture: passive_parallel", "0.4,0.5\n0.33,0.57\n", "0.5,0.2\n")
    result = hallspice("read", *arguments, "--out", tmp_path / "out.csv", "--engine", "transfer")
    assert "not compared with the full solution: more than 3 cells" in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--out", "out.csv", "--engine", "transfer"],
            "array.yaml:1:16 array.exact: true asks for the full solution",
        ),
        (["--out", "states.csv"], "states.csv is read by this command; name another file"),
        (["--out", "./inputs.csv"], "inputs.csv is read by this command"),
        (["--out", "array.yaml"], "array.yaml is read by this command"),
        (["--out", "x.csv", "--full", "--states", "x-nodes.csv"], "x-nodes.csv is read by this command"),
        (["--out", "out.csv", "--longest", "1 h"], "--longest is for the engine ngspice"),
        (
            ["--out", "out.csv", "--engine", "ngspice", "--longest", "1 V"],
            "--longest: '1 V' is not convertible to s",
        ),
        (["--out", "out.csv", "--engine", "ngspice", "--longest", "0"], "allowed: 0 < value s"),
    ],
)
def test_reads_that_contradict_themselves_are_refused_and_nothing_is_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    _files(tmp_path, "exact: true", "0.4,0.5\n", "0.5\n")
    (tmp_path / "x-nodes.csv").write_text("0.4,0.5\n")
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    arguments = ["array.yaml", "--states", "states.csv", "--inputs", "inputs.csv", *options]
    result = hallspice("read", *arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


@needs_ngspice
def test_all_time_slots_count_before_the_first_is_run(tmp_path: Path) -> None:
    states, inputs = "0.4,0.5\n" * 30, ",".join(["1e-5"] * 30)
    arguments = _files(tmp_path, "architecture: row_multiplexed", states, f"{inputs}\n")
    arguments += ["--out", tmp_path / "out.csv", "--engine", "ngspice"]
    result = hallspice("read", *arguments, "--longest", "0.5 s")
    assert result.exit_code == 3
    assert re.search(r"allowed: 0\.5 s\) for 30 time slots of this 30 x 2 array", result.stderr)
    assert re.search(r"Try: an array of \d+ x [12] or a longer limit \(`read --longest`", result.stderr)
    result = hallspice("read", *arguments, "--longest", "1 h")
    assert result.exit_code == 0, result.output


def test_time_slots_show_their_progress(tmp_path: Path) -> None:
    arguments = _files(tmp_path, "architecture: row_multiplexed", "0.4,0.5\n" * 3, "1e-5,2e-5,3e-5\n")
    result = hallspice("read", *arguments, "--out", tmp_path / "out.csv")
    assert re.search(r"time slots .* 3/3", result.stderr), result.stderr
    result = hallspice("read", *arguments, "--out", tmp_path / "out.csv", "--quiet")
    assert result.stderr == ""
    arguments = _files(tmp_path, "architecture: active_series", "0.4,0.5\n" * 3, "1e-5,2e-5,3e-5\n")
    assert (
        hallspice("read", *arguments, "--out", tmp_path / "out.csv").stderr == ""
    )  # one slot: no bar, no line


def test_the_seed_of_a_read_draws_its_cells(tmp_path: Path) -> None:
    arguments = _files(tmp_path, "cell: {mismatch: 1 %}", "0.4,0.5\n", "0.5\n")
    texts = []
    for number, seed in enumerate((4, 4, 5)):
        out = tmp_path / f"{number}.csv"
        assert hallspice("read", *arguments, "--out", out, "--seed", seed).exit_code == 0
        texts.append(out.read_text())
    assert texts[0] == texts[1] != texts[2]


def test_series_rows_need_their_voltage(tmp_path: Path) -> None:
    (tmp_path / "array.yaml").write_text("array: {architecture: active_series, columns: 64}\n")
    result = hallspice("netlist", tmp_path / "array.yaml", "--out", tmp_path / "x.cir")
    assert result.exit_code == 2
    assert "a row needs 32 V for a full input, but the supply is 1.8 V" in result.stderr


def test_a_network_runs_on_series_rows_with_cells_that_differ(
    tmp_path: Path, small_run: tuple[Path, Result]
) -> None:
    (tmp_path / "series.yaml").write_text(
        SMALL.replace(
            "rows: 40",
            "architecture: active_series, cell: {mismatch: 0.1 %}, amplifier: {cmrr_db: 120}, "
            "read: {i_read: 50 uA}, rows: 40",
        )
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HALLSPICE_CACHE", str(small_run[0] / "cache"))
        result = hallspice("run", tmp_path / "series.yaml", "--out", tmp_path / "out", "--quiet")
    assert result.exit_code == 0, result.output
    results = _results(tmp_path / "out")
    assert abs(results["accuracy"]["circuit"] - results["accuracy"]["levels"]) < 0.05
    if results["certificate"]["tiles"]:
        assert results["certificate"]["max_relative_difference"] <= 1e-6


def test_architectures_without_evaluation_are_refused_with_those_that_have_one(tmp_path: Path) -> None:
    (tmp_path / "array.yaml").write_text("array: {architecture: series_hall, read: {i_read: 50 uA}}\n")
    result = hallspice("run", tmp_path / "array.yaml", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "series_hall as drawn carries no network" in result.stderr
    assert "allowed: array.series.isolation: ideal, or resistive, active_parallel" in result.stderr


def test_a_network_trained_through_the_circuit_is_run_and_reported(
    tmp_path: Path, small_run: tuple[Path, Result]
) -> None:
    text = SMALL.replace("epochs: 1", "epochs: 1, circuit_epochs: 2").replace(
        "rows: 40", "calibration: none, rows: 40"
    )
    (tmp_path / "loop.yaml").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HALLSPICE_CACHE", str(small_run[0] / "cache"))
        result = hallspice("run", tmp_path / "loop.yaml", "--out", tmp_path / "out", "--quiet")
    assert result.exit_code == 0, result.output
    # Two epochs through the circuit; the float network has one.
    lines = (tmp_path / "out" / "training.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", "1", "2"]
    assert lines[2].endswith(",,,")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "device levels, through the circuit" in page
    assert re.search(r"the one on levels on inputs of \d bits and for 2 more through the circuit\.", page)
    assert _results(tmp_path / "out")["accuracy"]["circuit"] > 0.75
