"""The mutation tool on a package of a few lines."""

import ast
import json
from pathlib import Path

import pytest

pytest.importorskip("coverage", reason="missing package: coverage")

from tools.mutants.__main__ import all_sites, equivalents, main, sample
from tools.mutants.sites import find_sites

CODE = '''\
"""Not 1 + 1."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    SIZE = 3

log = logging.getLogger(__name__)
LIMIT = 10


@decorated(4)
class Thing:
    """A thing."""

    kind: Literal[5, 6] = 5

    def __repr__(self) -> str:
        return "x" * 7


def scale(x: list[int], by: float = -2.0) -> list[float]:
    """Scale."""
    worst = x[0] * 8
    if not x or by == 1:
        log.info("%d", 9)
        raise ValueError(f"{x[0] + 1}" + str(worst + 2))
    x += [by] * 3
    for one, two in zip(x, x, strict=True):
        len(x) > by or solve(one, two, rtol=1e-3, steps=20)
    return -by ** len(x) + "µ" * (by if by <= LIMIT else x.T[by, :by, ::-1].sum(axis=0) and "a" + by)
'''
EXPECTED = """\
12 constant: 10 -> 20 | -10 | 11
19 constant: 5 -> 10 | -5 | 6
25 constant: -2.0 -> -4.0 | 2.0 | -1.0
28 comparison: not x -> x
28 comparison: not x or by == 1 -> not x and by == 1
28 comparison: by == 1 -> by != 1
28 constant: 1 -> 0 | 2 | -1
31 arithmetic: x += [by] * 3 -> x -= [by] * 3
31 arithmetic: [by] * 3 -> [by] / 3
31 constant: 3 -> 6 | -3 | 4
33 comparison: len(x) > by -> len(x) <= by | len(x) >= by
33 comparison: len(x) > by or solve(one, two, rtol=1e -> len(x) > by and solve(one, two, rtol=1e
33 constant: 20 -> 40 | -20
34 arithmetic: -by ** len(x) -> by ** len(x)
34 arithmetic: by ** len(x) -> by * len(x)
34 comparison: by <= LIMIT -> by > LIMIT
34 index: x.T -> x
34 index: [by, :by] -> [:by, by]
34 index: by -> by + 1 | by - 1
34 index: -1 -> 1
34 index: 0 -> 1 | -1
34 comparison: :by, ::-1].sum(axis=0) and "a" + by -> :by, ::-1].sum(axis=0) or "a" + by
"""

TINY = """\
TOP = 3


def area(width, height):
    return width * height


def capped(x):
    return min(x, TOP)
"""
WEAK = """\
import pytest

from tiny.shapes import area, capped


@pytest.fixture(scope="module")
def square():
    return area(2, 2)


def test_it_runs(square):
    capped(0)


def test_a_square(square):
    assert square > 0
"""
STRONG = """

def test_a_rectangle():
    assert area(2, 3) == 6


def test_the_top():
    assert capped(5) == 3
"""


def test_the_sites_are_these_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text(CODE)
    found = [
        f"{site[0].line} {site[0].kind}: {site[0].before} -> {' | '.join(mutant.after for mutant in site)}"
        for site in find_sites(tmp_path, "code.py")
    ]
    assert found == EXPECTED.splitlines()


def test_axes_are_indices_and_lengths_to_be_found_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text(
        "a = x.view(-1, 3).transpose(1, 2).unflatten(0, (5, -1))\n"
        "b = y.sum(axis=(1, 2))\nc = np.transpose(z, axes=(1, 0))\nd = pad(-1)\n"
    )
    found = [
        f"{site[0].line} {site[0].kind}: {site[0].before} -> " + " | ".join(mutant.after for mutant in site)
        for site in find_sites(tmp_path, "code.py")
    ]
    assert found == [
        "1 constant: 3 -> 6 | -3 | 4",
        "1 index: 1 -> 2 | 0",
        "1 index: 2 -> 3 | 1",
        "1 index: 0 -> 1 | -1",
        "1 constant: 5 -> 10 | -5 | 6",
        "2 index: 1 -> 2 | 0",
        "2 index: 2 -> 3 | 1",
        "3 index: 1 -> 2 | 0",
        "3 index: [1, 0] -> [0, 1]",
        "3 index: 0 -> 1 | -1",
        "4 constant: -1 -> -2 | 1 | 0",
    ]


def test_a_mutant_changes_one_place_and_no_line_numbers(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text(CODE)
    source = CODE.encode()
    mutants = [mutant for site in find_sites(tmp_path, "code.py") for mutant in site]
    assert len({str(mutant) for mutant in mutants}) == len(mutants)
    for mutant in mutants:
        changed = mutant.applied(source)
        assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(source))
        lines, others = source.splitlines(), changed.splitlines()
        assert [n + 1 for n, line in enumerate(lines) if line != others[n]] == [mutant.line]
        assert len(lines) == len(others)


def test_a_power_in_a_product_stays_together(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("y = 6 / x ** 2\n")
    powers = [
        mutant for site in find_sites(tmp_path, "code.py") for mutant in site if mutant.before == "x ** 2"
    ]
    assert [mutant.applied(b"y = 6 / x ** 2\n") for mutant in powers] == [b"y = 6 / (x * 2)\n"]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    for folder, text in {"tiny/shapes.py": TINY, "tests/test_shapes.py": WEAK}.items():
        (tmp_path / folder).parent.mkdir()
        (tmp_path / folder).write_text(text)
    (tmp_path / "tiny" / "__init__.py").touch()
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    return tmp_path


def run(root: Path, *options: str) -> int:
    about = ["--root", str(root), "--packages", "tiny", "--measured", "tiny", "--libraries", "--workers", "1"]
    return main([*about, "--seed", "1", *options])


def outcomes(root: Path, name: str) -> dict[str, str]:
    mutants = json.loads((root / "build" / "mutants" / name).read_text())["mutants"]
    return {f"{mutant['before']} -> {mutant['after']}": mutant["outcome"] for mutant in mutants}


def test_a_weak_test_lets_mutants_survive_and_a_strong_one_kills_them(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tiny) == 1
    found = outcomes(tiny, "seed_1.json")
    assert found.pop("width * height -> width / height") == "survived"
    assert set(found.values()) == {"survived"}
    assert "tiny/shapes.py:5:18 arithmetic  width * height -> width / height" in capsys.readouterr().out

    with (tiny / "tests" / "test_shapes.py").open("a") as file:
        file.write(STRONG)
    assert run(tiny, "--ids", str(tiny / "build" / "mutants" / "seed_1.json")) == 0
    assert set(outcomes(tiny, "again.json").values()) == {"killed"}
    assert "2 mutants, 100.0 % killed: 2 killed" in capsys.readouterr().out

    # a shared fixture runs for the first test, a later one sees what it made
    assert run(tiny, "--at", "tiny/shapes.py:5", "width * height", "-1") == 0
    assert (tiny / "tiny" / "shapes.py").read_text() == TINY


def test_a_sample_is_repeatable(tiny: Path) -> None:
    sites = all_sites(tiny, ["tiny"])
    assert sample(sites, 1, 5, {}) == sample(sites, 1, 5, {})
    (first,) = sample(sites, 1, 5, {})
    (other,) = sample(sites, 1, 5, {first.key: "no difference"})
    assert other.start != first.start


def test_the_list_of_equivalent_mutants_is_checked(tiny: Path) -> None:
    mutants = [mutant for site in all_sites(tiny, ["tiny"]) for mutant in site]
    path = tiny / "equivalent.txt"
    block = "tiny/shapes.py\nTOP = 3\n3 -> 6\nbecause\n"
    path.write_text(f"# A comment\n{block}")
    assert equivalents(path, mutants) == {("tiny/shapes.py", "TOP = 3", "3", "6"): "because"}
    for wrong, why in {
        block.replace("3 -> 6", "3 -> 7"): "there is no such mutant",
        block.replace("because\n", ""): "the reason is missing",
    }.items():
        path.write_text(wrong)
        with pytest.raises(SystemExit, match=why):
            equivalents(path, mutants)
