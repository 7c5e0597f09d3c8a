"""Device models for other simulators: exports, and the certificate of their equivalence."""

from __future__ import annotations

import json
import math
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

from compact_model.card import load_card
from hallspice import certificate_figures
from hallspice.files import RESULTS, staged_folder
from hallspice.page import Answer, Caption, Column, Page, Section, Table
from veriloga.bench import Engine
from veriloga.model import LARGEST_ERROR, CellModel, cell_model
from veriloga.package import Form, run_package, write_package
from veriloga.subcircuit import Dialect
from veriloga.verify import Certificate, Check, Progress, certify


def export(
    form: Form,
    card: Path | None,
    dialect: Dialect,
    grains: int | None,
    out: Path,
    *,
    largest_error: float = LARGEST_ERROR,
    day: date | None = None,
) -> dict[str, Any]:
    """Write an export; the content of its ``results.json``.

    Parameters
    ----------
    form, dialect
        What is written.
    card
        Card file; None: the shipped card.
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
    return about


def _model(card: Path | None, grains: int | None, largest_error: float) -> CellModel:
    return cell_model(load_card(card), grains, largest_error=largest_error)


def verify_export(folder: Path, out: Path) -> tuple[dict[str, Any], list[str]]:
    """Run the benches of an export as they are; the comparison as it is written, and in lines."""
    benches = run_package(folder)
    rows = [
        {
            "deck": r.deck,
            "largest_difference": _number(r.difference),
            "skipped": r.skipped,
            "passed": r.passed,
        }
        for r in benches
    ]
    passed = all(r.passed or r.skipped for r in benches)
    results = {"passed": passed, "benches": rows, "files": [RESULTS]}
    with staged_folder(out) as stage:
        (stage / RESULTS).write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    verdicts = [
        r.skipped or f"{'pass' if r.passed else 'FAIL'}, difference {r.difference:.1e}" for r in benches
    ]
    return results, [f"{r.deck}: {verdict}" for r, verdict in zip(benches, verdicts, strict=True)]


def verify_card(
    card: Path | None,
    grains: int | None,
    out: Path,
    *,
    largest_error: float = LARGEST_ERROR,
    quick: bool = False,
    day: date | None = None,
    progress: Progress | None = None,
) -> tuple[dict[str, Any], list[str]]:
    """Run every form of a card's cell in every engine found; the certificate as it is written, and in lines."""
    model = _model(card, grains, largest_error)
    when = day or date.today()
    with staged_folder(out) as stage:
        with tempfile.TemporaryDirectory(prefix="hallspice-") as folder:
            certificate = certify(model, Path(folder), when, quick=quick, progress=progress)
        results = certificate_results(certificate, when)
        results["files"] = ["certificate.html", RESULTS]
        (stage / RESULTS).write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        (stage / "certificate.html").write_text(certificate_html(certificate, when), encoding="utf-8")
    failed = [check for check in certificate.checks if not check.passed]
    said = [
        *(
            f"{e.engine.value}: {'not run, ' + e.missing if e.missing else 'run'}"
            for e in certificate.engines
        ),
        *(f"FAIL: {c.name}, {c.engine}: {c.difference:.1e} > {c.tolerance:.0e}" for c in failed),
        f"{len(certificate.checks)} checks, {len(failed)} failed. Certificate: {out / 'certificate.html'}",
    ]
    return results, said


def certificate_results(certificate: Certificate, day: date) -> dict[str, Any]:
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
