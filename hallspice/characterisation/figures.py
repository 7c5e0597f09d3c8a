"""Figures of a device's characteristic curves, as SVG text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.ticker import MultipleLocator

from compact_model.constants import OERSTED
from compact_model.curves import (
    Creep,
    FractionCurve,
    HeatCurve,
    LadderTrace,
    Loops,
    PolarityStep,
    PulseWidthCurve,
    ThicknessCurves,
)
from compact_model.numeric import Floats
from compact_model.scaling import ScaledPulse
from compact_model.spread import Spread
from hallspice.page.style import BLUE, GREEN, GREY, ORANGE, PURPLE, engineering, grid, single, styled, svg

PUBLISHED = ("s", ORANGE, "arXiv:2601.16222")


@styled
def loops(data: Loops) -> str:
    """Hall resistance against pulse current, one panel for each sign of the field."""
    figure, panels = grid(1, 3, 10.5, 3.4)
    groups = (data.h_x < 0, data.h_x == 0, data.h_x > 0)
    for axes, chosen, title in zip(panels.flat, groups, ("$H_x$ < 0", "$H_x$ = 0", "$H_x$ > 0"), strict=True):
        shades = np.linspace(1.0, 0.35, int(chosen.sum()))[::-1]
        order = np.argsort(np.abs(data.h_x[chosen]))
        for shade, k in zip(shades, np.flatnonzero(chosen)[order], strict=True):
            label = f"{data.h_x[k] / OERSTED:+.0f} Oe" if data.h_x[k] else "field-free"
            axes.plot(1e3 * data.current, data.hall_resistance[k], color=BLUE, alpha=shade, label=label)
        axes.set_title(title)
        axes.set_xlabel("pulse current (mA)")
        axes.set_ylim(data.hall_resistance.min() - 0.02, data.hall_resistance.max() + 0.06)
        axes.legend(loc="upper left", ncols=2, fontsize=8)
    panels.flat[0].set_ylabel("Hall resistance R$_{xy}$ (Ω)")
    return svg(figure)


@styled
def fraction(data: FractionCurve, published: tuple[float, float]) -> str:
    """Switched fraction against current density: both laws and the published point (A/m^2, fraction)."""
    figure, axes = single(6.0, 3.4)
    axes.plot(1e-11 * data.density, 100 * data.law, color=BLUE, label="closed law F(u)")
    axes.plot(1e-11 * data.density, 100 * data.rates, "--", color=GREEN, label="rate law, grain bank")
    axes.plot(
        [1e-11 * published[0]], [100 * published[1]], PUBLISHED[0], color=PUBLISHED[1], label=PUBLISHED[2]
    )
    axes.set_xlabel("current density J (10$^{11}$ A/m$^2$)")
    axes.set_ylabel("switched fraction (%)")
    axes.legend(loc="upper left")
    return svg(figure)


@styled
def thickness(data: ThicknessCurves, published: Sequence[tuple[float, float]]) -> str:
    """What depends on the RuO2 thickness; `published` are field-free fractions (nm, share)."""
    figure, panels = grid(2, 4, 12.0, 5.6)
    t = 1e9 * data.t_oxide
    drawn: list[tuple[str, Floats]] = [
        ("torque efficiency ξ$_{DL}$", data.torque_efficiency),
        ("spin Hall angle θ$_{SH}$", data.spin_hall_angle),
        ("K$_s$ (mJ/m$^2$)", 1e3 * data.interface_anisotropy),
        ("transparency T$_{int}$", data.transparency),
        ("resistivity (µΩ cm)", 1e8 * data.resistivity),
        (f"J$_c$ at {data.h_x / OERSTED:.0f} Oe (10$^{{11}}$ A/m$^2$)", 1e-11 * data.critical_density),
        ("zero-field loop shift (normalised)", data.loop_shift),
        ("field-free switching (%)", 100 * data.field_free_fraction),
    ]
    for axes, (name, values) in zip(panels.flat, drawn, strict=True):
        axes.plot(t, values, color=BLUE)
        axes.set_title(name, fontsize=10)
        axes.set_ylim(bottom=min(0.0, float(values.min())) if values.min() < 0.5 * values.max() else None)
    for nm, share in published:
        panels.flat[-1].plot([nm], [100 * share], PUBLISHED[0], color=PUBLISHED[1])
    for axes in panels[-1]:
        axes.set_xlabel("RuO$_2$ thickness (nm)")
    figure.tight_layout()
    return svg(figure)


@styled
def ladder(data: LadderTrace) -> str:
    """Potentiation and depression by the ladder, exact memory beside the rate law."""
    figure, axes = single(6.0, 3.4)
    pulses = np.arange(1, data.current.size + 1)
    axes.plot(pulses, data.stack, "-o", color=BLUE, markersize=4, label="return-point memory")
    axes.plot(pulses, data.rates, "--x", color=ORANGE, markersize=5, label="rate law (creeps)")
    axes.xaxis.set_major_locator(MultipleLocator(5))
    axes.set_xlabel("pulse number (five up, five down, repeated)")
    axes.set_ylabel("Hall resistance R$_{xy}$ (Ω)")
    axes.set_ylim(top=float(max(data.stack.max(), data.rates.max())) + 0.05)
    axes.legend(loc="upper right", ncols=2)
    return svg(figure)


@styled
def creep(data: Creep) -> str:
    """Switched fraction after many equal pulses."""
    figure, axes = single(6.0, 3.4)
    axes.semilogx(data.count, 100 * data.law, color=BLUE, label="closed law")
    axes.semilogx(data.count, 100 * data.rates, "--x", color=ORANGE, label="rate law")
    axes.set_xlabel("number of equal pulses")
    axes.set_ylabel("switched fraction (%)")
    axes.legend(loc="upper left")
    return svg(figure)


@styled
def protocol(steps: Sequence[PolarityStep]) -> str:
    """The polarity test: the loop without field after each preparation."""
    columns = 5
    rows = -(-len(steps) // columns)
    figure, panels = grid(rows, columns, 11.0, 2.3 * rows)
    colours = {"clockwise": BLUE, "counterclockwise": ORANGE, "none": GREY}
    for axes in panels.flat[len(steps) :]:
        axes.set_visible(False)
    for axes, step in zip(panels.flat, steps, strict=False):
        axes.plot(1e3 * step.current, step.m_z, color=colours[step.sense], linewidth=1.6)
        axes.set_title(f"{step.preparation}\n{step.sense}", fontsize=8.5)
        axes.set_ylim(-1.15, 1.15)
        axes.tick_params(labelsize=8)
    for axes in panels[:, 0]:
        axes.set_ylabel("m$_z$")
    for axes in panels.flat[max(0, len(steps) - columns) : len(steps)]:
        axes.set_xlabel("I (mA)")
    figure.tight_layout()
    return svg(figure)


@styled
def pulse_width(data: PulseWidthCurve) -> str:
    """Density that switches half, against the pulse length."""
    figure, axes = single(6.0, 3.4)
    axes.loglog(data.t_pulse, 1e-11 * data.law, color=BLUE, label="closed law")
    axes.loglog(data.t_pulse, 1e-11 * data.rates, "--", color=GREEN, label="rate law")
    axes.axvspan(float(data.t_pulse.min()), 1e-7, color=GREY, alpha=0.15, linewidth=0)
    axes.text(1.2 * float(data.t_pulse.min()), axes.get_ylim()[0] * 1.05, "no data", fontsize=9, color=GREY)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.set_xlabel("pulse length (s)")
    axes.set_ylabel("J for half switching (10$^{11}$ A/m$^2$)")
    axes.legend(loc="upper right")
    return svg(figure)


@styled
def heat(curves: Sequence[tuple[str, HeatCurve]]) -> str:
    """Channel temperature during a pulse and after it."""
    figure, axes = single(6.0, 3.4)
    for (name, data), colour in zip(curves, (BLUE, GREEN, ORANGE, PURPLE), strict=False):
        axes.semilogx(data.time, data.temperature, color=colour, label=name)
    axes.set_xlabel("time from the start of the pulse (s)")
    axes.set_ylabel("channel temperature (K)")
    axes.legend(loc="upper left", title="current")
    return svg(figure)


@styled
def spread(results: Sequence[tuple[int, Spread]]) -> str:
    """Spread of the switched fraction against the number of independent regions."""
    figure, axes = single(6.0, 3.4)
    regions = [count for count, _ in results]
    axes.loglog(regions, [100 * one.device for _, one in results], "-o", color=BLUE, label="device to device")
    axes.loglog(regions, [100 * one.cycle for _, one in results], "-s", color=ORANGE, label="cycle to cycle")
    axes.set_xlabel("independent regions in the cross")
    axes.set_ylabel("standard deviation (% of window)")
    axes.set_xticks(regions, [str(count) for count in regions])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter("{x:g}")
    axes.legend(loc="upper right")
    return svg(figure)


@styled
def scaling(table: Sequence[ScaledPulse]) -> str:
    """Write energy against the channel width, for each pulse length."""
    figure, axes = single(6.0, 3.4)
    lengths = sorted({one.t_pulse for one in table}, reverse=True)
    for length, colour in zip(lengths, (BLUE, GREEN, ORANGE, PURPLE, GREY), strict=False):
        chosen = sorted((one for one in table if one.t_pulse == length), key=lambda one: one.w_channel)
        widths = [1e6 * one.w_channel for one in chosen]
        axes.loglog(
            widths, [one.energy for one in chosen], "-o", color=colour, label=engineering(length, "s")
        )
    axes.set_xlabel("channel width (µm)")
    axes.set_ylabel("energy of a 68 % pulse (J)")
    axes.legend(loc="upper left", title="pulse length")
    return svg(figure)


@styled
def levels(used: Floats, modelled: Floats, published: Floats, currents: Floats) -> str:
    """Hall resistance of each level, over the ladder pulse that reaches it.

    Parameters
    ----------
    used, modelled, published
        R_xy of the levels in ohm: those the network uses, the model's ladder, the paper's.
    currents
        Pulse currents in ampere; one fewer than levels (the first is the reset state).
    """
    figure, axes = single(6.0, 3.4)
    steps = np.arange(used.size)
    axes.step(steps, used, where="mid", color=GREY, linewidth=1)
    axes.plot(steps, used, "o", color=BLUE, label="levels of the network")
    if modelled.size == used.size:
        axes.plot(steps, modelled, "x", color=ORANGE, markersize=8, label="compact model after each pulse")
    if published.size == used.size and not np.array_equal(published, used):
        axes.plot(steps, published, "+", color=GREEN, markersize=9, label="arXiv:2601.16222")
    labels = ["reset", *(f"{1e3 * current:.4g} mA" for current in currents)]
    axes.set_xticks(steps, labels[: steps.size])
    axes.set_xlabel("state after")
    axes.set_ylabel("Hall resistance R$_{xy}$ (Ω)")
    axes.legend(loc="lower right")
    return svg(figure)
