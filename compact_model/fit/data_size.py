"""How much data a fit takes."""

from __future__ import annotations

import numpy as np

from compact_model.fit.parameters import FitError
from compact_model.measured.records import DataSet, Record
from compact_model.measured.response import held_pulses
from compact_model.measured.tables import RecordKind

MOST_READINGS = 200_000
"""Readings of a fit: they take a minute or two."""

MOST_TERMS = 25_000_000
"""Readings times artefacts of a fit: its matrices of that many numbers take 1.7 GiB."""

MOST_REMEMBERED = 5_000_000
"""Pulses that are remembered at a reading, over all readings: so many numbers say what pulses a reading depends on."""


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
    remembered = sum(map(_remembered, data.records)) if readings <= MOST_READINGS else 0
    if readings > MOST_READINGS:
        much, most = f"{readings:,} readings", f"{MOST_READINGS:,}"
    elif readings * artefacts > MOST_TERMS:
        much = f"{readings:,} readings with {artefacts:,} drifts and even parts of their records"
        most = f"{MOST_TERMS:,} readings times artefacts"
    elif remembered > MOST_REMEMBERED:
        much = (
            f"{remembered:,} pulses remembered at {readings:,} readings (each smaller than those before it)"
        )
        most = f"{MOST_REMEMBERED:,}"
    else:
        return
    raise FitError(
        f"{data.name}: {much}, allowed: {most}. Leave out whole devices, fields or cycles, or give the average of "
        "equal cycles with its standard error as sigma. Of a loop, the turning points and every k-th line between them "
        "are enough; of a train no line can be left out, since each pulse is part of the history of the next"
    )


def _remembered(record: Record) -> int:
    """Pulses that count at a reading since no larger one came after them, over all readings of a loop or train."""
    if record.kind not in (RecordKind.LOOP, RecordKind.TRAIN):
        return 0
    target = np.where(record.current > 0.0, 1.0, 0.0)
    return sum(map(len, held_pulses(np.abs(record.current), target, 0.0)))


def _artefacts(record: Record) -> int:
    """Drift and even part of a record; each is a column of the fit."""
    if record.kind not in (RecordKind.LOOP, RecordKind.TRAIN):
        return 0
    return record.drift + record.even
