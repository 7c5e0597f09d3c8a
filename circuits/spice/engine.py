"""The simulator itself: where ngspice is, what it can do, and its shared library."""

from __future__ import annotations

import ctypes.util
import hashlib
import logging
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from circuits.spice.binding import find_binding
from compact_model.cards.storage import scratch_folder
from compact_model.numeric import Floats
from veriloga.programs import START_UP_FILES, empty_start_up_files, explained, telling_lines

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


LOAD_LIMIT = 30.0
"""How long the shared library may take to load and start [s]."""

_TRY_LIBRARY = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
for name in "Spice_Init", "Spice_Init_Sync", "Spice_Command", "Spice_Circ", "Spice_AllVecs", "Get_Vec_Info":
    if not hasattr(library, "ng" + name):
        sys.exit(f"no ngspice: {sys.argv[1]} is another library (it has no ng{name})")
library.ngSpice_Init(*[None] * 7)
"""

_DECK_HINT = "the nodal engine names floating nodes and wrong values; the deck is in the error"
_MODULE_HINT = "compile the module again, for the interface of this ngspice (`hallspice export veriloga`)"

_STARTING = threading.Lock()


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
        super().__init__(explained(what, telling_lines(self.log, FAILURE), hint))


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
    """The shared library, driven through its Python binding; `shared_ngspice` has the one of this process.

    ngspice keeps one global state and isn't safe for threads. Each method here is one turn of ngspice (a whole run from
    loading the deck to fetching its vectors), and one thread has its turn at a time; others wait.

    It reads nobody's start-up files, unless PySpice had started the library before.

    Attributes
    ----------
    engine
        The binding's object. Who calls it directly holds `turn` meanwhile, where other threads use ngspice too.
    """

    def __init__(self, library: str) -> None:
        fault = library_fault(library)
        if fault:
            raise SpiceError(fault, hint=HOW_TO_INSTALL)
        try:
            binding = find_binding().shared.NgSpiceShared
        except ImportError as error:
            raise SimulatorMissing(f"no Python binding of ngspice: {error}", hint="make setup") from None
        self._relay = _Relay(binding._logger)
        self._lock = threading.RLock()
        self._modules: set[bytes] = set()
        self._code_models: list[Path] = []
        if not binding._instances:
            self._code_models = sorted(Path(library).resolve().parent.glob("ngspice/*.cm"))
        with self._own_turn(), _bare_start():
            self.engine: Any = _engine(binding, library, self._relay).new_instance()
            self.engine._logger = self._relay

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Keep other threads from using ngspice."""
        with self._lock:
            yield

    @contextmanager
    def _own_turn(self) -> Iterator[None]:
        """A turn in which the messages of the binding go to hallspice's own log: they are judged here."""
        with self._lock:
            before, self._relay.own = self._relay.own, True
            try:
                yield
            finally:
                self._relay.own = before

    def ask(self, command: str) -> list[str]:
        """What ngspice answers to a command, whether it liked it or not."""
        with self._own_turn():
            with suppress(NameError):  # that is what PySpice's errors are
                self.engine.exec_command(command)
            return self._log()

    def run(self, deck: str, nodes: Sequence[str], at: Floats, within: float) -> dict[str, Floats]:
        """Run a deck with one transient; the wanted node voltages at the time points nearest to `at`.

        A SpiceError when one of these is farther away than `within` [s].
        """
        found = self.waveforms(deck, nodes)
        time = found["time"]
        after = np.searchsorted(time, at).clip(1, len(time) - 1)
        nearest = after - (at - time[after - 1] < time[after] - at)
        if np.abs(time[nearest] - at).max() > within:
            raise SpiceError("ngspice left out an input vector", deck=deck)
        return {name: found[name][nearest] for name in nodes}

    def waveforms(self, deck: str, vectors: Sequence[str]) -> dict[str, Floats]:
        """Run a deck with one transient; the time and the wanted vectors."""
        with self._own_turn(), self._loaded(deck):
            self._do(deck, self.engine.run)
            plot = self.engine.plot(None, self.engine.last_plot)
            missing = [name for name in vectors if name not in plot]
            if missing:
                raise SpiceError(f"ngspice gave no vector {missing[0]}", deck=deck, log=self._log())
            return {name: np.array(plot[name]._data, dtype=float) for name in ("time", *vectors)}

    def load(self, module: Path) -> None:
        """Load a compiled module, unless one of the same content is loaded.

        Raises
        ------
        SpiceError
            When there is no such file, when ngspice can't load it (no module, or for another version of the
            interface), and when another module of its name was loaded before: ngspice would go on with that one.
        """
        try:
            content = hashlib.sha256(module.read_bytes()).digest()
        except OSError as error:
            raise SpiceError(f"no compiled module {module}: {error.strerror}", hint=_MODULE_HINT) from None
        with self._own_turn():
            if content in self._modules:
                return
            before = self._devices()
            with scratch_folder() as folder:  # ngspice takes no path with spaces, PySpice none beyond ASCII
                link = folder / "module.osdi"
                link.symlink_to(module.resolve())
                what = f"ngspice can't load the compiled module {module}"
                self._do("", lambda: self.engine.exec_command(f"osdi {link}"), what, _MODULE_HINT)
            again = [name for name in self._devices() - before if name in before]
            if again:
                raise SpiceError(
                    f"{module}: another module {again[0]} is loaded, and ngspice would go on with that one",
                    hint="a process of its own for each compiled module",
                )
            self._modules.add(content)

    def load_code_models(self) -> None:
        """Load what the start-up file of the system usually loads (polynomial sources, digital parts), once."""
        with self._own_turn():
            for path in self._code_models:
                self.ask(f"codemodel {path}")
            self._code_models = []

    def _devices(self) -> Counter[str]:
        """Names of the device models that ngspice has, and how often it has them."""
        return Counter(line.split()[0] for line in self.ask("devhelp") if line.strip())

    @contextmanager
    def _loaded(self, deck: str) -> Iterator[None]:
        """A circuit that is taken out of ngspice's memory afterwards, whatever happens."""
        try:
            self._do(deck, lambda: self.engine.load_circuit(deck))
            yield
        finally:
            self.ask("remcirc")
            self.ask("destroy all")

    def _do(self, deck: str, action: Any, what: str = "ngspice failed", hint: str = _DECK_HINT) -> None:
        failed = ""
        try:
            with _signals_later():
                action()
        except NameError as error:
            failed = str(error)
        log = self._log()
        if failed or any(FAILURE.search(line) for line in log):
            log += [line for line in self.ask("echo") if line]  # what still waits for the end of its line
            raise SpiceError(what + (f" ({failed})" if failed else ""), deck=deck, log=log, hint=hint)

    def _log(self) -> list[str]:
        return [*self.engine._stdout, *self.engine._stderr]


def _engine(binding: Any, library: str, relay: _Relay) -> Any:
    """The binding's class, for a certain library, whose errors bring along what ngspice said."""

    class Engine(binding):  # type: ignore[misc]  # it has no types
        library_path = library
        _logger = relay
        _before: Sequence[str] = ()

        def load_circuit(self, circuit: Any) -> None:
            self._before = ()
            with self._telling():
                super().load_circuit(circuit)
            self._before = (*self._stdout, *self._stderr)  # what is wrong with a deck shows when it is run

        def run(self, background: bool = False) -> None:
            with self._telling():
                super().run(background)

        @contextmanager
        def _telling(self) -> Iterator[None]:
            try:
                yield
            except NameError as error:
                for line in telling_lines([*self._before, *self._stdout, *self._stderr], FAILURE):
                    error.add_note(line)
                raise

    return Engine


class _Relay:
    """The binding's logger as ngspice's messages meet it.

    While hallspice runs ngspice they are debug messages of hallspice, which judges the log itself (the binding takes
    "Using KLU as Direct Linear Solver" for an error); at other times they go where the user's process sends them.
    """

    def __init__(self, theirs: logging.Logger) -> None:
        self.theirs = theirs
        self.own = False

    def __getattr__(self, level: str) -> Any:
        return logger.debug if self.own else getattr(self.theirs, level)


@contextmanager
def _bare_start() -> Iterator[None]:
    """Let the library start without anybody's start-up files.

    Its own functions for that crash in version 46 and don't reach ``.spiceinit`` on Linux. So it is sent to a folder
    with empty ones; the working directory changes for these milliseconds where there is a file to be kept from.
    """
    home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    with empty_start_up_files() as (folder, variables), ExitStack() as after:
        for name, text in variables.items():
            before = os.environ.get(name)
            os.environ[name] = text
            if before is None:
                after.callback(os.environ.pop, name)
            else:
                after.callback(os.environ.__setitem__, name, before)
        if any(Path(place, name).exists() for place in ("", home) for name in START_UP_FILES):
            handle = os.open(".", os.O_RDONLY)
            after.callback(os.close, handle)
            after.callback(os.fchdir, handle)
            os.chdir(folder)
        yield


@cache
def library_fault(library: str, limit_s: float = LOAD_LIMIT) -> str:
    """Why a file can't be used as the shared library; empty when it can.

    Found out in a process of its own, which may crash or hang.

    Parameters
    ----------
    library
        Path, or a name that the system's loader finds.
    limit_s
        How long loading and starting may take [s].
    """
    with empty_start_up_files() as (folder, variables):
        try:
            run = subprocess.run(
                [sys.executable, "-I", "-c", _TRY_LIBRARY, _absolute(library)],
                cwd=folder,
                env={**os.environ, **variables},
                capture_output=True,
                text=True,
                timeout=limit_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"the shared library {library} takes longer than {limit_s:g} s to load"
    if run.returncode == 0:
        return ""
    if run.returncode < 0:
        return f"the shared library {library} was killed by signal {-run.returncode} when it was loaded"
    reason = (run.stderr.splitlines() or ["?"])[-1]
    return f"the shared library of ngspice can't be loaded: {reason.partition(': ')[2] or reason}"


def _absolute(library: str) -> str:
    return str(Path(library).absolute()) if os.sep in library else library


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


def shared_ngspice() -> SharedNgspice:
    """The shared library of this process: ngspice keeps global state, so there is one, for all threads.

    Raises
    ------
    SimulatorMissing, SpiceError
        When there is no library, or it can't be loaded.
    """
    with _STARTING:
        return _started()


@cache
def _started() -> SharedNgspice:
    library = find_library()
    if library is None:
        given = os.environ.get(LIBRARY_VARIABLE)
        what = (
            f"{LIBRARY_VARIABLE} = {given} is no file" if given else "no shared library of ngspice was found"
        )
        raise SimulatorMissing(what, hint=HOW_TO_INSTALL)
    return SharedNgspice(library)
