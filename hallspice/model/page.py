"""The certificate of a model as a page."""

from __future__ import annotations

import math
from datetime import date

from hallspice.model import figures
from hallspice.page.page import Answer, Caption, Column, Page, Section, Table
from veriloga.bench import BenchEngine
from veriloga.verify import Certificate, EngineCheck


def certificate_page(certificate: Certificate, day: date) -> Page:
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
    return Page(
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
            "trace": figures.trace(certificate.traces, BenchEngine.PYTHON),
            "difference": figures.difference(certificate.after, BenchEngine.RADAU),
        },
    )


def _row(c: EngineCheck) -> list[str]:
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
