"""The Python binding of ngspice's shared library: PySpice, or InSpice, the fork that is maintained."""

from __future__ import annotations

import importlib
import importlib.metadata
import warnings
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

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

    def simulator(self, circuit: Any, engine: Any, **settings: float) -> Any:
        """The package's object that simulates a circuit of its own in `engine`, with its settings.

        Raises
        ------
        TypeError
            When the circuit is of another package.
        """
        package = type(circuit).__module__.partition(".")[0]
        if package in BINDINGS and package != self.name:
            raise TypeError(f"a circuit of {package}, where {self.name} drives ngspice: write it with that")
        if self.name == "PySpice":
            return circuit.simulator(simulator="ngspice-shared", ngspice_shared=engine, **settings)
        factory = importlib.import_module(f"{self.name}.Spice.Simulator").Simulator.factory
        return factory(simulator="ngspice-shared", ngspice_shared=engine).simulation(circuit, **settings)


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


def binding_version() -> dict[str, str]:
    """Name and version of the binding that is used; nothing when there is none."""
    try:
        found = find_binding()
    except ImportError:
        return {}
    return {found.name: found.version}
