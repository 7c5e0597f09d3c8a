"""Chips with spread: closed forms, and the limits where nothing is wrong."""

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from circuits.arrays.config import ArrayConfig
from nn_mapping.accuracy import accuracy_of, confusion_matrix, digitally, outputs_of
from nn_mapping.analog.chip_design import Chip, LayerOptions
from nn_mapping.analog.conversion import convert
from nn_mapping.analog.full_scales import calibrate
from nn_mapping.analog.linear import ArrayMatrix
from nn_mapping.analog.placement import arrays_of, hold, tiles_of
from nn_mapping.analog.read_noise import ReadNoise
from nn_mapping.chips import ChipOptions, Chips, Variation, aged, monte_carlo, wilson, written
from nn_mapping.column_readout import Readout
from nn_mapping.data import Dataset
from nn_mapping.examples import Examples
from nn_mapping.levels import PAPER_LEVELS_OHM, level_set
from nn_mapping.mapping import resistive_states
from nn_mapping.recipes import GOOD
from nn_mapping.tiles import ideal_transfers
from nn_mapping.trained import TrainedNetwork
from nn_mapping.training import train

CONFIG = ArrayConfig(architecture="active_parallel")
EXACT = Readout(v_full=0.5, dac_bits=None, adc_bits=None, trim=False)
IDEAL = ChipOptions(ideal_arrays=True)
OHM = np.array(PAPER_LEVELS_OHM)


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


EXAMPLES = Examples.of(data())
NETWORKS: dict[str, TrainedNetwork] = {}


def network(scheme: str) -> TrainedNetwork:
    if scheme not in NETWORKS:
        levels = level_set(scheme, PAPER_LEVELS_OHM)
        NETWORKS[scheme] = train(
            data(), (36, 10, 4), levels.weights, replace(GOOD, epochs=3, batch=32), seed=1
        )
    return NETWORKS[scheme]


def on_arrays(scheme: str = "reference", config: ArrayConfig = CONFIG, readout: Readout = EXACT) -> nn.Module:
    levels = level_set(scheme, PAPER_LEVELS_OHM)
    states = None if config.architecture.hall else resistive_states(levels.levels_ohm, 1e4, 1e5)
    chip = Chip(
        config=config,
        level_set=levels,
        readout=readout,
        tile=(20, 12),
        state_ohm=states,
        layers={"layer1": LayerOptions(input_full=1.0)},
    )
    return convert(network(scheme).model(), chip)[0].eval()


@pytest.fixture(scope="module", params=["reference", "differential"])
def model(request: pytest.FixtureRequest) -> nn.Module:
    return on_arrays(request.param)


def scheme_of(model: nn.Module) -> str:
    return str(tiles_of(model)[0].level_set.scheme)


def digital(model: nn.Module) -> float:
    with digitally(model):
        return accuracy_of(model, EXAMPLES)


def accuracy(model: nn.Module, chips: int = 1, options: ChipOptions = IDEAL, **variation: float) -> float:
    return monte_carlo(model, EXAMPLES, Variation(**variation), options, chips=chips).mean


def test_a_chip_as_it_was_meant_is_the_digital_network(model: nn.Module) -> None:
    # single precision: an image may lie on the edge of two classes
    assert accuracy(model) == pytest.approx(digital(model), abs=1.5 / 400)
    again = accuracy(model, options=ChipOptions(ideal_arrays=True, recalibrate=True))
    assert again == pytest.approx(digital(model), abs=2.5 / 400)
    assert digital(model) == network(scheme_of(model)).accuracy(data().test_images, data().test_labels)


def test_the_model_is_left_alone_and_the_seed_decides(model: nn.Module) -> None:
    before = copy.deepcopy(model.state_dict())
    variation = Variation(spread_of_window=0.3, read_noise=0.3)
    told: list[Any] = []
    found = monte_carlo(
        model, EXAMPLES, variation, IDEAL, chips=3, seed=7, progress=lambda *step: told.append(step)
    )
    assert [name for name, value in model.state_dict().items() if not torch.equal(value, before[name])] == [
        name for name in before if "full" in name and bool(before[name].isnan().any())
    ]
    assert told == [(k + 1, 3, f"chip {k + 1}: {100 * one:.2f} %") for k, one in enumerate(found.accuracies)]
    again = monte_carlo(model, EXAMPLES, variation, IDEAL, chips=2, seed=7)
    assert again.accuracies == found.accuracies[:2]
    other = monte_carlo(model, EXAMPLES, variation, IDEAL, chips=3, seed=8)
    assert other.accuracies != found.accuracies
    assert len(set(found.accuracies)) > 1
    assert found.images == 400
    assert found.deviation == pytest.approx(np.std(found.accuracies, ddof=1))
    assert monte_carlo(model, EXAMPLES, variation, IDEAL, chips=1).deviation == 0.0


def test_chips_are_drawn_tile_by_tile() -> None:
    """One linear layer by hand: the states of chip 2 of seed 5, its outputs, its classes."""
    torch.manual_seed(0)
    levels = level_set("reference", PAPER_LEVELS_OHM)
    chip = Chip(config=CONFIG, level_set=levels, readout=EXACT, tile=(20, 6))
    model, _ = convert(nn.Sequential(nn.Flatten(), nn.Linear(36, 4, bias=False)), chip)
    model.eval()
    variation = Variation(spread_of_window=0.5, spread_of_r=0.1, stuck_low=0.2, stuck_high=0.1, drift=0.3)
    found = monte_carlo(model, EXAMPLES, variation, IDEAL, chips=3, seed=5)
    random = np.random.default_rng([5, 2])
    weights = np.zeros((4, 36))
    for tile in tiles_of(model):
        r = OHM[tile.level_index]
        r = r + np.sqrt((0.5 * 0.24) ** 2 + (0.1 * r) ** 2) * random.standard_normal(r.shape)
        fate = random.uniform(size=r.shape)
        r[fate < 0.2], r[fate >= 0.9] = 0.33, 0.57
        r *= 1.3
        weights[tile.outputs, tile.rows] = (r[:, :-2] - r[:, -2:].mean(axis=1, keepdims=True)).T
    classes = (EXAMPLES.inputs.flatten(1).numpy() @ weights.T).argmax(axis=1)
    assert found.accuracies[2] == pytest.approx(np.mean(classes == EXAMPLES.labels), abs=1.5 / 400)


def test_cells_vary_around_what_writing_has_reached(model: nn.Module) -> None:
    """Cells that are written alike say nothing; in the layer that varies alone, on the chip that was written so."""
    meant = [tile.target for tile in tiles_of(model)]
    told: list[int] = []

    def accuracies(
        reached: list[np.ndarray], only: str | None = None, **variation: float
    ) -> tuple[float, ...]:
        def reach(chip: int) -> list[np.ndarray]:
            told.append(chip)
            return reached if chip == 1 else meant

        options = {"chips": 2, "seed": 3, "only": only}
        return monte_carlo(
            model, EXAMPLES, Variation(**variation), IDEAL, reached=reach, **options
        ).accuracies  # type: ignore[arg-type]

    exact = accuracy(model)
    assert accuracies(meant) == (exact, exact)
    assert told == [0, 1]
    alike = [np.full_like(ohm, 0.45) for ohm in meant]
    first, second = accuracies(alike)
    assert first == exact
    assert second < 0.5
    last = [
        0.45 + 0 * ohm if tile.layer == "layer2" else ohm
        for tile, ohm in zip(tiles_of(model), meant, strict=True)
    ]
    assert accuracies(last, only="layer1") == (exact, exact)
    assert accuracies(last, only="layer2")[1] < 0.5
    assert (
        accuracies(meant, spread_of_window=0.3)
        == monte_carlo(model, EXAMPLES, Variation(spread_of_window=0.3), IDEAL, chips=2, seed=3).accuracies
    )
    tile, random = tiles_of(model)[0], np.random.default_rng(0)
    spread = written(tile, Variation(spread_of_r=0.1), random, 0.4 + 0 * tile.target)
    assert spread.mean() == pytest.approx(0.4, abs=0.01)
    assert spread.std() == pytest.approx(0.04, rel=0.2)


def test_spread_has_the_stated_size(model: nn.Module) -> None:
    random = np.random.default_rng(0)
    tiles = tiles_of(model)
    for field, expected in (("spread_of_window", 0.1 * 0.24), ("spread_of_r", None)):
        found = [written(tile, Variation(**{field: 0.1}), random) for tile in tiles]
        deviation = np.concatenate([(s - t.states).ravel() for s, t in zip(found, tiles, strict=True)])
        scale = expected or 0.1 * np.concatenate([tile.states.ravel() for tile in tiles])
        # the standard error of a standard deviation is 1 / sqrt(2 n)
        assert np.std(deviation / scale) == pytest.approx(1, abs=4 / np.sqrt(2 * deviation.size))


def test_stuck_cells_and_relaxation(model: nn.Module) -> None:
    random = np.random.default_rng(0)
    tile = tiles_of(model)[0]
    assert (written(tile, Variation(stuck_high=1.0), random) == 0.57).all()
    assert (written(tile, Variation(stuck_low=1.0), random) == 0.33).all()
    np.testing.assert_allclose(aged(tile, Variation(relaxation=1.0), tile.states), 0.45, rtol=1e-12)
    halved = Variation(levels_after=tuple((OHM + 0.45) / 2))
    np.testing.assert_allclose(aged(tile, halved, tile.states), (tile.states + 0.45) / 2, rtol=1e-12)
    # in this order: decayed, relaxed, drifted
    both = replace(halved, relaxation=0.5, drift=0.2)
    np.testing.assert_allclose(aged(tile, both, tile.states), 1.2 * (tile.states / 4 + 0.3375), rtol=1e-12)


def test_drift_is_common_to_an_in_array_reference(model: nn.Module) -> None:
    """All weights scale together: a digital gain that is a little wrong, no more."""
    assert accuracy(model, drift=0.01) == pytest.approx(accuracy(model), abs=0.02)
    if scheme_of(model) == "differential":
        with pytest.raises(ValueError, match="belongs to scheme 'reference', not 'differential'"):
            accuracy(model, options=ChipOptions(digital_reference=True))


def test_recalibration_undoes_a_drift_against_a_digital_reference() -> None:
    model = on_arrays()
    off = ChipOptions(ideal_arrays=True, digital_reference=True)
    drifted = accuracy(model, options=off, drift=0.15)
    repaired = accuracy(model, options=replace(off, recalibrate=True), drift=0.15)
    assert drifted < accuracy(model) - 0.1
    assert repaired > drifted + 0.1


class OtherWay(nn.Module):
    """Layers that are read in another order than they stand in, one of them twice; convolution, bias, both signs."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(8, 4)
        self.between = nn.Linear(8, 8)
        self.first = nn.Conv2d(1, 2, 3, stride=3)

    def forward(self, x: Tensor) -> Tensor:
        """Classes (count, 4)."""
        return self.last(self.between(self.between(self.first(x).flatten(1)).relu()))


def test_recalibration_gives_every_output_its_mean_and_deviation() -> None:
    """Layer after layer in the order of the reads, on what those before it give by then; the bias is not part of it.

    A layer that reads its own outputs sees what it gave before: nearly right.
    """
    torch.manual_seed(0)
    levels = level_set("reference", PAPER_LEVELS_OHM)
    plain = OtherWay()
    arrays, _ = convert(plain, Chip(config=CONFIG, level_set=levels, readout=EXACT, tile=(20, 12)))
    seen: dict[str, list[Tensor]] = {}
    few = replace(EXAMPLES, batch=250)  # in three batches, and for the test in two

    def products(name: str, array: ArrayMatrix, outputs: Tensor) -> None:
        assert array.bias is not None
        along = (-1, *[1] * (outputs.ndim - 2))
        values = (outputs - array.bias.view(along)).movedim(1, 0).flatten(1)
        seen.setdefault(name, []).append(values.detach())

    for name, array in arrays_of(arrays).items():
        array.register_forward_hook(
            lambda part, _inputs, outputs, name=name: products(name, part, outputs), always_call=True
        )
    arrays.eval()
    with torch.no_grad(), digitally(arrays):
        arrays(few.calibration)
    wanted = {name: torch.cat(parts, 1) for name, parts in seen.items()}
    seen.clear()
    testing_on_training = replace(few, inputs=few.calibration, labels=np.zeros(600, np.intp), batch=600)
    options = ChipOptions(ideal_arrays=True, recalibrate=True)
    monte_carlo(arrays, testing_on_training, Variation(spread_of_window=0.3), options, chips=1)
    assert list(wanted) == ["first", "between", "last"]
    for name, expected in wanted.items():
        calls = 2 if name == "between" else 1
        found = torch.cat(seen[name][-calls:], 1)
        off = 0.03 if name == "between" else 1e-3
        torch.testing.assert_close(found.mean(1), expected.mean(1), rtol=1e-3, atol=off)
        torch.testing.assert_close(found.std(1), expected.std(1), rtol=2e-3, atol=off)
        assert float((found - expected).abs().max()) > 0.02


def test_an_output_that_never_moves_is_only_shifted() -> None:
    """Its deviation is zero on chip and in the digital network."""
    torch.manual_seed(0)
    levels = level_set("differential", PAPER_LEVELS_OHM)
    layer = nn.Linear(36, 4)
    with torch.no_grad():
        layer.weight[2] = 0
    model, _ = convert(
        nn.Sequential(nn.Flatten(), layer), Chip(config=CONFIG, level_set=levels, readout=EXACT, tile=(36, 8))
    )
    found = accuracy(model.eval(), options=ChipOptions(recalibrate=True, ideal_arrays=True), drift=0.1)
    assert found == pytest.approx(digital(model), abs=1.5 / 400)


def test_warm_cells_against_a_reference_that_stays() -> None:
    """The digital network with every weight as 160 K more leave it, against the chips.

    At 5e-4/K channels and misalignment grow by 8 %: a cell of R gives (R + 0.08 * 0.4666 Ohm)/1.08 where R was wanted.
    """
    options = ChipOptions(ideal_arrays=True, digital_reference=True, tcr=5e-4)
    found = monte_carlo(on_arrays(), EXAMPLES, Variation(warming=160.0), options, chips=1)
    plain, levels = network("reference"), level_set("reference", PAPER_LEVELS_OHM)
    assert levels.r_reference == pytest.approx(0.45)
    assert levels.scale == pytest.approx(0.12)
    warm = [((0.45 + 0.12 * one.weights + 0.037328) / 1.08 - 0.45) / 0.12 for one in plain.layers]
    by_hand = replace(
        plain,
        layers=tuple(
            replace(one, weights=w.astype(np.float32)) for one, w in zip(plain.layers, warm, strict=True)
        ),
    )
    images, labels = data().test_images, data().test_labels
    expected = confusion_matrix(labels, by_hand.predict(images), 4)
    # an image may lie on the edge of two classes
    assert np.abs(found.confusion - expected).sum() <= 2
    assert np.abs(expected - confusion_matrix(labels, plain.predict(images), 4)).sum() > 20


def test_wilson_and_ranges() -> None:
    low, high = wilson(1.0, 100)
    assert high == pytest.approx(1.0)
    assert low == pytest.approx(100 / (100 + 1.96**2))  # closed form at a share of one
    with pytest.raises(ValueError, match=r"spread_of_r = -0.1 is outside \[0, 1\]"):
        Variation(spread_of_r=-0.1)
    with pytest.raises(ValueError, match="more than all cells"):
        Variation(stuck_low=0.6, stuck_high=0.6)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("drift", -0.9, 1.0),
        ("r_off_spread", 0.0, 100.0),
        ("warming", -300.0, 1000.0),
        ("spread_of_window", 0.0, 1.0),
        ("stuck_low", 0.0, 1.0),
    ],
)
def test_variations_have_bounds(name: str, low: float, high: float) -> None:
    for value in (low, high):
        assert getattr(Variation(**{name: value}), name) == value
    for value in (low - 0.01, high + 0.01, float("nan")):
        with pytest.raises(ValueError, match=rf"^{name} = {value} is outside \[{low:g}, {high:g}\]"):
            Variation(**{name: value})


def test_nothing_is_done_about_variation_unless_asked() -> None:
    assert ChipOptions() == ChipOptions(
        recalibrate=False, digital_reference=False, ideal_arrays=False, tcr=0.0
    )


def test_the_deviation_of_two_chips_and_an_interval_by_its_equation() -> None:
    two = Chips(accuracies=(0.5, 0.8), images=50, confusion=np.zeros((2, 2), np.intp))
    assert two.deviation == pytest.approx(0.3 / np.sqrt(2), rel=1e-12)
    assert two.interval == wilson(0.65, 50)
    low, high = wilson(0.3, 50, 2.5)
    assert low < 0.3 < high
    for end in (low, high):  # as many deviations away as its own share would give
        assert (end - 0.3) ** 2 == pytest.approx(2.5**2 * end * (1 - end) / 50, rel=1e-9)


def test_read_noise_of_a_chip_is_drawn_with_its_number(model: nn.Module) -> None:
    """Chip 2 of seed 5, on ideal arrays calibrated without noise; the default seed is 0."""
    by_hand = copy.deepcopy(model)
    hold(by_hand, ideal_transfers(tiles_of(model), CONFIG))
    calibrate(by_hand, EXAMPLES.calibration)
    generator = torch.Generator().manual_seed(int(np.random.SeedSequence([5, 2, 1]).generate_state(1)[0]))
    for array in arrays_of(by_hand).values():
        array.tiles.noise = ReadNoise(of_window=0.8, generator=generator, reference=True)
    variation = Variation(read_noise=0.8)
    found = monte_carlo(model, EXAMPLES, variation, IDEAL, chips=3, seed=5)
    classes = outputs_of(by_hand, EXAMPLES).argmax(axis=1)
    expected = confusion_matrix(EXAMPLES.labels, classes, 4).astype(int)
    others = monte_carlo(model, EXAMPLES, variation, IDEAL, chips=2, seed=5).confusion
    # an image may lie on the edge of two classes
    assert np.abs(found.confusion - others - expected).sum() <= 4
    plain, first, second = (
        monte_carlo(model, EXAMPLES, variation, IDEAL, chips=1, **seed).confusion.tolist()
        for seed in ({}, {"seed": 0}, {"seed": 1})
    )
    assert plain == first != second


def test_one_layer_at_a_time(model: nn.Module) -> None:
    """All the noise in one layer or in the other: neither costs more than both together, by more than chance."""

    def lost(only: str | None) -> float:
        variation = Variation(spread_of_window=0.4, read_noise=0.2)
        found = monte_carlo(model, EXAMPLES, variation, IDEAL, chips=6, only=only)
        assert found.confusion.sum() == 6 * 400
        assert np.trace(found.confusion) / (6 * 400) == pytest.approx(found.mean)
        return accuracy(model) - found.mean

    first, last, both = lost("layer1"), lost("layer2"), lost(None)
    assert both > 0.02
    assert max(first, last) < both + 0.05
    assert first != last
    with pytest.raises(ValueError, match="only = 'layer3': no layer on arrays, which are layer1, layer2"):
        lost("layer3")


def test_the_other_layers_stay_as_they_were_meant() -> None:
    """Dead cells in the last layer alone: its outputs are its offsets; drift and mismatch don't reach the first one."""
    model = on_arrays(config=replace(CONFIG, r_row=0.5), readout=replace(EXACT, trim=True))
    seen: list[Tensor] = []
    arrays_of(model)["layer1"].register_forward_hook(lambda _part, _inputs, outputs: seen.append(outputs))
    meant = monte_carlo(model, EXAMPLES, Variation(), ChipOptions(), chips=1)
    as_meant = seen[-1]
    variation = Variation(stuck_low=1.0, drift=0.4, mismatch=0.05, read_noise=0.3)
    dead = monte_carlo(model, EXAMPLES, variation, ChipOptions(), chips=1, only="layer2")
    assert torch.equal(seen[-1], as_meant)
    assert dead.mean < meant.mean - 0.3
    moved = monte_carlo(model, EXAMPLES, variation, ChipOptions(), chips=1, only="layer1")
    assert not torch.allclose(seen[-1], as_meant, rtol=0.1)
    assert moved.mean < meant.mean - 0.3


def test_columns_are_trimmed_on_the_fresh_chip_and_not_when_it_has_aged() -> None:
    """A drift that the trim could undo stays; one of the written cells is undone."""
    trimmed = on_arrays(readout=replace(EXACT, trim=True))
    seen: list[Tensor] = []
    arrays_of(trimmed)["layer1"].register_forward_hook(lambda _part, _inputs, outputs: seen.append(outputs))
    accuracy(trimmed, options=ChipOptions())
    meant = seen[-1]
    accuracy(trimmed, options=ChipOptions(), drift=0.25)
    torch.testing.assert_close(seen[-1], 1.25 * meant, rtol=0, atol=1e-3 * float(meant.abs().max()))
    accuracy(trimmed, options=ChipOptions(), mismatch=0.1)
    spread = seen[-1] - meant
    plain = on_arrays()
    arrays_of(plain)["layer1"].register_forward_hook(lambda _part, _inputs, outputs: seen.append(outputs))
    accuracy(plain, options=ChipOptions())
    meant = seen[-1]
    accuracy(plain, options=ChipOptions(), mismatch=0.1)
    assert float(spread.std()) < 0.9 * float((seen[-1] - meant).std())


def test_cells_that_differ_and_are_warm(model: nn.Module) -> None:
    trimmed = on_arrays(scheme_of(model), readout=replace(EXACT, trim=True))

    def with_circuit(options: ChipOptions, **variation: float) -> float:
        return monte_carlo(trimmed, EXAMPLES, Variation(**variation), options, chips=2).mean

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
    with pytest.raises(ValueError, match="ideal arrays have none"):
        with_circuit(IDEAL, r_off_spread=0.01)


def test_two_terminal_cells_vary_as_well() -> None:
    """Their conductance follows the level: with all stuck low only offsets are left; warming is refused."""
    model = on_arrays(
        config=ArrayConfig(architecture="resistive", r_row=0.01), readout=replace(EXACT, trim=True)
    )
    assert accuracy(model, options=ChipOptions()) == pytest.approx(digital(model), abs=0.02)
    assert accuracy(model, options=ChipOptions(), spread_of_window=0.02) > digital(model) - 0.1
    assert accuracy(model, options=ChipOptions(), stuck_low=1.0) < 0.6
    for variation in (Variation(warming=1.0), Variation(mismatch=0.1), Variation(r_off_spread=0.1)):
        with pytest.raises(ValueError, match="those of Hall cells"):
            monte_carlo(model, EXAMPLES, variation, ChipOptions(), chips=1)


def test_full_scales_are_those_of_the_chip_as_it_was_meant() -> None:
    """Codes of a chip that drifts upwards are clipped where those of the meant one end."""
    model = on_arrays(readout=replace(EXACT, adc_bits=6, dac_bits=6))
    expected = copy.deepcopy(model)
    calibrate(expected, EXAMPLES.calibration)
    full = [float(array.tiles.output_full[0]) for array in arrays_of(expected).values()]
    seen: list[Tensor] = []
    arrays_of(model)["layer1"].register_forward_hook(lambda _part, _inputs, outputs: seen.append(outputs))
    accuracy(model, options=ChipOptions(), drift=1.0)
    tiles = arrays_of(expected)["layer1"].tiles
    # two bands of rows; the highest code is one step below full scale
    highest = 2 * full[0] * 31 / 32 / (tiles.unit * 0.5)
    assert float(seen[-1].max()) <= highest * (1 + 1e-5)
