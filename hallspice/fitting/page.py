"""The page of a fit."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from rich.table import Table as TerminalTable

from compact_model.cards.device import DeviceCard
from compact_model.fit.fitting import FitResult
from compact_model.fit.intervals import Fitted
from hallspice.fitting.results import FitResults
from hallspice.page.page import Answer, Caption, Column, Page, Section, Table
from hallspice.page.provenance import origins, origins_table
from hallspice.progress import Reporter


def undetermined(result: FitResult) -> list[str]:
    """What the data do not fix, a sentence each."""
    found = [f"{one.parameter.name}: {one.reason}." for one in result.open]
    found += [
        f"{one.record}: without it, a {one.form} law fitted to the other readings gives {100 * one.best:.0f} % "
        f"({100 * one.fraction[0]:.0f}..{100 * one.fraction[1]:.0f} % allowed) and a window of {one.window[0]:.2g}.."
        f"{_open_window(one.window[1])} ohm; {100 * one.measured:.0f} % was measured. The Hall readings alone "
        "leave the window and this fraction open."
        for one in result.predictions
    ]
    return [*found, *result.undetermined]


def _open_window(high: float) -> str:
    return f"{high:.2g}" if high < 2.0 else "more than 2"


def page_of(result: FitResult, card: DeviceCard, found: FitResults, drawn: Mapping[str, str]) -> Page:
    """The page of a fit."""
    data = found.data
    kind = "synthetic data" if result.data.synthetic else "data"
    return Page(
        title=f"fit {result.data.name}",
        question="What do these measurements say about the device, and what not?",
        subtitle=f"{result.data.description or result.data.name}. {kind} {data.file}, sha256 {data.sha256[:12]}, "
        f"hallspice {found.versions['hallspice']}, {found.created}.",
        answers=[
            Answer(
                "parameters determined",
                str(len(result.fitted)),
                f"{len(result.open)} of the law stay as they were",
            ),
            Answer("readings", str(data.readings), f"{data.records} records, {data.devices} device(s)"),
            Answer(
                "χ² per degree",
                f"{result.chi2 / result.dof:.2f}",
                f"{result.dof} degrees of freedom; 1 if the errors are right",
            ),
            *_replay(found),
            *_answers(result),
        ],
        sentences=[
            "Each value below is fitted to all records at once; its interval holds the true value in 95 % of "
            "repetitions if the law is right. Values that the data leave open were not fitted: they stay at the card's "
            "value and are marked assumed."
        ],
        warnings=found.warnings,
        sections=list(_sections(result, card, drawn)),
        figures=drawn,
    )


def _replay(found: FitResults) -> Iterator[Answer]:
    if found.replay is not None:
        one = found.replay
        yield Answer(
            "card from data",
            f"{1e3 * one.card_residual_ohm:.3g} mΩ",
            f"rms by the rate law; fit {1e3 * one.fit_residual_ohm:.3g}, between the laws "
            f"{1e3 * one.law_difference_ohm:.3g}, noise {1e3 * one.noise_ohm:.3g} mΩ",
        )


def _answers(result: FitResult) -> Iterator[Answer]:
    units = {"delta_r": "Hall window", "j63": "density scale"}
    for one in result.fitted:
        if one.parameter.symbol in units:
            unit = {"ohm": "Ω", "A/m^2": "A/m²"}[one.parameter.unit]
            yield Answer(
                units[one.parameter.symbol],
                f"{one.value:.4g} {unit}",
                f"{one.interval[0]:.4g} .. {one.interval[1]:.4g}",
            )


def _row(one: Fitted) -> list[str]:
    each = f"; {len(one.devices)} devices" if one.devices else ""
    how = "spread of devices" if one.devices else "profile" if one.profiled else "covariance"
    return [
        one.parameter.name,
        f"{one.value:.6g}",
        f"{one.interval[0]:.6g}",
        f"{one.interval[1]:.6g}",
        "" if one.parameter.unit == "1" else one.parameter.unit,
        how + each,
    ]


def _sections(result: FitResult, card: DeviceCard, drawn: Collection[str]) -> Iterator[Section]:
    yield _determined(result)
    yield _left_open(result, drawn)
    yield _quality(result, drawn)
    if result.comparisons:
        yield _forms(result)
    if result.data.reading:
        yield Section("How the files were read", text=result.data.reading)
    if result.artefacts:
        yield _separated(result)
    changed = [entry for entry in origins(card) if result.data.name in entry.source]
    yield Section(f"What is new in card {card.name}", tables=[origins_table(changed)])


def _determined(result: FitResult) -> Section:
    heads = ["parameter", "value", "from", "to", "unit", "interval by"]
    tables = [
        Table([Column(h, h in ("value", "from", "to")) for h in heads], [_row(one) for one in result.fitted])
    ]
    spread = []
    if result.regions is not None:
        count, low, high = result.regions
        spread = [
            f"The devices differ as if each had {count:.0f} independent regions ({low:.0f} .. {high:.0f}); noise is "
            "taken off, and so is what offset, drift and heating of each device take up."
        ]
    return Section(
        "What the data determine",
        text=spread,
        tables=tables,
        figures=[
            Caption("intervals", "95 % intervals, relative to the fitted values."),
            Caption(
                "correlation", "Correlation of the fitted parameters: near ±1, only a combination is known."
            ),
        ],
    )


def _left_open(result: FitResult, drawn: Collection[str]) -> Section:
    found = [
        Caption("predictions", "A published fraction left out, and what the other readings allow for it.")
    ]
    return Section(
        "What the data do not determine",
        tables=[Table([Column("statement")], [[text] for text in undetermined(result)])],
        figures=found if "predictions" in drawn else [],
    )


def _quality(result: FitResult, drawn: Collection[str]) -> Section:
    pulsed = [block for block in result.response.blocks if not block.single]
    extra = [Caption("shift", "Loop shift against current.")] if "shift" in drawn else []
    return Section(
        "How well the law fits",
        figures=[
            Caption(
                "readings",
                "Readings, fitted law, and the card by its rate law; at most nine records are drawn.",
                wide=len(pulsed) > 1,
            ),
            Caption("residuals", "Residuals of all readings used.", wide=True),
            *extra,
        ],
    )


def _forms(result: FitResult) -> Section:
    names = (
        "form",
        "parameters",
        "χ²",
        "AIC",
        "BIC",
        "left-out readings, root mean square (standard deviations)",
        "largest residual (mΩ)",
    )
    rows = [
        [
            one.name,
            str(one.parameters),
            f"{one.chi2:.4g}",
            f"{one.aic:.4g}",
            f"{one.bic:.4g}",
            f"{one.cross_validation:.3g}",
            f"{1e3 * one.largest:.3g}",
        ]
        for one in result.comparisons
    ]
    return Section(
        "Other forms of the law",
        text=[
            "The same data by other distributions of thresholds and by the other parameter set. Lower "
            "information criteria of Akaike (AIC) and Bayes (BIC) are better; differences below about 6 decide "
            "nothing. The last but one column predicts readings that were left out of the fit."
        ],
        tables=[Table([Column(n, n != "form") for n in names], rows)],
    )


def _separated(result: FitResult) -> Section:
    rows = [
        [
            one.record,
            f"{1e3 * result.noise[one.record]:.3g}",
            f"{1e3 * one.drift:.2f} ± {1.96e3 * one.drift_error:.2f}",
            f"{1e3 * one.even:.2f} ± {1.96e3 * one.even_error:.2f}",
            str(one.steps),
        ]
        for one in result.artefacts[:40]
    ]
    heads = ["record", "noise (mΩ)", "drift over the record (mΩ)", "even in I, at the top (mΩ)", "steps"]
    more = len(result.artefacts) - len(rows)
    return Section(
        "What was separated from the Hall resistance",
        text=[
            *([f"{more} more records are not shown."] if more > 0 else []),
            *result.data.artefacts[:10],
        ],
        tables=[Table([Column(h, h != "record") for h in heads], rows)],
    )


def say(
    progress: Reporter, found: FitResults, reading: Sequence[str], out: str | Path | None, report: Path
) -> None:
    """Say in the terminal how the files were read, and the fitted parameters."""
    table = TerminalTable(title=f"Fit of {found.data.name}", title_justify="left")
    for name in ("parameter", "value", "95 % interval", "unit"):
        table.add_column(name)
    for sentence in reading:
        progress.say(f"Read: {sentence}")
    for one in found.fitted:
        table.add_row(one.name, f"{one.value:.5g}", f"{one.low:.5g} .. {one.high:.5g}", one.unit)
    progress.say(table)
    for text in found.undetermined:
        progress.say(f"Not determined: {text}")
    if out is not None:
        progress.say(f"Card: {out}")
    progress.say(f"Report: {report / 'report.html'}")
