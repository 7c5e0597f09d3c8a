"""Settling of small circuits by hand, and what a transient is asked for and makes of its waveforms."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from circuits.builder import NetworkBuilder
from circuits.network import GROUND, Role
from circuits.read import settling
from circuits.read.settling import elmore_delay, settling_estimate, step_response
from circuits.solve.nodal import Factored, factor
from circuits.spice.engine import Simulator
from compact_model.numeric import Floats

KILO = 1e3


def two_outputs() -> Factored:
    """Two sources, 1 kohm each into nodes x and y, 4 kohm between, 2 kohm from x to ground.

    3 pF from x to ground, 5 pF from y to x. Outputs: x, and minus twice y - x.
    """
    build = NetworkBuilder()
    source, node = build.nodes("s", 2), build.nodes("n", 2)
    build.voltage_sources("Vin", build.inputs("v", 2), source, 1.0, title="sources")
    build.resistors("Ra", source, node, KILO, Role.DRIVER, title="drivers")
    build.resistors("Rb", node[1], node[0], 4 * KILO, Role.CELL, title="between")
    build.resistors("Rc", node[0], GROUND, 2 * KILO, Role.SENSE, title="load")
    build.capacitors("Ca", GROUND, node[0], 3e-12, Role.WIRE, title="to ground")
    build.capacitors("Cb", node[1], node[0], 5e-12, Role.WIRE, title="between")
    build.outputs("x", node[0], GROUND, 1.0)
    build.outputs("d", node[1], node[0], -2.0)
    return factor(build.network())


INPUTS = np.array([[1.0, 0.5], [0.3, -2.0], [0.0, 1.0]])


def moments_and_finals() -> tuple[Floats, Floats]:
    """y_1 = read G^-1 C V_0 and y_0 = read V_0 with matrices written down."""
    g = np.array([[1 + 1 / 4 + 1 / 2, -1 / 4], [-1 / 4, 1 + 1 / 4]]) / KILO
    c = np.array([[8e-12, -5e-12], [-5e-12, 5e-12]])
    read = np.array([[1.0, 0.0], [2.0, -2.0]])
    final = np.linalg.solve(g, INPUTS.T / KILO)
    return (read @ np.linalg.solve(g, c @ final)).T, (read @ final).T


def test_delays_are_first_moments_over_final_values() -> None:
    moments, finals = moments_and_finals()
    np.testing.assert_allclose(elmore_delay(two_outputs(), INPUTS), moments / finals, rtol=1e-9)


def test_the_estimate_is_the_largest_moment_on_the_scale_of_the_largest_output() -> None:
    moments, finals = moments_and_finals()
    scale = np.abs(moments).max(axis=1) / np.abs(finals).max(axis=1)
    np.testing.assert_allclose(settling_estimate(two_outputs(), INPUTS), scale * np.log(1000.0), rtol=1e-9)
    found = settling_estimate(two_outputs(), INPUTS, tolerance=0.02)
    np.testing.assert_allclose(found, scale * np.log(50.0), rtol=1e-9)


def test_defaults_of_a_transient() -> None:
    defaults = {k: p.default for k, p in inspect.signature(step_response).parameters.items()}
    assert defaults["tolerance"] == 1e-3
    assert defaults["t_stop"] is None
    assert defaults["limit_s"] == 300.0


class FakeRun:
    """Stands for ngspice: keeps what it was asked, answers with given waveforms."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, waveforms: dict[str, Floats], *, klu: bool) -> None:
        self.asked: dict[str, Any] = {}
        self.waveforms = waveforms
        there = Simulator(library="x", executable="x", version=46, klu=klu, osdi=True, problem="")
        monkeypatch.setattr(settling.engine, "find_simulator", lambda: there)
        monkeypatch.setattr(settling.size, "check_size", self._checked)
        monkeypatch.setattr(settling.netlist, "step_deck", self._deck)
        monkeypatch.setattr(settling.ngspice, "transient", self._run)

    def _checked(self, _network: object, batch: int, **options: object) -> None:
        self.asked |= {"batch": batch, **options}

    def _deck(
        self,
        _network: object,
        inputs: Floats,
        t_rise: float,
        t_stop: float,
        saved: list[str],
        options: list[str],
    ) -> str:
        self.asked |= {
            "inputs": inputs.tolist(), "t_rise": t_rise, "t_stop": t_stop, "saved": saved, "options": options
        }  # fmt: skip
        return "deck"

    def _run(self, deck: str, vectors: list[str]) -> dict[str, Floats]:
        assert deck == "deck"
        self.asked["vectors"] = vectors
        return self.waveforms


def mixed() -> Factored:
    """A voltage source of 2 v through 1 kohm to node n0, a current source of -3 i + v into it; 1 nF."""
    build = NetworkBuilder()
    source, node = build.nodes("s", 1), build.nodes("n", 1)
    v, i = build.inputs("v", 1), build.inputs("i", 1)
    build.voltage_sources("Vin", v, source, 2.0, title="source")
    build.current_sources("Iin", i, GROUND, node, -3e-3, title="source")
    build.resistors("Ra", source, node, KILO, Role.DRIVER, title="driver")
    build.capacitors("C", node, GROUND, 1e-9, Role.WIRE, title="to ground")
    build.outputs("v", node, GROUND, 10.0)
    build.outputs("w", GROUND, node, 1.0)
    return factor(build.network())


TIME = np.array([0.0, 1e-9, 4e-6, 8e-6, 1e-5, 2e-5])
WAVEFORMS = {
    "time": TIME,
    "s0": np.array([0.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
    "n0": np.array([0.0, 0.1, -0.2, -0.4, -0.499, -0.5]),
    "vin0#branch": -np.array([0.0, 9e-4, 1.2e-3, 1.4e-3, 1.5e-3, 1.6e-3]),
}


def test_a_transient_is_asked_for_twenty_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inputs 0.5 and 0.5: 1 V less 1.5 mA in 1 kohm; the delay of 1 us is that of 1 nF behind 1 kohm."""
    run = FakeRun(monkeypatch, WAVEFORMS, klu=True)
    found = step_response(mixed(), [0.5, 0.5], limit_s=7.0)
    assert run.asked == {
        "batch": 200,  # 2000 steps, ten of which take as long as an input vector
        "klu": True,
        "limit_s": 7.0,
        "what": "a transient of",
        "inputs": [0.5, 0.5],
        "t_rise": pytest.approx(2e-8, rel=1e-9, abs=0),
        "t_stop": pytest.approx(2e-5, rel=1e-9, abs=0),
        "saved": ["v(s0)", "v(n0)", "i(Vin0)"],
        "options": ["klu"],
        "vectors": ["s0", "n0", "vin0#branch"],
    }
    np.testing.assert_array_equal(found.time, TIME)
    node = WAVEFORMS["n0"]
    np.testing.assert_allclose(found.outputs, np.stack([10 * node, -node], axis=1))
    # final values -5 and 0.5; a thousandth of 5 is what both are told by: 0.005 and 0.005
    np.testing.assert_array_equal(found.settling, [2e-5, 1e-5])


def test_energy_and_power_of_both_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """The source of volts delivers v i; that of amperes pulls 1.5 mA out of n0, after a rise of 20 ns."""
    FakeRun(monkeypatch, WAVEFORMS, klu=True)
    found = step_response(mixed(), [0.5, 0.5])
    of_volts = np.array([0.0, 9e-4, 1.2e-3, 1.4e-3, 1.5e-3, 1.6e-3])
    rise = np.array([0.0, 1e-9 / 2e-8, 1.0, 1.0, 1.0, 1.0])
    of_amperes = -1.5e-3 * rise * WAVEFORMS["n0"]
    for name, power in (("Vin0", of_volts), ("Iin0", of_amperes)):
        energy = np.sum((power[1:] + power[:-1]) / 2 * np.diff(TIME))
        assert found.source_energy[name] == pytest.approx(energy, rel=1e-12, abs=0)
        assert found.source_power[name] == pytest.approx(power[-1], rel=1e-12, abs=0)
    assert list(found.source_energy) == ["Vin0", "Iin0"]


def test_length_and_tolerance_of_a_transient_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    run = FakeRun(monkeypatch, WAVEFORMS, klu=False)
    # within a tenth of the largest: 0.5 of both
    found = step_response(mixed(), [0.5, 0.5], t_stop=3e-6, tolerance=0.1)
    assert (run.asked["t_stop"], run.asked["options"], run.asked["klu"]) == (3e-6, [], False)
    assert run.asked["t_rise"] == pytest.approx(3e-9, rel=1e-12, abs=0)
    np.testing.assert_array_equal(found.settling, [1e-5, 4e-6])
    assert run.asked["limit_s"] == 300.0


@pytest.mark.parametrize("t_stop", [0.0, -1.0, np.inf, np.nan])
def test_lengths_that_are_refused(t_stop: float) -> None:
    with pytest.raises(ValueError, match=rf"t_stop = {t_stop} s, allowed: 0 < value < inf"):
        step_response(mixed(), [0.5, 0.5], t_stop=t_stop)


def test_settling_is_the_first_point_after_the_last_one_outside() -> None:
    """Outside at points 0 and 2; never; always; at the first point alone."""
    time = np.array([0.0, 1.0, 2.0, 5.0, 9.0])
    outputs = np.array(
        [
            [0.0, 2.05, 0.0, 0.0],
            [4.0, 2.0, 0.0, 1.0],
            [4.5, 1.95, 0.0, 1.0],
            [4.1, 2.0, 0.0, 1.0],
            [4.0, 2.0, 0.0, 1.0],
        ]
    )
    final = np.array([4.0, 2.0, 3.0, 1.0])
    # 5 % of 4 is 0.2
    assert settling._settling(time, outputs, final, 0.05).tolist() == [5.0, 1.0, 9.0, 1.0]
