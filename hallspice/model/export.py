"""Device models for other simulators: exports, and the certificate of their equivalence."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from compact_model.cards.device import load_card
from compact_model.cards.storage import scratch_folder
from hallspice.files import RESULTS, staged_folder
from hallspice.model.page import certificate_html, number_text
from veriloga.dialects import Dialect, ExportForm
from veriloga.model import LARGEST_ERROR, CellModel, cell_model
from veriloga.package import run_package, write_package
from veriloga.verify import Certificate, Progress, certify


def export(
    form: ExportForm,
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
            "largest_difference": number_text(r.difference),
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
        with scratch_folder() as folder:
            certificate = certify(model, folder, when, quick=quick, progress=progress)
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
                "hall_voltage_difference_v": number_text(c.hall_voltage),
                "energy_difference_relative": number_text(c.energy),
                "passed": c.passed,
            }
            for c in certificate.checks
        ],
    }
