"""Speed of array reads: transfer matrices of single tiles, and of a whole network with its images.

Run with one thread: ``OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/read.py``. Everything is measured
in the same run, so that the ratios hold although the times depend on the machine. Another solver gets two ratios:
fed one image after the other, and fed the identity, which is its own transfer matrix.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import itertools
import logging
import resource
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.sparse.linalg import splu, spsolve

from circuits.arrays.architecture import Architecture
from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar
from circuits.arrays.mismatch import draw_mismatch
from circuits.network import BranchKind
from circuits.solve.block_lu import lu_factors
from circuits.solve.branches import nodal_matrix
from circuits.solve.dissection import elimination_rank
from circuits.solve.grid import block_tridiagonal, hierarchical_merge
from circuits.solve.nodal import factor
from circuits.solve.transfer import transfers
from circuits.spice.engine import SpiceError, find_simulator
from circuits.spice.ngspice import simulate
from circuits.threads import one_blas_thread
from compact_model.numeric import Floats

LAYERS = (784, 256, 128, 10)
IMAGES = 10_000
SPSOLVE_UP_TO = 128
BADCROSSBAR_UP_TO = 128
NGSPICE_UP_TO = 128
NODAL_UP_TO = 256
HALL_UP_TO = 128
ENOUGH = 0.2  # seconds of runs
IMAGE_BY_IMAGE = 10  # images whose time is scaled up

RESISTIVE = ArrayConfig(architecture="resistive", r_row=1.0, r_column=1.0, r_output=0.0, r_input=1e-12)
PARALLEL = ArrayConfig(architecture="active_parallel")


def timed(action: Callable[[], Any], repeats: int = 3) -> tuple[float, Any]:
    """Shortest time of a few runs [s], of many runs where they are short; and the result."""
    times, result = [], None
    while len(times) < repeats or (repeats > 1 and sum(times) < ENOUGH):
        start = time.perf_counter()
        result = action()
        times.append(time.perf_counter() - start)
        if times[0] > 2:
            break
    return min(times), result


def line(name: str, seconds: float, fastest: float, agreement: float | None) -> None:
    agrees = "" if agreement is None else f"   differs by {agreement:.1e}"
    print(f"    {name:44s} {1e3 * seconds:12.2f} ms   {seconds / fastest:9.1f} x{agrees}")


def difference(found: Floats, reference: Floats) -> float:
    return float(np.abs(found - reference).max() / np.abs(reference).max())


def with_spsolve(network: Any) -> Floats:
    """What scipy does by default with the same equations, one right-hand side per input."""
    matrix = nodal_matrix(network)
    driven = network.plus[network.kind == BranchKind.VOLTAGE]
    free = np.setdiff1d(np.arange(network.n_nodes), driven)
    right = -matrix[free][:, driven].tocsc()
    voltages = spsolve(matrix[free][:, free].tocsc(), right)
    feet = np.searchsorted(free, network.output_plus)
    return np.asarray(voltages.toarray()[feet] * network.output_scale[:, None])


def one_tile(size: int) -> None:
    states = np.random.default_rng(size).uniform(1e4, 1e5, (1, size, size))
    images = np.random.default_rng(0).uniform(0, 1, (IMAGE_BY_IMAGE, size))
    print(f"\n{size} x {size} resistive tile, cells 10..100 kohm, wires 1 ohm: transfer matrix")
    merge, reference = timed(lambda: hierarchical_merge(states, RESISTIVE)[0])
    rows, by_rows = timed(lambda: block_tridiagonal(states, RESISTIVE)[0])
    fastest = min(merge, rows)
    line("hierarchical merge", merge, fastest, None)
    line("block tridiagonal", rows, fastest, difference(by_rows, reference))
    network = crossbar(states[0], RESISTIVE)
    if size <= NODAL_UP_TO:
        seconds, found = timed(lambda: factor(crossbar(states[0], RESISTIVE)).transfer())
        line("sparse LU of the network", seconds, fastest, difference(found, reference))
    if size <= SPSOLVE_UP_TO:
        with one_blas_thread():
            seconds, found = timed(lambda: with_spsolve(network))
        line(f"scipy spsolve, {size} right-hand sides", seconds, fastest, difference(found, reference))
    theirs = badcrossbar()
    if theirs is not None and size <= BADCROSSBAR_UP_TO:
        quiet = {"r_i": 1.0, "node_voltages": False, "all_currents": False}
        seconds, found = timed(lambda: theirs.compute(np.eye(size), states[0], **quiet).currents.output)
        line("badcrossbar fed the identity", seconds, fastest, difference(found.T, reference))
        seconds, _ = timed(
            lambda: [theirs.compute(image[:, None], states[0], **quiet) for image in images], repeats=1
        )
        line(f"badcrossbar fed {IMAGES} images one by one", seconds * IMAGES / IMAGE_BY_IMAGE, fastest, None)
        ours, _ = timed(lambda: np.ones((IMAGES, size)) @ reference.T)
        line(f"{IMAGES} images through the transfer matrix", ours + fastest, fastest, None)
    if not find_simulator().problem and size <= NGSPICE_UP_TO:
        try:
            seconds, found = timed(lambda: simulate(network, images), repeats=1)
            expected = images @ reference.T
            line(
                f"ngspice, {IMAGE_BY_IMAGE} images in one run", seconds, fastest, difference(found, expected)
            )
        except SpiceError as error:
            print(f"    ngspice: {str(error).splitlines()[0]}")


def every_node(network: Any, name: str) -> None:
    """Nested dissection with its LU, against scipy's default ordering; and the transfer matrix that it gives."""
    seconds, _ = timed(lambda: factor(network).transfer())
    driven = network.plus[network.kind == BranchKind.VOLTAGE]
    free = np.setdiff1d(np.arange(network.n_nodes), driven)
    matrix, places = nodal_matrix(network)[free][:, free], network.places[:, free]

    def dissected() -> Any:
        order = np.argsort(elimination_rank(matrix, places), kind="stable")
        return matrix[order][:, order].tocsc()

    ordering, ordered = timed(dissected)
    default_order = matrix.tocsc()
    ours, factors = timed(lambda: lu_factors(ordered, ordered=True))
    with one_blas_thread():
        default, theirs = timed(lambda: splu(default_order))
    both = default / (ordering + ours)
    print(
        f"    {name:20s}: transfer matrix {1e3 * seconds:7.1f} ms; order {1e3 * ordering:4.1f} LU {1e3 * ours:6.1f} ms;"
        f" scipy's default {1e3 * default:6.1f} ms = {default / ours:4.1f} x the LU, {both:4.1f} x both,"
        f" {theirs.nnz / factors.nnz:.1f} x the entries"
    )


def hall_arrays(size: int) -> None:
    random = np.random.default_rng(size)
    states = random.uniform(0.33, 0.57, (size, size))
    mismatch = draw_mismatch((size, size), random, relative=0.01)
    for config in (replace(PARALLEL, architecture=Architecture.PASSIVE_PARALLEL), PARALLEL):
        every_node(crossbar(states, config, mismatch), f"{config.architecture.value} {size}")


def badcrossbar() -> Any:
    """The package, or None. Without cairo it warns, through all filters, that it can't draw."""
    with warnings.catch_warnings(record=True), contextlib.suppress(ImportError):
        package = importlib.import_module("badcrossbar")
        logging.getLogger("badcrossbar").setLevel(logging.ERROR)
        return package
    return None


def tile_shapes(size: int) -> dict[tuple[int, int], int]:
    """How many tiles of each shape hold the network in differential pairs."""
    counts: dict[tuple[int, int], int] = {}
    for inputs, outputs in itertools.pairwise(LAYERS):
        for row in range(0, inputs, size):
            for column in range(0, outputs, size):
                shape = min(size, inputs - row), min(size, outputs - column)
                counts[shape] = counts.get(shape, 0) + 2
    return counts


def network_of_tiles(config: ArrayConfig, size: int) -> None:
    random = np.random.default_rng(0)
    low, high = (0.33, 0.57) if config.architecture.hall else (1e4, 1e5)
    tiles = [random.uniform(low, high, (count, *shape)) for shape, count in tile_shapes(size).items()]
    solved, found = timed(lambda: [transfers(states, config) for states in tiles])

    def images() -> None:
        for inputs, outputs in itertools.pairwise(LAYERS):
            activations, weights = np.ones((IMAGES, inputs)), np.ones((outputs, inputs))
            np.maximum(activations @ weights.T, 0)

    read, _ = timed(images)
    methods = ", ".join(sorted({transfer.method.value for transfer in found}))
    count = sum(len(states) for states in tiles)
    name = config.architecture.value
    print(f"    {name:16s} {size:4d}: {count:4d} tiles {solved:6.2f} s + images {read:5.2f} s   ({methods})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=[16, 32, 64, 128, 256, 512])
    given = parser.parse_args()
    simulator = find_simulator()
    print(f"ngspice {simulator.version}, KLU: {simulator.klu}; badcrossbar: {badcrossbar() is not None}")
    for size in given.sizes:
        one_tile(size)
    print("\nEvery node, by sparse LU in the order of a nested dissection")
    for size in given.sizes:
        if size <= HALL_UP_TO:
            hall_arrays(size)
        if size <= NODAL_UP_TO:
            states = np.random.default_rng(size).uniform(1e4, 1e5, (size, size))
            every_node(crossbar(states, RESISTIVE), f"resistive {size}")
    print(f"\n{'-'.join(map(str, LAYERS))} in differential pairs, all transfer matrices and {IMAGES} images")
    for config in (RESISTIVE, PARALLEL):
        for size in (64, 128, 256):
            network_of_tiles(config, size)
    print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
