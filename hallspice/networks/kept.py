"""Trained networks, kept so that the same training is never done twice."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pooch
from filelock import FileLock, Timeout

from circuits.read.converter import ElementWeighting
from compact_model.numeric import Floats
from hallspice.config.contradictions import layers_of
from hallspice.config.network_keys import Layer
from hallspice.config.setup import Setup
from hallspice.networks import sources
from hallspice.progress import Reporter
from nn_mapping.analog.chip_design import Chip, LayerOptions
from nn_mapping.circuit_layer import circuit_products
from nn_mapping.column_readout import Readout
from nn_mapping.data import Dataset
from nn_mapping.layer_shapes import Convolution
from nn_mapping.levels import LevelSet, level_set, single_levels, sliced_levels
from nn_mapping.mapping import resistive_states
from nn_mapping.recipes import GOOD, GOOD_CLOTHES, LITERAL, PAPER, Recipe
from nn_mapping.trained import TrainedNetwork, load_network
from nn_mapping.training import train, training_device

CIRCUIT_RATE = 3e-3
"""Learning rate at the begin of further training through the circuit."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """What a network is trained through: the network to begin with, and its arrays."""

    network: TrainedNetwork
    chip: Chip


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """The networks of a configuration, and whether they were reused."""

    levels: LevelSet
    float_network: TrainedNetwork
    ideal_network: TrainedNetwork
    """On the levels of the device, trained without the circuit."""
    level_network: TrainedNetwork
    """The network that is used: trained further through the circuit when the configuration says so."""
    recipe: Recipe
    reused: bool


def recipe_of(setup: Setup) -> Recipe:
    """How the configuration trains its networks on levels."""
    network = setup.config.network
    good = GOOD_CLOTHES if network.dataset == "fashion-mnist" else GOOD
    base = {"good": good, "paper": PAPER, "literal": LITERAL}[network.recipe]
    slices = np.array(network.weight_slices)
    cells = 2 if network.scheme == "differential" else 1
    shares = np.linalg.norm(slices) / slices.sum() / np.sqrt(cells)  # of a cell's noise in a weight
    return dataclasses.replace(
        base,
        epochs=network.epochs,
        batch=network.batch_size,
        input_bits=min(setup.config.array.converters.dac_bits, 8),  # a pixel has 8 bits
        weight_noise=network.weight_noise * float(shares),
        bfloat16=network.products == "bfloat16",
    )


def level_set_of(setup: Setup, layer: Layer | None = None) -> LevelSet:
    """Weights that the device's levels make in the configured scheme and slices, or in those of a layer."""
    network, ohm = setup.config.network, setup.levels_ohm
    scheme = network.scheme if layer is None or layer.scheme is None else layer.scheme
    if layer is not None and layer.levels is not None:
        ohm = ohm[np.sort(layer.levels)]
    if scheme == "binary":
        found = single_levels(ohm[[0, -1]])
    else:
        middle = network.r_reference == "middle" or scheme == "differential"
        found = level_set(scheme, ohm, None if middle else float(network.r_reference))
    slices = network.weight_slices if layer is None or layer.weight_slices is None else layer.weight_slices
    return sliced_levels(found, slices) if len(slices) > 1 else found


def states_of(setup: Setup, levels: LevelSet) -> Floats | None:
    """Resistances [Ohm] of two-terminal cells on these levels; None for Hall cells, whose state is the level."""
    if setup.array.architecture.hall:
        return None
    cell = setup.config.array.cell
    every = resistive_states(setup.levels_ohm, cell.r_low, cell.r_high)
    return every[np.searchsorted(setup.levels_ohm, levels.levels_ohm)]


def layer_options(setup: Setup) -> dict[str, LayerOptions]:
    """What the configuration says about single layers.

    Raises
    ------
    ValueError
        For levels that the reference of the weights lies outside of.
    """
    found = {}
    for pattern, layer in setup.config.layers.items():
        levels = states = None
        if any(own is not None for own in (layer.levels, layer.scheme, layer.weight_slices)):
            try:
                levels = level_set_of(setup, layer)
            except ValueError as error:
                raise ValueError(f"{setup.source} layers.{pattern}.levels: {error}") from None
            states = states_of(setup, levels)
        found[pattern] = LayerOptions(
            tile=layer.tile,
            bits=layer.bits,
            input_slice_bits=layer.input_slice_bits,
            level_set=levels,
            state_ohm=states,
            digital=layer.digital,
        )
    return found


def readout_of(setup: Setup) -> Readout:
    """Converters and calibration of the configuration."""
    array = setup.config.array
    return Readout(
        v_full=setup.v_full,
        dac_bits=array.converters.dac_bits,
        adc_bits=array.converters.adc_bits,
        quantile=array.converters.quantile,
        adc_full=array.converters.adc_full,
        trim=array.calibration == "column",
        dac_mismatch=array.converters.dac_mismatch,
        dac_ladder=ElementWeighting(array.converters.dac_ladder),
        adc_mismatch=array.converters.adc_mismatch,
        adc_ladder=ElementWeighting(array.converters.adc_ladder),
        adc_outputs=round(setup.periphery.adc.columns.value),
    )


def chip_of(setup: Setup, levels: LevelSet) -> Chip:
    """Arrays and converters of the configuration, without mismatch of cells; a built-in network has inputs in 0..1."""
    array, layers = setup.config.array, layer_options(setup)
    if setup.own_module is None:
        layers["layer1"] = dataclasses.replace(layers.get("layer1", LayerOptions()), input_full=1.0)
    return Chip(
        config=setup.array,
        level_set=levels,
        readout=readout_of(setup),
        input_slice_bits=array.converters.input_slice_bits,
        tile=(array.rows, array.columns),
        state_ohm=states_of(setup, levels),
        seed=setup.config.seed,
        layers=layers,
    )


def make_networks(setup: Setup, dataset: Dataset, progress: Reporter, *, with_float: bool = True) -> Networks:
    """Train what the configuration asks for, or take it from an earlier run."""
    network = setup.config.network
    if network.in_situ.updates:
        raise ValueError(
            "network.in_situ.updates: cells pulsed in training hold any state, not the levels of the device; "
            "`hallspice train` makes such networks and states their accuracy, nothing else takes them"
        )
    levels, recipe, layers = level_set_of(setup), recipe_of(setup), layers_of(network)
    kept = []

    def make(
        name: str,
        weights: npt.NDArray[np.float64] | None,
        how: Recipe,
        through: Circuit | None = None,
        *,
        wait: bool = True,
    ) -> TrainedNetwork:
        device = training_device("auto" if through else network.device, through_circuit=through is not None)
        one, reused = trained(
            dataset,
            layers,
            weights,
            how,
            setup.config.seed,
            progress,
            name,
            through,
            device=device,
            wait=wait,
        )
        if reused:
            progress.say(f"The {name} network is reused: nothing that it depends on has changed.")
        kept.append(reused)
        return one

    def make_float() -> TrainedNetwork:
        # as the data are: nothing of the circuit, so that it is the same for all circuits
        return make("float", None, dataclasses.replace(recipe, weight_noise=0.0, input_bits=None))

    floating = None
    try:
        ideal = make("levels", levels.weights, recipe, wait=not with_float)
    except Timeout:  # another process trains it now: the network with float weights meanwhile
        floating = make_float()
        ideal = make("levels", levels.weights, recipe)
    used = ideal
    if network.circuit_epochs:
        further = dataclasses.replace(
            recipe,
            name=f"{recipe.name}, circuit",
            epochs=network.circuit_epochs,
            learning_rate=CIRCUIT_RATE,
            bfloat16=False,
        )
        circuit = Circuit(network=ideal, chip=chip_of(setup, levels))
        used = make("circuit", levels.weights, further, circuit)
    if floating is None:
        floating = make_float() if with_float else ideal
    return Networks(
        levels=levels,
        float_network=floating,
        ideal_network=ideal,
        level_network=used,
        recipe=recipe,
        reused=all(kept),
    )


def cache_folder() -> Path:
    """Where trained networks are kept: ``HALLSPICE_CACHE``, or the user's cache folder."""
    return Path(os.environ.get("HALLSPICE_CACHE") or pooch.os_cache("hallspice")) / "networks"


def trained(
    dataset: Dataset,
    layers: Sequence[int | Convolution],
    levels: npt.NDArray[np.float64] | None,
    recipe: Recipe,
    seed: int,
    progress: Reporter,
    name: str,
    through: Circuit | None = None,
    *,
    device: str = "cpu",
    wait: bool = True,
) -> tuple[TrainedNetwork, bool]:
    """The network that this training gives, and whether it was reused from an earlier run.

    A kept network is reused when data, layers, levels, recipe, seed, device, torch and the circuit that it is trained
    through are the same, and the text of every file that the training imports. An interrupted training goes on after
    its last whole epoch, and gives the same network as one without a stop. Of several processes that need the same
    training, one does it and the others wait for it; without `wait`, `filelock.Timeout` is raised while another
    process is at it.
    """
    path = cache_folder() / f"{_fingerprint(dataset, layers, levels, recipe, seed, through, device)}.npz"
    if (kept := _kept(path)) is not None:
        return kept, True
    with _locked(path, wait=wait):
        if (kept := _kept(path)) is not None:
            return kept, True
        checkpoint = _checkpoint(path)
        if checkpoint is not None and checkpoint.exists():
            progress.say(f"The training of the {name} network goes on where it was interrupted.")
        network = train(
            dataset,
            layers,
            levels,
            recipe,
            seed,
            lambda done, total, message: progress(done, total, f"training {name}: {message}"),
            start=None if through is None else through.network,
            products=None if through is None else circuit_products(through.network, through.chip),
            checkpoint=checkpoint,
            device=device,
        )
        try:
            network.save(path)
        except OSError as error:
            log.warning("the trained network could not be kept in %s: %s", path.parent, error)
    return network, False


def _kept(path: Path) -> TrainedNetwork | None:
    try:
        return load_network(path)
    except OSError:
        return None
    except ValueError as error:
        log.warning("%s is damaged and not used: %s", path, error)
        return None


def lock_of(path: Path) -> FileLock:
    """Held by the process that makes `path`; the system releases it when that process ends, however it ends."""
    return FileLock(path.with_suffix(".lock"))


@contextlib.contextmanager
def _locked(path: Path, *, wait: bool) -> Iterator[None]:
    """Alone with `path`; where the folder can't be written, nothing is shared and nothing is locked."""
    lock = lock_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=wait)
    except Timeout:
        raise
    except OSError as error:
        log.warning("%s cannot be written, so that the training is not shared: %s", path.parent, error)
    try:
        yield
    finally:
        lock.release()


def _checkpoint(path: Path) -> Path | None:
    """Where the training of the network `path` keeps its state; None where the folder can't be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return path.with_suffix(".checkpoint") if os.access(path.parent, os.W_OK) else None


def _fingerprint(
    dataset: Dataset,
    layers: Sequence[int | Convolution],
    levels: npt.NDArray[np.float64] | None,
    recipe: Recipe,
    seed: int,
    through: Circuit | None,
    device: str,
) -> str:
    from importlib.metadata import version

    digest = hashlib.sha256()
    settings = {
        "dataset": dataset.digest,
        "layers": [size if isinstance(size, int) else dataclasses.asdict(size) for size in layers],
        "levels": None if levels is None else levels.tolist(),
        "recipe": dataclasses.asdict(recipe),
        "seed": seed,
        "torch": version("torch"),
    }
    if device != "cpu":
        settings["device"] = device
    modules = ["nn_mapping.training"]
    if through is not None:
        chip = through.chip
        settings["array"] = dataclasses.asdict(chip.config)
        settings["slices"] = chip.level_set.shares.tolist()
        settings["states"] = chip.states.tolist()
        names = [f"layer{number}" for number, _ in enumerate(through.network.layers, start=1)]
        settings["on arrays"] = [
            None if chip.digital(name) else _reads(chip.of_layer(name)) for name in names
        ]
        modules.append("nn_mapping.circuit_layer")
        for layer in through.network.layers:
            digest.update(layer.weights.tobytes() + layer.gain.tobytes() + layer.offset.tobytes())
    digest.update(json.dumps(settings, sort_keys=True).encode())
    digest.update(sources.source_digest(tuple(modules), sources.ROOT).encode())
    return digest.hexdigest()[:32]


def _reads(chip: Chip) -> list[object]:
    """What decides how a layer is cut into tiles and read, beside the array."""
    return [list(chip.tile), dataclasses.asdict(chip.readout), chip.input_slice_bits, chip.input_full]
