"""Write pulses as transient decks, with devices whose state moves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from circuits.network import GROUND, BranchKind, Network, Role
from circuits.spice.devices import Devices
from compact_model.numeric import Floats

_CELSIUS = 273.15
_RELTOL = 1e-4  # states after pulses are then right to some 1e-4 of the window, at half the time of 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Times of a write transient [s]: edges, settling after the pulse, read after that (0: none)."""

    t_pulse: float
    t_edge: float = 1e-8
    t_settle: float = 1e-6
    t_read: float = 0.0

    @property
    def pulse_end(self) -> float:
        """End of the falling edge."""
        return self.t_pulse + self.t_edge

    @property
    def energy_end(self) -> float:
        """Middle of the settling time: what comes later is the read."""
        return self.pulse_end + self.t_settle / 2

    @property
    def length(self) -> float:
        """Of one pulse with its read."""
        return self.pulse_end + self.t_settle + (self.t_read + self.t_edge if self.t_read else 0.0)

    @property
    def read_at(self) -> float:
        """Late in the read."""
        return self.length - self.t_edge - 0.1 * self.t_read

    def corners(self, start: float, volts: float, read: float) -> list[tuple[float, float]]:
        """Corners of one pulse and its read; full from `t_edge` to `t_pulse`, `t_pulse` wide at half height."""
        points = [(0.0, 0.0), (self.t_edge, volts), (self.t_pulse, volts), (self.pulse_end, 0.0)]
        if self.t_read:
            begin = self.pulse_end + self.t_settle
            points += [(begin, 0.0), (begin + self.t_edge, read), (begin + self.t_read, read)]
            points.append((begin + self.t_read + self.t_edge, 0.0))
        else:
            points.append((self.length, 0.0))
        return [(start + time, value) for time, value in points]


def write_deck(
    network: Network,
    states: Floats,
    pulses: Floats,
    reads: Floats,
    timing: Timing,
    devices: Devices,
    *,
    saved: Sequence[str],
    title: str,
    options: Sequence[str] = (),
    switches: Sequence[str] = (),
    preamble: Sequence[str] = (),
    printed: str = "",
) -> str:
    """A transient of one or more write pulses.

    Parameters
    ----------
    network
        Of `circuits.write_network.write_network`; its channels are replaced by devices.
    states
        State of each cell at the start, (cells, K).
    pulses, reads
        Inputs of each pulse and of the read that follows, (pulses, inputs) [V].
    timing, devices
        Times; what a device is.
    saved
        Vectors that are kept.
    title, options
        First line; words for the ``.options`` line.
    switches
        Lines in place of the select resistors; none: those of the network, which stay as they are.
    preamble
        Lines before the circuit, e.g. those that load a compiled module in ``ngspice -b``.
    printed
        Vector that ``ngspice -b`` prints; none for decks that are run through the library.
    """
    probe = network.probes["channel"]
    columns = probe.plus.shape[1]
    names = (*network.node_names, "0")
    ends = [
        (names[a], names[b])
        for a, b in zip(probe.plus.ravel().tolist(), probe.minus.ravel().tolist(), strict=True)
    ]
    lines = [
        "* " + " ".join(title.split()),
        "* Written by hallspice. This file is yours: no licence is claimed on it.",
        "* Units: ohm, volt, ampere, second. Node 0 is ground.",
        *preamble,
        "",
        *_elements(network, pulses, reads, timing, skip_select=bool(switches)),
        *switches,
        "",
        *devices.lines(states, ends, columns),
        "",
        f".tran {timing.t_pulse / 20:.15g} {timing.length * len(pulses):.15g} 0 {timing.t_pulse / 20:.15g}",
        f".options temp={devices.ambient - _CELSIUS:.15g} reltol={_RELTOL:g} {' '.join(options)}".rstrip(),
        *(f".save {' '.join(saved[k : k + 16])}" for k in range(0, len(saved), 16)),
        *([f".print tran {printed}"] if printed else []),
        ".end",
        "",
    ]
    return "\n".join(lines)


def _elements(
    network: Network, pulses: Floats, reads: Floats, timing: Timing, *, skip_select: bool
) -> Iterator[str]:
    names = (*network.node_names, "0")
    drive = {
        source: (number, factor)
        for source, number, factor in zip(
            network.drive_source.tolist(),
            network.drive_input.tolist(),
            network.drive_coefficient.tolist(),
            strict=True,
        )
    }
    block_of = network.block_of.tolist()
    left_out = network.of_role(Role.CELL)
    if skip_select:
        left_out |= network.of_role(Role.SWITCH)
    shown = -1
    for k, name in enumerate(network.branch_names):
        if left_out[k]:
            continue
        if block_of[k] != shown:
            shown = block_of[k]
            yield f"* {network.branch_blocks[shown].title}"
        plus, minus = names[network.plus[k]], names[network.minus[k]]
        if network.kind[k] == BranchKind.VOLTAGE:
            number, factor = drive[k]
            yield f"{name} {plus} {minus} {_waveform(factor * pulses[:, number], factor * reads[:, number], timing)}"
        else:
            yield f"{name} {plus} {minus} {network.value[k]:.15g}"


def _waveform(pulses: Floats, reads: Floats, timing: Timing) -> str:
    if not pulses.any() and not reads.any():
        return "0"
    points: list[tuple[float, float]] = []
    for number, (volts, read) in enumerate(zip(pulses.tolist(), reads.tolist(), strict=True)):
        corners = timing.corners(number * timing.length, volts, read)
        points += corners if not points else corners[1:]
    return "pwl(" + "\n+ ".join(f"{time:.15g} {value:.15g}" for time, value in points) + ")"


def node_names(network: Network) -> dict[str, list[str]]:
    """Names of the nodes of every cell: ``ip``, ``in``, and ``line``, where the channel's select device begins."""
    probe = network.probes["channel"]
    names = (*network.node_names, "0")
    plus = [names[k] for k in probe.plus.ravel().tolist()]
    minus = [names[k] for k in probe.minus.ravel().tolist()]
    line = list(plus)
    if GROUND in probe.plus:
        raise ValueError("a channel begins at ground")
    for cell, k in enumerate(np.flatnonzero(network.of_role(Role.SWITCH)).tolist()):
        line[cell] = names[network.plus[k]]
    return {"ip": plus, "in": minus, "line": line}
