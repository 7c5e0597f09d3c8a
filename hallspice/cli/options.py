"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[
    Path, typer.Argument(help="YAML configuration (see `hallspice init`).", show_default=False)
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print results and warnings, no progress.")]
Seed = Annotated[int | None, typer.Option(help="Replace the configuration's seed.", min=0, max=2**31 - 1)]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder of the data set's four idx files, plain or .gz.", show_default=False),
]
ResultFolder = Annotated[Path, typer.Option("--out", help="Folder for the results.", show_default=False)]
CardArgument = Annotated[
    str,
    typer.Argument(
        metavar="CARD", help="Device card: a file, or 'default' for the shipped one.", show_default=False
    ),
]


def card_file(name: str) -> Path | None:
    """File of a card; None for the shipped one."""
    return None if name in ("default", "pt_ruo2_0p5") else Path(name)
