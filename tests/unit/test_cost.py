"""Energy, time and area of a model on arrays, by what was read and how often."""

import numpy as np
import pytest
import torch
from torch import nn

from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar
from circuits.network import Role
from circuits.periphery import load_periphery
from circuits.read.energy import PartCosts, part_costs
from circuits.solve.nodal import factor
from nn_mapping.accuracy import Evaluation, evaluate
from nn_mapping.analog.chip_design import Chip, LayerOptions
from nn_mapping.analog.conversion import convert
from nn_mapping.analog.full_scales import calibrate
from nn_mapping.analog.placement import tiles_of
from nn_mapping.column_readout import Readout
from nn_mapping.cost import areas, digital_cost, inference_cost, write_cost
from nn_mapping.examples import Examples
from nn_mapping.levels import PAPER_LEVELS_OHM, pair_levels, single_levels
from nn_mapping.tiles import TileResponse, solve_tiles

CONFIG = ArrayConfig(architecture="active_parallel", r_row=0.05, r_column=0.05)
PIXELS = LayerOptions(input_full=1.0)
ON = 1e-5 + 2e-6  # a read and its settling


def costs(dac_bits: int, adc_bits: int) -> PartCosts:
    """1 pJ and 0.1 pJ a bit, and their square root in time."""
    return PartCosts(
        t_read=1e-5,
        t_settle=2e-6,
        amplifier_power=1.8e-4,
        driver_efficiency=0.8,
        dac_energy=1e-12 * dac_bits,
        adc_energy=1e-13 * adc_bits,
        adc_time=1e-8,
        adc_outputs=4,
        add=1e-13,
        multiply_float=3.7e-12,
        add_float=0.9e-12,
    )


def chip(**changes: object) -> Chip:
    plain: dict[str, object] = {
        "config": CONFIG,
        "level_set": single_levels(PAPER_LEVELS_OHM),
        "readout": Readout(v_full=0.5),
        "tile": (8, 8),
        "layers": {"0": PIXELS, "1": LayerOptions(bits=5)},
    }
    return Chip(**(plain | changes))  # type: ignore[arg-type]


def examples(*shape: int) -> Examples:
    torch.manual_seed(2)
    inputs = torch.rand(60, *shape) * (torch.rand(60, *shape) < 0.5)
    return Examples(calibration=inputs, inputs=inputs, labels=np.zeros(60, np.intp))


@pytest.fixture(scope="module")
def chain() -> tuple[nn.Module, tuple[TileResponse, ...], Evaluation]:
    """20-9-3 on tiles of 8 x 8, 6 bits and then 5, without ReLU: inputs of the second layer have both signs."""
    torch.manual_seed(0)
    arrays, _ = convert(nn.Sequential(nn.Linear(20, 9), nn.Linear(9, 3)), chip())
    given = examples(20)
    calibrate(arrays, given.calibration)
    return arrays.eval(), solve_tiles(tiles_of(arrays), CONFIG), evaluate(arrays, given)


def test_energy_is_the_mean_of_solving_image_by_image(
    chain: tuple[nn.Module, tuple[TileResponse, ...], Evaluation],
) -> None:
    """Sources and cells of every tile, solved for every first-layer input, against the second moments."""
    arrays, responses, evaluation = chain
    cost = inference_cost(arrays, responses, evaluation.reads, costs)
    voltages = 0.5 * np.round(examples(20).inputs.numpy() * 63) / 63
    tiles = [tile for tile in tiles_of(arrays) if tile.layer == "0"]
    source = cells = 0.0
    for tile in tiles:
        solution = factor(crossbar(tile.states, CONFIG)).solve(voltages[:, tile.rows])
        source += float(solution.source_power.mean())
        cells += float(solution.power[Role.CELL].mean())
    layer = cost.layers["0"]
    assert layer.cells == pytest.approx(ON * cells, rel=1e-5, abs=0)
    assert layer.array == pytest.approx(ON * source / 0.8, rel=1e-5, abs=0)
    assert layer.amplifiers == pytest.approx(ON * 1.8e-4 * sum(t.states.size for t in tiles), rel=1e-9, abs=0)


def test_counts_and_sums_of_the_cost(
    chain: tuple[nn.Module, tuple[TileResponse, ...], Evaluation],
) -> None:
    arrays, responses, evaluation = chain
    cost = inference_cost(arrays, responses, evaluation.reads, costs)
    first, last = cost.work["0"], cost.work["1"]
    # 20 rows on 3 tiles and 9 outputs on 2 (at most 6 each, 2 references); 9 rows on 2 tiles, 3 outputs on 1, twice
    assert (first.reads, first.dacs, first.adcs) == (1, 2 * 20, 3 * 9)
    assert (last.reads, last.dacs, last.adcs) == (2, 2 * 9, 2 * 2 * 3)
    assert (first.additions, first.scalings) == (2 * 9 + 9, 9)
    assert (last.additions, last.scalings) == (2 * (1 * 3 + 3), 2 * 3)
    # 5 and 4 outputs at 4 a converter, 3 outputs; the second layer is read twice
    assert cost.latency == pytest.approx((ON + 4e-8) + 2 * (ON + 3e-8), rel=1e-12, abs=0)
    assert cost.energy.total == pytest.approx(
        sum(one.total for one in cost.layers.values()), rel=1e-12, abs=0
    )
    assert cost.energy.adc == pytest.approx(27 * 6e-13 + 12 * 5e-13, rel=1e-12, abs=0)
    assert cost.energy.dac == pytest.approx(40 * 6e-12 + 18 * 5e-12, rel=1e-12, abs=0)
    # an amplifier in every cell: 20 rows of 13 columns and twice 9 rows of 5, references included
    assert cost.energy.amplifiers == pytest.approx((20 * 13 + 2 * 9 * 5) * 1.8e-4 * ON, rel=1e-12, abs=0)


def test_a_layer_that_is_not_read_costs_nothing(
    chain: tuple[nn.Module, tuple[TileResponse, ...], Evaluation],
) -> None:
    arrays, responses, evaluation = chain
    last = {"1": evaluation.reads["1"]}
    assert list(inference_cost(arrays, responses, last, costs).layers) == ["1"]
    found = inference_cost(arrays, responses, evaluation.reads, costs)
    assert inference_cost(arrays, responses, last, costs).latency == pytest.approx(2 * (ON + 3e-8), abs=0)
    assert inference_cost(arrays, responses, last, costs).layers["1"] == found.layers["1"]


def test_nobody_knows_the_energy_of_ideal_converters() -> None:
    for readout in (Readout(v_full=0.5, dac_bits=None), Readout(v_full=0.5, adc_bits=None)):
        arrays, _ = convert(nn.Linear(3, 2), chip(readout=readout, layers={}))
        given = examples(3)
        calibrate(arrays, given.calibration)
        found = evaluate(arrays.eval(), given)
        responses = solve_tiles(tiles_of(arrays), CONFIG)
        with pytest.raises(ValueError, match=r"^model: converters without bits have no energy"):
            inference_cost(arrays, responses, found.reads, costs)


def test_a_convolution_is_read_patch_by_patch_and_group_by_group() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 4, 2, groups=2), nn.Flatten(), nn.Linear(24, 3))
    arrays, _ = convert(model, chip(layers={"0": PIXELS}, level_set=pair_levels(PAPER_LEVELS_OHM)))
    given = examples(2, 3, 4)
    calibrate(arrays, given.calibration)
    found = evaluate(arrays.eval(), given)
    tiles = tiles_of(arrays)
    responses = solve_tiles(tiles, CONFIG)
    cost = inference_cost(arrays, responses, found.reads, costs)
    work = cost.work["0"]
    assert (work.reads, work.dacs, work.adcs, work.scalings) == (6, 6 * 8, 6 * 4, 6 * 4)
    pixels = np.round(given.inputs.numpy() * 63) / 63
    cells = 0.0
    for group in range(2):
        tile = tiles[group]
        assert tile.group == group
        patches = [
            pixels[:, group, row : row + 2, column : column + 2].reshape(60, 4)
            for row in range(2)
            for column in range(3)
        ]
        solution = factor(crossbar(tile.states, CONFIG)).solve(0.5 * np.concatenate(patches))
        cells += 6 * float(solution.power[Role.CELL].mean())
    assert cost.layers["0"].cells == pytest.approx(ON * cells, rel=1e-5, abs=0)
    digital = digital_cost(arrays, found.reads, multiply=2e-13, add=1e-13)
    assert digital.multiplications == 6 * 2 * (2 * 4) + 24 * 3
    assert digital.energy == pytest.approx(digital.multiplications * 3e-13, rel=1e-9, abs=0)


def test_digital_multipliers_know_no_signs(
    chain: tuple[nn.Module, tuple[TileResponse, ...], Evaluation],
) -> None:
    arrays, _, evaluation = chain
    assert digital_cost(arrays, evaluation.reads, 1.0, 1.0).multiplications == 20 * 9 + 9 * 3


def test_areas_count_what_is_there(chain: tuple[nn.Module, tuple[TileResponse, ...], Evaluation]) -> None:
    arrays, _, _ = chain
    card = load_periphery()
    found = areas(arrays, card)
    # 20 rows on three tiles, 9 outputs on two with two reference columns each
    assert found["0"]["cells"] == pytest.approx(20 * (9 + 2 * 2) * 2.5e-9, rel=1e-9, abs=0)
    assert found["1"]["cells"] == pytest.approx(9 * 5 * 2.5e-9, rel=1e-9, abs=0)
    assert found["0"]["drivers"] == pytest.approx(2 * 20 * 5e-9, rel=1e-9, abs=0)
    # a sense for every column, those of the references, too: 9 outputs and 4 on each of the three groups of rows
    senses = [layer["sense"] for layer in found.values()]
    assert senses == pytest.approx([3 * 13 * 2.5e-9, 2 * 5 * 2.5e-9], rel=1e-9, abs=0)
    dac = card.area.dac_per_bit.value
    assert found["0"]["dac"] == pytest.approx(6 * 40 * dac, rel=1e-9, abs=0)
    assert found["1"]["dac"] == pytest.approx(5 * 9 * dac, rel=1e-9, abs=0)
    # no more than eight outputs on any of them; a bit less is half
    assert found["0"]["adc"] == pytest.approx(6 * 300e-12, rel=1e-9, abs=0)
    assert found["1"]["adc"] == pytest.approx(2 * 150e-12, rel=1e-9, abs=0)
    assert found["0"]["digital"] == found["1"]["digital"] == card.area.digital.value
    free, _ = convert(
        nn.Linear(3, 12),
        chip(layers={}, tile=(8, 14), readout=Readout(v_full=0.5, dac_bits=None, adc_bits=None)),
    )
    assert (areas(free, card)["model"]["dac"], areas(free, card)["model"]["adc"]) == (0, 0)
    wide, _ = convert(nn.Linear(3, 12), chip(layers={}, tile=(8, 14)))
    assert areas(wide, card)["model"]["adc"] == pytest.approx(
        2 * 300e-12, rel=1e-9, abs=0
    )  # 12 outputs, 8 each


def test_a_read_of_the_card_is_replaced() -> None:
    assert part_costs(load_periphery(), 6, 6, t_read=1e-6).t_read == 1e-6


def test_write_cost_counts_every_cell() -> None:
    """Also for layers on other levels: binary ones are the outermost of the device's."""
    torch.manual_seed(0)
    ohm = np.array(PAPER_LEVELS_OHM)
    options = {"1": LayerOptions(level_set=single_levels(ohm[[0, -1]]))}
    arrays, _ = convert(nn.Sequential(nn.Linear(20, 9), nn.Linear(9, 3)), chip(layers=options))
    tiles = tiles_of(arrays)
    energy, time = np.arange(6) * 1e-5, np.array([0.0, 2e-4, 3e-4, 4e-4, 5e-4, 6e-4])
    cost = write_cost(tiles, ohm, energy, time)
    levels = [np.searchsorted(ohm, tile.target.ravel() - 1e-9) for tile in tiles]
    assert {0, 5} == set(levels[-1])
    every = np.concatenate(levels)
    assert cost.energy == pytest.approx(energy[every].sum(), rel=1e-12, abs=0)
    assert cost.time_serial == pytest.approx(time[every].sum(), rel=1e-12, abs=0)
    assert cost.time_tiles_parallel == pytest.approx(
        max(time[index].sum() for index in levels), rel=1e-12, abs=0
    )
