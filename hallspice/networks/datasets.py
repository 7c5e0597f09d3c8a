"""The data set of a configuration: a shipped one, or files of one's own."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from compact_model.cards.document import dotted
from hallspice.config.contradictions import unfit
from hallspice.config.setup import Setup
from nn_mapping.data import Dataset, load_dataset
from nn_mapping.own_data import read_dataset


def dataset_of(setup: Setup, data_dir: Path | None = None) -> Dataset:
    """The data set that a configuration names, as inputs of its network.

    Parameters
    ----------
    setup
        Its files are looked for beside the configuration.
    data_dir
        Folder of the files of a set that is known by name; None: where it is installed, or from the internet.

    Raises
    ------
    ValueError
        For files that are missing or wrong, and a network that doesn't fit them.
    """
    network, own = setup.config.network, setup.own_data
    if own is not None and data_dir is not None:
        raise ValueError(f"--data-dir {data_dir}: network.dataset = {own} names its files itself")
    found = _loaded(network.dataset, data_dir) if own is None else _read(own, _written(own))
    standardised = network.inputs == "standardised"
    if setup.own_module is not None:
        return found.as_floats(standardised=standardised)
    found = found.as_bytes(standardised=standardised)
    wrong = [
        f"{setup.source} {dotted(keys[0])}: {what}"
        for keys, what in unfit(network, found.image, found.classes)
    ]
    if wrong:
        raise ValueError("\n".join(wrong))
    return found


def own_content(setup: Setup) -> list[str]:
    """Hashes of the files that a configuration names: what its results depend on beside its own text."""
    files = [] if setup.own_data is None else [setup.own_data]
    if setup.own_module is not None:
        files += [setup.own_module[0], setup.own_weights]
    return [_digest(file, _written(file)) for file in files]


Written = tuple[tuple[Path, int], ...]
"""Files and when they were written last [ns]: what has not changed is read once, for all points of a sweep."""


def _written(path: Path) -> Written:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return tuple((file, file.stat().st_mtime_ns) for file in files if file.is_file())


@lru_cache(maxsize=1)
def _loaded(name: str, data_dir: Path | None) -> Dataset:
    return load_dataset(name, data_dir)


@lru_cache(maxsize=1)
def _read(path: Path, _written: Written) -> Dataset:
    return read_dataset(path)


@lru_cache(maxsize=8)
def _digest(path: Path, written: Written) -> str:
    digest = hashlib.sha256()
    for file, _ in written:
        digest.update(f"{file.relative_to(path)}\0".encode() + file.read_bytes())
    return digest.hexdigest()
