"""What the points of a sweep say together: table, means over seeds, what is not dominated, what matters most."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hallspice.page.style import engineering
from hallspice.sweeps.results import PointOutcome, PointValues, TableCell

Row = Mapping[str, TableCell]
"""A line of the table, by column."""

FEW = 8
"""Up to so many values of a key are looked at one by one, more are put into groups."""
_GROUPS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A combination of values, with the mean over its seeds."""

    inputs: Mapping[str, TableCell]
    accuracies: tuple[float, ...]
    energies: tuple[float, ...]

    @property
    def accuracy(self) -> float:
        """Mean accuracy through the circuit."""
        return float(np.mean(self.accuracies))

    @property
    def energy(self) -> float:
        """Mean energy of an inference [J]."""
        return float(np.mean(self.energies))


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Mean accuracy and energy over all designs with one value of a key (or with one group of its values)."""

    name: str
    """The keys that change together."""
    column: str
    labels: tuple[str, ...]
    accuracies: tuple[float, ...]
    energies: tuple[float, ...]

    @property
    def accuracy_span(self) -> float:
        """Largest minus smallest mean accuracy."""
        return max(self.accuracies) - min(self.accuracies)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A sweep as a whole."""

    rows: Sequence[Row]
    """One per point, in the order of the design; empty cells are None."""
    columns: Sequence[str]
    designs: Sequence[Design]
    pareto: Sequence[Design]
    """Not dominated, cheapest first."""
    effects: Sequence[Effect]
    """Of the keys that take more than one value, the one that moves the accuracy most first."""

    @property
    def failures(self) -> list[Row]:
        """Points without a result."""
        return [row for row in self.rows if row["error"]]

    @property
    def failures_by_error(self) -> Counter[str]:
        """How often each error came."""
        return Counter(str(row["error"]).splitlines()[0] for row in self.failures)

    @property
    def warnings(self) -> list[str]:
        """What failed, and what was not checked."""
        counts = Counter(row.get("certificate") for row in self.rows)
        sentences = {
            "failed": "ngspice and the nodal solver differ by more than the limit in {} points; the table says which",
            "not run": "{} points were not checked in ngspice; the table says which",
        }
        return [
            *(f"{count} points failed: {error}" for error, count in self.failures_by_error.items()),
            *(text.format(counts[verdict]) for verdict, text in sentences.items() if counts[verdict]),
        ]

    @property
    def findings(self) -> list[str]:
        """What the numbers say, in sentences."""
        if not self.designs:
            return []
        best = max(self.designs, key=lambda design: (design.accuracy, -design.energy))
        cheap = min(self.designs, key=lambda design: (design.energy, -design.accuracy))
        found = [
            f"Most accurate: {_answer(best)}.",
            f"Least energy: {_answer(cheap)}.",
        ]
        if self.effects:
            first = self.effects[0]
            low, high = np.argmin(first.accuracies), np.argmax(first.accuracies)
            found.append(
                f"{first.name} moves the mean accuracy most: {100 * first.accuracies[low]:.2f} % at "
                f"{first.labels[low]}, {100 * first.accuracies[high]:.2f} % at {first.labels[high]}."
            )
        return found


def _answer(design: Design) -> str:
    return f"{100 * design.accuracy:.2f} % at {engineering(design.energy, 'J')} ({described(design.inputs)})"


def described(inputs: Mapping[str, TableCell]) -> str:
    """The values of a design in words."""
    parts = (
        f"{name} = {value:.4g}" if isinstance(value, float) else f"{name} = {value}"
        for name, value in inputs.items()
    )
    return ", ".join(parts) or "as configured"


def summary(
    points: Sequence[tuple[Mapping[str, TableCell], int, PointOutcome]], axes: Mapping[str, Sequence[str]]
) -> Summary:
    """Put the points of a sweep together.

    Parameters
    ----------
    points
        Inputs by column, seed and outcome of each point.
    axes
        Name of each axis, and its columns.
    """
    values = [outcome.values.model_dump() if outcome.values else {} for _, _, outcome in points]
    names = list(dict.fromkeys(name for one in values for name in one))
    rows: list[Row] = [
        {
            **_chosen(inputs),
            "seed": seed,
            **{name: one.get(name) for name in names},
            "error": outcome.error or "",
            "seconds": outcome.seconds,
        }
        for (inputs, seed, outcome), one in zip(points, values, strict=True)
    ]
    grouped: dict[str, list[PointValues]] = {}
    inputs_of = {}
    for inputs, _, outcome in points:
        if outcome.values is not None:
            key = json.dumps(_chosen(inputs))
            inputs_of[key] = _chosen(inputs)
            grouped.setdefault(key, []).append(outcome.values)
    designs = [
        Design(
            inputs=inputs_of[key],
            accuracies=tuple(one.accuracy for one in members),
            energies=tuple(one.energy_j for one in members),
        )
        for key, members in grouped.items()
    ]
    effects = [effect for name, columns in axes.items() if (effect := _effect(name, columns[0], designs))]
    return Summary(
        rows=rows,
        columns=list(rows[0]) if rows else [],
        designs=designs,
        pareto=not_dominated(designs),
        effects=sorted(effects, key=lambda effect: -effect.accuracy_span),
    )


def _chosen(inputs: Mapping[str, TableCell]) -> dict[str, TableCell]:
    """What sets a combination apart from others: not the seed."""
    return {name: value for name, value in inputs.items() if name != "seed"}


def not_dominated(designs: Sequence[Design]) -> list[Design]:
    """Designs for which no other has at least the accuracy and at most the energy, and is better in one of them."""
    front: list[Design] = []
    for design in sorted(designs, key=lambda one: (one.energy, -one.accuracy)):
        last = front[-1] if front else None
        same = last is not None and (last.energy, last.accuracy) == (design.energy, design.accuracy)
        if last is None or same or design.accuracy > last.accuracy:
            front.append(design)
    return front


def _effect(name: str, column: str, designs: Sequence[Design]) -> Effect | None:
    values = [design.inputs[column] for design in designs if column in design.inputs]
    if len(set(map(str, values))) < 2:
        return None
    groups: dict[str, list[Design]] = {}
    if len(set(map(str, values))) <= FEW or not all(isinstance(value, (int, float)) for value in values):
        for design, value in zip(designs, values, strict=True):
            groups.setdefault(described({"": value}).removeprefix(" = "), []).append(design)
    else:
        order = sorted(zip(values, range(len(values)), strict=True))
        for part in np.array_split(np.arange(len(order)), _GROUPS):
            label = f"{order[part[0]][0]:.4g} to {order[part[-1]][0]:.4g}"
            groups[label] = [designs[order[place][1]] for place in part]
    return Effect(
        name=name,
        column=column,
        labels=tuple(groups),
        accuracies=tuple(float(np.mean([design.accuracy for design in group])) for group in groups.values()),
        energies=tuple(float(np.mean([design.energy for design in group])) for group in groups.values()),
    )
