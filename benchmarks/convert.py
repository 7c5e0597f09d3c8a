"""Speed of a converted model: a network like ResNet-20 on 32 x 32 images, beside the same one in plain torch.

One thread, evaluation mode; 64 x 64 tiles, pairs of the six states, 6-bit converters, trimmed columns.
"""

from __future__ import annotations

import time

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from circuits.arrays.config import ArrayConfig
from nn_mapping.analog.chip_design import Chip
from nn_mapping.analog.conversion import convert
from nn_mapping.analog.full_scales import calibrate
from nn_mapping.column_readout import Readout
from nn_mapping.levels import PAPER_LEVELS_OHM, pair_levels

IMAGES = 32
RUNS = 7


class Residual(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)])
        self.stride, self.more = stride, outputs - inputs

    def forward(self, x: Tensor) -> Tensor:
        """Images (count, outputs, height, width)."""
        z = self.norms[1](self.second(F.relu(self.norms[0](self.first(x)))))
        around = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.more))
        return F.relu(z + around)


def resnet20() -> nn.Module:
    """Nineteen convolutions and a full layer."""
    blocks: list[nn.Module] = []
    width = 16
    for outputs in (16, 16, 16, 32, 32, 32, 64, 64, 64):
        blocks.append(Residual(width, outputs, 2 if outputs > width else 1))
        width = outputs
    begin = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    return nn.Sequential(*begin, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


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
    model = resnet20().eval()
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
