"""The numbers of the validation page: measured anew, and within their tolerances."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from circuits.spice.engine import find_simulator
from veriloga.verify import find_engines

TOOLS = Path(__file__).parents[2] / "tools" / "docs"
COMPLETE = not find_simulator().problem and not any(engine.missing for engine in find_engines())


def _tool(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up by name
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def checks() -> Any:
    return _tool("checks")


def _names(results: dict[str, Any]) -> Counter[tuple[str, str]]:
    return Counter((check["group"], check["what"]) for check in results["checks"])


@pytest.mark.skipif(not COMPLETE, reason="missing program: ngspice, openvaf-r or vacask")
@pytest.mark.filterwarnings("ignore:Could not import `badcrossbar.plot`:ImportWarning")
def test_every_check_of_the_page_is_measured_and_passes(checks: Any) -> None:
    found = checks.measure()
    failed = [check for check in found["checks"] if not checks.Check(**check).passed]
    assert not failed
    committed = json.loads(checks.FILE.read_text(encoding="utf-8"))
    assert _names(found) == _names(committed), "run make validation"
    assert committed["command"] == "make validation"
    assert {"hallspice", "ngspice", "Python"} <= set(committed["versions"])


def test_a_check_that_fails_is_shown_as_such(checks: Any) -> None:
    wrong = {
        "group": "Device",
        "what": "something",
        "difference": 1.0,
        "tolerance": 0.1,
        "unit": "ohm",
        "reason": "",
    }
    right = {**wrong, "what": "other", "difference": 0.01}
    page = checks.as_markdown(
        {"date": "", "command": "", "versions": {}, "not_run": [], "checks": [wrong, right]}
    )
    assert "1 of 2 checks" in page
    assert page.count("FAILS") == 1
    assert checks.Check(**{**wrong, "difference": float("nan")}).passed is False


def test_every_architecture_has_a_drawing() -> None:
    from circuits.arrays.architecture import Architecture

    schematics = _tool("schematics")
    page = (TOOLS.parents[1] / "docs" / "architectures.md").read_text(encoding="utf-8")
    for name in ("hall_cell", *(architecture.value for architecture in Architecture)):
        assert f"<!-- schematic {name} -->" in page
        drawing = schematics.svg(name)
        assert drawing.startswith("<svg")
        assert "currentColor" in drawing
        assert "black" not in drawing
