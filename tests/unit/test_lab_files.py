"""Files in the shape of real instruments: each gives the value it was made from, or says what is missing.

Their numbers come from the shipped card (j63 = 2.319e11 A/m^2, window 0.2732 ohm, reset state 0.33 ohm) with noise,
unless said.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from compact_model.fit.screening import prepared
from compact_model.measured.reader import load_data
from compact_model.measured.records import DataSet
from compact_model.measured.tables import DisagreeingError

FILES = Path(__file__).parents[1] / "data" / "lab_files"
PHI_1_MS = (1.0 - np.log1p(1e6) / 60.0) / (1.0 - np.log1p(2e5) / 60.0)
"""Threshold of 1 ms pulses over that of 200 us: the law of pulse widths with a barrier of 60."""


def fitted(data: DataSet) -> dict[str, float]:
    """The robust fit from one start, before anything is held."""
    quick = replace(data, choices=data.choices.model_copy(update={"starts": 1}))
    _, problem, x, notes = prepared(quick, electrothermal=False)
    assert not any("step" in note for note in notes)
    return {
        parameter.symbol: float(parameter.outer(value))
        for (parameter, _), value in zip(problem.columns, x, strict=False)
    }


@pytest.mark.parametrize(
    ("name", "said", "r_reset", "j63"),
    [
        ("M1_ppms_dat", "the names stand in line 15, separated by commas.", 0.33, None),
        ("M3_volt_table_skip", None, 0.33, 2.319e11 / PHI_1_MS),  # the numbers are those of 200 us pulses
        ("M4_field_readback", "values of h_x within 1.8 Oe of each other count as one", 0.33, 2.319e11),
        (
            "M5_keithley_overflow",
            "2 readings of 'V_Hall_V' are 9.9e+37 or more: the instrument overflowed",
            0.33,
            2.319e11,
        ),
        ("M7_tab_decimal_comma", "the comma is the decimal mark.", 0.33, 2.319e11),
        ("M8_coarse_digits", None, 0.33, 2.319e11),
        ("M10_repeat_reads", None, 0.33, 2.319e11),
        ("M19_symmetric", None, -0.1366, 2.319e11),
    ],
)
def test_a_file_gives_its_right_values(
    name: str, said: str | None, r_reset: float, j63: float | None
) -> None:
    data = load_data(FILES / name / "data.yaml")
    found = fitted(data)
    assert found["delta_r"] == pytest.approx(0.2732, rel=0.02)
    assert found["r_reset"] == pytest.approx(r_reset, abs=0.02 * 0.2732)
    if j63 is None:
        assert "j63" not in found
    else:
        assert found["j63"] == pytest.approx(j63, rel=0.03)
    assert (said is None and not data.reading) or any(said in one for one in data.reading if said)


def test_five_reads_of_a_state_are_one_reading() -> None:
    data = load_data(FILES / "M10_repeat_reads" / "data.yaml")
    assert len(data.records[0].value) == 120
    assert data.records[0].value[1] == pytest.approx(
        np.mean([0.330896, 0.329487, 0.330879, 0.330859, 0.330486])
    )
    assert "5 reads of each of 120 states were averaged (`reads: 1` if each is a pulse)." in data.artefacts[0]


def test_a_gaussmeter_makes_two_records() -> None:
    data = load_data(FILES / "M4_field_readback" / "data.yaml")
    assert [record.name for record in data.records] == [
        "loops.csv readback -1000 Oe",
        "loops.csv readback +1000 Oe",
    ]
    assert [len(np.unique(record.h)) for record in data.records] == [1, 1]


def test_several_temperatures_need_their_column(tmp_path: Path) -> None:
    path = shutil.copytree(FILES / "M18_multi_T", tmp_path / "mt") / "data.yaml"
    with pytest.raises(
        DisagreeingError, match=r"`temperature: {column.*Columns without a meaning so far: T \(K\)$"
    ):
        load_data(path)
    key = "      temperature: {column: T (K), unit: K}\n"
    path.write_text(path.read_text(encoding="utf-8") + key, encoding="utf-8")
    data = load_data(path)
    assert [record.name for record in data.records] == ["l.csv mt 300 K"]
    assert fitted(data)["delta_r"] == pytest.approx(0.2732, rel=0.02)
    assert [one.what for one in data.excluded] == ["l.csv mt 200 K", "l.csv mt 100 K"]
    assert data.excluded[0].reason == "measured at 200 K; a card is of one temperature, here 300 K"


def test_records_that_are_only_told_apart_must_agree(tmp_path: Path) -> None:
    path = shutil.copytree(FILES / "M18_multi_T", tmp_path / "mt") / "data.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + "    split: T (K)\n", encoding="utf-8")
    with pytest.raises(
        DisagreeingError, match=r"300 has a window of 0\.27.* ohm, .*200.* one of 0\.3.*`temperature`"
    ):
        load_data(path)
