"""How much data a fit takes."""

from __future__ import annotations

from compact_model.fit.parameters import FitError
from compact_model.measured.records import DataSet, Record
from compact_model.measured.tables import RecordKind

MOST_READINGS = 200_000
"""Readings of a fit: they take a minute or two."""

MOST_TERMS = 25_000_000
"""Readings times artefacts of a fit: its matrices of that many numbers take 1.7 GiB."""


def check_size(data: DataSet) -> None:
    """Refuse data that would take hours or more memory than there is.

    Raises
    ------
    FitError
        With a rule how to take less.
    """
    readings = sum(
        len(record.value) for record in data.records if record.kind is not RecordKind.FIELD_LOOP
    )  # of a field loop only its two ends are fitted
    artefacts = sum(_artefacts(record) for record in data.records)
    if readings > MOST_READINGS:
        much, most = f"{readings:,} readings", f"{MOST_READINGS:,}"
    elif readings * artefacts > MOST_TERMS:
        much = f"{readings:,} readings with {artefacts:,} drifts and even parts of their records"
        most = f"{MOST_TERMS:,} readings times artefacts"
    else:
        return
    raise FitError(
        f"{data.name}: {much}, allowed: {most}. Leave out whole devices, fields or cycles, or give the average of "
        "equal cycles with its standard error as sigma. Of a loop, the turning points and every k-th line between them "
        "are enough; of a train no line can be left out, since each pulse is part of the history of the next"
    )


def _artefacts(record: Record) -> int:
    """Drift and even part of a record; each is a column of the fit."""
    if record.kind not in (RecordKind.LOOP, RecordKind.TRAIN):
        return 0
    return record.drift + record.even
