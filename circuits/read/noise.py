"""Noise of a read: densities of its sources, what a read averages, and what reaches the outputs of a network.

Thermal noise, the bandwidth of a read and the band of 1/f noise are those of `compact_model.readout`. The noise of a
network comes from its adjoint: one solve for all sources of noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from circuits.network import GROUND, BranchKind, Network, Role
from circuits.solve.nodal import Factored
from compact_model.numeric import Floats, FloatsLike, Ints
from compact_model.readout import flicker_band, read_bandwidth, thermal_density

PAIR = 2
"""Transistors of an amplifier's differential input, which carry the same channel noise each."""


def amplifier_density(gm: FloatsLike, gamma: float, temperature: float) -> Floats:
    """Current noise at the output of an amplifier [A^2/Hz], ``2 * 4 k T gamma gm``: a differential pair.

    Parameters
    ----------
    gm
        Transconductance of the pair, which is that of each of its transistors [S].
    gamma
        Noise factor of a channel [1]; 2/3 for a long one in strong inversion (A. van der Ziel, Proc. IRE 50, 1808,
        1962).
    temperature
        [K].

    Examples
    --------
    Behind the input of 1 mS, 4.70 nV per root hertz:

    >>> f"{float(amplifier_density(1e-3, 2 / 3, 300.0)) ** 0.5 / 1e-3:.3g}"
    '4.7e-09'
    """
    return PAIR * thermal_density(gamma * np.asarray(gm, dtype=float), temperature)


def amplifier_input_density(gm: float, gamma: float, temperature: float) -> float:
    """The same as a voltage at the input [V^2/Hz], ``2 * 4 k T gamma / gm``."""
    return float(amplifier_density(gm, gamma, temperature)) / gm**2


def averaged(white: Floats, flicker: Floats, t_read: float, t_calibration: float) -> Floats:
    """Variance of a read: ``white / (2 t_read) + flicker ln(t_calibration / (2 t_read))``.

    Parameters
    ----------
    white, flicker
        Power densities, in squared units per hertz; that of 1/f noise at 1 Hz.
    t_read, t_calibration
        The read averages over `t_read`; the last calibration was `t_calibration` ago [s].

    Raises
    ------
    ValueError
        Unless ``0 < t_read < t_calibration``.
    """
    if not 0 < t_read < t_calibration:
        raise ValueError(f"t_read = {t_read} s, allowed: 0 < value < t_calibration = {t_calibration} s")
    return white * read_bandwidth(t_read) + flicker * flicker_band(t_read, t_calibration)


def hall_flicker(flicker: float, per_ohm: Floats, inputs: Floats) -> Floats:
    """1/f noise at 1 Hz that Hall resistances bring to the outputs, (batch, outputs), in squared output units.

    Every cell fluctuates by itself: ``flicker sum over rows of (per_ohm input)^2``.

    Parameters
    ----------
    flicker
        Density of one Hall resistance at 1 Hz [Ohm^2/Hz].
    per_ohm
        (outputs, inputs): output per input and ohm of Hall resistance, as `ideal_transfer` gives for states of 1 ohm.
    inputs
        (batch, inputs).

    Examples
    --------
    >>> hall_flicker(2.0, np.array([[1.0, 3.0]]), np.array([[1.0, 2.0]])).tolist()
    [[74.0]]
    """
    return np.asarray(flicker * (inputs**2 @ (per_ohm**2).T))


def hall_read_noise(r_arm: float, gm: float, gamma: float, temperature: float, t_read: float) -> float:
    """Standard deviation of the Hall voltage of one cell with its amplifier over a read [V].

    Johnson noise of both arms in series and of the amplifier, in the bandwidth of the read:
    ``sqrt((4 k T 2 r_arm + 2 * 4 k T gamma / gm) / (2 t_read))``.

    Parameters
    ----------
    r_arm
        Each Hall arm [Ohm].
    gm, gamma, temperature
        Of the amplifier, as in `amplifier_density`; the arms have that temperature, too.
    t_read
        Length of the read [s].

    Examples
    --------
    >>> f"{hall_read_noise(r_arm=250.0, gm=1e-3, gamma=2 / 3, temperature=300.0, t_read=100e-6):.3g}"
    '3.9e-07'
    """
    density = thermal_density(2 * r_arm, temperature) + amplifier_input_density(gm, gamma, temperature)
    return float(np.sqrt(density * read_bandwidth(t_read)))


@dataclass(frozen=True, slots=True)
class OutputNoise:
    """One-sided power spectral densities at the outputs, in squared output units per hertz.

    Attributes
    ----------
    johnson
        Thermal noise of the resistors of each role, (outputs,) each.
    amplifier
        Channel noise of the transconductors, (outputs,).
    flicker
        1/f noise of the cells at 1 Hz for each input vector, (batch, outputs).
    """

    johnson: dict[Role, Floats]
    amplifier: Floats
    flicker: Floats

    def white(self) -> Floats:
        """All that doesn't depend on frequency, (outputs,).

        Without the column senses: their input resistance comes from feedback and is quiet.
        """
        resistors = np.sum([part for role, part in self.johnson.items() if role is not Role.SENSE], axis=0)
        total: Floats = resistors + self.amplifier
        return total

    def rms(self, t_read: float, t_calibration: float) -> Floats:
        """Noise of a read, in output units, (batch, outputs); parameters as for `averaged`."""
        return np.asarray(np.sqrt(averaged(self.white(), self.flicker, t_read, t_calibration)))


def output_noise(
    factored: Factored,
    inputs: ArrayLike,
    *,
    temperature: float = 300.0,
    gamma: float = 2 / 3,
    flicker: float = 0.0,
) -> OutputNoise:
    """Noise at every output.

    The adjoint solution gives the gain from a current between any two nodes to each output, so that
    ``S = sum over branches of S_branch |gain|^2`` with ``4 k T / R`` for a resistor, `amplifier_density` for a
    transconductor and ``flicker I^2 / f`` for a cell's resistor that carries the current I.

    Parameters
    ----------
    factored
        The array.
    inputs
        (batch, inputs): operating points of the 1/f noise.
    temperature
        Of all resistors and amplifiers [K].
    gamma
        Noise factor of the transconductors' channels [1].
    flicker
        Relative fluctuation of the resistance of one cell resistor at 1 Hz, ``S_R / R^2`` [1/Hz]; Hooge's law
        gives it as the Hooge parameter over the number of carriers (doi:10.1016/0375-9601(69)90076-0).

    Examples
    --------
    A resistor of 1 kohm into a virtual ground:

    >>> from circuits.arrays.config import ArrayConfig
    >>> from circuits.arrays.crossbar import crossbar
    >>> from circuits.solve.nodal import factor
    >>> config = ArrayConfig(architecture="resistive", r_row=0, r_column=0, r_output=0, r_input=1e-6)
    >>> noise = output_noise(factor(crossbar([[1e3]], config)), [[0.1]])
    >>> f"{noise.johnson['cell'][0]:.3e} A^2/Hz"
    '1.657e-23 A^2/Hz'
    """
    if not 0 < temperature < np.inf:
        raise ValueError(f"temperature = {temperature} K, allowed: 0 < value < inf")
    for name, value in (("gamma", gamma), ("flicker", flicker)):
        if not 0 <= value < np.inf:
            raise ValueError(f"{name} = {value}, allowed: 0 <= value < inf")
    network = factored.network
    batch = network.checked_inputs(inputs)
    gain = np.vstack([factored.adjoint_response, np.zeros(network.n_outputs)])  # ground is last
    resistors = np.flatnonzero(network.kind == BranchKind.RESISTOR)
    johnson = {}
    for role in Role:
        of_role = resistors[network.of_role(role)[resistors]]
        density = thermal_density(1 / network.value[of_role], temperature)
        johnson[role] = density @ _squared_gain(network, gain, of_role)
    amplifiers = _amplifiers(network)
    channel = amplifier_density(np.abs(network.value[amplifiers]), gamma, temperature)
    cells = resistors[network.of_role(Role.CELL)[resistors]]
    excess = np.zeros((len(batch), network.n_outputs))
    if flicker > 0:
        voltages = np.vstack([factored.response, np.zeros(network.n_inputs)])
        across = voltages[network.plus[cells]] - voltages[network.minus[cells]]
        current = (across / network.value[cells, None]) @ batch.T
        excess = flicker * (current**2).T @ _squared_gain(network, gain, cells)
    return OutputNoise(johnson, channel @ _squared_gain(network, gain, amplifiers), excess)


def effective_bits(span: float, noise_rms: ArrayLike) -> Floats:
    """Bits of a converter over `span` whose quantisation noise equals `noise_rms` (same unit).

    Examples
    --------
    >>> round(float(effective_bits(1.0, 1 / 2**6 / 12**0.5)), 12)
    6.0
    """
    bits: Floats = np.log2(span / (np.sqrt(12) * np.asarray(noise_rms, dtype=float)))
    return bits


def _squared_gain(network: Network, gain: Floats, branches: Ints) -> Floats:
    """Squared output per ampere of noise current in each branch, (branches, outputs)."""
    squared: Floats = (gain[network.plus[branches]] - gain[network.minus[branches]]) ** 2
    return squared


def _amplifiers(network: Network) -> Ints:
    # the common-mode part, controlled against ground, is made of the same transistors: no noise of its own
    return np.flatnonzero(network.of_role(Role.AMPLIFIER) & (network.control_minus != GROUND))
