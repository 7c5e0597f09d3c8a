"""The model of one cell as data: grains, parameters with unit, range and source, and its largest error."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from compact_model import readout, stack, switching, synapse
from compact_model.cards.device import DeviceCard, Gate
from compact_model.cards.entry import Entry
from compact_model.cards.quantity import Quantity
from compact_model.constants import REFERENCE_TEMPERATURE
from compact_model.hallbar import HallBar, hall_bar
from compact_model.numeric import Floats

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
class ModelParameter:
    """A parameter of the circuit model."""

    name: str
    value: float
    allowed: Quantity  # unit, meaning, range
    topic: str
    instance: bool = False
    integer: bool = False
    source: str = ""

    @property
    def number(self) -> str:
        """The value as the files print it."""
        return f"{self.value:.0f}" if self.integer else f"{self.value:.15g}"

    @property
    def verilog_range(self) -> str:
        """The range in Verilog-A, empty when every number is allowed."""
        q = self.allowed
        if q.low is q.high is q.above is q.below is None:
            return ""
        left = f"({q.above:g}" if q.above is not None else f"[{q.low:g}" if q.low is not None else "(-inf"
        right = f"{q.below:g})" if q.below is not None else f"{q.high:g}]" if q.high is not None else "inf)"
        return f" from {left}:{right}"


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
        parameters=(*_instance_parameters(len(bank.theta)), *_model_parameters(card, device)),
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


def _instance_parameters(grains: int) -> Iterator[ModelParameter]:
    def instance(
        name: str, value: float, unit: str, meaning: str, low: float, high: float, integer: bool = False
    ) -> ModelParameter:
        return ModelParameter(
            name=name,
            value=value,
            allowed=Quantity(unit, meaning, low=low, high=high),
            topic="state",
            instance=True,
            integer=integer,
        )

    yield instance("s0", 0, "1", "programmed switched fraction, lowest thresholds first", 0, 1)
    yield ModelParameter(
        name="i_scale",
        value=1.0,
        allowed=Quantity("1", "local spread of the critical current", above=0.0),
        topic="state",
        instance=True,
    )
    yield instance("h_x", 0, "A/m", "applied field along the current", -1e7, 1e7)
    yield instance("m_i", 1, "1", "interface moment along the current: 1, -1, or 0 (erased)", -1, 1, True)
    yield instance("q", 1, "1", "sign of the last saturating field along z: 1 or -1", -1, 1, True)
    for k in range(1, grains + 1):
        yield instance(f"s0_{k}", -1, "1", f"programmed state of grain {k}; negative: as s0 says", -1, 1)


def _model_parameters(card: DeviceCard, device: HallBar) -> Iterator[ModelParameter]:
    yield from _resistances(card, device)
    yield from _switching(card, device)
    yield from _field(card, device)
    yield from _self_heating(card, device)
    yield _given(
        "k_flicker", "noise", card.hall.hooge, Quantity("Ohm^2", "flicker: S_V = k_flicker I^2 / f", low=0.0),
        readout.resistance_flicker(card),
    )  # fmt: skip
    yield _switch("sw_thermal", device.law.electrothermal, "1: self-heating by two thermal nodes")
    yield _switch("sw_noise", True, "1: thermal noise of the four resistors")
    yield _switch("sw_flicker", False, "1: flicker noise of the Hall voltage")
    for k, weight in enumerate(device.bank.weight, start=1):
        yield ModelParameter(
            name=f"w_{k}",
            value=float(weight),
            allowed=Quantity(
                "1", f"share of grain {k}, threshold {device.bank.theta[k - 1]:.4g}", above=0.0, high=1.0
            ),
            topic="grain weights (their sum is 1)",
            source="fitted: non-negative least squares against the card's law",
        )


def _resistances(card: DeviceCard, device: HallBar) -> Iterator[ModelParameter]:
    topic = "resistances"
    fit = card.switching.set_b if device.law.electrothermal else card.switching.set_a
    yield _derived(
        "r_channel", topic, float(stack.channel_resistance(card)), Quantity("Ohm", "channel at 300 K", above=0.0),
        "resistivity, thickness and squares of the card",
    )  # fmt: skip
    yield _derived(
        "r_yy", topic, float(stack.transverse_resistance(card)),
        Quantity("Ohm", "between the Hall contacts, both arms in series", above=0.0),
        "twice the arm of the card" if card.hall.r_arm else "resistivity, thickness and squares of the card",
    )  # fmt: skip
    yield _derived(
        "r_off", topic, synapse.offset_resistance(card), Quantity("Ohm", "misalignment, does not switch"),
        "r_reset + delta_r/2",
    )  # fmt: skip
    yield _given(
        "delta_r", topic, fit.delta_r, Quantity("Ohm", "Hall resistance from s = 0 to s = 1", above=0.0)
    )
    yield _given(
        "tcr", topic, card.transport.tcr, Quantity("1/K", "temperature coefficient of r_channel", low=0.0, high=0.01)
    )  # fmt: skip


def _switching(card: DeviceCard, device: HallBar) -> Iterator[ModelParameter]:
    topic, law, c = "switching", device.law, card.switching
    fit = c.set_b if law.electrothermal else c.set_a
    yield _given(
        "i_c", topic, fit.j63, Quantity("A", "critical current of the rate law, 300 K, torque factor 1", above=0.0),
        float(law.critical_density(REFERENCE_TEMPERATURE)) * device.area,
    )  # fmt: skip
    yield _given("tau0", topic, c.tau0, Quantity("s", "attempt time", above=0.0))
    yield _given(
        "t_wall", topic, c.t_wall, Quantity("s", "wall transit time at twice the threshold", above=0.0)
    )
    yield _given("wall_width", topic, c.wall_width, Quantity("1", "rounding of the transit term", above=0.0))
    yield _given(
        "delta",
        topic,
        c.delta,
        Quantity("1", "barrier over kT at 300 K without current", above=0.0, high=600),
    )
    if law.electrothermal:
        yield _given("t_curie", topic, c.t_curie, Quantity("K", "thresholds vanish here", above=300.0))
    else:
        yield _given(
            "c_ambient", topic, c.ambient_coefficient, Quantity("1/K", "fall of thresholds with ambient", low=0.0)
        )  # fmt: skip


def _field(card: DeviceCard, device: HallBar) -> Iterator[ModelParameter]:
    topic, fields, torque = "in-plane field", card.fields, device.torque
    yield _derived(
        "h_int",
        topic,
        torque.h_int,
        Quantity("A/m", "interface field", low=0.0),
        "interface field at this thickness",
    )
    yield _given("h_dmi", topic, fields.h_dmi, Quantity("A/m", "field that saturates the torque", above=0.0))
    yield _derived(
        "torque_gain",
        topic,
        torque.gain,
        Quantity("1", "torque factor at large field", above=0.0),
        "torque gain law",
    )
    yield _given(
        "h_preset", topic, fields.h_preset, Quantity("A/m", "field that sets the moment m_i", above=0.0)
    )


def _self_heating(card: DeviceCard, device: HallBar) -> Iterator[ModelParameter]:
    topic, heat = "self-heating", device.heat
    for place, name, r, tau in (
        (0, "oxide", card.thermal.r_oxide, card.thermal.tau_oxide),
        (1, "substrate", card.thermal.r_substrate, card.thermal.tau_substrate),
    ):
        label = place + 1
        yield _given(
            f"r_th{label}", topic, r, Quantity("K/W", f"thermal resistance, {name}", above=0.0),
            float(heat.resistance[place]),
        )  # fmt: skip
        yield _given(f"tau_th{label}", topic, tau, Quantity("s", f"time constant, {name}", above=0.0))


def _given(
    name: str, topic: str, entry: Entry, allowed: Quantity, value: float | None = None
) -> ModelParameter:
    return ModelParameter(
        name=name,
        value=entry.value if value is None else value,
        allowed=allowed,
        topic=topic,
        source=f"{entry.provenance}: {entry.source}",
    )


def _derived(name: str, topic: str, value: float, allowed: Quantity, source: str) -> ModelParameter:
    return ModelParameter(name=name, value=value, allowed=allowed, topic=topic, source=f"derived: {source}")


def _switch(name: str, value: bool, meaning: str) -> ModelParameter:
    return ModelParameter(
        name=name,
        value=int(value),
        allowed=Quantity("1", meaning, low=0, high=1),
        topic="switches",
        integer=True,
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
