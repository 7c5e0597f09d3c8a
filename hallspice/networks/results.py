"""What training and evaluating networks gave."""

from __future__ import annotations

import dataclasses
from typing import Annotated

from hallspice.config.schema import Config
from hallspice.results import Measure, Result, Results
from nn_mapping.chips import Chips
from nn_mapping.recipes import Recipe
from nn_mapping.trained import TrainedNetwork

TOGETHER = "all together"
"""The effect that is all effects at once."""


class TrainingRecipe(Result):
    """How a network was trained: the fields of `nn_mapping.recipes.Recipe`."""

    name: str
    epochs: Annotated[int, Measure("1", "passes through the training images")]
    batch: Annotated[int, Measure("1", "images of one step")]
    learning_rate: Annotated[float, Measure("1", "Adam's learning rate, at the first step")]
    cosine: bool
    weight_decay: Annotated[float, Measure("1", "coupled (L2) decay of latent weights and biases")]
    batch_norm: bool
    bias: bool
    standardise: bool
    scale_outputs: bool
    input_bits: Annotated[int | None, Measure("1", "bits of a pixel; null: as it is in the data set")]
    dropout: Annotated[
        float, Measure("1", "share of the outputs of a hidden layer that is left out of a step")
    ]
    label_smoothing: Annotated[float, Measure("1", "share of a label that goes to all classes alike")]
    flip: bool
    weight_noise: Annotated[
        float, Measure("1", "standard deviation of the noise on the forward weights, share of their range")
    ]
    bfloat16: bool

    @classmethod
    def of(cls, recipe: Recipe) -> TrainingRecipe:
        """The same as a part of results."""
        return cls(**dataclasses.asdict(recipe))


class TrainResults(Results):
    """`hallspice train`."""

    config: Config
    inputs: str
    """How numbers of the data became inputs of the network."""
    seed: Annotated[int, Measure("1", "seed of everything random")]
    recipe: TrainingRecipe
    weight_levels: Annotated[tuple[float, ...], Measure("1", "weights that the device's levels allow")]
    accuracy: Annotated[
        float, Measure("1", "share of the test images classified rightly, computed digitally")
    ]
    images: Annotated[int, Measure("1", "test images")]


class InSituTraining(Result):
    """A training by pulses into the cells."""

    update: str
    accuracy: Annotated[
        float, Measure("1", "share of the test images classified rightly, computed digitally")
    ]
    pulses: Annotated[int, Measure("1", "pulses into all cells, in the whole training")]
    pulses_per_cell: Annotated[float, Measure("1", "the same per cell, on average")]
    energy_j: Annotated[float, Measure("J", "energy of these pulses in the channels; 0 for the ideal update")]


class InSituResults(Results):
    """`hallspice train` where the configuration asks for training in situ."""

    config: Config
    seed: Annotated[int, Measure("1", "seed of everything random")]
    recipe: TrainingRecipe
    images: Annotated[int, Measure("1", "test images")]
    in_situ: tuple[InSituTraining, ...]


class History(Result):
    """A training, epoch by epoch."""

    train_loss: Annotated[tuple[float, ...], Measure("1", "mean cross-entropy of the training images")]
    train_accuracy: Annotated[
        tuple[float, ...], Measure("1", "share of the training images classified rightly")
    ]
    test_accuracy: Annotated[tuple[float, ...], Measure("1", "share of the test images classified rightly")]

    @classmethod
    def of(cls, network: TrainedNetwork) -> History:
        """That of a network."""
        return cls(**network.history)


class EffectOnChips(Result):
    """Chips that differ by one effect, or by all."""

    effect: str
    size: str
    accuracies: Annotated[
        tuple[float, ...], Measure("1", "share of the test images classified rightly, by chip")
    ]
    mean: Annotated[float, Measure("1", "mean of the chips")]
    deviation: Annotated[float, Measure("1", "standard deviation from chip to chip; 0 for a single chip")]
    interval: Annotated[
        tuple[float, float], Measure("1", "95 % interval of the mean for so many test images")
    ]

    @classmethod
    def of(cls, effect: str, size: str, chips: Chips) -> EffectOnChips:
        """Of the chips of an effect."""
        return cls(
            effect=effect,
            size=size,
            accuracies=chips.accuracies,
            mean=chips.mean,
            deviation=chips.deviation,
            interval=chips.interval,
        )


class EffectByLayer(Result):
    """What an effect costs where it acts in one layer alone."""

    effect: str
    size: str
    layers: Annotated[tuple[float, ...], Measure("%", "test images lost, by layer")]
    all: Annotated[float, Measure("%", "test images lost with the effect in all layers")]


class EvaluateResults(Results):
    """`hallspice evaluate`."""

    config: Config
    seed: Annotated[int, Measure("1", "seed of everything random")]
    digital: Annotated[float, Measure("1", "accuracy on the device's levels, computed digitally")]
    images: Annotated[int, Measure("1", "test images")]
    interval: str
    rows: tuple[EffectOnChips, ...]
    points_lost_by_layer: tuple[EffectByLayer, ...]
    confusion: Annotated[
        dict[str, tuple[tuple[int, ...], ...]],
        Measure("1", "test images of all chips by class (down) and prediction (across), for an effect"),
    ]
