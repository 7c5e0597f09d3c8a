"""Cross-checks of the validation page: measured by ``make validation``, kept in docs/validation.json, drawn by mkdocs.

``python tools/docs/checks.py`` measures and writes the file; nothing on the page is typed in by hand.
"""

from __future__ import annotations

import json
import math
import platform
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

COMMAND = "make validation"
FILE = Path(__file__).parents[2] / "docs" / "validation.json"

_PACKAGES = ("numpy", "scipy", "torch", "PySpice", "badcrossbar")
_SHAPE = (8, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A number that should be small."""

    group: str
    what: str
    difference: float
    tolerance: float
    unit: str = "1"
    reason: str  # why this tolerance

    @property
    def passed(self) -> bool:
        """Whether the difference is within the tolerance; not when it is not a number."""
        return self.difference <= self.tolerance


def measure() -> dict[str, Any]:
    """All checks of this machine, with the versions of what made them; half a minute."""
    from threadpoolctl import threadpool_limits

    checks: list[Check] = []
    missing: list[str] = []
    with threadpool_limits(1):  # threads of small matrices wait for each other
        for group in (_device, _fitting, _arrays, _solvers, _gradients):
            for found in group():
                if isinstance(found, Check):
                    checks.append(found)
                else:
                    missing.append(found)
    return {
        "date": date.today().isoformat(),
        "command": COMMAND,
        "versions": dict(_versions()),
        "not_run": missing,
        "checks": [asdict(check) for check in checks],
    }


def _versions() -> Iterator[tuple[str, str]]:
    from circuits.spice.engine import find_simulator

    yield "hallspice", version("hallspice")
    yield "Python", platform.python_version()
    yield "machine", f"{platform.system()} {platform.machine()}"
    simulator = find_simulator()
    if not simulator.problem:
        yield "ngspice", str(simulator.version)
    for package in _PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            yield package, "not installed"


def _device() -> Iterator[Check | str]:
    """The model against the published numbers, and its forms against each other."""
    import numpy as np

    from compact_model import synapse
    from compact_model.cards.device import load_card
    from compact_model.published.facts import Status, scoreboard
    from veriloga.model import cell_model
    from veriloga.verify import certify

    card = load_card()
    model = cell_model(card)
    group = "Device"
    states = np.abs(synapse.model_levels(card) - synapse.paper_levels(card)).max()
    yield Check(
        group=group, what="six states after the ladder, against the published ones", unit="ohm",
        difference=float(states), tolerance=6e-3, reason="published to 10 mohm; a step is at least 20 mohm",
    )  # fmt: skip
    failed = [f for f in scoreboard(card) if f.status is Status.FAILS]
    yield Check(
        group=group, what="published facts that the shipped card misses (Set A and Set B)", unit="",
        difference=float(len(failed)), tolerance=0.0, reason="each fact has a tolerance of its own",
    )  # fmt: skip
    yield Check(
        group=group, what=f"rate law with {model.grains} grains, against the closed law, 1 us to 10 ms: switched share",
        difference=float(model.accuracy.largest), tolerance=0.01, reason="a step between levels is 0.07",
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="hallspice-") as folder:
        certificate = certify(model, Path(folder), date.today(), quick=True)
    for found in certificate.checks:
        yield Check(
            group="Forms of the device", what=f"{found.engine}: {found.name}, {found.quantity}",
            difference=found.difference, tolerance=found.tolerance,
            reason="tolerance of the simulator's integration (reltol)",
        )  # fmt: skip
    for engine in certificate.engines:
        if engine.missing:
            yield f"{engine.engine.value}: {engine.missing}"


def _fitting() -> Iterator[Check | str]:
    """Measured in the synthetic laboratory, fitted, compared with the card that was measured."""
    from compact_model.cards.device import load_card
    from compact_model.fit.fitting import fit_data
    from compact_model.measured.laboratory import Protocol
    from compact_model.measured.reader import load_data
    from hallspice.fitting.fit import measure as laboratory

    with tempfile.TemporaryDirectory(prefix="hallspice-") as folder:
        laboratory(None, Protocol.FULL, Path(folder), seed=1, points=60, devices=1, broken=0, noise="1 mohm")
        result = fit_data(load_data(Path(folder) / "data.yaml"))
    card = load_card()
    for found in result.fitted:
        node: Any = card
        for part in found.parameter.path.split("."):
            node = getattr(node, part, None)
        if node is None:
            continue
        low, high = found.interval
        yield Check(
            group="Round trip of a fit", what=found.parameter.path, unit="half intervals",
            difference=abs(found.value - node.value) / ((high - low) / 2), tolerance=2.0,
            reason="the interval is 95 %, two standard deviations: one in twenty lies outside of 1, hardly any of 2",
        )  # fmt: skip


def _states(architecture: Any, random: Any) -> Any:

    return random.uniform(*((0.33, 0.57) if architecture.hall else (1e4, 1e5)), _SHAPE)


def _arrays() -> Iterator[Check | str]:
    """One network, solved by ourselves and by ngspice."""
    import numpy as np

    from circuits.arrays.architecture import Architecture
    from circuits.arrays.config import ArrayConfig
    from circuits.arrays.crossbar import crossbar
    from circuits.arrays.mismatch import draw_mismatch
    from circuits.solve.nodal import factor
    from circuits.solve.transfer import nodal_transfer, transfers
    from circuits.spice import engine, ngspice

    here = not engine.find_simulator().problem
    if not here:
        yield f"ngspice: {engine.find_simulator().problem}"
    for architecture in Architecture:
        random = np.random.default_rng(0)
        config = ArrayConfig(architecture=architecture, r_row=0.5, r_column=0.25)
        states = _states(architecture, random)
        spread = draw_mismatch(_SHAPE, random, relative=0.01, r_off=0.1)
        network = crossbar(states, config, spread)
        inputs = random.uniform(-0.5, 0.5, (5, _SHAPE[0]))
        solution = factor(network).solve(inputs)
        if here:
            yield Check(
                group="Arrays in ngspice", what=f"{architecture.value}, 8 x 8 with mismatch: outputs",
                difference=_relative(ngspice.simulate(network, inputs), solution.outputs),
                tolerance=1e-9, reason="double precision",
            )  # fmt: skip
        taken = sum(solution.power.values())
        yield Check(
            group="Energy", what=f"{architecture.value}: sum over the elements, against the sources",
            difference=_relative(taken, solution.source_power), tolerance=1e-9, reason="double precision",
        )  # fmt: skip
        if architecture.hall:
            found = transfers(states, config, spread).matrices[0]
            yield Check(
                group="Transfer tensor", what=f"{architecture.value}: first order, against the full solution",
                difference=_relative(found, nodal_transfer(states, config, spread)), tolerance=2e-5,
                reason="second order in R_xy over R_channel",
            )  # fmt: skip


def _solvers() -> Iterator[Check | str]:
    """Two-terminal tiles by every method, ours and another package's."""
    import importlib
    import logging
    import warnings

    import numpy as np

    from circuits.arrays.config import ArrayConfig
    from circuits.solve.transfer import Method, nodal_transfer, transfers

    random = np.random.default_rng(0)
    shape = (20, 16)
    states, voltages = random.uniform(1e3, 1e5, shape), random.uniform(0, 1, (4, shape[0]))
    # badcrossbar's word lines start at ideal sources, its bit lines end at ground
    config = ArrayConfig(architecture="resistive", r_row=2.0, r_column=0.7, r_output=0.0, r_input=1e-9)
    reference = nodal_transfer(states, config)
    for method in (Method.BLOCK_TRIDIAGONAL, Method.HIERARCHICAL_MERGE):
        yield Check(
            group="Two-terminal tiles", what=f"{method.value}, against the nodal solution",
            difference=_relative(transfers(states, config, method=method).matrices[0], reference), tolerance=1e-10,
            reason="double precision",
        )  # fmt: skip
    try:
        badcrossbar = importlib.import_module("badcrossbar")
    except ImportError:
        yield "badcrossbar: not installed"
        return
    logging.getLogger("badcrossbar").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = badcrossbar.compute(
            voltages.T, states, r_i_word_line=2.0, r_i_bit_line=0.7, node_voltages=False, all_currents=False
        )
    yield Check(
        group="Two-terminal tiles", what="badcrossbar (doi:10.1016/j.softx.2020.100617), against the nodal solution",
        difference=_relative(theirs.currents.output, voltages @ reference.T), tolerance=1e-9,
        reason="double precision, and a sense of 1e-9 ohm for its ground",
    )  # fmt: skip


def _gradients() -> Iterator[Check | str]:
    """Gradients through the circuit against central finite differences."""
    import numpy as np
    import torch

    from circuits.arrays.config import ArrayConfig
    from nn_mapping.analog.array_response import array_response
    from nn_mapping.analog.chip_design import Chip
    from nn_mapping.column_readout import Readout
    from nn_mapping.levels import PAPER_LEVELS_OHM, pair_levels
    from nn_mapping.mapping import resistive_states

    random = np.random.default_rng(2)
    shape = (4, 3)
    levels = pair_levels(PAPER_LEVELS_OHM)
    for name in ("resistive", "active_parallel", "passive_parallel"):
        config = ArrayConfig(architecture=name, r_row=0.5)
        low, high = (1e4, 1e5) if name == "resistive" else (0.33, 0.57)
        ohm = resistive_states(levels.levels_ohm, low, high) if name == "resistive" else None
        chip = Chip(config=config, level_set=levels, readout=Readout(v_full=0.5), state_ohm=ohm)
        states = torch.from_numpy(random.uniform(low, high, (1, *shape))).requires_grad_()
        sensitivity = random.normal(size=shape[::-1])
        response = array_response(states, chip, (0,), {})
        (response(states)[0] * torch.from_numpy(sensitivity)).sum().backward()
        point = states.detach().numpy()[0]
        expected = np.empty(shape)
        for place in np.ndindex(*shape):
            step = 1e-4 * point[place]
            up, down = point.copy(), point.copy()
            up[place] += step
            down[place] -= step
            above, below = (response(torch.from_numpy(moved[None]))[0].numpy() for moved in (up, down))
            expected[place] = np.sum((above - below) * sensitivity) / (2 * step)
        assert states.grad is not None
        yield Check(
            group="Gradients", what=f"{name}: transfer matrix by cell, against central differences",
            difference=_relative(states.grad.numpy()[0], expected), tolerance=1e-6,
            reason="the differences' own truncation and rounding",
        )  # fmt: skip


def _relative(found: Any, expected: Any) -> float:
    """Largest difference over the largest expected value."""
    import numpy as np

    return float(np.abs(np.asarray(found) - expected).max() / np.abs(expected).max())


# --- the page ---


def as_markdown(results: dict[str, Any] | None = None) -> str:
    """Versions, figure and tables of the committed results."""
    found = json.loads(FILE.read_text(encoding="utf-8")) if results is None else results
    checks = [Check(**check) for check in found["checks"]]
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    passed = sum(check.passed for check in checks)
    lines = [
        f"Measured on {found['date']} by `{found['command']}` with {versions}: "
        f"**{passed} of {len(checks)} checks within their tolerance.**",
        "",
        *(f"* not run: {what}" for what in found["not_run"]),
        "",
        f'<figure class="checks" role="img" aria-label="difference over tolerance of each check">{_figure(checks)}'
        "<figcaption>Each mark is a check: its difference over its tolerance. Left of the line it passes. A check "
        "without any difference is not drawn.</figcaption></figure>",
        "",
    ]
    for group in dict.fromkeys(check.group for check in checks):
        lines += [
            f"### {group}",
            "",
            "| check | difference | tolerance | why this tolerance |",
            "|---|---|---|---|",
        ]
        for check in checks:
            if check.group == group:
                unit = "" if check.unit in ("", "1") else f" {check.unit}"
                verdict = "" if check.passed else " **FAILS**"
                lines.append(
                    f"| {check.what} | {check.difference:.2g}{unit}{verdict} | {check.tolerance:.2g}{unit} "
                    f"| {check.reason} |"
                )
        lines.append("")
    return "\n".join(lines)


def _figure(checks: list[Check]) -> str:
    """Difference over tolerance on a logarithmic axis, one line per group, in the colour of the text."""
    groups = list(dict.fromkeys(check.group for check in checks))
    drawn = [
        (groups.index(check.group), math.log10(check.difference / check.tolerance))
        for check in checks
        if check.difference > 0 and check.tolerance > 0
    ]
    lowest = math.floor(min(ratio for _, ratio in drawn))
    highest = max(1, math.ceil(max(ratio for _, ratio in drawn)))
    left, width, row, top = 170, 430, 26, 12
    height = top + row * len(groups)

    def x(ratio: float) -> float:
        return left + width * (ratio - lowest) / (highest - lowest)

    parts = []
    for power in range(lowest, highest + 1):
        strong = ' stroke-width="2" opacity="1"' if power == 0 else ' opacity="0.25"'
        parts.append(
            f'<line x1="{x(power):.1f}" x2="{x(power):.1f}" y1="{top}" y2="{height}" stroke="currentColor"{strong}/>'
        )
        if power % 2 == 0:
            label = "tolerance" if power == 0 else f"1e{power}"
            parts.append(f'<text x="{x(power):.1f}" y="{height + 16}" text-anchor="middle">{label}</text>')
    for place, group in enumerate(groups):
        y = top + row * (place + 0.5)
        parts.append(f'<text x="{left - 12}" y="{y + 4:.1f}" text-anchor="end">{group}</text>')
    for place, ratio in drawn:
        y = top + row * (place + 0.5)
        parts.append(
            f'<circle cx="{x(ratio):.1f}" cy="{y:.1f}" r="5" fill="none" stroke="currentColor" stroke-width="1.5"/>'
        )
    return (
        f'<svg viewBox="0 0 {left + width + 30} {height + 26}" xmlns="http://www.w3.org/2000/svg" '
        f'fill="currentColor" font-size="12">{"".join(parts)}</svg>'
    )


if __name__ == "__main__":
    found = measure()
    failed = [check["what"] for check in found["checks"] if not Check(**check).passed]
    if failed:
        raise SystemExit("Not written, these checks fail: " + "; ".join(failed))
    FILE.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(f"{len(found['checks'])} checks within their tolerance. Wrote {FILE.name}")
