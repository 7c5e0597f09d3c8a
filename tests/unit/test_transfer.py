import numpy as np
import pytest

from circuits.arrays.architecture import Architecture, Isolation
from circuits.arrays.config import ArrayConfig
from circuits.solve.transfer import Method, choose_method, nodal_transfer, transfers

RESISTIVE = ArrayConfig(architecture="resistive")
PARALLEL = ArrayConfig(architecture="active_parallel")


@pytest.mark.parametrize(
    ("shape", "config", "exact", "method"),
    [
        ((64, 64), RESISTIVE, False, Method.BLOCK_TRIDIAGONAL),
        ((784, 10), RESISTIVE, False, Method.BLOCK_TRIDIAGONAL),
        ((128, 128), RESISTIVE, False, Method.HIERARCHICAL_MERGE),
        ((64, 64), ArrayConfig(architecture="resistive", r_column=0.0), False, Method.NODAL),
        ((64, 64), PARALLEL, False, Method.TENSOR),
        ((64, 64), PARALLEL, True, Method.NODAL),
    ],
)
def test_the_choice_and_its_reason(
    shape: tuple[int, int], config: ArrayConfig, exact: bool, method: Method
) -> None:
    chosen, reason = choose_method(shape, config, exact=exact)
    assert chosen is method
    assert reason


@pytest.mark.parametrize("architecture", Architecture)
def test_every_method_that_applies_gives_the_nodal_answer(architecture: Architecture) -> None:
    states = np.random.default_rng(0).uniform(0.33, 0.57, (2, 4, 3))
    states *= 1 if architecture.hall else 1e5
    config = ArrayConfig(architecture=architecture, isolation=Isolation.IDEAL)
    exact = transfers(states, config, method=Method.NODAL)
    assert exact.matrices.shape == (2, 3, 4)
    np.testing.assert_array_equal(exact.matrices[1], nodal_transfer(states[1], config))
    quick = transfers(states, config)
    assert quick.method is not Method.NODAL
    np.testing.assert_allclose(quick.matrices, exact.matrices, atol=5e-6 * np.abs(exact.matrices).max())
    np.testing.assert_array_equal(transfers(states[0], config).matrices[0], quick.matrices[0])


def test_slim_tiles_and_wires_of_no_resistance_have_answers() -> None:
    states = np.random.default_rng(0).uniform(1e4, 1e5, (1, 784, 10))
    slim = transfers(states, RESISTIVE)
    # 784 wires of 0.01 ohm beside 10 kohm: eleven of sixteen digits, and 784 roundings
    np.testing.assert_allclose(slim.matrices[0], nodal_transfer(states[0], RESISTIVE), rtol=1e-8)
    ideal = ArrayConfig(architecture="resistive", r_row=0.0, r_column=0.0, r_output=0.0, r_input=1e-6)
    np.testing.assert_allclose(transfers(states, ideal).matrices[0], 1 / states[0].T, rtol=1e-6)


def test_a_wrong_tile_is_named() -> None:
    with pytest.raises(ValueError, match=r"cell \(0, 1\) = -1\.0"):
        transfers([[[1e4, -1.0]]], RESISTIVE)
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        transfers([1e4, 1e4], RESISTIVE)
