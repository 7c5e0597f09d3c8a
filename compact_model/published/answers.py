"""What the model answers to each published fact."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from compact_model import (
    curves,
    hallbar,
    retention,
    scaling,
    spread,
    stack,
    switching,
    synapse,
    thickness,
    transport,
)
from compact_model.cards.device import DeviceCard, SwitchingModel
from compact_model.constants import OERSTED
from compact_model.numeric import Floats


@dataclass(frozen=True, slots=True)
class FactAnswer:
    """What the model says about one fact."""

    passed: bool | None  # None: not knowable
    value: str
    number: float | None = None


FactEvaluation = Callable[[DeviceCard], FactAnswer]


def _near(value: float, wanted: float, tolerance: float, unit: str = "", digits: int = 4) -> FactAnswer:
    text = f"{value:.{digits}g} {unit}".strip()
    return FactAnswer(abs(value - wanted) <= tolerance, text, value)


def _between(value: float, low: float, high: float, unit: str = "", digits: int = 4) -> FactAnswer:
    return FactAnswer(low <= value <= high, f"{value:.{digits}g} {unit}".strip(), value)


def _row(values: Sequence[float] | Floats, form: str = ".3g") -> str:
    return ", ".join(format(float(v), form) for v in values)


def _oxide(*nanometres: float) -> Floats:
    return np.array(nanometres) * 1e-9


def density(milliamperes: float, published: float) -> FactEvaluation:
    def evaluate(card: DeviceCard) -> FactAnswer:
        value = float(stack.current_density(card, milliamperes * 1e-3))
        return _near(value, published, 0.005 * published, "A/m^2")

    return evaluate


def geometry(card: DeviceCard) -> FactAnswer:
    g = card.geometry
    size = (g.w_channel.value, g.l_channel.value, float(stack.total_thickness(card, 0.0)))
    matches = np.allclose(size, (5e-6, 30e-6, 10.3e-9), rtol=1e-12, atol=0.0)
    return FactAnswer(bool(matches), f"{size[0] * 1e6:g} x {size[1] * 1e6:g} um, {size[2] * 1e9:g} nm + t")


def resistance(card: DeviceCard) -> FactAnswer:
    return _near(float(stack.channel_resistance(card, thickness.REFERENCE_OXIDE)), 500.0, 5.0, "ohm")


def resistivity_rises(card: DeviceCard) -> FactAnswer:
    rho = transport.resistivity(card, np.linspace(0.0, 2.5e-9, 51))
    step = float(transport.resistivity(card, 0.5e-9) / transport.resistivity(card, 0.0) - 1.0)
    passed = bool(np.all(np.diff(rho) > 0.0)) and step <= 0.10
    return FactAnswer(passed, f"{100 * step:.1f} % at 0.5 nm, rising", step)


def angle_peaks(card: DeviceCard) -> FactAnswer:
    t = np.linspace(0.0, 2.5e-9, 51)
    peak = float(t[np.argmax(transport.spin_hall_angle(card, t))])
    return FactAnswer(math.isclose(peak, 0.5e-9), f"peak at {peak * 1e9:.2g} nm, rho rises throughout", peak)


def gain(card: DeviceCard) -> FactAnswer:
    return _near(float(thickness.evaluate(card.thickness.xi_gain, 0.5e-9)), 5.2, 0.05)


def gain_falls(card: DeviceCard) -> FactAnswer:
    gain = thickness.evaluate(card.thickness.xi_gain, np.linspace(0.5e-9, 2.5e-9, 81))
    return FactAnswer(
        bool(np.all(np.diff(gain) < 0.0)), f"{gain[0]:.3g} to {gain[-1]:.3g}, falling throughout"
    )


def angle(card: DeviceCard) -> FactAnswer:
    return _near(float(transport.spin_hall_angle(card, 0.5e-9)), 0.36, 0.01)


def angle_ratio(card: DeviceCard) -> FactAnswer:
    ratio = float(transport.spin_hall_angle(card, 0.5e-9) / transport.spin_hall_angle(card, 0.0))
    return _between(ratio, 3.5, 4.9)


def backflow(card: DeviceCard) -> FactAnswer:
    return _near(float(transport.backflow_transparency(card, 0.5e-9)), 0.474, 0.01 * 0.474)


def memory_loss(card: DeviceCard) -> FactAnswer:
    slope = float(
        transport.memory_loss_transparency(card, 0.0) - transport.memory_loss_transparency(card, 1e-3)
    )
    return _near(slope, 0.23, 1e-12, "per erg/cm^2")


def anisotropy(card: DeviceCard) -> FactAnswer:
    k_s = transport.interface_anisotropy(card, _oxide(0, 0.5, 0.7, 1.0, 1.5, 2.0, 2.5))
    passed = bool(k_s[1] < k_s[0] and np.all(np.diff(k_s[1:]) > 0.0))
    return FactAnswer(passed, f"{_row(k_s * 1e3, '.2f')} erg/cm^2")


def efficiency_against_anisotropy(card: DeviceCard) -> FactAnswer:
    t = _oxide(0, 0.5, 0.7, 1.0, 1.5, 2.0, 2.5)
    order = np.argsort(transport.interface_anisotropy(card, t))
    xi = transport.torque_efficiency(card, t)[order]
    return FactAnswer(bool(np.all(np.diff(xi) < 0.0)), f"xi = {_row(xi)} with rising K_s")


def control(card: DeviceCard) -> FactAnswer:
    reference = float(transport.interface_anisotropy(card, 0.0))
    gain = transport.control_sample(card).torque_gain
    passed = reference > card.control.k_s.value and 1.0 <= gain <= 1.4
    return FactAnswer(passed, f"gain {gain:.3g}, reference K_s {reference * 1e3:.3g} erg/cm^2", gain)


def conductivity(card: DeviceCard) -> FactAnswer:
    sigma = transport.spin_hall_conductivity(card, _oxide(0, 0.5, 0.7, 1.0, 1.5, 2.0, 2.5))
    passed = bool(sigma[1] > sigma[0] and np.all(np.diff(sigma[1:]) < 0.0))
    return FactAnswer(passed, f"{_row(sigma, '.3g')} (hbar/2e)/(ohm m)")


def field_saturates(card: DeviceCard) -> FactAnswer:
    law = switching.torque(card, 0.0)
    fields = np.array([1.0, 3.0, 10.0]) * law.h_dmi
    share = law.factor(fields) / law.gain
    passed = bool(np.all(np.diff(share) > 0.0) and share[-1] > 0.99)
    return FactAnswer(
        passed, f"{_row(share)} of the saturated value at 1, 3, 10 times {law.h_dmi / OERSTED:.0f} Oe"
    )


def critical_ratio(card: DeviceCard) -> FactAnswer:
    ratios = [
        switching.critical_current_density(card, h * OERSTED, 0.0)
        / switching.critical_current_density(card, h * OERSTED, 0.5e-9)
        for h in (500.0, 1000.0, 5000.0)
    ]
    low, high = (2.7, 3.3) if card.choices.switching is SwitchingModel.A else (2.2, 4.4)
    passed = all(low <= ratio <= high for ratio in ratios)
    return FactAnswer(passed, f"{_row(ratios)} at 500, 1000, 5000 Oe", ratios[1])


def critical_trend(card: DeviceCard) -> FactAnswer:
    t = _oxide(0, 0.5, 0.7, 1.0, 1.5, 2.0, 2.5)
    j_c = np.array([switching.critical_current_density(card, 1000.0 * OERSTED, float(one)) for one in t])
    passed = bool(np.argmin(j_c) == 1 and np.all(np.diff(j_c[1:]) > 0.0))
    return FactAnswer(passed, f"{_row(j_c / 1e11, '.2f')} e11 A/m^2 at 1 kOe")


def _control_card(card: DeviceCard) -> DeviceCard:
    """The reference stack with the torque gain and the field-free drive of MgO."""
    data = card.model_dump(mode="json")
    sample = transport.control_sample(card)
    data["thickness"]["xi_gain"][0]["value"] = sample.torque_gain
    for law in ("field_free_drive_a", "field_free_drive_b"):
        data["thickness"][law][0]["value"] = sample.field_free_drive
    return DeviceCard.model_validate(data)


def control_critical(card: DeviceCard) -> FactAnswer:
    field = 1000.0 * OERSTED
    ratio = switching.critical_current_density(_control_card(card), field, 0.0)
    ratio /= switching.critical_current_density(card, field, 0.0)
    return _between(ratio, 0.8, 1.0)


def control_field_free(card: DeviceCard) -> FactAnswer:
    s = curves.field_free_fraction(_control_card(card), 0.0)
    return FactAnswer(s < 0.01, f"s = {s:.3g}", s)


def field_free(card: DeviceCard) -> FactAnswer:
    s = curves.field_free_fraction(card, 0.5e-9)
    return FactAnswer(s > 0.01, f"s = {s:.3g} at H_x = 0", s)


def fraction_at(nanometres: float, published: float) -> FactEvaluation:
    def evaluate(card: DeviceCard) -> FactAnswer:
        return _near(curves.field_free_fraction(card, nanometres * 1e-9), published, 0.01)

    return evaluate


def monotone(card: DeviceCard) -> FactAnswer:
    currents = np.linspace(0.0, 20e-3, 401)
    closed = switching.switched_fraction(card, currents)
    device = hallbar.hall_bar(card)
    rates = device.fraction(
        device.pulsed(device.prepared(len(currents)), currents, card.synapse.t_pulse.value)
    )
    passed = bool(np.all(np.diff(closed) >= 0.0) and np.all(np.diff(rates) >= -1e-12))
    return FactAnswer(passed, f"s from 0 to {closed[-1]:.3g} over 0..20 mA, never falling")


def _sampled_fractions(card: DeviceCard) -> tuple[Floats, Floats]:
    t = _oxide(0, 0.25, 0.5, 0.7, 1.0, 1.5, 2.0, 2.5)
    return t, np.array([curves.field_free_fraction(card, float(one)) for one in t])


def best_thickness(card: DeviceCard) -> FactAnswer:
    t, s = _sampled_fractions(card)
    best = float(t[np.argmax(s)])
    return FactAnswer(math.isclose(best, 0.7e-9), f"maximum at {best * 1e9:.2g} nm of {_row(s, '.2f')}", best)


def window(card: DeviceCard) -> FactAnswer:
    _, s = _sampled_fractions(card)
    edge = curves.critical_thickness(card)
    return FactAnswer(bool(s[0] == 0.0 and s[-1] < 0.01), f"below 1 % from {edge * 1e9:.2f} nm", edge)


def loop_shift(card: DeviceCard) -> FactAnswer:
    t = np.linspace(0.0, 2.5e-9, 51)
    shift = thickness.evaluate(card.thickness.loop_shift, t)
    peak = int(np.argmax(shift))
    falling = bool(np.all(np.diff(shift[peak:]) <= 0.0))
    passed = math.isclose(t[peak], 0.5e-9) and falling and bool(shift[-1] == 0.0)
    return FactAnswer(passed, f"maximum at {t[peak] * 1e9:.2g} nm, {shift[-1]:.2g} at 2.5 nm")


def orderings(card: DeviceCard) -> FactAnswer:
    pair = _oxide(0.5, 0.7)
    gain = thickness.evaluate(card.thickness.xi_gain, pair)
    shift = thickness.evaluate(card.thickness.loop_shift, pair)
    s = [curves.field_free_fraction(card, float(t)) for t in pair]
    passed = bool(gain[0] > gain[1] and shift[0] > shift[1] and s[1] > s[0])
    return FactAnswer(passed, f"gain {_row(gain)}; shift {_row(shift)}; s {_row(s, '.2f')} at 0.5, 0.7 nm")


def wall_ratio(card: DeviceCard) -> FactAnswer:
    ratio = thickness.evaluate(card.thickness.wall_ratio, _oxide(0.5, 0.7))
    return FactAnswer(bool(ratio[1] > ratio[0]), f"{_row(ratio)} at 0.5, 0.7 nm")


def applied_polarity(card: DeviceCard) -> FactAnswer:
    device = hallbar.hall_bar(card)
    currents = curves.triangle(curves.sweep_current(card), 12)
    t_pulse = card.synapse.t_pulse.value
    fields = np.array([-1000.0, -400.0, 400.0, 1000.0]) * OERSTED
    senses = []
    for sign in (1.0, -1.0):
        state = device.saturated(device.prepared(len(fields)), sign * card.fields.h_sat.value)
        state, _ = curves.sweep(device, state, currents, t_pulse, fields)
        _, fraction = curves.sweep(device, state, currents, t_pulse, fields)
        senses.append([curves.sense(float(a)) for a in curves.loop_area(currents, 1.0 - 2.0 * fraction)])
    wanted = ["counterclockwise", "counterclockwise", "clockwise", "clockwise"]
    return FactAnswer(
        senses == [wanted, wanted], "sign(H_x) decides at 400 and 1000 Oe, from both start states"
    )


@dataclass(frozen=True, slots=True)
class _Protocol:
    plus: curves.PolarityStep
    minus: curves.PolarityStep
    against: list[curves.PolarityStep]
    again: curves.PolarityStep
    along: list[curves.PolarityStep]


@lru_cache(maxsize=16)
def _protocol(card: DeviceCard, t_oxide: float | None = None) -> _Protocol:
    plus, minus, *rest = curves.polarity_protocol(card, t_oxide)
    count = len(curves.PRESETS_OE)
    return _Protocol(plus, minus, rest[:count], rest[count], rest[count + 1 :])


_BELOW = sum(h < 2350.0 for h in curves.PRESETS_OE)  # presets that must not act


def after_plus(card: DeviceCard, t_oxide: float | None = None) -> FactAnswer:
    step = _protocol(card, t_oxide).plus
    return FactAnswer(step.sense == "clockwise", f"{step.sense}, s = {step.switched:.2f}", step.switched)


def after_minus(card: DeviceCard, t_oxide: float | None = None) -> FactAnswer:
    step = _protocol(card, t_oxide).minus
    return FactAnswer(step.switched < 0.02, f"{step.sense}, s = {step.switched:.2g}", step.switched)


def small_presets(card: DeviceCard, t_oxide: float | None = None) -> FactAnswer:
    run = _protocol(card, t_oxide)
    small = [*run.against[:_BELOW], *run.along[:_BELOW]]
    largest = max(step.switched for step in small)
    return FactAnswer(largest < 0.02, f"s <= {largest:.2g} after +-390..2300 Oe", largest)


def preset_against(card: DeviceCard, t_oxide: float | None = None) -> FactAnswer:
    run = _protocol(card, t_oxide)
    steps = run.against[_BELOW:]
    difference = max(abs(step.switched - run.plus.switched) for step in steps)
    passed = all(step.sense == "counterclockwise" for step in steps) and difference < 0.02
    return FactAnswer(passed, f"{steps[0].sense}, magnitude differs by {difference:.2g}", difference)


def saturated_again(card: DeviceCard, t_oxide: float | None = None) -> FactAnswer:
    step = _protocol(card, t_oxide).again
    return FactAnswer(step.switched < 0.02, f"{step.sense}, s = {step.switched:.2g}", step.switched)


def preset_along(card: DeviceCard, t_oxide: float | None = None) -> FactAnswer:
    steps = _protocol(card, t_oxide).along[_BELOW:]
    passed = all(step.sense == "clockwise" for step in steps)
    return FactAnswer(passed, f"{steps[0].sense}, s = {steps[0].switched:.2f}", steps[0].switched)


def same_at_larger_thickness(card: DeviceCard) -> FactAnswer:
    checks = (after_plus, after_minus, small_presets, preset_against, saturated_again, preset_along)
    passed = [bool(check(card, 0.7e-9).passed) for check in checks]
    return FactAnswer(all(passed), f"{sum(passed)} of {len(passed)} observations at 0.7 nm")


def six_states(card: DeviceCard) -> FactAnswer:
    model = synapse.model_levels(card)
    error = float(np.abs(model - synapse.paper_levels(card)).max())
    return FactAnswer(
        error <= 6e-3, f"{_row(model, '.4f')} ohm, off by {error * 1e3:.1f} mohm at most", error
    )


def linear_region(card: DeviceCard) -> FactAnswer:
    levels = synapse.model_levels(card)[1:]
    step = np.arange(len(levels))
    error = float(np.abs(levels - np.polyval(np.polyfit(step, levels, 1), step)).max())
    return FactAnswer(error <= 5e-3, f"{error * 1e3:.1f} mohm off a line at most", error)


def no_field(card: DeviceCard) -> FactAnswer:
    return FactAnswer(card.synapse.h_x.value == 0.0, f"{card.synapse.h_x.value / OERSTED:g} Oe")


def retained(card: DeviceCard) -> FactAnswer:
    device = hallbar.hall_bar(card)
    state = device.pulsed(device.prepared(), curves.sweep_current(card), card.synapse.t_pulse.value)
    after = retention.retained(card, device.bank, state.s, 1e4)
    drift = abs(float(device.bank.fraction(after)[0] - device.fraction(state)[0]))
    return FactAnswer(drift < 0.01, f"{drift:.1e} of the window in 1e4 s", drift)


def energy(card: DeviceCard) -> FactAnswer:
    return _between(synapse.ladder_energy(card) * 1e6, 86.0, 89.5, "uJ")


def repeatable(card: DeviceCard) -> FactAnswer:
    trace = curves.ladder_trace(card, 2)
    exact = trace.stack.reshape(2, -1)
    crept = trace.rates.reshape(2, -1)
    error, creep = (float(np.abs(cycle[1] - cycle[0]).max()) for cycle in (exact, crept))
    return FactAnswer(
        error < 1e-3,
        f"{error * 1e3:.1g} mohm by return-point memory; the rate law creeps by {creep * 1e3:.1f} mohm",
        error,
    )


def energy_scaling(card: DeviceCard) -> FactAnswer:
    lengths = np.geomspace(1e-9, 200e-6, 107)
    energy = []
    for length in lengths:
        current = float(switching.programming_current(card, 0.68, float(length)))
        energy.append(float(synapse.pulse_energy(card, current, float(length))))
    best = float(lengths[int(np.argmin(energy))])
    wide = scaling.scaled_pulse(card, 5e-6, 200e-6).energy
    narrow = scaling.scaled_pulse(card, 0.5e-6, 200e-6).energy
    ratio = wide / narrow
    near = 0.3 <= best / card.switching.t_wall.value <= 3.0
    passed = near and (
        abs(ratio - 100.0) < 1.0 if card.choices.switching is SwitchingModel.A else ratio > 10.0
    )
    return FactAnswer(
        passed, f"E falls {ratio:.0f} times at a tenth of the width; least at {best * 1e9:.1f} ns", best
    )


def regions(card: DeviceCard) -> FactAnswer:
    count = spread.region_count(card)
    return FactAnswer(None, f"{count} independent regions assumed")


def shunting(card: DeviceCard) -> FactAnswer:
    share = stack.oxide_current_share(card, _oxide(0, 0.5, 0.7, 1.0, 1.5, 2.0, 2.5))
    passed = bool(share[1] < 0.02 and np.all(np.diff(share) > 0.0))
    return FactAnswer(
        passed, f"{100 * share[1]:.1f} % at 0.5 nm, {100 * share[-1]:.1f} % at 2.5 nm", float(share[1])
    )
