"""A whole array with devices whose state moves, and write pulses into one of its cells, as a netlist."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from circuits.spice.devices import Devices
from circuits.write.circuit import write_network
from circuits.write.deck import Timing, switching_devices, write_deck
from circuits.write.scheme import Order
from circuits.write.solver import WriteSolver
from circuits.write.writing import Writing
from compact_model.numeric import Floats
from hallspice.array.read_netlist import write_model
from hallspice.config.demand import Demand
from hallspice.config.load import load_setup
from hallspice.config.setup import Setup
from hallspice.files import write_text
from hallspice.programming.plan import writing
from veriloga.dialects import DeviceForm
from veriloga.model import CellModel, cell_model


def write_ladder_netlist(config: Path, out: Path, form: DeviceForm, *, seed: int | None = None) -> list[Path]:
    """Write the ladder into cell (0, 0) of an array of the configured size, for ``ngspice -b``; the files written.

    Every cell is the dynamic device, all start at s = 0. With the compiled module its source lies beside it.

    Raises
    ------
    ValueError
        For the frozen device, whose state can't move.
    """
    if form is DeviceForm.FROZEN:
        raise ValueError("device form frozen can't be written to: its state is fixed, allowed: subckt, osdi")
    setup = load_setup(config, seed, Demand.ARRAY)
    model = cell_model(setup.card)
    plan = writing(setup, model.device, setup.config.array.columns)
    solver = WriteSolver(setup.config.array.rows, setup.config.array.columns, plan.config)
    text = ladder_deck(setup, plan, solver, plan.ladder.currents, model, form)
    files = [out]
    if form is DeviceForm.OSDI:
        files += write_model(model, Devices(form=form), out, datetime.now(UTC).date())
    write_text(out, text)
    return files


def ladder_deck(
    setup: Setup,
    plan: Writing,
    solver: WriteSolver,
    currents: Floats,
    model: CellModel | None = None,
    form: DeviceForm = DeviceForm.SUBCKT,
) -> str:
    """A deck of pulses into cell (0, 0), one per current [A], that ``ngspice -b`` runs.

    A subcircuit runs in ngspice of any version; the file of the compiled module lies in the folder that ngspice is
    started from.
    """
    cell = cell_model(setup.card) if model is None else model
    selected = np.zeros(solver.shape, dtype=bool)
    selected[0, 0] = True
    inputs = np.stack(list(_inputs(plan, solver, selected[0], currents)))
    devices = switching_devices(cell, form, setup.card.thermal.ambient.value, datetime.now(UTC).date())
    states = np.zeros((selected.size, len(cell.device.bank.theta)))
    watched = devices.fraction_vector((0, 0))
    rows, columns = solver.shape
    return write_deck(
        write_network(selected, plan.config),
        states,
        inputs,
        np.zeros_like(inputs),
        Timing(t_pulse=plan.t_pulse),
        devices,
        saved=[watched],
        printed=watched,
        title=f"{len(currents)} pulse(s) into cell (0, 0) of a {rows} x {columns} array, device {setup.card.name}",
    )


def _inputs(
    plan: Writing, solver: WriteSolver, written: npt.NDArray[np.bool_], currents: Floats
) -> Iterator[Floats]:
    """Line voltages of each pulse, V."""
    for current in currents:
        volts = float(current / solver.conductance[0, 0])
        if plan.config.order is Order.CELL:
            yield solver.cell_inputs(0, 0, volts)
        else:
            yield plan.config.voltages(solver.shape, 0, np.full(solver.shape[1], volts), written)
