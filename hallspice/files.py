"""Output that is either whole or absent, and that never replaces what isn't hallspice's own."""

from __future__ import annotations

import errno
import json
import stat
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from compact_model.cards.inputs import is_input
from compact_model.cards.storage import flush, held_folder, remove_abandoned, scratch_folder, whole_file

RESULTS = "results.json"

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""Errors that only writing can meet: no space, over quota, file too big, read-only file system."""

JOURNAL = ".moving.json"
"""While files move into a folder: the names that belong to hallspice there, before and after."""

_STAGE = ".hallspice-partial-"


class OutputError(ValueError):
    """An output path that can't be written."""


class TakenError(ValueError):
    """An output path where something stands that is not hallspice's to replace."""


def write_text(path: str | Path, text: str | Iterable[str]) -> None:
    """Write a file, as `text_file` does; a long text may come in parts.

    Raises
    ------
    TakenError
        When the file is one that the command has read.
    OutputError
        When it can't be written.
    """
    target = Path(path)
    with _writing(target), text_file(target) as stream:
        stream.writelines([text] if isinstance(text, str) else text)


@contextmanager
def text_file(path: str | Path) -> Iterator[TextIO]:
    """A file to write text to, under a temporary name: it takes its own, whole, when the block ends without an error.

    Devices and pipes are written to as they are; a link is followed.

    Raises
    ------
    TakenError
        When the file is one that the command has read.
    OutputError
        When it can't be written.
    """
    target = Path(path)
    with _writing(target, NO_ROOM), ExitStack() as opened:
        with _writing(target):
            if _is_special(target):
                stream = opened.enter_context(target.open("w", encoding="utf-8"))
            else:
                check_free(target)
                target.parent.mkdir(parents=True, exist_ok=True)
                partial = opened.enter_context(whole_file(target))
                stream = opened.enter_context(partial.open("w", encoding="utf-8"))
        yield stream
        with _writing(target):
            opened.close()


def check_free(target: Path) -> None:
    """Refuse to write where a file stands that the command has read."""
    if is_input(target):
        raise TakenError(
            f"{target}: is an input of this command and would be overwritten; choose another --out"
        )


@contextmanager
def staged_folder(out: str | Path | None, index: str = RESULTS, *, names: Sequence[str]) -> Iterator[Path]:
    """A temporary folder whose files move into `out` when the block ends without an error.

    Files of an earlier result in `out` (those that its `index`, a JSON file, lists) are replaced or removed;
    everything else there is left alone. The index moves last: where it stands, the result is whole. What a killed
    process left of its own temporary folder is removed.

    Parameters
    ----------
    out, index
        Folder, and the file in it that lists the others under ``files``. Without a folder nothing is kept.
    names
        Names or patterns of all files that may come beside the index: what stands in their way is found before the work
        begins.

    Raises
    ------
    TakenError
        When a file of `out` that no earlier result lists would be replaced.
    OutputError
        When the folder can't be written.
    """
    if out is None:
        with scratch_folder() as stage:
            yield stage
        return
    target = Path(out)
    with _writing(target):
        target.mkdir(parents=True, exist_ok=True)
        remove_abandoned(target, _STAGE)
    check_folder(target, index, names)
    with ExitStack() as stack:
        with _writing(target):
            stage = stack.enter_context(held_folder(target, _STAGE))
        with _writing(target, NO_ROOM):
            yield stage
        _check_announced(stage, [index, *names])
        with _writing(target):
            _move(stage, target, index)


def check_folder(out: Path, index: str, names: Sequence[str]) -> None:
    """Refuse a folder where something stands in the way of the files that may come; as `staged_folder`."""
    patterns = (index, *names)
    standing = [path for pattern in patterns for path in out.glob(pattern) if path.is_file()]
    _check_unowned(out, index, [path.relative_to(out) for path in standing])


def _check_announced(stage: Path, patterns: Sequence[str]) -> None:
    for path in stage.rglob("*"):
        name = path.relative_to(stage)
        if path.is_file() and not any(name.match(pattern) for pattern in patterns):
            raise RuntimeError(f"{name} is none of the announced files: {', '.join(patterns)}")


def _move(stage: Path, target: Path, index: str) -> None:
    new = sorted(path.relative_to(stage) for path in stage.rglob("*") if path.is_file())
    for name in new:
        if not _is_inside(target, name):
            raise OutputError(f"{target / name}: leads out of {target} through a link")
    _check_unowned(target, index, [name for name in new if (target / name).exists()])
    owned = _owned(target, index)
    for name in new:
        flush(stage / name)
    journal = target / JOURNAL
    with whole_file(journal) as partial:
        partial.write_text(json.dumps({"files": sorted(map(str, {*owned, *new}))}), encoding="utf-8")
    (target / index).unlink(missing_ok=True)
    for name in owned - set(new):
        (target / name).unlink(missing_ok=True)
    for name in sorted(new, key=lambda path: path == Path(index)):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (stage / name).replace(target / name)
    journal.unlink()


def _check_unowned(target: Path, index: str, names: Sequence[Path]) -> None:
    """Refuse files that stand in `target` and that no result there lists."""
    owned = _owned(target, index)
    for name in names:
        if name not in owned:
            what = "is an input of this command" if is_input(target / name) else "is not of an earlier result"
            raise TakenError(f"{target / name}: {what} and would be overwritten; choose another --out")


def _owned(target: Path, index: str) -> set[Path]:
    """Files of earlier results in `target`, whole ones and those that were stopped while they moved."""
    owned: set[Path] = set()
    for name in (index, JOURNAL):
        listed = _listed_files(target / name)
        if listed is not None:
            owned |= {Path(index), *listed}
    return {name for name in owned if not is_input(target / name)}


@contextmanager
def _writing(target: Path, errors: Container[int] | None = None) -> Iterator[None]:
    """Turn errors of the file system into an `OutputError` of `target`; with `errors` only these."""
    try:
        yield
    except OSError as error:
        if errors is None or error.errno in errors:
            raise OutputError(f"{target}: cannot be written: {error.strerror or error}") from error
        raise


def _listed_files(index: Path) -> set[Path] | None:
    """Files of the earlier result that `index` lists, as far as they lie inside its folder; None for no index."""
    try:
        listed = json.loads(index.read_text(encoding="utf-8"))["files"]
        paths = {Path(name) for name in listed}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return {path for path in paths if _is_inside(index.parent, path)}


def _is_inside(folder: Path, name: Path) -> bool:
    """Whether a file of that name lies in the folder itself, links of folders included."""
    return (folder / name).parent.resolve().is_relative_to(folder.resolve()) and name.name not in ("", "..")


def _is_special(path: Path) -> bool:
    """Whether something stands there that is neither a file nor a folder: a device, a pipe, a socket."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
