"""The tiles of a model as circuits: what each one does to its inputs, and what that costs."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import ideal_transfer, read_networks
from circuits.network import Role
from circuits.solve.nodal import factor
from circuits.solve.tensor import TransferTensor, transfer_tensor
from circuits.solve.transfer import Method
from circuits.workers import worker_processes

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from circuits.arrays.mismatch import Mismatch
    from compact_model.numeric import Floats
    from nn_mapping.analog.placement import Tile


@dataclass(frozen=True, slots=True, kw_only=True)
class TileResponse:
    """A solved tile. A linear network needs no more than this for any input."""

    transfer: Floats
    """Column currents per row voltage [A/V], shape (columns, rows)."""
    power_forms: dict[Role, Floats]
    """Role of elements -> Q [W/V^2], shape (rows, rows): power is ``v @ Q @ v``; the roles sum to what the
    sources deliver. Where rows take turns, it is the sum over all turns."""
    imbalance: float
    """Power of the sources minus the sum of the roles, over the former, for a full input (Tellegen's theorem)."""

    @property
    def delivered(self) -> float:
        """Power that the sources deliver when all inputs are 1 [W/V^2]."""
        return sum(float(form.sum()) for form in self.power_forms.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class SolvedTiles:
    """All tiles of a model, and how they were solved."""

    responses: tuple[TileResponse, ...]
    method: Method
    """`Method.NODAL` or `Method.TENSOR`."""
    reason: str
    """Why."""
    checked: str = ""
    """Tile that was also solved in full, when all of them are."""
    transfer_difference: float = 0.0
    """Of its transfer matrix, relative to the largest entry."""
    power_difference: float = 0.0
    """Of the power that its sources deliver to full inputs, relative."""

    @property
    def transfers(self) -> list[Floats]:
        """Transfer matrix of each tile [A/V], shape (columns, rows)."""
        return [response.transfer for response in self.responses]


def choose_solver(
    config: ArrayConfig, mismatches: Sequence[Mismatch | None], *, exact: bool = False
) -> tuple[Method, str]:
    """How tiles are solved, and why.

    Examples
    --------
    >>> choose_solver(ArrayConfig(architecture="active_parallel"), [None])[0]
    <Method.TENSOR: 'tensor'>
    """
    if not config.architecture.hall:
        return Method.NODAL, "the power of two-terminal cells depends on all states"
    if exact:
        return Method.NODAL, "array.exact asks for it"
    if any(mismatch is not None for mismatch in mismatches):
        return Method.NODAL, "every tile has a mismatch, and so equations, of its own"
    return (
        Method.TENSOR,
        "the read is linear in the Hall resistances to 1e-6, and tiles of a shape share a solution",
    )


def solve_network(
    tiles: Sequence[Tile],
    config: ArrayConfig,
    mismatches: Sequence[Mismatch | None],
    *,
    exact: bool = False,
    workers: int = 1,
    progress: Callable[[int, int, str], None] | None = None,
) -> SolvedTiles:
    """Solve every tile, by the transfer tensor where it serves.

    With the tensor, the first tile of each shape is solved in full as well, for the power of all of its shape: it
    depends on the states by (R_xy / R_channel)^2 = 1e-6 only. The last tile of the most frequent shape is solved in
    full to see how far both are off.

    Parameters
    ----------
    tiles
        With the states of their cells.
    config
        Electrical description of the array.
    mismatches
        Deviations of the Hall cells of each tile; None: there are none.
    exact
        Solve each tile in full.
    workers
        Processes for the full solutions; each works with one thread.
    progress
        Called after each tile with tiles done, tiles in all, and the tile's name.
    """
    method, reason = choose_solver(config, mismatches, exact=exact)
    if method is Method.NODAL:
        responses = solve_tiles(tiles, config, workers, progress, mismatches)
        return SolvedTiles(responses=responses, method=method, reason=reason)
    known: dict[tuple[int, ...], tuple[TransferTensor, TileResponse]] = {}
    found = []
    with threadpool_limits(1):
        for number, tile in enumerate(tiles):
            if tile.shape not in known:
                shared = transfer_tensor(tile.shape, config), solve_tile(tile.states, None, config)
                known[tile.shape] = shared
            tensor, first = known[tile.shape]
            found.append(replace(first, transfer=tensor.transfer(tile.states)))
            if progress is not None:
                progress(number + 1, len(tiles), tile.name)
        shapes = [tile.shape for tile in tiles]
        last = len(shapes) - 1 - shapes[::-1].index(max(shapes, key=shapes.count))
        full = solve_tile(tiles[last].states, None, config)
    largest = np.abs(full.transfer).max()
    return SolvedTiles(
        responses=tuple(found),
        method=method,
        reason=reason,
        checked=tiles[last].name,
        transfer_difference=float(np.abs(found[last].transfer - full.transfer).max() / largest),
        power_difference=abs(found[last].delivered / full.delivered - 1),
    )


def solve_tiles(
    tiles: Sequence[Tile],
    config: ArrayConfig,
    workers: int = 1,
    progress: Callable[[int, int, str], None] | None = None,
    mismatches: Sequence[Mismatch | None] | None = None,
) -> tuple[TileResponse, ...]:
    """Solve every tile in full, with its wires, drivers and sense resistors.

    Parameters
    ----------
    tiles
        With the states of their cells.
    config
        Electrical description of the array.
    workers
        Processes; each works with one thread.
    progress
        Called after each tile with tiles done, tiles in all, and the tile's name.
    mismatches
        Deviations of the Hall cells of each tile; None: there are none.
    """
    spreads = [None] * len(tiles) if mismatches is None else mismatches
    tasks = [(tile.states, spread) for tile, spread in zip(tiles, spreads, strict=True)]
    responses = []
    with closing(_each(partial(_solve_task, config=config), tasks, workers)) as solved:
        for number, response in enumerate(solved):
            responses.append(response)
            if progress is not None:
                progress(number + 1, len(tasks), tiles[number].name)
    return tuple(responses)


_Task = tuple["Floats", "Mismatch | None"]


def _solve_task(task: _Task, config: ArrayConfig) -> TileResponse:
    return solve_tile(*task, config)


def solve_tile(states: Floats, mismatch: Mismatch | None, config: ArrayConfig) -> TileResponse:
    """Transfer matrix and power forms of one tile with the given cell states (rows, columns)."""
    rows, columns = states.shape
    transfer = np.zeros((columns, rows))
    forms = {role: np.zeros((rows, rows)) for role in Role}
    delivered = 0.0
    for inputs, network in read_networks(states, config, mismatch):
        factored = factor(network)
        transfer[:, inputs] += factored.transfer()
        for role, form in factored.power_forms().items():
            forms[role][inputs, inputs] += form
        full = np.ones(network.n_inputs)[np.newaxis]
        delivered += float(factored.solve(full).source_power.item())
    taken = sum(float(form.sum()) for form in forms.values())
    return TileResponse(transfer=transfer, power_forms=forms, imbalance=abs(delivered - taken) / delivered)


def ideal_transfers(tiles: Sequence[Tile], config: ArrayConfig) -> tuple[Floats, ...]:
    """Transfer matrices [A/V], shape (columns, rows), of tiles without wires, drivers and offsets."""
    return tuple(ideal_transfer(tile.states, config) for tile in tiles)


def _each(
    solve: Callable[[_Task], TileResponse], tasks: list[_Task], workers: int
) -> Generator[TileResponse]:
    if workers == 1:
        with threadpool_limits(1):
            yield from map(solve, tasks)
        return
    with worker_processes(workers) as pool:
        for future in [pool.submit(solve, task) for task in tasks]:
            yield future.result()
