from dataclasses import asdict

import numpy as np
import pytest

from circuits.arrays.architecture import Architecture
from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar, slots
from circuits.arrays.mismatch import Mismatch, draw_mismatch, no_mismatch
from circuits.arrays.series import row_alone
from circuits.solve.nodal import factor
from circuits.solve.tensor import transfer_tensor

HALL = [architecture for architecture in Architecture if architecture.hall]
SHAPES = [(1, 1), (1, 2), (2, 1), (5, 3), (16, 16), (32, 32)]


def exact(states: np.ndarray, config: ArrayConfig, mismatch: object) -> np.ndarray:
    networks = [crossbar(states, config, mismatch, slot=k) for k in range(slots(config, len(states)))]
    return np.sum([factor(network).transfer() for network in networks], axis=0)


@pytest.mark.parametrize("architecture", HALL)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_tensor_is_the_full_solution_to_first_order(
    architecture: Architecture, shape: tuple[int, int]
) -> None:
    random = np.random.default_rng(7)
    states = random.uniform(0.33, 0.57, (3, *shape))
    mismatch = draw_mismatch(shape, random, relative=0.01, r_off=0.1)
    config = ArrayConfig(architecture=architecture)
    found = transfer_tensor(shape, config, mismatch).transfer(states)
    for k in range(1 if max(shape) > 5 else 3):
        full = exact(states[k], config, mismatch)
        # second order: (R_xy / R_channel)^2 = 1e-6, and its sum over a column
        assert np.abs(found[k] - full).max() < 5e-6 * np.abs(full).max()


@pytest.mark.parametrize("architecture", HALL)
def test_the_gradient_is_the_derivative(architecture: Architecture) -> None:
    random = np.random.default_rng(3)
    shape = (4, 3)
    tensor = transfer_tensor(
        shape, ArrayConfig(architecture=architecture), draw_mismatch(shape, random, relative=0.01)
    )
    states, step = random.uniform(0.33, 0.57, (2, *shape))
    sensitivity = random.normal(size=(3, 4))
    change = np.sum(sensitivity * (tensor.transfer(states + step) - tensor.transfer(states)))
    assert np.sum(tensor.gradient(sensitivity) * step) == pytest.approx(change, rel=1e-6)


@pytest.mark.parametrize("columns", [1, 2, 33, 35, 64])
def test_outputs_that_are_zero_but_for_rounding_are_no_error(columns: int) -> None:
    """Without mismatch the halves of balanced rails cancel: at R_xy = 0 there is nothing to be accurate to."""
    config = ArrayConfig(architecture=Architecture.ACTIVE_PARALLEL)
    found = transfer_tensor((1, columns), config)
    assert np.abs(found.at_zero).max() < 1e-15 * np.abs(found.transfer(np.full((1, columns), 0.5))).max()


def test_wrong_use_is_named() -> None:
    with pytest.raises(ValueError, match="resistive has no Hall cells"):
        transfer_tensor((1, 1), ArrayConfig(architecture="resistive"))
    tensor = transfer_tensor((2, 1), ArrayConfig(architecture="active_parallel"))
    with pytest.raises(ValueError, match=r"shape \(1, 1\), expected"):
        tensor.transfer([[0.4]])
    with pytest.raises(ValueError, match=r"cell \(1, 0\) = nan"):
        tensor.transfer([[0.4], [np.nan]])


@pytest.mark.parametrize(
    "changes",
    [
        {"r_switch_off": 2e4, "r_row": 40.0, "r_column": 0.0, "r_off": 0.0, "r_load": 3e4},
        {"r_switch_off": 1e12, "r_row": 0.2, "r_column": 30.0, "r_load": 2e3},
    ],
    ids=["leaky", "long_columns"],
)
@pytest.mark.parametrize("rows", [1, 4])
def test_idle_rows_are_one_chain(changes: dict[str, float], rows: int) -> None:
    """Exact where idle rows have no Hall voltage and columns no resistance, and where nothing leaks."""
    config = ArrayConfig(architecture="row_multiplexed", r_channel=600.0, r_arm=170.0, **changes)
    random = np.random.default_rng(4)
    row = draw_mismatch((1, 3), random, relative=0.1)
    whole = asdict(no_mismatch((rows, 3)))
    for selected in range(rows):
        states = np.zeros((rows, 3))
        states[selected] = random.uniform(0.3, 0.6, 3)
        every = {name: values.copy() for name, values in whole.items()}
        for name, values in every.items():
            values[selected] = getattr(row, name)
        full = factor(crossbar(states, config, Mismatch(**every), slot=selected)).transfer()[:, selected]
        alone = row_alone(states[selected : selected + 1], config, row, rows - selected, rows - 1)
        found = factor(alone).transfer()[:, 0]
        np.testing.assert_allclose(found, full, rtol=1e-8)


def test_idle_rows_that_leak_are_solved_cell_by_cell() -> None:
    config = ArrayConfig(architecture="row_multiplexed", r_channel=500.0, r_switch_off=1.5e7)
    assert [len(transfer_tensor((2, columns), config).parts) for columns in (2, 3, 4)] == [1, 1, 2]
