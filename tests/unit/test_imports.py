"""Imports point one way: compact_model <- veriloga <- circuits <- nn_mapping <- hallspice."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ORDER = ("compact_model", "veriloga", "circuits", "nn_mapping", "hallspice")
USERS_OF = {  # libraries that only some packages may know
    "PySpice": {"circuits"},
    "torch": {"nn_mapping", "hallspice"},
}


def imported_packages(source: str, package: str) -> Iterator[tuple[int, str]]:
    """Line and top-level package of every import in `source`, at any depth, of a module of `package`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name.partition(".")[0]
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, package if node.level else (node.module or "").partition(".")[0]


def forbidden_imports(source: str, package: str) -> list[tuple[int, str]]:
    """The imports in `source` that a module of `package` may not have."""
    later = ORDER[ORDER.index(package) + 1 :]
    return [
        (line, name)
        for line, name in imported_packages(source, package)
        if name in later or package not in USERS_OF.get(name, {package})
    ]


@pytest.mark.parametrize("package", ORDER)
def test_import_direction(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    found = [
        f"{file.relative_to(ROOT)}:{line}: {package} must not import {name}"
        for file in files
        for line, name in forbidden_imports(file.read_text("utf-8"), package)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("source", "package", "expected"),
    [
        ("import circuits.nodal", "compact_model", [(1, "circuits")]),
        ("def f():\n    from hallspice.config import Config", "nn_mapping", [(2, "hallspice")]),
        ("from PySpice.Spice.NgSpice.Shared import NgSpiceShared", "hallspice", [(1, "PySpice")]),
        ("import numpy, torch.nn as nn", "circuits", [(1, "torch")]),
        ("from . import torch", "circuits", []),
        ("import torch", "nn_mapping", []),
        ("from compact_model import card", "hallspice", []),
    ],
)
def test_a_forbidden_import_is_seen(source: str, package: str, expected: list[tuple[int, str]]) -> None:
    assert forbidden_imports(source, package) == expected
