import numpy as np
import pytest

from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar, ideal_transfer
from circuits.read.calibration import calibrate, calibrate_transfer
from circuits.solve.nodal import factor


def test_gain_and_offset_are_recovered() -> None:
    random = np.random.default_rng(0)
    wanted = random.normal(size=(20, 4))
    gain, offset = random.uniform(0.5, 2, 4), random.normal(size=4)
    found = calibrate((wanted - offset) / gain, wanted)
    np.testing.assert_allclose(found.gain, gain, rtol=1e-12)
    np.testing.assert_allclose(found.offset, offset, rtol=1e-12)
    np.testing.assert_allclose(found.apply((wanted - offset) / gain), wanted, atol=1e-12)


def test_a_dead_column_is_only_shifted() -> None:
    found = calibrate(np.full((3, 1), 5.0), np.array([[1.0], [2.0], [3.0]]))
    assert found.gain.tolist() == [1.0]
    assert found.offset.tolist() == [-3.0]


def test_least_squares_is_not_beaten_by_its_neighbours() -> None:
    random = np.random.default_rng(1)
    measured, wanted = random.normal(size=(2, 30, 3))
    best = calibrate(measured, wanted)

    def error(gain: float, offset: float) -> float:
        return float(np.sum(((best.gain + gain) * measured + best.offset + offset - wanted) ** 2))

    assert all(error(0, 0) < error(dg, do) for dg, do in [(1e-3, 0), (-1e-3, 0), (0, 1e-3), (0, -1e-3)])


def test_calibration_removes_the_voltage_drop_along_the_rows() -> None:
    random = np.random.default_rng(2)
    config = ArrayConfig(architecture="active_parallel", r_row=0.05)
    states, inputs = random.uniform(0.33, 0.57, (32, 32)), random.uniform(0, 0.5, (50, 32))
    transfer, ideal = factor(crossbar(states, config)).transfer(), ideal_transfer(states, config)
    found = calibrate_transfer(transfer, ideal, inputs)
    wanted = inputs @ ideal.T
    before = np.abs(inputs @ transfer.T / wanted - 1).max()
    after = np.abs(found.apply(inputs @ transfer.T) / wanted - 1).max()
    assert before > 0.1
    assert after < 0.01 * before  # every cell of a column sees the same share of its row's voltage
    np.testing.assert_allclose(
        inputs @ found.apply_to_transfer(transfer).T + found.offset, found.apply(inputs @ transfer.T)
    )


@pytest.mark.parametrize(("rows", "columns"), [((3, 2), (3, 1)), ((1, 2), (1, 2)), ((3,), (3,))])
def test_wrong_shapes_are_refused(rows: tuple[int, ...], columns: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="shape"):
        calibrate(np.zeros(rows), np.zeros(columns))
