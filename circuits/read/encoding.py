"""How digital inputs reach the rows: as an amplitude, as a number of pulses, or bit by bit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from circuits.periphery import PeripheryCard
from compact_model.numeric import Floats, Ints


class Encoding(StrEnum):
    """What a row carries for an input of so many bits."""

    AMPLITUDE = "amplitude"
    """One read; a converter per row sets the amplitude."""
    PULSE_COUNT = "pulse_count"
    """As many full pulses as the input says, in ``2^bits - 1`` slots; the columns integrate over all of them."""
    BIT_SERIAL = "bit_serial"
    """One read per bit, full or nothing; each is converted, shifted and added digitally."""


@dataclass(frozen=True, slots=True)
class Phases:
    """Reads that together make one product.

    Attributes
    ----------
    levels
        (phases, batch, rows): inputs of each read, as shares of a full input.
    weights
        (phases,): the product is ``sum_p weights[p] * read(levels[p])``.
    """

    levels: Floats
    weights: Floats


def encode(codes: NDArray[np.integer], bits: int, encoding: Encoding) -> Phases:
    """The reads that stand for digital inputs; the sum of each is ``codes / (2^bits - 1)`` of a full input.

    Parameters
    ----------
    codes
        (batch, rows), integers from 0 to ``2^bits - 1``.
    bits
        Resolution of the inputs, 1 to 16.
    encoding
        How they are applied.

    Examples
    --------
    >>> phases = encode(np.array([[5, 2]]), 3, Encoding.BIT_SERIAL)
    >>> phases.levels[:, 0].tolist(), (7 * phases.weights).round(9).tolist()
    ([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], [1.0, 2.0, 4.0])
    """
    top = _top(bits)
    values = np.asarray(codes)
    if values.ndim != 2 or values.min(initial=0) < 0 or values.max(initial=0) > top:
        raise ValueError(f"codes of shape {values.shape} from {values.min(initial=0)} to {values.max(initial=0)}, "
                         f"allowed: (batch, rows), 0 <= code <= {top}")  # fmt: skip
    if encoding is Encoding.AMPLITUDE:
        return Phases(values[None] / top, np.ones(1))
    if encoding is Encoding.PULSE_COUNT:
        slots: Ints = np.arange(top)
        return Phases((slots[:, None, None] < values).astype(float), np.full(top, 1 / top))
    planes: Ints = np.arange(bits)
    return Phases(((values >> planes[:, None, None]) & 1).astype(float), 2.0**planes / top)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodingCost:
    """What a product costs.

    Attributes
    ----------
    time
        Of all reads and conversions [s].
    energy
        Part -> energy [J]: ``array`` (delivered by the row drivers), ``amplifiers``, ``dac``, ``adc``, ``digital``.
    reads
        Reads or pulse slots.
    noise
        Noise of the product over that of one read of full amplitude and the same slot length [1].
    """

    time: float
    energy: dict[str, float]
    reads: int
    noise: float


def encoding_cost(
    encoding: Encoding,
    bits: int,
    codes: NDArray[np.integer],
    power: Floats,
    columns: int,
    periphery: PeripheryCard,
    *,
    t_slot: float,
    amplifiers: int,
    adc_bits: int,
    turns: int = 1,
) -> EncodingCost:
    """Energy and time of a product.

    Parameters
    ----------
    encoding, bits, codes
        As in `encode`; the mean over the batch counts.
    power
        (rows, rows) [W]: power of the array as a form of the shares of a full input.
    columns
        Outputs.
    periphery
        Converters, amplifiers and logic.
    t_slot
        Length of a read or of a pulse slot, with the time to settle [s].
    amplifiers
        Amplifiers that are on all the time.
    adc_bits
        Resolution of a conversion.
    turns
        Rows that are read one after the other: everything but the conversion of their inputs is repeated, and the
        results are added. `power` is then a mean over the turns.
    """
    if not 0 < t_slot < np.inf:
        raise ValueError(f"t_slot = {t_slot} s, allowed: 0 < value < inf")
    phases = encode(codes, bits, encoding)
    rows = phases.levels.shape[2]
    phase_count = len(phases.weights)
    reads = turns * phase_count
    conversions = reads if encoding is Encoding.BIT_SERIAL else turns
    array = float(np.einsum("pbi,ij,pbj->", phases.levels, power, phases.levels)) / phases.levels.shape[1]
    one_bit = encoding is not Encoding.AMPLITUDE
    shared = min(columns, round(periphery.adc.columns.value))
    return EncodingCost(
        time=reads * t_slot + conversions * shared * periphery.adc.t_convert.value,
        energy={
            "array": array * turns * t_slot / periphery.driver.efficiency.value,
            "amplifiers": amplifiers * periphery.amplifier.power * reads * t_slot,
            "dac": rows * periphery.dac.energy_per_bit.value * (phase_count if one_bit else bits),
            "adc": columns * conversions * periphery.adc.conversion_energy(adc_bits),
            "digital": columns * (conversions - 1) * periphery.digital.add_32bit.value,
        },
        reads=reads,
        noise=float(np.sqrt(np.sum(phases.weights**2))),
    )


def _top(bits: int) -> int:
    if not 1 <= bits <= 16:
        raise ValueError(f"bits = {bits}, allowed: 1 to 16")
    return int(2**bits - 1)
