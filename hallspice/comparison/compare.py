"""`hallspice compare`: the same array in every architecture."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml

from circuits.arrays.crossbar import amplifiers, slots
from circuits.periphery import SHIPPED as SHIPPED_PERIPHERY
from circuits.periphery import PeripheryCard
from circuits.read.calibration import calibration_cost
from circuits.read.encoding import Encoding, encoding_cost
from circuits.read.noise import effective_bits
from circuits.read.trial import Trial, TrialResult, run_trial
from circuits.spice import engine
from compact_model.cards.device import SHIPPED as SHIPPED_DEVICE
from compact_model.cards.inputs import remembered
from hallspice import results
from hallspice.comparison import figures
from hallspice.comparison.check import Check, check
from hallspice.comparison.page import page_of, say
from hallspice.comparison.results import ArchitectureResult, CompareResults, EncodingResult, SizeResult
from hallspice.comparison.trials import SERIES_HALL_IDEAL, all_trials, configured
from hallspice.comparison.verdict import ADDED, USELESS, Word, clear_time, verdict
from hallspice.config.demand import Demand
from hallspice.config.load import load_setup
from hallspice.config.setup import Setup
from hallspice.config.source import AnyConfig
from hallspice.files import staged_folder
from hallspice.page.csv_text import csv_text
from hallspice.progress import SILENT, Reporter

FILES = (
    "comparison.csv",
    "draws.csv",
    "config.yaml",
    "device_card.yaml",
    "periphery_card.yaml",
    "decks/*.cir",
    "report.html",
    "figures/*.svg",
)
"""Names of the files in the folder, beside the index."""


SMALLEST, LARGEST = 4, 32
"""Rows and columns of the smallest array that is tried for its read time, and of the largest beyond the configured."""


@remembered()
def compare(
    config: AnyConfig,
    out: str | Path | None = None,
    *,
    seed: int | None = None,
    progress: Reporter = SILENT,
) -> CompareResults:
    """Try the array of a configuration in every architecture: errors, noise, energy, time, and which of them works.

    Parameters
    ----------
    config
        YAML file, the same as a dict, or a `Config`.
    out
        Folder for report, tables and ``results.json``; None: nothing is written.
    seed
        Replaces that of the configuration.
    progress
        Told how far it is, and what was found.

    Raises
    ------
    DocumentError
        With every mistake of the configuration: its line, or its key, and what is allowed.
    """
    setup = load_setup(config, seed, Demand.COMPARE)
    trials = all_trials(setup)
    outcomes: dict[str, TrialResult] = {}
    checks: dict[str, Check] = {}
    with staged_folder(out, names=FILES) as folder:
        for number, (name, trial) in enumerate(trials.items()):
            progress(number, len(trials), f"compare: {name}")
            outcomes[name] = run_trial(trial, setup.periphery)
            checks[name] = check(name, trial, outcomes[name].settling)
        progress(len(trials), len(trials), "compare: report")
        found = _results(setup, trials, outcomes, checks)
        (folder / "decks").mkdir()
        for name, one in checks.items():
            (folder / "decks" / f"{name}.cir").write_text(one.deck, encoding="utf-8")
        _keep_configuration(setup, folder)
        drawn = {"comparison": figures.comparison(found.architectures)}
        tables = {
            "comparison.csv": results.table_of(ArchitectureResult, found.architectures),
            "draws.csv": _draws(trials, outcomes),
        }
        written = results.write(folder, found, page=page_of(setup, found, drawn), tables=tables)
    if out is None:
        return found
    say(progress, found, Path(out))
    return written


def _results(
    setup: Setup,
    trials: Mapping[str, Trial],
    outcomes: Mapping[str, TrialResult],
    checks: Mapping[str, Check],
) -> CompareResults:
    array = setup.config.array
    architectures = [_row(name, trial, outcomes[name], checks[name]) for name, trial in trials.items()]
    chosen = configured(setup)
    return CompareResults(
        versions={**results.versions_of(), "ngspice": engine.find_simulator().version},
        warnings=[warning for one in checks.values() for warning in one.warnings],
        card=setup.card.name,
        seed=setup.config.seed,
        rows=array.rows,
        columns=array.columns,
        t_read_s=setup.t_read,
        t_calibration_s=setup.config.compare.t_calibration,
        configuration=setup.config,
        architectures=architectures,
        passed=not any(one.failed for one in checks.values()),
        sizes=[
            _sizes(row, trials[row.architecture], setup.periphery)
            for row in architectures
            if _has_sizes(row, trials[row.architecture])
        ],
        encodings=_encodings(trials[chosen], outcomes[chosen], setup.periphery),
    )


def _draws(trials: Mapping[str, Trial], outcomes: Mapping[str, TrialResult]) -> str:
    """Errors of every draw, as CSV."""
    errors = [
        [name, trial.seed, number, error.raw, error.calibrated]
        for name, trial in trials.items()
        for number, error in enumerate(outcomes[name].errors)
    ]
    return csv_text(["architecture", "seed", "draw", "error_raw", "error_calibrated"], errors)


def _keep_configuration(setup: Setup, folder: Path) -> None:
    """Write ``config.yaml`` with the seed in use and with copies of the cards."""
    used = setup.config
    named = {
        "device": (used.device.card, SHIPPED_DEVICE),
        "periphery": (used.array.periphery, SHIPPED_PERIPHERY),
    }
    kept = {}
    for kind, (name, shipped) in named.items():
        kept[kind] = shipped if name == shipped else f"{kind}_card.yaml"
        if name != shipped:
            shutil.copyfile(setup.source.parent / name, folder / kept[kind])
    content = used.model_copy(
        update={
            "device": used.device.model_copy(update={"card": kept["device"]}),
            "array": used.array.model_copy(update={"periphery": kept["periphery"]}),
        }
    ).model_dump(mode="json", exclude_unset=True)
    text = yaml.safe_dump({"seed": used.seed, **content}, sort_keys=False)
    head = "# As it was used: numbers in SI units, the seed, copies of the cards. What is left out has its default.\n"
    (folder / "config.yaml").write_text(head + text, encoding="utf-8")


def _row(name: str, trial: Trial, outcome: TrialResult, checked: Check) -> ArchitectureResult:
    found = verdict(name, trial, outcome)
    architecture = trial.config.architecture
    alive = found.word is not Word.DEAD  # the gain of a dead array means nothing, and so does its noise
    energy = outcome.energy
    calibration = (
        calibration_cost(outcome.noise / outcome.signal, ADDED, outcome.latency, energy.total)
        if alive
        else None
    )
    return ArchitectureResult(
        architecture=name,
        error_raw=outcome.error.raw,
        error_calibrated=outcome.error.calibrated,
        error_with_reference=None if outcome.referred is None else outcome.referred.raw,
        draws=trial.draws,
        mismatch=trial.mismatch if architecture.hall else None,
        cmrr_db=trial.config.cmrr_db if architecture.amplified else None,
        snr_db=20 * float(np.log10(outcome.signal / outcome.noise)) if alive else None,
        effective_bits=float(effective_bits(outcome.signal_range, outcome.noise)) if alive else None,
        t_read_for_snr_10_s=clear_time(trial, outcome) if alive else None,
        signal=outcome.signal,
        noise=outcome.noise if alive else None,
        output_unit=architecture.output_unit,
        energy_j=energy.total,
        energy_array_j=energy.array,
        energy_amplifiers_j=energy.amplifiers,
        energy_dac_j=energy.dac,
        energy_adc_j=energy.adc,
        energy_digital_j=energy.digital,
        reference_energy_j=outcome.reference if alive and outcome.referred else None,
        calibration_reads=None if calibration is None else calibration.reads,
        calibration_time_s=None if calibration is None else calibration.time,
        calibration_energy_j=None if calibration is None else calibration.energy,
        latency_s=outcome.latency,
        slots=slots(trial.config, trial.shape[0]),
        v_row_v=outcome.v_row,
        input_full=trial.usable,
        input_unit=architecture.input_unit,
        limited_by_supply=trial.usable < trial.full,
        common_mode_v=outcome.common_mode,
        weakest_cell=outcome.weakest_cell,
        settling_s=outcome.settling,
        ngspice_difference=checked.difference,
        ngspice_why_not=checked.why_not,
        ngspice_settling_s=checked.settling,
        ngspice_energy_full_j=checked.energy,
        energy_full_j=checked.energy_nodal,
        ngspice_why_no_transient=checked.why_no_transient,
        verdict=found.word,
        reason=found.reason,
    )


def _has_sizes(row: ArchitectureResult, trial: Trial) -> bool:
    drawn = row.architecture != SERIES_HALL_IDEAL and not trial.config.architecture.crossed
    return drawn and row.verdict is not Word.DEAD


def _sizes(row: ArchitectureResult, trial: Trial, periphery: PeripheryCard) -> SizeResult:
    """Read time that a clear signal needs by size: of halves of the array, and of doubles while they are useful."""
    times = {trial.shape: row.t_read_for_snr_10_s}
    shape = _scaled(trial.shape, 0.5)
    while min(shape) >= SMALLEST:
        times[shape] = _clear_read(trial, shape, periphery)
        shape = _scaled(shape, 0.5)
    useful = [shape for shape, time in times.items() if _fits(time, trial)]
    shape = _scaled(trial.shape, 2)
    while max(shape) <= LARGEST and max(times) in useful:
        times[shape] = _clear_read(trial, shape, periphery)
        useful += [shape] if _fits(times[shape], trial) else []
        shape = _scaled(shape, 2)
    return SizeResult(
        architecture=row.architecture,
        largest_useful=_size(max(useful)) if useful else None,
        larger_not_tried=max(times) in useful,
        t_read_for_snr_10_s={_size(shape): times[shape] for shape in sorted(times)},
    )


def _clear_read(trial: Trial, shape: tuple[int, int], periphery: PeripheryCard) -> float | None:
    """Length of a read of an array of another shape for a clear signal [s]; None when it is dead. One draw."""
    outcome = run_trial(replace(trial, shape=shape, draws=1), periphery)
    return None if outcome.error.calibrated > USELESS else clear_time(trial, outcome)


def _fits(time: float | None, trial: Trial) -> bool:
    return time is not None and time <= trial.t_read


def _scaled(shape: tuple[int, int], factor: float) -> tuple[int, int]:
    return int(shape[0] * factor), int(shape[1] * factor)


def _size(shape: tuple[int, int]) -> str:
    return f"{shape[0]} x {shape[1]}"


def _encodings(trial: Trial, outcome: TrialResult, periphery: PeripheryCard) -> list[EncodingResult]:
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
            periphery,
            t_slot=outcome.settling + trial.t_read,
            amplifiers=amplifiers(trial.config, trial.shape),
            adc_bits=trial.adc_bits,
            turns=slots(trial.config, trial.shape[0]),
        )
        found.append(
            EncodingResult(
                encoding=encoding.value,
                reads=cost.reads,
                time_s=cost.time,
                energy_j=cost.energy.total,
                energy_array_j=cost.energy.array,
                energy_amplifiers_j=cost.energy.amplifiers,
                energy_dac_j=cost.energy.dac,
                energy_adc_j=cost.energy.adc,
                energy_digital_j=cost.energy.digital,
                relative_noise=cost.noise,
            )
        )
    return found
