"""The language of designs: lists, ranges, units, several keys, random points; anything else is a clear error."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compact_model.cards.document import DocumentError, parse_document
from hallspice.sweeps.design import Axis, Range, combined, option_axis, points, section_axes

ROW = ("array", "wire", "r_row")
ends = st.floats(1e-6, 1e5).map(lambda value: float(f"{value:.6g}"))
counts = st.integers(2, 40)


@settings(deadline=None)
@given(low=ends, high=ends, count=counts, law=st.sampled_from(["lin", "log"]))
def test_a_range_has_both_ends_and_even_steps(low: float, high: float, count: int, law: str) -> None:
    values = option_axis(f"array.wire.r_row={low!r} ohm..{high!r}:{law}:{count}").values
    assert isinstance(values, tuple)
    assert values[0] == pytest.approx(low, rel=1e-11)  # values are rounded to twelve digits
    assert values[-1] == pytest.approx(high, rel=1e-11)
    if math.isclose(low, high, rel_tol=1e-9):
        return
    assert len(values) == count
    steps = np.diff(np.log(values) if law == "log" else values)
    rounding = 1e-11 if law == "log" else 1e-11 * max(low, high)  # of two values at their twelfth digit
    np.testing.assert_allclose(steps, steps.mean(), atol=1.1 * rounding, rtol=0)


@settings(deadline=None)
@given(low=st.integers(1, 1024), high=st.integers(1, 1024), count=counts)
def test_a_range_of_a_whole_number_has_whole_numbers_once(low: int, high: int, count: int) -> None:
    values = option_axis(f"array.rows={low}..{high}:log:{count}").values
    assert isinstance(values, tuple)
    assert all(type(value) is int for value in values)
    assert len(set(values)) == len(values)
    assert {low, high} <= set(values)


@given(st.text(max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_text_is_an_axis_or_a_clear_error(text: str) -> None:
    for option in (text, f"array.wire.r_row={text}"):
        found: list[Axis | DocumentError] = []
        try:
            found.append(option_axis(option))
        except DocumentError as error:
            found.append(error)
        if isinstance(found[0], Axis):
            assert isinstance(found[0].values, Range) or found[0].values
        else:
            assert all(mistake.file.startswith("--set ") and mistake.what for mistake in found[0].mistakes)


@settings(deadline=None)
@given(st.lists(st.integers(1, 1000), min_size=1, max_size=5), st.lists(ends, min_size=1, max_size=4))
def test_a_grid_has_every_combination_once(rows: list[int], wires: list[float]) -> None:
    axes = [
        option_axis(f"array.rows,array.columns={','.join(map(str, rows))}"),
        option_axis(f"array.wire.r_row={','.join(map(repr, wires))}"),
    ]
    found = [(p["array", "rows"], p["array", "columns"], p[ROW]) for p in points(axes, "grid", 1, 0)]
    assert len(found) == len(set(found))
    assert set(found) == {(row, row, wire) for row in rows for wire in wires}


@given(count=st.integers(1, 70), seed=st.integers(0, 2**31 - 1))
@settings(max_examples=30, deadline=None)
def test_random_points_fill_the_ranges_and_more_begin_with_the_same(count: int, seed: int) -> None:
    axes = [
        option_axis("array.wire.r_row=10 mohm..1 ohm:log"),
        option_axis("array.cell.mismatch=0..0.1"),
        option_axis("array.architecture=resistive,active_parallel"),
    ]
    found = list(points(axes, "random", count, seed))
    assert len(found) == count  # two ranges of floats do not repeat
    assert found == list(points(axes, "random", 2 * count, seed))[:count]
    assert all(0.01 <= point[ROW] <= 1 and 0 <= point["array", "cell", "mismatch"] <= 0.1 for point in found)
    if count >= 16:  # of a net in base 2, each half of a range holds half of the first 16 points
        low = [point[ROW] < 0.1 for point in found[:16]]
        assert sum(low) == 8


def test_several_keys_take_one_value_or_one_each() -> None:
    axis = option_axis("array.rows,array.columns=[32, 64], 16")
    found = [tuple(point.values()) for point in points([axis], "grid", 1, 0)]
    assert found == [(32, 64), (16, 16)]


def test_options_replace_and_add() -> None:
    document = parse_document("sweep: {set: {array.rows: [1, 2], array.columns: [3]}}", "x.yaml")
    axes = combined(section_axes(document), [option_axis("array.rows=5"), option_axis("seed=1,2")])
    assert {axis.name: axis.values for axis in axes} == {
        "array.rows": (5,),
        "array.columns": (3,),
        "seed": (1, 2),
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["array.rows"], "expected KEY=VALUES"),
        (["array.rows="], "expected KEY=VALUES"),
        (["=3"], "expected a key"),
        (["array.rows,array.rows=3"], "several different ones"),
        (["sweep.seeds=3"], "can't be swept"),
        (["array.rows=[1"], "not valid YAML"),
        (["array.wire.r_row=0..1:log:3"], "must be above 0"),
        (["array.wire.r_row=1 V..2 V:lin:3"], "'1 V' is not convertible to ohm"),
        (["array.rows=1..9:lin:1"], "1 values, allowed: 2 to"),
        (["array.rows=3, 1..9"], "must stand alone"),
        (["array.rows,array.columns=[1, 2, 3]"], "a list with one for each"),
        (["array.rows=1..9"], "a grid needs a number of values"),
        (["array.rows=1", "array.rows=2"], "is set twice"),
        (["array.rows=1", "array.columns,array.rows=2"], "is set twice"),
    ],
)
def test_what_is_wrong_is_said_with_the_option(options: list[str], message: str) -> None:
    with pytest.raises(DocumentError, match=message) as caught:
        list(points(combined([], [option_axis(text) for text in options]), "grid", 1, 0))
    assert f"--set {options[-1]}" in str(caught.value)


def test_a_path_with_two_dots_is_no_range() -> None:
    assert option_axis("device.card=../cards/a.yaml,b..c").values == ("../cards/a.yaml", "b..c")
