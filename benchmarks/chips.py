"""What six-state networks bear: spread, read noise, stuck cells and drift on many chips, beside an earlier study.

The devices alone: ideal arrays, no converters, the reference subtracted as a number unless said otherwise. The figures
of the study are those of one other network of the same shape and recipe (98.42 % digital), one chip or a few.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, field, replace

from circuits.arrays.config import ArrayConfig
from hallspice.networks.kept import trained
from hallspice.progress import reporter
from nn_mapping.analog.chip_design import Chip, LayerOptions
from nn_mapping.analog.conversion import convert
from nn_mapping.chips import ChipOptions, Variation, monte_carlo
from nn_mapping.column_readout import Readout
from nn_mapping.data import Dataset, load_dataset
from nn_mapping.examples import Examples
from nn_mapping.levels import PAPER_LEVELS_OHM, LevelSet, pair_levels, single_levels
from nn_mapping.recipes import GOOD, Recipe

LAYERS = (784, 256, 128, 10)
NUMBER = ChipOptions(ideal_arrays=True, digital_reference=True)
RENEWED = ChipOptions(ideal_arrays=True, digital_reference=True, recalibrate=True)
COLUMNS = ChipOptions(ideal_arrays=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One effect and what the study found for it."""

    name: str
    study: str = "-"
    options: ChipOptions = NUMBER
    variation: dict[str, float] = field(default_factory=dict)


ROWS = [
    Row(name="5 % of the window", study="98.36", variation={"spread_of_window": 0.05}),
    Row(name="10 % of the window", study="98.09", variation={"spread_of_window": 0.10}),
    Row(name="15 % of the window", study="97.5", variation={"spread_of_window": 0.15}),
    Row(name="20 % of the window", study="95.4", variation={"spread_of_window": 0.20}),
    Row(name="5 % of R", study="98.0", variation={"spread_of_r": 0.05}),
    Row(name="10 % of R", study="94", variation={"spread_of_r": 0.10}),
    Row(name="15 % of R", study="77", variation={"spread_of_r": 0.15}),
    Row(name="20 % of R", study="52", variation={"spread_of_r": 0.20}),
    Row(name="10 % of R, recalibrated", study="96.6", options=RENEWED, variation={"spread_of_r": 0.10}),
    Row(name="read noise 10 % of the window", study="98.0", variation={"read_noise": 0.10}),
    Row(name="read noise 20 % of the window", study="94.9", variation={"read_noise": 0.20}),
    Row(name="stuck 1 %, half low", study="98.3", variation={"stuck_low": 0.005, "stuck_high": 0.005}),
    Row(name="stuck 5 %, half low", study="96.7", variation={"stuck_low": 0.025, "stuck_high": 0.025}),
    Row(name="stuck 10 %, half low", study="89", variation={"stuck_low": 0.05, "stuck_high": 0.05}),
    Row(
        name="stuck 10 %, half low, recalibrated",
        study="94",
        options=RENEWED,
        variation={"stuck_low": 0.05, "stuck_high": 0.05},
    ),
    Row(name="stuck low 5 %", study="66 to 77", variation={"stuck_low": 0.05}),
    Row(name="stuck high 5 %", study="66 to 77", variation={"stuck_high": 0.05}),
    Row(name="drift +1 %", study="86 to 94", variation={"drift": 0.01}),
    Row(name="drift -1 %", study="86 to 94", variation={"drift": -0.01}),
    Row(name="drift -1 %, recalibrated", study="98", options=RENEWED, variation={"drift": -0.01}),
    Row(name="drift +5 %, reference columns", options=COLUMNS, study="98.4", variation={"drift": 0.05}),
    Row(name="drift -5 %, reference columns", options=COLUMNS, study="98.4", variation={"drift": -0.05}),
    Row(name="10 % of the window, reference columns", options=COLUMNS, variation={"spread_of_window": 0.10}),
    Row(name="20 % of the window, reference columns", options=COLUMNS, variation={"spread_of_window": 0.20}),
]
AT_LARGE_SPREAD = {
    "six states": "96.8",  # what the study found with noise in training
    "pairs": "97.6",
}


def main() -> None:
    """Print one table per network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chips", type=int, default=8)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    chosen = parser.parse_args()
    digits = load_dataset("mnist")
    single, pairs = single_levels(PAPER_LEVELS_OHM), pair_levels(PAPER_LEVELS_OHM)
    short = replace(GOOD, epochs=20)
    for seed in chosen.seeds:
        table(digits, single, GOOD, seed, chosen.chips, ROWS)
    # Two cells of a pair vary independently: the noise of their difference is 1 / sqrt(2) of its range of two windows.
    for levels, name, plain, noise in (
        (single, "six states", None, 0.15),
        (pairs, "pairs", short, 0.15 / math.sqrt(2)),
    ):
        options = NUMBER if levels is single else COLUMNS
        rows = [
            Row(name="10 % of the window", options=options, variation={"spread_of_window": 0.10}),
            Row(name="20 % of the window", options=options, variation={"spread_of_window": 0.20}),
            Row(name="10 % of R", options=options, variation={"spread_of_r": 0.10}),
        ]
        if plain is not None:
            table(digits, levels, plain, 1, chosen.chips, rows)
        noisy = replace(plain or GOOD, weight_noise=noise)
        rows[1] = replace(rows[1], study=AT_LARGE_SPREAD[name])
        table(digits, levels, noisy, 1, chosen.chips, rows)


def table(digits: Dataset, levels: LevelSet, recipe: Recipe, seed: int, chips: int, rows: list[Row]) -> None:
    """Train (or take) one network, and print what it bears."""
    config = ArrayConfig(architecture="active_parallel")
    readout = Readout(v_full=0.5, dac_bits=None, adc_bits=None, trim=False)
    with reporter(quiet=True) as progress:
        network, _ = trained(digits, LAYERS, levels.weights, recipe, seed, progress, "levels")
    chip = Chip(
        config=config,
        level_set=levels,
        readout=readout,
        tile=(1024, 1024),
        layers={"layer1": LayerOptions(input_full=1.0)},
    )
    arrays, _ = convert(network.model(), chip)
    examples = Examples.of(digits)
    digital = 100 * network.accuracy(digits.test_images, digits.test_labels)
    print(
        f"{len(levels.weights)} weights, {recipe.epochs} epochs, noise {recipe.weight_noise:.3f} in training, "
        f"seed {seed}: {digital:.2f} % digital; {chips} chips a row"
    )
    print(f"{'effect':<40}{'mean':>8}{'scatter':>9}{'95 % (Wilson)':>17}{'study':>10}")
    for row in rows:
        same = not (set(row.variation) - {"drift"})  # nothing is drawn
        variation = Variation(**row.variation)
        found = monte_carlo(arrays.eval(), examples, variation, row.options, chips=1 if same else chips)
        low, high = found.interval
        interval = f"{100 * low:.2f} to {100 * high:.2f}"
        print(
            f"{row.name:<40}{100 * found.mean:8.2f}{100 * found.deviation:9.2f}{interval:>17}{row.study:>10}",
            flush=True,
        )


if __name__ == "__main__":
    main()
