"""The report of a run: results.json as a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from circuits.arrays.architecture import Architecture
from hallspice.inference.losses import standard_error
from hallspice.inference.results import (
    Accuracy,
    ArrayParameters,
    DeviceSummary,
    EnergyParts,
    InferenceResults,
    ProgrammedSummary,
    WriteSummary,
)
from hallspice.page.page import Answer, Caption, Column, Detail, Page, Section, Table
from hallspice.page.provenance import folded_origins
from hallspice.page.style import engineering, percent
from hallspice.results import measure_of


def page_of(results: InferenceResults, figures: Mapping[str, str]) -> Page:
    """The page for `results`, with `figures` as SVG text by name."""
    network, array = results.network, results.array
    return Page(
        title=f"{network.dataset}, {array.architecture}",
        question=f"What accuracy and what energy does {network.dataset} get on {array.architecture} arrays "
        "of SOT Hall bars?",
        subtitle=f"Network {network.name}, tiles of at most {array.rows} x {array.columns} cells, device card "
        f"{results.device.card}, seed {results.seed}, hallspice {results.versions['hallspice']}, "
        f"{results.created}.",
        answers=_answers(results),
        sentences=results.findings,
        warnings=results.warnings,
        sections=[
            _device(results),
            _array(results),
            _network(results),
            _energy(results),
            _write(results),
            _certificate(results),
            _provenance(results),
            _configuration(results),
        ],
        figures=figures,
    )


def _answers(results: InferenceResults) -> list[Answer]:
    accuracy, energy = results.accuracy, results.energy_per_inference_j
    certificate = results.certificate
    ideal = f"ideal levels {percent(accuracy.levels)}"
    if accuracy.float_ is not None:
        ideal = f"float weights {percent(accuracy.float_)}, {ideal}"
    part = energy.largest
    joule = energy.parts[part]
    answers = [
        Answer("accuracy through the circuit", percent(accuracy.circuit), ideal),
        *(
            [Answer("as programmed", percent(accuracy.programmed), "with the states that writing reached")]
            if accuracy.programmed is not None
            else []
        ),
        Answer("energy per inference", engineering(energy.total, "J"), "device, wires and periphery"),
        _largest_loss(accuracy),
        Answer(
            "largest part of the energy",
            f"{part}, {100 * joule / energy.total:.0f} %",
            f"{engineering(joule, 'J')}: {measure_of(EnergyParts, part).meaning}",
        ),
        Answer("latency", engineering(results.latency_s, "s"), "layers one after another"),
    ]
    if certificate.max_relative_difference is not None:
        difference = f"{certificate.max_relative_difference:.1e}"
        answers.append(
            Answer("ngspice against solver", difference, f"{certificate.tiles} tiles checked, relative")
        )
    return answers


def _largest_loss(accuracy: Accuracy) -> Answer:
    largest = accuracy.losses[0]
    error = standard_error(accuracy.circuit, accuracy.images)
    if largest.points <= error:
        return Answer(
            "largest cause of loss", "none", f"each alone is within a standard error, {error:.2f} points"
        )
    return Answer(
        "largest cause of loss",
        f"{largest.points:.2f} points",
        f"{largest.cause}, against {largest.against}; a standard error is {error:.2f}",
    )


def _device(results: InferenceResults) -> Section:
    device = results.device
    rows = [
        [
            str(index),
            _pulse(device, index),
            f"{used:.4f}",
            _at(device.levels_model_ohm, index),
            f"{weight:+.4f}",
        ]
        for index, (used, weight) in enumerate(zip(device.levels_ohm, device.levels_normalised, strict=True))
    ]
    return Section(
        "Device",
        text=[
            device.description,
            f"Writing all levels once takes {engineering(device.write_energy_j, 'J')} "
            f"(the paper states {engineering(device.write_energy_paper_j, 'J')}); {device.reset_note}",
        ],
        tables=[
            Table(
                [
                    Column("level"),
                    Column("reached by"),
                    Column("Hall resistance (ohm)", True),
                    Column("model's ladder (ohm)", True),
                    Column("normalised", True),
                ],
                rows,
            )
        ],
        figures=[
            Caption("levels", "Levels used by the network, beside what the compact model's ladder gives.")
        ],
    )


def _pulse(device: DeviceSummary, index: int) -> str:
    currents = device.ladder_a
    if index == 0:
        return "reset"
    return engineering(currents[index - 1], "A") if index <= len(currents) else "-"


def _at(values: Sequence[float], index: int) -> str:
    return f"{values[index]:.4f}" if index < len(values) else "-"


def _network(results: InferenceResults) -> Section:
    accuracy = results.accuracy
    rows = [[row.name, percent(row.accuracy), row.meaning] for row in accuracy.causes]
    if accuracy.float_ is not None:
        rows.insert(
            0, ["float weights", percent(accuracy.float_), "the same network without the device's levels"]
        )
    losses = [[loss.cause, loss.against, f"{loss.points:+.2f}"] for loss in accuracy.losses]
    return Section(
        "Network: accuracy, and what costs it",
        text=[results.network.training_note],
        tables=[
            Table([Column("evaluated with"), Column("accuracy", True), Column("meaning")], rows),
            Table([Column("cause, alone"), Column("against"), Column("points lost", True)], losses),
        ],
        figures=[
            Caption("causes", "Accuracy as more of the circuit is in it."),
            *(
                [
                    Caption(
                        "training",
                        "Accuracy on the test images after each epoch. The last epoch counts; no epoch was selected.",
                    )
                ]
                if results.network.history is not None
                else []
            ),
            Caption("confusion", "Through the circuit: images of each true class by predicted class."),
        ],
    )


def _array(results: InferenceResults) -> Section:
    array = results.array
    return Section(
        "Array",
        text=[array.note],
        tables=[
            Table(
                [Column("layer"), Column("weights", True), Column("tiles", True), Column("cells", True)],
                [[row.name, row.weights, str(row.tiles), str(row.cells)] for row in array.layers],
                total=True,
            ),
            _modules(results),
        ],
        figures=[
            Caption(
                "ir_drop",
                "What the wires leave (IR drop): voltage across the channel (or cell) of each cell of the largest "
                "tile, all inputs full.",
            )
        ],
        details=[Detail("Parameters of the solved circuit", table=parameters_table(array.parameters))],
    )


def _modules(results: InferenceResults) -> Table:
    """What became of every module of the network."""
    rows = [
        [
            ", ".join(row.names) or "(all)",
            row.kind,
            row.fate if not row.reason else f"{row.fate}: {row.reason}",
            *(str(number) if number else "-" for number in (row.tiles, row.cells, row.levels)),
        ]
        for row in results.network.modules
    ]
    columns = [Column("module"), Column("kind"), Column("what became of it")]
    return Table(
        [*columns, *(Column(name, True) for name in ("tiles", "cells", "weights of a synapse"))], rows
    )


def parameters_table(parameters: ArrayParameters) -> Table:
    """Numbers and words of the solved circuit, with their units."""
    rows = [
        [name, value, ""]
        if isinstance(value, str)
        else [name, f"{value:.6g}" if isinstance(value, float) else str(value), _unit(parameters, name)]
        for name, value in parameters
    ]
    return Table([Column("parameter"), Column("value", True), Column("unit")], rows)


def _unit(parameters: ArrayParameters, name: str) -> str:
    """Unit of a number; empty for a plain one."""
    if name == "v_full":
        return Architecture(parameters.architecture).input_unit
    unit = measure_of(ArrayParameters, name).unit
    return "" if unit == "1" else unit


def _energy(results: InferenceResults) -> Section:
    energy = results.energy_per_inference_j
    total = energy.total
    rows = [
        [name, engineering(value, "J"), _share(value, total), measure_of(EnergyParts, name).meaning]
        for name, value in sorted(energy.parts.items(), key=lambda item: -item[1])
    ]
    by_layer = [sum(layer.parts.values()) for layer in results.energy_by_layer_j]
    names = [layer.name for layer in results.array.layers[:-1]]
    layers = [
        [name, engineering(taken, "J"), _share(taken, total)]
        for name, taken in zip(names, by_layer, strict=True)
    ]
    whole = ["total", engineering(total, "J"), "100 %"]
    heads = [Column("energy", True), Column("share", True)]
    return Section(
        "Cost of one inference",
        text=results.energy_notes,
        tables=[
            Table([Column("part"), *heads, Column("where it goes")], [*rows, [*whole, ""]], total=True),
            Table([Column("layer"), *heads], [*layers, whole], total=True),
        ],
        figures=[Caption("energy", "Energy by part, averaged over the test images; logarithmic axis.")],
    )


def _share(part: float, total: float) -> str:
    return f"{100 * part / total:.3g} %"


def _meaning(field: str) -> str:
    return measure_of(WriteSummary, field).meaning


def _write(results: InferenceResults) -> Section:
    write = results.write
    tables = [
        Table(
            [Column("quantity"), Column("value", True)],
            [
                [_meaning("cells"), f"{write.cells}"],
                [_meaning("energy_j"), engineering(write.energy_j, "J")],
                [_meaning("time_s"), engineering(write.time_s, "s")],
            ],
        )
    ]
    if write.programmed is not None:
        tables.append(_programmed(write.programmed))
    return Section("Cost of writing the network once", text=[write.note], tables=tables)


def _programmed(programmed: ProgrammedSummary) -> Table:
    rows = [
        ["programmed by", f"{programmed.scheme}, {programmed.algorithm}, order {programmed.order}"],
        ["cells that have their level", f"{programmed.written} of {programmed.cells}"],
        ["write pulses per cell", f"{programmed.pulses / programmed.cells:.2f}"],
        ["rms error", engineering(programmed.rms_error_ohm, "Ω")],
        *([f"energy, {part}", engineering(value, "J")] for part, value in programmed.energy_j),
        ["time, one tile after another", engineering(programmed.time_s, "s")],
        ["time, all tiles at once", engineering(programmed.time_tiles_parallel_s, "s")],
        ["largest channel temperature", f"{programmed.peak_temperature_k:.0f} K"],
    ]
    return Table([Column("simulated programming"), Column("value", True)], rows)


def _certificate(results: InferenceResults) -> Section:
    certificate = results.certificate
    if certificate.max_relative_difference is None:
        return Section("Certificate", text=[f"No tile was checked in ngspice: {certificate.reason}"])
    verdict = "passes" if certificate.passed else "FAILS"
    rows = [
        [row.name, row.shape, str(row.vectors), f"{row.relative_difference:.2e}"]
        for row in certificate.checked
    ]
    return Section(
        "Certificate",
        text=[
            f"{certificate.simulator} read {certificate.tiles} tiles with inputs of real test images; largest "
            f"difference from the nodal solver, relative to the largest output: "
            f"{certificate.max_relative_difference:.2e}. The check {verdict} (limit "
            f"{certificate.tolerance:.0e}). The netlists are in the folder netlists/."
        ],
        tables=[
            Table(
                [Column("tile"), Column("cells"), Column("input vectors", True), Column("difference", True)],
                rows,
            )
        ],
    )


def _provenance(results: InferenceResults) -> Section:
    return Section(
        "Where the numbers come from",
        text=[results.provenance_note],
        details=folded_origins(results.provenance),
    )


def _configuration(results: InferenceResults) -> Section:
    versions = [[name, str(version)] for name, version in results.versions.items()]
    return Section(
        "Configuration",
        text=[f"{results.config_file}, with every default filled in, and the programs that computed."],
        details=[
            Detail("Configuration", code=json.dumps(results.config.model_dump(mode="json"), indent=2)),
            Detail("Versions", table=Table([Column("parameter"), Column("value", True)], versions)),
        ],
    )
