"""Parts of results.json: each number under its own key, as it was found."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace
from typing import Any, cast

import pytest

from circuits.arrays.architecture import Architecture
from circuits.write.scheme import BiasScheme, Order, WriteConfig
from circuits.write.write_verify import WriteRecipe
from compact_model.cards.device import load_card
from compact_model.fit.forms import Comparison, Prediction
from compact_model.fit.intervals import Fitted
from compact_model.fit.parameters import FitParameter
from compact_model.published.facts import scoreboard
from compact_model.synapse import ladder_currents, ladder_energy, model_levels
from hallspice.characterisation.examine import results_of as device_results
from hallspice.characterisation.results import Score
from hallspice.comparison.results import ArchitectureResult, EncodingResult
from hallspice.fitting.results import ComparedForm, FittedParameter, PredictedFraction
from hallspice.model.results import BenchRun, CheckResult
from hallspice.programming.results import UsedRecipe, WriteEnergy, WrittenArray, YieldAt
from hallspice.result_schemas import schema_of
from veriloga.package import BenchResult
from veriloga.verify import EngineCheck

KEYS = {
    "compare": "architectures card columns configuration created encodings files passed rows seed sizes "
    "t_calibration_s t_read_s versions warnings",
    "write": "array cells config config_file created disturb energy_j engine files given_up largest_current_a "
    "largest_current_density_a_m2 largest_error_ohm peak_temperature_k pulses_per_cell recipe resets seed time_s "
    "versions warnings written yield yield_against_tolerance",
    "device": "card counts created disturb_onset_a files ladder_a levels_model_ohm levels_ohm reset_energy_j "
    "scoreboard versions warnings write_energy_j",
    "fit": "card chi2 comparisons correlation created data degrees_of_freedom excluded files fitted noise notes "
    "predictions regions replay undetermined versions warnings",
    "levels": "distinguishable_ohm error_rate files possible_states states",
    "export": "card card_content date dialect files form grains largest_error",
}


@pytest.mark.parametrize("command", KEYS)
def test_the_keys_of_a_result_are_these(command: str) -> None:
    schema = cast("dict[str, Any]", schema_of(command))
    assert sorted(schema["properties"]) == KEYS[command].split()


def test_the_keys_of_a_certificate_and_of_the_benches_of_an_export_are_these() -> None:
    schema = cast("dict[str, Any]", schema_of("verify"))
    found = {name: " ".join(sorted(schema["$defs"][name]["properties"])) for name in schema["$defs"]}
    assert found["VerifyResults"] == "card card_content checks date engines files grains largest_error passed"
    assert found["VerifyExportResults"] == "benches files passed"
    assert found["EngineFound"] == "name not_run version"


def test_a_check_keeps_its_numbers_and_says_what_was_not_compared() -> None:
    check = EngineCheck(
        name="a", engine="b", setting="c", quantity="d", difference=1e-3, tolerance=2e-3, hall_voltage=3e-6
    )
    assert CheckResult.of(check).model_dump(mode="json") == {
        "name": "a",
        "engine": "b",
        "setting": "c",
        "quantity": "d",
        "largest_difference": 1e-3,
        "tolerance": 2e-3,
        "hall_voltage_difference_v": 3e-6,
        "energy_difference_relative": None,
        "passed": True,
    }
    failed = EngineCheck(
        name="a", engine="b", setting="c", quantity="d", difference=float("nan"), tolerance=1.0
    )
    assert CheckResult.of(failed).largest_difference is None
    assert not CheckResult.of(failed).passed


def test_a_bench_that_was_skipped_has_no_difference() -> None:
    skipped = BenchRun.of(BenchResult(deck="x.cir", difference=float("nan"), skipped="no program"))
    assert skipped.model_dump() == {
        "deck": "x.cir",
        "largest_difference": None,
        "skipped": "no program",
        "passed": False,
    }
    assert BenchRun.of(BenchResult(deck="x.cir", difference=1e-5)).largest_difference == 1e-5


def test_a_fitted_parameter_has_its_interval_in_order_and_how_it_was_found() -> None:
    parameter = FitParameter(
        path="hall.r_reset", symbol="r_reset", unit="ohm", default=1.0, low=0.0, high=2.0, widest=1.0
    )
    one = Fitted(parameter=parameter, value=0.33, interval=(0.31, 0.36), profiled=True, devices={"d1": 0.32})
    assert FittedParameter.of(one).model_dump(mode="json") == {
        "name": "hall.r_reset",
        "unit": "ohm",
        "value": 0.33,
        "low": 0.31,
        "high": 0.36,
        "interval": "profile",
        "devices": {"d1": 0.32},
    }


def test_forms_and_predictions_keep_their_numbers() -> None:
    form = Comparison(
        name="linear", parameters=3, chi2=1.0, aic=2.0, bic=4.0, cross_validation=5.0, largest=6.0
    )
    assert list(ComparedForm.of(form).model_dump().values()) == ["linear", 3, 1.0, 2.0, 4.0, 5.0, 6.0]
    one = Prediction(
        record="r", measured=0.68, form="Weibull", best=0.7, fraction=(0.6, 0.8), window=(0.25, 0.5)
    )
    assert PredictedFraction.of(one).model_dump(mode="json") == {
        "record": "r",
        "form": "Weibull",
        "measured": 0.68,
        "best": 0.7,
        "fraction": [0.6, 0.8],
        "window_ohm": [0.25, 0.5],
    }


def test_rows_and_columns_of_a_written_array_and_every_field_of_its_description() -> None:
    config = WriteConfig(
        architecture=Architecture.RESISTIVE, scheme=BiasScheme.HALF_V, order=Order.CELL, r_row=0.02
    )
    found = WrittenArray.of((5, 4), config).model_dump(mode="json")
    assert (found["rows"], found["columns"], found["r_row"], found["r_column"]) == (5, 4, 0.02, 0.01)
    assert (found["architecture"], found["scheme"], found["order"]) == ("resistive", "half_v", "cell")
    assert set(found) == {"rows", "columns", *(field.name for field in fields(WriteConfig))}
    recipe = UsedRecipe.of(WriteRecipe(tolerance=3e-3)).model_dump(mode="json")
    assert recipe["tolerance"] == 3e-3
    assert recipe["algorithm"] == "verify"
    assert set(recipe) == {field.name for field in fields(WriteRecipe)}


def test_a_yield_has_its_key_and_the_energy_its_parts() -> None:
    assert YieldAt(tolerance_ohm=1e-3, yield_=0.5).model_dump() == {"tolerance_ohm": 1e-3, "yield": 0.5}
    energy = WriteEnergy(total=15.0, cells=1.0, select=2.0, wires=3.0, drivers=4.0, verify=5.0)
    assert energy.parts == {"cells": 1.0, "select": 2.0, "wires": 3.0, "drivers": 4.0, "verify": 5.0}


def test_a_score_is_a_line_of_the_table_of_facts() -> None:
    result = next(one for one in scoreboard(load_card()) if one.switching == "B" and one.number is not None)
    score = Score.of(result)
    assert list(score.model_dump(mode="json")) == [
        *("number", "paper", "quantity", "set", "model", "value", "tolerance", "status", "standing", "note")
    ]
    assert (score.number, score.paper, score.quantity) == (
        result.fact.number,
        result.fact.paper,
        result.fact.quantity,
    )
    assert (score.set, score.model, score.value) == ("B", result.value, result.number)
    assert (score.tolerance, score.note) == (result.fact.tolerance, result.fact.note)


def test_levels_of_the_paper_and_of_the_model_are_told_apart() -> None:
    card = load_card()
    found = device_results(card)
    assert found.levels_ohm == (0.33, 0.46, 0.49, 0.52, 0.54, 0.57)
    assert found.levels_model_ohm == tuple(model_levels(card))
    assert found.ladder_a == tuple(ladder_currents(card))
    assert found.write_energy_j == ladder_energy(card)
    assert found.reset_energy_j == 0.0  # by a field
    assert found.disturb_onset_a == pytest.approx(3.76e-3, rel=1e-3)
    assert sum(found.counts.values()) == len(found.scoreboard)


@pytest.mark.parametrize("model", [ArchitectureResult, EncodingResult])
def test_converters_of_both_sides_are_added(model: type[ArchitectureResult | EncodingResult]) -> None:
    parts = SimpleNamespace(energy_dac_j=1.0, energy_adc_j=0.25)
    assert model.energy_converters_j.fget(parts) == 1.25  # type: ignore[attr-defined]
