"""The `hallspice` command line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

BAD_INPUT = 2
SIMULATOR_FAILED = 3

app = typer.Typer(
    name="hallspice",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="SOT Hall-bar synapses from physics to network accuracy. "
    "Exit codes: 0 done, 2 the input is wrong, 3 the simulator failed.",
)


class WriteEngine(StrEnum):
    """What moves the states of a written array."""

    MODEL = "model"
    NGSPICE = "ngspice"


ConfigFile = Annotated[
    Path, typer.Argument(help="YAML configuration (see `hallspice init`).", show_default=False)
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print results and warnings, no progress.")]
Seed = Annotated[int | None, typer.Option(help="Replace the configuration's seed.", min=0, max=2**31 - 1)]


class _Options:
    debug = False


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"hallspice {version('hallspice')}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Options of every command."""
    _Options.debug = debug


@app.command()
def doctor() -> None:
    """Show what is found on this machine, and what therefore can and can't be run."""
    from hallspice import doctor as examination

    with errors_as_messages():
        examination.show()


@app.command()
def schema() -> None:
    """Print the JSON schema of the configuration, for editors that check YAML."""
    import json

    from hallspice.config import Config

    typer.echo(json.dumps(Config.model_json_schema(), indent=2))


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="File to write.")] = Path("hallspice.yaml"),
) -> None:
    """Write a commented starter configuration."""
    from hallspice.files import write_text
    from hallspice.starter import starter_text

    with errors_as_messages():
        if path.exists():
            raise ValueError(f"{path}: exists already; name another file")
        write_text(path, starter_text())
        typer.echo(f"Wrote {path}. Next: hallspice run {path} --out results")


@app.command()
def device(
    out: Annotated[Path, typer.Option(help="Folder for the results.", show_default=False)],
    card: Annotated[Path | None, typer.Argument(help="Device card; default: the shipped one.")] = None,
    quiet: Quiet = False,
) -> None:
    """Compare a device card with the published facts, and draw its characteristic curves.

    Example: hallspice device --out results/device
    """
    with errors_as_messages():
        from hallspice.device import examine
        from hallspice.progress import reporter

        with reporter(quiet) as progress:
            examine(card, out, progress=progress)


@app.command()
def pulse(
    card: Annotated[str, typer.Argument(help="Device card, or 'default' for the shipped one.")],
    pulses: Annotated[Path, typer.Argument(help="CSV: i_a,t_pulse_s,h_x_oe and optionally event,h_z_oe.")],
    out: Annotated[Path, typer.Option(help="CSV to write: the device after each line.", show_default=False)],
) -> None:
    """Response of a device to any list of pulses, saturations and presets.

    Example: hallspice pulse default pulses.csv --out trace.csv
    """
    with errors_as_messages():
        from hallspice.device import respond

        trace = respond(None if card == "default" else Path(card), pulses, out)
        for line, point in enumerate(trace, start=1):
            for warning in point.warnings:
                typer.echo(f"Warning: event {line}: {warning}", err=True)
        energy = sum(point.energy for point in trace)
        last = trace[-1].hall_resistance
        typer.echo(
            f"Wrote {out}: {len(trace)} events, R_xy = {last:.4f} ohm after the last, {energy:.4g} J in all"
        )


@app.command()
def fit(
    data: Annotated[
        Path, typer.Argument(help="YAML that names tables, columns and units.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Card to write.", show_default=False)],
    report: Annotated[
        Path | None, typer.Option(help="Folder of the report; default: the card's name with _report.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Fit a device card to your measurements: values with intervals, and what the data leave open.

    Example: hallspice fit examples/data/paper/paper.yaml --out card.yaml
    """
    with errors_as_messages():
        from hallspice.fit import fit_data
        from hallspice.progress import reporter

        with reporter(quiet) as progress:
            fit_data(data, out, report or out.with_name(f"{out.stem}_report"), progress=progress)


@app.command()
def measure(
    card: Annotated[str, typer.Argument(help="Device card, or 'default' for the shipped one.")],
    out: Annotated[Path, typer.Option(help="Folder for the data set.", show_default=False)],
    protocol: Annotated[
        str, typer.Option(help="loops, widths, window, shift, ladder, devices, or full.")
    ] = "full",
    points: Annotated[int, typer.Option(help="Readings per loop.", min=20, max=100_000)] = 400,
    devices: Annotated[int, typer.Option(help="Devices (protocol devices).", min=1, max=1000)] = 20,
    broken: Annotated[int, typer.Option(help="Devices that do not switch.", min=0)] = 0,
    noise: Annotated[str, typer.Option(help="Standard deviation of one reading.")] = "1 mohm",
    seed: Annotated[int, typer.Option(help="Seed of everything random.", min=0, max=2**31 - 1)] = 1,
) -> None:
    """Measure a card in a synthetic laboratory: noise, drift, steps, missing points; labelled synthetic.

    Example: hallspice measure default --protocol full --out data
    """
    with errors_as_messages():
        from compact_model.laboratory import Protocol
        from hallspice.fit import measure as measure_card

        if protocol not in list(Protocol):
            raise ValueError(f"protocol = {protocol!r} is not known, allowed: {', '.join(Protocol)}")
        names = measure_card(
            None if card == "default" else Path(card),
            Protocol(protocol),
            out,
            seed=seed,
            points=points,
            devices=devices,
            broken=broken,
            noise=noise,
        )
        typer.echo(
            f"Wrote {', '.join(names)} to {out}. Next: hallspice fit {out / 'data.yaml'} --out card.yaml"
        )


@app.command()
def levels(
    source: Annotated[
        Path,
        typer.Argument(
            help="Data set (YAML) with repeated ladders, or state table (CSV).", show_default=False
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the tables.", show_default=False)],
    error_rate: Annotated[float, typer.Option(help="Largest probability of a wrong neighbour.")] = 0.01,
) -> None:
    """Levels from repeated write ladders: how many can be told apart, confusion, a better ladder.

    A state table has the columns mean_ohm and sigma_ohm; it becomes a card without physics.

    Example: hallspice levels examples/data/synthetic_ladder/data.yaml --out levels
    """
    with errors_as_messages():
        from hallspice.levels import describe_levels

        for sentence in describe_levels(source, out, error_rate):
            typer.echo(sentence)


@app.command()
def exchange(
    card: Annotated[str, typer.Argument(help="Device card, or 'default' for the shipped one.")],
    out: Annotated[Path, typer.Option(help="Folder for the tables.", show_default=False)],
    pulses: Annotated[int, typer.Option(help="Pulses from end to end.", min=2, max=10_000)] = 32,
) -> None:
    """Levels and pulse response of a card as CSV for users of NeuroSim and aihwkit.

    Example: hallspice exchange default --out exchange
    """
    with errors_as_messages():
        from hallspice.levels import exchange as write_tables

        names = write_tables(None if card == "default" else Path(card), out, pulses)
        typer.echo(f"Wrote {', '.join(names)} to {out}")


@app.command()
def run(
    config: ConfigFile,
    out: Annotated[Path, typer.Option(help="Folder for the results.", show_default=False)],
    quiet: Quiet = False,
    seed: Seed = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of the data set's four idx files, plain or .gz.")
    ] = None,
    uncertainty: Annotated[
        int,
        typer.Option(
            help="Evaluate again on N cards drawn from the errors of a fitted card.", min=0, max=10_000
        ),
    ] = 0,
) -> None:
    """Train, map, evaluate through the circuit, check in ngspice, report.

    Example: hallspice run examples/mnist_active_parallel.yaml --out results/demo
    """
    from hallspice.progress import reporter
    from hallspice.run import run as run_configuration

    with errors_as_messages(), reporter(quiet) as progress:
        run_configuration(
            config, out, seed=seed, data_dir=data_dir, progress=progress, uncertainty=uncertainty
        )


@app.command()
def train(
    config: ConfigFile,
    out: Annotated[Path, typer.Option(help="Folder for the network.", show_default=False)],
    quiet: Quiet = False,
    seed: Seed = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of the data set's four idx files, plain or .gz.")
    ] = None,
) -> None:
    """Train the network of a configuration on the device's levels: network.npz, curves, accuracy.

    Example: hallspice train examples/mnist_active_parallel.yaml --out results/network
    """
    from hallspice.progress import reporter
    from hallspice.training import train as train_configuration

    with errors_as_messages(), reporter(quiet) as progress:
        train_configuration(config, out, seed=seed, data_dir=data_dir, progress=progress)


@app.command()
def evaluate(
    config: ConfigFile,
    out: Annotated[Path, typer.Option(help="Folder for the results.", show_default=False)],
    network: Annotated[
        Path | None, typer.Option(help="network.npz of an earlier training; default: train it.")
    ] = None,
    quiet: Quiet = False,
    seed: Seed = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of the data set's four idx files, plain or .gz.")
    ] = None,
) -> None:
    """Accuracy on many chips: spread, read noise, stuck cells, drift, one at a time and together.

    Example: hallspice evaluate chips.yaml --network results/network/network.npz --out results/chips
    """
    from hallspice.evaluation import evaluate as evaluate_configuration
    from hallspice.progress import reporter

    with errors_as_messages(), reporter(quiet) as progress:
        evaluate_configuration(
            config, out, network_file=network, seed=seed, data_dir=data_dir, progress=progress
        )


@app.command()
def paper(
    out: Annotated[Path, typer.Option(help="Folder for the results.", show_default=False)],
    seeds: Annotated[int, typer.Option(help="Independent trainings of each network.", min=1, max=20)] = 2,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder with fashion-mnist (and mnist, when it holds such a folder).")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="One epoch on a few images: shows that everything runs.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Train the paper's networks again, with its recipe and a good one; half an hour per seed on two cores.

    Example: hallspice paper --seeds 2 --out results/paper
    """
    from hallspice.paper import reproduce
    from hallspice.progress import reporter

    with errors_as_messages(), reporter(quiet) as progress:
        reproduce(out, seeds=seeds, data_dir=data_dir, quick=quick, progress=progress)


class DeviceForm(StrEnum):
    """Form of the device in a netlist; the same names as in `hallspice.device_netlist`."""

    FROZEN = "frozen"
    SUBCKT = "subckt"
    OSDI = "osdi"


class ArrayDialect(StrEnum):
    """Language of a netlist; the same names as in `hallspice.device_netlist`."""

    NGSPICE = "ngspice"
    XYCE = "xyce"
    SPECTRE = "spectre"


class Operation(StrEnum):
    """What a netlist does."""

    READ = "read"
    WRITE = "write"


@app.command()
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
) -> None:
    """Write a tile as a netlist that `ngspice -b FILE` runs as it is.

    It has the configured size. A read has levels of the device drawn with the seed, and full inputs; a write is a
    transient in which the devices switch.
    """
    from hallspice.arrays import write_netlist

    with errors_as_messages():
        if operation is Operation.WRITE:
            if device is None or dialect is not ArrayDialect.NGSPICE:
                raise ValueError(
                    "--operation write needs --device subckt or osdi, and is written for ngspice only"
                )
            from hallspice import write_netlist as writes
            from hallspice.device_netlist import DeviceForm as Form

            files = writes.write_ladder_netlist(config, out, Form(device), seed=seed)
            typer.echo(f"Wrote {', '.join(map(str, files))}. Next, in its folder: ngspice -b {out.name}")
            return
        if device is not None:
            from hallspice import device_netlist as forms

            form, language = forms.DeviceForm(device), forms.ArrayDialect(dialect)
            files = forms.write_device_netlist(config, out, form, language, seed=seed)
            typer.echo(f"Wrote {', '.join(map(str, files))}")
            return
        if dialect is not ArrayDialect.NGSPICE:
            raise ValueError(f"--dialect {dialect.value} needs --device: plain cells are written for ngspice")
        write_netlist(config, out, seed=seed)
        typer.echo(f"Wrote {out}. Next: ngspice -b {out}")


class Engine(StrEnum):
    """Who solves the network; the same names as in `hallspice.arrays`, which is slow to import."""

    NODAL = "nodal"
    TRANSFER = "transfer"
    NGSPICE = "ngspice"


@app.command()
def read(
    config: ConfigFile,
    states: Annotated[
        Path, typer.Option(help="CSV of cell states in ohm, rows x columns.", show_default=False)
    ],
    inputs: Annotated[
        Path, typer.Option(help="CSV of inputs in V or A, one line per vector.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="CSV to write: outputs of the columns.", show_default=False)],
    engine: Annotated[Engine, typer.Option(help="Solver.")] = Engine.NODAL,
    full: Annotated[
        bool, typer.Option("--full", help="Also write all node voltages and branch currents.")
    ] = False,
) -> None:
    """Read your own array: any matrix of states with any inputs.

    Example: hallspice read array.yaml --states states.csv --inputs inputs.csv --out outputs.csv
    """
    with errors_as_messages():
        from hallspice import arrays

        typer.echo(
            arrays.read_array(config, states, inputs, out, engine=arrays.Engine(engine.value), full=full)
        )


@app.command()
def compare(
    config: ConfigFile,
    out: Annotated[Path, typer.Option(help="Folder for the results.", show_default=False)],
    quiet: Quiet = False,
    seed: Seed = None,
) -> None:
    """Try the same array in every architecture: errors, noise, energy, time, voltage, and which of them works.

    Example: hallspice compare examples/compare.yaml --out results/compare
    """
    with errors_as_messages():
        from hallspice.comparison import compare as compare_architectures
        from hallspice.progress import reporter

        with reporter(quiet) as progress:
            compare_architectures(config, out, seed=seed, progress=progress)


class ExportForm(StrEnum):
    """What is exported; the same names as in `veriloga.package`, which is slow to import."""

    VERILOGA = "veriloga"
    SPICE = "spice"
    SPECTRE = "spectre"


class SpiceDialect(StrEnum):
    """Whose subcircuit language; the same names as in `veriloga.subcircuit`."""

    NGSPICE = "ngspice"
    XYCE = "xyce"
    LTSPICE = "ltspice"
    HSPICE = "hspice"


CardName = Annotated[str, typer.Option(help="Name of the shipped card, or path of a card file.")]
Grains = Annotated[int | None, typer.Option(help="Number of grains K; the card's by default (32).")]
LargestError = Annotated[
    float, typer.Option(help="Largest difference from the card's closed law that is accepted.", min=0.0)
]


@app.command()
def export(
    form: Annotated[ExportForm, typer.Argument(help="What for.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder for the files.", show_default=False)],
    card: CardName = "pt_ruo2_0p5",
    dialect: Annotated[SpiceDialect, typer.Option(help="Language of `spice`.")] = SpiceDialect.NGSPICE,
    grains: Grains = None,
    largest_error: LargestError = 0.01,
) -> None:
    """Write the device for your own simulator: models, symbols, test benches, expected results, README.

    Example: hallspice export veriloga --out sot_hallbar
    """
    from hallspice.export import export as write_export
    from veriloga.package import Form
    from veriloga.subcircuit import Dialect

    with errors_as_messages():
        names = write_export(Form(form), card, Dialect(dialect), grains, out, largest_error=largest_error)
        typer.echo(
            f"Wrote {len(names)} files to {out}. Next: read {out / 'README.md'}, or hallspice verify {out}"
        )


@app.command()
def verify(
    out: Annotated[Path, typer.Option(help="Folder for the certificate.", show_default=False)],
    what: Annotated[
        str, typer.Argument(help="Folder of an export, or a card (its name or its file).")
    ] = "pt_ruo2_0p5",
    quick: Annotated[bool, typer.Option("--quick", help="A short pulse train only.")] = False,
    quiet: Quiet = False,
    grains: Grains = None,
    largest_error: LargestError = 0.01,
) -> None:
    """Prove the forms of the device equal in every engine found, or run the benches of an export as they are.

    Exit code 1 when a check fails. Example: hallspice verify --out certificate
    """
    from hallspice.export import verify_card, verify_export
    from hallspice.progress import reporter

    with errors_as_messages():
        if Path(what).is_dir():
            benches = verify_export(Path(what), out)
            for bench in benches:
                verdict = (
                    bench.skipped
                    or f"{'pass' if bench.passed else 'FAIL'}, difference {bench.difference:.1e}"
                )
                typer.echo(f"{bench.deck}: {verdict}")
            passed = all(bench.passed or bench.skipped for bench in benches)
        else:
            with reporter(quiet) as progress:
                certificate = verify_card(
                    what, grains, out, largest_error=largest_error, quick=quick, progress=progress
                )
            for found in certificate.engines:
                typer.echo(f"{found.engine.value}: {'not run, ' + found.missing if found.missing else 'run'}")
            failed = [check for check in certificate.checks if not check.passed]
            for check in failed:
                typer.echo(
                    f"FAIL: {check.name}, {check.engine}: {check.difference:.1e} > {check.tolerance:.0e}"
                )
            passed = certificate.passed
            typer.echo(
                f"{len(certificate.checks)} checks, {len(failed)} failed. Certificate: {out / 'certificate.html'}"
            )
    if not passed:
        raise typer.Exit(1)


@app.command()
def write(
    config: ConfigFile,
    levels: Annotated[
        Path, typer.Option(help="CSV of wanted levels R_xy in ohm, rows x columns.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Folder for the results.", show_default=False)],
    engine: Annotated[WriteEngine, typer.Option(help="What moves the states.")] = WriteEngine.MODEL,
    quiet: Quiet = False,
    seed: Seed = None,
) -> None:
    """Program an array: pulses, energy, time, disturb, and the cells that can't be written.

    Example: hallspice write array.yaml --levels levels.csv --out results/write
    """
    with errors_as_messages():
        from hallspice.progress import reporter
        from hallspice.write import write_array

        with reporter(quiet) as progress:
            write_array(
                config, levels, out, use_ngspice=engine is WriteEngine.NGSPICE, seed=seed, progress=progress
            )


@contextmanager
def errors_as_messages() -> Iterator[None]:
    """Turn errors of the input and of the simulator into one screen of text and an exit code."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        code = _exit_code(error)
        if _Options.debug or code is None:
            raise
        typer.echo(_one_screen(str(error)), err=True)
        if deck := getattr(error, "deck", ""):
            typer.echo(_kept(deck), err=True)
        raise typer.Exit(code) from None


def _exit_code(error: Exception) -> int | None:
    from circuits.ngspice import SpiceError
    from veriloga.programs import ProgramError

    if isinstance(error, (SpiceError, ProgramError)):
        return SIMULATOR_FAILED
    # A network that can't learn is a RuntimeError by its name only: the configuration asks for it.
    wrong_input = isinstance(error, ValueError) or type(error).__name__ == "DeadNetworkError"
    return BAD_INPUT if wrong_input else None


def _kept(deck: str) -> str:
    """Keep the deck of a failed simulation for the user to look at; its first lines, and where it is."""
    import tempfile

    with tempfile.NamedTemporaryFile(
        "w", prefix="hallspice-failed-", suffix=".cir", delete=False, encoding="utf-8"
    ) as file:
        file.write(deck)
    head = "\n".join(f"    {line[:100]}" for line in deck.splitlines()[:5])
    return f"The deck is in {file.name}; it begins with\n{head}"


def _one_screen(message: str, lines: int = 30) -> str:
    parts = message.splitlines() or ["unknown error"]
    if len(parts) > lines:
        parts = [*parts[:lines], f"... and {len(parts) - lines} more lines (--debug shows all)"]
    return "\n".join(parts)


def main() -> None:
    """Entry point of the `hallspice` command."""
    try:
        app()
    except KeyboardInterrupt:
        typer.echo("Interrupted; nothing half-written is left.", err=True)
        sys.exit(130)
