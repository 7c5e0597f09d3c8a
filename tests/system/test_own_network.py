"""A network and data of one's own through the commands: five classes, three channels, a torch model and its weights."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner, Result

from hallspice.cli.application import app
from hallspice.inference.results import InferenceResults
from hallspice.networks.results import EvaluateResults

NET = """\
from torch import nn


def make():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(16, 8), nn.GELU(), nn.Linear(8, 5)
    )
"""
CONFIG = """\
seed: 2
array: {rows: 20, columns: 16}
network: {dataset: flags.npz, inputs: standardised, module: "net.py:make", weights: net.pt, scheme: differential}
layers:
  "[35]": {bits: 8}
  "5": {digital: true}
certificate: {tiles: 2, vectors: 1}
variation: {chips: 2, spread_of_window: 0.02}
write: {states: programmed}
"""


def hallspice(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def flags(count: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Which channel is bright, and in which half."""
    labels = np.arange(count) % 5
    images = random.normal(0, 3, (count, 3, 6, 6))
    for image, label in zip(images, labels, strict=True):
        image[label % 3, 3 * (label // 3) : 3 * (label // 3) + 3] += 4
    return images.astype(np.float32), labels


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = tmp_path_factory.mktemp("own")
    random = np.random.default_rng(1)
    (train, labels), (test, others) = flags(600, random), flags(200, random)
    names = np.array(["r", "g", "b", "r below", "g below"])
    arrays = {"train_images": train, "train_labels": labels, "test_images": test, "test_labels": others}
    np.savez(here / "flags.npz", class_names=names, **arrays)
    (here / "net.py").write_text(NET)
    (here / "mine.yaml").write_text(CONFIG)
    space: dict[str, object] = {}
    exec(NET, space)
    torch.manual_seed(1)
    network = space["make"]()  # type: ignore[operator]
    mean, spread = (find(train, axis=(0, 2, 3), keepdims=True) for find in (np.mean, np.std))
    inputs, target = torch.from_numpy((train - mean) / spread), torch.from_numpy(labels)
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(inputs), target).backward()
        optimiser.step()
    torch.save(network.state_dict(), here / "net.pt")
    return here


def test_a_run_ends_with_accuracy_energy_certificate_and_a_row_per_module(folder: Path) -> None:
    (folder / "run.yaml").write_text(CONFIG.replace("variation: {chips: 2, spread_of_window: 0.02}\n", ""))
    result = hallspice("run", folder / "run.yaml", "--out", folder / "run", "--quiet")
    assert result.exit_code == 0, result.output
    text = (folder / "run" / "results.json").read_text()
    found = InferenceResults.model_validate_json(text)
    assert found.model_dump(mode="json") == json.loads(text)
    accuracy, network = found.accuracy, found.network
    assert accuracy.float_ is not None
    assert 0.9 < accuracy.float_ < 1.0
    assert accuracy.circuit > accuracy.float_ - 0.05
    assert accuracy.programmed is not None
    assert accuracy.programmed > 0.8
    assert found.energy_per_inference_j.total > 0
    assert len(found.energy_by_layer_j) == 2
    assert found.certificate.passed or found.certificate.reason
    assert (network.classes, network.input_shape, network.layers, network.history) == (
        5,
        (3, 6, 6),
        None,
        None,
    )
    assert network.inputs == (
        "(x - m) / s; m, s: mean and standard deviation of each channel over the training part"
    )
    assert network.name == "net.py:make, weights of net.pt"
    rows = {row.names[0]: row for row in network.modules}
    assert list(rows) == ["0", "1", "2", "3", "4", "5"]
    assert [row.kind for row in rows.values()] == ["Conv2d", "ReLU", "Flatten", "Linear", "GELU", "Linear"]
    assert [row.fate for row in rows.values()] == [
        "array",
        "digital",
        "digital",
        "array",
        "digital",
        "digital",
    ]
    assert (rows["5"].reason, rows["0"].levels) == ("asked for", 23)
    # 27 x 4 pairs and 16 x 8 pairs
    assert (rows["0"].cells, rows["3"].cells) == (216, 256)
    page = (folder / "run" / "report.html").read_text()
    for words in (
        "net.py:make, weights of net.pt",
        "GELU",
        "digital: asked for",
        "m, s: mean and standard",
        "g below",
    ):
        assert words in page
    written = {path.name for path in (folder / "run").iterdir()}
    assert not {"network.npz", "training.csv"} & written


def test_chips_are_written_by_pulses_where_the_configuration_says_so(folder: Path) -> None:
    result = hallspice("evaluate", folder / "mine.yaml", "--out", folder / "chips", "--quiet")
    assert result.exit_code == 0, result.output
    found = EvaluateResults.model_validate_json((folder / "chips" / "results.json").read_text())
    assert [row.effect for row in found.rows] == [
        "as meant",
        "states as written by pulses",
        "spread of the cells, share of the window",
        "all together",
    ]
    assert [row.size for row in found.rows] == ["", "verify", "2 %", ""]
    run = InferenceResults.model_validate_json((folder / "run" / "results.json").read_text())
    assert found.rows[1].accuracies[0] == pytest.approx(run.accuracy.programmed, abs=0.011)
    assert found.rows[1].accuracies != found.rows[0].accuracies * 2
    assert found.digital == pytest.approx(run.accuracy.levels, abs=1e-9)


@pytest.mark.parametrize(
    ("command", "old", "new", "what"),
    [
        ("run", "'[35]'", "'9'", "matches no module that arrays can carry: 0, 3, 5"),
        (
            "train",
            "",
            "",
            "network.module: such a network is trained already; `hallspice run` and `evaluate` take it",
        ),
        ("run", "net.py:make", "net.py:nothing", "no function 'nothing' in it, it has: make"),
    ],
)
def test_what_is_refused(folder: Path, command: str, old: str, new: str, what: str) -> None:
    text = CONFIG.replace("variation: {chips: 2, spread_of_window: 0.02}\n", "").replace('"[35]"', "'[35]'")
    (folder / "wrong.yaml").write_text(text.replace(old, new))
    result = hallspice(command, folder / "wrong.yaml", "--out", folder / "wrong", "--quiet")
    assert result.exit_code == 2
    assert what in " ".join(result.output.split())


def test_a_network_of_ones_own_is_no_file_of_a_training(folder: Path) -> None:
    (folder / "network.npz").touch()
    result = hallspice(
        "evaluate",
        folder / "mine.yaml",
        "--network",
        folder / "network.npz",
        "--out",
        folder / "no",
        "--quiet",
    )
    assert result.exit_code == 2
    assert "names a network in network.module already" in " ".join(result.output.split())
