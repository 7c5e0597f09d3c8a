from functools import partial

import numpy as np
import pytest
from scipy.constants import Boltzmann

from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar
from circuits.network import Role
from circuits.read.noise import (
    amplifier_density,
    amplifier_input_density,
    averaged,
    effective_bits,
    hall_flicker,
    hall_read_noise,
    output_noise,
)
from circuits.solve.nodal import factor

near = partial(pytest.approx, rel=1e-6, abs=0.0)  # the default tolerance of 1e-12 is more than these numbers

ROOM = 4 * Boltzmann * 300.0  # 1.656779e-20 J


def test_an_amplifier_has_the_noise_of_two_transistors() -> None:
    """2 * 1.656779e-20 * 2/3 / 1e-3 = 2.209039e-17 V^2/Hz, 4.70 nV per root hertz."""
    assert amplifier_input_density(1e-3, 2 / 3, 300.0) == near(2.209039e-17, rel=1e-6)
    assert np.sqrt(amplifier_input_density(1e-3, 2 / 3, 300.0)) == near(4.70e-9, rel=1e-3)
    np.testing.assert_allclose(
        amplifier_density(np.array([1e-3, 4e-3]), 1.0, 600.0), [6.627115e-23, 2.650846e-22], rtol=1e-6
    )


def test_a_read_averages_white_noise_and_hears_flicker_from_the_last_calibration_on() -> None:
    """A read of 0.5 s passes 1 Hz; with the calibration e^2 s ago the band of 1/f noise has two e-folds."""
    found = averaged(np.array([3.0, 5.0]), np.array([[7.0, 11.0]]), 0.5, float(np.exp(2.0)))
    np.testing.assert_allclose(found, [[3.0 + 14.0, 5.0 + 22.0]], rtol=1e-12)
    # 50 kHz, and ln(0.01 / 2e-5) = 6.214608 from 100 Hz on
    assert averaged(np.array(2e-8), np.array(1e-4), 1e-5, 1e-2) == near(1e-3 + 6.214608e-4, rel=1e-6)
    # no band is left, not a negative one, when the calibration is no older than two reads
    assert averaged(np.array(1.0), np.array(1.0), 0.5, 0.75) == 1.0


def test_flicker_of_hall_resistances_adds_up_over_the_rows() -> None:
    per_ohm = np.array([[1.0, 2.0, 3.0], [0.0, 1.0, 0.5]])  # two columns, three rows
    found = hall_flicker(0.5, per_ohm, np.array([[1.0, 1.0, 2.0]]))
    np.testing.assert_allclose(found, [[0.5 * (1 + 4 + 36), 0.5 * (0 + 1 + 1)]], rtol=1e-12)


def test_noise_of_one_hall_read_in_volts() -> None:
    """(1.656779e-20 * 500 + 2.209039e-17) / (2 * 100 us) = 1.518714e-13 V^2, 390 nV."""
    assert hall_read_noise(250.0, 1e-3, 2 / 3, 300.0, 1e-4) == near(
        np.sqrt((8.283894e-18 + 2.209039e-17) / 2e-4), rel=1e-6
    )
    # ten times the arms, a quarter of the transconductance, twice the temperature, a fourth of the time
    wide = hall_read_noise(2500.0, 0.25e-3, 2 / 3, 600.0, 0.25e-4)
    assert wide == near(np.sqrt(2 * (8.283894e-17 + 8.836155e-17) * 2e4), rel=1e-6)


def test_one_hall_cell_has_the_noise_of_its_arms_and_its_amplifier() -> None:
    config = ArrayConfig(
        architecture="active_parallel", r_row=0, r_output=0, r_column=0, r_input=1e-6, cmrr_db=np.inf, r_off=0
    )
    noise = output_noise(factor(crossbar([[1e-9]], config)), [[0.0]])
    # the channel's noise is shorted by the rails and common to both arms, the arms' passes through gm
    assert noise.johnson[Role.CELL] == near(ROOM * 2 * config.r_arm * config.gm**2, rel=1e-9)
    assert noise.amplifier == near(2 * ROOM * 2 / 3 * config.gm, rel=1e-9)
    # 4.70 nV per root hertz for the amplifier, 2.88 for the arms; the quiet virtual ground doesn't count
    assert np.sqrt(noise.white()[0]) / config.gm == near(np.hypot(4.70e-9, 2.878e-9), rel=1e-3)


def test_noise_of_rows_adds_up_in_a_column() -> None:
    config = ArrayConfig(architecture="active_parallel")
    one, many = (
        output_noise(factor(crossbar(np.full((n, 1), 0.45), config)), np.zeros((1, n))) for n in (1, 9)
    )
    assert many.amplifier == near(9 * one.amplifier, rel=1e-9)


def test_flicker_noise_grows_with_the_square_of_the_input() -> None:
    config = ArrayConfig(architecture="resistive", r_row=0, r_column=0, r_output=0, r_input=1e-9)
    found = output_noise(factor(crossbar([[1e3], [2e3]], config)), [[0.1, 0.2], [0.2, 0.4]], flicker=1e-12)
    expected = 1e-12 * ((0.1 / 1e3) ** 2 + (0.2 / 2e3) ** 2)
    np.testing.assert_allclose(found.flicker[:, 0], [expected, 4 * expected], rtol=1e-6)


def test_a_longer_read_is_quieter() -> None:
    config = ArrayConfig(architecture="active_parallel")
    noise = output_noise(factor(crossbar(np.full((4, 4), 0.45), config)), np.full((1, 4), 0.5), flicker=1e-16)
    assert (noise.rms(1e-4, 1.0) < noise.rms(1e-5, 1.0)).all()
    white = output_noise(factor(crossbar(np.full((4, 4), 0.45), config)), np.zeros((1, 4)))
    np.testing.assert_allclose(white.rms(1e-5, 1.0), np.sqrt(white.white() / 2e-5)[None])
    with pytest.raises(ValueError, match=r"t_read = 2\.0 s"):
        noise.rms(2.0, 1.0)


@pytest.mark.parametrize(("name", "value"), [("temperature", 0.0), ("gamma", -1.0), ("flicker", np.nan)])
def test_wrong_parameters_are_named(name: str, value: float) -> None:
    factored = factor(crossbar([[1e3]], ArrayConfig(architecture="resistive")))
    with pytest.raises(ValueError, match=name):
        output_noise(factored, [[0.0]], **{name: value})


def small_array(**changes: float) -> ArrayConfig:
    return ArrayConfig(architecture="active_parallel", r_row=2.0, r_column=3.0, cmrr_db=30.0, **changes)


def test_noise_of_every_branch_by_one_solve_for_each() -> None:
    """Three rows, two columns: each branch drives a current of its own, and the squares add up."""
    states = np.random.default_rng(0).uniform(20.0, 60.0, (3, 2))
    network = crossbar(states, small_array(gm=2e-3))
    factored = factor(network)
    inputs = np.array([[0.1, -0.2, 0.3], [0.4, 0.5, -0.6]])
    found = output_noise(factored, inputs, temperature=400.0, gamma=1.5, flicker=1e-3)
    currents = factored.currents(inputs)
    gains = np.vstack([factored.adjoint_response, np.zeros((1, 2))])  # checked below, by driving a node
    johnson = {role: np.zeros(2) for role in Role}
    amplifier, excess = np.zeros(2), np.zeros((2, 2))
    for branch in range(len(network.kind)):
        role = next(role for role in Role if network.of_role(role)[branch])
        squared = (gains[network.plus[branch]] - gains[network.minus[branch]]) ** 2
        value = network.value[branch]
        if network.branch_names[branch].startswith("R"):
            johnson[role] += 4 * Boltzmann * 400.0 / value * squared
            if role is Role.CELL:
                excess += 1e-3 * np.outer(currents[:, branch] ** 2, squared)
        elif network.branch_names[branch].startswith("Gm"):
            amplifier += 2 * 4 * Boltzmann * 400.0 * 1.5 * 2e-3 * squared
    for role in Role:
        np.testing.assert_allclose(found.johnson[role], johnson[role], rtol=1e-9)
    np.testing.assert_allclose(found.amplifier, amplifier, rtol=1e-9)
    np.testing.assert_allclose(found.flicker, excess, rtol=1e-7)
    quiet = found.johnson[Role.CELL] + found.johnson[Role.WIRE] + found.johnson[Role.DRIVER]
    assert (found.johnson[Role.SENSE] > 0).all()
    np.testing.assert_allclose(found.white(), quiet + found.amplifier, rtol=1e-12)
    band = 1 / (2 * 1e-5)
    np.testing.assert_allclose(
        found.rms(1e-5, 2.0), np.sqrt(found.white() * band + found.flicker * np.log(2.0 * band)), rtol=1e-12
    )


def test_noise_is_told_for_a_warm_room_and_long_channels_and_no_flicker() -> None:
    factored = factor(crossbar([[0.4, 0.5]], small_array()))
    usual = output_noise(factored, [[0.3]])
    assert "response" not in vars(factored)  # the adjoint alone
    stated = output_noise(factored, [[0.3]], temperature=300.0, gamma=2 / 3, flicker=0.0)
    assert (usual.flicker == 0).all()
    assert usual.flicker.shape == (1, 2)
    np.testing.assert_array_equal(usual.white(), stated.white())
    np.testing.assert_array_equal(usual.amplifier, stated.amplifier)
    warm = output_noise(factored, [[0.3]], temperature=330.0, gamma=1.0)
    np.testing.assert_allclose(warm.amplifier, usual.amplifier * 1.1 * 1.5, rtol=1e-12)
    np.testing.assert_allclose(warm.johnson[Role.CELL], 1.1 * usual.johnson[Role.CELL], rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [
        ("temperature", [1e-3, 1e4], [0.0, -1.0, np.inf, np.nan]),
        ("gamma", [0.0, 3.0], [-0.1, np.inf, np.nan]),
        ("flicker", [0.0, 1e-9], [-1e-9, np.inf, np.nan]),
    ],
)
def test_ranges_of_the_parameters(name: str, allowed: list[float], refused: list[float]) -> None:
    factored = factor(crossbar([[1e3]], ArrayConfig(architecture="resistive")))
    for value in allowed:
        output_noise(factored, [[0.1]], **{name: value})
    for value in refused:
        with pytest.raises(ValueError, match=f"{name} = {value}"):
            output_noise(factored, [[0.1]], **{name: value})


@pytest.mark.parametrize("t_read", [0.0, -1.0, 2.0, 3.0])
def test_a_read_ends_before_the_next_calibration(t_read: float) -> None:
    with pytest.raises(ValueError, match=rf"t_read = {t_read} s, allowed: 0 < value < t_calibration = 2\.0"):
        averaged(np.array(1.0), np.array(1.0), t_read, 2.0)


def test_bits_that_noise_leaves() -> None:
    """A step q has the noise q / sqrt(12): 2 / 8 over sqrt(12) is three bits of a span of 2."""
    found = effective_bits(2.0, np.array([2 / 8, 2 / 1024, 2.0]) / 12**0.5)
    np.testing.assert_allclose(found, [3.0, 10.0, 0.0], atol=1e-12)
