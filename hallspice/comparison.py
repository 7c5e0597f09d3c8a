"""`hallspice compare`: the same array in every architecture."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rich.table import Table as TerminalTable

from circuits import ngspice
from circuits.array_config import Architecture, Isolation, Returns
from circuits.arrays import amplifiers, slots
from circuits.calibration import calibration_cost
from circuits.comparison import Outcome, Trial, run_trial
from circuits.encoding import Encoding, encoding_cost
from circuits.noise import effective_bits
from circuits.periphery import SHIPPED as SHIPPED_PERIPHERY
from circuits.periphery import PeripheryCard
from compact_model import readout
from compact_model.card import SHIPPED as SHIPPED_DEVICE
from hallspice import comparison_figures
from hallspice.array_check import LIMIT, Check, check
from hallspice.figures import engineering
from hallspice.files import RESULTS, staged_folder
from hallspice.page import Answer, Caption, Column, Detail, Page, Section, Table
from hallspice.progress import Reporter
from hallspice.setup import Setup, load_setup
from hallspice.tables import csv_text

SERIES_HALL_IDEAL = "series_hall_ideal"
"""Name of the trial of `series_hall` with `Isolation.IDEAL`."""
USELESS = 0.3
"""Error relative to the compute signal from which an array computes nothing [1]."""
LOUD = 3.0
"""Ratio of signal to noise below which the read time is too short."""
CLEAR = 10.0
"""Ratio of signal to noise for which the needed read time is given."""
SMALLEST, LARGEST = 4, 32
"""Rows and columns of the smallest array that is tried for its read time, and of the largest beyond the configured."""
ADDED = 0.01
"""Error over the compute signal that the noise of a calibration may add [1]."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an architecture works: ``works``, ``needs calibration``, ``dead``, or ``intended``; and why."""

    word: str
    reason: str


def compare(config: Path, out: Path, *, seed: int | None, progress: Reporter) -> dict[str, Any]:
    """Try the array of a configuration in every architecture, and write a report into `out`.

    Returns
    -------
    The content of ``results.json``.
    """
    setup = load_setup(config, seed, network=False, supply=False)
    trials = all_trials(setup)
    outcomes, checks, rows = {}, {}, []
    with staged_folder(out) as folder:
        for number, (name, trial) in enumerate(trials.items()):
            progress(number, len(trials), f"compare: {name}")
            outcomes[name] = run_trial(trial, setup.periphery)
            checks[name] = check(name, trial, outcomes[name].settling)
            rows.append(_row(name, trial, outcomes[name], checks[name]))
        progress(len(trials), len(trials), "compare: report")
        results = _results(setup, rows)
        results["warnings"] = [warning for one in checks.values() for warning in one.warnings]
        results["passed"] = not any(one.failed for one in checks.values())
        chosen = _configured(setup)
        results["sizes"] = _sizes(trials, rows, setup)
        results["encodings"] = _encodings(trials[chosen], outcomes[chosen], setup)
        drawn = {"comparison": comparison_figures.comparison(rows)}
        (folder / "decks").mkdir()
        for name, one in checks.items():
            (folder / "decks" / f"{name}.cir").write_text(one.deck, encoding="utf-8")
        header = list(rows[0])
        (folder / "comparison.csv").write_text(
            csv_text(header, [["" if row[key] is None else row[key] for key in header] for row in rows]),
            encoding="utf-8",
        )
        errors = [
            [name, trial.seed, number, error.raw, error.calibrated]
            for name, trial in trials.items()
            for number, error in enumerate(outcomes[name].errors)
        ]
        (folder / "draws.csv").write_text(
            csv_text(["architecture", "seed", "draw", "error_raw", "error_calibrated"], errors),
            encoding="utf-8",
        )
        (folder / "figures").mkdir()
        for name, svg in drawn.items():
            (folder / "figures" / f"{name}.svg").write_text(svg, encoding="utf-8")
        _keep_configuration(setup, config.parent, folder)
        (folder / "report.html").write_text(_page(setup, results, drawn).html(), encoding="utf-8")
        files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        results["files"] = [*files, RESULTS]
        (folder / RESULTS).write_text(json.dumps(results, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    _say(progress, rows, results["sizes"], out)
    return results


def _keep_configuration(setup: Setup, beside: Path, folder: Path) -> None:
    """Write ``config.yaml`` with the seed in use and with copies of the cards, which are looked for in `beside`."""
    used = setup.config
    named = {
        "device": (used.device.card, SHIPPED_DEVICE),
        "periphery": (used.array.periphery, SHIPPED_PERIPHERY),
    }
    kept = {}
    for kind, (name, shipped) in named.items():
        kept[kind] = shipped if name == shipped else f"{kind}_card.yaml"
        if name != shipped:
            shutil.copyfile(beside / name, folder / kept[kind])
    content = used.model_copy(
        update={
            "device": used.device.model_copy(update={"card": kept["device"]}),
            "array": used.array.model_copy(update={"periphery": kept["periphery"]}),
        }
    ).model_dump(mode="json", exclude_unset=True)
    text = yaml.safe_dump({"seed": used.seed, **content}, sort_keys=False)
    head = "# As it was used: numbers in SI units, the seed, copies of the cards. What is left out has its default.\n"
    (folder / "config.yaml").write_text(head + text, encoding="utf-8")


def all_trials(setup: Setup) -> dict[str, Trial]:
    """What is tried, by name: every architecture, and `series_hall` as its drawing intends; `resistive` last."""
    trials = {}
    for architecture in sorted(Architecture, key=lambda one: one is Architecture.RESISTIVE):
        trial = trials[architecture.value] = _trial(setup, architecture)
        if architecture is Architecture.SERIES_HALL:
            ideal = replace(trial.config, isolation=Isolation.IDEAL, returns=Returns.GROUNDED)
            trials[SERIES_HALL_IDEAL] = replace(trial, config=ideal)
    return trials


def _configured(setup: Setup) -> str:
    """Name of the trial of the configured array."""
    array = setup.array
    drawn = array.architecture is not Architecture.SERIES_HALL or array.isolation is Isolation.NONE
    return array.architecture.value if drawn else SERIES_HALL_IDEAL


def _trial(setup: Setup, architecture: Architecture) -> Trial:
    array, compared = setup.config.array, setup.config.compare
    changes = getattr(compared, architecture).model_dump(exclude_none=True)
    config = replace(
        setup.with_capacitances(),
        architecture=architecture,
        isolation=Isolation.NONE,
        cmrr_db=changes.get("cmrr_db", setup.array.cmrr_db),
    )
    resistive = architecture is Architecture.RESISTIVE
    i_read = setup.periphery.read.i_read.value if array.read.i_read is None else array.read.i_read
    levels = setup.levels_ohm
    full = i_read * (config.r_channel if architecture.input_unit == "V" else 1.0)
    return Trial(
        config=config,
        shape=(array.rows, array.columns),
        lowest=array.cell.r_high if resistive else float(levels[0]),
        highest=array.cell.r_low if resistive else float(levels[-1]),
        full=array.read.v_read if resistive else full,
        supply=setup.v_supply,
        draws=changes.get("draws", compared.draws),
        vectors=compared.vectors,
        seed=setup.config.seed,
        mismatch=changes.get("mismatch", array.cell.mismatch),
        r_off_spread=array.cell.r_off_spread,
        random_rejection=changes.get("random_rejection", False),
        flicker=float(readout.flicker_density(setup.card, 1.0)) ** 2,
        t_read=setup.t_read,
        t_calibration=compared.t_calibration,
        dac_bits=array.converters.dac_bits,
        adc_bits=array.converters.adc_bits,
    )


def verdict(name: str, trial: Trial, outcome: Outcome) -> Verdict:
    """Whether an architecture works, and what decides it."""
    error = outcome.error
    if name == SERIES_HALL_IDEAL:
        return Verdict(
            "intended", "the sum that the drawing intends; no circuit for its isolation amplifiers is given"
        )
    if error.calibrated > USELESS:
        return Verdict("dead", _death(trial, outcome))
    if outcome.noise * LOUD > outcome.signal:
        longer = trial.t_read * (LOUD * outcome.noise / outcome.signal) ** 2
        return Verdict(
            "too noisy", f"needs {engineering(longer, 's')} per read for a signal of three times its noise"
        )
    if error.raw > USELESS:
        reason = f"a gain per column takes out most of the error; {_weakest(outcome)}"
        return Verdict("needs calibration", reason)
    return Verdict("works", "useful as it is; calibration of the columns improves it")


def _death(trial: Trial, outcome: Outcome) -> str:
    """What makes an array useless: common mode that the outputs see as more than the signal, or else the wires."""
    config = trial.config
    unit = config.architecture.output_unit
    seen = config.gm * 10 ** (-config.cmrr_db / 20) if config.architecture.amplified else 1.0
    if outcome.common_mode * seen > outcome.signal:
        reason = (
            f"{engineering(outcome.common_mode, 'V')} of common mode at the Hall arms against "
            f"{engineering(outcome.signal, unit)} of compute signal in a column"
        )
        joined = config.architecture is Architecture.SERIES_HALL
        return reason + ("; the arms join the rows into one resistive sheet" if joined else "")
    if outcome.weakest_cell < 1 - USELESS:
        return f"wires and drivers take the voltage of the cells: {_weakest(outcome)}"
    return f"mismatch, switches or loads spoil its columns: {_weakest(outcome)}, and common mode is no reason"


def _reference_energy(trial: Trial, outcome: Outcome) -> float:
    """What two more columns add to a read [J]: cells and amplifiers; they are subtracted before the conversion."""
    per_column = (outcome.energy["array"] + outcome.energy["amplifiers"]) / trial.shape[1]
    return 2 * per_column


def _weakest(outcome: Outcome) -> str:
    return f"the weakest cell gets {100 * outcome.weakest_cell:.4g} % of its voltage"


def _row(name: str, trial: Trial, outcome: Outcome, checked: Check) -> dict[str, Any]:
    found = verdict(name, trial, outcome)
    limited = trial.usable < trial.full
    alive = found.word != "dead"  # the gain of a dead array means nothing, and so does its noise
    bits = float(effective_bits(outcome.signal_range, outcome.noise)) if alive else None
    total = sum(outcome.energy.values())
    calibration = (
        calibration_cost(outcome.noise / outcome.signal, ADDED, outcome.latency, total) if alive else None
    )
    return {
        "architecture": name,
        "error_raw": outcome.error.raw,
        "error_calibrated": outcome.error.calibrated,
        "error_with_reference": None if outcome.referred is None else outcome.referred.raw,
        "draws": trial.draws,
        "mismatch": None if trial.resistive else trial.mismatch,
        "cmrr_db": trial.config.cmrr_db if trial.config.architecture.amplified else None,
        "snr_db": 20 * float(np.log10(outcome.signal / outcome.noise)) if alive else None,
        "effective_bits": bits,
        "t_read_for_snr_10_s": _clear_time(trial, outcome) if alive else None,
        "signal": outcome.signal,
        "noise": outcome.noise if alive else None,
        "output_unit": trial.config.architecture.output_unit,
        "energy_j": total,
        **{f"energy_{part}_j": value for part, value in outcome.energy.items()},
        "reference_energy_j": _reference_energy(trial, outcome) if alive and outcome.referred else None,
        "calibration_reads": None if calibration is None else calibration.reads,
        "calibration_time_s": None if calibration is None else calibration.time,
        "calibration_energy_j": None if calibration is None else calibration.energy,
        "latency_s": outcome.latency,
        "slots": slots(trial.config, trial.shape[0]),
        "v_row_v": outcome.v_row,
        "input_full": trial.usable,
        "input_unit": trial.config.architecture.input_unit,
        "limited_by_supply": limited,
        "common_mode_v": outcome.common_mode,
        "weakest_cell": outcome.weakest_cell,
        "settling_s": outcome.settling,
        "ngspice_difference": checked.difference,
        "ngspice_why_not": checked.why_not,
        "ngspice_settling_s": checked.settling,
        "ngspice_energy_full_j": checked.energy,
        "energy_full_j": checked.energy_nodal,
        "ngspice_why_no_transient": checked.why_no_transient,
        "verdict": found.word,
        "reason": found.reason,
    }


def _results(setup: Setup, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    array = setup.config.array
    return {
        "created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "versions": {"hallspice": version("hallspice"), "ngspice": ngspice.find_simulator().version},
        "card": setup.card.name,
        "seed": setup.config.seed,
        "rows": array.rows,
        "columns": array.columns,
        "t_read_s": setup.t_read,
        "t_calibration_s": setup.config.compare.t_calibration,
        "configuration": setup.config.model_dump(mode="json"),
        "architectures": list(rows),
    }


def _page(setup: Setup, results: dict[str, Any], drawn: Mapping[str, str]) -> Page:
    rows = results["architectures"]
    working = [row["architecture"] for row in rows if row["verdict"] in ("works", "needs calibration")]
    dead = [row for row in rows if row["verdict"] == "dead"]
    limited = [row for row in rows if row["limited_by_supply"]]
    hall = [row for row in rows if row["architecture"] in working and row["architecture"] != "resistive"]
    asked = len(Architecture) - 1  # of Hall cells
    best = min(hall, key=lambda row: row["error_calibrated"]) if hall else None
    sparing = min(hall, key=lambda row: row["energy_j"]) if hall else None
    array = setup.config.array
    answers = [
        Answer(
            "Hall arrays that work", f"{len(hall)} of {asked}", ", ".join(row["architecture"] for row in hall)
        )
    ]
    if best and sparing:
        answers += [
            Answer(
                "smallest error", f"{best['error_calibrated']:.2g}", f"{best['architecture']}, calibrated"
            ),
            Answer("lowest energy of a read", engineering(sparing["energy_j"], "J"), sparing["architecture"]),
        ]
    warnings = [f"{row['architecture']} computes nothing: {row['reason']}." for row in dead]
    warnings += results["warnings"]
    if limited:
        volts = ", ".join(f"{row['architecture']} {row['v_row_v']:.3g} V" for row in limited)
        currents = sorted({engineering(row["input_full"], row["input_unit"]) for row in limited})
        warnings.append(
            f"A full input would need more than the supply ({volts}); inputs of these are limited to "
            f"{' and '.join(currents)}. Their errors don't depend on it, their signal to noise does."
        )
    return Page(
        title=f"architectures, {array.rows} x {array.columns}",
        question="Which array of Hall bars computes, and what does a read cost?",
        subtitle=f"Device {setup.card.name}, read of {engineering(setup.t_read, 's')}, seed {setup.config.seed}, "
        f"hallspice {results['versions']['hallspice']}, {results['created']}.",
        answers=answers,
        sentences=[
            "Errors are relative to the compute signal: the ideal output with the mean weight taken out. Hall "
            "resistances are all positive with a large mean, so relative to the raw output an array that knows nothing "
            f"but the mean would look good. Above {USELESS:g} an array is useless.",
        ],
        warnings=warnings,
        sections=[
            Section(
                "Side by side",
                tables=[_errors_table(rows), _cost_table(rows)],
                figures=[
                    Caption(
                        "comparison",
                        "Error raw (open) and calibrated (filled), signal to noise, and energy of a read.",
                        wide=True,
                    )
                ],
                details=[Detail("What the columns mean", table=_MEANINGS)],
            ),
            Section(
                "Size and read time",
                text=[
                    f"Length of a read that makes signal over noise {CLEAR:g} (white noise, one draw, inputs as the "
                    "supply allows; of each row where rows take turns), and the largest of these arrays for which "
                    f"{engineering(setup.t_read, 's')} will do."
                ],
                tables=[_sizes_table(results["sizes"])],
            ),
            Section(
                "Settling",
                text=[
                    "Elmore's estimate to a thousandth, with the capacitances of wires and arms, beside a transient in "
                    "ngspice; and the energy that the sources deliver in a read of full inputs and its settling, as "
                    "power of the nodal solution times the time and as integral in ngspice (whose inputs rise within a "
                    "thousandth of its transient). First draw; one row where rows take turns. A transient that would "
                    f"take ngspice more than {engineering(LIMIT, 's')} is not run."
                ],
                tables=[_transient_table(rows)],
            ),
            Section(
                "Calibration or reference",
                text=[
                    "Gain and offset of all columns are fitted to reads of known inputs, once. This many reads of the "
                    f"whole array keep the error that their noise adds to every later read below {ADDED:g} of the "
                    "compute signal.",
                    "A reference in the array (two more columns at the lowest and the highest level, whose mean is "
                    "subtracted before the conversion) needs none of these reads, but adds the energy of its cells and "
                    "amplifiers to every read, as much as two columns take on average.",
                ],
                tables=[_calibration_table(rows)],
            ),
            Section(
                "Input encodings",
                text=[
                    f"One product of {array.architecture} with inputs of {array.converters.dac_bits} bits: as an "
                    "amplitude; as a number of full pulses, over which the columns integrate; or bit by bit, with a "
                    "conversion, shift and addition each. All give the same product. Noise is relative to one read "
                    "of amplitude, each slot as long as a read."
                ],
                tables=[_encoding_table(results["encodings"])],
            ),
            Section(
                "What is assumed",
                text=[
                    "Weights are uniform between the lowest and the highest level, inputs between zero and full. "
                    "Every draw has the same weights and inputs in every architecture; draw k has the seed "
                    f"[{setup.config.seed}, k].",
                    "A column whose voltage is read has one amplifier of the periphery card, with its noise and "
                    "supply. Noise: Johnson noise of all resistors, channel noise of the amplifiers, 1/f noise of the "
                    "Hall resistances (Hooge's law, the device card's parameter) since the last calibration; averaged "
                    "over the read. The ideal isolation amplifiers are free and quiet, which no circuit is.",
                    "series_hall is shown as drawn and with ideal isolation, whatever array.series.isolation says.",
                    "resistive cells are an assumed two-terminal read-out and stand here as the reference.",
                    "decks/ holds the first vector of the first draw of each as a netlist for ngspice; draws.csv the "
                    "errors of every draw.",
                ],
            ),
        ],
        figures=drawn,
    )


_MEANINGS = Table(
    [Column("column"), Column("meaning")],
    [
        ["mismatch", "standard deviation of what makes cells unequal: halves of the channel, Hall arms"],
        ["CMRR", "common-mode rejection ratio of the amplifiers"],
        ["e raw", "root mean square error over that of the compute signal, median over the draws"],
        ["calibrated", "the same after the best gain and offset per column"],
        [
            "reference",
            "without calibration, but with two columns at the lowest and highest level whose mean is subtracted "
            "(first draw; two columns bring their own errors)",
        ],
        [
            "ngspice differs",
            "one vector of the first draw, read by ngspice; why it was not run is among the warnings or under Settling",
        ],
        [
            "SNR, bits",
            "signal over the noise of one read, and the bits that it leaves (first draw, as all below)",
        ],
        [
            "energy",
            "what row drivers, amplifiers, converters and logic take for one read of the whole array and its settling, "
            "uniform inputs",
        ],
        ["row needs", "voltage for a full input, whatever the supply"],
        ["cell gets", "share of its voltage that the worst cell is left with"],
        ["SNR 10 in", "length of a read that makes signal over noise 10 (white noise)"],
    ],
)


def _errors_table(rows: Sequence[dict[str, Any]]) -> Table:
    head = [
        Column("architecture"),
        Column("mismatch", True),
        Column("CMRR (dB)", True),
        Column("e raw", True),
        Column("calibrated", True),
        Column("reference", True),
        Column("draws", True),
        Column("ngspice differs", True),
        Column("verdict"),
        Column("why"),
    ]
    lines = [
        [
            row["architecture"],
            "" if row["mismatch"] is None else f"{100 * row['mismatch']:.2g} %",
            "" if row["cmrr_db"] is None else f"{row['cmrr_db']:g}",
            f"{row['error_raw']:.2g}",
            f"{row['error_calibrated']:.2g}",
            "" if row["error_with_reference"] is None else f"{row['error_with_reference']:.2g}",
            str(row["draws"]),
            "not run" if row["ngspice_difference"] is None else f"{row['ngspice_difference']:.0e}",
            row["verdict"],
            row["reason"],
        ]
        for row in rows
    ]
    return Table(head, lines)


def _cost_table(rows: Sequence[dict[str, Any]]) -> Table:
    names = (
        *("SNR (dB)", "bits", "energy", "array", "amplifiers", "converters", "latency", "row needs"),
        *("full input", "cell gets", "SNR 10 in"),
    )
    head = [Column("architecture"), *(Column(name, True) for name in names)]
    lines = [
        [
            row["architecture"],
            "" if row["snr_db"] is None else f"{row['snr_db']:.1f}",
            "" if row["snr_db"] is None else f"{row['effective_bits']:.1f}",
            engineering(row["energy_j"], "J"),
            engineering(row["energy_array_j"], "J"),
            engineering(row["energy_amplifiers_j"], "J"),
            engineering(row["energy_dac_j"] + row["energy_adc_j"], "J"),
            engineering(row["latency_s"], "s"),
            engineering(row["v_row_v"], "V"),
            engineering(row["input_full"], row["input_unit"]),
            f"{100 * row['weakest_cell']:.4g} %",
            "" if row["snr_db"] is None else engineering(row["t_read_for_snr_10_s"], "s"),
        ]
        for row in rows
    ]
    return Table(head, lines)


def _transient_table(rows: Sequence[dict[str, Any]]) -> Table:
    names = ("settles in, estimate", "in ngspice", "full read, nodal", "in ngspice")
    head = [Column("architecture"), *(Column(name, True) for name in names), Column("not run because")]
    lines = [
        [
            row["architecture"],
            engineering(row["settling_s"], "s"),
            _or_nothing(row["ngspice_settling_s"], "s"),
            engineering(row["energy_full_j"], "J"),
            _or_nothing(row["ngspice_energy_full_j"], "J"),
            row["ngspice_why_no_transient"],
        ]
        for row in rows
    ]
    return Table(head, lines)


def _or_nothing(value: float | None, unit: str) -> str:
    return "" if value is None else engineering(value, unit)


def _calibration_table(rows: Sequence[dict[str, Any]]) -> Table:
    names = ("calibrated", "reads", "time", "energy", "with reference", "energy in every read")
    head = [Column("architecture"), *(Column(name, True) for name in names)]
    lines = [
        [
            row["architecture"],
            f"{row['error_calibrated']:.2g}",
            str(row["calibration_reads"]),
            engineering(row["calibration_time_s"], "s"),
            engineering(row["calibration_energy_j"], "J"),
            "" if row["error_with_reference"] is None else f"{row['error_with_reference']:.2g}",
            _or_nothing(row["reference_energy_j"], "J"),
        ]
        for row in rows
        if row["calibration_reads"] is not None
    ]
    return Table(head, lines)


def _sizes(trials: Mapping[str, Trial], rows: Sequence[dict[str, Any]], setup: Setup) -> list[dict[str, Any]]:
    """Read time that a clear signal needs by size: of halves of the array, and of doubles while they are useful."""
    found = []
    for row in rows:
        name = row["architecture"]
        if row["verdict"] == "dead" or name in (SERIES_HALL_IDEAL, Architecture.RESISTIVE):
            continue
        trial = trials[name]
        times = {trial.shape: row["t_read_for_snr_10_s"]}
        shape = _scaled(trial.shape, 0.5)
        while min(shape) >= SMALLEST:
            times[shape] = _clear_read(trial, shape, setup.periphery)
            shape = _scaled(shape, 0.5)
        useful = [shape for shape, time in times.items() if _fits(time, trial)]
        shape = _scaled(trial.shape, 2)
        while max(shape) <= LARGEST and max(times) in useful:
            times[shape] = _clear_read(trial, shape, setup.periphery)
            useful += [shape] if _fits(times[shape], trial) else []
            shape = _scaled(shape, 2)
        found.append(
            {
                "architecture": name,
                "largest_useful": _size(max(useful)) if useful else None,
                "larger_not_tried": max(times) in useful,
                "t_read_for_snr_10_s": {_size(shape): times[shape] for shape in sorted(times)},
            }
        )
    return found


def _clear_read(trial: Trial, shape: tuple[int, int], periphery: PeripheryCard) -> float | None:
    """Length of a read of an array of another shape for a clear signal [s]; None when it is dead. One draw."""
    outcome = run_trial(replace(trial, shape=shape, draws=1), periphery)
    return None if outcome.error.calibrated > USELESS else _clear_time(trial, outcome)


def _clear_time(trial: Trial, outcome: Outcome) -> float:
    return trial.t_read * (CLEAR * outcome.noise / outcome.signal) ** 2


def _fits(time: float | None, trial: Trial) -> bool:
    return time is not None and time <= trial.t_read


def _scaled(shape: tuple[int, int], factor: float) -> tuple[int, int]:
    return int(shape[0] * factor), int(shape[1] * factor)


def _size(shape: tuple[int, int]) -> str:
    return f"{shape[0]} x {shape[1]}"


def _largest(one: Mapping[str, Any]) -> str:
    """The largest useful array in words."""
    return ("at least " if one["larger_not_tried"] else "") + (one["largest_useful"] or "none")


def _time_text(times: Mapping[str, float | None], size: str) -> str:
    return "dead" if size in times and times[size] is None else _or_nothing(times.get(size), "s")


def _sizes_table(sizes: Sequence[dict[str, Any]]) -> Table:
    named = {name for one in sizes for name in one["t_read_for_snr_10_s"]}
    names = sorted(named, key=lambda name: int(name.split()[0]))
    head = [Column("architecture"), *(Column(name, True) for name in names), Column("largest useful", True)]
    lines = [
        [
            one["architecture"],
            *(_time_text(one["t_read_for_snr_10_s"], name) for name in names),
            _largest(one),
        ]
        for one in sizes
    ]
    return Table(head, lines)


def _encodings(trial: Trial, outcome: Outcome, setup: Setup) -> list[dict[str, Any]]:
    """Cost of a product by each encoding of its inputs."""
    generator = np.random.default_rng(trial.seed)
    codes = generator.integers(0, 2**trial.dac_bits, (trial.vectors, trial.shape[0]))
    found = []
    for encoding in Encoding:
        cost = encoding_cost(
            encoding,
            trial.dac_bits,
            codes,
            outcome.power,
            trial.shape[1],
            setup.periphery,
            t_slot=outcome.settling + trial.t_read,
            amplifiers=amplifiers(trial.config, trial.shape),
            adc_bits=trial.adc_bits,
            turns=slots(trial.config, trial.shape[0]),
        )
        found.append(
            {
                "encoding": encoding.value,
                "reads": cost.reads,
                "time_s": cost.time,
                "energy_j": sum(cost.energy.values()),
                **{f"energy_{part}_j": value for part, value in cost.energy.items()},
                "relative_noise": cost.noise,
            }
        )
    return found


def _encoding_table(encodings: Sequence[dict[str, Any]]) -> Table:
    names = ("reads", "time", "energy", "array", "amplifiers", "converters", "logic", "noise")
    head = [Column("encoding"), *(Column(name, True) for name in names)]
    lines = [
        [
            one["encoding"],
            str(one["reads"]),
            engineering(one["time_s"], "s"),
            engineering(one["energy_j"], "J"),
            engineering(one["energy_array_j"], "J"),
            engineering(one["energy_amplifiers_j"], "J"),
            engineering(one["energy_dac_j"] + one["energy_adc_j"], "J"),
            engineering(one["energy_digital_j"], "J"),
            f"{one['relative_noise']:.2f}",
        ]
        for one in encodings
    ]
    return Table(head, lines)


def _say(
    progress: Reporter, rows: Sequence[dict[str, Any]], sizes: Sequence[dict[str, Any]], out: Path
) -> None:
    table = TerminalTable(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("architecture", "e raw", "calib.", "SNR dB", "energy", "latency", "verdict"):
        text = name in ("architecture", "verdict")
        table.add_column(name, justify="left" if text else "right", no_wrap=True)
    for row in rows:
        table.add_row(
            row["architecture"],
            f"{row['error_raw']:.2g}",
            f"{row['error_calibrated']:.2g}",
            "" if row["snr_db"] is None else f"{row['snr_db']:.1f}",
            engineering(row["energy_j"], "J"),
            engineering(row["latency_s"], "s"),
            row["verdict"],
        )
    progress.say(table)
    for row in rows:
        if row["verdict"] == "dead":
            progress.say(f"{row['architecture']} is dead: {row['reason']}.")
    largest = ", ".join(f"{one['architecture']} {_largest(one)}" for one in sizes)
    progress.say(f"Largest array for a signal of {CLEAR:g} times the noise within the read: {largest}.")
    progress.say(f"Report: {out / 'report.html'}")
