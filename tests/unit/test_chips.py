"""Chips with spread: closed forms, and the limits where nothing is wrong."""

from dataclasses import replace

import numpy as np
import pytest

from circuits.arrays.config import ArrayConfig
from nn_mapping.accuracy import ReadNoise, confusion_matrix, propagate, tile_maps
from nn_mapping.chips import ChipOptions, Variation, aged, monte_carlo, states, wilson, written
from nn_mapping.column_readout import Readout
from nn_mapping.data import Dataset
from nn_mapping.levels import PAPER_LEVELS_OHM, level_set
from nn_mapping.mapping import MappedNetwork, map_network, resistive_states
from nn_mapping.recipes import GOOD
from nn_mapping.tiles import conductance_per_weight, ideal_transfers
from nn_mapping.training import train

CONFIG = ArrayConfig(architecture="active_parallel")
EXACT = Readout(v_full=0.5, dac_bits=None, adc_bits=None, trim=False)
IDEAL = ChipOptions(ideal_arrays=True)


def data() -> Dataset:
    """Noisy 6 x 6 images of four classes: which quarter is bright."""
    random = np.random.default_rng(3)
    parts = []
    for count in (600, 400):
        labels = random.integers(0, 4, count).astype(np.uint8)
        pictures = random.integers(0, 140, (count, 6, 6))
        for k, label in enumerate(labels):
            pictures[k, 3 * (label // 2) : 3 * (label // 2) + 3, 3 * (label % 2) : 3 * (label % 2) + 3] += 60
        parts += [pictures.astype(np.uint8), labels]
    return Dataset(
        name="quarters",
        train_images=parts[0],
        train_labels=parts[1],
        test_images=parts[2],
        test_labels=parts[3],
    )


@pytest.fixture(scope="module", params=["reference", "differential"])
def mapped(request: pytest.FixtureRequest) -> MappedNetwork:
    levels = level_set(request.param, PAPER_LEVELS_OHM)
    network = train(data(), (36, 10, 4), levels.weights, replace(GOOD, epochs=3, batch=32), seed=1)
    return map_network(network, levels, 20, 12)


def accuracy(
    mapped: MappedNetwork, chips: int = 1, options: ChipOptions = IDEAL, **variation: float
) -> float:
    return monte_carlo(mapped, CONFIG, EXACT, data(), Variation(**variation), options, chips=chips).mean


def test_a_chip_as_it_was_meant_is_the_digital_network(mapped: MappedNetwork) -> None:
    images, labels = data().test_images, data().test_labels
    assert accuracy(mapped) == pytest.approx(mapped.network.accuracy(images, labels), abs=1e-9)
    again = accuracy(mapped, options=ChipOptions(ideal_arrays=True, recalibrate=True))
    assert again == pytest.approx(accuracy(mapped), abs=2.5 / len(labels))  # rounding of float32 gains


def test_spread_has_the_stated_size(mapped: MappedNetwork) -> None:
    random = np.random.default_rng(0)
    for field, expected in (("spread_of_window", 0.1 * 0.24), ("spread_of_r", None)):
        found = [written(mapped, Variation(**{field: 0.1}), random, tile) for tile in mapped.tiles]
        deviation = np.concatenate([(s - t.states).ravel() for s, t in zip(found, mapped.tiles, strict=True)])
        scale = expected or 0.1 * np.concatenate([tile.states.ravel() for tile in mapped.tiles])
        # the standard error of a standard deviation is 1 / sqrt(2 n)
        assert np.std(deviation / scale) == pytest.approx(1, abs=4 / np.sqrt(2 * deviation.size))


def test_stuck_cells_and_relaxation(mapped: MappedNetwork) -> None:
    random = np.random.default_rng(0)
    tile = mapped.tiles[0]
    assert (written(mapped, Variation(stuck_high=1.0), random, tile) == 0.57).all()
    np.testing.assert_allclose(aged(mapped, Variation(relaxation=1.0), tile.states), 0.45, rtol=1e-12)
    ohm = np.array(PAPER_LEVELS_OHM)
    halved = Variation(levels_after=tuple((ohm + 0.45) / 2))
    np.testing.assert_allclose(aged(mapped, halved, tile.states), (tile.states + 0.45) / 2, rtol=1e-12)


def test_resistive_cells_are_linear_in_their_conductance() -> None:
    """Levels of 0.3 and 0.5 Ohm stand for 100 and 10 kOhm: 0.4 Ohm for 55 uS, 0.48 Ohm for 91 uS."""
    levels = level_set("reference", [0.3, 0.35, 0.5])
    network = train(data(), (36, 4), levels.weights, replace(GOOD, epochs=1, batch=32), seed=1)
    ohm = resistive_states(levels.levels_ohm, r_low=1e4, r_high=1e5)
    mapped = map_network(network, levels, 20, 12, ohm)
    resistive = ArrayConfig(architecture="resistive")
    found = states(mapped, resistive, np.array([[0.3, 0.5, 0.4], [0.48, 0.35, 0.2]]))
    # 0.35 Ohm: 10 + 90/4 uS; what would lie below a thousandth of the lowest conductance is held there
    np.testing.assert_allclose(1e6 / found, [[10.0, 100.0, 55.0], [91.0, 32.5, 0.01]], rtol=1e-9)
    hall = np.array([[0.3, -0.1]])  # a Hall resistance has a sign
    np.testing.assert_array_equal(states(mapped, CONFIG, hall), hall)


def test_drift_is_common_to_an_in_array_reference(mapped: MappedNetwork) -> None:
    """All weights scale together: a digital gain that is a little wrong, no more."""
    assert accuracy(mapped, drift=0.01) == pytest.approx(accuracy(mapped), abs=0.02)
    if mapped.level_set.scheme.value == "differential":
        with pytest.raises(ValueError, match="belongs to scheme 'reference'"):
            accuracy(mapped, options=ChipOptions(digital_reference=True))


def test_recalibration_undoes_a_drift_against_a_digital_reference() -> None:
    levels = level_set("reference", PAPER_LEVELS_OHM)
    network = train(data(), (36, 10, 4), levels.weights, replace(GOOD, epochs=3, batch=32), seed=1)
    mapped = map_network(network, levels, 20, 12)
    off = ChipOptions(ideal_arrays=True, digital_reference=True)
    drifted = accuracy(mapped, options=off, drift=0.15)
    repaired = accuracy(mapped, options=replace(off, recalibrate=True), drift=0.15)
    assert drifted < accuracy(mapped) - 0.1
    assert repaired > drifted + 0.1


def test_warm_cells_against_a_reference_that_stays() -> None:
    """The digital network with every weight as 160 K more leave it, against the chips.

    At 5e-4/K channels and misalignment grow by 8 %: a cell of R gives (R + 0.08 * 0.4666 Ohm)/1.08 where R was wanted.
    """
    levels = level_set("reference", PAPER_LEVELS_OHM)
    network = train(data(), (36, 10, 4), levels.weights, replace(GOOD, epochs=3, batch=32), seed=1)
    options = ChipOptions(ideal_arrays=True, digital_reference=True, tcr=5e-4)
    mapped = map_network(network, levels, 20, 12)
    found = monte_carlo(mapped, CONFIG, EXACT, data(), Variation(warming=160.0), options, chips=1)
    assert levels.r_reference == pytest.approx(0.45)
    assert levels.scale == pytest.approx(0.12)
    warm = [((0.45 + 0.12 * one.weights + 0.037328) / 1.08 - 0.45) / 0.12 for one in network.layers]
    by_hand = replace(
        network,
        layers=tuple(replace(one, weights=w) for one, w in zip(network.layers, warm, strict=True)),
    )
    images, labels = data().test_images, data().test_labels
    expected = confusion_matrix(labels, by_hand.predict(images), 4)
    # an image may lie on the edge of two classes
    assert np.abs(found.confusion - expected).sum() <= 2
    assert np.abs(expected - confusion_matrix(labels, network.predict(images), 4)).sum() > 20


def test_read_noise_adds_up_in_a_column(mapped: MappedNetwork) -> None:
    """Against noise drawn for every cell: the same variance of the outputs."""
    part = replace(mapped, network=replace(mapped.network, layers=mapped.network.layers[:1]))
    unit = conductance_per_weight(mapped, CONFIG)
    maps = tile_maps(mapped, ideal_transfers(mapped, CONFIG), CONFIG, EXACT)
    inputs = np.repeat(np.random.default_rng(0).uniform(0, 1, (1, 36)), 20000, axis=0)
    noise = ReadNoise(per_volt=0.1 * unit, random=np.random.default_rng(1))
    outputs, _, _ = propagate(part, maps, unit, EXACT, inputs, noise=noise)
    cells = (
        2.0 if mapped.level_set.scheme.value == "differential" else 1.5
    )  # a cell, and half of each reference
    expected = 0.1 * np.sqrt(cells * np.sum(inputs[0] ** 2)) * np.abs(mapped.network.layers[0].gain)
    np.testing.assert_allclose(outputs.std(axis=0), expected, rtol=4 / np.sqrt(2 * 20000))


def test_wilson_and_ranges() -> None:
    low, high = wilson(1.0, 100)
    assert high == pytest.approx(1.0)
    assert low == pytest.approx(100 / (100 + 1.96**2))  # closed form at a share of one
    with pytest.raises(ValueError, match=r"spread_of_r = -0.1 is outside \[0, 1\]"):
        Variation(spread_of_r=-0.1)
    with pytest.raises(ValueError, match="more than all cells"):
        Variation(stuck_low=0.6, stuck_high=0.6)


def test_one_layer_at_a_time(mapped: MappedNetwork) -> None:
    """All the noise in one layer or in the other: neither costs more than both together, by more than chance."""
    images = len(data().test_labels)

    def lost(only: int | None) -> float:
        variation = Variation(spread_of_window=0.4, read_noise=0.2)
        found = monte_carlo(mapped, CONFIG, EXACT, data(), variation, IDEAL, chips=6, only=only)
        assert found.confusion.sum() == 6 * images
        assert np.trace(found.confusion) / (6 * images) == pytest.approx(found.mean)
        return accuracy(mapped) - found.mean

    first, last, both = lost(0), lost(1), lost(None)
    assert both > 0.02
    assert max(first, last) < both + 0.05


def test_cells_that_differ_and_are_warm(mapped: MappedNetwork) -> None:
    readout = replace(EXACT, trim=True)

    def with_circuit(options: ChipOptions, **variation: float) -> float:
        return monte_carlo(mapped, CONFIG, readout, data(), Variation(**variation), options, chips=2).mean

    options = ChipOptions(tcr=5e-4)
    meant = with_circuit(options)
    assert with_circuit(options, mismatch=1e-9, r_off_spread=1e-9) == pytest.approx(meant, abs=0.01)
    assert (
        with_circuit(options, mismatch=0.19) < meant - 0.05
    )  # channels: 19 % of R, nearly half of the window
    # Channels, arms and misalignment scale together, and in-array references with them: only a gain changes.
    assert with_circuit(options, warming=20.0) == pytest.approx(meant, abs=0.03)
    with pytest.raises(ValueError, match="ideal arrays have none"):
        with_circuit(IDEAL, mismatch=0.01)
    with pytest.raises(ValueError, match="those of Hall cells"):
        resistive = ArrayConfig(architecture="resistive")
        monte_carlo(mapped, resistive, EXACT, data(), Variation(warming=1.0), options, chips=1)
