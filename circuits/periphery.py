"""The periphery card: wires, drivers, amplifiers, converters and logic, with a source per number."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict

from compact_model.card import Entry, Spec
from compact_model.document import load_overlaid

SHIPPED = "periphery_default"
"""Name of the card in the package."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CellPart(_Part):
    """The cell around the device."""

    pitch: Annotated[Entry, Spec("m", "cell pitch", above=0.0, high=1.0)]
    r_arm: Annotated[Entry, Spec("ohm", "one Hall arm", above=0.0, high=1e9)]


class WirePart(_Part):
    """Wires, per cell pitch."""

    r_row: Annotated[Entry, Spec("ohm", "row wire", low=0.0, high=1e6)]
    r_column: Annotated[Entry, Spec("ohm", "column wire", low=0.0, high=1e6)]


class DriverPart(_Part):
    """Row drivers."""

    r_output: Annotated[Entry, Spec("ohm", "output resistance", low=0.0, high=1e6)]
    v_supply: Annotated[Entry, Spec("V", "supply", above=0.0, high=1000.0)]
    efficiency: Annotated[Entry, Spec("1", "energy delivered over energy taken", above=0.0, high=1.0)]


class SensePart(_Part):
    """Column sense inputs."""

    r_input: Annotated[Entry, Spec("ohm", "input resistance", above=0.0, high=1e6)]


class AmplifierPart(_Part):
    """Transconductor of each Hall pair."""

    gm: Annotated[Entry, Spec("S", "transconductance", above=0.0, high=10.0)]
    i_bias: Annotated[Entry, Spec("A", "supply current", low=0.0, high=1.0)]
    v_supply: Annotated[Entry, Spec("V", "supply", above=0.0, high=100.0)]
    gamma: Annotated[Entry, Spec("1", "thermal noise factor", low=0.0, high=100.0)]
    cmrr_db: Annotated[Entry, Spec("1", "common-mode rejection in dB", low=0.0, high=300.0)]


class ReadPart(_Part):
    """A full input."""

    i_read: Annotated[Entry, Spec("A", "channel current of a full input", above=0.0, high=1.0)]
    t_read: Annotated[Entry, Spec("s", "length of a read", above=0.0, high=10.0)]


class AdcPart(_Part):
    """Analog-to-digital converters."""

    energy: Annotated[Entry, Spec("J", "one conversion at the stated resolution", low=0.0)]
    energy_bits: Annotated[Entry, Spec("1", "resolution of the stated energy", low=1.0, high=32.0)]
    growth: Annotated[Entry, Spec("1", "factor of the energy per bit", low=1.0, high=10.0)]
    t_convert: Annotated[Entry, Spec("s", "one conversion", low=0.0)]
    columns: Annotated[Entry, Spec("1", "outputs that share a converter", low=1.0)]

    def conversion_energy(self, bits: int) -> float:
        """Energy of one conversion of `bits` bits, J."""
        return float(self.energy.value * self.growth.value ** (bits - self.energy_bits.value))


class DacPart(_Part):
    """Digital-to-analog converters."""

    energy_per_bit: Annotated[Entry, Spec("J", "one conversion, per bit", low=0.0)]


class DigitalPart(_Part):
    """Energy of one arithmetic operation."""

    add_8bit: Annotated[Entry, Spec("J", "8-bit addition", low=0.0)]
    add_32bit: Annotated[Entry, Spec("J", "32-bit addition", low=0.0)]
    multiply_8bit: Annotated[Entry, Spec("J", "8-bit multiplication", low=0.0)]
    multiply_fp32: Annotated[Entry, Spec("J", "float32 multiplication", low=0.0)]
    add_fp32: Annotated[Entry, Spec("J", "float32 addition", low=0.0)]


class PeripheryCard(_Part):
    """All numbers of the periphery."""

    name: str
    description: str
    based_on: Literal["periphery_default"] | None = None
    cell: CellPart
    wire: WirePart
    driver: DriverPart
    sense: SensePart
    amplifier: AmplifierPart
    read: ReadPart
    adc: AdcPart
    dac: DacPart
    digital: DigitalPart


def load_periphery(path: str | Path | None = None) -> PeripheryCard:
    """Read a periphery card; None means the shipped one.

    Raises
    ------
    compact_model.document.DocumentError
        With every mistake and its line.

    Examples
    --------
    >>> load_periphery().read.i_read.value
    0.001
    """
    with resources.as_file(resources.files("circuits") / "cards" / f"{SHIPPED}.yaml") as shipped:
        return load_overlaid(path, shipped, PeripheryCard)
