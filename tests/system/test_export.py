"""Exports and certificates through the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hallspice.cli.application import app
from veriloga.programs import COMPILER, NGSPICE, VACASK, find_program

RUNNER = CliRunner()


def call(*arguments: str | Path, code: int = 0) -> str:
    result = RUNNER.invoke(app, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


def skip_without(*names: str) -> None:
    for name in names:
        if find_program(name) is None:
            pytest.skip(f"no program {name}")


def test_every_bench_of_the_compiled_export_runs_as_it_is(tmp_path: Path) -> None:
    skip_without(COMPILER, NGSPICE, VACASK)
    call("export", "veriloga", "--out", tmp_path / "export")
    text = call("verify", tmp_path / "export", "--out", tmp_path / "checked")
    assert text.count("pass") == 8
    benches = json.loads((tmp_path / "checked" / "results.json").read_text())["benches"]
    assert {b["deck"] for b in benches} == {
        f"{name}{end}" for name in ("ladder", "read", "loop", "width") for end in ("_osdi.cir", ".sim")
    }
    assert max(b["largest_difference"] for b in benches) < 5e-4


def test_every_bench_of_the_subcircuit_export_runs_as_it_is(tmp_path: Path) -> None:
    skip_without(NGSPICE)
    call("export", "spice", "--out", tmp_path / "export")
    text = call("verify", tmp_path / "export", "--out", tmp_path / "checked")
    assert text.count("pass") == 4


def test_a_changed_model_fails_its_benches(tmp_path: Path) -> None:
    skip_without(NGSPICE)
    call("export", "spice", "--out", tmp_path / "export")
    model = tmp_path / "export" / "sot_hallbar.sub"
    model.write_text(model.read_text().replace(".param drive={", ".param drive={1.02*", 1))
    assert "FAIL" in call("verify", tmp_path / "export", "--out", tmp_path / "checked", code=1)


@pytest.mark.parametrize("dialect", ["ngspice", "xyce", "ltspice", "hspice"])
def test_spice_exports_hold_what_their_readme_names(tmp_path: Path, dialect: str) -> None:
    call("export", "spice", "--dialect", dialect, "--out", tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert {
        "sot_hallbar.sub",
        "sot_hallbar_frozen.sub",
        "sot_hallbar.lib",
        "sot_hallbar.sym",
        "README.md",
    } <= names
    readme = (tmp_path / "README.md").read_text()
    assert ("not run in it" in readme) == (dialect != "ngspice")
    assert set(re.findall(r"`(sot_hallbar\w*\.(?:sub|lib))`", readme)) <= names
    assert set(json.loads((tmp_path / "results.json").read_text())["files"]) == names


def test_spectre_export_includes_files_that_are_there(tmp_path: Path) -> None:
    call("export", "spectre", "--out", tmp_path)
    for path in tmp_path.glob("*.scs"):
        for name in re.findall(r'^(?:ahdl_)?include "([^"]+)"', path.read_text(), re.MULTILINE):
            assert (tmp_path / name).is_file()


def test_a_grid_that_is_too_coarse_is_refused_and_can_be_allowed(tmp_path: Path) -> None:
    text = call("export", "spice", "--grains", "8", "--out", tmp_path / "a", code=2)
    assert "grains = 8" in text
    assert "allowed: 0.01" in text
    assert not (tmp_path / "a").exists()
    call("export", "spice", "--grains", "8", "--largest-error", "0.13", "--out", tmp_path / "b")
    assert "0.12 of the window" in (tmp_path / "b" / "README.md").read_text().replace("\n", " ")


def test_wrong_input_is_one_message(tmp_path: Path) -> None:
    assert "pspice" in call("export", "spice", "--dialect", "pspice", "--out", tmp_path / "a", code=2)
    assert "no such file" in call(
        "export", "spice", "--card", tmp_path / "no.yaml", "--out", tmp_path, code=2
    )
    (tmp_path / "file").write_text("")
    assert "cannot be written" in call("export", "spice", "--out", tmp_path / "file", code=4)
    (tmp_path / "empty").mkdir()
    assert "no benches" in call("verify", tmp_path / "empty", "--out", tmp_path / "v", code=2)


def test_certificate_is_written_as_data_and_as_a_page(tmp_path: Path) -> None:
    skip_without(NGSPICE)
    text = call("verify", "--grains", "12", "--largest-error", "0.1", "--quick", "--quiet", "--out", tmp_path)
    assert "0 failed" in text
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["passed"] is True
    assert {engine["name"] for engine in results["engines"]} >= {"Python, closed form", "scipy Radau"}
    page = (tmp_path / "certificate.html").read_text()
    assert page.count("<svg") == 2
    assert not re.search(r'(src|href)="http', page)


def test_netlists_with_devices_name_their_files_and_refuse_what_a_dialect_lacks(tmp_path: Path) -> None:
    config = tmp_path / "array.yaml"
    config.write_text("array: {rows: 2, columns: 3}\n")
    out = tmp_path / "read.cir"
    text = call("netlist", config, "--device", "frozen", "--out", out)
    assert "sot_hallbar_frozen.sub" in text
    assert (tmp_path / "sot_hallbar_frozen.sub").is_file()
    refused = call("netlist", config, "--device", "osdi", "--dialect", "xyce", "--out", out, code=2)
    assert "allowed: frozen, subckt" in refused
    assert "needs --device" in call("netlist", config, "--dialect", "xyce", "--out", out, code=2)
