"""Memory and time of large loads, each a command in a process of its own.

Run with one thread: ``OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/loads.py``. Reads of 10,000 vectors
stand beside one transfer matrix of the same array and the writing of as many numbers. Of a sweep, what its worker
computes is timed by the worker; the rest is the overhead. Memory is that of the command's own process.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar
from circuits.solve.nodal import factor
from hallspice.page.csv_text import csv_lines

VECTORS = 10_000
SIDES = (128, 256)
PULSES = 1_000_000
READINGS = 1_000_000
ARCHITECTURE = "passive_parallel"
SWEEP = """\
seed: 6
network: {layers: [784, 10], epochs: 1, batch_size: 512}
array: {rows: 64, columns: 64}
sweep: {certify: none}
"""
PROGRAM = """\
import atexit, resource
atexit.register(lambda: open("peak", "w").write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)))
from hallspice.cli import main
main()
"""


class Used(NamedTuple):
    """Times of a command [s]."""

    seconds: float
    processor: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=200, help="points of the sweep")
    points: int = parser.parse_args().points
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start(folder)
        for side in SIDES:
            read(folder, side)
        pulse(folder)
        sweep(folder, points)
        fit(folder)


def start(folder: Path) -> None:
    """What a read takes before it has anything to do."""
    (folder / "array.yaml").write_text(f"array: {{architecture: {ARCHITECTURE}}}\n")
    write(folder / "states.csv", "ohm", [[0.4, 0.5]])
    write(folder / "inputs.csv", "v", [[0.4]])
    files = ["--states", "states.csv", "--inputs", "inputs.csv", "--out", "outputs.csv"]
    run(folder, ["read", "array.yaml", *files], "read, 1 x 2, one vector")


def read(folder: Path, side: int) -> None:
    random = np.random.default_rng(0)
    write(folder / "states.csv", "ohm", random.uniform(0.34, 0.56, (side, side)).tolist())
    write(folder / "inputs.csv", "v", random.uniform(-0.5, 0.5, (VECTORS, side)).tolist())
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        alone = pool.apply(transfer_and_writing, (side, folder / "alone.csv"))
    files = ["--states", "states.csv", "--inputs", "inputs.csv", "--out", "outputs.csv"]
    used = run(folder, ["read", "array.yaml", *files], f"read, {side} x {side}, {VECTORS} vectors").processor
    print(f"    {used / alone:.2f} times a transfer matrix and writing, {alone:.1f} s of processor")


def write(path: Path, name: str, rows: Sequence[Sequence[float]]) -> None:
    with path.open("w") as stream:
        stream.writelines(csv_lines([name] * len(rows[0]), rows))


def transfer_and_writing(side: int, path: Path) -> float:
    """Processor time of one transfer matrix, and of writing outputs [s]."""
    random = np.random.default_rng(0)
    states, outputs = random.uniform(0.34, 0.56, (side, side)), random.normal(size=(VECTORS, side))
    start = time.process_time()
    factor(crossbar(states, ArrayConfig(architecture=ARCHITECTURE))).transfer()
    write(path, "v", outputs.tolist())
    return time.process_time() - start


def pulse(folder: Path) -> None:
    currents = np.random.default_rng(1).uniform(-16e-3, 16e-3, PULSES)
    with (folder / "pulses.csv").open("w") as stream:
        stream.writelines(
            csv_lines(["i_a", "t_pulse_s"], ([current, 200e-6] for current in currents.tolist()))
        )
    run(folder, ["pulse", "default", "pulses.csv", "--out", "trace.csv"], f"pulse, {PULSES} lines")


def sweep(folder: Path, points: int) -> None:
    (folder / "sweep.yaml").write_text(SWEEP)
    command = ["sweep", "sweep.yaml", "--workers", "1", "--quiet"]
    few = max(1, points // 10)
    run(
        folder, [*command, "--set", "array.wire.r_row=10 mohm", "--out", "one"], "sweep, training and 1 point"
    )
    for count in (few, points):
        values, out = f"array.wire.r_row=10 mohm..20 mohm:lin:{count}", f"sweep{count}"
        used = run(folder, [*command, "--set", values, "--out", out], f"sweep, {count} points, one worker")
        records = [json.loads(path.read_text()) for path in (folder / out / "points").glob("*.json")]
        inside = [record["seconds"] for record in records]
        beside = (used.seconds - sum(inside)) / count
        print(
            f"    a point: median {statistics.median(inside):.2f} s in the worker, {beside:.2f} s beside it"
        )


def fit(folder: Path) -> None:
    points = ["--protocol", "loops", "--points", "18000"]
    run(folder, ["measure", "default", *points, "--out", "data"])
    table = folder / "data" / "loops.csv"
    remark, header, *lines = table.read_text().splitlines(keepends=True)
    command = ["fit", "data/data.yaml", "--out", "card.yaml", "--report", "fitted"]
    run(folder, command, f"fit, {len(lines)} readings")
    table.write_text("".join([remark, header, *(lines * (READINGS // len(lines) + 1))[:READINGS]]))
    run(folder, command, f"fit, {READINGS} readings")


def run(folder: Path, arguments: Sequence[str], name: str | None = None) -> Used:
    """Time of a command; with a name it is printed, with the memory."""
    environment = {**os.environ, "HALLSPICE_CACHE": str(folder / "cache")}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        check=False,
        text=True,
    )
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak = int((folder / "peak").read_text()) / 1024
    if name is not None:
        print(f"{name:34s} {seconds:7.1f} s ({processor:.1f} of processor), {peak:5.0f} MiB", flush=True)
        if done.returncode:
            print(f"    exit code {done.returncode}: {done.stderr.strip()[:300]}")
    return Used(seconds, processor)


if __name__ == "__main__":
    main()
