"""A read of a tile as a netlist, its cells plain elements or models of the device."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import numpy as np

from circuits.arrays.crossbar import crossbar
from circuits.network import Network
from circuits.spice.devices import Devices
from circuits.spice.engine import deck_options
from circuits.spice.netlist import device_deck, netlist
from compact_model.numeric import Floats
from hallspice.config.demand import Demand
from hallspice.config.load import load_setup
from hallspice.config.setup import Setup
from hallspice.files import TakenError, write_text
from nn_mapping.mapping import resistive_states
from veriloga.dialects import ArrayDialect, DeviceForm, Dialect
from veriloga.model import MODULE, CellModel, cell_model
from veriloga.programs import compiled
from veriloga.subcircuit import frozen_subcircuit_text, subcircuit_text
from veriloga.verilog_a import verilog_a_text


def drawn_states(setup: Setup) -> Floats:
    """States of an array of the configured size: levels of the device, drawn with the seed."""
    array = setup.config.array
    levels = setup.levels_ohm
    if not setup.array.architecture.hall:
        levels = resistive_states(levels, array.cell.r_low, array.cell.r_high)
    return np.random.default_rng(setup.config.seed).choice(levels, (array.rows, array.columns))


def write_netlist(config: Path, out: Path, *, seed: int | None = None) -> None:
    """Write a read of one tile of the configured size: levels drawn with the seed, every input full.

    Where rows take turns (`row_multiplexed`), it is the read of row 0. Capacitances of wires and arms are in it; its
    operating point does not depend on them.
    """
    setup = load_setup(config, seed, Demand.ARRAY)
    array = setup.config.array
    mismatch = setup.mismatch((array.rows, array.columns))
    network = crossbar(drawn_states(setup), setup.with_capacitances(), mismatch)
    write_text(out, netlist(network, _full(setup, network), _title(setup), deck_options()))


def write_device_netlist(
    config: Path,
    out: Path,
    form: DeviceForm,
    dialect: ArrayDialect,
    *,
    seed: int | None = None,
    day: date | None = None,
) -> list[Path]:
    """Write a read of one tile with a device model in every cell; the files written.

    Tile and states are those of `write_netlist`; the model's file lies beside the netlist.

    Raises
    ------
    ValueError
        For cells without a Hall bar, cells with mismatch (the device has none), and forms that a dialect lacks.
    """
    devices = Devices(form=form, dialect=dialect)
    setup = load_setup(config, seed, Demand.ARRAY)
    if not setup.array.architecture.hall:
        raise ValueError(
            "array.architecture: resistive cells hold no Hall bar, allowed: the Hall architectures"
        )
    states = drawn_states(setup)
    if setup.mismatch((states.shape[0], states.shape[1])) is not None:
        raise ValueError(
            "array.cell: the device model has no mismatch of its arms, allowed: mismatch and r_off_spread 0"
        )
    model = cell_model(setup.card)
    network = crossbar(states, setup.with_capacitances())
    s0 = np.clip((states - model.device.r_reset) / model.device.law.delta_r, 0.0, 1.0)
    # an ngspice that loads the module has KLU, which behavioural sources don't get on with
    options = ("klu",) if devices.compiled and dialect is ArrayDialect.NGSPICE else ()
    title = _title(setup, f" as {form.value}")
    text = device_deck(network, _full(setup, network), s0, devices, title, options)
    files = write_model(model, devices, out, day or date.today())
    write_text(out, text)
    return [out, *files]


def write_model(model: CellModel, devices: Devices, netlist: Path, day: date) -> list[Path]:
    """Write the files of the device's model that lie beside a netlist; a module for ngspice is compiled too.

    Raises
    ------
    TakenError
        When another model, or a file of the user, stands there under such a name: earlier netlists may include it.
    """
    if devices.compiled:
        path, text = netlist.with_name(f"{MODULE}.va"), verilog_a_text(model, day)
    else:
        path = netlist.with_name(f"{devices.master}.sub")
        text_of = frozen_subcircuit_text if devices.form is DeviceForm.FROZEN else subcircuit_text
        text = text_of(model, Dialect(devices.dialect.value), day)
    files = [path]
    if devices.compiled and devices.dialect is ArrayDialect.NGSPICE:
        files.append(path.with_suffix(".osdi"))
    if netlist in files:
        raise TakenError(f"{netlist}: is the name of a file of the device's model; choose another --out")
    known = path.exists() and _undated(path.read_text("utf-8", errors="replace")) == _undated(text)
    taken = None if known else next((one for one in files if one.exists()), None)
    if taken:
        raise TakenError(
            f"{taken}: exists already and is not the model of this netlist; write it into another folder"
        )
    write_text(path, text)
    if len(files) > 1:
        compiled(*files)
    return files


def _undated(text: str) -> str:
    """The text of a model without the day on which it was written."""
    return re.sub(r"(?<=Written by hallspice on )[0-9-]{10}", "", text)


def _full(setup: Setup, network: Network) -> Floats:
    """Every input full."""
    return np.full(network.n_inputs, setup.v_full)


def _title(setup: Setup, how: str = "") -> str:
    array = setup.config.array
    what = f"{array.architecture} {array.rows} x {array.columns}"
    return f"hallspice: {what}, device {setup.card.name}{how}, seed {setup.config.seed}"
