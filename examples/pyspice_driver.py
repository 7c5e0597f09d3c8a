"""A Hall bar between a MOSFET driver and an instrumentation amplifier, in PySpice.

A transistor pulls 13 mA write pulses and 1 mA reads through the channel; the amplifier lifts the Hall voltage (0.3 to
0.6 mV in a read) to what a converter takes. Run: ``python examples/pyspice_driver.py``; with the compiled module:
``python examples/pyspice_driver.py sot_hallbar.osdi`` (``hallspice export veriloga`` makes that file).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from circuits import HallBarCell, add_module_cell, pyspice_simulator
from compact_model import load_card
from veriloga import cell_model

V_SUPPLY = 10.0  # V
GAIN = 500.0  # of the amplifier
PULSES = 4
T_PULSE, T_READ, GAP = 200e-6, 20e-6, 20e-6  # s
V_WRITE, V_READ = 3.96, 1.573  # gate voltages, V


def gate_voltage() -> list[tuple[float, float]]:
    """Corners of the gate voltage: a write pulse, then a read, PULSES times."""
    corners, now = [(0.0, 0.0)], GAP
    for _ in range(PULSES):
        for height, width in ((V_WRITE, T_PULSE), (V_READ, T_READ)):
            corners += [(now, 0.0), (now + 1e-6, height), (now + width, height), (now + width + 1e-6, 0.0)]
            now += width + GAP
    return corners


def read_times() -> np.ndarray[Any, np.dtype[np.float64]]:
    """Middle of each read, s."""
    ends = [time for time, height in gate_voltage() if height == V_READ]
    return np.array(ends).reshape(-1, 2).mean(axis=1)


def build(module: Path | None) -> Any:
    """The circuit; with a compiled module the cell is that, otherwise the subcircuit."""
    from PySpice.Spice.Netlist import Circuit

    circuit = Circuit("Hall bar with driver and amplifier")
    circuit.model("driver", "NMOS", level=1, vto=0.7, kp=2.4e-3, lambda_=0.01)
    circuit.V("dd", "vdd", circuit.gnd, V_SUPPLY)
    circuit.PieceWiseLinearVoltageSource("gate", "gate", circuit.gnd, values=gate_voltage())
    if module is None:
        circuit.subcircuit(HallBarCell(cell_model(load_card())))
        circuit.X("cell", HallBarCell.NAME, "vdd", "drain", "hp", "hn", s0=0)
    else:
        add_module_cell(circuit, "cell", ("vdd", "drain", "hp", "hn"), s0=0)
    circuit.MOSFET("drive", "drain", "gate", circuit.gnd, circuit.gnd, model="driver")
    # Instrumentation amplifier: high input resistance, one pole at 1 MHz.
    circuit.R("in", "hp", "hn", 1e9)
    circuit.VCVS("amp", "amp", circuit.gnd, "hp", "hn", GAIN)
    circuit.R("pole", "amp", "out", 1e3)
    circuit.C("pole", "out", circuit.gnd, 159e-12)
    return circuit


def run(module: Path | None = None) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """Channel current [A] and Hall resistance [ohm] in each read."""
    times = gate_voltage()
    analysis = pyspice_simulator(build(module), module).transient(
        step_time=5e-6, end_time=times[-1][0] + GAP, max_time=5e-6
    )
    time = np.array(analysis.time, dtype=float)

    def at_reads(node: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.interp(read_times(), time, np.array(analysis[node], dtype=float))

    current = (V_SUPPLY - at_reads("drain")) / 500.0
    return {"current_a": current, "r_xy_ohm": at_reads("out") / GAIN / current}


if __name__ == "__main__":
    found = run(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
    for number, (i, r) in enumerate(zip(found["current_a"], found["r_xy_ohm"], strict=True), start=1):
        print(f"after pulse {number}: read current {1e3 * i:.3f} mA, Hall resistance {r:.4f} ohm")
