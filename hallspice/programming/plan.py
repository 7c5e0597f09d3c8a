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


def writing(setup: Setup, device: HallBar, columns: int) -> Writing:
    """What a configuration says about programming an array of a number of columns.

    Raises
    ------
    ValueError
        When scheme and architecture don't fit, or the tolerance is below the noise of a verify read.
    """
    circuit = _circuit(setup)
    t_pulse = setup.card.synapse.t_pulse.value
    faults = setup.config.write.faults
    return Writing(
        config=circuit,
        recipe=_recipe(setup, circuit, columns),
        curve=pulse_curve(device, t_pulse),
        ladder=PulseLadder(levels=setup.levels_ohm, currents=synapse.ladder_currents(setup.card)),
        device=device,
        t_pulse=t_pulse,
        i_read=setup.periphery.read.i_read.value,
        compensated=setup.config.write.compensated,
        fault_rates=FaultRates(
            stuck=faults.stuck,
            device_spread=faults.device_spread,
            cycle=faults.cycle_noise,
            open_rows=tuple(faults.open_rows),
            open_columns=tuple(faults.open_columns),
            short_rows=tuple(faults.short_rows),
            short_columns=tuple(faults.short_columns),
        ),
    )


def _circuit(setup: Setup) -> WriteConfig:
    write, card, array = setup.config.write, setup.periphery.write, setup.array
    usual = next(iter(schemes(array.architecture)), BiasScheme.ONE_TRANSISTOR)
    return WriteConfig(
        architecture=array.architecture,
        scheme=BiasScheme(write.scheme or usual),
        order=Order(write.order),
        r_row=array.r_row,
        r_column=array.r_column,
        r_output=card.r_output.value,
        r_return=card.r_return.value,
        v_compliance=card.v_compliance.value,
        r_channel=array.r_channel,
        r_select_on=card.r_select_on.value,
        r_select_off=card.r_select_off.value,
        efficiency=card.efficiency.value,
    )


def _recipe(setup: Setup, circuit: WriteConfig, columns: int) -> WriteRecipe:
    write, periphery, converters = setup.config.write, setup.periphery, setup.config.array.converters
    t_verify, i_read = periphery.write.t_verify.value, periphery.read.i_read.value
    noise = hall_read_noise(
        setup.array.r_arm,
        setup.array.gm,
        periphery.amplifier.noise_gamma.value,
        setup.card.thermal.ambient.value,
        t_verify,
    )
    costs = part_costs(periphery, converters.dac_bits, converters.adc_bits, t_verify)
    return WriteRecipe(
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
        read_energy=verify_energy(circuit, columns, i_read, costs),
        read_time=t_verify,
    )
