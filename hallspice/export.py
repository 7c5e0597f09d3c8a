"""Device models for other simulators: exports, and the certificate of their equivalence."""

from __future__ import annotations

import json
import math
import tempfile
from datetime import date
from pathlib import Path

from compact_model.card import SHIPPED, load_card
from hallspice import certificate_figures
from hallspice.files import RESULTS, staged_folder
from hallspice.page import Answer, Caption, Column, Page, Section, Table
from veriloga.bench import Engine
from veriloga.model import LARGEST_ERROR, CellModel, cell_model
from veriloga.package import BenchResult, Form, run_package, write_package
from veriloga.subcircuit import Dialect
from veriloga.verify import Certificate, Check, Progress, certify


def export(
    form: Form,
    card: str,
    dialect: Dialect,
    grains: int | None,
    out: Path,
    *,
    largest_error: float = LARGEST_ERROR,
    day: date | None = None,
) -> list[str]:
    """Write an export; the names of its files.

    Parameters
    ----------
    form, dialect
        What is written.
    card
        Name of the shipped card, or path of a card file.
    grains
        Number of grains, the card's by default.
    out
        Folder.
    largest_error
        Largest difference from the closed law that is accepted.
    day
        Date in the files, today by default.
    """
    model = _model(card, grains, largest_error)
    when = day or date.today()
    with staged_folder(out) as stage:
        write_package(model, form, dialect, stage, when)
        names = sorted(path.name for path in stage.iterdir())
        about = {
            "form": form.value,
            "dialect": dialect.value,
            "card": model.card.name,
            "card_content": model.digest,
            "grains": model.grains,
            "largest_error": model.accuracy.largest,
            "date": when.isoformat(),
            "files": [*names, RESULTS],
        }
        (stage / RESULTS).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    return names


def _model(card: str, grains: int | None, largest_error: float) -> CellModel:
    return cell_model(load_card(None if card == SHIPPED else card), grains, largest_error=largest_error)


def verify_export(folder: Path, out: Path) -> list[BenchResult]:
    """Run the benches of an export as they are; write the comparison."""
    results = run_package(folder)
    rows = [
        {
            "deck": r.deck,
            "largest_difference": _number(r.difference),
            "skipped": r.skipped,
            "passed": r.passed,
        }
        for r in results
    ]
    with staged_folder(out) as stage:
        text = json.dumps({"benches": rows, "files": [RESULTS]}, indent=2)
        (stage / RESULTS).write_text(text + "\n", encoding="utf-8")
    return results


def verify_card(
    card: str,
    grains: int | None,
    out: Path,
    *,
    largest_error: float = LARGEST_ERROR,
    quick: bool = False,
    day: date | None = None,
    progress: Progress | None = None,
) -> Certificate:
    """Run every form of a card's cell in every engine found; write the certificate as JSON and HTML."""
    model = _model(card, grains, largest_error)
    when = day or date.today()
    with tempfile.TemporaryDirectory(prefix="hallspice-") as folder:
        certificate = certify(model, Path(folder), when, quick=quick, progress=progress)
    results = certificate_results(certificate, when)
    with staged_folder(out) as stage:
        results["files"] = ["certificate.html", RESULTS]
        (stage / RESULTS).write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        (stage / "certificate.html").write_text(certificate_html(certificate, when), encoding="utf-8")
    return certificate


def certificate_results(certificate: Certificate, day: date) -> dict[str, object]:
    """The certificate as plain data; what was not compared is null."""
    model = certificate.model
    return {
        "card": model.card.name,
        "card_content": model.digest,
        "grains": model.grains,
        "largest_error": model.accuracy.largest,
        "date": day.isoformat(),
        "passed": certificate.passed,
        "engines": [
            {"name": e.engine.value, "version": e.version, "not_run": e.missing} for e in certificate.engines
        ],
        "checks": [
            {
                "name": c.name,
                "engine": c.engine,
                "setting": c.setting,
                "quantity": c.quantity,
                "largest_difference": c.difference,
                "tolerance": c.tolerance,
                "hall_voltage_difference_v": _number(c.hall_voltage),
                "energy_difference_relative": _number(c.energy),
                "passed": c.passed,
            }
            for c in certificate.checks
        ],
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def certificate_html(certificate: Certificate, day: date) -> str:
    """The certificate as a page."""
    model, checks = certificate.model, certificate.checks
    failed = [check for check in checks if not check.passed]
    missing = [found for found in certificate.engines if found.missing]
    worst = max((c for c in checks if c.quantity.startswith("m_z")), key=lambda c: c.difference / c.tolerance)
    verdict = "passed" if certificate.passed else f"{len(failed)} checks failed"
    head = [
        Column("check"), Column("engine"), Column("setting"), Column("compared"), Column("difference", True),
        Column("tolerance", True), Column("Hall voltage (V)", True), Column("energy, relative", True),
        Column("outcome"),
    ]  # fmt: skip
    engines = [
        [e.engine.value, e.missing or e.version, "not run" if e.missing else "run"]
        for e in certificate.engines
    ]
    page = Page(
        title=f"equivalence of {model.card.name}",
        question="Are the device in Python, in Verilog-A and as a subcircuit the same device?",
        subtitle=f"Card {model.card.name} (content {model.digest}), {model.grains} grains, {day.isoformat()}.",
        answers=[
            Answer("certificate", verdict, f"{len(checks)} checks"),
            Answer(
                "largest error against the law",
                f"{model.accuracy.largest:.2g}",
                "of the window, 1 us to 10 ms",
            ),
            Answer("closest to its tolerance", f"{worst.difference:.1e}", f"{worst.engine}, {worst.name}"),
            Answer("engines", str(len(certificate.engines) - len(missing)), f"{len(missing)} not run"),
        ],
        sentences=[
            "Every engine runs the same currents; the reference integrates the same equations by an implicit "
            "Runge-Kutta method.",
        ],
        warnings=[f"Not run: {found.engine.value}: {found.missing}" for found in missing]
        + [f"Failed: {check.name}, {check.engine}" for check in failed],
        sections=[
            Section(
                "Pulse train",
                text=["Switched fraction over time, and after each pulse, in every engine."],
                figures=[
                    Caption("trace", "Fraction over time; the curves of all engines lie on each other."),
                    Caption("difference", "Difference of m_z after each pulse from the reference."),
                ],
            ),
            Section(
                "Checks",
                text=[
                    "Largest difference of what was compared; beside it, where a check has them, those of Hall voltage "
                    "and energy."
                ],
                tables=[Table(head, [_row(check) for check in checks])],
            ),
            Section(
                "Engines", tables=[Table([Column("engine"), Column("version"), Column("outcome")], engines)]
            ),
        ],
        figures={
            "trace": certificate_figures.trace(certificate.traces, Engine.PYTHON),
            "difference": certificate_figures.difference(certificate.after, Engine.RADAU),
        },
    )
    return page.html()


def _row(c: Check) -> list[str]:
    numbers = (f"{value:.1e}" if math.isfinite(value) else "-" for value in (c.hall_voltage, c.energy))
    verdict = "pass" if c.passed else "FAIL"
    return [
        c.name,
        c.engine,
        c.setting,
        c.quantity,
        f"{c.difference:.1e}",
        f"{c.tolerance:.0e}",
        *numbers,
        verdict,
    ]
