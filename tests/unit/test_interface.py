"""The public names of the packages: importable, documented, typed, and all that notebooks and examples need."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("compact_model", "veriloga", "circuits", "nn_mapping", "hallspice")
SLOW = ("numpy", "scipy", "pydantic", "torch", "matplotlib", "PySpice", "rich", "yaml")


def exported() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        for name in importlib.import_module(package).__all__:
            yield package, name


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_is_imported_without_what_it_exports(package: str) -> None:
    program = f"import sys, {package} as home; assert set(home.__all__) <= set(dir(home)); "
    program += f"print(sorted(sys.modules.keys() & {set(SLOW)}))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("package", "name"), list(exported()))
def test_a_public_name_is_there_and_shown(package: str, name: str) -> None:
    home = importlib.import_module(package)
    found = getattr(home, name)
    assert name in dir(home)
    assert getattr(home, name) is found
    if not isinstance(found, (int, float, ModuleType)):
        assert found.__name__ == name, "another name than the one that it is defined by"


@pytest.mark.parametrize("package", PACKAGES)
def test_no_public_name_is_hidden_by_a_module(package: str) -> None:
    """Importing ``package.name`` would put the module in the place of the name."""
    home = importlib.import_module(package)
    beside = {path.stem for path in (ROOT / package).iterdir() if path.suffix in (".py", "")}
    for name in beside & set(home.__all__):
        assert isinstance(getattr(home, name), ModuleType), name


@pytest.mark.parametrize("package", PACKAGES)
def test_names_that_a_package_does_not_have(package: str) -> None:
    home = importlib.import_module(package)
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        _ = home.nothing
    assert not hasattr(home, "__wrapped__")


def test_the_page_of_a_package_has_every_public_name_with_its_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("griffe")
    monkeypatch.syspath_prepend(str(ROOT / "tools" / "docs"))
    interface = importlib.import_module("interface")
    for package in PACKAGES:
        page = interface.page(package)
        assert f"<!-- interface {package} -->" in (ROOT / "docs" / "api" / f"{package}.md").read_text("utf-8")
        for name in importlib.import_module(package).__all__:
            (row,) = re.findall(rf"^\| \[`{name}`\]\[([\w.]+)\] \| (.+) \|$", page, re.MULTILINE)
            assert len(row[1]) > 15, (name, row[1])
            assert page.count(f"\n::: {row[0]}\n") == 1
        for path in (ROOT / package).rglob("*.py"):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            assert path.name == "__init__.py" or page.count(f"::: {module}\n") == 1, module


def sources() -> Iterator[tuple[str, str]]:
    """Python of the notebooks, the example, and the pages that use public names alone."""
    for path in sorted((ROOT / "examples").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        yield path.name, "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    yield "pyspice_driver.py", (ROOT / "examples" / "pyspice_driver.py").read_text(encoding="utf-8")
    for path in sorted((ROOT / "docs").rglob("*.md")):
        if path.name != "extend.md":
            blocks = re.findall(r"^```python\n(.*?)^```", path.read_text("utf-8"), re.MULTILINE | re.DOTALL)
            if blocks:
                yield path.name, "\n".join(blocks)


@pytest.mark.parametrize(("where", "source"), list(sources()))
def test_examples_use_public_names_alone(where: str, source: str) -> None:
    public = set(exported())
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            assert {alias.name for alias in node.names if alias.name.startswith(PACKAGES)} <= set(PACKAGES), (
                where
            )
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] in PACKAGES:
            for alias in node.names:
                assert (node.module, alias.name) in public, f"{where}: from {node.module} import {alias.name}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in PACKAGES:
            assert (node.value.id, node.attr) in public, f"{where}: {node.value.id}.{node.attr}"


def test_a_name_that_is_not_public_is_seen() -> None:
    for source in (
        "import circuits.network",
        "from circuits.network import Network",
        "import circuits\ncircuits.network",
    ):
        with pytest.raises(AssertionError):
            test_examples_use_public_names_alone("here", source)
