"""Exact return-point memory of one device: a stack of reached thresholds, for flat pulses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compact_model.switching import SwitchingLaw


@dataclass(frozen=True, slots=True)
class Preisach:
    """State of all thresholds: below reached[0] they hold values[0], up to reached[1] values[1], ...; base above.

    The scalar Preisach model with one threshold per unit (Mayergoyz, doi:10.1103/PhysRevLett.56.1518): a pulse up
    to u overwrites everything below u and leaves the rest.
    """

    reached: tuple[float, ...] = ()  # increasing
    values: tuple[float, ...] = ()  # 0 or 1 for each
    base: float = 0.0

    def pulsed(self, u: float, target: float) -> Preisach:
        """State after a pulse that reaches the thresholds up to `u` and sets them to `target` (0 or 1).

        Examples
        --------
        >>> state = Preisach().pulsed(1.0, 1.0).pulsed(0.6, 0.0)
        >>> state.reached, state.values
        ((0.6, 1.0), (0.0, 1.0))
        >>> state.pulsed(1.1, 1.0).reached
        (1.1,)
        """
        if not u > 0.0:
            return self
        kept = [(r, v) for r, v in zip(self.reached, self.values, strict=True) if r > u]
        pairs = [(u, target), *kept]
        return Preisach(tuple(r for r, _ in pairs), tuple(v for _, v in pairs), self.base)

    def switched_fraction(self, law: SwitchingLaw) -> float:
        """Fraction s = sum v_k (F(u_k) - F(u_(k-1))) + base (1 - F(u_last))."""
        edges = np.concatenate([[0.0], law.fraction(np.array(self.reached)), [1.0]])
        return float(np.diff(edges) @ np.array([*self.values, self.base]))


def saturated(sign: int) -> Preisach:
    """State after saturation by H_z of the given sign: s = 0 for +1, s = 1 for -1."""
    return Preisach(base=0.5 * (1 - sign))


@dataclass(frozen=True, slots=True)
class Repetition:
    """The last pulse, so that equal consecutive pulses count as one of their summed length."""

    current: float = 0.0  # [A]
    h_x: float = 0.0  # [A/m]
    duration: float = 0.0  # [s]

    def extended(self, current: float, h_x: float, t_pulse: float) -> Repetition:
        """The run of equal pulses that ends with this one."""
        same = current == self.current and h_x == self.h_x
        return Repetition(current, h_x, self.duration + t_pulse if same else t_pulse)
