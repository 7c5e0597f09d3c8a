"""Settings of an instrument as they were read back: which are one, and which lines read one state."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from compact_model.measured.records import Record
from compact_model.measured.tables import MeasurementError, RecordKind
from compact_model.numeric import Floats, Ints

SCATTERS = 6.0
"""Values that are nearer than so many standard deviations of their scatter are one setting."""

LARGEST_SHARE = 0.02
"""Settings that lie further apart than this share of the largest are never made one unasked."""

ALIKE_RUNS = 0.9
"""Share of the runs of equal settings that must be equally long to be taken for reads of one state."""


def usual_tolerance(values: Floats, least: float) -> float:
    """Distance within which read-back values count as one setting: six times their scatter, within limits.

    The scatter is the median step from line to line over 0.6745 sqrt(2), so that values as programmed have none.

    Parameters
    ----------
    values
        As read back, line by line; NaN where there is none.
    least
        Distance that may count as one even near zero.
    """
    there = values[np.isfinite(values)]
    if len(there) < 2:
        return 0.0
    scatter = float(np.median(np.abs(np.diff(there)))) / (0.6745 * np.sqrt(2.0))
    return float(min(SCATTERS * scatter, max(LARGEST_SHARE * np.abs(there).max(), least)))


def levelled(values: Floats, tolerance: float, what: str) -> Floats:
    """Values that lie within a tolerance of a neighbour, each replaced by the median of its group.

    Raises
    ------
    MeasurementError
        When a group is wider than two tolerances: a drift or a sweep, no setting.

    Examples
    --------
    >>> levelled(np.array([99.0, 101.0, -50.0, 100.0]), 2.0, "h_x").tolist()
    [100.0, 100.0, -50.0, 100.0]
    """
    result = values.copy()
    order = np.unique(values[np.isfinite(values)])
    for group in np.split(order, np.flatnonzero(np.diff(order) > tolerance) + 1):
        if np.ptp(group) > 2.0 * tolerance:
            raise MeasurementError(
                f"{what} runs from {group[0]:.6g} to {group[-1]:.6g} without a gap wider than {tolerance:.3g}: no "
                "settings can be told apart; say from which distance on they differ, as `tolerance: {NAME: 5 Oe}`"
            )
        mine = (values >= group[0]) & (values <= group[-1])
        result[mine] = np.median(values[mine])
    return result


def runs(settings: Sequence[Floats]) -> Ints:
    """Line at which each run of equal settings begins, and the number of lines at the end."""
    changes = np.any([np.diff(one) != 0.0 for one in settings], axis=0)
    return np.concatenate([[0], np.flatnonzero(changes) + 1, [len(settings[0])]])


def reads_each(begins: Ints) -> int:
    """How many reads each state seems to have: the commonest length of a run if nearly all are multiples of it.

    Examples
    --------
    >>> reads_each(np.array([0, 5, 10, 20, 25])), reads_each(np.array([0, 1, 2, 4, 5]))
    (5, 1)
    """
    lengths = np.diff(begins)
    found, counts = np.unique(lengths, return_counts=True)
    commonest = int(found[np.argmax(counts)])
    alike = float(np.mean(lengths % commonest == 0))
    return commonest if len(lengths) >= 3 and alike >= ALIKE_RUNS else 1


def one_reading_a_state(record: Record, reads: int | None) -> tuple[Record, list[str]]:
    """Reads of one state averaged into one reading; what was found, in words.

    Parameters
    ----------
    record
        Of pulses.
    reads
        How many equal lines in a row read one state; None: found for loops, where a sweep seldom repeats a pulse. In a
        train equal lines are pulses.
    """
    begins = runs([record.current, record.t_pulse, record.h])
    found = reads_each(begins)
    if reads is None and found > 1 and record.kind is RecordKind.TRAIN:
        return record, [
            f"{record.name}: equal settings stand {found} times in a row; each counts as a pulse (`reads: {found}` if "
            "they read one state)."
        ]
    each = found if reads is None else reads
    if each == 1:
        return record, []
    states = [
        slice(begin, min(begin + each, int(end)))
        for start, end in itertools.pairwise(begins)
        for begin in range(int(start), int(end), each)
    ]
    value = np.array([_mean(record.value[state]) for state in states])
    sigma = record.sigma
    if sigma is not None:
        sigma = np.array([np.sqrt(np.mean(sigma[state] ** 2) / len(sigma[state])) for state in states])
    first = np.array([state.start for state in states])
    said = f"{record.name}: {each} reads of each of {len(states)} states were averaged (`reads: 1` if each is a pulse)."
    return (
        replace(
            record,
            current=record.current[first],
            t_pulse=record.t_pulse[first],
            h=record.h[first],
            value=value,
            sigma=sigma,
        ),
        [said] if reads is None else [],
    )


def _mean(values: Floats) -> float:
    """Mean of the readings that are there; NaN without any."""
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else float("nan")
