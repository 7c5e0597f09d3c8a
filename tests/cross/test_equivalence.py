"""The forms of the cell against each other, in every simulator found."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from compact_model.cards.device import load_card
from veriloga import bench as benches
from veriloga.bench import Bench, BenchEngine, BenchSolution, DrivenCell
from veriloga.corners import corner_library
from veriloga.dialects import Dialect
from veriloga.model import MODULE, CellModel, cell_model
from veriloga.programs import ProgramError, read_raw, run_ngspice, run_vacask
from veriloga.reference import solve_python
from veriloga.simulated import ngspice_deck, outcome, vacask_netlist
from veriloga.verify import certify, find_engines, run_engine, write_forms

DAY = date(2026, 1, 2)
MISSING = {found.engine: found.missing for found in find_engines()}
SIMULATORS = [
    pytest.param(
        engine, marks=pytest.mark.skipif(bool(MISSING[engine]), reason=f"{engine.value}: {MISSING[engine]}")
    )
    for engine in (BenchEngine.SUBCIRCUIT, BenchEngine.OSDI, BenchEngine.VACASK)
]
NGSPICE = SIMULATORS[:2]
any_simulator = pytest.mark.skipif(
    all(MISSING[engine] for engine in (BenchEngine.SUBCIRCUIT, BenchEngine.VACASK)),
    reason="no simulator found",
)


@pytest.fixture(scope="module")
def model() -> CellModel:
    return cell_model(load_card())


@pytest.fixture(scope="module")
def folder(model: CellModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("forms")
    write_forms(model, path, DAY, compile_it=not MISSING[BenchEngine.OSDI] or not MISSING[BenchEngine.VACASK])
    return path


@any_simulator
def test_certificate_of_the_shipped_card(model: CellModel, tmp_path: Path) -> None:
    certificate = certify(model, tmp_path, DAY)
    failed = [check for check in certificate.checks if not check.passed]
    assert not failed
    names = {check.name for check in certificate.checks}
    assert {"pulse train", "random pulses", "no current for 1 s", ".op", ".dc", ".ac", ".noise"} <= names
    run = {check.engine for check in certificate.checks}
    assert {found.engine.value for found in certificate.engines if not found.missing} - run == {
        BenchEngine.RADAU.value
    }


@any_simulator
def test_certificate_of_the_electrothermal_set(tmp_path: Path) -> None:
    model = cell_model(load_card().with_choices(switching="B"), largest_error=0.02)
    assert certify(model, tmp_path, DAY, quick=True).passed


@pytest.fixture(scope="module")
def ladders(model: CellModel, folder: Path) -> dict[BenchEngine, BenchSolution]:
    bench = benches.ladder_bench(model)
    found = {BenchEngine.PYTHON: solve_python(model, bench)}
    for engine in (BenchEngine.SUBCIRCUIT, BenchEngine.OSDI, BenchEngine.VACASK):
        if not MISSING[engine]:
            found[engine] = run_engine(bench, engine, folder)
    return found


@pytest.mark.parametrize("engine", SIMULATORS)
def test_ladder_reaches_the_six_published_states(
    model: CellModel, ladders: dict[BenchEngine, BenchSolution], engine: BenchEngine
) -> None:
    published = np.array(model.card.synapse.levels.value[1:])
    states = ladders[engine].hall_voltage[0] / benches.I_READ
    assert np.abs(states - published).max() < 6e-3
    for other in ladders.values():
        assert np.abs(states - other.hall_voltage[0] / benches.I_READ).max() < 0.5e-3


@pytest.mark.parametrize("engine", SIMULATORS)
def test_68_percent_at_the_published_density(model: CellModel, folder: Path, engine: BenchEngine) -> None:
    current = 2.41e11 * model.device.area
    bench = benches.pulse_train("share", "2.41e11 A/m^2", [current], model.card.synapse.t_pulse.value)
    assert run_engine(bench, engine, folder).fraction[0, 0] == pytest.approx(0.68, abs=0.005)


@pytest.mark.parametrize("engine", SIMULATORS)
def test_closed_gate_preset_and_saturation_in_every_form(
    model: CellModel, folder: Path, engine: BenchEngine
) -> None:
    waveform, reading = benches.pulses([13e-3, -13e-3], [100e-6, 100e-6])
    cells = tuple(
        DrivenCell(drive=waveform, s0=s0, h_x=h_x, m_i=m_i, q=q)
        for s0, h_x, m_i, q in (
            (0.0, 0.0, 1, 1), (1.0, 0.0, 1, -1), (0.5, 0.0, -1, -1), (0.5, 0.0, 0, 1),
            (0.5, 8e4, 1, -1), (0.5, -2e5, 1, 1), (0.5, 2e5, -1, 1),
        )
    )  # fmt: skip
    bench = Bench(name="polarity", title="Polarity", cells=cells, samples=reading, longest_step=5e-6)
    found, wanted = run_engine(bench, engine, folder), solve_python(model, bench)
    assert np.abs(found.fraction - wanted.fraction).max() < 5e-4
    assert np.abs(wanted.fraction[[1, 3]] - np.array([[1.0], [0.5]])).max() < 1e-9  # closed gates hold


@pytest.mark.parametrize("engine", SIMULATORS)
def test_halved_tolerance_and_halved_steps_change_little(folder: Path, engine: BenchEngine) -> None:
    bench = benches.pulse_train("halved", "short train", [14e-3, -12e-3, 13e-3], 1e-4)
    coarse = run_engine(bench, engine, folder, reltol=1e-4)
    fine = run_engine(bench, engine, folder, reltol=0.5e-4, longest_step=0.5 * bench.longest_step)
    assert np.abs(coarse.fraction - fine.fraction).max() < 2e-4


@pytest.mark.parametrize("engine", NGSPICE)
@pytest.mark.parametrize("change", ["method=gear", "noopiter gminsteps=10", "noopiter srcsteps=10", "uic"])
def test_method_and_start_do_not_matter(
    model: CellModel, folder: Path, engine: BenchEngine, change: str
) -> None:
    bench = benches.pulse_train("changed", "short train", [14e-3, -12e-3], 1e-4)
    compiled = engine is BenchEngine.OSDI
    deck = ngspice_deck(bench, compiled=compiled)
    if change == "uic":
        lines = [line + " uic" if line.startswith("tran ") else line for line in deck.splitlines()]
    else:
        lines = [f"{line} {change}" if line.startswith(".options") else line for line in deck.splitlines()]
    path = folder / "changed.cir"
    path.write_text("\n".join([*lines, ""]))
    run_ngspice(path)
    changed = outcome(bench, read_raw(folder / "changed.raw"))
    wanted = solve_python(model, bench)
    assert np.abs(changed.fraction - wanted.fraction).max() < 5e-4


@pytest.mark.parametrize("engine", NGSPICE)
def test_multiplicity_two_is_two_cells_in_parallel(folder: Path, engine: BenchEngine) -> None:
    if engine is BenchEngine.OSDI:
        head, name, cell = f".control\npre_osdi {MODULE}.osdi\n.endc\n.model hallbar {MODULE}", "N", "hallbar"
    else:
        head, name, cell = f".include {MODULE}.sub", "X", MODULE
    deck = folder / "multiple.cir"
    deck.write_text(
        f"* m\n{head}\n.options temp=26.85 reltol=1e-6\nI1 0 p 2e-3\n{name}1 p 0 a b {cell} s0=0.3\n"
        f"{name}2 p 0 a b {cell} s0=0.3\nI2 0 q 2e-3\n{name}3 q 0 c d {cell} s0=0.3 m=2\n"
        ".control\nset num_threads=1\nop\nwrite multiple.raw v(p) v(q) v(a,b) v(c,d)\nquit 0\n.endc\n.end\n"
    )
    run_ngspice(deck)
    found = [float(v[0]) for k, v in read_raw(folder / "multiple.raw").items()]
    assert found[0] == pytest.approx(0.5, rel=1e-6)
    assert found[0] == pytest.approx(found[1], rel=1e-9)
    assert found[2] == pytest.approx(found[3], rel=1e-9)


@pytest.mark.parametrize("bad", ["s0=1.5", "s0=-0.1", "m_i=2", "i_scale=0", "s0_3=1.1"])
@pytest.mark.parametrize("engine", SIMULATORS[1:])
def test_parameters_out_of_range_are_refused(folder: Path, engine: BenchEngine, bad: str) -> None:
    drive = benches.read_bench(cell_model(load_card())).cells[0].drive
    bench = Bench(
        name="refused",
        title="bad",
        cells=(DrivenCell(drive=drive),),
        samples=np.array([5e-6]),
        longest_step=1e-6,
    )
    if engine is BenchEngine.VACASK:
        text, path = vacask_netlist(bench), folder / "refused.sim"
    else:
        text, path = ngspice_deck(bench, compiled=True), folder / "refused.cir"
    (folder / "refused.raw").unlink(missing_ok=True)
    path.write_text(text.replace("s0=0", bad, 1))
    with pytest.raises(ProgramError):
        if engine is BenchEngine.VACASK:
            run_vacask(path)
        else:
            run_ngspice(path)
            read_raw(folder / "refused.raw")


@pytest.mark.parametrize("engine", NGSPICE)
def test_corners_and_monte_carlo_sections_run(model: CellModel, folder: Path, engine: BenchEngine) -> None:
    compiled = engine is BenchEngine.OSDI
    library = corner_library(model, Dialect.NGSPICE, DAY, compiled=compiled)
    (folder / "corners.lib").write_text(library)
    load = f".control\npre_osdi {MODULE}.osdi\n.endc" if compiled else f".include {MODULE}.sub"
    drive = "pwl(0 0 1u 13.2m 201u 13.2m 202u 0 205u 0 206u 1m)"
    reached: dict[str, list[float]] = {}
    for section in ("typ", "fast", "slow", "mc"):
        cells = "\n".join(
            f"I{k} 0 p{k} {drive}\nX{k} p{k} 0 a{k} b{k} {MODULE}_cell s0=0" for k in range(1, 6)
        )
        deck = folder / f"corner_{section}.cir"
        halls = " ".join(f"v(a{k},b{k})" for k in range(1, 6))
        deck.write_text(
            f"* corner\n{load}\n.lib corners.lib {section}\n{cells}\n.options temp=26.85 reltol=1e-4\n.control\n"
            f"set num_threads=1\nset rndseed=7\ntran 5u 210u 0 5u\nwrite corner.raw {halls}\nquit 0\n.endc\n.end\n"
        )
        run_ngspice(deck)
        vectors = [v for k, v in read_raw(folder / "corner.raw").items() if k != "time"]
        reached[section] = [float(v[-1]) / 1e-3 for v in vectors]
    assert np.ptp(reached["typ"]) < 1e-9
    assert reached["slow"][0] < reached["typ"][0] - 0.01 < reached["fast"][0] - 0.02
    assert np.ptp(reached["mc"]) > 1e-3  # every instance is drawn anew
    assert reached["slow"][0] - 0.02 < min(reached["mc"]) <= max(reached["mc"]) < reached["fast"][0] + 0.02


@pytest.mark.parametrize("engine", SIMULATORS[1:2])
def test_operating_point_variables_and_thermal_nodes(
    model: CellModel, folder: Path, engine: BenchEngine
) -> None:
    del engine
    current = 13e-3
    head = f"* operating point\n.control\npre_osdi {MODULE}.osdi\n.endc\n.options temp=26.85 reltol=1e-6\n"
    names = "@n1[temperature] @n1[power] @n1[r_hall] @n1[mz]"
    found = {}
    for heated in (0, 1):
        deck = folder / f"variables{heated}.cir"
        deck.write_text(
            f"{head}.model hallbar {MODULE} sw_thermal={heated}\nN1 p 0 a b hallbar s0=0.25\n"
            f"I1 0 p pwl(0 0 1u {current} 50u {current})\n.control\nset num_threads=1\nsave v(p) {names}\n"
            f"tran 1u 50u 0 1u\nwrite variables.raw {names}\nquit 0\n.endc\n.end\n"
        )
        run_ngspice(deck)
        vectors = read_raw(folder / "variables.raw")
        found[heated] = {k.removeprefix("v(").rstrip(")"): float(v[-1]) for k, v in vectors.items()}
    cold, warm = found[0], found[1]
    heat = model.device.heat
    power = current**2 * heat.r_channel
    assert cold["@n1[temperature]"] == pytest.approx(300.0, abs=1e-9)
    assert warm["@n1[temperature]"] == pytest.approx(300.0 + power * heat.resistance.sum(), rel=1e-6)
    assert cold["@n1[power]"] == pytest.approx(power, rel=1e-6)
    # Set A: the temperature acts on nothing, with thermal nodes or without.
    assert warm["@n1[mz]"] == pytest.approx(cold["@n1[mz]"], abs=1e-5)
    s = 0.5 * (1.0 - cold["@n1[mz]"])
    assert cold["@n1[r_hall]"] == pytest.approx(model.device.r_reset + model.device.law.delta_r * s, rel=1e-9)


@pytest.mark.parametrize("engine", SIMULATORS[1:2])
def test_a_single_grain_can_be_altered_between_runs(
    model: CellModel, folder: Path, engine: BenchEngine
) -> None:
    del engine
    deck = folder / "altered.cir"
    deck.write_text(
        f"* altered\n.control\npre_osdi {MODULE}.osdi\n.endc\n.options temp=26.85 reltol=1e-6\n"
        f".model hallbar {MODULE}\nN1 p 0 a b hallbar s0=0\nI1 0 p 1e-3\n.control\nset num_threads=1\nop\n"
        "let before = v(a,b)\nalter n1 s0_20 = 1\nop\nlet change = v(a,b) - op1.before\nwrite altered.raw change\n"
        "quit 0\n.endc\n.end\n"
    )
    run_ngspice(deck)
    change = float(read_raw(folder / "altered.raw")["change"][0]) / 1e-3
    assert change == pytest.approx(model.device.law.delta_r * model.device.bank.weight[19], rel=1e-6)


@pytest.mark.parametrize("engine", NGSPICE)
def test_few_steps_are_rejected(folder: Path, engine: BenchEngine) -> None:
    bench = benches.pulse_train("steps", "short train", [14e-3, -12e-3, 13e-3], 1e-4)
    deck = folder / "steps.cir"
    text = ngspice_deck(bench, compiled=engine is BenchEngine.OSDI)
    deck.write_text(text.replace("quit 0", "rusage accept rejected\nquit 0"))
    log = "\n".join(run_ngspice(deck))
    accepted, rejected = (
        int(re.search(rf"{word} timepoints = (\d+)", log)[1]) for word in ("Accepted", "Rejected")
    )  # type: ignore[index]
    # Edges of 1 us, on which grains collapse within nanoseconds, are all that is rejected: a few steps per edge.
    assert rejected < 0.15 * accepted
