"""`hallspice compare`: the same array in every architecture."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table as TerminalTable

from circuits import ngspice, spice
from circuits.array_config import Architecture, Isolation, Returns
from circuits.arrays import crossbar, slots
from circuits.calibration import calibration_cost
from circuits.comparison import Outcome, Trial, draw, run_trial
from circuits.encoding import Encoding, encoding_cost
from circuits.nodal import factor
from circuits.noise import effective_bits
from compact_model import readout
from hallspice import comparison_figures
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
SMALLEST = 4
"""Rows and columns of the smallest array that is tried for its read time."""
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
    setup = load_setup(config, seed, network=False)
    trials = all_trials(setup)
    outcomes, rows, decks = {}, [], {}
    with staged_folder(out) as folder:
        for number, (name, trial) in enumerate(trials.items()):
            progress(number, len(trials), f"compare: {name}")
            outcomes[name] = run_trial(trial, setup.periphery)
            decks[name], difference = _checked_in_ngspice(name, trial)
            row = _row(name, trial, outcomes[name], difference)
            first = draw(trial, 0)
            settling = setup.settling(first.states, trial.config, first.mismatch)
            row["latency_s"] += row["slots"] * settling
            rows.append({**row, "settling_s": settling})
        progress(len(trials), len(trials), "compare: report")
        results = _results(setup, rows)
        chosen = _configured(setup)
        results["sizes"] = _sizes(trials, outcomes, rows, setup)
        results["encodings"] = _encodings(trials[chosen], outcomes[chosen], setup)
        drawn = {"comparison": comparison_figures.comparison(rows)}
        (folder / "decks").mkdir()
        for name, deck in decks.items():
            (folder / "decks" / f"{name}.cir").write_text(deck, encoding="utf-8")
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
        (folder / "config.yaml").write_text(config.read_text(encoding="utf-8"), encoding="utf-8")
        (folder / "report.html").write_text(_page(setup, results, drawn).html(), encoding="utf-8")
        files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        results["files"] = [*files, RESULTS]
        (folder / RESULTS).write_text(json.dumps(results, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    _say(progress, rows, results["sizes"], out)
    return results


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
        setup.array,
        architecture=architecture,
        isolation=Isolation.NONE,
        cmrr_db=changes.get("cmrr_db", setup.array.cmrr_db),
    )
    resistive = architecture is Architecture.RESISTIVE
    i_read = setup.periphery.read.i_read.value if array.read.i_read is None else array.read.i_read
    supply = array.driver.v_supply
    levels = setup.levels_ohm
    full = i_read * (config.r_channel if architecture.input_unit == "V" else 1.0)
    return Trial(
        config=config,
        shape=(array.rows, array.columns),
        lowest=array.cell.r_high if resistive else float(levels[0]),
        highest=array.cell.r_low if resistive else float(levels[-1]),
        full=array.read.v_read if resistive else full,
        supply=setup.periphery.driver.v_supply.value if supply is None else supply,
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
    unit = trial.config.architecture.output_unit
    if name == SERIES_HALL_IDEAL:
        return Verdict(
            "intended", "the sum that the drawing intends; no circuit for its isolation amplifiers is given"
        )
    if error.calibrated > USELESS:
        reason = (
            f"{engineering(outcome.common_mode, 'V')} of common mode at the Hall arms against "
            f"{engineering(outcome.signal, unit)} of compute signal in a column"
        )
        if trial.config.architecture is Architecture.SERIES_HALL:
            reason += "; the arms join the rows into one resistive sheet"
        return Verdict("dead", reason)
    if outcome.noise * LOUD > outcome.signal:
        longer = trial.t_read * (LOUD * outcome.noise / outcome.signal) ** 2
        return Verdict(
            "too noisy", f"needs {engineering(longer, 's')} per read for a signal of three times its noise"
        )
    if error.raw > USELESS:
        share = 100 * (1 - outcome.weakest_cell)
        reason = f"a gain per column takes out most of the error; the weakest cell lacks {share:.2g} % of its voltage"
        return Verdict("needs calibration", reason)
    return Verdict("works", "useful as it is; calibration of the columns improves it")


def _row(name: str, trial: Trial, outcome: Outcome, difference: float | None) -> dict[str, Any]:
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
        "t_read_for_snr_10_s": (
            trial.t_read * (CLEAR * outcome.noise / outcome.signal) ** 2 if alive else None
        ),
        "signal": outcome.signal,
        "noise": outcome.noise if alive else None,
        "output_unit": trial.config.architecture.output_unit,
        "energy_j": total,
        **{f"energy_{part}_j": value for part, value in outcome.energy.items()},
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
        "ngspice_difference": difference,
        "verdict": found.word,
        "reason": found.reason,
    }


def _checked_in_ngspice(name: str, trial: Trial) -> tuple[str, float | None]:
    """Deck of the first vector of draw 0 (of its first time slot), and how far ngspice is from the nodal solution.

    The difference is relative to the largest output; None without ngspice.
    """
    first = draw(trial, 0)
    network = crossbar(first.states, trial.config, first.mismatch)
    inputs = trial.usable * first.inputs[:1]
    rows, columns = trial.shape
    title = f"hallspice: {name} {rows} x {columns}, seed {trial.seed}, draw 0, vector 0" + (
        ", time slot 0" if slots(trial.config, rows) > 1 else ""
    )
    deck = spice.netlist(network, inputs[0], title)
    if ngspice.find_simulator().problem:
        return deck, None
    outputs = factor(network).solve(inputs).outputs
    found = ngspice.simulate(network, inputs)
    return deck, float(np.abs(found - outputs).max() / np.abs(outputs).max())


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
                "Calibration",
                text=[
                    "Gain and offset of all columns are fitted to reads of known inputs, once. This many reads of the "
                    f"whole array keep the error that their noise adds to every later read below {ADDED:g} of the "
                    "compute signal."
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
            "one vector of the first draw, read by ngspice",
        ],
        [
            "SNR, bits",
            "signal over the noise of one read, and the bits that it leaves (first draw, as all below)",
        ],
        [
            "energy",
            "what row drivers, amplifiers, converters and logic take for one read of the whole array, uniform inputs",
        ],
        ["row needs", "voltage for a full input, whatever the supply"],
        ["cell gets", "share of its voltage that the worst cell is left with"],
        ["SNR 10 in", "length of a read that makes signal over noise 10 (white noise)"],
        ["settles in", "estimate to a thousandth, by Elmore's delays with the capacitances of the card"],
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
        *("full input", "cell gets", "SNR 10 in", "settles in"),
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
            engineering(row["settling_s"], "s"),
        ]
        for row in rows
    ]
    return Table(head, lines)


def _calibration_table(rows: Sequence[dict[str, Any]]) -> Table:
    head = [Column("architecture"), *(Column(name, True) for name in ("reads", "time", "energy"))]
    lines = [
        [
            row["architecture"],
            str(row["calibration_reads"]),
            engineering(row["calibration_time_s"], "s"),
            engineering(row["calibration_energy_j"], "J"),
        ]
        for row in rows
        if row["calibration_reads"] is not None
    ]
    return Table(head, lines)


def _sizes(
    trials: Mapping[str, Trial], outcomes: Mapping[str, Outcome], rows: Sequence[dict[str, Any]], setup: Setup
) -> list[dict[str, Any]]:
    """Read time that each size needs for a clear signal: halves of the configured array, one draw each."""
    found = []
    for row in rows:
        name = row["architecture"]
        if row["verdict"] == "dead" or name in (SERIES_HALL_IDEAL, Architecture.RESISTIVE):
            continue
        times = {}
        trial, outcome = trials[name], outcomes[name]
        while True:
            ratio = CLEAR * outcome.noise / outcome.signal
            times[f"{trial.shape[0]} x {trial.shape[1]}"] = trial.t_read * ratio**2
            rows_of_half, columns_of_half = trial.shape[0] // 2, trial.shape[1] // 2
            if min(rows_of_half, columns_of_half) < SMALLEST:
                break
            trial = replace(trial, shape=(rows_of_half, columns_of_half), draws=1)
            outcome = run_trial(trial, setup.periphery)
        useful = next((size for size, time in times.items() if time <= setup.t_read), None)
        found.append({"architecture": name, "largest_useful": useful, "t_read_for_snr_10_s": times})
    return found


def _sizes_table(sizes: Sequence[dict[str, Any]]) -> Table:
    names = list(sizes[0]["t_read_for_snr_10_s"]) if sizes else []
    head = [Column("architecture"), *(Column(name, True) for name in names), Column("largest useful", True)]
    lines = [
        [
            one["architecture"],
            *(engineering(one["t_read_for_snr_10_s"][name], "s") for name in names),
            one["largest_useful"] or "none of these",
        ]
        for one in sizes
    ]
    return Table(head, lines)


def _encodings(trial: Trial, outcome: Outcome, setup: Setup) -> list[dict[str, Any]]:
    """Cost of a product by each encoding of its inputs."""
    generator = np.random.default_rng(trial.seed)
    codes = generator.integers(0, 2**trial.dac_bits, (trial.vectors, trial.shape[0]))
    count = slots(trial.config, trial.shape[0])
    supply = setup.periphery.amplifier.i_bias.value * setup.periphery.amplifier.v_supply.value
    found = []
    for encoding in Encoding:
        cost = encoding_cost(
            encoding,
            trial.dac_bits,
            codes,
            outcome.power,
            trial.shape[1],
            setup.periphery,
            t_slot=trial.t_read,
            amplifiers=round(outcome.energy["amplifiers"] / (supply * count * trial.t_read)),
            adc_bits=trial.adc_bits,
        )
        # rows that take turns repeat everything but the conversion of their inputs
        energy = {part: value * (1 if part == "dac" else count) for part, value in cost.energy.items()}
        found.append(
            {
                "encoding": encoding.value,
                "reads": cost.reads * count,
                "time_s": cost.time * count,
                "energy_j": sum(energy.values()),
                **{f"energy_{part}_j": value for part, value in energy.items()},
                "relative_noise": cost.noise,
            }
        )
    return found


def _encoding_table(encodings: Sequence[dict[str, Any]]) -> Table:
    names = ("reads", "time", "energy", "array", "amplifiers", "converters", "noise")
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
    largest = ", ".join(f"{one['architecture']} {one['largest_useful'] or 'none'}" for one in sizes)
    progress.say(f"Largest array for a signal of {CLEAR:g} times the noise within the read: {largest}.")
    progress.say(f"Report: {out / 'report.html'}")
