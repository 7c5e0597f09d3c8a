"""Speed of a converted model: ResNet-20 on 32 x 32 images, beside the same one in plain torch.

One thread, evaluation mode; 64 x 64 tiles, pairs of the six states, 6-bit converters, trimmed columns.
"""

from __future__ import annotations

import runpy
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from circuits.arrays.config import ArrayConfig
from nn_mapping.analog.chip_design import Chip
from nn_mapping.analog.conversion import convert
from nn_mapping.analog.full_scales import calibrate
from nn_mapping.column_readout import Readout
from nn_mapping.levels import PAPER_LEVELS_OHM, pair_levels

RESNET20 = Path(__file__).parents[1] / "examples" / "networks" / "resnet20.py"
IMAGES = 32
RUNS = 7


def seconds(model: nn.Module, x: Tensor) -> float:
    """Least processor time of a forward pass."""
    times = []
    with torch.no_grad():
        for _ in range(RUNS):
            start = time.process_time()
            model(x)
            times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    """Print times and their ratio."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = runpy.run_path(str(RESNET20))["make_cifar10"]().eval()
    x = torch.rand(IMAGES, 3, 32, 32)
    chip = Chip(
        config=ArrayConfig(architecture="active_parallel"),
        level_set=pair_levels(PAPER_LEVELS_OHM),
        readout=Readout(v_full=0.5),
    )
    start = time.process_time()
    arrays, report = convert(model, chip)
    print(f"conversion {time.process_time() - start:.2f} s: {report.tiles} tiles, {report.cells} cells")
    start = time.process_time()
    calibrate(arrays, x)
    print(f"calibration on {IMAGES} images {time.process_time() - start:.2f} s")
    plain, through = seconds(model, x), seconds(arrays.eval(), x)
    print(
        f"{IMAGES} images: torch {1e3 * plain:.0f} ms, arrays {1e3 * through:.0f} ms, ratio {through / plain:.1f}"
    )


if __name__ == "__main__":
    main()
