"""An array that is written in ngspice: one transient per phase, the state carried from one to the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np

from circuits.network import BranchKind
from circuits.spice import engine, ngspice
from circuits.spice.devices import Devices
from circuits.write.circuit import PARTS, lines, write_network
from circuits.write.deck import Timing, node_names, write_deck
from circuits.write.plant import DrivenPlant, Pulsed
from circuits.write.scheme import BiasScheme, Order
from circuits.write.select_mosfet import SelectMosfet
from compact_model.numeric import Floats, Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """What a transient gave."""

    states: Floats  # (cells, K) at its end
    resistance: (
        Floats  # (rows, columns) from Hall voltage over current in the read; NaN where nothing was read
    )
    current: Floats  # (rows, columns) in the middle of the last pulse [A]
    energy: dict[str, float]  # part -> [J], without the reads
    source_energy: float  # integral of the source power [J], without the reads


@dataclass(kw_only=True)
class SpicePlant(DrivenPlant):
    """Same as `circuits.write.plant.ModelPlant`, with ngspice moving the states.

    Attributes
    ----------
    weight, r_reset, delta_r
        Grain weights (K,); Hall resistance of s = 0 and window [Ohm]: what a state means before the first read.
    timing, devices
        Times of a pulse with its read; the device.
    module
        Compiled module; None with a subcircuit.
    i_read
        Channel current of a verify read [A].
    select
        Transistor in place of the ideal select switch; the controller goes on knowing only the switch.
    keep
        Called with the number and the text of every deck.
    """

    weight: Floats
    r_reset: float
    delta_r: float
    timing: Timing
    devices: Devices
    module: Path | None
    i_read: float = 1e-3
    select: SelectMosfet | None = None
    keep: Callable[[int, str], None] | None = None
    s: Floats = field(init=False)
    phases: int = field(init=False)
    source_energy: float = field(init=False)
    _seen: Floats = field(init=False)

    def __post_init__(self) -> None:
        if self.timing.t_read <= 0:
            raise ValueError(f"t_read = {self.timing.t_read} s, allowed: above 0 s (a plant is read)")
        if self.select is not None and self.solver.config.scheme is not BiasScheme.ONE_TRANSISTOR:
            raise ValueError(f"a select transistor in {self.solver.config.scheme}, allowed: one_transistor")
        self.phases, self.source_energy = 0, 0.0
        self.saturate()

    def saturate(self) -> None:
        """Bring all cells to s = 0 with a field."""
        rows, columns = self.shape
        self.s = np.zeros((rows * columns, len(self.weight)))
        self._seen = np.full(self.shape, self.r_reset)

    def pulse(self, volts: Floats, written: Mask) -> Pulsed:
        """Write pulses, one transient each."""
        config = self.solver.config
        applied, limited = self.within_compliance(volts, written)
        read = self.volts(np.full(self.shape, self.i_read), written)
        energy = {part: np.zeros(self.shape[0]) for part in PARTS}
        current = np.zeros(self.shape)
        rows = np.flatnonzero(written.any(axis=1)).tolist()
        places = [(row, written[row]) for row in rows]
        if config.order is Order.CELL:
            eye = np.eye(self.shape[1], dtype=bool)
            places = [(row, eye[column]) for row, column in np.argwhere(written).tolist()]
        for row, chosen in places:
            selected = np.zeros(self.shape, dtype=bool)
            selected[row] = chosen
            drive, probe = (config.voltages(self.shape, row, v[row], chosen)[None] for v in (applied, read))
            phase = self.run(selected, drive, probe)
            current = np.where(selected, phase.current, current)
            self._seen = np.where(selected, phase.resistance, self._seen)
            for part in PARTS:
                energy[part][row] += phase.energy[part]
        time = len(places) * self.timing.t_pulse
        return Pulsed(current=current, energy=energy, time=time, limited=limited)

    def run(self, selected: Mask, pulses: Floats, reads: Floats) -> Phase:
        """One transient of one or more pulses with the same cells selected; the state moves on."""
        network = write_network(selected, self.solver.config)
        cells, grains = self.s.shape
        columns = self.shape[1]
        nodes = node_names(network)
        place = [(cell // columns, cell % columns) for cell in range(cells)]
        inner = [self.devices.state_vector(at, k) for at in place for k in range(1, grains + 1)]
        arms = chain(*zip(*(self.devices.arms(at) for at in place), strict=True))
        sources = np.flatnonzero(network.kind == BranchKind.VOLTAGE).tolist()
        currents = [f"{network.branch_names[k].lower()}#branch" for k in sources]
        fed = [network.node_names[network.plus[k]] for k in sources]
        wanted = list(dict.fromkeys([*nodes["line"], *nodes["ip"], *nodes["in"], *arms, *fed]))
        wanted = [name for name in wanted if name != "0"]
        deck = write_deck(
            network,
            self.s,
            pulses,
            reads,
            self.timing,
            self.devices,
            saved=[*(f"v({name})" for name in wanted), *inner_saved(inner), *currents],
            title=f"write transient {self.phases + 1}",
            options=("klu",) if engine.find_simulator().klu else (),
            switches=() if self.select is None else tuple(self.select.lines(network, selected)),
        )
        self.phases += 1
        if self.keep is not None:
            self.keep(self.phases, deck)
        found = ngspice.transient(deck, [*wanted, *inner, *currents], module=self.module)
        found["0"] = np.zeros_like(found["time"])
        phase = self._phase(found, selected, len(pulses), nodes, inner, currents, fed)
        self.s = phase.states
        self.source_energy += phase.source_energy
        return phase

    def _phase(
        self,
        found: dict[str, Floats],
        selected: Mask,
        count: int,
        nodes: dict[str, list[str]],
        inner: list[str],
        currents: list[str],
        fed: list[str],
    ) -> Phase:
        time, timing, config = found["time"], self.timing, self.solver.config
        moved = np.array([found[name][-1] for name in inner]).reshape(self.s.shape)
        across = np.stack([found[a] - found[b] for a, b in zip(nodes["ip"], nodes["in"], strict=True)])
        before = np.stack([found[a] - found[b] for a, b in zip(nodes["line"], nodes["ip"], strict=True)])
        pairs = (self.devices.arms((row, column)) for row, column in np.ndindex(self.shape))
        hall = np.stack([found[plus] - found[minus] for plus, minus in pairs])
        through = across / config.r_channel
        writing = np.zeros(len(time))  # weight of each time point in integrals over the pulses
        for number in range(count):
            start = number * timing.length
            inside = np.flatnonzero((time >= start) & (time <= start + timing.energy_end))
            steps = np.diff(time[inside])
            writing[inside[:-1]] += steps / 2
            writing[inside[1:]] += steps / 2
        source = -np.sum([found[v] * found[i] for v, i in zip(fed, currents, strict=True)], axis=0)
        line = np.stack([-found[i] for i in currents])
        layout = lines(*self.shape, config)
        into = np.sum(line**2 * layout.ohm[: len(line), None], axis=0)
        if config.serial:
            feet = np.stack([found[name] for name in nodes["in"][self.shape[1] - 1 :: self.shape[1]]])
            into = into + np.sum(feet**2, axis=0) / config.r_return
        select = np.zeros_like(time)
        if config.scheme is BiasScheme.ONE_TRANSISTOR:
            select = np.sum(before * through, axis=0)
        elif config.serial:
            ohm = np.where(selected, config.r_select_off, config.r_select_on).ravel()
            select = np.sum(across**2 / ohm[:, None], axis=0)
        total = float(source @ writing)
        parts = {
            "cells": float(np.sum(across * through, axis=0) @ writing),
            "select": float(select @ writing),
            "drivers": float(into @ writing),
        }
        parts["wires"] = total - sum(parts.values())
        last = (count - 1) * timing.length
        middle = [np.interp(last + timing.t_pulse / 2, time, one) for one in through]
        at = last + timing.read_at
        read = [(np.interp(at, time, v), np.interp(at, time, i)) for v, i in zip(hall, through, strict=True)]
        measured = [v / i if abs(i) > 1e-6 else np.nan for v, i in read]
        return Phase(
            states=self.s + moved,
            resistance=np.reshape(measured, self.shape),
            current=np.reshape(middle, self.shape),
            energy=parts,
            source_energy=total,
        )

    def read(self) -> Floats:
        """Hall resistance of every cell, (rows, columns) [Ohm].

        As measured after the cell's last pulse; where later pulses for others reach it, as its grains stand.
        """
        if self.solver.config.isolated:
            return self._seen.copy()
        return self.r_reset + self.delta_r * self.fraction()

    def fraction(self) -> Floats:
        """Switched fraction of every cell from its grains, (rows, columns)."""
        fraction: Floats = (self.s @ self.weight).reshape(self.shape)
        return fraction


def inner_saved(names: list[str]) -> list[str]:
    """How ``.save`` names the inner nodes of devices."""
    return [f"v({name})" if "." in name else name for name in names]
