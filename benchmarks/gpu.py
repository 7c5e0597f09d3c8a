"""Whether a graphics processor gives what the processor gives, and how much sooner: levels, codes, chips of one seed.

Codes: every array of a ResNet-20 gets the same inputs on both; the codes of values that lie between two of them may
differ, because sums are rounded in another order. Chips: spread and stuck cells are drawn on the processor, so that a
seed is the same chip everywhere (read noise is drawn where the model is, and is not in it).

Where torch finds no graphics processor, the same is done with a copy on the processor, on a small case: that tests this
program and nothing else.
"""

from __future__ import annotations

import copy
import runpy
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from circuits.arrays.config import ArrayConfig
from hallspice.networks.kept import trained
from hallspice.progress import reporter
from nn_mapping.analog.chip_design import Chip, LayerOptions
from nn_mapping.analog.conversion import convert
from nn_mapping.analog.full_scales import calibrate
from nn_mapping.analog.placement import arrays_of
from nn_mapping.chips import ChipOptions, Variation, monte_carlo
from nn_mapping.column_readout import Readout
from nn_mapping.data import load_dataset
from nn_mapping.examples import Examples
from nn_mapping.levels import PAPER_LEVELS_OHM, pair_levels, single_levels
from nn_mapping.recipes import GOOD

NETWORKS = Path(__file__).parents[1] / "examples" / "networks"
OTHER_CODES = 1e-3  # share of outputs
APART = 1e-4  # of the largest output: less is rounding, a code is more
ACCURACY = 0.002
VARIATION = Variation(spread_of_window=0.1, stuck_low=0.001, stuck_high=0.001)


@dataclass(frozen=True, kw_only=True)
class Case:
    """How much is computed."""

    network: str
    images: int
    """Through the network."""
    layers: tuple[int, ...]
    """Of the network whose chips are drawn."""
    trained: int
    """Images of its training, and as many tested as `tested` says."""
    tested: int
    compared: int
    """Chips that are computed on both."""
    chips: int
    """Chips in all."""


FULL = Case(
    network="resnet20",
    images=128,
    layers=(784, 256, 128, 10),
    trained=60_000,
    tested=1_000,
    compared=10,
    chips=1_000,
)
SMALL = Case(network="lenet", images=8, layers=(784, 16, 10), trained=2_000, tested=200, compared=2, chips=2)


def main() -> None:
    """Compare, print ratios, and fail where the two differ."""
    found = torch.cuda.is_available()
    device, case = ("cuda", FULL) if found else ("cpu", SMALL)
    torch.set_num_threads(1)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = (
        False  # products of full precision
    )
    print(f"beside one thread of the processor: {torch.cuda.get_device_name() if found else 'a copy on it'}")
    wrong = [*products(case, device), *chips(case, device)]
    if not found:
        print("not run: no GPU")
    if wrong:
        sys.exit("\n".join(wrong))


def products(case: Case, device: str) -> list[str]:
    """Levels and codes of every array, and the time of a forward pass."""
    torch.manual_seed(0)
    model = runpy.run_path(str(NETWORKS / f"{case.network}.py"))["make"]()
    x = torch.rand(case.images, 1, 28, 28)
    chip = Chip(
        config=ArrayConfig(architecture="active_parallel"),
        level_set=pair_levels(PAPER_LEVELS_OHM),
        readout=Readout(v_full=0.5, adc_mismatch=0.02),
    )
    arrays = convert(model, chip)[0].eval()
    calibrate(arrays, x[:32])
    other = copy.deepcopy(arrays).to(device)
    wrong, worst, same = [], 0.0, 0
    seen = _traffic(arrays, x)
    for name, array in arrays_of(arrays).items():
        twin = arrays_of(other)[name]
        if torch.equal(array.level_index, twin.level_index.cpu()):
            same += 1
        else:
            wrong.append(f"{name}: other levels on {device}")
        given, expected = seen[name]
        with torch.no_grad():
            difference = (twin(given.to(device)).cpu() - expected).abs()
        share = float((difference > APART * expected.abs().max()).float().mean())
        worst = max(worst, share)
        if share > OTHER_CODES:
            wrong.append(f"{name}: {100 * share:.2f} % of the codes differ on {device}")
    with torch.no_grad():
        here = _seconds(lambda: arrays(x), "cpu")
        there = _seconds(lambda: other(x.to(device)), device)
    print(
        f"{case.network}, {case.images} images, {same} of {len(seen)} arrays with equal levels, at most "
        f"{100 * worst:.3f} % of the codes of an array differ; {1e3 * here:.0f} ms and {1e3 * there:.0f} ms, "
        f"ratio {here / there:.1f}"
    )
    return wrong


def _traffic(model: nn.Module, x: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Inputs and outputs of every array, by its name."""
    seen: dict[str, tuple[Tensor, Tensor]] = {}
    hooks = [
        array.register_forward_hook(lambda _, given, made, name=name: seen.update({name: (given[0], made)}))
        for name, array in arrays_of(model).items()
    ]
    with torch.no_grad():
        model(x)
    for hook in hooks:
        hook.remove()
    return seen


def chips(case: Case, device: str) -> list[str]:
    """Accuracy of chips of the same seeds, and the time of a chip."""
    digits = load_dataset("mnist").head(case.trained, case.tested)
    levels = single_levels(PAPER_LEVELS_OHM)
    with reporter(quiet=True) as progress:
        recipe = replace(GOOD, epochs=2)
        network, _ = trained(digits, case.layers, levels.weights, recipe, 1, progress, "levels")
    chip = Chip(
        config=ArrayConfig(architecture="active_parallel"),
        level_set=levels,
        readout=Readout(v_full=0.5),
        layers={"layer1": LayerOptions(input_full=1.0)},
    )
    model = convert(network.model(), chip)[0].eval()
    examples = Examples.of(digits)
    moved = replace(examples, calibration=examples.calibration.to(device), inputs=examples.inputs.to(device))
    start = time.perf_counter()
    here = monte_carlo(model, examples, VARIATION, ChipOptions(), chips=case.compared, seed=1)
    middle = time.perf_counter()
    there = monte_carlo(model.to(device), moved, VARIATION, ChipOptions(), chips=case.chips, seed=1)
    times = (middle - start) / case.compared, (time.perf_counter() - middle) / case.chips
    pairs = list(zip(here.accuracies, there.accuracies, strict=False))
    apart = max(abs(one - other) for one, other in pairs)
    print(
        f"{'-'.join(map(str, case.layers))}, {case.tested} images: {case.chips} chips, {100 * there.mean:.2f} %; "
        f"{len(pairs)} compared, at most {100 * apart:.2f} points apart; {1e3 * times[0]:.0f} ms and "
        f"{1e3 * times[1]:.0f} ms a chip, ratio {times[0] / times[1]:.1f}"
    )
    return [f"a chip is {100 * apart:.2f} points apart on {device}"] if apart > ACCURACY else []


def _seconds(run: Callable[[], object], device: str, runs: int = 3) -> float:
    """Least time of a call."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()
