"""The cell as a subcircuit of behavioural sources, in the dialects of four simulators."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np

from compact_model.constants import REFERENCE_TEMPERATURE
from veriloga.dialects import Dialect, caveat
from veriloga.model import (
    MODULE,
    RESISTANCE_FLOOR,
    SMOOTHING,
    SOFTENING_FLOOR,
    STATE_CAPACITANCE,
    TEMPERATURE_FLOOR,
    CellModel,
)
from veriloga.verilog_a import header

FROZEN = f"{MODULE}_frozen"
"""Name of the linear subcircuit whose state does not move."""

_WIDTH = 100


@dataclass(frozen=True, slots=True)
class SubcircuitWords:
    """How one simulator says what the others say differently."""

    open: str  # before an expression of parameters
    close: str
    ternary: str  # condition, then, else
    celsius: str  # name of the temperature
    parameters: str  # between the nodes and the parameters of a subcircuit
    voltage: str  # behavioural voltage source: prefix, kind
    current: str
    body: tuple[str, str]  # around a behavioural expression
    normal: str  # a draw with mean 1; sigma


SUBCIRCUIT_WORDS = {
    Dialect.NGSPICE: SubcircuitWords(
        "{", "}", "({c} ? {a} : {b})", "temper", "params: ", "B{n} {p} V = ", "B{n} {p} I = ", ("", ""),
        "agauss(1, {three}, 3)",
    ),
    Dialect.XYCE: SubcircuitWords(
        "{", "}", "IF({c}, {a}, {b})", "TEMP", "PARAMS: ", "B{n} {p} V=", "B{n} {p} I=", ("{", "}"),
        "AGAUSS(1, {three}, 3)",
    ),
    Dialect.LTSPICE: SubcircuitWords(
        "{", "}", "if({c}, {a}, {b})", "temp", "params: ", "B{n} {p} V=", "B{n} {p} I=", ("", ""),
        "1+gauss({one})",
    ),
    Dialect.HSPICE: SubcircuitWords(
        "'", "'", "(({c}) ? ({a}) : ({b}))", "temper", "", "E{n} {p} VOL=", "G{n} {p} CUR=", ("'", "'"),
        "agauss(1, {three}, 3)",
    ),
}  # fmt: skip


def subcircuit_text(model: CellModel, dialect: Dialect, day: date) -> str:
    """The cell with moving grains; the same equations as the Verilog-A module.

    Set A has no thermal nodes here (its temperature acts on nothing); Set B always has them. The fraction is
    node `f` of an instance, the deviation of grain k node `dk`.
    """
    return _text(model, dialect, day, MODULE, "Behavioural subcircuit of", _moving(model, dialect))


def frozen_subcircuit_text(model: CellModel, dialect: Dialect, day: date) -> str:
    """The cell with its state held at s0: eight linear elements, for large read arrays."""
    return _text(model, dialect, day, FROZEN, "Linear (state held) subcircuit of", _held(model, dialect))


def _text(model: CellModel, dialect: Dialect, day: date, name: str, title: str, body: Iterator[str]) -> str:
    note = ["", caveat(dialect)] if caveat(dialect) else []
    lines = [
        f"* {line}".rstrip()
        for line in header(model, day, f"{title} a field-free spin-orbit-torque Hall bar")
    ]
    lines += [f"* {line}".rstrip() for line in note]
    lines += [f"* Dialect: {dialect.value}.", "", *body, f".ends {name}", ""]
    return "\n".join(lines)


def _moving(model: CellModel, dialect: Dialect) -> Iterator[str]:
    w = SUBCIRCUIT_WORDS[dialect]
    yield from _opening(model, dialect, MODULE)
    yield from _polarity(model, dialect)
    yield from _programmed(model, w)
    if model.electrothermal:
        yield from _heating(model, w)
    yield from _drive(model, w)
    yield from _grains(model, w)
    yield from _port(model, w)


def _programmed(model: CellModel, w: SubcircuitWords) -> Iterator[str]:
    """States at the start, and a node that tells static analyses from transients."""
    bank = model.device.bank
    yield "* programmed state of each grain: given, or filled from s0, lowest thresholds first"
    below = np.cumsum(bank.weight) - bank.weight
    for k, (filled, weight) in enumerate(zip(below, bank.weight, strict=True), start=1):
        fill = f"min(max((s0-{filled:.15g})/{weight:.15g},0),1)"
        choice = w.ternary.format(c=f"s0_{k} < 0", a=fill, b=f"s0_{k}")
        yield f".param start_{k}={w.open}{choice}{w.close}"
    total = "+".join(f"{weight:.15g}*start_{k}" for k, weight in enumerate(bank.weight, start=1))
    yield from _wrapped(f".param start={w.open}{total}{w.close}", "+", w)
    yield ""
    yield "* 0 in static analyses, 1 as soon as time runs"
    yield "Vg g 0 dc 0 pwl(0 0 1e-12 1)"
    yield ""


def _temperature(model: CellModel, w: SubcircuitWords) -> str:
    """Expression of the channel's temperature [K]."""
    return "v(t)" if model.electrothermal else f"({w.celsius}+273.15)"


def _heating(model: CellModel, w: SubcircuitWords) -> Iterator[str]:
    """Thermal network of Set B, as Foster stages on the nodes rise1 and rise2."""
    heat = model.device.heat
    yield "* temperature rise over the oxide and in the substrate [K], channel temperature [K]"
    for stage in (0, 1):
        capacitance = heat.tau[stage] / heat.resistance[stage]
        yield f"Crise{stage + 1} rise{stage + 1} 0 {capacitance:.15g}"
        flow = f"v(rise{stage + 1})/{heat.resistance[stage]:.15g}-v(ip,in)*v(ip,in)/{_resistance(model, 'v(t)', w)}"
        yield _behavioural(w.current, f"rise{stage + 1}", f"rise{stage + 1} 0", flow, w)
    warm = f"({w.celsius}+273.15)+v(rise1)+v(rise2)"
    yield _behavioural(w.voltage, "t", "t 0", _limited(warm, TEMPERATURE_FLOOR, w), w)


def _drive(model: CellModel, w: SubcircuitWords) -> Iterator[str]:
    """Threshold and barrier at the temperature, and the drive of all grains."""
    law, temperature = model.device.law, _temperature(model, w)
    bare = f"(1-{law.ambient_coefficient:.15g}*({temperature}-300))"
    if model.electrothermal:
        bare = f"(({law.t_curie:.15g}-{temperature})/{law.t_curie - REFERENCE_TEMPERATURE:.15g})"
    yield "* threshold at the temperature, over that at 300 K"
    yield _behavioural(w.voltage, "soft", "soft 0", _limited(bare, SOFTENING_FLOOR, w), w)
    if model.electrothermal:
        yield "* barrier over kT without current"
        yield _behavioural(w.voltage, "b", "b 0", f"{law.delta * REFERENCE_TEMPERATURE:.15g}*v(soft)/v(t)", w)
    resistance = _resistance(model, temperature, w)
    yield "* drive in units of the critical current, its rounded magnitude, and where the grains go"
    full = f"({resistance}*{model.value('i_c'):.15g}*v(soft))"
    yield _behavioural(w.voltage, "x", "x 0", f"{_parameter('drive', w)}*v(ip,in)/{full}", w)
    yield _behavioural(w.voltage, "a", "a 0", f"sqrt(v(x)*v(x)+{SMOOTHING**2:.15g})", w)
    yield _behavioural(w.voltage, "h", "h 0", "0.5+0.5*v(x)/v(a)", w)
    yield ""


def _grains(model: CellModel, w: SubcircuitWords) -> Iterator[str]:
    """A node per grain with its deviation from the programmed state; their sum."""
    law, bank = model.device.law, model.device.bank
    yield "* grains: deviation from the programmed state"
    for k, theta in enumerate(bank.theta.tolist(), start=1):
        # Written out so that the simulator evaluates and differentiates as little as possible: one exponential, one
        # root of a polynomial.
        if model.electrothermal:
            waiting = f"{law.tau0:.15g}*exp(v(b)*(1-v(a)/{theta:.17g}))"
        else:
            waiting = f"exp({law.delta + math.log(law.tau0):.17g}-{law.delta / theta:.17g}*v(a))"
        square = f"{1 + law.wall_width**2:.17g}-v(a)*({2 / theta:.17g}-{theta**-2:.17g}*v(a))"
        crossing = f"{law.t_wall:.15g}/sqrt({square})"
        pull = f"{STATE_CAPACITANCE:.15g}*(v(d{k})+{_parameter(f'start_{k}', w)}-v(h))/({waiting}+{crossing})"
        yield f"C{k} d{k} 0 {STATE_CAPACITANCE:.15g}"
        choice = w.ternary.format(c="v(g) > 0.5", a=pull, b=f"v(d{k})")
        yield from _wrapped(_behavioural(w.current, str(k), f"d{k} 0", choice, w), "+", w)
    yield ""
    yield "* switched fraction"
    terms = "+".join(f"{weight:.15g}*v(d{k})" for k, weight in enumerate(bank.weight, start=1))
    yield from _wrapped(_behavioural(w.voltage, "f", "f 0", f"{_parameter('start', w)}+{terms}", w), "+", w)
    yield ""


def _port(model: CellModel, w: SubcircuitWords) -> Iterator[str]:
    """Channel and arms: a star, and what makes it the port equations at the present state."""
    law, heat = model.device.law, model.device.heat
    resistance = _resistance(model, _temperature(model, w), w)
    r_yy, r_off = model.value("r_yy"), model.value("r_off")
    yield "* star of four resistors; the part that switches is antisymmetric, the misalignment symmetric"
    yield from _star(model)
    if heat.tcr != 0.0:
        cold = f"2/{heat.r_channel:.15g}"
        for end in ("ip", "in"):
            extra = f"v({end},centre)*(2/{resistance}-{cold})"
            yield _behavioural(w.current, f"warm{end}", f"{end} centre", extra, w)
    hall = f"({law.delta_r:.15g}*(v(f)-0.5))"
    determinant = f"({resistance}*{r_yy:.15g}-{r_off**2:.15g}+{hall}*{hall})"
    own_x = f"({r_yy:.15g}/{determinant}-1/{resistance})*v(ip,in)"
    own_y = f"({resistance}/{determinant}-1/{r_yy:.15g})*v(hp,hn)"
    i_x = f"{own_x}-({r_off:.15g}-{hall})/{determinant}*v(hp,hn)"
    i_y = f"{own_y}-({r_off:.15g}+{hall})/{determinant}*v(ip,in)"
    yield from _wrapped(_behavioural(w.current, "channel", "ip in", i_x, w), "+", w)
    yield from _wrapped(_behavioural(w.current, "arms", "hp hn", i_y, w), "+", w)


def _held(model: CellModel, dialect: Dialect) -> Iterator[str]:
    w = SUBCIRCUIT_WORDS[dialect]
    law, heat = model.device.law, model.device.heat
    r_x, r_y, r_off = heat.r_channel, model.value("r_yy"), model.value("r_off")
    yield f".subckt {FROZEN} ip in hp hn {w.parameters}s0=0"
    yield f".param hall={w.open}{law.delta_r:.15g}*(s0-0.5){w.close}"
    yield f".param det={w.open}{r_x * r_y - r_off**2:.15g}+hall*hall{w.close}"
    yield from _star(model)
    for name, nodes, control, value in (
        ("xx", "ip in", "ip in", f"{r_y:.15g}/det-{1 / r_x:.15g}"),
        ("xy", "ip in", "hp hn", f"(hall-{r_off:.15g})/det"),
        ("yx", "hp hn", "ip in", f"0-({r_off:.15g}+hall)/det"),
        ("yy", "hp hn", "hp hn", f"{r_x:.15g}/det-{1 / r_y:.15g}"),
    ):
        yield f"G{name} {nodes} {control} {w.open}{value}{w.close}"


def _star(model: CellModel) -> Iterator[str]:
    for end, ohm in (("ip", "r_channel"), ("in", "r_channel"), ("hp", "r_yy"), ("hn", "r_yy")):
        yield f"R{end} {end} centre {0.5 * model.value(ohm):.15g}"


def _opening(model: CellModel, dialect: Dialect, name: str) -> Iterator[str]:
    w = SUBCIRCUIT_WORDS[dialect]
    yield "* Parameters of an instance:"
    for p in model.parameters:
        if p.instance and not p.name.startswith("s0_"):
            yield f"*   {p.name:8} {p.allowed.meaning} [{p.allowed.unit}]"
    yield "*   s0_k     programmed state of grain k; negative: as s0 says"
    given = " ".join(f"{p.name}={p.number}" for p in model.parameters if p.instance)
    yield from _wrapped(f".subckt {name} ip in hp hn {w.parameters}{given}", "+", w, spaces=True)


def _polarity(model: CellModel, dialect: Dialect) -> Iterator[str]:
    """Torque factor over the threshold's local spread, as `drive`: preset by a large field, gate, field."""
    w, torque = SUBCIRCUIT_WORDS[dialect], model.device.torque
    preset = model.device.h_preset * (1.0 - 1e-9)
    sign = w.ternary.format(c="h_x > 0", a="1", b="-1")
    yield f".param moment={w.open}{w.ternary.format(c=f'abs(h_x) < {preset:.15g}', a='m_i', b=sign)}{w.close}"
    acting = "moment" if model.demag else w.ternary.format(c="moment*q > 0", a="moment", b="0")
    yield f".param field={w.open}h_x+{torque.h_int:.15g}*{acting}{w.close}"
    saturated = f"sqrt(field*field+{torque.h_dmi**2:.15g})"
    yield f".param drive={w.open}{torque.gain:.15g}*field/{saturated}/i_scale{w.close}"


def _resistance(model: CellModel, temperature: str, w: SubcircuitWords) -> str:
    heat = model.device.heat
    if heat.tcr == 0.0:
        return f"{heat.r_channel:.15g}"
    warming = f"(1+{heat.tcr:.15g}*({temperature}-300))"
    return f"({heat.r_channel:.15g}*{_limited(warming, RESISTANCE_FLOOR, w)})"


def _limited(u: str, floor: float, w: SubcircuitWords) -> str:
    below = f"{floor * floor:.15g}/({2 * floor:.15g}-min({u},{floor:.15g}))"
    return w.ternary.format(c=f"{u} > {floor:.15g}", a=u, b=below)


def _behavioural(kind: str, name: str, nodes: str, expression: str, w: SubcircuitWords) -> str:
    return f"{kind.format(n=name, p=nodes)}{w.body[0]}{expression}{w.body[1]}"


def _parameter(name: str, w: SubcircuitWords) -> str:
    """A parameter inside a behavioural expression."""
    return name if w.body[0] else f"{w.open}{name}{w.close}"


def _wrapped(line: str, mark: str, w: SubcircuitWords, *, spaces: bool = False) -> Iterator[str]:
    """A long line, continued: at spaces, or anywhere between the terms of a sum."""
    if w.open == "'" and not spaces:  # a quoted expression stays on one line
        yield line
        return
    pieces = line if spaces else line.replace("+", " +")
    first, *rest = textwrap.wrap(pieces, _WIDTH, break_long_words=False, break_on_hyphens=False)
    yield first
    yield from (f"{mark} {piece}" for piece in rest)
