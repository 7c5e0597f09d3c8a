"""Training through the circuit: agreement with the evaluation, and gradients against finite differences."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from circuits.arrays.config import ArrayConfig
from nn_mapping.accuracy import propagate, tile_maps
from nn_mapping.circuit_layer import circuit_products
from nn_mapping.column_readout import Readout
from nn_mapping.levels import PAPER_LEVELS_OHM, level_set
from nn_mapping.mapping import map_network, resistive_states
from nn_mapping.tiles import conductance_per_weight, solve_tiles
from nn_mapping.trained import Layer, TrainedNetwork


def network(scheme: str) -> TrainedNetwork:
    levels = level_set(scheme, PAPER_LEVELS_OHM).weights
    random = np.random.default_rng(7)
    layers = []
    for inputs, outputs in ((20, 9), (9, 3)):
        index = random.integers(0, len(levels), (outputs, inputs)).astype(np.uint8)
        layers.append(
            Layer(
                weights=levels.astype(np.float32)[index],
                gain=np.ones(outputs, dtype=np.float32),
                offset=np.zeros(outputs, dtype=np.float32),
                weight_index=index,
            )
        )
    return TrainedNetwork(layers=tuple(layers), levels=levels)


@pytest.mark.parametrize("scheme", ["reference", "differential"])
@pytest.mark.parametrize("trim", [True, False])
@pytest.mark.parametrize("architecture", ["active_parallel", "resistive"])
def test_the_layer_is_the_evaluation(scheme: str, trim: bool, architecture: str) -> None:
    """One layer on tiles of unequal shapes, six-bit converters: the same outputs as the solved tiles give."""
    config = ArrayConfig(architecture=architecture, r_row=0.2, r_column=0.1)
    levels = level_set(scheme, PAPER_LEVELS_OHM)
    states = None
    if not config.architecture.hall:
        states = resistive_states(levels.levels_ohm, 1e4, 1e5)
    whole = network(scheme)
    single = replace(whole, layers=whole.layers[:1])
    mapped = map_network(single, levels, 8, 8, states)
    readout = Readout(v_full=0.5, adc_bits=None, trim=trim)
    product = circuit_products(mapped, config, readout, torch.float64)[0]
    inputs = np.random.default_rng(3).uniform(0, 1, (50, 20))
    with torch.no_grad():
        ours = product(torch.from_numpy(inputs), torch.from_numpy(single.layers[0].weights).double()).numpy()
    transfers = [response.transfer for response in solve_tiles(mapped, config)]
    maps = tile_maps(mapped, transfers, config, readout)
    expected, _, _ = propagate(mapped, maps, conductance_per_weight(mapped, config), readout, inputs)
    # float32 levels against exact ones, and the transfer tensor's 1e-6
    np.testing.assert_allclose(ours, expected, atol=2e-5 * np.abs(expected).max())


def test_weights_get_the_gradient_of_the_whole_layer() -> None:
    """Through states, tiles, trim and pairs: finite differences of a weight within its level's cell."""
    config = ArrayConfig(architecture="active_parallel", r_row=0.5)
    whole = network("differential")
    mapped = map_network(whole, level_set("differential", PAPER_LEVELS_OHM), 8, 8)
    readout = Readout(v_full=0.5, dac_bits=None, adc_bits=None)
    product = circuit_products(mapped, config, readout, torch.float64)[0]
    inputs = torch.from_numpy(np.random.default_rng(3).uniform(0, 1, (5, 20)))
    weights = torch.from_numpy(mapped.level_set.weights[whole.layers[0].weight_index]).requires_grad_()
    with torch.no_grad():
        product(inputs, weights)  # the trim of this state is a constant from here on
    product.tiles.steps = 1
    sensitivity = torch.from_numpy(np.random.default_rng(4).normal(size=(5, 9)))
    (product(inputs, weights) * sensitivity).sum().backward()
    assert weights.grad is not None
    for place in ((0, 0), (4, 11), (8, 19)):
        values = []
        for step in (-1e-5, 1e-5):
            moved = weights.detach().clone()
            moved[place] += step
            with torch.no_grad():
                values.append(float((product(inputs, moved) * sensitivity).sum()))
        expected = (values[1] - values[0]) / 2e-5
        assert float(weights.grad[place]) == pytest.approx(
            expected, abs=1e-6 * float(weights.grad.abs().max())
        )
