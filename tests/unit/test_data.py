import gzip
import hashlib
import struct
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nn_mapping import data
from nn_mapping.data import FILES, Dataset, DatasetError, load_dataset, parse_idx


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def small_set() -> dict[str, bytes]:
    random = np.random.default_rng(1)
    images = [random.integers(0, 256, (count, 4, 3), dtype=np.uint8) for count in (6, 5)]
    labels = [random.integers(0, 2, count, dtype=np.uint8) for count in (6, 5)]
    return dict(zip(FILES, map(idx, (images[0], labels[0], images[1], labels[1])), strict=True))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, raw in small_set().items():
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(raw))
    return tmp_path


def test_shipped_mnist_is_the_published_one() -> None:
    digits = load_dataset("mnist", download=False)
    assert digits.train_images.shape == (60000, 28, 28)
    assert np.bincount(digits.test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_a_folder_of_ones_own(folder: Path) -> None:
    mine = load_dataset("mnist", folder, verify=False)
    assert mine.train_images.shape == (6, 4, 3)
    assert mine.pixels == 12
    assert mine.head(2, 1).test_labels.shape == (1,)


def test_unpacked_files_and_a_folder_that_holds_the_set(tmp_path: Path) -> None:
    (tmp_path / "fashion-mnist").mkdir()
    for name, raw in small_set().items():
        (tmp_path / "fashion-mnist" / name).write_bytes(raw)
    assert load_dataset("fashion-mnist", tmp_path, verify=False).test_images.shape == (5, 4, 3)


def test_other_content_fails_the_checksum(folder: Path) -> None:
    with pytest.raises(
        DatasetError, match=r"content has MD5 \w+, mnist has 6bbc9ace898e44ae57da46a324031adb"
    ):
        load_dataset("mnist", folder)


def test_a_missing_set_names_the_three_ways(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as error:
        load_dataset("fashion-mnist", tmp_path)
    for way in ("dataset-fashion-mnist", "a connection to", "--data-dir FOLDER"):
        assert way in str(error.value)


def test_a_cut_off_archive_is_an_error(folder: Path) -> None:
    path = folder / f"{FILES[0]}.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DatasetError, match="not readable"):
        load_dataset("mnist", folder, verify=False)


def test_labels_that_do_not_match_the_images(folder: Path) -> None:
    (folder / f"{FILES[1]}.gz").write_bytes(gzip.compress(idx(np.zeros(5, dtype=np.uint8))))
    with pytest.raises(DatasetError, match="do not belong together"):
        load_dataset("mnist", folder, verify=False)


def test_unknown_name() -> None:
    with pytest.raises(DatasetError, match="allowed: mnist, fashion-mnist"):
        load_dataset("emnist")


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"", "not an idx file"),
        (b"\x00\x00\x0d\x01\x00\x00\x00\x00", "not an idx file of unsigned bytes"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x03ab", "header says"),
        (b"\x00\x00\x08\x03\x00\x00\x00\x03", "ends inside its header"),
    ],
)
def test_wrong_idx_data(raw: bytes, what: str) -> None:
    with pytest.raises(DatasetError, match=what):
        parse_idx(raw)


@pytest.fixture
def server(folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}/"
    http.shutdown()
    thread.join()
    http.server_close()


def test_download_with_checksums(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    md5 = {name: hashlib.md5(raw, usedforsecurity=False).hexdigest() for name, raw in small_set().items()}
    source = replace(data.SOURCES["fashion-mnist"], folder=tmp_path / "none", url=server, md5=md5)
    monkeypatch.setattr(data, "SOURCES", {"fashion-mnist": source})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert load_dataset("fashion-mnist").train_images.shape == (6, 4, 3)
    kept = tmp_path / "cache" / "hallspice" / "fashion-mnist"
    assert {path.name for path in kept.iterdir()} == {f"{name}.gz" for name in FILES}


def test_a_failed_download_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = "http://127.0.0.1:9/"  # nothing listens on the discard port
    source = replace(data.SOURCES["fashion-mnist"], folder=tmp_path / "none", url=closed)
    monkeypatch.setattr(data, "SOURCES", {"fashion-mnist": source})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(DatasetError, match=r"no download from http://127\.0\.0\.1:9/"):
        load_dataset("fashion-mnist")


@pytest.mark.parametrize("name", ["train_images", "train_labels", "test_images", "test_labels"])
def test_the_digest_is_that_of_the_content_and_made_once(name: str) -> None:
    images, labels = np.zeros((3, 4, 5), dtype=np.uint8), np.zeros(3, dtype=np.uint8)
    parts = {"train_images": images, "train_labels": labels, "test_images": images, "test_labels": labels}
    dataset = Dataset(name="one", **parts)
    assert dataset.digest is dataset.digest
    assert dataset.digest == Dataset(name="two", **{key: part.copy() for key, part in parts.items()}).digest
    other = parts[name].copy()
    other.flat[-1] = 1
    assert Dataset(name="one", **{**parts, name: other}).digest != dataset.digest
    shapes = {"train_images": images.reshape(3, 5, 4), "test_images": images.reshape(3, 5, 4)}
    assert Dataset(name="one", **{**parts, **shapes}).digest != dataset.digest


def test_numbers_of_another_type_or_range_are_not_taken_for_pixels() -> None:
    """Floats from 0 to 1, features from -4 to 4: refused, and standardised where that is asked for."""
    random = np.random.default_rng(0)
    classes = random.integers(0, 3, 50).astype(np.uint8)
    images = random.uniform(0, 1, (50, 2, 3))
    parts = {"train_labels": classes, "test_labels": classes}
    with pytest.raises(
        DatasetError, match=r"mine: train_images of type float64, expected uint8.*of_features"
    ):
        Dataset(name="mine", train_images=images, test_images=images, **parts)
    with pytest.raises(DatasetError, match="test_labels of type int64"):
        pixels = images.astype(np.uint8)
        wrong = parts | {"test_labels": classes.astype(np.int64)}
        Dataset(name="mine", train_images=pixels, test_images=pixels, **wrong)


def test_features_are_standardised_on_the_training_part() -> None:
    random = np.random.default_rng(0)
    train, classes = random.normal([5.0, -1.0, 2.0], [4.0, 0.1, 0.0], (400, 3)), random.integers(0, 5, 400)
    test = train[:9] + np.array([4.0, 0.0, -9.0])
    kept = test.copy()
    found = Dataset.of_features("mine", (train, classes), (test, classes[:9]))
    assert found.train_images.shape == (400, 1, 3)
    assert found.train_images.dtype == found.test_labels.dtype == np.uint8
    expected = 0.5 + (test[:, :2] - train[:, :2].mean(axis=0)) / (6 * train[:, :2].std(axis=0))
    np.testing.assert_allclose(found.test_images[:, 0, :2] / 255, expected.clip(0, 1), atol=0.5 / 255 + 1e-9)
    assert set(found.train_images[:, 0, 2]) == {128}, "a feature that is always the same says nothing"
    assert set(found.test_images[:, 0, 2]) == {0}
    assert (test == kept).all()
    assert found.classes == 5
    for features, labels in (
        (train * np.nan, classes),
        (train[0], classes),
        (train, classes - 1),
        (train, classes / 2),
    ):
        with pytest.raises(DatasetError, match="mine: test: expected finite features"):
            Dataset.of_features("mine", (train, classes), (features, labels))
