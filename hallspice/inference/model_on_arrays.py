"""A model on solved arrays."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from torch import nn

from circuits.arrays.crossbar import crossbar, read_networks
from circuits.network import Network
from circuits.read.energy import PartCosts, part_costs
from circuits.solve.nodal import factor
from compact_model.numeric import Floats
from hallspice.config.setup import Setup
from hallspice.progress import Reporter
from nn_mapping import cost
from nn_mapping.accuracy import Ablation, Evaluation, ablation, evaluate
from nn_mapping.analog.chip_design import Chip
from nn_mapping.analog.conversion import convert
from nn_mapping.analog.full_scales import calibrate
from nn_mapping.analog.placement import Tile, arrays_of, hold, tiles_of
from nn_mapping.analog.report import ConversionReport
from nn_mapping.column_readout import output_converters, row_dacs
from nn_mapping.examples import Examples
from nn_mapping.tiles import SolvedTiles, solve_network


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOnArrays:
    """A torch model on solved arrays, calibrated."""

    setup: Setup
    model: nn.Module
    """As it was."""
    chip: Chip
    """What its arrays were meant to be."""
    examples: Examples
    arrays: nn.Module
    """On arrays, calibrated, in evaluation mode."""
    report: ConversionReport
    tiles: tuple[Tile, ...]
    solved: SolvedTiles

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return self.setup.config.seed

    def evaluation(self) -> Evaluation:
        """The test set through the circuit."""
        return evaluate(self.arrays, self.examples)

    def causes(self, evaluation: Evaluation) -> Ablation:
        """Accuracy with one cause at a time, beside that of all of them."""
        return ablation(self.arrays, evaluation, self.examples)

    def nonlinearity(self) -> dict[str, float]:
        """Largest integral and differential nonlinearity of all DACs and all ADCs, in steps; 0 for ideal ones."""
        layers = arrays_of(self.arrays)
        found = dict.fromkeys(
            (f"{name}_largest_{kind}_steps" for name in ("dac", "adc") for kind in ("inl", "dnl")), 0.0
        )
        for number, tile in enumerate(self.tiles):
            chip = layers[tile.layer].tiles.chip
            dacs = row_dacs(tile.shape[0], chip.drivers, self.seed, number)
            adcs = output_converters(tile.converted, chip.readout, self.seed, number)
            for name, drawn in (
                ("dac", [] if dacs is None else [dacs]),
                ("adc", {id(one): one for one in adcs}.values()),
            ):
                for one in drawn:
                    for kind, steps in (
                        ("inl", one.integral_nonlinearity()),
                        ("dnl", one.differential_nonlinearity()),
                    ):
                        key = f"{name}_largest_{kind}_steps"
                        found[key] = max(found[key], float(np.abs(steps).max(initial=0.0)))
        return found

    def cost(self, evaluation: Evaluation) -> cost.InferenceCost:
        """Energy and latency of an inference."""
        settling = self.settling

        def costs(dac_bits: int, adc_bits: int) -> PartCosts:
            return part_costs(self.setup.periphery, dac_bits, adc_bits, self.setup.t_read, settling)

        return cost.inference_cost(self.arrays, self.solved.responses, evaluation.reads, costs)

    @property
    def settling(self) -> float:
        """Time that the largest tile takes to settle [s]."""
        tile = self.tiles[self.largest]
        return self.setup.settling(tile.states, mismatch=self.setup.mismatch(tile.shape, self.largest))

    @property
    def largest(self) -> int:
        """Position of the largest tile."""
        return int(np.argmax([tile.states.size for tile in self.tiles]))

    def network(self, place: int, slot: int = 0) -> Network:
        """A tile as a circuit, with the deviations of its cells; where rows take turns, in the slot of that row."""
        tile = self.tiles[place]
        return crossbar(tile.states, self.setup.array, self.setup.mismatch(tile.shape, place), slot=slot)

    def ir_drop(self) -> Floats:
        """Voltage across each cell of the largest tile with every input full (in its turn), V."""
        tile = self.tiles[self.largest]
        drop = np.zeros(tile.shape)
        mismatch = self.setup.mismatch(tile.shape, self.largest)
        for inputs, network in read_networks(tile.states, self.setup.array, mismatch):
            solution = factor(network).solve(np.full((1, network.n_inputs), self.setup.v_full))
            drop[inputs] += network.probed("channel", solution.node_voltages)[0]
        return drop

    def written(self, tiles: tuple[Tile, ...], solved: SolvedTiles) -> ModelOnArrays:
        """The same with other states of its cells."""
        arrays, _ = convert(self.model, self.chip)
        return dataclasses.replace(
            self, arrays=_calibrated(arrays, solved, self.examples), tiles=tiles, solved=solved
        )


def placed(
    setup: Setup,
    model: nn.Module,
    chip: Chip,
    examples: Examples,
    progress: Reporter,
    *,
    workers: int,
    known: SolvedTiles | None = None,
) -> ModelOnArrays:
    """Put a torch model on arrays, solve them, and calibrate what they read.

    Parameters
    ----------
    setup
        The configuration: array, cards, deviations of the cells.
    model
        Any model whose outputs are (count, classes).
    chip
        Levels, tiles and converters of its arrays, without mismatch of their own.
    examples
        What it is calibrated and tested on.
    progress
        Told which tile is solved.
    workers
        Processes that solve tiles.
    known
        The solved tiles of the same model and array, where they were solved before.
    """
    arrays, report = convert(model, chip)
    tiles = tiles_of(arrays)
    solved = solved_tiles(setup, tiles, "solving tiles", progress, workers) if known is None else known
    return ModelOnArrays(
        setup=setup,
        model=model,
        chip=chip,
        examples=examples,
        arrays=_calibrated(arrays, solved, examples),
        report=report,
        tiles=tiles,
        solved=solved,
    )


def solved_tiles(
    setup: Setup, tiles: tuple[Tile, ...], name: str, progress: Reporter, workers: int
) -> SolvedTiles:
    """Solve tiles of the configured array, with the deviations of their cells."""
    return solve_network(
        tiles,
        setup.array,
        [setup.mismatch(tile.shape, number) for number, tile in enumerate(tiles)],
        exact=setup.config.array.exact,
        workers=workers,
        progress=lambda done, total, message: progress(done, total, f"{name}: {message}"),
    )


def _calibrated(arrays: nn.Module, solved: SolvedTiles, examples: Examples) -> nn.Module:
    hold(arrays, solved.transfers)
    calibrate(arrays, examples.calibration_batches())
    return arrays.eval()
