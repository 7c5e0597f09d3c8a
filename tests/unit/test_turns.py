"""Rows that are read one after another, and slices: networks, powers, and what they cost."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar, idle_rows_are_alike, read_networks
from circuits.arrays.mismatch import draw_mismatch
from circuits.network import Role
from circuits.periphery import load_periphery
from circuits.read.energy import PartCosts
from circuits.solve.nodal import factor
from nn_mapping.accuracy import evaluate
from nn_mapping.analog.chip_design import Chip
from nn_mapping.analog.conversion import convert
from nn_mapping.analog.full_scales import calibrate
from nn_mapping.analog.placement import tiles_of
from nn_mapping.column_readout import Readout
from nn_mapping.cost import InferenceCost, areas, inference_cost
from nn_mapping.examples import Examples
from nn_mapping.levels import PAPER_LEVELS_OHM, single_levels, sliced_levels
from nn_mapping.tiles import solve_tile, solve_tiles

STATES = np.random.default_rng(0).uniform(0.33, 0.57, (5, 3))


@pytest.mark.parametrize(("r_switch_off", "alone"), [(1e10, True), (1e6, False)])
def test_a_read_is_the_sum_of_its_turns(r_switch_off: float, alone: bool) -> None:
    """Transfer and power of each role, with mismatch: those of the full networks of all time slots."""
    config = ArrayConfig(
        architecture="row_multiplexed", r_row=2.0, r_column=0.5, r_switch_off=r_switch_off, r_load=1e6
    )
    assert idle_rows_are_alike(config, 3) is alone
    mismatch = draw_mismatch(STATES.shape, np.random.default_rng(1), relative=0.05)
    found = solve_tile(STATES, mismatch, config)
    every = [factor(crossbar(STATES, config, mismatch, slot=row)) for row in range(5)]
    transfer = np.sum([one.transfer() for one in every], axis=0)
    np.testing.assert_allclose(found.transfer, transfer, atol=1e-7 * np.abs(transfer).max())
    x = np.array([0.1, 0.5, 0.2, 0.9, 0.4])
    forms = [one.power_forms() for one in every]
    largest = x @ np.sum([form[Role.CELL] for form in forms], axis=0) @ x
    for role in Role:
        expected = x @ np.sum([form[role] for form in forms], axis=0) @ x
        assert x @ found.power_forms[role] @ x == pytest.approx(expected, rel=1e-6, abs=1e-9 * largest), role
    assert found.imbalance < 1e-9
    sizes = [(inputs, network.n_inputs) for inputs, network in read_networks(STATES, config, mismatch)]
    rows = [slice(row, row + 1) for row in range(5)] if alone else [slice(0, 5)] * 5
    assert sizes == [(inputs, 1 if alone else 5) for inputs in rows]


def test_rows_that_are_read_at_once_are_one_network() -> None:
    config = ArrayConfig(architecture="active_parallel")
    ((inputs, network),) = read_networks(STATES, config)
    assert (inputs, network.n_inputs) == (slice(0, 5), 5)
    np.testing.assert_array_equal(
        solve_tile(STATES, None, config).transfer, factor(crossbar(STATES, config)).transfer()
    )
    with pytest.raises(ValueError, match="states have shape"):
        next(read_networks(STATES[0], config))


@pytest.mark.parametrize(("columns", "alike"), [(4, True), (5, False)])
def test_idle_rows_are_alike_where_switches_leak_little(columns: int, alike: bool) -> None:
    config = ArrayConfig(architecture="row_multiplexed", r_channel=500.0, r_switch_off=2e7)
    assert idle_rows_are_alike(config, columns) is alike


# Cost


def costs(dac_bits: int, adc_bits: int) -> PartCosts:
    """1 pJ and 0.1 pJ a bit; reads of 10 us with 2 us to settle; four outputs share a converter of 10 ns."""
    return PartCosts(
        t_read=1e-5,
        t_settle=2e-6,
        amplifier_power=1.8e-4,
        driver_efficiency=1.0,
        dac_energy=1e-12 * dac_bits,
        adc_energy=1e-13 * adc_bits,
        adc_time=1e-8,
        adc_outputs=4,
        add=1e-13,
        multiply_float=3.7e-12,
        add_float=0.9e-12,
    )


def cost_of(chip: Chip, inputs: torch.Tensor) -> tuple[InferenceCost, nn.Module]:
    """Of a layer with 7 inputs and 3 outputs."""
    torch.manual_seed(0)
    arrays, _ = convert(nn.Linear(7, 3), chip)
    given = Examples(calibration=inputs, inputs=inputs, labels=np.zeros(len(inputs), np.intp))
    calibrate(arrays, inputs)
    evaluation = evaluate(arrays.eval(), given)
    responses = solve_tiles(tiles_of(arrays), chip.config)
    return inference_cost(arrays, responses, evaluation.reads, costs), arrays


def test_slices_are_counted() -> None:
    """6 bits in reads of 2, both signs: 6 reads; 3 outputs in 2 slices on two bands of rows: 12 conversions each."""
    levels = sliced_levels(single_levels(PAPER_LEVELS_OHM), (1.0, 6.0))
    readout = Readout(v_full=0.5, dac_bits=6, adc_bits=5, quantile=1.0)
    config = ArrayConfig(architecture="active_parallel")
    chip = Chip(config=config, level_set=levels, readout=readout, tile=(4, 8), input_slice_bits=2)
    inputs = torch.linspace(-1, 1, 210).view(30, 7)
    cost, arrays = cost_of(chip, inputs)
    work = cost.work["model"]
    assert (work.reads, work.dacs, work.adcs, work.additions) == (6, 6 * 7, 6 * 12, 6 * 12)
    assert work.scalings == 2 * 3, "once for each output and sign"
    assert work.amplifiers == 7 * (2 * 3 + 2)
    energy = cost.energy
    assert energy.dac == pytest.approx(42 * 2e-12, rel=1e-12, abs=0)
    assert energy.adc == pytest.approx(72 * 5e-13, rel=1e-12, abs=0)
    assert energy.digital == pytest.approx(72 * 1e-13 + 6 * 4.6e-12, rel=1e-12, abs=0)
    assert energy.amplifiers == pytest.approx(6 * 1.2e-5 * 56 * 1.8e-4, rel=1e-12, abs=0)
    assert cost.latency == pytest.approx(6 * (1.2e-5 + 4e-8), rel=1e-12, abs=0)
    # a row's channels, 8 of 500 ohm in parallel, at the voltages of each read: digits of 0 to 3 of both signs
    shares = (inputs.double() / inputs.double().max()).numpy()
    squares = 0.0
    for sign in (1, -1):
        codes = np.round((sign * shares).clip(0) * 63).astype(int)
        squares += sum(float(np.mean(np.sum(((codes >> start & 3) / 3) ** 2, axis=1))) for start in (0, 2, 4))
    assert energy.array == pytest.approx(1.2e-5 * squares * 0.25 * 8 / 500, rel=5e-3, abs=0)
    area = areas(arrays, load_periphery())["model"]
    whole, _ = cost_of(replace(chip, input_slice_bits=None), inputs)
    assert (whole.work["model"].reads, whole.work["model"].adcs, whole.energy.dac) == (
        2,
        24,
        pytest.approx(14 * 6e-12),
    )
    assert area["dac"] == pytest.approx(load_periphery().area.dac_per_bit.value * 2 * 7)


def test_turns_are_counted() -> None:
    """Tiles of 4 and 3 rows: 4 turns, 7 turns of 5 columns with 3 outputs, each converted; a row is driven once."""
    config = ArrayConfig(architecture="row_multiplexed", r_channel=500.0)
    readout = Readout(v_full=1e-4, dac_bits=6, adc_bits=5, quantile=1.0)
    chip = Chip(config=config, level_set=single_levels(PAPER_LEVELS_OHM), readout=readout, tile=(4, 8))
    inputs = torch.linspace(0, 1, 210).view(30, 7)
    cost, _ = cost_of(chip, inputs)
    work = cost.work["model"]
    assert (work.reads, work.dacs, work.adcs, work.additions, work.scalings) == (4, 7, 21, 21, 3)
    assert cost.energy.amplifiers == pytest.approx(1.2e-5 * 7 * 5 * 1.8e-4, rel=1e-12, abs=0)
    assert cost.latency == pytest.approx(4 * (1.2e-5 + 3e-8), rel=1e-12, abs=0)
    codes = np.round(inputs.double().numpy() / float(inputs.max()) * 63) / 63
    power = (
        5 * 500.0 * float(np.mean(np.sum((1e-4 * codes) ** 2, axis=1)))
    )  # of all rows, 5 channels in series
    assert cost.energy.cells == pytest.approx(1.2e-5 * power, rel=1e-3, abs=0)
