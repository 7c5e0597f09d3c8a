"""R(T) of the channel: one formula in Python, and the texts made for simulators say the same."""

import re
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from circuits.spice import ngspice
from compact_model import stack
from compact_model.cards.device import DeviceCard, load_card
from compact_model.thermal import thermal_network
from veriloga.dialects import Dialect
from veriloga.equations import Instance, Unknowns, residual
from veriloga.model import MODULE, CellModel, cell_model
from veriloga.programs import COMPILER, NGSPICE, compiled, find_program
from veriloga.subcircuit import subcircuit_text
from veriloga.verilog_a import verilog_a_text

DAY = date(2026, 1, 2)
KNOWN = [(250.0, 487.5), (300.0, 500.0), (350.0, 512.5)]
"""Temperature [K] and 500 ohm (1 + 5e-4 (T - 300)) [ohm]."""


def _card(kind: str) -> DeviceCard:
    return load_card().with_choices(switching=kind).with_value("transport.tcr", 5e-4)


def _model(kind: str) -> CellModel:
    return cell_model(_card(kind), 8, largest_error=1.0)


@pytest.mark.parametrize(("temperature", "ohm"), KNOWN)
def test_every_form_in_python_is_the_one_formula(temperature: float, ohm: float) -> None:
    card, model = _card("A"), _model("A")
    assert float(stack.channel_resistance(card, temperature=temperature)) == pytest.approx(ohm, rel=1e-12)
    network = thermal_network(card)
    assert float(network.resistance_at(temperature)) == pytest.approx(ohm, rel=1e-12)
    assert float(network.pulse_energy(1e-9, 1e-3)) == pytest.approx(1e-18 * 500.0 * 1e-3, rel=1e-9)
    s0 = np.full(8, 0.5)
    unknowns = Unknowns(
        terminals=np.array([0.5, -0.5, 0.0, 0.0]),
        centre=np.array(0.0),
        deviation=np.zeros(8),
        rise=np.zeros(2),
    )
    found = residual(model, Instance(s0=s0, ambient=temperature), unknowns)
    r_off = model.value("r_off")  # at s = 1/2 the Hall part is nothing: the port's r_x r_y - r_off^2 over r_y
    assert 1.0 / found.terminals[0] == pytest.approx(ohm - r_off**2 / model.value("r_yy"), rel=1e-9)


def test_a_warm_channel_heats_more_from_the_first() -> None:
    """The first instant of a pulse takes I^2 R(ambient): 1e-6 A^2 x 512.5 ohm into 560 K/W over 5 ns."""
    network = thermal_network(_card("B").with_value("thermal.ambient", 350.0))
    early = network.rise_after(1e-3, 5e-15)
    assert early[0] == pytest.approx(1e-6 * 512.5 * 560 * 1e-6, rel=1e-5)


@pytest.mark.skipif(find_program(NGSPICE) is None, reason="no program ngspice")
@pytest.mark.parametrize("form", ["subckt", "osdi"])
@pytest.mark.parametrize("kind", ["A", "B"])
def test_simulators_read_the_warm_channel(
    tmp_path: Path, kind: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = _model(kind)
    if form == "osdi":
        if find_program(COMPILER) is None:
            pytest.skip("no program openvaf-r")
        (tmp_path / f"{MODULE}.va").write_text(verilog_a_text(model, DAY))
        compiled(tmp_path / f"{MODULE}.va", tmp_path / f"{MODULE}.osdi")
        cell = [".control", f"pre_osdi {MODULE}.osdi", ".endc", f".model hallbar {MODULE}"]
        cell += ["N1 ip 0 hp hn hallbar s0=0.5"]
    else:
        (tmp_path / f"{MODULE}.sub").write_text(subcircuit_text(model, Dialect.NGSPICE, DAY))
        cell = [f".include {MODULE}.sub", f"X1 ip 0 hp hn {MODULE} s0=0.5"]
    for temperature, ohm in KNOWN:
        deck = tmp_path / "warm.cir"
        lines = ["* a small current through one cell, open Hall contacts", *cell, "Iread 0 ip 1e-6"]
        lines += [f".options temp={temperature - 273.15:.15g} reltol=1e-9", ".control", "set numdgt=15", "op"]
        lines += ["let ohm = v(ip)/1e-6", "print ohm", "quit 0", ".endc", ".end", ""]
        deck.write_text("\n".join(lines))
        assert ngspice.run_batch(deck).values["ohm"] == pytest.approx(ohm, rel=1e-6)


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("kind", ["A", "B"])
def test_every_dialect_writes_the_formula(kind: str, dialect: Dialect) -> None:
    """No simulator but ngspice is here: the factor is read from the text, with every T that it is taken at."""
    text = re.sub(r"\n\+ ?", "", subcircuit_text(_model(kind), dialect, DAY)).replace(" ", "")
    found = set(re.findall(r"\(1\+([\d.e-]+)\*\((.*?)-([\d.]+)\)\)>", text))
    assert found, text
    for factor, _, reference in found:
        assert (float(factor), float(reference)) == (5e-4, 300.0)
