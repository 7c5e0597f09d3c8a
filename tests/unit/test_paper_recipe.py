"""Biases, standardised pixels and the scale of the last product, against their formulas written out."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray

from circuits.arrays.config import ArrayConfig
from nn_mapping.accuracy import evaluate
from nn_mapping.analog.chip_design import Chip
from nn_mapping.analog.conversion import convert
from nn_mapping.analog.full_scales import calibrate
from nn_mapping.analog.placement import hold, tiles_of
from nn_mapping.circuit_layer import circuit_products
from nn_mapping.column_readout import Readout
from nn_mapping.data import Dataset, load_dataset
from nn_mapping.examples import Examples
from nn_mapping.layer_shapes import Convolution, shapes
from nn_mapping.levels import PAPER_LEVELS_OHM, single_levels
from nn_mapping.quantiser import Quantiser
from nn_mapping.recipes import GOOD, LITERAL, PAPER, Recipe
from nn_mapping.tiles import ideal_transfers
from nn_mapping.trainable import Brightness, Parameters
from nn_mapping.training import train

SIX = single_levels(PAPER_LEVELS_OHM)
PIXELS = Brightness(mean=0.2, deviation=0.4)
LAYERS = (12, 7, 5)


def parameters(
    recipe: Recipe, *, levels: bool = True, pixels: Brightness | None = PIXELS, seed: int = 3
) -> Parameters:
    """A network of 3 x 4 pixels, drawn by a seed."""
    found = Parameters(
        shapes(LAYERS, 1, 3, 4), Quantiser(SIX.weights) if levels else None, recipe, pixels=pixels
    )
    found.initialise(torch.Generator().manual_seed(seed))
    return found


def inputs(count: int = 20) -> torch.Tensor:
    return torch.rand(count, LAYERS[0], generator=torch.Generator().manual_seed(8))


def plain(network: Parameters, x: torch.Tensor, weights: list[torch.Tensor], scale: float) -> torch.Tensor:
    """Outputs by the formula: pixels less mean over deviation, weights, biases, the last product times `scale`."""
    first, last = network.biases
    hidden = torch.relu((x - 0.2) / 0.4 @ weights[0].T + first)
    return scale * (hidden @ weights[1].T) + last


@pytest.mark.parametrize(("levels", "scale"), [(True, 1 / math.sqrt(7)), (False, 1.0)])
def test_the_formula(levels: bool, scale: float) -> None:
    network, x = parameters(PAPER, levels=levels), inputs()
    expected = plain(network, x, network.weights, scale)
    torch.testing.assert_close(network.outputs(x, PAPER, None), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("levels", [True, False])
def test_gradients_are_those_of_the_formula_with_decay_on_weights_and_biases(levels: bool) -> None:
    network, x = parameters(PAPER, levels=levels), inputs()
    target = torch.arange(20) % LAYERS[-1]
    found = network.gradients(F.cross_entropy(network.outputs(x, PAPER, None), target), 0.25)
    scale = 1 / math.sqrt(7) if levels else 1.0
    leaves = [*network.weights, *network.biases]
    loss = F.cross_entropy(plain(network, x, network.weights, scale), target)
    latent = [network.latent[:84].view(7, 12), network.latent[84:].view(5, 7), *network.biases]
    expected = [
        gradient + 0.25 * held
        for gradient, held in zip(torch.autograd.grad(loss, leaves), latent, strict=True)
    ]
    assert len(found) == 4
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs.detach(), rtol=1e-4, atol=1e-5)
    if levels:
        assert (network.latent != network.forward).any()  # so that the decay of one is not that of the other


def test_biases_begin_within_one_over_the_root_of_the_inputs() -> None:
    drawn = [[bias.detach() for bias in parameters(PAPER, seed=seed).biases] for seed in range(200)]
    for number, size in enumerate((12, 7)):
        biases = torch.stack([biases[number] for biases in drawn])
        assert 0.98 / math.sqrt(size) < float(biases.max()) <= 1 / math.sqrt(size)
        assert -1 / math.sqrt(size) <= float(biases.min()) < -0.98 / math.sqrt(size)


def test_the_literal_recipe_draws_what_the_paper_recipe_draws_and_has_nothing_beside() -> None:
    literal, paper = parameters(LITERAL, pixels=None), parameters(PAPER)
    torch.testing.assert_close(literal.latent, paper.latent, rtol=0, atol=0)
    x = inputs()
    expected = torch.relu(x @ literal.weights[0].T) @ literal.weights[1].T
    torch.testing.assert_close(literal.outputs(x, LITERAL, None), expected, rtol=0, atol=0)
    assert literal.biases == []
    for layer in literal.layers():
        assert (layer.gain == 1).all()
        assert (layer.offset == 0).all()


@pytest.mark.parametrize("levels", [True, False])
def test_layers_read_pixels_as_they_are(levels: bool) -> None:
    network, x = parameters(PAPER, levels=levels), inputs()
    first, last = network.layers()
    scale = 1 / math.sqrt(7) if levels else 1.0
    np.testing.assert_allclose(first.gain, np.full(7, 2.5), rtol=1e-6)
    np.testing.assert_allclose(last.gain, np.full(5, scale), rtol=1e-6)
    assert (
        first.weight_index is None
        or (first.weights == SIX.weights.astype(np.float32)[first.weight_index]).all()
    )
    hidden = np.maximum(first.gain * (x.numpy() @ first.weights.T) + first.offset, 0)
    found = last.gain * (hidden @ last.weights.T) + last.offset
    expected = plain(network, x, network.weights, scale).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_single_layer_is_first_and_last() -> None:
    found = Parameters(shapes((12, 5), 1, 3, 4), Quantiser(SIX.weights), PAPER, pixels=PIXELS)
    found.initialise(torch.Generator().manual_seed(1))
    (weight,), (bias,), x = found.weights, found.biases, inputs()
    expected = ((x - 0.2) / 0.4) @ weight.T / math.sqrt(12) + bias
    torch.testing.assert_close(found.outputs(x, PAPER, None), expected, rtol=1e-5, atol=1e-5)


def test_noise_of_the_weights_is_not_in_the_offset() -> None:
    """The offset is digital: a chip subtracts the sum of the weights as they were meant."""
    recipe = replace(PAPER, weight_noise=0.3)
    network, x = parameters(recipe), inputs()
    spread = 0.3 * 2 * torch.empty(84 + 35).normal_(generator=torch.Generator().manual_seed(1))
    noisy = [
        weight + part.view(weight.shape)
        for weight, part in zip(network.weights, spread.split([84, 35]), strict=True)
    ]
    sums = network.weights[0].sum(dim=1)
    hidden = torch.relu(2.5 * (x @ noisy[0].T) - 2.5 * 0.2 * sums + network.biases[0])
    expected = hidden @ noisy[1].T / math.sqrt(7) + network.biases[1]
    found = network.outputs(x, recipe, torch.Generator().manual_seed(1))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def quarters(seed: int = 3) -> Dataset:
    """Noisy images of four classes: which quarter of the 4 x 6 pixels is bright."""
    random = np.random.default_rng(seed)
    parts: list[NDArray[np.uint8]] = []
    for count in (600, 200):
        labels = random.integers(0, 4, count).astype(np.uint8)
        images = random.integers(0, 100, (count, 4, 6))
        for k, label in enumerate(labels):
            images[k, 2 * (label // 2) :, 3 * (label % 2) :][:2, :3] += 120
        parts += [images.astype(np.uint8), labels]
    return Dataset(
        name="quarters",
        train_images=parts[0],
        train_labels=parts[1],
        test_images=parts[2],
        test_labels=parts[3],
    )


SHORT = replace(PAPER, epochs=4, batch=32, learning_rate=1e-2)


def test_a_trained_network_is_the_same_in_arrays_and_its_inputs_are_not_negative() -> None:
    data = quarters()
    network = train(data, (24, 10, 4), SIX.weights, SHORT, seed=1)
    digital = network.accuracy(data.test_images, data.test_labels)
    assert digital > 0.95
    assert digital == pytest.approx(network.history["test_accuracy"][-1], abs=1.5 / 200)
    pixels = data.train_images / 255
    np.testing.assert_allclose(network.layers[0].gain, 1 / pixels.std(), rtol=1e-5)
    examples = Examples.of(data)
    found = []
    for bits in (None, 6):
        chip = Chip(
            config=ArrayConfig(architecture="active_parallel"),
            level_set=SIX,
            readout=Readout(v_full=0.5, dac_bits=bits, adc_bits=bits),
            tile=(16, 8),
        )
        arrays, _ = convert(network.model(), chip)
        hold(arrays, ideal_transfers(tiles_of(arrays), chip.config))
        calibrate(arrays, examples.calibration)
        found.append(evaluate(arrays.eval(), examples))
    assert np.sum(found[0].predictions != network.predict(data.test_images)) <= 1  # single precision
    assert found[1].accuracy > 0.95
    assert [(read.reads, read.products) for read in found[0].reads.values()] == [(1, 1)] * 2  # one sign


def test_padding_of_a_convolution_is_dark() -> None:
    """Its zeros are pixels of 0, as the array's undriven rows are, not of the mean."""
    data = quarters()
    layers = (24, Convolution(channels=3, kernel=3, padding=1), 4)
    network = train(data, layers, SIX.weights, SHORT, seed=1)
    assert network.accuracy(data.test_images, data.test_labels) == pytest.approx(
        network.history["test_accuracy"][-1], abs=1.5 / 200
    )
    assert network.history["test_accuracy"][-1] > 0.9


def test_training_goes_on_from_a_network_of_the_same_recipe_alone() -> None:
    data = quarters()
    network = train(data, (24, 10, 4), SIX.weights, SHORT, seed=1)
    still = replace(SHORT, epochs=1, learning_rate=1e-9)
    again = train(data, (24, 10, 4), SIX.weights, still, seed=2, start=network)
    for ours, theirs in zip(again.layers, network.layers, strict=True):
        np.testing.assert_array_equal(ours.weights, theirs.weights)
        np.testing.assert_allclose(ours.offset, theirs.offset, atol=1e-5)
    for other in (replace(still, scale_outputs=False), replace(still, bias=False)):
        with pytest.raises(ValueError, match=r"layer . of the network to begin from .* the same recipe"):
            train(data, (24, 10, 4), SIX.weights, other, start=network)


def test_training_goes_on_through_the_circuit() -> None:
    """The array gets pixels from 0 to 1; at a learning rate of nearly nothing the network stays what it was."""
    data = quarters()
    network = train(data, (24, 10, 4), SIX.weights, SHORT, seed=1)
    chip = Chip(
        config=ArrayConfig(architecture="active_parallel"),
        level_set=SIX,
        readout=Readout(v_full=0.5),
        tile=(16, 8),
    )
    products = circuit_products(network, chip)
    given: list[torch.Tensor] = []

    def first(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        given.append(x)
        return products[0](x, weight)

    still = replace(SHORT, epochs=1, batch=200, learning_rate=1e-9)
    again = train(data, (24, 10, 4), SIX.weights, still, start=network, products=[first, products[1]])
    np.testing.assert_array_equal(again.layers[0].weights, network.layers[0].weights)
    np.testing.assert_allclose(again.layers[0].offset, network.layers[0].offset, atol=1e-5)
    assert again.history["test_accuracy"] == pytest.approx([network.history["test_accuracy"][-1]], abs=0.02)
    assert min(float(x.min()) for x in given) == 0
    assert 0.8 < max(float(x.max()) for x in given) <= 1


def test_what_contradicts_itself() -> None:
    for wrong in ({"bias": True}, {"standardise": True}, {"scale_outputs": True}):
        with pytest.raises(ValueError, match="with batch_norm = True, which has an offset and a scale"):
            replace(GOOD, **wrong)
    dark = replace(quarters(), train_images=np.full((600, 4, 6), 51, dtype=np.uint8))
    with pytest.raises(ValueError, match=r"all pixels are 0\.2, so that their deviation is 0"):
        train(dark, (24, 4), SIX.weights, SHORT)


def test_mean_and_deviation_of_the_digits() -> None:
    """The usual figures, 0.1307 and 0.3081, to their last digit."""
    found = Brightness.of(load_dataset("mnist").train_images)
    assert found.mean == pytest.approx(0.1307, abs=5e-5)
    assert found.deviation == pytest.approx(0.3081, abs=5e-5)
