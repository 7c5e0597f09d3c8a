"""Tables of measurements: files, columns, units."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from scipy.constants import mu_0

from compact_model.cards.device import SHIPPED
from compact_model.cards.entry import Name
from compact_model.cards.quantity import parse_quantity


class MeasurementError(ValueError):
    """Measured data that can't be used; says which file or record, and why."""


class WrongUnitError(MeasurementError):
    """Numbers that are impossible in the stated unit."""


class SwappedColumnsError(MeasurementError):
    """A column that looks like the other one."""


class ClippedError(MeasurementError):
    """Readings at the end of the meter's range."""


class EmptyLoopError(MeasurementError):
    """A loop that does not open, or does not move."""


class DisagreeingError(MeasurementError):
    """Saturated readings that can't be of one device in one state."""


class LostOrderError(MeasurementError):
    """Lines that are not in the order of their pulses."""


class RecordKind(StrEnum):
    """What one table holds."""

    LOOP = "loop"  # R_xy after (or during) each pulse of a current sweep
    TRAIN = "train"  # R_xy after each pulse of any sequence
    FIELD_LOOP = "field_loop"  # R_xy against H_z: window and offset
    FRACTION = "fraction"  # switched share after one pulse from the reset state
    SHIFT = "shift"  # centre of an R_xy(H_z) loop against the current
    ENERGY = "energy"  # energy of one pulse


class Start(StrEnum):
    """State before the first pulse of a record."""

    PLUS = "+z"
    MINUS = "-z"
    UNKNOWN = "unknown"


UNITS = {
    "current": "A",
    "density": "A/m^2",
    "hall": "ohm",
    "voltage": "V",
    "voltage_plus": "V",
    "voltage_minus": "V",
    "h_x": "A/m",
    "h_z": "A/m",
    "shift": "A/m",
    "t_pulse": "s",
    "t_oxide": "m",
    "time": "s",
    "temperature": "K",
    "fraction": "1",
    "energy": "J",
    "i_read": "A",
    "sigma": "",  # the unit of what is measured
    "device": "",
    "cycle": "",
}
"""What a column or a constant can be, and its unit inside the program."""


MEASURED = {
    RecordKind.LOOP: "hall",
    RecordKind.TRAIN: "hall",
    RecordKind.FIELD_LOOP: "hall",
    RecordKind.FRACTION: "fraction",
    RecordKind.SHIFT: "shift",
    RecordKind.ENERGY: "energy",
}


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnName(_Model):
    """Header of a column in the file, and the unit of its numbers."""

    column: str
    unit: str = "1"


class Separator(StrEnum):
    """What stands between the fields of a line."""

    TAB = "tab"
    SEMICOLON = ";"
    COMMA = ","
    BLANKS = "blanks"  # two or more: names may hold single ones
    BLANK = "blank"  # one or more


class Layout(_Model):
    """How a file is written; what is left out is found by the columns that are asked for, and said."""

    header: Annotated[int, Field(ge=1)] | None = Field(default=None, description="line of the names")
    separator: Separator | None = Field(
        default=None, description='tab, ";", ",", blanks (two or more), blank'
    )
    decimal: Literal[".", ","] | None = Field(default=None, description="mark before the decimals")
    encoding: str | None = Field(
        default=None, description="utf-8, utf-16, latin-1, cp1252 or another of Python"
    )
    sheet: str | None = Field(
        default=None, description="sheet of an Excel file; default: the first that holds the columns"
    )


def layout_of(**keys: object) -> Layout:
    """How a file is written, from keys as people give them; ValueError for a value that isn't allowed.

    Examples
    --------
    >>> layout_of(separator="tab", header=None).separator
    <Separator.TAB: 'tab'>
    """
    try:
        return Layout.model_validate(keys)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{first['loc'][0]} = {first['input']!r}: {first['msg'].lower()}") from None


class DataTable(Layout):
    """One file: what it holds, which column is what, and what is the same for all of it."""

    file: str
    kind: RecordKind
    columns: dict[str, ColumnName]
    constants: dict[str, str | float] = {}
    prepared: Start = Start.PLUS
    rounding: str | float | None = Field(
        default=None, description="last printed digit of published numbers; their error is rounding/sqrt(12)"
    )
    sign: Literal[1, -1] = Field(default=1, description="-1 when the Hall contacts were read the other way")
    drift: bool | None = Field(
        default=None, description="separate a linear drift; default: 20 readings or more"
    )
    even: bool | None = Field(
        default=None,
        description="separate a thermoelectric part that goes as I^2; default: loops of both signs, 20 readings",
    )
    reads: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="reads of one state that stand below each other; 1: each line is a pulse. Default: found for loops",
    )
    tolerance: dict[str, str | float] = Field(
        default={}, description="by quantity, or column of `split`: values nearer to each other are one"
    )
    split: Annotated[list[str], BeforeValidator(lambda one: [one] if isinstance(one, str) else one)] = Field(
        default=[], description="columns of the file that tell records apart, each prepared afresh"
    )

    @model_validator(mode="after")
    def _known(self) -> DataTable:
        names = [*self.columns, *self.constants]
        for name in names:
            if name not in UNITS:
                raise ValueError(f"{name!r} is no known quantity, allowed: {', '.join(UNITS)}")
        for name in self.tolerance:
            if name not in ("current", "h_x", "temperature", *self.split):
                raise ValueError(
                    f"a tolerance is of current, h_x, temperature or a column of `split`, not of {name!r}"
                )
        if len(set(names)) != len(names):
            raise ValueError("a quantity is both a column and a constant; keep one")
        wanted = MEASURED[self.kind]
        ways = {"hall": ({"hall"}, {"voltage"}, {"voltage_plus", "voltage_minus"})}.get(wanted, ({wanted},))
        if not any(way <= set(self.columns) for way in ways):
            raise ValueError(f"kind {self.kind.value} needs a column for {wanted}")
        if self.columns.keys() & {"voltage", "voltage_plus"} and "i_read" not in names:
            raise ValueError("a voltage needs i_read, the read current, as a column or a constant")
        if self.kind is RecordKind.FIELD_LOOP:
            if "h_z" not in names:
                raise ValueError("kind field_loop needs h_z")
        elif not {"current", "density"} & set(names):
            raise ValueError(f"kind {self.kind.value} needs current or density")
        return self


class FitChoices(_Model):
    """How the fit is made; every key may be left out."""

    per_device: list[str] = Field(default=["hall.r_reset"], description="parameters with a value per device")
    fixed: list[str] = Field(default=[], description="parameters that stay at the card's value")
    bounds: dict[str, tuple[float, float]] = Field(default={}, description="limits in SI, by parameter")
    loss: Literal["linear", "soft_l1", "huber", "cauchy"] = "soft_l1"
    starts: Annotated[int, Field(ge=1, le=200)] = 6


class DataFile(_Model):
    """A data set: its tables, the card that supplies geometry and defaults, and how to fit it."""

    name: Name
    description: str = ""
    synthetic: bool = False
    card: str = SHIPPED
    data: list[DataTable] = Field(min_length=1)
    fit: FitChoices = FitChoices()


def unit_factor(unit: str, wanted: str) -> float:
    """Factor from a laboratory's unit to the program's; a flux density counts as a field in vacuum.

    Examples
    --------
    >>> unit_factor("mA", "A")
    0.001
    >>> round(unit_factor("mT", "A/m"), 3)
    795.775
    """
    if wanted == "1":
        return 0.01 if unit == "%" else parse_quantity(1.0, "1") if unit == "1" else _no_unit(unit)
    try:
        return parse_quantity(f"1 {unit}", wanted)
    except ValueError:
        if wanted == "A/m":
            return parse_quantity(f"1 {unit}", "T") / float(mu_0)
        raise


def _no_unit(unit: str) -> float:
    raise ValueError(f"expected a plain number or %, got the unit {unit!r}")
