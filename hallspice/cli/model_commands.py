"""Commands of the device's models for other simulators."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated

import typer

from hallspice.cli.options import Quiet, card_file
from hallspice.commands import Outcome, command_of
from veriloga.dialects import Dialect, ExportForm

commands = typer.Typer()
command = functools.partial(command_of, commands)


Grains = Annotated[int | None, typer.Option(help="Number of grains K; the card's by default (32).")]
LargestError = Annotated[
    float, typer.Option(help="Largest difference from the card's closed law that is accepted.", min=0.0)
]


@command(
    "hallspice export veriloga --out sot_hallbar",
    "hallspice export spice --dialect ltspice --card card.yaml --out for_ltspice",
)
def export(
    form: Annotated[ExportForm, typer.Argument(help="What for.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder for the files.", show_default=False)],
    card: Annotated[
        str, typer.Option(help="Device card: a file, or 'default' for the shipped one.")
    ] = "default",
    dialect: Annotated[Dialect, typer.Option(help="Language of `spice`.")] = Dialect.NGSPICE,
    grains: Grains = None,
    largest_error: LargestError = 0.01,
) -> Outcome:
    """Write the device for your own simulator: models, symbols, test benches, expected results, README."""
    from hallspice.model.export import export as write_export

    results = write_export(form, card_file(card), dialect, grains, out, largest_error=largest_error)
    text = f"Wrote {len(results.files) - 1} files to {out}. Next: read {out / 'README.md'}, or "
    return Outcome.of_folder(results, out, text=f"{text}hallspice verify {out} --out certificate")


@command("hallspice verify --quick --out certificate", "hallspice verify sot_hallbar --out certificate")
def verify(
    out: Annotated[Path, typer.Option(help="Folder for the certificate.", show_default=False)],
    what: Annotated[
        str, typer.Argument(help="Folder of an export, or a card: a file, or 'default' for the shipped one.")
    ] = "default",
    quick: Annotated[bool, typer.Option("--quick", help="A short pulse train only.")] = False,
    quiet: Quiet = False,
    grains: Grains = None,
    largest_error: LargestError = 0.01,
) -> Outcome:
    """Prove the forms of the device equal in every engine found, or run the benches of an export as they are.

    The exit code is 1 when a check fails.
    """
    from hallspice.model.export import verify_card, verify_export
    from hallspice.progress import reporter

    if Path(what).is_dir():
        run, lines = verify_export(Path(what), out)
        return Outcome.of_folder(run, out, text="\n".join(lines), passed=run.passed)
    with reporter(quiet) as progress:
        certified, lines = verify_card(
            card_file(what), grains, out, largest_error=largest_error, quick=quick, progress=progress
        )
    return Outcome.of_folder(certified, out, text="\n".join(lines), passed=certified.passed)
