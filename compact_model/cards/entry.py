"""Entries of a card: value, unit, provenance and source."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError, core_schema

from compact_model.cards.quantity import Quantity, parse_quantity

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue


class Provenance(StrEnum):
    """Where a number comes from."""

    MEASURED = "measured"
    DERIVED = "derived"
    ASSUMED = "assumed"
    FITTED = "fitted"
    SIMULATED = "simulated"
    SET = "set"
    """By a configuration; the source is its file and line."""


class CardModel(BaseModel):
    """Base of everything in a card: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _one_line(name: str) -> str:
    if not name.strip() or not name.isprintable():
        raise ValueError(f"{name!r} is no name, allowed: one line of printable text")
    return name


Name = Annotated[str, AfterValidator(_one_line)]
"""A name that may stand in the title of a netlist and in a comment: it can't begin a new line."""


class _Sourced(CardModel):
    unit: str = Field(description="unit of the value, '1' for a plain number")
    provenance: Provenance
    source: str = Field(min_length=1, description="publication, formula or reasoning")

    @field_validator("unit", mode="before")
    @classmethod
    def _plain(cls, unit: object) -> object:
        return "1" if unit == 1 and not isinstance(unit, bool) else unit  # YAML reads it as a number


def _check_interval(value: float, interval: tuple[float, float] | None) -> None:
    if interval is not None and not interval[0] <= value <= interval[1]:
        raise ValueError(f"value {value:g} is outside its interval {interval[0]:g}..{interval[1]:g}")


class Entry(_Sourced):
    """One number of a card, in the unit of its field once loaded."""

    value: float = Field(description="number, in the unit beside it")
    interval: tuple[float, float] | None = Field(
        default=None, description="95 % interval of a fitted value, in the unit beside it"
    )

    @field_validator("value", mode="before")
    @classmethod
    def _number(cls, value: object) -> float:
        return parse_quantity(value, "1")

    @field_validator("interval", mode="before")
    @classmethod
    def _limits(cls, interval: object) -> object:
        if not isinstance(interval, (list, tuple)):
            return interval
        return tuple(parse_quantity(limit, "1") for limit in interval)

    @model_validator(mode="after")
    def _inside(self) -> Self:
        _check_interval(self.value, self.interval)
        return self


class EntryList(_Sourced):
    """A row of numbers that share unit, provenance and source."""

    value: tuple[float, ...] = Field(description="numbers, in the unit beside them")

    @field_validator("value", mode="before")
    @classmethod
    def _numbers(cls, value: object) -> tuple[float, ...]:
        if not isinstance(value, (list, tuple)) or not value:
            raise ValueError(f"expected a list of numbers, got {value!r}")
        return tuple(parse_quantity(item, "1") for item in value)


class Anchor(CardModel):
    """One point of a law against the oxide thickness."""

    t_oxide: Annotated[float, Quantity("m", "oxide thickness", low=0.0, high=1e-7)]
    value: Annotated[float, Quantity("1", "in the unit of the law", low=0.0)]
    interval: tuple[float, float] | None = Field(default=None, description="95 % interval of a fitted value")
    provenance: Provenance
    source: str = Field(min_length=1)

    @model_validator(mode="after")
    def _inside(self) -> Self:
        _check_interval(self.value, self.interval)
        return self


@dataclasses.dataclass(frozen=True, slots=True)
class Spec(Quantity):
    """Annotation of an entry: unit inside the program, meaning, allowed range.

    Examples
    --------
    >>> from pydantic import TypeAdapter
    >>> width = TypeAdapter(Annotated[Entry, Spec("m", "channel width", above=0.0)])
    >>> width.validate_python({"value": 5, "unit": "um", "provenance": "measured", "source": "x"}).value
    5e-06
    """

    @property
    def quantity(self) -> Quantity:
        """The same for a plain number, without provenance."""
        return Quantity(**{part.name: getattr(self, part.name) for part in dataclasses.fields(Quantity)})

    def _converted(self, entry: Entry | EntryList | None) -> Entry | EntryList | None:
        if entry is None:  # an entry that may be left out
            return None
        values: tuple[object, ...] = entry.value if isinstance(entry, EntryList) else (entry.value,)
        try:
            if entry.unit != self.unit:
                parse_quantity(f"1 {entry.unit}" if entry.unit != "1" else 1.0, self.unit)
                if "1" in (entry.unit, self.unit):
                    raise ValueError(f"unit {entry.unit!r} is not convertible to {self.unit}")
                values = tuple(f"{value!r} {entry.unit}" for value in values)
            numbers = tuple(map(self.read, values))
        except ValueError as error:
            raise PydanticCustomError(
                "quantity", "{what}, allowed: {allowed}", {"what": str(error), "allowed": self.allowed}
            ) from None
        if isinstance(entry, EntryList):
            return entry.model_copy(update={"value": numbers, "unit": self.unit})
        interval = entry.interval and tuple(
            parse_quantity(v if entry.unit == "1" else f"{v!r} {entry.unit}", self.unit)
            for v in entry.interval
        )
        return entry.model_copy(update={"value": numbers[0], "unit": self.unit, "interval": interval})

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self._converted, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"allOf": [handler(schema)], "description": f"{self.meaning} [{self.unit}]; {self.allowed}"}


def spec_of(section: type[BaseModel], name: str) -> Spec:
    """What the entry `name` of a section of a card is."""
    return next(item for item in section.model_fields[name].metadata if isinstance(item, Spec))
