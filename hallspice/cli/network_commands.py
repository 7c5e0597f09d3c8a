"""Commands of networks: runs, training, evaluation, sweeps, and what is kept."""

from __future__ import annotations

import functools
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hallspice.cli.options import ConfigFile, DataDir, Quiet, ResultFolder, Seed
from hallspice.commands import Outcome, command_of

NetworkFile = Annotated[
    Path | None,
    typer.Option(help="network.npz of an earlier training; default: what the configuration says."),
]

commands = typer.Typer()
command = functools.partial(command_of, commands)


@command("hallspice run examples/mnist_active_parallel.yaml --out results/demo")
def run(
    config: ConfigFile,
    out: ResultFolder,
    quiet: Quiet = False,
    network: NetworkFile = None,
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
            config,
            out,
            network_file=network,
            seed=seed,
            data_dir=data_dir,
            progress=progress,
            uncertainty=uncertainty,
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
    "hallspice evaluate examples/mnist_chips.yaml --network results/network/network.npz --out results/chips"
)
def evaluate(
    config: ConfigFile,
    out: ResultFolder,
    network: NetworkFile = None,
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


class PaperRecipe(StrEnum):
    """How the paper's networks are trained."""

    PAPER = "paper"
    LITERAL = "literal"
    GOOD = "good"


@command(
    "hallspice paper --quick --seeds 1 --out results/quick", "hallspice paper --seeds 2 --out results/paper"
)
def paper(
    out: ResultFolder,
    seeds: Annotated[int, typer.Option(help="Independent trainings of each network.", min=1, max=20)] = 2,
    seed: Annotated[
        int, typer.Option(help="Seed of the first training; the next has the next.", min=0, max=2**31 - 21)
    ] = 1,
    recipe: Annotated[
        list[PaperRecipe] | None,
        typer.Option(
            help="Recipe to train with; again for each further one. Default: all. 'good' goes through the circuit too.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Trainings at a time, a core each; default: two where there are two.", min=1, max=1024
        ),
    ] = None,
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
    """Train the paper's networks again, with two readings of its recipe and a good one; 18 trainings a seed."""
    from circuits.workers import cores
    from hallspice.paper.paper import reproduce
    from hallspice.progress import reporter

    with reporter(quiet) as progress:
        results = reproduce(
            out,
            seeds=range(seed, seed + seeds),
            recipes=recipe or list(PaperRecipe),
            workers=workers or min(2, cores()),
            data_dir=data_dir,
            quick=quick,
            progress=progress,
        )
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
