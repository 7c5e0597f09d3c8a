"""The Hall cross as a four-terminal resistor, against networks solved by hand."""

from __future__ import annotations

import numpy as np
import pytest

from compact_model import port
from compact_model.cards.device import load_card

CARD = load_card()


def test_signs_of_the_ports() -> None:
    # V_x = 4 I_x + (1 - 0.25) I_y, V_y = (1 + 0.25) I_x + 2 I_y
    np.testing.assert_allclose(port.impedance(4.0, 2.0, 1.0, 0.25), [[4.0, 0.75], [1.25, 2.0]], rtol=1e-12)


def test_the_margin_is_the_smaller_eigenvalue() -> None:
    # of [[4, 1], [1, 2]]: 3 - sqrt(1 + 1)
    assert port.passivity_margin(4.0, 2.0, 1.0) == pytest.approx(3.0 - 2.0**0.5, rel=1e-12)
    assert port.passivity_margin(4.0, 1.0, 2.0) == pytest.approx(0.0, abs=1e-12)


def test_a_cross_without_hall_terms_is_a_star() -> None:
    """Four resistors to one centre: two halves of 4 ohm, two of 2 ohm; the centre is eliminated by hand."""
    g = np.array([1 / 2, 1 / 2, 1.0, 1.0])
    star = np.diag(g) - np.outer(g, g) / g.sum()
    np.testing.assert_allclose(port.admittance(4.0, 2.0, 0.0, 0.0), star, atol=1e-12)


def test_many_crosses_at_once_are_those_one_by_one() -> None:
    hall = np.array([[0.1, -0.2, 0.3], [0.0, 0.15, -0.05]])
    together = port.admittance(np.array([[4.0], [5.0]]), 2.0, 0.5, hall)
    assert together.shape == (2, 3, 4, 4)
    for row, r_channel in enumerate((4.0, 5.0)):
        for column in range(3):
            one = port.admittance(r_channel, 2.0, 0.5, hall[row, column])
            np.testing.assert_allclose(together[row, column], one, rtol=1e-12)


def test_what_a_load_and_the_best_load_get() -> None:
    # R_xy = 0.33 + 0.2732 ohm, 1 mA, 500 ohm against 1500 ohm: three quarters
    assert port.loaded_hall_voltage(CARD, 1.0, 1e-3, 1500.0) == pytest.approx(0.75 * 0.6032e-3, rel=1e-9)
    assert port.loaded_hall_voltage(CARD, 0.0, -1e-3, 1500.0) == pytest.approx(-0.75 * 0.33e-3, rel=1e-9)
    # 0.6032^2/(4 500 500)
    assert port.largest_hall_efficiency(CARD) == pytest.approx(3.638502e-7, rel=1e-6)
