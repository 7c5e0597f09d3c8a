"""Data of one's own: arrays, idx files, images; and what is wrong with them."""

import gzip
import re
import struct
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nn_mapping import own_data
from nn_mapping.data import Dataset, DatasetError
from nn_mapping.own_data import read_dataset

RANDOM = np.random.default_rng(5)
IMAGES = RANDOM.integers(0, 256, (7, 3, 5, 4), dtype=np.uint8)
TESTED = RANDOM.integers(0, 256, (4, 3, 5, 4), dtype=np.uint8)
RIGHT = {
    "train_images": IMAGES,
    "train_labels": np.array([0, 1, 2, 2, 1, 0, 0]),
    "test_images": TESTED,
    "test_labels": np.array([2, 2, 0, 1]),
}


def saved(folder: Path, **changes: Any) -> Path:
    """A file of the right arrays but for some; None leaves one out."""
    path = folder / "mine.npz"
    arrays = {name: array for name, array in {**RIGHT, **changes}.items() if array is not None}
    np.savez(path, **arrays)
    return path


def same(found: Dataset, images: np.ndarray, tested: np.ndarray) -> bool:
    """Whether a set has these images, and the labels of `RIGHT`."""
    return (
        np.array_equal(found.train_images, images)
        and np.array_equal(found.test_images, tested)
        and found.train_labels.tolist() == RIGHT["train_labels"].tolist()
        and found.test_labels.tolist() == RIGHT["test_labels"].tolist()
    )


def test_arrays(tmp_path: Path) -> None:
    found = read_dataset(saved(tmp_path, class_names=np.array(["cat", "dog", "owl"]), more=np.zeros(3)))
    assert same(found, IMAGES, TESTED)
    assert (found.name, found.class_names, found.image, found.classes) == (
        "mine",
        ("cat", "dog", "owl"),
        (3, 5, 4),
        3,
    )
    assert found.train_images.dtype == np.uint8


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_test", "y_test"),
        ("train_features", "train_labels", "test_features", "test_labels"),
    ],
)
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_features_under_other_names(tmp_path: Path, names: tuple[str, ...], kind: type) -> None:
    features = [RANDOM.normal(0, 4, (count, 6)).astype(kind) for count in (7, 4)]
    values = (features[0], RIGHT["train_labels"], features[1], RIGHT["test_labels"])
    path = tmp_path / "features.npz"
    np.savez(path, **dict(zip(names, values, strict=True)))
    found = read_dataset(path)
    assert same(found, features[0].astype(np.float32), features[1].astype(np.float32))
    assert found.train_images.dtype == np.float32
    assert found.class_names == ()


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"test_labels": None}, "test_labels: expected one array test_labels or y_test; the file holds test_im"),
        ({"x_train": IMAGES}, "train_images: expected one array train_images or train_features or x_train; "),
        ({"train_images": IMAGES.astype(int)}, "train_images of type int64 and shape (7, 3, 5, 4), allowed: uint8"),
        ({"test_images": TESTED.astype(np.complex64)}, "test_images of type complex64"),
        ({"train_images": np.zeros((7, 5, 6, 3))}, "train_images of shape (7, 5, 6, 3): channels stand last"),
        ({"train_images": np.full((7, 3, 5, 4), 1e39)}, "train_images has entries that are no finite numbers"),
        ({"train_images": IMAGES[:6]}, "train images of shape (6, 3, 5, 4) and labels of shape (7,) do not"),
        ({"test_images": TESTED[:, :2]}, "training images of (3, 5, 4) pixels, test images of (2, 5, 4)"),
        ({"test_images": TESTED / 255}, "training images of type uint8, test images of type float32"),
        ({"train_labels": np.eye(3)[RIGHT["train_labels"]]}, "train_labels of type float64 and shape (7, 3), expected"),
        ({"test_labels": RIGHT["test_labels"].astype(float)}, "test_labels of type float64 and shape (4,), expected "),
        ({"train_labels": RIGHT["train_labels"] + 1}, "train_labels: 1, 2, 3; expected all of 0, 1, ..., classes"),
        ({"train_labels": np.zeros(7, dtype=int), "test_labels": np.zeros(4, dtype=int)}, "train_labels: 0; expected"),
        ({"train_labels": np.array([0, -1, 1, 1, 1, 1, 1])}, "train_labels: -1, 0, 1; expected"),
        ({"test_labels": np.array([0, 3, 4, 1])}, "test_labels: 3, 4 do not occur in training"),
        ({"class_names": np.array(["cat", "dog"])}, "class_names of type <U3 and shape (2,), expected 3 texts"),
        ({"class_names": np.arange(3)}, "class_names of type int64 and shape (3,), expected 3 texts"),
        ({"train_images": np.array([{}] * 7)}, "not readable as arrays of numbers: Object arrays"),
    ],
)  # fmt: skip
def test_arrays_that_are_none(tmp_path: Path, changes: dict[str, Any], what: str) -> None:
    path = saved(tmp_path, **changes)
    with pytest.raises(DatasetError, match=re.escape(f"{path}: {what}")):
        read_dataset(path)


@pytest.mark.parametrize(
    ("count", "said"), [(12, "16, 18, ...;"), (11, "16, 18, ...;"), (10, "16, 18;"), (9, "16;")]
)
def test_the_first_of_many_labels_are_named(tmp_path: Path, count: int, said: str) -> None:
    images, labels = np.zeros((12, 2), dtype=np.uint8), 2 * (np.arange(12) % count)
    path = saved(tmp_path, train_images=images, test_images=images[:4], train_labels=labels)
    with pytest.raises(DatasetError, match=re.escape(f"train_labels: 0, 2, 4, 6, 8, 10, 12, 14, {said}")):
        read_dataset(path)


def test_two_classes_are_enough(tmp_path: Path) -> None:
    labels = RIGHT["train_labels"] % 2
    assert read_dataset(saved(tmp_path, train_labels=labels, test_labels=labels[:4])).classes == 2


def test_images_of_four_columns_are_no_channels(tmp_path: Path) -> None:
    """Few rows or many columns: channels may stand first."""
    for shape in ((64, 4, 4), (64, 8, 5), (3, 8, 4)):
        images = np.zeros((7, *shape), dtype=np.uint8)
        assert read_dataset(saved(tmp_path, train_images=images, test_images=images[:4])).image == shape
    for shape in ((5, 5, 1), (5, 9, 3), (9, 5, 4)):
        images = np.zeros((7, *shape), dtype=np.uint8)
        with pytest.raises(DatasetError, match="channels stand last"):
            read_dataset(saved(tmp_path, train_images=images, test_images=images[:4]))


def test_the_count_is_no_length_of_an_image(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="channels stand last"):
        read_dataset(saved(tmp_path, train_images=np.zeros((2, 5, 9, 3), dtype=np.uint8)))


def test_arrays_of_16_gigabytes_are_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path)
    for size in (16_000_000_000, 16_000_000_001):
        monkeypatch.setattr(
            zipfile.ZipFile, "infolist", lambda _self, size=size: [SimpleNamespace(file_size=size)]
        )
        if size == 16_000_000_000:
            read_dataset(path)
    with pytest.raises(DatasetError, match=r"1\.6e\+10 bytes of arrays, allowed: 1\.6e\+10"):
        read_dataset(path)


def test_large_and_broken_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path)
    whole = path.read_bytes()
    for broken in (b"", whole[:-40], whole[:30], b"PK\x03\x04" + bytes(90)):
        path.write_bytes(broken)
        with pytest.raises(DatasetError, match=re.escape(f"{path}: not readable as arrays of numbers")):
            read_dataset(path)
    path.write_bytes(whole)
    monkeypatch.setattr(own_data, "_LARGEST", 1000)
    with pytest.raises(DatasetError, match=r"mine\.npz: .* bytes of arrays, allowed: 1e.03"):
        read_dataset(path)
    monkeypatch.setattr(own_data, "_LARGEST", path.stat().st_size)
    read_dataset(path)


def idx(array: np.ndarray) -> bytes:
    return (
        struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
        + array.astype(np.uint8).tobytes()
    )


@pytest.mark.parametrize("test", ["t10k", "test"])
def test_idx_files(tmp_path: Path, test: str) -> None:
    """One channel or several, packed or not, with a name before."""
    folder = tmp_path / "letters"
    folder.mkdir()
    (folder / "emnist-train-images-idx4-ubyte").write_bytes(idx(IMAGES))
    (folder / f"{test}-images.idx4-ubyte.gz").write_bytes(gzip.compress(idx(TESTED)))
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(RIGHT["train_labels"])))
    with pytest.raises(
        DatasetError,
        match=re.escape(
            "test_labels: expected one file such as t10k-labels-idx1-ubyte or the same with .gz, found none"
        ),
    ):
        read_dataset(folder)
    (folder / f"{test}-labels-idx1-ubyte").write_bytes(idx(RIGHT["test_labels"]))
    (folder / "README").write_text("mine")
    found = read_dataset(folder)
    assert same(found, IMAGES, TESTED)
    assert found.name == "letters"
    (folder / "train-images-idx3-ubyte").write_bytes(b"")
    with pytest.raises(
        DatasetError,
        match=re.escape(
            "train_images: expected one file such as train-images-idx3-ubyte or the same with .gz, "
            "found emnist-train-images-idx4-ubyte, train-images-idx3-ubyte"
        ),
    ):
        read_dataset(folder)


def drawn(folder: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """Images as files, in folders of their classes."""
    for number, (pixels, label) in enumerate(zip(images, labels, strict=True)):
        file = folder / ("cat", "dog", "owl")[label] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.transpose(1, 2, 0) if pixels.ndim == 3 else pixels).save(file)


@pytest.mark.parametrize("grey", [True, False])
def test_folders_of_images(tmp_path: Path, grey: bool) -> None:
    folder = tmp_path / "pets"
    images, tested = (IMAGES[:, 0], TESTED[:, 0]) if grey else (IMAGES, TESTED)
    drawn(folder / "train", images, RIGHT["train_labels"])
    drawn(folder / "test", tested, RIGHT["test_labels"])
    (folder / ".DS_Store").write_text("hidden")
    (folder / "train" / "cat" / ".DS_Store").write_text("hidden")
    found = read_dataset(folder)
    assert (found.name, found.class_names) == ("pets", ("cat", "dog", "owl"))
    order = [np.argsort(RIGHT[f"{part}_labels"], kind="stable") for part in ("train", "test")]
    assert np.array_equal(found.train_images, images[order[0]])
    assert np.array_equal(found.test_images, tested[order[1]])
    assert found.train_labels.tolist() == [0, 0, 0, 1, 1, 2, 2]
    assert found.test_labels.tolist() == [0, 1, 2, 2]


def test_images_that_are_none(tmp_path: Path) -> None:
    folder = tmp_path / "pets"
    drawn(folder / "train", IMAGES, RIGHT["train_labels"])
    (folder / "test").mkdir()

    def refused(what: str) -> None:
        with pytest.raises(DatasetError, match=re.escape(what)):
            read_dataset(folder)

    refused(f"{folder / 'test'}: no images; expected test/CLASS/FILE")
    drawn(folder / "test", TESTED, RIGHT["test_labels"])
    read_dataset(folder)
    file = folder / "test" / "owl" / "9.png"
    file.write_bytes(b"\x89PNG")
    refused(f"{file}: not readable as an image: ")
    Image.new("RGB", (5, 4)).save(file)
    refused(
        f"{file}: image of shape (3, 4, 5), that of {folder / 'train' / 'cat' / '0.png'} is (3, 5, 4); expected "
    )
    Image.new("P", (4, 5)).save(file)
    refused(f"{file}: image of mode P, allowed: L, RGB (8 bits)")
    file.unlink()
    (folder / "test" / "ape").mkdir()
    refused(f"{folder / 'test' / 'ape'}: expected folders of classes as in train: cat, dog, owl")
    (folder / "test" / "ape").rmdir()
    (folder / "train" / "list.txt").write_text("")
    refused(f"{folder / 'train' / 'list.txt'}: expected folders of classes")


def test_what_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(
        DatasetError, match=re.escape(f"{tmp_path}: holds nothing; allowed: the four idx files")
    ):
        read_dataset(tmp_path)
    (tmp_path / "train").mkdir()
    for number in range(12):
        (tmp_path / f"{number:02}").touch()
    with pytest.raises(DatasetError, match="holds 00, 01, 02, 03, 04, 05, 06, 07, 08, 09; allowed"):
        read_dataset(tmp_path)
    with pytest.raises(DatasetError, match=r"00: no data set, allowed: FILE\.npz, a folder of idx files"):
        read_dataset(tmp_path / "00")
