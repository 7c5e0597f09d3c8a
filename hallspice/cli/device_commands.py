"""Commands of one device: its card, its response, fits and tables."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated

import typer

from hallspice.cli.options import CardArgument, Quiet, ResultFolder, card_file
from hallspice.commands import Outcome, command_of

commands = typer.Typer()
command = functools.partial(command_of, commands)


@command("hallspice device --out results/device")
def device(out: ResultFolder, card: CardArgument = "default", quiet: Quiet = False) -> Outcome:
    """Compare a device card with the published facts, and draw its characteristic curves."""
    from hallspice.characterisation.examine import device as examine
    from hallspice.progress import reporter

    with reporter(quiet) as progress:
        return Outcome.of_folder(examine(card_file(card), out, progress=progress), out)


@command("hallspice pulse default pulses.csv --out trace.csv")
def pulse(
    card: CardArgument,
    pulses: Annotated[Path, typer.Argument(help="CSV: i_a,t_pulse_s,h_x_oe and optionally event,h_z_oe.")],
    out: Annotated[Path, typer.Option(help="CSV to write: the device after each line.", show_default=False)],
    quiet: Quiet = False,
) -> Outcome:
    """Response of a device to any list of pulses, saturations and presets."""
    from hallspice.characterisation.respond import respond
    from hallspice.progress import reporter

    with reporter(quiet) as progress:
        trace, warnings = respond(card_file(card), pulses, out, progress=progress)
    energy, last = float(trace.energy.sum()), trace[-1].hall_resistance
    return Outcome(
        result={"events": len(trace), "r_xy_ohm": last, "energy_j": energy},
        files=[out],
        warnings=warnings,
        text=f"Wrote {out}: {len(trace)} events, R_xy = {last:.4f} ohm after the last, {energy:.4g} J in all",
    )


@command("hallspice look examples/data/synthetic_full/loops.csv --out look")
def look(
    file: Annotated[Path, typer.Argument(help="Table as the instrument wrote it.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder for data.yaml and the report.", show_default=False)],
    header: Annotated[int | None, typer.Option(help="Line of the names.", min=1)] = None,
    separator: Annotated[str | None, typer.Option(help='",", ";", tab, blanks or blank.')] = None,
    decimal: Annotated[str | None, typer.Option(help='"." or ",".')] = None,
    encoding: Annotated[str | None, typer.Option(help="utf-8, utf-16, latin-1 or another.")] = None,
    sheet: Annotated[str | None, typer.Option(help="Sheet of an Excel file.")] = None,
) -> Outcome:
    """Look at a file of measurements: what would be read, and a first data.yaml for `hallspice fit`."""
    from compact_model.measured.tables import layout_of
    from hallspice.fitting.look import look as look_at
    from hallspice.fitting.look_page import told

    layout = layout_of(header=header, separator=separator, decimal=decimal, encoding=encoding, sheet=sheet)
    results = look_at(file, out, layout)
    return Outcome.of_folder(results, out, text=told(results, out))


@command("hallspice fit examples/data/paper/paper.yaml --out card.yaml")
def fit(
    data: Annotated[
        Path, typer.Argument(help="YAML that names tables, columns and units.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Card to write.", show_default=False)],
    report: Annotated[
        Path | None, typer.Option(help="Folder of the report; default: the card's name with _report.")
    ] = None,
    quiet: Quiet = False,
) -> Outcome:
    """Fit a device card to your measurements: values with intervals, and what the data leave open."""
    from hallspice.fitting.fit import fit as fit_data
    from hallspice.progress import reporter

    folder = report or out.with_name(f"{out.stem}_report")
    with reporter(quiet) as progress:
        results = fit_data(data, out, folder, progress=progress)
    files = [out, *(folder / name for name in results.files)]
    return Outcome(result=results.model_dump(mode="json"), files=files, warnings=results.warnings)


@command("hallspice measure default --protocol loops --out data")
def measure(
    card: CardArgument,
    out: Annotated[Path, typer.Option(help="Folder for the data set.", show_default=False)],
    protocol: Annotated[
        str, typer.Option(help="loops, widths, window, shift, ladder, devices, or full.")
    ] = "full",
    points: Annotated[int, typer.Option(help="Readings per loop.", min=20, max=100_000)] = 400,
    devices: Annotated[int, typer.Option(help="Devices (protocol devices).", min=1, max=1000)] = 20,
    broken: Annotated[int, typer.Option(help="Devices that do not switch.", min=0)] = 0,
    noise: Annotated[str, typer.Option(help="Standard deviation of one reading.")] = "1 mohm",
    seed: Annotated[int, typer.Option(help="Seed of everything random.", min=0, max=2**31 - 1)] = 1,
) -> Outcome:
    """Measure a card in a synthetic laboratory: noise, drift, steps, missing points; labelled synthetic."""
    from compact_model.measured.laboratory import Protocol
    from hallspice.fitting.fit import measure as measure_card

    if protocol not in list(Protocol):
        raise ValueError(f"protocol = {protocol!r} is not known, allowed: {', '.join(Protocol)}")
    results = measure_card(
        card_file(card),
        Protocol(protocol),
        out,
        seed=seed,
        points=points,
        devices=devices,
        broken=broken,
        noise=noise,
    )
    text = (
        f"Wrote {', '.join(results.files)} to {out}. Next: hallspice fit {out / 'data.yaml'} --out card.yaml"
    )
    return Outcome.of_folder(results, out, text=text)


@command("hallspice levels examples/data/synthetic_ladder/data.yaml --out levels")
def levels(
    source: Annotated[
        Path,
        typer.Argument(
            help="Data set (YAML) with repeated ladders, or state table (CSV).", show_default=False
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the tables.", show_default=False)],
    error_rate: Annotated[float, typer.Option(help="Largest probability of a wrong neighbour.")] = 0.01,
) -> Outcome:
    """Levels from repeated write ladders: how many can be told apart, confusion, a better ladder.

    A state table has the columns mean_ohm and sigma_ohm; it becomes a card without physics.
    """
    from hallspice.fitting.ladder import describe_levels

    results, said = describe_levels(source, out, error_rate)
    return Outcome.of_folder(results, out, text="\n".join(said))


@command("hallspice exchange default --out exchange")
def exchange(
    card: CardArgument,
    out: Annotated[Path, typer.Option(help="Folder for the tables.", show_default=False)],
    pulses: Annotated[int, typer.Option(help="Pulses from end to end.", min=2, max=10_000)] = 32,
) -> Outcome:
    """Levels and pulse response of a card as CSV for users of NeuroSim and aihwkit."""
    from hallspice.fitting.ladder import exchange as write_tables

    results = write_tables(card_file(card), out, pulses)
    return Outcome.of_folder(results, out, text=f"Wrote {', '.join(results.files)} to {out}")
