"""What all commands have in common: an outcome as text or as JSON, errors as one message, exit codes."""

from __future__ import annotations

import codecs
import functools
import importlib.util
import inspect
import io
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TextIO

import typer
from typer.core import TyperGroup

from compact_model.cards.inputs import remembered

if TYPE_CHECKING:
    from pydantic import JsonValue

    from hallspice.results import Results

LINES = 30
"""An error message is cut after this many lines."""

WIDTH = 1000
"""A line of an error message is cut after this many characters."""


class ExitCode(IntEnum):
    """What a command answers to the shell."""

    DONE = 0
    FAILED = 1
    WRONG_INPUT = 2
    SIMULATOR_FAILED = 3
    NOT_WRITTEN = 4
    FAULT = 5
    INTERRUPTED = 130
    TERMINATED = 143


MEANING = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "done, but a check or a part of the work failed",
    ExitCode.WRONG_INPUT: "the input is wrong",
    ExitCode.SIMULATOR_FAILED: "a simulator failed or is missing",
    ExitCode.NOT_WRITTEN: "the output can't be written",
    ExitCode.FAULT: "a worker process died, or hallspice has a fault",
    ExitCode.INTERRUPTED: "interrupted with Ctrl-C",
    ExitCode.TERMINATED: "ended by SIGTERM",
}
"""Exit codes in words."""

_NEAREST = "hallspice.nearest"
_ASCII = {"µ": "u", "Ω": "ohm", "°": "deg", "²": "^2", "³": "^3", "±": "+-", "→": "->"}

PACKAGES = ("compact_model", "veriloga", "circuits", "nn_mapping")
"""Packages of hallspice whose names others use too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a command did."""

    result: Mapping[str, JsonValue]
    """Plain data: what ``json.dumps`` takes."""
    files: Sequence[Path] = ()
    """Files that were written."""
    warnings: Sequence[str] = ()
    text: str = ""
    """The result for people; long commands have said it while they ran."""
    passed: bool = True
    """False when a check or a part of the work failed."""

    @classmethod
    def of_folder(cls, results: Results, out: Path, *, text: str = "", passed: bool = True) -> Outcome:
        """The outcome of a command that wrote the files of `results` into the folder `out`."""
        document = results.model_dump(mode="json")
        files = [out / name for name in results.files]
        warnings = document.get("warnings", ())
        return cls(result=document, files=files, warnings=warnings, text=text, passed=passed)

    @property
    def exit_code(self) -> ExitCode:
        """What the shell is told."""
        return ExitCode.DONE if self.passed else ExitCode.FAILED


class TerminatedError(BaseException):
    """The process was asked to end (SIGTERM)."""


class Commands(TyperGroup):
    """A group of commands that return an `Outcome`: said in one place, as text or as one JSON document."""

    def main(self, args: Sequence[str] | None = None, *positional: Any, **settings: Any) -> Any:
        """Run a command, say what came of it, and end the process with its exit code."""
        arguments = sys.argv[1:] if args is None else list(args)
        as_json = "--json" in arguments
        settings["standalone_mode"] = False
        _make_printable(sys.stdout, sys.stderr)
        try:
            with redirect_stdout(sys.stderr) if as_json else nullcontext(), remembered():
                found = super().main(arguments, *positional, **settings)
            code, content = _said(found, as_json)
        except (Exception, TerminatedError) as error:
            code, content = _failed(error, arguments)
        name = next((one for one in arguments if one in self.commands), None)
        _end(name, code, content, as_json)


Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document; everything else goes to standard error.")
]


def command_of(
    app: typer.Typer, *examples: str
) -> Callable[[Callable[..., Outcome]], Callable[..., Outcome]]:
    """Make a function a command of `app`: with ``--json``, and with examples below its help."""

    def register(function: Callable[..., Outcome]) -> Callable[..., Outcome]:
        signature = inspect.signature(function, eval_str=True)
        option = inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Json)

        @functools.wraps(function)
        def run(*, as_json: bool, **values: Any) -> Outcome:  # noqa: ARG001 - read by Commands.main
            return function(**values)

        parameters = [*signature.parameters.values(), option]
        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        lines = "\n".join(f"  {example}" for example in examples)
        app.command(epilog=f"\b\nExamples:\n{lines}")(run)
        return function

    return register


def refuse_other_packages() -> None:
    """End the process when another installed package stands where one of hallspice's own should."""
    arguments = sys.argv[1:]
    try:
        _check_packages()
    except ValueError as error:
        name = next((one for one in arguments if not one.startswith("-")), None)
        _end(name, *_failed(error, arguments), as_json="--json" in arguments)


def _check_packages() -> None:
    home = Path(__file__).parent.parent
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        places = [] if spec is None else list(spec.submodule_search_locations or [str(spec.origin)])
        if home / name not in map(Path, places):
            found = places[0] if places else "nowhere"
            raise ValueError(
                f"the package {name!r} is found in {found} instead of {home / name}: uninstall the other package of "
                "this name (pip uninstall), or install hallspice into a virtual environment of its own"
            )


def _make_printable(*streams: TextIO) -> None:
    """Let a stream whose encoding lacks a character print something near it instead of ending the command."""
    codecs.register_error(_NEAREST, _nearest)
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_NEAREST)


def _nearest(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(_ASCII.get(letter, "?") for letter in missing), error.end


def _printed(last: str, code: int) -> int:
    """Print what is left and bring it out; the exit code, which says so when that can't be done."""
    try:
        sys.stdout.write(last)
        sys.stdout.flush()
    except OSError as error:
        typer.echo(f"standard output: cannot be written: {error.strerror or error}", err=True)
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # what is still buffered has no place to go
        return ExitCode.NOT_WRITTEN
    return code


def _failed(error: BaseException, arguments: Sequence[str]) -> tuple[int, dict[str, object]]:
    """Say an error to people, and return its exit code and what programs are told."""
    if "--debug" in arguments:
        raise error
    code, message = _explained(error)
    if hasattr(error, "show") and "--json" not in arguments:
        error.show()  # the command line is wrong: with the usage of the command
    else:
        typer.echo(message, err=True)
    return code, {"error": message}


def _end(name: str | None, code: int, content: Mapping[str, object], as_json: bool) -> NoReturn:
    """End the process with an exit code; programs are told in one JSON document."""
    about = {"command": name, "exit_code": int(code), **content}
    document = json.dumps(about, indent=1, allow_nan=False) + "\n" if as_json else ""
    sys.exit(_printed(document, code))


def _said(found: object, as_json: bool) -> tuple[int, dict[str, object]]:
    """Say an outcome to people, and return its exit code and what programs are told."""
    if not isinstance(found, Outcome):  # --help and --version end without one, Ctrl-C with its exit code
        code = int(found) if isinstance(found, int) else ExitCode.DONE
        if code == ExitCode.INTERRUPTED:
            raise TerminatedError(ExitCode.INTERRUPTED)
        return code, {}
    if found.text and not as_json:
        typer.echo(found.text)
    for warning in found.warnings:
        typer.echo(f"Warning: {warning}", err=True)
    files = [str(path) for path in found.files]
    return found.exit_code, {"result": found.result, "files": files, "warnings": list(found.warnings)}


def _explained(error: BaseException) -> tuple[ExitCode, str]:
    """Exit code and message of an error."""
    from concurrent.futures.process import BrokenProcessPool

    from hallspice.files import NO_ROOM, OutputError

    if isinstance(error, TerminatedError):
        code = ExitCode(error.args[0])
        return code, f"{MEANING[code]}; nothing half-written is left"
    if hasattr(error, "format_message"):
        return ExitCode.WRONG_INPUT, error.format_message()
    if isinstance(error, OutputError) or (isinstance(error, OSError) and error.errno in NO_ROOM):
        return ExitCode.NOT_WRITTEN, _one_screen(error)
    # A network that can't learn is a RuntimeError by its name only: the configuration asks for it.
    if isinstance(error, (ValueError, OSError)) or type(error).__name__ == "DeadNetworkError":
        return ExitCode.WRONG_INPUT, _one_screen(error)
    if isinstance(error, BrokenProcessPool):
        return ExitCode.FAULT, "a worker process was killed (is there enough memory?)"
    if isinstance(error, MemoryError):
        return ExitCode.FAULT, f"there is not enough memory: {error}"
    if _is_simulator_error(error):
        deck = getattr(error, "deck", "")
        return ExitCode.SIMULATOR_FAILED, _one_screen(error) + (_kept(deck) if deck else "")
    trace = "".join(traceback.format_exception(error))
    return ExitCode.FAULT, f"{trace}This is a fault of hallspice; please report it with the lines above"


def _is_simulator_error(error: BaseException) -> bool:
    from circuits.spice.engine import SpiceError
    from veriloga.programs import ProgramError

    return isinstance(error, (SpiceError, ProgramError))


def _one_screen(error: BaseException) -> str:
    message = str(error)
    if isinstance(error, OSError) and error.filename is not None:
        message = f"{error.filename}: {error.strerror}"
    parts = [line if len(line) <= WIDTH else f"{line[:WIDTH]}..." for line in message.splitlines()]
    parts = parts or [f"unknown error ({type(error).__name__})"]
    if len(parts) > LINES:
        parts = [*parts[:LINES], f"... and {len(parts) - LINES} more lines (--debug shows all)"]
    return "\n".join(parts)


def _kept(deck: str) -> str:
    """Keep the deck of a failed simulation for the user to look at; its first lines, and where it is."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="hallspice-failed-", suffix=".cir", delete=False, encoding="utf-8"
    ) as file:
        file.write(deck)
    head = "\n".join(f"    {line[:100]}" for line in deck.splitlines()[:5])
    return f"\nThe deck is in {file.name}; it begins with\n{head}"
