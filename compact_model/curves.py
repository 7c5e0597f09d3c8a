"""The device's characteristic curves as plain arrays, ready to be tabulated or drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compact_model import hallbar, preisach, stack, switching, synapse, thermal, thickness, transport
from compact_model.cards.device import DeviceCard
from compact_model.constants import OERSTED
from compact_model.numeric import Floats

PRESETS_OE = (390.0, 800.0, 1500.0, 2300.0, 2350.0, 2750.0)
"""Preset fields of the polarity test; the published range is 390..2750 Oe [Oe]."""

SWEEP_DENSITY = 2.41e11
"""Largest density of the published sweeps [A/m^2]."""


def sweep_current(card: DeviceCard, t_oxide: float | None = None) -> float:
    """Current of the largest published sweep density [A]."""
    return float(stack.current(card, SWEEP_DENSITY, t_oxide))


def triangle(i_max: float, points: int = 40) -> Floats:
    """Currents of a closed loop 0, +i_max, -i_max, 0 in equal steps [A]."""
    quarter = np.linspace(0.0, i_max, points + 1)
    return np.concatenate([quarter, quarter[-2::-1], -quarter[1:], -quarter[-2::-1]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Loops:
    """Hall resistance against pulse current, one loop per applied field."""

    current: Floats  # (points,) [A]
    h_x: Floats  # (loops,) [A/m]
    hall_resistance: Floats  # (loops, points) [ohm]
    m_z: Floats  # (loops, points)
    area: Floats  # (loops,) normalised loop area; above zero is clockwise


def loop_area(current: Floats, m_z: Floats) -> Floats:
    """Area of closed loops over that of a full rectangle, integral of m_z dI; above zero is clockwise."""
    closed = np.append(current, current[:1])
    m = np.concatenate([m_z, m_z[..., :1]], axis=-1)
    area: Floats = (0.5 * (m[..., 1:] + m[..., :-1]) * np.diff(closed)).sum(axis=-1)
    normalised: Floats = area / (4.0 * np.abs(current).max())
    return normalised


def sense(area: float) -> str:
    """`clockwise`, `counterclockwise`, or `none` below one percent of a full loop."""
    return "none" if abs(area) < 0.01 else "clockwise" if area > 0.0 else "counterclockwise"


def sweep(
    device: hallbar.HallBar,
    state: hallbar.HallBarState,
    current: Floats,
    t_pulse: float,
    h_x: Floats | float = 0.0,
) -> tuple[hallbar.HallBarState, Floats]:
    """Pulses one after the other from a state, cooling in between; also the fraction after each.

    Returns
    -------
    state, fraction
        After the last pulse; shape (devices, pulses).
    """
    fractions = []
    for one in current:
        if one != 0.0:
            state = device.cooled(device.pulsed(state, float(one), t_pulse, h_x))
        fractions.append(device.fraction(state))
    return state, np.stack(fractions, axis=-1)


def loops(card: DeviceCard, h_x: Floats, i_max: float | None = None, points: int = 40) -> Loops:
    """R_xy(I) loops under applied fields by the rate law: the second of two equal cycles, so that it is closed."""
    device = hallbar.hall_bar(card)
    currents = triangle(sweep_current(card) if i_max is None else i_max, points)
    fields = np.atleast_1d(np.asarray(h_x, dtype=float))
    t_pulse = card.synapse.t_pulse.value
    state, _ = sweep(device, device.prepared(len(fields)), currents, t_pulse, fields)
    _, fraction = sweep(device, state, currents, t_pulse, fields)
    m_z = 1.0 - 2.0 * fraction
    return Loops(
        current=currents,
        h_x=fields,
        hall_resistance=synapse.hall_resistance(card, fraction),
        m_z=m_z,
        area=loop_area(currents, m_z),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PolarityStep:
    """One current sweep of the polarity test."""

    preparation: str
    sense: str  # clockwise, counterclockwise, none
    switched: float  # largest minus smallest fraction of the loop
    current: Floats  # (points,) [A]
    m_z: Floats  # (points,)


def polarity_protocol(
    card: DeviceCard, t_oxide: float | None = None, presets_oe: tuple[float, ...] = PRESETS_OE
) -> list[PolarityStep]:
    """The published sequence: +z, -z, presets against the current, +z, presets along the current.

    After each preparation one closed current loop up to 2.41e11 A/m^2 without applied field.
    """
    device = hallbar.hall_bar(card, t_oxide)
    currents = triangle(sweep_current(card, t_oxide), 12)
    h_sat = card.fields.h_sat.value
    state = device.prepared()
    steps = []
    actions: list[tuple[str, str, float]] = [("saturate +z", "z", h_sat), ("saturate -z", "z", -h_sat)]
    actions += [(f"preset -{h:g} Oe", "x", -h * OERSTED) for h in presets_oe]
    actions += [("saturate +z again", "z", h_sat)]
    actions += [(f"preset +{h:g} Oe", "x", h * OERSTED) for h in presets_oe]
    for label, axis, field in actions:
        state = device.saturated(state, field) if axis == "z" else device.preset(state, field)
        before = device.fraction(state)[:, None]
        state, fraction = sweep(device, state, currents, card.synapse.t_pulse.value)
        m_z = 1.0 - 2.0 * fraction[0]
        whole = np.concatenate([before, fraction], axis=-1)
        steps.append(
            PolarityStep(
                preparation=label,
                sense=sense(float(loop_area(currents, m_z))),
                switched=float(np.ptp(whole)),
                current=currents,
                m_z=m_z,
            )
        )
    return steps


@dataclass(frozen=True, slots=True, kw_only=True)
class ThicknessCurves:
    """Everything that depends on the oxide thickness."""

    t_oxide: Floats  # [m]
    xi_gain: Floats
    torque_efficiency: Floats
    interface_anisotropy: Floats  # [J/m^2]
    transparency: Floats
    spin_hall_angle: Floats
    spin_hall_conductivity: Floats  # [hbar/2e /(ohm m)]
    resistivity: Floats  # [ohm m]
    field_per_current: Floats  # [A/m per A]
    critical_density: Floats  # at h_x [A/m^2]
    loop_shift: Floats
    field_free_drive: Floats
    field_free_fraction: Floats  # at 2.41e11 A/m^2
    oxide_share: Floats
    h_x: float  # of the critical density [A/m]


def thickness_curves(card: DeviceCard, t_oxide: Floats, h_x: float = 1000.0 * OERSTED) -> ThicknessCurves:
    """Thickness panels: transport, torque, critical density, field-free window."""
    laws = card.thickness
    drive = (
        laws.field_free_drive_b if switching.switching_law(card).electrothermal else laws.field_free_drive_a
    )
    each = [float(t) for t in t_oxide]
    return ThicknessCurves(
        t_oxide=t_oxide,
        xi_gain=thickness.evaluate(laws.xi_gain, t_oxide),
        torque_efficiency=transport.torque_efficiency(card, t_oxide),
        interface_anisotropy=transport.interface_anisotropy(card, t_oxide),
        transparency=transport.transparency(card, t_oxide),
        spin_hall_angle=transport.spin_hall_angle(card, t_oxide),
        spin_hall_conductivity=transport.spin_hall_conductivity(card, t_oxide),
        resistivity=transport.resistivity(card, t_oxide),
        field_per_current=transport.damping_like_field(card, 1.0, t_oxide),
        critical_density=np.array([switching.critical_current_density(card, h_x, t) for t in each]),
        loop_shift=thickness.evaluate(laws.loop_shift, t_oxide),
        field_free_drive=thickness.evaluate(drive, t_oxide),
        field_free_fraction=np.array([field_free_fraction(card, t) for t in each]),
        oxide_share=stack.oxide_current_share(card, t_oxide),
        h_x=h_x,
    )


def field_free_fraction(
    card: DeviceCard, t_oxide: float | None = None, density: float = SWEEP_DENSITY
) -> float:
    """Fraction switched without field by one write pulse at 2.41e11 A/m^2, by the closed law."""
    return float(
        switching.switched_fraction(card, float(stack.current(card, density, t_oxide)), t_oxide=t_oxide)
    )


def critical_thickness(card: DeviceCard, level: float = 0.01) -> float:
    """Oxide thickness beyond the maximum at which the field-free fraction falls below `level` [m]."""
    t = np.linspace(0.7e-9, card.thickness.xi_gain[-1].t_oxide, 721)
    fraction = np.array([field_free_fraction(card, float(one)) for one in t])
    return float(t[np.argmax(fraction < level)])


@dataclass(frozen=True, slots=True, kw_only=True)
class FractionCurve:
    """Switched fraction against current density, without field."""

    density: Floats  # (n,) [A/m^2]
    law: Floats  # (n,) closed law
    rates: Floats  # (n,) rate law


def fraction_curve(card: DeviceCard, density: Floats, t_oxide: float | None = None) -> FractionCurve:
    """Fraction that one write pulse from the reset state switches, by both laws."""
    device = hallbar.hall_bar(card, t_oxide)
    currents = stack.current(card, density, t_oxide)
    after = device.pulsed(device.prepared(len(currents)), currents, card.synapse.t_pulse.value)
    return FractionCurve(
        density=density,
        law=switching.switched_fraction(card, currents, t_oxide=t_oxide),
        rates=device.fraction(after),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderTrace:
    """Repeated potentiation and depression."""

    current: Floats  # (pulses,) [A]
    stack: Floats  # (pulses,) Hall resistance by return-point memory [ohm]
    rates: Floats  # (pulses,) Hall resistance by the rate law [ohm]


def ladder_trace(card: DeviceCard, cycles: int = 2) -> LadderTrace:
    """The ladder up, then with reversed sign, `cycles` times: exact memory beside the rate law and its creep."""
    up = synapse.ladder_currents(card)
    currents = np.tile(np.concatenate([up, -up]), cycles)
    t_pulse = card.synapse.t_pulse.value
    device = hallbar.hall_bar(card)
    _, by_rates = sweep(device, device.prepared(), currents, t_pulse)
    law = switching.switching_law(card)
    state, by_stack = preisach.saturated(1), []
    for current in currents:
        u = law.threshold(switching.switched_fraction(card, abs(float(current))))
        state = state.pulsed(float(u), 1.0 if current > 0.0 else 0.0)
        by_stack.append(state.switched_fraction(law))
    return LadderTrace(
        current=currents,
        stack=synapse.hall_resistance(card, np.array(by_stack)),
        rates=synapse.hall_resistance(card, by_rates[0]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Creep:
    """Switched fraction after many equal pulses."""

    count: Floats  # (n,) pulses
    law: Floats  # (n,) closed law, equal pulses counted as one long one
    rates: Floats  # (n,) rate law


def identical_pulses(card: DeviceCard, current: float, counts: Floats) -> Creep:
    """Cumulative response to equal pulses: the logarithmic creep that makes amplitude ladders necessary."""
    t_pulse = card.synapse.t_pulse.value
    device = hallbar.hall_bar(card)
    wanted = np.unique(counts.astype(np.int64))
    state, done, fractions = device.prepared(), 0, []
    for count in wanted:
        for _ in range(int(count) - done):
            state = device.cooled(device.pulsed(state, current, t_pulse))
        done = int(count)
        fractions.append(float(device.fraction(state)[0]))
    return Creep(
        count=wanted.astype(float),
        law=switching.switched_fraction(card, current, wanted.astype(float) * t_pulse),
        rates=np.array(fractions),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PulseWidthCurve:
    """Density that switches half, against the pulse length."""

    t_pulse: Floats  # (n,) [s]
    law: Floats  # (n,) closed law [A/m^2]
    rates: Floats  # (n,) rate law [A/m^2]


def pulse_width_curve(card: DeviceCard, t_pulse: Floats, fraction: float = 0.5) -> PulseWidthCurve:
    """J(t_p) at a fixed fraction by the closed law and by the rate law; they part below 100 ns."""
    device = hallbar.hall_bar(card)
    by_law, by_rates = [], []
    for length in t_pulse:
        current = float(switching.programming_current(card, fraction, float(length)))
        by_law.append(current)
        low, high = 0.0, 4.0 * current
        for _ in range(40):
            middle = 0.5 * (low + high)
            reached = device.fraction(device.pulsed(device.prepared(), middle, float(length)))[0] >= fraction
            low, high = (low, middle) if reached else (middle, high)
        by_rates.append(high)
    return PulseWidthCurve(
        t_pulse=t_pulse,
        law=stack.current_density(card, np.array(by_law)),
        rates=stack.current_density(card, np.array(by_rates)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatCurve:
    """Channel temperature during and after a pulse."""

    time: Floats  # (n,) [s]
    temperature: Floats  # (n,) [K]


def heat_curve(card: DeviceCard, current: float, t_pulse: float, points: int = 200) -> HeatCurve:
    """Temperature through a pulse and the same time after it."""
    network = thermal.thermal_network(card)
    rising = np.geomspace(1e-3 * float(network.tau.min()), t_pulse, points)
    hot = network.rise_after(current, t_pulse)
    up = network.temperature(network.rise_after(current, rising))
    down = network.temperature(network.rise_after(0.0, rising, np.broadcast_to(hot, (points, len(hot)))))
    return HeatCurve(time=np.concatenate([rising, t_pulse + rising]), temperature=np.concatenate([up, down]))
