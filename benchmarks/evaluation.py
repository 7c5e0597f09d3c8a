"""Speed of the evaluation of 784-256-128-10 on 64 x 64 tiles: the test set through the circuit, and many chips.

Six states, 6-bit converters, calibrated columns, single precision. Chips have a spread of 10 % of the window and read
noise of 5 %, in every cell and every read; each sees all 10,000 test images. Processor time is that of all threads.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import TypeVar

import torch

from hallspice.config.load import load_setup
from hallspice.networks.kept import chip_of, level_set_of, make_networks
from hallspice.progress import reporter
from nn_mapping.accuracy import ablation, evaluate
from nn_mapping.analog.conversion import convert
from nn_mapping.analog.full_scales import calibrate
from nn_mapping.chips import ChipOptions, Variation, monte_carlo
from nn_mapping.data import load_dataset
from nn_mapping.examples import Examples

Found = TypeVar("Found")


def timed(name: str, work: Callable[[], Found]) -> Found:
    """What some work gives; its times are printed."""
    wall, processor = time.perf_counter(), time.process_time()
    found = work()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    print(f"{name:<44}{processor:9.2f} s{wall:9.2f} s", flush=True)
    return found


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chips", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    setup, digits = load_setup({"seed": 1, "network": {"epochs": 30}}), load_dataset("mnist")
    with reporter(quiet=True) as progress:
        network = make_networks(setup, digits, progress, with_float=False).level_network
    examples = Examples.of(digits, network.input_bits)
    arrays, _ = convert(network.model(), chip_of(setup, level_set_of(setup)))
    print(f"{chosen.threads} threads{'':<35}{'processor':>11}{'clock':>11}")
    timed("calibration, 2000 images", lambda: calibrate(arrays, examples.calibration_batches()))
    circuit = timed("10,000 images through the circuit", lambda: evaluate(arrays.eval(), examples))
    timed("one cause at a time", lambda: ablation(arrays, circuit, examples))
    variation = Variation(spread_of_window=0.10, read_noise=0.05)
    chips = timed(
        f"{chosen.chips} chips x 10,000 images",
        lambda: monte_carlo(arrays, examples, variation, ChipOptions(), chips=chosen.chips, seed=1),
    )
    print(
        f"accuracy {100 * circuit.accuracy:.2f} %; chips {100 * chips.mean:.2f} +- {100 * chips.deviation:.2f} %"
    )


if __name__ == "__main__":
    main()
