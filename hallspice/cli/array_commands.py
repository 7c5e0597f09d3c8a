"""Commands of one array: netlists, reads, comparisons, writes."""

from __future__ import annotations

import functools
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hallspice.array.read_engine import ReadEngine
from hallspice.cli.options import ConfigFile, Quiet, ResultFolder, Seed
from hallspice.commands import Outcome, command_of
from veriloga.dialects import ArrayDialect, DeviceForm

commands = typer.Typer()
command = functools.partial(command_of, commands)


def _positive_seconds(option: str, given: str) -> float:
    """A time that an option gives [s]."""
    from compact_model.cards.quantity import Quantity

    time = Quantity("s", option, above=0.0)
    try:
        return time.read(given)
    except ValueError as error:
        raise ValueError(f"{option}: {error}, allowed: {time.allowed}") from None


class Operation(StrEnum):
    """What a netlist does."""

    READ = "read"
    WRITE = "write"


@command(
    "hallspice netlist array.yaml --out read.cir",
    "hallspice netlist array.yaml --device subckt --operation write --out write.cir",
)
def netlist(
    config: ConfigFile,
    out: Annotated[Path, typer.Option(help="Netlist file to write.", show_default=False)],
    device: Annotated[
        DeviceForm | None,
        typer.Option(
            help="Put this form of the device into the cells (its file is written beside the netlist): frozen, linear; "
            "subckt, behavioural; osdi, the Verilog-A module. Without it the cells are plain linear elements."
        ),
    ] = None,
    dialect: Annotated[
        ArrayDialect, typer.Option(help="Language, with --device (xyce and spectre: written, not run).")
    ] = ArrayDialect.NGSPICE,
    operation: Annotated[
        Operation,
        typer.Option(help="read; or write (with --device subckt or osdi): the ladder into cell (0, 0)."),
    ] = Operation.READ,
    seed: Seed = None,
) -> Outcome:
    """Write a tile as a netlist that `ngspice -b FILE` runs as it is.

    It has the configured size. A read has levels of the device drawn with the seed, and full inputs; a write is a
    transient in which the devices switch.
    """
    if operation is Operation.WRITE:
        if device is None or dialect is not ArrayDialect.NGSPICE:
            raise ValueError(
                "--operation write needs --device subckt or osdi, and is written for ngspice only"
            )
        from hallspice.programming.pulse_netlist import write_ladder_netlist

        files = write_ladder_netlist(config, out, device, seed=seed)
    elif device is not None:
        from hallspice.array.read_netlist import write_device_netlist

        files = write_device_netlist(config, out, device, dialect, seed=seed)
    elif dialect is not ArrayDialect.NGSPICE:
        raise ValueError(f"--dialect {dialect.value} needs --device: plain cells are written for ngspice")
    else:
        from hallspice.array.read_netlist import write_netlist

        write_netlist(config, out, seed=seed)
        files = [out]
    following = f". Next, in its folder: ngspice -b {out.name}" if dialect is ArrayDialect.NGSPICE else ""
    return Outcome(
        result={"netlist": str(out), "dialect": dialect.value, "operation": operation.value},
        files=files,
        text=f"Wrote {', '.join(map(str, files))}{following}",
    )


@command("hallspice read array.yaml --states states.csv --inputs inputs.csv --out outputs.csv")
def read(
    config: ConfigFile,
    states: Annotated[
        Path, typer.Option(help="CSV of cell states in ohm, rows x columns.", show_default=False)
    ],
    inputs: Annotated[
        Path, typer.Option(help="CSV of inputs in V or A, one line per vector.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="CSV to write: outputs of the columns.", show_default=False)],
    engine: Annotated[ReadEngine, typer.Option(help="Solver.")] = ReadEngine.NODAL,
    full: Annotated[
        bool,
        typer.Option("--full", help="Also write all node voltages and branch currents (nodal, ngspice)."),
    ] = False,
    longest: Annotated[
        str | None,
        typer.Option(
            help="Longest time that ngspice may be expected to take, as in 300 or '1 h'; default: 300 s."
        ),
    ] = None,
    quiet: Quiet = False,
    seed: Seed = None,
) -> Outcome:
    """Read your own array: any matrix of states with any inputs."""
    from hallspice.array import read
    from hallspice.progress import reporter

    limit = None if longest is None else _positive_seconds("--longest", longest)
    with reporter(quiet) as progress:
        found = read.read_array(
            config,
            states,
            inputs,
            out,
            engine=engine,
            full=full,
            seed=seed,
            longest=limit,
            progress=progress,
        )
    names = ", ".join(map(str, found.files))
    text = f"Wrote {names}: {found.vectors} vectors x {found.columns} columns, solved by {found.how}"
    apart = found.difference
    if apart:
        text += (
            f"; from the full solution: transfer matrix {apart.transfer:.1e} of its largest entry, "
            f"outputs {apart.outputs:.1e} of the largest of a vector"
        )
    return Outcome(
        result={
            "vectors": found.vectors,
            "columns": found.columns,
            "solved_by": found.how,
            "transfer_difference": apart.transfer if apart else None,
            "output_difference": apart.outputs if apart else None,
        },
        files=found.files,
        warnings=found.warnings,
        text=text,
    )


@command("hallspice compare examples/compare.yaml --out results/compare")
def compare(config: ConfigFile, out: ResultFolder, quiet: Quiet = False, seed: Seed = None) -> Outcome:
    """Try the same array in every architecture: errors, noise, energy, time, voltage, and which of them works."""
    from hallspice.comparison.compare import compare as compare_architectures
    from hallspice.progress import reporter

    with reporter(quiet) as progress:
        results = compare_architectures(config, out, seed=seed, progress=progress)
    return Outcome.of_folder(results, out, passed=results.passed)


class WriteEngine(StrEnum):
    """What moves the states of a written array."""

    MODEL = "model"
    NGSPICE = "ngspice"


@command("hallspice write array.yaml --levels levels.csv --out results/write")
def write(
    config: ConfigFile,
    levels: Annotated[
        Path, typer.Option(help="CSV of wanted levels R_xy in ohm, rows x columns.", show_default=False)
    ],
    out: ResultFolder,
    engine: Annotated[WriteEngine, typer.Option(help="What moves the states.")] = WriteEngine.MODEL,
    quiet: Quiet = False,
    seed: Seed = None,
) -> Outcome:
    """Program an array: pulses, energy, time, disturb, and the cells that can't be written."""
    from hallspice.programming.write import write as write_array
    from hallspice.progress import reporter

    use_ngspice = engine is WriteEngine.NGSPICE
    with reporter(quiet) as progress:
        results = write_array(config, levels, out, use_ngspice=use_ngspice, seed=seed, progress=progress)
    return Outcome.of_folder(results, out)
