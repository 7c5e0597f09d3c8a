"""What pytest is told: to note which test executes which line, or to run chosen tests in a given order."""

from __future__ import annotations

import functools
import gc
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

CONTEXT = "MUTANTS_CONTEXT"
"""Variable with the test or fixture that runs, for the coverage of the processes that it starts."""
CACHES = ("HALLSPICE_CACHE",)
"""Variables that name a folder in which a test may find what another one has left: a fresh one each time."""


def steady_hypothesis() -> None:
    """The same examples each time, and no failure because the machine is busy."""
    try:
        from hypothesis import HealthCheck, settings
    except ImportError:
        return
    quiet = list(HealthCheck)
    settings.register_profile(
        "mutants", derandomize=True, database=None, deadline=None, suppress_health_check=quiet
    )
    settings.load_profile("mutants")


class Chooser:
    """Runs the tests with the given names in the given order, and notes which fail."""

    def __init__(self, names: Sequence[str]) -> None:
        self.order = {name: number for number, name in enumerate(names)}
        self.failed: list[str] = []
        self.started = 0

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Choose and order."""
        chosen = [item for item in items if item.nodeid in self.order]
        items[:] = sorted(chosen, key=lambda item: self.order[item.nodeid])

    def pytest_runtest_logstart(self) -> None:
        """Count."""
        self.started += 1

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """What became of a test."""
        if report.failed:
            self.failed.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that can't be imported has failed."""
        if report.failed:
            self.failed.append(f"{report.nodeid} (import)")


class Recorder:
    """Notes for each test its time, its outcome, the shared fixtures it uses, and the lines that each of them executes.

    A fixture of a wider scope than one test runs once, but all its tests see what it made: its lines are kept under
    its own name. Results that functions keep (`lru_cache`) are forgotten before each test, for the same reason;
    functions without arguments are left alone, they keep handles such as a loaded library.
    """

    def __init__(self, folder: Path, root: Path, packages: Sequence[str]) -> None:
        import coverage

        self.folder, self.root = folder, root
        self.tests: dict[str, dict[str, Any]] = {}
        self.shared: dict[str, float] = {}
        self.keys: dict[str, str] = {"": ""}  # of a context
        self._running: list[str] = [""]
        self._inner = [0.0]
        self._modules = 0
        self._kept: list[Any] = []
        sources = [str(root / package) for package in packages]
        self.coverage = coverage.Coverage(
            data_file=str(folder / f".coverage.{os.getpid()}"),
            config_file=False,
            source=sources,
            messages=False,
        )
        self.coverage.set_option("run:core", "ctrace")
        self.coverage.set_option("run:disable_warnings", ["no-data-collected", "module-not-imported"])
        self.coverage.start()

    def _enter(self, key: str) -> None:
        context = f"{os.getpid()}-{len(self.keys)}"
        self.keys[context] = key
        self._running.append(context)
        self._inner.append(0.0)
        self._switch()

    def _leave(self, since: float) -> float:
        """Back to what ran before; the time that went into this alone."""
        whole = time.perf_counter() - since
        self._running.pop()
        own = whole - self._inner.pop()
        self._inner[-1] += whole
        self._switch()
        return own

    def _switch(self) -> None:
        os.environ[CONTEXT] = self._running[-1]
        self.coverage.switch_context(self._running[-1])

    def _forget(self) -> None:
        if len(sys.modules) != self._modules:
            self._modules = len(sys.modules)
            kind = type(functools.lru_cache(lambda x: x))  # `isinstance` would wake lazy objects of libraries
            self._kept = [one for one in gc.get_objects() if type(one) is kind and self._is_ours(one)]
        for one in self._kept:
            one.cache_clear()

    def _is_ours(self, kept: Any) -> bool:
        code = getattr(getattr(kept, "__wrapped__", None), "__code__", None)
        return code is not None and code.co_filename.startswith(str(self.root)) and code.co_argcount > 0

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """A test, with all its fixtures."""
        self._forget()
        fresh = tempfile.mkdtemp()
        os.environ.update(dict.fromkeys(CACHES, fresh))
        self.tests[item.nodeid] = {
            "seconds": 0.0,
            "shared": _shared_of(item),
            "passed": True,
            "skipped": False,
        }
        since = time.perf_counter()
        self._enter(item.nodeid)
        try:
            return (yield)
        finally:
            self.tests[item.nodeid]["seconds"] = self._leave(since)
            shutil.rmtree(fresh, ignore_errors=True)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Iterator[Any]:
        """A shared fixture is no part of the test that comes first."""
        if fixturedef.scope == "function":
            return (yield)
        key = _fixture_key(fixturedef, request.param_index)
        since = time.perf_counter()
        self._enter(key)
        try:
            return (yield)
        finally:
            self.shared[key] = self.shared.get(key, 0.0) + self._leave(since)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """What became of a test."""
        if report.nodeid in self.tests:
            self.tests[report.nodeid]["passed"] &= not report.failed
            self.tests[report.nodeid]["skipped"] |= report.skipped

    def pytest_sessionfinish(self) -> None:
        """Write what was found by this process."""
        self.coverage.stop()
        self.coverage.save()
        found = {"tests": self.tests, "shared": self.shared, "keys": self.keys}
        (self.folder / f"{os.getpid()}.json").write_text(json.dumps(found))


def _shared_of(item: pytest.Item) -> list[str]:
    """The shared fixtures of a test."""
    found = []
    info = getattr(item, "_fixtureinfo", None)
    indices = getattr(getattr(item, "callspec", None), "indices", {})
    for name, definitions in (info.name2fixturedefs if info else {}).items():
        if definitions and definitions[-1].scope != "function":
            found.append(_fixture_key(definitions[-1], indices.get(name, 0)))
    return found


def _fixture_key(definition: Any, index: int) -> str:
    return f"fixture {definition.baseid}::{definition.argname}" + (f"[{index}]" if definition.params else "")


def pytest_configure(config: pytest.Config) -> None:
    """Record, when this module is named to pytest and the variable says where."""
    about = os.environ.get("MUTANTS_RECORD")
    distributes = getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput")
    if about and not distributes:
        given = json.loads(about)
        steady_hypothesis()
        recorder = Recorder(Path(given["folder"]), Path(given["root"]), given["packages"])
        config.pluginmanager.register(recorder, "mutants-recorder")
        os.environ["COVERAGE_PROCESS_START"] = given["settings"]
