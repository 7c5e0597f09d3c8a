"""Spin transport: interface transparency, spin Hall angle, torque efficiency and field against the oxide thickness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compact_model import stack, thickness
from compact_model.cards.device import DeviceCard
from compact_model.constants import ELEMENTARY_CHARGE, REDUCED_PLANCK
from compact_model.numeric import Floats, FloatsLike

VACUUM_PERMEABILITY = 4e-7 * np.pi  # [T m/A]


def resistivity(card: DeviceCard, t_oxide: FloatsLike | None = None) -> Floats:
    """Resistivity of the stack, from the anchors [ohm m]."""
    return thickness.evaluate(card.thickness.rho, stack.oxide_thickness(card, t_oxide))


def interface_anisotropy(card: DeviceCard, t_oxide: FloatsLike | None = None) -> Floats:
    """Interface anisotropy K_s from the anchors [J/m^2]; enters the spin memory loss alone.

    H_k is not derived from it: the published relation would make the reference's anisotropy field 26 times that
    at 0.5 nm.
    """
    return thickness.evaluate(card.thickness.k_s, stack.oxide_thickness(card, t_oxide))


def spin_diffusion_length(card: DeviceCard, t_oxide: FloatsLike | None = None) -> Floats:
    """Spin diffusion length of Pt, lambda_s = 1/(rho G_Pt) [m]; 0.855 nm at 90 uohm cm."""
    length: Floats = 1.0 / (resistivity(card, t_oxide) * card.transport.g_hm.value)
    return length


def backflow_transparency(card: DeviceCard, t_oxide: FloatsLike | None = None) -> Floats:
    """Transparency left by spin backflow.

    T_SBF = (1 - sech(d/lambda)) / (1 + G_Pt tanh(d/lambda)/(2 G_mix)). The brackets printed in the paper would give
    0.907 and contradict the reference they are taken from; the product form is used (arXiv:1908.06528).

    Examples
    --------
    >>> from compact_model.cards.device import load_card
    >>> round(float(backflow_transparency(load_card())), 4)
    0.4743
    """
    ratio = card.geometry.t_hm.value / spin_diffusion_length(card, t_oxide)
    absorbed = 1.0 + card.transport.g_hm.value / (2.0 * card.transport.g_mix.value) * np.tanh(ratio)
    transparency: Floats = (1.0 - 1.0 / np.cosh(ratio)) / absorbed
    return transparency


def memory_loss_transparency(card: DeviceCard, k_s: FloatsLike) -> Floats:
    """Transparency left by spin memory loss, T_SML = 1 - 0.23 K_s with K_s in erg/cm^2."""
    return 1.0 - card.transport.spin_memory_loss.value * np.asarray(k_s, dtype=float)


def transparency(card: DeviceCard, t_oxide: FloatsLike | None = None) -> Floats:
    """Interface transparency T_int = T_SBF T_SML."""
    return backflow_transparency(card, t_oxide) * memory_loss_transparency(
        card, interface_anisotropy(card, t_oxide)
    )


def torque_efficiency(card: DeviceCard, t_oxide: FloatsLike | None = None) -> Floats:
    """Damping-like torque efficiency per current density, xi_DL.

    xi(t) = theta_SH(0.5 nm) T_int(0.5 nm) g(t)/g(0.5 nm): the absolute value rests on the published angle, the
    thickness dependence on the published gain.
    """
    t = stack.oxide_thickness(card, t_oxide)
    gain = card.thickness.xi_gain
    at_reference = card.transport.theta_sh.value * transparency(card, thickness.REFERENCE_OXIDE)
    relative = thickness.evaluate(gain, t) / thickness.evaluate(gain, thickness.REFERENCE_OXIDE)
    return at_reference * relative


def spin_hall_angle(card: DeviceCard, t_oxide: FloatsLike | None = None) -> Floats:
    """Apparent spin Hall angle theta_SH = xi_DL / T_int."""
    angle: Floats = torque_efficiency(card, t_oxide) / transparency(card, t_oxide)
    return angle


def spin_hall_conductivity(card: DeviceCard, t_oxide: FloatsLike | None = None) -> Floats:
    """Spin Hall conductivity xi_DL / (rho T_int) in units of hbar/2e per ohm metre."""
    conductivity: Floats = spin_hall_angle(card, t_oxide) / resistivity(card, t_oxide)
    return conductivity


def damping_like_field(card: DeviceCard, current: FloatsLike, t_oxide: FloatsLike | None = None) -> Floats:
    """Damping-like effective field of a current [A/m]: H_DL = hbar xi J / (2 e mu0 Ms t_F)."""
    density = stack.current_density(card, current, t_oxide)
    flux = REDUCED_PLANCK * torque_efficiency(card, t_oxide) * density / (2.0 * ELEMENTARY_CHARGE)
    field: Floats = flux / (VACUUM_PERMEABILITY * card.transport.ms_t.value)
    return field


def macrospin_density(
    card: DeviceCard, h_k: float, h_x: float = 0.0, t_oxide: FloatsLike | None = None
) -> Floats:
    """Critical density of a coherently switching layer [A/m^2], for comparison only.

    J = (2e/hbar) mu0 Ms t_F (H_k/2 - H_x/sqrt(2)) / xi (Lee et al., doi:10.1063/1.4798288). About a hundred times
    the observed densities at mu0 H_k = 1 T: the device switches by nucleation.

    Parameters
    ----------
    card
        Device.
    h_k, h_x
        Anisotropy field and applied field [A/m].
    t_oxide
        Oxide thickness, the card's by default [m].
    """
    moment = VACUUM_PERMEABILITY * card.transport.ms_t.value * (0.5 * h_k - h_x / np.sqrt(2.0))
    density: Floats = 2.0 * ELEMENTARY_CHARGE / REDUCED_PLANCK * moment / torque_efficiency(card, t_oxide)
    return density


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSample:
    """What the model says about MgO in place of RuO2."""

    torque_gain: float  # xi over the reference
    critical_density_ratio: float  # J_c over the reference
    field_free_drive: float


def control_sample(card: DeviceCard) -> ControlSample:
    """The MgO control: only its lower interface anisotropy helps.

    gain = T_SML(K_s of MgO)/T_SML(K_s of the reference), J_c ratio = gain^(-p) with Set A's exponent.
    """
    reference = memory_loss_transparency(card, interface_anisotropy(card, 0.0))
    gain = float(memory_loss_transparency(card, card.control.k_s.value) / reference)
    exponent = card.switching.set_a.torque_exponent.value
    return ControlSample(
        torque_gain=gain,
        critical_density_ratio=gain**-exponent,
        field_free_drive=card.control.field_free_drive.value,
    )
