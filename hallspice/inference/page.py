"""The report of a run: results.json as a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hallspice.inference.losses import standard_error
from hallspice.page.page import Answer, Caption, Column, Detail, Page, Section, Table
from hallspice.page.style import engineering, percent

Results = Mapping[str, Any]

PARTS = {
    "cells": "currents through the cells",
    "wires": "currents along row and column wires",
    "drivers": "inside the row drivers",
    "sense": "inputs of the column senses, and supplies of the cells' amplifiers where there are any",
    "dac": "converters of the inputs, digital to analogue",
    "adc": "converters of the outputs, analogue to digital",
    "digital": "sums of tiles, gain and offset, comparisons",
}
"""Where each part of the energy of an inference goes."""


def report_html(results: Results, figures: Mapping[str, str]) -> str:
    """The page for `results` (the content of ``results.json``), with `figures` as SVG text by name."""
    network, array = results["network"], results["array"]
    shape = " - ".join(map(str, network["layers"]))
    page = Page(
        title=f"{network['dataset']}, {array['architecture']}",
        question=f"What accuracy and what energy does {network['dataset']} get on {array['architecture']} arrays "
        "of SOT Hall bars?",
        subtitle=f"Network {shape}, tiles of at most {array['rows']} x {array['columns']} cells, device card "
        f"{results['device']['card']}, seed {results['seed']}, hallspice {results['versions']['hallspice']}, "
        f"{results['created']}.",
        answers=_answers(results),
        sentences=results["findings"],
        warnings=results["warnings"],
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
    return page.html()


def _answers(results: Results) -> list[Answer]:
    accuracy, energy = results["accuracy"], results["energy_per_inference_j"]
    certificate = results["certificate"]
    ideal = f"float weights {percent(accuracy['float'])}, ideal levels {percent(accuracy['levels'])}"
    part, joule = max(
        ((name, value) for name, value in energy.items() if name != "total"), key=lambda item: item[1]
    )
    answers = [
        Answer("accuracy through the circuit", percent(accuracy["circuit"]), ideal),
        *(
            [Answer("as programmed", percent(accuracy["programmed"]), "with the states that writing reached")]
            if "programmed" in accuracy
            else []
        ),
        Answer("energy per inference", engineering(energy["total"], "J"), "device, wires and periphery"),
        _largest_loss(accuracy),
        Answer(
            "largest part of the energy",
            f"{part}, {100 * joule / energy['total']:.0f} %",
            f"{engineering(joule, 'J')}: {PARTS[part]}",
        ),
        Answer("latency", engineering(results["latency_s"], "s"), "layers one after another"),
    ]
    if certificate["tiles"]:
        difference = f"{certificate['max_relative_difference']:.1e}"
        answers.append(
            Answer("ngspice against solver", difference, f"{certificate['tiles']} tiles checked, relative")
        )
    return answers


def _largest_loss(accuracy: Mapping[str, Any]) -> Answer:
    largest = accuracy["losses"][0]
    error = standard_error(accuracy["circuit"], accuracy["images"])
    if largest["points"] <= error:
        return Answer(
            "largest cause of loss", "none", f"each alone is within a standard error, {error:.2f} points"
        )
    return Answer(
        "largest cause of loss",
        f"{largest['points']:.2f} points",
        f"{largest['cause']}, against {largest['against']}; a standard error is {error:.2f}",
    )


def _device(results: Results) -> Section:
    device = results["device"]
    rows = [
        [
            str(index),
            _pulse(device, index),
            f"{used:.4f}",
            _at(device["levels_model_ohm"], index),
            f"{weight:+.4f}",
        ]
        for index, (used, weight) in enumerate(
            zip(device["levels_ohm"], device["levels_normalised"], strict=True)
        )
    ]
    return Section(
        "Device",
        text=[
            device["description"],
            f"Writing all levels once takes {engineering(device['write_energy_j'], 'J')} "
            f"(the paper states {engineering(device['write_energy_paper_j'], 'J')}); {device['reset_note']}",
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


def _pulse(device: Mapping[str, Any], index: int) -> str:
    currents = device["ladder_a"]
    if index == 0:
        return "reset"
    return engineering(currents[index - 1], "A") if index <= len(currents) else "-"


def _at(values: Sequence[float], index: int) -> str:
    return f"{values[index]:.4f}" if index < len(values) else "-"


def _network(results: Results) -> Section:
    accuracy = results["accuracy"]
    rows = [
        ["float weights", percent(accuracy["float"]), "the same network trained without the device's levels"],
        *([row["name"], percent(row["accuracy"]), row["meaning"]] for row in accuracy["causes"]),
    ]
    losses = [[loss["cause"], loss["against"], f"{loss['points']:+.2f}"] for loss in accuracy["losses"]]
    return Section(
        "Network: accuracy, and what costs it",
        text=[results["network"]["training_note"]],
        tables=[
            Table([Column("evaluated with"), Column("accuracy", True), Column("meaning")], rows),
            Table([Column("cause, alone"), Column("against"), Column("points lost", True)], losses),
        ],
        figures=[
            Caption("causes", "Accuracy as more of the circuit is in it."),
            Caption(
                "training",
                "Accuracy on the test images after each epoch. The last epoch counts; no epoch was selected.",
            ),
            Caption("confusion", "Through the circuit: images of each true class by predicted class."),
        ],
    )


def _array(results: Results) -> Section:
    array = results["array"]
    return Section(
        "Array",
        text=[array["note"]],
        tables=[
            Table(
                [Column("layer"), Column("weights", True), Column("tiles", True), Column("cells", True)],
                [
                    [row["name"], row["weights"], str(row["tiles"]), str(row["cells"])]
                    for row in array["layers"]
                ],
                total=True,
            )
        ],
        figures=[
            Caption(
                "ir_drop",
                "What the wires leave (IR drop): voltage across the channel (or cell) of each cell of the largest "
                "tile, all inputs full.",
            )
        ],
        details=[Detail("Parameters of the solved circuit", table=_pairs(array["parameters"]))],
    )


def _pairs(items: Mapping[str, object], units: bool = True) -> Table:
    rows = [
        [
            name,
            f"{value:.6g}" if isinstance(value, float) else str(value),
            *([_unit(name)] if units else []),
        ]
        for name, value in items.items()
    ]
    return Table([Column("parameter"), Column("value", True), *([Column("unit")] if units else [])], rows)


def _unit(name: str) -> str:
    """Unit of a parameter of the array: the letter of the quantity fixes it."""
    letter, _, rest = name.partition("_")
    return "dB" if rest == "db" else {"r": "ohm", "c": "F", "v": "V", "t": "s", "gm": "S"}.get(letter, "")


def _energy(results: Results) -> Section:
    parts = {name: value for name, value in results["energy_per_inference_j"].items() if name != "total"}
    total = results["energy_per_inference_j"]["total"]
    rows = [
        [name, engineering(value, "J"), _share(value, total), PARTS[name]]
        for name, value in sorted(parts.items(), key=lambda item: -item[1])
    ]
    layers = [
        [f"layer {number}", engineering(sum(layer.values()), "J"), _share(sum(layer.values()), total)]
        for number, layer in enumerate(results["energy_by_layer_j"], start=1)
    ]
    whole = ["total", engineering(total, "J"), "100 %"]
    heads = [Column("energy", True), Column("share", True)]
    return Section(
        "Cost of one inference",
        text=results["energy_notes"],
        tables=[
            Table([Column("part"), *heads, Column("where it goes")], [*rows, [*whole, ""]], total=True),
            Table([Column("layer"), *heads], [*layers, whole], total=True),
        ],
        figures=[Caption("energy", "Energy by part, averaged over the test images; logarithmic axis.")],
    )


def _share(part: float, total: float) -> str:
    return f"{100 * part / total:.3g} %"


def _write(results: Results) -> Section:
    write = results["write"]
    tables = [
        Table(
            [Column("quantity"), Column("value", True)],
            [
                ["cells written", f"{write['cells']}"],
                ["energy in the devices", engineering(write["energy_j"], "J")],
                ["time, one cell after another", engineering(write["time_s"], "s")],
            ],
        )
    ]
    if "programmed" in write:
        tables.append(_programmed(write["programmed"]))
    return Section("Cost of writing the network once", text=[write["note"]], tables=tables)


def _programmed(programmed: Mapping[str, Any]) -> Table:
    energy = programmed["energy_j"]
    rows = [
        ["programmed by", f"{programmed['scheme']}, {programmed['algorithm']}, order {programmed['order']}"],
        ["cells that have their level", f"{programmed['written']} of {programmed['cells']}"],
        ["write pulses per cell", f"{programmed['pulses'] / programmed['cells']:.2f}"],
        ["rms error", engineering(programmed["rms_error_ohm"], "Ω")],
        *([f"energy, {part}", engineering(value, "J")] for part, value in energy.items()),
        ["time, one tile after another", engineering(programmed["time_s"], "s")],
        ["time, all tiles at once", engineering(programmed["time_tiles_parallel_s"], "s")],
        ["largest channel temperature", f"{programmed['peak_temperature_k']:.0f} K"],
    ]
    return Table([Column("simulated programming"), Column("value", True)], rows)


def _certificate(results: Results) -> Section:
    certificate = results["certificate"]
    if not certificate["tiles"]:
        return Section("Certificate", text=[f"No tile was checked in ngspice: {certificate['reason']}"])
    verdict = "passes" if certificate["passed"] else "FAILS"
    rows = [
        [row["name"], row["shape"], str(row["vectors"]), f"{row['relative_difference']:.2e}"]
        for row in certificate["checked"]
    ]
    return Section(
        "Certificate",
        text=[
            f"{certificate['simulator']} read {certificate['tiles']} tiles with inputs of real test images; largest "
            f"difference from the nodal solver, relative to the largest output: "
            f"{certificate['max_relative_difference']:.2e}. The check {verdict} (limit "
            f"{certificate['tolerance']:.0e}). The netlists are in the folder netlists/."
        ],
        tables=[
            Table(
                [Column("tile"), Column("cells"), Column("input vectors", True), Column("difference", True)],
                rows,
            )
        ],
    )


def _provenance(results: Results) -> Section:
    head = [Column("number"), Column("value", True), Column("unit"), Column("provenance"), Column("source")]
    details = [
        Detail(
            f"{title} ({len(entries)} numbers)",
            table=Table(
                head,
                [
                    [entry["name"], entry["value"], entry["unit"], entry["provenance"], entry["source"]]
                    for entry in entries
                ],
            ),
        )
        for title, entries in results["provenance"].items()
    ]
    return Section("Where the numbers come from", text=[results["provenance_note"]], details=details)


def _configuration(results: Results) -> Section:
    return Section(
        "Configuration",
        text=[f"{results['config_file']}, with every default filled in, and the programs that computed."],
        details=[
            Detail("Configuration", code=json.dumps(results["config"], indent=2)),
            Detail("Versions", table=_pairs(results["versions"], units=False)),
        ],
    )
