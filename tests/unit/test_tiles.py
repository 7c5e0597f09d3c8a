"""Solved tiles: what they report, how they are solved, and with how many threads."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from circuits.arrays.config import ArrayConfig
from circuits.solve.transfer import Method
from nn_mapping import tiles
from nn_mapping.levels import PAPER_LEVELS_OHM, single_levels
from nn_mapping.mapping import MappedNetwork, map_network, resistive_states
from nn_mapping.tiles import (
    choose_solver,
    output_per_weight,
    solve_network,
    solve_tile,
    solve_tiles,
)
from nn_mapping.trained import Layer, TrainedNetwork

CONFIG = ArrayConfig(architecture="active_parallel", r_row=0.5, r_column=0.3)
LEVELS = single_levels(PAPER_LEVELS_OHM)


def mapped(*sizes: tuple[int, int], states: np.ndarray | None = None) -> MappedNetwork:
    """Layers of (outputs, inputs) on tiles of at most 4 rows and 3 outputs."""
    random = np.random.default_rng(0)
    layers = []
    for outputs, inputs in sizes:
        index = random.integers(0, 6, (outputs, inputs)).astype(np.uint8)
        one = np.ones(outputs, np.float32)
        weights = LEVELS.weights.astype(np.float32)[index]
        layers.append(Layer(weights=weights, gain=one, offset=0 * one, weight_index=index))
    network = TrainedNetwork(layers=tuple(layers), levels=LEVELS.weights)
    return map_network(network, LEVELS, 4, 5, states)


def test_the_last_tile_of_the_most_frequent_shape_is_checked() -> None:
    """Tiles of 3 x 5 (layer 0: rows 0 and 3), 3 x 5 (layer 1), 4 x 4 (layer 2): the third one."""
    network = mapped((3, 6), (3, 3), (2, 4))
    told: list[tuple[int, int, str]] = []
    found = solve_network(network, CONFIG, [None] * 4, progress=lambda *now: told.append(now))
    names = [
        "layer0_rows0_outputs0",
        "layer0_rows3_outputs0",
        "layer1_rows0_outputs0",
        "layer2_rows0_outputs0",
    ]
    assert told == [(number, 4, name) for number, name in enumerate(names, start=1)]
    assert (found.method, found.checked) == (Method.TENSOR, names[2])
    exact = solve_tile(network.tiles[2].states, None, CONFIG)
    off = np.abs(found.responses[2].transfer - exact.transfer).max() / np.abs(exact.transfer).max()
    assert found.transfer_difference == pytest.approx(off, rel=1e-6, abs=0)
    assert found.power_difference == pytest.approx(
        abs(found.responses[2].delivered / exact.delivered - 1), rel=1e-6, abs=1e-15
    )
    assert 0 < found.transfer_difference < 1e-5


def test_a_solution_in_full_needs_no_check_and_by_default_one_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = mapped((3, 6))

    def unwanted(_count: int) -> None:
        raise AssertionError("processes were started")

    monkeypatch.setattr(tiles, "worker_processes", unwanted)
    told: list[tuple[int, int, str]] = []
    found = solve_network(network, CONFIG, [None] * 2, exact=True, progress=lambda *now: told.append(now))
    assert told == [(1, 2, "layer0_rows0_outputs0"), (2, 2, "layer0_rows3_outputs0")]
    assert (found.method, found.checked) == (Method.NODAL, "")
    assert (found.transfer_difference, found.power_difference) == (0.0, 0.0)
    for ours, theirs in zip(found.responses, solve_tiles(network, CONFIG), strict=True):
        np.testing.assert_array_equal(ours.transfer, theirs.transfer)
    assert choose_solver(CONFIG, [None])[0] is Method.TENSOR
    with pytest.raises(AssertionError, match="processes were started"):
        solve_tiles(network, CONFIG, workers=2)


@pytest.mark.parametrize("exact", [True, False])
def test_tiles_are_solved_with_one_thread(exact: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than one slows the sparse solves down."""
    threads: list[int] = []
    in_full = tiles.solve_tile

    def noting(*tile: Any) -> tiles.TileResponse:
        threads.append(max(one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"))
        return in_full(*tile)

    monkeypatch.setattr(tiles, "solve_tile", noting)
    with threadpool_limits(2):
        solve_network(mapped((3, 6)), CONFIG, [None] * 2, exact=exact)
    assert threads == [1, 1]


def test_the_imbalance_is_relative_to_what_is_delivered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three of four watts are found again."""
    fake = SimpleNamespace(
        power_forms=lambda: {"cells": np.array([[1.0, 0.5], [0.5, 1.0]])},
        solve=lambda inputs: SimpleNamespace(source_power=np.array([4.0]) * float(inputs.sum() / 2)),
        transfer=lambda: np.zeros((1, 2)),
    )
    monkeypatch.setattr(tiles, "factor", lambda _network: fake)
    assert solve_tile(np.full((2, 1), 0.5), None, CONFIG).imbalance == 0.25


def test_an_output_per_weight_by_hand() -> None:
    """1 mS of 1 mA per V of input and ohm of level; a resistive cell's conductance; a mean over parallel rows."""
    assert output_per_weight(LEVELS, LEVELS.levels_ohm, CONFIG) == pytest.approx(1e-3 / 500 * 0.12, rel=1e-9)
    crossed = ArrayConfig(architecture="resistive")
    states = resistive_states(LEVELS.levels_ohm, 1e4, 1e5)
    # from 1e-5 to 1e-4 S over two units of weight
    assert output_per_weight(LEVELS, states, crossed) == pytest.approx(4.5e-5, rel=1e-9)
    passive = ArrayConfig(architecture="passive_parallel")
    one, alone, four = (
        output_per_weight(LEVELS, LEVELS.levels_ohm, passive, *rows) for rows in ((), (1,), (4,))
    )
    assert one == pytest.approx(alone, rel=1e-12)
    assert four == pytest.approx(one / 4, rel=1e-9)
