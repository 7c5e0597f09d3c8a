"""What a user states once about the arrays of a whole model."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np

from nn_mapping.analog.input_slices import InputSlices
from nn_mapping.mapping import checked_tile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circuits.arrays.config import ArrayConfig
    from compact_model.numeric import Floats
    from nn_mapping.column_readout import Readout
    from nn_mapping.levels import LevelSet

_LINEAR = 1e-6  # of the window: conductances are linear in the levels


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerOptions:
    """What one layer has instead of what the chip has; None: as the chip."""

    tile: tuple[int, int] | None = None
    """Largest (rows, columns) of an array."""
    bits: int | None = None
    """Of inputs and outputs."""
    input_slice_bits: int | None = None
    """Bits of an input that one read carries; as many as inputs have, or more: one read carries all."""
    level_set: LevelSet | None = None
    """Weights that the synapses hold, their scheme and slices."""
    state_ohm: Floats | None = None
    """State [Ohm] of each level, with a `level_set`."""
    input_full: float | None = None
    """Size of an input that the DACs' full scale stands for; None: calibration finds it."""
    digital: bool = False
    """Whether the layer stays digital."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """Arrays, levels and converters that carry a model.

    Raises
    ------
    ValueError
        For a tile that is too small, states that don't belong to the levels, two-terminal cells without states, and
        slices of inputs that have no bits.

    Examples
    --------
    >>> from circuits.arrays.config import ArrayConfig
    >>> from nn_mapping.levels import PAPER_LEVELS_OHM, pair_levels
    >>> from nn_mapping.column_readout import Readout
    >>> chip = Chip(
    ...     config=ArrayConfig(architecture="active_parallel"), level_set=pair_levels(PAPER_LEVELS_OHM),
    ...     readout=Readout(v_full=0.5), layers={"head.*": LayerOptions(bits=8)},
    ... )
    >>> chip.of_layer("head.out").readout.adc_bits, chip.of_layer("body").readout.adc_bits
    (8, 6)
    """

    config: ArrayConfig
    """Electrical description of the arrays."""
    level_set: LevelSet
    """Weights that the synapses hold, in one or several slices (`nn_mapping.levels.sliced_levels`)."""
    readout: Readout
    """Voltages, converters, trim."""
    input_slice_bits: int | None = None
    """Bits of an input that one read carries, 1 for bit-serial inputs; None: all of them, as an amplitude. Every
    read is converted, shifted and added digitally."""
    tile: tuple[int, int] = (64, 64)
    """Largest (rows, columns) of an array, reference columns or pairs included."""
    state_ohm: Floats | None = None
    """State [Ohm] of each device level; None: the levels themselves, which are Hall resistances."""
    mismatch: float = 0.0
    """Relative standard deviation of channel halves and Hall arms."""
    r_off_spread: float = 0.0
    """Standard deviation of the misalignment resistance [Ohm]."""
    seed: int = 0
    """Of mismatch, converters and the vectors that columns are trimmed on."""
    input_full: float | None = None
    """Size of an input that the DACs' full scale stands for; None: calibration finds it, layer by layer."""
    layers: Mapping[str, LayerOptions] = field(default_factory=dict)
    """Options by pattern of module names (``*``, ``?``, ``[...]``); where several match, later ones win."""

    def __post_init__(self) -> None:
        checked_tile(self.tile, self.level_set)
        if self.input_full is not None and not 0 < self.input_full < np.inf:
            raise ValueError(f"input_full = {self.input_full}, allowed: 0 < value < inf")
        if self.input_slice_bits is not None:
            if not 1 <= self.input_slice_bits <= 24:
                raise ValueError(f"input_slice_bits = {self.input_slice_bits}, allowed: 1 to 24")
            if self.readout.dac_bits is None:
                raise ValueError(
                    f"input_slice_bits = {self.input_slice_bits} and dac_bits = None: continuous inputs have no bits"
                )
        if self.state_ohm is not None and np.shape(self.state_ohm) != self.level_set.levels_ohm.shape:
            raise ValueError(
                f"state_ohm has {np.size(self.state_ohm)} entries, the device {self.level_set.levels_ohm.size} levels"
            )
        if self.config.architecture.crossed:
            self._check_resistances()

    def _check_resistances(self) -> None:
        if self.mismatch or self.r_off_spread:
            raise ValueError("mismatch and r_off_spread are those of Hall cells; resistive cells have none")
        if self.state_ohm is None:
            raise ValueError(
                "architecture = resistive: state_ohm is missing, the resistance [Ohm] of a cell at each of the "
                f"{self.level_set.levels_ohm.size} levels (`resistive_states` makes them); for levels given as "
                "conductances g [S], `level_set(scheme, g)` and 1 / g, both ascending in g"
            )
        ohm, states = self.level_set.levels_ohm, np.asarray(self.state_ohm, dtype=np.float64)
        if not (np.isfinite(states) & (states > 0)).all():
            raise ValueError(f"state_ohm = {states.tolist()} Ohm, allowed: 0 < value < inf")
        share = (ohm - ohm[0]) / (ohm[-1] - ohm[0])
        conductance = 1 / states
        line = conductance[0] + share * (conductance[-1] - conductance[0])
        if conductance[-1] == conductance[0] or (
            np.abs(line - conductance).max() > _LINEAR * abs(conductance[-1] - conductance[0])
        ):
            raise ValueError(
                f"state_ohm = {states.tolist()} Ohm: their conductances are not linear in the levels; give the "
                "conductances g as levels, `level_set(scheme, g)`, and 1 / g as states"
            )

    @property
    def input_slices(self) -> InputSlices | None:
        """How inputs are split among reads; None: they are continuous."""
        bits = self.readout.dac_bits
        if bits is None:
            return None
        return InputSlices(bits=bits, each=min(bits, self.input_slice_bits or bits))

    @property
    def drivers(self) -> Readout:
        """The readout with DACs of as many bits as a read carries."""
        slices = self.input_slices
        return self.readout if slices is None else replace(self.readout, dac_bits=slices.each)

    @property
    def states(self) -> Floats:
        """State of each device level [Ohm], shape (device levels,)."""
        return self.level_set.levels_ohm if self.state_ohm is None else np.asarray(self.state_ohm, np.float64)

    def digital(self, name: str) -> bool:
        """Whether the options say that the module of that name stays digital."""
        return any(options.digital for options in self._options(name))

    def of_layer(self, name: str) -> Chip:
        """The chip as the module of that name has it, without options."""
        chip = replace(self, layers={})
        for options in self._options(name):
            changes: dict[str, object] = {}
            if options.tile is not None:
                changes["tile"] = options.tile
            if options.bits is not None:
                changes["readout"] = replace(chip.readout, dac_bits=options.bits, adc_bits=options.bits)
            if options.input_slice_bits is not None:
                changes["input_slice_bits"] = options.input_slice_bits
            if options.input_full is not None:
                changes["input_full"] = options.input_full
            if options.level_set is not None:
                changes |= {"level_set": options.level_set, "state_ohm": options.state_ohm}
            elif options.state_ohm is not None:
                changes["state_ohm"] = options.state_ohm
            try:
                chip = replace(chip, **changes)  # type: ignore[arg-type]
            except ValueError as error:
                raise ValueError(f"{name or 'model'}: {error}") from None
        return chip

    def patterns_without(self, names: list[str]) -> list[str]:
        """Patterns that match none of the names."""
        return [pattern for pattern in self.layers if not any(fnmatchcase(name, pattern) for name in names)]

    def _options(self, name: str) -> list[LayerOptions]:
        return [options for pattern, options in self.layers.items() if fnmatchcase(name, pattern)]
