"""`hallspice fit` and `hallspice measure`: from measured data to a card, and synthetic data from a card."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table as TerminalTable

from compact_model import fitted_card as cards
from compact_model import fitting
from compact_model.card import DeviceCard, load_card
from compact_model.fitting import FitResult, Fitted
from compact_model.laboratory import Imperfections, Laboratory, Protocol
from compact_model.measurements import load_data
from compact_model.quantity import parse_quantity
from hallspice import fit_figures
from hallspice.files import RESULTS, staged_folder, write_text
from hallspice.page import Answer, Caption, Column, Page, Section, Table
from hallspice.progress import Reporter
from hallspice.provenance import provenance_entries
from hallspice.tables import csv_text

STAGES = 4


def fit_data(path: Path, out: Path, report: Path, *, progress: Reporter) -> dict[str, Any]:
    """Fit a data set, write the card to `out` and the report into the folder `report`.

    Returns
    -------
    The content of ``results.json``.
    """
    progress(0, STAGES, "fit: reading")
    data = load_data(path)
    stage = iter(range(1, STAGES + 1))
    with staged_folder(report) as folder:
        result = fitting.fit(
            data, lambda message: progress(next(stage, STAGES), STAGES + 1, f"fit: {message}")
        )
        card = cards.fitted_card(result, datetime.now(UTC).strftime("%Y-%m-%d"))
        drawn = _figures(result)
        results = _results(result, card, path)
        (folder / "figures").mkdir()
        for name, svg in drawn.items():
            (folder / "figures" / f"{name}.svg").write_text(svg, encoding="utf-8")
        (folder / "residuals.csv").write_text(_residuals(result), encoding="utf-8")
        (folder / "report.html").write_text(_page(result, card, results, drawn).html(), encoding="utf-8")
        files = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
        results["files"] = [*files, RESULTS]
        (folder / RESULTS).write_text(json.dumps(results, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        write_text(out, cards.card_text(card))
    progress(STAGES + 1, STAGES + 1, "fit: done")
    _say(progress, result, results, out, report)
    return results


def measure(
    card_path: Path | None,
    protocol: Protocol,
    out: Path,
    *,
    seed: int,
    points: int,
    devices: int,
    broken: int,
    noise: str,
) -> list[str]:
    """Write a synthetic data set into the folder `out`; the names of its files."""
    card = load_card(card_path)
    sigma = parse_quantity(noise, "ohm")
    if not sigma > 0.0:
        raise ValueError(f"noise = {sigma:g} ohm is out of range, allowed: above 0 ohm")
    laboratory = Laboratory(
        card=card,
        imperfections=Imperfections(sigma=sigma, broken=broken),
        rng=np.random.default_rng(seed),
    )
    files = laboratory.files(protocol, points=points, devices=devices)
    for name, text in files.items():
        write_text(out / name, text)
    return sorted(files)


def _figures(result: FitResult) -> dict[str, str]:
    drawn = {
        "readings": fit_figures.readings(result),
        "residuals": fit_figures.residuals(result),
        "intervals": fit_figures.intervals(result.fitted),
        "correlation": fit_figures.correlation(result.fitted, result.correlation),
    }
    if result.predictions:
        drawn["predictions"] = fit_figures.predictions(result.predictions)
    if shift := fit_figures.shift(result):
        drawn["shift"] = shift
    return drawn


def _residuals(result: FitResult) -> str:
    blocks = result.response.blocks
    rows: list[list[Any]] = []
    for number, place in enumerate(result.response.record_of):
        block = blocks[int(place)]
        value = float(result.response.value[number])
        rows.append(
            [
                block.record.name,
                number - block.rows.start + 1,
                "" if np.isnan(value) else value,
                float(result.predicted[number]),
                float(result.artefact_part[number]),
                bool(result.used[number]),
            ]
        )
    return csv_text(["record", "reading", "measured", "fitted", "of_which_artefacts", "used"], rows)


def _results(result: FitResult, card: DeviceCard, path: Path) -> dict[str, Any]:
    return {
        "data": {
            "file": path.name,
            "name": result.data.name,
            "synthetic": result.data.synthetic,
            "sha256": result.data.sha256,
            "devices": len(result.data.devices),
            "records": len(result.data.records),
            "readings": int(result.used.sum()),
        },
        "card": card.name,
        "created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "versions": {"hallspice": version("hallspice")},
        "fitted": [
            {
                "name": one.parameter.name,
                "unit": one.parameter.unit,
                "value": one.value,
                "low": one.interval[0],
                "high": one.interval[1],
                "interval": "profile" if one.profiled else "covariance",
                "devices": dict(one.devices),
            }
            for one in result.fitted
        ],
        "undetermined": _undetermined(result),
        "correlation": result.correlation.tolist(),
        "chi2": result.chi2,
        "degrees_of_freedom": result.dof,
        "noise": dict(result.noise),
        "regions": None if result.regions is None else list(result.regions),
        "comparisons": [
            {
                "form": one.name,
                "parameters": one.parameters,
                "chi2": one.chi2,
                "aic": one.aic,
                "bic": one.bic,
                "cross_validation_sigmas": one.cross_validation,
                "largest_residual_ohm": one.largest,
            }
            for one in result.comparisons
        ],
        "predictions": [
            {
                "record": one.record,
                "form": one.form,
                "measured": one.measured,
                "best": one.best,
                "fraction": list(one.fraction),
                "window_ohm": list(one.window),
            }
            for one in result.predictions
        ],
        "excluded": [{"what": one.what, "reason": one.reason} for one in result.excluded],
        "notes": [*result.notes, *result.data.artefacts],
        "warnings": _warnings(result),
    }


def _undetermined(result: FitResult) -> list[str]:
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


def _warnings(result: FitResult) -> list[str]:
    found = ["The data are synthetic: made by a model, not measured."] if result.data.synthetic else []
    found += [f"Left out: {one}" for one in result.excluded]
    found += result.notes
    own, *others = result.comparisons or (None,)
    better = [one for one in others if own and one.bic < own.bic - 6.0]
    found += [
        f"The form '{one.name}' describes these data clearly better (BIC lower by {own.bic - one.bic:.3g}); the card "
        f"can hold {own.name} only as fitted."
        for one in better
        if own
    ]
    return found


def _page(result: FitResult, card: DeviceCard, results: dict[str, Any], drawn: dict[str, str]) -> Page:
    data = results["data"]
    kind = "synthetic data" if result.data.synthetic else "data"
    return Page(
        title=f"fit {result.data.name}",
        question="What do these measurements say about the device, and what not?",
        subtitle=f"{result.data.description or result.data.name}. {kind} {data['file']}, sha256 {data['sha256'][:12]}, "
        f"hallspice {results['versions']['hallspice']}, {results['created']}.",
        answers=[
            Answer(
                "parameters determined",
                str(len(result.fitted)),
                f"{len(result.open)} of the law stay as they were",
            ),
            Answer(
                "readings", str(data["readings"]), f"{data['records']} records, {data['devices']} device(s)"
            ),
            Answer(
                "χ² per degree",
                f"{result.chi2 / result.dof:.2f}",
                f"{result.dof} degrees of freedom; 1 if the errors are right",
            ),
            *_answers(result),
        ],
        sentences=[
            "Each value below is fitted to all records at once; its interval holds the true value in 95 % of "
            "repetitions if the law is right. Values that the data leave open were not fitted: they stay at the card's "
            "value and are marked assumed."
        ],
        warnings=results["warnings"],
        sections=list(_sections(result, card, drawn)),
        figures=drawn,
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


def _sections(result: FitResult, card: DeviceCard, drawn: dict[str, str]) -> Iterator[Section]:
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
    yield Section(
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
    found = [
        Caption("predictions", "A published fraction left out, and what the other readings allow for it.")
    ]
    yield Section(
        "What the data do not determine",
        tables=[Table([Column("statement")], [[text] for text in _undetermined(result)])],
        figures=found if "predictions" in drawn else [],
    )
    pulsed = [block for block in result.response.blocks if not block.single]
    extra = [Caption("shift", "Loop shift against current.")] if "shift" in drawn else []
    yield Section(
        "How well the law fits",
        figures=[
            Caption(
                "readings", "Readings and fitted law; at most nine records are drawn.", wide=len(pulsed) > 1
            ),
            Caption("residuals", "Residuals of all readings used.", wide=True),
            *extra,
        ],
    )
    if result.comparisons:
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
        yield Section(
            "Other forms of the law",
            text=[
                "The same data by other distributions of thresholds and by the other parameter set. Lower "
                "information criteria of Akaike (AIC) and Bayes (BIC) are better; differences below about 6 decide "
                "nothing. The last but one column predicts readings that were left out of the fit."
            ],
            tables=[Table([Column(n, n != "form") for n in names], rows)],
        )
    if result.artefacts:
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
        yield Section(
            "What was separated from the Hall resistance",
            text=[
                *([f"{more} more records are not shown."] if more > 0 else []),
                *result.data.artefacts[:10],
            ],
            tables=[Table([Column(h, h != "record") for h in heads], rows)],
        )
    keys = ("name", "value", "unit", "provenance", "source")
    changed = [e for e in provenance_entries(card) if result.data.name in e["source"]]
    yield Section(
        f"What is new in card {card.name}",
        tables=[Table([Column(key, key == "value") for key in keys], [list(e.values()) for e in changed])],
    )


def _say(progress: Reporter, result: FitResult, results: dict[str, Any], out: Path, report: Path) -> None:
    table = TerminalTable(title=f"Fit of {result.data.name}", title_justify="left")
    for name in ("parameter", "value", "95 % interval", "unit"):
        table.add_column(name)
    for one in result.fitted:
        table.add_row(
            one.parameter.name,
            f"{one.value:.5g}",
            f"{one.interval[0]:.5g} .. {one.interval[1]:.5g}",
            one.parameter.unit,
        )
    progress.say(table)
    for text in results["undetermined"]:
        progress.say(f"Not determined: {text}")
    progress.say(f"Card: {out}")
    progress.say(f"Report: {report / 'report.html'}")
