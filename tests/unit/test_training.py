import pickle
import resource
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nn_mapping.adam import Adam
from nn_mapping.data import Dataset
from nn_mapping.layer_shapes import Convolution
from nn_mapping.levels import PAPER_LEVELS_OHM, single_levels
from nn_mapping.quantiser import Quantiser, _grid
from nn_mapping.recipes import GOOD, LITERAL, Recipe
from nn_mapping.trained import TrainedNetwork, load_network
from nn_mapping.training import DeadNetworkError, train, training_device

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
        assert layer.weight_index is not None
        np.testing.assert_array_equal(layer.weights, LEVELS.astype(np.float32)[layer.weight_index])


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
    inputs = torch.from_numpy(images / np.float32(255)).unsqueeze(1)
    with torch.no_grad():
        assert torch.equal(loaded.model()(inputs), trained.model()(inputs))
    assert loaded.history == trained.history
    assert loaded.info["seed"] == 5
    assert [entry.name for entry in tmp_path.iterdir()] == ["network.npz"]


def test_free_weights_and_the_literal_recipe(tmp_path: Path) -> None:
    free = train(stripes(), (36, 12, 4), None, SHORT)
    assert free.levels is None
    assert free.layers[0].weight_index is None
    free.save(tmp_path / "free.npz")
    np.testing.assert_array_equal(
        load_network(tmp_path / "free.npz").layers[1].weights, free.layers[1].weights
    )
    plain = train(stripes(), (36, 12, 4), LEVELS, replace(LITERAL, epochs=2, batch=32))
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
    with pytest.raises(ValueError, match="of size at least 4"):
        train(stripes(), (36, 3), LEVELS, SHORT)
    with pytest.raises(ValueError, match="learning_rate"):
        Recipe(learning_rate=0.0)
    with pytest.raises(ValueError, match="input_bits = 9"):
        Recipe(input_bits=9)


def test_steps_of_the_index_table() -> None:
    assert Quantiser(LEVELS).steps == 48
    assert Quantiser(np.array([-1.0, 1.0])).steps == 2
    assert Quantiser(np.array([0.0, 1 / np.pi, 1.0])).steps == 0  # no grid: sorted search
    assert Quantiser(np.array([0.0, 2 / 3, 2.0])).steps == 6  # middles at 1/6 and 4/6 of the range
    assert len(Quantiser(LEVELS)._table) == 49


@pytest.mark.parametrize(
    ("position", "steps"),
    [
        (1 / 16384, 16384),
        (1 / 16385, 0),  # too many for the table
        (0.5 + 0.25e-6, 2),
        (0.5 + 0.75e-6, 0),  # 1.5e-6 of a step beside the grid
        (0.5e-6, 0),  # 1e-6 of a step beside the edge
    ],
)
def test_a_grid_holds_positions_to_a_millionth_of_a_step(position: float, steps: int) -> None:
    assert _grid(np.array([position])) == steps


def test_batches_never_end_with_a_single_image() -> None:
    """Batch normalisation has no variance there."""
    train(stripes(65, 8), (36, 4), LEVELS, SHORT)


class StoppedError(Exception):
    """Stands for a power cut."""


def test_a_training_that_was_stopped_goes_on_where_it_was(trained: TrainedNetwork, tmp_path: Path) -> None:
    def stop(done: int, *_: object) -> None:
        if done == 2:
            raise StoppedError

    kept = tmp_path / "checkpoint"
    with pytest.raises(StoppedError):
        train(stripes(), (36, 12, 4), LEVELS, SHORT, seed=5, progress=stop, checkpoint=kept)
    calls: list[int] = []
    network = train(
        stripes(),
        (36, 12, 4),
        LEVELS,
        SHORT,
        seed=5,
        checkpoint=kept,
        progress=lambda done, *_: calls.append(done),
    )
    assert calls == [3]
    assert network.history == trained.history
    for ours, theirs in zip(network.layers, trained.layers, strict=True):
        np.testing.assert_array_equal(ours.weights, theirs.weights)
        np.testing.assert_array_equal(ours.offset, theirs.offset)
    assert not kept.exists()


def test_a_checkpoint_of_another_training_is_not_used(tmp_path: Path) -> None:
    kept = tmp_path / "checkpoint"

    def stop(*_: object) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        train(stripes(), (36, 4), LEVELS, SHORT, seed=5, progress=stop, checkpoint=kept)
    calls: list[int] = []
    train(
        stripes(),
        (36, 4),
        LEVELS,
        SHORT,
        seed=6,
        checkpoint=kept,
        progress=lambda done, *_: calls.append(done),
    )
    assert calls == [1, 2, 3]


class Touching:
    """Makes a file when it is read by pickle."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self.path,)


def test_a_checkpoint_with_other_tensors_is_not_used(tmp_path: Path) -> None:
    kept = tmp_path / "checkpoint"

    def stop(*_: object) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        train(stripes(), (36, 4), LEVELS, SHORT, seed=5, progress=stop, checkpoint=kept)
    state = torch.load(kept, weights_only=True)
    del state["tensors"][-1]
    torch.save(state, kept)
    calls: list[int] = []
    train(
        stripes(),
        (36, 4),
        LEVELS,
        SHORT,
        seed=5,
        checkpoint=kept,
        progress=lambda done, *_: calls.append(done),
    )
    assert calls == [1, 2, 3]


@pytest.mark.parametrize("content", ["empty", "bytes", "truncated", "pickle", "numbers"])
def test_a_damaged_checkpoint_is_set_aside(
    content: str, trained: TrainedNetwork, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = tmp_path / "checkpoint"

    def stop(*_: object) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        train(stripes(), (36, 12, 4), LEVELS, SHORT, seed=5, progress=stop, checkpoint=kept)
    damaged = {
        "empty": b"",
        "bytes": b"no checkpoint",
        "truncated": kept.read_bytes()[:-2000],
        "pickle": pickle.dumps({"identity": Touching(tmp_path / "executed")}),
    }
    if content == "numbers":
        torch.save([1, 2, 3], kept)
    else:
        kept.write_bytes(damaged[content])
    before = kept.read_bytes()
    network = train(stripes(), (36, 12, 4), LEVELS, SHORT, seed=5, checkpoint=kept)
    assert "checkpoint.damaged, and the training begins anew" in caplog.text
    assert (tmp_path / "checkpoint.damaged").read_bytes() == before
    assert not (tmp_path / "executed").exists(), "a file that is read must not run anything"
    assert network.history == trained.history


def test_a_checkpoint_that_can_not_be_written_loses_no_training(
    trained: TrainedNetwork, caplog: pytest.LogCaptureFixture
) -> None:
    network = train(stripes(), (36, 12, 4), LEVELS, SHORT, seed=5, checkpoint=Path("/dev/full/checkpoint"))
    assert caplog.text.count("can't be resumed if it is stopped") == 1
    assert network.history == trained.history
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60, hard))  # like a disk that is full after 60 bytes
    try:
        with tempfile.TemporaryDirectory() as folder:
            network = train(
                stripes(), (36, 12, 4), LEVELS, SHORT, seed=5, checkpoint=Path(folder) / "checkpoint"
            )
            assert list(Path(folder).iterdir()) == []
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caplog.text.count("can't be resumed if it is stopped") == 2
    assert network.history == trained.history


def test_a_convolution_is_the_same_in_torch_and_in_patches(tmp_path: Path) -> None:
    layers = (36, Convolution(channels=3, kernel=3, padding=1, pool=2), Convolution(channels=5, kernel=2), 4)
    data = stripes()
    network = train(data, layers, LEVELS, SHORT, seed=1)
    assert [layer.shape for layer in network.layers] == [(3, 9), (5, 12), (4, 20)]
    accuracy = network.accuracy(data.test_images, data.test_labels)
    assert accuracy > 0.9
    assert accuracy == pytest.approx(network.history["test_accuracy"][-1], abs=1.5 / len(data.test_labels))
    network.save(tmp_path / "network.npz")
    loaded = load_network(tmp_path / "network.npz")
    assert [layer.window for layer in loaded.layers] == [layer.window for layer in network.layers]
    np.testing.assert_array_equal(loaded.predict(data.test_images), network.predict(data.test_images))


def test_convolutions_come_before_full_layers() -> None:
    with pytest.raises(ValueError, match="cannot follow a fully connected layer"):
        train(stripes(), (36, 8, Convolution(channels=2, kernel=3), 4), LEVELS, SHORT)
    with pytest.raises(ValueError, match="too few for a pool of 9"):
        train(stripes(), (36, Convolution(channels=2, kernel=3, pool=9), 4), LEVELS, SHORT)


def test_noise_in_training() -> None:
    data = stripes()
    noisy = train(data, (36, 12, 4), LEVELS, replace(SHORT, epochs=6, weight_noise=0.2), seed=5)
    assert noisy.accuracy(data.test_images, data.test_labels) > 0.9
    with pytest.raises(ValueError, match="there are no levels"):
        train(data, (36, 4), None, replace(SHORT, weight_noise=0.1))


def test_training_goes_on_from_a_network(trained: TrainedNetwork) -> None:
    """At a learning rate of nearly nothing the network stays what it was, but for its batch statistics."""
    data = stripes()
    again = train(data, (36, 12, 4), LEVELS, replace(SHORT, epochs=1, learning_rate=1e-9), start=trained)
    for ours, theirs in zip(again.layers, trained.layers, strict=True):
        np.testing.assert_array_equal(ours.weights, theirs.weights)
    same = again.predict(data.test_images) == trained.predict(data.test_images)
    assert same.mean() > 0.97


def test_products_in_bfloat16() -> None:
    """Eight bits of mantissa are enough to learn; the network itself is exact on its levels."""
    data = stripes()
    layers = (36, Convolution(channels=4, kernel=3), 4)
    network = train(data, layers, LEVELS, replace(SHORT, bfloat16=True), seed=5)
    assert network.accuracy(data.test_images, data.test_labels) > 0.9
    with pytest.raises(ValueError, match="in float32"):
        train(data, (36, 4), LEVELS, replace(SHORT, bfloat16=True), products=[torch.nn.functional.linear])


def test_where_training_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert training_device("auto") == training_device("cpu") == "cpu"
    with pytest.raises(ValueError, match="no graphics processor here; use auto or cpu"):
        training_device("cuda")
    with pytest.raises(ValueError, match="'tpu': allowed are auto, cpu, cuda"):
        training_device("tpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert training_device("auto") == "cuda"
    assert training_device("auto", through_circuit=True) == "cpu"
    with pytest.raises(ValueError, match="runs on the processor"):
        training_device("cuda", through_circuit=True)


def test_adam_is_the_one_of_torch() -> None:
    """The same formula in another order of operations: single precision over 20 steps."""
    ours, theirs = torch.ones(7), torch.ones(7, requires_grad=True)
    mine, reference = Adam([ours]), torch.optim.Adam([theirs], lr=0.01)
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        gradient = torch.randn(7, generator=generator)
        mine.step([gradient], 0.01)
        theirs.grad = gradient
        reference.step()
    torch.testing.assert_close(ours, theirs.detach(), rtol=1e-5, atol=1e-6)
