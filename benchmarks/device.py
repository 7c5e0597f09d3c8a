"""Speed of the grain bank: many devices, many flat pulses, against a Python loop over devices.

Run with one thread: ``OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/device.py``.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from compact_model.cards.device import load_card
from compact_model.hallbar import hall_bar

T_PULSE = 200e-6
LOOPED = 20  # devices of the Python loop, whose time is scaled up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=100_000)
    parser.add_argument("--pulses", type=int, default=100)
    given = parser.parse_args()
    devices, pulses = given.devices, given.pulses
    device = hall_bar(load_card())
    rng = np.random.default_rng(1)
    shared = rng.uniform(-16e-3, 16e-3, pulses)
    individual = rng.uniform(-16e-3, 16e-3, (pulses, devices))

    start = time.perf_counter()
    for column in range(LOOPED):
        state = device.prepared()
        for current in individual[:, column]:
            state = device.pulsed(state, float(current), T_PULSE)
    looped = (time.perf_counter() - start) / (LOOPED * pulses)
    print(f"python loop over devices   {1 / looped:12.4g} device-pulses/s")

    for name, current in (("one current for all", shared), ("a current per device", individual)):
        state = device.prepared(devices)
        start = time.perf_counter()
        device.trained(state, current, T_PULSE)
        seconds = time.perf_counter() - start
        rate = devices * pulses / seconds
        print(
            f"{name:24s}   {rate:12.4g} device-pulses/s, {seconds:.3f} s for {devices} x "
            f"{len(device.bank.theta)} grains x {pulses} pulses, {rate * looped:.0f} times the loop"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory                {peak:12.0f} MiB")


if __name__ == "__main__":
    main()
