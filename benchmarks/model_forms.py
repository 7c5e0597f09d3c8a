"""Cost of the device's forms: one device in a pulse train, and a passive 32 x 32 array that is written.

CPU seconds of the simulator, on one thread. ``python benchmarks/model_forms.py [--size 32] [--subcircuit]``.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np

from compact_model.cards.device import load_card
from veriloga.model import MODULE, CellModel, cell_model
from veriloga.programs import ONE_THREAD, run_ngspice, run_vacask
from veriloga.simulated import ngspice_deck, vacask_netlist
from veriloga.verify import train_bench, write_forms

R_SEGMENT = 0.05  # one wire segment of the array [ohm]
V_HALF = 6.6  # half of the write voltage [V]: 13.2 mA through a selected cell
PHASES = 2
T_PULSE, EDGE, STEP = 100e-6, 1e-6, 5e-6


def cpu_seconds() -> float:
    """CPU time of all programs run so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def array_deck(size: int, *, compiled: bool) -> str:
    """Passive array, V/2 scheme: one row after the other is written, all columns at the same time."""
    length = T_PULSE + 2 * EDGE
    lines = ["* Passive array, written row by row"]
    if compiled:
        lines += [".control", f"pre_osdi {MODULE}.osdi", ".endc", f".model hallbar {MODULE}"]
    else:
        lines.append(f".include {MODULE}.sub")
    lines.append(".options temp=26.85 reltol=1e-3" + (" klu" if compiled else ""))
    prefix, master = ("N", "hallbar") if compiled else ("X", MODULE)
    for row in range(size):
        points = "0 0"
        if row < PHASES:
            corners = (0.0, EDGE, T_PULSE + EDGE, length)
            heights = (0.0, V_HALF / 2, V_HALF / 2, 0.0)
            points = " ".join(
                f"{row * length + t:.9g} {v:.9g}" for t, v in zip(corners, heights, strict=True)
            )
            points = points if row == 0 else f"0 0 {points}"
        lines.append(f"Vr{row} r{row} 0 pwl({points})")
    for column in range(size):
        points = "0 0 " + " ".join(
            f"{phase * length + t:.9g} {v:.9g}"
            for phase in range(PHASES)
            for t, v in ((EDGE, -V_HALF / 2), (T_PULSE + EDGE, -V_HALF / 2), (length, 0.0))
        )
        lines.append(f"Vc{column} c{column} 0 pwl({points})")
    for row in range(size):
        for column in range(size):
            w, b = f"w{row}_{column}", f"b{row}_{column}"
            before = f"r{row}" if column == 0 else f"w{row}_{column - 1}"
            below = f"c{column}" if row == 0 else f"b{row - 1}_{column}"
            lines += [
                f"Rw{row}_{column} {before} {w} {R_SEGMENT}",
                f"Rb{row}_{column} {below} {b} {R_SEGMENT}",
            ]
            s0 = (7 * row + 3 * column) % 11 / 20
            lines.append(f"{prefix}{row}_{column} {w} {b} h{row}_{column} g{row}_{column} {master} s0={s0}")
    saved = f"v(w0_{size - 1}) v(b0_{size - 1})"
    lines += [f".save {saved}", ".control", ONE_THREAD, f"tran {STEP} {PHASES * length:.9g} 0 {STEP}"]
    return "\n".join([*lines, f"write array.raw {saved}", "quit 0", ".endc", ".end", ""])


def one_device(model: CellModel, folder: Path) -> None:
    """CPU time per pulse (write and read) of the 27-pulse train."""
    bench = train_bench(model)
    pulses = len(bench.samples)
    for reltol in (1e-3, 1e-4):
        found = {}
        for name in ("OSDI", "subcircuit", "VACASK"):
            if name == "VACASK":
                path, run = folder / "train.sim", run_vacask
                path.write_text(vacask_netlist(bench, reltol=reltol))
            else:
                path, run = folder / f"train_{name}.cir", run_ngspice
                path.write_text(ngspice_deck(bench, compiled=name == "OSDI", reltol=reltol))
            best = np.inf
            for _ in range(3):
                start = cpu_seconds()
                run(path)
                best = min(best, cpu_seconds() - start)
            found[name] = 1e3 * best / pulses
        values = "  ".join(f"{name} {ms:.2f}" for name, ms in found.items())
        ratio = found["subcircuit"] / found["OSDI"]
        print(f"one device, reltol {reltol:g}, ms per pulse: {values}; subcircuit/OSDI {ratio:.1f}")


def array(size: int, folder: Path, *, compiled: bool) -> float:
    """CPU time of the write of an array."""
    path = folder / "array.cir"
    path.write_text(array_deck(size, compiled=compiled))
    start, wall = cpu_seconds(), time.perf_counter()
    run_ngspice(path, timeout_s=1800)
    used = cpu_seconds() - start
    name = "OSDI with KLU" if compiled else "subcircuit"
    print(
        f"{size} x {size}, {PHASES} rows written, {name}: {used:.2f} s CPU, {time.perf_counter() - wall:.2f} s"
    )
    return used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--grains", type=int, default=32)
    parser.add_argument("--subcircuit", action="store_true", help="the array also as subcircuits (slow)")
    given = parser.parse_args()
    model = cell_model(load_card(), given.grains, largest_error=1.0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_forms(model, folder, date(2026, 1, 1), compile_it=True)
        one_device(model, folder)
        osdi = array(given.size, folder, compiled=True)
        if given.subcircuit:
            print(f"subcircuit/OSDI {array(given.size, folder, compiled=False) / osdi:.1f}")


if __name__ == "__main__":
    main()
