"""What a configuration says about programming, as numbers."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from circuits.write.solver import WriteSolver
from circuits.write.writing import Writing
from compact_model.hallbar import hall_bar
from hallspice.config.demand import Demand
from hallspice.config.load import load_setup
from hallspice.programming.plan import writing

near = partial(pytest.approx, rel=1e-6, abs=0.0)  # the default tolerance of 1e-12 is more than these numbers


def test_a_verify_read_takes_the_driver_s_power_and_one_conversion(tmp_path: Path) -> None:
    """1 mA through cell, select switch, driver and return (571 ohm) for 100 us, and 0.42 pJ."""
    found = plan(tmp_path, "array: {architecture: resistive}")
    assert found.recipe.read_energy == near(1e-6 * (500 + 20 + 50 + 1) * 100e-6 + 0.42e-12, rel=1e-9)
    serial = plan(
        tmp_path, "array: {architecture: active_series, rows: 3, columns: 2}\nwrite: {t_verify: 50 us}"
    )
    # the other cell of the row is bypassed: 500 ohm beside 20 ohm
    ohm = 500 + 50 + 1 + 500 * 20 / 520
    assert serial.recipe.read_energy == near(1e-6 * ohm * 50e-6 + 0.42e-12, rel=1e-9)
    assert (serial.recipe.read_time, serial.i_read) == (50e-6, 1e-3)


def test_losses_of_the_drivers_are_counted_with_the_drivers(tmp_path: Path) -> None:
    """Pulses of known cost: at an efficiency of 0.8 a quarter of what is delivered comes on top."""
    array = "array: {architecture: active_series, rows: 2, columns: 3}\n"
    target = np.array([[0.33, 0.46, 0.49], [0.52, 0.54, 0.57]])

    def energy(text: str) -> dict[str, float]:
        found = plan(tmp_path, array + text)
        solver = WriteSolver(2, 3, found.config)
        return found.outcome(target, found.plant(solver, np.random.default_rng(5)), 7).energy

    ideal, real = energy("seed: 1\n"), energy("write: {efficiency: 0.8}\n")
    delivered = sum(ideal[part] for part in ("cells", "select", "wires", "drivers"))
    assert real["drivers"] == near(ideal["drivers"] + delivered / 4, rel=1e-12)
    assert [real[part] for part in ("cells", "select", "wires")] == [
        ideal[part] for part in ("cells", "select", "wires")
    ]
    conversions = 0.42e-12 * ideal["verify"] / plan(tmp_path, array).recipe.read_energy
    assert real["verify"] == near((ideal["verify"] - conversions) / 0.8 + conversions, rel=1e-12)
    of_rows = plan(tmp_path, array.replace("}", ", driver: {efficiency: 0.5}}"))  # those of ordinary reads
    assert of_rows.recipe.read_energy == plan(tmp_path, array).recipe.read_energy


def test_an_efficiency_is_a_share(tmp_path: Path) -> None:
    config = plan(tmp_path, "seed: 1").config
    for wrong in (0.0, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"efficiency = .*, allowed: 0 < value <= 1"):
            replace(config, efficiency=wrong)


def test_a_verify_read_of_a_row_takes_the_width_that_is_written(tmp_path: Path) -> None:
    """The switches of the other cells of a row are in its path, those of the configuration's own width aren't."""
    path = tmp_path / "write.yaml"
    path.write_text("array: {architecture: active_series, rows: 2, columns: 7}")
    setup = load_setup(path, demands=Demand.WRITE)
    device = hall_bar(setup.card)
    three, two = (writing(setup, device, columns).recipe.read_energy for columns in (3, 2))
    assert three - two == near(1e-6 * (500 * 20 / 520) * 100e-6, rel=1e-6)
    path.write_text(
        "array: {architecture: active_series, columns: 500}"
    )  # more than the supply reads at once
    load_setup(path, demands=Demand.WRITE)


def test_drivers_and_faults_are_what_the_configuration_says(tmp_path: Path) -> None:
    lines = "open_rows: [1, 9], open_columns: [2], short_rows: [0], short_columns: [3, 5]"
    found = plan(
        tmp_path,
        f"write: {{compensated: false, faults: {{stuck: 0.25, device_spread: 0.1, cycle_noise: 0.02, {lines}}}}}",
    )
    assert not found.compensated
    drawn = found.fault_rates.drawn((5, 4), np.random.default_rng(3))
    random = np.random.default_rng(3)
    stuck, held, factor = random.random((5, 4)) < 0.25, random.random((5, 4)), random.standard_normal((5, 4))
    assert drawn.stuck is not None
    np.testing.assert_array_equal(drawn.stuck[stuck], held[stuck])
    assert np.isnan(drawn.stuck[~stuck]).all()
    np.testing.assert_allclose(drawn.threshold, 1 + 0.1 * factor)
    # lines beyond this array are of no concern to it
    assert (drawn.open_rows, drawn.open_columns) == ((1,), (2,))
    assert (drawn.short_rows, drawn.short_columns, drawn.cycle) == ((0,), (3,), 0.02)


def plan(folder: Path, text: str) -> Writing:
    path = folder / "write.yaml"
    path.write_text(text)
    setup = load_setup(path, demands=Demand.ARRAY)
    return writing(setup, hall_bar(setup.card), setup.config.array.columns)


@pytest.mark.parametrize(
    ("text", "density", "t_verify"),
    [
        # arms of 2 x 250 ohm, 4 k T R = 8.283894e-18 V^2/Hz; amplifier of 1 mS, 2.209039e-17 V^2/Hz
        ("array: {architecture: resistive}", 8.283894e-18 + 2.209039e-17, 100e-6),
        ("array: {cell: {r_arm: 2500}}", 8.283894e-17 + 2.209039e-17, 100e-6),
        ("array: {amplifier: {gm: 4 mS}}\nwrite: {t_verify: 30 us}", 8.283894e-18 + 5.522597e-18, 30e-6),
    ],
)
def test_noise_of_a_verify_read(tmp_path: Path, text: str, density: float, t_verify: float) -> None:
    """Arms and amplifier of the array, in the bandwidth 1 / (2 t_verify), over 1 mA."""
    found = plan(tmp_path, text).recipe.read_noise
    assert found == near(np.sqrt(density / (2 * t_verify)) / 1e-3, rel=1e-6)
