"""A configuration on drawn devices, and the interval of what they give, against numbers worked out by hand."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from compact_model import synapse
from compact_model.cards.device import DeviceCard, load_card
from compact_model.switching import switched_fraction
from hallspice.config.load import load_setup
from hallspice.config.setup import Setup
from hallspice.inference.uncertainty import interval95, on_drawn_card

WINDOW = "switching.set_a.delta_r"


def configured(folder: Path, card: DeviceCard) -> Setup:
    """The default array of devices of `card`."""
    path = folder / "run.yaml"
    path.write_text("seed: 1\n")
    return dataclasses.replace(load_setup(path), card=card)


def test_the_interval_holds_95_of_100() -> None:
    # 401 equal steps of 1/400: 2.5 % are 10 of them
    low, high = interval95(np.random.default_rng(0).permutation(np.arange(401.0)).tolist())
    assert (low, high) == pytest.approx((10.0, 390.0), rel=1e-12)


def test_misalignment_channel_and_levels_are_those_of_the_drawn_card(tmp_path: Path) -> None:
    setup = configured(tmp_path, load_card())
    drawn = (
        load_card()
        .with_value("hall.r_reset", 0.30)
        .with_value(WINDOW, 0.32)
        .with_value("geometry.l_channel", 36e-6)
    )
    moved = on_drawn_card(setup, drawn)
    # r_reset + window / 2; before: 0.33 + 0.2732 / 2 = 0.4666
    assert moved.array.r_off == pytest.approx(0.46, rel=1e-12)
    assert setup.array.r_off == pytest.approx(0.4666, rel=1e-12)
    # 36 um over 5 um of a stack that has 6 squares of 500 ohm nominally
    assert moved.array.r_channel == pytest.approx(setup.array.r_channel * 36 / 30, rel=1e-12)
    # The law is the same: level k moves by its share of the window times 0.32 - 0.2732, and by 0.30 - 0.33.
    share = switched_fraction(load_card(), synapse.ladder_currents(load_card()))
    expected = setup.levels_ohm - 0.03 + 0.0468 * np.array([0.0, *share])
    np.testing.assert_allclose(moved.levels_ohm, expected, rtol=1e-12)
    assert moved.card is drawn


def test_levels_are_reached_under_the_field_of_writing(tmp_path: Path) -> None:
    """A field acts as so much more current: drive = I H / sqrt(H^2 + h_dmi^2)."""
    oersted = 1e3 / (4.0 * np.pi)
    fitted = load_card().with_value("synapse.h_x", 5.0 * oersted)
    drawn = fitted.with_value(WINDOW, 0.32)
    moved = on_drawn_card(configured(tmp_path, fitted), drawn)
    # h_int = 75 Oe, h_dmi = 300 Oe: with 5 Oe more, 80/sqrt(80^2 + 300^2) over 75/sqrt(75^2 + 300^2) = 1.06237
    more = 1.06237
    share = switched_fraction(load_card(), more * synapse.ladder_currents(load_card()))
    found = moved.levels_ohm - configured(tmp_path, fitted).levels_ohm
    np.testing.assert_allclose(found, 0.0468 * np.array([0.0, *share]), rtol=1e-4)  # 1.06237 has six digits
