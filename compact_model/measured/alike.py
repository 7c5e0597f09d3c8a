"""Whether the records of a data set describe one state of one device: temperature, saturated ends."""

from __future__ import annotations

import math
from collections.abc import Sequence

from compact_model.cards.device import DeviceCard
from compact_model.measured.records import Exclusion, Record, reduced_field_loop
from compact_model.measured.tables import DisagreeingError, MeasurementError, RecordKind

SAME_TEMPERATURE = 0.02
"""Records whose temperatures differ by less than this share are at one temperature."""

LARGEST_DIFFERENCE = 0.05
"""Windows of field loops of one device may differ by this share, drift and creep included."""

SIGMAS = 5.0


def at_one_temperature(
    records: Sequence[Record], card: DeviceCard
) -> tuple[DeviceCard, list[Record], list[Exclusion], list[str]]:
    """Records at the temperature nearest to the card's; the others are left out: a card has one.

    Returns
    -------
    card
        With that ambient temperature.
    records
        Those at that temperature, and those without one.
    excluded
        The others.
    said
        That the card's temperature was replaced.
    """
    ambient = card.thermal.ambient.value
    measured = [r.temperature for r in records if r.temperature is not None]
    if not measured:
        return card, list(records), [], []
    nearest = min(measured, key=lambda kelvin: abs(kelvin - ambient))
    kept, left = [], []
    for record in records:
        apart = 0.0 if record.temperature is None else abs(record.temperature - nearest)
        if apart <= SAME_TEMPERATURE * nearest:
            kept.append(record)
        else:
            reason = (
                f"measured at {record.temperature:.4g} K; a card is of one temperature, here {nearest:.4g} K"
            )
            left.append(Exclusion(record.name, reason))
    if abs(nearest - ambient) <= SAME_TEMPERATURE * ambient:
        return card, kept, left, []
    said = (
        f"The readings were taken at {nearest:.4g} K, which replaces the card's ambient of {ambient:.4g} K."
    )
    try:
        return card.with_value("thermal.ambient", nearest), kept, left, [said]
    except ValueError:
        raise MeasurementError(
            f"{records[0].name}: measured at {nearest:.4g} K, allowed: 200..500 K, where the laws of a card "
            "hold; measure there, or leave the temperature out and take the card for one of that temperature alone"
        ) from None


def check_alike(records: Sequence[Record]) -> None:
    """Refuse field loops of one device whose saturated ends disagree.

    Raises
    ------
    DisagreeingError
        Naming the two loops and their windows.
    """
    loops: dict[tuple[str, float], list[Record]] = {}
    for record in records:
        if record.kind is RecordKind.FIELD_LOOP:
            loops.setdefault((record.device, record.t_oxide), []).append(record)
    for first, record in ((same[0], other) for same in loops.values() for other in same[1:]):
        _, other, error = reduced_field_loop(first)
        _, window, sigma = reduced_field_loop(record)
        apart = abs(window - other)
        if apart > LARGEST_DIFFERENCE * max(window, other) and apart > SIGMAS * math.sqrt(2.0) * math.hypot(
            sigma, error
        ):
            raise DisagreeingError(
                f"{first.name} has a window of {other:.4g} ohm, {record.name} one of {window:.4g} ohm: no loops of one "
                "device in one state; name the column of the temperature (`temperature`) or of the device (`device`)"
            )
