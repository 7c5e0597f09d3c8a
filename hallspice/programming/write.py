"""`hallspice write`: program an array of levels, in the compact model or in a loop around ngspice."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from circuits.spice import engine
from circuits.spice.devices import Devices
from circuits.write.circuit import PARTS
from circuits.write.deck import Timing
from circuits.write.disturb import Disturb, disturb, worst_pattern
from circuits.write.plant import ModelPlant, Plant
from circuits.write.scheme import Order, schemes
from circuits.write.select_mosfet import SelectMosfet, load_select_mosfet
from circuits.write.solver import WriteSolver
from circuits.write.spice_plant import SpicePlant
from circuits.write.write_verify import VERIFY, Outcome, program
from circuits.write.writing import Writing
from compact_model import synapse
from compact_model.cards.csv_table import read_matrix
from compact_model.cards.quantity import Quantity
from compact_model.hallbar import hall_bar
from hallspice.config.load import load_setup
from hallspice.config.setup import Setup
from hallspice.files import RESULTS, staged_folder
from hallspice.page.tables import csv_text
from hallspice.programming import figures
from hallspice.programming.page import page_of, say
from hallspice.programming.plan import drawn_faults, writing
from hallspice.programming.pulse_netlist import ladder_deck
from hallspice.programming.results import STUDIED, results_of
from hallspice.progress import Reporter
from veriloga.dialects import Dialect
from veriloga.model import cell_model
from veriloga.programs import COMPILER, compiled, find_program
from veriloga.subcircuit import subcircuit_text
from veriloga.verilog_a import verilog_a_text

LARGEST_IN_NGSPICE = 1024
"""Cells of an array that is written in ngspice."""

DRAFT_GRAINS = 12
"""Grains of the subcircuit that stands in for the compiled module, from `DRAFT_CELLS` cells on."""

DRAFT_CELLS = 16


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
        results = results_of(config, setup, plan, outcome, one, schemes_table, use_ngspice, plant)
        _save(folder, results, outcome, one, plan)
    say(progress, results, out)
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
    simulator = engine.find_simulator()
    today = datetime.now(UTC).date()
    model, module, text = cell_model(setup.card), None, ""
    if simulator.osdi and find_program(COMPILER) is not None:
        source = scratch / "sot_hallbar.va"
        source.write_text(verilog_a_text(model, today), encoding="utf-8")
        module = compiled(source, source.with_suffix(".osdi"))
        (folder / source.name).write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    else:
        if cells > DRAFT_CELLS:
            model = cell_model(setup.card, DRAFT_GRAINS, largest_error=0.1)
        text = subcircuit_text(model, Dialect.NGSPICE, today)

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
        "errors": figures.errors(outcome.error, plan.recipe.tolerance, ~outcome.written),
        "pulses": figures.pulses(outcome.pulses),
        "disturb": figures.disturb(one.current, np.maximum(one.from_reset, one.from_set), one.written),
    }
    (folder / "figures").mkdir()
    for name, svg in drawn.items():
        (folder / "figures" / f"{name}.svg").write_text(svg, encoding="utf-8")
    (folder / "report.html").write_text(page_of(results, drawn), encoding="utf-8")
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    results["files"] = [*files, RESULTS]
    (folder / RESULTS).write_text(json.dumps(results, indent=1, allow_nan=False) + "\n", encoding="utf-8")
