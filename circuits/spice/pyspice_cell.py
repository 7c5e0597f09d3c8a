"""The Hall bar inside a user's own PySpice circuit: as a subcircuit, or as the compiled Verilog-A module."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuits.spice.binding import find_binding
from circuits.spice.engine import shared_ngspice
from veriloga.dialects import Dialect
from veriloga.model import MODULE, CellModel
from veriloga.programs import ONE_THREAD
from veriloga.subcircuit import subcircuit_text

if TYPE_CHECKING:
    from collections.abc import Mapping

NODES = ("ip", "in", "hp", "hn")
"""Terminals: ends of the channel, Hall contacts."""

_MODEL = "hallbar"


class HallBarCell(find_binding().netlist.SubCircuitFactory):  # type: ignore[misc]  # it has no types
    """The cell as a subcircuit for PySpice.

    Parameters
    ----------
    model
        The cell.

    Examples
    --------
    ``circuit.subcircuit(HallBarCell(model))``, then
    ``circuit.X("1", HallBarCell.NAME, "ip", circuit.gnd, "hp", "hn", s0=0.3)``.
    """

    NAME = MODULE
    NODES = NODES

    def __init__(self, model: CellModel) -> None:
        instance = {p.name: p.number for p in model.parameters if p.instance}
        super().__init__(**instance)
        lines = subcircuit_text(model, Dialect.NGSPICE, date.min).splitlines()
        first = next(k for k, line in enumerate(lines) if line.startswith(".subckt"))
        body = [line for line in lines[first + 1 : lines.index(f".ends {MODULE}")] if line]
        while body[0].startswith("+"):  # the rest of the .subckt line, which PySpice writes itself
            del body[0]
        self.raw_spice = "\n".join([*body, ""])


def add_module_cell(circuit: Any, name: str, nodes: tuple[str, str, str, str], **parameters: float) -> None:
    """Add a cell as the compiled module (element N) to a PySpice circuit.

    Parameters
    ----------
    circuit
        PySpice circuit.
    name
        Of the element, without the N; unique in the circuit.
    nodes
        Nodes at ip, in, hp, hn.
    parameters
        Instance parameters, such as ``s0=0.3``.
    """
    card = f".model {_MODEL} {MODULE}\n"
    if card not in circuit.raw_spice:
        circuit.raw_spice += card
    given = " ".join(f"{key}={value:.15g}" for key, value in parameters.items())
    circuit.raw_spice += f"N{name} {' '.join(nodes)} {_MODEL} {given}\n"


def pyspice_simulator(
    circuit: Any, module: Path | None = None, *, options: Mapping[str, float | str] | None = None
) -> Any:
    """Simulator of PySpice (or InSpice) in shared mode, at the temperature of the model's thresholds (300 K).

    It isn't part of the turns that threads take: where others use ngspice too, call it inside
    ``with circuits.spice.engine.shared_ngspice().turn():``.

    Parameters
    ----------
    circuit
        Circuit of that package.
    module
        Compiled module (``.osdi``), when the circuit has cells of `add_module_cell`.
    options
        Of ngspice; ``reltol`` is 1e-4 unless given.

    Raises
    ------
    circuits.spice.engine.SimulatorMissing
        Without a shared library of ngspice.
    circuits.spice.engine.SpiceError
        When the module can't be loaded (`circuits.spice.engine.SharedNgspice.load`).
    TypeError
        When the circuit is of InSpice where PySpice is used, or the other way round.
    """
    shared = shared_ngspice()
    if module is not None:
        shared.load(module)
    shared.load_code_models()
    shared.ask(ONE_THREAD)
    made = find_binding().simulator(circuit, shared.engine, temperature=26.85, nominal_temperature=26.85)
    made.options(**{"reltol": 1e-4, **(options or {})})
    return made
