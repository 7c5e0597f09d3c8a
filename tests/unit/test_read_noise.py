"""Noise of cells in reads: the variance of every output, against noise drawn cell by cell."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from circuits.arrays.architecture import Architecture
from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import ideal_transfer
from nn_mapping.analog.chip_design import Chip
from nn_mapping.analog.conversion import convert
from nn_mapping.analog.full_scales import calibrate
from nn_mapping.analog.linear import ArrayMatrix
from nn_mapping.analog.placement import arrays_of, hold, tiles_of
from nn_mapping.analog.read_noise import OutputNoise, ReadNoise
from nn_mapping.column_readout import Readout
from nn_mapping.levels import PAPER_LEVELS_OHM, level_set
from nn_mapping.tiles import ideal_transfers

COUNT = 8000
EXACT = Readout(v_full=0.5, dac_bits=None, adc_bits=None, trim=False)


def layer(
    model: nn.Module, scheme: str, x: Tensor, readout: Readout = EXACT, architecture: str = "active_parallel"
) -> ArrayMatrix:
    """On ideal arrays of 4 rows and 6 columns."""
    chip = Chip(
        config=ArrayConfig(architecture=architecture),
        level_set=level_set(scheme, PAPER_LEVELS_OHM),
        readout=readout,
        tile=(4, 6),
    )
    arrays, _ = convert(model, chip)
    hold(arrays, ideal_transfers(tiles_of(arrays), chip.config))
    calibrate(arrays, x)
    assert isinstance(arrays.eval(), ArrayMatrix)
    return arrays  # type: ignore[return-value]


def noisy(
    arrays: ArrayMatrix, of_window: float = 0.2, seed: int = 1, *, reference: bool = True
) -> ArrayMatrix:
    generator = torch.Generator().manual_seed(seed)
    arrays.tiles.noise = ReadNoise(of_window=of_window, generator=generator, reference=reference)
    return arrays


def covariance(outputs: Tensor) -> np.ndarray:
    return np.cov(outputs.double().numpy().T)


def by_cells(arrays: ArrayMatrix, x: np.ndarray, gains: list[np.ndarray], *, reference: bool) -> np.ndarray:
    """Covariance of the outputs for one input: every cell has a weight of 0.2 windows as its noise."""
    level = tiles_of(arrays)[0].level_set
    sigma = 0.2 * 0.24 / level.scale * float(arrays.scale)
    outputs = len(arrays.weight)
    found = np.zeros((outputs, outputs))
    for tile, gain in zip(tiles_of(arrays), gains, strict=True):
        count, columns = tile.converted, tile.shape[1]
        signs = np.zeros((count, columns))
        for k in range(count):
            if level.r_reference:
                signs[k, k] = 1
                signs[k, -2:] = -0.5 if reference else 0
            else:
                signs[k, 2 * k], signs[k, 2 * k + 1] = 1, -1
        turned = signs * gain
        found[tile.outputs, tile.outputs] += sigma**2 * np.sum(x[tile.rows] ** 2) * turned @ turned.T
    return found


@pytest.mark.parametrize("scheme", ["reference", "differential"])
@pytest.mark.parametrize("reference", [True, False])
def test_outputs_have_the_variance_of_their_cells(scheme: str, reference: bool) -> None:
    """Bands of 4 and 3 rows, tiles of unequal outputs; columns with gains of their own; the reference is shared."""
    torch.manual_seed(0)
    one = torch.rand(7, dtype=torch.float64)
    arrays = layer(nn.Linear(7, 5).double(), scheme, one.unsqueeze(0))
    gains = []
    random = np.random.default_rng(0)
    for number, block in enumerate(arrays.tiles.tiling.blocks):
        drawn = random.uniform(0.5, 2.0, (len(block.numbers), arrays.tiles._columns(block)))
        getattr(arrays.tiles, f"gain{number}").copy_(torch.from_numpy(drawn))
        gains += list(zip(block.numbers, drawn, strict=True))
    expected = by_cells(
        arrays,
        one.numpy(),
        [gain for _, gain in sorted(gains, key=lambda pair: pair[0])],
        reference=reference,
    )
    with torch.no_grad():
        quiet = arrays(one.unsqueeze(0))
        found = noisy(arrays, reference=reference)(one.expand(COUNT, 7))
    assert float((found.mean(0) - quiet).abs().max()) < 5 * np.sqrt(expected.max() / COUNT)
    spread = np.sqrt(np.outer(expected.diagonal(), expected.diagonal()))
    # standard error of a covariance of N draws: at most sqrt(2 / N) of the variances
    assert np.abs(covariance(found) - expected).max() < 5 * np.sqrt(2 / COUNT) * spread.max()
    assert np.abs(covariance(found) - expected)[expected == 0].max(initial=0) < 5 * spread.max() / np.sqrt(
        COUNT
    )


@pytest.mark.parametrize("bits", [None, 5])
def test_converters_and_drivers_change_nothing_about_it(bits: int | None) -> None:
    """In steps of codes: noise far above a step is what it was; DACs with mismatch are read tile by tile."""
    torch.manual_seed(0)
    one = torch.rand(7, dtype=torch.float64)
    readout = replace(EXACT, dac_bits=bits, dac_mismatch=0.01 if bits else 0.0, adc_bits=12)
    arrays = layer(nn.Linear(7, 5).double(), "reference", torch.eye(7).double(), readout)
    arrays.tiles.set_full_scales((1.0, 0.0), (20 * arrays.tiles.unit * 0.5, 0.0))
    driven = one if bits is None else (one * 31).round() / 31
    ones = [np.ones(tile.shape[1]) for tile in tiles_of(arrays)]
    expected = by_cells(arrays, driven.numpy(), ones, reference=True)
    with torch.no_grad():
        found = noisy(arrays)(one.expand(COUNT, 7))
    assert np.abs(covariance(found) - expected).max() < (5 * np.sqrt(2 / COUNT) + 0.02) * expected.max()


def test_patches_of_groups_have_the_noise_of_their_own_pixels() -> None:
    """Two groups; a band ends inside a channel, and counts no pixel twice."""
    torch.manual_seed(0)
    conv = nn.Conv2d(4, 4, 2, groups=2, bias=False).double()
    image = torch.rand(1, 4, 2, 3, dtype=torch.float64)
    arrays = layer(conv, "differential", image)
    chip = arrays.tiles.chip
    bands, _ = convert(conv, replace(chip, tile=(3, 4)))
    hold(bands, ideal_transfers(tiles_of(bands), chip.config))
    calibrate(bands, image)
    assert isinstance(bands.eval(), ArrayMatrix)
    sigma = 0.2 * float(arrays.scale) * np.sqrt(2)
    for one in (arrays, bands):
        with torch.no_grad():
            found = noisy(one)(image.expand(COUNT, -1, -1, -1))  # type: ignore[arg-type]
        for output in range(4):
            for column in range(2):
                seen = image[0, 2 * (output // 2) : 2 * (output // 2) + 2, :, column : column + 2]
                expected = sigma**2 * float(seen.square().sum())
                variance = float(found[:, output, 0, column].var())
                assert variance == pytest.approx(expected, rel=5 * np.sqrt(2 / COUNT), abs=0)
        apart = np.corrcoef(found[:, :, 0].flatten(1).numpy().T) - np.eye(8)
        assert np.abs(apart).max() < 5 / np.sqrt(COUNT)


def test_noise_of_a_mean_over_rows_is_that_of_each_tile() -> None:
    """`passive_parallel` gives the mean over the rows of a tile; a weight is what it was."""
    torch.manual_seed(0)
    one = torch.rand(7, dtype=torch.float64)
    arrays = layer(
        nn.Linear(7, 2).double(), "differential", one.unsqueeze(0), architecture="passive_parallel"
    )
    ones = [np.ones(tile.shape[1]) for tile in tiles_of(arrays)]
    expected = by_cells(arrays, one.numpy(), ones, reference=True)
    with torch.no_grad():
        found = noisy(arrays)(one.expand(COUNT, 7))
    assert np.abs(covariance(found) - expected).max() < 5 * np.sqrt(2 / COUNT) * expected.max()


def test_both_signs_of_an_input_are_read_with_noise() -> None:
    torch.manual_seed(0)
    one = torch.tensor([1.0, -2.0, 0.5, -0.25, 3.0, -1.0, 0.1], dtype=torch.float64)
    arrays = layer(nn.Linear(7, 2).double(), "differential", one.unsqueeze(0))
    ones = [np.ones(tile.shape[1]) for tile in tiles_of(arrays)]
    expected = by_cells(arrays, one.numpy(), ones, reference=True)
    with torch.no_grad():
        found = noisy(arrays)(one.expand(COUNT, 7))
    assert np.abs(covariance(found) - expected).max() < 5 * np.sqrt(2 / COUNT) * expected.max()


def test_the_generator_decides_and_gradients_are_refused() -> None:
    torch.manual_seed(0)
    x = torch.rand(3, 7, dtype=torch.float64)
    arrays = layer(nn.Linear(7, 5).double(), "reference", x)
    with torch.no_grad():
        first, again, other = (noisy(arrays, seed=seed)(x) for seed in (1, 1, 2))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)
        assert not torch.equal(arrays(x), arrays(x))
        kept = arrays.state_dict()
        assert not [name for name in kept if "noise" in name]
    with pytest.raises(RuntimeError, match=r"no gradients: call the model within torch.no_grad\(\)"):
        arrays(x)
    arrays.tiles.noise = None
    assert list(arrays_of(arrays)) == ["model"]
    arrays(x).sum().backward()


def test_noise_is_drawn_output_by_output_then_tile_by_tile() -> None:
    """Second of two bands, two groups of four outputs on two tiles; outputs 1 to 3 are read."""
    random = np.random.default_rng(0)
    own, shared, size = (
        torch.from_numpy(random.uniform(1, 2, shape)) for shape in ((2, 2, 4), (2, 2, 2, 4), (3, 2, 1, 5))
    )
    noise = OutputNoise(own=own, shared=shared, generator=torch.Generator().manual_seed(4))
    found = noise.drawn(1, slice(1, 4), size)
    again = torch.Generator().manual_seed(4)
    apart, common = (torch.empty(3, 5, 2, n, dtype=torch.float64).normal_(generator=again) for n in (3, 2))
    for group in range(2):
        for output in range(3):
            expected = apart[:, :, group, output] * own[1, group, output + 1]
            for tile in range(2):
                expected = expected + common[:, :, group, tile] * shared[1, group, tile, output + 1]
            torch.testing.assert_close(found[:, group, output], expected * size[:, group, 0])


def test_architectures_of_the_noise_are_linear() -> None:
    """What a cell's change is worth does not depend on its state: ideal transfers are linear in the states."""
    for architecture in (Architecture.ACTIVE_PARALLEL, Architecture.PASSIVE_PARALLEL):
        config = ArrayConfig(architecture=architecture)
        states = np.random.default_rng(0).uniform(0.3, 0.6, (4, 3))
        change = ideal_transfer(states + 0.1, config) - ideal_transfer(states, config)
        assert np.ptp(change) < 1e-12 * np.abs(change).max()
