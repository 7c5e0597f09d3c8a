from dataclasses import replace

from circuits.arrays.architecture import Architecture
from circuits.arrays.config import ArrayConfig
from nn_mapping.accuracy import evaluate
from nn_mapping.analog.chip_design import Chip, LayerOptions
from nn_mapping.analog.conversion import convert
from nn_mapping.analog.full_scales import calibrate
from nn_mapping.column_readout import Readout
from nn_mapping.data import load_dataset
from nn_mapping.examples import Examples
from nn_mapping.levels import PAPER_LEVELS_OHM, single_levels
from nn_mapping.recipes import GOOD
from nn_mapping.training import train


def test_digits_through_solved_tiles() -> None:
    """From images to the accuracy through wires and converters, small: 5000 images, one hidden layer."""
    digits = load_dataset("mnist", download=False).head(5000, 1000)
    levels = single_levels(PAPER_LEVELS_OHM)
    network = train(digits, (784, 48, 10), levels.weights, replace(GOOD, epochs=2, batch=16), seed=2)
    accuracy = network.accuracy(digits.test_images, digits.test_labels)
    assert 0.82 < accuracy < 0.89  # ten seeds gave 0.848..0.866; 1000 images have a standard error of 0.011
    chip = Chip(
        config=ArrayConfig(architecture=Architecture.ACTIVE_PARALLEL),
        level_set=levels,
        readout=Readout(v_full=0.5),
        tile=(64, 32),
        layers={"layer1": LayerOptions(input_full=1.0)},
    )
    arrays, _ = convert(network.model(), chip)
    examples = Examples.of(digits)
    calibrate(arrays, examples.calibration_batches())
    circuit = evaluate(arrays.eval(), examples).accuracy
    assert abs(circuit - accuracy) < 0.02  # 6-bit converters; twice the standard error of 1000 images
