"""The periphery card: everything around the cells, each number with its unit, provenance and source."""

from __future__ import annotations

import itertools
from importlib import resources
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator

from compact_model.cards.document import load_overlaid
from compact_model.cards.entry import Entry, EntryList, Name, Spec
from compact_model.constants import LEAST_RESISTANCE, LEAST_TIME

SHIPPED = "periphery_default"
"""Name of the card in the package."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Wire(_Model):
    """Wires, per cell pitch."""

    pitch: Annotated[Entry, Spec("m", "distance between cells", above=0.0, high=1.0)]
    r_row: Annotated[Entry, Spec("ohm", "row wire per cell", low=0.0, high=1e6, least=LEAST_RESISTANCE)]
    r_column: Annotated[Entry, Spec("ohm", "column wire per cell", low=0.0, high=1e6, least=LEAST_RESISTANCE)]
    c_row: Annotated[Entry, Spec("F", "row wire to ground per cell", low=0.0, high=1e-6)]
    c_column: Annotated[Entry, Spec("F", "column wire to ground per cell", low=0.0, high=1e-6)]


class Cell(_Model):
    """Nothing is left of it: a cell is the device."""

    moved: ClassVar[dict[str, str]] = {
        "r_arm": "each Hall arm is the device card's (hall.r_arm, or its squares); array.cell.r_arm of a configuration "
        "replaces it"
    }


class Driver(_Model):
    """Row drivers."""

    r_output: Annotated[
        Entry,
        Spec("ohm", "output resistance of a driver, each rail", low=0.0, high=1e6, least=LEAST_RESISTANCE),
    ]
    v_supply: Annotated[Entry, Spec("V", "supply of the row drivers", above=0.0, high=1000.0)]
    efficiency: Annotated[Entry, Spec("1", "delivered energy over drawn energy", above=0.0, high=1.0)]


class Sense(_Model):
    """Current sense of a column."""

    r_input: Annotated[
        Entry, Spec("ohm", "input resistance of a column sense", low=LEAST_RESISTANCE, high=1e6)
    ]


class Amplifier(_Model):
    """Transconductor on each Hall pair."""

    gm: Annotated[Entry, Spec("S", "transconductance", above=0.0, high=10.0)]
    i_bias: Annotated[Entry, Spec("A", "supply current of one", low=0.0, high=10.0)]
    v_supply: Annotated[Entry, Spec("V", "its supply voltage", low=0.0, high=1000.0)]
    noise_gamma: Annotated[Entry, Spec("1", "noise factor of the channel current", low=0.0, high=100.0)]
    cmrr_db: Annotated[Entry, Spec("1", "common-mode rejection in dB", low=0.0, high=300.0)]

    @property
    def power(self) -> float:
        """Supply power [W]."""
        return self.i_bias.value * self.v_supply.value


class Switch(_Model):
    """Select switch of a cell, in architectures that have one."""

    r_on: Annotated[Entry, Spec("ohm", "a closed select switch", low=LEAST_RESISTANCE, high=1e9)]
    r_off: Annotated[Entry, Spec("ohm", "an open select switch", low=LEAST_RESISTANCE, high=1e18)]


class Read(_Model):
    """How an input is applied."""

    i_read: Annotated[Entry, Spec("A", "channel current of a full input (Hall cells)", above=0.0, high=1.0)]
    t_read: Annotated[Entry, Spec("s", "length of a read once it has settled", low=LEAST_TIME, high=10.0)]


class Adc(_Model):
    """Analog-to-digital converters of the columns."""

    bits: Annotated[EntryList, Spec("1", "resolutions of the energies [bit]", above=0.0, high=32.0)]
    energy: Annotated[EntryList, Spec("J", "energy of a conversion, one per resolution", above=0.0, high=1.0)]
    t_convert: Annotated[Entry, Spec("s", "time of a conversion", low=LEAST_TIME, high=1.0)]
    columns: Annotated[Entry, Spec("1", "columns that share one converter", low=1.0, high=1e6)]

    @model_validator(mode="after")
    def _one_energy_per_resolution(self) -> Self:
        bits = self.bits.value
        if len(bits) != len(self.energy.value):
            raise ValueError(
                f"bits has {len(bits)} values and energy {len(self.energy.value)}, allowed: the same"
            )
        if any(after <= before for before, after in itertools.pairwise(bits)):
            raise ValueError("bits must increase from entry to entry")
        return self

    def conversion_energy(self, bits: int) -> float:
        """Energy of one conversion [J].

        Geometric interpolation between the resolutions of the card; below the lowest its energy; each bit above
        the highest costs a factor of four, the price of halving thermal noise.

        Examples
        --------
        >>> adc = load_periphery().adc
        >>> adc.conversion_energy(6), round(adc.conversion_energy(10) / adc.conversion_energy(8), 12)
        (4.2e-13, 16.0)
        """
        known, energies = self.bits.value, self.energy.value
        if bits in known:
            return energies[known.index(bits)]
        within = np.exp(np.interp(bits, known, np.log(energies)))
        return float(within * 4 ** max(0.0, bits - known[-1]))


class Dac(_Model):
    """Digital-to-analog converters of the rows."""

    energy_per_bit: Annotated[Entry, Spec("J", "energy of a conversion per bit", low=0.0, high=1.0)]


class Digital(_Model):
    """Energies of digital operations."""

    add_32bit: Annotated[Entry, Spec("J", "32-bit addition", low=0.0, high=1.0)]
    multiply_8bit: Annotated[Entry, Spec("J", "8-bit multiplication", low=0.0, high=1.0)]
    add_fp32: Annotated[Entry, Spec("J", "32-bit floating-point addition", low=0.0, high=1.0)]
    multiply_fp32: Annotated[Entry, Spec("J", "32-bit floating-point multiplication", low=0.0, high=1.0)]


class Area(_Model):
    """Silicon around the cells; transconductors lie under them."""

    driver: Annotated[Entry, Spec("m^2", "drivers of one row", low=0.0, high=1.0)]
    sense: Annotated[Entry, Spec("m^2", "current sense of one column", low=0.0, high=1.0)]
    adc_8bit: Annotated[Entry, Spec("m^2", "converter of 8 bit; each bit doubles it", low=0.0, high=1.0)]
    dac_per_bit: Annotated[Entry, Spec("m^2", "converter of one row, per bit", low=0.0, high=1.0)]
    digital: Annotated[Entry, Spec("m^2", "arithmetic of one layer", low=0.0, high=1.0)]


class Write(_Model):
    """Write driver."""

    v_compliance: Annotated[Entry, Spec("V", "largest voltage of a driver", above=0.0, high=1e4)]
    r_output: Annotated[Entry, Spec("ohm", "output resistance of a driver", low=LEAST_RESISTANCE, high=1e6)]
    r_return: Annotated[
        Entry, Spec("ohm", "switch that returns the current or holds a line", low=LEAST_RESISTANCE, high=1e6)
    ]
    r_select_on: Annotated[
        Entry, Spec("ohm", "select or bypass device of a cell when on", low=LEAST_RESISTANCE, high=1e6)
    ]
    r_select_off: Annotated[Entry, Spec("ohm", "the same when off", low=LEAST_RESISTANCE, high=1e18)]
    t_verify: Annotated[Entry, Spec("s", "length of a verify read", low=LEAST_TIME, high=10.0)]
    efficiency: Annotated[Entry, Spec("1", "delivered energy over drawn energy", above=0.0, high=1.0)]


class PeripheryCard(_Model):
    """All parameters of the periphery."""

    name: Name
    description: str
    based_on: Literal["periphery_default"] | None = None
    wire: Wire
    cell: Cell = Cell()
    driver: Driver
    sense: Sense
    amplifier: Amplifier
    switch: Switch
    read: Read
    adc: Adc
    dac: Dac
    digital: Digital
    area: Area
    write: Write


def load_periphery(path: str | Path | None = None) -> PeripheryCard:
    """Read a card of the periphery; None means the shipped one.

    Raises
    ------
    compact_model.document.DocumentError
        With every mistake and its line.

    Examples
    --------
    >>> load_periphery().amplifier.gm.value
    0.001
    """
    with resources.as_file(resources.files("circuits") / "cards" / f"{SHIPPED}.yaml") as shipped:
        return load_overlaid(path, shipped, PeripheryCard)
