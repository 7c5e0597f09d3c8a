"""The device card: every parameter of one device with its unit, provenance and source."""

from __future__ import annotations

import itertools
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from compact_model.cards.document import load_overlaid
from compact_model.cards.entry import Anchor, CardModel, Entry, EntryList, Name, Spec
from compact_model.constants import LEAST_RESISTANCE, LEAST_TIME

if TYPE_CHECKING:
    pass

SHIPPED = "pt_ruo2_0p5"
"""Name of the card in the package: Pt(5.5)/RuO2(0.5)/[Co(0.5)/Pt(0.4)]x2, 5 um x 30 um."""


class SwitchingModel(StrEnum):
    """Set A: isothermal-equivalent. Set B: electrothermal, with a thermal network."""

    A = "A"
    B = "B"


class Gate(StrEnum):
    """Rule that says when the interface moment acts without an applied field."""

    PRODUCT = "product"
    DEMAG = "demag"


class LevelSource(StrEnum):
    """Levels used for weights: the published ones, or what the model's ladder gives."""

    PAPER = "paper"
    MODEL = "model"


class LadderSource(StrEnum):
    """Write currents: the published ladder, or the currents that reach the wanted levels exactly."""

    PAPER_CURRENTS = "paper_currents"
    INVERSE = "inverse"


class Reset(StrEnum):
    """How a cell returns to s = 0: a saturating H_z (no electrical energy), or a full negative pulse."""

    FIELD = "field"
    PULSE = "pulse"


class RetentionBarrier(StrEnum):
    """Barriers at zero current: one common value, or proportional to the switching thresholds."""

    COMMON = "common"
    PROPORTIONAL = "proportional"


class Geometry(CardModel):
    """Channel and layers. The current density is the average over the whole stack."""

    w_channel: Annotated[Entry, Spec("m", "channel width", low=1e-9, high=1e-3)]
    l_channel: Annotated[Entry, Spec("m", "channel length", low=1e-9, high=1e-2)]
    l_arm: Annotated[Entry, Spec("m", "length of the two Hall arms together", low=1e-9, high=1e-2)]
    t_seed: Annotated[Entry, Spec("m", "Ta seed", low=0.0, high=1e-7)]
    t_hm: Annotated[Entry, Spec("m", "Pt spin source", low=1e-11, high=1e-7)]
    t_oxide: Annotated[Entry, Spec("m", "RuO2 insertion", low=0.0, high=1e-8)]
    t_fm: Annotated[Entry, Spec("m", "one Co layer", above=0.0, high=1e-8)]
    t_spacer: Annotated[Entry, Spec("m", "one Pt layer of the multilayer", low=0.0, high=1e-8)]
    repeats: Annotated[Entry, Spec("1", "repetitions of Co/Pt", low=1.0, high=100.0)]
    t_cap: Annotated[Entry, Spec("m", "Ru cap", low=0.0, high=1e-7)]

    @field_validator("repeats")
    @classmethod
    def _whole(cls, repeats: Entry) -> Entry:
        if repeats.value != round(repeats.value):
            raise ValueError(f"repeats = {repeats.value:g} is not a whole number, allowed: 1, 2, 3, ...")
        return repeats


class Transport(CardModel):
    """Charge and spin transport."""

    rho_oxide: Annotated[Entry, Spec("ohm*m", "resistivity of RuO2", above=0.0)]
    tcr: Annotated[
        Entry, Spec("1/K", "temperature coefficient of the channel resistance", low=0.0, high=0.01)
    ]
    tcr_material: Annotated[
        Entry,
        Spec("1/K", "temperature coefficient used for thermometer and offset estimates", low=0.0, high=0.01),
    ]
    g_hm: Annotated[Entry, Spec("1/ohm/m^2", "spin conductance of Pt", above=0.0)]
    g_mix: Annotated[Entry, Spec("1/ohm/m^2", "spin mixing conductance of Pt/Co", above=0.0)]
    spin_memory_loss: Annotated[
        Entry, Spec("m^2/J", "loss of transparency per interface anisotropy", low=0.0)
    ]
    theta_sh: Annotated[Entry, Spec("1", "spin Hall angle at 0.5 nm", above=0.0)]
    ms_t: Annotated[Entry, Spec("A", "saturation magnetisation times magnetic thickness", above=0.0)]


class Control(CardModel):
    """The control sample with MgO in place of RuO2."""

    moved: ClassVar[dict[str, str]] = {
        "t_oxide": "the thickness of the MgO has no effect, only its interface anisotropy has; leave it out"
    }
    k_s: Annotated[Entry, Spec("J/m^2", "interface anisotropy", low=0.0)]
    field_free_drive: Annotated[Entry, Spec("1", "field-free drive", low=0.0)]


class Thickness(CardModel):
    """Laws against the oxide thickness, interpolated by PCHIP between the anchors."""

    xi_gain: tuple[Anchor, ...] = Field(min_length=2, description="xi_DL over the reference [1]")
    rho: tuple[Anchor, ...] = Field(min_length=2, description="stack resistivity [ohm*m]")
    loop_shift: tuple[Anchor, ...] = Field(min_length=2, description="zero-field loop shift, normalised [1]")
    field_free_drive_a: tuple[Anchor, ...] = Field(min_length=2, description="field-free drive, Set A [1]")
    field_free_drive_b: tuple[Anchor, ...] = Field(min_length=2, description="field-free drive, Set B [1]")
    k_s: tuple[Anchor, ...] = Field(min_length=2, description="interface anisotropy [J/m^2]")
    wall_ratio: tuple[Anchor, ...] = Field(
        min_length=2, description="DMI field over wall anisotropy field, relative to 0.5 nm [1]"
    )

    @field_validator("*")
    @classmethod
    def _increasing(cls, anchors: tuple[Anchor, ...]) -> tuple[Anchor, ...]:
        t = [anchor.t_oxide for anchor in anchors]
        if any(b <= a for a, b in itertools.pairwise(t)):
            raise ValueError("anchors must have increasing t_oxide")
        return anchors

    @field_validator("rho", "xi_gain")
    @classmethod
    def _above_zero(cls, anchors: tuple[Anchor, ...]) -> tuple[Anchor, ...]:
        if any(anchor.value == 0.0 for anchor in anchors):
            raise ValueError("anchors must have values above 0")
        return anchors


class FractionLaw(CardModel):
    """One parameter set of the switched fraction."""

    j63: Annotated[Entry, Spec("A/m^2", "current density scale", low=1e8, high=1e15)]
    shape: Annotated[Entry, Spec("1", "Weibull exponent", low=0.1, high=50.0)]
    u0: Annotated[Entry, Spec("1", "lowest threshold in units of the scale", low=0.0, below=1.0)]
    delta_r: Annotated[Entry, Spec("ohm", "Hall resistance window, s = 0 to s = 1", above=0.0)]
    torque_exponent: Annotated[
        Entry, Spec("1", "exponent of the torque gain in the drive", low=0.0, high=2.0)
    ]


class Switching(CardModel):
    """Rates, thresholds and the two parameter sets."""

    set_a: FractionLaw
    set_b: FractionLaw
    tau0: Annotated[Entry, Spec("s", "attempt time", low=1e-15, high=1.0)]
    t_wall: Annotated[Entry, Spec("s", "wall transit time at twice the threshold", low=1e-13, high=1.0)]
    wall_width: Annotated[Entry, Spec("1", "rounding of the transit term at threshold", low=1e-3, high=1.0)]
    delta: Annotated[Entry, Spec("1", "barrier over kT at 300 K and zero current", low=1.0, high=600.0)]
    t_curie: Annotated[
        Entry, Spec("K", "temperature at which Set B's thresholds vanish", low=310.0, high=5000.0)
    ]
    ambient_coefficient: Annotated[Entry, Spec("1/K", "fall of Set A's thresholds with ambient", low=0.0)]
    t_pulse_fit: Annotated[Entry, Spec("s", "pulse length of the fit", low=1e-9, high=10.0)]
    theta_low: Annotated[Entry, Spec("1", "lowest grain threshold", low=1e-3, high=100.0)]
    theta_high: Annotated[Entry, Spec("1", "highest grain threshold", low=1e-3, high=100.0)]


class Fields(CardModel):
    """In-plane and out-of-plane fields."""

    h_dmi: Annotated[Entry, Spec("A/m", "field that saturates the torque efficiency", low=10.0, high=1e7)]
    h_int: Annotated[Entry, Spec("A/m", "interface field at 0.5 nm", low=10.0, high=1e7)]
    h_preset: Annotated[Entry, Spec("A/m", "in-plane field that sets the interface moment", above=0.0)]
    h_sat: Annotated[Entry, Spec("A/m", "out-of-plane field that saturates", above=0.0)]


class Hall(CardModel):
    """Hall resistance and arms."""

    r_reset: Annotated[Entry, Spec("ohm", "Hall resistance of the reset state")]
    r_arm: Annotated[Entry | None, Spec("ohm", "each Hall arm", low=LEAST_RESISTANCE, high=1e9)] = None
    """Left out, it comes from the squares of the arm: `compact_model.stack.arm_resistance`."""
    anomalous_nernst: Annotated[
        Entry, Spec("V/K", "thermoelectric Hall voltage per kelvin of heating", low=0.0)
    ]
    hooge: Annotated[Entry, Spec("1", "Hooge parameter of the channel", low=0.0)]
    carrier_density: Annotated[Entry, Spec("1/m^3", "conduction electrons", above=0.0)]


class Thermal(CardModel):
    """Two Foster stages: oxide under the channel, substrate."""

    r_oxide: Annotated[Entry, Spec("K/W", "first stage, scales as 1/area", low=0.0)]
    tau_oxide: Annotated[Entry, Spec("s", "time constant of the first stage", low=LEAST_TIME)]
    r_substrate: Annotated[Entry, Spec("K/W", "second stage, scales as 1/sqrt(area)", low=0.0)]
    tau_substrate: Annotated[Entry, Spec("s", "time constant of the second stage", low=LEAST_TIME)]
    area: Annotated[Entry, Spec("m^2", "channel area of the stated resistances", above=0.0)]
    ambient: Annotated[Entry, Spec("K", "ambient temperature", above=200.0, high=500.0)]


class Synapse(CardModel):
    """Levels and write pulses."""

    levels: Annotated[EntryList, Spec("ohm", "published Hall resistances, reset state first")]
    ladder: Annotated[EntryList, Spec("A", "write currents after the reset", above=0.0)]
    t_pulse: Annotated[Entry, Spec("s", "length of a write pulse", low=LEAST_TIME)]
    i_reset: Annotated[Entry, Spec("A", "magnitude of the reset pulse", above=0.0)]
    h_x: Annotated[Entry, Spec("A/m", "applied field while writing")]

    @model_validator(mode="after")
    def _one_current_per_step(self) -> Self:
        if len(self.levels.value) != len(self.ladder.value) + 1:
            raise ValueError(
                f"levels has {len(self.levels.value)} values and ladder {len(self.ladder.value)}, "
                "allowed: one level more than currents"
            )
        for name, row in (("levels", self.levels.value), ("ladder", self.ladder.value)):
            if any(b <= a for a, b in itertools.pairwise(row)):
                raise ValueError(f"{name} must increase from entry to entry")
        return self


class Reality(CardModel):
    """Spread and limits."""

    region_size: Annotated[
        Entry, Spec("m", "side of one independently switching region", low=1e-9, high=1e-3)
    ]
    compliance: Annotated[Entry, Spec("V", "compliance voltage of the pulse source", above=0.0)]
    t_limit: Annotated[Entry, Spec("K", "highest channel temperature without a warning", above=300.0)]
    j_limit: Annotated[Entry, Spec("A/m^2", "highest current density without a warning", above=0.0)]


class Choices(CardModel):
    """Which variant of the model is meant when nothing else is said."""

    switching: SwitchingModel = SwitchingModel.A
    gate: Gate = Gate.PRODUCT
    levels: LevelSource = LevelSource.PAPER
    ladder: LadderSource = LadderSource.PAPER_CURRENTS
    reset: Reset = Reset.FIELD
    retention: RetentionBarrier = RetentionBarrier.COMMON
    grains: int = Field(default=32, ge=4, le=256, description="grains of the bank")


class FitRecord(CardModel):
    """Where the fitted numbers of a card come from, and how their errors hang together."""

    data: str = Field(description="name of the data set")
    sha256: str = Field(description="of the data file and all its tables")
    date: str
    parameters: tuple[str, ...] = Field(description="fitted parameters, in the order of the correlation")
    correlation: tuple[tuple[float, ...], ...]

    @model_validator(mode="after")
    def _square(self) -> Self:
        count = len(self.parameters)
        if len(self.correlation) != count or any(len(row) != count for row in self.correlation):
            raise ValueError(f"correlation must have {count} rows of {count} numbers, one for each parameter")
        return self


class DeviceCard(CardModel):
    """All parameters of one device."""

    name: Name
    description: str
    based_on: Literal["pt_ruo2_0p5"] | None = None
    choices: Choices = Choices()
    geometry: Geometry
    transport: Transport
    thickness: Thickness
    control: Control
    switching: Switching
    fields: Fields
    hall: Hall
    thermal: Thermal
    synapse: Synapse
    reality: Reality
    fit: FitRecord | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        low, high = self.switching.theta_low.value, self.switching.theta_high.value
        if low >= high:
            raise ValueError(f"theta_low = {low:g} is not below theta_high = {high:g}")
        t_oxide = self.geometry.t_oxide.value
        for name in type(self.thickness).model_fields:
            anchors: tuple[Anchor, ...] = getattr(self.thickness, name)
            first, last = anchors[0].t_oxide, anchors[-1].t_oxide
            if not first <= t_oxide <= last * (1.0 + 1e-12):
                raise ValueError(
                    f"t_oxide = {t_oxide:g} m is outside the anchors of {name}, allowed: {first:g}..{last:g} m"
                )
        return self

    def with_value(self, path: str, value: float) -> DeviceCard:
        """A copy with one number replaced (SI), its provenance turned into `assumed`.

        Parameters
        ----------
        path
            Section and name, e.g. ``"geometry.t_oxide"``.
        value
            New value in the unit of the field; ValueError when out of range.

        Examples
        --------
        >>> load_card().with_value("geometry.t_oxide", 0.7e-9).geometry.t_oxide.value
        7e-10
        """
        data = self.model_dump(mode="json")
        node: Any = data
        *sections, name = path.split(".")
        for section in sections:
            node = node[section]
        node[name].update(value=value, interval=None, provenance="assumed", source=f"replaced by {value!r}")
        return DeviceCard.model_validate(data)

    def with_choices(self, **choices: StrEnum | int | str) -> DeviceCard:
        """A copy with some choices replaced; ValueError for an unknown one.

        Examples
        --------
        >>> load_card().with_choices(switching="B").choices.switching
        <SwitchingModel.B: 'B'>
        """
        data = self.model_dump(mode="json")
        data["choices"].update(choices)
        return DeviceCard.model_validate(data)


def load_card(path: str | Path | None = None) -> DeviceCard:
    """Read a device card; None means the shipped one.

    A file that says ``based_on: pt_ruo2_0p5`` states only what differs from the shipped card.

    Raises
    ------
    compact_model.document.DocumentError
        With every mistake and its line.

    Examples
    --------
    >>> load_card().geometry.w_channel.value
    5e-06
    """
    with resources.as_file(resources.files("compact_model") / "cards" / f"{SHIPPED}.yaml") as shipped:
        return load_overlaid(path, shipped, DeviceCard)
