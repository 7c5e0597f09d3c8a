"""Calls of ngspice with its library and its program replaced: what is asked, what is made of the answers."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from circuits import threads, workers
from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar
from circuits.network import Network
from circuits.solve.nodal import factor
from circuits.spice import engine, ngspice, pyspice_cell
from circuits.spice.binding import Binding
from circuits.spice.engine import SharedNgspice, Simulator, SimulatorMissing, SpiceError
from circuits.spice.netlist import STEPS, saving, step_deck
from circuits.spice.size import LONGEST
from veriloga.programs import ProgramError

RESISTIVE = ArrayConfig(architecture="resistive", r_row=0.5, r_column=0.3, r_output=10.0)
INPUTS = np.array([[0.5, -0.25], [0.125, 1.0], [0.0, 0.75]])


def array() -> Network:
    return crossbar(np.array([[1e4, 2e4, 3e4], [4e4, 5e4, 6e4]]), RESISTIVE)


class Library:
    """In place of the shared library: node voltages by the nodal solver."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.calls: list[tuple[str, list[str], list[float], float]] = []
        self.modules: list[Path] = []
        self.last = 0.0

    def run(self, deck: str, names: list[str], at: np.ndarray, within: float) -> dict[str, np.ndarray]:
        self.calls.append((deck, names, at.tolist(), within))
        voltages = factor(self.network).solve(INPUTS).node_voltages.T.copy()
        voltages[-1, -1] += self.last
        found = dict(zip(self.network.node_names, voltages, strict=True))
        return {name: found[name] for name in names}

    def load(self, module: Path) -> None:
        self.modules.append(module)

    def waveforms(self, deck: str, vectors: list[str]) -> dict[str, str]:
        return {"deck": deck, "vectors": " ".join(vectors)}


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    made = Library(array())
    monkeypatch.setattr(ngspice, "shared_ngspice", lambda: made)
    monkeypatch.setattr(ngspice, "find_simulator", lambda: Simulator("l", None, 46, klu=True, osdi=False))
    return made


@pytest.mark.parametrize(("klu", "words"), [(None, True), (True, True), (False, False)])
def test_a_batch_of_three_vectors(
    library: Library, monkeypatch: pytest.MonkeyPatch, klu: bool | None, words: bool
) -> None:
    """Each is read in the middle of the three quarters of a second for which it is held."""
    asked: list[tuple[Network, int, dict[str, Any]]] = []
    monkeypatch.setattr(ngspice, "check_size", lambda *given, **more: asked.append((*given, more)))
    network, solution = array(), factor(array()).solve(INPUTS)
    np.testing.assert_allclose(ngspice.simulate(network, INPUTS, klu=klu), solution.outputs, rtol=1e-12)
    every = ngspice.node_voltages(network, INPUTS, klu=klu, limit_s=5.0, runs=7)
    np.testing.assert_allclose(every, solution.node_voltages, rtol=1e-12)
    (deck, names, at, within), (whole, all_names, _, _) = library.calls
    assert (names, all_names) == (["o0", "o1", "o2"], list(network.node_names))
    assert (at, within) == ([0.375, 1.375, 2.375], 0.375)
    assert (".options klu" in deck.splitlines()) is (".options klu" in whole.splitlines()) is words
    assert (".save v(o0) v(o1) v(o2)" in deck, ".save" in whole) == (True, False)
    assert asked == [
        (network, 3, {"klu": words, "limit_s": LONGEST, "runs": 1, "every_node": False}),
        (network, 3, {"klu": words, "limit_s": 5.0, "runs": 7, "every_node": True}),
    ]


def test_no_vectors_and_no_numbers(library: Library) -> None:
    assert ngspice.simulate(array(), np.zeros((0, 2))).shape == (0, 3)
    assert ngspice.node_voltages(array(), np.zeros((0, 2))).shape == (0, array().n_nodes)
    assert library.calls == []
    library.last = np.inf
    with pytest.raises(SpiceError, match="values that are not numbers"):
        ngspice.node_voltages(array(), INPUTS)


def test_transients_with_and_without_a_module(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ngspice.transient("deck", ["a", "b"]) == {"deck": "deck", "vectors": "a b"}
    with pytest.raises(SpiceError, match="does not load compiled Verilog-A modules"):
        ngspice.transient("deck", ["a"], module="m.osdi")
    assert library.modules == []
    monkeypatch.setattr(ngspice, "find_simulator", lambda: Simulator("l", None, 46, klu=True, osdi=True))
    ngspice.transient("deck", ["a"], module="m.osdi")
    assert library.modules == [Path("m.osdi")]


class Waveforms(SharedNgspice):
    """A run that gave five time points."""

    def __init__(self) -> None:
        pass

    def waveforms(self, deck: str, vectors: Any) -> dict[str, np.ndarray]:
        del deck
        time = np.array([0.0, 0.4, 1.0, 1.3, 2.0])
        return {"time": time, **{name: 10.0 * np.arange(5) + k for k, name in enumerate(vectors)}}


def test_the_nearest_time_points_are_taken() -> None:
    at = np.array([-0.1, 0.15, 0.25, 0.69, 0.71, 1.0, 1.6, 1.7, 2.2])
    found = Waveforms().run("deck", ["a", "b"], at, 0.31)
    assert found["a"].tolist() == [0.0, 0.0, 10.0, 10.0, 20.0, 20.0, 30.0, 40.0, 40.0]
    assert found["b"].tolist() == (found["a"] + 1).tolist()
    with pytest.raises(SpiceError, match="left out an input vector"):
        Waveforms().run("deck", ["a"], at, 0.29)
    with pytest.raises(SpiceError, match="left out an input vector"):
        Waveforms().run("deck", ["a"], np.array([3.0]), 0.9)


Answer = subprocess.CompletedProcess[str]


class Program:
    """In place of `subprocess.run`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answer: Answer | BaseException = Answer([], 0, "", "")
        self.calls: list[tuple[list[str], dict[str, Any]]] = []
        monkeypatch.setattr(subprocess, "run", self)

    def __call__(self, command: list[str], **more: Any) -> Answer:
        self.calls.append((command, more))
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Program:
    made = Program(monkeypatch)

    @contextmanager
    def bare() -> Any:
        yield ["/bin/ngspice", "-n"], {"A": "b"}

    monkeypatch.setattr(ngspice, "bare_ngspice", bare)
    return made


def test_what_a_batch_run_printed(program: Program) -> None:
    program.answer = Answer([], 0, "x = 1\ni0 = 1.5e-3\n i1 = 2\ni2 = 3 4\nv_1 = -2.5\n", "Note: fine\n")
    found = ngspice.run_batch("deck.cir", timeout_s=5.0)
    assert found.values == {"x": 1.0, "i0": 1.5e-3, "v_1": -2.5}
    assert found.log == ("x = 1", "i0 = 1.5e-3", " i1 = 2", "i2 = 3 4", "v_1 = -2.5", "Note: fine")
    command, more = program.calls[0]
    assert command == ["/bin/ngspice", "-n", "-b", "deck.cir"]
    assert more == {"env": {"A": "b"}, "capture_output": True, "text": True, "timeout": 5.0, "check": False}
    ngspice.run_batch("deck.cir")
    assert program.calls[1][1]["timeout"] == 300.0


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer([], 1, "", ""), "ngspice -b deck.cir failed with exit code 1"),
        (Answer([], 0, "", "Error: no such node"), "ngspice -b deck.cir reported an error"),
        (Answer([], 0, "singular matrix", ""), "ngspice -b deck.cir reported an error"),
        (Answer([], -11, "", ""), "was killed by signal 11"),
        (subprocess.TimeoutExpired("x", 1.0), "took longer than 300 s"),
    ],
)
def test_batch_runs_that_fail(program: Program, answer: Any, words: str) -> None:
    program.answer = answer
    with pytest.raises(SpiceError, match=words):
        ngspice.run_batch("deck.cir")


def test_there_is_no_program(program: Program) -> None:
    program.answer = ProgramError("no program ngspice")
    with pytest.raises(SimulatorMissing, match="no program ngspice"):
        ngspice.run_batch("deck.cir")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer([], 0, "", ""), ""),
        (Answer([], -11, "", ""), "was killed by signal 11 when it was loaded"),
        (Answer([], 1, "", "Traceback\nOSError: wrong: header"), "can't be loaded: wrong: header"),
        (Answer([], 1, "", "no reason"), "can't be loaded: no reason"),
        (Answer([], 1, "", ""), "can't be loaded: ?"),
        (subprocess.TimeoutExpired("x", 1.0), "takes longer than 30 s to load"),
    ],
)
def test_what_is_wrong_with_a_library(program: Program, answer: Any, words: str) -> None:
    program.answer = answer
    name = f"lib{abs(hash(words))}.so"
    found = engine.library_fault.__wrapped__(name)
    assert found.endswith(words)
    assert (found == "") is (words == "")
    command, more = program.calls[0]
    assert command[0] == sys.executable
    assert (command[1:3], command[-1]) == (["-I", "-c"], name)
    assert (more["timeout"], more["check"], more["text"], more["capture_output"]) == (30.0, False, True, True)
    assert set(os.environ) <= set(more["env"])
    engine.library_fault.__wrapped__("folder/libx.so", 2.0)
    assert program.calls[1][0][-1] == str(Path.cwd() / "folder" / "libx.so")
    assert program.calls[1][1]["timeout"] == 2.0


def test_versions_of_a_program(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    engine._about_executable.cache_clear()
    program.answer = Answer([], 0, "** ngspice-46+ : Circuit\n** KLU\n", "")
    assert engine._executable_version("/bin/one") == 46
    command, more = program.calls[0]
    assert command == ["/bin/one", "--version"]
    assert more == {"capture_output": True, "text": True, "timeout": 30, "check": False}
    program.answer = OSError("no")
    assert engine._executable_version("/bin/two") is None
    monkeypatch.setattr(engine.shutil, "which", lambda name: {"ngspice": "/bin/one"}.get(name))
    assert engine.deck_options() == ("klu",)
    monkeypatch.setattr(engine.shutil, "which", lambda name: {"ngspice": "/bin/two"}.get(name))
    assert engine.deck_options() == ()
    monkeypatch.setattr(engine.shutil, "which", lambda _: None)
    assert engine.deck_options() == ()
    engine._about_executable.cache_clear()


@pytest.mark.skipif(sys.platform == "darwin", reason="names of libraries on Linux")
def test_the_shortest_name_of_a_library_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(engine.LIBRARY_VARIABLE, raising=False)
    folders = [tmp_path / name for name in ("empty", "one", "two")]
    for folder in folders:
        folder.mkdir()
    monkeypatch.setenv("LD_LIBRARY_PATH", os.pathsep.join(map(str, folders)))
    for name in ("libngspice.so.0.0.10", "libngspice.so.1", "libngspice.so.0"):
        (folders[1] / name).touch()
    (folders[2] / "libngspice.so").touch()
    assert engine.find_library() == str(folders[1] / "libngspice.so.0")
    (folders[1] / "libngspice.so").touch()
    assert engine.find_library() == str(folders[1] / "libngspice.so")
    monkeypatch.setenv(engine.LIBRARY_VARIABLE, str(folders[2] / "libngspice.so"))
    assert engine.find_library() == str(folders[2] / "libngspice.so")
    monkeypatch.setenv(engine.LIBRARY_VARIABLE, str(folders[2] / "none.so"))
    assert engine.find_library() is None


@pytest.mark.parametrize(
    ("about", "osdi", "expected"),
    [
        (["** ngspice-46 : x", "** KLU"], ["usage"], (46, True, True)),
        (["** ngspice-39+ : x"], ["osdi: no such command available"], (39, False, False)),
        (["nothing"], [], (None, False, True)),
    ],
)
def test_what_a_library_can_do(
    monkeypatch: pytest.MonkeyPatch, about: list[str], osdi: list[str], expected: tuple[Any, bool, bool]
) -> None:
    answers = {"version -f": about, "osdi": osdi}
    monkeypatch.setattr(engine, "shared_ngspice", lambda: SimpleNamespace(ask=answers.__getitem__))
    found = engine.find_simulator.__wrapped__()
    assert (found.version, found.klu, found.osdi) == expected
    assert found.problem == ""


def test_what_is_known_without_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise SimulatorMissing("none here")

    monkeypatch.setattr(engine, "shared_ngspice", missing)
    monkeypatch.setattr(engine.shutil, "which", lambda _: "/bin/ngspice")
    monkeypatch.setattr(engine, "_about_executable", lambda _: "** ngspice-42 : KLU")
    found = engine.find_simulator.__wrapped__()
    assert (found.executable, found.version, found.klu, found.osdi) == ("/bin/ngspice", 42, False, False)
    assert "none here" in found.problem
    monkeypatch.setattr(engine.shutil, "which", lambda _: None)
    assert engine.find_simulator.__wrapped__().version is None


def test_simulators_of_both_bindings(monkeypatch: pytest.MonkeyPatch) -> None:
    class Circuit:
        """Remembers what its simulator is made with."""

        def simulator(self, **given: Any) -> dict[str, Any]:
            return given

    theirs = Binding("PySpice", "1.5", sys, sys)
    Circuit.__module__ = "PySpice.Spice.Netlist"
    found = theirs.simulator(Circuit(), "engine", temperature=27.0)
    assert found == {"simulator": "ngspice-shared", "ngspice_shared": "engine", "temperature": 27.0}
    made: list[Any] = []
    factory = SimpleNamespace(simulation=lambda circuit, **given: (circuit, given))
    module = SimpleNamespace(Simulator=SimpleNamespace(factory=lambda **given: made.append(given) or factory))
    monkeypatch.setitem(sys.modules, "InSpice", SimpleNamespace())  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "InSpice.Spice", SimpleNamespace())  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "InSpice.Spice.Simulator", module)  # type: ignore[arg-type]
    Circuit.__module__ = "InSpice.Spice.Netlist"
    circuit = Circuit()
    assert Binding("InSpice", "1", sys, sys).simulator(circuit, "engine", x=1.0) == (circuit, {"x": 1.0})
    assert made == [{"simulator": "ngspice-shared", "ngspice_shared": "engine"}]
    with pytest.raises(TypeError, match="a circuit of InSpice, where PySpice drives ngspice"):
        theirs.simulator(circuit, "engine")


def test_a_user_s_circuit_is_simulated_at_the_temperature_of_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []
    shared = SimpleNamespace(
        engine="engine",
        load=asked.append,
        load_code_models=lambda: asked.append("code models"),
        ask=asked.append,
    )
    made = SimpleNamespace(options=lambda **given: asked.append(given))
    settings: list[Any] = []

    def simulator(*given: Any, **more: Any) -> Any:
        settings.append((given, more))
        return made

    monkeypatch.setattr(pyspice_cell, "shared_ngspice", lambda: shared)
    monkeypatch.setattr(pyspice_cell, "find_binding", lambda: SimpleNamespace(simulator=simulator))
    assert pyspice_cell.pyspice_simulator("circuit", Path("m.osdi")) is made
    assert settings == [(("circuit", "engine"), {"temperature": 26.85, "nominal_temperature": 26.85})]
    assert asked == [Path("m.osdi"), "code models", "set num_threads=1", {"reltol": 1e-4}]
    asked.clear()
    pyspice_cell.pyspice_simulator("circuit", options={"reltol": 1e-6, "gmin": 1e-15})
    assert asked == ["code models", "set num_threads=1", {"reltol": 1e-6, "gmin": 1e-15}]


def test_a_step_of_all_inputs() -> None:
    """2000 steps at least; sources rise once and stay."""
    deck = step_deck(array(), np.array([0.5, -0.25]), 1e-9, 8e-6, ["v(o0)"], ("klu",)).splitlines()
    assert STEPS == 2000
    assert ".tran 4e-09 8e-06 0 4e-09" in deck
    assert "Vin1 s1 0 pwl(0 0 1e-09 -0.25 8e-06 -0.25)" in deck
    assert ".options reltol=1e-6 klu" in deck


def test_eight_vectors_a_line() -> None:
    names = [f"v{k}" for k in range(19)]
    assert [len(line.split()) - 1 for line in saving(names)] == [8, 8, 3]
    assert [len(line.split()) - 1 for line in saving(names, per_line=16)] == [16, 3]
    assert list(saving([])) == []


def test_one_thread_of_blas(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(
        threads, "_controller", lambda: SimpleNamespace(limit=lambda **given: asked.append(given))
    )
    threads.one_blas_thread()
    assert asked == [{"limits": 1, "user_api": "blas"}]
    monkeypatch.setattr(workers, "threadpool_limits", asked.append)
    monkeypatch.setattr(workers.signal, "signal", lambda *given: asked.append(given))
    workers._start_worker()
    assert asked[1:] == [(workers.signal.SIGINT, workers.signal.SIG_IGN), 1]


def test_cores_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5, 7} if pid == 0 else set(), raising=False)
    assert workers.cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert workers.cores() == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert workers.cores() == 1
