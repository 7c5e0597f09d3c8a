"""Energy of reads by part: one composition for arrays, products of any encoding, inferences and verify reads."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from circuits.network import Role
from circuits.periphery import PeripheryCard
from compact_model.numeric import Floats

REFERENCES = 2
"""Columns of a reference in the array: one at the lowest and one at the highest level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartCosts:
    """What the parts around the array take; SI units."""

    t_read: float
    """Length of a read once it has settled [s]."""
    t_settle: float
    """Time from the rise of the row voltages until a read begins [s]; amplifiers are on, too."""
    amplifier_power: float
    """Supply power of one amplifier [W]."""
    driver_efficiency: float
    """Energy that the row drivers deliver over the energy they take, in (0, 1]."""
    dac_energy: float
    """One conversion of one row [J]."""
    adc_energy: float
    """One conversion of one output [J]."""
    adc_time: float
    """One conversion of one output [s]."""
    adc_outputs: int
    """Outputs of an array that take turns at one converter."""
    add: float
    """Digital addition or comparison, 32 bit [J]."""
    multiply_float: float
    """Digital multiplication, float32 [J]."""
    add_float: float
    """Digital addition, float32 [J]."""

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if not 0 <= value < np.inf:
                raise ValueError(f"{entry.name} = {value} is outside [0, inf)")
        if not self.t_read > 0 or not 0 < self.driver_efficiency <= 1 or self.adc_outputs < 1:
            raise ValueError(
                f"t_read = {self.t_read} s, driver_efficiency = {self.driver_efficiency}, adc_outputs = "
                f"{self.adc_outputs}: expected > 0, (0, 1] and >= 1"
            )

    @property
    def t_on(self) -> float:
        """Time for which drivers and amplifiers are on in a read [s]."""
        return self.t_settle + self.t_read

    def conversion_time(self, outputs: int) -> float:
        """Time of the conversion of all outputs of an array, which share converters [s]."""
        return self.adc_time * min(self.adc_outputs, outputs)


def part_costs(
    card: PeripheryCard, dac_bits: int, adc_bits: int, t_read: float | None = None, t_settle: float = 0.0
) -> PartCosts:
    """Costs from a periphery card; `t_read` [s] replaces the card's, `t_settle` [s] comes before each read.

    Examples
    --------
    >>> from circuits.periphery import load_periphery
    >>> costs = part_costs(load_periphery(), dac_bits=6, adc_bits=6)
    >>> f"{costs.amplifier_power:.2e} W, {costs.adc_energy:.2e} J, {costs.dac_energy:.2e} J"
    '1.80e-04 W, 4.20e-13 J, 2.34e-12 J'
    """
    return PartCosts(
        t_settle=t_settle,
        t_read=card.read.t_read.value if t_read is None else t_read,
        amplifier_power=card.amplifier.power,
        driver_efficiency=card.driver.efficiency.value,
        dac_energy=card.dac.energy_per_bit.value * dac_bits,
        adc_energy=card.adc.conversion_energy(adc_bits),
        adc_time=card.adc.t_convert.value,
        adc_outputs=round(card.adc.columns.value),
        add=card.digital.add_32bit.value,
        multiply_float=card.digital.multiply_fp32.value,
        add_float=card.digital.add_fp32.value,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadEnergy:
    """Energy by part, in the order of the signal [J].

    Attributes
    ----------
    cells, wires, drivers
        Dissipated in cells with their switches, in wires, and in row drivers with what they draw beyond that.
    amplifiers
        Taken from the supplies of the amplifiers.
    sense
        Dissipated in the inputs of the senses, less what amplifiers deliver into them.
    dac, adc, digital
        Conversions of rows and of outputs, and arithmetic.
    """

    cells: float
    wires: float
    drivers: float
    amplifiers: float
    sense: float
    dac: float
    adc: float
    digital: float

    @property
    def array(self) -> float:
        """What the row drivers take for the array."""
        return math.fsum((self.cells, self.wires, self.drivers, self.sense))

    @property
    def total(self) -> float:
        """Sum of the parts."""
        return math.fsum(getattr(self, part.name) for part in fields(self))

    @classmethod
    def sum(cls, energies: Iterable[Self]) -> Self:
        """Part by part."""
        several = list(energies)
        return cls(
            **{part.name: math.fsum(getattr(one, part.name) for one in several) for part in fields(cls)}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What some reads of the same array or arrays, one after the other, ask of the parts around it, on average.

    Attributes
    ----------
    reads
        Each with its time to settle.
    amplifiers
        How many are on, on average.
    dacs, adcs
        Conversions of a row, and of an output, in all.
    additions, scalings
        Digital additions or comparisons of 32 bit; multiplications by a gain, each with the addition of an offset, in
        float32.
    """

    reads: float
    amplifiers: float
    dacs: float
    adcs: float
    additions: float
    scalings: float = 0


def mean_power(forms: Mapping[Role, Floats], moment: Floats) -> dict[Role, float]:
    """Mean power of each role [W], ``trace(Q M)``.

    Parameters
    ----------
    forms
        (rows, rows) each: power as a form Q of the inputs.
    moment
        (rows, rows): second moment M of the inputs.

    Examples
    --------
    >>> mean_power({Role.WIRE: np.array([[2.0, 1.0], [1.0, 3.0]])}, np.array([[1.0, 0.5], [0.5, 1.0]]))
    {<Role.WIRE: 'wire'>: 6.0}
    """
    return {role: float(np.sum(form * moment)) for role, form in forms.items()}


def driver_loss(delivered: float, efficiency: float) -> float:
    """What drivers draw beyond the energy (or power) that they deliver, in its unit; `efficiency` in (0, 1].

    >>> driver_loss(3.0, 0.5)
    3.0
    """
    return delivered * (1 / efficiency - 1)


def read_energy(costs: PartCosts, power: Mapping[Role, float], work: Work) -> ReadEnergy:
    """Energy of some reads.

    Parameters
    ----------
    costs
        Of the parts around the array.
    power
        Mean power of the elements of each role during a read [W]; their sum is what the row drivers deliver. Outputs
        of amplifiers count negative: their supplies deliver that power.
    work
        How much of it.

    Examples
    --------
    >>> from circuits.periphery import load_periphery
    >>> costs = part_costs(load_periphery(), dac_bits=6, adc_bits=6)
    >>> work = Work(reads=2, amplifiers=3, dacs=0, adcs=0, additions=0)
    >>> found = read_energy(costs, {Role.CELL: 1e-3}, work)
    >>> f"{found.cells:.3g} J, {found.amplifiers:.3g} J"
    '2e-08 J, 1.08e-08 J'
    """
    time = work.reads * costs.t_on
    of = dict.fromkeys(Role, 0.0) | dict(power)
    delivered = math.fsum(of.values())
    return ReadEnergy(
        cells=time * (of[Role.CELL] + of[Role.SWITCH]),
        wires=time * of[Role.WIRE],
        drivers=time * (of[Role.DRIVER] + driver_loss(delivered, costs.driver_efficiency)),
        amplifiers=time * costs.amplifier_power * work.amplifiers,
        sense=time * (of[Role.SENSE] + of[Role.AMPLIFIER]),
        dac=work.dacs * costs.dac_energy,
        adc=work.adcs * costs.adc_energy,
        digital=work.additions * costs.add + work.scalings * (costs.multiply_float + costs.add_float),
    )


def reference_energy(energy: ReadEnergy, columns: int) -> float:
    """What a reference in the array adds to a read of so many columns [J]: their share of array and amplifiers.

    It is subtracted before the conversion.
    """
    return REFERENCES * (energy.array + energy.amplifiers) / columns
