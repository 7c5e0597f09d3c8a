"""Time of programming a 784-256-128-10 network in pairs, 470,000 cells, with write-verify in the compact model."""

from __future__ import annotations

import itertools
import time

import numpy as np
from threadpoolctl import threadpool_limits

from circuits.arrays.architecture import Architecture
from circuits.write.plant import ModelPlant
from circuits.write.scheme import WriteConfig
from circuits.write.solver import WriteSolver
from circuits.write.write_verify import PulseLadder, WriteRecipe, program, pulse_curve
from compact_model import synapse
from compact_model.cards.device import load_card
from compact_model.hallbar import hall_bar
from nn_mapping.mapping import split_evenly

LAYERS = (784, 256, 128, 10)
TILE = 64


def main() -> None:
    card = load_card()
    device, t_pulse = hall_bar(card), card.synapse.t_pulse.value
    ladder = PulseLadder(levels=synapse.levels(card), currents=synapse.ladder_currents(card))
    generator = np.random.default_rng(0)
    recipe = WriteRecipe(read_noise=0.4e-3)
    begin = time.perf_counter()
    curve = pulse_curve(device, t_pulse)
    solvers: dict[tuple[int, int], WriteSolver] = {}
    cells = written = pulses = 0
    energy = 0.0
    for inputs, outputs in itertools.pairwise(LAYERS):
        for rows in split_evenly(inputs, TILE):
            for columns in split_evenly(2 * outputs, TILE):
                shape = rows.stop - rows.start, columns.stop - columns.start
                if shape not in solvers:
                    solvers[shape] = WriteSolver(*shape, WriteConfig(architecture=Architecture.RESISTIVE))
                plant = ModelPlant(solver=solvers[shape], device=device, t_pulse=t_pulse)
                target = generator.choice(ladder.levels, shape)
                result = program(plant, target, recipe, curve, ladder, 10.0, generator)
                cells += target.size
                written += int(result.written.sum())
                pulses += int(result.pulses.sum())
                energy += result.total_energy
    seconds = time.perf_counter() - begin
    print(
        f"{cells} cells, {written} written, {pulses / cells:.2f} pulses per cell, {energy:.1f} J: "
        f"{seconds:.1f} s ({len(solvers)} sizes of tiles)"
    )


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
