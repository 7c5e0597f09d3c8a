"""The Python binding of ngspice's shared library: PySpice, or InSpice, the fork that is maintained."""

from __future__ import annotations

import importlib
import importlib.metadata
import warnings
from dataclasses import dataclass
from functools import cache
from types import ModuleType

BINDINGS = ("PySpice", "InSpice")
"""Packages that will do, the first that can be imported is used."""


@dataclass(frozen=True, slots=True)
class Binding:
    """The package that is used.

    Attributes
    ----------
    name, version
        As installed.
    shared, netlist
        Its modules that drive the shared library, and that write circuits.
    """

    name: str
    version: str
    shared: ModuleType
    netlist: ModuleType


@cache
def find_binding() -> Binding:
    """The first of `BINDINGS` that can be imported.

    Raises
    ------
    ImportError
        When there is none; it says why for each.
    """
    reasons = []
    for name in BINDINGS:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # PySpice 1.5 is older than this Python
                shared, netlist = (
                    importlib.import_module(f"{name}.Spice.{part}") for part in ("NgSpice.Shared", "Netlist")
                )
            return Binding(name, importlib.metadata.version(name), shared, netlist)
        except Exception as error:  # made for another Python, it can fail in any way
            reasons.append(f"{name}: {error}")
    raise ImportError("; ".join(reasons))
