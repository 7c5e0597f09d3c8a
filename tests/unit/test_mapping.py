"""Weights on tiles, cell by cell."""

import numpy as np
import pytest
import torch
from torch import nn

from circuits.arrays.config import ArrayConfig
from nn_mapping.analog.chip_design import Chip
from nn_mapping.analog.conversion import convert
from nn_mapping.analog.placement import Tile, arrays_of, tiles_of
from nn_mapping.column_readout import Readout
from nn_mapping.levels import PAPER_LEVELS_OHM, LevelSet, pair_levels, single_levels
from nn_mapping.mapping import resistive_states, split_evenly
from nn_mapping.trained import Layer, TrainedNetwork

SINGLE = single_levels(PAPER_LEVELS_OHM)
CONFIG = ArrayConfig(architecture="active_parallel")


def linear(weights: list[list[float]]) -> nn.Linear:
    layer = nn.Linear(len(weights[0]), len(weights), bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weights))
    return layer


def tiles(
    model: nn.Module, tile: tuple[int, int], levels: LevelSet = SINGLE, **more: object
) -> tuple[Tile, ...]:
    chip = Chip(config=CONFIG, level_set=levels, readout=Readout(v_full=0.5), tile=tile, **more)  # type: ignore[arg-type]
    return tiles_of(convert(model, chip)[0])


def test_a_small_layer_cell_by_cell() -> None:
    """Two outputs, three inputs, on tiles of at most 2 rows and 3 columns: one output per tile."""
    found = tiles(nn.Sequential(linear([[-1, 1, 1 / 12], [0.75, -1, 1]])), (2, 3))
    assert [(tile.rows, tile.outputs, tile.states.tolist()) for tile in found] == [
        (slice(0, 2), slice(0, 1), [[0.33, 0.33, 0.57], [0.57, 0.33, 0.57]]),
        (slice(2, 3), slice(0, 1), [[0.46, 0.33, 0.57]]),
        (slice(0, 2), slice(1, 2), [[0.54, 0.33, 0.57], [0.33, 0.33, 0.57]]),
        (slice(2, 3), slice(1, 2), [[0.57, 0.33, 0.57]]),
    ]
    assert [tile.name for tile in found[1:3]] == ["0_rows2_outputs0", "0_rows0_outputs1"]
    assert all(tile.layer == "0" and tile.group == 0 and tile.converted == 1 for tile in found)
    assert found[2].level_index.tolist() == [[4, 0, 5], [0, 0, 5]]
    assert found[2].shape == (2, 3)
    assert found[1].shape == (1, 3)


def test_a_chip_has_tiles_of_64_x_64_and_no_mismatch_by_default() -> None:
    chip = Chip(config=CONFIG, level_set=SINGLE, readout=Readout(v_full=0.5))
    assert (chip.tile, chip.mismatch, chip.r_off_spread, chip.seed) == ((64, 64), 0.0, 0.0, 0)


def test_states_of_levels_and_what_stands_for_them() -> None:
    states = np.array([3.0, 4.0, 5.0, 6.0, 7.0, 8.0])
    found = tiles(linear([[-1, 1 / 12]]), (2, 3), state_ohm=states)[0]
    assert found.name == "model_rows0_outputs0"
    assert found.target.tolist() == [[0.33, 0.33, 0.57], [0.46, 0.33, 0.57]]
    assert found.states.tolist() == [[3.0, 3.0, 8.0], [4.0, 3.0, 8.0]]


def test_groups_and_pairs_and_names_by_the_place_in_the_model() -> None:
    torch.manual_seed(0)
    conv = nn.Conv1d(4, 4, 3, groups=2, bias=False)
    model = nn.ModuleDict({"body": nn.Sequential(conv), "head": linear([[0.25, -1]])})
    found = tiles(model, (2, 4), pair_levels(PAPER_LEVELS_OHM))
    names = [f"body.0{group}_rows{rows}_outputs0" for group in ("", "_group1") for rows in (0, 2, 4)]
    assert [tile.name for tile in found] == [*names, "head_rows0_outputs0"]
    assert [(tile.group, tile.converted) for tile in found] == [*[(0, 2)] * 3, *[(1, 2)] * 3, (0, 1)]
    assert found[-1].target.tolist() == [[0.52, 0.46], [0.33, 0.57]]
    last = found[4]  # rows 2 and 3 of the second group
    weights = (last.target[:, ::2] - last.target[:, 1::2]) / 0.24
    wanted = conv.weight[2:, :].flatten(1)[:, 2:4].T.detach().numpy()
    assert np.corrcoef(weights.ravel(), wanted.ravel())[0, 1] > 0.99


def test_arrays_by_name_in_the_order_of_their_tiles() -> None:
    model = nn.Sequential(nn.LSTM(2, 2), linear([[1, -1]]))
    chip = Chip(config=CONFIG, level_set=SINGLE, readout=Readout(v_full=0.5), tile=(4, 4))
    arrays, _ = convert(model, chip)
    assert list(arrays_of(arrays)) == ["0.weight_ih_l0", "0.weight_hh_l0", "1"]
    firsts = [array.tiles.first_tile for array in arrays_of(arrays).values()]
    assert firsts == sorted(firsts)
    with pytest.raises(ValueError, match="no arrays: `convert` makes them"):
        arrays_of(model)


def test_resistive_cells_are_linear_in_their_conductance() -> None:
    """Levels of 0.3 and 0.5 Ohm stand for 100 and 10 kOhm: 0.4 Ohm for 55 uS, 0.48 Ohm for 91 uS."""
    levels = single_levels([0.3, 0.35, 0.5])
    ohm = resistive_states(levels.levels_ohm, r_low=1e4, r_high=1e5)
    found = tiles(linear([[1, -1]]), (4, 4), levels, state_ohm=ohm)[0]
    states = found.states_of(np.array([[0.3, 0.5, 0.4], [0.48, 0.35, 0.2]]), hall=False)
    # 0.35 Ohm: 10 + 90/4 uS; what would lie below a thousandth of the lowest conductance is held there
    np.testing.assert_allclose(1e6 / states, [[10.0, 100.0, 55.0], [91.0, 32.5, 0.01]], rtol=1e-9)
    hall = np.array([[0.3, -0.1]])  # a Hall resistance has a sign
    assert found.states_of(hall, hall=True) is hall


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
    with pytest.raises(ValueError, match="'reference' needs at least 1 row and 3 columns"):
        tiles(linear([[1, -1]]), (4, 2))
    with pytest.raises(ValueError, match="'differential' needs at least 1 row and 2 columns"):
        tiles(linear([[1, -1]]), (0, 2), pair_levels(PAPER_LEVELS_OHM))


def test_a_network_of_nearly_these_levels_is_taken() -> None:
    """To a millionth of the largest weight."""
    levels = single_levels([-0.2, 0.0, 0.2])
    for off, fits in ((0.5e-6, True), (1e-6, True), (1.5e-6, False), (0.5, False)):
        moved = TrainedNetwork(layers=(), levels=levels.weights + np.array([0.0, off, 0.0]))
        if fits:
            moved.check_levels(levels)
        else:
            with pytest.raises(ValueError, match="the network was trained on"):
                moved.check_levels(levels)


def test_a_network_of_other_levels_is_refused() -> None:
    one, none = np.ones(1, np.float32), np.zeros(1, np.float32)
    layer = Layer(weights=np.array([[1.0, -1.0]], np.float32), gain=one, offset=none)
    network = TrainedNetwork(layers=(layer,), levels=SINGLE.weights)
    network.check_levels(SINGLE)
    with pytest.raises(
        ValueError, match=r"the network was trained on \[-1.0, 0.0833.*, the array holds \[-1.0, -0.875"
    ):
        network.check_levels(pair_levels(PAPER_LEVELS_OHM))
    moved = [0.33, 0.46001, 0.49, 0.52, 0.54, 0.57]
    with pytest.raises(ValueError, match="the network was trained on"):
        network.check_levels(single_levels(moved))
    with pytest.raises(ValueError, match="the network was trained on free weights"):
        TrainedNetwork(layers=(layer,)).check_levels(SINGLE)
    with pytest.raises(ValueError, match="state_ohm has 2 entries, the device 6 levels"):
        tiles(linear([[1, -1]]), (4, 4), state_ohm=np.array([1e4, 1e5]))


def test_weights_that_are_levels_stay_what_they_are() -> None:
    """Also where no weight is the largest level, and in single precision; others get the scale of least error."""
    for weights, scale in (
        ([[0.75, 1 / 12]], 1.0),
        ([[1.0, -1.0]], 1.0),
        ([[2.0, -2.0]], 2.0),
        ([[0.0, 0.0]], 1.0),
    ):
        chip = Chip(config=CONFIG, level_set=SINGLE, readout=Readout(v_full=0.5))
        arrays, _ = convert(linear(weights), chip)
        assert float(arrays.scale) == pytest.approx(scale)
    pairs = Chip(config=CONFIG, level_set=pair_levels(PAPER_LEVELS_OHM), readout=Readout(v_full=0.5))
    small, _ = convert(linear([[1e-8, -3e-9]]), pairs)
    assert float(small.scale) == pytest.approx(1e-8, rel=0.2, abs=0)
