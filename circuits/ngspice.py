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
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from circuits.network import GROUND, Floats, Kind, Network
from circuits.nodal import coupled_parts
from circuits.spice import HOLD, batch_deck, saved_nodes

logger = logging.getLogger(__name__)

LIBRARY_VARIABLE = "NGSPICE_LIBRARY_PATH"

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


class Refused(SpiceError):  # noqa: N818 - says what it is
    """A run that would take too long, and was not begun."""


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
    try:
        run = subprocess.run(
            [executable, "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"ngspice-(\d+)", run.stdout)
    return int(match[1]) if match else None


def simulate(
    network: Network, inputs: ArrayLike, *, klu: bool | None = None, limit_s: float = 300.0
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
        Refuse when the run is expected to take longer [s].

    Returns
    -------
    (batch, outputs).

    Raises
    ------
    SimulatorMissing
        When there is no ngspice.
    Refused
        When ngspice would take longer than `limit_s`.
    SpiceError
        When ngspice fails.
    """
    batch = network.checked_inputs(inputs)
    if len(batch) == 0:
        return np.zeros((0, network.n_outputs))
    shared = shared_ngspice()
    use_klu = find_simulator().klu if klu is None else klu
    what = f"this {network.n_inputs} x {network.n_outputs} array and {len(batch)} input vectors"
    check_time(network, len(batch), use_klu, limit_s, what)
    deck = batch_deck(network, batch, options=("klu",) if use_klu else ())
    vectors = shared.run(deck, saved_nodes(network), np.arange(len(batch), dtype=float) + HOLD / 2, HOLD / 2)
    names = (*network.node_names, "0")
    vectors["0"] = np.zeros(len(batch))
    plus = np.stack([vectors[names[k]] for k in network.output_plus.tolist()], axis=1)
    if (network.output_minus != GROUND).any():
        plus -= np.stack([vectors[names[k]] for k in network.output_minus.tolist()], axis=1)
    outputs: Floats = plus * network.output_scale
    if not np.isfinite(outputs).all():
        raise SpiceError("ngspice returned values that are not numbers", deck=deck)
    return outputs


def expected_seconds(network: Network, batch: int, klu: bool) -> float:
    """Rough time of `simulate` [s], fitted to runs of 32x32 to 128x128 arrays in version 46 on a busy machine.

    Without KLU ngspice orders the equations of each coupled part anew with a method whose cost grows with the
    2.5th power of their number. Wires written as currents (`batch_deck`) add two equations each.
    """
    parts, nodes = coupled_parts(network) / 8400, network.n_nodes
    if network.common_mode:
        wires = network.group == network.groups.index("wire")
        parts = parts * (1 + 2 * np.count_nonzero(wires & (network.kind == Kind.RESISTOR)) / nodes)
    if klu:
        return float(nodes * (2.5e-5 + 3e-6 * batch) + (0.3 + 0.25 * batch) * np.sum(parts**1.5))
    return float(nodes * (7e-5 + 2.2e-5 * batch) + (9.4 + 2.3 * batch) * np.sum(parts**2.5))


def check_time(network: Network, batch: int, klu: bool, limit_s: float, what: str) -> None:
    """`Refused` when `expected_seconds` exceeds `limit_s` [s]; `what` is run."""
    seconds = expected_seconds(network, batch, klu)
    if seconds <= limit_s:
        return
    fraction = (limit_s / seconds) ** (1 / 5)
    rows, columns = network.n_inputs, network.n_outputs
    raise Refused(
        f"ngspice would take about {seconds:.0f} s for {what}, allowed: {limit_s:.0f} s",
        hint=f"an array of {int(rows * fraction)} x {int(columns * fraction)}, fewer input vectors, a longer limit"
        + (" or an ngspice with the KLU solver (version 42 or later)" if not klu else ""),
    )


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
            nearest = np.abs(time[:, None] - at).argmin(axis=0)
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
