"""Physical constants and unit factors; none of them can be set."""

from __future__ import annotations

import math

from scipy import constants

ELEMENTARY_CHARGE: float = constants.e
"""[C]"""

REDUCED_PLANCK: float = constants.hbar
"""[J s]"""

BOLTZMANN: float = constants.k
"""[J/K]"""

OERSTED: float = 1000.0 / (4.0 * math.pi)
"""One oersted [A/m]."""

ERG_PER_CM2: float = 1e-3
"""One erg/cm^2 [J/m^2]."""

REFERENCE_TEMPERATURE: float = 300.0
"""Temperature at which barriers and resistances of a card are stated [K]."""

ZERO_CELSIUS: float = constants.zero_Celsius
"""[K]"""

YEAR: float = constants.Julian_year
"""[s]"""
