"""Files and folders that are whole or absent, and what a killed process left of them."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SCRATCH = "hallspice-scratch-"
_NEW = ".hallspice-new-"
_TOKEN = "[0-9a-f]" * 8

_YOUNG = 60.0
"""What is new for longer [s] was never locked: its process died as it made it."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to; what stands there replaces `path` when the block ends without an error.

    A link is followed: the file that it leads to is replaced, not the link. The content is on the disk before it takes
    its name, so that a power failure leaves the old file or the new one.
    """
    target = Path(os.path.realpath(path))
    remove_abandoned(target.parent, f".{target.name}.", ".partial")
    partial = _named(target.parent, f".{target.name}.", ".partial")
    with _held(partial, folder=False):
        try:
            yield partial
            flush(partial)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for files that nobody keeps; those of processes that were killed are removed."""
    place = Path(tempfile.gettempdir())
    remove_abandoned(place, _SCRATCH)
    with held_folder(place, _SCRATCH) as folder:
        yield folder


@contextmanager
def held_folder(place: Path, prefix: str) -> Iterator[Path]:
    """A new folder in `place`, held until the block ends, and then removed; `prefix` says that it is hallspice's."""
    folder = _named(place, prefix)
    with _held(folder, folder=True):
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _held(path: Path, *, folder: bool) -> Iterator[None]:
    """A new file or folder, locked so that others see that its process lives; the system frees it, however that ends.

    It is locked before it has its name, so that what others find under such a name and can lock is abandoned.
    """
    _remove_unborn(path.parent)
    new = _named(path.parent, _NEW)
    if folder:
        new.mkdir(mode=0o700)
    else:
        new.touch()
    handle = os.open(new, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        new.rename(path)
        yield
    finally:
        os.close(handle)


def remove_abandoned(place: Path, prefix: str, suffix: str = "") -> None:
    """Remove files and folders of such a name, as this module makes them, that no process holds."""
    for path in place.glob(f"{glob.escape(prefix)}{_TOKEN}{glob.escape(suffix)}"):
        with contextlib.suppress(OSError):
            if _is_own(path) and _is_free(path):
                _remove(path)


def flush(path: Path) -> None:
    """Bring a file's content to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _named(place: Path, prefix: str, suffix: str = "") -> Path:
    return place / f"{prefix}{secrets.token_hex(4)}{suffix}"


def _remove_unborn(place: Path) -> None:
    for path in place.glob(f"{_NEW}{_TOKEN}"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _YOUNG and _is_own(path):
                _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink()


def _is_free(path: Path) -> bool:
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


def _is_own(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return path.stat().st_uid == os.getuid()
    return False
