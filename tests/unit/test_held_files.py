"""Files that are whole or absent, folders that are held, and no more of a file than is asked for."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from compact_model.cards import inputs, storage


def names(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir())


def test_a_file_stands_under_another_name_until_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with storage.whole_file(path) as partial:
        partial.write_text("new")
        assert partial.parent == tmp_path
        # ".a.txt.", eight digits, ".partial"
        assert (len(partial.name), partial.name[:7], partial.name[-8:]) == (23, ".a.txt.", ".partial")
        assert not path.exists()
    assert (names(tmp_path), path.read_text()) == (["a.txt"], "new")
    with pytest.raises(KeyError), storage.whole_file(path) as partial:
        partial.write_text("half")
        raise KeyError
    assert (names(tmp_path), path.read_text()) == (["a.txt"], "new")


def test_a_held_folder_is_its_owners_and_is_removed(tmp_path: Path) -> None:
    with storage.held_folder(tmp_path, "mine-") as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "x").write_text("x")
        storage.remove_abandoned(tmp_path, "mine-")  # it is held
        assert names(folder) == ["x"]
    assert names(tmp_path) == []
    with storage.held_folder(tmp_path, "mine-") as folder:
        folder.rmdir()  # somebody was quicker
    assert names(tmp_path) == []


def test_only_names_of_eight_digits_are_abandoned(tmp_path: Path) -> None:
    for name in ("mine-0123abcd", "mine-0123abc", "mine-0123abcde", "mine-0123abcg", "mine-0123abcd.txt"):
        (tmp_path / name).write_text("x")
    storage.remove_abandoned(tmp_path, "mine-")
    assert names(tmp_path) == ["mine-0123abc", "mine-0123abcd.txt", "mine-0123abcde", "mine-0123abcg"]
    storage.remove_abandoned(tmp_path, "mine-", ".txt")
    assert names(tmp_path) == ["mine-0123abc", "mine-0123abcde", "mine-0123abcg"]


def test_files_of_others_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = os.getuid()
    for name in ("mine-0123abcd", ".hallspice-new-0123abcd"):
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, (1e9, 1e9))
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    storage.remove_abandoned(tmp_path, "mine-")
    storage._remove_unborn(tmp_path)
    assert names(tmp_path) == [".hallspice-new-0123abcd", "mine-0123abcd"]
    assert not storage._is_own(tmp_path / "none")
    monkeypatch.undo()
    storage._remove_unborn(tmp_path)
    assert names(tmp_path) == ["mine-0123abcd"]


@pytest.mark.parametrize(("age", "stays"), [(50.0, True), (70.0, False)])
def test_what_was_never_locked_is_removed_after_a_minute(tmp_path: Path, age: float, stays: bool) -> None:
    path = tmp_path / ".hallspice-new-0123abcd"
    path.mkdir()
    then = time.time() - age
    os.utime(path, (then, then))
    storage._remove_unborn(tmp_path)
    assert path.exists() is stays


def test_one_byte_more_than_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"0123456789")
    assert [inputs.read_bytes(path, limit) for limit in (0, 4, 8, 9, 10, 99)] == [
        b"0", b"01234", b"012345678", b"0123456789", b"0123456789", b"0123456789"
    ]  # fmt: skip
    assert inputs.PATIENCE == 10.0


def test_files_that_were_read_are_known_under_all_their_names(tmp_path: Path) -> None:
    read, other = tmp_path / "x", tmp_path / "y"
    read.write_text("x")
    other.write_text("y")
    (tmp_path / "link").symlink_to(read)
    inputs.read_bytes(read, 9)
    assert not inputs.is_input(read)  # nobody asked to remember
    with inputs.remembered():
        assert not inputs.is_input(read)
        inputs.read_bytes(read, 9)
        with inputs.remembered():
            inputs.remember(other)
        found = [inputs.is_input(tmp_path / name) for name in ("x", "link", "y", "none")]
        assert found == [True, True, True, False]
        assert not inputs.is_input("a\0b")
    assert not inputs.is_input(read)
