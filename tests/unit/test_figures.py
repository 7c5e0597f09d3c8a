"""Figures as SVG text."""

import re

import numpy as np

from hallspice.inference import figures
from hallspice.page.page import themed


def drawn() -> str:
    return figures.causes(["float", "levels"], np.array([0.98, 0.97]), 1000)


def test_the_same_data_give_the_same_bytes() -> None:
    assert drawn() == drawn()
    assert not re.search(r"\b20\d\d-\d\d-\d\d\b", drawn())


def test_two_figures_of_a_page_share_no_identifier() -> None:
    one, other = (
        set(re.findall(r' id="([^"]+)"', themed(drawn(), name, "words"))) for name in ("one", "other")
    )
    assert one
    assert not one & other


def test_every_plain_colour_follows_the_theme() -> None:
    colours = set(re.findall(r"#[0-9a-fA-F]{6}\b", themed(drawn(), "one", "words")))
    assert colours == set()
