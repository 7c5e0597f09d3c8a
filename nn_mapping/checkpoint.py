"""A training that is stopped and goes on: its whole state in a file."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from compact_model.cards.storage import whole_file

if TYPE_CHECKING:
    from nn_mapping.adam import Adam
    from nn_mapping.recipes import Recipe
    from nn_mapping.trainable import Parameters

log = logging.getLogger(__name__)

History = dict[str, list[float]]


@dataclass(slots=True, kw_only=True)
class Checkpoint:
    """The state of a training after its last whole epoch, as tensors and plain numbers.

    A file that can't be read is set aside with a warning, and so is one of another training left unused; when the file
    can't be written, the training goes on without, with a warning too.
    """

    path: Path
    parameters: Parameters
    optimiser: Adam
    generator: torch.Generator
    recipe: Recipe
    seed: int
    broken: bool = False
    """Whether it could not be written; then it isn't tried again."""

    def restore(self) -> History | None:
        """Take over what the file holds, when it is of this training, and return its history."""
        if not self.path.exists():
            return None
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            tensors, generator, history = state["tensors"], state["generator"], state["history"]
            same = state["identity"] == self._identity()
            same = same and [one.shape for one in tensors] == [one.shape for one in self._tensors()]
        except Exception as error:  # torch's reader raises whatever broken bytes lead it to
            self._set_aside(error)
            return None
        if not same:
            log.warning("%s belongs to another training and is not used", self.path)
            return None
        with torch.no_grad():
            for mine, kept in zip(self._tensors(), tensors, strict=True):
                mine.copy_(kept)
            self.parameters.quantise()
        self.generator.set_state(generator)
        restored: History = history
        return restored

    def save(self, history: History) -> None:
        """Replace the file at once."""
        if self.broken:
            return
        state = {
            "identity": self._identity(),
            "tensors": self._tensors(),
            "generator": self.generator.get_state(),
            "history": history,
        }
        try:
            with whole_file(self.path) as partial, partial.open("wb") as file:
                torch.save(state, file)
        except (OSError, RuntimeError) as error:  # torch's writer reports a full disk as RuntimeError
            self.broken = True
            log.warning(
                "%s cannot be written (%s): the training goes on, but can't be resumed if it is stopped",
                self.path,
                " ".join(str(error).split())[:200],
            )

    def remove(self) -> None:
        """Delete the file of a training that is done."""
        with contextlib.suppress(OSError):  # one that can't be deleted could not be written either
            self.path.unlink()

    def _set_aside(self, error: Exception) -> None:
        aside = self.path.with_name(self.path.name + ".damaged")
        self.path.replace(aside)
        log.warning(
            "%s is damaged (%s): it is set aside as %s, and the training begins anew",
            self.path,
            " ".join(str(error).split())[:200],
            aside.name,
        )

    def _identity(self) -> dict[str, Any]:
        quantiser = self.parameters.quantiser
        return {
            "recipe": asdict(self.recipe),
            "seed": self.seed,
            "shapes": [tuple(weight.shape) for weight in self.parameters.weights],
            "levels": None if quantiser is None else quantiser.exact.tolist(),
        }

    def _tensors(self) -> list[Tensor]:
        parameters = self.parameters
        return [parameters.trained, *parameters.mean, *parameters.variance, *self.optimiser.state]
