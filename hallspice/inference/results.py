"""What a run found."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from circuits.read.energy import ReadEnergy
from hallspice.config.schema import Config
from hallspice.networks.results import History, TrainingRecipe
from hallspice.page.provenance import Origin
from hallspice.programming.results import WriteEnergy
from hallspice.results import Measure, Report, Result
from nn_mapping.analog.report import ModuleReport


class DeviceSummary(Result):
    """The device card, and the levels that it gives."""

    card: str
    description: str
    levels_ohm: Annotated[
        tuple[float, ...], Measure("ohm", "Hall resistances of the levels in use, ascending")
    ]
    levels_normalised: Annotated[tuple[float, ...], Measure("1", "the same, from -1 for the lowest to 1")]
    levels_model_ohm: Annotated[tuple[float, ...], Measure("ohm", "levels that the model's ladder reaches")]
    levels_paper_ohm: Annotated[tuple[float, ...], Measure("ohm", "levels as published")]
    ladder_a: Annotated[tuple[float, ...], Measure("A", "write current of each level above the reset state")]
    write_energy_j: Annotated[float, Measure("J", "energy of writing all levels once, one after another")]
    write_energy_paper_j: Annotated[
        float, Measure("J", "the same as published (arXiv:2601.16222, section 4)")
    ]
    reset_note: str


class LayerTiles(Result):
    """Tiles of one layer, or of all."""

    name: str
    weights: str
    tiles: Annotated[int, Measure("1", "tiles")]
    cells: Annotated[int, Measure("1", "cells of all tiles, reference columns and pairs included")]


class ArrayParameters(Result):
    """The solved circuit of a tile: `circuits.arrays.config.ArrayConfig`, input, read and converters."""

    architecture: str
    r_row: Annotated[float, Measure("ohm", "row wire, one cell pitch")]
    r_column: Annotated[float, Measure("ohm", "column wire, one cell pitch")]
    r_output: Annotated[float, Measure("ohm", "output of a row driver")]
    r_input: Annotated[float, Measure("ohm", "input of a column's current sense")]
    r_channel: Annotated[float, Measure("ohm", "channel of a cell, end to end")]
    r_arm: Annotated[float, Measure("ohm", "each Hall arm")]
    r_off: Annotated[
        float, Measure("ohm", "part of R_xy that keeps its sign with channel and arms exchanged")
    ]
    gm: Annotated[float, Measure("S", "transconductance of the amplifier on each Hall pair")]
    cmrr_db: Annotated[float, Measure("dB", "its common-mode rejection")]
    r_load: Annotated[float, Measure("ohm", "input of a column's voltage sense")]
    r_switch_on: Annotated[float, Measure("ohm", "closed select switch of a Hall arm")]
    r_switch_off: Annotated[float, Measure("ohm", "open select switch of a Hall arm")]
    isolation: str
    returns: str
    c_row: Annotated[float, Measure("F", "row wire to ground, one cell pitch")]
    c_column: Annotated[float, Measure("F", "column wire to ground, one cell pitch")]
    c_arm: Annotated[float, Measure("F", "each Hall arm to ground")]
    v_full: Annotated[
        float, Measure("V", "full input of a row; in A where the architecture's inputs are currents")
    ]
    t_read: Annotated[float, Measure("s", "length of a read")]
    dac_bits: Annotated[int | None, Measure("1", "bits of the inputs' converters; null: ideal")]
    adc_bits: Annotated[int | None, Measure("1", "bits of the outputs' converters; null: ideal")]
    input_slice_bits: Annotated[int | None, Measure("1", "bits of an input that one read carries; null: all")]
    dac_mismatch: Annotated[float, Measure("1", "relative deviation of the units of a DAC")]
    adc_mismatch: Annotated[float, Measure("1", "relative deviation of the units of an ADC")]
    dac_largest_inl_steps: Annotated[float, Measure("1", "largest integral nonlinearity of all DACs, steps")]
    dac_largest_dnl_steps: Annotated[
        float, Measure("1", "largest differential nonlinearity of all DACs, steps")
    ]
    adc_largest_inl_steps: Annotated[float, Measure("1", "largest integral nonlinearity of all ADCs, steps")]
    adc_largest_dnl_steps: Annotated[
        float, Measure("1", "largest differential nonlinearity of all ADCs, steps")
    ]
    calibration: str


class ArraySummary(Result):
    """The tiles that hold the network."""

    architecture: str
    rows: Annotated[int, Measure("1", "rows of a tile, at most")]
    columns: Annotated[int, Measure("1", "columns of a tile, at most")]
    weight_slices: Annotated[
        tuple[float, ...], Measure("1", "what each slice of a weight counts beside the others")
    ]
    layers: Annotated[tuple[LayerTiles, ...], Field(description="One line per layer, and one for all.")]
    note: str
    parameters: ArrayParameters


class SolverSummary(Result):
    """How the tiles were solved."""

    method: str
    reason: str
    checked_tile: Annotated[str | None, Field(description="Tile that was also solved in full.")]
    transfer_difference: Annotated[
        float, Measure("1", "of its outputs from the full solution, over the largest")
    ]
    power_difference: Annotated[float, Measure("1", "of its power from the full solution, relative")]


class Histories(Result):
    """Trainings of the network on the device's levels and of the one of float weights."""

    levels: History
    float_: History | None = Field(alias="float", default=None)


class ModuleFate(Result):
    """What became of a module of the network."""

    names: tuple[str, ...]
    kind: str
    fate: str
    reason: Annotated[str, Field(description="Why it is digital.")]
    tiles: Annotated[int, Measure("1", "tiles that hold it")]
    cells: Annotated[int, Measure("1", "cells of these")]
    levels: Annotated[int, Measure("1", "weights that a synapse of it holds")]

    @classmethod
    def of(cls, row: ModuleReport) -> ModuleFate:
        """The same as a part of results."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class NetworkSummary(Result):
    """The network, its data and its training."""

    name: str
    dataset: str
    inputs: Annotated[str, Field(description="How numbers of the data became inputs.")]
    input_shape: Annotated[tuple[int, ...], Measure("1", "channels, height and width; or features")]
    classes: Annotated[int, Measure("1", "classes of the data")]
    modules: tuple[ModuleFate, ...]
    layers: Annotated[
        tuple[int, ...] | None,
        Measure("1", "values that enter each layer, and outputs of the last; null: a network of one's own"),
    ]
    recipe: Annotated[TrainingRecipe | None, Field(description="Null: the network was not trained here.")]
    reused: bool
    weight_levels: Annotated[tuple[float, ...], Measure("1", "weights that the device's levels allow")]
    training_note: str
    history: Annotated[Histories | None, Field(description="Null: a network of one's own.")]


class Cause(Result):
    """The test images with a part of the circuit in it."""

    key: str
    name: str
    accuracy: Annotated[float, Measure("1", "share of the test images classified rightly")]
    meaning: str


class Loss(Result):
    """What a cause takes alone."""

    cause: str
    against: str
    points: Annotated[float, Measure("%", "test images that it takes; negative where it helps")]


class Accuracy(Result):
    """Shares of the test images that are classified rightly."""

    float_: Annotated[
        float | None, Measure("1", "accuracy of float weights, computed digitally; null: there are none")
    ] = Field(alias="float")
    levels: Annotated[float, Measure("1", "accuracy on the device's levels, computed digitally")]
    circuit: Annotated[float, Measure("1", "accuracy through the circuit")]
    images: Annotated[int, Measure("1", "test images")]
    causes: tuple[Cause, ...]
    losses: Annotated[tuple[Loss, ...], Field(description="The largest loss first.")]
    programmed: Annotated[float | None, Measure("1", "accuracy through the circuit, states as written")] = (
        None
    )


class EnergyParts(Result):
    """Energy by part: of a layer, or of all."""

    cells: Annotated[float, Measure("J", "currents through the cells")]
    wires: Annotated[float, Measure("J", "currents along row and column wires")]
    drivers: Annotated[float, Measure("J", "inside the row drivers")]
    sense: Annotated[
        float,
        Measure(
            "J", "inputs of the column senses, and supplies of the cells' amplifiers where there are any"
        ),
    ]
    dac: Annotated[float, Measure("J", "converters of the inputs, digital to analogue")]
    adc: Annotated[float, Measure("J", "converters of the outputs, analogue to digital")]
    digital: Annotated[float, Measure("J", "sums of tiles, gain and offset, comparisons")]

    @classmethod
    def of(cls, energy: ReadEnergy) -> EnergyParts:
        """The same as a part of results, where supplies of amplifiers are counted as `sense`."""
        return EnergyParts(
            cells=energy.cells,
            wires=energy.wires,
            drivers=energy.drivers,
            sense=energy.sense + energy.amplifiers,
            dac=energy.dac,
            adc=energy.adc,
            digital=energy.digital,
        )

    @property
    def parts(self) -> dict[str, float]:
        """Energy of each part [J]."""
        return {name: getattr(self, name) for name in EnergyParts.model_fields}


class InferenceEnergy(EnergyParts):
    """Energy of one inference, mean over the test images."""

    total: Annotated[float, Measure("J", "sum of the parts")]

    @property
    def largest(self) -> str:
        """Name of the largest part."""
        return max(self.parts, key=self.parts.__getitem__)


class AreaParts(Result):
    """Area of a layer by part."""

    cells: Annotated[float, Measure("m2", "cells, with their transconductors below")]
    drivers: Annotated[float, Measure("m2", "row drivers")]
    sense: Annotated[float, Measure("m2", "current senses of the columns")]
    dac: Annotated[float, Measure("m2", "converters of the inputs")]
    adc: Annotated[float, Measure("m2", "converters of the outputs")]
    digital: Annotated[float, Measure("m2", "arithmetic")]

    @property
    def total(self) -> float:
        """Sum of the parts [m2]."""
        return float(sum(getattr(self, name) for name in AreaParts.model_fields))


class GivenUpCell(Result):
    """A cell that programming did not bring to its level."""

    tile: str
    row: Annotated[int, Measure("1", "row in the tile, from 0")]
    column: Annotated[int, Measure("1", "column in the tile, from 0")]
    target_ohm: Annotated[float, Measure("ohm", "Hall resistance of its level")]
    achieved_ohm: Annotated[float, Measure("ohm", "Hall resistance that it has")]
    reason: str


class ProgrammedSummary(Result):
    """All tiles as simulated programming leaves them."""

    scheme: str
    order: str
    algorithm: str
    cells: Annotated[int, Measure("1", "cells of all tiles")]
    written: Annotated[int, Measure("1", "cells that have their level, by what the controller read")]
    pulses: Annotated[int, Measure("1", "write pulses in all")]
    rms_error_ohm: Annotated[float, Measure("ohm", "root of the mean square of the cells' errors")]
    largest_error_ohm: Annotated[float, Measure("ohm", "largest error of a cell")]
    energy_j: WriteEnergy
    time_s: Annotated[float, Measure("s", "time, one tile after another")]
    time_tiles_parallel_s: Annotated[float, Measure("s", "time, all tiles at once")]
    peak_temperature_k: Annotated[float, Measure("K", "largest temperature of a channel")]
    given_up: Annotated[tuple[GivenUpCell, ...], Field(description="The first thousand of them.")]
    given_up_count: Annotated[int, Measure("1", "cells given up")]


class WriteSummary(Result):
    """Writing the network once."""

    cells: Annotated[int, Measure("1", "cells written")]
    energy_j: Annotated[float, Measure("J", "energy in the devices")]
    time_s: Annotated[float, Measure("s", "time, one cell after another")]
    time_tiles_parallel_s: Annotated[
        float, Measure("s", "time, all tiles at once and one cell after another in each")
    ]
    note: str
    programmed: ProgrammedSummary | None = None


class CheckedTile(Result):
    """A tile read again in ngspice."""

    name: str
    shape: str
    vectors: Annotated[int, Measure("1", "input vectors, from test images")]
    relative_difference: Annotated[
        float, Measure("1", "largest difference from the nodal solver, over the largest output")
    ]


class ReadCertificate(Result):
    """Sampled tiles read again in ngspice."""

    simulator: Annotated[str | None, Field(description="Name and version; null: not found.")]
    tiles: Annotated[int, Measure("1", "tiles checked")]
    max_relative_difference: Annotated[
        float | None, Measure("1", "largest difference of a tile; null: none was checked")
    ]
    tolerance: Annotated[float, Measure("1", "largest difference that passes")]
    passed: Annotated[bool | None, Field(description="Null: no tile was checked.")]
    checked: tuple[CheckedTile, ...]
    reason: Annotated[str | None, Field(description="Why no tile was checked.")] = None


class Uncertainty(Result):
    """The evaluation on cards drawn from the errors of a fitted one."""

    cards: Annotated[int, Measure("1", "cards drawn")]
    accuracy: Annotated[tuple[float, float], Measure("1", "2.5 and 97.5 % quantile of the accuracy")]
    energy_j: Annotated[
        tuple[float, float], Measure("J", "2.5 and 97.5 % quantile of the energy of an inference")
    ]
    accuracy_samples: Annotated[tuple[float, ...], Measure("1", "accuracy on each card")]
    energy_samples_j: Annotated[tuple[float, ...], Measure("J", "energy of an inference on each card")]


class InferenceResults(Report):
    """`hallspice run`."""

    config: Config
    config_file: Annotated[str | None, Field(description="Its file; absent for a point of a sweep.")] = None
    seed: Annotated[int, Measure("1", "seed of everything random")]
    device: DeviceSummary
    array: ArraySummary
    solver: SolverSummary
    network: NetworkSummary
    accuracy: Accuracy
    energy_per_inference_j: InferenceEnergy
    energy_by_layer_j: tuple[EnergyParts, ...]
    energy_notes: tuple[str, ...]
    digital_energy_j: Annotated[
        float, Measure("J", "the same products in 8-bit digital multipliers at 45 nm, without their memory")
    ]
    cell_area_m2: Annotated[tuple[float, ...], Measure("m2", "area of the cells, by layer")]
    area_by_layer_m2: tuple[AreaParts, ...]
    area_m2: Annotated[float, Measure("m2", "area of all parts")]
    latency_s: Annotated[float, Measure("s", "time of one inference, layers one after another")]
    settling_s: Annotated[float, Measure("s", "time that the largest tile takes to settle")]
    write: WriteSummary
    certificate: ReadCertificate
    findings: tuple[str, ...]
    uncertainty: Uncertainty | None = None
    provenance: Annotated[dict[str, tuple[Origin, ...]], Field(description="Numbers of each card.")]
    provenance_note: str
