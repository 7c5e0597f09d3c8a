"""A section of the configuration, and sections whose keys are those of the periphery card."""

from __future__ import annotations

from collections.abc import Callable
from types import new_class
from typing import Annotated, Any, ClassVar, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from compact_model.cards.entry import EntryList, spec_of


class Section(BaseModel):
    """Base of all sections: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    where_empty: ClassVar[str] = "the card's"
    """Whose value an optional key without a value takes."""

    @model_validator(mode="before")
    @classmethod
    def _empty_sections_are_defaults(cls, data: object) -> object:
        """A section whose keys are all commented out is null in YAML."""
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if not (value is None and cls._is_section(key))}

    @classmethod
    def _is_section(cls, key: str) -> bool:
        info = cls.model_fields.get(key)
        return info is not None and isinstance(info.annotation, type) and issubclass(info.annotation, Section)


Count = Annotated[int, Field(strict=True)]
"""A whole number."""

Own = TypeVar("Own", bound=Section)


def overlays(card: type[BaseModel]) -> Callable[[type[Own]], type[Own]]:
    """Put the entries of a section of the periphery card before a section's own keys.

    Names, units, meanings and ranges are the card's; a key that is left out is None, and the card's entry holds. The
    type of a value isn't known to a checker: read it from `Setup.periphery`, where `hallspice.config.overlay` puts it.
    """
    entries: dict[str, Any] = {name: (_key(card, name), None) for name in card.model_fields}
    keys = create_model(f"{card.__name__}Entries", __base__=Section, **entries)

    def with_entries(own: type[Own]) -> type[Own]:
        named = {name: getattr(own, name) for name in ("__doc__", "__module__", "__qualname__")}
        return cast(
            "type[Own]", new_class(own.__name__, (own, keys), exec_body=lambda body: body.update(named))
        )

    return with_entries


def _key(card: type[BaseModel], name: str) -> Any:
    """Type of the key that replaces an entry: a number, or a list of them."""
    quantity = spec_of(card, name).quantity
    if card.model_fields[name].annotation is not EntryList:
        return Annotated[float, quantity] | None
    unit = "" if quantity.unit == "1" else f" [{quantity.unit}]"
    numbers = Annotated[list[Annotated[float, quantity]], Field(min_length=1)]
    return Annotated[numbers | None, Field(description=f"{quantity.meaning}{unit}, {quantity.allowed}")]
