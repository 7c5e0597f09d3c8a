"""How digital inputs reach the rows: as an amplitude, as a number of pulses, or bit by bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from circuits.network import Role
from circuits.periphery import PeripheryCard
from circuits.read.energy import ReadEnergy, Work, mean_power, part_costs, read_energy
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
    if values.ndim != 2 or not ((values >= 0) & (values <= top)).all():
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
        By part.
    reads
        Reads or pulse slots.
    noise
        Noise of the product over that of one read of full amplitude and the same slot length [1].
    """

    time: float
    energy: ReadEnergy
    reads: int
    noise: float


def encoding_cost(
    encoding: Encoding,
    bits: int,
    codes: NDArray[np.integer],
    power: Mapping[Role, Floats],
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
        (rows, rows) each [W]: power of the elements of a role as a form of the shares of a full input.
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
    phases = encode(codes, bits, encoding)
    phase_count, batch, rows = phases.levels.shape
    reads = turns * phase_count
    conversions = reads if encoding is Encoding.BIT_SERIAL else turns
    bits_of_a_row = bits if encoding is Encoding.AMPLITUDE else phase_count
    costs = part_costs(periphery, bits_of_a_row, adc_bits, t_slot)
    moment = np.einsum("pbi,pbj->ij", phases.levels, phases.levels) / (phase_count * batch)
    work = Work(
        reads=reads,
        amplifiers=amplifiers,
        dacs=rows,
        adcs=columns * conversions,
        additions=columns * (conversions - 1),
    )
    return EncodingCost(
        time=reads * costs.t_on + conversions * costs.conversion_time(columns),
        energy=read_energy(costs, mean_power(power, moment), work),
        reads=reads,
        noise=float(np.sqrt(np.sum(phases.weights**2))),
    )


def _top(bits: int) -> int:
    if not 1 <= bits <= 16:
        raise ValueError(f"bits = {bits}, allowed: 1 to 16")
    return int(2**bits - 1)
