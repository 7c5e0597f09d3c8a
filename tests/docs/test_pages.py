"""Every block of the documentation is run as it is printed, page by page, in a folder with the examples.

A block's title is what the reader sees above it. For ``sh`` and ``python`` it says why the block is not run ("not
run: ...") or only with the long ones ("takes ...", `make test-docs-long`); for every other language it is the name of
the file that the block is. A ``text`` block after a program is what that prints. Every line of ``sh`` is a command,
run in the folder.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command
from typer.testing import CliRunner

from compact_model.cards.document import load_model, read_document, validate_leniently
from compact_model.measured.tables import DataFile
from hallspice.cli.application import app
from hallspice.config.schema import Config

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
LONG = os.environ.get("HALLSPICE_DOCS") == "long"

_FENCE = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_TITLE = re.compile(r'title="([^"]*)"')
_NUMBER = r"[-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[-+]?\d+)?"
_TOLERANCE = 0.02
"""Relative; of printed numbers. Training on another processor moves an accuracy by some tenths of a percent."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block."""

    page: Path
    line: int
    language: str
    title: str
    text: str

    @property
    def where(self) -> str:
        """File and line."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def runs(self) -> bool:
        """Whether it is a program."""
        return self.language in ("sh", "python")

    @property
    def left_out(self) -> bool:
        """Whether nobody runs it here."""
        return self.runs and self.title.startswith("not run")

    @property
    def long(self) -> bool:
        """Whether it takes too long for every test run."""
        return self.runs and self.title.startswith("takes ")


def blocks(page: Path) -> Iterator[Block]:
    """All fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        indent, info, body = found.groups()
        title = _TITLE.search(info)
        lines = (line.removeprefix(indent) for line in body.splitlines(keepends=True))
        yield Block(
            page=page,
            line=text.count("\n", 0, found.start()) + 1,
            language=info.split()[0] if info.split() else "",
            title=title[1] if title else "",
            text="".join(lines),
        )


class Reader:
    """Does what a page says, in a folder of its own."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = dict(environment)
        self._names: dict[str, Any] = {"__name__": "docs"}

    def run(self, block: Block) -> str:
        """What the block prints."""
        if block.language == "python":
            printed = io.StringIO()
            with contextlib.chdir(self._folder), contextlib.redirect_stdout(printed):
                exec(compile(block.text, block.where, "exec"), self._names)
            return printed.getvalue()
        lines = block.text.replace("\\\n", " ").splitlines()
        return "".join(self._command(line, block.where) for line in lines)

    def _command(self, line: str, where: str) -> str:
        words = shlex.split(line, comments=True)
        if words[:1] == ["hallspice"] and not set(line) & set("|&;<>$`"):
            with contextlib.chdir(self._folder):  # in this process, which is seconds quicker
                result = CliRunner().invoke(app, words[1:])
            code, printed = result.exit_code, result.output
        else:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", line],
                cwd=self._folder,
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            code, printed = done.returncode, done.stdout
        assert code == 0, f"{where}: {line}: exit code {code}\n{printed}"
        return printed

    def write(self, block: Block) -> None:
        """Write the block to the file that its title names."""
        path = self._folder / block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")


def mismatch(printed: str, shown: str) -> str:
    """Why what was printed is not what the page shows; empty where it is.

    ``...`` stands for anything, white space is all the same, and numbers may differ by `_TOLERANCE`.
    """
    pattern = r"\s*"
    for word in shown.split():
        parts = re.split(rf"({_NUMBER}|\.\.\.)", word)
        pattern += "".join(_as_pattern(part) for part in parts) + r"\s*"
    found = re.fullmatch(pattern, printed, re.DOTALL)
    if found is None:
        return f"shown:\n{shown}\nprinted:\n{printed}"
    expected = re.findall(_NUMBER, re.sub(r"\.\.\.", " ", shown))
    for ours, theirs in zip(expected, found.groups(), strict=True):
        if not math.isclose(_number(ours), _number(theirs), rel_tol=_TOLERANCE):
            return f"shown: {ours}, printed: {theirs}, in\n{printed}"
    return ""


def _as_pattern(part: str) -> str:
    if part == "...":
        return ".*?"
    if re.fullmatch(_NUMBER, part):
        return rf"({_NUMBER})"
    return re.escape(part)


def _number(text: str) -> float:
    return float(text.replace(",", ""))


# --- tests ---

LEFT_OUT = {
    "not run by the tests: it installs this program": 4,
    "not run by the tests: needs macOS": 1,
    "not run by the tests: needs Spectre": 1,
    "not run by the tests: needs a cluster": 1,
    "not run by the tests: needs CIFAR-10": 1,
    "not run by the tests: needs Xyce": 1,
}
"""Blocks that nobody runs, at most so many for each reason: a new one is a decision."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained networks, shared by the pages."""
    return tmp_path_factory.mktemp("cache")


def _check(path: Path) -> None:
    """Validate a configuration before any command uses it: cards that it names may be made later."""
    keys = set(yaml.safe_load(path.read_text(encoding="utf-8")))
    if "data" in keys:
        load_model(path, DataFile)
    elif keys <= set(Config.model_fields):
        assert validate_leniently(read_document(path), Config)[1] == [], path.name
    else:
        assert "based_on" in keys, f"{path.name}: not a configuration, a card or a data set"


def _in(folder: Path, page: Path) -> str:
    return str(page.relative_to(folder))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: _in(ROOT, page))
def test_a_page_does_what_it_says(
    page: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.setenv("HALLSPICE_CACHE", str(cache))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("COLUMNS", "120")
    reader = Reader(tmp_path, os.environ)
    printed: str | None = None
    for block in blocks(page):
        if block.runs:
            printed = None if block.left_out or (block.long and not LONG) else reader.run(block)
        elif block.language == "text":
            if printed is not None:
                assert not mismatch(printed, block.text), f"{block.where}: {mismatch(printed, block.text)}"
        else:
            reader.write(block)
            if block.language == "yaml" and not block.title.startswith("wrong"):
                _check(tmp_path / block.title)


def test_every_block_says_what_it_is() -> None:
    for page in PAGES:
        before = ""
        for block in blocks(page):
            assert block.language, f"{block.where}: a block without a language"
            if block.runs:
                assert not block.title or block.left_out or block.long, f"{block.where}: {block.title}"
            elif block.language == "text":
                assert before in ("sh", "python"), f"{block.where}: the output of nothing"
            else:
                assert block.title, f"{block.where}: a block that is no file; give it a title"
            before = block.language


def test_no_command_hides_outside_of_a_fence() -> None:
    for page in PAGES:
        outside = _FENCE.sub("", page.read_text(encoding="utf-8"))
        hidden = re.findall(r"^ {4,}(?:hallspice|python|ngspice|make|vacask) .*$", outside, re.MULTILINE)
        assert not hidden, f"{page.name}: {hidden}"


def test_blocks_that_are_not_run_are_few_and_known() -> None:
    found: dict[str, int] = {}
    for page in PAGES:
        for block in blocks(page):
            if block.left_out:
                found[block.title] = found.get(block.title, 0) + 1
    assert all(count <= LEFT_OUT.get(reason, 0) for reason, count in found.items()), found


def test_commands_in_the_text_exist() -> None:
    """Every `hallspice COMMAND` in the running text is a command, with options that it has."""
    commands = get_command(app).commands  # type: ignore[attr-defined]
    for page in PAGES:
        outside = _FENCE.sub("", page.read_text(encoding="utf-8"))
        for line in re.findall(r"`hallspice ([^`]*)`", outside):
            name, *words = line.replace("\\|", " ").split()
            if name.startswith("-") or name.isupper():
                continue
            assert name in commands, f"{page.name}: hallspice {line}"
            known = {option for parameter in commands[name].params for option in parameter.opts}
            used = {word.split("=")[0] for word in words if word.startswith("--")}
            assert used <= known, f"{page.name}: hallspice {line}: {used - known}"


@pytest.mark.parametrize(
    ("printed", "shown", "same"),
    [
        ("accuracy 98.30 %\n", "accuracy  98.41 %", True),
        ("accuracy 98.30 %\n", "accuracy 92.00 %", False),
        ("a 1e-13 b\nlast", "a ... last", True),
        ("a 1e-13 b", "a ... c", False),
        ("a b c", "a b", False),
    ],
)
def test_printed_is_compared_with_shown(printed: str, shown: str, same: bool) -> None:
    assert (mismatch(printed, shown) == "") is same
