"""Transparency, torque and fields of the shipped card, against formulas worked out with a pocket calculator."""

from __future__ import annotations

import numpy as np
import pytest

from compact_model import transport
from compact_model.cards.device import load_card

CARD = load_card()
NM = 1e-9
# 5.5 nm of Pt with lambda = 1/(90e-8 ohm m 1.3e15 S/m^2) = 0.854701 nm: d/lambda = 6.435, sech 0.0032079,
# tanh 0.99999485; (1 - 0.0032079)/(1 + 1.3/1.18 0.99999485) = 0.9967921/2.1016893
BACKFLOW = 0.4742814
LOSS = 1.0 - 0.23 * 0.30  # K_s of 0.30 erg/cm^2 at 0.5 nm
XI = 0.36 * BACKFLOW * LOSS  # 0.158960


def test_transparencies() -> None:
    assert transport.spin_diffusion_length(CARD) == pytest.approx(0.854701e-9, rel=1e-6)
    assert transport.backflow_transparency(CARD) == pytest.approx(BACKFLOW, rel=1e-6)
    # 1 erg/cm^2 is 1 mJ/m^2
    loss = transport.memory_loss_transparency(CARD, np.array([0.0, 0.365e-3, 1.2e-3]))
    np.testing.assert_allclose(loss, [1.0, 0.91605, 0.724], rtol=1e-12)
    assert transport.transparency(CARD) == pytest.approx(BACKFLOW * LOSS, rel=1e-6)


def test_efficiency_angle_and_conductivity_follow_the_published_gain() -> None:
    thicknesses = np.array([0.5, 0.7, 1.0]) * NM
    xi = transport.torque_efficiency(CARD, thicknesses)
    np.testing.assert_allclose(xi, XI * np.array([5.2, 4.6, 3.8]) / 5.2, rtol=1e-6)
    # At 0.5 nm it is the published angle. At 1.0 nm the loss is 1 - 0.23 0.45, lambda 1/(93e-8 1.3e15) = 0.827130 nm,
    # d/lambda 6.64950, its sech 0.0025892: (1 - 0.0025892)/2.1016919
    at_1_nm = 0.9974108 / 2.1016919 * 0.8965
    expected = [0.36, xi[2] / at_1_nm]
    np.testing.assert_allclose(transport.spin_hall_angle(CARD, thicknesses[::2]), expected, rtol=1e-5)
    found = transport.spin_hall_conductivity(CARD, thicknesses[::2])
    np.testing.assert_allclose(found, [0.36 / 90e-8, expected[1] / 93e-8], rtol=1e-5)


def test_field_of_a_current() -> None:
    # 5.4 mA through 5 um x 10.8 nm are 1e11 A/m^2. hbar/(2e) = 3.291060e-16 Wb, mu0 Ms t = 4e-7 pi 0.65e-3 =
    # 8.168141e-10 T m: 40291.4 A/m times xi, and with the sign of the current
    found = transport.damping_like_field(CARD, np.array([5.4e-3, -2.7e-3]))
    np.testing.assert_allclose(found, np.array([40291.4, -20145.7]) * XI, rtol=1e-5)


def test_density_of_coherent_switching() -> None:
    # H_k/2 - H_x/sqrt(2) = 4e5 - 70710.68 A/m, over the field of 1 A/m^2
    expected = (4e5 - 70710.68) / (40291.4e-11 * XI)
    assert transport.macrospin_density(CARD, 8e5, 1e5) == pytest.approx(expected, rel=1e-5)


def test_the_control_sample_gains_by_its_anisotropy_alone() -> None:
    found = transport.control_sample(CARD)
    # K_s 0.365 against 1.2 erg/cm^2: 0.91605/0.724, and to the power -2/3
    assert found.torque_gain == pytest.approx(1.2652624, rel=1e-6)
    assert found.critical_density_ratio == pytest.approx(0.8548627, rel=1e-4)
    assert found.field_free_drive == 0.0
