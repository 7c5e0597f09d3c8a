"""A centred Hall loop: levels of both signs, from the card to the accuracy."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from hallspice.cli.application import app

CARD = """
based_on: pt_ruo2_0p5
hall:
  r_reset: {value: -0.2, unit: ohm, provenance: assumed, source: centred loop}
"""
CONFIG = """
seed: 1
device: {card: card.yaml, levels: [-0.2, -0.05, 0.0, 0.05]}
array: {rows: 64, columns: 64, wire: {r_row: 0, r_column: 0}, driver: {r_output: 0.01 mohm}}
network: {layers: [784, 10], epochs: 1, batch_size: 512}
certificate: {tiles: 1, vectors: 1}
"""


def hallspice(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HALLSPICE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "card.yaml").write_text(CARD)
    (tmp_path / "signed.yaml").write_text(CONFIG)
    (tmp_path / "states.csv").write_text("-0.2,-0.05,0.0\n0.05,-0.2,-0.05\n")
    (tmp_path / "inputs.csv").write_text("0.5,0.25\n")
    return tmp_path


def test_states_of_both_signs_are_read_and_written_as_a_netlist(folder: Path) -> None:
    states = ("--states", folder / "states.csv", "--inputs", folder / "inputs.csv")
    result = hallspice("read", folder / "signed.yaml", *states, "--out", folder / "out.csv", "--quiet")
    assert result.exit_code == 0, result.output
    found = np.loadtxt(folder / "out.csv", delimiter=",", skiprows=1, ndmin=2)[0, -3:]
    expected = 1e-3 / 500 * np.array([0.5, 0.25]) @ [[-0.2, -0.05, 0.0], [0.05, -0.2, -0.05]]
    # what the finite rejection of common mode and the drivers add to all columns alike is some 1e-6 A
    np.testing.assert_allclose(found - found.mean(), expected - expected.mean(), atol=0.03 * np.ptp(expected))
    result = hallspice("netlist", folder / "signed.yaml", "--out", folder / "read.cir")
    assert result.exit_code == 0, result.output
    (folder / "states.csv").write_text("-0.21,-0.05,0.0\n0.05,-0.2,-0.05\n")
    result = hallspice("read", folder / "signed.yaml", *states, "--out", folder / "out.csv", "--quiet")
    assert "-0.21 ohm is out of range" in result.output


@pytest.mark.ngspice
def test_a_network_of_levels_of_both_signs(folder: Path) -> None:
    result = hallspice("run", folder / "signed.yaml", "--out", folder / "run", "--quiet")
    assert result.exit_code == 0, result.output
    found = json.loads((folder / "run" / "results.json").read_text())
    assert found["accuracy"]["circuit"] > 0.8
    assert abs(found["accuracy"]["circuit"] - found["accuracy"]["levels"]) < 0.03
