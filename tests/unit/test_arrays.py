from typing import Any

import numpy as np
import pytest

from circuits.arrays import Architecture, ArrayConfig, crossbar, hall_cells, ideal_transfer
from circuits.network import GROUND, NetworkBuilder
from circuits.nodal import factor

RESISTIVE = Architecture.RESISTIVE
PARALLEL = Architecture.ACTIVE_PARALLEL


def config(architecture: Architecture, **changes: Any) -> ArrayConfig:
    return ArrayConfig(architecture=architecture, **changes)


def resistive_by_hand(a: np.ndarray, drive: np.ndarray, read: np.ndarray) -> np.ndarray:
    """Outputs per input of nodal equations ``a v = drive x``, ``y = read v``."""
    return read @ np.linalg.solve(a, drive)


def test_resistive_1x1_is_a_series_circuit() -> None:
    circuit = config(RESISTIVE, r_row=2.0, r_col=3.0, r_driver=5.0, r_sense=7.0)
    assert factor(crossbar([[100.0]], circuit)).transfer() == pytest.approx(1 / 117, rel=1e-14)


def test_resistive_1x2_against_its_nodal_equations() -> None:
    r, c, d, s, ra, rb = 2.0, 3.0, 5.0, 7.0, 100.0, 300.0
    a, b = 1 / (ra + c + s), 1 / (rb + c + s)  # the branch from each word-line node to ground
    matrix = np.array([[1 / (d + r) + 1 / r + a, -1 / r], [-1 / r, 1 / r + b]])
    expected = resistive_by_hand(matrix, np.array([[1 / (d + r)], [0]]), np.diag([a, b]))
    circuit = config(RESISTIVE, r_row=r, r_col=c, r_driver=d, r_sense=s)
    np.testing.assert_allclose(factor(crossbar([[ra, rb]], circuit)).transfer(), expected, rtol=1e-13)


def test_resistive_2x1_against_its_nodal_equations() -> None:
    r, c, d, s, ra, rb = 2.0, 3.0, 5.0, 7.0, 100.0, 300.0
    a, b = 1 / (ra + r + d), 1 / (rb + r + d)  # the branch from each source to its bit-line node
    matrix = np.array([[a + 1 / c, -1 / c], [-1 / c, b + 1 / c + 1 / (c + s)]])
    expected = resistive_by_hand(matrix, np.diag([a, b]), np.array([[0, 1 / (c + s)]]))
    circuit = config(RESISTIVE, r_row=r, r_col=c, r_driver=d, r_sense=s)
    np.testing.assert_allclose(factor(crossbar([[ra], [rb]], circuit)).transfer(), expected, rtol=1e-13)


def hall_port_equations(r_xy: float, circuit: ArrayConfig) -> np.ndarray:
    hall = r_xy - circuit.r_off
    return np.array(
        [
            [circuit.r_channel, circuit.r_off - hall],
            [circuit.r_off + hall, 2 * circuit.r_arm],
        ]
    )


@pytest.mark.parametrize("r_xy", [0.33, 0.57, 40.0])
@pytest.mark.parametrize("r_off", [0.0, 0.4666, -30.0])
def test_hall_cell_obeys_its_port_equations(r_xy: float, r_off: float) -> None:
    circuit = config(PARALLEL, r_off=r_off)
    build = NetworkBuilder()
    plus, minus = build.nodes("p", 1, 1), build.nodes("n", 1, 1)
    arms = hall_cells(build, plus, minus, np.array([[r_xy]]), circuit)
    currents = build.inputs("i", 2)
    build.current_sources("Ix", currents[0], minus, plus, 1.0, title="into the channel, p to n")
    build.current_sources("Iy", currents[1], arms[1], arms[0], 1.0, title="into the arms, p to n")
    build.resistors("Rg", minus, GROUND, 1.0, "driver", title="ground")
    build.outputs("vx", plus, minus, 1.0)
    build.outputs("vy", arms[0], arms[1], 1.0)
    impedance = factor(build.network()).transfer()
    np.testing.assert_allclose(impedance, hall_port_equations(r_xy, circuit), rtol=1e-10, atol=1e-10)


def test_parallel_1x1_reads_the_hall_voltage() -> None:
    circuit = config(PARALLEL, r_row=1.0, r_driver=2.0, r_col=3.0, r_sense=4.0, cmrr_db=np.inf)
    current = 1 / (circuit.r_channel + 2 * 3.0)
    transfer = factor(crossbar([[0.57]], circuit)).transfer()
    assert transfer == pytest.approx(circuit.gm * 0.57 * current, rel=1e-11)


def test_parallel_1x2_against_the_ladder_of_its_row() -> None:
    circuit = config(PARALLEL, r_row=20.0, r_driver=2.0, cmrr_db=np.inf)
    cell, wire = 1 / circuit.r_channel, 1 / (2 * circuit.r_row)
    entry = 1 / (2 * (circuit.r_row + circuit.r_driver))
    matrix = np.array([[entry + wire + cell, -wire], [-wire, wire + cell]])
    channel_voltages = np.linalg.solve(matrix, [entry, 0])
    expected = circuit.gm * np.array([0.4, 0.5]) * channel_voltages / circuit.r_channel
    np.testing.assert_allclose(factor(crossbar([[0.4, 0.5]], circuit)).transfer()[:, 0], expected, rtol=1e-10)


def test_parallel_2x1_adds_the_rows_whatever_the_column_wire() -> None:
    circuit = config(PARALLEL, r_row=20.0, r_driver=2.0, r_col=50.0, cmrr_db=np.inf)
    channel_current = 1 / (circuit.r_channel + 2 * 22.0)
    expected = circuit.gm * np.array([[0.4, 0.5]]) * channel_current
    np.testing.assert_allclose(factor(crossbar([[0.4], [0.5]], circuit)).transfer(), expected, rtol=1e-10)


def test_common_mode_of_a_lopsided_row_leaks_through_finite_rejection() -> None:
    circuit = config(PARALLEL, cmrr_db=40.0)
    build = NetworkBuilder()
    plus, minus, column = build.nodes("p", 1, 1), build.nodes("n", 1, 1), build.nodes("b", 1, 1)
    from circuits.arrays import transconductors

    transconductors(build, (plus, minus), column, circuit)
    build.voltage_sources("V", build.inputs("v", 2), np.array([plus[0, 0], minus[0, 0]]), 1.0, title="arms")
    build.resistors("Rs", column, GROUND, 1.0, "sense", title="sense")
    build.outputs("i", column, GROUND, 1.0)
    transfer = factor(build.network()).transfer()
    np.testing.assert_allclose(transfer, circuit.gm * np.array([[1.005, -0.995]]), rtol=1e-13)


@pytest.mark.parametrize("architecture", Architecture)
def test_output_tends_to_the_ideal_transfer(architecture: Architecture) -> None:
    states = np.random.default_rng(3).uniform(0.3, 0.6, (4, 3))
    states *= 1e5 if architecture is RESISTIVE else 1.0
    circuit = config(architecture, r_row=0.0, r_col=0.0, r_driver=0.0, r_sense=1e-3, cmrr_db=np.inf)
    ideal = ideal_transfer(states, circuit)
    assert ideal.shape == (3, 4)
    assert (ideal > 0).all()
    # 1 mOhm of sense resistance in 7.5 kOhm, or the weak back action of the arms: below 1e-6
    np.testing.assert_allclose(factor(crossbar(states, circuit)).transfer(), ideal, rtol=1e-6)


@pytest.mark.parametrize("architecture", Architecture)
@pytest.mark.parametrize(
    ("states", "message"),
    [
        ([[1.0, np.nan]], r"cell \(0, 1\) = nan Ohm, allowed: 0 < value"),
        ([[1.0], [-2.0]], r"cell \(1, 0\) = -2.0 Ohm, allowed: 0 < value"),
        ([[0.0]], r"cell \(0, 0\) = 0.0 Ohm"),
        ([1.0, 2.0], r"shape \(2,\)"),
        ([[]], r"shape \(1, 0\)"),
    ],
)
def test_wrong_states_are_named(architecture: Architecture, states: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        crossbar(states, config(architecture))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("r_row", -1.0),
        ("r_sense", 0.0),
        ("gm", np.nan),
        ("cmrr_db", -1.0),
        ("r_arm", np.inf),
        ("r_off", 501.0),
    ],
)
def test_wrong_parameters_are_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} = {value}"):
        config(PARALLEL, **{name: value})
