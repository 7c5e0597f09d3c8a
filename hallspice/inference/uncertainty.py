"""What the errors of a fitted card mean for accuracy and energy: the evaluation again, on cards drawn from the fit."""

from __future__ import annotations

import dataclasses

import numpy as np

from compact_model import stack, switching, synapse
from compact_model.cards.device import DeviceCard
from compact_model.fit.fitted_card import sampled_cards
from compact_model.numeric import Floats
from hallspice.config.setup import Setup
from hallspice.inference.model_on_arrays import ModelOnArrays, placed
from hallspice.inference.results import Uncertainty
from hallspice.progress import SILENT, Reporter


def check(setup: Setup) -> None:
    """Refuse a configuration whose card has no errors to propagate."""
    if setup.card.fit is None:
        raise ValueError(
            f"--uncertainty needs a card made by `hallspice fit`; {setup.card.name} holds no fit and no intervals"
        )
    if not setup.array.architecture.hall:
        raise ValueError("--uncertainty needs Hall cells; resistive cells do not depend on the fitted law")


def reached_levels(card: DeviceCard, currents: Floats) -> Floats:
    """Levels that the write currents reach on a device of this card, reset state first [ohm]."""
    s = switching.switched_fraction(card, currents, h_x=card.synapse.h_x.value)
    return synapse.hall_resistance(card, np.concatenate([[0.0], s]))


def on_drawn_card(setup: Setup, card: DeviceCard) -> Setup:
    """The configuration on devices of a card drawn from the errors of its own, written with the nominal currents.

    The levels move by what the drawn law reaches instead of the fitted one; channel and misalignment are those of
    the drawn card.
    """
    currents = synapse.ladder_currents(setup.card)
    array = dataclasses.replace(
        setup.array,
        r_channel=float(stack.channel_resistance(card)),
        r_off=synapse.offset_resistance(card),
    )
    moved = reached_levels(card, currents) - reached_levels(setup.card, currents)
    return dataclasses.replace(setup, card=card, array=array, levels_ohm=setup.levels_ohm + moved)


def propagate(on_arrays: ModelOnArrays, count: int, workers: int, progress: Reporter) -> Uncertainty:
    """Accuracy and energy on devices drawn from the errors of the fit, written with the nominal currents.

    The network, its weights and the read voltage stay; see `on_drawn_card` for what moves.
    """
    setup, chip = on_arrays.setup, on_arrays.chip
    accuracy, energy = [], []
    drawn = sampled_cards(setup.card, count, np.random.default_rng([setup.config.seed, count]))
    for number, card in enumerate(drawn):
        progress(number, count, "uncertainty: cards drawn from the fit")
        moved = on_drawn_card(setup, card)
        states = np.interp(chip.level_set.levels_ohm, setup.levels_ohm, moved.levels_ohm)
        layers = {
            pattern: dataclasses.replace(
                options,
                state_ohm=np.interp(options.level_set.levels_ohm, setup.levels_ohm, moved.levels_ohm),
            )
            if options.level_set is not None
            else options
            for pattern, options in chip.layers.items()
        }
        sample = placed(
            moved,
            on_arrays.model,
            dataclasses.replace(chip, config=moved.array, state_ohm=states, layers=layers),
            on_arrays.examples,
            SILENT,
            workers=workers,
        )
        evaluation = sample.evaluation()
        accuracy.append(evaluation.accuracy)
        energy.append(sample.cost(evaluation).energy.total)
    progress(count, count, "uncertainty: done")
    return Uncertainty(
        cards=count,
        accuracy=interval95(accuracy),
        energy_j=interval95(energy),
        accuracy_samples=tuple(accuracy),
        energy_samples_j=tuple(energy),
    )


def interval95(samples: list[float]) -> tuple[float, float]:
    """The 2.5 and the 97.5 % quantile.

    Examples
    --------
    >>> interval95([float(k) for k in range(201)])
    (5.0, 195.0)
    """
    low, high = np.quantile(samples, [0.025, 0.975])
    return float(low), float(high)
