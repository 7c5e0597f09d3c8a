"""Test benches: cells driven by currents, as decks for the simulators and as sums for Python."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

from compact_model.constants import REFERENCE_TEMPERATURE
from compact_model.hallbar import HallBar, HallBarState
from compact_model.numeric import Floats
from compact_model.polarity import Polarity
from veriloga.equations import Instance, Unknowns, residual
from veriloga.model import MODULE, STATE_CAPACITANCE, CellModel
from veriloga.programs import read_raw, run_ngspice, run_vacask

EDGE = 1e-6
"""Rise and fall of a pulse [s]."""

T_READ = 10e-6
"""Length of a read [s]."""

I_READ = 1e-3
"""Read current, far below the onset of switching [A]."""

ONE_THREAD = "set num_threads=1"
"""Line of a deck's control section: ngspice's threads cost far more than they save on small circuits."""

KELVIN = 273.15
_RTOL, _ATOL = 1e-7, 1e-9  # of the Radau reference


class BenchEngine(StrEnum):
    """Who computes a bench."""

    PYTHON = "Python, closed form"
    RADAU = "scipy Radau"
    SUBCIRCUIT = "ngspice subcircuit"
    OSDI = "ngspice OSDI"
    VACASK = "VACASK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waveform:
    """A piecewise linear current."""

    times: Floats  # (n,) increasing [s]
    currents: Floats  # (n,) [A]

    def at(self, time: Floats) -> Floats:
        """Current at some times [A]."""
        return np.interp(time, self.times, self.currents)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrivenCell:
    """A cell and the current into its ip."""

    drive: Waveform
    s0: float = 0.0
    h_x: float = 0.0  # [A/m]
    m_i: int = 1
    q: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Cells side by side, and when to look at them."""

    name: str
    title: str
    cells: tuple[DrivenCell, ...]
    samples: Floats  # (n,) times at which states and Hall voltages are taken [s]
    longest_step: float  # largest time step [s]
    labels: tuple[str, ...] = ()  # of each sample, or of each cell when there is one sample
    temperature: float = REFERENCE_TEMPERATURE  # [K]

    @property
    def stop(self) -> float:
        """End of the simulation [s]."""
        return max(float(cell.drive.times[-1]) for cell in self.cells)


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchSolution:
    """What an engine found."""

    fraction: Floats  # (cells, samples)
    hall_voltage: Floats  # (cells, samples) [V]
    energy: Floats  # (cells,) [J]
    trace: tuple[Floats, Floats]  # time [s] and fraction of the first cell, for figures


def pulses(
    currents: Sequence[float], lengths: Sequence[float], *, edge: float = EDGE
) -> tuple[Waveform, Floats]:
    """Pulses with a read after each: the waveform, and the middle of each read [s].

    Parameters
    ----------
    currents, lengths
        Plateau of each pulse [A], [s].
    edge
        Rise and fall, and the time between pulse and read [s].
    """
    plateaus = [step for pulse in zip(currents, lengths, strict=True) for step in (pulse, (I_READ, T_READ))]
    height, width = np.array(plateaus).T
    spans = np.stack([np.full_like(width, edge), np.full_like(width, edge), width, np.full_like(width, edge)])
    times = np.concatenate([[0.0], np.cumsum(spans.T.ravel())])
    shape = np.array([0.0, 1.0, 1.0, 0.0])  # after the pause, the rise, the plateau, the fall
    values = np.concatenate([[0.0], (height[:, None] * shape).ravel()])
    reading = times[1:].reshape(-1, 4)[1::2, 1] + 0.5 * T_READ
    return Waveform(times=times, currents=values), reading


def pulse_train(
    name: str,
    title: str,
    currents: Sequence[float],
    t_pulse: float,
    *,
    temperature: float = REFERENCE_TEMPERATURE,
) -> Bench:
    """One cell, pulses of one length, a read after each; sampled in the reads."""
    waveform, reading = pulses(currents, [t_pulse] * len(currents))
    return Bench(
        name=name,
        title=title,
        cells=(DrivenCell(drive=waveform),),
        samples=reading,
        longest_step=t_pulse / 20,
        labels=tuple(f"{1e3 * current:g} mA" for current in currents),
        temperature=temperature,
    )


# --- the benches of an export ---


def ladder_bench(model: CellModel) -> Bench:
    """The published write ladder, from the reset state."""
    synapse = model.card.synapse
    return pulse_train(
        "ladder", "Write ladder: five pulses, a read after each", synapse.ladder.value, synapse.t_pulse.value
    )


def loop_bench(model: CellModel) -> Bench:
    """A current-driven hysteresis loop: pulses up, down and up again."""
    top = model.card.synapse.ladder.value[-1]
    up = np.linspace(0.4, 1.0, 7) * top
    currents = [*up, *-up, *up]
    return pulse_train(
        "loop", "Hysteresis loop: R_xy after pulses up, down, up", currents, model.card.synapse.t_pulse.value
    )


def width_bench(model: CellModel) -> Bench:
    """Pulses of one current and several lengths, each on a cell of its own."""
    ladder = model.card.synapse.ladder.value
    current = ladder[len(ladder) // 2]
    lengths = (1e-6, 1e-5, 1e-4, 1e-3)
    edge = 1e-7
    drives = [pulses([current], [length], edge=edge)[0] for length in lengths]
    stop = max(float(drive.times[-1]) for drive in drives)
    reading = stop + np.array([edge, edge + T_READ, 2 * edge + T_READ])
    cells = tuple(
        DrivenCell(
            drive=Waveform(
                times=np.concatenate([drive.times[:5], [stop], reading]),
                currents=np.concatenate([drive.currents[:5], [0.0, I_READ, I_READ, 0.0]]),
            )
        )
        for drive in drives
    )
    return Bench(
        name="width",
        title=f"Pulse lengths at {1e3 * current:g} mA, each on a cell of its own",
        cells=cells,
        samples=np.array([stop + edge + 0.5 * T_READ]),
        longest_step=2e-5,
        labels=tuple(f"{length:g} s" for length in lengths),
    )


def read_bench(model: CellModel) -> Bench:
    """Reads of cells that are programmed by their parameter s0 to the published levels."""
    low, window = model.device.r_reset, model.device.law.delta_r
    levels = model.card.synapse.levels.value
    drive = Waveform(
        times=np.array([0.0, EDGE, EDGE + T_READ, 2 * EDGE + T_READ]),
        currents=np.array([0.0, I_READ, I_READ, 0.0]),
    )
    return Bench(
        name="read",
        title="Reads of the six published levels, programmed by s0",
        cells=tuple(DrivenCell(drive=drive, s0=(level - low) / window) for level in levels),
        samples=np.array([EDGE + 0.5 * T_READ]),
        longest_step=T_READ / 20,
        labels=tuple(f"{level:g} Ohm" for level in levels),
    )


def export_benches(model: CellModel) -> tuple[Bench, ...]:
    """The benches that go with the model files."""
    return (ladder_bench(model), read_bench(model), loop_bench(model), width_bench(model))


# --- in Python ---


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


# --- in simulators ---


def ngspice_deck(
    bench: Bench, *, compiled: bool, reltol: float = 1e-4, longest_step: float | None = None
) -> str:
    """Deck for ``ngspice -b`` that writes ``NAME.raw`` and prints the fraction of every sample.

    Parameters
    ----------
    bench
        What to simulate.
    compiled
        With the compiled module ``sot_hallbar.osdi``; otherwise with the subcircuit ``sot_hallbar.sub``.
    reltol, longest_step
        Tolerance, and largest step [s] in place of the bench's.
    """
    step = bench.longest_step if longest_step is None else longest_step
    lines = [f"* {bench.title}", "* Written by hallspice. This file is yours: no licence is claimed on it."]
    if compiled:
        lines += [".control", f"pre_osdi {MODULE}.osdi", ".endc", f".model hallbar {MODULE}"]
    else:
        lines += [f".include {MODULE}.sub"]
    lines += [f".options temp={bench.temperature - KELVIN:.15g} reltol={reltol:g}", ""]
    saved = []
    for k, cell in enumerate(bench.cells, start=1):
        name, master = (f"N{k}", "hallbar") if compiled else (f"X{k}", MODULE)
        lines += [f"{name} p{k} 0 a{k} b{k} {master} {_instance(cell)}", *_ngspice_source(k, cell.drive)]
        saved += [f"v(p{k})", f"v(a{k})", f"v(b{k})", f"@n{k}[mz]" if compiled else f"v(x{k}.f)"]
    lines += ["", *(f".save {name}" for name in saved), "", ".control", ONE_THREAD, "set numdgt=12"]
    lines += [f"tran {step:.6g} {bench.stop:.15g} 0 {step:.6g}", f"write {bench.name}.raw {' '.join(saved)}"]
    for k in range(1, len(bench.cells) + 1):
        found = f"(1-@n{k}[mz])/2" if compiled else f"v(x{k}.f)"
        lines.append(f"let s_{k} = {found}")
        lines += [
            f"meas tran s_{k}_{j} find s_{k} at={time:.15g}"
            for j, time in enumerate(bench.samples.tolist(), start=1)
        ]
    return "\n".join([*lines, "quit 0", ".endc", ".end", ""])


def vacask_netlist(bench: Bench, *, reltol: float = 1e-4, longest_step: float | None = None) -> str:
    """Netlist for ``vacask`` that writes ``NAME.raw``; it loads the compiled module ``sot_hallbar.osdi``."""
    step = bench.longest_step if longest_step is None else longest_step
    lines = [
        bench.title,
        "",
        "// Written by hallspice. This file is yours: no licence is claimed on it.",
        "ground 0",
        f'load "{MODULE}.osdi"',
        f"model hallbar {MODULE}",
        "model isource isource",
        "",
    ]
    saved = []
    for k, cell in enumerate(bench.cells, start=1):
        points = [f"{t:.15g}, {i:.15g}" for t, i in zip(cell.drive.times, cell.drive.currents, strict=True)]
        lines += [
            f"n{k} (p{k} 0 a{k} b{k}) hallbar {_instance(cell)}",
            f'i{k} (0 p{k}) isource type="pwl" wave=[{", ".join(points)}]',
        ]
        saved += [f"v(p{k})", f"v(a{k})", f"v(b{k})", f"p(n{k},mz)"]
    lines += [
        "",
        "control",
        "  abort always",
        f"  options temp={bench.temperature - KELVIN:.15g} reltol={reltol:g}",
        f"  save {' '.join(saved)}",
        f"  analysis {bench.name} tran stop={bench.stop:.15g} step={step:.6g} maxstep={step:.6g}",
        "endc",
        "",
    ]
    return "\n".join(lines)


def solve_ngspice(
    bench: Bench, folder: Path, *, compiled: bool, reltol: float = 1e-4, longest_step: float | None = None
) -> BenchSolution:
    """Run a bench in ngspice, in a folder that holds the model's files."""
    deck = folder / f"{bench.name}_{'osdi' if compiled else 'sub'}.cir"
    deck.write_text(
        ngspice_deck(bench, compiled=compiled, reltol=reltol, longest_step=longest_step), encoding="utf-8"
    )
    run_ngspice(deck)
    return outcome(bench, read_raw(folder / f"{bench.name}.raw"))


def solve_vacask(
    bench: Bench, folder: Path, *, reltol: float = 1e-4, longest_step: float | None = None
) -> BenchSolution:
    """Run a bench in VACASK, in a folder that holds the compiled module."""
    netlist = folder / f"{bench.name}.sim"
    netlist.write_text(vacask_netlist(bench, reltol=reltol, longest_step=longest_step), encoding="utf-8")
    run_vacask(netlist)
    return outcome(bench, read_raw(folder / f"{bench.name}.raw"))


def outcome(bench: Bench, vectors: Mapping[str, Floats]) -> BenchSolution:
    """States, voltages and energies out of a simulator's vectors."""
    time = vectors["time"]
    shape = (len(bench.cells), len(bench.samples))
    fraction, voltage, energy = np.empty(shape), np.empty(shape), np.empty(len(bench.cells))
    trace = time, time
    for row, cell in enumerate(bench.cells):
        k = row + 1
        own = switched(vectors, k)
        hall = _voltage(vectors, f"a{k}") - _voltage(vectors, f"b{k}")
        fraction[row] = np.interp(bench.samples, time, own)
        voltage[row] = np.interp(bench.samples, time, hall)
        v, i = _voltage(vectors, f"p{k}"), cell.drive.at(time)
        power = (2 * v[:-1] * i[:-1] + 2 * v[1:] * i[1:] + v[:-1] * i[1:] + v[1:] * i[:-1]) / 6.0
        energy[row] = float(np.sum(np.diff(time) * power))
        if row == 0:
            trace = time, own
    return BenchSolution(fraction=fraction, hall_voltage=voltage, energy=energy, trace=trace)


def switched(vectors: Mapping[str, Floats], k: int) -> Floats:
    """Switched fraction of cell k over time, from a simulator's vectors."""
    if f"v(x{k}.f)" in vectors:
        return vectors[f"v(x{k}.f)"]
    mz = next(vectors[name] for name in (f"n{k}.mz", f"@n{k}[mz]", f"v(@n{k}[mz])") if name in vectors)
    result: Floats = 0.5 * (1.0 - mz)
    return result


def _voltage(vectors: Mapping[str, Floats], node: str) -> Floats:
    return vectors[node] if node in vectors else vectors[f"v({node})"]


def _instance(cell: DrivenCell) -> str:
    parts = [f"s0={cell.s0:.15g}"]
    if cell.h_x:
        parts.append(f"h_x={cell.h_x:.15g}")
    if (cell.m_i, cell.q) != (1, 1):
        parts += [f"m_i={cell.m_i}", f"q={cell.q}"]
    return " ".join(parts)


def _ngspice_source(k: int, drive: Waveform) -> Iterator[str]:
    points = " ".join(f"{t:.15g} {i:.15g}" for t, i in zip(drive.times, drive.currents, strict=True))
    first, *rest = textwrap.wrap(f"I{k} 0 p{k} pwl({points})", 100, break_long_words=False)
    yield first
    yield from (f"+ {line}" for line in rest)
