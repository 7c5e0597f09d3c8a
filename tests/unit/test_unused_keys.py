"""Keys that say nothing: where they are, who would use them, and who lets them pass."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest

from circuits.arrays.architecture import Architecture
from circuits.solve.transfer import Method
from compact_model.cards.document import DocumentError
from hallspice.array.read import read_array
from hallspice.array.read_engine import ReadEngine
from hallspice.config.demand import Demand
from hallspice.config.load import load_setup
from hallspice.config.starter import starter_text
from hallspice.progress import SILENT
from hallspice.sweeps.sweep import Plan, plan


def points(path: Path, *options: str) -> Plan:
    """The points of a sweep of a file."""
    return plan(path, options, {}, None, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "array:\n  switch: {r_on: 2 kohm}\n",
            "2:18 array.switch.r_on: has no effect in active_parallel, only in row_multiplexed; leave it out",
        ),
        (
            "array:\n  architecture: passive_parallel\n  amplifier: {cmrr_db: 80}\n",
            "3:24 array.amplifier.cmrr_db: has no effect in passive_parallel, only in active_parallel, active_series; "
            "leave it out",
        ),
        (
            "array:\n  architecture: resistive\n  amplifier: {gm: 2 mS}\n",
            "3:19 array.amplifier.gm: has no effect in resistive, only in active_parallel, passive_parallel, "
            "active_series, series_hall, row_multiplexed, and in verify reads: leave it out, or say how the array is "
            "written in a section write",
        ),
        (
            "array: {architecture: active_parallel}\nwrite: {r_return: 2}\n",
            "2:19 write.r_return: has no effect in active_parallel, only in resistive, active_series, "
            "row_multiplexed; leave it out",
        ),
        (
            "array:\n  architecture: series_hall\n  series: {isolation: ideal}\n  sense: {r_load: 1 Mohm}\n",
            "4:19 array.sense.r_load: has no effect with series.isolation: ideal; leave it out",
        ),
    ],
)
def test_where_a_key_is_and_who_would_use_it(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "array.yaml"
    path.write_text(text)
    for demands in (Demand.READ, Demand.ARRAY, Demand.EVALUATE, Demand.RUN):
        with pytest.raises(DocumentError) as caught:
            load_setup(path, demands=demands & ~Demand.SUPPLY)
        assert str(caught.value) == f"{path}:{message}"
    load_setup(path, demands=Demand.COMPARE)


RESISTIVE = "{array: {architecture: resistive}, write: {scheme: %s, %%s}}"


@pytest.mark.parametrize(
    ("text", "key", "switch"),
    [
        ("array: {converters: {%s}}", "dac_ladder: unary", "array.converters.dac_mismatch: 0.0"),
        ("array: {converters: {dac_mismatch: 1 %%, %s}}", "adc_ladder: unary", "array.converters.adc_mismatch: 0.0"),
        ("certificate: {tiles: 0, %s}", "vectors: 8", "certificate.tiles: 0"),
        ("certificate: {tiles: 0, %s}", "tolerance: 1e-5", "certificate.tiles: 0"),
        ("certificate: {tiles: 0, %s}", "longest: 1 h", "certificate.tiles: 0"),
        ("network: {in_situ: {%s}}", "steps: 8", "network.in_situ.updates: []"),
        ("network: {in_situ: {%s}}", "learning_rate: 3", "network.in_situ.updates: []"),
        ("network: {in_situ: {%s}}", "device_spread: 0.1", "network.in_situ.updates: []"),
        ("network: {in_situ: {%s}}", "cycle_noise: 0.1", "network.in_situ.updates: []"),
        ("network: {in_situ: {updates: [ladder], %s}}", "pulse_share: 0.4", "network.in_situ.updates: ['ladder']"),
        ("write: {algorithm: ladder, %s}", "step_law: constant", "write.algorithm: ladder"),
        ("write: {algorithm: ladder, %s}", "i_step: 1 mA", "write.algorithm: ladder"),
        ("write: {algorithm: ladder, %s}", "start: 0.9", "write.algorithm: ladder"),
        ("write: {algorithm: reset_ladder, %s}", "max_pulses: 9", "write.algorithm: reset_ladder"),
        ("write: {algorithm: reset_ladder, %s}", "retries: 1", "write.algorithm: reset_ladder"),
        (RESISTIVE % "half_v", "r_select_on: 5", "write.scheme: half_v"),
        (RESISTIVE % "third_v", "r_select_off: 1e6", "write.scheme: third_v"),
    ],
)  # fmt: skip
def test_a_key_that_another_one_switches_off_is_refused(
    tmp_path: Path, text: str, key: str, switch: str
) -> None:
    path = tmp_path / "array.yaml"
    path.write_text(text % key)
    with pytest.raises(DocumentError) as caught:
        load_setup(path, demands=Demand.ARRAY)
    (mistake,) = caught.value.mistakes
    assert mistake.key.rpartition(".")[2] == key.partition(":")[0]
    assert (mistake.place and mistake.place.line, mistake.what) == (
        1,
        f"has no effect with {switch}; leave it out",
    )
    load_setup(path, demands=Demand.COMPARE)


def test_a_key_that_another_one_switches_on_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "array.yaml"
    path.write_text(
        "array: {converters: {dac_mismatch: 1 %, dac_ladder: unary, adc_mismatch: 1 %, adc_ladder: unary}}\n"
        "network: {in_situ: {updates: [ladder, identical], steps: 8, pulse_share: 0.4, learning_rate: 3}}\n"
        "certificate: {vectors: 8, longest: 1 h}\n"
        "write: {algorithm: verify, start: 0.9, retries: 1, r_select_on: 5, scheme: one_transistor}\n"
    )
    load_setup(path, demands=Demand.RUN)


def test_a_sweep_leaves_out_what_a_swept_key_switches_off(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text("array: {converters: {dac_ladder: unary}}\n")
    found = points(path, "array.converters.dac_mismatch=0,1 %").points.values()
    without, with_ladder = (one.task.setup for one in found)
    assert without.config.array.converters.dac_ladder == "binary"
    assert with_ladder.config.array.converters.dac_ladder == "unary"
    assert without.warnings[0] == (
        "array.converters.dac_ladder (sweep.yaml:1) is left out where it has no effect with "
        "array.converters.dac_mismatch: 0.0."
    )
    assert not any("dac_ladder" in warning for warning in with_ladder.warnings)


def test_points_of_a_grid_are_those_of_its_axes(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text("seed: 1\nsweep:\n  points: 3\n")
    with pytest.raises(
        DocumentError, match=r"sweep\.yaml:3:11 sweep\.points: has no effect with design grid"
    ):
        points(path, "array.wire.r_row=1,2")
    with pytest.raises(DocumentError, match=r"sweep\.points: has no effect with design grid"):
        plan({}, ["array.wire.r_row=1,2"], {"points": 3}, None, None)
    assert len(plan(path, ["array.wire.r_row=1..2"], {"design": "random"}, None, None).points) == 3


def test_a_wrong_architecture_is_the_only_mistake(tmp_path: Path) -> None:
    path = tmp_path / "array.yaml"
    path.write_text("array:\n  architecture: resistiv\n  cell: {r_low: 5 kohm}\n")
    with pytest.raises(DocumentError) as caught:
        load_setup(path)
    (mistake,) = caught.value.mistakes
    assert mistake.key == "array.architecture"


def test_a_key_at_its_default_says_nothing(tmp_path: Path) -> None:
    """The starter file names every key."""
    path, text = tmp_path / "starter.yaml", starter_text()
    for architecture in Architecture:
        path.write_text(text.replace("architecture: active_parallel", f"architecture: {architecture.value}"))
        load_setup(path, demands=Demand.RUN & ~Demand.SUPPLY)


def test_chips_are_drawn_by_evaluate_alone(tmp_path: Path) -> None:
    path = tmp_path / "chips.yaml"
    path.write_text("variation:\n  chips: 10\n  stuck_low: 1 %\n  temperature: 350 K\n")
    for demands in (Demand.EVALUATE, Demand.ARRAY, Demand.READ, Demand.COMPARE):
        load_setup(path, demands=demands)
    for refused in (load_setup, points):
        with pytest.raises(DocumentError) as caught:
            refused(path)
        what = "no chips are drawn here, `hallspice evaluate` draws them; leave it out"
        assert str(caught.value).splitlines() == [
            f"{path}:3:14 variation.stuck_low: {what}",
            f"{path}:4:16 variation.temperature: {what}",
        ]


@pytest.mark.parametrize(
    ("option", "what"),
    [
        ("variation.stuck_low=0,0.1", "variation can't be swept: `hallspice evaluate` draws chips"),
        ("compare.draws=2,3", "compare can't be swept: `hallspice compare` alone reads it"),
        ("network.in_situ.steps=8,16", "network.in_situ can't be swept: `hallspice train` alone reads it"),
        ("sweep.seeds=1,2", "sweep can't be swept"),
    ],
)
def test_sections_that_say_nothing_about_a_point_are_no_axes(tmp_path: Path, option: str, what: str) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text("seed: 1\n")
    key = option.partition("=")[0]
    with pytest.raises(DocumentError, match=re.escape(f"--set {option} {key}: the section {what}")):
        points(path, option)


def test_a_sweep_over_architectures_leaves_out_what_a_point_has_no_use_for(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(
        "array:\n  cell: {mismatch: 1 %, r_low: 5 kohm}\n  amplifier: {gm: 2 mS}\n  wire: {r_row: 20 mohm}\n"
    )
    found = points(path, "array.architecture=active_parallel,resistive").points.values()
    active, resistive = (point.task.setup for point in found)
    assert (active.config.array.cell.mismatch, active.array.gm) == (0.01, 2e-3)
    assert active.config.array.cell.r_low == 10e3  # the default: Hall cells have none
    assert (resistive.config.array.cell.mismatch, resistive.array.gm) == (0.0, 1e-3)
    assert resistive.config.array.cell.r_low == 5e3
    assert (active.array.r_row, resistive.array.r_row) == (0.02, 0.02)
    assert active.warnings[0] == (
        "array.cell.r_low (sweep.yaml:2) is left out where it has no effect in active_parallel, only in resistive."
    )
    named = [warning.split(" ")[0] for warning in resistive.warnings]
    assert named[:2] == ["array.amplifier.gm", "array.cell.mismatch"]


def test_what_is_itself_swept_must_act_in_every_point(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text("seed: 1\n")
    option = "array.cell.mismatch=0,0.02"
    with pytest.raises(
        DocumentError, match=re.escape(f"--set {option} array.cell.mismatch: has no effect in")
    ):
        points(path, "array.architecture=active_parallel,resistive", option)


def test_a_sweep_of_one_architecture_refuses_keys_of_others(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text("array:\n  cell: {r_low: 5 kohm}\n")
    with pytest.raises(
        DocumentError, match=r"sweep\.yaml:2:17 array\.cell\.r_low: has no effect in active_parallel"
    ):
        points(path, "array.rows=32,64")


def test_exact_asks_for_the_full_solution_which_some_arrays_have_in_any_case(tmp_path: Path) -> None:
    config, states, inputs = (tmp_path / name for name in ("array.yaml", "states.csv", "inputs.csv"))
    states.write_text("0.4,0.5\n0.33,0.57\n")
    inputs.write_text("0.0001,0.0002\n")
    for architecture in Architecture:
        config.write_text(f"array: {{architecture: {architecture.value}, exact: true}}\n")
        first_order = partial(
            read_array,
            config,
            states,
            inputs,
            tmp_path / "out.csv",
            engine=ReadEngine.TRANSFER,
            full=False,
            progress=SILENT,
        )
        if architecture.hall:
            with pytest.raises(DocumentError, match=r"array\.exact: true asks for the full solution"):
                first_order()
        else:
            assert not first_order().how.startswith(Method.TENSOR)
