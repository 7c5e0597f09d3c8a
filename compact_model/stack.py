"""The layer stack: thickness, current density and resistance of the channel."""

from __future__ import annotations

import numpy as np

from compact_model import thickness
from compact_model.cards.device import DeviceCard
from compact_model.constants import REFERENCE_TEMPERATURE
from compact_model.numeric import Floats, FloatsLike


def oxide_thickness(card: DeviceCard, t_oxide: FloatsLike | None = None) -> Floats:
    """The card's oxide thickness, or the given one in its place [m]."""
    return np.asarray(card.geometry.t_oxide.value if t_oxide is None else t_oxide, dtype=float)


def total_thickness(card: DeviceCard, t_oxide: FloatsLike | None = None) -> Floats:
    """Thickness of all layers [m].

    t_tot = t_seed + t_hm + t_oxide + repeats (t_fm + t_spacer) + t_cap, 10.3 nm + t_oxide for the paper's stack.

    Examples
    --------
    >>> from compact_model.cards.device import load_card
    >>> round(float(total_thickness(load_card())) * 1e9, 6)
    10.8
    """
    g = card.geometry
    multilayer = g.repeats.value * (g.t_fm.value + g.t_spacer.value)
    others = g.t_seed.value + g.t_hm.value + multilayer + g.t_cap.value
    return others + oxide_thickness(card, t_oxide)


def current_density(card: DeviceCard, current: FloatsLike, t_oxide: FloatsLike | None = None) -> Floats:
    """Current density averaged over the stack [A/m^2], with the sign of the current.

    J = I / (w t_tot), the definition that reproduces the published pairs of current and density.

    Examples
    --------
    >>> from compact_model.cards.device import load_card
    >>> f"{current_density(load_card(), 11e-3):.3g}"
    '2.04e+11'
    """
    area = card.geometry.w_channel.value * total_thickness(card, t_oxide)
    return np.asarray(current, dtype=float) / area


def current(card: DeviceCard, density: FloatsLike, t_oxide: FloatsLike | None = None) -> Floats:
    """Current that gives a stack-averaged density [A]."""
    return np.asarray(density, dtype=float) * card.geometry.w_channel.value * total_thickness(card, t_oxide)


def sheet_resistance(card: DeviceCard, t_oxide: FloatsLike | None = None) -> Floats:
    """Resistance of a square of the stack [ohm]: rho(t_oxide) / t_tot."""
    rho = thickness.evaluate(card.thickness.rho, oxide_thickness(card, t_oxide))
    return rho / total_thickness(card, t_oxide)


def at_temperature(ohm: FloatsLike, tcr: float, temperature: FloatsLike) -> Floats:
    """A resistance [ohm] that is known at 300 K, at a temperature [K]: R(T) = R(300 K) (1 + tcr (T - 300 K)).

    Examples
    --------
    >>> float(at_temperature(500.0, 5e-4, 350.0))
    512.5
    """
    rise = np.asarray(temperature, dtype=float) - REFERENCE_TEMPERATURE
    return np.asarray(ohm, dtype=float) * (1.0 + tcr * rise)


def channel_resistance(
    card: DeviceCard, t_oxide: FloatsLike | None = None, temperature: FloatsLike = REFERENCE_TEMPERATURE
) -> Floats:
    """Resistance of the channel without contacts [ohm].

    R = R_sheet (l / w) at 300 K, `at_temperature` elsewhere.

    Examples
    --------
    >>> from compact_model.cards.device import load_card
    >>> round(float(channel_resistance(load_card())), 6)
    500.0
    """
    squares = card.geometry.l_channel.value / card.geometry.w_channel.value
    return at_temperature(sheet_resistance(card, t_oxide) * squares, card.transport.tcr.value, temperature)


def arm_resistance(card: DeviceCard, t_oxide: FloatsLike | None = None) -> Floats:
    """Resistance of each Hall arm, r_arm [ohm].

    That of the card where it gives one (its sheet follows the oxide), else half of the squares of both arms, which are
    as wide as the channel: r_arm = R_sheet l_arm / (2 w).

    Examples
    --------
    >>> from compact_model.cards.device import load_card
    >>> round(float(arm_resistance(load_card())), 6)
    250.0
    """
    sheet = sheet_resistance(card, t_oxide)
    if card.hall.r_arm is not None:
        return card.hall.r_arm.value * (sheet / sheet_resistance(card))
    return sheet * card.geometry.l_arm.value / (2.0 * card.geometry.w_channel.value)


def transverse_resistance(card: DeviceCard, t_oxide: FloatsLike | None = None) -> Floats:
    """Resistance between the two Hall contacts, both arms in series, r_yy [ohm]: r_yy = 2 r_arm."""
    return 2.0 * arm_resistance(card, t_oxide)


def oxide_current_share(card: DeviceCard, t_oxide: FloatsLike | None = None) -> Floats:
    """Share of the current that flows in the oxide, layers in parallel.

    share = (t_oxide / rho_oxide) / (1 / R_sheet); grows with thickness over resistivity of the oxide.
    """
    conductance = oxide_thickness(card, t_oxide) / card.transport.rho_oxide.value
    return conductance * sheet_resistance(card, t_oxide)


def offset_misalignment(card: DeviceCard, r_offset: float) -> float:
    """Displacement of the Hall contacts along the channel that explains an offset resistance [m].

    dx = R_off w / R_sheet: 28 nm for 0.467 ohm.
    """
    return r_offset * card.geometry.w_channel.value / float(sheet_resistance(card))
