"""Training through the circuit: agreement with the layers, and gradients against finite differences."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from circuits.arrays.config import ArrayConfig
from nn_mapping.analog.chip_design import Chip, LayerOptions
from nn_mapping.analog.conversion import convert
from nn_mapping.analog.placement import arrays_of
from nn_mapping.circuit_layer import CircuitProduct, circuit_products
from nn_mapping.column_readout import Readout
from nn_mapping.levels import PAPER_LEVELS_OHM, level_set
from nn_mapping.mapping import resistive_states
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
def test_products_in_training_are_those_of_the_layer(scheme: str, trim: bool, architecture: str) -> None:
    """On tiles of unequal shapes, calibrated with the same inputs; of the chip's mismatch nothing is taken."""
    config = ArrayConfig(architecture=architecture, r_row=0.2, r_column=0.1)
    levels = level_set(scheme, PAPER_LEVELS_OHM)
    states = None if config.architecture.hall else resistive_states(levels.levels_ohm, 1e4, 1e5)
    chip = Chip(
        config=config,
        level_set=levels,
        readout=Readout(v_full=0.5, adc_bits=5, trim=trim),
        tile=(8, 8),
        state_ohm=states,
        seed=3,
        layers={"layer1": LayerOptions(input_full=1.0), "layer2": LayerOptions(input_full=4.0)},
    )
    whole = network(scheme)
    arrays, _ = convert(whole.model().double(), chip)
    rough = replace(chip.readout, dac_mismatch=0.1, adc_mismatch=0.1)
    worse = replace(chip, readout=rough, **({"mismatch": 0.1, "r_off_spread": 0.1} if states is None else {}))
    products = circuit_products(whole, worse, torch.float64)
    for number, (layer, product) in enumerate(zip(arrays_of(arrays).values(), products, strict=True)):
        inputs = torch.rand(
            50, layer.weight.shape[1], dtype=torch.float64, generator=torch.Generator().manual_seed(1)
        )
        layer.eval().begin_calibration()
        with torch.no_grad():
            layer(inputs)
            layer.end_calibration()
            ours = product(inputs, torch.from_numpy(whole.layers[number].weights).double())
            torch.testing.assert_close(ours, layer(inputs), rtol=0, atol=2e-5 * float(ours.abs().max()))
        assert isinstance(product, CircuitProduct)
        assert float(product.tiles.input_full[0]) == (1.0, 4.0)[number]
        assert product.tiles.first_tile == layer.tiles.first_tile == (0, product.tiles.first_tile)[number]


def test_a_digital_layer_is_trained_digitally() -> None:
    """As it is evaluated; the tiles of the next one are the first of the network."""
    chip = Chip(
        config=ArrayConfig(architecture="active_parallel"),
        level_set=level_set("reference", PAPER_LEVELS_OHM),
        readout=Readout(v_full=0.5),
        tile=(8, 8),
        layers={"layer1": LayerOptions(digital=True)},
    )
    first, second = circuit_products(network("reference"), chip)
    found = first(torch.tensor([[1.0, -2.0]]), torch.tensor([[3.0, 0.5], [0.0, 1.0], [1.0, 1.0]]))
    assert found.tolist() == [[2.0, -2.0, -1.0]]
    assert isinstance(second, CircuitProduct)
    assert second.tiles.first_tile == 0


def test_weights_get_the_gradient_of_the_whole_layer() -> None:
    """Through states, tiles, trim and pairs: finite differences of a weight within its level's cell."""
    config = ArrayConfig(architecture="active_parallel", r_row=0.5)
    whole = network("differential")
    levels = level_set("differential", PAPER_LEVELS_OHM)
    readout = Readout(v_full=0.5, dac_bits=None, adc_bits=None)
    chip = Chip(config=config, level_set=levels, readout=readout, tile=(8, 8))
    product = circuit_products(whole, chip, torch.float64)[0]
    assert isinstance(product, CircuitProduct)
    inputs = torch.from_numpy(np.random.default_rng(3).uniform(0, 1, (5, 20)))
    weights = torch.from_numpy(levels.weights[whole.layers[0].weight_index]).requires_grad_()
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
