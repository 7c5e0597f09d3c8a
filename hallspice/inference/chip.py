"""A network on solved tiles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from circuits.arrays.crossbar import crossbar
from circuits.network import Network
from circuits.read.energy import part_costs
from circuits.solve.nodal import factor
from compact_model.numeric import Floats
from hallspice.config.setup import Setup
from hallspice.networks.kept import readout_of
from nn_mapping import cost
from nn_mapping.accuracy import Ablation, Evaluation, ablation, evaluate, tile_maps
from nn_mapping.column_readout import Readout
from nn_mapping.data import Dataset
from nn_mapping.mapping import MappedNetwork
from nn_mapping.tiles import SolvedTiles


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

    def causes(self, evaluation: Evaluation) -> Ablation:
        """Accuracy with one cause at a time, beside that of all of them."""
        return ablation(
            evaluation,
            self.mapped,
            self.transfers,
            self.setup.array,
            self.readout,
            self.dataset,
            self.seed,
        )

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
        costs = part_costs(
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
