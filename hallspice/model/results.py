"""What `hallspice export` and `hallspice verify` found."""

from __future__ import annotations

import datetime
import math
from typing import Annotated

from pydantic import Field

from hallspice.results import Measure, Result, Results
from veriloga.package import BenchResult
from veriloga.verify import Certificate, EngineCheck

_GRAINS = Measure("1", "grains K of the model")
_ERROR = Measure("1", "largest difference of the switched fraction from the card's closed law")


def finite(value: float) -> float | None:
    """The number, None where there is none."""
    return value if math.isfinite(value) else None


class ExportResults(Results):
    """`hallspice export`."""

    form: str
    dialect: str
    card: str
    card_content: Annotated[str, Field(description="Digest of the card's numbers.")]
    grains: Annotated[int, _GRAINS]
    largest_error: Annotated[float, _ERROR]
    date: datetime.date


class BenchRun(Result):
    """A bench of an export, run as it is."""

    deck: str
    largest_difference: Annotated[
        float | None, Measure("1", "of the switched fraction from the expected one; null: not run")
    ]
    skipped: Annotated[str, Field(description="Why it was not run.")]
    passed: bool

    @classmethod
    def of(cls, result: BenchResult) -> BenchRun:
        """The same as a part of results."""
        return cls(
            deck=result.deck,
            largest_difference=finite(result.difference),
            skipped=result.skipped,
            passed=result.passed,
        )


class VerifyExportResults(Results):
    """`hallspice verify` of an export."""

    passed: bool
    benches: tuple[BenchRun, ...]


class EngineFound(Result):
    """An engine of the certificate."""

    name: str
    version: str
    not_run: Annotated[str, Field(description="Why not; empty where it was run.")]


class CheckResult(Result):
    """One comparison of one engine with the reference."""

    name: str
    engine: str
    setting: str
    quantity: str
    largest_difference: Annotated[
        float | None, Measure("as `quantity` says", "of what is compared; null: no number came")
    ]
    tolerance: Annotated[float, Measure("as `quantity` says", "largest difference that passes")]
    hall_voltage_difference_v: Annotated[
        float | None, Measure("V", "largest difference of the Hall voltage; null: not compared")
    ]
    energy_difference_relative: Annotated[
        float | None, Measure("1", "relative difference of the energy; null: not compared")
    ]
    passed: bool

    @classmethod
    def of(cls, check: EngineCheck) -> CheckResult:
        """The same as a part of results."""
        return cls(
            name=check.name,
            engine=check.engine,
            setting=check.setting,
            quantity=check.quantity,
            largest_difference=finite(check.difference),
            tolerance=check.tolerance,
            hall_voltage_difference_v=finite(check.hall_voltage),
            energy_difference_relative=finite(check.energy),
            passed=check.passed,
        )


class VerifyResults(Results):
    """`hallspice verify` of a card: its certificate."""

    card: str
    card_content: Annotated[str, Field(description="Digest of the card's numbers.")]
    grains: Annotated[int, _GRAINS]
    largest_error: Annotated[float, _ERROR]
    date: datetime.date
    passed: bool
    engines: tuple[EngineFound, ...]
    checks: tuple[CheckResult, ...]

    @classmethod
    def of(cls, certificate: Certificate, day: datetime.date) -> VerifyResults:
        """The certificate as results."""
        model = certificate.model
        return cls(
            card=model.card.name,
            card_content=model.digest,
            grains=model.grains,
            largest_error=model.accuracy.largest,
            date=day,
            passed=certificate.passed,
            engines=[
                EngineFound(name=one.engine.value, version=one.version, not_run=one.missing)
                for one in certificate.engines
            ],
            checks=[CheckResult.of(check) for check in certificate.checks],
        )
