"""How much memory a process may take, in made-up machines and containers."""

from __future__ import annotations

from pathlib import Path

import pytest

from circuits.memory import available_memory

GB = 10**9
MACHINE = "MemTotal: 32000000 kB\nMemAvailable: 16000000 kB\n"  # 16.384 GB


def machine(root: Path, group: str, mount: str = "sys/fs/cgroup", **files: str) -> Path:
    """A file system whose process is in `group`; files by place in the tree of groups, ``a__memory_max``."""
    (root / "proc" / "self").mkdir(parents=True)
    (root / "proc" / "meminfo").write_text(MACHINE)
    (root / "proc" / "self" / "cgroup").write_text(f"4:memory:/elsewhere\n0::{group}\n")
    for name, text in files.items():
        *folders, file = name.split("__")
        path = root.joinpath(mount, *folders, file.replace("_", ".", 1))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return root


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ({}, 16.384),
        ({"a__b__memory_max": "max", "a__b__memory_high": "max", "a__b__memory_current": "1"}, 16.384),
        ({"a__b__memory_max": f"{5 * GB}"}, 5.0),
        ({"a__b__memory_max": f"{5 * GB}", "a__b__memory_current": f"{2 * GB}"}, 3.0),
        ({"a__b__memory_max": f"{5 * GB}", "a__b__memory_high": f"{4 * GB}"}, 4.0),
        ({"a__b__memory_max": f"{4 * GB}", "a__b__memory_high": f"{5 * GB}"}, 4.0),
        ({"a__b__memory_max": f"{40 * GB}"}, 16.384),
        ({"a__b__memory_max": f"{2 * GB}", "a__b__memory_current": f"{3 * GB}"}, 0.0),
        # of the groups around it, each with its own use
        (
            {"a__memory_max": f"{9 * GB}", "a__memory_current": f"{7 * GB}", "a__b__memory_max": f"{5 * GB}"},
            2.0,
        ),
        ({"memory_max": f"{9 * GB}", "memory_current": f"{8 * GB}", "a__b__memory_max": f"{5 * GB}"}, 1.0),
        # of others: their limits don't matter
        ({"c__memory_max": "1", "a__b__c__memory_max": "1", "a__b__memory_max": f"{5 * GB}"}, 5.0),
    ],
)
def test_the_tightest_group_decides(tmp_path: Path, files: dict[str, str], left: float) -> None:
    assert available_memory(machine(tmp_path, "/a/b", **files)) == pytest.approx(left * GB, rel=1e-12)


def test_pages_of_files_are_given_back(tmp_path: Path) -> None:
    stat = f"anon 1\ninactive_file {2 * GB}\nactive_file {GB}"
    files = {"memory_max": f"{5 * GB}", "memory_current": f"{4 * GB}", "memory_stat": stat}
    assert available_memory(machine(tmp_path, "/", **files)) == 3 * GB


def test_the_second_tree_of_a_machine_with_both_versions(tmp_path: Path) -> None:
    files = {"a__memory_max": f"{5 * GB}"}
    assert available_memory(machine(tmp_path, "/a", "sys/fs/cgroup/unified", **files)) == 5 * GB


def test_a_machine_that_says_nothing_has_all_its_memory(tmp_path: Path) -> None:
    assert 1e8 < available_memory(tmp_path) < 1e14


def test_the_memory_of_this_machine_is_known() -> None:
    assert 1e7 < available_memory() < 1e14
