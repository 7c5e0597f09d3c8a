"""Who computes the points of a sweep: processes on this machine, or a dask cluster. Each has one task at a time."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Hashable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

    from hallspice.sweeps.point import Task
    from hallspice.sweeps.results import PointOutcome

# A worker process imports this module first, and may be interrupted from then on: nothing slow is imported here.

CONNECT_SECONDS = 30
"""How long a cluster may take to answer, and to have a worker."""


class Workers(Protocol):
    """A changing number of workers, each with at most one task."""

    def idle(self) -> Sequence[Hashable]:
        """Workers without a task."""

    def start(self, worker: Any, task: Task) -> None:
        """Give a task to an idle worker."""

    def finished(self) -> list[tuple[Task, PointOutcome]]:
        """Wait for tasks that are done; possibly none, after a while."""

    def close(self) -> None:
        """Stop at once; tasks that run are lost."""


class LocalWorkers:
    """Processes on this machine, started afresh (a fork of a process with threads can hang)."""

    def __init__(self, count: int) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._processes: list[tuple[SpawnProcess, Connection]] = [self._begin() for _ in range(count)]
        self._tasks: dict[int, Task] = {}

    def _begin(self) -> tuple[SpawnProcess, Connection]:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs,), daemon=True)
        process.start()
        theirs.close()
        return process, ours

    def idle(self) -> list[int]:
        """Workers without a task."""
        return [number for number in range(len(self._processes)) if number not in self._tasks]

    def start(self, worker: int, task: Task) -> None:
        """Give a task to an idle worker, or to its successor when it has died."""
        try:
            self._processes[worker][1].send(task)
        except OSError:
            self._processes[worker] = self._begin()
            self._processes[worker][1].send(task)
        self._tasks[worker] = task

    def finished(self) -> list[tuple[Task, PointOutcome]]:
        """Wait for tasks that are done."""
        ready = wait([self._processes[worker][1] for worker in self._tasks])
        done = [worker for worker in self._tasks if self._processes[worker][1] in ready]
        return [(self._tasks.pop(worker), self._outcome(worker)) for worker in done]

    def _outcome(self, worker: int) -> PointOutcome:
        process, connection = self._processes[worker]
        try:
            outcome: PointOutcome = connection.recv()
        except (EOFError, OSError):
            process.join()
            self._processes[worker] = self._begin()
            return _failed(f"the worker process died ({_death(process.exitcode or 0)})")
        return outcome

    def close(self) -> None:
        """Kill the processes."""
        for process, connection in self._processes:
            process.kill()
            process.join()
            connection.close()


def _death(exit_code: int) -> str:
    if exit_code >= 0:
        return f"exit code {exit_code}"
    name = signal.Signals(-exit_code).name
    return f"{name}: out of memory?" if name == "SIGKILL" else name


def _failed(what: str) -> PointOutcome:
    from hallspice.sweeps.point import failed

    return failed(what)


def _serve(tasks: Connection) -> None:
    """Life of a worker process: one task after another until nobody sends any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then stops this process
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    for task in _received(tasks):
        from hallspice.sweeps.point import compute

        tasks.send(compute(task))


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _received(tasks: Connection) -> Iterator[Task]:
    while True:
        try:
            yield tasks.recv()
        except EOFError:
            return


class Cluster:
    """The workers of a dask scheduler. Start them with one thread each: ``dask worker ADDRESS --nthreads 1``."""

    def __init__(self, address: str) -> None:
        try:
            self._distributed: Any = importlib.import_module("distributed")
        except ImportError:
            raise ValueError('--scheduler needs dask: pip install "hallspice[sweep]"') from None
        try:
            self._client = self._distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ValueError(f"--scheduler {address}: no dask scheduler answers there: {error}") from None
        self._tasks: dict[str, tuple[Any, Task]] = {}
        self._wait_for_a_worker()

    def _wait_for_a_worker(self) -> None:
        try:
            self._client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except TimeoutError:
            self.close()
            raise ValueError(
                "the dask scheduler has no worker; start some (`dask worker ADDRESS --nthreads 1`) and give the same "
                "command again: finished points are kept"
            ) from None

    def idle(self) -> list[str]:
        """Addresses of the workers that have no task of this sweep."""
        return [address for address in self._client.nthreads() if address not in self._tasks]

    def start(self, worker: str, task: Task) -> None:
        """Give a task to a worker; dask moves it when that worker is lost."""
        from hallspice.sweeps.point import compute

        future = self._client.submit(compute, task, workers=[worker], allow_other_workers=True, pure=False)
        self._tasks[worker] = future, task

    def finished(self) -> list[tuple[Task, PointOutcome]]:
        """Wait for tasks that are done; look for new workers every other second."""
        if not self._tasks:
            self._wait_for_a_worker()
            return []
        try:
            futures = [future for future, _ in self._tasks.values()]
            with self._client.as_current():
                self._distributed.wait(futures, timeout=2, return_when="FIRST_COMPLETED")
        except TimeoutError:
            return []
        done = [worker for worker, (future, _) in self._tasks.items() if future.done()]
        found = []
        for worker in done:
            future, task = self._tasks.pop(worker)
            error = future.exception()
            found.append(
                (task, future.result() if error is None else _failed(f"{type(error).__name__}: {error}"))
            )
        return found

    def close(self) -> None:
        """Cancel what runs, and leave the cluster."""
        self._client.cancel([future for future, _ in self._tasks.values()])
        self._client.close()
