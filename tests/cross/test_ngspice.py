import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from circuits.arrays.architecture import Architecture
from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar
from circuits.arrays.mismatch import draw_mismatch
from circuits.builder import NetworkBuilder
from circuits.network import GROUND, Network, Role
from circuits.read.noise import output_noise
from circuits.solve.nodal import factor
from circuits.spice import engine, ngspice, size
from circuits.spice.netlist import netlist

SIMULATOR = engine.find_simulator()
needs_library = pytest.mark.skipif(
    bool(SIMULATOR.problem), reason="ngspice shared library: " + SIMULATOR.problem
)
needs_program = pytest.mark.skipif(SIMULATOR.executable is None, reason="no program ngspice")
SHAPES = [(1, 1), (1, 2), (2, 1), (5, 3), (16, 16), (32, 32)]
AGREEMENT = 1e-9  # of the largest output


def array(architecture: Architecture, shape: tuple[int, int], seed: int = 0) -> Network:
    random = np.random.default_rng(seed)
    states = random.uniform(1e4, 1e5, shape)
    if architecture.hall:
        states = random.uniform(0.33, 0.57, shape)
    config = ArrayConfig(architecture=architecture, r_row=0.02, r_column=0.01)
    return crossbar(states, config, draw_mismatch(shape, random, relative=0.01, r_off=0.1))


def difference(network: Network, found: np.ndarray, inputs: np.ndarray) -> float:
    expected = factor(network).solve(inputs).outputs
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@pytest.mark.ngspice
@needs_library
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("architecture", Architecture)
def test_ngspice_and_nodal_agree(architecture: Architecture, shape: tuple[int, int]) -> None:
    network = array(architecture, shape)
    inputs = np.random.default_rng(1).uniform(-0.5, 0.5, (7, shape[0]))
    assert difference(network, ngspice.simulate(network, inputs), inputs) < AGREEMENT
    first = inputs[:1]
    assert difference(network, ngspice.simulate(network, first), first) < AGREEMENT
    if max(shape) < 32:  # takes 80 s there, where all of a network is coupled
        assert difference(network, ngspice.simulate(network, inputs, klu=False), inputs) < AGREEMENT


@pytest.mark.ngspice
@needs_program
@pytest.mark.parametrize("architecture", Architecture)
@pytest.mark.parametrize("options", [(), engine.deck_options()], ids=["plain", "options"])
def test_a_netlist_runs_as_it_is(
    architecture: Architecture, options: tuple[str, ...], tmp_path: Path
) -> None:
    network = array(architecture, (3, 5))
    inputs = np.array([[0.2, -0.1, 0.5]])
    deck = tmp_path / "read.cir"
    deck.write_text(netlist(network, inputs[0], "a read", options))
    run = ngspice.run_batch(deck)
    found = np.array([[run.values[name] for name in network.output_names]])
    assert difference(network, found, inputs) < AGREEMENT


@pytest.mark.ngspice
@needs_program
@pytest.mark.parametrize("architecture", [Architecture.ACTIVE_PARALLEL, Architecture.PASSIVE_PARALLEL])
def test_johnson_noise_is_that_of_ngspice(architecture: Architecture, tmp_path: Path) -> None:
    network = array(architecture, (3, 2))
    deck = netlist(network, np.full(3, 0.1), "noise of an array").replace(
        "Vinp0 sp0 0 0.05", "Vinp0 sp0 0 0.05 ac 1"
    )
    before, after = deck.split(".control\n")[0], ".endc\n.end\n"
    plus, minus = network.node_names[network.output_plus[0]], network.output_minus[0]
    node = plus if minus == GROUND else f"{plus},{network.node_names[minus]}"
    control = f".control\nset numdgt=15\nnoise v({node}) Vinp0 lin 1 1000 1000\nsetplot noise1\n"
    path = tmp_path / "noise.cir"
    path.write_text(before + control + "print onoise_spectrum\nquit 0\n" + after)
    density = ngspice.run_batch(path).values["onoise_spectrum"] * network.output_scale[0]
    noise = output_noise(factor(network), np.zeros((1, 3)), temperature=300.15)
    ours = np.sqrt(np.sum(list(noise.johnson.values()), axis=0))[0]
    assert ours == pytest.approx(density, rel=1e-4)  # ngspice rounds the constant of Boltzmann


def floating() -> Network:
    build = NetworkBuilder()
    node = build.nodes("n", 3)
    build.voltage_sources("Vin", build.inputs("v", 1), node[0], 1.0, title="source")
    build.resistors("Ra", node[0], GROUND, 1.0, Role.CELL, title="load")
    build.resistors("Rb", node[1], node[2], 1.0, Role.CELL, title="island")
    build.outputs("v", node[2], GROUND, 1.0)
    return build.network()


@pytest.mark.ngspice
@needs_library
def test_a_singular_network_is_an_error_with_deck_and_log_and_the_next_run_works() -> None:
    with pytest.raises(engine.SpiceError, match="singular") as caught:
        ngspice.simulate(floating(), [[1.0]])
    assert "Rb n1 n2 1" in caught.value.deck
    assert caught.value.log
    network = array(Architecture.RESISTIVE, (2, 2))
    inputs = np.ones((2, 2))
    assert difference(network, ngspice.simulate(network, inputs), inputs) < 1e-9


@pytest.mark.ngspice
@needs_program
def test_a_deck_that_fails_with_exit_code_zero_is_an_error(tmp_path: Path) -> None:
    deck = tmp_path / "floating.cir"
    deck.write_text(netlist(floating(), [1.0], "an island"))
    with pytest.raises(engine.SpiceError, match="singular matrix"):
        ngspice.run_batch(deck)


@pytest.mark.parametrize(
    ("about", "options"), [("ngspice-46\n** Compiled with KLU", ("klu",)), ("ngspice-39", ())]
)
def test_decks_ask_for_klu_where_the_program_has_it(
    about: str, options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "ngspice"
    program.write_text(f"#!/bin/sh\necho '{about}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert engine.deck_options() == options
    lines = netlist(array(Architecture.RESISTIVE, (1, 2)), [1.0], "a read", options).splitlines()
    assert (".options klu" in lines) is bool(options)
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert engine.deck_options() == ()


def test_no_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(engine.SimulatorMissing, match="no program ngspice"):
        ngspice.run_batch(tmp_path / "x.cir")


IN_A_NEW_PROCESS = """
from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar
from circuits.spice import engine, ngspice
found = engine.find_simulator()
assert found.problem and not found.klu, found
try:
    ngspice.simulate(crossbar([[1e4]], ArrayConfig(architecture="resistive")), [[1.0]])
except engine.SpiceError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize(
    ("content", "expected"), [(None, "SimulatorMissing"), ("no library", "can't be loaded")]
)
def test_a_missing_or_broken_library_is_an_error_not_a_crash(
    content: str | None, expected: str, tmp_path: Path
) -> None:
    library = tmp_path / "libngspice.so"
    if content is not None:
        library.write_text(content)
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", IN_A_NEW_PROCESS],
        env={**os.environ, engine.LIBRARY_VARIABLE: str(library)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stderr == ""
    assert expected in run.stdout
    assert "libngspice" in run.stdout


def refusal(network: Network, batch: int = 1, **settings: Any) -> str:
    with pytest.raises(engine.SpiceError) as caught:
        ngspice.simulate(network, np.ones((batch, network.n_inputs)), **settings)
    return str(caught.value)


@pytest.mark.ngspice
@needs_library
def test_an_array_that_would_take_too_long_is_refused_with_a_size_that_works() -> None:
    network = array(Architecture.RESISTIVE, (32, 32))
    said = refusal(network, klu=False, limit_s=0.1)
    found = re.search(
        r"32 x 32 array and 1 input vector\n.*Try: an array of (\d+) x (\d+) or a longer limit", said
    )
    assert found, said
    smaller = array(Architecture.RESISTIVE, (int(found[1]), int(found[2])))
    assert ngspice.simulate(smaller, np.ones((1, smaller.n_inputs)), klu=False, limit_s=0.1).shape[0] == 1


@pytest.mark.ngspice
@needs_library
def test_slots_count_together_and_a_size_is_never_zero() -> None:
    network = array(Architecture.ROW_MULTIPLEXED, (20, 2))
    inputs = np.full((1, 20), 1e-5)
    assert ngspice.simulate(network, inputs, limit_s=2.0).shape == (1, 2)
    said = refusal(network, limit_s=2.0, runs=2000)
    assert re.search(r"for 2000 time slots of this 20 x 2 array", said)
    assert re.search(r"an array of [1-9]\d* x [1-9]", said)
    assert "an array of" not in refusal(network, limit_s=1e-9)


@pytest.mark.ngspice
@needs_library
def test_an_array_that_needs_too_much_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    network = array(Architecture.ACTIVE_PARALLEL, (16, 16))
    monkeypatch.setattr(size, "available_memory", lambda: 4e6)
    said = refusal(network)
    assert re.search(
        r"need about 0\.00\d+ GB of memory \(available: 0\.004 GB\) for this 16 x 16 array", said
    )
    assert re.search(r"Try: an array of 1[0-5] x 1[0-5] or another engine", said)
    assert "fewer input vectors" in refusal(network, batch=1000)


@pytest.mark.ngspice
@needs_library
@pytest.mark.parametrize("architecture", Architecture)
def test_every_node_is_that_of_the_nodal_solution(architecture: Architecture) -> None:
    network = array(architecture, (4, 3))
    inputs = np.random.default_rng(1).uniform(-0.5, 0.5, (3, 4))
    found = ngspice.node_voltages(network, inputs)
    expected = factor(network).solve(inputs).node_voltages
    assert np.abs(found - expected).max() < 1e-10 * np.abs(expected).max()
    assert difference(network, network.read_out(found), inputs) < AGREEMENT


READS = """
import resource
import sys
import numpy as np
from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar
from circuits.spice.ngspice import simulate
architecture, side, state, reads = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
network = crossbar(np.full((side, side), state), ArrayConfig(architecture=architecture))
peak = []
for read in range(reads):
    simulate(network, np.full((1, side), 1e-5))
    if read in (49, reads - 1):
        peak.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
print(peak[1] - peak[0])
"""


@pytest.mark.ngspice
@pytest.mark.slow
@needs_library
@pytest.mark.parametrize("reads", ["resistive 8 1e4 1000", "active_series 16 0.45 200"])
def test_many_reads_leave_nothing_behind(reads: str) -> None:
    command = [sys.executable, "-c", READS, *reads.split()]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(run.stdout) < 50  # MiB; a circuit that isn't removed costs 0.3 MiB per read, or 3
