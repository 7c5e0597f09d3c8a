"""The `hallspice` command line."""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn

from hallspice.commands import ExitCode, TerminatedError, refuse_other_packages


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise TerminatedError(ExitCode.TERMINATED)


def main() -> None:
    """Entry point of the `hallspice` command."""
    signal.signal(signal.SIGTERM, _terminate)
    refuse_other_packages()
    from hallspice.cli.application import app  # imports the packages

    app()
