"""`hallspice levels` and `hallspice exchange`: levels from repeated ladders, and tables for other simulators."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from compact_model import synapse
from compact_model.cards.device import load_card
from compact_model.fit.fitted_card import card_text
from compact_model.measured import extraction
from compact_model.measured.extraction import LevelTable
from compact_model.measured.reader import load_data
from hallspice import results
from hallspice.files import staged_folder
from hallspice.fitting.results import ExchangeResults, LevelsResults
from hallspice.page.csv_text import csv_text


def describe_levels(source: Path, out: Path, error_rate: float) -> tuple[LevelsResults, list[str]]:
    """Write lookup table, confusion and a suggested ladder or a card; what was found as data and in sentences.

    Parameters
    ----------
    source
        Data set (YAML) with repeated ladders, or a state table (CSV with mean_ohm and sigma_ohm).
    out
        Folder.
    error_rate
        Largest probability that a level is taken for a neighbour.
    """
    plain = source.suffix.lower() == ".csv"
    data = None if plain else load_data(source)
    table = extraction.read_state_table(source) if data is None else extraction.extract_levels(data)
    chosen = table.distinguishable(error_rate)
    rows = table.rows()
    kept = set(chosen.tolist())
    lines = [[*row.values(), k in kept] for k, row in enumerate(rows)]
    tables = {
        "levels.csv": csv_text([*rows[0], "distinguishable"], lines),
        "confusion.csv": _confusion(table),
    }
    ohms = ", ".join(f"{table.mean[k]:.4g}" for k in chosen)
    said = [
        f"{len(table.mean)} states, {len(chosen)} distinguishable at an error rate of {error_rate:g}: {ohms} ohm",
        f"{table.possible(error_rate)} states would fit into this window at the median spread of "
        f"{1e3 * float(np.median(table.sigma)):.3g} mohm",
    ]
    last = "card.yaml" if data is None else "ladder.csv"
    found = LevelsResults(
        states=len(table.mean),
        distinguishable_ohm=table.mean[chosen].tolist(),
        possible_states=table.possible(error_rate),
        error_rate=error_rate,
    )
    if data is None:
        card = extraction.state_table_card(table, source.stem)
        tables[last] = card_text(card)
        said.append(f"{out / last} holds these levels; its write currents are placeholders without physics")
    else:
        levels, currents = extraction.suggested_ladder(data.card, table, error_rate)
        tables[last] = csv_text(
            ["level_ohm", "i_a"],
            [[float(levels[0]), 0.0], *zip(levels[1:].tolist(), currents.tolist(), strict=True)],
        )
        said.append(
            f"{out / last} holds {len(levels)} equally spaced levels and the pulses that reach them by card "
            f"{data.card.name}; cells that creep or differ need verification after writing"
        )
    with staged_folder(out, names=list(tables)) as stage:
        return results.write(stage, found, tables=tables), said


def _confusion(table: LevelTable) -> str:
    if np.any(table.sigma <= 0.0):
        return csv_text(["written"], [])
    names = [f"read_{k}" for k in range(len(table.mean))]
    probability = table.confusion.probability
    return csv_text(["written", *names], [[k, *row] for k, row in enumerate(probability.tolist())])


def exchange(card_path: Path | None, out: Path, pulses: int) -> ExchangeResults:
    """Write a card's levels and pulse response as other simulators take them."""
    card = load_card(card_path)
    response = extraction.pulse_response(card, pulses)
    up = [row["state_up"] for row in response]
    down = [1.0 - row["state_down"] for row in response]
    curvature = extraction.nonlinearity(up)
    levels = synapse.levels(card)
    steps = np.diff(up)
    # The fall of a pulse that starts at the state where the k-th rise starts.
    falls = np.interp(up[:-1], 1.0 - np.array(up[:-1][::-1]), steps[::-1])
    spread = [row["sigma_cycle"] for row in response]
    files = {
        "pulse_response.csv": "# state_up, state_down: 0..1 of the window reached by the largest current, after that"
        " many pulses of rising amplitude from the reset (or the set) state\n"
        + csv_text(list(response[0]), [list(row.values()) for row in response]),
        "levels.csv": "# weight: levels mapped linearly onto -1..1\n"
        + csv_text(
            ["weight", "r_xy_ohm"],
            list(zip(synapse.normalised(levels).tolist(), levels.tolist(), strict=True)),
        ),
        "neurosim.csv": "# quantities of NeuroSim's analogue synapse; x(P) = (1 - exp(-P/A))/(1 - exp(-1/A)), P = share"
        " of pulses\n"
        + csv_text(
            ["quantity", "value", "meaning"],
            [
                ["maxNumLevelLTP", pulses, "pulses from lowest to highest state"],
                ["maxNumLevelLTD", pulses, "pulses from highest to lowest state"],
                ["A_LTP", curvature, "in shares of the pulses; large is linear"],
                ["A_LTD", extraction.nonlinearity(down), "the same for depression"],
                [
                    "sigmaCtoC",
                    float(np.max(spread)),
                    "standard deviation from cycle to cycle, share of the window",
                ],
                [
                    "r_min_ohm",
                    float(levels.min()),
                    "lowest Hall resistance; it has no conductance of its own",
                ],
                ["r_max_ohm", float(levels.max()), "highest Hall resistance"],
                ["writePulseWidth_s", card.synapse.t_pulse.value, "length of a write pulse"],
            ],
        ),
        "aihwkit_steps.csv": "# step of the normalised weight w (-1..1) by the next pulse of rising amplitude, at the"
        " state where it starts, for a piecewise step device; dw_std relative to the step\n"
        + csv_text(
            ["w", "dw_up", "dw_down", "dw_std"],
            [
                [
                    2.0 * up[k] - 1.0,
                    2.0 * float(steps[k]),
                    2.0 * float(falls[k]),
                    _relative(spread[k + 1], steps[k]),
                ]
                for k in range(pulses)
            ],
        ),
    }
    with staged_folder(out, names=list(files)) as stage:
        return results.write(stage, ExchangeResults(pulses=pulses), tables=files)


def _relative(sigma: float, step: float) -> float:
    return sigma / step if step > 0.0 else 0.0
