from itertools import pairwise

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.arrays.architecture import Architecture
from circuits.arrays.config import ArrayConfig
from nn_mapping.analog.chip_design import Chip
from nn_mapping.analog.conversion import convert
from nn_mapping.analog.full_scales import calibrate
from nn_mapping.analog.placement import arrays_of, hold, tiles_of
from nn_mapping.analog.rounding import rounded
from nn_mapping.column_readout import Readout
from nn_mapping.levels import PAPER_LEVELS_OHM, LevelSet, level_set
from nn_mapping.mapping import combination, resistive_states
from nn_mapping.tiles import ideal_transfers
from nn_mapping.trained import Layer, TrainedNetwork

schemes = st.sampled_from(["reference", "differential"])
sizes = st.lists(st.integers(1, 17), min_size=2, max_size=4)


def random_network(layer_sizes: list[int], levels: LevelSet, random: np.random.Generator) -> TrainedNetwork:
    layers = []
    for inputs, outputs in pairwise(layer_sizes):
        index = random.integers(0, len(levels.weights), (outputs, inputs)).astype(np.uint8)
        layers.append(
            Layer(
                weights=levels.weights.astype(np.float32)[index],
                gain=random.uniform(-1, 1, outputs).astype(np.float32),
                offset=random.uniform(-1, 1, outputs).astype(np.float32),
                weight_index=index,
            )
        )
    return TrainedNetwork(layers=tuple(layers), levels=levels.weights)


@settings(deadline=None)
@given(sizes, schemes, st.integers(1, 9), st.integers(3, 9), st.integers(0, 2**32 - 1))
def test_weights_come_back_from_the_tiles(
    layer_sizes: list[int], scheme: str, rows: int, columns: int, seed: int
) -> None:
    levels = level_set(scheme, PAPER_LEVELS_OHM)
    network = random_network(layer_sizes, levels, np.random.default_rng(seed))
    config = ArrayConfig(architecture="resistive")
    states = resistive_states(levels.levels_ohm, 1e4, 1e5)  # nothing is solved before it is asked for
    chip = Chip(
        config=config, level_set=levels, readout=Readout(v_full=0.5), tile=(rows, columns), state_ohm=states
    )
    arrays, report = convert(network.model(), chip)
    tiles = tiles_of(arrays)
    assert len(tiles) == report.tiles
    assert sum(tile.states.size for tile in tiles) == report.cells
    assert all(tile.shape[0] <= rows and tile.shape[1] <= columns for tile in tiles)
    for name, layer in zip(arrays_of(arrays), network.layers, strict=True):
        weights = np.full(layer.shape, np.nan)
        for tile in (tile for tile in tiles if tile.layer == name):
            assert np.isnan(weights[tile.outputs, tile.rows]).all(), "a weight is on two tiles"
            signs = combination(tile.shape[1], levels)
            weights[tile.outputs, tile.rows] = signs @ tile.target.T / levels.scale
            assert tile.states.tolist() == states[tile.level_index].tolist()
        np.testing.assert_allclose(weights, layer.weights, atol=1e-6)  # weights are float32


@settings(deadline=None, max_examples=50)
@given(sizes, schemes, st.sampled_from(list(Architecture)[:2]), st.booleans(), st.integers(0, 2**32 - 1))
def test_ideal_arrays_give_the_digital_outputs(
    layer_sizes: list[int], scheme: str, architecture: Architecture, trim: bool, seed: int
) -> None:
    """Without converters, on any tile size; the trim has nothing to do."""
    random = np.random.default_rng(seed)
    levels = level_set(scheme, PAPER_LEVELS_OHM)
    model = random_network(layer_sizes, levels, random).model().double()
    chip = Chip(
        config=ArrayConfig(architecture=architecture),
        level_set=levels,
        readout=Readout(v_full=0.5, dac_bits=None, adc_bits=None, trim=trim),
        tile=(int(random.integers(1, 9)), int(random.integers(3, 9))),
        state_ohm=resistive_states(levels.levels_ohm, 1e4, 1e5) if architecture == "resistive" else None,
    )
    inputs = torch.from_numpy(random.uniform(-1, 1, (20, layer_sizes[0])))
    arrays, _ = convert(model, chip)
    hold(arrays, ideal_transfers(tiles_of(arrays), chip.config))
    calibrate(arrays, inputs)
    with torch.no_grad():
        expected = model(inputs)
        torch.testing.assert_close(
            arrays.eval()(inputs), expected, rtol=0, atol=1e-5 * max(1.0, float(expected.abs().max()))
        )


@given(st.integers(1, 16), st.lists(st.floats(-2, 2), min_size=1, max_size=20))
def test_converters_are_as_fine_as_their_bits(bits: int, values: list[float]) -> None:
    found = torch.tensor(values, dtype=torch.float64)
    step = torch.tensor(2.0 ** (1 - bits), dtype=torch.float64)
    half = 2 ** (bits - 1)
    codes = rounded(found, step, -half, half - 1)
    outputs = codes * step
    assert float((outputs - found.clamp(-1, 1 - float(step))).abs().max()) <= 0.5 * float(step) + 1e-12
    assert bool((rounded(found.sort().values, step, -half, half - 1).diff() >= 0).all())
    assert torch.equal(rounded(outputs, step, -half, half - 1), codes)
