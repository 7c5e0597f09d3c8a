"""Trained networks are kept, and interrupted trainings go on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hallspice.config.demand import Demand
from hallspice.config.load import load_setup
from hallspice.networks import kept
from hallspice.networks.kept import make_networks, recipe_of, trained
from nn_mapping.data import Dataset
from nn_mapping.recipes import GOOD, GOOD_CLOTHES, LITERAL, PAPER, Recipe
from nn_mapping.trained import TrainedNetwork

RECIPE = replace(GOOD, epochs=4, batch=50)
LEVELS = np.array([-1.0, 0.0, 1.0])


def halves() -> Dataset:
    """Pictures of two pixels, the brighter one is the class."""
    images = np.random.default_rng(0).integers(0, 256, (400, 1, 2)).astype(np.uint8)
    labels = images.reshape(-1, 2).argmax(axis=1).astype(np.uint8)
    return Dataset(
        name="halves",
        train_images=images[:300],
        train_labels=labels[:300],
        test_images=images[300:],
        test_labels=labels[300:],
    )


class Killed(BaseException):
    """Stands for the end of the process."""


class Reporter:
    """Remembers what it is told, and ends the training after some epochs."""

    def __init__(self, epochs: int = 99) -> None:
        self.epochs = epochs
        self.done: list[int] = []
        self.said: list[object] = []

    def __call__(self, done: int, _total: int, _message: str) -> None:
        self.done.append(done)
        if done == self.epochs:
            raise Killed

    def say(self, what: object) -> None:
        self.said.append(what)


def training(reporter: Reporter) -> tuple[TrainedNetwork, bool]:
    return trained(halves(), (2, 8, 2), LEVELS, RECIPE, 1, reporter, "levels")


def test_an_interrupted_training_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALLSPICE_CACHE", str(tmp_path / "whole"))
    whole, reused = training(Reporter())
    assert not reused
    monkeypatch.setenv("HALLSPICE_CACHE", str(tmp_path / "parts"))
    with pytest.raises(Killed):
        training(Reporter(epochs=2))
    rest = Reporter()
    found, reused = training(rest)
    assert not reused
    assert rest.done == [3, 4]
    assert "goes on where it was interrupted" in str(rest.said[0])
    assert found.history == whole.history
    for ours, theirs in zip(found.layers, whole.layers, strict=True):
        np.testing.assert_array_equal(ours.weights, theirs.weights)
        np.testing.assert_array_equal(ours.gain, theirs.gain)
    again = Reporter()
    assert training(again)[1]
    assert again.done == []
    assert {path.suffix for path in (tmp_path / "parts").rglob("*") if path.is_file()} <= {".npz", ".lock"}


def test_where_nothing_can_be_kept_training_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("HALLSPICE_CACHE", str(tmp_path / "file"))
    assert not training(Reporter())[1]


@pytest.mark.parametrize(
    ("name", "dataset", "expected"),
    [
        ("good", "mnist", GOOD),
        ("good", "fashion-mnist", GOOD_CLOTHES),
        ("paper", "mnist", PAPER),
        ("paper", "fashion-mnist", PAPER),
        ("literal", "fashion-mnist", LITERAL),
    ],
)
def test_a_recipe_is_chosen_by_its_name(name: str, dataset: str, expected: Recipe) -> None:
    network = {"recipe": name, "dataset": dataset, "epochs": 7, "batch_size": 20}
    found = recipe_of(load_setup({"network": network}, None, Demand.EVALUATE))
    assert found == replace(expected, epochs=7, batch=20, input_bits=6)


def test_networks_depend_on_the_converters_that_they_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Float weights on none; those on levels on the DACs, whose inputs they are trained on; none on the ADCs."""
    monkeypatch.setenv("HALLSPICE_CACHE", str(tmp_path))
    monkeypatch.setattr(kept, "layers_of", lambda _: [2, 8, 2])

    def reused(dac_bits: int, adc_bits: int) -> tuple[set[str], list[int | None]]:
        reporter = Reporter()
        converters = {"dac_bits": dac_bits, "adc_bits": adc_bits}
        setup = load_setup({"array": {"converters": converters}, "network": {"epochs": 1, "batch_size": 50}})
        found = make_networks(setup, halves(), reporter)
        bits = [found.float_network.input_bits, found.level_network.input_bits]
        return {str(line).split()[1] for line in reporter.said}, bits

    assert reused(6, 6) == (set(), [None, 6])
    assert reused(6, 4) == ({"float", "levels"}, [None, 6])
    assert reused(4, 4) == ({"float"}, [None, 4])
    assert reused(12, 4) == ({"float"}, [None, 8])
