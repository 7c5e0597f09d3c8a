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
