"""Programming of made-up cells, whose pulses, reads and ends are worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from circuits.write.circuit import PARTS
from circuits.write.plant import Pulsed
from circuits.write.write_verify import (
    CERTAIN,
    LEAST_TOLERANCE,
    VERIFY,
    Algorithm,
    CellVerdict,
    Curve,
    PulseLadder,
    Step,
    WriteOutcome,
    WriteRecipe,
    program,
    pulse_curve,
)
from compact_model.cards.device import load_card
from compact_model.hallbar import hall_bar

CURVE = Curve(current=np.array([0.0, 10e-3]), resistance=np.array([0.30, 0.40]))
LADDER = PulseLadder(levels=np.array([0.30, 0.32, 0.34]), currents=np.array([2e-3, 4e-3]))
RECIPE = WriteRecipe(step_law=Step.CONSTANT, i_step=1e-3, start=0.6, tolerance=1.5e-3)


@dataclass
class Cells:
    """Cells of 0.30 Ohm, which a pulse raises to 0.30 Ohm + gain * current; their drivers see 500 Ohm."""

    gain: np.ndarray
    limit: float = 10.0
    after: Callable[[Cells, np.ndarray], None] | None = None
    ohm: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.gain = np.asarray(self.gain, dtype=float)
        self.saturate()

    @property
    def shape(self) -> tuple[int, int]:
        return self.gain.shape[0], self.gain.shape[1]

    def saturate(self) -> None:
        self.ohm = np.full(self.shape, 0.30)

    def volts(self, current: np.ndarray, written: np.ndarray) -> np.ndarray:
        return np.where(written, 500.0 * current, 0.0)

    def pulse(self, volts: np.ndarray, written: np.ndarray) -> Pulsed:
        current = np.clip(volts, -self.limit, self.limit) / 500.0
        kept = np.where(current < 0.0, 0.30, np.maximum(self.ohm, 0.30 + self.gain * current))
        self.ohm = np.where(written, kept, self.ohm)
        if self.after is not None:
            self.after(self, written)
        energy = {part: (k + 1.0) * 10.0 ** np.arange(self.shape[0]) for k, part in enumerate(PARTS)}
        return Pulsed(current=current, energy=energy, time=1.0, limited=np.abs(volts) > self.limit)

    def read(self) -> np.ndarray:
        return self.ohm.copy()


class Constant:
    """Noise that is the same in each read of each cell."""

    def __init__(self, value: float) -> None:
        self.value = value

    def standard_normal(self, shape: tuple[int, int]) -> np.ndarray:
        return np.full(shape, self.value)


def run(
    cells: Cells, target: list[list[float]], recipe: WriteRecipe = RECIPE, noise: float = 0.0, **more: Any
) -> WriteOutcome:
    return program(cells, np.array(target), recipe, CURVE, LADDER, cells.limit, Constant(noise), **more)  # type: ignore[arg-type]


def trains(result: WriteOutcome, cell: tuple[int, int]) -> list[float]:
    """Currents sent to a cell [mA]."""
    return [1e3 * float(sent[cell]) for sent in result.rounds if sent[cell] != 0.0]


def names(result: WriteOutcome) -> list[list[str]]:
    return [[CellVerdict(code).name for code in row] for row in result.verdict.tolist()]


def test_numbers_of_verdicts_stand_in_files() -> None:
    found = {verdict.name: int(verdict) for verdict in CellVerdict}
    assert found == {
        "WRITTEN": 0, "OUT_OF_TOLERANCE": 1, "COMPLIANCE": 2, "PULSE_LIMIT": 3, "OVERSHOOT": 4, "NO_RESPONSE": 5,
    }  # fmt: skip
    assert len({verdict.text for verdict in CellVerdict}) == 6


def test_a_recipe_by_default() -> None:
    found = WriteRecipe()
    assert (found.algorithm, found.step_law, found.field_reset) == (Algorithm.VERIFY, Step.PROPORTIONAL, True)
    assert (found.tolerance, found.start, found.i_step, found.i_reset) == (4e-3, 0.95, 1e-4, 15.4e-3)
    assert (found.max_pulses, found.retries) == (40, 5)
    assert (found.read_noise, found.read_energy, found.read_time) == (0.0, 0.0, 0.0)
    assert (LEAST_TOLERANCE, CERTAIN) == (2.0, 6.0)


@pytest.mark.parametrize("name", ["tolerance", "i_step", "i_reset", "start"])
def test_a_recipe_has_positive_numbers(name: str) -> None:
    for wrong in (0.0, -1e-3, np.inf, np.nan):
        with pytest.raises(ValueError, match=rf"{name} = {wrong} .*allowed: 0 < value < inf"):
            replace(RECIPE, **{name: wrong})
    assert getattr(replace(RECIPE, **{name: 0.5}), name) == 0.5


@pytest.mark.parametrize(
    ("pulses", "retries", "works"), [(1, 0, True), (0, 0, False), (1, -1, False), (0, -1, False)]
)
def test_a_recipe_has_a_pulse(pulses: int, retries: int, works: bool) -> None:
    if works:
        assert replace(RECIPE, max_pulses=pulses, retries=retries).retries == retries
    else:
        with pytest.raises(ValueError, match="allowed: at least 1 and 0"):
            replace(RECIPE, max_pulses=pulses, retries=retries)


def test_a_tolerance_is_twice_the_noise_where_it_is_read() -> None:
    assert replace(RECIPE, tolerance=2e-3, read_noise=1e-3).tolerance == 2e-3
    with pytest.raises(ValueError, match=r"below 0\.0022 Ohm, 2 standard deviations"):
        replace(RECIPE, tolerance=2e-3, read_noise=1.1e-3)
    assert replace(RECIPE, tolerance=2e-3, read_noise=1.1e-3, algorithm=Algorithm.LADDER).read_noise == 1.1e-3


@pytest.mark.parametrize(
    ("target", "more"),
    [(0.30 - 0.5e-9, None), (0.30 - 1.5e-9, ""), (0.3999, None), (0.4, ""), (0.2, ""), (np.nan, "")],
)
def test_targets_lie_in_the_window(target: float, more: str | None) -> None:
    cells = Cells(np.full((2, 3), 10.0))
    wanted = [[0.30, 0.30, 0.30], [0.30, 0.30, target]]
    recipe = replace(RECIPE, algorithm=Algorithm.LADDER)
    if more is None:
        assert run(cells, wanted, recipe).target[1, 2] == target
    else:
        with pytest.raises(
            ValueError, match=r"level of cell \(1, 2\) = \S+ Ohm, allowed: 0.3 <= level < 0.4 Ohm"
        ):
            run(cells, wanted, recipe)
        wanted[0][1] = target
        with pytest.raises(
            ValueError, match=r"level of cell \(0, 1\) = \S+ Ohm \(and 1 more cells\), allowed"
        ):
            run(cells, wanted, recipe)
    with pytest.raises(ValueError, match=r"target has shape \(2, 1\), the array \(2, 3\)"):
        run(cells, [[0.3], [0.3]])


def test_ends_of_cells_with_a_driver_of_two_volts() -> None:
    """4 mA are all that it delivers: 5 mA are tried once.

    A sound cell, which then lacks 10 mOhm; one that does not move; one that does not move either, but whose first
    pulse is too much for the driver already; one that gets there.
    """
    cells = Cells(np.array([[10.0, 0.0], [0.0, 12.5]]), limit=2.0)
    result = run(cells, [[0.35, 0.35], [0.39, 0.35]])
    assert names(result) == [["COMPLIANCE", "NO_RESPONSE"], ["COMPLIANCE", "WRITTEN"]]
    assert trains(result, (0, 0)) == pytest.approx([3, 4, 5])
    assert trains(result, (0, 1)) == pytest.approx([3, 4, 5])
    assert trains(result, (1, 0)) == pytest.approx([5.4])
    assert trains(result, (1, 1)) == pytest.approx([3, 4])
    assert result.pulses.tolist() == [[3, 3], [1, 2]]
    np.testing.assert_allclose(result.needed_volts, [[2.5, 2.5], [2.7, 2.0]], rtol=1e-12)
    np.testing.assert_allclose(result.largest_current, [[5e-3, 5e-3], [5.4e-3, 4e-3]], rtol=1e-12)
    np.testing.assert_allclose(result.achieved, [[0.34, 0.30], [0.30, 0.35]], rtol=1e-12)
    np.testing.assert_allclose(result.error, [[-0.01, -0.05], [-0.09, 0.0]], atol=1e-15)
    assert result.written.tolist() == [[False, False], [False, True]]
    assert not result.resets.any()


@pytest.mark.parametrize(
    ("noise", "moved", "verdict"),
    [
        (0.0, 1.4e-3, "NO_RESPONSE"),  # less than the tolerance of 1.5 mOhm
        (0.0, 1.7e-3, "PULSE_LIMIT"),
        (0.4e-3, 1.4e-3, "NO_RESPONSE"),
        (0.4e-3, 1.7e-3, "PULSE_LIMIT"),
        (0.75e-3, 2.1e-3, "NO_RESPONSE"),  # less than three standard deviations, 2.25 mOhm
        (0.75e-3, 2.4e-3, "PULSE_LIMIT"),
    ],
)
def test_a_cell_that_hardly_moves(noise: float, moved: float, verdict: str) -> None:
    """Two pulses, of 3 and 4 mA."""
    recipe = replace(RECIPE, max_pulses=2, read_noise=noise)
    result = run(Cells(np.array([[moved / 4e-3]])), [[0.35]], recipe)
    assert names(result) == [[verdict]]
    assert trains(result, (0, 0)) == pytest.approx([3, 4])


@pytest.mark.parametrize(("max_pulses", "verdict", "resets"), [(3, "OVERSHOOT", 0), (4, "PULSE_LIMIT", 1)])
def test_the_last_pulse_may_overshoot(max_pulses: int, verdict: str, resets: int) -> None:
    """3, 4 and 5 mA at 12 Ohm/A: 10 mOhm too far; then again from 3 mA."""
    result = run(Cells(np.array([[12.0]])), [[0.35]], replace(RECIPE, max_pulses=max_pulses))
    assert names(result) == [[verdict]]
    assert result.pulses[0, 0] == max_pulses
    assert result.resets[0, 0] == resets


@pytest.mark.parametrize(
    ("gain", "start", "i_step", "milliamperes"),
    [
        # 22 mOhm too far: 1.2 * 22/10 = 2.64 mA back
        (12.0, 1.2, 0.4e-3, [6, -15.4, 3.36, 3.56, 3.76, 3.96, 4.16]),
        # 40 mOhm too far ask for 4.8 mA back: to none; then steps of a half, of a quarter, of an eighth
        (
            30.0,
            0.6,
            1e-3,
            [3, -15.4, 0.5, 1, 1.5, 2, -15.4, 0.8, 1.05, 1.3, 1.55, 1.8, -15.4, 1.3, 1.425, 1.55, 1.675],
        ),
        # more than the curve knows
        (5.0, 3.0, 1e-3, [10]),
    ],
)
def test_the_way_back(gain: float, start: float, i_step: float, milliamperes: list[float]) -> None:
    recipe = replace(RECIPE, start=start, i_step=i_step)
    result = run(Cells(np.array([[gain]])), [[0.35]], recipe)
    assert names(result) == [["WRITTEN"]]
    np.testing.assert_allclose(trains(result, (0, 0)), milliamperes, rtol=1e-9)


def test_a_driver_that_is_at_its_end_is_not_asked_twice() -> None:
    """5 mA overshoot, though the driver gives 4.5 mA; the finer steps come to 5 mA again."""
    cells = Cells(np.array([[12.0]]), limit=2.25)
    gains = iter([12.0] * 3 + [9.0] * 9)
    cells.gain = np.array([[next(gains)]])

    def next_gain(changed: Cells, written: np.ndarray) -> None:
        if (changed.ohm[written] > 0.30).all():
            changed.gain = np.array([[next(gains)]])

    cells.after = next_gain
    result = run(cells, [[0.35]], replace(RECIPE, start=0.5, i_step=1.25e-3, tolerance=2e-3))
    # 2.5: 0.33, 3.75: 0.345, 5 is 4.5: 0.354; two steps back, 2.5: 0.3225, 3.125, 3.75, 4.375, then 5 again: no more
    assert trains(result, (0, 0)) == pytest.approx([2.5, 3.75, 5, -15.4, 2.5, 3.125, 3.75, 4.375])
    assert names(result) == [["COMPLIANCE"]]


def test_noise_is_added_to_what_is_read() -> None:
    """4.75 mA lead to 347.5 mOhm, of which a read makes 348.5 mOhm: within 2 mOhm."""
    recipe = replace(RECIPE, start=0.95, tolerance=2e-3, read_noise=1e-3)
    result = run(Cells(np.array([[10.0]])), [[0.35]], recipe, noise=1.0)
    assert trains(result, (0, 0)) == pytest.approx([4.75])
    assert names(result) == [["WRITTEN"]]
    without = run(Cells(np.array([[10.0]])), [[0.35]], recipe)
    assert trains(without, (0, 0)) == pytest.approx(
        [4.75, 5.75, -15.4, 3.75, 4.25, 4.75, 5.25, -15.4, 4.25, 4.5, 4.75, 5]
    )


@pytest.mark.parametrize(("shift", "verdict"), [(12.4e-3, "WRITTEN"), (12.6e-3, "OUT_OF_TOLERANCE")])
def test_cells_are_read_again_at_the_end(shift: float, verdict: str) -> None:
    """The first cell is accepted 3 mOhm short, then moved by the pulse for the other: by 3.5 + 6 * 1 mOhm at most."""

    def disturbed(cells: Cells, written: np.ndarray) -> None:
        if not written[0, 0]:
            cells.ohm[0, 0] += shift

    recipe = replace(RECIPE, start=0.9, i_step=0.5e-3, tolerance=3.5e-3, read_noise=1e-3)
    result = run(Cells(np.array([[10.0, 10.0]]), after=disturbed), [[0.33, 0.35]], recipe)
    assert names(result) == [[verdict, "WRITTEN"]]
    assert result.pulses.tolist() == [[1, 2]]


def test_energy_and_time_are_those_of_pulses_and_reads() -> None:
    """Three cells: all are read at first and at the end, in between those that are at it."""
    seen: list[tuple[int, list[list[float]]]] = []
    recipe = replace(RECIPE, read_energy=2.0, read_time=0.25, field_reset=False)
    result = run(
        Cells(np.full((3, 1), 10.0)),
        [[0.30], [0.35], [0.34]],
        recipe,
        observe=lambda number, ohm: seen.append((number, ohm.round(9).tolist())),
    )
    # reset of all; 3 and 2.4 mA; 4 and 3.4; 5 and 4.4, which is too far by 4 mOhm; reset; 2.4, 2.9, 3.4, 3.9 mA
    assert trains(result, (0, 0)) == pytest.approx([-15.4])
    assert trains(result, (1, 0)) == pytest.approx([-15.4, 3, 4, 5])
    assert trains(result, (2, 0)) == pytest.approx([-15.4, 2.4, 3.4, 4.4, -15.4, 2.4, 2.9, 3.4, 3.9])
    assert result.resets.tolist() == [[1], [1], [2]]
    assert result.pulses.tolist() == [[0], [3], [7]]
    assert len(result.rounds) == 9
    assert result.energy == {
        **{part: pytest.approx(9 * 111.0 * (k + 1)) for k, part in enumerate(PARTS)},
        VERIFY: (3 + 2 * 3 + 1 * 4 + 3) * 2.0,
    }
    assert result.time == pytest.approx(9.0 + 16 * 0.25)
    assert result.total_energy == pytest.approx(9 * 111.0 * 10 + 32.0)
    assert [number for number, _ in seen] == list(range(1, 10))
    assert seen[2][1] == [[0.30], [0.34], [0.334]]
    np.testing.assert_allclose(result.largest_current.ravel(), [0.0, 5e-3, 4.4e-3], rtol=1e-12)
    np.testing.assert_allclose(result.needed_volts.ravel(), [7.7, 2.5, 1.95], rtol=1e-12)


@pytest.mark.parametrize(
    ("algorithm", "field_reset", "resets", "first"),
    [
        (Algorithm.LADDER, True, 0, 0.338),
        (Algorithm.RESET_LADDER, True, 0, 0.30),
        (Algorithm.RESET_LADDER, False, 1, 0.30),
    ],
)
def test_a_ladder_climbs_to_the_nearest_level(
    algorithm: Algorithm, field_reset: bool, resets: int, first: float
) -> None:
    cells = Cells(np.full((2, 2), 10.0))
    cells.ohm[0, 0] = 0.338
    recipe = WriteRecipe(algorithm=algorithm, field_reset=field_reset, read_energy=1.0)
    result = run(cells, [[0.30, 0.335], [0.32, 0.345]], recipe)
    np.testing.assert_allclose(result.achieved, [[first, 0.34], [0.32, 0.34]], rtol=1e-12)
    assert result.pulses.tolist() == [[0, 2], [1, 2]]
    assert result.resets.tolist() == [[resets, resets], [resets, resets]]
    assert names(result) == [
        ["WRITTEN" if first == 0.30 else "OUT_OF_TOLERANCE", "OUT_OF_TOLERANCE"], ["WRITTEN", "OUT_OF_TOLERANCE"],
    ]  # fmt: skip
    sent = np.array(result.rounds[-2:])
    np.testing.assert_allclose(sent, [[[0, 2e-3], [2e-3, 2e-3]], [[0, 4e-3], [0, 4e-3]]], rtol=1e-12)
    assert len(result.rounds) == 2 + resets
    if resets:
        np.testing.assert_array_equal(result.rounds[0], np.full((2, 2), -15.4e-3))
    assert result.energy[VERIFY] == 0.0


@pytest.mark.parametrize(("beyond", "verdict"), [(0.5e-9, "OUT_OF_TOLERANCE"), (1.5e-9, "COMPLIANCE")])
def test_a_driver_is_beyond_its_limit_by_more_than_rounding(beyond: float, verdict: str) -> None:
    """The last step of the ladder needs 2 V; a cell that gets there all the same is written."""
    cells = Cells(np.array([[10.0, 9.0, 10.0]]), limit=2.0 / (1 + beyond))
    recipe = WriteRecipe(algorithm=Algorithm.RESET_LADDER)
    result = run(cells, [[0.34, 0.345, 0.32]], recipe)
    assert names(result) == [["WRITTEN", verdict, "WRITTEN"]]


def test_a_curve_by_interpolation() -> None:
    curve = Curve(current=np.array([0.0, 2.0, 6.0]), resistance=np.array([1.0, 2.0, 6.0]))
    assert curve.current_for(np.array([1.5, 4.0])).tolist() == [1.0, 4.0]
    # slopes 1/2 and 1 beside the point in the middle, weighted by the lengths on the other side: (4/2 + 2) / 6
    np.testing.assert_allclose(curve.slope(np.array([1.0, 2.0, 6.0, 4.0])), [0.5, 4 / 6, 1.0, 5 / 6])


def test_the_curve_of_a_device() -> None:
    """1200 currents up to 60 mA, from where it moves to where the window ends."""
    device = hall_bar(load_card(), grain_count=6)
    curve = pulse_curve(device, 200e-6)
    np.testing.assert_allclose(np.diff(curve.current[1:100]), 60e-3 / 1199, rtol=1e-9)
    assert curve.current[0] == 0.0
    assert curve.resistance[0] == device.r_reset
    assert (np.diff(curve.resistance) > 0.0).all()
    assert 20e-3 < curve.current[-1] < 59e-3
    assert curve.resistance[-1] == pytest.approx(device.r_reset + device.law.delta_r, rel=1e-6)
    some = curve.current[[50, 300]]
    state = device.pulsed(device.prepared(2), some, 200e-6)
    np.testing.assert_allclose(curve.resistance[[50, 300]], device.hall_resistance(state), rtol=1e-12)
    coarse = pulse_curve(device, 200e-6, largest=10e-3, points=11)
    np.testing.assert_allclose(coarse.current[-3:], [8e-3, 9e-3, 10e-3], rtol=1e-12)
