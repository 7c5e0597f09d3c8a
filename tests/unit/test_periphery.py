from pathlib import Path

import pytest

from circuits.periphery import load_periphery
from compact_model.cards.document import DocumentError

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "circuits" / "cards" / "periphery_default.yaml"


def test_the_shipped_card_is_in_si_units() -> None:
    card = load_periphery()
    assert card.wire.pitch.value == 5e-5
    assert card.switch.r_on.value == 1000.0
    assert card.adc.energy.value == (3.7e-13, 4.2e-13, 6.8e-13)
    assert card.write.efficiency.value == 1.0


@pytest.mark.parametrize(("section", "entry"), [("cell", "mismatch"), ("digital", "add_8bit")])
def test_entries_that_nothing_reads_are_refused(tmp_path: Path, section: str, entry: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        f"name: mine\nbased_on: periphery_default\n{section}:\n"
        f'  {entry}: {{value: 0.01, unit: "1", provenance: assumed, source: mine}}\n'
    )
    with pytest.raises(DocumentError, match=rf"mine\.yaml:4:3 {section}\.{entry}: unknown key"):
        load_periphery(path)


def test_arms_of_a_card_are_refused_with_where_they_are_now(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\nbased_on: periphery_default\ncell:\n"
        "  r_arm: {value: 250, unit: ohm, provenance: assumed, source: mine}\n"
    )
    what = r"mine\.yaml:4:3 cell\.r_arm: each Hall arm is the device card's .* array\.cell\.r_arm of a configuration"
    with pytest.raises(DocumentError, match=what):
        load_periphery(path)


def test_adc_energy_between_and_beyond_the_known_resolutions() -> None:
    card = load_periphery().adc
    assert card.conversion_energy(8) == 6.8e-13
    assert card.conversion_energy(7) == pytest.approx((4.2e-13 * 6.8e-13) ** 0.5, rel=1e-9, abs=0)
    assert card.conversion_energy(2) == pytest.approx(3.7e-13, rel=1e-9, abs=0)
    assert card.conversion_energy(9) == pytest.approx(4 * 6.8e-13, rel=1e-9, abs=0)


def test_mistakes_in_a_card_are_all_named_with_their_lines(tmp_path: Path) -> None:
    text = SHIPPED.read_text()
    wrong = text.replace("{value: 0.1, unit: ohm", "{value: -0.1, unit: ohm").replace(
        "{value: [4, 6, 8]", "{value: [4, 8, 6]"
    )
    path = tmp_path / "card.yaml"
    path.write_text(wrong.replace("gm: {value: 1, unit: mS", "gm: {value: 1, unit: mV"))
    with pytest.raises(DocumentError) as caught:
        load_periphery(path)
    keys = [mistake.key for mistake in caught.value.mistakes]
    assert len(keys) == 3
    assert keys[0].startswith("driver.r_output")
    assert keys[1].startswith("amplifier.gm")
    assert keys[2].startswith("adc")


def test_a_card_based_on_the_shipped_one_states_only_differences(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    entry = "{value: 0.2, unit: mA, provenance: assumed, source: mine}"
    path.write_text(f"name: mine\nbased_on: periphery_default\nread:\n  i_read: {entry}\n")
    card = load_periphery(path)
    assert card.name == "mine"
    assert card.read.i_read.value == 2e-4
    assert card.read.t_read.value == load_periphery().read.t_read.value
