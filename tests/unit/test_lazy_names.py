"""Packages whose names are imported when they are first asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import compact_model
from compact_model.cards.device import load_card

ROOT = Path(__file__).parents[2]


def test_a_package_alone_imports_nothing_that_is_slow() -> None:
    """Without site packages, some of which import typing as Python starts."""
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import compact_model; "
        "print(*sorted({'typing', 'numpy', 'pydantic'} & set(sys.modules)))"
    )
    assert "load_card" in dir(compact_model)
    done = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_names_are_those_of_the_stub() -> None:
    assert compact_model.load_card is load_card
    assert set(compact_model.__all__) <= set(dir(compact_model))
    for name in compact_model.__all__:
        assert getattr(compact_model, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'none'"):
        compact_model.none  # type: ignore[attr-defined]  # noqa: B018
