"""What `hallspice compare` found."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hallspice.comparison.verdict import Word
from hallspice.config.schema import Config
from hallspice.results import Measure, Report, Result


class ArchitectureResult(Result):
    """One architecture; noise, energy and voltages are those of the first draw."""

    architecture: str
    error_raw: Annotated[
        float,
        Measure("1", "root mean square error over that of the compute signal, median over the draws"),
    ]
    error_calibrated: Annotated[float, Measure("1", "the same after the best gain and offset per column")]
    error_with_reference: Annotated[
        float | None,
        Measure(
            "1",
            "without calibration, but with two columns at the lowest and highest level whose mean is subtracted "
            "(first draw; two columns bring their own errors)",
        ),
    ]
    draws: Annotated[int, Measure("1", "arrays with random cells that were tried")]
    mismatch: Annotated[
        float | None,
        Measure("1", "standard deviation of what makes cells unequal: halves of the channel, Hall arms"),
    ]
    cmrr_db: Annotated[float | None, Measure("dB", "common-mode rejection ratio of the amplifiers")]
    snr_db: Annotated[float | None, Measure("dB", "signal over the noise of one read; null: dead")]
    effective_bits: Annotated[float | None, Measure("1", "bits that this noise leaves; null: dead")]
    t_read_for_snr_10_s: Annotated[
        float | None, Measure("s", "length of a read that makes signal over noise 10 (white noise)")
    ]
    signal: Annotated[float, Measure("A or V", "root mean square of the compute signal, in `output_unit`")]
    noise: Annotated[
        float | None,
        Measure("A or V", "root mean square noise of the calibrated columns, in `output_unit`; null: dead"),
    ]
    output_unit: str
    energy_j: Annotated[
        float,
        Measure(
            "J",
            "what row drivers, amplifiers, converters and logic take for one read of the whole array and its settling, "
            "uniform inputs",
        ),
    ]
    energy_array_j: Annotated[float, Measure("J", "of it, what the row drivers deliver into the array")]
    energy_amplifiers_j: Annotated[float, Measure("J", "of it, amplifiers")]
    energy_dac_j: Annotated[float, Measure("J", "of it, converters of the inputs")]
    energy_adc_j: Annotated[float, Measure("J", "of it, converters of the outputs")]
    energy_digital_j: Annotated[float, Measure("J", "of it, logic")]
    reference_energy_j: Annotated[
        float | None, Measure("J", "what the two columns of a reference add to every read")
    ]
    calibration_reads: Annotated[int | None, Measure("1", "reads of the whole array for one calibration")]
    calibration_time_s: Annotated[float | None, Measure("s", "length of one calibration")]
    calibration_energy_j: Annotated[float | None, Measure("J", "energy of one calibration")]
    latency_s: Annotated[float, Measure("s", "length of a read with settling and conversions")]
    slots: Annotated[int, Measure("1", "reads one after the other that make one read of the whole array")]
    v_row_v: Annotated[float, Measure("V", "voltage for a full input, whatever the supply")]
    input_full: Annotated[float, Measure("A or V", "full input that the supply allows, in `input_unit`")]
    input_unit: str
    limited_by_supply: bool
    common_mode_v: Annotated[
        float, Measure("V", "highest voltage of a Hall pair against ground, inputs full; 0 for resistive")
    ]
    weakest_cell: Annotated[float, Measure("1", "share of its voltage that the worst cell is left with")]
    settling_s: Annotated[
        float, Measure("s", "time until the outputs are within a thousandth, estimated by Elmore's delays")
    ]
    ngspice_difference: Annotated[
        float | None,
        Measure("1", "of one vector from the nodal solution, over its largest output; null: not run"),
    ]
    ngspice_why_not: str
    ngspice_settling_s: Annotated[
        float | None, Measure("s", "settling time of a transient in ngspice; null: not run")
    ]
    ngspice_energy_full_j: Annotated[
        float | None,
        Measure(
            "J", "energy of the sources in a read of full inputs and its settling, integrated by ngspice"
        ),
    ]
    energy_full_j: Annotated[float, Measure("J", "the same, as power of the nodal solution times the time")]
    ngspice_why_no_transient: str
    verdict: Word
    reason: str

    @property
    def energy_converters_j(self) -> float:
        """Converters of inputs and outputs together [J]."""
        return self.energy_dac_j + self.energy_adc_j


class SizeResult(Result):
    """Read times of one architecture by the size of the array."""

    architecture: str
    largest_useful: Annotated[
        str | None,
        Field(description="rows x columns of the largest array that the configured read time is enough for"),
    ]
    larger_not_tried: bool
    t_read_for_snr_10_s: Annotated[
        dict[str, float | None],
        Measure(
            "s",
            "length of a read that makes signal over noise 10, by rows x columns (white noise, one draw); null: dead",
        ),
    ]


class EncodingResult(Result):
    """Cost of one product of the configured array by one encoding of its inputs."""

    encoding: str
    reads: Annotated[int, Measure("1", "reads or pulse slots, one after the other")]
    time_s: Annotated[float, Measure("s", "of all reads and conversions")]
    energy_j: Annotated[float, Measure("J", "of the product: the sum of the parts below")]
    energy_array_j: Annotated[float, Measure("J", "of it, what the row drivers take")]
    energy_amplifiers_j: Annotated[float, Measure("J", "of it, amplifiers")]
    energy_dac_j: Annotated[float, Measure("J", "of it, converters of the inputs")]
    energy_adc_j: Annotated[float, Measure("J", "of it, converters of the outputs")]
    energy_digital_j: Annotated[float, Measure("J", "of it, shifts and additions")]
    relative_noise: Annotated[
        float,
        Measure("1", "noise of the product over that of one read of amplitude, slots as long as a read"),
    ]

    @property
    def energy_converters_j(self) -> float:
        """Converters of inputs and outputs together [J]."""
        return self.energy_dac_j + self.energy_adc_j


class CompareResults(Report):
    """`hallspice compare`."""

    card: str
    seed: Annotated[int, Measure("1", "seed of everything random; draw k has [seed, k]")]
    rows: Annotated[int, Measure("1", "rows of the array")]
    columns: Annotated[int, Measure("1", "columns of the array")]
    t_read_s: Annotated[float, Measure("s", "length of a read")]
    t_calibration_s: Annotated[float, Measure("s", "time since the last calibration")]
    configuration: Config
    architectures: tuple[ArchitectureResult, ...]
    passed: bool
    sizes: tuple[SizeResult, ...]
    encodings: tuple[EncodingResult, ...]
