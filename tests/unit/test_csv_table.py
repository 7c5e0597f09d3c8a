from pathlib import Path

import numpy as np
import pytest

from compact_model.cards.csv_table import (
    MAX_MISTAKES,
    CellError,
    CsvTable,
    parse_csv,
    read_csv,
    read_matrix,
    rows_of,
)
from compact_model.cards.document import DocumentError
from compact_model.cards.quantity import Quantity
from hallspice.page.csv_text import csv_text

STATE = Quantity("ohm", "a state", above=0.0)


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "states.csv"
    path.write_text(text)
    return path


def test_numbers_with_header_comment_and_empty_lines(tmp_path: Path) -> None:
    path = _file(tmp_path, "# measured\nc0_ohm,c1_ohm\n0.33,0.46\n\n0.49, 5.2e-1\n")
    np.testing.assert_array_equal(read_matrix(path, STATE), [[0.33, 0.46], [0.49, 0.52]])


def test_what_is_written_is_read_back_exactly(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=(4, 3))
    path = _file(tmp_path, csv_text(["a_v", "b_v", "c_v"], values.tolist()))
    np.testing.assert_allclose(read_matrix(path, Quantity("V", "an input")), values, rtol=1e-14)


@pytest.mark.parametrize("text", ["1 ohm,500 mohm\n2,0.5 ohm\n", "a,b\n1 ohm,500 mohm\n2 ohm,0.5 ohm\n"])
def test_numbers_with_units_are_values_from_the_first_line_on(tmp_path: Path, text: str) -> None:
    np.testing.assert_array_equal(read_matrix(_file(tmp_path, text), STATE), [[1.0, 0.5], [2.0, 0.5]])


@pytest.mark.parametrize("header", ["v0,v1", "R (1),R (2)", ",", "-,-"])
def test_a_line_in_which_nothing_begins_as_a_number_is_a_header(tmp_path: Path, header: str) -> None:
    np.testing.assert_array_equal(read_matrix(_file(tmp_path, f"{header}\n1,2\n"), STATE), [[1.0, 2.0]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "1,2\n3,x\n",
            r"states\.csv:2:2: a state: expected a number in ohm .*got 'x', allowed: 0 < value ohm",
        ),
        ("1,2\n3,nan\n", r"states\.csv:2:2: a state: .*finite"),
        ("1,2\n3,inf\n", r"states\.csv:2:2: a state: .*finite"),
        ("1,2\n3,0\n", r"states\.csv:2:2: a state: 0 ohm is out of range, allowed: 0 < value ohm"),
        ("1,-2\n3,5\n", r"states\.csv:1:2: a state: -2 ohm is out of range"),
        ("1,2\n3\n", r"states\.csv:2:1: 1 numbers, but the lines above have 2"),
        ("1 ohm,c1\n3,4\n", r"states\.csv:1:2: a state: expected a number in ohm .*got 'c1'"),
        ("1 mA,2 mA\n3,4\n", r"states\.csv:1:1: a state: '1 mA' is not convertible to ohm"),
        ("1 ohms;2\n3;4\n", r"states\.csv:1:1: a state: '1 ohms;2' has an unknown unit"),
        ("1,2\n3,1_0\n", r"states\.csv:2:2: a state: '1_0' has an unknown unit.* allowed: 0 < value ohm"),
        ("1,2\n\u0663,4\n", r"states\.csv:2:1: a state: expected a number in ohm .*got '\u0663'"),
        ("\uff11,\uff12\n3,4\n", r"states\.csv:1:1: a state: expected a number .*got '\uff11'"),
        ("", r"states\.csv: holds no numbers"),
        ("a,b\n", r"states\.csv: holds no numbers"),
    ],
)
def test_mistakes_name_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        read_matrix(_file(tmp_path, text), STATE)


def test_what_is_too_near_to_zero_is_refused_inside_a_line(tmp_path: Path) -> None:
    capacitance = Quantity("F", "a capacitance", low=0.0, least=1e-18)
    assert read_matrix(_file(tmp_path, "0,2e-18\n"), capacitance).tolist() == [[0, 2e-18]]
    with pytest.raises(
        DocumentError, match=r"states\.csv:1:2: a capacitance: 1e-20 F can't be told from zero"
    ):
        read_matrix(_file(tmp_path, "0,1e-20,1\n"), capacitance)


def test_no_more_than_twenty_mistakes_are_told(tmp_path: Path) -> None:
    with pytest.raises(DocumentError) as caught:
        read_matrix(_file(tmp_path, "1,2\n" + "-1,-2\n" * 30), STATE)
    assert len(caught.value.mistakes) == MAX_MISTAKES
    assert str(caught.value.mistakes[-1]).startswith(f"{tmp_path / 'states.csv'}:11:2: a state: -2 ohm")


def test_a_matrix_has_lines_as_rows(tmp_path: Path) -> None:
    assert read_matrix(_file(tmp_path, "1,2,3\n4,5,6\n"), STATE).tolist() == [[1, 2, 3], [4, 5, 6]]


def test_missing_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="no such file"):
        read_matrix(tmp_path / "none.csv", STATE)
    (tmp_path / "states.csv").write_bytes(b"\xff\xfe1,2")
    with pytest.raises(DocumentError, match=r"states\.csv:1:1: is not UTF-8 text"):
        read_matrix(tmp_path / "states.csv", STATE)


def _cells(table: CsvTable) -> list[tuple[str, ...]]:
    return [row.cells for row in table.rows]


def test_lines_keep_their_numbers_across_comments_and_fields_of_several_lines() -> None:
    text = '# one, "two\n\n"a\n# b",c\n,\n  # d,e\n1, "2, 3"\n"# f, g",4\n5,6\n'
    table = parse_csv(text, "x.csv")
    assert [row.line for row in table.rows] == [3, 7, 9]
    assert _cells(table) == [("a\n# b", "c"), ("1", "2, 3"), ("5", "6")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_ends_of_lines_of_every_system(end: str) -> None:
    table = parse_csv(f"a,b{end}{end}1,2{end}", "x.csv")
    assert [(row.line, row.cells) for row in table.rows] == [(1, ("a", "b")), (3, ("1", "2"))]


def test_any_character_may_stand_between_fields() -> None:
    assert [row.cells for row in rows_of("a\tb\n1,5\t2;5\n", "x.csv", "\t")] == [("a", "b"), ("1,5", "2;5")]
    assert _cells(parse_csv("a;b\n1;2\n", "x.csv")) == [("a;b",), ("1;2",)]


def test_tables_of_the_program_are_utf8(tmp_path: Path) -> None:
    path = tmp_path / "loop.csv"
    path.write_bytes("I (\u00b5A)\n1\n".encode("latin-1"))
    with pytest.raises(DocumentError, match=r"loop\.csv:1:1: is not UTF-8"):
        read_csv(path)
    path.write_text("\ufeffI (\u00b5A)\n1\n", encoding="utf-8")
    assert read_csv(path).header == ("I (\u00b5A)",)


def test_a_field_without_an_end_is_named_where_it_begins() -> None:
    with pytest.raises(DocumentError, match=r"^x\.csv:3:1: cannot be read as CSV: field larger"):
        parse_csv('a,b\n1,2\n3,"' + "4\n" * 100_000, "x.csv")


def _pair(cells: dict[str, str]) -> tuple[int, str]:
    if cells["b"] == "bad":
        raise CellError("b", "is bad")
    return int(cells["a"]), cells.get("c", "none")


def test_records_take_their_cells_by_name() -> None:
    table = parse_csv("c,b,a\nx,y,1\n,z,2\n", "x.csv")
    assert table.records(_pair, needed=("b", "a"), allowed=("a", "b", "c")) == [(1, "x"), (2, "")]
    assert parse_csv("b,a\nx,1\n", "x.csv").records(_pair, needed=("b", "a"), allowed=("a", "b", "c")) == [
        (1, "none")
    ]
    with pytest.raises(DocumentError, match=r"^x\.csv:1:1: no column d; others may be there$"):
        table.records(_pair, needed=("a", "d"), allowed=None)
    assert table.records(_pair, needed=("a",), allowed=None) == [(1, "x"), (2, "")]


def test_wrong_cells_lines_and_columns_are_named_with_their_place() -> None:
    table = parse_csv("a,b\n1,2\n# c\n1,bad\n1\nx,2\n", "x.csv")
    with pytest.raises(DocumentError) as caught:
        table.records(_pair, needed=("a", "b"), allowed=("a", "b"))
    assert [str(mistake) for mistake in caught.value.mistakes] == [
        "x.csv:4:2 b: is bad",
        "x.csv:5:1: has 1 fields, allowed: 2",
        "x.csv:6:1: invalid literal for int() with base 10: 'x'",
    ]
    with pytest.raises(DocumentError) as caught:
        parse_csv("a,d,a\n1,2,3\n", "x.csv").records(_pair, needed=("b", "a"), allowed=("a", "b", "c"))
    assert [str(mistake) for mistake in caught.value.mistakes] == [
        "x.csv:1:1: no column b; allowed: a, b, c (b, a needed)",
        "x.csv:1:2: unknown column 'd', allowed: a, b, c (b, a needed)",
        "x.csv:1:3: repeated column 'a'; keep one",
    ]


def test_mistakes_are_told_up_to_a_limit(tmp_path: Path) -> None:
    many = 3 * MAX_MISTAKES
    with pytest.raises(DocumentError) as caught:
        parse_csv("a,b\n" + "1,bad\n" * many, "x.csv").records(_pair, needed=("a", "b"), allowed=("a", "b"))
    assert [m.place.line for m in caught.value.mistakes if m.place] == list(range(2, 2 + MAX_MISTAKES))
    with pytest.raises(DocumentError) as caught:
        read_matrix(_file(tmp_path, "x1,x2\n" + "1,-1\n" * many), STATE)
    assert len(caught.value.mistakes) == MAX_MISTAKES


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", ["7,8", "7,8.0 ohm", "7,8\n# end", '7,"8"', "\n , \n7,8"])
def test_plain_tables_and_others_give_the_same(tmp_path: Path, end: str, last: str) -> None:
    text = f"# of 1, 2\n\nR1,R2\n3e0,+4\n\n .5 ,\t6.\n{last}\n".replace("\n", end)
    (tmp_path / "states.csv").write_bytes(text.encode())
    assert read_matrix(tmp_path / "states.csv", STATE).tolist() == [[3, 4], [0.5, 6], [7, 8]]


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ("0,0,0\n1,-1e-31,1\n", r"states\.csv:3:2: .*-1e-31 V can't be told from zero"),
        ("1,0,0\n1,1,-2.1\n", r"states\.csv:3:3: .*-2\.1 V is out of range"),
        ("1,0,0\n1,2.1,2\n", r"states\.csv:3:2: .*2\.1 V is out of range"),
        ("1,0,0\n1,2,1e999\n", r"states\.csv:3:3: .*expected a finite number"),
        ("1,0,0\n1,2,\n", r"states\.csv:3:3: .*expected a number"),
        ("1,0,0\n1,2\n", r"states\.csv:3:1: 2 numbers, but the lines above have 3"),
    ],
)
def test_a_mistake_of_a_plain_table_is_found(tmp_path: Path, numbers: str, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        read_matrix(_file(tmp_path, f"a,b,c\n{numbers}"), Quantity("V", "an input", low=-2.0, high=2.0))


def test_zeros_are_numbers_of_a_plain_table(tmp_path: Path) -> None:
    assert read_matrix(_file(tmp_path, "0,0\n"), Quantity("V", "an input")).tolist() == [[0, 0]]


def test_lines_of_numbers_are_written_as_other_lines_are() -> None:
    assert csv_text(["a", "b,c"], [[0.1 + 0.2, -1e300], [1.0, True], [2, "x,y"], []]) == (
        'a,"b,c"\n0.3,-1e+300\n1,True\n2,"x,y"\n\n'
    )
