"""What a record must look like before anything is fitted to it."""

from __future__ import annotations

import numpy as np
from scipy.constants import mu_0

from compact_model import stack
from compact_model.cards.device import DeviceCard
from compact_model.measured.records import SATURATED, Record, noise_of
from compact_model.measured.tables import (
    ClippedError,
    DisagreeingError,
    EmptyLoopError,
    LostOrderError,
    RecordKind,
    SwappedColumnsError,
    WrongUnitError,
)
from compact_model.numeric import Floats

LARGEST_DENSITY = 1e13
"""Beyond any pulse that a metal channel survives [A/m^2]."""


SMALLEST_DENSITY = 1e9
"""Below anything that moves a wall by a spin-orbit torque [A/m^2]."""


SMALLEST_HALL_ANGLE = 1e-5
"""Hall window over sheet resistance below which a unit is wrong rather than a film unusual."""


LARGEST_FIELD = 10.0 / mu_0
"""Ten tesla [A/m]."""


CLIPPED_SHARE = 0.05
"""A loop with more of its readings at exactly its largest or smallest value ran into the range of the meter."""


DIGITS_SHARE = 0.2
"""Share of the readings between the extremes that may repeat another one before digits, not a range, are the reason."""


WILD_ENDS = 5.0
"""Saturated readings that scatter by more than this many times their noise are of several states."""


DISAGREEING_SHARE = 0.02
"""... and by more than this share of the window: less may be a drift."""


HALF_WAY = 0.5
"""A reading whose second difference exceeds this share of what a loop spans stands on another branch than its
neighbours."""


MOST_JUMPING, JUMPING_SHARE = 2, 0.1
"""A switch makes two such readings in a sweep, outliers some more; readings of two branches in turns make many."""


SMALLEST_MOTION = 1.5
"""A loop that moves by less than this many times its noise is empty."""


def check_record(record: Record, card: DeviceCard) -> None:
    """Refuse a record whose numbers can't be what its description says.

    Raises
    ------
    WrongUnitError, SwappedColumnsError, ClippedError, EmptyLoopError
        By the first check that fails.
    """
    seen = record.measured
    if len(seen) == 0:
        raise EmptyLoopError(f"{record.name}: holds no readings")
    if record.kind in (RecordKind.LOOP, RecordKind.TRAIN):
        _check_swapped(record)
        _check_order(record)
    _check_units(record, card)
    if record.kind in (RecordKind.LOOP, RecordKind.FIELD_LOOP) and len(seen) >= 20:
        _check_clipped(record)
        _check_open(record)
        _check_ends(record)


def _check_units(record: Record, card: DeviceCard) -> None:
    sheet = float(stack.sheet_resistance(card))
    if record.kind is not RecordKind.FIELD_LOOP:
        density = np.abs(stack.current_density(card, record.current, record.t_oxide)).max()
        if not SMALLEST_DENSITY <= density <= LARGEST_DENSITY:
            raise WrongUnitError(
                f"{record.name}: the largest current is {np.abs(record.current).max():.3g} A or {density:.3g} A/m^2, "
                f"allowed: {SMALLEST_DENSITY:g}..{LARGEST_DENSITY:g} A/m^2; is the unit of the current right?"
            )
        if record.t_pulse.min() < 1e-12 or record.t_pulse.max() > 100.0:
            raise WrongUnitError(
                f"{record.name}: pulse lengths {record.t_pulse.min():.3g}..{record.t_pulse.max():.3g} s, allowed: "
                "1e-12..100 s; is their unit right?"
            )
    largest = float(np.abs(record.h).max())
    if largest > LARGEST_FIELD or 0.0 < largest < 1.0:
        raise WrongUnitError(
            f"{record.name}: the largest field is {largest:.3g} A/m, allowed: 0 or 1..{LARGEST_FIELD:.3g} A/m; "
            "is its unit right?"
        )
    if record.kind in (RecordKind.LOOP, RecordKind.TRAIN, RecordKind.FIELD_LOOP):
        highest, window = float(np.abs(record.measured).max()), float(np.ptp(record.measured))
        if np.median(np.abs(record.measured)) > sheet:
            raise WrongUnitError(
                f"{record.name}: Hall resistances of {highest:.3g} ohm exceed the sheet resistance of {sheet:.3g} "
                "ohm; is their unit right (mohm instead of ohm)?"
            )
        if 0.0 < window < SMALLEST_HALL_ANGLE * sheet:
            raise WrongUnitError(
                f"{record.name}: the Hall resistance changes by {window:.3g} ohm, less than "
                f"{SMALLEST_HALL_ANGLE:g} of the sheet resistance of {sheet:.3g} ohm; is its unit right?"
            )
    if record.kind is RecordKind.FRACTION and (record.measured.min() < -0.2 or record.measured.max() > 1.2):
        raise WrongUnitError(
            f"{record.name}: switched fractions {record.measured.min():.3g}..{record.measured.max():.3g}, "
            "allowed: 0..1; write the unit % if it is percent"
        )


def _straightness(values: Floats) -> float:
    """Share of points where a series goes on with the step it came with: near 1 for a programmed sweep."""
    steps = np.diff(values)
    moving = np.abs(steps[steps != 0.0])
    if len(moving) == 0:
        return 1.0
    return float(np.mean(np.abs(np.diff(steps)) < 0.02 * np.median(moving)))


def _check_swapped(record: Record) -> None:
    there = np.isfinite(record.value)
    current, value = record.current[there], record.value[there]
    if len(value) < 20 or record.kind is not RecordKind.LOOP:
        return
    programmed, read = _straightness(current), _straightness(value)
    if read > 0.8 and programmed < 0.5:
        raise SwappedColumnsError(
            f"{record.name}: the Hall resistance is swept in equal steps ({read:.0%} of its points) and the current "
            f"is not ({programmed:.0%}); are the two columns swapped?"
        )


def _check_order(record: Record) -> None:
    """A loop of both branches that was sorted by current jumps between them from line to line."""
    there = np.isfinite(record.value)
    steps, value = np.diff(record.current[there]), record.value[there]
    if record.kind is not RecordKind.LOOP or not (np.all(steps >= 0.0) or np.all(steps <= 0.0)):
        return
    jumping = int(np.sum(np.abs(np.diff(value, 2)) > HALF_WAY * np.ptp(value)))
    if jumping > MOST_JUMPING + JUMPING_SHARE * len(value):
        raise LostOrderError(
            f"{record.name}: the lines are sorted by current, and the readings jump between two branches: the order of "
            "the pulses is lost, and it decides what they do. Keep the lines as they were measured, or name the column "
            "of their time (`time`)"
        )


def _check_clipped(record: Record) -> None:
    """A clipped meter repeats one extreme alone; a plateau of few digits repeats its neighbours as well."""
    seen = record.measured
    if np.ptp(seen) == 0.0:
        raise EmptyLoopError(f"{record.name}: all readings are {seen[0]:.4g} ohm")
    values, counts = np.unique(seen, return_counts=True)
    inner = counts[1:-1]
    repeated = float(inner[inner > 1].sum()) / max(1, int(inner.sum()))
    for name, extreme, count in (("largest", values[-1], counts[-1]), ("smallest", values[0], counts[0])):
        share = count / len(seen)
        if share > CLIPPED_SHARE and len(values) > 3 and repeated < DIGITS_SHARE:
            raise ClippedError(
                f"{record.name}: {share:.0%} of the readings are exactly the {name}, {extreme:.4g} ohm, and the others "
                "differ: the meter was saturated"
            )


def _check_ends(record: Record) -> None:
    """The saturated ends of a field loop must be straight lines but for noise."""
    if record.kind is not RecordKind.FIELD_LOOP:
        return
    there = np.isfinite(record.value) & (np.abs(record.h) > SATURATED * np.abs(record.h).max())
    h, value = record.h[there], record.value[there]
    design = np.column_stack([np.ones_like(h), np.sign(h), h / np.abs(h).max()])
    left = float((value - design @ np.linalg.lstsq(design, value, rcond=None)[0]).std())
    noise, window = noise_of(value), float(np.ptp(value))
    if left > WILD_ENDS * noise and left > DISAGREEING_SHARE * window:
        raise DisagreeingError(
            f"{record.name}: saturated readings at one field differ by {1e3 * left:.3g} mohm (rms), their noise is "
            f"{1e3 * noise:.2g} mohm: several temperatures or devices in one table? Name the column that tells "
            "them apart, under `columns`: `temperature: {column: ..., unit: K}` or `device: {column: ...}`"
        )


def _check_open(record: Record) -> None:
    """A loop must move by more than its noise, beyond what drift, the ordinary Hall effect and heating give."""
    there = np.isfinite(record.value)
    drive = (record.h if record.kind is RecordKind.FIELD_LOOP else record.current)[there]
    value = record.value[there]
    noise = noise_of(value)
    x = drive / np.abs(drive).max()
    design = np.column_stack([np.ones_like(x), np.arange(len(x)), x, x**2])
    residual = value - design @ np.linalg.lstsq(design, value, rcond=None)[0]
    moves = float(residual.std())
    if moves < SMALLEST_MOTION * noise:
        raise EmptyLoopError(
            f"{record.name}: beyond drift and heating the readings move by {1e3 * moves:.3g} mohm (rms), their noise "
            f"is {1e3 * noise:.3g} mohm: nothing switches"
        )
