"""What a user has set up for ngspice changes no result of a command; a wrong library ends it with exit code 3."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from numpy.random import bit_generator

from circuits.spice.engine import LIBRARY_VARIABLE
from veriloga.programs import NGSPICE, find_program

HOSTILE = """* what a user may have there
set filetype=ascii
set ngbehavior=ps
set num_threads=8
option reltol=0.1 method=gear
osdi /nowhere/missing.osdi
codemodel /nowhere/missing.cm
echo error: hello from the start-up file
"""


def hallspice(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from hallspice.cli import main; main()", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), **os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def certified(folder: Path, **environment: str) -> dict[str, Any]:
    run = hallspice(
        *(folder, "verify", "--grains", "12", "--largest-error", "0.1", "--quick", "--out", "out", "--json"),
        **environment,
    )
    assert run.returncode == 0, run.stderr
    checks: dict[str, Any] = json.loads((folder / "out" / "results.json").read_text())["checks"]
    return checks


@pytest.mark.ngspice
@pytest.mark.skipif(find_program(NGSPICE) is None, reason="no program ngspice")
def test_verify_gives_the_same_with_a_hostile_start_up_file(tmp_path: Path) -> None:
    plain, hostile = tmp_path / "plain", tmp_path / "hostile"
    (hostile / "scripts").mkdir(parents=True)
    plain.mkdir()
    for place in (".spiceinit", "spice.rc", "scripts/spinit"):
        (hostile / place).write_text(HOSTILE)
    changed = {"HOME": str(hostile), "SPICE_ASCIIRAWFILE": "1", "SPICE_SCRIPTS": str(hostile / "scripts")}
    assert certified(plain) == certified(hostile, **changed, SPICE_USERINIT_DIR=str(hostile))


def test_a_library_that_is_not_ngspice_is_exit_code_3(tmp_path: Path) -> None:
    (tmp_path / "array.yaml").write_text("array: {architecture: resistive, rows: 2, columns: 2}\n")
    (tmp_path / "states.csv").write_text("1e4,2e4\n3e4,4e4\n")
    (tmp_path / "inputs.csv").write_text("0.1,0.2\n")
    run = hallspice(
        *(tmp_path, "read", "array.yaml", "--states", "states.csv", "--inputs", "inputs.csv"),
        *("--out", "outputs.csv", "--engine", "ngspice"),
        **{LIBRARY_VARIABLE: bit_generator.__file__},
    )
    assert run.returncode == 3, run.stderr
    assert "is another library (it has no ngSpice_Init)" in " ".join(run.stderr.split())
    assert "Traceback" not in run.stderr
