"""The branch table: the only description of a circuit, read by the solvers and by the netlist writer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import ArrayLike

from compact_model.numeric import Floats, Ints, Mask

GROUND = -1


class BranchKind(IntEnum):
    """What a branch is; the unit of its value."""

    RESISTOR = 0  # ohm
    CAPACITOR = 1  # farad
    VOLTAGE = 2  # no value of its own: driven by the inputs; minus node is ground
    CURRENT = 3  # no value of its own: driven by the inputs; flows from plus through the source to minus
    VCCS = 4  # siemens; current value * (V_control_plus - V_control_minus) flows from plus to minus


class Role(StrEnum):
    """What a branch is part of: how its power is counted, which noise it has, what takes its place in a netlist."""

    CELL = "cell"
    """The device itself; in netlists its model can take the place of these branches."""
    SWITCH = "switch"
    """In series with a cell or across it, to select it."""
    WIRE = "wire"
    DRIVER = "driver"
    """Sources, their output resistance, and the returns to ground."""
    AMPLIFIER = "amplifier"
    """A real transconductor with noise; ideal amplifiers belong to `SENSE`."""
    SENSE = "sense"
    """What an output is read from; its input resistance comes from feedback and is quiet."""


@dataclass(frozen=True, slots=True)
class Block:
    """A grid of nodes, inputs or outputs that share a prefix: ``w0_0``, ``w0_1``, ..."""

    prefix: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of members."""
        return int(np.prod(self.shape))

    def names(self) -> Iterator[str]:
        """Names of the members, last index fastest."""
        return (self.prefix + "_".join(map(str, index)) for index in product(*map(range, self.shape)))


@dataclass(frozen=True, slots=True)
class BranchBlock(Block):
    """A grid of branches: one kind, one role, and a title that says what they are."""

    role: Role
    title: str


@dataclass(frozen=True, slots=True)
class Probe:
    """Pairs of nodes, one per cell; shape (rows, columns)."""

    plus: Ints
    minus: Ints


@dataclass(frozen=True)
class Network:
    """Branches between nodes, how the inputs drive the sources, and what is read. Node -1 is ground.

    Made by `circuits.builder.NetworkBuilder`. A voltage source is grounded; a source's value is the sum of
    ``drive_coefficient * input`` over its entries in the drive table. An output is
    ``output_scale * (V_plus - V_minus)``, e.g. a current in a sense resistor has scale ``1 / r_input``.
    """

    node_blocks: tuple[Block, ...]
    node_kept: Ints  # (nodes,) number inside the blocks; merged nodes carry the name of the first of them
    branch_blocks: tuple[BranchBlock, ...]
    branch_kept: Ints  # (branches,)
    kind: Ints
    plus: Ints
    minus: Ints
    control_plus: Ints
    control_minus: Ints
    value: Floats
    drive_source: Ints  # branch number
    drive_input: Ints
    drive_coefficient: Floats
    input_blocks: tuple[Block, ...]
    output_blocks: tuple[Block, ...]
    output_plus: Ints
    output_minus: Ints
    output_scale: Floats
    probes: Mapping[str, Probe] = field(default_factory=dict)

    @property
    def n_nodes(self) -> int:
        """Number of nodes without ground."""
        return len(self.node_kept)

    @property
    def n_inputs(self) -> int:
        """Number of inputs."""
        return sum(block.size for block in self.input_blocks)

    @property
    def n_outputs(self) -> int:
        """Number of outputs."""
        return len(self.output_plus)

    @property
    def common_mode(self) -> bool:
        """Whether currents drive rows in series, which lift the microvolts of their cells to volts."""
        return bool((self.kind == BranchKind.CURRENT).any())

    @cached_property
    def block_of(self) -> Ints:
        """Number of each branch's block, (branches,)."""
        ends = np.cumsum([block.size for block in self.branch_blocks])
        return np.searchsorted(ends, self.branch_kept, side="right")

    def of_role(self, role: Role) -> Mask:
        """Whether each branch has a role, (branches,)."""
        having = [number for number, block in enumerate(self.branch_blocks) if block.role is role]
        return np.isin(self.block_of, having)

    @cached_property
    def node_names(self) -> tuple[str, ...]:
        """Node names in node order."""
        return _names(self.node_blocks, self.node_kept)

    @property
    def places(self) -> Ints:
        """Row and column of each node in the array, (2, nodes); -1 for nodes of lines, which have one index."""
        every = [
            np.indices(block.shape).reshape(2, -1) if len(block.shape) == 2 else np.full((2, block.size), -1)
            for block in self.node_blocks
        ]
        return np.concatenate(every, axis=1)[:, self.node_kept]

    @cached_property
    def branch_names(self) -> tuple[str, ...]:
        """Branch names in branch order; the first letter is the SPICE element letter."""
        return _names(self.branch_blocks, self.branch_kept)

    @cached_property
    def input_names(self) -> tuple[str, ...]:
        """Input names in input order."""
        return _names(self.input_blocks, None)

    @cached_property
    def output_names(self) -> tuple[str, ...]:
        """Output names in output order."""
        return _names(self.output_blocks, None)

    def checked_inputs(self, inputs: ArrayLike) -> Floats:
        """Inputs as a (batch, n_inputs) array; ValueError when they don't fit or aren't finite."""
        batch = np.asarray(inputs, dtype=float)
        if batch.ndim != 2 or batch.shape[1] != self.n_inputs:
            raise ValueError(f"inputs have shape {batch.shape}, expected (batch, {self.n_inputs})")
        if not np.isfinite(batch).all():
            row, column = np.argwhere(~np.isfinite(batch))[0]
            value = f"{batch[row, column]} {'A' if self.common_mode else 'V'}"
            raise ValueError(f"inputs[{row}, {column}] = {value}, allowed: any finite number")
        return batch

    def source_values(self, inputs: Floats) -> Floats:
        """Values of the sources, 0 for the other branches.

        Parameters
        ----------
        inputs
            (batch, inputs), in the unit of the sources.

        Returns
        -------
        (batch, branches) [V] or [A].
        """
        values = np.zeros((len(inputs), len(self.kind)))
        np.add.at(values.T, self.drive_source, self.drive_coefficient[:, None] * inputs.T[self.drive_input])
        return values

    def read_out(self, node_voltages: Floats) -> Floats:
        """Outputs at given node voltages.

        Parameters
        ----------
        node_voltages
            (batch, nodes) [V], as in `NodalSolution.node_voltages`.

        Returns
        -------
        (batch, outputs), in the unit of the outputs.
        """
        with_ground = np.concatenate([node_voltages, np.zeros((len(node_voltages), 1))], axis=1)
        across: Floats = with_ground[:, self.output_plus] - with_ground[:, self.output_minus]
        return across * self.output_scale

    def probed(self, name: str, node_voltages: Floats) -> Floats:
        """Voltage across a probe of every cell.

        Parameters
        ----------
        name
            ``"channel"`` (the driven path of a cell) or, for Hall cells, ``"arms"``.
        node_voltages
            (batch, nodes) [V], as in `NodalSolution.node_voltages`.

        Returns
        -------
        (batch, rows, columns) [V].
        """
        probe = self.probes[name]
        with_ground = np.concatenate([node_voltages, np.zeros((len(node_voltages), 1))], axis=1)
        across: Floats = with_ground[:, probe.plus] - with_ground[:, probe.minus]
        return across


def _names(blocks: tuple[Block, ...], kept: Ints | None) -> tuple[str, ...]:
    every = [name for block in blocks for name in block.names()]
    return tuple(every) if kept is None else tuple([every[i] for i in kept.tolist()])
