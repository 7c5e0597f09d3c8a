"""Quantities: numbers with a unit, a meaning and an allowed range, as people write them in files."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError, core_schema

if TYPE_CHECKING:
    import pint
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue

SMALLEST, LARGEST = 1e-30, 1e36
"""Between these magnitudes lies every number of a file that isn't zero, in SI: with less, or more, a square or a
quotient of two leaves the range of floating-point numbers, and what comes out is no number or a wrong one."""

_WRITTEN = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(\S.{0,60})?\s*", re.ASCII)
_POWER = re.compile(r"([A-Za-z])\^?(-?\d)")
_NUMBERS_OF_A_UNIT = re.compile(r"\d{3}|[\d.)]\s*(?:\*\*|\^)")
"""A number of three digits, and a power of a number or of a bracket: no unit has it, and it may take forever."""
_OERSTED = re.compile(r"\b([kmM]?)(?:Oe|oersted)\b")


_PLAIN = re.compile(r"[0-9eE+.-]*|[+-]?(?:nan|inf(?:inity)?)", re.IGNORECASE | re.ASCII)
"""Marks that a number without a unit is made of; Python's own reader takes ``1_0`` and digits of any script too."""


def parse_number(text: str) -> float:
    """Read a number without a unit, in the digits 0 to 9; ``nan`` and ``inf`` are numbers here.

    Raises
    ------
    ValueError
        When it is none.

    Examples
    --------
    >>> parse_number("-1.5e3")
    -1500.0
    """
    if not _PLAIN.fullmatch(text):
        raise ValueError(f"{_shown(text)} is no number")
    return float(text)


@cache
def _registry() -> pint.UnitRegistry[float]:
    import pint  # slow to import, and only strings with units need it

    registry: pint.UnitRegistry[float] = pint.UnitRegistry(cache_folder=None)
    # pint's own oersted belongs to the Gaussian system; in SI a field of 1 Oe is 1000/(4 pi) A/m.
    registry.define(f"field_oersted = {1000 / (4 * math.pi)!r} ampere / meter = FieldOe")
    return registry


def parse_quantity(value: object, unit: str) -> float:
    """Read a number, or a string with a unit, as a number of `unit`.

    Parameters
    ----------
    value
        A finite number (taken to be in `unit`) or a string such as ``"13.2 mA"``.
    unit
        Unit of the result, in pint's spelling; ``"1"`` for a plain number.

    Raises
    ------
    ValueError
        Naming the value and the unit, when it is no number, not finite, or of another dimension.

    Examples
    --------
    >>> parse_quantity("200 us", "s")
    0.0002
    >>> parse_quantity(1e11, "A/m^2")
    100000000000.0
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        number = float(value)
    elif isinstance(value, str):
        number = _parse_text(value, unit)
    else:
        raise ValueError(f"expected {_kind(unit)}, got {_shown(value)}")
    if not math.isfinite(number):
        raise ValueError(f"expected a finite number, got {_shown(value)}")
    return number


def _parse_text(text: str, unit: str) -> float:
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise ValueError(f"expected {_kind(unit)}, got {_shown(text)}")
    number, written_unit = float(match[1]), match[2]
    if written_unit is None:
        return number
    if _NUMBERS_OF_A_UNIT.search(written_unit):
        raise ValueError(f"{_shown(text)} has an unknown unit; expected {_kind(unit)}")
    if unit == "1" and written_unit.strip() != "%":
        raise ValueError(f"expected a plain number, got {_shown(text)}")
    import pint

    registry = _registry()
    try:
        quantity = registry.Quantity(number, _pint_spelling(written_unit))
        converted = float(quantity.to(_pint_spelling(unit)).magnitude)
    except pint.DimensionalityError:
        raise ValueError(f"{_shown(text)} is not convertible to {unit}") from None
    except Exception:  # pint's unit parser raises whatever its tokenizer does on nonsense
        raise ValueError(f"{_shown(text)} has an unknown unit; expected {_kind(unit)}") from None
    # 200 us is 2e-4 s, not 1.9999999999999998e-4: fifteen digits are what was written.
    return float(f"{converted:.15g}")


def _pint_spelling(unit: str) -> str:
    unit = _OERSTED.sub(r"\1FieldOe", unit.strip()).replace("%", "percent")
    return "dimensionless" if unit == "1" else _POWER.sub(r"\1**\2", unit)


def _kind(unit: str) -> str:
    return "a number" if unit == "1" else f"a number in {unit} or a string with a unit"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


@dataclass(frozen=True, slots=True)
class Quantity:
    """Annotation of a pydantic float field: unit, meaning, allowed range.

    Examples
    --------
    >>> from typing import Annotated
    >>> from pydantic import BaseModel
    >>> class Pulse(BaseModel):
    ...     t_pulse: Annotated[float, Quantity("s", "pulse length", above=0.0)]
    >>> Pulse.model_validate({"t_pulse": "200 us"}).t_pulse
    0.0002
    """

    unit: str
    meaning: str
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    least: float | None = None
    """Smallest value above zero, where it isn't `SMALLEST`: what lies between can't be told from zero."""

    @property
    def allowed(self) -> str:
        """The range in words, e.g. ``0 < value <= 0.1 A``."""
        left = (
            f"{self.above:g} < "
            if self.above is not None
            else f"{self.low:g} <= "
            if self.low is not None
            else ""
        )
        right = (
            f" < {self.below:g}"
            if self.below is not None
            else f" <= {self.high:g}"
            if self.high is not None
            else ""
        )
        unit = "" if self.unit == "1" else f" {self.unit}"
        if self.least is not None:
            return f"0, or {self.least:g} <= value{right}{unit}"
        return f"{left}value{right}{unit}" if left or right else f"any finite number{unit}"

    def read(self, value: object) -> float:
        """`value` as a number in the field's unit, inside its range; ValueError otherwise."""
        number = parse_quantity(value, self.unit)
        unit = "" if self.unit == "1" else f" {self.unit}"
        if 0 < abs(number) < (self.least or SMALLEST):
            raise ValueError(f"{number:.15g}{unit} can't be told from zero")
        if (
            abs(number) > LARGEST
            or (self.low is not None and number < self.low)
            or (self.high is not None and number > self.high)
            or (self.above is not None and number <= self.above)
            or (self.below is not None and number >= self.below)
        ):
            raise ValueError(f"{number:.15g}{unit} is out of range")
        return number

    def _validate(self, value: object) -> float:
        try:
            return self.read(value)
        except ValueError as error:
            raise PydanticCustomError(
                "quantity", "{what}, allowed: {allowed}", {"what": str(error), "allowed": self.allowed}
            ) from None

    def __get_pydantic_core_schema__(
        self, _source: object, _handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(
        self, _schema: core_schema.CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        bounds = {
            "minimum": self.low,
            "maximum": self.high,
            "exclusiveMinimum": self.above,
            "exclusiveMaximum": self.below,
        }
        number: dict[str, Any] = {"type": "number"}
        number |= {key: bound for key, bound in bounds.items() if bound is not None}
        alternatives = (
            [number] if self.unit == "1" else [number, {"type": "string", "description": "with a unit"}]
        )
        return {"anyOf": alternatives, "description": f"{self.meaning} [{self.unit}]; {self.allowed}"}
