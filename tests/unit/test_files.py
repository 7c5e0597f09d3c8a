import json
from pathlib import Path

import pytest

from hallspice.files import OutputError, staged_folder, write_text


def _write(out: Path, names: list[str]) -> None:
    with staged_folder(out) as stage:
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
    with pytest.raises(RuntimeError), staged_folder(tmp_path) as stage:
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
    with pytest.raises(OutputError, match="file"), staged_folder(tmp_path / "file"):
        pass
    write_text(tmp_path / "new" / "a.txt", "text")
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.txt"]
