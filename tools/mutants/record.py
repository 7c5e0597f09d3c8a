"""The map: which test executes which line of the packages, and how long it takes."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tools.mutants.sites import Mutant

TOOLS = Path(__file__).parents[2]
"""The folder from which this tool is imported."""

_SETTINGS = """\
[run]
core = ctrace
parallel = true
data_file = {folder}/child
source = {sources}
context = ${{MUTANTS_CONTEXT-}}
patch = _exit
disable_warnings = no-data-collected, module-not-imported
"""


@dataclass
class Map:
    """What a run of the tests has shown; the lines of a context are the bits of a number."""

    targets: list[str] = field(default_factory=list)
    """What was recorded; nothing is the whole suite."""
    hashes: dict[str, str] = field(default_factory=dict)
    tests: dict[str, dict[str, Any]] = field(default_factory=dict)
    shared: dict[str, float] = field(default_factory=dict)
    lines: dict[str, dict[str, int]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Map:
        """The map kept in a file."""
        kept = json.loads(path.read_text())
        lines = {
            key: {file: int(mask, 16) for file, mask in of.items()} for key, of in kept.pop("lines").items()
        }
        return cls(**kept, lines=lines)

    def save(self, path: Path) -> None:
        """Keep the map in a file."""
        lines = {key: {file: f"{mask:x}" for file, mask in of.items()} for key, of in self.lines.items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(vars(self) | {"lines": lines}))

    def executed(self, test: str) -> Iterator[tuple[str, int]]:
        """Files and lines that a test executes, itself or by its shared fixtures."""
        for key in (test, *self.tests[test]["shared"]):
            yield from self.lines.get(key, {}).items()

    def forget(self, test_files: set[str]) -> None:
        """Leave out the tests of some files, to run them again."""
        for test in [test for test in self.tests if test.split("::")[0] in test_files]:
            del self.tests[test]
            self.lines.pop(test, None)

    def add(self, other: Map) -> None:
        """Take what another run has shown in addition."""
        self.tests |= other.tests
        self.shared |= other.shared
        imported = self.lines.get("", {})
        self.lines |= other.lines
        for file, mask in imported.items():
            at_import = self.lines.setdefault("", {})
            at_import[file] = at_import.get(file, 0) | mask


def hashes_of(root: Path, packages: Sequence[str]) -> dict[str, str]:
    """A hash of each file whose change makes a map old: the packages and the tests."""
    files = [path for name in (*packages, "tests") for path in sorted((root / name).rglob("*.py"))]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in files}


def outdated(kept: Map, now: dict[str, str]) -> set[str]:
    """The files with tests that must run again: what changed, and what executes a line of a file that changed."""
    changed = {file for file in kept.hashes.keys() | now.keys() if kept.hashes.get(file) != now.get(file)}
    tests = set(changed)
    for test in kept.tests:
        if any(file in changed for file, _ in kept.executed(test)):
            tests.add(test.split("::")[0])
    return tests


def record(tree: Path, packages: Sequence[str], targets: Sequence[str], processes: int) -> Map:
    """Run tests in a copy of the tree and note what each one executes.

    `targets` are files or folders with tests; none are the whole suite. Processes that a test starts are included where
    they inherit its environment.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = folder / "coveragerc"
        sources = ",".join(str(tree / package) for package in packages)
        settings.write_text(_SETTINGS.format(folder=folder, sources=sources))
        about = {"folder": name, "root": str(tree), "packages": list(packages), "settings": str(settings)}
        environment = clean_environment(tree) | {"MUTANTS_RECORD": json.dumps(about)}
        command = [
            sys.executable,
            "-B",
            "-m",
            "pytest",
            "-p",
            "tools.mutants.plugin",
            "-q",
            "--no-header",
            "-rfE",
        ]
        command += ["-p", "no:cacheprovider", f"--basetemp={folder / 'tests'}"]
        if processes > 1:
            command += ["--numprocesses", str(processes), "--dist", "loadfile"]
        done = subprocess.run([*command, *targets], cwd=tree, env=environment, check=False)
        found = _collected(folder, tree)
    if done.returncode not in (0, 1, 5):  # passed, failed, none there
        raise SystemExit(f"the tests could not be recorded: pytest ended with {done.returncode}")
    return found


def clean_environment(tree: Path) -> dict[str, str]:
    """The environment for tests in a copy of the tree: it comes first, one thread of BLAS, no stale bytecode."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COV", "PYTEST", "MUTANTS", "HALLSPICE_CACHE"))
    }
    return kept | {
        "PYTHONPATH": f"{tree}{os.pathsep}{TOOLS}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",
        "MPLBACKEND": "agg",
    }


def _collected(folder: Path, tree: Path) -> Map:
    """The notes of all processes in one map."""
    import coverage

    found, keys = Map(), {"": ""}
    for path in folder.glob("*.json"):
        notes = json.loads(path.read_text())
        found.tests |= notes["tests"]
        found.shared |= notes["shared"]
        keys |= notes["keys"]
    lines: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for path in [*folder.glob(".coverage.*"), *folder.glob("child.*")]:
        data = coverage.CoverageData(str(path))
        data.read()
        for file in data.measured_files():
            if not file.endswith(".py"):  # a template, which jinja compiles
                continue
            name = str(Path(file).relative_to(tree))
            for line, contexts in data.contexts_by_lineno(file).items():
                for context in contexts:
                    lines[keys.get(context, "")][name] |= 1 << line
    found.lines = {key: dict(of) for key, of in lines.items()}
    return found


class Choice:
    """The tests for a mutant, from the map."""

    def __init__(self, root: Path, kept: Map, budget: float) -> None:
        self.root, self.map, self.budget = root, kept, budget
        self.sound: set[str] = set()
        """Tests that passed alone, without a mutant."""
        self._masks: dict[str, dict[str, int]] = defaultdict(dict)
        """Lines of a file that each test executes."""
        for test, about in kept.tests.items():
            if about["passed"] and not about["skipped"]:
                for file, mask in kept.executed(test):
                    self._masks[file][test] = self._masks[file].get(test, 0) | mask

    def tests(self, mutant: Mutant) -> list[str]:
        """Tests that may notice a mutant, the quickest first, as many as the time allows, but at least one.

        Those that execute its line come first. Where it runs at import, or its result is kept, then those that
        execute a line with the name that it gives a value to, then all that execute a line of its file.
        """
        groups = [self._executing({mutant.file: _mask(*mutant.span)})]
        if mutant.wide or self.map.lines.get("", {}).get(mutant.file, 0) & _mask(*mutant.span):
            groups += [self._executing(self._uses.get(name, {})) for name in mutant.names]
            groups.append(self._executing({mutant.file: -1}))
        chosen: dict[str, None] = {}
        seconds, paid = 0.0, set[str]()
        for test in (test for group in groups for test in group):
            if test in chosen:
                continue
            new = set(self.map.tests[test]["shared"]) - paid
            cost = self._seconds(test) + sum(self.map.shared.get(one, 0.0) for one in new)
            if not chosen or seconds + cost <= self.budget:
                chosen[test] = None
                seconds += cost
                paid |= new
        return list(chosen)

    def leave_out(self, tests: set[str]) -> None:
        """Use some tests no more: they need what another test leaves behind."""
        for test in tests:
            self.map.tests[test]["passed"] = False
            for lines in self._masks.values():
                lines.pop(test, None)

    def stages(
        self, tests: Sequence[str], first: float = 2.0, files: int = 4
    ) -> list[tuple[list[str], float]]:
        """A few quick tests of few files, as a file takes time to import, then the others; with their time [s]."""
        quick: list[str] = []
        opened: set[str] = set()
        for test in tests:
            file = test.split("::")[0]
            if self.seconds([*quick, test]) <= first and (file in opened or len(opened) < files):
                quick.append(test)
                opened.add(file)
        rest = [test for test in tests if test not in set(quick)]
        return [(self._by_file(part), self.seconds(part)) for part in (quick, rest) if part]

    def seconds(self, tests: Iterable[str]) -> float:
        """Time that tests took together."""
        tests = list(tests)
        shared = {one for test in tests for one in self.map.tests[test]["shared"]}
        return sum(map(self._seconds, tests)) + sum(self.map.shared.get(one, 0.0) for one in shared)

    def _seconds(self, test: str) -> float:
        return float(self.map.tests[test]["seconds"])

    def _by_file(self, tests: Sequence[str]) -> list[str]:
        """The tests of a file together, as they share fixtures."""
        order: dict[str, list[str]] = defaultdict(list)
        for test in tests:
            order[test.split("::")[0]].append(test)
        return [test for group in order.values() for test in group]

    def _executing(self, masks: dict[str, int]) -> list[str]:
        found = {
            test for file, mask in masks.items() for test, lines in self._masks[file].items() if lines & mask
        }
        return sorted(found, key=lambda test: (self.seconds([test]), test))

    @cached_property
    def _uses(self) -> dict[str, dict[str, int]]:
        """The lines in which a name is used, by name and file; lines that run at import are executed by no test."""
        uses: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for file in list(self._masks):
            for node in ast.walk(ast.parse((self.root / file).read_text(encoding="utf-8"))):
                name = getattr(node, "id", None) or getattr(node, "attr", None)
                if name and isinstance(node, ast.Name | ast.Attribute):
                    uses[name][file] |= 1 << node.lineno
        return uses


def _mask(first: int, last: int) -> int:
    return (1 << last + 1) - (1 << first)
