"""`hallspice write`: program an array of levels, in the compact model or in a loop around ngspice."""

from __future__ import annotations

import dataclasses
import json
import math
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from circuits import ngspice
from circuits.select_mosfet import SelectMosfet, load_select_mosfet
from circuits.write_config import Order, WriteConfig, schemes
from circuits.write_deck import Devices, Timing
from circuits.write_disturb import Disturb, disturb, worst_pattern
from circuits.write_network import PARTS, WriteSolver
from circuits.write_plant import ModelPlant, Plant
from circuits.write_spice import SpicePlant
from circuits.write_verify import VERIFY, Algorithm, Outcome, Verdict, program
from compact_model import limits, stack, synapse, thermal
from compact_model.hallbar import hall_bar
from compact_model.quantity import Quantity
from hallspice import write_figures
from hallspice.figures import engineering
from hallspice.files import RESULTS, staged_folder
from hallspice.page import Answer, Caption, Column, Page, Section, Table
from hallspice.programming import Writing, drawn_faults, writing
from hallspice.progress import Reporter
from hallspice.setup import Setup, load_setup
from hallspice.tables import csv_text, read_matrix
from hallspice.write_netlist import ladder_deck
from veriloga.model import cell_model
from veriloga.programs import COMPILER, compiled, find_program
from veriloga.subcircuit import Dialect, subcircuit
from veriloga.verilog_a import verilog_a

Floats = npt.NDArray[np.float64]

LARGEST_IN_NGSPICE = 1024
"""Cells of an array that is written in ngspice."""

DRAFT_GRAINS = 12
"""Grains of the subcircuit that stands in for the compiled module, from `DRAFT_CELLS` cells on."""

DRAFT_CELLS = 16

STUDIED = 8
"""Rows and columns of the array on which the disturb of all schemes is compared."""

KEPT_DECKS = 32
"""Decks that are kept of a loop around ngspice."""


def write_array(
    config: Path, levels: Path, out: Path, *, use_ngspice: bool, seed: int | None, progress: Reporter
) -> dict[str, Any]:
    """Program an array and write the results into `out`.

    Parameters
    ----------
    config
        YAML configuration; sections `device`, `array` (its size is that of the levels) and `write`.
    levels
        CSV of wanted Hall resistances in ohm, rows x columns.
    out
        Folder.
    use_ngspice
        Close the loop around ngspice instead of the compact model.
    seed, progress
        Replaces the configuration's; what is done so far.

    Returns
    -------
    The content of ``results.json``.
    """
    setup = load_setup(config, seed, network=False)
    low = setup.card.hall.r_reset.value
    high = low + synapse.window(setup.card)
    target = read_matrix(levels, Quantity("ohm", "a level", low=low * (1 - 1e-9), below=high))
    device = cell_model(setup.card).device if use_ngspice else hall_bar(setup.card)
    plan = writing(setup, device)
    rows, columns = target.shape
    solver = WriteSolver(rows, columns, plan.config)
    plant: Plant
    with staged_folder(out) as folder, tempfile.TemporaryDirectory(prefix="hallspice-") as scratch:
        (folder / "netlists").mkdir()
        if use_ngspice:
            plan, plant = _spice_plant(setup, plan, solver, folder / "netlists", Path(scratch), config.parent)
        else:
            if setup.config.write.select != "switch":
                raise ValueError(
                    f"write.select = {setup.config.write.select!r}: transistors are solved in ngspice only; "
                    "allowed here: 'switch', or --engine ngspice"
                )
            generator = np.random.default_rng([setup.config.seed, 2])
            plant = ModelPlant(
                solver=solver,
                device=device,
                t_pulse=plan.t_pulse,
                compensated=setup.config.write.compensated,
                faults=drawn_faults(setup, target.shape, generator),
                generator=generator,
            )
            deck = ladder_deck(setup, plan, solver, plan.ladder.currents[:1])
            (folder / "netlists" / "first_pulse.cir").write_text(deck, encoding="utf-8")
        count = plan.recipe.max_pulses
        outcome = program(
            plant,
            target,
            plan.recipe,
            plan.curve,
            plan.ladder,
            plan.config.v_compliance,
            np.random.default_rng([setup.config.seed, 1]),
            lambda done, _: progress(min(done, count), count, "writing: rounds of pulses"),
        )
        progress(count, count, "writing: done")
        one, schemes_table = _disturb_study(setup, plan, solver, progress)
        results = _results(config, setup, plan, outcome, one, schemes_table, use_ngspice, plant)
        _save(folder, results, outcome, one, plan)
    _say(progress, results, out)
    return results


def _spice_plant(
    setup: Setup, plan: Writing, solver: WriteSolver, folder: Path, scratch: Path, cards: Path
) -> tuple[Writing, SpicePlant]:
    faults = setup.config.write.faults
    if any(faults.model_dump().values()):
        raise ValueError("write.faults: the loop around ngspice knows no faults; allowed: --engine model")
    cells = solver.shape[0] * solver.shape[1]
    if cells > LARGEST_IN_NGSPICE:
        raise ValueError(
            f"{cells} cells to write in ngspice, allowed: at most {LARGEST_IN_NGSPICE} (a transient per pulse); "
            "take --engine model"
        )
    simulator = ngspice.find_simulator()
    today = datetime.now(UTC).date()
    model, module, text = cell_model(setup.card), None, ""
    if simulator.osdi and find_program(COMPILER) is not None:
        source = scratch / "sot_hallbar.va"
        source.write_text(verilog_a(model, today), encoding="utf-8")
        module = compiled(source, source.with_suffix(".osdi"))
        (folder / source.name).write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    else:
        if cells > DRAFT_CELLS:
            model = cell_model(setup.card, DRAFT_GRAINS, largest_error=0.1)
        text = subcircuit(model, Dialect.NGSPICE, today)

    def keep(number: int, deck: str) -> None:
        if number <= KEPT_DECKS:
            (folder / f"pulse_{number:04d}.cir").write_text(deck, encoding="utf-8")

    device = model.device
    plant = SpicePlant(
        solver=solver,
        weight=device.bank.weight,
        r_reset=device.r_reset,
        delta_r=device.law.delta_r,
        timing=Timing(t_pulse=plan.t_pulse, t_read=setup.periphery.read.t_read.value),
        devices=Devices(subcircuit=text, ambient=setup.card.thermal.ambient.value),
        module=module,
        i_read=plan.i_read,
        compensated=setup.config.write.compensated,
        select=_select(setup.config.write.select, cards),
        keep=keep,
    )
    return dataclasses.replace(plan, device=device), plant


def _select(name: str, folder: Path) -> SelectMosfet | None:
    if name == "switch":
        return None
    return load_select_mosfet(None if name == "mosfet" else folder / name)


def _disturb_study(
    setup: Setup, plan: Writing, solver: WriteSolver, progress: Reporter
) -> tuple[Disturb, list[dict[str, Any]]]:
    """The map of one write in the middle of the array; all schemes of the architecture on a small array."""
    middle = np.zeros(solver.shape)
    middle[solver.shape[0] // 2, solver.shape[1] // 2] = plan.ladder.currents[-1]
    cell_order = dataclasses.replace(plan.config, order=Order.CELL)
    own = solver if plan.config.order is Order.CELL else WriteSolver(*solver.shape, cell_order)
    device = hall_bar(setup.card)
    one = disturb(own, device, plan.t_pulse, middle)
    rows = []
    size = (min(solver.shape[0], STUDIED), min(solver.shape[1], STUDIED))
    allowed = schemes(plan.config.architecture)
    for number, scheme in enumerate(allowed):
        progress(number, len(allowed), f"disturb: {scheme}")
        config = dataclasses.replace(cell_order, scheme=scheme)
        study = WriteSolver(*size, config)
        current = float(plan.ladder.currents[-1])
        pattern = worst_pattern(
            study, device, plan.t_pulse, current, np.random.default_rng([setup.config.seed, 3])
        )
        needed = current / float(study.conductance.min())
        movement = pattern.movement
        rows.append(
            {
                "scheme": str(scheme),
                "used": scheme is plan.config.scheme,
                "pattern": pattern.name,
                "victim": list(pattern.victim),
                "moved": movement,
                "moved_ohm": movement * plan.device.law.delta_r,
                "needed_v": needed,
                "usable": bool(
                    movement * plan.device.law.delta_r < plan.recipe.tolerance
                    and needed <= config.v_compliance
                ),
            }
        )
    progress(len(allowed), len(allowed), "disturb: done")
    return one, rows


def _results(
    config: Path,
    setup: Setup,
    plan: Writing,
    outcome: Outcome,
    one: Disturb,
    schemes_table: list[dict[str, Any]],
    use_ngspice: bool,
    plant: Plant,
) -> dict[str, Any]:
    rows, columns = outcome.target.shape
    given_up = [
        {
            "row": row,
            "column": column,
            "target_ohm": float(outcome.target[row, column]),
            "achieved_ohm": float(outcome.achieved[row, column]),
            "pulses": int(outcome.pulses[row, column]),
            "needed_v": float(outcome.needed_volts[row, column]),
            "reason": Verdict(outcome.verdict[row, column]).text,
        }
        for row, column in np.argwhere(~outcome.written).tolist()
    ]
    largest = float(outcome.largest_current.max())
    energy = {"total": math.fsum(outcome.energy.values()), **outcome.energy}
    engine: dict[str, Any] = {"name": "model"}
    if isinstance(plant, SpicePlant):
        engine = {
            "name": "ngspice",
            "version": ngspice.find_simulator().version,
            "device": "subcircuit" if plant.module is None else "compiled Verilog-A module",
            "grains": len(plant.weight),
            "transients": plant.phases,
            "source_energy_j": plant.source_energy,
        }
    return {
        "config": setup.config.model_dump(mode="json"),
        "config_file": config.name,
        "seed": setup.config.seed,
        "created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "versions": {"hallspice": version("hallspice"), "numpy": version("numpy")},
        "engine": engine,
        "array": {"rows": rows, "columns": columns, **_texts(plan.config)},
        "recipe": {
            key: str(value) if isinstance(value, str) else value
            for key, value in dataclasses.asdict(plan.recipe).items()
        },
        "cells": int(outcome.target.size),
        "written": int(outcome.written.sum()),
        "yield": float(outcome.written.mean()),
        "yield_against_tolerance": _yields(outcome),
        "largest_error_ohm": float(np.abs(outcome.error).max()),
        "pulses_per_cell": float(outcome.pulses.mean()),
        "resets": int(outcome.resets.sum()),
        "energy_j": energy,
        "time_s": outcome.time,
        "largest_current_a": largest,
        "largest_current_density_a_m2": float(stack.current_density(setup.card, largest)),
        "peak_temperature_k": float(thermal.pulse_temperature(setup.card, largest, plan.t_pulse)),
        "given_up": given_up,
        "disturb": {"one_write_largest": one.worst, "schemes": schemes_table},
        "warnings": _warnings(setup, plan, outcome, schemes_table, use_ngspice),
    }


def _texts(config: WriteConfig) -> dict[str, Any]:
    return {
        key: str(value) if isinstance(value, str) else value
        for key, value in dataclasses.asdict(config).items()
    }


def _yields(outcome: Outcome) -> list[dict[str, float]]:
    error = np.abs(outcome.error)
    return [
        {"tolerance_ohm": limit, "yield": float((error <= limit).mean())}
        for limit in (1e-3, 2e-3, 4e-3, 6e-3, 1e-2, 2e-2)
    ]


def _warnings(
    setup: Setup,
    plan: Writing,
    outcome: Outcome,
    schemes_table: list[dict[str, Any]],
    use_ngspice: bool,
) -> list[str]:
    largest = float(outcome.largest_current.max())
    found = limits.warnings_for(setup.card, largest, plan.t_pulse) if largest else []
    used = next(row for row in schemes_table if row["used"])
    if not used["usable"]:
        better = [row["scheme"] for row in schemes_table if row["usable"]]
        found.append(
            f"{used['scheme']}: the worst pattern ({used['pattern']}) moves a kept cell by "
            f"{100 * used['moved']:.2g} % of the window, {1e3 * used['moved_ohm']:.2g} mohm, and the driver needs "
            f"{used['needed_v']:.3g} V (it gives {plan.config.v_compliance:g} V); usable here: "
            f"{', '.join(better) or 'no scheme'}."
        )
    if plan.config.order is Order.ROW:
        total = max(float(round_.sum(axis=1).max()) for round_ in outcome.rounds) if outcome.rounds else 0.0
        found.append(
            f"a row at once carries up to {total:.3g} A: its wire and its return switch must be made for that."
        )
    if plan.recipe.field_reset:
        found.append(
            "the first reset is a saturating field; its energy is outside the device and not counted."
        )
    if plan.recipe.algorithm is not Algorithm.VERIFY:
        found.append("nothing is read while writing: the ladder trusts the device.")
    if use_ngspice:
        found.append("verify reads in ngspice are plateaus without noise; the controller adds the noise.")
    return found


def _save(folder: Path, results: dict[str, Any], outcome: Outcome, one: Disturb, plan: Writing) -> None:
    columns = outcome.target.shape[1]
    maps = {
        "achieved": ("r_column_{}_ohm", outcome.achieved),
        "error": ("error_column_{}_ohm", outcome.error),
        "pulses": ("pulses_column_{}", outcome.pulses),
        "disturb_current": ("i_column_{}_a", one.current),
        "disturb_moved": ("moved_column_{}", np.maximum(one.from_reset, one.from_set)),
    }
    for name, (head, values) in maps.items():
        table = csv_text([head.format(column) for column in range(columns)], values.tolist())
        (folder / f"{name}.csv").write_text(table, encoding="utf-8")
    names = ["row", "column", "target_ohm", "achieved_ohm", "pulses", "needed_v", "reason"]
    rows = [list(cell.values()) for cell in results["given_up"]]
    (folder / "given_up.csv").write_text(csv_text(names, rows), encoding="utf-8")
    parts = [(part, results["energy_j"][part]) for part in (*PARTS, VERIFY)]
    (folder / "energy.csv").write_text(csv_text(["part", "energy_j"], parts), encoding="utf-8")
    drawn = {
        "errors": write_figures.errors(outcome.error, plan.recipe.tolerance, ~outcome.written),
        "pulses": write_figures.pulses(outcome.pulses),
        "disturb": write_figures.disturb(one.current, np.maximum(one.from_reset, one.from_set), one.written),
    }
    (folder / "figures").mkdir()
    for name, svg in drawn.items():
        (folder / "figures" / f"{name}.svg").write_text(svg, encoding="utf-8")
    (folder / "report.html").write_text(_page(results, drawn), encoding="utf-8")
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    results["files"] = [*files, RESULTS]
    (folder / RESULTS).write_text(json.dumps(results, indent=1, allow_nan=False) + "\n", encoding="utf-8")


_WHERE = {
    "cells": "channels of the cells, written and half-selected",
    "select": "select devices",
    "wires": "row and column wires, and what leaks through switches of other rows",
    "drivers": "row drivers, and what they take beyond what they deliver",
    VERIFY: "verify reads",
}
"""Where each part of the energy of writing goes."""


def _page(results: Mapping[str, Any], figures: Mapping[str, str]) -> str:
    array, energy = results["array"], results["energy_j"]
    total = energy["total"] or 1.0
    energy_rows = [
        [part, engineering(energy[part], "J"), f"{100 * energy[part] / total:.3g} %", _WHERE[part]]
        for part in (*PARTS, VERIFY)
    ]
    energy_rows.append(["total", engineering(energy["total"], "J"), "100 %", ""])
    largest = max(_WHERE, key=lambda part: energy[part])
    yields = [
        [engineering(row["tolerance_ohm"], "Ω"), f"{100 * row['yield']:.2f} %"]
        for row in results["yield_against_tolerance"]
    ]
    scheme_rows = [
        [
            row["scheme"] + (" (used)" if row["used"] else ""),
            row["pattern"],
            f"{100 * row['moved']:.3g} %",
            f"{row['needed_v']:.3g} V",
            "yes" if row["usable"] else "no",
        ]
        for row in results["disturb"]["schemes"]
    ]
    given_up = [
        [
            f"({cell['row']}, {cell['column']})",
            f"{cell['target_ohm']:.4f}",
            f"{cell['achieved_ohm']:.4f}",
            str(cell["pulses"]),
            f"{cell['needed_v']:.3g}",
            cell["reason"],
        ]
        for cell in results["given_up"][:200]
    ]
    sections = [
        Section(
            "Cells",
            text=[
                f"Recipe: {results['recipe']['algorithm']}, tolerance "
                f"{engineering(results['recipe']['tolerance'], 'Ω')}, read noise "
                f"{engineering(results['recipe']['read_noise'], 'Ω')}; {results['resets']} resets by pulse. Below, the "
                "true states: a cell that a noisy read accepts may lie a little outside the tolerance."
            ],
            tables=[Table([Column("within"), Column("of the cells", True)], yields)],
            figures=[
                Caption("errors", "Achieved minus wanted Hall resistance."),
                Caption("pulses", "Write pulses per cell."),
            ],
        ),
        Section(
            "Energy and time",
            text=[f"{engineering(results['time_s'], 's')} of pulses and verify reads, one after another."],
            tables=[
                Table(
                    [Column("part"), Column("energy", True), Column("share", True), Column("where it goes")],
                    energy_rows,
                    total=True,
                )
            ],
        ),
        Section(
            "Disturb",
            text=[
                "What the other cells get when the cell in the middle is written to the highest level; below, the "
                f"worst pattern that was found on at most {STUDIED} x {STUDIED} cells, in every scheme of the array."
            ],
            tables=[
                Table(
                    [
                        Column("scheme"),
                        Column("worst pattern written"),
                        Column("kept cell moves", True),
                        Column("driver needs", True),
                        Column("usable"),
                    ],
                    scheme_rows,
                )
            ],
            figures=[Caption("disturb", "One write: current and movement of the other cells.", wide=True)],
        ),
    ]
    if given_up:
        head = ["cell", "wanted (ohm)", "achieved (ohm)", "pulses", "last pulse needs (V)", "why"]
        sections.append(
            Section(
                "Cells given up",
                tables=[Table([Column(text, text not in ("cell", "why")) for text in head], given_up)],
            )
        )
    page = Page(
        title="written array",
        question=f"What does it take to write {array['rows']} x {array['columns']} cells with {array['scheme']}?",
        subtitle=f"{array['architecture']}, order {array['order']}, engine {results['engine']['name']}, seed "
        f"{results['seed']}, hallspice {results['versions']['hallspice']}, {results['created']}.",
        answers=[
            Answer(
                "cells written", f"{results['written']} / {results['cells']}", "within the tolerance, as read"
            ),
            Answer("pulses per cell", f"{results['pulses_per_cell']:.2f}", "write pulses, mean"),
            Answer("energy", engineering(energy["total"], "J"), "drivers and verify reads"),
            Answer("time", engineering(results["time_s"], "s"), "one after another"),
            Answer("peak temperature", f"{results['peak_temperature_k']:.0f} K", "of a channel"),
        ],
        sentences=[
            f"{100 * energy[largest] / total:.3g} % of the energy goes into '{largest}': {_WHERE[largest]}.",
            f"{results['cells'] - results['written']} cells are given up.",
        ],
        warnings=results["warnings"],
        sections=sections,
        figures=figures,
    )
    return page.html()


def _say(progress: Reporter, results: Mapping[str, Any], out: Path) -> None:
    progress.say(
        f"{results['written']} of {results['cells']} cells written, {results['pulses_per_cell']:.2f} pulses per cell, "
        f"{engineering(results['energy_j']['total'], 'J')}, {engineering(results['time_s'], 's')}, largest error "
        f"{1e3 * results['largest_error_ohm']:.2f} mohm."
    )
    for cell in results["given_up"][:10]:
        progress.say(
            f"Given up: cell ({cell['row']}, {cell['column']}), wanted {cell['target_ohm']:.4f} ohm, has "
            f"{cell['achieved_ohm']:.4f}: {cell['reason']} (last pulse needs {cell['needed_v']:.3g} V)."
        )
    if len(results["given_up"]) > 10:
        progress.say(f"... and {len(results['given_up']) - 10} more, in given_up.csv.")
    progress.say(f"Report: {out / 'report.html'}")
