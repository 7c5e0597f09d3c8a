"""The parameters of a fit: which the data can move, and between what bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from compact_model import thickness
from compact_model.cards.device import DeviceCard
from compact_model.constants import OERSTED
from compact_model.measured.records import DataSet, Record
from compact_model.measured.response import ThresholdForm
from compact_model.measured.tables import MeasurementError, RecordKind
from compact_model.numeric import Floats, FloatsLike

SAME_FIELD = 0.02
"""Fields that differ by less than this share of the largest say nothing about how thresholds depend on them."""


class FitError(MeasurementError):
    """Data that no fit can be made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitParameter:
    """One parameter that a fit may move."""

    path: str  # in the card, or of a form that no card holds
    symbol: str  # in the equations
    unit: str
    default: float
    low: float
    high: float
    widest: float  # interval (ratio if logarithmic, else difference) beyond which the data leave it open
    logarithmic: bool = True
    anchor: float | None = None  # thickness of an anchor [m]

    @property
    def name(self) -> str:
        """Path, with the thickness of an anchor."""
        return self.path if self.anchor is None else f"{self.path}({1e9 * self.anchor:g} nm)"

    def inner(self, value: FloatsLike) -> Any:
        """Coordinate of the fit."""
        return np.log(value) if self.logarithmic else value

    def outer(self, x: FloatsLike) -> Any:
        """Value of a coordinate."""
        return np.exp(x) if self.logarithmic else x


def candidates(
    card: DeviceCard, data: DataSet, form: ThresholdForm, *, electrothermal: bool
) -> list[FitParameter]:
    """Everything that a fit could move, whether or not the data speak of it."""
    law = card.switching.set_b if electrothermal else card.switching.set_a
    prefix = f"switching.set_{'b' if electrothermal else 'a'}"
    j63 = law.j63.value
    shapes = {
        ThresholdForm.WEIBULL: [
            _around(f"{prefix}.j63", "j63", "A/m^2", j63, 30.0),
            _positive(f"{prefix}.shape", "shape", "1", law.shape.value, 0.3, 30.0),
            FitParameter(
                path=f"{prefix}.u0",
                symbol="u0",
                unit="1",
                default=law.u0.value,
                low=0.0,
                high=0.9,
                widest=0.25,
                logarithmic=False,
            ),
        ],
        ThresholdForm.LINEAR: [
            _around("linear.j0", "j0", "A/m^2", 0.45 * j63, 30.0),
            _around("linear.j_width", "j_width", "A/m^2", 0.87 * j63, 30.0),
        ],
        ThresholdForm.LOGNORMAL: [
            _around("lognormal.j50", "j50", "A/m^2", 0.9 * j63, 30.0),
            _positive("lognormal.sigma", "sigma", "1", 0.3, 0.02, 2.0),
        ],
    }
    c, own = card.switching, card.geometry.t_oxide.value
    h_int, h_dmi = card.fields.h_int.value, card.fields.h_dmi.value
    drive_name = f"thickness.field_free_drive_{'b' if electrothermal else 'a'}"
    drives = getattr(card.thickness, drive_name.split(".")[1])
    others = sorted({r.t_oxide for r in data.records if abs(r.t_oxide - own) > 1e-13})
    return [
        FitParameter(
            path="hall.r_reset",
            symbol="r_reset",
            unit="ohm",
            default=card.hall.r_reset.value,
            low=-1e3,
            high=1e3,
            widest=math.inf,
            logarithmic=False,
        ),
        _around(f"{prefix}.delta_r", "delta_r", "ohm", law.delta_r.value, 1e4),
        *shapes[form],
        _positive("switching.delta", "delta", "1", c.delta.value, 25.0, 400.0),
        replace(_around("switching.t_wall", "t_wall", "s", c.t_wall.value, 300.0), widest=4.0),
        _positive("fields.h_int", "h_int", "A/m", h_int, OERSTED, 50.0 * h_int),
        _positive("fields.h_dmi", "h_dmi", "A/m", h_dmi, 10 * OERSTED, 50.0 * h_dmi),
        *(
            FitParameter(
                path=drive_name,
                symbol=f"drive@{t!r}",
                unit="1",
                default=float(thickness.evaluate(drives, t)),
                low=0.0,
                high=4.0,
                widest=0.6,
                logarithmic=False,
                anchor=t,
            )
            for t in others
        ),
        _around("transport.theta_sh", "theta", "1", card.transport.theta_sh.value, 100.0),
        replace(
            _around(
                "thickness.rho", "rho", "ohm*m", float(thickness.evaluate(card.thickness.rho, own)), 10.0
            ),
            anchor=own,
        ),
    ]


def _positive(path: str, symbol: str, unit: str, default: float, low: float, high: float) -> FitParameter:
    return FitParameter(path=path, symbol=symbol, unit=unit, default=default, low=low, high=high, widest=3.0)


def _around(path: str, symbol: str, unit: str, default: float, reach: float) -> FitParameter:
    return _positive(path, symbol, unit, default, default / reach, default * reach)


def silent(parameter: FitParameter, records: Sequence[Record]) -> str | None:
    """Why records of this kind cannot speak of a parameter; None when they can."""
    kinds = {record.kind for record in records}
    pulsed = [r for r in records if r.kind in (RecordKind.LOOP, RecordKind.TRAIN, RecordKind.FRACTION)]
    symbol = parameter.symbol
    if symbol == "theta":
        return None if RecordKind.SHIFT in kinds else "no loop shift against current was measured"
    if symbol == "rho":
        return None if RecordKind.ENERGY in kinds else "no pulse energy or channel resistance was measured"
    if symbol == "r_reset":
        hall = kinds & {RecordKind.LOOP, RecordKind.TRAIN, RecordKind.FIELD_LOOP}
        return None if hall else "no Hall resistance was measured"
    if symbol == "delta_r":
        hall = kinds & {RecordKind.LOOP, RecordKind.TRAIN, RecordKind.FIELD_LOOP}
        return None if hall else "no Hall resistance was measured"
    if not pulsed:
        return "no switching pulses were measured"
    lengths = np.unique(np.concatenate([r.t_pulse for r in pulsed]))
    fields = np.unique(np.concatenate([np.abs(r.h) for r in pulsed]))
    if symbol == "delta" and lengths.max() < 3.0 * lengths.min():
        return f"pulse width: all pulses are {_lengths(lengths)} long, so nothing says how thresholds depend on it"
    if symbol == "t_wall" and (lengths.max() < 3.0 * lengths.min() or lengths.min() > 2e-6):
        return (
            f"pulse width: the shortest pulse is {lengths.min():.3g} s; wall transit shows below about 1e-6 s"
        )
    if symbol in ("h_int", "h_dmi") and np.ptp(fields) <= SAME_FIELD * fields.max():
        return f"in-plane field: all pulses were applied at {fields[0] / OERSTED:.4g} Oe"
    return None


def _lengths(lengths: Floats) -> str:
    return f"{lengths[0]:.4g} s" if len(lengths) == 1 else f"{lengths[0]:.3g}..{lengths[-1]:.3g} s"
