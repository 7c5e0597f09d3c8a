"""The cell's equations on arrays: what the Verilog-A module and the subcircuits compute."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compact_model import polarity, stack
from compact_model.cards.device import Gate
from compact_model.constants import REFERENCE_TEMPERATURE
from compact_model.numeric import Floats, FloatsLike
from compact_model.polarity import Polarity
from veriloga.model import (
    RESISTANCE_FLOOR,
    SOFTENING_FLOOR,
    STATE_CAPACITANCE,
    TEMPERATURE_FLOOR,
    CellModel,
)


def limited(u: FloatsLike, floor: float) -> Floats:
    """`u` itself above `floor`, floor^2/(2 floor - u) below: positive, continuous in value and slope.

    Examples
    --------
    >>> [float(v) for v in limited(np.array([2.0, 1.0, 0.0, -98.0]), 1.0)]
    [2.0, 1.0, 0.5, 0.01]
    """
    value = np.asarray(u, dtype=float)
    below = np.minimum(value, floor)
    result: Floats = np.where(value > floor, value, floor * floor / (2.0 * floor - below))
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """Instance parameters of a cell, and the switches of its model."""

    s0: Floats  # (K,) programmed state of each grain
    h_x: float = 0.0  # [A/m]
    m_i: int = 1
    q: int = 1
    i_scale: float = 1.0
    ambient: float = REFERENCE_TEMPERATURE  # [K]
    heated: bool = False  # the two thermal nodes are there
    moving: bool = True  # transient; False in static analyses


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknowns:
    """Unknowns of one cell."""

    terminals: Floats  # (..., 4): ip, in, hp, hn [V]
    centre: Floats  # (...) [V]
    deviation: Floats  # (..., K)
    rise: Floats  # (..., 2) [K]


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """What leaves each node through the cell; charges are the reactive part."""

    terminals: Floats  # (..., 4) [A]
    centre: Floats  # (...) [A]
    deviation: Floats  # (..., K) [A]
    rise: Floats  # (..., 2) [W]
    charge: Floats  # (..., K) [C]
    heat: Floats  # (..., 2) [J]
    fraction: Floats  # (...)
    temperature: Floats  # (...) [K]
    power: Floats  # (...) [W]


def torque_factor(model: CellModel, h_x: float, m_i: int, q: int) -> float:
    """Signed torque factor of an instance: gate, preset by a large field, saturation."""
    device = model.device
    signs = Polarity(q=np.array([float(q)]), m_i=np.array([float(m_i)]))
    acting = polarity.acting_moment(polarity.exposed(signs, h_x, device.h_preset), Gate(device.gate))
    return float(device.torque.factor(h_x, acting)[0])


def residual(model: CellModel, instance: Instance, unknowns: Unknowns) -> Residual:
    """All equations of the cell at once.

    x = torque V_x / (r_channel(T) i_c i_scale m(T)),  r_k and target of `compact_model.grains.GrainBank`
    cs dd_k/dt + cs r_k (s0_k + d_k - target) = 0      (d_k = 0 in static analyses)
    four-resistor star; I_x and I_y corrected by the antisymmetric Hall part and the misalignment
    tau_j dT_j/dt / r_j + T_j / r_j - V_x^2 / r_channel(T) = 0
    """
    law, bank, heat = model.device.law, model.device.bank, model.device.heat
    v, centre = unknowns.terminals, unknowns.centre
    v_x, v_y = v[..., 0] - v[..., 1], v[..., 2] - v[..., 3]
    rise = unknowns.rise if instance.heated else np.zeros_like(unknowns.rise)
    temperature = limited(instance.ambient + rise.sum(axis=-1), TEMPERATURE_FLOOR)
    r_x = heat.r_channel * limited(stack.at_temperature(1.0, heat.tcr, temperature), RESISTANCE_FLOOR)
    r_y = np.full_like(r_x, model.value("r_yy"))
    if law.electrothermal:
        bare = (law.t_curie - temperature) / (law.t_curie - REFERENCE_TEMPERATURE)
    else:
        bare = 1.0 - law.ambient_coefficient * (
            np.full_like(temperature, instance.ambient) - REFERENCE_TEMPERATURE
        )
    softening = limited(bare, SOFTENING_FLOOR)
    barrier = np.full_like(temperature, law.delta)
    if law.electrothermal:
        barrier = law.delta * REFERENCE_TEMPERATURE / temperature * softening
    torque = torque_factor(model, instance.h_x, instance.m_i, instance.q)
    x = torque * v_x / (r_x * model.value("i_c") * instance.i_scale * softening)
    state = instance.s0 + unknowns.deviation
    pull = STATE_CAPACITANCE * bank.rate(x, barrier) * (state - bank.target(x)[..., None])
    fraction = bank.fraction(state)
    r_hall, r_off = law.delta_r * (fraction - 0.5), model.value("r_off")
    determinant = r_x * r_y - r_off**2 + r_hall**2
    i_x = (r_y / determinant - 1.0 / r_x) * v_x - (r_off - r_hall) / determinant * v_y
    i_y = (r_x / determinant - 1.0 / r_y) * v_y - (r_off + r_hall) / determinant * v_x
    halves = np.stack([r_x, r_x, r_y, r_y], axis=-1) / 2.0
    star = (v - centre[..., None]) / halves
    currents = star + np.stack([i_x, -i_x, i_y, -i_y], axis=-1)
    flow = rise / heat.resistance - (v_x**2 / r_x)[..., None]
    return Residual(
        terminals=currents,
        centre=-star.sum(axis=-1),
        deviation=pull if instance.moving else unknowns.deviation,
        rise=flow if instance.heated else np.zeros_like(rise),
        charge=STATE_CAPACITANCE * unknowns.deviation,
        heat=heat.tau / heat.resistance * rise,
        fraction=fraction,
        temperature=temperature,
        power=(v * currents).sum(axis=-1),
    )
