"""Corners and spread of the cell: libraries of subcircuits, and Spectre's wrapper."""

from __future__ import annotations

from datetime import date

import numpy as np

from compact_model import spread
from veriloga.dialects import Dialect, caveat
from veriloga.model import MODULE, CellModel, closed_law_fraction
from veriloga.subcircuit import SUBCIRCUIT_WORDS
from veriloga.verilog_a import header

CELL = f"{MODULE}_cell"
"""Name of the subcircuit in a library section: the cell in that corner."""

_SIGMAS = 3.0  # of a corner


def threshold_sigma(model: CellModel) -> float:
    """Relative standard deviation of the critical current between devices.

    The spread of the fraction after a pulse of the middle of the ladder, over the slope of the fraction against the
    logarithm of the current there: what it takes in current to make that difference. Zero for a device that does not
    switch.
    """
    ladder = model.card.synapse.ladder.value
    current, length = ladder[len(ladder) // 2], model.card.synapse.t_pulse.value
    step = 1e-3
    below, above = closed_law_fraction(model, current * np.exp(np.array([-step, step])), length)
    if above == below:  # a device that this current doesn't switch
        return 0.0
    return spread.spread_after(model.card, current).device * 2 * step / float(above - below)


def corner_library(model: CellModel, dialect: Dialect, day: date, *, compiled: bool = False) -> str:
    """Library with sections `typ`, `fast`, `slow` and `mc`: the same subcircuit, another critical current.

    LTspice has no sections: there the subcircuits are named after them.

    Parameters
    ----------
    model
        The cell.
    dialect
        Language.
    day
        Date of the header.
    compiled
        The cell inside is the compiled module (ngspice), not the behavioural subcircuit.
    """
    w, sigma = SUBCIRCUIT_WORDS[dialect], threshold_sigma(model)
    title = "Corners and spread of a field-free spin-orbit-torque Hall bar"
    lines = [f"* {line}".rstrip() for line in header(model, day, title)]
    lines += [
        "*",
        f"* Critical current between devices: sigma = {sigma:.4g} (relative), from the number of independent regions.",
        f"* Corners lie {_SIGMAS:g} sigma away; section mc draws every instance anew.",
        f"* Dialect: {dialect.value}." + (" Not run in it." if caveat(dialect) else ""),
    ]
    draw = w.normal.format(three=f"{3 * sigma:.6g}", one=f"{sigma:.6g}")
    for section, scale in (
        ("typ", "1"),
        ("fast", f"{1 - _SIGMAS * sigma:.6g}"),
        ("slow", f"{1 + _SIGMAS * sigma:.6g}"),
        ("mc", draw),
    ):
        passed = {name: name for name in ("s0", "h_x", "m_i", "q")} | {"i_scale": "spread"}
        given = " ".join(f"{name}={w.open}{value}{w.close}" for name, value in passed.items())
        cell = (
            f"N1 ip in hp hn {MODULE}_{section} {given}" if compiled else f"X1 ip in hp hn {MODULE} {given}"
        )
        sections = dialect is not Dialect.LTSPICE  # which knows no sections of a library
        name = CELL if sections else f"{CELL}_{section}"
        lines += [
            "",
            *([f".lib {section}"] if sections else []),
            f".subckt {name} ip in hp hn {w.parameters}s0=0 h_x=0 m_i=1 q=1",
            f".param spread={w.open}{scale}{w.close}",
            *([f".model {MODULE}_{section} {MODULE}"] if compiled else []),
            cell,
            f".ends {name}",
            *([f".endl {section}"] if sections else []),
        ]
    return "\n".join([*lines, ""])


def spectre_include(model: CellModel, day: date) -> str:
    """Spectre file: the Verilog-A module, corners and mismatch, and a subcircuit around it. Not run."""
    sigma = threshold_sigma(model)
    title = "Spectre include for a field-free spin-orbit-torque Hall bar"
    lines = ["simulator lang=spectre", "", *(f"// {line}".rstrip() for line in header(model, day, title))]
    lines += [
        "//",
        "// Written for Spectre from its documentation; not run in it.",
        f'// Use: include "{MODULE}.scs" section=typ     x1 (ip in hp hn) {CELL} s0=0',
        "",
        f"library {MODULE}_lib",
    ]
    for section, value in (
        ("typ", 1.0),
        ("fast", 1 - _SIGMAS * sigma),
        ("slow", 1 + _SIGMAS * sigma),
        ("mc", 1.0),
    ):
        lines += [f"section {section}", f"parameters hallbar_i_scale={value:.6g}"]
        if section == "mc":
            lines += [
                "statistics {",
                "    mismatch {",
                f"        vary hallbar_i_scale dist=gauss std={sigma:.6g}",
                "    }",
                "}",
            ]
        lines += [f'include "{MODULE}_cell.scs"', f"endsection {section}"]
    return "\n".join([*lines, f"endlibrary {MODULE}_lib", ""])


def spectre_cell(model: CellModel, day: date) -> str:
    """Spectre file with the subcircuit around the Verilog-A module. Not run."""
    title = "Spectre cell of a field-free spin-orbit-torque Hall bar"
    return "\n".join(
        [
            "simulator lang=spectre",
            "",
            *(f"// {line}".rstrip() for line in header(model, day, title)),
            "",
            f'ahdl_include "{MODULE}.va"',
            "",
            f"subckt {CELL} (ip in hp hn)",
            "parameters s0=0 h_x=0 m_i=1 q=1",
            f"core (ip in hp hn) {MODULE} s0=s0 h_x=h_x m_i=m_i q=q i_scale=hallbar_i_scale",
            f"ends {CELL}",
            "",
        ]
    )
