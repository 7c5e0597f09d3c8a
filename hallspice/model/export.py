"""Device models for other simulators: exports, and the certificate of their equivalence."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from compact_model.cards.device import load_card
from compact_model.cards.storage import scratch_folder
from hallspice import results
from hallspice.files import staged_folder
from hallspice.model.page import certificate_page
from hallspice.model.results import BenchRun, ExportResults, VerifyExportResults, VerifyResults
from veriloga.dialects import Dialect, ExportForm
from veriloga.model import LARGEST_ERROR, CellModel, cell_model
from veriloga.package import run_package, write_package
from veriloga.verify import Progress, certify

PACKAGE = (
    "README.md",
    "sot_hallbar*",
    "expected_*.csv",
    *(
        f"{bench}{end}"
        for bench in ("ladder", "loop", "read", "width")
        for end in (".sim", "_*", ".cir", ".scs")
    ),
)
"""Names of the files in the folder, beside the index."""


def export(
    form: ExportForm,
    card: Path | None,
    dialect: Dialect,
    grains: int | None,
    out: Path,
    *,
    largest_error: float = LARGEST_ERROR,
    day: date | None = None,
) -> ExportResults:
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
    with staged_folder(out, names=PACKAGE) as stage:
        write_package(model, form, dialect, stage, when)
        return results.write(
            stage,
            ExportResults(
                form=form.value,
                dialect=dialect.value,
                card=model.card.name,
                card_content=model.digest,
                grains=model.grains,
                largest_error=model.accuracy.largest,
                date=when,
            ),
        )


def _model(card: Path | None, grains: int | None, largest_error: float) -> CellModel:
    return cell_model(load_card(card), grains, largest_error=largest_error)


def verify_export(folder: Path, out: Path) -> tuple[VerifyExportResults, list[str]]:
    """Run the benches of an export as they are; the comparison as it is written, and in lines."""
    benches = run_package(folder)
    found = VerifyExportResults(
        passed=all(one.passed or one.skipped for one in benches),
        benches=[BenchRun.of(one) for one in benches],
    )
    with staged_folder(out, names=()) as stage:
        written = results.write(stage, found)
    verdicts = [
        one.skipped or f"{'pass' if one.passed else 'FAIL'}, difference {one.difference:.1e}"
        for one in benches
    ]
    return written, [f"{one.deck}: {verdict}" for one, verdict in zip(benches, verdicts, strict=True)]


def verify_card(
    card: Path | None,
    grains: int | None,
    out: Path,
    *,
    largest_error: float = LARGEST_ERROR,
    quick: bool = False,
    day: date | None = None,
    progress: Progress | None = None,
) -> tuple[VerifyResults, list[str]]:
    """Run every form of a card's cell in every engine found; the certificate as it is written, and in lines."""
    model = _model(card, grains, largest_error)
    when = day or date.today()
    with staged_folder(out, names=["certificate.html"]) as stage:
        with scratch_folder() as folder:
            certificate = certify(model, folder, when, quick=quick, progress=progress)
        found = VerifyResults.of(certificate, when)
        page = certificate_page(certificate, when)
        written = results.write(stage, found, tables={"certificate.html": page.html()})
    failed = [check for check in certificate.checks if not check.passed]
    said = [
        *(
            f"{e.engine.value}: {'not run, ' + e.missing if e.missing else 'run'}"
            for e in certificate.engines
        ),
        *(f"FAIL: {c.name}, {c.engine}: {c.difference:.1e} > {c.tolerance:.0e}" for c in failed),
        f"{len(certificate.checks)} checks, {len(failed)} failed. Certificate: {out / 'certificate.html'}",
    ]
    return written, said
