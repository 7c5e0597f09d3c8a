"""Netlists: a `Network` as text that SPICE reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

from circuits.network import GROUND, BranchKind, Network, Role
from compact_model.numeric import Floats, Ints

_PER_LINE = 8


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
        Words for an ``.options`` line (`circuits.ngspice.deck_options`).

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
    vector = network.checked_inputs(np.asarray(inputs, dtype=float)[None])[0]
    values = np.zeros(len(network.kind))
    np.add.at(values, network.drive_source, network.drive_coefficient * vector[network.drive_input])
    sources = {k: format(values[k], ".15g") for k in _sources(network).tolist()}
    lines = [
        *_header(network, title),
        *_elements(network, sources, capacitors=True),
        "",
        *_options(options),
        "* outputs",
        ".control",
        "set numdgt=15",
        "op",
        *_output_lines(network),
        "quit 0",
        ".endc",
        ".end",
        "",
    ]
    return "\n".join(lines)


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
    held = np.zeros((len(network.kind), len(inputs)))
    np.add.at(held, network.drive_source, network.drive_coefficient[:, None] * inputs.T[network.drive_input])
    sources = {k: _held(held[k].tolist()) for k in _sources(network).tolist()}
    lines = [
        *_header(network, f"{len(inputs)} input vectors, each held for {HOLD} s of a second of its own"),
        *_elements(network, sources, capacitors=False),
        "",
        f".tran 1 {len(inputs) - 1 + HOLD:.15g} 0 1",
        *(f".save {' '.join(group)}" for group in _rows(saved)),
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
    final = np.zeros(len(network.kind))
    np.add.at(final, network.drive_source, network.drive_coefficient * inputs[network.drive_input])
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
        *(f".save {' '.join(group)}" for group in _rows(saved)),
        f".options {' '.join(['reltol=1e-6', *options])}",
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
    yield "* " + " ".join(title.split())
    yield "* Written by hallspice. This file is yours: no licence is claimed on it."
    yield "* Units: ohm, farad, siemens, volt, ampere. Numbers carry no SPICE suffixes. Node 0 is ground."
    counts = f"{network.n_nodes} nodes, {len(network.kind)} branches"
    yield f"* {counts}, {network.n_inputs} inputs, {network.n_outputs} outputs."


def _elements(network: Network, sources: dict[int, str], *, capacitors: bool) -> Iterator[str]:
    """One line per branch, with a comment before each block; `sources` are the right-hand sides.

    In rows in series (`Network.common_mode`), the currents of wires are unknowns of their own: a voltage ``r i``
    controlled by the current i in a source of 0 V. As a resistor, a wire would put 100 S beside the 1e-3 S of a
    cell into one equation, and their rounding leaks 1e-14 A per volt of common mode: 1e-6 of the signal of
    `row_multiplexed` at 16 x 16, where it is 1e-11 with the currents.
    """
    wires = network.of_role(Role.WIRE) & (network.kind == BranchKind.RESISTOR) & network.common_mode
    if network.common_mode:
        yield "* A wire is V (0 volt, to measure its current) and H (resistance times that current)."
    ends = (network.plus, network.minus, network.control_plus, network.control_minus)
    plus, minus, control_plus, control_minus = (_named(network, end) for end in ends)
    block_of = network.block_of.tolist()
    shown = None
    for k, (name, kind, value) in enumerate(
        zip(network.branch_names, network.kind.tolist(), network.value.tolist(), strict=True)
    ):
        if kind == BranchKind.CAPACITOR and not capacitors:
            continue
        if block_of[k] != shown:
            shown = block_of[k]
            yield ""
            yield f"* {network.branch_blocks[shown].title}"
        if kind == BranchKind.VCCS:
            yield f"{name} {plus[k]} {minus[k]} {control_plus[k]} {control_minus[k]} {value:.15g}"
        elif k in sources:
            yield f"{name} {plus[k]} {minus[k]} {sources[k]}"
        elif wires[k]:
            yield f"V{name} {plus[k]} i_{name} 0"
            yield f"H{name} i_{name} {minus[k]} V{name} {value:.15g}"
        else:
            yield f"{name} {plus[k]} {minus[k]} {value:.15g}"


def _named(network: Network, nodes: Ints) -> list[str]:
    names = (*network.node_names, "0")  # ground, -1, is the last
    return [names[k] for k in nodes.tolist()]


def _sources(network: Network) -> Ints:
    return np.flatnonzero(np.isin(network.kind, (BranchKind.VOLTAGE, BranchKind.CURRENT)))


def _held(values: list[float]) -> str:
    """``pwl(0 x0 0.75 x0 1 x1 ...)``, continued over lines."""
    points = [f"{k} {value:.15g} {k + HOLD} {value:.15g}" for k, value in enumerate(values)]
    return "pwl(" + "\n+ ".join(" ".join(group) for group in _rows(points)) + ")"


def _output_lines(network: Network) -> Iterator[str]:
    plus, minus = _named(network, network.output_plus), _named(network, network.output_minus)
    for name, a, b, scale in zip(
        network.output_names, plus, minus, network.output_scale.tolist(), strict=True
    ):
        difference = " - ".join(f"v({node})" for node in (a, b) if node != "0") if a != "0" else f"-v({b})"
        yield f"let {name} = ({difference}) * {scale:.15g}"
        yield f"print {name}"


def _rows(items: Iterable[str]) -> Iterator[list[str]]:
    every = list(items)
    return (every[k : k + _PER_LINE] for k in range(0, len(every), _PER_LINE))
