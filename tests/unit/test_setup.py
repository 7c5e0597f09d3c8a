from pathlib import Path

import numpy as np
import pytest

from circuits.arrays.crossbar import crossbar
from compact_model import synapse
from compact_model.cards.document import DocumentError, parse_document, validate
from hallspice.config.load import load_setup
from hallspice.config.schema import Config
from hallspice.config.setup import Setup
from hallspice.config.starter import starter_text
from hallspice.page.provenance import origins


def _setup(tmp_path: Path, text: str) -> Setup:
    path = tmp_path / "array.yaml"
    path.write_text(text)
    return load_setup(path)


def _mistakes(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        _setup(tmp_path, text)
    return [line.split("array.yaml:")[-1] for line in str(caught.value).splitlines()]


def test_the_starter_file_is_the_default_configuration() -> None:
    assert validate(parse_document(starter_text(), "starter"), Config) == Config()


def test_defaults_come_from_the_cards(tmp_path: Path) -> None:
    setup = _setup(tmp_path, "seed: 3\n")
    assert setup.config.seed == 3
    np.testing.assert_allclose(setup.levels_ohm, [0.33, 0.46, 0.49, 0.52, 0.54, 0.57])
    assert setup.v_full == pytest.approx(0.5)
    assert setup.t_read == 1e-5
    assert setup.array.r_row == 0.01


def test_configured_values_replace_those_of_the_cards(tmp_path: Path) -> None:
    text = "device: {levels: model}\narray: {wire: {r_row: 2 mohm}, read: {i_read: 0.5 mA, t_read: 20 us}}\n"
    setup = _setup(tmp_path, text)
    assert setup.array.r_row == 0.002
    assert setup.array.r_column == 0.01
    assert setup.v_full == pytest.approx(0.25)
    assert setup.levels_ohm[1] == pytest.approx(0.4585, abs=1e-4)


def test_own_levels_bring_the_currents_that_reach_them(tmp_path: Path) -> None:
    setup = _setup(tmp_path, "device: {levels: [0.33, 0.45, 0.55]}\n")
    np.testing.assert_allclose(synapse.model_levels(setup.card), [0.33, 0.45, 0.55], atol=1e-9)
    np.testing.assert_allclose(setup.levels_ohm, [0.33, 0.45, 0.55])


FIVE = """\
array:
  rows: many
  wire: {r_row: 1 V}
  read:
    i_read: 4 mA
  colums: 3
  driver: {v_supply: 3 V}
network:
  layers: [784, 256, 12]
"""


def test_five_different_mistakes_yield_five_messages_with_their_lines(tmp_path: Path) -> None:
    lines = _mistakes(tmp_path, FIVE)
    starts = [
        "2:9 array.rows: expected",
        "3:17 array.wire.r_row: '1 V' is not",
        "5:13 array.read.i_read: 0.004 A would",
    ]
    starts += [
        "6:3 array.colums: unknown key, did you mean 'columns'?",
        "9:11 network.layers: the last layer has 12",
    ]
    assert [line.startswith(start) for line, start in zip(lines, starts, strict=True)] == [True] * 5, lines


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("array: {read: {i_read: 3.9 mA}, driver: {v_supply: 3 V}}", "allowed: below 0.003757 A, the onset"),
        ("array: {driver: {v_supply: 0.4 V}}", "a row needs 0.5 V for a full input, but the supply is 0.4 V"),
        ("array: {columns: 2}", "need at least 3 in a tile"),
        ("array: {architecture: resistive, cell: {r_low: 1e6}}", "is not below r_high"),
        (
            "device: {levels: [0.33, 0.7]}",
            "0.7 ohm: the device has no such level, allowed: 0.33 <= level < 0.6032 ohm",
        ),
        ("device: {levels: [0.33, 0.4, 0.4]}", "levels repeat"),
        (
            "array: {cell: {r_arm: 0.1 mohm}}",
            "1:23 array.cell.r_arm: 0.0001 ohm for a Hall arm would make a cell give power, allowed: above 0.0002177",
        ),
        (
            "array: {cell: {r_off_spread: 99 ohm}}",
            "1:30 array.cell.r_off_spread: 99 ohm draws cells that would give power, allowed: 0 <= value <= 83.26 ohm",
        ),
        ("device: {levels: [0.4, 0.5]}", "must be the reset state, 0.33 ohm"),
        ("device: {levels: [0.33]}", "1 levels given, allowed: 2 to 256"),
        ("network: {layers: [100, 10]}", "100 inputs, but an image has 784 pixels"),
        ("device: {card: none.yaml}", "no such file. Allowed: 'pt_ruo2_0p5' (shipped)"),
    ],
)
def test_keys_that_contradict_each_other_or_the_device(tmp_path: Path, text: str, message: str) -> None:
    (line,) = _mistakes(tmp_path, text + "\n")
    assert message in line


def test_mistakes_of_a_named_card_are_reported_with_the_card_file(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("name: my\nbased_on: periphery_default\nwires: {}\n")
    with pytest.raises(DocumentError, match=r"my\.yaml:3:1 wires: unknown key, did you mean 'wire'"):
        _setup(tmp_path, "array: {periphery: my.yaml}\n")


def test_arms_of_a_card_that_are_too_short_are_named_where_the_card_is(tmp_path: Path) -> None:
    entry = "{value: 0.1, unit: mohm, provenance: assumed, source: mine}"
    (tmp_path / "my.yaml").write_text(
        f"name: my\ndescription: mine\nbased_on: pt_ruo2_0p5\nhall: {{r_arm: {entry}}}\n"
    )
    (line,) = _mistakes(tmp_path, "device: {card: my.yaml}\n")
    assert line.startswith("1:16 device.card: 0.0001 ohm for a Hall arm")


def test_the_largest_spread_leaves_every_cell_passive(tmp_path: Path) -> None:
    text = "array: {rows: 300, columns: 300, cell: {mismatch: 0.1, r_off_spread: 62 ohm}}\n"
    setup = _setup(tmp_path, text)
    crossbar(np.full((300, 300), 0.4), setup.array, setup.mismatch((300, 300)))
    (line,) = _mistakes(tmp_path, text.replace("62 ohm", "64 ohm"))
    assert "allowed: 0 <= value <= 63." in line


def test_capacitances_are_those_of_the_card_unless_given(tmp_path: Path) -> None:
    assert _setup(tmp_path, "seed: 1\n").with_capacitances().c_arm == 10e-15
    text = "array: {wire: {c_row: 0, c_column: 5 fF}, cell: {c_arm: 3 fF}}\n"
    loaded = _setup(tmp_path, text).with_capacitances()
    assert (loaded.c_row, loaded.c_column, loaded.c_arm) == (0.0, 5e-15, 3e-15)


def test_every_number_of_the_cards_has_a_source(tmp_path: Path) -> None:
    setup = _setup(tmp_path, "seed: 1\n")
    entries = [*origins(setup.card), *origins(setup.periphery)]
    assert len(entries) > 80
    assert all(entry.source and entry.provenance for entry in entries)


def test_wires_too_short_for_double_precision_are_named_with_their_line(tmp_path: Path) -> None:
    text = "array:\n  wire: {r_row: 1e-7, r_column: 0}\n  driver: {r_output: 1 nohm}\n"
    row, driver = _mistakes(tmp_path, text)
    assert row.startswith("2:17 array.wire.r_row: 1e-07 ohm can't be told from zero, allowed: 0, or")
    assert driver.startswith("3:22 array.driver.r_output: 1e-09 ohm")
