"""What slices of weights and inputs cost and bring: accuracy, cells, energy and time of the demo network.

784-256-128-10 on MNIST, trained without levels, put on the six states of the device without further training; and
trained on them, with its inputs read in slices.
"""

from __future__ import annotations

from dataclasses import replace

from hallspice.config.load import load_setup
from hallspice.inference.model_on_arrays import placed
from hallspice.networks.kept import chip_of, make_networks
from hallspice.progress import Reporter, reporter
from nn_mapping.data import load_dataset
from nn_mapping.examples import Examples
from nn_mapping.levels import PAPER_LEVELS_OHM, LevelSet, pair_levels, single_levels, sliced_levels
from nn_mapping.trained import TrainedNetwork

CELL, PAIR = single_levels(PAPER_LEVELS_OHM), pair_levels(PAPER_LEVELS_OHM)
HEAD = ("network", "weights", "input", "levels", "cells", "accuracy %", "uJ", "of it ADC", "us")


def main() -> None:
    """Print the table, a row as soon as it is known."""
    with reporter(quiet=False) as show:
        table(show)


def table(show: Reporter) -> None:
    """Train, or take from the cache, what is needed, and print a row for each choice of slices."""
    setup = load_setup({"seed": 1})
    digits = load_dataset("mnist")
    networks = make_networks(setup, digits, show)

    def row(name: str, network: TrainedNetwork, levels: LevelSet, weights: str, bits: int | None) -> None:
        chip = replace(chip_of(setup, levels), input_slice_bits=bits)
        found = placed(setup, network.model(), chip, Examples.of(digits, network.input_bits), show, workers=1)
        evaluation = found.evaluation()
        cost = found.cost(evaluation)
        energy = cost.energy
        inputs = "whole" if bits is None else f"{bits} bits a read"
        count, cells = len(levels.weights), found.report.cells
        numbers = f"{100 * evaluation.accuracy:.2f} | {1e6 * energy.total:.3g} | {1e6 * energy.adc:.2g}"
        print(
            f"| {name} | {weights} | {inputs} | {count} | {cells} | {numbers} | {1e6 * cost.latency:.3g} |",
            flush=True,
        )

    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    for levels, kind in ((CELL, "cell"), (PAIR, "pair")):
        row("float", networks.float_network, levels, f"a {kind}", None)
        for significance in ((1, 3), (1, 6), (1, 2, 4)) if kind == "cell" else ((1, 4),):
            counts = " : ".join(map(str, significance))
            sliced = sliced_levels(levels, significance)
            row("float", networks.float_network, sliced, f"{kind}s of {counts}", None)
    for bits in (None, 3, 2, 1):
        row("six states", networks.level_network, networks.levels, "a cell", bits)


if __name__ == "__main__":
    main()
