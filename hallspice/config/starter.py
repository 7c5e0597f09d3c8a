"""The commented starter file of `hallspice init`, generated from the schema so that it can't fall behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic.fields import FieldInfo

from compact_model.cards.quantity import Quantity
from hallspice.config.schema import Config
from hallspice.config.section import Section

HEADER = """\
# hallspice configuration. Every key may be left out; the value shown is its default.
# A bare number is SI ("1e-3" A); a string with a unit is converted ("1 mA", "200 us", "5 um").
"""


def starter_text() -> str:
    """YAML of the default configuration with a comment per key."""
    return HEADER + "\n".join(_section(Config, "")) + "\n"


def _section(model: type[Section], indent: str) -> Iterator[str]:
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, Section):
            if not indent:
                yield ""
            yield f"{indent}{name}:  # {(info.annotation.__doc__ or '').splitlines()[0].rstrip('.')}"
            yield from _section(info.annotation, indent + "  ")
        elif info.default is None:
            yield f"{indent}# {name}:  # {_comment(info)}; default: {model.where_empty}"
        else:
            yield f"{indent}{name}: {_yaml(info.default)}  # {_comment(info)}"


def _comment(info: FieldInfo) -> str:
    quantity = next((q for q in _metadata(info) if isinstance(q, Quantity)), None)
    if quantity is not None:
        unit = "" if quantity.unit == "1" else f" [{quantity.unit}]"
        return f"{quantity.meaning}{unit}, {quantity.allowed}"
    bounds = [f"{sign} {getattr(m, key)}" for m in info.metadata for key, sign in _BOUNDS if hasattr(m, key)]
    return (info.description or "") + (f", {' and '.join(bounds)}" if bounds else "")


_BOUNDS = (("ge", ">="), ("gt", ">"), ("le", "<="), ("lt", "<"))


def _metadata(info: FieldInfo) -> Iterator[Any]:
    yield from info.metadata
    for part in get_args(info.annotation):  # Annotated[float, Quantity] | None
        yield from getattr(part, "__metadata__", ())


def _yaml(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, float):
        return f"{value:.15g}"
    return str(value)
