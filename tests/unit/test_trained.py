"""A trained network by hand: its model, its classes, its file."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from nn_mapping.data import Dataset
from nn_mapping.examples import Examples
from nn_mapping.layer_shapes import Window
from nn_mapping.levels import PAPER_LEVELS_OHM, single_levels
from nn_mapping.trained import Layer, TrainedNetwork, load_network

RANDOM = np.random.default_rng(6)
IMAGES = RANDOM.integers(0, 256, (5, 3, 2, 4), dtype=np.uint8)


def numbers(*shape: int) -> NDArray[np.float32]:
    return RANDOM.normal(size=shape).astype(np.float32)


def layer(outputs: int, inputs: int, window: Window | None = None) -> Layer:
    return Layer(
        weights=numbers(outputs, inputs), gain=numbers(outputs), offset=numbers(outputs), window=window
    )


# a kernel of one pixel over three colours, then 2 * 2 * 4 features, twice
COLOURS = TrainedNetwork(
    layers=(layer(2, 3, Window(channels=3, height=2, width=4, kernel=1)), layer(6, 16), layer(4, 6))
)


def test_the_model_of_a_network_of_colours() -> None:
    assert [name for name, _ in COLOURS.model().named_children()] == [
        "layer1", "norm1", "relu1", "flat", "layer2", "norm2", "relu2", "layer3", "norm3",
    ]  # fmt: skip
    x = IMAGES / np.float32(255)
    first, *rest = COLOURS.layers
    y = np.einsum("oc,nchw->nohw", first.weights, x) * first.gain[:, None, None] + first.offset[:, None, None]
    for part in rest:
        y = np.maximum(y, 0).reshape(5, -1) @ part.weights.T * part.gain + part.offset
    with torch.no_grad():
        found = COLOURS.model()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, y, rtol=1e-4, atol=1e-5)
    assert COLOURS.predict(IMAGES).tolist() == y.argmax(axis=1).tolist()
    assert COLOURS.sizes == (3, 2, 6, 4)


def test_features_go_through_in_parts() -> None:
    network = TrainedNetwork(layers=(layer(3, 2),))
    features = RANDOM.integers(0, 256, (2001, 2), dtype=np.uint8)
    counts: list[int] = []
    handle = torch.nn.modules.module.register_module_forward_hook(
        lambda part, _inputs, outputs: (
            counts.append(len(outputs)) if isinstance(part, torch.nn.Linear) else None
        )
    )
    try:
        found = network.predict(features)
    finally:
        handle.remove()
    assert counts == [2000, 1]
    (one,) = network.layers
    outputs = features / 255 @ one.weights.T.astype(float) * one.gain + one.offset
    assert np.mean(found == outputs.argmax(axis=1)) > 0.999


def test_examples_are_2000_of_the_training_set_in_their_shape() -> None:
    labels = np.zeros(2001, dtype=np.uint8)
    features = RANDOM.integers(0, 256, (2001, 2), dtype=np.uint8)
    pictures = RANDOM.integers(0, 256, (2001, 3, 2, 1), dtype=np.uint8)
    for images, shape in ((features, (2,)), (pictures, (3, 2, 1)), (features.astype(np.float32), (2,))):
        found = Examples.of(
            Dataset(
                name="some", train_images=images, train_labels=labels, test_images=images, test_labels=labels
            )
        )
        assert found.calibration.shape == (2000, *shape)
        assert found.inputs.shape == (2001, *shape)
        scale = 255 if images.dtype == np.uint8 else 1
        np.testing.assert_allclose(found.inputs.numpy(), images / scale, rtol=1e-6)
        assert [len(part) for part in found.batches()] == [2000, 1]


def test_levels_are_those_of_training_up_to_rounding() -> None:
    held = single_levels(PAPER_LEVELS_OHM)
    free = TrainedNetwork(layers=(layer(3, 2),))
    for off in (0.5e-6, -0.5e-6):
        replace(free, levels=held.weights + off).check_levels(held)
    for levels in (None, held.weights + 1.5e-6, held.weights - 1.5e-6, held.weights[:1], held.weights[:5]):
        with pytest.raises(ValueError, match=r"^the network was trained on "):
            replace(free, levels=levels).check_levels(held)


def written(path: Path, **changes: Any) -> Path:
    """A file of format 1 by hand."""
    header = {
        "format": 1,
        "layers": 1,
        "input_bits": None,
        "history": {},
        "info": {},
        **changes.pop("header", {}),
    }
    arrays = {"0.weights": numbers(3, 2), "0.gain": numbers(3), "0.offset": numbers(3), **changes}
    np.savez(path, header=np.array(json.dumps(header)), **arrays)
    return path


def test_files_of_format_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "one.npz"
    assert load_network(written(path)).sizes == (2, 3)
    with pytest.raises(ValueError, match="format 2, expected 1"):
        load_network(written(path, header={"format": 2}))
    with pytest.raises(ValueError, match="Object arrays cannot be loaded"):
        load_network(written(path, **{"0.gain": np.array([{}] * 3)}))
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        replace(COLOURS, levels=np.array([{}])).save(path)
    COLOURS.save(path)
    with np.load(path) as file:
        assert json.loads(str(file["header"]))["format"] == 1
    sizes = [4_000_000_000]
    monkeypatch.setattr(
        zipfile.ZipFile, "infolist", lambda _self: [SimpleNamespace(file_size=size) for size in sizes]
    )
    assert load_network(path).sizes == (3, 2, 6, 4)
    sizes.append(1)
    with pytest.raises(ValueError, match="its arrays are larger than 4000000000 bytes"):
        load_network(path)
