"""What a run found, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from hallspice.inference.losses import standard_error
from hallspice.page import style
from hallspice.page.style import percent
from hallspice.progress import Reporter
from nn_mapping import cost

WEAK_READ = 0.95
"""A cell that sees less than this share of its read voltage is worth a warning."""


def findings(accuracy: Mapping[str, Any], inference: cost.InferenceCost) -> list[str]:
    """What the numbers say, in sentences."""
    points = {row["key"]: 100 * row["accuracy"] for row in accuracy["causes"]}
    ideal, circuit = points["levels"], points["circuit"]
    error = standard_error(accuracy["circuit"], accuracy["images"])
    largest = accuracy["losses"][0]
    sentences = [
        f"Against ideal levels the circuit changes the accuracy by {circuit - ideal:+.2f} points, against float "
        f"weights the levels change it by {ideal - 100 * accuracy['float']:+.2f} points; one standard error of an "
        f"accuracy is {error:.2f} points.",
        f"The largest loss: {largest['cause']}, {largest['points']:.2f} points against {largest['against']}. "
        if largest["points"] > error
        else "Taken alone, no part costs more than one standard error. ",
    ]
    sentences[-1] += f"Without calibration of the columns the accuracy is {points['untrimmed']:.2f} %."
    parts = inference.parts
    cells, total = parts["cells"] + inference.amplifiers, inference.total
    shares = (
        f": {100 * parts['cells'] / total:.1f} % in their channels and {100 * inference.amplifiers / total:.1f} % in "
        "their amplifiers"
        if inference.amplifiers
        else ""
    )
    sentences.append(
        f"{100 * cells / total:.1f} % of the energy of an inference is spent in the array's cells{shares}. Converters "
        f"and arithmetic together take {100 * (parts['dac'] + parts['adc'] + parts['digital']) / total:.2g} %."
    )
    return sentences


def warnings_of(accuracy: Mapping[str, Any], certificate: Mapping[str, Any], weakest: float) -> list[str]:
    """What weakens the result; `weakest` is the share of its voltage that the worst cell sees, all inputs full."""
    found = []
    if weakest < WEAK_READ:
        found.append(
            f"IR drop: with all inputs full the worst cell of the largest tile sees {100 * weakest:.0f} % of the read "
            "voltage; column calibration takes out what is the same for all inputs."
        )
    if accuracy["levels"] - accuracy["circuit"] > 0.01:
        lost = 100 * (accuracy["levels"] - accuracy["circuit"])
        found.append(f"the circuit costs {lost:.1f} points of accuracy; the table of causes says where.")
    if not certificate["tiles"]:
        found.append(f"no tile was checked in ngspice: {certificate['reason']}.")
    elif not certificate["passed"]:
        found.append(
            f"ngspice and the nodal solver differ by {certificate['max_relative_difference']:.1e}, more than the limit."
        )
    found.append(
        "read noise, and the spread of the states and of the amplifiers, are not in this evaluation: every cell holds "
        "its level exactly."
    )
    found.append(
        "wires, drivers, amplifiers and converters are assumed, not measured: see the provenance tables."
    )
    return found


def say(progress: Reporter, results: Mapping[str, Any], out: Path) -> None:
    """Say accuracy, energy and findings in the terminal."""
    accuracy, energy = results["accuracy"], results["energy_per_inference_j"]
    table = Table(
        title=f"{results['network']['dataset']} on {results['array']['architecture']}", title_justify="left"
    )
    table.add_column("")
    table.add_column("result", justify="right")
    table.add_column("share", justify="right")
    table.add_row("accuracy, float weights", percent(accuracy["float"]), "")
    table.add_row("accuracy, device levels", percent(accuracy["levels"]), "")
    table.add_row("accuracy, through the circuit", percent(accuracy["circuit"]), "", end_section=True)
    for name, value in energy.items():
        if name != "total":
            table.add_row(
                f"energy, {name}", style.engineering(value, "J"), f"{100 * value / energy['total']:.2g} %"
            )
    table.add_row("energy per inference", style.engineering(energy["total"], "J"), "100 %", end_section=True)
    table.add_row("latency", style.engineering(results["latency_s"], "s"), "")
    table.add_row("writing the network once", style.engineering(results["write"]["energy_j"], "J"), "")
    certificate = results["certificate"]
    if certificate["tiles"]:
        difference = f"{certificate['max_relative_difference']:.1e}"
        table.add_row(
            f"{certificate['simulator']} against solver, {certificate['tiles']} tiles", difference, ""
        )
    progress.say(table)
    for sentence in results["findings"]:
        progress.say(sentence)
    progress.say(f"Report: {out / 'report.html'}")
