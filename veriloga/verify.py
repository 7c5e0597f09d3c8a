"""The equivalence certificate: every form of the cell in every engine found, against an independent reference."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np

from compact_model.constants import BOLTZMANN, REFERENCE_TEMPERATURE, ZERO_CELSIUS
from compact_model.numeric import Floats
from veriloga import bench as benches
from veriloga.bench import Bench, BenchEngine, BenchSolution, DrivenCell, Waveform
from veriloga.dialects import Dialect
from veriloga.model import MODULE, CellModel
from veriloga.programs import (
    COMPILER,
    HOW_TO_INSTALL,
    NGSPICE,
    ONE_THREAD,
    VACASK,
    ProgramError,
    compiled,
    find_program,
    read_raw,
    run_ngspice,
    run_vacask,
)
from veriloga.reference import solve_python, solve_radau
from veriloga.simulated import solve_ngspice, solve_vacask
from veriloga.subcircuit import frozen_subcircuit_text, subcircuit_text
from veriloga.verilog_a import verilog_a_text

TRAIN = (
    11, 12.1, 13.2, 14.3, 15.4, -11, -12.1, -13.2, -14.3, -15.4, 13.2, 13.2, 13.2, 13.2, -13.2, -13.2, -13.2, -13.2,
    14, -12, 13, -12, 13, -13.5, 15, -10, 12,
)  # fmt: skip
"""Ladder up, ladder down, equal pulses both ways, minor loops; for the shipped card's ladder of 11 to 15.4 [mA]."""

T_PULSE = 100e-6
LOOSE, TIGHT = 1e-4, 1e-6  # relative tolerances of the simulators
TIGHT_STEP = 0.2e-6  # largest step with it [s]
TOLERANCE = {LOOSE: 1e-3, TIGHT: 1e-4}
"""Largest difference of m_z after a pulse at each relative tolerance: that of the simulators' integration."""

PULSE_TRAIN, NO_CURRENT = "pulse train", "no current for 1 s"
DRIFT_TOLERANCE = 1e-12
STATIC_TOLERANCE = 1e-6
"""Of the Hall voltage in .op, .dc and .ac (relative): the simulators' own convergence tolerance at reltol 1e-6."""

NOISE_TOLERANCE = 1e-5  # relative: Boltzmann's constant has six digits in simulators
_RANDOM_PULSES = 100

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineCheck:
    """One comparison of one engine with the reference."""

    name: str
    engine: str
    setting: str
    quantity: str  # what is compared
    difference: float
    tolerance: float
    hall_voltage: float = math.nan  # largest difference [V]; not a number where none is compared
    energy: float = math.nan  # relative

    @property
    def passed(self) -> bool:
        """Whether the difference is within the tolerance."""
        return self.difference <= self.tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An engine, and what is known about it."""

    engine: BenchEngine
    version: str
    missing: str = ""  # why it was not run


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """All checks of a model."""

    model: CellModel
    engines: tuple[Found, ...]
    checks: tuple[EngineCheck, ...]
    traces: dict[str, tuple[Floats, Floats]]  # fraction over time of the train, by engine
    after: dict[str, Floats]  # fraction after each pulse of the train, by engine

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)


def find_engines() -> tuple[Found, ...]:
    """Engines of this machine; those that are not here say what is missing."""
    ngspice, vacask, compiler = (find_program(name) for name in (NGSPICE, VACASK, COMPILER))
    no_ngspice = "" if ngspice else f"no program ngspice ({HOW_TO_INSTALL[NGSPICE]})"
    no_compiler = "" if compiler else f"no program openvaf-r ({HOW_TO_INSTALL[COMPILER]})"
    no_vacask = "" if vacask else f"no program vacask ({HOW_TO_INSTALL[VACASK]})"
    about = ngspice.version if ngspice else ""
    module = compiler.version if compiler else ""
    return (
        Found(engine=BenchEngine.PYTHON, version=f"numpy {np.__version__}"),
        Found(engine=BenchEngine.RADAU, version="reference"),
        Found(engine=BenchEngine.SUBCIRCUIT, version=about, missing=no_ngspice),
        Found(engine=BenchEngine.OSDI, version=f"{about}; {module}", missing=no_ngspice or no_compiler),
        Found(
            engine=BenchEngine.VACASK,
            version=(vacask.package or vacask.version) if vacask else "",
            missing=no_vacask or no_compiler,
        ),
    )


def write_forms(model: CellModel, folder: Path, day: date, *, compile_it: bool) -> None:
    """Write the Verilog-A module and the ngspice subcircuits into a folder, and compile the module."""
    for name, text in (
        (f"{MODULE}.va", verilog_a_text(model, day)),
        (f"{MODULE}.sub", subcircuit_text(model, Dialect.NGSPICE, day)),
        (f"{MODULE}_frozen.sub", frozen_subcircuit_text(model, Dialect.NGSPICE, day)),
    ):
        (folder / name).write_text(text, encoding="utf-8")
    if compile_it:
        compiled(folder / f"{MODULE}.va", folder / f"{MODULE}.osdi")


def train_bench(model: CellModel) -> Bench:
    """The 27 pulses, in proportion to the card's ladder."""
    scale = model.card.synapse.ladder.value[-1] / 15.4
    return benches.pulse_train(
        "train", "27 pulses: ladders, equal pulses, minor loops", [scale * i for i in TRAIN], T_PULSE
    )


def random_bench(model: CellModel, count: int = _RANDOM_PULSES, seed: int = 1) -> Bench:
    """Pulses of random sign and amplitude between the ends of the ladder."""
    rng = np.random.default_rng(seed)
    low, high = model.card.synapse.ladder.value[0], model.card.synapse.ladder.value[-1]
    currents = rng.choice([-1.0, 1.0], count) * rng.uniform(low, high, count)
    return benches.pulse_train("random", f"{count} random pulses", currents.tolist(), T_PULSE)


def drift_bench() -> Bench:
    """A half-switched cell left alone for one second."""
    still = Waveform(times=np.array([0.0, 1.0]), currents=np.zeros(2))
    return Bench(
        name="drift",
        title="One second without current, s0 = 0.5",
        cells=(DrivenCell(drive=still, s0=0.5),),
        samples=np.array([1.0]),
        longest_step=0.02,
    )


def temperature_bench(model: CellModel, celsius: float) -> Bench:
    """The ladder at another ambient temperature."""
    bench = benches.ladder_bench(model)
    return replace(
        bench,
        name=f"ambient{abs(celsius):.0f}{'m' if celsius < 0 else ''}",
        temperature=celsius + ZERO_CELSIUS,
    )


def certify(
    model: CellModel, folder: Path, day: date, *, quick: bool = False, progress: Progress | None = None
) -> Certificate:
    """Run everything in every engine found.

    Parameters
    ----------
    model
        The cell.
    folder
        Folder for the files of the simulators.
    day
        Date of the files.
    quick
        A short train instead of the long ones: loose tolerance alone.
    progress
        Told after each step: done, total, what.

    Raises
    ------
    ValueError
        When the channel's resistance depends on the temperature: the Python form of that is not compared here.
    """
    if model.device.heat.tcr != 0.0:
        raise ValueError(f"transport.tcr = {model.device.heat.tcr:g} 1/K: verify compares cards with tcr = 0")
    engines = find_engines()
    here = [found.engine for found in engines if not found.missing]
    simulators = [engine for engine in here if engine not in (BenchEngine.PYTHON, BenchEngine.RADAU)]
    write_forms(model, folder, day, compile_it=BenchEngine.OSDI in here or BenchEngine.VACASK in here)
    settings = _settings(model, quick=quick)
    checks: list[EngineCheck] = []
    traces: dict[str, tuple[Floats, Floats]] = {}
    after: dict[str, Floats] = {}
    references: dict[str, BenchSolution] = {}
    total = len(settings) * (1 + len(simulators)) + len(simulators)
    done = 0

    def tell(what: str) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total, f"equivalence: {what}")

    for name, bench, reltol, step in settings:
        if bench.name not in references:
            exact = solve_python(model, bench)
            # Python's closed form of long and many pulses stands in for the slow integration, which it equals.
            slow = bench.name in ("train", "width") or bench.name.startswith("ambient")
            references[bench.name] = wanted = solve_radau(model, bench) if slow else exact
            if slow:
                checks.append(_compared(name, BenchEngine.PYTHON, "64 parts per ramp", exact, wanted, 1e-6))
            if name == PULSE_TRAIN:
                traces[BenchEngine.PYTHON], after[BenchEngine.PYTHON] = exact.trace, exact.fraction[0]
                after[BenchEngine.RADAU] = wanted.fraction[0]
        tell(f"{name}: reference")
        for engine in simulators:
            found = run_engine(bench, engine, folder, reltol=reltol, longest_step=step)
            tolerance = DRIFT_TOLERANCE if name == NO_CURRENT else TOLERANCE[reltol]
            limit = f"reltol {reltol:g}, steps to {step or bench.longest_step:g} s"
            checks.append(_compared(name, engine, limit, found, references[bench.name], tolerance))
            if name == PULSE_TRAIN and reltol == (LOOSE if quick else TIGHT):
                traces[engine], after[engine] = found.trace, found.fraction[0]
            tell(f"{name}: {engine.value}")
    for engine in simulators:
        checks.extend(_static(model, engine, folder))
        tell(f"static analyses: {engine.value}")
    return Certificate(model=model, engines=engines, checks=tuple(checks), traces=traces, after=after)


def _settings(model: CellModel, *, quick: bool) -> list[tuple[str, Bench, float, float | None]]:
    """Name, bench, tolerance of the simulators, and their longest step [s] (None: the bench's own)."""
    if quick:
        train = benches.pulse_train("train", "short train", [14e-3, -12e-3, 13e-3], T_PULSE)
        return [(PULSE_TRAIN, train, LOOSE, None), (NO_CURRENT, drift_bench(), LOOSE, None)]
    train = train_bench(model)
    return [
        (PULSE_TRAIN, train, LOOSE, None),
        (PULSE_TRAIN, train, TIGHT, TIGHT_STEP),
        ("random pulses", random_bench(model), LOOSE, None),
        *(
            (f"ladder at {celsius:g} degrees Celsius", temperature_bench(model, celsius), LOOSE, None)
            for celsius in (-40.0, 85.0)
        ),
        ("pulse lengths", benches.width_bench(model), LOOSE, None),
        (NO_CURRENT, drift_bench(), LOOSE, None),
    ]


def run_engine(
    bench: Bench,
    engine: BenchEngine,
    folder: Path,
    *,
    reltol: float = LOOSE,
    longest_step: float | None = None,
) -> BenchSolution:
    """Run a bench in one of the simulators."""
    if engine is BenchEngine.VACASK:
        return solve_vacask(bench, folder, reltol=reltol, longest_step=longest_step)
    return solve_ngspice(
        bench, folder, compiled=engine is BenchEngine.OSDI, reltol=reltol, longest_step=longest_step
    )


def _compared(
    name: str,
    engine: BenchEngine,
    setting: str,
    found: BenchSolution,
    reference: BenchSolution,
    tolerance: float,
) -> EngineCheck:
    spent = reference.energy > 0.0
    energy = found.energy[spent] / reference.energy[spent] - 1.0
    return EngineCheck(
        name=name,
        engine=engine.value,
        setting=setting,
        quantity="m_z after a pulse" if spent.any() else "m_z",
        difference=float(2.0 * np.abs(found.fraction - reference.fraction).max()),
        tolerance=tolerance,
        hall_voltage=float(np.abs(found.hall_voltage - reference.hall_voltage).max()),
        energy=float(np.abs(energy).max()) if spent.any() else math.nan,
    )


# --- static analyses ---

_S0, _LARGE, _TEMPERATURE = 0.68, 16e-3, REFERENCE_TEMPERATURE


def static_deck(*, compiled_module: bool) -> str:
    """Ngspice deck of the operating point, a sweep, a frequency response and noise of a programmed cell."""
    if compiled_module:
        cell = [".control", f"pre_osdi {MODULE}.osdi", ".endc", f".model hallbar {MODULE}"]
        cell.append(f"N1 p 0 a b hallbar s0={_S0}")
    else:
        cell = [f".include {MODULE}.sub", f"X1 p 0 a b {MODULE} s0={_S0}"]
    return "\n".join(
        [
            "* Static analyses of a programmed cell",
            *cell,
            f".options temp={_TEMPERATURE - ZERO_CELSIUS:.15g} reltol=1e-6",
            "I1 0 p dc 1e-3 ac 1",
            ".control",
            ONE_THREAD,
            "op",
            "write static_op.raw v(a) v(b)",
            f"dc I1 {-_LARGE:g} {_LARGE:g} 4e-3",
            "write static_dc.raw v(a) v(b)",
            "ac dec 1 1 1e6",
            "let hall = v(a)-v(b)",
            "write static_ac.raw hall",
            "alter I1 dc=0",
            "noise v(a,b) I1 dec 1 10 1000",
            "setplot noise1",
            "write static_noise.raw onoise_spectrum",
            "quit 0",
            ".endc",
            ".end",
            "",
        ]
    )


def static_netlist() -> str:
    """The same for VACASK."""
    return "\n".join(
        [
            "Static analyses of a programmed cell",
            "",
            "ground 0",
            f'load "{MODULE}.osdi"',
            f"model hallbar {MODULE}",
            "model isource isource",
            "model vcvs vcvs",
            f"n1 (p 0 a b) hallbar s0={_S0}",
            "i1 (0 p) isource dc=1e-3 mag=1",
            "e1 (hall 0 a b) vcvs gain=1",
            "control",
            "  abort always",
            f"  options temp={_TEMPERATURE - ZERO_CELSIUS:.15g} reltol=1e-6",
            "  save v(a) v(b) v(hall)",
            "  analysis static_op op",
            '  analysis static_ac ac from=1 to=1e6 mode="dec" points=1',
            f'  sweep i instance="i1" parameter="dc" from={-_LARGE:g} to={_LARGE:g} mode="lin" points=8',
            "    analysis static_dc op",
            '  alter instance("i1") dc=0',
            '  analysis static_noise noise out="hall" in="i1" from=10 to=1000 mode="dec" points=1',
            "endc",
            "",
        ]
    )


def _static(model: CellModel, engine: BenchEngine, folder: Path) -> Iterator[EngineCheck]:
    if engine is BenchEngine.VACASK:
        netlist = folder / "static.sim"
        netlist.write_text(static_netlist(), encoding="utf-8")
        run_vacask(netlist)
    else:
        deck = folder / "static.cir"
        deck.write_text(static_deck(compiled_module=engine is BenchEngine.OSDI), encoding="utf-8")
        run_ngspice(deck)
    resistance = model.device.r_reset + model.device.law.delta_r * _S0

    def check(name: str, difference: float, tolerance: float, quantity: str) -> EngineCheck:
        return EngineCheck(
            name=name,
            engine=engine.value,
            setting="s0 = 0.68, reltol 1e-06",
            quantity=quantity,
            difference=difference,
            tolerance=tolerance,
        )

    op, dc, ac, noise = (_vectors(folder / f"static_{name}.raw") for name in ("op", "dc", "ac", "noise"))
    hall = _node(op, "a") - _node(op, "b")
    yield check(
        ".op", float(np.abs(hall / (1e-3 * resistance) - 1).max()), STATIC_TOLERANCE, "Hall voltage, relative"
    )
    hall = _node(dc, "a") - _node(dc, "b")
    wanted = np.linspace(-_LARGE, _LARGE, len(hall)) * resistance
    scale = _LARGE * resistance
    yield check(
        ".dc",
        float(np.abs(hall - wanted).max() / scale),
        STATIC_TOLERANCE,
        "Hall voltage to 16 mA, of the largest",
    )
    response = ac["hall"] if "hall" in ac else _node(ac, "hall")
    yield check(
        ".ac", float(np.abs(response / resistance - 1).max()), STATIC_TOLERANCE, "Hall voltage, relative"
    )
    r_x, r_y = model.device.heat.r_channel, model.value("r_yy")
    exact = 4 * BOLTZMANN * _TEMPERATURE * (r_y + resistance**2 / r_x)
    found = noise["onoise"] if "onoise" in noise else next(v for k, v in noise.items() if "onoise" in k) ** 2
    yield check(
        ".noise", float(np.abs(found / exact - 1).max()), NOISE_TOLERANCE, "power density against 4 k T R"
    )


def _vectors(path: Path) -> dict[str, Floats]:
    return read_raw(path)


def _node(vectors: dict[str, Floats], node: str) -> Floats:
    for name in (node, f"v({node})"):
        if name in vectors:
            return vectors[name]
    raise ProgramError(f"the simulator gave no voltage of node {node}; it gave {', '.join(vectors)}")
