"""The page of a package: its public names in a table, their documentation, and its modules by folder.

The names are those of the package's ``__all__``; what a table says of one is the first sentence of its docstring.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import griffe

_ROOT = Path(__file__).parents[2]


def page(package: str) -> str:
    """Markdown of the page, for mkdocstrings."""
    public = public_names(package)
    parts = [
        f"`from {package} import ...`: these names are for notebooks and scripts, and stay.\n",
        "| name | what it is |\n|---|---|",
        *(f"| [`{name}`][{at.path}] | {sentence(at)} |" for name, at in public.items()),
        "\n## Public names\n",
        *(_block(at.path, level=3, heading=f"{package}.{name}") for name, at in public.items()),
        "\n## Modules\n\nFor those who work on hallspice itself: these names may move.\n",
        *_folders(package, {at.path for at in public.values()}),
    ]
    return "\n".join(parts)


def public_names(package: str) -> dict[str, griffe.Object]:
    """What a package exports, as it is defined."""
    tree = griffe.load(package, search_paths=[_ROOT])
    names = importlib.import_module(package).__all__
    return {name: _defined(tree[name]) for name in names}


def _defined(found: griffe.Object | griffe.Alias) -> griffe.Object:
    return found.final_target if isinstance(found, griffe.Alias) else found


def sentence(of: griffe.Object) -> str:
    """The first paragraph of a docstring, in one line."""
    if of.docstring is None:
        raise ValueError(f"{of.path} has no docstring")
    first = of.docstring.value.strip().split("\n\n")[0]
    return " ".join(first.split()).replace("|", "\\|")


def _folders(package: str, shown: set[str]) -> Iterator[str]:
    """A heading for each folder, and its modules without what is shown already."""
    files = sorted((_ROOT / package).rglob("*.py"), key=lambda path: (path.parent, path.name))
    for folder, inside in groupby(files, key=lambda path: path.parent):
        modules = [".".join((*folder.relative_to(_ROOT).parts, path.stem)) for path in inside]
        yield f"\n### `{folder.relative_to(_ROOT)}/`\n"
        for module in modules:
            if module not in shown and not module.endswith(".__init__"):
                yield _block(module, level=4, without=[one for one in shown if one.startswith(f"{module}.")])


def _block(path: str, *, level: int, heading: str = "", without: list[str] | None = None) -> str:
    filters = ["!^_", *(f"!^{name.rpartition('.')[2]}$" for name in sorted(without or []))]
    lines = [
        f"::: {path}",
        "    options:",
        f"      heading_level: {level}",
        "      show_root_heading: true",
        "      show_submodules: false",
        f"      filters: {filters}",
        *([f"      heading: {heading}"] if heading else []),
    ]
    return "\n".join(lines) + "\n"
