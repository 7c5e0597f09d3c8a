"""What a record must look like: every bound from both sides; noise and saturated ends by other routes."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.constants import mu_0
from scipy.optimize import curve_fit

from compact_model.cards.device import load_card
from compact_model.constants import OERSTED
from compact_model.measured.checks import _straightness, check_record
from compact_model.measured.records import DataSet, Exclusion, Record, noise_of, reduced_field_loop, without
from compact_model.measured.tables import (
    ClippedError,
    DisagreeingError,
    EmptyLoopError,
    LostOrderError,
    MeasurementError,
    RecordKind,
    Start,
    SwappedColumnsError,
    WrongUnitError,
)

CARD = load_card()
AREA = 5e-6 * 10.8e-9
"""Cross-section of the channel at 0.5 nm of oxide [m^2]."""
SHEET = 90e-8 / 10.8e-9
"""90 uohm cm over the thickness of the stack [ohm]."""


def record(kind: RecordKind, readings: Any, **changes: Any) -> Record:
    """A record of plausible pulses with these readings."""
    read = np.asarray(readings, dtype=float)
    made = Record(
        name="r",
        kind=kind,
        device="d",
        start=Start.PLUS,
        t_oxide=0.5e-9,
        current=np.linspace(-15e-3, 15e-3, len(read)) if len(read) > 1 else np.array([15e-3]),
        t_pulse=np.full(len(read), 2e-4),
        h=np.zeros(len(read)),
        value=read,
        sigma=None,
        drift=False,
        even=False,
    )
    return replace(made, **changes)


def train(**changes: Any) -> Record:
    return record(RecordKind.TRAIN, [0.33, 0.4, 0.57], **changes)


def passes(one: Record) -> bool:
    try:
        check_record(one, CARD)
    except WrongUnitError:
        return False
    return True


@pytest.mark.parametrize(
    ("density", "allowed"), [(0.999e9, False), (1.001e9, True), (0.999e13, True), (1.001e13, False)]
)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_densities_of_metal_channels(density: float, sign: float, allowed: bool) -> None:
    current = sign * density * AREA
    assert passes(train(current=np.array([0.2, 1.0, -0.5]) * current)) == allowed
    with pytest.raises(WrongUnitError, match="largest current is"):
        check_record(train(current=np.full(3, 1e-3 * 1e9 * AREA)), CARD)


def test_the_density_is_that_of_the_records_own_thickness() -> None:
    current = np.full(3, 1.01e13 * AREA)  # 4 nm of oxide more: 10.1/14.3 of the density
    assert not passes(train(current=current))
    assert passes(train(current=current, t_oxide=4e-9))


@pytest.mark.parametrize(
    ("lengths", "allowed"),
    [
        ((0.9e-12, 1e-6, 1.0), False),
        ((1.1e-12, 1e-6, 1.0), True),
        ((1e-12, 1e-6, 100.0), True),
        ((1e-3, 1e-6, 101.0), False),
        ((1e-3, 150.0, 1e-3), False),
    ],
)
def test_lengths_of_pulses(lengths: tuple[float, ...], allowed: bool) -> None:
    assert passes(train(t_pulse=np.array(lengths))) == allowed


@pytest.mark.parametrize(
    ("field", "allowed"),
    [(0.0, True), (0.9, False), (1.0, True), (1.5, True), (9.99 / mu_0, True), (10.01 / mu_0, False)],
)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_fields(field: float, sign: float, allowed: bool) -> None:
    assert passes(train(h=sign * np.array([0.0, field, 0.5 * field]))) == allowed


def test_hall_resistances_against_the_sheet() -> None:
    assert passes(
        train(value=np.array([0.99, 1.5, 0.2]) * SHEET)
    )  # one reading beyond is none of a wrong unit
    assert not passes(train(value=np.array([1.01, 1.5, 0.2]) * SHEET))
    assert not passes(train(value=-np.array([1.01, 1.5, 0.2]) * SHEET))
    for window, allowed in ((0.99e-5, False), (1.01e-5, True), (0.0, True)):
        assert passes(train(value=0.4 + np.array([0.0, 0.3, 1.0]) * window * SHEET)) == allowed
    with pytest.raises(WrongUnitError, match="exceed the sheet resistance of 83"):
        check_record(record(RecordKind.FIELD_LOOP, [90.0, 91.0], h=np.array([1e5, -1e5])), CARD)
    # a field loop has no pulses: nothing is asked of its current
    quiet = {"current": np.zeros(2), "t_pulse": np.zeros(2)}
    assert passes(record(RecordKind.FIELD_LOOP, [0.3, 0.5], h=np.array([1e5, -1e5]), **quiet))


@pytest.mark.parametrize(
    ("low", "high", "allowed"),
    [(-0.2, 1.2, True), (-0.21, 0.5, False), (0.3, 1.21, False), (0.1, 1.1, True), (-0.1, 0.9, True)],
)
def test_switched_fractions(low: float, high: float, allowed: bool) -> None:
    assert passes(record(RecordKind.FRACTION, [low, 0.5, high])) == allowed
    assert passes(train(value=np.array([low, 0.5, high])))  # Hall resistances have another range


def test_records_without_readings_are_empty() -> None:
    with pytest.raises(EmptyLoopError, match="holds no readings"):
        check_record(train(value=np.full(3, np.nan)), CARD)
    check_record(train(value=np.array([np.nan, 0.4, np.nan])), CARD)


def test_straightness_counts_steps_like_the_one_before() -> None:
    assert _straightness(np.full(5, 0.3)) == 1.0
    assert _straightness(np.array([0.0, 1.0, 2.0, 2.0, 3.0, 4.0])) == pytest.approx(0.5)  # 1 1 0 1 1
    # steps 1, 1.019, 1, 1.021, 1: the median is 1, half of the changes are below 2 % of it
    assert _straightness(np.cumsum([0.0, 1.0, 1.019, 1.0, 1.021, 1.0])) == pytest.approx(0.5)
    assert _straightness(-100.0 * np.cumsum([0.0, 1.0, 1.019, 1.0, 1.021, 1.0])) == pytest.approx(0.5)
    assert _straightness(np.array([0.0, 0.0, 0.0, 5.0, 0.0])) == pytest.approx(1 / 3)


def crooked(count: int, straight: int) -> np.ndarray[Any, Any]:
    """`count` differences of a series, of which the first `straight` are all 1 and the others change always."""
    steps = np.ones(count)
    steps[straight:] = 1.0 + 0.5 * np.arange(1, count - straight + 1)
    return np.cumsum([0.0, *steps])


@pytest.mark.parametrize(
    ("read", "programmed", "count", "swapped"),
    [
        (17, 9, 20, True),  # 0.89 of the Hall resistances straight, 0.44 of the currents
        (15, 9, 20, False),  # 0.74
        (17, 11, 20, False),  # 0.53 of the currents
        (16, 9, 19, True),
        (15, 9, 18, False),  # 19 readings are too few to say
    ],
)
def test_swapped_columns(read: int, programmed: int, count: int, swapped: bool) -> None:
    current, value = crooked(count, programmed), crooked(count, read)
    one = record(RecordKind.LOOP, value / value.max(), current=current / current.max() * 15e-3)
    if swapped:
        with pytest.raises(SwappedColumnsError):
            check_record(one, CARD)
        check_record(replace(one, kind=RecordKind.TRAIN), CARD)  # a train may have any currents
    else:
        with contextlib.suppress(EmptyLoopError):  # of another check
            check_record(one, CARD)


def loop(count: int = 40, noise: float = 0.0, window: float = 0.2) -> Record:
    """A sharp loop: up at +10 mA on the way up, down at -10 mA on the way down."""
    quarter = np.linspace(0.0, 15e-3, count // 4 + 1)[1:]
    current = np.concatenate([quarter, quarter[::-1], -quarter, -quarter[::-1]])
    state, value = 0.0, []
    for i in current:
        state = 1.0 if i > 10e-3 else 0.0 if i < -10e-3 else state
        value.append(0.3 + window * state)
    wobble = np.random.default_rng(4).normal(0.0, noise, count)
    return record(RecordKind.LOOP, np.array(value) + wobble, current=current)


def test_a_meter_at_the_end_of_its_range() -> None:
    good = loop(noise=1e-3)
    check_record(good, CARD)
    for extreme, name in (("max", "largest"), ("min", "smallest")):
        value = good.value.copy()
        end = getattr(value, extreme)()
        order = np.argsort(value if extreme == "max" else -value)
        value[order[-2:]] = end  # two of forty: 5 %
        check_record(replace(good, value=value), CARD)
        value[order[-3:]] = end
        with pytest.raises(ClippedError, match=f"8% of the readings are exactly the {name}"):
            check_record(replace(good, value=value), CARD)
    # readings of few digits are no saturation: three values alone
    three = np.where(good.value > 0.45, 0.5, np.where(np.arange(40) % 2, 0.3, 0.301))
    check_record(replace(good, value=three), CARD)


def test_a_plateau_of_few_digits_is_no_saturation() -> None:
    good = loop(noise=1e-3)
    ends = np.argsort(good.value)
    value = good.value.copy()
    value[ends[-3:]] = value.max()  # 8 % at the top, 36 between the extremes
    for pairs, clipped in ((3, True), (4, False)):  # 6 and 8 of 36 that repeat another: 17 % and 22 %
        told = value.copy()
        for place in range(pairs):
            told[ends[2 * place + 1]] = told[ends[2 * place + 2]]
        if clipped:
            with pytest.raises(ClippedError, match="and the others differ: the meter was saturated"):
                check_record(replace(good, value=told), CARD)
        else:
            check_record(replace(good, value=told), CARD)
    check_record(replace(good, value=np.round(good.value, 2)), CARD)


def saturated_loops(lifts: tuple[float, ...], noise: float = 1e-3) -> Record:
    """Loops one below the other, sharp at 200 Oe, the second and later with their ends lifted by some ohm."""
    field = np.linspace(2000.0, -2000.0, 100) * OERSTED
    value = np.concatenate([0.5 - (0.1 + lift) * np.sign(field + 200.0 * OERSTED) for lift in lifts])
    wobble = np.random.default_rng(5).normal(0.0, noise, len(value))
    return record(RecordKind.FIELD_LOOP, value + wobble, h=np.tile(field, len(lifts)))


def test_saturated_ends_of_one_loop_agree() -> None:
    check_record(saturated_loops((0.0, 0.0)), CARD)
    # ends at 0.1 and 0.1 + lift scatter by lift/2 (rms): allowed is 2 % of a window of 0.2 + 2 lift
    check_record(saturated_loops((0.0, 0.008)), CARD)
    with pytest.raises(DisagreeingError, match=r"differ by 5\.\d+ mohm \(rms\), .*`temperature: {col"):
        check_record(saturated_loops((0.0, 0.0105)), CARD)
    check_record(saturated_loops((0.0, 0.0105), noise=3e-3), CARD)  # within five times the noise
    line = saturated_loops((0.0,), noise=0.0)
    check_record(
        replace(line, value=line.value + 0.05 * line.h / line.h.max()), CARD
    )  # the ordinary Hall effect


def test_lines_sorted_by_current_have_lost_their_order() -> None:
    way = np.linspace(-15e-3, 15e-3, 21)
    rising, falling = 0.3 + 0.2 * (way > 9e-3), 0.3 + 0.2 * (way > -9e-3)  # branches 13 currents apart
    both = {"current": np.repeat(way, 2), "value": np.column_stack([rising, falling]).ravel()}
    with pytest.raises(LostOrderError, match=r"sorted by current, .* name the column of their time"):
        check_record(record(RecordKind.LOOP, both["value"], current=both["current"]), CARD)
    with pytest.raises(LostOrderError):
        check_record(record(RecordKind.LOOP, both["value"][::-1], current=both["current"][::-1]), CARD)
    check_record(record(RecordKind.TRAIN, both["value"], current=both["current"]), CARD)
    check_record(record(RecordKind.LOOP, rising, current=way), CARD)  # half a loop
    measured = np.concatenate([rising, falling[::-1]])
    check_record(record(RecordKind.LOOP, measured, current=np.concatenate([way, way[::-1]])), CARD)
    # second differences beyond half of the span: 2 + a tenth of 20 readings are allowed
    for apart, lost in ((1, False), (2, True)):  # single readings far off make three each
        value = 0.3 + 0.001 * np.arange(20)
        value[np.array([4, 14])[:apart]] += 0.2
        one = record(RecordKind.LOOP, value)
        if lost:
            with pytest.raises(LostOrderError):
                check_record(one, CARD)
        else:
            check_record(one, CARD)


def test_ends_of_a_current_loop_are_not_compared() -> None:
    check_record(loop(noise=1e-3), CARD)


def test_a_loop_of_fewer_than_twenty_readings_is_not_judged() -> None:
    for count, judged in ((19, False), (20, True)):
        one = record(RecordKind.LOOP, np.full(count, 0.4))
        if judged:
            with pytest.raises(EmptyLoopError, match="all readings are 0"):
                check_record(one, CARD)
        else:
            check_record(one, CARD)
    check_record(record(RecordKind.TRAIN, np.full(40, 0.4)), CARD)


@pytest.mark.parametrize(("share", "empty"), [(0.95, True), (1.05, False)])
def test_a_loop_moves_by_one_and_a_half_times_its_noise(share: float, empty: bool) -> None:
    """A sharp loop of a window beside alternating noise, both known; drift, I and I^2 on top change nothing."""
    sharp = loop(400)
    square = sharp.value - sharp.value.mean()
    t = np.arange(400)
    design = np.column_stack([t**0, t, sharp.current, sharp.current**2])
    remains = np.eye(400) - design @ np.linalg.pinv(design)
    noise = np.random.default_rng(1).normal(0.0, 1e-3, 400)

    def ratio(window: float) -> float:
        value = window * square + noise
        return float((remains @ value).std()) / noise_of(value)

    windows = np.linspace(0.0, 0.1, 2001)
    window = windows[np.argmax([ratio(one) > 1.5 * share for one in windows])]
    smooth = 0.3 + 5e-5 * t + 0.7 * sharp.current + 40.0 * sharp.current**2
    one = replace(sharp, value=window * square + noise + smooth)
    if empty:
        with pytest.raises(EmptyLoopError, match="nothing switches"):
            check_record(one, CARD)
    else:
        check_record(one, CARD)


@pytest.mark.parametrize("reach", [2e5, 4e6])
def test_a_field_loop_is_judged_by_its_field(reach: float) -> None:
    field = np.concatenate([np.linspace(reach, -reach, 30), np.linspace(-reach, reach, 30)])
    noise = np.random.default_rng(2).normal(0.0, 1e-3, 60)
    ordinary = 0.4 + 0.05 * field / reach + 0.02 * (field / reach) ** 2
    flat = record(RecordKind.FIELD_LOOP, ordinary + noise, h=field, current=np.zeros(60))
    with pytest.raises(EmptyLoopError, match="nothing switches"):
        check_record(flat, CARD)
    check_record(replace(flat, value=flat.value - 0.1 * np.sign(field)), CARD)
    gone = flat.value.copy()
    gone[::5] = np.nan
    with pytest.raises(EmptyLoopError, match="nothing switches"):
        check_record(replace(flat, value=gone), CARD)


def test_noise_of_a_short_series_by_hand() -> None:
    # second differences 2, -3, 2, -2, 4 of 0 1 4 4 6 6 10: median magnitude 2
    assert noise_of(np.array([0.0, 1.0, 4.0, 4.0, 6.0, 6.0, 10.0])) == pytest.approx(
        2.0 / (0.6745 * 6.0**0.5), rel=1e-12
    )
    assert np.isnan(noise_of(np.array([0.0, 1.0, 4.0, 4.0])))
    assert noise_of(np.array([0.0, 0.0, 1.0, 0.0, 0.0])) == pytest.approx(1.0 / (0.6745 * 6.0**0.5))


def field_loop(reach: float, count: int = 50) -> Record:
    field = np.linspace(reach, -reach, count)
    inside = np.abs(field) <= 0.6 * reach
    saturated = 0.45 - 0.11 * np.sign(field) + 0.03 * field / reach
    value = np.where(inside, 7.0, saturated) + 1e-3 * np.sin(np.arange(count) ** 2)
    return record(RecordKind.FIELD_LOOP, value, h=field)


@pytest.mark.parametrize("reach", [3e5, 4e6])
def test_saturated_ends_equal_two_parallel_lines(reach: float) -> None:
    """The same line fitted with other coordinates: the reading at H = 0 of either branch, and a common slope."""
    one = field_loop(reach)
    one.value[3] = np.nan
    there = np.isfinite(one.value) & (np.abs(one.h) > 0.601 * reach)
    h, value = one.h[there], one.value[there]

    def lines(_: Any, plus: float, minus: float, slope: float) -> Any:
        return np.where(h > 0.0, plus, minus) + slope * h / reach

    found, covariance = curve_fit(lines, h, value, p0=(0.3, 0.5, 0.0))
    low, window, sigma = reduced_field_loop(one)
    assert low == pytest.approx(found[0], rel=1e-6)
    assert window == pytest.approx(found[1] - found[0], rel=1e-6)
    assert sigma == pytest.approx(np.sqrt(covariance[0, 0]), rel=1e-5)
    assert low == pytest.approx(0.34, abs=2e-3)
    assert window == pytest.approx(0.22, abs=4e-3)


def test_field_loops_that_say_nothing() -> None:
    six = record(
        RecordKind.FIELD_LOOP,
        [0.3, 0.31, 0.3, 0.5, 0.51, 0.5],
        h=np.array([3, 2.9, 2.8, -3, -2.9, -2.8]) * 1e5,
    )
    assert reduced_field_loop(six)[1] == pytest.approx(0.2, abs=0.05)
    five = replace(six, h=six.h[:5], value=six.value[:5])
    with pytest.raises(
        EmptyLoopError, match=r"r: 5 readings beyond 0\.6 of the largest field, allowed: 6 or more"
    ):
        reduced_field_loop(five)
    for sign in (1.0, -1.0):
        with pytest.raises(
            EmptyLoopError, match=r"one sign alone tell one state, 0\.4033 ohm, and no window"
        ):
            reduced_field_loop(replace(six, h=sign * np.abs(six.h)))
    with pytest.raises(MeasurementError, match="rises with H_z"):
        reduced_field_loop(replace(six, h=-six.h))


def test_sixty_percent_of_the_largest_field_is_not_saturated() -> None:
    field = np.array([5.0, 4.5, 4.0, 3.0, -3.0, -4.0, -4.5, -5.0]) * 1e5
    value = np.where(field > 0.0, 0.33, 0.57)
    value[3:5] = [9.0, -9.0]
    low, window, sigma = reduced_field_loop(record(RecordKind.FIELD_LOOP, value, h=field))
    assert (low, window) == pytest.approx((0.33, 0.24), rel=1e-12)
    assert sigma == pytest.approx(0.0, abs=1e-12)
    value = np.where(np.abs(field) == 3e5, [0.0] * 3 + [0.36, 0.60] + [0.0] * 3, value)
    nearer = np.where(np.abs(field) == 3e5, field * 1.01, field)
    assert reduced_field_loop(record(RecordKind.FIELD_LOOP, value, h=nearer))[2] > 1e-3


def test_records_left_out_are_listed() -> None:
    names = ("a", "b", "c")
    data = DataSet(
        name="x",
        description="",
        synthetic=True,
        card=CARD,
        records=tuple(train(name=name, device=f"d{name}") for name in names),
        excluded=(Exclusion("z", "early"),),
        artefacts=(),
    )
    left = without(data, ["c", "a"], "odd")
    assert [one.name for one in left.records] == ["b"]
    assert left.devices == ("db",)
    assert [str(one) for one in left.excluded] == ["z: early", "c: odd", "a: odd"]
    assert train(value=np.array([1.0, np.nan, 2.0])).measured.tolist() == [1.0, 2.0]
