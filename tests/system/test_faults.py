"""Interrupted, out of space, killed: earlier results stay whole, nothing half-written stays, the exit code says so."""

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from circuits.spice.engine import find_simulator
from hallspice.cli.application import app
from hallspice.progress import _Terminal
from veriloga.programs import ProgramError, run_ngspice

ROOT = Path(__file__).parents[2]
PAPER = ROOT / "examples" / "data" / "paper" / "paper.yaml"

SMALL = """\
seed: 5
array: {rows: 40, columns: 30}
network: {layers: [784, 10], epochs: 1}
certificate: {tiles: 0}
compare: {draws: 2, vectors: 20}
"""

COMMANDS = {  # long ones; `fit` writes a folder beside its card
    "run": ["run", "small.yaml", "--out", "out"],
    "train": ["train", "small.yaml", "--out", "out"],
    "evaluate": ["evaluate", "chips.yaml", "--out", "out"],
    "compare": ["compare", "small.yaml", "--out", "out"],
    "write": ["write", "small.yaml", "--levels", "levels.csv", "--out", "out"],
    "device": ["device", "--out", "out"],
    "fit": ["fit", str(PAPER), "--out", "out/card.yaml", "--report", "out"],
    "verify": ["verify", "--quick", "--out", "out"],
}
if find_simulator().library:
    COMMANDS["write in ngspice"] = [*COMMANDS["write"], "--engine", "ngspice"]
QUICK = {
    "pulse": ["pulse", "default", "pulses.csv", "--out", "out/results.json"],
    "measure": ["measure", "default", "--protocol", "loops", "--out", "out"],
    "exchange": ["exchange", "default", "--out", "out"],
    "levels": ["levels", str(PAPER.parents[1] / "synthetic_ladder" / "data.yaml"), "--out", "out"],
    "export": ["export", "spice", "--out", "out"],
    "netlist": ["netlist", "small.yaml", "--out", "out/results.json"],
    "read": [
        "read",
        "small.yaml",
        "--states",
        "levels.csv",
        "--inputs",
        "inputs.csv",
        "--out",
        "out/results.json",
    ],
    "init": ["init", "out/new.yaml"],
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks that the commands share."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def desk(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with an earlier result in `out`; afterwards it must be as it was."""
    folder = tmp_path / "desk"
    (folder / "out").mkdir(parents=True)
    (folder / "small.yaml").write_text(SMALL)
    (folder / "chips.yaml").write_text(f"{SMALL}variation: {{chips: 2, read_noise: 1 %}}\n")
    (folder / "exact.yaml").write_text(SMALL.replace("rows: 40", "exact: true, rows: 40"))
    (folder / "levels.csv").write_text("0.33,0.5\n0.46,0.49\n")
    (folder / "inputs.csv").write_text("0.5,0.25\n")
    (folder / "pulses.csv").write_text("i_a,t_pulse_s\n" + "13.2 mA,200 us\n" * 30)
    (folder / "out" / "results.json").write_text(json.dumps({"files": ["old.csv", "results.json"]}))
    (folder / "out" / "old.csv").write_text("old")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("HALLSPICE_CACHE", str(cache))
    monkeypatch.chdir(folder)
    before = _content(folder)
    yield folder
    assert _content(folder) == before
    assert list((tmp_path / "tmp").glob("hallspice*")) == []
    assert list(cache.rglob("*.partial")) == []


def _content(folder: Path) -> dict[str, bytes]:
    """Every file and folder below `folder`."""
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in sorted(folder.rglob("*"))}


def hallspice(arguments: list[str]) -> Result:
    return CliRunner().invoke(app, arguments)


STAGE = {"run": "solving tiles", "evaluate": "noise of every read", "train": "training", "fit": "fit: "}
"""Where a command is interrupted, when it is not at its second report of progress."""


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize("name", COMMANDS)
def test_an_interrupted_command_leaves_the_earlier_result(
    name: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[str] = []

    def stop(_self: _Terminal, _done: int, _total: int, message: str) -> None:
        reported.append(message)
        if STAGE.get(name, "") in message and (len(reported) > 1 or name == "train"):
            raise KeyboardInterrupt

    monkeypatch.setattr(_Terminal, "__call__", stop)
    arguments = [*COMMANDS[name], "--quiet", "--json"]
    if name == "train":
        arguments += ["--seed", "6"]  # a network that is not kept yet
    result = hallspice(arguments)
    assert result.exit_code == 130, result.output
    assert result.stderr.splitlines()[-1] == "interrupted with Ctrl-C; nothing half-written is left"
    assert json.loads(result.stdout)["exit_code"] == 130
    if name == "run":  # training was done: its networks are kept
        assert len(list(cache.rglob("*.npz"))) == 2


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize("arguments", [*COMMANDS.values(), *QUICK.values()], ids=[*COMMANDS, *QUICK])
def test_a_full_disk_leaves_the_earlier_result(arguments: list[str]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60, hard))  # like a disk that is full after 60 bytes
    try:
        result = hallspice(arguments)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert result.exit_code == 4, result.output
    assert "cannot be written: File too large" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize("arguments", [*COMMANDS.values(), *QUICK.values()], ids=[*COMMANDS, *QUICK])
@pytest.mark.parametrize("place", ["small.yaml", "/proc"])
def test_a_place_that_can_not_be_written_is_named(arguments: list[str], place: str) -> None:
    """Below a file, and in a file system that takes no files; root may write anywhere else."""
    elsewhere = [f"{place}/{one}" if one.startswith("out") else one for one in arguments]
    result = hallspice(elsewhere)
    assert result.exit_code == 4, result.output
    assert "cannot be written" in result.stderr.splitlines()[-1]


SIGNALLED = """
import os, signal, sys
from hallspice.progress import _Terminal
def stop(self, done, total, message):
    if {stage!r} in message and done:
        {action}
_Terminal.__call__ = stop
if __name__ == "__mp_main__" and {dead}:
    os.kill(os.getpid(), signal.SIGKILL)
from hallspice.cli import main
if __name__ == "__main__":
    main()
"""
"""A program that does something to itself in a stage of a command; a file, as worker processes start by one."""


def signalled(desk: Path, action: str, dead: bool, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    program = desk.parent / "program.py"
    program.write_text(SIGNALLED.format(stage="solving tiles", action=action, dead=dead))
    command = [sys.executable, "-B", str(program), *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize(
    ("action", "code", "message"),
    [
        ("os.kill(os.getpid(), signal.SIGTERM)", 143, "ended by SIGTERM; nothing half-written is left"),
        ("os.kill(os.getpid(), signal.SIGINT)", 130, "interrupted with Ctrl-C; nothing half-written is left"),
    ],
)
def test_signals_while_tiles_are_solved(desk: Path, action: str, code: int, message: str) -> None:
    run = signalled(desk, action, False, [*COMMANDS["run"], "--quiet"])
    assert run.returncode == code, run.stderr
    assert run.stderr.splitlines()[-1] == message
    assert "Traceback" not in run.stderr


@pytest.mark.skipif(len(os.sched_getaffinity(0)) == 1, reason="one core: there are no worker processes")
def test_dead_workers_while_tiles_are_solved(desk: Path) -> None:
    run = signalled(desk, "pass", True, ["run", "exact.yaml", "--out", "out", "--quiet"])
    assert run.returncode == 5, run.stderr
    assert run.stderr.splitlines()[-1] == "a worker process was killed (is there enough memory?)"
    assert "Traceback" not in run.stderr


@pytest.mark.skipif(find_simulator().library is None, reason="missing program: libngspice")
def test_a_signal_inside_ngspice_is_not_lost(desk: Path) -> None:
    """Python code that ngspice calls back swallows exceptions; the signal waits until ngspice returns."""
    program = desk.parent / "program.py"
    program.write_text(
        "import os, signal\n"
        "from circuits.spice.engine import SharedNgspice\n"
        "from hallspice.cli import main\n"
        "plain = SharedNgspice._do\n"
        "def do(self, deck, action):\n"
        "    def signalled():\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        action()\n"
        "        print('ngspice returned', flush=True)\n"
        "    plain(self, deck, signalled)\n"
        "SharedNgspice._do = do\n"
        "main()\n"
    )
    arguments = [
        "read",
        "small.yaml",
        "--states",
        "levels.csv",
        "--inputs",
        "inputs.csv",
        "--out",
        "out/new.csv",
    ]
    command = [sys.executable, "-B", str(program), *arguments, "--engine", "ngspice"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert run.returncode == 143, run.stderr
    assert run.stdout == "ngspice returned\n"
    assert run.stderr == "ended by SIGTERM; nothing half-written is left\n"


def fake_ngspice(folder: Path, last: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "bin" / "ngspice"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\n[ "$1" = --version ] && {{ echo "ngspice-46"; exit 0; }}\n{last}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")


def test_a_killed_ngspice_is_exit_code_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert hallspice(["export", "spice", "--out", str(tmp_path / "export")]).exit_code == 0
    fake_ngspice(tmp_path, "kill -9 $$", monkeypatch)
    before = sorted(tmp_path.iterdir())
    result = hallspice(["verify", str(tmp_path / "export"), "--out", str(tmp_path / "out")])
    assert result.exit_code == 3
    assert result.stderr.startswith("ngspice was killed by signal 9")
    left = set(tmp_path.iterdir()) - set(before)
    assert [path.name[:17] for path in left] == ["hallspice-failed-"]  # the deck, which the message names
    assert str(left.pop()) in result.stderr


def test_a_hanging_ngspice_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ngspice(tmp_path, "exec sleep 600", monkeypatch)
    (tmp_path / "deck.cir").write_text("* deck\n.end\n")
    with pytest.raises(ProgramError, match=r"ngspice took longer than 0\.2 s"):
        run_ngspice(tmp_path / "deck.cir", timeout_s=0.2)
