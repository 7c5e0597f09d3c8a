"""Layers on tiles: against plain torch, against tiles read one by one, and their gradients against differences."""

import copy
import re
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from circuits.arrays.architecture import Architecture
from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar, ideal_transfer, slots
from circuits.arrays.mismatch import draw_mismatch
from circuits.read.calibration import calibrate as best_gains
from circuits.read.converter import ElementWeighting
from circuits.solve.nodal import factor
from circuits.solve.transfer import transfers
from nn_mapping.analog.array_response import CellResponse, SolvedResponse, TensorResponse, tile_mismatch
from nn_mapping.analog.chip_design import Chip, LayerOptions
from nn_mapping.analog.conversion import convert
from nn_mapping.analog.full_scales import calibrate
from nn_mapping.analog.linear import ArrayLinear, ArrayMatrix, NotCalibratedError
from nn_mapping.analog.placement import arrays_of, hold, tiles_of
from nn_mapping.analog.rounding import rounded, upper_quantile
from nn_mapping.analog.tiled_product import (
    TiledProduct,
)
from nn_mapping.analog.tiled_read import Kernel
from nn_mapping.column_readout import Readout, output_converters, random_vectors, row_dacs
from nn_mapping.levels import PAPER_LEVELS_OHM, LevelSet, level_set, pair_levels, single_levels
from nn_mapping.mapping import resistive_states
from nn_mapping.trained import Layer, TrainedNetwork

PAIRS = pair_levels(PAPER_LEVELS_OHM)
IDEAL = ArrayConfig(
    architecture="active_parallel", r_row=0, r_column=0, r_output=0, r_input=1e-6, cmrr_db=float("inf")
)
EXACT = Readout(v_full=0.5, dac_bits=None, adc_bits=None, trim=False, quantile=1.0)
ALL = list(Architecture)


def label(layer: nn.Module) -> str:
    """Name of a case."""
    return re.sub(r"\W+", "_", str(layer)).strip("_")


def chip_of(architecture: str, **changes: object) -> Chip:
    """Wires that matter, small tiles, no converters."""
    config = ArrayConfig(architecture=architecture, r_row=0.5, r_column=0.3)
    levels = changes.pop("level_set", PAIRS)
    assert isinstance(levels, LevelSet)
    states = None if config.architecture.hall else resistive_states(levels.levels_ohm, 1e4, 1e5)
    plain: dict[str, object] = {"readout": EXACT, "tile": (4, 6), "state_ohm": states}
    return Chip(config=config, level_set=levels, **(plain | changes))


def on_levels(model: nn.Module, levels: LevelSet = PAIRS, scale: float = 0.2, seed: int = 0) -> nn.Module:
    """The model with weights that the levels hold exactly, at a scale of 0.2."""
    random = np.random.default_rng(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                drawn = levels.weights[random.integers(0, len(levels.weights), tuple(parameter.shape))]
                drawn.flat[0] = levels.weights[np.abs(levels.weights).argmax()]
                parameter.copy_(torch.from_numpy(scale * drawn))
    return model


def converted(model: nn.Module, chip: Chip, data: Tensor) -> nn.Module:
    arrays, _ = convert(model, chip)
    calibrate(arrays, data)
    return arrays.eval()


CONVOLUTIONS = [
    nn.Conv2d(2, 3, 3, padding=1, stride=2),
    nn.Conv2d(4, 6, (3, 2), groups=2, padding=(0, 1)),
    nn.Conv2d(3, 3, 3, groups=3, bias=False),
    nn.Conv2d(2, 5, (2, 3), dilation=(2, 1), padding="same"),
    nn.Conv2d(2, 5, 4, padding="same"),
    nn.Conv2d(2, 5, 3, padding="valid"),
    nn.Conv2d(2, 4, 3, padding=(1, 2), padding_mode="reflect", stride=(1, 2)),
    nn.Conv2d(2, 4, 3, padding=1, padding_mode="circular"),
    nn.Conv1d(2, 7, 3, stride=2, padding=2, dilation=2),
    nn.Conv1d(4, 4, 3, groups=4, padding="same"),
]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("layer", [nn.Linear(9, 7), nn.Linear(1, 1, bias=False), *CONVOLUTIONS], ids=label)
@pytest.mark.parametrize("levels", [PAIRS, single_levels([-1.0, 1.0])], ids=["pairs", "binary"])
def test_on_ideal_arrays_a_layer_is_what_it_was(layer: nn.Module, levels: LevelSet) -> None:
    """Inputs of both signs and unequal ranges; 1e-6 of the signal is what the senses take."""
    torch.manual_seed(0)
    model = on_levels(copy.deepcopy(layer).double(), levels)
    shape = {nn.Linear: (5,), nn.Conv1d: (5, 0, 12), nn.Conv2d: (5, 0, 7, 8)}[type(layer)]
    size = [getattr(layer, "in_channels", 0) if length == 0 else length for length in shape]
    x = torch.randn(
        *size, *([layer.in_features] if isinstance(layer, nn.Linear) else []), dtype=torch.float64
    )
    x = torch.where(x < 0, 0.3 * x, x)
    arrays = converted(model, Chip(config=IDEAL, level_set=levels, readout=EXACT, tile=(5, 6)), x)
    expected = model(x).detach()
    assert arrays(x).shape == expected.shape
    torch.testing.assert_close(arrays(x), expected, rtol=0, atol=1e-6 * float(expected.abs().max()))
    torch.testing.assert_close(arrays(x[0]), expected[0], rtol=0, atol=1e-6 * float(expected.abs().max()))
    assert arrays(x[:0]).shape == model(x[:0]).shape == (0, *expected.shape[1:])


def by_bands(
    x: np.ndarray,
    weights: np.ndarray,
    rows: int,
    bits: int,
    full: tuple[float, float],
    most: tuple[float, float],
    inputs: int | None = None,
) -> np.ndarray:
    """Products (count, out) of tiles with so many rows."""
    total = np.zeros((len(x), len(weights)))
    for sign, (scale, top) in enumerate(zip(full, most, strict=True)):
        shares = stepped((-1) ** sign * x / scale, inputs or bits)
        for band in np.array_split(np.arange(x.shape[1]), -(-x.shape[1] // rows)):
            total += (-1) ** sign * scale * coded(shares[:, band] @ weights[:, band].T, top, bits)
    return total


def stepped(shares: np.ndarray, bits: int) -> np.ndarray:
    """The nearest of ``2**bits`` steps from 0 to 1."""
    return np.round(np.clip(shares, 0, 1) * (2**bits - 1)) / (2**bits - 1)


def coded(values: np.ndarray, top: float, bits: int) -> np.ndarray:
    """The nearest of the codes ``-2**(bits-1)`` to ``2**(bits-1) - 1`` times their step."""
    half = 2 ** (bits - 1)
    return np.clip(np.round(values / (top / half)), -half, half - 1) * (top / half)


@pytest.mark.parametrize("bits", [2, 8])
def test_converters_of_few_bits(bits: int) -> None:
    """Full scales of the two signs are their own, and every tile converts what its rows give."""
    random = np.random.default_rng(3)
    weights = PAIRS.weights[random.integers(0, 23, (7, 11))]
    weights[0, 0] = 1.0
    layer = nn.Linear(11, 7, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weights))
    readout = replace(EXACT, dac_bits=bits, adc_bits=bits)
    arrays, _ = convert(layer, Chip(config=IDEAL, level_set=PAIRS, readout=readout, tile=(4, 6)))
    assert isinstance(arrays, ArrayLinear)
    unit = 1e-3 / 500 * 0.5 * PAIRS.scale  # gm / r_channel, full input, ohm of a weight of 1
    arrays.tiles.set_full_scales((2.0, 0.7), (1.3 * unit, 0.9 * unit))
    x = random.normal(0, 1, (40, 11))
    found = arrays.eval()(torch.from_numpy(x)).detach().numpy()
    expected = by_bands(x, weights, 4, bits, (2.0, 0.7), (1.3, 0.9))
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


def test_converters_with_a_given_full_scale() -> None:
    """It is that of the reads of both signs, whatever the outputs are; the inputs' full scales are calibrated."""
    random = np.random.default_rng(3)
    weights = PAIRS.weights[random.integers(0, 23, (7, 11))]
    weights[0, 0] = 1.0
    layer = nn.Linear(11, 7, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weights))
    unit = 1e-3 / 500 * 0.5 * PAIRS.scale
    x = random.normal(0, 1, (40, 11))
    readout = replace(EXACT, dac_bits=6, adc_bits=5, adc_full=0.8 * unit)
    arrays, _ = convert(layer, Chip(config=IDEAL, level_set=PAIRS, readout=readout, tile=(4, 6)))
    assert isinstance(arrays, ArrayLinear)
    assert not arrays.tiles.calibrated
    calibrate(arrays, torch.from_numpy(x))
    assert arrays.tiles.output_full.tolist() == pytest.approx([0.8 * unit] * 2, rel=1e-12, abs=0)
    found = arrays.eval()(torch.from_numpy(x)).detach().numpy()
    expected = by_bands(x, weights, 4, 5, (x.max(), -x.min()), (0.8, 0.8), inputs=6)
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())
    for step in range(22):  # in training, full scales of inputs follow
        arrays.train()(torch.from_numpy(x * (1 + step)))
    assert arrays.tiles.output_full.tolist() == pytest.approx([0.8 * unit] * 2, rel=1e-12, abs=0)
    assert float(arrays.tiles.input_full[0]) > 1.5 * x.max()


TURNS = ArrayConfig(
    architecture="row_multiplexed",
    r_row=0,
    r_column=0,
    r_output=0,
    r_load=1e13,
    r_switch_on=1e-3,
    r_switch_off=1e16,
)


@pytest.mark.parametrize("adc", [0.0, 0.02])
def test_rows_that_take_turns_are_converted_one_by_one(adc: float) -> None:
    """By hand: every product of an input and a weight has a code of its own; those of a tile, its converters."""
    random = np.random.default_rng(3)
    weights = PAIRS.weights[random.integers(0, 23, (7, 11))]
    weights[0, 0] = 1.0
    layer = nn.Linear(11, 7, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weights))
    readout = replace(EXACT, v_full=1e-3, dac_bits=6, adc_bits=4, adc_mismatch=adc)
    arrays, _ = convert(layer, Chip(config=TURNS, level_set=PAIRS, readout=readout, tile=(4, 6)))
    assert isinstance(arrays, ArrayLinear)
    unit = 1e-3 * PAIRS.scale
    arrays.tiles.set_full_scales((2.0, 0.7), (0.9 * unit, 0.83 * unit))
    x = random.normal(0, 1, (20, 11))
    found = arrays.eval()(torch.from_numpy(x)).detach().numpy()
    expected = np.zeros((20, 7))
    if adc == 0.0:
        expected = by_bands(x, weights, 1, 4, (2.0, 0.7), (0.9, 0.83), inputs=6)
    else:
        outs, bands = np.array_split(np.arange(7), 3), np.array_split(np.arange(11), 3)
        for sign, (scale, top) in enumerate(((2.0, 0.9), (0.7, 0.83))):
            share = stepped((-1) ** sign * x / scale, 6)
            for tile, (out, band) in enumerate(product(outs, bands)):
                converters = output_converters(len(out), readout, 0, tile)
                for (place, output), row in product(enumerate(out), band):
                    codes = (
                        converters[place].convert((share[:, row] * weights[output, row] / top + 1) / 2) - 8
                    )
                    expected[:, output] += (-1) ** sign * scale * top / 8 * codes
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


def test_the_trim_of_rows_that_take_turns_is_added_once() -> None:
    """Over all reads of a tile, gain and offset are those of the columns."""
    chip = chip_of("row_multiplexed", readout=replace(EXACT, trim=True), mismatch=0.03, seed=4)
    random = np.random.default_rng(5)
    weights = torch.from_numpy(PAIRS.weights[random.integers(0, 23, (1, 3, 7))])
    tiles = TiledProduct(weights, chip)
    tiles.trim(weights)
    tiles.set_full_scales((1.0, 0.0))
    x = random.uniform(0, 1, (5, 7))
    expected = np.zeros((5, 3))
    for number, (rows, states) in enumerate(
        zip((slice(0, 4), slice(4, 7)), tiles._states(weights), strict=True)
    ):
        held = states[0].numpy()
        transfer = tiles.responses[number](states)[0].numpy()
        vectors = 0.5 * random_vectors(len(held), np.random.default_rng([4, number]))
        found = best_gains(vectors @ transfer.T, vectors @ ideal_transfer(held, chip.config).T)
        assert np.abs(found.offset).max() > 1e-9 * np.abs(transfer).max()
        columns = found.gain * (0.5 * x[:, rows] @ transfer.T) + found.offset
        expected += (columns[:, ::2] - columns[:, 1::2]) / (0.5 * PAIRS.scale)
    given = tiles.eval().product(torch.from_numpy(x), tiles.matrices(weights))
    np.testing.assert_allclose(given.numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize("bits", [3, 8])
@pytest.mark.parametrize("groups", [1, 2])
def test_a_convolution_reads_patches(bits: int, groups: int) -> None:
    """As a full layer of its patches, group by group, with a band that ends inside a channel."""
    torch.manual_seed(1)
    conv = on_levels(
        nn.Conv2d(4, 6, (3, 2), groups=groups, padding=1, stride=(2, 1), bias=False).double(), scale=1.0
    )
    readout = replace(EXACT, dac_bits=bits, adc_bits=bits)
    chip = Chip(config=IDEAL, level_set=PAIRS, readout=readout, tile=(7, 8))
    x = torch.rand(3, 4, 6, 5, dtype=torch.float64)
    arrays = converted(conv, chip, x)
    assert isinstance(arrays, ArrayMatrix)
    full = float(arrays.tiles.output_full[0])
    unit = 1e-3 / 500 * 0.5 * PAIRS.scale
    patches = (
        nn.functional.unfold(x, (3, 2), padding=1, stride=(2, 1)).transpose(1, 2).reshape(-1, 24).numpy()
    )
    each = 24 // groups
    parts = [
        by_bands(
            patches[:, group * each : (group + 1) * each],
            conv.weight.detach().flatten(1).numpy()[group * 6 // groups : (group + 1) * 6 // groups],
            7,
            bits,
            (float(x.max()), 1.0),
            (full / unit, 1.0),
        )
        for group in range(groups)
    ]
    expected = np.hstack(parts).reshape(3, -1, 6).transpose(0, 2, 1)
    found = arrays(x).detach().flatten(2).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


def chain(scheme: str, sizes: tuple[int, ...], seed: int = 7) -> TrainedNetwork:
    levels = level_set(scheme, PAPER_LEVELS_OHM).weights
    random = np.random.default_rng(seed)
    layers = []
    for inputs, outputs in pairwise(sizes):
        index = random.integers(0, len(levels), (outputs, inputs)).astype(np.uint8)
        index[0, 0] = len(levels) - 1
        layers.append(
            Layer(
                weights=levels.astype(np.float32)[index],
                gain=np.ones(outputs, dtype=np.float32),
                offset=random.uniform(-0.1, 0.1, outputs).astype(np.float32),
                weight_index=index,
            )
        )
    return TrainedNetwork(layers=tuple(layers), levels=levels)


def one_by_one(
    network: TrainedNetwork, levels: LevelSet, chip: Chip, inputs: np.ndarray, sizes: list[tuple[int, int]]
) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """Outputs of a chain, tile after tile, with the full scales that these very inputs set, the first one being 1.

    `sizes` are (tiles along the rows, tiles along the outputs) of each layer.
    """
    readout, number, input_full = chip.readout, 0, 1.0
    unit = 1e-3 / chip.config.r_channel * levels.scale  # gm / r_channel times the resistance of a weight of 1
    scales = []
    for layer, (along_rows, along_outputs) in zip(network.layers, sizes, strict=True):
        assert layer.weight_index is not None
        parts = []
        for outputs in np.array_split(np.arange(len(layer.weights)), along_outputs):
            for rows in np.array_split(np.arange(layer.shape[1]), along_rows):
                index = layer.weight_index[np.ix_(outputs, rows)].T
                plus = levels.levels_ohm[levels.plus[index]].reshape(len(rows), len(outputs))
                if levels.r_reference:
                    ends = levels.levels_ohm[levels.minus].ravel()
                    states = np.hstack([plus, np.tile(ends, (len(rows), 1))])
                else:
                    minus = levels.levels_ohm[levels.minus[index]].reshape(plus.shape)
                    states = np.stack([plus, minus], axis=2).reshape(len(rows), -1)
                solved = transfers(states, chip.config).matrices[0]
                seed = [chip.seed, number]
                vectors = readout.v_full * random_vectors(len(rows), np.random.default_rng(seed))
                wanted = 1e-3 / chip.config.r_channel * states
                trim = best_gains(vectors @ solved.T, vectors @ wanted)
                shares = inputs[:, rows] / input_full
                dacs = row_dacs(len(rows), readout, chip.seed, number)
                driven = stepped(shares, 6) if dacs is None else dacs.convert(shares)
                read = trim.apply(readout.v_full * driven @ solved.T)
                if levels.r_reference:
                    signed = read[:, :-2] - read[:, -2:].mean(axis=1, keepdims=True)
                else:
                    signed = read[:, ::2] - read[:, 1::2]
                parts.append((outputs, signed, output_converters(len(outputs), readout, chip.seed, number)))
                number += 1
        full = float(np.quantile(np.abs(np.hstack([signed for _, signed, _ in parts])), readout.quantile))
        scales.append((input_full, full))
        total = np.zeros((len(inputs), len(layer.weights)))
        for outputs, signed, adcs in parts:
            codes = coded(signed, full, 6)
            if adcs:
                ways = ((signed / full + 1) / 2).T
                codes = np.stack([adc.convert(way) for adc, way in zip(adcs, ways, strict=True)], axis=1)
                codes = (codes - 32) * (full / 32)
            total[:, outputs] += codes
        inputs = total * input_full / (unit * readout.v_full) + layer.offset
        if len(scales) < len(network.layers):
            inputs = inputs.clip(min=0)
            input_full = float(np.quantile(inputs, readout.quantile))
    return inputs, scales


@pytest.mark.parametrize("scheme", ["reference", "differential"])
@pytest.mark.parametrize("mismatch", [0.0, 0.02])
def test_a_chain_is_what_its_tiles_give_one_by_one(scheme: str, mismatch: float) -> None:
    """151-70-30-10 on 64 x 64 tiles, trimmed, 6-bit converters with and without mismatch: full scales, outputs."""
    levels = level_set(scheme, PAPER_LEVELS_OHM)
    network = chain(scheme, (151, 70, 30, 10))
    config = ArrayConfig(architecture="active_parallel", r_row=0.05, r_column=0.02)
    readout = Readout(
        v_full=0.5,
        dac_mismatch=mismatch,
        adc_mismatch=mismatch / 2,
        adc_ladder=ElementWeighting.UNARY,
        adc_outputs=5,
    )
    inputs = np.random.default_rng(1).uniform(0, 1, (30, 151)) * np.random.default_rng(2).integers(
        0, 2, (30, 151)
    )
    options = {"layer1": LayerOptions(input_full=1.0)}
    chip = Chip(config=config, level_set=levels, readout=readout, seed=5, layers=options)
    single = scheme == "reference"
    sizes = [(3, 2), (2, 1), (1, 1)] if single else [(3, 3), (2, 1), (1, 1)]
    expected, scales = one_by_one(network, levels, chip, inputs, sizes)
    arrays, report = convert(network.model().double(), chip)
    assert report.tiles == sum(rows * outputs for rows, outputs in sizes)
    calibrate(arrays, torch.from_numpy(inputs))
    for array, (input_full, output_full) in zip(arrays_of(arrays).values(), scales, strict=True):
        assert float(array.tiles.input_full[0]) == pytest.approx(input_full, rel=1e-6)
        assert float(array.tiles.output_full[0]) == pytest.approx(output_full, rel=1e-6, abs=0)
        assert float(array.tiles.input_full[1]) == 0, "no input was negative"
    found = arrays.eval()(torch.from_numpy(inputs)).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


def test_a_full_scale_that_is_given() -> None:
    """Inputs above it are clipped; negative ones are read with the same one; calibration leaves it alone."""
    torch.manual_seed(0)
    chip = chip_of("active_parallel", layers={"0": LayerOptions(input_full=2.0)})
    arrays, _ = convert(nn.Sequential(nn.Linear(5, 3)).double(), chip)
    tiles = arrays[0].tiles
    calibrate(arrays, torch.rand(20, 5, dtype=torch.float64))
    assert tiles.input_full.tolist() == [2.0, 0.0]
    x = torch.tensor([[1.0, 2.0, 3.0, -1.0, 0.5]], dtype=torch.float64)
    clipped = x.clamp(0, 2)
    assert torch.equal(arrays.eval()(x), arrays(x.clamp(min=0)))
    calibrate(arrays, x)
    assert tiles.input_full.tolist() == [2.0, 2.0]
    assert not torch.equal(arrays(x), arrays(clipped))
    calibrate(arrays, clipped)
    assert tiles.input_full.tolist() == [2.0, 2.0], "the negative part has been seen"
    with pytest.raises(ValueError, match=r"^0: input_full = 0, allowed: 0 < value < inf"):
        convert(nn.Sequential(nn.Linear(5, 3)), replace(chip, layers={"0": LayerOptions(input_full=0)}))


def test_tiles_that_hold_something_else_and_are_trimmed_to_the_weights() -> None:
    """Twice the transfer matrix: the trim halves it; without a trim the outputs double."""
    torch.manual_seed(0)
    x = torch.rand(40, 9, dtype=torch.float64)
    for trim, factor_ in ((True, 1.0), (False, 2.0)):
        chip = chip_of("active_parallel", readout=replace(EXACT, trim=trim))
        arrays = converted(nn.Sequential(nn.Linear(9, 7, bias=False).double()), chip, x)
        before = arrays(x).detach()
        tiles = tiles_of(arrays)
        assert [tile.shape for tile in tiles[:2]] == [(3, 6), (3, 6)]
        hold(arrays, [2 * transfers(tile.states, chip.config).matrices[0] for tile in tiles])
        held = arrays(x).detach()
        torch.testing.assert_close(held, 2 * before, rtol=0, atol=1e-6 * float(before.abs().max()))
        calibrate(arrays, x)
        torch.testing.assert_close(
            arrays(x).detach(), factor_ * before, rtol=0, atol=1e-6 * float(before.abs().max())
        )
        kept = copy.deepcopy(arrays.state_dict())
        arrays[0].weight.data.neg_()
        assert torch.equal(arrays(x), arrays(x))
        arrays[0].weight.data.neg_()
        other, _ = convert(nn.Sequential(nn.Linear(9, 7, bias=False).double()), chip)
        hold(other, [np.zeros(tile.shape[::-1]) for tile in tiles])
        other.eval().load_state_dict(kept)
        assert torch.equal(other(x), arrays(x))
    with pytest.raises(ValueError, match="1 transfer matrices for the 9 tiles of the model"):
        hold(arrays, [np.zeros((6, 3))])


def test_another_readout_from_the_next_calibration_on() -> None:
    torch.manual_seed(0)
    x = torch.rand(30, 9, dtype=torch.float64)
    model = nn.Sequential(nn.Linear(9, 7).double())
    rough = replace(EXACT, trim=True, dac_bits=4, adc_bits=4, dac_mismatch=0.05, adc_mismatch=0.05)
    arrays = converted(model, chip_of("active_parallel", readout=rough), x)
    for readout in (EXACT, replace(EXACT, adc_bits=5), rough):
        expected = converted(model, chip_of("active_parallel", readout=readout), x)
        arrays[0].tiles.set_readout(readout)
        if readout.adc_bits is not None:
            with pytest.raises(NotCalibratedError):
                arrays(x)
        calibrate(arrays, x)
        assert torch.equal(arrays(x), expected(x))


def test_products_that_go_round_the_arrays() -> None:
    """With the levels that the tiles hold, whatever their wires and converters do; corrections belong to the arrays."""
    torch.manual_seed(0)
    for layer, shape in ((nn.Linear(9, 7), (3, 9)), (CONVOLUTIONS[1], (3, 4, 5, 6))):
        model = copy.deepcopy(layer).double()
        chip = chip_of("active_parallel", readout=replace(EXACT, adc_bits=3, dac_bits=3))
        x = torch.randn(*shape, dtype=torch.float64)
        arrays = converted(model, chip, x)
        assert isinstance(arrays, ArrayMatrix)
        arrays.correct(torch.full((len(model.weight),), 3.0), torch.ones(len(model.weight)))
        arrays.bypassed = True
        levels = PAIRS.weights[
            np.abs(PAIRS.weights - arrays.weight.detach().numpy()[..., None] / float(arrays.scale)).argmin(-1)
        ]
        with torch.no_grad():
            model.weight.copy_(float(arrays.scale) * torch.from_numpy(levels))
        torch.testing.assert_close(arrays(x), model(x), rtol=0, atol=1e-12)


def test_corrections_come_before_the_bias() -> None:
    torch.manual_seed(0)
    for layer, shape in ((nn.Linear(9, 6), (3, 9)), (CONVOLUTIONS[1], (3, 4, 5, 6))):
        x = torch.randn(*shape, dtype=torch.float64)
        arrays = converted(copy.deepcopy(layer).double(), chip_of("active_parallel"), x)
        assert isinstance(arrays, ArrayMatrix)
        assert arrays.bias is not None
        along = (-1, *[1] * (x.ndim - 2))
        bias = arrays.bias.view(along)
        products = arrays(x) - bias
        gain, offset = torch.arange(1.0, 7.0).double(), torch.arange(6.0, 0.0, -1.0).double()
        arrays.correct(gain, offset)
        expected = gain.view(along) * products + offset.view(along) + bias
        torch.testing.assert_close(arrays(x), expected, rtol=1e-12, atol=1e-12)
        assert "correction" in arrays.state_dict()


@pytest.mark.parametrize("architecture", ALL)
@pytest.mark.parametrize("scheme", ["reference", "differential"])
def test_gradients_are_those_of_central_differences(architecture: str, scheme: str) -> None:
    """Inputs, and weights between levels, through cells, wires, mismatch, trim and both signs."""
    levels = level_set(scheme, PAPER_LEVELS_OHM)
    hall = Architecture(architecture).hall
    spread = {"mismatch": 0.02, "r_off_spread": 0.01} if hall else {}
    chip = chip_of(architecture, level_set=levels, readout=replace(EXACT, trim=True), seed=3, **spread)
    random = np.random.default_rng(2)
    weights = torch.from_numpy(
        random.uniform(levels.weights[0], levels.weights[-1], (1, 4, 7))
    ).requires_grad_()
    x = torch.from_numpy(random.uniform(-1, 1, (3, 7))).requires_grad_()
    tiles = TiledProduct(weights.detach(), chip).eval()
    tiles.begin_calibration(weights.detach())
    tiles.calibrating = False
    tiles.set_full_scales((1.0, 0.7))

    def outputs(inputs: Tensor, held: Tensor) -> Tensor:
        return tiles.product(inputs, tiles.matrices(held))

    y = outputs(x, weights)
    chosen = torch.from_numpy(random.normal(size=tuple(y.shape)))
    by_x, by_weights = torch.autograd.grad((y * chosen).sum(), (x, weights))
    for gradient, place_of in ((by_x, 0), (by_weights, 1)):
        for place in np.ndindex(*gradient.shape):
            values = []
            for step in (-1e-5, 1e-5):
                moved = [x.detach().clone(), weights.detach().clone()]
                moved[place_of][place] += step
                with torch.no_grad():
                    values.append(float((outputs(*moved) * chosen).sum()))
            expected = (values[1] - values[0]) / 2e-5
            assert float(gradient[place]) == pytest.approx(
                expected, abs=1e-6 * float(gradient.abs().max())
            ), place


@pytest.mark.parametrize("conv", [CONVOLUTIONS[1], CONVOLUTIONS[3], CONVOLUTIONS[8]], ids=label)
def test_gradients_of_convolutions(conv: nn.Module) -> None:
    """`torch.autograd.gradcheck` in inputs, matrix and offset; the kernel of a band is part of a channel's taps."""
    arrays, _ = convert(
        copy.deepcopy(conv).double(), chip_of("active_parallel", readout=replace(EXACT, trim=True))
    )
    assert isinstance(arrays, ArrayMatrix)
    shape = (2, 2, 5) if isinstance(conv, nn.Conv1d) else (2, conv.in_channels, 4, 3)
    torch.manual_seed(0)
    x = torch.rand(shape, dtype=torch.float64)
    calibrate(arrays, x)
    matrix, offset = arrays.eval().tiles.matrices(arrays.weights.detach())
    assert offset is not None
    size = float(matrix.abs().max())

    def outputs(inputs: Tensor, held: Tensor, added: Tensor) -> Tensor:
        images = inputs if inputs.ndim == 4 else inputs.unsqueeze(2)
        return arrays.tiles.product(images, (size * held, size * added), arrays._kernel)

    given = (x, matrix.detach() / size, offset.detach() / size)
    assert torch.autograd.gradcheck(outputs, [part.clone().requires_grad_() for part in given], atol=1e-6)


def test_the_gradient_of_a_weight_ends_at_the_outermost_level_and_is_that_of_its_level_inside() -> None:
    layer = nn.Linear(2, 1, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.2, 0.07]]))
    chip = Chip(config=IDEAL, level_set=PAIRS, readout=EXACT, tile=(4, 4))
    arrays, _ = convert(layer, chip)
    calibrate(arrays, torch.ones(1, 2, dtype=torch.float64))
    assert isinstance(arrays, ArrayLinear)
    with torch.no_grad():
        arrays.scale.fill_(0.2)
        arrays.weight[0, 0] = 0.3
    arrays(torch.tensor([[3.0, 5.0]], dtype=torch.float64)).sum().backward()
    assert arrays.weight.grad is not None
    assert arrays.weight.grad.tolist()[0] == pytest.approx([0.0, 5.0], rel=1e-5)
    assert arrays.level_index.tolist() == [[22, int(np.abs(PAIRS.weights - 0.35).argmin())]]


def test_rounding_ends_gradients_where_codes_end() -> None:
    product = TiledProduct(
        torch.ones(1, 1, 2, dtype=torch.float64),
        Chip(config=IDEAL, level_set=PAIRS, readout=replace(EXACT, adc_bits=3, dac_bits=4)),
    )
    unit = 1e-3 / 500 * 0.5 * PAIRS.scale
    product.set_full_scales((1.0, 0.0), (1.0 * unit, 0.0))
    x = torch.tensor([[0.2, 0.1], [0.9, 0.9], [1.2, -0.5]], dtype=torch.float64, requires_grad=True)
    y = product.eval().product(x, product.matrices(torch.ones(1, 1, 2, dtype=torch.float64)))
    # codes of 1/15 and of 1/4: 3/15 + 2/15 = 1/3 -> 1/4; 28/15 and 1 are above the highest code, 3/4
    assert y.flatten().tolist() == pytest.approx([0.25, 0.75, 0.75], rel=1e-5)
    y.sum().backward()
    assert x.grad is not None
    assert x.grad[0].tolist() == pytest.approx([1.0, 1.0], rel=1e-5)
    assert x.grad[1:].tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_offsets_and_mismatched_converters_pass_gradients_straight_through() -> None:
    """With 12 bits and 1 % of mismatch gradients are those without converters, to the trim's exact numbers."""
    torch.manual_seed(0)
    layer = on_levels(nn.Conv2d(2, 3, 2).double())
    x = torch.rand(2, 2, 4, 5, dtype=torch.float64)
    found = []
    for readout in (
        replace(EXACT, trim=True),
        replace(EXACT, trim=True, dac_bits=12, adc_bits=12, dac_mismatch=0.01, adc_mismatch=0.001),
    ):
        arrays, _ = convert(layer, chip_of("active_parallel", readout=readout))
        assert isinstance(arrays, ArrayMatrix)
        calibrate(arrays, 1.5 * x)
        driven = x.clone().requires_grad_()
        y = arrays.eval()(driven)
        (y * torch.linspace(-1, 1, y.numel()).view(y.shape)).sum().backward()
        assert driven.grad is not None
        assert arrays.weight.grad is not None
        found.append((y.detach(), driven.grad, arrays.weight.grad))
    for exact, rough in zip(*found, strict=True):
        torch.testing.assert_close(rough, exact, rtol=0, atol=0.02 * float(exact.abs().max()))


def test_every_tile_has_the_transfer_of_its_network() -> None:
    """With the mismatch of its own seed, for all Hall architectures; two-terminal tiles are solved in full."""
    for architecture in ALL:
        chip = chip_of(
            architecture, **({"mismatch": 0.03, "r_off_spread": 0.02, "seed": 4} if architecture.hall else {})
        )
        random = np.random.default_rng(5)
        weights = torch.from_numpy(PAIRS.weights[random.integers(0, 23, (2, 3, 7))])
        product = TiledProduct(weights, chip, first_tile=10)
        kinds = {
            "series_hall": TensorResponse,
            "passive_parallel": TensorResponse,
            "resistive": SolvedResponse,
        }
        matrix, offset = product.matrices(weights)
        assert offset is None
        assert isinstance(product.responses[0], kinds.get(architecture, CellResponse))
        number = 10
        for group in range(2):
            for rows in (slice(0, 4), slice(4, 7)):
                index = np.searchsorted(PAIRS.weights, weights[group, :, rows].numpy() - 1e-9).T
                states = np.stack([chip.states[PAIRS.plus[index]], chip.states[PAIRS.minus[index]]], axis=2)
                states = states.reshape(rows.stop - rows.start, -1)
                spread = None
                if architecture.hall:
                    random = np.random.default_rng([4, number, 3])
                    spread = draw_mismatch(states.shape, random, relative=0.03, r_off=0.02)
                exact = np.sum(
                    [
                        factor(crossbar(states, chip.config, spread, slot=slot)).transfer()
                        for slot in range(slots(chip.config, len(states)))
                    ],
                    axis=0,
                )
                signed = exact[::2] - exact[1::2]
                np.testing.assert_allclose(
                    matrix[group, :, rows].numpy(),
                    signed,
                    atol=1e-5 * np.abs(exact).max(),
                    err_msg=architecture,
                )
                number += 1
    assert product.tiling.tiles == 4
    drawn = tile_mismatch(chip_of("active_parallel", mismatch=0.1, r_off_spread=0.2, seed=1), (50, 40), 0)
    assert drawn.channel.std() == pytest.approx(0.1, rel=0.1)
    assert drawn.r_off.std() == pytest.approx(0.2, rel=0.1)


@pytest.mark.parametrize("architecture", ALL)
@pytest.mark.parametrize("bits", [None, 6])
def test_a_state_dict_gives_the_same_bits(architecture: str, bits: int | None) -> None:
    """Into a model that was converted with other weights, and has seen nothing."""
    torch.manual_seed(0)
    readout = replace(EXACT, trim=True, dac_bits=bits, adc_bits=bits, dac_mismatch=0.01, adc_mismatch=0.01)
    spread = {"mismatch": 0.02} if Architecture(architecture).hall else {}
    chip = chip_of(architecture, readout=readout, **spread)
    models = [nn.Sequential(nn.Conv2d(1, 2, 2), nn.Flatten(), nn.Linear(8, 3)) for _ in range(2)]
    x = torch.rand(4, 1, 3, 3) - 0.3
    first = converted(models[0], chip, x)
    second, _ = convert(models[1], replace(chip, seed=1))
    second.eval().load_state_dict(first.state_dict())
    with torch.no_grad():
        assert torch.equal(first(x), second(x))
    assert torch.equal(first(x), second(x))
    assert not torch.equal(first(x), models[0](x))


def test_the_type_of_numbers_is_that_of_the_model() -> None:
    torch.manual_seed(0)
    chip = chip_of("active_parallel", readout=replace(EXACT, trim=True))
    x = torch.rand(5, 6)
    single = converted(nn.Linear(6, 3), chip, x)
    assert single(x).dtype is torch.float32
    double = copy.deepcopy(single).double()
    assert double(x.double()).dtype is torch.float64
    torch.testing.assert_close(double(x.double()).float(), single(x), rtol=0, atol=1e-5)


def test_in_training_full_scales_and_trim_follow_now_and_then() -> None:
    """Full scales go a fifth of the way at every 20th product, the columns are trimmed at every 100th."""
    torch.manual_seed(0)
    readout = replace(EXACT, adc_bits=8, dac_bits=8, trim=True)
    arrays, _ = convert(nn.Linear(6, 3), chip_of("active_parallel", readout=readout))
    assert isinstance(arrays, ArrayLinear)
    x = torch.rand(50, 6)
    calibrate(arrays, x)
    tiles = arrays.tiles
    inputs, outputs, gain = (part.clone() for part in (tiles.input_full, tiles.output_full, tiles.gain0))
    arrays.train()
    with torch.no_grad():
        arrays.weight.mul_(0.5)
        arrays(2 * x)
    assert float(tiles.input_full[0]) == pytest.approx(float(inputs[0]) * 1.2, rel=1e-5)
    assert float(tiles.input_full[1]) == 0
    assert not torch.equal(tiles.gain0, gain)
    assert not torch.equal(tiles.output_full, outputs)
    kept = tiles.input_full.clone()
    gain = tiles.gain0.clone()
    for _ in range(19):
        arrays(x)
    assert torch.equal(tiles.input_full, kept)
    arrays(-x)
    assert float(tiles.input_full[1]) == pytest.approx(float(x.max()), rel=1e-6), (
        "a new sign begins at its size"
    )
    with torch.no_grad():
        arrays.weight.mul_(-0.5)
    for _ in range(79):
        arrays(x)
    assert torch.equal(tiles.gain0, gain)
    arrays(x)
    assert not torch.equal(tiles.gain0, gain)


@pytest.mark.parametrize("value", [0.5001, 0.9, 0.999, 1.0])
def test_upper_quantiles_are_those_of_numpy(value: float) -> None:
    values = np.random.default_rng(0).normal(size=(7, 11))
    for part in (values, np.sort(values, axis=None)[::-1].copy(), values[:1, :1], values[:1, :2]):
        for parts in ([torch.from_numpy(part)], torch.from_numpy(part).flatten().split(3)):
            found, largest = upper_quantile(parts, part.size, value)
            assert found == pytest.approx(float(np.quantile(part, value)), rel=1e-12)
            assert largest == part.max()


def test_a_quantile_of_many_parts_holds_few_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 10,000 values in parts of 100 it sorts no more than twice the ten above the quantile, and a part."""
    sizes = []
    plain = torch.cat

    def counted(parts: list[Tensor]) -> Tensor:
        sizes.append(sum(map(len, parts)))
        return plain(parts)

    monkeypatch.setattr(torch, "cat", counted)
    values = torch.from_numpy(np.random.default_rng(1).permutation(10000).astype(float))
    assert upper_quantile(values.split(100), 10000, 0.999) == (pytest.approx(9989.001), 9999.0)
    assert 2 < len(sizes) < 20
    assert max(sizes) <= 22 + 100


def test_codes_and_their_gradients() -> None:
    values = torch.tensor([-1.3, -0.6, 0.26, 0.8, 5.0], requires_grad=True)
    codes = rounded(values, torch.tensor(0.5), -2, 2)
    (codes * torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])).sum().backward()
    assert codes.tolist() == [-2, -1, 1, 2, 2]
    assert values.grad is not None
    assert values.grad.tolist() == [0, 4, 6, 8, 0]


def test_patches_and_positions_of_a_kernel() -> None:
    kernel = Kernel(size=(2, 3), stride=(1, 2), padding=(0, 1), dilation=(2, 1))
    assert (kernel.taps, kernel.positions(5, 6)) == (6, (3, 3))
    assert kernel.patches(torch.rand(2, 3, 5, 6)).shape == (2, 18, 9, 1)


def test_full_scales_must_be_set_and_sensible() -> None:
    arrays, _ = convert(nn.Linear(3, 2), chip_of("active_parallel"))
    assert isinstance(arrays, ArrayLinear)
    with pytest.raises(NotCalibratedError, match=r"^model: no full scales yet: call `calibrate"):
        arrays(torch.rand(1, 3))
    for inputs, outputs in (
        ((0.0, 1.0), None),
        ((1.0, -1.0), None),
        ((1.0, 0.0), (0.0, 1.0)),
        ((1.0, 1.0), (1.0, 0.0)),
    ):
        with pytest.raises(ValueError, match="full scales"):
            arrays.tiles.set_full_scales(inputs, outputs)
    arrays.tiles.set_full_scales((0.5, 0.25), (0.5, 0.25))
    assert arrays.tiles.signs() == (0, 1)
    arrays.tiles.set_full_scales((0.5, 0.25))
    assert arrays.tiles.output_full.tolist() == [1.0, 1.0]
    arrays.tiles.set_full_scales((1.0, 0.0), (1.0, 0.0))
    assert arrays.tiles.signs() == (0,)
    arrays(torch.rand(1, 3))
    with pytest.raises(ValueError, match=r"^model: inputs of shape \(1, 4\), expected \(\.\.\., 3\)"):
        arrays(torch.rand(1, 4))


@pytest.mark.parametrize("architecture", ["active_parallel", "resistive"])
def test_modes_of_torch_change_nothing(architecture: str) -> None:
    """Inference mode, and products in fewer bits around the layer, which the circuit knows nothing of."""
    torch.manual_seed(0)
    readout = replace(EXACT, trim=True, dac_bits=8, adc_bits=12)
    arrays, _ = convert(
        nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 3)), chip_of(architecture, readout=readout)
    )
    x = torch.rand(7, 6)
    with torch.inference_mode():
        calibrate(arrays, x)
        arrays.eval()
        with torch.no_grad():
            arrays[0].weight.data.neg_()
        inside = arrays(x)
    assert torch.equal(arrays(x), inside)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(arrays(x), inside)
        assert arrays(x.bfloat16()).dtype is torch.float32
    with torch.no_grad():
        assert torch.equal(arrays(x), inside)
