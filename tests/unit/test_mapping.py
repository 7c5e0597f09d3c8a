from dataclasses import replace

import numpy as np
import pytest

from nn_mapping.levels import PAPER_LEVELS_OHM, pair_levels, single_levels
from nn_mapping.mapping import map_network, resistive_states, split_evenly
from nn_mapping.trained import Layer, TrainedNetwork

SINGLE = single_levels(PAPER_LEVELS_OHM)


def one_layer(weights: list[list[float]]) -> TrainedNetwork:
    matrix = np.array(weights, dtype=np.float32)
    ones = np.ones(len(matrix), dtype=np.float32)
    return TrainedNetwork(layers=(Layer(weights=matrix, gain=ones, offset=0 * ones),), levels=SINGLE.weights)


def test_a_small_layer_cell_by_cell() -> None:
    """Two outputs, three inputs, on tiles of at most 2 rows and 3 columns: one output per tile."""
    mapped = map_network(one_layer([[-1, 1, 1 / 12], [0.75, -1, 1]]), SINGLE, 2, 3)
    found = [(tile.rows, tile.outputs, tile.states.tolist()) for tile in mapped.tiles]
    assert found == [
        (slice(0, 2), slice(0, 1), [[0.33, 0.33, 0.57], [0.57, 0.33, 0.57]]),
        (slice(2, 3), slice(0, 1), [[0.46, 0.33, 0.57]]),
        (slice(0, 2), slice(1, 2), [[0.54, 0.33, 0.57], [0.33, 0.33, 0.57]]),
        (slice(2, 3), slice(1, 2), [[0.57, 0.33, 0.57]]),
    ]
    assert mapped.cells == 18
    assert mapped.level_counts.tolist() == [8, 1, 0, 0, 1, 8]
    assert mapped.tiles[1].name == "layer0_rows2_outputs0"


@pytest.mark.parametrize(
    ("count", "most", "sizes"),
    [(784, 64, [61] * 4 + [60] * 9), (256, 62, [52] + [51] * 4), (5, 5, [5]), (1, 9, [1]), (3, 1, [1, 1, 1])],
)
def test_even_cuts(count: int, most: int, sizes: list[int]) -> None:
    assert [part.stop - part.start for part in split_evenly(count, most)] == sizes


def test_resistive_states_are_linear_in_conductance() -> None:
    conductance = 1 / resistive_states(np.array(PAPER_LEVELS_OHM), 1e4, 1e5)
    np.testing.assert_allclose(
        (conductance - 1e-5) / 9e-5, (np.array(PAPER_LEVELS_OHM) - 0.33) / 0.24, atol=1e-12
    )
    assert resistive_states(np.array([0.0, 1.0]), 0.5, 2.0).tolist() == [2.0, 0.5]
    with pytest.raises(ValueError, match=r"r_low = 0\.0 Ohm"):
        resistive_states(np.array(PAPER_LEVELS_OHM), 0.0, 1e4)
    with pytest.raises(ValueError, match=r"r_low = 100000\.0 Ohm, r_high = 10000\.0 Ohm"):
        resistive_states(np.array(PAPER_LEVELS_OHM), 1e5, 1e4)


def test_tiles_that_are_too_small() -> None:
    network = one_layer([[1, -1]])
    with pytest.raises(ValueError, match="'reference' needs at least 1 row and 3 columns"):
        map_network(network, SINGLE, 4, 2)
    with pytest.raises(ValueError, match="'differential' needs at least 1 row and 2 columns"):
        map_network(network, pair_levels(PAPER_LEVELS_OHM), 0, 2)


def test_a_network_of_nearly_these_levels_is_taken() -> None:
    """To a millionth of the largest weight."""
    levels = single_levels([-0.2, 0.0, 0.2])
    for off, fits in ((0.5e-6, True), (1e-6, True), (1.5e-6, False), (0.5, False)):
        moved = replace(one_layer([[1, -1]]), levels=levels.weights + np.array([0.0, off, 0.0]))
        if fits:
            assert map_network(moved, levels, 4, 4).cells == 2 * 3
        else:
            with pytest.raises(ValueError, match="the network was trained on"):
                map_network(moved, levels, 4, 4)
    with pytest.raises(ValueError, match="the network was trained on free weights"):
        map_network(replace(moved, levels=None), levels, 4, 4)


def test_a_network_of_other_levels_is_refused() -> None:
    with pytest.raises(ValueError, match="the network was trained on"):
        map_network(one_layer([[1, -1]]), pair_levels(PAPER_LEVELS_OHM), 4, 4)
    with pytest.raises(ValueError, match="state_ohm has 2 entries, the device 6 levels"):
        map_network(one_layer([[1, -1]]), SINGLE, 4, 4, state_ohm=np.array([1e4, 1e5]))
