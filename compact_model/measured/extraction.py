"""Levels from repeated write ladders: how many can be told apart, how often they are confused, and as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import exprel
from scipy.stats import norm

from compact_model import synapse
from compact_model.cards.csv_table import CellError, read_csv
from compact_model.cards.device import SHIPPED, DeviceCard, load_card
from compact_model.cards.document import DocumentError, Mistake
from compact_model.cards.entry import Provenance
from compact_model.cards.quantity import parse_number
from compact_model.measured.records import DataSet
from compact_model.measured.tables import MeasurementError, RecordKind
from compact_model.numeric import Floats, Ints
from compact_model.programming import equal_ladder
from compact_model.readout import Confusion, confusion
from compact_model.spread import spread_after
from compact_model.switching import disturb_onset_current, programming_current, switched_fraction

FEWEST_CYCLES = 5
"""Fewer repetitions say nothing about a spread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelTable:
    """States of a device, whatever made them."""

    mean: Floats  # (n,) ascending [ohm]
    sigma: Floats  # (n,) standard deviation of one write and read [ohm]
    current: Floats  # (n,) pulse that reaches the state, 0 for the reset state, NaN if unknown [A]
    cycles: int

    @property
    def confusion(self) -> Confusion:
        """Confusion of all states, thresholds halfway."""
        return confusion(self.mean, self.sigma)

    def distinguishable(self, error_rate: float) -> Ints:
        """The largest set of states in which no state is taken for a neighbour more often than `error_rate`.

        Two neighbours qualify when mean_2 - mean_1 >= z (sigma_1 + sigma_2), z = quantile of 1 - error_rate: a
        threshold between them exists that keeps both errors below the rate.

        Examples
        --------
        >>> table = LevelTable(mean=np.array([0.0, 1.0, 2.0]), sigma=np.full(3, 0.3), current=np.zeros(3), cycles=9)
        >>> table.distinguishable(0.01).tolist(), table.distinguishable(0.1).tolist()
        ([0, 2], [0, 1, 2])
        """
        if not 0.0 < error_rate < 0.5:
            raise ValueError(f"error_rate = {error_rate:g} is out of range, allowed: 0 < error_rate < 0.5")
        z = float(norm.isf(error_rate))
        count = len(self.mean)
        longest, before = np.ones(count, dtype=int), np.full(count, -1)
        for j in range(count):
            for i in range(j):
                apart = self.mean[j] - self.mean[i] >= z * (self.sigma[i] + self.sigma[j])
                if apart and longest[i] + 1 > longest[j]:
                    longest[j], before[j] = longest[i] + 1, i
        chosen = [int(np.argmax(longest))]
        while before[chosen[-1]] >= 0:
            chosen.append(int(before[chosen[-1]]))
        return np.array(chosen[::-1])

    def possible(self, error_rate: float) -> int:
        """States that fit into the window at this error rate, if they could be placed at will."""
        z = float(norm.isf(error_rate))
        return 1 + int((self.mean[-1] - self.mean[0]) / (2.0 * z * float(np.median(self.sigma))) + 1e-9)

    def rows(self) -> list[dict[str, float]]:
        """The lookup table: state, weight on [-1, 1], spread, current."""
        weight = synapse.normalised(self.mean)
        return [
            {
                "level": float(k),
                "weight": float(weight[k]),
                "r_xy_ohm": float(self.mean[k]),
                "sigma_ohm": float(self.sigma[k]),
                "i_a": float(self.current[k]),
            }
            for k in range(len(self.mean))
        ]


def extract_levels(data: DataSet) -> LevelTable:
    """States of repeated ladders: mean and spread over cycles and devices of the reading after each pulse.

    Raises
    ------
    MeasurementError
        Without at least five equal pulse trains.
    """
    trains = [record for record in data.records if record.kind is RecordKind.TRAIN]
    alike = [
        r
        for r in trains
        if len(r.current) == len(trains[0].current) and np.array_equal(r.current, trains[0].current)
    ]
    if len(alike) < FEWEST_CYCLES:
        raise MeasurementError(
            f"{data.name}: {len(alike)} equal pulse trains, allowed: at least {FEWEST_CYCLES}; name the column of the "
            "cycle in `columns`"
        )
    read = np.stack([record.value for record in alike])
    mean, sigma = np.nanmean(read, axis=0), np.nanstd(read, axis=0, ddof=1)
    order = np.argsort(mean)
    return LevelTable(
        mean=mean[order], sigma=sigma[order], current=alike[0].current[order], cycles=len(alike)
    )


def suggested_ladder(card: DeviceCard, table: LevelTable, error_rate: float) -> tuple[Floats, Floats]:
    """Equally spaced levels [ohm] and their currents [A], as many as fit between a table's end states."""
    top = float(switched_fraction(card, float(np.nanmax(table.current)), h_x=card.synapse.h_x.value))
    return equal_ladder(card, max(2, table.possible(error_rate)), min(top, 0.99))


def read_state_table(path: str | Path) -> LevelTable:
    """A plain CSV table with the columns ``mean_ohm`` and ``sigma_ohm``, without any physics.

    Raises
    ------
    DocumentError
        When a column is missing, or a number wrong.
    """
    table = read_csv(path)
    lines = table.records(_numbers, needed=("mean_ohm", "sigma_ohm"), allowed=None)
    cells = np.array(lines).reshape(-1, len(table.header))
    mean, sigma = (cells[:, table.header.index(column)] for column in ("mean_ohm", "sigma_ohm"))
    if (
        len(mean) < 2
        or not np.isfinite(cells).all()
        or np.any(np.diff(np.sort(mean)) <= 0.0)
        or np.any(sigma < 0.0)
    ):
        what = "needs two states or more, all finite and different, with sigma_ohm of 0 or more"
        raise DocumentError([Mistake(table.name, None, "", what)])
    order = np.argsort(mean)
    return LevelTable(mean=mean[order], sigma=sigma[order], current=np.full(len(mean), np.nan), cycles=0)


def _numbers(cells: dict[str, str]) -> list[float]:
    numbers = []
    for column, cell in cells.items():
        try:
            numbers.append(parse_number(cell))
        except ValueError:
            raise CellError(column, f"is no number: {cell!r}") from None
    return numbers


def state_table_card(table: LevelTable, name: str) -> DeviceCard:
    """A card whose levels are those of a table; its write currents are placeholders from the shipped law.

    The window is stretched to 1.05 times that of the table, so that the shipped law reaches every state.
    """
    node = load_card().model_dump(mode="json")
    window = 1.05 * float(table.mean[-1] - table.mean[0])
    told = f"state table {name}"
    node["hall"]["r_reset"].update(
        value=float(table.mean[0]), provenance=Provenance.MEASURED.value, source=told
    )
    for law in ("set_a", "set_b"):
        node["switching"][law]["delta_r"].update(
            value=window, provenance=Provenance.ASSUMED.value, source=f"1.05 times the states of {told}"
        )
    node["synapse"]["levels"].update(
        value=table.mean.tolist(), provenance=Provenance.MEASURED.value, source=told
    )
    share = (table.mean[1:] - table.mean[0]) / window
    from_law = [float(i) for i in programming_current(load_card(), share)]
    node["synapse"]["ladder"].update(
        value=from_law,
        provenance=Provenance.ASSUMED.value,
        source="no physics in a state table: from the shipped law",
    )
    node.update(name=name, description=f"states of {told}, without physics", based_on=SHIPPED)
    return DeviceCard.model_validate(node)


def pulse_response(card: DeviceCard, pulses: int = 32) -> list[dict[str, float]]:
    """Potentiation and depression by equal steps of the current, as simulators of analogue memories take them.

    Rows of pulse number, normalised state (0 to 1) on the way up and on the way down, and the standard deviation of
    the state from cycle to cycle. Currents rise in equal steps from the onset to the largest write current.

    Raises
    ------
    ValueError
        When the largest write current switches nothing.
    """
    top = float(np.max(synapse.ladder_currents(card)))
    currents = np.linspace(disturb_onset_current(card), top, pulses + 1)
    up = np.asarray(switched_fraction(card, currents))
    whole = float(up[-1])
    if not whole > 0.0:
        t_pulse = card.synapse.t_pulse.value
        raise ValueError(
            f"the largest write current of the card, {top:g} A for {t_pulse:g} s, switches nothing: there is no "
            "response to pulses; allowed: synapse.ladder and synapse.t_pulse that move the state"
        )
    return [
        {
            "pulse": float(k),
            "i_a": float(currents[k]),
            "state_up": float(up[k]) / whole,
            "state_down": 1.0 - float(up[k]) / whole,
            "sigma_cycle": spread_after(card, float(currents[k])).cycle / whole if up[k] > 0.0 else 0.0,
        }
        for k in range(pulses + 1)
    ]


def nonlinearity(response: Sequence[float]) -> float:
    """Constant A of x(P) = (1 - exp(-P/A))/(1 - exp(-1/A)) that meets a normalised response best (NeuroSim's form).

    P is the share of the pulses; a large A is linear, a small positive one saturates early, a negative one late.

    Examples
    --------
    >>> P = np.linspace(0.0, 1.0, 33)
    >>> round(nonlinearity((1 - np.exp(-P / 0.5)) / (1 - np.exp(-2.0))), 3)
    0.5
    """
    x = np.asarray(response, dtype=float)
    share = np.linspace(0.0, 1.0, len(x))

    def misfit(inverse: float) -> float:
        curve = share * exprel(-share * inverse) / exprel(-inverse)
        return float(np.sum((curve - x) ** 2))

    found = minimize_scalar(misfit, bounds=(-20.0, 20.0), method="bounded", options={"xatol": 1e-9})
    return float(1.0 / found.x)
