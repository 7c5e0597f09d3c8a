"""In-situ training: every update of a weight is a pulse into its cell, moved by the compact model.

There are no latent weights: a weight is what its cell holds, and the gradient decides which cells get a pulse, and of
which sign. A cell gets one with probability ``learning_rate |gradient| / step`` (stochastic pulses, Gokmen and Vlasov,
doi:10.3389/fnins.2016.00333), so that the expected change is that of gradient descent where a pulse makes a `step`.
What a pulse really does is the device's business: it depends on the state, on the cell, and on chance.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the name everyone uses)

from compact_model.hallbar import hall_bar
from compact_model.switching import programming_current
from nn_mapping.adam import Adam
from nn_mapping.layer_shapes import shapes
from nn_mapping.levels import WeightScheme
from nn_mapping.trainable import Parameters
from nn_mapping.trained import TrainedNetwork, pixel_codes
from nn_mapping.training import deterministic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from compact_model.cards.device import DeviceCard
    from compact_model.numeric import Floats, Ints
    from nn_mapping.data import Dataset
    from nn_mapping.layer_shapes import Convolution
    from nn_mapping.levels import LevelSet
    from nn_mapping.recipes import Recipe

_SHARE_THAT_COUNTS = 0.5  # of a step: a cell that has moved this far has had its pulse


class Update(StrEnum):
    """What one update does to a cell."""

    IDEAL = "ideal"
    """A step of the same size everywhere: what the others are measured by."""
    LADDER = "ladder"
    """Pulses of rising amplitude until a read shows that the cell has moved by half a step: up to there it keeps
    its state (return-point memory), so that the last pulse makes the step."""
    IDENTICAL = "identical"
    """One pulse, always of the same amplitude and length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InSitu:
    """How weights are updated in the array."""

    update: Update = Update.LADDER
    steps: int = 32
    """Steps from the lowest to the highest level: rungs of the ladder."""
    pulse_share: float = 0.2
    """Share of the cell that an identical pulse switches from the reset state."""
    learning_rate: float = 10.0
    """Of plain gradient descent on the weights; falls along a cosine."""
    device_spread: float = 0.0
    """Relative spread of the switching current from cell to cell."""
    cycle_noise: float = 0.0
    """Relative spread of the switching current from pulse to pulse."""

    def __post_init__(self) -> None:
        if not 2 <= self.steps <= 1000:
            raise ValueError(f"steps = {self.steps} is outside 2..1000")
        if not 0 < self.pulse_share < 1:
            raise ValueError(f"pulse_share = {self.pulse_share} is outside (0, 1)")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate = {self.learning_rate}: expected > 0")
        if not (0 <= self.device_spread < 0.5 and 0 <= self.cycle_noise < 0.5):
            raise ValueError(
                f"device_spread = {self.device_spread}, cycle_noise = {self.cycle_noise}: expected [0, 0.5)"
            )


class Cells(Protocol):
    """The cells behind the weights."""

    pulses: int
    """Pulses so far, those that write the first weights left out."""
    energy: float
    """What they took in the channels [J]."""
    step: float
    """Change of a weight that an update is meant to make."""

    def weights(self) -> Floats:
        """Weight that every cell stands for, shape (cells,)."""
        ...

    def update(self, chosen: Ints, sign: Floats) -> None:
        """One update up (+1) or down (-1) of the chosen cells."""
        ...


class IdealCells:
    """Steps of one size within the range of the levels."""

    pulses = 0
    energy = 0.0

    def __init__(
        self, count: int, settings: InSitu, level_set: LevelSet, random: np.random.Generator
    ) -> None:
        self._low, self._high = level_set.weights[[0, -1]]
        self._weights = random.uniform(self._low, self._high, count)
        self.step = float(self._high - self._low) / settings.steps

    def weights(self) -> Floats:
        """See :class:`Cells`."""
        return self._weights

    def update(self, chosen: Ints, sign: Floats) -> None:
        """See :class:`Cells`."""
        self._weights[chosen] = np.clip(self._weights[chosen] + sign * self.step, self._low, self._high)
        self.pulses += len(chosen)


class HallCells:
    """Hall bars in the compact model; one cell per weight, against the reference of the level set."""

    def __init__(
        self,
        count: int,
        settings: InSitu,
        level_set: LevelSet,
        card: DeviceCard,
        random: np.random.Generator,
    ) -> None:
        self.settings, self.level_set, self.random = settings, level_set, random
        self.device = hall_bar(card)
        self.t_pulse = card.synapse.t_pulse.value
        self.threshold = 1 + settings.device_spread * random.standard_normal(count)
        top = (level_set.levels_ohm[-1] - self.device.r_reset) / self.device.law.delta_r
        self.ladder = programming_current(card, top * np.arange(1, settings.steps + 1) / settings.steps)
        self.identical = float(programming_current(card, settings.pulse_share * top))
        share = settings.pulse_share if settings.update is Update.IDENTICAL else 1 / settings.steps
        self.step = share * top * self.device.law.delta_r / level_set.scale
        self.s = self.device.prepared(count).s
        self._move(np.arange(count), programming_current(card, top * random.uniform(size=count)))
        self.pulses, self.energy = 0, 0.0

    def weights(self) -> Floats:
        """See :class:`Cells`."""
        return self._weights_of(self.s)

    def update(self, chosen: Ints, sign: Floats) -> None:
        """See :class:`Cells`."""
        if self.settings.update is Update.IDENTICAL:
            self._pulse(chosen, sign * self.identical)
            return
        before = self._weights_of(self.s[chosen])
        for current in self.ladder:
            self._pulse(chosen, sign * current)
            moved = sign * (self._weights_of(self.s[chosen]) - before)
            waiting = moved < _SHARE_THAT_COUNTS * self.step
            chosen, sign, before = chosen[waiting], sign[waiting], before[waiting]
            if not len(chosen):
                break

    def _weights_of(self, s: Floats) -> Floats:
        resistance = self.device.r_reset + self.device.law.delta_r * self.device.bank.fraction(s)
        weights: Floats = (resistance - self.level_set.r_reference) / self.level_set.scale
        return weights

    def _pulse(self, chosen: Ints, current: Floats) -> None:
        """One pulse into each of the chosen cells, counted."""
        self._move(chosen, current)
        self.pulses += len(chosen)
        self.energy += float(self.device.heat.pulse_energy(current, self.t_pulse).sum())

    def _move(self, chosen: Ints, current: Floats) -> None:
        """What a pulse makes of each of the chosen cells, as `circuits.write.plant` applies it."""
        effective = current / self.threshold[chosen]
        if self.settings.cycle_noise:
            effective = effective / (1 + self.settings.cycle_noise * self.random.standard_normal(len(chosen)))
        state = replace(self.device.prepared(len(chosen)), s=self.s[chosen])
        after, _ = self.device.trained(state, effective[np.newaxis], self.t_pulse)
        self.s[chosen] = after.s


def train_in_situ(
    dataset: Dataset,
    layers: Sequence[int | Convolution],
    level_set: LevelSet,
    card: DeviceCard,
    recipe: Recipe,
    settings: InSitu,
    seed: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> TrainedNetwork:
    """Train a network whose weights only pulses can change.

    Products are exact (no wires, no converters); batch normalisation, which is digital, is trained by Adam at the
    rate of the recipe. Reads before and after a pulse of the ladder are exact.

    Parameters
    ----------
    dataset, layers, recipe, seed, progress
        As for :func:`nn_mapping.training.train`; of the recipe, weight decay and weight noise must be zero, and biases,
        standardised pixels and scaled outputs off.
    level_set
        Zero and scale of the weights, and highest level; of the scheme 'reference'.
    card
        The device that is pulsed.
    settings
        What an update does.

    Returns
    -------
    Network of free weights; its ``info`` has what was pulsed: ``pulses``, ``energy_j`` (channels alone; zero for
    ideal steps) and ``cells``.
    """
    if level_set.scheme is not WeightScheme.REFERENCE:
        raise ValueError(
            f"weights in scheme '{level_set.scheme}': in-situ training takes one cell per weight"
        )
    if recipe.weight_decay or recipe.weight_noise:
        raise ValueError(
            f"weight_decay = {recipe.weight_decay}, weight_noise = {recipe.weight_noise}: in-situ training has neither"
        )
    if recipe.bias or recipe.standardise or recipe.scale_outputs:
        raise ValueError(
            f"bias = {recipe.bias}, standardise = {recipe.standardise}, scale_outputs = {recipe.scale_outputs}: "
            f"in-situ training has none of them; batch normalisation does what they do"
        )
    with deterministic():
        return _train(dataset, layers, level_set, card, recipe, settings, seed, progress)


def _train(
    dataset: Dataset,
    layers: Sequence[int | Convolution],
    level_set: LevelSet,
    card: DeviceCard,
    recipe: Recipe,
    settings: InSitu,
    seed: int,
    progress: Callable[[int, int, str], None] | None,
) -> TrainedNetwork:
    generator = torch.Generator().manual_seed(seed)
    random = np.random.default_rng([seed, 7])
    parameters = Parameters(shapes(layers, *dataset.image), None, recipe)
    parameters.initialise(generator)
    count = len(parameters.latent)
    cells: Cells
    if settings.update is Update.IDEAL:
        cells = IdealCells(count, settings, level_set, random)
    else:
        cells = HallCells(count, settings, level_set, card, random)
    parameters.latent.copy_(torch.from_numpy(cells.weights()))
    digital = Adam(parameters.parts[len(parameters.weights) :]) if recipe.batch_norm else None

    codes, steps = pixel_codes(dataset.train_images, recipe.input_bits)
    images = torch.from_numpy(codes.copy())
    labels = torch.from_numpy(dataset.train_labels.astype(np.int64))
    test_codes, _ = pixel_codes(dataset.test_images, recipe.input_bits)
    history: dict[str, list[float]] = {"train_loss": [], "train_accuracy": [], "test_accuracy": []}
    batches = len(images) // recipe.batch  # the few images left over wait for the next epoch
    if not batches:
        raise ValueError(f"batch = {recipe.batch}: there are {len(images)} training images")
    for epoch in range(recipe.epochs):
        order = torch.randperm(len(images), generator=generator)
        loss_sum, right = 0.0, 0
        for number in range(batches):
            share = (1 + np.cos(np.pi * (epoch + number / batches) / recipe.epochs)) / 2
            chosen = order[number * recipe.batch : (number + 1) * recipe.batch]
            x, target = images[chosen].float().div_(steps), labels[chosen]
            outputs = parameters.outputs(x, recipe, generator)
            loss = F.cross_entropy(outputs, target, label_smoothing=recipe.label_smoothing)
            gradients = parameters.gradients(loss, recipe.weight_decay)
            by_weight = torch.cat([part.flatten() for part in gradients[: len(parameters.weights)]]).numpy()
            if digital is not None:
                digital.step(gradients[len(parameters.weights) :], recipe.learning_rate * share)
            _descend(cells, by_weight, settings.learning_rate * share, random)
            parameters.latent.copy_(torch.from_numpy(cells.weights()))
            loss_sum += float(loss.detach())
            right += int((outputs.detach().argmax(dim=1) == target).sum())
        with torch.no_grad():
            classes = parameters.outputs(
                torch.from_numpy(test_codes.copy()).float().div_(steps), recipe, None
            )
        test = np.mean(classes.argmax(dim=1).numpy() == dataset.test_labels)
        history["train_loss"].append(loss_sum / batches)
        history["train_accuracy"].append(right / (batches * recipe.batch))
        history["test_accuracy"].append(float(test))
        if progress is not None:
            line = f"test accuracy {100 * history['test_accuracy'][-1]:.2f} %, {cells.pulses:.3g} pulses"
            progress(epoch + 1, recipe.epochs, line)
    return TrainedNetwork(
        layers=parameters.layers(),
        input_bits=recipe.input_bits,
        history=history,
        info={
            "recipe": asdict(recipe),
            "in_situ": asdict(settings),
            "seed": seed,
            "data": dataset.name,
            "train_images": len(images),
            "torch": torch.__version__,
            "cells": count,
            "pulses": cells.pulses,
            "energy_j": cells.energy,
        },
    )


def _descend(cells: Cells, gradient: Any, rate: float, random: np.random.Generator) -> None:
    """Stochastic pulses against the gradient; at most one update per cell."""
    chance = np.abs(gradient) * (rate / cells.step)
    chosen = np.flatnonzero(random.random(len(chance), dtype=np.float32) < chance)
    if len(chosen):
        cells.update(chosen, -np.sign(gradient[chosen]).astype(np.float64))
