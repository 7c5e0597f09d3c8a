"""What costs a network its accuracy."""

import pytest

from hallspice.inference.losses import accuracy_losses, standard_error
from nn_mapping.accuracy import Ablation

CAUSES = Ablation(levels=0.95, converters=0.90, array=0.96, circuit=0.93, untrimmed=0.20)


def test_the_largest_loss_is_first_and_gains_are_negative() -> None:
    losses = accuracy_losses(0.96, CAUSES)
    assert [loss.cause for loss in losses] == [
        "DAC and ADC",
        "the device's levels",
        "wires, drivers and amplifiers",
    ]
    assert [loss.points for loss in losses] == pytest.approx([5.0, 1.0, -1.0])


def test_written_states_are_compared_with_exact_ones() -> None:
    largest = accuracy_losses(0.96, CAUSES, programmed=0.70)[0]
    assert (largest.cause, largest.against) == ("states as written", "exact states")
    assert largest.points == pytest.approx(23.0)


def test_standard_error_of_a_count() -> None:
    assert standard_error(0.5, 100) == pytest.approx(5.0)  # 100 sqrt(1/4 / 100)
    assert standard_error(1.0, 100) == 0.0
