"""Programming: which pulse each cell of an array gets next, until all have their level or are given up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum

import numpy as np
from numpy.typing import NDArray

from circuits.write.circuit import PARTS
from circuits.write.plant import Plant, Pulsed
from compact_model.hallbar import HallBar
from compact_model.numeric import Floats, Ints, Mask

VERIFY = "verify"
"""Part of the energy that the verify reads take."""

LEAST_TOLERANCE = 2.0
"""Standard deviations of a verify read that the tolerance has to be."""

CERTAIN = 6.0
"""Standard deviations beyond the tolerance that the last read of a sound cell does not reach."""


class Algorithm(StrEnum):
    """How a cell gets to its level."""

    LADDER = "ladder"
    """The ladder's pulses up to the level, from wherever the cell is; nothing is read."""
    RESET_LADDER = "reset_ladder"
    """Reset, then the ladder; nothing is read."""
    VERIFY = "verify"
    """Reset, then pulses of growing current, each followed by a read; an overshoot starts again, in finer steps."""


class Step(StrEnum):
    """How the current grows from pulse to pulse."""

    CONSTANT = "constant"
    PROPORTIONAL = "proportional"
    """By the missing resistance over the slope of the device there, at least the constant step."""


class CellVerdict(IntEnum):
    """What became of a cell."""

    WRITTEN = 0
    OUT_OF_TOLERANCE = 1  # in the end: open loop, or disturbed by later writes
    COMPLIANCE = 2  # the driver cannot deliver the next current
    PULSE_LIMIT = 3
    OVERSHOOT = 4  # more often than retries allow
    NO_RESPONSE = 5  # pulses that must move the cell don't

    @property
    def text(self) -> str:
        """For people."""
        return _VERDICTS[self]


_UNDECIDED = len(CellVerdict)
"""In place of a verdict while a cell is still programmed."""

_VERDICTS = {
    CellVerdict.WRITTEN: "written",
    CellVerdict.OUT_OF_TOLERANCE: "outside the tolerance in the end (nothing was read, or later writes disturbed it)",
    CellVerdict.COMPLIANCE: "the driver's compliance is too low",
    CellVerdict.PULSE_LIMIT: "no more pulses allowed",
    CellVerdict.OVERSHOOT: "overshot too often",
    CellVerdict.NO_RESPONSE: "does not respond",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PulseLadder:
    """Open-loop pulses: level k takes the first k currents."""

    levels: Floats  # (levels,), reset state first [Ohm]
    currents: Floats  # (levels - 1,) [A]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Hall resistance after one pulse from the reset state, increasing; used to choose first pulses and steps."""

    current: Floats  # [A]
    resistance: Floats  # [Ohm]

    def current_for(self, resistance: Floats) -> Floats:
        """Current of the single pulse to a resistance [A]."""
        return np.interp(resistance, self.resistance, self.current)

    def slope(self, resistance: Floats) -> Floats:
        """Resistance per current there [Ohm/A]."""
        slopes = np.gradient(self.resistance, self.current)
        return np.interp(resistance, self.resistance, slopes)


def pulse_curve(device: HallBar, t_pulse: float, *, largest: float = 60e-3, points: int = 1200) -> Curve:
    """The curve of a device by its rate law; its last point is where the window ends.

    Examples
    --------
    >>> from compact_model.cards.device import load_card
    >>> from compact_model.hallbar import hall_bar
    >>> curve = pulse_curve(hall_bar(load_card()), 200e-6)
    >>> round(float(curve.current_for(np.array(0.54))) * 1e3, 1)
    14.1
    """
    current = np.linspace(0.0, largest, points)
    state = device.pulsed(device.prepared(points), current, t_pulse)
    resistance = device.hall_resistance(state)
    resistance[0] = device.r_reset  # at zero current the grains have no target
    steps = np.diff(np.maximum.accumulate(resistance))
    rising = np.concatenate([[True], steps > 1e-9 * device.law.delta_r])
    return Curve(current=current[rising], resistance=resistance[rising])


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteRecipe:
    """How to program; SI units.

    Attributes
    ----------
    algorithm, step_law
        See `Algorithm`, `Step`.
    tolerance
        Largest distance from the target that counts as written [Ohm].
    start
        First pulse over the current that the device's curve gives for the target.
    i_step
        (Least) growth of the current from pulse to pulse [A].
    i_reset
        Magnitude of a reset pulse [A].
    field_reset
        The first reset is by a field (nothing counted); later ones are pulses in any case.
    max_pulses
        Write pulses per cell, resets not counted.
    retries
        Overshoots after which a cell is given up.
    read_noise
        Standard deviation of a verify read [Ohm].
    read_energy, read_time
        Of one verify read [J], [s].
    """

    algorithm: Algorithm = Algorithm.VERIFY
    step_law: Step = Step.PROPORTIONAL
    tolerance: float = 4e-3
    start: float = 0.95
    i_step: float = 0.1e-3
    i_reset: float = 15.4e-3
    field_reset: bool = True
    max_pulses: int = 40
    retries: int = 5
    read_noise: float = 0.0
    read_energy: float = 0.0
    read_time: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "algorithm", Algorithm(self.algorithm))
        object.__setattr__(self, "step_law", Step(self.step_law))
        for name, unit in (("tolerance", "Ohm"), ("i_step", "A"), ("i_reset", "A"), ("start", "")):
            if not 0 < getattr(self, name) < np.inf:
                raise ValueError(f"{name} = {getattr(self, name)} {unit}, allowed: 0 < value < inf")
        if self.max_pulses < 1 or self.retries < 0:
            raise ValueError(
                f"max_pulses = {self.max_pulses}, retries = {self.retries}, allowed: at least 1 and 0"
            )
        least = LEAST_TOLERANCE * self.read_noise
        if self.algorithm is Algorithm.VERIFY and self.tolerance < least:
            raise ValueError(
                f"tolerance = {self.tolerance:.4g} Ohm is below {least:.4g} Ohm, {LEAST_TOLERANCE:g} standard "
                f"deviations of a verify read ({self.read_noise:.4g} Ohm): allow more, or read longer"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOutcome:
    """What programming did; arrays are (rows, columns) unless said."""

    target: Floats  # [Ohm]
    achieved: Floats  # [Ohm]
    verdict: Ints  # `CellVerdict`
    pulses: Ints  # write pulses
    resets: Ints  # reset pulses
    largest_current: Floats  # [A]
    needed_volts: Floats  # driver voltage that the last wanted current needs [V]
    energy: dict[str, float]  # part -> [J]; what the drivers delivered, and the reads
    time: float  # [s]
    rounds: tuple[Floats, ...]  # wanted current of every round, 0: no pulse [A]

    @property
    def error(self) -> Floats:
        """Achieved minus wanted [Ohm]."""
        return self.achieved - self.target

    @property
    def total_energy(self) -> float:
        """All parts [J]."""
        return float(sum(self.energy.values()))

    @property
    def written(self) -> Mask:
        """Cells that have their level, by what the controller knows."""
        written: Mask = self.verdict == CellVerdict.WRITTEN
        return written


def program(
    plant: Plant,
    target: Floats,
    recipe: WriteRecipe,
    curve: Curve,
    ladder: PulseLadder,
    v_compliance: float,
    generator: np.random.Generator,
    observe: Callable[[int, Floats], None] | None = None,
) -> WriteOutcome:
    """Program an array.

    Parameters
    ----------
    plant
        The array, in the compact model or in a simulator.
    target
        Wanted Hall resistances, (rows, columns) [Ohm].
    recipe
        How.
    curve, ladder
        What the controller knows about the device.
    v_compliance
        What the drivers can deliver [V].
    generator
        Noise of the verify reads.
    observe
        Called after each round with its number and the cells' resistances.

    Raises
    ------
    ValueError
        When a target lies outside what the device can hold.
    """
    wanted = np.asarray(target, dtype=float)
    if wanted.shape != plant.shape:
        raise ValueError(f"target has shape {wanted.shape}, the array {plant.shape}")
    _check_window(wanted, curve)
    run = _Run(plant, wanted, recipe, curve, v_compliance, generator, observe)
    if recipe.algorithm is Algorithm.VERIFY:
        run.verified()
    else:
        run.open_loop(ladder)
    return run.outcome()


def _check_window(target: Floats, curve: Curve) -> None:
    low, high = float(curve.resistance[0]), float(curve.resistance[-1])
    wrong = ~((target >= low - 1e-9) & (target < high))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        more = f" (and {int(wrong.sum()) - 1} more cells)" if wrong.sum() > 1 else ""
        raise ValueError(
            f"level of cell ({row}, {column}) = {target[row, column]:.4g} Ohm{more}, "
            f"allowed: {low:.4g} <= level < {high:.4g} Ohm, the window of the device"
        )


class _Run:
    def __init__(
        self,
        plant: Plant,
        target: Floats,
        recipe: WriteRecipe,
        curve: Curve,
        v_compliance: float,
        generator: np.random.Generator,
        observe: Callable[[int, Floats], None] | None,
    ) -> None:
        self.plant, self.target, self.recipe, self.curve = plant, target, recipe, curve
        self.limit, self.generator, self.observe = v_compliance, generator, observe
        shape = target.shape
        self.verdict = np.full(shape, _UNDECIDED)
        self.pulses, self.resets = np.zeros((2, *shape), dtype=np.int64)
        self.largest, self.needed = np.zeros((2, *shape))
        self.energy: dict[str, list[float]] = {part: [] for part in (*PARTS, VERIFY)}
        self.time = 0.0
        self.rounds: list[Floats] = []

    def open_loop(self, ladder: PulseLadder) -> None:
        level = np.abs(self.target[..., None] - ladder.levels).argmin(axis=-1)
        if self.recipe.algorithm is Algorithm.RESET_LADDER:
            self._reset(np.ones(self.target.shape, dtype=bool), first=True)
        for step, current in enumerate(ladder.currents.tolist(), start=1):
            self._pulse(np.where(level >= step, current, 0.0), level >= step)
        near = np.abs(self.plant.read() - self.target) <= self.recipe.tolerance
        unable = self._is_beyond(self.needed)
        self.verdict = np.where(near, CellVerdict.WRITTEN, CellVerdict.OUT_OF_TOLERANCE)
        self.verdict[~near & unable] = CellVerdict.COMPLIANCE

    def verified(self) -> None:
        recipe, shape = self.recipe, self.target.shape
        self._reset(np.ones(shape, dtype=bool), first=True)
        active = np.ones(shape, dtype=bool)
        step = np.full(shape, recipe.i_step)
        seen = self._read(active)
        self.verdict[np.abs(seen - self.target) <= recipe.tolerance] = CellVerdict.WRITTEN
        current = np.minimum(recipe.start * self.curve.current_for(self.target), self.curve.current[-1])
        retried = np.zeros(shape, dtype=np.int64)
        at_reset = seen
        within = ~self._is_beyond(np.abs(self.plant.volts(current, active)))  # the driver can at least begin
        while True:
            active = self.verdict == _UNDECIDED
            self.needed[active] = np.abs(self.plant.volts(current, active))[active]
            beyond = active & self._is_beyond(self.needed)
            # A driver that can't deliver the current is used at its limit once, then the cell is given up.
            known = beyond & (np.abs(current) <= self.largest + 1e-12)
            self.verdict[known] = CellVerdict.COMPLIANCE
            active = self.verdict == _UNDECIDED
            if not active.any():
                self._check_at_the_end()
                return
            self._pulse(np.where(active, current, 0.0), active)
            seen = self._read(active)
            short = self.target - seen
            near = active & (np.abs(short) <= recipe.tolerance)
            self.verdict[near] = CellVerdict.WRITTEN
            low = active & (short > recipe.tolerance)
            over = active & (short < -recipe.tolerance)
            still = np.abs(seen - at_reset) < np.maximum(recipe.tolerance, 3 * recipe.read_noise)
            weak = np.where(still & within, CellVerdict.NO_RESPONSE, CellVerdict.COMPLIANCE)
            self.verdict = np.where(low & beyond, weak, self.verdict)
            spent = low & (self.pulses >= recipe.max_pulses)
            self.verdict[spent] = np.where(still, CellVerdict.NO_RESPONSE, CellVerdict.PULSE_LIMIT)[spent]
            grown = step.copy()
            if recipe.step_law is Step.PROPORTIONAL:
                grown = np.maximum(step, 0.6 * short / self.curve.slope(self.target))
            current = np.where(low, current + grown, current)
            retried[over] += 1
            self.verdict[over & ((retried > recipe.retries) | (self.pulses >= recipe.max_pulses))] = (
                CellVerdict.OVERSHOOT
            )
            again = over & (self.verdict == _UNDECIDED)
            if again.any():
                back = np.maximum(2 * step, 1.2 * -short / self.curve.slope(self.target))
                current = np.where(again, np.maximum(current - back, 0.0), current)
                step = np.where(again, step / 2, step)
                self._reset(again, first=False)

    def _is_beyond(self, volts: Floats) -> Mask:
        """Whether they are more than the drivers can deliver, and not by rounding alone."""
        beyond: Mask = volts > self.limit * (1 + 1e-9)
        return beyond

    def _check_at_the_end(self) -> None:
        """Read all cells once more: some may have been disturbed after they were accepted."""
        kept = self.verdict == CellVerdict.WRITTEN
        allowed = self.recipe.tolerance + CERTAIN * self.recipe.read_noise
        gone = kept & (np.abs(self._read(kept) - self.target) > allowed)
        self.verdict[gone] = CellVerdict.OUT_OF_TOLERANCE

    def outcome(self) -> WriteOutcome:
        return WriteOutcome(
            target=self.target,
            achieved=self.plant.read(),
            verdict=self.verdict.astype(np.int64),
            pulses=self.pulses,
            resets=self.resets,
            largest_current=self.largest,
            needed_volts=self.needed,
            energy={part: float(np.sum(values)) for part, values in self.energy.items()},
            time=self.time,
            rounds=tuple(self.rounds),
        )

    def _reset(self, which: Mask, *, first: bool) -> None:
        if first and self.recipe.field_reset:
            self.plant.saturate()
            return
        self.resets[which] += 1
        self._send(np.where(which, -self.recipe.i_reset, 0.0), which)

    def _pulse(self, current: Floats, which: Mask) -> None:
        self.pulses[which] += 1
        self.largest = np.maximum(self.largest, np.abs(current))
        self._send(current, which)

    def _send(self, current: Floats, which: Mask) -> None:
        if not which.any():
            return
        volts = self.plant.volts(current, which)
        self.needed[which] = np.abs(volts)[which]
        done: Pulsed = self.plant.pulse(volts, which)
        for part, value in done.energy.items():
            self.energy[part].append(float(value.sum()))
        self.time += done.time
        self.rounds.append(current)
        if self.observe is not None:
            self.observe(len(self.rounds), self.plant.read())

    def _read(self, which: Mask) -> Floats:
        count = int(which.sum())
        self.energy[VERIFY].append(count * self.recipe.read_energy)
        self.time += count * self.recipe.read_time
        seen = self.plant.read()
        if self.recipe.read_noise > 0.0:
            noise: NDArray[np.float64] = self.generator.standard_normal(seen.shape)
            seen = seen + self.recipe.read_noise * noise
        return seen
