"""Files and folders that are whole or absent, and what a killed process left of them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

YOUNG = 5.0
"""What was made less than this ago [s] may not be held yet by the process that made it."""

_SCRATCH = "hallspice-"


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to; what stands there replaces `path` when the block ends without an error.

    A link is followed: the file that it leads to is replaced, not the link. The content is on the disk before it takes
    its name, so that a power failure leaves the old file or the new one.
    """
    target = Path(os.path.realpath(path))
    remove_abandoned(target.parent.glob(f".{target.name}.*.partial"))
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    partial.touch()
    try:
        with held(partial):
            yield partial
            flush(partial)
            partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for files that nobody keeps; those of processes that were killed are removed."""
    place = Path(tempfile.gettempdir())
    remove_abandoned(path for path in place.glob(f"{_SCRATCH}*") if path.is_dir() and _is_own(path))
    with tempfile.TemporaryDirectory(prefix=_SCRATCH) as name, held(Path(name)):
        yield Path(name)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Lock a file or folder, so that others see that its process lives; the system frees it, however that ends."""
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def remove_abandoned(paths: Iterable[Path]) -> None:
    """Remove those files and folders that nobody holds, as far as they can be removed."""
    for path in paths:
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > YOUNG and _is_free(path):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink()


def flush(path: Path) -> None:
    """Bring a file's content to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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
