from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nn_mapping.data import Dataset
from nn_mapping.levels import PAPER_LEVELS_OHM, single_levels
from nn_mapping.network import TrainedNetwork, load_network
from nn_mapping.training import GOOD, PAPER, DeadNetworkError, Quantiser, Recipe, train

LEVELS = single_levels(PAPER_LEVELS_OHM).weights
SHORT = replace(GOOD, epochs=3, batch=32)


def stripes(train_count: int = 600, test_count: int = 200, seed: int = 3) -> Dataset:
    """Noisy images of four classes: which quarter of the 6 x 6 pixels is bright."""
    random = np.random.default_rng(seed)
    parts = []
    for count in (train_count, test_count):
        labels = random.integers(0, 4, count).astype(np.uint8)
        images = random.integers(0, 100, (count, 6, 6))
        for k, label in enumerate(labels):
            images[k, 3 * (label // 2) : 3 * (label // 2) + 3, 3 * (label % 2) : 3 * (label % 2) + 3] += 120
        parts += [images.astype(np.uint8), labels]
    return Dataset(
        name="stripes",
        train_images=parts[0],
        train_labels=parts[1],
        test_images=parts[2],
        test_labels=parts[3],
    )


@pytest.fixture(scope="module")
def trained() -> TrainedNetwork:
    return train(stripes(), (36, 12, 4), LEVELS, SHORT, seed=5)


def test_it_learns_on_device_levels(trained: TrainedNetwork) -> None:
    data = stripes()
    assert trained.accuracy(data.test_images, data.test_labels) > 0.95  # bright quarters are hard to miss
    for layer in trained.layers:
        assert layer.level_index is not None
        np.testing.assert_array_equal(layer.weights, LEVELS.astype(np.float32)[layer.level_index])


def test_the_folded_network_is_the_trained_one(trained: TrainedNetwork) -> None:
    """The last test accuracy of the history is torch's, with batch normalisation not folded."""
    data = stripes()
    accuracy = trained.accuracy(data.test_images, data.test_labels)
    assert accuracy == pytest.approx(trained.history["test_accuracy"][-1], abs=1.5 / len(data.test_labels))
    assert [len(curve) for curve in trained.history.values()] == [3, 3, 3]


def test_one_seed_one_network(trained: TrainedNetwork) -> None:
    again = train(stripes(), (36, 12, 4), LEVELS, SHORT, seed=5)
    other = train(stripes(), (36, 12, 4), LEVELS, SHORT, seed=6)
    for ours, theirs in zip(trained.layers, again.layers, strict=True):
        np.testing.assert_array_equal(ours.weights, theirs.weights)
        np.testing.assert_array_equal(ours.gain, theirs.gain)
    assert (trained.layers[0].weights != other.layers[0].weights).any()


def test_global_state_of_torch_is_left_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    train(stripes(64, 8), (36, 4), LEVELS, replace(SHORT, epochs=1, dropout=0.1, flip=True))
    assert torch.equal(torch.rand(3), expected)
    assert not torch.are_deterministic_algorithms_enabled()
    assert float(torch.tensor(1e-310, dtype=torch.float64) * 1) > 0  # denormals are back


def test_save_and_load(trained: TrainedNetwork, tmp_path: Path) -> None:
    path = tmp_path / "network.npz"
    trained.save(path)
    loaded = load_network(path)
    images = stripes().test_images
    np.testing.assert_array_equal(
        loaded.forward(loaded.inputs(images)), trained.forward(trained.inputs(images))
    )
    assert loaded.history == trained.history
    assert loaded.info["seed"] == 5
    assert [entry.name for entry in tmp_path.iterdir()] == ["network.npz"]


def test_free_weights_and_the_paper_recipe(tmp_path: Path) -> None:
    free = train(stripes(), (36, 12, 4), None, SHORT)
    assert free.levels is None
    assert free.layers[0].level_index is None
    free.save(tmp_path / "free.npz")
    np.testing.assert_array_equal(
        load_network(tmp_path / "free.npz").layers[1].weights, free.layers[1].weights
    )
    plain = train(stripes(), (36, 12, 4), LEVELS, replace(PAPER, epochs=2, batch=32))
    assert all((layer.gain == 1).all() and (layer.offset == 0).all() for layer in plain.layers)


def test_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "network.npz"
    path.write_bytes(b"PK\x03\x04 no")
    with pytest.raises(ValueError, match=r"network\.npz: not a trained network"):
        load_network(path)


def test_a_dead_network_is_reported_after_one_epoch() -> None:
    """Black images: there is nothing to tell them apart by."""
    flat = Dataset(
        name="flat",
        train_images=np.zeros((600, 6, 6), dtype=np.uint8),
        train_labels=(np.arange(600) % 4).astype(np.uint8),
        test_images=np.zeros((4, 6, 6), dtype=np.uint8),
        test_labels=np.arange(4, dtype=np.uint8),
    )
    calls: list[int] = []
    with pytest.raises(DeadNetworkError, match=r"after epoch 1 .* no better than guessing"):
        train(flat, (36, 8, 4), LEVELS, replace(SHORT, batch=3), progress=lambda done, *_: calls.append(done))
    assert not calls


def test_progress_is_told_each_epoch() -> None:
    calls: list[tuple[int, int]] = []
    train(stripes(), (36, 4), LEVELS, SHORT, progress=lambda done, total, _: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_wrong_layers_and_recipes() -> None:
    with pytest.raises(ValueError, match=r"layers = \[35, 4\]: .* the first 36"):
        train(stripes(), (35, 4), LEVELS, SHORT)
    with pytest.raises(ValueError, match="the last at least 4"):
        train(stripes(), (36, 3), LEVELS, SHORT)
    with pytest.raises(ValueError, match="learning_rate"):
        Recipe(learning_rate=0.0)
    with pytest.raises(ValueError, match="input_bits = 9"):
        Recipe(input_bits=9)


def test_steps_of_the_index_table() -> None:
    assert Quantiser(LEVELS).steps == 48
    assert Quantiser(np.array([-1.0, 1.0])).steps == 2
    assert Quantiser(np.array([0.0, 1 / np.pi, 1.0])).steps == 0  # no grid: sorted search


def test_batches_never_end_with_a_single_image() -> None:
    """Batch normalisation has no variance there."""
    train(stripes(65, 8), (36, 4), LEVELS, SHORT)
