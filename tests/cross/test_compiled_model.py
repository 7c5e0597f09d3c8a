"""The compiled module against the equations on arrays, without a simulator."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compact_model.cards.device import load_card
from compact_model.numeric import Floats
from veriloga.equations import Instance, Unknowns, residual
from veriloga.model import CellModel, cell_model
from veriloga.programs import COMPILER, compiled, find_program
from veriloga.verilog_a import verilog_a_text

osdi_py = pytest.importorskip("osdi_py", reason="no package osdi-py, which loads compiled modules")
pytestmark = pytest.mark.skipif(find_program(COMPILER) is None, reason="no program openvaf-r")

RESIST = osdi_py.CALC_RESIST_RESIDUAL | osdi_py.CALC_RESIST_JACOBIAN
REACT = osdi_py.CALC_REACT_RESIDUAL | osdi_py.CALC_REACT_JACOBIAN
TRANSIENT, STATIC = 1e-6, 0.0


@dataclass
class Compiled:
    """One instance of a compiled module."""

    model: CellModel
    library: Any
    device: Any  # kept, for the instance points into it
    instance: Any
    order: list[int]  # unknown of each node of the library, among ip, in, hp, hn, centre, d, rise

    def evaluate(self, unknowns: Floats, time: float) -> tuple[Floats, Floats, Floats, Floats]:
        """Resistive residual and Jacobian, charges and their Jacobian, all by node of the library."""
        size = self.library.num_nodes
        solution = unknowns[self.order]
        analysis = osdi_py.ANALYSIS_TRAN if time else osdi_py.ANALYSIS_DC
        self.instance.eval(solution, RESIST | REACT | analysis, time)
        current = np.array(self.instance.load_residual_resist(np.zeros(size)))
        charge = np.array(self.instance.load_residual_react(np.zeros(size)))
        entries = self.library.get_jacobian_entries()
        jacobian, capacitance = np.zeros((size, size)), np.zeros((size, size))
        with_current = [e for e in entries if e["has_resist"]]
        with_charge = [e for e in entries if e["has_react"]]
        for e, value in zip(with_current, self.instance.write_jacobian_array_resist(), strict=True):
            jacobian[e["col"], e["row"]] += value  # the library names row and column the other way round
        for e, value in zip(with_charge, self.instance.write_jacobian_array_react(), strict=True):
            capacitance[e["col"], e["row"]] += value
        return current, jacobian, charge, capacitance


Maker = Callable[..., Compiled]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Maker]:
    folder: Path = tmp_path_factory.mktemp("compiled")
    built: dict[tuple[str, int], tuple[CellModel, Path]] = {}

    def maker(kind: str = "A", grains: int = 32, ambient: float = 300.0, **parameters: float) -> Compiled:
        if (kind, grains) not in built:
            card = load_card().with_choices(switching=kind)
            model = cell_model(card, grains, largest_error=1.0)
            source = folder / f"{kind}{grains}.va"
            source.write_text(verilog_a_text(model, date(2026, 1, 1)))
            built[kind, grains] = model, compiled(source, source.with_suffix(".osdi"))
        model, path = built[kind, grains]
        library = osdi_py.OsdiLibrary(str(path))
        numbers = {p["name"]: k for k, p in enumerate(library.get_params())}
        by_name = {p.name: p for p in model.parameters}
        device = library.create_model()
        for name, value in parameters.items():
            if not by_name[name].instance:
                set_it = device.set_int_param if by_name[name].integer else device.set_real_param
                set_it(numbers[name], int(value) if by_name[name].integer else value)
        device.process_params()
        instance = device.create_instance()
        for name, value in parameters.items():
            if by_name[name].instance:
                set_it = instance.set_int_param if by_name[name].integer else instance.set_real_param
                set_it(numbers[name], int(value) if by_name[name].integer else value)
        instance.process_params(ambient, 4)
        instance.init_node_mapping([0, 1, 2, 3])
        names = [
            "ip",
            "in",
            "hp",
            "hn",
            "centre",
            *(f"d{k + 1}" for k in range(model.grains)),
            "rise1",
            "rise2",
        ]
        order = [names.index(name) for name in library.get_nodes()]
        return Compiled(model, library, device, instance, order)

    return maker


def points(cell: Compiled, count: int, seed: int = 0, volts: float = 20.0) -> Floats:
    """Random unknowns: channel voltages of both signs up to `volts`, states, rises."""
    rng = np.random.default_rng(seed)
    grains = cell.model.grains
    return np.concatenate(
        [
            rng.uniform(-0.5 * volts, 0.5 * volts, (count, 5)),
            rng.uniform(-0.2, 1.0, (count, grains)),
            rng.uniform(0.0, 150.0, (count, 2)),
        ],
        axis=1,
    )


def expected(cell: Compiled, unknowns: Floats, instance: Instance) -> tuple[Floats, Floats]:
    """Currents and charges of all nodes by the equations on arrays."""
    split = Unknowns(
        terminals=unknowns[..., :4],
        centre=unknowns[..., 4],
        deviation=unknowns[..., 5:-2],
        rise=unknowns[..., -2:],
    )
    r = residual(cell.model, instance, split)
    current = np.concatenate([r.terminals, r.centre[..., None], r.deviation, r.rise], axis=-1)
    charge = np.concatenate([np.zeros((*r.centre.shape, 5)), r.charge, r.heat], axis=-1)
    return current[..., cell.order], charge[..., cell.order]


def relative_difference(current: Floats, wanted: Floats, jacobian: Floats) -> float:
    """Largest difference, each equation relative to its largest term: its value, or its slope times one unit."""
    scale = np.maximum(np.abs(wanted), np.abs(np.diag(jacobian)))
    return float(np.abs((current - wanted)[scale > 0] / scale[scale > 0]).max())


CASES = [
    ("A", 32, {}, Instance(s0=np.zeros(1))),
    ("A", 32, {"sw_thermal": 1}, Instance(s0=np.zeros(1), heated=True)),
    ("A", 12, {"h_x": -2e5, "i_scale": 1.1}, Instance(s0=np.zeros(1), h_x=-2e5, i_scale=1.1)),
    ("B", 32, {}, Instance(s0=np.zeros(1), heated=True)),
    ("B", 32, {"m_i": -1, "q": -1}, Instance(s0=np.zeros(1), heated=True, m_i=-1, q=-1)),
]


@pytest.mark.parametrize(("kind", "grains", "parameters", "instance"), CASES)
def test_residual_and_charge_equal_the_equations(
    make: Maker, kind: str, grains: int, parameters: dict[str, float], instance: Instance
) -> None:
    cell = make(kind, grains, **parameters)
    for u in points(cell, 200):
        current, jacobian, charge, _ = cell.evaluate(u, TRANSIENT)
        wanted, stored = expected(cell, u, instance)
        assert relative_difference(current, wanted, jacobian) < 1e-12
        assert np.abs(charge - stored).max() <= 1e-15 * max(1.0, np.abs(stored).max())


@pytest.mark.parametrize("ambient", [233.15, 300.0, 358.15, 390.0])
@pytest.mark.parametrize("kind", ["A", "B"])
def test_residual_follows_the_ambient_temperature(make: Maker, kind: str, ambient: float) -> None:
    cell = make(kind, ambient=ambient)
    instance = Instance(s0=np.zeros(1), heated=kind == "B", ambient=ambient)
    for u in points(cell, 20, seed=2):
        current, jacobian = cell.evaluate(u, TRANSIENT)[:2]
        wanted = expected(cell, u, instance)[0]
        assert relative_difference(current, wanted, jacobian) < 1e-12


def test_programmed_state_fills_the_lowest_thresholds(make: Maker) -> None:
    cell = make(s0=0.37)
    states = cell.model.grain_states(0.37)
    u = points(cell, 1)[0]
    wanted = expected(cell, u, Instance(s0=states))[0]
    assert np.abs(cell.evaluate(u, TRANSIENT)[0] - wanted).max() < 1e-14
    one = make(s0=0.37, s0_7=0.25)
    states[6] = 0.25
    wanted = expected(one, u, Instance(s0=states))[0]
    assert np.abs(one.evaluate(u, TRANSIENT)[0] - wanted).max() < 1e-14


def test_static_analyses_hold_every_grain(make: Maker) -> None:
    cell = make(s0=0.37)
    u = points(cell, 1)[0]
    wanted = expected(cell, u, Instance(s0=cell.model.grain_states(0.37), moving=False))[0]
    assert np.abs(cell.evaluate(u, STATIC)[0] - wanted).max() < 1e-12


@pytest.mark.parametrize(("kind", "parameters"), [("A", {}), ("A", {"sw_thermal": 1}), ("B", {})])
def test_jacobian_equals_differences(make: Maker, kind: str, parameters: dict[str, float]) -> None:
    cell = make(kind, **parameters)
    size = cell.library.num_nodes
    heated = kind == "B" or bool(parameters)
    unknowns = [k for k, place in enumerate(cell.order) if heated or place < size - 2]
    for u in points(cell, 4, seed=3, volts=12.0):
        _, jacobian, _, capacitance = cell.evaluate(u, TRANSIENT)
        for node in unknowns:
            place = cell.order[node]
            slopes, charges = [], []
            for step in (2e-4, 1e-4, 0.5e-4):
                move = np.zeros(size)
                move[place] = step * max(1.0, abs(u[place]))
                up, down = cell.evaluate(u + move, TRANSIENT), cell.evaluate(u - move, TRANSIENT)
                slopes.append((up[0] - down[0]) / (2 * move[place]))
                charges.append((up[2] - down[2]) / (2 * move[place]))
            once = [(4 * b - a) / 3 for a, b in itertools.pairwise(slopes)]
            slope = (16 * once[1] - once[0]) / 15  # Richardson: error of sixth order in the step
            scale = np.maximum(np.abs(jacobian).max(axis=1), 1e-14)  # of each equation
            assert (np.abs(slope - jacobian[:, node]) / scale).max() < 1e-8
            assert np.abs(charges[-1] - capacitance[:, node]).max() < 1e-10 * np.abs(capacitance).max()


def test_currents_of_the_cell_sum_to_zero(make: Maker) -> None:
    cell = make("B")
    for u in points(cell, 50):
        current, jacobian, charge, _ = cell.evaluate(u, TRANSIENT)
        electrical = [k for k, place in enumerate(cell.order) if place < 5]
        assert abs(current[electrical].sum()) < 1e-14 * np.abs(current).max()
        # Kirchhoff's law also for every small change of a terminal.
        assert np.abs(jacobian[np.ix_(electrical, electrical)].sum(axis=0)).max() < 1e-14
        assert np.all(charge[electrical] == 0.0)


@pytest.mark.parametrize("s", [0.0, 0.5, 1.0])
def test_cell_is_passive_and_its_switching_part_antisymmetric(make: Maker, s: float) -> None:
    cell = make(s0=s)
    u = np.zeros(cell.library.num_nodes)
    jacobian = cell.evaluate(u, STATIC)[1]
    electrical = [cell.order.index(place) for place in range(5)]
    block = jacobian[np.ix_(electrical, electrical)]
    assert np.linalg.eigvalsh(0.5 * (block + block.T)).min() > -1e-16
    turned = make(s0=1.0 - s).evaluate(u, STATIC)[1][np.ix_(electrical, electrical)]
    assert np.abs(block - turned.T).max() < 1e-17  # Onsager: reversing the magnetisation transposes


def test_reversed_current_mirrors_the_state(make: Maker) -> None:
    cell, mirrored = make(s0=0.0), make(s0=1.0)
    for u in points(cell, 20):
        other = -u
        current = cell.evaluate(u, TRANSIENT)[0]
        back = mirrored.evaluate(other, TRANSIENT)[0]
        states = [k for k, place in enumerate(cell.order) if 5 <= place < 5 + cell.model.grains]
        assert np.abs(current[states] + back[states]).max() <= 1e-13 * np.abs(current[states]).max()


@pytest.mark.parametrize("kind", ["A", "B"])
def test_extreme_currents_stay_finite(make: Maker, kind: str) -> None:
    cell = make(kind)
    for amplitude in 10.0 ** np.arange(-12, 5):
        for sign in (-1.0, 1.0):
            u = np.zeros(cell.library.num_nodes)
            u[0] = sign * amplitude * 500.0
            u[-2:] = min(amplitude**2 * 5e5, 1e9)
            parts = cell.evaluate(u, TRANSIENT)
            assert all(np.isfinite(part).all() for part in parts)


def test_rates_are_smooth_through_zero_current_and_through_every_threshold(make: Maker) -> None:
    cell = make()
    state = cell.order.index(5)
    theta = cell.model.device.bank.theta[0]
    full = cell.model.value("r_channel") * cell.model.value("i_c")
    for centre in (0.0, theta * full, 0.5 * theta * full):
        for step in (2e-5, 1e-5):
            volts = centre + step * full * np.arange(-3, 4)
            u = np.zeros((7, cell.library.num_nodes))
            u[:, 0] = volts
            slope = [cell.evaluate(point, TRANSIENT)[1][state, cell.order.index(0)] for point in u]
            # A kink would leave a jump of the slope that does not shrink with the step.
            third = np.abs(np.diff(slope, 3)).max()
            assert third <= 0.05 * max(np.abs(np.diff(slope)).max(), 1e-3 * np.abs(slope).max())


def test_states_stay_between_zero_and_one(make: Maker) -> None:
    cell = make()
    states = [cell.order.index(5 + k) for k in range(cell.model.grains)]
    for volts in np.linspace(-10.0, 10.0, 21):
        u = np.zeros(cell.library.num_nodes)
        u[0] = volts
        assert np.all(cell.evaluate(u, TRANSIENT)[0][states] <= 0.0)  # empty grains can only fill
        u[5 : 5 + cell.model.grains] = 1.0
        assert np.all(cell.evaluate(u, TRANSIENT)[0][states] >= 0.0)  # full ones only empty
