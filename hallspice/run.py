"""`hallspice run`: from a configuration to accuracy, energy, certificate and report."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table

from circuits import ngspice, spice
from circuits.arrays import Architecture, crossbar
from circuits.network import Network
from circuits.nodal import factor
from circuits.transfer import Method
from compact_model import synapse
from compact_model.hallbar import hall_bar
from hallspice import figures
from hallspice import uncertainty as propagation
from hallspice.files import RESULTS, staged_folder
from hallspice.losses import accuracy_losses, standard_error
from hallspice.networks import Networks, make_networks, on_tiles, readout_of
from hallspice.programming import Writing, programmed_network, writing
from hallspice.progress import Reporter
from hallspice.provenance import provenance_entries
from hallspice.report import percent, report_html
from hallspice.setup import Setup, load_setup
from hallspice.tables import csv_text
from nn_mapping import cost
from nn_mapping.data import Dataset, load
from nn_mapping.evaluate import Evaluation, Readout, ablation, evaluate, sample_reads, tile_maps
from nn_mapping.mapping import MappedNetwork
from nn_mapping.solve import SolvedTiles, solve_network

Floats = npt.NDArray[np.float64]

PAPER_WRITE_ENERGY = 87.5e-6
"""Energy of the complete synaptic operation, J (arXiv:2601.16222, section 4)."""

EVALUATED = (Architecture.ACTIVE_PARALLEL, Architecture.ACTIVE_SERIES, Architecture.RESISTIVE)
"""Architectures that networks are evaluated on: one scale for all tiles, currents out of every column at once."""

WEAK_READ = 0.95
"""A cell that sees less than this share of its read voltage is worth a warning."""

CAUSES = {
    "levels": ("levels", "digital network on the device's levels: what quantised weights alone give"),
    "converters": ("levels, DAC and ADC", "ideal arrays, inputs and outputs converted"),
    "array": ("levels and solved array", "wires, drivers, offsets and amplifiers; calibrated; no converters"),
    "circuit": ("everything", "solved array, calibration, DAC and ADC: the answer"),
    "untrimmed": ("everything, uncalibrated", "the same without gain and offset of each column"),
}
"""Name and meaning of each evaluation that `nn_mapping.evaluate.ablation` makes."""


def run(
    config: Path,
    out: Path,
    *,
    seed: int | None,
    data_dir: Path | None,
    progress: Reporter,
    uncertainty: int = 0,
) -> dict[str, Any]:
    """Do everything that a configuration asks for, and write the results into `out`.

    With `uncertainty` above 0, evaluate again on that many cards drawn from the errors of a fitted card.

    Returns
    -------
    The content of ``results.json``.
    """
    setup = load_setup(config, seed)
    if what := unevaluated(setup):
        raise ValueError(f"{config} array.architecture: {what}")
    if uncertainty:
        propagation.check(setup)
    plan = write_plan(setup)
    with staged_folder(out) as folder:
        dataset = load(setup.config.network.dataset, data_dir)
        chip, networks = build(setup, dataset, progress, workers=cores())
        results, evaluation, drop = examine(
            chip, networks, plan, folder / "netlists", progress, workers=cores()
        )
        results["config_file"] = config.name
        if uncertainty:
            found = propagation.propagate(chip, networks.levels, uncertainty, cores(), progress)
            results["uncertainty"] = found
            results["findings"].append(propagation.sentence(found))
        drawn = _figures(results, chip, networks, evaluation, drop)
        _write(folder, results, networks, evaluation, drop, drawn)
    _say(progress, results, out)
    return results


def unevaluated(setup: Setup) -> str:
    """Why networks are not evaluated on the configured architecture; empty when they are."""
    if setup.array.architecture in EVALUATED:
        return ""
    return (
        f"{setup.array.architecture} has no evaluation of networks, allowed: {', '.join(EVALUATED)}. "
        "`hallspice read` and `hallspice compare` take every architecture."
    )


def write_plan(setup: Setup) -> Writing | None:
    """How the tiles are programmed; None when the configuration takes ideal states."""
    return writing(setup, hall_bar(setup.card)) if setup.config.write.states == "programmed" else None


def build(setup: Setup, dataset: Dataset, progress: Reporter, *, workers: int) -> tuple[Chip, Networks]:
    """Train the networks (or take them from the cache), map them to tiles, and solve the tiles."""
    networks = make_networks(setup, dataset, progress)
    mapped = on_tiles(setup, networks.level_network, networks.levels)
    mismatches = [setup.mismatch(tile.states.shape, number) for number, tile in enumerate(mapped.tiles)]
    solved = solve_network(
        mapped,
        setup.array,
        mismatches,
        exact=setup.config.array.exact,
        workers=workers,
        progress=_named(progress, "solving tiles"),
    )
    return Chip(setup=setup, dataset=dataset, mapped=mapped, solved=solved), networks


def examine(
    chip: Chip,
    networks: Networks,
    plan: Writing | None,
    netlists: Path,
    progress: Reporter,
    *,
    workers: int,
) -> tuple[dict[str, Any], Evaluation, Floats]:
    """Evaluate a chip, check it in ngspice, and program it when there is a `plan`.

    Returns
    -------
    tuple
        The results, the test images through the circuit, and the voltage across each cell of the largest tile [V].
    """
    progress(0, 3, "evaluating: test images through the circuit")
    evaluation = chip.evaluation()
    progress(1, 3, "evaluating: one cause at a time")
    causes = chip.causes()
    progress(2, 3, "evaluating: IR drop")
    drop = chip.ir_drop()
    progress(3, 3, "evaluating: done")
    certificate = chip.certificate(netlists, progress)
    results = _results(chip, networks, evaluation, causes, certificate, drop)
    if plan is not None:
        _add_programmed(results, chip, plan, progress, workers)
    return results, evaluation, drop


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A network on solved tiles."""

    setup: Setup
    dataset: Dataset
    mapped: MappedNetwork
    solved: SolvedTiles

    @property
    def readout(self) -> Readout:
        """Converters and calibration."""
        return readout_of(self.setup)

    @property
    def transfers(self) -> list[Floats]:
        """Transfer matrix of each tile, A/V."""
        return [response.transfer for response in self.solved.responses]

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return self.setup.config.seed

    def evaluation(self) -> Evaluation:
        """The test set through the circuit."""
        return evaluate(self.mapped, self.transfers, self.setup.array, self.readout, self.dataset, self.seed)

    def causes(self) -> dict[str, float]:
        """Accuracy with one cause at a time."""
        return ablation(self.mapped, self.transfers, self.setup.array, self.readout, self.dataset, self.seed)

    def nonlinearity(self) -> dict[str, float]:
        """Largest integral and differential nonlinearity of all DACs and all ADCs, in steps; 0 for ideal ones."""
        maps = tile_maps(self.mapped, self.transfers, self.setup.array, self.readout, self.seed)
        adcs = {id(converter): converter for tile in maps for converter in tile.converter_of}.values()
        dacs = [tile.row_dacs for tile in maps if tile.row_dacs is not None]
        found = {}
        for name, drawn in (("dac", dacs), ("adc", adcs)):
            inl = [np.abs(one.integral_nonlinearity()).max() for one in drawn]
            dnl = [np.abs(one.differential_nonlinearity()).max(initial=0.0) for one in drawn]
            found[f"{name}_largest_inl_steps"] = float(max(inl, default=0.0))
            found[f"{name}_largest_dnl_steps"] = float(max(dnl, default=0.0))
        return found

    def cost(self, evaluation: Evaluation) -> cost.InferenceCost:
        """Energy and latency of an inference."""
        converters = self.setup.config.array.converters
        costs = cost.part_costs(
            self.setup.periphery,
            converters.dac_bits,
            converters.adc_bits,
            self.setup.t_read,
            self.settling,
        )
        return cost.inference_cost(self.mapped, self.solved.responses, evaluation, self.setup.array, costs)

    @property
    def settling(self) -> float:
        """Time that the largest tile takes to settle [s]."""
        states = self.mapped.tiles[self.largest].states
        return self.setup.settling(states, mismatch=self.setup.mismatch(states.shape, self.largest))

    @property
    def largest(self) -> int:
        """Position of the largest tile."""
        return int(np.argmax([tile.states.size for tile in self.mapped.tiles]))

    def network(self, place: int) -> Network:
        """A tile as a circuit, with the deviations of its cells."""
        states = self.mapped.tiles[place].states
        return crossbar(states, self.setup.array, self.setup.mismatch(states.shape, place))

    def ir_drop(self) -> Floats:
        """Voltage across each cell of the largest tile with every input full, V."""
        network = self.network(self.largest)
        solution = factor(network).solve(np.full((1, network.n_inputs), self.setup.v_full))
        drop: Floats = network.probed("channel", solution.node_voltages)[0]
        return drop

    def certificate(self, folder: Path, progress: Reporter) -> dict[str, Any]:
        """Sampled tiles read again in ngspice; their netlists are written to `folder`."""
        wanted = self.setup.config.certificate
        simulator = ngspice.find_simulator()
        result: dict[str, Any] = {
            "simulator": f"ngspice {simulator.version}" if simulator.version else None,
            "tiles": 0,
            "max_relative_difference": None,
            "tolerance": wanted.tolerance,
            "passed": None,
            "checked": [],
        }
        if wanted.tiles == 0:
            return result | {"reason": "certificate.tiles is 0"}
        if simulator.library is None or simulator.problem:
            reason = (
                simulator.problem.splitlines()[0] if simulator.problem else "no ngspice library was found"
            )
            return result | {"reason": f"{reason}; see `hallspice doctor`"}
        samples = sample_reads(
            self.mapped,
            self.transfers,
            self.setup.array,
            self.readout,
            self.dataset,
            tiles=wanted.tiles,
            vectors=wanted.vectors,
            seed=self.seed,
        )
        folder.mkdir()
        checked: list[dict[str, Any]] = []
        for number, (place, voltages) in enumerate(samples):
            tile = self.mapped.tiles[place]
            progress(number, len(samples), f"checking in ngspice: {tile.name}")
            network = self.network(place)
            try:
                simulated = ngspice.simulate(network, voltages, limit_s=wanted.longest)
            except ngspice.TooLargeError as error:  # the rest of the run is sound without the check
                return result | {"reason": " ".join(str(error).splitlines())}
            solved = factor(network).solve(voltages).outputs
            largest = float(max(np.abs(simulated).max(), np.abs(solved).max()))
            # A tile at the edge of the images may see no input at all: nothing differs from nothing.
            difference = float(np.abs(simulated - solved).max()) / largest if largest > 0.0 else 0.0
            rows, columns = tile.states.shape
            name = f"{tile.name}.cir"
            title = f"hallspice: {self.setup.array.architecture} tile {tile.name}, {rows} x {columns}, one test image"
            deck = spice.netlist(network, voltages[0], title, ngspice.deck_options())
            (folder / name).write_text(deck, encoding="utf-8")
            shape = f"{rows} x {columns}"
            checked.append(
                {
                    "name": tile.name,
                    "shape": shape,
                    "vectors": len(voltages),
                    "relative_difference": difference,
                }
            )
        progress(len(samples), len(samples), "checking in ngspice: done")
        largest = float(max(row["relative_difference"] for row in checked))
        return result | {
            "tiles": len(checked),
            "max_relative_difference": largest,
            "passed": largest <= wanted.tolerance,
            "checked": checked,
        }


def _add_programmed(
    results: dict[str, Any], chip: Chip, plan: Writing, progress: Reporter, workers: int
) -> None:
    """Write every tile, evaluate what was reached, and put both into the results."""
    written = programmed_network(chip.mapped, chip.setup, plan, progress)
    tiles = written.mapped.tiles
    mismatches = [chip.setup.mismatch(tile.states.shape, number) for number, tile in enumerate(tiles)]
    solved = solve_network(
        written.mapped,
        chip.setup.array,
        mismatches,
        exact=chip.setup.config.array.exact,
        workers=workers,
        progress=_named(progress, "solving written tiles"),
    )
    reached = dataclasses.replace(chip, mapped=written.mapped, solved=solved).evaluation()
    accuracy = results["accuracy"]
    accuracy["programmed"] = reached.accuracy
    accuracy["causes"].append(
        {
            "key": "programmed",
            "name": "everything, states as written",
            "accuracy": reached.accuracy,
            "meaning": "the circuit with the Hall resistances that programming reached",
        }
    )
    accuracy["losses"] = accuracy_losses(accuracy)
    results["write"]["programmed"] = written.summary(plan)
    failed = written.cells - written.written
    share = 100 * written.written / written.cells
    results["findings"].append(
        f"Programming ({plan.config.scheme}, {plan.recipe.algorithm}) brings {share:.2f} % of the cells to their "
        f"level ({failed} are given up) with {written.pulses / written.cells:.2f} pulses per cell and "
        f"{figures.engineering(written.total_energy, 'J')}; with these states the accuracy is "
        f"{percent(reached.accuracy)}, {100 * (reached.accuracy - accuracy['circuit']):+.2f} points."
    )


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _named(progress: Reporter, name: str) -> Any:
    return lambda done, total, message: progress(done, total, f"{name}: {message}")


def _results(
    chip: Chip,
    networks: Networks,
    evaluation: Evaluation,
    causes: Mapping[str, float],
    certificate: Mapping[str, Any],
    drop: Floats,
) -> dict[str, Any]:
    setup, mapped, solved = chip.setup, chip.mapped, chip.solved
    images = len(chip.dataset.test_labels)
    inference = chip.cost(evaluation)
    written = synapse.write_cost(setup.card)
    reached = np.searchsorted(setup.levels_ohm, networks.levels.levels_ohm - 1e-9)
    network_write = cost.write_cost(mapped, written.energy[reached], written.time[reached])
    accuracy: dict[str, Any] = {
        "float": networks.float_network.accuracy(chip.dataset.test_images, chip.dataset.test_labels),
        "levels": causes["levels"],
        "circuit": evaluation.accuracy,
        "images": images,
        "causes": [
            {"key": key, "name": name, "accuracy": causes[key], "meaning": meaning}
            for key, (name, meaning) in CAUSES.items()
        ],
    }
    accuracy["losses"] = accuracy_losses(accuracy)
    energy = {"total": inference.total, **inference.parts}
    return {
        "config": setup.config.model_dump(mode="json"),
        "seed": chip.seed,
        "created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "versions": {
            "hallspice": version("hallspice"),
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "scipy", "torch", "PySpice")},
            "ngspice": certificate["simulator"] or "not found",
        },
        "device": {
            "card": setup.card.name,
            "description": setup.card.description,
            "levels_ohm": setup.levels_ohm.tolist(),
            "levels_normalised": synapse.normalised(setup.levels_ohm).tolist(),
            "levels_model_ohm": synapse.model_levels(setup.card).tolist(),
            "levels_paper_ohm": synapse.paper_levels(setup.card).tolist(),
            "ladder_a": synapse.ladder_currents(setup.card).tolist(),
            "write_energy_j": synapse.ladder_energy(setup.card),
            "write_energy_paper_j": PAPER_WRITE_ENERGY,
            "reset_note": _reset_note(setup),
        },
        "array": _array(setup, mapped, solved, chip.nonlinearity()),
        "solver": {
            "method": solved.method.value,
            "reason": solved.reason,
            "checked_tile": solved.checked or None,
            "transfer_difference": solved.transfer_difference,
            "power_difference": solved.power_difference,
        },
        "network": {
            "dataset": setup.config.network.dataset,
            "layers": list(mapped.network.sizes),
            "recipe": dataclasses.asdict(networks.recipe),
            "reused": networks.reused,
            "weight_levels": networks.levels.weights.tolist(),
            "training_note": _training_note(networks, images, setup.config.network.circuit_epochs),
            "history": {
                "levels": networks.level_network.history,
                "float": networks.float_network.history,
            },
        },
        "accuracy": accuracy,
        "energy_per_inference_j": energy,
        "energy_by_layer_j": list(inference.layers),
        "energy_notes": [*_energy_notes(setup, inference), *_comparison(setup, inference, mapped)],
        "digital_energy_j": _digital(setup, mapped).energy,
        "cell_area_m2": [layer["cells"] for layer in _areas(setup, mapped)],
        "area_by_layer_m2": list(_areas(setup, mapped)),
        "area_m2": sum(sum(layer.values()) for layer in _areas(setup, mapped)),
        "latency_s": inference.latency,
        "settling_s": chip.settling,
        "write": {
            "cells": mapped.cells,
            "energy_j": network_write.energy,
            "time_s": network_write.time_serial,
            "time_tiles_parallel_s": network_write.time_tiles_parallel,
            "note": _write_note(network_write.time_tiles_parallel),
        },
        "certificate": dict(certificate),
        "findings": _findings(accuracy, inference),
        "warnings": [*setup.warnings, *_warnings(accuracy, certificate, float(drop.min()) / setup.v_cell)],
        "provenance": {
            f"Device card {setup.card.name}": list(provenance_entries(setup.card)),
            f"Periphery card {setup.periphery.name}": list(provenance_entries(setup.periphery)),
        },
        "provenance_note": "Every number of the device and of the periphery, with its source. Assumed numbers are "
        "plausible and replaceable: write your own card and name it in the configuration. Values that the "
        "configuration replaces are listed under Configuration.",
    }


def _array(
    setup: Setup, mapped: MappedNetwork, solved: SolvedTiles, nonlinearity: Mapping[str, float]
) -> dict[str, Any]:
    layers = []
    for number, layer in enumerate(mapped.network.layers):
        places = mapped.layer_tiles(number)
        cells = sum(mapped.tiles[place].states.size for place in places)
        outputs, inputs = layer.shape
        layers.append(
            {
                "name": f"layer {number + 1}",
                "weights": f"{inputs} x {outputs}",
                "tiles": len(places),
                "cells": cells,
            }
        )
    weights = sum(layer.weights.size for layer in mapped.network.layers)
    layers.append({"name": "all", "weights": f"{weights}", "tiles": len(mapped.tiles), "cells": mapped.cells})
    differential = setup.config.network.weights == "differential"
    scheme = (
        "Each weight is the difference of two cells in neighbouring columns."
        if differential
        else "Each weight is one cell; two columns of each tile hold the lowest and the highest level, and their mean "
        "is subtracted before conversion."
    )
    return {
        "architecture": setup.config.array.architecture,
        "rows": setup.config.array.rows,
        "columns": setup.config.array.columns,
        "layers": layers,
        "note": f"{scheme} Layers are cut into the fewest tiles, shared out evenly; tiles are as large as needed. "
        + _solver_note(solved),
        "parameters": {
            **{name: getattr(setup.array, name) for name in setup.array.__slots__},
            "v_full": setup.v_full,
            "t_read": setup.t_read,
            "dac_bits": setup.config.array.converters.dac_bits,
            "adc_bits": setup.config.array.converters.adc_bits,
            "dac_mismatch": setup.config.array.converters.dac_mismatch,
            "adc_mismatch": setup.config.array.converters.adc_mismatch,
            **nonlinearity,
            "calibration": setup.config.array.calibration,
        },
    }


def _solver_note(solved: SolvedTiles) -> str:
    if solved.method is Method.NODAL:
        return f"Every tile is solved in full: {solved.reason}."
    return (
        f"Tiles are solved by the transfer tensor: {solved.reason}. On tile {solved.checked}, the full solution (which "
        f"array.exact gives for all tiles) differs by {solved.transfer_difference:.1e} of the largest output and "
        f"{solved.power_difference:.1e} of the power."
    )


def _reset_note(setup: Setup) -> str:
    if setup.card.choices.reset == "field":
        return "five pulses after a reset by a saturating field, whose energy is not counted."
    return "the reset pulse comes on top of that and is counted when the network is written."


def _training_note(networks: Networks, images: int, circuit_epochs: int) -> str:
    recipe = networks.recipe
    reused = (
        " Both networks were reused from an earlier run with the same settings." if networks.reused else ""
    )
    through = f", the one on levels for {circuit_epochs} more through the circuit" if circuit_epochs else ""
    return (
        f"Both networks were trained for {recipe.epochs} epochs with the recipe '{recipe.name}' on inputs of "
        f"{recipe.input_bits} bits{through}. The last epoch counts; nothing was chosen by the "
        f"{images} test images.{reused}"
    )


def _energy_notes(setup: Setup, inference: cost.InferenceCost) -> list[str]:
    notes = [
        "Mean over the test images: power of each element from the solved network times the read time, and the "
        "converters, amplifier supplies and arithmetic from the periphery card. The parts sum to the total.",
    ]
    if inference.amplifiers:
        share = 100 * inference.amplifiers / inference.total
        supplies = figures.engineering(inference.amplifiers, "J")
        notes.append(
            f"Of 'sense', {supplies} ({share:.3g} % of the total) are the supplies of the cells' amplifiers."
        )
    efficiency = setup.periphery.driver.efficiency.value
    notes.append(
        f"Row drivers deliver with an efficiency of {efficiency:g} (assumed): "
        f"a linear driver would take {setup.periphery.driver.v_supply.value / setup.v_row / efficiency:.2g} times the "
        "row energy from its supply at full input."
    )
    return notes


def _digital(setup: Setup, mapped: MappedNetwork) -> cost.DigitalCost:
    digital = setup.periphery.digital
    return cost.digital_cost(mapped.network, digital.multiply_8bit.value, digital.add_32bit.value)


def _areas(setup: Setup, mapped: MappedNetwork) -> tuple[dict[str, float], ...]:
    converters = setup.config.array.converters
    return cost.areas(mapped, setup.periphery, converters.dac_bits, converters.adc_bits)


def _comparison(setup: Setup, inference: cost.InferenceCost, mapped: MappedNetwork) -> list[str]:
    digital = _digital(setup, mapped)
    layers = _areas(setup, mapped)
    parts = {part: 1e6 * sum(layer[part] for layer in layers) for part in layers[0]}
    around = ", ".join(f"{part} {size:.3g} mm2" for part, size in parts.items() if part != "cells")
    return [
        f"For comparison, digital multipliers at 45 nm (8 bit, 32-bit sums; Horowitz, doi:10.1109/ISSCC.2014.6757323) "
        f"take {figures.engineering(digital.energy, 'J')} for the {digital.multiplications} products, without fetching "
        f"a weight from memory: this array takes {inference.total / digital.energy:.3g} times as much.",
        f"The cells take {parts['cells']:.4g} mm2 at a pitch of {1e6 * setup.periphery.wire.pitch.value:g} um, with "
        f"their transconductors below; around them ({around}) it is {sum(parts.values()) - parts['cells']:.3g} mm2. "
        "Wiring between tiles, control and write drivers are not in it.",
    ]


def _write_note(parallel: float) -> str:
    return (
        "Every cell takes the whole ladder up to its level, without verification, select devices or wires. With all "
        f"tiles at once and one cell after another in each, it takes {figures.engineering(parallel, 's')}."
    )


def _findings(accuracy: Mapping[str, Any], inference: cost.InferenceCost) -> list[str]:
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


def _warnings(accuracy: Mapping[str, Any], certificate: Mapping[str, Any], weakest: float) -> list[str]:
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


def _figures(
    results: Mapping[str, Any], chip: Chip, networks: Networks, evaluation: Evaluation, drop: Floats
) -> dict[str, str]:
    device = results["device"]
    through = ", through the circuit" if chip.setup.config.network.circuit_epochs else ""
    curves = {
        f"device levels{through}": networks.level_network.history["test_accuracy"],
        "float weights": networks.float_network.history["test_accuracy"],
    }
    accuracy = results["accuracy"]
    shown = [row for row in accuracy["causes"] if row["key"] != "untrimmed"]
    return {
        "levels": figures.levels(
            np.array(device["levels_ohm"]),
            np.array(device["levels_model_ohm"]),
            np.array(device["levels_paper_ohm"]),
            np.array(device["ladder_a"]),
        ),
        "training": figures.training_curve(curves),
        "causes": figures.causes(
            ["float weights", *(row["name"] for row in shown)],
            np.array([accuracy["float"], *(row["accuracy"] for row in shown)]),
            accuracy["images"],
        ),
        "confusion": figures.confusion(evaluation.confusion, class_names(chip.dataset.name)),
        "energy": figures.energy(chip.cost(evaluation).parts),
        "ir_drop": figures.ir_drop(drop, chip.setup.v_cell),
    }


def class_names(dataset: str) -> list[str]:
    """Names of the classes of a data set."""
    if dataset == "fashion-mnist":
        return [
            "T-shirt",
            "trouser",
            "pullover",
            "dress",
            "coat",
            "sandal",
            "shirt",
            "sneaker",
            "bag",
            "boot",
        ]
    return [str(digit) for digit in range(10)]


def _write(
    folder: Path,
    results: dict[str, Any],
    networks: Networks,
    evaluation: Evaluation,
    drop: Floats,
    drawn: Mapping[str, str],
) -> None:
    device = results["device"]
    history = results["network"]["history"]
    energy_parts = [
        (name, value) for name, value in results["energy_per_inference_j"].items() if name != "total"
    ]
    tables = {
        "levels.csv": csv_text(
            ["level", "levels_ohm", "weight"],
            list(zip(range(99), device["levels_ohm"], device["levels_normalised"], strict=False)),
        ),
        "training.csv": _training_csv(history),
        "confusion.csv": csv_text(
            [f"predicted_{c}" for c in range(len(evaluation.confusion))], evaluation.confusion.tolist()
        ),
        "energy.csv": csv_text(["part", "energy_per_inference_j"], energy_parts),
        "ir_drop.csv": csv_text([f"v_column_{c}_v" for c in range(drop.shape[1])], drop.tolist()),
        "certificate.csv": csv_text(
            ["tile", "cells", "vectors", "relative_difference"],
            [list(row.values()) for row in results["certificate"]["checked"]],
        ),
    }
    for name, text in tables.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "figures").mkdir()
    for name, svg in drawn.items():
        (folder / "figures" / f"{name}.svg").write_text(svg, encoding="utf-8")
    networks.level_network.save(folder / "network.npz")
    (folder / "report.html").write_text(report_html(results, drawn), encoding="utf-8")
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    results["files"] = [*files, RESULTS]
    (folder / RESULTS).write_text(json.dumps(results, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _training_csv(history: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    named = {f"{network}_{name}": series for network, one in history.items() for name, series in one.items()}
    # Training through the circuit has its own number of epochs.
    lines = itertools.zip_longest(*named.values(), fillvalue="")
    return csv_text(["epoch", *named], [[epoch, *values] for epoch, values in enumerate(lines, start=1)])


def _say(progress: Reporter, results: Mapping[str, Any], out: Path) -> None:
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
                f"energy, {name}", figures.engineering(value, "J"), f"{100 * value / energy['total']:.2g} %"
            )
    table.add_row(
        "energy per inference", figures.engineering(energy["total"], "J"), "100 %", end_section=True
    )
    table.add_row("latency", figures.engineering(results["latency_s"], "s"), "")
    table.add_row("writing the network once", figures.engineering(results["write"]["energy_j"], "J"), "")
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
