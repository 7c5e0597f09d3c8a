"""The network of a configuration: trained here, read from the file of an earlier training, or one's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from hallspice.config.contradictions import layers_of
from hallspice.config.setup import Setup
from hallspice.networks.kept import Networks, level_set_of, make_networks
from hallspice.networks.own_network import check_outputs, own_network
from hallspice.progress import Reporter
from nn_mapping.accuracy import accuracy_of
from nn_mapping.data import Dataset
from nn_mapping.examples import Examples
from nn_mapping.layer_shapes import shapes
from nn_mapping.levels import LevelSet
from nn_mapping.trained import TrainedNetwork, load_network


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A network that is put on arrays, and what is known about it."""

    name: str
    """Its sizes, or where it is from."""
    model: nn.Module
    levels: LevelSet
    """Weights that its synapses hold, where no layer has others."""
    dataset: Dataset
    examples: Examples
    float_accuracy: float | None = None
    """Of float weights, digitally; None where there are none to compare with."""
    network: TrainedNetwork | None = None
    """The same as a file holds it; None for one's own."""
    networks: Networks | None = None
    """How it was trained; None where it was not trained here."""


def subject_of(
    setup: Setup,
    dataset: Dataset,
    progress: Reporter,
    network_file: Path | None = None,
    *,
    with_float: bool = True,
) -> Subject:
    """The network that a configuration names, or that of a file.

    Parameters
    ----------
    setup
        The configuration.
    dataset
        Its data.
    progress
        Told about trainings.
    network_file
        ``network.npz`` of an earlier training; None: what the configuration says.
    with_float
        Whether a network that is trained here is compared with one of float weights.

    Raises
    ------
    ValueError
        For a network that doesn't fit the configuration or its data.
    """
    if setup.own_module is not None:
        if network_file is not None:
            raise ValueError(
                f"--network {network_file}: {setup.source} names a network in network.module already"
            )
        return _own(setup, dataset)
    networks = None
    if network_file is None:
        networks = make_networks(setup, dataset, progress, with_float=with_float)
        network, levels = networks.level_network, networks.levels
    else:
        levels = level_set_of(setup)
        network = _read(network_file, setup, dataset, levels)
    floating = networks.float_network if networks is not None and with_float else None
    return Subject(
        name=" - ".join(map(str, network.sizes)),
        model=network.model(),
        levels=levels,
        dataset=dataset,
        examples=Examples.of(dataset, network.input_bits),
        float_accuracy=None
        if floating is None
        else floating.accuracy(dataset.test_images, dataset.test_labels),
        network=network,
        networks=networks,
    )


def _own(setup: Setup, dataset: Dataset) -> Subject:
    assert setup.own_module is not None
    file, function = setup.own_module
    weights = setup.own_weights
    model = own_network(file, function, weights, setup.config.seed)
    check_outputs(model, dataset, f"{file}:{function}")
    examples = Examples.of(dataset)
    return Subject(
        name=f"{file.name}:{function}, weights of {weights.name}",
        model=model,
        levels=level_set_of(setup),
        dataset=dataset,
        examples=examples,
        float_accuracy=accuracy_of(model, examples),
    )


def _read(file: Path, setup: Setup, dataset: Dataset, levels: LevelSet) -> TrainedNetwork:
    """The network of a file, which has to be one that the configuration would train."""
    network = load_network(file)
    wanted = shapes(layers_of(setup.config.network), *dataset.image)
    if [(*layer.shape, layer.window) for layer in network.layers] != [
        (shape.outputs, shape.inputs, shape.window) for shape in wanted
    ]:
        sizes = [wanted[0].inputs, *(shape.outputs for shape in wanted)]
        raise ValueError(
            f"{file}: a network of {_listed(network.sizes)}, {setup.source} says {_listed(sizes)} "
            "(inputs of the first product, outputs of each layer) and how convolutions read: change network.layers and "
            "network.convolutions, or take another file"
        )
    try:
        network.check_levels(levels)
    except ValueError as error:
        raise ValueError(f"{file}: {error}: change device.levels, network.scheme or r_reference") from None
    return network


def _listed(sizes: tuple[int, ...] | list[int]) -> str:
    return " - ".join(map(str, sizes))
