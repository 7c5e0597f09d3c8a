"""An array of `hallspice compare` read by ngspice: one vector against the nodal solution, and one transient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from circuits.arrays.crossbar import crossbar, slots
from circuits.read.settling import StepResponse, step_response
from circuits.read.trial import Trial, draw
from circuits.solve.nodal import factor
from circuits.spice import engine, netlist, ngspice, size

Result = TypeVar("Result")

AGREEMENT = 1e-9
"""Difference of ngspice from the nodal solution over the largest output above which both are doubted [1]."""
LIMIT = 20.0
"""Longest time that ngspice is expected to take for one transient [s]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What ngspice says of draw 0 of a trial, in its first time slot; None where it was not run.

    Attributes
    ----------
    deck
        Netlist of the first vector.
    difference
        Of the outputs of this vector from the nodal solution, over the largest output [1].
    why_not
        Why there is no difference.
    settling
        Time after which the outputs stay within a thousandth of the largest, inputs full [s].
    energy, energy_nodal
        Energy that the sources deliver in a read of full inputs and its settling, and power of the nodal solution
        times this time [J].
    why_no_transient
        Why ngspice's settling and energy are not known.
    warnings
        What went wrong.
    failed
        Whether ngspice failed; a run that would take too long is refused and is no failure.
    """

    deck: str
    difference: float | None
    why_not: str
    settling: float | None
    energy: float | None
    energy_nodal: float
    why_no_transient: str
    warnings: list[str]
    failed: bool


def check(name: str, trial: Trial, t_settle: float) -> Check:
    """Read draw 0 of a trial in ngspice; whatever ngspice does, there is a deck and a `Check`.

    Parameters
    ----------
    name
        Of the trial.
    trial
        The array, and what it is tried with.
    t_settle
        Time to settle before a read [s].
    """
    first, (rows, columns) = draw(trial, 0), trial.shape
    network = crossbar(first.states, trial.config, first.mismatch)
    factored = factor(network)
    vector, full = trial.usable * first.inputs[:1], np.full(rows, trial.usable)
    power = float(factored.solve(full[None]).source_power[0])
    length = t_settle + trial.t_read
    title = f"hallspice: {name} {rows} x {columns}, seed {trial.seed}, draw 0, vector 0" + (
        ", time slot 0" if slots(trial.config, rows) > 1 else ""
    )
    vectors = _run(lambda: ngspice.simulate(network, vector))
    transient: _Run[StepResponse] = _Run(None, "no capacitances")
    if t_settle > 0:
        transient = _run(lambda: step_response(factored, full, limit_s=LIMIT))
    warnings = [f"{name}: {run.failure}" for run in (vectors, transient) if run.failure]
    difference = energy = None
    if vectors.result is not None:
        outputs = factored.solve(vector).outputs
        difference = float(np.abs(vectors.result - outputs).max() / np.abs(outputs).max())
        if difference > AGREEMENT:
            warnings.append(
                f"{name}: ngspice and the nodal solution differ by {difference:.1e} of the largest output, expected: "
                f"up to {AGREEMENT:g}; its figures may be wrong by as much."
            )
    elif vectors.refused:
        warnings.append(f"{name} was not checked in ngspice: {vectors.why_not}.")
    response = transient.result
    if response is not None:
        delivered, in_the_end = sum(response.source_energy.values()), sum(response.source_power.values())
        energy = delivered + in_the_end * (length - float(response.time[-1]))
    return Check(
        deck=netlist.netlist(network, vector[0], title, engine.deck_options()),
        difference=difference,
        why_not=vectors.why_not,
        settling=None if response is None else float(response.settling.max()),
        energy=energy,
        energy_nodal=power * length,
        why_no_transient=transient.why_not,
        warnings=warnings,
        failed=bool(vectors.failure or transient.failure),
    )


@dataclass(frozen=True, slots=True)
class _Run(Generic[Result]):
    """What ngspice gave, or why it gave nothing."""

    result: Result | None
    why_not: str = ""
    failure: str = ""  # what ngspice said when it failed
    refused: bool = False


def _run(action: Callable[[], Result]) -> _Run[Result]:
    if problem := engine.find_simulator().problem:
        return _Run(None, problem.splitlines()[0])
    try:
        return _Run(action())
    except size.TooLargeError as error:
        return _Run(None, str(error).splitlines()[0], refused=True)
    except engine.SpiceError as error:
        return _Run(None, "ngspice failed", failure=str(error))
