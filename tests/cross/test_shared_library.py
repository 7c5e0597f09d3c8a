"""The shared library of ngspice in a process: threads, start-up files, loggers, faults, and wrong libraries."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from numpy.random import bit_generator

from circuits.spice import engine, ngspice
from circuits.spice.binding import find_binding
from compact_model.cards.device import load_card
from veriloga.model import MODULE, cell_model
from veriloga.programs import COMPILER, compiled, find_program
from veriloga.verilog_a import verilog_a_text

SIMULATOR = engine.find_simulator()
needs_library = pytest.mark.skipif(
    bool(SIMULATOR.problem), reason="ngspice shared library: " + SIMULATOR.problem
)
needs_modules = pytest.mark.skipif(
    not SIMULATOR.osdi or find_program(COMPILER) is None, reason="no ngspice with OSDI, or no openvaf-r"
)


def python(code: str, folder: Path, **environment: str) -> str:
    """What a new Python process in `folder` prints."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), **os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    return run.stdout


QUIETLY = "import warnings; warnings.simplefilter('ignore')\n"  # PySpice is older than this Python

# --- threads ---

THREADS = """
import sys, threading
import numpy as np
from circuits.arrays.config import ArrayConfig
from circuits.arrays.crossbar import crossbar
from circuits.solve.nodal import factor
from circuits.spice.ngspice import simulate
wrong = []
together = threading.Barrier(4)
def work(side):
    random = np.random.default_rng(side)
    config = ArrayConfig(architecture="resistive", r_row=1.0, r_column=2.0)
    network = crossbar(random.uniform(1e4, 1e5, (side, 3)), config)
    together.wait()
    for _ in range(6):
        inputs = random.uniform(-0.5, 0.5, (5, side))
        expected = factor(network).solve(inputs).outputs
        wrong.append(np.abs(simulate(network, inputs) - expected).max() / np.abs(expected).max())
threads = [threading.Thread(target=work, args=(side,)) for side in (2, 3, 5, 8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(wrong), max(wrong) < 1e-9)
"""


@pytest.mark.ngspice
@needs_library
def test_four_threads_take_turns(tmp_path: Path) -> None:
    assert python(THREADS, tmp_path) == "24 True\n"


# --- start-up files ---

STARTED = """
import os
from circuits.spice.engine import shared_ngspice
before = os.getcwd(), dict(os.environ)
said = "\\n".join(shared_ngspice().ask("set"))
print("hostile" in said, "num_threads" in said, (os.getcwd(), dict(os.environ)) == before)
"""


@pytest.mark.ngspice
@needs_library
@pytest.mark.parametrize("variable", ["SPICE_SCRIPTS", "SPICE_LIB_DIR", "SPICE_USERINIT_DIR"])
def test_the_library_reads_nobodys_start_up_files(tmp_path: Path, variable: str) -> None:
    for name in ("spinit", ".spiceinit", "spice.rc", "scripts/spinit"):
        path = tmp_path / "there" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("set hostile\n")
    (tmp_path / ".spiceinit").write_text("set hostile\n")
    assert python(STARTED, tmp_path, **{variable: str(tmp_path / "there")}) == "False False True\n"


POLYNOMIAL = """
import numpy as np
from circuits import pyspice_simulator
from circuits.spice.binding import find_binding
Circuit = find_binding().netlist.Circuit
circuit = Circuit("square")
circuit.V("in", "a", circuit.gnd, 3.0)
circuit.R("load", "out", circuit.gnd, 1e3)
circuit.raw_spice += "Esq out 0 POLY(1) a 0 0 0 1\\n"
print(float(np.array(pyspice_simulator(circuit).operating_point()["out"])[0]))
"""


@pytest.mark.ngspice
@needs_library
def test_circuits_of_ones_own_have_the_usual_code_models(tmp_path: Path) -> None:
    assert float(python(QUIETLY + POLYNOMIAL, tmp_path)) == 9.0


# --- loggers ---

LOGGERS = """
import logging
from circuits.spice import engine
def state():
    return [(name, one.level, one.filters, one.handlers, one.propagate, one.disabled)
            for name, one in sorted(logging.Logger.manager.loggerDict.items())
            if name.startswith(("PySpice", "InSpice")) and isinstance(one, logging.Logger)]
from circuits.spice.binding import find_binding
find_binding()
before = state(), logging.root.handlers, logging.root.level
try:
    engine.shared_ngspice().waveforms("* t\\nR1 a 0 nonsense\\n.tran 1 2\\n.end\\n", ["a"])
except engine.SpiceError:
    print("refused")
print((state(), logging.root.handlers, logging.root.level) == before, len(before[0]) > 0)
"""


@pytest.mark.ngspice
@needs_library
def test_loggers_of_the_process_are_left_alone(tmp_path: Path) -> None:
    assert python(QUIETLY + LOGGERS, tmp_path) == "refused\nTrue True\n"


@pytest.mark.ngspice
@needs_library
def test_messages_of_runs_outside_hallspice_are_the_bindings(caplog: pytest.LogCaptureFixture) -> None:
    shared = engine.shared_ngspice()
    shared.ask("nosuchcommand")
    assert not caplog.records
    with shared.turn(), pytest.raises(NameError):
        shared.engine.exec_command("nosuchcommand")
    assert [(record.name.partition(".")[0], record.levelno) for record in caplog.records] == [
        (find_binding().name, logging.ERROR)
    ]


# --- what ngspice says ---


def refusal(deck: str, **settings: Any) -> str:
    with pytest.raises(engine.SpiceError) as caught:
        ngspice.transient(deck, ["ip"], **settings)
    return str(caught.value)


def deck(parameters: str = "") -> str:
    return (
        "* one cell\nI1 0 ip 1m\nR1 in 0 1\nR2 hp 0 1e9\nR3 hn 0 1e9\n"
        f"N1 ip in hp hn cell {parameters}\n.model cell {MODULE}\n.tran 1u 2u\n.end\n"
    )


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("osdi") / f"{MODULE}.va"
    source.write_text(verilog_a_text(cell_model(load_card()), date(2026, 1, 2)))
    return compiled(source, source.with_suffix(".osdi"))


@pytest.mark.ngspice
@needs_library
def test_the_line_that_ngspice_stumbles_over_is_in_the_error() -> None:
    said = refusal("* t\nR1 ip 0 1\nQ1 ip 0 0 nomodel\n.tran 1 2\n.end\n")
    assert re.search(r"can't find model 'nomodel'.*\n +q1 ip 0 0 nomodel", said, re.IGNORECASE), said


@pytest.mark.ngspice
@needs_modules
def test_faults_of_compiled_modules_are_named(module: Path, tmp_path: Path) -> None:
    ngspice.transient(deck(), ["ip"], module=module)
    assert "Parameter s0 is out of bounds" in refusal(deck("s0=2"), module=module)
    assert "unknown parameter (s9)" in refusal(deck("s9=2"), module=module)
    missing = tmp_path / module.name
    assert f"no compiled module {missing}: No such file" in refusal(deck(), module=missing)
    missing.write_text("no module")
    said = refusal(deck(), module=missing)
    assert f"can't load the compiled module {missing}" in said
    assert "file too short" in said
    ngspice.transient(deck(), ["ip"], module=module)


@pytest.mark.ngspice
@needs_library
@pytest.mark.skipif(not SIMULATOR.osdi, reason="ngspice without OSDI")
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_a_module_for_another_version_of_the_interface_is_named(tmp_path: Path) -> None:
    source = tmp_path / "old.c"
    source.write_text(
        "unsigned OSDI_VERSION_MAJOR = 0, OSDI_VERSION_MINOR = 2, OSDI_NUM_DESCRIPTORS = 1;"
        "char OSDI_DESCRIPTORS[4096];\n"
    )
    module = tmp_path / "old.osdi"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", module, source], check=True)
    said = refusal(deck(), module=module)
    assert f"can't load the compiled module {module}" in said
    assert re.search(r"supports OSDI v.* uses v0\.2", said), said


@pytest.mark.ngspice
@needs_modules
def test_a_module_loads_from_any_path_and_once(module: Path, tmp_path: Path) -> None:
    odd = tmp_path / "two words" / "$µ;.osdi"
    odd.parent.mkdir()
    shutil.copy(module, odd)
    ngspice.transient(deck(), ["ip"], module=odd)
    names = engine.shared_ngspice().ask("devhelp")
    assert len([line for line in names if line.startswith(f"{MODULE} ")]) == 1


SECOND = """
from pathlib import Path
from circuits.spice import engine
shared = engine.shared_ngspice()
shared.load(Path("first.osdi"))
try:
    shared.load(Path("second.osdi"))
except engine.SpiceError as error:
    print(error)
shared.load(Path("first.osdi"))
"""


@pytest.mark.ngspice
@needs_modules
def test_another_module_of_the_same_name_is_refused(module: Path, tmp_path: Path) -> None:
    """Taken without a word, ngspice would go on with the first."""
    shutil.copy(module, tmp_path / "first.osdi")
    text = module.with_suffix(".va").read_text()
    other = text.replace("parameter real r_yy = 500", "parameter real r_yy = 700")
    assert other != text
    (tmp_path / "second.va").write_text(other)
    compiled(tmp_path / "second.va", tmp_path / "second.osdi")
    assert python(SECOND, tmp_path).startswith(f"second.osdi: another module {MODULE} is loaded")


# --- libraries that are none ---


@pytest.mark.parametrize("content", [b"", b"no library", b"\x7fELF" + bytes(100)])
def test_a_file_that_is_no_library_is_named(content: bytes, tmp_path: Path) -> None:
    library = tmp_path / "libngspice.so"
    library.write_bytes(content)
    assert re.search(r"can't be loaded: .*libngspice\.so", engine.library_fault(str(library)))


def test_a_library_that_is_not_ngspice_is_named() -> None:

    assert re.search(
        r"is another library .it has no ngSpice_Init", engine.library_fault(bit_generator.__file__)
    )


def test_a_library_that_hangs_is_given_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "libngspice.so")
    said = engine.library_fault(str(tmp_path / "libngspice.so"), limit_s=0.3)
    assert said.endswith("libngspice.so takes longer than 0.3 s to load")


@pytest.mark.ngspice
@needs_library
def test_the_library_of_this_machine_is_one() -> None:
    assert SIMULATOR.library is not None
    assert engine.library_fault(SIMULATOR.library) == ""
