import numpy as np
import pytest

from circuits.arrays.architecture import Architecture
from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar
from circuits.builder import NetworkBuilder
from circuits.network import GROUND, BranchKind, Role
from circuits.read.settling import elmore_delay, settling_estimate, step_response
from circuits.solve.nodal import Factored, factor
from circuits.spice import engine

SIMULATOR = engine.find_simulator()
needs_library = pytest.mark.skipif(
    bool(SIMULATOR.problem), reason="ngspice shared library: " + SIMULATOR.problem
)


def array(architecture: Architecture) -> tuple[Factored, np.ndarray]:
    random = np.random.default_rng(2)
    states = random.uniform(0.33, 0.57, (5, 4))
    if not architecture.hall:
        states = random.uniform(1e4, 1e5, (5, 4))
    config = ArrayConfig(
        architecture=architecture, r_row=1.0, r_column=1.0, c_row=1e-14, c_column=1e-14, c_arm=1e-14
    )
    inputs = np.full(5, 1e-3 if architecture.input_unit == "A" else 0.5)
    return factor(crossbar(states, config)), inputs


def test_a_line_of_two_segments_has_the_delay_of_the_textbook() -> None:
    """R1 C1 + (R1 + R2) C2, and nothing flows in the end."""
    build = NetworkBuilder()
    nodes = build.nodes("n", 3)
    build.voltage_sources("Vin", build.inputs("v", 1), nodes[0], 1.0, title="source")
    build.resistors("R", nodes[:2], nodes[1:], [1e3, 2e3], Role.WIRE, title="line")
    build.resistors("Rl", nodes[2], GROUND, 1e15, Role.SENSE, title="open end")
    build.capacitors("C", nodes[1:], GROUND, [3e-12, 5e-12], Role.WIRE, title="line to ground")
    build.outputs("v", nodes[2], GROUND, 1.0)
    delay = elmore_delay(factor(build.network()), [[1.0]])
    assert delay.item() == pytest.approx(1e3 * 3e-12 + 3e3 * 5e-12, rel=1e-9)


@pytest.mark.parametrize("architecture", Architecture)
def test_capacitors_do_not_change_a_settled_read(architecture: Architecture) -> None:
    factored, inputs = array(architecture)
    assert (factored.network.kind == BranchKind.CAPACITOR).any()
    bare = ArrayConfig(architecture=architecture, r_row=1.0, r_column=1.0)
    random = np.random.default_rng(2)
    states = random.uniform(0.33, 0.57, (5, 4))
    if not architecture.hall:
        states = random.uniform(1e4, 1e5, (5, 4))
    expected = factor(crossbar(states, bare)).solve(inputs[None]).outputs
    np.testing.assert_allclose(factored.solve(inputs[None]).outputs, expected, rtol=1e-9)


@pytest.mark.ngspice
@needs_library
@pytest.mark.parametrize("architecture", Architecture)
def test_a_transient_ends_at_the_nodal_solution_and_its_first_moment_is_the_delay(
    architecture: Architecture,
) -> None:
    factored, inputs = array(architecture)
    response = step_response(factored, inputs)
    final = factored.solve(inputs[None]).outputs[0]
    np.testing.assert_allclose(response.outputs[-1], final, atol=1e-4 * np.abs(final).max())
    delay = elmore_delay(factored, inputs[None])[0]
    # The area between a step response and its final value is the first moment; the rise adds half of its length.
    missing = np.trapezoid(1 - response.outputs / final, response.time, axis=0)
    rise = 1e-3 * response.time[-1] / 2
    np.testing.assert_allclose(missing - rise, delay, atol=1e-3 * np.abs(delay).max())  # 2000 points
    estimate = settling_estimate(factored, inputs[None])[0]
    assert response.settling.max() < 3 * estimate


@pytest.mark.ngspice
@needs_library
@pytest.mark.parametrize("architecture", [Architecture.ACTIVE_PARALLEL, Architecture.ACTIVE_SERIES])
def test_sources_deliver_the_power_of_the_settled_read_times_its_length(architecture: Architecture) -> None:
    factored, inputs = array(architecture)
    length = 1e-8
    response = step_response(factored, inputs, t_stop=length)
    power = factored.solve(inputs[None]).source_power[0]
    # the rise takes a thousandth of the time; charging the wires a few femtojoule
    assert sum(response.source_energy.values()) == pytest.approx(power * length, rel=5e-3)
    assert sum(response.source_power.values()) == pytest.approx(power, rel=1e-6)  # tolerance of the transient
    assert len(response.source_energy) == (10 if architecture is Architecture.ACTIVE_PARALLEL else 5)


def test_no_capacitors_are_an_error() -> None:
    bare = factor(crossbar([[0.4]], ArrayConfig(architecture=Architecture.ACTIVE_PARALLEL)))
    with pytest.raises(ValueError, match="no capacitors"):
        step_response(bare, [0.5])
    with pytest.raises(ValueError, match=r"c_row = -1\.0 F"):
        ArrayConfig(architecture=Architecture.ACTIVE_PARALLEL, c_row=-1.0)
