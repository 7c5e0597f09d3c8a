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

from compact_model import curves, events, limits, scaling, spread, switching, synapse
from compact_model.cards.device import DeviceCard, load_card
from compact_model.constants import OERSTED
from compact_model.published import facts
from compact_model.published.facts import FactResult
from hallspice.characterisation import figures
from hallspice.characterisation.page import page_of, say
from hallspice.files import RESULTS, staged_folder, write_text
from hallspice.page.tables import csv_text
from hallspice.progress import Reporter

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
        page = page_of(card, results, board, drawn)
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
    say(progress, results, board, out)
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
    cost = synapse.level_cost(card)
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
        "loops": figures.loops(loop),
        "fraction": figures.fraction(fraction, PUBLISHED_FRACTION),
        "levels": figures.levels(
            synapse.levels(card),
            synapse.model_levels(card),
            synapse.paper_levels(card),
            synapse.ladder_currents(card),
        ),
        "ladder": figures.ladder(trace),
        "creep": figures.creep(creep),
        "protocol": figures.protocol(steps),
        "thickness": figures.thickness(thick, PUBLISHED_FIELD_FREE),
        "pulse_width": figures.pulse_width(widths),
        "heat": figures.heat(heats),
        "spread": figures.spread(spreads),
        "scaling": figures.scaling(scaled),
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
