"""What became of the modules of a model that was put on arrays."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Fate(StrEnum):
    """What carries a module."""

    ARRAY = "array"
    """Its weights are on tiles."""
    DIGITAL = "digital"
    """It is as it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleReport:
    """What became of one module."""

    names: tuple[str, ...]
    """Places in the model: more than one where the module is shared; empty text is the model itself."""
    kind: str
    """Its class."""
    fate: Fate
    reason: str = ""
    """Why it is digital."""
    tiles: int = 0
    cells: int = 0
    """Of all its tiles, references included."""
    levels: int = 0
    """Weights that a synapse of it holds."""
    weight_slices: int = 1
    """Parts of a weight, in columns of their own."""
    input_slices: int = 1
    """Parts of an input, in reads of their own; an input of both signs is read twice as often."""
    multiplies: bool = False
    """Whether it is digital and multiplies inputs by weights: what an array would do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionReport:
    """Every module with weights, and every one without parts; printed, it is a table.

    Examples
    --------
    >>> row = ModuleReport(names=("act",), kind="ReLU", fate=Fate.DIGITAL, reason="no weights")
    >>> print(ConversionReport(rows=(row,)))
    act  ReLU  digital: no weights
    """

    rows: tuple[ModuleReport, ...]

    @property
    def tiles(self) -> int:
        """Of all arrays."""
        return sum(row.tiles for row in self.rows)

    @property
    def cells(self) -> int:
        """Of all arrays, references included."""
        return sum(row.cells for row in self.rows)

    def __getitem__(self, name: str) -> ModuleReport:
        """The row of the module at that place."""
        for row in self.rows:
            if name in row.names:
                return row
        raise KeyError(name)

    def __str__(self) -> str:
        """One line a module."""
        table = [(", ".join(row.names) or "model", row.kind, _outcome(row)) for row in self.rows]
        widths = [max(len(line[column]) for line in table) for column in (0, 1)] if table else []
        return "\n".join(
            f"{name:<{widths[0]}}  {kind:<{widths[1]}}  {outcome}" for name, kind, outcome in table
        )


def _outcome(row: ModuleReport) -> str:
    if row.fate is Fate.DIGITAL:
        return f"digital: {row.reason}"
    weights = f" in {row.weight_slices} slices" if row.weight_slices > 1 else ""
    inputs = f", inputs in {row.input_slices} slices" if row.input_slices > 1 else ""
    return f"array: {row.tiles} tiles, {row.cells} cells, {row.levels} levels{weights}{inputs}"
