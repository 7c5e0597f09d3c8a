"""Progress bars and plain lines on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class Reporter(Protocol):
    """Where long work says how far it is, and what it found."""

    def __call__(self, done: int, total: int, message: str) -> None:
        """Report that `done` of `total` steps of the work named `message` are done."""

    def say(self, what: RenderableType) -> None:
        """Print something for the user to keep."""


class _Silent:
    def __call__(self, done: int, total: int, message: str) -> None:
        """Nobody watches."""

    def say(self, what: RenderableType) -> None:
        """Nobody listens."""


SILENT: Reporter = _Silent()
"""Says nothing."""


@dataclass
class _Terminal:
    console: Console
    bars: Progress | None
    tasks: dict[str, TaskID] = field(default_factory=dict)

    def __call__(self, done: int, total: int, message: str) -> None:
        if self.bars is None:
            return
        self.bars.start()  # with the first step: work without any leaves no empty line behind
        name, _, detail = message.partition(":")
        if name not in self.tasks:
            self.tasks[name] = self.bars.add_task(name, total=total, detail="")
        self.bars.update(self.tasks[name], completed=done, total=total, detail=detail.strip())

    def say(self, what: RenderableType) -> None:
        self.console.print(what, highlight=False, soft_wrap=isinstance(what, str))


@contextmanager
def reporter(quiet: bool) -> Iterator[Reporter]:
    """Progress bars on the terminal, or on standard error when the output is redirected; `quiet`: none of them."""
    console = Console()
    if quiet:
        yield _Terminal(console, None)
        return
    columns = (
        TextColumn("{task.description:<24}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[detail]}"),
    )
    beside = console if console.is_terminal else Console(stderr=True)
    bars = Progress(*columns, console=beside, redirect_stdout=False)
    terminal = _Terminal(console, bars)
    try:
        yield terminal
    finally:
        if terminal.tasks:
            bars.stop()
