"""All commands, and the options of every command."""

from __future__ import annotations

from typing import Annotated

import typer

from hallspice.cli import array_commands, device_commands, model_commands, network_commands, start_commands
from hallspice.commands import MEANING, Commands

app = typer.Typer(
    name="hallspice",
    cls=Commands,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="SOT Hall-bar synapses from physics to network accuracy.",
    epilog="\b\nExit codes:\n" + "\n".join(f"  {code:<3}  {text}" for code, text in MEANING.items()),
)
for group in (start_commands, device_commands, network_commands, array_commands, model_commands):
    app.add_typer(group.commands)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"hallspice {version('hallspice')}")
        raise typer.Exit


@app.callback()
def options(
    _debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Options of every command."""
