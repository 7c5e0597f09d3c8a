"""A configuration made concrete: cards loaded, defaults filled in, keys checked against each other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from circuits.arrays.architecture import Architecture
from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar
from circuits.arrays.mismatch import Mismatch, draw_mismatch
from circuits.periphery import PeripheryCard
from circuits.read.settling import settling_estimate
from circuits.solve.nodal import factor
from compact_model import stack, synapse
from compact_model.cards.device import DeviceCard
from compact_model.numeric import Floats
from hallspice.config.schema import Config
from nn_mapping.data import SOURCES


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Everything a command needs, as numbers in SI units."""

    source: Path
    """File of the configuration, or the name of one that is no file; cards are looked for beside it."""
    config: Config
    card: DeviceCard
    periphery: PeripheryCard
    """Cards with what the configuration sets in place of their entries."""
    levels_ohm: Floats
    array: ArrayConfig
    v_full: float
    """Input of a full-scale value: V across a row, or A along it (`Architecture.input_unit`)."""
    t_read: float
    """Length of a read, s."""
    warnings: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where files that the configuration names are looked for."""
        return self.source.parent

    @property
    def own_data(self) -> Path | None:
        """File or folder of the data set; None where it is known by name."""
        name = self.config.network.dataset
        return None if name in SOURCES else self.folder / name

    @property
    def own_module(self) -> tuple[Path, str] | None:
        """Python file and the function in it that makes the network; None where none is named."""
        file, _, name = (self.config.network.module or "").rpartition(":")
        return (self.folder / file, name) if file and name else None

    @property
    def own_weights(self) -> Path:
        """File of the weights of `own_module`."""
        return self.folder / (self.config.network.weights or "")

    @property
    def i_full(self) -> float:
        """Channel current of a full input of a Hall cell, A."""
        return (
            self.v_full / self.array.r_channel if self.array.architecture.input_unit == "V" else self.v_full
        )

    @property
    def v_cell(self) -> float:
        """Voltage across a cell with a full input and no losses, V."""
        return self.v_full * (1.0 if self.array.architecture.input_unit == "V" else self.array.r_channel)

    @property
    def v_row(self) -> float:
        """Voltage that a row of the configured width needs for a full input, V."""
        in_series = self.array.architecture.input_unit == "A"
        return self.v_cell * (self.config.array.columns if in_series else 1)

    @property
    def v_supply(self) -> float:
        """Supply of the row drivers, V."""
        return self.periphery.driver.v_supply.value

    def with_capacitances(self, config: ArrayConfig | None = None) -> ArrayConfig:
        """An array (None: the configured one) with the capacitances of its wires and arms.

        An arm has that of the column wire unless given.
        """
        wire, c_arm = self.periphery.wire, self.config.array.cell.c_arm
        return replace(
            self.array if config is None else config,
            c_row=wire.c_row.value,
            c_column=wire.c_column.value,
            c_arm=wire.c_column.value if c_arm is None else c_arm,
        )

    def settling(self, states: Floats, mismatch: Mismatch | None = None) -> float:
        """Time until the outputs of the array are within a thousandth, inputs full, by Elmore's delays [s].

        Parameters
        ----------
        states
            (rows, columns) [Ohm].
        mismatch
            Deviations of its cells.
        """
        loaded = self.with_capacitances()
        if not (loaded.c_row or loaded.c_column or loaded.c_arm):
            return 0.0
        # estimates are relative to the outputs, so that the size of the inputs doesn't matter
        factored = factor(crossbar(states, loaded, mismatch))
        return float(settling_estimate(factored, np.ones((1, len(states))))[0])

    def mismatch(self, shape: tuple[int, ...], number: int = 0) -> Mismatch | None:
        """Seeded deviations of the Hall cells of array `number`; None when the configuration asks for none."""
        cell = self.config.array.cell
        if cell.mismatch == 0.0 and cell.r_off_spread == 0.0:
            return None
        generator = np.random.default_rng([self.config.seed, number])
        return draw_mismatch((shape[0], shape[1]), generator, relative=cell.mismatch, r_off=cell.r_off_spread)


def array_of(architecture: Architecture, card: DeviceCard, periphery: PeripheryCard) -> ArrayConfig:
    """An array of a card's device with a periphery, without capacitances."""
    return ArrayConfig(
        architecture=architecture,
        r_row=periphery.wire.r_row.value,
        r_column=periphery.wire.r_column.value,
        r_output=periphery.driver.r_output.value,
        r_input=periphery.sense.r_input.value,
        r_channel=float(stack.channel_resistance(card)),
        r_arm=float(stack.arm_resistance(card)),
        r_off=synapse.offset_resistance(card),
        gm=periphery.amplifier.gm.value,
        cmrr_db=periphery.amplifier.cmrr_db.value,
        r_switch_on=periphery.switch.r_on.value,
        r_switch_off=periphery.switch.r_off.value,
    )
