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
from nn_mapping.data import FILES, Dataset, DatasetError, class_names, load_dataset, parse_idx
from nn_mapping.recipes import Recipe
from nn_mapping.training import train


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
    few = mine.head(4, 2)
    for name, count in (("train", 4), ("test", 2)):
        for part in ("images", "labels"):
            whole = getattr(mine, f"{name}_{part}")
            assert getattr(few, f"{name}_{part}").tolist() == whole[:count].tolist()


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
        (b"\x00\x00\x08", "not an idx file"),
        (b"\x00\x00\x08\x00", r"header says \(\) bytes, 0 follow"),
        (b"\x00\x00\x0d\x01\x00\x00\x00\x00", "not an idx file of unsigned bytes"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x03ab", "header says"),
        (b"\x00\x00\x08\x03\x00\x00\x00\x03", "ends inside its header"),
    ],
)
def test_wrong_idx_data(raw: bytes, what: str) -> None:
    with pytest.raises(DatasetError, match=what):
        parse_idx(raw)


def test_idx_data_of_any_number_of_axes() -> None:
    assert parse_idx(b"\x00\x00\x08\x00\x07").tolist() == 7
    assert parse_idx(b"\x00\x00\x08\x01\x00\x00\x00\x00").shape == (0,)
    cube = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    assert parse_idx(idx(cube)).tolist() == cube.tolist()


def test_names_of_classes() -> None:
    assert class_names("mnist") == list("0123456789")
    assert (class_names("fashion-mnist")[9], len(class_names("fashion-mnist"))) == ("boot", 10)


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


def test_nothing_is_fetched_for_a_folder_of_ones_own_or_where_that_is_not_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unwanted(*_: object) -> Path:
        raise AssertionError("a download was tried")

    source = replace(data.SOURCES["fashion-mnist"], folder=tmp_path / "none")
    monkeypatch.setattr(data, "SOURCES", {"fashion-mnist": source})
    monkeypatch.setattr(data, "_fetch", unwanted)
    for options in ({"data_dir": tmp_path}, {"download": False}):
        with pytest.raises(DatasetError, match="Three ways to get it"):
            load_dataset("fashion-mnist", **options)
    with pytest.raises(AssertionError, match="a download was tried"):
        load_dataset("fashion-mnist")


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


def dataset(train: np.ndarray, test: np.ndarray | None = None, **others: Any) -> Dataset:
    """A set of these images, with the classes 0, 1, 2, 0, ..."""
    test = train if test is None else test
    labels = [np.arange(len(images)) % 3 for images in (train, test)]
    parts = {"train_labels": labels[0], "test_labels": labels[1], **others}
    return Dataset(name="mine", train_images=train, test_images=test, **parts)


def test_the_type_counts_in_the_digest() -> None:
    zeros = np.zeros((6, 4), dtype=np.float32)
    images = zeros.view(np.uint8).reshape(6, 16)
    assert dataset(zeros).digest != dataset(images).digest
    assert dataset(images).digest != dataset(images.reshape(6, 4, 4)).digest


@pytest.mark.parametrize(
    ("parts", "what"),
    [
        (
            {"train_images": np.zeros((6, 2, 3))},
            "train_images of type float64, allowed: uint8 .from 0 to 255., float32",
        ),
        ({"test_images": np.zeros((6, 2, 3), dtype=np.int64)}, "test_images of type int64"),
        (
            {"train_labels": np.zeros(6)},
            "train_labels of type float64 from 0.0, allowed: whole numbers from 0",
        ),
        ({"test_labels": np.array([0, 1, 2, 0, 1, -1])}, "test_labels of type int64 from -1"),
        (
            {"train_labels": np.arange(5)},
            r"train images of shape \(6, 2, 3\) and labels of shape \(5,\) do not belong",
        ),
        (
            {"test_images": np.zeros((6, 3, 2), dtype=np.float32)},
            r"images of \(2, 3\) pixels, test images of \(3, 2\)",
        ),
        (
            {"test_images": np.zeros((6, 2, 3), dtype=np.uint8)},
            "type float32, test images of type uint8; expected one",
        ),
        (
            {"train_images": np.full((6, 2, 3), np.nan, dtype=np.float32)},
            "train_images has entries that are no finite",
        ),
    ],
)
def test_what_is_no_data_set(parts: dict[str, np.ndarray], what: str) -> None:
    images, labels = np.zeros((6, 2, 3), dtype=np.float32), np.arange(6) % 3
    right = {"train_images": images, "train_labels": labels, "test_images": images, "test_labels": labels}
    Dataset(name="mine", **right)
    with pytest.raises(DatasetError, match="^mine: .*" + what):
        Dataset(name="mine", **{**right, **parts})


@pytest.mark.parametrize(
    ("shape", "image"), [((6, 5), (1, 1, 5)), ((6, 4, 5), (1, 4, 5)), ((6, 3, 4, 5), (3, 4, 5))]
)
def test_the_shape_of_an_image(shape: tuple[int, ...], image: tuple[int, int, int]) -> None:
    found = dataset(np.zeros(shape, dtype=np.uint8))
    assert (found.image, found.pixels, found.classes) == (image, np.prod(image), 3)
    assert found.names == ["0", "1", "2"]
    assert replace(found, class_names=("cat", "dog", "owl")).names == ["cat", "dog", "owl"]
    for wrong in (np.zeros(6, dtype=np.uint8), np.zeros((6, 1, 1, 1, 5), dtype=np.uint8)):
        with pytest.raises(DatasetError, match="do not belong together"):
            dataset(wrong)


def test_numbers_of_another_type_or_range_are_not_taken_for_pixels() -> None:
    """Floats from 0 to 1 become bytes, features from -4 to 4 are refused; training takes bytes alone."""
    shares = np.array([[0.0, 0.1, 0.5], [1.0, 0.998, 0.002]], dtype=np.float32)
    kept = shares.copy()
    found = dataset(shares).as_bytes()
    assert found.train_images.dtype == np.uint8
    assert found.test_images.tolist() == [[0, 26, 128], [255, 254, 1]]
    assert found.rule == "numbers from 0 to 1, in 255 steps"
    assert (shares == kept).all()
    for wrong in (shares - 0.01, shares + 0.01):
        for parts in ((wrong, shares), (shares, wrong)):
            with pytest.raises(
                DatasetError, match=r"mine: images or features from .*allowed: float32 from 0 to 1"
            ):
                dataset(*parts).as_bytes()
    pixels = np.array([[0, 7], [255, 8]], dtype=np.uint8)
    assert dataset(pixels).as_bytes().test_images.tolist() == pixels.tolist()
    assert dataset(pixels).as_bytes().rule == "bytes as shares of 255"
    recipe = Recipe(epochs=1, batch=2)
    with pytest.raises(ValueError, match=r"images of type float32, expected uint8: `Dataset\.as_bytes`"):
        train(dataset(shares), (3, 3), None, recipe)
    assert len(train(found, (3, 3), None, recipe).layers) == 1


def test_features_are_standardised_on_the_training_part() -> None:
    random = np.random.default_rng(0)
    features = random.normal([5.0, -1.0, 2.0], [4.0, 0.1, 0.0], (400, 3)).astype(np.float32)
    shifted = features[:9] + np.array([4.0, 0.0, -9.0], dtype=np.float32)
    kept = shifted.copy()
    given = dataset(features, shifted)
    deviations = (shifted[:, :2] - features[:, :2].mean(axis=0)) / features[:, :2].std(axis=0)

    found = given.as_bytes(standardised=True)
    assert found.train_images.shape == (400, 3)
    assert found.train_images.dtype == np.uint8
    assert found.rule == (
        "1/2 + (x - m) / (6 s), clipped to 0..1, in 255 steps; m, s: mean and standard deviation of each feature over "
        "the training part"
    )
    expected = (0.5 + deviations / 6).clip(0, 1)
    np.testing.assert_allclose(found.test_images[:, :2] / 255, expected, atol=0.5 / 255 + 1e-5)
    assert set(found.train_images[:, 2]) == {128}, "a feature that is always the same says nothing"
    assert set(found.test_images[:, 2]) == {0}

    numbers = given.as_floats(standardised=True)
    assert numbers.test_images.dtype == np.float32
    np.testing.assert_allclose(numbers.test_images[:, :2], deviations, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(numbers.test_images[:, 2], -9.0)
    assert numbers.rule.startswith("(x - m) / s; m, s: mean and standard deviation of each feature")
    assert (shifted == kept).all()


def test_images_are_standardised_channel_by_channel() -> None:
    random = np.random.default_rng(0)
    pixels = (random.integers(0, 100, (50, 2, 3, 4)) + np.array([[[[0]], [[120]]]])).astype(np.uint8)
    found = dataset(pixels).as_floats(standardised=True)
    for channel in (0, 1):
        part = pixels[:, channel].astype(float)
        np.testing.assert_allclose(
            found.train_images[:, channel], (part - part.mean()) / part.std(), rtol=1e-4, atol=1e-5
        )
    assert found.rule.endswith("of each channel over the training part")
    grey = dataset(pixels[:, 0]).as_floats(standardised=True)
    assert (grey.train_images == found.train_images[:, 0]).all()


def test_numbers_for_a_model_of_ones_own() -> None:
    pixels = np.array([[0, 51], [255, 102]], dtype=np.uint8)
    found = dataset(pixels).as_floats()
    np.testing.assert_allclose(found.train_images, [[0.0, 0.2], [1.0, 0.4]], rtol=1e-6)
    assert found.rule == "bytes as shares of 255"
    numbers = dataset(np.array([[-4.0, 7.0]], dtype=np.float32))
    assert numbers.as_floats().test_images is numbers.test_images
    assert numbers.as_floats().rule == "numbers as they are"
