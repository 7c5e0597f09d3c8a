"""Netlists: a `Network` as text that simulators read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from circuits.network import GROUND, BranchKind, Network, Role
from circuits.spice.devices import Devices
from circuits.spice.words import WORDS, Words
from compact_model.numeric import Floats, Ints, Mask
from veriloga.dialects import ArrayDialect, caveat
from veriloga.programs import ONE_THREAD

_NGSPICE = WORDS[ArrayDialect.NGSPICE]
_PER_LINE = 8
_RELTOL = "1e-6"


def netlist(network: Network, inputs: ArrayLike, title: str, options: Sequence[str] = ()) -> str:
    """A deck for one input vector: ``ngspice -b FILE`` runs it as it is and prints the named outputs.

    Parameters
    ----------
    network
        What to write.
    inputs
        (inputs,), in the unit of the sources.
    title
        First line of the deck.
    options
        Words for an ``.options`` line (`circuits.spice.engine.deck_options`).

    Examples
    --------
    >>> from circuits.arrays.config import ArrayConfig
    >>> from circuits.arrays.crossbar import crossbar
    >>> config = ArrayConfig(architecture="resistive", r_row=0, r_column=0, r_output=0)
    >>> print(netlist(crossbar([[1e4]], config), [0.2], "one cell"))  # doctest: +ELLIPSIS
    * one cell
    ...
    * word-line sources [V]
    Vin0 s0 0 0.2
    ...
    """
    lines = [
        *_header(network, title),
        *_elements(network, _constant(network, inputs), capacitors=True),
        "",
        *_options(options),
        "* outputs",
        *_control(network, "set numdgt=15"),
    ]
    return "\n".join([*lines, ""])


def device_deck(
    network: Network, inputs: ArrayLike, s0: Floats, devices: Devices, title: str, options: Sequence[str] = ()
) -> str:
    """A deck for one input vector with a device in place of each cell, in the language of the devices.

    Parameters
    ----------
    network
        An array of Hall cells; its `Role.CELL` branches are left out.
    inputs
        (inputs,), in the unit of the sources.
    s0
        Switched fraction of each cell, (rows, columns).
    devices
        What a device is.
    title
        First line.
    options
        Further words for the line of options, e.g. ``klu``.
    """
    words = devices.words
    others = blocks(network, _constant(network, inputs), words, left_out=network.of_role(Role.CELL))
    lines = [
        *words.header(title, caveat(devices.dialect)),
        *devices.load(),
        *devices.definition(),
        devices.options(_RELTOL, *options),
        f"{words.remark} devices: ip in hp hn",
        *(
            devices.element(str(k), nodes, {"s0": state})
            for k, (nodes, state) in enumerate(zip(_cells(network), s0.ravel().tolist(), strict=True))
        ),
        f"{words.remark} wires, drivers, amplifiers, senses",
        *(line for _, branches in others for line in branches),
        *_read(network, devices.dialect),
    ]
    return "\n".join([*lines, ""])


HOLD = 0.75
"""Share of each second of a batch deck for which its input vector is held."""


def batch_deck(
    network: Network, inputs: Floats, options: Sequence[str] = (), *, every_node: bool = False
) -> str:
    """A deck that solves a whole batch of inputs in one run, so that the equations are ordered once.

    Input vector k is held from k to k + `HOLD` seconds of a transient without capacitors. (A ``.dc`` sweep over
    behavioural sources would do with fewer points, but with KLU, version 46 gives currents that are wrong by up
    to 2e-7 in the last column of a resistive array.)

    Parameters
    ----------
    network
        What to write; capacitors are left out, nothing is stored in a steady state.
    inputs
        (batch, inputs), in the unit of the sources.
    options
        Words for an ``.options`` line, e.g. ``klu``.
    every_node
        Save all nodes instead of those that the outputs need.
    """
    saved = [] if every_node else [f"v({name})" for name in _output_nodes(network)]  # none named: all
    held = network.source_values(inputs)
    sources = {k: _held(held[:, k].tolist()) for k in _sources(network).tolist()}
    lines = [
        *_header(network, f"{len(inputs)} input vectors, each held for {HOLD} s of a second of its own"),
        *_elements(network, sources, capacitors=False),
        "",
        f".tran 1 {len(inputs) - 1 + HOLD:.15g} 0 1",
        *saving(saved),
        *_options(options),
        ".end",
        "",
    ]
    return "\n".join(lines)


STEPS = 2000
"""Least number of time steps of a transient with capacitors."""


def step_deck(
    network: Network,
    inputs: Floats,
    t_rise: float,
    t_stop: float,
    saved: Sequence[str],
    options: Sequence[str] = (),
) -> str:
    """A deck in which all inputs rise together from zero, with the capacitors.

    Parameters
    ----------
    network
        What to write.
    inputs
        (inputs,), in the unit of the sources: their values after the rise.
    t_rise, t_stop
        Length of the rise, and of the transient [s].
    saved
        Vectors to save, as ``.save`` names them.
    options
        Further words for the ``.options`` line, e.g. ``klu``.
    """
    final = network.source_values(inputs[None])[0]
    sources = {
        k: f"pwl(0 0 {t_rise:.15g} {final[k]:.15g} {t_stop:.15g} {final[k]:.15g})"
        for k in _sources(network).tolist()
    }
    step = t_stop / STEPS
    lines = [
        *_header(network, f"step of all inputs within {t_rise:g} s"),
        *_elements(network, sources, capacitors=True),
        "",
        f".tran {step:.15g} {t_stop:.15g} 0 {step:.15g}",
        *saving(saved),
        f".options {' '.join([f'reltol={_RELTOL}', *options])}",
        ".end",
        "",
    ]
    return "\n".join(lines)


def _output_nodes(network: Network) -> list[str]:
    """Names of the nodes that the outputs need."""
    needed = np.unique(np.concatenate([network.output_plus, network.output_minus]))
    return [network.node_names[k] for k in needed.tolist() if k != GROUND]


def _options(words: Sequence[str]) -> Iterator[str]:
    if "klu" in words:
        yield "* klu: the quicker solver for large arrays. An ngspice that was built without it lacks the option:"
        yield "* take the word out."
    if words:
        yield f".options {' '.join(words)}"


def _header(network: Network, title: str) -> Iterator[str]:
    units = "Units: ohm, farad, siemens, volt, ampere. Numbers carry no SPICE suffixes. Node 0 is ground."
    counts = f"{network.n_nodes} nodes, {len(network.kind)} branches"
    return _NGSPICE.header(title, units, f"{counts}, {network.n_inputs} inputs, {network.n_outputs} outputs.")


def _elements(network: Network, sources: Mapping[int, str], *, capacitors: bool) -> Iterator[str]:
    """All branches for ngspice, with a remark before each block.

    In rows in series (`Network.common_mode`), the currents of wires are unknowns of their own: a voltage ``r i``
    controlled by the current i in a source of 0 V. As a resistor, a wire would put 100 S beside the 1e-3 S of a
    cell into one equation, and their rounding leaks 1e-14 A per volt of common mode: 1e-6 of the signal of
    `row_multiplexed` at 16 x 16, where it is 1e-11 with the currents.
    """
    metered = None
    if network.common_mode:
        yield "* A wire is V (0 volt, to measure its current) and H (resistance times that current)."
        metered = network.of_role(Role.WIRE) & (network.kind == BranchKind.RESISTOR)
    left_out = None if capacitors else network.kind == BranchKind.CAPACITOR
    for title, lines in blocks(network, sources, _NGSPICE, left_out=left_out, metered=metered):
        yield from ("", f"* {title}", *lines)


def blocks(
    network: Network,
    sources: Mapping[int, str],
    words: Words,
    *,
    left_out: Mask | None = None,
    metered: Mask | None = None,
) -> Iterator[tuple[str, list[str]]]:
    """Title and lines of each block of branches.

    Parameters
    ----------
    network
        What to write.
    sources
        Right-hand side of each source, by its number among the branches.
    words
        Language.
    left_out
        Branches that are not written, (branches,); None: all are.
    metered
        Resistors that ngspice gets as V and H, (branches,); None: none.
    """
    ends = (network.plus, network.minus, network.control_plus, network.control_minus)
    nodes = list(zip(*(_named(network, end) for end in ends), strict=True))
    values, names = network.value.tolist(), network.branch_names
    written = np.arange(len(values)) if left_out is None else np.flatnonzero(~left_out)
    for number, block in enumerate(network.branch_blocks):
        lines = []
        for k in written[network.block_of[written] == number].tolist():
            kind = BranchKind(int(network.kind[k]))
            used = nodes[k] if kind is BranchKind.VCCS else nodes[k][:2]
            value = sources[k] if k in sources else f"{values[k]:.15g}"
            if metered is not None and metered[k]:
                plus, minus = used
                lines += [
                    f"V{names[k]} {plus} i_{names[k]} 0",
                    f"H{names[k]} i_{names[k]} {minus} V{names[k]} {value}",
                ]
            else:
                lines.append(words.element(names[k], kind, used, value))
        if lines:
            yield block.title, lines


def saving(vectors: Iterable[str], per_line: int = _PER_LINE) -> Iterator[str]:
    """Lines that have ngspice keep these vectors; none named: it keeps all."""
    return (f".save {' '.join(group)}" for group in _rows(vectors, per_line))


def _constant(network: Network, inputs: ArrayLike) -> dict[int, str]:
    """Right-hand sides of sources that do not move."""
    batch = network.checked_inputs(np.asarray(inputs, dtype=float)[None])
    values = network.source_values(batch)[0]
    return {k: f"{values[k]:.15g}" for k in _sources(network).tolist()}


def _cells(network: Network) -> Iterator[tuple[str, str, str, str]]:
    """Nodes ip, in, hp, hn of every cell, row by row."""
    channel, arms = network.probes["channel"], network.probes["arms"]
    ends = (channel.plus, channel.minus, arms.plus, arms.minus)
    return zip(*(_named(network, end.ravel()) for end in ends), strict=True)


def _named(network: Network, nodes: Ints) -> list[str]:
    names = (*network.node_names, "0")  # ground, -1, is the last
    return [names[k] for k in nodes.tolist()]


def _sources(network: Network) -> Ints:
    return np.flatnonzero(np.isin(network.kind, (BranchKind.VOLTAGE, BranchKind.CURRENT)))


def _held(values: list[float]) -> str:
    """``pwl(0 x0 0.75 x0 1 x1 ...)``, continued over lines."""
    points = [f"{k} {value:.15g} {k + HOLD} {value:.15g}" for k, value in enumerate(values)]
    return "pwl(" + "\n+ ".join(" ".join(group) for group in _rows(points)) + ")"


def _read(network: Network, dialect: ArrayDialect) -> Iterator[str]:
    """The analysis of a read and its outputs, to the end of the file."""
    if dialect is ArrayDialect.NGSPICE:
        yield from _control(network, ONE_THREAD, "set numdgt=15", gap="")
    elif dialect is ArrayDialect.XYCE:
        outputs = (f"{{v({a},{b})*{scale:.15g}}}" for _, a, b, scale in _outputs(network))
        yield from (".op", f".print dc {' '.join(outputs)}", ".end")
    else:
        kept = dict.fromkeys(_named(network, np.concatenate([network.output_plus, network.output_minus])))
        yield from (f"save {' '.join(name for name in kept if name != '0')}", "read dc")


def _control(network: Network, *settings: str, gap: str = " ") -> Iterator[str]:
    """Commands to ngspice: an operating point and its outputs; `gap` stands between the terms of an expression."""
    yield from (".control", *settings, "op")
    for name, a, b, scale in _outputs(network):
        difference = (
            f"{gap}-{gap}".join(f"v({node})" for node in (a, b) if node != "0") if a != "0" else f"-v({b})"
        )
        yield f"let {name} = ({difference}){gap}*{gap}{scale:.15g}"
        yield f"print {name}"
    yield from ("quit 0", ".endc", ".end")


def _outputs(network: Network) -> Iterator[tuple[str, str, str, float]]:
    """Name, nodes and scale of each output."""
    ends = (_named(network, end) for end in (network.output_plus, network.output_minus))
    return zip(network.output_names, *ends, network.output_scale.tolist(), strict=True)


def _rows(items: Iterable[str], per_line: int = _PER_LINE) -> Iterator[list[str]]:
    every = list(items)
    return (every[k : k + per_line] for k in range(0, len(every), per_line))
