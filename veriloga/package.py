"""An export for a circuit designer: model files, symbols, test benches, expected results, README."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from compact_model.cards.csv_table import read_csv
from compact_model.cards.storage import scratch_folder
from veriloga import bench as benches
from veriloga.bench import Bench, BenchSolution
from veriloga.corners import CELL, corner_library, spectre_cell, spectre_include, threshold_sigma
from veriloga.dialects import Dialect, ExportForm
from veriloga.model import LENGTHS, MODULE, CellModel
from veriloga.programs import (
    COMPILER,
    ProgramError,
    compiled,
    find_program,
    read_raw,
    run_ngspice,
    run_vacask,
)
from veriloga.reference import solve_python
from veriloga.simulated import ngspice_deck, switched, vacask_netlist
from veriloga.subcircuit import FROZEN, frozen_subcircuit_text, subcircuit_text
from veriloga.symbols import kicad_symbol, xschem_symbol
from veriloga.verilog_a import verilog_a_text

TOLERANCE = 5e-4
"""Largest difference of the fraction between a bench and its expected results: integration at reltol 1e-4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchResult:
    """A bench of an export, run as it is."""

    deck: str
    difference: float  # largest, of the fraction
    skipped: str = ""  # why it was not run

    @property
    def passed(self) -> bool:
        """Whether it was run and agrees."""
        return not self.skipped and self.difference <= TOLERANCE


def write_package(model: CellModel, form: ExportForm, dialect: Dialect, folder: Path, day: date) -> None:
    """Write an export into a folder.

    The compiled module comes along when openvaf-r is here; without it the README says how to make it.
    """
    has_module = form is not ExportForm.SPICE
    for name, text in _model_files(model, form, dialect, day):
        (folder / name).write_text(text, encoding="utf-8")
    if form is ExportForm.VERILOGA and find_program(COMPILER):
        compiled(folder / f"{MODULE}.va", folder / f"{MODULE}.osdi")
    for bench in benches.export_benches(model):
        expected = expected_csv(bench, solve_python(model, bench), model)
        (folder / f"expected_{bench.name}.csv").write_text(expected, encoding="utf-8")
        for name, text in _decks(bench, form, dialect):
            (folder / name).write_text(text, encoding="utf-8")
    (folder / f"{MODULE}.sym").write_text(xschem_symbol(compiled=has_module), encoding="utf-8")
    if form is ExportForm.SPICE:
        (folder / f"{MODULE}.kicad_sym").write_text(kicad_symbol(), encoding="utf-8")
    (folder / "README.md").write_text(readme(model, form, dialect, day), encoding="utf-8")


def _model_files(
    model: CellModel, form: ExportForm, dialect: Dialect, day: date
) -> Iterator[tuple[str, str]]:
    match form:
        case ExportForm.VERILOGA:
            yield f"{MODULE}.va", verilog_a_text(model, day)
            yield f"{MODULE}.lib", corner_library(model, Dialect.NGSPICE, day, compiled=True)
        case ExportForm.SPICE:
            yield f"{MODULE}.sub", subcircuit_text(model, dialect, day)
            yield f"{FROZEN}.sub", frozen_subcircuit_text(model, dialect, day)
            yield f"{MODULE}.lib", corner_library(model, dialect, day)
        case ExportForm.SPECTRE:
            yield f"{MODULE}.va", verilog_a_text(model, day)
            yield f"{MODULE}.scs", spectre_include(model, day)
            yield f"{MODULE}_cell.scs", spectre_cell(model, day)


def _decks(bench: Bench, form: ExportForm, dialect: Dialect) -> Iterator[tuple[str, str]]:
    if form is ExportForm.VERILOGA:
        yield f"{bench.name}_osdi.cir", ngspice_deck(bench, compiled=True)
        yield f"{bench.name}.sim", vacask_netlist(bench)
    elif form is ExportForm.SPICE and dialect is Dialect.NGSPICE:
        yield f"{bench.name}_sub.cir", ngspice_deck(bench, compiled=False)


def expected_csv(bench: Bench, outcome: BenchSolution, model: CellModel) -> str:
    """Expected results of a bench: one line per cell and sample."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["cell", "sample", "label", "time_s", "s", "r_xy_ohm"])
    low, window = model.device.r_reset, model.device.law.delta_r
    for cell, row in enumerate(outcome.fraction):
        for sample, s in enumerate(row):
            label = bench.labels[cell if len(row) == 1 and len(bench.cells) > 1 else sample]
            numbers = (f"{bench.samples[sample]:.12g}", f"{s:.9f}", f"{low + window * s:.9f}")
            writer.writerow([cell + 1, sample + 1, label, *numbers])
    return stream.getvalue()


def run_package(folder: Path) -> list[BenchResult]:
    """Run every bench of an export, unmodified, in a copy of its folder, against the expected results.

    Raises
    ------
    ValueError
        When the folder holds no expected results or no benches.
    """
    expected = sorted(folder.glob("expected_*.csv"))
    decks = [
        (path, deck)
        for path in expected
        for name in (path.stem.removeprefix("expected_"),)
        for deck in (f"{name}_sub.cir", f"{name}_osdi.cir", f"{name}.sim")
        if (folder / deck).is_file()
    ]
    if not decks:
        raise ValueError(
            f"{folder}: no benches with expected results; expected the folder of `hallspice export`"
        )
    results = []
    for path, deck in decks:
        try:
            results.append(BenchResult(deck=deck, difference=_difference(folder, deck, path)))
        except ProgramError as error:
            reason = str(error).partition("\n")[0]
            if "there is no program" not in reason:
                raise
            results.append(BenchResult(deck=deck, difference=np.nan, skipped=reason))
    if all(result.skipped for result in results):
        raise ProgramError(f"no bench of {folder} can be run: {results[0].skipped}")
    return results


def _difference(folder: Path, deck: str, expected: Path) -> float:
    with scratch_folder() as folder_of_its_own:
        fresh = folder_of_its_own / "export"
        shutil.copytree(folder, fresh)
        (run_vacask if deck.endswith(".sim") else run_ngspice)(fresh / deck)
        vectors = read_raw(fresh / f"{expected.stem.removeprefix('expected_')}.raw")
    lines = read_csv(expected).records(
        lambda cells: (int(cells["cell"]), float(cells["time_s"]), float(cells["s"])),
        needed=("cell", "time_s", "s"),
        allowed=None,
    )
    found = [np.interp(time, vectors["time"], switched(vectors, cell)) for cell, time, _ in lines]
    return float(np.abs(np.array(found) - np.array([s for _, _, s in lines])).max())


def readme(model: CellModel, form: ExportForm, dialect: Dialect, day: date) -> str:
    """What the files are, how they are used and where they hold."""
    kind = "B (electrothermal)" if model.electrothermal else "A (isothermal-equivalent)"
    parts = [
        f"# {MODULE}: field-free spin-orbit-torque Hall bar",
        f"Written by hallspice on {day.isoformat()}. These files are yours: no licence is claimed on them.",
        f"Device: arXiv:2601.16222. Card `{model.card.name}` (content {model.digest}), parameter set {kind}, "
        f"{model.grains} grains. Largest error against the card's closed law: {model.accuracy.largest:.2g} of the "
        f"window for pulses of {LENGTHS[0]:g} to {LENGTHS[-1]:g} s; shorter pulses are not backed by data.",
        "## Use",
        *_usage(form, dialect),
        "## Terminals and parameters",
        "`ip`, `in`: ends of the channel, positive current enters at `ip`. `hp`, `hn`: Hall contacts; "
        "V(hp,hn) = R_xy I with R_xy = 0.33 Ohm + delta_r s for the shipped card.",
        "`s0`: programmed fraction (0 reset, 1 fully switched). `s0_1`, `s0_2`, ...: state of single grains. `m_i`, "
        "`q`: interface moment and last saturation; with both 1 (as prepared) positive current raises s. `h_x`: "
        "applied field [A/m]. `i_scale`: local spread of the critical current.",
        "## What to know",
        "* Time moves the state in transient analyses only. `.op`, `.dc`, `.ac` and `.noise` read the programmed "
        "state; a hysteresis loop needs a transient.\n"
        "* Set the temperature: thresholds are stated at 300 K (`.options temp=26.85`), simulators start at 27 "
        "degrees Celsius.\n"
        "* Bound the time step to a twentieth of the pulse, reltol 1e-4: the state after a pulse is then right "
        "to 1e-3 (measured: 3e-4). Compare states after pulses; on the edges the grains collapse within "
        "nanoseconds, and only reltol 1e-5 follows that.\n"
        "* In ngspice put `set num_threads=1` into the control section: its threads make small circuits with "
        "compiled models ten times slower.\n"
        f"* Spread: the critical current has a relative sigma of {threshold_sigma(model):.3g} between devices; "
        + _corner_note(form, dialect),
        "## Benches",
        "`expected_*.csv` hold the state after every pulse, from the closed form: write ladder, reads of the six "
        "levels, hysteresis loop, pulse lengths. " + _bench_note(form, dialect),
        "`hallspice verify DIR` runs all benches of this folder and compares.",
    ]
    return "\n\n".join([*parts, ""])


def _corner_note(form: ExportForm, dialect: Dialect) -> str:
    if form is ExportForm.SPICE and dialect is Dialect.LTSPICE:
        return f"the library holds the subcircuits `{CELL}_typ`, `{CELL}_fast`, `{CELL}_slow`, `{CELL}_mc` accordingly."
    return f"the library's sections `typ`, `fast`, `slow` and `mc` hold the subcircuit `{CELL}` accordingly."


def _bench_note(form: ExportForm, dialect: Dialect) -> str:
    if form is ExportForm.VERILOGA:
        return "Run `ngspice -b ladder_osdi.cir` or `vacask ladder.sim` here, as they are."
    if form is ExportForm.SPICE and dialect is Dialect.NGSPICE:
        return "Run `ngspice -b ladder_sub.cir` here, as it is."
    return (
        "Decks are written for ngspice and VACASK only (`hallspice export veriloga`); drive the cell alike."
    )


def _usage(form: ExportForm, dialect: Dialect) -> list[str]:
    compile_it = f"`openvaf-r --target_cpu generic -o {MODULE}.osdi {MODULE}.va` compiles the module"
    match form:
        case ExportForm.VERILOGA:
            return [
                f"{compile_it}; `{MODULE}.osdi` here (if any) was made that way, for Linux on x86-64.",
                f"ngspice 42 or later: `pre_osdi {MODULE}.osdi` in a `.control` section, `.model hallbar {MODULE}`, "
                "`N1 ip in hp hn hallbar s0=0.3`. Corners: `.lib sot_hallbar.lib typ`, `X1 ip in hp hn "
                f"{CELL} s0=0.3`. VACASK: see the `.sim` files.",
                "Spectre, HSPICE and ADS compile the `.va` file themselves (`ahdl_include`, `.hdl`, a Verilog-A "
                "include component). It was not run in them.",
            ]
        case ExportForm.SPICE:
            text = (
                f"`.include {MODULE}.sub`, `X1 ip in hp hn {MODULE} s0=0.3`; for large arrays that are only read "
                f"`{FROZEN}.sub`, eight linear elements."
            )
            note = (
                ""
                if dialect is Dialect.NGSPICE
                else f" These files were written for {dialect.value}; not run in it."
            )
            return [text + note]
        case ExportForm.SPECTRE:
            return [
                f'`include "{MODULE}.scs" section=typ`, then `x1 (ip in hp hn) {CELL} s0=0.3`. Section `mc` varies '
                "the critical current with the statistics of mismatch. Not run in Spectre: the module itself is "
                "compiled by openvaf-r and checked in ngspice and VACASK (`hallspice verify`)."
            ]
