"""Commands as functions: from a file, a dict or an object, with and without a folder."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hallspice
from compact_model import DocumentError, fit_data, load_card, load_data
from hallspice.config.load import load_setup

ROOT = Path(__file__).parents[2]

SMALL: dict[str, Any] = {
    "seed": 5,
    "array": {"rows": 40, "columns": 30},
    "network": {"layers": [784, 10], "epochs": 1},
    "certificate": {"tiles": 0},
}
ARRAY: dict[str, Any] = {
    "array": {"rows": 4, "columns": 6, "wire": {"r_row": "20 mohm"}},
    "compare": {"draws": 2, "vectors": 20},
}


def as_file(folder: Path, content: dict[str, Any]) -> Path:
    path = folder / "config.yaml"
    path.write_text(json.dumps(content), encoding="utf-8")  # JSON is YAML
    return path


def numbers(results: Any) -> dict[str, Any]:
    """All but when and from what they were made."""
    found: dict[str, Any] = results.model_dump(mode="json", exclude={"created", "files", "config_file"})
    return found


def test_a_run_from_a_dict_is_that_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALLSPICE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    hallspice.run(SMALL)  # trains the networks that the others take
    trained = hallspice.train(SMALL)
    assert trained.files == ()
    file = as_file(tmp_path, SMALL)
    from_file = hallspice.run(file, tmp_path / "out")
    from_dict = hallspice.run(SMALL)
    assert numbers(from_dict) == numbers(from_file)
    assert from_dict.files == ()
    assert trained.accuracy == from_dict.accuracy.levels
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "config.yaml", "out"]
    written = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))
    assert written["files"] == list(from_file.files)
    assert written["accuracy"]["circuit"] == from_dict.accuracy.circuit
    assert (written["config_file"], from_dict.config_file) == ("config.yaml", "configuration")
    other = hallspice.run({**SMALL, "array": {"rows": 40, "columns": 30, "converters": {"adc_bits": 2}}})
    assert other.accuracy.circuit != from_dict.accuracy.circuit


def test_a_comparison_takes_a_dict_an_object_and_numpy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = {**ARRAY, "array": {**ARRAY["array"], "rows": np.int64(4), "wire": {"r_row": np.float64(0.02)}}}
    found = [
        numbers(hallspice.compare(config))
        for config in (own, hallspice.Config.model_validate(ARRAY), as_file(tmp_path, ARRAY))
    ]
    assert found[1:] == found[:1] * 2
    assert {row["architecture"] for row in found[0]["architectures"]} >= {"active_parallel", "resistive"}
    assert numbers(hallspice.compare(ARRAY, seed=7)) != found[0]
    assert capsys.readouterr() == ("", "")


def test_mistakes_of_a_dict_have_the_key_and_what_is_allowed() -> None:
    wrong = {
        "array": {"colums": 3, "rows": 0, "wire": {"r_row": "10 mA"}},
        "device": {"levels": [0.33, 0.46, -7]},
        "network": {"layers": [784, "many"]},
    }
    with pytest.raises(DocumentError) as caught:
        hallspice.run(wrong)
    said = str(caught.value)
    for line in (
        "configuration array.colums: unknown key, did you mean 'columns'? Allowed: adc, ",
        "configuration array.rows: 0 is out of range, allowed: >= 1\n",
        "configuration array.wire.r_row: '10 mA' is not convertible to ohm, allowed: 0, or 1e-06 <= value <= ",
        "configuration network.layers[1]",
    ):
        assert line in said
    with pytest.raises(
        DocumentError, match=r"configuration device\.levels: 7 ohm: .*allowed: 0.33 <= level < "
    ):
        hallspice.compare({"device": {"levels": [0.33, 0.46, 7.0]}})
    with pytest.raises(DocumentError, match=r"configuration: expected keys with values, got a list"):
        hallspice.compare([1])  # type: ignore[arg-type]


def test_cards_of_a_dict_are_looked_for_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    card = tmp_path / "here" / "card.yaml"
    card.write_text("based_on: pt_ruo2_0p5\nname: mine\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "here")
    assert load_setup({"device": {"card": "card.yaml"}}).card.name == "mine"
    assert load_setup({"device": {"card": Path("card.yaml")}}).card.name == "mine"
    file = as_file(tmp_path / "here", {"device": {"card": "card.yaml"}})
    monkeypatch.chdir(tmp_path)
    assert load_setup(hallspice.load_config(file.relative_to(tmp_path))).card.name == "mine"
    with pytest.raises(DocumentError, match=r"configuration device\.card: .*relative to the working folder"):
        load_setup({"device": {"card": "card.yaml"}})


def test_numbers_of_a_dict_say_that_they_are_set_in_it() -> None:
    setup = load_setup(ARRAY)
    assert setup.periphery.wire.r_row.value == 0.02
    assert setup.periphery.wire.r_row.provenance.value == "set"
    assert setup.periphery.wire.r_row.source == "configuration"


def test_levels_are_written_from_an_array(tmp_path: Path) -> None:
    levels = [[0.33, 0.46, 0.57], [0.52, 0.49, 0.33]]
    table = tmp_path / "levels.csv"
    table.write_text("\n".join(",".join(map(str, row)) for row in levels), encoding="utf-8")
    found = hallspice.write({"seed": 2}, np.array(levels))
    assert numbers(found) == numbers(hallspice.write({"seed": 2}, table))
    assert (found.array.rows, found.array.columns) == (2, 3)
    for wrong, what in (
        ([[0.33, 0.66]], r"levels\[0, 1\]: 0.66 ohm is out of range, allowed: 0.33 <= value < 0.6032 ohm"),
        ([0.33, 0.46], r"levels have the shape \(2,\), allowed: \(rows, columns\)"),
    ):
        with pytest.raises(ValueError, match=what):
            hallspice.write({}, wrong)


def test_a_fit_and_its_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "examples" / "data" / "paper", tmp_path / "data")
    data, card = tmp_path / "data" / "paper.yaml", tmp_path / "card.yaml"
    once = fit_data(load_data(data))
    monkeypatch.setattr("compact_model.fit.fitting.fit_data", lambda *_: once)
    found = hallspice.fit(data, card)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["card.yaml", "data"]
    assert found.files == ()
    value = {one.name: one.value for one in found.fitted}["hall.r_reset"]
    assert load_card(card).hall.r_reset.value == pytest.approx(value)
    device = hallspice.device(card)
    assert device.card == load_card(card).name
    assert numbers(hallspice.device(load_card(card))) == numbers(device)
    again = hallspice.fit(
        load_data(data), card, tmp_path / "report"
    )  # what an earlier call has read may be replaced
    assert again.fitted == found.fitted
    assert (tmp_path / "report" / "report.html").is_file()
    with pytest.raises(ValueError, match="is an input of this command and would be overwritten"):
        hallspice.fit(data, data)


def test_a_sweep_from_a_dict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALLSPICE_CACHE", str(tmp_path / "cache"))
    axes = {"array.converters.adc_bits": np.array([4, 6])}
    found = hallspice.sweep({**SMALL, "sweep": {"set": axes}}, tmp_path / "out", workers=1)
    assert (found.points, found.failed) == (2, 0)
    with (tmp_path / "out" / "results.csv").open(encoding="utf-8", newline="") as table:
        assert sorted(row["array.converters.adc_bits"] for row in csv.DictReader(table)) == ["4", "6"]
    with pytest.raises(
        DocumentError, match=r"^configuration array\.converters\.adc_bits: 77 is out of range"
    ):
        hallspice.sweep({**SMALL, "sweep": {"set": {"array.converters.adc_bits": [4, 77]}}}, tmp_path / "out")
