"""Noise at the outputs of a network, from its adjoint: one solve for all sources of noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.constants import Boltzmann

from circuits.network import GROUND, Kind, Network, Role
from circuits.solve.nodal import Factored
from compact_model.numeric import Floats, Ints


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
        """Noise of a read that averages over `t_read` [s], in output units, (batch, outputs).

        White noise passes in the bandwidth ``1 / (2 t_read)``; 1/f noise counts from ``1 / t_calibration``, below
        which the last calibration [s] has removed it.
        """
        if not 0 < t_read < t_calibration:
            raise ValueError(f"t_read = {t_read} s, allowed: 0 < value < t_calibration = {t_calibration} s")
        bandwidth = 1 / (2 * t_read)
        power = self.white() * bandwidth + self.flicker * np.log(bandwidth * t_calibration)
        return np.asarray(np.sqrt(power))


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
    ``S = sum over branches of S_branch |gain|^2`` with ``4 k T / R`` for a resistor, ``4 k T gamma gm`` for a
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
    gain = np.concatenate([factored.adjoint_response, np.zeros((1, network.n_outputs))])  # ground is last
    resistors = np.flatnonzero(network.kind == Kind.RESISTOR)
    johnson = {}
    for role in Role:
        of_role = resistors[network.of_role(role)[resistors]]
        density = 4 * Boltzmann * temperature / network.value[of_role]
        johnson[role] = density @ _squared_gain(network, gain, of_role)
    amplifiers = _amplifiers(network)
    channel = 4 * Boltzmann * temperature * gamma * np.abs(network.value[amplifiers])
    cells = resistors[network.of_role(Role.CELL)[resistors]]
    excess = np.zeros((len(batch), network.n_outputs))
    if flicker > 0:
        voltages = np.concatenate([factored.response, np.zeros((1, network.n_inputs))])
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
