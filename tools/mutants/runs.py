"""Runs of tests with a mutant: each worker has a copy of the tree and forks a process for a mutant.

A worker has imported pytest and the libraries that the packages use, but nothing of the packages, so that a forked
process starts with the tests at once and reads the changed source. The bytecode in a copy is checked against the hash
of its source.
"""

from __future__ import annotations

import compileall
import contextlib
import importlib
import json
import os
import py_compile
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from tools.mutants.plugin import CACHES, Chooser, steady_hypothesis
from tools.mutants.record import clean_environment

LIBRARIES = (
    "hypothesis",
    "numpy",
    "scipy.sparse.linalg",
    "scipy.optimize",
    "scipy.stats",
    "matplotlib.pyplot",
    "pydantic",
    "pint",
    "jinja2",
    "typer.testing",
    "rich.progress",
    "torch",
)
"""Imported before the fork, where they are installed."""

MEMORY = 8 << 30
"""Bytes that the tests of a mutant may use: a mutated size must not stop the machine."""


def copy_tree(root: Path, to: Path) -> None:
    """Copy what git does not ignore, and compile it."""
    ignore = root / ".gitignore"
    patterns = [line.strip("/") for line in ignore.read_text().split()] if ignore.is_file() else []
    shutil.copytree(root, to, ignore=shutil.ignore_patterns(".git", *patterns))
    mode = py_compile.PycInvalidationMode.CHECKED_HASH
    compileall.compile_dir(str(to), quiet=2, invalidation_mode=mode)


class Worker:
    """A process that runs tests in a copy of the tree."""

    def __init__(self, tree: Path, libraries: Sequence[str] = LIBRARIES) -> None:
        self.tree = tree
        command = [sys.executable, "-B", "-m", "tools.mutants.runs", *libraries]
        self._process = subprocess.Popen(
            command,
            cwd=tree,
            env=clean_environment(tree),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.__exit__(None, None, None)  # closes its input, which ends it

    def run(self, tests: Sequence[str], seconds: float) -> dict[str, Any]:
        """Run tests that take `seconds` together up to the first failure: `outcome`, `failed` and `started`."""
        assert self._process.stdin
        assert self._process.stdout
        limit = 20 + 5 * seconds
        print(
            json.dumps({"tests": list(tests), "limit": limit}),
            file=self._process.stdin,
            flush=True,
        )
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


def serve(libraries: Sequence[str]) -> None:
    """Read what to run from the standard input, a line each, and answer on the standard output."""
    for name in ("pytest", *libraries):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    steady_hypothesis()
    for line in sys.stdin:
        print(json.dumps(_forked(**json.loads(line))), flush=True)


def _forked(tests: list[str], limit: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="mutant-", ignore_cleanup_errors=True) as folder:
        child = os.fork()
        if child == 0:
            _run(tests, Path(folder))
        end = time.monotonic() + limit
        while (status := os.waitpid(child, os.WNOHANG))[0] == 0 and time.monotonic() < end:
            time.sleep(0.01)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        if status[0] == 0:
            os.waitpid(child, 0)
            return {"outcome": "timed out", "failed": [], "started": 0}
        answer = Path(folder) / "answer"
        if not answer.is_file():
            return {"outcome": "killed", "failed": ["(the process ended)"], "started": 0}
        found: dict[str, Any] = json.loads(answer.read_text())
        return found


def _run(tests: list[str], folder: Path) -> None:
    """In the forked process: run the tests and leave."""
    os.setsid()
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    with (folder / "output").open("w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    temporary = folder / "temporary"
    temporary.mkdir()
    os.environ.update(dict.fromkeys(CACHES, str(folder / "cache")), TMPDIR=str(temporary))
    tempfile.tempdir = None
    import pytest

    chooser = Chooser(tests)
    files = list(dict.fromkeys(test.split("::")[0] for test in tests))
    options = [
        "-q",
        "--no-header",
        "--assert=plain",
        "-p",
        "no:cacheprovider",
        f"--basetemp={folder / 'tests'}",
    ]
    code = pytest.main([*options, "-x", *files], plugins=[chooser])
    outcome = (
        "survived" if code == 0 else "no test" if code == pytest.ExitCode.NO_TESTS_COLLECTED else "killed"
    )
    failed = chooser.failed or ([f"(pytest ended with {int(code)})"] if outcome == "killed" else [])
    answer = {"outcome": outcome, "failed": failed, "started": chooser.started}
    (folder / "partial").write_text(json.dumps(answer))
    (folder / "partial").rename(folder / "answer")
    os._exit(0)


if __name__ == "__main__":
    serve(sys.argv[1:])
