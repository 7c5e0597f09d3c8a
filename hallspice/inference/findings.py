"""What a run found, in sentences."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from hallspice.inference.losses import standard_error
from hallspice.inference.results import (
    Accuracy,
    InferenceResults,
    ProgrammedSummary,
    ReadCertificate,
    Uncertainty,
)
from hallspice.page.style import engineering, percent
from hallspice.progress import Reporter
from nn_mapping.accuracy import Ablation
from nn_mapping.cost import InferenceCost

WEAK_READ = 0.95
"""A cell that sees less than this share of its read voltage is worth a warning."""


def of_accuracy(accuracy: Accuracy, causes: Ablation) -> list[str]:
    """What the accuracies say."""
    error = standard_error(accuracy.circuit, accuracy.images)
    largest = accuracy.losses[0]
    loss = (
        f"The largest loss: {largest.cause}, {largest.points:.2f} points against {largest.against}."
        if largest.points > error
        else "Taken alone, no part costs more than one standard error."
    )
    by_levels = ""
    if accuracy.float_ is not None:
        change = 100 * (accuracy.levels - accuracy.float_)
        by_levels = f", against float weights the levels change it by {change:+.2f} points"
    return [
        f"Against ideal levels the circuit changes the accuracy by {100 * (accuracy.circuit - accuracy.levels):+.2f} "
        f"points{by_levels}; one standard error of an accuracy is {error:.2f} points.",
        f"{loss} Without calibration of the columns the accuracy is {100 * causes.untrimmed:.2f} %.",
    ]


def of_energy(inference: InferenceCost) -> str:
    """What the energy of an inference says."""
    energy = inference.energy
    cells, total = energy.cells + energy.amplifiers, energy.total
    shares = (
        f": {100 * energy.cells / total:.1f} % in their channels and {100 * energy.amplifiers / total:.1f} % in their "
        "amplifiers"
        if energy.amplifiers
        else ""
    )
    return (
        f"{100 * cells / total:.1f} % of the energy of an inference is spent in the array's cells{shares}. Converters "
        f"and arithmetic together take {100 * (energy.dac + energy.adc + energy.digital) / total:.2g} %."
    )


def of_programming(programmed: ProgrammedSummary, circuit: float, reached: float) -> str:
    """What programming says; `circuit` and `reached` are the accuracies with exact and with written states."""
    share = 100 * programmed.written / programmed.cells
    return (
        f"Programming ({programmed.scheme}, {programmed.algorithm}) brings {share:.2f} % of the cells to their "
        f"level ({programmed.cells - programmed.written} are given up) with "
        f"{programmed.pulses / programmed.cells:.2f} pulses per cell and "
        f"{engineering(programmed.energy_j.total, 'J')}; with these states the accuracy is "
        f"{percent(reached)}, {100 * (reached - circuit):+.2f} points."
    )


def of_uncertainty(found: Uncertainty) -> str:
    """What the errors of the fit mean."""
    low, high = found.accuracy
    cheap, dear = (engineering(value, "J") for value in found.energy_j)
    return (
        f"On {found.cards} cards drawn from the errors of the fit the accuracy lies between {100 * low:.2f} and "
        f"{100 * high:.2f} %, the energy of an inference between {cheap} and {dear} (95 % of them)."
    )


def warnings_of(accuracy: Accuracy, certificate: ReadCertificate, weakest: float) -> list[str]:
    """What weakens the result; `weakest` is the share of its voltage that the worst cell sees, all inputs full."""
    found = []
    if weakest < WEAK_READ:
        found.append(
            f"IR drop: with all inputs full the worst cell of the largest tile sees {100 * weakest:.0f} % of the read "
            "voltage; column calibration takes out what is the same for all inputs."
        )
    if accuracy.levels - accuracy.circuit > 0.01:
        lost = 100 * (accuracy.levels - accuracy.circuit)
        found.append(f"the circuit costs {lost:.1f} points of accuracy; the table of causes says where.")
    if certificate.max_relative_difference is None:
        found.append(f"no tile was checked in ngspice: {certificate.reason}.")
    elif not certificate.passed:
        found.append(
            f"ngspice and the nodal solver differ by {certificate.max_relative_difference:.1e}, more than the limit."
        )
    found.append(
        "read noise, and the spread of the states and of the amplifiers, are not in this evaluation: every cell holds "
        "its level exactly."
    )
    found.append(
        "wires, drivers, amplifiers and converters are assumed, not measured: see the provenance tables."
    )
    return found


def say(progress: Reporter, results: InferenceResults, out: Path) -> None:
    """Say accuracy, energy and findings in the terminal."""
    accuracy, energy = results.accuracy, results.energy_per_inference_j
    title = f"{results.network.dataset} on {results.array.architecture}"
    table = Table(title=title, title_justify="left")
    table.add_column("")
    table.add_column("result", justify="right")
    table.add_column("share", justify="right")
    if accuracy.float_ is not None:
        table.add_row("accuracy, float weights", percent(accuracy.float_), "")
    table.add_row("accuracy, device levels", percent(accuracy.levels), "")
    table.add_row("accuracy, through the circuit", percent(accuracy.circuit), "", end_section=True)
    for name, value in energy.parts.items():
        table.add_row(f"energy, {name}", engineering(value, "J"), f"{100 * value / energy.total:.2g} %")
    table.add_row("energy per inference", engineering(energy.total, "J"), "100 %", end_section=True)
    table.add_row("latency", engineering(results.latency_s, "s"), "")
    table.add_row("writing the network once", engineering(results.write.energy_j, "J"), "")
    certificate = results.certificate
    if certificate.max_relative_difference is not None:
        name = f"{certificate.simulator} against solver, {certificate.tiles} tiles"
        table.add_row(name, f"{certificate.max_relative_difference:.1e}", "")
    progress.say(table)
    for sentence in results.findings:
        progress.say(sentence)
    progress.say(f"Report: {out / 'report.html'}")
