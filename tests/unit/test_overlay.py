"""`array.*` and `write.*` of a configuration in the place of entries of the periphery card."""

import dataclasses
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from circuits.arrays.architecture import Architecture
from circuits.periphery import PeripheryCard, load_periphery
from compact_model import stack
from compact_model.cards.document import DocumentError
from compact_model.cards.entry import EntryList, Provenance, spec_of
from compact_model.hallbar import hall_bar
from compact_model.synapse import level_cost
from hallspice.array.read_netlist import drawn_states
from hallspice.comparison.trials import all_trials
from hallspice.config.demand import Demand
from hallspice.config.load import load_setup
from hallspice.config.schema import Config
from hallspice.config.setup import Setup, array_of
from hallspice.config.starter import starter_text
from hallspice.page.provenance import common_origins, origins
from hallspice.programming.plan import writing
from hallspice.sweeps.sweep import plan
from nn_mapping.mapping import resistive_states

ENTRIES = [
    (section, name)
    for section, info in PeripheryCard.model_fields.items()
    if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel)
    for name in info.annotation.model_fields
]


def _written(section: str, name: str, value: object) -> str:
    """A configuration whose last line sets one number of a section."""
    if section == "write":
        return f"# drivers\nwrite:\n  {name}: {value}\n"
    return f"array:\n  {section}:\n    {name}: {value}\n"


def _key(section: str, name: str) -> str:
    return f"write.{name}" if section == "write" else f"array.{section}.{name}"


def _setup(tmp_path: Path, text: str, demands: Demand = Demand.RUN) -> Setup:
    path = tmp_path / "array.yaml"
    path.write_text(text)
    return load_setup(path, demands=demands)


def _mistakes(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        _setup(tmp_path, text)
    return str(caught.value).splitlines()


def _entry(card: PeripheryCard, section: str, name: str) -> Any:
    return getattr(getattr(card, section), name)


def test_there_is_something_to_replace() -> None:
    assert len(ENTRIES) == 39
    assert {section for section, _ in ENTRIES} == {
        *("wire", "driver", "sense", "amplifier", "switch", "read", "adc", "dac", "digital", "area", "write")
    }


@pytest.mark.parametrize(("section", "name"), ENTRIES)
def test_a_key_replaces_the_entry_of_its_name_and_no_other(tmp_path: Path, section: str, name: str) -> None:
    shipped = load_periphery()
    before = _entry(shipped, section, name)
    many = isinstance(before, EntryList)
    value = tuple(0.9 * number for number in before.value) if many else 0.9 * before.value
    text = _written(section, name, list(value) if many else value)
    card = _setup(tmp_path, text, Demand.COMPARE).periphery  # whatever the architecture
    found = _entry(card, section, name)
    assert found.value == value
    assert (found.provenance, found.source, found.unit) == (Provenance.SET, "array.yaml:3", before.unit)
    for other in ENTRIES:
        assert other == (section, name) or _entry(card, *other) == _entry(shipped, *other), other
    (row,) = (row for row in origins(card) if row.provenance == "set")
    assert (row.name, row.source) == (f"{section}.{name}", "array.yaml:3")
    assert [float(text) for text in row.value.split(", ")] == pytest.approx(
        list(value) if many else [value], rel=1e-5
    )


@pytest.mark.parametrize(("section", "name"), ENTRIES)
def test_the_range_is_the_cards_and_a_mistake_has_its_line(tmp_path: Path, section: str, name: str) -> None:
    spec = spec_of(type(getattr(load_periphery(), section)), name)
    many = isinstance(_entry(load_periphery(), section, name), EntryList)
    text = _written(section, name, "[1, -1]" if many else "-1")
    column = len(text.splitlines()[-1]) - (2 if many else 1)
    (line,) = _mistakes(tmp_path, text)
    unit = "" if spec.unit == "1" else f" {spec.unit}"
    assert line == (
        f"{tmp_path / 'array.yaml'}:3:{column} {_key(section, name)}{'[1]' if many else ''}: "
        f"-1{unit} is out of range, allowed: {spec.allowed}"
    )


@pytest.mark.parametrize(("section", "name"), ENTRIES)
def test_starter_and_schema_tell_unit_meaning_and_whose_value_it_is(section: str, name: str) -> None:
    spec = spec_of(type(getattr(load_periphery(), section)), name)
    schema: Any = Config.model_json_schema()
    part = schema["$defs"][section.capitalize()]["properties"][name]
    assert part["default"] is None
    told = part.get("description") or part["anyOf"][0]["description"]
    assert told.startswith(spec.meaning)
    assert spec.allowed in told
    unit = "" if spec.unit == "1" else f" [{spec.unit}]"
    line = f"# {name}:  # {spec.meaning}{unit}, {spec.allowed}; default: the card's"
    assert line in [line.strip() for line in starter_text().splitlines()]


def test_numbers_carry_units_and_stand_over_a_card_of_ones_own(tmp_path: Path) -> None:
    entry = "{value: 2, unit: ohm, provenance: measured, source: mine}"
    (tmp_path / "my.yaml").write_text(
        f"name: my\nbased_on: periphery_default\nwire: {{r_row: {entry}, r_column: {entry}}}\n"
    )
    text = "array: {periphery: my.yaml, wire: {r_row: 30 mohm}, adc: {energy: [1 pJ, 2e-12, 3 pJ]}}\n"
    card = _setup(tmp_path, text).periphery
    assert (card.wire.r_row.value, card.wire.r_row.provenance) == (0.03, Provenance.SET)
    assert (card.wire.r_column.value, card.wire.r_column.provenance) == (2.0, Provenance.MEASURED)
    assert card.adc.energy.value == (1e-12, 2e-12, 3e-12)
    assert _setup(tmp_path, "seed: 1\n").periphery is load_periphery()


def test_entries_of_a_section_must_still_fit_each_other(tmp_path: Path) -> None:
    text = "array:\n  adc: {bits: [4, 6]}\n  read: {i_read: 3.9 mA}\n  driver: {v_supply: 3 V}\n"
    line, other = _mistakes(tmp_path, text)
    what = "array.adc.bits: bits has 2 values and energy 3, allowed: the same"
    assert line == f"{tmp_path / 'array.yaml'}:2:15 {what}"
    assert ":3:18 array.read.i_read: 0.0039 A would switch the device" in other


NAMES = {
    "wire.r_row": "r_row",
    "wire.r_column": "r_column",
    "driver.r_output": "r_output",
    "sense.r_input": "r_input",
    "amplifier.gm": "gm",
    "amplifier.cmrr_db": "cmrr_db",
    "switch.r_on": "r_switch_on",
    "switch.r_off": "r_switch_off",
}


@pytest.mark.parametrize(("key", "field"), NAMES.items())
def test_each_number_reaches_its_own_field_of_the_solved_array(tmp_path: Path, key: str, field: str) -> None:
    section, name = key.split(".")
    plain = _setup(tmp_path, "seed: 1\n")
    array = _setup(tmp_path, _written(section, name, 7), Demand.COMPARE).array
    assert array == dataclasses.replace(plain.array, **{field: 7.0})


def test_an_array_of_two_cards_alone_is_the_default_one(tmp_path: Path) -> None:
    setup = _setup(tmp_path, "seed: 1\n")
    assert array_of(Architecture.ACTIVE_PARALLEL, setup.card, load_periphery()) == setup.array


def test_reads_of_every_command_take_the_configured_current(tmp_path: Path) -> None:
    """A verify read, too: it had the card's current whatever the configuration said."""
    text = "array: {architecture: resistive, read: {i_read: 0.5 mA}}\nwrite: {t_verify: 1 ms, r_output: 20 ohm}\n"
    setup = _setup(tmp_path, text)
    made = writing(setup, hall_bar(setup.card), setup.config.array.columns)
    assert made.i_read == 0.5e-3
    assert made.config.r_output == 20.0
    assert made.recipe.read_time == 1e-3
    assert setup.array.r_output == 0.1  # the row drivers'
    hall = _setup(tmp_path, "array: {read: {i_read: 0.5 mA}}\n")
    assert hall.i_full == pytest.approx(0.5e-3, rel=1e-12)
    trials = all_trials(hall)
    assert trials["active_series"].full == 0.5e-3
    assert trials["active_parallel"].full == pytest.approx(0.25, rel=1e-12)  # through 500 ohm


def test_numbers_of_the_device_are_set_too(tmp_path: Path) -> None:
    card = _setup(tmp_path, "device: {levels: [0.33, 0.45, 0.55]}\narray:\n  cell: {r_arm: 300}\n").card
    assert card.hall.r_arm is not None
    assert (card.hall.r_arm.value, card.hall.r_arm.source) == (300.0, "array.yaml:3")
    assert float(stack.transverse_resistance(card)) == 600.0
    assert float(stack.arm_resistance(card, 0.7e-9)) == pytest.approx(
        300 * float(stack.sheet_resistance(card, 0.7e-9) / stack.sheet_resistance(card)), rel=1e-12
    )
    levels, ladder = card.synapse.levels, card.synapse.ladder
    assert (levels.provenance, levels.source) == (Provenance.SET, "array.yaml:1")
    assert (ladder.provenance, ladder.source) == (Provenance.DERIVED, "reaches the levels of array.yaml:1")
    kinds = {row.name: row.provenance for row in origins(card)}
    assert kinds["hall.r_arm"] == kinds["synapse.levels"] == "set"


CONDUCTANCES = """\
array:
  architecture: resistive
  cell: {conductances: [30 uS, 5 uS, 10 uS, 25 uS]}
"""


def test_conductances_are_the_levels_of_two_terminal_cells(tmp_path: Path) -> None:
    """5, 10, 25 and 30 uS: at 0, 1/5, 4/5 and 1 of the window of the card, 0.33 to 0.57 ohm."""
    setup = _setup(tmp_path, CONDUCTANCES)
    assert setup.levels_ohm == pytest.approx([0.33, 0.378, 0.522, 0.57], rel=1e-12)
    cell = setup.config.array.cell
    assert resistive_states(setup.levels_ohm, cell.r_low, cell.r_high) == pytest.approx(
        [2e5, 1e5, 4e4, 1 / 30e-6], rel=1e-12
    )
    assert np.unique(drawn_states(setup)).round(3).tolist() == [33333.333, 4e4, 1e5, 2e5]
    levels = setup.card.synapse.levels
    assert (levels.provenance, levels.source) == (Provenance.SET, "array.yaml:3")
    assert len(level_cost(setup.card).energy) == 4
    many = ", ".join(f"{g} uS" for g in range(1, 257))
    assert _setup(tmp_path, CONDUCTANCES.replace("30 uS, 5 uS, 10 uS, 25 uS", many)).levels_ohm.size == 256


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("30 uS, 5 uS", "30 uS", ""),
        (
            "30 uS, 5 uS, 10 uS, 25 uS",
            "5 uS",
            "3:24 array.cell.conductances: 1 conductances, expected at least two",
        ),
        (
            "10 uS",
            "5 uS",
            "3:24 array.cell.conductances: 4 conductances, expected at least two, all different",
        ),
        ("10 uS", "0 S", "3:38 array.cell.conductances[2]: 0 S is out of range, allowed: 1e-12 <= value"),
        (
            "resistive",
            "active_parallel",
            "3:24 array.cell.conductances: has no effect in active_parallel, only in res",
        ),
        (
            "{cond",
            "{r_low: 2 kohm, cond",
            "3:17 array.cell.r_low: the conductances of array.cell.conductances say it",
        ),
        (
            "{cond",
            "{r_high: 2 Mohm, cond",
            "3:18 array.cell.r_high: the conductances of array.cell.conductances say",
        ),
        (
            "array:",
            "device: {levels: [0.33, 0.5]}\narray:",
            "1:18 device.levels: the conductances of array.cell.cond",
        ),
    ],
)
def test_conductances_say_all_about_the_levels(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = CONDUCTANCES.replace(old, new)
    if not message:
        assert _setup(tmp_path, text).levels_ohm.size == 3
    else:
        (found,) = _mistakes(tmp_path, text)
        assert found.startswith(f"{tmp_path / 'array.yaml'}:{message}")


SWEEP = """\
array: {wire: {r_column: 3 ohm}}
sweep:
  set:
    array.wire.r_row:
      - 1 ohm
      - 2 ohm
"""


def test_a_sweep_sets_numbers_with_the_line_or_the_option_that_gives_them(tmp_path: Path) -> None:
    path = tmp_path / "array.yaml"
    path.write_text(SWEEP)
    option = "array.sense.r_input=4,5"
    setups = [point.task.setup for point in plan(path, [option], {}, None, None).points.values()]
    cards = [setup.periphery for setup in setups]
    wires = [(card.wire.r_row.value, card.wire.r_row.source) for card in cards]
    assert wires == [(1.0, "array.yaml:5")] * 2 + [(2.0, "array.yaml:6")] * 2
    senses = [(card.sense.r_input.value, card.sense.r_input.source) for card in cards]
    assert senses == [(4.0, f"--set {option}"), (5.0, f"--set {option}")] * 2
    assert {card.wire.r_column.source for card in cards} == {"array.yaml:1"}
    assert [setup.array.r_input for setup in setups] == [4.0, 5.0, 4.0, 5.0]
    rows = {row.name: row for row in common_origins(cards)}
    assert rows["wire.r_row"].value == "1; 2"
    assert rows["wire.r_row"].source == "array.yaml:5; array.yaml:6"
    assert rows["wire.r_column"].value == "3"
    many = common_origins([card.model_copy() for card in cards * 3])
    assert {row.name: row for row in many} == rows


def test_points_of_a_sweep_do_not_depend_on_where_a_number_stands(tmp_path: Path) -> None:
    path = tmp_path / "array.yaml"
    path.write_text(SWEEP)
    first = plan(path, [], {}, None, None).points
    path.write_text(f"# a comment\n{SWEEP}")
    assert list(plan(path, [], {}, None, None).points) == list(first)
    path.write_text(SWEEP.replace("3 ohm", "4 ohm"))
    assert not set(plan(path, [], {}, None, None).points) & set(first)


def test_a_setup_travels_to_another_process(tmp_path: Path) -> None:
    setup = _setup(tmp_path, "array: {wire: {r_row: 3 ohm}, adc: {columns: 2}}\n")
    again = pickle.loads(pickle.dumps(setup))
    assert again.config == setup.config
    assert again.periphery == setup.periphery
