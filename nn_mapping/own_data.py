"""Data sets of one's own: an ``.npz`` file, a folder of idx files, or a folder of images per class."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from nn_mapping.data import Dataset, DatasetError, parse_idx, unpacked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nn_mapping.data import Labels, Numbers

    Arrays = dict[str, NDArray[Any]]

ARRAYS = {
    "train_images": ("train_images", "train_features", "x_train"),
    "train_labels": ("train_labels", "y_train"),
    "test_images": ("test_images", "test_features", "x_test"),
    "test_labels": ("test_labels", "y_test"),
}
"""Names that an array of an ``.npz`` file may have."""

_IDX = re.compile(r"(?:.*[-_])?(train|t10k|test)-(images|labels)[-.]idx\d-ubyte(?:\.gz)?")
_LARGEST = 16_000_000_000  # bytes of all arrays of a file
_MODES = ("L", "RGB")
_COLOURS = (1, 3, 4)  # channels of an image whose channels stand last


def read_dataset(path: Path) -> Dataset:
    """Read a data set of one's own.

    ============================== ===========================================================================
    ``FILE.npz``                   arrays `ARRAYS`, and ``class_names`` where classes have names
    folder of four idx files       ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-...`` (or
                                   ``test-...``), gzipped or not, also with more before the name
    folder of images per class     ``train/CLASS/FILE``, ``test/CLASS/FILE``: grey or RGB images of one size
    ============================== ===========================================================================

    Raises
    ------
    DatasetError
        For what is missing, damaged, or of another shape, type or range; it names file, array and what is allowed.
    """
    if path.is_dir():
        inside = sorted(one.name for one in path.iterdir())
        if any(map(_IDX.fullmatch, inside)):
            return _of_idx(path, inside)
        if {"train", "test"} <= set(inside):
            return _of_images(path)
        shown = ", ".join(inside[:10]) or "nothing"
        raise DatasetError(
            f"{path}: holds {shown}; allowed: the four idx files (train-images-idx3-ubyte, ...), or folders train and "
            "test with a folder of images for each class"
        )
    if path.suffix != ".npz":
        raise DatasetError(
            f"{path}: no data set, allowed: FILE.npz, a folder of idx files, a folder of images"
        )
    return _of_npz(path)


def _of_npz(path: Path) -> Dataset:
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            size = sum(member.file_size for member in file.zip.infolist())
            if size > _LARGEST:
                raise DatasetError(f"{path}: {size:.3g} bytes of arrays, allowed: {_LARGEST:.3g}")
            found = set(file.files)
            arrays: Arrays = {}
            for field, allowed in ARRAYS.items():
                given = found.intersection(allowed)
                if len(given) != 1:
                    raise DatasetError(
                        f"{path}: {field}: expected one array {' or '.join(allowed)}; the file holds "
                        f"{', '.join(sorted(found)) or 'nothing'}"
                    )
                arrays[field] = file[given.pop()]
            names = file["class_names"] if "class_names" in found else np.array([], dtype=str)
    except DatasetError:
        raise
    except Exception as error:  # a damaged archive fails anywhere inside zipfile, zlib and numpy
        raise DatasetError(f"{path}: not readable as arrays of numbers: {error}") from error
    for part in ("train_images", "test_images"):
        arrays[part] = _numbers(arrays[part], f"{path}: {part}")
    return _checked(path, arrays, names)


def _numbers(images: Numbers, where: str) -> Numbers:
    """Bytes as they are, other floats as ``float32``."""
    if images.dtype != np.uint8 and not np.issubdtype(images.dtype, np.floating):
        raise DatasetError(
            f"{where} of type {images.dtype} and shape {images.shape}, allowed: uint8 (from 0 to 255) or floats"
        )
    if images.ndim == 4 and images.shape[3] in _COLOURS and min(images.shape[1:3]) > max(_COLOURS):
        raise DatasetError(
            f"{where} of shape {images.shape}: channels stand last, expected (count, channels, height, width); "
            "`images.transpose(0, 3, 1, 2)` puts them there"
        )
    with np.errstate(over="ignore"):  # what becomes infinite is refused as such
        return images if images.dtype == np.uint8 else images.astype(np.float32)


def _of_idx(path: Path, inside: list[str]) -> Dataset:
    arrays: Arrays = {}
    for field in ARRAYS:
        part, kind = field.split("_")
        wanted = {("train" if part == "train" else other, kind) for other in ("t10k", "test")}
        files = [name for name in inside if (match := _IDX.fullmatch(name)) and match.groups() in wanted]
        if len(files) != 1:
            raise DatasetError(
                f"{path}: {field}: expected one file such as {sorted(wanted)[0][0]}-{kind}-idx"
                f"{3 if kind == 'images' else 1}-ubyte or the same with .gz, found {', '.join(files) or 'none'}"
            )
        file = path / files.pop()
        arrays[field] = parse_idx(unpacked(file), str(file))
    return _checked(path, arrays, np.array([], dtype=str))


def _of_images(path: Path) -> Dataset:
    arrays: Arrays = {}
    names = [folder.name for folder in _inside(path / "train") if folder.is_dir()]
    first: tuple[Path, tuple[int, ...]] | None = None
    for part in ("train", "test"):
        images, labels = [], []
        for folder in _inside(path / part):
            if not folder.is_dir() or folder.name not in names:
                raise DatasetError(f"{folder}: expected folders of classes as in train: {', '.join(names)}")
            for file in _inside(folder):
                pixels = _pixels(file)
                first = first or (file, pixels.shape)
                if pixels.shape != first[1]:
                    raise DatasetError(
                        f"{file}: image of shape {pixels.shape}, that of {first[0]} is {first[1]}; expected one size, "
                        "and all grey or all RGB"
                    )
                images.append(pixels)
                labels.append(names.index(folder.name))
        if not images:
            raise DatasetError(f"{path / part}: no images; expected {part}/CLASS/FILE")
        arrays[f"{part}_images"], arrays[f"{part}_labels"] = np.stack(images), np.array(labels)
    return _checked(path, arrays, np.array(names))


def _inside(folder: Path) -> list[Path]:
    """What a folder holds, sorted, hidden files left out."""
    return sorted(one for one in folder.iterdir() if not one.name.startswith("."))


def _pixels(file: Path) -> Numbers:
    """Bytes (height, width) of a grey image, (3, height, width) of one in colour."""
    try:
        with Image.open(file) as image:
            mode, pixels = image.mode, np.asarray(image)
    except Exception as error:  # a damaged image fails anywhere inside its decoder
        raise DatasetError(f"{file}: not readable as an image: {error}") from error
    if mode not in _MODES:
        raise DatasetError(
            f"{file}: image of mode {mode}, allowed: {', '.join(_MODES)} (8 bits); `image.convert('RGB')` of Pillow "
            "makes one"
        )
    return pixels if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _checked(path: Path, arrays: Arrays, names: NDArray[Any]) -> Dataset:
    """The set, with labels that belong together."""
    for part in ("train_labels", "test_labels"):
        _check_labels(arrays[part], f"{path}: {part}")
    trained, tested = (set(np.unique(arrays[part]).tolist()) for part in ("train_labels", "test_labels"))
    if len(trained) < 2 or trained != set(range(len(trained))):
        raise DatasetError(
            f"{path}: train_labels: {_some(trained)}; expected all of 0, 1, ..., classes - 1, and two classes at least"
        )
    if not tested <= trained:
        raise DatasetError(f"{path}: test_labels: {_some(tested - trained)} do not occur in training")
    if names.size and (names.shape != (len(trained),) or names.dtype.kind != "U"):
        raise DatasetError(
            f"{path}: class_names of type {names.dtype} and shape {names.shape}, expected {len(trained)} texts"
        )
    try:
        return Dataset(
            name=path.stem,
            train_images=arrays["train_images"],
            train_labels=arrays["train_labels"],
            test_images=arrays["test_images"],
            test_labels=arrays["test_labels"],
            class_names=tuple(names.tolist()),
        )
    except DatasetError as error:
        raise DatasetError(f"{path}: {str(error).removeprefix(f'{path.stem}: ')}") from None


def _check_labels(labels: Labels, where: str) -> None:
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise DatasetError(
            f"{where} of type {labels.dtype} and shape {labels.shape}, expected whole numbers of shape (count,); "
            "`labels.argmax(axis=1)` makes them of one column per class"
        )


def _some(labels: set[int]) -> str:
    """The classes, or the first of many."""
    found = sorted(labels)
    return ", ".join(map(str, found[:10])) + (", ..." if len(found) > 10 else "")
