from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from compact_model.cards.document import (
    DocumentError,
    load_model,
    parse_document,
    validate,
    validate_leniently,
)
from compact_model.cards.quantity import Quantity


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")
    current: Annotated[float, Quantity("A", "current", above=0.0, high=0.02)] = 1e-3
    count: Annotated[int, Field(ge=1, le=5, strict=True)] = 2
    kind: Literal["one", "two"] = "one"
    sizes: list[Annotated[int, Field(ge=1, strict=True)]] = [1]


class Whole(BaseModel):
    model_config = ConfigDict(extra="forbid")
    part: Part = Part()
    name: str


WRONG = """\
part:
  current: 20 V
  count: 9
  kind: three
  sizes: [4, 0]
  curent: 1
  count: 3
extra: 1
"""


def test_all_mistakes_are_listed_with_line_column_key_and_what_is_allowed() -> None:
    with pytest.raises(DocumentError) as caught:
        validate(parse_document(WRONG, "array.yaml"), Whole)
    lines = str(caught.value).splitlines()
    expected = [
        "array.yaml:1:1 name: is missing",
        "array.yaml:2:12 part.current: '20 V' is not convertible to A, allowed: 0 < value <= 0.02 A",
        "array.yaml:3:10 part.count: 9 is out of range, allowed: <= 5",
        "array.yaml:4:9 part.kind: 'three' is not known, allowed: 'one' or 'two'",
        "array.yaml:5:14 part.sizes[1]: 0 is out of range, allowed: >= 1",
        "array.yaml:6:3 part.curent: unknown key, did you mean 'current'?",
        "array.yaml:7:3 part.count: repeated key, first given in line 3; keep one",
        "array.yaml:8:1 extra: unknown key",
    ]
    assert [line.startswith(start) for line, start in zip(lines, expected, strict=True)] == [True] * 8, lines


def test_right_keys_survive_wrong_ones() -> None:
    text = "name: x\npart: {count: 4, current: -1, sizes: [0, 2]}\n"
    whole, mistakes, wrong = validate_leniently(parse_document(text, "f"), Whole)
    assert whole == Whole(name="x", part=Part(count=4))
    assert len(mistakes) == 2
    assert wrong == {("part", "current"), ("part", "sizes")}


def test_plain_scalars_follow_yaml_1_2() -> None:
    text = "a: 1e11\nb: on\nc: true\nd: '3'\ne: 0x10\nf: ~\ng: 2026-01-01\nh: .5\ni: 1_0\nj: \u0663\nk: \uff11.5\n"
    data = parse_document(text, "f").data
    assert data == {
        "a": 1e11,
        "b": "on",
        "c": True,
        "d": "3",
        "e": "0x10",
        "f": None,
        "g": "2026-01-01",
        "h": 0.5,
        "i": "1_0",
        "j": "\u0663",
        "k": "\uff11.5",
    }


@pytest.mark.parametrize(
    "text",
    [
        "a: [1",
        "a: &x 1\nb: *x",
        "",
        "a: !!python/object:os.system x",
        "? [1]\n: 2",
        "[" * 3000,
        "a: b: c",
        "\0",
    ],
)
def test_what_is_no_usable_yaml_is_refused_with_the_file_named(text: str) -> None:
    with pytest.raises(DocumentError, match=r"^f\.yaml"):
        validate(parse_document(text, "f.yaml"), Whole)


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"none\.yaml: no such file"):
        load_model(tmp_path / "none.yaml", Whole)
    with pytest.raises(DocumentError, match="cannot be read"):
        load_model(tmp_path, Whole)
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\nname: \xff\n")
    with pytest.raises(DocumentError, match=r"latin\.yaml:2:1: is not UTF-8 text"):
        load_model(tmp_path / "latin.yaml", Whole)
