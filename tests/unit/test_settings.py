"""Settings that were read back, and reads of one state."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from compact_model.cards.device import load_card
from compact_model.cards.document import DocumentError
from compact_model.constants import OERSTED
from compact_model.measured.alike import at_one_temperature, check_alike
from compact_model.measured.reader import load_data
from compact_model.measured.records import DataSet, Record
from compact_model.measured.settings import levelled, one_reading_a_state, reads_each, runs, usual_tolerance
from compact_model.measured.tables import (
    DisagreeingError,
    MeasurementError,
    RecordKind,
    Start,
    WrongUnitError,
)
from compact_model.numeric import Floats

CARD = load_card()


def pulses(current: list[float], value: list[float], **changes: object) -> Record:
    count = len(current)
    made = Record(
        name="x",
        kind=RecordKind.LOOP,
        device="a",
        start=Start.PLUS,
        t_oxide=0.5e-9,
        current=np.array(current),
        t_pulse=np.full(count, 2e-4),
        h=np.zeros(count),
        value=np.array(value),
        sigma=None,
        drift=False,
        even=False,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_the_tolerance_is_six_times_the_scatter_within_limits() -> None:
    # steps of 1, 2, 3: the median is 2, a normal scatter of 2/(0.6745 sqrt 2)
    values = np.array([1000.0, 1001.0, np.nan, 999.0, 1002.0])
    assert usual_tolerance(values, 0.0) == pytest.approx(6.0 * 2.0 / (0.6745 * np.sqrt(2.0)))
    assert usual_tolerance(np.array([0.0, 100.0, 0.0, 100.0]), 0.0) == pytest.approx(
        2.0
    )  # 2 % of the largest
    assert usual_tolerance(np.array([-0.5, 0.5, -0.5]), 5.0) == pytest.approx(5.0)
    assert usual_tolerance(np.array([-1000.0, -1000.0, 1000.0, 1000.0]), 5.0) == 0.0  # as programmed
    assert usual_tolerance(np.array([7.0, np.nan]), 5.0) == 0.0
    assert usual_tolerance(np.array([7.0, 7.001]), 5.0) == pytest.approx(6e-3 / (0.6745 * np.sqrt(2.0)))


def test_neighbours_within_the_tolerance_become_their_median() -> None:
    values = np.array([3.0, 1.0, 2.0, np.nan, 2.0, -8.0, 2.0])
    np.testing.assert_array_equal(levelled(values, 1.0, "h"), [2.0, 2.0, 2.0, np.nan, 2.0, -8.0, 2.0])
    np.testing.assert_array_equal(levelled(values, 0.9, "h"), values)
    assert values[0] == 3.0
    with pytest.raises(MeasurementError, match="h runs from 1 to 4 without a gap wider than 1: no settings"):
        levelled(np.append(values, 4.0), 1.0, "h")


def test_runs_of_equal_settings() -> None:
    a, b = np.array([1.0, 1.0, 2.0, 2.0, 2.0]), np.array([0.0, 0.0, 0.0, 0.0, 5.0])
    assert runs([a, b]).tolist() == [0, 2, 4, 5]
    assert runs([a]).tolist() == [0, 2, 5]


@pytest.mark.parametrize(
    ("lengths", "reads"),
    [
        ([5] * 9 + [10], 5),
        ([5] * 9 + [4], 5),  # nine of ten
        ([5] * 8 + [4, 3], 1),
        ([1, 1, 1, 2], 1),
        ([3, 3], 1),  # too few to tell
        ([3, 3, 6], 3),
        ([2, 4, 4, 2, 4], 1),  # four is commonest, three of five
    ],
)
def test_states_are_read_equally_often(lengths: list[int], reads: int) -> None:
    assert reads_each(np.concatenate([[0], np.cumsum(lengths)])) == reads


def test_reads_of_a_state_are_averaged() -> None:
    current = [1e-3] * 2 + [2e-3] * 2 + [3e-3] * 2
    value = [0.1, 0.3, 0.5, np.nan, np.nan, np.nan]
    loop = pulses(
        current, value, sigma=np.array([3.0, 4.0, 1.0, 1.0, 2.0, 2.0]), h=np.repeat([5.0, 5.0, 7.0], 2)
    )
    found, said = one_reading_a_state(loop, None)
    np.testing.assert_allclose(found.value, [0.2, 0.5, np.nan])
    np.testing.assert_allclose(found.current, [1e-3, 2e-3, 3e-3])
    np.testing.assert_allclose(found.h, [5.0, 5.0, 7.0])
    assert found.t_pulse.tolist() == [2e-4] * 3
    assert found.sigma is not None
    np.testing.assert_allclose(found.sigma, [2.5, np.sqrt(0.5), np.sqrt(2.0)])  # (9 + 16)/2/2
    assert said == ["x: 2 reads of each of 3 states were averaged (`reads: 1` if each is a pulse)."]
    assert one_reading_a_state(loop, 1) == (loop, [])
    kept, said = one_reading_a_state(replace(loop, kind=RecordKind.TRAIN), None)
    assert len(kept.value) == 6
    assert said == [
        "x: equal settings stand 2 times in a row; each counts as a pulse (`reads: 2` if they read one state)."
    ]
    stated, said = one_reading_a_state(replace(loop, kind=RecordKind.TRAIN), 2)
    assert (len(stated.value), said) == (3, [])
    long = pulses([1e-3] * 5, [1.0, 2.0, 3.0, 4.0, 9.0])
    np.testing.assert_allclose(one_reading_a_state(long, 2)[0].value, [1.5, 3.5, 9.0])
    assert one_reading_a_state(long, None)[1] == []


YAML = """\
name: mine
data:
  - file: t.csv
    kind: loop
    columns:
      current: {column: I, unit: mA}
      hall: {column: R, unit: ohm}
"""


def loaded(folder: Path, head: str, rows: list[str], more: str = "", kind: str = "loop") -> DataSet:
    columns, _, keys = more.partition("|")
    text = YAML.replace("kind: loop", f"kind: {kind}")
    (folder / "data.yaml").write_text(text + columns + keys, encoding="utf-8")
    (folder / "t.csv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return load_data(folder / "data.yaml")


def test_read_back_fields_and_temperatures_are_one(tmp_path: Path) -> None:
    more = "      h_x: {column: H, unit: Oe}\n      temperature: {column: T, unit: K}\n"
    fields, kelvins = (
        [500.2, 499.9, 500.1, -499.8, -500.2, -500.0],
        [300.1, 299.9, 300.0, 300.0, 300.2, 299.8],
    )
    rows = [f"{8 + k},0.3{k},{h},{t}" for k, (h, t) in enumerate(zip(fields, kelvins, strict=True))]
    data = loaded(tmp_path, "I,R,H,T", rows, more)
    assert [r.name for r in data.records] == ["t.csv mine 300 K +500 Oe", "t.csv mine 300 K -500 Oe"]
    assert data.records[0].h == pytest.approx(np.full(3, 500.1 * OERSTED), rel=1e-9)
    assert data.records[0].temperature == pytest.approx(300.0)
    assert data.reading[0].startswith(
        "t.csv: values of h_x within 1.9 Oe of each other count as one (`tolerance: {h_x"
    )
    assert data.reading[1].startswith("t.csv: values of temperature within 1.3 K")
    assert data.card.thermal.ambient.value == 300.0
    stated = loaded(tmp_path, "I,R,H,T", rows, more + "|    tolerance: {h_x: 0.05 mT}\n")
    assert len(stated.records) == 2
    assert [one for one in stated.reading if "h_x" in one] == []
    exact = loaded(tmp_path, "I,R,H,T", rows, more + "|    tolerance: {h_x: 0 Oe}\n")
    assert len(exact.records) == 6
    with pytest.raises(
        MeasurementError, match=r"t\.csv: h_x in Oe runs from -500\.2 to 500\.2 without a gap wider"
    ):
        loaded(
            tmp_path,
            "I,R,H,T",
            [*rows, "9,0.3,0,300", "9,0.3,250,300", "9,.3,-250,300"],
            more + "|    tolerance: {h_x: 260 Oe}\n",
        )
    with pytest.raises(WrongUnitError, match=r"t\.csv"):
        loaded(tmp_path, "I,R,H,T", rows, more + "|    tolerance: {h_x: 1 V}\n")
    with pytest.raises(
        DocumentError, match="a tolerance is of current, h_x, temperature or a column of `split`, not of 'hx'"
    ):
        loaded(tmp_path, "I,R,H,T", rows, more + "|    tolerance: {hx: 1 Oe}\n")
    with pytest.raises(MeasurementError, match="lines without a temperature"):
        loaded(tmp_path, "I,R,H,T", [*rows, "9,0.3,500,"], more)


def test_a_current_is_one_within_a_stated_tolerance_only(tmp_path: Path) -> None:
    rows = [f"{i},0.3{k}" for k, i in enumerate([9.999, 10.001, 12.001, 11.999, 14.001, 13.999])]
    assert len(loaded(tmp_path, "I,R", rows).records[0].value) == 6
    told = loaded(tmp_path, "I,R", rows, "|    tolerance: {current: 5 uA}\n").records[0]
    np.testing.assert_allclose(told.current, [10e-3, 12e-3, 14e-3])
    np.testing.assert_allclose(told.value, [0.305, 0.325, 0.345])


def test_records_are_split_by_columns_of_the_file(tmp_path: Path) -> None:
    rows = ["9,0.31,5.001,up", "10,0.32,4.999,up", "9,0.33,7.0,up", "10,0.34,7.0,down"]
    by = loaded(tmp_path, "I,R,p,way", rows, "|    split: [p, way]\n    tolerance: {p: 0.01}\n")
    assert [r.name for r in by.records] == ["t.csv mine 5 up", "t.csv mine 7 up", "t.csv mine 7 down"]
    one = loaded(tmp_path, "I,R,p,way", rows, "|    split: way\n")
    assert [r.value.tolist() for r in one.records] == [[0.31, 0.32, 0.33], [0.34]]
    with pytest.raises(MeasurementError, match=r"t\.csv: no column 'q'"):
        loaded(tmp_path, "I,R,p,way", rows, "|    split: q\n")


def test_lines_are_put_in_the_order_of_their_time(tmp_path: Path) -> None:
    more = "      time: {column: t, unit: s}\n"
    data = loaded(tmp_path, "I,R,t", ["9,0.31,3", "10,0.32,1", "11,0.33,2"], more)
    np.testing.assert_allclose(data.records[0].current, [10e-3, 11e-3, 9e-3])
    assert data.artefacts == ("t.csv: the lines were put in the order of their time.",)
    assert loaded(tmp_path, "I,R,t", ["9,0.31,1", "10,0.32,1"], more).artefacts == ()
    with pytest.raises(MeasurementError, match="the time of a line is missing"):
        loaded(tmp_path, "I,R,t", ["9,0.31,3", "10,0.32,1", "11,0.33,"], more)


def test_overflow_and_units_of_the_file(tmp_path: Path) -> None:
    data = loaded(tmp_path, "I,R", ["9,0.31", "10,9.9E37", "11,-9.91e37", "12,9.89e37"][:3])
    np.testing.assert_array_equal(data.records[0].value, [0.31, np.nan, np.nan])
    assert data.reading == (
        "t.csv: 2 readings of 'R' are 9.9e+37 or more: the instrument overflowed; they count as missing.",
    )
    with pytest.raises(WrongUnitError):  # no overflow, and no resistance
        loaded(tmp_path, "I,R", ["9,9.89e37", "10,9.89e37"])
    assert loaded(tmp_path, "I,R", ["mA,Ohm", "9,0.31"]).records[0].value.tolist() == [0.31]
    assert loaded(tmp_path, "I,R", ["words,of the lab", "9,0.31"]).records[0].value.tolist() == [0.31]
    for row in ("A,ohm", "mV,ohm"):
        with pytest.raises(
            WrongUnitError, match=r"t\.csv: line 2 gives column 'I' in .*, the description in mA"
        ):
            loaded(tmp_path, "I,R", [row, "9,0.31"])
    with pytest.raises(DocumentError, match=r"t\.csv:3:2 R: holds '0\.3', not a number"):
        loaded(tmp_path, "I;R", ["9,5;0,31", "10,5;0.3"], "|    decimal: ','\n")
    assert loaded(tmp_path, "I;R", ["9,5;0,31", "10;0,3"]).records[0].current == pytest.approx(
        [9.5e-3, 10e-3]
    )


def field_loop(window: float, kelvin: float | None = None, device: str = "a", noise: float = 0.0) -> Record:
    field = np.linspace(2e5, -2e5, 40)
    wobble = np.random.default_rng(2).normal(0.0, noise, 40)
    value: Floats = 0.4 - 0.5 * window * np.sign(field) + wobble
    made = pulses([0.0] * 40, value.tolist(), kind=RecordKind.FIELD_LOOP, device=device, temperature=kelvin)
    return replace(made, h=field, name=f"{window:g}")


def test_records_of_the_temperature_next_to_the_cards_are_kept() -> None:
    hot, own, cold, bare = (
        field_loop(0.2, 330.0),
        field_loop(0.3, 303.0),
        field_loop(0.4, 100.0),
        field_loop(0.5),
    )
    card, kept, left, said = at_one_temperature([cold, own, bare, hot], CARD)
    assert (kept, said, card) == ([own, bare], [], CARD)
    assert [str(one) for one in left] == [
        "0.4: measured at 100 K; a card is of one temperature, here 303 K",
        "0.2: measured at 330 K; a card is of one temperature, here 303 K",
    ]
    card, kept, left, said = at_one_temperature([hot], CARD)
    assert (card.thermal.ambient.value, kept, left) == (330.0, [hot], [])
    assert said == ["The readings were taken at 330 K, which replaces the card's ambient of 300 K."]
    with pytest.raises(MeasurementError, match=r"0\.4: measured at 100 K, allowed: 200\.\.500 K"):
        at_one_temperature([cold], CARD)
    for kelvin, replaced in ((305.9, False), (306.1, True), (294.1, False), (293.9, True)):  # 2 % of 300 K
        assert bool(at_one_temperature([field_loop(0.3, kelvin)], CARD)[3]) is replaced
    for kelvin, count in ((305.9, 2), (306.1, 1)):
        assert len(at_one_temperature([field_loop(0.3, 300.0), field_loop(0.3, kelvin)], CARD)[1]) == count
    assert at_one_temperature([bare], CARD)[:2] == (CARD, [bare])


def test_field_loops_of_one_device_have_one_window() -> None:
    check_alike([field_loop(0.2), field_loop(0.2102), field_loop(0.4, device="b"), pulses([1e-3], [0.3])])
    with pytest.raises(DisagreeingError, match=r"0\.2 has a window of 0\.2 ohm, 0\.212 one of 0\.212 ohm"):
        check_alike([field_loop(0.2), field_loop(0.4, device="b"), field_loop(0.212)])
    # the noise of each end is 0.02/sqrt(6): two windows differ by 2 of it, beyond 5 % and within 5 standard errors
    check_alike([field_loop(0.2, noise=0.02), field_loop(0.23)])
    check_alike([field_loop(0.2), replace(field_loop(0.3), t_oxide=0.7e-9)])
