"""Schematic symbols of the cell: xschem and KiCad."""

from __future__ import annotations

from veriloga.model import MODULE

_PINS = {"ip": (-40, 0), "in": (40, 0), "hp": (0, -40), "hn": (0, 40)}  # xschem's grid, y downwards


def xschem_symbol(*, compiled: bool) -> str:
    """Symbol file for xschem (``.sym``), as the compiled module or as the subcircuit."""
    prefix, kind = ("N", "hallbar") if compiled else ("X", MODULE)
    lines = [
        "v {xschem version=3.4.4 file_version=1.2}",
        "G {}",
        f'K {{type=subcircuit\nformat="@name @pinlist {kind} s0=@s0 h_x=@h_x m_i=@m_i q=@q"',
        f'template="name={prefix}1 s0=0 h_x=0 m_i=1 q=1"}}',
        "V {}",
        "S {}",
        "E {}",
        "L 4 -40 0 -20 0 {}",
        "L 4 20 0 40 0 {}",
        "L 4 0 -40 0 -20 {}",
        "L 4 0 20 0 40 {}",
        "P 4 5 -20 -5 20 -5 20 5 -20 5 -20 -5 {}",
        "L 4 0 -20 0 -5 {}",
        "L 4 0 5 0 20 {}",
    ]
    for name, (x, y) in _PINS.items():
        lines.append(f"B 5 {x - 2.5:g} {y - 2.5:g} {x + 2.5:g} {y + 2.5:g} {{name={name} dir=inout}}")
        lines.append(f"T {{{name}}} {x + 4:g} {y + 4:g} 0 0 0.15 0.15 {{}}")
    lines += ["T {@name} 25 -25 0 0 0.2 0.2 {}", "T {s0=@s0} 25 12 0 0 0.15 0.15 {}"]
    return "\n".join([*lines, ""])


def kicad_symbol() -> str:
    """Symbol library for KiCad 7 or later (``.kicad_sym``), simulated as the subcircuit."""
    pins = {"ip": (-7.62, 0.0, 0), "in": (7.62, 0.0, 180), "hp": (0.0, 7.62, 270), "hn": (0.0, -7.62, 90)}
    effects = "(effects (font (size 1.27 1.27)))"
    hidden = "(effects (font (size 1.27 1.27)) hide)"
    properties = {
        "Reference": ("X", effects),
        "Value": (MODULE, effects),
        "Footprint": ("", hidden),
        "Datasheet": ("https://arxiv.org/abs/2601.16222", hidden),
        "Sim.Library": (f"{MODULE}.sub", hidden),
        "Sim.Name": (MODULE, hidden),
        "Sim.Device": ("SUBCKT", hidden),
        "Sim.Pins": ("1=ip 2=in 3=hp 4=hn", hidden),
        "Sim.Params": ("s0=0 h_x=0 m_i=1 q=1", hidden),
    }
    lines = [
        "(kicad_symbol_lib (version 20220914) (generator hallspice)",
        f'  (symbol "{MODULE}" (in_bom yes) (on_board yes)',
    ]
    for place, (name, (value, style)) in enumerate(properties.items()):
        lines.append(f'    (property "{name}" "{value}" (at 0 {11.43 + 2.54 * place:g} 0) {style})')
    lines += [
        f'    (symbol "{MODULE}_0_1"',
        "      (rectangle (start -5.08 1.27) (end 5.08 -1.27) (stroke (width 0.254)) (fill (type background)))",
        "    )",
        f'    (symbol "{MODULE}_1_1"',
    ]
    for number, (name, (x, y, angle)) in enumerate(pins.items(), start=1):
        length = 2.54 if y == 0 else 6.35
        lines.append(
            f"      (pin passive line (at {x:g} {y:g} {angle}) (length {length:g}) "
            f'(name "{name}" {effects}) (number "{number}" {effects}))'
        )
    return "\n".join([*lines, "    )", "  )", ")", ""])
