"""Weights in several cells, inputs in several reads: against plain torch and against numbers by hand."""

import copy
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from circuits.arrays.config import ArrayConfig
from circuits.read.converter import ElementWeighting
from nn_mapping.analog.chip_design import Chip, LayerOptions
from nn_mapping.analog.conversion import convert
from nn_mapping.analog.full_scales import calibrate
from nn_mapping.analog.input_slices import InputSlices
from nn_mapping.analog.linear import ArrayLinear, ArrayMatrix
from nn_mapping.analog.tiled_product import TiledProduct
from nn_mapping.column_readout import Readout, output_converters, row_dacs
from nn_mapping.levels import PAPER_LEVELS_OHM, LevelSet, level_set, pair_levels, single_levels, sliced_levels
from nn_mapping.mapping import checked_tile, outputs_of_tile, place, resistive_states

SINGLE = single_levels(PAPER_LEVELS_OHM)
PAIRS = pair_levels(PAPER_LEVELS_OHM)
IDEAL = ArrayConfig(
    architecture="active_parallel", r_row=0, r_column=0, r_output=0, r_input=1e-6, cmrr_db=float("inf")
)
EXACT = Readout(v_full=0.5, dac_bits=None, adc_bits=None, trim=False, quantile=1.0)
UNIT = 1e-3 / 500 * 0.5  # gm / r_channel, full input: amperes per ohm of a state


def held(layer: nn.Module, levels: LevelSet, scale: float = 0.2) -> nn.Module:
    """The layer in double precision, with weights that the levels hold exactly, the largest among them."""
    random = np.random.default_rng(0)
    model = copy.deepcopy(layer).double()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                drawn = levels.weights[random.integers(0, len(levels.weights), tuple(parameter.shape))]
                drawn.flat[0] = levels.weights[-1]
                parameter.copy_(torch.from_numpy(scale * drawn))
    return model


def by_hand(weight: float, levels: LevelSet, significance: tuple[float, ...]) -> tuple[int, ...]:
    """Levels of the slices nearest to a weight: every combination tried, lower device levels first among equals."""
    burden = levels.plus[:, 0] + (levels.minus[:, 0] if len(levels.minus) == len(levels.plus) else 0)

    def rank(digits: tuple[int, ...]) -> tuple[float, int, tuple[int, ...]]:
        value = sum(s * levels.weights[d] for s, d in zip(significance, digits, strict=True)) / sum(
            significance
        )
        return round(abs(value - weight), 9), int(sum(burden[d] for d in digits)), digits

    return min(product(range(len(levels.weights)), repeat=len(significance)), key=rank)


# Levels


def test_two_cells_of_six_even_levels_count_to_36() -> None:
    even = single_levels(np.linspace(0.33, 0.58, 6))
    two = sliced_levels(even, (1.0, 6.0))
    np.testing.assert_allclose(two.weights, np.linspace(-1, 1, 36), atol=1e-12)
    assert two.plus[[0, 1, 6, 20, 35]].tolist() == [[0, 0], [1, 0], [0, 1], [2, 3], [5, 5]]
    assert (two.slices, even.slices, two.scale, two.minus.tolist()) == (2, 1, even.scale, even.minus.tolist())
    np.testing.assert_allclose(two.shares, [1 / 7, 6 / 7], rtol=1e-15)
    turned = sliced_levels(even, (6.0, 1.0))
    assert turned.plus[20].tolist() == [3, 2]
    three = sliced_levels(single_levels([-1.0, 1.0]), (1, 2, 4))
    np.testing.assert_allclose(three.weights, np.arange(-7, 8, 2) / 7, atol=1e-12)
    assert three.plus[[1, 6]].tolist() == [[1, 0, 0], [0, 1, 1]]


def test_of_equal_combinations_the_lowest_levels_are_used() -> None:
    """(1, 2) of -1, 0, 1: 1 is 1 + 2 * 0 (levels 2 and 1) or -1 + 2 * 1 (0 and 2), -1 is -1 + 2 * 0 or 1 - 2 * 1."""
    levels = sliced_levels(single_levels([-1.0, 0.0, 1.0]), (1, 2))
    np.testing.assert_allclose(levels.weights, np.arange(-3, 4) / 3, atol=1e-12)
    assert levels.plus[[2, 4]].tolist() == [[0, 1], [0, 2]]
    equal = sliced_levels(single_levels([-1.0, 0.0, 1.0]), (1, 1))
    assert equal.plus[2].tolist() == [0, 2], "equally low: the lowest of the first slice"
    zero = sliced_levels(PAIRS, (1, 3))
    place_of = int(np.flatnonzero(zero.weights == 0)[0])
    assert (zero.plus[place_of].tolist(), zero.minus[place_of].tolist()) == ([0, 0], [0, 0])


def test_slices_that_are_refused() -> None:
    for wrong in ((1.0, 0.0), (1.0, -2.0), (1.0, float("inf")), (float("nan"), 1.0), ()):
        with pytest.raises(ValueError, match=r"significance of slices = .*0 < value < inf"):
            sliced_levels(SINGLE, wrong)
    with pytest.raises(ValueError, match="2 slices already"):
        sliced_levels(sliced_levels(SINGLE, (1, 6)), (1, 6))
    assert len(sliced_levels(SINGLE, (1,) * 6).weights) < 6**6 == 46656
    with pytest.raises(
        ValueError, match="7 slices of 6 levels have 279936 combinations, allowed: up to 65536"
    ):
        sliced_levels(SINGLE, (1,) * 7)
    assert len(sliced_levels(single_levels(np.arange(256.0)), (1, 256)).weights) == 65536
    two = sliced_levels(SINGLE, (1, 6))
    with pytest.raises(ValueError, match=r"tile of 4 x 3: scheme 'reference' in 2 slices needs .* 4 columns"):
        checked_tile((4, 3), two)
    with pytest.raises(
        ValueError, match=r"tile of 4 x 5: scheme 'differential' in 3 slices needs .* 6 columns"
    ):
        checked_tile((4, 5), sliced_levels(PAIRS, (1, 2, 4)))
    checked_tile((1, 4), two)
    assert [outputs_of_tile(columns, two) for columns in (4, 5, 6, 9)] == [1, 1, 2, 3]
    assert [outputs_of_tile(columns, sliced_levels(PAIRS, (1, 2))) for columns in (4, 7, 8)] == [1, 1, 2]


def test_one_slice_is_the_set_itself() -> None:
    for levels in (SINGLE, PAIRS):
        one = sliced_levels(levels, (3.0,))
        np.testing.assert_array_equal(one.weights, levels.weights)
        np.testing.assert_array_equal(one.plus, levels.plus)
        np.testing.assert_array_equal(one.minus, levels.minus)
        assert one.shares.tolist() == [1.0]


@pytest.mark.parametrize("scheme", ["reference", "differential"])
@pytest.mark.parametrize("significance", [(1.0, 6.0), (3.0, 1.0), (1.0, 1.0)])
def test_a_weight_takes_the_nearest_sum_that_its_slices_make(
    scheme: str, significance: tuple[float, ...]
) -> None:
    levels = level_set(scheme, PAPER_LEVELS_OHM)
    several = sliced_levels(levels, significance)
    assert (np.diff(several.weights) > 1e-9).all()
    assert np.abs(several.weights).max() == pytest.approx(1.0, rel=1e-12)
    for weight in np.random.default_rng(0).uniform(-1.1, 1.1, 12):
        found = int(np.abs(several.weights - weight).argmin())
        digits = by_hand(several.weights[found], levels, significance)
        assert several.plus[found].tolist() == [levels.plus[d, 0] for d in digits]
        if scheme == "differential":
            assert several.minus[found].tolist() == [levels.minus[d, 0] for d in digits]
        best = by_hand(weight, levels, significance)
        value = sum(s * levels.weights[d] for s, d in zip(significance, best, strict=True)) / sum(
            significance
        )
        assert abs(several.weights[found] - weight) == pytest.approx(abs(value - weight), abs=1e-9)


# Cells


@pytest.mark.parametrize("levels", [SINGLE, PAIRS], ids=["reference", "differential"])
def test_slices_are_neighbours_on_one_tile(levels: LevelSet) -> None:
    """7 outputs in 2 slices on tiles of 9 columns: three or two outputs each, and where `place` puts them."""
    several = sliced_levels(levels, (1.0, 6.0))
    chip = Chip(config=IDEAL, level_set=several, readout=EXACT, tile=(4, 9))
    index = np.random.default_rng(3).integers(0, len(several.weights), (7, 11))
    tiles = TiledProduct(torch.from_numpy(several.weights[index])[None], chip)
    pair = levels is PAIRS
    widths = [2, 2, 2, 1] if pair else [3, 2, 2]
    assert [part.stop - part.start for part in tiles.tiling.outs] == widths
    assert [part.stop - part.start for part in tiles.tiling.converted] == [2 * width for width in widths]
    assert tiles.count_cells() == 11 * sum(4 * width if pair else 2 * width + 2 for width in widths)
    for block, states in zip(
        tiles.tiling.blocks, tiles._states(torch.from_numpy(several.weights[index])[None]), strict=True
    ):
        first = index[block.outputs, block.inputs][: block.outputs_each, : block.rows]
        expected = levels.levels_ohm[place(first.astype(np.uint16), several)]
        np.testing.assert_allclose(states[0].numpy(), expected, rtol=1e-12)
    row = place(np.array([[20]], dtype=np.uint16), several)[0]
    plus, minus = several.plus[20], several.minus
    assert row.tolist() == ([plus[0], minus[20, 0], plus[1], minus[20, 1]] if pair else [*plus, *minus])


# Products


LAYERS = {
    "linear": lambda: nn.Linear(9, 7),
    "groups": lambda: nn.Conv2d(4, 6, (3, 2), groups=2, padding=(0, 1)),
    "dilated": lambda: nn.Conv1d(2, 7, 3, stride=2, padding=2, dilation=2),
}


def inputs_of(layer: nn.Module) -> Tensor:
    """Inputs of both signs and unequal ranges."""
    torch.manual_seed(0)
    shape = {nn.Linear: (5, 9), nn.Conv1d: (5, 2, 12), nn.Conv2d: (5, 4, 7, 8)}[type(layer)]
    x = torch.randn(shape, dtype=torch.float64)
    return torch.where(x < 0, 0.3 * x, x)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("scheme", ["reference", "differential"])
@pytest.mark.parametrize("significance", [(1.0, 6.0), (4.0, 1.0, 2.0)])
def test_on_ideal_arrays_a_layer_is_what_it_was(
    kind: str, scheme: str, significance: tuple[float, ...]
) -> None:
    layer = LAYERS[kind]()
    levels = sliced_levels(level_set(scheme, PAPER_LEVELS_OHM[::2]), significance)
    model = held(layer, levels)
    arrays, report = convert(model, Chip(config=IDEAL, level_set=levels, readout=EXACT, tile=(5, 9)))
    x = inputs_of(layer)
    calibrate(arrays, x)
    expected = model(x).detach()
    torch.testing.assert_close(
        arrays.eval()(x).detach(), expected, rtol=0, atol=1e-6 * float(expected.abs().max())
    )
    row = report[""]
    assert (row.weight_slices, row.input_slices, row.levels) == (len(significance), 1, len(levels.weights))


def by_reads(
    x: np.ndarray,
    slices: np.ndarray,
    chip: Chip,
    each: int,
    full: tuple[float, float],
    most: tuple[float, float],
    outs: list[range],
) -> np.ndarray:
    """Products of tiles with 4 rows, read by read; `slices` (slices, outputs, inputs) in units of a slice."""
    readout = chip.readout
    bits, half = readout.dac_bits, 2 ** (readout.adc_bits - 1)
    total = np.zeros((len(x), slices.shape[1]))
    bands = np.array_split(np.arange(x.shape[1]), -(-x.shape[1] // 4))
    driven = replace(readout, dac_bits=each)
    for sign, (scale, top) in enumerate(zip(full, most, strict=True)):
        codes = np.clip(np.round((-1) ** sign * x / scale * (2**bits - 1)), 0, 2**bits - 1).astype(int)
        for start in range(0, bits, each):
            share = (codes >> start & (2**each - 1)) / (2**each - 1)
            counts = (-1) ** sign * scale * 2**start * (2**each - 1) / (2**bits - 1)
            for tile, (out, band) in enumerate(product(outs, bands)):
                dacs = row_dacs(len(band), driven, chip.seed, tile)
                drive = share[:, band] if dacs is None else dacs.convert(share[:, band])
                current = np.einsum("nr,sor->nos", drive, slices[:, out][:, :, band]).reshape(len(x), -1)
                found = np.clip(np.round(current / top * half), -half, half - 1)
                converters = output_converters(current.shape[1], readout, chip.seed, tile)
                for column, converter in enumerate(converters):
                    found[:, column] = converter.convert((current[:, column] / top + 1) / 2) - half
                found = found.reshape(len(x), len(out), -1) * top / half
                total[:, out] += counts * (found @ chip.level_set.shares)
    return total


@pytest.mark.parametrize("mismatch", [0.0, 0.03])
@pytest.mark.parametrize(("bits", "each"), [(6, 1), (7, 3), (6, 2), (4, 4)])
def test_every_slice_of_weights_and_inputs_is_converted_on_its_own(
    bits: int, each: int, mismatch: float
) -> None:
    random = np.random.default_rng(3)
    levels = sliced_levels(PAIRS, (1.0, 6.0))
    index = random.integers(0, len(levels.weights), (7, 11))
    layer = nn.Linear(11, 7, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(levels.weights[index]))
    readout = replace(
        EXACT,
        dac_bits=bits,
        adc_bits=5,
        dac_mismatch=mismatch,
        adc_mismatch=mismatch,
        adc_ladder=ElementWeighting.UNARY,
        adc_outputs=3,
    )
    chip = Chip(
        config=IDEAL,
        level_set=levels,
        readout=readout,
        tile=(4, 9),
        seed=5,
        input_slice_bits=None if each == bits else each,
    )
    arrays, report = convert(layer, chip)
    assert isinstance(arrays, ArrayLinear)
    assert report[""].input_slices == -(-bits // each)
    arrays.scale.fill_(1.0)
    unit = UNIT * levels.scale
    arrays.tiles.set_full_scales((2.0, 0.7), (1.3 * unit, 0.9 * unit))
    x = random.normal(0, 1, (20, 11))
    found = arrays.eval()(torch.from_numpy(x)).detach().numpy()
    ohm = levels.levels_ohm
    slices = np.moveaxis((ohm[levels.plus[index]] - ohm[levels.minus[index]]) / levels.scale, 2, 0)
    outs = [range(2), range(2, 4), range(4, 6), range(6, 7)]
    expected = by_reads(x, slices, chip, each, (2.0, 0.7), (1.3, 0.9), outs)
    np.testing.assert_allclose(found, expected, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize("mismatch", [0.0, 0.02])
@pytest.mark.parametrize("architecture", ["active_parallel", "row_multiplexed"])
def test_a_convolution_reads_patches_slice_by_slice(architecture: str, mismatch: float) -> None:
    """As a linear layer of the same matrix does with its patches, zeros of the padding among them."""
    levels = sliced_levels(SINGLE, (1.0, 6.0))
    conv = held(nn.Conv2d(3, 4, (2, 3), padding=1, stride=(2, 1), bias=False), levels)
    config = ArrayConfig(architecture=architecture)
    linear = nn.Linear(18, 4, bias=False).double()
    with torch.no_grad():
        linear.weight.copy_(conv.weight.flatten(1))
    readout = replace(EXACT, dac_bits=4, adc_bits=6, dac_mismatch=mismatch, trim=True)
    chip = Chip(config=config, level_set=levels, readout=readout, tile=(7, 8), input_slice_bits=2)
    x = torch.rand(3, 3, 5, 4, dtype=torch.float64) - 0.3
    arrays, rows = (convert(layer, chip)[0].eval() for layer in (conv, linear))
    calibrate(arrays, x)
    assert isinstance(arrays, ArrayMatrix)
    assert isinstance(rows, ArrayMatrix)
    full = [arrays.tiles.input_full.tolist(), arrays.tiles.output_full.tolist()]
    rows.tiles.trim(rows.weights)
    rows.tiles.set_full_scales(*full)
    patches = nn.functional.unfold(x, (2, 3), padding=1, stride=(2, 1)).transpose(1, 2)
    expected = rows(patches).transpose(1, 2).reshape(3, 4, 3, 4)
    torch.testing.assert_close(arrays(x), expected, rtol=0, atol=1e-9)


def test_the_full_scale_of_converters_covers_the_largest_read_of_all_slices() -> None:
    """Bit-serial reads of 3 bits: code 4 of one input is a full drive, and so is code 3 in two of its reads."""
    levels = sliced_levels(PAIRS, (1.0, 6.0))
    layer = nn.Linear(2, 1, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 0.5]]))
    readout = replace(EXACT, dac_bits=3, adc_bits=8)
    arrays, _ = convert(layer, Chip(config=IDEAL, level_set=levels, readout=readout, input_slice_bits=1))
    assert isinstance(arrays, ArrayLinear)
    arrays.scale.fill_(1.0)
    calibrate(arrays, torch.tensor([[7.0, 0.0], [4.0, 3.0], [-7.0, -7.0]], dtype=torch.float64))
    assert arrays.tiles.input_full.tolist() == [7.0, 7.0]
    half = int(np.abs(levels.weights - 0.5).argmin())
    slices = (levels.levels_ohm[levels.plus[half]] - levels.levels_ohm[levels.minus[half]]) / levels.scale
    unit = UNIT * levels.scale
    assert arrays.tiles.output_full.tolist() == pytest.approx([unit, unit * (1 + slices.max())], rel=1e-5)


def test_options_of_slices() -> None:
    two = sliced_levels(SINGLE, (1.0, 6.0))
    readout = replace(EXACT, dac_bits=6)
    chip = Chip(
        config=IDEAL,
        level_set=SINGLE,
        readout=readout,
        input_slice_bits=1,
        layers={
            "0": LayerOptions(level_set=two),
            "1": LayerOptions(bits=4, input_slice_bits=2),
            "2": LayerOptions(bits=4, input_slice_bits=8),
        },
    )
    arrays, report = convert(nn.Sequential(*(nn.Linear(5, 3) for _ in range(4))), chip)
    assert [(row.weight_slices, row.input_slices) for row in report.rows] == [(2, 6), (1, 2), (1, 1), (1, 6)]
    assert [row.cells for row in report.rows] == [5 * (2 * 3 + 2), 25, 25, 25]
    assert (
        str(report).splitlines()[0].endswith("1 tiles, 40 cells, 36 levels in 2 slices, inputs in 6 slices")
    )
    assert str(report).splitlines()[2].endswith("1 tiles, 25 cells, 6 levels")
    for part, slices in zip(arrays, ((6, 1), (4, 2), (4, 4), (6, 1)), strict=True):
        assert part.tiles.chip.input_slices == InputSlices(bits=slices[0], each=slices[1])
    for bits in (0, 25):
        with pytest.raises(ValueError, match=f"input_slice_bits = {bits}, allowed: 1 to 24"):
            replace(chip, input_slice_bits=bits)
    replace(chip, input_slice_bits=24)
    with pytest.raises(ValueError, match="continuous inputs have no bits"):
        replace(chip, readout=EXACT)
    assert replace(chip, input_slice_bits=None, readout=EXACT).input_slices is None
    states = resistive_states(two.levels_ohm, 1e4, 1e5)
    config = ArrayConfig(architecture="resistive", r_row=0.0, r_column=0.0, r_output=0.0, r_input=1e-6)
    crossed = Chip(config=config, level_set=two, readout=EXACT, tile=(4, 7), state_ohm=states)
    model = held(nn.Linear(9, 7), two).requires_grad_(False)
    x = inputs_of(nn.Linear(9, 7))
    found, _ = convert(model, crossed)
    calibrate(found, x)
    torch.testing.assert_close(found(x), model(x), rtol=0, atol=1e-6 * float(model(x).abs().max()))


# Gradients


@pytest.mark.parametrize(
    "architecture", ["active_parallel", "row_multiplexed", "passive_parallel", "resistive"]
)
@pytest.mark.parametrize("scheme", ["reference", "differential"])
def test_gradients_are_those_of_differences(architecture: str, scheme: str) -> None:
    """Through slices, wires, mismatch, trim and both signs; weights between levels."""
    levels = sliced_levels(level_set(scheme, PAPER_LEVELS_OHM), (1.0, 6.0))
    hall = architecture != "resistive"
    chip = Chip(
        config=ArrayConfig(architecture=architecture, r_row=0.5, r_column=0.3),
        level_set=levels,
        readout=replace(EXACT, trim=True),
        tile=(3, 9),
        state_ohm=None if hall else resistive_states(levels.levels_ohm, 1e4, 1e5),
        mismatch=0.02 if hall else 0.0,
    )
    random = np.random.default_rng(2)
    weights = torch.from_numpy(random.uniform(-0.9, 0.9, (1, 3, 4)))
    x = torch.from_numpy(random.uniform(-1, 1, (2, 4)))
    tiles = TiledProduct(weights, chip).eval()
    tiles.begin_calibration(weights)
    tiles.calibrating = False
    tiles.set_full_scales((1.0, 0.7))

    def outputs(inputs: Tensor, latent: Tensor) -> Tensor:
        return tiles.product(inputs, tiles.matrices(latent))

    given = (x.requires_grad_(), weights.requires_grad_())
    assert torch.autograd.gradcheck(outputs, given, eps=1e-5, atol=1e-6, rtol=1e-6)


def test_one_slice_is_passed_on_as_it_is() -> None:
    values = torch.rand(2, 3, 4)
    chip = Chip(config=IDEAL, level_set=SINGLE, readout=EXACT)
    assert TiledProduct(torch.zeros(1, 1, 1), chip).cells.joined(values) is values
    (codes,) = InputSlices(bits=3, each=3).split(values)
    assert codes is values


def test_a_change_is_shared_by_significance() -> None:
    """The smallest change of the cells that makes it: slices of 1 and 6 take 1/37 and 6/37 of 7."""
    levels = sliced_levels(SINGLE, (1.0, 6.0))
    chip = Chip(config=IDEAL, level_set=levels, readout=EXACT)
    tiles = TiledProduct(torch.zeros(1, 1, 1, dtype=torch.float64), chip)
    start = torch.tensor([[[levels.weights[20]]]], dtype=torch.float64)
    before, after = tiles.cells.tiles(start), tiles.cells.tiles(start + 1e-3)
    change = (after - before).flatten() / (1e-3 * levels.scale)
    assert change.tolist() == pytest.approx([7 / 37, 42 / 37, 0.0, 0.0], abs=1e-9)
    # a pair takes half of its share up, half of it down
    pairs = sliced_levels(PAIRS, (1.0, 6.0))
    tiles = TiledProduct(
        torch.zeros(1, 1, 1, dtype=torch.float64), Chip(config=IDEAL, level_set=pairs, readout=EXACT)
    )
    start = torch.tensor([[[pairs.weights[20]]]], dtype=torch.float64)
    change = (tiles.cells.tiles(start + 1e-5) - tiles.cells.tiles(start)).flatten() / (1e-5 * pairs.scale)
    assert change.tolist() == pytest.approx([7 / 74, -7 / 74, 42 / 74, -42 / 74], abs=1e-8)


def test_gradients_pass_the_reads_of_an_input_and_end_where_each_is_clipped() -> None:
    layer = nn.Linear(3, 2, bias=False).double()
    x = torch.rand(4, 3, dtype=torch.float64)
    found = []
    for each in (None, 3, 1):
        chip = Chip(
            config=ArrayConfig(architecture="active_parallel", r_row=0.5),
            level_set=PAIRS,
            readout=replace(EXACT, dac_bits=8),
            input_slice_bits=each,
        )
        arrays, _ = convert(layer, chip)
        calibrate(arrays, x)
        driven = x.clone().requires_grad_()
        y = arrays.eval()(driven)
        (y * torch.arange(8.0).view(4, 2)).sum().backward()
        assert driven.grad is not None
        found.append((y.detach(), driven.grad, arrays.weight.grad))
    for several in found[1:]:
        for one, other in zip(several, found[0], strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)
    readout = replace(EXACT, dac_bits=2, adc_bits=3)
    tiles = TiledProduct(
        torch.ones(1, 1, 1, dtype=torch.float64),
        Chip(config=IDEAL, level_set=PAIRS, readout=readout, input_slice_bits=1),
    )
    tiles.set_full_scales((3.0, 0.0), (0.5 * UNIT * PAIRS.scale, 0.0))
    x = torch.tensor([[0.0], [1.0], [2.0], [3.0]], dtype=torch.float64, requires_grad=True)
    y = tiles.eval().product(x, tiles.matrices(torch.ones(1, 1, 1, dtype=torch.float64)))
    assert y.flatten().tolist() == pytest.approx([0.0, 3 / 8, 6 / 8, 9 / 8], rel=1e-5), (
        "3/4 of the full scale of 1/2"
    )
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.flatten().tolist() == pytest.approx([1.0, 0.8, 0.2, 0.0], rel=1e-5)


def test_a_sliced_layer_keeps_its_state_and_trains() -> None:
    """More slices are nearer to the weights; a loaded copy gives the same bits."""
    torch.manual_seed(0)
    model = nn.Linear(12, 5).double()
    x = torch.randn(40, 12, dtype=torch.float64)
    errors = []
    even = single_levels(np.linspace(0.3, 0.6, 6))
    for levels in (even, sliced_levels(even, (1.0, 6.0)), sliced_levels(even, (1.0, 6.0, 36.0))):
        chip = Chip(
            config=IDEAL,
            level_set=levels,
            readout=replace(EXACT, dac_bits=12, adc_bits=14),
            input_slice_bits=4,
        )
        arrays, _ = convert(model, chip)
        calibrate(arrays, x)
        y = arrays.eval()(x)
        errors.append(float(((y - model(x)).norm() / model(x).norm()).detach()))
        again, _ = convert(nn.Linear(12, 5).double(), chip)
        again.load_state_dict(arrays.state_dict())
        assert torch.equal(again.eval()(x), y)
        arrays.train()(x).square().sum().backward()
        assert float(arrays.weight.grad.abs().sum()) > 0
    assert errors[0] > 4 * errors[1] > 16 * errors[2]
