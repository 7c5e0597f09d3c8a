"""Test benches solved in Python: by the closed form, and by an implicit integration of the circuit's equations."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.integrate import solve_ivp

from compact_model.hallbar import HallBar, HallBarState
from compact_model.numeric import Floats
from compact_model.polarity import Polarity
from veriloga.bench import Bench, BenchSolution, DrivenCell, Waveform
from veriloga.equations import Instance, Unknowns, residual
from veriloga.model import STATE_CAPACITANCE, CellModel

_RTOL, _ATOL = 1e-7, 1e-9  # of Radau


Advance = Callable[[CellModel, HallBar, HallBarState, DrivenCell, Floats], HallBarState]


def solve_python(model: CellModel, bench: Bench) -> BenchSolution:
    """Closed form on flat parts, Gauss quadrature on ramps (`HallBar.followed`)."""
    return _in_python(model, bench, _followed)


def solve_radau(model: CellModel, bench: Bench) -> BenchSolution:
    """The equations of `veriloga.equations` integrated by an implicit Runge-Kutta method, tolerance 1e-7."""
    return _in_python(model, bench, _integrated)


def _in_python(model: CellModel, bench: Bench, advance: Advance) -> BenchSolution:
    heat = replace(model.device.heat, ambient=bench.temperature)
    device = replace(model.device, heat=heat)
    shape = (len(bench.cells), len(bench.samples))
    fraction, voltage, energy = np.empty(shape), np.empty(shape), np.empty(len(bench.cells))
    first: list[tuple[float, float]] = []
    for row, cell in enumerate(bench.cells):
        polarity = Polarity(q=np.array([float(cell.q)]), m_i=np.array([float(cell.m_i)]))
        start = device.prepared(1)
        state = replace(start, s=model.grain_states(cell.s0)[None], polarity=polarity)
        corners = np.unique(np.concatenate([cell.drive.times, bench.samples]))
        column = 0
        for begin, end in itertools.pairwise(corners):
            state = advance(model, device, state, cell, np.array([begin, end]))
            if column < len(bench.samples) and end == bench.samples[column]:
                fraction[row, column] = device.fraction(state)[0]
                current = float(cell.drive.at(np.array(end)))
                voltage[row, column] = float(device.hall_resistance(state)[0]) * current
                column += 1
            if row == 0:
                first.append((float(end), float(device.fraction(state)[0])))
        energy[row] = _resistor_energy(cell.drive, heat.r_channel)
    times, values = np.array(first).T
    return BenchSolution(fraction=fraction, hall_voltage=voltage, energy=energy, trace=(times, values))


def _resistor_energy(drive: Waveform, resistance: float) -> float:
    a, b = drive.currents[:-1], drive.currents[1:]
    return float(np.sum(np.diff(drive.times) * (a * a + a * b + b * b)) / 3.0 * resistance)


def _followed(
    model: CellModel, device: HallBar, state: HallBarState, cell: DrivenCell, span: Floats
) -> HallBarState:
    del model
    return device.followed(state, span, cell.drive.at(span), cell.h_x)


def _integrated(
    model: CellModel, device: HallBar, state: HallBarState, cell: DrivenCell, span: Floats
) -> HallBarState:
    instance = Instance(
        s0=np.zeros(model.grains),
        h_x=cell.h_x,
        m_i=cell.m_i,
        q=cell.q,
        ambient=device.heat.ambient,
        heated=device.law.electrothermal,
    )
    current = cell.drive.at(span)
    slope = (current[1] - current[0]) / (span[1] - span[0])
    capacity = np.concatenate(
        [np.full(model.grains, STATE_CAPACITANCE), device.heat.tau / device.heat.resistance]
    )
    if not device.law.electrothermal:
        return _integrated_cold(device, state, cell, span)

    def change(time: float, y: Floats) -> Floats:
        # The open cell: the channel carries the current, no current flows in the arms.
        v_x = (current[0] + slope * (time - span[0])) * device.heat.r_channel
        unknowns = Unknowns(
            terminals=np.array([v_x, 0.0, 0.0, 0.0]),
            centre=np.zeros(()),
            deviation=y[: model.grains],
            rise=y[model.grains :],
        )
        r = residual(model, instance, unknowns)
        rate: Floats = -np.concatenate([r.deviation, r.rise]) / capacity
        return rate

    start = np.concatenate([state.s[0], state.rise[0]])
    result = solve_ivp(
        change,
        (float(span[0]), float(span[1])),
        start,
        method="Radau",
        rtol=_RTOL,
        atol=_ATOL,
    )
    end = result.y[:, -1]
    return replace(state, s=end[None, : model.grains], rise=end[None, model.grains :])


def _integrated_cold(device: HallBar, state: HallBarState, cell: DrivenCell, span: Floats) -> HallBarState:
    """Set A: the temperature is constant, so that the rates depend on time alone and the Jacobian is diagonal."""
    per_drive = 1.0 / float(device.law.critical_density(device.heat.ambient))
    x = device.drive(state, 1.0, cell.h_x)[0] * per_drive
    current = cell.drive.at(span)
    slope = (current[1] - current[0]) / (span[1] - span[0])
    delta = np.asarray(device.law.delta)

    def rate(time: float) -> tuple[Floats, Floats]:
        reduced = np.asarray(x * (current[0] + slope * (time - span[0])))
        return device.bank.rate(reduced, delta), device.bank.target(reduced)

    def change(time: float, y: Floats) -> Floats:
        r, target = rate(time)
        return r * (target - y)

    def jacobian(time: float, _: Floats) -> Floats:
        return np.diag(-rate(time)[0])

    result = solve_ivp(
        change,
        (float(span[0]), float(span[1])),
        state.s[0],
        method="Radau",
        rtol=_RTOL,
        atol=_ATOL,
        jac=jacobian,
    )
    return replace(state, s=result.y[None, :, -1])
