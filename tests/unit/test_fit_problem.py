"""Parameters, artefacts and residuals of a fit, and the card it gives, against direct computation."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

from compact_model import stack, switching, synapse
from compact_model.cards.device import DeviceCard, FitRecord, load_card
from compact_model.constants import OERSTED
from compact_model.fit import fitted_card as cards
from compact_model.fit import fitting, forms
from compact_model.fit.data_size import _artefacts
from compact_model.fit.parameters import candidates, silent
from compact_model.fit.problem import Problem, copied
from compact_model.fit.regions import regions
from compact_model.fit.screening import prepared
from compact_model.measured.records import DataSet, Record
from compact_model.measured.response import ThresholdForm
from compact_model.measured.tables import FitChoices, RecordKind, Start

CARD = load_card()
UP_DOWN = np.array([11.0, 12.5, 14.0, 15.5, 10.0, -11.0, -13.0, -16.0, 12.0, 13.0]) * 1e-3


def pulses(current: Any = UP_DOWN, **changes: Any) -> Record:
    i = np.asarray(current, dtype=float)
    made = Record(
        name="one",
        kind=RecordKind.LOOP,
        device="a",
        start=Start.PLUS,
        t_oxide=0.5e-9,
        current=i,
        t_pulse=np.full(len(i), 2e-4),
        h=np.zeros(len(i)),
        value=0.33 + 0.02 * np.sin(np.arange(len(i))),
        sigma=np.linspace(1e-3, 2e-3, len(i)),
        drift=False,
        even=False,
    )
    return replace(made, **changes)


def data_of(*records: Record, **choices: Any) -> DataSet:
    return DataSet(
        name="x",
        description="",
        synthetic=False,
        card=CARD,
        records=records,
        excluded=(),
        artefacts=(),
        choices=FitChoices(**choices),
        sha256="0123456789abcdef",
    )


def problem_of(
    *records: Record, names: tuple[str, ...] = ("r_reset", "delta_r", "j63"), **more: Any
) -> Problem:
    data = data_of(*records, **more.pop("choices", {}))
    thermal = more.pop("electrothermal", False)
    form = more.pop("form", ThresholdForm.WEIBULL)
    free = [p for p in candidates(CARD, data, form, electrothermal=thermal) if p.symbol in names]
    return Problem(data, form, free, electrothermal=thermal, **more)


@pytest.mark.parametrize("thermal", [False, True])
def test_bounds_and_widths_of_all_parameters(thermal: bool) -> None:
    law = CARD.switching.set_b if thermal else CARD.switching.set_a
    data = data_of(pulses(), pulses(t_oxide=0.7e-9))
    found = {p.symbol: p for p in candidates(CARD, data, ThresholdForm.WEIBULL, electrothermal=thermal)}
    j63, window, c, f = law.j63.value, law.delta_r.value, CARD.switching, CARD.fields
    wall, h_int, h_dmi = c.t_wall.value, f.h_int.value, f.h_dmi.value
    theta, anchor = CARD.transport.theta_sh.value, f"drive@{0.7e-9!r}"
    drive = CARD.thickness.field_free_drive_b if thermal else CARD.thickness.field_free_drive_a
    at_07 = next(a.value for a in drive if a.t_oxide == pytest.approx(0.7e-9))
    expected = {
        "r_reset": (0.33, -1e3, 1e3, np.inf, False),
        "delta_r": (window, window / 1e4, window * 1e4, 3.0, True),
        "j63": (j63, j63 / 30, j63 * 30, 3.0, True),
        "shape": (law.shape.value, 0.3, 30.0, 3.0, True),
        "u0": (law.u0.value, 0.0, 0.9, 0.25, False),
        "delta": (c.delta.value, 25.0, 400.0, 3.0, True),
        "t_wall": (wall, wall / 300, wall * 300, 4.0, True),
        "h_int": (h_int, OERSTED, h_int * 50, 3.0, True),
        "h_dmi": (h_dmi, 10 * OERSTED, h_dmi * 50, 3.0, True),
        anchor: (at_07, 0.0, 4.0, 0.6, False),
        "theta": (theta, theta / 100, theta * 100, 3.0, True),
        "rho": (90e-8, 9e-8, 900e-8, 3.0, True),
    }
    assert list(found) == list(expected)
    for symbol, p in found.items():
        numbers = (p.default, p.low, p.high, p.widest, p.logarithmic)
        assert numbers == pytest.approx(expected[symbol], rel=1e-9, abs=0), symbol
    assert (found["rho"].anchor, found[anchor].anchor) == (0.5e-9, 0.7e-9)
    assert found["rho"].name == "thickness.rho(0.5 nm)"
    assert found[anchor].path == f"thickness.field_free_drive_{'b' if thermal else 'a'}"
    assert found["j63"].path == f"switching.set_{'b' if thermal else 'a'}.j63"


def test_other_forms_start_beside_the_card() -> None:
    def of(form: ThresholdForm) -> dict[str, float]:
        made = candidates(CARD, data_of(pulses()), form, electrothermal=False)
        return {
            f"{p.symbol} {k}": getattr(p, k)
            for p in made[2 : len(made) - 6]
            for k in ("default", "low", "high")
        }

    j = 2.319e11
    assert list(of(ThresholdForm.LINEAR).values()) == pytest.approx(
        [0.45 * j, 0.015 * j, 13.5 * j, 0.87 * j, 0.029 * j, 26.1 * j], rel=1e-9
    )
    assert of(ThresholdForm.LOGNORMAL) == pytest.approx(
        {
            "j50 default": 0.9 * j,
            "j50 low": 0.03 * j,
            "j50 high": 27 * j,
            "sigma default": 0.3,
            "sigma low": 0.02,
            "sigma high": 2.0,
        },
        rel=1e-9,
    )


def said(symbol: str, *records: Record) -> str | None:
    data = data_of(*records, pulses(t_oxide=0.7e-9))
    p = next(
        p for p in candidates(CARD, data, ThresholdForm.WEIBULL, electrothermal=False) if p.symbol == symbol
    )
    return silent(p, records)


def test_what_records_say_nothing_of() -> None:
    def lengths(*t: float) -> Record:
        return pulses(UP_DOWN[: len(t)], t_pulse=np.array(t))

    assert said("delta", lengths(1e-6, 2.9e-6)) == (
        "pulse width: all pulses are 1e-06..2.9e-06 s long, so nothing says how thresholds depend on it"
    )
    assert "all pulses are 0.0002 s long" in str(said("delta", pulses()))
    assert said("delta", lengths(1e-6, 3.1e-6)) is None
    assert said("t_wall", lengths(1e-6, 2.9e-6)) is not None
    assert said("t_wall", lengths(1.9e-6, 1e-5)) is None
    assert "the shortest pulse is 2.1e-06 s" in str(said("t_wall", lengths(2.1e-6, 1e-5)))
    for symbol in ("h_int", "h_dmi"):
        assert said(symbol, pulses(h=np.full(10, -200 * OERSTED))) == (
            "in-plane field: all pulses were applied at 200 Oe"
        )
        opposite = np.where(np.arange(10) % 2, 1.0, -1.0)
        assert said(symbol, pulses(h=opposite * 200 * OERSTED)) is not None  # one magnitude
        assert said(symbol, pulses(h=opposite * 200 * OERSTED), pulses()) is None
        for share, silenced in (
            (1.02, True),
            (1.03, False),
        ):  # of 200 Oe: one field of a gaussmeter, two fields
            near = pulses(h=np.where(np.arange(10) < 5, 200 * OERSTED, 200 * OERSTED / share))
            assert (said(symbol, near) is not None) is silenced
    assert said("theta", pulses()) is not None
    assert said("theta", pulses(kind=RecordKind.SHIFT)) is None
    assert said("rho", pulses()) is not None
    assert said("rho", pulses(kind=RecordKind.ENERGY)) is None
    for symbol in ("r_reset", "delta_r"):
        assert said(symbol, pulses(kind=RecordKind.FRACTION)) is not None
        for kind in (RecordKind.LOOP, RecordKind.TRAIN, RecordKind.FIELD_LOOP):
            assert said(symbol, pulses(kind=kind)) is None
    assert said("j63", pulses(kind=RecordKind.SHIFT)) == "no switching pulses were measured"
    assert said("j63", pulses(kind=RecordKind.FRACTION)) is None


def test_artefacts_are_columns_of_their_record() -> None:
    first = pulses(drift=True, even=True)
    second = pulses(UP_DOWN[:7], name="two", device="b", kind=RecordKind.TRAIN, start=Start.UNKNOWN)
    third = pulses(UP_DOWN[:3], name="three", device="b", kind=RecordKind.FRACTION, drift=True, even=True)
    problem = problem_of(first, second, third, steps={"one": [4, 6], "two": [2]})
    assert problem.nuisance_names == [
        ("one", "drift"),
        ("one", "even"),
        ("one", "step"),
        ("one", "step"),
        ("two", "step"),
    ]
    expected = np.zeros((20, 5))
    expected[:10, 0] = np.arange(10) / 9 - 0.5
    expected[:10, 1] = (UP_DOWN / 16e-3) ** 2
    expected[4:10, 2] = 1.0
    expected[6:10, 3] = 1.0
    expected[12:17, 4] = 1.0
    np.testing.assert_allclose(problem.nuisance, expected, rtol=1e-12)
    # two devices: two offsets, one window, one threshold
    assert [(p.symbol, d) for p, d in problem.columns] == [
        ("r_reset", 0),
        ("r_reset", 1),
        ("delta_r", -1),
        ("j63", -1),
    ]
    assert problem.size == 9
    # readings 10.. of an unknown start are used from the largest current on: 15.5
    assert np.flatnonzero(~problem.used).tolist() == [10, 11, 12]
    assert problem.dof == 20 - 3 - 9
    x = 0.1 * np.arange(1, 10)
    x[2:4] = np.log([0.3, 2.3e11])
    values = problem.values(x)
    np.testing.assert_allclose(values["r_reset"], np.repeat([0.1, 0.2], 10))
    assert values["delta_r"] == pytest.approx(0.3)
    assert values["j63"] == pytest.approx(2.3e11)
    np.testing.assert_allclose(
        problem.predicted(x) - problem.response.predicted(values), expected @ x[4:], atol=1e-12
    )
    np.testing.assert_allclose(
        problem.residual(x),
        ((problem.predicted(x) - problem.response.value) / problem.sigma)[problem.used],
    )
    low, high = problem.bounds
    np.testing.assert_allclose(low[:4], [-1e3, -1e3, np.log(0.2732e-4), np.log(2.319e11 / 30)])
    np.testing.assert_allclose(high[:4], [1e3, 1e3, np.log(0.2732e4), np.log(2.319e11 * 30)])
    assert np.all(low[4:] == -np.inf)
    assert np.all(high[4:] == np.inf)
    again = copied(problem, ThresholdForm.LINEAR, problem.free[:2], electrothermal=True)
    np.testing.assert_array_equal(again.nuisance, problem.nuisance)
    np.testing.assert_array_equal(again.bounds[0], np.delete(low, 3))
    np.testing.assert_array_equal(again.bounds[1], np.delete(high, 3))
    assert again.electrothermal
    again.used[:] = False
    assert problem.used.sum() == 17
    table = list(fitting._artefact_table(problem, x))
    deviation = np.sqrt(np.diag(problem.covariance(x)))
    assert [one.record for one in table] == ["one", "two"]
    assert (table[0].drift, table[0].even, table[0].steps) == (x[4], x[5], 2)
    assert (table[0].drift_error, table[0].even_error) == pytest.approx((deviation[4], deviation[5]))
    bare = table[1]
    assert (bare.drift, bare.drift_error, bare.even, bare.even_error) == (0.0, 0.0, 0.0, 0.0)
    assert bare.steps == 1
    assert [_artefacts(one) for one in (first, second, third)] == [2, 0, 0]


def test_errors_that_are_not_stated_are_estimated() -> None:
    value = np.array([0.0, 1.0, 4.0, 4.0, 6.0, 6.0, 10.0])
    many = pulses(UP_DOWN[:7], value=value, sigma=None)
    few = pulses(UP_DOWN[:3], name="b", value=np.array([0.3, np.nan, 0.8]), sigma=None)
    flat = pulses(UP_DOWN[:2], name="c", value=np.array([-0.4, -0.4]), sigma=None)
    zero = pulses(UP_DOWN[:2], name="d", value=np.zeros(2), sigma=None)
    part = pulses(UP_DOWN[:3], name="e", value=np.array([0.3, 0.5, 0.8]), sigma=np.array([0.7, np.nan, 0.9]))
    problem = problem_of(many, few, flat, zero, part)
    noise = 2.0 / (0.6745 * np.sqrt(6.0))
    np.testing.assert_allclose(
        problem.sigma, [noise] * 7 + [0.01] * 3 + [0.008] * 2 + [1.0] * 2 + [0.7, 0.01, 0.9], rtol=1e-12
    )
    assert np.flatnonzero(~problem.used).tolist() == [8]


@pytest.mark.parametrize("thermal", [False, True])
def test_jacobian_equals_central_differences(thermal: bool) -> None:
    lengths = np.geomspace(1e-6, 1e-3, 10)
    fields = 100 * OERSTED * np.arange(10) / 3
    records = [
        pulses(t_pulse=lengths, h=fields, device=device, name=device, drift=True, even=True)
        for device in ("a", "b")
    ]
    names = ("r_reset", "delta_r", "j63", "shape", "u0", "delta", "t_wall", "h_int", "h_dmi")
    choices = {"per_device": ["hall.r_reset", "switching.set_a.j63", "switching.set_b.j63"]}
    problem = problem_of(*records, names=names, choices=choices, electrothermal=thermal)
    x = problem.start()
    x += 0.01 * np.random.default_rng(0).normal(size=len(x))
    jacobian = problem.jacobian(x)
    expected = np.empty_like(jacobian)
    for k in range(problem.size):
        step = 1e-4 * np.eye(problem.size)[k]
        expected[:, k] = (problem.residual(x + step) - problem.residual(x - step)) / 2e-4
    size = np.abs(expected).max(axis=0)
    assert np.all(size > 0.0)
    np.testing.assert_allclose(jacobian / size, expected / size, atol=2e-3)
    wanted = np.array([2, 4])  # the window, and the threshold of the second device with its neighbour
    some = problem.jacobian(x, wanted)
    np.testing.assert_array_equal(some[:, 2], jacobian[:, 2])


def test_the_difference_turns_round_at_the_upper_bound() -> None:
    problem = problem_of(pulses(), names=("r_reset", "delta_r", "u0"))
    x = problem.start()
    x[2] = problem.bounds[1][2]
    asked: list[float] = []
    values = problem.values
    problem.values = lambda at: (asked.append(float(at[2])), values(at))[1]  # type: ignore[method-assign]
    problem.jacobian(x)
    assert max(asked) == problem.bounds[1][2]
    assert min(asked) == pytest.approx(0.9 - 0.9e-6, abs=1e-9)
    x[2] = 1e-5  # steps are relative, of a thousandth at least
    asked.clear()
    problem.jacobian(x)
    assert max(asked) - 1e-5 == pytest.approx(1e-9, rel=1e-3)


def test_start_scales_the_card_to_the_data() -> None:
    first = pulses(value=np.linspace(0.2, 0.5, 10))
    second = pulses(0.5 * UP_DOWN, name="two", device="b", value=np.linspace(0.4, 0.6, 10))
    problem = problem_of(first, second, names=("r_reset", "delta_r", "j63", "shape", "u0"))
    top = 16e-3 / (5e-6 * 10.8e-9)
    start = [0.2, 0.4, np.log(0.4 * 1.05), np.log(0.8 * top), np.log(2.378), 0.3]
    np.testing.assert_allclose(problem.start(), start, rtol=1e-9)
    draws = np.random.default_rng(7)
    shift = [0, 0, 0, draws.normal(0, 0.35), draws.normal(0, 0.35), draws.normal(0, 0.1)]
    np.testing.assert_allclose(problem.start(np.random.default_rng(7)), np.add(start, shift), rtol=1e-9)
    each = problem_of(first, second, names=("delta_r",), choices={"per_device": ["switching.set_a.delta_r"]})
    np.testing.assert_allclose(each.start(), np.log([0.3 * 1.05, 0.2 * 1.05]), rtol=1e-9)
    for form, names, ratio in (
        (ThresholdForm.LINEAR, ("j0", "j_width"), (0.45, 0.87)),
        (ThresholdForm.LOGNORMAL, ("j50",), (0.9,)),
    ):
        made = problem_of(first, names=names, form=form)
        np.testing.assert_allclose(made.start(), np.log(np.multiply(ratio, 0.8 * top)), rtol=1e-9)
    u0 = problem_of(first, names=("u0",))
    assert u0.start(_Far())[0] == 0.0


class _Far(np.random.Generator):
    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def normal(self, *_: Any) -> Any:
        return -9.0


def made_of(problem: Problem, x: Any, seed: int = 0) -> None:
    """Readings that the law gives at `x`, with their errors."""
    noise = np.random.default_rng(seed).normal(0.0, problem.sigma)
    problem.response.value[:] = problem.predicted(x) + noise


def two_devices() -> tuple[Problem, Any]:
    records = [
        pulses(np.tile(UP_DOWN, 3), device=device, name=device, drift=True, even=True)
        for device in ("a", "b", "c", "d", "e")
    ]
    problem = problem_of(*records, names=("r_reset", "delta_r", "j63", "shape"))
    x = problem.start()
    x[:5], x[5:8] = [0.3, 0.32, 0.34, 0.36, 0.38], np.log([0.28, 2.3e11, 2.4])
    x[8:] = np.linspace(-3e-3, 3e-3, 10)
    made_of(problem, x)
    return problem, x


def test_projected_least_squares_equal_the_whole_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    problem, truth = two_devices()
    full = problem.solve(problem.start())
    reference = optimize.least_squares(problem.residual, truth, x_scale="jac", xtol=1e-14, ftol=1e-14)
    deviation = np.sqrt(np.diag(np.linalg.inv(reference.jac.T @ reference.jac)))
    assert np.abs((full - reference.x) / deviation).max() < 0.01
    monkeypatch.setattr("compact_model.fit.problem.MANY_COLUMNS", 5)
    projected = problem.solve(problem.start())
    assert np.abs((projected - reference.x) / deviation).max() < 0.01
    held = problem.solve(problem.start(), held={6: float(truth[6]) + 0.01, 0: 0.31})
    assert (held[6], held[0]) == (truth[6] + 0.01, 0.31)
    best = problem.best(2, "linear")
    assert np.abs((best - reference.x) / deviation).max() < 0.01


def test_covariance_is_the_inverse_normal_matrix_or_that_of_clusters() -> None:
    problem, x = two_devices()
    jacobian = problem.jacobian(x)
    inverse = np.linalg.inv(jacobian.T @ jacobian)
    device = problem.device_of_row[problem.used]
    meat = np.zeros_like(inverse)
    for d in range(5):
        gradient = jacobian[device == d].T @ problem.residual(x)[device == d]
        meat += np.outer(gradient, gradient)
    size = np.sqrt(np.outer(np.diag(inverse), np.diag(inverse)))
    np.testing.assert_allclose(
        problem.covariance(x) / size, inverse @ meat @ inverse * 1.25 / size, atol=1e-6
    )
    few = problem_of(*problem.data.records[:4], names=("r_reset", "delta_r", "j63"))
    y = few.start()
    jacobian = few.jacobian(y)
    inverse = np.linalg.inv(jacobian.T @ jacobian)
    size = np.sqrt(np.outer(np.diag(inverse), np.diag(inverse)))
    np.testing.assert_allclose(few.covariance(y) / size, inverse / size, atol=1e-6)
    blind = problem_of(pulses(1e-3 * UP_DOWN), names=("r_reset", "delta_r"))
    assert blind.covariance(blind.start())[1, 1] > 1e6  # nothing switches: the window is unknown


def test_a_drive_of_another_thickness_and_scaled_slopes() -> None:
    records = (
        pulses(),
        pulses(name="thin", t_oxide=0.7e-9),
        pulses(name="s", kind=RecordKind.SHIFT),
        pulses(name="e", kind=RecordKind.ENERGY),
    )
    problem = problem_of(*records, names=(f"drive@{0.7e-9!r}", "theta", "rho"))
    x = np.array([0.8, np.log(3.0 * CARD.transport.theta_sh.value), np.log(2.0 * 90e-8)])
    values = problem.values(x)
    own = problem.response.own_drive
    np.testing.assert_allclose(values["drive"], np.where(np.repeat([0, 1, 0, 0], 10), 0.8, own))
    assert (values["theta"], values["rho"]) == pytest.approx((3.0, 2.0), rel=1e-9)
    base = problem.response.predicted(problem.values(problem.start()))
    found = problem.response.predicted(values)
    np.testing.assert_allclose(found[20:30], 3.0 * base[20:30], rtol=1e-9)
    np.testing.assert_allclose(found[30:], 2.0 * base[30:], rtol=1e-9)


def test_regions_are_the_expected_bridge_over_the_excess() -> None:
    rng = np.random.default_rng(3)
    current = (
        np.concatenate([np.linspace(0, 16, 13), np.linspace(15, -16, 24), np.linspace(-15, 0, 10)]) * 1e-3
    )
    count = len(current)
    records = [
        pulses(current, device=f"d{k}", name=f"d{k}", sigma=np.full(count, 1e-3), drift=True)
        for k in range(6)
    ]
    problem = problem_of(*records, names=("delta_r", "j63"))
    x = problem.start()
    x[:2] = np.log([0.2732, 2.319e11])
    s = problem.response.fractions(problem.values(x))
    own = np.repeat(rng.normal(0.0, 0.02, 6), count) * np.sin(3.0 * s)
    problem.response.value[:] = problem.predicted(x) + own + rng.normal(0.0, 1e-3, 6 * count)
    problem.used[[3, count + 7]] = False
    u = problem.response.drive(problem.values(x))[0][:count] / 2.319e11
    law = switching.switching_law(CARD)
    f = law.fraction(u)
    # s as a function of the pulses: +-F of the pulses still held, by differences of predictions
    matrix = problem.response.memories(*problem.response.drive(problem.values(x)))[0].toarray()
    bridge = np.minimum.outer(f, f) - np.outer(f, f)
    residual = problem.response.value - problem.predicted(x)
    expected = seen = degrees = 0.0
    steps: list[float] = []
    for k in range(6):
        rows = k * count + np.arange(count)
        kept = rows[problem.used[rows]]
        own = np.column_stack([np.ones(len(kept)), problem.nuisance[kept, k]])
        q = np.linalg.qr(own)[0]
        p = np.eye(len(kept)) - q @ q.T
        m = matrix[np.ix_(kept, rows)]
        expected += np.trace(p @ m @ bridge @ m.T @ p)
        seen += np.sum((p @ residual[kept]) ** 2)
        degrees += len(kept) - 2
        steps += [
            residual[b] - residual[a]
            for a, b in itertools.pairwise(kept)
            if b == a + 1 and abs(s[b] - s[a]) < 1e-4
        ]
    assert len(steps) > 20
    noise = np.median(np.abs(steps)) / 0.6745 / np.sqrt(2.0)
    excess = (seen - degrees * noise**2) / 0.2732**2
    low, high = stats.chi2.ppf([0.025, 0.975], 5) / 5
    n = expected / excess
    assert 10.0 < n < 1e4
    assert degrees * noise**2 > 0.01 * seen
    assert regions(problem, x) == pytest.approx((n, low * n, high * n), rel=1e-6)
    problem.response.value[:] = problem.predicted(x) + 1e-3 * np.tile([1.0, -1.0, 0.0], 2 * count)
    assert regions(problem, x) is None  # the noise of neighbours is more than the spread
    problem.response.value[:] = problem.predicted(x)
    assert regions(problem, x) is None  # no spread at all


def test_more_readings_than_noise_explains_nothing_means_no_regions() -> None:
    records = [pulses(device=f"d{k}", name=f"d{k}") for k in range(4)]
    problem = problem_of(*records)
    assert regions(problem, problem.start()) is None  # four devices
    odd = [*records, pulses(UP_DOWN[:9], device="d4", name="d4")]
    problem = problem_of(*odd)
    assert regions(problem, problem.start()) is None  # not measured alike


def result_of(*records: Record, **changes: Any) -> Any:
    """A result that says nothing but what is asked."""
    data = data_of(*records)
    empty = dict.fromkeys(fitting.FitResult.__dataclass_fields__)
    base = {"data": data, "fitted": (), "open": (), "correlation": np.zeros((0, 0))}
    return fitting.FitResult(**(empty | base | changes))


def test_ladder_of_a_device_reaches_what_its_largest_pulse_did() -> None:
    for current, share in ((14e-3, None), (30e-3, 0.95)):
        made = cards.fitted_card(result_of(pulses(np.array([1.0, -0.5]) * current)), "2026-01-02")
        reached = float(switching.switched_fraction(CARD, current)) if share is None else share
        np.testing.assert_allclose(
            synapse.levels(made), 0.33 + 0.2732 * np.linspace(0, reached, 6), rtol=1e-9
        )
        ladder = synapse.ladder_currents(made)
        np.testing.assert_allclose(
            switching.switched_fraction(CARD, ladder), np.linspace(0, reached, 6)[1:], rtol=1e-6
        )
        assert made.synapse.i_reset.value == ladder[-1]
    for share, kept in ((0.049, True), (0.051, False)):
        current = float(switching.programming_current(CARD, share))
        made = cards.fitted_card(result_of(pulses(np.array([0.5, -1.0]) * current)), "2026-01-02")
        assert (made.synapse.levels == CARD.synapse.levels) == kept
    thick = pulses(np.array([14e-3]), t_oxide=4e-9, kind=RecordKind.TRAIN)
    made = cards.fitted_card(result_of(thick), "2026-01-02")
    same = float(stack.current(CARD, stack.current_density(CARD, 14e-3, 4e-9)))
    top = float(switching.switched_fraction(CARD, same))
    assert synapse.levels(made)[-1] == pytest.approx(0.33 + 0.2732 * top, rel=1e-9)


def test_regions_become_a_size() -> None:
    made = cards.fitted_card(result_of(pulses(1e-3 * UP_DOWN), regions=(400.0, 100.0, 625.0)), "2026-01-02")
    size = made.reality.region_size
    assert size.value == pytest.approx(5e-6 / 20, rel=1e-12)
    assert size.interval == pytest.approx((5e-6 / 25, 5e-6 / 10), rel=1e-12)


def fitted(**entries: tuple[float, tuple[float, float]]) -> DeviceCard:
    """The shipped card with fitted values; names with two underscores for a point."""
    node = CARD.model_dump(mode="json")
    names = []
    for name, (value, interval) in entries.items():
        path = name.replace("__", ".")
        *sections, last = path.split(".")
        entry = node
        for section in sections:
            entry = entry[section]
        entry[last].update(value=value, interval=list(interval))
        names.append(path)
    node["fit"] = FitRecord(
        data="x",
        sha256="0" * 64,
        date="2026-01-02",
        parameters=tuple(names),
        correlation=tuple(tuple(row) for row in np.eye(len(names)).tolist()),
    ).model_dump(mode="json")
    return DeviceCard.model_validate(node)


def test_drawn_values_lie_a_deviate_from_the_best_on_their_side_of_the_interval() -> None:
    card = fitted(
        hall__r_reset=(0.33, (-0.1, 0.4)),
        switching__set_a__j63=(2e11, (1e11, 8e11)),
        switching__set_a__u0=(0.3, (-0.2, 1.2)),
    )

    def moved(z: list[float]) -> tuple[float, float, float]:
        made = cards._moved(card, np.array(z))
        law = made.switching.set_a
        return made.hall.r_reset.value, law.j63.value, law.u0.value

    z = 1.959964
    assert moved([z, z, 0.0]) == pytest.approx((0.4, 8e11, 0.3), rel=1e-12)
    assert moved([-z, -z, 0.0]) == pytest.approx((-0.1, 1e11, 0.3), rel=1e-12)
    assert moved([0.5 * z, 0.5 * z, 0.25 * z]) == pytest.approx((0.365, 4e11, 0.525), rel=1e-12)
    assert moved([-0.5 * z, -0.5 * z, -0.25 * z]) == pytest.approx((0.115, 2e11 / 2**0.5, 0.175), rel=1e-12)
    assert moved([0.0, 0.0, 0.9 * z])[2] == 0.9  # a threshold stays within what the law allows
    assert moved([0.0, 0.0, -z])[2] == 0.0
    both = fitted(switching__set_b__u0=(0.3, (-0.2, 1.2)))
    assert cards._moved(both, np.array([z])).switching.set_b.u0.value == 0.9
    assert cards._moved(both, np.array([-z])).switching.set_b.u0.value == 0.0
    drawn = cards.sampled_cards(card, 3, np.random.default_rng(5))
    assert len(drawn) == 3
    assert len({one.hall.r_reset.value for one in drawn}) == 3


def test_what_no_record_can_say() -> None:
    def texts(*records: Record) -> str:
        return " ".join(fitting._rest(data_of(*records)))

    alone = texts(pulses())
    assert "beyond 0.5 nm, and all but this one, are not in the data" in alone
    assert "beyond 0.7 nm are not in the data" in texts(pulses(), pulses(t_oxide=0.7e-9))
    devices = [pulses(device=f"d{k}", name=f"d{k}") for k in range(5)]
    assert "fewer than five devices" in texts(*devices[:4])
    assert "fewer than five devices" not in texts(*devices)


def test_readings_far_off_are_left_out_and_said() -> None:
    """Three loops of 20 readings by the law; one reading lies 20 deviations off."""
    problem, _ = two_devices()
    records = [
        replace(record, value=problem.response.value[block.rows].copy(), sigma=None, device="a")
        for record, block in zip(problem.data.records, problem.response.blocks, strict=True)
    ]
    value = records[1].value.copy()
    value[4] += 40 * 1.5e-3
    records[1] = replace(records[1], value=value)
    data = data_of(
        *records,
        loss="soft_l1",
        starts=1,
        fixed=["switching.set_a.u0"],
        per_device=[],
    )
    _, made, _, notes = prepared(data, electrothermal=False)
    assert np.flatnonzero(~made.used).tolist() == [34]
    assert notes[0].startswith("1 of 150 readings lie more than 5 standard deviations off")


@pytest.mark.parametrize(("share", "told"), [(0.97, False), (1.03, True)])
def test_residuals_beyond_the_stated_errors_are_told(
    monkeypatch: pytest.MonkeyPatch, share: float, told: bool
) -> None:
    """chi^2 goes as the square of the noise; 1 % of correct data lie beyond its 99 % quantile."""
    monkeypatch.setattr(fitting, "compared", lambda *_: ())
    monkeypatch.setattr("compact_model.fit.intervals.PROFILED_ROWS", 0)
    problem = problem_of(pulses(np.tile(UP_DOWN, 2)))
    clean = problem.predicted(problem.start())
    noise = np.random.default_rng(2).normal(0.0, problem.sigma)

    def fitted_with(scale: float) -> fitting.FitResult:
        record = replace(problem.data.records[0], value=clean + scale * noise)
        names = ["switching.set_a.shape", "switching.set_a.u0"]
        return fitting.fit_data(data_of(record, fixed=names, loss="linear", starts=1))

    first = fitted_with(1.0)
    assert first.dof == 20 - 3 == 20 - len(first.fitted)
    quantile = float(stats.chi2.ppf(0.99, first.dof))
    found = fitted_with(float(np.sqrt(share * quantile / first.chi2)))
    assert found.chi2 == pytest.approx(share * quantile, rel=0.02)
    assert any("larger than the stated errors" in note for note in found.notes) == told
    held = [one.parameter.path for one in found.open if one.reason == "held by the data file"]
    assert held == ["switching.set_a.shape", "switching.set_a.u0"]
    assert found.noise == pytest.approx({"one": 1.5e-3}, rel=1e-9)  # the median of 1 to 2 mohm
    assert found.regions is None


def test_a_fraction_is_predicted_by_the_readings_of_its_own_thickness() -> None:
    share = np.array([0.5])

    def one(**changes: Any) -> Record:
        return pulses([13e-3], name="f", kind=RecordKind.FRACTION, value=share, sigma=None, **changes)

    def of(*records: Record) -> list[forms.Prediction]:
        return forms.predicted(problem_of(*records))

    ladder = pulses(
        np.array([11.0, 12.0, 13.0, 14.0, 15.0, 16.0]) * 1e-3, value=np.zeros(6), sigma=np.full(6, 1e-3)
    )
    law = switching.switching_law(CARD)
    s = switching.switched_fraction(CARD, ladder.current)
    ladder = replace(ladder, value=0.33 + law.delta_r * s)
    assert of(one()) == []  # nothing else was measured
    assert of(replace(ladder, t_oxide=0.7e-9), one()) == []
    assert of(replace(ladder, t_oxide=0.7e-9), one(t_oxide=0.7e-9)) == []  # not the card's thickness
    assert of(replace(ladder, kind=RecordKind.SHIFT), one()) == []
    many = pulses(np.full(4, 13e-3), kind=RecordKind.FRACTION, value=np.full(4, 0.5))
    assert of(ladder, many) == []  # a curve, not a published point
    assert of(ladder) == []
