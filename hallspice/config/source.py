"""Where a configuration comes from: a file, plain data, or an object."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from compact_model.cards.document import Document, read_document, validate
from hallspice.config.schema import Config
from nn_mapping.data import SOURCES

AnyConfig = str | Path | Mapping[str, Any] | Config
"""A YAML file, the same keys and values as a dict, or a `Config`."""

FILES = (
    *(("device", "card"), ("array", "periphery"), ("write", "select")),
    *(("network", "dataset"), ("network", "module"), ("network", "weights")),
)
"""Keys that may name a file."""

OBJECT = "configuration"
"""Name of a configuration that is no file, in messages and results."""


def document_of(config: AnyConfig) -> Document:
    """The keys and values of a configuration; files that it names are looked for in the folder of `Document.name`.

    Examples
    --------
    >>> document_of({"array": {"rows": np.int64(32), "wire": {"r_row": "10 mohm"}}}).data
    {'array': {'rows': 32, 'wire': {'r_row': '10 mohm'}}}
    """
    return read_document(config) if isinstance(config, (str, Path)) else Document(OBJECT, _plain(config))


def load_config(path: str | Path) -> Config:
    """Read a configuration file, keys and ranges checked; paths of files become relative to the working folder.

    Raises
    ------
    DocumentError
        With every mistake and its line.

    Examples
    --------
    >>> load_config("examples/compare.yaml").array.rows
    8
    """
    config, folder = validate(read_document(path), Config), Path(path).parent
    for section, key in FILES:
        keys = getattr(config, section)
        name, *function = (getattr(keys, key) or "").rsplit(":", 1 if key == "module" else 0)
        if name and name not in SOURCES and (folder / name).exists():
            moved = keys.model_copy(update={key: ":".join([str(folder / name), *function])})
            config = config.model_copy(update={section: moved})
    return config


def _plain(value: object) -> Any:
    """Data of the kinds that a YAML file has."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_unset=True)
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value
