"""Results: models that name the unit and the meaning of every number, and the one ending of a folder of results.

A room describes what it found as a `Results` model and ends with `write`. From the model come ``results.json``, its
JSON schema (``hallspice schema results``), and labels and units of pages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    model_serializer,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from hallspice.files import RESULTS
from hallspice.page.csv_text import csv_text
from hallspice.page.page import Page

REPORT = "report.html"


@dataclass(frozen=True, slots=True)
class Measure:
    """Annotation of a number, or of a list or table of numbers, in a result: its unit and what it is.

    Examples
    --------
    >>> class Read(Result):
    ...     energy_j: Annotated[float, Measure("J", "energy of one read")]
    >>> Read.model_json_schema()["properties"]["energy_j"]["unit"]
    'J'
    """

    unit: str
    """SI, as in the cards; ``1`` for a share, a ratio or a count."""
    meaning: str

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "description": self.meaning, "unit": self.unit}


class Result(BaseModel):
    """A part of ``results.json``.

    A number that is not finite is refused where the part is made, with the name of its field. A field without a
    value is ``null``; one that is absent from the file then has the default None.

    Examples
    --------
    >>> class Accuracy(Result):
    ...     circuit: Annotated[float, Measure("1", "through the circuit")]
    ...     programmed: Annotated[float | None, Measure("1", "with the states as written")] = None
    >>> Accuracy(circuit=0.9).model_dump()
    {'circuit': 0.9}
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_by_name=True, serialize_by_alias=True
    )

    @model_serializer(mode="wrap")
    def _without_the_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        absent = {
            field.alias or name
            for name, field in type(self).model_fields.items()
            if not field.is_required() and getattr(self, name) is None
        }
        return {key: value for key, value in handler(self).items() if key not in absent}


class Results(Result):
    """The content of ``results.json``."""

    files: Annotated[tuple[str, ...], Field(description="Files of the folder, this one last.")] = ()


class Report(Results):
    """Results that a report tells."""

    created: str = Field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"))
    versions: Annotated[
        dict[str, str | int | None], Measure("1", "versions of the programs that computed; null: not found")
    ]
    warnings: Annotated[tuple[str, ...], Field(description="What weakens the results.")]


AnyResult = TypeVar("AnyResult", bound=Result)


def measure_of(model: type[Result], field: str) -> Measure:
    """Unit and meaning of a field.

    Raises
    ------
    KeyError
        When the model has no such field, or it is no number.
    """
    for one in model.model_fields[field].metadata:
        if isinstance(one, Measure):
            return one
    raise KeyError(f"{model.__name__}.{field} has no unit")


def table_of(model: type[AnyResult], rows: Sequence[AnyResult]) -> str:
    r"""CSV text of parts of one kind: a column per field, in the order of the model; no value is an empty field.

    Examples
    --------
    >>> class Part(Result):
    ...     name: str
    ...     energy_j: Annotated[float | None, Measure("J", "of a read")]
    >>> table_of(Part, [Part(name="cells", energy_j=0.1), Part(name="wires", energy_j=None)])
    'name,energy_j\ncells,0.1\nwires,\n'
    """
    fields = model.model_fields
    names = [field.alias or name for name, field in fields.items()]
    values = [[getattr(row, name) for name in fields] for row in rows]
    return csv_text(names, [["" if value is None else value for value in row] for row in values])


def versions_of(*libraries: str) -> dict[str, str | None]:
    """Versions of hallspice and of the libraries that computed."""
    return {name: version(name) for name in ("hallspice", *libraries)}


AnyResults = TypeVar("AnyResults", bound=Results)


def write(
    folder: Path,
    results: AnyResults,
    *,
    page: Page | None = None,
    tables: Mapping[str, str] | None = None,
    index: str = RESULTS,
) -> AnyResults:
    """End a folder of results: tables, figures, report, and the index that lists all files of the folder.

    Parameters
    ----------
    folder
        Made by `staged_folder`; what else belongs to the results is in it already.
    results
        What was found.
    page
        Its report, with figures.
    tables
        Texts by file name, for example ``{"levels.csv": ...}``.
    index
        Name of the file with the results.

    Returns
    -------
    The results, with the names of the files.
    """
    texts = dict(tables or {})
    if page is not None:
        texts |= {f"figures/{name}.svg": drawing for name, drawing in page.figures.items()}
        texts[REPORT] = page.html()
    for name, text in texts.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    listed = results.model_copy(update={"files": (*names, index)})
    document = json.dumps(listed.model_dump(mode="json"), indent=1, allow_nan=False) + "\n"
    (folder / index).write_text(document, encoding="utf-8")
    return listed
