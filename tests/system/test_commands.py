"""What all commands have in common: help, examples, JSON, exit codes, start-up."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from circuits.spice.engine import find_simulator
from hallspice.cli.application import app
from hallspice.commands import MEANING, ExitCode
from hallspice.doctor import collect
from veriloga.programs import COMPILER, find_program

ROOT = Path(__file__).parents[2]
COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]

EXAMPLES = [
    line.strip()
    for command in COMMANDS.values()
    for line in command.epilog.splitlines()
    if line.strip().startswith("hallspice ")
]

SMALL = """\
seed: 5
array: {rows: 40, columns: 30}
network: {layers: [784, 20, 10], epochs: 1}
certificate: {tiles: 1, vectors: 1}
compare: {draws: 2, vectors: 20}
"""


def hallspice(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def process(
    *arguments: object, code: str = "from hallspice.cli import main; main()", **settings: Any
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **settings)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working folder with the files that the examples name, as small as they can be."""
    folder = tmp_path_factory.mktemp("desk")
    shutil.copytree(ROOT / "examples" / "data", folder / "examples" / "data")
    for name in ("mnist_active_parallel.yaml", "compare.yaml", "sweep_tile_wire_adc.yaml"):
        (folder / "examples" / name).write_text(SMALL)
    (folder / "examples" / "mnist_chips.yaml").write_text(
        f"{SMALL}variation: {{chips: 2, read_noise: 1 %}}\n"
    )
    (folder / "array.yaml").write_text("array: {rows: 2, columns: 2}\n")
    (folder / "pulses.csv").write_text("i_a,t_pulse_s\n13.2 mA,200 us\n")
    (folder / "states.csv").write_text("0.33,0.57\n0.46,0.49\n")
    (folder / "inputs.csv").write_text("0.5,0.25\n")
    (folder / "levels.csv").write_text("0.33,0.57\n0.46,0.49\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HALLSPICE_CACHE", str(folder / "cache"))
        patch.chdir(folder)
        yield folder


def test_every_command_has_examples() -> None:
    assert {shlex.split(example)[1] for example in EXAMPLES} == set(COMMANDS)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_runs_and_answers_with_one_json_document(desk: Path, example: str) -> None:
    """In the order of the help, so that an example finds what an earlier one wrote."""
    if "verify" in example and (find_program(COMPILER) is None or not find_simulator().osdi):
        pytest.skip("missing program: openvaf-r, or an ngspice that loads its modules")
    if example.startswith("hallspice paper"):
        if "--quick" not in example:
            pytest.skip("takes an hour")
        if not any(one.name == "Fashion-MNIST" and one.found for one in collect()):
            pytest.skip("missing data: Fashion-MNIST")
    arguments = shlex.split(example)[1:]
    result = hallspice(*arguments, *([] if "--json" in arguments else ["--json"]))
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert list(document) == ["command", "exit_code", "result", "files", "warnings"]
    assert document["command"] == arguments[0]
    assert document["exit_code"] == 0
    assert isinstance(document["result"], dict)
    assert all((desk / file).is_file() for file in document["files"])
    if arguments[0] not in ("doctor", "schema", "cache"):
        assert document["files"]


HEAVY = ("torch", "numpy", "scipy", "matplotlib")


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from hallspice.cli import main\n"
        "try:\n    main()\n"
        f"finally:\n    found = sorted(set({HEAVY}) & set(sys.modules))\n    print('heavy:', found)\n"
    )
    # One process for all helps would be quicker, but one help would then hide the imports of the next.
    run = process(*arguments, code=code)
    assert run.returncode == 0, run.stderr
    assert run.stdout.endswith("heavy: []\n")


def test_exit_codes_are_in_the_help_and_in_the_docs() -> None:
    helped = hallspice("--help").output
    page = (ROOT / "docs" / "command_line.md").read_text(encoding="utf-8")
    for code, meaning in MEANING.items():
        assert re.search(rf"^ +{code:d} +{re.escape(meaning)}$", helped, re.MULTILINE)
        assert re.search(rf"^\| {code:d} \| ", page, re.MULTILINE)
    assert set(MEANING) == set(ExitCode)
    for name in COMMANDS:
        assert f"`hallspice {name}" in page, name


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "none.yaml", "--out", "out"], 2, "none.yaml: no such file"),
        (
            ["train", "examples/compare.yaml", "--out", "array.yaml/out"],
            4,
            "array.yaml/out: cannot be written",
        ),
        (["pulse", "default", "pulses.csv", "--out", "array.yaml/x.csv"], 4, "cannot be written"),
        (["rnu"], 2, "Did you mean 'run'?"),
        (["run", "array.yaml"], 2, "Missing option '--out'"),
        (["run", "array.yaml", "--out", "out", "--seed", "x"], 2, "--seed"),
        (["--nonsense", "run"], 2, "No such option"),
    ],
)
def test_errors_are_json_documents_with_their_exit_code(
    desk: Path, arguments: list[str], code: int, message: str
) -> None:
    result = hallspice(*arguments, "--json")
    assert result.exit_code == code
    document = json.loads(result.stdout)
    assert document["exit_code"] == code
    assert message in document["error"]
    plain = hallspice(*arguments)
    assert plain.exit_code == code
    assert plain.stdout == ""
    assert message in plain.stderr
    assert not (desk / "out" / "results.json").exists()


def test_a_failed_check_is_exit_code_1_and_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    from hallspice.model import export
    from hallspice.model.results import VerifyExportResults

    found = VerifyExportResults(passed=False, benches=(), files=("results.json",))
    monkeypatch.setattr(export, "verify_card", lambda *_, **__: (found, ["1 checks, 1 failed."]))
    result = hallspice("verify", "--out", "failed", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["result"] == {"passed": False, "benches": [], "files": ["results.json"]}
    assert hallspice("verify", "--out", "failed").stdout == "1 checks, 1 failed.\n"


def test_a_fault_of_the_program_is_exit_code_5_and_asks_for_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hallspice.doctor.collect", lambda: 1 // 0)
    result = hallspice("doctor", "--json")
    assert result.exit_code == 5
    assert "ZeroDivisionError" in json.loads(result.stdout)["error"]
    assert result.stderr.endswith("please report it with the lines above\n")
    with pytest.raises(ZeroDivisionError):
        CliRunner().invoke(app, ["--debug", "doctor"], catch_exceptions=False)


@pytest.mark.parametrize("name", ["circuits", "veriloga"])
def test_another_package_of_the_same_name_is_said_in_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("raise RuntimeError('imported')\n")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    run = process("doctor", cwd=tmp_path, env=environment)
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.count("\n") == 1
    assert f"the package '{name}' is found in {tmp_path / name} instead of {ROOT / name}" in run.stderr


def test_completion_knows_commands_and_options(tmp_path: Path) -> None:
    for words, expected in (("hallspice ev", "evaluate"), ("hallspice run --data", "--data-dir")):
        environment = os.environ | {
            "_HALLSPICE_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        }
        code = "import sys; sys.argv = ['hallspice']; from hallspice.cli import main; main()"
        assert expected in process(code=code, env=environment, cwd=tmp_path).stdout.split()


@pytest.mark.parametrize("arguments", [["exchange", "default", "--out", "out", "--json"], ["doctor"]])
def test_standard_output_that_can_not_be_written_has_its_exit_code(
    tmp_path: Path, arguments: list[str]
) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", "from hallspice.cli import main; main()", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            check=False,
        )
    assert done.returncode == 4, done.stderr
    assert "standard output: cannot be written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_encoding_without_a_letter_prints_one_near_it(tmp_path: Path) -> None:
    (tmp_path / "array.yaml").write_text("array: {rows: 1, columns: 2}\n")
    (tmp_path / "levels.csv").write_text("0.33,0.57\n")
    command = [sys.executable, "-c", "from hallspice.cli import main; main()", "write", "array.yaml"]
    done = subprocess.run(
        [*command, "--levels", "levels.csv", "--out", "out", "--quiet"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert " uJ" in done.stdout
    assert "Traceback" not in done.stderr


def test_many_warnings_of_a_list_of_pulses_are_counted(tmp_path: Path) -> None:
    pulses = tmp_path / "pulses.csv"
    pulses.write_text("i_a,t_pulse_s\n" + "17 mA,200 us\n1 mA,200 us\n" * 30)
    arguments = ["pulse", "default", str(pulses), "--out", str(tmp_path / "trace.csv"), "--quiet", "--json"]
    answer = json.loads(CliRunner().invoke(app, arguments).stdout)
    assert answer["result"]["events"] == 60
    assert len(answer["warnings"]) == 21
    assert answer["warnings"][1].startswith("event 3: compliance: 17 mA needs 8.5 V")
    assert answer["warnings"][20].startswith("10 more events exceed limits")
    lines = (tmp_path / "trace.csv").read_text().splitlines()
    assert [bool(line.split(",")[-1]) for line in lines[1:]] == [True, False] * 30
