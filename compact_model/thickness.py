"""Laws against the oxide thickness: monotone interpolation between anchors of known provenance."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.interpolate import PchipInterpolator

from compact_model.cards.entry import Anchor
from compact_model.numeric import Floats, FloatsLike

REFERENCE_OXIDE = 0.5e-9
"""Oxide thickness at which the torque gain and the field-free drive are normalised [m]."""


def evaluate(anchors: tuple[Anchor, ...], t_oxide: FloatsLike) -> Floats:
    """A law at given oxide thicknesses.

    PCHIP (Fritsch and Carlson, doi:10.1137/0717021): passes through the anchors and does not overshoot between
    them, so that a maximum of the law is a maximum of the anchors.

    Parameters
    ----------
    anchors
        Points of the law.
    t_oxide
        Oxide thickness [m]; ValueError outside the anchors.

    Examples
    --------
    >>> from compact_model.cards.device import load_card
    >>> float(evaluate(load_card().thickness.xi_gain, 0.5e-9))
    5.2
    """
    t = np.array([anchor.t_oxide for anchor in anchors])
    asked = np.asarray(t_oxide, dtype=float)
    if np.any(asked < t[0] * (1 - 1e-12)) or np.any(asked > t[-1] * (1 + 1e-12)) or np.any(np.isnan(asked)):
        worst = float(asked.ravel()[np.argmax(np.abs(asked.ravel() - t.mean()))])
        raise ValueError(f"t_oxide = {worst:g} m is outside the anchors, allowed: {t[0]:g}..{t[-1]:g} m")
    result: Floats = np.asarray(_interpolator(anchors)(np.clip(asked, t[0], t[-1])), dtype=float)
    return result


@lru_cache(maxsize=256)
def _interpolator(anchors: tuple[Anchor, ...]) -> PchipInterpolator:
    return PchipInterpolator([anchor.t_oxide for anchor in anchors], [anchor.value for anchor in anchors])
