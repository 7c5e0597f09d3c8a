"""The public names of a package, imported when they are first asked for: they are many, and some are slow to import.

What a package offers is written once, in its ``__init__.pyi``: type checkers and editors read that file as it stands,
the package itself through `lazily`. This module imports nothing that is slow.
"""

from __future__ import annotations

import sys
from importlib import import_module

TYPE_CHECKING = False  # for type checkers it is True; `typing` takes longer than all the rest here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def lazily(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """``__getattr__``, ``__dir__`` and ``__all__`` of a package (PEP 562), after the stub beside its ``__init__.py``.

    Parameters
    ----------
    package
        Its ``__name__``. Lines of the stub are ``from .module import name as name``, or ``from . import module as
        module``.

    Examples
    --------
    >>> import compact_model
    >>> "load_card" in dir(compact_model)
    True
    >>> compact_model.load_card().name
    'pt_ruo2_0p5'
    """
    homes = {}
    with open(f"{sys.modules[package].__file__}i", encoding="utf-8") as stub:  # noqa: PTH123 - pathlib is slow to import
        for line in stub:
            _, home, _, name, *_ = line.split()
            homes[name] = home
    names = sorted(homes)

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if homes[name] == ".":
            return import_module(f".{name}", package)
        found = getattr(import_module(homes[name], package), name)
        setattr(sys.modules[package], name, found)
        return found

    def shown() -> list[str]:
        return sorted({*names, *vars(sys.modules[package])})

    return get, shown, names
