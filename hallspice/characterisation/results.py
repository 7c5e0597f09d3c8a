"""What `hallspice device` found."""

from __future__ import annotations

from typing import Annotated

from compact_model.published.facts import FactResult, Standing, Status
from hallspice.results import Measure, Report, Result


class Score(Result):
    """One published fact under one parameter set."""

    number: Annotated[int, Measure("1", "line of the list of facts")]
    paper: str
    quantity: str
    set: str
    model: str
    value: Annotated[
        float | None, Measure("as in `model`", "the model's number; null: a statement, or not evaluated")
    ]
    tolerance: str
    status: Status
    standing: Standing
    note: str

    @classmethod
    def of(cls, result: FactResult) -> Score:
        """The same as a part of results."""
        return cls(
            number=result.fact.number,
            paper=result.fact.paper,
            quantity=result.fact.quantity,
            set=result.switching,
            model=result.value,
            value=result.number,
            tolerance=result.fact.tolerance,
            status=result.status,
            standing=result.fact.standing,
            note=result.fact.note,
        )


class DeviceResults(Report):
    """`hallspice device`."""

    card: str
    levels_ohm: Annotated[tuple[float, ...], Measure("ohm", "levels as the paper states them")]
    levels_model_ohm: Annotated[
        tuple[float, ...], Measure("ohm", "levels that the ladder gives in the model")
    ]
    ladder_a: Annotated[tuple[float, ...], Measure("A", "write pulses from the reset state to each level")]
    write_energy_j: Annotated[float, Measure("J", "pulses of the whole ladder")]
    reset_energy_j: Annotated[float, Measure("J", "one reset; 0 where it is a field, which is not counted")]
    disturb_onset_a: Annotated[float, Measure("A", "current of a write pulse's length that begins to switch")]
    scoreboard: tuple[Score, ...]
    counts: Annotated[dict[str, int], Measure("1", "lines of the scoreboard by outcome")]
