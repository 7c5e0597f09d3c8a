"""Readings of tables, what a law predicts for them, and levels from them, against numbers by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.special import ndtr
from scipy.stats import norm

from compact_model import spread, stack, switching, synapse, thermal, transport
from compact_model.cards.device import DeviceCard, load_card
from compact_model.cards.document import DocumentError
from compact_model.constants import OERSTED
from compact_model.measured.extraction import (
    LevelTable,
    extract_levels,
    nonlinearity,
    pulse_response,
    read_state_table,
    state_table_card,
    suggested_ladder,
)
from compact_model.measured.instrument import read_sheet
from compact_model.measured.reader import load_data
from compact_model.measured.records import DataSet, Record
from compact_model.measured.response import (
    FitResponse,
    ThresholdForm,
    _run_lengths,
    card_values,
    fraction,
    memory,
)
from compact_model.measured.tables import (
    FitChoices,
    Layout,
    MeasurementError,
    RecordKind,
    Start,
    WrongUnitError,
    unit_factor,
)
from compact_model.programming import equal_ladder

CARD = load_card()


def pulses(current: Any, **changes: Any) -> Record:
    i = np.asarray(current, dtype=float)
    made = Record(
        name="one",
        kind=RecordKind.TRAIN,
        device="a",
        start=Start.PLUS,
        t_oxide=0.5e-9,
        current=i,
        t_pulse=np.full(len(i), 2e-4),
        h=np.zeros(len(i)),
        value=np.zeros(len(i)),
        sigma=None,
        drift=False,
        even=False,
    )
    return replace(made, **changes)


def response(*records: Record, card: DeviceCard = CARD, thermal: bool = False) -> tuple[FitResponse, Any]:
    made = FitResponse(card, records, ThresholdForm.WEIBULL, electrothermal=thermal)
    return made, card_values(card, electrothermal=thermal)


def test_the_three_distributions() -> None:
    drive = np.array([0.0, 0.5, 1.0, 2.0, 4.0])
    weibull = fraction(ThresholdForm.WEIBULL, drive, {"j63": 2.0, "u0": 0.25, "shape": 3.0})
    z = np.array([0.0, 0.0, 1 / 3, 1.0, 7 / 3])
    np.testing.assert_allclose(weibull, 1.0 - np.exp(-(z**3)), rtol=1e-12)
    linear = fraction(ThresholdForm.LINEAR, drive, {"j0": 0.5, "j_width": 2.0})
    assert linear.tolist() == [0.0, 0.0, 0.25, 0.75, 1.0]
    lognormal = fraction(ThresholdForm.LOGNORMAL, drive, {"j50": 2.0, "sigma": 0.5})
    np.testing.assert_allclose(lognormal[1:], ndtr(np.log(drive[1:] / 2.0) / 0.5), rtol=1e-12)
    assert lognormal[0] == 0.0
    huge = fraction(ThresholdForm.WEIBULL, np.array([1e15]), {"j63": 2.0, "u0": 0.0, "shape": 30.0})
    assert huge.tolist() == [1.0]  # and no overflow


def test_equal_pulses_in_a_row_add_their_lengths() -> None:
    current = np.array([1.0, 1.0, 1.0, 2.0, 2.0, 0.0, 0.0, 1.0, 1.0])
    t_pulse = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0])
    h = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 5.0])
    total = _run_lengths(current, t_pulse, h)
    assert total.tolist() == [1.0, 3.0, 7.0, 8.0, 24.0, 32.0, 64.0, 128.0, 256.0]
    assert t_pulse[1] == 2.0
    fractions = pulses([13e-3, 13e-3], kind=RecordKind.FRACTION)
    made, values = response(fractions)
    s = made.fractions(values)
    assert s[0] == s[1]  # each a pulse of its own from the reset state


def test_memory_of_pulses_that_reach_nothing_and_of_equal_ones() -> None:
    made = memory(np.array([0.0, 3.0, 3.0, 0.0, 5.0]), np.array([1.0, 1.0, 0.0, 1.0, 0.0]), 0.0)
    assert made.matrix.toarray().tolist() == [
        [0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 1.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0],
    ]
    high = memory(np.array([2.0, 1.0]), np.array([0.0, 1.0]), 1.0)
    assert high.matrix.toarray().tolist() == [[-1.0, 0.0], [-1.0, 1.0]]
    assert high.constant.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("choice", ["A", "B"])
@pytest.mark.parametrize("ambient", [300.0, 340.0])
def test_predictions_of_single_pulses_are_the_cards(choice: str, ambient: float) -> None:
    card = CARD.with_choices(switching=choice).with_value("thermal.ambient", ambient)
    for t_oxide in (0.5e-9, 0.7e-9):
        own = card.with_value("geometry.t_oxide", t_oxide)
        for current, length, field in ((12e-3, 2e-4, 0.0), (-9e-3, 1e-5, -300.0), (11e-3, 3e-6, 500.0)):
            h = field * OERSTED
            record = pulses([current], t_pulse=np.array([length]), h=np.array([h]), t_oxide=t_oxide)
            made, values = response(record, card=card, thermal=choice == "B")
            expected = switching.switched_fraction(own, current, length, h)
            assert made.fractions(values)[0] == pytest.approx(float(expected), rel=1e-9, abs=1e-12)


def test_shifts_and_energies_of_each_thickness() -> None:
    current = np.array([-3e-3, 1e-3, 2e-3])
    shift = pulses(current, kind=RecordKind.SHIFT, t_oxide=0.7e-9)
    energy = pulses(current, kind=RecordKind.ENERGY, t_oxide=0.7e-9, t_pulse=np.array([1e-6, 1e-4, 2e-4]))
    made, values = response(pulses([12e-3]), shift, energy)
    np.testing.assert_allclose(
        made.predicted(values)[1:4], transport.damping_like_field(CARD, current, 0.7e-9), rtol=1e-12
    )
    heat = current**2 * float(stack.channel_resistance(CARD, 0.7e-9)) * energy.t_pulse
    np.testing.assert_allclose(made.predicted(values)[4:], heat, rtol=1e-12)
    np.testing.assert_allclose(
        made.predicted({**values, "theta": 2.0, "rho": 3.0})[1:],
        [*(2.0 * made.predicted(values)[1:4]), *(3.0 * heat)],
        rtol=1e-12,
    )
    assert made.is_pulse.tolist() == [True] + [False] * 6
    assert [b.single for b in made.blocks] == [False, True, True]


def test_a_field_loop_is_its_two_ends() -> None:
    field = np.linspace(3e5, -3e5, 40)
    loop = pulses(np.zeros(40), kind=RecordKind.FIELD_LOOP, h=field, value=0.45 - 0.12 * np.sign(field))
    made, values = response(pulses([12e-3]), loop)
    np.testing.assert_allclose(made.value, [0.0, 0.33, 0.57], atol=1e-12)
    predicted = made.predicted({**values, "r_reset": 0.31, "delta_r": 0.2})
    np.testing.assert_allclose(predicted[1:], [0.31, 0.51], rtol=1e-12)
    assert made.is_pulse.tolist() == [True, False, False]
    assert made.is_hall.tolist() == [True, True, True]
    both, values = response(loop, card=CARD.with_choices(switching="B"), thermal=True)
    assert both.temperature.tolist() == [300.0, 300.0]


def test_the_channel_of_set_b_is_warm() -> None:
    record = pulses([12e-3, -8e-3], t_pulse=np.array([1e-6, 1e-3]), t_oxide=0.7e-9)
    made, _ = response(record, thermal=True)
    expected = thermal.pulse_temperature(CARD, record.current, record.t_pulse, 0.7e-9)
    np.testing.assert_allclose(made.temperature, expected, rtol=1e-12)
    assert response(record)[0].temperature.tolist() == [300.0, 300.0]


def test_a_strong_field_sets_the_interface() -> None:
    preset = CARD.fields.h_preset.value
    fields = preset * np.array([1.0, -1.0, 0.999, -0.999, 2.0])
    for start, own in ((Start.PLUS, 1.0), (Start.UNKNOWN, 1.0), (Start.MINUS, 0.0)):
        made, _ = response(pulses(np.full(5, 12e-3), h=fields, start=start))
        assert made.interface.tolist() == [1.0, -1.0, own, own, 1.0]


def test_a_drive_near_saturation_is_held() -> None:
    made, values = response(pulses([12e-3]))
    eta0 = values["h_int"] / np.hypot(values["h_int"], values["h_dmi"])
    assert made.gain[0] == pytest.approx(1.0)
    for drive, e in ((0.9 / eta0, 0.9), (4.0 / eta0, 0.999)):
        h = values["h_dmi"] * e / np.sqrt(1.0 - e * e)
        factor = h / np.hypot(h, values["h_dmi"]) / eta0
        assert factor == pytest.approx(e / eta0)
        found = made.drive({**values, "drive": drive})[0]
        assert found[0] == pytest.approx(12e-3 / (5e-6 * 10.8e-9) * e / eta0, rel=1e-9)


LOOP = """\
name: mine
data:
  - file: loop.csv
    kind: train
    columns:
      current: {column: I, unit: mA}
      hall: {column: R, unit: ohm}
"""


def loaded(folder: Path, rows: list[str], yaml: str = LOOP, head: str = "I,R") -> DataSet:
    (folder / "data.yaml").write_text(yaml, encoding="utf-8")
    (folder / "loop.csv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return load_data(folder / "data.yaml")


SWEEP = [f"{5.0 + 0.25 * k},{0.33 + 0.01 * k}" for k in range(20)]


def test_what_a_table_without_more_says(tmp_path: Path) -> None:
    record = loaded(tmp_path, SWEEP).records[0]
    assert record.t_pulse.tolist() == [2e-4] * 20
    assert record.h.tolist() == [0.0] * 20
    assert (record.t_oxide, record.start, record.sigma) == (0.5e-9, Start.PLUS, None)
    assert (record.drift, record.even, record.device) == (True, False, "mine")
    assert not loaded(tmp_path, SWEEP[:19]).records[0].drift
    more = LOOP + "    rounding: 1 mohm\n    drift: false\n    even: true\n    sign: -1\n"
    told = loaded(tmp_path, SWEEP, more).records[0]
    np.testing.assert_allclose(told.sigma, np.full(20, 1e-3 / np.sqrt(12.0)), rtol=1e-12)  # type: ignore[arg-type]
    assert (told.drift, told.even) == (False, True)
    np.testing.assert_allclose(told.value, -record.value)
    assert FitChoices() == FitChoices(
        per_device=["hall.r_reset"], fixed=[], bounds={}, loss="soft_l1", starts=6
    )
    for starts, allowed in ((0, False), (1, True), (200, True), (201, False)):
        if allowed:
            assert FitChoices(starts=starts).starts == starts
        else:
            with pytest.raises(ValidationError):
                FitChoices(starts=starts)


@pytest.mark.parametrize(
    ("signs", "even"),
    [((1, 1), False), ((-1, -1), False), ((1, -1), True), ((0, -1), False), ((1, 0), False)],
)
def test_loops_of_both_signs_have_an_even_part(tmp_path: Path, signs: tuple[int, int], even: bool) -> None:
    rows = [f"{signs[k % 2] * (5 + k)},{0.33 + 0.2 * (k > 9) + 0.004 * (k % 3)}" for k in range(20)]
    assert loaded(tmp_path, rows, LOOP.replace("kind: train", "kind: loop")).records[0].even == even
    assert not loaded(tmp_path, rows[1:], LOOP.replace("kind: train", "kind: loop")).records[0].even
    assert not loaded(tmp_path, rows).records[0].even


def test_lines_without_current_are_left_out_of_the_history(tmp_path: Path) -> None:
    yaml = LOOP.replace(
        "hall:", "h_x: {column: H, unit: Oe}\n      t_pulse: {column: t, unit: us}\n      hall:"
    )
    rows = ["11,0.3,100,200", ",0.4,100,200", "12,0.4,,200", "13,0.5,100,", "14,,100,200"]
    data = loaded(tmp_path, rows, yaml, "I,R,H,t")
    assert data.records[0].current.tolist() == pytest.approx([11e-3, 14e-3])
    assert data.records[0].t_pulse.tolist() == pytest.approx([2e-4, 2e-4])
    assert data.records[0].h == pytest.approx(np.full(2, 1e5 / (4 * np.pi)))
    assert ": 3 lines without current, field or pulse length left out" in data.artefacts[0]


def test_a_loop_is_cut_where_its_field_changes(tmp_path: Path) -> None:
    yaml = LOOP.replace("hall:", "h_x: {column: H, unit: Oe}\n      hall:").replace(
        "kind: train", "kind: loop"
    )
    fields = [100, 100, 100, -50, -50, 100, 0]
    rows = [f"{10 + k},{0.3 + 0.01 * k},{h}" for k, h in enumerate(fields)]
    names = [r.name.split("mine ")[1] for r in loaded(tmp_path, rows, yaml, "I,R,H").records]
    assert names == ["+100 Oe", "-50 Oe", "+100 Oe", "+0 Oe"]
    lengths = [len(r.value) for r in loaded(tmp_path, rows, yaml, "I,R,H").records]
    assert lengths == [3, 2, 1, 1]
    train = loaded(tmp_path, rows, yaml.replace("kind: loop", "kind: train"), "I,R,H").records
    assert [len(r.value) for r in train] == [7]


def test_densities_and_thicknesses_of_a_table(tmp_path: Path) -> None:
    yaml = LOOP.replace("current: {column: I, unit: mA}", "density: {column: I, unit: A/cm^2}")
    yaml = yaml.replace("hall:", "t_oxide: {column: t, unit: nm}\n      hall:")
    rows = ["2e7,0.33,0.5", "2e7,0.4,0.7", "2.1e7,0.41,0.5"]
    found = loaded(tmp_path, rows, yaml, "I,R,t").records
    assert [r.t_oxide for r in found] == pytest.approx([0.5e-9, 0.7e-9])
    assert found[0].current == pytest.approx([2e11 * 5e-6 * 10.8e-9, 2.1e11 * 5e-6 * 10.8e-9])
    assert found[1].current == pytest.approx([2e11 * 5e-6 * 11.0e-9])


def test_reads_of_one_sign_and_of_a_field_loop(tmp_path: Path) -> None:
    yaml = LOOP.replace("hall: {column: R, unit: ohm}", "voltage: {column: R, unit: mV}")
    data = loaded(tmp_path, ["11,0.8", "12,1.0"], yaml + "    constants: {i_read: 2 mA}\n    sign: -1\n")
    assert data.records[0].value == pytest.approx([-0.4, -0.5])
    assert "read with one sign" in data.artefacts[0]
    both = LOOP.replace(
        "hall: {column: R, unit: ohm}",
        "voltage_plus: {column: p, unit: mV}\n      voltage_minus: {column: m, unit: mV}",
    )
    rows = ["11,0.81,-0.79", "12,1.03,-0.97"]
    data = loaded(tmp_path, rows, both + "    constants: {i_read: 2 mA}\n    sign: -1\n", "I,p,m")
    assert data.records[0].value == pytest.approx([-0.4, -0.5])
    assert "of 20 uV in the mean" in data.artefacts[0]
    yaml = LOOP.replace("current: {column: I, unit: mA}", "h_z: {column: I, unit: mT}").replace(
        "kind: train", "kind: field_loop"
    )
    record = loaded(tmp_path, ["100,0.33", "-100,0.57"], yaml).records[0]
    assert record.h == pytest.approx(np.array([1.0, -1.0]) * 0.1 / (4e-7 * np.pi), rel=1e-6)
    assert record.current.tolist() == [0.0, 0.0]


def test_half_of_the_records_may_be_broken(tmp_path: Path) -> None:
    yaml = LOOP.replace("hall:", "device: {column: d}\n      hall:")
    rows = ["11,0.33,a", "0.011,0.33,b", "12,0.4,a", "0.012,0.4,b"]  # the second device in other units
    data = loaded(tmp_path, rows, yaml, "I,R,d")
    assert [r.device for r in data.records] == ["a"]
    assert [one.what for one in data.excluded] == ["loop.csv b"]
    with pytest.raises(WrongUnitError):
        loaded(tmp_path, [*rows, "0.011,0.4,c"], yaml, "I,R,d")


@pytest.mark.parametrize("written", ["", "nan", "NA", "n/a", "-", "--", "#N/A", "Overload", "inf", "OVLD"])
def test_what_instruments_write_where_nothing_was_read(tmp_path: Path, written: str) -> None:
    value = loaded(tmp_path, ["11,0.33", f"12,{written}", "13,0.4"]).records[0].value
    np.testing.assert_array_equal(value, [0.33, np.nan, 0.4])


def test_short_lines_and_columns_without_numbers(tmp_path: Path) -> None:
    value = loaded(tmp_path, ["11,0.33", "12", "13,0.4"]).records[0].value
    np.testing.assert_array_equal(value, [0.33, np.nan, 0.4])
    with pytest.raises(MeasurementError, match="column 'R': holds no numbers"):
        loaded(tmp_path, ["11,", "12,-"])


def test_units_of_plain_numbers_and_of_fields(tmp_path: Path) -> None:
    assert (unit_factor("%", "1"), unit_factor("1", "1")) == (0.01, 1.0)
    with pytest.raises(ValueError, match="expected a plain number or %"):
        unit_factor("mA", "1")
    assert unit_factor("T", "A/m") == pytest.approx(1.0 / (4e-7 * np.pi), rel=1e-6)
    for written, field in (("2 kA/m", 2e3), ("1.5 mT", 1.5e-3 / (4e-7 * np.pi)), ("3", 3.0), ("0", 0.0)):
        record = loaded(tmp_path, SWEEP, LOOP + f"    constants: {{h_x: {written}}}\n").records[0]
        assert record.h == pytest.approx(np.full(20, field), rel=1e-6)
    with pytest.raises(WrongUnitError, match=r"loop\.csv"):
        loaded(tmp_path, SWEEP, LOOP + "    constants: {h_x: 2 V}\n")
    with pytest.raises(WrongUnitError, match=r"loop\.csv"):
        loaded(tmp_path, SWEEP, LOOP + "    constants: {t_pulse: 2 V}\n")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("hall:", "hal:"), "'hal' is no known quantity"),
        (("    columns:", "    constants: {current: 1 mA}\n    columns:"), "both a column and a constant"),
        (("hall: {column: R, unit: ohm}", "sigma: {column: R}"), "needs a column for hall"),
        (("hall: {column: R, unit: ohm}", "voltage: {column: R, unit: V}"), "a voltage needs i_read"),
        (("kind: train", "kind: field_loop"), "field_loop needs h_z"),
        (("current: {column: I, unit: mA}", "t_pulse: {column: I, unit: us}"), "needs current or density"),
    ],
)
def test_descriptions_that_lack_something(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    with pytest.raises(DocumentError, match=said):
        loaded(tmp_path, SWEEP, LOOP.replace(*change))


def test_sheets_of_excel_files(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["# from the lab"])
    book.active.append(["I", "R"])
    book.active.append([None, None])
    book.active.append([11, " 0.33 "])
    book.active.append([12, "=D1+D2"])
    other = book.create_sheet("second")
    other.append(["I", "R"])
    other.append([1, 2])
    third = book.create_sheet("third")
    third.append(["T", "R"])
    third.append(["K", "ohm"])
    third.append([300, 5])
    path = tmp_path / "t.xlsx"
    book.save(path)
    read = read_sheet(path, Layout(), ["I", "R"])
    assert [(row.line, row.cells) for row in read.table.rows] == [
        (2, ("I", "R")),
        (4, ("11", "0.33")),
        (5, ("12", "")),
    ]
    assert read.said == ()
    assert [row.cells for row in read_sheet(path, Layout(sheet="second"), ["R"]).table.body] == [("1", "2")]
    found = read_sheet(path, Layout(), ["T"])  # the sheet that holds the column
    assert [row.cells for row in found.table.body] == [("300", "5")]
    assert found.said == (
        "t.xlsx: the names stand in line 1, in sheet 'third'.",
        "t.xlsx: below the names stand units or comments, no numbers: K, ohm.",
    )
    with pytest.raises(MeasurementError, match="no sheet 'fourth', allowed: Sheet, second, third"):
        read_sheet(path, Layout(sheet="fourth"), ["I"])


def table(mean: list[float], sigma: list[float], current: list[float] | None = None) -> LevelTable:
    return LevelTable(
        mean=np.array(mean), sigma=np.array(sigma), current=np.array(current or [0.0] * len(mean)), cycles=9
    )


def test_states_that_can_be_told_apart() -> None:
    z = float(norm.isf(0.01))
    for gap, chosen in ((1.001, [0, 1]), (0.999, [0])):
        assert table([0.1, 0.1 + gap * z * 0.05], [0.02, 0.03]).distinguishable(0.01).tolist() == chosen
    # a wide state in the middle is left out in favour of two narrow ones
    many = table([0.0, 0.3, 0.5, 0.7, 1.0], [0.05, 0.05, 0.3, 0.05, 0.05])
    assert many.distinguishable(0.01).tolist() == [0, 1, 3, 4]
    for wrong in (0.0, 0.5, -0.1):
        with pytest.raises(ValueError, match="out of range"):
            many.distinguishable(wrong)
    # 1 ohm over 2 z 0.05, and one more
    assert many.possible(0.01) == 1 + int(1.0 / (2.0 * z * 0.05)) == 5
    exact = table([0.2, 0.2 + 3.0 * 2.0 * z * 0.1], [0.1, 0.1])
    assert exact.possible(0.01) == 4
    rows = table([0.2, 0.3, 0.6], [0.01, 0.02, 0.03], [0.0, 1e-2, 2e-2]).rows()
    assert [list(row.values()) for row in rows] == [
        pytest.approx([0.0, -1.0, 0.2, 0.01, 0.0]),
        pytest.approx([1.0, -0.5, 0.3, 0.02, 1e-2]),
        pytest.approx([2.0, 1.0, 0.6, 0.03, 2e-2]),
    ]


def test_levels_are_means_over_equal_trains() -> None:
    current = np.array([12e-3, 0.0, 11e-3])
    values = [[0.5, 0.3, 0.4], [0.52, 0.31, np.nan], [0.54, 0.29, 0.42], [0.5, 0.3, 0.44], [0.49, 0.33, 0.4]]
    trains = [pulses(current, value=np.array(v)) for v in values]
    other = [
        pulses(current[:2], value=np.zeros(2)),
        pulses(current + 1e-3, value=np.zeros(3)),
        pulses(current, value=np.zeros(3), kind=RecordKind.LOOP),
    ]

    def data(*records: Record) -> DataSet:
        return DataSet(
            name="x", description="", synthetic=False, card=CARD, records=records, excluded=(), artefacts=()
        )

    found = extract_levels(data(*trains, *other))
    assert found.cycles == 5
    assert found.current.tolist() == [0.0, 11e-3, 12e-3]
    assert found.mean == pytest.approx([0.306, 0.415, 0.51])
    columns = ([0.3, 0.31, 0.29, 0.3, 0.33], [0.4, 0.42, 0.44, 0.4], [0.5, 0.52, 0.54, 0.5, 0.49])
    expected = [np.sqrt(np.sum((np.array(c) - np.mean(c)) ** 2) / (len(c) - 1)) for c in columns]
    assert found.sigma == pytest.approx(expected)
    with pytest.raises(MeasurementError, match="4 equal pulse trains, allowed: at least 5"):
        extract_levels(data(*trains[:4], *other))


def test_suggested_ladders_of_many_and_of_two_levels() -> None:
    for current, count, top in ((13e-3, 4, None), (50e-3, 4, 0.99)):
        z = float(norm.isf(0.01))
        made = table([0.3, 0.3 + 6.5 * z * 0.01], [0.01, 0.01], [0.0, current])
        share = float(switching.switched_fraction(CARD, current)) if top is None else top
        levels, currents = suggested_ladder(CARD, made, 0.01)
        expected = equal_ladder(CARD, count, share)
        np.testing.assert_allclose(levels, expected[0], rtol=1e-12)
        np.testing.assert_allclose(currents, expected[1], rtol=1e-12)
    wide = table([0.3, 0.31], [0.1, 0.1], [0.0, 13e-3])
    assert len(suggested_ladder(CARD, wide, 0.01)[0]) == 2


def test_a_state_table_is_reached_by_the_shipped_law(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("mean_ohm,sigma_ohm\n0.6,0\n0.2,0.01\n0.5,0.02\n")
    read = read_state_table(path)
    assert (read.cycles, np.isnan(read.current).tolist()) == (0, [True] * 3)
    assert read.sigma.tolist() == [0.01, 0.02, 0.0]
    card = state_table_card(read, "ours")
    assert card.hall.r_reset.value == 0.2
    assert card.switching.set_a.delta_r.value == pytest.approx(1.05 * 0.4, rel=1e-12)
    assert card.switching.set_b.delta_r.value == pytest.approx(1.05 * 0.4, rel=1e-12)
    ladder = np.array(card.synapse.ladder.value)
    np.testing.assert_allclose(
        switching.switched_fraction(CARD, ladder), np.array([0.3, 0.4]) / 0.42, rtol=1e-6
    )
    for text in ("0.1,-0.1\n0.2,0.1\n", "0.1,0.1\n0.1,0.2\n", "0.1,0.1\n", "0.1,inf\n0.2,0.1\n"):
        path.write_text("mean_ohm,sigma_ohm\n" + text)
        with pytest.raises(DocumentError):
            read_state_table(path)


def test_pulse_response_by_the_law() -> None:
    rows = pulse_response(CARD, 5)
    onset, top = switching.disturb_onset_current(CARD), 15.4e-3
    currents = onset + (top - onset) * np.arange(6) / 5
    s = switching.switched_fraction(CARD, currents)
    for k, row in enumerate(rows):
        assert (row["pulse"], row["i_a"]) == (float(k), pytest.approx(currents[k], rel=1e-12))
        assert row["state_up"] == pytest.approx(s[k] / s[5], rel=1e-9, abs=1e-12)
        assert row["state_down"] == pytest.approx(1.0 - s[k] / s[5], rel=1e-9, abs=1e-12)
        cycle = spread.spread_after(CARD, float(currents[k])).cycle / s[5] if s[k] > 0.0 else 0.0
        assert row["sigma_cycle"] == pytest.approx(cycle, rel=1e-9)
    assert rows[1]["sigma_cycle"] > 0.0
    assert len(pulse_response(CARD)) == 33


@pytest.mark.parametrize("a", [0.06, 0.5, 3.0, -0.06, -0.5, -3.0])
def test_nonlinearity_of_either_sign(a: float) -> None:
    share = np.linspace(0.0, 1.0, 21)
    response = (1.0 - np.exp(-share / a)) / (1.0 - np.exp(-1.0 / a))
    assert nonlinearity(response.tolist()) == pytest.approx(a, rel=1e-4)


def test_nonlinearity_ends_at_a_twentieth_and_a_line_has_none() -> None:
    step = [0.0, *([1.0] * 20)]
    assert nonlinearity(step) == pytest.approx(0.05, rel=1e-4)
    assert nonlinearity([1.0 - s for s in step[::-1]]) == pytest.approx(-0.05, rel=1e-4)
    assert abs(nonlinearity(np.linspace(0.0, 1.0, 33).tolist())) > 1e4


def test_levels_of_the_card_follow_its_own_ladder() -> None:
    record = pulses(synapse.ladder_currents(CARD))
    made, values = response(record)
    np.testing.assert_allclose(made.predicted(values), synapse.model_levels(CARD)[1:], rtol=1e-9)
