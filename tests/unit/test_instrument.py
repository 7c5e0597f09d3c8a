"""Files as instruments write them: what is found in them, and what is said about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from compact_model.cards.document import DocumentError
from compact_model.measured.instrument import SEARCHED, Sheet, is_number, read_sheet
from compact_model.measured.names import quantity_in, unit_in, unit_of
from compact_model.measured.tables import Layout, MeasurementError, Separator


def read(
    folder: Path,
    text: str | bytes,
    wanted: tuple[str, ...] = ("I", "R"),
    labels: tuple[str, ...] = (),
    **layout: object,
) -> Sheet:
    path = folder / "x.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_sheet(path, Layout.model_validate(layout), wanted, labels)


def cells(sheet: Sheet) -> list[tuple[str, ...]]:
    return [row.cells for row in sheet.table.rows]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I;R\n1;2\n", "semicolons"),
        ("I\tR\n1\t2\n", "tabs"),
        ("  I    R  \n1     2\n", "two or more blanks"),
        ("I R\n1 2\n", "blanks"),
        ('"I"   "R"\n 1 \t 2 \n', "two or more blanks"),
        ("I R \r\n 1 2\r\n", "blanks"),
    ],
)
def test_the_names_asked_for_tell_the_separator(tmp_path: Path, text: str, words: str) -> None:
    sheet = read(tmp_path, text)
    assert cells(sheet) == [("I", "R"), ("1", "2")]
    assert sheet.said == (f"x.txt: the names stand in line 1, separated by {words}.",)
    assert sheet.what == f"separated by {words}"


def test_blanks_may_stand_in_names_and_between_quotation_marks(tmp_path: Path) -> None:
    sheet = read(tmp_path, "write (mA)   R xy\n1  2\n", ("write (mA)", "R xy"))
    assert cells(sheet) == [("write (mA)", "R xy"), ("1", "2")]
    sheet = read(tmp_path, '"write (mA)" "R xy"\n1 2\n', ("write (mA)", "R xy"))
    assert cells(sheet) == [("write (mA)", "R xy"), ("1", "2")]


def test_plain_tables_need_no_words(tmp_path: Path) -> None:
    for text in ("I,R\n1,2\n3,4\n", "# made by us\nI,R\n1,2\n3,4\n"):
        sheet = read(tmp_path, text)
        assert (sheet.said, sheet.decimal, sheet.units) == ((), ".", ())
        assert cells(sheet)[1:] == [("1", "2"), ("3", "4")]
    stated = read(tmp_path, "title\nI\tR\n1,5\t2\n", header=2, separator="tab", decimal=",", encoding="utf-8")
    assert stated.said == ()


def test_a_preamble_is_passed_over_to_the_names(tmp_path: Path) -> None:
    text = "[Header]\nTITLE,I and R\nI,5\n[Data]\n\nx,I,R\n,1,2\n"
    sheet = read(tmp_path, text)
    assert [(row.line, row.cells) for row in sheet.table.rows] == [(6, ("x", "I", "R")), (7, ("", "1", "2"))]
    assert sheet.said == ("x.txt: the names stand in line 6, separated by commas.",)
    second = read(tmp_path, "I,R\n1,2\nI,R,T\n3,4,5\n", header=3)
    assert cells(second) == [("I", "R", "T"), ("3", "4", "5")]


def test_names_may_stand_in_a_comment(tmp_path: Path) -> None:
    sheet = read(tmp_path, '# by "savetxt\n# I R\n1 2\n# end\n3 4\n')
    assert cells(sheet) == [("I", "R"), ("1", "2"), ("3", "4")]
    assert sheet.table.rows[0].line == 2
    assert sheet.said == ("x.txt: the names stand in line 2, separated by blanks.",)


def test_units_and_repeated_headers_are_no_numbers(tmp_path: Path) -> None:
    text = "I,R,n\nmA,ohm,\ncurrent,Hall,a\n1,2,b\nI,R,n\nmA,ohm,\n3,,c\n"
    sheet = read(tmp_path, text, labels=("n",))
    assert cells(sheet) == [("I", "R", "n"), ("1", "2", "b"), ("3", "", "c")]
    assert [row.line for row in sheet.units] == [2, 3]
    assert sheet.said[0] == (
        "x.txt: below the names stand units or comments, no numbers: mA, ohm; current, Hall, a."
    )
    assert sheet.said[1].startswith(
        "x.txt: the header stands again in line 5; what follows was taken as the same"
    )
    # four lines of words are none of units, and neither is a table of words alone
    assert read(tmp_path, "I,R\na,b\na,c\na,d\n1,2\n").units != ()
    assert read(tmp_path, "I,R\na,b\na,c\na,d\na,e\n1,2\n").units == ()
    assert read(tmp_path, "I,R\na,b\na,c\n").units == ()
    assert [row.cells for row in read(tmp_path, "I,R\nmA\n1,2\n").units] == [("mA",)]
    # a reading that is missing makes no line of units
    assert cells(read(tmp_path, "I,R\n1,\n2,3\n"))[1] == ("1", "")


@pytest.mark.parametrize(
    ("text", "decimal"),
    [
        ("I\tR\n1,5\t0,332\n", ","),
        ("I\tR\n1,000\t0,332\n", ","),  # one cell is enough
        ('I,R\n"1,5","0,3"\n', ","),
        ("I;R\n1,5e-3;-,25\n", ","),
        ("I;R\n1.5;2\n", "."),
        ("I;R\n1;2\n", "."),
        ("I;R\n1,2500;2\n", ","),
        ("I;R\n1234,500;2\n", ","),
        ("I;R\n-0,500;2\n", ","),
        ("I;n;R\n1;a,b.c;2\n", "."),  # words are not asked
    ],
)
def test_the_cells_tell_the_decimal_mark(tmp_path: Path, text: str, decimal: str) -> None:
    sheet = read(tmp_path, text)
    assert sheet.decimal == decimal
    assert ("x.txt: the comma is the decimal mark." in sheet.said) == (decimal == ",")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "I;R\n1;2\n1,234.5;2\n",
            r"x\.txt:3:1 I: holds '1,234\.5': write numbers without separators of thousands",
        ),
        ("I;R\n1;1.234,5\n", r"x\.txt:2:2 R: holds '1\.234,5': write numbers without"),
        ("I;R\n1;1,234,567\n", r"x\.txt:2:2 R: holds '1,234,567': write"),
        (
            "I;R\n1,234;2\n",
            r"x\.txt:2:1 I: holds '1,234', and this may be a decimal mark or one of thousands; .*decimal: ",
        ),
        (
            "I;R\n1,5;2\n1;0.3\n",
            r"x\.txt:2:1 I: holds '1,5', and others have a decimal point; write one mark",
        ),
    ],
)
def test_numbers_that_can_be_read_in_two_ways_are_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DocumentError, match=said):
        read(tmp_path, text)
    assert read(tmp_path, text, decimal=",").decimal == ","


def test_encodings(tmp_path: Path) -> None:
    text = "I (\u00b5A)\tR\n1\t2\n"
    names = ("I (\u00b5A)", "R")
    for encoding in ("utf-8", "utf-8-sig"):
        assert len(read(tmp_path, text.encode(encoding), names).said) == 1
    for encoding in ("utf-16", "utf-16-be"):
        mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
        sheet = read(tmp_path, mark + text.encode(encoding), names)
        assert sheet.said[0] == "x.txt: was read as UTF-16, by its first bytes."
        assert cells(sheet) == [names, ("1", "2")]
    sheet = read(tmp_path, text.encode("latin-1"), names)
    assert sheet.said[0] == "x.txt: is no UTF-8 and was read as latin-1 (`encoding`)."
    assert cells(read(tmp_path, text.encode("cp437"), names, encoding="cp437"))[0] == names
    with pytest.raises(DocumentError, match=r"x\.txt:2:1: is not utf-8 text"):
        read(tmp_path, b"I,R\n\xe9,2\n", encoding="utf-8")
    with pytest.raises(DocumentError, match=r"is not utf-16 text"):
        read(tmp_path, b"\xff\xfeI\x00,")
    with pytest.raises(MeasurementError, match="'utf-9' is no encoding; allowed: utf-8"):
        read(tmp_path, text, encoding="utf-9")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no lines"),
        ("\n#a\n", "holds no lines"),
        ("a,b\n", "no line looks like names above numbers; say where they stand: `header: LINE`"),
        ("I,R\n", "holds a header and no numbers"),
        ("a,b\n1,2\n", r"no column 'I'; the header has: a, b \(line 1, separated by commas\)\. If"),
        (
            "t\nu\nI\tRs\n1,5\t2,5\n",
            r"no column 'R'; the header has: I, Rs \(line 3, separated by tabs\); did you mean 'Rs'\?",
        ),
        ("R;I;R\n1;2;3\n", "line 1 names 'R' twice; rename one of the columns"),
    ],
)
def test_what_is_no_table_says_what_to_do(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(MeasurementError, match=said):
        read(tmp_path, text)


def test_without_names_the_largest_block_of_numbers_has_the_header(tmp_path: Path) -> None:
    text = "INFO,1,2\nSize,5,6\nend\nI (mA);R (ohm)\n1,5;2\n3,5;4\n5,5;x\n"
    sheet = read(tmp_path, text, ())
    assert cells(sheet) == [("I (mA)", "R (ohm)"), ("1,5", "2"), ("3,5", "4"), ("5,5", "x")]
    assert (sheet.decimal, sheet.what) == (",", "separated by semicolons")
    units = read(tmp_path, "a,b\nI,R\nmA,Ohm\n1,2\n", ())
    assert cells(units) == [("I", "R"), ("1", "2")]
    assert [row.cells for row in units.units] == [("mA", "Ohm")]
    assert cells(read(tmp_path, "mA,ohm\n1,2\n", ()))[0] == ("mA", "ohm")
    assert cells(read(tmp_path, "a,b\n1,2\nI,R\n3,4\n", (), header=3)) == [("I", "R"), ("3", "4")]
    with pytest.raises(MeasurementError, match="no line looks like names"):
        read(tmp_path, "1,2\n3,4\n", ())


def test_the_header_is_looked_for_in_the_first_thousand_lines(tmp_path: Path) -> None:
    far = "a\n" * (SEARCHED - 1) + "I,R\n1,2\n"
    assert SEARCHED == 1000
    assert read(tmp_path, far).table.rows[0].line == 1000
    with pytest.raises(MeasurementError):
        read(tmp_path, "a\n" + far)
    assert read(tmp_path, "a\n" + far, header=1001).table.rows[0].line == 1001


def test_what_is_a_number() -> None:
    for cell in ("1", "-1.5e-3", "+,5", "2,", "", "NaN", "OVLD", "-inf", "9.9E37"):
        assert is_number(cell), cell
    for cell in ("1.5 A", "e5", ".", "1,2,3", "x", "1_0"):
        assert not is_number(cell), cell


def test_separators_are_told_by_word_or_character() -> None:
    assert Layout(separator="tab").separator is Separator.TAB  # type: ignore[arg-type]
    assert [one.value for one in Separator] == ["tab", ";", ",", "blanks", "blank"]


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("mA", "mA"),
        ("(\u03bcA)", "uA"),
        ("[ohms]", "ohm"),
        ("m\u03a9", "mohm"),
        ("OHM", "ohm"),
        ("A/cm^2", "A/cm^2"),
        ("A/m\u00b2", "A/m^2"),
        ("sec", "s"),
        ("G", "Oe"),
        ("MA", None),
        ("code", None),
        ("", None),
    ],
)
def test_units_as_tables_spell_them(text: str, unit: str | None) -> None:
    assert unit_of(text) == unit


@pytest.mark.parametrize(
    ("name", "unit", "quantity"),
    [
        ("I (mA)", "mA", "current"),
        ("I_write_A", "A", "current"),
        ("read current [uA]", "uA", "i_read"),
        ("J / A/m^2", "A/m^2", "density"),
        ("J (A/m2)", "A/m^2", "density"),
        ("V_Hall_V", "V", "voltage"),
        ("write voltage (V)", "V", None),
        ("Rxy, Ohm", "ohm", "hall"),
        ("R_xx (ohm)", "ohm", None),
        ("Hx_gaussmeter (Oe)", "Oe", "h_x"),
        ("in-plane field (mT)", "mT", "h_x"),
        ("Magnetic Field (Oe)", "Oe", "h_z"),
        ("T (K)", "K", "temperature"),
        ("Time Stamp (sec)", "s", "time"),
        ("pulse width (us)", "us", "t_pulse"),
        ("E (uJ)", "uJ", "energy"),
        ("t_ox (nm)", "nm", "t_oxide"),
        ("switched (%)", "%", "fraction"),
        ("sample", None, "device"),
        ("cycle", None, "cycle"),
        ("Map 20 ()", None, None),
    ],
)
def test_names_tell_unit_and_quantity(name: str, unit: str | None, quantity: str | None) -> None:
    assert unit_in(name) == unit
    assert quantity_in(name, unit) == quantity
