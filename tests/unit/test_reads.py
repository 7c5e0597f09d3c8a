"""How much of what arrays read is told at once, and of which shape."""

import pytest
import torch
from torch import Tensor, nn

from circuits.arrays.config import ArrayConfig
from nn_mapping import reads
from nn_mapping.analog.chip_design import Chip
from nn_mapping.analog.conversion import convert
from nn_mapping.analog.full_scales import calibrate
from nn_mapping.analog.placement import arrays_of
from nn_mapping.column_readout import Readout
from nn_mapping.levels import PAPER_LEVELS_OHM, level_set

CHIP = Chip(
    config=ArrayConfig(architecture="active_parallel"),
    level_set=level_set("differential", PAPER_LEVELS_OHM),
    readout=Readout(v_full=0.5, dac_bits=None, adc_bits=None, trim=False),
)


def told(layer: nn.Module, x: Tensor) -> list[tuple[int, ...]]:
    """Shapes of what a layer reads."""
    arrays, _ = convert(layer, CHIP)
    calibrate(arrays, x)
    found: list[tuple[int, ...]] = []
    with (
        torch.no_grad(),
        reads.listening(arrays.eval(), lambda _n, rows, _f: found.append(tuple(rows.shape))),
    ):
        arrays(x)
    return found


def test_reads_are_told_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images of 3 x 4 have 2 x 3 patches of 2 x 2; 2 groups of 4 inputs: 48 voltages each; lines have 5."""
    images, lines = torch.rand(5, 2, 3, 4), torch.rand(5, 5)
    monkeypatch.setattr(reads, "_CHUNK", 2 * 48 + 47)
    assert told(nn.Conv2d(2, 4, 2, groups=2), images) == [(12, 2, 4), (12, 2, 4), (6, 2, 4)]
    monkeypatch.setattr(reads, "_CHUNK", 14)
    assert told(nn.Conv2d(2, 4, 2, groups=2), images) == [(6, 2, 4)] * 5, "never less than one"
    assert told(nn.Linear(5, 3), lines) == [(2, 1, 5), (2, 1, 5), (1, 1, 5)]


def test_a_part_has_16_million_voltages() -> None:
    arrays, _ = convert(nn.Linear(4096, 1), CHIP)
    found: list[int] = []
    with reads.listening(arrays, lambda _name, rows, _first: found.append(len(rows))):
        arrays_of(arrays)["model"].tiles.listener(torch.zeros(1, 1).expand(4097, 4096), True, None)
    assert found == [4096, 1]
