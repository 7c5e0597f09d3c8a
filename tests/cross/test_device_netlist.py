"""Read arrays around the device's forms, against the nodal solver."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from circuits.arrays.crossbar import crossbar
from circuits.solve.nodal import factor
from circuits.spice import ngspice
from circuits.spice.engine import SpiceError
from compact_model import port
from hallspice.array.read_netlist import drawn_states, write_device_netlist
from hallspice.config.load import load_setup
from hallspice.files import TakenError
from veriloga.dialects import ArrayDialect, DeviceForm
from veriloga.programs import COMPILER, NGSPICE, find_program

DAY = date(2026, 1, 2)
FORMS = [
    DeviceForm.FROZEN,
    DeviceForm.SUBCKT,
    pytest.param(
        DeviceForm.OSDI,
        marks=pytest.mark.skipif(find_program(COMPILER) is None, reason="no program openvaf-r"),
    ),
]


def configured(folder: Path, architecture: str = "active_parallel", cell: str = "{}") -> Path:
    path = folder / "array.yaml"
    path.write_text(f"array: {{architecture: {architecture}, rows: 3, columns: 4, cell: {cell}}}\n")
    return path


@pytest.mark.skipif(find_program(NGSPICE) is None, reason="no program ngspice")
@pytest.mark.parametrize("cell", ["{}", "{r_arm: 300}"])
@pytest.mark.parametrize("form", FORMS)
def test_array_of_devices_reads_like_the_nodal_solver(tmp_path: Path, form: DeviceForm, cell: str) -> None:
    config, deck = configured(tmp_path, cell=cell), tmp_path / "array.cir"
    write_device_netlist(config, deck, form, ArrayDialect.NGSPICE, day=DAY)
    setup = load_setup(config)
    network = crossbar(drawn_states(setup), setup.array)
    wanted = factor(network).solve(np.full((1, 3), setup.v_full)).outputs[0]
    run = _in(tmp_path, deck)
    found = np.array([run.values[name] for name in network.output_names])
    # The network and the device share one port equation; the star's common mode differs in the second order.
    assert np.abs(found / wanted - 1.0).max() < 1e-5


ARMS = {
    "the device card": "device: {card: mine.yaml}\narray: {rows: 3, columns: 4}\n",
    "the configuration": "array: {rows: 3, columns: 4, cell: {r_arm: 300}}\n",
}


@pytest.mark.parametrize("text", ARMS.values(), ids=ARMS)
def test_one_arm_reaches_the_array_and_every_form_of_the_device(tmp_path: Path, text: str) -> None:
    arm = "{value: 300, unit: ohm, provenance: measured, source: mine}"
    (tmp_path / "mine.yaml").write_text(
        f"name: mine\ndescription: mine\nbased_on: pt_ruo2_0p5\nhall: {{r_arm: {arm}}}\n"
    )
    config = tmp_path / "array.yaml"
    config.write_text(text)
    setup = load_setup(config)
    assert setup.array.r_arm == 300.0
    assert port.device_impedance(setup.card, 0.0)[1, 1] == 600.0  # V_y / I_y: both arms in series
    network = crossbar(np.full((3, 4), 1e-6), replace(setup.array, r_off=0.0))  # a star, next to no coupling
    values = dict(zip(network.branch_names, network.value, strict=True))
    assert values["Rhp2_3"] == values["Rhn2_3"] == pytest.approx(300.0, rel=1e-12)
    write_device_netlist(config, tmp_path / "array.cir", DeviceForm.FROZEN, ArrayDialect.NGSPICE, day=DAY)
    lines = (tmp_path / "sot_hallbar_frozen.sub").read_text().splitlines()
    assert {"Rhp hp centre 300", "Rhn hn centre 300", "Rip ip centre 250"} <= set(lines)
    write_device_netlist(config, tmp_path / "array.scs", DeviceForm.OSDI, ArrayDialect.SPECTRE, day=DAY)
    module = (tmp_path / "sot_hallbar.va").read_text()
    assert re.search(r"parameter real r_yy = 600(\.0)? ", module)
    assert "r_arm" not in module


@pytest.mark.skipif(find_program(COMPILER) is None, reason="no program openvaf-r")
def test_an_old_deck_with_both_arms_as_r_arm_is_an_error(tmp_path: Path) -> None:
    deck = tmp_path / "array.cir"
    write_device_netlist(configured(tmp_path), deck, DeviceForm.OSDI, ArrayDialect.NGSPICE, day=DAY)
    model = ".model hallbar sot_hallbar"
    text = deck.read_text()
    deck.write_text(text.replace(model, f"{model} r_yy=500"))
    assert _in(tmp_path, deck).values
    deck.write_text(text.replace(model, f"{model} r_arm=500"))
    with pytest.raises(SpiceError, match="r_arm"):
        _in(tmp_path, deck)


def _in(folder: Path, deck: Path) -> ngspice.BatchRun:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # the deck names its model by file name
        return ngspice.run_batch(deck)


def test_other_dialects_name_every_cell_and_say_that_they_were_not_run(tmp_path: Path) -> None:
    config = configured(tmp_path)
    for dialect, form, start in (
        (ArrayDialect.XYCE, DeviceForm.FROZEN, "X"),
        (ArrayDialect.XYCE, DeviceForm.SUBCKT, "X"),
        (ArrayDialect.SPECTRE, DeviceForm.OSDI, "N"),
    ):
        out = tmp_path / f"{dialect}_{form}.net"
        files = write_device_netlist(config, out, form, dialect, day=DAY)
        assert all(path.is_file() for path in files)
        text = out.read_text()
        assert "not run" in text
        assert sum(line.startswith(start) and "s0=" in line for line in text.splitlines()) == 12


def test_a_model_of_something_else_is_never_replaced(tmp_path: Path) -> None:
    """Neither a file of the user nor a model that earlier netlists include."""
    config, out = configured(tmp_path), tmp_path / "array.cir"
    model, form = tmp_path / "sot_hallbar.sub", DeviceForm.SUBCKT
    model.write_text("mine\n")
    with pytest.raises(TakenError, match=r"sot_hallbar\.sub: exists already and is not the model"):
        write_device_netlist(config, out, form, ArrayDialect.NGSPICE, day=DAY)
    assert model.read_text() == "mine\n"
    model.unlink()
    write_device_netlist(config, out, form, ArrayDialect.NGSPICE, day=DAY)
    write_device_netlist(config, out, form, ArrayDialect.NGSPICE, day=date(2031, 2, 3))  # another day
    assert "2031-02-03" in model.read_text()
    with pytest.raises(TakenError, match=r"sot_hallbar\.sub: exists already"):
        write_device_netlist(config, out, form, ArrayDialect.XYCE, day=DAY)
    with pytest.raises(TakenError, match=r"sot_hallbar\.sub: is the name of a file of the device's model"):
        write_device_netlist(config, model, form, ArrayDialect.NGSPICE, day=DAY)
    (tmp_path / "sot_hallbar.osdi").write_text("mine\n")
    with pytest.raises(TakenError, match=r"sot_hallbar\.osdi: exists already"):
        write_device_netlist(config, out, DeviceForm.OSDI, ArrayDialect.NGSPICE, day=DAY)
    assert not (tmp_path / "sot_hallbar.va").exists()


def test_forms_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "a.cir"
    with pytest.raises(ValueError, match=r"osdi can't be written for xyce, allowed: frozen, subckt"):
        write_device_netlist(configured(tmp_path), out, DeviceForm.OSDI, ArrayDialect.XYCE)
    with pytest.raises(ValueError, match="resistive cells hold no Hall bar"):
        write_device_netlist(configured(tmp_path, "resistive"), out, DeviceForm.FROZEN, ArrayDialect.NGSPICE)
    with pytest.raises(ValueError, match="no mismatch"):
        write_device_netlist(
            configured(tmp_path, cell="{mismatch: 0.01}"), out, DeviceForm.FROZEN, ArrayDialect.NGSPICE
        )
    assert not out.exists()
