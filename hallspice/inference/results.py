"""What a run found, as plain data."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np

from circuits.solve.transfer import Method
from compact_model import synapse
from compact_model.numeric import Floats
from hallspice.config.setup import Setup
from hallspice.inference.chip import Chip
from hallspice.inference.findings import findings, warnings_of
from hallspice.inference.losses import accuracy_losses
from hallspice.networks.kept import Networks
from hallspice.page import style
from hallspice.page.provenance import origins
from nn_mapping import cost
from nn_mapping.accuracy import Evaluation
from nn_mapping.mapping import MappedNetwork
from nn_mapping.tiles import SolvedTiles

PAPER_WRITE_ENERGY = 87.5e-6
"""Energy of the complete synaptic operation, J (arXiv:2601.16222, section 4)."""


CAUSES = {
    "levels": ("levels", "digital network on the device's levels: what quantised weights alone give"),
    "converters": ("levels, DAC and ADC", "ideal arrays, inputs and outputs converted"),
    "array": ("levels and solved array", "wires, drivers, offsets and amplifiers; calibrated; no converters"),
    "circuit": ("everything", "solved array, calibration, DAC and ADC: the answer"),
    "untrimmed": ("everything, uncalibrated", "the same without gain and offset of each column"),
}
"""Name and meaning of each evaluation that `nn_mapping.accuracy.ablation` makes."""


def results_of(
    chip: Chip,
    networks: Networks,
    evaluation: Evaluation,
    causes: Mapping[str, float],
    certificate: Mapping[str, Any],
    drop: Floats,
) -> dict[str, Any]:
    """The content of ``results.json``."""
    setup, mapped, solved = chip.setup, chip.mapped, chip.solved
    images = len(chip.dataset.test_labels)
    inference = chip.cost(evaluation)
    written = synapse.level_cost(setup.card)
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
        "findings": findings(accuracy, inference),
        "warnings": [*setup.warnings, *warnings_of(accuracy, certificate, float(drop.min()) / setup.v_cell)],
        "provenance": {
            f"Device card {setup.card.name}": [dataclasses.asdict(one) for one in origins(setup.card)],
            f"Periphery card {setup.periphery.name}": [
                dataclasses.asdict(one) for one in origins(setup.periphery)
            ],
        },
        "provenance_note": "Every number of the device and of the periphery, with its source. Assumed numbers are "
        "plausible and replaceable: write your own card and name it in the configuration. Numbers "
        "that are 'set' are the configuration's, in the line that is named.",
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
        supplies = style.engineering(inference.amplifiers, "J")
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
        f"take {style.engineering(digital.energy, 'J')} for the {digital.multiplications} products, without fetching "
        f"a weight from memory: this array takes {inference.total / digital.energy:.3g} times as much.",
        f"The cells take {parts['cells']:.4g} mm2 at a pitch of {1e6 * setup.periphery.wire.pitch.value:g} um, with "
        f"their transconductors below; around them ({around}) it is {sum(parts.values()) - parts['cells']:.3g} mm2. "
        "Wiring between tiles, control and write drivers are not in it.",
    ]


def _write_note(parallel: float) -> str:
    return (
        "Every cell takes the whole ladder up to its level, without verification, select devices or wires. With all "
        f"tiles at once and one cell after another in each, it takes {style.engineering(parallel, 's')}."
    )
