"""Tiles of a network as they are written: what is drawn differs from tile to tile, and is what the seed says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from torch import nn

from circuits.arrays.config import ArrayConfig
from compact_model.hallbar import hall_bar
from hallspice.config.load import load_setup
from hallspice.programming.plan import writing
from nn_mapping.analog.chip_design import Chip
from nn_mapping.analog.conversion import convert
from nn_mapping.analog.placement import Tile, tiles_of
from nn_mapping.column_readout import Readout
from nn_mapping.levels import PAPER_LEVELS_OHM, level_set
from nn_mapping.programmed import ProgrammedNetwork, programmed_network

SEED = 11


def two_tiles() -> tuple[Tile, ...]:
    """6 inputs and 5 outputs of one weight on two tiles of 3 x 7, reference columns included."""
    levels = level_set("reference", PAPER_LEVELS_OHM)
    layer = nn.Linear(6, 5, bias=False)
    nn.init.constant_(layer.weight, float(levels.weights[3]))  # 0.52 Ohm
    chip = Chip(
        config=ArrayConfig(architecture="active_parallel"),
        level_set=levels,
        readout=Readout(v_full=0.5),
        tile=(3, 7),
    )
    return tiles_of(convert(layer, chip)[0])


def written(folder: Path, text: str) -> ProgrammedNetwork:
    path = folder / "run.yaml"
    path.write_text(f"seed: {SEED}\n{text}")
    setup = load_setup(path)
    plan = writing(setup, hall_bar(setup.card), setup.config.array.columns)
    return programmed_network(two_tiles(), plan, SEED, lambda *_: None)


def test_stuck_cells_are_drawn_for_each_tile(tmp_path: Path) -> None:
    found = written(tmp_path, "write: {algorithm: reset_ladder, faults: {stuck: 0.4}}\n")
    masks = []
    for number, tile in enumerate(found.tiles):
        random = np.random.default_rng([SEED, number, 2])
        stuck, held = random.random((3, 7)) < 0.4, random.random((3, 7))
        # a stuck cell has its share of the window of 0.2732 Ohm above 0.33 Ohm
        np.testing.assert_allclose(tile.states[stuck], 0.33 + 0.2732 * held[stuck], rtol=1e-12)
        sound = tile.states[:, :5][~stuck[:, :5]]
        np.testing.assert_allclose(sound, sound[0], rtol=1e-9)
        masks.append(stuck)
    assert (masks[0] != masks[1]).any()


def test_reads_of_each_tile_have_noise_of_their_own(tmp_path: Path) -> None:
    quiet = written(tmp_path, "write: {tolerance: 8 mohm, t_verify: 1 ms}\n")
    assert (quiet.outcomes[0].pulses == quiet.outcomes[1].pulses).all()
    noisy = written(tmp_path, "write: {tolerance: 8 mohm, t_verify: 1 us}\n")
    assert (noisy.outcomes[0].pulses != noisy.outcomes[1].pulses).any()


def test_sums_and_the_hottest_pulse_of_all_tiles(tmp_path: Path) -> None:
    found = written(tmp_path, "write: {algorithm: reset_ladder}\n")
    # every cell of 0.52 ohm takes the first three currents of the ladder, 200 us each, one after the other
    first = found.outcomes[0]
    assert found.time == pytest.approx(2 * first.time)
    assert found.time_parallel == pytest.approx(first.time)
    assert found.total_energy == pytest.approx(2 * first.total_energy, rel=1e-9)
    largest = max(outcome.largest_current.max() for outcome in found.outcomes)
    # 560 K/W and 240 K/W, settled within 200 us
    assert found.peak_temperature == pytest.approx(300 + 800 * largest**2 * 500, rel=1e-9)
