"""Readers of measured data: units, named errors, reported exclusions."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest

from compact_model.cards.device import load_card
from compact_model.cards.document import DocumentError
from compact_model.measured.laboratory import Imperfections, Laboratory, Protocol
from compact_model.measured.reader import load_data
from compact_model.measured.records import noise_of, reduced_field_loop
from compact_model.measured.tables import (
    ClippedError,
    EmptyLoopError,
    MeasurementError,
    RecordKind,
    SwappedColumnsError,
    WrongUnitError,
    unit_factor,
)

LOOP = """\
name: mine
data:
  - file: loop.csv
    kind: loop
    columns:
      current: {column: I, unit: mA}
      hall: {column: R, unit: ohm}
    constants: {t_pulse: 200 us, h_x: 100 Oe}
"""


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder / "data.yaml"


def loop_table() -> list[list[str]]:
    """Rows of a synthetic loop in mA and ohm, header first."""
    laboratory = Laboratory(card=load_card(), imperfections=Imperfections(), rng=np.random.default_rng(3))
    text = laboratory.files(Protocol.DEVICES, devices=1)["devices.csv"]
    rows = [line.split(",")[1:] for line in text.splitlines()[2:]]
    return [["I", "R"], *rows]


def csv(rows: list[list[str]], separator: str = ",") -> str:
    return "\n".join(separator.join(row) for row in rows) + "\n"


def test_separators_decimal_commas_and_comments(tmp_path: Path) -> None:
    rows = loop_table()
    texts = {
        "comma": csv(rows),
        "tab": csv(rows, "\t"),
        "semicolon": "# from the lab\n" + csv([[c.replace(".", ",") for c in row] for row in rows], ";"),
    }
    records = []
    for name, text in texts.items():
        (tmp_path / name).mkdir()
        path = written(tmp_path / name, {"data.yaml": LOOP, "loop.csv": text})
        records.append(load_data(path).records[0])
    for record in records[1:]:
        np.testing.assert_array_equal(record.current, records[0].current)
        np.testing.assert_array_equal(record.value, records[0].value)
    assert records[0].kind is RecordKind.LOOP
    assert records[0].h[0] == pytest.approx(100 * 79.577, rel=1e-4)


def test_cells_that_are_no_numbers_are_named_with_their_place(tmp_path: Path) -> None:
    rows = loop_table()
    rows[4][1], rows[6][1], rows[7][1], rows[8][1] = "0.33 ohm", "x", "1_0", "\u0663"
    path = written(tmp_path, {"data.yaml": LOOP, "loop.csv": "# from the lab\n" + csv(rows)})
    with pytest.raises(DocumentError) as caught:
        load_data(path)
    file = tmp_path / "loop.csv"
    assert [str(mistake) for mistake in caught.value.mistakes] == [
        f"{file}:6:2 R: holds '0.33 ohm', not a number",
        f"{file}:8:2 R: holds 'x', not a number",
        f"{file}:9:2 R: holds '1_0', not a number",
        f"{file}:10:2 R: holds '\u0663', not a number",
    ]


def test_units_of_fields_and_densities() -> None:
    assert unit_factor("Oe", "A/m") == pytest.approx(unit_factor("mT", "A/m") / 10)
    assert unit_factor("mohm", "ohm") == 1e-3
    with pytest.raises(ValueError, match="not convertible"):
        unit_factor("V", "A/m")


def test_reads_of_both_signs_lose_the_even_part(tmp_path: Path) -> None:
    reads = [(0.5 * i, 0.4e-3 + i * 1e-6) for i in range(30)]
    rows = [["I", "plus", "minus"], *([f"{i}", f"{v + 7e-6}", f"{7e-6 - v}"] for i, v in reads)]
    yaml = """\
name: mine
data:
  - file: train.csv
    kind: train
    columns:
      current: {column: I, unit: mA}
      voltage_plus: {column: plus, unit: V}
      voltage_minus: {column: minus, unit: V}
    constants: {i_read: 1 mA}
"""
    data = load_data(written(tmp_path, {"data.yaml": yaml, "train.csv": csv(rows)}))
    np.testing.assert_allclose(data.records[0].value, 0.4 + 1e-3 * np.arange(30), rtol=1e-12)
    assert "7 uV" in data.artefacts[0]


def test_missing_readings_stay_in_the_history(tmp_path: Path) -> None:
    rows = loop_table()
    rows[5][1], rows[9][1] = "", "nan"
    record = load_data(written(tmp_path, {"data.yaml": LOOP, "loop.csv": csv(rows)})).records[0]
    assert len(record.current) == len(rows) - 1
    assert np.isnan(record.value[[4, 8]]).all()


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (("unit: mA", "unit: A"), WrongUnitError, "is the unit of the current right"),
        (("unit: mA", "unit: uA"), WrongUnitError, "is the unit of the current right"),
        (("unit: ohm", "unit: kohm"), WrongUnitError, "exceed the sheet resistance"),
        (("unit: ohm", "unit: uohm"), WrongUnitError, "less than 1e-05 of the sheet resistance"),
        (("unit: ohm", "unit: mA"), WrongUnitError, "not convertible to ohm"),
        (("200 us", "200 s"), WrongUnitError, "pulse lengths"),
        (("100 Oe", "100 T"), WrongUnitError, "largest field"),
        (("column: R,", "column: Rxy,"), MeasurementError, "no column 'Rxy'; the header has: I, R"),
    ],
)
def test_wrong_descriptions_are_named(
    tmp_path: Path, change: tuple[str, str], error: type[MeasurementError], said: str
) -> None:
    path = written(tmp_path, {"data.yaml": LOOP.replace(*change), "loop.csv": csv(loop_table())})
    with pytest.raises(error, match=said):
        load_data(path)


def test_swapped_columns_are_named(tmp_path: Path) -> None:
    yaml = (
        LOOP.replace("column: I", "column: X")
        .replace("column: R", "column: I")
        .replace("column: X", "column: R")
    )
    with pytest.raises(SwappedColumnsError, match="are the two columns swapped"):
        load_data(written(tmp_path, {"data.yaml": yaml, "loop.csv": csv(loop_table())}))


def test_a_saturated_meter_and_an_empty_loop_are_named(tmp_path: Path) -> None:
    rows = loop_table()
    clipped = [rows[0], *([i, f"{min(float(r), 0.5)}" if r else ""] for i, r in rows[1:])]
    with pytest.raises(ClippedError, match="meter was saturated"):
        load_data(written(tmp_path, {"data.yaml": LOOP, "loop.csv": csv(clipped)}))
    rng = np.random.default_rng(0)
    flat = [rows[0], *([i, f"{0.33 + rng.normal(0, 1e-3)}"] for i, _ in rows[1:])]
    with pytest.raises(EmptyLoopError, match="nothing switches"):
        load_data(written(tmp_path, {"data.yaml": LOOP, "loop.csv": csv(flat)}))
    stuck = [rows[0], *([i, "0.33"] for i, _ in rows[1:])]
    with pytest.raises(MeasurementError):
        load_data(written(tmp_path, {"data.yaml": LOOP, "loop.csv": csv(stuck)}))


def test_one_broken_device_of_many_is_left_out_and_listed(tmp_path: Path) -> None:
    laboratory = Laboratory(
        card=load_card(), imperfections=Imperfections(broken=1), rng=np.random.default_rng(5)
    )
    data = load_data(written(tmp_path, laboratory.files(Protocol.DEVICES, devices=10)))
    assert [one.what for one in data.excluded] == ["devices.csv d001"]
    assert "nothing switches" in data.excluded[0].reason
    assert len(data.devices) == 9


def test_mistakes_of_the_yaml_file_have_lines(tmp_path: Path) -> None:
    text = LOOP.replace("kind: loop", "kind: lop").replace("constants:", "constant:")
    with pytest.raises(DocumentError) as caught:
        load_data(written(tmp_path, {"data.yaml": text, "loop.csv": csv(loop_table())}))
    assert {mistake.place.line for mistake in caught.value.mistakes if mistake.place} == {4, 8}


def test_window_and_offset_from_a_field_loop(tmp_path: Path) -> None:
    card = load_card()
    laboratory = Laboratory(card=card, imperfections=Imperfections(), rng=np.random.default_rng(8))
    data = load_data(written(tmp_path, laboratory.files(Protocol.WINDOW)))
    low, window, sigma = reduced_field_loop(data.records[0])
    # Four standard errors: a correct reduction fails once in 16,000 seeds.
    assert abs(low - card.hall.r_reset.value) < 4 * sigma
    assert abs(window - card.switching.set_a.delta_r.value) < 4 * 2**0.5 * sigma
    assert sigma < 1e-3


def test_noise_estimate_ignores_slow_signals() -> None:
    rng = np.random.default_rng(0)
    x = np.linspace(0, 1, 2000)
    # standard error of the median estimate: about 1.9/sqrt(2000) = 4 %
    assert noise_of(np.sin(6 * x) + rng.normal(0, 0.01, 2000)) == pytest.approx(0.01, rel=0.15)


def test_excel_without_openpyxl_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    path = written(tmp_path, {"data.yaml": LOOP.replace("loop.csv", "loop.xlsx"), "loop.xlsx": ""})
    with pytest.raises(MeasurementError, match="needs openpyxl"):
        load_data(path)


def test_lines_of_many_devices_in_turns_are_sorted_in_one_pass(tmp_path: Path) -> None:
    rows = loop_table()[1:41]
    devices = 2000
    lines = [["dev", "I", "R"], *([f"d{d}", i, r] for i, r in rows for d in range(devices))]
    columns = '      device: {column: dev, unit: "1"}\n      current:'
    yaml = LOOP.replace("      current:", columns).replace("kind: loop", "kind: train")
    path = written(tmp_path, {"data.yaml": yaml, "loop.csv": csv(lines)})
    start = time.process_time()
    found = load_data(path).records
    assert time.process_time() - start < 20  # looking through all lines for each device took minutes
    assert [record.device for record in found] == [f"d{d}" for d in range(devices)]
    for record in (found[0], found[-1]):
        np.testing.assert_allclose(record.current, [1e-3 * float(i) for i, _ in rows])
        np.testing.assert_allclose(record.value, [float(r) if r else np.nan for _, r in rows])
