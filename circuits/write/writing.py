"""Everything about programming an array, as numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from circuits.write.plant import ModelPlant
from circuits.write.scheme import WriteConfig
from circuits.write.write_verify import (
    Curve,
    PulseLadder,
    WriteOutcome,
    WriteRecipe,
    program,
)
from compact_model.hallbar import HallBar
from compact_model.numeric import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """Everything about programming, as numbers in SI units."""

    config: WriteConfig
    recipe: WriteRecipe
    curve: Curve
    ladder: PulseLadder
    device: HallBar
    t_pulse: float
    i_read: float

    def outcome(self, target: Floats, plant: ModelPlant, seed: int) -> WriteOutcome:
        """Program one array in the compact model."""
        generator = np.random.default_rng([seed, 1])
        return program(
            plant, target, self.recipe, self.curve, self.ladder, self.config.v_compliance, generator
        )
