"""`hallspice write`: program an array of levels, in the compact model or in a loop around ngspice."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from circuits.spice import engine
from circuits.write.deck import Timing, switching_devices
from circuits.write.disturb import Disturb, disturb, worst_pattern
from circuits.write.plant import Plant
from circuits.write.scheme import BiasScheme, Order, schemes
from circuits.write.select_mosfet import SelectMosfet, load_select_mosfet
from circuits.write.solver import WriteSolver
from circuits.write.spice_plant import SpicePlant
from circuits.write.write_verify import WriteOutcome
from circuits.write.writing import Writing
from compact_model import synapse
from compact_model.cards.csv_table import read_matrix
from compact_model.cards.inputs import remembered
from compact_model.cards.quantity import Quantity
from compact_model.cards.storage import scratch_folder
from compact_model.hallbar import hall_bar
from compact_model.numeric import Floats
from hallspice import results
from hallspice.config.demand import Demand
from hallspice.config.load import load_setup
from hallspice.config.setup import Setup
from hallspice.config.source import AnyConfig
from hallspice.files import staged_folder
from hallspice.page.csv_text import csv_text
from hallspice.programming import figures
from hallspice.programming.page import page_of, say
from hallspice.programming.plan import writing
from hallspice.programming.pulse_netlist import ladder_deck
from hallspice.programming.results import (
    STUDIED,
    DisturbResult,
    GivenUp,
    SchemeResult,
    WriteResults,
    results_of,
)
from hallspice.progress import SILENT, Reporter
from veriloga.dialects import DeviceForm
from veriloga.model import cell_model
from veriloga.programs import COMPILER, compiled, find_program
from veriloga.verilog_a import verilog_a_text

FILES = (
    "achieved.csv",
    "error.csv",
    "pulses.csv",
    "disturb_current.csv",
    "disturb_moved.csv",
    "given_up.csv",
    "energy.csv",
    "netlists/*",
    "report.html",
    "figures/*.svg",
)
"""Names of the files in the folder, beside the index."""


LARGEST_IN_NGSPICE = 1024
"""Cells of an array that is written in ngspice."""

DRAFT_GRAINS = 12
"""Grains of the subcircuit that stands in for the compiled module, from `DRAFT_CELLS` cells on."""

DRAFT_CELLS = 16


KEPT_DECKS = 32
"""Decks that are kept of a loop around ngspice."""


@remembered()
def write(
    config: AnyConfig,
    levels: str | Path | ArrayLike,
    out: str | Path | None = None,
    *,
    use_ngspice: bool = False,
    seed: int | None = None,
    progress: Reporter = SILENT,
) -> WriteResults:
    """Program an array: pulses, energy, time, disturb, and the cells that can't be written.

    Parameters
    ----------
    config
        YAML file, the same as a dict, or a `Config`; sections `device`, `array` (its size is that of the levels) and
        `write`.
    levels
        Wanted Hall resistances (rows, columns) [Ohm], or a CSV file of them.
    out
        Folder for report, tables, netlists and ``results.json``; None: nothing is written.
    use_ngspice
        Close the loop around ngspice instead of the compact model.
    seed
        Replaces that of the configuration.
    progress
        Told how far it is, and what was found.

    Raises
    ------
    DocumentError
        With every mistake of the configuration or of the file of levels: its line, or its key, and what is allowed.
    ValueError
        For levels out of range.
    """
    setup = load_setup(config, seed, Demand.WRITE)
    target = _wanted(setup, levels)
    device = cell_model(setup.card).device if use_ngspice else hall_bar(setup.card)
    rows, columns = target.shape
    plan = writing(setup, device, columns)
    solver = WriteSolver(rows, columns, plan.config)
    plant: Plant
    with staged_folder(out, names=FILES) as folder, scratch_folder() as scratch:
        (folder / "netlists").mkdir()
        if use_ngspice:
            plan, plant = _spice_plant(setup, plan, solver, folder / "netlists", scratch)
        else:
            if setup.config.write.select != "switch":
                raise ValueError(
                    f"write.select = {setup.config.write.select!r}: transistors are solved in ngspice only; "
                    "allowed here: 'switch', or --engine ngspice"
                )
            plant = plan.plant(solver, np.random.default_rng([setup.config.seed, 2]))
            deck = ladder_deck(setup, plan, solver, plan.ladder.currents[:1])
            (folder / "netlists" / "first_pulse.cir").write_text(deck, encoding="utf-8")
        count = plan.recipe.max_pulses
        outcome = plan.outcome(
            target,
            plant,
            setup.config.seed,
            lambda done, _: progress(min(done, count), count, "writing: rounds of pulses"),
        )
        progress(count, count, "writing: done")
        one = _one_write(setup, plan, solver)
        study = DisturbResult(
            one_write_largest=one.worst, schemes=_all_schemes(setup, plan, target.shape, progress)
        )
        found = results_of(setup, plan, plant, outcome, study)
        drawn = {
            "errors": figures.errors(outcome.error, plan.recipe.tolerance, ~outcome.written),
            "pulses": figures.pulses(outcome.pulses),
            "disturb": figures.disturb(one.current, _movement(one), one.written),
        }
        written = results.write(
            folder, found, page=page_of(found, drawn), tables=_tables(found, outcome, one)
        )
    if out is None:
        return found
    say(progress, found, Path(out))
    return written


def _wanted(setup: Setup, levels: str | Path | ArrayLike) -> Floats:
    """The levels to write, each in the window of the device."""
    low = setup.card.hall.r_reset.value
    high = low + synapse.window(setup.card)
    allowed = Quantity("ohm", "a level", low=low * (1 - 1e-9), below=high)
    if isinstance(levels, (str, Path)):
        return read_matrix(levels, allowed)
    wanted = np.asarray(levels, dtype=float)
    if wanted.ndim != 2 or not wanted.size:
        raise ValueError(f"levels have the shape {wanted.shape}, allowed: (rows, columns)")
    for (row, column), level in np.ndenumerate(wanted):
        try:
            allowed.read(float(level))
        except ValueError as error:
            raise ValueError(f"levels[{row}, {column}]: {error}, allowed: {allowed.allowed}") from None
    return wanted


def _spice_plant(
    setup: Setup, plan: Writing, solver: WriteSolver, folder: Path, scratch: Path
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
    model, module, form = cell_model(setup.card), None, DeviceForm.SUBCKT
    if simulator.osdi and find_program(COMPILER) is not None:
        source = scratch / "sot_hallbar.va"
        source.write_text(verilog_a_text(model, today), encoding="utf-8")
        module, form = compiled(source, source.with_suffix(".osdi")), DeviceForm.OSDI
        (folder / source.name).write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    elif cells > DRAFT_CELLS:
        model = cell_model(setup.card, DRAFT_GRAINS, largest_error=0.1)

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
        devices=switching_devices(model, form, setup.card.thermal.ambient.value, today),
        module=module,
        i_read=plan.i_read,
        compensated=setup.config.write.compensated,
        select=_select(setup.config.write.select, setup.source.parent),
        keep=keep,
    )
    return dataclasses.replace(plan, device=device), plant


def _select(name: str, folder: Path) -> SelectMosfet | None:
    if name == "switch":
        return None
    return load_select_mosfet(None if name == "mosfet" else folder / name)


def _one_write(setup: Setup, plan: Writing, solver: WriteSolver) -> Disturb:
    """What the other cells get when the one in the middle is written to the highest level."""
    rows, columns = solver.shape
    middle = np.zeros(solver.shape)
    middle[rows // 2, columns // 2] = plan.ladder.currents[-1]
    own = solver
    if plan.config.order is not Order.CELL:
        own = WriteSolver(rows, columns, dataclasses.replace(plan.config, order=Order.CELL))
    return disturb(own, hall_bar(setup.card), plan.t_pulse, middle)


def _all_schemes(
    setup: Setup, plan: Writing, shape: tuple[int, int], progress: Reporter
) -> list[SchemeResult]:
    """The worst pattern in every scheme of the architecture, on a small array."""
    found = []
    allowed = schemes(plan.config.architecture)
    for number, scheme in enumerate(allowed):
        progress(number, len(allowed), f"disturb: {scheme}")
        found.append(_scheme(setup, plan, scheme, (min(shape[0], STUDIED), min(shape[1], STUDIED))))
    progress(len(allowed), len(allowed), "disturb: done")
    return found


def _scheme(setup: Setup, plan: Writing, scheme: BiasScheme, shape: tuple[int, int]) -> SchemeResult:
    config = dataclasses.replace(plan.config, order=Order.CELL, scheme=scheme)
    study = WriteSolver(*shape, config)
    current = float(plan.ladder.currents[-1])
    generator = np.random.default_rng([setup.config.seed, 3])
    worst = worst_pattern(study, hall_bar(setup.card), plan.t_pulse, current, generator)
    needed = current / float(study.conductance.min())
    moved = worst.movement * plan.device.law.delta_r
    return SchemeResult(
        scheme=scheme,
        used=scheme is plan.config.scheme,
        pattern=worst.name,
        victim=worst.victim,
        moved=worst.movement,
        moved_ohm=moved,
        needed_v=needed,
        usable=bool(moved < plan.recipe.tolerance and needed <= config.v_compliance),
    )


def _movement(one: Disturb) -> Floats:
    """Largest movement of each cell, either way."""
    return np.maximum(one.from_reset, one.from_set)


def _tables(found: WriteResults, outcome: WriteOutcome, one: Disturb) -> dict[str, str]:
    """Maps of the array, what was given up, and the energy, as CSV by file name."""
    maps = {
        "achieved": ("r_column_{}_ohm", outcome.achieved),
        "error": ("error_column_{}_ohm", outcome.error),
        "pulses": ("pulses_column_{}", outcome.pulses),
        "disturb_current": ("i_column_{}_a", one.current),
        "disturb_moved": ("moved_column_{}", _movement(one)),
    }
    columns = range(outcome.target.shape[1])
    tables = {
        f"{name}.csv": csv_text([head.format(column) for column in columns], values.tolist())
        for name, (head, values) in maps.items()
    }
    parts = list(found.energy_j.parts.items())
    return {
        **tables,
        "given_up.csv": results.table_of(GivenUp, found.given_up),
        "energy.csv": csv_text(["part", "energy_j"], parts),
    }
