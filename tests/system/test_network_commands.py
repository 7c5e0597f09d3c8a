"""Train, run through the circuit, and chips, small: one hidden layer, one epoch."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hallspice.cli.application import app
from hallspice.inference.results import InferenceResults
from hallspice.networks.results import EvaluateResults, InSituResults, TrainResults

CONFIG = """
seed: 3
array:
  rows: 256
  columns: 64
  calibration: none
  wire: {r_row: 0.002 ohm, r_column: 0.002 ohm}
network: {layers: [784, 24, 10], epochs: 1, batch_size: 256, circuit_epochs: 1}
certificate: {tiles: 1, vectors: 1}
variation:
  {chips: 2, spread_of_window: 0.05, read_noise: 0.02, temperature: 350 K, by_layer: true, recalibrate: outputs}
"""


def hallspice(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("network")
    (folder / "small.yaml").write_text(CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HALLSPICE_CACHE", str(folder / "cache"))
        result = hallspice("train", folder / "small.yaml", "--out", folder / "network", "--quiet")
    assert result.exit_code == 0, result.output
    text = (folder / "network" / "results.json").read_text()
    assert TrainResults.model_validate_json(text).model_dump(mode="json") == json.loads(text)
    return folder


def test_a_network_on_chips(trained: Path) -> None:
    network = trained / "network" / "network.npz"
    result = hallspice(
        "evaluate", trained / "small.yaml", "--network", network, "--out", trained / "chips", "--quiet"
    )
    assert result.exit_code == 0, result.output
    text = (trained / "chips" / "results.json").read_text()
    found = json.loads(text)
    assert EvaluateResults.model_validate_json(text).model_dump(mode="json") == found
    rows = {row["effect"]: row for row in found["rows"]}
    assert list(rows) == [
        "as meant",
        "spread of the cells, share of the window",
        "noise of every read, share of the window",
        "warmer or colder than calibrated",
        "all together",
    ]
    meant = rows["as meant"]
    assert meant["mean"] > 0.8  # it was trained through this circuit
    assert meant["interval"][0] < meant["mean"] < meant["interval"][1]
    assert [len(row["accuracies"]) for row in rows.values()] == [1, 2, 2, 2, 2]
    assert [len(row["layers"]) for row in found["points_lost_by_layer"]] == [2] * 4
    assert sum(map(sum, found["confusion"]["all together"])) == 2 * 10000
    assert "all together" in (trained / "chips" / "report.html").read_text()


def test_a_network_of_other_levels_is_refused(trained: Path) -> None:
    other = trained / "other.yaml"
    other.write_text(CONFIG.replace("circuit_epochs: 1", "scheme: differential"))
    network = trained / "network" / "network.npz"
    result = hallspice("evaluate", other, "--network", network, "--out", trained / "other", "--quiet")
    assert result.exit_code == 2
    assert "the network was trained on" in result.output


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ("[784, 20, 10]", "784 - 20 - 10"),
        ("[784, 10]", "784 - 10"),
        ("[784, 24, 24, 10]", "784 - 24 - 24 - 10"),
    ],
)
def test_a_network_of_other_layers_is_refused(trained: Path, layers: str, said: str) -> None:
    other, network = trained / "other.yaml", trained / "network" / "network.npz"
    other.write_text(CONFIG.replace("[784, 24, 10]", layers))
    result = hallspice("evaluate", other, "--network", network, "--out", trained / "other", "--quiet")
    assert result.exit_code == 2
    assert f"network.npz: a network of 784 - 24 - 10, {other} says {said} (inputs" in " ".join(
        result.output.split()
    )


def test_a_trained_network_is_run(trained: Path) -> None:
    """Nothing is trained, so that there are no float weights to compare with."""
    config, network = trained / "run.yaml", trained / "network" / "network.npz"
    config.write_text(CONFIG[: CONFIG.index("variation:")])
    result = hallspice("run", config, "--network", network, "--out", trained / "run", "--quiet")
    assert result.exit_code == 0, result.output
    found = InferenceResults.model_validate_json((trained / "run" / "results.json").read_text())
    before = TrainResults.model_validate_json((trained / "network" / "results.json").read_text())
    assert found.accuracy.float_ is None
    assert found.accuracy.levels == pytest.approx(before.accuracy, abs=2e-4)
    assert found.network.name == "784 - 24 - 10"
    assert found.network.recipe is None
    assert found.network.history is not None
    assert found.network.history.float_ is None
    assert "against float weights" not in result.output
    assert "was trained elsewhere" in found.network.training_note
    head = (trained / "run" / "training.csv").read_text().splitlines()[0]
    assert head == "epoch,levels_train_loss,levels_train_accuracy,levels_test_accuracy"
    assert (trained / "run" / "network.npz").exists()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "network: {scheme: differential, r_reference: 0.5 ohm}",
            "has no meaning for weights by differential",
        ),
        ("network: {convolutions: [{channels: 4, kernel: 5, pool: 28}]}", "too few for a pool of 28"),
    ],
)
def test_networks_that_cannot_be_are_refused(tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "wrong.yaml").write_text(line)
    result = hallspice("train", tmp_path / "wrong.yaml", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert words in result.output.replace("\n", " ")


def test_the_paper_without_clothes_is_one_clear_error(tmp_path: Path) -> None:
    """The missing set is named before anything is trained."""
    result = hallspice("paper", "--out", tmp_path / "out", "--data-dir", tmp_path, "--quick", "--quiet")
    assert result.exit_code == 2
    assert "Three ways to get it" in result.output


def test_training_in_situ(tmp_path: Path) -> None:
    config = tmp_path / "in_situ.yaml"
    config.write_text(
        "network: {layers: [784, 10], epochs: 1, batch_size: 2000, "
        "in_situ: {updates: [ideal, identical], device_spread: 0.05}}"
    )
    result = hallspice("train", config, "--out", tmp_path / "out", "--quiet")
    assert result.exit_code == 0, result.output
    text = (tmp_path / "out" / "results.json").read_text()
    found = json.loads(text)
    assert InSituResults.model_validate_json(text).model_dump(mode="json") == found
    assert [row["update"] for row in found["in_situ"]] == ["ideal", "identical"]
    assert found["in_situ"][1]["energy_j"] > 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(found["files"])
    refused = hallspice("evaluate", config, "--out", tmp_path / "chips", "--quiet")
    assert refused.exit_code == 2
    assert "nothing else takes them" in refused.output
