"""Read arrays around a chosen form of the device, for other simulators."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np

from circuits.arrays.crossbar import crossbar
from circuits.network import BranchKind, Network, Role
from compact_model.numeric import Floats
from hallspice.array.plain_netlist import drawn_states
from hallspice.config.load import load_setup
from hallspice.files import write_text
from veriloga.dialects import ArrayDialect, DeviceForm, Dialect
from veriloga.model import MODULE, CellModel, cell_model
from veriloga.programs import compiled
from veriloga.subcircuit import FROZEN, frozen_subcircuit_text, subcircuit_text
from veriloga.verilog_a import verilog_a_text

_SPECTRE_WORDS = {
    BranchKind.RESISTOR: "resistor r",
    BranchKind.CAPACITOR: "capacitor c",
    BranchKind.VOLTAGE: "vsource dc",
    BranchKind.CURRENT: "isource dc",
    BranchKind.VCCS: "vccs gm",
}


_ALLOWED = {
    ArrayDialect.NGSPICE: (DeviceForm.FROZEN, DeviceForm.SUBCKT, DeviceForm.OSDI),
    ArrayDialect.XYCE: (DeviceForm.FROZEN, DeviceForm.SUBCKT),
    ArrayDialect.SPECTRE: (DeviceForm.OSDI,),
}


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

    Tile and states are those of `plain_netlist.write_netlist`; the model's file lies beside the netlist.

    Raises
    ------
    ValueError
        For cells without a Hall bar, cells with mismatch (the device has none), and forms that a dialect lacks.
    """
    if form not in _ALLOWED[dialect]:
        allowed = ", ".join(_ALLOWED[dialect])
        raise ValueError(f"device form {form.value} can't be written for {dialect.value}, allowed: {allowed}")
    setup = load_setup(config, seed, network=False)
    shape = (setup.config.array.rows, setup.config.array.columns)
    if not setup.array.architecture.hall:
        raise ValueError(
            "array.architecture: resistive cells hold no Hall bar, allowed: the Hall architectures"
        )
    if setup.mismatch(shape) is not None:
        raise ValueError(
            "array.cell: the device model has no mismatch of its arms, allowed: mismatch and r_off_spread 0"
        )
    model = cell_model(setup.card)
    states = drawn_states(setup)
    network = crossbar(states, setup.with_capacitances())
    share = (states - model.device.r_reset) / model.device.law.delta_r
    s0 = np.clip(share, 0.0, 1.0).ravel()
    title = (
        f"hallspice: {setup.array.architecture} {shape[0]} x {shape[1]}, device {model.card.name} as {form.value}, "
        f"seed {setup.config.seed}"
    )
    writer = _spectre if dialect is ArrayDialect.SPECTRE else _spice
    inputs = np.full(network.n_inputs, setup.v_full)
    text = "\n".join([*writer(network, inputs, s0, form, dialect, title), ""])
    files = [out]
    when = day or date.today()
    for name, content in _model_file(model, form, dialect, when):
        write_text(out.parent / name, content)
        files.append(out.parent / name)
    if form is DeviceForm.OSDI and dialect is ArrayDialect.NGSPICE:
        files.append(compiled(files[-1], out.parent / f"{MODULE}.osdi"))
    write_text(out, text)
    return files


def _model_file(
    model: CellModel, form: DeviceForm, dialect: ArrayDialect, day: date
) -> Iterator[tuple[str, str]]:
    if form is DeviceForm.OSDI:
        yield f"{MODULE}.va", verilog_a_text(model, day)
    else:
        language = Dialect(dialect.value)
        write = frozen_subcircuit_text if form is DeviceForm.FROZEN else subcircuit_text
        yield f"{FROZEN if form is DeviceForm.FROZEN else MODULE}.sub", write(model, language, day)


def _branches(network: Network, inputs: Floats) -> Iterator[tuple[str, BranchKind, list[str], float]]:
    """Name, kind, nodes and value of every branch outside the cells; sources at the given inputs."""
    values = network.value.copy()
    np.add.at(values, network.drive_source, network.drive_coefficient * inputs[network.drive_input])
    cells = network.of_role(Role.CELL)
    names = (*network.node_names, "0")
    ends = np.stack([network.plus, network.minus, network.control_plus, network.control_minus], axis=1)
    for k, branch in enumerate(network.branch_names):
        if not cells[k]:
            nodes = [names[int(node)] for node in ends[k]]
            yield branch, BranchKind(int(network.kind[k])), nodes, float(values[k])


def _cells(network: Network) -> Iterator[str]:
    """Nodes ip, in, hp, hn of every cell, row by row."""
    names = (*network.node_names, "0")
    channel, arms = network.probes["channel"], network.probes["arms"]
    columns = (channel.plus, channel.minus, arms.plus, arms.minus)
    for nodes in zip(*(ends.ravel().tolist() for ends in columns), strict=True):
        yield " ".join(names[node] for node in nodes)


def _spice(
    network: Network,
    inputs: Floats,
    s0: Floats,
    form: DeviceForm,
    dialect: ArrayDialect,
    title: str,
) -> Iterator[str]:
    yield f"* {title}"
    yield "* Written by hallspice. This file is yours: no licence is claimed on it."
    if dialect is not ArrayDialect.NGSPICE:
        yield f"* Written for {dialect.value} from its documentation; not run in it."
    if form is DeviceForm.OSDI:
        yield from (".control", f"pre_osdi {MODULE}.osdi", ".endc", f".model hallbar {MODULE}")
    else:
        yield f".include {FROZEN if form is DeviceForm.FROZEN else MODULE}.sub"
    celsius = 26.85
    if dialect is ArrayDialect.XYCE:
        yield f".options device temp={celsius}"
    else:  # an ngspice that loads the module has KLU, which behavioural sources don't get on with
        yield f".options temp={celsius} reltol=1e-6" + (" klu" if form is DeviceForm.OSDI else "")
    yield "* devices: ip in hp hn"
    prefix, master = {
        DeviceForm.OSDI: ("N", "hallbar"), DeviceForm.SUBCKT: ("X", MODULE), DeviceForm.FROZEN: ("X", FROZEN),
    }[form]  # fmt: skip
    parameters = "PARAMS: " if dialect is ArrayDialect.XYCE else ""
    for k, cell in enumerate(_cells(network)):
        yield f"{prefix}{k} {cell} {master} {parameters}s0={s0[k]:.15g}"
    yield "* wires, drivers, amplifiers, senses"
    for name, kind, nodes, value in _branches(network, inputs):
        used = nodes if kind is BranchKind.VCCS else nodes[:2]
        yield f"{name} {' '.join(used)} {value:.15g}"
    names = (*network.node_names, "0")
    ends = zip(
        network.output_names, network.output_plus, network.output_minus, network.output_scale, strict=True
    )
    if dialect is ArrayDialect.XYCE:
        yield ".op"
        yield ".print dc " + " ".join(
            f"{{v({names[int(plus)]},{names[int(minus)]})*{scale:.15g}}}" for _, plus, minus, scale in ends
        )
        yield ".end"
        return
    yield from (".control", "set num_threads=1", "set numdgt=15", "op")
    for name, plus, minus, scale in ends:
        across = "-".join(f"v({names[int(node)]})" for node in (plus, minus) if names[int(node)] != "0")
        yield f"let {name} = ({across})*{scale:.15g}"
        yield f"print {name}"
    yield from ("quit 0", ".endc", ".end")


def _spectre(
    network: Network,
    inputs: Floats,
    s0: Floats,
    form: DeviceForm,
    dialect: ArrayDialect,
    title: str,
) -> Iterator[str]:
    del form
    yield f"// {title}"
    yield "// Written by hallspice. This file is yours: no licence is claimed on it."
    yield f"// Written for {dialect.value} from its documentation; not run in it."
    yield from (
        "simulator lang=spectre",
        f'ahdl_include "{MODULE}.va"',
        "options options temp=26.85 reltol=1e-6",
    )
    for k, cell in enumerate(_cells(network)):
        yield f"N{k} ({cell}) {MODULE} s0={s0[k]:.15g}"
    for name, kind, nodes, value in _branches(network, inputs):
        used = nodes if kind is BranchKind.VCCS else nodes[:2]
        yield f"{name} ({' '.join(used)}) {_SPECTRE_WORDS[kind]}={value:.15g}"
    names = (*network.node_names, "0")
    kept = dict.fromkeys(names[int(k)] for k in (*network.output_plus, *network.output_minus) if k >= 0)
    yield f"save {' '.join(kept)}"
    yield "read dc"
