"""Residuals of all readings for given parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from scipy import optimize

from compact_model.fit.parameters import FitParameter, candidates
from compact_model.measured.records import DataSet, noise_of
from compact_model.measured.response import FitResponse, ThresholdForm, card_values
from compact_model.measured.tables import RecordKind, Start
from compact_model.numeric import Floats, Ints

MANY_DEVICES = 5  # from so many on, the spread between devices decides the intervals


AS_LARGE = 0.999
"""Share of the largest current that settles an unknown state as the largest does."""


_RELATIVE = ("theta", "rho")  # scale what the card predicts for them


LEVEL = 0.95


MANY_COLUMNS = 60
"""From so many coordinates on, those that enter linearly are projected out."""


Loss = Literal["linear", "soft_l1", "huber", "cauchy"]


class Problem:
    """Residuals of a data set as a function of coordinates: parameters first, then artefacts of each record."""

    def __init__(
        self,
        data: DataSet,
        form: ThresholdForm,
        free: Sequence[FitParameter],
        *,
        electrothermal: bool,
        steps: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        self.data, self.form, self.free = data, form, list(free)
        self.electrothermal = electrothermal
        self.response = FitResponse(data.card, data.records, form, electrothermal=electrothermal)
        self.everything = candidates(data.card, data, form, electrothermal=electrothermal)
        self.devices = list(data.devices)
        device_of = np.array([self.devices.index(r.device) for r in data.records])
        self.device_of_row = device_of[self.response.record_of]
        self.columns: list[tuple[FitParameter, int]] = []  # parameter, device or -1
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
            if record.kind not in (RecordKind.LOOP, RecordKind.TRAIN):
                continue
            count = rows.stop - rows.start
            added: list[tuple[str, Floats]] = []
            if record.drift:
                added.append(("drift", np.linspace(-0.5, 0.5, count)))
            if record.even:
                added.append(("even", (record.current / np.abs(record.current).max()) ** 2))
            added += [("step", (np.arange(count) >= at).astype(float)) for at in steps.get(record.name, ())]
            for name, values in added:
                column = np.zeros(len(self.response.value))
                column[rows] = values
                columns.append(column)
                names.append((record.name, name))
        matrix = np.column_stack(columns) if columns else np.zeros((len(self.response.value), 0))
        return matrix, names

    def _settled(self) -> Any:
        """Readings whose history is known: from the first largest pulse on, when the start is unknown."""
        settled = np.ones(len(self.response.value), dtype=bool)
        for block in self.response.blocks:
            if block.record.start is Start.UNKNOWN and not block.single:
                current = np.abs(block.record.current)
                begin = int(np.argmax(current >= AS_LARGE * current.max()))
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

    @property
    def dof(self) -> int:
        """Degrees of freedom: readings used less coordinates, at least one."""
        return max(1, int(self.used.sum()) - self.size)

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
        inside: Floats = np.clip(x, *self.bounds)
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
        found = optimize.least_squares(
            residual,
            np.clip(base[free], low, high),
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
        begin = np.clip(x0[common], low, high)
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


def copied(
    problem: Problem, form: ThresholdForm, free: Sequence[FitParameter], *, electrothermal: bool
) -> Problem:
    """The same data and nuisances with another form of the law."""
    return _with_readings(problem, Problem(problem.data, form, free, electrothermal=electrothermal))


def with_data(problem: Problem, data: DataSet) -> Problem:
    """The same form, parameters and nuisances with the records of another card."""
    return _with_readings(
        problem, Problem(data, problem.form, problem.free, electrothermal=problem.electrothermal)
    )


def _with_readings(problem: Problem, copied: Problem) -> Problem:
    """Another problem of the same readings: what is used of them, their errors and artefacts stay."""
    copied.nuisance, copied.nuisance_names = problem.nuisance, problem.nuisance_names
    count = problem.nuisance.shape[1]
    width = len(copied.columns)
    copied.bounds = (
        np.concatenate([copied.bounds[0][:width], np.full(count, -np.inf)]),
        np.concatenate([copied.bounds[1][:width], np.full(count, np.inf)]),
    )
    copied.used, copied.sigma = problem.used.copy(), problem.sigma.copy()
    return copied
