"""Reads of many vectors: what is held does not grow with them, and nothing of what is written changes."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar, slots
from circuits.solve.nodal import factor
from compact_model.cards.document import read_document
from compact_model.numeric import Floats
from hallspice.array.read import read_array
from hallspice.array.read_engine import ReadEngine
from hallspice.config.demand import Demand
from hallspice.config.load import setup_of
from hallspice.page.csv_text import csv_text
from hallspice.progress import reporter

MIB = 2**20


def _read(folder: Path, architecture: str, states: Floats, vectors: Floats, *, full: bool) -> None:
    (folder / "array.yaml").write_text(f"array: {{architecture: {architecture}}}\n")
    (folder / "states.csv").write_text(csv_text(["ohm"] * states.shape[1], states.tolist()))
    (folder / "inputs.csv").write_text(csv_text(["v"] * vectors.shape[1], vectors.tolist()))
    files = [folder / name for name in ("array.yaml", "states.csv", "inputs.csv", "out.csv")]
    with reporter(quiet=True) as progress:
        read_array(*files, engine=ReadEngine.NODAL, full=full, progress=progress)


def _table(path: Path) -> Floats:
    return np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)


@pytest.mark.parametrize(("vectors", "full"), [(4000, False), (150, True)])
def test_the_voltages_of_all_vectors_are_never_held(tmp_path: Path, vectors: int, full: bool) -> None:
    random = np.random.default_rng(1)
    states, inputs = random.uniform(0.34, 0.56, (24, 20)), random.uniform(0, 0.5, (vectors, 24))
    network = crossbar(states, ArrayConfig(architecture="passive_parallel"))
    # All voltages are an array of this size without `full`, and lists of 32 bytes a number with it.
    held = vectors * network.n_nodes * (32 if full else 8)
    tracemalloc.start()
    _read(tmp_path, "passive_parallel", states, inputs, full=full)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert held > 10 * MIB
    assert peak < 0.6 * held


@pytest.mark.parametrize("shape", [(3, 5), (5, 3)])
@pytest.mark.parametrize("architecture", ["active_parallel", "row_multiplexed"])
def test_full_tables_have_a_line_for_every_vector_and_slot(
    tmp_path: Path, architecture: str, shape: tuple[int, int]
) -> None:
    random = np.random.default_rng(2)
    states = random.uniform(0.34, 0.56, shape)
    vectors = random.uniform(-1, 1, (19, shape[0])) * (0.4 if architecture == "active_parallel" else 4e-4)
    _read(tmp_path, architecture, states, vectors, full=True)
    array = setup_of(read_document(tmp_path / "array.yaml"), demands=Demand.READ).array
    nodes, branches = _table(tmp_path / "out-nodes.csv"), _table(tmp_path / "out-branches.csv")
    for table in (nodes, branches):
        assert table[:, 0].tolist() == list(range(19)) * slots(array, shape[0])
        assert table[:, 1].tolist() == [slot for slot in range(slots(array, shape[0])) for _ in range(19)]
    outputs = np.zeros((19, shape[1]))
    for slot in range(slots(array, shape[0])):
        factored = factor(crossbar(states, array, slot=slot))
        solved = factored.solve(vectors)
        outputs += solved.outputs
        lines = nodes[:, 1] == slot
        voltages, currents = nodes[lines, 2:], branches[lines, 2:]
        np.testing.assert_allclose(voltages, solved.node_voltages, rtol=0, atol=1e-12 * abs(voltages).max())
        np.testing.assert_allclose(
            currents, factored.currents(vectors), rtol=0, atol=1e-12 * abs(currents).max()
        )
    size = 1e-12 if architecture == "active_parallel" else 2e-7  # see the rounding in test_cli
    np.testing.assert_allclose(_table(tmp_path / "out.csv"), outputs, rtol=0, atol=size * abs(outputs).max())
    _read(tmp_path, architecture, states, vectors, full=False)
    np.testing.assert_allclose(_table(tmp_path / "out.csv"), outputs, rtol=0, atol=size * abs(outputs).max())
