from pathlib import Path

import numpy as np
import pytest

from compact_model.cards.document import DocumentError
from compact_model.cards.quantity import Quantity
from hallspice.page.tables import csv_text, read_matrix

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
        ("", r"states\.csv: holds no numbers"),
        ("a,b\n", r"states\.csv: holds no numbers"),
    ],
)
def test_mistakes_name_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        read_matrix(_file(tmp_path, text), STATE)


def test_missing_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="no such file"):
        read_matrix(tmp_path / "none.csv", STATE)
    (tmp_path / "states.csv").write_bytes(b"\xff\xfe1,2")
    with pytest.raises(DocumentError, match=r"states\.csv:1:1: is not UTF-8 text"):
        read_matrix(tmp_path / "states.csv", STATE)
