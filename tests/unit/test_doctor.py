"""What `hallspice doctor` finds and concludes."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from circuits.spice import binding
from circuits.spice.engine import Simulator
from hallspice import doctor
from hallspice.doctor import Finding, capabilities, ngspice_findings

LIBRARY = "/usr/lib/libngspice.so.0"
PROGRAM = "/usr/bin/ngspice"
VERSION_46 = Simulator(LIBRARY, PROGRAM, 46, klu=True, osdi=True)
VERSION_39 = Simulator(LIBRARY, PROGRAM, 39, klu=False, osdi=False)
NONE = Simulator(
    None, None, None, klu=False, osdi=False, problem="no ngspice shared library\nTry: install it"
)


def all_found_with(simulator: Simulator) -> list[Finding]:
    others = {name for names in doctor.TASKS.values() for name in names if not name.startswith("ngspice")}
    here = [Finding(name=name, found=True, detail="1.0") for name in sorted(others)]
    return [*here, *ngspice_findings(simulator)]


def impossible_tasks(findings: list[Finding]) -> set[str]:
    return {capability.task for capability in capabilities(findings) if not capability.possible}


def test_everything_found_means_everything_can_be_run() -> None:
    assert impossible_tasks(all_found_with(VERSION_46)) == set()


def test_an_old_ngspice_lacks_klu_and_osdi_alone() -> None:
    found = all_found_with(VERSION_39)
    assert impossible_tasks(found) == {
        "large arrays in ngspice (sparse solver KLU)",
        "the Verilog-A device in ngspice",
    }
    osdi = next(c for c in capabilities(found) if c.task == "the Verilog-A device in ngspice")
    assert "ngspice OSDI" in osdi.advice
    assert "newer ngspice" in osdi.advice


def test_without_ngspice_the_nodal_solver_remains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    found = all_found_with(NONE)
    assert impossible_tasks(found) == {
        task for task, names in doctor.TASKS.items() if any(name.startswith("ngspice") for name in names)
    }
    assert next(f for f in found if f.name == "ngspice library").detail == "no ngspice shared library"
    certificate = next(c for c in capabilities(found) if c.task.startswith("tiles in ngspice"))
    assert certificate.advice == "missing: ngspice library. apt-get install ngspice libngspice0"


def test_a_library_that_can_not_be_used_is_not_found() -> None:
    broken = Simulator(LIBRARY, PROGRAM, 46, klu=False, osdi=False, problem="wrong ELF class")
    by_name = {finding.name: finding for finding in ngspice_findings(broken)}
    assert by_name["ngspice"].found
    assert not by_name["ngspice library"].found
    assert by_name["ngspice library"].detail == "wrong ELF class"


def test_on_a_mac_the_advice_is_brew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    found = ngspice_findings(NONE)
    assert {finding.install for finding in found} == {"brew install ngspice libngspice"}


def test_every_task_needs_findings_that_are_collected() -> None:
    collected = {finding.name for finding in doctor.collect()}
    assert {name for names in doctor.TASKS.values() for name in names} <= collected


def test_findings_on_this_machine() -> None:
    by_name = {finding.name: finding for finding in doctor.collect()}
    assert by_name["numpy"].found
    assert by_name["torch"].detail.startswith("2.13.0")
    assert "threads" in by_name["torch"].detail
    assert by_name["MNIST"].detail.startswith("60000 + 10000 images")
    for finding in by_name.values():
        assert finding.detail
        assert finding.found != bool(finding.install)


def test_a_program_that_does_not_start_is_not_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "vacask"
    program.write_text("#!/nonexistent/interpreter\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match="vacask"):
        subprocess.run([program], check=True)
    assert doctor._program("vacask") is None


def test_show_prints_both_tables() -> None:
    findings = [Finding(name="ngspice", found=False, detail="[Errno 2] none", install="apt-get [all]")]
    screen = io.StringIO()
    doctor.show(findings, Console(file=screen, width=160))
    text = screen.getvalue()
    assert "[Errno 2] none" in text
    assert "netlists by hand" in text
    assert "missing: ngspice. apt-get [all]" in text


@pytest.mark.parametrize(
    ("bindings", "found", "detail"),
    [
        (("nosuchbinding", "PySpice"), True, "PySpice 1.5, in place of nosuchbinding"),
        (("PySpice", "nosuchbinding"), True, "PySpice 1.5"),
        (("nosuchbinding", "nosuchother"), False, "neither nosuchbinding nor nosuchother can be imported"),
    ],
)
def test_the_binding_of_ngspice_that_is_used_is_named(
    bindings: tuple[str, ...], found: bool, detail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binding, "BINDINGS", bindings)
    binding.find_binding.cache_clear()
    try:
        finding = doctor._binding()
    finally:
        binding.find_binding.cache_clear()
    assert (finding.name, finding.found, finding.detail) == (bindings[0], found, detail)
    assert bool(finding.install) is not found
