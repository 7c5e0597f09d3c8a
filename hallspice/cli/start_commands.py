"""Commands to begin with: what is here, schemas, a first configuration."""

from __future__ import annotations

import functools
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hallspice.commands import Outcome, command_of

commands = typer.Typer()
command = functools.partial(command_of, commands)


@command("hallspice doctor", "hallspice doctor --json")
def doctor() -> Outcome:
    """Show what is found on this machine, and what therefore can and can't be run."""
    from hallspice import doctor as examination

    findings = examination.collect()
    examination.show(findings)
    return Outcome(result=examination.results(findings))


class Described(StrEnum):
    """What `hallspice schema` describes."""

    CONFIG = "config"
    RESULTS = "results"


@command("hallspice schema", "hallspice schema results", "hallspice schema results train")
def schema(
    of: Annotated[
        Described, typer.Argument(help="The configuration, or results.json.", show_default=True)
    ] = Described.CONFIG,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="COMMAND", help="Whose results; default: of every command.", show_default=False
        ),
    ] = None,
) -> Outcome:
    """Print the JSON schema of the configuration, for editors that check YAML, or of results.json."""
    import json

    if of is Described.CONFIG:
        if name is not None:
            raise ValueError(
                f"the schema of the configuration is the same for every command, also for {name}"
            )
        from hallspice.config.schema import Config

        found = Config.model_json_schema()
    else:
        from hallspice.result_schemas import MODELS, schema_of

        found = schema_of(name) if name else {one: schema_of(one) for one in MODELS}
    return Outcome(result=found, text=json.dumps(found, indent=2))


@command("hallspice init", "hallspice init mine.yaml")
def init(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="File to write.")] = Path("hallspice.yaml"),
) -> Outcome:
    """Write a commented starter configuration."""
    from hallspice.config.starter import starter_text
    from hallspice.files import write_text

    if path.exists():
        raise ValueError(f"{path}: exists already; name another file")
    write_text(path, starter_text())
    text = f"Wrote {path}. Next: hallspice run {path} --out results"
    return Outcome(result={"config": str(path)}, files=[path], text=text)
