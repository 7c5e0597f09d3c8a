"""The cache of trained networks: one training for all who need it; listing and clearing."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import Timeout
from typer.testing import CliRunner

from hallspice.cli.application import app
from hallspice.networks import kept
from hallspice.networks.kept import lock_of, trained
from hallspice.progress import reporter
from nn_mapping.data import Dataset
from nn_mapping.recipes import GOOD
from nn_mapping.trained import Layer, TrainedNetwork

IMAGES, LABELS = np.zeros((2, 28, 28), np.uint8), np.zeros(2, np.uint8)
TINY = Dataset(name="mnist", train_images=IMAGES, train_labels=LABELS, test_images=IMAGES, test_labels=LABELS)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HALLSPICE_CACHE", str(tmp_path))
    return tmp_path / "networks"


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> tuple[list[int], threading.Event]:
    """The seeds of the trainings that were begun; none ends before the event is set."""
    begun: list[int] = []
    end = threading.Event()

    def train(
        _data: Any, _layers: Any, levels: Any, _recipe: Any, seed: int, *_: Any, **__: Any
    ) -> TrainedNetwork:
        begun.append(seed)
        end.wait(20)
        layer = Layer(
            weights=np.zeros((10, 784), np.float32),
            gain=np.ones(10, np.float32),
            offset=np.zeros(10, np.float32),
        )
        info = {"recipe": {"name": "good", "epochs": 1}, "seed": seed, "data": "mnist"}
        return TrainedNetwork(layers=(layer,), levels=levels, info=info)

    monkeypatch.setattr(kept, "train", train)
    return begun, end


def _train(seed: int = 1, **options: Any) -> tuple[TrainedNetwork, bool]:
    with reporter(quiet=True) as progress:
        return trained(TINY, [784, 10], None, GOOD, seed, progress, "float", **options)


def _in_threads(work: Callable[[], Any], count: int) -> tuple[list[threading.Thread], list[Any]]:
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(work())) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, found


@pytest.mark.usefixtures("folder")
def test_of_several_that_need_a_training_one_does_it(trainings: tuple[list[int], threading.Event]) -> None:
    begun, end = trainings
    threads, found = _in_threads(_train, 3)
    while not begun:
        time.sleep(0.01)
    with pytest.raises(Timeout):
        _train(wait=False)
    end.set()
    for thread in threads:
        thread.join()
    assert begun == [1]
    assert sorted(reused for _, reused in found) == [False, True, True]
    assert _train(wait=False)[1]


def test_a_folder_that_cannot_be_written_shares_nothing(
    folder: Path, trainings: tuple[list[int], threading.Event], caplog: pytest.LogCaptureFixture
) -> None:
    begun, end = trainings
    end.set()
    folder.write_text("a file where the folder should be")
    for _ in range(2):
        assert not _train()[1]
    assert begun == [1, 1]
    assert "cannot be written" in caplog.text


def _cache(*arguments: str) -> str:
    """What the command says."""
    result = CliRunner().invoke(app, ["cache", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_cache_is_shown_and_cleared(folder: Path, trainings: tuple[list[int], threading.Event]) -> None:
    assert "0 networks" in _cache()
    trainings[1].set()
    for seed in (1, 2):
        _train(seed)
    (folder / "notes.npz").write_text("not ours")
    (folder / f"{'a' * 32}.npz").write_text("damaged")
    (folder / f"{'b' * 32}.checkpoint").write_text("half")
    shown = " ".join(_cache("list").split())
    assert "4 networks" in shown
    assert "784-10" in shown
    assert "damaged" in shown
    assert "interrupted" in shown
    old, young, _ = sorted(folder.glob("?" * 32 + ".npz"))
    month_ago = time.time() - 31 * 86400
    os.utime(old, (month_ago, month_ago))
    assert "Removed 1 networks" in _cache("clear", "--older-than", "30d")
    assert not old.exists()
    with lock_of(young):
        output = _cache("clear")
    assert "is in use and stays" in output
    assert "Removed 2 networks" in output
    _cache("clear")
    assert [path.name for path in folder.iterdir()] == ["notes.npz"]


def test_an_age_has_a_unit_of_time(folder: Path) -> None:
    result = CliRunner().invoke(app, ["cache", "clear", "--older-than", "30 ohm"])
    assert result.exit_code == 2
    assert "'30 ohm' is not convertible to s" in result.output
    assert not folder.exists()
