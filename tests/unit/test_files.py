import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from compact_model.cards import inputs, storage
from compact_model.cards.document import DocumentError, read_text
from compact_model.cards.inputs import read_bytes, remembered
from hallspice.files import OutputError, TakenError, staged_folder, text_file, write_text


def _write(out: Path, names: list[str]) -> None:
    with staged_folder(out, names=names) as stage:
        for name in names:
            (stage / name).parent.mkdir(parents=True, exist_ok=True)
            (stage / name).write_text(name)
        (stage / "results.json").write_text(json.dumps({"files": names}))


def test_a_result_replaces_its_predecessor_and_nothing_else(tmp_path: Path) -> None:
    _write(tmp_path / "out", ["a.csv", "netlists/1.cir"])
    (tmp_path / "out" / "notes.txt").write_text("mine")
    _write(tmp_path / "out", ["b.csv"])
    left = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert left == ["b.csv", "notes.txt", "results.json"]


def test_a_failed_run_leaves_the_earlier_result_whole(tmp_path: Path) -> None:
    _write(tmp_path, ["a.csv"])
    with pytest.raises(RuntimeError), staged_folder(tmp_path, names=["a.csv", "c.csv"]) as stage:
        (stage / "a.csv").write_text("half")
        raise RuntimeError
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.csv", "results.json"]
    assert (tmp_path / "a.csv").read_text() == "a.csv"


def test_a_result_can_not_name_files_outside_its_folder_for_removal(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    out = tmp_path / "out"
    out.mkdir()
    (out / "results.json").write_text(json.dumps({"files": ["../precious", str(tmp_path / "precious")]}))
    _write(out, ["a.csv"])
    assert (tmp_path / "precious").exists()


def test_paths_that_can_not_be_written_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="file"):
        write_text(tmp_path / "file" / "a.txt", "x")
    with pytest.raises(OutputError, match="file"), staged_folder(tmp_path / "file", names=[]):
        pass
    write_text(tmp_path / "new" / "a.txt", "text")
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.txt"]


def test_a_file_of_the_user_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("measured")
    with pytest.raises(TakenError, match=r"a\.csv: is not of an earlier result"):
        _write(tmp_path, ["a.csv", "b.csv"])
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
    assert (tmp_path / "a.csv").read_text() == "measured"
    _write(tmp_path, ["b.csv"])  # in the way of nothing


def test_a_file_of_the_user_is_seen_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "mine.svg").write_text("drawn")
    with pytest.raises(TakenError, match=r"mine\.svg"), staged_folder(tmp_path, names=["figures/*.svg"]):
        pytest.fail("the work was begun")


def test_an_index_that_is_none_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text('{"accuracy": 0.9}')
    with pytest.raises(TakenError, match=r"results\.json"):
        _write(tmp_path, ["a.csv"])
    assert (tmp_path / "results.json").read_text() == '{"accuracy": 0.9}'


@pytest.mark.parametrize("link", [None, "symbolic", "hard"])
def test_what_a_command_reads_is_not_written_over(tmp_path: Path, link: str | None) -> None:
    source, out = tmp_path / "a.csv", tmp_path / "a.csv" if link is None else tmp_path / "out"
    _write(tmp_path, ["a.csv"])  # even a file of an earlier result
    if link == "symbolic":
        out.symlink_to(source)
    elif link == "hard":
        out.hardlink_to(source)
    with remembered():
        read_bytes(source, 100)
        with pytest.raises(TakenError, match="is an input"):
            write_text(out, "new")
        with pytest.raises(TakenError, match="is an input"):
            _write(tmp_path, [out.name])
    assert source.read_text() == "a.csv"
    write_text(out, "new")
    assert out.is_symlink() == (link == "symbolic")
    assert out.read_text() == "new"
    assert source.read_text() == ("a.csv" if link == "hard" else "new")


def test_devices_and_pipes_are_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as reader:
        read = reader.submit(pipe.read_text)
        write_text(pipe, "through")
        assert read.result(timeout=5) == "through"
    assert pipe.is_fifo()
    write_text("/dev/null", "nothing")
    assert Path("/dev/null").is_char_device()
    with pytest.raises(OutputError, match="full: cannot be written"):
        write_text("/dev/full", "nothing")


def test_a_pipe_without_a_writer_is_an_error_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "PATIENCE", 0.1)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DocumentError, match=r"pipe: cannot be read: nothing was written .* 0\.1 s"):
        read_text(tmp_path / "pipe")


def test_a_pipe_that_is_slow_is_read_to_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def write() -> None:
        with pipe.open("w") as stream:
            stream.write("a: 1\n")
            stream.flush()
            time.sleep(0.2)
            stream.write("b: 2\n")

    with ThreadPoolExecutor(1) as writer:
        done = writer.submit(write)
        assert read_text(pipe) == "a: 1\nb: 2\n"
        done.result(timeout=5)


def _killed(folder: Path, *, while_moving: bool) -> None:
    """A process that dies with its temporary folder, before its files move or after the first of them."""
    program = f"""
import json, os, signal
from pathlib import Path
from hallspice import files
from compact_model.cards import storage
with storage.scratch_folder(), files.staged_folder({str(folder)!r}, names=["a.csv", "c.csv"]) as stage:
    (stage / "a.csv").write_text("new")
    (stage / "c.csv").write_text("new")
    (stage / "results.json").write_text(json.dumps({{"files": ["a.csv", "c.csv", "results.json"]}}))
    if not {while_moving}:
        os.kill(os.getpid(), signal.SIGKILL)
    moved = Path.replace
    def replace(self, target):
        if self.name == "c.csv":
            os.kill(os.getpid(), signal.SIGKILL)
        return moved(self, target)
    Path.replace = replace
"""
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize("while_moving", [False, True])
def test_the_next_result_cleans_up_after_a_killed_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, while_moving: bool
) -> None:
    out, temporary = tmp_path / "out", tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    _write(out, ["a.csv", "b.csv"])
    (out / "notes.txt").write_text("mine")
    _killed(out, while_moving=while_moving)
    assert (
        len(list(out.glob(".hallspice-partial-*"))) == len(list(temporary.glob("hallspice-scratch-*"))) == 1
    )
    with storage.scratch_folder() as held, staged_folder(out, names=["d.csv"]) as stage:
        storage.remove_abandoned(temporary, "hallspice-scratch-")  # of a process that lives
        storage.remove_abandoned(out, ".hallspice-partial-")
        assert held.exists()
        assert stage.exists()
        assert len(list(temporary.iterdir())) == 1
        (stage / "d.csv").write_text("d.csv")
        (stage / "results.json").write_text(json.dumps({"files": ["d.csv"]}))
    assert sorted(path.name for path in out.iterdir()) == ["d.csv", "notes.txt", "results.json"]
    assert list(temporary.iterdir()) == []


def test_what_a_killed_process_left_of_a_file_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".a.txt.00000099.partial").write_text("half")
    (tmp_path / ".b.txt.00000099.partial").write_text("of another")
    write_text(tmp_path / "a.txt", "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".b.txt.00000099.partial", "a.txt"]


def test_what_was_never_locked_is_removed_when_it_is_old(tmp_path: Path) -> None:
    old, young = tmp_path / ".hallspice-new-00000001", tmp_path / ".hallspice-new-00000002"
    old.mkdir()
    young.mkdir()
    os.utime(old, (1e9, 1e9))
    write_text(tmp_path / "a.txt", "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [young.name, "a.txt"]


def test_a_file_that_is_written_part_by_part_is_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="no solution"), text_file(path) as stream:
        stream.write("new")
        raise RuntimeError("no solution")
    assert path.read_text() == "old"
    with text_file(path) as stream:
        stream.write("ne")
        assert path.read_text() == "old"
        stream.write("w")
    assert path.read_text() == "new"
    assert [each.name for each in tmp_path.iterdir()] == ["out.csv"]


def test_a_device_without_room_is_named_after_writing_part_by_part() -> None:
    with pytest.raises(OutputError, match="/dev/full: cannot be written"), text_file("/dev/full") as stream:
        stream.write("x" * 100_000)


def test_a_file_that_was_not_announced_is_a_fault(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match=r"b\.csv is none"),
        staged_folder(tmp_path, names=["a.csv"]) as stage,
    ):
        (stage / "b.csv").write_text("b")
    assert list(tmp_path.iterdir()) == []


def test_only_folders_with_our_names_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    mine = [
        "hallspice-results",
        "hallspice-scratch",
        "hallspice-scratch-mine",
        ".partial-1",
        "hallspice-0a1b2c3d",
    ]
    for name in mine:
        (tmp_path / name).mkdir()
    (tmp_path / "hallspice-scratch-0a1b2c3d").mkdir()
    with storage.scratch_folder():
        pass
    _write(tmp_path, ["a.csv"])
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == sorted(mine)
