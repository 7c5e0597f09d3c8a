"""Parameters of the circuit model: name, default, unit, range and source of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from compact_model import readout, stack, synapse
from compact_model.cards.device import DeviceCard, FractionLaw
from compact_model.cards.entry import Entry
from compact_model.cards.quantity import Quantity
from compact_model.constants import REFERENCE_TEMPERATURE
from compact_model.grains import GrainBank
from compact_model.hallbar import HallBar


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


def instance_parameters(grains: int) -> Iterator[ModelParameter]:
    """What may differ between the instances of a cell with K grains: state, preparation, field, local spread."""
    yield _instance("s0", 0, "programmed switched fraction, lowest thresholds first", 0, 1)
    spread = Quantity("1", "local spread of the critical current", above=0.0)
    yield ModelParameter(name="i_scale", value=1.0, allowed=spread, topic="state", instance=True)
    yield _instance("h_x", 0, "applied field along the current", -1e7, 1e7, unit="A/m")
    yield _instance("m_i", 1, "interface moment along the current: 1, -1, or 0 (erased)", -1, 1, integer=True)
    yield _instance("q", 1, "sign of the last saturating field along z: 1 or -1", -1, 1, integer=True)
    for k in range(1, grains + 1):
        yield _instance(f"s0_{k}", -1, f"programmed state of grain {k}; negative: as s0 says", -1, 1)


def model_parameters(card: DeviceCard, device: HallBar) -> Iterator[ModelParameter]:
    """What all instances of a card's cell share; `device` is the card's cell."""
    yield from _resistances(card, device)
    yield from _switching(card, device)
    yield from _in_plane_field(card, device)
    yield from _self_heating(card, device)
    yield from _noise(card)
    yield _switch("sw_thermal", device.law.electrothermal, "1: self-heating by two thermal nodes")
    yield _switch("sw_noise", True, "1: thermal noise of the four resistors")
    yield _switch("sw_flicker", False, "1: flicker noise of the Hall voltage")
    yield from _grain_weights(device.bank)


def _resistances(card: DeviceCard, device: HallBar) -> Iterator[ModelParameter]:
    topic = "resistances"
    yield _derived(
        "r_channel",
        topic,
        float(stack.channel_resistance(card)),
        Quantity("Ohm", "channel at 300 K", above=0.0),
        "resistivity, thickness and squares of the card",
    )
    yield _derived(
        "r_yy",
        topic,
        float(stack.transverse_resistance(card)),
        Quantity("Ohm", "between the Hall contacts, both arms in series", above=0.0),
        "twice the arm of the card" if card.hall.r_arm else "resistivity, thickness and squares of the card",
    )
    yield _derived(
        "r_off",
        topic,
        synapse.offset_resistance(card),
        Quantity("Ohm", "misalignment, does not switch"),
        "r_reset + delta_r/2",
    )
    window = Quantity("Ohm", "Hall resistance from s = 0 to s = 1", above=0.0)
    yield _given("delta_r", topic, _fitted(card, device).delta_r, window)
    warming = Quantity("1/K", "temperature coefficient of r_channel", low=0.0, high=0.01)
    yield _given("tcr", topic, card.transport.tcr, warming)


def _switching(card: DeviceCard, device: HallBar) -> Iterator[ModelParameter]:
    topic, law, c = "switching", device.law, card.switching
    yield _given(
        "i_c",
        topic,
        _fitted(card, device).j63,
        Quantity("A", "critical current of the rate law, 300 K, torque factor 1", above=0.0),
        float(law.critical_density(REFERENCE_TEMPERATURE)) * device.area,
    )
    yield _given("tau0", topic, c.tau0, Quantity("s", "attempt time", above=0.0))
    yield _given(
        "t_wall", topic, c.t_wall, Quantity("s", "wall transit time at twice the threshold", above=0.0)
    )
    yield _given("wall_width", topic, c.wall_width, Quantity("1", "rounding of the transit term", above=0.0))
    barrier = Quantity("1", "barrier over kT at 300 K without current", above=0.0, high=600)
    yield _given("delta", topic, c.delta, barrier)
    if law.electrothermal:
        yield _given("t_curie", topic, c.t_curie, Quantity("K", "thresholds vanish here", above=300.0))
    else:
        falling = Quantity("1/K", "fall of thresholds with ambient", low=0.0)
        yield _given("c_ambient", topic, c.ambient_coefficient, falling)


def _in_plane_field(card: DeviceCard, device: HallBar) -> Iterator[ModelParameter]:
    topic, torque, fields = "in-plane field", device.torque, card.fields
    interface = Quantity("A/m", "interface field", low=0.0)
    yield _derived("h_int", topic, torque.h_int, interface, "interface field at this thickness")
    yield _given("h_dmi", topic, fields.h_dmi, Quantity("A/m", "field that saturates the torque", above=0.0))
    factor = Quantity("1", "torque factor at large field", above=0.0)
    yield _derived("torque_gain", topic, torque.gain, factor, "torque gain law")
    yield _given(
        "h_preset", topic, fields.h_preset, Quantity("A/m", "field that sets the moment m_i", above=0.0)
    )


def _self_heating(card: DeviceCard, device: HallBar) -> Iterator[ModelParameter]:
    topic, thermal = "self-heating", card.thermal
    stages = (
        ("oxide", thermal.r_oxide, thermal.tau_oxide),
        ("substrate", thermal.r_substrate, thermal.tau_substrate),
    )
    for (name, r, tau), ohm in zip(stages, device.heat.resistance.tolist(), strict=True):
        label = 1 if name == "oxide" else 2
        yield _given(f"r_th{label}", topic, r, Quantity("K/W", f"thermal resistance, {name}", above=0.0), ohm)
        yield _given(f"tau_th{label}", topic, tau, Quantity("s", f"time constant, {name}", above=0.0))


def _noise(card: DeviceCard) -> Iterator[ModelParameter]:
    flicker = Quantity("Ohm^2", "flicker: S_V = k_flicker I^2 / f", low=0.0)
    yield _given("k_flicker", "noise", card.hall.hooge, flicker, readout.resistance_flicker(card))


def _grain_weights(bank: GrainBank) -> Iterator[ModelParameter]:
    for k, (weight, theta) in enumerate(zip(bank.weight.tolist(), bank.theta.tolist(), strict=True), start=1):
        yield ModelParameter(
            name=f"w_{k}",
            value=weight,
            allowed=Quantity("1", f"share of grain {k}, threshold {theta:.4g}", above=0.0, high=1.0),
            topic="grain weights (their sum is 1)",
            source="fitted: non-negative least squares against the card's law",
        )


def _fitted(card: DeviceCard, device: HallBar) -> FractionLaw:
    """Numbers of the rate law in use: Set B with self-heating, else Set A."""
    return card.switching.set_b if device.law.electrothermal else card.switching.set_a


def _instance(
    name: str, value: float, meaning: str, low: float, high: float, *, unit: str = "1", integer: bool = False
) -> ModelParameter:
    allowed = Quantity(unit, meaning, low=low, high=high)
    return ModelParameter(
        name=name, value=value, allowed=allowed, topic="state", instance=True, integer=integer
    )


def _given(
    name: str, topic: str, entry: Entry, allowed: Quantity, value: float | None = None
) -> ModelParameter:
    """A number of the card, or one made of it."""
    number = entry.value if value is None else value
    source = f"{entry.provenance}: {entry.source}"
    return ModelParameter(name=name, value=number, allowed=allowed, topic=topic, source=source)


def _derived(name: str, topic: str, value: float, allowed: Quantity, source: str) -> ModelParameter:
    return ModelParameter(name=name, value=value, allowed=allowed, topic=topic, source=f"derived: {source}")


def _switch(name: str, value: bool, meaning: str) -> ModelParameter:
    allowed = Quantity("1", meaning, low=0, high=1)
    return ModelParameter(name=name, value=int(value), allowed=allowed, topic="switches", integer=True)
