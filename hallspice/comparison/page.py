"""The page of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.table import Table as TerminalTable

from circuits.arrays.architecture import Architecture
from hallspice.comparison.check import LIMIT
from hallspice.comparison.results import ArchitectureResult, CompareResults, EncodingResult, SizeResult
from hallspice.comparison.verdict import ADDED, CLEAR, USELESS, Word
from hallspice.config.setup import Setup
from hallspice.page.page import Answer, Caption, Column, Detail, Page, Section, Table
from hallspice.page.style import engineering
from hallspice.progress import Reporter
from hallspice.results import measure_of


def page_of(setup: Setup, found: CompareResults, drawn: Mapping[str, str]) -> Page:
    """The page of a comparison."""
    rows = found.architectures
    array = setup.config.array
    return Page(
        title=f"architectures, {array.rows} x {array.columns}",
        question="Which array of Hall bars computes, and what does a read cost?",
        subtitle=f"Device {setup.card.name}, read of {engineering(setup.t_read, 's')}, seed {setup.config.seed}, "
        f"hallspice {found.versions['hallspice']}, {found.created}.",
        answers=_answers(rows),
        sentences=[
            "Errors are relative to the compute signal: the ideal output with the mean weight taken out. Hall "
            "resistances are all positive with a large mean, so relative to the raw output an array that knows nothing "
            f"but the mean would look good. Above {USELESS:g} an array is useless.",
        ],
        warnings=_warnings(found),
        sections=[
            _side_by_side(rows),
            _read_times(setup, found.sizes),
            _settling(rows),
            _calibration(rows),
            _input_encodings(setup, found.encodings),
            _assumed(setup),
        ],
        figures=drawn,
    )


def _answers(rows: Sequence[ArchitectureResult]) -> list[Answer]:
    crossed = {architecture.value for architecture in Architecture if architecture.crossed}
    working = (Word.WORKS, Word.NEEDS_CALIBRATION)
    hall = [row for row in rows if row.verdict in working and row.architecture not in crossed]
    asked = len(Architecture) - len(crossed)  # of Hall cells
    names = ", ".join(row.architecture for row in hall)
    answers = [Answer("Hall arrays that work", f"{len(hall)} of {asked}", names)]
    if hall:
        best = min(hall, key=lambda row: row.error_calibrated)
        sparing = min(hall, key=lambda row: row.energy_j)
        answers += [
            Answer("smallest error", f"{best.error_calibrated:.2g}", f"{best.architecture}, calibrated"),
            Answer("lowest energy of a read", engineering(sparing.energy_j, "J"), sparing.architecture),
        ]
    return answers


def _warnings(found: CompareResults) -> list[str]:
    rows = found.architectures
    warnings = [
        f"{row.architecture} computes nothing: {row.reason}." for row in rows if row.verdict is Word.DEAD
    ]
    warnings += found.warnings
    if limited := [row for row in rows if row.limited_by_supply]:
        volts = ", ".join(f"{row.architecture} {row.v_row_v:.3g} V" for row in limited)
        currents = sorted({engineering(row.input_full, row.input_unit) for row in limited})
        warnings.append(
            f"A full input would need more than the supply ({volts}); inputs of these are limited to "
            f"{' and '.join(currents)}. Their errors don't depend on it, their signal to noise does."
        )
    return warnings


def _side_by_side(rows: Sequence[ArchitectureResult]) -> Section:
    return Section(
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
    )


def _read_times(setup: Setup, sizes: Sequence[SizeResult]) -> Section:
    return Section(
        "Size and read time",
        text=[
            f"Length of a read that makes signal over noise {CLEAR:g} (white noise, one draw, inputs as the "
            "supply allows; of each row where rows take turns), and the largest of these arrays for which "
            f"{engineering(setup.t_read, 's')} will do."
        ],
        tables=[_sizes_table(sizes)],
    )


def _settling(rows: Sequence[ArchitectureResult]) -> Section:
    return Section(
        "Settling",
        text=[
            "Elmore's estimate to a thousandth, with the capacitances of wires and arms, beside a transient in "
            "ngspice; and the energy that the sources deliver in a read of full inputs and its settling, as "
            "power of the nodal solution times the time and as integral in ngspice (whose inputs rise within a "
            "thousandth of its transient). First draw; one row where rows take turns. A transient that would "
            f"take ngspice more than {engineering(LIMIT, 's')} is not run."
        ],
        tables=[_transient_table(rows)],
    )


def _calibration(rows: Sequence[ArchitectureResult]) -> Section:
    return Section(
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
    )


def _input_encodings(setup: Setup, encodings: Sequence[EncodingResult]) -> Section:
    array = setup.config.array
    return Section(
        "Input encodings",
        text=[
            f"One product of {array.architecture} with inputs of {array.converters.dac_bits} bits: as an "
            "amplitude; as a number of full pulses, over which the columns integrate; or bit by bit, with a "
            "conversion, shift and addition each. All give the same product. Noise is relative to one read "
            "of amplitude, each slot as long as a read."
        ],
        tables=[_encoding_table(encodings)],
    )


def _assumed(setup: Setup) -> Section:
    return Section(
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
    )


def _meaning(field: str) -> str:
    return measure_of(ArchitectureResult, field).meaning


_MEANINGS = Table(
    [Column("column"), Column("meaning")],
    [
        ["mismatch", _meaning("mismatch")],
        ["CMRR", _meaning("cmrr_db")],
        ["e raw", _meaning("error_raw")],
        ["calibrated", _meaning("error_calibrated")],
        ["reference", _meaning("error_with_reference")],
        [
            "ngspice differs",
            "one vector of the first draw, read by ngspice; why it was not run is among the warnings or under Settling",
        ],
        [
            "SNR, bits",
            "signal over the noise of one read, and the bits that it leaves (first draw, as all below)",
        ],
        ["energy", _meaning("energy_j")],
        ["row needs", _meaning("v_row_v")],
        ["cell gets", _meaning("weakest_cell")],
        ["SNR 10 in", _meaning("t_read_for_snr_10_s")],
    ],
)


def _errors_table(rows: Sequence[ArchitectureResult]) -> Table:
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
            row.architecture,
            "" if row.mismatch is None else f"{100 * row.mismatch:.2g} %",
            "" if row.cmrr_db is None else f"{row.cmrr_db:g}",
            f"{row.error_raw:.2g}",
            f"{row.error_calibrated:.2g}",
            "" if row.error_with_reference is None else f"{row.error_with_reference:.2g}",
            str(row.draws),
            "not run" if row.ngspice_difference is None else f"{row.ngspice_difference:.0e}",
            row.verdict,
            row.reason,
        ]
        for row in rows
    ]
    return Table(head, lines)


def _cost_table(rows: Sequence[ArchitectureResult]) -> Table:
    names = (
        *("SNR (dB)", "bits", "energy", "array", "amplifiers", "converters", "latency", "row needs"),
        *("full input", "cell gets", "SNR 10 in"),
    )
    head = [Column("architecture"), *(Column(name, True) for name in names)]
    lines = [
        [
            row.architecture,
            "" if row.snr_db is None else f"{row.snr_db:.1f}",
            "" if row.effective_bits is None else f"{row.effective_bits:.1f}",
            engineering(row.energy_j, "J"),
            engineering(row.energy_array_j, "J"),
            engineering(row.energy_amplifiers_j, "J"),
            engineering(row.energy_converters_j, "J"),
            engineering(row.latency_s, "s"),
            engineering(row.v_row_v, "V"),
            engineering(row.input_full, row.input_unit),
            f"{100 * row.weakest_cell:.4g} %",
            _or_nothing(row.t_read_for_snr_10_s, "s"),
        ]
        for row in rows
    ]
    return Table(head, lines)


def _transient_table(rows: Sequence[ArchitectureResult]) -> Table:
    names = ("settles in, estimate", "in ngspice", "full read, nodal", "in ngspice")
    head = [Column("architecture"), *(Column(name, True) for name in names), Column("not run because")]
    lines = [
        [
            row.architecture,
            engineering(row.settling_s, "s"),
            _or_nothing(row.ngspice_settling_s, "s"),
            engineering(row.energy_full_j, "J"),
            _or_nothing(row.ngspice_energy_full_j, "J"),
            row.ngspice_why_no_transient,
        ]
        for row in rows
    ]
    return Table(head, lines)


def _or_nothing(value: float | None, unit: str) -> str:
    return "" if value is None else engineering(value, unit)


def _calibration_table(rows: Sequence[ArchitectureResult]) -> Table:
    names = ("calibrated", "reads", "time", "energy", "with reference", "energy in every read")
    head = [Column("architecture"), *(Column(name, True) for name in names)]
    lines = [
        [
            row.architecture,
            f"{row.error_calibrated:.2g}",
            str(row.calibration_reads),
            _or_nothing(row.calibration_time_s, "s"),
            _or_nothing(row.calibration_energy_j, "J"),
            "" if row.error_with_reference is None else f"{row.error_with_reference:.2g}",
            _or_nothing(row.reference_energy_j, "J"),
        ]
        for row in rows
        if row.calibration_reads is not None
    ]
    return Table(head, lines)


def _largest(one: SizeResult) -> str:
    """The largest useful array in words."""
    return ("at least " if one.larger_not_tried else "") + (one.largest_useful or "none")


def _time_text(times: Mapping[str, float | None], size: str) -> str:
    return "dead" if size in times and times[size] is None else _or_nothing(times.get(size), "s")


def _sizes_table(sizes: Sequence[SizeResult]) -> Table:
    named = {name for one in sizes for name in one.t_read_for_snr_10_s}
    names = sorted(named, key=lambda name: int(name.split()[0]))
    head = [Column("architecture"), *(Column(name, True) for name in names), Column("largest useful", True)]
    lines = [
        [
            one.architecture,
            *(_time_text(one.t_read_for_snr_10_s, name) for name in names),
            _largest(one),
        ]
        for one in sizes
    ]
    return Table(head, lines)


def _encoding_table(encodings: Sequence[EncodingResult]) -> Table:
    names = ("reads", "time", "energy", "array", "amplifiers", "converters", "logic", "noise")
    head = [Column("encoding"), *(Column(name, True) for name in names)]
    lines = [
        [
            one.encoding,
            str(one.reads),
            engineering(one.time_s, "s"),
            engineering(one.energy_j, "J"),
            engineering(one.energy_array_j, "J"),
            engineering(one.energy_amplifiers_j, "J"),
            engineering(one.energy_converters_j, "J"),
            engineering(one.energy_digital_j, "J"),
            f"{one.relative_noise:.2f}",
        ]
        for one in encodings
    ]
    return Table(head, lines)


def say(progress: Reporter, found: CompareResults, out: Path) -> None:
    """Say the verdicts in the terminal."""
    table = TerminalTable(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("architecture", "e raw", "calib.", "SNR dB", "energy", "latency", "verdict"):
        text = name in ("architecture", "verdict")
        table.add_column(name, justify="left" if text else "right", no_wrap=True)
    for row in found.architectures:
        table.add_row(
            row.architecture,
            f"{row.error_raw:.2g}",
            f"{row.error_calibrated:.2g}",
            "" if row.snr_db is None else f"{row.snr_db:.1f}",
            engineering(row.energy_j, "J"),
            engineering(row.latency_s, "s"),
            row.verdict,
        )
    progress.say(table)
    for row in found.architectures:
        if row.verdict is Word.DEAD:
            progress.say(f"{row.architecture} is dead: {row.reason}.")
    largest = ", ".join(f"{one.architecture} {_largest(one)}" for one in found.sizes)
    progress.say(f"Largest array for a signal of {CLEAR:g} times the noise within the read: {largest}.")
    progress.say(f"Report: {out / 'report.html'}")
