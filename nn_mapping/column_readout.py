"""How an array is driven and read: voltages, converters, and the calibration of its columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from circuits.read.converter import ElementWeighting, draw_converter, draw_row_dacs

if TYPE_CHECKING:
    from circuits.read.converter import Converter, RowDacs
    from compact_model.numeric import Floats

_TRIM_VECTORS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Readout:
    """How an array is driven and read."""

    v_full: float
    """Row voltage of a full input [V]: read current times channel resistance for Hall cells; for architectures whose
    inputs are currents, that current [A]."""
    dac_bits: int | None = 6
    """Bits of an input; None for a continuous one."""
    adc_bits: int | None = 6
    """Bits of an output, sign included; None for an exact one."""
    quantile: float = 0.999
    """Share of the training activations that full scale covers; the rest is clipped."""
    adc_full: float | None = None
    """Full scale of the ADCs [A, or V where a column's voltage is read]; None: by the quantile."""
    trim: bool = True
    """Whether gain and offset of every column are calibrated."""
    dac_mismatch: float = 0.0
    """Relative standard deviation of a unit element of a DAC."""
    dac_ladder: ElementWeighting = ElementWeighting.BINARY
    """What the levels of a DAC are made of."""
    adc_mismatch: float = 0.0
    """Relative standard deviation of a unit element of an ADC."""
    adc_ladder: ElementWeighting = ElementWeighting.BINARY
    """What the levels of an ADC are made of."""
    adc_outputs: int = 8
    """Outputs of a tile that share an ADC."""

    def __post_init__(self) -> None:
        if not 0 < self.v_full < np.inf:
            raise ValueError(f"v_full = {self.v_full} V is outside (0, inf)")
        for name in ("dac_bits", "adc_bits"):
            bits = getattr(self, name)
            if bits is not None and not 1 <= bits <= 24:
                raise ValueError(f"{name} = {bits} is outside 1..24")
        if self.adc_full is not None and not 0 < self.adc_full < np.inf:
            raise ValueError(f"adc_full = {self.adc_full} is outside (0, inf)")
        if not 0.5 < self.quantile <= 1:
            raise ValueError(f"quantile = {self.quantile} is outside (0.5, 1]")


def trim_moments(rows: int, seed: int, tile: int) -> tuple[Floats, Floats]:
    """Mean (rows,) and covariance (rows, rows) of the inputs in 0..1 that the columns of a tile are trimmed on.

    They are random vectors of densities from 5 to 100 %; by the seed and the tile's number in the model each tile has
    vectors of its own. `circuits.read.calibration.calibrate_transfer` makes gains and offsets of them, which bring the
    outputs of a tile over these vectors nearest to those of an ideal array.
    """
    vectors = random_vectors(rows, np.random.default_rng([seed, tile]))
    mean = vectors.mean(axis=0)
    deviation = vectors - mean
    return mean, deviation.T @ deviation / len(vectors)


def random_vectors(rows: int, random: np.random.Generator) -> Floats:
    """Return inputs (vectors, rows) in 0..1; each vector has its own share of rows that are on at all."""
    density = random.uniform(0.05, 1, (_TRIM_VECTORS, 1))
    return random.uniform(0, 1, (_TRIM_VECTORS, rows)) * (
        random.uniform(0, 1, (_TRIM_VECTORS, rows)) < density
    )


def output_converters(outputs: int, readout: Readout, seed: int, tile: int) -> tuple[Converter, ...]:
    """The ADC of each output of a tile, drawn with its mismatch; none: they are ideal."""
    if readout.adc_bits is None or readout.adc_mismatch == 0.0:
        return ()
    random = np.random.default_rng([seed, tile, 1])
    drawn = [
        draw_converter(readout.adc_bits, readout.adc_mismatch, random, readout.adc_ladder)
        for _ in range(-(-outputs // readout.adc_outputs))
    ]
    return tuple(drawn[output // readout.adc_outputs] for output in range(outputs))


def row_dacs(rows: int, readout: Readout, seed: int, tile: int) -> RowDacs | None:
    """The DACs of the rows of a tile, drawn with their mismatch; None: they are ideal."""
    if readout.dac_bits is None or readout.dac_mismatch == 0.0:
        return None
    random = np.random.default_rng([seed, tile, 2])
    return draw_row_dacs(rows, readout.dac_bits, readout.dac_mismatch, random, readout.dac_ladder)
