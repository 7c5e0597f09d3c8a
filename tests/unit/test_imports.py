"""The house in order: imports point one way, between the packages and inside them, and nothing grows too large."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain, groupby
from pathlib import Path

import pytest

from hallspice.networks.sources import sources_of

ROOT = Path(__file__).parents[2]
ORDER = ("compact_model", "veriloga", "circuits", "nn_mapping", "hallspice")
USERS_OF = {  # libraries that only some packages may know
    "PySpice": {"circuits"},
    "torch": {"nn_mapping", "hallspice"},
}

RUNGS = {  # rooms of a package; a room may import those of lower rungs alone
    "compact_model": (
        ("numeric", "constants", "lazy"),
        ("cards",),
        ("physics",),
        ("measured", "published"),
        ("fit",),
    ),
    "circuits": (
        ("network", "periphery", "threads", "workers", "memory"),
        ("builder",),
        ("arrays",),
        ("solve",),
        ("spice",),
        ("read",),
        ("write",),
    ),
    "hallspice": (
        ("files", "progress", "page", "config"),
        ("results",),
        ("array", "characterisation", "fitting", "model"),
        ("programming", "comparison"),
        ("networks",),
        ("inference",),
        ("sweeps", "paper"),
        ("result_schemas", "commands", "doctor"),
        ("cli",),
    ),
}
PHYSICS = "physics"
"""Room of all modules in the root of `compact_model` that have no rung of their own."""

IMPORTS_WHEN_CALLED = {  # modules of which functions import our own modules, and why
    "hallspice/cli": "help is quick, and a command loads what it needs alone",
    "hallspice/commands.py": "help is quick",
    "hallspice/doctor.py": "it runs where a library is missing",
    "hallspice/sweeps/executors.py": "a worker process imports it first and may be interrupted from then on",
}

ROLES = {"__init__.py", "page.py", "figures.py", "results.py"}
"""File names that every room may have."""

LINES_OF_A_FILE, LINES_OF_A_FUNCTION, ENTRIES_OF_A_TABLE = 550, 80, 10


@dataclass(frozen=True)
class Import:
    """One import of one of our modules by another."""

    line: int
    module: str
    in_function: bool


@cache
def modules() -> dict[str, Path]:
    """Every module of the packages by its dotted name."""
    files = chain.from_iterable(sorted((ROOT / package).rglob("*.py")) for package in ORDER)
    return {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in files}


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))


def imports(source: ast.AST, known: frozenset[str], *, in_function: bool = False) -> Iterator[Import]:
    """Imports of known modules, at any depth; the name that is imported may be a module itself."""
    for node in ast.iter_child_nodes(source):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        yield from (Import(node.lineno, name, in_function) for name in names if name in known)
        inside = in_function or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        yield from imports(node, known, in_function=inside)


@cache
def imports_of(module: str) -> tuple[Import, ...]:
    return tuple(imports(tree(modules()[module]), frozenset(modules())))


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


def room_of(module: str) -> str:
    """Folder or file of the package that a module belongs to; "" for the package itself."""
    package, *rest = module.split(".")
    if not rest or rest == ["__init__"]:
        return ""
    named = set(chain.from_iterable(RUNGS[package]))
    return PHYSICS if package == "compact_model" and rest[0] not in named else rest[0]


@pytest.mark.parametrize("package", RUNGS)
def test_rooms_import_lower_rungs_alone(package: str) -> None:
    rung = {room: number for number, rooms in enumerate(RUNGS[package]) for room in rooms}
    inside = [module for module in modules() if module.split(".")[0] == package and room_of(module)]
    homeless = {room_of(module) for module in inside} - set(rung)
    assert not homeless, f"rooms of {package} without a rung in RUNGS: {', '.join(sorted(homeless))}"
    found = [
        f"{modules()[module].relative_to(ROOT)}:{one.line}: {room_of(module)} must not import {room_of(one.module)}"
        for module in inside
        for one in imports_of(module)
        if one.module in inside
        and room_of(one.module) != room_of(module)
        and rung[room_of(one.module)] >= rung[room_of(module)]
    ]
    assert not found, "\n".join(found)


def circles(graph: dict[str, set[str]]) -> list[str]:
    """Modules of import circles: what is left when those that need none or that none needs are taken away."""
    left = {name: set(others) for name, others in graph.items()}
    while True:
        needed = set().union(*left.values())
        free = {name for name, others in left.items() if name not in needed or not others & set(left)}
        if not free:
            return sorted(left)
        left = {name: others for name, others in left.items() if name not in free}


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {module: {one.module for one in imports_of(module)} - {module} for module in modules()}
    assert circles(graph) == []


def test_a_circle_is_seen() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}) == ["b", "c"]
    assert circles({"a": {"b", "numpy"}, "b": set()}) == []


def test_our_modules_are_imported_at_the_top() -> None:
    late = {
        f"{modules()[module].relative_to(ROOT).as_posix()}:{one.line}"
        for module in modules()
        for one in imports_of(module)
        if one.in_function
    }
    excused = {place for place in late if place.startswith(tuple(IMPORTS_WHEN_CALLED))}
    assert not late - excused, f"imports inside functions: {', '.join(sorted(late - excused))}"
    for path, reason in IMPORTS_WHEN_CALLED.items():
        assert any(place.startswith(path) for place in excused), f"no longer needed: {path} ({reason})"


def test_our_names_are_imported_from_where_they_are() -> None:
    """`from circuits import Network` is for notebooks: what depends on which file can be seen in imports."""
    found = [
        f"{file.relative_to(ROOT)}:{node.lineno}: from {node.module} import {alias.name}"
        for file in modules().values()
        for node in ast.walk(tree(file))
        if isinstance(node, ast.ImportFrom) and node.module in ORDER
        for alias in node.names
        if f"{node.module}.{alias.name}" not in modules() and not (ROOT / node.module / alias.name).is_dir()
    ]
    assert not found, "\n".join(found)


def lines_of(function: ast.FunctionDef) -> int:
    """Lines of a function, its tables left out.

    A table is a list, tuple, set or dict of ten entries and more, or ten calls and more of one function in a row.
    """
    inside: set[int] = set()
    for node in ast.walk(function):
        entries = node.keys if isinstance(node, ast.Dict) else getattr(node, "elts", [])
        if len(entries) >= ENTRIES_OF_A_TABLE and isinstance(node, ast.expr):
            inside |= set(range(node.lineno, node.end_lineno or 0))
        for block in (getattr(node, "body", []), getattr(node, "orelse", [])):
            for same in calls_in_a_row(block if isinstance(block, list) else []):
                if len(same) >= ENTRIES_OF_A_TABLE:
                    inside |= set(range(same[0].lineno, same[-1].end_lineno or 0))
    return len(set(range(function.lineno, (function.end_lineno or 0) + 1)) - inside)


def calls_in_a_row(statements: list[ast.stmt]) -> Iterator[list[ast.stmt]]:
    """Statements that follow each other and are calls of the same name."""

    def called(statement: ast.stmt) -> str:
        call = statement.value if isinstance(statement, ast.Expr) else None
        return call.func.id if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else ""

    for name, group in groupby(statements, key=called):
        if name:
            yield list(group)


def long_functions(source: ast.Module) -> list[str]:
    functions = [node for node in ast.walk(source) if isinstance(node, ast.FunctionDef)]
    return [function.name for function in functions if lines_of(function) > LINES_OF_A_FUNCTION]


def test_tables_are_not_counted() -> None:
    table = "def f():\n    return [\n" + "        1,\n" * 90 + "    ]\n"
    calls = "def f():\n" + "    add(\n        1,\n    )\n" * 30
    long = "def f():\n" + "    x = 1\n" * 80
    assert [long_functions(ast.parse(text)) for text in (table, calls, long)] == [[], [], ["f"]]


def test_files_and_functions_are_short() -> None:
    names = {module: file.relative_to(ROOT).as_posix() for module, file in modules().items()}
    lines = {names[module]: len(file.read_text("utf-8").splitlines()) for module, file in modules().items()}
    assert not [f"{name}: {count} lines" for name, count in lines.items() if count > LINES_OF_A_FILE]
    assert not [f"{names[one]}: {name}" for one in modules() for name in long_functions(tree(modules()[one]))]


def test_no_file_name_stands_twice() -> None:
    names = Counter(file.name for file in modules().values())
    assert not {name for name, count in names.items() if count > 1} - ROLES


@pytest.mark.parametrize(
    "module", ["array.read", "characterisation.examine", "comparison.compare", "fitting.fit", "model.export"]
)
def test_what_trains_nothing_does_not_wait_for_torch(module: str) -> None:
    found = sources_of((f"hallspice.{module}",))
    assert ROOT / "circuits" / "network.py" in found or ROOT / "compact_model" / "hallbar.py" in found
    for path in found:
        package = path.relative_to(ROOT).parts[0]
        libraries = {name for _, name in imported_packages(path.read_text("utf-8"), package)}
        assert "torch" not in libraries, path
