"""Where the mistakes of nested documents are told, and that each is told once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict

from compact_model.cards.csv_table import parse_csv, read_matrix
from compact_model.cards.document import (
    Document,
    DocumentError,
    Place,
    load_overlaid,
    parse_document,
    read_text,
    validate,
    validate_leniently,
)
from compact_model.cards.entry import CardModel, Name
from compact_model.cards.quantity import Quantity


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    a: int
    size: int = 1


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    inner: Inner
    items: list[Inner] = []
    name: str = "x"


class Named(Outer):
    named: dict[str, Inner] = {}
    either: Annotated[list[int] | dict[str, list[Inner]], "of two kinds"] = []


def told(text: str, model: type[BaseModel] = Outer) -> list[str]:
    _, mistakes, _ = validate_leniently(parse_document(text, "f"), model)
    return [str(one).removeprefix("f:") for one in DocumentError(mistakes).mistakes]


def test_what_is_missing_in_a_part_is_told_once_with_the_place_of_the_part() -> None:
    text = "inner: {size: 2}\nitems: [{a: 1}, {size: 2}]\nname: [1]\n"
    assert told(text) == [
        "1:8 inner.a: is missing",
        "2:17 items[1].a: is missing",
        "3:7 name: expected a valid string, got a list",
    ]


def test_unknown_keys_of_lists_are_told_with_those_that_may_stand_there() -> None:
    text = "inner: {a: 1}\nitems: [{a: 1}, {a: 1, syze: 2, b: 3}]\nextra: 1\n"
    assert told(text) == [
        "2:24 items[1].syze: unknown key, did you mean 'size'? Allowed: a, size",
        "2:33 items[1].b: unknown key Allowed: a, size",
        "3:1 extra: unknown key Allowed: inner, items, name",
    ]
    assert told("inner: {a: 1}\nname: {b: 1}\n") == [
        "2:7 name: expected a valid string, got keys with values"
    ]


def test_parts_that_are_none() -> None:
    assert told("inner: 3\n") == ["1:8 inner: expected keys with values, got 3"]
    assert told("inner:\n") == ["1:7 inner: expected keys with values, got nothing"]
    assert told("- 1\n") == ["1:1: expected keys with values, got a list"]
    assert told("text\n") == ["1:1: expected keys with values, got text"]


def test_a_document_with_mistakes_of_its_own_is_refused_even_where_its_data_are_right() -> None:
    document = parse_document("inner: {a: 1}\ninner: {a: 2}\n", "f")
    checked, mistakes, wrong = validate_leniently(document, Outer)
    assert (checked, len(mistakes), wrong) == (Outer(inner=Inner(a=1)), 1, frozenset())
    with pytest.raises(DocumentError, match=r"f:2:1 inner: repeated key, first given in line 1; keep one"):
        validate(document, Outer)


def test_a_list_with_a_wrong_item_is_left_out_as_a_whole() -> None:
    checked, mistakes, wrong = validate_leniently(
        parse_document("inner: {a: 1}\nitems: [{a: 1}, {a: x}, {a: y}]\n", "f"), Outer
    )
    assert checked == Outer(inner=Inner(a=1))
    assert [one.place for one in mistakes] == [Place(2, 21), Place(2, 29)]
    assert wrong == {("items",)}


def test_cards_over_the_shipped_one(tmp_path: Path) -> None:
    shipped = tmp_path / "base.yaml"
    shipped.write_text("inner: {a: 1, size: 5}\nitems: [{a: 1}]\nname: base\n")

    class Card(Outer):
        based_on: str | None = None

    def loaded(text: str) -> Any:
        path = tmp_path / "own.yaml"
        path.write_text(text)
        return load_overlaid(path, shipped, Card)

    assert load_overlaid(None, shipped, Card) == Card(
        inner=Inner(a=1, size=5), items=[Inner(a=1)], name="base"
    )
    # mappings are joined, all else is replaced
    own = loaded("based_on: base\ninner: {a: 7}\nitems: []\n")
    assert own == Card(inner=Inner(a=7, size=5), items=[], name="base", based_on="base")
    assert loaded("inner: {a: 7}\n") == Card(inner=Inner(a=7))
    assert loaded("based_on: other\ninner: {a: 7}\n") == Card(inner=Inner(a=7), based_on="other")
    with pytest.raises(DocumentError, match=r"own\.yaml:2:8 inner: expected keys"):
        loaded("based_on: base\ninner: 3\n")
    with pytest.raises(DocumentError, match=r"own\.yaml:1:1: expected keys with values"):
        loaded("[1]\n")


def test_names_are_one_line() -> None:
    class Named(CardModel):
        name: Name

    assert Named(name="my card").name == "my card"
    for wrong in ("", "  ", "a\nb", "a\x1bb"):
        with pytest.raises(ValueError, match="is no name"):
            Named(name=wrong)
    with pytest.raises(ValueError, match="frozen"):
        Named(name="a").name = "b"  # type: ignore[misc]


def test_bytes_that_are_no_text_have_their_line(tmp_path: Path) -> None:
    for content, line in ((b"\xff", 1), (b"a\n\xff\n", 2), (b"a\n\nb\n\xff\n\n", 4)):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(DocumentError, match=rf"x:{line}:1: is not UTF-8 text"):
            read_text(tmp_path / "x")
    assert Document("x", {}).mistake(("a",), "no").place is None


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: *x\n", r"x:1:4: is not valid YAML: aliases"),
        ("a: [1,\nb: }\n", r"x:2:\d+: is not valid YAML"),
        ("a: 'b\n", r"x:2:1: is not valid YAML"),
        ("", r"x: is empty"),
        ("\0", r"x: is not valid YAML"),
    ],
)
def test_text_that_is_no_yaml(text: str, what: str) -> None:
    with pytest.raises(DocumentError, match=f"^{what}"):
        parse_document(text, "x")


def test_tables_without_lines() -> None:
    assert (parse_csv("", "x").header, parse_csv("# a\n", "x").body) == ((), ())
    assert str(
        parse_csv("a,b\n1,2\n", "x").mistake(parse_csv("a,b\n1,2\n", "x").body[0], 1, "is bad", "b")
    ) == ("x:2:2 b: is bad")
    with pytest.raises(DocumentError, match=r"x:1:1: no column a; allowed: a \(a needed\)"):
        parse_csv("", "x").records(lambda cells: cells, needed=("a",), allowed=("a",))


def test_lines_of_a_matrix_that_are_too_long_or_too_short(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("1,2\n3\n4,5,6\n7,8\n9,x\n")
    with pytest.raises(DocumentError) as caught:
        read_matrix(path, Quantity("V", "an input"))
    assert [(one.place, one.what[:9]) for one in caught.value.mistakes] == [
        (Place(2, 1), "1 numbers"),
        (Place(3, 1), "3 numbers"),
        (Place(5, 2), "an input:"),
    ]


def test_keys_of_models_in_dicts_are_named() -> None:
    hint = "unknown key, did you mean 'size'? Allowed: a, size"
    (mistake,) = told("inner: {a: 1}\nnamed: {size: {a: 1, syze: 2}}", Named)
    assert mistake == f"2:22 named.size.syze: {hint}"
    assert any(one.endswith(hint) for one in told("inner: {a: 1}\neither: {x: [{a: 1, syze: 2}]}", Named))
