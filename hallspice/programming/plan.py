"""How a configuration's array is written: drivers, recipe, faults."""

from __future__ import annotations

from circuits.read.energy import part_costs
from circuits.read.noise import hall_read_noise
from circuits.write.faults import FaultRates
from circuits.write.scheme import BiasScheme, Order, WriteConfig, schemes
from circuits.write.write_verify import Algorithm, PulseLadder, Step, WriteRecipe, pulse_curve
from circuits.write.writing import Writing, verify_energy
from compact_model import synapse
from compact_model.cards.device import Reset
from compact_model.hallbar import HallBar
from hallspice.config.setup import Setup


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
    converters = setup.config.array.converters
    costs = part_costs(setup.periphery, converters.dac_bits, converters.adc_bits, t_verify)
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
        read_energy=verify_energy(config, setup.config.array.columns, i_read, costs),
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
        compensated=write.compensated,
        fault_rates=FaultRates(
            stuck=write.faults.stuck,
            device_spread=write.faults.device_spread,
            cycle=write.faults.cycle_noise,
            open_rows=tuple(write.faults.open_rows),
            open_columns=tuple(write.faults.open_columns),
            short_rows=tuple(write.faults.short_rows),
            short_columns=tuple(write.faults.short_columns),
        ),
    )
