"""How the device's model gets into a deck."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from compact_model.numeric import Floats

MODULE = "sot_hallbar"
"""Name of the device's module and subcircuit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """How the device gets into a deck.

    Attributes
    ----------
    subcircuit
        Its text; empty: the compiled module, an ``N`` element.
    ambient
        Temperature [K].
    """

    subcircuit: str = ""
    ambient: float = 300.0

    def state_vector(self, row: int, column: int, grain: int) -> str:
        """Name of the vector with the deviation of a grain, numbered from 1."""
        if self.subcircuit:
            return f"x{row}_{column}.d{grain}"
        return f"n{row}_{column}#d{grain}"

    def lines(self, states: Floats, ends: Sequence[tuple[str, str]], columns: int) -> Iterator[str]:
        """One element per cell.

        Parameters
        ----------
        states
            (cells, K).
        ends
            Names of the nodes ip and in of each cell.
        columns
            Cells of a row.
        """
        yield "* cells: state of each grain at the start"
        for cell, (state, (plus, minus)) in enumerate(zip(states, ends, strict=True)):
            place = f"{cell // columns}_{cell % columns}"
            first = "X" if self.subcircuit else "N"
            model = MODULE if self.subcircuit else f"{MODULE}_cell"
            given = " ".join(
                f"s0_{k}={min(max(value, 0.0), 1.0):.15g}" for k, value in enumerate(state, start=1)
            )
            line = f"{first}{place} {plus} {minus} hp{place} hn{place} {model} {given}"
            yield "\n+ ".join(textwrap.wrap(line, 100, break_long_words=False, break_on_hyphens=False))
        if self.subcircuit:
            yield ""
            yield self.subcircuit
        else:
            yield f".model {MODULE}_cell {MODULE}"
