"""How simulators are started, and what is read of what they write and say."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from veriloga.programs import ProgramError, read_raw, run_ngspice, telling_lines

HEAD = """Title: * t
Date: Fri Nov 27 06:10:14  2026
Plotname: {plot}
Flags: {flags}
No. Variables: 2
No. Points: 3
Variables:
\t0\t{first}\t{first}
\t1\tV(Out)\tvoltage
"""
REAL = HEAD.format(plot="Transient Analysis", flags="real", first="time")
COMPLEX = HEAD.format(plot="AC Analysis", flags="complex", first="frequency")
REAL_TEXT = REAL + "Values:\n 0\t0.0e+00\n\t1.5e+00\n\n 1\t1e-3\n\t-2.5\n\n 2\t2e-3\n\t4\n\n"
COMPLEX_TEXT = COMPLEX + "Values:\n 0\t1,0\n\t3,-4\n\n 1\t10,0\n\t0,2\n\n 2\t100,0\n\t-5,12\n\n"
SECOND_PLOT = REAL + "Values:\n 0\t9\n\t9\n\n 1\t9\n\t9\n\n 2\t9\n\t9\n\n"


def raw(tmp_path: Path, content: str | bytes) -> dict[str, list[float]]:
    path = tmp_path / "x.raw"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return {name: values.tolist() for name, values in read_raw(path).items()}


def binary(head: str, numbers: list[complex]) -> bytes:
    kind = complex if "complex" in head else float
    return head.encode() + b"Binary:\n" + np.array(numbers).astype(kind).tobytes()


def test_raw_files_in_text_and_binary_hold_the_same(tmp_path: Path) -> None:
    expected = {"time": [0.0, 1e-3, 2e-3], "v(out)": [1.5, -2.5, 4.0]}
    assert raw(tmp_path, REAL_TEXT) == expected
    assert raw(tmp_path, REAL_TEXT.replace("\n", "\r\n")) == expected
    assert raw(tmp_path, binary(REAL, [0.0, 1.5, 1e-3, -2.5, 2e-3, 4.0])) == expected


def test_complex_values_are_magnitudes(tmp_path: Path) -> None:
    expected = {"frequency": [1.0, 10.0, 100.0], "v(out)": [5.0, 2.0, 13.0]}
    assert raw(tmp_path, COMPLEX_TEXT) == expected
    assert raw(tmp_path, binary(COMPLEX, [1, 3 - 4j, 10, 2j, 100, -5 + 12j])) == expected


def test_the_first_of_several_plots_is_read(tmp_path: Path) -> None:
    assert raw(tmp_path, REAL_TEXT + SECOND_PLOT)["v(out)"] == [1.5, -2.5, 4.0]
    first = binary(REAL, [0.0, 1.5, 1e-3, -2.5, 2e-3, 4.0])
    assert raw(tmp_path, first + binary(REAL, [9.0] * 6))["v(out)"] == [1.5, -2.5, 4.0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no raw file"),
        (b"\xff\xfe\x00\x01" * 50, "is no raw file"),
        (REAL, "is no raw file"),
        (REAL.replace("No. Points: 3\n", "") + "Values:\n 0\t1\n\t2\n", "is no raw file"),
        (REAL_TEXT[:-12], "is damaged"),
        (REAL_TEXT.replace("-2.5", "two"), "is damaged"),
        (COMPLEX_TEXT.replace("3,-4", "3"), "is damaged"),
        (binary(REAL, [0.0, 1.5, 1e-3, -2.5, 2e-3]), "is damaged"),
        (REAL.replace("Points: 3", "Points: many") + "Binary:\n", "is damaged"),
    ],
)
def test_what_is_no_whole_raw_file_is_an_error(tmp_path: Path, content: str | bytes, said: str) -> None:
    with pytest.raises(ProgramError, match=rf"x\.raw {said}"):
        raw(tmp_path, content)


def test_the_reason_stands_beside_the_complaint() -> None:
    log = [f"line {k}" for k in range(40)]
    complaint = re.compile("Error")
    assert telling_lines(log, complaint) == log[28:]
    log[20] = "Error on line 6:"
    assert telling_lines(log, complaint) == [*log[18:23], *log[37:]]
    for k in range(0, 40, 5):
        log[k] = "Error"
    assert telling_lines(log, complaint) == [*log[0:3], *log[3:8], log[8], *log[37:]]
    assert telling_lines([], complaint) == []


SPY = """#!{python}
import json, os, pathlib, sys
if sys.argv[1:] == ["--version"]:
    print("ngspice-46")
else:
    seen = {{name: text for name, text in os.environ.items() if "SPICE" in name}}
    start = {{path.name: path.read_text() for path in pathlib.Path(os.environ["SPICE_SCRIPTS"]).iterdir()}}
    print(json.dumps([sys.argv[1:], os.getcwd(), seen, start]))
"""


def test_ngspice_starts_without_anybodys_files_or_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "ngspice"
    program.parent.mkdir()
    program.write_text(SPY.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    for name in (
        "SPICE_ASCIIRAWFILE",
        "SPICE_SCRIPTS",
        "SPICE_LIB_DIR",
        "NGSPICE_OSDI_DIR",
        "SPICE_USERINIT_DIR",
    ):
        monkeypatch.setenv(name, "1")
    deck = tmp_path / "decks" / "x.cir"
    deck.parent.mkdir()
    deck.write_text("* deck\n")
    words, folder, variables, start = json.loads(run_ngspice(deck)[0])
    assert words == ["-n", "-b", "x.cir"]
    assert Path(folder) == deck.parent
    assert variables.keys() == {"SPICE_SCRIPTS", "SPICE_USERINIT_DIR"}
    assert start.keys() == {"spinit", ".spiceinit", "spice.rc"}
    assert all(text.startswith("*") and text.count("\n") == 1 for text in start.values())
    assert not Path(variables["SPICE_SCRIPTS"]).exists()
