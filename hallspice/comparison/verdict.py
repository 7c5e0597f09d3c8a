"""Whether an architecture works, and what it dies of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from circuits.arrays.architecture import Architecture
from circuits.read.trial import Trial, TrialResult
from hallspice.comparison.trials import SERIES_HALL_IDEAL
from hallspice.page.style import engineering

ADDED = 0.01
"""Error over the compute signal that the noise of a calibration may add [1]."""


USELESS = 0.3
"""Error relative to the compute signal from which an array computes nothing [1]."""


LOUD = 3.0
"""Ratio of signal to noise below which the read time is too short."""


CLEAR = 10.0
"""Ratio of signal to noise for which the needed read time is given."""


class Word(StrEnum):
    """Whether an architecture works."""

    WORKS = "works"
    NEEDS_CALIBRATION = "needs calibration"
    TOO_NOISY = "too noisy"
    DEAD = "dead"
    INTENDED = "intended"
    """A drawing that no circuit is given for."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an architecture works, and why."""

    word: Word
    reason: str


def verdict(name: str, trial: Trial, outcome: TrialResult) -> Verdict:
    """Whether an architecture works, and what decides it."""
    error = outcome.error
    if name == SERIES_HALL_IDEAL:
        return Verdict(
            Word.INTENDED,
            "the sum that the drawing intends; no circuit for its isolation amplifiers is given",
        )
    if error.calibrated > USELESS:
        return Verdict(Word.DEAD, _death(trial, outcome))
    if outcome.noise * LOUD > outcome.signal:
        longer = trial.t_read * (LOUD * outcome.noise / outcome.signal) ** 2
        return Verdict(
            Word.TOO_NOISY, f"needs {engineering(longer, 's')} per read for a signal of three times its noise"
        )
    if error.raw > USELESS:
        reason = f"a gain per column takes out most of the error; {_weakest(outcome)}"
        return Verdict(Word.NEEDS_CALIBRATION, reason)
    return Verdict(Word.WORKS, "useful as it is; calibration of the columns improves it")


def _death(trial: Trial, outcome: TrialResult) -> str:
    """What makes an array useless: common mode that the outputs see as more than the signal, or else the wires."""
    config = trial.config
    unit = config.architecture.output_unit
    seen = config.gm * 10 ** (-config.cmrr_db / 20) if config.architecture.amplified else 1.0
    if outcome.common_mode * seen > outcome.signal:
        reason = (
            f"{engineering(outcome.common_mode, 'V')} of common mode at the Hall arms against "
            f"{engineering(outcome.signal, unit)} of compute signal in a column"
        )
        joined = config.architecture is Architecture.SERIES_HALL
        return reason + ("; the arms join the rows into one resistive sheet" if joined else "")
    if outcome.weakest_cell < 1 - USELESS:
        return f"wires and drivers take the voltage of the cells: {_weakest(outcome)}"
    return f"mismatch, switches or loads spoil its columns: {_weakest(outcome)}, and common mode is no reason"


def _weakest(outcome: TrialResult) -> str:
    return f"the weakest cell gets {100 * outcome.weakest_cell:.4g} % of its voltage"


def clear_time(trial: Trial, outcome: TrialResult) -> float:
    """Length of a read whose noise is a clear share below the compute signal [s]."""
    return trial.t_read * (CLEAR * outcome.noise / outcome.signal) ** 2
