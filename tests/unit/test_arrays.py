import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from circuits.arrays.architecture import Architecture, Isolation, Returns
from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar, ideal_transfer, slots
from circuits.arrays.mismatch import Mismatch, draw_mismatch, no_mismatch
from circuits.arrays.parts import hall_cells, transconductors
from circuits.builder import NetworkBuilder
from circuits.network import GROUND, Role
from circuits.solve.nodal import factor

RESISTIVE = Architecture.RESISTIVE
PARALLEL = Architecture.ACTIVE_PARALLEL


def config(architecture: Architecture, **changes: Any) -> ArrayConfig:
    return ArrayConfig(architecture=architecture, **changes)


def resistive_by_hand(a: np.ndarray, drive: np.ndarray, read: np.ndarray) -> np.ndarray:
    """Outputs per input of nodal equations ``a v = drive x``, ``y = read v``."""
    return read @ np.linalg.solve(a, drive)


def test_what_sets_the_architectures_apart() -> None:
    assert [a.value for a in Architecture if not a.hall] == ["resistive"]
    assert [a.value for a in Architecture if a.crossed] == ["resistive"]
    assert [a.value for a in Architecture if a.amplified] == ["active_parallel", "active_series"]
    assert [a.value for a in Architecture if a.in_turns] == ["row_multiplexed"]
    assert "".join(a.input_unit + a.output_unit for a in Architecture) == "VAVAVVAAAVAV"


def test_properties_are_asked_not_names() -> None:
    """So that a further architecture of two-terminal cells needs no second look at all of the code."""
    root = Path(__file__).parents[2]
    named = re.compile(r"(is|is not|==|!=|in) \(?[^\n]*Architecture\.RESISTIVE|[=!]= \"resistive\"")
    sources = [
        p for package in ("circuits", "nn_mapping", "hallspice") for p in (root / package).rglob("*.py")
    ]
    assert len(sources) > 100
    assert [str(path) for path in sources if named.search(path.read_text())] == []


def test_resistive_1x1_is_a_series_circuit() -> None:
    circuit = config(RESISTIVE, r_row=2.0, r_column=3.0, r_output=5.0, r_input=7.0)
    assert factor(crossbar([[100.0]], circuit)).transfer() == pytest.approx(1 / 117, rel=1e-14)


def test_resistive_1x2_against_its_nodal_equations() -> None:
    r, c, d, s, ra, rb = 2.0, 3.0, 5.0, 7.0, 100.0, 300.0
    a, b = 1 / (ra + c + s), 1 / (rb + c + s)  # the branch from each word-line node to ground
    matrix = np.array([[1 / (d + r) + 1 / r + a, -1 / r], [-1 / r, 1 / r + b]])
    expected = resistive_by_hand(matrix, np.array([[1 / (d + r)], [0]]), np.diag([a, b]))
    circuit = config(RESISTIVE, r_row=r, r_column=c, r_output=d, r_input=s)
    np.testing.assert_allclose(factor(crossbar([[ra, rb]], circuit)).transfer(), expected, rtol=1e-13)


def test_resistive_2x1_against_its_nodal_equations() -> None:
    r, c, d, s, ra, rb = 2.0, 3.0, 5.0, 7.0, 100.0, 300.0
    a, b = 1 / (ra + r + d), 1 / (rb + r + d)  # the branch from each source to its bit-line node
    matrix = np.array([[a + 1 / c, -1 / c], [-1 / c, b + 1 / c + 1 / (c + s)]])
    expected = resistive_by_hand(matrix, np.diag([a, b]), np.array([[0, 1 / (c + s)]]))
    circuit = config(RESISTIVE, r_row=r, r_column=c, r_output=d, r_input=s)
    np.testing.assert_allclose(factor(crossbar([[ra], [rb]], circuit)).transfer(), expected, rtol=1e-13)


def whole_transfer(states: np.ndarray, circuit: ArrayConfig, mismatch: Mismatch | None = None) -> np.ndarray:
    networks = [crossbar(states, circuit, mismatch, slot=k) for k in range(slots(circuit, len(states)))]
    return np.sum([factor(network).transfer() for network in networks], axis=0)


def hall_port_equations(r_xy: float, r_off: float, r_channel: float, r_y: float) -> np.ndarray:
    hall = r_xy - r_off
    return np.array([[r_channel, r_off - hall], [r_off + hall, r_y]])


@pytest.mark.parametrize("r_xy", [0.33, 0.57, 40.0])
@pytest.mark.parametrize("r_off", [0.0, 0.4666, -30.0])
@pytest.mark.parametrize("spread", [0.0, 0.05])
def test_hall_cell_obeys_its_port_equations(r_xy: float, r_off: float, spread: float) -> None:
    circuit = config(PARALLEL, r_off=r_off)
    mismatch = draw_mismatch((1, 1), np.random.default_rng(0), relative=spread, r_off=spread)
    build = NetworkBuilder()
    plus, minus = build.nodes("p", 1, 1), build.nodes("n", 1, 1)
    arms = hall_cells(build, (plus, minus), np.array([[r_xy]]), circuit, mismatch)
    currents = build.inputs("i", 2)
    build.current_sources("Ix", currents[0], minus, plus, 1.0, title="into the channel, p to n")
    build.current_sources("Iy", currents[1], arms[1], arms[0], 1.0, title="into the arms, p to n")
    build.resistors("Rg", minus, GROUND, 1.0, Role.DRIVER, title="ground")
    build.outputs("vx", plus, minus, 1.0)
    build.outputs("vy", arms[0], arms[1], 1.0)
    impedance = factor(build.network()).transfer()
    r_y = circuit.r_arm * (2 + mismatch.arm_plus + mismatch.arm_minus)[0, 0]
    expected = hall_port_equations(r_xy, r_off + mismatch.r_off[0, 0], circuit.r_channel, r_y)
    np.testing.assert_allclose(impedance, expected, rtol=1e-10, atol=1e-10)


def test_mismatch_moves_the_common_voltage_of_the_arms() -> None:
    circuit = config(PARALLEL, r_row=0.0, r_output=0.0, r_off=0.0, cmrr_db=20.0)
    lopsided = no_mismatch((1, 1))
    lopsided.channel[:] = 0.1  # the positive half has 275 ohm, so the centre is at -0.1 v/2
    transfer = factor(crossbar([[1e-9]], circuit, lopsided)).transfer()
    assert transfer == pytest.approx(-0.05 * circuit.gm * 0.1, rel=1e-6)


def test_parallel_1x1_reads_the_hall_voltage() -> None:
    circuit = config(PARALLEL, r_row=1.0, r_output=2.0, r_column=3.0, r_input=4.0, cmrr_db=np.inf)
    current = 1 / (circuit.r_channel + 2 * 3.0)
    transfer = factor(crossbar([[0.57]], circuit)).transfer()
    assert transfer == pytest.approx(circuit.gm * 0.57 * current, rel=1e-11)


def test_parallel_1x2_against_the_ladder_of_its_row() -> None:
    circuit = config(PARALLEL, r_row=20.0, r_output=2.0, cmrr_db=np.inf)
    cell, wire = 1 / circuit.r_channel, 1 / (2 * circuit.r_row)
    entry = 1 / (2 * (circuit.r_row + circuit.r_output))
    matrix = np.array([[entry + wire + cell, -wire], [-wire, wire + cell]])
    channel_voltages = np.linalg.solve(matrix, [entry, 0])
    expected = circuit.gm * np.array([0.4, 0.5]) * channel_voltages / circuit.r_channel
    np.testing.assert_allclose(factor(crossbar([[0.4, 0.5]], circuit)).transfer()[:, 0], expected, rtol=1e-10)


def test_parallel_2x1_adds_the_rows_whatever_the_column_wire() -> None:
    circuit = config(PARALLEL, r_row=20.0, r_output=2.0, r_column=50.0, cmrr_db=np.inf)
    channel_current = 1 / (circuit.r_channel + 2 * 22.0)
    expected = circuit.gm * np.array([[0.4, 0.5]]) * channel_current
    np.testing.assert_allclose(factor(crossbar([[0.4], [0.5]], circuit)).transfer(), expected, rtol=1e-10)


def test_common_mode_of_a_lopsided_row_leaks_through_finite_rejection() -> None:
    circuit = config(PARALLEL, cmrr_db=40.0)
    build = NetworkBuilder()
    plus, minus, column = build.nodes("p", 1, 1), build.nodes("n", 1, 1), build.nodes("b", 1, 1)
    transconductors(build, (plus, minus), column, circuit, no_mismatch((1, 1)))
    build.voltage_sources("V", build.inputs("v", 2), np.array([plus[0, 0], minus[0, 0]]), 1.0, title="arms")
    build.resistors("Rs", column, GROUND, 1.0, Role.SENSE, title="sense")
    build.outputs("i", column, GROUND, 1.0)
    transfer = factor(build.network()).transfer()
    np.testing.assert_allclose(transfer, circuit.gm * np.array([[1.005, -0.995]]), rtol=1e-13)


@pytest.mark.parametrize("returns", Returns)
def test_series_1x1_reads_the_hall_voltage(returns: Returns) -> None:
    circuit = config(Architecture.SERIES_HALL, returns=returns, r_row=1.0, r_column=2.0)
    loaded = circuit.r_load / (circuit.r_load + 2 * circuit.r_arm + 2 * 2.0)
    assert factor(crossbar([[0.57]], circuit)).transfer() == pytest.approx(0.57 * loaded, rel=1e-8)


def test_series_1x2_with_ideal_isolation_is_the_sum_and_has_no_floating_rows() -> None:
    circuit = config(Architecture.SERIES_HALL, isolation=Isolation.IDEAL)
    np.testing.assert_allclose(whole_transfer(np.array([[0.4, 0.5]]), circuit), [[0.4], [0.5]], rtol=1e-9)
    with pytest.raises(ValueError, match="returns = floating, allowed with isolation = ideal: grounded"):
        config(Architecture.SERIES_HALL, isolation=Isolation.IDEAL, returns=Returns.FLOATING)


def test_series_rows_joined_by_their_arms_leak_half_of_the_drive_into_the_other_row() -> None:
    """Two cells in a column: the second row is a way to ground, in parallel with half of the first channel."""
    circuit = config(Architecture.SERIES_HALL, r_row=0.0, r_column=0.0, r_output=0.0, r_off=0.0, r_load=1e15)
    transfer = whole_transfer(np.full((2, 1), 1e-9), circuit)
    half, arm = circuit.r_channel / 2, circuit.r_arm
    leak = half / (half + 2 * arm + half)  # the rest of the second row hangs open at its source
    # without a current in the load the sum of the two Hall voltages is the drop over both inner arms
    np.testing.assert_allclose(np.abs(transfer), leak * 2 * arm * np.ones((1, 2)), rtol=1e-6)


def test_active_series_1x1_1x2_2x1() -> None:
    circuit = config(Architecture.ACTIVE_SERIES, cmrr_db=np.inf, r_row=3.0, r_column=4.0)
    for states in (np.array([[0.4]]), np.array([[0.4, 0.5]]), np.array([[0.4], [0.5]])):
        np.testing.assert_allclose(whole_transfer(states, circuit), circuit.gm * states.T, rtol=1e-9)


def test_active_series_rejects_common_mode_but_not_perfectly() -> None:
    circuit = config(Architecture.ACTIVE_SERIES, cmrr_db=60.0, r_row=0.0)
    states = np.array([[0.4, 0.5]])
    common = np.array([[250.0], [-250.0]])  # the centre of each channel half of a balanced row
    expected = circuit.gm * (states.T + 1e-3 * common)
    np.testing.assert_allclose(whole_transfer(states, circuit), expected, rtol=1e-5)


def test_passive_parallel_1x1_and_2x1_give_the_mean_of_the_rows() -> None:
    circuit = config(
        Architecture.PASSIVE_PARALLEL, r_row=0.0, r_output=0.0, r_column=0.0, r_load=1e12, r_off=0.0
    )
    for states in (np.array([[0.4]]), np.array([[0.4], [0.5]])):
        expected = states.T / (len(states) * 500)
        np.testing.assert_allclose(whole_transfer(states, circuit), expected, rtol=1e-5)  # back action: 1e-6


def test_row_multiplexed_1x1_and_2x1_lose_what_the_switches_take() -> None:
    circuit = config(Architecture.ROW_MULTIPLEXED, r_row=0.0, r_column=0.0, r_output=0.0, r_load=1e5)
    source = 2 * circuit.r_arm + 2 * circuit.r_switch_on
    share = circuit.r_load / (circuit.r_load + source)
    assert slots(circuit, 2) == 2
    for states in (np.array([[0.4]]), np.array([[0.4], [0.5]])):
        np.testing.assert_allclose(whole_transfer(states, circuit), share * states.T, rtol=1e-5)


@pytest.mark.parametrize("architecture", Architecture)
def test_output_tends_to_the_ideal_transfer(architecture: Architecture) -> None:
    states = np.random.default_rng(3).uniform(0.3, 0.6, (4, 3))
    states *= 1e5 if architecture is RESISTIVE else 1.0
    nothing = {"r_row": 0.0, "r_column": 0.0, "r_output": 0.0, "cmrr_db": np.inf, "r_off": 0.0}
    circuit = config(
        architecture, **nothing, r_input=1e-3, r_load=1e12, r_switch_off=1e15, isolation=Isolation.IDEAL
    )
    ideal = ideal_transfer(states, circuit)
    assert ideal.shape == (3, 4)
    assert (ideal > 0).all()
    # 1 mOhm of sense resistance in 7.5 kOhm, and the weak back action of the arms: below 1e-5
    np.testing.assert_allclose(whole_transfer(states, circuit), ideal, rtol=1e-5)


@pytest.mark.parametrize("architecture", Architecture)
@pytest.mark.parametrize(
    ("states", "message"),
    [
        ([[1.0, np.nan]], r"cell \(0, 1\) = nan Ohm, allowed: "),
        ([[1.0], [np.inf]], r"cell \(1, 0\) = inf Ohm, allowed: "),
        ([1.0, 2.0], r"shape \(2,\)"),
        ([[]], r"shape \(1, 0\)"),
    ],
)
def test_wrong_states_are_named(architecture: Architecture, states: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        crossbar(states, config(architecture))


@pytest.mark.parametrize("architecture", Architecture)
def test_only_the_resistance_of_a_two_terminal_cell_is_positive(architecture: Architecture) -> None:
    """A Hall resistance has a sign: opposite states move the outputs in opposite directions."""
    config = ArrayConfig(architecture=architecture, cmrr_db=np.inf, r_off=0.0, r_row=0.0, r_column=0.0)
    if architecture.crossed:
        for wrong in (-2.0, 0.0):
            message = rf"cell resistance of cell \(1, 0\) = {wrong} Ohm, allowed: 0 < value"
            with pytest.raises(ValueError, match=message):
                crossbar([[1.0], [wrong]], config)
        return
    states = np.array([[0.2, -0.1], [0.2, -0.1]])
    there, back, zero = (factor(crossbar(sign * states, config)).transfer() for sign in (1, -1, 0))
    # in series_hall the states change the currents of the rows by some thousandths
    np.testing.assert_allclose(there - zero, zero - back, atol=1e-2 * np.abs(there - zero).max())
    assert (there - zero)[0, 0] > 0 > (there - zero)[1, 0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("r_row", -1.0),
        ("r_input", 0.0),
        ("gm", np.nan),
        ("cmrr_db", -1.0),
        ("r_arm", np.inf),
        ("r_off", 501.0),
    ],
)
def test_wrong_parameters_are_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} = {value}"):
        config(PARALLEL, **{name: value})


def test_slots_and_mismatch_that_do_not_fit_are_named() -> None:
    with pytest.raises(ValueError, match="slot = 1, allowed: 0 <= value < 1"):
        crossbar([[0.4]], config(PARALLEL), slot=1)
    with pytest.raises(ValueError, match=r"mismatch has shape \(2, 1\)"):
        crossbar([[0.4]], config(PARALLEL), no_mismatch((2, 1)))
    with pytest.raises(ValueError, match=r"relative = 0\.5"):
        draw_mismatch((1, 1), np.random.default_rng(0), relative=0.5)
    active = no_mismatch((1, 1))
    active.r_off[:] = 600.0
    with pytest.raises(ValueError, match="R_off of a cell reaches 600"):
        crossbar([[0.4]], config(PARALLEL), active)


def test_the_seventh_architecture_of_the_documentation_works() -> None:
    text = (Path(__file__).parents[2] / "docs" / "extend.md").read_text()
    code = re.search(r"```python\n(import numpy.*?def loaded_parallel.*?)```", text, re.DOTALL)
    assert code is not None
    scope: dict[str, Any] = {}
    exec(code[1], scope)
    loaded = config(PARALLEL, r_row=0.0, r_output=0.0, cmrr_db=np.inf, r_off=0.0)
    network = scope["loaded_parallel"](np.array([[0.4], [0.5]]), loaded, no_mismatch((2, 1)))
    # a load of 2 kOhm behind both arms, 500 Ohm together, leaves four fifths of the Hall voltage
    expected = 1e-3 * 0.8 * np.array([[0.4, 0.5]]) / 500
    np.testing.assert_allclose(factor(network).transfer(), expected, rtol=1e-5)
