"""Every entry of the device card and of the select transistor's card changes a result.

The entries of the periphery card are keys of a configuration, which `test_keys` tries one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from circuits.write.circuit import write_network
from circuits.write.scheme import WriteConfig
from circuits.write.select_mosfet import SelectMosfet, load_select_mosfet
from compact_model import curves, limits, readout, retention, spread, stack, synapse, thermal, transport
from compact_model.cards.device import DeviceCard, load_card
from compact_model.cards.document import KeyPath, dotted
from compact_model.cards.entry import Anchor, Entry, EntryList
from compact_model.hallbar import hall_bar
from compact_model.published import answers
from veriloga.model import cell_model

Content = dict[str, Any]
Probe = Callable[[DeviceCard], Any]

CURRENT = 13e-3


def entries(model: type[BaseModel] = DeviceCard, path: KeyPath = ()) -> Iterator[KeyPath]:
    """All keys of a card but those that only name it; entries, anchors and choices."""
    for name, info in model.model_fields.items():
        annotation = info.annotation
        inner = isinstance(annotation, type) and issubclass(annotation, BaseModel)
        if inner and not issubclass(annotation, Entry | EntryList):  # type: ignore[arg-type]
            yield from entries(annotation, (*path, name))  # type: ignore[arg-type]
        else:
            yield (*path, name)


NAMES = {("name",), ("description",), ("based_on",), ("fit",)}
"""What a card is called, and where its fitted numbers come from."""

ENTRIES = [path for path in entries() if path not in NAMES]


def module(card: DeviceCard) -> Any:
    """Parameters of the Verilog-A module, and so of netlists of devices."""
    return [(one.name, one.value) for one in cell_model(card, largest_error=0.1).parameters]


def pulsed(card: DeviceCard) -> Any:
    """Hall resistance after some pulses."""
    device = hall_bar(card)
    state = device.prepared(2)
    for current, width in ((CURRENT, 2e-4), (-9e-3, 1e-5), (CURRENT, 1e-6)):
        state = device.pulsed(state, np.array([current, current / 1.1]), width)
    return device.hall_resistance(state)


def programmed(card: DeviceCard) -> Any:
    """Levels and the pulses that reach them."""
    return [synapse.levels(card), synapse.model_levels(card), synapse.ladder_currents(card)]


def written(card: DeviceCard) -> Any:
    """Energy and time of every level."""
    return synapse.level_cost(card)


def torque(card: DeviceCard) -> Any:
    """Torque of the stack, its field per current, and the control sample."""
    return [
        transport.torque_efficiency(card),
        transport.spin_hall_conductivity(card),
        transport.damping_like_field(card, CURRENT),
        transport.control_sample(card),
    ]


def resistance(card: DeviceCard) -> Any:
    """Channel, arms, and what the oxide carries."""
    return [stack.channel_resistance(card), stack.arm_resistance(card), stack.oxide_current_share(card)]


def noise(card: DeviceCard) -> Any:
    """Noise and drift of a read."""
    return [
        readout.flicker_corner(card, 1e-3),
        readout.thermoelectric_offset(card, CURRENT, 1e-4),
        readout.offset_drift(card, 10.0),
    ]


def heat(card: DeviceCard) -> Any:
    """Temperature of a channel after short and long pulses."""
    return [thermal.pulse_temperature(card, CURRENT, width) for width in (1e-8, 1e-6, 1e-3)]


def warned(card: DeviceCard) -> Any:
    """Warnings of a strong pulse."""
    return limits.warnings_for(card, 60e-3, 1e-3)


def spread_out(card: DeviceCard) -> Any:
    """Spread between devices."""
    return spread.spread_after(card, CURRENT)


def kept(card: DeviceCard) -> Any:
    """Levels after ten years."""
    return retention.retained_levels(card, synapse.levels(card), 3e8, 300.0)


def thick(card: DeviceCard) -> Any:
    """Curves over the thickness of the oxide."""
    return curves.thickness_curves(card, np.linspace(0.0, 2.5e-9, 11))


def walls(card: DeviceCard) -> Any:
    """The published ratio of wall fields."""
    return answers.wall_ratio(card)


def saturated(card: DeviceCard) -> Any:
    """A pulse after fields of 8e4 A/m, down and up again; what is said where they don't saturate."""
    device = hall_bar(card)
    state = device.prepared(1)
    try:
        for field in (-8e4, 8e4):
            state = device.saturated(state, field)
    except ValueError as error:
        return str(error)
    return device.hall_resistance(device.pulsed(state, np.array([CURRENT]), 2e-4))


PROBES = (
    module,
    pulsed,
    programmed,
    written,
    torque,
    resistance,
    noise,
    heat,
    warned,
    spread_out,
    kept,
    walls,
    saturated,
    thick,
)
"""In the order in which they are tried, quick ones first."""

VALUES: dict[str, Any] = {
    "choices.switching": "B",
    "choices.gate": "demag",
    "choices.levels": "model",
    "choices.ladder": "inverse",
    "choices.reset": "pulse",
    "choices.retention": "proportional",
    "choices.grains": 40,
    "geometry.repeats": 3,
    "hall.r_arm": {"value": 300.0, "unit": "ohm", "provenance": "assumed", "source": "mine"},
    "synapse.h_x": 1e4,
    "control.field_free_drive": 0.5,
    "transport.tcr": 5e-4,
    "fields.h_sat": 1e5,
}
"""Where five percent more is no value, or makes no difference."""

NEEDS: dict[str, Content] = {
    "synapse.i_reset": {"choices": {"reset": "pulse"}},
    **{
        dotted(path): {"choices": {"switching": "B"}}
        for path in ENTRIES
        if path[:2] == ("switching", "set_b") or path[:2] == ("thickness", "field_free_drive_b")
    },
    "switching.t_curie": {"choices": {"switching": "B"}},
}
"""Choices that an entry acts with."""


def changed(path: KeyPath, content: Content) -> DeviceCard:
    """The card with another value at `path`: five percent more, in an anchor list at the device's own thickness."""
    node: Any = content
    for part in path[:-1]:
        node = node[part]
    name, key = path[-1], dotted(path)
    if isinstance(node[name], list):
        for anchor in node[name]:
            anchor["value"] = 1.05 * anchor["value"] + 1e-3 * (anchor["value"] == 0)
    elif isinstance(node[name], dict) and key in VALUES:
        node[name]["value"] = VALUES[key]
    elif isinstance(node[name], dict):
        old = node[name]["value"]
        node[name]["value"] = [1.01 * one for one in old] if isinstance(old, list) else 1.05 * old
    else:
        node[name] = VALUES[key]
    return DeviceCard.model_validate(content)


def exact(found: Any) -> str:
    """All digits of a result."""
    with np.printoptions(precision=17, threshold=100_000):
        return repr(found)


@pytest.mark.parametrize("path", ENTRIES, ids=dotted)
def test_an_entry_of_the_device_card_changes_a_result(path: KeyPath) -> None:
    content = load_card().model_dump(mode="json")
    for section, values in NEEDS.get(dotted(path), {}).items():
        content[section].update(values)
    before = DeviceCard.model_validate(content)
    after = changed(path, content)
    assert before != after
    assert any(exact(probe(before)) != exact(probe(after)) for probe in PROBES)


def test_what_only_names_a_card_is_known() -> None:
    assert set(entries()) >= NAMES
    assert len(ENTRIES) > 75
    anchors = [name for name, one in load_card().thickness if isinstance(one[0], Anchor)]
    assert {("thickness", name) for name in anchors} <= set(ENTRIES)


MOSFET = [name for name, info in SelectMosfet.model_fields.items() if info.annotation is Entry]


@pytest.mark.parametrize("name", MOSFET)
def test_an_entry_of_the_select_transistor_is_in_its_netlist(name: str) -> None:
    card = load_select_mosfet()
    entry = getattr(card, name)
    other = card.model_copy(update={name: entry.model_copy(update={"value": 1.05 * entry.value})})
    selected = np.array([[True, False]])
    network = write_network(selected, WriteConfig(architecture="resistive"))  # type: ignore[arg-type]
    assert list(card.lines(network, selected)) != list(other.lines(network, selected))
