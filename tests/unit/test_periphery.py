from pathlib import Path

import pytest

from circuits.periphery import load_periphery
from compact_model.document import DocumentError


def test_the_shipped_card_holds_the_stated_defaults_and_a_source_each() -> None:
    card = load_periphery()
    assert card.read.i_read.value == 1e-3
    assert card.wire.r_row.value == 0.01
    assert card.adc.conversion_energy(6) == pytest.approx(0.42e-12)
    assert card.adc.conversion_energy(8) == pytest.approx(0.68e-12, rel=1e-3)


def test_a_card_based_on_the_shipped_one_states_only_differences(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    entry = "{value: 0.2, unit: mA, provenance: assumed, source: mine}"
    path.write_text(f"name: mine\nbased_on: periphery_default\nread:\n  i_read: {entry}\n")
    card = load_periphery(path)
    assert card.name == "mine"
    assert card.read.i_read.value == 2e-4
    assert card.read.t_read.value == 1e-5


def test_mistakes_are_located(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    entry = "{value: 0.2, unit: V, provenance: guessed, source: mine}"
    path.write_text(f"name: mine\nbased_on: periphery_default\nread:\n  i_reed: {entry}\n  t_read: {entry}\n")
    with pytest.raises(
        DocumentError, match=r"mine\.yaml:4:3 read\.i_reed: unknown key, did you mean 'i_read'"
    ):
        load_periphery(path)
    with pytest.raises(
        DocumentError, match=r"mine\.yaml:5:\d+ read\.t_read\.provenance: 'guessed' is not known"
    ):
        load_periphery(path)
