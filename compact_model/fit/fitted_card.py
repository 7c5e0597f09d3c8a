"""The card that a fit gives: fitted values with their intervals, the rest as it was, marked as what it is."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import yaml

from compact_model import stack, switching, synapse
from compact_model.cards.device import SHIPPED, DeviceCard, FitRecord, LadderSource, LevelSource, load_card
from compact_model.cards.entry import Provenance
from compact_model.fit.fitting import FitResult
from compact_model.fit.intervals import Fitted, Open
from compact_model.measured.tables import RecordKind
from compact_model.numeric import Floats
from compact_model.programming import equal_ladder

LEVELS = 6


def fitted_card(result: FitResult, date: str) -> DeviceCard:
    """The data set's card with everything that the fit determined.

    Fitted numbers carry provenance ``fitted`` and their 95 % interval. What the data left open stays at its value;
    unless it was measured, it is marked ``assumed``, with the reason.

    Parameters
    ----------
    result
        Of `compact_model.fit.fitting.fit_data`.
    date
        Day of the fit, as text.
    """
    base, data = result.data.card, result.data
    node: dict[str, Any] = base.model_dump(mode="json")
    label = f"{'synthetic data' if data.synthetic else 'data'} {data.name}, {date}, sha256 {data.sha256[:12]}"
    for one in result.fitted:
        _entry(node, one).update(
            value=one.value,
            interval=list(one.interval),
            provenance=Provenance.FITTED.value,
            source=f"fit to {label}; 95 % interval {'by profile' if one.profiled else 'from the covariance'}",
        )
    for other in result.open:
        entry = _entry(node, other)
        if entry["provenance"] != Provenance.MEASURED.value:
            entry.update(
                provenance=Provenance.ASSUMED.value,
                interval=None,
                source=f"not determined by {data.name}: {other.reason}"
                + ("" if other.warning else f"; value of card {base.name}"),
            )
    if result.regions is not None:
        width = base.geometry.w_channel.value
        sizes = [width / math.sqrt(count) for count in result.regions]
        node["reality"]["region_size"].update(
            value=sizes[0],
            interval=sorted(sizes[1:]),
            provenance=Provenance.FITTED.value,
            source=f"spread between {len(data.devices)} devices, {label}",
        )
    node["name"] = data.name
    node["description"] = data.description or f"fitted to {data.name}"
    node["based_on"] = SHIPPED
    node["fit"] = FitRecord(
        data=data.name,
        sha256=data.sha256,
        date=date,
        parameters=tuple(one.parameter.name for one in result.fitted),
        correlation=tuple(tuple(float(c) for c in row) for row in result.correlation),
    ).model_dump(mode="json")
    card = DeviceCard.model_validate(node)
    return _with_ladder(card, result, label)


def _entry(node: dict[str, Any], one: Fitted | Open) -> dict[str, Any]:
    """The entry or anchor of a parameter in a dumped card; an anchor that is missing is added."""
    parameter = one.parameter
    *sections, name = parameter.path.split(".")
    for section in sections:
        node = node[section]
    if parameter.anchor is None:
        found: dict[str, Any] = node[name]
        return found
    for anchor in node[name]:
        if abs(anchor["t_oxide"] - parameter.anchor) < 1e-13:
            existing: dict[str, Any] = anchor
            return existing
    added: dict[str, Any] = {
        "t_oxide": parameter.anchor,
        "value": parameter.default,
        "provenance": Provenance.ASSUMED.value,
        "source": "interpolated",
    }
    node[name] = sorted([*node[name], added], key=lambda anchor: float(anchor["t_oxide"]))
    return added


def _with_ladder(card: DeviceCard, result: FitResult, label: str) -> DeviceCard:
    """Levels and write currents of a device whose ladder is not the published one.

    Six levels, equally spaced between the reset state and what the largest measured pulse reaches.
    """
    if np.array_equal(_pulsed_levels(result), synapse.paper_levels(card)):
        return card
    top = max(
        (
            float(stack.current_density(card, np.abs(r.current).max(), r.t_oxide))
            for r in result.data.records
            if r.kind in (RecordKind.LOOP, RecordKind.TRAIN, RecordKind.FRACTION)
        ),
        default=0.0,
    )
    reached = float(switching.switched_fraction(card, float(stack.current(card, top))))
    if reached < 0.05:
        return card
    levels, currents = equal_ladder(card, LEVELS, min(reached, 0.95))
    node = card.model_dump(mode="json")
    why = f"six equal steps up to {min(reached, 0.95):.0%} of the fitted window; {label}"
    node["synapse"]["levels"].update(value=levels.tolist(), provenance=Provenance.DERIVED.value, source=why)
    node["synapse"]["ladder"].update(
        value=currents.tolist(),
        provenance=Provenance.DERIVED.value,
        source=f"currents that reach the levels; {label}",
    )
    node["synapse"]["i_reset"].update(
        value=float(currents[-1]),
        provenance=Provenance.ASSUMED.value,
        source="the largest write current, reversed",
    )
    node["choices"].update(levels=LevelSource.PAPER.value, ladder=LadderSource.PAPER_CURRENTS.value)
    return DeviceCard.model_validate(node)


def _pulsed_levels(result: FitResult) -> Floats:
    """Readings of the only ladder of a data set, rounded as published ones are."""
    trains = [r for r in result.data.records if r.kind is RecordKind.TRAIN]
    return np.round(trains[0].value, 10) if len(trains) == 1 else np.empty(0)


def card_text(card: DeviceCard) -> str:
    """A card as YAML: what differs from the shipped card, all in SI units."""
    shipped = load_card().model_dump(mode="json")
    different = _difference(shipped, card.model_dump(mode="json"))
    head = f"# Card {card.name}: what differs from {SHIPPED}, in SI units. Intervals are 95 %.\n"
    return head + yaml.safe_dump(_without_none(different), sort_keys=False, width=110, allow_unicode=True)


def _difference(base: Any, top: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(top, dict)):
        return copy.deepcopy(top)
    if "provenance" in top:
        return dict(top)
    return {key: _difference(base.get(key), value) for key, value in top.items() if base.get(key) != value}


def _without_none(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without_none(value) for key, value in node.items() if value is not None}
    return [_without_none(item) for item in node] if isinstance(node, list) else node


def sampled_cards(card: DeviceCard, count: int, rng: np.random.Generator) -> list[DeviceCard]:
    """Cards drawn from the errors of a fitted card.

    Normal deviates with the fit's correlation; each side of an interval sets the deviation on its side. Parameters
    whose coordinate in the fit is logarithmic (all that must be above zero) move by a factor.

    Raises
    ------
    ValueError
        For a card without a fit.
    """
    if card.fit is None or not card.fit.parameters:
        raise ValueError(f"card {card.name} holds no fit, so there are no errors to draw from")
    correlation = np.array(card.fit.correlation)
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return [_moved(card, root @ rng.standard_normal(len(values))) for _ in range(count)]


def _moved(card: DeviceCard, deviates: Floats) -> DeviceCard:
    node = card.model_dump(mode="json")
    names = card.fit.parameters if card.fit is not None else ()
    for name, z in zip(names, deviates, strict=True):
        entry = _named(node, name)
        value, (low, high) = float(entry["value"]), entry["interval"]
        limit = (high if z > 0.0 else low) if z != 0.0 else value
        share = abs(float(z)) / 1.959964
        by_factor = min(low, value) > 0.0
        moved = value * (limit / value) ** share if by_factor else value + (limit - value) * share
        entry.update(value=moved, interval=None)
    node["switching"]["set_a"]["u0"]["value"] = float(
        np.clip(node["switching"]["set_a"]["u0"]["value"], 0.0, 0.9)
    )
    node["switching"]["set_b"]["u0"]["value"] = float(
        np.clip(node["switching"]["set_b"]["u0"]["value"], 0.0, 0.9)
    )
    return DeviceCard.model_validate(node)


def _named(node: dict[str, Any], name: str) -> dict[str, Any]:
    path, _, anchor = name.removesuffix(" nm)").partition("(")
    *sections, last = path.split(".")
    for section in sections:
        node = node[section]
    if not anchor:
        found: dict[str, Any] = node[last]
        return found
    chosen: dict[str, Any] = min(
        node[last], key=lambda item: abs(float(item["t_oxide"]) - 1e-9 * float(anchor))
    )
    return chosen
