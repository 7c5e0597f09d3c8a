"""Models on arrays put to the test: accuracy, causes, what was read, and tiles sampled with their inputs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from circuits.arrays.architecture import Architecture
from circuits.arrays.config import ArrayConfig
from nn_mapping import accuracy as module
from nn_mapping.accuracy import ablation, accuracy_of, digitally, evaluate, sample_reads
from nn_mapping.analog.chip_design import Chip, LayerOptions
from nn_mapping.analog.conversion import convert
from nn_mapping.analog.full_scales import calibrate
from nn_mapping.analog.placement import hold, tiles_of
from nn_mapping.column_readout import Readout
from nn_mapping.data import Dataset
from nn_mapping.examples import Examples
from nn_mapping.levels import PAPER_LEVELS_OHM, level_set
from nn_mapping.tiles import ideal_transfers
from nn_mapping.trained import Layer, TrainedNetwork

CONFIG = ArrayConfig(architecture=Architecture.ACTIVE_PARALLEL, r_row=0.05, r_column=0.05)
READOUT = Readout(v_full=0.5)
PIXELS = {"layer1": LayerOptions(input_full=1.0)}


def images(count: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.integers(0, 256, (count, 5, 4)) * random.integers(0, 2, (count, 5, 4))).astype(np.uint8)


def network(scheme: str = "reference") -> TrainedNetwork:
    """20-9-3 with random weights."""
    random = np.random.default_rng(4)
    levels = level_set(scheme, PAPER_LEVELS_OHM)
    layers = []
    for inputs, outputs in ((20, 9), (9, 3)):
        index = random.integers(0, len(levels.weights), (outputs, inputs)).astype(np.uint8)
        layers.append(
            Layer(
                weights=levels.weights.astype(np.float32)[index],
                gain=random.uniform(0.2, 0.6, outputs).astype(np.float32),
                offset=random.normal(0, 0.5, outputs).astype(np.float32),
                weight_index=index,
            )
        )
    found = TrainedNetwork(layers=tuple(layers), levels=levels.weights)
    inputs = torch.from_numpy(images(300, 1)).float().unsqueeze(1) / 255
    with torch.no_grad():
        mean = found.model()(inputs).mean(0).numpy()
    centred = replace(layers[1], offset=layers[1].offset - mean)  # so that all classes occur
    return replace(found, layers=(layers[0], centred))


def labelled(chain: TrainedNetwork) -> Dataset:
    """Images with the classes that the digital network gives them: its accuracy is 1."""
    train, test = images(300, 1), images(400, 2)
    return Dataset(
        name="random",
        train_images=train,
        train_labels=chain.predict(train).astype(np.uint8),
        test_images=test,
        test_labels=chain.predict(test).astype(np.uint8),
    )


def on_arrays(
    config: ArrayConfig = CONFIG,
    readout: Readout = READOUT,
    scheme: str = "reference",
    *,
    ideal: bool = False,
) -> nn.Module:
    """The network on tiles of 8 x 8, calibrated."""
    levels = level_set(scheme, PAPER_LEVELS_OHM)
    chip = Chip(config=config, level_set=levels, readout=readout, tile=(8, 8), layers=PIXELS)
    arrays, _ = convert(network(scheme).model(), chip)
    if ideal:
        hold(arrays, ideal_transfers(tiles_of(arrays), config))
    calibrate(arrays, Examples.of(labelled(network(scheme))).calibration_batches())
    return arrays.eval()


@pytest.fixture(scope="module")
def examples() -> Examples:
    return Examples.of(labelled(network()))


@pytest.fixture(scope="module")
def arrays() -> nn.Module:
    return on_arrays()


def test_examples_of_a_data_set_are_pixels_from_0_to_1() -> None:
    data = labelled(network())
    found = Examples.of(data, bits=2)
    assert found.inputs.shape == (400, 1, 5, 4)
    assert found.calibration.shape == (300, 1, 5, 4)
    np.testing.assert_allclose(
        found.inputs[:, 0].numpy(), np.round(data.test_images / 255 * 3) / 3, atol=1e-6
    )
    assert found.labels.tolist() == data.test_labels.tolist()
    assert [len(part) for part in replace(found, batch=150).batches()] == [150, 150, 100]
    assert [len(part) for part in replace(found, batch=200).calibration_batches()] == [200, 100]
    for changes, what in (
        ({"labels": found.labels[1:]}, r"400 for the test, labels of shape \(399,\)"),
        ({"calibration": found.calibration[:0]}, "0 inputs for calibration"),
        ({"inputs": found.inputs[:0], "labels": found.labels[:0]}, "0 for the test"),
        ({"batch": 0}, "batch = 0, allowed: at least 1"),
    ):
        with pytest.raises(ValueError, match=what):
            replace(found, **changes)


def test_fine_converters_and_ideal_arrays_agree_with_the_digital_network(examples: Examples) -> None:
    fine = replace(READOUT, dac_bits=16, adc_bits=16, quantile=1.0)
    result = evaluate(on_arrays(readout=fine, ideal=True), examples)
    assert result.accuracy >= 0.995  # 16 bits flip only near ties, and the last code is clipped
    assert result.confusion.sum() == 400
    assert np.trace(result.confusion) == round(400 * result.accuracy)


def test_predictions_and_confusion_are_those_of_the_outputs(arrays: nn.Module, examples: Examples) -> None:
    """Some at a time as all at once."""
    with torch.no_grad():
        classes = arrays(examples.inputs).argmax(dim=1).numpy()
    found = evaluate(arrays, replace(examples, batch=7))
    assert found.predictions.tolist() == classes.tolist()
    assert found.accuracy == np.mean(classes == examples.labels) == accuracy_of(arrays, examples)
    for label in range(3):
        for guess in range(3):
            both = np.sum((examples.labels == label) & (classes == guess))
            assert found.confusion[label, guess] == both


def test_a_model_must_give_classes(arrays: nn.Module, examples: Examples) -> None:
    more = replace(examples, labels=examples.labels + 1)
    with pytest.raises(
        ValueError, match=r"outputs of shape \(400, 3\), expected \(count, classes\) with classes > 3"
    ):
        evaluate(arrays, more)
    with pytest.raises(ValueError, match=r"outputs of shape \(400, 3, 1\)"):
        accuracy_of(nn.Sequential(arrays, nn.Unflatten(1, (3, 1))), examples)


def test_a_trim_repairs_what_wires_do(examples: Examples) -> None:
    """2 Ohm wires take up to a third of the voltage, most of it the same for all cells of a column."""
    config = replace(CONFIG, r_row=2.0)
    model = on_arrays(config)
    causes = ablation(model, evaluate(model, examples), examples)
    assert causes.levels == 1
    for changes, found in (
        ({"dac_bits": None, "adc_bits": None}, causes.array),
        ({}, causes.circuit),
        ({"trim": False}, causes.untrimmed),
    ):
        other = on_arrays(config, replace(READOUT, **changes))
        assert found == evaluate(other, examples).accuracy
    ideal = on_arrays(config, replace(READOUT, trim=False), ideal=True)
    assert causes.converters == evaluate(ideal, examples).accuracy >= 0.9
    assert causes.array >= 0.99
    assert causes.circuit >= 0.9
    assert causes.untrimmed < causes.circuit - 0.1
    assert evaluate(model, examples).accuracy == causes.circuit, "the model is left alone"


def test_no_more_is_put_through_the_tiles_than_causes_need(
    arrays: nn.Module, examples: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    circuit = evaluate(arrays, examples)
    calls: list[str] = []
    for name in ("calibrate", "outputs_of"):
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, name=name, real=real: (calls.append(name), real(*a))[1])
    ablation(arrays, circuit, examples)
    # levels are digital; converters, array, untrimmed: each sets its full scales, then sees the test images
    assert calls == ["outputs_of", *["calibrate", "outputs_of"] * 3]


def test_digital_products_end_with_the_block(arrays: nn.Module, examples: Examples) -> None:
    before = evaluate(arrays, examples)
    with digitally(arrays):
        assert accuracy_of(arrays, examples) == 1.0
    assert evaluate(arrays, examples).predictions.tolist() == before.predictions.tolist()
    assert before.accuracy < 1
    with pytest.raises(ValueError, match="no arrays: `convert` makes them"), digitally(nn.Linear(2, 2)):
        pass


def test_moments_are_those_of_the_row_voltages(arrays: nn.Module, examples: Examples) -> None:
    result = evaluate(arrays, replace(examples, batch=150))
    pixels = labelled(network()).test_images.reshape(400, -1) / np.float32(255)
    voltages = 0.5 * np.round(pixels * 63) / 63
    read = result.reads["layer1"]
    np.testing.assert_allclose(read.moment, [voltages.T @ voltages / 400], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(read.mean, [voltages.mean(axis=0)], rtol=1e-6, atol=1e-9)
    assert (read.reads, read.products) == (1, 1)
    assert list(result.reads) == ["layer1", "layer2"]


def test_mismatch_of_dacs_is_not_in_the_moments(arrays: nn.Module, examples: Examples) -> None:
    rough = evaluate(on_arrays(readout=replace(READOUT, dac_mismatch=0.15)), examples)
    same = evaluate(arrays, examples).reads["layer1"]
    np.testing.assert_array_equal(rough.reads["layer1"].moment, same.moment)


def test_without_dacs_row_voltages_are_shares_of_full_scale(examples: Examples) -> None:
    free = evaluate(on_arrays(readout=replace(READOUT, dac_bits=None)), examples).reads["layer1"]
    voltages = 0.5 * examples.inputs.flatten(1).numpy()
    np.testing.assert_allclose(free.mean, [voltages.mean(axis=0)], rtol=1e-5)


def test_moments_of_a_convolution_are_means_over_its_patches() -> None:
    """Kernels of 3 x 3 in two groups of one channel read 3 x 2 patches of 5 x 4 pixels."""
    torch.manual_seed(0)
    levels = level_set("reference", PAPER_LEVELS_OHM)
    model = nn.Sequential(nn.Conv2d(2, 4, 3, groups=2), nn.Flatten(), nn.Linear(24, 3))
    chip = Chip(
        config=CONFIG,
        level_set=levels,
        readout=READOUT,
        tile=(5, 5),
        layers={"0": LayerOptions(input_full=1.0)},
    )
    arrays, _ = convert(model, chip)
    pixels = np.stack([images(7, 2), images(7, 3)], axis=1)
    inputs = torch.from_numpy(pixels / np.float32(255))
    calibrate(arrays, inputs)
    found = evaluate(arrays.eval(), Examples(calibration=inputs, inputs=inputs, labels=np.zeros(7, np.intp)))
    read = found.reads["0"]
    moment, mean = np.zeros((2, 9, 9)), np.zeros((2, 9))
    for image in pixels:
        for row in range(3):
            for column in range(2):
                for channel in range(2):
                    part = image[channel, row : row + 3, column : column + 3].ravel()
                    volts = 0.5 * np.round(part / 255 * 63) / 63
                    moment[channel] += np.outer(volts, volts) / (7 * 6)
                    mean[channel] += volts / (7 * 6)
    np.testing.assert_allclose(read.moment, moment, rtol=1e-6)
    np.testing.assert_allclose(read.mean, mean, rtol=1e-6)
    assert (read.reads, read.products) == (6, 6)


class TwiceAndUnused(nn.Module):
    """A layer that is used twice, with inputs of both signs, and one that an image may leave out."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Linear(4, 4)
        self.rare = nn.Linear(4, 4)
        self.out = nn.Linear(4, 3)
        self.ask = True

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (count, 3)."""
        x = self.shared(self.shared(x)) - 0.1
        return self.out(self.rare(x) if self.ask else x)


def test_reads_of_layers_that_are_shared_signed_or_not_asked() -> None:
    torch.manual_seed(0)
    model = TwiceAndUnused()
    chip = Chip(
        config=CONFIG, level_set=level_set("differential", PAPER_LEVELS_OHM), readout=READOUT, tile=(3, 4)
    )
    arrays, _ = convert(model, chip)
    inputs = torch.randn(50, 4)
    examples = Examples(calibration=inputs, inputs=inputs, labels=np.zeros(50, np.intp))
    calibrate(arrays, inputs)
    arrays.eval()
    found = evaluate(arrays, examples).reads
    assert {name: (read.reads, read.products) for name, read in found.items()} == {
        "shared": (4, 2),  # two uses of two signs
        "rare": (2, 1),
        "out": (2, 1),
    }
    arrays.ask = False
    assert list(evaluate(arrays, examples).reads) == ["shared", "out"]


def test_sampled_reads_cover_the_layers(arrays: nn.Module, examples: Examples) -> None:
    tiles = tiles_of(arrays)
    reads = sample_reads(arrays, tiles, examples, tiles=4, vectors=3, seed=8)
    assert [tiles[place].layer for place, _ in reads] == ["layer1", "layer2", "layer1", "layer2"]
    chosen = np.sort(np.random.default_rng(8).choice(400, 3, replace=False))
    for place, voltages in reads:
        assert voltages.shape == (3, tiles[place].shape[0])
        assert 0 <= voltages.min() < voltages.max() <= 0.5
        if tiles[place].layer == "layer1":
            pixels = examples.inputs[chosen].flatten(1).numpy()[:, tiles[place].rows]
            np.testing.assert_allclose(voltages, 0.5 * np.round(63 * pixels) / 63, rtol=1e-6)
    again = sample_reads(arrays, tiles, examples, tiles=4, vectors=3, seed=8)
    for ours, theirs in zip(reads, again, strict=True):
        assert ours[0] == theirs[0]
        assert (ours[1] == theirs[1]).all()
    other = sample_reads(arrays, tiles, examples, tiles=4, vectors=3, seed=9)
    assert [place for place, _ in other] != [place for place, _ in reads]
    everything = sample_reads(arrays, tiles, examples, tiles=100, vectors=1)
    drawn = [
        [place for place, _ in sample_reads(arrays, tiles, examples, tiles=100, vectors=1, **seed)]
        for seed in ({}, {"seed": 0}, {"seed": 1})
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    assert sorted(place for place, _ in everything) == list(range(len(tiles)))


def darkened(examples: Examples, pixels: slice) -> Examples:
    inputs = examples.inputs.clone()
    inputs.flatten(1)[:, pixels] = 0
    return replace(examples, inputs=inputs)


def test_tiles_without_inputs_are_passed_over(arrays: nn.Module, examples: Examples) -> None:
    """Rows 0..6 of the first layer, which the first tile of each column has, are dark in all test images."""
    tiles = tiles_of(arrays)
    dark = darkened(examples, slice(0, 7))
    reads = sample_reads(arrays, tiles, dark, tiles=100, vectors=3, seed=8)
    silent = {
        place for place, tile in enumerate(tiles) if tile.layer == "layer1" and tile.rows == slice(0, 7)
    }
    assert len(silent) == 2
    assert {place for place, _ in reads} == set(range(len(tiles))) - silent
    assert all(voltages.any() for _, voltages in reads)
    # as many tiles as wanted, although silent ones are among the first
    assert len(sample_reads(arrays, tiles, dark, tiles=3, vectors=3, seed=8)) == 3


def test_other_images_are_drawn_where_no_tile_has_inputs(arrays: nn.Module, examples: Examples) -> None:
    tiles = [tile for tile in tiles_of(arrays) if tile.layer == "layer1"]
    chosen = np.random.default_rng(8).choice(400, 2, replace=False)
    inputs = examples.inputs.clone()
    inputs[torch.from_numpy(chosen)] = 0
    some = replace(examples, inputs=inputs)
    reads = sample_reads(arrays, tiles, some, tiles=2, vectors=2, seed=8)
    assert [voltages.any(axis=1).tolist() for _, voltages in reads] == [[True, True], [True, True]]
    # 200 others, drawn after the images and the order of the tiles: the first and the last of them
    random = np.random.default_rng(8)
    random.choice(400, 2, replace=False)
    random.permutation(len(tiles))
    others = np.sort(random.choice(400, 200, replace=False))[[0, -1]]
    for place, voltages in reads:
        pixels = inputs[torch.from_numpy(others)].flatten(1).numpy()[:, tiles[place].rows]
        np.testing.assert_allclose(voltages, 0.5 * np.round(63 * pixels) / 63, rtol=1e-6)
    none = darkened(examples, slice(0, 20))
    assert sample_reads(arrays, tiles, none, tiles=2, vectors=2, seed=8) == []


def test_a_dark_image_among_few_is_read_as_well(arrays: nn.Module, examples: Examples) -> None:
    tiles = [tile for tile in tiles_of(arrays) if tile.layer == "layer1"]
    chosen = np.sort(np.random.default_rng(8).choice(400, 3, replace=False))
    inputs = examples.inputs.clone()
    inputs[int(chosen[1])] = 0
    reads = sample_reads(arrays, tiles, replace(examples, inputs=inputs), tiles=2, vectors=3, seed=8)
    assert [voltages.any(axis=1).tolist() for _, voltages in reads] == [[True, False, True]] * 2


def test_of_many_patches_some_are_read_again() -> None:
    """A band of a convolution: patches with inputs alone, spread over all of them; voltages of the band's own rows."""
    torch.manual_seed(0)
    chip = Chip(
        config=CONFIG,
        level_set=level_set("differential", PAPER_LEVELS_OHM),
        readout=replace(READOUT, dac_bits=None),
        tile=(2, 8),
        layers={"0": LayerOptions(input_full=1.0)},
    )
    arrays, _ = convert(nn.Sequential(nn.Conv2d(1, 3, 2), nn.Flatten(), nn.Linear(27, 3)), chip)
    inputs = torch.zeros(1, 1, 4, 4)
    inputs[0, 0, 2] = torch.tensor([0.1, 0.2, 0.3, 0.4])
    calibrate(arrays, inputs + 0.5)
    tiles = tiles_of(arrays)
    examples = Examples(calibration=inputs, inputs=inputs, labels=np.zeros(1, np.intp))
    found = dict(sample_reads(arrays.eval(), tiles, examples, tiles=20, vectors=2, seed=0))
    places = {tile.rows.start: place for place, tile in enumerate(tiles) if tile.layer == "0"}
    # upper half of the patches in the third line, lower half of those in the second: three each, first and last
    for start in (0, 2):
        np.testing.assert_allclose(found[places[start]], [[0.05, 0.1], [0.15, 0.2]], rtol=1e-6)


def test_pairs_work_as_well() -> None:
    examples = Examples.of(labelled(network("differential")))
    assert evaluate(on_arrays(scheme="differential"), examples).accuracy > 0.9


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"v_full": 0.0}, "v_full"),
        ({"adc_bits": 0}, "adc_bits = 0"),
        ({"quantile": 0.2}, "quantile"),
        ({"adc_full": 0.0}, "adc_full = 0.0"),
    ],
)
def test_wrong_readouts(changes: dict[str, float], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        Readout(**{"v_full": 0.5, **changes})  # type: ignore[arg-type]
