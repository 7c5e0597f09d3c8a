"""Energy of reads by part, against sums by hand."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from circuits.network import Role
from circuits.periphery import load_periphery
from circuits.read.energy import (
    PartCosts,
    ReadEnergy,
    Work,
    driver_loss,
    mean_power,
    part_costs,
    read_energy,
    reference_energy,
)
from hallspice.inference.results import EnergyParts

near = partial(pytest.approx, rel=1e-6, abs=0.0)  # the default tolerance of 1e-12 is more than these numbers

COSTS = PartCosts(
    t_read=1e-5,
    t_settle=2e-6,
    amplifier_power=1.8e-4,
    driver_efficiency=0.8,
    dac_energy=2e-12,
    adc_energy=4e-13,
    adc_time=1e-8,
    adc_outputs=4,
    add=1e-13,
    multiply_float=3.7e-12,
    add_float=0.9e-12,
)
POWER = {
    Role.CELL: 1e-3,
    Role.SWITCH: 2e-4,
    Role.WIRE: 3e-4,
    Role.DRIVER: 4e-4,
    Role.SENSE: 2e-4,
    Role.AMPLIFIER: -1e-4,
}
WORK = Work(reads=3, amplifiers=5, dacs=7, adcs=11, additions=13, scalings=17)


def test_every_part_by_hand() -> None:
    """Three reads of 12 us; the drivers deliver 2 mW and take a quarter more."""
    found = read_energy(COSTS, POWER, WORK)
    on = 3 * 12e-6
    assert found.cells == near(on * 1.2e-3)
    assert found.wires == near(on * 3e-4)
    assert found.drivers == near(on * (4e-4 + 0.25 * 2e-3))
    assert found.amplifiers == near(on * 5 * 1.8e-4)
    assert found.sense == near(on * 1e-4)
    assert found.dac == near(7 * 2e-12)
    assert found.adc == near(11 * 4e-13)
    assert found.digital == near(13 * 1e-13 + 17 * 4.6e-12)
    assert found.array == near(on * 2e-3 / 0.8)
    rest = found.amplifiers + found.dac + found.adc + found.digital
    assert found.total == near(found.array + rest, rel=1e-12)


def test_energies_add_up_part_by_part() -> None:
    one = read_energy(COSTS, POWER, WORK)
    both = ReadEnergy.sum([one, replace(one, wires=1e-9)])
    assert both.wires == near(one.wires + 1e-9)
    assert both.total == near(2 * one.total - one.wires + 1e-9)


def test_a_reference_takes_the_share_of_two_columns() -> None:
    """Of 40 nJ in array and amplifiers of 5 columns; conversions and logic don't grow."""
    energy = ReadEnergy(
        cells=1e-8, wires=2e-9, drivers=3e-9, sense=5e-9, amplifiers=2e-8, dac=1e-6, adc=1e-6, digital=1e-6
    )
    assert reference_energy(energy, 5) == near(2 * 8e-9)


def test_results_of_run_count_amplifiers_as_sense() -> None:
    energy = ReadEnergy(cells=1, wires=2, drivers=3, amplifiers=4, sense=5, dac=6, adc=7, digital=8)
    assert EnergyParts.of(energy).model_dump() == {
        "cells": 1, "wires": 2, "drivers": 3, "sense": 9, "dac": 6, "adc": 7, "digital": 8
    }  # fmt: skip


def test_outputs_share_converters() -> None:
    assert [COSTS.conversion_time(outputs) for outputs in (3, 4, 9)] == near([3e-8, 4e-8, 4e-8])
    assert COSTS.t_on == near(12e-6)


def test_wrong_costs_are_named() -> None:
    with pytest.raises(ValueError, match="add = -1"):
        replace(COSTS, add=-1.0)
    with pytest.raises(ValueError, match="driver_efficiency = 0"):
        replace(COSTS, driver_efficiency=0.0)


@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [
        ("t_read", [1e-9, 1.0], [0.0, -1e-9, np.inf, np.nan]),
        ("t_settle", [0.0, 1.0], [-1e-9, np.inf, np.nan]),
        ("driver_efficiency", [0.01, 1.0], [0.0, 1.01, -0.5, np.nan]),
        ("adc_outputs", [1, 2], [0, -1]),
        ("dac_energy", [0.0, 1.0], [-1e-15, np.inf]),
    ],
)
def test_ranges_of_costs(name: str, allowed: list[float], refused: list[float]) -> None:
    for value in allowed:
        replace(COSTS, **{name: value})
    for value in refused:
        with pytest.raises(ValueError, match=f"{name} = {value}"):
            replace(COSTS, **{name: value})


def test_costs_are_those_of_the_card() -> None:
    """100 uA at 1.8 V; 0.39 pJ a bit of a row; 1 pJ or so a conversion; logic by operation."""
    card = load_periphery()
    costs = part_costs(card, 5, 6, t_read=3e-6, t_settle=2e-7)
    assert (costs.t_read, costs.t_settle) == (3e-6, 2e-7)
    assert costs.t_on == near(3.2e-6)
    assert costs.amplifier_power == near(1.8e-4)
    assert costs.dac_energy == near(5 * 0.39e-12)
    assert costs.adc_energy == near(0.42e-12)
    assert costs.adc_time == near(1e-8)
    assert costs.adc_outputs == card.adc.columns.value
    assert costs.driver_efficiency == card.driver.efficiency.value
    digital = card.digital
    assert (costs.add, costs.multiply_float, costs.add_float) == (
        digital.add_32bit.value, digital.multiply_fp32.value, digital.add_fp32.value
    )  # fmt: skip
    usual = part_costs(card, 5, 6)
    assert (usual.t_read, usual.t_settle) == (card.read.t_read.value, 0.0)


def test_work_without_scalings() -> None:
    assert Work(reads=1, amplifiers=0, dacs=0, adcs=0, additions=0).scalings == 0
    idle = read_energy(COSTS, {}, Work(reads=1, amplifiers=0, dacs=0, adcs=0, additions=0))
    assert idle.total == 0.0


def test_mean_power_of_random_inputs_and_losses_of_drivers() -> None:
    random = np.random.default_rng(0)
    form, inputs = random.normal(size=(3, 3)), random.normal(size=(5, 3))
    found = mean_power({Role.CELL: form, Role.WIRE: 2 * form}, inputs.T @ inputs / 5)
    expected = np.mean([x @ form @ x for x in inputs])
    assert list(found.values()) == near([expected, 2 * expected])
    assert [driver_loss(6.0, share) for share in (1.0, 0.75, 0.25)] == near([0.0, 2.0, 18.0])
