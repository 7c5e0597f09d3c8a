"""The Hall cross as a four-terminal resistor: antisymmetric Hall part, symmetric misalignment part."""

from __future__ import annotations

import numpy as np

from compact_model import stack, synapse
from compact_model.cards.device import DeviceCard
from compact_model.numeric import Floats, FloatsLike

TERMINALS = ("ip", "in", "hp", "hn")
"""Channel ends (current flows from ip to in) and Hall contacts."""

# Rows: V_x = v_ip - v_in, V_y = v_hp - v_hn, common mode between the two pairs.
_MODES = np.array([[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0], [0.5, 0.5, -0.5, -0.5]])


def impedance(r_channel: FloatsLike, r_yy: FloatsLike, r_offset: FloatsLike, r_hall: FloatsLike) -> Floats:
    """Impedance of the two differential ports [ohm], shape (..., 2, 2).

    V_x = r_channel I_x + (r_offset - r_hall) I_y,  V_y = (r_offset + r_hall) I_x + r_yy I_y.
    The part that reverses with the magnetisation is antisymmetric, the misalignment symmetric (Onsager).
    """
    x, y, offset, hall = np.broadcast_arrays(
        *(np.asarray(value, dtype=float) for value in (r_channel, r_yy, r_offset, r_hall))
    )
    rows = np.stack([x, offset - hall, offset + hall, y], axis=-1)
    result: Floats = rows.reshape((*x.shape, 2, 2))
    return result


def admittance(r_channel: FloatsLike, r_yy: FloatsLike, r_offset: FloatsLike, r_hall: FloatsLike) -> Floats:
    """Indefinite admittance of the four terminals [S], shape (..., 4, 4); rows and columns sum to zero.

    Without the Hall terms it is a star of two halves of the channel and two halves of the arms, so that the Hall
    contacts sit at the potential of the channel's centre.
    """
    differential = impedance(r_channel, r_yy, r_offset, r_hall)
    modes = np.zeros((*differential.shape[:-2], 3, 3))
    modes[..., :2, :2] = np.linalg.inv(differential)
    modes[..., 2, 2] = 4.0 / (np.asarray(r_channel, dtype=float) + np.asarray(r_yy, dtype=float))
    result: Floats = _MODES.T @ modes @ _MODES
    return result


def passivity_margin(r_channel: FloatsLike, r_yy: FloatsLike, r_offset: FloatsLike) -> Floats:
    """Smallest eigenvalue of the symmetric part of the impedance [ohm].

    Not negative exactly when r_channel r_yy >= r_offset^2, whatever the Hall part: it does no work.
    """
    x, y = np.asarray(r_channel, dtype=float), np.asarray(r_yy, dtype=float)
    margin: Floats = 0.5 * (x + y) - np.hypot(0.5 * (x - y), np.asarray(r_offset, dtype=float))
    return margin


def device_impedance(card: DeviceCard, s: FloatsLike) -> Floats:
    """Impedance of a card's device at switched fractions `s` [ohm], shape (..., 2, 2)."""
    return impedance(
        stack.channel_resistance(card),
        stack.transverse_resistance(card),
        synapse.offset_resistance(card),
        synapse.window(card) * (np.asarray(s, dtype=float) - 0.5),
    )


def device_admittance(card: DeviceCard, s: FloatsLike) -> Floats:
    """Admittance of a card's device at switched fractions `s` [S], shape (..., 4, 4)."""
    return admittance(
        stack.channel_resistance(card),
        stack.transverse_resistance(card),
        synapse.offset_resistance(card),
        synapse.window(card) * (np.asarray(s, dtype=float) - 0.5),
    )


def loaded_hall_voltage(card: DeviceCard, s: FloatsLike, current: FloatsLike, r_load: FloatsLike) -> Floats:
    """Hall voltage across a load at an imposed channel current [V]: V = R_xy I r_load/(r_load + r_yy)."""
    z = device_impedance(card, s)
    voltage: Floats = z[..., 1, 0] * current * r_load / (r_load + z[..., 1, 1])
    return voltage


def largest_hall_efficiency(card: DeviceCard) -> float:
    """Largest share of the input power that the Hall port can deliver: R_xy^2/(4 r_channel r_yy)."""
    r_xy = float(synapse.hall_resistance(card, 1.0))
    return r_xy**2 / (4.0 * float(stack.channel_resistance(card) * stack.transverse_resistance(card)))
