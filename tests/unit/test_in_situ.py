"""Weights that only pulses change."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from compact_model.cards.device import load_card
from hallspice.config import network_keys as schema
from nn_mapping import in_situ
from nn_mapping.data import Dataset
from nn_mapping.in_situ import HallCells, IdealCells, InSitu, Update, train_in_situ
from nn_mapping.levels import PAPER_LEVELS_OHM, pair_levels, single_levels
from nn_mapping.recipes import GOOD, PAPER
from nn_mapping.trained import scale_pixels

CARD = load_card()
LEVELS = single_levels(PAPER_LEVELS_OHM)
SHORT = replace(GOOD, epochs=3, batch=20)


@pytest.fixture(scope="module")
def quarters() -> Dataset:
    """Noisy images of four classes: which quarter of the 6 x 6 pixels is bright."""
    random = np.random.default_rng(3)
    labels = random.integers(0, 4, 800).astype(np.uint8)
    images = random.integers(0, 100, (800, 2, 3, 2, 3))
    images[np.arange(800), labels // 2, :, labels % 2] += 120
    images = images.reshape(800, 6, 6).astype(np.uint8)
    return Dataset(
        name="quarters",
        train_images=images[:600],
        train_labels=labels[:600],
        test_images=images[600:],
        test_labels=labels[600:],
    )


def cells(update: Update, count: int = 4, **settings: float) -> HallCells:
    """Cells in the reset state."""
    found = HallCells(
        count, InSitu(update=update, steps=16, **settings), LEVELS, CARD, np.random.default_rng(0)
    )
    found.s[:] = 0
    return found


def pulsed(some: HallCells, sign: int, updates: int) -> np.ndarray:
    """Weight of the first cell after each update."""
    found = []
    for _ in range(updates):
        some.update(np.array([0]), np.array([float(sign)]))
        found.append(some.weights()[0])
    return np.array(found)


def test_a_ladder_makes_even_steps_both_ways() -> None:
    """Rungs are spaced by the closed law, cells move by the rate law: they agree to 40 % of a step."""
    some = cells(Update.LADDER)
    start = some.weights()[0]
    up = np.diff(pulsed(some, +1, 14), prepend=start)
    np.testing.assert_allclose(up, some.step, rtol=0.4)
    down = np.diff(pulsed(some, -1, 10))
    np.testing.assert_allclose(down, -some.step, rtol=0.5)
    assert some.weights()[1] == start  # the neighbour was left alone


def test_a_ladder_ends_at_the_top() -> None:
    some = cells(Update.LADDER)
    pulsed(some, +1, 20)
    assert some.weights()[0] == pytest.approx(1, abs=1.5 * some.step)
    before = some.pulses
    pulsed(some, +1, 1)
    assert some.pulses - before == 16  # all rungs are tried, in vain


def test_a_second_identical_pulse_moves_little() -> None:
    """Return-point memory: what creeps is a few per cent of the first pulse."""
    some = cells(Update.IDENTICAL, pulse_share=0.5)
    start = some.weights()[0]
    first, second, third = pulsed(some, +1, 3)
    assert first - start == pytest.approx(some.step, rel=0.2)
    assert 0 < third - second < second - first < 0.1 * some.step


def test_pulses_and_their_energy_are_counted() -> None:
    some = cells(Update.IDENTICAL)
    some.update(np.array([0, 2]), np.array([1.0, -1.0]))
    assert some.pulses == 2
    # I^2 R t of two pulses; the channel has 500 ohm within 1 %
    assert some.energy == pytest.approx(2 * some.identical**2 * 500 * 200e-6, rel=0.01)


def test_energy_is_that_of_the_current_that_is_sent() -> None:
    """Cells that need more or less current don't change what the driver sends, and what heats the channel."""
    some = cells(Update.IDENTICAL, device_spread=0.2, cycle_noise=0.2)
    some.update(np.array([0, 2, 3]), np.array([1.0, -1.0, 1.0]))
    # 90 uohm cm, six squares of 10.8 nm: 500 ohm; three pulses of 200 us
    assert some.energy == pytest.approx(3 * some.identical**2 * 500 * 200e-6, rel=1e-9)


def test_cells_differ_with_spread_and_noise() -> None:
    for name in ("device_spread", "cycle_noise"):
        some = cells(Update.IDENTICAL, count=200, **{name: 0.05})
        some.update(np.arange(200), np.ones(200))
        assert some.weights().std() > 0.1 * some.step


def test_a_cell_with_a_higher_threshold_sees_less_of_the_current() -> None:
    some = cells(Update.IDENTICAL)
    some.threshold = np.array([1.0, 1.1, 0.9, 1.0])
    some.update(np.arange(4), np.ones(4))
    for number, threshold in enumerate((1.0, 1.1, 0.9)):
        state = some.device.prepared(1)
        alone, _ = some.device.trained(state, np.array([[some.identical / threshold]]), 200e-6)
        np.testing.assert_allclose(some.s[number], alone.s[0], rtol=1e-12)


def test_thresholds_have_the_stated_spread() -> None:
    drawn = cells(Update.IDENTICAL, count=4000, device_spread=0.05).threshold
    # standard errors of a mean and of a deviation: 0.05/sqrt(4000), 0.05/sqrt(8000); four of them
    assert drawn.mean() == pytest.approx(1.0, abs=3.2e-3)
    assert drawn.std() == pytest.approx(0.05, abs=2.3e-3)


def test_what_is_drawn_for_cells_is_in_its_place() -> None:
    """Thresholds first, then the first weights; a pulse that is p too strong is a threshold that is p too low."""
    settings = InSitu(update=Update.IDENTICAL, device_spread=0.05, cycle_noise=0.1)
    some = HallCells(300, settings, LEVELS, CARD, np.random.default_rng(5))
    assert (some.pulses, some.energy) == (0, 0.0)
    assert some.threshold == pytest.approx(
        1 + 0.05 * np.random.default_rng(5).standard_normal(300), rel=1e-12
    )
    plain = HallCells(400, InSitu(), LEVELS, CARD, np.random.default_rng(5)).weights()
    # uniform from -1 to 1: the law and the rates differ by a few per cent of the window
    assert plain.min() == pytest.approx(-1, abs=0.05)
    assert plain.max() == pytest.approx(1, abs=0.1)
    assert abs(plain.mean()) < 0.15
    some.s[:] = 0
    some.random = np.random.default_rng(9)
    some.update(np.array([7, 3]), np.ones(2))
    noise = 1 + 0.1 * np.random.default_rng(9).standard_normal(2)
    state = some.device.prepared(2)
    alone, _ = some.device.trained(state, (some.identical / some.threshold[[7, 3]] / noise)[None], 200e-6)
    np.testing.assert_allclose(some.s[[7, 3]], alone.s, rtol=1e-12)


class Draws:
    """Gives the same numbers each time."""

    def __init__(self, *values: float) -> None:
        self.values = np.array(values, dtype=np.float32)

    def random(self, _count: int, dtype: type) -> np.ndarray:
        """The numbers."""
        return self.values.astype(dtype)


class Noted:
    """Cells that note their updates."""

    step = 0.25

    def __init__(self) -> None:
        self.updates: list[tuple[list[int], list[float]]] = []

    def update(self, chosen: np.ndarray, sign: np.ndarray) -> None:
        """Note."""
        self.updates.append((chosen.tolist(), sign.tolist()))


def test_a_pulse_comes_with_the_chance_of_its_gradient_and_against_it() -> None:
    """0.5 |g| / 0.25 = 2 |g|; a gradient of zero never makes one."""
    some = Noted()
    gradient = np.array([0.1, 0.1, -0.3, -0.3, 0.0, 2.0], dtype=np.float32)
    draws = Draws(0.19, 0.21, 0.59, 0.61, 0.0, 0.99)
    in_situ._descend(some, gradient, 0.5, draws)  # type: ignore[arg-type]
    assert some.updates == [([0, 2, 5], [-1.0, 1.0, -1.0])]
    in_situ._descend(some, gradient[4:5], 0.5, Draws(0.0))  # type: ignore[arg-type]
    assert len(some.updates) == 1


def test_where_nothing_moves_the_history_is_that_of_the_first_weights(quarters: Dataset) -> None:
    """Every image once an epoch, with the loss of the recipe; the weights are the uniform ones of the seed."""
    recipe = replace(GOOD, epochs=2, batch=200, batch_norm=False, label_smoothing=0.1)
    still = InSitu(update=Update.IDEAL, learning_rate=1e-30)
    told: list[tuple[int, int]] = []
    network = train_in_situ(
        quarters, (36, 4), LEVELS, CARD, recipe, still, progress=lambda done, of, _: told.append((done, of))
    )
    assert told == [(1, 2), (2, 2)]
    assert (network.info["seed"], network.info["pulses"], network.info["cells"]) == (0, 0, 144)
    drawn = np.random.default_rng([0, 7]).uniform(-1, 1, (4, 36))
    np.testing.assert_allclose(network.layers[0].weights, drawn, rtol=1e-6)
    with torch.no_grad():
        outputs = network.model()(torch.from_numpy(scale_pixels(quarters.train_images, network.input_bits)))
    labels = torch.from_numpy(quarters.train_labels.astype(np.int64))
    loss = float(torch.nn.functional.cross_entropy(outputs, labels, label_smoothing=0.1))
    assert network.history["train_loss"] == pytest.approx([loss, loss], rel=1e-5)
    right = network.accuracy(quarters.train_images, quarters.train_labels)
    assert network.history["train_accuracy"] == pytest.approx([right, right], rel=1e-12)
    tested = network.accuracy(quarters.test_images, quarters.test_labels)
    assert network.history["test_accuracy"] == pytest.approx([tested, tested], rel=1e-12)


def test_the_defaults_are_those_of_the_configuration() -> None:
    section = schema.InSitu()
    assert InSitu() == InSitu(**section.model_dump(exclude={"updates"}))


def test_ideal_steps_are_counted_and_end_at_the_range() -> None:
    some = IdealCells(3, InSitu(update=Update.IDEAL, steps=4), LEVELS, np.random.default_rng(0))
    assert (some.pulses, some.energy) == (0, 0.0)
    some.weights()[:] = [0.75, -0.75, 0.0]
    some.update(np.array([0, 1]), np.array([1.0, -1.0]))  # a step is 2/4
    assert some.weights() == pytest.approx([1.0, -1.0, 0.0])
    some.update(np.array([2, 0]), np.array([-1.0, -1.0]))
    assert some.weights() == pytest.approx([0.5, -1.0, -0.5])
    assert (some.pulses, some.energy) == (4, 0.0)


def test_the_rate_falls_along_a_cosine(quarters: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    monkeypatch.setattr(in_situ, "_descend", lambda _cells, _gradient, rate, _random: rates.append(rate))
    digital: list[float] = []
    monkeypatch.setattr(in_situ.Adam, "step", lambda _adam, _gradients, rate: digital.append(rate))
    recipe = replace(SHORT, epochs=2, batch=200)
    network = train_in_situ(quarters, (36, 4), LEVELS, CARD, recipe, InSitu(learning_rate=8.0), seed=1)
    # three batches in each of two epochs: 8 (1 + cos(k pi/6))/2
    expected = [8.0, 7.4641016, 6.0, 4.0, 2.0, 0.5358984]
    np.testing.assert_allclose(rates, expected, rtol=1e-7)
    np.testing.assert_allclose(digital, np.array(expected) / 8 * recipe.learning_rate, rtol=1e-7)
    assert network.info["pulses"] == 0


def test_networks_learn_in_situ(quarters: Dataset) -> None:
    accuracy = {}
    for update in Update:
        settings = InSitu(update=update, learning_rate=3.0)
        network = train_in_situ(quarters, (36, 6, 4), LEVELS, CARD, SHORT, settings, seed=5)
        accuracy[update] = network.accuracy(quarters.test_images, quarters.test_labels)
        assert network.history["test_accuracy"][-1] == pytest.approx(accuracy[update], abs=0.01)
        # the last of three epochs on the images it learns: between the accuracy of a test set and one
        assert 0.9 * accuracy[update] < network.history["train_accuracy"][-1] <= 1.0
    assert accuracy[Update.IDEAL] > 0.95
    assert accuracy[Update.LADDER] > 0.95
    again = train_in_situ(quarters, (36, 6, 4), LEVELS, CARD, SHORT, settings, seed=5)
    np.testing.assert_array_equal(again.layers[0].weights, network.layers[0].weights)


def test_what_cannot_be_trained_in_situ(quarters: Dataset) -> None:
    with pytest.raises(ValueError, match="one cell per weight"):
        train_in_situ(quarters, (36, 4), pair_levels(PAPER_LEVELS_OHM), CARD, SHORT, InSitu())
    with pytest.raises(ValueError, match="has neither"):
        train_in_situ(quarters, (36, 4), LEVELS, CARD, PAPER, InSitu())
    for option in ("bias", "standardise", "scale_outputs"):
        with pytest.raises(ValueError, match="in-situ training has none of them"):
            train_in_situ(
                quarters, (36, 4), LEVELS, CARD, replace(SHORT, batch_norm=False, **{option: True}), InSitu()
            )
    with pytest.raises(ValueError, match="batch = 5000: there are 600"):
        train_in_situ(quarters, (36, 4), LEVELS, CARD, replace(SHORT, batch=5000), InSitu())
    assert (InSitu(steps=2).steps, InSitu(steps=1000).steps) == (2, 1000)
    InSitu(pulse_share=0.01, learning_rate=0.01, device_spread=0.49, cycle_noise=0.49)
    for wrong in (
        {"steps": 1},
        {"steps": 1001},
        {"pulse_share": 0.0},
        {"pulse_share": 1.0},
        {"learning_rate": 0.0},
        {"device_spread": 0.5},
        {"device_spread": -0.1},
        {"cycle_noise": 0.5},
        {"cycle_noise": -0.1},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            InSitu(**wrong)  # type: ignore[arg-type]
