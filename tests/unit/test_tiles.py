"""Tiles as circuits: solved by the tensor, in full, and in processes."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from circuits.arrays.architecture import Architecture
from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar, ideal_transfer
from circuits.arrays.mismatch import draw_mismatch
from circuits.network import Role
from circuits.solve.nodal import factor
from circuits.solve.transfer import Method
from compact_model.numeric import Floats
from nn_mapping import tiles as solve
from nn_mapping.analog.placement import Tile
from nn_mapping.levels import PAPER_LEVELS_OHM, single_levels
from nn_mapping.mapping import output_per_weight, place, resistive_states
from nn_mapping.tiles import TileResponse, ideal_transfers, solve_network, solve_tiles

CONFIG = ArrayConfig(architecture=Architecture.ACTIVE_PARALLEL, r_row=0.05, r_column=0.05)
LEVELS = single_levels(PAPER_LEVELS_OHM)


def tile(rows: int, outputs: int, seed: int) -> Tile:
    index = np.random.default_rng(seed).integers(0, 6, (outputs, rows)).astype(np.uint8)
    levels = place(index, LEVELS)
    return Tile(
        layer=f"layer{seed}",
        group=0,
        rows=slice(0, rows),
        outputs=slice(0, outputs),
        level_set=LEVELS,
        state_ohm=LEVELS.levels_ohm,
        level_index=levels,
        states=LEVELS.levels_ohm[levels],
    )


TILES = [tile(7, 5, 1), tile(7, 4, 2), tile(6, 4, 3), tile(7, 4, 4), tile(5, 3, 5)]
ALIKE = [None] * len(TILES)


@pytest.fixture(scope="module")
def responses() -> tuple[TileResponse, ...]:
    return solve_tiles(TILES, CONFIG)


def test_tiles_balance_their_power(responses: tuple[TileResponse, ...]) -> None:
    assert max(response.imbalance for response in responses) < 1e-10


def test_a_response_is_that_of_its_circuit(responses: tuple[TileResponse, ...]) -> None:
    volts = np.random.default_rng(0).uniform(0, 0.5, (3, 7))
    solution = factor(crossbar(TILES[1].states, CONFIG)).solve(volts)
    np.testing.assert_allclose(volts @ responses[1].transfer.T, solution.outputs, rtol=1e-9)
    power = sum(np.einsum("ni,ij,nj->n", volts, form, volts) for form in responses[1].power_forms.values())
    np.testing.assert_allclose(power, solution.source_power, rtol=1e-9)
    delivered = factor(crossbar(TILES[1].states, CONFIG)).solve(np.ones((1, 7))).source_power[0]
    assert responses[1].delivered == pytest.approx(delivered, rel=1e-9, abs=0)


@pytest.mark.parametrize("architecture", [Architecture.ACTIVE_PARALLEL, Architecture.ACTIVE_SERIES])
def test_the_tensor_serves_all_tiles_of_a_shape(
    architecture: Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(CONFIG, architecture=architecture)
    exact = solve_tiles(TILES, config)
    in_full = solve.solve_tile
    calls: list[Floats] = []
    monkeypatch.setattr(
        solve, "solve_tile", lambda states, *rest: (calls.append(states), in_full(states, *rest))[1]
    )
    told: list[tuple[int, int, str]] = []
    found = solve_network(TILES, config, ALIKE, progress=lambda *step: told.append(step))
    assert found.method is Method.TENSOR
    assert [states is TILES[number].states for states, number in zip(calls, (0, 1, 2, 4, 3), strict=True)]
    assert told == [(number + 1, 5, one.name) for number, one in enumerate(TILES)]
    for ours, theirs in zip(found.responses, exact, strict=True):
        # (R_xy / R_channel)^2 is 1e-6
        assert np.abs(ours.transfer - theirs.transfer).max() < 5e-6 * np.abs(theirs.transfer).max()
        assert ours.delivered == pytest.approx(theirs.delivered, rel=5e-6)
    assert found.checked == TILES[3].name, "the last one of the most frequent shape"
    off = np.abs(found.responses[3].transfer - exact[3].transfer).max()
    assert found.transfer_difference == pytest.approx(off / np.abs(exact[3].transfer).max())
    assert found.power_difference == pytest.approx(
        abs(found.responses[3].delivered / exact[3].delivered - 1), rel=1e-6
    )
    assert 0 < found.power_difference < 5e-6
    for ours, response in zip(found.transfers, found.responses, strict=True):
        assert ours is response.transfer


def test_tiles_are_solved_in_full_where_the_tensor_does_not_serve() -> None:
    spread = [draw_mismatch(one.shape, np.random.default_rng(0), relative=0.01) for one in TILES]
    one_of_them = [None, None, spread[2], None, None]
    for config, mismatches, exact in (
        (CONFIG, ALIKE, True),
        (CONFIG, spread, False),
        (CONFIG, one_of_them, False),
        (replace(CONFIG, architecture=Architecture.RESISTIVE), ALIKE, False),
    ):
        method, reason = solve.choose_solver(config, mismatches, exact=exact)
        assert method is Method.NODAL
        assert reason
    found = solve_network(TILES, CONFIG, spread)
    again = solve_tiles(TILES, CONFIG, 1, None, spread)
    for number, response in enumerate(found.responses):
        exact_transfer = factor(crossbar(TILES[number].states, CONFIG, spread[number])).transfer()
        assert response.transfer.tolist() == again[number].transfer.tolist()
        np.testing.assert_allclose(response.transfer, exact_transfer, rtol=1e-10)
    assert (found.checked, found.transfer_difference, found.power_difference) == ("", 0.0, 0.0)


def test_processes_give_the_same_tiles(responses: tuple[TileResponse, ...]) -> None:
    calls: list[tuple[int, int, str]] = []
    parallel = solve_tiles(TILES, CONFIG, 2, lambda *step: calls.append(step))
    for ours, theirs in zip(responses, parallel, strict=True):
        np.testing.assert_array_equal(ours.transfer, theirs.transfer)
    assert calls == [(number + 1, len(TILES), one.name) for number, one in enumerate(TILES)]


def test_ideal_tiles_have_no_wires() -> None:
    for ours, one in zip(ideal_transfers(TILES, CONFIG), TILES, strict=True):
        assert ours.tolist() == ideal_transfer(one.states, CONFIG).tolist()


def test_by_default_one_process_solves_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    def unwanted(_count: int) -> None:
        raise AssertionError("processes were started")

    monkeypatch.setattr(solve, "worker_processes", unwanted)
    told: list[tuple[int, int, str]] = []
    solve_network(TILES[:2], CONFIG, ALIKE[:2], exact=True, progress=lambda *now: told.append(now))
    assert told == [(1, 2, "layer1_rows0_outputs0"), (2, 2, "layer2_rows0_outputs0")]
    with pytest.raises(AssertionError, match="processes were started"):
        solve_tiles(TILES[:2], CONFIG, workers=2)


@pytest.mark.parametrize("exact", [True, False])
def test_tiles_are_solved_with_one_thread(exact: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than one slows the sparse solves down."""
    threads: list[int] = []
    in_full = solve.solve_tile

    def noting(*tile: Any) -> TileResponse:
        threads.append(max(one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"))
        return in_full(*tile)

    monkeypatch.setattr(solve, "solve_tile", noting)
    with threadpool_limits(2):
        solve_network(TILES[:1], CONFIG, [None], exact=exact)
    assert set(threads) == {1}


def test_the_imbalance_is_relative_to_what_is_delivered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three of four watts are found again."""
    fake = SimpleNamespace(
        power_forms=lambda: {Role.CELL: np.array([[1.0, 0.5], [0.5, 1.0]])},
        solve=lambda inputs: SimpleNamespace(source_power=np.array([4.0]) * float(inputs.sum() / 2)),
        transfer=lambda: np.zeros((1, 2)),
    )
    monkeypatch.setattr(solve, "factor", lambda _network: fake)
    assert solve.solve_tile(np.full((2, 1), 0.5), None, CONFIG).imbalance == 0.25


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
