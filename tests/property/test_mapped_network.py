from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.arrays.architecture import Architecture
from circuits.arrays.config import ArrayConfig
from nn_mapping.accuracy import convert_input, convert_output, propagate, tile_maps
from nn_mapping.column_readout import Readout
from nn_mapping.levels import PAPER_LEVELS_OHM, LevelSet, level_set
from nn_mapping.mapping import MappedNetwork, combination, map_network, resistive_states
from nn_mapping.tiles import conductance_per_weight, ideal_transfers
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


def rebuilt(mapped: MappedNetwork, layer: int) -> np.ndarray:
    """Weights of a layer read back from the states of its tiles; NaN where no tile holds one."""
    levels = mapped.level_set
    weights = np.full(mapped.network.layers[layer].shape, np.nan)
    for place in mapped.layer_tiles(layer):
        tile = mapped.tiles[place]
        part = combination(tile.states.shape[1], levels) @ tile.states.T / levels.scale
        assert np.isnan(weights[tile.outputs, tile.rows]).all(), "a weight is on two tiles"
        weights[tile.outputs, tile.rows] = part
    return weights


@given(sizes, schemes, st.integers(1, 9), st.integers(3, 9), st.integers(0, 2**32 - 1))
def test_weights_come_back_from_the_tiles(
    layer_sizes: list[int], scheme: str, rows: int, columns: int, seed: int
) -> None:
    levels = level_set(scheme, PAPER_LEVELS_OHM)
    network = random_network(layer_sizes, levels, np.random.default_rng(seed))
    mapped = map_network(network, levels, rows, columns)
    assert all(tile.states.shape[0] <= rows and tile.states.shape[1] <= columns for tile in mapped.tiles)
    for number, layer in enumerate(network.layers):
        np.testing.assert_allclose(rebuilt(mapped, number), layer.weights, atol=1e-6)  # weights are float32


@settings(deadline=None)
@given(sizes, schemes, st.sampled_from(list(Architecture)[:2]), st.booleans(), st.integers(0, 2**32 - 1))
def test_ideal_arrays_give_the_digital_outputs(
    layer_sizes: list[int], scheme: str, architecture: Architecture, trim: bool, seed: int
) -> None:
    """Without converters, on any tile size; the trim has nothing to do."""
    random = np.random.default_rng(seed)
    levels = level_set(scheme, PAPER_LEVELS_OHM)
    network = random_network(layer_sizes, levels, random)
    states = resistive_states(levels.levels_ohm, 1e4, 1e5) if architecture == "resistive" else None
    mapped = map_network(network, levels, int(random.integers(1, 9)), int(random.integers(3, 9)), states)
    config = ArrayConfig(architecture=architecture)
    readout = Readout(v_full=0.5, dac_bits=None, adc_bits=None, trim=trim)
    inputs = random.uniform(0, 1, (20, layer_sizes[0])).astype(np.float32)
    maps = tile_maps(mapped, ideal_transfers(mapped, config), config, readout)
    outputs, _, _ = propagate(mapped, maps, conductance_per_weight(mapped, config), readout, inputs)
    expected = network.forward(inputs)
    # single precision of the digital network: 1e-5 of its largest number
    np.testing.assert_allclose(outputs, expected, atol=1e-5 * max(1.0, float(np.abs(expected).max())))


@given(st.integers(1, 16), st.lists(st.floats(-2, 2), min_size=1, max_size=20))
def test_converters_are_as_fine_as_their_bits(bits: int, values: list[float]) -> None:
    array = np.array(values)
    inputs = convert_input(array, bits)
    np.testing.assert_allclose(inputs, np.clip(array, 0, 1), atol=0.5 / (2**bits - 1) + 1e-12)
    step = 2.0 ** (1 - bits)
    outputs = convert_output(array, 1.0, bits)
    np.testing.assert_allclose(outputs, np.clip(array, -1, 1 - step), atol=0.5 * step + 1e-12)
    assert (np.diff(convert_output(np.sort(array), 1.0, bits)) >= 0).all()
    np.testing.assert_array_equal(convert_output(outputs, 1.0, bits), outputs)
