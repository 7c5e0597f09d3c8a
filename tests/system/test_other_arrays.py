"""Networks on architectures of every kind, and with weights and inputs in slices, on a small data set of one's own."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from hallspice.cli.application import app

BASE = """\
seed: 3
array: {rows: 7, columns: 9, KEYS}
network: {dataset: mine.npz, layers: [12, 8, 3], epochs: 12, batch_size: 20, MORE}
certificate: {tiles: 2, vectors: 2}
"""
CURRENT = "read: {i_read: 100 uA}"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of images of 3 x 4 pixels, told apart with some noise."""
    folder = tmp_path_factory.mktemp("desk")
    random = np.random.default_rng(0)
    kinds = random.uniform(0, 255, (3, 3, 4))
    arrays = {}
    for part, count in (("train", 300), ("test", 90)):
        labels = np.arange(count) % 3
        noisy = kinds[labels] + random.normal(0, 60, (count, 3, 4))
        arrays |= {f"{part}_images": noisy.clip(0, 255).astype(np.uint8), f"{part}_labels": labels}
    np.savez(folder / "mine.npz", **arrays)
    return folder


def run(desk: Path, name: str, keys: str, more: str = "epochs: 12", command: str = "run") -> Result:
    text = BASE.replace("KEYS", keys).replace("epochs: 12, ", "").replace("MORE", more)
    (desk / f"{name}.yaml").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HALLSPICE_CACHE", str(desk / "cache"))
        return CliRunner().invoke(
            app, [command, str(desk / f"{name}.yaml"), "--out", str(desk / name), "--quiet"]
        )


def results(desk: Path, name: str, keys: str, more: str = "epochs: 12") -> Any:
    """What a run finds."""
    done = run(desk, name, keys, more)
    assert done.exit_code == 0, done.output
    found = json.loads((desk / name / "results.json").read_text())
    if found["certificate"]["tiles"]:
        assert found["certificate"]["max_relative_difference"] <= 1e-6
    return found


@pytest.mark.parametrize(
    ("architecture", "keys"),
    [
        ("passive_parallel", "wire: {r_row: 1 mohm}"),
        ("row_multiplexed", CURRENT),
        ("series_hall", f"series: {{isolation: ideal}}, {CURRENT}"),
    ],
)
def test_a_network_runs(desk: Path, architecture: str, keys: str) -> None:
    """With what its arrays lose calibrated away, as on the others."""
    found = results(desk, architecture, f"architecture: {architecture}, {keys}")
    accuracy = found["accuracy"]
    assert accuracy["levels"] > 0.8
    assert abs(accuracy["circuit"] - accuracy["levels"]) < 0.05
    assert found["energy_per_inference_j"]["cells"] > 0
    drop = np.loadtxt(desk / architecture / "ir_drop.csv", delimiter=",", skiprows=1)
    assert drop.min() > 0.9 * drop.max() > 0, "every row was driven"


def test_slices_cost_reads_and_cells(desk: Path) -> None:
    """12-8-3 in 2 slices, in reads of 2 of 6 bits, beside one cell and one read."""
    plain = results(desk, "plain", "calibration: none")
    sliced = results(desk, "sliced", "converters: {input_slice_bits: 2}", "epochs: 12, weight_slices: [1, 3]")
    assert (sliced["array"]["parameters"]["input_slice_bits"], sliced["array"]["weight_slices"]) == (
        2,
        [1.0, 3.0],
    )
    assert (plain["array"]["parameters"]["input_slice_bits"], plain["array"]["layers"][-1]["cells"]) == (
        None,
        12 * (8 + 2 * 2) + 8 * (3 + 2),
    )
    # at most 3 outputs of 2 slices and a reference on 9 columns: 3 tiles across, and 1
    assert sliced["array"]["layers"][-1]["cells"] == 12 * (16 + 3 * 2) + 8 * (6 + 2)
    adc = [sum(layer["adc"] for layer in one["energy_by_layer_j"]) for one in (plain, sliced)]
    assert adc[1] == pytest.approx(6 * adc[0], rel=1e-9), "twice the outputs, three times the reads"
    assert sliced["latency_s"] > 2.5 * plain["latency_s"]
    assert "Slices count 1 : 3" in sliced["array"]["note"]
    assert sliced["accuracy"]["circuit"] > 0.8


@pytest.mark.parametrize(
    ("keys", "more", "said"),
    [
        ("columns: 3", "weight_slices: [1, 2]", "weights by reference in 2 slices need at least 4 in a tile"),
        (
            "columns: 3",
            "weight_slices: [1, 2], scheme: differential",
            "differential in 2 slices need at least 4",
        ),
        ("calibration: none", "weight_slices: [1, 0]", "weight_slices"),
        (
            "calibration: none",
            f"weight_slices: {[1] * 7}",
            "7 slices of up to 6 weights are 279936 combinations",
        ),
        ("calibration: none", "weight_slices: [1, 2], in_situ: {updates: [ideal]}", "one cell per weight"),
        ("converters: {input_slice_bits: 0}", "epochs: 1", "input_slice_bits"),
    ],
)
def test_slices_that_do_not_fit(desk: Path, keys: str, more: str, said: str) -> None:
    (desk / "wrong.yaml").write_text(
        BASE.replace("columns: 9, KEYS", keys).replace("epochs: 12, batch_size: 20, MORE", more)
    )
    found = CliRunner().invoke(app, ["run", str(desk / "wrong.yaml"), "--out", str(desk / "wrong")])
    assert found.exit_code == 2
    assert said in found.stderr
