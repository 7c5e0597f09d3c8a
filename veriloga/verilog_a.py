"""The cell as a Verilog-A module."""

from __future__ import annotations

import itertools
from datetime import date

import jinja2

from veriloga.model import (
    LENGTHS,
    MODULE,
    RESISTANCE_FLOOR,
    SHORT_LENGTHS,
    SMOOTHING,
    SOFTENING_FLOOR,
    STATE_CAPACITANCE,
    TEMPERATURE_FLOOR,
    CellModel,
    provenance_summary,
)

_PER_LINE = 16


def verilog_a_text(model: CellModel, day: date) -> str:
    """Text of the module; the same model and day give the same text."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("veriloga"),
        autoescape=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    theta = model.device.bank.theta
    return environment.get_template("sot_hallbar.va.j2").render(
        header=header(model, day, "Verilog-A compact model of a field-free spin-orbit-torque Hall bar"),
        module=MODULE,
        capacitance=f"{STATE_CAPACITANCE:.15g}",
        smoothing=f"{SMOOTHING:.15g}",
        temperature_floor=f"{TEMPERATURE_FLOOR:.1f}",
        resistance_floor=f"{RESISTANCE_FLOOR:.15g}",
        softening_floor=f"{SOFTENING_FLOOR:.15g}",
        nodes=[
            ", ".join(f"d{k}" for k in range(first, min(first + _PER_LINE, model.grains + 1)))
            for first in range(1, model.grains + 1, _PER_LINE)
        ],
        topics=[
            (topic, list(rows)) for topic, rows in itertools.groupby(model.parameters, key=lambda p: p.topic)
        ],
        grains=[{"k": k, "theta": f"{value:.17g}"} for k, value in enumerate(theta, start=1)],
        electrothermal=model.electrothermal,
        demag=model.demag,
    )


def header(model: CellModel, day: date, title: str) -> list[str]:
    """Lines that stand at the head of every file: what it is, from which card, how exact, where it holds."""
    accuracy = model.accuracy
    kind = "B (electrothermal)" if model.electrothermal else "A (isothermal-equivalent)"
    short = ", ".join(
        f"{error:.2g} at {length:g} s" for length, error in zip(SHORT_LENGTHS, accuracy.short, strict=True)
    )
    return [
        f"{title}.",
        f"Written by hallspice on {day.isoformat()}. This file is yours: no licence is claimed on it.",
        "",
        f"Card: {model.card.name}, content {model.digest}, parameter set {kind}, {model.grains} grains.",
        f"Numbers of the card: {provenance_summary(model)}.",
        "Device and published figures: arXiv:2601.16222.",
        "",
        f"Largest error against the card's closed law: {accuracy.largest:.2g} of the window, for one pulse of",
        f"0.5e11 to 5e11 A/m^2, {LENGTHS[0]:g} to {LENGTHS[-1]:g} s, ambient -40 to 85 degrees Celsius",
        f"(met at {accuracy.density:.3g} A/m^2, {accuracy.length:.3g} s, {accuracy.ambient:g} K).",
        f"Valid for pulses from 1 us to 10 ms. Shorter ones ({short}) are not backed by data.",
        "Thresholds are stated at 300 K = 26.85 degrees Celsius; simulators start at 27 unless told otherwise.",
        "",
        "Positive current from ip to in drives the fraction s to 1 (R_xy rises) as prepared: m_i = q = 1.",
        "State nodes hold the deviation from the programmed state (s0, s0_k); static analyses leave it alone.",
    ]
