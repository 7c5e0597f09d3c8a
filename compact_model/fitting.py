"""Global fit of a device card to measured records: values, intervals, and what the data leave open."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from scipy import optimize, stats

from compact_model import thickness
from compact_model.card import DeviceCard
from compact_model.constants import OERSTED
from compact_model.measurements import (
    DataError,
    DataSet,
    Exclusion,
    Kind,
    Record,
    Start,
    noise_of,
    without,
)
from compact_model.numeric import Floats, FloatsLike, Ints
from compact_model.response import Form, Response, card_values, fraction

log = logging.getLogger(__name__)

PROFILED_ROWS = 400
"""Up to so many readings intervals are profiles of chi^2; beyond, where it is a parabola, they are covariances."""

OUTLIER_SIGMAS = 5.0
STEP_SIGMAS = 8.0
BROKEN_RATIO = 6.0
SMALLEST_MISFIT = 0.03  # of the window: less is no broken device
WORST_MISFIT = 0.1  # rms residual over the span of the Hall readings; beyond, there is no fit
POOR_RATIO = 3.0
MANY_DEVICES = 5  # from so many on, the spread between devices decides the intervals
FOLDS = 5
_RELATIVE = ("theta", "rho")  # scale what the card predicts for them
LEVEL = 0.95

MANY_COLUMNS = 60
"""From so many coordinates on, those that enter linearly are projected out."""

Loss = Literal["linear", "soft_l1", "huber", "cauchy"]


class FitError(DataError):
    """Data that no fit can be made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A parameter that the data determine."""

    parameter: Parameter
    value: float
    interval: tuple[float, float]  # 95 %
    profiled: bool
    devices: Mapping[str, float] = field(default_factory=dict)  # values per device, where it is not shared


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A parameter that the data do not determine; it stays at its default."""

    parameter: Parameter
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One form of the switching law against the data."""

    name: str
    parameters: int
    chi2: float
    aic: float
    bic: float
    cross_validation: float  # rms of left-out readings, in their standard deviations
    largest: float  # largest Hall residual [ohm]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What the rest of the data say about a published fraction when it is left out."""

    record: str
    measured: float
    form: str
    best: float
    fraction: tuple[float, float]  # allowed by chi^2 + 3.84
    window: tuple[float, float]  # [ohm]


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """Drift and thermoelectric part of a record [ohm]."""

    record: str
    drift: float  # over the whole record
    drift_error: float
    even: float  # at the largest current
    even_error: float
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FitResult:
    """Everything that a fit found."""

    data: DataSet
    fitted: tuple[Fitted, ...]
    open: tuple[Open, ...]
    undetermined: tuple[str, ...]  # sentences about the rest of the card
    correlation: Floats  # (fitted, fitted)
    comparisons: tuple[Comparison, ...]
    predictions: tuple[Prediction, ...]
    artefacts: tuple[Artefact, ...]
    excluded: tuple[Exclusion, ...]
    notes: tuple[str, ...]
    chi2: float
    dof: int
    noise: Mapping[str, float]  # standard deviation of a reading, by record
    autocorrelation: float
    regions: tuple[float, float, float] | None  # independent regions: value, interval
    response: Response
    predicted: Floats  # (rows,) artefacts included
    artefact_part: Floats  # (rows,)
    used: Any  # (rows,) bool


def candidates(card: DeviceCard, data: DataSet, form: Form, *, electrothermal: bool) -> list[Parameter]:
    """Everything that a fit could move, whether or not the data speak of it."""
    law = card.switching.set_b if electrothermal else card.switching.set_a
    prefix = f"switching.set_{'b' if electrothermal else 'a'}"
    j63 = law.j63.value
    shapes = {
        Form.WEIBULL: [
            _positive(f"{prefix}.j63", "j63", "A/m^2", j63, 30.0),
            replace(_positive(f"{prefix}.shape", "shape", "1", law.shape.value, 10.0), low=0.3, high=30.0),
            Parameter(
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
        Form.LINEAR: [
            _positive("linear.j0", "j0", "A/m^2", 0.45 * j63, 30.0),
            _positive("linear.j_width", "j_width", "A/m^2", 0.87 * j63, 30.0),
        ],
        Form.LOGNORMAL: [
            _positive("lognormal.j50", "j50", "A/m^2", 0.9 * j63, 30.0),
            replace(_positive("lognormal.sigma", "sigma", "1", 0.3, 10.0), low=0.02, high=2.0),
        ],
    }
    c, own = card.switching, card.geometry.t_oxide.value
    drive_name = f"thickness.field_free_drive_{'b' if electrothermal else 'a'}"
    drives = getattr(card.thickness, drive_name.split(".")[1])
    others = sorted({r.t_oxide for r in data.records if abs(r.t_oxide - own) > 1e-13})
    return [
        Parameter(
            path="hall.r_reset",
            symbol="r_reset",
            unit="ohm",
            default=card.hall.r_reset.value,
            low=-1e3,
            high=1e3,
            widest=math.inf,
            logarithmic=False,
        ),
        _positive(f"{prefix}.delta_r", "delta_r", "ohm", law.delta_r.value, 1e4),
        *shapes[form],
        replace(_positive("switching.delta", "delta", "1", c.delta.value, 10.0), low=25.0, high=400.0),
        replace(_positive("switching.t_wall", "t_wall", "s", c.t_wall.value, 300.0), widest=4.0),
        replace(_positive("fields.h_int", "h_int", "A/m", card.fields.h_int.value, 50.0), low=OERSTED),
        replace(_positive("fields.h_dmi", "h_dmi", "A/m", card.fields.h_dmi.value, 50.0), low=10 * OERSTED),
        *(
            Parameter(
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
        _positive("transport.theta_sh", "theta", "1", card.transport.theta_sh.value, 100.0),
        replace(
            _positive(
                "thickness.rho", "rho", "ohm*m", float(thickness.evaluate(card.thickness.rho, own)), 10.0
            ),
            anchor=own,
        ),
    ]


def _positive(path: str, symbol: str, unit: str, default: float, reach: float) -> Parameter:
    return Parameter(
        path=path,
        symbol=symbol,
        unit=unit,
        default=default,
        low=default / reach,
        high=default * reach,
        widest=3.0,
    )


def silent(parameter: Parameter, records: Sequence[Record]) -> str | None:
    """Why records of this kind cannot speak of a parameter; None when they can."""
    kinds = {record.kind for record in records}
    pulsed = [r for r in records if r.kind in (Kind.LOOP, Kind.TRAIN, Kind.FRACTION)]
    symbol = parameter.symbol
    if symbol == "theta":
        return None if Kind.SHIFT in kinds else "no loop shift against current was measured"
    if symbol == "rho":
        return None if Kind.ENERGY in kinds else "no pulse energy or channel resistance was measured"
    if symbol == "r_reset":
        hall = kinds & {Kind.LOOP, Kind.TRAIN, Kind.FIELD_LOOP}
        return None if hall else "no Hall resistance was measured"
    if symbol == "delta_r":
        hall = kinds & {Kind.LOOP, Kind.TRAIN, Kind.FIELD_LOOP}
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
    if symbol in ("h_int", "h_dmi") and len(fields) < 2:
        return f"in-plane field: all pulses were applied at {fields[0] / OERSTED:.4g} Oe"
    return None


def _lengths(lengths: Floats) -> str:
    return f"{lengths[0]:.4g} s" if len(lengths) == 1 else f"{lengths[0]:.3g}..{lengths[-1]:.3g} s"


class Problem:
    """Residuals of a data set as a function of coordinates: parameters first, then artefacts of each record."""

    def __init__(
        self,
        data: DataSet,
        form: Form,
        free: Sequence[Parameter],
        *,
        electrothermal: bool,
        steps: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        self.data, self.form, self.free = data, form, list(free)
        self.electrothermal = electrothermal
        self.response = Response(data.card, data.records, form, electrothermal=electrothermal)
        self.everything = candidates(data.card, data, form, electrothermal=electrothermal)
        self.devices = list(data.devices)
        device_of = np.array([self.devices.index(r.device) for r in data.records])
        self.device_of_row = device_of[self.response.record_of]
        self.columns: list[tuple[Parameter, int]] = []  # parameter, device or -1
        for parameter in self.free:
            each = parameter.path in data.choices.per_device and len(self.devices) > 1
            self.columns += [(parameter, d) for d in (range(len(self.devices)) if each else (-1,))]
        self.nuisance, self.nuisance_names = self._artefacts(steps or {})
        self.used = np.isfinite(self.response.value) & self._settled()
        self.sigma = self._sigma()
        lows = [p.inner(max(p.low, 1e-300) if p.logarithmic else p.low) for p, _ in self.columns]
        highs = [p.inner(p.high) for p, _ in self.columns]
        count = self.nuisance.shape[1]
        self.bounds = (
            np.array(lows + [-np.inf] * count, dtype=float),
            np.array(highs + [np.inf] * count, dtype=float),
        )
        self._constants: dict[str, Any] = {
            **{p.symbol: p.default for p in self.everything},
            **card_values(data.card, electrothermal=electrothermal),
        }

    def _artefacts(self, steps: Mapping[str, Sequence[int]]) -> tuple[Floats, list[tuple[str, str]]]:
        columns: list[Floats] = []
        names: list[tuple[str, str]] = []
        for block in self.response.blocks:
            record, rows = block.record, block.rows
            if record.kind not in (Kind.LOOP, Kind.TRAIN):
                continue
            count = rows.stop - rows.start
            added: list[tuple[str, Floats]] = []
            if record.drift:
                added.append(("drift", np.linspace(-0.5, 0.5, count)))
            if record.even:
                added.append(("even", (record.current / np.abs(record.current).max()) ** 2))
            if record.start is Start.UNKNOWN:
                added.append(("offset", np.ones(count)))
            added += [("step", (np.arange(count) >= at).astype(float)) for at in steps.get(record.name, ())]
            for name, values in added:
                column = np.zeros(len(self.response.value))
                column[rows] = values
                columns.append(column)
                names.append((record.name, name))
        matrix = np.column_stack(columns) if columns else np.zeros((len(self.response.value), 0))
        return matrix, names

    def _settled(self) -> Any:
        """Readings whose history is known: after both extremes, when the start is unknown."""
        settled = np.ones(len(self.response.value), dtype=bool)
        for block in self.response.blocks:
            if block.record.start is Start.UNKNOWN and not block.single:
                current = block.record.current
                begin = max(int(np.argmax(current)), int(np.argmin(current)))
                settled[block.rows.start : block.rows.start + begin] = False
        return settled

    def _sigma(self) -> Floats:
        """Standard deviation of each reading: stated, or a first estimate from the series itself."""
        sigma = self.response.sigma.copy()
        for block in self.response.blocks:
            part = sigma[block.rows]
            if np.isfinite(part).all():
                continue
            value = self.response.value[block.rows]
            seen = value[np.isfinite(value)]
            estimate = noise_of(seen)
            if not estimate > 0.0:
                estimate = 0.02 * float(np.ptp(seen)) or 0.02 * float(np.abs(seen).max()) or 1.0
            sigma[block.rows] = np.where(np.isfinite(part), part, estimate)
        return sigma

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return len(self.columns) + int(self.nuisance.shape[1])

    def values(self, x: Floats) -> dict[str, Any]:
        """Parameters by symbol: a number, or one per row."""
        values = dict(self._constants)
        drives: dict[float, float] = {}
        place = 0
        while place < len(self.columns):
            parameter, device = self.columns[place]
            if device < 0:
                value: Any = float(parameter.outer(x[place]))
                place += 1
            else:
                count = len(self.devices)
                value = parameter.outer(x[place : place + count])[self.device_of_row]
                place += count
            if parameter.anchor is not None and parameter.symbol.startswith("drive@"):
                drives[parameter.anchor] = value
            else:
                relative = parameter.symbol in _RELATIVE
                values[parameter.symbol] = value / parameter.default if relative else value
        if drives:
            drive = self.response.own_drive.copy()
            for anchor, value in drives.items():
                drive[self.response.t_oxide == anchor] = value
            values["drive"] = drive
        return values

    def predicted(self, x: Floats) -> Floats:
        """Readings, artefacts included."""
        return self.response.predicted(self.values(x)) + self.nuisance @ x[len(self.columns) :]

    def residual(self, x: Floats) -> Floats:
        """(predicted - measured)/sigma of the readings used."""
        result: Floats = ((self.predicted(x) - self.response.value) / self.sigma)[self.used]
        return result

    def jacobian(self, x: Floats, wanted: Ints | None = None) -> Floats:
        """Derivatives of the residuals; one forward difference serves a parameter of all devices.

        Columns that are not `wanted` may be left at zero.
        """
        bare = self.response.predicted(self.values(x))
        result = np.zeros((len(bare), self.size))
        place = 0
        while place < len(self.columns):
            parameter, device = self.columns[place]
            count = len(self.devices) if device >= 0 else 1
            part = slice(place, place + count)
            if wanted is not None and place not in wanted:
                place += count
                continue
            step = 1e-6 * (1.0 if parameter.logarithmic else max(1e-3, float(np.abs(x[part]).max())))
            step = -step if np.any(x[part] + step > self.bounds[1][part]) else step
            moved = x.copy()
            moved[part] += step
            change = (self.response.predicted(self.values(moved)) - bare) / step
            if device < 0:
                result[:, place] = change
            else:
                result[np.arange(len(bare)), place + self.device_of_row] = change
            place += count
        result[:, len(self.columns) :] = self.nuisance
        scaled: Floats = (result / self.sigma[:, None])[self.used]
        return scaled

    def start(self, rng: np.random.Generator | None = None) -> Floats:
        """Coordinates to start from: defaults scaled to the data, or drawn around them."""
        x = np.array([p.inner(p.default) for p, _ in self.columns] + [0.0] * self.nuisance.shape[1])
        response, seen = self.response, self.used & self.response.is_hall
        for place, (parameter, device) in enumerate(self.columns):
            mine = seen & ((self.device_of_row == device) if device >= 0 else True)
            if parameter.symbol == "r_reset" and mine.any():
                x[place] = response.value[mine].min()
            elif parameter.symbol == "delta_r" and mine.any():
                span = float(np.ptp(response.value[mine]))
                x[place] = parameter.inner(max(span * 1.05, 1e-12))
            elif parameter.symbol in ("j63", "j50", "j0", "j_width"):
                pulsed = self.used & response.is_pulse
                top = float(np.abs(response.density[pulsed]).max())
                x[place] = parameter.inner(parameter.default / self._constants_j63() * 0.8 * top)
            if rng is not None and parameter.symbol not in ("r_reset", "delta_r"):
                x[place] += rng.normal(0.0, 0.35 if parameter.logarithmic else 0.1)
        low, high = self.bounds
        inside: Floats = np.clip(x, np.nextafter(low, np.inf), np.nextafter(high, -np.inf))
        return inside

    def _constants_j63(self) -> float:
        law = self.data.card.switching
        return (law.set_b if self.electrothermal else law.set_a).j63.value

    def solve(self, x0: Floats, *, loss: Loss = "linear", held: Mapping[int, float] | None = None) -> Floats:
        """Coordinates of the least squares from a start, some of them held."""
        held = held or {}
        if self.size > MANY_COLUMNS and not held and len(self.devices) > 1:
            return self._projected(x0)
        free = np.array([place for place in range(self.size) if place not in held], dtype=int)
        base = x0.copy()
        for place, value in held.items():
            base[place] = value

        def whole(part: Floats) -> Floats:
            x = base.copy()
            x[free] = part
            return x

        def residual(part: Floats) -> Floats:
            return self.residual(whole(part))

        def jacobian(part: Floats) -> Floats:
            result: Floats = self.jacobian(whole(part))[:, free]
            return result

        low, high = self.bounds[0][free], self.bounds[1][free]
        span = np.where(np.isfinite(high - low), high - low, 1.0)
        begin = np.clip(base[free], low + 1e-9 * span, high - 1e-9 * span)
        found = optimize.least_squares(
            residual,
            begin,
            jac=jacobian,
            bounds=(low, high),
            x_scale="jac",
            loss=loss,
            f_scale=2.0,
            max_nfev=200,
            xtol=1e-9,
            ftol=1e-10,
            gtol=1e-9,
        )
        return whole(found.x)

    def _projected(self, x0: Floats) -> Floats:
        """Least squares over what is common to all devices; offsets and artefacts of each are projected out.

        Variable projection (Golub and Pereyra, doi:10.1137/0710036) with Kaufman's Jacobian.
        """
        own = [
            place
            for place, (parameter, device) in enumerate(self.columns)
            if parameter.symbol == "r_reset" and device >= 0
        ]
        linear = np.array([*own, *range(len(self.columns), self.size)], dtype=int)
        common = np.setdiff1d(np.arange(self.size), linear)
        design = np.zeros((len(self.response.value), len(linear)))
        rows = np.arange(len(design))
        if own:
            design[rows[self.response.is_hall], self.device_of_row[self.response.is_hall]] = 1.0
        design[:, len(own) :] = self.nuisance
        design = (design / self.sigma[:, None])[self.used]
        device = self.device_of_row[self.used]
        blocks = []
        for number in range(len(self.devices)):
            mine = np.flatnonzero(device == number)
            columns = np.flatnonzero(np.any(design[mine] != 0.0, axis=0))
            q, r = np.linalg.qr(design[np.ix_(mine, columns)])
            blocks.append((mine, columns, q, r))

        def projected(values: Floats) -> Floats:
            result = values.copy()
            for mine, _, q, _ in blocks:
                result[mine] -= q @ (q.T @ values[mine])
            return result

        base = x0.copy()
        base[linear] = 0.0

        def whole(part: Floats) -> Floats:
            x = base.copy()
            x[common] = part
            return x

        def residual(part: Floats) -> Floats:
            return projected(self.residual(whole(part)))

        def jacobian(part: Floats) -> Floats:
            return projected(self.jacobian(whole(part), common)[:, common])

        low, high = self.bounds[0][common], self.bounds[1][common]
        begin = np.clip(x0[common], low + 1e-9 * (high - low), high - 1e-9 * (high - low))
        found = optimize.least_squares(
            residual, begin, jac=jacobian, bounds=(low, high), x_scale="jac", max_nfev=100, xtol=1e-9
        )
        x = whole(found.x)
        left = self.residual(x)
        for mine, columns, q, r in blocks:
            x[linear[columns]] = -np.linalg.lstsq(r, q.T @ left[mine], rcond=None)[0]
        return x

    def chi2(self, x: Floats) -> float:
        """Sum of squared residuals."""
        return float(np.sum(self.residual(x) ** 2))

    def best(self, starts: int, loss: Loss, seed: int = 0) -> Floats:
        """Best of several starts."""
        rng = np.random.default_rng(seed)
        found: list[tuple[float, Floats]] = []
        for number in range(starts):
            x = self.solve(self.start(rng if number else None), loss=loss)
            cost = float(np.sum(np.log1p(np.minimum(self.residual(x) ** 2, 1e12) / 8.0)))
            found.append((cost, x))
        return min(found, key=lambda pair: pair[0])[1]

    def covariance(self, x: Floats) -> Floats:
        """Covariance of the coordinates; directions without information get a very large variance.

        Inverse of the normal matrix. With many devices, whose quenched thresholds differ, the sum over devices of the
        outer products of their gradients stands for the noise (Liang and Zeger, doi:10.1093/biomet/73.1.13).
        """
        jacobian = self.jacobian(x)
        _, singular, rows = np.linalg.svd(jacobian, full_matrices=False)
        scale = np.maximum(singular, 1e-9 * max(float(singular.max(initial=0.0)), 1e-300))
        scaled = rows.T / scale
        covariance: Floats = scaled @ scaled.T
        count = len(self.devices)
        if count < MANY_DEVICES:
            return covariance
        weighted = jacobian * self.residual(x)[:, None]
        device = self.device_of_row[self.used]
        gradients = np.stack([weighted[device == d].sum(axis=0) for d in range(count)])
        spread = covariance @ gradients.T
        clustered: Floats = spread @ spread.T * (count / (count - 1))
        return clustered


def fit(data: DataSet, progress: Callable[[str], None] = lambda _: None) -> FitResult:
    """Fit a data set and say what it determines.

    The form is the card's (Weibull, Set A or B by the card's choice); others are compared with it.

    Parameters
    ----------
    data
        Records of one or more devices.
    progress
        Called with what is being done.

    Raises
    ------
    FitError
        When no parameter of the card can be determined.
    """
    electrothermal = data.card.choices.switching.value == "B"
    progress("devices and noise")
    data, problem, x, notes = _prepared(data, electrothermal)
    notes += _check_described(problem, x)
    progress("what the data determine")
    problem, x, openly = _determined(problem, x)
    if not problem.free:
        raise FitError(f"{data.name}: the data determine no parameter of the card")
    progress("intervals")
    fitted, correlation, inflation, autocorrelation = _intervals(problem, x)
    if inflation > 1.0:
        notes.append(
            f"Residuals of neighbouring readings are correlated ({autocorrelation:.2f}): drift, flicker noise or a law "
            f"that does not fit. Intervals were widened {inflation:.2f} times."
        )
    progress("other forms of the law")
    comparisons = _compared(problem, x)
    predictions = _predicted(problem) if len(problem.response.value) <= 100 else ()
    dof = max(1, int(problem.used.sum()) - problem.size)
    chi2 = problem.chi2(x)
    stated = all(r.sigma is not None for r in data.records)
    if stated and chi2 / dof > stats.chi2.ppf(0.99, dof) / dof:
        notes.append(
            f"The residuals are larger than the stated errors allow (chi^2 {chi2:.3g} for {dof} degrees of freedom)."
        )
    return FitResult(
        data=data,
        fitted=tuple(fitted),
        open=tuple(openly),
        undetermined=tuple(_rest(data)),
        correlation=correlation,
        comparisons=comparisons,
        predictions=tuple(predictions),
        artefacts=tuple(_artefact_table(problem, x)),
        excluded=data.excluded,
        notes=tuple(notes),
        chi2=chi2,
        dof=dof,
        noise={
            block.record.name: float(np.median(problem.sigma[block.rows]))
            for block in problem.response.blocks
        },
        autocorrelation=autocorrelation,
        regions=_regions(problem, x),
        response=problem.response,
        predicted=problem.predicted(x),
        artefact_part=problem.nuisance @ x[len(problem.columns) :],
        used=problem.used,
    )


def _speaking(data: DataSet, electrothermal: bool) -> list[Parameter]:
    found = candidates(data.card, data, Form.WEIBULL, electrothermal=electrothermal)
    chosen = [p for p in found if silent(p, data.records) is None and p.name not in data.choices.fixed]
    limits = data.choices.bounds
    unknown = (set(limits) | set(data.choices.fixed)) - {p.name for p in found}
    if unknown:
        raise FitError(
            f"{data.name}: fit: {', '.join(sorted(unknown))} is no parameter of the fit, allowed: "
            f"{', '.join(p.name for p in found)}"
        )
    return [
        replace(p, low=limits[p.name][0], high=limits[p.name][1]) if p.name in limits else p for p in chosen
    ]


def _prepared(data: DataSet, electrothermal: bool) -> tuple[DataSet, Problem, Floats, list[str]]:
    """Robust first fit; broken devices, outliers and steps found; noise estimated."""
    notes: list[str] = []
    steps: dict[str, list[int]] = {}
    problem = Problem(data, Form.WEIBULL, _speaking(data, electrothermal), electrothermal=electrothermal)
    if not problem.columns:
        raise FitError(f"{data.name}: the data speak of no parameter of the card")
    x = problem.best(data.choices.starts, data.choices.loss)
    broken = _misfits(problem, x)
    if broken:
        names = [r.name for r in data.records if r.device in broken]
        ratio = max(broken.values())
        data = without(
            data,
            names,
            f"broken device: its residuals are up to {ratio:.0f} times those of the others",
        )
        problem = Problem(data, Form.WEIBULL, _speaking(data, electrothermal), electrothermal=electrothermal)
        x = problem.best(data.choices.starts, data.choices.loss)
    for _ in range(4):
        found = _steps(problem, x)
        new = {name: at for name, at in found.items() if at not in steps.get(name, [])}
        if not new:
            break
        for name, at in new.items():
            steps.setdefault(name, []).append(at)
        problem = Problem(data, Form.WEIBULL, problem.free, electrothermal=electrothermal, steps=steps)
        x = problem.best(2, data.choices.loss)
    for name, places in steps.items():
        notes.append(f"{name}: {len(places)} step(s) of the offset found and taken out.")
    for _ in range(2):
        _renew_sigma(problem, x)
        outliers = np.abs((problem.predicted(x) - problem.response.value) / problem.sigma) > OUTLIER_SIGMAS
        estimated = ~np.isfinite(problem.response.sigma)
        outliers &= problem.used & estimated & (len(problem.devices) < MANY_DEVICES)
        if outliers.sum() <= 0.05 * problem.used.sum():
            if outliers.any():
                notes.append(
                    f"{int(outliers.sum())} of {int(problem.used.sum())} readings lie more than "
                    f"{OUTLIER_SIGMAS:g} standard deviations off and were left out."
                )
            problem.used &= ~outliers
        else:
            notes.append(
                f"{outliers.mean():.0%} of the readings lie far from the law: it does not describe these data well."
            )
        x = problem.solve(x)
    return data, problem, x, notes


def _check_described(problem: Problem, x: Floats) -> list[str]:
    """Records that the law does not describe, in words; FitError when it describes the data as a whole not at all."""
    residual = problem.response.value - problem.predicted(x)
    hall = problem.used & problem.response.is_hall
    if hall.any():
        span = float(np.ptp(problem.response.value[hall]))
        size = float(np.sqrt(np.mean(residual[hall] ** 2)))
        if span > 0.0 and size > WORST_MISFIT * span:
            raise FitError(
                f"{problem.data.name}: the law misses the Hall readings by {1e3 * size:.3g} mohm (rms) of "
                f"{1e3 * span:.3g} mohm: no fit. Check the prepared state, the sign of the field, and whether the "
                "contacts were read the other way (`sign: -1`)"
            )
    found = []
    for block in problem.response.blocks:
        seen = problem.response.value[block.rows][problem.used[block.rows]]
        noise = noise_of(seen)
        ratio = float(np.median(problem.sigma[block.rows])) / noise if noise > 0.0 else 0.0
        if block.record.kind is Kind.LOOP and len(seen) >= 60 and ratio > POOR_RATIO:
            found.append(
                f"{block.record.name}: its residuals are {ratio:.2g} times its noise; the law misses part of it."
            )
    return found


def _misfits(problem: Problem, x: Floats) -> dict[str, float]:
    """Devices whose residuals are far larger than those of the others, with the ratio."""
    if len(problem.devices) < MANY_DEVICES:
        return {}
    size = np.abs(problem.predicted(x) - problem.response.value) / problem.values(x)["delta_r"]
    hall = problem.used & problem.response.is_hall
    each = [size[hall & (problem.device_of_row == d)] for d in range(len(problem.devices))]
    typical = np.array([float(np.median(one)) if len(one) else 0.0 for one in each])
    usual = float(np.median(typical))
    return {
        problem.devices[d]: float(one / usual)
        for d, one in enumerate(typical)
        if one > BROKEN_RATIO * usual and one > SMALLEST_MISFIT
    }


def _steps(problem: Problem, x: Floats) -> dict[str, int]:
    """The clearest sudden step of the residuals of each long record."""
    found: dict[str, int] = {}
    residual = problem.response.value - problem.predicted(x)
    for block in problem.response.blocks:
        if block.record.kind not in (Kind.LOOP, Kind.TRAIN) or block.rows.stop - block.rows.start < 60:
            continue
        places = np.flatnonzero(problem.used[block.rows])
        r = residual[block.rows][places]
        noise = noise_of(r)
        if not noise > 0.0:
            continue
        near = 15
        best, where = 0.0, 0
        for at in range(near, len(r) - near):
            jump = abs(float(np.median(r[at : at + near]) - np.median(r[at - near : at])))
            score = jump / (1.25 * noise * math.sqrt(2.0 / near))
            if score > best:
                best, where = score, at
        if best > STEP_SIGMAS:
            # The sharpest split of the neighbourhood is the place.
            span = range(max(2, where - near), min(len(r) - 2, where + near))
            part = r[where - near : where + near]
            costs = {
                at: float(
                    np.var(part[: at - where + near]) * (at - where + near)
                    + np.var(part[at - where + near :]) * (where + near - at)
                )
                for at in span
                if 2 <= at - where + near <= 2 * near - 2
            }
            found[block.record.name] = int(places[min(costs, key=costs.__getitem__)])
    return found


def _renew_sigma(problem: Problem, x: Floats) -> None:
    """Noise of each record whose errors were not stated, from its residuals."""
    residual = problem.predicted(x) - problem.response.value
    loose: list[slice] = []
    for block in problem.response.blocks:
        rows = block.rows
        if np.isfinite(problem.response.sigma[rows]).all():
            continue
        used = residual[rows][problem.used[rows]]
        if len(used) >= 30:
            problem.sigma[rows] = float(np.median(np.abs(used)) / 0.6745)
        else:
            loose.append(rows)
    for kind in {problem.data.records[problem.response.record_of[rows.start]].kind for rows in loose}:
        same = [
            rows
            for rows in loose
            if problem.data.records[problem.response.record_of[rows.start]].kind is kind
        ]
        pooled = np.concatenate([residual[rows][problem.used[rows]] for rows in same])
        total = max(1.0, float(problem.used.sum()))
        left = max(1.0, len(pooled) * (1.0 - problem.size / total))
        for rows in same:
            problem.sigma[rows] = max(math.sqrt(float(np.sum(pooled**2)) / left), 1e-15)


def _widths(problem: Problem, x: Floats, *, profiled: bool) -> Iterator[tuple[int, float, float]]:
    """Column, and 95 % limits of its coordinate."""
    covariance = problem.covariance(x)
    many = len(problem.devices) >= MANY_DEVICES
    share = 0.5 + 0.5 * LEVEL
    reach = float(stats.t.ppf(share, len(problem.devices) - 1) if many else stats.norm.ppf(share))
    reach *= 1.0 if many else _scale(problem, x)
    for place in range(len(problem.columns)):
        half = reach * math.sqrt(covariance[place, place])
        if profiled:
            yield place, *profile(problem, x, place, half)
        else:
            yield place, float(x[place] - half), float(x[place] + half)


def _scale(problem: Problem, x: Floats) -> float:
    """Factor of standard errors: residuals larger than the stated errors widen the intervals."""
    dof = max(1, int(problem.used.sum()) - problem.size)
    return math.sqrt(max(1.0, problem.chi2(x) / dof))


def profile(problem: Problem, x: Floats, place: int, half: float) -> tuple[float, float]:
    """95 % interval of a coordinate by its profile: chi^2 with everything else refitted rises by 3.84 (scaled)."""
    base = problem.chi2(x)
    allowed = float(stats.chi2.ppf(LEVEL, 1)) * _scale(problem, x) ** 2
    limits = []
    for side, bound in ((-1.0, problem.bounds[0][place]), (1.0, problem.bounds[1][place])):
        inside, outside, warm = float(x[place]), math.nan, x
        step = max(0.5 * half, 1e-9) if math.isfinite(half) else 0.1
        for _ in range(40):
            trial = inside + side * step
            trial = max(trial, float(bound)) if side < 0 else min(trial, float(bound))
            moved = problem.solve(warm, held={place: trial})
            if problem.chi2(moved) - base > allowed:
                outside = trial
                break
            inside, warm = trial, moved
            if trial == bound:
                break
            step *= 1.5
        for _ in range(12 if math.isfinite(outside) else 0):
            middle = 0.5 * (inside + outside)
            moved = problem.solve(warm, held={place: middle})
            if problem.chi2(moved) - base > allowed:
                outside = middle
            else:
                inside, warm = middle, moved
        limits.append(inside if math.isnan(outside) else 0.5 * (inside + outside))
    return limits[0], limits[1]


def _determined(problem: Problem, x: Floats) -> tuple[Problem, Floats, list[Open]]:
    """Hold, one after the other, the parameters that the data leave open; the widest first."""
    openly = [
        Open(parameter=p, reason=reason)
        for p in problem.everything
        if (reason := silent(p, problem.data.records)) is not None
    ]
    openly += [
        Open(parameter=p, reason="held by the data file")
        for p in problem.everything
        if p.name in problem.data.choices.fixed
    ]
    while problem.free:
        few = len(problem.devices) < MANY_DEVICES
        profiled = few and int(problem.used.sum()) <= PROFILED_ROWS
        worst: tuple[float, Parameter, tuple[float, float]] | None = None
        for place, low, high in _widths(problem, x, profiled=profiled):
            parameter, device = problem.columns[place]
            if device > 0:
                continue
            low = max(low, float(problem.bounds[0][place]))
            high = min(high, float(problem.bounds[1][place]))
            widest = math.log(parameter.widest) if parameter.logarithmic else parameter.widest
            excess = (high - low) / widest
            if excess > 1.0 and (worst is None or excess > worst[0]):
                worst = (excess, parameter, (float(parameter.outer(low)), float(parameter.outer(high))))
        if worst is None:
            break
        _, parameter, (low, high) = worst
        log.info("%s is left open: %g..%g", parameter.name, low, high)
        openly.append(
            Open(parameter=parameter, reason=f"the data leave it open between {low:.3g} and {high:.3g}")
        )
        kept = [p for p in problem.free if p is not parameter]
        problem, x = _with_free(problem, x, kept)
    return problem, x, openly


def _with_free(problem: Problem, x: Floats, kept: Sequence[Parameter]) -> tuple[Problem, Floats]:
    """The same problem with fewer parameters, solved."""
    smaller = _copy(problem, problem.form, kept, electrothermal=problem.electrothermal)
    names = {p.name for p in kept}
    same = [place for place, (p, _) in enumerate(problem.columns) if p.name in names]
    start = np.concatenate([x[same], x[len(problem.columns) :]])
    return smaller, smaller.solve(start)


def _copy(problem: Problem, form: Form, free: Sequence[Parameter], *, electrothermal: bool) -> Problem:
    copied = Problem(problem.data, form, free, electrothermal=electrothermal)
    copied.nuisance, copied.nuisance_names = problem.nuisance, problem.nuisance_names
    count = problem.nuisance.shape[1]
    width = len(copied.columns)
    copied.bounds = (
        np.concatenate([copied.bounds[0][:width], np.full(count, -np.inf)]),
        np.concatenate([copied.bounds[1][:width], np.full(count, np.inf)]),
    )
    copied.used, copied.sigma = problem.used.copy(), problem.sigma.copy()
    return copied


def _intervals(problem: Problem, x: Floats) -> tuple[list[Fitted], Floats, float, float]:
    rho = _autocorrelation(problem, x)
    many = len(problem.devices) >= MANY_DEVICES  # their covariance holds what correlates within a device
    inflation = math.sqrt((1.0 + rho) / (1.0 - rho)) if rho > 0.1 and not many else 1.0
    profiled = int(problem.used.sum()) <= PROFILED_ROWS and not many
    found: list[Fitted] = []
    limits: dict[int, tuple[float, float]] = {}
    for place, low, high in _widths(problem, x, profiled=profiled):
        limits[place] = (
            float(x[place] - inflation * (x[place] - low)),
            float(x[place] + inflation * (high - x[place])),
        )
    firsts = []
    for parameter in problem.free:
        places = [place for place, (p, _) in enumerate(problem.columns) if p is parameter]
        firsts.append(places)
        if len(places) == 1:
            low, high = limits[places[0]]
            low, high = max(low, problem.bounds[0][places[0]]), min(high, problem.bounds[1][places[0]])
            found.append(
                Fitted(
                    parameter=parameter,
                    value=float(parameter.outer(x[places[0]])),
                    interval=(float(parameter.outer(low)), float(parameter.outer(high))),
                    profiled=profiled,
                )
            )
            continue
        each = x[places]
        spread = float(each.std(ddof=1)) / math.sqrt(len(each))
        half = float(stats.t.ppf(0.5 + 0.5 * LEVEL, len(each) - 1)) * spread
        middle = float(each.mean())
        found.append(
            Fitted(
                parameter=parameter,
                value=float(parameter.outer(middle)),
                interval=(float(parameter.outer(middle - half)), float(parameter.outer(middle + half))),
                profiled=False,
                devices=dict(zip(problem.devices, parameter.outer(each).tolist(), strict=True)),
            )
        )
    covariance = problem.covariance(x)
    average = np.zeros((len(firsts), problem.size))
    for row, places in enumerate(firsts):
        average[row, places] = 1.0 / len(places)
    reduced = average @ covariance @ average.T
    deviation = np.sqrt(np.diag(reduced))
    return found, reduced / np.outer(deviation, deviation), inflation, rho


def _autocorrelation(problem: Problem, x: Floats) -> float:
    """Correlation of neighbouring residuals of the long records."""
    scaled = (problem.predicted(x) - problem.response.value) / problem.sigma
    products, squares = 0.0, 0.0
    for block in problem.response.blocks:
        r = scaled[block.rows][problem.used[block.rows]]
        if len(r) >= 30:
            products += float(np.sum(r[1:] * r[:-1]))
            squares += float(np.sum(r**2))
    return min(max(products / squares, 0.0), 0.95) if squares else 0.0


def _compared(problem: Problem, x: Floats) -> tuple[Comparison, ...]:
    """The law's own form beside the other set, a linear and a lognormal distribution."""
    found: list[Comparison] = []
    electrothermal = problem.electrothermal
    variants = [
        (f"Weibull, Set {'B' if electrothermal else 'A'}", Form.WEIBULL, electrothermal),
        (f"Weibull, Set {'A' if electrothermal else 'B'}", Form.WEIBULL, not electrothermal),
        ("linear", Form.LINEAR, electrothermal),
        ("lognormal", Form.LOGNORMAL, electrothermal),
    ]
    if not any(p.symbol in ("j63", "shape") for p in problem.free):
        return ()
    for name, form, thermal_law in variants:
        if form is problem.form and thermal_law == electrothermal:
            other, best = problem, x
        else:
            other = _copy(problem, form, _translated(problem, form, thermal_law), electrothermal=thermal_law)
            first = other.best(3, "linear")
            best = min((first, other.solve(first)), key=other.chi2)
        found.append(_comparison(name, other, best))
    return tuple(found)


def _translated(problem: Problem, form: Form, electrothermal: bool) -> list[Parameter]:
    """The free parameters of a problem in another form of the law."""
    symbols = {p.symbol for p in problem.free}
    wanted = candidates(problem.data.card, problem.data, form, electrothermal=electrothermal)
    shapes = {"j0", "j_width", "j50", "sigma"} if form is not Form.WEIBULL else set()
    return [p for p in wanted if p.symbol in symbols | shapes]


def _comparison(name: str, problem: Problem, x: Floats) -> Comparison:
    count, parameters = int(problem.used.sum()), problem.size
    chi2 = problem.chi2(x)
    stated = np.isfinite(problem.response.sigma[problem.used]).all()
    likelihood = chi2 if stated else count * math.log(chi2 / count)
    residual = np.abs(problem.predicted(x) - problem.response.value)
    hall = problem.used & problem.response.is_hall
    return Comparison(
        name=name,
        parameters=parameters,
        chi2=chi2,
        aic=likelihood + 2.0 * parameters,
        bic=likelihood + parameters * math.log(count),
        cross_validation=_cross_validation(problem, x),
        largest=float(residual[hall].max()) if hall.any() else 0.0,
    )


def _cross_validation(problem: Problem, x: Floats) -> float:
    """Rms of readings left out of the fit: each one if there are few, else blocks of ten in five parts."""
    basis = np.linalg.qr(problem.jacobian(x))[0]
    # A reading that alone fixes a parameter can't be predicted by the others.
    places = np.flatnonzero(problem.used)[np.sum(basis**2, axis=1) < 0.99]
    few = len(places) <= 30
    part_of = np.arange(len(places)) if few else (np.arange(len(places)) // 10) % FOLDS
    kept, total = problem.used, 0.0
    for part in range(int(part_of.max()) + 1):
        problem.used = kept.copy()
        problem.used[places[part_of == part]] = False
        again = problem.solve(x)
        left = places[part_of == part]
        scaled = (problem.predicted(again) - problem.response.value)[left] / problem.sigma[left]
        total += float(np.sum(np.minimum(scaled**2, 1e4)))
    problem.used = kept
    return math.sqrt(total / max(1, len(places)))


def _predicted(problem: Problem) -> list[Prediction]:
    """For each published fraction at the card's thickness: what the other data alone allow, by form."""
    found: list[Prediction] = []
    data = problem.data
    own = data.card.geometry.t_oxide.value
    for record in data.records:
        if record.kind is not Kind.FRACTION or abs(record.t_oxide - own) > 1e-13 or len(record.value) > 3:
            continue
        others = [
            r for r in data.records if r.kind in (Kind.LOOP, Kind.TRAIN) and r.t_oxide == record.t_oxide
        ]
        if not others:
            continue
        for form in Form:
            loose = replace(record, sigma=np.full(len(record.value), 1e4))
            free = [
                p
                for p in candidates(data.card, data, form, electrothermal=problem.electrothermal)
                if silent(p, others) is None and p.symbol in _SHAPES[form]
            ]
            alone = Problem(
                replace(data, records=(*others, loose)), form, free, electrothermal=problem.electrothermal
            )
            x = min((alone.solve(alone.start(rng)) for rng in _draws(12)), key=alone.chi2)
            row = len(alone.response.value) - len(record.value)
            window = next(i for i, (p, _) in enumerate(alone.columns) if p.symbol == "delta_r")
            limits = profile(alone, x, window, 0.2)
            found.append(
                Prediction(
                    record=record.name,
                    measured=float(record.value[0]),
                    form=form.value,
                    best=float(alone.predicted(x)[row]),
                    fraction=_allowed_fraction(alone, x, row),
                    window=(math.exp(limits[0]), math.exp(limits[1])),
                )
            )
    return found


_SHAPES = {
    Form.WEIBULL: ("r_reset", "delta_r", "j63", "shape"),  # u0 as in the card
    Form.LINEAR: ("r_reset", "delta_r", "j0", "j_width"),
    Form.LOGNORMAL: ("r_reset", "delta_r", "j50", "sigma"),
}


def _draws(count: int) -> Iterator[np.random.Generator | None]:
    rng = np.random.default_rng(1)
    for number in range(count):
        yield rng if number else None


def _allowed_fraction(problem: Problem, x: Floats, row: int) -> tuple[float, float]:
    """Range of a fraction that the other readings allow: chi^2 with the fraction forced rises by 3.84."""
    base, best = problem.chi2(x), float(problem.predicted(x)[row])
    allowed = float(stats.chi2.ppf(LEVEL, 1)) * _scale(problem, x) ** 2
    sigma, value = problem.sigma[row], problem.response.value[row]
    limits = []
    for ends in (np.arange(best, 0.005, -0.02), np.arange(best, 0.995, 0.02)):
        last, warm = best, x
        problem.sigma[row] = 1e-4
        for trial in ends:
            problem.response.value[row] = trial
            warm = problem.solve(warm)
            if problem.chi2(warm) - base > allowed:
                break
            last = float(trial)
        problem.sigma[row], problem.response.value[row] = sigma, value
        limits.append(last)
    return limits[0], limits[1]


def _artefact_table(problem: Problem, x: Floats) -> Iterator[Artefact]:
    covariance = problem.covariance(x)
    offset = len(problem.columns)
    for block in problem.response.blocks:
        mine = [i for i, (name, _) in enumerate(problem.nuisance_names) if name == block.record.name]
        if not mine:
            continue
        found = {
            problem.nuisance_names[i][1]: (
                float(x[offset + i]),
                math.sqrt(covariance[offset + i, offset + i]),
            )
            for i in mine
        }
        drift, even = found.get("drift", (0.0, 0.0)), found.get("even", (0.0, 0.0))
        yield Artefact(
            record=block.record.name,
            drift=drift[0],
            drift_error=drift[1],
            even=even[0],
            even_error=even[1],
            steps=sum(problem.nuisance_names[i][1] == "step" for i in mine),
        )


def _regions(problem: Problem, x: Floats) -> tuple[float, float, float] | None:
    """Number of independent regions from the spread between devices, with its 95 % interval.

    N quenched thresholds make F(u) of a device differ from the law by a Brownian bridge, of covariance
    (min(F, F') - F F')/N. What the device's own offset and artefacts take up of it is projected out of the
    expectation as it is out of the residuals. None when devices are few or were not measured alike.
    """
    blocks, count = problem.response.blocks, len(problem.devices)
    lengths = {block.rows.stop - block.rows.start for block in blocks}
    if count < MANY_DEVICES or len(blocks) != count or len(lengths) != 1 or blocks[0].single:
        return None
    values = problem.values(x)
    window = float(np.mean(values["delta_r"]))
    drive, target = problem.response.drive(values)
    reached = fraction(problem.form, drive, values)
    matrix, _ = problem.response.memories(drive, target)
    residual = problem.response.value - problem.predicted(x)
    s = problem.response.fractions(values)
    expected, seen, still = 0.0, 0.0, []
    degrees = 0.0
    for block in blocks:
        rows = np.arange(block.rows.start, block.rows.stop)
        kept = rows[problem.used[rows]]
        own = problem.nuisance[kept]
        own = np.column_stack([np.ones(len(kept)), own[:, np.any(own != 0.0, axis=0)]])
        project = np.eye(len(kept)) - own @ np.linalg.pinv(own)
        f = reached[rows]
        bridge = np.minimum(f[:, None], f[None, :]) - np.outer(f, f)
        spread = project @ matrix[kept][:, rows].toarray()
        expected += float(np.sum((spread @ bridge) * spread))
        left = project @ residual[kept]
        seen += float(left @ left)
        degrees += float(np.trace(project))
        quiet = (np.diff(kept) == 1) & (np.abs(np.diff(s[kept])) < 1e-4)
        still.append(np.diff(residual[kept])[quiet])
    quiet_steps = np.concatenate(still)
    noise = float(np.median(np.abs(quiet_steps))) / 0.6745 / math.sqrt(2.0) if len(quiet_steps) > 20 else 0.0
    excess = (seen - degrees * noise**2) / window**2
    if excess <= 0.0:
        return None
    regions, freedom = expected / excess, count - 1
    low, high = (float(stats.chi2.ppf(share, freedom)) / freedom for share in (0.025, 0.975))
    return regions, low * regions, high * regions


def _rest(data: DataSet) -> Iterator[str]:
    """What no record of these kinds can say, in words."""
    thickest = max(r.t_oxide for r in data.records)
    own = data.card.geometry.t_oxide.value
    yield (
        "Heating (thermal resistances and times, Curie temperature, temperature coefficients): no reading depends on "
        "the temperature of the channel alone; all of it stays assumed."
    )
    yield (
        f"Oxide thicknesses beyond {1e9 * thickest:g} nm"
        + ("" if thickest > own else ", and all but this one,")
        + " are not in the data: their anchors stay as in the card."
    )
    yield "Retention, ambient temperature, the gate's rule and the field of the preset stay assumed."
    if len(data.devices) < 5:
        yield "Spread between devices: fewer than five devices were measured; the size of a region stays assumed."
