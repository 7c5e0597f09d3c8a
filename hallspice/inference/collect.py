"""The results of an examined network."""

from __future__ import annotations

import platform

import numpy as np

from circuits.solve.transfer import Method
from circuits.spice.binding import binding_version
from circuits.write.write_verify import CellVerdict
from compact_model import synapse
from hallspice.config.setup import Setup
from hallspice.inference import findings
from hallspice.inference.examination import Examination, Programmed
from hallspice.inference.losses import accuracy_losses
from hallspice.inference.model_on_arrays import ModelOnArrays
from hallspice.inference.results import (
    Accuracy,
    AreaParts,
    ArrayParameters,
    ArraySummary,
    Cause,
    DeviceSummary,
    EnergyParts,
    GivenUpCell,
    Histories,
    InferenceEnergy,
    InferenceResults,
    LayerTiles,
    ModuleFate,
    NetworkSummary,
    ProgrammedSummary,
    SolverSummary,
    WriteSummary,
)
from hallspice.networks.results import History, TrainingRecipe
from hallspice.page.provenance import origins
from hallspice.page.style import engineering
from hallspice.programming.results import WriteEnergy
from hallspice.results import versions_of
from nn_mapping import cost
from nn_mapping.accuracy import Evaluation
from nn_mapping.analog.placement import arrays_of
from nn_mapping.tiles import SolvedTiles

PAPER_WRITE_ENERGY = 87.5e-6
"""Energy of the complete synaptic operation, J (arXiv:2601.16222, section 4)."""

MOST_LISTED = 1000
"""Cells given up that are listed one by one."""


def results_of(found: Examination, config_file: str | None = None) -> InferenceResults:
    """The content of ``results.json``."""
    on_arrays = found.on_arrays
    setup = on_arrays.setup
    inference = on_arrays.cost(found.evaluation)
    accuracy = _accuracy(found)
    write = _write(found)
    layers = _areas(on_arrays)
    return InferenceResults(
        config=setup.config,
        config_file=config_file,
        seed=on_arrays.seed,
        versions={
            **versions_of(),
            "python": platform.python_version(),
            **versions_of("numpy", "scipy", "torch"),
            **binding_version(),
            "ngspice": found.certificate.simulator or "not found",
        },
        device=_device(setup),
        array=_array(on_arrays),
        solver=SolverSummary(
            method=on_arrays.solved.method.value,
            reason=on_arrays.solved.reason,
            checked_tile=on_arrays.solved.checked or None,
            transfer_difference=on_arrays.solved.transfer_difference,
            power_difference=on_arrays.solved.power_difference,
        ),
        network=_network(found),
        accuracy=accuracy,
        energy_per_inference_j=InferenceEnergy(
            total=inference.energy.total, **EnergyParts.of(inference.energy).parts
        ),
        energy_by_layer_j=tuple(EnergyParts.of(layer) for layer in inference.layers.values()),
        energy_notes=(
            *_energy_notes(setup, inference),
            *_left_digital(on_arrays),
            *_comparison(on_arrays, found.evaluation, inference, layers),
        ),
        digital_energy_j=_digital(on_arrays, found.evaluation).energy,
        cell_area_m2=tuple(layer.cells for layer in layers),
        area_by_layer_m2=layers,
        area_m2=sum(layer.total for layer in layers),
        latency_s=inference.latency,
        settling_s=on_arrays.settling,
        write=write,
        certificate=found.certificate,
        findings=(
            *findings.of_accuracy(accuracy, found.causes),
            findings.of_energy(inference),
            *(
                [findings.of_programming(write.programmed, accuracy.circuit, accuracy.programmed)]
                if write.programmed is not None and accuracy.programmed is not None
                else []
            ),
            *([findings.of_uncertainty(found.uncertainty)] if found.uncertainty else []),
        ),
        warnings=(
            *setup.warnings,
            *findings.warnings_of(accuracy, found.certificate, float(found.drop.min()) / setup.v_cell),
        ),
        uncertainty=found.uncertainty,
        provenance={
            f"Device card {setup.card.name}": tuple(origins(setup.card)),
            f"Periphery card {setup.periphery.name}": tuple(origins(setup.periphery)),
        },
        provenance_note="Every number of the device and of the periphery, with its source. Assumed numbers are "
        "plausible and replaceable: write your own card and name it in the configuration. Numbers "
        "that are 'set' are the configuration's, in the line that is named.",
    )


def _accuracy(found: Examination) -> Accuracy:
    causes = found.causes
    rows = [
        Cause(
            key="levels",
            name="levels",
            accuracy=causes.levels,
            meaning="digital network on the device's levels: what quantised weights alone give",
        ),
        Cause(
            key="converters",
            name="levels, DAC and ADC",
            accuracy=causes.converters,
            meaning="ideal arrays, inputs and outputs converted",
        ),
        Cause(
            key="array",
            name="levels and solved array",
            accuracy=causes.array,
            meaning="wires, drivers, offsets and amplifiers; calibrated; no converters",
        ),
        Cause(
            key="circuit",
            name="everything",
            accuracy=causes.circuit,
            meaning="solved array, calibration, DAC and ADC: the answer",
        ),
        Cause(
            key="untrimmed",
            name="everything, uncalibrated",
            accuracy=causes.untrimmed,
            meaning="the same without gain and offset of each column",
        ),
    ]
    reached = found.programmed.accuracy if found.programmed else None
    if reached is not None:
        rows.append(
            Cause(
                key="programmed",
                name="everything, states as written",
                accuracy=reached,
                meaning="the circuit with the Hall resistances that programming reached",
            )
        )
    float_weights = found.subject.float_accuracy
    return Accuracy(
        float_=float_weights,
        levels=causes.levels,
        circuit=found.evaluation.accuracy,
        images=len(found.on_arrays.examples.labels),
        causes=tuple(rows),
        losses=accuracy_losses(float_weights, causes, reached),
        programmed=reached,
    )


def _device(setup: Setup) -> DeviceSummary:
    card = setup.card
    return DeviceSummary(
        card=card.name,
        description=card.description,
        levels_ohm=setup.levels_ohm.tolist(),
        levels_normalised=synapse.normalised(setup.levels_ohm).tolist(),
        levels_model_ohm=synapse.model_levels(card).tolist(),
        levels_paper_ohm=synapse.paper_levels(card).tolist(),
        ladder_a=synapse.ladder_currents(card).tolist(),
        write_energy_j=synapse.ladder_energy(card),
        write_energy_paper_j=PAPER_WRITE_ENERGY,
        reset_note="five pulses after a reset by a saturating field, whose energy is not counted."
        if card.choices.reset == "field"
        else "the reset pulse comes on top of that and is counted when the network is written.",
    )


def _array(on_arrays: ModelOnArrays) -> ArraySummary:
    setup = on_arrays.setup
    layers = []
    for name, array in arrays_of(on_arrays.arrays).items():
        own = [tile for tile in on_arrays.tiles if tile.layer == name]
        tiling = array.tiles.tiling
        groups = f"{tiling.groups} x " if tiling.groups > 1 else ""
        layers.append(
            LayerTiles(
                name=name,
                weights=f"{groups}{tiling.inputs} x {tiling.outputs}",
                tiles=len(own),
                cells=sum(tile.states.size for tile in own),
            )
        )
    weights = sum(array.weight.numel() for array in arrays_of(on_arrays.arrays).values())
    layers.append(
        LayerTiles(
            name="all",
            weights=f"{weights}",
            tiles=len(on_arrays.tiles),
            cells=sum(tile.states.size for tile in on_arrays.tiles),
        )
    )
    slices = setup.config.network.weight_slices
    what = "slice of a weight" if len(slices) > 1 else "weight"
    scheme = (
        f"Each {what} is the difference of two cells in neighbouring columns."
        if setup.config.network.scheme == "differential"
        else f"Each {what} is one cell; two columns of each tile hold the lowest and the highest level, and their mean "
        "is subtracted before conversion."
    )
    if len(slices) > 1:
        counts = " : ".join(f"{one:g}" for one in slices)
        scheme += f" Slices count {counts}; each is converted on its own and added digitally."
    if bits := setup.config.array.converters.input_slice_bits:
        scheme += f" A read carries {bits} bits of an input; every read is converted on its own."
    converters = setup.config.array.converters
    return ArraySummary(
        architecture=setup.config.array.architecture,
        rows=setup.config.array.rows,
        columns=setup.config.array.columns,
        weight_slices=tuple(setup.config.network.weight_slices),
        layers=tuple(layers),
        note=f"{scheme} Layers are cut into the fewest tiles, shared out evenly; tiles are as large as needed. "
        + _solver_note(on_arrays.solved),
        parameters=ArrayParameters(
            **{name: getattr(setup.array, name) for name in setup.array.__slots__},
            v_full=setup.v_full,
            t_read=setup.t_read,
            dac_bits=converters.dac_bits,
            adc_bits=converters.adc_bits,
            input_slice_bits=converters.input_slice_bits,
            dac_mismatch=converters.dac_mismatch,
            adc_mismatch=converters.adc_mismatch,
            **on_arrays.nonlinearity(),
            calibration=setup.config.array.calibration,
        ),
    )


def _solver_note(solved: SolvedTiles) -> str:
    if solved.method is Method.NODAL:
        return f"Every tile is solved in full: {solved.reason}."
    return (
        f"Tiles are solved by the transfer tensor: {solved.reason}. On tile {solved.checked}, the full solution (which "
        f"array.exact gives for all tiles) differs by {solved.transfer_difference:.1e} of the largest output and "
        f"{solved.power_difference:.1e} of the power."
    )


def _network(found: Examination) -> NetworkSummary:
    subject, networks = found.subject, found.subject.networks
    data = subject.dataset
    history = None
    if subject.network is not None and subject.network.history:
        floating = networks.float_network if networks is not None else None
        history = Histories(
            levels=History.of(subject.network), float_=None if floating is None else History.of(floating)
        )
    return NetworkSummary(
        name=subject.name,
        dataset=data.name,
        inputs=data.rule,
        input_shape=data.train_images.shape[1:] if data.train_images.ndim == 2 else data.image,
        classes=data.classes,
        modules=tuple(ModuleFate.of(row) for row in found.on_arrays.report.rows),
        layers=None if subject.network is None else subject.network.sizes,
        recipe=None if networks is None else TrainingRecipe.of(networks.recipe),
        reused=networks is not None and networks.reused,
        weight_levels=subject.levels.weights.tolist(),
        training_note=f"Inputs: {data.rule}. {_training_note(found)}",
        history=history,
    )


def _training_note(found: Examination) -> str:
    networks, images = found.subject.networks, len(found.on_arrays.examples.labels)
    if networks is None:
        return f"The network, {found.subject.name}, was trained elsewhere; it is tested on {images} images."
    recipe, epochs = networks.recipe, found.on_arrays.setup.config.network.circuit_epochs
    reused = (
        " Both networks were reused from an earlier run with the same settings." if networks.reused else ""
    )
    own = [f"on inputs of {recipe.input_bits} bits"] if recipe.input_bits else []
    own += [f"for {epochs} more through the circuit"] if epochs else []
    levels = f", the one on levels {' and '.join(own)}" if own else ""
    return (
        f"Both networks were trained for {recipe.epochs} epochs with the recipe '{recipe.name}'{levels}. "
        f"The last epoch counts; nothing was chosen by the {images} test images.{reused}"
    )


def _write(found: Examination) -> WriteSummary:
    setup, tiles = found.on_arrays.setup, found.on_arrays.tiles
    device = synapse.level_cost(setup.card)
    network = cost.write_cost(tiles, setup.levels_ohm, device.energy, device.time)
    return WriteSummary(
        cells=sum(tile.states.size for tile in tiles),
        energy_j=network.energy,
        time_s=network.time_serial,
        time_tiles_parallel_s=network.time_tiles_parallel,
        note="Every cell takes the whole ladder up to its level, without verification, select devices or wires. With "
        "all tiles at once and one cell after another in each, it takes "
        f"{engineering(network.time_tiles_parallel, 's')}.",
        programmed=_programmed(found.programmed) if found.programmed else None,
    )


def _programmed(found: Programmed) -> ProgrammedSummary:
    network = found.network
    given_up = [
        GivenUpCell(
            tile=tile.name,
            row=row,
            column=column,
            target_ohm=float(outcome.target[row, column]),
            achieved_ohm=float(outcome.achieved[row, column]),
            reason=CellVerdict(outcome.verdict[row, column]).text,
        )
        for tile, outcome in zip(network.tiles, network.outcomes, strict=True)
        for row, column in np.argwhere(~outcome.written).tolist()
    ]
    error = np.concatenate([outcome.error.ravel() for outcome in network.outcomes])
    return ProgrammedSummary(
        scheme=found.plan.config.scheme,
        order=found.plan.config.order,
        algorithm=found.plan.recipe.algorithm,
        cells=network.cells,
        written=network.written,
        pulses=network.pulses,
        rms_error_ohm=float(np.sqrt(np.mean(error**2))),
        largest_error_ohm=float(np.abs(error).max()),
        energy_j=WriteEnergy(total=network.total_energy, **network.energy),
        time_s=network.time,
        time_tiles_parallel_s=network.time_parallel,
        peak_temperature_k=network.peak_temperature,
        given_up=tuple(given_up[:MOST_LISTED]),
        given_up_count=len(given_up),
    )


def _energy_notes(setup: Setup, inference: cost.InferenceCost) -> list[str]:
    notes = [
        "Mean over the test images: power of each element from the solved network times the read time, and the "
        "converters, amplifier supplies and arithmetic from the periphery card. The parts sum to the total.",
    ]
    amplifiers, total = inference.energy.amplifiers, inference.energy.total
    if amplifiers:
        share = 100 * amplifiers / total
        supplies = engineering(amplifiers, "J")
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


def _left_digital(on_arrays: ModelOnArrays) -> list[str]:
    """What multiplies beside the arrays, whose energy nobody counts."""
    left = [row.names[0] or "the model itself" for row in on_arrays.report.rows if row.multiplies]
    return [f"Products that stay digital are not in it: {', '.join(left)}."] if left else []


def _comparison(
    on_arrays: ModelOnArrays,
    evaluation: Evaluation,
    inference: cost.InferenceCost,
    layers: tuple[AreaParts, ...],
) -> list[str]:
    setup, digital = on_arrays.setup, _digital(on_arrays, evaluation)
    parts = {name: 1e6 * sum(getattr(layer, name) for layer in layers) for name in AreaParts.model_fields}
    around = ", ".join(f"{part} {size:.3g} mm2" for part, size in parts.items() if part != "cells")
    return [
        f"For comparison, digital multipliers at 45 nm (8 bit, 32-bit sums; Horowitz, doi:10.1109/ISSCC.2014.6757323) "
        f"take {engineering(digital.energy, 'J')} for the {digital.multiplications:.0f} products, without fetching "
        f"a weight from memory: this array takes {inference.energy.total / digital.energy:.3g} times as much.",
        f"The cells take {parts['cells']:.4g} mm2 at a pitch of {1e6 * setup.periphery.wire.pitch.value:g} um, with "
        f"their transconductors below; around them ({around}) it is {sum(parts.values()) - parts['cells']:.3g} mm2. "
        "Wiring between tiles, control and write drivers are not in it.",
    ]


def _digital(on_arrays: ModelOnArrays, evaluation: Evaluation) -> cost.DigitalCost:
    digital = on_arrays.setup.periphery.digital
    return cost.digital_cost(
        on_arrays.arrays, evaluation.reads, digital.multiply_8bit.value, digital.add_32bit.value
    )


def _areas(on_arrays: ModelOnArrays) -> tuple[AreaParts, ...]:
    layers = cost.areas(on_arrays.arrays, on_arrays.setup.periphery)
    return tuple(AreaParts(**layer) for layer in layers.values())
