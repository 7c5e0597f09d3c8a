"""Records: the readings of one device under one protocol."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from compact_model.cards.device import DeviceCard
from compact_model.measured.tables import EmptyLoopError, FitChoices, MeasurementError, RecordKind, Start
from compact_model.numeric import Floats

SATURATED = 0.6
"""A film is saturated beyond this share of the largest field of a loop."""


FEWEST_SATURATED = 6
"""Readings at the ends of a field loop that give a window with an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Readings of one device in the order of measurement, SI units."""

    name: str
    kind: RecordKind
    device: str
    start: Start
    t_oxide: float  # [m]
    current: Floats  # (n,) signed pulse current [A]; for field loops zero
    t_pulse: Floats  # (n,) [s]
    h: Floats  # (n,) H_x of a pulse, H_z of a field loop [A/m]
    value: Floats  # (n,) ohm, 1, A/m or J by kind; NaN where the reading is missing
    sigma: Floats | None  # (n,) standard deviation of a reading, None: estimated from the data
    drift: bool
    even: bool
    temperature: float | None = None  # [K], None: that of the card

    @property
    def measured(self) -> Floats:
        """The readings that are there."""
        return self.value[np.isfinite(self.value)]


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Something left out of the fit, and why."""

    what: str
    reason: str

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """Records of one or more devices."""

    name: str
    description: str
    synthetic: bool
    card: DeviceCard
    records: tuple[Record, ...]
    excluded: tuple[Exclusion, ...]
    artefacts: tuple[str, ...]  # what the readers separated, in words
    reading: tuple[str, ...] = ()  # what was guessed in reading the files, a sentence each
    choices: FitChoices = field(default_factory=FitChoices)
    sha256: str = ""

    @property
    def devices(self) -> tuple[str, ...]:
        """Names of the devices, in the order of their first record."""
        return tuple(dict.fromkeys(record.device for record in self.records))


def noise_of(values: Floats) -> float:
    """Standard deviation of white noise on a slowly varying series, from its second differences.

    Robust: the median absolute second difference over 0.6745 sqrt(6).
    """
    if len(values) < 5:
        return math.nan
    return float(np.median(np.abs(np.diff(values, 2))) / (0.6745 * math.sqrt(6.0)))


def reduced_field_loop(record: Record) -> tuple[float, float, float]:
    """Reset resistance, window and their common standard error from the saturated ends of an R_xy(H_z) loop.

    R = r_mid - (delta_r/2) sign(H_z) + slope H_z over the outer 40 % of the fields; the slope is the ordinary Hall
    effect.

    Returns
    -------
    r_reset, delta_r, sigma
        In ohm; sigma is that of either saturated end.
    """
    there = np.isfinite(record.value) & (np.abs(record.h) > SATURATED * np.abs(record.h).max())
    h, value = record.h[there], record.value[there]
    if len(np.unique(np.sign(h))) < 2:
        raise EmptyLoopError(
            f"{record.name}: saturating fields of one sign alone tell one state, {float(np.mean(value)):.4g} ohm, "
            "and no window; measure both signs of H_z"
        )
    if len(h) < FEWEST_SATURATED:
        raise EmptyLoopError(
            f"{record.name}: {len(h)} readings beyond {SATURATED:g} of the largest field, allowed: "
            f"{FEWEST_SATURATED} or more, over both signs"
        )
    design = np.column_stack([np.ones_like(h), -0.5 * np.sign(h), h / np.abs(h).max()])
    solution, *_ = np.linalg.lstsq(design, value, rcond=None)
    residual = value - design @ solution
    variance = float(residual @ residual) / (len(h) - 3)
    if solution[1] <= 0.0:
        raise MeasurementError(
            f"{record.name}: the Hall resistance rises with H_z; write `sign: -1` if the contacts were read the "
            "other way"
        )
    covariance = variance * np.linalg.inv(design.T @ design)
    ends = np.array([1.0, -0.5, 0.0])
    return (
        float(solution[0] - 0.5 * solution[1]),
        float(solution[1]),
        float(np.sqrt(ends @ covariance @ ends)),
    )


def without(data: DataSet, names: Sequence[str], reason: str) -> DataSet:
    """The data set without some records, which are listed as excluded."""
    return replace(
        data,
        records=tuple(record for record in data.records if record.name not in names),
        excluded=(*data.excluded, *(Exclusion(name, reason) for name in names)),
    )
