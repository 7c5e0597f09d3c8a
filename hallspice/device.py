"""`hallspice device` and `hallspice pulse`: a card beside the published facts, and its response to pulses."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table as TerminalTable

from compact_model import curves, events, facts, limits, readout, scaling, spread, stack, switching, synapse
from compact_model.card import DeviceCard, load_card
from compact_model.constants import OERSTED
from compact_model.facts import FactResult, Status
from hallspice import device_figures, figures
from hallspice.files import RESULTS, staged_folder, write_text
from hallspice.page import Answer, Caption, Column, Detail, Page, Section, Table
from hallspice.progress import Reporter
from hallspice.provenance import provenance_entries
from hallspice.tables import csv_text

LOOP_FIELDS_OE = (-1000.0, -400.0, -200.0, 0.0, 200.0, 400.0, 1000.0)
PUBLISHED_FRACTION = (2.41e11, 0.68)
PUBLISHED_FIELD_FREE = ((0.5, 0.68), (0.7, 0.79))
REGIONS = (400, 100, 36, 9)


def examine(card_path: Path | None, out: Path, *, progress: Reporter) -> dict[str, Any]:
    """Compare a card with the published facts and draw its characteristic curves into `out`.

    Returns
    -------
    The content of ``results.json``.
    """
    card = load_card(card_path)
    with staged_folder(out) as folder:
        progress(0, 3, "device: published facts")
        board = facts.scoreboard(card)
        progress(1, 3, "device: characteristic curves")
        drawn, tables = _curves(card)
        progress(2, 3, "device: report")
        results = _results(card, board)
        page = _page(card, results, board, drawn)
        tables["scoreboard.csv"] = _csv([result.row() for result in board])
        tables["levels.csv"] = _csv(events.levels_table(card))
        for name, text in tables.items():
            (folder / name).write_text(text, encoding="utf-8")
        (folder / "figures").mkdir()
        for name, svg in drawn.items():
            (folder / "figures" / f"{name}.svg").write_text(svg, encoding="utf-8")
        (folder / "report.html").write_text(page.html(), encoding="utf-8")
        files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        results["files"] = [*files, RESULTS]
        (folder / RESULTS).write_text(json.dumps(results, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        progress(3, 3, "device: done")
    _say(progress, results, board, out)
    return results


def respond(card_path: Path | None, pulses: Path, out: Path) -> list[events.TracePoint]:
    """Response of the device of a card to the events of a CSV file, written as CSV."""
    card = load_card(card_path)
    trace = events.run_events(card, events.read_events(pulses, card))
    write_text(out, _csv([point.row() for point in trace]))
    return trace


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    return csv_text(list(rows[0]), [["" if v is None else v for v in row.values()] for row in rows])


def _results(card: DeviceCard, board: Sequence[FactResult]) -> dict[str, Any]:
    cost = synapse.write_cost(card)
    return {
        "card": card.name,
        "created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "versions": {"hallspice": version("hallspice")},
        "levels_ohm": synapse.paper_levels(card).tolist(),
        "levels_model_ohm": synapse.model_levels(card).tolist(),
        "ladder_a": synapse.ladder_currents(card).tolist(),
        "write_energy_j": synapse.ladder_energy(card),
        "reset_energy_j": cost.reset_energy,
        "disturb_onset_a": switching.disturb_onset_current(card),
        "scoreboard": [result.row() for result in board],
        "counts": dict(Counter(result.status.value for result in board)),
        "warnings": _warnings(card),
    }


def _warnings(card: DeviceCard) -> list[str]:
    largest = float(synapse.ladder_currents(card).max())
    length = card.synapse.t_pulse.value
    found = [
        f"largest write pulse ({1e3 * largest:.4g} mA): {text}"
        for text in limits.warnings_for(card, largest, length)
    ]
    found.append("below 100 ns the closed law and the rate law part ways, and neither is backed by data.")
    found.append(
        "everything at thicknesses other than 0, 0.5 and 0.7 nm is assumed; the tables below say which numbers are."
    )
    return found


def _curves(card: DeviceCard) -> tuple[dict[str, str], dict[str, str]]:
    """Figures by name, and the CSV tables of their data by file name."""
    density = np.linspace(0.5e11, 5e11, 91)
    fields = np.array(LOOP_FIELDS_OE) * OERSTED
    t_oxide = np.linspace(0.0, card.thickness.xi_gain[-1].t_oxide, 101)
    lengths = np.geomspace(3e-9, 1e-2, 40)
    loop, fraction = curves.loops(card, fields), curves.fraction_curve(card, density)
    thick, trace = curves.thickness_curves(card, t_oxide), curves.ladder_trace(card)
    top = curves.sweep_current(card)
    creep = curves.identical_pulses(card, top, np.unique(np.geomspace(1, 300, 20).astype(int)).astype(float))
    steps, widths = curves.polarity_protocol(card), curves.pulse_width_curve(card, lengths)
    pulse = card.synapse.t_pulse.value
    heats = [
        (f"{1e3 * i:.4g} mA", curves.heat_curve(card, i, pulse))
        for i in synapse.ladder_currents(card)[[0, 2, -1]]
    ]
    spreads = [(count, spread.spread_after(card, top, count)) for count in REGIONS]
    scaled = scaling.scaling_table(card)
    drawn = {
        "loops": device_figures.loops(loop),
        "fraction": device_figures.fraction(fraction, PUBLISHED_FRACTION),
        "levels": figures.levels(
            synapse.levels(card),
            synapse.model_levels(card),
            synapse.paper_levels(card),
            synapse.ladder_currents(card),
        ),
        "ladder": device_figures.ladder(trace),
        "creep": device_figures.creep(creep),
        "protocol": device_figures.protocol(steps),
        "thickness": device_figures.thickness(thick, PUBLISHED_FIELD_FREE),
        "pulse_width": device_figures.pulse_width(widths),
        "heat": device_figures.heat(heats),
        "spread": device_figures.spread(spreads),
        "scaling": device_figures.scaling(scaled),
    }
    loop_header = ["i_a", *(f"r_xy_ohm_at_{h:+g}_oe" for h in LOOP_FIELDS_OE)]
    tables = {
        "loops.csv": csv_text(loop_header, np.column_stack([loop.current, *loop.hall_resistance]).tolist()),
        "fraction.csv": _columns(j_a_m2=fraction.density, law=fraction.law, rates=fraction.rates),
        "ladder.csv": _columns(i_a=trace.current, r_xy_stack_ohm=trace.stack, r_xy_rates_ohm=trace.rates),
        "creep.csv": _columns(pulses=creep.count, law=creep.law, rates=creep.rates),
        "pulse_width.csv": _columns(
            t_pulse_s=widths.t_pulse, j_law_a_m2=widths.law, j_rates_a_m2=widths.rates
        ),
        "thickness.csv": _columns(
            t_oxide_m=thick.t_oxide,
            xi_dl=thick.torque_efficiency,
            theta_sh=thick.spin_hall_angle,
            t_int=thick.transparency,
            k_s_j_m2=thick.interface_anisotropy,
            rho_ohm_m=thick.resistivity,
            j_c_a_m2=thick.critical_density,
            loop_shift=thick.loop_shift,
            field_free_fraction=thick.field_free_fraction,
            oxide_share=thick.oxide_share,
        ),
        "protocol.csv": csv_text(
            ["preparation", "sense", "switched"], [[s.preparation, s.sense, s.switched] for s in steps]
        ),
        "scaling.csv": _csv([_scaled_row(one) for one in scaled]),
    }
    return drawn, tables


def _columns(**series: Any) -> str:
    return csv_text(list(series), np.column_stack(list(series.values())).tolist())


def _scaled_row(one: scaling.ScaledPulse) -> dict[str, Any]:
    return {
        "w_channel_m": one.w_channel,
        "t_pulse_s": one.t_pulse,
        "j_a_m2": one.density,
        "i_a": one.current,
        "v_v": one.voltage,
        "energy_j": one.energy,
        "temperature_rise_k": one.temperature_rise,
        "regions": one.regions,
        "device_spread": one.device_spread,
        "read_step_v": one.read_step,
        "read_time_s": one.read_time,
    }


def _page(
    card: DeviceCard, results: dict[str, Any], board: Sequence[FactResult], drawn: dict[str, str]
) -> Page:
    counts = results["counts"]
    passed = counts.get(Status.PASS.value, 0)
    others = ", ".join(f"{count} {name}" for name, count in counts.items() if name != Status.PASS.value)
    step = float(np.diff(synapse.paper_levels(card)).min())
    return Page(
        title=f"device {card.name}",
        question="Does the compact model agree with the published device?",
        subtitle=f"{card.description}. Card {card.name}, hallspice {results['versions']['hallspice']}, "
        f"{results['created']}.",
        answers=[
            Answer(
                "facts met",
                f"{passed} of {len(board)}",
                f"others: {others}" if others else "lines of the scoreboard",
            ),
            Answer("six states", f"{1e3 * _state_error(card):.1f} mΩ", "largest difference from the paper"),
            Answer(
                "all levels written",
                figures.engineering(synapse.ladder_energy(card), "J"),
                "the paper states 87.5 µJ",
            ),
            Answer(
                "read disturb begins",
                figures.engineering(results["disturb_onset_a"], "A"),
                f"pulses of {figures.engineering(card.synapse.t_pulse.value, 's')}",
            ),
            Answer(
                "smallest step at 1 mA",
                figures.engineering(1e-3 * step, "V"),
                f"six sigma up to {figures.engineering(float(readout.step_bandwidth(card, 1e-3, step)), 'Hz')}",
            ),
        ],
        sentences=[
            "Each line of the scoreboard is one statement of the paper, the model's number for it, and what agreement "
            "is worth: 'input' was put in, 'fit constraint' was fitted, 'chosen' rests on assumed anchors or rules, "
            "'result' follows from the rest. Sets A and B are parameter sets of the switching law: A holds the heating "
            "of a 200 us pulse in its scale, B computes it."
        ],
        warnings=results["warnings"],
        sections=[
            Section(
                "Switching",
                figures=[
                    Caption(
                        "loops",
                        "Hall resistance against pulse current under applied fields; closed second cycles.",
                        wide=True,
                    ),
                    Caption(
                        "fraction",
                        "Fraction switched by one write pulse without field, from the reset state.",
                    ),
                    Caption("pulse_width", "Density that switches half. Grey: outside of what data support."),
                    Caption(
                        "heat",
                        "Channel temperature through a write pulse and after it, by the thermal network.",
                    ),
                ],
            ),
            Section(
                "Synapse",
                figures=[
                    Caption("levels", "Levels after the reset and each pulse of the ladder."),
                    Caption("ladder", "Ladder up and down, twice: exact memory closes, the rate law creeps."),
                    Caption(
                        "creep",
                        f"Equal pulses of {1e3 * curves.sweep_current(card):.4g} mA: only the logarithm of n counts.",
                    ),
                    Caption(
                        "spread",
                        "Spread of the fraction at 2.41e11 A/m2, by the number of independent regions.",
                    ),
                ],
            ),
            Section(
                "Polarity test",
                text=["Loops without field after each preparation, in the published order."],
                figures=[
                    Caption(
                        "protocol",
                        "Magnetisation against pulse current; the colour is the sense of the loop.",
                        wide=True,
                    )
                ],
            ),
            Section(
                "Thickness",
                text=[
                    "Measured are 0, 0.5 and 0.7 nm (and signs elsewhere); the rest is interpolated between assumed "
                    "anchors that a CSV of your own can replace."
                ],
                figures=[Caption("thickness", "Orange squares: arXiv:2601.16222.", wide=True)],
            ),
            _scaling(card),
            _scoreboard(board),
            Section(
                "Where the numbers come from",
                details=[
                    Detail(
                        f"Card {card.name}",
                        table=Table(
                            [
                                Column(n, n == "value")
                                for n in ("name", "value", "unit", "provenance", "source")
                            ],
                            [list(entry.values()) for entry in provenance_entries(card)],
                        ),
                    )
                ],
            ),
        ],
        figures=drawn,
    )


def _state_error(card: DeviceCard) -> float:
    return float(np.abs(synapse.model_levels(card) - synapse.paper_levels(card)).max())


def _scoreboard(board: Sequence[FactResult]) -> Section:
    names = ("#", "paper", "model quantity", "set", "model", "tolerance", "outcome", "standing", "note")
    rows = [
        [
            str(result.fact.number),
            result.fact.paper,
            result.fact.quantity,
            result.switching,
            result.value,
            result.fact.tolerance,
            result.status.value,
            result.fact.standing.value,
            result.fact.note,
        ]
        for result in board
    ]
    return Section("Scoreboard", tables=[Table([Column(name) for name in names], rows)])


def _scaling(card: DeviceCard) -> Section:
    rows = [
        [
            figures.engineering(one.w_channel, "m"),
            figures.engineering(one.t_pulse, "s"),
            f"{1e-11 * one.density:.2f}",
            figures.engineering(one.current, "A"),
            figures.engineering(one.voltage, "V"),
            figures.engineering(one.energy, "J"),
            f"{one.temperature_rise:.0f}",
            str(one.regions),
            figures.engineering(one.read_step, "V"),
            figures.engineering(one.read_time, "s"),
        ]
        for one in scaling.scaling_table(card)
    ]
    heads = (
        "width",
        "pulse",
        "density (1e11 A/m²)",
        "current",
        "voltage",
        "energy",
        "heating (K)",
        "regions",
        "read step",
        "6 sigma read",
    )
    resistance = float(stack.channel_resistance(card))
    return Section(
        "Scaling",
        text=[
            f"Same stack, length over width and resistance ({resistance:.4g} ohm); pulses that switch 68 %. The energy "
            "falls with the square of the width; the number of regions, and with it the number of levels, falls too."
        ],
        tables=[Table([Column(head, True) for head in heads], rows)],
        figures=[Caption("scaling", "Energy of one pulse that switches 68 %.")],
    )


def _say(progress: Reporter, results: dict[str, Any], board: Sequence[FactResult], out: Path) -> None:
    table = TerminalTable(title=f"Card {results['card']} beside the published facts", title_justify="left")
    for name in ("#", "paper", "model", "set", "tolerance", "outcome"):
        table.add_column(name)
    for result in board:
        table.add_row(
            str(result.fact.number),
            result.fact.paper,
            result.value,
            result.switching,
            result.fact.tolerance,
            result.status.value,
        )
    progress.say(table)
    counts = ", ".join(f"{number} {name}" for name, number in results["counts"].items())
    progress.say(f"{len(board)} lines: {counts}")
    progress.say(f"Report: {out / 'report.html'}")
