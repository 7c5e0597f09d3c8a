"""Data of one's own in a configuration: where files are looked for, what must fit them, what depends on them."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compact_model.cards.document import DocumentError
from hallspice.config.load import load_setup
from hallspice.config.source import load_config
from hallspice.inference.run import run
from hallspice.networks.datasets import dataset_of, own_content
from hallspice.networks.train import train
from hallspice.sweeps.sweep import plan
from nn_mapping.data import DatasetError

RANDOM = np.random.default_rng(3)


def flags(folder: Path, count: int = 300, name: str = "flags.npz") -> Path:
    """Images (3, 6, 5) of five classes: which channel is bright, and where."""
    labels = np.r_[np.arange(5), RANDOM.integers(0, 5, count - 5)]
    images = RANDOM.integers(0, 60, (count, 3, 6, 5))
    for image, label in zip(images, labels, strict=True):
        image[label % 3, 3 * (label // 3) : 3 * (label // 3) + 3] += 180
    images = images.astype(np.uint8)
    folder.mkdir(exist_ok=True)
    np.savez(
        folder / name,
        train_images=images,
        train_labels=labels,
        test_images=images[-80:],
        test_labels=labels[-80:],
    )
    return folder / name


def written(folder: Path, network: str, rest: str = "") -> Path:
    path = folder / "mine.yaml"
    path.write_text(f"seed: 2\n{rest}network:\n  dataset: flags.npz\n  {network}\n")
    return path


def test_files_are_looked_for_beside_the_configuration(tmp_path: Path) -> None:
    flags(tmp_path / "here")
    path = written(tmp_path / "here", "layers: [90, 5]")
    found = dataset_of(load_setup(path))
    assert (found.name, found.image, found.classes, found.rule) == (
        "flags",
        (3, 6, 5),
        5,
        "bytes as shares of 255",
    )
    assert found.train_images.max() > 200
    config = load_config(path)
    assert config.network.dataset == str(tmp_path / "here" / "flags.npz")
    assert dataset_of(load_setup(config)).digest == found.digest
    assert load_config(written(tmp_path / "here", "layers: [90, 5]", "array: {rows: 8}\n")).array.rows == 8
    with pytest.raises(
        ValueError, match=r"--data-dir .*: network\.dataset = .*flags\.npz names its files itself"
    ):
        dataset_of(load_setup(path), tmp_path)


def test_a_folder_called_as_a_known_set_is_not_taken_for_it(tmp_path: Path) -> None:
    (tmp_path / "mnist").mkdir()
    (tmp_path / "some.yaml").write_text("seed: 1\n")
    assert load_config(tmp_path / "some.yaml").network.dataset == "mnist"


def test_what_is_not_there_is_said_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, "layers: [90, 5]")
    with pytest.raises(DocumentError) as caught:
        load_setup(path)
    assert str(caught.value) == (
        f"{path}:3:12 network.dataset: {tmp_path / 'flags.npz'}: no such file or folder, allowed: mnist, "
        "fashion-mnist, or the path of data of your own"
    )
    (tmp_path / "flags.npz").write_text("none")
    with pytest.raises(DatasetError, match=r"flags\.npz: not readable as arrays of numbers"):
        dataset_of(load_setup(path))


@pytest.mark.parametrize(
    ("network", "what"),
    [
        (
            {"layers": [784, 5]},
            "network.layers: the first layer has 784 inputs, but an image has 90 pixels (3 x 6 x 5)",
        ),
        ({"layers": [90, 10]}, "network.layers: the last layer has 10 outputs, but flags.npz has 5 classes"),
        (
            {"layers": [90, 5], "convolutions": [{"channels": 2, "kernel": 6}]},
            "network.convolutions: Window(channels=3",
        ),
    ],
)
def test_a_network_must_fit_its_data(
    tmp_path: Path, network: dict[str, Any], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=re.escape(f"configuration {what}")):
        dataset_of(load_setup({"network": {"dataset": "flags.npz", **network}}))


def test_results_depend_on_the_content_of_the_files(tmp_path: Path) -> None:
    path = flags(tmp_path)
    config = written(tmp_path, "layers: [90, 5]")
    before = own_content(load_setup(config))
    assert len(before) == 1
    assert own_content(load_setup({"seed": 1})) == []

    def point() -> str:
        (found,) = plan(config, ["seed=2"], {}, None, None).points.values()
        return found.task.name

    name = point()
    assert point() == name
    kept = path.read_bytes()
    flags(tmp_path)
    assert own_content(load_setup(config)) != before
    assert point() != name
    path.write_bytes(kept)
    assert own_content(load_setup(config)) == before
    assert point() == name


def test_a_network_is_trained_and_run_on_data_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three channels, five classes, a convolution and a full layer: from the file to the report."""
    monkeypatch.setenv("HALLSPICE_CACHE", str(tmp_path / "cache"))
    flags(tmp_path)
    layers = "layers: [90, 5]\n  convolutions: [{channels: 4, kernel: 3}]\n  epochs: 15\n  batch_size: 20"
    config = written(
        tmp_path, layers, "array: {rows: 16, columns: 12}\ncertificate: {tiles: 1, vectors: 1}\n"
    )
    found = train(config)
    assert found.inputs == "bytes as shares of 255"  # type: ignore[union-attr]
    assert found.images == 80
    assert found.accuracy > 0.9  # type: ignore[union-attr]
    whole = run(config, tmp_path / "out")
    assert abs(whole.accuracy.circuit - found.accuracy) < 0.1  # type: ignore[union-attr]
    assert whole.network.layers == (27, 4, 5)
    rows = (tmp_path / "out" / "confusion.csv").read_text().splitlines()
    assert len(rows) == 1 + 5
