import numpy as np
import pytest

from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar, ideal_transfer
from circuits.read.calibration import (
    ColumnCalibration,
    calibrate,
    calibrate_transfer,
    calibration_cost,
    subtract_reference,
)
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
    found = calibrate(inputs @ transfer.T, inputs @ ideal.T)
    wanted = inputs @ ideal.T
    before = np.abs(inputs @ transfer.T / wanted - 1).max()
    after = np.abs(found.apply(inputs @ transfer.T) / wanted - 1).max()
    assert before > 0.1
    assert after < 0.01 * before  # every cell of a column sees the same share of its row's voltage


@pytest.mark.parametrize(("rows", "columns"), [((3, 2), (3, 1)), ((1, 2), (1, 2)), ((3,), (3,))])
def test_wrong_shapes_are_refused(rows: tuple[int, ...], columns: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="shape"):
        calibrate(np.zeros(rows), np.zeros(columns))


def test_two_vectors_are_a_line_and_one_column_out_of_three_is_dead() -> None:
    """Columns 1 -> 3 for 2 -> 8, a dead one, and one that falls: gains 3, 1 and -2."""
    found = calibrate(
        np.array([[1.0, 4.0, 0.0], [3.0, 4.0, 1.0]]), np.array([[2.0, 1.0, 5.0], [8.0, 2.0, 3.0]])
    )
    np.testing.assert_allclose(found.gain, [3.0, 1.0, -2.0], rtol=1e-12)
    np.testing.assert_allclose(found.offset, [-1.0, -2.5, 5.0], rtol=1e-12)


def test_the_line_is_that_of_numpy() -> None:
    random = np.random.default_rng(4)
    measured, wanted = random.normal(2.0, 1.0, (2, 7, 3))
    found = calibrate(measured, wanted)
    lines = np.array([np.polyfit(measured[:, k], wanted[:, k], 1) for k in range(3)])
    np.testing.assert_allclose(np.stack([found.gain, found.offset], axis=1), lines, rtol=1e-10)


def test_transfer_matrices_are_calibrated_by_the_moments_of_their_inputs() -> None:
    """Two arrays of two rows and three columns, each over vectors of its own: what the vectors themselves give."""
    random = np.random.default_rng(5)
    transfer, ideal, inputs = (
        random.normal(size=(2, 3, 2)),
        random.normal(size=(2, 3, 2)),
        random.normal(size=(2, 9, 2)),
    )
    transfer[1, 2] = 0  # a dead column
    mean = inputs.mean(axis=1)
    deviation = inputs - mean[:, None]
    found = calibrate_transfer(transfer, ideal, mean, deviation.transpose(0, 2, 1) @ deviation / 9)
    for number in range(2):
        one = calibrate(inputs[number] @ transfer[number].T, inputs[number] @ ideal[number].T)
        np.testing.assert_allclose(found.gain[number], one.gain, rtol=1e-10)
        np.testing.assert_allclose(found.offset[number], one.offset, rtol=1e-10)
    assert found.gain[1, 2] == 1


def test_gain_and_offset_are_those_of_the_column() -> None:
    found = ColumnCalibration(np.array([2.0, 4.0, -5.0]), np.array([0.0, 1.0, 10.0]))
    assert found.apply(np.array([[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]])).tolist() == [
        [2.0, 9.0, -5.0],
        [6.0, 17.0, -15.0],
    ]


def test_cost_of_a_calibration_by_hand() -> None:
    """2 * 3^2 = 18 reads; what rounding adds to a whole number takes no further one."""
    cost = calibration_cost(noise_to_signal=0.06, added_error=0.02, t_read=1e-5, energy=2e-7)
    assert cost.reads == 18
    assert cost.time == pytest.approx(18e-5, rel=1e-12, abs=0)
    assert cost.energy == pytest.approx(36e-7, rel=1e-12, abs=0)
    for excess, reads in ((0.0, 200), (5e-10, 200), (1.5e-9, 201), (0.1, 201), (-0.1, 200), (-1.5, 199)):
        assert calibration_cost(((200 + excess) / 2) ** 0.5, 1.0, 1.0, 1.0).reads == reads
    assert calibration_cost(1.0, 1.0, 1.0, 1.0).reads == 2
    assert calibration_cost(1.2, 1.0, 1.0, 1.0).reads == 3


@pytest.mark.parametrize("value", [0.0, -1.0, np.inf, np.nan])
def test_costs_of_no_calibration_are_named(value: float) -> None:
    with pytest.raises(ValueError, match=f"noise_to_signal = {value}, allowed: 0 < value < inf"):
        calibration_cost(value, 0.1, 1e-5, 1e-7)
    with pytest.raises(ValueError, match=f"added_error = {value}"):
        calibration_cost(0.1, value, 1e-5, 1e-7)


def test_references_are_the_last_columns_two_by_default() -> None:
    transfer = np.array([[9.0, 7.0], [8.0, 5.0], [1.0, 2.0], [4.0, 0.0]])
    assert subtract_reference(transfer).tolist() == [[6.5, 6.0], [5.5, 4.0]]
    assert subtract_reference(transfer, 1).tolist() == [[5.0, 7.0], [4.0, 5.0], [-3.0, 2.0]]
    assert subtract_reference(transfer, 3).shape == (1, 2)
    for references in (0, -1, 4, 5):
        with pytest.raises(ValueError, match=f"references = {references}, allowed: 0 < value < 4"):
            subtract_reference(transfer, references)
