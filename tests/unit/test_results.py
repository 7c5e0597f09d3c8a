"""Results: unit and meaning of every number, nothing that is no number, and the one ending of a folder."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import ValidationError

from hallspice import results
from hallspice.config.schema import Config
from hallspice.page.page import Page
from hallspice.result_schemas import MODELS, schema_of
from hallspice.results import Measure, Result, Results, measure_of


class Read(Results):
    energy_j: Annotated[float, Measure("J", "energy of one read")]
    outputs_a: Annotated[tuple[float, ...], Measure("A", "current out of each column")] = ()
    difference: Annotated[float | None, Measure("1", "from the other solver; null: not compared")]
    programmed: Annotated[float | None, Measure("1", "as programmed")] = None


def holds_numbers(schema: dict[str, Any]) -> bool:
    """Whether a field holds numbers, without those of models that it refers to."""
    inside = [*schema.get("anyOf", ()), *schema.get("prefixItems", ())]
    inside += [schema[key] for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)]
    return schema.get("type") in ("number", "integer") or any(map(holds_numbers, inside))


def unnamed_numbers(schema: dict[str, Any]) -> Iterator[str]:
    """Fields of results (those of the configuration have their own schema) whose numbers lack unit or meaning."""
    configured = set(Config.model_json_schema()["$defs"]) | {"Config"}
    models = {name: one for name, one in schema.get("$defs", {}).items() if name not in configured}
    for name, model in {"": schema, **models}.items():
        for field, about in model.get("properties", {}).items():
            if holds_numbers(about) and not (about.get("unit") and about.get("description")):
                yield f"{name}.{field}"


@pytest.mark.parametrize("command", MODELS)
def test_every_number_has_unit_and_meaning(command: str) -> None:
    schema = schema_of(command)
    assert list(unnamed_numbers(schema)) == []


SUFFIXES = {
    "a": "A",
    "a_m2": "A/m^2",
    "db": "dB",
    "j": "J",
    "k": "K",
    "ohm": "ohm",
    "s": "s",
    "v": "V",
    "w": "W",
}


def other_units(schema: dict[str, Any]) -> Iterator[str]:
    """Fields whose name ends with a unit that isn't the one they state."""
    for name, model in {"": schema, **schema.get("$defs", {})}.items():
        for field, about in model.get("properties", {}).items():
            parts = field.split("_")
            ends = ["_".join(parts[-count:]) for count in (2, 1) if len(parts) > count]
            unit = next((SUFFIXES[end] for end in ends if end in SUFFIXES), None)
            if unit and about.get("unit") not in (unit, None):
                yield f"{name}.{field}"


@pytest.mark.parametrize("command", MODELS)
def test_units_are_those_in_the_names(command: str) -> None:
    assert list(other_units(schema_of(command))) == []


def test_another_unit_than_that_in_the_name_is_seen() -> None:
    class Cell(Result):
        read_energy_j: Annotated[float, Measure("J", "right")]
        time_s: Annotated[float, Measure("J", "wrong")]
        density_a_m2: Annotated[float, Measure("A", "wrong")]

    assert list(other_units(Cell.model_json_schema())) == [".time_s", ".density_a_m2"]


def test_a_number_without_unit_is_seen() -> None:
    class Inner(Result):
        table: dict[str, tuple[float, ...]]
        named: Annotated[dict[str, float] | None, Measure("J", "by part")]
        text: str

    class Outer(Results):
        inner: tuple[Inner, ...]
        count: int | None

    assert set(unnamed_numbers(Outer.model_json_schema())) == {"Inner.table", ".count"}


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused_with_the_name_of_its_field(wrong: float) -> None:
    with pytest.raises(ValidationError, match=r"(?s)energy_j.*finite"):
        Read(energy_j=wrong, difference=None)
    with pytest.raises(ValidationError, match=r"(?s)outputs_a\.1.*finite"):
        Read(energy_j=1.0, outputs_a=(0.0, wrong), difference=None)


def test_a_field_without_a_value_is_null_and_one_with_a_default_is_absent() -> None:
    assert Read(energy_j=1.0, difference=None).model_dump(mode="json") == {
        "files": [],
        "energy_j": 1.0,
        "outputs_a": [],
        "difference": None,
    }
    assert Read(energy_j=1.0, difference=2.0, programmed=0.0).model_dump()["programmed"] == 0.0


def test_unit_and_meaning_of_a_field() -> None:
    assert measure_of(Read, "energy_j") == Measure("J", "energy of one read")
    assert measure_of(Read, "programmed").unit == "1"
    with pytest.raises(KeyError, match=r"Read\.files has no unit"):
        measure_of(Read, "files")


def test_a_folder_ends_with_everything_listed(tmp_path: Path) -> None:
    (tmp_path / "decks").mkdir()
    (tmp_path / "decks" / "a.cir").write_text("* deck\n")
    drawing = '<?xml version="1.0"?><svg viewBox="0 0 10 5"></svg>'
    page = Page(
        title="a read",
        question="What?",
        subtitle="",
        answers=[],
        sentences=[],
        warnings=[],
        sections=[],
        figures={"levels": drawing},
    )
    found = Read(energy_j=2e-9, difference=0.5)
    written = results.write(tmp_path, found, page=page, tables={"levels.csv": "level\n0\n"})
    assert written.files == ("decks/a.cir", "figures/levels.svg", "levels.csv", "report.html", "results.json")
    assert (tmp_path / "figures" / "levels.svg").read_text() == drawing
    assert (tmp_path / "levels.csv").read_text() == "level\n0\n"
    assert "<title>hallspice: a read" in (tmp_path / "report.html").read_text()
    text = (tmp_path / "results.json").read_text()
    assert Read.model_validate_json(text) == written
    assert json.loads(text)["energy_j"] == 2e-9
    assert found.files == ()


def test_an_index_of_another_name_and_no_page(tmp_path: Path) -> None:
    written = results.write(tmp_path, Read(energy_j=1.0, difference=None), index="sweep.json")
    assert written.files == ("sweep.json",)
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.json"]


def test_schema_of_a_command_without_results() -> None:
    with pytest.raises(ValueError, match=r"'doctor' has no results\.json, allowed: .*train"):
        schema_of("doctor")
