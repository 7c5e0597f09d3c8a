"""Steps of a training against what they should do, by hand: batches, rates, losses, noise, the state of torch."""

import math
import os
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, linear

from nn_mapping import training
from nn_mapping.adam import Adam
from nn_mapping.data import Dataset
from nn_mapping.layer_shapes import Convolution, shapes
from nn_mapping.quantiser import Quantiser
from nn_mapping.recipes import GOOD
from nn_mapping.trainable import Parameters
from nn_mapping.trained import Layer, TrainedNetwork
from nn_mapping.training import DeadNetworkError, deterministic, train, training_device

PLAIN = replace(GOOD, batch_norm=False)


def pictures(train_count: int, test_count: int = 10, classes: int = 4) -> Dataset:
    """Random 2 x 3 pixels of random classes."""
    random = np.random.default_rng(1)
    parts = [
        values.astype(np.uint8)
        for count in (train_count, test_count)
        for values in (random.integers(0, 256, (count, 2, 3)), random.permutation(np.arange(count) % classes))
    ]
    return Dataset(
        name="pictures",
        train_images=parts[0],
        train_labels=parts[1],
        test_images=parts[2],
        test_labels=parts[3],
    )


def parameters(*sizes: int, recipe: Any = PLAIN, levels: list[float] | None = None) -> Parameters:
    """Of fully connected layers for images of 2 x 3 pixels."""
    quantiser = None if levels is None else Quantiser(np.array(levels))
    found = Parameters(shapes(sizes, 1, 2, 3), quantiser, recipe)
    found.initialise(torch.Generator().manual_seed(0))
    return found


# --- the loop ---


def test_where_nothing_moves_the_history_is_that_of_the_first_weights() -> None:
    """Batches of 32 and 33 images, the last one of 10: every image counts once, with the loss of the recipe."""
    data = pictures(75)
    recipe = replace(PLAIN, epochs=2, batch=32, learning_rate=1e-30, label_smoothing=0.1)
    told: list[tuple[int, int]] = []
    network = train(data, (6, 5, 4), None, recipe, progress=lambda done, of, _: told.append((done, of)))
    assert told == [(1, 2), (2, 2)]
    assert network.info["seed"] == 0
    inputs = torch.from_numpy(data.train_images / np.float32(255))
    outputs = network.model()(inputs).detach()
    labels = torch.from_numpy(data.train_labels.astype(np.int64))
    loss = float(cross_entropy(outputs, labels, label_smoothing=0.1))
    assert network.history["train_loss"] == pytest.approx([loss, loss], rel=1e-5)
    right = network.accuracy(data.train_images, data.train_labels)
    assert network.history["train_accuracy"] == pytest.approx([right, right], rel=1e-12)
    tested = network.accuracy(data.test_images, data.test_labels)
    assert network.history["test_accuracy"] == pytest.approx([tested, tested], rel=1e-12)


def test_the_rate_falls_along_a_cosine_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    monkeypatch.setattr(Adam, "step", lambda _adam, _gradients, rate: rates.append(rate))
    recipe = replace(PLAIN, epochs=2, batch=20, learning_rate=0.8)
    train(pictures(60), (6, 4), None, recipe)
    # three batches in each of two epochs: 0.8 (1 + cos(k pi/6))/2
    np.testing.assert_allclose(rates, [0.8, 0.74641016, 0.6, 0.4, 0.2, 0.05358984], rtol=1e-7)
    rates.clear()
    train(pictures(60), (6, 4), None, replace(recipe, cosine=False))
    assert rates == [0.8] * 6


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (64, [(0, 32), (32, 64)]),
        (65, [(0, 32), (32, 65)]),
        (66, [(0, 32), (32, 64), (64, 66)]),
        (33, [(0, 33)]),
        (1, [(0, 1)]),
    ],
)
def test_a_single_image_joins_the_batch_before_it(count: int, expected: list[tuple[int, int]]) -> None:
    assert training._batches(count, 32) == expected


def test_half_of_the_images_are_mirrored_from_left_to_right() -> None:
    images = torch.arange(6.0).repeat(400, 1)
    found = training._mirror_half(images, 3, torch.Generator().manual_seed(0))
    mirrored = torch.tensor([2.0, 1.0, 0.0, 5.0, 4.0, 3.0])
    changed = (found == mirrored).all(dim=1)
    assert torch.equal(found[~changed], images[~changed])
    assert 160 < int(changed.sum()) < 240  # four standard deviations of 10
    again = training._mirror_half(images, 3, torch.Generator().manual_seed(0))
    assert torch.equal(again, found)


def test_images_are_mirrored_at_their_width(monkeypatch: pytest.MonkeyPatch) -> None:
    widths: list[int] = []
    monkeypatch.setattr(training, "_mirror_half", lambda x, width, _generator: widths.append(width) or x)
    train(pictures(20), (6, 4), None, replace(PLAIN, epochs=1, batch=20, flip=True))
    assert widths == [3]


# --- when it stops ---


@pytest.mark.parametrize(("accuracy", "alive"), [(0.33, True), (0.32, False)])
def test_a_network_is_alive_at_1_3_times_guessing(accuracy: float, alive: bool) -> None:
    history = {"train_loss": [math.nan, 1.0], "train_accuracy": [0.25, accuracy]}
    dead = {"train_loss": [1.0, math.nan], "train_accuracy": [0.9, 0.9]}
    data = pictures(40)  # four classes of ten
    some = parameters(6, 4, levels=[-1.0, 1.0])
    if alive:
        training._check_alive(history, data, some)
    else:
        with pytest.raises(DeadNetworkError, match=r"after epoch 2 .* 25\.0 %, loss 1; \d+ % of the weights"):
            training._check_alive(history, data, some)
    with pytest.raises(DeadNetworkError, match="loss nan"):
        training._check_alive(dead, data, some)


@pytest.mark.parametrize(("accuracy", "alive"), [(0.96, True), (0.94, False)])
def test_a_network_is_alive_half_way_from_a_frequent_class_to_one(accuracy: float, alive: bool) -> None:
    data = pictures(40)
    data = replace(data, train_labels=(np.arange(40) >= 36).astype(np.uint8))  # 90 % are of one class
    history = {"train_loss": [1.0], "train_accuracy": [accuracy]}
    if alive:
        training._check_alive(history, data, parameters(6, 4))
    else:
        with pytest.raises(DeadNetworkError):
            training._check_alive(history, data, parameters(6, 4))


@pytest.mark.parametrize(("batches", "epochs"), [(199, 1), (200, 0)])
def test_a_dead_network_has_200_steps_to_live(batches: int, epochs: int) -> None:
    data = pictures(3 * batches)
    black = replace(data, train_images=np.zeros_like(data.train_images))
    calls: list[int] = []
    with pytest.raises(DeadNetworkError, match=f"after epoch {epochs + 1} "):
        train(
            black,
            (6, 4),
            None,
            replace(PLAIN, epochs=2, batch=3),
            progress=lambda done, *_: calls.append(done),
        )
    assert calls == [1] * epochs


def test_a_loss_that_is_no_number_ends_the_training_at_once() -> None:
    black = pictures(20)
    wild = [lambda x, weight: linear(x, weight) * math.inf]
    with pytest.raises(DeadNetworkError, match=r"after epoch 1 .* loss nan"):
        train(black, (6, 4), None, replace(PLAIN, epochs=3, batch=10), products=wild)


# --- what is refused ---


def test_what_cannot_be_trained() -> None:
    data = pictures(20)
    for layers, what in (
        ((6, 12, 3), "of size at least 4"),
        ((6, Convolution(channels=4, kernel=2)), "fully connected last layer"),
        ((6, 5, 0, 4), "positive sizes"),
        ((6, 5, 0), "positive sizes"),
        ((6,), "at least two positive sizes, the first 6"),
        ((5, 4), "the first 6"),
    ):
        with pytest.raises(ValueError, match=what):
            train(data, layers, None, PLAIN)
    for levels in ([0.5], [0.5, 0.5], [0.5, 0.4]):
        with pytest.raises(ValueError, match="expected at least two, ascending"):
            train(data, (6, 4), np.array(levels), PLAIN)
    train(data, (6, 4), np.array([-0.2, 0.3]), replace(PLAIN, epochs=1))


def test_where_training_runs_when_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert training_device("cuda") == "cuda"
    assert training_device("cpu", through_circuit=True) == "cpu"
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    train(pictures(20), (6, 4), None, replace(PLAIN, epochs=1))
    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ


# --- the state of torch ---


@pytest.mark.parametrize("before", [True, False])
def test_torch_is_deterministic_inside_and_as_before_afterwards(before: bool) -> None:
    smallest = torch.tensor(5e-324, dtype=torch.float64)
    options: Any = torch.utils.deterministic
    torch.set_num_threads(2)
    torch.set_flush_denormal(before)
    torch.use_deterministic_algorithms(before)
    options.fill_uninitialized_memory = before
    try:
        with deterministic():
            assert torch.get_num_threads() == 1
            assert torch.are_deterministic_algorithms_enabled()
            assert not options.fill_uninitialized_memory
            assert float(smallest + smallest) == 0
        assert torch.get_num_threads() == 2
        assert torch.are_deterministic_algorithms_enabled() is before
        assert options.fill_uninitialized_memory is before
        assert (float(smallest + smallest) == 0) is before
    finally:
        torch.set_num_threads(1)
        torch.set_flush_denormal(False)
        torch.use_deterministic_algorithms(False)
        options.fill_uninitialized_memory = True


def test_epsilon_of_adam_is_that_of_the_paper() -> None:
    """1e-8: a gradient of 1e-8 makes half of a step of the learning rate."""
    values = torch.zeros(3)
    Adam([values]).step([torch.full((3,), 1e-8)], 0.1)
    torch.testing.assert_close(values, torch.full((3,), -0.05), rtol=1e-3, atol=0)


# --- the parameters ---


def test_shapes_of_layers_by_hand() -> None:
    """Images of 4 x 6: a 2 x 2 kernel gives 3 x 5, pooled in twos 1 x 2; a 1 x 1 kernel leaves that."""
    layers = [24, Convolution(channels=3, kernel=2, pool=2), Convolution(channels=5, kernel=1), 7, 2]
    first, second, third, fourth = shapes(layers, 1, 4, 6)
    assert [(one.outputs, one.inputs, one.values) for one in (first, second, third, fourth)] == [
        (3, 4, 6),
        (5, 3, 10),
        (7, 10, 7),
        (2, 7, 2),
    ]
    assert first.window is not None
    assert second.window is not None
    assert (first.window.stride, first.window.padding, second.window.pool) == (1, 0, 1)
    assert (second.window.channels, second.window.height, second.window.width) == (3, 1, 2)
    assert [(one.outputs, one.inputs) for one in shapes([6, 1], 1, 2, 3)] == [(1, 6)]


def test_first_values_of_parameters() -> None:
    """Uniform within 1/sqrt(inputs); gammas of one and betas of zero, layer by layer."""
    found = parameters(6, 500, 40, recipe=GOOD)
    for weight in (one.detach() for one in found.weights):
        bound = 1 / math.sqrt(weight.shape[1])
        assert float(weight.min()) == pytest.approx(-bound, rel=0.01)
        assert float(weight.max()) == pytest.approx(bound, rel=0.01)
        assert abs(float(weight.mean())) < 0.1 * bound
    expected = [1.0] * 500 + [0.0] * 500 + [1.0] * 40 + [0.0] * 40
    assert found.trained[6 * 500 + 500 * 40 :].tolist() == expected
    assert [len(one) for one in (*found.gamma, *found.beta)] == [500, 40, 500, 40]


def test_batch_normalisation_is_that_of_torch_and_is_folded_exactly() -> None:
    """Outputs as small as the epsilon of 1e-5 asks for; the means move by a tenth."""
    found = parameters(6, 5, recipe=GOOD)
    norm = nn.BatchNorm1d(5)
    with torch.no_grad():
        for mine, theirs in ((found.gamma[0], norm.weight), (found.beta[0], norm.bias)):
            theirs.uniform_(0.5, 1.5, generator=torch.Generator().manual_seed(1))
            mine.copy_(theirs)
    x = 0.01 * torch.rand(7, 6, generator=torch.Generator().manual_seed(2))
    z = linear(x, found.weights[0]).detach()
    outputs = found.outputs(x, GOOD, torch.Generator())
    torch.testing.assert_close(outputs, norm(z), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found.mean[0], norm.running_mean, rtol=1e-5, atol=0)
    torch.testing.assert_close(found.variance[0], norm.running_var, rtol=1e-5, atol=0)
    with torch.no_grad():
        found.variance[0].copy_(norm.running_var.fill_(2e-5))
    tested = found.outputs(x, GOOD, None)
    torch.testing.assert_close(tested, norm.eval()(z), rtol=1e-5, atol=1e-6)
    (layer,) = found.layers()
    folded = torch.from_numpy(layer.gain) * z + torch.from_numpy(layer.offset)
    torch.testing.assert_close(folded, tested.detach(), rtol=1e-5, atol=1e-5)


def test_layers_without_batch_normalisation_have_no_gain_and_no_offset() -> None:
    first, second = parameters(6, 5, 4).layers()
    assert (first.gain.tolist(), first.offset.tolist()) == ([1.0] * 5, [0.0] * 5)
    assert (second.gain.tolist(), second.offset.tolist()) == ([1.0] * 4, [0.0] * 4)


def test_rectifiers_stand_between_layers_and_noise_is_drawn_for_every_weight() -> None:
    """A share of 0.1 of levels from -1 to 2: a deviation of 0.3, in the order of the weights, in training alone."""
    recipe = replace(PLAIN, weight_noise=0.1)
    found = parameters(6, 4, 2, recipe=recipe, levels=[-1.0, 0.5, 2.0])
    x = torch.rand(9, 6, generator=torch.Generator().manual_seed(2)) - 0.5
    first, second = (weight.detach() for weight in found.weights)
    plain = linear(linear(x, first).relu(), second)
    torch.testing.assert_close(found.outputs(x, recipe, None).detach(), plain)
    assert float(plain.min()) < 0
    drawn = torch.empty(32).normal_(0, 0.3, generator=torch.Generator().manual_seed(3))
    noisy = linear(
        linear(x, first + drawn[:24].view(4, 6)).relu(),
        second + drawn[24:].view(2, 4),
    )
    found_noisy = found.outputs(x, recipe, torch.Generator().manual_seed(3)).detach()
    torch.testing.assert_close(found_noisy, noisy)
    generator = torch.Generator().manual_seed(3)
    torch.testing.assert_close(found.outputs(x, PLAIN, generator).detach(), plain)
    assert torch.equal(generator.get_state(), torch.Generator().manual_seed(3).get_state())


def test_dropout_keeps_the_mean_and_leaves_the_last_layer_alone() -> None:
    recipe = replace(PLAIN, dropout=0.25)
    found = parameters(6, 6, 6)
    with torch.no_grad():
        for weight in found.weights:
            weight.copy_(torch.eye(6))
    x = 1 + torch.rand(500, 6, generator=torch.Generator().manual_seed(2))
    ratio = (found.outputs(x, recipe, torch.Generator().manual_seed(0)) / x).detach()
    kept = ratio > 0
    torch.testing.assert_close(ratio[kept], torch.full_like(ratio[kept], 1 / 0.75))
    assert float(kept.double().mean()) == pytest.approx(0.75, abs=0.03)  # four standard deviations
    assert torch.equal(found.outputs(x, recipe, None), x)


def test_products_of_patches_are_the_convolution() -> None:
    """Two channels of 4 x 6, strides and padding; what multiplies may be anything that takes patches."""
    layers = [
        24,
        Convolution(channels=2, kernel=2, padding=1),
        Convolution(channels=3, kernel=3, stride=2),
        4,
    ]
    plain = Parameters(shapes(layers, 1, 4, 6), None, PLAIN)
    plain.initialise(torch.Generator().manual_seed(0))
    other = Parameters(shapes(layers, 1, 4, 6), None, PLAIN, [linear] * 3)
    other.latent.copy_(plain.latent)
    x = torch.rand(5, 24, generator=torch.Generator().manual_seed(2))
    expected = plain.outputs(x, PLAIN, None)
    torch.testing.assert_close(other.outputs(x, PLAIN, None), expected)
    network = TrainedNetwork(layers=plain.layers())
    torch.testing.assert_close(network.model()(x.view(5, 1, 4, 6)), expected)


def test_a_network_is_taken_over_as_it_is() -> None:
    """Gains and offsets too, whatever the batch statistics; an output that is always the same has no variance."""
    random = np.random.default_rng(0)
    weights = [random.normal(size=size).astype(np.float32) for size in ((5, 6), (3, 5))]
    weights[0][2] = 0
    layers = tuple(
        Layer(
            weights=one,
            gain=random.uniform(0.5, 2, len(one)).astype(np.float32),
            offset=random.normal(size=len(one)).astype(np.float32),
        )
        for one in weights
    )
    found = parameters(6, 5, 3, recipe=GOOD)
    x = random.uniform(0, 1, (50, 6)).astype(np.float32)
    found.begin_from(TrainedNetwork(layers=layers), torch.from_numpy(x))
    hidden = layers[0].gain * (x @ weights[0].T) + layers[0].offset
    z = np.maximum(hidden, 0) @ weights[1].T
    np.testing.assert_allclose(found.mean[1], z.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found.variance[1], z.var(axis=0), rtol=1e-5)
    for mine, theirs in zip(found.layers(), layers, strict=True):
        np.testing.assert_array_equal(mine.weights, theirs.weights)
        np.testing.assert_allclose(mine.gain, theirs.gain, rtol=1e-5)
        np.testing.assert_allclose(mine.offset, theirs.offset, rtol=1e-4, atol=1e-5)


def test_statistics_are_found_on_the_first_2000_images(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(Parameters, "begin_from", lambda _self, _network, inputs: seen.append(len(inputs)))
    network = TrainedNetwork(layers=parameters(6, 4).layers())
    train(pictures(2010), (6, 4), None, replace(PLAIN, epochs=1, batch=1000), start=network)
    assert seen == [2000]
