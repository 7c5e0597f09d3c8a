"""A network of one's own: the function that makes it, the file of its weights, and what is wrong with them."""

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hallspice.networks.own_network import check_outputs, own_network
from nn_mapping.data import Dataset
from nn_mapping.examples import Examples

NET = """\
from torch import nn
from layers_of_mine import hidden


def make():
    return nn.Sequential(nn.Flatten(), nn.Linear(12, hidden), nn.Dropout(0.5), nn.Linear(hidden, 3))


def number():
    return 7


def leave():
    raise SystemExit(3)


shape = (1, 2)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "layers_of_mine.py").write_text("hidden = 5\n")
    torch.manual_seed(3)
    torch.save(model().state_dict(), tmp_path / "net.pt")
    return tmp_path


def model(hidden: int = 5) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(12, hidden), nn.Dropout(0.5), nn.Linear(hidden, 3))


def dataset(*shape: int, classes: int = 3) -> Dataset:
    images = np.random.default_rng(0).uniform(0, 1, (6, *shape)).astype(np.float32)
    labels = np.arange(6) % classes
    return Dataset(
        name="mine", train_images=images, train_labels=labels, test_images=images, test_labels=labels
    )


def test_a_network_has_its_weights_and_is_evaluated(folder: Path) -> None:
    before = list(sys.path)
    found = own_network(folder / "net.py", "make", folder / "net.pt")
    torch.manual_seed(3)
    expected = model().eval()
    x = torch.rand(4, 3, 4)
    assert torch.equal(found(x), expected(x)), "dropout is off, weights are those of the file"
    assert not found.training
    assert sys.path == before


def test_what_is_drawn_is_that_of_the_seed(folder: Path) -> None:
    (folder / "net.py").write_text(
        NET
        + "\n\ndef noisy():\n    net = make()\n    net.noise = __import__('torch').rand(4)\n    return net\n"
    )
    drawn = [own_network(folder / "net.py", "noisy", folder / "net.pt", seed).noise for seed in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("build", "net.py: no function 'build' in it, it has: make, number, leave"),
        ("shape", "net.py: no function 'shape' in it"),
        ("number", "net.py: number returns int, expected a torch.nn.Module"),
        ("leave", "net.py: SystemExit: 3"),
    ],
)
def test_functions_that_make_no_network(folder: Path, name: str, what: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"{folder}/{what}")):
        own_network(folder / "net.py", name, folder / "net.pt")


def test_a_file_that_is_no_program(folder: Path) -> None:
    (folder / "net.py").write_text("import there_is_no_such_module\n")
    with pytest.raises(ValueError, match=r"net\.py: ModuleNotFoundError: No module named 'there_is"):
        own_network(folder / "net.py", "make", folder / "net.pt")


class Trap:
    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (Path("run"),)


@pytest.mark.parametrize(
    ("state", "what"),
    [
        (
            model(6).state_dict(),
            r"not the weights of what .*net\.py:make makes: .*size mismatch for 1\.weight",
        ),
        (
            {"1.weight": torch.zeros(5, 12)},
            r"not the weights of .*Missing key\(s\) in state_dict: \"1\.bias\"",
        ),
        ({**model().state_dict(), "more": torch.zeros(1)}, r"Unexpected key\(s\) in state_dict: \"more\""),
        (
            {"epoch": 3, "model": {}},
            r"net\.pt: holds epoch, model; expected the tensors of `network\.state_dict",
        ),
        (torch.zeros(2), r"net\.pt: holds Tensor; expected"),
        (
            Trap(),
            r"net\.pt: not readable as weights alone: .*; `torch\.save\(network\.state_dict\(\), FILE\)`",
        ),
    ],
)
def test_weights_that_are_not_those_of_the_network(
    folder: Path, state: Any, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    torch.save(state, folder / "net.pt")
    with pytest.raises(ValueError, match="(?s)" + what):
        own_network(folder / "net.py", "make", folder / "net.pt")
    assert not (folder / "run").exists(), "nothing of the file is run"
    (folder / "net.pt").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="not readable as weights alone"):
        own_network(folder / "net.py", "make", folder / "net.pt")


@pytest.mark.parametrize(
    ("shape", "given"), [((12,), (2, 12)), ((3, 4), (2, 1, 3, 4)), ((2, 3, 2), (2, 2, 3, 2))]
)
def test_what_a_network_gets(shape: tuple[int, ...], given: tuple[int, ...]) -> None:
    data = dataset(*shape)
    for inputs in (Examples.of(data.head(2, 6)).calibration, Examples.of(data.head(6, 2)).inputs):
        assert inputs.shape == given
        assert inputs.numpy().ravel().tolist() == data.test_images[:2].ravel().tolist()
    check_outputs(model().eval(), data, "net.py:make")


def test_a_network_must_give_a_number_for_every_class() -> None:
    with pytest.raises(
        ValueError,
        match=re.escape(
            "net.py:make gives (2, 3) on inputs of shape (2, 12), expected a tensor of shape (2, 2): a number for "
            "each of the 2 classes of mine"
        ),
    ):
        check_outputs(model(), dataset(12, classes=2), "net.py:make")
    with pytest.raises(
        ValueError, match=re.escape("net.py:make on inputs of shape (2, 11): RuntimeError: mat1")
    ):
        check_outputs(model(), dataset(11), "net.py:make")
    with pytest.raises(ValueError, match=r"net\.py:make gives tuple on inputs"):
        check_outputs(nn.LSTM(12, 3), dataset(12), "net.py:make")
