"""Intervals, screening and comparison of fits on a linear model, where all of it has a closed form."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from compact_model.fit import forms, intervals, screening
from compact_model.fit.parameters import FitError, FitParameter
from compact_model.fit.problem import MANY_DEVICES, Problem
from compact_model.measured.records import noise_of
from compact_model.measured.tables import RecordKind

Z95 = 1.9599639845400545
T95_4 = 2.7764451051977987  # Student's t, 97.5 %, four degrees of freedom


def parameter(name: str = "p", **changes: Any) -> FitParameter:
    default = {"default": 1.0, "low": -1e9, "high": 1e9, "widest": 1e9, "logarithmic": False}
    return FitParameter(path=name, symbol=name, unit="1", **(default | changes))


class Linear:
    """Readings A x with normal errors: least squares, covariance and profiles are exact."""

    dof = Problem.dof
    form, electrothermal = None, False

    def __init__(self, design: Any, value: Any, sigma: Any = 1.0, **more: Any) -> None:
        self.design = np.asarray(design, dtype=float)
        rows, columns = self.design.shape
        self.devices = more.get("devices", ["d"])
        self.free = more.get("free", [parameter(f"p{k}") for k in range(columns)])
        self.columns = more.get("columns", [(p, -1) for p in self.free])
        low, high = more.get("bounds", (-np.inf, np.inf))
        self.bounds = (np.full(columns, low), np.full(columns, high))
        self.sigma = np.broadcast_to(np.asarray(sigma, dtype=float), rows).copy()
        self.used = np.ones(rows, dtype=bool)
        self.size = columns
        kind = more.get("kind", RecordKind.LOOP)
        cuts = [0, *more.get("cuts", []), rows]
        self.response = SimpleNamespace(
            value=np.asarray(value, dtype=float).copy(),
            sigma=np.broadcast_to(np.asarray(more.get("stated", np.nan), dtype=float), rows),
            is_hall=np.ones(rows, dtype=bool),
            record_of=np.repeat(np.arange(len(cuts) - 1), np.diff(cuts)),
            blocks=[
                SimpleNamespace(
                    rows=slice(a, b), record=SimpleNamespace(name=f"r{k}", kind=kind), single=False
                )
                for k, (a, b) in enumerate(itertools.pairwise(cuts))
            ],
        )
        self.data = SimpleNamespace(
            name="x",
            records=[SimpleNamespace(kind=kind) for _ in cuts[1:]],
            choices=SimpleNamespace(fixed=more.get("fixed", [])),
        )
        self.everything = more.get("everything", self.free)

    def predicted(self, x: Any) -> Any:
        return self.design @ x

    def residual(self, x: Any) -> Any:
        return ((self.predicted(x) - self.response.value) / self.sigma)[self.used]

    def chi2(self, x: Any) -> float:
        return float(np.sum(self.residual(x) ** 2))

    def jacobian(self, _: Any) -> Any:
        return (self.design / self.sigma[:, None])[self.used]

    def covariance(self, x: Any) -> Any:
        return np.linalg.inv(self.jacobian(x).T @ self.jacobian(x))

    def solve(self, x0: Any, held: Any = None) -> Any:
        held = held or {}
        free = [k for k in range(self.size) if k not in held]
        x = np.array(x0, dtype=float)
        for place, value in held.items():
            x[place] = value
        left = (self.response.value / self.sigma)[self.used] - self.jacobian(x) @ np.where(
            np.isin(np.arange(self.size), free), 0.0, x
        )
        x[free] = np.linalg.lstsq(self.jacobian(x)[:, free], left, rcond=None)[0]
        return x


def generic(rows: int = 9, seed: int = 0, **more: Any) -> tuple[Linear, Any]:
    rng = np.random.default_rng(seed)
    problem = Linear(rng.normal(size=(rows, 3)), rng.normal(size=rows), rng.uniform(0.1, 0.4, rows), **more)
    return problem, problem.solve(np.zeros(3))


def test_errors_grow_with_chi2_per_degree_of_freedom_but_never_shrink() -> None:
    problem, x = generic()
    problem.used[[2, 5]] = False
    assert problem.dof == 9 - 2 - 3
    for factor, expected in ((0.5, 1.0), (2.0, 2.0)):
        problem.sigma *= np.sqrt(problem.chi2(x) / problem.dof) / factor
        assert intervals.scale(problem, x) == pytest.approx(expected, rel=1e-12)
    short, y = generic(rows=3)
    assert short.dof == 1
    short.sigma[:] = 0.1
    y = y + 1.0
    assert intervals.scale(short, y) == pytest.approx(np.sqrt(short.chi2(y)), rel=1e-12)


def test_widths_of_few_and_of_many_devices() -> None:
    problem, x = generic()
    half = Z95 * intervals.scale(problem, x) * np.sqrt(np.diag(problem.covariance(x)))
    assert intervals.scale(problem, x) != 1.0
    found = list(intervals._widths(problem, x, profiled=False))
    np.testing.assert_allclose(found, np.column_stack([range(3), x - half, x + half]), rtol=1e-9)
    for count, many in ((4, False), (5, True)):
        problem.devices = [f"d{k}" for k in range(count)]
        wide = T95_4 * np.sqrt(np.diag(problem.covariance(x))) if many else half
        found = list(intervals._widths(problem, x, profiled=False))
        np.testing.assert_allclose(found, np.column_stack([range(3), x - wide, x + wide]), rtol=1e-9)
    problem.devices = ["d"]
    profiled = list(intervals._widths(problem, x, profiled=True))
    np.testing.assert_allclose(
        profiled, np.column_stack([range(3), x - half, x + half]), atol=2e-4 * half.max()
    )


def test_a_profile_is_bisected_twelve_times_after_growing_steps() -> None:
    """chi^2 = x^2: the limit 1.96 lies between 0.98 and 0.98 + 1.5*0.98, for a guess of the half width of 1.96."""
    one = Linear([[1.0], [0.0]], [0.0, 0.5])
    for guess in (Z95, 1.0, 30.0):
        inside, step = 0.0, 0.5 * guess
        while inside + step < Z95:
            inside, step = inside + step, 1.5 * step
        cell = step / 4096
        expected = inside + cell * (np.floor((Z95 - inside) / cell) + 0.5)
        low, high = intervals.profile(one, np.zeros(1), 0, guess)
        assert (low, high) == pytest.approx((-expected, expected), rel=1e-9)
    low, high = intervals.profile(one, np.zeros(1), 0, np.inf)  # steps of 0.1, 0.15, ... to 1.9775 and beyond
    assert high == -low == pytest.approx(Z95, abs=0.1 * 1.5**7 / 4096)
    assert abs(high - Z95) > 0.0
    # no width at all is searched from 1e-9 on, in forty growing steps
    assert intervals.profile(one, np.zeros(1), 0, 0.0)[1] == pytest.approx(2e-9 * (1.5**40 - 1), rel=1e-9)


def test_profiles_scale_with_the_residuals_and_end_at_bounds() -> None:
    design = np.column_stack([np.ones(5), np.arange(5.0)])
    value = np.array([0.0, 3.0, -2.0, 4.0, 9.0])
    problem = Linear(design, value)
    x = problem.solve(np.zeros(2))
    scale = np.sqrt(problem.chi2(x) / 3)
    for place in (0, 1):
        half = Z95 * scale * np.sqrt(problem.covariance(x)[place, place])
        low, high = intervals.profile(problem, x, place, half)
        assert (low, high) == pytest.approx((x[place] - half, x[place] + half), rel=1e-3)
    problem.bounds = (np.array([x[0] - 0.3, -np.inf]), np.array([x[0] + 0.2, np.inf]))
    assert intervals.profile(problem, x, 0, 5.0) == pytest.approx((x[0] - 0.3, x[0] + 0.2), rel=1e-12)


def test_what_is_wider_than_allowed_is_held_the_widest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("a", "b", "c")
    sigma = np.array([1.0, 2.0, 3.0])

    def made(kept: list[FitParameter]) -> Linear:
        places = [names.index(p.path) for p in kept]
        return Linear(
            np.eye(3)[:, places], [0.0, 0.0, 0.0], sigma, free=kept, everything=every, fixed=["held"]
        )

    # widths 3.92, 7.84, 11.76; in units of what is allowed 0.98, 1.57, 1.68
    every = [
        parameter("a", widest=4.0),
        parameter("b", widest=5.0),
        parameter("c", widest=7.0),
        parameter("held"),
    ]
    monkeypatch.setattr(intervals, "silent", lambda p, _: "no word" if p.path == "mute" else None)
    monkeypatch.setattr(intervals, "copied", lambda _, __, kept, **___: made(kept))
    every.append(parameter("mute"))
    start = made(every[:3])
    found, x, openly = intervals.determined(start, np.zeros(3))
    assert [p.path for p in found.free] == ["a"]
    assert x.shape == (1,)
    assert [(one.parameter.path, one.reason) for one in openly] == [
        ("mute", "no word"),
        ("held", "held by the data file"),
        ("c", "the data leave it open between -5.88 and 5.88"),
        ("b", "the data leave it open between -3.92 and 3.92"),
    ]


@pytest.mark.parametrize(("widest", "kept"), [(np.exp(3.91), False), (np.exp(3.93), True)])
def test_a_logarithmic_parameter_is_judged_by_the_ratio(
    monkeypatch: pytest.MonkeyPatch, widest: float, kept: bool
) -> None:
    p = parameter("a", logarithmic=True, widest=float(widest))
    one = Linear([[1.0], [0.0]], [0.0, 0.0], free=[p])
    monkeypatch.setattr(intervals, "silent", lambda *_: None)
    empty = Linear(np.zeros((2, 0)), [0.0, 0.0], free=[])
    monkeypatch.setattr(intervals, "copied", lambda *_, **__: empty)
    found, _, openly = intervals.determined(one, np.zeros(1))
    assert (found is one) == kept
    assert [o.reason for o in openly] == ([] if kept else ["the data leave it open between 0.141 and 7.1"])


def test_a_width_ends_at_the_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "silent", lambda *_: None)
    p = parameter("a", widest=2.0)
    one = Linear(np.eye(2)[:, :1], [0.0, 0.0], free=[p], bounds=(-0.9, 0.9))
    assert intervals.determined(one, np.zeros(1))[0] is one


@pytest.mark.parametrize(
    ("devices", "rows", "profiled"), [(1, 400, True), (1, 401, False), (MANY_DEVICES, 400, False)]
)
def test_what_is_open_is_found_by_profiles_of_few_devices_and_readings(
    monkeypatch: pytest.MonkeyPatch, devices: int, rows: int, profiled: bool
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(intervals, "_widths", lambda *_, profiled: asked.append(profiled) or [])
    monkeypatch.setattr(intervals, "silent", lambda *_: None)
    some = Linear(np.ones((rows, 1)), np.zeros(rows), free=[parameter()], devices=list(range(devices)))
    intervals.determined(some, np.zeros(1))
    assert asked == [profiled]


@pytest.mark.parametrize(("rows", "profiled"), [(400, True), (401, False)])
def test_intervals_of_few_readings_are_profiles(rows: int, profiled: bool) -> None:
    one = Linear(np.ones((rows, 1)), np.tile([1.0, -1.0], rows)[:rows], free=[parameter()])
    found, correlation, inflation, rho = intervals.intervals(one, one.solve(np.zeros(1)))
    assert found[0].profiled == profiled
    assert (inflation, rho) == (1.0, 0.0)
    assert correlation == pytest.approx(np.ones((1, 1)))
    half = Z95 * np.sqrt(max(1.0, one.chi2(one.solve(np.zeros(1))) / (rows - 1)) / rows)
    assert found[0].interval[1] - found[0].value == pytest.approx(half, rel=1e-3)
    assert found[0].value - found[0].interval[0] == pytest.approx(half, rel=1e-3)


def test_correlated_residuals_widen_intervals() -> None:
    """Residuals that repeat: lag-one products 1 and -1 by hand."""
    pattern = np.array([1.0, 1.0, 1.0, -1.0, -1.0, -1.0] * 10)
    # 60 residuals: 40 pairs alike, 19 unlike
    one = Linear(np.zeros((60, 1)) + 1e-9, pattern, free=[parameter()])
    assert intervals._autocorrelation(one, np.zeros(1)) == pytest.approx(21 / 60, rel=1e-6)
    one.design = np.ones((60, 1))
    _, _, inflation, rho = intervals.intervals(one, np.zeros(1))
    assert rho == pytest.approx(0.35, rel=1e-9)
    assert inflation == pytest.approx(np.sqrt(1.35 / 0.65), rel=1e-9)
    found = intervals.intervals(one, np.zeros(1))[0][0]
    plain = Z95 * intervals.scale(one, np.zeros(1)) / np.sqrt(60)
    assert found.interval[1] == pytest.approx(plain * inflation, rel=1e-3)
    assert found.interval[0] == pytest.approx(-plain * inflation, rel=1e-3)
    one.devices = [f"d{k}" for k in range(5)]
    assert intervals.intervals(one, np.zeros(1))[2] == 1.0
    assert not intervals.intervals(one, np.zeros(1))[0][0].profiled


@pytest.mark.parametrize(("count", "rho"), [(29, 0.0), (30, 0.95)])
def test_neighbours_count_in_records_of_thirty_readings(count: int, rho: float) -> None:
    one = Linear(np.zeros((count, 1)), np.ones(count), 0.5)
    assert intervals._autocorrelation(one, np.zeros(1)) == pytest.approx(rho)  # 29/30, at most 0.95
    alternating = Linear(np.zeros((count, 1)), np.tile([1.0, -1.0], count)[:count])
    assert intervals._autocorrelation(alternating, np.zeros(1)) == 0.0
    still = Linear(np.zeros((count, 1)), np.zeros(count))
    assert intervals._autocorrelation(still, np.zeros(1)) == 0.0


def test_autocorrelation_sums_over_records_and_skips_what_is_unused() -> None:
    rng = np.random.default_rng(5)
    value = np.convolve(rng.normal(size=101), [1.0, 0.6], "valid")
    one = Linear(np.zeros((100, 1)), value, 0.7, cuts=[40])
    one.used[[3, 50]] = False
    first, second = (np.delete(value[:40], 3), np.delete(value[40:], 10))
    products = sum(float(r[1:] @ r[:-1]) for r in (first, second))
    expected = products / sum(float(r @ r) for r in (first, second))
    assert 0.1 < expected < 0.95
    assert intervals._autocorrelation(one, np.zeros(1)) == pytest.approx(expected, rel=1e-12)


def test_parameters_of_each_device_have_the_interval_of_their_mean() -> None:
    each, shared = parameter("each"), parameter("shared")
    devices = ["a", "b", "c"]
    design = np.zeros((9, 4))
    design[np.arange(9), np.arange(9) // 3] = 1.0
    design[:, 3] = np.tile([-1.0, 0.0, 2.0], 3)
    value = np.array([1.0, 2.0, 4.0, 2.0, 4.0, 5.0, 7.0, 7.0, 8.0])
    problem = Linear(
        design,
        value,
        0.8,
        devices=devices,
        free=[each, shared],
        columns=[(each, 0), (each, 1), (each, 2), (shared, -1)],
    )
    x = problem.solve(np.zeros(4))
    found, correlation, _, _ = intervals.intervals(problem, x)
    assert [one.parameter for one in found] == [each, shared]
    mean, deviation = x[:3].mean(), np.sqrt(((x[:3] - x[:3].mean()) ** 2).sum() / 2)
    half = 4.302652729911275 * deviation / np.sqrt(3)  # t, two degrees of freedom
    assert found[0].value == pytest.approx(mean, rel=1e-12)
    assert found[0].interval == pytest.approx((mean - half, mean + half), rel=1e-9)
    assert found[0].devices == pytest.approx(dict(zip(devices, x[:3], strict=True)))
    assert not found[0].profiled
    assert found[1].devices == {}
    covariance = problem.covariance(x)
    mixed = covariance[:3, 3].mean()
    expected = mixed / np.sqrt(covariance[:3, :3].mean() * covariance[3, 3])
    np.testing.assert_allclose(correlation, [[1.0, expected], [expected, 1.0]], rtol=1e-9)


def test_cross_validation_of_few_readings_leaves_out_one_at_a_time() -> None:
    problem, x = generic(rows=16, seed=3)
    problem.used[4] = False
    x = problem.solve(x)
    jacobian = problem.jacobian(x)
    hat = np.diag(jacobian @ np.linalg.inv(jacobian.T @ jacobian) @ jacobian.T)
    assert hat.max() < 0.99
    left = problem.residual(x) / (1.0 - hat)  # closed form of leave-one-out for linear models
    assert forms._cross_validation(problem, x) == pytest.approx(np.sqrt(np.mean(left**2)), rel=1e-9)
    assert problem.used.sum() == 15


def test_a_reading_that_alone_fixes_a_parameter_is_not_predicted() -> None:
    design = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    problem = Linear(design, [5.0, 1.0, 2.0, 4.5])
    x = problem.solve(np.zeros(2))
    left = [1.0 - 3.25, 2.0 - 2.75, 4.5 - 1.5]
    assert forms._cross_validation(problem, x) == pytest.approx(np.sqrt(np.sum(np.square(left)) / 3))


@pytest.mark.parametrize("rows", [30, 31, 128])
def test_cross_validation_in_blocks_of_ten_and_five_parts(rows: int) -> None:
    problem, x = generic(rows=rows, seed=7)
    problem.response.value[3] += 1e3  # counts with a hundred deviations at most
    x = problem.solve(x)
    part = np.arange(rows) if rows <= 30 else (np.arange(rows) // 10) % 5
    total = 0.0
    for k in range(part.max() + 1):
        rest, out = part != k, part == k
        weight = 1.0 / problem.sigma
        y = np.linalg.lstsq(
            (problem.design * weight[:, None])[rest], (problem.response.value * weight)[rest], rcond=None
        )[0]
        total += np.minimum(((problem.design @ y - problem.response.value) * weight)[out] ** 2, 1e4).sum()
    assert forms._cross_validation(problem, x) == pytest.approx(np.sqrt(total / rows), rel=1e-9)


@pytest.mark.parametrize("stated", [1.0, np.nan])
def test_information_criteria(stated: float) -> None:
    problem, x = generic(rows=20, seed=1, stated=stated)
    problem.used[6] = False
    problem.response.is_hall[2] = False
    found = forms._comparison("mine", problem, x)
    chi2 = problem.chi2(x)
    likelihood = chi2 if stated == 1.0 else 19 * np.log(chi2 / 19)
    assert (found.name, found.parameters, found.chi2) == ("mine", 3, pytest.approx(chi2))
    assert found.aic == pytest.approx(likelihood + 6.0, rel=1e-12)
    assert found.bic == pytest.approx(likelihood + 3 * np.log(19), rel=1e-12)
    away = np.abs(problem.design @ x - problem.response.value)
    assert found.largest == pytest.approx(np.delete(away, [2, 6]).max(), rel=1e-12)
    problem.response.is_hall[:] = False
    assert forms._comparison("mine", problem, x).largest == 0.0


def test_range_of_a_fraction_that_other_readings_allow() -> None:
    """One other reading of deviation 0.05 says 0.5: forced away by d, chi^2 rises by (d/0.05)^2."""
    problem = Linear([[1.0], [1.0], [0.0]], [0.5, 0.9, 0.3], [0.05, 1e4, 1.0])
    low, high = forms._allowed_fraction(problem, np.array([0.5]), 1)
    # 1.96*0.05 = 0.098: four steps of 0.02 are allowed, five are not
    assert (low, high) == pytest.approx((0.42, 0.58), abs=1e-4)
    assert (problem.sigma[1], problem.response.value[1]) == (1e4, 0.9)
    problem.sigma[0] = 10.0  # anything goes: to the last step inside 0.005 and 0.995
    low, high = forms._allowed_fraction(problem, np.array([0.5]), 1)
    assert (low, high) == pytest.approx((0.02, 0.98), abs=1e-9)


def test_draws_begin_with_the_default() -> None:
    drawn = list(forms._draws(3))
    assert [one is None for one in drawn] == [True, False, False]
    assert drawn[1] is drawn[2]
    assert drawn[1].random() == np.random.default_rng(1).random()  # type: ignore[union-attr]


def flat(value: Any, **more: Any) -> Linear:
    """A law that predicts zero for these readings."""
    read = np.asarray(value, dtype=float)
    return Linear(np.zeros((len(read), 1)), read, **more)


def noisy(count: int, seed: int = 0, sigma: float = 1e-3) -> Any:
    return np.random.default_rng(seed).normal(0.0, sigma, count)


def swinging(value: Any, **more: Any) -> Linear:
    """A law that predicts a swing of one ohm, and readings that are this much off."""
    swing = np.arange(len(value)) % 2 * 1.0
    problem = flat(swing + value, **more)
    problem.predicted = lambda _: swing  # type: ignore[method-assign]
    return problem


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("at", [15, 33, 65])
def test_a_step_is_found_where_it_is(sign: float, at: int) -> None:
    problem = swinging(noisy(80) + sign * 0.02 * (np.arange(80) >= at))
    assert screening._steps(problem, np.zeros(1)) == {"r0": at}
    problem.used[5:8] = False  # the place counts all readings
    found = screening._steps(problem, np.zeros(1))
    assert found == {"r0": at} if at > 17 else found


def test_steps_need_long_records_of_pulses_with_noise() -> None:
    for count, kind, found in (
        (59, RecordKind.LOOP, False),
        (60, RecordKind.LOOP, True),
        (60, RecordKind.TRAIN, True),
        (60, RecordKind.FIELD_LOOP, False),
    ):
        value = noisy(count) + 0.02 * (np.arange(count) >= 30)
        assert bool(screening._steps(swinging(value, kind=kind), np.zeros(1))) == found
    assert screening._steps(swinging((np.arange(80) >= 40) * 0.0625), np.zeros(1)) == {}  # no noise, no scale
    second = np.concatenate([noisy(70), noisy(70, 1) + 0.02 * (np.arange(70) >= 40)])
    assert screening._steps(swinging(second, cuts=[70]), np.zeros(1)) == {"r1": 40}


@pytest.mark.parametrize(("share", "found"), [(0.97, False), (1.03, True)])
def test_a_step_is_eight_standard_errors_of_two_medians(share: float, found: bool) -> None:
    """Medians of 15 readings have 1.25 sigma/sqrt(15) each; the readings alternate, so that the medians are known."""
    count = 200
    value = np.tile([1.0, -1.0, 0.0, 0.5, -0.5], 40) * 1e-3
    jump = share * 8.0 * 1.25 * noise_of(value) * np.sqrt(2.0 / 15)
    stepped = value + jump * (np.arange(count) >= 100)
    assert noise_of(stepped) == pytest.approx(noise_of(value), rel=1e-9)
    assert bool(screening._steps(swinging(stepped), np.zeros(1))) == found


def test_a_step_of_more_than_a_tenth_of_the_span_is_switching() -> None:
    for height, found in (
        (0.095, True),
        (-0.095, True),
        (0.12, False),
        (-0.12, False),
    ):  # of a swing of about 1.1 ohm
        problem = swinging(noisy(80) + height * (np.arange(80) >= 40))
        assert bool(screening._steps(problem, np.zeros(1))) is found


def test_a_stated_error_is_the_least_noise() -> None:
    value = noisy(80) + 0.02 * (np.arange(80) >= 40)
    for stated, found in ((1e-3, True), (0.02, False)):  # 8 * 1.25 * 0.02 * sqrt(2/15) = 0.073
        assert bool(screening._steps(swinging(value, stated=stated), np.zeros(1))) is found


def misfit(size: list[float], window: Any = 2.0) -> Linear:
    """Devices of three readings each, with residuals of this size over the window."""
    value = np.repeat(np.array(size) * window, 3) * np.tile([1.0, -1.0, 1.0], len(size))
    problem = flat(value, devices=[f"d{k}" for k in range(len(size))])
    problem.device_of_row = np.repeat(np.arange(len(size)), 3)
    problem.values = lambda _: {"delta_r": window}
    return problem


@pytest.mark.parametrize(
    ("worst", "others", "broken"),
    [(0.061, 0.01, True), (0.059, 0.01, False), (0.031, 0.002, True), (0.029, 0.002, False)],
)
def test_broken_devices(worst: float, others: float, broken: bool) -> None:
    sizes = [others, others, worst, others, others]
    found = screening._misfits(misfit(sizes), np.zeros(1))
    assert found == ({"d2": pytest.approx(worst / others, rel=1e-12)} if broken else {})
    assert screening._misfits(misfit(sizes[1:]), np.zeros(1)) == {}  # four devices are too few
    empty = misfit(sizes)
    empty.used[:3] = False
    assert ("d2" in screening._misfits(empty, np.zeros(1))) == broken


def test_noise_is_renewed_where_it_was_not_stated() -> None:
    value = np.concatenate([noisy(30, 1), noisy(29, 2), noisy(12, 3), noisy(5, 4)])
    problem = flat(value, cuts=[30, 59, 71])
    problem.sigma[:] = 7.0
    problem.response.sigma = np.where(np.arange(76) >= 71, 0.5, np.nan)
    problem.used[[3, 31]] = False
    problem.used[0:1] = True
    # 29 of 30 are used: too few for a median of their own, so the first three records share one estimate
    screening._renew_sigma(problem, np.zeros(1))
    pooled = np.delete(value[:71], [3, 31])
    expected = np.sqrt(np.sum(pooled**2) / (69 * (1.0 - 1 / 74)))
    np.testing.assert_allclose(problem.sigma, [expected] * 71 + [7.0] * 5, rtol=1e-12)
    problem.used[3] = True
    screening._renew_sigma(problem, np.zeros(1))
    pooled = np.delete(value[30:71], [1])
    expected = np.sqrt(np.sum(pooled**2) / (40 * (1.0 - 1 / 75)))
    own = np.median(np.abs(value[:30])) / 0.6745
    np.testing.assert_allclose(problem.sigma, [own] * 30 + [expected] * 41 + [7.0] * 5, rtol=1e-12)


def test_noise_of_a_perfect_or_a_single_reading() -> None:
    perfect = flat(np.zeros(8))
    screening._renew_sigma(perfect, np.zeros(1))
    assert perfect.sigma.tolist() == [1e-15] * 8
    single = flat([0.25])  # one reading, one coordinate: not less than one is left
    screening._renew_sigma(single, np.zeros(1))
    assert single.sigma.tolist() == [0.25]


@pytest.mark.parametrize(("rms", "refused"), [(0.099, False), (0.101, True)])
def test_a_law_that_misses_a_tenth_of_the_span_is_no_fit(rms: float, refused: bool) -> None:
    """Readings 0 and 1; predicted `rms` beside them."""
    problem = Linear(np.column_stack([np.tile([0.0, 1.0], 10), np.ones(20)]), np.tile([0.0, 1.0], 10))
    x = np.array([1.0, rms])
    if refused:
        with pytest.raises(FitError, match="no fit"):
            screening.check_described(problem, x)
    else:
        assert screening.check_described(problem, x) == []
    problem.response.is_hall[:] = False
    assert screening.check_described(problem, x) == []
    constant = flat(np.full(20, 0.3))
    assert screening.check_described(constant, np.zeros(1)) == []  # without a span there is no share of it


@pytest.mark.parametrize(
    ("count", "ratio", "kind", "told"),
    [
        (60, 3.1, RecordKind.LOOP, True),
        (60, 2.9, RecordKind.LOOP, False),
        (59, 3.1, RecordKind.LOOP, False),
        (60, 3.1, RecordKind.TRAIN, False),
    ],
)
def test_a_poor_law_is_told(count: int, ratio: float, kind: RecordKind, told: bool) -> None:
    value = noisy(count)
    problem = Linear(value[:, None], value, ratio * noise_of(value), kind=kind)
    found = screening.check_described(problem, np.ones(1))
    assert found == (
        ["r0: its residuals are 3.1 times its noise; the law misses part of it."] if told else []
    )
    still = Linear(np.zeros((count, 1)), np.zeros(count), 9.0, kind=kind)
    assert screening.check_described(still, np.zeros(1)) == []
