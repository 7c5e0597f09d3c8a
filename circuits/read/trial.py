"""One array in one architecture, tried with random cells: errors, noise, energy, time and voltage of a read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from circuits.arrays.architecture import Isolation
from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import amplifiers, crossbar, ideal_transfer, slots
from circuits.arrays.mismatch import Mismatch, draw_mismatch
from circuits.network import Role
from circuits.periphery import PeripheryCard
from circuits.read.calibration import calibrate, subtract_reference
from circuits.read.energy import ReadEnergy, Work, mean_power, part_costs, read_energy, reference_energy
from circuits.read.noise import amplifier_input_density, averaged, hall_flicker, output_noise
from circuits.read.read_error import ReadError, read_error
from circuits.read.settling import settling_estimate
from circuits.solve.nodal import Factored, factor
from circuits.solve.transfer import nodal_transfer
from compact_model.numeric import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """An array, and what it is tried with; SI units.

    Parameters
    ----------
    config
        The array.
    shape
        (rows, columns).
    lowest, highest
        States of the lowest and the highest weight [Ohm]; weights are uniform between them.
    full
        Input of a full-scale value, in the unit of the inputs.
    supply
        Supply of the row drivers, which limits the inputs [V].
    draws, vectors
        Random arrays, and random input vectors for each.
    seed
        Draw number k uses the generator of seed ``[seed, k]``.
    mismatch, r_off_spread, random_rejection
        Spread of the cells, as in `draw_mismatch`.
    flicker
        1/f noise of a Hall resistance at 1 Hz [Ohm^2/Hz].
    temperature
        Of resistors and amplifiers [K].
    t_read, t_calibration
        Length of a read once it has settled, and the time since the last calibration [s].
    dac_bits, adc_bits
        Resolution of the converters.
    """

    config: ArrayConfig
    shape: tuple[int, int]
    lowest: float
    highest: float
    full: float
    supply: float
    draws: int
    vectors: int
    seed: int
    mismatch: float
    r_off_spread: float
    random_rejection: bool
    flicker: float
    temperature: float
    t_read: float
    t_calibration: float
    dac_bits: int
    adc_bits: int

    @property
    def row_resistance(self) -> float:
        """What a row source in series with its channels sees [Ohm]; 1 where the input is a voltage."""
        if self.config.architecture.input_unit == "V":
            return 1.0
        columns, config = self.shape[1], self.config
        return config.r_output + columns * config.r_channel + (columns + 1) * config.r_row

    @property
    def usable(self) -> float:
        """Full-scale input that the supply allows, in the unit of the inputs."""
        return min(self.full, self.supply / self.row_resistance)

    def states(self, weights: Floats) -> Floats:
        """Cell states [Ohm] of weights between 0 and 1."""
        if self.config.architecture.hall:
            return np.asarray(self.lowest + weights * (self.highest - self.lowest))
        return np.asarray(1 / (1 / self.lowest + weights * (1 / self.highest - 1 / self.lowest)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """A random array with its test vectors, as shares of a full input (vectors, rows)."""

    states: Floats
    inputs: Floats
    mismatch: Mismatch | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """What came of a trial; noise, energy and voltages are those of draw 0 with the inputs that the supply allows.

    Attributes
    ----------
    errors
        Of each draw.
    signal, noise
        Root mean square of the compute signal, and of the noise behind the gains of the calibration, in the unit of
        the outputs.
    signal_range
        From the lowest to the highest compute signal of the test vectors, in the unit of the outputs.
    referred
        Error of draw 0 with the last two columns at the lowest and the highest weight, and their mean subtracted from
        the others; None with less than three columns.
    power
        (rows, rows) of each role [W]: its power as a form of the inputs as shares of the usable one; with time slots,
        the mean over them.
    energy
        Mean energy of a read by part. Drivers and amplifiers are on while the array settles, too.
    reference
        What a reference of two more columns would add to it [J].
    settling
        Time before the outputs are within a thousandth, by Elmore's delays; in the first time slot, inputs full [s].
    latency
        Of a read with settling and conversions [s].
    v_row
        Voltage that a row needs for a full input [V], whatever the supply.
    common_mode
        Highest voltage of a Hall pair against ground with full inputs [V]; 0 for `resistive`.
    weakest_cell
        Lowest voltage along a driven cell over what it would be without wires and drivers, inputs full [1].
    """

    errors: tuple[ReadError, ...]
    signal: float
    noise: float
    signal_range: float
    referred: ReadError | None
    power: dict[Role, Floats]
    energy: ReadEnergy
    reference: float
    settling: float
    latency: float
    v_row: float
    common_mode: float
    weakest_cell: float

    @property
    def error(self) -> ReadError:
        """Medians over the draws."""
        return ReadError(
            float(np.median([error.raw for error in self.errors])),
            float(np.median([error.calibrated for error in self.errors])),
        )


def draw(trial: Trial, number: int) -> Draw:
    """Array `number` of a trial; the same weights and inputs in every architecture."""
    generator = np.random.default_rng([trial.seed, number])
    weights = generator.uniform(size=trial.shape)
    inputs = generator.uniform(size=(trial.vectors, trial.shape[0]))
    spread = draw_mismatch(
        trial.shape,
        generator,
        relative=trial.mismatch,
        r_off=trial.r_off_spread,
        random_rejection=trial.random_rejection,
    )
    mismatch = spread if trial.config.architecture.hall else None
    return Draw(states=trial.states(weights), inputs=inputs, mismatch=mismatch)


def run_trial(trial: Trial, periphery: PeripheryCard) -> TrialResult:
    """Try an architecture.

    Parameters
    ----------
    trial
        The array, and what it is tried with.
    periphery
        Converters, amplifiers and logic. A column whose voltage is read gets one amplifier of the card, with its
        noise and its supply.

    Examples
    --------
    >>> from circuits.periphery import load_periphery
    >>> config = ArrayConfig(architecture="active_parallel")
    >>> trial = Trial(config=config, shape=(2, 2), lowest=0.33, highest=0.57, full=0.5, supply=1.8, draws=2,
    ...               vectors=20, seed=1, mismatch=0.0, r_off_spread=0.0, random_rejection=False, flicker=0.0,
    ...               temperature=300.0, t_read=1e-5, t_calibration=1.0, dac_bits=6, adc_bits=6)
    >>> run_trial(trial, load_periphery()).error.calibrated < 1e-3
    True
    """
    drawn = [draw(trial, number) for number in range(trial.draws)]
    first = drawn[0]
    inputs = trial.usable * first.inputs
    found = _solved(trial, first, periphery.amplifier.noise_gamma.value)
    variance = averaged(found.white, _flicker(trial, inputs), trial.t_read, trial.t_calibration)
    ideal, centre = ideal_transfer(first.states, trial.config), _centre(trial)
    gain = calibrate(inputs @ found.transfer.T, inputs @ ideal.T).gain
    errors = [read_error(found.transfer, ideal, centre, inputs)]
    errors += [_error(trial, other, centre) for other in drawn[1:]]
    signal = inputs @ (ideal - centre).T
    (rows, columns), count = trial.shape, slots(trial.config, trial.shape[0])
    costs = part_costs(periphery, trial.dac_bits, trial.adc_bits, trial.t_read, found.settling)
    work = Work(
        reads=count,
        amplifiers=amplifiers(trial.config, trial.shape),
        dacs=rows,
        adcs=columns * count,
        additions=columns * (count - 1),
    )
    moment = first.inputs.T @ first.inputs / len(first.inputs)
    energy = read_energy(costs, mean_power(found.power, moment), work)
    return TrialResult(
        errors=tuple(errors),
        signal=float(np.sqrt(np.mean(signal**2))),
        noise=float(np.sqrt(np.mean(variance * gain**2))),
        signal_range=float(np.ptp(signal)),
        referred=_referred(trial, first) if columns > 2 else None,
        power=found.power,
        energy=energy,
        reference=reference_energy(energy, columns),
        settling=found.settling,
        latency=count * (costs.t_on + costs.conversion_time(columns)),
        v_row=trial.full * trial.row_resistance,
        common_mode=found.common_mode,
        weakest_cell=found.weakest,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Solved:
    """An array with all its time slots; the meanings of `TrialResult`, before any calibration."""

    transfer: Floats  # (columns, rows)
    white: Floats  # (columns,) density of the white noise
    power: dict[Role, Floats]
    settling: float
    common_mode: float
    weakest: float


def _solved(trial: Trial, drawn: Draw, gamma: float) -> _Solved:
    config, (rows, columns) = trial.config, trial.shape
    count = slots(config, rows)
    transfer, white = np.zeros((columns, rows)), np.zeros(columns)
    power = {role: np.zeros((rows, rows)) for role in Role}
    common_mode, weakest, settling = 0.0, np.inf, 0.0
    for slot in range(count):
        factored = factor(crossbar(drawn.states, config, drawn.mismatch, slot=slot))
        if slot == 0:
            settling = settling_estimate(factored, np.ones(rows)[None]).item()
        transfer += factored.transfer()
        for role, form in factored.power_forms().items():
            power[role] += form * trial.usable**2 / count
        white += output_noise(
            factored, np.zeros(rows)[None], temperature=trial.temperature, gamma=gamma
        ).white()
        if config.architecture.output_unit == "V" and config.isolation is Isolation.NONE:
            white += amplifier_input_density(config.gm, gamma, trial.temperature)
        highest, lowest = _cell_voltages(factored, trial, slice(slot, slot + 1) if count > 1 else slice(None))
        common_mode, weakest = max(common_mode, highest), min(weakest, lowest)
    return _Solved(
        transfer=transfer,
        white=white,
        power=power,
        settling=settling,
        common_mode=common_mode,
        weakest=weakest,
    )


def _error(trial: Trial, drawn: Draw, centre: Floats) -> ReadError:
    transfer = nodal_transfer(drawn.states, trial.config, drawn.mismatch)
    return read_error(transfer, ideal_transfer(drawn.states, trial.config), centre, drawn.inputs)


def _referred(trial: Trial, drawn: Draw) -> ReadError:
    """Error with the last two columns as the reference."""
    states = drawn.states.copy()
    states[:, -2:] = trial.states(np.array([0.0, 1.0]))
    transfer = subtract_reference(nodal_transfer(states, trial.config, drawn.mismatch))
    ideal = subtract_reference(ideal_transfer(states, trial.config))
    return read_error(transfer, ideal, np.zeros_like(ideal), drawn.inputs)


def _centre(trial: Trial) -> Floats:
    return ideal_transfer(trial.states(np.full(trial.shape, 0.5)), trial.config)


def _cell_voltages(factored: Factored, trial: Trial, driven: slice) -> tuple[float, float]:
    """Highest common mode of a Hall pair [V], and lowest channel voltage over the nominal one [1]."""
    network, config = factored.network, trial.config
    full = np.full(trial.shape[0], trial.usable)[None]
    voltages = factored.solve(full).node_voltages
    nominal = trial.usable * (1.0 if config.architecture.input_unit == "V" else config.r_channel)
    weakest = float(network.probed("channel", voltages)[:, driven].min() / nominal)
    if "arms" not in network.probes:
        return 0.0, weakest
    pair = network.probes["arms"]
    with_ground = np.append(voltages, 0.0)
    common = (with_ground[pair.plus] + with_ground[pair.minus]) / 2
    return float(np.abs(common).max()), weakest


def _flicker(trial: Trial, inputs: Floats) -> Floats:
    """1/f noise of the Hall resistances at 1 Hz in the outputs, (vectors, columns)."""
    if not trial.config.architecture.hall:
        return np.zeros((len(inputs), trial.shape[1]))
    return hall_flicker(trial.flicker, ideal_transfer(np.ones(trial.shape), trial.config), inputs)
