"""From a raw file to a card that the other commands take, on the command line."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from compact_model.cards.device import load_card
from compact_model.constants import OERSTED
from compact_model.measured.reader import load_data
from hallspice.cli.application import app

PAPER = Path(__file__).parents[2] / "examples" / "data" / "paper" / "paper.yaml"
LAB = Path(__file__).parents[1] / "data" / "lab_files"


def hallspice(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_measured_fitted_and_used(tmp_path: Path) -> None:
    made = hallspice(
        "measure", "default", "--protocol", "devices", "--devices", 2, "--out", tmp_path / "data"
    )
    assert made.exit_code == 0, made.output
    assert "synthetic" in (tmp_path / "data" / "devices.csv").read_text().splitlines()[0]
    result = hallspice("fit", tmp_path / "data" / "data.yaml", "--out", tmp_path / "card.yaml", "--quiet")
    assert result.exit_code == 0, result.output
    for shown in ("switching.set_a.j63", "Not determined: switching.delta", "are synthetic", "report.html"):
        assert shown in result.output
    card = load_card(tmp_path / "card.yaml")
    assert card.switching.set_a.j63.interval is not None
    assert "synthetic data" in card.switching.set_a.j63.source
    results = json.loads((tmp_path / "card_report" / "results.json").read_text())
    assert all((tmp_path / "card_report" / name).is_file() for name in results["files"])
    assert results["data"]["synthetic"] is True
    page = (tmp_path / "card_report" / "report.html").read_text()
    assert "What the data do not determine" in page
    assert page.count("<svg") >= 4
    pulses = tmp_path / "pulses.csv"
    pulses.write_text("i_a,t_pulse_s,h_x_oe\n12e-3,200e-6,0\n")
    used = hallspice("pulse", tmp_path / "card.yaml", pulses, "--out", tmp_path / "trace.csv")
    assert used.exit_code == 0, used.output


def test_a_file_that_was_looked_at_is_fitted_after_one_correction(tmp_path: Path) -> None:
    result = hallspice("look", LAB / "M7_tab_decimal_comma" / "loop.txt", "--out", tmp_path / "first")
    assert result.exit_code == 0, result.output
    for said in (
        "loop.txt: 120 lines of numbers, kind loop (the current has both signs)",
        "Strom (mA): 120 numbers, -16.2051 .. 16.2051 mA, taken for current",
        "sweep: 0 → 16.21 → -16.21 → -0",
        "loop.txt: the comma is the decimal mark.",
        "record loop.txt loop +0 Oe: 120 readings",
        "Warning: Under which in-plane field? 0 Oe is written as h_x.",
        "Warning: How long are the pulses? 200 us is written as t_pulse.",
    ):
        assert said in result.output
    found = json.loads((tmp_path / "first" / "results.json").read_text())
    assert found["turns"] == [0.0, 16.2051, -16.2051, 0.0]
    assert [(one["name"], one["unit"], one["quantity"]) for one in found["columns"]] == [
        ("Strom (mA)", "mA", "current"),
        ("R_xy (Ohm)", "ohm", "hall"),
    ]
    assert (tmp_path / "first" / "report.html").read_text().count("<svg") >= 1
    path = tmp_path / "first" / "data.yaml"
    assert path.read_text() == found["starter"]
    path.write_text(path.read_text().replace("h_x: 0 Oe", "h_x: 1000 Oe"))
    record = load_data(path).records[0]
    assert (len(record.value), record.start.value) == (120, "unknown")
    assert record.h[0] == pytest.approx(1000 * OERSTED)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (
            "M1_ppms_dat/AHE_300K.dat",
            (
                "kind: field_loop",
                "h_z: {column: Magnetic Field (Oe), unit: Oe}",
                "hall: {column: Bridge 2 Resis",
            ),
        ),
        (
            "M3_volt_table_skip/sw.csv",
            (
                "hall: {column: WHICH?, unit: ohm}",
                "current: {column: WHICH?, unit: mA}",
                "Which column is the pulse",
            ),
        ),
        (
            "M5_keithley_overflow/loop.csv",
            ("current: {column: write_A, unit: A}", "i_read: 1 mA", "instrument overflowed"),
        ),
        ("M6_ltp_ltd_identical/ltp_ltd.csv", ("cycle: {column: cycle}", "current: {column: I_mA, unit: mA}")),
        (
            "M18_multi_T/l.csv",
            ("temperature: {column: T (K), unit: K}", "l.csv l 200 K: measured at 200 K; a card is"),
        ),
    ],
)
def test_first_descriptions_ask_for_what_names_do_not_say(
    tmp_path: Path, file: str, said: tuple[str, ...]
) -> None:
    result = hallspice("look", LAB / file, "--out", tmp_path / "first")
    assert result.exit_code == 0, result.output
    for one in said:
        assert one in result.output


def test_a_look_takes_what_is_known_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("a|b\n1,5;2\nI (mA);R (ohm)\n10,5;0,3\n-9,5;0,4\n")
    result = hallspice("look", tmp_path / "x.txt", "--out", tmp_path / "y", "--header", 3, "--decimal", ",")
    assert result.exit_code == 0, result.output
    assert "I (mA): 2 numbers, -9.5 .. 10.5 mA" in result.output
    assert '    header: 3\n    decimal: ","\n' in (tmp_path / "y" / "data.yaml").read_text()
    assert load_data(tmp_path / "y" / "data.yaml").records[0].value.tolist() == [0.3, 0.4]
    wrong = hallspice("look", tmp_path / "x.txt", "--out", tmp_path / "z", "--separator", "/")
    assert wrong.exit_code == 2
    assert "separator = '/': input should be 'tab', ';', ',', 'blanks' or 'blank'" in wrong.output


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("unit: mA", "unit: A"), "is the unit of the current right"),
        (("kind: train", "kind: trian"), "paper.yaml:7:11"),
        (("file: energy.csv", "file: nothing.csv"), "no such file"),
    ],
)
def test_wrong_data_end_with_a_message_and_no_card(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    for file in PAPER.parent.iterdir():
        (tmp_path / file.name).write_text(file.read_text())
    path = tmp_path / "paper.yaml"
    path.write_text(path.read_text().replace(*change))
    result = hallspice("fit", path, "--out", tmp_path / "card.yaml", "--quiet")
    assert result.exit_code == 2
    assert said in result.output
    assert not (tmp_path / "card.yaml").exists()
    assert not (tmp_path / "card_report").exists()


def test_levels_and_exchange_write_tables(tmp_path: Path) -> None:
    ladder = PAPER.parents[1] / "synthetic_ladder" / "data.yaml"
    result = hallspice("levels", ladder, "--out", tmp_path / "levels")
    assert result.exit_code == 0, result.output
    assert "6 states, 6 distinguishable" in result.output
    states = tmp_path / "states.csv"
    states.write_text("mean_ohm,sigma_ohm\n0.1,0.002\n0.2,0.002\n0.3,0.003\n")
    result = hallspice("levels", states, "--out", tmp_path / "plain")
    assert result.exit_code == 0, result.output
    assert load_card(tmp_path / "plain" / "card.yaml").synapse.levels.value == (0.1, 0.2, 0.3)
    result = hallspice("exchange", "default", "--out", tmp_path / "other", "--pulses", 8)
    assert result.exit_code == 0, result.output
    lines = (tmp_path / "other" / "aihwkit_steps.csv").read_text().splitlines()
    steps = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert len(steps) == 8
    assert sum(float(row["dw_up"]) for row in steps) == pytest.approx(2.0)


def test_an_unknown_protocol_is_refused(tmp_path: Path) -> None:
    result = hallspice("measure", "default", "--protocol", "lops", "--out", tmp_path)
    assert result.exit_code == 2
    assert "allowed: loops, widths, window" in result.output


FITTED = """\
name: mine
description: a fitted card
based_on: pt_ruo2_0p5
switching:
  set_a:
    j63: {value: 2.319e11, unit: A/m^2, provenance: fitted, source: test, interval: [2.25e11, 2.39e11]}
    delta_r: {value: 273.2, unit: mohm, provenance: fitted, source: test, interval: [260, 286]}
fit:
  data: test
  sha256: "0"
  date: 2026-01-02
  parameters: [switching.set_a.j63, switching.set_a.delta_r]
  correlation: [[1, 0.5], [0.5, 1]]
"""
SMALL = """\
seed: 5
device: {card: mine.yaml}
network: {layers: [784, 20, 10], epochs: 1}
certificate: {tiles: 0}
"""


def test_errors_of_a_fit_become_intervals_of_accuracy_and_energy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HALLSPICE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "mine.yaml").write_text(FITTED)
    assert load_card(tmp_path / "mine.yaml").switching.set_a.delta_r.interval == (0.26, 0.286)
    config = tmp_path / "run.yaml"
    config.write_text(SMALL)
    result = hallspice("run", config, "--out", tmp_path / "out", "--quiet", "--uncertainty", 3)
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "out" / "results.json").read_text())["uncertainty"]
    assert len(set(found["accuracy_samples"])) == 3
    assert found["accuracy"][0] < found["accuracy"][1]
    assert found["energy_j"][0] <= found["energy_j"][1]
    # Without errors, every drawn card is the card itself, and gives its result exactly.
    exact = FITTED.replace("[2.25e11, 2.39e11]", "[2.319e11, 2.319e11]").replace(
        "[260, 286]", "[273.2, 273.2]"
    )
    (tmp_path / "mine.yaml").write_text(exact)
    hallspice("run", config, "--out", tmp_path / "exact", "--quiet", "--uncertainty", 1)
    results = json.loads((tmp_path / "exact" / "results.json").read_text())
    assert results["uncertainty"]["accuracy_samples"] == [results["accuracy"]["circuit"]]
    assert results["uncertainty"]["energy_samples_j"] == pytest.approx(
        [results["energy_per_inference_j"]["total"]], rel=1e-9
    )


def test_uncertainty_needs_a_fitted_card(tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(SMALL.replace("device: {card: mine.yaml}\n", ""))
    result = hallspice("run", config, "--out", tmp_path / "out", "--quiet", "--uncertainty", 3)
    assert result.exit_code == 2
    assert "needs a card made by `hallspice fit`" in result.output


@pytest.mark.parametrize(
    ("command", "text", "said"),
    [
        (
            "exchange",
            "synapse: {ladder: {value: [1, 1.1, 1.2, 1.3, 1.4], unit: uA, provenance: assumed, source: x}}",
            "the largest write current of the card, 1.4e-06 A for 0.0002 s, switches nothing",
        ),
        (
            "exchange",
            "synapse: {t_pulse: {value: 1.0e-300, unit: s, provenance: assumed, source: x}}",
            r"card\.yaml:2:20 synapse\.t_pulse: 1e-300 s can't be told from zero, allowed: 1e-15 <= value s",
        ),
        (
            "write",
            "write: {r_select_on: 1e-300}",
            r"card\.yaml:2:22 write\.r_select_on: 1e-300 ohm can't be told from zero, allowed: 1e-06 <= value",
        ),
    ],
)
def test_what_would_be_divided_by_zero_is_refused_with_its_range(
    tmp_path: Path, command: str, text: str, said: str
) -> None:
    first = (
        "based_on: pt_ruo2_0p5"
        if command == "exchange"
        else "array: {architecture: resistive, rows: 2, columns: 2}"
    )
    (tmp_path / "card.yaml").write_text(f"{first}\n{text}\n")
    (tmp_path / "levels.csv").write_text("0.4,0.5\n0.45,0.35\n")
    more = ["--levels", tmp_path / "levels.csv"] if command == "write" else []
    result = hallspice(command, tmp_path / "card.yaml", *more, "--out", tmp_path / "out")
    assert result.exit_code == 2, result.output
    assert re.search(said, result.stderr), result.stderr
