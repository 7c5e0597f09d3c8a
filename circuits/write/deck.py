"""Write pulses as transient decks, with devices whose state moves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from circuits.network import GROUND, BranchKind, Network, Role
from circuits.spice.devices import Devices
from circuits.spice.netlist import blocks, saving
from circuits.spice.words import Words
from compact_model.numeric import Floats, Mask
from veriloga.dialects import DeviceForm, Dialect
from veriloga.model import MODULE, CellModel
from veriloga.programs import ONE_THREAD
from veriloga.subcircuit import subcircuit_text

_RELTOL = "0.0001"  # states after pulses are then right to some 1e-4 of the window, at half the time of 1e-5


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


def switching_devices(model: CellModel, form: DeviceForm, ambient: float, day: date) -> Devices:
    """Devices of a write deck at an ambient temperature [K]: the compiled module, or a subcircuit in the deck."""
    text = "" if form is DeviceForm.OSDI else subcircuit_text(model, Dialect.NGSPICE, day)
    return Devices(form=form, text=text, card=f"{MODULE}_cell", ambient=ambient)


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
    printed: str = "",
) -> str:
    """A transient of one or more write pulses.

    Parameters
    ----------
    network
        Of `circuits.write.circuit.write_network`; devices take the place of its `Role.CELL` branches.
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
        Lines in place of the `Role.SWITCH` branches; none: those of the network, which stay as they are.
    printed
        Vector that ``ngspice -b`` prints, which then loads a compiled module itself; none for decks that are run
        through the library.
    """
    replaced = network.of_role(Role.CELL)
    if switches:
        replaced |= network.of_role(Role.SWITCH)
    lines = [
        *devices.words.header(title, "Units: ohm, volt, ampere, second. Node 0 is ground."),
        *(devices.load(ONE_THREAD) if printed else ()),
        "",
        *_elements(network, _waveforms(network, pulses, reads, timing), devices.words, replaced),
        *switches,
        "",
        "* cells: state of each grain at the start",
        *_devices(network, states, devices),
        *devices.definition(),
        "",
        f".tran {timing.t_pulse / 20:.15g} {timing.length * len(pulses):.15g} 0 {timing.t_pulse / 20:.15g}",
        devices.options(_RELTOL, *options),
        *saving(saved, per_line=16),
        *([f".print tran {printed}"] if printed else []),
        ".end",
        "",
    ]
    return "\n".join(lines)


def _elements(network: Network, sources: dict[int, str], words: Words, left_out: Mask) -> Iterator[str]:
    for title, lines in blocks(network, sources, words, left_out=left_out):
        yield from (f"{words.remark} {title}", *lines)


def _devices(network: Network, states: Floats, devices: Devices) -> Iterator[str]:
    """A device per cell, in place of its channel."""
    nodes = node_names(network)
    places = np.ndindex(network.probes["channel"].plus.shape)
    for (row, column), plus, minus, state in zip(places, nodes["ip"], nodes["in"], states, strict=True):
        yield devices.switching((row, column), (plus, minus), state)


def _waveforms(network: Network, pulses: Floats, reads: Floats, timing: Timing) -> dict[int, str]:
    """Right-hand side of each source, by its number among the branches."""
    written, read = network.source_values(pulses), network.source_values(reads)
    driven = np.flatnonzero(network.kind == BranchKind.VOLTAGE).tolist()
    return {k: _waveform(written[:, k], read[:, k], timing) for k in driven}


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
