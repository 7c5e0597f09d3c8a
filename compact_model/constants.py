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

REFERENCE_TEMPERATURE: float = 300.0
"""Temperature at which barriers and resistances of a card are stated [K]."""

ZERO_CELSIUS: float = constants.zero_Celsius
"""[K]"""

LEAST_RESISTANCE = 1e-6
"""Lowest resistance of a network but zero [Ohm]: the rounding of a node voltage is a current in it, which at 1e-9 Ohm
would be 1e-4 of a cell's. Less than this can't be told from zero in an output."""

LEAST_TIME = 1e-15
"""Shortest time of a pulse, a read, or a part [s]: no circuit is quicker."""

YEAR: float = constants.Julian_year
"""[s]"""
