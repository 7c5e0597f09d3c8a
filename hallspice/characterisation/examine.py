"""`hallspice device` and `hallspice pulse`: a card beside the published facts, and its response to pulses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compact_model import curves, events, limits, scaling, spread, switching, synapse
from compact_model.cards.device import DeviceCard, load_card
from compact_model.cards.inputs import remembered
from compact_model.constants import OERSTED
from compact_model.numeric import Floats
from compact_model.published import facts
from hallspice import results
from hallspice.characterisation import figures
from hallspice.characterisation.page import page_of, say
from hallspice.characterisation.results import DeviceResults, Score
from hallspice.files import staged_folder
from hallspice.page.csv_text import csv_text
from hallspice.progress import SILENT, Reporter

FILES = (
    "scoreboard.csv",
    "levels.csv",
    "loops.csv",
    "fraction.csv",
    "ladder.csv",
    "creep.csv",
    "pulse_width.csv",
    "thickness.csv",
    "protocol.csv",
    "scaling.csv",
    "report.html",
    "figures/*.svg",
)
"""Names of the files in the folder, beside the index."""


LOOP_FIELDS_OE = (-1000.0, -400.0, -200.0, 0.0, 200.0, 400.0, 1000.0)
PUBLISHED_FRACTION = (2.41e11, 0.68)
PUBLISHED_FIELD_FREE = ((0.5, 0.68), (0.7, 0.79))

REGIONS = (400, 100, 36, 9)


@remembered()
def device(
    card: str | Path | DeviceCard | None = None,
    out: str | Path | None = None,
    *,
    progress: Reporter = SILENT,
) -> DeviceResults:
    """Compare a device card with the published facts, and draw its characteristic curves.

    Parameters
    ----------
    card
        File, or what `load_card` has read from one; None: the shipped one.
    out
        Folder for report, tables and ``results.json``; None: nothing is written.
    progress
        Told how far it is, and what was found.
    """
    if not isinstance(card, DeviceCard):
        card = load_card(card)
    with staged_folder(out, names=FILES) as folder:
        progress(0, 3, "device: published facts")
        found = results_of(card)
        progress(1, 3, "device: characteristic curves")
        computed = _curves(card)
        drawn = _figures(card, computed)
        progress(2, 3, "device: report")
        tables = {
            **_tables(computed),
            "scoreboard.csv": results.table_of(Score, found.scoreboard),
            "levels.csv": _csv(events.levels_table(card)),
        }
        written = results.write(folder, found, page=page_of(card, found, drawn), tables=tables)
        progress(3, 3, "device: done")
    if out is None:
        return found
    say(progress, found, Path(out))
    return written


def _csv(rows: Sequence[Mapping[str, object]]) -> str:
    return csv_text(list(rows[0]), [["" if v is None else v for v in row.values()] for row in rows])


def results_of(card: DeviceCard) -> DeviceResults:
    """A card's levels, energies and score."""
    board = facts.scoreboard(card)
    return DeviceResults(
        versions=results.versions_of(),
        warnings=_warnings(card),
        card=card.name,
        levels_ohm=synapse.paper_levels(card).tolist(),
        levels_model_ohm=synapse.model_levels(card).tolist(),
        ladder_a=synapse.ladder_currents(card).tolist(),
        write_energy_j=synapse.ladder_energy(card),
        reset_energy_j=synapse.level_cost(card).reset_energy,
        disturb_onset_a=switching.disturb_onset_current(card),
        scoreboard=[Score.of(result) for result in board],
        counts=dict(Counter(result.status.value for result in board)),
    )


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Curves:
    """Everything that the figures and tables of a device show."""

    loops: curves.Loops
    fraction: curves.FractionCurve
    thickness: curves.ThicknessCurves
    ladder: curves.LadderTrace
    creep: curves.Creep
    protocol: Sequence[curves.PolarityStep]
    pulse_width: curves.PulseWidthCurve
    heat: Sequence[tuple[str, curves.HeatCurve]]
    spread: Sequence[tuple[int, spread.Spread]]
    scaling: Sequence[scaling.ScaledPulse]


def _curves(card: DeviceCard) -> _Curves:
    top = curves.sweep_current(card)
    counts = np.unique(np.geomspace(1, 300, 20).astype(int)).astype(float)
    t_oxide = np.linspace(0.0, card.thickness.xi_gain[-1].t_oxide, 101)
    pulse = card.synapse.t_pulse.value
    return _Curves(
        loops=curves.loops(card, np.array(LOOP_FIELDS_OE) * OERSTED),
        fraction=curves.fraction_curve(card, np.linspace(0.5e11, 5e11, 91)),
        thickness=curves.thickness_curves(card, t_oxide),
        ladder=curves.ladder_trace(card),
        creep=curves.identical_pulses(card, top, counts),
        protocol=curves.polarity_protocol(card),
        pulse_width=curves.pulse_width_curve(card, np.geomspace(3e-9, 1e-2, 40)),
        heat=[
            (f"{1e3 * i:.4g} mA", curves.heat_curve(card, i, pulse))
            for i in synapse.ladder_currents(card)[[0, 2, -1]]
        ],
        spread=[(count, spread.spread_after(card, top, count)) for count in REGIONS],
        scaling=scaling.scaling_table(card),
    )


def _figures(card: DeviceCard, found: _Curves) -> dict[str, str]:
    """Figures by name."""
    return {
        "loops": figures.loops(found.loops),
        "fraction": figures.fraction(found.fraction, PUBLISHED_FRACTION),
        "levels": figures.levels(
            synapse.levels(card),
            synapse.model_levels(card),
            synapse.paper_levels(card),
            synapse.ladder_currents(card),
        ),
        "ladder": figures.ladder(found.ladder),
        "creep": figures.creep(found.creep),
        "protocol": figures.protocol(found.protocol),
        "thickness": figures.thickness(found.thickness, PUBLISHED_FIELD_FREE),
        "pulse_width": figures.pulse_width(found.pulse_width),
        "heat": figures.heat(found.heat),
        "spread": figures.spread(found.spread),
        "scaling": figures.scaling(found.scaling),
    }


def _tables(found: _Curves) -> dict[str, str]:
    """Data of the figures, as CSV by file name."""
    loop, fraction, ladder, creep = found.loops, found.fraction, found.ladder, found.creep
    widths, thick = found.pulse_width, found.thickness
    return {
        "loops.csv": _columns(
            {
                "i_a": loop.current,
                **{
                    f"r_xy_ohm_at_{h:+g}_oe": r
                    for h, r in zip(LOOP_FIELDS_OE, loop.hall_resistance, strict=True)
                },
            }
        ),
        "fraction.csv": _columns({"j_a_m2": fraction.density, "law": fraction.law, "rates": fraction.rates}),
        "ladder.csv": _columns(
            {"i_a": ladder.current, "r_xy_stack_ohm": ladder.stack, "r_xy_rates_ohm": ladder.rates}
        ),
        "creep.csv": _columns({"pulses": creep.count, "law": creep.law, "rates": creep.rates}),
        "pulse_width.csv": _columns(
            {"t_pulse_s": widths.t_pulse, "j_law_a_m2": widths.law, "j_rates_a_m2": widths.rates}
        ),
        "thickness.csv": _columns(
            {
                "t_oxide_m": thick.t_oxide,
                "xi_dl": thick.torque_efficiency,
                "theta_sh": thick.spin_hall_angle,
                "t_int": thick.transparency,
                "k_s_j_m2": thick.interface_anisotropy,
                "rho_ohm_m": thick.resistivity,
                "j_c_a_m2": thick.critical_density,
                "loop_shift": thick.loop_shift,
                "field_free_fraction": thick.field_free_fraction,
                "oxide_share": thick.oxide_share,
            }
        ),
        "protocol.csv": csv_text(
            ["preparation", "sense", "switched"],
            [[s.preparation, s.sense, s.switched] for s in found.protocol],
        ),
        "scaling.csv": _csv([_scaled_row(one) for one in found.scaling]),
    }


def _columns(series: Mapping[str, Floats]) -> str:
    return csv_text(list(series), np.column_stack(list(series.values())).tolist())


def _scaled_row(one: scaling.ScaledPulse) -> dict[str, float]:
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
