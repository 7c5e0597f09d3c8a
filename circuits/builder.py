"""Networks from whole arrays of nodes and branches."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from circuits.network import GROUND, Block, BranchBlock, BranchKind, Network, Probe, Role
from compact_model.numeric import Floats, Ints


class NetworkBuilder:
    """Collects nodes and branches as whole arrays, then makes a `Network` of them.

    Examples
    --------
    A voltage divider read in its middle:

    >>> build = NetworkBuilder()
    >>> top, middle = build.nodes("top", 1), build.nodes("mid", 1)
    >>> build.voltage_sources("Vin", build.inputs("v", 1), top, 1.0, title="input")
    >>> build.resistors("Ra", top, middle, 1e3, Role.DRIVER, title="upper half")
    >>> build.resistors("Rb", middle, GROUND, 1e3, Role.SENSE, title="lower half")
    >>> build.outputs("i", middle, GROUND, 1e-3)
    >>> network = build.network()
    >>> network.node_names, network.branch_names
    (('top0', 'mid0'), ('Vin0', 'Ra0', 'Rb0'))
    """

    def __init__(self) -> None:
        self._node_blocks: list[Block] = []
        self._branch_blocks: list[BranchBlock] = []
        self._input_blocks: list[Block] = []
        self._output_blocks: list[Block] = []
        self._branches: list[tuple[Ints, Floats]] = []
        self._drives: list[tuple[Ints, Ints, Floats]] = []
        self._outputs: list[tuple[Ints, Ints, Floats]] = []
        self._probes: dict[str, Probe] = {}

    def nodes(self, prefix: str, *shape: int) -> Ints:
        """New nodes ``prefix<i>_<j>``; their numbers, in an array of that shape."""
        return _new(self._node_blocks, Block(prefix, shape))

    def inputs(self, prefix: str, *shape: int) -> Ints:
        """New inputs; their numbers."""
        return _new(self._input_blocks, Block(prefix, shape))

    def resistors(
        self, prefix: str, plus: ArrayLike, minus: ArrayLike, ohm: ArrayLike, role: Role, *, title: str
    ) -> None:
        """Resistors [Ohm]; zero merges the two nodes."""
        values = np.asarray(ohm, dtype=float)
        wrong = ~(np.isfinite(values) & (values >= 0))
        if wrong.any():
            raise ValueError(f"{title} = {values[wrong][0]} Ohm, allowed: 0 <= value < inf")
        self._add(BranchKind.RESISTOR, prefix, (plus, minus, GROUND, GROUND), values, role, title)

    def capacitors(
        self, prefix: str, plus: ArrayLike, minus: ArrayLike, farad: ArrayLike, role: Role, *, title: str
    ) -> None:
        """Capacitors [F]; open in the static solution."""
        values = np.asarray(farad, dtype=float)
        wrong = ~(np.isfinite(values) & (values >= 0))
        if wrong.any():
            raise ValueError(f"{title} = {values[wrong][0]} F, allowed: 0 <= value < inf")
        self._add(BranchKind.CAPACITOR, prefix, (plus, minus, GROUND, GROUND), values, role, title)

    def vccs(
        self,
        prefix: str,
        ports: tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike],
        siemens: ArrayLike,
        role: Role,
        *,
        title: str,
    ) -> None:
        """Voltage-controlled current sources [S]; `ports` are plus, minus, control plus, control minus."""
        values = np.asarray(siemens, dtype=float)
        if not np.isfinite(values).all():
            raise ValueError(f"{title} = {values[~np.isfinite(values)][0]} S, allowed: any finite number")
        self._add(BranchKind.VCCS, prefix, ports, values, role, title)

    def voltage_sources(
        self, prefix: str, inputs: ArrayLike, plus: ArrayLike, coefficient: ArrayLike, *, title: str
    ) -> None:
        """Grounded voltage sources of ``coefficient * input`` [V]."""
        self._source(BranchKind.VOLTAGE, prefix, inputs, (plus, GROUND), coefficient, title)

    def current_sources(
        self,
        prefix: str,
        inputs: ArrayLike,
        plus: ArrayLike,
        minus: ArrayLike,
        coefficient: ArrayLike,
        *,
        title: str,
    ) -> None:
        """Current sources of ``coefficient * input`` [A], from plus through the source to minus."""
        self._source(BranchKind.CURRENT, prefix, inputs, (plus, minus), coefficient, title)

    def outputs(self, prefix: str, plus: ArrayLike, minus: ArrayLike, scale: ArrayLike) -> None:
        """Outputs ``scale * (V_plus - V_minus)``."""
        a, b, c = np.broadcast_arrays(plus, minus, scale)
        self._output_blocks.append(Block(prefix, a.shape))
        self._outputs.append((_ints(a), _ints(b), _floats(c)))

    def probe(self, name: str, plus: Ints, minus: ArrayLike) -> None:
        """Remember a pair of nodes of every cell under `name`."""
        self._probes[name] = Probe(plus, np.broadcast_to(np.asarray(minus, dtype=np.int64), plus.shape))

    def network(self) -> Network:
        """The finished table, with the nodes that zero-ohm resistors join made one."""
        n_nodes = sum(block.size for block in self._node_blocks)
        table = np.concatenate([columns for columns, _ in self._branches], axis=1)
        kind, ends = table[0], table[1:]
        value = np.concatenate([values for _, values in self._branches])
        short = (kind == BranchKind.RESISTOR) & (value == 0)
        number, kept_nodes = _merge(ends[0, short], ends[1, short], n_nodes)
        ends = number[ends]  # index -1 is the last entry, which is ground
        kept = np.flatnonzero(~short)
        row_of = np.full(len(kind), -1)
        row_of[kept] = np.arange(len(kept))
        source, of_input, coefficient = (np.concatenate(part) for part in zip(*self._drives, strict=True))
        out_plus, out_minus, scale = (np.concatenate(part) for part in zip(*self._outputs, strict=True))
        network = Network(
            node_blocks=tuple(self._node_blocks),
            node_kept=kept_nodes,
            branch_blocks=tuple(self._branch_blocks),
            branch_kept=kept,
            kind=kind[kept],
            plus=ends[0, kept],
            minus=ends[1, kept],
            control_plus=ends[2, kept],
            control_minus=ends[3, kept],
            value=value[kept],
            drive_source=row_of[source],
            drive_input=of_input,
            drive_coefficient=coefficient,
            input_blocks=tuple(self._input_blocks),
            output_blocks=tuple(self._output_blocks),
            output_plus=number[out_plus],
            output_minus=number[out_minus],
            output_scale=scale,
            probes={name: Probe(number[p.plus], number[p.minus]) for name, p in self._probes.items()},
        )
        _check_voltage_sources(network)
        return network

    def _source(
        self,
        kind: BranchKind,
        prefix: str,
        inputs: ArrayLike,
        ends: tuple[ArrayLike, ArrayLike],
        coefficient: ArrayLike,
        title: str,
    ) -> None:
        of_input, plus, minus, factor = np.broadcast_arrays(inputs, *ends, coefficient)
        first = sum(len(values) for _, values in self._branches)
        self._add(kind, prefix, (plus, minus, GROUND, GROUND), np.zeros(plus.shape), Role.DRIVER, title)
        branch = np.arange(first, first + plus.size)
        self._drives.append((branch, _ints(of_input), _floats(factor)))

    def _add(
        self,
        kind: BranchKind,
        prefix: str,
        ports: tuple[ArrayLike, ...],
        values: Floats,
        role: Role,
        title: str,
    ) -> None:
        *ends, spread = np.broadcast_arrays(*ports, values)
        same = np.full(spread.size, 1)
        columns = np.stack([kind * same, *map(_ints, ends)])
        self._branch_blocks.append(BranchBlock(prefix, spread.shape, role, title))
        self._branches.append((columns, _floats(spread)))


def _new(blocks: list[Block], block: Block) -> Ints:
    first = sum(other.size for other in blocks)
    blocks.append(block)
    return np.arange(first, first + block.size).reshape(block.shape)


def _ints(values: NDArray[np.generic]) -> Ints:
    return values.astype(np.int64).ravel()


def _floats(values: NDArray[np.generic]) -> Floats:
    return values.astype(np.float64).ravel()


def _merge(plus: Ints, minus: Ints, n_nodes: int) -> tuple[Ints, Ints]:
    """New number of each node (last entry: ground, -1), and which old node each new number is named after."""
    if len(plus) == 0:
        return np.append(np.arange(n_nodes), GROUND), np.arange(n_nodes)
    ends = np.where(plus == GROUND, n_nodes, plus), np.where(minus == GROUND, n_nodes, minus)
    graph = coo_array((np.ones(len(plus)), ends), shape=(n_nodes + 1, n_nodes + 1))
    _, label = connected_components(graph)
    _, first, label_of = np.unique(label, return_index=True, return_inverse=True)
    old = first != first[label_of[-1]]  # every set of nodes but ground's
    old[label_of[-1]] = False
    order = np.argsort(first[old], kind="stable")
    kept = first[old][order]
    number = np.full(len(first), GROUND)
    number[np.flatnonzero(old)[order]] = np.arange(len(kept))
    return number[label_of], kept


def _check_voltage_sources(network: Network) -> None:
    driven = network.plus[network.kind == BranchKind.VOLTAGE]
    if (driven == GROUND).any():
        raise ValueError(
            "a voltage source is shorted to ground by wires of 0 Ohm; give one of them a resistance"
        )
    if len(np.unique(driven)) != len(driven):
        raise ValueError("wires of 0 Ohm join two voltage sources; give one of them a resistance")
