import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from circuits.arrays.architecture import Architecture
from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar
from circuits.network import BranchKind, Network
from circuits.solve.block_lu import lu_factors
from circuits.solve.branches import nodal_matrix
from circuits.solve.dissection import elimination_rank
from compact_model.numeric import Ints


def free_matrix(network: Network) -> tuple[csr_array, Ints, list[str]]:
    """The nodal matrix without the driven nodes; places and names of its nodes."""
    driven = network.plus[network.kind == BranchKind.VOLTAGE]
    free = np.setdiff1d(np.arange(network.n_nodes), driven)
    names = [network.node_names[k] for k in free]
    return nodal_matrix(network)[free][:, free], network.places[:, free], names


def array(architecture: str, size: int, **wires: float) -> Network:
    states = np.random.default_rng(size).uniform(0.33, 0.57, (size, size))
    return crossbar(states, ArrayConfig(architecture=Architecture(architecture), **wires))


def test_a_line_of_wire_separates_the_halves() -> None:
    matrix, places, names = free_matrix(array("passive_parallel", 8))
    rank = elimination_rank(matrix, places)
    first = [names[k] for k in np.flatnonzero(rank == rank.max())]
    # the cut across the rows takes the column lines of row 4, named by the arms that join them; no row wire
    assert sorted(first) == sorted(f"{line}4_{column}" for line in ("hp", "hn") for column in range(8))
    rest = np.flatnonzero(rank < rank.max())
    _, part = connected_components(matrix[rest][:, rest], directed=False)
    upper, lower = part[places[0, rest] < 4], part[places[0, rest] >= 4]
    assert not np.intersect1d(upper[places[0, rest][places[0, rest] < 4] >= 0], lower).size


def test_lines_of_no_resistance_come_last() -> None:
    matrix, places, names = free_matrix(array("passive_parallel", 24, r_column=0.0))
    rank = elimination_rank(matrix, places)
    last = [names[k] for k in np.flatnonzero(rank == rank.max())]
    assert len(last) == 2 * 24
    assert all(name.startswith(("hp", "hn")) for name in last)


@pytest.mark.parametrize(
    ("architecture", "fewer"), [("passive_parallel", 1.8), ("resistive", 2.1), ("active_parallel", 4.3)]
)
def test_it_fills_less_than_the_usual_order(architecture: str, fewer: float) -> None:
    """Entries of the factors at 40 x 40; scipy's default has 1.97, 2.27 and 4.76 times as many."""
    matrix, places, _ = free_matrix(array(architecture, 40))
    order = np.argsort(elimination_rank(matrix, places), kind="stable")
    dissected = lu_factors(matrix[order][:, order].tocsc(), ordered=True)
    assert dissected.nnz * fewer < splu(matrix.tocsc()).nnz
