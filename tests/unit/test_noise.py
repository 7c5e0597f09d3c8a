import numpy as np
import pytest
from scipy.constants import Boltzmann

from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar
from circuits.network import Role
from circuits.read.noise import output_noise
from circuits.solve.nodal import factor

ROOM = 4 * Boltzmann * 300.0


def test_one_hall_cell_has_the_noise_of_its_arms_and_its_amplifier() -> None:
    config = ArrayConfig(
        architecture="active_parallel", r_row=0, r_output=0, r_column=0, r_input=1e-6, cmrr_db=np.inf, r_off=0
    )
    noise = output_noise(factor(crossbar([[1e-9]], config)), [[0.0]])
    # the channel's noise is shorted by the rails and common to both arms, the arms' passes through gm
    assert noise.johnson[Role.CELL] == pytest.approx(ROOM * 2 * config.r_arm * config.gm**2, rel=1e-9)
    assert noise.amplifier == pytest.approx(ROOM * 2 / 3 * config.gm, rel=1e-9)
    # 3.3 nV per root hertz for the amplifier, 2.9 for the arms; the quiet virtual ground doesn't count
    assert np.sqrt(noise.white()[0]) / config.gm == pytest.approx(4.4e-9, rel=0.01)


def test_noise_of_rows_adds_up_in_a_column() -> None:
    config = ArrayConfig(architecture="active_parallel")
    one, many = (
        output_noise(factor(crossbar(np.full((n, 1), 0.45), config)), np.zeros((1, n))) for n in (1, 9)
    )
    assert many.amplifier == pytest.approx(9 * one.amplifier, rel=1e-9)


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
