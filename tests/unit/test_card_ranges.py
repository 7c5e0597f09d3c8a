"""What a card, its entries and their quantities take and refuse: both sides of every limit."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from compact_model.cards import csv_table, document
from compact_model.cards.anchors import with_anchor_file
from compact_model.cards.device import Choices, DeviceCard, FitRecord, load_card
from compact_model.cards.document import Document, DocumentError, Mistake, Place, parse_document, read_content
from compact_model.cards.entry import Anchor, Entry, EntryList, Provenance, Spec
from compact_model.cards.listing import markdown, parameters
from compact_model.cards.quantity import Quantity, parse_quantity

Content = dict[str, Any]


def content() -> Content:
    return load_card().model_dump(mode="json")


def entry(value: object, unit: object, **more: object) -> Content:
    return {"value": value, "unit": unit, "provenance": "measured", "source": "mine", **more}


def anchors(*pairs: tuple[float, float]) -> list[Content]:
    return [{"t_oxide": t, "value": v, "provenance": "assumed", "source": "mine"} for t, v in pairs]


# --- the card ---


def refused(data: Content, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        DeviceCard.model_validate(data)


@pytest.mark.parametrize(
    "law", ["xi_gain", "rho", "loop_shift", "field_free_drive_a", "field_free_drive_b", "k_s", "wall_ratio"]
)
def test_a_law_has_two_anchors_or_more_in_order(law: str) -> None:
    data = content()
    data["thickness"][law] = anchors((0.0, 1e-6), (2.5e-9, 2e-6))
    assert len(getattr(DeviceCard.model_validate(data).thickness, law)) == 2
    data["thickness"][law] = anchors((0.5e-9, 1e-6))
    refused(data, "at least 2 items")
    data["thickness"][law] = anchors((0.0, 1e-6), (1e-9, 1e-6), (1e-9, 2e-6))
    refused(data, "increasing t_oxide")


@pytest.mark.parametrize(
    ("law", "may"), [("rho", False), ("xi_gain", False), ("k_s", True), ("loop_shift", True)]
)
def test_a_law_that_divides_is_above_zero(law: str, may: bool) -> None:
    data = content()
    data["thickness"][law] = anchors((0.0, 1e-6), (2.5e-9, 0.0))
    if may:
        DeviceCard.model_validate(data)
    else:
        refused(data, "values above 0")


def test_the_oxide_lies_between_the_anchors_of_every_law() -> None:
    data = content()
    for last, right in (
        (0.5e-9, True),
        (0.5e-9 / (1 + 0.5e-12), True),
        (0.5e-9 / (1 + 1.5e-12), False),
        (0.4e-9, False),
    ):
        data["thickness"]["wall_ratio"] = anchors((0.0, 1.0), (last, 1.2))
        if right:
            DeviceCard.model_validate(data)
        else:
            refused(data, "outside the anchors of wall_ratio")
    data["thickness"]["wall_ratio"] = anchors((0.5e-9, 1.0), (2.5e-9, 1.2))
    DeviceCard.model_validate(data)
    data["thickness"]["wall_ratio"] = anchors((0.6e-9, 1.0), (2.5e-9, 1.2))
    refused(data, "outside the anchors of wall_ratio")


def test_thresholds_levels_and_repeats_are_in_order() -> None:
    card = load_card()
    assert card.with_value("switching.theta_low", 2.09).switching.theta_low.value == 2.09
    for low in (2.1, 2.2):
        with pytest.raises(ValidationError, match="is not below theta_high"):
            card.with_value("switching.theta_low", low)
    assert card.with_value("geometry.repeats", 3).geometry.repeats.value == 3.0
    with pytest.raises(ValidationError, match="whole number"):
        card.with_value("geometry.repeats", 2.5)
    for name, value, message in (
        ("levels", [0.33, 0.46, 0.46, 0.52, 0.54, 0.57], "levels must increase"),
        ("ladder", [11e-3, 12e-3, 12e-3, 14e-3, 15e-3], "ladder must increase"),
        ("levels", [0.33, 0.46, 0.49, 0.52, 0.54], "one level more than currents"),
        ("levels", [0.33, 0.46, 0.49, 0.52, 0.54, 0.57, 0.6], "one level more than currents"),
    ):
        data = content()
        data["synapse"][name]["value"] = value
        refused(data, message)


def test_choices() -> None:
    assert Choices().model_dump(mode="json") == {
        "switching": "A", "gate": "product", "levels": "paper", "ladder": "paper_currents", "reset": "field",
        "retention": "common", "grains": 32,
    }  # fmt: skip
    for count, right in ((3, False), (4, True), (256, True), (257, False)):
        if right:
            assert Choices(grains=count).grains == count
        else:
            with pytest.raises(ValidationError):
                Choices(grains=count)


def test_a_correlation_is_square() -> None:
    def record(*rows: tuple[float, ...]) -> FitRecord:
        return FitRecord(data="d", sha256="s", date="t", parameters=("a", "b"), correlation=rows)

    assert len(record((1.0, 0.5), (0.5, 1.0)).correlation) == 2
    for rows in (((1.0, 0.5),), ((1.0,), (0.5,)), ((1.0, 0.5), (0.5,)), ((1.0, 0.5), (0.5, 1.0), (0.0, 0.0))):
        with pytest.raises(ValidationError, match="2 rows of 2 numbers"):
            record(*rows)


def test_a_replaced_number_loses_its_interval() -> None:
    data = content()
    data["switching"]["set_a"]["u0"] |= {"interval": [0.2, 0.4]}
    found = DeviceCard.model_validate(data).with_value("switching.set_a.u0", 0.7).switching.set_a.u0
    assert (found.value, found.interval, found.provenance) == (0.7, None, Provenance.ASSUMED)


# --- entries ---


@pytest.mark.parametrize(
    ("unit", "written", "value", "interval"),
    [
        ("m", (5, "um", [4, 6]), 5e-6, (4e-6, 6e-6)),
        ("m", (5e-6, "m", [4e-6, 6e-6]), 5e-6, (4e-6, 6e-6)),
        ("m", (5, "um", [5, 5]), 5e-6, (5e-6, 5e-6)),
        ("1", (0.5, "1", [0.4, 0.6]), 0.5, (0.4, 0.6)),
        ("1", (0.5, 1, None), 0.5, None),
    ],
)
def test_an_entry_and_its_interval_are_converted(
    unit: str, written: tuple[float, object, Any], value: float, interval: Any
) -> None:
    adapter = TypeAdapter(Annotated[Entry, Spec(unit, "a size")])
    found = adapter.validate_python(entry(written[0], written[1], interval=written[2]))
    assert (found.value, found.unit) == (pytest.approx(value, rel=1e-14, abs=0), unit)
    assert found.interval == (interval and pytest.approx(interval, rel=1e-14, abs=0))


@pytest.mark.parametrize("value", [3.99, 6.01])
def test_a_value_outside_of_its_interval_is_refused(value: float) -> None:
    with pytest.raises(ValidationError, match=r"outside its interval 4\.\.6"):
        Entry.model_validate(entry(value, "um", interval=[4, 6]))
    with pytest.raises(ValidationError, match=r"outside its interval 4\.\.6"):
        Anchor(t_oxide=1e-9, value=value, interval=(4.0, 6.0), provenance=Provenance.FITTED, source="mine")
    assert Entry.model_validate(entry(4, "um", interval=[4, 6])).value == 4.0


@pytest.mark.parametrize(
    ("unit", "given", "message"),
    [
        ("ohm", entry(5, "1"), "unit '1' is not convertible to ohm"),
        ("1", entry(5, "ohm"), "plain number|convertible"),
        ("1", entry(5, "%"), "unit '%' is not convertible to 1"),
        ("m", entry(5, "kg"), "not convertible to m"),
        ("m", entry(5, True), "valid string"),
        ("m", entry(5, 1), "unit '1' is not convertible to m"),
        ("m", entry([5], "um"), "expected a number"),
    ],
)
def test_units_that_an_entry_does_not_take(unit: str, given: Content, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(Annotated[Entry, Spec(unit, "a size")]).validate_python(given)


def test_rows_of_numbers_share_their_unit() -> None:
    adapter = TypeAdapter(Annotated[EntryList, Spec("A", "currents", above=0.0)])
    assert adapter.validate_python(entry([11, 12.5], "mA")).value == (0.011, 0.0125)
    for wrong, message in (
        ([], "expected a list of numbers"),
        (5, "expected a list of numbers"),
        ([1, 0], "out of range"),
    ):
        with pytest.raises(ValidationError, match=message):
            adapter.validate_python(entry(wrong, "mA"))


def test_an_entry_may_be_left_out_where_it_may() -> None:
    assert TypeAdapter(Annotated[Entry | None, Spec("ohm", "an arm")]).validate_python(None) is None
    spec = Spec("ohm", "an arm", low=1.0, high=2.0, above=0.5, below=3.0, least=1e-3)
    assert spec.quantity == Quantity("ohm", "an arm", low=1.0, high=2.0, above=0.5, below=3.0, least=1e-3)


@pytest.mark.parametrize(("t", "right"), [(0.0, True), (1e-7, True), (1.01e-7, False), (-1e-12, False)])
def test_range_of_the_oxide(t: float, right: bool) -> None:
    given = {"t_oxide": t, "value": 0.0, "provenance": "assumed", "source": "mine"}
    if right:
        assert Anchor.model_validate(given).t_oxide == t
    else:
        with pytest.raises(ValidationError, match="out of range"):
            Anchor.model_validate(given)
    with pytest.raises(ValidationError, match="out of range"):
        Anchor.model_validate(given | {"t_oxide": 0.0, "value": -1e-9})


# --- quantities ---


@pytest.mark.parametrize(
    ("quantity", "allowed", "right", "wrong"),
    [
        (Quantity("V", "x"), "any finite number V", (-5.0, 0.0), ()),
        (Quantity("1", "x"), "any finite number", (-5.0,), ()),
        (Quantity("V", "x", low=1.0), "1 <= value V", (1.0, 9.0), (0.99,)),
        (Quantity("V", "x", high=1.0), "value <= 1 V", (1.0, -9.0), (1.01,)),
        (Quantity("1", "x", above=1.0, below=2.0), "1 < value < 2", (1.01, 1.99), (1.0, 2.0, 0.5, 2.5)),
        (Quantity("s", "x", low=0.0, high=2.0), "0 <= value <= 2 s", (0.0, 2.0), (-0.1, 2.1)),
        (Quantity("F", "x", high=1.0, least=1e-3), "0, or 0.001 <= value <= 1 F", (0.0, 1e-3, 1.0), (0.9e-3, 1.1)),
        (Quantity("F", "x", low=0.0, least=1e-3), "0, or 0.001 <= value F", (0.0, 1e-3), (0.9e-3, -1.0)),
    ],
)  # fmt: skip
def test_ranges_and_what_is_said_of_them(
    quantity: Quantity, allowed: str, right: tuple[float, ...], wrong: tuple[float, ...]
) -> None:
    assert quantity.allowed == allowed
    for number in right:
        assert quantity.read(number) == number
    for number in wrong:
        with pytest.raises(ValueError, match=r"is out of range|told from zero"):
            quantity.read(number)


def test_the_schema_of_a_quantity_has_its_range() -> None:
    class Both(BaseModel):
        a: Annotated[float, Quantity("V", "a voltage", low=1.0, below=3.0)]
        b: Annotated[float, Quantity("1", "a share", above=0.0, high=0.5)]

    found = Both.model_json_schema()["properties"]
    assert found["a"]["anyOf"] == [
        {"type": "number", "minimum": 1.0, "exclusiveMaximum": 3.0},
        {"type": "string", "description": "with a unit"},
    ]
    assert found["a"]["description"] == "a voltage [V]; 1 <= value < 3 V"
    assert found["b"]["anyOf"] == [{"type": "number", "maximum": 0.5, "exclusiveMinimum": 0.0}]


def test_long_texts_are_shown_in_part() -> None:
    for length, shown in ((58, "'" + "x" * 58 + "'"), (59, "'" + "x" * 56 + "...")):
        with pytest.raises(ValueError, match="expected") as caught:
            parse_quantity("x" * length, "A")
        assert str(caught.value) == f"expected a number in A or a string with a unit, got {shown}"
    with pytest.raises(ValueError, match=r"^expected a plain number, got '5 mA'$"):
        parse_quantity("5 mA", "1")
    with pytest.raises(ValueError, match=r"^expected a number, got None$"):
        parse_quantity(None, "1")


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("3 1/m^2", "1/m^2", 3.0),
        ("2 cm^-1", "1/m", 200.0),
        ("1 MOe", "Oe", 1e6),
        ("1 mOe", "Oe", 1e-3),
        ("5 A/m2", "A/m^2", 5.0),
    ],
)
def test_spellings_of_units(text: str, unit: str, value: float) -> None:
    assert parse_quantity(text, unit) == pytest.approx(value, rel=1e-14)


# --- documents ---


def test_files_as_long_as_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a" * 100)
    assert len(read_content(path, 100)) == 100
    with pytest.raises(DocumentError, match=r"is longer than 99 bytes"):
        read_content(path, 99)
    assert (document.MAX_BYTES, document.MAX_TABLE_BYTES, document.MAX_DEPTH) == (4_000_000, 200_000_000, 50)
    assert csv_table.MAX_MISTAKES == 20


def test_documents_as_deep_as_the_limit() -> None:
    for depth, wrong in ((50, 0), (51, 1)):
        found = parse_document("[" * depth + "1" + "]" * depth, "x.yaml")
        assert len(found.mistakes) == wrong
    assert "nested deeper than 50 levels" in str(found.mistakes[0])
    assert found.mistakes[0].place == Place(1, 52)


def test_numbers_of_many_digits_are_no_integers() -> None:
    found = parse_document(
        f"a: {'9' * 29}\nb: {'9' * 30}\nc: -7\nd: TRUE\ne: True\nf: tRue\ng: .nan\nh: .NaN", "x"
    ).data
    assert (found["a"], type(found["b"])) == (10**29 - 1, float)
    assert found["c"] == -7
    assert all(found[key] is True for key in "def")
    assert (math.isnan(found["g"]), found["h"]) == (True, ".NaN")


def test_where_values_stand() -> None:
    found = parse_document("a:\n  b: 1\n  c: [2,\n    {d: 3}]\n", "folder/x.yaml")
    assert found.value_places["a", "b"] == Place(2, 6)
    assert found.value_places["a", "c", 1, "d"] == Place(4, 9)
    assert found.key_places["a", "c", 1, "d"] == Place(4, 6)
    assert found.source(("a", "c", 1, "d")) == "x.yaml:4"
    assert found.source(("a", "c", 0)) == "x.yaml:3"
    assert found.source(("a", "b", "none")) == "x.yaml:2"  # of the nearest that stands there
    assert Document("x.yaml", {}).source(("a",)) == "x.yaml"
    told = Document("x.yaml", {}, origins={("a",): "--set"}, value_places={("a",): Place(3, 1)})
    assert told.source(("a", "b")) == "--set"
    assert found.mistake(("a", "e"), "is missing") == Mistake(
        "folder/x.yaml", Place(2, 3), "a.e", "is missing"
    )
    assert found.mistake(("a", "b"), "no").place == Place(2, 6)
    assert found.mistake(("a", "b"), "no", at_key=True).place == Place(2, 3)


def test_mistakes_are_told_in_the_order_of_the_lines() -> None:
    def mistake(place: Place | None, key: str) -> Mistake:
        return Mistake("x", place, key, "no")

    told = [
        mistake(Place(2, 1), "b"),
        mistake(Place(1, 9), "z"),
        mistake(None, "q"),
        mistake(Place(2, 1), "a"),
        mistake(Place(1, 10), "y"),
    ]
    error = DocumentError(told)
    assert [one.key for one in error.mistakes] == ["q", "z", "y", "a", "b"]
    assert str(error).splitlines()[:2] == ["x q: no", "x:1:9 z: no"]


def test_keys_that_are_no_words() -> None:
    found = parse_document("? [1]\n: 2\nb: !x 3\nc: 'on'\n", "x")
    assert found.data == {"b": None, "c": "on"}
    assert [str(one) for one in found.mistakes] == [
        "x:1:3: a key must be a word",
        "x:3:4 b: the tag !x is not supported",
    ]


# --- lists of parameters and anchors of a file ---


def test_parameters_as_a_table() -> None:
    found = {one.name: one for one in parameters(load_card())}
    ladder, rho = found["synapse.ladder"], found["thickness.rho(0.5 nm)"]
    assert (ladder.value, ladder.unit, ladder.allowed) == (
        "0.011, 0.0121, 0.0132, 0.0143, 0.0154",
        "A",
        "0 < value A",
    )
    assert (rho.value, rho.unit, rho.meaning, rho.allowed) == (
        "9e-07",
        "ohm*m",
        "stack resistivity",
        "0 <= value",
    )
    assert found["geometry.w_channel"].allowed == "1e-09 <= value <= 0.001 m"
    assert found["switching.set_a.u0"].provenance == "assumed"
    page = markdown().splitlines()
    assert page[0] == "# Parameters of the shipped card"
    assert len(page) == 7 + len(found)
    other = load_card().with_value("geometry.w_channel", 2e-6)
    assert "| `geometry.w_channel` | channel width | 2e-06 | m | assumed | replaced by 2e-06 |" in markdown(
        other
    )
    assert "| `geometry.w_channel` | channel width | 5e-06 | m | measured |" in markdown()


def test_plain_numbers_and_units_of_a_file_of_anchors(tmp_path: Path) -> None:
    path = tmp_path / "laws.csv"
    path.write_text(
        "unit,law,t_oxide_nm,value,provenance,source\n1,xi_gain,0,1,measured,own\n1,xi_gain,2.5,3.5,measured,own\n"
        "erg/cm^2,k_s,0,1.2,fitted,own\nmJ/m^2,k_s,2.5,0.3,fitted,own\n",
        encoding="utf-8",
    )
    found = with_anchor_file(load_card(), path).thickness
    assert [(a.t_oxide, a.value) for a in found.xi_gain] == [(0.0, 1.0), (2.5e-9, 3.5)]
    assert [a.value for a in found.k_s] == pytest.approx([1.2e-3, 0.3e-3], rel=1e-12)
    path.write_text(
        "unit,law,t_oxide_nm,value,provenance,source\n1,xi_gain,0,1,measured,own\n", encoding="utf-8"
    )
    with pytest.raises(DocumentError, match=r"laws\.csv: .*at least 2 items"):
        with_anchor_file(load_card(), path)
