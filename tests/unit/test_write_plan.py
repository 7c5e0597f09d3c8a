"""What a configuration says about programming, as numbers."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from circuits.write.writing import Writing
from compact_model.hallbar import hall_bar
from hallspice.config.load import load_setup
from hallspice.programming.plan import writing

near = partial(pytest.approx, rel=1e-6, abs=0.0)  # the default tolerance of 1e-12 is more than these numbers


def plan(folder: Path, text: str) -> Writing:
    path = folder / "write.yaml"
    path.write_text(text)
    setup = load_setup(path, network=False)
    return writing(setup, hall_bar(setup.card))


@pytest.mark.parametrize(
    ("text", "density", "t_verify"),
    [
        # arms of 2 x 250 ohm, 4 k T R = 8.283894e-18 V^2/Hz; amplifier of 1 mS, 2.209039e-17 V^2/Hz
        ("array: {architecture: resistive}", 8.283894e-18 + 2.209039e-17, 100e-6),
        ("array: {cell: {r_arm: 2500}}", 8.283894e-17 + 2.209039e-17, 100e-6),
        ("array: {amplifier: {gm: 4 mS}}\nwrite: {t_verify: 30 us}", 8.283894e-18 + 5.522597e-18, 30e-6),
    ],
)
def test_noise_of_a_verify_read(tmp_path: Path, text: str, density: float, t_verify: float) -> None:
    """Arms and amplifier of the array, in the bandwidth 1 / (2 t_verify), over 1 mA."""
    found = plan(tmp_path, text).recipe.read_noise
    assert found == near(np.sqrt(density / (2 * t_verify)) / 1e-3, rel=1e-6)
