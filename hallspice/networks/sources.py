"""Which of the program's own files a module runs, found from their imports: what a kept result depends on."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
"""Folder of the packages."""

PACKAGES = ("compact_model", "veriloga", "circuits", "nn_mapping", "hallspice")


@lru_cache(maxsize=32)
def source_digest(modules: tuple[str, ...], root: Path) -> str:
    """Hash of the text of all files that some modules run.

    Parameters
    ----------
    modules
        Dotted names.
    root
        Folder of the packages, `ROOT` for the program itself.
    """
    digest = hashlib.sha256()
    for path in sources_of(modules, root):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def sources_of(modules: tuple[str, ...], root: Path = ROOT) -> list[Path]:
    """Files of some modules and of all that they import from our packages, at any depth, sorted.

    Imports inside functions count; those for type checkers alone do not.

    Examples
    --------
    >>> {"thickness.py", "numeric.py"} < {path.name for path in sources_of(("compact_model.thickness",))}
    True
    """
    found: set[Path] = set()
    waiting = [_file(module, root) for module in modules]
    while waiting:
        path = waiting.pop()
        if path is None or path in found:
            continue
        found.add(path)
        waiting += [_file(name, root) for name in _imported(ast.parse(path.read_bytes()))]
    return sorted(found)


def _file(module: str, root: Path) -> Path | None:
    """The file of a module of ours; None for packages and for what isn't a module of ours."""
    if module.partition(".")[0] not in PACKAGES:
        return None
    path = root.joinpath(*module.split(".")).with_suffix(".py")
    return path if path.is_file() else None


def _imported(tree: ast.AST) -> Iterator[str]:
    """Names that may be modules, of every import that runs."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield from _imported(node)
