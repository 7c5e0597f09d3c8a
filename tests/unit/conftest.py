"""What tests of several files take."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest


class Patched:
    """Stands for a function of the model and remembers what it was asked."""

    def __init__(self, answer: Callable[..., Any]) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    def __call__(self, _: object, *arguments: Any, **named: Any) -> Any:
        self.asked.append(arguments[0] if arguments else None)
        return self.answer(*arguments, **named)


@pytest.fixture
def instead(monkeypatch: pytest.MonkeyPatch) -> Callable[[ModuleType, str, Callable[..., Any]], Patched]:
    """Puts a function in the place of one of the model, called without the card."""

    def put(module: ModuleType, name: str, answer: Callable[..., Any]) -> Patched:
        patched = Patched(answer)
        monkeypatch.setattr(module, name, patched)
        return patched

    return put
