"""Which way a pulse switches: saturation, interface moment and the gate between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compact_model.cards.device import Gate
from compact_model.numeric import Floats, FloatsLike, Mask

_ROUNDING = 1e-9  # relative; a field stated in Oe and in A/m must count as the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Polarity:
    """Signs that decide the switching direction, one of each per device."""

    q: Floats  # sign of the last saturating H_z
    m_i: Floats  # interface moment along the current: +1, -1, or 0 (demagnetised, gate `demag` only)


def prepared(count: int) -> Polarity:
    """Devices as prepared: saturated along +z, interface moment along +x."""
    return Polarity(q=np.ones(count), m_i=np.ones(count))


def saturated(state: Polarity, sign: FloatsLike, gate: Gate) -> Polarity:
    """Signs after saturation by H_z; with gate `demag` a saturation against the moment erases it."""
    q = np.broadcast_to(np.asarray(sign, dtype=float), state.q.shape).copy()
    m_i = np.where(state.m_i * q < 0.0, 0.0, state.m_i) if gate is Gate.DEMAG else state.m_i
    return Polarity(q=q, m_i=m_i)


def exposed(state: Polarity, h_x: FloatsLike, h_preset: float) -> Polarity:
    """Signs after an in-plane field, with or without current: abs(h_x) >= h_preset sets m_i to its sign."""
    field = np.broadcast_to(np.asarray(h_x, dtype=float), state.m_i.shape)
    return Polarity(q=state.q, m_i=np.where(reaches(field, h_preset), np.sign(field), state.m_i))


def reaches(h_x: FloatsLike, h_preset: float) -> Mask:
    """Whether an in-plane field sets the interface moment."""
    reached: Mask = np.abs(h_x) >= h_preset * (1.0 - _ROUNDING)
    return reached


def acting_moment(state: Polarity, gate: Gate) -> Floats:
    """Interface moment that acts: m_i where the gate is open, 0 where it is closed.

    Gate `product`: open while m_i q > 0. Gate `demag`: open while m_i is not 0.
    """
    if gate is Gate.PRODUCT:
        acting: Floats = np.where(state.m_i * state.q > 0.0, state.m_i, 0.0)
        return acting
    return state.m_i
