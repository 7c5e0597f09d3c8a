"""Test benches: cells driven by currents, and when to look at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from compact_model.constants import REFERENCE_TEMPERATURE
from compact_model.numeric import Floats
from veriloga.model import CellModel

EDGE = 1e-6
"""Rise and fall of a pulse [s]."""

T_READ = 10e-6
"""Length of a read [s]."""

I_READ = 1e-3
"""Read current, far below the onset of switching [A]."""


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
