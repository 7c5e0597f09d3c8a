"""The YAML configuration: its sections, keys, units, ranges and defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, create_model, model_validator

from circuits import periphery
from circuits.arrays.architecture import Architecture
from circuits.spice.size import LONGEST
from compact_model.cards import device
from compact_model.cards.entry import spec_of
from compact_model.cards.quantity import Quantity
from compact_model.constants import LEAST_RESISTANCE
from hallspice.config.network_keys import Layer, Network
from hallspice.config.section import Count, Section, overlays
from nn_mapping.levels import MOST_LEVELS


class Device(Section):
    """Which device, and how its levels are reached; empty: as in the device card."""

    card: Annotated[str, Field(description="Name of a shipped card, or path of a card file")] = "pt_ruo2_0p5"
    levels: Annotated[
        Literal["paper", "model"]
        | list[Annotated[float, Quantity("ohm", "Hall resistance of a level")]]
        | None,
        Field(description="paper: as published; model: as the ladder gives them; or a list of R_xy in ohm"),
    ] = None
    ladder: Annotated[
        Literal["paper_currents", "inverse"] | None,
        Field(description="paper_currents: equal steps 11..15.4 mA; inverse: currents that reach the levels"),
    ] = None
    reset: Annotated[
        Literal["field", "pulse"] | None,
        Field(
            description="field: saturating H_z, no electrical energy counted; pulse: a full negative pulse"
        ),
    ] = None


@overlays(periphery.Wire)
class Wire(Section):
    """Wires of one cell pitch; empty: as in the periphery card."""


@overlays(periphery.Driver)
class Driver(Section):
    """Row drivers; empty: as in the periphery card."""


@overlays(periphery.Sense)
class Sense(Section):
    """Column sense inputs; where empty: as in the periphery card."""

    r_load: Annotated[
        float, Quantity("ohm", "load of a column whose voltage is read", low=LEAST_RESISTANCE, high=1e15)
    ] = 1e9


@overlays(periphery.Amplifier)
class Amplifier(Section):
    """Transconductor on each Hall pair (active architectures); empty: as in the periphery card."""


class Cell(Section):
    """The cell; empty: the arms of the device card, and the capacitance of a column wire."""

    r_arm: Annotated[float, spec_of(device.Hall, "r_arm").quantity] | None = None
    c_arm: Annotated[float, Quantity("F", "one Hall arm to ground", low=0.0, high=1e-6)] | None = None
    mismatch: Annotated[
        float, Quantity("1", "standard deviation of channel halves and arms, seeded", low=0.0, below=0.2)
    ] = 0.0
    r_off_spread: Annotated[
        float,
        Quantity("ohm", "standard deviation of the misalignment resistance, seeded", low=0.0, high=100.0),
    ] = 0.0
    r_low: Annotated[
        float,
        Quantity("ohm", "resistance of the highest level (resistive only)", low=LEAST_RESISTANCE, high=1e12),
    ] = 10e3
    r_high: Annotated[
        float,
        Quantity("ohm", "resistance of the lowest level (resistive only)", low=LEAST_RESISTANCE, high=1e12),
    ] = 100e3
    conductances: Annotated[
        list[Annotated[float, Quantity("S", "conductance of a level", low=1e-12, high=1 / LEAST_RESISTANCE)]],
        Field(
            max_length=MOST_LEVELS,
            description="Conductances of the levels, in place of r_low, r_high and device.levels (resistive only)",
        ),
    ] = []


@overlays(periphery.Switch)
class Switch(Section):
    """Select switches (row_multiplexed only); empty: as in the periphery card."""


class Series(Section):
    """Variants of series_hall."""

    isolation: Annotated[
        Literal["none", "ideal"], Field(description="none: wires, as drawn; ideal: isolation amplifiers")
    ] = "none"
    returns: Annotated[
        Literal["grounded", "floating"], Field(description="where the current of a series row goes")
    ] = "grounded"

    @model_validator(mode="after")
    def _returns_of_wires(self) -> Self:
        if self.isolation == "ideal" and self.returns == "floating":
            raise ValueError(
                "returns: floating needs isolation: none; ideal amplifiers part rows and columns, and each row "
                "returns to ground"
            )
        return self


@overlays(periphery.Read)
class Read(Section):
    """How an input is applied; empty: as in the periphery card."""

    v_read: Annotated[
        float, Quantity("V", "word-line voltage of a full input (resistive only)", above=0.0, high=100.0)
    ] = 0.2


class Converters(Section):
    """Resolution of the converters, their full scales, and their mismatch."""

    where_empty: ClassVar[str] = "by the quantile"

    dac_bits: Annotated[Count, Field(ge=1, le=16, description="Bits of an input")] = 6
    adc_bits: Annotated[Count, Field(ge=1, le=16, description="Bits of a column output")] = 6
    quantile: Annotated[
        float,
        Quantity("1", "share of the values of training images that full scales cover", above=0.5, high=1.0),
    ] = 0.999
    adc_full: Annotated[float, Quantity("A", "full scale of the ADCs", above=0.0, high=100.0)] | None = None
    input_slice_bits: Annotated[
        Count | None,
        Field(
            ge=1,
            le=16,
            description="Bits of an input that one read carries, 1: bit-serial; every read is converted on its own; "
            "empty: one read carries all",
        ),
    ] = None
    dac_mismatch: Annotated[
        float,
        Quantity(
            "1",
            "standard deviation of a unit element of a DAC, seeded; its full scale is exact",
            low=0.0,
            below=0.2,
        ),
    ] = 0.0
    dac_ladder: Annotated[
        Literal["unary", "binary"],
        Field(description="unary: equal elements; binary: elements of 1, 2, 4, ... units"),
    ] = "binary"
    adc_mismatch: Annotated[
        float, Quantity("1", "standard deviation of a unit element of an ADC, seeded", low=0.0, below=0.2)
    ] = 0.0
    adc_ladder: Annotated[
        Literal["unary", "binary"],
        Field(description="unary: a string of equal elements; binary: capacitors of 1, 2, 4, ... units"),
    ] = "binary"


@overlays(periphery.Adc)
class Adc(Section):
    """Energy and time of the column converters; empty: as in the periphery card."""


@overlays(periphery.Dac)
class Dac(Section):
    """Energy of the row converters; empty: as in the periphery card."""


@overlays(periphery.Digital)
class Digital(Section):
    """Energies of digital operations; empty: as in the periphery card."""


@overlays(periphery.Area)
class Area(Section):
    """Silicon around the cells; empty: as in the periphery card."""


class Array(Section):
    """One tile of the crossbar, and its periphery."""

    architecture: Annotated[
        Architecture,
        Field(description="Topology of the array (`hallspice compare` shows them side by side)"),
    ] = Architecture.ACTIVE_PARALLEL
    rows: Annotated[Count, Field(ge=1, le=1024, description="Word lines of a tile")] = 64
    columns: Annotated[Count, Field(ge=1, le=1024, description="Bit lines of a tile")] = 64
    periphery: Annotated[str, Field(description="Name of a shipped periphery card, or path of one")] = (
        "periphery_default"
    )
    wire: Wire = Wire()
    driver: Driver = Driver()
    sense: Sense = Sense()
    amplifier: Amplifier = Amplifier()
    switch: Switch = Switch()
    series: Series = Series()
    cell: Cell = Cell()
    read: Read = Read()
    converters: Converters = Converters()
    adc: Adc = Adc()
    dac: Dac = Dac()
    digital: Digital = Digital()
    area: Area = Area()
    calibration: Annotated[
        Literal["column", "none"], Field(description="column: gain and offset fitted per column")
    ] = "column"
    exact: Annotated[
        bool,
        Field(
            strict=True,
            description="Solve every tile in full; false: to first order in the Hall resistances where that serves",
        ),
    ] = False


class Variation(Section):
    """How chips differ from what was meant (`hallspice evaluate`); shares of the window or of R, as stated."""

    chips: Annotated[Count, Field(ge=1, le=10000, description="Chips to draw")] = 10
    spread_of_window: Annotated[
        float, Quantity("1", "standard deviation of every cell, share of the window", low=0.0, high=1.0)
    ] = 0.0
    spread_of_r: Annotated[
        float, Quantity("1", "standard deviation of every cell, share of its R", low=0.0, high=1.0)
    ] = 0.0
    read_noise: Annotated[
        float, Quantity("1", "noise of every cell in every read, share of the window", low=0.0, high=1.0)
    ] = 0.0
    stuck_low: Annotated[
        float, Quantity("1", "share of cells stuck at the lowest level", low=0.0, high=0.5)
    ] = 0.0
    stuck_high: Annotated[
        float, Quantity("1", "share of cells stuck at the highest level", low=0.0, high=0.5)
    ] = 0.0
    drift: Annotated[float, Quantity("1", "common relative change of R", low=-0.9, high=1.0)] = 0.0
    relaxation: Annotated[
        float, Quantity("1", "share of the way from every level to the middle", low=0.0, high=1.0)
    ] = 0.0
    t_retention: Annotated[float, Quantity("s", "time between writing and reading", low=0.0, high=1e12)] = 0.0
    temperature: Annotated[
        float,
        Quantity(
            "K", "temperature of storage and reading; columns are calibrated at 300 K", low=200.0, high=450.0
        ),
    ] = 300.0
    by_layer: Annotated[
        bool, Field(strict=True, description="Also every effect in one layer at a time: what each costs")
    ] = False
    recalibrate: Annotated[
        Literal["none", "outputs"],
        Field(description="outputs: gain and offset of every output fitted anew after programming"),
    ] = "none"


class Certificate(Section):
    """The check of sampled tiles in ngspice."""

    tiles: Annotated[Count, Field(ge=0, le=1000, description="Tiles to check; 0 leaves the check out")] = 4
    vectors: Annotated[Count, Field(ge=1, le=100, description="Test images per tile")] = 4
    tolerance: Annotated[
        float, Quantity("1", "largest relative difference that passes", above=0.0, high=1.0)
    ] = 1e-6
    longest: Annotated[
        float,
        Quantity("s", "longest time that the check of a tile may be expected to take", above=0.0, high=1e7),
    ] = LONGEST


class Faults(Section):
    """What is wrong with the cells when they are written."""

    device_spread: Annotated[
        float, Quantity("1", "relative spread of the switching current between cells", low=0.0, high=0.5)
    ] = 0.0
    cycle_noise: Annotated[
        float,
        Quantity("1", "relative spread of the switching current from pulse to pulse", low=0.0, high=0.5),
    ] = 0.0
    stuck: Annotated[float, Quantity("1", "share of cells that are stuck", low=0.0, high=1.0)] = 0.0
    open_rows: Annotated[list[Annotated[Count, Field(ge=0)]], Field(description="Interrupted rows")] = []
    open_columns: Annotated[
        list[Annotated[Count, Field(ge=0)]], Field(description="Interrupted columns")
    ] = []
    short_rows: Annotated[
        list[Annotated[Count, Field(ge=0)]], Field(description="Rows shorted to ground")
    ] = []
    short_columns: Annotated[
        list[Annotated[Count, Field(ge=0)]], Field(description="Columns shorted to ground")
    ] = []


@overlays(periphery.Write)
class Write(Section):
    """How the array is programmed; where empty: as in the periphery card."""

    states: Annotated[
        Literal["ideal", "programmed"],
        Field(description="programmed: `hallspice run` also evaluates the states that writing reaches"),
    ] = "ideal"
    scheme: Annotated[
        Literal["one_transistor", "half_v", "third_v", "row_serial"] | None,
        Field(description="Bias scheme; empty: row_serial for series rows, one_transistor for the others"),
    ] = None
    order: Annotated[Literal["cell", "row"], Field(description="What is written at once")] = "cell"
    algorithm: Annotated[
        Literal["verify", "ladder", "reset_ladder"],
        Field(description="verify: read after each pulse; ladder, reset_ladder: open loop"),
    ] = "verify"
    step_law: Annotated[
        Literal["proportional", "constant"], Field(description="Growth of the current from pulse to pulse")
    ] = "proportional"
    tolerance: Annotated[
        float, Quantity("ohm", "distance from the level that counts as written", above=0.0, high=1.0)
    ] = 4e-3
    i_step: Annotated[float, Quantity("A", "(least) growth of the current", above=0.0, high=0.1)] = 1e-4
    start: Annotated[
        float, Quantity("1", "first pulse over the current the model expects", above=0.0, high=2.0)
    ] = 0.95
    max_pulses: Annotated[Count, Field(ge=1, le=10000, description="Write pulses per cell")] = 40
    retries: Annotated[Count, Field(ge=0, le=1000, description="Overshoots that are corrected")] = 5
    compensated: Annotated[
        bool, Field(strict=True, description="Drivers correct the drop along the wires to each cell")
    ] = True
    select: Annotated[
        str,
        Field(
            description="switch (ideal), mosfet (shipped card), or path of a transistor's card (ngspice only)"
        ),
    ] = "switch"
    faults: Faults = Faults()


class Trial(Section):
    """What differs for one architecture; where empty: as above."""

    where_empty: ClassVar[str] = "as above"

    draws: Annotated[
        Annotated[Count, Field(ge=1, le=1000)] | None, Field(description="Random arrays, 1 to 1000")
    ] = None


class HallTrial(Trial):
    """What differs for one architecture of Hall cells; where empty: as above."""

    mismatch: (
        Annotated[
            float, Quantity("1", "standard deviation of channel halves and arms, seeded", low=0.0, below=0.2)
        ]
        | None
    ) = None


class AmplifiedTrial(HallTrial):
    """What differs for one architecture with a transconductor on each Hall pair; where empty: as above."""

    cmrr_db: Annotated[float, spec_of(periphery.Amplifier, "cmrr_db").quantity] | None = None
    random_rejection: Annotated[
        bool, Field(strict=True, description="Common-mode gains of the amplifiers have random signs")
    ] = False


def _trial_of(architecture: Architecture) -> type[Trial]:
    if not architecture.hall:
        return Trial
    return AmplifiedTrial if architecture.amplified else HallTrial


class _Compare(Section):
    """The array in every architecture (`hallspice compare`)."""

    draws: Annotated[Count, Field(ge=1, le=1000, description="Random arrays per architecture")] = 20
    vectors: Annotated[
        Count,
        Field(
            ge=20,
            le=100000,
            description="Random input vectors per array; gain and offset are fitted to n of them, which hides 1 / n of "
            "the calibrated error",
        ),
    ] = 200
    t_calibration: Annotated[
        float, Quantity("s", "time since the last calibration, for 1/f noise", above=0.0, high=1e9)
    ] = 1.0


if TYPE_CHECKING:
    Compare = _Compare
else:  # with a section for each architecture
    Compare = create_model(
        "Compare",
        __base__=_Compare,
        __doc__=_Compare.__doc__,
        __module__=__name__,
        **{
            architecture.value: (_trial_of(architecture), _trial_of(architecture)())
            for architecture in Architecture
        },
    )


class Sweep(Section):
    """Runs over the values of other keys (`hallspice sweep`)."""

    set: Annotated[
        dict[str, Any],
        Field(
            description="key: [value, ...], A..B:lin:N or A..B:log:N; 'key,key' sets both. Units as everywhere"
        ),
    ] = {}
    design: Annotated[
        Literal["grid", "random"],
        Field(description="grid: every combination; random: a Sobol sequence over ranges A..B and lists"),
    ] = "grid"
    points: Annotated[Count, Field(ge=1, le=65536, description="Points of a random design")] = 64
    seeds: Annotated[Count, Field(ge=1, le=1000, description="Repeats with seed, seed + 1, ...")] = 1
    certify: Annotated[
        Literal["first", "none", "all"],
        Field(
            description="Check in ngspice: the first point of each architecture and tile size, none, or all"
        ),
    ] = "first"


class Config(Section):
    """A hallspice configuration: from the device to the network."""

    seed: Annotated[Count, Field(ge=0, le=2**31 - 1, description="Seed of everything random")] = 1
    device: Device = Device()
    array: Array = Array()
    network: Network = Network()
    layers: Annotated[
        dict[str, Layer],
        Field(
            max_length=1000,
            description="Options of layers by pattern of their names (*, ?), later ones win: tile, bits, scheme, "
            "levels, digital",
        ),
    ] = {}
    variation: Variation = Variation()
    certificate: Certificate = Certificate()
    write: Write = Write()
    compare: Compare = Compare()
    sweep: Sweep = Sweep()
