"""A fitted card replayed by the rate law, which pulses and simulators use, beside the data and the fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from compact_model.cards.device import DeviceCard
from compact_model.events import Event, EventKind, run_events
from compact_model.fit.fitting import FitResult
from compact_model.measured.records import Record
from compact_model.measured.tables import RecordKind, Start
from compact_model.numeric import Floats

MISSED = 2.0
"""A card that is further from the data than so many times their noise is said to miss them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Hall resistances after the measured pulses by the rate law of the fitted card, and how far they are off."""

    card: Floats  # (rows,) [ohm], offsets of single devices and artefacts included; NaN where nothing was replayed
    fit_residual: float  # data less fit, root mean square [ohm]
    card_residual: float  # data less card, root mean square [ohm]
    law_difference: float  # card less fit, root mean square [ohm]
    noise: float  # of a reading, root mean square [ohm]

    @property
    def misses(self) -> bool:
        """Whether the card is further from the data than their noise explains."""
        return self.card_residual > MISSED * self.noise


def replayed(result: FitResult, card: DeviceCard) -> Replay | None:
    """Replay the records of pulses that were used in a fit; None without any.

    Pulses of one record follow each other as they were measured, from the state that was prepared; an unknown state
    is the reset state. The offset that a device has beyond the card's is taken from the fit.

    Raises
    ------
    ValueError
        When the card has no rate law for these pulses.
    """
    found = np.full(len(result.predicted), np.nan)
    for block in result.response.blocks:
        if block.record.kind in (RecordKind.LOOP, RecordKind.TRAIN):
            found[block.rows] = _responses(block.record, card)
    rows = result.used & np.isfinite(found)
    if not rows.any():
        return None
    bare = result.predicted - result.artefact_part
    devices = np.array([record.device for record in result.data.records])[result.response.record_of]
    for device in result.data.devices if len(result.data.devices) > 1 else ():
        mine = rows & (devices == device)
        found[devices == device] += float(np.mean(bare[mine] - found[mine])) if mine.any() else 0.0
    found += result.artefact_part
    noise = np.array([result.noise[block.record.name] for block in result.response.blocks])
    return Replay(
        card=found,
        fit_residual=_rms((result.response.value - result.predicted)[rows]),
        card_residual=_rms((result.response.value - found)[rows]),
        law_difference=_rms((found - result.predicted)[rows]),
        noise=_rms(noise[result.response.record_of][rows]),
    )


def _responses(record: Record, card: DeviceCard) -> Floats:
    """Hall resistance after each pulse of a record by the rate law [ohm]."""
    own = (
        card
        if record.t_oxide == card.geometry.t_oxide.value
        else card.with_value("geometry.t_oxide", record.t_oxide)
    )
    trace = run_events(own, [*_prepared(record, own), *_pulses(record)])
    return trace.hall_resistance[len(trace.hall_resistance) - len(record.value) :]


def _prepared(record: Record, card: DeviceCard) -> Iterator[Event]:
    if record.start is Start.MINUS:
        yield Event(kind=EventKind.SATURATE, h_z=-card.fields.h_sat.value)


def _pulses(record: Record) -> Iterator[Event]:
    for current, duration, h_x in zip(record.current, record.t_pulse, record.h, strict=True):
        yield Event(current=float(current), duration=float(duration), h_x=float(h_x))


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(values**2)))
