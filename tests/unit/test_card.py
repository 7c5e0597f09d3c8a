"""The device card: numbers with unit and provenance, mistakes with their line."""

from __future__ import annotations

from pathlib import Path

import pytest

from compact_model.cards.anchors import with_anchor_file
from compact_model.cards.device import load_card
from compact_model.cards.document import DocumentError
from compact_model.cards.entry import Provenance


def mistakes_of(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "card.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DocumentError) as caught:
        load_card(path)
    return [str(m).removeprefix(f"{path}:") for m in caught.value.mistakes]


def test_units_are_converted_and_provenance_is_kept() -> None:
    card = load_card()
    assert card.transport.spin_memory_loss.value == pytest.approx(230.0)  # 0.23 cm^2/erg in m^2/J
    assert card.control.k_s.value == pytest.approx(0.365e-3)
    assert card.synapse.ladder.value == (0.011, 0.0121, 0.0132, 0.0143, 0.0154)
    assert card.switching.set_a.u0.provenance is Provenance.ASSUMED


def test_every_number_names_its_source() -> None:
    for section in load_card().model_dump().values():
        if isinstance(section, dict):
            for entry in section.values():
                if isinstance(entry, dict) and "value" in entry:
                    assert entry["source"]


def test_nonsense_is_refused_with_its_lines(tmp_path: Path) -> None:
    found = mistakes_of(
        tmp_path,
        "name: wrong\n"
        "description: five mistakes\n"
        "based_on: pt_ruo2_0p5\n"
        "geometry:\n"
        "  t_hm: {value: -5.5, unit: nm, provenance: assumed, source: x}\n"
        "  w_channel: {value: 5, unit: kg, provenance: assumed, source: x}\n"
        "  t_glue: {value: 5, unit: nm, provenance: assumed, source: x}\n"
        "switching:\n"
        "  set_a:\n"
        "    u0: {value: 1.0, unit: '1', provenance: assumed, source: x}\n"
        "    shape: {value: 2, unit: '1', provenance: guessed, source: x}\n",
    )
    assert [int(line.split(":")[0]) for line in found] == [5, 6, 7, 10, 11]
    words = ("out of range", "not convertible", "unknown key", "out of range", "guessed")
    for text, expected in zip(found, words, strict=True):
        assert expected in text


def test_a_card_may_state_only_differences(tmp_path: Path) -> None:
    path = tmp_path / "card.yaml"
    path.write_text(
        "name: thicker\ndescription: 0.7 nm\nbased_on: pt_ruo2_0p5\n"
        "geometry:\n  t_oxide: {value: 0.7, unit: nm, provenance: measured, source: own}\n",
        encoding="utf-8",
    )
    card = load_card(path)
    assert card.geometry.t_oxide.value == pytest.approx(0.7e-9)
    assert card.geometry.t_hm == load_card().geometry.t_hm


def test_replacing_a_number_marks_it_assumed() -> None:
    card = load_card().with_value("switching.set_a.u0", 0.2)
    assert card.switching.set_a.u0.provenance is Provenance.ASSUMED
    with pytest.raises(ValueError, match="out of range"):
        load_card().with_value("geometry.t_hm", -1e-9)


def test_a_csv_replaces_a_law_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "laws.csv"
    path.write_text(
        "law,t_oxide_nm,value,unit,provenance,source\n"
        "rho,0,60,uohm*cm,measured,own\nrho,2.5,80,uohm*cm,measured,own\n",
        encoding="utf-8",
    )
    card = with_anchor_file(load_card(), path)
    assert [anchor.value for anchor in card.thickness.rho] == pytest.approx([60e-8, 80e-8])
    assert card.thickness.xi_gain == load_card().thickness.xi_gain


def test_a_wrong_csv_names_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "laws.csv"
    path.write_text(
        "law,t_oxide_nm,value,unit,provenance,source\n"
        "rho,0,60,kg,measured,own\nresistance,2.5,80,uohm*cm,measured,own\n"
        "rho,-1,60,uohm*cm,measured,own\nrho,0,60,uohm*cm,guessed,own\n",
        encoding="utf-8",
    )
    with pytest.raises(DocumentError) as caught:
        with_anchor_file(load_card(), path)
    assert [(m.place.line, m.key) for m in caught.value.mistakes if m.place] == [
        (2, "value"),
        (3, "law"),
        (4, "t_oxide_nm"),
        (5, "provenance"),
    ]


def test_the_thickness_of_the_control_sample_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    entry = "{value: 0.5, unit: nm, provenance: measured, source: mine}"
    path.write_text(f"name: mine\ndescription: mine\nbased_on: pt_ruo2_0p5\ncontrol: {{t_oxide: {entry}}}\n")
    with pytest.raises(
        DocumentError, match=r"mine\.yaml:4:11 control\.t_oxide: the thickness of the MgO has no"
    ):
        load_card(path)
