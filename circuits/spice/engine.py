"""The simulator itself: where ngspice is, what it can do, and its shared library."""

from __future__ import annotations

import ctypes
import ctypes.util
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from compact_model.numeric import Floats

logger = logging.getLogger(__name__)


LIBRARY_VARIABLE = "NGSPICE_LIBRARY_PATH"


HOW_TO_INSTALL = (
    "install it (Debian, Ubuntu: apt install libngspice0 ngspice; macOS: brew install libngspice ngspice),"
    f" or set {LIBRARY_VARIABLE} to the file of the shared library"
)


FAILURE = re.compile(
    r"singular matrix|\berror\b|\bfatal\b|\bignored\b|aborted|can't (find|parse)|timestep too small|no such",
    re.IGNORECASE,
)


_LOG_LINES = 12


class SpiceError(RuntimeError):
    """A simulator failed: what happened, its last words, and what to try.

    Attributes
    ----------
    deck
        The netlist that was run, or nothing.
    log
        What the simulator said, line by line.
    """

    def __init__(self, what: str, *, deck: str = "", log: Sequence[str] = (), hint: str = "") -> None:
        self.deck = deck
        self.log = tuple(log)
        tail = [f"    {line}" for line in self.log[-_LOG_LINES:]]
        parts = [
            what,
            *(["last lines of the log:", *tail] if tail else []),
            *([f"Try: {hint}"] if hint else []),
        ]
        super().__init__("\n".join(parts))


class SimulatorMissing(SpiceError):  # noqa: N818 - says what it is
    """There is no ngspice where one is needed."""


@dataclass(frozen=True, slots=True)
class Simulator:
    """What is known about the ngspice of this machine.

    Attributes
    ----------
    library
        Path or name of the shared library, or None.
    executable
        Path of the program, or None.
    version
        Major version of the library (of the program when there is no library), or None.
    klu
        Has the KLU solver, which large arrays need.
    osdi
        Loads compiled Verilog-A models.
    problem
        Why the library can't be used; empty when it can.
    """

    library: str | None
    executable: str | None
    version: int | None
    klu: bool
    osdi: bool
    problem: str = ""


def find_library() -> str | None:
    """Path (or, failing that, loadable name) of the shared library; None when there is none."""
    given = os.environ.get(LIBRARY_VARIABLE)
    if given:
        return given if Path(given).is_file() else None
    suffixes = ("libngspice*.dylib",) if sys.platform == "darwin" else ("libngspice.so", "libngspice.so.*")
    for folder in _library_folders():
        for pattern in suffixes:
            found = sorted(folder.glob(pattern), key=lambda path: (len(path.name), path.name))
            if found:
                return str(found[0])
    return ctypes.util.find_library("ngspice")


def _library_folders() -> Iterator[Path]:
    variable = "DYLD_LIBRARY_PATH" if sys.platform == "darwin" else "LD_LIBRARY_PATH"
    yield from (Path(part) for part in os.environ.get(variable, "").split(os.pathsep) if part)
    for prefix in (os.environ.get("HOMEBREW_PREFIX"), "/opt/homebrew", "/usr/local", sys.prefix):
        if prefix:
            yield from (Path(prefix, "lib"), Path(prefix, "opt", "libngspice", "lib"))
    if sys.platform.startswith("linux"):
        architecture = os.uname().machine
        yield from (Path(f"/usr/lib/{architecture}-linux-gnu"), Path("/usr/lib64"), Path("/usr/lib"))


@cache
def find_simulator() -> Simulator:
    """Look for ngspice and ask it what it can do. Never raises; looked up once per process."""
    executable = shutil.which("ngspice")
    try:
        shared = shared_ngspice()
    except SpiceError as error:
        version = _executable_version(executable) if executable else None
        return Simulator(find_library(), executable, version, klu=False, osdi=False, problem=str(error))
    about = "\n".join(shared.ask("version -f"))
    match = re.search(r"ngspice-(\d+)", about)
    return Simulator(
        library=find_library(),
        executable=executable,
        version=int(match[1]) if match else None,
        klu="KLU" in about,
        osdi="no such command" not in "\n".join(shared.ask("osdi")),
    )


def _executable_version(executable: str) -> int | None:
    match = re.search(r"ngspice-(\d+)", _about_executable(executable))
    return int(match[1]) if match else None


@cache
def _about_executable(executable: str) -> str:
    """What the program says about itself; nothing when it can't be run."""
    try:
        return subprocess.run(
            [executable, "--version"], capture_output=True, text=True, timeout=30, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def deck_options() -> tuple[str, ...]:
    """Words for the ``.options`` line of a deck that ``ngspice -b`` runs: its KLU solver, where it has one.

    An ngspice without KLU calls the option an error and goes on, so it is left out there.
    """
    executable = shutil.which("ngspice")
    return ("klu",) if executable and "KLU" in _about_executable(executable) else ()


class SharedNgspice:
    """The shared library, driven through PySpice; `shared_ngspice` has the one of this process.

    Attributes
    ----------
    engine
        PySpice's object.
    """

    def __init__(self, library: str) -> None:
        try:
            ctypes.CDLL(library)  # PySpice can't recover from a library that doesn't load
        except OSError as error:
            raise SpiceError(
                f"the shared library of ngspice can't be loaded: {error}", hint=HOW_TO_INSTALL
            ) from None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PySpice 1.5 is older than this Python
            from PySpice.Spice.NgSpice.Shared import NgSpiceShared

        # Everything that ngspice says comes back as its log and is judged here, instead of being printed; and
        # "Unsupported Ngspice version" only means that PySpice is older than ngspice.
        logging.getLogger(f"{NgSpiceShared.__module__}.{NgSpiceShared.__name__}").addFilter(_relog)
        NgSpiceShared.LIBRARY_PATH = library
        self.engine: Any = NgSpiceShared.new_instance()
        self._modules: set[str] = set()

    def ask(self, command: str) -> list[str]:
        """What ngspice answers to a command, whether it liked it or not."""
        with suppress(NameError):  # that is what PySpice's errors are
            self.engine.exec_command(command)
        return self._log()

    def run(self, deck: str, nodes: Sequence[str], at: Floats, within: float) -> dict[str, Floats]:
        """Run a deck with one transient; the wanted node voltages at the time points nearest to `at`.

        A SpiceError when one of these is farther away than `within` [s].
        """
        with self._loaded(deck):
            self._do(deck, self.engine.run)
            plot = self.engine.plot(None, self.engine.last_plot)
            missing = [name for name in nodes if name not in plot]
            if missing:
                what = f"ngspice gave no voltage of node {missing[0]}"
                raise SpiceError(what, deck=deck, log=self._log())
            time = np.array(plot["time"]._data, dtype=float)
            after = np.searchsorted(time, at).clip(1, len(time) - 1)
            nearest = after - (at - time[after - 1] < time[after] - at)
            if np.abs(time[nearest] - at).max() > within:
                raise SpiceError("ngspice left out an input vector", deck=deck, log=self._log())
            return {name: np.array(plot[name]._data, dtype=float)[nearest] for name in nodes}

    def load(self, module: Path) -> None:
        """Load a compiled module, unless it is loaded."""
        name = str(module.resolve())
        if name not in self._modules:
            self._do("", lambda: self.engine.exec_command(f"osdi {name}"))
            self._modules.add(name)

    def waveforms(self, deck: str, vectors: Sequence[str]) -> dict[str, Floats]:
        """Run a deck with one transient; the time and the wanted vectors."""
        with self._loaded(deck):
            self._do(deck, self.engine.run)
            plot = self.engine.plot(None, self.engine.last_plot)
            missing = [name for name in vectors if name not in plot]
            if missing:
                raise SpiceError(f"ngspice gave no vector {missing[0]}", deck=deck, log=self._log())
            return {name: np.array(plot[name]._data, dtype=float) for name in ("time", *vectors)}

    @contextmanager
    def _loaded(self, deck: str) -> Iterator[None]:
        """A circuit that is taken out of ngspice's memory afterwards, whatever happens."""
        try:
            self._do(deck, lambda: self.engine.load_circuit(deck))
            yield
        finally:
            self.ask("remcirc")
            self.ask("destroy all")

    def _do(self, deck: str, action: Any) -> None:
        failed = ""
        try:
            with _signals_later():
                action()
        except NameError as error:
            failed = str(error)
        log = self._log()
        bad = [line for line in log if FAILURE.search(line)]
        if failed or bad:
            raise SpiceError(
                "ngspice failed" + (f" ({failed})" if failed else ""),
                deck=deck,
                log=bad or log,
                hint="the nodal engine names floating nodes and wrong values; the deck is in the error",
            )

    def _log(self) -> list[str]:
        return [*self.engine._stdout, *self.engine._stderr]


@contextmanager
def _signals_later() -> Iterator[None]:
    """Hold back Ctrl-C and SIGTERM while ngspice runs: raised inside one of its callbacks they would be lost."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.signal(number, lambda given, _: caught.append(given)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, handlers, strict=True):
            signal.signal(number, handler)
        for given in caught:
            signal.raise_signal(given)


@cache
def shared_ngspice() -> SharedNgspice:
    """The shared library of this process: ngspice keeps global state, so there is one.

    Raises
    ------
    SimulatorMissing, SpiceError
        When there is no library, or it can't be loaded.
    """
    library = find_library()
    if library is None:
        given = os.environ.get(LIBRARY_VARIABLE)
        what = (
            f"{LIBRARY_VARIABLE} = {given} is no file" if given else "no shared library of ngspice was found"
        )
        raise SimulatorMissing(what, hint=HOW_TO_INSTALL)
    return SharedNgspice(library)


def _relog(record: logging.LogRecord) -> bool:
    logger.debug("%s", record.getMessage())
    return False
