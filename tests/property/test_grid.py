from collections.abc import Callable

import numpy as np
import pytest

from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar
from circuits.solve.grid import block_tridiagonal, hierarchical_merge
from circuits.solve.nodal import factor

SOLVERS = [block_tridiagonal, hierarchical_merge]
SHAPES = [(1, 1), (1, 2), (2, 1), (5, 3), (3, 5), (16, 16), (7, 32), (33, 9), (40, 10), (17, 33), (33, 49)]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "wires",
    [
        {"r_row": 1.0, "r_column": 1.0},
        {"r_row": 5.0, "r_column": 0.3, "r_output": 50.0, "r_input": 7.0},
        {"r_output": 0.0},
        {"r_output": 0.0, "r_input": 1e-12},
    ],
)
def test_grid_solvers_agree_with_the_nodal_equations(
    solver: Callable[..., np.ndarray], shape: tuple[int, int], wires: dict[str, float]
) -> None:
    states = np.random.default_rng(0).uniform(1e3, 1e5, (3, *shape))
    config = ArrayConfig(architecture="resistive", **wires)
    found = solver(states, config)
    assert found.shape == (3, shape[1], shape[0])
    for tile, matrix in zip(states, found, strict=True):
        expected = factor(crossbar(tile, config)).transfer()
        # wires of 100 S beside cells of 10 uS leave nine of sixteen digits
        np.testing.assert_allclose(matrix, expected, rtol=1e-8)


def test_many_tiles_are_those_one_by_one() -> None:
    """More leaves than are merged at once."""
    states = np.random.default_rng(0).uniform(1e3, 1e5, (130, 17, 5))
    config = ArrayConfig(architecture="resistive", r_row=1.0, r_column=2.0)
    together = hierarchical_merge(states, config)
    apart = np.concatenate([hierarchical_merge(tile[None], config) for tile in states])
    np.testing.assert_allclose(together, apart, rtol=1e-13)


@pytest.mark.parametrize("solver", SOLVERS)
def test_what_they_cannot_do_is_named(solver: Callable[..., np.ndarray]) -> None:
    states = np.full((1, 2, 2), 1e4)
    with pytest.raises(ValueError, match=r"r_row = 0\.0"):
        solver(states, ArrayConfig(architecture="resistive", r_row=0.0))
    with pytest.raises(ValueError, match="architecture = active_parallel"):
        solver(states, ArrayConfig(architecture="active_parallel"))


def test_steep_word_lines_are_refused_rather_than_overflowing() -> None:
    with pytest.raises(ValueError, match="too high beside cells"):
        block_tridiagonal(np.full((1, 100, 100), 1.0), ArrayConfig(architecture="resistive", r_row=1e6))
