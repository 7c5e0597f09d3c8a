"""Sampled tiles read again in ngspice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from circuits.solve.nodal import factor
from circuits.spice import engine, netlist, ngspice, size
from compact_model.numeric import Floats
from hallspice.inference.model_on_arrays import ModelOnArrays
from hallspice.inference.results import CheckedTile, ReadCertificate
from hallspice.progress import Reporter
from nn_mapping.accuracy import sample_reads


def certificate_of(on_arrays: ModelOnArrays, folder: Path, progress: Reporter) -> ReadCertificate:
    """Read sampled tiles again in ngspice; their netlists are written to `folder`."""
    wanted = on_arrays.setup.config.certificate
    simulator = engine.find_simulator()
    name = f"ngspice {simulator.version}" if simulator.version else None

    def not_run(reason: str) -> ReadCertificate:
        return ReadCertificate(
            simulator=name,
            tiles=0,
            max_relative_difference=None,
            tolerance=wanted.tolerance,
            passed=None,
            checked=(),
            reason=reason,
        )

    if wanted.tiles == 0:
        return not_run("certificate.tiles is 0")
    if simulator.library is None or simulator.problem:
        found = simulator.problem.splitlines()[0] if simulator.problem else "no ngspice library was found"
        return not_run(f"{found}; see `hallspice doctor`")
    samples = sample_reads(
        on_arrays.arrays,
        on_arrays.tiles,
        on_arrays.examples,
        tiles=wanted.tiles,
        vectors=wanted.vectors,
        seed=on_arrays.seed,
    )
    folder.mkdir()
    checked: list[CheckedTile] = []
    for number, (place, voltages) in enumerate(samples):
        progress(number, len(samples), f"checking in ngspice: {on_arrays.tiles[place].name}")
        try:
            checked.extend(_checked(on_arrays, place, voltages, folder))
        except size.TooLargeError as error:  # the rest of the run is sound without the check
            return not_run(" ".join(str(error).splitlines()))
    progress(len(samples), len(samples), "checking in ngspice: done")
    if not checked:
        return not_run("nothing was compared: inputs or outputs of every tile were zero")
    largest = max(one.relative_difference for one in checked)
    return ReadCertificate(
        simulator=name,
        tiles=len(checked),
        max_relative_difference=largest,
        tolerance=wanted.tolerance,
        passed=largest <= wanted.tolerance,
        checked=tuple(checked),
    )


def _checked(on_arrays: ModelOnArrays, place: int, voltages: Floats, folder: Path) -> Iterator[CheckedTile]:
    """Read the tile at `place` with `voltages` [V], shape (vectors, rows), in ngspice and in the nodal solver.

    Where rows take turns, it is the turn of the row with the largest inputs.
    Nothing comes where all outputs are zero in both: nothing differs from nothing, and that shows nothing.
    """
    tile = on_arrays.tiles[place]
    in_turns = on_arrays.setup.array.architecture.in_turns
    network = on_arrays.network(place, int(np.abs(voltages).sum(axis=0).argmax()) if in_turns else 0)
    simulated = ngspice.simulate(network, voltages, limit_s=on_arrays.setup.config.certificate.longest)
    solved = factor(network).solve(voltages).outputs
    largest = float(max(np.abs(simulated).max(), np.abs(solved).max()))
    rows, columns = tile.shape
    shape = f"{rows} x {columns}"
    title = f"hallspice: {on_arrays.setup.array.architecture} tile {tile.name}, {shape}, one test image"
    heard = voltages[voltages.any(axis=1)]
    deck = netlist.netlist(network, heard[0], title, engine.deck_options())
    (folder / f"{tile.name}.cir").write_text(deck, encoding="utf-8")
    if largest > 0.0:
        difference = float(np.abs(simulated - solved).max()) / largest
        yield CheckedTile(name=tile.name, shape=shape, vectors=len(voltages), relative_difference=difference)
