"""How a configuration's array is written: drivers, recipe, faults, and the states that result."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from circuits.read.noise import hall_read_noise
from circuits.write.circuit import PARTS
from circuits.write.plant import Faults, ModelPlant
from circuits.write.scheme import BiasScheme, Order, WriteConfig, schemes
from circuits.write.solver import WriteSolver
from circuits.write.write_verify import (
    VERIFY,
    Algorithm,
    PulseLadder,
    Step,
    WriteRecipe,
    pulse_curve,
)
from circuits.write.writing import Writing
from compact_model import synapse, thermal
from compact_model.cards.device import Reset
from compact_model.hallbar import HallBar
from hallspice.config.setup import Setup
from nn_mapping.mapping import MappedNetwork
from nn_mapping.programmed import ProgrammedNetwork


def writing(setup: Setup, device: HallBar) -> Writing:
    """What a configuration says about programming.

    Raises
    ------
    ValueError
        When scheme and architecture don't fit, or the tolerance is below the noise of a verify read.
    """
    write, card = setup.config.write, setup.periphery.write
    architecture = setup.array.architecture
    usual = next(iter(schemes(architecture)), BiasScheme.ONE_TRANSISTOR)
    config = WriteConfig(
        architecture=architecture,
        scheme=BiasScheme(write.scheme or usual),
        order=Order(write.order),
        r_row=setup.array.r_row,
        r_column=setup.array.r_column,
        r_output=card.r_output.value,
        r_return=card.r_return.value,
        v_compliance=card.v_compliance.value,
        r_channel=setup.array.r_channel,
        r_select_on=card.r_select_on.value,
        r_select_off=card.r_select_off.value,
    )
    t_verify = card.t_verify.value
    i_read = setup.periphery.read.i_read.value
    amplifier = setup.periphery.amplifier
    noise = hall_read_noise(
        setup.array.r_arm,
        setup.array.gm,
        amplifier.noise_gamma.value,
        setup.card.thermal.ambient.value,
        t_verify,
    )
    resistance = config.nominal_resistance(setup.config.array.columns)
    recipe = WriteRecipe(
        algorithm=Algorithm(write.algorithm),
        step_law=Step(write.step_law),
        tolerance=write.tolerance,
        start=write.start,
        i_step=write.i_step,
        i_reset=setup.card.synapse.i_reset.value,
        field_reset=setup.card.choices.reset is Reset.FIELD,
        max_pulses=write.max_pulses,
        retries=write.retries,
        read_noise=noise / i_read,
        read_energy=i_read**2 * resistance * t_verify
        + setup.periphery.adc.conversion_energy(setup.config.array.converters.adc_bits),
        read_time=t_verify,
    )
    t_pulse = setup.card.synapse.t_pulse.value
    return Writing(
        config=config,
        recipe=recipe,
        curve=pulse_curve(device, t_pulse),
        ladder=PulseLadder(levels=setup.levels_ohm, currents=synapse.ladder_currents(setup.card)),
        device=device,
        t_pulse=t_pulse,
        i_read=i_read,
    )


def drawn_faults(setup: Setup, shape: tuple[int, int], generator: np.random.Generator) -> Faults:
    """Faults of one array; the lines that the configuration names, as far as it has them."""
    wanted = setup.config.write.faults
    rows, columns = shape
    stuck = np.where(generator.random(shape) < wanted.stuck, generator.random(shape), np.nan)
    spread = 1.0 + wanted.device_spread * generator.standard_normal(shape)
    return Faults(
        stuck=stuck if wanted.stuck > 0 else None,
        open_rows=tuple(row for row in wanted.open_rows if row < rows),
        open_columns=tuple(column for column in wanted.open_columns if column < columns),
        short_rows=tuple(row for row in wanted.short_rows if row < rows),
        short_columns=tuple(column for column in wanted.short_columns if column < columns),
        threshold=np.maximum(spread, 0.05) if wanted.device_spread > 0 else None,
        cycle=wanted.cycle_noise,
    )


def programmed_network(
    mapped: MappedNetwork, setup: Setup, writing: Writing, progress: Callable[[int, int, str], None]
) -> ProgrammedNetwork:
    """Write every tile of a network; tiles of one size share their circuit.

    The Hall resistances that are reached become states; for `resistive` arrays by the same line between conductance
    and Hall resistance that the levels follow.
    """
    levels = mapped.level_set.levels_ohm
    solvers: dict[tuple[int, int], WriteSolver] = {}
    tiles, outcomes = [], []
    for number, tile in enumerate(mapped.tiles):
        progress(number, len(mapped.tiles), f"writing: {tile.name}")
        rows, columns = tile.states.shape
        if (rows, columns) not in solvers:
            solvers[rows, columns] = WriteSolver(rows, columns, writing.config)
        generator = np.random.default_rng([setup.config.seed, number, 2])
        plant = ModelPlant(
            solver=solvers[rows, columns],
            device=writing.device,
            t_pulse=writing.t_pulse,
            compensated=setup.config.write.compensated,
            faults=drawn_faults(setup, (rows, columns), generator),
            generator=generator,
        )
        outcome = writing.outcome(levels[tile.level_index], plant, setup.config.seed + number)
        outcomes.append(outcome)
        states = outcome.achieved
        if not setup.array.architecture.hall:
            slope = np.polyfit(levels, 1 / mapped.state_ohm, 1)
            states = 1 / np.maximum(np.polyval(slope, outcome.achieved), 1e-15)
        tiles.append(dataclasses.replace(tile, states=states))
    progress(len(mapped.tiles), len(mapped.tiles), "writing: done")
    largest = max(float(outcome.largest_current.max()) for outcome in outcomes)
    return ProgrammedNetwork(
        mapped=dataclasses.replace(mapped, tiles=tuple(tiles)),
        outcomes=tuple(outcomes),
        energy={part: sum(outcome.energy[part] for outcome in outcomes) for part in (*PARTS, VERIFY)},
        time=sum(outcome.time for outcome in outcomes),
        time_parallel=max(outcome.time for outcome in outcomes),
        peak_temperature=float(thermal.pulse_temperature(setup.card, largest, writing.t_pulse)),
    )
