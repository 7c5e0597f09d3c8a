"""Reading the Hall voltage: noise, thermoelectric offset, and how often levels are confused."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from compact_model import stack, switching, synapse, thermal
from compact_model.cards.device import DeviceCard
from compact_model.constants import BOLTZMANN
from compact_model.numeric import Floats, FloatsLike


def thermal_density(immittance: FloatsLike, temperature: float) -> Floats:
    """Thermal noise, one-sided power density, by Johnson and Nyquist (doi:10.1103/PhysRev.32.110).

    4 k T R of the voltage across a resistance [V^2/Hz], and 4 k T G of the current through a conductance [A^2/Hz].

    Examples
    --------
    >>> f"{thermal_density(1e3, 300.0):.4g} V^2/Hz"
    '1.657e-17 V^2/Hz'
    """
    density: Floats = 4.0 * BOLTZMANN * temperature * np.asarray(immittance, dtype=float)
    return density


def read_bandwidth(t_read: float) -> float:
    """Noise bandwidth of a mean over `t_read` [Hz]: 1 / (2 t_read).

    Examples
    --------
    >>> read_bandwidth(0.25)
    2.0
    """
    if not t_read > 0.0:
        raise ValueError(f"t_read = {t_read:g} s is out of range, allowed: above 0 s")
    return 1.0 / (2.0 * t_read)


def flicker_band(t_read: float, t_calibration: float) -> float:
    """Integral of 1/f over the band of a read: ln(t_calibration / (2 t_read)), at least 0.

    From 1 / t_calibration, below which the last calibration has removed it, to the bandwidth of the read.

    Examples
    --------
    A read of 10 us, a second after the calibration:

    >>> round(flicker_band(10e-6, 1.0), 6)
    10.819778
    """
    return float(np.log(max(t_calibration * read_bandwidth(t_read), 1.0)))


def johnson_density(card: DeviceCard) -> float:
    """Johnson noise of the Hall arms [V/sqrt(Hz)]: sqrt(4 k T r_yy), 2.9 nV for 500 ohm."""
    return float(np.sqrt(thermal_density(stack.transverse_resistance(card), card.thermal.ambient.value)))


def resistance_flicker(card: DeviceCard) -> float:
    """Fluctuation of the Hall resistance at 1 Hz, power density [ohm^2/Hz]: r_sheet^2 hooge / N, Hooge's law.

    N = n w^2 t_tot are the carriers of the square of the cross (doi:10.1016/0375-9601(69)90076-0).

    Examples
    --------
    >>> from compact_model.cards.device import load_card
    >>> f"{resistance_flicker(load_card()):.3g}"
    '1.29e-09'
    """
    carriers = (
        card.hall.carrier_density.value
        * card.geometry.w_channel.value**2
        * float(stack.total_thickness(card))
    )
    return float(stack.sheet_resistance(card)) ** 2 * card.hall.hooge.value / carriers


def flicker_density(card: DeviceCard, current: FloatsLike) -> Floats:
    """Flicker noise of the Hall voltage at 1 Hz [V/sqrt(Hz)]: the current times that of the resistance."""
    density: Floats = np.abs(np.asarray(current, dtype=float)) * np.sqrt(resistance_flicker(card))
    return density


def flicker_corner(card: DeviceCard, current: float) -> float:
    """Frequency below which flicker noise exceeds Johnson noise [Hz]."""
    return float((flicker_density(card, current) / johnson_density(card)) ** 2)


def read_noise(
    card: DeviceCard, current: float, t_read: float, *, t_since_calibration: float | None = None
) -> float:
    """Standard deviation of one read [V].

    White noise in `read_bandwidth`. Flicker noise in `flicker_band` is added when the offset was taken that long
    ago; None is a read chopped above the corner.
    """
    variance = johnson_density(card) ** 2 * read_bandwidth(t_read)
    if t_since_calibration is not None:
        band = flicker_band(t_read, t_since_calibration)
        variance += float(flicker_density(card, current) ** 2 * band)
    return float(np.sqrt(variance))


def thermoelectric_offset(card: DeviceCard, current: FloatsLike, t_pulse: float) -> Floats:
    """Anomalous Nernst voltage on the Hall contacts at the end of a pulse [V].

    anomalous_nernst (T - ambient), T at the end of the pulse: with the sign of the coefficient, and even in the
    current, so that it cancels between +I and -I reads, or after waiting five thermal time constants.
    """
    rise = thermal.pulse_temperature(card, current, t_pulse) - card.thermal.ambient.value
    voltage: Floats = card.hall.anomalous_nernst.value * rise
    return voltage


def offset_drift(card: DeviceCard, warming: FloatsLike) -> Floats:
    """Change of the offset resistance with temperature [ohm]: R_off tcr dT, 0.23 mohm/K."""
    return (
        synapse.offset_resistance(card) * card.transport.tcr_material.value * np.asarray(warming, dtype=float)
    )


def thermometer(card: DeviceCard, current: FloatsLike, t_pulse: float) -> Floats:
    """Relative rise of the channel resistance at the end of a pulse, if its tcr is that of thin Pt."""
    rise = thermal.pulse_temperature(card, current, t_pulse) - card.thermal.ambient.value
    relative: Floats = card.transport.tcr_material.value * rise
    return relative


def step_bandwidth(card: DeviceCard, current: FloatsLike, step: float, sigmas: float = 6.0) -> Floats:
    """Bandwidth in which a resistance step is `sigmas` standard deviations of Johnson noise [Hz]."""
    signal = np.asarray(current, dtype=float) * step / sigmas
    bandwidth: Floats = (signal / johnson_density(card)) ** 2
    return bandwidth


def step_energy(card: DeviceCard, step: float, sigmas: float = 6.0) -> float:
    """Energy dissipated in the channel to tell one resistance step, Johnson noise alone [J].

    E = sigmas^2 r_channel 4 k T r_yy / (2 step^2): the same at every width of the channel.

    Examples
    --------
    >>> from compact_model.cards.device import load_card
    >>> f"{step_energy(load_card(), 0.02):.2g}"
    '1.9e-10'
    """
    channel = float(stack.channel_resistance(card))
    return sigmas**2 * channel * johnson_density(card) ** 2 / (2.0 * step**2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """How often one level is taken for another."""

    levels: Floats  # (n,) [ohm]
    sigma: Floats  # (n,) standard deviation of the read value [ohm]
    probability: Floats  # (n, n): row written, column read; rows sum to 1


def confusion(levels: Floats, sigma: FloatsLike) -> Confusion:
    """Confusion of normally distributed levels with decision thresholds halfway between neighbours.

    Examples
    --------
    >>> result = confusion(np.array([0.0, 1.0]), 0.25)
    >>> [round(float(p), 4) for p in result.probability[0]]
    [0.9772, 0.0228]
    """
    spread = np.broadcast_to(np.asarray(sigma, dtype=float), levels.shape)
    if np.any(spread <= 0.0):
        raise ValueError(f"sigma = {spread.min():g} ohm is out of range, allowed: above 0 ohm")
    edges = np.concatenate([[-np.inf], 0.5 * (levels[1:] + levels[:-1]), [np.inf]])
    cumulative = ndtr((edges - levels[:, None]) / spread[:, None])
    return Confusion(levels=levels, sigma=spread, probability=np.diff(cumulative, axis=1))


def device_confusion(
    card: DeviceCard, current: float, t_read: float, *, sigma_cycle: float = 0.0
) -> Confusion:
    """Confusion of a card's levels from read noise and cycle-to-cycle spread.

    Parameters
    ----------
    card
        Device.
    current, t_read
        Read current [A] and time [s], chopped.
    sigma_cycle
        Standard deviation of the switched fraction from cycle to cycle.
    """
    levels = synapse.levels(card)
    window = switching.switching_law(card).delta_r
    noise = read_noise(card, current, t_read) / abs(current)
    return confusion(levels, np.hypot(noise, sigma_cycle * window))
