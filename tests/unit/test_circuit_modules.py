"""Models of one's own on arrays, and levels for networks trained without them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from circuits.arrays.config import ArrayConfig
from nn_mapping.accuracy import Readout
from nn_mapping.circuit_modules import CircuitLinear, convert
from nn_mapping.levels import PAPER_LEVELS_OHM, pair_levels
from nn_mapping.post_training import best_scale, quantised
from nn_mapping.trained import Layer, TrainedNetwork

PAIRS = pair_levels(PAPER_LEVELS_OHM)
PERFECT = ArrayConfig(architecture="active_parallel", r_row=0, r_column=0, r_output=0, cmrr_db=float("inf"))
EXACT = Readout(v_full=0.5, dac_bits=None, adc_bits=None, trim=False)


def on_levels(model: nn.Module) -> nn.Module:
    """The model with weights that the pairs hold exactly, at a scale of 0.2."""
    random = np.random.default_rng(0)
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, (nn.Linear, nn.Conv2d)):
                drawn = 0.2 * PAIRS.weights[random.integers(0, 23, layer.weight.shape)]
                layer.weight.copy_(torch.from_numpy(drawn))
                layer.weight.view(-1)[0] = 0.2
    return model


def test_a_converted_model_is_the_model() -> None:
    """On arrays without wires; the model's inputs have both signs, and 1e-5 of the signal is lost to the senses."""
    torch.manual_seed(0)
    model = on_levels(
        nn.Sequential(
            nn.Conv2d(2, 3, 3, padding=1, stride=2),
            nn.BatchNorm2d(3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(27, 4),
        )
    ).eval()
    arrays = convert(model, PAIRS, (16, 8), PERFECT, EXACT).eval()
    x = torch.randn(7, 2, 6, 6)
    with torch.no_grad():
        expected, found = model(x), arrays(x)
    scales = [layer.scale for layer in arrays.modules() if isinstance(layer, CircuitLinear)]
    assert [float(scale) for scale in scales] == pytest.approx([0.2, 0.2], rel=0.02)
    # the scale is the best of a grid whose steps are 1.7 %, and cells bring their mean of 0.45 ohm in float32
    torch.testing.assert_close(found, expected, rtol=0, atol=0.05 * float(expected.abs().max()))
    assert isinstance(model[0], nn.Conv2d), "the model itself is left alone"


def test_a_converted_model_learns() -> None:
    torch.manual_seed(0)
    arrays = convert(nn.Linear(6, 2), PAIRS, (4, 4), PERFECT, EXACT)
    x = torch.rand(64, 6)
    target = (x[:, 0] > x[:, 1]).long()
    optimiser = torch.optim.Adam(arrays.parameters(), lr=0.05)
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(arrays(x), target)
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]


def test_convolutions_that_tiles_cannot_carry_are_named() -> None:
    with pytest.raises(ValueError, match=r"^1: Conv2d.*expected one group"):
        convert(nn.Sequential(nn.ReLU(), nn.Conv2d(2, 2, 3, groups=2)), PAIRS, (8, 8), PERFECT, EXACT)


def test_quantised_weights_are_levels_at_the_best_scale() -> None:
    random = np.random.default_rng(1)
    weights = random.normal(0, 0.1, (8, 30)).astype(np.float32)
    layer = Layer(weights=weights, gain=np.full(8, 2, dtype=np.float32), offset=np.zeros(8, dtype=np.float32))
    free = TrainedNetwork(layers=(layer,))
    found = quantised(free, PAIRS.weights)
    inputs = random.uniform(0, 1, (50, 30)).astype(np.float32)
    difference = found.forward(inputs) - free.forward(inputs)
    # levels 1/12 of the scale (0.3) apart or less: an error of 0.007 per weight, over sqrt(30 / 3) inputs, times 2
    assert np.sqrt(np.mean(difference**2)) < 0.06
    scale = best_scale(weights, PAIRS.weights)
    assert found.layers[0].gain[0] == pytest.approx(2 * scale)
    assert best_scale(np.zeros(3), PAIRS.weights) == 1.0
    again = quantised(replace(found, levels=None), PAIRS.weights)
    assert np.abs(again.layers[0].weights - found.layers[0].weights).max() < 0.1
