"""Files that are read: no more of them than a limit, no longer than a while, and remembered."""

from __future__ import annotations

import os
import select
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

PATIENCE = 10.0
"""How long a pipe may stay silent [s]."""

_CHUNK = 1 << 20

_Identity = tuple[int, int]
_seen: ContextVar[set[_Identity] | None] = ContextVar("files that the command has read", default=None)


@contextmanager
def remembered() -> Iterator[None]:
    """Remember every file that is read until the block ends, for `is_input`; blocks inside belong to it."""
    if _seen.get() is not None:
        yield
        return
    token = _seen.set(set())
    try:
        yield
    finally:
        _seen.reset(token)


def remember(path: str | Path) -> None:
    """Count a file among those that were read, whatever reads it."""
    seen = _seen.get()
    if seen is not None:
        seen.add(_identity(Path(path).stat()))


def is_input(path: str | Path) -> bool:
    """Whether a file of that name was read since `remembered` began, under this name or another.

    Examples
    --------
    >>> with remembered():
    ...     _ = read_bytes(__file__, 10**6)
    ...     is_input(__file__), is_input("no such file")
    (True, False)
    """
    try:
        found = _identity(Path(path).stat())
    except (OSError, ValueError):
        return False
    return found in (_seen.get() or ())


def read_bytes(path: str | Path, limit: int) -> bytes:
    """At most `limit` + 1 bytes of a file or a pipe.

    Raises
    ------
    OSError
        When it can't be read; TimeoutError for a pipe into which nothing was written for `PATIENCE`.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        about = os.fstat(handle)
        seen = _seen.get()
        if seen is not None and stat.S_ISREG(about.st_mode):
            seen.add(_identity(about))
        return b"".join(_chunks(handle, limit + 1))
    finally:
        os.close(handle)


def _chunks(handle: int, size: int) -> Iterator[bytes]:
    ready = select.poll()
    ready.register(handle, select.POLLIN)
    last = time.monotonic()
    while size > 0:
        try:
            chunk = os.read(handle, min(size, _CHUNK)) if ready.poll(1000.0) else None
        except BlockingIOError:  # woken without data
            chunk = None
        if chunk is None:
            if time.monotonic() - last > PATIENCE:
                raise TimeoutError(f"nothing was written into this pipe for {PATIENCE:g} s")
            continue
        if not chunk:
            return
        size -= len(chunk)
        last = time.monotonic()
        yield chunk


def _identity(about: os.stat_result) -> _Identity:
    return about.st_dev, about.st_ino
