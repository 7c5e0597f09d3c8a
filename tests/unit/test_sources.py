"""A kept network depends on every file that its training runs, and on no other."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from circuits.arrays.config import ArrayConfig
from hallspice.networks import sources
from hallspice.networks.kept import Circuit, trained
from nn_mapping.analog.chip_design import Chip, LayerOptions
from nn_mapping.column_readout import Readout
from nn_mapping.data import Dataset
from nn_mapping.levels import PAPER_LEVELS_OHM, level_set
from nn_mapping.recipes import GOOD

LEVELS = level_set("reference", PAPER_LEVELS_OHM)
RECIPE = replace(GOOD, epochs=1, batch=20)


class Silent:
    """Says nothing."""

    def __call__(self, done: int, total: int, message: str) -> None: ...

    def say(self, what: object) -> None: ...


def brighter() -> Dataset:
    """Pictures of two pixels; the brighter one is the class."""
    images = np.random.default_rng(0).integers(0, 256, (60, 1, 2)).astype(np.uint8)
    labels = images.reshape(-1, 2).argmax(axis=1).astype(np.uint8)
    parts = {"train_images": images, "train_labels": labels, "test_images": images, "test_labels": labels}
    return Dataset(name="brighter", **parts)


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The packages once more, which the cache takes for the program; nothing is kept yet."""
    for package in sources.PACKAGES:
        shutil.copytree(
            sources.ROOT / package,
            tmp_path / package,
            ignore=shutil.ignore_patterns("__pycache__", "datasets"),
        )
    monkeypatch.setenv("HALLSPICE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    return tmp_path


def reused(layers: dict[str, LayerOptions] | None = None) -> tuple[bool, bool]:
    """Whether a plain network and one trained through the circuit come from the cache."""
    plain, first = trained(brighter(), (2, 3, 2), LEVELS.weights, RECIPE, 1, Silent(), "levels")
    array = ArrayConfig(architecture="active_parallel")
    chip = Chip(config=array, level_set=LEVELS, readout=Readout(v_full=0.5), tile=(4, 6), layers=layers or {})
    circuit = Circuit(network=plain, chip=chip)
    _, second = trained(brighter(), (2, 3, 2), LEVELS.weights, RECIPE, 1, Silent(), "circuit", circuit)
    return first, second


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("circuits/solve/tensor.py", (True, False)),
        ("circuits/arrays/parts.py", (True, False)),
        ("nn_mapping/quantiser.py", (False, False)),
        ("compact_model/numeric.py", (False, False)),
        ("hallspice/cli.py", (True, True)),
        ("compact_model/thermal.py", (True, True)),
    ],
)
def test_a_changed_byte_costs_the_networks_that_depend_on_it(
    copied: Path, file: str, expected: tuple[bool, bool]
) -> None:
    assert reused() == (False, False)
    assert reused() == (True, True)
    with (copied / file).open("ab") as source:
        source.write(b"#")
    sources.source_digest.cache_clear()  # a process reads its sources once
    assert reused() == expected


@pytest.mark.parametrize(
    "option",
    [
        LayerOptions(tile=(2, 5)),
        LayerOptions(bits=4),
        LayerOptions(input_slice_bits=3),
        LayerOptions(input_full=2.0),
        LayerOptions(digital=True),
    ],
)
def test_an_option_of_one_layer_costs_the_network_trained_through_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: LayerOptions
) -> None:
    monkeypatch.setenv("HALLSPICE_CACHE", str(tmp_path))
    assert reused() == (False, False)
    assert reused({"layer2": LayerOptions()}) == (True, True)
    assert reused({"layer2": option}) == (True, False)


def test_imports_are_followed_as_far_as_they_go(tmp_path: Path) -> None:
    for name, text in {
        "circuits/__init__.py": "",
        "circuits/first.py": "import numpy\nfrom circuits import second\nfrom circuits.third import thing\n",
        "circuits/second.py": "def f():\n    import circuits.fourth\n",
        "circuits/third.py": "if TYPE_CHECKING:\n    from circuits.fifth import Hint\nfrom circuits import first\n",
        "circuits/fourth.py": "",
        "circuits/fifth.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    found = sources.sources_of(("circuits.first",), tmp_path)
    assert [path.stem for path in found] == ["first", "fourth", "second", "third"]
