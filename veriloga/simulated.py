"""Test benches in simulators: their decks, a run, and what the vectors mean."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from compact_model.constants import ZERO_CELSIUS
from compact_model.numeric import Floats
from veriloga.bench import Bench, BenchSolution, DrivenCell, Waveform
from veriloga.model import MODULE
from veriloga.programs import ONE_THREAD, read_raw, run_ngspice, run_vacask


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
    lines += [f".options temp={bench.temperature - ZERO_CELSIUS:.15g} reltol={reltol:g}", ""]
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
        f"  options temp={bench.temperature - ZERO_CELSIUS:.15g} reltol={reltol:g}",
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
