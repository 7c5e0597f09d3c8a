"""The model of one cell as data: grains, parameters with unit, range and source, and its largest error."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from compact_model import stack, switching
from compact_model.cards.device import DeviceCard, Gate
from compact_model.hallbar import HallBar, hall_bar
from compact_model.numeric import Floats
from veriloga.model_parameter import ModelParameter, instance_parameters, model_parameters

SMOOTHING = 1e-3
"""Rounding dx of the drive's magnitude, a = sqrt(x^2 + dx^2), in units of the critical current."""

STATE_CAPACITANCE = 1e-11
"""Capacitance of a state node [F]; with it the charge and current tolerances of simulators resolve 1e-3 of a grain."""

SOFTENING_FLOOR, RESISTANCE_FLOOR, TEMPERATURE_FLOOR = 0.01, 0.05, 100.0
"""Where the limits of the threshold (of its value), of the channel resistance (of its value) and of the
temperature [K] set in; see `veriloga.equations.limited`."""

LARGEST_ERROR = 0.01
"""Difference from the closed law that a model may have unless more is allowed (switched fraction)."""

LENGTHS = np.logspace(-6.0, -2.0, 17)
"""Pulse lengths over which the largest error is stated [s]."""

SHORT_LENGTHS = (1e-7, 1e-8)
"""Shorter pulses, for which law and rate equation part ways and neither is backed by data [s]."""

AMBIENTS = (233.15, 300.0, 358.15)
"""Ambient temperatures over which the largest error is stated [K]."""

MODULE = "sot_hallbar"
"""Name of the Verilog-A module and of the subcircuit."""

_CURIE_MARGIN = 10.0  # [K], as in the fit of the weights: rates have no meaning closer to the Curie point
_DENSITIES = np.linspace(0.5e11, 5.0e11, 201)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Largest difference between the bank and the closed law, in switched fraction."""

    largest: float
    density: float  # where [A/m^2]
    length: float  # [s]
    ambient: float  # [K]
    short: tuple[float, ...]  # at `SHORT_LENGTHS`


@dataclass(frozen=True, slots=True, kw_only=True)
class CellModel:
    """Everything that the Verilog-A module, the subcircuits and the Python form of one cell share."""

    card: DeviceCard
    digest: str  # of the card's content
    device: HallBar  # with the smooth magnitude of the circuit forms
    parameters: tuple[ModelParameter, ...]
    accuracy: Accuracy

    @property
    def grains(self) -> int:
        """Number of grains K."""
        return len(self.device.bank.theta)

    @property
    def electrothermal(self) -> bool:
        """Set B: the temperature acts on thresholds and barrier."""
        return self.device.law.electrothermal

    @property
    def demag(self) -> bool:
        """Gate `demag`: open while there is an interface moment."""
        return self.device.gate is Gate.DEMAG

    def value(self, name: str) -> float:
        """Default of a parameter; KeyError for an unknown one."""
        return {parameter.name: parameter.value for parameter in self.parameters}[name]

    def grain_states(self, s0: float) -> Floats:
        """State of each grain for a switched fraction, lowest thresholds first, shape (K,).

        That is what one pulse from the reset state leaves, up to the thermal width of a grain.
        """
        weight = self.device.bank.weight
        below = np.cumsum(weight) - weight
        filled: Floats = np.clip((s0 - below) / weight, 0.0, 1.0)
        return filled


def cell_model(
    card: DeviceCard, grains: int | None = None, *, largest_error: float = LARGEST_ERROR
) -> CellModel:
    """The circuit model of a card's device.

    Grains without weight are left out: they act on nothing.

    Parameters
    ----------
    card
        Device.
    grains
        Number of grains K on the grid, the card's by default.
    largest_error
        Largest allowed difference from the closed law, in switched fraction.

    Raises
    ------
    ValueError
        When the grid can't meet `largest_error`, or K is out of range.

    Examples
    --------
    >>> from compact_model.cards.device import load_card
    >>> model = cell_model(load_card())
    >>> model.grains, round(model.accuracy.largest, 4)
    (32, 0.007)
    """
    count = card.choices.grains if grains is None else grains
    if not 4 <= count <= 256:
        raise ValueError(f"grains = {count} is out of range, allowed: 4 to 256")
    device = hall_bar(card, grain_count=count)
    used = device.bank.weight > 0.0
    bank = replace(
        device.bank, theta=device.bank.theta[used], weight=device.bank.weight[used], smoothing=SMOOTHING
    )
    device = replace(device, bank=bank)
    accuracy = _accuracy(card, device)
    if accuracy.largest > largest_error:
        raise ValueError(
            f"grains = {count}: the bank differs from the law of card {card.name} by {accuracy.largest:.2g} of the "
            f"window (at {accuracy.density:.3g} A/m^2, {accuracy.length:.3g} s, {accuracy.ambient:g} K), allowed: "
            f"{largest_error:g}; use more grains (32 suit the shipped card) or allow a larger error"
        )
    content = json.dumps(card.model_dump(mode="json"), sort_keys=True).encode()
    return CellModel(
        card=card,
        digest=hashlib.sha256(content).hexdigest()[:16],
        device=device,
        parameters=(*instance_parameters(len(bank.theta)), *model_parameters(card, device)),
        accuracy=accuracy,
    )


def steady_temperature(card: DeviceCard, device: HallBar, density: Floats, ambient: float) -> Floats:
    """Temperature that a long pulse of a density reaches, kept below the Curie point [K]."""
    if not device.law.electrothermal:
        return np.full_like(density, ambient)
    heat = replace(device.heat, ambient=ambient)
    rise = heat.rise_after(stack.current(card, density), 1.0)
    return np.minimum(heat.temperature(rise), device.law.t_curie - _CURIE_MARGIN)


def _accuracy(card: DeviceCard, device: HallBar) -> Accuracy:
    lengths = np.concatenate([LENGTHS, SHORT_LENGTHS])
    errors = np.empty((len(AMBIENTS), len(lengths), len(_DENSITIES)))
    law, bank = device.law, device.bank
    for row, ambient in enumerate(AMBIENTS):
        temperature = steady_temperature(card, device, _DENSITIES, ambient)
        rate = bank.rate(_DENSITIES / law.critical_density(temperature), law.barrier(temperature))
        for column, length in enumerate(lengths):
            found = bank.fraction(-np.expm1(-rate * length))
            errors[row, column] = np.abs(
                found - law.fraction(law.reduced_drive(_DENSITIES, length, temperature))
            )
    stated = errors[:, : len(LENGTHS)]
    row, column, place = (int(k) for k in np.unravel_index(np.argmax(stated), stated.shape))
    return Accuracy(
        largest=float(stated.max()),
        density=float(_DENSITIES[place]),
        length=float(LENGTHS[column]),
        ambient=AMBIENTS[row],
        short=tuple(float(e) for e in errors[1, len(LENGTHS) :].max(axis=-1)),
    )


def provenance_summary(model: CellModel) -> str:
    """How many numbers of the card are measured, derived, fitted, assumed and of another provenance, in words."""
    counts: Counter[str] = Counter()

    def visit(node: object) -> None:
        if isinstance(node, dict):
            if "provenance" in node:
                counts[str(node["provenance"])] += 1
            for child in node.values():
                visit(child)
        elif isinstance(node, list):
            for child in node:
                visit(child)

    visit(model.card.model_dump(mode="json"))
    usual = ("measured", "derived", "fitted", "assumed")
    return ", ".join(f"{counts[name]} {name}" for name in (*usual, *sorted(set(counts).difference(usual))))


def closed_law_fraction(model: CellModel, current: Floats, length: float) -> Floats:
    """Switched fraction of the card's closed law after one pulse from the reset state."""
    return switching.switched_fraction(model.card, current, length)
