"""Find ngspice and run networks in it."""

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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from circuits.network import GROUND, Floats, Ints, Kind, Network
from circuits.nodal import coupled_parts
from circuits.spice import HOLD, batch_deck

logger = logging.getLogger(__name__)

LIBRARY_VARIABLE = "NGSPICE_LIBRARY_PATH"

LONGEST = 300.0
"""Longest time that runs may be expected to take, where nothing else is asked for [s]."""

_HOW_TO_INSTALL = (
    "install it (Debian, Ubuntu: apt install libngspice0 ngspice; macOS: brew install libngspice ngspice),"
    f" or set {LIBRARY_VARIABLE} to the file of the shared library"
)
_FAILURE = re.compile(
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


class TooLargeError(SpiceError):
    """A run that was refused: it would take longer than allowed, or more memory than there is."""


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


@dataclass(frozen=True, slots=True)
class BatchRun:
    """What ``ngspice -b`` printed: its log, and the values of ``name = number`` lines."""

    log: tuple[str, ...]
    values: Mapping[str, float]


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


def simulate(
    network: Network, inputs: ArrayLike, *, klu: bool | None = None, limit_s: float = LONGEST, runs: int = 1
) -> Floats:
    """Solve a batch of inputs in ngspice.

    Parameters
    ----------
    network
        The circuit.
    inputs
        (batch, inputs), in the unit of the sources.
    klu
        Which solver to use; None: KLU when this ngspice has it.
    limit_s
        Refuse when all runs together are expected to take longer [s].
    runs
        How many runs like this one there are in all: the time slots of a read.

    Returns
    -------
    (batch, outputs).

    Raises
    ------
    SimulatorMissing
        When there is no ngspice.
    TooLargeError
        When ngspice would take longer than `limit_s`, or more memory than there is.
    SpiceError
        When ngspice fails.
    """
    needed = np.unique(np.concatenate([network.output_plus, network.output_minus]))
    needed = needed[needed != GROUND]
    found = _voltages(network, inputs, needed, klu=klu, limit_s=limit_s, runs=runs)
    place = np.full(network.n_nodes + 1, len(needed))  # ground, -1, is the last
    place[needed] = np.arange(len(needed))
    found = np.hstack([found, np.zeros((len(found), 1))])
    across = found[:, place[network.output_plus]] - found[:, place[network.output_minus]]
    return np.asarray(across * network.output_scale)


def node_voltages(
    network: Network, inputs: ArrayLike, *, klu: bool | None = None, limit_s: float = LONGEST, runs: int = 1
) -> Floats:
    """As `simulate`, but the voltages of all nodes, (batch, nodes) [V]."""
    return _voltages(network, inputs, np.arange(network.n_nodes), klu=klu, limit_s=limit_s, runs=runs)


def _voltages(
    network: Network, inputs: ArrayLike, nodes: Ints, *, klu: bool | None, limit_s: float, runs: int
) -> Floats:
    """Voltages of some nodes, (batch, nodes) [V]."""
    batch = network.checked_inputs(inputs)
    if len(batch) == 0:
        return np.zeros((0, len(nodes)))
    shared = shared_ngspice()
    use_klu = find_simulator().klu if klu is None else klu
    every_node = len(nodes) == network.n_nodes
    check_size(network, len(batch), klu=use_klu, limit_s=limit_s, runs=runs, every_node=every_node)
    deck = batch_deck(network, batch, options=("klu",) if use_klu else (), every_node=every_node)
    names = [network.node_names[k] for k in nodes.tolist()]
    found = shared.run(deck, names, np.arange(len(batch), dtype=float) + HOLD / 2, HOLD / 2)
    voltages = np.stack([found[name] for name in names], axis=1)
    if not np.isfinite(voltages).all():
        raise SpiceError("ngspice returned values that are not numbers", deck=deck)
    return voltages


@dataclass(frozen=True, slots=True, kw_only=True)
class _Load:
    """What runs are made of, as far as it costs time and memory."""

    rows: int
    columns: int
    batch: int
    runs: int
    klu: bool
    every_node: bool
    nodes: float
    parts: Floats
    """Sizes of the sets of nodes that act on each other."""
    wires: float
    """Wires whose currents are unknowns of their own (`circuits.spice`)."""
    sources: float

    @property
    def seconds(self) -> float:
        """Rough time, fitted to arrays of 32 x 32 to 128 x 128 in version 46 on a busy machine [s].

        Without KLU ngspice orders the equations of each coupled part anew with a method whose cost grows with the
        2.5th power of their number. It looks through all sources for that of each wire with a current of its own.
        """
        parts = self.parts / 8400
        found = 2.6e-8 * self.wires**2
        if self.klu:
            found += self.nodes * (2.5e-5 + 3e-6 * self.batch)
            found += (0.3 + 0.25 * self.batch) * float(np.sum(parts**1.5))
        else:
            parts = parts * (1 + 2 * self.wires / self.nodes)
            found += self.nodes * (7e-5 + 2.2e-5 * self.batch)
            found += (9.4 + 2.3 * self.batch) * float(np.sum(parts**2.5))
        if self.every_node:
            found += self.nodes * (1e-4 + 5e-6 * self.batch)
        return self.runs * found

    @property
    def memory(self) -> float:
        """Rough memory of one run, as measured with `seconds` [byte]."""
        found = self.nodes * (3700 if self.klu else 5000) + 300 * (self.sources + self.columns) * self.batch
        return found + (self.nodes * (3000 + 250 * self.batch) if self.every_node else 0)

    def resized(self, share: float) -> _Load:
        """Those of an array whose sides are a share of these, at least one cell."""
        rows, columns = max(1, int(self.rows * share)), max(1, int(self.columns * share))
        cells = (rows + 1) * (columns + 1) / ((self.rows + 1) * (self.columns + 1))  # with drivers and senses
        longer = max(rows / self.rows, columns / self.columns)
        return replace(
            self,
            rows=rows,
            columns=columns,
            runs=1 if self.runs == 1 else rows,
            nodes=self.nodes * cells,
            parts=self.parts * (cells if len(self.parts) == 1 else longer),
            wires=self.wires * cells,
            sources=self.sources * rows / self.rows,
        )


def check_size(
    network: Network,
    batch: int,
    *,
    klu: bool,
    limit_s: float,
    runs: int = 1,
    every_node: bool = False,
    what: str = "",
) -> None:
    """`TooLargeError` where runs would take longer than `limit_s` [s], or more memory than there is.

    Parameters
    ----------
    network
        What is run.
    batch
        Input vectors, or what takes as long.
    klu
        Whether the KLU solver is used.
    limit_s
        Longest time, of all runs together [s].
    runs
        How many networks like this one.
    every_node
        Whether the voltages of all nodes are kept.
    what
        What is run, for the message: "a transient of".
    """
    wires = network.group == network.groups.index("wire")
    load = _Load(
        rows=network.n_inputs,
        columns=network.n_outputs,
        batch=batch,
        runs=runs,
        klu=klu,
        every_node=every_node,
        nodes=network.n_nodes,
        parts=coupled_parts(network).astype(float),
        wires=float(np.sum(wires & (network.kind == Kind.RESISTOR))) if network.common_mode else 0.0,
        sources=len(network.drive_source),
    )
    memory = _available_memory()
    slow, large = load.seconds > limit_s, load.memory > memory
    if not (slow or large):
        return
    smaller = (load.resized(0.95**step) for step in range(1, 140))
    fits = next((size for size in smaller if size.seconds <= limit_s and size.memory <= memory), None)
    wanted = [
        f"take about {load.seconds:.3g} s (allowed: {limit_s:g} s)" if slow else "",
        f"need about {load.memory / 1e9:.3g} GB of memory (available: {memory / 1e9:.3g} GB)"
        if large
        else "",
    ]
    slots = f"{load.runs} time slots of " if load.runs > 1 else ""
    vectors = "" if what else f" and {batch} input vector{'s' if batch > 1 else ''}"
    hints = [
        f"an array of {fits.rows} x {fits.columns}" if fits else "",
        "fewer input vectors" if batch > 1 and not what else "",
        "a longer limit (`read --longest`, `certificate.longest`)" if slow and not large else "",
        "an ngspice with the KLU solver (version 42 or later)" if slow and not load.klu else "",
        "another engine",
    ]
    raise TooLargeError(
        f"ngspice would {' and '.join(filter(None, wanted))} for {what + ' ' if what else slots}this"
        f" {load.rows} x {load.columns} array{vectors}",
        hint=" or ".join(filter(None, hints)),
    )


def _available_memory() -> float:
    """Memory that is free, or would be freed on demand [byte]; all there is where the system doesn't say."""
    with suppress(OSError):
        found = re.search(r"^MemAvailable:\s*(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
        if found:
            return 1024.0 * int(found[1])
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def transient(deck: str, vectors: Sequence[str], *, module: str | Path | None = None) -> dict[str, Floats]:
    """Run a deck with one transient analysis; whole waveforms.

    Parameters
    ----------
    deck
        The netlist.
    vectors
        Names of the wanted vectors (nodes; ``name#branch`` for source currents), lower case; time comes with them.
    module
        Compiled Verilog-A module that the deck needs; loaded once per process.

    Raises
    ------
    SimulatorMissing
        When there is no ngspice.
    SpiceError
        When ngspice fails, cannot load the module, or lacks a vector.
    """
    shared = shared_ngspice()
    if module is not None:
        if not find_simulator().osdi:
            raise SpiceError(
                "this ngspice does not load compiled Verilog-A modules", hint="version 42 or later, with OSDI"
            )
        shared.load(Path(module))
    return shared.waveforms(deck, vectors)


def run_batch(path: str | Path, *, timeout_s: float = 300.0) -> BatchRun:
    """Run a deck with ``ngspice -b``.

    Raises
    ------
    SimulatorMissing
        When there is no ngspice program.
    SpiceError
        When it exits with an error, says so in its log, or takes longer than `timeout_s`.
    """
    executable = shutil.which("ngspice")
    if executable is None:
        raise SimulatorMissing("there is no program ngspice on this machine", hint=_HOW_TO_INSTALL)
    command = [executable, "-b", str(path)]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        raise SpiceError(f"{' '.join(command)} took longer than {timeout_s:.0f} s") from None
    except OSError as error:
        raise SpiceError(f"{executable} can't be run: {error.strerror}", hint=_HOW_TO_INSTALL) from None
    log = (*run.stdout.splitlines(), *run.stderr.splitlines())
    bad = [line for line in log if _FAILURE.search(line)]
    if run.returncode or bad:
        what = f"{' '.join(command)} failed with exit code {run.returncode}"
        raise SpiceError(what, log=bad or log, hint="look at the deck, the log names the line or the node")
    pairs = re.findall(r"^(\w+) = (\S+)$", run.stdout, re.MULTILINE)
    return BatchRun(log, {name: float(value) for name, value in pairs})


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
                f"the shared library of ngspice can't be loaded: {error}", hint=_HOW_TO_INSTALL
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
        bad = [line for line in log if _FAILURE.search(line)]
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
        raise SimulatorMissing(what, hint=_HOW_TO_INSTALL)
    return SharedNgspice(library)


def _relog(record: logging.LogRecord) -> bool:
    logger.debug("%s", record.getMessage())
    return False
