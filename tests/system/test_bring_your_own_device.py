"""From a raw file to a card that the other commands take, on the command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from compact_model.card import load_card
from hallspice.cli import app

PAPER = Path(__file__).parents[2] / "examples" / "data" / "paper" / "paper.yaml"


def hallspice(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_measured_fitted_and_used(tmp_path: Path) -> None:
    made = hallspice("measure", "default", "--protocol", "loops", "--points", 60, "--out", tmp_path / "data")
    assert made.exit_code == 0, made.output
    assert "synthetic" in (tmp_path / "data" / "loops.csv").read_text().splitlines()[0]
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


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("unit: mA", "unit: A"), "is the unit of the current right"),
        (("kind: train", "kind: trian"), "paper.yaml:7:11"),
        (("file: energy.csv", "file: nothing.csv"), "cannot be read"),
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
