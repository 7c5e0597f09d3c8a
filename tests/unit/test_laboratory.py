"""The synthetic laboratory: every imperfection with a scripted source of randomness, every protocol against the law."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from compact_model import spread, switching, synapse, transport
from compact_model.cards.device import load_card
from compact_model.constants import OERSTED
from compact_model.measured.laboratory import LOOP_FIELDS_OE, Imperfections, Laboratory, Protocol
from compact_model.measured.records import Record
from compact_model.measured.tables import RecordKind, Start

CARD = load_card()
LAW = CARD.switching.set_a
TOP = float(switching.programming_current(CARD, 0.9))
PERFECT = Imperfections(sigma=0.0, drift=0.0, even=0.0, amplifier=0.0, missing=0.0, outliers=0.0, steps=0.0)


class Scripted:
    """A generator whose draws are known: deviates and uniform numbers in turn, the first choice, the lower end."""

    def __init__(self, deviates: list[Any], uniform: list[Any]) -> None:
        self.deviates, self.uniform = list(deviates), list(uniform)
        self.between: list[tuple[int, int]] = []

    def normal(self, middle: Any, deviation: Any, size: Any = None) -> Any:
        z = self.deviates.pop(0) if len(self.deviates) > 1 else self.deviates[0]
        drawn = middle + np.asarray(deviation) * z
        return drawn if size is None else np.broadcast_to(drawn, size).copy()

    def random(self, size: Any = None) -> Any:
        drawn = self.uniform.pop(0) if len(self.uniform) > 1 else self.uniform[0]
        return drawn if size is None else np.broadcast_to(np.asarray(drawn, dtype=float), size)

    def integers(self, low: int, high: int) -> int:
        self.between.append((low, high))
        return low

    def choice(self, values: list[float], size: Any = None) -> Any:
        return values[0] if size is None else np.resize(values, size)


def laboratory(imperfections: Imperfections = PERFECT, rng: Any = None, card: Any = CARD) -> Laboratory:
    return Laboratory(card=card, imperfections=imperfections, rng=rng or Scripted([0.0], [0.5]))


def table(text: str) -> list[list[str]]:
    """Rows of a table below its two lines of comment and header."""
    return [line.split(",") for line in text.splitlines()[2:]]


def numbers(text: str) -> Any:
    return np.array([[float(cell) for cell in row] for row in table(text)]).T


def test_a_set_up_is_as_imperfect_as_documented() -> None:
    assert Imperfections() == Imperfections(
        sigma=1e-3,
        drift=2e-3,
        even=2e-3,
        amplifier=5e-6,
        missing=0.01,
        outliers=0.002,
        steps=0.1,
        broken=0,
    )


def bipolar(count: int = 20) -> Record:
    return laboratory().sweep(np.linspace(-10e-3, 5e-3, count), 2e-4, 3e4)


def test_each_imperfection_adds_what_it_says() -> None:
    record = bipolar(20)
    ideal = laboratory().ideal(record)
    wild, gone = np.full(20, 0.5), np.full(20, 0.5)
    wild[[2, 7]], wild[8] = 0.0019, 0.0021
    gone[5], gone[6] = 0.0099, 0.0101
    # In the order of the draws: drift, whether there is a step, noise, outliers, missing readings.
    rng = Scripted([2.0, np.arange(20.0)], [0.099, wild, gone])
    found = laboratory(Imperfections(), rng).readings(record)
    expected = ideal + 2.0 * 2e-3 * (np.arange(20) / 19 - 0.5)
    expected += 2e-3 * (record.current / 10e-3) ** 2
    expected[4:] -= 15.0 * 1e-3  # the first choice is -1
    assert rng.between == [(4, 16)]
    expected += 1e-3 * np.arange(20)
    expected[2] -= 10.0 * 1e-3
    expected[7] += 10.0 * 1e-3
    expected[5] = np.nan
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_steps_come_with_their_probability_and_only_to_records_that_drift() -> None:
    steady = Imperfections(sigma=1e-3, drift=0.0, even=0.0, missing=0.0, outliers=0.0)
    for draw, count, steps in ((0.099, 23, True), (0.101, 23, False), (0.0, 19, False)):
        record, rng = bipolar(count), Scripted([0.0], [draw, 1.0])
        assert record.drift == (count >= 20)
        jump = laboratory(steady, rng).readings(record) - laboratory().ideal(record)
        assert np.any(jump != 0.0) == steps
        assert rng.between == ([(4, 18)] if steps else [])


def test_what_a_sweep_records() -> None:
    both = bipolar(20)
    assert (both.kind, both.start, both.drift, both.even) == (RecordKind.LOOP, Start.PLUS, True, True)
    assert both.t_pulse.tolist() == [2e-4] * 20
    assert both.h.tolist() == [3e4] * 20
    assert both.value.tolist() == [0.0] * 20
    assert (both.t_oxide, both.device, both.sigma) == (0.5e-9, CARD.name, None)
    mixed = laboratory().sweep(np.array([-1e-2, 1e-2]), np.array([1e-6, 1e-3]))
    assert (mixed.kind, mixed.drift, mixed.even) == (RecordKind.LOOP, False, False)
    assert mixed.h.tolist() == [0.0, 0.0]
    for sign in (1.0, -1.0):
        one = laboratory().sweep(sign * np.array([0.0, 1e-2]), 2e-4)
        assert (one.kind, one.even) == (RecordKind.TRAIN, False)


@pytest.mark.parametrize("choice", ["A", "B"])
def test_a_device_of_few_regions_switches_them_one_by_one(choice: str) -> None:
    card = CARD.with_choices(switching=choice)
    law = switching.switching_law(card)
    drawn = np.array([0.9, 0.1, 0.5, 0.3, 0.7])
    currents = np.array([11.5, 12.5, 13.5, 15.0, -19.0, 13.5, -1.0]) * 1e-3
    up = [float(switching.switched_fraction(card, i)) for i in currents]
    lab = laboratory(rng=Scripted([0.0], [drawn]), card=card)
    found = lab.ideal(lab.sweep(currents, 2e-4), regions=5)
    share = [np.mean(drawn <= s) for s in up]
    expected = [*share[:4], 0.0, share[5], share[5]]
    np.testing.assert_allclose(found, 0.33 + law.delta_r * np.array(expected), rtol=1e-12)
    smooth = lab.ideal(lab.sweep(currents, 2e-4))
    np.testing.assert_allclose(smooth, 0.33 + law.delta_r * np.array([*up[:4], 0.0, up[5], up[5]]), rtol=1e-9)


@pytest.mark.parametrize(("points", "quarter"), [(12, 5), (40, 10)])
def test_loops_at_every_field(points: int, quarter: int) -> None:
    text = laboratory().files(Protocol.LOOPS, points=points)["loops.csv"]
    current, field, read = numbers(text)
    assert len(current) == len(LOOP_FIELDS_OE) * (4 * quarter + 1)
    assert list(dict.fromkeys(field)) == [-1000, -400, -200, -100, 0, 50, 100, 200, 400, 1000]
    assert current.max() == pytest.approx(1e3 * TOP, abs=1e-4)
    assert current.min() == -current.max()
    assert current[1] == pytest.approx(1e3 * TOP / quarter, abs=1e-4)
    for oersted in (0.0, 100.0):  # to the first turn every reading is that of a single pulse
        mine = field == oersted
        s = switching.switched_fraction(CARD, 1e-3 * current[mine][: quarter + 1], 2e-4, oersted * OERSTED)
        np.testing.assert_allclose(read[mine][: quarter + 1], 0.33 + 0.2732 * s, atol=1e-6)


@pytest.mark.parametrize(("points", "steps"), [(100, 8), (275, 11)])
def test_widths_are_read_with_both_signs(points: int, steps: int) -> None:
    lab = laboratory(Imperfections(sigma=0, drift=0, even=0, missing=0, outliers=0, steps=0))
    current, width, plus, minus = numbers(lab.files(Protocol.WIDTHS, points=points)["widths.csv"])
    series = np.reshape(np.arange(4 * (steps + 1)), (4, -1))
    assert len(current) == series.size
    for rows, length in zip(series, (1.0, 10.0, 200.0, 2000.0), strict=True):
        assert width[rows].tolist() == [2000.0] + [length] * steps
        np.testing.assert_allclose(
            current[rows], 1e3 * TOP * np.array([-1.3, *np.linspace(0.3, 1.25, steps)]), atol=1e-4
        )
        s = switching.switched_fraction(CARD, 1e-3 * current[rows], 1e-6 * width[rows])
        s[0] = 0.0
        # 1 mA reads 1 ohm as 1 mV; 5 uV of offset in either sign
        np.testing.assert_allclose(plus[rows], 1e3 * (0.33 + 0.2732 * s) + 5.0, atol=2e-4)
        np.testing.assert_allclose(minus[rows], 5.0 - 1e3 * (0.33 + 0.2732 * s), atol=2e-4)


@pytest.mark.parametrize(("points", "half"), [(30, 20), (82, 41)])
def test_window_of_25_mt_with_the_ordinary_hall_effect(points: int, half: int) -> None:
    field, read = numbers(laboratory().files(Protocol.WINDOW, points=points)["window.csv"])
    expected = np.linspace(200.0, -200.0, half)
    np.testing.assert_allclose(field, [*expected, *expected[::-1]], atol=1e-3)
    # the reading is in the middle of the window at -25 mT on the way down, at +25 mT on the way up
    middle = 1e3 * (0.33 + 0.5 * 0.2732)
    for branch, sign in ((slice(0, half), 1.0), (slice(half, None), -1.0)):
        m = np.tanh((field[branch] + sign * 25.0) / 6.0)
        np.testing.assert_allclose(read[branch], middle - 136.6 * m + 0.02 * field[branch], atol=2e-3)
    noisy = laboratory(Imperfections(), Scripted([3.0], [1.0])).files(Protocol.WINDOW, points=points)
    np.testing.assert_allclose(numbers(noisy["window.csv"])[1], read + 3.0, atol=2e-3)


def test_shift_is_the_damping_like_field_with_an_error_of_one_oersted() -> None:
    lab = laboratory(rng=Scripted([-2.0], [1.0]))
    current, shift, sigma = numbers(lab.files(Protocol.SHIFT)["shift.csv"])
    assert current.tolist() == [-3, -2.5, -2, -1.5, -1, -0.5, 0.5, 1, 1.5, 2, 2.5, 3]
    expected = transport.damping_like_field(CARD, 1e-3 * current) / OERSTED - 2.0
    np.testing.assert_allclose(shift, expected, atol=1e-3)
    assert sigma.tolist() == [1.0] * 12


@pytest.mark.parametrize(("points", "cycles"), [(50, 10), (120, 12)])
def test_ladder_wobbles_from_cycle_to_cycle(points: int, cycles: int) -> None:
    lab = laboratory(Imperfections(), Scripted([2.0], [1.0]))
    cycle, current, read = numbers(lab.files(Protocol.LADDER, points=points)["ladder.csv"])
    assert cycle.tolist() == np.repeat(np.arange(1, cycles + 1), 6).tolist()
    ladder = synapse.ladder_currents(CARD)
    np.testing.assert_allclose(current[6:12], [0.0, *(1e3 * ladder)], atol=1e-4)
    wobble = np.array([0.0, *(0.2732 * spread.spread_after(CARD, float(i)).cycle for i in ladder)])
    np.testing.assert_allclose(
        read[6:12], synapse.model_levels(CARD) + 2.0 * np.sqrt(wobble**2 + 1e-6), atol=1e-6
    )


def test_devices_of_which_the_first_are_broken() -> None:
    lab = laboratory(Imperfections(sigma=1e-3, drift=0, even=0, missing=0, outliers=0, steps=0, broken=2))
    lab = Laboratory(card=CARD, imperfections=lab.imperfections, rng=np.random.default_rng(0))
    rows = table(lab.files(Protocol.DEVICES, devices=4)["devices.csv"])
    names = [row[0] for row in rows]
    assert list(dict.fromkeys(names)) == ["d001", "d002", "d003", "d004"]
    assert names.count("d003") == 49  # four quarters of twelve pulses
    current = np.array([float(row[1]) for row in rows[:49]])
    assert current.max() == pytest.approx(1e3 * TOP, abs=1e-4)
    for number in range(4):
        read = np.array([float(row[2]) for row in rows if row[0] == f"d00{number + 1}"])
        if number < 2:
            assert read.mean() == pytest.approx(0.33, abs=4e-3 / 7)
            assert read.std() == pytest.approx(1e-3, rel=0.4)
        else:
            assert np.ptp(read) > 0.2
    everything = laboratory().files(Protocol.DEVICES)["devices.csv"]
    assert table(everything)[-1][0] == "d020"


def test_missing_readings_are_empty_cells() -> None:
    lab = laboratory(Imperfections(missing=1.1))
    assert {row[2] for row in table(lab.files(Protocol.DEVICES, devices=1)["devices.csv"])} == {""}
