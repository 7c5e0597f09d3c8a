from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from circuits.arrays.architecture import Architecture
from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar
from circuits.arrays.mismatch import draw_mismatch
from circuits.network import Role
from circuits.periphery import load_periphery
from circuits.read.calibration import calibrate_transfer
from circuits.read.converter import ElementWeighting, draw_converter, draw_row_dacs
from circuits.read.energy import PartCosts, part_costs
from circuits.solve.nodal import factor
from circuits.solve.transfer import Method
from nn_mapping import tiles as solve
from nn_mapping.accuracy import ablation, convert_output, evaluate, propagate, sample_reads, tile_maps
from nn_mapping.column_readout import Readout, random_vectors
from nn_mapping.cost import (
    areas,
    digital_cost,
    inference_cost,
    write_cost,
)
from nn_mapping.data import Dataset
from nn_mapping.levels import PAPER_LEVELS_OHM, level_set
from nn_mapping.mapping import MappedNetwork, map_network
from nn_mapping.tiles import TileResponse, conductance_per_weight, ideal_transfers, solve_network, solve_tiles
from nn_mapping.trained import Layer, TrainedNetwork, Window

CONFIG = ArrayConfig(architecture=Architecture.ACTIVE_PARALLEL, r_row=0.05, r_column=0.05)
READOUT = Readout(v_full=0.5)
COSTS = PartCosts(
    t_read=1e-5,
    t_settle=2e-6,
    amplifier_power=1.8e-4,
    driver_efficiency=0.8,
    dac_energy=2e-12,
    adc_energy=4e-13,
    adc_time=1e-8,
    adc_outputs=4,
    add=1e-13,
    multiply_float=3.7e-12,
    add_float=0.9e-12,
)


def images(count: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.integers(0, 256, (count, 5, 4)) * random.integers(0, 2, (count, 5, 4))).astype(np.uint8)


def mapped_network(scheme: str = "reference") -> MappedNetwork:
    """20-9-3 with random weights on tiles of 8 x 8."""
    random = np.random.default_rng(4)
    levels = level_set(scheme, PAPER_LEVELS_OHM)
    layers = []
    for inputs, outputs in ((20, 9), (9, 3)):
        index = random.integers(0, len(levels.weights), (outputs, inputs)).astype(np.uint8)
        weights = levels.weights.astype(np.float32)[index]
        gain = random.uniform(0.2, 0.6, outputs).astype(np.float32)
        layers.append(
            Layer(
                weights=weights,
                gain=gain,
                offset=random.normal(0, 0.5, outputs).astype(np.float32),
                weight_index=index,
            )
        )
    network = TrainedNetwork(layers=tuple(layers), levels=levels.weights)
    outputs = network.forward(network.inputs(images(300, 1)))
    centred = replace(layers[1], offset=layers[1].offset - outputs.mean(axis=0))  # so that all classes occur
    network = replace(network, layers=(layers[0], centred))
    return map_network(network, levels, 8, 8)


def labelled(mapped: MappedNetwork) -> Dataset:
    """Images with the classes that the digital network gives them: its accuracy is 1."""
    train, test = images(300, 1), images(400, 2)
    network = mapped.network
    return Dataset(
        name="random",
        train_images=train,
        train_labels=network.predict(train).astype(np.uint8),
        test_images=test,
        test_labels=network.predict(test).astype(np.uint8),
    )


@pytest.fixture(scope="module")
def mapped() -> MappedNetwork:
    return mapped_network()


@pytest.fixture(scope="module")
def data(mapped: MappedNetwork) -> Dataset:
    return labelled(mapped)


@pytest.fixture(scope="module")
def responses(mapped: MappedNetwork) -> tuple[TileResponse, ...]:
    return solve_tiles(mapped, CONFIG)


def test_fine_converters_and_ideal_arrays_agree_with_the_digital_network(
    mapped: MappedNetwork, data: Dataset
) -> None:
    fine = replace(READOUT, dac_bits=16, adc_bits=16, quantile=1.0)
    result = evaluate(mapped, ideal_transfers(mapped, CONFIG), CONFIG, fine, data)
    assert result.accuracy >= 0.995  # 16 bits flip only near ties, and the last code is clipped
    assert result.confusion.sum() == 400
    assert np.trace(result.confusion) == round(400 * result.accuracy)


def test_a_trim_repairs_what_wires_do(mapped: MappedNetwork, data: Dataset) -> None:
    """2 Ohm wires take up to a third of the voltage, most of it the same for all cells of a column."""
    config = replace(CONFIG, r_row=2.0)
    transfers = [response.transfer for response in solve_tiles(mapped, config)]
    causes = ablation(
        evaluate(mapped, transfers, config, READOUT, data), mapped, transfers, config, READOUT, data
    )
    assert causes.levels == 1
    for changes, found in (
        ({"dac_bits": None, "adc_bits": None}, causes.array),
        ({}, causes.circuit),
        ({"trim": False}, causes.untrimmed),
    ):
        assert found == evaluate(mapped, transfers, config, replace(READOUT, **changes), data).accuracy
    assert causes.converters >= 0.9
    assert causes.array >= 0.99
    assert causes.circuit >= 0.9
    assert causes.untrimmed < causes.circuit - 0.1


def test_no_more_is_put_through_the_tiles_than_causes_need(
    mapped: MappedNetwork,
    data: Dataset,
    responses: tuple[TileResponse, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    transfers = [response.transfer for response in responses]
    circuit = evaluate(mapped, transfers, CONFIG, READOUT, data)
    runs: list[int] = []

    def counted(*arguments: Any) -> Any:
        runs.append(len(arguments[4]))
        return propagate(*arguments)

    monkeypatch.setattr("nn_mapping.accuracy.propagate", counted)
    ablation(circuit, mapped, transfers, CONFIG, READOUT, data)
    # converters, array, untrimmed: each sets its full scales, then sees the test images; levels are digital
    assert runs == [len(data.train_images[:2000]), len(data.test_images)] * 3


def test_moments_are_those_of_the_row_voltages(
    mapped: MappedNetwork, data: Dataset, responses: tuple[TileResponse, ...]
) -> None:
    result = evaluate(mapped, [response.transfer for response in responses], CONFIG, READOUT, data)
    voltages = 0.5 * np.round(data.test_images.reshape(400, -1) / np.float32(255) * 63) / 63
    np.testing.assert_allclose(result.input_moments[0], voltages.T @ voltages / 400, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(result.input_means[0], voltages.mean(axis=0), rtol=1e-6, atol=1e-9)
    assert result.scales.inputs[0] == 1


def test_moments_of_a_convolution_are_means_over_its_patches() -> None:
    """Kernels of 3 x 3 read 3 x 2 patches of 5 x 4 pixels."""
    levels = level_set("reference", PAPER_LEVELS_OHM)
    window = Window(channels=1, height=5, width=4, kernel=3)
    random = np.random.default_rng(1)
    layers = []
    for outputs, inputs, one in ((2, 9, window), (3, 12, None)):
        index = random.integers(0, 6, (outputs, inputs)).astype(np.uint8)
        weights = levels.weights.astype(np.float32)[index]
        gain, offset = np.ones(outputs, np.float32), np.zeros(outputs, np.float32)
        layers.append(Layer(weights=weights, gain=gain, offset=offset, weight_index=index, window=one))
    mapped = map_network(TrainedNetwork(layers=tuple(layers), levels=levels.weights), levels, 5, 5)
    test = images(7, 2)
    data = labelled(mapped)
    data = replace(data, test_images=test, test_labels=np.zeros(7, np.uint8))
    found = evaluate(mapped, ideal_transfers(mapped, CONFIG), CONFIG, READOUT, data)
    moment, mean = np.zeros((9, 9)), np.zeros(9)
    for image in test:
        for row in range(3):
            for column in range(2):
                volts = 0.5 * np.round(image[row : row + 3, column : column + 3].ravel() / 255 * 63) / 63
                moment += np.outer(volts, volts) / (7 * 6)
                mean += volts / (7 * 6)
    np.testing.assert_allclose(found.input_moments[0], moment, rtol=1e-6)
    np.testing.assert_allclose(found.input_means[0], mean, rtol=1e-6)


def test_tiles_balance_their_power(responses: tuple[TileResponse, ...]) -> None:
    assert max(response.imbalance for response in responses) < 1e-10


@pytest.mark.parametrize("architecture", [Architecture.ACTIVE_PARALLEL, Architecture.ACTIVE_SERIES])
def test_the_tensor_serves_all_tiles_of_a_shape(
    mapped: MappedNetwork, architecture: Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(CONFIG, architecture=architecture)
    exact = solve_tiles(mapped, config)
    in_full, calls = solve.solve_tile, []
    monkeypatch.setattr(solve, "solve_tile", lambda *tile: (calls.append(1), in_full(*tile))[1])
    found = solve_network(mapped, config, [None] * len(mapped.tiles))
    assert found.method is Method.TENSOR
    assert len(calls) == 1 + len({tile.states.shape for tile in mapped.tiles})
    for ours, theirs in zip(found.responses, exact, strict=True):
        # (R_xy / R_channel)^2 is 1e-6
        assert np.abs(ours.transfer - theirs.transfer).max() < 5e-6 * np.abs(theirs.transfer).max()
        assert ours.delivered == pytest.approx(theirs.delivered, rel=5e-6)
    place = [tile.name for tile in mapped.tiles].index(found.checked)
    off = np.abs(found.responses[place].transfer - exact[place].transfer).max()
    assert found.transfer_difference == pytest.approx(off / np.abs(exact[place].transfer).max())
    assert found.power_difference < 5e-6


def test_tiles_are_solved_in_full_where_the_tensor_does_not_serve(mapped: MappedNetwork) -> None:
    alike = [None] * len(mapped.tiles)
    spread = [
        draw_mismatch(tile.states.shape, np.random.default_rng(0), relative=0.01) for tile in mapped.tiles
    ]
    for config, mismatches, exact in (
        (CONFIG, alike, True),
        (CONFIG, spread, False),
        (replace(CONFIG, architecture=Architecture.RESISTIVE), alike, False),
    ):
        method, reason = solve.choose_solver(config, mismatches, exact=exact)
        assert method is Method.NODAL
        assert reason
    found = solve_network(mapped, CONFIG, spread)
    assert (
        found.responses[0].transfer.tolist()
        == solve_tiles(mapped, CONFIG, 1, None, spread)[0].transfer.tolist()
    )


def test_converters_with_mismatch_are_drawn_per_tile_and_shared_by_outputs(
    mapped: MappedNetwork, data: Dataset, responses: tuple[TileResponse, ...]
) -> None:
    transfers = [response.transfer for response in responses]
    rough = replace(READOUT, adc_mismatch=0.15, adc_outputs=4)
    first, again = (tile_maps(mapped, transfers, CONFIG, rough, seed=3) for _ in range(2))
    for tile, same in zip(first, again, strict=True):
        assert len(tile.converter_of) == len(tile.matrix)
        assert len({id(converter) for converter in tile.converter_of}) == -(-len(tile.matrix) // 4)
        np.testing.assert_array_equal(tile.converter_of[0].thresholds, same.converter_of[0].thresholds)
    assert max(np.abs(tile.converter_of[0].integral_nonlinearity()).max() for tile in first) > 0.5
    assert not tile_maps(mapped, transfers, CONFIG, READOUT)[0].converter_of
    worse = evaluate(mapped, transfers, CONFIG, rough, data).accuracy
    assert worse < evaluate(mapped, transfers, CONFIG, READOUT, data).accuracy


def test_every_tile_draws_its_own_converters_and_trim(
    mapped: MappedNetwork, responses: tuple[TileResponse, ...]
) -> None:
    """Numbers of the run's seed, of the tile, and of the part (1: ADCs, 2: DACs)."""
    rough = replace(READOUT, adc_mismatch=0.15, adc_outputs=4, dac_mismatch=0.1)
    random = np.random.default_rng(0)
    # errors that no gain removes, or the trim would be the same on any vectors
    transfers = [r.transfer * random.uniform(0.9, 1.1, r.transfer.shape) for r in responses]
    maps = tile_maps(mapped, transfers, CONFIG, rough, seed=3)
    for number, tile in enumerate(maps):
        random = np.random.default_rng([3, number, 1])
        drawn = [
            draw_converter(6, 0.15, random, ElementWeighting.BINARY) for _ in range(-(-len(tile.matrix) // 4))
        ]
        for output, converter in enumerate(tile.converter_of):
            np.testing.assert_array_equal(converter.thresholds, drawn[output // 4].thresholds)
        dacs = draw_row_dacs(
            tile.matrix.shape[1], 6, 0.1, np.random.default_rng([3, number, 2]), ElementWeighting.BINARY
        )
        assert tile.row_dacs is not None
        np.testing.assert_array_equal(tile.row_dacs.levels, dacs.levels)
        vectors = 0.5 * random_vectors(tile.matrix.shape[1], np.random.default_rng([3, number]))
        trim = calibrate_transfer(transfers[number], ideal_transfers(mapped, CONFIG)[number], vectors)
        # two reference columns follow those of the outputs
        offset = trim.offset[:-2] - (trim.offset[-2] + trim.offset[-1]) / 2
        np.testing.assert_allclose(tile.offset, offset, rtol=1e-9)


def test_dacs_with_mismatch_are_drawn_for_each_row_of_each_tile(
    mapped: MappedNetwork, data: Dataset, responses: tuple[TileResponse, ...]
) -> None:
    transfers = [response.transfer for response in responses]
    rough = replace(READOUT, dac_mismatch=0.15)
    maps, again = (tile_maps(mapped, transfers, CONFIG, rough, seed=3) for _ in range(2))
    for tile, same in zip(maps, again, strict=True):
        assert tile.row_dacs is not None
        assert same.row_dacs is not None
        assert tile.row_dacs.levels.shape == (tile.matrix.shape[1], 2**6)
        np.testing.assert_array_equal(tile.row_dacs.levels, same.row_dacs.levels)
    unit = conductance_per_weight(mapped, CONFIG)
    inputs = mapped.network.inputs(data.test_images[:20])
    outputs, scales, voltages = propagate(mapped, maps, unit, rough, inputs)
    # full scale of the first layer by hand: each tile's own DACs, its matrix, its trim
    currents = []
    for place in mapped.layer_tiles(0):
        tile, dacs = maps[place], maps[place].row_dacs
        assert dacs is not None
        driven = rough.v_full * dacs.convert(inputs[:, mapped.tiles[place].rows])
        currents.append(driven @ tile.matrix.T + tile.offset)
    assert scales.currents[0] == pytest.approx(np.quantile(np.abs(np.hstack(currents)), rough.quantile))
    ideal = propagate(mapped, tile_maps(mapped, transfers, CONFIG, READOUT, seed=3), unit, READOUT, inputs)
    np.testing.assert_array_equal(voltages[0], ideal[2][0])
    assert np.abs(outputs - ideal[0]).max() > 1e-3 * np.abs(outputs).max()
    assert tile_maps(mapped, transfers, CONFIG, READOUT)[0].row_dacs is None


def test_converters_without_mismatch_round() -> None:
    current = np.random.default_rng(0).uniform(-0.3, 0.3, (50, 2))
    ideal = draw_converter(5, 0.0, np.random.default_rng(0), ElementWeighting.BINARY)
    np.testing.assert_allclose(
        convert_output(current, 0.25, 5, (ideal, ideal)), convert_output(current, 0.25, 5), atol=1e-12
    )


def test_processes_give_the_same_tiles(mapped: MappedNetwork, responses: tuple[TileResponse, ...]) -> None:
    calls: list[tuple[int, int]] = []
    parallel = solve_tiles(mapped, CONFIG, 2, lambda done, total, _: calls.append((done, total)))
    for ours, theirs in zip(responses, parallel, strict=True):
        np.testing.assert_array_equal(ours.transfer, theirs.transfer)
    assert calls == [(number + 1, len(mapped.tiles)) for number in range(len(mapped.tiles))]


def test_energy_is_the_mean_of_solving_image_by_image(
    mapped: MappedNetwork, data: Dataset, responses: tuple[TileResponse, ...]
) -> None:
    """Sources and groups of every tile, solved for every first-layer input, against the second moments."""
    result = evaluate(mapped, [response.transfer for response in responses], CONFIG, READOUT, data)
    cost = inference_cost(mapped, responses, result, CONFIG, COSTS)
    voltages = 0.5 * np.round(data.test_images.reshape(400, -1) / np.float32(255) * 63) / 63
    source = cells = 0.0
    for place in mapped.layer_tiles(0):
        tile = mapped.tiles[place]
        solution = factor(crossbar(tile.states, CONFIG)).solve(voltages[:, tile.rows])
        source += float(solution.source_power.mean())
        cells += float(solution.power[Role.CELL].mean())
    layer = cost.layers[0]
    on = 1e-5 + 2e-6  # a read and its settling
    assert layer.cells == pytest.approx(on * cells, rel=1e-6, abs=0)
    amplifiers = on * 1.8e-4 * sum(mapped.tiles[place].states.size for place in mapped.layer_tiles(0))
    assert layer.amplifiers == pytest.approx(amplifiers, rel=1e-9, abs=0)
    assert layer.array == pytest.approx(on * source / 0.8, rel=1e-6, abs=0)


def test_counts_and_sums_of_the_cost(
    mapped: MappedNetwork, data: Dataset, responses: tuple[TileResponse, ...]
) -> None:
    result = evaluate(mapped, [response.transfer for response in responses], CONFIG, READOUT, data)
    cost = inference_cost(mapped, responses, result, CONFIG, COSTS)
    # 20 rows on 3 tiles and 9 outputs on 2 (at most 6 each, 2 references); 9 rows on 2 tiles, 3 outputs on 1
    assert [(work.dacs, work.adcs) for work in cost.work] == [(2 * 20, 3 * 9), (9, 2 * 3)]
    assert [(work.additions, work.scalings) for work in cost.work] == [(2 * 9 + 9, 9), (1 * 3 + 3, 3)]
    assert cost.latency == pytest.approx(2 * (1e-5 + 2e-6) + 4e-8 + 3e-8, rel=1e-12, abs=0)
    assert cost.energy.total == pytest.approx(sum(layer.total for layer in cost.layers), rel=1e-12, abs=0)
    assert cost.energy.adc == pytest.approx(33 * 4e-13, rel=1e-12, abs=0)
    # an amplifier in every cell: 20 rows of 13 columns and 9 rows of 5, references included
    assert cost.energy.amplifiers == pytest.approx((20 * 13 + 9 * 5) * 1.8e-4 * 12e-6, rel=1e-12, abs=0)


def test_a_resistive_array_has_no_amplifiers() -> None:
    card = load_periphery()
    assert part_costs(card, 6, 6, t_read=1e-6).t_read == 1e-6


def test_write_cost_counts_every_cell(mapped: MappedNetwork) -> None:
    energy, time = np.arange(6) * 1e-5, np.array([0.0, 2e-4, 2e-4, 2e-4, 2e-4, 2e-4])
    cost = write_cost(mapped, energy, time)
    index = np.concatenate([tile.level_index.ravel() for tile in mapped.tiles])
    assert cost.energy == pytest.approx(energy[index].sum(), rel=1e-12)
    assert cost.time_serial == pytest.approx(2e-4 * np.count_nonzero(index), rel=1e-12)
    assert cost.time_tiles_parallel == pytest.approx(
        2e-4 * max(np.count_nonzero(tile.level_index) for tile in mapped.tiles), rel=1e-12
    )


def test_sampled_reads_cover_the_layers(
    mapped: MappedNetwork, data: Dataset, responses: tuple[TileResponse, ...]
) -> None:
    transfers = [response.transfer for response in responses]
    reads = sample_reads(mapped, transfers, CONFIG, READOUT, data, tiles=4, vectors=3, seed=8)
    assert [mapped.tiles[place].layer for place, _ in reads] == [0, 1, 0, 1]
    for place, voltages in reads:
        assert voltages.shape == (3, len(mapped.tiles[place].states))
        assert 0 <= voltages.min() < voltages.max() <= 0.5
    again = sample_reads(mapped, transfers, CONFIG, READOUT, data, tiles=4, vectors=3, seed=8)
    assert all(
        ours[0] == theirs[0] and (ours[1] == theirs[1]).all()
        for ours, theirs in zip(reads, again, strict=True)
    )
    everything = sample_reads(mapped, transfers, CONFIG, READOUT, data, tiles=100, vectors=1)
    assert sorted(place for place, _ in everything) == list(range(len(mapped.tiles)))


def test_tiles_without_inputs_are_passed_over(
    mapped: MappedNetwork, data: Dataset, responses: tuple[TileResponse, ...]
) -> None:
    """Rows 0..7 of the first layer, which the first tile of each column has, are dark in all test images."""
    transfers = [response.transfer for response in responses]
    dark = data.test_images.copy()
    dark.reshape(len(dark), -1)[:, :8] = 0
    changed = replace(data, test_images=dark)
    reads = sample_reads(mapped, transfers, CONFIG, READOUT, changed, tiles=100, vectors=3, seed=8)
    silent = {place for place, tile in enumerate(mapped.tiles) if tile.layer == 0 and tile.rows.start == 0}
    assert len(silent) == 2
    assert {place for place, _ in reads} == set(range(len(mapped.tiles))) - silent
    for place, voltages in reads:
        assert voltages.shape == (3, len(mapped.tiles[place].states))
        assert voltages.any()
    # as many tiles as wanted, although silent ones are among the first
    assert len(sample_reads(mapped, transfers, CONFIG, READOUT, changed, tiles=3, vectors=3, seed=8)) == 3


def test_other_images_are_drawn_where_no_tile_has_inputs(
    mapped: MappedNetwork, data: Dataset, responses: tuple[TileResponse, ...]
) -> None:
    transfers = [response.transfer for response in responses]
    first = replace(mapped, network=replace(mapped.network, layers=mapped.network.layers[:1]))
    first = replace(first, tiles=tuple(tile for tile in mapped.tiles if tile.layer == 0))
    own = transfers[: len(first.tiles)]
    chosen = np.random.default_rng(8).choice(len(data.test_images), 2, replace=False)
    dark = data.test_images.copy()
    dark[chosen] = 0
    some = replace(data, test_images=dark)
    reads = sample_reads(first, own, CONFIG, READOUT, some, tiles=2, vectors=2, seed=8)
    assert [voltages.any(axis=1).tolist() for _, voltages in reads] == [[True, True], [True, True]]
    none = replace(data, test_images=np.zeros_like(dark))
    assert sample_reads(first, own, CONFIG, READOUT, none, tiles=2, vectors=2, seed=8) == []


def test_pairs_work_as_well() -> None:
    mapped = mapped_network("differential")
    data = labelled(mapped)
    transfers = [response.transfer for response in solve_tiles(mapped, CONFIG)]
    assert evaluate(mapped, transfers, CONFIG, READOUT, data).accuracy > 0.9


@pytest.mark.parametrize(
    ("changes", "what"),
    [({"v_full": 0.0}, "v_full"), ({"adc_bits": 0}, "adc_bits = 0"), ({"quantile": 0.2}, "quantile")],
)
def test_wrong_readouts(changes: dict[str, float], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        Readout(**{"v_full": 0.5, **changes})  # type: ignore[arg-type]


def test_digital_multipliers_and_area_count_what_is_there() -> None:
    mapped = mapped_network()
    digital = digital_cost(mapped.network, multiply=2e-13, add=1e-13)
    assert digital.multiplications == 20 * 9 + 9 * 3
    assert digital.energy == pytest.approx(207 * 3e-13, rel=1e-9, abs=0)
    card = load_periphery()
    found = areas(mapped, card, dac_bits=6, adc_bits=6)
    assert sum(layer["cells"] for layer in found) == pytest.approx(mapped.cells * 2.5e-9, rel=1e-9, abs=0)
    # 20 rows on three tiles, 9 outputs on two with two reference columns each
    assert found[0]["cells"] == pytest.approx(20 * (9 + 2 * 2) * 2.5e-9, rel=1e-9, abs=0)
    tiles = [mapped.tiles[place] for place in mapped.layer_tiles(0)]
    assert found[0]["drivers"] == pytest.approx(
        sum(len(tile.states) for tile in tiles) * 5e-9, rel=1e-9, abs=0
    )
    # a sense for every column, those of the references, too: 9 outputs and 4 on each of the three groups of rows
    assert [layer["sense"] for layer in found] == pytest.approx(
        [3 * 13 * 2.5e-9, 2 * 5 * 2.5e-9], rel=1e-9, abs=0
    )
    assert found[0]["adc"] == pytest.approx(
        len(tiles) * 300e-12, abs=0
    )  # no more than eight outputs on any of them
    finer = areas(mapped, card, dac_bits=6, adc_bits=8)
    assert finer[0]["adc"] == pytest.approx(4 * found[0]["adc"], rel=1e-9, abs=0)
