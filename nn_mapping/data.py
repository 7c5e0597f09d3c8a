"""Image sets: found, checked against their published checksums, and read as arrays."""

from __future__ import annotations

import gzip
import hashlib
import logging
import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)

Bytes = NDArray[np.uint8]
Numbers = NDArray[Any]
"""``uint8`` or ``float32``."""
Labels = NDArray[Any]
"""Whole numbers."""

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_FIELDS = ("train_images", "train_labels", "test_images", "test_labels")


class DatasetError(ValueError):
    """A data set is missing or is not what it should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a data set comes from and how its content is recognised."""

    folder: Path
    """Where it lies when it is installed."""
    package: str
    """What installs it there."""
    url: str
    """Folder on the web that holds the four files, gzipped."""
    md5: Mapping[str, str]
    """MD5 of the unpacked content; packed files differ between mirrors."""


SOURCES: Mapping[str, Source] = {
    "mnist": Source(
        folder=Path(__file__).parent / "datasets" / "mnist",
        package="hallspice itself (nn_mapping/datasets/mnist)",
        url="https://ossci-datasets.s3.amazonaws.com/mnist/",
        md5=dict(
            zip(
                FILES,
                (
                    "6bbc9ace898e44ae57da46a324031adb",
                    "a25bea736e30d166cdddb491f175f624",
                    "2646ac647ad5339dbf082846283269ea",
                    "27ae3e4e09519cfbb04c329615203637",
                ),
                strict=True,
            )
        ),
    ),
    "fashion-mnist": Source(
        folder=Path("/usr/share/datasets/fashion-mnist"),
        package="apt-get install dataset-fashion-mnist (Debian, Ubuntu)",
        url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        md5=dict(
            zip(
                FILES,
                (
                    "f4a8712d7a061bf5bd6d2ca38dc4d50a",
                    "9018921c3c673c538a1fc5bad174d6f9",
                    "8181f5470baa50b63fa0f6fddb340f0a",
                    "15d484375f8d13e6eb1aabb0c3f46965",
                ),
                strict=True,
            )
        ),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Labelled images or features, split into training and test.

    Images have the shape (count, height, width) or (count, channels, height, width), features (count, features). They
    are bytes, which stand for shares of 255, or ``float32``. Labels are whole numbers from 0, shape (count,).
    """

    name: str
    train_images: Numbers
    train_labels: Labels
    test_images: Numbers
    test_labels: Labels
    class_names: tuple[str, ...] = ()
    """One for each class; none: they are numbered."""
    rule: str = ""
    """How the numbers have come about, where they are not those of the files."""

    def __post_init__(self) -> None:
        for part in ("train", "test"):
            images, labels = getattr(self, f"{part}_images"), getattr(self, f"{part}_labels")
            if images.dtype not in (np.uint8, np.float32):
                raise DatasetError(
                    f"{self.name}: {part}_images of type {images.dtype}, allowed: uint8 (from 0 to 255), float32"
                )
            if not (np.issubdtype(labels.dtype, np.integer) and labels.min(initial=0) >= 0):
                raise DatasetError(
                    f"{self.name}: {part}_labels of type {labels.dtype} from {labels.min(initial=0)}, allowed: whole "
                    "numbers from 0"
                )
            if images.ndim not in (2, 3, 4) or labels.shape != images.shape[:1] or not len(labels):
                raise DatasetError(
                    f"{self.name}: {part} images of shape {images.shape} and labels of shape {labels.shape} do not "
                    "belong together; expected (count, height, width), (count, channels, height, width) or "
                    "(count, features), and (count,) with count >= 1"
                )
            if not np.isfinite(images).all():
                raise DatasetError(
                    f"{self.name}: {part}_images has entries that are no finite numbers (nan or inf)"
                )
        if self.train_images.shape[1:] != self.test_images.shape[1:]:
            raise DatasetError(
                f"{self.name}: training images of {self.train_images.shape[1:]} pixels, "
                f"test images of {self.test_images.shape[1:]}; expected one size"
            )
        if self.train_images.dtype != self.test_images.dtype:
            raise DatasetError(
                f"{self.name}: training images of type {self.train_images.dtype}, test images of type "
                f"{self.test_images.dtype}; expected one type"
            )

    @cached_property
    def digest(self) -> str:
        """Content hash of images and labels."""
        digest = hashlib.sha256()
        for name in _FIELDS:
            part = np.ascontiguousarray(getattr(self, name))
            digest.update(f"{part.dtype} {part.shape}".encode() + part.tobytes())
        return digest.hexdigest()

    def as_bytes(self, *, standardised: bool = False) -> Dataset:
        """The same set as bytes, which is what the networks of `nn_mapping.training` read as inputs from 0 to 1.

        Parameters
        ----------
        standardised
            With mean m and standard deviation s over the training part, of every channel or feature, a number x becomes
            the input ``1/2 + (x - m) / (6 s)``, clipped to 0..1: three deviations on either side. Otherwise numbers
            are inputs already, and have to lie in 0..1.

        Raises
        ------
        DatasetError
            For numbers outside of 0..1 that are not to be standardised.

        Examples
        --------
        >>> features, classes = np.array([[-4, 7], [4, 7]], dtype=np.float32), np.array([0, 1])
        >>> mine = Dataset(
        ...     name="two", train_images=features, train_labels=classes, test_images=1.5 * features, test_labels=classes
        ... )
        >>> mine.as_bytes(standardised=True).test_images.tolist()
        [[64, 255], [191, 255]]
        """
        if standardised:
            mean, spread = self._moments
            return self._with(
                lambda x: _bytes(0.5 + (x - mean) / (6 * spread)),
                f"1/2 + (x - m) / (6 s), clipped to 0..1, in 255 steps; {self._whose}",
            )
        if self.train_images.dtype == np.uint8:
            return replace(self, rule="bytes as shares of 255")
        low, high = (
            float(find([find(self.train_images), find(self.test_images)])) for find in (np.min, np.max)
        )
        if low < 0 or high > 1:
            raise DatasetError(
                f"{self.name}: images or features from {low:g} to {high:g}, allowed: float32 from 0 to 1, or "
                "uint8 from 0 to 255; numbers of another range have to be standardised (`inputs: standardised`)"
            )
        return self._with(_bytes, "numbers from 0 to 1, in 255 steps")

    def as_floats(self, *, standardised: bool = False) -> Dataset:
        """The same set as numbers: bytes as shares of 255, floats as they are; ``(x - m) / s`` where standardised.

        Mean m and standard deviation s are those of the training part, of every channel or feature.

        Examples
        --------
        >>> pixels, classes = np.array([[0, 255], [255, 255]], dtype=np.uint8), np.array([0, 1])
        >>> mine = Dataset(
        ...     name="two", train_images=pixels, train_labels=classes, test_images=pixels, test_labels=classes
        ... )
        >>> mine.as_floats().test_images.tolist()
        [[0.0, 1.0], [1.0, 1.0]]
        >>> mine.as_floats(standardised=True).test_images.tolist()
        [[-1.0, 0.0], [1.0, 0.0]]
        """
        if standardised:
            mean, spread = self._moments
            return self._with(lambda x: (x - mean) / spread, f"(x - m) / s; {self._whose}")
        if self.train_images.dtype == np.float32:
            return replace(self, rule="numbers as they are")
        return self._with(lambda x: x / 255, "bytes as shares of 255")

    @property
    def _moments(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and standard deviation over the training part, of every channel or feature; 1 where nothing varies."""
        axes = {2: (0,), 3: (0, 1, 2), 4: (0, 2, 3)}[self.train_images.ndim]
        mean = self.train_images.mean(axis=axes, keepdims=True, dtype=np.float64)
        spread = self.train_images.std(axis=axes, keepdims=True, dtype=np.float64)
        return mean, np.where(spread > 0, spread, 1.0)

    @property
    def _whose(self) -> str:
        what = "feature" if self.train_images.ndim == 2 else "channel"
        return f"m, s: mean and standard deviation of each {what} over the training part"

    def _with(self, change: Callable[[NDArray[np.float64]], NDArray[Any]], rule: str) -> Dataset:
        changed = []
        for images in (self.train_images, self.test_images):
            found = change(images.astype(np.float64))
            changed.append(found if found.dtype == np.uint8 else found.astype(np.float32))
        return replace(self, train_images=changed[0], test_images=changed[1], rule=rule)

    @property
    def image(self) -> tuple[int, int, int]:
        """Channels, height and width of an image; features are one line of one channel."""
        shape = self.train_images.shape[1:]
        return (*(1,) * (3 - len(shape)), *shape)

    @property
    def pixels(self) -> int:
        """Numbers of one image: the length of a network's input."""
        return math.prod(self.train_images.shape[1:])

    @property
    def classes(self) -> int:
        """Number of classes, by the largest label of the training set."""
        return int(self.train_labels.max()) + 1

    @property
    def names(self) -> list[str]:
        """Names of the classes, or their numbers."""
        return list(self.class_names) or [str(number) for number in range(self.classes)]

    def head(self, train: int, test: int) -> Dataset:
        """Return the first `train` and `test` images: a small set for a quick look."""
        return replace(
            self,
            train_images=self.train_images[:train],
            train_labels=self.train_labels[:train],
            test_images=self.test_images[:test],
            test_labels=self.test_labels[:test],
        )


def _bytes(shares: NDArray[np.float64]) -> Bytes:
    """Numbers from 0 to 1 in 255 steps, clipped."""
    return np.round(255 * shares.clip(0, 1)).astype(np.uint8)


def load_dataset(
    name: str, data_dir: Path | None = None, *, verify: bool = True, download: bool = True
) -> Dataset:
    """Load a data set from `data_dir`, or from where it is installed, or by download.

    Parameters
    ----------
    name
        ``"mnist"`` (shipped) or ``"fashion-mnist"``.
    data_dir
        Folder with the four idx files, gzipped or not (or a folder that holds such a folder named `name`).
        When given, nothing else is tried.
    verify
        Compare the MD5 of the unpacked files with the published sets. Switch off for a set of your own in
        the same format.
    download
        Whether files that are not installed may be fetched into the user's cache folder.

    Raises
    ------
    DatasetError
        When a file is missing, damaged or of another content; the message says how to get it.

    Examples
    --------
    >>> digits = load_dataset("mnist")
    >>> digits.train_images.shape, digits.test_images.shape, digits.classes
    ((60000, 28, 28), (10000, 28, 28), 10)
    """
    if name not in SOURCES:
        raise DatasetError(f"data set {name!r} is not known; allowed: {', '.join(SOURCES)}")
    source = SOURCES[name]
    arrays: dict[str, Any] = {}
    for field, file in zip(_FIELDS, FILES, strict=True):
        path = _find(name, file, data_dir, download)
        raw = unpacked(path)
        if verify and (md5 := hashlib.md5(raw, usedforsecurity=False).hexdigest()) != source.md5[file]:
            raise DatasetError(
                f"{path}: content has MD5 {md5}, {name} has {source.md5[file]}; the file is damaged or "
                f"another set. Delete it and fetch it again, or switch the check off for a set of your own."
            )
        arrays[field] = parse_idx(raw, str(path))
    return Dataset(name=name, **arrays)


def parse_idx(raw: bytes, where: str = "idx data") -> Bytes:
    """Read the idx format (unsigned bytes): two zero bytes, type 8, number of axes, their lengths, the data.

    Raises
    ------
    DatasetError
        When the header or the length is wrong.

    Examples
    --------
    >>> parse_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9])).tolist()
    [7, 8, 9]
    """
    if len(raw) < 4 or raw[:3] != b"\x00\x00\x08":
        raise DatasetError(f"{where}: not an idx file of unsigned bytes (starts with {raw[:4]!r})")
    start = 4 + 4 * raw[3]
    if len(raw) < start:
        raise DatasetError(f"{where}: ends inside its header, after {len(raw)} bytes")
    shape = tuple(int(length) for length in np.frombuffer(raw[4:start], dtype=">u4"))
    if len(raw) - start != math.prod(shape):
        raise DatasetError(f"{where}: header says {shape} bytes, {len(raw) - start} follow it")
    return np.frombuffer(raw, dtype=np.uint8, offset=start).reshape(shape)


def _find(name: str, file: str, data_dir: Path | None, download: bool) -> Path:
    source = SOURCES[name]
    folders = [data_dir, data_dir / name] if data_dir else [source.folder]
    for folder in folders:
        for path in (folder / f"{file}.gz", folder / file):
            if path.is_file():
                return path
    reason = f"no {file} or {file}.gz in {folders[0]}"
    if data_dir is None and download:
        try:
            return _fetch(name, f"{file}.gz", source.url)
        except (OSError, ValueError) as error:
            reason += f", and no download from {source.url}: {error}"
    raise DatasetError(
        f"{name}: {reason}.\n"
        f"Three ways to get it:\n"
        f"  1. {source.package}\n"
        f"  2. a connection to {source.url} (checksums are verified)\n"
        f"  3. --data-dir FOLDER with {', '.join(FILES)}, gzipped or not"
    )


def _fetch(name: str, file: str, url: str) -> Path:
    import pooch  # only this rare path needs it

    pooch.get_logger().setLevel(logging.WARNING)
    log.info("fetching %s%s", url, file)
    return Path(
        pooch.retrieve(
            url + file,
            known_hash=None,  # the unpacked content is checked after reading
            fname=file,
            path=pooch.os_cache("hallspice") / name,
        )
    )


def unpacked(path: Path) -> bytes:
    """Content of a file, gzipped when its name says so."""
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path}: not readable: {error}") from error


def class_names(dataset: str) -> list[str]:
    """Names of the classes of a data set."""
    if dataset == "fashion-mnist":
        return [
            "T-shirt",
            "trouser",
            "pullover",
            "dress",
            "coat",
            "sandal",
            "shirt",
            "sneaker",
            "bag",
            "boot",
        ]
    return [str(digit) for digit in range(10)]
