"""The `hallspice` command line."""

from __future__ import annotations

import functools
import signal
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer

from hallspice.array.read_engine import ReadEngine
from hallspice.commands import MEANING, Commands, ExitCode, Outcome, TerminatedError, command_of
from veriloga.dialects import ArrayDialect, DeviceForm, Dialect, ExportForm

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
command = functools.partial(command_of, app)


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
DeviceCard = Annotated[
    str,
    typer.Argument(
        metavar="CARD", help="Device card: a file, or 'default' for the shipped one.", show_default=False
    ),
]


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"hallspice {version('hallspice')}")
        raise typer.Exit


def _card_file(name: str) -> Path | None:
    """File of a card; None for the shipped one."""
    return None if name in ("default", "pt_ruo2_0p5") else Path(name)


def _positive_seconds(option: str, given: str) -> float:
    """A time that an option gives [s]."""
    from compact_model.cards.quantity import Quantity

    time = Quantity("s", option, above=0.0)
    try:
        return time.read(given)
    except ValueError as error:
        raise ValueError(f"{option}: {error}, allowed: {time.allowed}") from None


@app.callback()
def options(
    _debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Options of every command."""


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


@command("hallspice device --out results/device")
def device(out: ResultFolder, card: DeviceCard = "default", quiet: Quiet = False) -> Outcome:
    """Compare a device card with the published facts, and draw its characteristic curves."""
    from hallspice.characterisation.examine import examine
    from hallspice.progress import reporter

    with reporter(quiet) as progress:
        return Outcome.of_folder(examine(_card_file(card), out, progress=progress), out)


@command("hallspice pulse default pulses.csv --out trace.csv")
def pulse(
    card: DeviceCard,
    pulses: Annotated[Path, typer.Argument(help="CSV: i_a,t_pulse_s,h_x_oe and optionally event,h_z_oe.")],
    out: Annotated[Path, typer.Option(help="CSV to write: the device after each line.", show_default=False)],
    quiet: Quiet = False,
) -> Outcome:
    """Response of a device to any list of pulses, saturations and presets."""
    from hallspice.characterisation.examine import respond
    from hallspice.progress import reporter

    with reporter(quiet) as progress:
        trace, warnings = respond(_card_file(card), pulses, out, progress=progress)
    energy, last = float(trace.energy.sum()), trace[-1].hall_resistance
    return Outcome(
        result={"events": len(trace), "r_xy_ohm": last, "energy_j": energy},
        files=[out],
        warnings=warnings,
        text=f"Wrote {out}: {len(trace)} events, R_xy = {last:.4f} ohm after the last, {energy:.4g} J in all",
    )


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
    from hallspice.fitting.fit import fit_data
    from hallspice.progress import reporter

    folder = report or out.with_name(f"{out.stem}_report")
    with reporter(quiet) as progress:
        results = fit_data(data, out, folder, progress=progress)
    files = [out, *(folder / name for name in results.files)]
    return Outcome(result=results.model_dump(mode="json"), files=files, warnings=results.warnings)


@command("hallspice measure default --protocol loops --out data")
def measure(
    card: DeviceCard,
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
    names = measure_card(
        _card_file(card),
        Protocol(protocol),
        out,
        seed=seed,
        points=points,
        devices=devices,
        broken=broken,
        noise=noise,
    )
    return Outcome(
        result={"protocol": protocol, "seed": seed, "data": str(out / "data.yaml")},
        files=[out / name for name in names],
        text=f"Wrote {', '.join(names)} to {out}. Next: hallspice fit {out / 'data.yaml'} --out card.yaml",
    )


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
    card: DeviceCard,
    out: Annotated[Path, typer.Option(help="Folder for the tables.", show_default=False)],
    pulses: Annotated[int, typer.Option(help="Pulses from end to end.", min=2, max=10_000)] = 32,
) -> Outcome:
    """Levels and pulse response of a card as CSV for users of NeuroSim and aihwkit."""
    from hallspice.fitting.ladder import exchange as write_tables

    names = write_tables(_card_file(card), out, pulses)
    files = [out / name for name in names]
    return Outcome(result={"pulses": pulses}, files=files, text=f"Wrote {', '.join(names)} to {out}")


@command("hallspice run examples/mnist_active_parallel.yaml --out results/demo")
def run(
    config: ConfigFile,
    out: ResultFolder,
    quiet: Quiet = False,
    seed: Seed = None,
    data_dir: DataDir = None,
    uncertainty: Annotated[
        int,
        typer.Option(
            help="Evaluate again on N cards drawn from the errors of a fitted card.", min=0, max=10_000
        ),
    ] = 0,
) -> Outcome:
    """Train, map, evaluate through the circuit, check in ngspice, report."""
    from hallspice.inference.run import run as run_configuration
    from hallspice.progress import reporter

    with reporter(quiet) as progress:
        results = run_configuration(
            config, out, seed=seed, data_dir=data_dir, progress=progress, uncertainty=uncertainty
        )
    return Outcome.of_folder(results, out)


@command("hallspice train examples/mnist_active_parallel.yaml --out results/network")
def train(
    config: ConfigFile,
    out: Annotated[Path, typer.Option(help="Folder for the network.", show_default=False)],
    quiet: Quiet = False,
    seed: Seed = None,
    data_dir: DataDir = None,
) -> Outcome:
    """Train the network of a configuration on the device's levels: network.npz, curves, accuracy."""
    from hallspice.networks.train import train as train_configuration
    from hallspice.progress import reporter

    with reporter(quiet) as progress:
        results = train_configuration(config, out, seed=seed, data_dir=data_dir, progress=progress)
    return Outcome.of_folder(results, out)


@command(
    "hallspice evaluate examples/mnist_active_parallel.yaml --network results/network/network.npz --out results/chips"
)
def evaluate(
    config: ConfigFile,
    out: ResultFolder,
    network: Annotated[
        Path | None, typer.Option(help="network.npz of an earlier training; default: train it.")
    ] = None,
    quiet: Quiet = False,
    seed: Seed = None,
    data_dir: DataDir = None,
) -> Outcome:
    """Accuracy on many chips: spread, read noise, stuck cells, drift, one at a time and together."""
    from hallspice.networks.evaluation import evaluate as evaluate_configuration
    from hallspice.progress import reporter

    with reporter(quiet) as progress:
        results = evaluate_configuration(
            config, out, network_file=network, seed=seed, data_dir=data_dir, progress=progress
        )
    return Outcome.of_folder(results, out)


@command(
    "hallspice paper --quick --seeds 1 --out results/quick", "hallspice paper --seeds 2 --out results/paper"
)
def paper(
    out: ResultFolder,
    seeds: Annotated[int, typer.Option(help="Independent trainings of each network.", min=1, max=20)] = 2,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder with fashion-mnist (and mnist, when it holds such a folder).", show_default=False
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="One epoch on a few images: shows that everything runs.")
    ] = False,
    quiet: Quiet = False,
) -> Outcome:
    """Train the paper's networks again, with its recipe and a good one; half an hour per seed on two cores."""
    from hallspice.paper.paper import reproduce
    from hallspice.progress import reporter

    with reporter(quiet) as progress:
        results = reproduce(out, seeds=seeds, data_dir=data_dir, quick=quick, progress=progress)
    return Outcome.of_folder(results, out)


class SweepDesign(StrEnum):
    """How the points of a sweep are chosen."""

    GRID = "grid"
    RANDOM = "random"


class Certify(StrEnum):
    """Which points of a sweep are checked in ngspice."""

    FIRST = "first"
    NONE = "none"
    ALL = "all"


@command("hallspice sweep examples/sweep_tile_wire_adc.yaml --out results/sweep")
def sweep(
    config: ConfigFile,
    out: ResultFolder,
    values: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUES",
            help="Values of a key: 32,64,128 or 0.01..1:log:5 or '10 mohm..1 ohm:lin:4'; KEY,KEY=... sets both. Again "
            "for each further key. Replaces what the section `sweep` says about the key.",
        ),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(help="Repeats with seed, seed + 1, ...", min=1, max=1000)
    ] = None,
    design: Annotated[
        SweepDesign | None, typer.Option(help="Every combination, or a Sobol sequence over ranges A..B.")
    ] = None,
    points: Annotated[int | None, typer.Option(help="Points of a random design.", min=1, max=65536)] = None,
    certify: Annotated[
        Certify | None,
        typer.Option(
            help="Check in ngspice: the first point of each architecture and tile size, none, or all."
        ),
    ] = None,
    scheduler: Annotated[
        str, typer.Option(help="'processes' on this machine, or the address of a dask scheduler.")
    ] = "processes",
    workers: Annotated[
        int | None, typer.Option(help="Processes on this machine; default: one per core.", min=1, max=1024)
    ] = None,
    quiet: Quiet = False,
    seed: Seed = None,
    data_dir: DataDir = None,
) -> Outcome:
    """Run a configuration over the values of some keys: table, accuracy against energy, report.

    The same command goes on where it was stopped, and tries again what failed.
    """
    from hallspice.progress import reporter
    from hallspice.sweeps.sweep import sweep as sweep_configuration

    given = {"seeds": seeds, "design": design, "points": points, "certify": certify}
    with reporter(quiet) as progress:
        results = sweep_configuration(
            config,
            out,
            options=values or [],
            choices={name: value for name, value in given.items() if value is not None},
            seed=seed,
            scheduler=scheduler,
            workers=workers,
            data_dir=data_dir,
            progress=progress,
        )
    return Outcome.of_folder(results, out, passed=results.failed == 0)


class CacheAction(StrEnum):
    """What to do with the kept networks."""

    LIST = "list"
    CLEAR = "clear"


@command("hallspice cache", "hallspice cache clear --older-than 30d")
def cache(
    action: Annotated[
        CacheAction, typer.Argument(help="Show what there is, or remove it.")
    ] = CacheAction.LIST,
    older_than: Annotated[
        str, typer.Option(help="With clear: only what is at least so old, as in 30d or '12 h'.")
    ] = "0 s",
) -> Outcome:
    """Show or remove the trained networks that are kept so that no training is done twice."""
    from compact_model.cards.quantity import parse_quantity
    from hallspice.networks import cache as kept

    age = parse_quantity(older_than, "s")
    results, text = kept.contents() if action is CacheAction.LIST else kept.clear(age)
    return Outcome(result=results, text=text)


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
            "transfer_difference": apart and apart.transfer,
            "output_difference": apart and apart.outputs,
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

    results = write_export(form, _card_file(card), dialect, grains, out, largest_error=largest_error)
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
            _card_file(what), grains, out, largest_error=largest_error, quick=quick, progress=progress
        )
    return Outcome.of_folder(certified, out, text="\n".join(lines), passed=certified.passed)


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
    from hallspice.programming.write import write_array
    from hallspice.progress import reporter

    use_ngspice = engine is WriteEngine.NGSPICE
    with reporter(quiet) as progress:
        results = write_array(config, levels, out, use_ngspice=use_ngspice, seed=seed, progress=progress)
    return Outcome.of_folder(results, out)


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise TerminatedError(ExitCode.TERMINATED)


def main() -> None:
    """Entry point of the `hallspice` command."""
    signal.signal(signal.SIGTERM, _terminate)
    app()
