"""`hallspice fit` and `hallspice measure`: from measured data to a card, and synthetic data from a card."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from compact_model.cards.device import DeviceCard, load_card
from compact_model.cards.inputs import remembered
from compact_model.cards.quantity import parse_quantity
from compact_model.fit import fitted_card as cards
from compact_model.fit import fitting
from compact_model.fit.fitting import FitResult
from compact_model.fit.replay import Replay, replayed
from compact_model.measured.laboratory import Imperfections, Laboratory, Protocol
from compact_model.measured.reader import load_data
from compact_model.measured.records import DataSet
from hallspice import results
from hallspice.files import check_free, staged_folder, write_text
from hallspice.fitting import figures
from hallspice.fitting.page import page_of, say, undetermined
from hallspice.fitting.results import (
    ComparedForm,
    FitResults,
    FittedData,
    FittedParameter,
    LeftOut,
    MeasureResults,
    PredictedFraction,
    Replayed,
)
from hallspice.page.csv_text import csv_text
from hallspice.progress import SILENT, Reporter

FILES = ("residuals.csv", "report.html", "figures/*.svg")
"""Names of the files in the folder, beside the index."""


STAGES = 4


@remembered()
def fit(
    data: str | Path | DataSet,
    out: str | Path | None = None,
    report: str | Path | None = None,
    *,
    progress: Reporter = SILENT,
) -> FitResults:
    """Fit a device card to measurements: values with intervals, and what the data leave open.

    Parameters
    ----------
    data
        YAML file that names tables, columns and units, or what `load_data` has read from one.
    out
        Card to write.
    report
        Folder for report, tables and ``results.json``; None: nothing of them is written.
    progress
        Told how far it is, and what was found.

    Raises
    ------
    DocumentError
        With every mistake of the data set and its line.
    MeasurementError
        When its tables can't be used, or determine no parameter of the card.
    """
    progress(0, STAGES, "fit: reading")
    file = data.name if isinstance(data, DataSet) else Path(data).name
    if not isinstance(data, DataSet):
        data = load_data(data)
    if out is not None:
        check_free(Path(out))
    stage = iter(range(1, STAGES + 1))
    with staged_folder(report, names=FILES) as folder:
        result = fitting.fit_data(
            data, lambda message: progress(next(stage, STAGES), STAGES + 1, f"fit: {message}")
        )
        card = cards.fitted_card(result, datetime.now(UTC).strftime("%Y-%m-%d"))
        replay, trouble = _replayed(result, card)
        drawn = _figures(result, replay)
        found = _results(result, card, file, replay, trouble)
        written = results.write(
            folder,
            found,
            page=page_of(result, card, found, drawn),
            tables={"residuals.csv": _residuals(result)},
        )
        if out is not None:
            write_text(out, cards.card_text(card))
    progress(STAGES + 1, STAGES + 1, "fit: done")
    if report is None:
        return found
    say(progress, found, result.data.reading, out, Path(report))
    return written


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
) -> MeasureResults:
    """Write a synthetic data set into the folder `out`."""
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
    with staged_folder(out, names=list(files)) as stage:
        return results.write(stage, MeasureResults(protocol=protocol.value, seed=seed), tables=files)


def _replayed(result: FitResult, card: DeviceCard) -> tuple[Replay | None, list[str]]:
    """The card beside the data, and what the top of the report must say of it."""
    try:
        replay = replayed(result, card)
    except ValueError as error:
        return None, [f"The card can't follow the measured pulses by its rate law: {error}"]
    if replay is None or not replay.misses:
        return replay, []
    return replay, [
        f"The card misses the data: by the rate law of pulses and simulators it is {1e3 * replay.card_residual:.3g} "
        f"mohm (rms) off, the fit {1e3 * replay.fit_residual:.3g} mohm, with a noise of {1e3 * replay.noise:.3g} mohm. "
        "Equal pulses in a row, and lengths far from the fit's, are where the two laws differ."
    ]


def _figures(result: FitResult, replay: Replay | None) -> dict[str, str]:
    drawn = {
        "readings": figures.readings(result, None if replay is None else replay.card),
        "residuals": figures.residuals(result),
        "intervals": figures.intervals(result.fitted),
        "correlation": figures.correlation(result.fitted, result.correlation),
    }
    if result.predictions:
        drawn["predictions"] = figures.predictions(result.predictions)
    if shift := figures.shift(result):
        drawn["shift"] = shift
    return drawn


def _residuals(result: FitResult) -> str:
    blocks = result.response.blocks
    rows: list[list[object]] = []
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


def _results(
    result: FitResult, card: DeviceCard, file: str, replay: Replay | None, trouble: list[str]
) -> FitResults:
    return FitResults(
        versions=results.versions_of(),
        warnings=[*trouble, *_warnings(result)],
        data=FittedData.of(result, file),
        card=card.name,
        fitted=[FittedParameter.of(one) for one in result.fitted],
        undetermined=undetermined(result),
        correlation=result.correlation.tolist(),
        chi2=result.chi2,
        degrees_of_freedom=result.dof,
        noise=dict(result.noise),
        regions=result.regions,
        comparisons=[ComparedForm.of(one) for one in result.comparisons],
        predictions=[PredictedFraction.of(one) for one in result.predictions],
        replay=None if replay is None else Replayed.of(replay),
        excluded=[LeftOut(what=one.what, reason=one.reason) for one in result.excluded],
        notes=[*result.notes, *result.data.reading, *result.data.artefacts],
    )


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
