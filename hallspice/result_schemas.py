"""What each command writes into ``results.json``, as JSON schema."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from pydantic import JsonValue, TypeAdapter

from hallspice.characterisation.results import DeviceResults
from hallspice.comparison.results import CompareResults
from hallspice.fitting.look_results import LookResults
from hallspice.fitting.results import ExchangeResults, FitResults, LevelsResults, MeasureResults
from hallspice.inference.results import InferenceResults
from hallspice.model.results import ExportResults, VerifyExportResults, VerifyResults
from hallspice.networks.results import EvaluateResults, InSituResults, TrainResults
from hallspice.paper.results import PaperResults
from hallspice.programming.results import WriteResults
from hallspice.results import Results
from hallspice.sweeps.results import SweepResults

MODELS: dict[str, tuple[type[Results], ...]] = {
    "export": (ExportResults,),
    "verify": (VerifyResults, VerifyExportResults),
    "device": (DeviceResults,),
    "look": (LookResults,),
    "fit": (FitResults,),
    "measure": (MeasureResults,),
    "levels": (LevelsResults,),
    "exchange": (ExchangeResults,),
    "compare": (CompareResults,),
    "write": (WriteResults,),
    "run": (InferenceResults,),
    "evaluate": (EvaluateResults,),
    "sweep": (SweepResults,),
    "paper": (PaperResults,),
    "train": (TrainResults, InSituResults),
}
"""The models of a command: one of them describes its results."""


def schema_of(command: str) -> dict[str, JsonValue]:
    """JSON schema of the results of a command; every number has a ``unit`` and a ``description``."""
    if command not in MODELS:
        raise ValueError(f"{command!r} has no results.json, allowed: {', '.join(MODELS)}")
    union: Any = reduce(or_, MODELS[command])
    return TypeAdapter(union).json_schema()
