"""One point of a sweep: what `hallspice run` computes, without pages and figures, in one thread."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from pydantic.main import IncEx
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

from compact_model.cards.storage import scratch_folder
from hallspice.config.setup import Setup
from hallspice.inference.collect import results_of
from hallspice.inference.examination import build, examine, write_plan
from hallspice.inference.model_on_arrays import ModelOnArrays, placed
from hallspice.networks.datasets import dataset_of, own_content
from hallspice.networks.kept import chip_of
from hallspice.networks.sources import PACKAGES
from hallspice.networks.subject import Subject
from hallspice.progress import SILENT
from hallspice.sweeps.results import PointOutcome, PointValues

LIBRARIES = ("numpy", "scipy", "torch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a worker needs to compute a point, on whatever machine it is."""

    setup: Setup
    data_dir: Path | None
    code: str
    """`code_version` of the process that planned the sweep."""

    @property
    def name(self) -> str:
        """Content hash of everything that the result depends on: configuration, cards, seed, code, libraries."""
        return _digest(self._content(self.setup.config.model_dump(mode="json", exclude={"sweep"})))

    @property
    def built(self) -> str:
        """Content hash of everything that the trained networks and the solved tiles depend on."""
        ignored: dict[str, IncEx | bool] = {"sweep": True, "certificate": True, "write": True}
        if not self.setup.config.network.circuit_epochs:  # else the outputs take part in the training
            ignored["array"] = {"converters": {"adc_bits", "adc_full", "quantile"}, "calibration": True}
        return _digest(self._content(self.setup.config.model_dump(mode="json", exclude=ignored)))

    def _content(self, config: object) -> dict[str, object]:
        cards = {
            name: _numbers(getattr(self.setup, name).model_dump(mode="json"))
            for name in ("card", "periphery")
        }
        return {
            "config": config,
            **cards,
            "data": self.data_dir and str(self.data_dir),
            "files": own_content(self.setup),
            "code": self.code,
        }


def _numbers(card: Any) -> Any:
    """The content of a card without provenances and sources: a line that moves in a file changes no number."""
    if isinstance(card, dict):
        return {key: _numbers(value) for key, value in card.items() if key not in ("provenance", "source")}
    return [_numbers(value) for value in card] if isinstance(card, list) else card


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


@cache
def code_version() -> str:
    """Content hash of the program's sources and of the versions of the libraries that calculate."""
    digest = hashlib.sha256(json.dumps([[name, version(name)] for name in LIBRARIES]).encode())
    for package in PACKAGES:
        root = Path(str(resources.files(package)))
        for path in sorted(root.rglob("*.py")):
            digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def failed(what: str, seconds: float = 0.0) -> PointOutcome:
    """The outcome of a point that has no result."""
    return PointOutcome(error=what, seconds=seconds)


def compute(task: Task) -> PointOutcome:
    """Compute a point; whatever goes wrong becomes its error."""
    if task.code != code_version():
        return failed(
            "this worker has other versions of hallspice, numpy, scipy or torch than the command that started the sweep"
        )
    start = time.perf_counter()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            values = _values(task)
    except Exception as error:  # what is no number is an error of this point, not of the sweep
        return failed(f"{type(error).__name__}: {error}", time.perf_counter() - start)
    return PointOutcome(values=values, seconds=time.perf_counter() - start)


_built_last: dict[str, tuple[ModelOnArrays, Subject]] = {}
"""The networks and solved tiles that this worker made last: the next point often needs the same."""


def _built(task: Task) -> tuple[ModelOnArrays, Subject]:
    name, setup = task.built, task.setup
    if name not in _built_last:
        dataset = dataset_of(setup, task.data_dir)
        _built_last.clear()
        _built_last[name] = build(setup, dataset, SILENT, workers=1)
        return _built_last[name]
    last, subject = _built_last[name]
    chip = chip_of(setup, subject.levels)
    found = placed(setup, last.model, chip, last.examples, SILENT, workers=1, known=last.solved)
    return found, subject


def _values(task: Task) -> PointValues:
    on_arrays, subject = _built(task)
    with scratch_folder() as folder:
        found = examine(on_arrays, subject, write_plan(task.setup), folder / "netlists", SILENT, workers=1)
    results, causes = results_of(found), found.causes
    accuracy, energy, certificate = results.accuracy, results.energy_per_inference_j, results.certificate
    layers = results.array.layers[-1]
    return PointValues(
        accuracy=accuracy.circuit,
        energy_j=energy.total,
        latency_s=results.latency_s,
        area_m2=results.area_m2,
        cell_area_m2=sum(results.cell_area_m2),
        accuracy_float=accuracy.float_,
        accuracy_levels=causes.levels,
        accuracy_converters=causes.converters,
        accuracy_array=causes.array,
        accuracy_untrimmed=causes.untrimmed,
        accuracy_programmed=accuracy.programmed,
        **{f"energy_{part}_j": value for part, value in energy.parts.items()},
        digital_energy_j=results.digital_energy_j,
        write_energy_j=results.write.energy_j,
        tiles=layers.tiles,
        cells=layers.cells,
        images=accuracy.images,
        certificate=("passed" if certificate.passed else "failed") if certificate.tiles else "not run",
        certificate_difference=certificate.max_relative_difference,
    )
