"""Array architectures: cell states in, `Network` out.

To add one: a function from states, `ArrayConfig` and `Mismatch` to a `Network`, made of the parts in
`circuits.arrays.parts`; a member of `Architecture`; a line in `_TOPOLOGIES`. Configurations, solvers, netlists,
`hallspice read`, `hallspice compare` and the tests that run over all of `Architecture` follow by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields

import numpy as np
from numpy.typing import ArrayLike

from circuits.arrays.architecture import Architecture
from circuits.arrays.config import ArrayConfig
from circuits.arrays.mismatch import Mismatch, no_mismatch
from circuits.arrays.parallel import active_parallel, passive_parallel, resistive
from circuits.arrays.series import active_series, row_alone, row_multiplexed, series_hall
from circuits.network import Network
from compact_model.numeric import Floats

_LEAK = 1e-4  # channels of a row over an open switch: above, the states of idle rows are seen

_TOPOLOGIES: dict[Architecture, tuple[Callable[..., Network], Callable[[Floats, ArrayConfig], Floats]]] = {
    Architecture.RESISTIVE: (resistive, lambda r, _: 1 / r),
    Architecture.ACTIVE_PARALLEL: (active_parallel, lambda r, config: config.gm / config.r_channel * r),
    Architecture.PASSIVE_PARALLEL: (passive_parallel, lambda r, config: r / (r.shape[1] * config.r_channel)),
    Architecture.ACTIVE_SERIES: (active_series, lambda r, config: config.gm * r),
    Architecture.SERIES_HALL: (series_hall, lambda r, _: r),
    Architecture.ROW_MULTIPLEXED: (row_multiplexed, lambda r, _: r),
}
"""Builder, and output per input without losses from the states (columns, rows).

A builder takes states, array and mismatch, and the selected row where rows are read in turns.
"""


def crossbar(
    states: ArrayLike, config: ArrayConfig, mismatch: Mismatch | None = None, *, slot: int = 0
) -> Network:
    """The array as a network.

    Parameters
    ----------
    states
        (rows, columns) [Ohm]: cell resistance for `resistive`, Hall resistance R_xy for Hall cells.
    config
        Everything else.
    mismatch
        Deviations of the Hall cells; None: there are none. `resistive` has no use for it.
    slot
        Which time slot, for the architecture that reads one row after the other. Each slot is a network of its
        own, in which only the input of its row has an effect; the outputs of all slots are added digitally.

    Returns
    -------
    Network
        One input per row, one output per column, in the units of `Architecture`. Probes: ``"channel"``;
        ``"arms"`` for Hall cells.

    Raises
    ------
    ValueError
        When a state is not a finite number (positive, for `resistive`), or there are none.

    Examples
    --------
    >>> network = crossbar([[1e4, 2e4]], ArrayConfig(architecture=Architecture.RESISTIVE))
    >>> network.n_inputs, network.output_names
    (1, ('i0', 'i1'))
    """
    return network_of(checked_states(states, config), config, mismatch, slot)


def network_of(resistance: Floats, config: ArrayConfig, mismatch: Mismatch | None, slot: int) -> Network:
    """As `crossbar`, for Hall resistances of any sign."""
    spread = no_mismatch(resistance.shape) if mismatch is None else mismatch
    if spread.channel.shape != resistance.shape:
        raise ValueError(
            f"mismatch has shape {spread.channel.shape}, expected that of the states, {resistance.shape}"
        )
    count = slots(config, len(resistance))
    if not 0 <= slot < count:
        raise ValueError(f"slot = {slot}, allowed: 0 <= value < {count}")
    build, _ = _TOPOLOGIES[config.architecture]
    return build(resistance, config, spread, *([slot] if config.architecture.in_turns else []))


def read_networks(
    states: ArrayLike, config: ArrayConfig, mismatch: Mismatch | None = None
) -> Iterator[tuple[slice, Network]]:
    """The networks that a read solves one after another, each with the rows that are its inputs.

    It is one of all rows, or one per row where rows take turns; there the idle rows are a single chain, unless they
    leak (`idle_rows_are_alike`). Parameters as for `crossbar`.
    """
    resistance = checked_states(states, config)
    rows, columns = resistance.shape
    spread = no_mismatch(resistance.shape) if mismatch is None else mismatch
    if not config.architecture.in_turns:
        yield slice(0, rows), network_of(resistance, config, spread, 0)
        return
    for row in range(rows):
        if idle_rows_are_alike(config, columns):
            yield slice(row, row + 1), one_turn(resistance, config, spread, row)
        else:
            yield slice(0, rows), network_of(resistance, config, spread, row)


def one_turn(resistance: Floats, config: ArrayConfig, spread: Mismatch, row: int) -> Network:
    """The network of a row that is read while the others are idle, in all of which its input is the only one."""
    every = {field.name: getattr(spread, field.name)[row : row + 1] for field in fields(spread)}
    below = len(resistance) - row
    return row_alone(resistance[row : row + 1], config, Mismatch(**every), below, len(resistance) - 1)


def idle_rows_are_alike(config: ArrayConfig, columns: int) -> bool:
    """Whether idle rows load the columns alike whatever their states, to 1e-6 of an output.

    Examples
    --------
    >>> idle_rows_are_alike(ArrayConfig(architecture="row_multiplexed", r_channel=500.0, r_switch_off=1e10), 64)
    True
    """
    return columns * config.r_channel <= _LEAK * config.r_switch_off


def slots(config: ArrayConfig, rows: int) -> int:
    """Number of time slots of a read: one, or one per row where rows are read in turns."""
    return rows if config.architecture.in_turns else 1


def amplifiers(config: ArrayConfig, shape: tuple[int, int]) -> int:
    """Number of amplifiers of an array: one per cell, or one per column whose voltage is read; none for `resistive`.

    Examples
    --------
    >>> [amplifiers(ArrayConfig(architecture=a), (4, 3)) for a in ("active_series", "row_multiplexed", "resistive")]
    [12, 3, 0]
    """
    if config.architecture.amplified:
        return shape[0] * shape[1]
    return shape[1] if config.architecture.output_unit == "V" else 0


def ideal_transfer(states: ArrayLike, config: ArrayConfig) -> Floats:
    """Output per input without wires, drivers, offsets and common mode, (columns, rows).

    ``1 / R`` for `resistive`; ``gm R_xy / r_channel`` for `active_parallel`, its mean over the rows ``R_xy /
    (rows r_channel)`` for `passive_parallel`; ``gm R_xy`` for `active_series`; ``R_xy`` for `series_hall` and
    `row_multiplexed`.
    """
    _, ideal = _TOPOLOGIES[config.architecture]
    return np.ascontiguousarray(ideal(checked_states(states, config).T, config))


def checked_states(states: ArrayLike, config: ArrayConfig) -> Floats:
    """States as a (rows, columns) array of floats [Ohm]; ValueError naming the first wrong cell.

    A Hall resistance has a sign; the resistance of a two-terminal cell is positive.
    """
    resistance = np.asarray(states, dtype=float)
    if resistance.ndim != 2 or resistance.size == 0:
        raise ValueError(f"states have shape {resistance.shape}, expected (rows, columns), each at least 1")
    hall = config.architecture.hall
    wrong = ~np.isfinite(resistance) if hall else ~(np.isfinite(resistance) & (resistance > 0))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        what, allowed = ("R_xy", "a finite value") if hall else ("cell resistance", "0 < value < inf")
        raise ValueError(
            f"{what} of cell ({row}, {column}) = {resistance[row, column]} Ohm, allowed: {allowed}"
        )
    return resistance
