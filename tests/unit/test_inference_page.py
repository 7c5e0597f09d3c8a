"""What the report of a run says of the solved circuit and of losses."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from pydantic import ValidationError

from circuits.arrays.config import ArrayConfig
from hallspice.inference.findings import of_accuracy
from hallspice.inference.losses import accuracy_losses
from hallspice.inference.page import parameters_table
from hallspice.inference.results import Accuracy, ArrayParameters
from nn_mapping.accuracy import Ablation

READ: dict[str, Any] = {
    "v_full": 1e-3,
    "t_read": 1e-5,
    "dac_bits": None,
    "adc_bits": 6,
    "input_slice_bits": None,
    "dac_mismatch": 0.0,
    "adc_mismatch": 0.01,
    "dac_largest_inl_steps": 0.0,
    "dac_largest_dnl_steps": 0.0,
    "adc_largest_inl_steps": 0.3,
    "adc_largest_dnl_steps": 0.4,
    "calibration": "column",
}


def parameters(architecture: str) -> ArrayParameters:
    """Those of an array with every number of `ArrayConfig`."""
    return ArrayParameters(**dataclasses.asdict(ArrayConfig(architecture=architecture)), **READ)


def test_every_parameter_has_the_unit_of_its_quantity() -> None:
    units = {name: unit for name, _, unit in parameters_table(parameters("active_parallel")).rows}
    assert set(units) == {field.name for field in dataclasses.fields(ArrayConfig)} | set(READ)
    assert {name for name, unit in units.items() if unit == "ohm"} == {
        name for name in units if name.startswith("r_")
    }
    assert {name for name, unit in units.items() if unit == "F"} == {"c_row", "c_column", "c_arm"}
    others = ("gm", "cmrr_db", "v_full", "t_read", "adc_bits", "calibration", "returns")
    assert [units[name] for name in others] == ["S", "dB", "V", "s", "", "", ""]


def test_the_input_of_rows_in_series_is_a_current() -> None:
    rows = {name: (value, unit) for name, value, unit in parameters_table(parameters("active_series")).rows}
    assert rows["v_full"] == ("0.001", "A")
    assert rows["dac_bits"] == ("None", "")


def test_a_parameter_that_the_results_do_not_know_is_refused() -> None:
    with pytest.raises(ValidationError, match="r_new"):
        ArrayParameters(**parameters("resistive").model_dump(), r_new=1.0)


@pytest.mark.parametrize(
    ("programmed", "words"),
    [
        (None, "The largest loss: DAC and ADC, 5.00 points against ideal levels. Without"),
        (0.70, "The largest loss: states as written, 23.00 points against exact states. Without"),
    ],
)
def test_the_largest_loss_is_that_of_all_causes(programmed: float | None, words: str) -> None:
    causes = Ablation(levels=0.95, converters=0.90, array=0.96, circuit=0.93, untrimmed=0.20)
    accuracy = Accuracy(
        float_=0.96,
        levels=0.95,
        circuit=0.93,
        images=10_000,
        causes=(),
        losses=accuracy_losses(0.96, causes, programmed),
        programmed=programmed,
    )
    change, loss = of_accuracy(accuracy, causes)
    assert loss == f"{words} calibration of the columns the accuracy is 20.00 %."
    assert "by -2.00 points, against float weights the levels change it by -1.00 points" in change


def test_losses_within_a_standard_error_are_none() -> None:
    causes = Ablation(levels=0.95, converters=0.95, array=0.95, circuit=0.95, untrimmed=0.95)
    losses = accuracy_losses(0.951, causes)
    accuracy = Accuracy(float_=0.951, levels=0.95, circuit=0.95, images=1000, causes=(), losses=losses)
    # sqrt(0.95 x 0.05 / 1000) is 0.69 points, above 0.1
    assert "no part costs more than one standard error" in of_accuracy(accuracy, causes)[1]
