"""A torch network of one's own: a function in a Python file that makes it, and a file of its weights."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nn_mapping.data import Dataset
from nn_mapping.examples import Examples


def own_network(file: Path, name: str, weights: Path, seed: int = 0) -> nn.Module:
    """The network that a function makes, with its trained weights, in evaluation mode.

    The file is run as any Python program is; the weights are read without running anything (``weights_only``).

    Parameters
    ----------
    file, name
        Python file and the function in it, which takes no arguments and returns a `torch.nn.Module`.
    weights
        What ``torch.save(network.state_dict(), FILE)`` has written.
    seed
        Of what the function draws.

    Raises
    ------
    ValueError
        When the function is not there, fails or returns something else, and for weights that are not those of the
        network.
    """
    torch.manual_seed(seed)
    network = _made(file, name)
    state = _read(weights)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:  # torch names every weight that is missing, too much, or of another shape
        raise ValueError(f"{weights}: not the weights of what {file}:{name} makes: {error}") from None
    return network.eval()


def check_outputs(network: nn.Module, dataset: Dataset, where: str) -> None:
    """ValueError for a network that doesn't give a number for every class of the first two test images."""
    inputs = Examples.of(dataset.head(1, 2)).inputs
    try:
        with torch.no_grad():
            outputs = network(inputs)
    except Exception as error:  # the network is the user's code
        raise ValueError(
            f"{where} on inputs of shape {tuple(inputs.shape)}: {type(error).__name__}: {error}"
        ) from error
    wanted = (len(inputs), dataset.classes)
    found = tuple(outputs.shape) if isinstance(outputs, torch.Tensor) else type(outputs).__name__
    if found != wanted:
        raise ValueError(
            f"{where} gives {found} on inputs of shape {tuple(inputs.shape)}, expected a tensor of shape {wanted}: a "
            f"number for each of the {dataset.classes} classes of {dataset.name}"
        )


def _made(file: Path, name: str) -> nn.Module:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.parent.absolute()))  # what stands beside it may be imported
    try:
        spec.loader.exec_module(module)
        make = getattr(module, name, None)
        if not callable(make):
            known = ", ".join(key for key, value in vars(module).items() if callable(value) and key[0] != "_")
            raise ValueError(f"no function {name!r} in it, it has: {known or 'none'}")
        network = make()
        if not isinstance(network, nn.Module):
            raise ValueError(f"{name} returns {type(network).__name__}, expected a torch.nn.Module")
    except (Exception, SystemExit) as error:  # the file is the user's code
        what = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
        raise ValueError(f"{file}: {what}") from error
    finally:
        sys.path.remove(str(file.parent.absolute()))
    return network


def _read(weights: Path) -> dict[str, Any]:
    try:
        state = torch.load(weights, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file fails anywhere inside zipfile and torch
        what = next(iter(str(error).splitlines()), type(error).__name__)
        raise ValueError(
            f"{weights}: not readable as weights alone: {what}; `torch.save(network.state_dict(), FILE)` writes one"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(part, torch.Tensor) for part in state.values()):
        shown = ", ".join(map(str, state)) if isinstance(state, dict) else type(state).__name__
        raise ValueError(f"{weights}: holds {shown}; expected the tensors of `network.state_dict()` by name")
    return state
