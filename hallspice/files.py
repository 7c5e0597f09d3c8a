"""Output that is either whole or absent."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path

RESULTS = "results.json"

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""Errors that only writing can meet: no space, over quota, file too big, read-only file system."""


class OutputError(ValueError):
    """An output path that can't be written."""


def write_text(path: str | Path, text: str) -> None:
    """Write a file under a temporary name and rename it, so that it is never seen half-written."""
    target = Path(path)
    with _writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
            Path(name).chmod(0o666 & ~_umask())
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


@contextmanager
def staged_folder(out: str | Path, index: str = RESULTS) -> Iterator[Path]:
    """A temporary folder whose files move into `out` when the block ends without an error.

    Files of an earlier result in `out` (those that its `index`, a JSON file, lists) are replaced or removed;
    everything else there is left alone. The index moves last: where it stands, the result is whole.
    """
    target = Path(out)
    with _writing(target):
        target.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(dir=target, prefix=".partial-"))
    try:
        with _writing(target, NO_ROOM):
            yield stage
        with _writing(target):
            _move(stage, target, index)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _move(stage: Path, target: Path, index: str) -> None:
    new = sorted(path.relative_to(stage) for path in stage.rglob("*") if path.is_file())
    for name in new:
        if not _is_inside(target, name):
            raise OutputError(f"{target / name}: leads out of {target} through a link")
    old = {name for name in _listed_files(target / index) if name not in set(new)}
    (target / index).unlink(missing_ok=True)
    for name in old:
        (target / name).unlink(missing_ok=True)
    for name in sorted(new, key=lambda path: path == Path(index)):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (stage / name).replace(target / name)


@contextmanager
def _writing(target: Path, errors: Container[int] | None = None) -> Iterator[None]:
    """Turn errors of the file system into an `OutputError` of `target`; with `errors` only these."""
    try:
        yield
    except OSError as error:
        if errors is None or error.errno in errors:
            raise OutputError(f"{target}: cannot be written: {error.strerror or error}") from error
        raise


def _listed_files(index: Path) -> set[Path]:
    """Files of the earlier result that `index` lists, as far as they lie inside its folder."""
    try:
        listed = json.loads(index.read_text(encoding="utf-8"))["files"]
        paths = {Path(name) for name in listed}
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return {path for path in paths if _is_inside(index.parent, path)}


def _is_inside(folder: Path, name: Path) -> bool:
    """Whether a file of that name lies in the folder itself, links of folders included."""
    return (folder / name).parent.resolve().is_relative_to(folder.resolve()) and name.name not in ("", "..")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
